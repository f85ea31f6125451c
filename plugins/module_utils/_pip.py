# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What container_pip decides: what is asked for, whether it holds already, and what to tell of a change.

Private to the collection. Knows nothing of the engine but Engine.exec, and nothing of Ansible.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from urllib.parse import unquote

from ansible_collections.mlenv.jupyter.plugins.module_utils import (
    _inside_change,
    _inside_info,
    _inside_install,
    _inside_kernel,
    _inside_stage,
    _inside_starts,
    _inside_uv,
)
from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import Container, Engine
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip_errors import explain
from ansible_collections.mlenv.jupyter.plugins.module_utils._probe import LOOK, command, parse_probe
from ansible_collections.mlenv.jupyter.plugins.module_utils._requirements import Lines, split_names

# What is sent into a container to mend, to change and to tell all; later ones import earlier ones.
MEND = [*LOOK, _inside_stage]
CHANGE = [*MEND, _inside_starts, _inside_install, _inside_uv, _inside_kernel, _inside_change]
INFORM = [*MEND, _inside_starts, _inside_install, _inside_info]
# Parameters of the module that reach the container as they are.
AS_GIVEN = (
    *("state", "autoremove", "migrate", "repair", "protect_image", "on_conflict", "installer", "cache", "compile", "proxy", "ca_certificates", "timeout"),
)
# With these, pip does something although every requirement holds.
DECISIVE = ("--upgrade", "--force-reinstall", "--ignore-installed", "--requirement", "--constraint")
# With these, it would not fill the lab's user site any more.
MISPLACING = ("--target", "--prefix", "--root", "--dry-run", "--report", "--python", "--editable", "--no-user")
# What pip's letters stand for, and those behind which the rest of a word is their value.
LETTERS = {"U": "--upgrade", "I": "--ignore-installed", "r": "--requirement", "c": "--constraint", "t": "--target", "e": "--editable"}
WITH_VALUE = "rctefiC"


class PipError(Exception):
    """One sentence for the user, without the container's name; details are for the task's result."""

    def __init__(self, sentence: str, **details):
        super().__init__(sentence)
        self.details = details


@dataclass
class Wish:
    """What a task asks for, independent of any container."""

    lines: Lines
    state: str = "present"
    autoremove: bool = False
    migrate: bool = False
    repair: bool = False
    index_lines: list = field(default_factory=list)
    pip_options: list = field(default_factory=list)
    protect_image: bool = True
    on_conflict: str = "warn"
    installer: str = "auto"
    cache: bool = True
    compile: str = "later"
    proxy: str | None = None
    ca_certificates: str | None = None
    timeout: int = 600
    virtualenv: str | None = None
    whole: bool = False  # the virtualenv is to go, with all that is in it

    @classmethod
    def of(cls, params: dict) -> Wish:
        """Read the module's parameters, and the files that they name."""
        lines = Lines([["name", name] for name in names_with_version(params["name"] or [], params["version"])])
        if params["requirements"]:
            if re.match(r"\w+://", params["requirements"]):
                lines.requirements.append(["requirements", f"-r {params['requirements']}"])
            else:
                lines.add_file(params["requirements"])
        if params["requirements_content"]:
            lines.add_text(params["requirements_content"], "requirements_content")
        lines.add_text("\n".join(split_names(params["constraints"] or [])), "constraints", constraint=True)
        return cls(
            lines,
            index_lines=index_lines(params),
            pip_options=extra_options(params["extra_args"]),
            virtualenv=virtualenv_name(params["virtualenv"]),
            # An empty list asks for nothing; only no list at all speaks of the virtualenv itself.
            whole=params["state"] == "absent" and all(params[name] is None for name in ("name", "requirements", "requirements_content")),
            **{name: params[name] for name in AS_GIVEN},
        )

    @property
    def migrates(self) -> bool:
        return self.migrate and self.state in _inside_change.MIGRATING

    @property
    def pip_decides(self) -> bool:
        """Whether something may be to do although every requirement holds."""
        return self.state in ("latest", "forcereinstall") or any(name in DECISIVE for option in self.pip_options for name in meant_by(option))

    def request(self, check: bool) -> dict:
        """The wish as the _inside modules take it."""
        lines = {"lines": self.lines.requirements, "constraints": self.lines.constraints}
        no_deps = any("--no-deps" in meant_by(option) for option in self.pip_options)
        return {**vars(self), **lines, "pip_decides": self.pip_decides, "no_deps": no_deps, "check": check}

    def secrets(self) -> set:
        """Those in files that the parameters name."""
        return secrets({"lines": [text for _where, text in self.lines.requirements + self.lines.constraints]})


def names_with_version(names: list, version: str | None) -> list:
    names = split_names(names)
    if not version:
        return names
    if len(names) != 1:
        raise PipError("version goes with exactly one name; write several as name==version each")
    name, semicolon, marker = names[0].partition(";")
    if any(sign in name for sign in "<>=!~@/"):
        raise PipError(f"{names[0]} names its version already; leave version out")
    version = version.strip()
    sign = "" if version.startswith(("<", ">", "=", "!", "~")) else "=="
    return [f"{name.strip()}{sign}{version}{semicolon}{marker}"]


def virtualenv_name(name: str | None) -> str | None:
    """Jupyter's rule for the name of a kernel. Its own kernel is not ours to replace."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise PipError(f"virtualenv {name!r} is no name for a kernel: begin with a letter or digit, and use letters, digits, dots, dashes and underscores")
    if name is not None and name.lower() == "python3":
        raise PipError("virtualenv python3 has the name of the image's own kernel: use another")
    return name


def index_lines(params: dict) -> list:
    """Where packages come from, as lines of a requirements file: so that no credentials are in argv."""
    lines = ["--no-index"] if params["no_index"] else []
    lines += [f"--index-url {params['index_url']}"] if params["index_url"] else []
    lines += [f"--extra-index-url {url}" for url in params["extra_index_urls"] or []]
    return lines + [f"--find-links {place}" for place in params["find_links"] or []]


def secrets(params: dict) -> set:
    """Passwords and tokens in URLs anywhere in the parameters: nothing that we return or log may show them."""
    texts = [text for value in params.values() for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    # Over HTTP, a long user name without a password is a token. A password may have an @ in it; a proxy may come without its scheme.
    forms = r"(?:://[^/\s:]*:|https?://(?=[^/\s:]{8,}@))([^/\s]+)@", r"^[^/\s:@]+:([^/\s]+)@[^/\s@:]+:\d+$"
    found = {match for text in texts for form in forms for match in re.findall(form, text)}
    return found | {unquote(secret) for secret in found}


def extra_options(extra_args: str | None) -> list:
    try:
        options = shlex.split(extra_args or "")
    except ValueError as error:
        raise PipError(f"extra_args cannot be taken apart: {error}") from error
    for option in options:
        if any(name in MISPLACING for name in meant_by(option)):
            raise PipError(f"extra_args: {option} would lead pip away from the lab user's packages")
        if re.search(r"https?://[^/\s]+@|\w+://[^/\s:]*:[^/\s]+@|^[^/\s@:]+:[^/\s]+@[^/\s@:]+:\d+$", option):
            raise PipError("extra_args has credentials that everybody in the container would see: use index_url, extra_index_urls, find_links or proxy")
    return options


def meant_by(option: str) -> list:
    """The names of the options in a word for pip, as its optparse takes them: bundles of letters, and names cut short."""
    if option.startswith("--"):
        name = option.partition("=")[0]
        return [name] if name == "--pre" else [known for known in (*DECISIVE, *MISPLACING, "--no-deps") if known.startswith(name)]
    letters = re.match(rf"-([^{WITH_VALUE}]*[{WITH_VALUE}]?)", option)
    return [LETTERS.get(letter, "-" + letter) for letter in letters.group(1)] if letters else []


def python_of(executable: str | None) -> str:
    """The Python that belongs to an executable: pip3.11 is python3.11's, /opt/conda/bin/pip its neighbour's."""
    if not executable:
        return "python3"
    folder, name = os.path.split(executable)
    return os.path.join(folder, "python" + (name[3:] or "3") if name.startswith("pip") else name)


class Packages:
    """The packages of one container's user, looked at and changed through its engine."""

    def __init__(self, engine: Engine, container: Container, user: str | None = None, executable: str | None = None):
        self._engine = engine
        self._container = container
        self._user = user
        self._python = python_of(executable)

    def look(self, request: dict) -> dict:
        return self._ask(LOOK, "look", request, self._user)

    def change(self, request: dict) -> dict:
        answer = self._ask(CHANGE, "change", request, self._user)
        if "full" in answer:
            answer["error"] = self._without_room(**answer["full"])
        return answer

    def _without_room(self, mount: str, free: int, files: int | None) -> str:
        """What is full, by the name that it has on the host."""
        mounts = {one["Destination"]: one for one in self._container.raw.get("Mounts") or []}
        names = {"volume": "volume {Name} ({Destination})", "bind": "{Source} of the host ({Destination})"}
        there = mounts.get(mount)
        place = names.get(there.get("Type", ""), "{Destination}").format(**there) if there else mount
        left = f"{free} bytes" + ("" if files is None else f" and {files} files")
        return f"no space is left on {place}, where {left} are free: remove packages that are not needed (state absent), or give it more room"

    def inform(self, request: dict) -> dict:
        return self._ask(INFORM, "inform", request, self._user)

    def mend(self, request: dict) -> None:
        """Needs root only where something belongs to somebody else."""
        self._ask(MEND, "mend", request, "root" if request["foreign"] else self._user)

    def _ask(self, modules: list, function: str, request: dict, user: str | None) -> dict:
        argv, stdin = command(modules, function, request, self._python)
        result = self._engine.exec(self._container, *argv, stdin=stdin, user=user)
        try:
            return parse_probe(result.out)
        except ValueError as error:
            text = result.err.strip().splitlines()[-1:] or [f"it ended with code {result.rc}"]
            raise PipError(f"{self._python} gave {error}: {text[0]}", stderr=result.err) from error


def ensure(packages: Packages, wish: Wish, check: bool) -> dict:
    """Make the wish true, or say what that would change: the module's whole result.

    The first look may find nothing to do, and that is all then. Else change() looks again, since others may have changed
    things until it has the lock, and its look decides.
    """
    request = wish.request(check)
    found = packages.look(request)
    refuse_malformed(found["malformed"])
    result = {"python_version": found["python"], "repaired": [], "migrated": {}, "kernel": kernel_of(wish, found), "conflicts": [], "warnings": []}
    broken = found["foreign"] + found["leftovers"]
    if broken and wish.repair:
        result["repaired"] = broken
        if not check:
            packages.mend(found)
    elif broken:
        result["warnings"].append(f"{len(broken)} paths of its user packages are broken or not the user's own, such as {broken[0]}: repair mends that.")
    if found["older"] and not wish.migrates:
        pythons = ", ".join(found["older"])
        result["warnings"].append(f"Packages of Python {pythons} are left, which {found['python']} does not see: migrate installs them again.")
    if not found["seen"]:
        result["warnings"].append(f"{found['executable']} does not see {found['user_site']}: is PYTHONNOUSERSITE set in the container?")
    if nothing_to_do(wish, found, check):
        return outcome(result, {})
    answer = packages.change(request)
    told = what_was_said(answer)
    result.update(migrated=answer["migrated"], changed=found["kernel_differs"] or found["interrupted"], conflicts=answer["conflicts"])
    result["warnings"] += [f"conflict after this change: {conflict}." for conflict in answer["conflicts"]]
    return {**outcome(result, differences(answer)), "restart_recommended": answer["restart"], "installer": answer.get("installer"), **told}


def kernel_of(wish: Wish, found: dict) -> dict | None:
    """The kernel of a virtualenv, whether Jupyter finds it before and after."""
    if not wish.virtualenv:
        return None
    after = not wish.whole and (found["kernel"] or wish.state != "absent")
    return {"name": wish.virtualenv, "before": found["kernel"], "after": after}


def what_was_said(answer: dict) -> dict:
    """The installer's command and words. Raises PipError if it failed."""
    told = {"cmd": readable(answer.get("argv", [])), "stdout": answer.get("out", ""), "stderr": answer.get("err", "")}
    if answer.get("rc"):
        raise PipError(answer.get("error") or explain(answer["out"], answer["err"]), rc=answer["rc"], **told)
    if "error" in answer:
        raise PipError(answer["error"], **told)
    return told


def inform(packages: Packages, index: list, options: dict) -> dict:
    """All that there is to know: container_pip_info's whole result. options: of the module, by name."""
    wish = Wish(Lines(), index_lines=index, timeout=options["timeout"], virtualenv=virtualenv_name(options["virtualenv"]))
    request = {**wish.request(check=True), "repair": options["deep"]}
    request.update({name: options[name] for name in ("outdated", "lock", "proxy", "ca_certificates")})
    answer = packages.inform(request)
    what_was_said(answer)
    for name, version in answer["latest"].items():
        answer["packages"][name]["latest"] = version
    names = ("packages", "image_packages", "conflicts", "lock", "user_site", "leftovers", "foreign")
    shadowed = sorted(set(answer["packages"]) & set(answer["image_packages"]))
    versions = {"python_version": answer["python"], "pip_version": answer["pip"] or None}
    return {**{name: answer[name] for name in names}, **versions, "shadowed": shadowed, "older_packages": answer["older"]}


def nothing_to_do(wish: Wish, found: dict, check: bool) -> bool:
    if wish.pip_decides or found["interrupted"] or (wish.migrates and found["older"]):
        return False
    return found["satisfied"] and (check or not found["unmarked"])


def refuse_malformed(malformed: list) -> None:
    if malformed:
        first = malformed[0]
        column = f", column {first['column']}" if first["column"] else ""
        raise PipError(f"malformed requirement {first['text']!r} ({first['where']}{column}): {first['why']}")


def differences(answer: dict) -> dict:
    """name -> before and after, as Python sees it: below a user package may be one of the image."""
    before, after, image = answer["before"], answer["after"], answer["image"]
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name) or name in answer["installed"]]
    return {name: {"before": before.get(name, image.get(name)), "after": after.get(name, image.get(name))} for name in sorted(changed)}


def outcome(result: dict, changes: dict) -> dict:
    changed = result.get("changed") or changes or result["repaired"] or result["migrated"]
    return {
        **result,
        "changed": bool(changed),
        "packages": changes,
        "diff": {side: listing(result["kernel"], changes, side, result["conflicts"]) for side in ("before", "after")},
        "restart_recommended": False,
        "installer": None,
        "cmd": [],
        "stdout": "",
        "stderr": "",
    }


def listing(kernel: dict | None, changes: dict, side: str, conflicts: list) -> str:
    """One side of a diff: what differs, one line each, and the conflicts that come of it."""
    lines = [f"kernel {kernel['name']}"] if kernel and kernel[side] and kernel["before"] != kernel["after"] else []
    lines += [f"{name}=={pair[side]}" for name, pair in changes.items() if pair[side]]
    lines += [f"# conflict: {conflict}" for conflict in conflicts] if side == "after" else []
    return "".join(line + "\n" for line in lines)


def readable(argv: list) -> list:
    """The command without our nameless files."""
    names = {"-r": "requirements", "-c": "constraints", "--report": "report"}
    return [names.get(before, word) if re.match(r"/proc/\d+/fd/", word) else word for before, word in zip(["", *argv], argv)]
