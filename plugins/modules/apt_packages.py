#!/usr/bin/python
# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apt_packages
version_added: 0.2.0
short_description: Install packages of Debian and Ubuntu in spite of other people's package sources
description:
  - Installs packages that are not there, without those that they only recommend, and removes none.
  - What counts is whether they are there in the end. A source that is away, expired, not signed or badly written becomes a warning if the others
    suffice, and the reason if they do not. A package of somebody else's that cannot be configured becomes a warning, too.
  - Sources that C(apt-get) does not understand, or that contradict each other, so that it reads none at all, are left out. They are not changed.
  - The lists of packages are read again if they are older than an hour, lack a package, or name one that is gone.
  - It needs no other library than Python's own. Packages that are there are not upgraded.
author:
  - mlenv.jupyter contributors (@mlenv)
options:
  name:
    description:
      - Names of the packages.
    type: list
    elements: str
    required: true
  if_known:
    description:
      - Packages that are installed along with those of O(name), if the host's distribution has them.
    type: list
    elements: str
    default: []
  lock_timeout:
    description:
      - How long to wait, in seconds, for another program that installs packages.
    type: int
    default: 600
extends_documentation_fragment:
  - mlenv.jupyter._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have the distribution's requests
  mlenv.jupyter.apt_packages:
    name: [python3-requests]
  become: true
"""

RETURN = r"""
installed:
  description: Those of O(name) that were not there.
  returned: always
  type: list
  elements: str
  sample: [python3-requests]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlenv.jupyter.plugins.module_utils._apt import ARGUMENTS, bring_packages


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = bring_packages(module.params, module.run_command, module.check_mode)
    for words in result.pop("warnings", []):
        module.warn(words)
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
