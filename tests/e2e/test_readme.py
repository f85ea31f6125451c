"""Every command of the README, in its order, by somebody who typed it: what it promises must be so."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import urllib.request

import pytest
import yaml
from checkout import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)[::-1])
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
TABLE = README.split("## By hand, and with the collection")[1]
# The right column alone: what stands in the left one is what nobody has to type any more.
COLUMN = [line.split("|")[2] for line in TABLE.splitlines() if line.startswith("| ")]
COMMANDS = [*SHELL, *re.findall(r"`((?:ansible-playbook|docker|make) [^`]+)`", "\n".join(COLUMN)[len(COLUMN[0]) :])]
COMMANDS = [command for command in COMMANDS if command != "make lab"]  # the fixture's, first of all
NAMES = ("container", "jupyter-ds"), ("container", "guest"), ("volume", "jupyter-data"), ("volume", "guest-data")


def engine(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["docker", *words], check=False, capture_output=True, text=True)


@pytest.fixture(scope="module", name="page")
def fixture_page(tmp_path_factory):
    """`make lab`, and the address that it ends with. The home is another one, so that nothing of a person's is touched."""
    taken = [name for kind, name in NAMES if engine(kind, "inspect", name).returncode == 0]
    assert not taken, f"{taken} are there already: these tests must not touch what they did not make"
    home = tmp_path_factory.mktemp("readme")
    home.chmod(0o755)
    os.environ["README_HOME"] = str(home)
    try:
        said = run("make", "lab", ARGS=f"-e lab_work_dir={home}/work -e lab_config_dir={home}/config")
        yield re.search(r"http://127\.0\.0\.1:28888/lab\?token=\w+", said).group()
    finally:
        for name in ("jupyter-ds", "guest"):
            engine("rm", "--force", name)
        for name in ("jupyter-data", "guest-data"):
            engine("volume", "rm", name)


def typed(command: str) -> list[str]:
    """The words of a command, with the two things that a test must not share with a person: their home, and the name of a real server."""
    words = shlex.split(command)
    if words == ["make", "test"]:
        return ["make", "--dry-run", "test"]  # what is running at this moment
    if words[0] == "ssh":
        return ["ssh", "-G", *words[1:]]  # there is no such server: ssh itself says whether it understands the command
    if words[:2] == ["docker", "exec"]:
        return [word for word in words if word != "-it"][:-1] + ["bash", "-c", "test $(id -un) = jovyan"]  # nobody is at a terminal here
    if "inventory/gpu_servers.yml" in words:
        return [*words, "--list-hosts"]
    home = os.environ["README_HOME"]
    if words[0] == "ansible-playbook":
        return [*words, "-e", f"lab_work_dir={home}/work", "-e", f"lab_config_dir={home}/config", "-e", f"lab_lock_dir={home}/locks"]
    if words[0] == "make":
        return [words[0], *words[1:-1], f"{words[-1]} -e lab_work_dir={home}/work -e lab_config_dir={home}/config"]
    return [word.replace("~", home) for word in words]


def test_readme_has_commands():
    assert len(COMMANDS) > 15


def test_make_lab_ends_with_a_page_that_opens(page):
    with urllib.request.urlopen(page, timeout=60) as answer:
        assert answer.status == 200
        assert b"JupyterLab" in answer.read()


def test_make_lab_again_changes_nothing(page):
    home = os.environ["README_HOME"]
    assert "changed=0 " in run("make", "lab", ARGS=f"-e lab_work_dir={home}/work -e lab_config_dir={home}/config")


@pytest.mark.parametrize("command", COMMANDS)
def test_command(page, command):
    run(*typed(command))


def test_larger_playbook(page, tmp_path):
    """The play of the README, as it stands there. The image is what the inventory asks for: that of `make lab`."""
    play = yaml.safe_load(BLOCKS["yaml"])
    play[0]["tasks"][0]["vars"].update(lab_work_dir=f"{tmp_path}/work", lab_config_dir=f"{tmp_path}/config")
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump(play, sort_keys=False), encoding="utf-8")
    tmp_path.chmod(0o755)
    said = run("ansible-playbook", "-i", "inventory/workstation.yml", path)
    assert f"http://127.0.0.1:28890/lab, its token is in {tmp_path}/config/token" in said
