"""What every image of Jupyter Docker Stacks keeps, and so every image that the collection builds or runs.

MLENV_IMAGE names the image. Only what holds for Docker Stacks' own scripts is here; what our image does better is in
test_better.py.
"""

from __future__ import annotations

import json
import re
import shlex
import time
import zipfile

import pytest
from conftest import TOKEN, docker, until

ROOT = ("--user", "root")


def env(*pairs):
    return [word for pair in pairs for word in ("--env", pair)]


def mounted(path, inside):
    return ["--volume", f"{path}:{inside}:ro"]


# -- 1.1 Process layout -------------------------------------------------------------------------------------------------
def test_entrypoint_and_command(config):
    assert [word.rpartition("/")[2] for word in config["Entrypoint"]] == ["tini", "-g", "--", "start.sh"]
    assert config["Cmd"] == ["start-notebook.py"]


def test_user_directory_and_port(config):
    assert config["User"] in ("1000", "jovyan", "1000:100")
    assert config["WorkingDir"] == "/home/jovyan"
    assert "8888/tcp" in config["ExposedPorts"]


@pytest.mark.parametrize(
    "pair",
    [
        "CONDA_DIR=/opt/conda",
        "SHELL=/bin/bash",
        "NB_USER=jovyan",
        "NB_UID=1000",
        "NB_GID=100",
        "LC_ALL=C.UTF-8",
        "LANG=C.UTF-8",
        "LANGUAGE=C.UTF-8",
        "HOME=/home/jovyan",
        "JUPYTER_PORT=8888",
        "DEBIAN_FRONTEND=noninteractive",
    ],
)
def test_environment_of_the_image(config, pair):
    assert pair in config["Env"]


def test_path_begins_with_conda(config):
    assert [pair for pair in config["Env"] if pair.startswith("PATH=/opt/conda/bin:")]


@pytest.mark.parametrize("name", ["python", "pip", "jupyter"])
def test_conda_has_the_programs(run, name):
    assert run(command=["bash", "-c", f"command -v {name}"]).stdout.strip() == f"/opt/conda/bin/{name}"


def test_user_and_home(run):
    script = "id; stat --format '%U:%G %A' /home/jovyan; test -d ~/work -a -w ~/work; sudo --non-interactive true"
    done = run(command=["bash", "-c", script], check=False)
    assert done.returncode == 1, "jovyan must not have sudo by itself"
    assert "uid=1000(jovyan) gid=100(users)" in done.stdout
    assert re.search("^jovyan:users drw[xs]rws", done.stdout, re.MULTILINE)


def test_user_has_no_password_and_no_su(run):
    shadow = run(*ROOT, "--entrypoint", "getent", command=["shadow", "jovyan"]).stdout
    assert shadow.split(":")[1] in ("!", "*", "!*")
    assert run(command=["su", "-c", "true"], check=False).returncode != 0


# -- 1.2 start.sh -------------------------------------------------------------------------------------------------------
def test_default_command_is_bash(image):
    done = docker("run", "--rm", "--interactive", "--entrypoint", "start.sh", image, check=False)
    assert done.returncode == 0


def test_start_sh_twice_is_harmless(run):
    assert run(command=["start.sh", "echo", "once"]).stdout == "once\n"


@pytest.mark.parametrize("user", ["root", "1000"])
def test_start_sh_marks_what_it_started(run, user):
    done = run("--user", user, command=["bash", "-c", "echo $_START_SH_EXECUTED; exec start.sh echo twice"])
    assert done.stdout.split() == ["1", "twice"]
    assert [line for line in done.stderr.splitlines() if "WARN" in line and "start.sh" in line]


def test_words_of_start_sh_go_to_stderr(run):
    assert run(*ROOT, command=["echo", "alone"]).stdout == "alone\n"


def test_exit_status_passes_through(run):
    assert run(command=["bash", "-c", "exit 7"], check=False).returncode == 7


@pytest.mark.parametrize("user", ["root", "1000"])
def test_command_runs_as_the_user(run, user):
    done = run("--user", user, command=["bash", "-c", "id --user --name; id --group --name; echo $HOME; pwd"])
    assert done.stdout.split() == ["jovyan", "users", "/home/jovyan", "/home/jovyan"]


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "PYTHONPATH", "ANYTHING"])
def test_variables_survive_the_change_of_user(run, name):
    value = "/somewhere:/opt/conda/bin:/usr/bin:/bin"
    assert run(*ROOT, *env(f"{name}={value}"), command=["bash", "-c", f"echo ${name}"]).stdout.strip() == value


@pytest.mark.parametrize("user", ["root", "1000"])
def test_path_survives_with_what_the_hooks_put_before_it(run, user):
    # The start scripts themselves are in /usr/local/bin, and conda's activation puts its own directories first.
    value = "/somewhere:/opt/conda/bin:/usr/local/bin:/usr/bin:/bin"
    path = run("--user", user, *env(f"PATH={value}"), command=["bash", "-c", "echo $PATH"]).stdout.strip()
    assert path.endswith(value)
    assert all(directory.startswith("/opt/conda/") for directory in path.removesuffix(value).split(":") if directory)


def test_rename(run):
    script = "id --user --name; echo $HOME; pwd; ls -A ~; touch ~/mine && echo written"
    done = run(*ROOT, *env("NB_USER=alice"), command=["bash", "-c", script])
    assert done.stdout.split()[:3] == ["alice", "/home/alice", "/home/alice"]
    assert ".bashrc" in done.stdout.split() and "work" in done.stdout.split()
    assert "written" in done.stdout


def test_rename_goes_along_with_the_directory(run):
    done = run(*ROOT, *env("NB_USER=alice"), "--workdir", "/home/jovyan/work", command=["pwd"])
    assert done.stdout.strip() == "/home/alice/work"


def test_rename_keeps_a_directory_elsewhere(run):
    assert run(*ROOT, *env("NB_USER=alice"), "--workdir", "/tmp", command=["pwd"]).stdout.strip() == "/tmp"


def test_rename_copies_no_home_over_an_existing_one(run, volume):
    done = run(*ROOT, *env("NB_USER=alice", "CHOWN_HOME=yes"), "--volume", f"{volume}:/home/alice", command=["ls", "/home/alice"])
    assert "work" not in done.stdout.split()


def test_restart_with_a_rename(start):
    container = start(*ROOT, *env("NB_USER=alice", "NB_UID=1234")).ready()
    container.restart()
    container.ready()
    assert container.exec("id", "alice").startswith("uid=1234(alice)")


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["NB_UID=1234"], "1234 100 "),
        (["NB_GID=5678"], "1000 5678 "),
        (["NB_UID=1234", "NB_GID=5678"], "1234 5678 "),
        (["NB_USER=alice", "NB_UID=1234", "NB_GID=5678"], "1234 5678 "),
    ],
)
def test_other_numbers(run, pairs, expected):
    script = "echo $(id --user) $(id --group) $(id --groups); touch ~/work/mine && echo written"
    done = run(*ROOT, *env(*pairs), command=["bash", "-c", script])
    numbers, written = done.stdout.splitlines()
    assert numbers.startswith(expected)
    assert "100" in numbers.split()[2:], "group users must stay, the image's files are its own"
    assert written == "written"


@pytest.mark.parametrize(("group", "expected"), [([], "alice"), (["NB_GROUP=science"], "science")])
def test_name_of_a_new_group(run, group, expected):
    done = run(*ROOT, *env("NB_USER=alice", "NB_GID=5678", *group), command=["id", "--group", "--name"])
    assert done.stdout.strip() == expected


def test_root_triplet(run):
    done = run(*ROOT, *env("NB_USER=root", "NB_UID=0", "NB_GID=0"), command=["bash", "-c", "id --user; echo $HOME; pwd"])
    assert done.stdout.split() == ["0", "/home/root", "/home/root"]


@pytest.mark.since("2026-07-28", "each start of the same container added a line")
def test_a_restart_adds_nothing(start):
    for who, look, expected in (
        (["GRANT_SUDO=yes"], "cat /etc/sudoers.d/* | grep -c NOPASSWD", "1"),
        (["NB_USER=root", "NB_UID=0", "NB_GID=0"], "getent passwd root | cut -d: -f6", "/home/root"),
    ):
        container = start(*ROOT, *env(*who), command=["sleep", "120"])
        for _time in range(2):
            until(lambda found=container: "sleep" in found.exec("pgrep", "--list-full", "--exact", "sleep", check=False), "the command")
            assert container.exec("sh", "-c", look, user="root") == expected
            container.restart()


def test_root_triplet_serves(start):
    start(*ROOT, *env("NB_USER=root", "NB_UID=0", "NB_GID=0", "NOTEBOOK_ARGS=--allow-root")).ready()


@pytest.mark.parametrize(
    "pairs", [["NB_USER=alice"], ["NB_UID=1234"], ["NB_GID=5678"], ["GRANT_SUDO=yes"]], ids=lambda pairs: pairs[0]
)
def test_without_root_there_is_only_a_warning(run, pairs):
    done = run(*env(*pairs), command=["id", "--user"])
    assert done.stdout.strip() == "1000"
    assert "WARN" in done.stderr


@pytest.mark.parametrize("pair", ["CHOWN_HOME=yes", "CHOWN_EXTRA=/opt"])
def test_without_root_nothing_is_owned(run, pair):
    assert run(*env(pair), command=["id", "--user"]).stdout.strip() == "1000"


def test_an_arbitrary_uid_of_group_0_gets_the_name(run):
    done = run("--user", "1234:0", "--group-add", "users", command=["bash", "-c", "id --user; id --user --name; touch ~/mine && echo written"])
    assert done.stdout.split() == ["1234", "jovyan", "written"]


def test_an_arbitrary_uid_of_group_0_gets_the_wanted_name(run):
    done = run("--user", "1234:0", "--group-add", "users", *env("NB_USER=alice"), command=["bash", "-c", "id --user --name; echo $HOME"])
    assert done.stdout.split() == ["alice", "/home/jovyan"]


def test_an_arbitrary_uid_can_serve(start):
    start("--user", "1234:5678", "--group-add", "users").ready()


def test_root_start_with_few_capabilities(start):
    capabilities = ["CHOWN", "SETUID", "SETGID", "DAC_OVERRIDE", "FOWNER"]
    start(*ROOT, "--cap-drop", "ALL", *[word for name in capabilities for word in ("--cap-add", name)]).ready()


def test_no_root_at_all(start):
    start("--cap-drop", "ALL", "--security-opt", "no-new-privileges").ready()


# -- 1.3 Variables ------------------------------------------------------------------------------------------------------
def test_umask(start):
    container = start(*env("NB_UMASK=027")).ready()
    assert "Umask:\t0027" in container.exec("cat", f"/proc/{container.server_pid()}/status")


def stranger(path):
    """A command before the container's own: path belongs to somebody else."""
    return f"mkdir -p {path}/below && chown -R 4321:4321 {path}"


@pytest.fixture
def foreign(volume, image):
    """A volume whose contents belong to somebody else."""
    docker("run", "--rm", *ROOT, "--entrypoint", "bash", "--volume", f"{volume}:/v", image, "-c", stranger("/v"))
    return volume


OWNERS = "stat --format %u:%g"


@pytest.mark.parametrize("switch", ["yes", "1"])
def test_chown_home(run, foreign, switch):
    script = f"{OWNERS} ~ ~/below"
    done = run(*ROOT, *env(f"CHOWN_HOME={switch}"), "--volume", f"{foreign}:/home/jovyan", command=["bash", "-c", script])
    assert done.stdout.split() == ["1000:100", "4321:4321"]


def test_chown_home_options(run, foreign):
    script = f"{OWNERS} ~ ~/below"
    pairs = env("CHOWN_HOME=yes", "CHOWN_HOME_OPTS=-R -v", "NB_UID=1234")
    done = run(*ROOT, *pairs, "--volume", f"{foreign}:/home/jovyan", command=["bash", "-c", script])
    assert done.stdout.split()[-2:] == ["1234:100", "1234:100"]


def test_chown_extra(run, foreign):
    script = f"{OWNERS} /data /data/below /srv"
    pairs = env("CHOWN_EXTRA=/data,/srv", "CHOWN_EXTRA_OPTS=-R")
    done = run(*ROOT, *pairs, "--volume", f"{foreign}:/data", command=["bash", "-c", script])
    assert done.stdout.split()[-3:] == ["1000:100", "1000:100", "1000:100"]


def test_a_failing_chown_ends_the_start(run, foreign):
    pairs = env("CHOWN_HOME=yes", "CHOWN_HOME_OPTS=-R")
    done = run(*ROOT, *pairs, "--volume", f"{foreign}:/home/jovyan/data:ro", command=["echo", "started"], check=False)
    assert done.returncode != 0
    assert "started" not in done.stdout


@pytest.mark.parametrize("switch", ["yes", "1"])
def test_grant_sudo(run, switch):
    done = run(*ROOT, *env(f"GRANT_SUDO={switch}"), command=["sudo", "--non-interactive", "bash", "-c", "id --user; command -v jupyter"])
    assert done.stdout.split() == ["0", "/opt/conda/bin/jupyter"]


def test_grant_sudo_after_a_rename(run):
    done = run(*ROOT, *env("GRANT_SUDO=yes", "NB_USER=alice"), command=["sudo", "--non-interactive", "id", "--user"])
    assert done.stdout.strip() == "0"


def test_no_new_privileges_beats_sudo(run):
    done = run(
        *ROOT, *env("GRANT_SUDO=yes"), "--security-opt", "no-new-privileges", command=["sudo", "--non-interactive", "true"], check=False
    )
    assert done.returncode != 0


def test_gen_cert(start):
    container = start(*env("GEN_CERT=yes")).ready(scheme="https")
    pem = "/home/jovyan/.local/share/jupyter/notebook.pem"
    assert container.exec("stat", "--format", "%a", pem) == "600"
    text = container.exec("cat", pem)
    assert "PRIVATE KEY" in text and "BEGIN CERTIFICATE" in text
    until(lambda: container.health == "healthy", "health over TLS")
    container.restart()
    container.ready(scheme="https")
    assert container.exec("cat", pem) != text, "each start makes a new one"
    kept = container.exec("cat", pem)
    container.exec("jupyter", "server", "list")
    assert container.exec("cat", pem) == kept, "a client is no start"


def test_restartable(start):
    container = start(*env("RESTARTABLE=yes")).ready()
    first = container.server_pid()
    container.exec("kill", "-KILL", first)
    until(lambda: container.exec("pgrep", "--full", "jupyter-lab", check=False) not in ("", first), "another server")
    container.ready()


def test_without_restartable_the_container_ends(start):
    container = start().ready()
    container.exec("kill", "-KILL", container.server_pid())
    until(lambda: not container.running, "the end of the container")


@pytest.mark.parametrize(("frontend", "page"), [(None, "/lab"), ("lab", "/lab"), ("notebook", "/tree"), ("nbclassic", "/tree"), ("server", "/api")])
def test_jupyter_command(start, frontend, page):
    container = start(*(env(f"DOCKER_STACKS_JUPYTER_CMD={frontend}") if frontend else [])).ready()
    assert container.get(page) == 200
    assert f"jupyter {frontend or 'lab'}" in container.logs


def test_notebook_args(start):
    container = start(*env("NOTEBOOK_ARGS=--ServerApp.base_url=/a/b --ServerApp.root_dir='/home/jovyan/work'")).ready("/a/b/api/status")
    assert container.get("/api/status") == 404
    until(lambda: container.health == "healthy", "health under a base URL")


def test_options_in_the_command(start):
    start(command=["start-notebook.py", "--ServerApp.base_url=/c"]).ready("/c/api/status")


def test_old_name_of_the_command(start):
    start(command=["start-notebook.sh"]).ready()


def test_port(start):
    container = start(*env("JUPYTER_PORT=9999"), "--publish", "127.0.0.1::9999").ready(port=9999)
    until(lambda: container.health == "healthy", "health on another port")


def test_token_is_wanted(start):
    container = start().ready()
    assert container.get("/api", token=None) == 200
    assert container.get("/api/status", token=None) == 403
    assert container.get("/api/status", token="another") == 403


def test_no_token_is_a_random_token(start):
    container = start(token=None)
    until(lambda: container.get("/api", token=None) == 200, "an answer")
    assert container.get("/api/status", token=None) == 403
    listed = json.loads(container.exec("jupyter", "server", "list", "--json").splitlines()[-1])
    assert container.get("/api/status", token=listed["token"]) == 200


def token_file(tmp_path, text, mode=0o444):
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)
    return mounted(path, "/run/token") + env("JUPYTER_TOKEN_FILE=/run/token")


@pytest.mark.parametrize("user", ["root", "1000"])
def test_token_file(start, tmp_path, user):
    container = start("--user", user, *token_file(tmp_path, "from-a-file"), token=None).ready(token="from-a-file")
    assert "from-a-file" not in container.logs + json.dumps(container.inspect())


def test_token_beats_token_file(start, tmp_path):
    container = start(*token_file(tmp_path, "from-a-file")).ready()
    assert container.get("/api/status", token="from-a-file") == 403


def test_unreadable_token_file_ends_the_server(start, tmp_path):
    container = start(*token_file(tmp_path, "from-a-file", mode=0o400), token=None)
    until(lambda: not container.running, "the end of the container")


def test_runtime_directory(start):
    container = start(*env("JUPYTER_RUNTIME_DIR=/tmp/runtime")).ready()
    assert "jpserver-" in container.exec("ls", "/tmp/runtime")
    until(lambda: container.health == "healthy", "health with another runtime directory")


def test_variables_to_unset(start):
    container = start(*env("SECRET_ONE=x", "SECRET_TWO=y", "KEPT=z", "JUPYTER_ENV_VARS_TO_UNSET=SECRET_ONE,SECRET_TWO")).ready()
    variables = container.exec("cat", f"/proc/{container.server_pid()}/environ").split("\0")
    assert "KEPT=z" in variables
    assert not [pair for pair in variables if pair.startswith("SECRET_")]


def test_quiet(run):
    assert run(*env("JUPYTER_DOCKER_STACKS_QUIET=1"), command=["true"]).stderr == ""
    assert "WARN" in run(*env("JUPYTER_DOCKER_STACKS_QUIET=1", "NB_UID=1234"), command=["true"]).stderr


LOGGED = r"(?m)^%s\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] %s$"
SPEAK = '_log_info in a hook; _log_warn "take care"; _log_error went wrong; _log DEBUG at length; _log plainly'
SPOKEN = [("INFO", "in a hook"), ("WARNING", "take care"), ("ERROR", "went wrong"), ("DEBUG", "at length"), ("INFO", "plainly")]
LOG = pytest.mark.since("2026-06-01", "hooks had no words of the start scripts to use")


@LOG
def test_levels_of_the_log(run):
    """As start.sh itself, so do hooks and scripts of an image's owner speak."""
    done = run(command=["bash", "-c", f"source /usr/local/bin/_docker_stacks_log.sh; {SPEAK}"])
    assert done.stdout == ""
    for level, words in SPOKEN:
        assert re.search(LOGGED % (level, words), done.stderr)
    assert re.search(LOGGED % ("INFO", ".*bash.*"), done.stderr), "start.sh itself speaks so"


@LOG
def test_quiet_keeps_what_is_wrong(run):
    done = run(*env("JUPYTER_DOCKER_STACKS_QUIET=1"), command=["bash", "-c", f"source /usr/local/bin/_docker_stacks_log.sh; {SPEAK}"])
    assert [line.partition("[")[0] for line in done.stderr.splitlines()] == ["WARNING", "ERROR"]


@LOG
def test_what_is_fatal_ends_it(run, tmp_path):
    done = run(*hook(tmp_path, "50-fatal.sh", "_log_fatal no licence"), command=["echo", "started"], check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(LOGGED % ("FATAL", "no licence"), done.stderr)


@LOG
@pytest.mark.parametrize(("options", "colors"), [(["--tty"], True), (["--tty", *env("NO_COLOR=1")], False), ([], False)])
def test_colors_are_for_terminals(run, options, colors):
    done = run(*options, command=["bash", "-c", "source /usr/local/bin/_docker_stacks_log.sh; _log_error went wrong"])
    assert ("\x1b[" in done.stdout + done.stderr) is colors


def test_under_jupyterhub(start):
    container = start(*env("JUPYTERHUB_API_TOKEN=x"))
    until(lambda: "singleuser" in container.logs, "JupyterHub's own server")


def test_python_without_user_packages(run):
    script = "import site; print(site.ENABLE_USER_SITE)"
    assert run(*env("PYTHONNOUSERSITE=1"), command=["python", "-c", script]).stdout.strip() == "False"
    assert run(command=["python", "-c", script]).stdout.strip() == "True"


def test_json_configuration_beside_the_image_s_own(start, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"ServerApp": {"base_url": "/from-json"}}))
    path.chmod(0o444)
    # The image's own configuration still holds: without it, nothing would be reachable from the host.
    start(*mounted(path, "/usr/local/etc/jupyter/jupyter_server_config.json")).ready("/from-json/api/status")


# -- 1.4 Hooks ----------------------------------------------------------------------------------------------------------
def hook(tmp_path, name, text, directory="before-notebook.d", mode=0o755):
    path = tmp_path / name
    path.write_text(text)
    path.chmod(mode)
    return mounted(path, f"/usr/local/bin/{directory}/{name}")


@pytest.mark.parametrize("directory", ["start-notebook.d", "before-notebook.d"])
@pytest.mark.parametrize("user", ["root", "1000"])
def test_hook_exports_reach_the_command(run, tmp_path, directory, user):
    mount = hook(tmp_path, "90-export.sh", "export FROM_HOOK=$(id --user)", directory, mode=0o644)
    done = run("--user", user, *mount, command=["bash", "-c", "echo $FROM_HOOK"])
    assert done.stdout.strip() == ("0" if user == "root" else "1000")


def test_hooks_come_before_and_after_the_user(run, tmp_path):
    look = "id alice >/dev/null 2>&1 && echo alice is here || echo alice is not here"
    before = hook(tmp_path, "10-a.sh", f"({look}) > /tmp/start", "start-notebook.d")
    after = hook(tmp_path, "10-b.sh", f"({look}) > /tmp/before", "before-notebook.d")
    done = run(*ROOT, *env("NB_USER=alice"), *before, *after, command=["cat", "/tmp/start", "/tmp/before"])
    assert done.stdout.splitlines() == ["alice is not here", "alice is here"]


def test_executable_hook_runs(run, tmp_path):
    mount = hook(tmp_path, "50-run", "#!/bin/sh\necho ran > /tmp/ran\n")
    assert run(*mount, command=["cat", "/tmp/ran"]).stdout.strip() == "ran"


def test_other_files_are_ignored(run, tmp_path):
    mount = hook(tmp_path, "50-note", "#!/bin/sh\necho ran > /tmp/ran\n", mode=0o644)
    done = run(*mount, command=["ls", "/tmp"])
    assert "ran" not in done.stdout.split()
    assert "50-note" in done.stderr


def test_hooks_run_in_the_order_of_their_names(run, tmp_path):
    mounts = [word for name in ("95-b.sh", "91-a.sh", "97-c.sh") for word in hook(tmp_path, name, f"export ORDER=${{ORDER}}{name[3]}")]
    assert run(*mounts, command=["bash", "-c", "echo $ORDER"]).stdout.strip() == "abc"


@pytest.mark.since("2026-07-28", "a hook that fails ended the start")
@pytest.mark.parametrize(("name", "text"), [("50-bad.sh", "false"), ("50-bad", "#!/bin/sh\nexit 3\n")])
def test_failing_hook_is_passed_over(run, tmp_path, name, text):
    done = run(*hook(tmp_path, name, text), command=["echo", "started"])
    assert done.stdout.strip() == "started"
    assert name in done.stderr


@pytest.mark.parametrize(("text", "status"), [("exit 4", 4), ("set -e\nfalse\n", 1)])
def test_sourced_hook_that_exits_ends_the_start(run, tmp_path, text, status):
    done = run(*hook(tmp_path, "50-exit.sh", text), command=["echo", "started"], check=False)
    assert done.returncode == status
    assert "started" not in done.stdout.splitlines()


@pytest.mark.since("2026-07-28", "a hook that fails ended the start")
def test_hook_s_own_strictness_ends_with_it(run, tmp_path):
    first = hook(tmp_path, "50-strict.sh", "set -e")
    second = hook(tmp_path, "60-careless.sh", "false; true")
    assert run(*first, *second, command=["echo", "started"]).stdout.splitlines()[-1] == "started"


def test_what_a_hook_declares_reaches_the_next(run, tmp_path):
    first = hook(tmp_path, "50-first.sh", "declare -x DECLARED=here\nhello() { export SAID=$1; }\n")
    second = hook(tmp_path, "60-second.sh", "hello $DECLARED")
    assert run(*first, *second, command=["bash", "-c", "echo $DECLARED $SAID"]).stdout.strip() == "here here"


def test_hooks_of_another_directory(run, tmp_path):
    """Images that are made from Docker Stacks' run hooks of their own so."""
    mounts = hook(tmp_path, "10-own.sh", "export OWN=$(basename $0)", "own.d") + hook(tmp_path, "20-run", "#!/bin/sh\nexit 3\n", "own.d")
    done = run(*mounts, command=["bash", "-c", "source /usr/local/bin/run-hooks.sh /usr/local/bin/own.d; echo $OWN"])
    assert done.stdout.strip() == "bash"
    assert "20-run" in done.stderr


@pytest.mark.parametrize("words", ["", "/nowhere", "/tmp /usr"])
def test_hooks_of_no_directory(run, words):
    done = run(command=["bash", "-c", f"source /usr/local/bin/run-hooks.sh {words} || echo refused"])
    assert done.stdout.strip() == "refused"


@pytest.mark.since("2026-08-07", "a directory got the setuid bit as well")
def test_fix_permissions_gives_directories_the_setgid_bit_alone(run):
    make = "cd /tmp; mkdir -p a/b; echo x > a/f; chmod -R go= a; chgrp -R root a"
    done = run("--user", "root", "--entrypoint", "bash", command=["-c", f"{make}; fix-permissions a; stat --format '%A %G' a a/b a/f"])
    assert done.stdout.splitlines() == ["drwxrws--- users", "drwxrws--- users", "-rw-rw---- users"]


# -- 1.5 Health ---------------------------------------------------------------------------------------------------------
def test_healthcheck(config):
    assert config["Healthcheck"]["Test"][-1].endswith("/etc/jupyter/docker_healthcheck.py")


@pytest.mark.parametrize("options", [[], ROOT, (*ROOT, *env("NB_USER=alice", "NB_UID=1234"))], ids=["jovyan", "root", "alice"])
def test_health(start, options):
    container = start(*options).ready()
    until(lambda: container.health == "healthy", "health")


def test_no_server_is_no_health(start):
    container = start(command=["sleep", "60"])
    time.sleep(1)
    done = docker("exec", container.name, "/etc/jupyter/docker_healthcheck.py", check=False)
    assert done.returncode != 0


@pytest.mark.since("2026-07-28", "only an address of HTTP could be healthy")
def test_a_server_on_a_socket_is_healthy(start):
    container = start(command=["sleep", "60"])
    write = 'd=$(jupyter --runtime-dir); mkdir -p $d; echo \'{"url": "http+unix://%2Ftmp%2Fsocket/"}\' > $d/jpserver-1.json'
    container.exec("bash", "-c", write)
    assert docker("exec", container.name, "/etc/jupyter/docker_healthcheck.py", check=False).returncode == 0


def test_killed_server_is_no_health(start):
    container = start(*env("RESTARTABLE=")).ready()
    assert docker("exec", container.name, "/etc/jupyter/docker_healthcheck.py").returncode == 0
    container.exec("kill", "-STOP", container.server_pid())
    assert docker("exec", container.name, "timeout", "8", "/etc/jupyter/docker_healthcheck.py", check=False).returncode != 0


def test_stop_is_quick_and_clean(start):
    container = start().ready()
    began = time.monotonic()
    docker("stop", "--time", "30", container.name)
    assert time.monotonic() - began < 20
    assert container.inspect()["State"]["ExitCode"] == 0


# -- 2.2 User packages --------------------------------------------------------------------------------------------------
def wheel(tmp_path, name, version):
    """A wheel of one module, made by hand: no index and no build are needed to install it."""
    info = f"{name}-{version}.dist-info"
    path = tmp_path / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"__version__ = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    path.chmod(0o444)
    return path


def test_pip_is_recent(run):
    version = run(command=["pip", "--version"]).stdout.split()[1]
    assert tuple(int(part) for part in version.split(".")[:2]) >= (22, 2)


@pytest.mark.parametrize("user", ["root", "1000"])
def test_user_package_shadows_the_image_s(start, tmp_path, user):
    path = wheel(tmp_path, "idna", "99.0")
    container = start("--user", user, *mounted(path, f"/wheels/{path.name}")).ready()
    show = ["python", "-c", "import idna; print(idna.__version__, idna.__file__)"]
    assert not container.exec(*show, user="jovyan").startswith("99.0")
    container.exec("pip", "install", "--user", "--no-index", "--no-deps", "--upgrade", f"/wheels/{path.name}", user="jovyan")
    version, file = container.exec(*show, user="jovyan").split()
    assert version == "99.0"
    assert file.startswith("/home/jovyan/.local/lib/python3.")
    assert container.exec("stat", "--format", "%U", file) == "jovyan"


def test_user_packages_survive_the_container(start, tmp_path, volume, image):
    docker("run", "--rm", *ROOT, "--entrypoint", "chown", "--volume", f"{volume}:/v", image, "1000:100", "/v")
    path = wheel(tmp_path, "survivor", "1.0")
    options = ["--volume", f"{volume}:/home/jovyan/.local", *mounted(path, f"/wheels/{path.name}")]
    first = start(*options).ready()
    first.exec("pip", "install", "--user", "--no-index", f"/wheels/{path.name}")
    docker("rm", "--force", first.name)
    second = start(*options).ready()
    assert second.exec("python", "-c", "import survivor; print(survivor.__version__)") == "1.0"
    assert json.loads(second.exec("pip", "list", "--user", "--format", "json")) == [{"name": "survivor", "version": "1.0"}]


def test_a_kernel_runs(start):
    """The page is one thing, a cell that computes another."""
    container = start().ready()
    notebook = {
        "cells": [{"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": "print(6 * 7)", "id": "a"}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    container.exec("bash", "-c", f"echo {shlex.quote(json.dumps(notebook))} > work/one.ipynb")
    container.exec("jupyter", "execute", "--inplace", "work/one.ipynb")
    outputs = json.loads(container.exec("cat", "work/one.ipynb"))["cells"][0]["outputs"]
    assert [output["text"] for output in outputs] == ["42\n"] or [output["text"] for output in outputs] == [["42\n"]]


def test_the_server_has_the_token_from_the_environment_alone(start):
    container = start().ready()
    assert TOKEN not in container.logs
