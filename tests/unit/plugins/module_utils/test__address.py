# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client and modules are told of one engine. That they then use it is tested on real engines, in molecule/."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _address
from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import Engine

SECOND = "unix:///run/second/docker.sock"


class Client:
    """An engine's client that knows one context, and counts how often it is asked."""

    def __init__(self, host="", name="default", skip=False, material=None, path="", out=None):
        context = {
            "Name": name,
            "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip}},
            "TLSMaterial": {"docker": material} if material else {},
            "Storage": {"TLSPath": path},
        }
        self.out, self.asked = json.dumps([context]) if out is None else out, 0

    def __call__(self, argv, **_options):
        self.asked += 1
        assert argv[-2:] == ["context", "inspect"]
        return 0, self.out, ""


@pytest.fixture(name="find")
def fixture_find(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    def find(client, environ=(), docker_host="", cli="docker", settings=None):
        if settings is not None:
            (tmp_path / ".docker").mkdir()
            (tmp_path / ".docker/config.json").write_text(settings)
        return _address.find_address(Engine(client, cli), docker_host, dict(environ))

    return find


@pytest.mark.parametrize("settings", [None, "{}", '{"currentContext": "default"}', '{"auths": {}', "[]"])
def test_plain_host_is_not_asked(find, settings):
    """Each question costs a process: a host on which nothing names an engine has none to answer."""
    client = Client()
    assert find(client, settings=settings) == {**_address.NOWHERE, "address": _address.DEFAULT}
    assert client.asked == 0


@pytest.mark.parametrize(
    ("environ", "docker_host", "settings", "named_by"),
    [
        ({}, "", '{"currentContext": "second"}', "context second of "),
        ({"DOCKER_CONTEXT": "second"}, "", None, "DOCKER_CONTEXT=second"),
        ({"DOCKER_HOST": SECOND, "DOCKER_CONTEXT": "third"}, "", None, f"DOCKER_HOST={SECOND}"),
        ({}, SECOND, None, "docker_host"),
    ],
)
def test_modules_are_told_what_the_client_uses(find, environ, docker_host, settings, named_by):
    found = find(Client(SECOND, "second"), environ, docker_host, settings=settings)
    assert found["environment"] == {"DOCKER_HOST": SECOND}
    assert found["named_by"].startswith(named_by)
    assert (found["conflict"], found["default"], found["here"]) == ("", False, True)


def test_settings_of_another_folder(find, tmp_path):
    (tmp_path / "config.json").write_text('{"currentContext": "second"}')
    assert find(Client(SECOND, "second"), {"DOCKER_CONFIG": str(tmp_path)})["environment"] == {"DOCKER_HOST": SECOND}


def test_script_in_place_of_the_client_may_name_any(find, tmp_path):
    script = tmp_path / "docker"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert find(Client(SECOND), cli=str(script))["environment"] == {"DOCKER_HOST": SECOND}


def test_variable_that_is_set_and_empty(find):
    """For the client nothing, for other modules an address."""
    found = find(Client(_address.DEFAULT), {"DOCKER_HOST": ""})
    assert (found["environment"], found["default"]) == ({"DOCKER_HOST": _address.DEFAULT}, True)


@pytest.mark.parametrize(
    ("client", "environ", "expected"),
    [
        (Client("tcp://127.0.0.1:2376", "second", path="/c/tls", material=["ca.pem", "cert.pem", "key.pem"]), {}, ("/c/tls/docker", "DOCKER_TLS_VERIFY")),
        (Client("tcp://127.0.0.1:2376", "second", True, ["cert.pem", "key.pem"], "/c/tls"), {}, ("/c/tls/docker", "DOCKER_TLS")),
        (Client("tcp://127.0.0.1:2376"), {"DOCKER_TLS_VERIFY": "false", "DOCKER_CERT_PATH": "/certs"}, ("/certs", "DOCKER_TLS_VERIFY")),
        (Client("tcp://127.0.0.1:2376"), {"DOCKER_TLS": "1", "DOCKER_CONFIG": "/config"}, ("/config", "DOCKER_TLS")),
    ],
)
def test_encrypted(find, client, environ, expected):
    """As the client reads it: whatever is not empty switches it on, and without a path the certificates are beside its settings."""
    path, switch = expected
    found = find(client, {"DOCKER_CONTEXT": "second", **environ})
    assert found["environment"] == {"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_CERT_PATH": path, switch: "1"}
    assert found["conflict"] == ""


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        (Client("ssh://admin@gpu1.example.com", "second"), "talks to ssh://admin@gpu1.example.com (DOCKER_CONTEXT=second), and"),
        (Client("tcp://127.0.0.1:2376", "second", material=["ca.pem"]), "without a client certificate"),
    ],
)
def test_what_modules_cannot_be_told(find, client, sentence):
    assert sentence in find(client, {"DOCKER_CONTEXT": "second"})["conflict"]


@pytest.mark.parametrize("out", ["", "[]", "[{}]", "[null]"])
def test_context_that_there_is_not(find, out):
    """The client itself says so as soon as it is asked for anything else."""
    found = find(Client(out=out), {"DOCKER_CONTEXT": "nope"})
    assert (found["address"], found["named_by"], found["default"]) == ("", "DOCKER_CONTEXT=nope", False)


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("unix:///run/user/1000/docker.sock", True),
        ("tcp://127.0.0.1:2375", True),
        ("tcp://localhost:2375", True),
        ("tcp://192.0.2.7:2375", False),
        ("tcp://[2001:db8::7]:2375", False),
        ("ssh://localhost", False),
    ],
)
def test_engine_of_this_host(address, here):
    assert _address.is_here(address) is here


@pytest.mark.parametrize(
    ("environ", "environment", "conflict"),
    [
        ({"DOCKER_HOST": SECOND, "DOCKER_CONTEXT": "second"}, {}, False),
        ({"CONTAINER_HOST": SECOND}, {"DOCKER_HOST": SECOND}, False),
        ({"CONTAINER_HOST": "ssh://gpu1.example.com"}, {}, True),
        ({"CONTAINER_CONNECTION": "gpu1"}, {}, True),
    ],
)
def test_podman(find, environ, environment, conflict):
    found = find(Client(), environ, cli="/usr/bin/podman")
    assert (found["environment"], bool(found["conflict"])) == (environment, conflict)
