"""A lab on a server that nothing can be downloaded to."""

import hashlib
import json
import os
import pathlib
import re
import shlex

import pytest
import testinfra
from helpers import HOST, STATE, play

ROOT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")  # as people run it
SERVER = testinfra.get_host("docker://molecule-airgap")
LARGE = STATE / "large"
SIZE = 40_000_000


def send(*words) -> dict:
    """Module send_files by hand."""
    command = " ".join(["ANSIBLE_FORCE_COLOR=0 ansible -i %s molecule-airgap -m mlenv.jupyter.send_files -a %s", *words])
    said = HOST.check_output(command, str(STATE / "inventory"), f"src={LARGE} dest=/var/lib/sent")
    return json.loads(said[said.index("{") :])


def sent() -> str:
    return SERVER.check_output("sha256sum /var/lib/sent/large").split()[0]


def test_the_server_reaches_nothing():
    mirror = re.search(r"https?://\S+", SERVER.check_output("cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null || true"))[0]
    assert SERVER.run("curl --max-time 10 --silent --output /dev/null %s", mirror).rc != 0


# How a large file travels.


def test_what_was_cut_off_goes_on():
    LARGE.write_bytes(os.urandom(SIZE))
    HOST.check_output(
        f"head -c 28000000 %s | docker exec -i molecule-airgap sh -c {shlex.quote('mkdir /var/lib/sent && cat > /var/lib/sent/large.part')}", str(LARGE)
    )
    assert send("--check")["files"] == ["large"]
    done = send()
    assert (done["changed"], done["bytes"]) == (True, SIZE - 28_000_000)
    assert sent() == hashlib.sha256(LARGE.read_bytes()).hexdigest()
    assert SERVER.check_output("ls /var/lib/sent") == "large"


def test_what_is_there_is_not_sent():
    done = send()
    assert (done["changed"], done["bytes"]) == (False, 0)


@pytest.mark.parametrize("size", [SIZE - 1, SIZE, SIZE + 1])
def test_what_is_not_the_beginning_of_it_is_sent_anew(size):
    SERVER.check_output(f"cd /var/lib/sent && rm -f large && yes | head -c {size} > large.part")
    assert send()["bytes"] == SIZE
    assert sent() == hashlib.sha256(LARGE.read_bytes()).hexdigest()


def test_what_has_another_content_is_replaced():
    SERVER.check_output(f"yes | head -c {SIZE} > /var/lib/sent/large")
    assert send()["changed"]
    assert sent() == hashlib.sha256(LARGE.read_bytes()).hexdigest()


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
    assert run.rc != 0
    assert "not-brought-along" in re.search(r"^fatal: .*?$", run.out, re.MULTILINE)[0]
