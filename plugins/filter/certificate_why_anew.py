# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_why_anew
version_added: 0.2.0
short_description: Why a lab needs another certificate
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Reads a certificate and says why it must be made anew, because its names changed, it ends soon, or somebody else signed it.
positional: _input, names, renew_days, authority
options:
  _input:
    description: PEM text of the certificate. Empty if there is none.
    type: str
    required: true
  names:
    description: Host names and addresses that it must have as subject alternative names, no more and no less.
    type: list
    elements: str
    required: true
  renew_days:
    description: Days that it must have left.
    type: int
    required: true
  authority:
    description: PEM text of the certificate of the CA that must have signed it. Without one, it must have signed itself.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Tell why a certificate must be made anew
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'lab.pem') | mlenv.jupyter.certificate_why_anew(['gpu1.example.com'], 30) }}"
"""

RETURN = r"""
_value:
  description: The reason in a clause, empty if it does.
  type: str
"""

from ansible_collections.mlenv.jupyter.plugins.plugin_utils._certificate import why_anew


class FilterModule:
    def filters(self):
        return {"certificate_why_anew": why_anew}
