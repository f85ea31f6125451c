# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to take one look: does what is wanted hold in what is installed?

Private to the collection. Changes nothing, starts no pip, asks no network.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import deque

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import (
    JOURNAL,
    OWN_DIRECTORY,
    Place,
    dists_in,
    find_hidden,
    foreign,
    image_dists,
    leftovers,
    older_sites,
    versions,
)
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_reader import PipReader, read
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import Malformed, Wanted, adopt, load_packaging, same_origin


class Environment:
    """The packages that a Python sees, and the questions that we ask of them."""

    def __init__(self, packaging, user, image):
        self.packaging, self.user, self.image = packaging, user, image
        self._read = {}
        self.broken = {}  # of what was followed: name -> distribution

    @classmethod
    def here(cls, packaging, place):
        """What a program in this place sees: in an isolated environment, nothing of the image."""
        user = dists_in(place.site)
        find_hidden(place.site, user)
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

    def closure(self, requirements, constraints=(), no_deps=False):
        """The requirements and all that they need: what does not hold (one text each), and the names of what does.

        no_deps: what they need is welcome, and not missed.
        """
        bounds = {}
        for bound in constraints:
            bounds.setdefault(bound.name, []).append(bound)
        queue = deque((wanted, "") for wanted in requirements if wanted.applies())
        missing, seen = [], set()
        while queue:
            wanted, needed_by = queue.popleft()
            dist = self.dist_for(wanted)
            holds = dist is not None and not dist.broken and all(self.agrees(bound, dist) for bound in [wanted, *bounds.get(dist.name, ())])
            if dist is not None and dist.broken:
                self.broken[dist.name] = dist
            if not holds and not (no_deps and needed_by):
                text = wanted.shown.partition(";")[0].strip()
                missing.append(f"{text} (needed by {needed_by})" if needed_by else wanted.shown)
                continue
            if dist is None:
                continue
            if (dist.name, tuple(sorted(wanted.extras))) not in seen:
                seen.add((dist.name, tuple(sorted(wanted.extras))))
                queue.extend((dependency, dist.name) for dependency in self.needs(dist, wanted.extras))
        return list(dict.fromkeys(missing)), {name for name, _extras in seen}

    def needs(self, dist, extras=()):
        for text in dist.requires:
            if extras or not only_for_an_extra(text):
                # Old packages have specifiers that no rule knows: then any version will do; and where the marker means nothing, in any case.
                for left_out in (None, r"(?<=[\w.\-])(?![\w.\-])[^;]*", r"(?![\w.\-]).*"):
                    with contextlib.suppress(Malformed):
                        dependency = self.wanted(re.sub(left_out, " ", text, count=1) if left_out else text)
                        if dependency.applies(extras):
                            yield dependency
                        break

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


def conflicts(environment):
    """What a package needs and does not have, as `pip check` would say it. What the image alone has wrong is not the user's."""
    found, user = [], environment.user
    for dist in {**environment.image, **user}.values():
        for need in environment.needs(dist):
            other = environment.find(need.name)
            if dist.name not in user and need.name not in user:
                continue
            if other is None:
                found.append(f"{dist.name} {dist.version} needs {need.name}, which is not installed")
            elif not environment.agrees(need, other):
                found.append(f"{dist.name} {dist.version} needs {need.text.partition(';')[0].strip()}, and there is {other.name} {other.version}")
    return found


def pip_settings():
    """What pip would read from its files and from the environment: name -> text."""
    home, settings = os.path.expanduser("~"), {}
    places = ["/etc/pip.conf", "/etc/xdg/pip/pip.conf", f"{home}/.pip/pip.conf", f"{home}/.config/pip/pip.conf", f"{sys.prefix}/pip.conf"]
    for place in filter(os.path.isfile, [*places, os.environ.get("PIP_CONFIG_FILE", "")]):
        from configparser import Error, RawConfigParser  # most containers have no such file, and each look would pay for it

        parser = RawConfigParser()
        with contextlib.suppress(Error, UnicodeDecodeError):  # of which pip complains by itself
            parser.read(place, encoding="utf-8")
        for section in ("global", "install"):
            settings.update({key.replace("_", "-"): value for key, value in (parser.items(section) if parser.has_section(section) else ())})
    settings.update({key[4:].lower().replace("_", "-"): value for key, value in os.environ.items() if key.startswith("PIP_")})
    return settings


def constraints_of_image_user():
    """Files that PIP_CONSTRAINT or pip's configuration names: pip will honour them, so must we. Of those that cannot be read, pip complains."""
    lines = []
    for path in pip_settings().get("constraint", "").split():
        with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8-sig") as file:
            text = file.read().replace("\\\n", "")
            lines += [[path, re.sub(r"(^|\s+)#.*$", "", line).strip()] for line in text.splitlines()]
    return [line for line in lines if line[1]]


class Look:
    """One look: the environment here, what a request asks of it, and what does not hold.

    request: state, autoremove, lines and constraints; each line is [where, text]. virtualenv: name of an isolated
    environment, with whole: that it is to go as a whole.
    """

    unreadable = f"its Python ({sys.executable}) has no pip, nor `packaging` to read requirements with"  # said without `packaging`
    python = ".".join(str(part) for part in sys.version_info[:3])
    pip_reader = PipReader()
    IMPLIED = ("ipykernel", "pip")  # what an environment needs to be a kernel, and for %pip in its notebooks

    def __init__(self, request):
        self.state, self.autoremove = request.get("state", "present"), request.get("autoremove", False)
        self.deep, self.whole = request.get("repair", False), request.get("whole", False)
        self.no_deps = request.get("no_deps", False)
        self.place = Place(request.get("virtualenv"))
        self.packaging = load_packaging()
        self.environment = Environment.here(self.packaging, self.place)
        self.wanted, self.implied, self.malformed, self.undecided, self.bounds = [], [], [], [], []
        self.missing, self.reached = [], set()
        if self.packaging is None:
            self.undecided = [text for _where, text in request["lines"]]
            return
        self.read(request)
        if self.state != "absent":
            self.follow()
            if self.missing and not self.malformed:
                # Then pip will read the lines in any case: it may take them for something else, or refuse them.
                self.read(request, thorough=True)
                self.follow()

    def read(self, request, thorough=False):
        """Read the lines of the request, and the files of constraints that pip is told of in the container."""
        pip = None if request.get("installer") == "uv" else self.pip_reader
        self.wanted, self.malformed, self.undecided = read(self.environment, request["lines"], False, pip, thorough)
        bounds, malformed_bounds, undecided_bounds = read(self.environment, request["constraints"], True, pip, thorough)
        others, unread, undecided_others = read(self.environment, constraints_of_image_user(), True)
        self.malformed += malformed_bounds
        # What is wrong in a file that the task does not name, pip says if it minds.
        self.undecided += undecided_bounds + undecided_others + [f"-c {bound['where']}" for bound in unread]
        self.bounds = [bound for bound in bounds + others if bound.applies()]
        # A list with hashes must have one for each of its packages, so it names these as well.
        if self.place.virtualenv and not any(" --hash" in line for _where, line in request["lines"] + request["constraints"]):
            named = {one.name for one in self.wanted}
            self.implied = [self.environment.wanted(name) for name in self.IMPLIED if name not in named]

    def follow(self):
        """Follow the requirements through the environment as it is now."""
        self.missing, self.reached = self.environment.closure(self.wanted + self.implied, self.bounds, self.no_deps)

    @property
    def unknown(self):
        """What may ask for anything. A file of constraints that only pip can read asks for nothing."""
        return [text for text in self.undecided if not text.startswith(("-c", "--cons"))]

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
        if self.state != "absent" or self.packaging is None:
            return set()
        named = [wanted for wanted in self.wanted if wanted.applies()]
        gone = {wanted.name for wanted in named if wanted.name in user and self.environment.agrees(wanted, user[wanted.name])}
        gone |= {name for name, dist in user.items() for wanted in named if not wanted.name and same_origin(wanted.url, dist.direct_url)}
        return gone | (self.environment.orphans(gone) if self.autoremove else set())

    def unmarked(self):
        """Named by the request, but known as somebody's dependency only: autoremove would take them away."""
        dists = [] if self.state == "absent" else [self.environment.user[name] for name in self.asked_for()]
        return sorted(dist.name for dist in dists if not dist.requested and dist.can_be_marked)

    @property
    def kernel_differs(self):
        """Whether the kernel of an isolated environment is to be registered, or to go."""
        if self.whole:
            return os.path.isdir(self.place.path) or (os.path.exists(self.place.kernel) and not self.place.is_anothers)
        return bool(self.place.virtualenv) and self.state != "absent" and not self.place.is_kernel

    @property
    def pip(self):
        """Version of the pip that installs here; empty if there is none."""
        pip = self.environment.find("pip") or (image_dists().get("pip") if self.place.virtualenv else None)
        return pip.version if pip else ""

    def answer(self):
        environment, surplus = self.environment, sorted(self.surplus())
        base, user_site = self.place.path, self.place.site
        return {
            "leftovers": leftovers(user_site),
            "foreign": foreign(base, self.deep),
            "older": {python: versions(dists_in(folder)) for python, folder in older_sites(base, user_site).items()},
            "python": self.python,
            "executable": sys.executable,
            "pip": self.pip,
            "user_site": user_site,
            "seen": self.place.seen,
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


def look(request):
    """Everything that one look tells; the same for each of the isolated environments that are asked for, too."""
    adopt(request.get("environment", {}))
    kernels = {one["virtualenv"]: Look(one).answer() for one in request.get("kernels", ())}
    return {**Look(request).answer(), "kernels": kernels}
