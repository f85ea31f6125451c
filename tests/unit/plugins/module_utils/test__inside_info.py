# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What container_pip_info tells of a user site, asked for real."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import INFORM
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip_errors import explain
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


def test_a_lock_is_taken_back_with_what_has_no_hash(lab, inform, wheels, tmp_path):
    for name, needs in (("tw-commit", ("tw-a==2.0",)), ("tw-folder", ())):
        write_project(tmp_path / name, name, needs)
    commit(tmp_path / "tw-commit")
    names = [f"tw-commit @ git+file://localhost{tmp_path}/tw-commit", f"tw-folder @ file://{tmp_path}/tw-folder", "tw-files==1.0"]
    wanted = lab.change(*names)["after"]
    assert wanted == {"tw-a": "2.0", "tw-b": "1.5", "tw-commit": "1.0", "tw-files": "1.0", "tw-folder": "1.0"}
    lock = inform(lock=True)["lock"].splitlines()
    lab.change(state="exact")
    for check in (True, False):
        answer = lab.change(*lock, state="exact", check=check)
        assert answer["after"] == wanted
    assert inform(lock=True)["lock"].splitlines() == lock


def test_what_a_commit_needs_has_a_hash_as_well(lab, wheels, tmp_path):
    write_project(tmp_path / "tw-commit", "tw-commit", ("tw-a==2.0",))
    commit_id = commit(tmp_path / "tw-commit")
    hashed = f"tw-files==1.0 --hash=sha256:{hashlib.sha256((wheels / 'tw_files-1.0-py3-none-any.whl').read_bytes()).hexdigest()}"
    origin = f"tw-commit @ git+file://localhost{tmp_path}/tw-commit"
    answer = lab.change(f"{origin}@{commit_id}", hashed)
    assert explain(answer["out"], answer["err"]).startswith("one requirement has a hash, so all need == and a hash, and tw-a==2.0")
    assert "version control" in lab.change(origin, hashed)["err"]  # a branch may hold anything
    assert lab.packages == {}


def write_project(folder, name, needs):
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n')
    call = f"return wheelhouse.Wheel({name!r}, '1.0', {needs!r}).write(pathlib.Path(wheel_directory)).name"
    (folder / "backend.py").write_text(
        "import pathlib, sys\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n\n\n"
        f"def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):\n    import wheelhouse\n    {call}\n"
    )
    shutil.copy(wheelhouse.__file__, folder / "wheelhouse.py")


def commit(folder):
    git = ["git", "-C", str(folder), "-c", "user.name=me", "-c", "user.email=me@example.com"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=first"]):
        subprocess.run([*git, *command], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_an_image_package_that_a_user_package_breaks_is_a_conflict(lab, inform):
    lab.change("traitlets==4.3.3", protect_image=False)
    (lab.base / "image").mkdir()
    folder = lab.base / "image" / "needy-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(wheelhouse.Wheel("needy", "1.0", ("traitlets>=5", "nowhere")).metadata())
    lab.environment["PYTHONPATH"] += os.pathsep + str(lab.base / "image")
    assert "needy 1.0 needs traitlets>=5, and there is traitlets 4.3.3" in inform()["conflicts"]


def test_an_editable_installation_is_no_package_of_the_image(lab, inform, tmp_path):
    lab.change("tw-b")
    (site,) = lab.base.glob("lib/python3.*/site-packages")
    (tmp_path / "proj.egg-info").mkdir()
    (tmp_path / "proj.egg-info" / "PKG-INFO").write_text("Name: proj\nVersion: 1.0\n")
    assert "proj" in parse(lab, tmp_path)
    (site / "proj.pth").write_text(f"# ours\nimport sys\n{tmp_path}\n")
    assert "proj" not in inform()["image_packages"]


def parse(lab, folder):
    """The image's packages with that folder among its own."""
    lab.environment["PYTHONPATH"] += os.pathsep + str(folder)
    packages = lab.look()["image_packages"]
    lab.environment["PYTHONPATH"] = lab.environment["PYTHONPATH"].rpartition(os.pathsep)[0]
    return packages


@pytest.mark.parametrize("option", ["outdated", "lock"])
def test_an_old_pip_cannot_ask_the_index(lab, inform, tmp_path, option):
    lab.change("tw-b")
    (tmp_path / "pip-20.0.dist-info").mkdir()
    (tmp_path / "pip-20.0.dist-info" / "METADATA").write_text("Name: pip\nVersion: 20.0\n")
    lab.environment["PYTHONPATH"] = str(tmp_path) + os.pathsep + lab.environment["PYTHONPATH"]
    assert inform(**{option: True})["error"].endswith("needs pip 22.2 or later, and it has pip 20.0")
