# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of Debian and Ubuntu, on hosts that have other package sources as well, of which some may be broken.

Private to the collection. What counts is whether the packages are there in the end: ``apt-get`` ends with 100 if any one
source is away, and if any one package of somebody else's cannot be configured. What it complains of becomes a warning where
the packages could be had without it, and the reason where they could not.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import tempfile
import time

APT = "/usr/bin/apt-get"
SOURCES = "/etc/apt"
LISTS = "/var/lib/apt/lists"
ARGUMENTS = {
    "name": {"type": "list", "elements": "str", "required": True},
    "if_known": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "int", "default": 600},
}
# Lists that are older are read again before anything is installed. In seconds.
FRESH = 3600
QUIET = ["env", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"]
INSTALL = [
    *["--yes", "--quiet", "--no-install-recommends", "--no-remove", "--option=Acquire::Retries=3"],
    *["--option=Dpkg::Options::=--force-confdef", "--option=Dpkg::Options::=--force-confold"],
]
# Lists of sources that are left out, or away, are kept.
UPDATE = ["--quiet", "--option=APT::Get::List-Cleanup=0", "--option=Acquire::Retries=1"]
COMPLAINT = re.compile(r"^(?:E|W|Error|Warning): (.*)$", re.MULTILINE)
# Where any source is refused altogether, what is wrong with others stands here alone.
AWAY = re.compile(r"^Err(?:or)?:\d+ (\S+)(.*)\n((?:  .*\n)+)", re.MULTILINE)
BROKEN = re.compile(r"^dpkg: error processing (?:package|archive) .*(?:\n .*)*", re.MULTILINE)
# What says nothing of its own, or nothing that is wrong.
EMPTY = re.compile(
    "Some index files failed|configured multiple times|stored in legacy|Sub-process .* returned an error code|Unable to fetch some archives"
    "|sources could not be read|Unable to lock directory|Unable to correct problems"
)
LOCKED = re.compile("Could not get lock|Unable to acquire the dpkg|(is|was) locked by another process|Unable to lock")
# What to do about a source, by what apt says of it.
ADVICE = (
    ("not valid yet", "set the clock of this host, which is behind"),
    ("expired \\(invalid since", "set the clock of this host if it is ahead, or take that source out if nobody keeps it up any more"),
    ("NO_PUBKEY|is not signed|EXPKEYSIG|KEYEXPIRED|public key", "bring the source's present key to this host, or take the source out"),
    ("[Cc]ertificate|SSL|TLS", "make this host trust the certificate (update-ca-certificates), or correct the source"),
    ("[Pp]roxy|Could not connect|Unable to connect|timed out|resolv", "correct the source or apt's proxy (Acquire::http::Proxy), or take the source out"),
    ("No space left", "make room on that disk"),
)


class AptError(Exception):
    """One sentence: which packages, why they cannot be had, and what to do."""


def bring_packages(params: dict, run_command, check_mode: bool) -> dict:
    """Install what is not there. Returns what a module does, with ``warnings``, and with ``msg`` if it failed."""
    host = Apt(run_command, params["lock_timeout"])
    result = {"changed": False, "installed": [], "warnings": host.warnings}
    try:
        missing = host.missing(params["name"])
        if not missing:
            return result
        if not check_mode:
            host.install(params["name"], params["if_known"])
        result.update(changed=True, installed=missing, diff=[_difference(missing)])
    except AptError as trouble:
        result["msg"] = str(trouble)
    finally:
        host.close()
    return result


def _difference(names: list) -> dict:
    return {"before_header": "packages", "after_header": "packages", "before": "", "after": "".join(f"{name}\n" for name in names)}


def read_complaints(text: str) -> list:
    """What apt-get wrote -> each of its errors and warnings that says something, once, without anybody's password."""
    found = [matched[1] for matched in COMPLAINT.finditer(text)]
    for uri, what, why in AWAY.findall(text):
        if not any(uri in words for words in found):
            found.append(f"Failed to fetch {uri}{what} {why}")
    found += [matched[0] for matched in BROKEN.finditer(text)]
    found = [re.sub(r"://[^/@\s]+@", "://", " ".join(words.split())) for words in found if not EMPTY.search(words)]
    return list(dict.fromkeys(filter(None, found)))


def read_removals(text: str) -> list:
    """What apt-get would remove for it."""
    found = re.search(r"^The following packages will be REMOVED:\n((?:  .*\n?)+)", text, re.MULTILINE)
    return found[1].split() if found else []


def read_unmet(text: str) -> str:
    """Which dependencies apt-get cannot meet, in one line."""
    found = re.search(r"^The following packages have unmet dependencies:\n((?: .*\n?)+)", text, re.MULTILINE)
    return "; ".join(re.sub(r"\s+", " ", line).strip() for line in found[1].splitlines()) if found else ""


def advice(words: str, otherwise: str) -> str:
    return next((what for sign, what in ADVICE if re.search(sign, words)), otherwise)


def source_files(folder: str = SOURCES) -> list:
    """Where apt's sources are written, in the order in which apt reads them."""
    first = os.path.join(folder, "sources.list")
    others = [path for ending in ("list", "sources") for path in glob.glob(os.path.join(folder, "sources.list.d", "*." + ending))]
    return [path for path in [first, *sorted(others)] if os.path.isfile(path)]


def where_from(words: str, files: list) -> str:
    """In which files the source is written that apt complains of, "" if it says so itself, or none is."""
    uri = re.search(r"[a-z+]+:/+[^\s'\"]+", words)
    if not uri or any(path in words for path in files):
        return ""
    # The longest beginning of it that any of them has.
    parts = uri[0].split("/")
    for length in range(len(parts), 2, -1):
        named = [path for path in files if "/".join(parts[:length]) in _text(path)]
        if named:
            return f" (in {', '.join(named)})"
    return ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


class Apt:
    """apt-get of one host. ``warnings`` is what it complained of, and what was done all the same."""

    def __init__(self, run_command, lock_timeout: int):
        self.run_command, self.lock_timeout = run_command, lock_timeout
        self.deadline = time.monotonic() + lock_timeout
        self.warnings: list = []
        # What apt-get said of its sources, and how it is told to leave some out.
        self.complaints: list = []
        self.options: list = []
        self.folder = ""

    def close(self) -> None:
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def missing(self, names: list) -> list:
        """Those that are not installed as a whole."""
        # It ends with 1 if it knows one of them not at all.
        said = self._run("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *names)[1]
        there = [line.rpartition(" ")[0] for line in said.splitlines() if line.endswith(" installed")]
        return [name for name in names if name not in there]

    def install(self, names: list, if_known: list) -> None:
        """Raises AptError."""
        if not os.access(APT, os.X_OK):
            raise AptError(f"{', '.join(names)} cannot be installed with apt-get, which this host does not have: install it by hand, and run again.")
        if os.geteuid() != 0:
            raise AptError(f"{', '.join(names)} cannot be installed without root: run the play with become, or install it by hand.")
        # Whoever lost the power in the midst of an installation can install nothing before that.
        said = self._patiently("dpkg", "--configure", "--pending")
        if self.missing(names):
            said = self._install(names, if_known)
        missing = self.missing(names)
        if missing:
            raise AptError(self._why_not(missing, said["text"]))
        for words in dict.fromkeys([*self.complaints, *(read_complaints(said["text"]) if said["rc"] else [])]):
            self.warnings.append(f"A package source or a package of this host is broken, which {', '.join(names[:1])} could be installed in spite of: {words}")

    def _install(self, names: list, if_known: list) -> dict:
        self._leave_out_what_is_unreadable()
        fresh = self._are_fresh() and not self._unknown(names)
        if not fresh:
            self._update()
        said = self._try(names, if_known)
        if self.missing(names) and fresh:
            self._update()
            said = self._try(names, if_known)
        return said

    def _try(self, names: list, if_known: list) -> dict:
        known = [name for name in if_known if not self._unknown([name])]
        left = max(int(self.deadline - time.monotonic()), 1)
        return self._patiently(APT, "install", *self.options, *INSTALL, f"--option=DPkg::Lock::Timeout={left}", *names, *known)

    def _update(self) -> None:
        said = self._patiently(APT, "update", *self.options, *UPDATE)
        files = source_files()
        self.complaints += [words + where_from(words, files) for words in read_complaints(said["text"])]
        if said["rc"] and not self.complaints:
            self.complaints.append(f"apt-get update ended with code {said['rc']}")

    def _unknown(self, names: list) -> list:
        """Those that none of the lists has."""
        said = self._run("apt-cache", *self.options, "policy", *names)[1]
        known = re.findall(r"^(\S+):\n(?:  .*\n)*?  Candidate: (?!\(none\))", said, re.MULTILINE)
        return [name for name in names if name not in known]

    def _are_fresh(self) -> bool:
        try:
            return time.time() - os.stat(LISTS).st_mtime < FRESH and bool(glob.glob(os.path.join(LISTS, "*_Packages*")))
        except OSError:
            return False

    def _leave_out_what_is_unreadable(self) -> None:
        """One line that apt does not understand, or two sources that contradict each other, and it reads none at all."""
        reason = self._unreadable([])
        if not reason:
            return
        self.folder = tempfile.mkdtemp(prefix="mlenv-sources-")
        os.chmod(self.folder, 0o755)  # it is read by apt's own user
        options = ["--option=Dir::Etc::SourceList=/dev/null", f"--option=Dir::Etc::SourceParts={self.folder}"]
        left_out = []
        for number, path in enumerate(source_files()):
            copy = os.path.join(self.folder, f"{number:03}{os.path.splitext(path)[1]}")
            shutil.copy(path, copy)
            reason = self._unreadable(options)
            if reason:
                os.unlink(copy)
                left_out.append(f"{path} was left out ({reason.replace(copy, path)})")
        if self._unreadable(options):
            raise AptError(f"apt-get reads nothing on this host ({reason}): correct that, and run again.")
        self.options = options
        self.complaints += left_out

    def _unreadable(self, options: list) -> str:
        """Why apt cannot read its sources, "" if it can."""
        rc, out, err = self._run(APT, "indextargets", *options)
        return "; ".join(read_complaints(err) or read_complaints(out) or [f"it ended with code {rc}"]) if rc else ""

    def _why_not(self, missing: list, text: str) -> str:
        names = ", ".join(missing)
        removals = read_removals(text)
        if removals and "remove is disabled" in text:
            return (
                f"{names} cannot be installed on this host without removing {', '.join(removals)}, which somebody else installed: "
                "remove that yourself if nobody needs it, or install what is missing in another way."
            )
        said = read_complaints(text)
        if LOCKED.search(text):
            lock = next(filter(LOCKED.search, said), next(filter(LOCKED.search, text.splitlines())))
            return (
                f"{names} cannot be installed while another program installs packages ({lock.rstrip('.')}), for which {self.lock_timeout} s were too little: "
                "run again when it is done."
            )
        unknown = self._unknown(missing)
        if unknown:
            why = f"no package source of this host that can be read has {', '.join(unknown)}"
        else:
            why = read_unmet(text) or "apt-get did not bring it"
        said = [words for words in said if not words.startswith("Unable to locate package") and words not in self.complaints]
        reasons = [reason.rstrip(".") for reason in [*self.complaints, *said]][:3]
        words = "; ".join(reasons)
        what = advice(words, "correct the package sources of this host (/etc/apt), or install it by hand")
        return f"{names} cannot be installed: {why}{' (' + words + ')' if words else ''}. To help, {what}; then run again."

    def _patiently(self, *argv: str) -> dict:
        """Of its two locks apt-get itself waits for one alone."""
        while True:
            rc, out, err = self._run(*argv)
            if rc == 0 or not LOCKED.search(out + err) or time.monotonic() >= self.deadline:
                return {"rc": rc, "text": f"{out}\n{err}"}
            time.sleep(5)

    def _run(self, *argv: str) -> tuple:
        return self.run_command([*QUIET, *argv])
