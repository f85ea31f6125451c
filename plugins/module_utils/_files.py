# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories and files of a host as they shall be, in one go. A file is there as a whole, or as it was before.

Private to the collection.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import deque

from ansible_collections.mlenv.jupyter.plugins.module_utils._mounts import mount_of
from ansible_collections.mlenv.jupyter.plugins.module_utils._proxy import secret_text
from ansible_collections.mlenv.jupyter.plugins.module_utils._trust import MOST_LINKS, trusted_users, user_name

ARGUMENTS = {
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["file", "directory", "absent"], "default": "file"},
            "content": {"type": "str"},
            "begins_with": {"type": "path"},
            "proxy_of": {"type": "str"},
            "owner": {"type": "int"},
            "group": {"type": "int"},
            "mode": {"type": "str"},
            "chomp": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": True},
        },
    },
    # Beside the files, not in them: a module's log on its host shows what is deeper in a parameter.
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}
KINDS = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link"}


class FilesError(Exception):
    """One sentence for the user: which path, what is wrong with it, and what to do."""


def bring_files(params: dict, _run_command, check_mode: bool) -> dict:
    """Bring what differs. Returns what a module does: ``changed``, ``paths`` that were, and their ``diff``, or ``msg``."""
    secrets = {os.path.expanduser(path): text for path, text in params["secrets"].items()}
    stray = sorted(set(secrets) - {file["path"] for file in params["files"]})
    if stray:
        return {"changed": False, "paths": [], "msg": f"secrets has {stray[0]}, which is none of files: name it there, too."}
    paths, diffs = [], []
    for file in params["files"]:
        try:
            found = _bring({**file, "secret": secrets.get(file["path"])}, check_mode)
        except FilesError as trouble:
            return {"changed": bool(paths), "paths": paths, "msg": str(trouble)}
        except OSError as error:
            return {"changed": bool(paths), "paths": paths, "msg": _explain(file["path"], error)}
        if found:
            paths.append(file["path"])
            diffs += found
    return {"changed": bool(paths), "paths": paths, "diff": diffs}


def _bring(file: dict, check_mode: bool) -> list:
    """Bring one of them. Returns the differences that there were."""
    path = file["path"].rstrip("/") or "/"
    above = os.path.dirname(path)
    try:
        folder = _open(above)
    except FileNotFoundError:
        if check_mode or file["state"] != "directory":
            return _bring_at(path, file, check_mode)
        _make_above(above)
        folder = _open(above)
    try:
        return _bring_at(f"/proc/self/fd/{folder}/{os.path.basename(path) or '.'}", file, check_mode)
    finally:
        os.close(folder)


def _bring_at(place: str, file: dict, check_mode: bool) -> list:
    """Bring what is at that place. The place does not change if somebody renames a directory above it meanwhile."""
    path, state, there = file["path"], file["state"], _look(place)
    if there["state"] != "absent" and not file["force"]:
        return []
    if there["state"] not in ("absent", state) and "directory" in (there["state"], state):
        raise FilesError(f"{path} is a {there['state']}, where {'nothing' if state == 'absent' else 'a ' + state} shall be: move it away.")
    wanted = {"state": state}
    if state != "absent":
        wanted.update({name: value for name, value in (("owner", file["owner"]), ("group", file["group"]), ("mode", _mode(file))) if value is not None})
    differ = [name for name, value in wanted.items() if there.get(name) != value]
    diffs = [_difference(path, {name: there[name] for name in differ if name in there}, {name: wanted[name] for name in differ})] if differ else []
    before = content = None
    if state == "file":
        before, content = _read(place) if there["state"] == "file" else None, _content(file)
        if content is None and there["state"] != "file":
            raise FilesError(f"{path} is not there, and nothing says what shall be in it.")
        if content is None and file["chomp"]:
            content = before.rstrip(b"\r\n")
        if content not in (None, before):
            diffs.append(_difference(path, _shown(file, before), _shown(file, content)))
    if not diffs or check_mode:
        return diffs
    if state == "absent":
        os.unlink(place)
    elif content not in (None, before):
        _write(place, content, wanted)
    elif there["state"] == "absent":
        _make_directory(place, path, wanted)
    else:
        _own(place, wanted)
    return diffs


def _open(path: str) -> int:
    """Open a directory step by step. A link on the way counts if root made it, or who we are: others could lead us anywhere."""
    folder, names, links = os.open("/", os.O_PATH), deque(path.split("/")), 0
    try:
        while names:
            name = names.popleft()
            step = os.open(name or ".", os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
            status = os.fstat(step)
            if not stat.S_ISLNK(status.st_mode):
                folder, step = step, folder
                os.close(step)
                continue
            target, links = os.readlink("", dir_fd=step), links + 1
            os.close(step)
            if status.st_uid not in trusted_users(os.geteuid()) or links > MOST_LINKS:
                raise FilesError(f"{name} on the way to {path} is a link of {user_name(status.st_uid)}, which could lead anywhere: name what it leads to.")
            names.extendleft(reversed(target.split("/")))
            if target.startswith("/"):
                os.close(folder)
                folder = os.open("/", os.O_PATH)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _make_above(path: str) -> None:
    """Make a directory that is only on the way to what is wanted, and those above it. They are of who we are: nobody else may rename what is in them."""
    try:
        os.close(_open(path))
        return
    except FileNotFoundError:
        _make_above(os.path.dirname(path))
    folder = _open(os.path.dirname(path))
    try:
        _make_directory(f"/proc/self/fd/{folder}/{os.path.basename(path)}", path, {"mode": "0755"})
    finally:
        os.close(folder)


def _mode(file: dict):
    """As the look tells it."""
    if file["mode"] is None:
        return None
    if not re.fullmatch("[0-7]{3,4}", file["mode"]):
        raise FilesError(f'The mode of {file["path"]} is {file["mode"]}: give it as octal digits in quotes, such as "0644".')
    return file["mode"].zfill(4)


def _look(path: str) -> dict:
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"state": "absent"}
    kind = KINDS.get(stat.S_IFMT(status.st_mode), "special file")
    return {"state": kind, "owner": status.st_uid, "group": status.st_gid, "mode": f"{stat.S_IMODE(status.st_mode):04o}"}


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _content(file: dict):
    """Its bytes as they shall be, None if whatever is in there may stay."""
    text = file["content"] if file["secret"] is None else file["secret"]
    if text is None:
        return None
    if file.get("proxy_of"):
        text = secret_text(text, "auto", file["proxy_of"])
    begin = _read(file["begins_with"]) if file["begins_with"] else b""
    return begin + text.encode("utf-8", "surrogateescape")


def _shown(file: dict, content) -> str:
    if content is None:
        return ""
    # What comes of the file itself is its owner's business.
    return content.decode("utf-8", "replace") if file["secret"] is None and not file["chomp"] and not file.get("proxy_of") else "(a secret)\n"


def _difference(path: str, before, after) -> dict:
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def _make_directory(place: str, path: str, wanted: dict) -> None:
    try:
        os.mkdir(place, 0o700)
    except FileExistsError:  # another lab may be quicker
        status = os.lstat(place)
        if status.st_uid not in trusted_users(os.geteuid(), wanted.get("owner", os.geteuid())):
            raise FilesError(f"{path} was just made by {user_name(status.st_uid)}: find out what it is, and name another directory.") from None
    _own(place, wanted)


def _write(path: str, content: bytes, wanted: dict) -> None:
    """Beside its place, until all of it is there: whoever reads it sees the old one or the new one."""
    new = f"{path}.new"
    if os.path.lexists(new):
        os.unlink(new)  # of a run that was killed
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(content)
        _own(new, wanted)
        os.replace(new, path)
    except BaseException:
        if os.path.lexists(new):
            os.unlink(new)
        raise


def _own(path: str, wanted: dict) -> None:
    """Never through a link that somebody puts there meanwhile: the directory is not root's, and root may do this."""
    number = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        there, itself = os.fstat(number), f"/proc/self/fd/{number}"
        owner, group = wanted.get("owner", there.st_uid), wanted.get("group", there.st_gid)
        if (owner, group) != (there.st_uid, there.st_gid):
            os.chown(itself, owner, group)
        if "mode" in wanted:
            os.chmod(itself, int(wanted["mode"], 8))
    finally:
        os.close(number)


def _explain(path: str, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no space left for {path} ({error.strerror}): make room on that disk."
    elsewhere = isinstance(error.filename, str) and error.filename != path and error.filename.startswith("/") and not error.filename.startswith("/proc/self/")
    where = f" at {error.filename}" if elsewhere else ""
    if error.errno == errno.EROFS or (error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() == 0):
        there = mount_of(path)
        return (
            f"{path} cannot be brought into its state{where} ({error.strerror}), as its file system ({there['mount']}, {there['type']}) "
            "does not let root do that: mount it so that it does, or name a directory on another."
        )
    return f"{path} cannot be brought into its state{where} ({error.strerror}): give the user that this runs as the right to it."
