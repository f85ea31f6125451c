# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user site of our own making, for a real Python to look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import hypothesis
import pytest

# How fast the machine is at this moment is not what these tests are about.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


class UserBase:
    """A ~/.local that a real Python takes for its own (PYTHONUSERBASE)."""

    def __init__(self, path):
        self.path = path
        self.site = path / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
        self.site.mkdir(parents=True)

    def add(self, name, version, requires=(), direct_url=None, extras=()):
        folder = self.site / "{}-{}.dist-info".format(name.replace("-", "_"), version)
        folder.mkdir()
        headers = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
        headers += ["Provides-Extra: " + extra for extra in extras]
        headers += ["Requires-Dist: " + text for text in requires]
        (folder / "METADATA").write_text("\n".join(headers) + "\n\nRequires-Dist: words-of-the-description\n")
        if direct_url:
            (folder / "direct_url.json").write_text(json.dumps(direct_url))
        return folder

    def run(self, argv, stdin, **env):
        """Run what would run in a container, here; the answer's text."""
        environment = {**os.environ, "PYTHONUSERBASE": str(self.path), **env}
        done = subprocess.run([sys.executable, *argv[1:]], input=stdin, env=environment, cwd=str(self.path), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(name="base")
def fixture_base(tmp_path):
    return UserBase(tmp_path / "local")
