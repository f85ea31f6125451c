"""Break things by hand, run the role: it sees it, mends it, and has nothing to do after that."""

import datetime
import os
import pathlib
import shutil

import pytest
from helpers import HOST, OWNER, Lab, converge, play, wait_until

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


def update_the_container() -> None:
    for command in ("update --memory 1g --memory-swap 1g --cpus 0.5 --restart no", "network disconnect molecule-drift", "network connect bridge"):
        engine(command + " %s")


def empty_the_token() -> None:
    """As a power cut may leave it, and let the server read it: it opens for everybody."""
    edit("token", "")
    engine("restart %s")
    assert wait_until(lambda: LAB.ask(token="")[0] == 200)


def edit_the_files() -> None:
    """As editors leave them, and let the server read them."""
    edit("token", "another-token-of-some-length\n")
    edit("jupyter_server_config.json", "{}")
    edit("ca-certificates.crt", "")
    engine("restart %s")


def delete_the_files() -> None:
    for name in ("token", "jupyter_server_config.json", "ca-certificates.crt"):
        (PRIVATE / name).unlink()


def delete_the_directories() -> None:
    shutil.rmtree(PRIVATE)
    shutil.rmtree(WORK)


def give_away() -> None:
    """To everybody, and to root. What is somebody else's is refused: test_refusals.py."""
    for path, mode in ((PRIVATE / "token", 0o644), (PRIVATE, 0o755)):
        path.chmod(mode)
        os.chown(path, 0, 0)


def spoil_the_volume() -> None:
    assert LAB.run("pip", "uninstall", "--yes", "--quiet", "cowsay").rc == 0
    HOST.check_output(IN_VOLUME + "4242 /volume", "chown")


def trusts_certificates() -> bool:
    return LAB.run("python3", "-c", "import ssl; ssl.create_default_context(cafile='/etc/mlenv/ca-certificates.crt')").rc == 0


# What is done by hand -> what holds again after the next run. Each reason by itself is held by the unit tests of the look and of the plan;
# what stops, pauses, kills or removes a container is in scenario lifecycle. What leaves the container running goes before "hanging", which waits.
DRIFTS = {
    "tag moved": (move_the_tag, lambda: LAB.inspect["Config"]["Labels"]["moved"] == "yes"),
    "container updated": (update_the_container, None),
    "token emptied": (empty_the_token, lambda: len(LAB.token) == 43 and LAB.ask(token="")[0] == 403),
    "files edited": (edit_the_files, lambda: LAB.token == "another-token-of-some-length" and as_configured() and trusts_certificates()),
    "files deleted": (delete_the_files, lambda: as_configured() and trusts_certificates()),
    "directories deleted": (delete_the_directories, as_configured),
    "private files given away": (give_away, None),
    "volume spoiled": (spoil_the_volume, lambda: LAB.run("touch", "/home/jovyan/.local/mine").rc == 0 and LAB.run("python3", "-c", "import cowsay").rc == 0),
    "hanging": (hang, None),
}


# Of these, check mode does not only say that something is to be done.
PREDICTED = ["container updated", "files edited", "volume spoiled", "hanging"]


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


# What is mounted over the lab's directories, on the host or in the lab itself -> what is said of it. It is refused, and is as before without it.
MOUNTS = {
    "work directory that can only be read": (f"mount --bind {WORK} {WORK} && mount -o remount,bind,ro {WORK}", f"umount {WORK}", "which can only be read"),
    "work directory that is full": (
        f"mount -t tmpfs -o mode=1777,size=128k tmpfs {WORK} && chown {OWNER[0]} {WORK} && head -c 120k /dev/zero > {WORK}/full",
        f"umount {WORK}",
        "has no room left (disk, inodes or quota): make room there",
    ),
    "private directory that can only be read": (
        f"mount --bind {PRIVATE} {PRIVATE} && mount -o remount,bind,ro {PRIVATE}",
        f"umount {PRIVATE}",
        "for the lab's secrets, is on",
    ),
    "packages that can only be read": (
        "nsenter --mount --target %s mount -o remount,bind,ro /home/jovyan/.local",
        "nsenter --mount --target %s mount -o remount,bind,rw /home/jovyan/.local",
        "runs, but nobody can save a notebook or a package there: /home/jovyan/.local is on /home/jovyan/.local (",
    ),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts are root's to make")
@pytest.mark.parametrize("mount", MOUNTS)
def test_mount(mount):
    make, unmake, sentence = (words.replace("%s", str(LAB.inspect["State"]["Pid"])) for words in MOUNTS[mount])
    HOST.check_output(make)
    try:
        assert not [path.name for path in WORK.iterdir() if path.name.startswith(".mlenv")]
        run = play()
    finally:
        HOST.check_output(unmake)
    assert sentence in run.failures[LAB.name]
    assert run.changed == []
    assert converge().changed == []
