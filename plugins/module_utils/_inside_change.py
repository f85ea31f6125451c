# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to change its packages: a transaction around an installer.

Private to the collection. The installer never touches the user site. It fills a stage beside it, seeing all that is
installed; when that has worked, the stage is swapped in:

    lock -> finish what was interrupted -> stage (minutes, may fail) -> journal -> swap (milliseconds) -> clean up

So a failure leaves everything as it was.
"""

from __future__ import annotations

import contextlib
import os
import py_compile
import re
import shutil
import sys
import tempfile

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_install import Job, pins, pip_install, protected, refuse_hiding, refuse_pip
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import Dist, Place, dists_in, older_sites, versions
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_kernel import (
    make_environment,
    refuse_others,
    register_kernel,
    remove_kernel,
    undo_environment,
)
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_look import Environment, Look, conflicts
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_stage import (
    FULL,
    Base,
    Trouble,
    existing_parent,
    files_of,
    listed,
    place_without_room,
    recorded,
    refuse_foreign,
)
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_starts import Starts
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_uv import find_uv, only_pip_knows, uv_install
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import Malformed, adopt, archive_hashes, cannot_be_hashed, pinned, requirement_of

MIGRATING = ("present", "latest", "exact")  # other states bring nothing along, and so must keep the old tree


def change(request):
    """Make the request true, or (check) say what that would change. The answer is for _pip.py, and tells no secret of the lab."""
    return without(adopt({}), bring_about(request))


def without(secrets, answer):
    """An answer with the names of variables in place of their values. A short value may be any word."""
    for name, value in secrets.items():
        for key in ("out", "err", "error"):
            if len(value) > 7 and isinstance(answer.get(key), str):
                answer[key] = answer[key].replace(value, f"${{{name}}}")
    return answer


def bring_about(request):
    """The change itself."""
    place = Place(request.get("virtualenv"))
    base, made = Base(place), False
    try:
        with contextlib.ExitStack() as stack:
            keeps = place.virtualenv and request["state"] != "absent"
            if keeps:
                refuse_others(place)
            if not (request["check"] and request["repair"]):  # then it would have been mended by now
                refuse_foreign([existing_parent(base.own)])
            if request["check"]:
                return transaction(request, base, os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "stage"))
            stack.enter_context(base.locked(request["timeout"]))
            stack.callback(lambda: made and not place.is_kernel and undo_environment(place))
            if keeps:
                made = make_environment(place)
            return transaction(request, base, base.stage)
    except Trouble as trouble:
        return {"error": str(trouble), **trouble.details}
    except OSError as error:
        # Of a link and of a rename, the second name is where it was to be.
        path = error.filename2 or error.filename or base.path
        if error.errno in FULL:
            return {"error": "no space is left", "full": place_without_room([path])}
        return {"error": f"{path}: {error.strerror or error}"}


def transaction(request, base, stage):
    look = Look(request)
    if look.packaging is None and not look.whole:
        raise Trouble(look.unreadable)
    user, image = dict(look.environment.user), versions(look.environment.image)
    if request["state"] != "absent":
        refuse_hidden(look.environment.broken, base)
    answer = {"before": versions(user) if base.before is None else base.before, "image": image, "installed": {}, "migrated": {}}
    older = Older(base, look) if request["migrate"] and request["state"] in MIGRATING else None
    staged, broken_before = {}, None
    if needs_installer(request, look) or (older and older.wanted(request)):
        done = install(request, base, stage, look, older)
        answer.update(argv=done.argv, rc=done.rc, out=done.out, err=done.err)
        if done.rc:
            if "No space left on device" in done.out + done.err or "Disk quota exceeded" in done.out + done.err:
                answer["full"] = place_without_room([base.own, tempfile.gettempdir()])
            return answer
        answer["installer"] = done.installer
        staged = really_new(done.dists, user, request, stage)
        if request["protect_image"]:
            refuse_hiding(look, staged)
            if staged and not (request["check"] or base.place.virtualenv):
                Starts(look.environment).refuse_broken(staged, base, stage)
        broken_before = conflicts(look.environment)
        look.environment.user.update(staged)
        look.follow()
        lost = [wanted.name for wanted in look.wanted if wanted.name and wanted.applies() and not look.environment.find(wanted.name)]
        if lost:
            raise Trouble(f"{done.installer} was content, and {lost[0]} is not there: does pip's configuration in the container send it elsewhere?")
    if request["state"] in ("exact", "absent") and (look.unknown or look.missing):
        raise Trouble(f"{request['state']} must know all that is meant, and cannot follow {(look.unknown or look.missing)[0]}")
    surplus = look.surplus()
    if broken_before is None:
        broken_before = conflicts(look.environment) if surplus else []
    after = {name: dist for name, dist in look.environment.user.items() if name not in surplus}
    changed = {name: dist for name, dist in {**user, **staged}.items() if name in staged or name in surplus}
    answer.update(after=versions(after), installed=versions(staged), restart=not base.place.virtualenv and wants_restart(changed, image))
    answer["conflicts"] = new_conflicts(look.environment, after, broken_before, request["on_conflict"]) if changed else []
    if older:
        answer["migrated"] = older.told({**image, **answer["after"]})
    replaced = [user[name] for name in changed if name in user]
    if not (request["check"] and request["repair"]):  # then it would have been mended by now
        base.refuse_foreign(replaced)
    if request["check"]:
        return answer
    if look.whole:
        remove_kernel(base)
    elif changed or older:
        staying = [dist for name, dist in after.items() if name not in staged]
        base.swap(replaced, older.remains(after.values()) if older else (), staying)
    look = Look(request)
    mark_requested(look)
    if base.place.virtualenv and request["state"] != "absent":
        register_kernel(base.place)
    if request["compile"] == "later" and staged:
        compile_later(base, [look.environment.user[name] for name in staged])
    return answer


def new_conflicts(environment, user, before, on_conflict):
    """What a package would need and not have after the change, and had before. Raises Trouble if such a change is not wanted."""
    found = [one for one in conflicts(Environment(environment.packaging, user, environment.image)) if one not in before]
    if found and on_conflict == "fail":
        raise Trouble(f"conflict: {found[0]} after this change: ask for versions that go together, or set `on_conflict` to warn")
    return found


def refuse_hidden(broken, base):
    """A file that no version of the package brought stays where it is, and so would hide the next one as well."""
    for name, dist in broken.items():
        if dist.shadow and dist.shadow not in files_of(dist, base.path):
            raise Trouble(f"import of {name} finds {dist.shadow}, which does not belong to {name}: remove it, or what brought it, or leave {name} out")


class Older:
    """Packages of other Pythons in the same user base, to be installed again for this one."""

    def __init__(self, base, look):
        self.base = base
        self.sites = older_sites(base.path, base.site)
        self.dists = {}
        for folder in self.sites.values():  # so the newest Python's win
            self.dists.update(dists_in(folder))
        self.here = {**look.environment.image, **look.environment.user}

    def __bool__(self):
        return bool(self.sites)

    def wanted(self, request):
        """Requirements for what somebody had asked for; `exact` says by itself what is wanted."""
        if request["state"] not in ("present", "latest"):
            return []
        asked_for = [dist for name, dist in self.dists.items() if dist.requested and name not in self.here]
        return [pinned(dist) if dist.direct_url else dist.name for dist in asked_for]

    def bounds(self):
        """The versions that they had, dependencies included."""
        return {name: dist.version for name, dist in self.dists.items() if name not in self.here and not dist.direct_url}

    def told(self, after):
        """name -> version before and after, for the user to see which could not be had again."""
        return {name: {"before": dist.version, "after": after.get(name)} for name, dist in sorted(self.dists.items())}

    def remains(self, living):
        """All that is left of them, but no file that a living package has as well."""
        kept = {path for dist in living for path in listed(dist)}
        trees = [os.path.dirname(folder) for folder in self.sites.values()]
        files = {path for folder in self.sites.values() for dist in dists_in(folder).values() for path in listed(dist)}
        outside = [path for path in files - kept if not path.startswith(tuple(tree + os.sep for tree in trees))]
        return sorted(path for path in outside if path.startswith(self.base.path + os.sep)) + trees


def needs_installer(request, look):
    return request["state"] != "absent" and bool(request["pip_decides"] or look.missing or look.undecided)


def install(request, base, stage, look, older):
    """Fill the stage with what is missing, in versions that the image allows."""
    if not base.place.seen and sys.prefix != sys.base_prefix:
        raise Trouble(f"its Python {sys.executable} is a virtual environment, which sees no user site: name another `executable`, or a `virtualenv`")
    bounds = []
    if request["protect_image"]:
        # Where a user package hides the image's own already, somebody has allowed that: leave it as it is.
        bounds = protected(look, {name: look.environment.find(name).version for name in look.environment.image})
    loose, more = (older.bounds(), older.wanted(request)) if older else ({}, [])
    again = {*(look.asked_for() if request["state"] == "forcereinstall" else ()), *look.environment.broken}
    visible = {name: dist for name, dist in {**look.environment.image, **look.environment.user}.items() if name not in again}
    upgrade = sorted({wanted.name for wanted in look.wanted if wanted.name}) if request["state"] == "latest" else []
    # pip would upgrade all that has a line.
    more += [wanted.text for wanted in look.implied if not (upgrade and look.environment.find(wanted.name))]
    rounds = in_rounds(look, [text for _where, text in request["lines"]], more)
    while True:
        for options, lines in rounds:
            last = lines is rounds[-1][1]
            earlier = dists_in(base.site_in(stage))
            job = Job(
                request,
                base,
                stage,
                lines + [pinned_with_extras(look, dist) for dist in earlier.values()],
                visible,
                upgrade,
                bounds + pins(look.packaging, loose),
                request["pip_options"] + options,
                dry=request["check"] and last,
            )
            done = run_installer(request["installer"], job, look, alone=len(rounds) == 1)
            done.dists = {**earlier, **done.dists}
            if done.rc:
                break
        if not done.rc or not loose:
            return done
        # An old version that is not to be had for this Python: let go of it, or of all if nobody says which.
        blamed = [name for name in loose if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", done.err.lower().replace("_", "-"))]
        loose = {name: version for name, version in loose.items() if blamed and name not in blamed}
        empty(stage)


def in_rounds(look, lines, more):
    """Lines that pip takes at once, with the options for each: beside a line with a hash, it refuses one without.

    A lock has such lines, for what cannot be hashed. They come first, without what they need, which has hashes again.
    What we want in addition comes last.
    """
    if not any(" --hash" in line for line in lines) or "--require-hashes" in lines:
        return [([], lines + more)]
    options = [line for line in lines if re.match("-(?!r|-requirement)", line)]
    bare = [line for line in lines if not line.startswith("-") and is_bare(look, requirement_of(line))]
    hashed = [line for line in lines if line not in options + bare]
    rounds = [(["--no-deps"], bare), ([], hashed), ([], more)]
    return [(words, options + part) for words, part in rounds if part]


def is_bare(look, text):
    """Whether a line asks for what cannot be hashed. What pip alone understands is no such thing."""
    with contextlib.suppress(Malformed):
        return cannot_be_hashed(look.environment.wanted(text))
    return False


def pinned_with_extras(look, dist):
    """What an earlier round has staged, as a line that keeps it and follows what it needs."""
    extras = ",".join(sorted({extra for wanted in look.wanted if wanted.name == dist.name for extra in wanted.extras}))
    return f"{dist.name}[{extras}]=={dist.version}" if extras else f"{dist.name}=={dist.version}"


def run_installer(installer, job, look, alone):
    """uv where it gives the same result, else pip. What uv cannot do, pip tries again, and its words are the ones to explain.

    alone: whether this is the only round.
    """
    uv = find_uv(job.base)
    if installer == "uv" and not uv:
        raise Trouble("it has no uv, and the task asks for it")
    beyond_uv = only_pip_knows(job) if alone else ["requirements without a hash beside some with one"]
    if installer == "uv" and beyond_uv:
        raise Trouble(f"uv cannot do what pip does with {beyond_uv[0]}: leave that out, or let pip install")
    if installer == "uv" or (installer == "auto" and uv and not beyond_uv):
        done = uv_install(job, uv)
        if installer == "uv" or not done.rc:
            return done
        empty(job.stage)
    refuse_pip(look, job.check)
    return pip_install(job)


def empty(folder):
    shutil.rmtree(folder)
    os.mkdir(folder)


def really_new(dists, user, request, stage):
    """What was staged, without direct references that are installed just so: pip takes no notice of that."""
    new = {}
    for name, dist in dists.items():
        old = user.get(name)
        same = old and not old.broken and request["state"] != "forcereinstall" and old.version == dist.version and same_record(old.direct_url, dist.direct_url)
        if not same:
            new[name] = dist
        elif not request["check"]:
            for path in files_of(dist, stage):
                os.remove(path)
    return new


def same_record(one, other):
    """Two records of origin (PEP 610) that name the same contents; a directory may hold anything by now."""
    if not one or not other or "dir_info" in one:
        return False
    hashes = [archive_hashes(record).get("sha256") for record in (one, other)]
    commits = [record.get("vcs_info", {}).get("commit_id") for record in (one, other)]
    places = [(record["url"], record.get("subdirectory")) for record in (one, other)]
    return places[0] == places[1] and (hashes[0] or commits[0]) is not None and hashes[0] == hashes[1] and commits[0] == commits[1]


def mark_requested(look):
    """Leave the mark of PEP 376 on what was asked for by name, also when it had come as a dependency before."""
    for name in look.unmarked():
        folder = look.environment.user[name].path
        with open(os.path.join(folder, "RECORD"), "a", encoding="utf-8") as record:
            record.write(f"{os.path.basename(folder)}/REQUESTED,,\n")
        with open(os.path.join(folder, "REQUESTED"), "w", encoding="utf-8"):
            pass


def compile_later(base, dists):
    """Compile to bytecode in a process of its own, until that is done or somebody waits for the lock, which it keeps."""
    if os.fork():
        return
    try:
        os.setsid()
        os.nice(19)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)  # else the client would wait for us
        for path in (path for dist in dists for path in listed(dist) if path.endswith(".py")):
            if os.path.exists(base.waiting):
                break
            with contextlib.suppress(Exception):  # a template, or for another Python: that is for nobody to import
                py_compile.compile(path)
    finally:
        os._exit(0)


def wants_restart(dists, image):
    """A server reads its extensions and its own packages only once."""
    return any(name in image or isinstance(dist, Dist) and any("etc/jupyter/" in path for path in recorded(dist)) for name, dist in dists.items())
