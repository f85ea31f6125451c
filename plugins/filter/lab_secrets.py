# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_secrets
version_added: 0.2.0
short_description: What a lab's container and server are told
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - What P(mlenv.jupyter.lab_plan#filter) decides from, but leaves out, as facts are shown and kept.
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
  - plugin: mlenv.jupyter.lab_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make a container
  community.docker.docker_container:
    name: jupyter-ds
    env: "{{ (wanted | mlenv.jupyter.lab_secrets(look)).env }}"
  no_log: true
"""

RETURN = r"""
_value:
  description:
    - C(env) is the environment of the container. C(files) are its directories and files, C(secrets) what is in those that are secret, C(home) the
      directories that are the home of a user who has none in the image, all as M(mlenv.jupyter.lab_files) takes them.
  type: dict
"""


def lab_secrets(wanted: dict, look: dict) -> dict:
    # Not above: Ansible reads all filters of a collection anew for each task that uses one.
    from ansible_collections.mlenv.jupyter.plugins.plugin_utils._plan import secrets

    return secrets(wanted, look)


class FilterModule:
    def filters(self):
        return {"lab_secrets": lab_secrets}
