"""Healthy if a server that wrote its address into the runtime directory answers there.

Runs every few seconds for as long as the lab lives: the standard library alone, and nothing of the user's.
"""

import http.client
import json
import os
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit


def runtime_directories():
    """Where the server may have put its file: as jupyter_core decides, for either home that a lab's user can have."""
    env = os.environ
    if env.get("JUPYTER_RUNTIME_DIR"):
        yield Path(env["JUPYTER_RUNTIME_DIR"])
    if env.get("JUPYTER_DATA_DIR"):
        yield Path(env["JUPYTER_DATA_DIR"], "runtime")
    for home in (f"/home/{env.get('NB_USER')}", env.get("HOME", "/")):
        yield Path(home, ".local/share/jupyter/runtime")


def answers(file):
    """Whether the server that wrote this file answers; one on a Unix socket is taken at its word."""
    try:
        url = urlsplit(json.loads(file.read_text())["url"])
        if url.scheme not in ("http", "https"):
            return True
        connection = http.client.HTTPConnection(url.netloc, timeout=4)
        if url.scheme == "https":
            # The certificate may well be for another name: the one that people use.
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection(url.netloc, timeout=4, context=context)
        connection.request("GET", f"{url.path}api")
        return connection.getresponse().status == 200
    except (OSError, ValueError, http.client.HTTPException):
        return False


# A server that was killed leaves its file behind, so the newest is asked first, and any answer is good.
files = [file for directory in runtime_directories() for file in directory.glob("*server-*.json")]
files.sort(key=os.path.getmtime, reverse=True)
sys.exit(0 if any(map(answers, files)) else 1)
