#!/usr/bin/python
# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_files
version_added: 0.2.0
short_description: Several small files and directories of a host at once, secrets among them
description:
  - Makes directories and files, gives them their owner and mode, and removes files, in the order in which they are named, with one connection to the host.
  - A file is replaced as a whole, and is nobody else's at any moment. A link in its place is replaced, not followed. A link on the way to it is
    followed only if root made it, or the user that the task runs as.
  - Where the host is the controller itself, it works without starting a process.
author:
  - mlenv.jupyter contributors (@mlenv)
options:
  files:
    description:
      - What shall be there, or shall not.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Where. C(~) is the home of the user that the task runs as.
        type: path
        required: true
      state:
        description:
          - V(file), V(directory), or V(absent) for a file that is to be removed. Directories are never removed.
          - Directories above a V(directory) that are not there are made, too. They belong to the user that the task runs as, with mode V("0755"),
            since their owner could put other files in the place of these.
        type: str
        choices: [file, directory, absent]
        default: file
      content:
        description:
          - What is in the file. Without it, and if its path is not in O(secrets), a file must be there, and keeps what is in it.
        type: str
      begins_with:
        description:
          - Path of a file of the host whose content comes before that.
        type: path
      proxy_of:
        description:
          - Name or path of an engine's client. If the proxy that it gives to containers has a password in its address, the content is followed by Python
            that sets the variables for it, and output and logs show nothing of the file.
        type: str
      owner:
        description:
          - Number of the user that owns it. Whoever does, without it.
        type: int
      group:
        description:
          - Number of the group that owns it.
        type: int
      mode:
        description:
          - Its mode as octal digits in quotes, such as V("0400"). A new file has V("0600") without it, a new directory V("0700").
        type: str
      chomp:
        description:
          - Whether newlines at the end of a file whose content is not given are removed. Output and logs then show nothing of what is in it.
        type: bool
        default: false
      force:
        description:
          - Whether one that is there already is brought into this state, too. If not, it is left as it is.
        type: bool
        default: true
  secrets:
    description:
      - What is in those of O(files) that no output and no log shall show, by their paths.
    type: dict
    default: {}
extends_documentation_fragment:
  - mlenv.jupyter._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: mlenv.jupyter.send_files
"""

EXAMPLES = r"""
- name: Make a directory, and a token in it
  mlenv.jupyter.lab_files:
    files:
      - {path: /srv/labs/alice, state: directory, owner: 1000, group: 1000, mode: "0700"}
      - {path: /srv/labs/alice/token, owner: 1000, group: 1000, mode: "0400"}
    secrets:
      /srv/labs/alice/token: "{{ token }}"

- name: Let a lab trust what its host trusts, and the company's own
  mlenv.jupyter.lab_files:
    files:
      - path: /srv/labs/alice/ca-certificates.crt
        begins_with: /etc/ssl/certs/ca-certificates.crt
        content: "{{ lookup('ansible.builtin.file', 'company.pem') }}"
        mode: "0644"
"""

RETURN = r"""
paths:
  description: Those that were changed, or in check mode would be.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlenv.jupyter.plugins.module_utils._files import ARGUMENTS, bring_files


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = bring_files(module.params, module.run_command, module.check_mode)
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
