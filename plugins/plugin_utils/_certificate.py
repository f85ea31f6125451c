# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab's certificate says: whether it is to be made anew, and why one that was given cannot be used.

Private to the collection. Runs on the controller alone, where ansible-core brings ``cryptography`` along. Nothing is
made here: that is for the modules of community.crypto.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import ssl
import stat
import warnings

from ansible_collections.mlenv.jupyter.plugins.module_utils._trust import trusted_users, user_name, why_not_trusted
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._clock import in_words
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._refusals import is_address

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError:  # who only reads our documentation needs none
    x509 = None

DAY = datetime.timedelta(days=1)
# What we make is valid from so many days before, so that clocks need not agree to the second. roles/lab writes it, too.
DAYS_BEFORE = 1
# Below it anybody who has the file guesses it, and ansible-core 2.22 masks it in every word that has it in it.
SHORTEST_PASSPHRASE = 8
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# What the controller itself trusts, by distribution.
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


class Unusable(Exception):
    """Says in a clause what is wrong with a file, and what to do: '... is no PEM file: ...'."""


def read_file(path: str) -> str:
    """A text file of the controller. Raises Unusable."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as trouble:
        why = getattr(trouble, "strerror", None) or "it is no text"
        raise Unusable(f"cannot be read on the controller ({why.lower()}): name a PEM file that the user of Ansible may read") from None


def certificates_in(text: str) -> list[x509.Certificate]:
    """The certificates of a PEM text, in their order. Raises Unusable."""
    try:
        found = [x509.load_pem_x509_certificate(block.encode()) for block in PEM.findall(text)]
    except ValueError:
        raise Unusable("holds a broken certificate: write it anew from its source") from None
    if not found:
        raise Unusable("has no certificate in it: name a PEM file, which has BEGIN CERTIFICATE in it")
    return found


def read_key(text: str, passphrase: str = ""):
    """The private key of a PEM text. Raises Unusable."""
    try:
        return load_pem_private_key(text.encode(), passphrase.encode() or None)
    except TypeError:
        raise Unusable("is not encrypted, though a passphrase is given" if passphrase else "is encrypted, and no passphrase is given") from None
    except ValueError:
        raise Unusable("cannot be opened with the passphrase that is given" if "ENCRYPTED" in text else "has no private key in it") from None


def same_key(certificate: x509.Certificate, key) -> bool:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)


def names_of(certificate: x509.Certificate) -> set[str]:
    """The host names and addresses that it is for (its SAN; browsers ignore the common name)."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {name.lower() for name in san.get_values_for_type(x509.DNSName)} | {str(address) for address in san.get_values_for_type(x509.IPAddress)}


def covers(names: set[str], name: str) -> bool:
    """Whether a visitor of that host name or address is content; a star stands for one label (RFC 6125)."""
    parent = "*." + name.partition(".")[2]
    return spelled(name) in names or (not is_address(name) and parent.lower() in names)


def spelled(name: str) -> str:
    return str(ipaddress.ip_address(name)) if is_address(name) else name.lower()


def days_left(certificate: x509.Certificate, skew: float = 0) -> float:
    """Return for how many days it is still valid, by the clock that is ahead: the controller's, or the host's.

    skew: seconds by which the host's clock is ahead of the controller's, negative if it is behind.
    """
    return (certificate.not_valid_after_utc - now(max(skew, 0))) / DAY


def days_to_come(certificate: x509.Certificate, skew: float = 0) -> float:
    """Return in how many days it becomes valid, by the clock that is behind. Zero or less if it is valid already."""
    return (certificate.not_valid_before_utc - now(min(skew, 0))) / DAY


def now(skew: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=skew)


def issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others: browsers and OpenSSL believe no other issuer."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def is_for_servers(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return x509.ExtendedKeyUsageOID.SERVER_AUTH in usages or x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def why_not_loaded(pair: str) -> str:
    """What OpenSSL, as the server uses it, says against a key and its chain; "" if nothing. The key is on no disk meanwhile."""
    if not hasattr(os, "memfd_create"):
        return ""  # a controller other than Linux
    with os.fdopen(os.memfd_create("pair"), "wb", buffering=0) as file:
        file.write(pair.encode())
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        except ssl.SSLError as trouble:
            return (trouble.reason or str(trouble)).lower().replace("_", " ")
    return ""


def subject(name: x509.Name) -> str:
    return name.rfc4514_string() or "nobody"


# -- What was made by us ------------------------------------------------------------------------------------------


def why_anew(text: str, names: list[str], renew_days: int, authority: str = "", skew: float = 0) -> str:
    """Why a lab needs another certificate than the one in ``text``, in a clause; "" if that one does.

    authority: PEM text of the CA that must have signed it; without one, it must have signed itself.
    skew: seconds by which the host's clock is ahead of the controller's.
    """
    try:
        leaf = certificates_in(text)[0]
        issuers = certificates_in(authority) if authority else [leaf]
    except Unusable:
        return "there is none"
    if names_of(leaf) != {spelled(name) for name in names}:
        return "its names changed"
    if days_left(leaf, skew) < renew_days:
        return f"it has {days_left(leaf, skew):.0f} days left"
    if days_to_come(leaf, skew) > 0:
        return f"it is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}"
    return "" if issued(issuers[0], leaf) else "somebody else signed it"


def clock_refusals(days: int, renew_days: int, skew: float):
    """Why no certificate that the controller makes now could be valid by the host's clock as well."""
    apart = skew / DAY.total_seconds()
    if apart < -DAYS_BEFORE or apart > days - renew_days:
        yield (
            f"lab_tls makes certificates by the controller's clock, and that of this host is {in_words(skew)}, so none would be valid on both: "
            "set the clock that is wrong (timedatectl set-ntp true)."
        )


def authority_refusals(folder: str, passphrase: str, skew: float = 0):
    """Why the CA in that directory of the controller cannot sign. None there is no reason: then it will be made."""
    key_path, certificate_path = os.path.join(folder, "ca.key"), os.path.join(folder, "ca.crt")
    caller, sudo = os.geteuid(), os.environ.get("SUDO_UID", "")
    # With sudo, a home may be that of who called it.
    users = trusted_users(caller, *([int(sudo)] if sudo.isdigit() else []))
    place = os.path.abspath(os.path.expanduser(folder))
    untrusted = why_not_trusted(place, ["ca.key", "ca.crt"], users, f"{place}, the directory of the CA", "lab_tls_dir", user_name(caller))
    if untrusted:
        yield untrusted
        return
    there = [os.path.exists(os.path.expanduser(path)) for path in (key_path, certificate_path)]
    if not any(there):
        # Not of a CA that is there: it must go on.
        if 0 < len(passphrase) < SHORTEST_PASSPHRASE:
            yield f"lab_tls_ca_passphrase is too short to protect the key of a CA: use at least {SHORTEST_PASSPHRASE} characters, or leave it out."
        return
    if not there[0]:
        yield f"{key_path}, the key of the CA in lab_tls_dir, is missing on the controller: put it back, or move ca.crt away and a new CA is made."
        return
    path = key_path
    try:
        key = read_key(read_file(key_path), passphrase)
        if not there[1]:
            return
        path = certificate_path
        certificate = certificates_in(read_file(certificate_path))[0]
    except Unusable as trouble:
        advice = ": encrypt it, or leave lab_tls_ca_passphrase out" if "not encrypted" in str(trouble) else ": set lab_tls_ca_passphrase"
        yield f"{path} {trouble}{advice if 'passphrase' in str(trouble) else ''}."
        return
    if stat.S_IMODE(os.stat(os.path.expanduser(key_path)).st_mode) & 0o077:
        yield f"{key_path} is open to others than its owner, and all labs are trusted by it: chmod 600 it, and make a new CA if somebody may have read it."
    if not same_key(certificate, key):
        yield f"{certificate_path} and {key_path} are no pair: put back the key that belongs to it, or move both away and a new CA is made."
        return
    remedy = "move it away, and the CA gets a new one for the same key"
    if days_left(certificate, skew) < 0:
        yield f"{certificate_path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: {remedy}."
    elif days_to_come(certificate, skew) > 0:
        yield f"{certificate_path} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}: {remedy}, or set the clock that is wrong."


# -- What was given -----------------------------------------------------------------------------------------------


def files_refusals(certificate_text: str, key_text: str, names: list[str], given_names: bool, trusted: str, skew: float = 0):
    """Why the pair in lab_tls_certificate and lab_tls_key cannot be used.

    names: those by which people will come. given_names: whether they were given, and all must be covered, or guessed,
    and one will do. trusted: PEM text of further authorities.
    """
    where = "lab_tls_certificate"
    try:
        chain = certificates_in(certificate_text)
        where = "lab_tls_key"
        key = read_key(key_text)
    except Unusable as trouble:
        what = "is encrypted, and the server could not start by itself: write it without a passphrase" if "encrypted" in str(trouble) else str(trouble)
        yield f"{where} {what}."
        return
    leaf = chain[0]
    if not same_key(leaf, key):
        yield (
            "lab_tls_key does not belong to the first certificate in lab_tls_certificate: "
            "name the key that it was made with, and put the lab's own certificate first."
        )
    if days_left(leaf, skew) < 0:
        yield f"lab_tls_certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}: name one that is valid."
    elif days_to_come(leaf, skew) > 0:
        yield f"lab_tls_certificate is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}: name one that is, or set the clock of the controller or the host."
    if not is_for_servers(leaf):
        yield "lab_tls_certificate is not for servers (its extended key usage lacks serverAuth): name one that is."
    why = why_not_loaded(key_text + "\n" + certificate_text) if same_key(leaf, key) else ""
    if why:
        yield f"lab_tls_certificate and lab_tls_key are refused by OpenSSL ({why}): have them made anew, with a key of 2048 bits of RSA or 256 of ECC."
    covered = names_of(leaf)
    missing = [name for name in names if not covers(covered, name)]
    if missing and (given_names or missing == names):
        yield (
            f"lab_tls_certificate is for {', '.join(sorted(covered)) or 'no name at all'}, and people will come to {', '.join(missing)}: "
            "name a certificate with that as a subject alternative name, or set lab_tls_names to what people type."
        )
    yield from chain_refusals(chain, trusted, skew)


def chain_refusals(chain: list[x509.Certificate], trusted: str, skew: float = 0):
    """A chain must lead to one that signed itself, or to an authority that the controller or the caller trusts."""
    last, rest = chain[0], chain[1:]
    while not issued(last, last):
        above = next((one for one in rest if issued(one, last)), None)
        if above is None:
            break
        who = f"lab_tls_certificate has a certificate of {subject(above.subject)} behind the lab's own"
        if not is_authority(above):
            yield f"{who}, and that may sign no others (CA:FALSE): append those of the authority that did."
            return
        if days_left(above, skew) < 0:
            yield f"{who}, and that expired on {above.not_valid_after_utc:%Y-%m-%d}: append one that is valid."
            return
        if days_to_come(above, skew) > 0:
            yield f"{who}, and that is not valid before {above.not_valid_before_utc:%Y-%m-%d}: append one that is valid."
            return
        last, rest = above, [one for one in rest if one is not above]
    else:
        return
    if not any(issued(authority, last) and days_left(authority, skew) >= 0 and days_to_come(authority, skew) <= 0 for authority in authorities(trusted)):
        yield (
            f"lab_tls_certificate ends with a certificate of {subject(last.issuer)}, whom the controller does not know, or not any more: "
            "append the certificates between it and its root, or name the root in lab_ca_certificates."
        )


def authorities(trusted: str):
    for text in [trusted, *(read_file(path) for path in BUNDLES if os.path.exists(path))]:
        for block in PEM.findall(text):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of old ones, about which a user can do nothing
                try:
                    yield x509.load_pem_x509_certificate(block.encode())
                except ValueError:
                    continue
