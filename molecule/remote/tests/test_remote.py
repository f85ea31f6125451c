"""From bare servers to labs over SSH, whatever is cut off on the way; and what is said of those that cannot work."""

import io
import json
import os
import pathlib
import re
import signal
import subprocess
import tarfile
import time

import pytest
import testinfra
from helpers import HOST, STATE, Run, find_again, play, wait_until

ROOT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
# As people run it: Molecule's own settings are others.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
OUTER, INNER, SMALL = "molecule-remote-outer", "molecule-remote-inner", "molecule-remote-small"
SECOND = "molecule-remote-second"
LABS = {
    OUTER: (OUTER, "jupyter-ds", 28888, "/home/admin"),
    SECOND: (OUTER, "second", 28889, "/home/admin"),
    INNER: (INNER, "jupyter-ds", 28888, "/home/guest"),
}


def server(name):
    return testinfra.get_host(f"docker://{name}")


def site(*options, **variables) -> Run:
    return play(ROOT / "site.yml", *options, **variables)


def site_until(task: str, seconds: float, accident, *options: str) -> str:
    """Run it until that task has run for so long; then comes the accident, which gets the process. Returns what was said."""
    command = ["ansible-playbook", f"--inventory={STATE / 'inventory'}", *options, str(ROOT / "site.yml")]
    # With skipped hosts a task is announced when it begins.
    env = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, start_new_session=True
    ) as run:
        said = []
        for line in run.stdout:
            said.append(line)
            if line.startswith("TASK [") and task in line:
                time.sleep(seconds)
                accident(run)
        out = "".join(said)
    print(out)
    assert any(line.startswith("TASK [") and task in line for line in said), "It did not come to that"
    return out


def kill_ansible(run):
    os.killpg(run.pid, signal.SIGKILL)


def part_of_archive() -> str:
    """What came of the archive so far."""
    return server(OUTER).run("find /var/lib/docker/mlenv-* -name '*.part' -size +0").stdout.strip()


def power_off(name):
    HOST.check_output("docker kill %s", name)


def power_on(name):
    HOST.check_output("docker start %s", name)
    find_again(name)
    assert wait_until(lambda: ssh(name, "true").rc == 0)


def ssh(name, command, *options):
    return HOST.run(" ".join(["ssh -F %s", *options, "%s %s"]), str(STATE / "ssh_config"), name if "@" in name else f"root@{name}", command)


def report(out: str) -> dict:
    """The table at the end: lab -> its row, and why it is not up."""
    lines = json.loads(re.search(r'"msg": (\[\s*"lab .*?\])', out, re.DOTALL)[1])
    rows = {line.split()[0]: line.split() for line in lines[1:] if ": " not in line}
    return {lab: (*row[1:], next((line.partition(": ")[2] for line in lines if line.startswith(f"{lab}: ")), "")) for lab, row in rows.items()}


def foreign_archive() -> str:
    """As docker save writes it, of an image for another processor."""
    path = STATE / "foreign.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in {"manifest.json": [{"Config": "0f.json", "RepoTags": ["foreign:1"]}], "0f.json": {"architecture": "s390x"}}.items():
            member = tarfile.TarInfo(name)
            text = json.dumps(content).encode()
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return str(path)


# The servers are bare, and stay so.


@pytest.mark.parametrize(
    ("limit", "variables", "sentence"),
    [
        (INNER, {"image_disk_space": "100 TB"}, "needs about 100.00 TB, but /var/lib/docker on this host has"),
        (INNER, {"lab_gpus": 1}, "wants GPUs, but this host has none"),
        (INNER, {"image_archive": foreign_archive()}, "for processors of type s390x, but this host has type"),
        (f"{OUTER},{SECOND}", {"lab_name": "same"}, f"lab_name same is that of {OUTER} and {SECOND} on the same machine"),
        (f"{OUTER},{SECOND}", {"lab_port": 28888}, "lab_port 28888 would be that of labs "),
    ],
)
def test_what_can_never_work_is_refused_before_anything_comes(limit, variables, sentence):
    run = site("--limit", limit, **variables)
    assert sentence in run.out
    assert (run.rc, run.changed) == (2, [])


def test_another_lab_of_the_machine_does_what_the_first_cannot():
    user = "{{ 'guest' if inventory_hostname == '%s' else 'admin' }}" % OUTER
    run = site("--check", "--limit", f"{OUTER},{SECOND}", ansible_user=user)
    assert re.findall(r"engine/tasks/install.yml for (.*)", run.out) == [SECOND]


def test_nobody_waits_for_an_engine_that_does_not_come():
    server(OUTER).check_output(
        "mv /usr/bin/dpkg /usr/bin/dpkg.away && printf '#!/bin/sh\\necho Broken. >&2; exit 2\\n' > /usr/bin/dpkg && chmod +x /usr/bin/dpkg"
    )
    run = site("--limit", f"{OUTER},{SECOND}")
    server(OUTER).check_output("mv /usr/bin/dpkg.away /usr/bin/dpkg")
    rows = report(run.out)
    assert rows[SECOND][-1].startswith(f"No engine came to this host: {OUTER} was to bring it")
    assert rows[OUTER][-1].startswith("docker.io, iptables, python3-requests cannot be installed: ")


# What is cut off in the midst of a phase is brought to its end by a later run.


def test_power_fails_while_the_engine_is_installed():
    def accident(run):
        # That comes first.
        assert wait_until(lambda: server(OUTER).run("test -e /usr/bin/containerd").rc == 0)
        power_off(OUTER)
        kill_ansible(run)

    site_until("Install the distribution's Docker", 0, accident, "--limit", f"{OUTER},{SECOND}")
    power_on(OUTER)
    assert server(OUTER).run("docker version").rc != 0


def test_ansible_is_killed_while_the_archive_is_sent():
    def accident(run):
        assert wait_until(part_of_archive)
        kill_ansible(run)

    out = site_until("Send the archive", 0, accident, "--limit", f"{OUTER},{SECOND}")
    assert server(OUTER).run("docker version").rc == 0
    # Once on a machine, for both of its labs.
    assert re.findall(r"engine/tasks/install.yml for (.*)", out) == [OUTER]
    assert re.findall(r"image/tasks/archive.yml for (.*)", out) == [OUTER]
    assert part_of_archive()


def test_power_fails_while_the_image_is_loaded():
    """And comes back: nobody waits for what ended with it."""

    def accident(_run):
        power_off(OUTER)
        power_on(OUTER)

    out = site_until("Ask whether it is done", 1, accident, "--limit", f"{OUTER},{SECOND}")
    assert "the host was started anew in the meantime, so run again" in report(out)[OUTER][-1]


def test_everything_at_once():
    """One run brings up what can be brought up, and says of the rest why not. In its midst all connections are lost."""

    def accident(_run):
        server(OUTER).check_output("pkill -f '^sshd(-session)?: .*@'")

    out = site_until("Ask whether it is done", 1, accident)
    rows = report(out)
    assert {lab: rows[lab][:3] for lab in LABS} == {
        OUTER: (OUTER, "up", "http://127.0.0.1:28888/lab"),
        SECOND: (OUTER, "up", "http://127.0.0.1:28889/lab"),
        INNER: (INNER, "up", "http://127.0.0.1:28888/lab"),
    }
    expected = {
        "molecule-remote-gone": ("unreachable", "Connection refused"),
        "molecule-remote-stranger": ("unreachable", "Nobody has vouched for the key of this host yet"),
        "molecule-remote-guest": ("failed", "guest may not become root on this host"),
        SMALL: ("failed", "needs about 100.00 TB, but /var/lib/docker on this host has"),
    }
    for lab, (state, why) in expected.items():
        assert rows[lab][1] == state
        assert why in rows[lab][-1]
    # Before anything was changed on them.
    assert not [line for line in out.splitlines() if line.startswith("changed: ") and any(lab in line for lab in expected)]


def test_nothing_is_left_to_do():
    """Also where each host waits for the one before it."""
    run = site("--forks", "1")
    assert run.changed == []
    assert {lab: row[1] for lab, row in report(run.out).items() if row[1] == "up"} == dict.fromkeys(LABS, "up")


@pytest.mark.parametrize("lab", LABS)
def test_a_person_can_work_in_it(lab):
    name, container, port, home = LABS[lab]
    there = server(name)
    token = there.check_output("cat %s/.config/mlenv/%s/token", home, container)
    assert '"started"' in there.check_output("curl -s -H %s http://127.0.0.1:%s/api/status", f"Authorization: token {token}", str(port))
    assert there.check_output("curl -s -o /dev/null -w '%%{http_code}' http://127.0.0.1:%s/api/status", str(port)) == "403"


def test_packages_came_over_the_host_s_own_network():
    assert server(OUTER).run("docker exec -u 1500 jupyter-ds python -c 'import humanize'").rc == 0


def test_power_fails_while_packages_are_installed():
    def accident(run):
        power_off(OUTER)
        kill_ansible(run)

    wanted = {"lab_packages": ["humanize", "networkx", "sympy"]}
    site_until("Install the packages as the lab's user", 1.5, accident, "--limit", OUTER, "--extra-vars", json.dumps(wanted))
    power_on(OUTER)
    assert site("--limit", OUTER, **wanted).rc == 0
    lab = "docker exec -u 1500 jupyter-ds"
    assert server(OUTER).check_output(f"{lab} python -c 'import humanize, networkx, sympy' && {lab} pip check && {lab} pip list 2>&1").count("WARNING") == 0


@pytest.mark.parametrize("name", [OUTER, INNER])
def test_nothing_of_the_archive_stays(name):
    assert server(name).check_output("find /var/lib /var/tmp /tmp /root /home -maxdepth 2 -name 'mlenv-*'") == ""


def test_it_went_through_the_jump_host():
    came_from = ssh(f"root@{INNER}", "echo $SSH_CONNECTION", f"-J root@{OUTER}").stdout.split()[0]
    assert came_from == HOST.check_output("docker inspect --format '{{.NetworkSettings.IPAddress}}' %s", OUTER)


def test_one_at_a_time():
    run = site("--limit", f"{OUTER},{SECOND},{INNER}", fleet_serial=1)
    assert (run.rc, run.changed) == (0, [])
    assert set(report(run.out)) >= set(LABS)


def test_labs_that_fail_stop_no_other():
    """Neither when they come first, nor when they are all that there is."""
    server(SMALL).check_output("service docker stop")
    run = site("--limit", f"{SMALL},molecule-remote-gone,{OUTER}", fleet_serial=1)
    # An engine that only has to be started may have the image: it is asked before its disk is said to be too small.
    assert server(SMALL).run("docker version").rc == 0
    assert run.rc != 0
    assert {lab: row[1] for lab, row in report(run.out).items()} == {SMALL: "failed", "molecule-remote-gone": "unreachable", OUTER: "up"}
    run = site("--limit", f"{SMALL},molecule-remote-gone")
    assert run.rc != 0
    assert set(report(run.out)) == {SMALL, "molecule-remote-gone"}


def test_sudo_with_a_password():
    server(OUTER).check_output("echo guest:correct-horse | chpasswd; echo 'guest ALL=(ALL) ALL' > /etc/sudoers.d/guest")
    run = site("--limit", OUTER, ansible_user="guest", ansible_become_password="correct-horse", lab_owner="admin")
    assert (run.rc, run.changed) == (0, [])


def test_python_of_another_origin_gives_way_to_the_distribution_s():
    """Ansible takes the newest, which knows nothing of the distribution's libraries."""
    newest = "/usr/local/bin/python3.13"
    server(OUTER).check_output(f"printf '#!/bin/sh\nexec /usr/bin/python3 -S \"$@\"\n' > {newest} && chmod +x {newest}")
    run = site("--limit", OUTER)
    assert (run.rc, run.changed) == (0, [])
    # Role lab alone.
    run = play(ROOT / "playbooks/stop.yml", "--check", "--limit", OUTER)
    server(OUTER).check_output(f"rm {newest}")
    assert (run.rc, run.changed) == (0, ["Stop the container"])


def test_key_that_changed_gets_a_sentence():
    run = site("--limit", SMALL, ansible_ssh_extra_args=f"-o HostKeyAlias={INNER} -o ControlPath=none")
    assert "This host shows another key than it did before" in run.out
    assert run.rc != 0


def test_without_pipelining(monkeypatch):
    monkeypatch.setenv("ANSIBLE_PIPELINING", "false")
    run = site("--limit", OUTER)
    assert (run.rc, run.changed) == (0, [])


def test_status_tells_of_all():
    run = play(ROOT / "playbooks/status.yml")
    assert run.rc == 0
    assert report(run.out)["second"][:3] == (OUTER, "running", "ready")
    assert "molecule-remote-stranger: Nobody has vouched for the key of this host yet" in run.out
    assert "molecule-remote-guest: guest may not become root on this host" in run.out


def test_a_lab_that_shall_go_needs_no_image():
    run = site("--limit", SECOND, lab_state="absent", image_archive="/nowhere.tar")
    assert (run.rc, run.changed) == (0, ["Remove the container"])
