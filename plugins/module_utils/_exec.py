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
from dataclasses import dataclass, field

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


class EngineError(Exception):
    """One sentence for the user: what is wrong, with which container or engine, and what to do."""


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
        Raises EngineError if argv could not be started at all.
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
            refuse_unstarted(result, container, user or container.user, argv[0])
        return result

    def _home_of(self, container: Container, user: str, python: str) -> str:
        """The image's HOME holds for one user only; for any other, ask the container's user database."""
        ask = "import os, pwd; print(pwd.getpwuid(os.getuid()).pw_dir)"
        result = self.run("exec", "--user", user, container.name, python, "-c", ask)
        if result.rc != 0:
            refuse_unstarted(result, container, user, python)
            raise EngineError(f"Container {container.name} does not know the home of user {user}.")
        return result.out.strip()

    def running(self, name: str) -> Container:
        """The container of that name, able to run something. Raises EngineError, with what to do, if it is not."""
        container = self.inspect(name)
        if container is None:
            raise EngineError(f"There is no container {name} on this engine.")
        if container.state == "paused":
            raise EngineError(f"Container {name} is paused: unpause it first.")
        if container.state == "restarting":
            raise EngineError(f"Container {name} is restarting over and over (exit code {container.exit_code}): its log says why.")
        if container.state != "running":
            raise EngineError(f"Container {name} is not running ({container.state}, exit code {container.exit_code}): start it first.")
        return container

    def inspect(self, name: str) -> Container | None:
        """The container of that name, None if there is none. Raises EngineError if the engine does not answer."""
        result = self.run("container", "inspect", name)
        if result.rc == 0:
            return Container(json.loads(result.out)[0])
        if re.search(r"no such (container|object)", result.err.lower()):
            return None
        raise EngineError(engine_trouble(self.cli, result.err))


def refuse_client(cli: str) -> None:
    """Raise EngineError if a client is named by a path that means another file for each user, or in each directory."""
    if cli.startswith("~") or ("/" in cli and not cli.startswith("/")):
        raise EngineError(f"The engine's client {cli} is neither a name nor an absolute path of the host: write it as in docker or /usr/bin/docker.")


def refuse_unstarted(result: Result, container: Container, user: str, program: str) -> None:
    """Raise EngineError if the engine could not start a program in the container; its own failures are its own."""
    text = (result.err or result.out).strip()
    low = text.lower()
    if result.rc in (125, 126, 127, 255):
        if "unable to find user" in low or "no matching entries in passwd" in low:
            raise EngineError(f"Container {container.name} has no user {user}.")
        if "executable file" in low or "no such file" in low or "permission denied" in low:
            raise EngineError(f"Container {container.name} has no {program} that user {user} can run.")
    if low.startswith(("error response from daemon", "error: no such container", "error: can only")) or "in a stopped container" in low:
        raise EngineError(f"Container {container.name} went away while we were looking at it: {text}")
    if result.rc == 125 or low.startswith(("cannot connect", "oci runtime", "error during connect")):
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
