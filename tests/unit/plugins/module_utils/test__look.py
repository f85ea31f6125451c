# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the look makes of an engine's and a host's words. The look itself is tested on real labs, in molecule/."""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import threading
import time
import types

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _look, _passing
from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import Container, ContainerGone, Result


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
    assert found == {
        "present": True,
        "id": "sha256:0f",
        "name": "",
        "jupyter": jupyter,
        "serves": False,
        "path": path,
        "conda": "",
        "architecture": "arm64",
        "size": 7,
        "cuda": cuda,
    }


@pytest.mark.parametrize(
    ("config", "serves"),
    [
        ({"Env": ["JUPYTER_PORT=8888"], "Cmd": ["bash"]}, True),
        ({"Cmd": ["start-notebook.sh"]}, True),
        ({"Entrypoint": ["tini", "--", "jupyter-lab"], "Cmd": None}, True),
        ({"Env": ["NB_USER=jovyan"], "Cmd": ["bash"]}, False),
    ],
)
def test_image_that_starts_a_server(config, serves):
    assert _look.read_image({"Id": "sha256:0f", "Config": config})["serves"] is serves


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


def test_paused_containers_count():
    assert _look.read_engine({"ServerVersion": "26.1.5", "ContainersRunning": 1, "ContainersPaused": 2})["containers"] == 3


@pytest.mark.parametrize(
    ("settings", "root"),
    [("", "/var"), ('{"data-root": "{there}"}', "{there}"), ('{"data-root": "{there}/not/yet"}', "{there}"), ("{,}", "/var"), ("[]", "/var")],
)
def test_where_an_engine_will_be(tmp_path, settings, root):
    """There is room where the nearest directory is."""
    file = tmp_path / "daemon.json"
    file.write_text(settings.replace("{there}", str(tmp_path)))
    found = _look.find_place("docker", str(file))
    assert found["root_dir"].startswith(root.replace("{there}", str(tmp_path)))
    assert os.path.isdir(found["root_dir"]) and found["free"] > 0 and found["architecture"]


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


MOUNTS = [
    {"Destination": "/home/jovyan/.local", "Name": "lab-data", "Source": "/var/lib/docker/volumes/lab-data/_data", "RW": True},
    {"Destination": "/home/jovyan/work", "Source": "/srv/../srv/work", "RW": True},
    {"Destination": "/etc/mlenv", "Source": "/srv/private", "RW": False},
    {"Destination": "/cache", "Name": "cache", "RW": True},
    {"Destination": "/sets", "Name": "sets", "RW": False},
    {"Destination": "/data", "Source": "/data", "RW": True},
]


def test_what_no_other_lab_can_have():
    lab = container(env=["NB_UID=0"], bindings=binding(), Mounts=MOUNTS, State={"Status": "exited"})
    found = _look.read_claim(lab)
    assert found == {
        **{"host": "", "name": "lab", "state": "exited", "uid": 0, "owner": "root", "volume": "lab-data", "volumes": ["cache"], "work_dir": "/srv/work"},
        **{"private": ["/srv/private"], "port": "28888", "address": "127.0.0.1"},
    }
    assert _look.read_claim(lab, 1001)["uid"] == 1001
    home = container(bindings=binding(), Mounts=[*MOUNTS, {"Destination": "/home/jovyan", "Source": "/srv/private-home"}])
    assert (_look.read_claim(home)["private"], _look.read_claim(home)["uid"]) == (["/srv/private", "/srv/private-home"], None)
    assert _look.read_claim(container())["work_dir"] == ""


class Labs:
    """An engine with these containers, that counts what it is asked."""

    cli = "docker"

    def __init__(self, *containers):
        self.containers, self.asked = containers, []

    def run(self, *argv):
        self.asked.append(argv[0])
        if argv[0] == "ps":
            return Result(0, "".join(f"{number}\n" for number, _one in enumerate(self.containers)), "")
        # One was removed meanwhile.
        return Result(1, json.dumps([one.raw for one in self.containers]), "Error: No such container: 7")


def test_other_labs_are_asked_about_where_it_is_needed_alone():
    lab = container(labels={"mlenv.jupyter.spec": "0"}, env=["NB_UID=1001"], bindings=binding(), Mounts=MOUNTS)
    params = {"name": "lab", "volume": "lab-data", "port": 28888, "bind_address": "127.0.0.1", "volumes": ["/data:/data", "cache:/cache", "/scratch"]}
    asking = _look.Look(None, params)
    facts = {
        "container": _look.read_container(lab),
        "owner": {"lab_uid": 1001},
        "volume": {"name": "lab-data", "uid": 1001},
        "work_dir": {"real": "/srv/work"},
        "config_dir": {"real": "/srv/private"},
    }
    assert asking._has_its_own(facts, lab)
    assert asking._has_its_own({**facts, "volume": {"name": "lab-data", "uid": None}}, lab)
    assert not asking._has_its_own(facts, None)
    for changed in ({"volume": {"name": "lab-data", "uid": 1002}}, {"work_dir": {"real": "/x"}}, {"config_dir": {"real": "/x"}}):
        assert not asking._has_its_own({**facts, **changed}, lab)
    for changed in ({"port": 28889}, {"bind_address": "0.0.0.0"}, {"volume": "other"}, {"volumes": ["other:/x:ro"]}):
        assert not _look.Look(None, {**params, **changed})._has_its_own({**facts, "volume": {"name": changed.get("volume", "lab-data"), "uid": 1001}}, lab)


def test_other_labs():
    mine, other = container(bindings=binding(), Mounts=MOUNTS), container(bindings=binding("1"), Mounts=MOUNTS)
    other.raw["Name"] = "/other"
    engine = Labs(mine, other)
    asking = _look.Look(engine, {"name": "lab"})
    facts = {"euid": 1001, "engine": {"rootless": True}}
    assert [(lab["name"], lab["port"], lab["uid"]) for lab in asking._other_labs(facts)] == [("other", "1", 1001)]
    assert engine.asked == ["ps", "container"]
    assert _look.Look(Labs(), {"name": "lab"})._other_labs(facts) == []


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
    monkeypatch.delenv("DOAS_USER", raising=False)
    me = pwd.getpwuid(os.getuid())
    assert _look.find_owner("") == _look.find_owner(me.pw_name)
    assert _look.find_owner("")["home"] == me.pw_dir
    with pytest.raises(KeyError, match="nobody-of-that-name"):
        _look.find_owner("nobody-of-that-name")


@pytest.mark.parametrize(("variable", "told"), [("SUDO_UID", "pw_uid"), ("DOAS_USER", "pw_name")])
def test_owner_is_who_connected_before_become(variable, told, monkeypatch):
    someone = next(entry for entry in pwd.getpwall() if entry.pw_uid)
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv(variable, str(getattr(someone, told)))
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
    gone = home + "/gone"
    assert _look.find_path("~/gone", home) == {"path": gone, "real": os.path.realpath(gone), "type": "absent", "uid": None, "gid": None, "mode": ""}
    assert _look.find_path("~root/lab", home)["path"] == pwd.getpwnam("root").pw_dir + "/lab"
    with pytest.raises(KeyError, match="nobody-of-that-name"):
        _look.find_path("~nobody-of-that-name/lab", home)
    found = _look.find_path("~/directory", home)
    assert (found["type"], found["mode"], found["uid"]) == ("directory", "0750", os.getuid())
    assert [_look.find_path(home + name, "")["type"] for name in ("/file", "/fifo")] == ["file", "other"]
    os.symlink("directory", home + "/link")
    os.symlink("gone", home + "/broken")
    assert [_look.find_path(home + name, "")["type"] for name in ("/link", "/broken")] == ["directory", "link"]
    assert _look.find_path(home + "/link", "", follow=False)["type"] == "link"
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(home + "/socket")
        assert _look.find_path(home + "/socket", "")["type"] == "socket"


def test_path_that_we_may_not_see(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr(_look.os, "lstat", refuse)  # root may see everything
    assert _look.find_path(str(tmp_path / "x"), "")["type"] == "hidden"


def test_links_on_the_way(tmp_path, monkeypatch):
    """Root's own are the host's; somebody else's are not followed. Above the home they are nobody's business."""
    home = tmp_path / "home"
    (home / "real").mkdir(parents=True)
    (home / "link").symlink_to("real")
    within = str(home / "link/mlenv")
    lstat = os.lstat
    monkeypatch.setattr(_look.os, "lstat", lambda path: os.stat_result((*lstat(path)[:4], 1001, *lstat(path)[5:10])))
    assert _look.find_links(within, str(home)) == [str(home / "link")]
    assert _look.find_links(within, str(home / "link")) == []
    monkeypatch.setattr(_look.os, "lstat", lambda path: os.stat_result((*lstat(path)[:4], 0, *lstat(path)[5:10])))
    assert _look.find_links(within, str(home)) == []


def look(tmp_path, **params):
    """What is seen of a private directory."""
    defaults = {name: argument.get("default", "") for name, argument in _look.ARGUMENTS.items()}
    return _look.Look(None, {**defaults, "config_dir": str(tmp_path), **params})._config_dir({"home": str(tmp_path), "uid": os.getuid()})


@pytest.mark.parametrize(
    ("content", "wanted", "matches"),
    [
        ("", "", False),
        ("\n" * 43, "", False),
        ("short", "", False),
        ("x" * 43, "", True),
        ("x" * 43, "x" * 43, True),
        ("x" * 43, "y" * 43, False),
        ("", "y" * 43, False),
    ],
)
def test_token_as_wanted(tmp_path, content, wanted, matches):
    (tmp_path / "token").write_text(content)
    found = look(tmp_path, token=wanted)["files"]["token"]
    assert (found["matches"], found["newline"]) == (matches, False)
    (tmp_path / "token").write_text(content + "\r\n")
    found = look(tmp_path, token=wanted)["files"]["token"]
    assert (found["matches"], found["newline"]) == (False, matches)


@pytest.mark.parametrize(("content", "wanted", "matches"), [(None, "", True), (None, "a", False), ("a", "a", True), ("b", "a", False), ("a", "", False)])
def test_secrets_as_wanted(tmp_path, content, wanted, matches):
    if content is not None:
        (tmp_path / "jupyter_server_config.py").write_text(content)
    found = look(tmp_path, secret_config=wanted)["files"]
    assert found["jupyter_server_config.py"]["matches"] == matches
    assert "sha256" not in {**found["jupyter_server_config.py"], **found["token"]}


@pytest.mark.parametrize(("content", "found"), [(None, False), ('{"ServerApp": {}}', False), ('{"PasswordIdentityProvider": {"hashed_password": "x"}}', True)])
def test_whether_a_hash_is_there(tmp_path, content, found):
    if content:
        (tmp_path / "jupyter_server_config.json").write_text(content)
    assert look(tmp_path)["files"]["jupyter_server_config.json"]["hash"] == found


def test_whose_the_place_of_a_home_is(tmp_path):
    home = tmp_path / "lab-home"
    home.mkdir()
    (home / "token").write_text("of some service, in somebody's home")
    assert not look(tmp_path / "lab")["home_taken"]
    (home / "jupyter_server_config.json").write_text("{}")
    assert look(tmp_path / "lab")["home_taken"]


def test_links_in_a_private_directory_are_not_followed(tmp_path):
    secret, private = tmp_path / "shadow", tmp_path / "private"
    secret.write_text("x" * 43)
    private.mkdir()
    assert look(private)["links"] == []
    for name in ("token", "passwd", "server.pem"):
        (private / name).symlink_to(secret)
    found = look(private, token="x" * 43)
    assert found["links"] == [str(private / name) for name in ("token", "passwd", "server.pem")]
    assert (found["files"]["token"]["type"], found["files"]["token"]["matches"]) == ("link", False)
    assert (found["files"]["passwd"]["sha256"], found["files"]["server.pem"]["pair"]) == ("", False)
    (tmp_path / "elsewhere").symlink_to(private)
    assert look(tmp_path / "elsewhere")["links"][0] == str(tmp_path / "elsewhere")


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
def test_what_is_missing_and_whose_it_will_be(tmp_path):
    home = tmp_path / "home"
    owner = {"home": str(home), "uid": 4242}
    found = _look.find_missing(f"{home}/labs/one/work", owner)
    assert (found["homeless"], found["in_home"]) == (True, False)
    assert not _look.find_missing(f"{home}-of-another/x", owner)["homeless"]
    home.mkdir()
    # Who does not own their home gets nothing in it.
    assert not _look.find_missing(f"{home}/labs/one/work", owner)["in_home"]
    os.chown(home, 4242, 4242)
    found = _look.find_missing(f"{home}/labs/one/work", owner)
    assert found == {"missing": [f"{home}/labs", f"{home}/labs/one"], "begin_uid": 4242, "in_home": True, "homeless": False}
    assert _look.find_missing(f"{home}/../home/work", owner) == {"missing": [], "begin_uid": 4242, "in_home": True, "homeless": False}
    elsewhere = {"missing": [f"{tmp_path}/srv"], "begin_uid": 0, "in_home": False, "homeless": False}
    assert _look.find_missing(f"{tmp_path}/srv/work", owner) == elsewhere
    # Where a link leads counts, be it that of the home or one in it.
    (tmp_path / "h").symlink_to(home)
    assert _look.find_missing(f"{tmp_path}/h/work", owner)["in_home"]
    (home / "out").symlink_to(tmp_path)
    assert _look.find_missing(f"{home}/out/srv/work", owner) == elsewhere
    (home / "dangling").symlink_to(tmp_path / "srv")
    assert _look.find_missing(f"{home}/dangling/work", owner) == elsewhere
    assert _look.find_missing(str(home), owner)["missing"] == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
def test_links_on_the_way_to_a_work_directory_that_is_to_be_made(tmp_path):
    home, disk = tmp_path / "home", tmp_path / "disk"
    (home / "labs").mkdir(parents=True)
    (disk / "mine").mkdir(parents=True)
    (home / "etc").symlink_to(disk)
    (home / "mine").symlink_to(disk / "mine")
    for path in (home, home / "labs", home / "etc", home / "mine", disk / "mine"):
        os.lchown(path, 4242, 4242)

    def seen(path, uid=4242):
        return _look.Look(None, {"work_dir": path})._work_dir({"home": str(home), "uid": uid})

    assert (seen("~/labs/work")["links"], seen("~/labs/work")["made_at"]) == ([], f"{home}/labs/work")
    assert seen("~/etc/work")["links"] == [str(home / "etc")]
    # The owner could have made it there.
    assert (seen("~/mine/work")["links"], seen("~/mine/work")["made_at"]) == ([], f"{disk}/mine/work")
    # And what is there is not made.
    assert seen("~/etc/mine")["links"] == []
    # Who runs this without root can do no more than they could by hand.
    assert seen("~/etc/work", os.geteuid())["links"] == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda top: os.chown(top / "labs", 4242, 0), "/labs belongs to uid 4242, who could put other files in the place of "),
        (lambda top: os.chown(top / "labs/conf", 4242, 0), "/labs/conf belongs to uid 4242, who could put other files"),
        (lambda top: os.chown(top / "labs/conf/token", 4242, 0), "/labs/conf/token belongs to uid 4242, not to "),
        (lambda top: os.chown(top / "labs/conf/server.pem", 4242, 0), "/labs/conf/server.pem belongs to uid 4242, not to "),
        (lambda top: os.lchown(top / "labs/conf/wheels", 4242, 0), "/labs/conf/wheels belongs to uid 4242, not to "),
        (lambda top: os.lchown(top / "labs/conf/skeleton", 4242, 0), "/labs/conf/skeleton belongs to uid 4242, not to "),
        (lambda top: (top / "labs").chmod(0o777), "/labs may be written by everybody, so that others could put"),
        (lambda top: (top / "labs").chmod(0o2775), ""),  # of root's own group
        (lambda top: (os.chown(top / "labs", 0, 100), (top / "labs").chmod(0o2775)), "/labs may be written by group users, so that others could put"),
        (lambda top: (top / "labs").chmod(0o1777), ""),
        (lambda top: os.chown(top / "labs/conf", 1234, 1234), ""),  # the lab's user
        (lambda top: os.chown(top / "labs/conf/notes", 4242, 0), ""),  # not ours, so not read
    ],
)
def test_private_directory_that_others_could_change(tmp_path, spoil, why):
    private = tmp_path / "labs/conf"
    private.mkdir(parents=True)
    for name in ("token", "server.pem", "notes"):
        (private / name).write_text("x")
    for name in ("wheels", "skeleton"):
        (private / name).mkdir()
    asking = _look.Look(None, {"name": "lab"})
    facts = {"config_dir": {"path": str(private)}, "owner": {"name": "alice", "uid": 1234, "lab_uid": 1234}}
    assert asking._untrusted(facts) == ("", "")
    spoil(tmp_path)
    found, _home = asking._untrusted(facts)
    assert (found == "") is (why == "") and why in found
    assert not found or found.endswith(", or name another directory as lab_config_dir.")


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
def test_home_beside_a_private_directory_that_is_somebody_else_s(tmp_path):
    (tmp_path / "conf-home").mkdir()
    facts = {"config_dir": {"path": str(tmp_path / "conf")}, "owner": {"name": "alice", "uid": 1234, "lab_uid": 1234}}
    asking = _look.Look(None, {"name": "lab"})
    assert asking._untrusted(facts) == ("", "")
    os.chown(tmp_path / "conf-home", 4242, 4242)
    found, home = asking._untrusted(facts)
    assert (found, f"{tmp_path}/conf-home belongs to uid 4242, not to alice or root" in home) == ("", True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
@pytest.mark.parametrize(
    ("uid", "config", "trusted"),
    [(1234, {}, True), (4242, {}, False), (1234, {"Env": []}, False), (1234, {"Env": [], "User": "1234:100"}, True)],
)
def test_private_directory_of_a_lab_that_runs(tmp_path, uid, config, trusted):
    """Whoever asks: a token that somebody planted is not used to ask the server."""
    (tmp_path / "token").write_text("x" * 43)
    os.chown(tmp_path / "token", uid, uid)
    lab = container(env=["NB_UID=1234"], Mounts=[{"Destination": "/etc/mlenv", "Source": str(tmp_path)}])
    lab.raw["Config"].update(config)
    found = _look.Look(None, {"owner": "root"})._untrusted_mount(lab)
    assert (found == "") is trusted and (trusted or f"{tmp_path}/token belongs to uid {uid}" in found)


@pytest.mark.parametrize("text", ["2026-11-25T01:00:00.123456789Z", "2026-11-25T01:00:00Z", "2026-11-25T02:00:00.1+01:00"])
def test_time_as_an_engine_writes_it(text):
    assert _look.read_time(text) == 1795568400


def test_written_since_the_server_started(tmp_path):
    (tmp_path / "jupyter_server_config.py").write_text("")
    os.utime(tmp_path / "jupyter_server_config.py", (1000, 1000))
    files = look(tmp_path)["files"]
    assert _look.written_since(900, files) == ["jupyter_server_config.py"]
    assert _look.written_since(1000, files) == []


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"packages": ["a @ https://reader:Vu7i@example.com/a.whl"]}, {"reader:Vu7i@"}),
        ({"packages": ["a @ https://reader:p@ss@example.com/a.whl"]}, {"reader:p@ss@"}),
        ({"requirements": "--index-url http://a-long-token@example.com/\nb"}, {"a-long-token@"}),
        ({"kernels": [{"packages": ["x @ https://:key@example.com/x.whl"], "requirements": ""}]}, {":key@"}),
        ({"packages": ["a @ git+ssh://git@example.com/a", "b @ https://example.com/@c:d@"]}, set()),
    ],
)
def test_credentials(params, found):
    assert _look.credentials(params) == found


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
        known = self.server.open or self.headers["Authorization"] == "token right"
        self.send_response(404 if self.path != "/base/api/status" else 200 if known else 403)
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.mark.parametrize(("is_open", "sentence"), [(False, ""), (True, "opens without its token")])
@pytest.mark.parametrize(("wait", "asked"), [(30, ["lab"]), (0, [])])
def test_a_server_that_lets_everybody_in_is_not_ready(is_open, sentence, wait, asked, monkeypatch):
    """Who waits asks the engine once more, since a server may answer once before it dies."""
    names = []
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        server.open = is_open
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lab = container(labels={"mlenv.jupyter.base-url": "/base/"}, bindings=binding(str(server.server_port)), RestartCount=0)
        asking = _look.Look(None, {"wait": wait, "name": "lab"})
        asking.engine = type("Engine", (), {"inspect": lambda self, name: names.append(name) or lab})()
        monkeypatch.setattr(asking, "_token", lambda _container: "right")
        facts = {"engine": {"available": True}, "gpus": {"lost": ""}, "untrusted": "", "restarted": 0, "container": _look.read_container(lab)}
        asking.deadline = time.monotonic() + wait
        asking._ask_server(facts, lab)
        server.shutdown()
    assert (facts["ready"], facts["open"], names) == (not is_open, is_open, asked)
    assert sentence in _look.why_not_ready(asking.params, facts)


@pytest.mark.parametrize(("token", "base_url", "status"), [("right", "/base/", 200), ("wrong", "/base/", 403), ("", "/base/", 403), ("right", "/", 404)])
def test_answer_of_a_server(token, base_url, status):
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        server.open = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = {"scheme": "http", "address": "0.0.0.0", "port": server.server_port, "base_url": base_url}
        assert _look.ask_server(where, token) == {"status": status, "error": ""}
        server.shutdown()
    found = _look.ask_server(where, token, timeout=0.5)
    assert found["status"] == 0
    assert found["error"]


@pytest.mark.parametrize("token", ["right\n", "ключ"])
def test_a_token_that_cannot_be_sent_is_not_told(token):
    found = _look.ask_server({"scheme": "http", "address": "127.0.0.1", "port": 9, "base_url": "/"}, token)
    assert (found["status"], token.strip() in found["error"]) == (0, False)


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
        ({"untrusted": "/srv/labs belongs to mallory."}, "/srv/labs belongs to mallory."),
        ({"status": 500}, "http://127.0.0.1:1/lab answers 500"),
        ({"gpus": {"lost": "nvidia-smi in it says: No devices were found"}}, "but without the GPUs that it was given: nvidia-smi in it says: No devices"),
        ({"status": 0}, "nothing answered at http://127.0.0.1:1/lab within 30 s"),
        ({"status": 0, "url": ""}, "nothing answered at any published port"),
    ],
)
def test_why_not_ready(facts, sentence):
    up = {"exists": True, "running": True, "state": "running", "exit_code": 0, "restarts": 0}
    usual = {"engine": {"available": True}, "container": up, "gpus": {"lost": ""}, "open": False, "status": 0, "restarted": 0}
    usual.update(url="http://127.0.0.1:1/lab", untrusted="")
    facts = {**usual, **facts}
    assert sentence in _look.why_not_ready({"name": "lab", "wait": 30}, facts)


@pytest.mark.parametrize(("options", "selinux"), [(["name=apparmor", "name=seccomp,profile=default", "name=selinux"], True), (None, False)])
def test_selinux(options, selinux):
    assert _look.read_engine({"ServerVersion": "26.1.5", "SecurityOptions": options})["selinux"] is selinux
    podman = {**PODMAN, "host": {**PODMAN["host"], "security": {"selinuxEnabled": selinux}}}
    assert _look.read_engine(podman)["selinux"] is selinux


# -- Podman's words ---------------------------------------------------------------------------------------------------

PODMAN = {
    "host": {
        "arch": "amd64",
        "cgroupControllers": ["cpu", "memory", "pids"],
        "remoteSocket": {"path": "/nowhere/podman.sock", "exists": True},
        "security": {"rootless": True},
    },
    "store": {"graphRoot": "/home/alice/.local/share/containers/storage", "containerStore": {"number": 3, "running": 2}},
    "version": {"Version": "5.4.2"},
}


def test_podman(tmp_path):
    found = _look.read_engine(PODMAN)
    assert (found["kind"], found["version"], found["rootless"], found["containers"]) == ("podman", "5.4.2", True, 2)
    assert found["limits"] == ["memory", "cpus", "pids"]
    assert found["socket"] == ""  # nobody listens there
    assert not found["selinux"]
    (tmp_path / "podman.sock").touch()
    host = {**PODMAN["host"], "cgroupControllers": [], "remoteSocket": {"path": f"unix://{tmp_path}/podman.sock"}}
    found = _look.read_engine({**PODMAN, "host": host})
    assert (found["socket"], found["limits"]) == (f"{tmp_path}/podman.sock", [])


@pytest.mark.parametrize(("says", "limits"), [({}, ["memory", "cpus", "pids"]), ({"PidsLimit": False, "MemoryLimit": True}, ["memory", "cpus"])])
def test_what_docker_can_limit(says, limits):
    assert _look.read_engine({"ServerVersion": "26.1.5", **says})["limits"] == limits


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        (["localhost/team/lab:1"], "localhost/team/lab:1"),
        (["example.com/other:2", "team/lab:1", "localhost/team/lab:1"], "team/lab:1"),
        (None, "team/lab:1"),
    ],
)
def test_name_of_an_image(tags, name):
    assert _look.read_image({"Id": "0f", "RepoTags": tags}, "team/lab:1")["name"] == name


# -- Whether an engine answers -------------------------------------------------------------------------------------


class Says:
    """An engine whose client says this, whatever it is asked for."""

    cli = "docker"

    def __init__(self, rc, out, err=""):
        self.answer = Result(rc, out, err)

    def run(self, *_argv):
        return self.answer


@pytest.mark.parametrize(
    ("rc", "out", "err", "warning"),
    [
        (0, '{"ServerVersion": "26.1.5"}\n', "", ""),
        (0, '{"ServerVersion": "26.1.5"}\n', "WARNING: No swap limit support\n", ""),
        (1, '{"ServerVersion": "26.1.5", "ServerErrors": ["its log is full"]}\n', "", "its log is full"),
        (1, 'a word of a wrapper\n{"ServerVersion": "26.1.5"}\nanother\n', "errors pretty printing info\n", "errors pretty printing info"),
        (1, '{"ServerVersion": "26.1.5"}\n', "", "it ended with code 1"),
    ],
)
def test_engine_that_answers_is_there(rc, out, err, warning):
    """With whatever code its client ends, and whatever that says besides."""
    looking = _look.Look(Says(rc, out, err), {})
    assert (looking._engine()["available"], looking._engine()["version"]) == (True, "26.1.5")
    assert looking.warnings[:1] == ([f"The engine of this host answers, and docker info says as well: {warning}"] if warning else [])


@pytest.mark.parametrize(
    ("rc", "out", "err"),
    [
        (1, '{"ServerVersion": "", "ServerErrors": ["Cannot connect to the Docker daemon at unix:///var/run/docker.sock."]}', ""),
        (0, '{"ServerErrors": ["Cannot connect to the Docker daemon at unix:///var/run/docker.sock."]}', ""),
        (1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
        (0, "[]", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
    ],
)
def test_engine_that_does_not_answer(rc, out, err):
    found = _look.Look(Says(rc, out, err), {})._engine()
    assert not found["available"]
    assert "start it, or run role mlenv.jupyter.engine first" in found["reason"]


@pytest.mark.parametrize(("rc", "lost"), [(14, ""), (0, ""), (255, "")])
def test_gpus_in_a_lab_are_those_that_it_shows(rc, lost):
    """With whatever code nvidia-smi ends."""
    lab = container(labels={"mlenv.jupyter.gpus": "GPU-f15ae561-21b1"})
    engine = types.SimpleNamespace(exec=lambda *_what, **_how: Result(rc, "GPU 0: NVIDIA A10 (UUID: GPU-f15ae561-21b1)\nWARNING: infoROM is corrupted\n", ""))
    found = _look.Look(engine, {"wait": 0})._gpus_in(lab, ready=True)
    assert (found["lost"], [device["uuid"] for device in found["seen"]]) == (lost, ["GPU-f15ae561-21b1"])


# -- Whether the lab's user can write there --------------------------------------------------------------------------

ME = {"uid": os.geteuid(), "gid": os.getegid(), "groups": []}


def unwritable(mounts, pid, managed=True, said="", wait=30, cid=""):
    lab = container(State={"Status": "running", "Pid": pid}, Id=cid or "0f")
    engine = types.SimpleNamespace(exec=lambda *_what: Result(0, said, ""))
    looking = _look.Look(engine, {"wait": wait})
    looking.user = ME
    return looking._unwritable({"container": {"managed": managed, "mounts": mounts}, "ready": True}, lab)


def test_directories_of_a_running_lab_are_tried(tmp_path, monkeypatch):
    """As its process sees them: here that is this one."""
    monkeypatch.setattr(_look, "_content", lambda _path: b"0::/docker/0f")
    monkeypatch.setattr(_look.Container, "home", str(tmp_path))
    (tmp_path / "work").mkdir()
    mounts = dict.fromkeys((f"{tmp_path}/work", f"{tmp_path}/.local"), "x")
    assert unwritable(mounts, os.getpid()) == {}
    monkeypatch.setattr(
        _look, "try_directory", lambda path, *_who, **_where: {"why": "full", "mount": "/m", "type": "tmpfs", "by": 7} if "local" in path else {}
    )
    found = unwritable(mounts, os.getpid())
    assert (found["path"], found["why"]) == (f"{tmp_path}/.local", "full")
    assert unwritable({}, os.getpid()) == unwritable(mounts, os.getpid(), managed=False) == {}
    assert "/.local is on /m (tmpfs), where uid 7 has no room left" in _look.why_unwritable(found)


@pytest.mark.parametrize("pid", [0, 1])
def test_and_from_within_where_the_host_shows_none_of_them(pid):
    """Once, when the lab comes up."""
    words = "/home/jovyan/work\tsh: 1: cannot create /home/jovyan/work/.mlenv-7: Read-only file system\n"
    found = unwritable({}, pid, said=words)
    assert "its user cannot write in /home/jovyan/work (sh: 1: cannot create" in _look.why_unwritable(found)
    assert unwritable({}, pid, said="") == unwritable({}, pid, said=words, wait=0) == {}


def test_what_is_run_within(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    run = ["sh", "-c", _look.WRITE, "sh", str(tmp_path / "a"), str(tmp_path / "b")]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == ""
    (tmp_path / "b").rmdir()
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{tmp_path}/b\t")
    assert said.count("\n") == 1
    assert os.listdir(tmp_path / "a") == []


# -- Ready, or not ----------------------------------------------------------------------------------------------------


class Lives:
    """An engine whose container is found each time as the next of these lives, of which the last one lasts."""

    inspections = 0

    def __init__(self, *lives, deaths=0):
        self.lives = [
            life and container(bindings=binding(), State={"Status": life[0], "StartedAt": life[1]}, RestartCount=life[2], Id=(life[3:] or ["0f"])[0])
            for life in lives
        ]
        for life in filter(None, self.lives):
            life.raw["HostConfig"]["RestartPolicy"] = {"Name": "unless-stopped"}
        self.deaths = deaths  # how often it ends while a program in it is asked

    def inspect(self, _name):
        self.inspections += 1
        return self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]

    def exec(self, *_how, **_options):
        self.deaths -= 1
        if self.deaths >= 0:
            raise ContainerGone("It ended.")
        return Result(0, '{"python": "3.11.2", "kernels": {}}', "")


LONG_AGO, NOW = "2020-01-01T00:00:00.123456789Z", "2999-01-01T00:00:00.123456789+01:00"


def asked(monkeypatch, lives, answers, wait, deaths=0):
    """What is found if the server gives these answers, one after the other, and how often the engine was asked. No time passes but where it is slept."""
    slept = [1000.0]
    clock = types.SimpleNamespace(sleep=slept.append, monotonic=lambda: sum(slept), time=time.time)
    monkeypatch.setattr(_look, "time", clock)
    monkeypatch.setattr(_look, "ask_server", lambda *_how: {"status": answers.pop(0), "error": ""})
    monkeypatch.setattr(_look.Look, "_token", lambda *_how: "")
    engine = Lives(*lives, deaths=deaths)
    begin = engine.inspect("lab")
    facts = {
        **{"engine": {"available": True}, "image": {"jupyter": False}, "gpus": {"lost": ""}, "config_dir": None, "owner": None, "untrusted": ""},
        **{"restarted": 0, "hung": False, "ready": False, "status": 0, "open": False, "url": "", "python": ""},
        "container": _look.read_container(begin),
    }
    params = {"name": "lab", "owner": "", "wait": wait, "gpus": False}
    params.update(packages=[], packages_state="present", requirements="", constraints="", kernels=[], secret_config="", env={}, volume="", home="")
    looking = _look.Look(engine, params)
    looking._ask_lab(facts, begin)
    facts["why"] = "" if facts["ready"] else _look.why_not_ready(params, facts)
    return {**facts, "inspections": engine.inspections}


def test_ready_after_a_crash(monkeypatch):
    """It crashed once while it was waited for, and is steady from there on: nobody waits for the end of the time."""
    facts = asked(monkeypatch, [("running", "1", 7), ("running", "2", 8)], [200, 200, 403, 200, 200, 403], wait=1000)
    assert (facts["ready"], facts["restarted"]) == (True, 1)


def test_given_up_after_crashes(monkeypatch):
    facts = asked(monkeypatch, [("running", str(count), count) for count in range(7, 11)], [0] * 20, wait=1000)
    assert (facts["ready"], facts["restarted"]) == (False, 3)


def test_while_nobody_answers_the_engine_is_left_alone(monkeypatch):
    """Its client takes from the start what is waited for. Ten seconds, of which it is asked once in each."""
    facts = asked(monkeypatch, [("running", "1", 0)], [0] * 40 + [200, 200, 403], wait=1000)
    assert facts["ready"]
    assert facts["inspections"] == 12


GOOD = [200, 200, 403]


@pytest.mark.parametrize(
    ("lives", "answers", "deaths"),
    [
        # It ends while its packages are asked for, and is back.
        ([("running", "1", 0), ("running", "1", 0), ("running", "2", 1)], GOOD * 2, 1),
        # It is only being started: by the engine, or by somebody who makes it again.
        ([("restarting", "", 1), ("restarting", "", 1), ("running", "2", 1)], GOOD, 0),
        ([("created", "", 0), ("running", "1", 0)], GOOD, 0),
        ([("exited", "1", 0), ("exited", "1", 0), ("running", "2", 0)], GOOD, 0),
        ([("running", "1", 0), None, None, ("running", "2", 0, "1f")], [0, 0, 0, 0, 0] + GOOD, 0),
        ([("running", "1", 5), ("removing", "1", 5), ("running", "2", 0, "1f")], [0, 0, 0, 0, 0] + GOOD, 0),
    ],
)
def test_a_container_that_comes_and_goes_is_asked_again(monkeypatch, lives, answers, deaths):
    answers = list(answers)
    facts = asked(monkeypatch, lives, answers, 1000, deaths)
    assert (facts["ready"], facts["python"], facts["container"]["state"], answers) == (True, "3.11.2", "running", [])


@pytest.mark.parametrize(
    ("lives", "sentence"),
    [
        ([("running", "1", 0), ("restarting", "1", 1), ("running", "2", 1), ("restarting", "2", 2), ("running", "3", 2), ("restarting", "3", 3)], "3 restarts"),
        ([("restarting", "1", 8)], "state restarting, exit code 0, 8 restarts"),
        ([("running", "1", 0), ("exited", "1", 0)], "state exited"),
        ([("running", "1", 0), ("dead", "1", 0)], "state dead"),
        ([("paused", "1", 0)], "state paused"),
        ([("running", "1", 0), None], "Lab lab has no container"),
    ],
)
def test_a_container_that_does_not_stay_up_is_not_waited_for(monkeypatch, lives, sentence):
    """What is asked beside, such as its packages, does not override that, and nobody waits for the end of the time."""
    begin = time.monotonic()
    facts = asked(monkeypatch, lives, [0] * 100, 1000, deaths=100)
    assert sentence in facts["why"]
    assert facts["inspections"] < 40 and time.monotonic() - begin < 10


@pytest.mark.parametrize("lives", [[("running", "1", 0), None], [("running", "1", 0), ("running", "1", 0), ("restarting", "1", 1)], [("restarting", "1", 8)]])
def test_a_look_without_waiting_says_how_it_is(monkeypatch, lives):
    facts = asked(monkeypatch, lives, [0] * 100, 0, deaths=100)
    assert (facts["ready"], facts["container"]["running"], facts["python"]) == (False, False, "")
    assert facts["container"]["state"] == (lives[-1][0] if lives[-1] else "absent")


@pytest.mark.parametrize(
    ("since", "answers", "status", "hung"),
    [(LONG_AGO, [0, 0], 0, True), (LONG_AGO, [0, 200], 200, False), (NOW, [0], 0, False), ("", [0], 0, False), (LONG_AGO, [403], 403, False)],
)
def test_hung(monkeypatch, since, answers, status, hung):
    """Who does not answer at once may be busy, or have just begun."""
    facts = asked(monkeypatch, [("running", since, 0)], answers, wait=0)
    assert (facts["status"], facts["hung"], answers) == (status, hung, [])


@pytest.mark.parametrize(("gone", "asked"), [(False, 0), (True, 1)])
def test_a_volume_that_the_container_has_is_asked_for_only_if_it_cannot_be_seen(tmp_path, gone, asked):
    """A container still lists a volume that was lost below the engine, or moved along with the engine's directory."""
    questions = []

    class Engine:
        def run(self, *argv):
            questions.append(argv)
            return Result(1, "[]", "no such volume")

    source = tmp_path / "gone" if gone else tmp_path
    found = _look.Look(Engine(), {})._volume("data", container(Mounts=[{"Name": "data", "Source": str(source), "Destination": "/home/jovyan/.local"}]))
    assert (found["exists"], found["uid"], len(questions)) == (not gone, None if gone else os.getuid(), asked)


PASSING = {
    **{"packages": [], "packages_state": "present", "requirements": "", "constraints": "", "kernels": []},
    **{"home": "/home/jovyan", "image": "lab:1", "volume": "", "volumes": [], "env": {}, "secret_config": ""},
}
PASSING_FACTS = {
    "container": {"image_id": "sha256:1", "home": "/home/jovyan", "mounts": {}},
    **{"volume": {"exists": False}, "engine": {"rootless": False, "selinux": False}, "owner": {"lab_uid": 1000, "lab_gid": 100}},
    **{"work_dir": None, "config_dir": None, "mounts": {}},
}
SECRET_LINES = 'import os\n\nos.environ.update({"TOKEN": "hunter2 \u00e4)"})\n'


@pytest.mark.parametrize(
    ("state", "image", "packages", "where"),
    [
        ("running", "sha256:1", ["numpy"], "exec"),
        ("running", "sha256:2", ["numpy"], "run"),
        ("running", "sha256:2", [], "exec"),
        ("running", "", ["numpy"], "exec"),
        ("exited", "sha256:1", ["numpy"], "run"),
        ("exited", "sha256:1", [], None),
        (None, "", ["numpy"], None),
    ],
)
def test_the_python_of_the_image_that_the_lab_will_have_is_asked(state, image, packages, where):
    asked = []
    engine = types.SimpleNamespace(exec=lambda *_words, **_options: asked.append("exec"), run=lambda *_words, **_options: asked.append("run"))
    there = container(State={"Status": state}) if state else None
    facts = {**PASSING_FACTS, "image": {"jupyter": bool(image), "id": image, "path": "/bin"}}
    run = _look.Look(engine, {**PASSING, "packages": packages})._where_python_is(facts, there)
    if run:
        run("python3", "-", stdin="")
    assert asked == ([where] if where else [])
    assert facts["packages_of"] == {"exec": "container", "run": "image", None: ""}[where]


@pytest.mark.parametrize(
    ("params", "env", "there", "same"),
    [
        ({}, {}, {}, True),
        ({"env": {"HVER": "1"}}, {"HVER": "1"}, {}, True),
        ({"env": {"HVER": "2"}}, {"HVER": "1"}, {}, False),
        ({"env": {"HVER": "1"}}, {}, {}, False),
        ({"requirements": "a==${HVER}"}, {"HVER": "1"}, {}, False),  # which an earlier lab_env had
        ({}, {"HVER": "1"}, {}, True),  # that nothing asks for
        ({}, {"PIP_CONSTRAINT": "/c.txt"}, {}, False),
        ({}, {"PIP_CERT": "/etc/mlenv/ca-certificates.crt", "NB_USER": "jovyan"}, {}, True),
        ({"requirements": "a @ file://${HOME}/a.zip"}, {"HOME": "/home/jovyan"}, {}, True),
        ({"volume": "other"}, {}, {}, False),
        ({}, {}, {"home": "/home/other"}, False),
    ],
)
def test_a_container_is_asked_if_it_sees_what_the_lab_will_see(params, env, there, same):
    look = _look.Look(None, {**PASSING, "volume": "lab-data", **params})
    look.image_env = {"PATH": "/bin", "PIP_NO_CACHE_DIR": "1"}
    facts = {**PASSING_FACTS, "image": {"id": "sha256:1"}}
    facts["container"] = {"image_id": "sha256:1", "home": "/home/jovyan", "mounts": {"/home/jovyan/.local": "lab-data"}, **there}
    raw = container(Config={"Env": [f"{name}={value}" for name, value in {**look.image_env, **env}.items()]})
    assert look._is_the_one(facts, raw) is same


def test_what_a_look_in_passing_sees(tmp_path):
    (tmp_path / "private" / "wheels").mkdir(parents=True)
    seen = {}

    def run(*argv, **_options):
        if argv[0] == "run":
            seen.update(argv=argv, env=open(argv[argv.index("--env-file") + 1], encoding="utf-8").read())
        return types.SimpleNamespace(rc=0 if argv[:1] != ("volume",) or argv[2] == "there" else 1, out="{}", err="")

    volumes = ["/srv/wheels:/wheels:ro", "/none:/none", "there:/there", "not-there:/not"]
    place = {"type": "directory", "path": "/srv/wheels"}
    params = {**PASSING, "volumes": volumes, "env": {"HVER": "1.0 x", "CERT": "a\nb", "B=C": "1"}, "secret_config": SECRET_LINES}
    facts = {
        **PASSING_FACTS,
        "image": {"path": "/opt/conda/bin:/bin"},
        "volume": {"exists": True, "name": "lab-data"},
        "work_dir": {"type": "directory", "path": "/srv/work"},
        "config_dir": {"path": str(tmp_path / "private")},
        "mounts": {"/srv/wheels": place, "/none": {"type": "absent", "path": "/none"}},
    }
    _passing.run(types.SimpleNamespace(run=run), params, facts, "python3", "-", stdin="")
    mounts = [after for before, after in zip(seen["argv"], seen["argv"][1:]) if before == "--volume"]
    private = f"{tmp_path}/private/wheels:/etc/mlenv/wheels:ro"
    assert mounts == ["lab-data:/home/jovyan/.local:ro", "/srv/work:/home/jovyan/work:ro", private, "/srv/wheels:/wheels:ro", "there:/there:ro"]
    assert seen["env"] == "HOME=/home/jovyan\nPATH=/home/jovyan/.local/bin:/opt/conda/bin:/bin\nHVER=1.0 x\n"
    # The rest comes with the request, which goes through stdin.
    assert _passing.told_apart(params) == {"CERT": "a\nb", "B=C": "1", "TOKEN": "hunter2 \u00e4)"}
    assert "hunter2" not in str(seen)
    assert _passing.told_apart(PASSING) == {}


# -- Groups of the host ---------------------------------------------------------------------------------------------

OF_THE_HOST = {"alice": 1001, "projects": 5000, "docker": 998, "root": 0, "users": 100, "EX\\domain users": 70000, "a:b": 70001, "others": 6000}


@pytest.mark.parametrize(
    ("wanted", "given", "unknown"),
    [
        ([], {}, []),
        (["none"], {}, []),
        (["auto"], {5000: "projects", 70000: "EX\\domain users", 70001: "group-70001", 9999: "group-9999"}, []),
        (["others", "5000"], {6000: "others", 5000: "projects"}, []),
        (["9999"], {9999: "group-9999"}, []),
        (["docker", "0"], {998: "docker", 0: "root"}, []),
        (["1001", "users"], {}, []),
        (["nothing", "4", "99999999999999999999", "none", "-1", ""], {}, ["nothing", "4", "99999999999999999999", "none", "-1", ""]),
    ],
)
def test_groups(monkeypatch, wanted, given, unknown):
    def by_number(number):
        names = [name for name, gid in OF_THE_HOST.items() if gid == number]
        if number > 1 << 32:
            raise OverflowError
        return types.SimpleNamespace(gr_name=names[0], gr_gid=number) if names else {}[number]

    monkeypatch.setattr(_look.os, "getgrouplist", lambda _name, gid: [gid, 5000, 998, 0, 100, 70000, 70001, 9999])
    monkeypatch.setattr(_look.grp, "getgrgid", by_number)
    monkeypatch.setattr(_look.grp, "getgrnam", lambda name: types.SimpleNamespace(gr_gid=OF_THE_HOST[name]))
    owner = {"name": "alice", "uid": 1001, "gid": 1001, "lab_uid": 1001, "lab_gid": 1001}
    found = _look.find_groups(owner, wanted)
    assert ({group["gid"]: group["name"] for group in found["given"]}, found["unknown"]) == (given, unknown)


def test_groups_of_root_are_not_the_labs():
    assert _look.find_groups({"name": "root", "uid": 0, "gid": 0, "lab_uid": 1000, "lab_gid": 100}, ["auto"]) == {"given": [], "unknown": []}


@pytest.mark.parametrize(
    ("user", "env", "uid"),
    # An image sets NB_UID, whoever the container is started as.
    [("root", ["NB_UID=1001"], 1001), ("4711:4711", ["NB_UID=1000"], 4711), ("root", [], None), ("jovyan", ["NB_UID=1000"], None)],
)
def test_whose_a_lab_is(user, env, uid):
    lab = container(env=env)
    lab.raw["Config"]["User"] = user
    assert _look.read_uid(lab) == uid
