# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module_defaults of a play tell modules of community.docker, beside what the engine's client is told."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.action.lab_info import about_defaults, told_by_defaults
from ansible_collections.mlenv.jupyter.plugins.module_utils import _address

SECOND = "unix:///run/second.sock"


@pytest.mark.parametrize(
    ("defaults", "told"),
    [
        ([], ""),
        ([{"group/community.docker.docker": {"timeout": 9}}, {"ansible.builtin.copy": {"docker_host": SECOND}}], ""),
        ([{"group/community.docker.docker": {"docker_host": "unix:///first"}}, {"group/community.docker.docker": {"docker_host": SECOND}}], SECOND),
        ([{"community.docker.docker_container": {"docker_url": SECOND}}], SECOND),
        ([{"docker_container": {"docker_host": SECOND}}], SECOND),
    ],
)
def test_what_module_defaults_name(defaults, told):
    assert told_by_defaults(defaults) == told


@pytest.mark.parametrize(
    ("told", "address", "refused"),
    [
        ("", SECOND, False),
        (SECOND, SECOND, False),
        ("unix:///run/docker.sock", _address.DEFAULT, False),
        (_address.DEFAULT, "", False),
        (SECOND, _address.DEFAULT, True),
    ],
)
def test_module_defaults_that_name_another_engine(told, address, refused):
    said = about_defaults({"address": address, "named_by": ""}, told)
    assert bool(said) is refused
    if refused:
        assert told in said and address in said
