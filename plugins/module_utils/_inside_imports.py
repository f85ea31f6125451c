# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container where a package may be there twice: which of the files does an import find?

Private to the collection. Metadata only says what somebody installed once. `pip install --ignore-installed` leaves the
files of the version before where the new one has others, and Python takes a directory before a module of the same name.
"""

from __future__ import annotations

import os
from importlib.machinery import PathFinder, all_suffixes


def rows_of(path):
    """Return the rows of a RECORD: path, hash, size. Empty if there is none. Source: PEP 376 and PEP 427."""
    import csv  # a look at packages that are there once needs none

    try:
        with open(os.path.join(path, "RECORD"), encoding="utf-8", newline="") as file:
            return [(row + ["", ""])[:3] for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError):
        return []


def is_intact(location, rows):
    """Check whether the recorded files are there as they were installed: all sizes, and the hashes of Python files."""
    for relative, digest, size in rows:
        path = os.path.join(location, relative)
        if not digest or relative.endswith(".pyc"):
            continue
        try:
            if os.stat(path).st_size != int(size or -1) or (path.endswith(".py") and digest != digest_of(path, digest)):
                return False
        except (OSError, ValueError):
            return False
    return True


def digest_of(path, like):
    """Return the hash of a file in the form of a RECORD, by the algorithm of `like`."""
    import base64
    import hashlib

    name = like.partition("=")[0]
    with open(path, "rb") as file:
        found = hashlib.new(name, file.read()).digest()
    return f"{name}={base64.urlsafe_b64encode(found).rstrip(b'=').decode()}"


def top_levels(rows):
    """Return name -> the recorded files that could be imported under it, relative to the directory of packages."""
    found = {}
    for relative, _digest, _size in rows:
        head, *below = relative.split("/")
        if head == ".." or head.endswith((".dist-info", ".egg-info")) or not relative.endswith(tuple(all_suffixes())):
            continue
        found.setdefault(head if below else head.partition(".")[0], []).append(relative)
    return found


def shadow_of(location, rows, names=None):
    """Return the file that an import finds in place of a distribution's own, "" if it finds its own everywhere.

    names: the top-level names to try, all of its own if None. A namespace has no file of its own, so nothing is in its way.
    """
    for name, files in top_levels(rows).items():
        if names is not None and name not in names:
            continue
        spec = PathFinder.find_spec(name, [location])
        origin = spec.origin if spec else None
        if origin and os.path.relpath(origin, location) not in files:
            return origin
    return ""


def named_twice(entries):
    """Return the names under which a directory of packages has more than one thing to import: foo/ and foo.py, say."""
    kinds = {}
    for entry in entries:
        stem, dot, suffix = entry.partition(".")
        if not dot or suffix.endswith(("py", "so")):
            kinds.setdefault(stem, []).append(entry)
    return {name for name, found in kinds.items() if len(found) > 1}
