# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as columns that line up."""

from __future__ import annotations

from ansible_collections.mlenv.jupyter.plugins.filter.text_table import text_table


def test_columns_line_up():
    rows = [{"lab": "alice", "state": "running", "packages": 12}, {"lab": "bob-the-second", "state": "-", "packages": 3}]
    assert text_table(rows) == [
        "lab             state    packages",
        "alice           running  12",
        "bob-the-second  -        3",
    ]


def test_no_rows_no_lines():
    assert text_table([]) == []


def test_notes_follow_the_table():
    rows = [{"lab": "alice", "state": "up", "why": ""}, {"lab": "bob", "state": "failed", "why": "bob: No room."}]
    assert text_table(rows, "why") == ["lab    state", "alice  up", "bob    failed", "bob: No room."]
