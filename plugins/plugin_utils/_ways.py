# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directories an engine would make for the mounts of a lab, as root's.

Private to the collection.
"""

from __future__ import annotations

import posixpath


def read_volume(volume: str) -> tuple:
    """A mount as Docker takes it -> source ("" for a volume without a name), target, and whether it is read-only."""
    source, _sep, rest = volume.partition(":") if ":" in volume else ("", "", volume)
    target, _sep, options = rest.partition(":")
    return source, posixpath.normpath(target), "ro" in options.split(",")


def is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def find_ways(home: str, ours: list, volumes: list, no_directories: set) -> dict:
    """Return ``on_mounts`` and ``in_home``: what is missing on other mounts, and the directories between the home and its mounts.

    ``ours`` are mounts whose own places are there. ``no_directories`` has the sources that are files: the engine makes their places.
    """
    mounts = [read_volume(volume) for volume in [*ours, *volumes]]
    on_mounts, in_home = [], []
    for source, target, _read_only in mounts[len(ours) :]:
        around = [mount for mount in mounts if is_below(target, mount[1])]
        if around:
            _source, folder, read_only = max(around, key=lambda mount: len(mount[1]))
            needed = posixpath.dirname(target) if source in no_directories else target
            if is_below(needed, folder) and not read_only:
                on_mounts.append(needed)
        elif is_below(target, home):
            in_home += list(_between(home, target))
    return {"on_mounts": list(dict.fromkeys(on_mounts)), "in_home": list(dict.fromkeys(in_home))}


def _between(home: str, target: str):
    """The directories from the home to a mount, both left out, the upper ones first."""
    parts = target[len(home.rstrip("/")) + 1 :].split("/")
    for number in range(1, len(parts)):
        yield "/".join([home.rstrip("/"), *parts[:number]])
