# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_link
version_added: 0.2.0
short_description: The link that opens a lab, as Ansible can show it
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Since ansible-core 2.22 every secret that it knows of is masked in all that it prints, and a link with a masked token opens nothing.
  - Of a token that would be masked every character is percent-encoded, which browsers take as well. What would be masked even so is not shown at all.
positional: _input, token
options:
  _input:
    description: The address of the lab. Of an empty one only the end is made, which belongs behind it.
    type: str
    required: true
  token:
    description: Its token. Without it, the address alone is shown.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the way in
  ansible.builtin.debug:
    msg: "{{ lab.url | mlenv.jupyter.lab_link(token) }}"
"""

RETURN = r"""
_value:
  description: The link, empty if a part of it is masked however it is written.
  type: str
"""


def lab_link(url: str, token: str = "") -> str:
    # Not above: Ansible reads all filters of a collection anew for each task that uses one.
    from urllib.parse import quote

    if not token:
        return url if is_shown(url) else ""
    encoded = "".join(f"%{byte:02X}" for byte in token.encode())
    return next((link for link in (f"{url}?token={quote(token, safe='')}", f"{url}?token={encoded}") if is_shown(link)), "")


def is_shown(text: str) -> bool:
    """Whether Ansible prints this as it is."""
    try:
        from ansible.module_utils.secrets import mask_secrets
    except ImportError:  # before ansible-core 2.22
        return True
    return mask_secrets(text) == text


class FilterModule:
    def filters(self):
        return {"lab_link": lab_link}
