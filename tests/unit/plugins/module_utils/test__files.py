# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories and files as they shall be, on a real disk."""

from __future__ import annotations

import errno
import os
import stat

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _files

NOTHING = {**dict.fromkeys(("content", "begins_with", "owner", "group", "mode")), "chomp": False}


def bring(*files, check=False) -> dict:
    wanted = [{**NOTHING, "state": "file", "force": True, **file, "path": str(file["path"])} for file in files]
    secrets = {file["path"]: file.pop("secret") for file in wanted if "secret" in file}
    return _files.bring_files({"files": wanted, "secrets": secrets}, None, check)


def mode(path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):04o}"


def snapshot(top) -> list:
    return sorted((str(path), mode(path), path.read_bytes() if path.is_file() else b"") for path in top.rglob("*"))


def several(top) -> list:
    return [
        {"path": top / "a/b", "state": "directory", "mode": "0700"},
        {"path": top / "a/b/token", "secret": "hush", "mode": "0400"},
        {"path": top / "a/b/told", "content": "told\n", "mode": "0644"},
    ]


def test_predicted_made_and_then_as_they_are(tmp_path):
    predicted = bring(*several(tmp_path), check=True)
    assert not list(tmp_path.iterdir())
    done = bring(*several(tmp_path))
    assert predicted == done
    assert done["paths"] == [str(tmp_path / "a/b"), str(tmp_path / "a/b/token"), str(tmp_path / "a/b/told")]
    # Directories above are only on the way: people may pass, and who we are owns them.
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/token", "a/b/told")] == ["0755", "0700", "0400", "0644"]
    assert (tmp_path / "a/b/token").read_text() == "hush"
    before = snapshot(tmp_path)
    assert bring(*several(tmp_path)) == {"changed": False, "paths": [], "diff": []}
    assert snapshot(tmp_path) == before


def test_another_may_be_quicker_with_a_directory_above(tmp_path, monkeypatch):
    """Several labs that are made at the same time share the directory of their private ones."""
    make = os.mkdir

    def late(path, *mode):
        if os.path.basename(path) == "a":
            make(path)
        make(path, *mode)

    monkeypatch.setattr(os, "mkdir", late)
    assert "msg" not in bring(*several(tmp_path))
    assert mode(tmp_path / "a") == "0755"


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
def test_a_stranger_may_be_quicker(tmp_path, monkeypatch):
    """Where everybody may write: what somebody else just made is not given to the lab's user, with whatever is in it."""
    make = os.mkdir

    def late(path, *mode):
        make(path, *mode)
        os.chown(path, 4242, 4242)
        make(path, *mode)

    monkeypatch.setattr(os, "mkdir", late)
    done = bring({"path": tmp_path / "private", "state": "directory", "owner": 1234})
    assert f"{tmp_path}/private was just made by uid 4242" in done["msg"]
    assert (tmp_path / "private").stat().st_uid == 4242


def test_newlines_at_the_end_go_and_nothing_of_it_is_shown(tmp_path):
    token = {"path": tmp_path / "token", "mode": "0400", "chomp": True}
    token["path"].write_text("hush\r\n\n")
    done = bring(token)
    assert token["path"].read_text() == "hush"
    assert [(part["before"], part["after"]) for part in done["diff"]][1:] == [("(a secret)\n", "(a secret)\n")]
    assert bring(token)["paths"] == []


def test_a_difference_is_shown_unless_it_is_secret(tmp_path):
    bring(*several(tmp_path))
    changed = several(tmp_path)
    changed[1]["secret"], changed[2]["content"] = "hush 2", "told 2\n"
    diff = bring(*changed, check=True)["diff"]
    assert [(part["before"], part["after"]) for part in diff] == [("(a secret)\n", "(a secret)\n"), ("told\n", "told 2\n")]


def test_only_what_differs_is_told_of_a_mode(tmp_path):
    bring(*several(tmp_path))
    (tmp_path / "a/b/token").chmod(0o644)
    done = bring(*several(tmp_path))
    assert [(part["before"], part["after"]) for part in done["diff"]] == [({"mode": "0644"}, {"mode": "0400"})]
    assert (mode(tmp_path / "a/b/token"), (tmp_path / "a/b/token").read_text()) == ("0400", "hush")


def test_without_content_it_keeps_its_own(tmp_path):
    (tmp_path / "kept").write_text("mine")
    assert bring({"path": tmp_path / "kept", "mode": "0600"})["changed"]
    assert (mode(tmp_path / "kept"), (tmp_path / "kept").read_text()) == ("0600", "mine")
    assert "nothing says what shall be in it" in bring({"path": tmp_path / "other"})["msg"]


def test_begins_with_what_the_host_has(tmp_path):
    (tmp_path / "host").write_bytes(b"caf\xe9\n")
    bring({"path": tmp_path / "both", "begins_with": str(tmp_path / "host"), "content": "ours\n"})
    assert (tmp_path / "both").read_bytes() == b"caf\xe9\nours\n"


def test_removed(tmp_path):
    (tmp_path / "file").write_text("x")
    wanted = {"path": tmp_path / "file", "state": "absent"}
    assert bring(wanted, check=True)["changed"] and (tmp_path / "file").exists()
    assert bring(wanted)["changed"] and not (tmp_path / "file").exists()
    assert not bring(wanted)["changed"]


@pytest.mark.parametrize(
    ("state", "there", "says"),
    [
        ("file", "directory", "is a directory, where a file shall be"),
        ("absent", "directory", "is a directory, where nothing shall be"),
        ("directory", "file", "is a file, where a directory shall be"),
        ("directory", "link", "is a link, where a directory shall be"),
    ],
)
def test_something_else_is_there(tmp_path, state, there, says):
    path = tmp_path / "it"
    {"directory": path.mkdir, "file": lambda: path.write_text("x"), "link": lambda: path.symlink_to(tmp_path)}[there]()
    done = bring({"path": tmp_path / "first", "content": "1"}, {"path": path, "state": state, "content": "x"})
    assert says in done["msg"]
    # What was done before it is not hidden.
    assert done["paths"] == [str(tmp_path / "first")]


def test_a_secret_of_no_file(tmp_path):
    told = _files.bring_files({"files": [], "secrets": {f"{tmp_path}/tokn": "hush"}}, None, False)
    assert told["msg"] == f"secrets has {tmp_path}/tokn, which is none of files: name it there, too."


def test_one_that_is_there_may_be_left_as_it_is(tmp_path):
    (tmp_path / "etc").mkdir(mode=0o755)
    wanted = [{"path": tmp_path / name, "state": "directory", "mode": "0700", "force": False} for name in ("etc", "new")]
    assert bring(*wanted)["paths"] == [str(tmp_path / "new")]
    assert (mode(tmp_path / "etc"), mode(tmp_path / "new")) == ("0755", "0700")
    # Nor is it refused for what it is.
    (tmp_path / "link").symlink_to(tmp_path / "etc")
    assert bring({"path": tmp_path / "link", "state": "directory", "force": False}) == {"changed": False, "paths": [], "diff": []}


@pytest.mark.parametrize("given", ["420", "0644", "644"])
def test_modes(tmp_path, given):
    wanted = {"path": tmp_path / "file", "content": "x", "mode": given}
    assert bring(wanted)["changed"] and not bring(wanted)["changed"]
    assert mode(tmp_path / "file") == given.zfill(4)


@pytest.mark.parametrize("given", ["u=rw", "0o644", "493x", "0899"])
def test_a_mode_that_is_none(tmp_path, given):
    assert f"The mode of {tmp_path}/file is {given}: give it as octal digits" in bring({"path": tmp_path / "file", "content": "x", "mode": given})["msg"]
    assert not list(tmp_path.iterdir())


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("not yours")
    (tmp_path / "token").symlink_to(tmp_path / "elsewhere")
    assert bring({"path": tmp_path / "token", "secret": "hush", "mode": "0400"})["changed"]
    assert not (tmp_path / "token").is_symlink()
    assert ((tmp_path / "elsewhere").read_text(), mode(tmp_path / "elsewhere")) == ("not yours", "0644")


def test_never_through_a_link_that_comes_meanwhile(tmp_path):
    (tmp_path / "elsewhere").write_text("not yours")
    (tmp_path / "token").symlink_to(tmp_path / "elsewhere")
    _files._own(str(tmp_path / "token"), {"owner": os.getuid()})
    with pytest.raises(OSError):
        _files._own(str(tmp_path / "token"), {"mode": "0400"})
    assert mode(tmp_path / "elsewhere") == "0644"


def test_a_failure_leaves_the_old_one_whole(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old")
    (tmp_path / "file.new").write_text("of a run that was killed")

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_files, "_own", full)
    done = bring({"path": tmp_path / "file", "content": "new"})
    assert done["msg"].startswith(f"There is no space left for {tmp_path}/file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
def test_given_away(tmp_path):
    wanted = [{**file, "owner": 1234, "group": 567} for file in several(tmp_path)]
    bring(*wanted)
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in tmp_path.rglob("*")}
    # Whose the one above is could rename what is in it, so that one stays root's.
    assert owners == {"a": (0, 0), "b": (1234, 567), "token": (1234, 567), "told": (1234, 567)}
    assert not bring(*wanted)["changed"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")
def test_links_on_the_way(tmp_path):
    """Root's own are the host's; somebody else's could lead anywhere."""
    (tmp_path / "real/below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "absolute").symlink_to(tmp_path / "link")
    wanted = {"path": tmp_path / "absolute/below/../new/file", "content": "x"}
    assert "msg" not in bring({**wanted, "path": tmp_path / "absolute/new", "state": "directory"}, wanted)
    assert (tmp_path / "real/new/file").read_text() == "x"
    os.lchown(tmp_path / "link", 4242, 4242)
    done = bring({**wanted, "content": "y"})
    assert "link on the way to" in done["msg"] and "is a link of uid 4242" in done["msg"]
    assert (tmp_path / "real/new/file").read_text() == "x"


def test_links_without_end(tmp_path):
    (tmp_path / "link").symlink_to("link")
    assert "link on the way to" in bring({"path": tmp_path / "link/file", "content": "x"})["msg"]


@pytest.mark.parametrize(("euid", "sentence"), [(1000, "Operation not permitted): give the user"), (0, "does not let root do that: mount it so that it does")])
def test_not_allowed(tmp_path, monkeypatch, euid, sentence):
    def refuse(*_args):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    (tmp_path / "file").write_text("x")
    assert sentence in bring({"path": tmp_path / "file", "owner": 4242})["msg"]
