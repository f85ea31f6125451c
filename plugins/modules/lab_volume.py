#!/usr/bin/python
# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_volume
version_added: 0.2.0
short_description: A named volume of a container engine, all of it one user's
description:
  - Makes a volume if there is none of that name, and gives all that is on it and is not its user's to its user. Nothing on it is removed.
  - An engine makes a new volume root's, and a process of root in a container leaves files that its user cannot change.
  - It works in a container that is gone afterwards, without a network and with no more rights than that needs.
  - Where the host is the controller itself, it starts no other process than the engine's client.
author:
  - mlenv.jupyter contributors (@mlenv)
options:
  name:
    description:
      - Name of the volume.
    type: str
    required: true
  driver_options:
    description:
      - Options of its driver, for a volume that is made. One that is there keeps those that it has.
    type: dict
    default: {}
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
  image:
    description:
      - An image on the host that has C(find) and C(chown).
    type: str
    required: true
  userns:
    description:
      - How containers that use the volume see the users of the host, for Podman without root, such as V(keep-id).
    type: str
    default: ""
  existing:
    description:
      - V(give) gives to its user what is on a volume that is there already. V(leave) changes nothing on it, unless it is empty and root's.
    type: str
    choices: [give, leave]
    default: give
extends_documentation_fragment:
  - mlenv.jupyter._attributes
  - mlenv.jupyter._attributes.engine
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have a volume for the packages of the image's user
  mlenv.jupyter.lab_volume:
    name: jupyter-data
    owner: 1000
    group: 100
    image: quay.io/jupyter/minimal-notebook:python-3.11
"""

RETURN = r"""
created:
  description: Whether there was none, or in check mode is none.
  returned: success
  type: bool
given:
  description: How many files and directories on it were not its user's. Zero in check mode if there is no volume yet.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlenv.jupyter.plugins.module_utils._volume import ARGUMENTS, bring_volume


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = bring_volume(module.params, module.run_command, module.check_mode)
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
