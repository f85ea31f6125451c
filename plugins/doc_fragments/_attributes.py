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
      - Address of the engine, for example V(unix:///run/docker.sock), V(ssh://user@server) or V(tcp://server:2376).
      - Without it, the client decides, by its own environment variables such as E(DOCKER_HOST) and E(DOCKER_CONTEXT).
    type: str
  cli_context:
    description:
      - Name of one of the client's contexts (of its connections, with C(podman)), instead of O(docker_host).
    type: str
  validate_certs:
    description:
      - Talk TLS to the engine, and to no other than the one that O(ca_path) vouches for.
      - C(podman) does so whenever it talks TLS.
    type: bool
    default: false
  ca_path:
    description:
      - Certificate of the authority that vouches for the engine, a file on the managed host.
      - Without this and the next two, the client looks in E(DOCKER_CERT_PATH).
    type: path
  client_cert:
    description:
      - Certificate that the engine knows this client by, a file on the managed host.
    type: path
  client_key:
    description:
      - Key of O(client_cert), a file on the managed host.
    type: path
"""
