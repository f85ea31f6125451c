"""Containers for the contract's tests: each has a label, and none outlives the test that made it."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import pytest

TOKEN = "contract-token"

# What tells how old the start scripts of an image are, the newest first: when Docker Stacks changed one, which, and words that are in it since then.
CHANGES = (
    ("2026-08-07", "fix-permissions", "chmod g+s"),
    ("2026-07-28", "run-hooks.sh", "set +e"),
    ("2026-06-01", "_docker_stacks_log.sh", "_log_info"),
)
OLDEST = "2024-01-22"  # since when start.sh is the entrypoint


def pytest_configure(config):
    config.addinivalue_line("markers", "since(date, was): Docker Stacks' scripts do so since that day; before it, what they did instead")


def docker(*argv, check=True, timeout=120):
    done = subprocess.run(["docker", *argv], capture_output=True, text=True, check=False, timeout=timeout)
    if check:
        assert done.returncode == 0, f"docker {' '.join(argv)}\n{done.stdout}{done.stderr}"
    return done


def until(condition, what, seconds=120):
    """What condition returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s: {what}")


class Container:
    def __init__(self, name):
        self.name = name
        self.ports = {}  # in the container -> on the host, while it runs

    def inspect(self):
        return json.loads(docker("inspect", self.name).stdout)[0]

    def restart(self):
        docker("restart", self.name)
        self.ports.clear()

    @property
    def running(self):
        return self.inspect()["State"]["Running"]

    @property
    def health(self):
        return self.inspect()["State"]["Health"]["Status"]

    @property
    def logs(self):
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def exec(self, *argv, user=None, check=True):
        done = docker("exec", *(["--user", user] if user else []), self.name, *argv, check=check)
        return done.stdout.strip()

    def server_pid(self):
        """The process that listens: the one whose command line says jupyter, and that is nobody's wrapper."""
        return self.exec("pgrep", "--newest", "--full", "jupyter-(lab|server|notebook|nbclassic)").split()[0]

    def get(self, path, token=TOKEN, port=8888, scheme="http"):
        """Status of a request from the host, 0 if nothing answers."""
        if port not in self.ports:
            published = self.inspect()["NetworkSettings"]["Ports"].get(f"{port}/tcp")
            if not published:
                return 0
            self.ports[port] = published[0]["HostPort"]
        url = f"{scheme}://127.0.0.1:{self.ports[port]}{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"token {token}"} if token else {})
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
        )
        try:
            with opener.open(request, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def ready(self, path="/api/status", **how):
        """Wait until the server answers a request with the token."""

        def answers():
            status = self.get(path, **how)
            assert status or self.running, f"the container ended:\n{self.logs}"
            return status == 200

        until(answers, f"an answer on {path}")
        return self


@pytest.fixture(scope="session")
def image():
    name = os.environ.get("MLENV_IMAGE")
    assert name, "Name the image to test: MLENV_IMAGE=mlenv-test:minimal"
    assert docker("image", "inspect", name, check=False).returncode == 0, f"Image {name} (MLENV_IMAGE) is not here."
    return name


@pytest.fixture(scope="session")
def scripts(image):
    """The day that the start scripts of this image are of, as far as their own text tells: a tag or the age of a file would not."""
    look = [f"grep -qsF -e '{words}' /usr/local/bin/{name} && echo {day}" for day, name, words in CHANGES]
    found = docker("run", "--rm", "--label", "contract", "--entrypoint", "sh", image, "-c", f"{'; '.join(look)}; true").stdout.split()
    # Something newer without all that came before it is nobody's, and held to nothing new.
    known = [day for number, (day, _name, _words) in enumerate(CHANGES) if found[-(len(CHANGES) - number) :] == [day for day, *_ in CHANGES[number:]]]
    return max(known, default=OLDEST)


@pytest.fixture(autouse=True)
def as_old_as_its_scripts(request):
    """What Docker Stacks does only since some day is asked of scripts that are as new as that."""
    mark = request.node.get_closest_marker("since")
    if mark:
        (day, was), scripts = mark.args, request.getfixturevalue("scripts")
        if scripts < day:
            pytest.skip(f"Docker Stacks does so since {day}, and the scripts of this image are older: there, {was}.")


@pytest.fixture(scope="session")
def config(image):
    return json.loads(docker("image", "inspect", image).stdout)[0]["Config"]


@pytest.fixture(scope="session")
def run(image):
    """run("--user", "root", command=["id"]): run a command through the image's entrypoint, to its end."""

    def run_to_end(*options, command, check=True):
        return docker("run", "--rm", "--label", "contract", *options, image, *command, check=check)

    return run_to_end


@pytest.fixture
def start(image):
    """start("--env", "X=y"): a container in the background, with the token TOKEN."""
    started = []

    def start_it(*options, command=(), token=TOKEN):
        name = f"contract-{uuid.uuid4().hex[:12]}"
        started.append(name)
        secret = ["--env", f"JUPYTER_TOKEN={token}"] if token else []
        # The check of Docker Stacks must come back within a second, which a busy machine cannot do. What it says is tested here, not how soon.
        patience = ["--health-timeout", "30s", "--label", "contract", "--publish", "127.0.0.1::8888"]
        docker("run", "--detach", "--name", name, *patience, *secret, *options, image, *command)
        return Container(name)

    yield start_it
    for name in started:
        docker("rm", "--force", "--volumes", name, check=False)


@pytest.fixture
def volume():
    name = f"contract-{uuid.uuid4().hex[:12]}"
    docker("volume", "create", "--label", "contract", name)
    yield name
    for user in docker("ps", "--all", "--quiet", "--filter", f"volume={name}").stdout.split():
        docker("rm", "--force", user)
    docker("volume", "rm", name)
