# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables are almost ours, and which are somebody else's."""

from __future__ import annotations

import pathlib
import re

import pytest
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._misspelt import misspelt

DEFAULTS = pathlib.Path(__file__).parents[4] / "roles/lab/defaults/main.yml"
KNOWN = re.findall(r"^(lab_\w+):", DEFAULTS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lab_pakages", "lab_packages"),
        ("lab_prot", "lab_port"),
        ("lab_show_tokens", "lab_show_token"),
        ("lab_package", "lab_packages"),
        ("lab_requirement", "lab_requirements"),
        ("lab_gpu", "lab_gpus"),
    ],
)
def test_almost_ours(name, meant):
    assert misspelt("mlenv.jupyter.lab", KNOWN, [*KNOWN, name]) == [f"{name} is set, but role mlenv.jupyter.lab knows no such variable: did you mean {meant}?"]


@pytest.mark.parametrize("name", ["lab_trouble", "lab_machines", "lab", "lap_port", "image_tag", "lab_item", "lab_owner_mail"])
def test_somebody_else_s(name):
    assert misspelt("mlenv.jupyter.lab", KNOWN, [*KNOWN, name]) == []
