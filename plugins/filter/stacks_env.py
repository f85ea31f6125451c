# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: stacks_env
version_added: 0.1.0
short_description: Environment variables as Jupyter's images read them
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Jupyter Docker Stacks switch things on with the literal C(yes), ignore C(True) in silence, and take the mere presence of C(GEN_CERT)
    for a yes. This filter lets people write what they mean.
  - The switches C(CHOWN_HOME), C(GEN_CERT), C(GRANT_SUDO) and C(RESTARTABLE) become C(yes), or are left out if they are off. Anything else becomes text.
positional: _input
options:
  _input:
    description: Names and values. Booleans and numbers are welcome.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Switches as people write them
  ansible.builtin.debug:
    msg: "{{ {'GRANT_SUDO': true, 'GEN_CERT': 'no', 'OMP_NUM_THREADS': 4} | mlenv.jupyter.stacks_env }}"
    # {"GRANT_SUDO": "yes", "OMP_NUM_THREADS": "4"}
"""

RETURN = r"""
_value:
  description: Names and texts, ready for a container's environment.
  type: dict
"""

SWITCHES = frozenset(["CHOWN_HOME", "GEN_CERT", "GRANT_SUDO", "RESTARTABLE"])
ON = frozenset(["1", "on", "true", "y", "yes"])


def stacks_env(variables: dict) -> dict:
    """Names and values -> names and texts, switches as Jupyter's images read them (contract: literal yes, or absent)."""
    result = {}
    for name, value in variables.items():
        text = "" if value is None else str(value)
        if isinstance(value, bool):
            text = text.lower()
        if name not in SWITCHES:
            result[name] = text
        elif text.strip().lower() in ON:
            result[name] = "yes"
    return result


class FilterModule:
    def filters(self):
        return {"stacks_env": stacks_env}
