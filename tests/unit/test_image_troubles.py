"""What role image says of what engines, apt and pip complain of: the first that matches has the variable that helps."""

from __future__ import annotations

import re

import pytest
import yaml
from checkout import ROOT

VARS = yaml.safe_load((ROOT / "roles/image/vars/main.yml").read_text(encoding="utf-8"))
REGISTRY = {
    "dial tcp: lookup registry.invalid on 127.0.0.53:53: no such host": "__image_other_registry }}; {{ __image_proxy }}",
    "dial tcp 192.0.2.7:443: i/o timeout": "cannot be reached",
    "net/http: TLS handshake timeout": "cannot be reached",
    "proxyconnect tcp: dial tcp 192.0.2.7:3128: connect: connection refused": "{{ __image_proxy }}",
    "x509: certificate signed by unknown authority": "{{ __image_registry_trust }}",
    "tls: failed to verify certificate": "{{ __image_registry_trust }}",
    "http: server gave HTTP response to HTTPS client": "{{ __image_insecure }}",
    "toomanyrequests: You have reached your pull rate limit": "image_registry_username and image_registry_password",
    "unauthorized: access to the requested resource is not authorized": "image_registry_username, image_registry_password",
}
BUILD = {
    "E: Failed getting release file http://127.0.0.1:9/debian/dists/bookworm/Release": "image_build_suite, image_build_mirror, image_ca_certificates",
    "E: Release signed by unknown key (key id 6ED0E7B82643E131)": "image_build_mirror and image_build_security_mirror",
    "SSLError(SSLCertVerificationError(1, 'certificate verify failed: self-signed certificate": "image_ca_certificates",
    "E: Failed to fetch http://mirror.invalid/pool/x.deb  Could not resolve 'mirror.invalid'": "image_build_security_mirror and image_build_index_url",
    "Cannot connect to proxy. 407 Proxy Authentication Required": "config.json",
    "ERROR: No matching distribution found for jupyterlab": "image_build_index_url",
    "pull access denied for company/base, repository does not exist": "image_build_base",
    "debootstrap cannot be installed: no package source of this host that can be read has debootstrap": "image_build_base",
    "debootstrap, debian-archive-keyring cannot be installed without root": "image_build_base",
}


@pytest.mark.parametrize(
    ("troubles", "words", "variable"),
    [(name, *case) for name, cases in (("__image_troubles", REGISTRY), ("__image_troubles_build", BUILD)) for case in cases.items()],
)
def test_variable_that_helps(troubles, words, variable):
    means = next(trouble["means"] for trouble in VARS[troubles] if re.search(trouble["pattern"], words, re.IGNORECASE))
    assert variable in " ".join(means.split())
