"""ansible-test integration: every target in tests/integration/targets, against real containers on this machine."""

from __future__ import annotations

import pytest
from checkout import ROOT, real_copy, run

TARGETS = sorted(path.parent.name for path in ROOT.glob("tests/integration/targets/*/aliases"))
# What a target needs on this machine: command, package of the distribution.
NEEDS = {"container_pip_podman": ("podman", "podman")}


@pytest.fixture(scope="module", name="copy")
def fixture_copy(tmp_path_factory):
    return real_copy(tmp_path_factory.mktemp("integration"))


@pytest.mark.parametrize("target", TARGETS)
def test_target(copy, target):
    if target in NEEDS:
        run("scripts/need.sh", *NEEDS[target])
    run("ansible-test", "integration", "--local", "--color=no", "--allow-destructive", target, cwd=copy)
