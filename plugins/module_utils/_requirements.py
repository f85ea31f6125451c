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
from dataclasses import dataclass, field

NESTED = re.compile(r"^(?:(-r|--requirement|-c|--constraint)(?:\s+|=)|(-[rc])(?=\S))\s*(.+)$")
COMMENT = re.compile(r"(^|\s+)#.*$")
STARTS_A_NAME = re.compile(r"\s*([A-Za-z0-9][\w.\-]*\s*($|[\[<>=!~@;(]|\s)|[./~]|[\w+]+://|--?[a-z])")


class RequirementsError(Exception):
    """One sentence for the user: which file or text cannot be used, and why."""


@dataclass
class Lines:
    """Requirements and constraints, as far as they were gathered."""

    requirements: list = field(default_factory=list)
    constraints: list = field(default_factory=list)

    def add_file(self, path: str, constraint: bool = False, above: tuple = ()) -> None:
        """Read a file of the managed host, and the files that it names with -r and -c, relative to itself."""
        path = os.path.abspath(path)
        if path in above:
            raise RequirementsError(f"{path} names itself through {above[-1]}.")
        try:
            with open(path, "rb") as file:
                text = decoded(file.read())
        except OSError as error:
            by = f", named in {above[-1]}," if above else ""
            raise RequirementsError(f"The requirements file {path}{by} cannot be read on this host: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise RequirementsError(f"The requirements file {path} is not {error.encoding.upper()} text (byte {error.start}).") from error
        except LookupError as error:
            raise RequirementsError(f"The requirements file {path} cannot be read: {error}.") from error
        self._add(read_text(text, path), os.path.dirname(path), constraint, (*above, path))

    def add_text(self, text: str, origin: str, constraint: bool = False) -> None:
        """Read a text. The files that it names with -r and -c are on the managed host, by their full path."""
        self._add(read_text(text, origin), "", constraint, ())

    def _add(self, lines: list, folder: str, constraint: bool, above: tuple) -> None:
        for where, text in lines:
            nested = NESTED.match(text)
            target = nested.group(3).strip().strip("'\"") if nested else ""
            if not nested or "://" in target:
                (self.constraints if constraint else self.requirements).append([where, text])
            elif not folder and not os.path.isabs(target):
                raise RequirementsError(f"{where}: a text has no directory that {target} could be relative to; give its full path.")
            else:
                # As pip has it, a file that -r names is to be installed, also in a file of constraints.
                only_binds = (nested.group(1) or nested.group(2)) in ("-c", "--constraint")
                self.add_file(os.path.join(folder, target), only_binds, above)


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
    """The text of a file: UTF-8, unless it begins as UTF-16 (a redirected `pip freeze` on Windows) or names its encoding (PEP 263)."""
    named = re.match(rb"(?:.*\n)?#.*?coding[:=]\s*([-\w.]+)", content)
    encoding = named.group(1).decode() if named else "utf-8-sig"
    return content.decode("utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else encoding)


def read_text(text: str, origin: str) -> list:
    """The lines of a requirements text: continuations joined, comments and empty lines dropped."""
    lines, start, held = [], 0, ""
    for number, line in enumerate([*text.lstrip("\ufeff").splitlines(), ""], 1):
        start = start or number
        comment = bool(re.match(r"\s*#", line))
        if line.endswith("\\") and not comment:
            held += line[:-1]
            continue
        # A comment line ends a continuation, and pip keeps the two apart with a space.
        whole = COMMENT.sub("", held + (" " + line if comment and held else line)).strip()
        if whole:
            lines.append([f"{origin}:{start}", whole])
        start, held = 0, ""
    return lines
