"""Each kernel has packages of its own, runs, is in the launcher, and outlives the container."""

import json
import re

import pytest
from helpers import HOST, SHARED, Lab, converge, play

LAB = Lab("molecule-kernels")
PINS = {"python3": "6.0", "legacy": "5.0", "newest": "6.1"}
# Run a cell as the page would: in a kernel that the lab itself starts.
CELL = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name=sys.argv[1])
client.execute_interactive(sys.argv[2], timeout=60)
manager.shutdown_kernel(now=True)
"""


def cell(kernel: str, code: str) -> str:
    done = LAB.run("python3", "-c", CELL, kernel, code)
    assert done.rc == 0, done.stderr
    return done.stdout.strip()


def kernels() -> set:
    status, found = LAB.ask("api/kernelspecs")
    assert status == 200
    return set(found["kernelspecs"])


@pytest.mark.parametrize("kernel", PINS)
def test_it_runs_with_its_own_packages(kernel):
    assert kernel in kernels()
    assert cell(kernel, "import importlib.metadata; print(importlib.metadata.version('cowsay'))") == PINS[kernel]


def test_its_notebooks_have_its_own_pip_and_nothing_of_the_image():
    assert "/share/virtualenvs/legacy/" in cell("legacy", "!pip --version")
    assert "cowsay==5.0" in cell("legacy", "%pip freeze")
    assert "ModuleNotFoundError" in cell("legacy", "try:\n    import jupyterlab\nexcept Exception as error:\n    print(repr(error))")


def test_nothing_of_it_is_roots():
    assert LAB.run("find", "/home/jovyan/.local", "-not", "-uid", "1000").stdout == ""


def test_container_removed():
    HOST.check_output("docker rm --force %s", LAB.name)
    assert converge().changed == ["Make and start the container"]
    assert cell("legacy", "import cowsay; print(1 + 1)") == "2"


def test_a_package_that_is_missing_in_it():
    assert LAB.run("/home/jovyan/.local/share/virtualenvs/legacy/bin/pip", "uninstall", "--yes", "--quiet", "cowsay").rc == 0
    assert converge("--check").changed == ["Give its kernels their packages"]
    assert LAB.run("/home/jovyan/.local/share/virtualenvs/legacy/bin/python", "-c", "import cowsay").rc == 1
    assert converge().changed == ["Give its kernels their packages"]
    assert converge().changed == []


def test_another_name_for_the_user():
    converge(lab_user="alice")
    done = HOST.run("docker exec --user alice --env HOME=/home/alice %s python3 -c %s legacy %s", LAB.name, CELL, "!cowsay -t moo")
    assert "moo |" in done.stdout, done.stderr
    converge()


def test_frozen_and_had_again(tmp_path):
    """A lock for the user's packages, and one for each kernel; from it, exactly these come back."""
    freeze = SHARED.parents[1] / "playbooks/freeze.yml"
    assert play(freeze, lab_lock_dir=str(tmp_path), lab_kernels=[{"name": "legacy"}]).rc == 0
    assert play(freeze, lab_lock_dir=str(tmp_path), lab_kernels=[]).changed == []
    locks = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(locks) == {"molecule-kernels.txt", "molecule-kernels.legacy.txt"}
    assert re.fullmatch(r"(# .*\n)+cowsay==6.0 --hash=sha256:[0-9a-f]{64}\n", locks["molecule-kernels.txt"])
    assert {"cowsay==5.0", "ipykernel"} <= set(re.findall(r"^cowsay==\S+|^ipykernel", locks["molecule-kernels.legacy.txt"], re.MULTILINE))
    lock = {
        "lab_packages": [],
        "lab_requirements": str(tmp_path / "molecule-kernels.txt"),
        "lab_packages_state": "exact",
        "lab_kernels": [{"name": "legacy", "requirements": str(tmp_path / "molecule-kernels.legacy.txt"), "state": "exact"}],
    }
    assert converge(**lock).changed == []
    assert LAB.run("pip", "install", "--user", "--quiet", "toolz").rc == 0
    LAB.run("/home/jovyan/.local/share/virtualenvs/legacy/bin/pip", "install", "--quiet", "cowsay==6.1")
    wanted = ["Install the packages as the lab's user", "Give its kernels their packages"]
    assert converge("--check", **lock).changed == wanted
    assert converge(**lock).changed == wanted
    assert converge(**lock).changed == []
    assert LAB.run("python3", "-c", "import toolz").rc == 1


def test_refusals():
    assert "cannot be the name of a kernel" in json.dumps(play(lab_kernels=[{"name": "python3"}]).failures)
    assert "pandas= (in kernel legacy of lab_kernels) is no requirement" in json.dumps(play(lab_kernels=[{"name": "legacy", "packages": ["pandas="]}]).failures)
    assert "missing.txt of kernel legacy in lab_kernels" in json.dumps(play(lab_kernels=[{"name": "legacy", "requirements": "missing.txt"}]).failures)


def test_removed_when_asked_for_by_name():
    assert converge(lab_kernels=[]).changed == []
    assert set(PINS) <= kernels()
    gone = [{"name": "legacy", "state": "absent"}]
    assert converge("--check", lab_kernels=gone).changed == ["Give its kernels their packages"]
    assert converge(lab_kernels=gone).changed == ["Give its kernels their packages"]
    assert kernels() == {"python3", "newest"}
    assert converge(lab_kernels=gone).changed == []
