#!/usr/bin/python
# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_pip_info
version_added: 0.1.0
short_description: What Python packages a running container has, and a lock of them
description:
  - Tells the packages in the user site of a running container and those of its image, with versions, sizes and conflicts.
  - Makes a lock, a text that M(mlenv.jupyter.container_pip) takes back with O(mlenv.jupyter.container_pip#module:state=exact) to
    get the same packages, down to the hash of every archive.
  - It asks the network only for O(outdated) and O(lock), and changes nothing.
extends_documentation_fragment:
  - mlenv.jupyter._attributes
  - mlenv.jupyter._attributes.engine
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  container:
    description:
      - Name of the container. It must be running.
    type: str
    required: true
  virtualenv:
    description:
      - Name of an isolated environment to look at instead of the user site.
    type: str
    version_added: 0.2.0
  outdated:
    description:
      - Ask the index for the newest version of each user package.
    type: bool
    default: false
  lock:
    description:
      - Ask the index for the hashes of the user packages, and make RV(lock) of them.
    type: bool
    default: false
  deep:
    description:
      - Look at the owner of every file in the user base, not only near its top.
    type: bool
    default: false
  index_url:
    description:
      - Package index to use instead of the container's default.
    type: str
  extra_index_urls:
    description:
      - Package indexes to use as well.
    type: list
    elements: str
  find_links:
    description:
      - Directories in the container, or pages, with more packages.
    type: list
    elements: str
  no_index:
    description:
      - Ask no index, use O(find_links) only.
    type: bool
    default: false
  proxy:
    description:
      - URL of the proxy through which the container reaches the index. V(auto) is the one that O(docker_cli) gives to containers, if any.
    type: str
  ca_certificates:
    description:
      - Path in the container of a file with the certificates of those whom pip shall trust.
    type: str
  executable:
    description:
      - pip or Python in the container, by name or path, if it is not the C(python3) that its C(PATH) finds.
    type: str
  user:
    description:
      - User in the container. Without it, the lab's user.
    type: str
  timeout:
    description:
      - Seconds that the index may take to answer.
    type: int
    default: 600
seealso:
  - module: mlenv.jupyter.container_pip
author:
  - mlenv.jupyter contributors (@mlenv)
"""

EXAMPLES = r"""
- name: See what is installed
  mlenv.jupyter.container_pip_info:
    container: jupyter-ds
  register: installed

- name: Make a lock
  mlenv.jupyter.container_pip_info:
    container: jupyter-ds
    lock: true
  register: installed

- name: Get the same packages in another lab
  mlenv.jupyter.container_pip:
    container: jupyter-other
    requirements_content: "{{ installed.lock }}"
    state: exact
"""

RETURN = r"""
packages:
  description: The user packages by name.
  returned: success
  type: dict
  contains:
    version:
      description: Its version.
      type: str
    top_level:
      description: Whether somebody asked for it by name.
      type: bool
    size:
      description: Bytes of its files, null if it has no list of them.
      type: int
    origin:
      description: Where it came from if that was no index, else null.
      type: str
    latest:
      description: The newest version, if it is another one and O(outdated) was asked for.
      type: str
image_packages:
  description: The image's own packages, name to version.
  returned: success
  type: dict
shadowed:
  description: Names of image packages that a user package hides.
  returned: success
  type: list
  elements: str
conflicts:
  description: What user packages need and do not have, and what image packages do not have on account of user packages, one sentence each.
  returned: success
  type: list
  elements: str
lock:
  description: Requirements with versions and hashes. Empty unless O(lock) was asked for.
  returned: success
  type: str
python_version:
  description: Python in the container.
  returned: success
  type: str
pip_version:
  description: pip in the container, null if it has none.
  returned: success
  type: str
user_site:
  description: Directory of the user packages.
  returned: success
  type: str
older_packages:
  description: Packages left from other Pythons, by the version of Python.
  returned: success
  type: dict
leftovers:
  description: Paths that broken installations have left.
  returned: success
  type: list
  elements: str
foreign:
  description: Paths among the user's packages that belong to somebody else.
  returned: success
  type: list
  elements: str
log:
  description: The last lines of the container's log, with tokens masked.
  returned: if the container does not stay up
  type: list
  elements: str
  version_added: 0.2.0
"""

from ansible_collections.mlenv.jupyter.plugins.module_utils._container_pip import INFO_ARGUMENTS, credentials, tell_packages
from ansible_collections.mlenv.jupyter.plugins.module_utils._module import Module


def main() -> None:
    module = Module(credentials, argument_spec=INFO_ARGUMENTS, supports_check_mode=True)
    module.finish(tell_packages(module.params, module.run_command, module.check_mode))


if __name__ == "__main__":
    main()
