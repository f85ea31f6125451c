"""Whatever state a lab is in, the role brings it into the one that is wanted, and then leaves it there."""

import pathlib

import pytest
from helpers import HOST, Lab, converge, engine_state, files, play

LAB = Lab("molecule-lifecycle")
VOLUME = "molecule-lifecycle-data"
PLAYBOOKS = pathlib.Path(__file__).parents[3] / "playbooks"
CHECKED = ["paused", "removed"]
BY_HAND = {"stopped": "docker stop %s", "paused": "docker pause %s", "killed": "docker kill %s", "removed": "docker rm --force %s"}


@pytest.fixture(scope="module", name="kept")
def fixture_kept():
    """What no state may touch: the token, a file in the work directory, a file on the volume."""
    work, token = pathlib.Path(LAB.mounts["/home/jovyan/work"]), LAB.token
    (work / "mine.txt").write_text("mine", encoding="ascii")
    assert LAB.run("sh", "-c", "echo kept > ~/.local/kept").rc == 0
    return work, token


# Every state after every other one, ordered so that most find what they begin with. To the engine, one that was killed is one that was stopped.
PAIRS = """
started-started started-restarted paused-started paused-restarted killed-started killed-restarted removed-restarted
started-stopped stopped-started paused-stopped stopped-restarted stopped-stopped stopped-absent
removed-started started-absent removed-stopped removed-absent paused-absent
"""


def bring_into(before: str) -> None:
    """As the run before left it, or as somebody's hands on the engine left it."""
    if LAB.state == {"stopped": "exited", "removed": "absent"}.get(before):
        return
    if LAB.state == "paused":
        HOST.check_output("docker unpause %s", LAB.name)
    if LAB.state != "running":
        converge(lab_state="started")
    if before in BY_HAND:
        HOST.check_output(BY_HAND[before], LAB.name)


@pytest.mark.parametrize(("before", "state"), [pair.split("-") for pair in PAIRS.split()])
def test_state(before, state, kept):
    """Check mode says what it would do, and does nothing. The run does that, and a second one nothing, but restarted, which always restarts."""
    bring_into(before)
    was, since = LAB.state, LAB.inspect["State"]["StartedAt"] if LAB.exists else None
    # A lab that has no container does not run either: stopping it makes none.
    wanted = {"stopped": "exited" if LAB.exists else "absent", "absent": "absent"}.get(state, "running")

    untouched = engine_state()
    predicted = converge("--check", "--diff", lab_state=state) if before in CHECKED else None
    assert engine_state() == untouched
    run = converge(lab_state=state)

    assert LAB.state == wanted
    assert bool(run.changed) == (was != wanted or state == "restarted")
    if predicted:
        assert predicted.changed == run.changed
    if wanted == "running":
        work, token = kept
        assert LAB.opens()
        assert LAB.token == token
        assert LAB.run("cat", "/home/jovyan/.local/kept").stdout == "kept\n"
        assert LAB.run("cat", "/home/jovyan/work/mine.txt").stdout == (work / "mine.txt").read_text(encoding="ascii") == "mine"
    if state == "restarted":
        assert LAB.inspect["State"]["StartedAt"] != since
    if "started" in (before, state):
        reached = engine_state()
        assert converge(lab_state=state).changed == (["Restart the container"] if state == "restarted" else [])
        assert (engine_state() == reached) == (state != "restarted")


def test_removing_the_data_spares_the_work_directory(kept):
    bring_into("started")
    private = pathlib.Path(LAB.mounts["/etc/mlenv"])
    other = f"{LAB.name}-by-hand"
    HOST.check_output("docker create --name %s --volume %s:/data mlenv-test:minimal", other, VOLUME)
    refused = play(lab_state="absent", lab_remove_data=True)
    HOST.check_output("docker rm %s", other)
    assert f"Volume {VOLUME} is also that of container {other}" in refused.failures[LAB.name]
    assert (refused.changed, LAB.state) == ([], "running")
    assert converge(lab_state="absent", lab_remove_data=True).changed
    assert not LAB.exists
    assert HOST.run("docker volume inspect %s", VOLUME).rc == 1
    assert not private.exists()
    assert list(files(kept[0])) == [str(kept[0]), str(kept[0] / "mine.txt")]
    assert converge(lab_state="absent", lab_remove_data=True).changed == []


def test_a_lab_that_does_not_stay_up_says_so_with_the_end_of_its_log():
    """Whatever is asked beside that, such as its packages: it ends while they are asked for, and comes again."""
    for options in ({}, {"lab_packages": ["cowsay"]}):
        run = play(lab_env={"NOTEBOOK_ARGS": "--ServerApp.port=abc"}, **options)
        assert "does not stay up (state " in run.failures[LAB.name]
        assert "ServerApp.port" in run.out
    status = play(PLAYBOOKS / "status.yml")
    assert status.rc == 0
    assert "unknown" not in status.out and "does not stay up" in status.out
    assert play(PLAYBOOKS / "logs.yml").rc == 0
    converge()
    assert LAB.opens()
    converge(lab_state="absent", lab_remove_data=True)
