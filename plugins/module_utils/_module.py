# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that keeps to itself what is secret in its parameters without being one of them as a whole. Private to the collection."""

from __future__ import annotations

from functools import cached_property

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlenv.jupyter.plugins.module_utils._hide import hide


class Module(AnsibleModule):
    def __init__(self, credentials, **options):
        self._credentials = credentials
        super().__init__(**options)

    @cached_property
    def _secrets(self) -> set:
        return self._credentials(self.params)

    def log(self, msg, log_args=None):
        super().log(hide(msg, self._secrets), hide(log_args, self._secrets))

    def finish(self, result: dict):
        """Return that, as a failure if it has ``msg``. Ansible adds the parameters."""
        result, self.params = hide(result, self._secrets), hide(self.params, self._secrets)
        for words in result.pop("warnings", []):
            self.warn(words)
        end = self.fail_json if "msg" in result else self.exit_json
        end(**result)
