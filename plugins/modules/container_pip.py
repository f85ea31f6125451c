#!/usr/bin/python
# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_pip
version_added: 0.1.0
short_description: Keep the Python packages of a running container as described
description:
  - Installs Python packages into the user site (C(~/.local)) of a running container, as the lab's user. On a lab of
    role P(mlenv.jupyter.lab#role) that is a volume, so the packages outlive the container.
  - When everything that is asked for is there already, it costs one C(docker exec), starts no pip and needs no network.
  - A failing installation changes nothing at all. The packages are installed beside the user site, and moved in when all of them are there.
  - With O(virtualenv), the packages are in an environment of their own, which Jupyter offers as a kernel of that name. So projects
    whose packages do not go together share one lab.
extends_documentation_fragment:
  - mlenv.jupyter._attributes
  - mlenv.jupyter._attributes.engine
attributes:
  check_mode:
    support: full
    details:
      - It resolves for real, with the same index and the same constraints, and writes nothing. It needs pip 22.2 or later in the container.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - With O(state=forcereinstall), something changes each time.
      - Options in O(extra_args) that make pip act in any case, such as C(--force-reinstall), do what they say every time.
      - That a wheel or a source distribution in the container was built anew in the same version is noticed where pip is 23.1 or later, or uv. An older
        pip does not write down what it installed, and so installs it again each time with O(state=latest).
options:
  container:
    description:
      - Name of the container. It must be running.
    type: str
    required: true
  name:
    description:
      - What must be installed, in every form that pip takes. A name with extras, version and marker, C(name @ URL), a URL, a version
        control URL, the path of a wheel or a source distribution in the container.
      - An item may hold several, divided by commas.
    type: list
    elements: str
  virtualenv:
    description:
      - Name of an isolated environment on the volume of the packages, to use instead of the user site. It is made if it is not there, and is a
        kernel of that name in Jupyter's launcher. It sees no packages of the image or the user site.
      - What makes it a kernel, C(ipykernel) and C(pip), is installed along, unless the requirements have hashes. Then they must name these two.
      - With O(state=absent) and neither O(name) nor O(requirements) nor O(requirements_content), the environment is removed as a whole, and so is its kernel.
    type: str
    version_added: 0.2.0
  version:
    description:
      - Version of the one package in O(name), or a specifier such as C(>=1.3,<2).
    type: str
  requirements:
    description:
      - Path of a requirements file on the managed host. Files that it names with C(-r) and C(-c) are read there, too. Paths of packages in
        it are paths in the container. Editable installations (C(-e)) are refused.
      - Or the URL of one, which the container gets by itself, each time.
    type: path
  requirements_content:
    description:
      - Text of a requirements file.
    type: str
  constraints:
    description:
      - Lines of a constraints file, as a list or as one text. They bind versions and install nothing.
    type: list
    elements: str
  state:
    description:
      - V(present) installs what is missing and leaves alone what is good enough.
      - V(latest) also brings what is named to its newest version that the constraints allow, and asks the index each time. What it needs stays
        if it is good enough.
      - V(absent) removes what is named from the user site. What it needed stays, see O(autoremove). A package with a version specifier
        is removed only if its version fits.
      - V(exact) makes the user site hold what is asked for and what that needs, and nothing else.
      - V(forcereinstall) installs again what is named, and changes something each time. What only the image has is left alone.
      - None of them ever touches the image's own packages.
    type: str
    choices: [present, latest, absent, exact, forcereinstall]
    default: present
  autoremove:
    description:
      - With O(state=absent), also remove every package in the user site that nobody asked for and that no other package needs.
    type: bool
    default: false
  migrate:
    description:
      - When the image's Python has moved on, install again for it what somebody had asked for under the older one, in the same versions where they can be
        had, and then remove what was left of the older one. RV(migrated) tells which version each package had and has.
      - Without it, such packages are only reported, in a warning. O(state=absent) and O(state=forcereinstall) bring nothing along.
    type: bool
    default: false
  repair:
    description:
      - Look at every file of the user's packages, give to the lab's user what belongs to somebody else, and remove what broken installations have left.
      - Giving files back needs root in the container.
      - Without it, what one look sees of that is only reported, in a warning.
    type: bool
    default: false
  index_url:
    description:
      - Package index to use instead of the container's default.
      - Credentials in it appear in no command line, log or result. A Python older than 3.11 can only hide a password of printable ASCII
        characters from the command line of a build.
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
      - URL of the proxy through which the container reaches the index. Without it, the container's own environment decides.
      - V(auto) is the one that O(docker_cli) gives to containers, if any.
    type: str
  ca_certificates:
    description:
      - Path in the container of a file with the certificates of those whom the installer shall trust, such as a company's proxy.
    type: str
  protect_image:
    description:
      - Keep the versions of the packages that are part of the image. A package in the user site would come before the image's
        own, and a wrong one keeps Jupyter from starting.
      - What the image's server does not need, and is asked for by name in another version, may replace the image's own in the eyes of Python.
        What it needs is refused in another version, and from a direct reference also in the same one.
      - Programs of packages that each start of the container or each terminal runs, such as conda, limit what they need. They are tried
        with what would hide a package of the image, and if one breaks, nothing is changed. Check mode cannot try them.
      - With V(false), every package may.
    type: bool
    default: true
  on_conflict:
    description:
      - What to do if a package would need, after the change, what is not there any more, or not in a version that it can use. This may be a package
        that somebody else installed.
      - V(warn) makes the change, and tells of the conflict in a warning, in RV(conflicts) and in the diff. V(fail) changes nothing.
    type: str
    choices: [warn, fail]
    default: warn
    version_added: 0.2.0
  installer:
    description:
      - What installs. V(auto) takes uv if the container has it and neither O(extra_args) nor the requirements nor the container's pip
        configuration hold anything that only pip understands, and pip otherwise. What uv cannot install is tried again with pip.
        V(uv) refuses what only pip understands.
      - uv keeps to pip's configuration files, and not to its own.
      - The packages end up in the same place, with the same protection of the image.
    type: str
    choices: [auto, uv, pip]
    default: auto
  cache:
    description:
      - Keep downloaded packages in the user base, on the volume of the packages. So they come back without the network, and quickly.
        uv's cache and the installed packages share their space on the disk.
    type: bool
    default: true
  compile:
    description:
      - When to compile what was installed to bytecode, which takes most of the time of a large installation.
      - V(later) leaves it to a process in the container that runs on at low priority, and makes room for the next installation.
        V(now) waits for it, as pip does. With V(never), the first import of each module takes longer.
    type: str
    choices: [now, later, never]
    default: later
  extra_args:
    description:
      - More options for C(pip install). Credentials are refused here, where everybody in the container would see them.
    type: str
  executable:
    description:
      - pip or Python in the container, by name or path, if it is not the C(python3) that its C(PATH) finds.
    type: str
  user:
    description:
      - User in the container. Without it, the lab's user, which is C(NB_USER) of the container, else the user that it was started as.
    type: str
  timeout:
    description:
      - Seconds that an installation may take, or wait for another one on the same volume. Then it ends, in the container as well.
    type: int
    default: 3600
seealso:
  - module: ansible.builtin.pip
author:
  - mlenv.jupyter contributors (@mlenv)
"""

EXAMPLES = r"""
- name: Install packages into a lab
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    name:
      - seaborn
      - scikit-learn>=1.5,<2
      - dask[dataframe]

- name: Install what a requirements file on the managed host asks for
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    requirements: /srv/project/requirements.txt

- name: Install from the company's own index
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    requirements_content: "{{ lookup('mlenv.jupyter.requirements', 'requirements.txt').requirements }}"
    constraints: [numpy<2]
    index_url: "https://{{ index_user }}:{{ index_password }}@packages.example.com/simple"

- name: Have these packages, what they need, and nothing else
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    requirements: /srv/project/requirements.txt
    state: exact

- name: Remove a package and what only it needed
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    name: seaborn
    state: absent
    autoremove: true

- name: Offer a kernel with packages of its own
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    virtualenv: legacy
    name: [pandas<2, numpy<2]

- name: Remove that kernel and its packages
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    virtualenv: legacy
    state: absent

- name: Install an older version of something that the image has, knowing the risk
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    name: tornado
    version: "6.4"
    protect_image: false
"""

RETURN = r"""
packages:
  description:
    - What changed. Each name has RV(ignore:before) and RV(ignore:after), the version that Python sees, or null for none.
    - In check mode, what would change.
  returned: success
  type: dict
  sample: {cowsay: {before: null, after: "6.1"}}
python_version:
  description: Python in the container.
  returned: success
  type: str
  sample: 3.13.1
migrated:
  description: Packages of an older Python, with their versions then and now, null if there is none.
  returned: success
  type: dict
  sample: {cowsay: {before: "6.0", after: "6.1"}}
repaired:
  description: Paths in the container that were given back or removed.
  returned: success
  type: list
  elements: str
kernel:
  description: The kernel of O(virtualenv), and whether Jupyter finds it before and after. Null without O(virtualenv).
  returned: success
  type: dict
  sample: {name: legacy, before: false, after: true}
conflicts:
  description: What packages need and do not have after the change, and had before. With uv, check mode does not know what new packages need.
  returned: success
  type: list
  elements: str
  sample: ["textual 8.0.0 needs rich>=14.2.0, and there is rich 13.0.0"]
  version_added: 0.2.0
restart_recommended:
  description:
    - Whether the running Jupyter server has loaded something that changed, or must load something new.
    - In check mode it can only tell from the names, not from the contents of what would be installed.
  returned: success
  type: bool
installer:
  description: What installed, V(uv) or V(pip). Null if nothing had to be installed.
  returned: success
  type: str
cmd:
  description: The installer's command in the container. Empty if nothing had to be done.
  returned: always
  type: list
  elements: str
stdout:
  description: What the installer printed.
  returned: always
  type: str
stderr:
  description: What the installer complained about.
  returned: always
  type: str
log:
  description: The last lines of the container's log, with tokens masked.
  returned: if the container does not stay up
  type: list
  elements: str
  version_added: 0.2.0
"""

from ansible_collections.mlenv.jupyter.plugins.module_utils._container_pip import ARGUMENTS, RULES, change_packages, credentials
from ansible_collections.mlenv.jupyter.plugins.module_utils._module import Module


def main() -> None:
    module = Module(credentials, argument_spec=ARGUMENTS, **RULES, supports_check_mode=True)
    module.finish(change_packages(module.params, module.run_command, module.check_mode))


if __name__ == "__main__":
    main()
