# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to tell all about its packages: sizes, conflicts, what is outdated, a lock.

Private to the collection. Changes nothing.
"""

from __future__ import annotations

import os
import tempfile

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_install import Job, pip_install, refuse_pip
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_look import Look, conflicts
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_stage import Base, Trouble, files_of
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import adopt, archive_hashes, pinned


def inform(request):
    """request: as for a change in check mode, with outdated and lock: whether to ask the index for that."""
    adopt({})
    look = Look(request)
    if look.packaging is None:
        return {"error": look.unreadable}
    base = Base(look.place)
    user = look.environment.user
    answer = {
        **look.answer(),
        "packages": {name: described(dist, base) for name, dist in sorted(user.items())},
        "conflicts": conflicts(look.environment),
        "latest": {},
        "lock": "",
    }
    try:
        if request["outdated"] and user:
            refuse_pip(look, dry=True)
            found = newest(request, base, user)
            answer["latest"] = {planned.name: planned.version for planned in found if planned.version != user[planned.name].version}
        if request["lock"] and user:
            refuse_pip(look, dry=True)
            wanted = [dist.direct_url["url"] if "dir_info" in dist.direct_url else pinned(dist) for _name, dist in sorted(user.items())]
            answer["lock"] = "".join(locked(planned) for planned in ask(request, base, wanted))
    except Trouble as trouble:
        return {"error": str(trouble), **trouble.details}
    return answer


def described(dist, base):
    try:
        size = sum(os.lstat(path).st_size for path in files_of(dist, base.path))
    except Trouble:  # it has no list of its files
        size = None
    return {"version": dist.version, "top_level": dist.requested, "size": size, "origin": dist.direct_url.get("url")}


def newest(request, base, user):
    """The newest of each user package. Of what came from elsewhere, the index may know nothing."""
    try:
        return ask(request, base, sorted(user))
    except Trouble:
        return ask(request, base, sorted(name for name, dist in user.items() if not dist.direct_url))


def ask(request, base, lines):
    """What the index has for these lines, each for itself, as if nothing were installed."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(request, base, os.path.join(folder, "stage"), lines, visible={}, options=["--no-deps", "--ignore-installed"])
        done = pip_install(job)
    if done.rc:
        raise Trouble("", rc=done.rc, argv=done.argv, out=done.out, err=done.err)
    return sorted(done.dists.values(), key=lambda planned: planned.name)


def locked(planned):
    """A line of a lock, with the hash of the archive; version control has its commit instead."""
    digest = archive_hashes(planned.download).get("sha256")
    return pinned(planned) + (f" --hash=sha256:{digest}" if digest else "") + "\n"
