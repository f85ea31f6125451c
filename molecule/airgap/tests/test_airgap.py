"""A lab on a server that nothing can be downloaded to."""

import json
import os
import pathlib

import pytest
import testinfra
from helpers import HOST, STATE, play

ROOT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")  # as people run it
SERVER = testinfra.get_host("docker://molecule-airgap")
ARCHIVE = STATE / "minimal.tar"


def send(*words) -> dict:
    """Module send_files by hand."""
    command = " ".join(["ansible", "-i %s", "molecule-airgap", "-m mlenv.jupyter.send_files", "-a %s", *words])
    said = HOST.check_output(command, str(STATE / "inventory"), f"src={ARCHIVE} dest=/var/lib/sent")
    return json.loads(said[said.index("{") :])


def test_the_server_reaches_nothing():
    assert SERVER.check_output("ip route show default") == ""


# How a large file travels.


def test_what_was_cut_off_goes_on():
    size = ARCHIVE.stat().st_size
    most = size - 1_000_000
    SERVER.check_output("mkdir -p /var/lib/sent")
    HOST.check_output("head -c %s %s | docker exec -i molecule-airgap sh -c 'cat > /var/lib/sent/minimal.tar.part'", str(most), str(ARCHIVE))
    assert send("--check")["files"] == ["minimal.tar"]
    sent = send()
    assert (sent["changed"], sent["bytes"]) == (True, size - most)
    assert SERVER.check_output("sha256sum /var/lib/sent/minimal.tar").split()[0] == HOST.check_output("sha256sum %s", str(ARCHIVE)).split()[0]
    assert SERVER.check_output("ls /var/lib/sent") == "minimal.tar"


def test_what_is_there_is_not_sent():
    sent = send()
    assert (sent["changed"], sent["bytes"]) == (False, 0)


@pytest.mark.parametrize("size", [400_000_000, 900_000_000], ids=["shorter", "longer"])
def test_what_is_not_the_beginning_of_it_is_sent_anew(size):
    SERVER.check_output(f"cd /var/lib/sent && rm -f minimal.tar && yes | head -c {size} > minimal.tar.part")
    assert send()["bytes"] == ARCHIVE.stat().st_size
    SERVER.check_output("rm -r /var/lib/sent && mkdir /var/lib/sent")


# The lab.


def test_lab():
    run = play(ROOT / "site.yml")
    assert run.rc == 0, run.failures
    assert "Send the wheels that the host lacks" in run.changed
    assert SERVER.check_output("docker exec --user 1500 jupyter-ds python -c 'import tw_a; print(tw_a.__name__)'") == "tw_a"


def test_nothing_to_do():
    run = play(ROOT / "site.yml")
    assert (run.rc, run.changed) == (0, [])


def test_a_wheel_more_is_all_that_is_sent():
    (STATE / "wheels/unrelated.txt").write_text("", encoding="utf-8")
    run = play(ROOT / "site.yml", "-v", lab_packages=["tw-a", "tw-spare"])
    assert run.rc == 0, run.failures
    assert '"files": ["unrelated.txt"]' in run.out


def test_a_package_that_was_not_brought_along_is_named():
    run = play(ROOT / "site.yml", lab_packages=["tw-a", "not-brought-along"])
    assert "not-brought-along" in str(run.failures)
