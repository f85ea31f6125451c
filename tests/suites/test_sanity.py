"""ansible-test: sanity without any ignore file, and the unit tests under the oldest Python that this machine has for them."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys

import pytest
from checkout import ROOT, files, real_copy, run


def interpreters_path() -> str:
    """A PATH of real interpreters: ansible-test stops at pyenv's shims, which exist for Pythons that do not.

    Of pyenv's, the oldest that we support: ansible-test makes environments of its own for each Python that it finds, and the newest one is that
    of `make matrix`.
    """
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    real = [str(path) for path in pyenv.glob("versions/3.9.*/bin")]
    return os.pathsep.join([str(pathlib.Path(sys.executable).parent), *real, "/usr/local/bin", "/usr/bin", "/bin"])


@pytest.fixture(scope="module", name="ansible_test")
def fixture_ansible_test(tmp_path_factory):
    run(sys.executable, ROOT / "scripts/seed_ansible_test.py")
    copy = real_copy(tmp_path_factory.mktemp("sanity"))
    return lambda *options: run("ansible-test", *options, "--color=no", cwd=copy, PATH=interpreters_path())


def test_no_ignore_file():
    assert files("tests/sanity") == []


def test_sanity(ansible_test):
    # Pylint takes as long as all others together: it looks at what is built. At what tests that, ruff does.
    ansible_test("sanity", "--local", "--skip-test", "pylint")
    ansible_test("sanity", "--local", "--test", "pylint", "plugins/", "roles/")


def test_units(ansible_test):
    # Newer ones are those of `make unit` and `make matrix`; what runs pip for minutes does so in containers of each Python, in `make integration`.
    oldest = next(minor for minor in range(9, 99) if shutil.which(f"python3.{minor}", path=interpreters_path()))
    elsewhere = ("test__inside_change", "test__inside_info", "test__inside_kernel", "test__inside_reader")
    # Lookups and actions are the controller's, which has no Python as old as that.
    chosen = [path for path in files("tests/unit/*/test_*.py") if path.stem not in elsewhere and not {"action", "lookup"} & set(path.parts)]
    ansible_test("units", "--venv", "--python", f"3.{oldest}", *map(str, chosen))
