# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_refusals
version_added: 0.1.0
short_description: Why a lab cannot be had, in sentences
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Compares what is wanted of a lab with what M(mlenv.jupyter.lab_info) saw, and returns a sentence for each thing that cannot work.
  - Role P(mlenv.jupyter.lab#role) refuses with the first one, before anything is changed.
positional: _input, look
options:
  _input:
    description: The variables of role P(mlenv.jupyter.lab#role), without their prefix, and what P(mlenv.jupyter.lab_plan#filter) makes of them.
    type: dict
    required: true
  look:
    description: What M(mlenv.jupyter.lab_info) returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  ansible.builtin.fail:
    msg: "{{ wanted | mlenv.jupyter.lab_refusals(look) | first }}"
  when: wanted | mlenv.jupyter.lab_refusals(look) | length > 0
"""

RETURN = r"""
_value:
  description: Sentences, none if the lab can be had.
  type: list
  elements: str
"""


def lab_refusals(wanted: dict, look: dict) -> list:
    # Not above: Ansible reads all filters of a collection anew for each task that uses one.
    from ansible_collections.mlenv.jupyter.plugins.plugin_utils._refusals import refusals

    return refusals(wanted, look)


class FilterModule:
    def filters(self):
        return {"lab_refusals": lab_refusals}
