# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: machine_labs
version_added: 0.2.0
short_description: Which labs of a play are on one machine
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - A host of the inventory is a lab, and several of them can be one machine. Those are of one machine that are reached in the same way,
    by the same C(ansible_host), C(ansible_port) and options of SSH, or by C(ansible_connection=local).
positional: _input, host
options:
  _input:
    description: Variables of the hosts, from C(hostvars).
    type: list
    elements: dict
    required: true
  host:
    description: Name of one of them, C(inventory_hostname).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say who else is on this machine
  ansible.builtin.debug:
    msg: "{{ ansible_play_batch | map('extract', hostvars) | mlenv.jupyter.machine_labs(inventory_hostname) | map(attribute='host') }}"
"""

RETURN = r"""
_value:
  description:
    - A row for each lab on the machine of that host, itself among them, in the order of the play. C(host) is its name in the inventory, C(failed)
      whether a task of it failed, C(looked) whether role P(mlenv.jupyter.engine#role) saw it, C(claim) the image that it wants, and C(state), C(name),
      C(owner), C(volume), C(work_dir), C(config_dir), C(port), C(address), C(gpus) and C(exclusive) are what the inventory says of the lab.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleError
from jinja2.exceptions import UndefinedError

SSH = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")


def machine_labs(hosts: list, host: str) -> list:
    hosts = list(hosts)
    here = next(machine(one) for one in hosts if one["inventory_hostname"] == host)
    return [row(one) for one in hosts if machine(one) == here]


def machine(host: dict) -> tuple:
    """How it is reached. An address alone says little behind a jump host, or where ports are forwarded."""
    if host.get("ansible_connection") == "local":
        return ()
    port = host.get("ansible_port") or host.get("ansible_ssh_port") or 22
    return (host.get("ansible_host") or host["inventory_hostname"], int(port), *(str(host.get(name) or "") for name in SSH))


def row(host: dict) -> dict:
    return {
        "host": host["inventory_hostname"],
        "failed": "ansible_failed_result" in host,
        "looked": "engine" in (host.get("__engine_look") or {}),
        "claim": claim(host.get("__image_meant") or {}, host.get("__image_look") or {}),
        "state": host.get("lab_state", "started"),
        "name": host.get("lab_name", "jupyter-ds"),
        "owner": told(host, "lab_owner") or told(host, "ansible_user"),
        "volume": told(host, "lab_packages_volume", default_volume(host.get("lab_name", "jupyter-ds"))),
        "work_dir": told(host, "lab_work_dir", "~/_jupyter_mount"),
        "config_dir": told(host, "lab_config_dir", f"~/.config/mlenv/{host.get('lab_name', 'jupyter-ds')}"),
        "port": host.get("lab_port", 28888),
        "address": host.get("lab_bind_address", "127.0.0.1"),
        "gpus": host.get("lab_gpus", "auto"),
        "exclusive": str(host.get("lab_gpus_exclusive", False)).lower() in ("true", "yes", "on", "1"),
    }


def told(host: dict, name: str, default: str = "") -> str:
    """A variable as the inventory tells it, "" if it is made of others that only the role knows, such as its defaults."""
    try:
        value = str(host.get(name, default))
    except (AnsibleError, UndefinedError):
        return ""
    return "" if "{{" in value else value


def default_volume(name) -> str:
    return "jupyter-data" if name == "jupyter-ds" else f"{name}-data"


def claim(meant: dict, look: dict) -> str:
    """The image that it wants, of the one engine for all, or of its user's own."""
    of_user = f" of {look['euid']}" if look.get("engine", {}).get("kind") == "podman" else ""
    return meant.get("reference", "") + of_user


class FilterModule:
    def filters(self):
        return {"machine_labs": machine_labs}
