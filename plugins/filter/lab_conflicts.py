# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_conflicts
version_added: 0.2.0
short_description: What two labs of a play cannot both have
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Compares what a lab wants with what the other hosts of a play want, and returns a sentence for each thing that two labs of one machine cannot both have.
    That is a name, a packages volume or a work directory of two owners, a private directory, or a port.
  - Each host has made its plan by then, with P(mlenv.jupyter.lab_plan#filter).
positional: _input, hosts
options:
  _input:
    description: The C(claims) of the lab's own plan.
    type: dict
    required: true
  hosts:
    description: Variables of the hosts of the play, from C(hostvars).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse what two labs cannot both have
  ansible.builtin.fail:
    msg: "{{ __lab_plan.claims | mlenv.jupyter.lab_conflicts(ansible_play_batch | map('extract', hostvars)) | first }}"
"""

RETURN = r"""
_value:
  description: Sentences, none if all labs can be had.
  type: list
  elements: str
"""


def lab_conflicts(claims: dict, hosts: list) -> list:
    # Not above: Ansible reads all filters of a collection again for each task that uses one.
    from ansible_collections.mlenv.jupyter.plugins.plugin_utils import _neighbours

    others = _neighbours.others_of(claims, [(host.get("__lab_plan") or {}).get("claims") for host in hosts])
    return [sentence for other in others for sentence in _neighbours.conflicts(claims, other)]


class FilterModule:
    def filters(self):
        return {"lab_conflicts": lab_conflicts}
