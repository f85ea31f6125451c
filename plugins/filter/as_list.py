# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: as_list
version_added: 0.2.0
short_description: A list that may have been given as a text with commas
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - C(-e) and inventories in INI format know texts alone. What a variable of type list has as a text is divided at its commas; blanks around
    the parts, and empty parts, are left out. A list stays as it is.
options:
  _input:
    description: The variable.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Take networks in either form
  ansible.builtin.debug:
    msg: "{{ lab_networks | mlenv.jupyter.as_list }}" # "front, back" -> ["front", "back"]
"""

RETURN = r"""
_value:
  description: Its items.
  type: list
  elements: raw
"""


def as_list(value) -> list:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if value is None:  # as YAML has it where nothing is written behind the colon
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


class FilterModule:
    def filters(self):
        return {"as_list": as_list}
