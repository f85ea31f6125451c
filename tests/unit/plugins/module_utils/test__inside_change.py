# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions, run for real: a Python with pip of its own changes a user base of its own."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import quote

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_installed
from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import Container, Engine
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import MEND, Packages, Wish, ensure
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip_errors import explain
from ansible_collections.mlenv.jupyter.plugins.module_utils._probe import parse_probe
from ansible_collections.mlenv.jupyter.plugins.module_utils._requirements import Lines
from ansible_collections.mlenv.jupyter.tests.integration.targets.container_pip.files import private_index, wheelhouse


@pytest.fixture(scope="session", name="seed")
def fixture_seed(lab_at, tmp_path_factory):
    """A user base with something in it, to start from."""
    base = tmp_path_factory.mktemp("seed") / "local"
    lab_at(base).change("tw-a==1.0", "tw-files==1.0")
    return base


def test_install_upgrade_downgrade(lab):
    assert lab.change("tw-a==1.0")["installed"] == {"tw-a": "1.0"}
    assert lab.run("tw-a") == "1.0"
    assert lab.change("tw-a>=2")["installed"] == {"tw-a": "2.0", "tw-b": "1.5"}
    assert lab.run("tw-a") == "2.0"
    assert lab.change("tw-a<2", "tw-b==1.0")["after"] == {"tw-a": "1.1", "tw-b": "1.0"}
    assert lab.run("tw-a") == "1.1"
    assert not [name for name in lab.files() if "2.0" in name or "1.5" in name]


def test_nothing_of_ours_stays_but_the_lock(lab):
    own = lab.base / _inside_installed.OWN_DIRECTORY
    own.mkdir(parents=True)
    (own / "journal.json.new").touch()  # of one that was killed
    lab.change("tw-a")
    assert sorted(os.listdir(own)) == ["lock"]
    assert not [name for name in lab.files() if "sight" in name]


def test_an_upgrade_leaves_no_file_of_the_old_version(lab):
    lab.change("tw-files==1.0")
    subprocess.run([lab.python, "-c", "import tw_files"], env=lab.environment, check=True)  # makes bytecode that no RECORD has
    lab.change("tw-files==2.0")
    names = {name.rpartition("/")[2] for name in lab.files()}
    assert {"new.txt", "both.txt"} <= names
    assert "old.txt" not in names
    assert next(text for name, text in lab.files().items() if name.endswith("both.txt")) == b"2"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([], ["tw-a==1.0"]),
        (["tw-a==1.0"], ["tw-a>=2", "tw-odd-name"]),
        (["tw-a==2.0"], ["tw-old-b"]),
        ([], ["tw-extra[x]"]),
        (["tw-a==1.0"], ["tw-a", 'tw-never; python_version < "3"']),
    ],
)
def test_check_predicts_what_the_run_does_and_writes_nothing(lab, first, then):
    if first:
        lab.change(*first)
    before = lab.files()
    existed = lab.base.exists()
    predicted = lab.change(*then, check=True)
    assert lab.files() == before
    assert lab.base.exists() == existed
    done = lab.change(*then)
    assert (predicted["installed"], predicted["before"], predicted["after"]) == (done["installed"], done["before"], done["after"])
    assert lab.packages == done["after"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["tw-a", "tw-nowhere"], "no such package: tw-nowhere"),
        (["tw-a==7"], "no such version: tw-a==7; nearest ones: 1.0, 1.1, 2.0, 3.0rc1"),
        (["tw-old-b", "tw-new-b"], "conflict: tw-old-b 1.0 depends on tw-b<1.5, against tw-new-b 1.0 depends on tw-b>=1.5"),
        (["tw-old-traitlets"], "conflict: tw-old-traitlets 1.0 depends on traitlets<5, against the constraint traitlets==5.14.3"),
        (["tw-a", "tw-broken"], "tw-broken has no wheel for this Python and building it failed: the build's own words are in stderr"),
        (["tw-compiled"], "tw-compiled has no wheel for this Python and the image has no compiler (gcc) to build it"),
        (["tw-a==1.1 --hash=sha256:" + 64 * "0"], "hash mismatch for tw-a==1.1"),
        (["tw-a==1.0 --hash=sha256:" + 64 * "0", "tw-b"], "one requirement has a hash, so all need == and a hash, and tw-b has not both"),
        (["tw-future"], "tw-future needs Python >=3.99, and this is 3."),
        (["/no/such/tw_x-1.0-py3-none-any.whl"], "there is no file /no/such/tw_x-1.0-py3-none-any.whl in the container"),
        (["tw-a @ http://127.0.0.1:9/tw_a-1.0-py3-none-any.whl"], "127.0.0.1:9 cannot be reached from the container"),
    ],
)
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_a_failure_changes_nothing_and_says_why(lab, seed, names, sentence, check):
    shutil.copytree(seed, lab.base)
    before = lab.files()
    answer = lab.change(*names, check=check, pip_options=["--retries=0"])
    if check and not answer["rc"]:
        assert names[-1] in ("tw-broken", "tw-compiled")  # nothing is built in check mode
        return
    assert answer["rc"] == 1
    assert explain(answer["out"], answer["err"]).startswith(sentence)
    assert lab.files() == before


def test_absent_keeps_what_it_needed(lab):
    lab.change("tw-a==2.0", "tw-files")
    assert lab.change("TW_A", "tw-nowhere", "pip", state="absent", check=True)["after"] == {"tw-b": "1.5", "tw-files": "2.0"}
    assert lab.change("TW_A", "tw-nowhere", "pip", state="absent")["after"] == {"tw-b": "1.5", "tw-files": "2.0"}
    assert not [name for name in lab.files() if "tw_a" in name or "tw-a" in name]
    assert lab.change("tw-files==1.0", "tw-files<2", state="absent")["after"] == {"tw-b": "1.5", "tw-files": "2.0"}


def test_absent_with_autoremove(lab):
    lab.change("tw-a==2.0", "tw-extra[x]", "tw-files")
    for check in (True, False):
        answer = lab.change("tw-a", state="absent", autoremove=True, check=check)
        assert answer["after"] == {"tw-b": "1.5", "tw-extra": "1.0", "tw-files": "2.0"}
    assert lab.change("tw-extra", state="absent", autoremove=True)["after"] == {"tw-files": "2.0"}


def test_what_was_asked_for_by_name_is_no_orphan(lab):
    lab.change("tw-a==2.0")
    assert lab.change("tw-b")["installed"] == {}
    assert lab.change("tw-a", state="absent", autoremove=True)["after"] == {"tw-b": "1.5"}
    assert lab.change("tw-b", state="absent")["after"] == {}
    assert not lab.files()


def test_no_list_of_files_is_made_for_a_mark(lab):
    lab.change("tw-a==2.0")
    (record,) = lab.base.rglob("tw_b-*/RECORD")
    record.unlink()
    assert lab.look("tw-b")["unmarked"] == []
    lab.change("tw-b")
    assert not record.exists()


def test_exact(lab):
    lab.change("tw-a==1.0", "tw-files", "tw-odd-name")
    wanted = {"tw-a": "2.0", "tw-b": "1.5", "tw-files": "2.0"}
    for check in (True, False, False):
        answer = lab.change("tw-a>=2", "tw-files", state="exact", check=check)
        assert answer["after"] == wanted
    assert answer["installed"] == {}
    assert lab.packages == wanted
    assert lab.change("tw-b", state="exact")["after"] == {"tw-b": "1.5"}
    assert lab.change(state="exact")["after"] == {}


def test_exact_without_dependencies(lab):
    for names, wanted in (
        (["tw-a==2.0"], {"tw-a": "2.0"}),
        (["tw-a==2.0", "tw-b==1.0"], {"tw-a": "2.0", "tw-b": "1.0"}),
        (["tw-a"], {"tw-a": "2.0", "tw-b": "1.0"}),
    ):
        assert lab.change(*names, state="exact", pip_options=["--no-deps"], no_deps=True)["after"] == wanted
        assert lab.look(*names, state="exact", no_deps=True)["satisfied"]


def test_exact_refuses_what_it_cannot_follow(lab):
    lab.change("tw-a==1.0")
    answer = lab.change("-r https://127.0.0.1:9/r.txt", state="exact", pip_options=["--retries=0"])
    assert "after" not in answer
    assert lab.packages == {"tw-a": "1.0"}


def test_absent_refuses_what_it_cannot_follow(lab):
    lab.change("tw-a==1.0")
    assert "cannot follow -r https://127.0.0.1:9/r.txt" in lab.change("-r https://127.0.0.1:9/r.txt", state="absent")["error"]


@pytest.mark.parametrize("state", ["present", "exact"])
def test_constraints_that_only_pip_can_read_bind(lab, tmp_path, state):
    (tmp_path / "bounds.txt").write_text("tw-a<1.1\n")
    lab.change("tw-a==1.1")
    constraints = [["c", f"-c file://{tmp_path}/bounds.txt"]]
    assert not lab.look("tw-a", constraints=constraints, state=state)["satisfied"]
    assert lab.change("tw-a", constraints=constraints, state=state)["after"] == {"tw-a": "1.0"}
    assert lab.change("tw-a", constraints=constraints, state="absent")["after"] == {}


@pytest.mark.parametrize("state", ["present", "absent", "exact", "latest"])
def test_without_packaging_nothing_is_guessed(lab, tmp_path, state):
    lab.change("tw-a==1.0")
    for name in ("pip", "packaging"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('broken')")
    lab.environment["PYTHONPATH"] = str(tmp_path) + os.pathsep + lab.environment["PYTHONPATH"]
    assert "has no pip, nor `packaging`" in lab.change("tw-a", state=state, autoremove=True)["error"]
    assert lab.look("tw-a", state=state, autoremove=True)["user_packages"] == {"tw-a": "1.0"}


def test_latest_upgrades_what_is_named_only(lab):
    lab.change("tw-a==1.0", "tw-b==1.0")
    for check in (True, False):
        answer = lab.change("tw-a", state="latest", check=check)
        assert answer["installed"] == {"tw-a": "2.0"}
        assert answer["after"] == {"tw-a": "2.0", "tw-b": "1.0"}
    assert lab.change("tw-a", state="latest", check=True)["installed"] == {}
    assert lab.change("tw-a", state="latest")["installed"] == {}
    assert lab.change("tw-a", state="latest", constraints=[["c", "tw-a<2"]])["after"]["tw-a"] == "1.1"
    assert lab.change("pip", state="latest")["installed"] == {}  # the image's own


def test_latest_of_a_file_that_did_not_change(lab, wheels):
    wheel = str(wheels / "tw_a-1.0-py3-none-any.whl")
    assert lab.change(wheel, state="latest")["installed"] == {"tw-a": "1.0"}
    assert lab.change(wheel, state="latest", check=True)["installed"] == {}
    assert lab.change(wheel, state="latest")["installed"] == {}
    assert lab.run("tw-a") == "1.0"


def test_forcereinstall_mends_what_is_named_only(lab):
    lab.change("tw-a==2.0", "tw-b==1.0")
    (lab.base / "bin" / "tw-a").unlink()
    for check in (True, False):
        assert lab.change("tw-a", state="forcereinstall", check=check)["installed"] == {"tw-a": "2.0"}
    assert lab.run("tw-a") == "2.0"
    assert lab.packages == {"tw-a": "2.0", "tw-b": "1.0"}


def test_a_direct_reference_beside_something_new_is_left_alone(lab, wheels):
    wheel = str(wheels / "tw_a-1.0-py3-none-any.whl")
    lab.change(wheel)
    for check in (True, False):
        assert lab.change(wheel, "tw-b", check=check)["installed"] == {"tw-b": "1.5"}
    assert lab.run("tw-a") == "1.0"


def test_migrate_brings_packages_to_this_python(lab):
    lab.change("tw-a==2.0", "tw-b==1.0", "tw-files==1.0")
    current = next(lab.base.glob("lib/python3.*"))
    current.rename(lab.base / "lib" / "python3.1")  # as if the image's Python had been an older one
    dead = lab.base / "bin" / "tw-files"
    assert dead.exists()
    assert lab.packages == {}
    for site in lab.base.glob("lib/python3.1/site-packages/tw_files-1.0.dist-info"):  # a version that is not to be had any more
        (site / "METADATA").write_text((site / "METADATA").read_text().replace("Version: 1.0", "Version: 0.5"))
        site.rename(site.with_name("tw_files-0.5.dist-info"))
    before = lab.files()
    versions = {"tw-a": "2.0", "tw-b": "1.0", "tw-files": "2.0"}
    predicted = lab.change(migrate=True, check=True)
    assert lab.files() == before
    done = lab.change(migrate=True)
    assert predicted["after"] == done["after"] == lab.packages == versions
    assert predicted["migrated"] == done["migrated"]
    assert done["migrated"]["tw-files"] == {"before": "0.5", "after": "2.0"}
    assert os.listdir(lab.base / "lib") == [current.name]
    assert lab.run("tw-files") == "2.0"
    assert lab.change(migrate=True)["migrated"] == {}


def test_of_several_older_pythons_the_newest_one_is_brought_along(lab):
    for python, version in (("python3.20", "1.1"), ("python3.3", "1.0")):
        lab.change(f"tw-a=={version}")
        current = next(path for path in lab.base.glob("lib/*") if path.name != "python3.20")
        current.rename(current.with_name(python))
    assert lab.change(migrate=True)["migrated"] == {"tw-a": {"before": "1.1", "after": "1.1"}}


def test_a_failed_migration_keeps_the_old_tree(lab):
    lab.change("tw-a==1.0")
    next(lab.base.glob("lib/python3.*")).rename(lab.base / "lib" / "python3.1")
    before = lab.files()
    assert lab.change("tw-nowhere", migrate=True)["rc"] == 1
    assert lab.files() == before


@pytest.mark.parametrize("state", ["absent", "forcereinstall"])
def test_a_state_that_brings_nothing_along_keeps_the_old_tree(lab, state):
    lab.change("tw-a==1.0", "tw-files==1.0")
    next(lab.base.glob("lib/python3.*")).rename(lab.base / "lib" / "python3.1")
    before = lab.files()
    answer = lab.change("tw-b", migrate=True, state=state)
    assert (answer["migrated"], before.items() - lab.files().items()) == ({}, set())


def test_exact_migrates_to_what_it_names(lab):
    lab.change("tw-a==1.0", "tw-files==1.0")
    next(lab.base.glob("lib/python3.*")).rename(lab.base / "lib" / "python3.1")
    assert lab.change("tw-a", migrate=True, state="exact")["after"] == {"tw-a": "1.0"}
    assert not (lab.base / "lib" / "python3.1").exists()


def test_migrate_beside_hashes_and_a_package_without_a_list_of_its_files(lab, wheels):
    lab.change("tw-files==1.0")
    (site,) = lab.base.glob("lib/python3.*/site-packages")
    (site / "tw_server-1.0-py3.1.egg-info").write_text("Metadata-Version: 1.0\nName: tw-server\nVersion: 1.0\n")
    site.parent.rename(lab.base / "lib" / "python3.1")
    hashed = f"tw-b==1.5 --hash=sha256:{hash_of(wheels / 'tw_b-1.5-py3-none-any.whl')}"
    for check in (True, False):
        assert lab.change(hashed, migrate=True, check=check)["after"] == {"tw-b": "1.5", "tw-files": "1.0", "tw-server": "1.0"}
    assert not (lab.base / "lib" / "python3.1").exists()


def hash_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_leftovers_and_foreign_files_are_seen_and_mended(lab):
    lab.change("tw-a==1.0")
    site = next(lab.base.glob("lib/python3.*/site-packages"))
    (site / "~w_a-0.9.dist-info").mkdir()
    (site / "tw_ghost-1.0.dist-info").mkdir()
    found = lab.look()
    assert sorted(os.path.basename(path) for path in found["leftovers"]) == ["tw_ghost-1.0.dist-info", "~w_a-0.9.dist-info"]
    assert found["user_packages"] == {"tw-a": "1.0"}
    assert found["foreign"] == []
    if os.getuid() == 0:
        os.chown(site / "tw_a.py", 4321, 4321)
        found = lab.look()
        assert found["foreign"] == [str(site / "tw_a.py")]
    lab.run_inside(MEND, "mend", found)
    found = lab.look()
    assert (found["leftovers"], found["foreign"]) == ([], [])
    assert lab.packages == {"tw-a": "1.0"}


def test_an_older_twin_goes_with_the_package(lab):
    lab.change("tw-a==1.0", "tw-b==1.0")
    lab.change("tw-a==1.1", pip_options=["--ignore-installed"], pip_decides=True)
    site = next(lab.base.glob("lib/python3.*/site-packages"))
    twin = site / "tw_a-0.9.dist-info"
    shutil.copytree(site / "tw_a-1.1.dist-info", twin)
    os.utime(twin, (1, 1))
    assert lab.packages == {"tw-a": "1.1", "tw-b": "1.0"}
    assert lab.change("tw-a==2.0")["after"] == lab.packages == {"tw-a": "2.0", "tw-b": "1.0"}
    assert not twin.exists()


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_what_a_change_breaks_is_told(uv_lab, installer):
    uv_lab.change("tw-new-b")
    broken = ["tw-new-b 1.0 needs tw-b>=1.5, and there is tw-b 1.0"]
    assert broken[0] in uv_lab.change("tw-b==1.0", on_conflict="fail", installer=installer)["error"]
    assert uv_lab.packages == {"tw-b": "1.5", "tw-new-b": "1.0"}
    for check in (True, False):
        assert uv_lab.change("tw-b==1.0", check=check, installer=installer)["conflicts"] == broken
    # It is told when it is made, and not again by a change of something else.
    assert uv_lab.change("tw-spare", installer=installer, on_conflict="fail")["conflicts"] == []
    for check in (True, False):
        assert uv_lab.change("tw-b", state="absent", check=check)["conflicts"] == ["tw-new-b 1.0 needs tw-b, which is not installed"]


def by_hand(lab, *words):
    """What somebody does in a terminal of the lab."""
    argv = [lab.python, "-m", "pip", "install", "--user", "--quiet", "--no-index", "--find-links", str(lab.wheels), *words]
    subprocess.run(argv, env={**lab.environment, "PIP_BREAK_SYSTEM_PACKAGES": "1"}, check=True, capture_output=True)


def site_of(lab):
    return next(lab.base.glob("lib/python3.*/site-packages"))


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_what_an_import_finds_is_what_is_installed(uv_lab, installer):
    lab = uv_lab
    by_hand(lab, "tw-twice==2.0")
    by_hand(lab, "--ignore-installed", "tw-twice==1.0")
    assert lab.run("tw-twice") == "2.0"
    found = lab.look("tw-twice==1.0")
    assert (found["satisfied"], found["user_packages"]) == (False, {"tw-twice": "2.0"})
    for check in (True, False):
        answer = lab.change("tw-twice==1.0", check=check, installer=installer)
        assert (answer["before"], answer["after"]) == ({"tw-twice": "2.0"}, {"tw-twice": "1.0"})
    assert lab.run("tw-twice") == "1.0"
    assert lab.look("tw-twice==1.0")["satisfied"]
    assert not (site_of(lab) / "tw_twice").exists()


def test_the_files_tell_which_of_two_versions_is_there(lab):
    by_hand(lab, "tw-a==1.0")
    by_hand(lab, "--ignore-installed", "tw-a==1.1")
    os.utime(site_of(lab) / "tw_a-1.0.dist-info")  # as the newest one
    assert lab.look("tw-a==1.1")["satisfied"]
    assert lab.look("tw-a==1.0")["missing"] == ["tw-a==1.0"]


def test_two_versions_of_which_neither_is_whole(lab):
    by_hand(lab, "tw-a==1.0")
    by_hand(lab, "--ignore-installed", "tw-a==1.1")
    (site_of(lab) / "tw_a.py").write_text("VERSION = 'of neither'\n")
    assert not lab.look("tw-a")["satisfied"]
    assert lab.change("tw-a==1.1")["after"] == {"tw-a": "1.1"}
    assert lab.run("tw-a") == "1.1"
    assert lab.look("tw-a==1.1")["satisfied"]


def test_what_hides_a_package_and_belongs_to_nobody_is_named_and_stays(lab):
    lab.change("tw-twice==1.0")
    leftover = site_of(lab) / "tw_twice" / "__init__.py"  # of another installer, which left no metadata
    leftover.parent.mkdir()
    leftover.write_text("VERSION = '2.0'\n")
    assert not lab.look("tw-twice==1.0")["satisfied"]
    for check in (True, False):
        assert f"import of tw-twice finds {leftover}, which does not belong to tw-twice: remove it" in lab.change("tw-twice==1.0", check=check)["error"]
    assert leftover.exists()
    assert lab.change("tw-twice", state="absent")["after"] == {}
    leftover.unlink()


def test_a_namespace_is_hidden_by_a_module_and_by_nothing_else(lab):
    lab.change("tw-ns-a", "tw-ns-b")
    assert lab.look("tw-ns-a", "tw-ns-b")["satisfied"]
    (site_of(lab) / "tw_ns.py").write_text("")
    assert lab.look("tw-ns-a", "tw-ns-b")["missing"] == ["tw-ns-a", "tw-ns-b"]
    assert "tw_ns.py, which does not belong to tw-ns-a" in lab.change("tw-ns-a")["error"]


def test_an_egg_link_comes_after_what_is_in_the_directory(lab):
    lab.change("tw-a==1.0")
    source = lab.base.parent / "source"
    (source / "tw_a.egg-info").mkdir(parents=True)
    (source / "tw_a.py").write_text("VERSION = '9.0'\n")
    (source / "tw_a.egg-info/PKG-INFO").write_text("Metadata-Version: 1.0\nName: tw-a\nVersion: 9.0\n")
    (site_of(lab) / "easy-install.pth").write_text(f"{source}\n")
    (site_of(lab) / "tw-a.egg-link").write_text(f"{source}\n.")
    assert lab.run("tw-a") == "1.0"
    assert lab.look("tw-a==1.0")["satisfied"]
    assert not lab.look("tw-a==9.0")["satisfied"]


def test_image_package_is_protected(lab):
    answer = lab.change("traitlets==4.3.3")
    assert "traitlets==4.3.3 conflicts with the image's own traitlets 5.14.3" in answer["error"]
    assert lab.packages == {}
    answer = lab.change("traitlets==4.3.3", protect_image=False)
    assert answer["after"] == {"traitlets": "4.3.3"}
    assert answer["restart"]


@pytest.mark.parametrize("name", ["{}", "traitlets @ file://{}"])
def test_a_direct_reference_with_the_images_version_is_refused(lab, tmp_path, name):
    wheel = wheelhouse.Wheel("traitlets", "5.14.3").write(tmp_path)
    for check in (True, False):
        answer = lab.change(name.format(wheel), check=check)
        assert answer["error"].startswith(f"file://{wheel} would hide the image's own traitlets, which its server needs")
    assert lab.packages == {}
    assert lab.change(name.format(wheel), protect_image=False)["after"] == {"traitlets": "5.14.3"}


def test_what_the_server_needs_through_an_extra_is_protected(lab, tmp_path):
    image = tmp_path / "image"
    for name, version, needs in (("events", "1.0", ('schema; extra == "format"',)), ("notebook", "7.0", ("events[format]",)), ("schema", "2.0", ())):
        folder = image / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(wheelhouse.Wheel(name, version, needs + ("odd (>dev)",)).metadata())
    lab.environment["PYTHONPATH"] += os.pathsep + str(image)
    assert "schema==1.0 conflicts with the image's own schema 2.0" in lab.change("schema==1.0")["error"]


def test_a_version_in_the_image_that_follows_no_rule(lab, tmp_path):
    folder = tmp_path / "image" / "tw_a-1.0-weird.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Name: tw-a\nVersion: 1.0-weird\n")
    lab.environment["PYTHONPATH"] += os.pathsep + str(tmp_path / "image")
    answer = lab.change("tw-a>=2")
    if answer["rc"]:  # pip 24.1 and later go no further
        assert explain(answer["out"], answer["err"]).startswith("Cannot process installed package tw-a 1.0-weird in ")
    else:
        assert answer["after"] == {"tw-a": "2.0", "tw-b": "1.5"}


def test_package_that_the_server_does_not_need_may_be_named_in_another_version(lab):
    assert lab.change("tw-spare==1.0")["after"] == {"tw-spare": "1.0"}


def test_server_extension_recommends_restart(lab):
    assert lab.change("tw-server")["restart"]
    assert (lab.base / "etc/jupyter/jupyter_server_config.d/tw.json").exists()
    assert not lab.change("tw-a")["restart"]


def test_source_distribution(lab):
    assert lab.change("tw-sdist")["installed"] == {"tw-sdist": "1.0"}
    assert lab.run("tw-sdist") == "1.0"


def test_direct_reference_replaces_the_same_version(lab, wheels):
    lab.change("tw-a==1.0")
    wheel = wheels / "tw_a-1.0-py3-none-any.whl"
    assert lab.change(str(wheel), check=True)["installed"] == {"tw-a": "1.0"}
    assert lab.change(str(wheel))["installed"] == {"tw-a": "1.0"}
    assert lab.change(str(wheel))["installed"] == {}


def test_timeout_leaves_no_process(lab):
    answer = lab.change("tw-a", "tw-slow", timeout=3)
    assert "did not end within 3 s" in answer["error"]
    assert lab.packages == {}
    left = subprocess.run(["pgrep", "-f", str(lab.base / _inside_installed.OWN_DIRECTORY)], capture_output=True, text=True, check=False)
    assert left.stdout == ""


def test_check_leaves_nothing_behind_at_its_timeout(lab, tmp_path):
    lab.environment["TMPDIR"] = str(tmp_path / "tmp")
    os.mkdir(lab.environment["TMPDIR"])
    (tmp_path / "pip").mkdir()
    # The real one behind it, which may have the only `packaging` there is.
    (tmp_path / "pip" / "__init__.py").write_text("import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)\n")
    (tmp_path / "pip" / "__main__.py").write_text("import time; time.sleep(600)")
    lab.environment["PYTHONPATH"] = str(tmp_path) + os.pathsep + lab.environment["PYTHONPATH"]
    assert "did not end within 1 s" in lab.change("tw-a", timeout=1, check=True)["error"]
    assert os.listdir(lab.environment["TMPDIR"]) == []


def test_check_foretells_also_the_end_of_what_was_interrupted(lab):
    lab.change("tw-a==1.0")
    own = lab.base / _inside_installed.OWN_DIRECTORY
    (own / "stage").mkdir()
    (lab.base / "lib").rename(own / "stage" / "lib")  # killed between taking out and moving in
    (own / _inside_installed.JOURNAL).write_text('{"removing": false}')

    def run_here(_command, data, **_how):
        done = subprocess.run([lab.python, "-"], input=data, env=lab.environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    packages = Packages(Engine(run_here), Container({"Name": "/lab", "State": {"Status": "running"}, "Config": {"User": "", "Env": []}}))
    wish = Wish(Lines([["name", "tw-a==1.0"]]), index_lines=lab.request()["index_lines"], installer="pip", cache=False, compile="never")
    told = [ensure(packages, wish, check) for check in (True, False, True)]
    assert [(one["changed"], one["packages"]) for one in told] == [(True, {"tw-a": {"before": None, "after": "1.0"}})] * 2 + [(False, {})]


def test_two_at_once_wait_for_each_other(lab):
    children = [lab.start("tw-a==1.0"), lab.start("tw-files"), lab.start("tw-odd-name"), lab.start("tw-a==1.0")]
    answers = [parse_probe(child.stdout.read()) for child in children]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    assert sum(bool(answer["installed"]) for answer in answers) == 3
    assert set(lab.packages) == {"tw-a", "tw-files", "tw-odd-name"}


def test_an_installer_whose_parent_was_killed_keeps_others_waiting(lab):
    """pip ends by itself when nobody listens any more; uv says nothing for long, and would go on in the next one's stage."""
    lab.environment["PATH"] = os.path.dirname(sys.executable) + os.pathsep + lab.environment["PATH"]
    child = lab.start("tw-slow", installer="uv")
    uv = awaited("--parent", str(child.pid))
    awaited("--session", str(uv), "--full", "build_wheel")
    child.kill()
    child.wait()
    assert f"another installation into {lab.base} did not end within 1 s" in lab.change("tw-a", timeout=1)["error"]
    os.killpg(uv, signal.SIGKILL)
    assert lab.change("tw-a")["after"] == {"tw-a": "2.0", "tw-b": "1.5"}
    assert not (lab.base / _inside_installed.OWN_DIRECTORY / "stage").exists()


def test_bytecode_comes_later(lab):
    lab.change("tw-a==1.0", "tw-files", compile="later")
    wait_until(lambda: {"tw_a", "tw_files"} == {path.name.partition(".")[0] for path in lab.base.rglob("*.pyc")})
    lab.change("tw-a", "tw-files", state="absent")
    assert not [path for path in lab.base.rglob("*") if path.name.startswith(("tw_a.", "tw_files"))]
    lab.change("tw-a==1.0", compile="now")
    assert list(lab.base.rglob("tw_a.*.pyc"))


def test_bytecode_makes_room_for_the_next_one(lab, wheels):
    many = wheelhouse.Wheel("tw-many", "1.0", files={f"tw_many_{number}.py": "x = 1\n" * 1000 for number in range(2000)})
    many.write(wheels)
    lab.change("tw-many", compile="later")
    assert lab.change("tw-a==1.0")["after"] == {"tw-a": "1.0", "tw-many": "1.0"}
    assert len(list(lab.base.rglob("*.pyc"))) < 2000
    assert sorted(os.listdir(lab.base / _inside_installed.OWN_DIRECTORY)) == ["lock"]


def wait_until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def awaited(*which):
    """The first process that pgrep finds, as soon as there is one."""
    found = []
    while not found:
        found = subprocess.run(["pgrep", *which], capture_output=True, text=True, check=False).stdout.split()
    return int(found[0])


@pytest.fixture(name="uv_lab")
def fixture_uv_lab(lab):
    """A lab whose PATH has uv."""
    lab.environment["PATH"] = os.path.dirname(sys.executable) + os.pathsep + lab.environment["PATH"]
    return lab


def test_uv_predicts_a_direct_reference(uv_lab, wheels):
    wheel = str(wheels / "tw_a-1.0-py3-none-any.whl")
    for check in (True, False):
        answer = uv_lab.change(wheel, installer="uv", check=check)
        assert (answer["rc"], answer["installer"], answer["installed"]) == (0, "uv", {"tw-a": "1.0"})


@pytest.mark.parametrize(
    ("lines", "installer", "version"), [(["--pre"], "pip", "3.0rc1"), (["--prefer-binary"], "pip", "2.0"), (["--only-binary=:all:"], "uv", "2.0")]
)
def test_uv_leaves_to_pip_what_it_does_not_know(uv_lab, lines, installer, version):
    answer = uv_lab.change(*lines, "tw-a", installer="auto")
    assert (answer["installer"], answer["installed"]["tw-a"]) == (installer, version)


def test_uv_keeps_to_pips_settings_and_not_to_its_own(uv_lab, tmp_path, monkeypatch):
    (tmp_path / "uv.toml").write_text('constraint-dependencies = ["tw-a==1.0"]\n')
    monkeypatch.chdir(tmp_path)
    assert uv_lab.change("tw-a", installer="uv", check=True)["installed"]["tw-a"] == "2.0"
    (tmp_path / "bounds.txt").write_text("tw-a<2\n")
    (tmp_path / "pip.conf").write_text(f"[install]\nconstraint = {tmp_path}/bounds.txt\n")
    uv_lab.environment["PIP_CONFIG_FILE"] = str(tmp_path / "pip.conf")
    for installer in ("uv", "pip"):
        assert uv_lab.change("tw-a", installer=installer, check=True)["installed"] == {"tw-a": "1.1"}


@pytest.mark.parametrize(("names", "options", "what"), [(["--pre", "tw-a"], [], "--pre"), (["tw-a"], ["--no-deps"], "--no-deps")])
def test_uv_alone_refuses_what_it_would_pass_over(uv_lab, names, options, what):
    assert f"uv cannot do what pip does with {what}" in uv_lab.change(*names, pip_options=options, installer="uv")["error"]


@pytest.mark.parametrize("content", ["garbage", "#!/no/such/interpreter\n"])
def test_a_broken_uv_is_no_reason_to_fail(lab, tmp_path, content):
    (tmp_path / "uv").write_text(content)
    (tmp_path / "uv").chmod(0o755)
    lab.environment["PATH"] = str(tmp_path) + os.pathsep + lab.environment["PATH"]
    answer = lab.change("tw-b", installer="uv")
    assert explain(answer["out"], answer["err"]).startswith(f"{tmp_path}/uv cannot be run: ")
    assert lab.change("tw-b", installer="auto")["installer"] == "pip"


def test_a_need_that_follows_no_rule_keeps_what_it_names(lab):
    lab.change("tw-a==2.0", "tw-extra")
    (metadata,) = lab.base.rglob("tw_a-2.0.dist-info/METADATA")
    metadata.write_text(metadata.read_text().replace("Requires-Dist: tw-b", "Requires-Dist: tw-b (>=1.*)"))
    assert lab.change("tw-extra", state="absent", autoremove=True)["after"] == {"tw-a": "2.0", "tw-b": "1.5"}


def test_migrate_has_the_same_commit_again(lab, wheels, tmp_path):
    subprocess.run(["tar", "--extract", "--file", str(wheels / "tw_sdist-1.0.tar.gz"), "--directory", str(tmp_path)], check=True)
    repository = tmp_path / "tw_sdist-1.0"
    git = ["git", "-C", str(repository), "-c", "user.name=me", "-c", "user.email=me@example.com"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=first"], ["branch", "fix/that"]):
        subprocess.run([*git, *command], check=True)
    origin = f"tw-sdist @ git+file://localhost{repository}@fix/that"  # pip 23 wants a host
    lab.change(origin)
    assert lab.look(origin)["satisfied"]
    commit = commit_of(lab)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=second"], check=True)
    next(lab.base.glob("lib/python3.*")).rename(lab.base / "lib" / "python3.1")
    assert lab.change(migrate=True)["migrated"] == {"tw-sdist": {"before": "1.0", "after": "1.0"}}
    assert commit_of(lab) == commit


def commit_of(lab):
    (record,) = lab.base.rglob("direct_url.json")
    return json.loads(record.read_text())["vcs_info"]["commit_id"]


@pytest.mark.parametrize("setting", ["PIP_REQUIRE_VIRTUALENV=1", "PIP_USER=0", "PIP_TARGET=/no/such/place", "PYTHONNOUSERSITE=1"])
def test_settings_of_the_container_that_lead_astray(lab, setting):
    name, _sign, value = setting.partition("=")
    lab.environment[name] = value
    assert lab.change("tw-b")["after"] == lab.packages == {"tw-b": "1.5"}
    assert lab.look()["seen"] == (name != "PYTHONNOUSERSITE")


def test_another_file_system_below_the_base(lab):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        lab.base.mkdir()
        (lab.base / "etc").symlink_to(elsewhere)
        assert os.stat(elsewhere).st_dev != os.stat(lab.base).st_dev
        assert lab.change("tw-server", "tw-a==1.0")["after"] == {"tw-a": "1.0", "tw-server": "1.0"}
        assert (lab.base / "etc/jupyter/jupyter_server_config.d/tw.json").exists()
        assert lab.change("tw-server", state="absent")["after"] == {"tw-a": "1.0"}
        assert not (lab.base / "etc/jupyter/jupyter_server_config.d/tw.json").exists()


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_python_that_sees_no_user_site(uv_lab, tmp_path, installer):
    assert uv_lab.look()["seen"]
    subprocess.run([uv_lab.python, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    uv_lab.python = str(tmp_path / "venv" / "bin" / "python")
    assert not uv_lab.look()["seen"]
    assert "is a virtual environment, which sees no user site" in uv_lab.change("tw-b", installer=installer)["error"]


def test_what_two_packages_bring_stays_for_the_other_one(lab, wheels):
    for name in ("tw-left", "tw-right"):
        wheelhouse.Wheel(name, "1.0", files={"tw_both/__init__.py": "", f"tw_both/{name[3:]}.py": ""}).write(wheels)
    lab.change("tw-left", "tw-right")
    lab.change("tw-left", state="absent")
    subprocess.run([lab.python, "-c", "import tw_both.right; assert tw_both.__file__"], env=lab.environment, check=True)
    assert not [name for name in lab.files() if "left" in name]
    lab.change("tw-right", state="absent")
    assert not lab.files()


@pytest.mark.parametrize("installer", ["pip", "uv"])
# A netrc of an older Python cannot say the last two.
@pytest.mark.parametrize("user", ["me:s3cr3t-w0rd", "me:s3cr3t#@w0rd", *(['me:s3cr3t"\\@ w0rd', "s3cr3t-t0ken:"] if sys.version_info >= (3, 11) else [])])
def test_nobody_sees_a_password(uv_lab, wheels, tmp_path, user, installer):
    """pip makes a pip of its own for what a build needs: that one is built by somebody who looks around."""
    everybody = "__import__('subprocess').check_output(['ps', '-eww', '-o', 'args'], text=True, errors='replace')"
    look_around = f"open({str(tmp_path / 'seen')!r}, 'a').write({everybody})"
    shutil.copytree(wheels, tmp_path / "wheels")
    wheelhouse.write_source(tmp_path / "wheels", "tw-spy", f"{look_around}; return wheel(wheel_directory)")
    wheelhouse.write_source(tmp_path / "wheels", "tw-spied", "return wheel(wheel_directory)", needs=("tw-spy",))
    login, _colon, password = (quote(part, safe="") for part in user.partition(":"))
    with index_of(tmp_path / "wheels", user) as port:
        url = f"http://{login}{':' + password if password else ''}@127.0.0.1:{port}/simple"
        answer = uv_lab.change("tw-spied", index_lines=[f"--index-url {url}"], installer=installer)
    assert answer["installed"] == {"tw-spied": "1.0"}, answer["err"]
    assert "build" in (tmp_path / "seen").read_text()
    assert "s3cr3t" not in (tmp_path / "seen").read_text() + json.dumps(answer)


def test_credentials_from_the_containers_environment(uv_lab, wheels):
    """As pip's own manual shows them."""
    uv_lab.environment.update(INDEX_USER="me@example.com", INDEX_PASSWORD="s3cr3t")
    for installer in ("pip", "uv"):
        with index_of(wheels, "me@example.com:s3cr3t") as port:
            answer = uv_lab.change("tw-b", index_lines=[f"--index-url http://${{INDEX_USER}}:${{INDEX_PASSWORD}}@127.0.0.1:{port}/simple"], installer=installer)
        assert answer["installed"] == {"tw-b": "1.5"}, answer["err"]
        uv_lab.change("tw-b", state="absent")


def test_what_went_elsewhere_is_not_there(lab, tmp_path):
    (tmp_path / "pip.conf").write_text(f"[install]\nroot = {tmp_path}/elsewhere\n")
    lab.environment["PIP_CONFIG_FILE"] = str(tmp_path / "pip.conf")
    assert "pip was content, and tw-b is not there" in lab.change("tw-b")["error"]
    (tmp_path / "pip.conf").write_text("[install]\ndry-run = true\n")
    assert lab.change("tw-b")["after"] == {"tw-b": "1.5"}


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_local_archive_that_was_built_anew_is_installed_anew(uv_lab, tmp_path, installer):
    for content in ("old", "new"):
        wheelhouse.Wheel("tw-mine", "1.0", files={"tw_mine.py": f"is_ = {content!r}"}).write(tmp_path)
        wheel = str(tmp_path / "tw_mine-1.0-py3-none-any.whl")
        assert uv_lab.change(wheel, installer=installer)["installed"] == {"tw-mine": "1.0"}
        assert content in next(uv_lab.base.rglob("tw_mine.py")).read_text()
        assert uv_lab.look(wheel)["satisfied"]
        assert uv_lab.change(wheel, installer=installer)["installed"] == {}


def test_check_mode_looks_at_hashes(uv_lab):
    wrong = "tw-b==1.5 --hash=sha256:" + 64 * "0"
    for installer in ("pip", "uv"):
        answer = uv_lab.change(wrong, installer=installer, check=True)
        assert answer["rc"] != 0
        assert "hash" in answer["err"].lower()


@contextlib.contextmanager
def index_of(folder, user):
    """An index that lets this user in; also a proxy on the way to itself, whatever its name."""
    private_index.Index.known = ["Basic " + base64.b64encode(user.encode()).decode()]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(private_index.Index, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_tasks_proxy_is_asked_and_no_other(uv_lab, wheels, installer):
    uv_lab.environment.update(dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "PIP_PROXY"), "http://127.0.0.1:9"))
    uv_lab.environment.update({"PIP_TRUSTED_HOST": "index.invalid"} if installer == "pip" else {})  # uv asks over plain HTTP in any case
    index_lines = ["--index-url http://me:pw@index.invalid/simple"]
    with index_of(wheels, "me:pw") as port:
        answer = uv_lab.change("tw-b", index_lines=index_lines, proxy=f"http://127.0.0.1:{port}", installer=installer)
    assert answer["installed"] == {"tw-b": "1.5"}, answer["err"]


def test_a_cache_brings_packages_back_without_the_index(uv_lab, wheels):
    uv_lab.environment["UV_HTTP_RETRIES"] = "0"
    with index_of(wheels, "me:pw") as port:
        index_lines = [f"--index-url http://me:pw@127.0.0.1:{port}/simple"]
        uv_lab.change("tw-b", index_lines=index_lines, installer="auto", cache=True)
    uv_lab.change("tw-b", state="absent")
    assert uv_lab.change("tw-b", index_lines=index_lines, installer="auto", cache=True)["installed"] == {"tw-b": "1.5"}


@pytest.fixture(name="full_lab")
def fixture_full_lab(lab_at, tmp_path):
    """A lab whose volume takes no byte and no file any more once it is filled."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a file system")
    volume = tmp_path / "volume"
    volume.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k,nr_inodes=60", "tmpfs", str(volume)], check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"this machine mounts nothing: {mounted.stderr.decode()}")
    yield lab_at(volume / "local")
    subprocess.run(["umount", str(volume)], check=True)


def fill(folder):
    """Leave neither a byte nor a file."""
    for number in range(1000):
        try:
            with open(folder / f"filler-{number}", "wb") as file:
                file.write(b"x" * 10000)
        except OSError:
            break
    with contextlib.suppress(OSError):
        for number in range(1000):
            (folder / f"empty-{number}").touch()


@pytest.mark.parametrize("state", ["absent", "exact"])
@pytest.mark.parametrize("locked_before", [True, False])
def test_a_full_volume_can_be_emptied(full_lab, state, locked_before):
    full_lab.change("tw-a==1.0", "tw-files==1.0")
    if not locked_before:
        shutil.rmtree(full_lab.base / _inside_installed.OWN_DIRECTORY)
    fill(full_lab.base.parent)
    names = ("tw-files",) if state == "absent" else ("tw-a",)
    assert full_lab.change(*names, state=state, check=True)["after"] == {"tw-a": "1.0"}
    assert full_lab.change(*names, state=state)["after"] == {"tw-a": "1.0"}
    assert full_lab.packages == {"tw-a": "1.0"}
    assert "tw_files_data" not in " ".join(full_lab.files())


def test_a_kernel_goes_from_a_full_volume(full_lab):
    full_lab.change("tw-a==1.0")
    kernel = full_lab.base / "share/virtualenvs/old"
    (kernel / "lib").mkdir(parents=True)
    fill(full_lab.base.parent)
    full_lab.change(virtualenv="old", state="absent", whole=True)
    assert not kernel.exists()


def test_what_is_full_is_named(full_lab):
    fill(full_lab.base.parent)
    answer = full_lab.change("tw-a==1.0")
    assert answer["full"]["mount"] == str(full_lab.base.parent)
    assert answer["full"]["files"] == 0
