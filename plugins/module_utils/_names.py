# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role lab decides by and what the look at a lab looks for: the same names and numbers on both sides.

Private to the collection. roles/lab writes them, too.
"""

from __future__ import annotations

# Where the lab's private files (token, server configuration) are seen in the container, and by which labels the role
# says what it wanted.
CONFIG_MOUNT = "/etc/mlenv"
LABEL = "mlenv.jupyter."
CERTIFICATE = "server.pem"  # with its private key
SECRET_CONFIG = "jupyter_server_config.py"
SERVER_CONFIG = ("jupyter_server_config.json", SECRET_CONFIG)
# What the image's start script reads before and after it makes the lab's user, and what login shells read.
SCRIPTS = {
    "start-notebook.sh": "/usr/local/bin/start-notebook.d/zzz-mlenv.sh",
    "before-notebook.sh": "/usr/local/bin/before-notebook.d/zzz-mlenv.sh",
    "path.sh": "/etc/profile.d/zzz-mlenv.sh",
}
PRIVATE_FILES = ("token", *SERVER_CONFIG, "ca-certificates.crt", "passwd", "group", CERTIFICATE, *SCRIPTS)
# What else is ours beside them.
WHEELS = "wheels"
SKELETON = "skeleton"  # the image's home, where the lab's own hides it
SHORTEST_TOKEN = 12

# The user of Jupyter's images, for a lab whose owner would otherwise be root.
IMAGE_USER, IMAGE_UID, IMAGE_GID = "jovyan", 1000, 100

# Who is in one of these is as good as root on the host. A lab gets none of them unasked: in it, they are of no use but for the host's own files.
ROOTS_GROUPS = ("root", "wheel", "sudo", "admin", "docker", "lxd", "incus", "incus-admin", "libvirt", "disk", "kmem", "shadow")


def is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"
