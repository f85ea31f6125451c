"""One clear sentence each, before anything has changed."""

import os
import pathlib

import pytest
import yaml
from helpers import STATE, Lab, converge, engine_state, files, play

with open(os.environ["MOLECULE_FILE"], encoding="utf-8") as file:
    CASES = yaml.safe_load(file)["provisioner"]["inventory"]["hosts"]["all"]["children"]["refused"]["hosts"]


PLAYBOOK = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "refused.yml")
# Of each kind one that needs neither engine nor image.
EARLY = ["no_port", "no_number", "short_token", "unknown_state", "file_for_a_directory", "link_in_a_private_directory", "mount_of_a_socket"]
EARLY += ["no_requirements", "malformed_requirements", "two_images"]


@pytest.fixture(scope="module", name="refused")
def fixture_refused():
    """All cases at once: what was said to each, and how things were before and after."""
    before = engine_state(), files(STATE / "files")
    run = play(PLAYBOOK, "--forks=4")
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


def test_while_the_host_has_no_engine():
    """As playbook site asks first: none is installed for what then cannot work."""
    run = play(PLAYBOOK, f"--limit={','.join(EARLY)}", "--forks=4", refusals_tasks="preflight", lab_docker_cli=str(STATE / "files/dead_engine"))
    assert [case for case in EARLY if CASES[case]["expected"] not in run.failures[case]] == []
    assert run.changed == []


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
