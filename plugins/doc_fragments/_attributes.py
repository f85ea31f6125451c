# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the collection's modules behave in check mode and diff mode, in the same words everywhere. Private."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and predict what would change, without changing anything.
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when in diff mode.
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
"""

    ENGINE = r"""
options:
  docker_cli:
    description:
      - Name or path of the engine's command line client on the managed host.
      - C(podman) works as well as C(docker).
    type: str
    default: docker
  docker_host:
    description:
      - Address of the engine, for example V(unix:///run/docker.sock) or V(ssh://user@server). Without it, the client decides.
    type: str
"""
