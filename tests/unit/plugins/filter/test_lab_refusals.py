# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sentence for each thing that cannot work, none where all is well."""

from __future__ import annotations

import re

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.lab_conflicts import lab_conflicts as conflicts
from ansible_collections.mlenv.jupyter.plugins.filter.lab_refusals import FilterModule
from ansible_collections.mlenv.jupyter.plugins.module_utils import _gpus
from ansible_collections.mlenv.jupyter.plugins.module_utils._address import NOWHERE
from ansible_collections.mlenv.jupyter.plugins.module_utils._proxy import UNSEEN
from ansible_collections.mlenv.jupyter.tests.unit.plugins.filter.test_bundle_trouble import CERTIFICATE

refusals = FilterModule().filters()["lab_refusals"]

NO_TLS = {
    **{"mode": "none", "gen_cert": False, "names": [], "names_given": False, "days": 365, "renew_days": 30, "dir": "/no/such/directory", "ca_passphrase": ""},
    "clock_skew": 0,
}
WANTED = {
    **{"proxy": "none", "proxy_given": "auto", "docker_cli": "docker"},
    "state": "started",
    "check_mode": False,
    "name": "lab",
    "image": "example.com/jupyter/minimal-notebook:2026-11-16",
    "flavor": "",
    "port": 28888,
    "bind_address": "127.0.0.1",
    "insecure": False,
    "allowed_sources": ["0.0.0.0/0", "::/0"],
    "tunnel": "ssh -N -L 28888:127.0.0.1:28888 gpu1",
    "tls": NO_TLS,
    "base_url": "/",
    "user": "jovyan",
    "memory": "",
    "cpus": 0.0,
    "pids": 16384,
    "sudo": True,
    "read_only_image": False,
    "networks": [],
    "shm_size": "1g",
    "packages_volume": "lab-data",
    "remove_data": False,
    "log_max_size": "10m",
    "log_max_files": "3",
    "umask": "",
    "token": "",
    "token_rotate": False,
    "password_hash": "",
    "env": {},
    "secret_env": {},
    "volumes": [],
    "requirements": "",
    "requirements_file": "",
    "constraints": "",
    "constraints_file": "",
    "texts_wrong": "",
    "kernels_wrong": [],
    "ca_certificates": "",
    "missing_certificates": [],
    "wheels": "",
    "wheels_dir": "",
    "kernels": [],
    "kernel_texts": [],
    "gpus": {"host": "lab", "name": "lab", "gpus": "auto", "exclusive": False},
    "gpu_play": [],
    "brings_home": False,
}
FILES = {"mode": "files", "certificate": "c.pem", "certificate_file": "", "key": "", "key_file": ""}
ENGINE = {
    **{"available": True, "reason": "", "kind": "docker", "socket": "", "rootless": False, "cpus": 8, "limits": ["memory", "cpus", "pids"]},
    **NOWHERE,
    "settings": {},
}
PRIVATE = {
    **{"path": "/home/alice/.config/mlenv/lab", "type": "absent", "ours": False, "names": [], "strangers": [], "links": [], "home_taken": False},
    **{"home_untrusted": "", "homeless": False},
}
WORK = {"path": "/x", "type": "directory", "uid": 1001, "links": [], "homeless": False}
CANNOT = {"mount": "/mnt", "type": "ext4", "by": 1001}
CONTAINER = {"exists": False, "managed": False, "jupyter": False, "namesake": ""}
LOOK = {
    "proxy": UNSEEN,
    "engine": ENGINE,
    "requests": True,
    "euid": 0,
    "owner": {"name": "alice", "uid": 1001, "home": "/home/alice", "lab_uid": 1001, "lab_gid": 1001},
    "image": {"present": True, "jupyter": True},
    "container": CONTAINER,
    "work_dir": {**WORK, "path": "/home/alice/work", "type": "absent", "uid": None},
    "untrusted": "",
    **{"machine": "this one", "labs": []},
    "config_dir": PRIVATE,
    "mounts": {},
    "networks": {},
    "address_here": True,
    "port_holder": "",
    "packages": {},
    "indexes": [],
    "protected": "",
    "sources": {"nft": True, "apt": True, "boot": {"kind": "systemd"}, "left": []},
    "gpus": {**_gpus.NONE, **_gpus.UNSEEN},
}
TLS = {**NO_TLS, "mode": "self_signed"}
# On the network, and so with rules.
OUTSIDE = {"bind_address": "192.0.2.7", "tls": TLS, "allowed_sources": ["192.0.2.0/24"]}


def said(wanted=(), **look):
    return refusals({**WANTED, **dict(wanted)}, {**LOOK, **look})


def test_nothing_to_refuse():
    assert said() == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"bind_address": "::1"},
        {"bind_address": "0.0.0.0", "insecure": True},
        {"bind_address": "127.3.2.1"},
        {"tls": {**NO_TLS, "mode": "self_signed", "clock_skew": -80000}},
        {"tls": {**NO_TLS, "mode": "ca", "clock_skew": 300 * 86400}},
        {"tls": {**NO_TLS, "mode": "ca", "names": ["gpu1.example.com", "192.0.2.7", "2001:db8::1", "*.example.com"]}},
        OUTSIDE,
        {**OUTSIDE, "allowed_sources": ["192.0.2.7", "10.0.0.0/8", "10.1.0.0/255.255.0.0", "2001:db8::/32"]},
        {**OUTSIDE, "bind_address": "::", "allowed_sources": ["2001:db8::1"]},
        {"allowed_sources": ["::/0", "128.0.0.0/1", "0.0.0.0/1"]},
        {"port": "1"},
        {"port": 65535},
        {"memory": "512m"},
        {"memory": "1.5G"},
        {"memory": "1073741824"},
        {"memory": "64m"},
        {"memory": "0"},
        {"shm_size": "1m"},
        {"cpus": 0.01},
        {"cpus": 8.0},
        {"log_max_size": "1.5MB"},
        {"log_max_files": "1"},
        {"packages_volume": "2024"},
        {"pids": 0},
        {"pids": "128"},
        {"read_only_image": True, "sudo": False},
        {"volumes": ["/running:/data", "docker.sock:/data", "/srv/run:/data", "/var/cache/../lib/data:/data", "dev:/data"]},
        {"umask": "027"},
        {"umask": "0027"},
        {"base_url": "/teams/alice_1/"},
        {"user": "alice"},
        {"user": "_alice-2"},
        {"token": "twelve-chars"},
        {"token_rotate": True},
        {"password_hash": "argon2:$argon2id$v=19$m=10240,t=10,p=8$JdAN3fe9J45NvK/EPuGCvA$O/tbxglbwRpOFuBNTYrymAEH6370Q2z+eS1eF4GM6Do"},
        {"env": {"GRANT_SUDO": True, "NOTEBOOK_ARGS": "--ServerApp.max_body_size=1"}},
        {"env": {"NOTEBOOK_ARGS": "--ServerApp.allow_origin=https://example.com --ServerApp.disable_check_xsrf=False --ServerApp.token_file x"}},
        {"env": {"NOTEBOOK_ARGS": "--ServerApp.custom='--ServerApp.token=x'"}},
        {"bind_address": "0.0.0.0", "tls": TLS},
        {"volumes": ["/data:/data:ro", "cache:/home/jovyan/.cache"]},
        {"user": "alice", "volumes": ["/data:/home/alice/data"]},
        {"requirements": "r.txt", "requirements_file": "/etc/r.txt"},
        {"ca_certificates": CERTIFICATE},
    ],
)
def test_what_works_is_not_refused(wanted):
    assert said(wanted) == []


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"name": "my lab"}, "lab_name my lab is no name"),
        ({"name": "-lab"}, "lab_name -lab is no name"),
        ({"port": 0}, "lab_port 0 is no port"),
        ({"port": 65536}, "lab_port 65536 is no port"),
        ({"bind_address": "localhost"}, "lab_bind_address localhost is no IP address"),
        ({"bind_address": "0.0.0.0"}, "lab_tls to self_signed, ca or files, or leave lab_bind_address at 127.0.0.1 and go through a tunnel (ssh -N -L 28888:"),
        ({"bind_address": "2001:db8::1"}, "lab_bind_address 2001:db8::1 would send the lab's token over the network in clear"),
        ({"tls": {**NO_TLS, "mode": "ca", "names": ["https://gpu1"]}}, "lab_tls_names has https://gpu1, which is neither a host name nor an address"),
        ({"tls": {**NO_TLS, "mode": "self_signed", "gen_cert": True}}, "lab_env sets GEN_CERT, and lab_tls is self_signed"),
        ({"tls": {**NO_TLS, "mode": "self_signed", "days": "30"}}, "lab_tls_days is 30, and lab_tls_renew_days 30, so each run"),
        ({"tls": {**NO_TLS, "mode": "self_signed", "clock_skew": -90000}}, "that of this host is about 25 hours behind, so none would be valid on both"),
        ({"tls": {**NO_TLS, "mode": "ca", "clock_skew": 340 * 86400}}, "that of this host is about 340 days ahead, so none would be valid on both"),
        ({"tls": {**NO_TLS, **FILES, "key_file": "/k.pem"}}, "lab_tls is files, and lab_tls_certificate (c.pem) is not on the controller"),
        ({"tls": {**NO_TLS, **FILES, "certificate_file": "/c.pem"}}, "lab_tls is files, and lab_tls_key (empty) is not on the controller"),
        ({"allowed_sources": []}, "lab_allowed_sources is empty, so nobody could connect: name the networks that may"),
        ({"allowed_sources": ["office"]}, "lab_allowed_sources has office, which is no network"),
        ({"allowed_sources": [""]}, "lab_allowed_sources has an empty text, which is no network"),
        ({"allowed_sources": ["192.0.2.0/33"]}, "lab_allowed_sources has 192.0.2.0/33, which is no network"),
        ({"allowed_sources": ["fe80::1%eth0"]}, "lab_allowed_sources has fe80::1%eth0, which is no network"),
        ({"allowed_sources": ["192.0.2.5/24"]}, "which is a host in a network: write 192.0.2.0/24 for the network, or 192.0.2.5 for the host alone"),
        ({"allowed_sources": ["2001:db8::5/64"]}, "write 2001:db8::/64 for the network, or 2001:db8::5 for the host alone"),
        ({"allowed_sources": ["::ffff:192.0.2.0/120"]}, "an IPv4 network written as IPv6"),
        ({"allowed_sources": ["192.0.2.0/24"]}, "nobody but the host itself can connect to lab_bind_address 127.0.0.1"),
        ({**OUTSIDE, "allowed_sources": ["2001:db8::/32"]}, "lab_allowed_sources has no IPv4 network, so nobody could connect to lab_bind_address 192.0.2.7"),
        ({**OUTSIDE, "bind_address": "::"}, "lab_allowed_sources has no IPv6 network, so nobody could connect to lab_bind_address ::"),
        ({**OUTSIDE, "tls": {**TLS, "mode": "none"}}, "lab_bind_address 192.0.2.7 would send the lab's token over the network in clear"),
        ({"user": "root"}, "lab_user root is no name"),
        ({"user": "Alice"}, "lab_user Alice is no name"),
        ({"memory": "lots"}, "lab_memory lots is no amount of memory"),
        ({"memory": "-1g"}, "lab_memory -1g is no amount of memory"),
        ({"memory": "4"}, "lab_memory 4 is too little for a server: allow at least 64m, with its unit"),
        ({"memory": "63.9M"}, "lab_memory 63.9M is too little"),
        ({"shm_size": ""}, "lab_shm_size  is no amount of memory"),
        ({"shm_size": "16"}, "lab_shm_size 16 is too little for a server: allow at least 1m, with its unit"),
        ({"cpus": -1.0}, "lab_cpus -1.0 is no number of CPUs"),
        ({"cpus": 0.001}, "lab_cpus 0.001 is no number of CPUs"),
        ({"cpus": 8.5}, "lab_cpus is 8.5, but this host has 8"),
        ({"packages_volume": "/srv/packages"}, "lab_packages_volume /srv/packages is no name for a volume"),
        ({"packages_volume": "x"}, "lab_packages_volume x is no name for a volume"),
        ({"log_max_size": "ten"}, "lab_log_max_size ten is no size of a file"),
        ({"log_max_size": "0m"}, "lab_log_max_size 0m is no size of a file"),
        ({"log_max_files": "0"}, "lab_log_max_files 0 is no number of files"),
        ({"log_max_files": "-1"}, "lab_log_max_files -1 is no number of files"),
        ({"flavor": "scipy"}, "Both lab_image (example.com/jupyter/minimal-notebook:2026-11-16) and image_flavor (scipy) are set: leave out one of them."),
        ({"pids": 5}, "lab_pids 5 is too few"),
        ({"read_only_image": True}, "lab_read_only_image is true, and lab_sudo, too"),
        ({"networks": ["host"]}, "lab_networks names host"),
        ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}, "through which the lab would have the engine"),
        ({"volumes": ["/run/user/1000/podman/podman.sock:/engine.sock:ro"]}, "through which the lab would have the engine"),
        ({"volumes": ["/run/:/host/run"]}, "through which the lab would have the engine"),
        *(
            ({"volumes": [path + ":/host:ro"]}, f"lab_volumes mounts {path}:/host:ro, through which the lab would have the engine")
            for path in (
                *("/", "/.", "//", "/etc/..", "/run", "/run/.", "/var/./run", "//run", "/run/../run", "/var", "/var/lib", "/var/lib/docker"),
                *("/proc", "/dev/sda", "/sys/fs", "/run/systemd", "/run/dbus", "/srv/docker.sock/", "/run/user/1000"),
            )
        ),
        ({"volumes": ["./data:/data"]}, "lab_volumes mounts ./data:/data, and ./data is neither an absolute path of the host nor the name of a volume"),
        ({"volumes": ["data/sets:/data"]}, "data/sets is neither an absolute path"),
        ({"volumes": ["$HOME/data:/data"]}, "$HOME/data is neither an absolute path"),
        ({"volumes": [":/data"]}, "an empty text is neither an absolute path"),
        ({"umask": "rwx"}, "lab_umask rwx is no umask"),
        ({"umask": "23"}, "lab_umask 23 is no umask"),
        ({"umask": "0o27"}, "lab_umask 0o27 is no umask"),
        ({"base_url": "/a b/"}, "lab_base_url /a b/ is no path"),
        ({"token": "short"}, "lab_token is too short"),
        ({"token": "long enough but with spaces"}, "lab_token is too short to be safe, or holds spaces"),
        ({"token": "twelve-chars\n"}, "lab_token is too short to be safe, or holds spaces"),
        ({"token": "twelve-chars", "token_rotate": True}, "lab_token_rotate makes a new token, and lab_token names one"),
        ({"password_hash": "my-password"}, "lab_password_hash is no argon2 hash"),
        ({"password_hash": "sha1:c5c4ed3a2d4e:3e1d8d29b6f0"}, "lab_password_hash is no argon2 hash"),
        ({"env": {"NB_UID": 0}}, "lab_env sets NB_UID, which the lab sets itself: use lab_owner"),
        ({"env": {"JUPYTER_TOKEN": "x"}}, "use lab_token for it"),
        ({"secret_env": {"JUPYTER_TOKEN": "x"}}, "lab_secret_env sets JUPYTER_TOKEN, which the lab sets itself: use lab_token"),
        ({"env": {"JUPYTER_RUNTIME_DIR": "/tmp"}}, "lab_env sets JUPYTER_RUNTIME_DIR, which keeps the server's notes"),
        ({"env": {"JUPYTER_CONFIG_PATH": "/tmp"}}, "lab_env sets JUPYTER_CONFIG_PATH, by which the server finds"),
        ({"env": {"JUPYTER_ENV_VARS_TO_UNSET": "JUPYTER_TOKEN_FILE"}}, "lab_env sets JUPYTER_ENV_VARS_TO_UNSET, which could take"),
        ({"secret_env": {"JUPYTERHUB_API_TOKEN": "x"}}, "lab_secret_env sets JUPYTERHUB_API_TOKEN, which makes the image wait"),
        *(
            ({"env": {"NOTEBOOK_ARGS": f"--debug {words} --ServerApp.quit_button=False"}}, "lab_env.NOTEBOOK_ARGS has " + words.split("=")[0].split()[0])
            for words in (
                "--IdentityProvider.token=''",
                "--IdentityProvider.token ''",
                "--IdentityProvider.token 'x y'",
                "-ServerApp.token=x",
                "--NotebookApp.token=",
                "--ServerApp.IdentityProvider.token=x",
                "--ServerApp.password=",
                "--PasswordIdentityProvider.hashed_password ''",
                "--ServerApp.allow_origin=*",
                "--ServerApp.allow_origin '*'",
                "--ServerApp.allow_origin_pat=.*",
                "--ServerApp.disable_check_xsrf=True",
                "--ServerApp.disable_check_xsrf true",
                "--IdentityProvider.need_token=False",
                "--ServerApp.identity_provider_class=mine.Open",
            )
        ),
        ({"env": {"GEN_CERT": "yes"}, "bind_address": "0.0.0.0"}, "lab_bind_address 0.0.0.0 would send the lab's token over the network in clear"),
        ({"bind_address": "::ffff:192.0.2.7", "tls": TLS}, "lab_bind_address ::ffff:192.0.2.7 is an IPv4 address written as IPv6"),
        ({"bind_address": "fe80::1%eth0", "tls": TLS}, "lab_bind_address fe80::1%eth0 is no IP address"),
        ({"user": "alice", "volumes": ["/data:/home/jovyan/data"]}, "but lab_user moves the home to /home/alice"),
        ({"requirements": "r.txt"}, "lab_requirements r.txt is not on the controller"),
        ({"constraints": "c.txt"}, "lab_constraints c.txt is not on the controller"),
        ({"wheels": "wheels"}, "lab_wheels wheels is not on the controller"),
        ({"missing_certificates": ["/x.crt"]}, "lab_ca_certificates names /x.crt, which is not on the controller"),
        ({"ca_certificates": "nothing"}, "lab_ca_certificates holds no certificate: name files in PEM format"),
        ({"image": ""}, "No image is named"),
        ({"kernels": [{"name": "python3"}]}, "lab_kernels names python3, which cannot be the name of a kernel"),
        ({"kernels": [{"name": 2024}, {"name": -1}]}, "lab_kernels names -1, which cannot be the name of a kernel"),
        ({"kernels": [{"name": "a b"}]}, "lab_kernels names a b, which cannot be the name of a kernel"),
    ],
)
def test_value_that_cannot_work(wanted, sentence):
    [only] = said(wanted)
    assert sentence in only
    # What is wrong, and what to do.
    assert re.fullmatch(r"[^\n]+: [^\n]+\.", only)


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        ({"engine": {**ENGINE, "available": False, "reason": "No engine answers."}}, "No engine answers."),
        ({"engine": {**ENGINE, "kind": "podman", "rootless": True}, "euid": 1001}, "systemctl --user enable --now podman.socket"),
        ({"engine": {**ENGINE, "settings": {"rootless": "on"}}}, "Docker on this host runs without root (rootless)"),
        ({"engine": {**ENGINE, "settings": {"userns": "on", "userns-remap": "default"}}}, "has userns-remap default among its daemon's settings"),
        ({"engine": {**ENGINE, "settings": {"userns": "on"}}}, "has userns-remap among its daemon's settings"),
        ({"engine": {**ENGINE, "settings": {"bridge": "none"}}}, "has bridge none among its daemon's settings"),
        ({"engine": {**ENGINE, "settings": {"iptables": False, "userland-proxy": False}}}, "has iptables false and userland-proxy false"),
        ({"engine": {**ENGINE, "settings": {"low": ["nofile=64"]}}}, "nofile=64 as one of the default-ulimits of its daemon"),
        ({"engine": {**ENGINE, "conflict": "The client talks to A, modules to B."}}, "The client talks to A, modules to B."),
        (
            {"engine": {**ENGINE, "here": False, "address": "tcp://192.0.2.7:2375", "named_by": "DOCKER_CONTEXT=second"}},
            "talks to tcp://192.0.2.7:2375 (DOCKER_CONTEXT=second), which is another host",
        ),
        ({"engine": {**ENGINE, "rootless": True}}, "Podman without root can give files to nobody but the user that runs it"),
        ({"requests": False}, "need the Python library requests"),
        ({"image": {"present": False, "jupyter": False}}, "is not on this host: run role mlenv.jupyter.image"),
        ({"image": {"present": True, "jupyter": False}}, "is not a Jupyter image"),
        ({"packages": {"malformed": [{"text": "a b", "where": "requirements:3", "why": "two words"}]}}, "a b (line 3 of r.txt) is no requirement: two words."),
        ({"packages": {"malformed": [{"text": "a b", "where": "name", "why": "two words"}]}}, "a b (in lab_packages) is no requirement: two words."),
        ({"packages": {"malformed": [{"text": "a b", "where": "/x/base.txt:3", "why": "two."}]}}, "a b (line 3 of /x/base.txt) is no requirement: two."),
        ({"packages": {"undecided": ["-r other.txt"]}}, "-r other.txt in lab_packages names a file of the controller"),
        ({"packages": {"undecided": ["--constraint=../c.txt"]}}, "--constraint=../c.txt in lab_packages"),
        ({"indexes": [["packages.example.com", "certificate", "self-signed"]]}, "would not trust (self-signed): name its authority's in lab_ca_certificates"),
        ({"protected": "a needs b; `protect_image: false` allows it"}, "a needs b; lab_protect_image: false allows it."),
        ({"indexes": [["packages.example.com", "login", "401"]]}, "The index packages.example.com wants a login (401): write it into its address"),
        ({"indexes": [["packages.example.com", "proxy", "407"]]}, "cannot be reached through the proxy (407): correct lab_proxy"),
        ({"indexes": [["packages.example.com", "unreachable", "no route"]]}, "of this host (no route): use another lab_index_url, or set lab_proxy"),
        ({"container": {**CONTAINER, "exists": True}}, "Container lab exists and is no Jupyter lab"),
        ({"container": {**CONTAINER, "namesake": "other"}}, "lab_name lab is how the ID of container other begins"),
        ({"work_dir": {**WORK, "type": "link", "uid": 1001}}, "lab_work_dir /x is a link, not a directory"),
        ({"work_dir": {**WORK, "path": "/run/user/1000", "type": "directory", "uid": 1001}}, "lab_work_dir is /run/user/1000, through which"),
        (
            {"work_dir": {**WORK, "real": "/var/run", "type": "directory", "uid": 1001}},
            "lab_work_dir is /x, which leads to /var/run, through which the lab would have the engine",
        ),
        ({"config_dir": {**PRIVATE, "path": "/dev/shm/x"}}, "lab_config_dir is /dev/shm/x, through which"),
        ({"config_dir": {**PRIVATE, "path": "/x", "links": ["/x/token"]}}, "/x/token is a link, which could lead root to any file of the host"),
        ({"networks": {"lan": "macvlan", "data": "bridge"}}, "lab_networks names lan, a network of driver macvlan"),
        ({"address_here": False}, "lab_bind_address 127.0.0.1 is no address of this host"),
        ({"port_holder": "process nginx (pid 1)"}, "Port 28888 of 127.0.0.1 is taken by process nginx (pid 1)"),
        ({"work_dir": {**WORK, "type": "file", "uid": 1001}}, "lab_work_dir /x is a file, not a directory"),
        ({"work_dir": {**WORK, "type": "hidden"}}, "lab_work_dir /x is where this user may not look: run the play with become"),
        ({"config_dir": {**PRIVATE, "type": "hidden"}}, "lab_config_dir /home/alice/.config/mlenv/lab is where this user may not look"),
        ({"work_dir": {**WORK, "type": "directory", "uid": 5}}, "belongs to uid 5, but the lab would write there as uid 1001"),
        ({"work_dir": {**WORK, "type": "absent", "links": ["/home/alice/out"]}}, "lab_work_dir /x is to be made, and /home/alice/out on the way is a link"),
        (
            {"work_dir": {**WORK, "uid": 5, "file_system": "vfat", "cannot": {**CANNOT, "why": "forbidden", "type": "vfat"}}},
            "name another directory, or mount its file system (vfat), which keeps no owners, with uid=1001.",
        ),
        (
            {"work_dir": {**WORK, "uid": 5, "cannot": {**CANNOT, "why": "read_only"}}},
            "only be read: mount it for writing",
        ),
        ({"work_dir": {**WORK, "uid": 1001, "cannot": {**CANNOT, "why": "full"}}}, "lab_work_dir /x is on /mnt (ext4), where uid"),
        ({"work_dir": {**WORK, "type": "absent", "cannot": {**CANNOT, "why": "no_owners", "by": 0}}}, "make the directory yourself, or name a directory"),
        ({"work_dir": {**WORK, "type": "absent", "cannot": {**CANNOT, "why": "read_only", "by": 0}}}, "mount it for writing, or name a directory"),
        (
            {"work_dir": {**WORK, "type": "hidden", "cannot": {**CANNOT, "why": "forbidden", "type": "nfs", "by": 0}}},
            "as a server does that squashes root",
        ),
        ({"config_dir": {**PRIVATE, "cannot": {**CANNOT, "why": "no_modes", "by": 0}}}, "keeps no modes of files, so that others could read them: have it"),
        ({"config_dir": {**PRIVATE, "type": "directory", "cannot": {**CANNOT, "why": "read_only", "by": 0}}}, "set lab_config_dir to a directory on a disk"),
        ({"volume": {"cannot": {**CANNOT, "why": "full"}}}, "lab_packages_volume lab-data is on /mnt (ext4), where uid 1001 has no room left"),
        ({"config_dir": {**PRIVATE, "type": "file"}}, "lab_config_dir /home/alice/.config/mlenv/lab is a file, not a directory"),
        ({"config_dir": {**PRIVATE, "type": "directory", "names": ["notes", "passwd"], "strangers": ["notes"]}}, "has notes in it, and was not made for a lab"),
        ({"config_dir": {**PRIVATE, "type": "directory", "names": ["jupyter_server_config.json"]}}, "has jupyter_server_config.json in it"),
    ],
)
def test_host_on_which_it_cannot_work(look, sentence):
    [only] = said({"requirements": "r.txt", "requirements_file": "/etc/r.txt"}, **look)
    assert sentence in only


def test_what_is_of_another_lab():
    one = {"name": "jupyter", "packages_volume": "jupyter-data"}
    assert "lab_name jupyter would share volume jupyter-data with the lab jupyter-ds" in said(one)[0]
    assert said(one, container={**CONTAINER, "exists": True, "managed": True}) == said({**one, "state": "absent"}) == said({"name": "jupyter"}) == []
    taken = {**PRIVATE, "home_taken": True}
    assert "/lab-home, where this lab would have its home, is the private directory of another lab" in said({"brings_home": True}, config_dir=taken)[0]
    assert said(config_dir=taken) == []


def test_mount_from_a_home_is_told_by_its_path():
    found = {"~/data": {"path": "/home/alice/data", "real": "/home/alice/data", "type": "absent"}}
    [only] = said({"volumes": ["~/data:/data"]}, mounts=found)
    assert "lab_volumes mounts ~/data:/data (/home/alice/data), which is not on this host" in only
    found["~/data"].update(type="directory", real="/var/run")
    [only] = said({"volumes": ["~/data:/data"]}, mounts=found)
    assert "(/home/alice/data), which leads to /var/run, through which the lab would have the engine" in only


def test_what_others_could_have_put_there():
    """Not used, and not removed either; a lab that only stops needs none of it."""
    planted = "/srv/labs belongs to mallory: give it to root."
    assert said(untrusted=planted) == [planted]
    assert said({"state": "stopped"}, untrusted=planted) == said({"state": "absent"}, untrusted=planted) == []
    assert said({"state": "absent", "remove_data": True}, untrusted=planted) == [planted]
    home = {"config_dir": {**PRIVATE, "home_untrusted": planted}}
    assert said(**home) == said({"state": "absent", "remove_data": True}, **home) == []
    assert said({"brings_home": True}, **home) == said({"brings_home": True, "state": "absent", "remove_data": True}, **home) == [planted]


def test_home_that_does_not_exist():
    owner, gone = {**LOOK["owner"], "home": "/home/alice"}, {**PRIVATE, "homeless": True}
    [both] = said(owner=owner, config_dir=gone, work_dir={**LOOK["work_dir"], "homeless": True})
    assert "The home of alice, /home/alice, does not exist, and lab_work_dir and lab_config_dir are in it: let alice log in once" in both
    [one] = said(owner=owner, config_dir=gone)
    assert "lab_config_dir is in it" in one


OTHER = {
    **{"host": "", "name": "other", "state": "running", "uid": 1002, "owner": "bob", "volume": "other-data", "volumes": [], "port": "28889"},
    **{"work_dir": "/home/bob/work", "private": ["/home/bob/.config/mlenv/other"], "address": "127.0.0.1"},
}
MINE = {"uid": 1001, "owner": "alice"}


@pytest.mark.parametrize(
    ("other", "wanted", "sentence"),
    [
        ({}, {}, None),
        ({"volume": "lab-data"}, {}, "lab_packages_volume lab-data would be that of labs lab and other of alice and bob, who cannot write each other's files"),
        ({"volume": "lab-data", **MINE}, {}, None),
        ({"volumes": ["lab-data"]}, {}, "lab_packages_volume lab-data is mounted by lab other of bob, too, who would leave files in it that lab lab of alice"),
        ({"volumes": ["lab-data"], **MINE}, {}, None),
        ({}, {"volumes": ["other-data:/x"]}, "lab_volumes mounts other-data, the packages volume of lab other of bob"),
        ({}, {"volumes": ["other-data:/x:rw,z"]}, "lab_volumes mounts other-data, the packages volume of lab other of bob"),
        ({}, {"volumes": ["other-data:/x:ro"]}, None),
        ({}, {"volumes": ["other-data:/x:z,ro"]}, None),
        ({"work_dir": "/home/alice/work"}, {}, "lab_work_dir /home/alice/work would be that of labs lab and other of alice and bob"),
        ({"work_dir": "/home/alice/work", **MINE}, {}, None),
        ({"private": [PRIVATE["path"]]}, {}, "lab_config_dir /home/alice/.config/mlenv/lab would be that of labs lab and other, and each would replace"),
        ({"private": [PRIVATE["path"]], **MINE}, {}, "lab_config_dir /home/alice/.config/mlenv/lab would be that of labs lab and other, and each"),
        ({"private": [PRIVATE["path"] + "-home"], **MINE}, {}, None),
        ({"private": [PRIVATE["path"] + "-home"], **MINE}, {"brings_home": True}, "/home/alice/.config/mlenv/lab-home would be that of labs"),
        ({"port": "28888"}, {}, "lab_port 28888 would be that of labs lab and other: give each of them a lab_port of its own."),
        ({"port": "28888", "state": "exited"}, {}, "labs lab and other (other is exited): give each of them a lab_port of its own, or remove that lab."),
        ({"port": "28888", "address": "0.0.0.0"}, {"port": 28888}, "lab_port 28888 would be that of labs lab and other"),
        ({"port": "28888", "address": "127.0.0.2"}, {}, None),
        ({"port": "28888", "address": "0:0:0:0:0:0:0:1"}, {"bind_address": "::1"}, "lab_port 28888 would be that of labs lab and other"),
    ],
)
def test_what_another_lab_has_already(other, wanted, sentence):
    """Be it stopped, and made by another run."""
    found = said(wanted, labs=[{**OTHER, **other}])
    assert [sentence in one for one in found] == ([True] if sentence else [])


def test_lab_of_the_same_name_that_is_somebody_else_s():
    there = {**CONTAINER, "exists": True, "managed": True, "uid": 1002, "owner": "bob"}
    [only] = said(container=there)
    assert "lab_name lab is that of a lab of bob, and this lab lab would be one of alice: give this lab a lab_name of its own" in only
    assert said(container={**there, "uid": 1001}) == said(container={**there, "uid": None}) == []
    assert said(container={**there, "managed": False, "jupyter": True}) == []
    # Who no longer wants it removes it, whoever it was made for.
    assert said({"state": "absent"}, container=there) == said({"state": "stopped"}, container=there) == []
    # Without root all labs of an engine are of one user, whose number in the lab is another one.
    assert said(container=there, engine={**ENGINE, "kind": "podman", "rootless": True, "socket": "/run/x"}, euid=1001) == []


def test_labs_of_one_play():
    """By their plans: those of other machines and engines are not in the way, nor is what a host without a plan wants."""
    mine = {**OTHER, "host": "a", "name": "a", "machine": "m", "engine": ["docker", "/var/lib/docker"]}
    other = {**mine, "host": "b", "name": "b", "uid": 1003, "owner": "carol", "port": "1", "work_dir": "/x", "private": []}

    def told(*others):
        return conflicts(mine, [{"__lab_plan": {"claims": claims}} for claims in others])

    [only] = told(mine, other)
    assert "lab_packages_volume other-data would be that of labs a and b of bob and carol" in only
    assert told({**other, "machine": "another"}) == told({**other, "engine": ["podman", "/x"]}) == told(mine) == []
    assert conflicts(mine, [{}, {"__lab_plan": {"refused": ["x"]}}, {"__lab_plan": None}]) == []
    [only] = told({**other, "name": "a"})
    assert "lab_name a is that of a and b on the same machine" in only
    # Ports and directories are the machine's, whichever engine has them.
    assert len(told({**other, "engine": ["podman", "/x"], "port": "28889", "work_dir": mine["work_dir"]})) == 2


def test_whose_the_lab_is_comes_before_where_they_may_look():
    found = said(engine={**ENGINE, "rootless": True}, config_dir={**PRIVATE, "type": "hidden"}, work_dir={**WORK, "type": "hidden"})
    assert "Podman without root can give files to nobody but" in found[0]


def test_networks_that_are_there_can_be_joined():
    wanted, networks = {"networks": ["bridge", "data"]}, {"bridge": "bridge", "data": "bridge"}
    assert said(wanted, networks=networks) == []
    [only] = said(wanted, networks={"bridge": "bridge"})
    assert "no such network: make it first (docker network create data)" in only
    # Check mode did not make the one that a task before us makes.
    assert said({**wanted, "check_mode": True}) == []


def test_without_owners_it_counts_who_can_write():
    """What belongs to whom the mount says, and to all of whom it lets write."""
    assert said(work_dir={**WORK, "uid": 5, "file_system": "vfat", "cannot": {}}) == []


@pytest.mark.parametrize("wanted", [{"memory": "1g"}, {"cpus": 1.5}, {"cpus": "1.5"}])
def test_host_that_cannot_limit(wanted):
    [only] = said(wanted, engine={**ENGINE, "limits": []})
    assert "but the engine of this host cannot limit that" in only


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ({"path": "/data", "real": "/srv/data", "type": "directory"}, None),
        (
            {"path": "/data", "real": "/run/docker.sock", "type": "socket"},
            "lab_volumes mounts /data:/x, which leads to /run/docker.sock, a socket, through which",
        ),
        ({"path": "/data", "real": "/srv/docker/volumes", "type": "directory"}, "lab_volumes mounts /data:/x, which leads to /srv"),
        ({"path": "/data", "real": "/srv", "type": "directory"}, "lab_volumes mounts /data:/x, which leads to /srv"),
        ({"path": "/data", "real": "/data", "type": "absent"}, "lab_volumes mounts /data:/x, which is not on this host"),
        ({"path": "/data", "real": "/mnt/gone", "type": "link"}, "lab_volumes mounts /data:/x, which leads to /mnt/gone, which is not on this host"),
        ({"path": "/data", "real": "/data", "type": "hidden"}, "lab_volumes mounts /data:/x, which root of this host may not see"),
    ],
)
def test_where_a_mount_leads(seen, sentence):
    found = said({"volumes": ["/data:/x"]}, mounts={"/data": seen}, engine={**ENGINE, "root_dir": "/srv/docker"})
    assert (len(found), sentence is None or sentence in found[0]) == (0 if sentence is None else 1, True)


def test_a_mount_that_we_may_not_see_is_the_engine_s_to_judge():
    assert said({"volumes": ["/data:/x"]}, mounts={"/data": {"path": "/data", "real": "/data", "type": "hidden"}}, euid=1000) == []


def test_a_mount_may_be_made_by_a_task_that_check_mode_leaves_out():
    assert said({"volumes": ["/data:/x"], "check_mode": True}, mounts={"/data": {"path": "/data", "real": "/data", "type": "absent"}}) == []


@pytest.mark.parametrize(
    ("wanted", "look", "sentences"),
    [
        (OUTSIDE, {"euid": 1000}, ["lab_allowed_sources needs root"]),
        (OUTSIDE, {"nft": False}, []),
        (OUTSIDE, {"nft": False, "apt": False}, ["lab_allowed_sources needs nft, which is not on this host"]),
        (OUTSIDE, {"boot": {"kind": ""}}, ["lab_allowed_sources would be forgotten when this host starts anew"]),
        ({}, {"euid": 1000, "nft": False, "apt": False, "boot": {"kind": ""}}, []),
        ({}, {"left": ["/etc/x.nft"]}, []),
        ({}, {"left": ["/etc/x.nft"], "euid": 1000}, ["Lab lab has rules of nftables that are to go (/etc/x.nft), which needs root"]),
        ({**OUTSIDE, "state": "absent"}, {"left": ["/etc/x.nft"], "euid": 1000}, ["that are to go"]),
        ({**OUTSIDE, "state": "absent", "allowed_sources": []}, {}, []),
        ({**OUTSIDE, "state": "stopped"}, {"left": ["/etc/x.nft"], "euid": 1000}, []),
    ],
)
def test_host_that_cannot_keep_others_out(wanted, look, sentences):
    found = said(wanted, euid=look.get("euid", 0), sources={**LOOK["sources"], **look})
    assert [sentence in one for sentence, one in zip(sentences, found)] == [True] * len(found) == [True] * len(sentences)


@pytest.mark.parametrize(
    "look",
    [
        {"container": {**CONTAINER, "exists": True, "managed": True}},
        {"container": {**CONTAINER, "exists": True, "jupyter": True}},
        {"work_dir": {**WORK, "type": "directory", "uid": 1001}},
        {"config_dir": {**PRIVATE, "type": "directory"}},
        {"config_dir": {**PRIVATE, "type": "directory", "ours": True, "names": ["notes", "token"], "strangers": ["notes"]}},
        {"engine": {**ENGINE, "cpus": 0}},
        {"packages": {"malformed": [], "undecided": ["-r https://example.com/r.txt", "-r /srv/r.txt", "lab @ https://example.com/lab.whl"]}},
    ],
)
def test_host_on_which_it_works(look):
    assert said(**look) == []


KERNEL = {"name": "old", "requirements": "old.txt"}
TEXTS = {"name": "old", "requirements": "pandas", "constraints": ""}


@pytest.mark.parametrize(
    ("kernels", "texts", "kernel_look", "sentences"),
    [
        ([KERNEL], [TEXTS], {}, []),
        ([KERNEL], [{**TEXTS, "requirements": ""}], {}, ["requirements old.txt of kernel old in lab_kernels is not on the controller, or is empty"]),
        ([KERNEL, KERNEL], [TEXTS, TEXTS], {}, ["lab_kernels names old more than once"] * 2),
        ([KERNEL], [TEXTS], {"malformed": [{"where": "requirements:2", "text": "!", "why": "no name"}]}, ["! (line 2 of old.txt) is no requirement: no name."]),
        ([KERNEL], [TEXTS], {"malformed": [{"where": "name", "text": "!", "why": "no name"}]}, ["! (in kernel old of lab_kernels) is no requirement"]),
        ([KERNEL], [TEXTS], {"undecided": ["-c other.txt"]}, ["-c other.txt in kernel old of lab_kernels names"]),
    ],
)
def test_kernels(kernels, texts, kernel_look, sentences):
    found = said({"kernels": kernels, "kernel_texts": texts, "kernels_wrong": [""] * len(kernels)}, packages={"kernels": {"old": kernel_look}})
    assert [sentence in one for sentence, one in zip(sentences, found)] == [True] * len(found) == [True] * len(sentences)


def test_a_file_of_a_kernel_that_cannot_be_read_is_told_of_once():
    found = said({"kernels": [KERNEL], "kernel_texts": [{**TEXTS, "requirements": ""}], "kernels_wrong": ["The file old.txt is not good: no."]})
    assert found == ["The file old.txt is not good: no."]


def test_check_mode_runs_to_the_end_on_a_bare_host():
    bare = {"engine": {**ENGINE, "available": False, "reason": "No engine answers."}, "requests": False, "image": {"present": False, "jupyter": False}}
    assert said({"check_mode": True}, **bare) == []


@pytest.mark.parametrize("state", ["started", "restarted", "stopped", "absent"])
def test_a_container_of_somebody_else_is_left_alone(state):
    [only] = said({"state": state}, container={**CONTAINER, "exists": True})
    assert "Container lab exists and is no Jupyter lab" in only


@pytest.mark.parametrize("state", ["started", "absent"])
@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        ({"work_dir": "notebooks"}, "lab_work_dir notebooks is no absolute path of the host"),
        ({"config_dir": "./private"}, "lab_config_dir ./private is no absolute path of the host"),
        ({"config_dir": ""}, "lab_config_dir (empty) is no absolute path of the host"),
        ({"work_dir": "/srv/a:b"}, "lab_work_dir /srv/a:b holds a colon"),
        ({"work_dir": "/srv/lab", "config_dir": "/srv/lab"}, "lab_work_dir /srv/lab is in lab_config_dir"),
        ({"work_dir": "/srv/lab/work", "config_dir": "/srv/lab/"}, "lab_work_dir /srv/lab/work is in lab_config_dir"),
    ],
)
def test_path_that_cannot_be_used(state, paths, sentence):
    [only] = said({"state": state}, **{name: {**LOOK[name], "path": path} if path else None for name, path in paths.items()})
    assert sentence in only


@pytest.mark.parametrize("paths", [("/srv/lab", "/srv/lab/.config"), ("/srv/lab", "/srv/la"), ("/srv/lab-work", "/srv/lab")])
def test_paths_beside_each_other(paths):
    assert said(work_dir={**LOOK["work_dir"], "path": paths[0]}, config_dir={**PRIVATE, "path": paths[1]}) == []


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_a_lab_that_shall_not_run_needs_its_name_and_an_engine_alone(state):
    assert said({"state": state, "image": "", "port": 0, "token": "short"}, port_holder="process nginx (pid 1)") == []
    assert said({"state": state}, engine={**ENGINE, "available": False, "reason": "No engine answers."}) == ["No engine answers."]
    assert len(said({"state": state, "name": "my lab"})) == 1


def test_all_sentences_come_at_once():
    assert len(said({"port": 0, "umask": "x", "memory": "lots"})) == 3


# -- A host that is still bare ------------------------------------------------------------------------------------

GPU = {"index": "0", "uuid": "GPU-0", "name": "NVIDIA A10", "compute": "8.6"}
EARLY = {
    **{"state": "early", "name": "lab", "port": "28888", "bind_address": "127.0.0.1", "image": "r.example.com/pytorch-notebook:cuda13-2026-11-16"},
    **{"packages_volume": "lab-data", "volumes": [], "brings_home": False},
}
NEIGHBOUR = {
    **{"host": "other", "state": "started", "name": "other", "port": 28889, "address": "127.0.0.1", "gpus": "auto", "exclusive": False},
    **{"owner": "", "volume": "other-data", "work_dir": "~/other", "config_dir": "~/.config/mlenv/other"},
}


def said_early(gpus="auto", toolkit=True, neighbour=(), **host):
    play = [{**NEIGHBOUR, **WANTED["gpus"], "port": 28888}, {**NEIGHBOUR, **dict(neighbour)}]
    wanted = {**EARLY, "toolkit": toolkit, "gpus": {**WANTED["gpus"], "gpus": gpus}, "gpu_play": play, "neighbours": play}
    seen = {**_gpus.NONE, **_gpus.UNSEEN, "card": True, "driver": "580.65.06", "devices": [GPU], **host}
    return refusals(wanted, {**LOOK, "engine": {**ENGINE, "available": False, "reason": "None."}, "requests": False, "gpus": seen})


def test_bare_host_that_can_get_all_that_it_lacks():
    assert said_early() == said_early(gpus=1) == []


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"gpus": 2}, "lab_gpus asks for 2 GPUs, but this host has 1 GPU"),
        ({"gpus": ["7"]}, "lab_gpus names GPU 7"),
        ({"gpus": 1, **_gpus.NONE}, "wants GPUs, but this host has none"),
        ({"driver": "570.133.20"}, "needs NVIDIA's driver 580.65.06 or later, but this host has 570.133.20"),
        ({"gpus": 1, "toolkit": False}, "the NVIDIA Container Toolkit is not set up"),
        ({"neighbour": {"name": "lab"}}, "lab_name lab is that of lab and other on the same machine: the two would be one container"),
        ({"neighbour": {"port": 28888}}, "lab_port 28888 would be that of labs lab and other: give each of them a lab_port of its own."),
        ({"neighbour": {"port": 28888, "address": "0.0.0.0"}}, "lab_port 28888 would be that of labs lab and other"),
        ({"neighbour": {"owner": "bob", "volume": "lab-data"}}, "lab_packages_volume lab-data would be that of labs lab and other of alice and bob"),
        ({"neighbour": {"owner": "bob", "work_dir": "/home/alice/work/"}}, "lab_work_dir /home/alice/work would be that of labs lab and other of"),
        ({"neighbour": {"config_dir": "~/.config/mlenv/lab"}}, "lab_config_dir /home/alice/.config/mlenv/lab would be that of labs lab and other"),
        ({"neighbour": {"owner": "bob", "config_dir": "/home/alice/.config/mlenv/./lab"}}, "/.config/mlenv/lab would be that of labs lab and other"),
    ],
)
def test_what_a_bare_host_will_never_have(asked, sentence):
    [found] = said_early(**asked)
    assert sentence in found


@pytest.mark.parametrize(
    "neighbour",
    [
        {"port": 28888, "address": "127.0.0.2"},
        {"name": "lab", "state": "absent"},
        # Of one owner, as far as is known.
        {"volume": "lab-data", "work_dir": "/home/alice/work"},
        {"owner": "alice", "volume": "lab-data", "work_dir": "~/work"},
        # In another home.
        {"owner": "bob", "work_dir": "~/work", "config_dir": "~/.config/mlenv/lab"},
    ],
)
def test_neighbours_that_are_not_in_the_way(neighbour):
    assert said_early(neighbour=neighbour) == []


def test_a_kernel_is_refused_as_early_as_the_lab():
    kernels = {"kernels": [KERNEL], "kernel_texts": [{**TEXTS, "packages": [], "requirements": "pandas\n>2\n"}], "kernels_wrong": [""]}
    assert [">2 (line 2 of old.txt) is no requirement" in one for one in said_bare(kernels)] == [True]


TEXTS_OF_LAB = {"packages": ["pandas", "dask[array,dataframe]>=2024"], "requirements": "numpy # and so on\n", "constraints": "numpy<3\n"}


def said_bare(wanted=(), texts=(), **look):
    bare = {**NOWHERE, "settings": {}, "available": False, "reason": "No engine answers.", "kind": "", "rootless": False, "cpus": 0, "limits": []}
    nothing = {"engine": {**ENGINE, **bare}, "requests": False, "image": {"present": False, "jupyter": False}}
    return said({"state": "bare", "networks": ["data"], "texts": {**TEXTS_OF_LAB, **dict(texts)}, **dict(wanted)}, **nothing, **look)


@pytest.mark.parametrize(
    ("wanted", "texts", "look", "sentence"),
    [
        ({}, {}, {}, None),
        ({"port": 99999}, {}, {}, "lab_port 99999 is no port"),
        ({"token": "short"}, {}, {}, "lab_token is too short"),
        ({"requirements": "r.txt"}, {}, {}, "lab_requirements r.txt is not on the controller"),
        ({}, {}, {"work_dir": {**WORK, "type": "file", "uid": 1001}}, "lab_work_dir /x is a file"),
        ({}, {}, {"port_holder": "process nginx (pid 1)"}, "is taken by process nginx"),
        ({}, {"packages": ["two words"]}, {}, "two words (in lab_packages) is no requirement"),
        ({"requirements": "r.txt", "requirements_file": "/r.txt"}, {"requirements": "numpy\n>2\n"}, {}, ">2 (line 2 of r.txt) is no requirement"),
        ({}, {"packages": ["-r other.txt"]}, {}, "-r other.txt in lab_packages names a file of the controller"),
        ({}, {"requirements": '#line 7 "/x/base.txt"\nnumpy\n>2\n'}, {}, ">2 (line 8 of /x/base.txt) is no requirement"),
        ({}, {"constraints": "numpy[x]<2\n"}, {}, "Constraints cannot have extras"),
        ({"texts_wrong": "The requirements file /x cannot be read: no."}, {}, {}, "The requirements file /x cannot be read: no."),
        # What only the lab can know: its variables, its files, and how old its pip is.
        ({}, {"requirements": "numpy==${HVER}\n${NAME} is what\n"}, {}, None),
        ({}, {"requirements": "./there\nwork/wheels/a.whl\n~/b.whl\n/c.tar.gz\nd.zip\n"}, {}, None),
        ({}, {"requirements": "numpy>=1.0.dev-r1\n"}, {}, None),
        ({}, {"requirements": "numpy; os_name ~= 'posix'\n"}, {}, None),
    ],
)
def test_what_needs_neither_engine_nor_image_to_be_refused(wanted, texts, look, sentence):
    found = said_bare(wanted, texts, **look)
    assert (len(found), sentence is None or sentence in found[0]) == (0 if sentence is None else 1, True)


@pytest.mark.parametrize(
    ("wanted", "look", "sentence"),
    [
        (["projcts"], {"groups": {"given": [], "unknown": ["projcts"]}}, "lab_groups names projcts, and this host has no such group"),
        (["root"], {"groups": {"given": [{"gid": 0, "name": "root"}], "unknown": []}}, "lab_groups names root's group"),
        (["projects"], {"engine": {**ENGINE, "rootless": True}, "euid": 1001}, "which Podman without root cannot give to a container"),
    ],
)
def test_groups_that_a_lab_cannot_have(wanted, look, sentence):
    assert sentence in said({"groups": wanted}, **look)[0]


@pytest.mark.parametrize("wanted", [["auto"], ["none"], []])
def test_groups_of_a_lab_on_podman_without_root(wanted):
    assert said({"groups": wanted}, engine={**ENGINE, "rootless": True}, euid=1001) == []


@pytest.mark.parametrize(
    ("proxy", "env", "sentence"),
    [
        ("auto", {"HTTP_PROXY": "http://proxy"}, ""),
        ({"https_proxy": "http://proxy.example.com:3128"}, {"A": "b"}, ""),
        ({}, {}, ""),
        ("http://a:very-secret@proxy", {}, "lab_proxy http://********@proxy is neither auto, none nor a dictionary"),
        (False, {}, "lab_proxy False is neither"),
        ("", {}, "lab_proxy (empty) is neither"),
        ({"proxy": "http://proxy"}, {}, "lab_proxy has proxy, which is no variable for a proxy"),
        ({"https_proxy": "no address"}, {}, "lab_proxy has no address as https_proxy"),
        ({"https_proxy": "http://proxy"}, {"HTTPS_PROXY": "x"}, "lab_proxy is set, and lab_env or lab_secret_env has HTTPS_PROXY, too"),
    ],
)
def test_proxy(proxy, env, sentence):
    found = said({"proxy_given": proxy, "env": env})
    assert found == [] if sentence == "" else [text for text in found if sentence in text]
    assert "very-secret" not in str(found)


def test_proxy_of_the_client_that_cannot_be_one():
    wrong = {**UNSEEN, "wrong": "proxies in /root/.docker/config.json has x y as http_proxy."}
    assert said({"proxy": "auto"}, proxy=wrong) == [wrong["wrong"]]
    assert said({"proxy": "none"}, proxy=wrong) == []


@pytest.mark.parametrize("settings", [{"no-new-privileges": True}, {"bridge": "br0"}, {"iptables": False}, {"userland-proxy": False}])
def test_settings_of_the_daemon_that_a_lab_can_live_with(settings):
    assert said(engine={**ENGINE, "settings": settings}) == []


def test_without_a_bridge_a_lab_may_have_a_network_of_its_own():
    assert said(wanted={"networks": ["data"]}, engine={**ENGINE, "settings": {"bridge": "none"}}, networks={"data": "bridge"}) == []
