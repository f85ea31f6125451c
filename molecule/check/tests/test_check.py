"""The prediction changes nothing, and is the outcome."""

import pytest
from helpers import STATE, Lab, converge, engine_state, files

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
    predicted = predict(**wanted)
    done = converge(**wanted)
    assert set(predicted.changed) - set(done.changed) == {"Say what would be installed"}
    assert {"Make the work directory", "Make the packages volume", "Make and start the container"} <= set(predicted.changed)
    assert LAB.opens()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lab_memory": "1g", "lab_restart_policy": "always"}, ["Make and start the container"]),
        ({"lab_umask": "027"}, ["Make and start the container"]),
        ({"lab_packages": ["cowsay", "toolz"]}, ["Install the packages as the lab's user"]),
        ({"lab_token": "a-token-of-some-length"}, ["Make a token", "Make and start the container"]),
        ({"lab_state": "stopped"}, ["Stop the container"]),
        ({"lab_state": "absent"}, ["Remove the container"]),
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
