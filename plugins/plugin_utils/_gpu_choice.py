# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which GPUs a lab gets, in which way, and why it cannot have what it asks for.

Private to the collection. ``look`` is what lab_info saw. A lab that asks is ``{host, name, gpus, exclusive}``, its host being that of
the inventory. The labs of one machine that are deployed in one play are dealt with together, in the play's order, so that each of
them comes to the same result on its own.
"""

from __future__ import annotations

import re

# Oldest driver for each major version of CUDA (docs.nvidia.com, "minor version compatibility").
OLDEST_DRIVER = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
# CUDA 13 compiles for none older (Turing).
OLDEST_COMPUTE_13 = 7.5
NOTHING = {"devices": [], "way": "", "device_requests": [], "runtime": "", "env": {}, "labels": {}, "spec": {}}
HELP = "write auto, none, all, a count, or a list of indices and UUIDs as in [0, 1]"


class Refused(Exception):
    """One sentence: why a lab cannot have the GPUs that it asks for."""


def version(text: str) -> tuple:
    return tuple(int(part) for part in re.findall(r"\d+", text))


# -- Who gets which -------------------------------------------------------------------------------------------------


def read_wanted(gpus) -> str | int | list:
    """lab_gpus as it was written -> auto, none, all, a count or a list of names. Raises Refused."""
    if isinstance(gpus, (list, tuple)):
        if not gpus or any(isinstance(item, (bool, dict, list, tuple)) or item is None for item in gpus):
            raise Refused(f"lab_gpus {list(gpus)} is no list of GPUs: {HELP}.")
        return [str(item) for item in gpus]
    text = str(gpus).strip().lower()
    if isinstance(gpus, bool) or gpus is None or not (text in ("auto", "none", "all") or text.isdigit()):
        raise Refused(f"lab_gpus {gpus} is nothing that can be had: {HELP}.")
    return (int(text) or "none") if text.isdigit() else text


def share_out(labs: list, gpus: dict) -> dict:
    """Name of each lab -> its devices, or the Refused that says why not.

    Those who name GPUs come first, then those who only count, those who have their number already before others,
    and at last those who take what there is.
    """
    held = [holder for holder in gpus["holders"] if holder["lab"] not in [lab["name"] for lab in labs]]
    has = {holder["lab"]: holder["gpus"] for holder in gpus["holders"]}
    found, wanted = {}, {}
    for lab in labs:
        try:
            wanted[lab["name"]] = read_wanted(lab["gpus"])
        except Refused as sentence:
            found[lab["name"]] = sentence

    def rank(lab: dict) -> tuple:
        what = wanted[lab["name"]]
        return (what == "auto", isinstance(what, int), lab["name"] not in has)

    for lab in sorted((lab for lab in labs if lab["name"] in wanted), key=rank):
        what, name = wanted[lab["name"]], lab["name"]
        try:
            mine = pick(what, lab["exclusive"], has.get(name, []), gpus["devices"], held)
        except Refused as sentence:
            found[name] = sentence
            continue
        found[name] = mine
        held.append({"lab": name, "gpus": [device["uuid"] for device in mine], "exclusive": lab["exclusive"]})
    return found


def pick(wanted, exclusive: bool, has: list, devices: list, held: list) -> list:
    """The devices for a lab that now has those in ``has``, while others hold theirs. Raises Refused."""
    if wanted == "none":
        return []

    def in_the_way(device: dict) -> list:
        return [holder for holder in held if device["uuid"] in holder["gpus"] and (exclusive or holder["exclusive"])]

    free = [device for device in devices if not in_the_way(device)]
    if wanted == "auto":
        return free
    if isinstance(wanted, int):
        if wanted > len(devices):
            raise Refused(f"lab_gpus asks for {_count(wanted)}, but this host has {_names(devices)}: ask for fewer, or write all.")
        if wanted > len(free):
            taken = [_clash(device, in_the_way(device)[0]) for device in devices if in_the_way(device)]
            raise Refused(
                f"lab_gpus asks for {_count(wanted)}, of which the host has {len(free)} left{' for this lab alone' if exclusive else ''}: "
                f"{', '.join(taken)}. Ask for fewer, or stop that lab."
            )
        users = {device["uuid"]: sum(device["uuid"] in holder["gpus"] for holder in held) for device in free}
        chosen = sorted(free, key=lambda device: (device["uuid"] not in has, users[device["uuid"]]))[:wanted]
        return [device for device in devices if device in chosen]
    chosen = devices if wanted == "all" else [device for name in wanted for device in named(name, devices)]
    for device in chosen:
        for holder in in_the_way(device):
            raise Refused(
                f"lab_gpus asks for GPU {device['index']}{' alone' if exclusive else ''}, but {_clash(device, holder)}: "
                "name another GPU, write a count, or stop that lab."
            )
    return [device for device in devices if device in chosen]


def named(name: str, devices: list) -> list:
    """The devices that an index or a UUID means: a divided GPU's index means all its parts."""
    found = [device for device in devices if name in (device["uuid"], device["index"], device["index"].split(":")[0])]
    if not found:
        raise Refused(f"lab_gpus names GPU {name}, but this host has {_names(devices)}: name one of them.")
    return found


def _count(number: int) -> str:
    return f"{number} GPU{'s' if number > 1 else ''}"


def _names(devices: list) -> str:
    return f"{_count(len(devices))} ({', '.join(device['index'] + ' ' + device['name'] for device in devices)})"


def _clash(device: dict, holder: dict) -> str:
    return f"lab {holder['lab']} has GPU {device['index']}{' for itself alone' if holder['exclusive'] else ''}"


def on_this_machine(lab: dict, play: list) -> list:
    """The labs that this play starts on the machine of a lab, itself among them. ``play``: a row of machine_labs for each that is there.

    The role's own variables go before what the inventory says of the lab.
    """
    others = [row for row in play if row["host"] == lab["host"] or row["state"] in ("started", "restarted")]
    return [lab if row["host"] == lab["host"] else row for row in others] or [lab]


# -- How they are handed over ---------------------------------------------------------------------------------------


def choose(lab: dict, play: list, look: dict) -> dict:
    """What the lab gets: NOTHING, filled in. ``note`` is what the report says of GPUs that it does not get. Raises Refused."""
    gpus, container = look["gpus"], look["container"]
    # An engine may give every container all GPUs, unless it is told.
    nothing = {**NOTHING, "note": "", "env": {"NVIDIA_VISIBLE_DEVICES": "void"} if look["engine"].get("default_runtime") == "nvidia" else {}}
    wanted = read_wanted(lab["gpus"])
    if wanted == "none":
        return nothing
    if not gpus["devices"]:
        why, what = _why_none(gpus)
        # What a lab has is not taken away because the driver does not answer just now.
        if wanted != "auto" or (gpus["card"] and container.get("gpus")):
            raise Refused(f"Lab {lab['name']} wants GPUs, but {why}: {what}, or set lab_gpus to none.")
        return {**nothing, "note": f"It has no GPU: {why}" if gpus["card"] else ""}
    found = share_out(on_this_machine(lab, play), gpus)[lab["name"]]
    if isinstance(found, Refused):
        raise Refused(f"{found} On this host nvidia-smi says as well: {gpus['warning']}.") if gpus.get("warning") else found
    if not found:
        return {**nothing, "note": "It has no GPU: other labs have all of them for themselves alone"}
    # Whether it knows requests for devices, no engine says, and the toolkit may be newer than it is; a lab that sees its GPUs proves it.
    proven = container.get("gpu_way") == "device_requests" and gpus["seen"] and not gpus["lost"]
    ways = ["device_requests", *gpus["ways"]] if proven else gpus["ways"]
    if not ways:
        why, what = _why_no_way(gpus, look["engine"])
        if wanted != "auto" or container.get("gpus"):
            raise Refused(f"Lab {lab['name']} wants GPUs, but the engine of this host {why}: {what}, or set lab_gpus to none.")
        return {**nothing, "note": f"It has no GPU: the engine {why} ({what})"}
    # A lab that sees its GPUs is not made anew because the engine has learnt a better way.
    way = container.get("gpu_way", "") if container.get("gpu_way") in ways and not gpus["lost"] else ways[0]
    if way == "cdi" and set(gpus["cdi"]) == {"all"} and len(found) < len(gpus["devices"]):
        raise Refused(f"Lab {lab['name']} wants some of the GPUs, and the CDI specification of this host has them all or none: set lab_gpus to all, or none.")
    uuids = [device["uuid"] for device in found]
    choice = {**NOTHING, "note": "", "devices": [{key: device[key] for key in ("index", "uuid", "name")} for device in found], "way": way}
    choice["labels"] = {"mlenv.jupyter.gpus": ",".join(uuids), **({"mlenv.jupyter.gpus-exclusive": "true"} if lab["exclusive"] else {})}
    choice["spec"] = {"gpus": uuids, "exclusive": lab["exclusive"], "way": way}
    if way == "cdi":
        names = ["all"] if set(gpus["cdi"]) == {"all"} else [device["index"] if device["index"] in gpus["cdi"] else device["uuid"] for device in found]
        choice["device_requests"] = [{"driver": "cdi", "count": 0, "capabilities": [], "device_ids": [f"nvidia.com/gpu={name}" for name in names]}]
    elif way == "device_requests":
        choice["device_requests"] = [{"driver": "nvidia", "count": 0, "capabilities": [["gpu"]], "device_ids": uuids}]
    else:
        choice.update(runtime="nvidia", env={"NVIDIA_VISIBLE_DEVICES": ",".join(uuids)})
    return choice


def _why_none(gpus: dict) -> tuple:
    """Why the host has no GPU that could be given, and what to do about it."""
    if not gpus["card"]:
        return "this host has none", "name another host"
    if gpus["trouble"]:
        driver = f"NVIDIA's driver {gpus['driver']} on this host does" if gpus["driver"] else "NVIDIA's driver on this host does"
        return f"{driver} not answer (nvidia-smi: {gpus['trouble'].rstrip('.')})", "restart the host if the driver was updated, or install it anew"
    return "the NVIDIA card of this host has no driver", "install NVIDIA's driver"


def _why_no_way(gpus: dict, engine: dict) -> tuple:
    """Why the engine cannot hand over the GPUs that the host has, and what to do about it."""
    if engine.get("kind") == "podman" and version(engine["version"]) < (5,):
        return f"is Podman {engine['version']}, which hands over no GPU through its socket", "use Podman 5.0 or later"
    role = "run role mlenv.jupyter.engine as root (engine_nvidia)"
    if gpus["cdi_stale"]:
        return "has its CDI specification made for another driver", role
    return "cannot hand them over, as the NVIDIA Container Toolkit is not set up", role


# -- Whether the image can be used with them ------------------------------------------------------------------------


def oldest_driver(reference: str, cuda: dict) -> tuple:
    """Version of CUDA for which an image is made, and the oldest driver that can run it; ("", "") if that is not known."""
    tag = re.search(r":(?:x86_64-|aarch64-)?cuda(\d*)-", reference)
    stated = version(cuda.get("version", ""))
    made_for = stated[0] if stated else int(tag[1] or 12) if tag else 0  # TensorFlow's tag has no number
    return (cuda.get("version") or str(made_for), OLDEST_DRIVER[made_for]) if made_for in OLDEST_DRIVER else ("", "")


def required_driver(requires: str, driver: str) -> str:
    """NVIDIA_REQUIRE_CUDA: the oldest driver with which a part of it could hold, "" if one does for this driver.

    Alternatives have spaces between them, conditions commas. The brand of a GPU is nobody's to judge here.
    """
    needs = []
    for alternative in requires.split():
        lowest = []
        for name, sign, value in re.findall(r"(cuda|driver)(>=|<=|>|<|=)([\d.]+)", alternative):
            if name == "cuda" and sign in (">=", ">", "="):
                lowest.append(OLDEST_DRIVER.get(version(value)[0], ""))
            elif name == "driver" and sign in (">=", ">", "="):
                lowest.append(value)
        need = max(lowest, key=version, default="")
        if version(need) <= version(driver):
            return ""
        needs.append(need)
    return min(needs, key=version, default="")


def too_old(reference: str, cuda: dict, driver: str) -> str:
    """The sentence for an image that the host's driver cannot run, "" if it can, or if nobody knows."""
    made_for, need = oldest_driver(reference, cuda)
    if cuda.get("requires"):
        need = required_driver(cuda["requires"], driver)
    if not need or not driver or version(driver) >= version(need):
        return ""
    what = f"CUDA {made_for}" if made_for else "a newer CUDA"
    return (
        f"Image {reference} is made for {what}, which needs NVIDIA's driver {need} or later, but this host has {driver}: "
        "update the driver, use an image for an older CUDA (image_variant), or set lab_gpus to none."
    )


def variant_for(variants: list, gpus: dict) -> str:
    """The newest of an image's variants that the host can use, "" (that for the CPU) without a GPU that can be handed over."""
    if not gpus["devices"] or not gpus["ways"]:
        return ""
    compute = [float(device["compute"]) for device in gpus["devices"] if re.fullmatch(r"\d+\.\d+", device["compute"])]
    fit = []
    for name in variants:
        made_for = int(name[len("cuda") :] or 12)
        old_card = made_for >= 13 and compute and min(compute) < OLDEST_COMPUTE_13
        if version(gpus["driver"]) >= version(OLDEST_DRIVER[made_for]) and not old_card:
            fit.append(name)
    return max(fit, key=version, default="")


def refusals(wanted: dict, look: dict):
    """What role lab refuses for the sake of GPUs."""
    try:
        choice = choose(wanted["gpus"], wanted["gpu_play"], look)
    except Refused as sentence:
        # A host that is still bare gets its toolkit in this very run.
        if not (wanted["check_mode"] and look["gpus"]["devices"] and not look["gpus"]["ways"]):
            yield str(sentence)
        return
    if choice["devices"]:
        sentence = too_old(wanted["image"], look["image"].get("cuda", {}), look["gpus"]["driver"])
        if sentence:
            yield sentence
