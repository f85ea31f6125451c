# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy that containers of this host are to use: what is named, or what the engine's client gives to its own ones.

Private to the collection. A password in an address is a secret: it is read on the host, stays there, and is told to a lab in a private file.
"""

from __future__ import annotations

import json
import os
import re

from ansible_collections.mlenv.jupyter.plugins.module_utils._address import DEFAULT

# The variable, as programs read it in both cases, and the name that the client's settings have for it.
NAMES = {"http_proxy": "httpProxy", "https_proxy": "httpsProxy", "ftp_proxy": "ftpProxy", "all_proxy": "allProxy", "no_proxy": "noProxy"}
ADDRESS = re.compile(r"((https?|socks[45][ah]?)://)?([^\s/@]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?/?")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
UNSEEN = {"env": {}, "secret": [], "named_by": "", "wrong": ""}


def find_proxy(wanted, cli: str, address: str = "", environ: dict | None = None) -> tuple:
    """Variables in lower case with their values, and what names them. wanted: auto, none, or the variables themselves."""
    environ = os.environ if environ is None else environ
    if isinstance(wanted, dict):
        return {name: _text(value) for name, value in wanted.items() if _text(value)}, "lab_proxy"
    if wanted != "auto":
        return {}, ""
    if os.path.basename(cli).startswith("podman"):
        # As Podman's client does it: from its own environment.
        return {name: environ.get(name) or environ.get(name.upper()) for name in NAMES if environ.get(name) or environ.get(name.upper())}, "the environment"
    path = os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker"), "config.json")
    try:
        with open(path, encoding="utf-8") as handle:
            proxies = json.load(handle).get("proxies") or {}
        entry = proxies.get(address or environ.get("DOCKER_HOST") or DEFAULT, proxies.get("default")) or {}
        return {name: str(entry[key]) for name, key in NAMES.items() if entry.get(key)}, f"proxies in {path}"
    except (OSError, ValueError, AttributeError):
        return {}, ""


def _text(value) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else "" if value is None else str(value)


def has_secret(value: str) -> bool:
    return "@" in value


def shown(value: str) -> str:
    """An address without the name and password in it."""
    return re.sub(r"^([a-z0-9]+://)?.*@", r"\1********@", value)


def what_is_wrong(proxy: dict, named_by: str) -> str:
    """One sentence on the first that cannot be used, "" if all can."""
    for name, value in proxy.items():
        if name not in NAMES:
            return f"{named_by} has {name}, which is no variable for a proxy: use {', '.join(NAMES)}."
        if re.search(r"[\s\"'\\\x00-\x1f]", value) if name == "no_proxy" else not ADDRESS.fullmatch(value):
            what = "no list of names with commas" if name == "no_proxy" else "no address of a proxy"
            example = "localhost,example.com" if name == "no_proxy" else "http://proxy.example.com:3128"
            where = "correct it there, or set lab_proxy" if named_by != "lab_proxy" else "correct it"
            return f"{named_by} has {shown(value) or 'nothing'} as {name}, which is {what}, as in {example}: {where}."
    return ""


def look_at_proxy(wanted, cli: str, address: str) -> dict:
    """What may be told of the proxy: env without those that have a password in them (secret), what names it, and what is wrong with it."""
    proxy, named_by = find_proxy(wanted, cli, address)
    return {
        "env": {name: value for name, value in proxy.items() if not has_secret(value)},
        "secret": [name for name, value in proxy.items() if has_secret(value)],
        "named_by": named_by if proxy else "",
        "wrong": what_is_wrong(proxy, named_by),
    }


def secret_text(text: str, wanted, cli: str, address: str = "") -> str:
    """The secret part of a server's configuration, with the addresses that have a password in them behind it."""
    proxy, _named_by = find_proxy(wanted, cli, address)
    secret = {name: value for name, value in proxy.items() if has_secret(value)}
    if not secret:
        return text
    both = {**secret, **{name.upper(): value for name, value in secret.items()}}
    return f"{text or IMPORT}os.environ.update({json.dumps(both, sort_keys=True)})\n"


IMPORT = "import os\n\n"


def proxy_of_pip(wanted: str | None, cli: str) -> str | None:
    """The one address that pip takes, for V(auto) that of the engine's client."""
    if wanted != "auto":
        return wanted
    proxy, _named_by = find_proxy("auto", cli)
    return proxy.get("https_proxy") or proxy.get("http_proxy") or proxy.get("all_proxy")
