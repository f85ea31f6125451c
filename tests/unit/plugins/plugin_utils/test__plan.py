# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab is made of, and what is to be done for one that is not as it shall be."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.lab_plan import lab_plan
from ansible_collections.mlenv.jupyter.plugins.filter.lab_secrets import lab_secrets
from ansible_collections.mlenv.jupyter.plugins.module_utils import _gpus
from ansible_collections.mlenv.jupyter.plugins.module_utils._address import NOWHERE
from ansible_collections.mlenv.jupyter.plugins.module_utils._proxy import UNSEEN
from ansible_collections.mlenv.jupyter.tests.unit.plugins.filter.test_bundle_trouble import CERTIFICATE

WANTED = {
    **{"proxy": "auto", "proxy_given": "auto", "docker_cli": "docker"},
    **{"state": "started", "check_mode": False, "name": "lab", "image": "mlenv-test:minimal", "flavor": "", "port": 28888, "container_port": "8888"},
    **{"bind_address": "127.0.0.1", "insecure": False, "allowed_sources": ["0.0.0.0/0", "::/0"], "base_url": "/", "user": "jovyan"},
    "host": {"local": False, "address": "gpu1.example.com", "port": 22, "user": ""},
    "tls": {
        **{"mode": "none", "gen_cert": False, "names": [], "names_given": False, "days": 365, "renew_days": 30, "dir": "/tls", "authority": ""},
        **{"ca_passphrase": "", "certificate": "", "certificate_file": "", "certificate_text": "", "key": "", "key_file": "", "key_text": ""},
    },
    **{"remove_data": False},
    **{"packages_volume": "lab-data", "memory": "", "cpus": "0.0", "pids": "16384", "sudo": True, "read_only_image": False, "networks": []},
    **{"shm_size": "", "restart_policy": "unless-stopped", "stop_timeout": "30", "log_max_size": "10m", "log_max_files": "3", "umask": ""},
    **{"gpus": {"host": "lab", "name": "lab", "gpus": "auto", "exclusive": False}, "gpu_play": []},
    **{"token": "", "token_rotate": False, "password_hash": "", "env": {}, "secret_env": {}, "secret_config": "", "volumes": []},
    **{"wants_packages": False, "migrate": False, "requirements": "", "requirements_file": "", "constraints": "", "constraints_file": ""},
    **{"wheels": "", "wheels_dir": "", "ca_files": [], "ca_certificates": "", "missing_certificates": [], "kernels": [], "kernel_texts": []},
    **{"texts_wrong": "", "kernels_wrong": []},
}
ENGINE = {
    **NOWHERE,
    "settings": {},
    **{"available": True, "reason": "", "kind": "docker", "socket": "", "rootless": False, "selinux": False, "cpus": 8, "free": -1, "root_dir": ""},
    **{"default_runtime": "", "runtimes": [], "architecture": "x86_64", "version": "27.0", "limits": ["memory", "cpus", "pids"]},
}
ROOTLESS = {**ENGINE, "kind": "podman", "rootless": True, "socket": "/run/user/1001/podman/podman.sock"}
ABSENT = {"path": "", "type": "absent", "uid": None, "gid": None, "mode": "", "sha256": ""}
PLACE = {"missing": [], "in_home": True, "homeless": False, "links": []}
NO_FILES = {
    **dict.fromkeys(("ca-certificates.crt", "passwd", "group", "start-notebook.sh", "before-notebook.sh", "path.sh"), ABSENT),
    "jupyter_server_config.json": {**ABSENT, "hash": False},
    "token": {**ABSENT, "matches": False, "newline": False},
    "jupyter_server_config.py": {**ABSENT, "matches": True},
    "server.pem": {**ABSENT, "certificate": "", "pair": False},
}
SCRIPTS = [
    "/private/start-notebook.sh:/usr/local/bin/start-notebook.d/zzz-mlenv.sh:ro",
    "/private/before-notebook.sh:/usr/local/bin/before-notebook.d/zzz-mlenv.sh:ro",
    "/private/path.sh:/etc/profile.d/zzz-mlenv.sh:ro",
]
BARE = {
    "proxy": UNSEEN,
    **{"engine": ENGINE, "requests": True, "euid": 1001, "hostname": "box"},
    "owner": {"name": "alice", "uid": 1001, "gid": 1001, "home": "/home/alice", "lab_uid": 1001, "lab_gid": 1001},
    "image": {"present": True, "jupyter": True, "id": "sha256:1", "name": "mlenv-test:minimal", "path": "/usr/bin", "architecture": "", "size": 0},
    "container": {"exists": False, "running": False, "state": "absent", "managed": False, "jupyter": False, "health": "none", "namesake": ""},
    "volume": {"exists": False},
    "work_dir": {**ABSENT, **PLACE, "path": "/home/alice/work", "made_at": "/home/alice/work"},
    "config_dir": {
        **{**ABSENT, **PLACE, "path": "/private", "ours": False, "names": [], "strangers": [], "home_taken": False, "home_untrusted": ""},
        "files": NO_FILES,
    },
    **{"untrusted": "", "machine": "this one", "labs": []},
    **{"ca_bundle": {"path": "", "sha256": ""}, "mounts": {}, "networks": {}, "address_here": True, "port_holder": "", "packages": {}},
    **{"indexes": [], "protected": ""},
    "sources": {"nft": True, "apt": True, "boot": {"kind": "systemd"}, "left": [], "rules": "", "as_wanted": True},
    "gpus": {**_gpus.NONE, **_gpus.UNSEEN},
    **{"ready": False, "open": False, "status": 0, "hung": False, "unread": [], "lost_mounts": []},
}


def plan(wanted=(), **look):
    """The plan, and the secrets beside it."""
    wanted, look = {**WANTED, **dict(wanted)}, {**BARE, **look}
    decided = lab_plan(wanted, look)
    assert decided["refused"] == []
    return {**decided, "secret": lab_secrets(wanted, look)}


def told(decided: dict) -> dict:
    """Name -> the file of that name in the private directory, with what is secret of it."""
    secrets = decided["secret"]["secrets"]
    files = [file for file in decided["secret"]["files"] if file.get("state") != "directory"]
    return {os.path.basename(file["path"]): {**file, "secret": secrets[file["path"]]} if file["path"] in secrets else file for file in files}


def text_of(file: dict) -> str:
    return file.get("secret") or file["content"]


def as_planned(wanted=(), **look) -> dict:
    """The look at a lab that was made by this very plan, and runs."""
    decided = plan(wanted, **look)
    spec, files = decided["spec"], {**NO_FILES}
    for name, file in told(decided).items():
        seen = name == "token" or name.endswith(".py")
        content = {"matches": True, "newline": False} if seen else {"sha256": hashlib.sha256(text_of(file).encode()).hexdigest()}
        files[name] = {**NO_FILES[name], **content, "type": "file", "uid": decided["uid"], "mode": file["mode"]}
    return {
        **BARE,
        **look,
        "container": {
            **{"exists": True, "running": True, "state": "running", "managed": True, "jupyter": True, "namesake": ""},
            **{"id": "0123456789abcdef", "gpus": [], "gpu_way": ""},
            **{"spec": decided["labels"]["mlenv.jupyter.spec"], "image_id": "sha256:1", "memory": 0, "cpus": spec["cpus"], "pids": spec["pids"]},
            **{"namesake": "", "restart_policy": spec["restart_policy"], "networks": [network["name"] for network in spec["networks"]]},
        },
        "volume": {"exists": True, "uid": decided["uid"]},
        "work_dir": {**BARE["work_dir"], "type": "directory", "uid": 1001},
        "config_dir": {**BARE["config_dir"], "type": "directory", "ours": True, "uid": decided["uid"], "mode": "0700", "files": files},
        "status": 200,
        "ready": True,
    }


def with_file(there: dict, name: str, **changed) -> dict:
    files = there["config_dir"]["files"]
    return {"config_dir": {**there["config_dir"], "files": {**files, name: {**files[name], **changed}}}}


# -- What it is made of -----------------------------------------------------------------------------------------------


def test_a_lab_of_the_owners():
    decided = plan()
    assert decided["spec"]["volumes"] == ["/home/alice/work:/home/jovyan/work", "lab-data:/home/jovyan/.local:nocopy", "/private:/etc/mlenv:ro", *SCRIPTS]
    assert decided["spec"]["published_ports"] == ["127.0.0.1:28888:8888"]
    env = decided["secret"]["env"]
    assert (env["NB_UID"], env["NB_GID"], env["GRANT_SUDO"], env["PATH"]) == ("1001", "1001", "yes", "/home/jovyan/.local/bin:/usr/bin")
    assert "NB_USER" not in env
    assert decided["labels"]["mlenv.jupyter.scheme"] == "http"
    assert (decided["spec"]["cpus"], decided["spec"]["pids"], decided["spec"]["shm_size"]) == (0.0, 16384, "1g")


def test_without_root_in_it():
    decided = plan({"sudo": False})
    assert decided["spec"]["user"] == "1001:1001"
    assert (decided["spec"]["groups"], decided["spec"]["cap_drop"]) == (["100"], ["ALL"])
    assert decided["spec"]["security_opts"] == ["no-new-privileges:true"]
    assert "GRANT_SUDO" not in decided["secret"]["env"]
    # Nobody of that number is in the image: who it is comes along.
    assert "jovyan:x:1001:1001::/home/jovyan:/bin/bash\n" in told(decided)["passwd"]["content"]
    assert "/private/passwd:/etc/passwd:ro" in decided["spec"]["volumes"]
    assert not decided["brings_home"]


GROUPS = {"given": [{"gid": 5000, "name": "projects"}, {"gid": 5001, "name": "users"}], "unknown": []}


def test_groups_of_the_host():
    """With root, they are written down when the lab starts. Without, they come along."""
    decided = plan(groups=GROUPS)
    assert "_mlenv_groups=(5000:projects 5001:users)\n" in told(decided)["before-notebook.sh"]["content"]
    assert decided["spec"]["groups"] == []
    decided = plan({"sudo": False}, groups=GROUPS)
    assert decided["spec"]["groups"] == ["100", "5000", "5001"]
    lines = ["users:x:100:jovyan", "jovyan:x:1001:", "projects:x:5000:jovyan", "users-5001:x:5001:jovyan"]
    assert told(decided)["group"]["content"].splitlines()[1:-1] == lines


def test_groups_come_along_with_the_images_own_user():
    root = {**BARE["owner"], "name": "root", "uid": 0, "lab_uid": 1000, "lab_gid": 100}
    decided = plan({"sudo": False}, owner=root, groups=GROUPS)
    assert "passwd" not in told(decided)
    assert "/private/group:/etc/group:ro" in decided["spec"]["volumes"]


def test_podman_without_root_knows_no_groups_of_the_host():
    assert plan({"sudo": False}, engine=ROOTLESS, groups=GROUPS)["spec"]["groups"] == ["100"]


def test_without_root_the_images_own_user_needs_no_introduction():
    root = {**BARE["owner"], "name": "root", "uid": 0, "lab_uid": 1000, "lab_gid": 100}
    assert list(told(plan({"sudo": False}, owner=root))) == ["token", "jupyter_server_config.json", "before-notebook.sh", "path.sh"]


@pytest.mark.parametrize(
    ("wanted", "in_layer", "script", "tmpfs"),
    [
        ({}, [], "_mlenv_ways=(/home/jovyan/.cache /home/jovyan/.cache/a)\n", []),
        ({"sudo": False}, ["/home/jovyan/.cache", "/home/jovyan/.cache/a"], "", []),
        ({"sudo": False, "read_only_image": True}, [], "", ["/home/jovyan", "/home/jovyan/.cache", "/home/jovyan/.cache/a"]),
    ],
)
def test_directories_on_the_way_to_a_mount_are_the_users(wanted, in_layer, script, tmpfs):
    decided = plan({**wanted, "volumes": ["/srv/hf:/home/jovyan/.cache/a/hf", "/srv/data:/data/sets"]})
    assert (decided["directories"]["in_layer"], decided["directories"]["on_mounts"]) == (in_layer, [])
    assert script in told(decided)["before-notebook.sh"]["content"]
    assert [item.partition(":")[0] for item in decided["spec"]["tmpfs"][2:]] == tmpfs


def test_further_volumes_are_the_users():
    """But for one that is only read, and one without a name."""
    volumes = ["cache:/home/jovyan/.cache", "/srv:/srv", "sets:/sets:ro", "/anonymous", "more:/more:nocopy"]
    assert plan({"volumes": volumes})["directories"]["named"] == ["cache", "more"]


@pytest.mark.parametrize(
    ("wanted", "skeleton"),
    [
        ({}, ""),
        ({"sudo": False, "read_only_image": True}, "/private/skeleton"),
        ({"sudo": False, "read_only_image": True, "user": "marie"}, ""),
        ({"volumes": ["/srv/home:/home/jovyan/"]}, "/private/skeleton"),
        ({"volumes": ["/srv/home:/home/marie"], "user": "marie"}, ""),
    ],
)
def test_files_of_a_home_that_is_hidden(wanted, skeleton):
    decided = plan(wanted)
    assert decided["directories"]["skeleton"] == skeleton
    assert [file["path"] for file in decided["secret"]["home"] if file["mode"] == "0700"] == ([skeleton] if skeleton else [])


def test_directories_on_other_mounts():
    """A file's place is made by the engine alone."""
    volumes = ["/srv/hf:/home/marie/.cache/hf", "/srv/sub:/home/marie/work/data/sub", "/srv/netrc:/home/marie/.netrc", "/srv/key:/home/marie/.ssh/key"]
    files = {path: {"type": "file"} for path in ("/srv/netrc", "/srv/key")}
    directories = plan({"sudo": False, "user": "marie", "volumes": volumes}, mounts=files)["directories"]
    home = "/home/marie"
    assert directories["on_mounts"] == [f"{home}/.cache/hf", f"{home}/work/data/sub", f"{home}/.ssh"]
    assert directories["in_layer"] == []


@pytest.mark.parametrize(
    ("path", "own"),
    [(None, "/home/jovyan/.local/bin"), ("/opt/mine:/usr/bin:/opt/theirs", "/opt/mine"), ("/usr/bin:/opt/mine", "''")],
)
def test_programs_of_the_user_come_first(path, own):
    """Those that stand before the image's in the container's PATH."""
    decided = plan({"env": {"PATH": path} if path else {}})
    assert told(decided)["path.sh"]["content"].startswith(f"_mlenv_home=/home/jovyan\n_mlenv_own={own}\n_mlenv_image=/usr/bin\n")


def test_conda_is_told_so_where_nothing_can_be_written():
    image = {**BARE["image"], "conda": "/opt/conda"}
    there = "/private/path.sh:/opt/conda/etc/conda/activate.d/zzz-mlenv.sh:ro"
    assert there in plan({"sudo": False, "read_only_image": True}, image=image)["spec"]["volumes"]
    assert there not in plan(image=image)["spec"]["volumes"]


def test_renamed():
    decided = plan({"user": "alice"})
    assert decided["secret"]["env"]["NB_USER"] == "alice"
    assert "lab-data:/home/alice/.local:nocopy" in decided["spec"]["volumes"]
    assert (decided["brings_home"], decided["secret"]["home"]) == (False, [])
    decided = plan({"user": "alice", "sudo": False, "read_only_image": True})
    assert decided["brings_home"]
    assert [directory["path"] for directory in decided["secret"]["home"]] == ["/private-home", "/private-home/.local", "/private-home/work"]
    assert decided["spec"]["volumes"][0] == "/private-home:/home/alice"
    # The start script of the images dies without a jovyan.
    passwd = told(decided)["passwd"]["content"]
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["root", "alice", "jovyan", "nobody"]
    # Its home is a directory of the host, and so not in memory.
    assert [mount.partition(":")[0] for mount in decided["spec"]["tmpfs"]] == ["/tmp", "/run"]


def test_in_memory_what_else_would_be_written_to_the_image():
    tmpfs = plan({"read_only_image": True, "sudo": False})["spec"]["tmpfs"]
    assert [mount.partition(":")[0] for mount in tmpfs] == ["/tmp", "/run", "/home/jovyan"]
    assert plan()["spec"]["tmpfs"] == []


def test_podman_without_root():
    decided = plan(engine=ROOTLESS)
    assert decided["userns"] == "keep-id:uid=1000,gid=100"
    assert (decided["inner_owner"], decided["volume_owner"], decided["uid"]) == ([1000, 100], [0, 0], 1001)
    assert decided["secret"]["env"]["NB_UID"] == "1000"
    # After a start of the host it starts those alone that shall always run.
    assert decided["spec"]["restart_policy"] == "always"
    assert decided["labels"]["mlenv.jupyter.spec"] != plan()["labels"]["mlenv.jupyter.spec"]


def test_podman_has_no_word_for_all_addresses():
    wanted = {"bind_address": "0.0.0.0", "insecure": True}
    assert plan(wanted, engine=ROOTLESS)["spec"]["published_ports"] == ["28888:8888"]
    assert plan(wanted)["spec"]["published_ports"] == ["0.0.0.0:28888:8888"]
    assert plan({"bind_address": "::1"})["spec"]["published_ports"] == ["[::1]:28888:8888"]


@pytest.mark.parametrize(("policy", "means"), [(False, "no"), ("no", "no"), ("on-failure", "on-failure"), ("always", "always")])
def test_restart_policy(policy, means):
    assert plan({"restart_policy": policy})["spec"]["restart_policy"] == means


def test_what_people_set_is_read_last():
    env = plan({"env": {"GRANT_SUDO": False, "A": 1}, "umask": "027"})["secret"]["env"]
    assert "GRANT_SUDO" not in env
    assert (env["A"], env["NB_UMASK"]) == ("1", "027")


def test_certificates_of_the_company():
    env = plan({"ca_files": ["/ca.pem"]})["secret"]["env"]
    assert env["PIP_CERT"] == env["SSL_CERT_FILE"] == "/etc/mlenv/ca-certificates.crt"
    assert "PIP_CERT" not in plan()["secret"]["env"]


@pytest.mark.parametrize(("sudo", "expected"), [(True, ["no-new-privileges:false"]), (False, ["no-new-privileges:true"])])
def test_sudo_lives_where_the_engine_would_forbid_it(sudo, expected):
    told = {**ENGINE, "settings": {"no-new-privileges": True}}
    assert plan({"sudo": sudo}, engine=told)["spec"]["security_opts"] == expected
    same = plan({"sudo": sudo}, engine=told)["labels"] == plan({"sudo": sudo})["labels"]
    assert same is not sudo


def test_selinux_leaves_labels_alone():
    assert plan(engine={**ENGINE, "selinux": True})["spec"]["security_opts"] == ["label=disable"]


def test_the_server_is_told_in_a_file():
    wanted = {
        "base_url": "/team/a",
        "password_hash": "argon2:$argon2id$v=19$m=10240,t=10,p=8$JdAN3fe9J45NvK/EPuGCvA$O/tbxglbwRpOFuBNTYrymAEH6370Q2z+eS1eF4GM6Do",
    }
    file = told(plan(wanted))["jupyter_server_config.json"]
    assert json.loads(file["secret"]) == {
        "ServerApp": {"root_dir": "/home/jovyan/work", "base_url": "/team/a/"},
        "PasswordIdentityProvider": {"hashed_password": wanted["password_hash"]},
    }
    # ansible-core 2.18 would read a text that begins with a brace.
    assert file["secret"][0] == "\n"
    # Nor is shown what the hash before was, where there is none any more.
    for there, shown in ((False, "content"), (True, "secret")):
        assert shown in told(plan(**with_file(as_planned(), "jupyter_server_config.json", hash=there)))["jupyter_server_config.json"]


@pytest.mark.parametrize(
    ("newline", "wanted", "how"),
    [(False, {}, "secret"), (True, {}, "chomp"), (True, {"token": "x" * 43}, "chomp"), (True, {"token_rotate": True}, "secret")],
)
def test_a_token_keeps_what_comes_before_its_newline(newline, wanted, how):
    file = told(plan(wanted, **with_file(as_planned(), "token", matches=False, newline=newline)))["token"]
    assert how in file
    assert len({"secret", "chomp"} & set(file)) == 1


def test_secrets_are_kept_apart():
    wanted = {"env": {"A": "mark-1"}, "secret_env": {"B": "mark-2"}, "secret_config": "mark-2"}
    decided = plan(wanted)
    scripts = {"start-notebook.sh", "before-notebook.sh", "path.sh"}
    assert set(told(decided)) == {"token", "jupyter_server_config.json", "jupyter_server_config.py", *scripts}
    assert told(decided)["jupyter_server_config.py"]["secret"] == "mark-2"
    assert "mark" in json.dumps(decided.pop("secret"))
    assert "mark" not in json.dumps(decided)
    # They are told to the server, and so are no reason for another container; whether they are, the look tells.
    assert decided["labels"] == plan({"env": {"A": "mark-1"}})["labels"]


# -- Its directories and files ----------------------------------------------------------------------------------------


def test_directories_that_are_not_there():
    paths = [file["path"] for file in plan()["secret"]["files"] if file.get("state") == "directory"]
    assert paths == ["/home/alice/work", "/private"]
    # Those that are there are their owner's, but for the private one.
    assert [file["path"] for file in plan(**as_planned())["secret"]["files"] if file.get("state") == "directory"] == ["/private"]


def test_home_in_a_mount_is_the_owner_s():
    """Not that of root, who runs this; and a lab is not re-created for what meant the same before."""
    wanted = {"volumes": ["~/data:/data:ro", "~bob/x:/x", "/srv:/srv", "cache:/cache"]}
    mounts = {"~/data": {"path": "/home/alice/data", "type": "directory"}, "~bob/x": {"path": "/home/bob/x", "type": "directory"}}
    decided = plan(wanted, mounts=mounts, euid=0)
    assert decided["spec"]["volumes"][-4:] == ["/home/alice/data:/data:ro", "/home/bob/x:/x", "/srv:/srv", "cache:/cache"]
    owner = plan(wanted, mounts=mounts, euid=1001)
    assert owner["spec"]["volumes"] == decided["spec"]["volumes"]
    assert owner["labels"]["mlenv.jupyter.spec"] != decided["labels"]["mlenv.jupyter.spec"]
    before = {**owner["spec"], "volumes": [*owner["spec"]["volumes"][:-4], *wanted["volumes"]], "env": owner["secret"]["env"]}
    scripts = ("start-notebook.sh", "before-notebook.sh", "path.sh")
    before["files"] = [told(owner)[name]["content"] for name in ("jupyter_server_config.json", *scripts)]
    assert owner["labels"]["mlenv.jupyter.spec"] == hashlib.sha256(json.dumps(before, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize(("in_home", "work_mode", "private_mode", "owner"), [(True, "0755", "0700", 1001), (False, "0755", "0755", None)])
def test_directories_above_those_that_are_not_there(in_home, work_mode, private_mode, owner):
    """In the owner's home they are the owner's. Elsewhere they stay root's: who owns one could put another in the place of a neighbour's."""
    work = {**BARE["work_dir"], "missing": ["/srv/a", "/srv/a/b"], "in_home": in_home}
    private = {**BARE["config_dir"], "missing": ["/srv/c"], "in_home": in_home}
    above = [file for file in plan(work_dir=work, config_dir=private)["secret"]["files"] if not file.get("force", True)]
    assert [(file["path"], file["mode"], file.get("owner"), file.get("group")) for file in above] == [
        ("/srv/a", work_mode, owner, owner),
        ("/srv/a/b", work_mode, owner, owner),
        ("/srv/c", private_mode, owner, owner),
    ]


def test_a_token_is_made_once():
    first, second = (told(plan())["token"]["secret"] for _run in range(2))
    assert first != second
    assert len(first) == len(second) == 43
    assert told(plan({"token": "of-the-users-own"}))["token"]["secret"] == "of-the-users-own"
    assert "secret" not in told(plan(**as_planned()))["token"]


@pytest.mark.parametrize(("name", "changed"), [("server.pem", {}), ("jupyter_server_config.py", {"matches": False})])
def test_what_nobody_asks_for_is_removed(name, changed):
    there = as_planned()
    assert name not in told(plan(**there))
    assert told(plan(**{**there, **with_file(there, name, type="file", **changed)}))[name]["state"] == "absent"


def test_the_lab_trusts_what_the_host_trusts():
    wanted = {"ca_files": ["/ca.pem"], "ca_certificates": CERTIFICATE}
    file = told(plan(wanted, ca_bundle={"path": "/bundle", "sha256": "1"}))["ca-certificates.crt"]
    assert (file["begins_with"], file["content"], file["mode"]) == ("/bundle", wanted["ca_certificates"], "0644")
    assert told(plan(wanted))["ca-certificates.crt"]["begins_with"] is None


# -- Where it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "url"),
    [
        ({}, "http://127.0.0.1:28888/lab"),
        ({"bind_address": "::1", "base_url": "team/"}, "http://[::1]:28888/team/lab"),
        ({"bind_address": "0.0.0.0", "insecure": True}, "http://gpu1.example.com:28888/lab"),
        ({"bind_address": "192.0.2.7", "insecure": True}, "http://192.0.2.7:28888/lab"),
        ({"bind_address": "0.0.0.0", "insecure": True, "host": {**WANTED["host"], "local": True}}, "http://box:28888/lab"),
        (
            {"bind_address": "0.0.0.0", "tls": {**WANTED["tls"], "mode": "self_signed", "names": ["lab.example.com"], "names_given": True}},
            "https://lab.example.com:28888/lab",
        ),
        ({"env": {"GEN_CERT": "yes"}, "tls": {**WANTED["tls"], "gen_cert": True}}, "https://127.0.0.1:28888/lab"),
    ],
)
def test_url(wanted, url):
    assert plan(wanted)["fact"]["url"] == url


def test_tunnel():
    assert plan()["report"]["tunnel"] == "From your machine: ssh -N -L 28888:127.0.0.1:28888 gpu1.example.com"
    host = {"local": False, "address": "192.0.2.7", "port": "2222", "user": "alice"}
    assert plan({"host": host, "bind_address": "::1"})["report"]["tunnel"].endswith("ssh -N -L 28888:[::1]:28888 -p 2222 alice@192.0.2.7")
    assert plan({"host": {**host, "local": True}})["report"]["tunnel"] == ""
    assert plan({"host": {**host, "port": None}})["report"]["tunnel"].endswith("28888 alice@192.0.2.7")


def test_names_of_its_certificate():
    assert plan()["names"] == ["localhost", "127.0.0.1", "::1"]
    assert plan({"bind_address": "192.0.2.7", "insecure": True})["names"][:2] == ["192.0.2.7", "gpu1.example.com"]


# -- What differs -----------------------------------------------------------------------------------------------------


def test_a_bare_host_gets_all():
    assert plan()["differs"] == {
        **{"blind": False, "storage": True, "sources": False, "container": True, "down": True, "stale": False, "packages": False, "kernels": []}
    }


VARIANTS = [
    {},
    {"sudo": False},
    {"user": "alice", "sudo": False},
    {"networks": ["data"], "cpus": 1.5, "pids": "500"},
    {"secret_env": {"A": "b"}, "secret_config": "x"},
]


@pytest.mark.parametrize("wanted", VARIANTS)
@pytest.mark.parametrize("engine", [ENGINE, ROOTLESS])
def test_nothing_to_do(wanted, engine):
    there = as_planned(wanted, engine=engine, networks={"data": "bridge"})
    decided = plan(wanted, **there)
    assert not any(decided["differs"].values())
    assert not decided["busy"]
    assert plan({**wanted, "state": "restarted"}, **there)["busy"]


@pytest.mark.parametrize(
    ("wanted", "changed", "differs"),
    [
        ({"port": 28889}, {}, ["container"]),
        ({"env": {"A": "b"}}, {}, ["container"]),
        ({"base_url": "/x"}, {}, ["storage", "container", "stale"]),
        ({"token_rotate": True}, {}, ["storage", "container"]),
        ({"memory": "1g"}, {}, ["container"]),
        ({}, {"image": {**BARE["image"], "id": "sha256:2"}}, ["container"]),
        ({}, {"volume": {"exists": True, "uid": 0}}, ["storage"]),
        ({}, {"volume": {"exists": True, "uid": None}}, []),
        ({}, {"volume": {"exists": True, "uid": 0, "file_system": "cifs"}}, []),
        ({}, {"volume": {"exists": True, "uid": 0, "file_system": "nfs4"}}, ["storage"]),
        ({}, {"work_dir": {**BARE["work_dir"], "type": "absent"}}, ["storage", "stale"]),
        ({}, {"unread": ["jupyter_server_config.json"]}, ["stale"]),
        ({}, {"lost_mounts": ["/home/jovyan/work"]}, ["stale"]),
        ({}, {"status": 500}, ["stale"]),
        ({}, {"status": 0}, []),
        ({}, {"status": 0, "hung": True}, ["stale"]),
        ({}, {"sources": {**BARE["sources"], "as_wanted": False}}, ["sources"]),
        ({"wants_packages": True}, {"packages": {"satisfied": False}}, ["packages"]),
        ({"wants_packages": True}, {"packages": {"satisfied": True}}, []),
        ({"migrate": True}, {"packages": {"older": {"3.10": {}}}}, ["packages"]),
        ({"kernel_texts": [{"name": "k"}]}, {"packages": {"kernels": {"k": {"satisfied": True}}}}, []),
        ({"ca_files": ["/ca.pem"]}, {"ca_bundle": {"path": "", "sha256": "new"}}, ["storage", "container"]),
        ({"check_mode": True}, {"image": {**BARE["image"], "present": False}}, ["blind"]),
    ],
)
def test_one_difference(wanted, changed, differs):
    decided = plan(wanted, **{**as_planned(), **changed})
    assert [name for name, value in decided["differs"].items() if value] == differs
    assert decided["busy"] == bool(differs)


def test_a_number_that_the_engine_rounds_is_no_difference():
    wanted = {"cpus": 16 / 3}
    there = as_planned(wanted)
    assert not plan(wanted, **{**there, "container": {**there["container"], "cpus": round(16 / 3, 5)}})["busy"]
    assert plan(wanted, **{**there, "container": {**there["container"], "cpus": 5.34}})["differs"]["container"]


def test_kernels_that_differ_are_named():
    kernels = [{"name": "old"}, {"name": "new"}]
    packages = {"kernels": {"old": {"satisfied": True}}}
    assert plan({"kernel_texts": kernels}, **{**as_planned(), "packages": packages})["differs"]["kernels"] == ["new"]


@pytest.mark.parametrize(
    ("name", "changed", "differs"),
    [
        ("token", {"matches": False}, ["storage", "container"]),
        ("token", {"mode": "0644"}, ["storage"]),
        ("token", {"uid": 0}, ["storage"]),
        ("jupyter_server_config.json", {"sha256": "other"}, ["storage", "stale"]),
        ("jupyter_server_config.py", {"matches": False}, ["storage", "stale"]),
        ("server.pem", {"type": "file"}, ["storage"]),
    ],
)
def test_one_private_file_differs(name, changed, differs):
    there = as_planned()
    decided = plan(**{**there, **with_file(there, name, **changed)})
    assert [what for what, value in decided["differs"].items() if value] == differs


@pytest.mark.parametrize("key", ["memory", "cpus", "pids", "restart_policy"])
def test_changed_behind_our_back(key):
    there = as_planned()
    there["container"][key] = "always" if key == "restart_policy" else 7
    assert plan(**there)["differs"]["container"]


def test_a_limit_that_the_engine_cannot_hold_is_no_difference():
    there = as_planned(engine={**ENGINE, "limits": ["memory", "cpus"]})
    there["container"]["pids"] = 0
    assert not plan(**there)["busy"]


def test_networks_changed_behind_our_back():
    wanted, networks = {"networks": ["b", "a"]}, {"a": "bridge", "b": "bridge"}
    there = as_planned(wanted, networks=networks)
    there["container"]["networks"] = ["a", "b"]
    assert not plan(wanted, **there)["busy"]
    there["container"]["networks"] = ["a"]
    assert plan(wanted, **there)["differs"]["container"]


def test_made_by_hand_is_set_aside():
    there = as_planned()
    there["container"].update(managed=False, spec="")
    assert plan(**there)["aside"] == "lab-by-hand-0123456789ab"
    assert plan(**as_planned())["aside"] == ""


# -- What is not to be done -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_a_lab_that_shall_not_run_needs_no_plan(state):
    assert lab_plan({**WANTED, "state": state}, BARE) == {"refused": [], "differs": {}, "busy": False, "brings_home": False}


def test_refused():
    decided = lab_plan({**WANTED, "port": 99999}, BARE)
    assert (len(decided["refused"]), decided["differs"]) == (1, {})


def test_refused_with_the_way_that_works():
    (sentence,) = lab_plan({**WANTED, "bind_address": "0.0.0.0"}, BARE)["refused"]
    assert "(ssh -N -L 28888:127.0.0.1:28888 gpu1.example.com)" in sentence


def test_gpus_that_cannot_be_had_are_refused_once():
    decided = lab_plan({**WANTED, "gpus": {**WANTED["gpus"], "gpus": 2}}, BARE)
    assert len(decided["refused"]) == 1


def test_secrets_go_with_the_plan():
    """What another lab has of the GPUs was asked when it was decided, and that lab may have failed since."""
    card = {"index": "0", "uuid": "GPU-0", "name": "A", "memory": 1, "compute": "9.0"}
    cards = [card, {**card, "index": "1", "uuid": "GPU-1"}]
    look = {"gpus": {**BARE["gpus"], "card": True, "devices": cards, "driver": "580.1", "ways": ["runtime"], "holders": []}}
    here = {"host": "lab", "name": "lab", "gpus": 1, "exclusive": False, "state": "started"}
    other = {**here, "host": "first", "name": "first"}
    decided = plan({"gpus": here, "gpu_play": [other, here]}, **look)
    assert decided["labels"]["mlenv.jupyter.gpus"] == decided["secret"]["env"]["NVIDIA_VISIBLE_DEVICES"] == "GPU-1"
    assert plan({"gpus": here, "gpu_play": [here]}, **look)["secret"]["env"]["NVIDIA_VISIBLE_DEVICES"] == "GPU-0"
    later = {**WANTED, "gpus": here, "gpu_play": decided["gpu_play"]}
    assert lab_secrets(later, {**BARE, **look})["env"] == decided["secret"]["env"]


def environment(wanted=(), **proxy):
    return lab_secrets({**WANTED, **dict(wanted)}, {**BARE, "proxy": {**UNSEEN, **proxy}})


def test_no_proxy_no_change():
    """Labs of hosts without one are as they were before there was a variable for it."""
    assert not {name for name in environment()["env"] if name.lower().endswith("_proxy")}
    assert environment(env={"no_proxy": "x"})["env"] == environment()["env"]


def test_proxy_in_both_cases_and_never_for_the_lab_itself():
    env = environment(env={"https_proxy": "http://proxy:1", "no_proxy": "example.com,localhost"})["env"]
    assert env["https_proxy"] == env["HTTPS_PROXY"] == "http://proxy:1"
    assert env["no_proxy"] == env["NO_PROXY"] == "example.com,localhost,127.0.0.1,::1,lab"
    assert "http_proxy" not in env


def test_what_the_lab_was_given_itself_counts():
    env = environment({"env": {"NO_PROXY": "mine"}}, env={"https_proxy": "http://proxy:1"})["env"]
    assert env["NO_PROXY"] == "mine" and "no_proxy" not in env


@pytest.mark.parametrize(
    ("proxy", "seen", "secret", "proxy_of"),
    [
        ("auto", {"secret": ["https_proxy"]}, "", "docker"),
        ("auto", {"env": {"https_proxy": "http://proxy:1"}}, None, None),
        ({"https_proxy": "http://a:b@proxy:1"}, {"secret": ["https_proxy"]}, "a:b@", None),
    ],
)
def test_password_of_a_proxy_is_in_a_file_alone(proxy, seen, secret, proxy_of):
    """That of the engine's client is put there by the host itself."""
    found = environment({"proxy": proxy}, **seen)
    assert ("https_proxy" in found["env"]) is (secret is None)
    files = [file for file in found["files"] if file["path"].endswith("/jupyter_server_config.py") and file.get("state") != "absent"]
    assert [file.get("proxy_of") for file in files] == ([] if secret is None else [proxy_of])
    assert secret is None or secret in found["secrets"][files[0]["path"]]
