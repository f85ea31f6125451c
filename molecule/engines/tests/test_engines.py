"""Client and modules use one engine; its daemon's settings are overridden, lived with, or refused; and its client's proxy is the lab's."""

import json
import os
import pathlib

import pytest
from helpers import HOST, play, wait_until

ROOT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
# As people run it: Molecule's own settings are others.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
NAME, SECOND, PROXY = "molecule-engines", "unix:///run/second.sock", "http://proxy.example.com:3128"
SETTINGS = {
    **{"no-new-privileges": True, "log-driver": "none", "icc": False, "ip": "127.0.0.1", "userland-proxy": False, "live-restore": True},
    **{"default-shm-size": "1M", "cgroup-parent": "/labs", "default-address-pools": [{"base": "10.203.64.0/18", "size": 24}], "init": True},
    "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}},
}
START = """
dockerd --config-file /root/second.json --host {second} --data-root /var/lib/docker/second --exec-root /run/second --pidfile /run/second.pid \
    --bridge {bridge} > /var/log/second.log 2>&1 < /dev/null &
"""


def there(script: str) -> str:
    return HOST.check_output("docker exec %s sh -c %s", NAME, script)


def engine(host: str, *words: str):
    return HOST.run("docker exec %s docker --host %s " + " ".join(["%s"] * len(words)), NAME, host, *words)


def start_second(bridge: str = "second0", **settings) -> None:
    """The second engine, with these settings alone."""
    there("test ! -e /run/second.pid || kill $(cat /run/second.pid)")
    assert wait_until(lambda: "second.pid" not in there("ls /run"))
    there("ip link show second0 > /dev/null 2>&1 || { ip link add second0 type bridge && ip address add 10.203.1.1/24 dev second0 && ip link set second0 up; }")
    there(f"cat > /root/second.json << 'END'\n{json.dumps(settings)}\nEND")
    HOST.check_output("docker exec --detach %s sh -c %s", NAME, START.format(second=SECOND, bridge=bridge))
    assert wait_until(lambda: engine(SECOND, "version").rc == 0)


def site(*options: str, **variables):
    return play(ROOT / "site.yml", *options, **variables)


@pytest.fixture(scope="module", autouse=True)
def fixture_second():
    """It is the client's by its context, as somebody chose it once."""
    start_second(**SETTINGS)
    there(f"docker context create second --docker host={SECOND} && docker context create far --docker host=ssh://root@gpu1.example.com")
    there("docker context use second")
    there(f"""sed -i '1s|{{|{{"proxies": {{"default": {{"httpsProxy": "{PROXY}"}}}},|' /root/.docker/config.json""")


@pytest.mark.parametrize(
    ("bridge", "settings", "sentence"),
    [
        ("none", {}, "has bridge none among its daemon's settings"),
        ("second0", {"iptables": False, "userland-proxy": False}, "has iptables false and userland-proxy false among its daemon's settings"),
        ("second0", {"default-ulimits": {"nproc": {"Name": "nproc", "Soft": 20, "Hard": 20}}}, "has nproc=20 as one of the default-ulimits"),
    ],
)
def test_settings_with_which_no_lab_can_work(bridge, settings, sentence):
    start_second(bridge, **settings)
    run = site()
    start_second(**SETTINGS)
    assert sentence in run.out and run.changed == []


def test_engine_that_modules_cannot_talk_to():
    there("docker context use far")
    run = site()
    there("docker context use second")
    assert "talks to ssh://root@gpu1.example.com (context far of /root/.docker/config.json)" in run.out
    assert run.changed == []


def test_the_default_engine_is_not_set_up_for_a_client_of_another():
    run = site(engine_daemon_config={"debug": True})
    assert "sets up the engine at unix:///var/run/docker.sock alone: leave out engine_daemon_config" in run.out
    assert run.changed == []


@pytest.mark.parametrize("sudo", [True, False])
def test_all_of_a_lab_is_on_the_engine_of_the_client(sudo):
    assert site(lab_sudo=sudo).rc == 0
    for options in ([], ["--check", "--diff"]):
        again = site(*options, lab_sudo=sudo)
        assert (again.rc, again.changed) == (0, [])
    assert engine("unix:///var/run/docker.sock", "ps", "--all", "--quiet").stdout == ""
    assert engine("unix:///var/run/docker.sock", "volume", "ls", "--quiet").stdout == ""
    assert engine(SECOND, "volume", "ls", "--quiet").stdout == f"{NAME}-data\n"
    # What the daemon was told, the lab overrides.
    assert (engine(SECOND, "exec", "--user=jovyan", NAME, "sudo", "-n", "true").rc == 0) is sudo
    assert "Executing" in engine(SECOND, "logs", NAME).stdout + engine(SECOND, "logs", NAME).stderr
    env = engine(SECOND, "exec", NAME, "env").stdout.splitlines()
    assert {f"https_proxy={PROXY}", f"HTTPS_PROXY={PROXY}", f"no_proxy=localhost,127.0.0.1,::1,{NAME}"} <= set(env)


def test_nothing_stays():
    assert play(ROOT / "playbooks/remove.yml", lab_remove_data=True).rc == 0
    assert engine(SECOND, "ps", "--all", "--quiet").stdout + engine(SECOND, "volume", "ls", "--quiet").stdout == ""
