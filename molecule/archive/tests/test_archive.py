"""What the archives left on the host, and what they did not."""

import json

import pytest
import testinfra

HOST = testinfra.get_host("local://")
FAR = testinfra.get_host("docker://molecule-archive-host")


def image_id(reference):
    return json.loads(HOST.check_output(f"docker image inspect {reference}"))[0]["Id"]


@pytest.mark.parametrize("tag", ["one", "two"])
def test_image_is_there(tag):
    assert image_id(f"archive.example.com/jupyter:{tag}") == image_id("mlenv-test:light")


def test_the_archive_s_copy_is_gone():
    assert FAR.check_output("find /var/lib /var/tmp /tmp /root -size +100M") == ""


def test_refused_archive_loaded_nothing():
    assert HOST.run("docker image inspect archive.example.com/damaged").failed
