# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of the inventory are one machine."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.filter.machine_labs import machine_labs
from jinja2.exceptions import UndefinedError

JUMP = {"ansible_ssh_common_args": "-J jump.example.com"}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"ansible_host": "gpu1"}, True),
        ({"ansible_host": "gpu1", "ansible_port": "22"}, True),
        ({"ansible_host": "gpu2"}, False),
        ({"ansible_host": "gpu1", "ansible_port": 2222}, False),
        ({"ansible_host": "gpu1", **JUMP}, False),
        ({"ansible_host": "gpu1", "ansible_connection": "local"}, False),
        ({}, False),
    ],
)
def test_one_machine(other, same):
    hosts = [{"inventory_hostname": "gpu1"}, {"inventory_hostname": "teaching", **other}]
    for host, alone in (("gpu1", ["gpu1"]), ("teaching", ["teaching"])):
        assert [row["host"] for row in machine_labs(hosts, host)] == (["gpu1", "teaching"] if same else alone)


def test_behind_one_jump_host():
    hosts = [{"inventory_hostname": "gpu1", **JUMP}, {"inventory_hostname": "teaching", "ansible_host": "gpu1", **JUMP}]
    assert len(machine_labs(hosts, "gpu1")) == 2


def test_local_labs_are_on_one_machine():
    hosts = [{"inventory_hostname": name, "ansible_connection": "local", "ansible_host": name} for name in "ab"]
    assert len(machine_labs(hosts, "a")) == 2


def test_row():
    [row] = machine_labs([{"inventory_hostname": "gpu1"}], "gpu1")
    assert (row["state"], row["name"], row["port"], row["gpus"], row["exclusive"], row["failed"], row["looked"]) == (
        *("started", "jupyter-ds", 28888, "auto"),
        *(False, False, False),
    )
    host = {"lab_name": "b", "lab_port": "28889", "lab_gpus_exclusive": "yes", "ansible_failed_result": {}, "__engine_look": {"engine": {}}}
    [row] = machine_labs([{"inventory_hostname": "gpu1", **host}], "gpu1")
    assert (row["name"], row["port"], row["exclusive"], row["failed"], row["looked"]) == ("b", "28889", True, True, True)


def test_row_of_what_a_lab_has_for_itself():
    class Host(dict):
        """Whose work directory is made of a default of the role, which the inventory does not have."""

        def get(self, name, default=None):
            if name == "lab_work_dir":
                raise UndefinedError("'lab_name' is undefined")
            return super().get(name, default)

    names = ("owner", "volume", "work_dir", "config_dir")
    [row] = machine_labs([{"inventory_hostname": "gpu1"}], "gpu1")
    assert [row[name] for name in names] == ["", "jupyter-data", "~/_jupyter_mount", "~/.config/mlenv/jupyter-ds"]
    host = {"inventory_hostname": "gpu1", "lab_name": 2024, "ansible_user": "alice", "lab_config_dir": "/srv/{{ lab_name }}"}
    [row] = machine_labs([Host(host)], "gpu1")
    assert [row[name] for name in names] == ["alice", "2024-data", "", ""]
    [row] = machine_labs([{**host, "lab_owner": "bob", "lab_packages_volume": "mine"}], "gpu1")
    assert (row["owner"], row["volume"]) == ("bob", "mine")


@pytest.mark.parametrize(
    ("look", "claim"),
    [
        (None, "lab:1"),
        ({"engine": {"kind": "docker"}, "euid": 1000}, "lab:1"),
        ({"engine": {"kind": "podman"}, "euid": 1000}, "lab:1 of 1000"),
        ({"unreachable": True}, "lab:1"),
    ],
)
def test_claim(look, claim):
    """Podman has the images of each user apart."""
    [row] = machine_labs([{"inventory_hostname": "gpu1", "__image_meant": {"reference": "lab:1"}, "__image_look": look}], "gpu1")
    assert row["claim"] == claim
