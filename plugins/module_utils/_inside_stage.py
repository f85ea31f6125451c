# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to change the files of a user base: a stage beside it, and the swap.

Private to the collection. The swap consists of renames that a journal makes repeatable: whoever is killed between
two of them leaves a state that the next run completes.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import glob
import json
import os
import shutil
import time

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import JOURNAL, OWN_DIRECTORY, Place, dists_in, versions

# What a file system says that has no byte or no file left, for this user or at all.
FULL = (errno.ENOSPC, errno.EDQUOT)


def sight_of(stage):
    """Beside a stage: links to what an installer shall take for installed. Not below, nor with a name that begins like its."""
    return os.path.join(os.path.dirname(stage), "sight-of-" + os.path.basename(stage))


class Trouble(Exception):
    """Why nothing was changed: one sentence. The installer's own words go beside it."""

    def __init__(self, sentence, **details):
        super().__init__(sentence)
        self.details = details


class Base:
    """A place for packages, and our own directory in the user base, on the same file system."""

    def __init__(self, place):
        self.place, self.path, self.site = place, place.path, place.site
        self.own = os.path.join(place.root, OWN_DIRECTORY)
        self.stage = os.path.join(self.own, "stage")
        self.trash = os.path.join(self.own, "trash")
        self.cache = os.path.join(self.own, "cache")
        self.journal = os.path.join(self.own, JOURNAL)
        self.lock = None  # its descriptor, while we have it
        self.before = None  # the versions that were there when we got it, while what was interrupted was half done
        self.waiting = os.path.join(self.own, "waiting")  # there while somebody waits for the lock

    def site_in(self, stage):
        return os.path.join(stage, os.path.relpath(self.site, self.path))

    @contextlib.contextmanager
    def locked(self, timeout):
        """Only one transaction at a time, also when two containers share the volume."""
        with self.lock_file() as lock:
            deadline = time.monotonic() + timeout
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Trouble(f"another installation into {self.place.root} did not end within {timeout} s") from None
                    with contextlib.suppress(OSError), open(self.waiting, "w", encoding="utf-8"):
                        pass
                    time.sleep(0.1)
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.waiting)
            self.lock = lock
            self.before = versions(dists_in(self.site))
            self.finish_interrupted()
            try:
                yield
            finally:
                self.clean()

    @contextlib.contextmanager
    def lock_file(self):
        """Yield the descriptor of what to lock. On a volume without room for a file it is the directory, so that packages can still be removed."""
        try:
            os.makedirs(self.own, exist_ok=True)
            number = os.open(os.path.join(self.own, "lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            if error.errno not in FULL:
                raise
            number = os.open(existing_parent(self.own), os.O_RDONLY)
        try:
            yield number
        finally:
            os.close(number)

    def clean(self):
        for folder in (self.stage, sight_of(self.stage), self.trash):
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # of who was killed while writing it
            os.remove(self.journal + ".new")

    def finish_interrupted(self):
        """A journal means that the stage was complete: repeat the swap to its end. Without one, it was not."""
        if os.path.exists(self.journal):
            with open(self.journal, encoding="utf-8") as file:
                journal = json.load(file)
            base = Base(Place(journal.get("virtualenv")))
            if journal["removing"]:
                base.remove(journal["files"], Moves())
            base.insert(Moves())
            os.remove(self.journal)
        self.clean()

    def swap(self, removed, more=(), staying=()):
        """Take the files of these distributions (and more paths) out and the stage in, or change nothing.

        Files that those that stay have as well are theirs, too: two packages may bring the same module.
        """
        shared = {path for dist in (staying if removed else ()) for path in listed(dist)}
        files = [*(path for dist in removed for path in files_of(dist, self.path) if path not in shared), *more]
        moves = Moves()
        try:
            self.write_journal({"removing": True, "files": files})
            self.remove(files, moves)
            self.write_journal({"removing": False})
            self.insert(moves)
        except OSError as error:
            moves.undo()
            for path in (self.journal, self.journal + ".new"):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)
            no_room = error.errno in FULL or not os.path.isdir(self.own)  # for which there was none, either
            if not no_room or os.path.isdir(self.stage):
                raise
            self.remove_at_once(files)
            return
        os.remove(self.journal)

    def remove_at_once(self, files):
        """Without a journal, for which there is no room. Metadata goes last, its list of files at the very end: who is killed can begin again."""
        for path in sorted(files, key=lambda path: (".dist-info/" in path or ".egg-info" in path, path.endswith("/RECORD"))):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.remove(path)
        for folder in sorted({os.path.dirname(path) for path in files}, key=len, reverse=True):
            self.prune(folder)

    def refuse_foreign(self, dists):
        """Say whose directories stand in the way of replacing these distributions."""
        folders = {os.path.dirname(path) for dist in dists for path in files_of(dist, self.path)}
        refuse_foreign(sorted(folders | {existing_parent(self.site)}))

    def write_journal(self, journal):
        with open(self.journal + ".new", "w", encoding="utf-8") as file:
            json.dump({**journal, "virtualenv": self.place.virtualenv}, file)
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


def place_without_room(paths):
    """What is to be told of the fullest of the file systems on which these paths are: where it is mounted, and what is free there."""
    places = {mount_of(existing_parent(path)) for path in paths}
    free = {place: os.statvfs(place) for place in places}
    fullest = min(places, key=lambda place: 0 if free[place].f_files and not free[place].f_favail else free[place].f_bavail * free[place].f_frsize)
    found = free[fullest]
    return {"mount": fullest, "free": found.f_bavail * found.f_frsize, "files": found.f_favail if found.f_files else None}


def mount_of(path):
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


class Moves:
    """Renames that can be taken back."""

    def __init__(self):
        self.done = []

    def move(self, source, target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        rename(source, target)
        self.done.append((source, target))

    def undo(self):
        while self.done:
            source, target = self.done.pop()
            os.makedirs(os.path.dirname(source), exist_ok=True)
            rename(target, source)


def rename(old, new):
    """Copy where another file system is mounted or linked to below the base, such as on share/jupyter."""
    try:
        os.rename(old, new)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(old, new)


def files_of(dist, base):
    """All files of an installed distribution (its RECORD, bytecode made since, metadata of an older twin), none outside of the base."""
    paths = {path for twin in dist.twins for path in files_of(twin, base)}
    for relative in recorded(dist):
        path = os.path.normpath(os.path.join(dist.location, relative))
        paths.add(path)
        if path.endswith(".py"):
            folder, name = os.path.split(path)
            paths.update(glob.glob(os.path.join(glob.escape(folder), "__pycache__", glob.escape(name[:-3]) + ".*.pyc*")))
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


def listed(dist):
    """Full paths of what a distribution recorded, none if it has no list."""
    with contextlib.suppress(Trouble):
        return [os.path.normpath(os.path.join(dist.location, relative)) for relative in recorded(dist)]
    return []


def existing_parent(path):
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def refuse_foreign(folders):
    """Renaming needs the right to write in each directory: find out before the first one."""
    for folder in folders:
        if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK):
            if os.statvfs(folder).f_flag & os.ST_RDONLY:
                raise Trouble(f"{folder} is on a read-only file system")
            owner = os.stat(folder).st_uid
            raise Trouble(f"{folder} belongs to uid {owner} and uid {os.getuid()} may not write there; `repair: true` mends that")


def mend(request):
    """Give everything in a user base to its user (as root), and remove what broken installations left (as anybody)."""
    for path in request["foreign"]:
        with contextlib.suppress(FileNotFoundError):  # the lab lives on meanwhile
            os.lchown(path, request["uid"], request["gid"])
    for path in request["leftovers"]:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)
    return {}
