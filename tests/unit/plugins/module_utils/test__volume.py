# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a volume from being its user's. Real ones are in the integration tests."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _volume

PARAMS = {name: argument.get("default") for name, argument in _volume.ARGUMENTS.items()}
PARAMS.update(name="data", owner=1234, group=567, image="example.com/lab:1", validate_certs=False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "chown: changing ownership of '/volume': Operation not permitted",
            "Volume data cannot be given to its user, uid 1234 and gid 567, as its file system keeps no owners of files, or only those of its server: make it",
        ),
        ("chown: changing ownership of '/volume/a': Read-only file system", "as its file system can only be read: make it with options of its driver"),
        ("docker: Error response from daemon: Operation not permitted.", "The engine's client docker failed: docker: Error response from daemon"),
    ],
)
def test_file_system_that_gives_nothing_away(words, sentence):
    def run_command(argv, **_options):
        return (0, "[]", "") if "inspect" in argv else (1, "", words)

    done = _volume.bring_volume(PARAMS, run_command, check_mode=False)
    assert (done["changed"], sentence in done["msg"]) == (False, True)


@pytest.mark.parametrize(("existing", "which"), [("give", []), ("leave", ["-maxdepth", "0", "-empty", "-user", "0"])])
def test_what_is_left_as_it_is(existing, which):
    """A volume that was made and not yet given away, when a run was killed, is empty and root's."""
    calls = []

    def run_command(argv, **_options):
        calls.append(argv)
        return 0, "", ""

    assert not _volume.bring_volume({**PARAMS, "existing": existing}, run_command, check_mode=False)["changed"]
    words = calls[-1][calls[-1].index("/volume") + 1 :]
    assert words[: words.index("(")] == which
