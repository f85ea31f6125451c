# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bundle_trouble
version_added: 0.2.0
short_description: What is wrong with certificates that are to be trusted
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Reads a text with certificates in PEM format, one after the other, and tells of what is no certificate, is cut off, or is a private key.
options:
  _input:
    description: The text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse certificates that nobody could read
  ansible.builtin.assert:
    that: text | mlenv.jupyter.bundle_trouble == ""
  vars:
    text: "{{ lookup('ansible.builtin.file', 'company.pem') }}"
"""

RETURN = r"""
_value:
  description: The end of a sentence that says what is wrong and what to do, empty if nothing is wrong, or the text is empty.
  type: str
"""

from ansible_collections.mlenv.jupyter.plugins.plugin_utils._bundle import bundle_trouble


class FilterModule:
    def filters(self):
        return {"bundle_trouble": bundle_trouble}
