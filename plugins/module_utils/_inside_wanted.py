# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to understand what is wanted: requirements as pip reads them, and direct references.

Private to the collection. The reference library for it, `packaging`, is the image's own, or the copy that pip carries.
"""

from __future__ import annotations

import hashlib
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


class Wanted:
    """One requirement: by name and specifier, or by direct reference (then url is set, and name may be empty)."""

    def __init__(self, packaging, text):
        self.text = text
        try:
            read = self.read_reference if is_reference(text) else self.read_named
            read(packaging)
            urlsplit(self.url or "")
        except ValueError as error:  # InvalidRequirement is one, too
            raise Malformed(*explain(str(error), text)) from error

    def read_reference(self, packaging):
        url, marker = split_marker(self.text)
        if url.startswith("~"):
            raise ValueError("pip does not know what ~ is: write the full path")
        self.url, _bracket, extras = re.sub(r"(\[[^\[\]]*\])$", r" \1", url).partition(" [")
        self.name, self.specifier = canonical(fragment(self.url).get("egg", "").partition("[")[0]), None
        self.url = self.url.strip()
        self.extras = {part.strip() for part in extras.rstrip("]").split(",") if part.strip()}
        self.marker = packaging.Requirement("x; " + marker).marker if marker else None

    def read_named(self, packaging):
        requirement = packaging.Requirement(self.text)
        self.name, self.specifier = canonical(requirement.name), requirement.specifier
        self.extras, self.url, self.marker = set(requirement.extras), requirement.url, requirement.marker

    def applies(self, extras=()):
        """Whether its marker is true here, for a package that was asked for with these extras."""
        try:
            return self.marker is None or any(self.marker.evaluate({"extra": extra}) for extra in extras or ("",))
        except ValueError as error:  # it compares what has no order
            raise Malformed(f"its marker means nothing here: {error}") from error


def is_reference(text):
    """A path or a URL without `name @` in front, as pip tells it apart from a name."""
    head = split_marker(text)[0]
    if re.match(r"^[A-Za-z0-9][\w.\-]*\s*(\[[^\]]*\])?\s*@", head):
        return False
    head = re.sub(r"\s*\[[^\[\]]*\]$", "", head)
    return "://" in head or re.match(r"[./~]|[^\s\[<>=!~]*/|.*\.(whl|zip|tar\.gz|tar\.bz2|tar\.xz|tgz)$", head) is not None


def split_marker(text):
    """A reference and its marker, which may be empty. In a URL, a semicolon divides them only if a blank is beside it."""
    reference, *marker = re.split(r"\s;|;\s" if "://" in text else ";", text, maxsplit=1)
    return reference.strip(), "".join(marker).strip()


def explain(message, text):
    """packaging's complaint as one line and the column that its caret points to."""
    lines = message.splitlines()
    column = 0
    for above, below in zip(lines, lines[1:]):
        if above.strip() == text.strip() and "^" in below:
            column = below.index("^") - above.index(text.strip()[0]) + 1
    why = lines[0].partition(": ")[2] if lines[0].startswith("Parse error") else lines[0]
    return (why.strip() or "it is no requirement"), column


def requirement_of(line):
    """The requirement in a line of a requirements file, without the options behind it; None for a line of options."""
    if line.startswith("-"):
        return None
    return re.split(r"\s+-{1,2}(?=[A-Za-z])", expanded(line), maxsplit=1)[0].strip()


def expanded(line):
    """The line with the container's environment in it, as pip does it: in credentials, say."""
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: os.environ.get(match.group(1)) or match.group(0), line)


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
