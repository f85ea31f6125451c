# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill installations in a container, each at a later moment than the one before; after each, the next run must end in the right state.

Usage: python kill_often.py CONTAINER ROUNDS. Wheels are in /wheels of the container (wheelhouse.py).
"""

from __future__ import annotations

import pathlib
import random
import subprocess
import sys
import tempfile
import time

# The checkout's own collection, wherever the checkout is: ansible-test runs a copy of this file from a folder deep inside it.
checkout = next(folder for folder in pathlib.Path(__file__).resolve().parents if (folder / "plugins/module_utils/_pip.py").exists())
root = tempfile.TemporaryDirectory()
link = pathlib.Path(root.name, "ansible_collections", "mlenv", "jupyter")
link.parent.mkdir(parents=True)
link.symlink_to(checkout)
sys.path.insert(0, root.name)

from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import CHANGE, Wish
from ansible_collections.mlenv.jupyter.plugins.module_utils._probe import command, parse_probe
from ansible_collections.mlenv.jupyter.plugins.module_utils._requirements import Lines

TARGETS = [
    {"tw-a": "1.0", "tw-b": "1.0", "tw-files": "1.0"},
    {"tw-a": "2.0", "tw-b": "1.5", "tw-files": "2.0", "tw-server": "1.0"},
]


def in_container(container: str, *argv: str, user: str = "jovyan", **options):
    return subprocess.Popen(["docker", "exec", "--interactive", "--user", user, container, *argv], text=True, **options)


def program(target: dict) -> str:
    lines = Lines([["name", f"{name}=={version}"] for name, version in target.items()])
    wish = Wish(lines, state="exact", index_lines=["--no-index", "--find-links /wheels"], compile="never")
    return command(CHANGE, "change", wish.request(check=False))[1]


def start(container: str, target: dict):
    child = in_container(container, "python3", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    child.stdin.write(program(target))
    child.stdin.close()
    return child


def finish(child) -> dict:
    answer = parse_probe(child.stdout.read())
    child.wait()
    return answer


def files(container: str) -> set:
    """All files of the user base by name and content, but bytecode, the cache and what only counts time."""
    script = "cd ~/.local && find . -type f -not -name '*.pyc' -not -name lock -not -path './.mlenv-pip/cache/*' | sort | xargs -d '\\n' sha256sum"
    child = in_container(container, "sh", "-c", script, stdout=subprocess.PIPE)
    listing = child.communicate()[0]
    return {line for line in listing.splitlines() if not line.endswith(("/RECORD", "/direct_url.json"))}


def main(container: str, rounds: int) -> None:
    right = []
    for target in TARGETS:
        assert finish(start(container, target))["after"] == target
        right.append(files(container))
    began = time.monotonic()
    finish(start(container, TARGETS[0]))
    usual = time.monotonic() - began
    killed = 0
    for number in range(rounds):
        goal = (number + 1) % 2
        child = start(container, TARGETS[goal])
        time.sleep(usual * (number + random.random()) / rounds)
        in_container(container, "pkill", "-KILL", "python", user="root").wait()
        child.wait()
        killed += not child.stdout.read()
        answer = finish(start(container, TARGETS[goal]))
        assert answer.get("after") == TARGETS[goal], (number, answer)
        differing = sorted(files(container) ^ right[goal])
        assert not differing, f"round {number}: other files than after an undisturbed run: {differing}"
    print(f"{killed} of {rounds} were killed before their end")
    assert killed > rounds / 10, "too few were hit to mean anything"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
