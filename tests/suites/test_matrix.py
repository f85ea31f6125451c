"""What we support: the oldest and the newest ansible-core and community.docker, and the ansible-core that is current, each in its own environment."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from checkout import COLLECTIONS, ROOT, files, run, run_scenario


@dataclass(frozen=True)
class End:
    name: str
    pythons: tuple
    ansible_core: str
    ansible: str  # the wheel that our community.docker is taken from

    @property
    def venv(self) -> Path:
        return ROOT / f".venv-{self.name}"

    @property
    def home(self) -> Path:
        return ROOT / f".ansible/{self.name}"

    def run(self, *argv, **env):
        return run(*argv, ANSIBLE_HOME=str(self.home), PATH=f"{self.venv / 'bin'}:{os.environ['PATH']}", **env)


OLDEST = End("oldest", ("3.11",), "ansible-core==2.18.*", "12.3.0")  # community.docker 4.8.5
CURRENT = End("current", ("3.13", "3.14", "3.12"), "ansible-core==2.21.*", "14.5.0")  # community.docker 5.4.0
# A release candidate is found by its own name alone.
NEWEST = End("newest", ("3.13", "3.14"), "ansible-core==2.22.0rc1", "15.0.0a3")  # community.docker 5.4.0


def interpreter(versions) -> str | None:
    """The first of these Pythons that really runs (a shim of pyenv may not)."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    for version in versions:
        name = f"python{version}"
        for path in (shutil.which(name), *glob.glob(f"{pyenv}/versions/{version}*/bin/{name}")):
            works = path and subprocess.run([path, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0
            if works:
                return path
    return None


@pytest.fixture(scope="module", params=[OLDEST, CURRENT, NEWEST], ids=lambda end: end.name, name="end")
def fixture_end(request) -> End:
    end = request.param
    python = interpreter(end.pythons)
    if python is None:
        pytest.skip(f"{end.ansible_core} needs Python {' or '.join(end.pythons)}, and this machine has none")
    tools = ["molecule==26.10.*", "pytest==9.*", "pytest-testinfra==10.2.*", "pytest-xdist==3.*", "requests"]
    tools += ["-r", ROOT / "tests/unit/requirements.txt"]
    run(ROOT / "scripts/make_venv.sh", python, end.venv, end.ansible_core, *tools)
    if end is CURRENT:  # those that all other suites have
        end.home.mkdir(parents=True, exist_ok=True)
        if not (end.home / "collections").is_symlink():
            (end.home / "collections").symlink_to(COLLECTIONS.parent, target_is_directory=True)
    else:
        run(end.venv / "bin/python", ROOT / "scripts/link_collections.py", end.home / "collections", end.ansible)
    return end


def test_playbooks_are_understood(end):
    end.run("ansible-playbook", "--syntax-check", "site.yml", *files("playbooks/*.yml"))


def test_units(end):
    if end is CURRENT:
        pytest.skip("what decisions depend on is at both ends, and takes a minute")
    # What runs inside a container never meets Ansible: `make unit` and ansible-test have that under several Pythons.
    end.run("python", "-m", "pytest", "-q", "-n", "2", "-k", "not inside", "tests/unit", PYTHONPATH=str(end.home / "collections"))


def test_default_scenario(end):
    run_scenario(end.run, "default", f"matrix/default-{end.name}")
