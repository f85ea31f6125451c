# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules without the price of a module where there is nothing to send them to: on the controller itself.

Sending a module and starting a Python for it takes longer than most of what ours do. Private to the collection.
"""

from __future__ import annotations

import os
import subprocess

from ansible.plugins.action import ActionBase
from ansible_collections.mlenv.jupyter.plugins.module_utils._hide import hide


def is_here(action: ActionBase) -> bool:
    """Whether a module of this task would run on this very host, as this very user, while Ansible waits for it."""
    connection, become = action._connection, action._connection.become
    return (
        connection.transport == "local"
        and (become is None or (os.geteuid() == 0 and become.get_option("become_user") in (None, "root")))
        and not action._task.async_val
    )


def run_here(env: dict | None = None):
    """AnsibleModule.run_command, as far as ours need it. It raises OSError if there is no such program."""

    def run_command(argv, data=None, **_options):
        done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False, errors="surrogateescape", env={**os.environ, **(env or {})})
        return done.returncode, done.stdout, done.stderr

    return run_command


def in_clear(arguments: dict) -> dict:
    """The same arguments, none of them no_log. No module is called, so none logs them, and ansible-core 2.22 would mask their values in all that it prints."""
    return {name: {rule: value for rule, value in rules.items() if rule != "no_log"} for name, rules in arguments.items()}


class HereOrThere(ActionBase):
    """Do what a module does in this process where it would run here, else send it."""

    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_async = True
    # What the module takes: argument_spec and the rules beside it.
    ARGUMENTS: dict = {}
    RULES: dict = {}

    @staticmethod
    def do(params: dict, run_command, check_mode: bool) -> dict:
        """The whole work of the module. Returns its result, with ``msg`` if it failed."""
        raise NotImplementedError

    @staticmethod
    def credentials(params: dict) -> set:
        """What the result may not show, besides parameters that are secret as a whole."""
        return set()

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        if not is_here(self):
            return {**result, **self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val and not self._connection.has_native_async)}
        _validation, params = self.validate_argument_spec(argument_spec=in_clear(self.ARGUMENTS), **self.RULES)
        done = hide(self.do(params, run_here(self._environment()), self._task.check_mode), self.credentials(params))
        return {**result, "changed": False, **done, "failed": "msg" in done}

    def _environment(self) -> dict:
        """What the task, its blocks and its play add to it, in this order the other way round."""
        env: dict = {}
        for part in self._task.environment or []:
            env.update(self._templar.template(part) or {})
        return {name: str(value) for name, value in env.items()}
