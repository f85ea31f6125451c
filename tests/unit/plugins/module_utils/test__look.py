# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the look makes of an engine's and a host's words. The look itself is tested on real labs, in molecule/."""

from __future__ import annotations

import http.server
import os
import pathlib
import pwd
import shutil
import socket
import threading

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _look
from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import Container


def container(env=(), labels=(), bindings=None, **raw):
    return Container(
        {
            "Id": "0f",
            "Name": "/lab",
            "State": {"Status": "running"},
            "Config": {"User": "root", "Env": ["NB_USER=jovyan", *env], "Labels": dict(labels), "Image": "example.com/lab:1"},
            "HostConfig": {"PortBindings": bindings},
            **raw,
        }
    )


def binding(port="28888", address="127.0.0.1", inside="8888"):
    return {inside + "/tcp": [{"HostIp": address, "HostPort": port}]}


# -- The engine's words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "jupyter", "path"),
    [
        (["PATH=/opt/conda/bin:/bin", "NB_USER=jovyan"], True, "/opt/conda/bin:/bin"),
        (["PATH=/bin"], False, "/bin"),
        (None, False, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ],
)
def test_image(env, jupyter, path):
    found = _look.read_image({"Id": "sha256:0f", "Config": {"Env": env}, "Architecture": "arm64", "Size": 7})
    cuda = {"version": "", "requires": ""}
    assert found == {"present": True, "id": "sha256:0f", "name": "", "jupyter": jupyter, "path": path, "architecture": "arm64", "size": 7, "cuda": cuda}


@pytest.mark.parametrize(
    ("network", "bridge"),
    [
        ({"Id": "0f" * 32, "Driver": "bridge", "Options": {"com.docker.network.bridge.name": "docker0"}}, "docker0"),
        ({"Id": "0f" * 32, "Driver": "bridge", "Options": None}, "br-0f0f0f0f0f0f"),
        ({"id": "0f" * 32, "driver": "bridge", "network_interface": "podman0"}, "podman0"),
        ({"Id": "0f" * 32, "Driver": "macvlan", "Options": {}}, ""),
    ],
)
def test_bridge_of_a_network(network, bridge):
    assert _look.read_bridge(network) == bridge


def test_container_made_by_the_role():
    found = _look.read_container(
        container(
            labels={"mlenv.jupyter.spec": "abc"},
            State={"Status": "running", "Health": {"Status": "healthy"}, "StartedAt": "then", "ExitCode": 0},
            HostConfig={"Memory": 1 << 30, "NanoCpus": 1500000000, "RestartPolicy": {"Name": "unless-stopped"}},
            NetworkSettings={"Networks": {"b": {}, "a": {}}},
            Mounts=[
                {"Destination": "/home/jovyan/work", "Source": "/home/alice/work"},
                {"Destination": "/home/jovyan/.local", "Name": "lab-data", "Source": "/var/lib/docker/volumes/lab-data/_data"},
            ],
            RestartCount=2,
        )
    )
    assert (found["managed"], found["spec"], found["jupyter"]) == (True, "abc", True)
    assert (found["running"], found["health"], found["restarts"]) == (True, "healthy", 2)
    assert (found["memory"], found["cpus"], found["restart_policy"]) == (1 << 30, 1.5, "unless-stopped")
    assert found["networks"] == ["a", "b"]
    assert found["mounts"] == {"/home/jovyan/work": "/home/alice/work", "/home/jovyan/.local": "lab-data"}


def test_container_of_which_an_engine_says_little():
    found = _look.read_container(container(State={"Status": "exited", "ExitCode": 137}))
    assert (found["managed"], found["running"], found["health"], found["exit_code"]) == (False, False, "none", 137)
    assert (found["memory"], found["cpus"], found["restart_policy"], found["networks"], found["mounts"]) == (0, 0, "no", [], {})


def test_container_keeps_its_environment_to_itself():
    assert "hunter2" not in str(_look.read_container(container(env=["PASSWORD=hunter2"])))


def test_mount_whose_source_was_deleted():
    mountinfo = """
181 150 254:0 /home/alice/.config/mlenv/lab /etc/mlenv ro,relatime - ext4 /dev/vda rw
185 150 254:0 /home/alice/work//deleted /home/jovyan/work rw,relatime - ext4 /dev/vda rw
186 150 254:0 /var/lib/docker/volumes/lab-data/_data /home/jovyan/.local rw,relatime master:1 - ext4 /dev/vda rw
""".strip()
    assert _look.read_lost_mounts(mountinfo) == ["/home/jovyan/work"]
    assert _look.read_lost_mounts("") == []


@pytest.mark.parametrize(
    ("found", "url"),
    [
        (container(bindings=binding()), "http://127.0.0.1:28888/lab"),
        (container(bindings=binding(address="")), "http://127.0.0.1:28888/lab"),
        (container(bindings=binding(address="0.0.0.0")), "http://127.0.0.1:28888/lab"),
        (container(bindings=binding(address="::")), "http://[::1]:28888/lab"),
        (container(bindings=binding(address="2001:db8::7")), "http://[2001:db8::7]:28888/lab"),
        (container(env=["GEN_CERT=no"], bindings=binding()), "https://127.0.0.1:28888/lab"),
        (container(env=["JUPYTER_PORT=9999"], bindings=binding(inside="9999")), "http://127.0.0.1:28888/lab"),
        (container(env=["NOTEBOOK_ARGS=--ServerApp.base_url=/a --x='y z'"], bindings=binding()), "http://127.0.0.1:28888/a/lab"),
        (container(env=["NOTEBOOK_ARGS=--ServerApp.base_url='/a"], bindings=binding()), "http://127.0.0.1:28888/lab"),
        (container(labels={"mlenv.jupyter.scheme": "https", "mlenv.jupyter.base-url": "/b/"}, bindings=binding()), "https://127.0.0.1:28888/b/lab"),
    ],
)
def test_address_of_the_page(found, url):
    assert _look.page_url(_look.read_server(found)) == url


@pytest.mark.parametrize("bindings", [None, {}, binding(inside="80"), {"8888/tcp": None}])
def test_server_that_is_not_published(bindings):
    assert _look.read_server(container(bindings=bindings))["port"] == 0


@pytest.mark.parametrize(
    ("ports", "in_the_way"),
    [
        ("127.0.0.1:28888->8888/tcp", True),
        ("0.0.0.0:28888->8888/tcp, :::28888->8888/tcp", True),
        ("[::]:28888->8888/tcp", True),
        ("192.0.2.7:28888->8888/tcp", False),
        ("127.0.0.1:28889->28888/tcp", False),
        ("28888/tcp, 127.0.0.1:1->1/tcp", False),
    ],
)
def test_container_in_the_way(ports, in_the_way):
    assert _look._same_address(ports, 28888, "127.0.0.1") == in_the_way


def test_any_address_is_in_the_way_of_all():
    assert _look._same_address("192.0.2.7:28888->8888/tcp", 28888, "0.0.0.0")


# -- The host's words -----------------------------------------------------------------------------------------------


def test_owner_by_name_and_by_default(monkeypatch):
    monkeypatch.delenv("SUDO_UID", raising=False)
    me = pwd.getpwuid(os.getuid())
    assert _look.find_owner("") == _look.find_owner(me.pw_name)
    assert _look.find_owner("")["home"] == me.pw_dir
    with pytest.raises(KeyError, match="nobody-of-that-name"):
        _look.find_owner("nobody-of-that-name")


def test_owner_is_who_connected_before_become(monkeypatch):
    someone = next(entry for entry in pwd.getpwall() if entry.pw_uid)
    monkeypatch.setenv("SUDO_UID", str(someone.pw_uid))
    found = _look.find_owner("")
    assert (found["name"], found["lab_uid"], found["lab_gid"]) == (someone.pw_name, someone.pw_uid, someone.pw_gid)


def test_a_lab_of_root_is_not_run_as_root():
    found = _look.find_owner("root")
    assert (found["uid"], found["lab_uid"], found["lab_gid"]) == (0, 1000, 100)


def test_paths(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "directory").mkdir(mode=0o750)
    os.mkfifo(str(tmp_path / "fifo"))
    home = str(tmp_path)
    assert _look.find_path("~", home)["path"] == home
    assert _look.find_path("~root/lab", home)["path"] == pwd.getpwnam("root").pw_dir + "/lab"
    with pytest.raises(KeyError, match="nobody-of-that-name"):
        _look.find_path("~nobody-of-that-name/lab", home)
    assert _look.find_path("~/gone", home) == {"path": home + "/gone", "type": "absent", "uid": None, "gid": None, "mode": ""}
    found = _look.find_path("~/directory", home)
    assert (found["type"], found["mode"], found["uid"]) == ("directory", "0750", os.getuid())
    assert [_look.find_path(home + name, "")["type"] for name in ("/file", "/fifo")] == ["file", "other"]


def test_file_and_its_digest(tmp_path):
    (tmp_path / "file").write_text("x")
    assert _look.find_file(str(tmp_path / "file"))["sha256"].startswith("2d711642b726b044")
    assert _look.find_file(str(tmp_path / "gone"))["sha256"] == ""


def test_free_space(tmp_path):
    assert 0 < _look.free_space(str(tmp_path)) <= shutil.disk_usage(tmp_path).total
    assert _look.free_space(str(tmp_path / "elsewhere")) == -1


def test_disk_usage(tmp_path):
    before = _look.disk_usage(str(tmp_path))
    (tmp_path / "file").write_bytes(b"x" * 100000)
    assert _look.disk_usage(str(tmp_path)) >= before + 100000
    assert _look.disk_usage(str(tmp_path / "gone")) == _look.disk_usage("") == -1


@pytest.mark.parametrize(("address", "written"), [("127.0.0.1", "0100007F"), ("::1", "00000000000000000000000001000000"), ("nonsense", "")])
def test_address_as_the_kernel_writes_it(address, written):
    assert _look._proc_address(address) == written


@pytest.mark.parametrize(("address", "here"), [("127.0.0.1", True), ("127.9.9.9", True), ("0.0.0.0", True), ("203.0.113.7", False)])
def test_address_of_this_host(address, here):
    assert _look.is_of_this_host(address) == here


def test_listener_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        comm = pathlib.Path("/proc/self/comm").read_text().strip()
        assert _look.find_listener(port, "127.0.0.1") == f"process {comm} (pid {os.getpid()})"
        assert _look.find_listener(port, "0.0.0.0") != ""
        assert _look.find_listener(port, "127.0.0.2") == ""
    assert _look.find_listener(port, "127.0.0.1") == ""


class Server(http.server.BaseHTTPRequestHandler):
    """A server that wants a token below a base URL."""

    def do_GET(self):
        known = self.headers["Authorization"] == "token right"
        self.send_response(404 if self.path != "/base/api/status" else 200 if known else 403)
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.mark.parametrize(("token", "base_url", "status"), [("right", "/base/", 200), ("wrong", "/base/", 403), ("right", "/", 404)])
def test_answer_of_a_server(token, base_url, status):
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = {"scheme": "http", "address": "0.0.0.0", "port": server.server_port, "base_url": base_url}
        assert _look.ask_server(where, token) == {"status": status, "error": ""}
        server.shutdown()
    found = _look.ask_server(where, token, timeout=0.5)
    assert found["status"] == 0
    assert found["error"]


# -- Why nobody can work in it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"engine": {"available": False, "reason": "No engine answers."}}, "No engine answers."),
        ({"container": {"exists": False}}, "Lab lab has no container"),
        (
            {"container": {"exists": True, "running": False, "state": "exited", "exit_code": 1, "restarts": 0}},
            "does not stay up (state exited, exit code 1, 0 restarts)",
        ),
        ({"restarted": 3}, "does not stay up (state running, exit code 0, 3 restarts)"),
        # Long ago, which says nothing of now.
        ({"container": {"exists": True, "running": True, "state": "running", "exit_code": 0, "restarts": 8}, "status": 500}, "answers 500"),
        ({"status": 403}, "does not accept its own token"),
        ({"status": 500}, "http://127.0.0.1:1/lab answers 500"),
        ({"gpus": {"lost": "nvidia-smi in it says: No devices were found"}}, "but without the GPUs that it was given: nvidia-smi in it says: No devices"),
        ({"status": 0}, "nothing answered at http://127.0.0.1:1/lab within 30 s"),
        ({"status": 0, "url": ""}, "nothing answered at any published port"),
    ],
)
def test_why_not_ready(facts, sentence):
    up = {"exists": True, "running": True, "state": "running", "exit_code": 0, "restarts": 0}
    facts = {"engine": {"available": True}, "container": up, "gpus": {"lost": ""}, "status": 0, "restarted": 0, "url": "http://127.0.0.1:1/lab", **facts}
    assert sentence in _look.why_not_ready({"name": "lab", "wait": 30}, facts)


# -- Ready, or not ----------------------------------------------------------------------------------------------------


class Lives:
    """An engine whose container is found each time as the next of these lives, of which the last one lasts."""

    def __init__(self, *lives):
        self.lives = [container(bindings=binding(), State={"Status": state, "StartedAt": since}, RestartCount=count) for state, since, count in lives]

    def inspect(self, _name):
        return self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]


LONG_AGO, NOW = "2020-01-01T00:00:00.123456789Z", "2999-01-01T00:00:00.123456789+01:00"


def asked(monkeypatch, lives, answers, wait):
    """What is found if the server gives these answers, one after the other."""
    monkeypatch.setattr(_look, "ask_server", lambda *_how: {"status": answers.pop(0), "error": ""})
    monkeypatch.setattr(_look.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(_look.Look, "_token", lambda *_how: "")
    engine = Lives(*lives)
    facts = {"restarted": 0, "hung": False}
    _look.Look(engine, {"wait": wait})._ask_server(facts, engine.inspect("lab"))
    return facts


def test_ready_after_a_crash(monkeypatch):
    """It crashed once while it was waited for, and is steady from there on: nobody waits for the end of the time."""
    facts = asked(monkeypatch, [("running", "1", 7), ("running", "2", 8)], [200, 200, 200, 200], wait=1000)
    assert (facts["ready"], facts["restarted"]) == (True, 1)


def test_given_up_after_crashes(monkeypatch):
    facts = asked(monkeypatch, [("running", str(count), count) for count in range(7, 11)], [0, 0, 0], wait=1000)
    assert (facts["ready"], facts["restarted"]) == (False, 3)


@pytest.mark.parametrize(
    ("since", "answers", "status", "hung"),
    [(LONG_AGO, [0, 0], 0, True), (LONG_AGO, [0, 200], 200, False), (NOW, [0], 0, False), ("", [0], 0, False), (LONG_AGO, [403], 403, False)],
)
def test_hung(monkeypatch, since, answers, status, hung):
    """Who does not answer at once may be busy, or have just begun."""
    facts = asked(monkeypatch, [("running", since, 0)], answers, wait=0)
    assert (facts["status"], facts["hung"], answers) == (status, hung, [])
