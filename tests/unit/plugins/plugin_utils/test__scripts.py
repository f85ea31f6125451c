# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell scripts of a lab."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._scripts import script

OWN, CONDA, IMAGE = "/h/.local/bin", "/c/bin", "/c/bin:/usr/sbin:/usr/bin"
SHELLS = [shell for shell in ("bash", "dash", "busybox") if shutil.which(shell)]


def path_after(path: str, shell: str = "bash", home: str = "/h", env: str = "") -> str:
    text = f"_mlenv_env={env}\n" + script("path.sh", {"home": "/h", "own": OWN, "image": IMAGE}) + 'echo "$PATH"\n'
    argv = [shutil.which(shell), *(["sh"] if shell == "busybox" else []), "-eu", "-c", text]
    return subprocess.run(argv, env={"PATH": path, "HOME": home}, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/c/bin:/c/condabin:/h/.local/bin:/c/bin:/usr/sbin:/usr/bin", "/h/.local/bin:/c/bin:/c/condabin:/usr/sbin:/usr/bin"),
        # Debian's /etc/profile forgets what the container has.
        ("/usr/local/bin:/usr/bin:/bin", "/usr/local/bin:/h/.local/bin:/c/bin:/usr/sbin:/usr/bin:/bin"),
        # A virtual environment's own are before both, and what the user put first stays first.
        ("/venv/bin:/c/bin:/h/.local/bin:/usr/bin", "/venv/bin:/h/.local/bin:/usr/sbin:/c/bin:/usr/bin"),
        ("/h/.local/bin:/venv/bin:/c/bin:/usr/sbin:/usr/bin", "/h/.local/bin:/venv/bin:/c/bin:/usr/sbin:/usr/bin"),
        ("/nothing", "/nothing:/h/.local/bin:/c/bin:/usr/sbin:/usr/bin"),
    ],
)
def test_the_users_programs_come_before_the_images(shell, before, after):
    assert path_after(before, shell) == after
    assert path_after(after, shell) == after


def test_an_image_that_activates_another_environment():
    assert path_after("/c/envs/a/bin:/h/.local/bin:/c/bin:/usr/sbin:/usr/bin", env="/c/envs/a/bin") == "/h/.local/bin:/c/envs/a/bin:/c/bin:/usr/sbin:/usr/bin"


def test_another_user_has_other_programs():
    assert path_after("/usr/sbin:/usr/bin", home="/root") == "/usr/sbin:/usr/bin"


def test_settings_are_quoted():
    text = script("path.sh", {"home": "/a b", "ways": ["/a 'b'", "$(c)"]})
    assert text.startswith("_mlenv_home='/a b'\n_mlenv_ways=('/a '\"'\"'b'\"'\"'' '$(c)')\n")
