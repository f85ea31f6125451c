# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far two clocks are apart, and what is said of it."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.plugin_utils import _clock


@pytest.mark.parametrize(("told", "skew"), [(100, 0), (105, 0), (110, 0), (99, -1), (112, 2), (10100, 9990)])
def test_what_took_its_time_is_no_difference(told, skew):
    assert _clock.skew_between(told, 100, 110) == skew


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (70, "about 1 minutes ahead"),
        (-400, "about 7 minutes behind"),
        (3 * 3600, "about 3 hours ahead"),
        (-3 * 365 * 86400, "about 1095 days behind"),
    ],
)
def test_words(skew, words):
    assert _clock.in_words(skew) == words
    (said,) = _clock.clock_warnings("gpu1", skew)
    assert said == f"The clock of gpu1 is {words}, compared with the controller's: set the one that is wrong (timedatectl set-ntp true)."


@pytest.mark.parametrize("skew", [0, 59, -60])
def test_small_differences_are_not_worth_a_word(skew):
    assert _clock.clock_warnings("gpu1", skew) == []
