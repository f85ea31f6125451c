"""A package and a notebook outlive the container, its image, and the server."""

import os
import pathlib

import pytest
from helpers import HOST, Lab, converge, wait_until

LAB = Lab("molecule-persistence")


@pytest.fixture(scope="module", name="notebook", autouse=True)
def fixture_notebook():
    """Somebody installs a package of their own, and makes a notebook on the page."""
    installed = LAB.run("pip", "install", "--user", "--quiet", "toolz")
    assert installed.rc == 0, installed.stderr
    status, notebook = LAB.ask("api/contents", data={"type": "notebook"})
    assert status == 201
    return pathlib.Path(LAB.mounts["/home/jovyan/work"], notebook["path"])


def all_there(notebook) -> bool:
    assert wait_until(LAB.opens)
    assert LAB.run("python3", "-c", "import cowsay, toolz").rc == 0
    assert LAB.run("cowsay", "-t", "moo").rc == 0
    assert LAB.ask(f"api/contents/{notebook.name}")[0] == 200
    return notebook.is_file()


def test_restart(notebook):
    HOST.check_output("docker restart %s", LAB.name)
    assert all_there(notebook)
    assert converge().changed == []


def test_server_killed(notebook):
    since = LAB.inspect["State"]["StartedAt"]
    HOST.check_output("kill -9 %s", LAB.server_pid)
    assert wait_until(lambda: LAB.inspect["State"]["StartedAt"] != since)
    assert all_there(notebook)
    assert converge().changed == []


def test_container_removed(notebook):
    HOST.check_output("docker rm --force %s", LAB.name)
    assert converge().changed == ["Make and start the container"]
    assert all_there(notebook)


def test_volume_lost(notebook):
    """The packages of the list are back in the same run; those of nobody's list were on the volume alone."""
    HOST.check_output("docker rm --force %s", LAB.name)
    HOST.check_output("docker volume rm %s-data", LAB.name)
    assert "Install the packages as the lab's user" in converge().changed
    assert LAB.run("python3", "-c", "import cowsay").rc == 0
    assert LAB.run("python3", "-c", "import toolz").rc == 1
    assert LAB.run("pip", "install", "--user", "--quiet", "toolz").rc == 0
    assert all_there(notebook)


def test_another_python(notebook):
    """What somebody had installed under an older Python comes along when asked for; the list's packages in any case."""
    assert LAB.run("mv", "/home/jovyan/.local/lib/python3.11", "/home/jovyan/.local/lib/python3.9").rc == 0
    run = converge()
    assert run.changed == ["Install the packages as the lab's user"]
    assert "Packages of Python 3.9 are left" in run.out
    assert LAB.run("python3", "-c", "import toolz").rc == 1
    assert converge("--check", lab_migrate=True).changed == ["Install the packages as the lab's user"]
    assert converge(lab_migrate=True).changed == ["Install the packages as the lab's user"]
    assert LAB.run("test", "-e", "/home/jovyan/.local/lib/python3.9").rc == 1
    assert all_there(notebook)
    assert converge(lab_migrate=True).changed == []


def test_another_user(notebook):
    """Everything moves along to the home of another name, with root in the container and without, and back."""
    for sudo in (True, False):
        assert converge(lab_user="alice", lab_sudo=sudo).changed
        assert LAB.run("id", "-un").stdout == "alice\n"
        assert all_there(notebook)
        assert converge(lab_user="alice", lab_sudo=sudo).changed == []
    assert converge().changed
    assert all_there(notebook)


def test_another_image(notebook):
    before = LAB.inspect["Image"]
    run = converge(lab_image="mlenv-test:scipy")
    assert "Make and start the container" in run.changed
    assert LAB.inspect["Image"] != before
    assert LAB.run("python3", "-c", "import sklearn").rc == 0
    assert all_there(notebook)
    assert converge(lab_image="mlenv-test:scipy").changed == []


def test_pins_of_the_article(notebook):
    """They install beside what the image has in other versions, import, and outlive the container."""
    pins = {"lab_image": "mlenv-test:scipy", "lab_requirements": f"{os.environ['MOLECULE_PROJECT_DIRECTORY']}/docs/examples/requirements.txt"}
    assert "Install the packages as the lab's user" in converge(**pins).changed
    HOST.check_output("docker rm --force %s", LAB.name)
    assert converge(**pins).changed == ["Make and start the container"]
    versions = LAB.run("python3", "-c", "import pandas, sklearn, matplotlib.pyplot; print(pandas.__version__, sklearn.__version__, matplotlib.__version__)")
    assert versions.stdout == "2.0.0 1.2.0 3.7.0\n"
    assert all_there(notebook)
