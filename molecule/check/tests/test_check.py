"""The prediction changes nothing, and is the outcome."""

import os
import pathlib

import pytest
from helpers import HOST, STATE, Lab, converge, engine_state, files, play, wait_until

LAB = Lab("molecule-check")
PLACE = STATE / LAB.name


def everything() -> tuple:
    return engine_state(), files(PLACE)


def predict(**variables):
    """What would be changed: nothing is."""
    before = everything()
    predicted = converge("--check", "--diff", **variables)
    assert everything() == before
    return predicted


@pytest.fixture(scope="module", name="wanted")
def fixture_wanted():
    """The lab's variables. Each step changes some, and leaves the others as they were before it."""
    return {"lab_packages": ["cowsay"]}


def test_on_nothing(wanted):
    predicted = predict(lab_pakages="seaborn", **wanted)
    assert "lab_pakages is set, but role mlenv.jupyter.lab knows no such variable: did you mean lab_packages?" in " ".join(predicted.out.split())
    done = converge("--diff", **wanted)
    assert "did you mean" not in done.out
    predicted_otherwise = {"Say what would be installed": "Install the packages as the lab's user"}
    assert [predicted_otherwise.get(task, task) for task in predicted.changed] == done.changed
    # What is written is shown, but for the token.
    assert all('+    "ServerApp": {' in run.out and "+(a secret)" in run.out and LAB.token not in run.out for run in (predicted, done))
    assert LAB.opens()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lab_memory": "1g", "lab_restart_policy": "always", "lab_umask": "027"}, ["Make and start the container"]),
        ({"lab_packages": ["cowsay", "toolz"]}, ["Install the packages as the lab's user"]),
        ({"lab_token": "a-token-of-some-length"}, ["Make its directories and files", "Make and start the container"]),
        ({"lab_state": "stopped"}, ["Stop the container"]),
        ({"lab_state": "absent"}, ["Remove the container"]),
        ({"lab_remove_data": True}, ["Remove the packages volume, as asked for by name", "Remove the lab's private files, as asked for by name"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_on_a_lab(changes, expected, wanted):
    wanted.update(changes)
    assert predict(**wanted).changed == converge(**wanted).changed == expected
    assert predict(**wanted).changed == []


@pytest.mark.parametrize("missing", [{"lab_image": "example.com/not/here:1"}, {"lab_docker_cli": "/nowhere/docker"}])
def test_without_image_or_engine(missing):
    """What will be there after the roles before this one is not there yet: check mode says what would be made."""
    assert "Say what would be made" in predict(**missing).changed


def test_two_flavors():
    """Each lab has the image of its own flavour, whatever else of that name the play knows."""
    assert play(pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "flavors.yml"), "--check").rc == 0


def test_container_made_by_hand(wanted):
    """The article's command, as it stands. It is kept, and so is what is on the volume and in the work directory."""
    work = PLACE / "work"
    work.mkdir(parents=True, exist_ok=True)
    by_hand = "docker run -d --name %s -p 28809:8888 -v %s:/home/jovyan/work -v %s-data:/home/jovyan/.local --user root"
    HOST.check_output(by_hand + " -e GRANT_SUDO=yes -e CHOWN_HOME=yes -e CHOWN_HOME_OPTS=-R mlenv-test:minimal", LAB.name, str(work), LAB.name)
    made = LAB.inspect["Id"]
    aside = f"{LAB.name}-by-hand-{made[:12]}"
    try:
        assert wait_until(lambda: HOST.run("docker exec --user jovyan %s pip install --user --quiet toolz", LAB.name).rc == 0)
        wanted.update(lab_state="started", lab_remove_data=False)
        predicted, done = predict(**wanted), converge(**wanted)
        again = {"Predict that it would be": "Set a container aside that was made by hand"}
        assert [again.get(task, task) for task in predicted.changed] == done.changed
        assert LAB.opens()
        assert LAB.run("python3", "-c", "import toolz").rc == 0
        kept = Lab(aside)
        assert (kept.inspect["Id"], kept.state, kept.inspect["HostConfig"]["RestartPolicy"]["Name"]) == (made, "exited", "no")
        assert f"kept as container {aside}" in done.out
        assert predict(**wanted).changed == converge(**wanted).changed == []
    finally:
        HOST.run("docker rm --force %s", aside)
