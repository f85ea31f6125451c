# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What GPUs a host has, in which ways its engine can hand them over, and what a container sees of them.

Private to the collection. Changes nothing. Where there is no driver it costs a few looks at files, and no process.
A GPU that is divided (MIG) counts as its parts, since nothing runs on the whole of it.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil

NONE = {
    **{"driver": "", "devices": [], "trouble": "", "warning": "", "card": False},
    **{"toolkit": "", "ways": [], "cdi": [], "cdi_path": "", "cdi_stale": False, "holders": []},
}
# Of a container, too.
UNSEEN = {"seen": [], "lost": "", "framework": {}}

PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/usr/lib/wsl/lib"])
FIELDS = ("index", "uuid", "name", "driver_version", "compute_cap", "mig.mode.current")
CDI_KIND = "nvidia.com/gpu"
ALL = "all"
CDI_DIRS = ("/etc/cdi", "/var/run/cdi")
VERSION = re.compile(r"\b[0-9]{3,}\.[0-9]+(?:\.[0-9]+)?\b")
# Of a GPU that works. One that is lost has words in its place, such as [Unknown Error], [GPU is lost], N/A or ERR!.
UUID = r"(?:[A-Z]{3}-)*[0-9a-f]{4,}-[0-9a-f-]{4,}(?:/\d+/\d+)?"
UNTOLD = re.compile(r"ERR!|\[(?!N/A\]|Not Supported\]).*\]", re.IGNORECASE)

# What the lab's framework says of its GPUs: "name|version|CUDA it was built for|how many it sees". Read by python3 in the lab.
FRAMEWORK = """
from importlib.util import find_spec
if find_spec("torch"):
    import torch
    print("PyTorch", torch.__version__, torch.version.cuda or "", torch.cuda.device_count() if torch.cuda.is_available() else 0, sep="|")
elif find_spec("tensorflow"):
    import tensorflow as tf
    built = tf.sysconfig.get_build_info()
    print("TensorFlow", tf.__version__, built.get("cuda_version") or "", len(tf.config.list_physical_devices("GPU")), sep="|")
"""
# TensorFlow finds CUDA's libraries by what conda sets when it is activated.
ASK_FRAMEWORK = ("bash", "-c", 'command -v conda >/dev/null && eval "$(conda shell.bash hook)"; exec python3 -')


# -- Readings -------------------------------------------------------------------------------------------------------


def read_query(text: str) -> tuple:
    """``nvidia-smi --query-gpu`` of FIELDS -> driver's version, devices, whether any of them is divided, and the other lines.

    A GPU that does not work has words where its UUID or its name would be; all that is no row of a GPU that works is among the other lines.
    """
    rows, others = [], []
    for line in filter(None, map(str.strip, text.splitlines())):
        row = dict(zip(FIELDS, re.split(r",\s*", line)))
        works = line.count(",") == len(FIELDS) - 1 and re.fullmatch(UUID, row["uuid"]) and not UNTOLD.search(row["index"] + row["name"])
        (rows if works else others).append(row if works else line)
    devices = [{"index": row["index"], "uuid": row["uuid"], "name": row["name"], "compute": row["compute_cap"]} for row in rows]
    versions = (row["driver_version"] for row in rows if VERSION.fullmatch(row["driver_version"]))
    return next(versions, ""), devices, any(row["mig.mode.current"] == "Enabled" for row in rows), others


def read_list(text: str) -> list:
    """``nvidia-smi -L`` -> devices; a divided GPU as its parts, with an index of the kind 0:1."""
    devices, whole = [], None
    for line in text.splitlines():
        gpu = re.match(rf"GPU (\d+): (.*) \(UUID: ({UUID})\)", line)
        part = re.match(rf"\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: ({UUID})\)", line)
        # What follows a GPU that does not work are not parts of the one before it.
        whole = None if line.startswith("GPU ") else whole
        if gpu:
            whole = {"index": gpu[1], "uuid": gpu[3], "name": gpu[2], "compute": ""}
            devices.append(whole)
        elif part and whole:
            if devices[-1] is whole:
                devices.pop()
            devices.append({**whole, "index": f"{whole['index']}:{part[2]}", "uuid": part[3], "name": f"{whole['name']} MIG {part[1]}"})
    return devices


def read_spec(text: str) -> list:
    """Names of the devices of a CDI specification, JSON or YAML (of which a host's Python need know nothing); none of another kind's."""
    try:
        spec = json.loads(text)
    except ValueError:
        if not re.search(rf"""^kind:\s*["']?{CDI_KIND}["']?\s*$""", text, re.MULTILINE):
            return []
        return re.findall(r"""^[\s-]+name:\s*["']?([^"'\s]+)["']?\s*$""", text, re.MULTILINE)
    if not isinstance(spec, dict) or spec.get("kind") != CDI_KIND:
        return []
    return [device["name"] for device in spec.get("devices") or []]


def newest_last(directories: list) -> list:
    """The CDI specifications of GPUs, those that win last: path, text, names of the devices."""
    specs = []
    for directory in directories:
        for path in sorted(glob.glob(os.path.join(directory, "*"))):
            text = _text(path) if path.endswith((".yaml", ".json")) else ""
            names = read_spec(text)
            if names:
                specs.append((path, text, names))
    return specs


def loaded_driver(proc: str = "/proc/driver/nvidia/version") -> str:
    """Version of the driver that the kernel has loaded."""
    found = VERSION.search(_text(proc))
    return found[0] if found else ""


def has_card(devices: str = "/sys/bus/pci/devices") -> bool:
    """Whether an NVIDIA card is plugged in, driver or not."""
    for path in glob.glob(os.path.join(devices, "*", "vendor")):
        if _text(path).strip() == "0x10de" and _text(os.path.join(os.path.dirname(path), "class")).startswith("0x03"):
            return True
    return False


def read_framework(text: str) -> dict:
    """What FRAMEWORK printed, {} if the lab has none."""
    words = (text.strip().splitlines() or [""])[-1].split("|")
    if len(words) != 4 or not words[3].isdigit():
        return {}
    return {"name": words[0], "version": words[1], "cuda": words[2], "devices": int(words[3])}


def read_handover(raw: dict) -> str:
    """``container inspect`` -> in which way the container was given GPUs, "" if it was not."""
    host = raw["HostConfig"]
    for request in host.get("DeviceRequests") or []:
        if request.get("Driver") == "cdi" and any(CDI_KIND in name for name in request.get("DeviceIDs") or []):
            return "cdi"
        if any("gpu" in names for names in request.get("Capabilities") or []):
            return "device_requests"
    env = dict(item.partition("=")[::2] for item in raw["Config"].get("Env") or [])
    if host.get("Runtime") == "nvidia" and env.get("NVIDIA_VISIBLE_DEVICES", "") not in ("", "void", "none"):
        return "runtime"
    return ""


def said(text: str) -> str:
    """The first thing that a program said, in one line."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "nothing")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


# -- The host -------------------------------------------------------------------------------------------------------


def look_at_host(run_command, engine: dict) -> dict:
    """What the host has, and what its engine can do with it. ``engine`` is what the look says of the engine."""
    facts = {**NONE, "driver": loaded_driver()}
    program = shutil.which("nvidia-smi", path=PLACES)
    if not program and not facts["driver"]:
        return {**facts, "card": has_card()}
    facts.update(_ask(run_command, program, facts["driver"]))
    facts["card"] = bool(facts["devices"]) or bool(facts["driver"]) or has_card()
    facts.update(find_ways(engine, facts))
    # Half of it is none: what the engine calls comes in a package of its own, and an installation may have been cut off between them.
    hook = shutil.which("nvidia-container-runtime-hook", path=PLACES)
    facts["toolkit"] = (shutil.which("nvidia-ctk", path=PLACES) if hook or facts["ways"] else "") or ""
    return facts


def _ask(run_command, program: str | None, loaded: str) -> dict:
    """The driver's version, the devices, what it warns of, or why it cannot tell. What it says counts, and not the code with which it ends:
    that is 14 where a GPU works and has an infoROM that does not, and another one where one of several GPUs does not work."""
    if not program:
        return {"trouble": "nvidia-smi, which comes with it, is not installed"}

    def run(*options: str) -> tuple:
        # A GPU that hangs must not make the run hang.
        return run_command(["timeout", "60", program, *options], binary_data=True, handle_exceptions=False)

    rc, out, err = run("--query-gpu=" + ",".join(FIELDS), "--format=csv,noheader")
    driver, devices, divided, others = read_query(out)
    old = "not a valid field" in out + err  # a driver of before 510 knows no compute_cap
    if old:
        rc, out, err = run("--query-gpu=driver_version", "--format=csv,noheader")
        driver = next(filter(VERSION.fullmatch, map(str.strip, out.splitlines())), "")
        others = []
    if rc != 124 and (old or divided):
        rc, out, err = run("-L")
        listed = [{**device, **_known(devices, device)} for device in read_list(out)]
        # A divided GPU that is not listed is none: nothing runs on the whole of it.
        others += [line for line in out.splitlines() if not re.search(rf"\(UUID: {UUID}\)", line)]
        devices = listed
    driver = driver or loaded
    if not devices:
        return {"driver": driver, "trouble": "it did not answer within a minute" if rc == 124 else said("\n".join([*others, out, err]))}
    return {"driver": driver, "devices": devices, "warning": _warning(rc, [*others, *err.splitlines()])}


def _warning(rc: int, lines: list) -> str:
    """What nvidia-smi said besides the GPUs that work, in one line, "" if it was content."""
    words = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not words and rc:
        words = ["it did not answer within a minute"] if rc == 124 else [f"it ended with code {rc}"]
    return "; ".join(words)


def _known(wholes: list, device: dict) -> dict:
    """What only the query told of the GPU that a device is, or is a part of."""
    return next(({"compute": whole["compute"]} for whole in wholes if whole["index"] == device["index"].split(":")[0]), {})


def find_ways(engine: dict, gpus: dict, pid_file: str = "/var/run/docker.pid") -> dict:
    """In which ways the engine can hand GPUs over, the best first, and what the CDI specification knows.

    What the engine says of itself counts. It does not say whether it found NVIDIA's hook, for which it looks when it starts.
    """
    ways, specs = [], newest_last(engine["cdi_dirs"])
    names = [name for _path, _text, named in specs for name in named]
    path, text, _named = specs[-1] if specs else ("", "", [])
    # WSL2 has them all or none, and its driver's files are without a version.
    together = set(names) == {ALL}
    # The specification lists the driver's files, whose names have its version.
    stale = bool(specs) and bool(gpus["driver"]) and gpus["driver"] not in text and not together
    known = together or all(device["index"] in names or device["uuid"] in names for device in gpus["devices"])
    podman = engine["kind"] == "podman"
    # Before 5.0 what came through Podman's Docker-compatible interface was left out, in silence.
    if names and known and not stale and not (podman and int(engine["version"].partition(".")[0] or 0) < 5):
        ways.append("cdi")
    if not podman and _older(shutil.which("nvidia-container-runtime-hook", path=PLACES), pid_file):
        ways.append("device_requests")
    if "nvidia" in engine["runtimes"]:
        ways.append("runtime")
    return {"ways": ways, "cdi": names, "cdi_path": path, "cdi_stale": stale or (bool(names) and not known)}


def _older(program: str | None, pid_file: str) -> bool:
    """Whether a program was there before the engine was started."""
    try:
        return bool(program) and os.stat(program).st_ctime < os.stat(pid_file).st_mtime
    except OSError:
        return False
