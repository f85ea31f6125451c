"""ansible-test integration: every target in tests/integration/targets, against real containers on this machine."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import pytest
from checkout import ROOT, real_copy, run

TARGETS = sorted({path.parent.name for path in ROOT.glob("tests/integration/targets/*/aliases")} - {"container_pip_pythons"})
# What a target needs on this machine: command, package of the distribution.
NEEDS = {"container_pip_podman": ("podman", "podman"), "container_pip_remote": ("socat", "socat")}
PYTHONS = ["3.9", "3.10", "3.12", "3.13"]  # the image's own is 3.11


@pytest.fixture(scope="module", name="copy")
def fixture_copy(tmp_path_factory):
    return real_copy(tmp_path_factory.mktemp("integration"))


def integration(copy, target):
    run("ansible-test", "integration", "--local", "--color=no", "--allow-destructive", target, cwd=copy)


def prefix_of(version: str) -> str | None:
    """Where this machine has that Python installed, in a directory of its own that a container can be given."""
    home = pathlib.Path.home()
    places = [*home.glob(f".pyenv/versions/{version}.*/bin"), *home.glob(f".local/share/uv/python/cpython-{version}.*/bin")]
    for python in filter(None, [shutil.which(f"python{version}"), *(shutil.which(f"python{version}", path=place) for place in places)]):
        done = subprocess.run([python, "-c", "import sys; print(sys.base_prefix)"], check=False, capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip() != "/usr":
            return done.stdout.strip()
    return None


@pytest.mark.parametrize("target", TARGETS)
def test_target(copy, target):
    if target in NEEDS:
        run("scripts/need.sh", *NEEDS[target])
    integration(copy, target)


@pytest.mark.parametrize("version", PYTHONS)
def test_python(copy, version):
    prefix = prefix_of(version)
    if not prefix:
        pytest.skip(f"This machine has no Python {version} in a directory of its own, such as pyenv's, to give to a container")
    # Those between the ends are asked whether they work at all.
    config = {"container_pip_pythons_prefix": prefix, "container_pip_pythons_thorough": version in (PYTHONS[0], PYTHONS[-1])}
    (copy / "tests/integration/integration_config.yml").write_text(json.dumps(config), encoding="utf-8")
    integration(copy, "container_pip_pythons")
