# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of every lab of a play."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.lab_rows import lab_rows


@pytest.mark.parametrize(
    ("host", "reached", "expected"),
    [
        ({"lab": {"url": "http://127.0.0.1:28888/lab"}}, True, ("gpu1", "up", "http://127.0.0.1:28888/lab", "")),
        ({"ansible_host": "192.0.2.1", "lab": {"url": "u"}}, True, ("192.0.2.1", "up", "u", "")),
        ({"lab_state": "stopped"}, True, ("gpu1", "stopped", "-", "")),
        ({"lab_trouble": "Task failed: No room."}, False, ("gpu1", "failed", "-", "gpu1: No room.")),
        # It was up before this run.
        ({"lab_trouble": "No room.", "lab": {"url": "u"}}, False, ("gpu1", "failed", "-", "gpu1: No room.")),
        ({"__engine_look": {"unreachable": True, "msg": "No route."}}, False, ("gpu1", "unreachable", "-", "gpu1: No route.")),
        ({"__engine_look": {"engine": {}}}, False, ("gpu1", "unreachable", "-", "gpu1: its connection was lost")),
    ],
)
def test_row(host, reached, expected):
    [row] = lab_rows([{"inventory_hostname": "gpu1", **host}], ["gpu1"] if reached else [])
    assert (row["lab"], *(row[key] for key in ("host", "state", "url", "why"))) == ("gpu1", *expected)
