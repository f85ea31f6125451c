# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the words of NVIDIA's programs and of an engine. The programs themselves are stood in for in molecule/gpu."""

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _gpus

A10 = {"index": "0", "uuid": "GPU-f15ae561-21b1-6003-c768-861fc285203b", "name": "NVIDIA A10", "compute": "8.6"}
T4 = {"index": "1", "uuid": "GPU-466be1f8-6148-1a27-a450-592604f3df54", "name": "Tesla T4", "compute": "7.5"}
QUERY = "".join(f"{gpu['index']}, {gpu['uuid']}, {gpu['name']}, 570.133.20, {gpu['compute']}, [N/A]\n" for gpu in (A10, T4))
LIST = "".join(f"GPU {gpu['index']}: {gpu['name']} (UUID: {gpu['uuid']})\n" for gpu in (A10, T4))
DIVIDED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 1g.5gb      Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 3g.20gb     Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-0fd5ce96-0d0e-4a9f-b1a6-5f6d8b5f4f1d)
"""
YAML = """\
---
cdiVersion: 0.5.0
containerEdits:
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.570.133.20
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.570.133.20
  hooks:
  - hookName: createContainer
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: "0"
- containerEdits: {}
  name: GPU-466be1f8-6148-1a27-a450-592604f3df54
- name: all
kind: nvidia.com/gpu
"""
ENGINE = {"kind": "docker", "cdi_dirs": [], "runtimes": ["runc"], "version": "26.1.5"}


def test_query():
    assert _gpus.read_query(QUERY) == ("570.133.20", [A10, T4], False, [])
    assert _gpus.read_query(QUERY.replace("[N/A]", "Enabled"))[2]
    assert _gpus.read_query("No devices were found\n") == ("", [], False, ["No devices were found"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (T4["uuid"], "[Unknown Error]"),
        (T4["uuid"], "[GPU is lost]"),
        (T4["uuid"], "[N/A]"),
        (T4["uuid"], "ERR!"),
        (T4["name"], "[Unknown Error]"),
        (T4["name"], "ERR!"),
        (f"1, {T4['uuid']}, ", ""),
    ],
)
def test_one_of_two_gpus_does_not_work(before, after):
    text = QUERY.replace(before, after)
    assert _gpus.read_query(text) == ("570.133.20", [A10], False, [text.splitlines()[1]])


def test_fields_that_say_nothing_of_a_gpu_that_works():
    """Of an old one no compute capability is known, and of a lost one no driver."""
    text = QUERY.replace("8.6", "[N/A]").replace("570.133.20", "[Unknown Error]", 1).replace("\n", "\r\n")
    assert _gpus.read_query(text) == ("570.133.20", [{**A10, "compute": "[N/A]"}, T4], False, [])


def test_list():
    assert _gpus.read_list(LIST) == [{**A10, "compute": ""}, {**T4, "compute": ""}]
    assert _gpus.read_list("Failed to initialize NVML: Unknown Error\n") == []
    assert _gpus.read_list(LIST.replace(T4["uuid"], "[Unknown Error]")) == [{**A10, "compute": ""}]
    assert _gpus.read_list("GPU 0: Orin (nvgpu) (UUID: 54c8ed0b-ab24-5dcb-9b2e-5c1b6a2e7b0f)\n")[0]["name"] == "Orin (nvgpu)"


def test_divided_gpu_counts_as_its_parts():
    assert [(device["index"], device["uuid"][:8], device["name"]) for device in _gpus.read_list(DIVIDED)] == [
        ("0:0", "MIG-c6d4", "NVIDIA A100-SXM4-40GB MIG 1g.5gb"),
        ("0:1", "MIG-cba6", "NVIDIA A100-SXM4-40GB MIG 3g.20gb"),
        ("1", "GPU-0fd5", "NVIDIA A100-SXM4-40GB"),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (YAML, ["0", T4["uuid"], "all"]),
        (YAML.replace("nvidia.com/gpu", '"nvidia.com/gpu"'), ["0", T4["uuid"], "all"]),
        (YAML.replace("nvidia.com/gpu", "vendor.com/device"), []),
        ('{"kind": "nvidia.com/gpu", "devices": [{"name": "0"}, {"name": "all"}]}', ["0", "all"]),
        ('{"kind": "vendor.com/device", "devices": [{"name": "0"}]}', []),
        ("[]", []),
        ("", []),
    ],
)
def test_cdi_specification(text, names):
    assert _gpus.read_spec(text) == names


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\nGCC version: 12.3.0\n", "535.183.01"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.133.20  Release Build  (dvs-builder)\n", "570.133.20"),
        ("", ""),
    ],
)
def test_driver_of_the_kernel(tmp_path, text, driver):
    (tmp_path / "version").write_text(text)
    assert _gpus.loaded_driver(str(tmp_path / "version")) == driver
    assert _gpus.loaded_driver(str(tmp_path / "none")) == ""


@pytest.mark.parametrize(
    ("vendor", "kind", "card"),
    [("0x10de", "0x030200", True), ("0x10de", "0x030000", True), ("0x10de", "0x040300", False), ("0x1002", "0x030000", False)],
)
def test_card(tmp_path, vendor, kind, card):
    device = tmp_path / "0000:01:00.0"
    device.mkdir()
    (device / "vendor").write_text(vendor + "\n")
    (device / "class").write_text(kind + "\n")
    assert _gpus.has_card(str(tmp_path)) is card


@pytest.mark.parametrize(
    ("host", "env", "way"),
    [
        ({"DeviceRequests": None}, None, ""),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"], "Capabilities": None}]}, [], "cdi"),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/device=0"]}]}, [], ""),
        ({"DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]}, [], "device_requests"),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=all"], "runtime"),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=void"], ""),
        ({"Runtime": "nvidia"}, [], ""),
        ({"Runtime": "runc"}, ["NVIDIA_VISIBLE_DEVICES=all"], ""),
    ],
)
def test_handover(host, env, way):
    assert _gpus.read_handover({"HostConfig": host, "Config": {"Env": env}}) == way


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("PyTorch|2.11.0+cu128|12.8|2\n", {"name": "PyTorch", "version": "2.11.0+cu128", "cuda": "12.8", "devices": 2}),
        ("a warning\nTensorFlow|2.20.0||0\n", {"name": "TensorFlow", "version": "2.20.0", "cuda": "", "devices": 0}),
        ("", {}),
        ("Traceback\nImportError: libcudart.so.12", {}),
    ],
)
def test_framework(text, facts):
    assert _gpus.read_framework(text) == facts


# -- The host -------------------------------------------------------------------------------------------------------


class Smi:
    """Stands in for nvidia-smi: what it says to which option, and what was asked of it."""

    def __init__(self, query=(0, QUERY, ""), devices=(0, LIST, ""), old=(0, "470.256.02\n470.256.02\n", "")):
        self.answers, self.asked = {_gpus.FIELDS[-1]: query, "driver_version": old, "-L": devices}, []

    def __call__(self, argv, **_options):
        assert argv[0] == "timeout"
        self.asked.append(argv[3])
        return self.answers["-L" if argv[3] == "-L" else argv[3].rpartition(",")[2].rpartition("=")[2]]


@pytest.fixture(name="programs")
def fixture_programs(tmp_path, monkeypatch):
    """Programs of a host: none but those that a test puts there. It has no driver loaded and no card."""
    monkeypatch.setattr(_gpus, "PLACES", str(tmp_path))
    monkeypatch.setattr(_gpus, "loaded_driver", lambda: "")
    monkeypatch.setattr(_gpus, "has_card", lambda: False)

    def put(*names):
        for name in names:
            (tmp_path / name).write_text("")
            (tmp_path / name).chmod(0o755)

    return put


def test_host_without_driver_starts_nothing(programs):
    programs()
    smi = Smi()
    assert _gpus.look_at_host(smi, ENGINE) == _gpus.NONE
    assert smi.asked == []


def test_host_with_gpus(programs):
    programs("nvidia-smi", "nvidia-ctk")
    smi = Smi()
    found = _gpus.look_at_host(smi, {**ENGINE, "runtimes": ["nvidia", "runc"]})
    assert (found["driver"], found["devices"], found["trouble"], found["card"]) == ("570.133.20", [A10, T4], "", True)
    assert found["toolkit"].endswith("/nvidia-ctk")
    assert found["ways"] == ["runtime"]
    assert len(smi.asked) == 1


def test_driver_of_before_510(programs):
    """It knows no compute_cap, and says so on the standard output."""
    programs("nvidia-smi")
    found = _gpus.look_at_host(Smi(query=(2, 'Field "compute_cap" is not a valid field to query.\n', "")), ENGINE)
    assert (found["driver"], found["trouble"]) == ("470.256.02", "")
    assert [device["uuid"] for device in found["devices"]] == [A10["uuid"], T4["uuid"]]


def test_divided_gpu_is_listed(programs):
    programs("nvidia-smi")
    found = _gpus.look_at_host(Smi(query=(0, QUERY.replace("[N/A]", "Enabled"), ""), devices=(0, DIVIDED, "")), ENGINE)
    assert [(device["index"], device["compute"]) for device in found["devices"]] == [("0:0", "8.6"), ("0:1", "8.6"), ("1", "7.5")]


INFOROM = "WARNING: infoROM is corrupted at gpu 0000:3B:00.0"
LOST = "Unable to determine the device handle for GPU0000:AF:00.0: Unknown Error"
ONE = QUERY.splitlines(keepends=True)[0]


@pytest.mark.parametrize(
    ("query", "devices", "warning"),
    [
        ((14, QUERY + INFOROM + "\n", ""), [A10, T4], INFOROM),
        ((14, INFOROM + "\n" + QUERY, ""), [A10, T4], INFOROM),
        ((14, QUERY, INFOROM + "\n"), [A10, T4], INFOROM),
        ((14, QUERY, ""), [A10, T4], "it ended with code 14"),
        ((255, ONE + LOST + "\n", ""), [A10], LOST),
        ((0, ONE, LOST + "\n"), [A10], LOST),
        ((124, ONE, ""), [A10], "it did not answer within a minute"),
        ((0, QUERY, ""), [A10, T4], ""),
    ],
)
def test_what_is_said_counts_and_not_the_code(programs, query, devices, warning):
    """14 is a warning, another one that of a second GPU which is lost."""
    programs("nvidia-smi")
    found = _gpus.look_at_host(Smi(query=query), ENGINE)
    assert (found["devices"], found["warning"], found["trouble"], found["driver"]) == (devices, warning, "", "570.133.20")


@pytest.mark.parametrize("old", [False, True])
def test_listed_with_a_warning(programs, old):
    """A driver of before 510, and a GPU that is divided."""
    programs("nvidia-smi")
    refused = (2, 'Field "compute_cap" is not a valid field to query.\n', "")
    smi = Smi(refused if old else (14, QUERY.replace("[N/A]", "Enabled"), INFOROM), (14, DIVIDED, INFOROM), (14, "470.256.02\n" + INFOROM, ""))
    found = _gpus.look_at_host(smi, ENGINE)
    assert [device["index"] for device in found["devices"]] == ["0:0", "0:1", "1"]
    assert (found["driver"], found["warning"], found["trouble"]) == ("470.256.02" if old else "570.133.20", INFOROM, "")


@pytest.mark.parametrize(
    ("query", "trouble"),
    [
        ((18, "Failed to initialize NVML: Driver/library version mismatch\n", ""), "Failed to initialize NVML: Driver/library version mismatch"),
        ((6, "No devices were found\n", ""), "No devices were found"),
        ((0, "", ""), "nothing"),
        ((124, "", ""), "it did not answer within a minute"),
    ],
)
def test_driver_that_does_not_answer(programs, query, trouble):
    programs("nvidia-smi")
    found = _gpus.look_at_host(Smi(query=query), ENGINE)
    assert (found["devices"], found["trouble"], found["ways"]) == ([], trouble, [])


def test_driver_without_its_program(programs, monkeypatch):
    programs()
    monkeypatch.setattr(_gpus, "loaded_driver", lambda: "570.133.20")
    found = _gpus.look_at_host(Smi(), ENGINE)
    assert (found["driver"], found["card"], found["trouble"]) == ("570.133.20", True, "nvidia-smi, which comes with it, is not installed")


# -- The engine -----------------------------------------------------------------------------------------------------


@pytest.fixture(name="specs")
def fixture_specs(tmp_path, programs):
    programs()
    folder = tmp_path / "cdi"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("text", "driver", "ways", "stale"),
    [
        (YAML, "570.133.20", ["cdi"], False),
        (YAML, "580.65.06", [], True),
        (YAML.replace(T4["uuid"], "GPU-other"), "570.133.20", [], True),
        ("", "570.133.20", [], False),
    ],
)
def test_cdi(specs, text, driver, ways, stale):
    (specs / "nvidia.yaml").write_text(text)
    (specs / "other.yaml").write_text("kind: vendor.com/device\n")
    found = _gpus.find_ways({**ENGINE, "cdi_dirs": [str(specs / "none"), str(specs)]}, {"driver": driver, "devices": [A10, T4]})
    assert (found["ways"], found["cdi_stale"]) == (ways, stale)


@pytest.mark.parametrize(("version", "ways"), [("5.4.2", ["cdi"]), ("4.3.1", [])])
def test_podman_knows_cdi_alone(tmp_path, version, ways):
    (tmp_path / "nvidia.json").write_text(json.dumps({"kind": "nvidia.com/gpu", "devices": [{"name": "0"}]}), encoding="utf-8")
    engine = {**ENGINE, "kind": "podman", "version": version, "runtimes": [], "cdi_dirs": [str(tmp_path)]}
    assert _gpus.find_ways(engine, {"driver": "", "devices": [A10]})["ways"] == ways


def test_cdi_of_which_two_places_have_one(tmp_path, specs):
    """The last one wins, and is the one to write over."""
    (specs / "nvidia.yaml").write_text(YAML)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/nvidia.yaml").write_text(YAML.replace("570.133.20", "550.54.14"))
    found = _gpus.find_ways({**ENGINE, "cdi_dirs": [str(specs), str(tmp_path / "run")]}, {"driver": "570.133.20", "devices": [A10, T4]})
    assert (found["ways"], found["cdi_stale"], found["cdi_path"]) == ([], True, str(tmp_path / "run/nvidia.yaml"))


def test_cdi_of_wsl2_has_all_or_none(specs):
    (specs / "nvidia.json").write_text('{"kind": "nvidia.com/gpu", "devices": [{"name": "all"}]}')
    found = _gpus.find_ways({**ENGINE, "cdi_dirs": [str(specs)]}, {"driver": "570.133.20", "devices": [A10, T4]})
    assert (found["ways"], found["cdi_stale"]) == (["cdi"], False)


@pytest.mark.parametrize(
    ("there", "runtimes", "whole"),
    [
        (["nvidia-ctk", "nvidia-container-runtime-hook"], ["runc"], True),
        (["nvidia-ctk"], ["runc"], False),
        (["nvidia-ctk"], ["nvidia", "runc"], True),  # it does without
        ([], ["runc"], False),
    ],
)
def test_half_a_toolkit_is_none(programs, there, runtimes, whole):
    programs("nvidia-smi", *there)
    assert bool(_gpus.look_at_host(Smi(), {**ENGINE, "runtimes": runtimes})["toolkit"]) is whole


def test_cdi_that_the_engine_does_not_know(specs):
    (specs / "nvidia.yaml").write_text(YAML)
    assert _gpus.find_ways(ENGINE, {"driver": "570.133.20", "devices": [A10]})["ways"] == []


@pytest.mark.parametrize(("started", "ways"), [(60, ["device_requests"]), (-60, [])])
def test_hook_counts_if_it_was_there_when_the_engine_started(tmp_path, programs, started, ways):
    programs("nvidia-container-runtime-hook")
    pid = tmp_path / "docker.pid"
    pid.write_text("1")
    os.utime(pid, times=(time.time() + started,) * 2)
    assert _gpus.find_ways(ENGINE, {"driver": "", "devices": []}, str(pid))["ways"] == ways
    assert _gpus.find_ways(ENGINE, {"driver": "", "devices": []}, str(tmp_path / "none"))["ways"] == []
