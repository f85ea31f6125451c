"""Each option that is a path says on which machine it is and whose ``~`` is meant there, and resolves as it says."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys

import pytest
import yaml
from checkout import ROOT

# What the description must say, without its markup.
SAYS = {
    "host": ["host", "absolute path", "~ is the home of lab_owner"],
    "controller": ["controller", "~ is the home of who runs Ansible"],
    "lab": ["in the lab", "~ is the home of the lab's user"],
    "client": ["a name, or an absolute path of the host"],
}
# Option -> machine, and for the controller what a role makes of it.
PATHS = {
    "lab_work_dir": ("host", ""),
    "lab_config_dir": ("host", ""),
    "lab_volumes": ("host", ""),
    "image_archive_remote": ("host", ""),  # says so of image_archive
    "lab_tls_dir": ("controller", "__lab_tls_dir"),
    "lab_tls_certificate": ("controller", "__lab_tls_files.certificate"),
    "lab_tls_key": ("controller", "__lab_tls_files.key"),
    "lab_requirements": ("controller", "__lab_requirements_file"),
    "lab_constraints": ("controller", "__lab_constraints_file"),
    "lab_kernels.requirements": ("controller", "__lab_kernel_files.requirements"),
    "lab_kernels.constraints": ("controller", "__lab_kernel_files.constraints"),
    "lab_wheels": ("controller", "__lab_wheels_dir"),
    "lab_ca_certificates": ("controller", "__lab_ca_files[0]"),
    "lab_lock_dir": ("controller", "__lab_lock_dir"),
    "image_archive": ("controller", "__image_archive_path"),
    "image_ca_certificates": ("controller", "__image_ca_files[0]"),
    "engine_nvidia_key": ("controller", "__engine_nvidia_key_file"),
    "lab_find_links": ("lab", ""),
    "lab_docker_cli": ("client", ""),
    "image_docker_cli": ("client", ""),
    "engine_docker_cli": ("client", ""),
}
# They speak of files or directories, and name none.
NO_PATHS = {"lab_state", "lab_base_url", "lab_owner", "lab_user", "lab_remove_data", "lab_tls", "lab_secret_env", "lab_log_max_files", "image_build_base"}
NO_PATHS |= {"engine_daemon_config", "lab_kernels", "lab_groups", "lab_proxy"}
SPEAKS = re.compile(r"\b(files?|director(y|ies)|paths?|controller)\b", re.IGNORECASE)


def options() -> list:
    """(entry point, option, description without markup) of all roles."""
    found = []
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry_point, spec in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].items():
            found += [(f"{path.parts[-3]}, {entry_point}", *option) for option in named(spec.get("options", {}))]
    return found


def named(specs: dict, above: str = ""):
    for name, spec in specs.items():
        yield above + name, re.sub(r"\b[A-Z]\((?:main:)?([^()]*)\)", r"\1", " ".join(spec["description"]))
        yield from named(spec.get("options", {}), f"{above}{name}.")


@pytest.mark.parametrize(("where", "name", "description"), options())
def test_machine_and_home_are_told(where, name, description):
    if name not in PATHS:
        assert name in NO_PATHS or not SPEAKS.search(description), f"{where}: {name} speaks of a path, so name it in PATHS or NO_PATHS"
        return
    missing = [words for words in SAYS[PATHS[name][0]] if words not in description]
    assert missing == [], f"{where}: {name}"


def test_tables_name_options_that_exist():
    assert {*PATHS, *NO_PATHS} <= {name for _where, name, _description in options()}


def variables(path: str) -> dict:
    """All options that are paths of the controller, as this path."""
    given = {name: path for name, (machine, _resolved) in PATHS.items() if machine == "controller" and "." not in name}
    given.update(dict.fromkeys(("lab_ca_certificates", "image_ca_certificates"), [path]))
    kernel = {"name": "k", "requirements": path, "constraints": path}
    return {**given, "__lab_kernel": kernel, "lab_state": "started", "ansible_python_interpreter": sys.executable}


def resolve(tmp_path, path: str) -> dict:
    """What the roles make of it: option -> path."""
    told = {name: "{{ %s }}" % resolved for name, (_machine, resolved) in PATHS.items() if resolved}
    files = [str(file) for role in ("lab", "image", "engine") for file in sorted((ROOT / "roles" / role).glob("defaults/*.yml"))]
    files += [str(file) for role in ("lab", "image", "engine") for file in sorted((ROOT / "roles" / role / "vars").rglob("*.yml"))]
    play = {"hosts": "localhost", "gather_facts": False, "vars_files": files, "tasks": [{"ansible.builtin.debug": {"msg": told}}]}
    owner = next(entry for entry in pwd.getpwall() if entry.pw_uid and os.path.isdir(entry.pw_dir) and entry.pw_dir != "/")
    look = {"owner": owner.pw_name, "work_dir": path, "config_dir": path, "mounts": [path], "gpus": False, "docker_cli": "/nowhere/docker"}
    play["tasks"].append({"mlenv.jupyter.lab_info": look, "register": "found"})
    play["tasks"].append({"ansible.builtin.debug": {"msg": {"work_dir": "{{ found.work_dir.path }}", "config_dir": "{{ found.config_dir.path }}"}}})
    play["tasks"].append({"ansible.builtin.debug": {"msg": {"volumes": "{{ found.mounts.values() | map(attribute='path') | first }}", "home": owner.pw_dir}}})
    (tmp_path / "play.json").write_text(json.dumps([play]))
    config = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(ROOT / ".ansible"), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
    env = {**os.environ, **config, "HOME": str(tmp_path / "caller"), "PWD": str(tmp_path), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    command = [sys.executable, "-m", "ansible.cli.playbook", "--inventory=localhost,", "--connection=local", f"--extra-vars={json.dumps(variables(path))}"]
    done = subprocess.run([*command, "play.json"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict = {}
    for answer in re.finditer(r"^ok: \[localhost\] => ", done.stdout, re.MULTILINE):
        found.update(json.JSONDecoder().raw_decode(done.stdout, answer.end())[0].get("msg", {}))
    return found


def test_home(tmp_path):
    """On the controller it is the caller's, on the host that of the lab's owner."""
    (tmp_path / "caller").mkdir()
    (tmp_path / "caller/thing").write_text("x")
    found = resolve(tmp_path, "~/thing")
    home = found.pop("home")
    assert {name: found.pop(name) for name in ("work_dir", "config_dir", "volumes")} == dict.fromkeys(("work_dir", "config_dir", "volumes"), f"{home}/thing")
    assert found == dict.fromkeys((name for name, (_machine, resolved) in PATHS.items() if resolved), f"{tmp_path}/caller/thing")


def test_relative_path(tmp_path):
    (tmp_path / "caller").mkdir()
    (tmp_path / "thing").write_text("x")
    found = resolve(tmp_path, "thing")
    assert {found[name] for name, (_machine, resolved) in PATHS.items() if resolved} == {f"{tmp_path}/thing"}
    # On the host it is refused.
    assert {found[name] for name in ("work_dir", "config_dir", "volumes")} == {"thing"}
