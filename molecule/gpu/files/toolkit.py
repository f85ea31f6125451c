"""Stands in for the programs of NVIDIA's Container Toolkit: nvidia-ctk, the runtime, and the hook.

What they do is what the real ones do as far as an engine can tell. What they hand over is a program and a file for each GPU.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import sys

DRIVER = pathlib.Path("/usr/lib/nvidia/driver")
PROGRAM = pathlib.Path("/usr/bin/nvidia-smi")
GPUS = pathlib.Path("/usr/lib/nvidia/gpus")
LOG = pathlib.Path("/var/log/nvidia-stand-in.log")


def handed_over(visible: str) -> list:
    """The files that a container gets for this value of NVIDIA_VISIBLE_DEVICES."""
    if visible in ("", "void", "none"):
        return []
    chosen = [path for path in sorted(GPUS.iterdir()) if visible == "all" or set(path.read_text().split(",")[:2]) & set(visible.split(","))]
    return [PROGRAM, DRIVER, *chosen]


def environment(config: dict) -> dict:
    return dict(item.partition("=")[::2] for item in config["process"]["env"])


def log(what: str, visible: str) -> None:
    with LOG.open("a") as handle:
        print(what, visible, file=handle)


def hook(_arguments: list) -> None:
    bundle = pathlib.Path(json.load(sys.stdin)["bundle"])
    config = json.loads((bundle / "config.json").read_text())
    visible = environment(config).get("NVIDIA_VISIBLE_DEVICES", "")
    log("hook", visible)
    for path in handed_over(visible):
        target = bundle / config["root"]["path"] / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def runtime(arguments: list) -> None:
    if "create" in arguments:
        path = pathlib.Path(arguments[arguments.index("--bundle") + 1], "config.json")
        config = json.loads(path.read_text())
        visible = environment(config).get("NVIDIA_VISIBLE_DEVICES", "")
        log("runtime", visible)
        for file in handed_over(visible):
            config["mounts"].append({"destination": str(file), "type": "bind", "source": str(file), "options": ["rbind", "ro"]})
        path.write_text(json.dumps(config))
    os.execvp("runc", ["runc", *arguments])


def ctk(arguments: list) -> None:
    if arguments[:2] == ["runtime", "configure"]:
        path = pathlib.Path("/etc/docker/daemon.json")
        settings = json.loads(path.read_text()) if path.exists() else {}
        settings.setdefault("runtimes", {})["nvidia"] = {"args": [], "path": "nvidia-container-runtime"}
        if "--cdi.enabled" in arguments:
            settings.setdefault("features", {})["cdi"] = True
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(settings, indent=4))
    elif arguments[:2] == ["cdi", "generate"]:
        path = pathlib.Path(next(word.partition("=")[2] for word in arguments if word.startswith("--output=")))
        path.parent.mkdir(exist_ok=True)
        path.write_text(specification())
    else:
        sys.exit(f"nvidia-ctk {' '.join(arguments)}: the stand-in does not know that")


def specification() -> str:
    """As the real one writes it: the driver's version is in the names of its files."""

    def mount(path: pathlib.Path, indent: str) -> str:
        return f"{indent}- containerPath: {path}\n{indent}  hostPath: {path}\n{indent}  options: [ro, rbind]\n"

    lines = ["---\ncdiVersion: 0.5.0\ncontainerEdits:\n  env:\n  - NVIDIA_VISIBLE_DEVICES=void\n"]
    lines += [f"  - LIBRARY=/usr/lib/libcuda.so.{DRIVER.read_text().strip()}\n  mounts:\n", mount(PROGRAM, "  "), mount(DRIVER, "  "), "devices:\n"]
    for path in sorted(GPUS.iterdir()):
        lines += ["- containerEdits:\n    mounts:\n", mount(path, "    "), f'  name: "{path.name}"\n']
    return "".join([*lines, "kind: nvidia.com/gpu\n"])


if __name__ == "__main__":
    {"nvidia-container-runtime-hook": hook, "nvidia-container-runtime": runtime, "nvidia-ctk": ctk}[sys.argv[1]](sys.argv[2:])
