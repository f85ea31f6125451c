# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the clocks of a host and of the controller are apart: certificates are made by the one and checked by the other.

Private to the collection.
"""

from __future__ import annotations

# A difference that people are told of, in seconds.
TOLD = 60


def skew_between(told: float, began: float, ended: float) -> float:
    """Return by how many seconds a host's clock is ahead, negative if it is behind.

    told: the host's time. It was read at some time between began and ended by the controller's clock, so that much is no difference.
    """
    return min(told - began, 0.0) + max(told - ended, 0.0)


def in_words(skew: float) -> str:
    """Return a difference of clocks, rounded so that the same difference has the same words: "about 3 hours ahead"."""
    seconds = abs(skew)
    size, unit = next(((size, unit) for size, unit in ((86400, "days"), (3600, "hours")) if seconds >= 2 * size), (60, "minutes"))
    return f"about {max(seconds / size, 1):.0f} {unit} {'ahead' if skew > 0 else 'behind'}"


def clock_warnings(host: str, skew: float) -> list:
    """Return what to say of clocks that differ, an empty list if that is not worth a word."""
    if abs(skew) <= TOLD:
        return []
    return [f"The clock of {host} is {in_words(skew)}, compared with the controller's: set the one that is wrong (timedatectl set-ntp true)."]
