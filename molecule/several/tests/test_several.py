"""Two labs share a machine and nothing else."""

import pathlib
import pwd
import re

import pytest
from helpers import HOST, Lab, play

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
