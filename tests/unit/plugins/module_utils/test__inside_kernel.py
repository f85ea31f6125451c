# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Isolated environments, made and changed for real. ipykernel and pip in them are stand-ins (wheelhouse.py)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from ansible_collections.mlenv.jupyter.tests.integration.targets.container_pip.files import wheelhouse

IMPLIED = {"ipykernel": "1.0", "pip": "99.0", "tw-b": "1.5"}


class Kernel:
    """The isolated environment `old` of a user base."""

    def __init__(self, lab):
        self.lab = lab
        self.path = lab.base / "share/virtualenvs/old"
        self.spec = lab.base / "share/jupyter/kernels/old/kernel.json"

    def change(self, *names, **options):
        answer = self.lab.change(*names, **{"virtualenv": "old", **options})
        assert not answer.get("error") and not answer.get("rc"), answer
        return answer

    def look(self, *names, **options):
        return self.lab.look(*names, **{"virtualenv": "old", **options})

    def run(self, *argv):
        """Run one of its programs as Jupyter runs its kernel."""
        environment = {**self.lab.environment, **json.loads(self.spec.read_text())["env"]}
        return subprocess.run([str(self.path / "bin" / argv[0]), *argv[1:]], env=environment, capture_output=True, text=True, check=False)

    def files(self):
        return {path: path.is_file() and path.read_bytes() for path in self.path.rglob("*")}


@pytest.fixture(name="kernel")
def fixture_kernel(lab):
    return Kernel(lab)


@pytest.fixture(params=["pip", "uv"], name="installer")
def fixture_installer(request, lab):
    uv = shutil.which("uv", path=os.path.dirname(sys.executable))
    lab.environment["PATH"] = os.path.dirname(uv) + os.pathsep + lab.environment["PATH"]
    return request.param


def test_it_is_a_kernel_with_packages_of_its_own(kernel, installer):
    assert kernel.change("tw-a==1.0", installer=installer)["after"] == {**IMPLIED, "tw-a": "1.0"}
    spec = json.loads(kernel.spec.read_text())
    assert spec["display_name"] == "old"
    told = subprocess.run([spec["argv"][0], "-c", "import tw_a, ipykernel; print(tw_a.VERSION)"], capture_output=True, text=True, check=False)
    assert told.stdout == "1.0\n", told.stderr
    assert kernel.run("tw-a").stdout == "1.0\n"  # its scripts run in it
    assert kernel.look("tw-a==1.0")["satisfied"]
    assert kernel.lab.packages == {}  # the user site has none of it


def test_it_sees_nothing_of_the_image_and_of_the_user_site(kernel):
    kernel.lab.change("tw-files==1.0")
    kernel.change("tw-a==1.0")
    for module in ("traitlets", "tw_files"):
        assert "ModuleNotFoundError" in kernel.run("python", "-c", f"import {module}").stderr
    # The image's own traitlets is no matter here.
    assert kernel.change("tw-old-traitlets")["after"]["traitlets"] == "4.3.3"


def test_two_with_pins_that_do_not_go_together(kernel):
    kernel.change("tw-old-b")
    other = kernel.lab.change("tw-new-b", virtualenv="new")
    assert (other["after"]["tw-b"], kernel.look("tw-old-b")["user_packages"]["tw-b"]) == ("1.5", "1.0")


def test_upgrade_downgrade_remove(kernel, installer):
    kernel.change("tw-a==1.0", "tw-files==1.0", installer=installer)
    assert kernel.change("tw-a==2.0", installer=installer)["installed"] == {"tw-a": "2.0"}
    assert kernel.change("tw-files==2.0", installer=installer)["installed"] == {"tw-files": "2.0"}
    assert not list(kernel.path.rglob("old.txt"))
    assert kernel.change("tw-files", state="absent")["after"] == {**IMPLIED, "tw-a": "2.0"}
    assert kernel.change("tw-a==1.0", state="exact", installer=installer)["after"] == {**IMPLIED, "tw-a": "1.0"}
    assert kernel.run("tw-a").stdout == "1.0\n"


def test_latest_leaves_alone_what_was_not_named(kernel):
    kernel.change("tw-a==1.0", "pip==99.0")
    assert kernel.change("tw-a", state="latest")["installed"] == {"tw-a": "2.0"}


def test_latest_leaves_alone_what_makes_it_a_kernel(kernel, wheels, installer):
    wheelhouse.Wheel("ipykernel", "0.5").write(wheels)
    kernel.change("tw-a==1.0", "ipykernel==0.5")
    assert kernel.change("tw-a", state="latest", installer=installer)["after"]["ipykernel"] == "0.5"


@pytest.mark.parametrize("names", [("tw-a==1.0",), ()])
def test_check_predicts_and_writes_nothing(kernel, installer, names):
    kernel.lab.base.mkdir()
    predicted = kernel.change(*names, check=True, installer=installer)
    assert kernel.lab.files() == {}
    assert kernel.change(*names, installer=installer)["after"] == predicted["after"]
    before = kernel.files()
    assert kernel.change(*names, "tw-files", check=True, installer=installer)["installed"] == {"tw-files": "2.0"}
    assert kernel.files() == before


def test_a_failure_leaves_nothing_behind(kernel):
    answer = kernel.lab.change("tw-a==1.0", "tw-never", virtualenv="old")
    assert answer["rc"] == 1
    assert not kernel.path.exists() and not kernel.spec.exists()
    kernel.change("tw-a==1.0")
    before = kernel.files()
    assert kernel.lab.change("tw-a==2.0", "tw-never", virtualenv="old")["rc"] == 1
    assert kernel.files() == before and kernel.look()["kernel"]


def test_it_goes_as_a_whole_when_asked_for_by_name(kernel):
    kernel.change("tw-a==1.0")
    assert kernel.look("tw-a", state="absent")["surplus"] == ["tw-a"]
    assert not kernel.look(state="absent", whole=True)["satisfied"]
    kernel.change(state="absent", whole=True, check=True)
    assert kernel.spec.exists()
    assert kernel.change(state="absent", whole=True)["after"] == {}
    assert not kernel.path.exists() and not kernel.spec.parent.exists()
    assert kernel.look(state="absent", whole=True)["satisfied"]


@pytest.mark.parametrize("damage", ["rm -r share/jupyter", "rm share/virtualenvs/old/bin/python*", "rm -r share/virtualenvs/old"])
def test_what_broke_is_made_again(kernel, damage):
    kernel.change("tw-a==1.0")
    subprocess.run(damage, shell=True, cwd=kernel.lab.base, check=True)
    assert not kernel.look("tw-a==1.0")["satisfied"]
    kernel.change("tw-a==1.0")
    assert kernel.look("tw-a==1.0")["satisfied"]
    assert kernel.run("tw-a").stdout == "1.0\n"


def test_a_home_of_another_name_takes_it_along(kernel):
    kernel.change("tw-a==1.0")
    base = kernel.lab.base
    kernel.lab.base = base.rename(base.with_name("renamed"))
    kernel.lab.environment["PYTHONUSERBASE"] = str(kernel.lab.base)
    moved = Kernel(kernel.lab)
    assert not moved.look("tw-a==1.0")["satisfied"]
    assert moved.change("tw-a==1.0")["installed"] == {}
    assert moved.run("tw-a").stdout == "1.0\n"


def test_somebody_elses_kernel_stays(kernel):
    kernel.spec.parent.mkdir(parents=True)
    kernel.spec.write_text('{"argv": ["/opt/theirs/bin/python"]}')
    assert "somebody else made" in kernel.lab.change("tw-a", virtualenv="old")["error"]
    assert "somebody else made" in kernel.lab.change("tw-a", virtualenv="old", check=True)["error"]
    assert not kernel.path.exists()
    for check in (True, False):
        assert not kernel.look(state="absent", whole=True)["kernel_differs"]
        kernel.change(state="absent", whole=True, check=check)
    assert kernel.spec.exists()


def test_a_list_with_hashes_must_name_all(kernel):
    lock = kernel.look("tw-a==1.0 --hash=sha256:00")
    assert lock["missing"] == ["tw-a==1.0"]


def test_a_python_that_moved_on(kernel):
    kernel.change("tw-a==1.0")
    library = kernel.path / "lib"
    (site,) = library.iterdir()
    site.rename(library / "python3.1")
    found = kernel.look("tw-a")
    assert list(found["older"]) == ["3.1"] and not found["satisfied"]
    answer = kernel.change(migrate=True)
    assert answer["migrated"]["tw-a"] == {"before": "1.0", "after": "1.0"}
    assert not (library / "python3.1").exists()
    assert kernel.run("tw-a").stdout == "1.0\n"
