# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to change its packages: a transaction around an installer.

Private to the collection. The installer never touches the user site. It fills a stage beside it, seeing all that is
installed; when that has worked, the stage is swapped in by renames that a journal makes repeatable:

    lock -> finish what was interrupted -> stage (minutes, may fail) -> journal -> swap (milliseconds) -> clean up

So a failure leaves everything as it was, and whoever is killed leaves a state that the next run completes.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import glob
import json
import os
import shutil
import site
import subprocess
import sys
import tempfile
import time

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside import (
    JOURNAL,
    OWN_DIRECTORY,
    Dist,
    Look,
    archive_hashes,
    canonical,
    dists_in,
    versions,
)


class Trouble(Exception):
    """Why nothing was changed: one sentence. The installer's own words go beside it."""

    def __init__(self, sentence, **details):
        super().__init__(sentence)
        self.details = details


# ---------------------------------------------------------------- the stage and the swap


class Base:
    """A user base (~/.local): where packages live, and our own directory in it, on the same file system."""

    def __init__(self):
        self.path = site.getuserbase()
        self.site = site.getusersitepackages()
        self.own = os.path.join(self.path, OWN_DIRECTORY)
        self.stage = os.path.join(self.own, "stage")
        self.trash = os.path.join(self.own, "trash")
        self.journal = os.path.join(self.own, JOURNAL)

    def site_in(self, stage):
        return os.path.join(stage, os.path.relpath(self.site, self.path))

    @contextlib.contextmanager
    def locked(self, timeout):
        """Only one transaction at a time, also when two containers share the volume."""
        os.makedirs(self.own, exist_ok=True)
        with open(os.path.join(self.own, "lock"), "w", encoding="utf-8") as lock:
            deadline = time.monotonic() + timeout
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Trouble(f"another installation into {self.path} did not end within {timeout} s") from None
                    time.sleep(0.1)
            self.finish_interrupted()
            try:
                yield
            finally:
                self.clean()

    def clean(self):
        shutil.rmtree(self.stage, ignore_errors=True)
        shutil.rmtree(self.trash, ignore_errors=True)

    def finish_interrupted(self):
        """A journal means that the stage was complete: repeat the swap to its end. Without one, it was not."""
        if os.path.exists(self.journal):
            with open(self.journal, encoding="utf-8") as file:
                journal = json.load(file)
            if journal["removing"]:
                self.remove(journal["files"], Moves())
            self.insert(Moves())
            os.remove(self.journal)
        self.clean()

    def swap(self, removed):
        """Take the files of these distributions out and the stage in, or change nothing."""
        files = [path for dist in removed for path in files_of(dist, self.path)]
        refuse_foreign(files, self.path)
        moves = Moves()
        self.write_journal({"removing": True, "files": files})
        try:
            self.remove(files, moves)
            self.write_journal({"removing": False})
            self.insert(moves)
        except OSError:
            moves.undo()
            raise
        finally:
            os.remove(self.journal)

    def write_journal(self, journal):
        with open(self.journal + ".new", "w", encoding="utf-8") as file:
            json.dump(journal, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.journal + ".new", self.journal)

    def remove(self, files, moves):
        for path in files:
            if os.path.lexists(path):
                moves.move(path, os.path.join(self.trash, os.path.relpath(path, self.path)))
        for folder in sorted({os.path.dirname(path) for path in files}, key=len, reverse=True):
            self.prune(folder)

    def prune(self, folder):
        """Remove directories that became empty, upwards, never the site itself."""
        while folder.startswith(self.path + os.sep) and not self.site.startswith(folder):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

    def insert(self, moves, folder=""):
        """Move the stage in; a directory that is not there yet moves as a whole."""
        source = os.path.join(self.stage, folder)
        if not os.path.isdir(source):
            return
        for entry in sorted(os.listdir(source)):
            origin, target = os.path.join(source, entry), os.path.join(self.path, folder, entry)
            if os.path.isdir(origin) and not os.path.islink(origin) and os.path.isdir(target):
                self.insert(moves, os.path.join(folder, entry))
                continue
            if os.path.lexists(target):
                moves.move(target, os.path.join(self.trash, folder, entry))
            moves.move(origin, target)


class Moves:
    """Renames that can be taken back."""

    def __init__(self):
        self.done = []

    def move(self, source, target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(source, target)
        self.done.append((source, target))

    def undo(self):
        while self.done:
            source, target = self.done.pop()
            os.makedirs(os.path.dirname(source), exist_ok=True)
            os.rename(target, source)


def files_of(dist, base):
    """All files of an installed distribution (its RECORD, and bytecode made since), none outside of the base."""
    paths = set()
    for relative in recorded(dist):
        path = os.path.normpath(os.path.join(dist.location, relative))
        paths.add(path)
        if path.endswith(".py"):
            folder, name = os.path.split(path)
            paths.update(glob.glob(os.path.join(glob.escape(folder), "__pycache__", glob.escape(name[:-3]) + ".*.pyc")))
    paths.update(os.path.join(dist.path, name) for name in os.listdir(dist.path))
    return sorted(path for path in paths if path.startswith(base + os.sep) and (os.path.isfile(path) or os.path.islink(path)))


def recorded(dist):
    try:
        with open(os.path.join(dist.path, "RECORD"), encoding="utf-8", newline="") as file:
            return [row[0] for row in csv.reader(file) if row]
    except OSError:
        pass
    try:
        with open(os.path.join(dist.path, "installed-files.txt"), encoding="utf-8") as file:
            return [os.path.relpath(os.path.join(dist.path, line.strip()), dist.location) for line in file if line.strip()]
    except OSError:
        raise Trouble(f"{dist.name} {dist.version} in {dist.location} has no list of its files, so nothing can replace or remove it") from None


def refuse_foreign(files, base):
    """Renaming needs the right to write in each directory: find out before the first one."""
    for folder in sorted({os.path.dirname(path) for path in files} | {base}):
        if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK):
            if os.statvfs(folder).f_flag & os.ST_RDONLY:
                raise Trouble(f"{folder} is on a read-only file system")
            owner = os.stat(folder).st_uid
            raise Trouble(f"{folder} belongs to uid {owner} and uid {os.getuid()} may not write there")


# ---------------------------------------------------------------- the installer


class Planned:
    """A distribution that pip's report (format 1) says it would install; looks like one that is installed."""

    def __init__(self, item):
        self.name = canonical(item["metadata"]["name"])
        self.version = item["metadata"]["version"]
        self.requires = item["metadata"].get("requires_dist", [])
        self.direct_url = item["download_info"] if item["is_direct"] else {}


class Done:
    """How the installer ended: dists are those that it installed, or (check) would install, by name."""

    def __init__(self, argv, rc, out, err, dists):
        self.argv, self.rc, self.out, self.err, self.dists = argv, rc, out, err, dists


@contextlib.contextmanager
def passed(texts):
    """Texts as files that exist for a child alone and leave nothing behind (credentials may be in them)."""
    descriptors = []
    try:
        for text in texts:
            descriptor = os.memfd_create("text")
            descriptors.append(descriptor)
            with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
                file.write(text)
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def run_child(argv, environment, descriptors, timeout):
    """Run it to its end; at the timeout, it and all that it started are gone."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=descriptors,
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as child:
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            out, err = child.communicate()
            raise Trouble(f"the installation did not end within {timeout} s and was stopped", argv=argv, out=out, err=err) from None
        return child.returncode, out, err


def pip_install(request, stage, base, hidden, image):
    """`pip install --user` with the stage as its user base, and the true user site in its sight but for the hidden ones."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONNOUSERSITE", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")}
    environment.update(
        PYTHONUSERBASE=stage,
        PIP_BREAK_SYSTEM_PACKAGES="1",  # PEP 668 guards a system's Python; the user site is ours to fill
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
        PIP_PROGRESS_BAR="off",
    )
    options = ["--user", "--no-warn-script-location", *(["--upgrade"] if request["state"] == "latest" else []), *request["pip_options"]]
    requirements = request["index_lines"] + [text for _where, text in request["lines"]]
    constraints = [text for _where, text in request["constraints"]] + image
    texts = ["\n".join(requirements) + "\n", "\n".join(constraints) + "\n", ""]
    with passed(texts) as descriptors, sight(stage, base, hidden):
        names = [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
        if request["check"]:
            options += ["--dry-run", "--no-cache-dir", "--report", names[2]]
        argv = [sys.executable, "-m", "pip", "install", *options, "-r", names[0], "-c", names[1]]
        rc, out, err = run_child(argv, environment, descriptors, request["timeout"])
        report = []
        if request["check"] and rc == 0:
            with open(names[2], encoding="utf-8") as file:
                report = [Planned(item) for item in json.load(file)["install"]]
    dists = {planned.name: planned for planned in report} if request["check"] else dists_in(base.site_in(stage))
    return Done(argv, rc, out, err, dists)


@contextlib.contextmanager
def sight(stage, base, hidden):
    """Let a Python with the stage as its user base see the true user site, but for the hidden entries."""
    links = os.path.join(stage, "sight")
    os.makedirs(links)
    os.makedirs(base.site_in(stage))
    for entry in os.listdir(base.site) if os.path.isdir(base.site) else []:
        if entry not in hidden:
            os.symlink(os.path.join(base.site, entry), os.path.join(links, entry))
    path = os.path.join(base.site_in(stage), "sight.pth")
    with open(path, "w", encoding="utf-8") as file:
        file.write(links + "\n")
    yield
    os.remove(path)
    shutil.rmtree(links)


def pins(packaging, packages):
    """The image's packages as constraints. A version that follows no rule cannot be written as one."""
    found = []
    for name, version in packages.items():
        with contextlib.suppress(packaging.InvalidRequirement):
            packaging.Requirement(f"{name}=={version}")
            found.append(f"{name}=={version}")
    return found


def refuse_image_conflicts(wanted, image):
    """A requirement that contradicts the image is refused by name, before anybody asks the network."""
    for one in wanted:
        version = image.get(one.name)
        if version and one.applies() and one.specifier and not one.specifier.contains(version, prereleases=True):
            raise Trouble(f"{one.text} conflicts with the image's own {one.name} {version}, which the server may need; `protect_image: false` allows it")


# ---------------------------------------------------------------- the transaction


def change(request):
    """Make the request true, or (check) say what that would change. The answer is for _pip.py."""
    base = Base()
    try:
        with contextlib.ExitStack() as stack:
            if request["check"]:
                stage = stack.enter_context(tempfile.TemporaryDirectory())
            else:
                refuse_foreign([], existing_parent(base.own))
                stack.enter_context(base.locked(request["timeout"]))
                stage = base.stage
            return transaction(request, base, stage)
    except Trouble as trouble:
        return {"error": str(trouble), **trouble.details}
    except OSError as error:
        return {"error": f"{error.filename or base.path}: {error.strerror or error}"}


def existing_parent(path):
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def transaction(request, base, stage):
    look = Look(request)
    found, user = look.answer(), dict(look.environment.user)
    answer = {"before": versions(user), "image": found["image_packages"], "python": found["python"], "installed": {}}
    staged = {}
    if needs_installer(request, look):
        done = install(request, base, stage, look, found)
        answer.update(argv=done.argv, rc=done.rc, out=done.out, err=done.err)
        if done.rc:
            return answer
        staged = really_new(done.dists, user, request, stage)
        look.environment.user.update(staged)
        look.follow()
    if request["state"] == "exact" and (look.undecided or look.missing):
        raise Trouble(f"exact must know all that is wanted, and cannot follow {(look.undecided or look.missing)[0]}")
    surplus = look.surplus()
    after = {name: dist for name, dist in look.environment.user.items() if name not in surplus}
    changed = {name: dist for name, dist in {**user, **staged}.items() if name in staged or name in surplus}
    answer.update(after=versions(after), installed=versions(staged), restart=wants_restart(changed, found["image_packages"]))
    if not request["check"]:
        if changed:
            base.swap([user[name] for name in changed if name in user])
        mark_requested(Look(request))
    return answer


def needs_installer(request, look):
    if request["state"] == "absent":
        return False
    return bool(request["state"] in ("latest", "forcereinstall") or request["force"] or look.missing or look.undecided)


def install(request, base, stage, look, found):
    if not found["pip"]:
        raise Trouble(f"its Python {found['python']} ({sys.executable}) has no pip")
    if request["check"] and version_tuple(found["pip"]) < (22, 2):
        raise Trouble(f"check mode needs pip 22.2 or later, and it has pip {found['pip']}")
    image = []
    if request["protect_image"]:
        # Where a user package hides the image's own already, somebody has allowed that: leave it as it is.
        visible = {name: found["user_packages"].get(name, version) for name, version in found["image_packages"].items()}
        refuse_image_conflicts(look.wanted, visible)
        image = pins(look.packaging, visible)
    again = look.asked_for() if request["state"] == "forcereinstall" else ()
    hidden = {os.path.basename(look.environment.user[name].path) for name in again}
    return pip_install(request, stage, base, hidden, image)


def really_new(dists, user, request, stage):
    """What was staged, without direct references that are installed just so: pip takes no notice of that."""
    new = {}
    for name, dist in dists.items():
        old = user.get(name)
        same = old and request["state"] != "forcereinstall" and old.version == dist.version and same_record(old.direct_url, dist.direct_url)
        if not same:
            new[name] = dist
        elif not request["check"]:
            for path in files_of(dist, stage):
                os.remove(path)
    return new


def same_record(one, other):
    """Two records of origin (PEP 610) that name the same contents; a directory may hold anything by now."""
    if not one or not other or "dir_info" in one:
        return False
    hashes = [archive_hashes(record).get("sha256") for record in (one, other)]
    commits = [record.get("vcs_info", {}).get("commit_id") for record in (one, other)]
    places = [(record["url"], record.get("subdirectory")) for record in (one, other)]
    return places[0] == places[1] and (hashes[0] or commits[0]) is not None and hashes[0] == hashes[1] and commits[0] == commits[1]


def mark_requested(look):
    """Leave the mark of PEP 376 on what was asked for by name, also when it had come as a dependency before."""
    for name in look.unmarked():
        folder = look.environment.user[name].path
        with open(os.path.join(folder, "RECORD"), "a", encoding="utf-8") as record:
            record.write(f"{os.path.basename(folder)}/REQUESTED,,\n")
        with open(os.path.join(folder, "REQUESTED"), "w", encoding="utf-8"):
            pass


def version_tuple(text):
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def wants_restart(dists, image):
    """A server reads its extensions and its own packages only once."""
    return any(name in image or isinstance(dist, Dist) and any("etc/jupyter/" in path for path in recorded(dist)) for name, dist in dists.items())
