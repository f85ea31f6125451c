# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who could put other files in the place of ours: owners and rights of all that is on the way to a path.

Private to the collection. For the managed host, and for the CA on the controller.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections import deque

MOST_LINKS = 40  # as the kernel has it


def walk(path: str) -> tuple:
    """Return what is on the way to a path, as (path, lstat) from the root on, and the paths that are missing.

    Links are followed, and are among what is found. The path itself is the last one of either list.
    What we may not see is in neither.
    """
    found, here, names, links = [("/", os.lstat("/"))], "/", deque(path.split("/")), 0
    while names:
        name = names.popleft()
        there = os.path.normpath(os.path.join(here, name))
        if name in ("", ".", ".."):
            here = there
            continue
        try:
            status = os.lstat(there)
        except (FileNotFoundError, NotADirectoryError):
            return found, _missing(there, names)
        except OSError:
            return found, []
        found.append((there, status))
        here = there
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > MOST_LINKS:
                return found, []
            target = os.readlink(there)
            names.extendleft(reversed(target.split("/")))
            here = "/" if target.startswith("/") else os.path.dirname(there)
    return found, []


def _missing(first: str, names: deque) -> list:
    paths = [first]
    for name in names:
        path = os.path.normpath(os.path.join(paths[-1], name))
        if path not in paths:
            paths.append(path)
    return paths


def trusted_users(*uids: int) -> set:
    """Return these and root. Who owns / owns all: in a user namespace, root of the host has another number."""
    return {0, os.lstat("/").st_uid, *uids}


def find_stranger(path: str, users: set) -> tuple:
    """Return what on the way to a path, itself included, somebody else could change, and who that is in words. Both are empty if nobody could."""
    for place, status in walk(path)[0]:
        if status.st_uid not in users:
            return place, f"belongs to {user_name(status.st_uid)}"
        # With the sticky bit only who owns a file can rename it, and owners are looked at one by one.
        if stat.S_ISLNK(status.st_mode) or status.st_mode & stat.S_ISVTX:
            continue
        if status.st_mode & stat.S_IWOTH:
            return place, "may be written by everybody"
        if status.st_mode & stat.S_IWGRP and not is_own_group(status.st_gid, users):
            return place, f"may be written by group {group_name(status.st_gid)}"
    return "", ""


def is_own_group(gid: int, users: set) -> bool:
    """Whether a group is that of one of these users alone, as many systems make one for each user."""
    names = {user_name(uid) for uid in users}
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name in names and set(group.gr_mem) <= names


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def why_not_trusted(path: str, names: list, users: set, what: str, variable: str, owner: str) -> str:
    """Return one sentence on why files of that directory are not used, "" if they may be.

    names: which of its files we would use. what: the directory in words. variable: what names it. owner: whose it is to be.
    """
    place, whose = find_stranger(path, users)
    whom = "root" if owner == "root" else f"{owner} or root"
    elsewhere = f"or name another directory as {variable}"
    if place and not whose.startswith("belongs"):
        who = whose.removeprefix("may be written by ")
        return f"{place} {whose}, so that others could put their files in the place of {what}: take that right away from {who} (chmod), {elsewhere}."
    if place:
        return f"{place} {whose}, who could put other files in the place of {what}: give it to {whom} after a look at what is in it, {elsewhere}."
    for name in names:
        file = os.path.join(path, name)
        try:
            status = os.lstat(file)
        except OSError:
            continue
        if status.st_uid not in users:
            return f"{file} belongs to {user_name(status.st_uid)}, not to {whom}, so it is not used: find out who put it there and move it away, {elsewhere}."
    return ""
