"""The roles keep to themselves, and do as the playbook around them says."""

import os
import pathlib

from helpers import HOST, STATE, Lab, play

PLAYBOOK = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "converge.yml")
ONE, TWO = Lab("molecule-guest-one"), Lab("molecule-guest-two")


def test_both_labs_are_there():
    assert (ONE.ask()[0], TWO.ask()[0]) == (200, 200)
    assert ONE.token != TWO.token
    assert ONE.run("python3", "-c", "import cowsay").rc == 0
    assert TWO.run("python3", "-c", "import cowsay").rc == 1
    assert (ONE.mounts["/home/jovyan/work"], TWO.mounts["/home/jovyan/work"]) == (f"{STATE}/one", f"{STATE}/two")


def test_their_handler_ran_and_ours_are_none():
    assert (STATE / "noted").is_dir()


def test_tags_of_the_play_hold_in_the_roles():
    HOST.check_output("docker rm --force %s", TWO.name)
    assert play(PLAYBOOK, "--skip-tags", "site").changed == []
    assert not TWO.exists
    run = play(PLAYBOOK, "--tags", "site")
    assert (run.rc, run.changed) == (0, ["Make and start the container"])
    assert TWO.opens()


def test_module_defaults_are_honoured():
    """They name another engine than the client's: modules would follow them, so the lab is refused before one does."""
    run = play(PLAYBOOK, guest_state="restarted", guest_engine="unix:///nowhere/docker.sock")
    assert "module_defaults of this play have the modules of community.docker talk to unix:///nowhere/docker.sock" in run.failures["guest"]
    assert run.changed == []
    assert ONE.opens()


def test_check_runs_to_the_end():
    run = play(PLAYBOOK, "--check", "--diff")
    assert (run.rc, run.changed) == (0, [])
