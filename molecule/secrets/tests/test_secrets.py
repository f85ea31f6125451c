"""Secrets, each with a mark of its own, are where they are needed and nowhere else: not on the way, not afterwards, not when things go wrong."""

from __future__ import annotations

import base64
import os
import pathlib
import re
import socket
import subprocess
import threading
import time

import pytest
from helpers import HOST, STATE, Lab, play, wait_until

ROOTED, HARDENED = LABS = Lab("molecule-secrets"), Lab("molecule-secrets-hardened")
FILES = STATE / "files"
SYSLOG, THEIRS = pathlib.Path("/dev/log"), pathlib.Path("/dev/log.theirs")
CONVERGE, SENT = (pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], name) for name in ("converge.yml", "sent.yml"))
SECRETS = {
    "token": "marked-token-Zq3t",
    "password's hash": "markedHashbglbwRpOFuBNTYrymAEH6370Q2zeS1eF4GM6Do",
    "environment": "marked-environment-Yw8r",
    "login of the registry": "marked-login-Xe5y",
    "index": "marked-index-Vu7i",
    "further index": "marked-extra-To2p",
    "index of a line": "marked-line-Nb9s",
    "passphrase of the CA": "marked-passphrase-Rs4a",
    "index, wrong": "marked-wrong-Kj6d",
}
# Secrets that are made, not given: one line of each.
KEYS = {"key of the lab": FILES / "key.pem", "key of the CA": STATE / "ca/ca.key", "key of the hardened lab": STATE / HARDENED.name / "config/server.pem"}


def forms(secret: str) -> list:
    """How it could be written: as it is, and in base64 behind any number of other characters."""
    padded = [base64.b64encode(b" " * before + secret.encode()).decode().rstrip("=") for before in range(3)]
    return [secret, *(text[4:-1] for text in padded)]


def needles() -> dict:
    made = {name: path.read_text(encoding="ascii").splitlines()[2] for name, path in KEYS.items() if path.exists()}
    return {name: [form.encode() for form in forms(secret)] for name, secret in (SECRETS | made).items()}


def leaks(text: str | bytes) -> set:
    """Names of the secrets in there."""
    content = text.encode() if isinstance(text, str) else text
    return {name for name, written in needles().items() if any(form in content for form in written)}


class Watch:
    """What everybody on the host can see of a run, those in containers as well: command lines, and what is sent to syslog."""

    def __enter__(self):
        self.commands, self.syslog, self._over = set(), [], threading.Event()
        # Whoever listens there already is set aside meanwhile, or still is, since a run was killed.
        if os.path.lexists(THEIRS):
            SYSLOG.unlink(missing_ok=True)
        elif os.path.lexists(SYSLOG):
            SYSLOG.rename(THEIRS)
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._link.settimeout(0.2)
        self._link.bind(str(SYSLOG))
        self._threads = [threading.Thread(target=work) for work in (self._watch_commands, self._listen)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception):
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._link.close()
        SYSLOG.unlink()
        if os.path.lexists(THEIRS):
            THEIRS.rename(SYSLOG)

    def _watch_commands(self):
        while not self._over.is_set():
            for process in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{process}/cmdline", "rb") as file:
                        self.commands.add(file.read())
                except OSError:
                    pass  # it is gone
            time.sleep(0.02)

    def _listen(self):
        while not self._over.is_set():
            try:
                self.syslog.append(self._link.recv(65536))
            except TimeoutError:
                pass


@pytest.fixture(scope="module")
def run():
    """Everything that takes a secret, watched and as talkative as it gets: a first run, one without anything to do, one that fails, and playbooks."""
    FILES.joinpath("wrong").write_text("http://reader:marked-wrong-Kj6d@index:8099/simple", encoding="ascii")
    wrong = {"lab_packages": ["made-up", "made-up-and-missing"], "lab_index_url": f"{{{{ lookup('ansible.builtin.file', '{FILES}/wrong') }}}}"}
    loud, began = ("-vvvv", "--diff"), time.time()
    with Watch() as watch:
        runs = {
            "check": play(CONVERGE, *loud, "--check"),
            "first": play(CONVERGE, *loud),
            "second": play(CONVERGE, *loud),
            "wrong": play(CONVERGE, *loud, "--limit", ROOTED.name, **wrong),
            "sent": play(SENT, *loud),
            "status": play("mlenv.jupyter.status", *loud),
            "freeze": play("mlenv.jupyter.freeze", *loud, lab_lock_dir=str(STATE / "locks")),
        }
    return {"runs": runs, "watch": watch, "began": began}


def test_the_runs_do_what_they_should(run):
    codes = {name: one.rc for name, one in run["runs"].items()}
    assert codes == {"check": 0, "first": 0, "second": 0, "wrong": 2, "sent": 0, "status": 0, "freeze": 0}
    assert run["runs"]["second"].changed == []
    assert re.search("index index:8099 refuses the credentials", run["runs"]["wrong"].out)


def test_they_are_where_they_are_needed():
    """Else the rest would prove nothing."""
    for lab in LABS:
        assert lab.ask(token=SECRETS["token"])[0] == 200
        assert lab.ask("api/terminals", data={})[0] == 200
        assert wait_until(lambda lab=lab: leaks(lab.run("sh", "-c", "cat /proc/[0-9]*/environ").stdout) == {"environment"})
    assert HOST.run("docker image inspect 127.0.0.1:15031/jupyter/minimal-notebook:2026-11-16").rc == 0
    assert ROOTED.run("python3", "-c", "import made_up").rc == 0
    assert "ENCRYPTED" in KEYS["key of the CA"].read_text(encoding="ascii")
    assert leaks(base64.b64encode(b"reader:" + SECRETS["index"].encode())) == {"index"}


@pytest.mark.parametrize("name", ["check", "first", "second", "wrong", "sent", "status", "freeze"])
def test_output(run, name):
    assert leaks(run["runs"][name].out) == set()


def test_command_lines(run):
    seen = b"\n".join(run["watch"].commands)
    # The watch was awake: it saw what is done in the container, and Ansible's modules.
    assert b"docker\0exec" in seen
    assert b"AnsiballZ_" in seen
    assert leaks(seen) == set()


def test_syslog(run):
    said = b"\n".join(run["watch"].syslog)
    # Not only what Ansible's own modules say.
    assert b"lab_files" in said
    assert leaks(said) == set()


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_engine(run, lab):
    """What the engine tells of the lab and its image, what the lab wrote to its log, and every file in it that is no mount."""
    image, volume = lab.inspect["Image"], lab.mounts["/home/jovyan/.local"]
    said = "".join(HOST.check_output("docker " + command) for command in (
        f"inspect {lab.name} {image} {volume}",
        f"logs {lab.name} 2>&1",
        f"history --no-trunc {image}",
        "history --no-trunc 127.0.0.1:15031/jupyter/minimal-notebook:2026-11-16",
    ))  # fmt: skip
    assert leaks(said) == set()
    assert found_in("docker", "export", lab.name) == set()


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_packages_volume(run, lab):
    """Nothing of an index stays in the installer's cache, nor in its notes."""
    assert found_in("docker", "exec", "--user=root" if lab is ROOTED else "--user=1000", lab.name, "tar", "-c", "-C", "/home/jovyan/.local", ".") == set()


def found_in(*command: str) -> set:
    """Names of the secrets in what a command says, however much that is."""
    patterns = FILES / "patterns"
    patterns.write_bytes(b"\n".join(form for written in needles().values() for form in written))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as said:
        grep = subprocess.run(["grep", "-aoFf", patterns], stdin=said.stdout, stdout=subprocess.PIPE, check=False, env={"LC_ALL": "C"})
    assert said.returncode == 0
    return leaks(grep.stdout)


def test_files(run):
    """What was written since the first run began, on the host and on the controller: secrets are in these files alone, and those are private."""
    homes = {pathlib.Path.home() / ".docker", pathlib.Path.home() / ".ansible", pathlib.Path.home() / ".ansible_async", pathlib.Path.home() / ".cache"}
    roots = [pathlib.Path(text) for text in ("/tmp", "/var/tmp", "/var/log", "/dev/shm", "/etc", os.environ["ANSIBLE_HOME"])]
    ours = re.compile(r"/(inventory/|molecule\.yml$|files/|state\.yml$)")  # what the secrets were given in
    found = {}
    for root in [*roots, *homes, STATE]:
        for folder, _folders, names in os.walk(root):
            for name in names:
                path = pathlib.Path(folder, name)
                try:
                    if not path.is_file() or path.is_symlink() or path.lstat().st_ctime < run["began"] or ours.search(str(path).removeprefix(str(STATE))):
                        continue
                    secrets = leaks(path.read_bytes())
                except FileNotFoundError:
                    continue  # somebody else's, and gone
                if secrets:
                    status = path.stat()
                    found[str(path.relative_to(STATE) if path.is_relative_to(STATE) else path)] = (secrets, oct(status.st_mode & 0o777), status.st_uid)
    wanted = {"ca/ca.key": ({"key of the CA"}, "0o600", os.getuid())}
    for lab in LABS:
        wanted |= {
            f"{lab.name}/config/token": ({"token"}, "0o400", 1000),
            f"{lab.name}/config/jupyter_server_config.json": ({"password's hash"}, "0o400", 1000),
            f"{lab.name}/config/jupyter_server_config.py": ({"environment"}, "0o400", 1000),
        }
        assert oct((STATE / lab.name / "config").stat().st_mode & 0o777) == "0o700"
    wanted[f"{ROOTED.name}/config/server.pem"] = ({"key of the lab"}, "0o400", 1000)
    wanted[f"{HARDENED.name}/config/server.pem"] = ({"key of the hardened lab"}, "0o400", 1000)
    assert found == wanted


def test_a_secret_that_is_not_given_any_more_is_gone():
    # By a restart: the digest of the container's definition, which anybody may read who may ask the engine, is made from no secret.
    assert "Make and start the container" not in play(CONVERGE, lab_secret_env={}).changed
    for lab in LABS:
        assert not (STATE / lab.name / "config/jupyter_server_config.py").exists()
        assert lab.ask("api/terminals", data={})[0] == 200
        assert leaks(lab.run("sh", "-c", "cat /proc/[0-9]*/environ").stdout) == set()
