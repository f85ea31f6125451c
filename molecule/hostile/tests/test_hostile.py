"""The user of a hardened lab tries to get out, or to take the host down. The neighbour notices nothing."""

import json
import pathlib
import re

import pytest
from helpers import HOST, Lab, converge, wait_until

LAB, NEIGHBOUR = Lab("molecule-hostile"), Lab("molecule-hostile-neighbour")


def python(code: str, *arguments: str):
    """What a cell in a notebook could do just as well."""
    return LAB.run("python3", "-c", code, *arguments)


@pytest.fixture(autouse=True)
def fixture_neighbours_and_host():
    """Whatever is tried: both labs work, and the host still starts things."""
    yield
    # A machine for tests is busy, and an engine may start a lab anew: what counts is that it is there.
    assert wait_until(NEIGHBOUR.opens), NEIGHBOUR.story
    assert wait_until(LAB.opens), LAB.story
    assert HOST.run("docker run --rm --entrypoint true mlenv-test:minimal").rc == 0


def test_it_is_a_lab_like_others():
    assert python("import cowsay").rc == 0
    status, notebook = LAB.ask("api/contents", data={"type": "notebook"})
    assert status == 201
    assert pathlib.Path(LAB.mounts["/home/jovyan/work"], notebook["path"]).is_file()
    assert converge().changed == []


@pytest.mark.parametrize("path", ["/etc/profile", "/usr/local/bin/python3", "/opt/file", "/etc/mlenv/jupyter_server_config.json", "/file"])
def test_writes_outside_of_its_mounts(path):
    done = python("import sys; open(sys.argv[1], 'a')", path)
    assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr


def test_changes_the_image_s_packages():
    done = python("import jupyterlab; open(jupyterlab.__file__, 'a')")
    assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.setuid(0)",
        "import subprocess; subprocess.run(['sudo', '-n', 'true'], check=True)",
        "import subprocess; subprocess.run(['su', '-c', 'true'], check=True, stdin=subprocess.DEVNULL)",
        "import subprocess; subprocess.run(['unshare', '--user', '--map-root-user', 'true'], check=True)",
        "import subprocess; subprocess.run(['mount', '-t', 'tmpfs', 'none', '/tmp'], check=True)",
        "import os; os.mknod('/tmp/disk', 0o60600, os.makedev(254, 0))",
        "open('/proc/sys/kernel/core_pattern', 'w')",
        "open('/proc/sysrq-trigger', 'w')",
    ],
)
def test_becomes_root(code):
    assert python(code).rc != 0


def test_has_no_privilege_at_all():
    status = dict(line.split(":\t", 1) for line in python("print(open('/proc/self/status').read())").stdout.splitlines() if ":\t" in line)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_reads_the_neighbours_token():
    token = NEIGHBOUR.token
    find = """
import os, sys

def has(path):
    try:
        with open(path, "rb") as file:
            return sys.argv[1].encode() in file.read(1 << 16)
    except OSError:
        return False

for folder, folders, files in os.walk("/"):
    folders[:] = [] if folder in ("/proc", "/sys", "/dev") else folders
    for path in (os.path.join(folder, file) for file in files):
        if os.path.isfile(path) and has(path):
            print(path)
"""
    assert "/etc/mlenv/token" in python(find, LAB.token).stdout.split()  # its own
    assert python(find, token).stdout == ""
    assert wait_until(NEIGHBOUR.opens), NEIGHBOUR.story
    address = NEIGHBOUR.inspect["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    ask = """
import sys
from urllib.request import Request, urlopen
urlopen(Request(sys.argv[1], headers={"Authorization": "token " + sys.argv[2]}), timeout=5)
"""
    assert "HTTP Error 403" in python(ask, f"http://{address}:8888/api/status", LAB.token).stderr
    assert python(ask, f"http://{address}:8888/api/status", token).rc == 0  # so it was asked


def test_reaches_the_engine():
    for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/var/lib/docker"):
        assert LAB.run("test", "-e", path).rc == 1
    bridge = json.loads(HOST.check_output("docker network inspect bridge"))[0]["IPAM"]["Config"][0]
    gateway = bridge.get("Gateway") or re.sub("[0-9]+/.*", "1", bridge["Subnet"])
    for port in (2375, 2376):
        assert "Connection refused" in python(f"import socket; socket.create_connection(({gateway!r}, {port}), 5)").stderr


def test_fills_the_disk_through_the_log():
    assert python("import os; f = open('/proc/1/fd/1', 'w')\nfor i in range(60000): f.write('x' * 999 + '\\n')").rc == 0
    folder = pathlib.Path(LAB.inspect["LogPath"]).parent
    assert 0 < sum(path.stat().st_size for path in folder.glob("*.log*")) < 3 << 20


def test_forks_without_end():
    bomb = """
import os, time
number = 0
try:
    for number in range(5000):
        if not os.fork():
            time.sleep(3)
            os._exit(0)
except OSError as error:
    print(number, error.errno)
"""
    number, error = python(bomb).stdout.split()
    assert (int(number) < 200, error) == (True, "11")


def test_takes_all_memory():
    assert python("x = b'x' * (4 << 30)").rc != 0
