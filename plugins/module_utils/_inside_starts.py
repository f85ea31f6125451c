# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to find out which programs of packages each start of the lab and each terminal runs, such as conda.

Private to the collection. A package of the user's that hides one of theirs could break them. So what they say that they
need binds it, and they are tried with what was staged before it is swapped in.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import subprocess
import sys

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_imports import rows_of, top_levels
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_stage import Trouble

# What a start and a terminal read. Source: the contract of Jupyter's images, and the manual of bash.
PLACES = (
    *("/usr/local/bin/start*", "/usr/local/bin/*.d/*", "/etc/jupyter/*.py", "/etc/profile", "/etc/profile.d/*", "/etc/bash.bashrc"),
    *("/etc/skel/.bashrc", "/etc/skel/.profile", "/etc/skel/.bash_profile", "~/.bashrc", "~/.profile", "~/.bash_profile"),
)
COMMENT = re.compile(r"(?m)^\s*#.*$")
# $(program with words), and <(program with words) that is read like a file.
SUBSTITUTED = re.compile(r"[$<]\(([^()`]+)\)")
# The first word of a command, without its directory and its quotes.
COMMAND = re.compile(r"(?m)(?=(?:^|[;&|({!]|\b(?:exec|eval|if|then|else|do|while|command|time)\b)\s*[\"']?(?:[\w./${}-]*/)?([\w.-]+))")
IMPORTED = re.compile(r"(?m)^\s*(?:import|from)\s+(\w+)")
NUMBERS = re.compile(r"[<>=!~]=?=?\s*([0-9][\w.!]*)")


class Starts:
    """The programs of packages that starts and terminals of the image run."""

    def __init__(self, environment):
        self.environment = environment
        shells, programs = read_places()
        self.scripts = console_scripts(environment.image)
        named = {name for text in shells for name in COMMAND.findall(text)} & set(self.scripts)
        self.commands = [["bash", "-c", command] for command in dict.fromkeys(part for text in shells for part in SUBSTITUTED.findall(text))]
        self.commands = [command for command in self.commands if first_word(command[2]) in self.scripts]
        self.commands += [[sys.executable, "-c", f"import {module}"] for module in sorted(modules_of(named, self.scripts) | imports_of(programs))]
        self.roots = {self.scripts[name][0] for name in named}
        # A package may be a plugin of another one, which then imports it.
        self.roots |= {name for name, dist in environment.image.items() if self.roots & set(groups_of(dist))}

    def needs(self):
        """Yield what these programs need, and what that needs in turn: who needs it, and the requirement."""
        seen, queue = set(), sorted(self.roots)
        while queue:
            dist = self.environment.image.get(queue.pop())
            if dist and dist.name not in seen:
                seen.add(dist.name)
                for need in self.environment.needs(dist):
                    yield dist, need
                    queue.append(need.name)

    def limits(self, otherwise):
        """Return what binds those that are asked for in another version, as constraints. Raises Trouble if that cannot be."""
        found = []
        for dist, need in self.needs() if otherwise else ():
            one = otherwise.get(need.name)
            if not one or not need.specifier:
                continue
            if not go_together(one.specifier, need.specifier):
                own = self.environment.image[one.name]
                raise Trouble(
                    f"{one.shown} conflicts with the image's own {own.name} {own.version}: {dist.name}, which each start of the lab "
                    f"or each terminal runs, needs {need.name}{need.specifier}; `protect_image: false` allows it"
                )
            found.append(f"{need.name}{need.specifier}")
        return found

    def refuse_broken(self, staged, base, stage):
        """Try these programs with what was staged. Raises Trouble if one does not run that runs without it."""
        hiding = sorted(name for name, dist in staged.items() if name in self.environment.image or hides_modules(dist, self.environment.image))
        for command in [[sys.executable, "-c", ""], *self.commands] if hiding else ():
            with staged_environment(base, stage) as environment:
                trouble = tried(command, environment)
            if trouble and not tried(command, dict(os.environ)):
                names = ", ".join(f"{name} {staged[name].version}" for name in hiding)
                what = command[2] or "Python"
                raise Trouble(
                    f"{names} would hide what the image has, and break what each start of the lab or each terminal runs "
                    f"({what}: {trouble}); `protect_image: false` allows it"
                )


def read_places():
    """Return the texts of shell scripts, and those of Python programs."""
    shells, programs = [], []
    for place in PLACES:
        for path in sorted(glob.glob(os.path.expanduser(place))):
            with contextlib.suppress(OSError):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read(1 << 20)
                is_python = path.endswith(".py") or re.match(r"#!.*python", text)
                (programs if is_python else shells).append(COMMENT.sub("", text))
    return shells, programs


def first_word(command):
    return os.path.basename(command.split()[0].strip("\"'")) if command.split() else ""


def entry_points(dist):
    """Return the sections of entry_points.txt: group -> its lines."""
    found, group = {}, ""
    with contextlib.suppress(OSError):
        with open(os.path.join(dist.path, "entry_points.txt"), encoding="utf-8", errors="replace") as file:
            for line in map(str.strip, file):
                if line.startswith("["):
                    group = line.strip("[]")
                elif line:
                    found.setdefault(group, []).append(line)
    return found


def console_scripts(dists):
    """Return the programs of packages: name -> the package, and the module that its program imports."""
    found = {}
    for name, dist in dists.items():
        for line in entry_points(dist).get("console_scripts", ()):
            script, _equals, target = line.partition("=")
            found[script.strip()] = (name, target.partition(":")[0].strip())
    return found


def groups_of(dist):
    return [group.lower() for group in entry_points(dist)]


def modules_of(names, scripts):
    return {scripts[name][1] for name in names}


def imports_of(programs):
    """Return what Python programs import that Python does not bring."""
    known = getattr(sys, "stdlib_module_names", sys.builtin_module_names)
    return {name for text in programs for name in IMPORTED.findall(text) if name not in known}


def go_together(one, other):
    """Check whether some version satisfies both specifiers: the smallest, those that they name, and the ones just behind these."""
    numbers = ["0", *(number for text in (str(one), str(other)) for number in NUMBERS.findall(text))]
    tried_out = [text for number in numbers for text in (number.rstrip("."), number.rstrip(".") + ".0.1")]
    with contextlib.suppress(ValueError):  # a version that follows no rule
        return any(one.contains(number, prereleases=True) and other.contains(number, prereleases=True) for number in tried_out)
    return True


def hides_modules(dist, image):
    """Check whether a package brings modules of a name that the image's packages have, too."""
    folders = {other.location for other in image.values()}
    names = [name for name in top_levels(rows_of(dist.path)) if "." not in name]
    return any(os.path.exists(os.path.join(folder, found)) for folder in folders for name in names for found in (name, f"{name}.py"))


@contextlib.contextmanager
def staged_environment(base, stage):
    """Yield an environment whose user site is the stage, with what is installed behind it."""
    site = base.site_in(stage)
    path = os.path.join(site, "trial.pth")
    with open(path, "w", encoding="utf-8") as file:
        file.write(base.site + "\n")
    yield {**os.environ, "PYTHONUSERBASE": stage, "PYTHONDONTWRITEBYTECODE": "1"}
    os.remove(path)


def tried(command, environment):
    """Run a command to its end: return the last line of its complaint if it failed, "" if not."""
    if not shutil.which(command[0]):
        return ""
    try:
        # In the container there is no AnsibleModule whose run_command could be called instead.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=60, check=False, encoding="utf-8", errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    failed = done.returncode or "Traceback (most recent call last)" in done.stderr
    return (said or [f"exit code {done.returncode}"])[-1] if failed else ""
