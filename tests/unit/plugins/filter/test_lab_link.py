"""A link is shown as it works, or not at all."""

from __future__ import annotations

import sys
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.lab_link import lab_link

URL, TOKEN = "http://127.0.0.1:28888/lab", "a-token+of&our#own"


@pytest.fixture
def mask(monkeypatch):
    """mask("word"): from here on Ansible masks that."""
    secrets = []

    def masked(text):
        for secret in secrets:
            text = text.replace(secret, "$REDACTED$")
        return text

    module = ModuleType("ansible.module_utils.secrets")
    module.mask_secrets = masked
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return secrets.append


def token_in(link):
    return parse_qs(urlsplit(link).query)["token"][0]


@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_masked(mask, monkeypatch, known):
    if not known:
        monkeypatch.setitem(sys.modules, "ansible.module_utils.secrets", None)
    assert lab_link(URL, "plain-token") == f"{URL}?token=plain-token"
    assert token_in(lab_link(URL, TOKEN)) == TOKEN
    assert lab_link(URL) == URL


@pytest.mark.parametrize("token", ["plain-token-of-ours", TOKEN, "with/slash/and%25"])
def test_a_masked_token_still_opens(mask, token):
    mask(token)
    link = lab_link(URL, token)
    assert token not in link
    assert token_in(link) == token


@pytest.mark.parametrize("secret", ["28888", "127", "lab"])
def test_a_masked_address_is_not_shown(mask, secret):
    mask(secret)
    assert lab_link(URL, TOKEN) == lab_link(URL) == ""
    assert token_in(lab_link("", TOKEN)) == TOKEN


def test_a_token_that_is_masked_however_it_is_written(mask):
    mask("%")
    mask("plain")
    assert lab_link(URL, "plain-token") == ""
