# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.bundle_trouble import FilterModule

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBbzCCARWgAwIBAgIUBBgxpUaqte2juwtNrLC1EnJciU4wCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwHhcNMjYxMjAxMDQ1MDA3WhcNMzYxMTI4MDQ1MDA3WjAN
MQswCQYDVQQDDAJjYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN3mvRznxIUd
Ojxu4ytRtxRS+BPDyhWxUJ96lzxqNDaiRaohgzuKxYfHufImnrxkUK1e25vEAIi8
2LN8i+wpEvajUzBRMB0GA1UdDgQWBBQDffh43016B9XMuusFbFxPw9/kmjAfBgNV
HSMEGDAWgBQDffh43016B9XMuusFbFxPw9/kmjAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0gAMEUCIQDSn10V3zLg2Iak409D6ejwF9W2zDnzTzWjScRnYA4J
oQIgRf/NdBuH6u91ZW1WP84Hhz2203TIaWTP+B+WYts+rs0=
-----END CERTIFICATE-----
"""
KEY = CERTIFICATE.replace("CERTIFICATE", "EC PRIVATE KEY")


@pytest.mark.parametrize("text", ["", CERTIFICATE, CERTIFICATE * 2, f"a comment\n{CERTIFICATE}another\n", CERTIFICATE.replace("\n", "\r\n")])
def test_nothing_is_wrong(text):
    assert FilterModule().filters()["bundle_trouble"](text) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n", "holds no certificate: name files in PEM format"),
        ("nothing", "holds no certificate: name files in PEM format"),
        (CERTIFICATE.replace("CERTIFICATE", "PKCS7"), "holds no certificate"),
        (KEY, "has a private key in it"),
        (CERTIFICATE + KEY, "has a private key in it"),
        (CERTIFICATE[:200], "holds a certificate that is cut off"),
        (CERTIFICATE + CERTIFICATE[:200], "holds a certificate that is cut off"),
        (CERTIFICATE.replace("MII", "XII"), "holds something that is no certificate (block 1 of 1)"),
        (CERTIFICATE + CERTIFICATE.replace("MII", "*II"), "holds something that is no certificate (block 2 of 2)"),
    ],
)
def test_what_is_wrong(text, sentence):
    assert FilterModule().filters()["bundle_trouble"](text).startswith(sentence)
