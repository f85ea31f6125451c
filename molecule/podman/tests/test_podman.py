"""From bare servers to labs on Podman, with root and without. The tests tell one story, in this order."""

import json
import os
import pathlib

import pytest
import testinfra
from helpers import HOST, find_again, play, wait_until

ROOT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
# As people run it: Molecule's own settings are others.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
SITE, LAB, STAND_INS = ROOT / "site.yml", ROOT / "playbooks/start.yml", ROOT / "molecule/gpu/files"
NEW, ROOTLESS, OLD = "molecule-podman", "molecule-podman-rootless", "molecule-podman-old"
ONLY = {name: f"--limit={name}" for name in (NEW, ROOTLESS, OLD)}
MAKE = "Make and start the container"
# Of the older one: on the network, over HTTPS, for some alone; with less memory.
LIMITS = {"lab_bind_address": "0.0.0.0", "lab_tls": "self_signed", "lab_memory": "1g", "lab_allowed_sources": ["192.0.2.0/24"]}
EVERYBODY = {**LIMITS, "lab_allowed_sources": ["0.0.0.0/0"]}
GPU = "GPU-f15ae561-21b1-6003-c768-861fc285203b"


def server(name):
    return testinfra.get_host(f"docker://{name}")


def converge(*options, **variables):
    """Role lab alone: the variables go before the state that the playbook names."""
    run = play(LAB, *options, **variables)
    assert run.rc == 0, run.failures
    return run


def podman(lab, command):
    """Podman of that lab's own."""
    name, user = (NEW, "admin") if lab == ROOTLESS else (lab, "root")
    return server(name).run("su - %s -c %s", user, f"podman {command}")


def container(lab):
    name = "rootless" if lab == ROOTLESS else "jupyter-ds"
    return json.loads(podman(lab, f"container inspect {name}").stdout)[0]


def answers(lab, token=None):
    """What the lab says to who comes with its token, or with another. A port that Podman is just opening takes a call, and leaves it lying."""
    name, home, port = {NEW: ("jupyter-ds", "/home/admin", 28888), OLD: ("jupyter-ds", "/home/admin", 28888), ROOTLESS: ("rootless", "/home/admin", 28889)}[lab]
    there = server(NEW if lab == ROOTLESS else lab)
    token = token or there.check_output("cat %s/.config/mlenv/%s/token", home, name)
    return there.run("curl -s -m 10 -o /dev/null -w '%%{http_code}' -H %s http://127.0.0.1:%s/api/status", f"Authorization: token {token}", str(port)).stdout


def test_check_mode_runs_to_the_end_on_a_bare_server():
    run = play(SITE, "--check", ONLY[OLD])
    assert run.rc == 0, run.failures
    assert {"Predict the installation", "Say what would be made"} <= set(run.changed)
    assert server(OLD).run("command -v podman").rc != 0


@pytest.mark.parametrize(
    ("lab", "variables", "sentence"),
    [
        (ROOTLESS, {}, "There is no Podman that answers this user, and installing it needs root"),
        (NEW, {"engine_daemon_config": {"debug": True}}, "engine_daemon_config is for Docker, and engine_kind is podman"),
    ],
)
def test_what_cannot_work(lab, variables, sentence):
    run = play(SITE, ONLY[lab], **variables)
    assert sentence in run.out
    assert run.changed == []


def test_everything_at_once():
    run = play(SITE)
    assert run.rc == 0, run.failures
    assert play(SITE).changed == []


@pytest.mark.parametrize("lab", [NEW, ROOTLESS, OLD])
def test_a_person_can_work_in_it(lab):
    assert (answers(lab), answers(lab, "wrong-token-of-some-length")) == ("200", "403")
    name = container(lab)["Name"]
    assert podman(lab, f"exec --user jovyan {name} python3 -c 'import humanize'").rc == 0
    assert podman(lab, f"exec --user jovyan {name} touch work/mine.txt").rc == 0
    there = server(NEW if lab == ROOTLESS else lab)
    assert there.file(f"/home/admin/{'rootless' if lab == ROOTLESS else '_jupyter_mount'}/mine.txt").user == "admin"


def test_no_root_in_a_lab_without_root():
    assert "rootless" not in podman(NEW, "ps --all --format '{{.Names}}'").stdout
    rows = server(NEW).check_output("ps -eo user=,args=").splitlines()
    servers = [row.split()[0] for row in rows if "jupyter-lab" in row and "start" not in row]
    assert "admin" in servers
    status = podman(ROOTLESS, "exec rootless cat /proc/self/status").stdout
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_states():
    """Stopped, and started; a container that somebody removed by hand comes back with its packages."""
    labs = (NEW, ROOTLESS)
    both = f"--limit={NEW},{ROOTLESS}"
    for state, changed in (("stopped", "Stop the container"), ("started", MAKE)):
        run = converge(both, lab_state=state)
        assert run.changed == [changed]
        assert all(f"changed: [{lab}]" in run.out for lab in labs)
    for lab in labs:
        assert podman(lab, f"rm --force --time 0 {container(lab)['Name']}").rc == 0
    assert MAKE in converge(both).changed
    for lab in labs:
        assert answers(lab) == "200"
        assert podman(lab, f"exec --user jovyan {container(lab)['Name']} python3 -c 'import humanize'").rc == 0


def test_they_are_up_after_a_start_of_the_server():
    HOST.check_output("docker restart --time 30 %s", NEW)
    find_again(NEW)
    assert wait_until(lambda: (answers(NEW), answers(ROOTLESS)) == ("200", "200"))


def test_labs_live_as_long_as_the_host():
    """Also where Podman was there before, and nobody had thought of that."""
    server(NEW).check_output("systemctl disable podman-restart.service")
    assert play(SITE, ONLY[NEW]).changed == ["Start labs at boot"]
    assert server(NEW).check_output("systemctl is-enabled podman-restart.service") == "enabled"
    server(NEW).check_output("rm /var/lib/systemd/linger/admin")
    run = play(SITE, ONLY[ROOTLESS])
    server(NEW).check_output("touch /var/lib/systemd/linger/admin")
    # Whether users may change it, the system decides.
    assert run.changed == ["Let labs run while nobody is logged in"] or "What admin runs on this host ends when they log out" in run.out


def test_without_root_nothing_is_limited_that_cannot_be():
    run = play(LAB, ONLY[ROOTLESS], lab_memory="1g")
    assert "lab_memory is 1g, but the engine of this host cannot limit that" in run.failures[ROOTLESS]
    run = play(LAB, ONLY[ROOTLESS], lab_owner="guest")
    assert "Podman without root can give files to nobody but the user that runs it" in run.failures[ROOTLESS]


def test_podman_by_the_name_of_docker():
    """As package podman-docker brings it."""
    server(NEW).check_output("ln -s /usr/bin/podman /usr/local/bin/docker")
    run = play(SITE, ONLY[NEW], engine_kind="docker")
    server(NEW).check_output("rm /usr/local/bin/docker")
    assert "engine_kind is docker, but docker on this host is Podman" in run.out
    assert run.changed == []


def test_limits_and_networks():
    converge(ONLY[OLD], **LIMITS)
    assert converge(ONLY[OLD], **LIMITS).changed == []
    assert container(OLD)["HostConfig"]["Memory"] == 1 << 30
    address = HOST.check_output("docker inspect --format '{{.NetworkSettings.IPAddress}}' %s", OLD)
    ask = f"curl --silent --insecure --max-time 5 https://{address}:28888/api"
    assert HOST.run(ask).rc == 28
    converge(ONLY[OLD], **EVERYBODY)
    assert "version" in HOST.run(ask).stdout


def plug_in(name):
    """NVIDIA's driver with a GPU, and its Container Toolkit: stand-ins."""
    there = server(name)
    there.check_output("mkdir -p /usr/lib/nvidia/gpus && echo 570.133.20 > /usr/lib/nvidia/driver")
    there.check_output("echo %s > /usr/lib/nvidia/gpus/0", f"0,{GPU},NVIDIA A10,8.6")
    for source, target in (("nvidia-smi", "/usr/bin/nvidia-smi"), ("toolkit.py", "/usr/lib/nvidia/toolkit.py")):
        HOST.check_output("docker cp %s %s", str(STAND_INS / source), f"{name}:{target}")
    for program in ("nvidia-ctk", "nvidia-container-runtime-hook"):
        there.check_output("printf '#!/bin/sh\\nexec python3 /usr/lib/nvidia/toolkit.py %s \"$@\"\\n' > /usr/bin/%s", program, program)
    there.check_output("chmod +x /usr/bin/nvidia-*")


def test_gpus():
    for name in (NEW, OLD):
        plug_in(name)
    run = play(SITE, ONLY[NEW])
    assert run.rc == 0, run.failures
    assert {"Write down what a container needs for each GPU", MAKE} <= set(run.changed)
    assert "Its GPUs: 0 NVIDIA A10" in run.out
    assert GPU in podman(NEW, "exec --user jovyan jupyter-ds nvidia-smi -L").stdout
    assert play(SITE, ONLY[NEW]).changed == []


def test_gpus_that_an_old_podman_cannot_hand_over():
    run = play(LAB, ONLY[OLD], **EVERYBODY, lab_gpus="all")
    assert "hands over no GPU through its socket" in run.failures[OLD]
    run = play(SITE, ONLY[OLD], **EVERYBODY)
    assert run.rc == 0, run.failures
    assert "It has no GPU" in run.out


def test_nothing_is_left():
    converge(lab_state="absent", lab_remove_data=True)
    for lab in (NEW, ROOTLESS, OLD):
        assert podman(lab, "ps --all --quiet").stdout == ""
        assert podman(lab, "volume ls --quiet").stdout == ""
    assert server(NEW).file("/home/admin/rootless/mine.txt").exists
