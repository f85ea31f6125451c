# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that are to be trusted, as somebody's files have them: one that cannot be read spoils all of them for who reads them.

Private to the collection. Without a library of cryptography, which takes longer than a whole run without certificates may.
"""

from __future__ import annotations

import re
import ssl

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def bundle_trouble(text: str) -> str:
    """What is wrong with the certificates in a text, as the end of a sentence; "" if nothing is. A file that is empty leaves a line end."""
    if not text:
        return ""
    if re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY-----", text):
        return "has a private key in it, which everybody could read who can read the certificates: name files with certificates alone."
    if BEGIN not in text:
        return "holds no certificate: name files in PEM format, with BEGIN CERTIFICATE in them (openssl x509 -inform der makes such a one of another format)."
    blocks = re.findall(f"{BEGIN}.*?{END}", text, re.DOTALL)
    if not len(blocks) == text.count(BEGIN) == text.count(END):
        return "holds a certificate that is cut off: name files in which each BEGIN CERTIFICATE has its END CERTIFICATE."
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for number, block in enumerate(blocks, start=1):
        try:
            context.load_verify_locations(cadata=block)
        except (ssl.SSLError, ValueError):
            return f"holds something that is no certificate (block {number} of {len(blocks)}): name files that openssl x509 can read."
    return ""
