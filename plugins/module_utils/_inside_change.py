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
    Environment,
    Wanted,
    canonical,
    dists_in,
    load_packaging,
    look,
    requirement_of,
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


class Done:
    """How the installer ended."""

    def __init__(self, argv, rc, out, err, installed):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err
        self.installed = installed  # name -> version


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


def pip_install(request, stage, base, image):
    """`pip install --user` with the stage as its user base, and the true user site in its sight."""
    stage_site = os.path.join(stage, os.path.relpath(base.site, base.path))
    os.makedirs(stage_site)
    sight = os.path.join(stage_site, "mlenv-sight.pth")
    with open(sight, "w", encoding="utf-8") as file:
        file.write(base.site + "\n")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONNOUSERSITE", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")}
    environment.update(
        PYTHONUSERBASE=stage,
        PIP_BREAK_SYSTEM_PACKAGES="1",  # PEP 668 guards a system's Python; the user site is ours to fill
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
        PIP_PROGRESS_BAR="off",
    )
    options = ["--user", "--no-warn-script-location", *request["pip_options"]]
    requirements = request["index_lines"] + [text for _where, text in request["lines"]]
    constraints = [text for _where, text in request["constraints"]] + image
    with passed(["\n".join(requirements) + "\n", "\n".join(constraints) + "\n", ""]) as descriptors:
        names = [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
        if request["check"]:
            options += ["--dry-run", "--no-cache-dir", "--report", names[2]]
        argv = [sys.executable, "-m", "pip", "install", *options, "-r", names[0], "-c", names[1]]
        rc, out, err = run_child(argv, environment, descriptors, request["timeout"])
        report = ""
        if request["check"] and rc == 0:
            with open(names[2], encoding="utf-8") as file:
                report = file.read()
    os.remove(sight)
    return Done(argv, rc, out, err, in_report(report) if request["check"] else versions(dists_in(stage_site)))


def in_report(report):
    """What pip's installation report (format 1) says it would install."""
    items = json.loads(report)["install"] if report else []
    return {canonical(item["metadata"]["name"]): item["metadata"]["version"] for item in items}


def versions(dists):
    return {name: dist.version for name, dist in dists.items()}


def pins(packages):
    """The image's packages as constraints. A version that follows no rule cannot be written as one."""
    packaging = load_packaging()
    found = []
    for name, version in packages.items():
        with contextlib.suppress(packaging.InvalidRequirement):
            packaging.Requirement(f"{name}=={version}")
            found.append(f"{name}=={version}")
    return found


# What opens the page and runs the cells. All that these need is protected, whoever asks.
SERVER = ("ipykernel", "jupyter-server", "jupyterhub", "jupyterlab", "nbclassic", "notebook")


def needed_by_server(image):
    """Names of the image's packages without which its server does not start. image: name -> Dist."""
    packaging, needed, queue = load_packaging(), set(), [name for name in SERVER if name in image]
    while queue:
        name = queue.pop()
        if name in needed or name not in image:
            continue
        needed.add(name)
        for text in image[name].requires:
            wanted = Wanted(packaging, text)
            if wanted.applies():
                queue.append(wanted.name)
    return needed


def asked_otherwise(request, visible):
    """Requirements that contradict what is there, by name: name -> text."""
    packaging, found = load_packaging(), {}
    for _where, line in request["lines"]:
        text = requirement_of(line)
        wanted = Wanted(packaging, text) if text else None
        version = visible.get(wanted.name) if wanted else None
        if version and wanted.applies() and wanted.specifier and not wanted.specifier.contains(version, prereleases=True):
            found[wanted.name] = text
    return found


def protected(request, found):
    """Constraints that keep the server working: the image's packages, but for those that the user asks for by name
    in another version and that the server does not need. Raises Trouble for one that it needs, before asking the network."""
    # Where a user package hides the image's own already, somebody has allowed that: leave it as it is.
    visible = {name: found["user_packages"].get(name, version) for name, version in found["image_packages"].items()}
    otherwise = asked_otherwise(request, visible)
    for name in sorted(needed_by_server(image_dists()) & set(otherwise)):
        raise Trouble(
            f"{otherwise[name]} conflicts with the image's own {name} {visible[name]}, which its server needs; `protect_image: false` allows it"
        )
    return pins({name: version for name, version in visible.items() if name not in otherwise})


def image_dists():
    """The packages of the image: name -> Dist, those on sys.path outside the user site."""
    return Environment(load_packaging(), [folder for folder in sys.path if folder], site.getusersitepackages()).image


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
    found = look(request)
    answer = {"before": found["user_packages"], "image": found["image_packages"], "python": found["python"]}
    if found["satisfied"] and not request["force"]:  # somebody else was faster while we waited for the lock
        return {**answer, "after": found["user_packages"], "installed": {}}
    if not found["pip"]:
        raise Trouble(f"its Python {found['python']} ({sys.executable}) has no pip")
    if request["check"] and version_tuple(found["pip"]) < (22, 2):
        raise Trouble(f"check mode needs pip 22.2 or later, and it has pip {found['pip']}")
    image = protected(request, found) if request["protect_image"] else []
    done = pip_install(request, stage, base, image)
    answer.update(argv=done.argv, rc=done.rc, out=done.out, err=done.err, installed=done.installed)
    if done.rc:
        return answer
    if not request["check"]:
        answer["restart"] = wants_restart(dists_in(os.path.join(stage, os.path.relpath(base.site, base.path))), found)
        user = dists_in(base.site)
        base.swap([user[name] for name in done.installed if name in user])
    return {**answer, "after": {**found["user_packages"], **done.installed}}


def version_tuple(text):
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def wants_restart(dists, found):
    """A server reads its extensions and its own packages only once."""
    return any(name in found["image_packages"] or any("etc/jupyter/" in path for path in recorded(dist)) for name, dist in dists.items())
