"""From bare Debian to an engine that answers; an engine that answers is left as it is."""

import json
import os
import pathlib

import pytest
import testinfra
from helpers import play

PLAYBOOK = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "converge.yml")
DEBIANS = ["molecule-engine-sysv", "molecule-engine-systemd"]
LIMIT = "--limit=" + ",".join(DEBIANS)


def host(name):
    return testinfra.get_host(f"docker://{name}")


@pytest.fixture(params=DEBIANS, name="there")
def fixture_there(request):
    return host(request.param)


def since() -> list:
    """When the engines were started."""
    return [host(name).check_output("stat -c %y /run/docker.pid") for name in DEBIANS]


# The hosts are bare: these come first.


def test_check_runs_to_the_end():
    run = play(PLAYBOOK, "--check", "--diff", LIMIT)
    assert run.rc == 0
    assert {"Predict the installation", "Write the merged settings"} <= set(run.changed)
    for name in DEBIANS:
        assert not host(name).exists("dockerd")


def test_another_distribution_gets_a_sentence():
    run = play(PLAYBOOK, "--limit=molecule-engine-fedora")
    assert "installs one on Debian and Ubuntu alone, not on Fedora" in run.failures["molecule-engine-fedora"]
    assert run.changed == []


def test_another_user_than_root_gets_a_sentence():
    run = play(PLAYBOOK, LIMIT, ansible_user="marie")
    for name in DEBIANS:
        assert "needs root: run the play with become" in run.failures[name]
    assert run.changed == []


def test_user_who_does_not_exist_gets_a_sentence():
    """And is not made: who may talk to the engine is as good as root."""
    run = play(PLAYBOOK, LIMIT, engine_users=["marie", "mraie"])
    for name in DEBIANS:
        assert "engine_users names mraie, who does not exist on this host" in run.failures[name]
    assert run.changed == []


def test_package_sources_that_do_not_suffice():
    """They are named, each with its file and what is wrong with it."""
    for name in DEBIANS:
        host(name).check_output("mv /etc/apt/sources.list /root/ && mv /var/lib/apt/lists /root/ && mkdir /var/lib/apt/lists")
    run = play(PLAYBOOK, LIMIT)
    for name in DEBIANS:
        said = run.failures[name]
        assert "docker.io" in said and "cannot be installed: no package source of this host that can be read has" in said
        assert "Failed to fetch http://127.0.0.1:9/" in said and "connect (111: Connection refused) (in /etc/apt/sources.list.d/" in said
        host(name).check_output("mv /root/sources.list /etc/apt/ && rm -r /var/lib/apt/lists && mv /root/lists /var/lib/apt/")
        assert not host(name).exists("dockerd")


def test_install():
    """By an ordinary user, who becomes root, on hosts with package sources that are broken: they are told of, and left as they are."""
    before = {name: host(name).check_output("cd /etc/apt && sha256sum sources.list sources.list.d/*") for name in DEBIANS}
    for name in DEBIANS:
        host(name).check_output("touch --date='2 hours ago' /var/lib/apt/lists")
    run = play(PLAYBOOK, LIMIT, "--become", ansible_user="marie")
    assert run.rc == 0, run.failures
    assert "Install the distribution's Docker" in run.changed
    out = " ".join(run.out.split())
    assert "/etc/apt/sources.list.d/wrong.list was left out (Malformed entry 1" in out
    assert "/etc/apt/sources.list.d/two.list was left out (Conflicting values set for option Signed-By" in out
    assert "Failed to fetch http://127.0.0.1:9/debian/dists/stable/InRelease" in out
    assert before == {name: host(name).check_output("cd /etc/apt && sha256sum sources.list sources.list.d/*") for name in DEBIANS}


# Now there is an engine.


def test_engine_answers(there):
    assert there.check_output("docker version --format '{{.Server.Version}}'")
    assert there.run("python3 -c 'import requests'").rc == 0


def test_engine_comes_back_at_boot(there):
    if there.exists("systemctl"):
        assert there.check_output("systemctl is-enabled docker") == "enabled"
    else:
        assert there.check_output("ls /etc/rc2.d").count("docker") == 1


def test_settings_are_merged_and_the_old_ones_kept(there):
    settings = json.loads(there.file("/etc/docker/daemon.json").content_string)
    assert settings == {"log-level": "warn", "log-opts": {"max-file": "7", "max-size": "5m"}}
    [backup] = there.check_output("ls /etc/docker/daemon.json.*").split()
    assert json.loads(there.file(backup).content_string) == {"log-level": "warn", "log-opts": {"max-file": "7"}}


def test_user_may_talk_to_it(there):
    assert there.run("su marie -c 'docker version'").rc == 0


def test_nothing_to_do():
    before = since()
    for options in ([], ["--check"]):
        run = play(PLAYBOOK, LIMIT, *options)
        assert (run.rc, run.changed) == (0, [])
    assert since() == before


def test_engine_that_was_stopped_is_started():
    for name in DEBIANS:
        host(name).check_output("service docker stop; ! command -v systemctl || systemctl stop docker.socket")
    run = play(PLAYBOOK, LIMIT)
    assert (run.rc, run.changed) == (0, ["Start Docker, now and at boot"])
    for name in DEBIANS:
        assert host(name).run("docker version").rc == 0


def test_restart_that_was_cut_off_is_made_up_for():
    """The settings are in the file, and the engine does not have them yet. It was started as often in a minute as systemd does that."""
    host("molecule-engine-systemd").check_output("systemctl reset-failed docker && for time in 1 2 3; do systemctl restart docker; done")
    before = since()
    for name in DEBIANS:
        host(name).check_output("touch /run/mlenv-docker-restart")
    assert play(PLAYBOOK, LIMIT).changed == ["Restart the engine"]
    assert all(now != then for now, then in zip(since(), before))
    assert play(PLAYBOOK, LIMIT).changed == []


def test_settings_that_the_engine_does_not_take_are_taken_back():
    def settings(name):
        return host(name).file("/etc/docker/daemon.json").content_string, host(name).check_output("ls /etc/docker")

    before = {name: settings(name) for name in DEBIANS}
    run = play(PLAYBOOK, LIMIT, engine_daemon_config={"no-such-setting": True}, engine_wait=5)
    for name in DEBIANS:
        assert "Docker does not start with engine_daemon_config, and so runs with its settings of before" in run.failures[name]
        assert host(name).run("docker version").rc == 0
        assert settings(name) == before[name]
    assert play(PLAYBOOK, LIMIT).changed == []


def test_settings_that_are_no_json_get_a_sentence():
    there = host("molecule-engine-systemd")
    there.check_output("cp /etc/docker/daemon.json /root/ && echo '{,}' > /etc/docker/daemon.json")
    run = play(PLAYBOOK, "--limit=molecule-engine-systemd")
    assert "/etc/docker/daemon.json on this host is no JSON" in run.failures["molecule-engine-systemd"]
    assert run.changed == []


def test_engine_that_does_not_start_says_where_to_look():
    there = host("molecule-engine-systemd")
    there.check_output("systemctl stop docker.socket docker")
    run = play(PLAYBOOK, "--limit=molecule-engine-systemd")
    assert "and does not start: see its log (journalctl --unit docker)" in run.failures["molecule-engine-systemd"]
    there.check_output("cp /root/daemon.json /etc/docker/ && systemctl reset-failed docker && systemctl start docker")
