# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that a container finds when it starts, which belong to its user and not to root.

Private to the collection.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import time

from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import ENGINE_ARGUMENTS, Engine, EngineError, engine_trouble
from ansible_collections.mlenv.jupyter.plugins.module_utils._names import IMAGE_GID

ARGUMENTS = {
    **ENGINE_ARGUMENTS,
    "container": {"type": "str", "default": ""},
    "image": {"type": "str", "default": ""},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "directories": {"type": "list", "elements": "str", "default": []},
    "skeleton": {"type": "str", "default": ""},
    "owner": {"type": "int", "required": True},
    "group": {"type": "int", "required": True},
    "userns": {"type": "str", "default": ""},
}
# No more rights than its user has.
HELPER = ["--rm", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--security-opt=label=disable", f"--group-add={IMAGE_GID}"]
# All but what a lab mounts, and what is made again.
COPY = r"""
find /skeleton -mindepth 1 -delete
cd /home/jovyan || exit 0
for entry in * .[!.]* ..?*; do
    case $entry in
        work | .local | .cache) continue ;;
    esac
    if [ -e "$entry" ] || [ -L "$entry" ]; then
        cp -dR --preserve=mode,timestamps -- "$entry" /skeleton/
    fi
done
"""


def bring_directories(params: dict, run_command, check_mode: bool) -> dict:
    """Make the directories in a container that does not run yet, or on volumes. Returns what a module does, ``msg`` if it failed."""
    engine = Engine.of(run_command, params)
    if check_mode:
        return {"changed": False, "directories": []}
    try:
        if params["skeleton"]:
            _run(engine, params, f"--volume={params['skeleton']}:/skeleton", "sh", "-c", COPY)
        made = _in_container(engine, params) if params["container"] else _on_volumes(engine, params)
    except EngineError as trouble:
        return {"changed": False, "directories": [], "msg": str(trouble)}
    return {"changed": len(made) > 0, "directories": made}


def _in_container(engine: Engine, params: dict) -> list:
    """That they are there is a part of making the container, and so no change of its own."""
    result = engine.run("cp", "-", f"{params['container']}:/", stdin=pack(params))
    # Where the image has a link, nothing is the engine's to make.
    if result.rc != 0 and "non-directory" not in result.err:
        raise EngineError(engine_trouble(engine.cli, result.err))
    return []


def pack(params: dict) -> str:
    """The directories as a tar, without any above them. It is a text, since that is what modules can hand on."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", encoding="utf-8", errors="surrogateescape") as archive:
        for path in params["directories"]:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, int(time.time())
            entry.uid, entry.gid = params["owner"], params["group"]
            archive.addfile(entry)
    return packed.getvalue().decode("utf-8", "surrogateescape")


def _on_volumes(engine: Engine, params: dict) -> list:
    """As their user, who goes through no link that leads out of them, and not where that user may not write. One volume after the other: with two of them
    in one container, the engine would make the place of one on the other."""
    found = by_volume(params["volumes"], params["directories"])
    return [line for volume, paths in found.items() for line in _run(engine, params, f"--volume={volume}", "mkdir", "-pv", "--", *paths).splitlines()]


def _run(engine: Engine, params: dict, volume: str, program: str, *words: str) -> str:
    """What a program says, as the user, on a volume. What the user may not do there is left undone."""
    userns = [f"--userns={params['userns']}"] if params["userns"] else []
    options = [*HELPER, f"--user={params['owner']}:{params['group']}", *userns, volume, f"--entrypoint={program}"]
    result = engine.run("run", *options, params["image"], *words)
    if result.rc >= 125:
        raise EngineError(engine_trouble(engine.cli, result.err))
    return result.out


def by_volume(volumes: list, directories: list) -> dict:
    """Volume -> those of the directories that are on it, the volumes of the upper directories first."""
    targets = {volume: posixpath.normpath((volume.split(":") * 2)[1]) for volume in volumes}
    found: dict = {}
    for volume in sorted(volumes, key=lambda volume: len(targets[volume])):
        found[volume] = []
    for directory in directories:
        around = [volume for volume in volumes if directory.startswith(targets[volume].rstrip("/") + "/")]
        if around:
            found[max(around, key=lambda volume: len(targets[volume]))].append(directory)
    return {volume: directories for volume, directories in found.items() if directories}
