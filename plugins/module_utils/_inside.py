# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container: one look at the Python environment, and whether requirements hold in it.

Private to the collection. _probe.py sends this file's own source through stdin, so it imports nothing of ours:
the standard library and `packaging` only, and as little of both as possible, because starting is most of its time.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import site
import sys
from collections import deque
from urllib.parse import unquote, urlsplit

OWN_DIRECTORY = ".mlenv-pip"  # ours, in the user base
JOURNAL = "journal.json"  # there while a change is half done


def load_packaging():
    """The reference library for requirements: the image's own, else the copy that pip carries. None without both."""
    for parent in ("packaging", "pip._vendor.packaging"):
        try:
            package = __import__(parent + ".requirements", fromlist=["requirements"])
            __import__(parent + ".version", fromlist=["version"])
            return package
        except Exception:  # a broken copy in the user site raises anything; the next one may work
            continue
    return None


def canonical(name):
    """The one spelling of a project's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


# ---------------------------------------------------------------- where packages are kept


class Place:
    """The user base (~/.local), or an isolated environment of that name on the same volume: a kernel of its own."""

    def __init__(self, virtualenv=None):
        self.root, self.virtualenv = site.getuserbase(), virtualenv
        self.path = os.path.join(self.root, "share", "virtualenvs", virtualenv) if virtualenv else self.root
        self.site = os.path.join(self.path, os.path.relpath(site.getusersitepackages(), self.root))
        self.python = os.path.join(self.path, "bin", "python")
        self.kernel = os.path.join(self.root, "share", "jupyter", "kernels", virtualenv or "", "kernel.json")

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
    def is_kernel(self):
        """Whether a notebook could run in it: it is registered, and its Python is the one of now."""
        return self.registered_spec() == self.kernel_spec and os.path.exists(self.python) and os.path.isdir(self.site)


# ---------------------------------------------------------------- what is installed


class Dist:
    """One installed distribution, by its metadata directory. Files are read only when asked for."""

    def __init__(self, folder, entry):
        self.location = folder
        self.path = os.path.join(folder, entry)
        stem = entry.rpartition(".")[0]
        name, _dash, version = stem.partition("-")
        if entry.endswith(".egg-info"):
            version = re.sub(r"-py\d.*$", "", version)
        self.name = canonical(name)
        self.version = version
        self.twins = []
        self._headers = None
        if not version:
            self.version = self.header("Version")

    @property
    def age(self):
        return -os.stat(self.path).st_mtime_ns

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
            twin = found.get(dist.name)
            if twin:  # `pip install --ignore-installed` leaves the old one's metadata; the files are the newer one's
                dist, twin = (dist, twin) if dist.age < twin.age else (twin, dist)
                dist.twins = [*dist.twins, twin, *twin.twins]
            found[dist.name] = dist
    return found


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
    """Packages left under other Pythons' directories of the same user base: version of Python -> directory."""
    found = {}
    for folder in sorted(glob.glob(os.path.join(glob.escape(base), "lib", "python3.*", "site-packages"))):
        if folder != user_site and dists_in(folder):
            found[folder.split(os.sep)[-2][6:]] = folder
    return found


# ---------------------------------------------------------------- what is wanted


class Malformed(Exception):
    """A requirement that nobody can read; the column counts from 1, 0 if unknown."""

    def __init__(self, why, column=0):
        super().__init__(why)
        self.column = column


class Wanted:
    """One requirement: by name and specifier, or by direct reference (then url is set, and name may be empty)."""

    def __init__(self, packaging, text):
        requirement, self.text = None, text
        if is_reference(text):
            url, _semicolon, marker = text.partition(" ;")
            self.name, self.extras, self.specifier = "", set(), None
            self.url, _bracket, extras = re.sub(r"(\[[^\[\]]*\])$", r" \1", url.strip()).partition(" [")
            self.extras = {part.strip() for part in extras.rstrip("]").split(",") if part.strip()}
            self.marker = packaging.Requirement("x ;" + marker).marker if marker.strip() else None
            self.name = canonical(fragment(self.url).get("egg", "").partition("[")[0])
            return
        try:
            requirement = packaging.Requirement(text)
        except packaging.InvalidRequirement as error:
            raise Malformed(*explain(str(error), text)) from error
        self.name = canonical(requirement.name)
        self.extras = set(requirement.extras)
        self.specifier = requirement.specifier
        self.url = requirement.url
        self.marker = requirement.marker

    def applies(self, extras=()):
        """Whether its marker is true here, for a package that was asked for with these extras."""
        return self.marker is None or any(self.marker.evaluate({"extra": extra}) for extra in extras or ("",))


def is_reference(text):
    """A path or a URL without `name @` in front, as pip tells it apart from a name."""
    head = text.partition(" ;")[0].strip()
    if re.match(r"^[A-Za-z0-9][\w.\-]*\s*(\[[^\]]*\])?\s*@", head):
        return False
    return "://" in head or head.startswith((".", "/", "~")) or re.search(r"\.(whl|zip|tar\.gz|tar\.bz2|tar\.xz|tgz)$", head) is not None


def explain(message, text):
    """packaging's complaint as one line and the column that its caret points to."""
    lines = message.splitlines()
    column = 0
    for above, below in zip(lines, lines[1:]):
        if above.strip() == text.strip() and "^" in below:
            column = below.index("^") - above.index(text.strip()[0]) + 1
    why = lines[0].partition(": ")[2] if lines[0].startswith("Parse error") else lines[0]
    return (why.strip() or "it is no requirement"), column


def requirement_of(line):
    """The requirement in a line of a requirements file, without the options behind it; None for a line of options."""
    line = re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: os.environ.get(match.group(1)) or match.group(0), line)
    if line.startswith("-"):
        return None
    return re.split(r"\s+-{1,2}(?=[a-z])", line, maxsplit=1)[0].strip()


# ---------------------------------------------------------------- direct references


def fragment(url):
    return dict(part.partition("=")[::2] for part in urlsplit(url).fragment.split("&") if part)


def plain(url):
    """A URL for comparison: without credentials, fragment and closing slash."""
    parts = urlsplit(url)
    if not parts.netloc and parts.scheme in ("", "file"):
        return "file://" + os.path.abspath(os.path.expanduser(unquote(parts.path))).rstrip("/")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{unquote(parts.path).rstrip('/')}" + (f"?{parts.query}" if parts.query else "")


def same_origin(url, record):
    """Whether an installed package's direct_url.json says that it came from this very reference."""
    if not record:
        return False
    wanted, vcs = fragment(url), record.get("vcs_info")
    target = plain(url)
    if vcs:
        scheme, _plus, rest = target.partition("+")
        if scheme != vcs.get("vcs"):
            return False
        path, at, revision = rest.rpartition("@")
        target, revision = (path, revision) if at and "/" not in revision else (rest, "")
        if revision not in (vcs.get("requested_revision") or "", vcs.get("commit_id")):
            return False
    if target != plain(record.get("url", "")) or wanted.get("subdirectory", "") != (record.get("subdirectory") or ""):
        return False
    return same_hash(target, wanted, archive_hashes(record))


def archive_hashes(record):
    """algorithm -> hash of the archive that a package came from, in the new form of the record or the old one."""
    archive = record.get("archive_info") or {}
    return dict(archive.get("hashes") or [archive.get("hash", "=").split("=", 1)])


def same_hash(target, wanted, hashes):
    """The archive's hash is the one asked for, and the one that a local file has now."""
    if any(algorithm in hashes and hashes[algorithm] != wanted[algorithm] for algorithm in wanted):
        return False
    path = target[7:] if target.startswith("file://") else ""
    if "sha256" not in hashes or not os.path.isfile(path):
        return True
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest() == hashes["sha256"]


# ---------------------------------------------------------------- does what is wanted hold


def image_dists():
    """All that this Python sees but the user's own: name -> Dist."""
    user_site, found = os.path.realpath(site.getusersitepackages()), {}
    for folder in sys.path:
        if folder and os.path.realpath(folder) != user_site:
            for name, dist in dists_in(folder).items():
                found.setdefault(name, dist)
    return found


class Environment:
    """The packages that a Python sees, and the questions that we ask of them."""

    def __init__(self, packaging, user, image):
        self.packaging, self.user, self.image = packaging, user, image
        self._read = {}

    @classmethod
    def here(cls, packaging, place):
        """What a program in this place sees: in an isolated environment, nothing of the image."""
        user = dists_in(place.site)
        return cls(packaging, user, {} if place.virtualenv else image_dists())

    def find(self, name):
        return self.user.get(name) or self.image.get(name)

    def wanted(self, text):
        if text not in self._read:
            self._read[text] = Wanted(self.packaging, text)
        return self._read[text]

    def agrees(self, wanted, dist):
        """Whether this installed distribution is what the requirement asks for."""
        if wanted.url:
            return same_origin(wanted.url, dist.direct_url)
        try:
            # What is installed may be a pre-release: pip keeps it, too.
            return not wanted.specifier or wanted.specifier.contains(dist.version, prereleases=True)
        except ValueError:  # a version that follows no rule satisfies no specifier
            return False

    def dist_for(self, wanted):
        if wanted.name:
            return self.find(wanted.name)
        everything = list(self.user.values()) + list(self.image.values())
        return next((dist for dist in everything if same_origin(wanted.url, dist.direct_url)), None)

    def closure(self, requirements, constraints=()):
        """The requirements and all that they need: what does not hold (one text each), and the names of what does."""
        bounds = {}
        for bound in constraints:
            bounds.setdefault(bound.name, []).append(bound)
        queue = deque((wanted, "") for wanted in requirements if wanted.applies())
        missing, seen = [], set()
        while queue:
            wanted, needed_by = queue.popleft()
            dist = self.dist_for(wanted)
            if dist is None or not all(self.agrees(bound, dist) for bound in [wanted, *bounds.get(dist.name, ())]):
                text = wanted.text.partition(";")[0].strip()
                missing.append(f"{text} (needed by {needed_by})" if needed_by else wanted.text)
                continue
            if (dist.name, tuple(sorted(wanted.extras))) not in seen:
                seen.add((dist.name, tuple(sorted(wanted.extras))))
                queue.extend((dependency, dist.name) for dependency in self.needs(dist, wanted.extras))
        return list(dict.fromkeys(missing)), {name for name, _extras in seen}

    def needs(self, dist, extras=()):
        for text in dist.requires:
            if extras or not only_for_an_extra(text):
                dependency = self.wanted(text)
                if dependency.applies(extras):
                    yield dependency

    def orphans(self, gone):
        """User packages that nobody asked for and that no other one needs, once those in `gone` are gone.

        Nothing records with which extras a package was asked for: so all of its extras count as needed.
        """
        left = {name: dist for name, dist in self.user.items() if name not in gone}
        queue = deque(dist for dist in left.values() if dist.requested)
        queue.extend(dist for name, dist in self.image.items() if name not in left)
        reached = {dist.name for dist in queue}
        while queue:
            dist = queue.popleft()
            for dependency in self.needs(dist, dist.extras if dist.name in left else ()):
                if dependency.name in left and dependency.name not in reached:
                    reached.add(dependency.name)
                    queue.append(left[dependency.name])
        return set(left) - reached


def only_for_an_extra(text):
    """Most lines of most packages; parsing them costs more than everything else."""
    marker = text.partition(";")[2]
    return "extra ==" in marker and " or " not in marker


def read(environment, lines):
    """Lines of requirements as Wanted, and apart those that are malformed or that only pip can decide."""
    wanted, malformed, undecided = [], [], []
    for where, line in lines:
        text = requirement_of(line)
        if text is None:
            if re.match(r"(-r|-c|--requirement|--constraint)\b", line):
                undecided.append(line)
            continue
        try:
            wanted.append(environment.wanted(text))
        except Malformed as error:
            malformed.append({"where": where, "text": text, "column": error.column, "why": str(error)})
    return wanted, malformed, undecided


def constraints_of_image_user():
    """Files that PIP_CONSTRAINT names: pip will honour them, so must we."""
    lines = []
    for path in os.environ.get("PIP_CONSTRAINT", "").split():
        try:
            with open(path, encoding="utf-8") as file:
                lines += [[path, re.sub(r"(^|\s+)#.*$", "", line).strip()] for line in file]
        except OSError:
            continue
    return [line for line in lines if line[1]]


class Look:
    """One look: the environment here, what a request asks of it, and what does not hold.

    request: state, autoremove, lines and constraints; each line is [where, text]. virtualenv: name of an isolated
    environment, with whole: that it is to go as a whole.
    """

    IMPLIED = ("ipykernel", "pip")  # what an environment needs to be a kernel, and for %pip in its notebooks

    def __init__(self, request):
        self.state, self.autoremove = request.get("state", "present"), request.get("autoremove", False)
        self.deep, self.whole = request.get("repair", False), request.get("whole", False)
        self.place = Place(request.get("virtualenv"))
        self.packaging = load_packaging()
        self.environment = Environment.here(self.packaging, self.place)
        self.wanted, self.implied, self.malformed, self.undecided, self.bounds = [], [], [], [], []
        self.missing, self.reached = [], set()
        if self.packaging is None:
            self.undecided = [text for _where, text in request["lines"]]
            return
        self.wanted, self.malformed, self.undecided = read(self.environment, request["lines"])
        bounds, malformed_bounds, _undecided = read(self.environment, request["constraints"] + constraints_of_image_user())
        self.malformed += malformed_bounds
        self.bounds = [bound for bound in bounds if bound.applies()]
        # A list with hashes must have one for each of its packages, so it names these as well.
        if self.place.virtualenv and not any(" --hash" in line for _where, line in request["lines"]):
            named = {one.name for one in self.wanted}
            self.implied = [self.environment.wanted(name) for name in self.IMPLIED if name not in named]
        if self.state != "absent":
            self.follow()

    def follow(self):
        """Follow the requirements through the environment as it is now."""
        try:
            self.missing, self.reached = self.environment.closure(self.wanted + self.implied, self.bounds)
        except Malformed as error:  # in an installed package's own metadata
            self.undecided.append(str(error))

    def asked_for(self):
        """User packages that the request itself names, not only needs."""
        dists = [self.environment.dist_for(wanted) for wanted in self.wanted if wanted.applies()]
        return {dist.name for dist in dists if dist and dist.name in self.environment.user}

    def surplus(self):
        """User packages that the state wants gone. The image's own are never touched."""
        user = self.environment.user
        if self.whole:
            return set(user)
        if self.state == "exact":
            return set(user) - self.reached
        if self.state != "absent":
            return set()
        named = [wanted for wanted in self.wanted if wanted.applies()]
        gone = {wanted.name for wanted in named if wanted.name in user and self.environment.agrees(wanted, user[wanted.name])}
        gone |= {name for name, dist in user.items() for wanted in named if not wanted.name and same_origin(wanted.url, dist.direct_url)}
        return gone | (self.environment.orphans(gone) if self.autoremove else set())

    def unmarked(self):
        """Named by the request, but known as somebody's dependency only: autoremove would take them away."""
        return [] if self.state == "absent" else sorted(name for name in self.asked_for() if not self.environment.user[name].requested)

    @property
    def kernel_differs(self):
        """Whether the kernel of an isolated environment is to be registered, or to go."""
        if self.whole:
            return os.path.isdir(self.place.path) or os.path.exists(self.place.kernel)
        return bool(self.place.virtualenv) and self.state != "absent" and not self.place.is_kernel

    def answer(self):
        environment, surplus = self.environment, sorted(self.surplus())
        base, user_site = self.place.path, self.place.site
        pip = environment.find("pip") or (image_dists().get("pip") if self.place.virtualenv else None)
        return {
            "leftovers": leftovers(user_site),
            "foreign": foreign(base, self.deep),
            "older": {python: versions(dists_in(folder)) for python, folder in older_sites(base, user_site).items()},
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "executable": sys.executable,
            "pip": pip.version if pip else "",
            "user_site": user_site,
            "user_base": base,
            "interrupted": os.path.exists(os.path.join(self.place.root, OWN_DIRECTORY, JOURNAL)),
            "home": os.path.expanduser("~"),
            "uid": os.getuid(),
            "gid": os.getgid(),
            "path": os.environ.get("PATH", ""),
            "kernel": bool(self.place.virtualenv) and self.place.is_kernel,
            "kernel_differs": self.kernel_differs,
            "satisfied": not (self.missing or self.malformed or self.undecided or surplus or self.kernel_differs),
            "missing": self.missing,
            "surplus": surplus,
            "unmarked": self.unmarked(),
            "malformed": self.malformed,
            "undecided": self.undecided,
            "user_packages": versions(environment.user),
            "image_packages": versions(environment.image),
        }


def versions(dists):
    return {name: dist.version for name, dist in sorted(dists.items())}


def look(request):
    """Everything that one look tells; the same for each of the isolated environments that are asked for, too."""
    kernels = {one["virtualenv"]: Look(one).answer() for one in request.get("kernels", ())}
    return {**Look(request).answer(), "kernels": kernels}
