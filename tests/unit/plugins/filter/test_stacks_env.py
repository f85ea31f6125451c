# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches as people write them, and as Jupyter's images read them."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.stacks_env import stacks_env


@pytest.mark.parametrize("name", ["CHOWN_HOME", "GEN_CERT", "GRANT_SUDO", "RESTARTABLE"])
@pytest.mark.parametrize("value", [True, "yes", "Yes", "true", "True", "on", 1, "1"])
def test_a_switch_that_is_on(name, value):
    assert stacks_env({name: value}) == {name: "yes"}


@pytest.mark.parametrize("name", ["CHOWN_HOME", "GEN_CERT", "GRANT_SUDO", "RESTARTABLE"])
@pytest.mark.parametrize("value", [False, "no", "False", "off", 0, "0", "", None])
def test_a_switch_that_is_off_is_left_out(name, value):
    # For some of them the mere presence would be a yes.
    assert stacks_env({name: value}) == {}


@pytest.mark.parametrize(("value", "text"), [(4, "4"), (0.5, "0.5"), (True, "true"), (False, "false"), (None, ""), ("no", "no")])
def test_anything_else_is_text(value, text):
    assert stacks_env({"ANYTHING": value}) == {"ANYTHING": text}
