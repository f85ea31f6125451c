# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the packages of a lab that is yet to come are looked at: in a container of its image that is gone afterwards.

Private to the collection. It sees what the lab will see, its volume, its directories and its variables, but changes
nothing: all is mounted read-only, and there is no network.
"""

from __future__ import annotations

import contextlib
import json
import os
import re

from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_index
from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import Engine, Result
from ansible_collections.mlenv.jupyter.plugins.module_utils._names import CONFIG_MOUNT, IMAGE_GID, IMAGE_UID, WHEELS
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import INFORM
from ansible_collections.mlenv.jupyter.plugins.module_utils._probe import command, probe_request
from ansible_collections.mlenv.jupyter.plugins.module_utils._requirements import read_text

# By these, Python and the installers find something else than without them.
DECISIVE = re.compile("(PIP|UV|PYTHON)")
# What role lab sets by itself: it is no trace of an earlier lab_env.
OWN = re.compile("HOME|PATH|PIP_CERT|[A-Z_]*_CA_[A-Z]*|SSL_CERT_FILE|GIT_SSL_CAINFO|(NB|JUPYTER|NVIDIA|CUDA)_[A-Z_]*|[a-zA-Z]*_(proxy|PROXY)")
# How secrets are told to a server: a program with a dictionary that is JSON as well.
SECRETS = re.compile(r"os\.environ\.update\((\{.*\})\)", re.DOTALL)
NAMED = re.compile(r"\$\{([A-Z0-9_]+)\}")


def variables(there: dict, wanted: dict, texts: list) -> dict:
    """Those variables of a container that could make its packages look different: wanted ones, those that lines name, and DECISIVE ones."""
    named = {name for text in texts for name in NAMED.findall(text)}
    return {name: there[name] for name in there if name in wanted or ((name in named or DECISIVE.match(name)) and not OWN.fullmatch(name))}


def told_apart(params: dict) -> dict:
    """Variables that go into a container on the way of the request, where nobody sees them: secret ones, and those with several lines."""
    found = SECRETS.search(params["secret_config"])
    several = {name: value for name, value in params["env"].items() if not is_one_line(name, value)}
    return {**several, **(json.loads(found.group(1)) if found else {})}


def is_one_line(name: str, value: str) -> bool:
    return bool(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)) and not re.search("[\\r\\n]", value)


def run(engine: Engine, params: dict, facts: dict, program: str, *words: str, stdin: str, network: str = "none") -> Result:
    """Run a program in a container that is gone afterwards. network: "" for the engine's own."""
    home, volume, owner = params["home"], facts["volume"], facts["owner"]
    options = ["--rm", "--interactive", *([f"--network={network}"] if network else [])]
    if facts["engine"]["rootless"]:  # as role lab has it
        options += [f"--userns=keep-id:uid={IMAGE_UID},gid={IMAGE_GID}", "--user", f"{IMAGE_UID}:{IMAGE_GID}"]
    else:
        options += ["--user", f"{owner['lab_uid']}:{owner['lab_gid']}", "--group-add", str(IMAGE_GID)]
    if facts["engine"]["selinux"]:
        options += ["--security-opt", "label=disable"]
    if volume["exists"]:
        options += ["--volume", f"{volume['name']}:{home}/.local:ro"]
    for source, target in directories(engine, params, facts):
        options += ["--volume", f"{source}:{target}:ro"]
    env = {"HOME": home, "PATH": f"{home}/.local/bin:{facts['image']['path']}", **params["env"]}
    with env_file(env) as path:
        return engine.run("run", *options, "--env-file", path, "--entrypoint", program, params["image"], *words, stdin=stdin)


def foresee(engine: Engine, params: dict, facts: dict) -> dict:
    """Find out for a lab that lacks packages why the image forbids them, and which indexes would not serve them."""
    packages, nothing = facts["packages"], {"protected": "", "indexes": []}
    missing = [text for one in [packages, *packages.get("kernels", {}).values()] for text in one.get("missing", ())]
    if not missing or packages.get("malformed"):
        return nothing
    names = [found.group(0) for found in (re.match(r"[A-Za-z0-9][\w.-]*(?=\s*($|[\[<>=!~;(]))", text) for text in missing) if found]
    texts = [params["requirements"], *(kernel["requirements"] for kernel in params["kernels"])]
    lines = params["index_lines"] + [line for text in texts for _where, line in read_text(text, "") if line.startswith("-")]
    certificates = params["ca_certificates"]
    if certificates and facts["ca_bundle"]["path"]:  # as role lab puts them together
        with open(facts["ca_bundle"]["path"], encoding="utf-8", errors="replace") as file:
            certificates += file.read()
    request = {
        **probe_request(params["packages"], params["requirements"], params["constraints"], params["packages_state"]),
        **{"index_lines": lines, "name": names[0] if names else "", "certificates": certificates},
        **{"environment": told_apart(params), "protect_image": params["protect_image"]},
    }
    argv, stdin = command([*INFORM, _inside_index], "foresee", request)
    network = next((name for name in params["networks"] if name in facts["networks"] and name != "host"), "")
    try:
        found = json.loads(run(engine, params, facts, *argv, stdin=stdin, network=network).out.strip().splitlines()[-1])
    except (ValueError, IndexError):  # no answer is no verdict
        return nothing
    # What is on the volume already, and another place for packages, may be enough.
    spare = facts["volume"]["exists"] or any(re.match("-f|--find-links", line) for line in lines)
    return {**found, "indexes": [one for one in found["indexes"] if not (spare and one[1] in ("unreachable", "proxy"))]}


def directories(engine: Engine, params: dict, facts: dict):
    """Yield what else of the host the lab will see, and where, as far as it is there: an engine would make the rest."""
    work, private = facts["work_dir"], facts["config_dir"]
    if private and facts["container"].get("mounts", {}).get(params["home"]) == f"{private['path']}-home":
        yield f"{private['path']}-home", params["home"]
    if work and work["type"] == "directory":
        yield work["path"], f"{params['home']}/work"
    if private and os.path.isdir(os.path.join(private["path"], WHEELS)):
        yield os.path.join(private["path"], WHEELS), f"{CONFIG_MOUNT}/{WHEELS}"
    for volume in params["volumes"]:
        source, target = (volume.split(":") + [""])[:2]
        place = facts["mounts"].get(source)
        if target and (place["type"] in ("directory", "file") if place else engine.run("volume", "inspect", source).rc == 0):
            yield place["path"] if place else source, target


@contextlib.contextmanager
def env_file(env: dict):
    """Yield the path of variables in a file that no directory has: in arguments, everybody on the host would see them."""
    descriptor = os.memfd_create("env")
    try:
        with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
            file.writelines(f"{name}={value}\n" for name, value in env.items() if is_one_line(name, value))
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
