# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside a container of the image for a lab that is yet to come: may its packages be installed, and would the indexes serve them?

Private to the collection. One short question to each index. Only what would fail with pip and with uv alike is told: a certificate that
nobody trusts, a login that is wanted, and an address where nobody answers.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import ssl
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPSHandler, Request, build_opener

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_install import protected
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_look import Look, pip_settings
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_stage import Trouble
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import adopt, expanded

OPTION = re.compile(r"(-i|--index-url|--extra-index-url)(?:\s+|=)(\S+)|(--no-index)")
PATIENCE = 8  # seconds for each


def foresee(request):
    """Return why the image forbids what is missing, "" if it does not, and the indexes that would not serve it."""
    adopt(request["environment"])
    look = Look(request)
    try:
        if request["protect_image"] and look.missing:
            protected(look, {name: look.environment.find(name).version for name in look.environment.image})
    except Trouble as trouble:
        return {"protected": str(trouble), "indexes": []}
    return {"protected": "", "indexes": ask(request) if request["name"] else []}


def ask(request):
    """Return [index, what is wrong, reason] for each index that would not serve.

    request: index_lines, of requirements and of the task; certificates (PEM) that the lab will trust; a name to ask for.
    """
    context = trusting(request["certificates"])
    troubles = [(url, trouble(url, request["name"], context)) for url in indexes_of(request["index_lines"])]
    return [[urlsplit(url).netloc.rpartition("@")[2], *found] for url, found in troubles if found]


def indexes_of(lines):
    """Return where pip would look: what the lines say goes before its settings, and these before its own index."""
    settings, main, more = pip_settings(), "", []
    for line in map(expanded, lines):
        for option, url, none in OPTION.findall(line) if line.startswith("-") else ():
            if none:
                return []
            main, more = (main, [*more, url]) if option.startswith("--extra") else (url, more)
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return []
    main = main or settings.get("index-url", "").strip() or pips_own()
    more += settings.get("extra-index-url", "").split()
    return [url for url in dict.fromkeys([main, *more]) if re.match("https?://", url)]


def pips_own():
    with contextlib.suppress(Exception):  # a pip that keeps it elsewhere
        from pip._internal.models.index import PyPI

        return PyPI.simple_url
    return ""


def trusting(certificates):
    """Return a context that trusts all that pip or uv might trust here."""
    context = ssl.create_default_context()
    places = [os.environ.get(name, "") for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")]
    with contextlib.suppress(Exception):
        from pip._vendor.certifi import where

        places.append(where())
    for place in filter(os.path.isfile, [*places, pip_settings().get("cert", "")]):
        with contextlib.suppress(OSError, ssl.SSLError):
            context.load_verify_locations(place)
    for certificate in re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", certificates, re.DOTALL):
        with contextlib.suppress(ValueError, ssl.SSLError):
            context.load_verify_locations(cadata=certificate)
    return context


def trouble(url, name, context):
    """Return what is wrong with an index, in a word, and why; None if nothing that we know to be wrong."""
    parts = urlsplit(url)
    if parts.hostname in pip_settings().get("trusted-host", "").replace(":", " ").split():
        return None
    request = Request(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/{name}/")
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    has_netrc = os.path.exists(os.environ.get("NETRC") or os.path.expanduser("~/.netrc"))
    try:
        build_opener(HTTPSHandler(context=context)).open(request, timeout=PATIENCE).close()
    except HTTPError as error:
        if error.code == 407:
            return "proxy", f"{error.code} {error.reason}"
        return ("login", f"{error.code} {error.reason}") if error.code == 401 and not has_netrc else None
    except URLError as error:
        return judged(error.reason)
    except (OSError, ValueError) as error:
        return judged(error)
    return None


def judged(reason):
    text = getattr(reason, "strerror", None) or str(reason)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "certificate", reason.verify_message
    if "Tunnel connection failed" in str(reason):
        return "proxy", str(reason)
    if isinstance(reason, (socket.gaierror, socket.timeout, ConnectionError)) or getattr(reason, "errno", None) in (101, 110, 111, 113):
        return "unreachable", text
    return None
