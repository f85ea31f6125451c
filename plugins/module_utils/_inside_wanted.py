# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to understand what is wanted: requirements as pip reads them, and direct references.

Private to the collection. The reference library for it, `packaging`, is the image's own, or the copy that pip carries.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from urllib.parse import unquote, urlsplit

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import canonical


def load_packaging():
    """The reference library for requirements: the image's own, else the copy that pip carries. None without both."""
    for parent in ("packaging", "pip._vendor.packaging"):
        try:
            package = __import__(parent + ".requirements", fromlist=["requirements"])
            __import__(parent + ".version", fromlist=["version"])
            return package
        except Exception:  # a broken copy in the user site raises anything; the next one may work
            continue
    return None


class Malformed(Exception):
    """A requirement that nobody can read; the column counts from 1, 0 if unknown."""

    def __init__(self, why, column=0):
        super().__init__(why)
        self.column = column


# What pip takes for a URL, and for an archive.
URL = re.compile(
    r"(https?|file|ftp|sftp|ssh|git|hg|bzr|svn|git\+(https?|ssh|git|file)|hg\+(https?|ssh|file|static-http)"
    r"|svn\+(https?|ssh|svn|file)|bzr\+(https?|ssh|sftp|ftp|lp|file)):",
    re.IGNORECASE,
)
ARCHIVE = re.compile(r".*\.(whl|zip|tar|tgz|tbz|txz|tlz|tar\.(gz|bz2|xz|lz|lzma))(\[[^\[\]]*\])?", re.IGNORECASE)
WHEEL = re.compile(r"([^\s-]+)-([^\s-]+)(-\d[^-]*)?-[^\s-]+-[^\s-]+-[^\s-]+\.whl")
EGG = re.compile(r"[#&]egg=([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^\]]*)\])?(?=&|$)")


class Wanted:
    """One requirement, read as pip reads a line: by name and specifier, or by direct reference (then url is set, and name may be empty)."""

    def __init__(self, packaging, text):
        self.text = self.shown = text
        self.extras, self.url, self.specifier, self.name = set(), None, None, ""
        head, marker = split_marker(text)
        try:
            place, extras = reference_in(head)
            urlsplit(place or "")
            self.marker = self._part(packaging, marker, "x; ").marker if marker else None
            if place:
                self._read_reference(place, extras)
            else:
                self._read_named(self._part(packaging, head))
            urlsplit(self.url or "")
        except ValueError as error:
            raise Malformed(str(error) or "it is no requirement") from error

    def _part(self, packaging, part, before=""):
        """A part of the line as `packaging` reads it, with words before it that make it a requirement."""
        try:
            return packaging.Requirement(before + part)
        except ValueError as error:
            why, column = explain(str(error), before + part)
            where = self.text.find(part)
            hint = "" if before or "=" not in part or re.search(r"[=~!<>]=|[<>]", part) else "; = is not a valid operator. Did you mean == ?"
            raise Malformed(why + hint, column and max(0, column - len(before) + where)) from error

    def _read_reference(self, url, extras):
        self.url = url
        wheel, egg = wheel_of(url), EGG.search(url)
        self.name = wheel or (canonical(egg.group(1)) if egg else "")
        extras = extras or (egg and not wheel and egg.group(2)) or ""
        self.extras = {part.strip() for part in extras.split(",") if part.strip()}

    def _read_named(self, requirement):
        self.name, self.specifier = canonical(requirement.name), requirement.specifier
        self.extras, self.url = set(requirement.extras), requirement.url
        self.marker = self.marker or requirement.marker

    def applies(self, extras=()):
        """Whether its marker is true here, for a package that was asked for with these extras."""
        try:
            return self.marker is None or any(self.marker.evaluate({"extra": extra}) for extra in extras or ("",))
        except ValueError as error:  # it compares what has no order
            raise Malformed(f"its marker means nothing here: {error}") from error


def split_marker(text):
    """A reference or name and its marker, which may be empty. In a URL, a semicolon divides them only if a blank is beside it."""
    head, *marker = re.split(r"\s;|;\s" if URL.match(text) else ";", text, maxsplit=1)
    return head.strip(), "".join(marker).strip()


def reference_in(head):
    """A URL or path without `name @` in front, as pip tells it apart from a name, and its extras; (None, "") for a name."""
    if URL.match(head):
        return head, ""
    if not ("/" in head or head.startswith(".") or ARCHIVE.fullmatch(head)):
        return None, ""
    path, _bracket, extras = re.sub(r"^(.+)(\[[^\]]+\])$", r"\1 \2", head).partition(" [")
    if looks_like_path(head) and os.path.isdir(path):
        if not any(os.path.isfile(os.path.join(path, name)) for name in ("pyproject.toml", "setup.py")):
            raise ValueError(f"Directory {head!r} is not installable. Neither 'setup.py' nor 'pyproject.toml' found.")
        return path, extras[:-1]
    front, at, _behind = head.partition("@")
    if ARCHIVE.fullmatch(path) and (os.path.isfile(path) or not at or looks_like_path(front)):
        if head.startswith("~"):
            raise ValueError("pip does not know what ~ is: write the full path")
        return path, extras[:-1]
    if re.match(r"[./~]|[^@\s]*/", head):
        raise ValueError(f"It looks like a path. {'The path does exist.' if os.path.exists(path) else f'File {path!r} does not exist.'}")
    return None, ""


def looks_like_path(text):
    return "/" in text or text.startswith(".")


def wheel_of(url):
    """The name of the package in a wheel, which its file name begins with; "" if it is no wheel."""
    name = os.path.basename(unquote(urlsplit(url).path).rstrip("/"))
    if not name.endswith(".whl"):
        return ""
    found = WHEEL.fullmatch(name)
    if not found:
        raise ValueError(f"{name} is not a valid wheel filename.")
    return canonical(found.group(1))


def explain(message, text):
    """packaging's complaint as one line and the column that its caret points to."""
    lines = message.splitlines() or [""]
    column = 0
    for above, below in zip(lines, lines[1:]):
        if above.strip() == text.strip() and "^" in below:
            column = below.index("^") - above.index(text.strip()[0]) + 1
    why = lines[0].partition(": ")[2] if lines[0].startswith("Parse error") else lines[0]
    return (why.strip() or "it is no requirement"), column


def split_options(line):
    """A line's requirement and the options behind it, as pip divides them: at the first word that begins with a dash."""
    words = line.split(" ")
    count = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join(words[:count]).strip(), " ".join(words[count:])


def requirement_of(line):
    """The requirement in a line of a requirements file, without the options behind it; None for a line of options."""
    return split_options(expanded(line))[0] or None


# Where the server of a lab has its secret variables from. Its kernels and terminals have them, so pip in a terminal has them, too.
SECRETS = "/etc/mlenv/jupyter_server_config.py"


def adopt(environment):
    """Take over the variables of a request, and those that the lab's server gives to its kernels; return the secret ones."""
    secret = {}
    with contextlib.suppress(OSError, ValueError):
        with open(SECRETS, encoding="utf-8") as file:
            secret = json.loads(file.read().partition("os.environ.update(")[2].rpartition(")")[0] or "{}")
    secret.update(environment)
    os.environ.update(secret)
    return secret


VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


def expanded(line):
    """The line with the container's environment in it, as pip does it: in credentials, say."""
    return VARIABLE.sub(lambda match: os.environ.get(match.group(1)) or match.group(0), line)


def hidden(text, line):
    """The text with the names of the line's variables in place of their values, which may be secret."""
    for name in VARIABLE.findall(line):
        value = os.environ.get(name)
        text = text.replace(value, f"${{{name}}}") if value else text
    return text


# ---------------------------------------------------------------- direct references


def fragment(url):
    return dict(part.partition("=")[::2] for part in urlsplit(url).fragment.split("&") if part)


def plain(url):
    """A URL for comparison: without credentials, fragment and closing slash."""
    parts = urlsplit(url)
    if not parts.netloc and parts.scheme in ("", "file"):
        return "file://" + os.path.abspath(unquote(parts.path)).rstrip("/")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{unquote(parts.path).rstrip('/')}" + (f"?{parts.query}" if parts.query else "")


def same_origin(url, record):
    """Whether an installed package's direct_url.json says that it came from this very reference."""
    if not record:
        return False
    wanted, vcs = fragment(url), record.get("vcs_info")
    target = plain(url)
    if vcs:
        scheme, _plus, rest = target.partition("+")
        if scheme != vcs.get("vcs"):
            return False
        path, at, revision = rest.rpartition("@")
        target, revision = (path, revision) if at else (rest, "")
        if revision not in (vcs.get("requested_revision") or "", vcs.get("commit_id")):
            return False
    if target != plain(record.get("url", "")) or wanted.get("subdirectory", "") != (record.get("subdirectory") or ""):
        return False
    return same_hash(target, wanted, archive_hashes(record))


def pinned(dist):
    """A requirement that only this very package fulfils."""
    record = dist.direct_url
    if not record:
        return f"{dist.name}=={dist.version}"
    vcs = record.get("vcs_info")
    url = f"{vcs['vcs']}+{record['url']}@{vcs['commit_id']}" if vcs else record["url"]
    return f"{dist.name} @ {url}" + (f"#subdirectory={record['subdirectory']}" if record.get("subdirectory") else "")


def cannot_be_hashed(wanted):
    """Whether it is a directory, or a commit of version control, which has a hash of its own."""
    if not wanted.url:
        return False
    kind, _slashes, path = plain(wanted.url).partition("://")
    return kind == "file" and os.path.isdir(path) or re.match(r"(git|hg|svn|bzr)\+[^#]+@[0-9a-f]{40}(#|$)", wanted.url) is not None


def archive_hashes(record):
    """algorithm -> hash of the archive that a package came from, in the new form of the record or the old one."""
    archive = record.get("archive_info") or {}
    return dict(archive.get("hashes") or [archive.get("hash", "=").split("=", 1)])


def same_hash(target, wanted, hashes):
    """The archive's hash is the one asked for, and the one that a local file has now."""
    if any(algorithm in hashes and hashes[algorithm] != wanted[algorithm] for algorithm in wanted):
        return False
    path = target[7:] if target.startswith("file://") else ""
    return "sha256" not in hashes or not os.path.isfile(path) or sha256_of(path) == hashes["sha256"]


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
