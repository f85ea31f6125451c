# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: openpgp_fingerprints
version_added: 0.2.0
short_description: Fingerprints of the keys in an armoured OpenPGP file
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Reads public keys of version 4 without GnuPG, which neither a controller nor a host need have.
  - All primary keys are told, since apt trusts each key that is in the file.
options:
  _input:
    description: The text, with C(BEGIN PGP PUBLIC KEY BLOCK) in it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Trust a key only if it is the right one
  ansible.builtin.assert:
    that: key.content | mlenv.jupyter.openpgp_fingerprints == ['C95B321B61E88C1809C4F759DDCAE044F796ECB0']
"""

RETURN = r"""
_value:
  description: Fingerprints in upper case, none if the text holds no such key, or anything else that could be one.
  type: list
  elements: str
"""

import base64
import hashlib
import re

BLOCK = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----.*?\n[ \t]*\n(.*?)(?:\n=[A-Za-z0-9+/]{4})?\s*-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
PUBLIC_KEY = 6


def packets(data: bytes):
    """Tag and body of each packet (RFC 4880, 4.2). Raises ValueError at one whose length is not told beforehand, as no key's is."""
    while data:
        head, data = data[0], data[1:]
        if head & 0x40:
            tag, first = head & 0x3F, data[0]
            if first < 192:
                start, length = 1, first
            elif first < 224:
                start, length = 2, ((first - 192) << 8) + data[1] + 192
            elif first == 255:
                start, length = 5, int.from_bytes(data[1:5], "big")
            else:
                raise ValueError("partial length")
        else:
            tag, start = (head >> 2) & 0x0F, 1 << (head & 3)
            if start == 8 or not head & 0x80:
                raise ValueError("no packet")
            length = int.from_bytes(data[:start], "big")
        yield tag, data[start : start + length]
        data = data[start + length :]


def fingerprints(text: str) -> list:
    """None at all if there is anything in it that could be a key and is not understood."""
    text, found = text.replace("\r", ""), []
    blocks = BLOCK.findall(text)
    if len(blocks) != text.count("-----BEGIN"):
        return []
    try:
        for block in blocks:
            for tag, body in packets(base64.b64decode(re.sub(r"\s", "", block), validate=True)):
                if tag == PUBLIC_KEY:
                    if body[:1] != b"\x04":
                        return []
                    found.append(hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper())
    except (ValueError, IndexError):
        return []
    return found


class FilterModule:
    def filters(self):
        return {"openpgp_fingerprints": fingerprints}
