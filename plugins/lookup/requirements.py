# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: requirements
version_added: 0.2.0
short_description: Requirements files of the controller, as pip reads them
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Reads requirements files and all files that they name with C(-r) and C(-c), which are relative to the file that names them.
  - Takes the encodings that pip takes, which are UTF-8, UTF-16 and UTF-32 with a byte order mark, and what one of the first two lines names,
    as in C(# coding=latin-1). Files may be encrypted with Ansible Vault.
options:
  _terms:
    description: Paths of requirements files. An empty text stands for no file.
    type: list
    elements: str
    required: true
  constraints:
    description: Path of a file of constraints. An empty text stands for no file.
    type: str
    default: ""
seealso:
  - module: mlenv.jupyter.container_pip
"""

EXAMPLES = r"""
- name: Install what a file of the controller asks for, with all files that it names
  mlenv.jupyter.container_pip:
    container: jupyter-ds
    requirements_content: "{{ lookup('mlenv.jupyter.requirements', 'requirements.txt').requirements }}"
"""

RETURN = r"""
_value:
  description:
    - For each file C(requirements) and C(constraints), texts without comments, in which a line C(#line 3 "base.txt") says that the next one is
      the third line of that file; and C(wrong), a sentence about what cannot be read, empty if there is no such thing.
  type: list
  elements: dict
"""

import os

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.lookup import LookupBase
from ansible_collections.mlenv.jupyter.plugins.module_utils._requirements import Lines, RequirementsError, joined


class LookupModule(LookupBase):
    def run(self, terms, variables=None, constraints="", **kwargs):
        return [self._read(term, constraints) for term in terms]

    def _read(self, requirements: str, constraints: str) -> dict:
        lines = Lines(read=self._bytes)
        try:
            if requirements:
                lines.add_file(requirements, name="requirements")
            if constraints:
                lines.add_file(constraints, constraint=True, name="constraints")
        except RequirementsError as error:
            return {"requirements": "", "constraints": "", "wrong": str(error)}
        return {"requirements": joined(lines.requirements, "requirements"), "constraints": joined(lines.constraints, "constraints"), "wrong": ""}

    def _bytes(self, path: str) -> bytes:
        """What is in a file, decrypted."""
        if not os.path.exists(path):
            raise FileNotFoundError(2, "there is no such file")
        try:
            with open(self._loader.get_real_file(path), "rb") as file:
                return file.read()
        except AnsibleError as error:
            raise OSError(5, to_text(error)) from error
