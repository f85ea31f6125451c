# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine the command line client talks to, and how modules of community.docker are told the same.

Private to the collection. The client reads contexts, its own settings and the environment; those modules read the environment alone.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from urllib.parse import urlsplit

from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import Engine

DEFAULT = "unix:///var/run/docker.sock"
# With any of these the client may talk to another engine than the default one, or in another way.
NAMING = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
FILES = {"cert.pem", "key.pem"}
NOWHERE = {"address": "", "named_by": "", "environment": {}, "conflict": "", "here": True, "default": True}


def find_address(engine: Engine, docker_host: str = "", environ: dict | None = None) -> dict:
    """The address of the client's engine, what names it, and the environment that names it to other modules.

    conflict: why other modules cannot talk to that engine, "" if they can. here: whether it is on this host.
    The client is asked only where something names another engine than the default one: that costs a process.
    """
    environ = os.environ if environ is None else environ
    if os.path.basename(engine.cli).startswith("podman"):
        return _find_podman(docker_host, environ)
    folder = environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    named_by = _named_by(docker_host, environ, folder, engine.cli)
    if not named_by:
        return {**NOWHERE, "address": DEFAULT}
    found = engine.run("context", "inspect")
    try:
        context = json.loads(found.out)[0]
        endpoint = context["Endpoints"]["docker"]
    except (ValueError, LookupError, TypeError):
        # The client says why as soon as it is asked for anything else.
        address = docker_host or environ.get("DOCKER_HOST", "")
        return {**NOWHERE, "address": address, "named_by": named_by, "environment": {"DOCKER_HOST": address} if address else {}, "default": False}
    facts = {**NOWHERE, "address": endpoint.get("Host") or DEFAULT, "named_by": named_by}
    facts["default"] = same_address(facts["address"], DEFAULT)
    facts["here"] = is_here(facts["address"])
    if context.get("Name", "default") == "default":
        tls, material = _tls_of_environment(environ, folder), FILES
    else:
        tls, material = _tls_of_context(context, endpoint), set((context.get("TLSMaterial") or {}).get("docker") or [])
    facts["conflict"] = _conflict(engine.cli, facts, bool(tls), material)
    facts["environment"] = {"DOCKER_HOST": facts["address"], **(tls if facts["address"].startswith("tcp:") else {})}
    return facts


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are the same one, however they are written."""
    return _plain(one) == _plain(other)


def _plain(address: str) -> str:
    path = address.removeprefix("unix://") if address.startswith("unix://") else address
    return path.replace("/var/run/", "/run/", 1).rstrip("/")


def is_here(address: str) -> bool:
    """Whether an engine at that address is on this very host: its socket, or one of the host's own addresses."""
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "http", "https"):
        return parts.scheme != "ssh"
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 2375, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return False
    for family, kind, _proto, _name, place in found:
        try:
            with socket.socket(family, kind) as probe:
                probe.bind((place[0], 0))
        except OSError:
            return False
    return True


def _named_by(docker_host: str, environ: dict, folder: str, cli: str) -> str:
    """What may lead the client to another engine than the default one, in words; "" if nothing does."""
    if docker_host:
        return "docker_host"
    for name in NAMING:
        # One that is set and empty is nothing for the client, and an address for other modules.
        if name in environ:
            return f"{name}={environ[name]}" if name in ("DOCKER_HOST", "DOCKER_CONTEXT") else name
    settings = os.path.join(folder, "config.json")
    try:
        with open(settings, encoding="utf-8") as handle:
            context = json.load(handle).get("currentContext") or "default"
    except (OSError, ValueError, AttributeError):
        context = "default"
    if context != "default":
        return f"context {context} of {settings}"
    # A client that is a script of somebody's may name any.
    return f"script {cli}" if _is_script(cli) else ""


def _is_script(cli: str) -> bool:
    path = shutil.which(cli)
    try:
        with open(path or "", "rb") as handle:
            return handle.read(2) == b"#!"
    except OSError:
        return False


def _tls_of_environment(environ: dict, folder: str) -> dict:
    """As the client reads it: whatever is not empty switches it on."""
    verify, encrypt = environ.get("DOCKER_TLS_VERIFY"), environ.get("DOCKER_TLS")
    if not verify and not encrypt:
        return {}
    return {"DOCKER_CERT_PATH": environ.get("DOCKER_CERT_PATH") or folder, **({"DOCKER_TLS_VERIFY": "1"} if verify else {"DOCKER_TLS": "1"})}


def _tls_of_context(context: dict, endpoint: dict) -> dict:
    material = (context.get("TLSMaterial") or {}).get("docker") or []
    if not material and not endpoint.get("SkipTLSVerify"):
        return {}
    path = os.path.join((context.get("Storage") or {}).get("TLSPath", ""), "docker")
    return {"DOCKER_CERT_PATH": path, "DOCKER_TLS" if endpoint.get("SkipTLSVerify") else "DOCKER_TLS_VERIFY": "1"}


def _conflict(cli: str, facts: dict, tls: bool, material: set) -> str:
    talks = f"The engine's client {cli} on this host talks to {facts['address']} ({facts['named_by']})"
    kind = facts["address"].partition(":")[0]
    if kind not in ("unix", "tcp"):
        return (
            f"{talks}, and the modules of community.docker would talk to {DEFAULT}, as they do not speak {kind}: "
            "let Ansible connect to the host of that engine, or name a unix or tcp address for both (DOCKER_HOST, or a context)."
        )
    if kind == "tcp" and tls and not material >= FILES:
        return f"{talks} without a client certificate, which the modules of community.docker need for TLS: give that context one, or use another."
    return ""


def _find_podman(docker_host: str, environ: dict) -> dict:
    """Podman's client needs no engine at an address; what it is told of one counts for other modules, too."""
    for name, value in (("docker_host", docker_host), *((name, environ.get(name)) for name in ("CONTAINER_HOST", "CONTAINER_CONNECTION"))):
        if not value:
            continue
        facts = {**NOWHERE, "address": value, "named_by": name, "default": False, "here": is_here(value)}
        if value.startswith("unix:"):
            return {**facts, "environment": {"DOCKER_HOST": value}}
        return {
            **facts,
            "conflict": f"Podman's client on this host talks to {value} ({name}), and the modules of community.docker would talk to its socket on this host: "
            "leave that out, or name a unix address.",
        }
    return {**NOWHERE}
