"""Where Docker Stacks' contract leaves a trap open, our own image closes it. Skipped for other images."""

from __future__ import annotations

import pytest
from conftest import docker, until
from test_contract import ROOT, env, mounted, token_file


@pytest.fixture(autouse=True)
def ours(config):
    if "mlenv.jupyter.flavor" not in (config["Labels"] or {}):
        pytest.skip("not an image that the collection built")


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "YES"])
def test_switches_take_true(run, value):
    done = run(*ROOT, *env(f"GRANT_SUDO={value}"), command=["sudo", "--non-interactive", "id", "--user"])
    assert done.stdout.strip() == "0"


@pytest.mark.parametrize("value", ["no", "false", "False", "0", ""])
def test_switched_off_is_off(start, value):
    start(*env(f"GEN_CERT={value}", f"RESTARTABLE={value}", f"GRANT_SUDO={value}", f"CHOWN_HOME={value}")).ready(scheme="http")


def test_token_file_may_end_in_a_newline(start, tmp_path):
    start(*token_file(tmp_path, "from-a-file\n"), token=None).ready(token="from-a-file")


def test_wrong_umask_ends_the_start_with_a_word(start):
    container = start(*env("NB_UMASK=u=rwx"))
    until(lambda: not container.running, "the end of the container")
    assert "NB_UMASK=u=rwx is no umask" in container.logs


def test_secrets_in_arguments_are_not_logged(start):
    container = start(*env("NOTEBOOK_ARGS=--PasswordIdentityProvider.hashed_password=argon2:abcdef"))
    until(lambda: container.get("/api", token=None) == 200, "an answer")
    assert "argon2:abcdef" not in container.logs


def test_home_that_mounts_made_has_the_skeleton_and_its_owner(run, volume):
    mount = ["--volume", f"{volume}:/home/alice/data"]
    script = "ls -A ~; stat --format %U ~; touch ~/mine && echo written"
    done = run(*ROOT, *env("NB_USER=alice"), *mount, command=["bash", "-c", script])
    assert {".bashrc", ".profile", "alice", "written"} <= set(done.stdout.split())


def test_mounts_in_the_old_home_are_warned_about(run, volume):
    done = run(*ROOT, *env("NB_USER=alice"), "--volume", f"{volume}:/home/jovyan/data", command=["true"])
    assert "/home/jovyan/data" in done.stderr


@pytest.mark.parametrize("options", [[], ROOT], ids=["jovyan", "root"])
def test_fresh_volume_for_packages_is_the_user_s(run, volume, options):
    run(*options, "--volume", f"{volume}:/home/jovyan/.local", command=["touch", "/home/jovyan/.local/mine"])


def test_plain_pip_install_survives_too(run):
    """Where Docker Stacks' pip writes into the image, ours turns to the user's packages."""
    done = run(command=["pip", "install", "--dry-run", "--no-index", "toolz-that-does-not-exist"], check=False)
    assert "Defaulting to user installation" in done.stdout


def test_health_with_a_name_that_needs_root(start):
    container = start(*env("NB_USER=alice")).ready()
    until(lambda: container.health == "healthy", "health")


def test_health_beside_the_file_of_a_killed_server(start):
    container = start().ready()
    # Newer than the living server's own, with an address where nobody answers.
    leave = "cd ~/.local/share/jupyter/runtime && sed 's,http://[^/]*/,http://127.0.0.1:9/old/,' jpserver-*.json > jpserver-99999.json"
    container.exec("bash", "-c", leave)
    assert "127.0.0.1:9/old/" in container.exec("bash", "-c", "cat ~/.local/share/jupyter/runtime/jpserver-99999.json")
    assert docker("exec", container.name, "/etc/jupyter/docker_healthcheck.py").returncode == 0


def test_healthcheck_is_cheap_and_runs_nothing_of_the_user_s(start):
    container = start(*ROOT).ready()
    trap = "mkdir -p $(python -m site --user-site) && echo 'raise SystemExit(3)' > $(python -m site --user-site)/json.py"
    container.exec("bash", "-c", trap, user="jovyan")
    assert docker("exec", container.name, "/etc/jupyter/docker_healthcheck.py").returncode == 0


def test_debian_s_marker_is_set_aside(run):
    done = run(command=["bash", "-c", "ls /usr/lib/python3.*/EXTERNALLY-MANAGED*"], check=False)
    assert [name.rpartition("/")[2] for name in done.stdout.split()] == ["EXTERNALLY-MANAGED.debian"]


def test_virtual_environments_can_be_made(run):
    script = "python -m venv /tmp/e && /tmp/e/bin/pip --version && uv --version"
    assert "/tmp/e/" in run(command=["bash", "-c", script]).stdout


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"])
def test_everything_trusts_the_same_certificates(config, name):
    assert f"{name}=/etc/ssl/certs/ca-certificates.crt" in config["Env"]


def test_packages_fit_together(run):
    assert "No broken requirements" in run(command=["pip", "check"]).stdout


def test_a_start_pays_for_nothing_that_could_be_done_before(run):
    """No parser of web addresses is made each time that a server starts, and pip need not compile itself each time that it is called."""
    script = "import jupyterlab.labapp, os, pip, sys; print('rfc3987_syntax' in sys.modules, os.path.exists(pip.__cached__))"
    assert run(command=["python", "-c", script]).stdout.split() == ["False", "True"]


SCIPY = ["numpy", "pandas", "scipy", "sklearn", "matplotlib.pyplot", "seaborn", "dask.array", "dask.dataframe", "dask.distributed", "ipympl", "ipywidgets"]


@pytest.mark.parametrize("name", SCIPY)
def test_scipy_has_its_packages(run, config, name):
    if config["Labels"]["mlenv.jupyter.flavor"] != "scipy":
        pytest.skip("not the flavour scipy")
    run(command=["python", "-c", f"import {name}"])


def test_read_only_home_file_does_not_stop_the_start(start, tmp_path):
    note = tmp_path / "note"
    note.write_text("x")
    start(*ROOT, *mounted(note, "/home/jovyan/work/note"), *env("CHOWN_HOME=yes")).ready()
