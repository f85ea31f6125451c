# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work, before anything is changed: one sentence that names the thing, what is wrong with it, what to do.

Private to the collection. ``wanted`` holds the variables of role lab without their prefix, ``look`` what lab_info saw.
"""

from __future__ import annotations

import ipaddress
import os.path
import re
import shlex
from types import SimpleNamespace

from ansible_collections.mlenv.jupyter.plugins.module_utils._daemon import LEAST
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_reader import read
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import URL, VARIABLE, Malformed, Wanted, load_packaging
from ansible_collections.mlenv.jupyter.plugins.module_utils._mounts import WITHOUT_OWNERS, explain
from ansible_collections.mlenv.jupyter.plugins.module_utils._names import SHORTEST_TOKEN, is_loopback
from ansible_collections.mlenv.jupyter.plugins.module_utils._probe import probe_request
from ansible_collections.mlenv.jupyter.plugins.module_utils._proxy import NAMES, find_proxy, shown, what_is_wrong
from ansible_collections.mlenv.jupyter.plugins.module_utils._sources import may_everybody, read_networks
from ansible_collections.mlenv.jupyter.plugins.plugin_utils import _gpu_choice, _neighbours
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._bundle import bundle_trouble

AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)([bkmgt]?)", re.IGNORECASE)
LOG_SIZE = re.compile(r"[0-9]+(\.[0-9]+)?[kmgt]?b?", re.IGNORECASE)
MAPPED = ipaddress.ip_network("::ffff:0:0/96")
FEWEST_PIDS = 128
LEAST_MEMORY = "64m"
LEAST_SHM = "1m"
VOLUME = re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]+")
# Where the host has its sockets, settings, disks, and engines. What is in them, and what they are in, is no lab's.
HOSTS_OWN = ("/run", "/var/run", "/proc", "/sys", "/dev", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers")
SOCKET = re.compile(r".*/(docker|podman|containerd|crio)\.sock")
# A line that includes another file, by a path that is not the lab's. What the lines of files name has been read by now.
OTHER_FILE = re.compile(r"(-[rc]|--(requirem|cons)\w*)[\s=]*(?![\s=/])(?!\S+://)")
# The lab sets these itself: the variable to use instead.
RESERVED = {
    "HOME": "lab_user",
    "JUPYTER_TOKEN": "lab_token",
    "JUPYTER_TOKEN_FILE": "lab_token",
    "NB_GID": "lab_owner",
    "NB_UID": "lab_owner",
    "NB_UMASK": "lab_umask",
    "NB_USER": "lab_user",
    "NVIDIA_VISIBLE_DEVICES": "lab_gpus",
}
# And these, for which there is no other variable, or which would make it another lab.
FORBIDDEN = {
    "JUPYTERHUB_API_TOKEN": "which makes the image wait for a JupyterHub",
    "JUPYTER_CONFIG_PATH": "by which the server finds what the lab tells it",
    "JUPYTER_ENV_VARS_TO_UNSET": "which could take from the server what the lab tells it",
    "JUPYTER_RUNTIME_DIR": "which keeps the server's notes, with the token, in memory",
}
# Options of Jupyter, of whatever class, that open its page to others or show its key, and with which values: with any, if none is named.
OPENING = {
    **dict.fromkeys(("token", "password", "hashed_password", "identity_provider_class", "login_handler_class"), ""),
    **dict.fromkeys(("disable_check_xsrf", "allow_unauthenticated_access"), "true 1"),
    **{"allow_origin": "*", "allow_origin_pat": "", "need_token": "false 0"},
}


def refusals(wanted: dict, look: dict) -> list:
    """All sentences that apply, an empty list if the lab can be had.

    State ``early`` asks for what the other labs of the play and the GPUs of the host say, ``bare`` for all that needs neither engine nor image.
    """
    if wanted["state"] == "early":
        return [
            *about_one_engine(look["engine"]),
            *about_settings(look["engine"]["settings"], wanted.get("networks", [])),
            *about_neighbours(wanted, look),
            *about_future_gpus(wanted, look),
        ]
    wanted = {**wanted, "cpus": float(wanted["cpus"])}  # ansible-core 2.18 makes a text of a number
    if wanted["state"] == "bare":
        found = [*about_name(wanted, look), *about_paths(look)]
        return found or [*about_all_but_image(wanted, look), *about_texts(wanted)]
    found = [*about_name(wanted, look), *about_engine(wanted, look), *about_container(wanted, look["container"])]
    if wanted["state"] != "stopped":
        wrong = list(about_paths(look))
        if wrong:
            return found + wrong
    if wanted["state"] in ("started", "restarted"):
        found += [*about_all_but_image(wanted, look), *about_image(wanted, look), *_gpu_choice.refusals(wanted, look)]
    elif wanted["state"] == "absent":
        found += about_old_sources(wanted, look)
        if wanted["remove_data"]:
            found += filter(None, (look["untrusted"], look["config_dir"]["home_untrusted"] if wanted["brings_home"] else ""))
    return found


def about_all_but_image(wanted: dict, look: dict):
    """Values, files on the controller, and what is on the host: there may be neither engine nor image."""
    yield from about_values(wanted)
    yield from about_mounts(wanted, look)
    yield from about_exposure(wanted)
    yield from about_sources(wanted, look)
    yield from about_files(wanted)
    yield from about_host(wanted, look)
    yield from about_groups(wanted, look)


def about_future_gpus(wanted: dict, look: dict):
    """As if the engine could hand them over already, if it is to be made to."""
    ways = look["gpus"]["ways"] or (["runtime"] if wanted["toolkit"] else [])
    yield from _gpu_choice.refusals({**wanted, "check_mode": False}, {**look, "gpus": {**look["gpus"], "ways": ways}})


def about_neighbours(wanted: dict, look: dict):
    """What two labs of one play cannot both have on one machine, as far as the inventory tells."""
    mine = _neighbours.claim_of(wanted, look)
    for lab in wanted["neighbours"]:
        if lab["host"] != wanted["gpus"]["host"] and lab["state"] in ("started", "restarted"):
            yield from _neighbours.conflicts(mine, _neighbours.claim_of_row(lab, mine, look["owner"]["home"]))


def about_other_labs(wanted: dict, look: dict):
    """What another lab of the engine has already, be it stopped; and a lab of that name that is somebody else's."""
    container, owner = look["container"], look["owner"]
    uid = None if look["engine"]["rootless"] else container.get("uid")
    if container["exists"] and container["managed"] and uid not in (None, owner["lab_uid"]):
        yield (
            f"lab_name {wanted['name']} is that of a lab of {container['owner']}, and this lab {wanted['name']} would be one of {owner['name']}: "
            "give this lab a lab_name of its own, name that user as lab_owner, or remove that lab."
        )
    if look["labs"]:
        mine = _neighbours.claim_of(wanted, look)
        for lab in look["labs"]:
            yield from _neighbours.conflicts(mine, {**lab, "machine": mine["machine"], "engine": mine["engine"]})


def about_name(wanted: dict, look: dict):
    name = wanted["name"]
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name):
        yield f"lab_name {name} is no name for a container: begin with a letter or digit, and use letters, digits, dots, dashes and underscores."
    if look["container"]["namesake"]:
        yield f"lab_name {name} is how the ID of container {look['container']['namesake']} begins, and the engine mistakes one for the other: use another name."


def about_one_engine(engine: dict):
    """The client and the modules that make the container must mean the same engine, and one that sees the files of this host."""
    if engine["conflict"]:
        yield engine["conflict"]
    elif not engine["here"]:
        yield (
            f"The engine's client on this host talks to {engine['address']} ({engine['named_by']}), which is another host, and a lab has its files "
            "and its port on the host of its engine: let Ansible connect to that host, or leave that address out."
        )


def about_settings(settings: dict, networks: list):
    """Settings of Docker's daemon with which no lab can work. What a lab can override, or live with, is none of them."""
    if "rootless" in settings:
        yield (
            "Docker on this host runs without root (rootless), where the files of a lab's user would belong to nobody on the host: "
            "run the play with become to use root's Docker, or use Podman without root (engine_kind: podman)."
        )
    if "userns" in settings:
        name = settings.get("userns-remap", "")
        yield (
            f"Docker on this host has userns-remap{' ' + name if name else ''} among its daemon's settings, so a lab's user is another one on the host, "
            "and can neither read the lab's files nor write to its directories: remove that setting, or use Podman (engine_kind: podman)."
        )
    if settings.get("bridge") == "none" and not networks:
        yield (
            "Docker on this host has bridge none among its daemon's settings, so a lab would have no network, and no port: "
            "name a network of the engine in lab_networks, or remove that setting."
        )
    if settings.get("iptables") is False and settings.get("userland-proxy") is False:
        yield (
            "Docker on this host has iptables false and userland-proxy false among its daemon's settings, so nothing would lead to a lab's port: "
            "remove one of the two."
        )
    for limit in settings.get("low", []):
        yield (
            f"Docker on this host has {limit} as one of the default-ulimits of its daemon, with which a server cannot work: "
            f"set {limit.partition('=')[0]} to at least {LEAST[limit.partition('=')[0]]} there, or leave it out."
        )


def about_engine(wanted: dict, look: dict):
    yield from about_one_engine(look["engine"])
    if wanted["state"] in ("started", "restarted"):
        yield from about_settings(look["engine"]["settings"], wanted["networks"])
    if wanted["check_mode"]:
        return  # check mode runs to the end on a bare host
    engine = look["engine"]
    if not engine["available"]:
        yield engine["reason"]
    elif engine["kind"] == "podman" and not engine["socket"]:
        yield (
            "Podman answers on this host, but not at the socket through which it speaks as Docker does: "
            f"run role mlenv.jupyter.engine with engine_kind podman, or systemctl {'--user ' if engine['rootless'] else ''}enable --now podman.socket."
        )
    if not look["requests"]:
        yield (
            "The modules of community.docker need the Python library requests where Ansible runs its modules on this host: "
            "run role mlenv.jupyter.engine, or install python3-requests."
        )


def about_container(wanted: dict, container: dict):
    """Somebody else's is neither replaced, nor stopped, nor removed."""
    if container["exists"] and not container["managed"] and not container["jupyter"]:
        yield f"Container {wanted['name']} exists and is no Jupyter lab: give the lab another lab_name, or remove that container."


def about_paths(look: dict):
    """Directories of the host. Docker makes a volume of a relative path, and takes a colon for its end."""
    paths = {name: (look[name] or {"path": ""})["path"] for name in ("work_dir", "config_dir")}
    for name, path in paths.items():
        if not path.startswith("/"):
            yield f"lab_{name} {path or '(empty)'} is no absolute path of the host: begin it with a slash, with ~/ or with ~user/."
        elif ":" in path:
            yield f"lab_{name} {path} holds a colon, which the engine takes for the end of a path: name another directory."
    if paths["config_dir"] and f"{paths['work_dir']}/".startswith(f"{paths['config_dir'].rstrip('/')}/"):
        yield f"lab_work_dir {paths['work_dir']} is in lab_config_dir, which is for the lab's secrets alone: name a directory elsewhere."


def no_directory(place: dict, euid: int) -> str:
    """What it is instead, and what to do."""
    if place["type"] == "hidden" and euid == 0 and place.get("cannot"):
        return f"{place['path']} {explain(place['cannot'])[0]}: name a directory on a disk of the host, where root may make it."
    if place["type"] == "hidden":
        return f"{place['path']} is where this user may not look: run the play with become, or name another directory."
    return f"{place['path']} is a {place['type']}, not a directory: name another, or move that out of the way."


def about_trust(wanted: dict, look: dict):
    """Where the lab's own files are to be, and what of it others could change."""
    homeless = [f"lab_{name}" for name in ("work_dir", "config_dir") if look[name]["homeless"]]
    if homeless:
        owner, several = look["owner"], len(homeless) > 1
        yield (
            f"The home of {owner['name']}, {owner['home']}, does not exist, and {' and '.join(homeless)} {'are' if several else 'is'} in it: "
            f"let {owner['name']} log in once, create the home, or name {'directories' if several else 'a directory'} elsewhere."
        )
    if look["work_dir"]["links"]:
        yield (
            f"lab_work_dir {look['work_dir']['path']} is to be made, and {look['work_dir']['links'][0]} on the way is a link, which could lead root anywhere: "
            "make the directory first, or name what the link leads to."
        )
    if look["untrusted"]:
        yield look["untrusted"]
    elif wanted["brings_home"] and look["config_dir"]["home_untrusted"]:
        yield look["config_dir"]["home_untrusted"]


def about_private(config_dir: dict, look: dict):
    """The private directory changes hands, so what is in it must be ours."""
    if config_dir["type"] not in ("absent", "directory"):
        yield f"lab_config_dir {no_directory(config_dir, look.get('euid', 0))}"
    elif config_dir.get("cannot"):
        what, way_out = explain(config_dir["cannot"])
        what += ", so that others could read them" if config_dir["cannot"]["why"] in ("no_owners", "no_modes") else ""
        yield (
            f"lab_config_dir {config_dir['path']}, for the lab's secrets, {what}: "
            f"{way_out}, or set lab_config_dir to a directory on a disk of the host that is not there yet, such as /var/lib/mlenv/NAME."
        )
    elif not config_dir["ours"] and config_dir["names"]:
        strange = (config_dir["strangers"] or config_dir["names"])[0]
        yield f"lab_config_dir {config_dir['path']} has {strange} in it, and was not made for a lab: name a directory that is empty, or not there yet."


def bytes_of(amount: str) -> float:
    """What AMOUNT matches, in bytes."""
    number, unit = AMOUNT.fullmatch(amount).groups()
    return float(number) * 1024 ** "bkmgt".index(unit.lower() or "b")


def about_values(wanted: dict):
    """Values that no host could make work."""
    if wanted["flavor"]:
        yield f"Both lab_image ({wanted['image']}) and image_flavor ({wanted['flavor']}) are set: leave out one of them."
    if not 0 < int(wanted["port"]) < 65536:
        yield f"lab_port {wanted['port']} is no port: use a number from 1 to 65535."
    if not is_address(wanted["bind_address"]):
        yield f"lab_bind_address {wanted['bind_address']} is no IP address: use 127.0.0.1, or another address of the host."
    elif is_mapped(wanted["bind_address"]):
        yield f"lab_bind_address {wanted['bind_address']} is an IPv4 address written as IPv6: write it as in 192.0.2.7."
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", wanted["user"]) or wanted["user"] == "root":
        yield (
            f"lab_user {wanted['user']} is no name for the lab's user: use lower-case letters, digits, dashes and underscores, "
            "begin with a letter, and leave root to the host."
        )
    if wanted["memory"] and not AMOUNT.fullmatch(wanted["memory"]):
        yield f"lab_memory {wanted['memory']} is no amount of memory: write a number and a unit, as in 512m or 4g."
    elif wanted["memory"] and 0 < bytes_of(wanted["memory"]) < bytes_of(LEAST_MEMORY):
        yield f"lab_memory {wanted['memory']} is too little for a server: allow at least {LEAST_MEMORY}, with its unit, or leave it out for no limit."
    if not AMOUNT.fullmatch(wanted["shm_size"]):
        yield f"lab_shm_size {wanted['shm_size']} is no amount of memory: write a number and a unit, as in 512m or 4g."
    elif bytes_of(wanted["shm_size"]) < bytes_of(LEAST_SHM):
        yield f"lab_shm_size {wanted['shm_size']} is too little for a server: allow at least {LEAST_SHM}, with its unit."
    if wanted["cpus"] and wanted["cpus"] < 0.01:
        yield f"lab_cpus {wanted['cpus']} is no number of CPUs: use at least 0.01, or 0 for no limit."
    if not VOLUME.fullmatch(wanted["packages_volume"]):
        yield (
            f"lab_packages_volume {wanted['packages_volume']} is no name for a volume: "
            "begin with a letter or digit, and use letters, digits, dots, dashes and underscores."
        )
    if not LOG_SIZE.fullmatch(wanted["log_max_size"]) or not re.search("[1-9]", wanted["log_max_size"]):
        yield f"lab_log_max_size {wanted['log_max_size']} is no size of a file: write a number and a unit, as in 10m."
    if not re.fullmatch("0*[1-9][0-9]*", wanted["log_max_files"]):
        yield f"lab_log_max_files {wanted['log_max_files']} is no number of files: keep at least 1."
    if int(wanted["pids"]) and int(wanted["pids"]) < FEWEST_PIDS:
        yield f"lab_pids {wanted['pids']} is too few for a server and its kernels: allow at least {FEWEST_PIDS}, or 0 for no limit."
    if wanted["read_only_image"] and wanted["sudo"]:
        yield "lab_read_only_image is true, and lab_sudo, too: root writes to the image when such a lab starts, so set lab_sudo to false."
    if "host" in wanted["networks"]:
        yield "lab_networks names host, which would show the lab on every address of the host: leave it out, and use lab_bind_address."
    if wanted["umask"] and not re.fullmatch(r"0?[0-7]{3}", wanted["umask"]):
        yield f"lab_umask {wanted['umask']} is no umask: write three octal digits in quotes, as in '027'."
    if not re.fullmatch(r"[A-Za-z0-9_./~-]*", wanted["base_url"]):
        yield f"lab_base_url {wanted['base_url']} is no path: use letters, digits, dashes, underscores, dots and slashes, as in /alice/."
    if wanted["token"] and not re.fullmatch(r"[!-~]{%d,}" % SHORTEST_TOKEN, wanted["token"]):
        yield f"lab_token is too short to be safe, or holds spaces: use at least {SHORTEST_TOKEN} characters, or leave it out and one is made for you."
    if wanted["token_rotate"] and wanted["token"]:
        yield "lab_token_rotate makes a new token, and lab_token names one: leave one of them out."
    if wanted["password_hash"] and not re.fullmatch(r"argon2:\$argon2(id|i|d)\$v=[0-9]+\$[a-z0-9=,]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+", wanted["password_hash"]):
        yield (
            "lab_password_hash is no argon2 hash, as in argon2:$argon2id$...: "
            "in a terminal of a lab, python3 -c 'from jupyter_server.auth import passwd; print(passwd())' makes one."
        )
    for variable in ("env", "secret_env"):
        for name in sorted(RESERVED.keys() & wanted[variable].keys()):
            yield f"lab_{variable} sets {name}, which the lab sets itself: use {RESERVED[name]} for it."
        for name in sorted(FORBIDDEN.keys() & wanted[variable].keys()):
            yield f"lab_{variable} sets {name}, {FORBIDDEN[name]}: leave it out."
    for option in opening_options(str(wanted["env"].get("NOTEBOOK_ARGS", ""))):
        yield (
            f"lab_env.NOTEBOOK_ARGS has {option}, which would open the page to others, or show its key in the log: "
            "leave it out, and use lab_token or lab_password_hash."
        )
    yield from about_proxy(wanted)
    names = [str(kernel["name"]) for kernel in wanted["kernels"]]
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name.lower() == "python3":
            yield (
                f"lab_kernels names {name}, which cannot be the name of a kernel: begin with a letter or digit, use letters, digits, dots, "
                "dashes and underscores, and leave python3 to the image."
            )
        elif names.count(name) > 1:
            yield f"lab_kernels names {name} more than once: put its packages together."
    for volume in wanted["volumes"]:
        target = volume.split(":")[1] if ":" in volume else volume
        if wanted["user"] != "jovyan" and re.match(r"/home/jovyan(/|$)", target):
            yield f"lab_volumes mounts {volume}, but lab_user moves the home to /home/{wanted['user']}: mount it there."


def about_groups(wanted: dict, look: dict):
    """Groups of the host that the lab's user cannot have."""
    groups = look.get("groups", {"given": [], "unknown": []})
    for name in groups["unknown"]:
        yield f"lab_groups names {name}, and this host has no such group: name groups or numbers that it has, or use auto or none."
    if any(group["gid"] == 0 for group in groups["given"]):
        yield "lab_groups names root's group, which could change users and passwords in the lab: leave it out."
    if look["engine"]["rootless"] and set(wanted.get("groups", [])) - {"auto", "none"}:
        yield "lab_groups names groups of the host, which Podman without root cannot give to a container: leave lab_groups out, or run the play with become."


def about_proxy(wanted: dict):
    """What is no proxy, or is named twice."""
    proxy = wanted["proxy_given"]
    if proxy not in ("auto", "none") and not isinstance(proxy, dict):
        yield (
            f"lab_proxy {shown(str(proxy)) or '(empty)'} is neither auto, none nor a dictionary: "
            "write the variables, as in {https_proxy: 'http://proxy.example.com:3128'}."
        )
    elif isinstance(proxy, dict):
        wrong = what_is_wrong(find_proxy(proxy, "")[0], "lab_proxy")
        twice = sorted(name for name in {**wanted["env"], **wanted["secret_env"]} if name.lower() in NAMES)
        if wrong or twice:
            yield wrong or f"lab_proxy is set, and lab_env or lab_secret_env has {twice[0]}, too: name the proxy in one of them."


def opening_options(arguments: str) -> list:
    """Jupyter's options in there that are in OPENING, as the server reads them: --Class.name=value, or the value behind a space."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        words = arguments.split()
    found = []
    for word, behind in zip(words, [*words[1:], ""]):
        option, sign, value = word.partition("=")
        values = OPENING.get(option.rpartition(".")[2]) if option.startswith("-") and "." in option else None
        if values is not None and (not values or (value if sign else behind).lower() in values.split()):
            found.append(option)
    return found


def about_mounts(wanted: dict, look: dict):
    """What of the host the lab would have, by the path that is written and by where it leads."""
    engine = look["engine"].get("root_dir", "")
    forbidden = [*HOSTS_OWN, *([engine] if engine.startswith("/") else [])]
    yield from about_sources_of_mounts(wanted["volumes"])
    mounts = [(f"lab_volumes mounts {volume}", volume.split(":")[0]) for volume in wanted["volumes"]]
    places = [(f"lab_{name} is {look[name]['path']}", look[name], True) for name in ("work_dir", "config_dir")]
    places += [(words, {"path": path, **look["mounts"].get(path, {})}, False) for words, path in mounts if path[:1] in ("/", "~")]
    for words, place, made_by_us in places:
        real = place.get("real", place["path"])
        here = f"{words} ({place['path']})" if "mounts ~" in words else words
        what = here if real == place["path"] else f"{here}, which leads to {real}"
        if place.get("type") == "socket":
            yield f"{what}, a socket, through which the lab would have a service of the host: leave it out."
        elif any(shows(path, forbidden) for path in (place["path"], real)):
            yield f"{what}, through which the lab would have the engine, and so be root on the host: name a directory with data alone."
        elif place.get("type") == "hidden" and not made_by_us and look.get("euid") == 0:
            yield f"{what}, which root of this host may not see, and so the engine cannot mount it: let root see it, or leave it out."
        elif place.get("type") in ("absent", "link") and not (made_by_us or wanted["check_mode"]):
            yield f"{what}, which is not on this host, and the engine would make an empty directory of root's: make it first, or leave it out."


def about_sources_of_mounts(volumes: list):
    """Relative paths mean another directory for each who asks, and the engine takes what it does not understand for the name of a volume."""
    for volume in volumes:
        source, colon, _rest = volume.partition(":")
        if colon and source[:1] not in ("/", "~") and not VOLUME.fullmatch(source):
            yield (
                f"lab_volumes mounts {volume}, and {source or 'an empty text'} is neither an absolute path of the host nor the name of a volume: "
                "begin a path with a slash, with ~/ or with ~user/."
            )


def shows(path: str, forbidden: list) -> bool:
    """Whether through that path one of these can be reached, or a part of it."""
    path = re.sub("^/+", "/", os.path.normpath(path))
    return bool(SOCKET.fullmatch(path)) or any(os.path.commonpath([path, other]) in (path, other) for other in forbidden if path.startswith("/"))


def about_exposure(wanted: dict):
    """Who can reach the page has a shell: so what leaves the host is encrypted, unless somebody insists."""
    tls = wanted["tls"]
    address = wanted["bind_address"]
    if is_address(address) and not is_loopback(address) and tls["mode"] == "none" and not wanted["insecure"]:
        yield (
            f"lab_bind_address {address} would send the lab's token over the network in clear: set lab_tls to self_signed, ca or files, "
            f"or leave lab_bind_address at 127.0.0.1 and go through a tunnel ({wanted['tunnel']}); lab_insecure: true allows it as it is."
        )
    if tls["mode"] == "none":
        return
    from ansible_collections.mlenv.jupyter.plugins.plugin_utils import _certificate  # takes longer than a whole run without TLS may

    if tls["gen_cert"]:
        yield f"lab_env sets GEN_CERT, and lab_tls is {tls['mode']}: leave GEN_CERT out, or lab_tls."
    for name in tls["names"]:
        if not is_address(name) and not re.fullmatch(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", name):
            yield f"lab_tls_names has {name}, which is neither a host name nor an address: write what people type, without https:// and port."
    if tls["mode"] in ("self_signed", "ca") and int(tls["days"]) <= int(tls["renew_days"]):
        yield (
            f"lab_tls_days is {tls['days']}, and lab_tls_renew_days {tls['renew_days']}, so each run would make a new certificate: "
            "have it renewed later than on its first day."
        )
    elif tls["mode"] in ("self_signed", "ca"):
        yield from _certificate.clock_refusals(int(tls["days"]), int(tls["renew_days"]), tls["clock_skew"])
    if tls["mode"] == "ca":
        yield from _certificate.authority_refusals(tls["dir"], tls["ca_passphrase"], tls["clock_skew"])
    if tls["mode"] == "files":
        missing = [variable for variable in ("certificate", "key") if not tls[variable + "_file"]]
        for variable in missing:
            yield (
                f"lab_tls is files, and lab_tls_{variable} ({tls[variable] or 'empty'}) is not on the controller: "
                "name an existing PEM file, from where Ansible was started, the inventory or the playbook."
            )
        if not missing:
            texts = (tls["certificate_text"], tls["key_text"], tls["names"], tls["names_given"], wanted["ca_certificates"])
            yield from _certificate.files_refusals(*texts, tls["clock_skew"])


def about_sources(wanted: dict, look: dict):
    """Who may connect: what is no network, networks from which nobody could, and what the host lacks."""
    texts, address, sources = wanted["allowed_sources"], wanted["bind_address"], look["sources"]
    if not texts:
        yield (
            "lab_allowed_sources is empty, so nobody could connect: name the networks that may, leave it out for everybody, "
            "or leave lab_bind_address at 127.0.0.1 for the host itself alone."
        )
    wrong = list(about_networks(texts))
    yield from wrong
    if not texts or wrong or not is_address(address):
        return
    networks, bound = read_networks(texts), ipaddress.ip_address(address)
    if may_everybody(networks):
        yield from about_old_sources(wanted, look)
        return
    if bound.is_loopback:
        yield (
            f"lab_allowed_sources says who may connect, and nobody but the host itself can connect to lab_bind_address {address}: "
            "leave lab_allowed_sources out, or set lab_bind_address to an address that the network reaches."
        )
    elif bound.version not in [network.version for network in networks]:
        yield (
            f"lab_allowed_sources has no IPv{bound.version} network, so nobody could connect to lab_bind_address {address}: "
            f"name the IPv{bound.version} networks that may, or another address."
        )
    if look["euid"] != 0:
        yield "lab_allowed_sources needs root, who alone may see and set rules of nftables: run the play with become."
    elif not sources["nft"] and not sources["apt"]:
        yield "lab_allowed_sources needs nft, which is not on this host, and only Debian's package is installed by itself: install nftables."
    if not sources["boot"]["kind"]:
        yield (
            "lab_allowed_sources would be forgotten when this host starts anew, since neither systemd nor update-rc.d starts its services: "
            "leave it out, and limit who may connect in front of the host."
        )


def about_networks(texts: list):
    for text in texts:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            network = None
        if network is None or "%" in text:
            yield f"lab_allowed_sources has {text or 'an empty text'}, which is no network: write one as in 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7."
        elif network.version == 6 and network.subnet_of(MAPPED):
            yield f"lab_allowed_sources has {text}, an IPv4 network written as IPv6, which no packet comes from: write it as in 192.0.2.0/24."
        elif not is_network(text):
            host = ipaddress.ip_interface(text).ip
            yield f"lab_allowed_sources has {text}, which is a host in a network: write {network} for the network, or {host} for the host alone."


def about_old_sources(wanted: dict, look: dict):
    """Rules that are not wanted any more."""
    if look["sources"]["left"] and look["euid"] != 0:
        yield f"Lab {wanted['name']} has rules of nftables that are to go ({look['sources']['left'][0]}), which needs root: run the play with become."


def is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # which says on which interface, and not every program knows that


def is_mapped(text: str) -> bool:
    return getattr(ipaddress.ip_address(text), "ipv4_mapped", None) is not None


def about_files(wanted: dict):
    """Files that should be on the controller."""
    for variable in ("requirements", "constraints"):
        if wanted[variable] and not wanted[variable + "_file"]:
            yield (
                f"lab_{variable} {wanted[variable]} is not on the controller: "
                "name an existing file, from where Ansible was started, the inventory or the playbook."
            )
    if wanted["wheels"] and not wanted["wheels_dir"]:
        yield f"lab_wheels {wanted['wheels']} is not on the controller: name a directory, from where Ansible was started, the inventory or the playbook."
    yield from filter(None, [wanted["texts_wrong"], *wanted["kernels_wrong"]])
    for kernel, texts, wrong in zip(wanted["kernels"], wanted["kernel_texts"], wanted["kernels_wrong"]):
        for variable in ("requirements", "constraints"):
            if not wrong and kernel.get(variable) and not texts[variable].strip():
                yield (
                    f"{variable} {kernel[variable]} of kernel {kernel['name']} in lab_kernels is not on the controller, or is empty: "
                    "name a file with something in it, from where Ansible was started, the inventory or the playbook."
                )
    for path in wanted["missing_certificates"]:
        yield f"lab_ca_certificates names {path}, which is not on the controller: name existing PEM files."
    trouble = bundle_trouble(wanted["ca_certificates"])
    if trouble:
        yield f"lab_ca_certificates {trouble}"


def about_image(wanted: dict, look: dict):
    image, reference = look["image"], wanted["image"]
    if not reference:
        yield "No image is named: set lab_image, or image_flavor and the like, which role mlenv.jupyter.image reads."
    elif look["engine"]["available"] and not image["present"] and not wanted["check_mode"]:
        yield f"Image {reference} is not on this host: run role mlenv.jupyter.image before this one, or name one that is there."
    if image["present"] and not image["jupyter"]:
        yield f"Image {reference} is not a Jupyter image (it sets no NB_USER): use one of Jupyter Docker Stacks, or one made from them."
    yield from about_sources_of_packages(look)
    packages = look["packages"]
    yield from about_packages(packages, words_of_lab(wanted))
    for kernel in wanted["kernels"]:
        yield from about_packages(packages.get("kernels", {}).get(str(kernel["name"]), {}), words_of_kernel(kernel))


def words_of_lab(wanted: dict) -> dict:
    return {**wanted, "list": "lab_packages", "files": "lab_requirements or lab_constraints"}


def words_of_kernel(kernel: dict) -> dict:
    where = f"kernel {kernel['name']} of lab_kernels"
    return {**kernel, "list": where, "files": f"a file of {where}"}


def about_texts(wanted: dict):
    """What about_image says of packages, as far as the controller can read them: the image's own Python is asked later."""
    yield from about_packages(read_texts(wanted["texts"]), words_of_lab(wanted))
    for kernel, texts in zip(wanted["kernels"], wanted["kernel_texts"]):
        yield from about_packages(read_texts(texts), words_of_kernel(kernel))


def read_texts(texts: dict) -> dict:
    request = probe_request(texts["packages"], texts["requirements"], texts["constraints"], "present")
    lines, bounds = ([line for line in request[name] if VARIABLE.search(line[1]) is None] for name in ("lines", "constraints"))
    packaging = load_packaging()
    reader = SimpleNamespace(wanted=lambda text: read_elsewhere(packaging, text))
    _wanted, malformed, undecided = read(reader, lines)
    _wanted, malformed_bounds, undecided_bounds = read(reader, bounds, constraint=True)
    return {"malformed": malformed + malformed_bounds, "undecided": undecided + undecided_bounds}


def read_elsewhere(packaging, text: str) -> SimpleNamespace:
    """A requirement of which only the spelling can be judged here: its files, its Python and its pip are those of the lab."""
    known = SimpleNamespace(applies=lambda: True, name="?", extras=(), shown=text)
    is_path = not URL.match(text) and re.match(r"[./~]|[^@\s]*/|\S+\.(whl|zip|tar|tgz|tbz)", text)
    try:
        return known if is_path else SimpleNamespace(**{**vars(Wanted(packaging, text)), "applies": known.applies})
    except Malformed:
        # An older pip takes versions that today's rules do not know. With another version, is it a requirement?
        Wanted(packaging, re.sub(r"([=!<>~]=|[<>])\s*[\w.!+*-]+", r"\g<1>1.0", text))
        return known


def about_sources_of_packages(look: dict):
    """What the image forbids, and where packages would not come from: said before there is a container that lacks them."""
    ways = {
        "certificate": "shows a certificate that the lab would not trust ({}): name its authority's in lab_ca_certificates, or use another lab_index_url.",
        "login": "wants a login ({}): write it into its address, as in lab_index_url: https://USER:PASSWORD@HOST/simple.",
        "proxy": "cannot be reached through the proxy ({}): correct lab_proxy, with the login that it wants.",
        "unreachable": "cannot be reached from a container of this host ({}): use another lab_index_url, or set lab_proxy, or send lab_wheels.",
    }
    if look["protected"]:
        yield look["protected"].replace("`protect_image: false`", "lab_protect_image: false") + "."
    for index, trouble, reason in look["indexes"]:
        yield f"The index {index} {ways[trouble].format(reason)}"


def about_packages(packages: dict, wanted: dict):
    for broken in packages.get("malformed", []):
        yield f"{broken['text']} ({_place(broken['where'], wanted)}) is no requirement: {broken['why'].rstrip('.')}."
    for line in packages.get("undecided", []):
        if OTHER_FILE.match(line):
            yield f"{line} in {wanted['list']} names a file of the controller, which the lab cannot read: name it in {wanted['files']}."


def _place(where: str, wanted: dict) -> str:
    """What the look calls name, requirements:3 or constraints:3, in the caller's words. Other files it calls by their path."""
    file, _colon, number = where.rpartition(":")
    return f"line {number} of {wanted.get(file) or file}" if file else f"in {wanted['list']}"


def about_host(wanted: dict, look: dict):
    """What else is on the host, in the lab's way."""
    if look["proxy"]["wrong"] and wanted["proxy"] == "auto":
        yield look["proxy"]["wrong"]
    work_dir, uid = look["work_dir"], look["owner"]["lab_uid"]
    for limit, value in (("memory", wanted["memory"]), ("cpus", wanted["cpus"])):
        if value and look["engine"]["available"] and limit not in look["engine"]["limits"]:
            yield f"lab_{limit} is {value}, but the engine of this host cannot limit that (its cgroup controllers are not there): leave lab_{limit} out."
    if look["engine"]["kind"] == "docker" and 0 < look["engine"]["cpus"] < wanted["cpus"]:
        yield f"lab_cpus is {wanted['cpus']}, but this host has {look['engine']['cpus']}: use as many at most, or 0 for no limit."
    owner = look["owner"]
    if look["engine"]["rootless"] and owner["uid"] != look["euid"]:
        yield (
            f"Podman without root can give files to nobody but the user that runs it, and the lab is to belong to {owner['name']}: "
            "leave lab_owner out and connect as that user, or run the play with become."
        )
    yield from about_other_labs(wanted, look)
    yield from about_trust(wanted, look)
    yield from about_private(look["config_dir"], look)
    if (wanted["name"], wanted["packages_volume"]) == ("jupyter", "jupyter-data") and not look["container"]["exists"]:
        yield "lab_name jupyter would share volume jupyter-data with the lab jupyter-ds: set lab_packages_volume, or use another lab_name."
    if wanted["brings_home"] and look["config_dir"]["home_taken"]:
        yield f"{look['config_dir']['path']}-home, where this lab would have its home, is the private directory of another lab: set lab_config_dir."
    for network in wanted["networks"]:
        # Who runs us may make it before, which check mode does not do.
        if look["engine"]["available"] and network not in look["networks"] and network != "host" and not wanted["check_mode"]:
            yield (
                f"lab_networks names {network}, and the engine of this host has no such network: "
                f"make it first ({look['engine']['kind']} network create {network}), or leave it out."
            )
    for network, driver in look["networks"].items():
        if driver != "bridge" and network != "host":
            yield (
                f"lab_networks names {network}, a network of driver {driver}, where lab_bind_address and lab_allowed_sources say nothing: "
                "name one of driver bridge, or leave it out."
            )
    if look["config_dir"]["links"]:
        yield (
            f"{look['config_dir']['links'][0]} is a link, which could lead root to any file of the host: "
            "put what it names in its place, or name another directory as lab_config_dir."
        )
    if not look["address_here"]:
        yield f"lab_bind_address {wanted['bind_address']} is no address of this host: use 127.0.0.1, or one that it has."
    if look["port_holder"]:
        yield f"Port {wanted['port']} of {wanted['bind_address']} is taken by {look['port_holder']}: give the lab another lab_port, or stop that."
    yield from about_work_dir(work_dir, uid, look.get("euid", 0))
    if look.get("volume", {}).get("cannot"):
        what, way_out = explain(look["volume"]["cannot"])
        yield f"lab_packages_volume {wanted['packages_volume']} {what}: {way_out}, or name another volume."


def about_work_dir(work_dir: dict, uid: int, euid: int):
    """The lab's user must be able to save a notebook there, and that is tried."""
    fixed, cannot = work_dir.get("file_system") in WITHOUT_OWNERS, work_dir.get("cannot") or {}
    # Another owner helps where that is what is wrong.
    foreign = work_dir["type"] == "directory" and work_dir["uid"] != uid and cannot.get("why", "forbidden") == "forbidden"
    if work_dir["type"] not in ("absent", "directory"):
        yield f"lab_work_dir {no_directory(work_dir, euid)}"
    elif foreign and not (fixed and not cannot):
        owner = f"mount its file system ({work_dir['file_system']}), which keeps no owners, with uid={uid}" if fixed else "change its owner yourself"
        yield (
            f"lab_work_dir {work_dir['path']} belongs to uid {work_dir['uid']}, but the lab would write there as uid {uid}: "
            f"name its user as lab_owner, name another directory, or {owner}."
        )
    elif cannot:
        what, way_out = explain(cannot)
        make = "" if work_dir["type"] == "directory" or cannot["why"] in ("read_only", "full", "broken") else ", make the directory yourself"
        yield f"lab_work_dir {work_dir['path']} {what}: {way_out}{make}, or name a directory elsewhere as lab_work_dir."
