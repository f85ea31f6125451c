# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A named volume, all of it one user's.

Private to the collection.
"""

from __future__ import annotations

import re
from functools import partial

from ansible_collections.mlenv.jupyter.plugins.module_utils._exec import ENGINE_ARGUMENTS, Engine, EngineError, engine_trouble

ARGUMENTS = {
    **ENGINE_ARGUMENTS,
    "name": {"type": "str", "required": True},
    "driver_options": {"type": "dict", "default": {}},
    "owner": {"type": "int", "required": True},
    "group": {"type": "int", "required": True},
    "image": {"type": "str", "required": True},
    "userns": {"type": "str", "default": ""},
    "existing": {"type": "str", "choices": ["give", "leave"], "default": "give"},
}
# Enough to see everything and to give it away, and no more.
HELPER = ["--rm", "--network=none", "--user=0:0", "--cap-drop=ALL", "--cap-add=CHOWN", "--cap-add=DAC_READ_SEARCH", "--cap-add=FOWNER", "--entrypoint=find"]


def bring_volume(params: dict, run_command, check_mode: bool) -> dict:
    """Make the volume if it is not there, and give what is not its user's to its user. Returns what a module does, ``msg`` if it failed."""
    engine = Engine.of(run_command, params)
    try:
        made = engine.run("volume", "inspect", params["name"]).rc != 0
        if made and not check_mode:
            options = [f"--opt={name}={value}" for name, value in params["driver_options"].items()]
            _run(engine, "volume", "create", *options, params["name"])
        given = 0 if made and check_mode else _give(engine, params, check_mode)
    except EngineError as trouble:
        return {"changed": False, "msg": str(trouble)}
    before, after = {"state": "absent"} if made else {"files of others": given}, {"state": "present"} if made else {"files of others": 0}
    return {
        "changed": made or given > 0,
        "created": made,
        "given": given,
        "diff": [{"before_header": params["name"], "after_header": params["name"], "before": before, "after": after}],
    }


def _give(engine: Engine, params: dict, check_mode: bool) -> int:
    """How many files and directories on the volume were not its user's."""
    owner, group = str(params["owner"]), str(params["group"])
    chown = [] if check_mode else ["-exec", "chown", "--no-dereference", f"{owner}:{group}", "{}", "+"]
    mount = f"--volume={params['name']}:/volume{':ro' if check_mode else ''}"
    userns = [f"--userns={params['userns']}"] if params["userns"] else []
    # One character for each, since names may have any.
    which = ["-maxdepth", "0", "-empty", "-user", "0"] if params["existing"] == "leave" else []
    words = ["/volume", *which, "(", "!", "-uid", owner, "-o", "!", "-gid", group, ")", "-printf", ".", *chown]
    return len(_run(engine, "run", *HELPER, *userns, mount, params["image"], *words, refused=partial(refusal, params)))


def refusal(params: dict, words: str) -> str:
    """What keeps the volume's file system from giving its files away, in one sentence, "" if it is something else."""
    if not re.search("chown: .*/volume", words):
        return ""
    reason = "keeps no owners of files, or only those of its server" if "not permitted" in words else "can only be read" if "Read-only" in words else ""
    if not reason:
        return ""
    return (
        f"Volume {params['name']} cannot be given to its user, uid {params['owner']} and gid {params['group']}, as its file system {reason}: "
        f"make it with options of its driver that say so (such as o: uid={params['owner']},gid={params['group']}), or name another volume."
    )


def _run(engine: Engine, *argv: str, refused=lambda _words: "") -> str:
    result = engine.run(*argv)
    if result.rc != 0 and refused(result.err):
        raise EngineError(refused(result.err))
    if result.rc != 0:
        raise EngineError(engine_trouble(engine.cli, result.err or result.out))
    return result.out
