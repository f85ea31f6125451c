# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user asks for, as single lines: lists of names taken apart, requirements files read as pip reads them.

Private to the collection. A line is [where, text]: `where` names its origin in messages ("requirements.txt:3").
"""

from __future__ import annotations

import codecs
import os
import re
import shlex
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

COMMENT = re.compile(r"(^|\s+)#.*$")
# Ours, in a text that was put together: from which line of which file the next line is.
ORIGIN = re.compile(r'#line (\d+) "(.+)"')
# Marks at the beginning of a file, and the encoding that each tells. The longer ones first: one is the beginning of another.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# By what pip names another file, and how short its options may be cut.
NESTING = {"-r": "-r", "-c": "-c", "--requirement": "-r", "--constraint": "-c"}
SHORTEST = {"--requirement": len("--requirem"), "--constraint": len("--cons")}
# The options of a line that take a value, so that a value is not mistaken for an option.
TAKES_VALUE = re.compile(r"-[icrefC]|--((extra-)?index-url|find-links|(no|only)-binary|trusted-host|use-feature|editable|hash|config-settings?)")
STARTS_A_NAME = re.compile(r"\s*([A-Za-z0-9][\w.\-]*\s*($|[\[<>=!~@;(]|\s)|[./~]|[\w.-]+/|[\w+]+://|--?[a-z])")


class RequirementsError(Exception):
    """One sentence for the user: which file or text cannot be used, and why."""


@dataclass
class Lines:
    """Requirements and constraints, as far as they were gathered. read: how the bytes of a file are had."""

    requirements: list = field(default_factory=list)
    constraints: list = field(default_factory=list)
    read: object = None

    def add_file(self, path: str, constraint: bool = False, above: tuple = (), name: str = "", named_in: str = "") -> None:
        """Read a file of this machine, and the files that it names with -r and -c, relative to itself.

        above: the files that led to it, named_in: the line that names it. name: what to call it in place of its path.
        """
        path = os.path.abspath(path)
        by = f", which {named_in} names," if named_in else ""
        if path in above:
            raise RequirementsError(f"The requirements file {path}{by} names itself{through(above, path)}: leave out one of these lines.")
        try:
            text = decoded(self._bytes(path))
        except OSError as error:
            raise RequirementsError(f"The requirements file {path}{by} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise RequirementsError(
                f"The requirements file {path}{by} is not {error.encoding.upper()} text (byte {error.start}): "
                "save it as UTF-8, or name its encoding in its first line, as in # coding: latin-1."
            ) from error
        except LookupError as error:
            raise RequirementsError(f"The requirements file {path}{by} cannot be read: {error}.") from error
        self._add(read_text(text, name or path), path, constraint, (*above, path))

    def _bytes(self, path: str) -> bytes:
        if self.read:
            return self.read(path)
        with open(path, "rb") as file:
            return file.read()

    def add_text(self, text: str, origin: str, constraint: bool = False) -> None:
        """Read a text. The files that it names with -r and -c are on the managed host, by their full path."""
        self._add(read_text(text, origin), "", constraint, ())

    def _add(self, lines: list, file: str, constraint: bool, above: tuple) -> None:
        for where, text in lines:
            option, target = nested(text)
            if not option or re.match("https?:", target, re.IGNORECASE):
                (self.constraints if constraint else self.requirements).append([where, text])
                continue
            if re.match("file:", target, re.IGNORECASE):
                target = unquote(urlsplit(target).path)
            if not file and not os.path.isabs(target):
                raise RequirementsError(f"{where}: a text has no directory that {target} could be relative to; give its full path.")
            # As pip has it, a file that -r names is to be installed, also in a file of constraints.
            named_in = f"{file}:{where.rpartition(':')[2]}" if file else where
            self.add_file(os.path.join(os.path.dirname(file), target), option == "-c", above, named_in=named_in)


def through(above: tuple, path: str) -> str:
    """By which other files one names itself."""
    between = above[above.index(path) + 1 :]
    return f" through {' and '.join(between)}" if between else ""


def nested(text: str) -> tuple:
    """("-r" or "-c", the file) of a line that names another file, as pip's optparse takes it; two empty texts for another line."""
    if not text.startswith("-"):
        return "", ""
    try:
        words = shlex.split(text)
    except ValueError:  # of which pip complains
        return "", ""
    found: dict = {}
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
        known = next((NESTING[full] for full in NESTING if name == full or full.startswith(name) and len(name) >= SHORTEST.get(full, 99)), "")
        if (known or TAKES_VALUE.fullmatch(name)) and not equals:
            value = words.pop(0) if words else ""
        if known and not any(word.startswith("-") for word in words):  # a file with a blank in its name, without quotes
            value, words = " ".join([value, *words]), []
        if known:
            found.setdefault(known, value)
    option = "-r" if found.get("-r") else "-c" if found.get("-c") else ""
    target = found.get(option, "")
    return option, re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: os.environ.get(match.group(1)) or match.group(0), target)


def joined(lines: list, name: str) -> str:
    """Lines as one text again, which tells by itself from which lines of which files they are. name: the file that is meant without that."""
    written, file, number = [], name, 0
    for where, text in lines:
        other, _colon, own = where.rpartition(":")
        if (other, int(own)) != (file, number + 1):
            written.append(f'#line {own} "{other}"')
        file, number = other, int(own)
        written.append(text)
    return "".join(line + "\n" for line in written)


def split_names(names: list) -> list:
    """Requirements in a list whose items may hold several, divided by commas, as ansible.builtin.pip takes them.

    A comma also divides extras, specifiers and the values in a marker, and Ansible itself has cut a string there: a part that cannot
    start a requirement belongs to the one before it.
    """
    found: list = []
    is_text = any("\n" in item for item in names)  # that Ansible has cut
    for item in names:
        for number, part in enumerate(item.split(",")):
            last = found[-1].rpartition("\n")[2] if found else ""
            in_comment = is_text and COMMENT.search(last)
            open_bracket = last.count("[") > last.count("]")
            open_quote = not last.startswith("#") and (last.count("'") % 2 or last.count('"') % 2)
            inside_url = number > 0 and "://" in last
            if found and (in_comment or open_bracket or open_quote or inside_url):
                found[-1] += "," + part
            elif found and part.strip() and not STARTS_A_NAME.match(part):
                found[-1] += "," + part
            elif part.strip():
                found.append(part.strip())
    return [name.strip() for name in found]


def decoded(content: bytes) -> str:
    """The text of a file as pip has it: by its mark, else by the encoding that one of its first two lines names (PEP 263), else UTF-8."""
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding)
    for line in content.split(b"\n")[:2]:
        named = re.search(rb"coding[:=]\s*([-\w.]+)", line) if line.startswith(b"#") else None
        if named:
            return content.decode(named.group(1).decode())
    return content.decode("utf-8")


def read_text(text: str, origin: str) -> list:
    """The lines of a requirements text: continuations joined, comments and empty lines dropped."""
    lines, start, held, shift = [], 0, None, 0
    numbered = list(enumerate(text.lstrip("\ufeff").splitlines(), 1))
    for number, line in [*numbered, (len(numbered) + 1, "")]:
        told = ORIGIN.fullmatch(line) if held is None else None
        if told:
            origin, shift = told.group(2), int(told.group(1)) - number - 1
            continue
        start = start if held is not None else number
        comment = bool(re.match(r"\s*#", line))
        if line.endswith("\\") and not comment:
            held = (held or "") + line.strip("\\")
            continue
        # A comment line ends a continuation, and pip keeps the two apart with a space.
        whole = COMMENT.sub("", (held or "") + (" " + line if comment and held is not None else line)).strip()
        if whole:
            lines.append([f"{origin}:{start + shift}", whole])
        held = None
    return lines
