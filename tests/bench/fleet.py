"""Many servers: what a lab costs if there are 1, 4 or 16 of them, with a few or many forks, and what memory the controller takes.

The servers are 16 SSH hosts to Ansible, each with a connection and a lab of its own. Here they are one container (tests/servers), since
all of them would share this machine's cores anyway; what is measured is therefore the controller and the servers together.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERVER = "mlenv-bench-server"
FLEETS = [1, 4, 16]
FORKS = [5, 25]
# Time for each of many labs, to that of one: it must fall, or stay.
GOALS = {"cold": 1.0, "warm": 0.7}


class Fleet:
    def __init__(self, image: str, directory: pathlib.Path):
        self.image, self.directory = image, directory
        os.environ["MOLECULE_EPHEMERAL_DIRECTORY"] = str(directory)

    def __enter__(self):
        server = {SERVER: {"server_kind": "docker"}}
        self.inventory({"servers": {"hosts": server, "vars": {"ansible_user": "root"}}})
        self.play("tests/servers/up.yml")
        self.copy_image()
        config = self.directory / "ssh_config"
        names = " ".join(f"lab{number}" for number in range(1, max(FLEETS) + 1))
        # The same server under other names: a host of its own to SSH and to Ansible. Names that come first win.
        config.write_text(config.read_text(encoding="utf-8").replace(f"Host {SERVER}\n", f"Host {SERVER} {names}\n"), encoding="utf-8")
        hosts = {f"lab{number}": {"lab_name": f"lab{number}", "lab_port": 28900 + number} for number in range(1, max(FLEETS) + 1)}
        common = {"lab_image": self.image, "lab_work_dir": "~/{{ lab_name }}", "ansible_user": "root", "image_reference": self.image}
        self.inventory({"servers": {"hosts": server}, "labs": {"hosts": hosts, "vars": common}})
        return self

    def __exit__(self, *_trouble):
        self.inventory({"servers": {"hosts": {SERVER: {}}}})
        self.play("tests/servers/down.yml")

    def inventory(self, groups: dict) -> None:
        ssh = {"ansible_ssh_common_args": f"-F {self.directory}/ssh_config", "ansible_python_interpreter": "auto_silent"}
        path = self.directory / "inventory.json"
        path.write_text(json.dumps({"all": {"children": groups, "vars": ssh}}), encoding="utf-8")

    def copy_image(self) -> None:
        with subprocess.Popen(["docker", "save", self.image], stdout=subprocess.PIPE) as saving:
            subprocess.run(["docker", "exec", "-i", SERVER, "docker", "load", "--quiet"], stdin=saving.stdout, check=True)

    def play(self, playbook: str, *options: str) -> tuple:
        """Seconds, and the most memory in MB that Ansible with all its workers had at a time."""
        command = ["ansible-playbook", "-i", str(self.directory / "inventory.json"), str(ROOT / playbook), *options]
        began, most = time.perf_counter(), 0
        with open(self.directory / "said", "w+", encoding="utf-8") as said:
            with subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, start_new_session=True) as running:
                while running.poll() is None:
                    most = max(most, memory(running.pid))
                    time.sleep(0.1)
            if running.returncode:
                sys.exit(f"{' '.join(command)}\n{(self.directory / 'said').read_text(encoding='utf-8')}")
        return time.perf_counter() - began, most / 1024

    def labs(self, number: int, forks: int, *options: str) -> tuple:
        limit = ",".join(f"lab{index}" for index in range(1, number + 1))
        return self.play("site.yml", "--limit", limit, "--forks", str(forks), *options)


def memory(session: int) -> int:
    """KiB of all processes of a session, what they share counted once."""
    total = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(process.name)) == session:
                words = (process / "smaps_rollup").read_text(encoding="ascii").split()
                total += int(words[words.index("Pss:") + 1])
        except (OSError, ValueError):  # gone meanwhile
            continue
    return total


def measure(image: str, rounds: int, directory: pathlib.Path) -> None:
    with Fleet(image, directory) as fleet:
        fleet.labs(1, 5)  # connections, caches and the engine are warm
        # Made anew, by a setting that is the container's.
        cold = table(
            "cold: image there, lab not (container, storage, token, ready)",
            lambda number, forks: fleet.labs(number, forks, "-e", f"lab_stop_timeout={100 * forks + number}"),
        )
        fleet.labs(max(FLEETS), 25)
        warm = table("warm: nothing to do", lambda number, forks: min(fleet.labs(number, forks) for _round in range(min(2, rounds))))
    for name, per_lab in (("cold", cold), ("warm", warm)):
        for forks in FORKS:
            what = f"{name} run, {forks} forks, time for each of {max(FLEETS)} labs to that of 1"
            print(f"{what:<78} {per_lab[max(FLEETS), forks] / per_lab[1, forks]:6.2f}   goal <= {GOALS[name]}", flush=True)


def table(title: str, run) -> dict:
    """Run it with each number of labs and of forks, and print what it took. Returns (labs, forks) -> seconds for each lab."""
    print(title)
    per_lab = {}
    for forks in FORKS:
        for number in FLEETS:
            seconds, most = run(number, forks)
            per_lab[number, forks] = seconds / number
            print(f"  {number:>2} labs, {forks:>2} forks: {seconds:6.1f} s, {seconds / number:5.2f} s for each, controller {most:4.0f} MB", flush=True)
    return per_lab
