# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we make of an engine's words. Whether engines say them is for the integration tests, with real ones."""

from __future__ import annotations

import json
import time
import types

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _exec
from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import (
    ENGINE_ARGUMENTS,
    Container,
    Engine,
    EngineError,
    Result,
    engine_trouble,
    refuse_unstarted,
)


def container(user="", env=(), **state):
    return Container({"Name": "/lab", "State": {"Status": "running", **state}, "Config": {"User": user, "Env": list(env)}})


def engine(rc, out, err):
    return Engine(lambda command, **how: (rc, out, err))


@pytest.mark.parametrize(
    ("cli", "given", "expected"),
    [
        ("docker", {}, []),
        ("docker", {"docker_host": "ssh://gpu1.example.com"}, ["--host", "ssh://gpu1.example.com"]),
        ("/opt/docker", {"cli_context": "gpu1", "validate_certs": True}, ["--context", "gpu1", "--tlsverify"]),
        (
            "docker",
            {"ca_path": "/ca", "client_cert": "/cert", "client_key": "/key"},
            ["--tlscacert", "/ca", "--tlscert", "/cert", "--tlskey", "/key"],
        ),
        ("podman", {"docker_host": "tcp://gpu1.example.com:1", "ca_path": "/ca"}, ["--url", "tcp://gpu1.example.com:1", "--tls-ca", "/ca"]),
        ("/usr/bin/podman-remote", {"cli_context": "gpu1", "validate_certs": True}, ["--connection", "gpu1"]),
    ],
)
def test_how_the_client_is_told_where_the_engine_is(cli, given, expected):
    params = {name: argument.get("default") for name, argument in ENGINE_ARGUMENTS.items()}
    commands = []
    Engine.of(lambda command, **how: commands.append(command) or (0, "", ""), {**params, "docker_cli": cli, **given}).run("version")
    assert commands == [[cli, *expected, "version"]]


@pytest.mark.parametrize(
    ("user", "env", "expected"),
    [
        ("root", ["NB_USER=jovyan", "HOME=/home/jovyan"], (True, "jovyan", "/home/jovyan")),
        ("", ["NB_USER=alice", "HOME=/home/jovyan"], (True, "alice", "/home/alice")),
        ("0:0", ["NB_USER=alice"], (True, "alice", "/home/alice")),
        ("1000", ["NB_USER=jovyan", "HOME=/home/jovyan"], (False, "jovyan", "/home/jovyan")),
        ("1000:100", ["NB_USER=alice", "HOME=/home/jovyan"], (False, "alice", "/home/jovyan")),
        ("root", ["NB_USER=root", "NB_UID=0", "HOME=/home/jovyan"], (True, "root", "/home/root")),
        ("root", ["HOME=/root"], (True, "root", "/root")),
        ("", [], (True, "root", "/root")),
    ],
)
def test_who_the_lab_user_is(user, env, expected):
    found = container(user, env)
    assert (found.started_as_root, found.user, found.home) == expected


@pytest.mark.parametrize(
    ("rc", "err", "sentence"),
    [
        (126, "unable to find user x: no matching entries in passwd file", "^Container lab has no user x.$"),
        (255, "Error: unable to find user x: no matching entries in passwd file", "^Container lab has no user x.$"),
        (127, 'OCI runtime exec failed: exec: "python3": executable file not found in $PATH: unknown', "^Container lab has no python3 that user x can run.$"),
        (127, "Error: crun: executable file `python3` not found in $PATH: No such file or directory", "^Container lab has no python3 "),
        (1, "Error response from daemon: Container 0f is not running", "^Container lab ended while it was asked"),
        (255, "Error: OCI runtime error: runc: exec failed: cannot exec in a stopped container", "^Container lab ended while it was asked"),
        (125, "Error: something else", "^Container lab: The engine's client"),
    ],
)
def test_what_could_not_be_started(rc, err, sentence):
    with pytest.raises(EngineError, match=sentence):
        refuse_unstarted(Result(rc, "", err), container(), "x", "python3")


@pytest.mark.parametrize(
    "err",
    [
        "Error: No such container: lab",
        "Error response from daemon: No such container: lab",
        "Error: inspecting object: no such container lab",
        "Error: no such object: lab",
    ],
)
def test_a_container_that_is_not_there(err):
    assert engine(1, "[]", err).inspect("lab") is None


@pytest.mark.parametrize(
    ("err", "sentence"),
    [
        ("Error: unable to connect to Podman socket: dial unix /nowhere.sock: connect: no such file or directory", "^No engine answers docker"),
        ("error during connect: dial tcp: lookup nowhere.example.com on 127.0.0.1:53: no such host", "no such host"),
        ("Failed to initialize: unable to resolve docker endpoint: open /certs/ca.pem: no such file or directory", "/certs/ca.pem"),
    ],
)
def test_an_engine_that_cannot_be_reached_has_no_containers_that_we_know_of(err, sentence):
    with pytest.raises(EngineError, match=sentence):
        engine(1, "[]", err).inspect("lab")


@pytest.mark.parametrize("err", ["Traceback (most recent call last):", "the server is not running", ""])
def test_a_program_that_failed_by_itself_is_its_own_business(err):
    refuse_unstarted(Result(1, "", err), container(), "x", "python3")


@pytest.mark.parametrize(
    ("err", "sentence"),
    [
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "No engine answers docker"),
        ("permission denied while trying to connect to the Docker daemon socket", "This user may not talk to the engine"),
        ("error during connect: stderr=jo@gpu1.example.com: Permission denied (publickey).", "The engine's client docker failed: "),
        ("unknown flag: --tlsverify\nSee 'docker --help'.", "failed: unknown flag: --tlsverify"),
        ("", "said nothing"),
    ],
)
def test_engine_trouble(err, sentence):
    assert sentence in engine_trouble("docker", err)


def test_the_home_of_another_user_is_asked_of_the_python_that_is_to_run():
    commands = []
    asked = Engine(lambda command, **how: commands.append(command) or (0, "/home/bob\n", ""))
    asked.exec(container("root", ["NB_USER=jovyan"]), "/opt/conda/bin/python", "-", user="bob")
    assert ["/opt/conda/bin/python" in command and "python3" not in command for command in commands] == [True, True]
    assert "HOME=/home/bob" in commands[1]


@pytest.mark.parametrize("cli", ["~/bin/docker", "~alice/docker", "bin/docker", "./docker"])
def test_client_of_which_each_would_have_another(cli):
    with pytest.raises(EngineError, match="is neither a name nor an absolute path of the host"):
        Engine(None, cli).run("info")


class Lives:
    """An engine that tells of one life of a container after the other, the last of them for ever, and answers each exec the same."""

    def __init__(self, *lives, answers=()):
        self.lives, self.answers, self.execs = list(lives), list(answers), 0

    def __call__(self, argv, **_how):
        if "inspect" in argv:
            life = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
            return (0, json.dumps([life]), "") if life else (1, "[]", "Error: No such container: lab")
        if "logs" in argv:
            return 0, "It began at ?token=abcdef\n", "It ended.\n"
        self.execs += 1
        return self.answers.pop(0)


def life(status="running", since="1", restarts=0, **state):
    return {
        **{"Id": "0f", "Name": "/lab", "RestartCount": restarts, "Config": {"User": "1000", "Env": ["HOME=/home/jovyan"]}},
        "State": {"Status": status, "StartedAt": since, "ExitCode": 0, **state},
    }


@pytest.fixture(name="no_time")
def fixture_no_time(monkeypatch):
    """No time passes but where it is slept."""
    slept = [1000.0]
    monkeypatch.setattr(_exec, "time", types.SimpleNamespace(sleep=slept.append, monotonic=lambda: sum(slept), time=time.time))


KILLED, GOOD = (137, "", ""), (0, "good", "")


@pytest.mark.parametrize(
    ("lives", "answers"),
    [
        ([life()], [GOOD]),
        # It is restarted by its policy, by somebody, or made again, while something is run in it: and each time the engine has other words for it.
        (
            [life(), life("restarting"), life(since="2")],
            [(1, "", "Error response from daemon: Container 0f is restarting, wait until the container is running"), GOOD],
        ),
        ([life(), life("exited"), life(since="2")], [KILLED, GOOD]),
        ([life(), life(), life(), life("exited"), life(since="2")], [KILLED, GOOD]),
        ([life(), None, None, {**life(), "Id": "1f"}], [(1, "", "Error: No such container: lab"), GOOD]),
        ([life(), life(since="2")], [(126, "", "OCI runtime exec failed: error executing setns process: exit status 1: unknown"), GOOD]),
        ([life(), life(since="2")], [(127, "", "OCI runtime exec failed: open /proc/1/ns/ipc: no such file or directory"), GOOD]),
        # It is only coming, or ended this very moment.
        ([life("restarting"), life("restarting"), life()], [GOOD]),
        ([life("exited", FinishedAt="2999-01-01T00:00:00Z"), life()], [GOOD]),
        ([life("paused"), life()], [GOOD]),
    ],
)
def test_a_container_that_comes_and_goes_is_asked_again(no_time, lives, answers):
    asking = Lives(*lives, answers=answers)
    done = Engine(asking).while_it_runs("lab", lambda found: Engine(asking).exec(found, "true"))
    assert (done.out, asking.answers) == ("good", [])


@pytest.mark.parametrize(
    ("lives", "sentence"),
    [
        ([None], "^There is no container lab on this engine.$"),
        ([life("exited", FinishedAt="2020-01-01T00:00:00Z")], r"^Container lab is not running \(exited, exit code 0\): start it first.$"),
        ([life("created")], r"is not running \(created"),
        ([life("paused")], "is paused: unpause it first"),
        ([life("restarting", restarts=3)], r"^Container lab does not stay up \(state restarting, exit code 0, 3 restarts\); its log ends with: It ended.$"),
        ([item for number in range(9) for item in (life(since=str(number)), life("restarting", restarts=number))], "does not stay up"),
        ([life(), None], "^There is no container lab on this engine.$"),
    ],
)
def test_a_container_that_does_not_stay_up_gets_one_sentence(no_time, lives, sentence):
    asking = Lives(*lives, answers=[KILLED] * 99)
    with pytest.raises(EngineError, match=sentence) as error:
        Engine(asking).while_it_runs("lab", lambda found: Engine(asking).exec(found, "true"))
    assert "\n" not in str(error.value) and asking.execs < 9
    assert getattr(error.value, "log", ["It began at ?token=..."])[0] == "It began at ?token=..."


def test_a_program_that_was_killed_in_a_container_that_lives_is_its_own_business(no_time):
    """By the host for want of memory, say."""
    assert Engine(Lives(life(), answers=[KILLED])).exec(Container(life()), "true").rc == 137
