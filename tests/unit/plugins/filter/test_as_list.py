# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.as_list import as_list


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("", []),
        (" , ", []),
        ("front", ["front"]),
        ("/a:/a, /b:/b ,", ["/a:/a", "/b:/b"]),
        (["front, back"], ["front, back"]),
        ([], []),
        (None, []),
        (7, [7]),
    ],
)
def test_items(value, items):
    assert as_list(value) == items
