"""One clear sentence each, before anything has changed."""

import os
import pathlib

import pytest
import yaml
from helpers import STATE, Lab, converge, engine_state, files, play

with open(os.environ["MOLECULE_FILE"], encoding="utf-8") as file:
    CASES = yaml.safe_load(file)["provisioner"]["inventory"]["hosts"]["all"]["children"]["refused"]["hosts"]


@pytest.fixture(scope="module", name="refused")
def fixture_refused():
    """All cases at once: what was said to each, and how things were before and after."""
    before = engine_state(), files(STATE / "files")
    run = play(pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "refused.yml"), "--forks=4")
    return run, before, (engine_state(), files(STATE / "files"))


@pytest.mark.parametrize("case", CASES)
def test_sentence(case, refused):
    run, _before, _after = refused
    sentence = run.failures[case]
    assert CASES[case]["expected"] in sentence


def test_nothing_has_changed(refused):
    run, before, after = refused
    assert run.changed == []
    assert before == after


def test_nothing_else_is_refused():
    lab = Lab("molecule-refusals")
    assert lab.opens()
    assert len(lab.token) == 43
    assert lab.run("sudo", "-n", "id", "-u").stdout.strip() == "0"


def test_switches_that_are_off():
    """Also those that we switch on ourselves. And what looks like a number is as good as a text."""
    lab = Lab("molecule-refusals")
    converge(lab_env={"GRANT_SUDO": False, "CHOWN_HOME": "no"}, lab_token=123456789012, lab_base_url=2024)
    assert lab.opens(token="123456789012")
    assert lab.url.endswith("/2024/")
    assert lab.run("sudo", "-n", "true").rc != 0
    assert not [item for item in lab.inspect["Config"]["Env"] if item.startswith(("GRANT_SUDO", "CHOWN_HOME"))]
