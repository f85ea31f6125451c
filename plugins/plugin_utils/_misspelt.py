# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that somebody set and a role does not know. Ansible passes them over in silence.

Private to the collection. Others may have variables that begin as ours do: only a name that is almost one of ours is spoken of, and nothing is refused.
"""

from __future__ import annotations

import difflib

ALIKE = 0.85  # difflib's ratio: one letter too many, too few or wrong in a short name, and two in a long one


def misspelt(role: str, known, names) -> list:
    """A sentence for each of ``names`` that is almost one of the variables ``known`` to that role (its full name)."""
    prefix = role.rpartition(".")[2] + "_"
    strangers = sorted(name for name in names if name.startswith(prefix) and name not in known)
    return [
        f"{name} is set, but role {role} knows no such variable: did you mean {meant}?"
        for name in strangers
        for meant in difflib.get_close_matches(name, known, n=1, cutoff=ALIKE)
    ]
