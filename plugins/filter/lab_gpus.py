# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_gpus
version_added: 0.2.0
short_description: Which GPUs a lab gets, and in which way
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Decides from what M(mlenv.jupyter.lab_info) saw which GPUs of the host a lab gets, and how the engine is asked for them.
  - A lab that cannot have what it asks for gets none here; P(mlenv.jupyter.lab_refusals#filter) says why.
positional: _input, look, play
options:
  _input:
    description:
      - C(name) of the lab, C(host), its name in the inventory, C(gpus) and C(exclusive), as O(mlenv.jupyter.lab#role:main:lab_gpus) and
        O(mlenv.jupyter.lab#role:main:lab_gpus_exclusive) have it.
    type: dict
    required: true
  look:
    description: What M(mlenv.jupyter.lab_info) returned.
    type: dict
    required: true
  play:
    description:
      - The labs of the play that are on this machine, from P(mlenv.jupyter.machine_labs#filter), so that two of them do not choose the same GPU.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Say which GPUs a lab with two of them would get
  ansible.builtin.debug:
    msg: "{{ ({'host': inventory_hostname, 'name': 'jupyter-ds', 'gpus': 2, 'exclusive': false} | mlenv.jupyter.lab_gpus(look)).devices }}"
"""

RETURN = r"""
_value:
  description:
    - C(devices), the C(way) (V(cdi), V(device_requests), V(runtime), or empty), and what a container needs for it. These are C(device_requests),
      C(runtime), C(env), C(labels), and C(spec) for its digest.
    - C(note) says why a lab with V(auto) has no GPU on a host that has a card.
  type: dict
"""

from ansible_collections.mlenv.jupyter.plugins.plugin_utils._gpu_choice import NOTHING, Refused, choose


def lab_gpus(lab: dict, look: dict, play=()) -> dict:
    try:
        return choose(lab, list(play), look)
    except Refused:
        return {**NOTHING, "note": ""}


class FilterModule:
    def filters(self):
        return {"lab_gpus": lab_gpus}
