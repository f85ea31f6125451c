"""Every scenario in molecule/. They share one engine, but neither names nor ports, so they can be run side by side."""

from __future__ import annotations

import pytest
from checkout import RESULTS, ROOT, run

# Those that take minutes go first, so that none of them is left alone at the end.
LONG = ["lifecycle", "remote", "gpu", "sources", "drift", "airgap", "kernels", "check", "engine"]
SCENARIOS = sorted((path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")), key=lambda name: (name not in LONG, name))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario):
    # The scenario's own tests are counted as well. Molecule is content with a scenario that has none; we are not.
    report = RESULTS / f"molecule/{scenario}.xml"
    report.unlink(missing_ok=True)
    run(
        *("molecule", "test", "--scenario-name", scenario),
        MOLECULE_GLOB="molecule/*/molecule.yml",
        PYTEST_ADDOPTS=f"--junitxml={report}",
    )
    assert report.exists(), f"Scenario {scenario} has no tests"
