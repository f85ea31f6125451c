# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to see where packages are kept, and which ones are there.

Private to the collection. _probe.py sends this file's own source through stdin, so it imports the standard library
alone, and as little of it as possible, because starting is most of its time.
"""

from __future__ import annotations

import glob
import json
import os
import re
import site
import sys

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_imports import is_intact, named_twice, rows_of, shadow_of

OWN_DIRECTORY = ".mlenv-pip"  # ours, in the user base
JOURNAL = "journal.json"  # there while a change is half done


def canonical(name):
    """The one spelling of a project's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Place:
    """The user base (~/.local), or an isolated environment of that name on the same volume: a kernel of its own."""

    def __init__(self, virtualenv=None):
        self.root, self.virtualenv = site.getuserbase(), virtualenv
        self.path = os.path.join(self.root, "share", "virtualenvs", virtualenv) if virtualenv else self.root
        self.site = os.path.join(self.path, os.path.relpath(site.getusersitepackages(), self.root))
        self.python = os.path.join(self.path, "bin", "python")
        self.kernel = os.path.join(self.root, "share", "jupyter", "kernels", virtualenv or "", "kernel.json")

    @property
    def seen(self):
        """Whether programs see its packages: no user site is seen under PYTHONNOUSERSITE, or by a Python that is a virtual environment."""
        return bool(self.virtualenv or site.ENABLE_USER_SITE)

    @property
    def kernel_spec(self):
        """What tells Jupyter of the environment. Source: jupyter_client, kernel specs."""
        return {
            "argv": [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": self.virtualenv,
            "language": "python",
            # So that !pip and !python in a notebook are the environment's own; an image's PYTHONPATH leads to its packages.
            "env": {"PATH": os.path.dirname(self.python) + ":${PATH}", "PYTHONPATH": "", "VIRTUAL_ENV": self.path},
            "metadata": {"debugger": True},
        }

    def registered_spec(self):
        """The kernel spec of that name, whoever wrote it; an empty dict if there is none."""
        try:
            with open(self.kernel, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return {}

    @property
    def is_anothers(self):
        """Whether that name is of a kernel that somebody else made, and may need."""
        ours = os.path.join("share", "virtualenvs", self.virtualenv, "bin", "python")
        spec = self.registered_spec()
        return bool(spec) and not (spec.get("argv") or [""])[0].endswith(ours)

    @property
    def is_kernel(self):
        """Whether a notebook could run in it: it is registered, and its Python is the one of now."""
        return self.registered_spec() == self.kernel_spec and os.path.exists(self.python) and os.path.isdir(self.site)


class Dist:
    """One installed distribution, by its metadata directory. Files are read only when asked for."""

    def __init__(self, folder, entry):
        self.location = folder
        self.path = os.path.join(folder, entry)
        stem = entry.rpartition(".")[0]
        name, _dash, version = stem.partition("-")
        if entry.endswith(".egg-info"):
            version = re.sub(r"-py\d.*$", "", version)
        self.twins = []
        self.shadow = ""  # the file that an import finds in place of its own
        self.broken = False  # an import does not find its files, or not as they were installed
        self._headers = None
        if not version or "-" in version:  # then the directory does not say where the name ends
            name, version = self.header("Name") or name, self.header("Version") or version
        self.name, self.version = canonical(name), version

    @property
    def age(self):
        return -os.stat(self.path).st_mtime_ns

    def find_fault(self, names=None):
        """Note why an import does not find its files: another file is before it, or its own are not as they were installed."""
        rows = rows_of(self.path)
        self.shadow = shadow_of(self.location, rows, names)
        self.broken = bool(self.shadow) or (names is None and not is_intact(self.location, rows))

    @property
    def headers(self):
        """Header lines of METADATA; the long description below them is left out."""
        if self._headers is None:
            text = ""
            for candidate in ("METADATA", "PKG-INFO", ""):
                try:
                    with open(os.path.join(self.path, candidate).rstrip("/"), encoding="utf-8", errors="replace") as file:
                        text = file.read()
                        break
                except OSError:
                    continue
            self._headers = text.partition("\n\n")[0].splitlines()
        return self._headers

    def header(self, key):
        prefix = key + ": "
        return next((line[len(prefix) :].strip() for line in self.headers if line.startswith(prefix)), "")

    @property
    def requires(self):
        found = [line[15:].strip() for line in self.headers if line.startswith("Requires-Dist: ")]
        if found or not self.path.endswith(".egg-info"):
            return found
        return egg_requires(os.path.join(self.path, "requires.txt"))

    @property
    def extras(self):
        return {line[16:].strip() for line in self.headers if line.startswith("Provides-Extra: ")}

    @property
    def requested(self):
        """Whether somebody asked for it (PEP 376). Without an INSTALLER nobody recorded that, so it may well be."""
        return os.path.exists(os.path.join(self.path, "REQUESTED")) or not os.path.exists(os.path.join(self.path, "INSTALLER"))

    @property
    def can_be_marked(self):
        """Whether we may write REQUESTED into its list of files, if it has one."""
        return all(os.access(path, os.W_OK) for path in (self.path, os.path.join(self.path, "RECORD")))

    @property
    def direct_url(self):
        """Where it came from, when that was no index (PEP 610); an empty dict otherwise."""
        try:
            with open(os.path.join(self.path, "direct_url.json"), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return {}


def egg_requires(path):
    """requires.txt of old setuptools as Requires-Dist lines: its sections are [extra:marker]."""
    found, suffix = [], ""
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except OSError:
        return found
    for line in lines:
        if line.startswith("["):
            extra, _colon, marker = line[1:-1].partition(":")
            tests = (["(" + marker + ")"] if marker else []) + ([f'extra == "{extra}"'] if extra else [])
            suffix = "; " + " and ".join(tests)
        elif line:
            found.append(line + suffix)
    return found


def dists_in(folder):
    """Distributions in one directory: name -> Dist."""
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return {}
    found = {}
    for entry in entries:
        if entry.endswith((".dist-info", ".egg-info")) and not is_leftover(folder, entry):
            dist = Dist(folder, entry)
            found.setdefault(dist.name, []).append(dist)
    return {name: dists[0] if len(dists) == 1 else imported(dists) for name, dists in found.items()}


def imported(dists):
    """The one of several sets of metadata whose files an import finds, with the others as its twins; the newest one if none is."""
    for dist in dists:
        dist.find_fault()
    first, *twins = sorted(dists, key=lambda dist: (dist.broken, dist.age))
    first.twins = twins
    return first


def find_hidden(folder, dists):
    """Note in those of these distributions that another file of the same name hides, without any twin of theirs."""
    names = named_twice(os.listdir(folder)) if os.path.isdir(folder) else ()
    for dist in dists.values() if names else ():
        if not dist.twins:
            dist.find_fault(names)


def is_leftover(folder, entry):
    """pip renames what it is about to remove to ~name; and a half removed package has lost its METADATA."""
    lost = entry.endswith(".dist-info") and not os.path.exists(os.path.join(folder, entry, "METADATA"))
    return lost or entry.startswith(("~", "-"))


def leftovers(folder):
    """What broken installations left in a directory of packages: full paths."""
    try:
        return sorted(os.path.join(folder, entry) for entry in os.listdir(folder) if is_leftover(folder, entry))
    except OSError:
        return []


def foreign(base, deep=False):
    """Entries of a user base that belong to somebody else; only near its top, where one look is cheap, unless deep."""
    found = []
    top = status(base)
    for folder, folders, files in os.walk(base):
        seen = {entry: status(os.path.join(folder, entry)) for entry in [*folders, *files, *([""] if folder == base else [])]}
        found += [os.path.join(folder, entry).rstrip("/") for entry, one in seen.items() if one and one.st_uid != os.getuid()]
        # What is mounted below is not ours to judge.
        folders[:] = [entry for entry in folders if seen[entry] and seen[entry].st_dev == top.st_dev]
        if not deep and folder.count(os.sep) - base.count(os.sep) >= 3:
            folders.clear()
    return found


def status(path):
    """None for what is gone by now: a living lab makes and removes files all the time."""
    try:
        return os.lstat(path)
    except OSError:
        return None


def older_sites(base, user_site):
    """Packages left under other Pythons' directories of the same user base: version of Python -> directory, the newest one last."""
    folders = glob.glob(os.path.join(glob.escape(base), "lib", "python3.*", "site-packages"))
    found = {folder.split(os.sep)[-2][6:]: folder for folder in folders if folder != user_site and dists_in(folder)}
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in re.findall(r"\d+", item[0])]))


def added_by(folder):
    """What .pth files in a directory of packages let Python see as well, such as the source of an editable installation."""
    found = set()
    for path in glob.glob(os.path.join(glob.escape(folder), "*.pth")):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found |= {os.path.join(folder, line.strip()) for line in file if line.strip() and not line.startswith(("#", "import ", "import\t"))}
        except OSError:
            continue
    return found


def image_dists():
    """All that this Python sees but the user's own: name -> Dist."""
    user_site, found = site.getusersitepackages(), {}
    users_own = {os.path.realpath(folder) for folder in {user_site, *added_by(user_site)}.difference(site.getsitepackages())}
    for folder in sys.path:
        if folder and os.path.realpath(folder) not in users_own:
            for name, dist in dists_in(folder).items():
                found.setdefault(name, dist)
    return found


def versions(dists):
    return {name: dist.version for name, dist in sorted(dists.items())}
