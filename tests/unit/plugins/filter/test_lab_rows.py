# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of every lab of a play."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.lab_rows import lab_rows, reason


@pytest.mark.parametrize(
    ("host", "reached", "expected"),
    [
        ({"lab": {"url": "http://127.0.0.1:28888/lab"}}, True, ("gpu1", "up", "http://127.0.0.1:28888/lab", "")),
        ({"ansible_host": "192.0.2.1", "lab": {"url": "u"}}, True, ("192.0.2.1", "up", "u", "")),
        ({"lab_state": "stopped"}, True, ("gpu1", "stopped", "-", "")),
        ({"lab_trouble": {"msg": "Task failed: No room."}}, True, ("gpu1", "failed", "-", "gpu1: No room.")),
        # It was up before this run.
        ({"lab_trouble": {"msg": "No room."}, "lab": {"url": "u"}}, True, ("gpu1", "failed", "-", "gpu1: No room.")),
        ({"lab_trouble": {"unreachable": True, "msg": "No route."}}, True, ("gpu1", "unreachable", "-", "gpu1: No route.")),
        ({}, False, ("gpu1", "unreachable", "-", "gpu1: its connection was lost")),
    ],
)
def test_row(host, reached, expected):
    [row] = lab_rows([{"inventory_hostname": "gpu1", **host}], ["gpu1"] if reached else [])
    assert (row["lab"], *(row[key] for key in ("host", "state", "url", "why"))) == ("gpu1", *expected)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"msg": "No room.", "stderr": "E: 28"}, "No room."),
        ({"msg": "non-zero return code", "rc": 2, "stderr": "dpkg: locked\n", "stdout": "Reading"}, "dpkg: locked"),
        ({"msg": "Task failed: Module failed: non-zero return code", "rc": 2, "stderr": "dpkg: locked"}, "dpkg: locked"),
        ({"msg": "non-zero return code", "rc": 1, "stderr": "", "stdout": "no such user"}, "no such user"),
        ({"msg": "non-zero return code", "rc": 7, "stderr": "", "stdout": ""}, "exit code 7"),
        ({"msg": "One or more items failed", "results": [{"failed": False, "msg": "fine"}, {"failed": True, "msg": "No room."}]}, "No room."),
        ({"msg": "One or more items failed", "results": [{"failed": True, "msg": "non-zero return code", "stderr": "gone"}]}, "gone"),
        ({"censored": "hidden", "changed": True}, "hidden"),
        ({}, "see above"),
    ],
)
def test_reason(result, said):
    assert reason(result) == said
