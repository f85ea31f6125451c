# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that would not serve a lab, asked before there is one. The indexes here are real servers."""

from __future__ import annotations

import http.server
import json
import os
import ssl
import subprocess
import threading
import types

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_index, _passing
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import INFORM

NOTHING = {"protected": "", "indexes": []}


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        allowed = not self.path.startswith("/private") or self.headers.get("Authorization") == "Basic bWU6c2VjcmV0"
        code = 404 if self.path.startswith("/empty") else 200 if allowed else 401
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture(name="serve")
def fixture_serve(tmp_path):
    servers = []

    def serve(tls=False):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
        server.asked = []
        if tls:
            new = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out index.pem"
            subprocess.run(new.split(), cwd=tmp_path, check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tmp_path / "index.pem", tmp_path / "key.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def fixture_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def ask(*lines, certificates=""):
    return _inside_index.ask({"index_lines": list(lines), "name": "numpy", "certificates": certificates})


def test_an_index_that_answers_is_good(serve):
    server = serve()
    port = server.server_port
    assert ask(f"--index-url http://127.0.0.1:{port}/simple/", f"--extra-index-url http://me:secret@127.0.0.1:{port}/private") == []
    assert server.asked == ["/simple/numpy/", "/private/numpy/"]
    assert ask(f"-i http://127.0.0.1:{port}/empty") == []  # it may have the next package


def test_a_login_that_is_wanted(serve, tmp_path):
    port = serve().server_port
    assert ask(f"--index-url=http://me:wrong@127.0.0.1:{port}/private") == [[f"127.0.0.1:{port}", "login", "401 Unauthorized"]]
    (tmp_path / ".netrc").write_text("")  # where pip finds what we do not read
    assert ask(f"--index-url http://127.0.0.1:{port}/private") == []


def test_a_certificate_that_nobody_trusts(serve, tmp_path):
    port = serve(tls=True).server_port
    url = f"--index-url https://127.0.0.1:{port}/simple"
    [[index, what, why]] = ask(url)
    assert (index, what, "self" in why) == (f"127.0.0.1:{port}", "certificate", True)
    certificate = (tmp_path / "index.pem").read_text()
    assert ask(url, certificates="broken -----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n" + certificate) == []
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, str(tmp_path / "index.pem"))
            assert ask(url) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_TRUSTED_HOST", f"127.0.0.1:{port}")
        assert ask(url) == []


def test_where_nobody_answers():
    assert [found[:2] for found in ask("--index-url http://127.0.0.1:9/simple")] == [["127.0.0.1:9", "unreachable"]]
    assert [found[1] for found in ask("--index-url http://nowhere.invalid/simple")] == ["unreachable"]


def test_settings_and_lines_of_pip(monkeypatch):
    assert _inside_index.indexes_of(["--no-index", "-i https://example.com"]) == []
    assert _inside_index.indexes_of(["--pre", "--index-url https://example.com/a --extra-index-url=https://example.com/b"])[0] == "https://example.com/a"
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.com/set")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://example.com/more /srv/files")
    assert _inside_index.indexes_of([]) == ["https://example.com/set", "https://example.com/more"]
    monkeypatch.setenv("WHERE", "https://example.com/line")
    assert _inside_index.indexes_of(["-i ${WHERE}"]) == ["https://example.com/line", "https://example.com/more"]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert _inside_index.indexes_of([]) == []
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name)
    assert len(_inside_index.indexes_of([])) == 1  # pip's own


@pytest.mark.parametrize(
    ("missing", "lines", "volume", "expected"),
    [
        (["numpy==1"], [], False, [["a", "unreachable", "x"], ["b", "login", "401"]]),
        (["x @ file:///x.whl", "./y.zip", "numpy>2 (needed by x)"], [], False, [["a", "unreachable", "x"], ["b", "login", "401"]]),
        (["numpy"], ["--find-links /wheels"], False, [["b", "login", "401"]]),
        (["numpy"], [], True, [["b", "login", "401"]]),
        ([], [], False, []),
    ],
)
def test_when_indexes_are_asked(monkeypatch, missing, lines, volume, expected):
    def run(_engine, _params, _facts, *_argv, stdin, network):
        assert '"name": "numpy"' in stdin
        assert network == "lan"
        answer = {"protected": "no", "indexes": [["a", "unreachable", "x"], ["b", "login", "401"]]}
        return types.SimpleNamespace(out="noise\n" + json.dumps(answer) + "\n")

    monkeypatch.setattr(_passing, "run", run)
    params = {
        **{"packages": [], "packages_state": "present", "requirements": "", "constraints": "", "kernels": [], "protect_image": True},
        **{"index_lines": lines, "ca_certificates": "", "secret_config": "", "env": {}, "networks": ["host", "lan"]},
    }
    facts = {"packages": {"missing": missing}, "ca_bundle": {"path": ""}, "networks": {"lan": "bridge"}, "volume": {"exists": volume}}
    found = _passing.foresee(None, params, facts)
    assert found == ({"protected": "no", "indexes": expected} if missing else NOTHING)
    monkeypatch.setattr(_passing, "run", lambda *_argv, **_options: types.SimpleNamespace(out=""))
    assert _passing.foresee(None, params, facts) == NOTHING
    assert _passing.foresee(None, params, {**facts, "packages": {"missing": missing, "malformed": [1]}}) == NOTHING


def test_what_the_image_forbids_is_foreseen(lab):
    asked = {"index_lines": ["--no-index"], "name": "traitlets", "certificates": "", "environment": {"SERVER_NEEDS": "4"}}
    request = {**lab.request("traitlets==${SERVER_NEEDS}"), **asked}
    found = lab.run_inside([*INFORM, _inside_index], "foresee", request)
    assert found["protected"].startswith("traitlets==${SERVER_NEEDS} conflicts with the image's own traitlets 5.14.3, which its server needs")
    assert lab.run_inside([*INFORM, _inside_index], "foresee", {**request, "protect_image": False}) == NOTHING
