"""Without root, without capabilities, and everything a person does works the same."""

import pathlib
import re

import pytest
from helpers import HOST, OWNER, STATE, Lab, converge, wait_until

OTHER_NUMBER = "molecule-hardened-number"
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


@pytest.mark.parametrize("how", ["as it was made", "restarted"])
def test_number_and_name_of_the_image(how):
    """Somebody in the image has the owner's number, and another one the name of the lab's user. With root in the lab."""
    lab = Lab(OTHER_NUMBER)
    if how == "restarted":
        HOST.check_output("docker restart --time 1 %s", lab.name)
        assert wait_until(lab.opens)
    assert lab.run("id", "-un").stdout == "games\n"
    assert lab.run("id", "-u").stdout == "33\n"
    assert lab.run("sudo", "-n", "id", "-u").stdout == "0\n"
    # Who had the number is still known.
    assert lab.run("id", "-u", "www-data").stdout == "33\n"


# -- On an image with conda ----------------------------------------------------------------------------------------

CONDA = {
    **{"molecule-hardened-root": "jovyan", "molecule-hardened-root-renamed": "marie", "molecule-hardened-conda": "jovyan"},
    **{"molecule-hardened-conda-renamed": "marie", "molecule-hardened-read-only": "jovyan"},
}


@pytest.fixture(params=CONDA, scope="module", name="conda")
def fixture_conda(request):
    found = Lab(request.param)
    found.home = f"/home/{CONDA[request.param]}"
    return found


@pytest.fixture(params=["as it was made", "restarted"], scope="module", name="_again")
def fixture_again(request, conda):
    if request.param == "restarted":
        HOST.check_output("docker restart --time 1 %s", conda.name)
        assert wait_until(conda.opens)


WAYS = [".cache", ".cache/deep", "work/sets", "work/sets/mine", ".local/share", ".local/share/mine"]


@pytest.mark.usefixtures("_again")
def test_directories_on_the_way_to_mounts_are_the_users(conda):
    made = conda.run("sh", "-c", f"cd {conda.home} && touch .cache/new .cache/deep/new work/sets/new .local/share/new")
    assert made.rc == 0, made.stderr
    owners = conda.run("sh", "-c", f"cd {conda.home} && stat --format %u {' '.join(WAYS[:3] + WAYS[4:5])}")
    assert owners.stdout.split() == ["4711"] * 4
    # And on the host.
    assert pathlib.Path(conda.mounts[f"{conda.home}/work"], "sets/mine").stat().st_uid == 4711
    mounted = STATE / "mounted"
    assert (mounted.stat().st_uid, list(mounted.iterdir())) == (0, [])


@pytest.mark.usefixtures("_again")
@pytest.mark.parametrize("shell", [[], ["bash", "-c"], ["bash", "-lc"], ["bash", "-ic"], ["bash", "-lic"], ["sh", "-lc"]], ids=" ".join)
def test_whose_program_runs(conda, shell):
    program = f"{conda.home}/.local/bin/whose"
    own = f"mkdir -p $(dirname {program}) && printf '#!/bin/sh\\necho the user\\n' > {program} && chmod 755 {program}"
    assert conda.run("sh", "-c", own).rc == 0
    assert conda.run(*shell, "whose").stdout == "the user\n"


@pytest.mark.usefixtures("_again")
def test_whose_program_runs_in_kernels(conda):
    """They have the server's PATH."""
    environ = conda.run("sh", "-c", "cat /proc/$(pgrep -o jupyter-lab)/environ").stdout.split("\0")
    path = dict(item.partition("=")[::2] for item in environ)["PATH"].split(":")
    assert path[:3] == [f"{conda.home}/.local/bin", "/opt/conda/bin", "/opt/conda/condabin"]


@pytest.mark.usefixtures("_again")
def test_a_terminal_is_as_in_any_lab(conda):
    assert conda.run("bash", "-lic", "alias of-the-image").rc == 0
    assert conda.run("test", "-w", f"{conda.home}/.jupyter/of-the-image").rc == 0


@pytest.mark.usefixtures("_again")
def test_groups_of_the_owner(conda):
    assert {"50", "45161"} <= set(conda.run("id", "-G").stdout.split())
    assert {"staff", "molecule-project"} <= set(conda.run("id", "-Gn").stdout.split())
    name = f"{conda.name}.txt"
    assert conda.run("touch", f"/project/{name}").rc == 0
    found = (STATE / "project" / name).stat()
    assert (found.st_uid, found.st_gid) == (4711, 45161)
    # And those of the server, whose are kernels and terminals.
    status = pathlib.Path(f"/proc/{conda.server_pid}/status").read_text(encoding="ascii")
    assert {"50", "45161"} <= set(re.search("^Groups:(.*)$", status, re.MULTILINE)[1].split())


def test_files_of_the_users_own_are_kept():
    lab = Lab("molecule-hardened-conda-renamed")
    assert lab.run("sh", "-c", "echo mine > ~/.bashrc").rc == 0
    HOST.check_output("docker rm --force %s", lab.name)
    assert converge(f"--limit={lab.name}").changed == ["Make and start the container"]
    assert lab.run("cat", "/home/marie/.bashrc").stdout == "mine\n"
    assert converge(f"--limit={lab.name}").changed == []
