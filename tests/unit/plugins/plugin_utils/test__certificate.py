# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates do, and what is said of those that do not. All of them are real ones, made here."""

from __future__ import annotations

import datetime
import ipaddress
import os

import pytest

pytest.importorskip("cryptography", minversion="42", reason="the controller's own: ansible-test has none for old Pythons")

from ansible_collections.mlenv.jupyter.plugins.plugin_utils import _certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

NAMES = ["gpu1.example.com", "192.0.2.7", "::1"]


class Signed:
    """A certificate with its key, signed by another one, or by itself."""

    def __init__(self, subject, names=(), issuer=None, days=100, since=-1, key=None, ca=False, usage=None):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(
            issuer_name=(issuer or self).name,
            subject_name=self.name,
            public_key=self.key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now + datetime.timedelta(days=min(since, days - 1)),
            not_valid_after=now + datetime.timedelta(days=days, seconds=60),
        )
        if names:
            san = [x509.IPAddress(ipaddress.ip_address(name)) if _certificate.is_address(name) else x509.DNSName(name) for name in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        self.certificate = builder.sign((issuer or self).key, hashes.SHA256())

    @property
    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def key_pem(self, passphrase=""):
        encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


ROOT = Signed("root", ca=True)
BETWEEN = Signed("between", issuer=ROOT, ca=True)
LEAF = Signed("lab", NAMES, BETWEEN)
OWN = Signed("lab", NAMES)
# As they should not be.
OLD_BETWEEN = Signed("between", issuer=ROOT, ca=True, days=-2, key=BETWEEN.key)
OLD_ROOT = Signed("root", ca=True, days=-2, key=ROOT.key)
NOBODY, NEVER_SAID = Signed("between", issuer=ROOT, key=BETWEEN.key), Signed("between", issuer=ROOT, key=BETWEEN.key, ca=None)
WEAK = Signed("lab", NAMES, key=rsa.generate_private_key(65537, 1024))
CLIENT = Signed("lab", NAMES, usage=x509.ExtendedKeyUsageOID.CLIENT_AUTH)


@pytest.mark.parametrize(
    ("text", "names", "authority", "why"),
    [
        (OWN.pem, NAMES, "", ""),
        (OWN.pem, ["GPU1.example.com", "192.0.2.7", "0:0:0:0:0:0:0:1"], "", ""),
        (OWN.pem, [*NAMES, "gpu2.example.com"], "", "its names changed"),
        (OWN.pem, NAMES[:2], "", "its names changed"),
        (Signed("lab", NAMES, days=29).pem, NAMES, "", "it has 29 days left"),
        (Signed("lab", NAMES, days=-3).pem, NAMES, "", "it has -3 days left"),
        (LEAF.pem, NAMES, BETWEEN.pem, ""),
        (LEAF.pem, NAMES, ROOT.pem, "somebody else signed it"),
        (LEAF.pem, NAMES, "", "somebody else signed it"),
        (OWN.pem, NAMES, ROOT.pem, "somebody else signed it"),
        ("", NAMES, "", "there is none"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", NAMES, "", "there is none"),
    ],
)
def test_why_anew(text, names, authority, why):
    assert _certificate.why_anew(text, names, 30, authority) == why


@pytest.mark.parametrize(
    ("since", "days", "skew", "why"),
    [
        (-1, 100, -3600, ""),  # clocks that differ by an hour
        (-1, 100, 3600, ""),
        (1095, 1460, 0, "it is not valid before "),  # made while the controller was three years ahead
        (-1, 100, -2 * 86400, "it is not valid before "),  # for a host that is behind
        (-1, 100, 80 * 86400, "it has 20 days left"),
    ],
)
def test_validity_is_looked_at_from_both_ends(since, days, skew, why):
    said = _certificate.why_anew(Signed("lab", NAMES, since=since, days=days).pem, NAMES, 30, skew=skew)
    assert said.startswith(why) and bool(said) == bool(why)


@pytest.mark.parametrize(
    ("chain", "skew", "sentence"),
    [
        (LEAF.pem + BETWEEN.pem + ROOT.pem, -2 * 86400, "lab_tls_certificate is not valid before "),
        (LEAF.pem + BETWEEN.pem + ROOT.pem, 101 * 86400, "lab_tls_certificate expired on "),
        (LEAF.pem + Signed("between", issuer=ROOT, ca=True, since=3, key=BETWEEN.key).pem + ROOT.pem, 0, "and that is not valid before "),
        (LEAF.pem + BETWEEN.pem + Signed("root", ca=True, since=3, key=ROOT.key).pem, 0, "and that is not valid before "),
    ],
)
def test_files_by_both_clocks(chain, skew, sentence):
    said, *_more = _certificate.files_refusals(chain, LEAF.key_pem(), ["gpu1.example.com"], True, "", skew)
    assert sentence in said


@pytest.mark.parametrize(
    ("covered", "name", "yes"),
    [
        ({"*.example.com"}, "gpu1.example.com", True),
        ({"*.example.com"}, "example.com", False),
        ({"*.example.com"}, "a.b.example.com", False),
        ({"gpu1.example.com"}, "GPU1.Example.com", True),
        ({"192.0.2.7"}, "192.0.2.7", True),
        ({"*.0.2.7"}, "192.0.2.7", False),
        ({"2001:db8::1"}, "2001:DB8:0:0::1", True),
        (set(), "localhost", False),
    ],
)
def test_covers(covered, name, yes):
    assert _certificate.covers(covered, name) == yes


def files(chain, key, names=("gpu1.example.com",), given=True, trusted=""):
    return list(_certificate.files_refusals(chain, key, list(names), given, trusted))


@pytest.mark.parametrize(
    "asked",
    [
        {"chain": LEAF.pem + BETWEEN.pem + ROOT.pem},
        {"chain": LEAF.pem + ROOT.pem + BETWEEN.pem},
        {"chain": LEAF.pem + BETWEEN.pem, "trusted": ROOT.pem},
        {"chain": OWN.pem, "key": OWN.key_pem()},
        {"chain": OWN.pem, "key": OWN.key_pem(), "names": ["192.0.2.7", "another"], "given": False},
        {"chain": OWN.pem, "key": OWN.key_pem(), "names": []},
        {"chain": Signed("lab", NAMES, usage=x509.ExtendedKeyUsageOID.SERVER_AUTH, key=OWN.key).pem, "key": OWN.key_pem()},
        {"chain": Signed("lab", NAMES, usage=x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, key=OWN.key).pem, "key": OWN.key_pem()},
    ],
)
def test_files_that_do(asked):
    assert files(**{"key": LEAF.key_pem(), **asked}) == []


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"chain": ""}, "lab_tls_certificate has no certificate in it"),
        ({"chain": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "lab_tls_certificate holds a broken certificate"),
        ({"key": ""}, "lab_tls_key has no private key in it"),
        ({"key": LEAF.key_pem("secret")}, "lab_tls_key is encrypted"),
        ({"key": OWN.key_pem()}, "lab_tls_key does not belong to the first certificate"),
        ({"chain": BETWEEN.pem + LEAF.pem + ROOT.pem}, "put the lab's own certificate first"),
        ({"chain": Signed("lab", NAMES, days=-2, key=LEAF.key).pem}, "lab_tls_certificate expired on "),
        ({"chain": Signed("lab", NAMES, since=3, key=LEAF.key).pem}, "lab_tls_certificate is not valid before "),
        ({"names": ["gpu1.example.com", "other.example.com"]}, "and people will come to other.example.com:"),
        ({"names": ["other.example.com"], "given": False}, "and people will come to other.example.com:"),
        ({"chain": LEAF.pem}, "ends with a certificate of CN=between, whom the controller does not know"),
        ({"chain": LEAF.pem + BETWEEN.pem}, "ends with a certificate of CN=root, whom the controller does not know"),
        ({"chain": LEAF.pem + BETWEEN.pem, "trusted": Signed("root").pem}, "whom the controller does not know"),
        ({"chain": LEAF.pem + BETWEEN.pem, "trusted": OLD_ROOT.pem}, "whom the controller does not know, or not any more"),
        ({"chain": LEAF.pem + BETWEEN.pem + OLD_ROOT.pem}, "has a certificate of CN=root behind the lab's own, and that expired on "),
        ({"chain": LEAF.pem + OLD_BETWEEN.pem + ROOT.pem}, "has a certificate of CN=between behind the lab's own, and that expired on "),
        ({"chain": LEAF.pem + NOBODY.pem + ROOT.pem}, "and that may sign no others (CA:FALSE)"),
        ({"chain": LEAF.pem + NEVER_SAID.pem + ROOT.pem}, "and that may sign no others (CA:FALSE)"),
        ({"chain": CLIENT.pem, "key": CLIENT.key_pem()}, "lab_tls_certificate is not for servers"),
        ({"chain": WEAK.pem, "key": WEAK.key_pem()}, "are refused by OpenSSL (ee key too small)"),
    ],
)
def test_files_that_do_not(asked, sentence):
    said, *_more = files(**{"chain": LEAF.pem + BETWEEN.pem + ROOT.pem, "key": LEAF.key_pem(), **asked})
    assert sentence in said
    assert said.endswith(".")


@pytest.mark.parametrize(
    ("key", "certificate", "passphrase", "sentence"),
    [
        (None, None, "", None),
        (ROOT.key_pem(), ROOT.pem, "", None),
        (ROOT.key_pem("secret"), ROOT.pem, "secret", None),
        (ROOT.key_pem("secret"), None, "secret", None),
        (ROOT.key_pem(), ROOT.pem, "secret", "ca.key is not encrypted, though a passphrase is given: encrypt it, or leave lab_tls_ca_passphrase out."),
        (None, ROOT.pem, "", "the key of the CA in lab_tls_dir, is missing on the controller"),
        (ROOT.key_pem("secret"), ROOT.pem, "", "ca.key is encrypted, and no passphrase is given: set lab_tls_ca_passphrase."),
        (ROOT.key_pem("secret"), None, "wrong", "ca.key cannot be opened with the passphrase that is given: set lab_tls_ca_passphrase."),
        ("rubbish", ROOT.pem, "", "ca.key has no private key in it."),
        (ROOT.key_pem(), "rubbish", "", "ca.crt has no certificate in it"),
        (BETWEEN.key_pem(), ROOT.pem, "", "are no pair"),
        (ROOT.key_pem(), Signed("root", days=-1, key=ROOT.key).pem, "", "ca.crt expired on "),
        (ROOT.key_pem(), Signed("root", since=2, key=ROOT.key).pem, "", "ca.crt is not valid before "),
    ],
)
def test_authority(tmp_path, key, certificate, passphrase, sentence):
    for name, text in (("ca.key", key), ("ca.crt", certificate)):
        if text is not None:
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o600)
    said = list(_certificate.authority_refusals(str(tmp_path), passphrase))
    assert (len(said), sentence is None or sentence in said[0]) == (0 if sentence is None else 1, True)


@pytest.mark.parametrize(("passphrase", "refused"), [("", False), ("ab", True), ("1234567", True), ("12345678", False)])
def test_passphrase_of_an_authority_that_is_to_be_made(tmp_path, passphrase, refused):
    assert ["lab_tls_ca_passphrase is too short" in said for said in _certificate.authority_refusals(str(tmp_path), passphrase)] == [True] * refused


def test_key_of_the_authority_that_others_may_read(tmp_path):
    for name, text in (("ca.key", ROOT.key_pem()), ("ca.crt", ROOT.pem)):
        (tmp_path / name).write_text(text)
    (tmp_path / "ca.key").chmod(0o640)
    (said,) = _certificate.authority_refusals(str(tmp_path), "")
    assert "ca.key is open to others than its owner" in said


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
@pytest.mark.parametrize("name", ["", "tls", "tls/ca.key", "tls/ca.crt"])
def test_authority_that_somebody_else_could_have_put_there(tmp_path, name, monkeypatch):
    monkeypatch.delenv("SUDO_UID", raising=False)
    (tmp_path / "tls").mkdir()
    for file, text in (("ca.key", ROOT.key_pem()), ("ca.crt", ROOT.pem)):
        (tmp_path / "tls" / file).write_text(text)
        (tmp_path / "tls" / file).chmod(0o600)
    os.chown(tmp_path / name, 4242, 4242)
    (said,) = _certificate.authority_refusals(str(tmp_path / "tls"), "")
    assert f"{tmp_path / name} belongs to uid 4242" in said and said.endswith("or name another directory as lab_tls_dir.")
    # With sudo, a home may still be that of who called it.
    monkeypatch.setenv("SUDO_UID", "4242")
    assert list(_certificate.authority_refusals(str(tmp_path / "tls"), "")) == []


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(_certificate.Unusable, match="cannot be read on the controller"):
        _certificate.read_file(str(tmp_path))
