#!/usr/bin/python
# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_directories
version_added: 0.2.0
short_description: Directories for the mounts of a container, which belong to its user
description:
  - An engine makes the directories that are missing on the way to a mount, and they are root's. The user of the container cannot write there.
  - This module makes them first, and gives them to the user. It does so on volumes and directories of the host, or in a container that does not run yet.
  - On volumes it works as that user, in a container that is removed afterwards, without a network. What that user may not make is left to the engine.
  - Where the host is the controller itself, it starts no other process than the engine's client.
author:
  - mlenv.jupyter contributors (@mlenv)
options:
  directories:
    description:
      - Paths of the directories in the container, those above first.
    type: list
    elements: str
    default: []
  skeleton:
    description:
      - A directory of the host that gets what is in the home of the image's user, for a home that hides it. What was in it before is removed.
    type: str
    default: ""
  container:
    description:
      - Name of a container that was made and not started. Without it, the directories are made on O(volumes).
    type: str
    default: ""
  volumes:
    description:
      - Mounts of the container, as Docker takes them.
    type: list
    elements: str
    default: []
  image:
    description:
      - An image on the host that has C(mkdir). It is needed without O(container).
    type: str
    default: ""
  owner:
    description:
      - Number of the user, as containers know it.
    type: int
    required: true
  group:
    description:
      - Number of the user's group, as containers know it.
    type: int
    required: true
  userns:
    description:
      - How containers see the users of the host, for Podman without root, such as V(keep-id).
    type: str
    default: ""
extends_documentation_fragment:
  - mlenv.jupyter._attributes
  - mlenv.jupyter._attributes.engine
attributes:
  check_mode:
    support: full
    details:
      - It never predicts a change, since the container or the volumes may not be there yet.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Make the directory on which a data set is mounted in the work directory
  mlenv.jupyter.lab_directories:
    image: quay.io/jupyter/minimal-notebook:python-3.11
    volumes: ["/home/alice/work:/home/jovyan/work"]
    directories: [/home/jovyan/work/data]
    owner: 1000
    group: 100
"""

RETURN = r"""
directories:
  description: What C(mkdir) says of those that were made on volumes.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlenv.jupyter.plugins.module_utils._directories import ARGUMENTS, bring_directories


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = bring_directories(module.params, module.run_command, module.check_mode)
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
