# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module lab_info, in this process where it would run here, and with a word to who cannot be reached or misspelt a variable."""

from __future__ import annotations

import re
import sys
import time

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.mlenv.jupyter.plugins.module_utils._address import DEFAULT, same_address
from ansible_collections.mlenv.jupyter.plugins.module_utils._hide import hide
from ansible_collections.mlenv.jupyter.plugins.module_utils._look import ARGUMENTS, credentials, look_at
from ansible_collections.mlenv.jupyter.plugins.module_utils._names import SHORTEST_TOKEN
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._clock import clock_warnings, skew_between
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._here import in_clear, is_here, run_here
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._misspelt import misspelt

# What Ansible says if sudo and the like say no.
NOT_BECOME = re.compile("(missing|incorrect|invalid) .*password|become|privilege|sudo", re.IGNORECASE)
# Modules of community.docker, and their group, in module_defaults.
OTHERS = re.compile(r"(group/)?(community\.docker\.)?docker(_\w+)?")
UNREACHABLE = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED": "This host shows another key than it did before: if it was installed anew, remove the old one (ssh-keygen -R)",
    "Host key verification failed": "Nobody has vouched for the key of this host yet: log in once by hand, or add its key to known_hosts",
}


def why_unreachable(words: str) -> str:
    means = next((means for sign, means in UNREACHABLE.items() if sign in words), None)
    return f"{means}. In the original words: {words}" if means else words


def told_by_defaults(defaults: list):
    """The address that module_defaults give to modules of community.docker, "" if they give none. The later ones count."""
    told = [values for default in defaults for name, values in default.items() if OTHERS.fullmatch(name) and isinstance(values, dict)]
    return next((values[name] for values in reversed(told) for name in ("docker_host", "docker_url") if values.get(name)), "")


def about_defaults(engine: dict, told: str) -> str:
    """Why those modules would talk to another engine than the client, "" if they would not."""
    if not told or same_address(told, engine["address"] or DEFAULT):
        return ""
    return (
        f"The engine's client on this host talks to {engine['address'] or DEFAULT} ({engine['named_by'] or 'its default'}), and module_defaults of this play "
        f"have the modules of community.docker talk to {told}: name one engine for both, as DOCKER_HOST in environment, and leave it out of module_defaults."
    )


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result, began = super().run(tmp, task_vars), time.time()
        if self._is_here(task_vars or {}):
            _validation, params = self.validate_argument_spec(argument_spec=in_clear(ARGUMENTS))
            result.update(hide(look_at(params, run_here()), credentials(params)))
            result["failed"] = "msg" in result
        else:
            result.update(self._look_there(task_vars))
        told = str(self._templar.template(told_by_defaults(self._task.module_defaults or [])))
        if "engine" in result:
            result["engine"]["conflict"] = result["engine"]["conflict"] or about_defaults(result["engine"], told)
        # What every role of ours does first, so that who misspelt a variable is told before anything is done without it.
        role = self._task._role
        warnings = misspelt(role.get_name(), role.get_default_vars(), task_vars) if role else []
        if "clock" in result:
            result["clock_skew"] = skew_between(result["clock"], began, time.time())
            warnings += clock_warnings((task_vars or {}).get("inventory_hostname", "this host"), result["clock_skew"])
        if warnings:
            result["warnings"] = [*result.get("warnings", []), *warnings]
        return result

    def _look_there(self, task_vars: dict):
        """Often the first that is asked of a host: what keeps Ansible from it altogether gets a sentence that says what to do."""
        arguments = dict(self._task.args)
        # What is too short for a token is refused anyway, and ansible-core 2.22 would mask it in every word that has it in it.
        if len(str(arguments.get("token") or "")) < SHORTEST_TOKEN:
            arguments.pop("token", None)
        try:
            return self._execute_module(module_name="mlenv.jupyter.lab_info", module_args=arguments, task_vars=task_vars)
        except AnsibleConnectionFailure as trouble:
            raise AnsibleConnectionFailure(why_unreachable(str(trouble))) from trouble
        except AnsibleError as trouble:
            become = self._connection.become
            if become is None or not NOT_BECOME.search(str(trouble)):
                raise
            # Returned, not raised: what is raised is beyond failed_when and until.
            msg = (
                f"{self._get_remote_user()} may not become {become.get_option('become_user') or 'root'} on this host: give it that right, "
                f"tell its password (--ask-become-pass), or connect as somebody who may. In the original words: {trouble}"
            )
            return {"failed": True, "msg": msg}

    def _is_here(self, task_vars: dict) -> bool:
        """It tells what the Python has that modules run with, and reads the environment that they see."""
        python = self._templar.template(task_vars.get("ansible_python_interpreter", ""))
        return is_here(self) and python == sys.executable and not any(self._task.environment or [])
