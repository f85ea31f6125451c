# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints as GnuPG tells them, and none where anything is in doubt. The keys below were made for this test."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.openpgp_fingerprints import FilterModule, packets

fingerprints = FilterModule().filters()["openpgp_fingerprints"]

FINGERPRINT = "0EAD04A48F17C63BEFE69325445D6ED823515BCD"
KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawTbLBYJKwYBBAHaRw8BAQdAwdphaJxgy6EscYZAunquGWOCp8/6T+QibYL2
J/ma5qW0GXggZWQyNTUxOSA8eEBleGFtcGxlLmNvbT6IlgQTFggAPhYhBA6tBKSP
F8Y77+aTJURdbtgjUVvNBQJrBNssAhsDBQkDwmcABQsJCAcCBhUKCQgLAgQWAgMB
Ah4BAheAAAoJEERdbtgjUVvNJ60A/0ahdAALES9Irb3mqUYfKyXuBzZD2iUcQ6Qz
HcczfSjWAPwKjGjUkMw+9HZxuV4RDxLcWIDAobx4EpBewecPc33cBA==
=3+K3
-----END PGP PUBLIC KEY BLOCK-----
"""


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY.rstrip(),
        KEY.replace("\n", "\r\n"),
        KEY.replace("\n\n", "\nVersion: GnuPG v1\n\n"),
        KEY.replace("=3+K3\n", ""),
        "A key.\n" + KEY,
    ],
)
def test_one_key(text):
    assert fingerprints(text) == [FINGERPRINT]


def test_every_key_is_told():
    assert fingerprints(KEY + KEY) == [FINGERPRINT] * 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>404</html>",
        KEY[:200],
        KEY.replace("mDME", "mDMF"),  # a key of another version
        KEY.replace("mDME", "zDME"),  # a packet that runs out of the text
        KEY + "-----BEGIN PGP PUBLIC KEY BLOCK-----\nmDME",
        KEY.replace("=3+K3", "!!!!"),
    ],
)
def test_none_where_anything_is_in_doubt(text):
    assert fingerprints(text) != [FINGERPRINT]


@pytest.mark.parametrize("head", [b"\xc6\x03", b"\xc6\xff\x00\x00\x00\x03", b"\x98\x03", b"\x99\x00\x03", b"\x9a\x00\x00\x00\x03"])
def test_lengths_of_packets(head):
    assert list(packets(head + b"\x04ab" + head + b"\x03cd")) == [(6, b"\x04ab"), (6, b"\x03cd")]
    assert list(packets(b"\xcd\xc0\x08" + b"x" * 200)) == [(13, b"x" * 200)]


@pytest.mark.parametrize("head", [b"\xc6\xe1", b"\x9b\x00", b"\x06\x03"])
def test_lengths_that_no_key_has(head):
    with pytest.raises(ValueError):
        list(packets(head + b"\x04" * 20))
