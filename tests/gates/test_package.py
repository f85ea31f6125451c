"""The collection as people get it: built, installed without a network, run by its full name. And as a fresh clone."""

from __future__ import annotations

import os
import re
import sys
import tarfile

import pytest
from checkout import COLLECTIONS, ROOT, files, run

SHIPPED_FILES = {"CHANGELOG.md", "CONTRIBUTING.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md"}
SHIPPED_FOLDERS = {"changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))


@pytest.fixture(scope="module", name="tarball")
def fixture_tarball(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    run("ansible-galaxy", "collection", "build", "--output-path", folder)
    (tarball,) = folder.glob("mlenv-jupyter-*.tar.gz")
    return tarball


@pytest.fixture(scope="module", name="installed")
def fixture_installed(tarball, tmp_path_factory):
    """The environment of a user: the tarball installed beside its dependencies, nothing of the checkout in sight."""
    path = tmp_path_factory.mktemp("collections")
    root = path / "ansible_collections"
    root.mkdir()
    (root / "community").symlink_to(COLLECTIONS / "community", target_is_directory=True)
    (path / "ansible.cfg").touch()
    env = {"ANSIBLE_COLLECTIONS_PATH": str(path), "ANSIBLE_HOME": str(path / "home"), "ANSIBLE_CONFIG": str(path / "ansible.cfg")}
    run("ansible-galaxy", "collection", "install", tarball, "--offline", "-p", path, cwd=path, **env)
    assert (root / "mlenv/jupyter/MANIFEST.json").is_file()
    return lambda *argv: run(*argv, cwd=path, **env)


def test_tarball_holds_what_it_must_and_nothing_else(tarball):
    with tarfile.open(tarball) as archive:
        names = {member.name for member in archive if member.isfile()}
    unwanted = {name for name in names if name not in SHIPPED_FILES and name.partition("/")[0] not in SHIPPED_FOLDERS}
    assert unwanted == set()
    must = {str(path) for path in files(*SHIPPED_FOLDERS) if path.name != ".keep"} | SHIPPED_FILES
    assert must - names == set()
    assert [name for name in names if name.endswith((".pyc", ".retry", "~"))] == []


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_installed_playbook_runs_by_name(installed, playbook):
    installed("ansible-playbook", "--syntax-check", "-i", "localhost,", f"mlenv.jupyter.{playbook}")


def test_installed_playbooks_look_at_a_host(installed):
    """With or without an engine: check mode runs to its end, and so does the table."""
    where = "lab_name=mlenv-gate lab_port=28898 lab_work_dir=/nowhere/work lab_config_dir=/nowhere/private"
    lab = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable} {where}"]
    said = installed("ansible-playbook", *lab, "--check", "-e", "image_source=build", "mlenv.jupyter.site")
    assert "Check mode: nothing was changed." in said
    assert re.search(r"mlenv-gate +localhost +(absent|no engine)", installed("ansible-playbook", *lab, "mlenv.jupyter.status"))


@pytest.mark.parametrize("kind", ["module", "role"])
def test_installed_documentation_is_shown(installed, kind):
    folder, pattern = {"module": ("plugins/modules", "*.py"), "role": ("roles", "*")}[kind]
    names = [f"mlenv.jupyter.{path.stem}" for path in (ROOT / folder).glob(pattern)]
    assert names
    said = installed("ansible-doc", "-t", kind, *names)
    assert [name for name in names if name not in said] == []


@pytest.fixture(scope="module", name="clone")
def fixture_clone(tmp_path_factory):
    """What is committed, alone: a file that someone forgot to add is missing here."""
    path = tmp_path_factory.mktemp("clone") / "jupyter"
    run("git", "clone", "--quiet", ROOT, path)
    env = {"ANSIBLE_HOME": str(path / ".ansible"), "ANSIBLE_CONFIG": str(path / "ansible.cfg"), "PYTHONPATH": ""}
    run("make", "setup", cwd=path, MAKEFLAGS="", **env)
    return lambda *argv: run(*argv, cwd=path, PATH=f"{path}/.venv/bin:{os.environ['PATH']}", **env)


@pytest.mark.parametrize("playbook", ["site.yml", *(f"mlenv.jupyter.{name}" for name in PLAYBOOKS)])
def test_clone_runs_in_place(clone, playbook):
    clone("ansible-playbook", "--syntax-check", playbook)


def test_clone_stays_clean(clone):
    assert clone("git", "status", "--porcelain") == ""
