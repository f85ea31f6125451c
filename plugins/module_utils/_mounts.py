# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a directory of the host lets a user do, found out by doing it: no mode and no owner tells of a disk that is full or read-only,
of a server that keeps root out, or of a file system that knows neither owners nor modes.

Private to the collection. It leaves nothing behind: the file that it writes has no name, but where a file system knows only files with one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat

# As much as a notebook. What is less has no room for one.
NOTEBOOK = b"mlenv.jupyter was here.\n" * 2731
# As much as what we write ourselves.
SECRET = NOTEBOOK[:4096]
# What a file system answers that knows no file without a name.
NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS)
FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM)


def try_directory(path: str, who: dict | None = None, keeps: tuple | None = None, process: int = 0) -> dict:
    """Write a file there and read it back, as that user, or as whom we are. Returns why that does not work, {} if it does or nobody can tell.

    who: uid, gid and groups; we can be somebody else only as root. keeps: uid, gid and mode that the file must take from us. process: one that
    sees the path, if that is not we. A path that is not there is tried in the directory above it that is.
    why: read_only, full, forbidden, not_root, no_owners, no_modes, or broken. mount, type: where it is, and of which kind. by: the uid that tried.
    """
    root, table = (f"/proc/{process}/root", f"/proc/{process}/mountinfo") if process else ("", "/proc/self/mountinfo")
    if who and os.geteuid() not in (0, who["uid"]):
        return {}
    path, why = _nearest(path, root)
    if not why:
        why = _try(root + path, who, keeps)
    return {"why": why, "by": who["uid"] if who else os.geteuid(), **mount_of(path, table)} if why else {}


def _nearest(path: str, root: str) -> tuple:
    """The path, or what is above it and there, and why that cannot be told."""
    while True:
        try:
            os.lstat(root + path)
            return path, ""
        except (FileNotFoundError, NotADirectoryError):
            if path in ("/", ""):
                return path, ""
            path = os.path.dirname(path)
        except OSError as trouble:
            return path, _why(trouble)


def _try(path: str, who: dict | None, keeps: tuple | None) -> str:
    try:
        directory = os.open(path, os.O_PATH | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return ""  # no directory: somebody else tells
    except OSError as trouble:
        return _why(trouble)
    try:
        with acting_as(who):
            return _write(directory, keeps)
    except OSError as trouble:
        return _why(trouble)
    finally:
        os.close(directory)


@contextlib.contextmanager
def acting_as(who: dict | None):
    """Be that user for as long as it takes, with its groups. Only root can."""
    if not who or os.geteuid() != 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    try:
        os.setgroups(who["groups"])
        os.setegid(who["gid"])
        os.seteuid(who["uid"])
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _write(directory: int, keeps: tuple | None) -> str:
    """Why a file in that directory does not have what was written to it, or whom it was given to; "" if it does. Raises OSError."""
    name = ""
    try:
        number = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600, dir_fd=directory)
    except OSError as trouble:
        if trouble.errno not in NO_TMPFILE:
            raise
        name = f".mlenv-{os.getpid()}-{os.urandom(4).hex()}"
        number = os.open(name, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600, dir_fd=directory)
    try:
        text = SECRET if keeps and keeps[2] == 0o400 else NOTEBOOK
        left = memoryview(text)
        while left:
            left = left[os.write(number, left) :]
        if name:
            os.fsync(number)  # a server tells only then that it has no room
        if os.pread(number, len(text), 0) != text:
            return "broken"
        return _give(number, keeps) if keeps else ""
    finally:
        os.close(number)
        if name:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=directory)


def _give(number: int, keeps: tuple) -> str:
    """Whether the file stays whose it is made, and what is allowed with it."""
    uid, gid, mode = keeps
    # What it says is not asked: some file systems are content, and do nothing.
    with contextlib.suppress(OSError):
        os.fchown(number, uid, gid)
    with contextlib.suppress(OSError):
        os.fchmod(number, mode)
    there = os.fstat(number)
    if (there.st_uid, there.st_gid) != (uid, gid):
        return "no_owners" if os.geteuid() == 0 else "not_root"
    return "" if stat.S_IMODE(there.st_mode) == mode else "no_modes"


def _why(trouble: OSError) -> str:
    if trouble.errno == errno.EROFS:
        return "read_only"
    if trouble.errno in FULL:
        return "full"
    return "forbidden" if trouble.errno in FORBIDDEN else "broken"


# On which everything is whose the mount says, and remains so.
WITHOUT_OWNERS = ("vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "cifs", "smb3", "9p", "vboxsf", "hfsplus")
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "glusterfs", "fuse")


def explain(cannot: dict) -> tuple:
    """What try_directory found: where that is and what it cannot do, and what to do about it."""
    kind, why, by = cannot["type"], cannot["why"], cannot["by"]
    where = f"is on {cannot['mount'] or '/'} ({kind or 'of an unknown kind'})"
    who = "root" if by == 0 else f"uid {by}"
    remote = kind.partition(".")[0] in NETWORK
    if why == "forbidden":
        if by:
            return f"{where}, where {who} may not write", "give that user the right to, there"
        squash = "which keeps root of this host out, as a server does that squashes root" if remote else f"where {who} may not write"
        return f"{where}, {squash}", "have it mounted so that root may write there" if remote else "give it that right"
    told = {
        "read_only": ("which can only be read", "mount it for writing"),
        "full": (f"where {who} has no room left (disk, inodes or quota)", "make room there"),
        "not_root": (f"and is to belong to somebody else, to whom {who} cannot give files", "run the play with become"),
        "no_owners": (
            f"which {'does not let root give files to their owner, as a server does that squashes root' if remote else 'keeps no owners of files'}",
            "have it mounted so that it does",
        ),
        "no_modes": ("which keeps no modes of files", "have it mounted so that it does"),
        "broken": ("which is not connected, or does not give back what is written to it", "repair it or mount it again"),
    }
    what, way_out = told[why]
    return f"{where}, {what}", way_out


def mount_of(path: str, table: str = "/proc/self/mountinfo") -> dict:
    """Where the file system is mounted that a path is on, and of which kind it is."""
    found, real = {"mount": "", "type": ""}, os.path.realpath(path)
    try:
        with open(table, encoding="utf-8", errors="replace") as handle:
            lines = handle.readlines()
    except OSError:
        return found
    for line in lines:
        words, _sep, kind = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), words.split()[4])
        if f"{real}/".startswith(f"{point.rstrip('/')}/") and len(point) >= len(found["mount"]):
            found = {"mount": point, "type": kind.split()[0]}
    return found
