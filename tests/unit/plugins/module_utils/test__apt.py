# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of apt-get's words. Its real ones, on hosts with broken sources, are in molecule/engine."""

from __future__ import annotations

import glob
import os
import pathlib
import time
import types

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _apt

AWAY = """\
Hit:2 http://debian.example.com/debian bookworm InRelease
Err:1 http://packages.invalid/debian stable InRelease
  Could not resolve 'packages.invalid'
Reading package lists...
W: Failed to fetch http://packages.invalid/debian/dists/stable/InRelease  Could not resolve 'packages.invalid'
W: Some index files failed to download. They have been ignored, or old ones used instead.
W: Target Packages (main/binary-amd64/Packages) is configured multiple times in /etc/apt/sources.list:1 and /etc/apt/sources.list.d/dup.list:1
"""
AWAY_SAID = "Failed to fetch http://packages.invalid/debian/dists/stable/InRelease Could not resolve 'packages.invalid'"
# With an error anywhere, apt-get does not repeat what else was wrong.
UNSIGNED = """\
Err:3 http://u:secret@packages.invalid/debian stable InRelease
  Could not resolve 'packages.invalid'
Reading package lists...
E: The repository 'file:/srv/tools ./ Release' does not have a Release file.
"""
NO_KEY = "W: GPG error: http://e.example.com/x ./ InRelease: signatures couldn't be verified because the public key is not available: NO_PUBKEY 6ED0\n"
EXPIRED = "E: Release file for http://e.example.com/x/InRelease is expired (invalid since 3d 2h 1min 4s). Updates for this repository will not be applied.\n"
AHEAD = "E: Release file for http://e.example.com/x/InRelease is not valid yet (invalid for another 3h). Updates for this repository will not be applied.\n"
LOCKED = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 123 (unattended-upgr)\nE: Unable to acquire the dpkg frontend lock\n"
OTHERS = """\
dpkg: error processing package nvidia-dkms (--configure):
 its post-installation script returned error exit status 10
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
OTHERS_SAID = "dpkg: error processing package nvidia-dkms (--configure): its post-installation script returned error exit status 10"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (AWAY, [AWAY_SAID]),
        (
            UNSIGNED,
            [
                "The repository 'file:/srv/tools ./ Release' does not have a Release file.",
                "Failed to fetch http://packages.invalid/debian stable InRelease Could not resolve 'packages.invalid'",
            ],
        ),
        (EXPIRED, [EXPIRED[3:-1]]),
        (OTHERS, [OTHERS_SAID]),
        ("Warning: Failed to fetch http://x.invalid/  Could not\nHit:1 http://e.example.com\n", ["Failed to fetch http://x.invalid/ Could not"]),
        ("Reading package lists...\n", []),
    ],
)
def test_complaints(text, said):
    assert _apt.read_complaints(text) == said


class Host:
    """A host with apt, in whose sources there are packages; what is told to install them is kept."""

    def __init__(self, monkeypatch, tmp_path, **said):
        self.there, self.known, self.asked = [], ["docker.io", "requests"], []
        self.said = {"update": (0, "", ""), "install": (0, "", ""), "dpkg": (0, "", ""), **said}
        self.installs = True
        for ending in ("sources.list.d", "lists"):
            (tmp_path / ending).mkdir()
        (tmp_path / "lists/one_Packages").touch()
        monkeypatch.setattr(_apt, "APT", "/bin/true")
        monkeypatch.setattr(_apt, "LISTS", str(tmp_path / "lists"))
        monkeypatch.setattr(_apt, "source_files", lambda: [str(path) for path in sorted((tmp_path / "sources.list.d").iterdir())])
        monkeypatch.setattr(_apt, "time", types.SimpleNamespace(time=time.time, monotonic=lambda: float(len(self.asked)), sleep=lambda _seconds: None))
        monkeypatch.setattr(_apt.os, "geteuid", lambda: 0)
        self.folder = tmp_path

    def __call__(self, argv, **_options):
        assert argv[: len(_apt.QUIET)] == _apt.QUIET
        program, *words = argv[len(_apt.QUIET) :]
        if program == "dpkg-query":
            return 1, "".join(f"{name} installed\n" for name in self.there) + "half half-configured\n", ""
        if program == "apt-cache":
            return 0, "".join(f"{name}:\n  Installed: (none)\n  Candidate: {'1' if name in self.known else '(none)'}\n" for name in words), ""
        if words[0] == "indextargets":
            return self.unreadable(words)
        verb = "dpkg" if program == "dpkg" else words[0]
        self.asked.append(verb)
        answer = self.said[verb]
        if verb == "install" and self.installs:
            self.there += [word for word in words[1:] if not word.startswith("-") and word in self.known]
        return answer.pop(0) if isinstance(answer, list) else answer

    def unreadable(self, words):
        parts = "--option=Dir::Etc::SourceParts="
        folder = next((word[len(parts) :] for word in words if word.startswith(parts)), "")
        for path in sorted(glob.glob(f"{folder}/*")) if folder else _apt.source_files():
            if "wrong" in pathlib.Path(path).read_text(encoding="utf-8"):
                return 100, "", f"E: Malformed entry 1 in list file {path} (URI parse)\nE: The list of sources could not be read.\n"
        return 0, "", ""

    def bring(self, *names, check_mode=False, **params):
        return _apt.bring_packages({"name": list(names), "if_known": [], "lock_timeout": 20, **params}, self, check_mode)


@pytest.fixture(name="host")
def fixture_host(monkeypatch, tmp_path):
    return lambda **said: Host(monkeypatch, tmp_path, **said)


def test_nothing_to_do(host):
    there = host()
    there.there = ["docker.io"]
    assert there.bring("docker.io") == {"changed": False, "installed": [], "warnings": []}
    assert there.asked == []


def test_check_mode_predicts(host):
    there = host()
    assert there.bring("docker.io", "requests", check_mode=True)["installed"] == ["docker.io", "requests"]
    assert there.asked == []


def test_lists_that_are_fresh_are_not_read_again(host):
    there = host()
    assert there.bring("docker.io", if_known=["nobody-knows-it", "requests"])["changed"]
    assert (there.asked, there.there) == (["dpkg", "install"], ["docker.io", "requests"])


def test_lists_that_are_old_are(host):
    there = host()
    os.utime(there.folder / "lists", times=(0, 0))
    assert there.bring("docker.io")["changed"]
    assert there.asked == ["dpkg", "update", "install"]


@pytest.mark.parametrize("update", [(0, AWAY, ""), (100, AWAY, ""), (100, UNSIGNED, ""), (100, "", NO_KEY), (100, "", EXPIRED), (100, "", AHEAD)])
def test_a_source_that_is_broken_is_a_warning_where_the_others_suffice(host, update):
    there = host(update=update)
    os.utime(there.folder / "lists", times=(0, 0))
    result = there.bring("docker.io")
    assert result["changed"] and "msg" not in result
    assert result["warnings"][0].partition(": ")[2].startswith(_apt.read_complaints(update[1] + update[2])[0])


@pytest.mark.parametrize(
    ("update", "sentence"),
    [
        ((0, "", ""), "vendor-tool cannot be installed: no package source of this host that can be read has vendor-tool. To help, correct the package sources"),
        ((0, AWAY, ""), f"has vendor-tool ({AWAY_SAID}). To help, correct the source or apt's proxy"),
        ((100, "", NO_KEY), "NO_PUBKEY 6ED0). To help, bring the source's present key to this host"),
        ((100, "", EXPIRED), "set the clock of this host if it is ahead, or take that source out"),
        ((100, "", AHEAD), "set the clock of this host, which is behind"),
        ((100, "", "W: Failed to fetch https://e.example.com/x/InRelease  Certificate verification failed\n"), "make this host trust the certificate"),
    ],
)
def test_and_the_reason_where_they_do_not(host, update, sentence):
    there = host(update=update, install=(100, "", "E: Unable to locate package vendor-tool\n"))
    result = there.bring("vendor-tool")
    assert sentence in result["msg"]
    assert (result["changed"], there.asked.count("update")) == (False, 1)


def test_the_file_is_named(host):
    there = host(update=(0, AWAY, ""))
    (there.folder / "sources.list.d/away.list").write_text("deb http://packages.invalid/debian stable main\n")
    (there.folder / "sources.list.d/other.list").write_text("deb http://packages.invalid/other stable main\n")
    assert f"({AWAY_SAID} (in {there.folder}/sources.list.d/away.list))" in there.bring("vendor-tool")["msg"]


def test_a_package_that_is_gone_since_the_lists_were_read(host):
    """Nothing is wrong but the age of the lists."""
    there = host(install=[(100, "", "E: Failed to fetch http://e.example.com/docker.io.deb  404  Not Found\n"), (0, "", "")])
    there.installs = False
    there.said["update"] = types.SimpleNamespace()

    def update(argv, **options):
        if argv[-len(_apt.UPDATE) - 1 :][0] == "update":
            there.asked.append("update")
            there.installs = True
            return 0, "", ""
        return there(argv, **options)

    assert "msg" not in _apt.bring_packages({"name": ["docker.io"], "if_known": [], "lock_timeout": 20}, update, False)
    assert there.asked == ["dpkg", "install", "update", "install"]


def test_sources_that_apt_does_not_understand_are_left_out(host):
    there = host()
    for name, text in (("a.list", "deb http://e.example.com/a ./\n"), ("b.list", "wrong\n"), ("c.sources", "Types: deb\n")):
        (there.folder / "sources.list.d" / name).write_text(text)
    result = there.bring("docker.io")
    path = f"{there.folder}/sources.list.d/b.list"
    assert [words.partition(": ")[2] for words in result["warnings"]] == [f"{path} was left out (Malformed entry 1 in list file {path} (URI parse))"]
    assert (there.folder / "sources.list.d/b.list").read_text() == "wrong\n"


def test_a_package_of_somebody_else_that_cannot_be_configured(host):
    there = host(dpkg=(1, "", OTHERS), install=(100, "", OTHERS))
    result = there.bring("docker.io")
    assert result["changed"] and "msg" not in result
    assert OTHERS_SAID in result["warnings"][0]


def test_what_only_had_to_be_configured(host):
    there = host()
    there.said["dpkg"] = [(0, "", "")]
    there.bring("docker.io")
    there.asked.clear()
    assert there.bring("docker.io")["changed"] is False


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LOCKED, "while another program installs packages (Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 123"),
        (
            "The following packages will be REMOVED:\n  containerd.io docker-ce\nE: Packages need to be removed but remove is disabled.\n",
            "cannot be installed on this host without removing containerd.io, docker-ce, which somebody else installed",
        ),
        (
            "The following packages have unmet dependencies:\n docker.io : Depends: runc but it is not\nE: Unable to correct problems, you have held\n",
            "docker.io cannot be installed: docker.io : Depends: runc but it is not. To help",
        ),
        ("E: Failed to fetch http://e.example.com/d.deb  Unable to connect\n", "apt-get did not bring it (Failed to fetch http://e.example.com/d.deb"),
        ("E: You don't have enough free space in /var/cache/apt/archives/. No space left\n", "make room on that disk"),
    ],
)
def test_why_not(host, text, sentence):
    there = host(install=(100, text, ""))
    there.installs = False
    result = there.bring("docker.io")
    assert sentence in result["msg"]
    assert result["changed"] is False


def test_a_lock_is_waited_for(host):
    there = host(dpkg=[(2, "", "dpkg: error: dpkg frontend lock was locked by another process with pid 7\n")] * 3 + [(0, "", "")])
    assert "msg" not in there.bring("docker.io")
    assert there.asked == ["dpkg"] * 4 + ["install"]


def test_hosts_that_cannot(host, monkeypatch):
    there = host()
    monkeypatch.setattr(_apt.os, "geteuid", lambda: 1000)
    assert there.bring("docker.io")["msg"] == "docker.io cannot be installed without root: run the play with become, or install it by hand."
    monkeypatch.setattr(_apt, "APT", "/nowhere/apt-get")
    assert "which this host does not have" in there.bring("docker.io")["msg"]
