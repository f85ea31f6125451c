# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_plan
version_added: 0.2.0
short_description: What is to be done for a lab
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Compares what is wanted of a lab with what M(mlenv.jupyter.lab_info) saw, and decides all that role P(mlenv.jupyter.lab#role) does.
positional: _input, look
options:
  _input:
    description: The variables of role P(mlenv.jupyter.lab#role), without their prefix, and what the role reads for them on the controller.
    type: dict
    required: true
  look:
    description: What M(mlenv.jupyter.lab_info) returned.
    type: dict
    required: true
seealso:
  - plugin: mlenv.jupyter.lab_secrets
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Tell whether a lab would be made anew
  ansible.builtin.debug:
    msg: "{{ (wanted | mlenv.jupyter.lab_plan(look)).differs.container }}"
"""

RETURN = r"""
_value:
  description:
    - C(refused) has a sentence for each thing that cannot work. C(differs) says of C(storage), C(sources), C(container), C(packages) and the like
      whether there is something to do, C(busy) whether there is anything. Both are empty if the lab is refused, or shall not run; then there is no more.
    - C(spec), C(labels), C(runtime) and C(userns) are what the container is made of but for its environment, C(uid), C(gid), C(inner_owner) and
      C(volume_owner) whose its files are on the host, in the container and on the volume, C(brings_home) whether its home is a directory of the host.
    - C(token_differs), C(certificate_differs) and C(volume_foreign) are what of its storage is to be made anew or given to it, C(names) those of its
      certificate, C(claims) what no other lab of the machine can have beside it,
      C(aside) the name under which a container that was made by hand is kept, and C(gpu_play) the option of that name.
    - C(fact) is what the role exports, C(report) what it says at its end, sentence by sentence.
  type: dict
"""


def lab_plan(wanted: dict, look: dict) -> dict:
    # Not above: Ansible reads all filters of a collection anew for each task that uses one.
    from ansible_collections.mlenv.jupyter.plugins.plugin_utils._plan import plan

    return plan(wanted, look)


class FilterModule:
    def filters(self):
        return {"lab_plan": lab_plan}
