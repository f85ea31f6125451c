"""Labs on the GPUs of this machine. Real ones, which few machines have: no part of `make test`, where molecule/gpu stands in for them.

MLENV_IMAGE names the labs' image, mlenv-test:minimal (`make image`) if it is not set. As root, or as somebody who may use the engine, if
that hands over GPUs already.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
NAMES = ("mlenv-gpus", "mlenv-gpus-second")


@pytest.fixture(scope="module", name="play")
def fixture_play(tmp_path_factory):
    """play("--check", lab_gpus=1): what a run of the roles said, and the tasks that changed something. The labs are gone afterwards."""
    directory = tmp_path_factory.mktemp("gpus")
    directory.chmod(0o755)
    image = os.environ.get("MLENV_IMAGE", "mlenv-test:minimal")

    def run(*options, name=NAMES[0], **variables):
        fixed = {"gpus_directory": str(directory), "lab_name": name, "lab_image": image, "lab_port": 28870 + NAMES.index(name)}
        command = ["ansible-playbook", str(HERE / "lab.yml"), "-e", json.dumps({**fixed, **variables}), *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
        print(done.stdout, done.stderr)
        return done, re.findall(r"^changed: ", done.stdout, re.MULTILINE)

    yield run
    for name in NAMES:
        assert run(name=name, lab_state="absent")[0].returncode == 0


@pytest.fixture(scope="module", name="lab")
def fixture_lab(play):
    """A lab that was asked for nothing in particular."""
    done, _changed = play()
    assert done.returncode == 0
    return NAMES[0]


def listed(*before):
    """What nvidia-smi lists, here or in a lab."""
    return subprocess.run([*before, "nvidia-smi", "-L"], check=True, capture_output=True, text=True).stdout.splitlines()


def test_lab_has_the_gpus_of_the_host(lab):
    assert listed("docker", "exec", "--user", "jovyan", lab) == listed()


def test_its_user_can_compute_with_them(lab):
    command = ["docker", "exec", "--interactive", "--user", "jovyan", lab, "python3", "-"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=(HERE / "cuda.py").read_text(encoding="utf-8"))
    assert (done.returncode, done.stdout.strip()) == (0, str(len(listed()))), done.stderr


@pytest.mark.parametrize("options", [[], ["--check"]], ids=" ".join)
def test_nothing_is_left_to_do(lab, play, options):
    done, changed = play(*options)
    assert (done.returncode, changed) == (0, [])
    assert options or re.search(r"Its GPUs: 0 .*\w", done.stdout)


def test_more_than_there_are(lab, play):
    done, changed = play(lab_gpus=len(listed()) + 1)
    assert (done.returncode, changed) == (2, [])
    assert f"lab_gpus asks for {len(listed()) + 1} GPUs, but this host has" in done.stdout


def test_one_that_another_lab_has_alone(lab, play):
    uuid = re.search(r"UUID: (\S+)\)", listed()[0])[1]
    assert play(lab_gpus=[uuid], lab_gpus_exclusive=True)[0].returncode == 0
    assert listed("docker", "exec", lab) == listed()[:1]
    done, changed = play(name=NAMES[1], lab_gpus=[0])
    assert (done.returncode, changed) == (2, [])
    assert f"but lab {lab} has GPU 0 for itself alone" in done.stdout


def test_they_are_there_after_a_restart(lab):
    subprocess.run(["docker", "restart", lab], check=True, capture_output=True)
    assert listed("docker", "exec", lab) == listed()[:1]
