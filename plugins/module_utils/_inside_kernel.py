# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to make an isolated environment a Jupyter kernel, and to take it away as a whole.

Private to the collection. The environment is an ordinary one of the standard library's venv, without pip: packages come
from the same stage as the user site's.
"""

from __future__ import annotations

import json
import os
import shutil
import venv

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_stage import FULL, Trouble


def refuse_others(place):
    """A kernel of that name that is not ours stays."""
    if place.is_anothers:
        raise Trouble(f"{os.path.dirname(place.kernel)} is a kernel that somebody else made: give the virtualenv another name, or remove that kernel")


def make_environment(place):
    """The environment for this very Python; its packages are not touched. Returns whether there was none before."""
    new = not os.path.isdir(place.path)
    if os.path.exists(place.python) and os.path.isdir(place.site):
        return False
    folder = os.path.dirname(place.python)
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if name.startswith("python") and os.path.islink(os.path.join(folder, name)):
            os.remove(os.path.join(folder, name))  # of a Python that the image does not have any more
    venv.EnvBuilder(symlinks=True).create(place.path)
    return new


def register_kernel(place):
    """Let Jupyter know it. Its scripts move along with a home that has another name now."""
    before = place.registered_spec()
    if before == place.kernel_spec:
        return
    if before:
        repoint_scripts(os.path.dirname(place.python), before["argv"][0], place.python)
    os.makedirs(os.path.dirname(place.kernel), exist_ok=True)
    with open(place.kernel + ".new", "w", encoding="utf-8") as file:
        json.dump(place.kernel_spec, file, indent=1)
    os.replace(place.kernel + ".new", place.kernel)


def repoint_scripts(folder, old, new):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            content = file.read()
        head, newline, body = content.partition(b"\n")
        if head.startswith(b"#!" + old.encode()):
            with open(path, "wb") as file:
                file.write(head.replace(old.encode(), new.encode()) + newline + body)


def remove_kernel(base):
    """The kernel first: a notebook shall not find one that does not start. Both are out of sight at once."""
    kernels = [] if base.place.is_anothers else [os.path.dirname(base.place.kernel)]
    for path in [*kernels, base.path]:
        if not os.path.lexists(path):
            continue
        try:
            os.makedirs(base.trash, exist_ok=True)
            os.rename(path, os.path.join(base.trash, f"{len(os.listdir(base.trash))}"))
        except OSError as error:
            if error.errno not in FULL:
                raise
            shutil.rmtree(path)  # to move it takes room, too


def undo_environment(place):
    """What make_environment() made."""
    shutil.rmtree(place.path, ignore_errors=True)
