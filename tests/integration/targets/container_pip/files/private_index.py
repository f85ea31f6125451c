# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package index that wants a name and a password, in a container of its own or that of the lab.

Usage: python private_index.py PORT DIRECTORY USERS

USERS is a file with lines of NAME:PASSWORD.
"""

from __future__ import annotations

import base64
import functools
import http.server
import pathlib
import re
import sys
from urllib.parse import urlsplit


class Index(http.server.SimpleHTTPRequestHandler):
    """/simple/NAME/ lists the files of that project in the directory; /FILE is the file. As a proxy, it is every host's index."""

    known: list = []

    def do_GET(self):
        self.path = urlsplit(self.path).path
        if self.headers.get("Authorization") not in self.known:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.end_headers()
        elif self.path.startswith("/simple/"):
            self.list(self.path.split("/")[2])
        else:
            super().do_GET()

    def list(self, project):
        names = [path.name for path in pathlib.Path(self.directory).iterdir() if same(path.name, project)]
        self.send_response(200 if names else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write("".join(f'<a href="/{name}">{name}</a>\n' for name in names).encode())


def same(file, project):
    return re.sub(r"[-_.]+", "-", file.partition("-")[0]).lower() == project


if __name__ == "__main__":
    Index.known = ["Basic " + base64.b64encode(user).decode() for user in pathlib.Path(sys.argv[3]).read_bytes().split()]
    http.server.ThreadingHTTPServer(("", int(sys.argv[1])), functools.partial(Index, directory=sys.argv[2])).serve_forever()
