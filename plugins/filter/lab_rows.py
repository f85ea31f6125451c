# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_rows
version_added: 0.2.0
short_description: What became of every lab of a play
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Turns the variables of hosts, each of which is a lab, into rows that say which lab is where, whether it is up, and if not, why.
positional: _input, reached
options:
  _input:
    description: Variables of the hosts, from C(hostvars).
    type: list
    elements: dict
    required: true
  reached:
    description: Names of the hosts with which the play came to its end, C(ansible_play_hosts).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say which lab is where
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | map('extract', hostvars) | mlenv.jupyter.lab_rows(ansible_play_hosts) | mlenv.jupyter.text_table('why') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: Rows with C(lab), C(host), C(state), C(url) and C(why).
  type: list
  elements: dict
"""


def lab_rows(hosts: list, reached: list) -> list:
    return [row(host, host["inventory_hostname"] in reached) for host in hosts]


def row(host: dict, reached: bool) -> dict:
    """A host that was not reached either failed, and said why, or its connection did."""
    lab = host.get("lab") or {}
    url, why = "-", ""
    if reached:
        state, url = ("up", lab["url"]) if "url" in lab else (str(host.get("lab_state", "-")), "-")
    elif "lab_trouble" in host:
        state, why = "failed", host["lab_trouble"]
    else:
        look = host.get("__engine_look") or {}
        state, why = "unreachable", look["msg"] if look.get("unreachable") else "its connection was lost"
    return {
        "lab": host["inventory_hostname"],
        "host": host.get("ansible_host") or host["inventory_hostname"],
        "state": state,
        "url": url,
        "why": why and f"{host['inventory_hostname']}: {str(why).removeprefix('Task failed: ')}",
    }


class FilterModule:
    def filters(self):
        return {"lab_rows": lab_rows}
