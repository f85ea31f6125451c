# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy of the engine's client, of a lab, and what may be told of it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _proxy

PROXY = "http://proxy.example.com:3128"
SECRET = "http://alice:very-secret@proxy.example.com:3128"


@pytest.fixture(name="client")
def fixture_client(tmp_path, monkeypatch):
    """Write the settings of the engine's client, and look at them as it would."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".docker").mkdir()

    def client(settings, wanted="auto", cli="docker", address="", **environ):
        (tmp_path / ".docker/config.json").write_text(settings if isinstance(settings, str) else json.dumps(settings))
        return _proxy.find_proxy(wanted, cli, address, environ)[0]

    return client


def entry(**keys):
    return {"proxies": {"default": keys}}


@pytest.mark.parametrize("settings", ["", "{", "[]", {}, {"proxies": None}, {"proxies": []}, {"proxies": {"default": "x"}}, {"proxies": {"default": {}}}])
def test_client_without_a_proxy(client, settings):
    assert client(settings) == {}


def test_proxy_of_the_client(client):
    settings = entry(httpProxy=PROXY, httpsProxy=PROXY, noProxy="example.com", allProxy="socks5://proxy:1080", ftpProxy="")
    assert client(settings) == {"http_proxy": PROXY, "https_proxy": PROXY, "no_proxy": "example.com", "all_proxy": "socks5://proxy:1080"}
    assert client(settings, wanted="none") == {}
    assert client(settings, wanted={"https_proxy": "http://other:1", "no_proxy": ["a", "b"], "http_proxy": None}) == {
        **{"https_proxy": "http://other:1", "no_proxy": "a,b"}
    }


def test_proxy_for_one_engine(client, tmp_path):
    settings = {"proxies": {"default": {"httpProxy": PROXY}, "unix:///run/second.sock": {"httpProxy": "http://second:1"}, "tcp://x:1": {}}}
    assert client(settings, address="unix:///run/second.sock") == {"http_proxy": "http://second:1"}
    assert client(settings, DOCKER_HOST="unix:///run/second.sock") == {"http_proxy": "http://second:1"}
    assert client(settings, address="tcp://x:1") == {}
    assert client(settings) == {"http_proxy": PROXY}
    (tmp_path / "config.json").write_text("{}")
    assert client(settings, DOCKER_CONFIG=str(tmp_path)) == {}


def test_podman_hands_its_environment_on(client):
    assert client(entry(httpProxy=PROXY), cli="/usr/bin/podman", HTTPS_PROXY=PROXY, no_proxy="x") == {"https_proxy": PROXY, "no_proxy": "x"}


@pytest.mark.parametrize(
    ("proxy", "sentence"),
    [
        ({}, ""),
        ({"http_proxy": PROXY, "https_proxy": "proxy:3128", "all_proxy": "socks5h://proxy.example.com", "no_proxy": ".example.com,10.0.0.0/8,*"}, ""),
        ({"https_proxy": SECRET}, ""),
        ({"http_proxy": "http://[2001:db8::1]:3128/"}, ""),
        ({"HTTP_PROXY": PROXY}, "has HTTP_PROXY, which is no variable for a proxy: use http_proxy"),
        ({"http_proxy": "ftp://proxy"}, "has ftp://proxy as http_proxy, which is no address of a proxy"),
        ({"http_proxy": "http://proxy:port"}, "no address of a proxy"),
        ({"http_proxy": "http://proxy\nX: y"}, "no address of a proxy"),
        ({"http_proxy": "http://alice:very-secret@pro xy"}, "has http://********@pro xy as http_proxy"),
        ({"no_proxy": "a, b"}, "no list of names with commas"),
    ],
)
def test_malformed(proxy, sentence):
    said = _proxy.what_is_wrong(proxy, "lab_proxy")
    assert (said == "") is (sentence == "") and sentence in said and "very-secret" not in said


def test_a_password_is_not_told(client):
    client(entry(httpProxy=PROXY, httpsProxy=SECRET))
    found = _proxy.look_at_proxy("auto", "docker", "")
    assert (found["env"], found["secret"]) == ({"http_proxy": PROXY}, ["https_proxy"])
    assert "very-secret" not in str(found)


@pytest.mark.parametrize("text", ["", "import os\n\nos.environ.update({'A': 'b'})\n"])
def test_a_password_is_in_a_file(client, text, monkeypatch):
    """In the server's configuration, which it hands on to kernels and terminals."""
    client(entry(httpProxy=PROXY, httpsProxy=SECRET))
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    told = {"environ": {}}
    exec(_proxy.secret_text(text, "auto", "docker").replace("import os\n", "").replace("os.environ", "environ"), told)
    assert told["environ"] == {**({"A": "b"} if text else {}), "https_proxy": SECRET, "HTTPS_PROXY": SECRET}
    assert _proxy.secret_text(text, "none", "docker") == text
    assert _proxy.secret_text(text, {"https_proxy": PROXY}, "docker") == text


def test_proxy_of_pip(client):
    client(entry(httpProxy=PROXY, httpsProxy=SECRET))
    assert [_proxy.proxy_of_pip(wanted, "docker") for wanted in ("auto", PROXY, None)] == [SECRET, PROXY, None]
    client({})
    assert _proxy.proxy_of_pip("auto", "docker") is None
