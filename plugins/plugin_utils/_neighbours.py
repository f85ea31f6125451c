# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two labs of one machine cannot both have: one sentence that names both.

Private to the collection. A claim is what one lab has or wants. Those of other labs come from the engine's containers (lab_info), from the
plans of other hosts in the play, and, before there is any look, from what the inventory says.
"""

from __future__ import annotations

import ipaddress
import os.path

EVERYWHERE = {ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::")}


def claim_of(wanted: dict, look: dict) -> dict:
    """What the lab itself wants."""
    private = look["config_dir"]
    place = private.get("real", private["path"])
    engine = look["engine"]
    return {
        "host": wanted["gpus"]["host"],
        "name": str(wanted["name"]),
        "state": "",
        # Ports and directories are the machine's, names and volumes those of one engine.
        "machine": look["machine"],
        "engine": [engine["kind"], engine.get("root_dir", "")],
        "uid": look["owner"]["lab_uid"],
        "owner": look["owner"]["name"],
        "volume": str(wanted["packages_volume"]),
        "volumes": writable_volumes(wanted["volumes"]),
        "work_dir": look["work_dir"].get("real", look["work_dir"]["path"]),
        "private": [place, *([f"{place}-home"] if wanted["brings_home"] else [])],
        "port": str(wanted["port"]),
        "address": str(wanted["bind_address"]),
    }


def writable_volumes(mounts: list) -> list:
    """Names of the volumes that a lab mounts besides its own, and may write to."""
    parts = [[*mount.split(":"), ""] for mount in mounts if ":" in mount]
    return [part[0] for part in parts if part[0][:1] not in ("/", "~", "") and "ro" not in part[2].split(",")]


def conflicts(mine: dict, other: dict):
    """Sentences on what the two cannot both have, both on one machine."""
    one_engine = mine["engine"] == other["engine"]
    if one_engine and mine["name"] == other["name"]:
        yield (
            f"lab_name {mine['name']} is that of {mine['host']} and {other['host']} on the same machine: "
            "the two would be one container, so give each of them a lab_name of its own."
        )
        return
    both = f"labs {mine['name']} and {other['name']}"
    strangers = mine["uid"] != other["uid"]
    owners = f"{both} of {mine['owner']} and {other['owner']}"
    if one_engine and strangers:
        yield from _volumes(mine, other, owners)
    if strangers and mine["work_dir"] == other["work_dir"]:
        yield (
            f"lab_work_dir {mine['work_dir']} would be that of {owners}, who cannot write each other's files: "
            "give each of them a directory of its own, or both the same lab_owner."
        )
    shared = [path for path in mine["private"] if path in other["private"]]
    if shared:
        yield (
            f"lab_config_dir {shared[0]} would be that of {both}, and each would replace the other's token and settings: "
            "give each of them a directory of its own."
        )
    if mine["port"] == other["port"] and overlap(mine["address"], other["address"]):
        which = f" ({other['name']} is {other['state']})" if other["state"] not in ("", "running") else ""
        yield f"lab_port {mine['port']} would be that of {both}{which}: give each of them a lab_port of its own{', or remove that lab' if which else ''}."


def _volumes(mine: dict, other: dict, owners: str):
    if mine["volume"] == other["volume"]:
        yield (
            f"lab_packages_volume {mine['volume']} would be that of {owners}, who cannot write each other's files: "
            "give each of them a volume of its own, or both the same lab_owner."
        )
    elif mine["volume"] in other["volumes"]:
        yield (
            f"lab_packages_volume {mine['volume']} is mounted by lab {other['name']} of {other['owner']}, too, who would leave files in it that "
            f"lab {mine['name']} of {mine['owner']} cannot write: name another volume, or mount it there read-only (:ro)."
        )
    elif other["volume"] in mine["volumes"]:
        yield (
            f"lab_volumes mounts {other['volume']}, the packages volume of lab {other['name']} of {other['owner']}, and lab {mine['name']} of "
            f"{mine['owner']} would leave files in it that the other cannot write: mount it read-only (:ro), or leave it out."
        )


def overlap(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened at on the same port."""
    try:
        addresses = {ipaddress.ip_address(one), ipaddress.ip_address(other)}
    except ValueError:
        return one == other
    return len(addresses) == 1 or bool(addresses & EVERYWHERE)


def others_of(mine: dict, claims: list) -> list:
    """Those of other labs on the same machine. There are none of hosts that make no lab."""
    return [claim for claim in claims if claim and claim["host"] != mine["host"] and claim["machine"] == mine["machine"]]


def claim_of_row(row: dict, mine: dict, home: str) -> dict:
    """What the inventory says that another lab of the machine wants, a row of machine_labs. What it does not say is not compared.

    home: that of the owner of my own lab.
    """
    owner = row["owner"] or mine["owner"]
    same = owner == mine["owner"]

    def place(path: str) -> str:
        if path[:2] == "~/" and same:
            path = home + path[1:]
        return os.path.normpath(path) if path.startswith("/") else ""

    work_dir, private = place(row["work_dir"]), place(row["config_dir"])
    return {
        **{"host": row["host"], "name": str(row["name"]), "state": "", "machine": mine["machine"], "engine": mine["engine"], "owner": owner},
        **{"uid": mine["uid"] if same else -1, "volume": row["volume"], "volumes": [], "work_dir": work_dir, "private": [private] if private else []},
        **{"port": str(row["port"]), "address": row["address"]},
    }
