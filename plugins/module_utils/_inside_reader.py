# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to read lines of requirements: by our own reader, and by pip's where that counts.

Private to the collection. To import pip's takes longer than a whole look. So it is asked only for lines that ours does not
take, and for those that are more than a name and a version, if there is something to install in any case.
"""

from __future__ import annotations

import os
import re

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import canonical
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import (
    VARIABLE,
    Malformed,
    Wanted,
    expanded,
    explain,
    hidden,
    split_options,
)

PLAIN = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w.,\s-]*\])?\s*([<>=!~]=?\s*[\w.!+*]+\s*,?\s*)*", re.ASCII)
# Options that every pip takes, behind a requirement and alone. pip itself is asked about others.
HASHES = re.compile(r"(--hash[= ](sha256|sha384|sha512):\w+\s*)*")
KNOWN = re.compile(
    r"(-[if]\s*|--(index-url|extra-index-url|find-links|trusted-host)(=|\s+))[^\s'\"]+|--(no-index|pre|prefer-binary|require-hashes)"
    r"|--(no|only)-binary(=|\s+)[\w:,.-]+|(-[rc]|--(requirem|cons)).*"
)
OTHER_FILE = re.compile(r"-[rc]|--(requirem|cons)\w*(=|\s|$)")
EDITABLE = re.compile(r"-e|--editable")
NO_REASON = "it is no requirement"
NOT_EDITABLE = "an editable installation leaves its package where the source is, outside of the user site; name it without -e"


class PipReader:
    """pip's own reader, imported when it is asked for the first time."""

    def __init__(self):
        self._loaded = None

    def _load(self):
        if self._loaded is None:
            try:
                from pip._internal.exceptions import PipError
                from pip._internal.req.constructors import install_req_from_parsed_requirement
                from pip._internal.req.req_file import parse_requirements

                self._loaded = (parse_requirements, install_req_from_parsed_requirement, (PipError, ValueError))
            except Exception:  # no pip, a broken one, or one from another time
                self._loaded = ()
        return self._loaded

    def read(self, line, constraint):
        """(True, what is wanted, None for options alone); (False, None) if pip cannot be asked. Raises Malformed with pip's words."""
        if not self._load():
            return False, None
        parse, make, its_own = self._loaded
        descriptor = os.memfd_create("requirements")
        try:
            with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
                file.write(line + "\n")
            found = [make(one) for one in parse(f"/proc/self/fd/{descriptor}", None, constraint=constraint)]
            return True, from_pip(found[0], expanded(split_options(line)[0])) if found else None
        except its_own as error:
            raise Malformed(*shortened(str(error), expanded(line))) from error
        except Exception:  # it has other names for its parts
            return False, None
        finally:
            os.close(descriptor)


def from_pip(read, text):
    """pip's InstallRequirement as what we know."""
    one = Wanted.__new__(Wanted)
    one.text = one.shown = text
    one.name, one.extras, one.marker = canonical(read.name or ""), set(read.extras), read.markers
    one.url = read.original_link.url if read.original_link else None
    one.specifier = None if one.url else read.req.specifier
    return one


def shortened(message, line):
    """pip's sentence without the requirement, which we show ourselves, and without where it thinks that it was; and the column."""
    message = re.sub(r" \(from [^()]*\)", "", message)
    lines = message.splitlines() or [""]
    hints = [text.partition(": ")[2] for text in lines if text.startswith(("Hint: ", "error: "))]
    hints += [text.partition(" error: ")[2] for text in lines if " error: " in text]
    text = split_options(line)[0]
    first = re.sub(r"^Invalid requirement: ('.*?'|\".*?\")(: |$)", "", lines[0])
    first = "" if first.startswith("Invalid requirement: ") else first
    _why, column = explain(message, text)
    return "; ".join(part.strip() for part in [explain(first, text)[0] if first else "", *hints] if part.strip()) or NO_REASON, column


def is_known(text, options):
    """Whether any pip takes these options of a line."""
    return HASHES.fullmatch(options) if text else KNOWN.fullmatch(options)


def read_line(environment, line, constraint=False, pip=None, thorough=False):
    """What a line asks for; None for a line of options. Raises Malformed. thorough: have pip read all that is more than a name and a version."""
    text, options = split_options(expanded(line))
    one = trouble = None
    try:
        if text:
            one = environment.wanted(text)
            one.applies()
            refuse_bound(one, constraint)
    except Malformed as error:
        trouble = error
    if pip and (trouble or not is_known(text, options) or (thorough and text and not PLAIN.fullmatch(text))):
        try:
            asked, its_own = pip.read(line, constraint)
        except Malformed as error:
            raise (trouble if trouble and str(error) == NO_REASON else error) from None  # an old pip may give none
        if asked:
            one, trouble = its_own, None
            if one:
                one.applies()
                refuse_bound(one, constraint)
    if trouble:
        raise trouble
    if one and VARIABLE.search(line):
        one.shown = split_options(line)[0]
    return one


def refuse_bound(one, constraint):
    """What pip says of a file of constraints when it resolves, without the line."""
    if constraint and not one.name:
        raise Malformed("Unnamed requirements are not allowed as constraints")
    if constraint and one.extras:
        raise Malformed("Constraints cannot have extras")


def read(environment, lines, constraint=False, pip=None, thorough=False):
    """Lines of requirements as Wanted, and apart those that are malformed or that only pip can decide."""
    wanted, malformed, undecided = [], [], []
    for where, line in lines:
        if OTHER_FILE.match(line):
            undecided.append(line)
            continue
        try:
            if EDITABLE.match(line):
                raise Malformed(NOT_EDITABLE)
            one = read_line(environment, line, constraint, pip, thorough)
            wanted += [one] if one else []
        except Malformed as error:
            text = split_options(line)[0] or line
            column = 0 if VARIABLE.search(line) else error.column
            malformed.append({"where": where, "text": text, "column": column, "why": hidden(str(error), line)})
    return wanted, malformed, undecided
