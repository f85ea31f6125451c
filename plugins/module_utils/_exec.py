# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How anything is run in a container: the one file that knows the engine's command line client.

Private to the collection. Works with every client that speaks Docker's command line: docker, podman.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field
from datetime import datetime

# What a module takes to find its engine, as community.docker names it.
ENGINE_ARGUMENTS = {
    "docker_cli": {"type": "str", "default": "docker"},
    "docker_host": {"type": "str"},
    "cli_context": {"type": "str"},
    "validate_certs": {"type": "bool", "default": False},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path"},
}
# The clients' options for that. Podman's (from 5.7 on) verifies whenever it encrypts.
DOCKER_OPTIONS = {
    "docker_host": "--host",
    "cli_context": "--context",
    "validate_certs": "--tlsverify",
    "ca_path": "--tlscacert",
    "client_cert": "--tlscert",
    "client_key": "--tlskey",
}
PODMAN_OPTIONS = {
    "docker_host": "--url",
    "cli_context": "--connection",
    "ca_path": "--tls-ca",
    "client_cert": "--tls-cert",
    "client_key": "--tls-key",
}


# Exit codes from here on may be the client's, or those of a program that was killed.
FIRST_OF_ENGINE = 125
OF_ENGINE = ("error response from daemon", "error: no such container", "error: can only", "cannot connect", "oci runtime", "error during connect")
NO_CONTAINER = re.compile("no such (container|object)")
GONE = re.compile("^error response from daemon.* is (not running|restarting)|no such (container|exec)|can only (create|exec)|in a stopped container")
# A program that was killed ends so; and how long an engine may take to notice that the container ended with it, in seconds.
KILLED, NOTICED = 137, 2.0
JUST_NOW, PAUSED = 5.0, 3.0
# How long a container that comes and goes is waited for, in seconds; after how many restarts it is not any more; and how often it is asked.
COMING, CRASHES, TRIES = 20.0, 3, 5
COMING_AGAIN = ("absent", "created", "exited", "dead", "removing", "restarting")
LOG_LINES = 15


class EngineError(Exception):
    """One sentence for the user: what is wrong, with which container or engine, and what to do."""


class ContainerDown(EngineError):
    """A container that does not stay up, with the end of its log."""

    def __init__(self, sentence: str, log: list):
        super().__init__(sentence)
        self.log = log


class ContainerGone(EngineError):
    """The container ended, or began again, while something was run in it. Asking again may help."""


@dataclass(frozen=True)
class Result:
    """What a command left behind. Source: AnsibleModule.run_command."""

    rc: int
    out: str
    err: str


@dataclass(frozen=True)
class Container:
    """What an engine says of one container (``inspect``), under the names that we use."""

    raw: dict = field(repr=False)

    @property
    def name(self) -> str:
        return self.raw["Name"].lstrip("/")

    @property
    def state(self) -> str:
        """created, running, paused, restarting, removing, exited or dead."""
        return self.raw["State"]["Status"]

    @property
    def started_at(self) -> str:
        return self.raw["State"].get("StartedAt", "")

    @property
    def since(self) -> tuple:
        """Which container it is, and since when it runs: another one after each start."""
        return self.raw.get("Id", ""), self.started_at

    @property
    def restarts(self) -> int:
        """How often the engine has restarted it by itself since somebody started it."""
        return self.raw.get("RestartCount", 0)

    @property
    def ended_ago(self) -> float:
        """For how many seconds it has not run, infinity if it never ran."""
        ended = self.raw["State"].get("FinishedAt", "")
        return time.time() - read_time(ended) if ended and not ended.startswith("0001-") else float("inf")

    @property
    def exit_code(self) -> int:
        return self.raw["State"].get("ExitCode", 0)

    @property
    def env(self) -> dict:
        return dict(item.partition("=")[::2] for item in self.raw["Config"].get("Env") or [])

    @property
    def started_as_root(self) -> bool:
        user = (self.raw["Config"].get("User") or "root").partition(":")[0]
        return user in ("root", "0")

    @property
    def user(self) -> str:
        """The lab's user: NB_USER, else who the container was started as."""
        return self.env.get("NB_USER") or self.raw["Config"].get("User") or "root"

    @property
    def home(self) -> str:
        """HOME of the lab's user. The image's HOME stays /home/jovyan when the start scripts rename the user."""
        if self.started_as_root and "NB_USER" in self.env:
            return f"/home/{self.user}"
        return self.env.get("HOME") or ("/root" if self.user == "root" else f"/home/{self.user}")


class Engine:
    """The engine of the managed host, through its command line client.

    run_command: AnsibleModule.run_command or a stand-in with its signature and result.
    cli: name or path of the client. where: the rest of ENGINE_ARGUMENTS, by name; the client's own default for what is left out.
    """

    def __init__(self, run_command, cli: str = "docker", docker_host: str | None = None, **where):
        self.run_command = run_command
        self.cli = cli
        self._base = [cli]
        options = PODMAN_OPTIONS if os.path.basename(cli).startswith("podman") else DOCKER_OPTIONS
        for name, value in {"docker_host": docker_host, **where}.items():
            if value and name in options:
                self._base += [options[name]] if value is True else [options[name], value]

    @classmethod
    def of(cls, run_command, params: dict) -> Engine:
        """The engine that a module's parameters name."""
        where = {name: params[name] for name in ENGINE_ARGUMENTS if name != "docker_cli"}
        return cls(run_command, params["docker_cli"], **where)

    def run(self, *argv: str, stdin: str | None = None) -> Result:
        """Run the client with these arguments. Raises EngineError if there is no such client."""
        refuse_client(self.cli)
        command = [*self._base, *argv]
        try:
            rc, out, err = self.run_command(command, data=stdin, binary_data=True, handle_exceptions=False)
        except OSError as error:
            raise EngineError(f"There is no client {self.cli} on this host that can be run ({error.strerror}): install it, or name another.") from error
        return Result(rc, out, err)

    def exec(self, container: Container, *argv: str, stdin: str | None = None, env: dict | None = None, user: str | None = None) -> Result:
        """Run argv in the container as the lab's user (or another, by name: then argv begins with a Python), with that user's HOME.

        A container that was not started as root has one user, and naming it by number would drop its
        supplementary groups: so it is named only where there is a choice.
        Raises EngineError if argv could not be started at all, ContainerGone if the container ended meanwhile.
        """
        options = ["--interactive"] if stdin is not None else []
        home = container.home
        if user and user != container.user:
            home = self._home_of(container, user, argv[0])
            options += ["--user", user]
        elif container.started_as_root:
            options += ["--user", container.user]
        for key, value in {"HOME": home, **(env or {})}.items():
            options += ["--env", f"{key}={value}"]
        result = self.run("exec", *options, container.name, *argv, stdin=stdin)
        if result.rc != 0:
            self._refuse_gone(result, container)
            refuse_unstarted(result, container, user or container.user, argv[0])
        return result

    def _refuse_gone(self, result: Result, container: Container) -> None:
        """Raise ContainerGone if the container is not the one that it was: whatever words a failure has, that is then its reason."""
        if result.rc < FIRST_OF_ENGINE and not says_engine(result):
            return
        # A program is killed first, and its container is said to have ended after that.
        deadline = time.monotonic() + (NOTICED if result.rc == KILLED else 0.0)
        while True:
            again = self.inspect(container.name)
            if again is None or again.state != "running" or again.since != container.since:
                raise ContainerGone(f"Container {container.name} ended while it was asked ({'it is removed' if again is None else again.state}).")
            if time.monotonic() >= deadline:
                return
            time.sleep(0.2)

    def _home_of(self, container: Container, user: str, python: str) -> str:
        """The image's HOME holds for one user only; for any other, ask the container's user database."""
        ask = "import os, pwd; print(pwd.getpwuid(os.getuid()).pw_dir)"
        result = self.run("exec", "--user", user, container.name, python, "-c", ask)
        if result.rc != 0:
            self._refuse_gone(result, container)
            refuse_unstarted(result, container, user, python)
            raise EngineError(f"Container {container.name} does not know the home of user {user}.")
        return result.out.strip()

    def running(self, name: str, coming: tuple = ("restarting",), patience: float = COMING) -> Container:
        """The container of that name, able to run something. Raises EngineError, with what to do, if it is not.

        One in a state of ``coming`` is waited for, for so many seconds: absent, or a state that an engine has.
        """
        deadline = time.monotonic() + patience
        while True:
            container = self.inspect(name)
            state = "absent" if container is None else container.state
            # One that ended this very moment may be in the midst of a restart.
            awaited = state in coming or (state in COMING_AGAIN and container is not None and container.ended_ago < JUST_NOW)
            # As it is while somebody makes an image of it.
            awaited = awaited or (state == "paused" and time.monotonic() < deadline - patience + PAUSED)
            if not awaited or time.monotonic() >= deadline or (container is not None and crashes(container)):
                break
            time.sleep(0.25)
        if container is None:
            raise EngineError(f"There is no container {name} on this engine.")
        if state == "paused":
            raise EngineError(f"Container {name} is paused: unpause it first.")
        if state == "restarting":
            raise self.down(container)
        if state != "running":
            raise EngineError(f"Container {name} is not running ({state}, exit code {container.exit_code}): start it first.")
        return container

    def while_it_runs(self, name: str, do):
        """What ``do`` returns for the container, which is asked again if it ended meanwhile. Raises EngineError if it does not stay up."""
        container = self.running(name)
        for tried in range(TRIES):
            try:
                return do(container)
            except ContainerGone:
                if tried == TRIES - 1:
                    again = self.inspect(name)
                    raise self.down(again or container) from None
            container = self.running(name, COMING_AGAIN)
        raise AssertionError  # not reached

    def down(self, container: Container) -> ContainerDown:
        """The error for a container that does not stay up, with the end of its log."""
        words = f"state {container.state}, exit code {container.exit_code}, {container.restarts} restarts"
        lines = self.log(container.name, LOG_LINES)
        end = f"its log ends with: {lines[-1].strip()}" if lines else "its log is empty"
        return ContainerDown(f"Container {container.name} does not stay up ({words}); {end}", lines)

    def log(self, name: str, lines: int) -> list:
        """The last lines of a container's log, with tokens masked; none if there is no such container."""
        result = self.run("logs", "--tail", str(lines), name)
        if result.rc != 0 and NO_CONTAINER.search(result.err.lower()):
            return []
        return [re.sub(r"(token=)[^\s&\"']+", r"\1...", line) for line in (result.out + result.err).splitlines()]

    def inspect(self, name: str) -> Container | None:
        """The container of that name, None if there is none. Raises EngineError if the engine does not answer."""
        result = self.run("container", "inspect", name)
        if result.rc == 0:
            return Container(json.loads(result.out)[0])
        if NO_CONTAINER.search(result.err.lower()):
            return None
        raise EngineError(engine_trouble(self.cli, result.err))


def refuse_client(cli: str) -> None:
    """Raise EngineError if a client is named by a path that means another file for each user, or in each directory."""
    if cli.startswith("~") or ("/" in cli and not cli.startswith("/")):
        raise EngineError(f"The engine's client {cli} is neither a name nor an absolute path of the host: write it as in docker or /usr/bin/docker.")


def read_time(text: str) -> float:
    """A time as an engine writes it, to the nanosecond, which Python does not read -> seconds since 1970; now, if it is none."""
    found = re.match(r"(\d+-\d+-\d+T\d+:\d+:\d+)(?:\.\d+)?(Z|[+-]\d+:\d+)$", text)
    return datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00")).timestamp() if found else time.time()


def crashes(container: Container) -> bool:
    """Whether it ended so often by itself that it will do so again."""
    return container.state == "restarting" and container.restarts >= CRASHES


def says_engine(result: Result) -> bool:
    """Whether these are the words of the engine or its client, not of a program in the container."""
    return (result.err or result.out).strip().lower().startswith(OF_ENGINE)


def refuse_unstarted(result: Result, container: Container, user: str, program: str) -> None:
    """Raise EngineError if the engine could not start a program in the container; its own failures are its own."""
    text = (result.err or result.out).strip()
    low = text.lower()
    if result.rc in (125, 126, 127, 255):
        if "unable to find user" in low or "no matching entries in passwd" in low:
            raise EngineError(f"Container {container.name} has no user {user}.")
        if "executable file" in low or "no such file" in low or "permission denied" in low:
            raise EngineError(f"Container {container.name} has no {program} that user {user} can run.")
    if GONE.search(low):
        raise ContainerGone(f"Container {container.name} ended while it was asked.")
    if result.rc == 125 or says_engine(result):
        raise EngineError(f"Container {container.name}: {engine_trouble('the engine', text)}")


def engine_trouble(cli: str, err: str) -> str:
    """The client's complaint about its engine as one sentence with a way out."""
    lines = [line for line in err.strip().splitlines() if not line.startswith("See '")]
    text = lines[-1] if lines else "it said nothing"
    low = err.lower()
    if "permission denied" in low and "permission denied (" not in low:  # as ssh says it, of its keys
        return (
            f"This user may not talk to the engine ({text}): "
            "run the play with become, or add the user to the engine's group (engine_users in role mlenv.jupyter.engine)."
        )
    if "cannot connect" in low or "is the docker daemon running" in low or "connection refused" in low or "connect: no such file" in low:
        return f"No engine answers {cli} on this host ({text}): start it, or run role mlenv.jupyter.engine first."
    return f"The engine's client {cli} failed: {text}"
