"""What the scenarios share: a lab as people see it, a run of the role and what it says that it changed, and how things are."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import json
import os
import pathlib
import re
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings

import testinfra

HOST = testinfra.get_host("local://")
STATE = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SHARED = pathlib.Path(__file__).parent / "shared"
# The numbers that the lab's user gets where no owner is named: those of who runs the tests, but never root's.
OWNER = (os.getuid(), os.getgid()) if os.getuid() else (1000, 100)


class Lab:
    """A lab, from the outside. Everything is asked anew, since tests break labs and mend them."""

    def __init__(self, name: str):
        self.name = name

    @property
    def exists(self) -> bool:
        return HOST.run("docker container inspect %s", self.name).rc == 0

    @property
    def inspect(self) -> dict:
        return json.loads(HOST.check_output("docker container inspect %s", self.name))[0]

    @property
    def state(self) -> str:
        return self.inspect["State"]["Status"] if self.exists else "absent"

    @property
    def story(self) -> str:
        """What the engine and the lab itself say of its last minutes, for a test that fails."""
        events = HOST.run("docker events --since 10m --until 0s --filter %s", f"container={self.name}").stdout
        return f"{self.inspect['State']}\n{events}\n{HOST.run('docker logs --tail 30 %s 2>&1', self.name).stdout}"

    @property
    def health(self) -> str:
        return self.inspect["State"]["Health"]["Status"]

    @property
    def mounts(self) -> dict:
        """Path in the container -> volume's name, or directory of the host."""
        return {mount["Destination"]: mount.get("Name") or mount["Source"] for mount in self.inspect["Mounts"]}

    @property
    def token(self) -> str:
        return pathlib.Path(self.mounts["/etc/mlenv"], "token").read_text(encoding="ascii")

    @property
    def processes(self) -> list:
        """Number on the host, uid and command of all that runs in the lab."""
        return [line.split(maxsplit=2) for line in HOST.check_output("docker top %s -eo pid,uid,args", self.name).splitlines()[1:]]

    @property
    def server_pid(self) -> str:
        return next(pid for pid, _uid, command in self.processes if "jupyter-lab" in command and "sudo" not in command)

    @property
    def url(self) -> str:
        inspect = self.inspect
        labels, [[binding]] = inspect["Config"]["Labels"], inspect["HostConfig"]["PortBindings"].values()
        return f"{labels['mlenv.jupyter.scheme']}://{binding['HostIp']}:{binding['HostPort']}{labels['mlenv.jupyter.base-url']}"

    def run(self, *argv: str):
        """Run something in the lab as its user: the container's own, or the one for whom root started it."""
        config = self.inspect["Config"]
        user = dict(item.partition("=")[::2] for item in config["Env"])["NB_USER"] if config["User"] == "root" else config["User"]
        return HOST.run(" ".join(["docker exec --user %s %s", *["%s"] * len(argv)]), user, self.name, *argv)

    def ask(self, path: str = "api/status", token: str | None = None, data: dict | None = None) -> tuple:
        """Status and answer of the server, asked from this host: GET, or POST if there is data. Token None is the right one."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.url + path, body)
        token = self.token if token is None else token
        if token:
            request.add_header("Authorization", f"token {token}")
        try:
            with urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, {}
        except OSError:
            return 0, {}  # nobody answers

    def opens(self, **asked) -> bool:
        return self.ask(**asked)[0] == 200


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run of ansible-playbook said."""

    rc: int
    out: str

    @property
    def changed(self) -> list:
        """Names of the tasks that changed something, or would."""
        return self._tasks("changed")

    @property
    def failures(self) -> dict:
        """Host -> the sentence with which it failed."""
        found = re.finditer(r"^fatal: \[(.*?)\]: (?:FAILED|UNREACHABLE)! => ", self.out, re.MULTILINE)
        return {begin[1]: json.JSONDecoder().raw_decode(self.out, begin.end())[0]["msg"] for begin in found}

    def _tasks(self, outcome: str) -> list:
        task, found = "", []
        for line in self.out.splitlines():
            if line.startswith("TASK ["):
                task = line[line.index("[") + 1 : line.rindex("]")].rpartition(" : ")[2]
            elif line.startswith(f"{outcome}: [") and task not in found:
                found.append(task)
        return found


def play(playbook: str | pathlib.Path | None = None, *options: str, **variables) -> Run:
    """Run a playbook, the role on the scenario's labs if none is named. The variables go before all others."""
    inventory, playbook = STATE / "inventory", playbook or SHARED / "lab.yml"
    rc, out = ansible_playbook(f"--inventory={inventory}", f"--extra-vars={json.dumps(variables)}", *options, str(playbook))
    print(out)  # pytest shows it if the test fails
    assert "no hosts matched" not in out
    return Run(rc, out)


@functools.cache
def ansible_cli():
    """The command ansible-playbook, with what each run, and each task of it, would read anew: plugins, and what ours import."""
    from ansible.cli import playbook
    from ansible.plugins import loader

    loader.init_plugin_loader()
    for kind in ("action", "become", "callback", "connection", "inventory", "lookup", "shell", "strategy"):
        list(getattr(loader, f"{kind}_loader").all(class_only=True))
    for plugins in (loader.filter_loader, loader.test_loader):
        list(plugins.all())
    for ours in (SHARED.parent.parent / "plugins/filter").glob("*.py"):
        loader.filter_loader.get(f"mlenv.jupyter.{ours.stem}")
    importlib.import_module("ansible_collections.mlenv.jupyter.plugins.action.lab_info")
    return playbook


def ansible_playbook(*arguments: str) -> tuple:
    """Exit status of ansible-playbook, and what it said. It is loaded once, and forked for each run: its start takes as long as many a run."""
    os.environ.update(ANSIBLE_CALLBACK_RESULT_FORMAT="json", ANSIBLE_NOCOLOR="1", ANSIBLE_FORCE_COLOR="0")
    playbook = ansible_cli()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        child = os.fork()
        if child == 0:
            for stream, number in ((os.open(os.devnull, os.O_RDONLY), 0), (said.fileno(), 1), (said.fileno(), 2)):
                os.dup2(stream, number)
            sys.stdin, sys.stdout, sys.stderr = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8"), open(2, "w", encoding="utf-8")
            rc = 1
            warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")  # above
            try:
                playbook.main(["ansible-playbook", *arguments])
            except SystemExit as end:
                rc = end.code or 0
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(rc)
        rc = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return rc, said.read()


def converge(*options: str, **variables) -> Run:
    """Bring the scenario's labs into their state: it must succeed."""
    run = play(None, *options, **variables)
    assert run.rc == 0, run.failures
    return run


def wait_until(holds, seconds: float = 120) -> bool:
    """Whether something comes to hold in that time, which is long: machines for tests are busy."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def engine_state() -> dict:
    """What the engine has of this scenario: containers as they are and since when, and volumes."""
    mine = f"name=molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
    names = HOST.check_output("docker ps --all --quiet --filter %s", mine).split()
    containers = json.loads(HOST.check_output("docker container inspect " + " ".join(names))) if names else []
    volumes = HOST.check_output("docker volume ls --quiet --filter %s", mine).split()
    settings = ("Memory", "NanoCpus", "RestartPolicy")
    return {
        "containers": {
            item["Name"]: (item["Id"], item["State"]["Status"], item["State"]["StartedAt"], [item["HostConfig"][key] for key in settings])
            for item in containers
        },
        "volumes": sorted(volumes),
    }


def find_again(server: str) -> None:
    """A server that was started again may have another address, as after many a power cut."""
    address = HOST.check_output("docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' %s", server)
    config = STATE / "ssh_config"
    config.write_text(re.sub(rf"(Host {server}\n  HostName ).*", rf"\g<1>{address}", config.read_text(encoding="utf-8")), encoding="utf-8")


def files(*roots: pathlib.Path) -> dict:
    """Path -> mode, owner, content and time of change of all files below."""
    found = {}
    for root in roots:
        for path in [root, *root.rglob("*")] if root.exists() else []:
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, content, status.st_mtime_ns)
    return found
