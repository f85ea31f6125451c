# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large files to a host, in pieces over Ansible's own connection: what was cut off goes on where it ended.

A file grows as NAME.part beside its place, and gets its name when its digest is right. So a name that is there is whole.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import time

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

ARGUMENTS = {
    "src": {"type": "str", "required": True},
    "dest": {"type": "str", "required": True},
    "exact": {"type": "bool", "default": False},
}
PIECE = 32 * 1024 * 1024
TRIES = 6  # in a row that bring nothing
SILENCE = 10  # seconds
# Number of the file, whole or part, size, digest; and what the disk has left, in KiB.
LOOK = """
look() {
    for kind in whole part; do
        file=$2; [ $kind = whole ] || file=$2.part
        [ ! -f "$file" ] || echo "$1 $kind $(stat -c %s "$file") $(sha256sum < "$file")"
    done
}
df -Pk . | tail -n 1 | { read -r _device _blocks _used left _rest; echo "left $left"; }
"""


class Astray(Exception):
    """The host does not have what we think that it has: look again."""


class Damaged(Astray):
    """All of it arrived, as something else."""


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        self._host = (task_vars or {}).get("inventory_hostname", "")
        self._told = time.monotonic()
        self._dest = self._remote_expand_user(args["dest"])
        paths = local_files(os.path.expanduser(args["src"]))
        if not self._task.check_mode:
            self._ask(f"umask 022 && mkdir -p {shlex.quote(self._dest)}")
        left, found = self._look(paths)
        missing = [path for path in paths if not self._is_whole(path, found.get((path, "whole")))]
        others = self._others(paths) if args["exact"] else []
        result.update(changed=bool(missing or others), dest=self._dest, files=[os.path.basename(path) for path in missing], removed=others, bytes=0)
        if self._task.check_mode:
            return result
        if others:
            self._ask(f"cd {shlex.quote(self._dest)} && rm -f -- {' '.join(map(shlex.quote, others))}")
        needed = sum(os.path.getsize(path) - found.get((path, "part"), (0, ""))[0] for path in missing)
        if missing and left < needed:
            raise AnsibleActionFail(f"{args['src']} needs {size(needed)} more in {self._dest} of the host, which has {size(left)} left: make room there.")
        result["bytes"] = sum(self._send(path) for path in missing)
        return result

    # -- What is there ----------------------------------------------------------------------------------------------

    def _look(self, paths: list) -> tuple:
        """What the host has of these files: bytes left on its disk, and (path, whole or part) -> size and digest."""
        names = [f"look {number} {shlex.quote(os.path.basename(path))}" for number, path in enumerate(paths)]
        left, found = 0, {}
        for line in self._ask("\n".join([f"cd {shlex.quote(self._dest)} 2> /dev/null || exit 0", LOOK, *names])).splitlines():
            words = line.split()
            if words[:1] == ["left"]:
                left = int(words[1]) * 1024
            elif len(words) >= 4 and words[1] in ("whole", "part"):
                found[paths[int(words[0])], words[1]] = int(words[2]), words[3]
        return left, found

    def _is_whole(self, path: str, there: tuple | None) -> bool:
        return there is not None and there[0] == os.path.getsize(path) and there[1] == digest_of(path, there[0]).hexdigest()

    def _others(self, paths: list) -> list:
        names = {os.path.basename(path) for path in paths}
        there = self._ask(f"ls -1 {shlex.quote(self._dest)} 2> /dev/null || true").splitlines()
        return [name for name in there if name not in names and name.removesuffix(".part") not in names]

    # -- Sending ----------------------------------------------------------------------------------------------------

    def _send(self, path: str) -> int:
        """Send a file to its end, however often the connection is cut off. Returns how many bytes went over it."""
        sent, futile = 0, 0
        while True:
            before = sent
            try:
                for count in self._send_rest(path):
                    sent += count
                return sent
            except (AnsibleConnectionFailure, Astray) as trouble:
                futile = 0 if sent > before and not isinstance(trouble, Damaged) else futile + 1
                if futile == TRIES:
                    raise AnsibleConnectionFailure(f"{os.path.basename(path)} could not be sent to its end, the next run goes on there. {trouble}") from trouble
                Display().display(f"{self._host}: {os.path.basename(path)} was cut off, and goes on ({trouble})", color="yellow")
                time.sleep(2**futile - 1)

    def _send_rest(self, path: str):
        """Send what the host does not have yet, piece by piece, and yield their sizes."""
        whole, part = shlex.quote(os.path.basename(path)), shlex.quote(os.path.basename(path) + ".part")
        here, total = f"cd {shlex.quote(self._dest)}", os.path.getsize(path)
        offset, there = self._look([path])[1].get((path, "part"), (0, ""))
        digest = digest_of(path, offset)
        if offset > total or digest.hexdigest() != there:
            offset, digest = 0, hashlib.sha256()
            self._ask(f"{here} && rm -f -- {part} && : > {part}")
        with open(path, "rb") as file:
            file.seek(offset)
            while piece := file.read(PIECE):
                done = self._low_level_execute_command(f'{here} && [ "$(stat -c %s {part})" = {offset} ] && cat >> {part}', in_data=piece)
                if done["rc"] != 0:
                    self._explain(done)
                    raise Astray(done["stderr"].strip())
                digest.update(piece)
                offset += len(piece)
                self._tell(f"{os.path.basename(path)}: {100 * offset // total} % of {size(total)}")
                yield len(piece)
        # Not `sha256sum --check`, which small systems have in other dialects.
        check = f'{here} && set -- $(sha256sum < {part}) && [ "$1" = {digest.hexdigest()} ] && mv -f -- {part} {whole} && echo whole'
        if "whole" not in self._low_level_execute_command("sh -s", in_data=check.encode())["stdout"]:
            self._ask(f"{here} && rm -f -- {part}")
            raise Damaged("It arrived damaged.")

    def _ask(self, script: str) -> str:
        done = self._low_level_execute_command("sh -s", in_data=script.encode())
        if done["rc"] != 0:
            self._explain(done)
            raise AnsibleActionFail(f"{self._dest} cannot be used on the host: {done['stderr'].strip() or done['stdout'].strip()}")
        return done["stdout"]

    def _explain(self, done: dict) -> None:
        if "No space left" in done["stderr"]:
            raise AnsibleActionFail(f"The disk of the host is full at {self._dest}: make room there, and run again, which goes on where this ended.")

    def _tell(self, what: str) -> None:
        """A sign of life, not more often than people need one."""
        if time.monotonic() - self._told > SILENCE:
            self._told = time.monotonic()
            Display().display(f"{self._host}: {what}")


def local_files(src: str) -> list:
    """The file, or the files directly in the directory."""
    if os.path.isfile(src):
        return [src]
    if not os.path.isdir(src):
        raise AnsibleActionFail(f"{src} is not on the controller: name a file or a directory that is there.")
    return sorted(entry.path for entry in os.scandir(src) if entry.is_file() and not entry.name.startswith("."))


def digest_of(path: str, length: int):
    """SHA-256 of the first so many bytes, to which more can be added."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while length > 0 and (piece := file.read(min(length, PIECE))):
            digest.update(piece)
            length -= len(piece)
    return digest


def size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
