"""With no variables at all, a lab is the article's, without its traps."""

import os
import pathlib
import re
import stat

import pytest
from helpers import HOST, OWNER, STATE, Lab, play, wait_until

LAB = Lab("jupyter-ds")
CONVERGE = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "converge.yml")
WORK = pathlib.Path.home() / "_jupyter_mount"

pytestmark = pytest.mark.skipif(not (STATE / "ours").is_dir(), reason="A lab of this machine's user has the default names")


def test_published_on_loopback_alone():
    assert LAB.inspect["HostConfig"]["PortBindings"] == {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28888"}]}
    assert HOST.socket("tcp://127.0.0.1:28888").is_listening
    others = HOST.check_output("hostname --all-ip-addresses").split()
    assert others
    for address in filter(lambda address: ":" not in address, others):
        assert HOST.run("curl --silent --max-time 2 http://%s:28888/api", address).rc == 7  # refused


def test_mounts():
    private = str(pathlib.Path.home() / ".config/mlenv/jupyter-ds")
    assert LAB.mounts == {
        "/home/jovyan/work": str(WORK),
        "/home/jovyan/.local": "jupyter-data",
        "/etc/mlenv": private,
        "/usr/local/bin/start-notebook.d/zzz-mlenv.sh": f"{private}/start-notebook.sh",
        "/usr/local/bin/before-notebook.d/zzz-mlenv.sh": f"{private}/before-notebook.sh",
        "/etc/profile.d/zzz-mlenv.sh": f"{private}/path.sh",
    }


def test_user_has_the_owners_numbers():
    assert LAB.run("id", "-u").stdout.strip() == str(OWNER[0])
    assert LAB.run("id", "-g").stdout.strip() == str(OWNER[1])
    assert LAB.run("sudo", "-n", "id", "-u").stdout.strip() == "0"


def test_server_runs_as_that_user():
    assert [uid for pid, uid, _command in LAB.processes if pid == LAB.server_pid] == [str(OWNER[0])]


def test_settings_of_the_container():
    settings = LAB.inspect["HostConfig"]
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"
    assert settings["ShmSize"] == 1 << 30
    assert settings["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert LAB.run("df", "--output=size", "-B1", "/dev/shm").stdout.split()[-1] == str(1 << 30)


@pytest.mark.parametrize("code", ["import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "import os; os.mknod('/tmp/disk', 0o60600, 7 << 8)"])
def test_capabilities(code):
    """Root in the lab is root there, and can pose neither as a neighbour nor as a disk."""
    assert LAB.run("sudo", "-n", "chown", "root:root", "/home/jovyan/.bashrc").rc == 0
    assert "PermissionError" in LAB.run("sudo", "-n", "python3", "-c", code).stderr


def test_health():
    assert wait_until(lambda: LAB.health == "healthy")


@pytest.mark.parametrize(("token", "status"), [(None, 200), ("wrong-token-of-some-length", 403), ("", 403)])
def test_token(token, status):
    assert LAB.ask(token=token)[0] == status


def test_token_is_nobody_elses_business():
    assert len(LAB.token) == 43
    path = pathlib.Path(LAB.mounts["/etc/mlenv"])
    assert [stat.S_IMODE(path.stat().st_mode), stat.S_IMODE((path / "token").stat().st_mode)] == [0o700, 0o400]
    for look in ("docker inspect jupyter-ds", "docker logs jupyter-ds 2>&1", "docker top jupyter-ds -eo pid,args"):
        seen = HOST.check_output(look)
        assert seen
        assert LAB.token not in seen


def test_the_way_in_is_shown_to_who_asks_for_it():
    """As a link that works, also where the token is a variable: since ansible-core 2.22 what is secret is masked wherever it is printed."""
    for run in (play(CONVERGE, "--inventory=localhost,", lab_token=LAB.token, lab_show_token=True), play("mlenv.jupyter.token", "--inventory=localhost,")):
        (link,) = re.findall(r"http://127\.0\.0\.1:28888/lab\?token=[^\s\"']+", run.out)
        assert LAB.ask("api/status?" + link.partition("?")[2], token="")[0] == 200


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"lab_token": "ab"}, "lab_token is too short"),
        ({"lab_tls": "ca", "lab_tls_ca_passphrase": "ab"}, "lab_tls_ca_passphrase is too short"),
        ({"lab_secret_env": {"A": "ab", "B": "ok", "C": "1", "D": "changed", "E": "", "F": True}}, "Check mode: nothing was changed"),
        ({"lab_index_url": "http://localhost:ab@127.0.0.1:9/simple", "lab_packages": ["abx"]}, "127.0.0.1:9 cannot be reached"),
    ],
)
def test_short_secrets_leave_other_words_alone(variables, said):
    """Nothing is changed, as check mode alone would not see to: a secret must not mask parts of what else is printed."""
    run = play(CONVERGE, "--inventory=localhost,", "--check", lab_tls_dir=str(STATE / "ca"), **variables)
    assert said in run.out
    assert all(f"{word}=" in run.out for word in ("ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored"))
    assert not [sign for sign in ("$REDACTED$", "VALUE_SPECIFIED", "http://localhost:ab@") if sign in run.out]


def test_runtime_files_are_off_the_volume():
    assert LAB.run("sh", "-c", "ls /dev/shm/jupyter-runtime/jpserver-*.json").rc == 0
    assert LAB.run("test", "-e", "/home/jovyan/.local/share/jupyter/runtime").rc == 1


def test_programs_of_packages_are_found():
    assert LAB.run("printenv", "PATH").stdout.startswith("/home/jovyan/.local/bin:")
    path = LAB.run("sh", "-c", "tr '\\0' '\\n' < /proc/$(pgrep -o jupyter-lab)/environ | grep ^PATH=").stdout
    assert path.startswith("PATH=/home/jovyan/.local/bin:")


def test_new_notebook_lands_on_the_host():
    status, notebook = LAB.ask("api/contents", data={"type": "notebook"})
    assert status == 201
    on_host = WORK / notebook["path"]
    assert on_host.stat().st_uid == OWNER[0]
    on_host.unlink()


def test_nothing_of_the_host_was_reowned():
    theirs = HOST.file(str(WORK / "theirs"))
    assert (theirs.uid, theirs.gid, theirs.mode) == (4242, 4242, 0o640)
