# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Docker's daemon that change each container, and of which ``docker info`` says little or nothing.

Private to the collection. They are in its arguments or in its file: Docker refuses one that is in both.
"""

from __future__ import annotations

import json
import re
import socket
import struct

from ansible_collections.mlenv.jupyter.plugins.module_utils._address import DEFAULT, same_address

PID_FILE = "/run/docker.pid"
SETTINGS = "/etc/docker/daemon.json"
# What a lab has to do something about, by the names that daemon.json has for it.
SWITCHES = {"no-new-privileges": False, "iptables": True, "userland-proxy": True}
TEXTS = ("userns-remap", "bridge")
SHORT = {"-b": "--bridge"}
# With less, a server cannot open its files, or start its kernels.
LEAST = {"nofile": 256, "nproc": 128}


def find_settings(address: str, options: list) -> dict:
    """Those settings of the daemon at that address that are not as Docker has them by default, by their names in daemon.json.

    options: SecurityOptions of ``docker info``. ``low`` has the default ulimits that are too low for a server.
    """
    found = {name: "on" for name in ("userns", "rootless") if any(option.startswith(f"name={name}") for option in options)}
    if any(option.startswith("name=no-new-privileges") for option in options):
        found["no-new-privileges"] = True
    pid = find_daemon(address)
    if pid:
        words = [word for word in _read(f"/proc/{pid}/cmdline").split("\0") if word]
        found.update(read_settings(words, lambda path: _read(f"/proc/{pid}/root{path}") or _read(path)))
    return found


def find_daemon(address: str) -> int:
    """The process that listens at a socket of this host; 0 if it is not to be seen, as from a container, or speaks TCP."""
    if not address.startswith("unix://"):
        return 0
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(2)
            link.connect(address.removeprefix("unix://"))
            pid = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[0]
    except OSError:
        return 0
    if _is_daemon(pid):
        return pid
    # Systemd listens in its place.
    text = _read(PID_FILE).strip()
    return int(text) if same_address(address, DEFAULT) and text.isdigit() and _is_daemon(int(text)) else 0


def _is_daemon(pid: int) -> bool:
    return _read(f"/proc/{pid}/comm").strip() == "dockerd"


def read_settings(words: list, read) -> dict:
    """The daemon's arguments, and a function that reads a file -> its settings that are not the default ones."""
    given = _read_arguments(words[1:])
    try:
        settings = json.loads(read(given.get("config-file", [SETTINGS])[-1]) or "{}")
    except ValueError:
        settings = {}
    if not isinstance(settings, dict):
        settings = {}
    settings.update({name: values[-1] for name, values in given.items() if name in (*SWITCHES, *TEXTS)})
    found = {name: settings[name] for name in TEXTS if settings.get(name)}
    for name, default in SWITCHES.items():
        value = str(settings.get(name, default)).lower() in ("true", "1", "t")
        if value != default:
            found[name] = value
    low = _low([*_ulimits(settings.get("default-ulimits")), *(text.partition("=")[::2] for text in given.get("default-ulimit", []))])
    return {**found, **({"low": low} if low else {})}


def _read_arguments(words: list) -> dict:
    """Long options by their names, each with all its values; a switch alone is true."""
    given: dict = {}
    for number, word in enumerate(words):
        name, sign, value = SHORT.get(word, word).partition("=")
        if not name.startswith("--"):
            continue
        behind = words[number + 1] if number + 1 < len(words) else ""
        if not sign:
            value = "true" if name[2:] in SWITCHES or behind.startswith("-") else behind
        given.setdefault(name[2:], []).append(value)
    return given


def _ulimits(limits) -> list:
    """default-ulimits of daemon.json as pairs of name and soft limit."""
    return [(name, str(limit.get("Soft", ""))) for name, limit in limits.items() if isinstance(limit, dict)] if isinstance(limits, dict) else []


def _low(limits: list) -> list:
    softs = {name: re.match(r"-?\d+", value) for name, value in limits}
    return [f"{name}={soft[0]}" for name, soft in sorted(softs.items()) if soft and 0 <= int(soft[0]) < LEAST.get(name, 0)]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""
