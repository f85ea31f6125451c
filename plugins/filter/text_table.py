# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: text_table
version_added: 0.1.0
short_description: Rows as lines of text, in columns that line up
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Turns a list of dictionaries into lines of text, with the keys of the first one as heads of the columns.
positional: _input, notes
options:
  _input:
    description: Dictionaries with the same keys.
    type: list
    elements: dict
    required: true
  notes:
    description: Key of texts that are too long for a column. Those that are not empty follow the table.
    type: str
    default: ""
    version_added: 0.2.0
"""

EXAMPLES = r"""
- name: Show two labs
  ansible.builtin.debug:
    msg: "{{ [{'lab': 'alice', 'state': 'running'}, {'lab': 'bob', 'state': 'absent'}] | mlenv.jupyter.text_table }}"
"""

RETURN = r"""
_value:
  description: Lines, the heads first.
  type: list
  elements: str
"""


def text_table(rows: list, notes: str = "") -> list:
    """Dictionaries with the same keys -> lines of text, heads first; no rows, no lines."""
    if not rows:
        return []
    columns = [name for name in rows[0] if name != notes]
    table = [columns, *([str(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
    return lines + [row[notes] for row in rows if notes and row[notes]]


class FilterModule:
    def filters(self):
        return {"text_table": text_table}
