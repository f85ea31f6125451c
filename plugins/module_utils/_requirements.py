# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user asks for, as single lines: lists of names taken apart, requirements files read as pip reads them.

Private to the collection. A line is [where, text]: `where` names its origin in messages ("requirements.txt:3").
"""

from __future__ import annotations

import os
import re

NESTED = re.compile(r"^(?:(-r|--requirement|-c|--constraint)(?:\s+|=)|(-[rc])(?=\S))(.+)$")
COMMENT = re.compile(r"(^|\s+)#.*$")
STARTS_A_NAME = re.compile(r"\s*([A-Za-z0-9][\w.\-]*\s*($|[\[<>=!~@;(]|\s)|[./~]|[\w+]+://)")


def split_names(names: list) -> list:
    """Requirements in a list whose items may hold several, divided by commas, as ansible.builtin.pip takes them.

    A comma also divides extras and specifiers, and Ansible itself has cut a string there: a part that cannot
    start a requirement belongs to the one before it.
    """
    found: list = []
    for item in names:
        for number, part in enumerate(item.split(",")):
            open_bracket = bool(found) and found[-1].count("[") > found[-1].count("]")
            inside_url = number > 0 and "://" in found[-1]
            if found and (open_bracket or inside_url or not STARTS_A_NAME.match(part)):
                found[-1] += "," + part
            elif part.strip():
                found.append(part.strip())
    return [name.strip() for name in found]


def read_text(text: str, origin: str) -> list:
    """The lines of a requirements text: continuations joined, comments and empty lines dropped."""
    lines, start, held = [], 0, ""
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        start = start or number
        comment = bool(re.match(r"\s*#", line))
        if line.endswith("\\") and not comment:
            held += line[:-1]
            continue
        whole = COMMENT.sub("", held + (" " + line if comment and held else line)).strip()
        if whole:
            lines.append([f"{origin}:{start}", whole])
        start, held = 0, ""
    if COMMENT.sub("", held).strip():
        lines.append([f"{origin}:{start}", COMMENT.sub("", held).strip()])
    return lines
