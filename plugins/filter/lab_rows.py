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

import re

PREFIX = re.compile("((Task|Action|Module) failed: )+")
# What Ansible says of a command and of a loop, whatever happened.
SAYS_NOTHING = ("non-zero return code", "One or more items failed", "Module failed.")


def lab_rows(hosts: list, reached: list) -> list:
    return [row(host, host["inventory_hostname"] in reached) for host in hosts]


def row(host: dict, reached: bool) -> dict:
    """C(lab_trouble) is the result with which a host failed, or with which it could not be reached."""
    lab, trouble = host.get("lab") or {}, host.get("lab_trouble")
    url, why = "-", ""
    if trouble:
        state, why = "unreachable" if trouble.get("unreachable") else "failed", reason(trouble)
    elif not reached:
        state, why = "unreachable", "its connection was lost"
    else:
        state, url = ("up", lab["url"]) if "url" in lab else (str(host.get("lab_state", "-")), "-")
    return {
        "lab": host["inventory_hostname"],
        "host": host.get("ansible_host") or host["inventory_hostname"],
        "state": state,
        "url": url,
        "why": why and f"{host['inventory_hostname']}: {why}",
    }


def reason(result: dict) -> str:
    """Why a task failed, in its own words."""
    failed = [item for item in result.get("results") or [] if item.get("failed") or item.get("unreachable")]
    if failed:
        return reason(failed[0])
    told = [PREFIX.sub("", str(result.get(key) or "").strip()) for key in ("msg", "stderr", "stdout", "censored")]
    says = [words for words in told if words and not words.startswith(SAYS_NOTHING)]
    return (says or [f"exit code {result['rc']}" if "rc" in result else "see above"])[0]


class FilterModule:
    def filters(self):
        return {"lab_rows": lab_rows}
