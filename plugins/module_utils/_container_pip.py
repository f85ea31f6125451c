# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules container_pip and container_pip_info, whole: what they take and what they do, wherever they run.

Private to the collection.
"""

from __future__ import annotations

from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import ENGINE_ARGUMENTS, ContainerDown, Engine, EngineError
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import Packages, PipError, Wish, ensure, index_lines, inform, secrets
from ansible_collections.mlenv.jupyter.plugins.module_utils._proxy import proxy_of_pip
from ansible_collections.mlenv.jupyter.plugins.module_utils._requirements import RequirementsError

# Whose packages, and where they come from.
SHARED = {
    "container": {"type": "str", "required": True},
    "virtualenv": {"type": "str"},
    "index_url": {"type": "str"},
    "extra_index_urls": {"type": "list", "elements": "str"},
    "find_links": {"type": "list", "elements": "str"},
    "no_index": {"type": "bool", "default": False},
    "proxy": {"type": "str"},
    "ca_certificates": {"type": "str"},
    "executable": {"type": "str"},
    "user": {"type": "str"},
    **ENGINE_ARGUMENTS,
}
ARGUMENTS = {
    **SHARED,
    "name": {"type": "list", "elements": "str"},
    "version": {"type": "str"},
    "requirements": {"type": "path"},
    "requirements_content": {"type": "str"},
    "constraints": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["present", "latest", "absent", "exact", "forcereinstall"], "default": "present"},
    "autoremove": {"type": "bool", "default": False},
    "migrate": {"type": "bool", "default": False},
    "repair": {"type": "bool", "default": False},
    "protect_image": {"type": "bool", "default": True},
    "on_conflict": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
    "installer": {"type": "str", "choices": ["auto", "uv", "pip"], "default": "auto"},
    "cache": {"type": "bool", "default": True},
    "compile": {"type": "str", "choices": ["now", "later", "never"], "default": "later"},
    "extra_args": {"type": "str"},
    "timeout": {"type": "int", "default": 3600},
}
RULES = {"required_one_of": [("name", "requirements", "requirements_content", "virtualenv")]}
INFO_ARGUMENTS = {
    **SHARED,
    "outdated": {"type": "bool", "default": False},
    "lock": {"type": "bool", "default": False},
    "deep": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 600},
}


def change_packages(params: dict, run_command, check_mode: bool) -> dict:
    """Bring the packages into their state. Returns what the module does, with ``warnings``, and with ``msg`` if it failed."""
    where = f"Container {params['container']}: "
    try:
        params = _with_proxy(params)
        wish = Wish.of(params)
        result = _with_packages(params, run_command, lambda packages: ensure(packages, wish, check_mode))
    except (EngineError, RequirementsError) as error:
        return {"msg": str(error), "cmd": [], "stdout": "", "stderr": "", **_log_of(error)}
    except PipError as error:
        return {"cmd": [], "stdout": "", "stderr": "", **error.details, "msg": f"{where}{str(error).rstrip('.')}."}
    return {**result, "warnings": [where + warning for warning in result["warnings"]]}


def tell_packages(params: dict, run_command, _check_mode: bool) -> dict:
    """Returns what the module does, with ``msg`` if it failed."""
    try:
        params = _with_proxy(params)
        return _with_packages(params, run_command, lambda packages: inform(packages, index_lines(params), params))
    except EngineError as error:
        return {"msg": str(error), **_log_of(error)}
    except PipError as error:
        return {**error.details, "msg": f"Container {params['container']}: {error}."}


def credentials(params: dict) -> set:
    """What neither result nor log may show: also what a file of requirements has of it."""
    params = _with_proxy(params)
    try:
        return secrets(params) | (Wish.of(params).secrets() if "state" in params else set())
    except (RequirementsError, PipError):
        return secrets(params)


def _with_proxy(params: dict) -> dict:
    """The parameters, with the proxy of the engine's client in the place of V(auto)."""
    return {**params, "proxy": proxy_of_pip(params["proxy"], params["docker_cli"])} if params.get("proxy") == "auto" else params


def _with_packages(params: dict, run_command, do) -> dict:
    """What ``do`` returns for the packages of the container. What it does can be done again: one that ended meanwhile is asked once more."""
    engine = Engine.of(run_command, params)
    return engine.while_it_runs(params["container"], lambda container: do(Packages(engine, container, params["user"], params["executable"])))


def _log_of(error: Exception) -> dict:
    return {"log": error.log} if isinstance(error, ContainerDown) else {}
