# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell scripts of roles/lab/files, with the settings of one lab above them.

Private to the collection.
"""

from __future__ import annotations

import functools
import os
import shlex

FILES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "roles", "lab", "files")


def script(name: str, settings: dict) -> str:
    """The script of that name. A list becomes an array of the shell's."""
    lines = [f"_mlenv_{key}={quoted(value)}" for key, value in settings.items()]
    return "".join(f"{line}\n" for line in lines) + read(name)


def quoted(value: str | list) -> str:
    return f"({' '.join(map(shlex.quote, value))})" if isinstance(value, list) else shlex.quote(value)


@functools.cache
def read(name: str) -> str:
    with open(os.path.join(FILES, name), encoding="utf-8") as file:
        return file.read()
