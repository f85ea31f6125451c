"""Break one thing by hand, run the role: it sees it, mends it, and has nothing to do after that."""

import datetime
import os
import pathlib
import shutil

import pytest
from helpers import HOST, OWNER, Lab, converge, wait_until

LAB = Lab("molecule-drift")
PRIVATE = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "molecule-drift", "config")
WORK = PRIVATE.parent / "work"
IN_VOLUME = "docker run --rm --user root --entrypoint %s --volume molecule-drift-data:/volume mlenv-test:minimal "


def engine(command: str) -> None:
    HOST.check_output(f"docker {command}", LAB.name)


def settings() -> tuple:
    inspect = LAB.inspect
    host = inspect["HostConfig"]
    return host["Memory"], host["NanoCpus"], host["RestartPolicy"]["Name"], sorted(inspect["NetworkSettings"]["Networks"])


def as_configured() -> bool:
    """The server looks where its file says: notebooks land in the work directory."""
    status, notebook = LAB.ask("api/contents", data={"type": "notebook"})
    return status == 201 and (WORK / notebook["path"]).is_file()


def private_files() -> dict:
    return {path.name: (oct(path.stat().st_mode & 0o777), path.stat().st_uid) for path in [PRIVATE, *PRIVATE.iterdir()]}


def move_the_tag() -> None:
    HOST.check_output("printf 'FROM mlenv-test:minimal\\nLABEL moved=yes\\n' | docker build --quiet --tag molecule-drift:latest -")


def hang() -> None:
    """Only of a server that has been up for a while it is known that it hangs."""
    since = datetime.datetime.fromisoformat(LAB.inspect["State"]["StartedAt"][:19] + "+00:00")
    assert wait_until(lambda: datetime.datetime.now(datetime.timezone.utc) - since > datetime.timedelta(seconds=61))
    HOST.check_output("kill -STOP %s", LAB.server_pid)


def edit(name: str, text: str) -> None:
    path = PRIVATE / name
    path.chmod(0o600)
    path.write_text(text, encoding="ascii")


def empty_the_token() -> None:
    """As a power cut may leave it, and let the server read it: it opens for everybody."""
    edit("token", "")
    engine("restart %s")
    assert wait_until(lambda: LAB.ask(token="")[0] == 200)


def edit_the_configuration() -> None:
    """And let the server read it."""
    edit("jupyter_server_config.json", "{}")
    engine("restart %s")


# What is done by hand -> what holds again after the next run.
DRIFTS = {
    "stopped": (lambda: engine("stop %s"), None),
    "killed": (lambda: engine("kill %s"), None),
    "removed": (lambda: engine("rm --force %s"), None),
    "paused": (lambda: engine("pause %s"), None),
    "hanging": (hang, None),
    "tag moved": (move_the_tag, lambda: LAB.inspect["Config"]["Labels"]["moved"] == "yes"),
    "memory": (lambda: engine("update --memory 1g --memory-swap 1g %s"), None),
    "cpus": (lambda: engine("update --cpus 0.5 %s"), None),
    "restart policy": (lambda: engine("update --restart no %s"), None),
    "network left": (lambda: engine("network disconnect molecule-drift %s"), None),
    "network joined": (lambda: engine("network connect bridge %s"), None),
    "token emptied": (empty_the_token, lambda: len(LAB.token) == 43 and LAB.ask(token="")[0] == 403),
    "token deleted": ((PRIVATE / "token").unlink, None),
    "token changed": (lambda: edit("token", "another-token-of-some-length"), None),
    "token readable by all": (lambda: (PRIVATE / "token").chmod(0o644), None),
    "token of another owner": (lambda: os.chown(PRIVATE / "token", 4242, 4242), None),
    "private directory open to all": (lambda: PRIVATE.chmod(0o755), None),
    "private directory of another owner": (lambda: os.chown(PRIVATE, 4242, 4242), None),
    "private directory deleted": (lambda: shutil.rmtree(PRIVATE), None),
    "configuration edited": (edit_the_configuration, as_configured),
    "configuration deleted": ((PRIVATE / "jupyter_server_config.json").unlink, as_configured),
    "trusted certificates edited": (
        lambda: edit("ca-certificates.crt", ""),
        lambda: LAB.run("python3", "-c", "import ssl; ssl.create_default_context(cafile='/etc/mlenv/ca-certificates.crt')").rc == 0,
    ),
    "volume of another owner": (
        lambda: HOST.check_output(IN_VOLUME + "4242 /volume", "chown"),
        lambda: LAB.run("touch", "/home/jovyan/.local/mine").rc == 0,
    ),
    "package uninstalled": (
        lambda: LAB.run("pip", "uninstall", "--yes", "--quiet", "cowsay"),
        lambda: LAB.run("python3", "-c", "import cowsay").rc == 0,
    ),
    "work directory deleted": (lambda: shutil.rmtree(WORK), as_configured),
}


# Of these, check mode does not only say that something is to be done.
PREDICTED = ["removed", "memory", "token changed", "volume of another owner", "hanging"]


@pytest.fixture(scope="module", name="right")
def fixture_right():
    """How things are before anybody's hands come in."""
    return {"settings": settings(), "files": private_files()}


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift(drift, right):
    by_hand, holds = DRIFTS[drift]
    by_hand()

    predicted = converge("--check") if drift in PREDICTED else None
    run = converge()

    assert predicted is None or predicted.changed == run.changed
    assert run.changed
    assert LAB.opens()
    assert settings() == right["settings"] == (0, 0, "unless-stopped", ["molecule-drift"])
    assert private_files() == right["files"]
    assert {uid for _mode, uid in right["files"].values()} == {OWNER[0]}
    assert holds is None or holds()
    assert converge().changed == []
