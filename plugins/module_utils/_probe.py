# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the _inside modules get into a container and their answer back: one `docker exec` of one Python.

Private to the collection.
"""

from __future__ import annotations

import inspect
import json

from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_imports, _inside_installed, _inside_look, _inside_reader, _inside_wanted
from ansible_collections.mlenv.jupyter.plugins.module_utils._requirements import read_text, split_names

# What is sent into a container to take a look; later ones import earlier ones.
LOOK = [_inside_imports, _inside_installed, _inside_wanted, _inside_reader, _inside_look]

ENTRY = """
import sys
if sys.path[:1] == [""]:
    del sys.path[0]  # a notebook directory with a json.py in it must not break us
import json
for name, source in {sources!r}:
    module = sys.modules[name] = type(sys)(name)
    exec(compile(source, name, "exec"), module.__dict__)
print(json.dumps(module.{function}(json.loads({request!r}))))
"""


def command(modules: list, function: str, request: dict, python: str = "python3") -> tuple:
    """argv and stdin that call a function of the last of these modules with a request, in another Python.

    Each module is sent as its source, under its own name, so that the later ones can import the earlier ones.
    Nothing of the request is in argv.
    """
    sources = [(module.__name__, inspect.getsource(module)) for module in modules]
    program = ENTRY.format(sources=sources, function=function, request=json.dumps(request))
    return [python, "-"], program


def probe_command(
    requirements: list, requirements_text: str = "", constraints_text: str = "", state: str = "present", kernels: list = (), environment: dict | None = None
) -> tuple:
    """(argv, stdin) of one look at a Python environment: do these requirements hold in it, and those of its isolated kernels?

    environment: variables that this Python is to have beside its own.
    """
    request = {**probe_request(requirements, requirements_text, constraints_text, state), "environment": environment or {}}
    request["kernels"] = [
        {
            **probe_request(kernel["packages"], kernel["requirements"], kernel["constraints"], kernel["state"]),
            "virtualenv": kernel["name"],
            "whole": kernel["state"] == "absent",
        }
        for kernel in kernels
    ]
    return command(LOOK, "look", request)


def probe_request(requirements: list, requirements_text: str, constraints_text: str, state: str) -> dict:
    lines = [["name", name] for name in split_names(requirements)]
    return {
        "lines": lines + read_text(requirements_text, "requirements"),
        "constraints": read_text(constraints_text, "constraints"),
        "state": state,
    }


def parse_probe(stdout: str) -> dict:
    """What the look saw. Raises ValueError if this is no answer of ours."""
    # A sitecustomize may print anything before us: ours is the last line.
    lines = stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise ValueError(f"no answer from the look at the packages: {stdout[-200:]!r}")
    return json.loads(lines[-1])
