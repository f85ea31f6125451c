#!/usr/bin/python
# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: send_files
version_added: 0.2.0
short_description: Send large files to a host, and go on where it was cut off
description:
  - Sends files of the controller to a managed host in pieces, over Ansible's own connection. A connection that is lost is made again,
    and a run that was ended is continued by the next one, at the byte where it ended.
  - What is there already, with the same size and SHA-256, is not sent. A file has its name on the host only when it is whole.
  - Says how far it is every ten seconds.
  - Needs C(sh) and the core utilities on the host, neither Python nor SFTP.
author:
  - mlenv.jupyter contributors (@mlenv)
options:
  src:
    description:
      - A file of the controller, or a directory, of which all files directly in it are meant.
    type: str
    required: true
  dest:
    description:
      - Directory of the host in which the files belong. It is made if it is not there. C(~) is the home of the user that the task runs as.
    type: str
    required: true
  exact:
    description:
      - Whether to remove what else is in O(dest).
    type: bool
    default: false
extends_documentation_fragment:
  - mlenv.jupyter._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Send an image to every server, once
  mlenv.jupyter.send_files:
    src: images/jupyter.tar
    dest: /var/lib/images

- name: Keep a directory of wheels as it is on the controller
  mlenv.jupyter.send_files:
    src: wheels/
    dest: /srv/wheels
    exact: true
"""

RETURN = r"""
dest:
  description: The directory on the host.
  type: str
  returned: success
files:
  description: Names of the files that were sent, or in check mode would be.
  type: list
  elements: str
  returned: success
removed:
  description: Names of what O(exact) removed, or in check mode would remove.
  type: list
  elements: str
  returned: success
bytes:
  description: How many bytes were sent by this run. Less than the files have if some were there already.
  type: int
  returned: success
"""

# All of it is in plugins/action/send_files.py: it needs the files of the controller.
