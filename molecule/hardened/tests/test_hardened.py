"""Without root, without capabilities, and everything a person does works the same."""

import pathlib

import pytest
from helpers import OWNER, Lab

LABS = {
    "molecule-hardened": ("jovyan", OWNER[0]),
    "molecule-hardened-owner": ("jovyan", 4711),
    "molecule-hardened-renamed": ("marie", 4711),
}


@pytest.fixture(params=LABS, scope="module", name="lab")
def fixture_lab(request):
    found = Lab(request.param)
    found.user, found.uid = LABS[request.param]
    return found


def test_no_process_is_roots(lab):
    assert lab.inspect["Config"]["User"].startswith(f"{lab.uid}:")
    assert {uid for _pid, uid, _command in lab.processes} == {str(lab.uid)}


def test_server_has_no_privileges(lab):
    status = pathlib.Path(f"/proc/{lab.server_pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    # And so the engine's own profiles of seccomp and AppArmor.
    assert lab.inspect["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
    assert fields["Uid"].split() == [str(lab.uid)] * 4


def test_user_cannot_become_root(lab):
    assert lab.run("id", "-un").stdout.strip() == lab.user
    assert lab.run("sudo", "-n", "true").rc != 0


def test_packages(lab):
    home = f"/home/{lab.user}"
    assert lab.run("sh", "-c", "command -v cowsay").stdout.strip() == f"{home}/.local/bin/cowsay"
    installed = lab.run("pip", "install", "--user", "--quiet", "toolz")
    assert installed.rc == 0, installed.stderr
    assert lab.run("python3", "-c", "import toolz; print(toolz.__file__)").stdout.startswith(f"{home}/.local/lib/")


def test_notebook_is_the_owners(lab):
    status, notebook = lab.ask("api/contents", data={"type": "notebook"})
    assert status == 201
    assert pathlib.Path(lab.mounts[f"/home/{lab.user}/work"], notebook["path"]).stat().st_uid == lab.uid


def test_health(lab):
    """By the image's own test, without waiting for the engine to ask it."""
    how, test = lab.inspect["Config"]["Healthcheck"]["Test"]
    assert how == "CMD-SHELL"
    assert lab.run("sh", "-c", test).rc == 0
