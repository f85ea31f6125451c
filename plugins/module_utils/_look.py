# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one look at a lab: everything that the role wants to know, gathered on the managed host, changing nothing.

Private to the collection. Pure readings of what an engine says (``read_*``) come first, then what must be
asked of the host (owner, paths, port), then ``Look``, which asks it all in the right order.
"""

from __future__ import annotations

import errno
import grp
import hashlib
import http.client
import json
import os
import pwd
import re
import shlex
import shutil
import socket
import ssl
import stat
import time
from functools import partial
from importlib.util import find_spec

from ansible_collections.mlenv.jupyter.plugins.module_utils import _gpus, _passing
from ansible_collections.mlenv.jupyter.plugins.module_utils._address import NOWHERE, find_address
from ansible_collections.mlenv.jupyter.plugins.module_utils._daemon import find_settings
from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import (
    CRASHES,
    Container,
    ContainerGone,
    Engine,
    EngineError,
    Result,
    crashes,
    engine_trouble,
    read_time,
    refuse_client,
)
from ansible_collections.mlenv.jupyter.plugins.module_utils._mounts import explain, mount_of, try_directory
from ansible_collections.mlenv.jupyter.plugins.module_utils._names import (
    CERTIFICATE,
    CONFIG_MOUNT,
    IMAGE_GID,
    IMAGE_UID,
    LABEL,
    PRIVATE_FILES,
    ROOTS_GROUPS,
    SECRET_CONFIG,
    SERVER_CONFIG,
    SHORTEST_TOKEN,
    SKELETON,
    WHEELS,
    is_loopback,
)
from ansible_collections.mlenv.jupyter.plugins.module_utils._probe import parse_probe, probe_command
from ansible_collections.mlenv.jupyter.plugins.module_utils._proxy import look_at_proxy, secret_text
from ansible_collections.mlenv.jupyter.plugins.module_utils._sources import EVERYBODY, look_at_sources
from ansible_collections.mlenv.jupyter.plugins.module_utils._trust import trusted_users, user_name, walk, why_not_trusted

TEXT = {"type": "str", "default": ""}
ARGUMENTS = {
    "name": {**TEXT, "aliases": ["container"]},
    "image": TEXT,
    "owner": TEXT,
    "groups": {"type": "list", "elements": "str", "default": []},
    "work_dir": TEXT,
    "config_dir": TEXT,
    "volume": TEXT,
    "home": {"type": "str", "default": "/home/jovyan"},
    "port": {"type": "int", "default": 0},
    "bind_address": {"type": "str", "default": "127.0.0.1"},
    "allowed_sources": {"type": "list", "elements": "str", "default": EVERYBODY},
    "networks": {"type": "list", "elements": "str", "default": []},
    "container_port": {"type": "int", "default": 8888},
    "packages": {"type": "list", "elements": "str", "default": []},
    "packages_state": {"type": "str", "choices": ["present", "exact"], "default": "present"},
    "requirements": TEXT,
    "constraints": TEXT,
    "kernels": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "requirements": TEXT,
            "constraints": TEXT,
            "state": {"type": "str", "choices": ["present", "exact", "absent"], "default": "present"},
        },
    },
    "ca_certificates": TEXT,
    "token": {**TEXT, "no_log": True},
    "secret_config": {**TEXT, "no_log": True},
    "proxy": {"type": "raw", "default": "none"},
    "mounts": {"type": "list", "elements": "str", "default": []},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "env": {"type": "dict", "default": {}},
    "index_lines": {"type": "list", "elements": "str", "default": []},
    "protect_image": {"type": "bool", "default": False},
    "gpus": {"type": "bool", "default": True},
    "wait": {"type": "int", "default": 0},
    "sizes": {"type": "bool", "default": False},
    "log_lines": {"type": "int", "default": 0},
    "docker_cli": {"type": "str", "default": "docker"},
    "docker_host": TEXT,
}

ABSENT = {"exists": False, "running": False, "state": "absent", "managed": False, "health": "none", "namesake": ""}
# How long a look without waiting asks a container again that ends meanwhile, how long one that ended is given to be started, in seconds.
COMING, SETTLED = 3.0, 5.0

# By then a server answers, or never will; and an answer that takes so long is none. In seconds.
STARTED, PATIENCE = 60, 20

NO_ENGINE = {
    **{"available": False, "daemon": "", "reason": "", "kind": "", "version": "", "runtimes": [], "default_runtime": "", "cdi_dirs": [], "limits": []},
    **{"architecture": "", "cpus": 0, "containers": 0, "live_restore": False, "root_dir": "", "free": -1, "rootless": False, "selinux": False, "socket": ""},
    **NOWHERE,
    "settings": {},
}

# In a lab whose files we cannot see from the host: the first directory where its user cannot write a notebook, and why.
WRITE = """for place; do
    file=$place/.mlenv-$$
    said=$({ head -c 65536 /dev/zero > "$file" && [ "$(wc -c < "$file")" -eq 65536 ]; } 2>&1)
    failed=$?
    rm -f "$file"
    [ "$failed" -eq 0 ] || { printf '%s\\t%s\\n' "$place" "$said" | head -n 1; exit; }
done"""

# Where distributions keep what the host itself trusts.
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


# -- What an engine says, under the names that we use -------------------------------------------------------------


def read_info(text: str) -> dict:
    """What ``info`` printed, whatever stands before and behind it; {} if that is no answer."""
    try:
        info, _end = json.JSONDecoder().raw_decode(text[max(text.find("{"), 0) :])
    except ValueError:
        return {}
    return info if isinstance(info, dict) else {}


def read_engine(info: dict) -> dict:
    """``info`` of either client -> what the role must know of the engine."""
    if "host" in info:
        return _read_podman(info)
    limits = {"memory": "MemoryLimit", "cpus": "CpuCfsQuota", "pids": "PidsLimit"}
    return {
        "kind": "docker",
        "version": info["ServerVersion"],
        "runtimes": sorted(info.get("Runtimes") or {}),
        "default_runtime": info.get("DefaultRuntime", ""),
        "cdi_dirs": info.get("CDISpecDirs") or [],
        "architecture": info.get("Architecture", ""),
        "cpus": info.get("NCPU", 0),
        "containers": info.get("ContainersRunning", 0) + info.get("ContainersPaused", 0),
        "live_restore": info.get("LiveRestoreEnabled", False),
        "root_dir": info.get("DockerRootDir", ""),
        "selinux": any("name=selinux" in option for option in info.get("SecurityOptions") or []),
        "limits": [name for name, word in limits.items() if info.get(word, True)],
    }


def _read_podman(info: dict) -> dict:
    """Podman has neither a daemon that containers depend on, nor runtimes to choose from."""
    host, store = info["host"], info.get("store") or {}
    socket_path = re.sub("^unix://", "", (host.get("remoteSocket") or {}).get("path", ""))
    controllers = host.get("cgroupControllers")
    names = {"memory": "memory", "cpus": "cpu", "pids": "pids"}
    return {
        "kind": "podman",
        "version": info["version"]["Version"],
        "cdi_dirs": list(_gpus.CDI_DIRS),
        "architecture": host.get("arch", ""),
        "cpus": host.get("cpus", 0),
        "containers": (store.get("containerStore") or {}).get("running", 0),
        "live_restore": True,
        "root_dir": store.get("graphRoot", ""),
        "rootless": (host.get("security") or {}).get("rootless", False),
        "selinux": (host.get("security") or {}).get("selinuxEnabled", False),
        "socket": socket_path if os.path.exists(socket_path) else "",
        "limits": [name for name, controller in names.items() if controllers is None or controller in controllers],
    }


def read_env(raw: dict) -> dict:
    """What ``inspect`` says of the variables of an image or a container."""
    return dict(item.partition("=")[::2] for item in (raw.get("Config") or {}).get("Env") or [])


def read_image(raw: dict, reference: str = "") -> dict:
    """``image inspect`` -> what the roles must know of an image. A Jupyter image is one that sets NB_USER.

    serves: whether it starts a server. name: how the engine's interface knows it. Podman's takes no short names, as its client does.
    """
    config, env = raw.get("Config") or {}, read_env(raw)
    tags = raw.get("RepoTags") or []
    starts = " ".join([*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])])
    return {
        "present": True,
        "id": raw["Id"],
        "name": reference if reference in tags else next((tag for tag in tags if tag.endswith("/" + reference)), reference),
        "jupyter": "NB_USER" in env,
        "serves": "JUPYTER_PORT" in env or bool(re.search("jupyter|start-notebook|start-singleuser", starts)),
        "path": env.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        "conda": env.get("CONDA_DIR", ""),
        "architecture": raw.get("Architecture", ""),
        "size": raw.get("Size", 0),
        "cuda": {"version": env.get("CUDA_VERSION", ""), "requires": env.get("NVIDIA_REQUIRE_CUDA", "")},
    }


def read_container(container: Container) -> dict:
    """``container inspect`` -> state, settings and mounts. Environment is left out: people put secrets there."""
    raw, host = container.raw, container.raw["HostConfig"]
    labels = raw["Config"].get("Labels") or {}
    mounts = {mount["Destination"]: mount for mount in raw.get("Mounts") or []}
    state = raw["State"]
    return {
        "exists": True,
        "namesake": "",
        "id": raw["Id"],
        "state": container.state,
        "running": container.state == "running",
        "health": (state.get("Health") or {}).get("Status", "none"),
        "restarts": raw.get("RestartCount", 0),
        "started_at": container.started_at,
        "exit_code": state.get("ExitCode", 0),
        "managed": LABEL + "spec" in labels,
        "uid": read_uid(container),
        "owner": "" if read_uid(container) is None else user_name(read_uid(container)),
        "jupyter": "NB_USER" in container.env,
        "spec": labels.get(LABEL + "spec", ""),
        "image": raw["Config"].get("Image", ""),
        "image_id": raw.get("Image", ""),
        "user": container.user,
        "home": container.home,
        "memory": host.get("Memory") or 0,
        "cpus": (host.get("NanoCpus") or 0) / 1e9,
        "pids": max(host.get("PidsLimit") or 0, 0),
        "restart_policy": (host.get("RestartPolicy") or {}).get("Name") or "no",
        "networks": sorted((raw.get("NetworkSettings") or {}).get("Networks") or {}),
        "gpus": labels.get(LABEL + "gpus", "").split(",") if labels.get(LABEL + "gpus") else [],
        "gpu_way": _gpus.read_handover(raw),
        "mounts": {path: mount.get("Name") or mount.get("Source", "") for path, mount in sorted(mounts.items())},
    }


def read_uid(container: Container) -> int | None:
    """The number of a lab's user, as role lab gives it; None if there is none. Images set NB_UID: it counts where root makes that user."""
    number = container.env.get("NB_UID", "") if container.started_as_root else container.raw["Config"]["User"].partition(":")[0]
    return int(number) if number.isdigit() else None


def read_claim(container: Container, uid: int | None = None) -> dict:
    """``container inspect`` of a lab -> what no other lab can have beside it. uid: that of all labs of an engine without root."""
    mounts = {mount["Destination"]: mount for mount in container.raw.get("Mounts") or []}
    home, server = container.home, read_server(container)
    uid = read_uid(container) if uid is None else uid
    volume = (mounts.get(f"{home}/.local") or {}).get("Name", "")
    names = [mount["Name"] for mount in mounts.values() if mount.get("Name") and mount.get("RW", True)]
    places = {path: os.path.realpath(mount.get("Source", "")) for path, mount in mounts.items() if not mount.get("Name")}
    return {
        "host": "",
        "name": container.name,
        "state": container.state,
        "uid": uid,
        "owner": "" if uid is None else user_name(uid),
        "volume": volume,
        "volumes": sorted(set(names) - {volume}),
        "work_dir": places.get(f"{home}/work", ""),
        "private": [places[path] for path in (CONFIG_MOUNT, home) if path in places],
        "port": str(server["port"]),
        "address": server["address"],
    }


def find_machine() -> str:
    """The same for all that are on this machine now, containers that are hosts of their own apart."""
    return f"{_content('/proc/sys/kernel/random/boot_id').decode().strip()} {os.readlink('/proc/self/ns/net')}"


def read_lost_mounts(mountinfo: str) -> list:
    """/proc/PID/mountinfo of a container -> where it still has a file or directory of the host that is gone since it started."""
    fields = [line.split() for line in mountinfo.splitlines()]
    return [words[4] for words in fields if words[3].endswith("//deleted")]


def read_server(container: Container) -> dict:
    """How the server is reached from the host: scheme, address, port, base URL. Labels first, else Jupyter's defaults."""
    labels = container.raw["Config"].get("Labels") or {}
    env = container.env
    inside = "%s/tcp" % env.get("JUPYTER_PORT", "8888")
    # The wanted binding, not the present one: a stopped container has no present one.
    bindings = (container.raw["HostConfig"].get("PortBindings") or {}).get(inside) or [{}]
    base_url = labels.get(LABEL + "base-url") or _option(env.get("NOTEBOOK_ARGS", ""), "base_url") or "/"
    # Docker Stacks: the presence of GEN_CERT turns TLS on, whatever it says.
    scheme = labels.get(LABEL + "scheme") or ("https" if "GEN_CERT" in env else "http")
    return {
        "scheme": scheme,
        "address": bindings[0].get("HostIp") or "0.0.0.0",
        "port": int(bindings[0].get("HostPort") or 0),
        "base_url": "/" + base_url.strip("/") + "/" if base_url.strip("/") else "/",
    }


def _option(arguments: str, name: str) -> str:
    """The value of --ServerApp.NAME=value in Jupyter's command line options."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        return ""
    for word in words:
        key, _sep, value = word.partition("=")
        if key in ("--ServerApp." + name, "--NotebookApp." + name):
            return value
    return ""


def read_bridge(network: dict) -> str:
    """``network inspect`` -> the name of its bridge on the host, "" if it has none."""
    if network.get("Driver", network.get("driver")) != "bridge":
        return ""
    named = network.get("network_interface") or (network.get("Options") or {}).get("com.docker.network.bridge.name")
    return named or f"br-{network['Id'][:12]}"


def page_url(server: dict) -> str:
    """The address to type into a browser on the host, without the token."""
    address = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(server["address"], server["address"])
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    return f"{server['scheme']}://{address}:{server['port']}{server['base_url']}lab"


# -- What the host says -----------------------------------------------------------------------------------------


def find_user(who: str | int) -> pwd.struct_passwd:
    """Raises KeyError, with the name or number, if there is no such user."""
    try:
        return pwd.getpwnam(who) if isinstance(who, str) else pwd.getpwuid(who)
    except KeyError:
        raise KeyError(who) from None


def who_connected() -> str | int:
    """Name or uid of who connected, before any become, as far as that is told: by sudo and doas, not by su."""
    told = os.environ.get("SUDO_UID", "")
    return int(told) if told.isdigit() else os.environ.get("DOAS_USER") or os.getuid()


def find_owner(name: str) -> dict:
    """The host user to whom the lab belongs: the one named, else who connected, before any become.

    Returns name, uid, gid, home, and lab_uid, lab_gid: the numbers that the lab's user gets. They are the
    owner's, but for root, who gets those of the image's own user: a notebook server has no business being root.
    Raises KeyError if there is no such user.
    """
    if name:
        entry = find_user(name)
    else:
        entry = find_user(who_connected())
    root = entry.pw_uid == 0
    return {
        "name": entry.pw_name,
        "uid": entry.pw_uid,
        "gid": entry.pw_gid,
        "home": entry.pw_dir,
        "lab_uid": IMAGE_UID if root else entry.pw_uid,
        "lab_gid": IMAGE_GID if root else entry.pw_gid,
    }


def find_groups(owner: dict, wanted: list) -> dict:
    """The groups of the host that the lab's user gets besides its own: ``given``, with number and name, and those that are ``unknown``.

    ``auto`` is those of the owner, but for ROOTS_GROUPS. None are root's, who is not the lab's user.
    """
    own = [] if owner["lab_uid"] != owner["uid"] else os.getgrouplist(owner["name"], owner["gid"])
    given, unknown = {}, []
    for text in wanted if wanted != ["none"] else []:
        numbers = own if text == "auto" else _group_numbers(text, own)
        names = {number: _group_name(number) for number in numbers}
        given.update({number: name for number, name in names.items() if text != "auto" or not (number == 0 or name in ROOTS_GROUPS)})
        unknown += [] if text == "auto" or numbers else [text]
    for number in (owner["lab_gid"], IMAGE_GID):
        given.pop(number, None)
    return {"given": [{"gid": number, "name": name} for number, name in given.items()], "unknown": unknown}


def _group_numbers(text: str, own: list) -> list:
    """The number of a group that is named, or is one of the owner's, as a list."""
    try:
        if not text.isdecimal():
            return [grp.getgrnam(text).gr_gid]
        return [int(text)] if int(text) in own else [grp.getgrgid(int(text)).gr_gid]
    except (KeyError, OverflowError):
        return []


def _group_name(number: int) -> str:
    """As a file of groups can have it."""
    try:
        name = grp.getgrgid(number).gr_name
    except KeyError:
        name = ""
    return name if name and not re.search("[:,\n]", name) else f"group-{number}"


def lab_user(owner: dict, groups: dict) -> dict:
    """The lab's user as the host knows it: its numbers, and those of its groups."""
    return {"uid": owner["lab_uid"], "gid": owner["lab_gid"], "groups": [owner["lab_gid"], *(group["gid"] for group in groups["given"]), IMAGE_GID]}


def find_path(path: str, home: str, follow: bool = True) -> dict:
    """A path of the host, ~ being the owner's home: path, where it leads (real), type, uid, gid, mode.

    The type is absent, directory, file, link, socket, other, or hidden, if we may not see whether it is there. A link is one
    that leads nowhere, or any if it is not followed. Raises KeyError if it begins with the home of a user that there is not.
    """
    if path.startswith("~"):
        user, slash, rest = path[1:].partition("/")
        path = (find_user(user).pw_dir if user else home) + slash + rest
    found = {"path": path, "real": os.path.realpath(path), "type": "absent", "uid": None, "gid": None, "mode": ""}
    try:
        status = os.stat(path) if follow and os.path.exists(path) else os.lstat(path)
    except PermissionError:
        return {**found, "type": "hidden"}
    except OSError:
        return found
    kinds = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFSOCK: "socket"}
    found["type"] = kinds.get(stat.S_IFMT(status.st_mode), "other")
    found.update(uid=status.st_uid, gid=status.st_gid, mode="%04o" % stat.S_IMODE(status.st_mode))
    return found


def find_missing(path: str, owner: dict) -> dict:
    """What is missing above a path, who owns the directory where that begins, and whether it begins in the owner's own home.

    homeless: whether it is a path in that home, and there is no such home.
    """
    _there, missing = walk(path)
    home, begin = owner["home"], os.path.dirname(missing[0]) if missing else path
    real, uid = os.path.realpath(home), os.lstat(begin).st_uid if missing else None
    own = os.path.isdir(home) and os.lstat(real).st_uid == owner["uid"] and is_below(begin, real)
    return {"missing": missing[:-1], "begin_uid": uid, "in_home": own, "homeless": not os.path.isdir(home) and is_below(path, home)}


def is_below(path: str, folder: str) -> bool:
    """Whether a path is in a directory, by its name alone."""
    return f"{os.path.normpath(path)}/".startswith(f"{os.path.normpath(folder)}/")


def disk_usage(path: str) -> int:
    """Bytes that a directory takes on disk, -1 if there is none or it may not be read."""
    if not path or not os.access(path, os.R_OK | os.X_OK):
        return -1
    total = 0
    for folder, _folders, files in os.walk(path):
        for name in [folder, *(os.path.join(folder, file) for file in files)]:
            try:
                total += os.lstat(name).st_blocks * 512
            except OSError:  # gone since we listed it
                continue
    return total


def find_place(cli: str, settings: str = "/etc/docker/daemon.json") -> dict:
    """Where an engine that does not answer has its data, or will have it once it is there; and Docker's daemon, if it is there."""
    root = "/var/lib/containers/storage" if cli.startswith("podman") else "/var/lib/docker"
    try:
        root = json.loads(_content(settings) or b"{}").get("data-root") or root
    except (ValueError, AttributeError):
        pass  # it is told by who sets the engine up
    while not os.path.isdir(root):
        root = os.path.dirname(root) or "/"
    daemons = (shutil.which(name, path=_gpus.PLACES + os.pathsep + "/snap/bin") for name in ("dockerd", "docker.dockerd"))
    return {"root_dir": root, "free": free_space(root), "architecture": os.uname().machine, "daemon": next(filter(None, daemons), "")}


def free_space(path: str) -> int:
    """Bytes that are free where that directory is, -1 if it is not on this host (an engine elsewhere)."""
    try:
        found = os.statvfs(path)
    except OSError:
        return -1
    return found.f_bavail * found.f_frsize


def find_file(path: str) -> dict:
    """find_path of a private file, and the SHA-256 of the content ("" if there is none to read)."""
    found = find_path(path, "", follow=False)
    content = _private(path)
    found["sha256"] = hashlib.sha256(content).hexdigest() if content else ""
    return found


def read_pair(path: str) -> dict:
    """A file with a private key and its certificate: the certificate alone (PEM), and whether the two belong together."""
    blocks = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", _private(path).decode("ascii", errors="replace"), re.DOTALL)
    try:
        if not blocks:
            raise OSError
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    except (OSError, ssl.SSLError):
        return {"certificate": "", "pair": False}
    return {"certificate": "\n".join(blocks), "pair": True}


def list_names(path: str) -> list:
    """Names of what is in a directory, none if there is none or it may not be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def _content(path: str) -> bytes:
    """A file's content, b"" if it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError:
        return b""


def _private(path: str) -> bytes:
    """The content of a file in the lab's private directory, b"" if it cannot be read. No link: its owner could have root read anything."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)) as handle:
            return handle.read()
    except OSError:
        return b""


def written_since(start: float, files: dict) -> list:
    """What the server is told that is younger than it: a run that was cut off left it unread."""
    written = (name for name in SERVER_CONFIG if files[name]["type"] == "file")
    return [name for name in written if os.lstat(files[name]["path"]).st_mtime > start + 1]


def find_links(path: str, home: str) -> list:
    """Links on the way to a path that somebody else than root made: he who did could lead root anywhere."""
    found = []
    while path not in (home, "/", ""):
        if os.path.islink(path) and os.lstat(path).st_uid != 0:
            found.append(path)
        path = os.path.dirname(path)
    return found


def find_listener(port: int, address: str) -> str:
    """Who listens on that port of the host, in words; "" if nobody does.

    A published port of a container is the engine's own process here; ``Look`` names the container instead.
    """
    wildcard = ("00000000", "0" * 32)
    wanted = _proc_address(address)
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as handle:
                rows = [line.split() for line in handle.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            local, _sep, hexport = row[1].partition(":")
            if row[3] == "0A" and int(hexport, 16) == port:
                if local in wildcard or wanted in wildcard or local == wanted:
                    inodes.add(f"socket:[{row[9]}]")
    if not inodes:
        return ""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as handle:
                        return f"process {handle.read().strip()} (pid {pid})"
        except OSError:
            continue
    return "another process"


def is_of_this_host(address: str) -> bool:
    """Whether something could listen on that address here."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError as trouble:
        return trouble.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _proc_address(address: str) -> str:
    """An address as /proc/net/tcp writes it."""
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError:
        return ""
    return "".join(packed[i : i + 4][::-1].hex().upper() for i in range(0, len(packed), 4))


def ask_server(server: dict, token: str, timeout: float = 5.0) -> dict:
    """GET api/status from the host, as a person's browser would reach it, with no token if that is empty. Returns status (0: no answer) and error."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(server["address"], server["address"])
    if server["scheme"] == "https":
        # Whether the certificate can be trusted is the visitor's question; here it is only whether the server works.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        link = http.client.HTTPSConnection(address, server["port"], timeout=timeout, context=context)
    else:
        link = http.client.HTTPConnection(address, server["port"], timeout=timeout)
    try:
        link.request("GET", server["base_url"] + "api/status", headers={"Authorization": "token " + token} if token else {})
        return {"status": link.getresponse().status, "error": ""}
    except (OSError, http.client.HTTPException) as trouble:
        return {"status": 0, "error": str(trouble) or type(trouble).__name__}
    except ValueError:
        return {"status": 0, "error": "its token has characters that no browser can send"}  # the error's own text has the token
    finally:
        link.close()


# -- The answer of lab_info ---------------------------------------------------------------------------------------


def credentials(params: dict) -> set:
    """What stands before the last @ of the addresses in there, with it: nothing that is returned or logged may show it."""
    found = re.findall(r"://([^/@\s:]*:[^/\s]+@)|https?://([^/@\s:]{8,}@)", json.dumps(params, ensure_ascii=False))
    return {text for match in found for text in match if text}


def look_at(params: dict, run_command) -> dict:
    """What lab_info returns for these parameters. A failure has ``msg``, one sentence."""
    look = Look(Engine(run_command, params["docker_cli"], params["docker_host"] or None), params)
    try:
        refuse_client(params["docker_cli"])
        facts = look.gather()
    except KeyError as trouble:
        return {"msg": f"There is no user {trouble.args[0]} on this host: name one that exists as the owner of the lab, and in its paths."}
    except EngineError as trouble:
        return {"msg": str(trouble)}
    facts["changed"] = False
    facts["clock"] = time.time()
    facts["requests"] = find_spec("requests") is not None
    facts["sources"] = look_at_sources(params, run_command, look.bridges if facts["engine"]["available"] else list)
    if params["wait"] and not facts["ready"]:
        facts["msg"] = why_not_ready(params, facts)
    lines = params["log_lines"] or (15 if "msg" in facts else 0)
    if lines and facts["container"]["exists"]:
        facts["log"] = look.engine.log(params["name"], lines)
    return facts


def why_unwritable(found: dict) -> str:
    """Where nobody can work, why, and what to do."""
    if "said" in found:
        return f"its user cannot write in {found['path']} ({found['said'] or 'nothing said why'}): make room, or give that user the right to"
    what, way_out = explain(found)
    return f"nobody can save a notebook or a package there: {found['path']} {what}: {way_out}"


def why_not_ready(params: dict, facts: dict) -> str:
    """One sentence on a lab in which nobody can work."""
    container, lab, end = facts["container"], f"Lab {params['name']}", "the end of its log is below."
    if not facts["engine"]["available"]:
        return facts["engine"]["reason"]
    if not container["exists"]:
        return f"{lab} has no container: run role mlenv.jupyter.lab."
    if not container["running"] or facts["restarted"]:
        what = f"state {container['state']}, exit code {container['exit_code']}, {facts['restarted'] or container['restarts']} restarts"
        return f"{lab} does not stay up ({what}): {end}"
    if facts["untrusted"]:
        return facts["untrusted"]
    if facts["open"]:
        return (
            f"{lab} opens without its token at {facts['url']}, to whoever reaches it: "
            "remove what tells its server so, in its image or its home, and restart it (lab_state: restarted)."
        )
    if facts["status"] in (401, 403):
        return f"{lab} runs at {facts['url']}, but does not accept its own token: restart it (lab_state: restarted)."
    if facts.get("unwritable"):
        return f"{lab} runs, but {why_unwritable(facts['unwritable'])}."
    if facts["gpus"]["lost"]:
        return f"{lab} runs, but without the GPUs that it was given: {facts['gpus']['lost']}."
    if facts["status"]:
        return f"{lab} runs, but {facts['url']} answers {facts['status']}: {end}"
    return f"{lab} runs, but nothing answered at {facts['url'] or 'any published port'} within {params['wait']} s: {end}"


# -- The look -----------------------------------------------------------------------------------------------------


class Look:
    """One look at one lab. ``gather`` returns plain facts; nothing on the host or in the engine is changed."""

    def __init__(self, engine: Engine, params: dict):
        self.engine = engine
        self.params = params
        self.kind = ""  # of the engine: docker or podman
        self.image_env: dict = {}
        self.address = ""  # at which it listens
        # How the container comes and goes: whether it ended while it was asked, how often each had been restarted before, and when one ran last.
        self.gone, self.began, self.alive, self.deadline = False, {}, time.monotonic(), 0.0
        self.warnings: list = []
        self.user: dict = {}  # the lab's, as the host knows it

    def gather(self) -> dict:
        facts = {"owner": find_owner(self.params["owner"]), "euid": os.geteuid(), "engine": self._engine()}
        self.kind, self.address = facts["engine"]["kind"], facts["engine"]["address"]
        facts["proxy"] = look_at_proxy(self.params["proxy"], self.engine.cli, self.address)
        facts["groups"] = find_groups(facts["owner"], self.params["groups"])
        self.user = lab_user(facts["owner"], facts["groups"])
        facts["work_dir"] = self._work_dir(facts["owner"]) if self.params["work_dir"] else None
        facts["mounts"] = {path: find_path(path, facts["owner"]["home"]) for path in self.params["mounts"]}
        facts["config_dir"] = self._config_dir(facts["owner"])
        facts.update(machine=find_machine(), labs=[], untrusted="")
        if facts["config_dir"]:
            facts["untrusted"], facts["config_dir"]["home_untrusted"] = self._untrusted(facts)
        self._try_directories(facts)
        facts["ca_bundle"] = self._ca_bundle()
        facts["image"] = {"present": False, "jupyter": False, "serves": False, "id": "", "path": "", "name": self.params["image"]}
        facts["container"] = {**ABSENT}
        facts["volume"] = {"exists": False}
        facts["networks"] = {}
        facts["address_here"] = is_of_this_host(self.params["bind_address"])
        facts["hostname"] = socket.gethostname()
        facts["gpus"] = {**_gpus.NONE, **_gpus.UNSEEN}
        if self.params["gpus"] and facts["engine"]["here"]:
            facts["gpus"].update(_gpus.look_at_host(self.engine.run_command, facts["engine"]))
            if facts["gpus"]["warning"]:
                self.warnings.append(f"nvidia-smi on this host tells of GPUs that work, and says as well: {facts['gpus']['warning']}")
        facts.update(ready=False, open=False, status=0, url="", port_holder="", python="", packages={}, lost_mounts=[], unread=[])
        facts.update(packages_of="", indexes=[], protected="")
        facts.update(restarted=0, hung=False, unwritable={})
        if facts["engine"]["available"]:
            self._ask_engine(facts)
        if facts["config_dir"]:
            facts["config_dir"]["ours"] = "token" in facts["config_dir"]["names"] or self._mounts(facts)
        if self.warnings:
            facts["warnings"] = self.warnings
        return facts

    def _engine(self) -> dict:
        """Whether an engine answers, and what it can do."""
        facts = {**NO_ENGINE, **find_place(os.path.basename(self.engine.cli))}
        try:
            facts.update(find_address(self.engine, self.params.get("docker_host", "")))
            result = self.engine.run("info", "--format", "{{json .}}")
        except EngineError as trouble:
            return {**facts, "reason": str(trouble)}
        info = read_info(result.out)
        errors = [*(info.get("ServerErrors") or []), *(info.get("ClientErrors") or [])]
        if not (info.get("ServerVersion") or info.get("version")):
            return {**facts, "reason": engine_trouble(self.engine.cli, result.err or "\n".join(errors))}
        # An engine that tells of itself is there, whatever else is wrong with it or its client.
        if result.rc != 0:
            words = "; ".join(filter(None, map(str.strip, errors or result.err.splitlines()))) or f"it ended with code {result.rc}"
            self.warnings.append(f"The engine of this host answers, and {self.engine.cli} info says as well: {words}")
        facts.update(read_engine(info), available=True)
        if facts["kind"] == "podman":
            self._podman_address(facts)
        else:
            facts["settings"] = find_settings(facts["address"], info.get("SecurityOptions") or [])
        facts["free"] = free_space(facts["root_dir"])
        return facts

    @staticmethod
    def _podman_address(facts: dict) -> None:
        """Other modules talk to Podman at its socket, where it speaks as Docker does; or at that which its client was told."""
        told = facts["environment"].get("DOCKER_HOST", "")
        if told.startswith("unix:"):
            path = told.removeprefix("unix:").replace("//", "/", 1)
            facts["socket"] = path if os.path.exists(path) else ""
        facts.update(address=f"unix://{facts['socket']}" if facts["socket"] else "", default=not facts["named_by"])
        facts["environment"] = {"DOCKER_HOST": facts["address"]} if facts["socket"] else {}

    def _ask_engine(self, facts: dict) -> None:
        reference, name = self.params["image"], self.params["name"]
        if reference:
            found = self.engine.run("image", "inspect", reference)
            if found.rc == 0:
                raw = json.loads(found.out)[0]
                facts["image"], self.image_env = read_image(raw, reference), read_env(raw)
        container = self.engine.inspect(name) if name else None
        # An engine takes the beginning of an ID for a name. Whoever writes as much of one as engines show means it.
        if container is not None and container.name != name and len(name) < 12:
            facts["container"]["namesake"], container = container.name, None
        if container is not None:
            facts["container"] = read_container(container)
            mountinfo = _content(f"/proc/{container.raw['State'].get('Pid', 0)}/mountinfo")
            facts["lost_mounts"] = read_lost_mounts(mountinfo.decode(errors="replace"))
            if container.state == "running" and facts["config_dir"]:
                facts["unread"] = written_since(read_time(facts["container"]["started_at"]), facts["config_dir"]["files"])
        home = facts["container"].get("home", "")
        volume = self.params["volume"] or facts["container"].get("mounts", {}).get(home + "/.local", "")
        if volume:
            facts["volume"] = self._volume(volume, container)
        if self.params["port"] and not (container is not None and _holds(container, self.params)):
            facts["port_holder"] = self._port_holder(container)
        if self.params["port"] and facts["config_dir"] and not self._has_its_own(facts, container):
            facts["labs"] = self._other_labs(facts)
        if self.params["networks"]:
            facts["networks"] = {network.get("Name", network.get("name")): network.get("Driver", network.get("driver")) for network in self._networks()}
        if facts["gpus"]["devices"]:
            facts["gpus"]["holders"] = self._gpu_holders()
        container = self._ask_lab(facts, container)
        if facts["packages_of"] == "image" and not self.params["wait"]:
            facts.update(_passing.foresee(self.engine, self.params, facts))
        if self.params["sizes"]:
            facts["sizes"] = self._sizes(facts, container)

    # -- The lab itself ---------------------------------------------------------------------------------------------

    def _ask_lab(self, facts: dict, container: Container | None) -> Container | None:
        """Ask the lab. One that comes and goes meanwhile is asked again, for as long as that can help. Returns the container as it was last."""
        self.deadline = time.monotonic() + (self.params["wait"] or COMING)
        self._count(facts, container)
        while True:
            self.gone = False
            if container is not None and container.state == "running":
                container = self._ask_running(facts, container)
            if not self.gone:
                run = self._where_python_is(facts, container)
                facts["python"], facts["packages"] = self._packages(run) if run else ("", {})
            if not self._may_come(facts, container):
                return container
            facts.update(ready=False, open=False, status=0, unwritable={})
            time.sleep(0.25)
            container = self._see(facts)

    def _ask_running(self, facts: dict, container: Container) -> Container | None:
        untrusted = self._untrusted_mount(container)
        if untrusted:
            # Who put the token there knows it. With another private directory the lab will be re-created.
            facts.update(url=page_url(read_server(container)), untrusted=facts["untrusted"] if facts["config_dir"] else untrusted)
        else:
            container = self._ask_server(facts, container)
            if not self.gone:
                facts["unwritable"] = self._unwritable(facts, container)
                if facts["unwritable"]:
                    # Nobody can write where a container ended at this very moment.
                    again = self._see(facts)
                    self.gone, container = again is None or (again.state, again.since) != (container.state, container.since), again
                facts["ready"] = facts["ready"] and not facts["unwritable"]
        if not self.gone and self.params["gpus"] and facts["container"]["running"] and facts["container"]["gpu_way"]:
            facts["gpus"].update(self._gpus_in(container, facts["ready"]))
            facts["ready"] = facts["ready"] and not facts["gpus"]["lost"]
        return container

    def _may_come(self, facts: dict, container: Container | None) -> bool:
        """Whether the answer may be another one in a moment: the container ended while it was asked, or is only being started."""
        now, wait = time.monotonic(), self.params["wait"]
        if now >= self.deadline or facts["restarted"] >= CRASHES or (container is not None and crashes(container)):
            return False
        if container is not None and container.state == "running":
            return self.gone
        if not wait or (container is None and not self.began):
            return False
        if container is not None and container.state in ("created", "restarting", "removing"):
            return True
        # Somebody may be making it again, and an engine that has just started starts its containers one after the other.
        stays = container is not None and container.state != "paused" and facts["container"]["restart_policy"] == "no"
        return not stays and now < self.alive + SETTLED

    def _see(self, facts: dict) -> Container | None:
        """The container as it is now."""
        return self._seen(facts, self.engine.inspect(self.params["name"]))

    def _seen(self, facts: dict, container: Container | None) -> Container | None:
        self._count(facts, container)
        facts["container"] = {**ABSENT, "namesake": facts["container"]["namesake"]} if container is None else read_container(container)
        return container

    def _count(self, facts: dict, container: Container | None) -> None:
        """How often it was restarted by the engine while we looked: one that somebody made again begins at its own number."""
        if container is not None:
            began = self.began.setdefault(container.raw["Id"], container.restarts)
            facts["restarted"] = max(facts["restarted"], container.restarts - began)
            if container.state == "running":
                self.alive = time.monotonic()

    def _beside(self, container: Container, *argv: str, **how) -> Result:
        """What a program in the container answers to a question beside the main one: nothing, if it could not be asked."""
        try:
            return self.engine.exec(container, *argv, **how)
        except ContainerGone as trouble:
            self.gone = True
            return Result(-1, "", str(trouble))
        except EngineError as trouble:
            return Result(-1, "", str(trouble))

    def _work_dir(self, owner: dict) -> dict:
        found = find_path(self.params["work_dir"], owner["home"])
        found.update(find_missing(found["path"], owner))
        # Root would make what is missing wherever a link leads, unless the link is root's. Where it leads to the owner's own, no harm is done.
        links = find_links(os.path.dirname(found["path"]), "/") if found["type"] == "absent" else []
        found["made_at"] = found["real"] if links else found["path"]
        found["links"] = [] if owner["uid"] in (os.geteuid(), found["begin_uid"]) else links
        return found

    def _untrusted(self, facts: dict) -> tuple:
        """Why nothing in the lab's private directory may be used, in one sentence, and the same for a home beside it; "" if it may."""
        path, owner = facts["config_dir"]["path"], facts["owner"]
        users, who = trusted_users(owner["uid"], owner["lab_uid"]), owner["name"]
        what = f"{path}, the private directory of lab {self.params['name']}"
        return (
            why_not_trusted(path, [*PRIVATE_FILES, WHEELS, SKELETON], users, what, "lab_config_dir", who),
            why_not_trusted(os.path.dirname(path), [os.path.basename(path) + "-home"], users, f"{path}-home", "lab_config_dir", who),
        )

    def _untrusted_mount(self, container: Container) -> str:
        """The same of the one that a container has, whoever it was made for: the container's own numbers tell."""
        source = next((mount["Source"] for mount in container.raw.get("Mounts") or [] if mount["Destination"] == CONFIG_MOUNT), "")
        owner = find_owner(self.params["owner"])
        uid = read_uid(container)
        users = trusted_users(owner["uid"], owner["lab_uid"], *([] if uid is None else [uid]))
        what = f"{source}, the private directory of lab {container.name}"
        return why_not_trusted(source, ["token"], users, what, "lab_config_dir", "the lab's user") if os.path.isdir(source) else ""

    def _try_directories(self, facts: dict) -> None:
        """Why the lab's user cannot write in its work directory, and why that and the private one cannot be made, or have what they shall have."""
        work, private, theirs = facts["work_dir"], facts["config_dir"], (self.user["uid"], self.user["gid"])
        if work:
            there = work["type"] == "directory"
            work["cannot"] = try_directory(work["path"], self.user if there else None, None if there else (*theirs, 0o755))
            work["file_system"] = mount_of(work["path"])["type"] if there and work["uid"] != self.user["uid"] else ""
        if private:
            private["cannot"] = try_directory(private["path"], keeps=(*theirs, 0o400))

    def _unwritable(self, facts: dict, container: Container) -> dict:
        """Where in the lab its user cannot write, and why: in its work directory and its packages, as they are mounted there."""
        if not facts["container"]["managed"]:
            return {}
        places = [container.home + below for below in ("/work", "/.local")]
        pid = container.raw["State"].get("Pid", 0)
        # A number means another process where the engine is elsewhere, or once the container has ended.
        ours = container.raw["Id"].encode() in _content(f"/proc/{pid}/cgroup") and os.geteuid() in (0, self.user["uid"])
        if ours and os.access(f"/proc/{pid}/root/", os.X_OK):
            found = {path: try_directory(path, self.user, process=pid) for path in places if path in facts["container"]["mounts"]}
            return next(({"path": path, **why} for path, why in found.items() if why), {})
        if not (self.params["wait"] and facts["ready"]):
            return {}
        said = self._beside(container, "sh", "-c", WRITE, "sh", *places).out.strip()
        return {"path": said.partition("\t")[0], "said": said.partition("\t")[2]} if said else {}

    def _config_dir(self, owner: dict) -> dict | None:
        """The lab's private directory and what is in it. Of secrets: whether they are as wanted, never their hash."""
        if not self.params["config_dir"]:
            return None
        home = owner["home"]
        found = find_path(self.params["config_dir"], home, follow=False)
        found.update(find_missing(found["path"], owner))
        found["names"] = list_names(found["path"])
        # A home may have a token in it, too, but nobody has a server's configuration beside it.
        found["home_taken"] = {"token", SERVER_CONFIG[0]} <= set(list_names(found["path"] + "-home"))
        found["strangers"] = [name for name in found["names"] if name not in (*PRIVATE_FILES, WHEELS, SKELETON)]
        paths = {name: os.path.join(found["path"], name) for name in PRIVATE_FILES}
        found["files"] = files = {name: find_file(path) for name, path in paths.items()}
        folders = [os.path.join(found["path"], name) for name in (WHEELS, SKELETON)]
        found["links"] = [path for path in [found["path"], *paths.values(), *folders] if os.path.islink(path)]
        found["links"] += find_links(os.path.dirname(found["path"]), home)
        files[CERTIFICATE].update(read_pair(paths[CERTIFICATE]))
        wanted, token = self.params["token"].encode(), _private(paths["token"])
        # Without a wanted one any will do, but for what a power cut leaves of one.
        bare = token.rstrip(b"\r\n")
        good = bare == wanted if wanted else len(bare.strip()) >= SHORTEST_TOKEN
        files["token"].update(matches=good and bare == token, newline=good and bare != token)
        files[SERVER_CONFIG[0]]["hash"] = b"hashed_password" in _private(paths[SERVER_CONFIG[0]])
        files[SECRET_CONFIG]["matches"] = _private(paths[SECRET_CONFIG]) == self._secret_config().encode()
        for name in ("token", SECRET_CONFIG):
            files[name].pop("sha256")
        return found

    def _secret_config(self) -> str:
        if self.params.get("proxy", "none") == "none":
            return self.params["secret_config"]
        return secret_text(self.params["secret_config"], self.params["proxy"], self.engine.cli, self.address)

    def _mounts(self, facts: dict) -> bool:
        """Whether the lab that is there has that private directory."""
        return facts["container"]["managed"] and facts["container"]["mounts"].get(CONFIG_MOUNT) == facts["config_dir"]["path"]

    def _ca_bundle(self) -> dict:
        """The host's own CA bundle, and the SHA-256 of it with the wanted certificates behind it."""
        path = next(filter(os.path.isfile, CA_BUNDLES), "")
        together = _content(path) + self.params["ca_certificates"].encode()
        return {"path": path, "sha256": hashlib.sha256(together).hexdigest()}

    def _volume(self, name: str, container: Container | None) -> dict:
        """Whether there is a volume of that name, and who owns its top (None where only root could see it)."""
        mounts = container.raw.get("Mounts") or [] if container is not None else []
        # No engine removes one that a container has: where it is, is known then, if we may see it.
        path = next((mount["Source"] for mount in mounts if mount.get("Name") == name), "")
        if not os.path.isdir(path):
            found = self.engine.run("volume", "inspect", name)
            path = json.loads(found.out)[0].get("Mountpoint", "") if found.rc == 0 else None
        facts = {"name": name, "exists": path is not None, "uid": None, "gid": None}
        if facts["exists"]:
            top = find_path(path, "")
            facts.update(uid=top["uid"], gid=top["gid"], mountpoint=top["path"])
            # Whose it is not is given away, and one that its container has mounted is tried there.
            tried = top["type"] == "directory" and top["uid"] == self.user.get("uid") and (container is None or container.state != "running")
            facts["cannot"] = try_directory(path, self.user) if tried else {}
            facts["file_system"] = mount_of(path)["type"] if top["uid"] not in (None, self.user.get("uid")) else ""
        return facts

    def _has_its_own(self, facts: dict, container: Container | None) -> bool:
        """Whether the lab is there and has all that it wants for itself already, so that no other lab needs to be asked about."""
        if container is None:
            return False
        there, owner, volume = read_claim(container), facts["owner"], facts["volume"]
        sources = [mount.partition(":")[0] for mount in self.params["volumes"] if ":" in mount]
        return (
            facts["container"]["managed"]
            and there["volume"] in (self.params["volume"], volume.get("name"))
            and there["work_dir"] == (facts["work_dir"] or {}).get("real", "")
            and facts["config_dir"]["real"] in there["private"]
            and {name for name in sources if name[:1] not in ("/", "~")} <= set(facts["container"]["mounts"].values())
            and (there["port"], there["address"]) == (str(self.params["port"]), self.params["bind_address"])
            # Two that share a volume since an earlier version take it from each other.
            and volume.get("uid") in (None, owner["lab_uid"])
        )

    def _other_labs(self, facts: dict) -> list:
        """What the other labs of the engine have, those that are stopped as well."""
        ids = self.engine.run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}spec").out.split()
        if not ids:
            return []
        # One may be removed meanwhile: the others are told even so.
        try:
            found = [Container(raw) for raw in json.loads(self.engine.run("container", "inspect", *ids).out or "[]")]
        except ValueError:
            return []
        uid = facts["euid"] if facts["engine"]["rootless"] else None
        return [read_claim(container, uid) for container in found if container.name != self.params["name"]]

    def _port_holder(self, container: Container | None) -> str:
        """Who but this lab holds its port, in words; "" if it is free."""
        port, address = self.params["port"], self.params["bind_address"]
        # Docker writes a range of ports as one, and Podman knows no such filter.
        publishing = [] if self.kind == "podman" else ["--filter", f"publish={port}"]
        result = self.engine.run("ps", *publishing, "--format", "{{.Names}}\t{{.Ports}}")
        for line in result.out.splitlines():
            name, _sep, ports = line.partition("\t")
            if f":{port}->" in ports and _same_address(ports, port, address):
                if container is not None and name == container.name:
                    return ""
                return f"container {name}"
        return find_listener(port, address)

    def _gpu_holders(self) -> list:
        """Which labs that run were given which GPUs, as their labels tell, and whether for themselves alone."""
        form = '{{.Names}}\t{{.Label "%sgpus"}}\t{{.Label "%sgpus-exclusive"}}' % (LABEL, LABEL)
        rows = self.engine.run("ps", "--filter", f"label={LABEL}gpus", "--format", form).out.splitlines()
        return [{"lab": name, "gpus": gpus.split(","), "exclusive": mark == "true"} for name, gpus, mark in (row.split("\t") for row in rows)]

    def _gpus_in(self, container: Container, ready: bool) -> dict:
        """The GPUs that a container sees, and why not all that it was given. Only there is the proof: an engine may give none, in silence."""
        given, facts = read_container(container)["gpus"], {**_gpus.UNSEEN}
        try:
            result = self.engine.exec(container, "nvidia-smi", "-L")
            facts["seen"] = _gpus.read_list(result.out)
            uuids = [device["uuid"] for device in facts["seen"]]
            # Whatever code it ends with: it has one for a GPU that works, and whose infoROM does not.
            if not uuids:
                facts["lost"] = f"nvidia-smi in it says: {_gpus.said(result.out + result.err)}"
            elif set(given) - set(uuids):
                facts["lost"] = f"nvidia-smi in it does not see {', '.join(uuid for uuid in given if uuid not in uuids)}"
            elif self.params["wait"] and ready:
                # Seconds, as frameworks are large: so once, when the lab comes up.
                framework = facts["framework"] = _gpus.read_framework(self.engine.exec(container, *_gpus.ASK_FRAMEWORK, stdin=_gpus.FRAMEWORK).out)
                if framework and framework["cuda"] and not framework["devices"]:
                    facts["lost"] = "{name} {version} in it is made for CUDA {cuda}, and sees no GPU".format(**framework)
        except ContainerGone:
            self.gone = True
        except EngineError as trouble:
            facts["lost"] = str(trouble).rstrip(".")
        return facts

    def _token(self, container: Container) -> str:
        """The token that opens the server: from the lab's file, else from the server's own notes (a lab not made by us)."""
        for mount in container.raw.get("Mounts") or []:
            if mount["Destination"] == CONFIG_MOUNT:
                token = _private(os.path.join(mount["Source"], "token"))
                if token:
                    return token.decode("utf-8", errors="replace").rstrip("\r\n")
        script = 'cat "${JUPYTER_RUNTIME_DIR:-$HOME/.local/share/jupyter/runtime}"/jpserver-*.json'
        result = self._beside(container, "sh", "-c", script)
        decoder, text, token = json.JSONDecoder(), result.out.strip(), ""
        while text:
            try:
                entry, end = decoder.raw_decode(text)
            except ValueError:
                break
            token, text = entry.get("token", token), text[end:].lstrip()
        return token

    def _ask_server(self, facts: dict, container: Container) -> Container | None:
        """Ready means that a person can work, and nobody else: 200 with the token, twice, with no restart in between, and no entry without.

        Returns the container as it was last.
        """
        server = read_server(container)
        facts["url"] = page_url(server) if server["port"] else ""
        if not server["port"]:
            return container
        if server["scheme"] == "http" and not is_loopback(server["address"]):
            self.warnings.append(
                f"Lab {container.name} answers the network on {server['address']} port {server['port']} without TLS: "
                "its token, and all that is done with it, travels in clear."
            )
        deadline, looked = self.deadline if self.params["wait"] else 0.0, 0.0
        while True:
            token = self._token(container)
            answers = [ask_server(server, token)["status"]]
            if answers[0] == 200:
                if self.params["wait"]:
                    time.sleep(0.5)  # api answers once just before a server that cannot write its files dies
                answers.append(ask_server(server, token)["status"])
            stranger = ask_server(server, "")["status"] if answers == [200, 200] else 0
            now = time.monotonic()
            if answers == [0] and now < min(deadline, looked + 1):
                time.sleep(0.25)  # the engine's client takes more than that, and of the processor that the server starts on
                continue
            looked = now
            # One that has answered since it was asked for is still there.
            settled = answers == [200, 200] and not self.params["wait"]
            again = container if settled else self.engine.inspect(container.name)
            steady = again is not None and again.state == "running" and again.started_at == container.started_at
            facts["status"], facts["open"] = answers[-1], stranger == 200
            facts["ready"] = steady and stranger in (401, 403)
            # Compare with what it is now: one that crashed once may be steady from here on.
            container = again if settled else self._seen(facts, again)
            self.gone = container is None or container.state != "running"
            if self.gone:
                return container
            if facts["ready"] or facts["open"] or facts["restarted"] >= CRASHES or time.monotonic() >= deadline:
                break
            time.sleep(0.25)
        if not self.params["wait"] and facts["status"] == 0 and time.time() - read_time(container.started_at) > STARTED:
            # A server may only be busy, and a restart ends its kernels: so ask once more, and wait for longer.
            facts["status"] = ask_server(server, token, PATIENCE)["status"]
            facts["hung"] = facts["status"] == 0
        return container

    def bridges(self) -> list:
        """The host's names of the networks that the lab joins, those that are there already."""
        return sorted(filter(None, map(read_bridge, self._networks())))

    def _networks(self) -> list:
        default = "podman" if self.kind == "podman" else "bridge"
        return json.loads(self.engine.run("network", "inspect", *(self.params["networks"] or [default])).out or "[]")

    def _sizes(self, facts: dict, container: Container | None) -> dict:
        """Bytes that the lab's data takes on disk: seen on the host, else in the running lab, else -1."""
        sizes = {"volume": disk_usage(facts["volume"].get("mountpoint", "")), "work_dir": disk_usage((facts["work_dir"] or {}).get("path", ""))}
        if sizes["volume"] < 0 and container is not None and container.state == "running":
            words = self._beside(container, "du", "-skx", container.home + "/.local").out.split()
            sizes["volume"] = int(words[0]) * 1024 if words and words[0].isdigit() else -1
        return sizes

    def _wanted(self) -> bool:
        return bool(self.params["packages"] or self.params["packages_state"] == "exact" or self.params["requirements"].strip() or self.params["kernels"])

    def _where_python_is(self, facts: dict, container: Container | None):
        """How to run the Python that the lab will have; None if there is none to ask. Another image than the container's may have another one."""
        running = container is not None and container.state == "running"
        if self._wanted() and facts["image"]["jupyter"] and not (running and self._is_the_one(facts, container)):
            facts["packages_of"] = "image"
            return partial(_passing.run, self.engine, self.params, facts)
        facts["packages_of"] = "container" if running else ""
        return partial(self._beside, container) if running else None

    def _is_the_one(self, facts: dict, container: Container) -> bool:
        """Check whether a container sees the packages as the lab that is wanted would: the same image, volume and home, and the same variables."""
        image, there, home = facts["image"], facts["container"], self.params["home"]
        places = there["home"] == home and self.params["volume"] in ("", there["mounts"].get(f"{home}/.local", ""))
        texts = [*self.params["packages"], self.params["requirements"], self.params["constraints"], str(self.params["kernels"])]
        env = _passing.variables(container.env, self.params["env"], texts)
        return image["id"] == there["image_id"] and places and env == _passing.variables({**self.image_env, **self.params["env"]}, self.params["env"], texts)

    def _packages(self, run) -> tuple:
        """Python's version in the lab, and which of the wanted packages are missing: one exec, no pip, no network."""
        request = (self.params[name] for name in ("packages", "requirements", "constraints", "packages_state", "kernels"))
        argv, stdin = probe_command(*request, environment=_passing.told_apart(self.params))
        result = run(*argv, stdin=stdin)
        if result.rc != 0:
            return "", {"error": (result.err.strip().splitlines() or ["no answer"])[-1]}
        try:
            facts = parse_probe(result.out)
        except ValueError as trouble:
            return "", {"error": str(trouble)}
        # The image's hundreds of packages are container_pip_info's to tell: here they would only be carried about.
        for name in ("image_packages", "path", "home", "interrupted", "kernel", "kernel_differs"):
            facts.pop(name, None)
        wanted = ("satisfied", "missing", "malformed", "undecided", "user_packages")
        facts["kernels"] = {name: {key: kernel[key] for key in wanted} for name, kernel in facts["kernels"].items()}
        return facts.pop("python"), facts


def _holds(container: Container, params: dict) -> bool:
    """Whether the lab itself listens where it is wanted."""
    server = read_server(container)
    return container.state == "running" and (server["port"], server["address"]) == (params["port"], params["bind_address"])


def _same_address(ports: str, port: int, address: str) -> bool:
    """Whether a container that publishes ``ports`` (as ``docker ps`` writes them) is in the way of address:port."""
    anyone = ("0.0.0.0", "::", "[::]", "")
    for item in ports.split(", "):
        host, _sep, held = item.partition("->")[0].rpartition(":")
        if held == str(port) and (host in anyone or address in anyone or host.strip("[]") == address):
            return True
    return False
