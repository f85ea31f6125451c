"""Two labs share a machine and nothing else."""

import os
import pathlib
import pwd
import re

import pytest
from helpers import HOST, STATE, Lab, converge, engine_state, files, play

ALICE, BOB = Lab("molecule-several-alice"), Lab("molecule-several-bob")


def test_tokens_are_separate():
    assert (ALICE.ask()[0], BOB.ask()[0]) == (200, 200)
    assert (ALICE.ask(token=BOB.token)[0], BOB.ask(token=ALICE.token)[0]) == (403, 403)


def test_volumes_are_separate():
    assert ALICE.mounts["/home/jovyan/.local"] != BOB.mounts["/home/jovyan/.local"]
    assert ALICE.run("touch", "/home/jovyan/.local/mine").rc == 0
    assert BOB.run("test", "-e", "/home/jovyan/.local/mine").rc == 1


@pytest.mark.parametrize(("lab", "owner"), [(ALICE, "molecule-alice"), (BOB, "molecule-bob")])
def test_each_works_as_its_owner(lab, owner):
    status, notebook = lab.ask("api/contents", data={"type": "notebook"})
    assert status == 201
    uid = pwd.getpwnam(owner).pw_uid
    assert pathlib.Path(lab.mounts["/home/jovyan/work"], notebook["path"]).stat().st_uid == uid
    assert pathlib.Path(lab.mounts["/etc/mlenv"], "token").stat().st_uid == uid


def test_what_is_above_is_no_owner_s():
    """Who owns the directory above could put another in its place, with a token in it that they know."""
    for lab in (ALICE, BOB):
        assert (STATE / lab.name).stat().st_uid == os.getuid()


@pytest.fixture(name="planted")
def fixture_planted():
    """Alice owns what is above Bob's directories, as earlier versions made it, and has put others in their place."""
    place, alice = STATE / BOB.name, pwd.getpwnam("molecule-alice").pw_uid
    place.rename(f"{place}.old")
    (place / "config").mkdir(parents=True)
    token = place / "config/token"
    token.write_text("a-token-that-alice-knows")
    for path in (place, place / "config", token):
        os.chown(path, alice, alice)
    yield place
    token.unlink()
    (place / "config").rmdir()
    place.rmdir()
    pathlib.Path(f"{place}.old").rename(place)


def test_what_somebody_else_put_there_is_not_used_and_not_removed(planted):
    before = engine_state(), files(planted)
    remove = {"lab_remove_data": True}
    for playbook, options, variables in ((None, (), {}), (None, ("--check",), {}), ("mlenv.jupyter.token", (), {}), ("mlenv.jupyter.remove", (), remove)):
        run = play(playbook, "--limit", BOB.name, *options, **variables)
        assert (f"{planted} belongs to molecule-alice, who could put other files in the place of " in run.failures[BOB.name], run.changed) == (True, [])
    status = play("mlenv.jupyter.status", "--limit", BOB.name)
    assert table(status)[BOB.name]["health"] != "ready"
    assert f"{planted} belongs to molecule-alice" in status.out
    # As if somebody had only given back what is above it.
    for path in (planted, planted / "config"):
        os.chown(path, 0, 0)
    assert f"{planted}/config/token belongs to molecule-alice, not to molecule-bob or root, so it is not used" in play().failures[BOB.name]
    assert (engine_state(), [path for path, _before in files(planted).items()]) == (before[0], list(before[1]))
    assert "a-token-that-alice-knows" not in status.out


def test_nothing_is_refused_when_it_is_back():
    assert converge().changed == []


@pytest.mark.parametrize(
    ("options", "variables", "sentence"),
    [
        ((), {"lab_packages_volume": f"{ALICE.name}-data"}, f"lab_packages_volume {ALICE.name}-data would be that of labs "),
        (("--check",), {"lab_config_dir": f"{STATE / ALICE.name}/./config/"}, f"lab_config_dir {STATE / ALICE.name}/config would be that of labs "),
        ((), {"lab_port": 28807}, "lab_port 28807 would be that of labs "),
        ((), {"lab_name": ALICE.name}, f"lab_name {ALICE.name} is that of a lab of molecule-alice"),
    ],
)
def test_what_two_labs_cannot_both_have(options, variables, sentence):
    """In two runs, and though the other one is stopped. Each reason by itself is held by the unit tests."""
    assert HOST.run("docker stop %s", ALICE.name).rc == 0
    before = engine_state(), files(STATE / ALICE.name)
    run = play(None, "--limit", BOB.name, *options, **variables)
    assert (sentence in run.failures[BOB.name], ALICE.name in run.failures[BOB.name], run.changed) == (True, True, [])
    assert before == (engine_state(), files(STATE / ALICE.name))
    assert HOST.run("docker start %s", ALICE.name).rc == 0


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"lab_name": "molecule-several-one", "lab_port": 28821}, "lab_name molecule-several-one is that of "),
        ({"lab_packages_volume": "molecule-several-one"}, "lab_packages_volume molecule-several-one would be that of labs "),
    ],
)
def test_what_two_labs_of_one_play_cannot_both_have(variables, sentence):
    before = engine_state()
    run = play(**variables)
    assert [sentence in run.failures[lab.name] for lab in (ALICE, BOB)] == [True, True]
    assert (run.changed, engine_state(), (STATE / "molecule-several-one").exists()) == ([], before, False)


def table(run) -> dict:
    """The status table: lab -> its row."""
    rows = [re.split(r"  +", row) for row in re.findall(r'^ +"(.*)",?$', run.out, re.MULTILINE)]
    assert rows[0][:4] == ["lab", "host", "state", "health"]
    return {row[0]: dict(zip(rows[0], row)) for row in rows[1:]}


def test_status():
    run = play("mlenv.jupyter.status")
    assert (run.rc, run.changed) == (0, [])
    found = table(run)
    assert list(found) == [ALICE.name, BOB.name]
    for lab in (ALICE, BOB):
        row = found[lab.name]
        assert (row["state"], row["health"], row["url"], row["image"]) == ("running", "ready", lab.url + "lab", "mlenv-test:minimal")
        assert row["python"].startswith("3.")
        assert lab.token not in run.out


def test_playbooks():
    """Each does what its name says, to one lab or to all."""
    assert play("mlenv.jupyter.stop", "--limit", ALICE.name).rc == 0
    assert (ALICE.state, BOB.state) == ("exited", "running")
    assert {name: row["state"] for name, row in table(play("mlenv.jupyter.status")).items()} == {ALICE.name: "exited", BOB.name: "running"}

    assert play("mlenv.jupyter.start").changed
    assert ALICE.opens()
    assert BOB.opens()

    since = BOB.inspect["State"]["StartedAt"]
    assert play("mlenv.jupyter.restart", "--limit", BOB.name).rc == 0
    assert BOB.inspect["State"]["StartedAt"] != since
    assert BOB.opens()


def test_removing_one_leaves_the_other():
    before = BOB.inspect["State"]
    run = play("mlenv.jupyter.remove", "--limit", ALICE.name)
    assert run.changed == ["Remove the container"]
    assert not ALICE.exists
    assert HOST.run("docker volume inspect molecule-several-alice-data").rc == 0
    assert (BOB.inspect["State"]["StartedAt"], BOB.opens()) == (before["StartedAt"], True)
    assert table(play("mlenv.jupyter.status"))[ALICE.name]["state"] == "absent"
