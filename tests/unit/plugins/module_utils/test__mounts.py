# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a directory lets a user do. File systems that are full, read-only or without owners are mounted in molecule/drift."""

from __future__ import annotations

import errno
import os

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _mounts

US = os.geteuid()
TABLE = """\
22 1 0:20 / / rw - ext4 /dev/sda1 rw
30 22 0:31 / /home rw - nfs4 server:/home rw
31 30 0:32 / /home/a\\040b rw - tmpfs tmpfs rw
40 22 0:40 / /mnt/usb rw - vfat /dev/sdb1 rw
"""
ROOT = pytest.mark.skipif(US != 0, reason="only root can be somebody else")


def test_directory_that_lets_us(tmp_path):
    before = os.stat(tmp_path).st_mtime_ns
    assert _mounts.try_directory(str(tmp_path)) == {}
    assert _mounts.try_directory(str(tmp_path / "not/there/yet"), keeps=(US, os.getegid(), 0o400)) == {}
    assert (os.listdir(tmp_path), os.stat(tmp_path).st_mtime_ns) == ([], before)


def test_what_is_no_directory_is_told_elsewhere(tmp_path):
    (tmp_path / "file").write_text("x")
    assert _mounts.try_directory(str(tmp_path / "file")) == {}
    assert _mounts.try_directory(str(tmp_path / "file/below")) == {}


@ROOT
@pytest.mark.parametrize(("mode", "why"), [(0o777, None), (0o755, "forbidden"), (0o775, None)])
def test_another_user_by_its_groups(tmp_path, mode, why):
    folder = tmp_path / "shared"
    folder.mkdir()
    os.chown(folder, 0, 12345)
    folder.chmod(mode)
    who = {"uid": 54321, "gid": 54321, "groups": [12345]}
    found = _mounts.try_directory(str(folder), who)
    assert (found.get("why"), found.get("by")) == (why, 54321 if why else None)
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_only_root_can_be_somebody_else(tmp_path, monkeypatch):
    monkeypatch.setattr(_mounts.os, "geteuid", lambda: 4242)
    assert _mounts.try_directory(str(tmp_path / "x"), {"uid": 1, "gid": 1, "groups": []}) == {}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (errno.EROFS, "read_only"),
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "full"),
        (errno.EACCES, "forbidden"),
        (errno.EPERM, "forbidden"),
        (errno.EIO, "broken"),
        (errno.ESTALE, "broken"),
    ],
)
@pytest.mark.parametrize("call", ["open", "write", "lstat"])
def test_what_it_answers(tmp_path, monkeypatch, call, code, why):
    real = getattr(os, call)

    def refuse(what, *words, **options):
        # Only what is tried, not how it is looked up.
        if call == "open" and words[0] & os.O_PATH:
            return real(what, *words, **options)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(_mounts.os, call, refuse)
    assert _mounts.try_directory(str(tmp_path))["why"] == why


@pytest.mark.parametrize("full", [False, True])
def test_file_system_that_knows_no_files_without_names(tmp_path, monkeypatch, full):
    """NFS and FAT, say. Nothing of what is tried stays there."""
    real = os.open

    def named(what, flags, *words, **options):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(what, flags, *words, **options)

    def fsync(_number):
        if full:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(_mounts.os, "open", named)
    monkeypatch.setattr(_mounts.os, "fsync", fsync)
    assert _mounts.try_directory(str(tmp_path)).get("why") == ("full" if full else None)
    assert os.listdir(tmp_path) == []


def test_what_is_read_back_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(_mounts.os, "pread", lambda _number, length, _offset: bytes(length))
    assert _mounts.try_directory(str(tmp_path))["why"] == "broken"


@pytest.mark.parametrize(
    ("call", "refuses", "why"),
    [("fchown", True, "no_owners"), ("fchown", False, "no_owners"), ("fchmod", True, "no_modes"), ("fchmod", False, "no_modes")],
)
def test_owner_and_mode_must_stay(tmp_path, monkeypatch, call, refuses, why):
    """Some file systems refuse, others are content and do nothing."""

    def do_nothing(*_what):
        if refuses:
            raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(_mounts.os, "geteuid", lambda: 0)
    monkeypatch.setattr(_mounts.os, call, do_nothing)
    keeps = (US + 1 if call == "fchown" else US, os.getegid(), 0o400)
    assert _mounts.try_directory(str(tmp_path), keeps=keeps)["why"] == why


def test_who_is_not_root_gives_nothing_away(tmp_path, monkeypatch):
    monkeypatch.setattr(_mounts.os, "geteuid", lambda: 4242)
    monkeypatch.setattr(_mounts.os, "fchown", lambda *_what: None)
    assert _mounts.try_directory(str(tmp_path), keeps=(US + 1, 0, 0o400))["why"] == "not_root"


@pytest.mark.parametrize(
    ("path", "mount", "kind"),
    [("/srv/x", "/", "ext4"), ("/home/u", "/home", "nfs4"), ("/homes/u", "/", "ext4"), ("/home/a b/c", "/home/a b", "tmpfs"), ("/mnt/usb", "/mnt/usb", "vfat")],
)
def test_mount_of_a_path(tmp_path, path, mount, kind):
    (tmp_path / "mountinfo").write_text(TABLE)
    assert _mounts.mount_of(path, str(tmp_path / "mountinfo")) == {"mount": mount, "type": kind}
    assert _mounts.mount_of(path, str(tmp_path / "none")) == {"mount": "", "type": ""}


@pytest.mark.parametrize(
    ("why", "kind", "by", "words"),
    [
        ("read_only", "ext4", 1001, "is on /m (ext4), which can only be read: mount it for writing"),
        ("full", "tmpfs", 1001, "is on /m (tmpfs), where uid 1001 has no room left (disk, inodes or quota): make room there"),
        ("forbidden", "ext4", 1001, "is on /m (ext4), where uid 1001 may not write: give that user the right to, there"),
        ("forbidden", "nfs4", 0, "which keeps root of this host out, as a server does that squashes root: have it mounted so that root may write there"),
        ("forbidden", "fuse.sshfs", 0, "which keeps root of this host out"),
        ("no_owners", "nfs", 0, "which does not let root give files to their owner, as a server does that squashes root"),
        ("no_owners", "vfat", 0, "which keeps no owners of files: have it mounted so that it does"),
        ("no_modes", "ntfs3", 0, "which keeps no modes of files: have it mounted so that it does"),
        ("not_root", "ext4", 1001, "to whom uid 1001 cannot give files: run the play with become"),
        ("broken", "nfs4", 1001, "which is not connected, or does not give back what is written to it: repair it"),
    ],
)
def test_in_words(why, kind, by, words):
    assert words in ": ".join(_mounts.explain({"why": why, "mount": "/m", "type": kind, "by": by}))
