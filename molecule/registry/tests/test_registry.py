"""What is on the host after the pulls, and what is not."""

import json
import os
import pathlib

import pytest
import testinfra

HOST = testinfra.get_host("local://")
DIGEST = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "registry", "digest")


def image(reference):
    return json.loads(HOST.check_output(f"docker image inspect {reference}"))[0]


@pytest.mark.parametrize(
    "reference",
    [
        "127.0.0.1:15000/jupyter/minimal-notebook:2026-11-16",
        "127.0.0.1:15000/jupyter/minimal-notebook:0123456789ab",
        "127.0.0.1:15000/jupyter/minimal-notebook:latest",
        "127.0.0.1:15000/jupyter/minimal-notebook:python-3.11",
        "127.0.0.1:15000/jupyter/pytorch-notebook:cuda12-2026-11-16",
        "127.0.0.1:15001/jupyter/minimal-notebook:2026-11-16",
    ],
)
def test_image_is_there(reference):
    assert image(reference)["Id"] == image("molecule-registry:small")["Id"]


def test_image_is_there_by_digest():
    reference = f"127.0.0.1:15000/jupyter/minimal-notebook@{DIGEST.read_text()}"
    assert reference in image(reference)["RepoDigests"]


def test_nothing_of_the_login_is_left():
    config = HOST.file(f"{HOST.user().home}/.docker/config.json")
    assert not config.exists or "127.0.0.1:15001" not in config.content_string
    assert HOST.run("docker pull --quiet 127.0.0.1:15001/jupyter/minimal-notebook:0123456789ab").failed
    assert HOST.check_output("find /tmp -maxdepth 1 -name 'ansible.*.image'") == ""


def test_refused_image_was_not_pulled():
    assert HOST.run("docker image inspect 127.0.0.1:15000/jupyter/minimal-notebook:1999-12-31").failed
