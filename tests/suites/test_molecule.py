"""Every scenario in molecule/ but default, which test_matrix.py has. They share one engine, but neither names nor ports, so they can be run side by side."""

from __future__ import annotations

import pytest
from checkout import ROOT, run, run_scenario

# The longest go first, so that none of them is left alone at the end.
LONG = ["lifecycle", "gpu", "sources", "remote", "drift", "podman", "kernels", "secrets", "engine", "persistence", "airgap", "check", "archive", "tls", "guest"]
SCENARIOS = sorted({path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")} - {"default"})


@pytest.mark.parametrize("scenario", sorted(SCENARIOS, key=lambda name: LONG.index(name) if name in LONG else len(LONG)))
def test_scenario(scenario):
    run_scenario(run, scenario, f"molecule/{scenario}")
