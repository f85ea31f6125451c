# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What container_pip_info tells of a user site, asked for real."""

from __future__ import annotations

import re
import subprocess

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import INFORM
from ansible_collections.mlenv.jupyter.tests.integration.targets.container_pip.files import wheelhouse


@pytest.fixture(name="inform")
def fixture_inform(lab):
    def inform(**options):
        return lab.run_inside(INFORM, "inform", {**lab.request(check=True), "outdated": False, "lock": False, **options})

    return inform


def test_a_package_without_a_list_of_its_files_has_no_size(lab, inform):
    lab.change("tw-b")
    (site,) = lab.base.glob("lib/python3.*/site-packages")
    (site / "tw_distutils-0.5-py3.9.egg-info").write_text("Metadata-Version: 1.0\nName: tw-distutils\nVersion: 0.5\n")
    packages = inform()["packages"]
    assert packages["tw-distutils"] == {"version": "0.5", "top_level": True, "size": None, "origin": None}
    assert packages["tw-b"]["size"] > 100


def test_a_need_that_follows_no_rule(lab, inform):
    lab.change("tw-a==2.0")
    (metadata,) = lab.base.rglob("tw_a-2.0.dist-info/METADATA")
    metadata.write_text(metadata.read_text() + "Requires-Dist: tw-nowhere (>=1.*)\n")
    assert inform()["conflicts"] == ["tw-a 2.0 needs tw-nowhere, which is not installed"]


def test_outdated_beside_what_no_index_has(lab, inform, tmp_path):
    private = wheelhouse.Wheel("tw-private", "1.0").write(tmp_path)
    lab.change("tw-a==1.0", str(private))
    assert inform(outdated=True)["latest"] == {"tw-a": "2.0"}


def test_a_lock_has_also_what_hides_a_package_of_the_image(lab, inform, tmp_path):
    wheelhouse.Wheel("traitlets", "5.14.3").write(tmp_path)  # the version that the image has
    pip = [lab.python, "-m", "pip", "install", "--user", "--break-system-packages", "--ignore-installed", "--no-index", "-q"]
    subprocess.run([*pip, f"--find-links={tmp_path}", "traitlets"], env=lab.environment, check=True)
    lock = inform(lock=True, index_lines=["--no-index", f"--find-links {tmp_path}"])["lock"]
    assert re.fullmatch(r"traitlets==5\.14\.3 --hash=sha256:[0-9a-f]{64}\n", lock)
