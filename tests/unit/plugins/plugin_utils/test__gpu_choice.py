# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets which GPUs, in which way, and with which image."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _gpus
from ansible_collections.mlenv.jupyter.plugins.plugin_utils import _gpu_choice
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._gpu_choice import Refused, choose, pick, read_wanted, refusals, share_out
from hypothesis import given
from hypothesis import strategies as st


def device(index, uuid=None, compute="8.6"):
    return {"index": str(index), "uuid": uuid or f"GPU-{index}", "name": "NVIDIA A10", "compute": compute}


def lab(name="lab", gpus="auto", exclusive=False):
    return {"host": name, "name": name, "gpus": gpus, "exclusive": exclusive}


def holder(name, *indices, exclusive=False):
    return {"lab": name, "gpus": [f"GPU-{index}" for index in indices], "exclusive": exclusive}


DEVICES = [device(0), device(1), device(2)]
CAN = {"card": True, "ways": ["cdi", "device_requests", "runtime"], "cdi": ["0", "1", "GPU-2"]}
GPUS = {**_gpus.NONE, **_gpus.UNSEEN, "driver": "570.133.20", "devices": DEVICES, **CAN}
LOOK = {"gpus": GPUS, "engine": {"default_runtime": "runc"}, "container": {"exists": False}, "image": {"present": True}}


def look(container=(), engine=(), **gpus):
    return {**LOOK, "gpus": {**GPUS, **gpus}, "container": dict(container), "engine": dict(engine)}


def indices(choice):
    return [found["index"] for found in choice["devices"]]


# -- What was written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpus", "wanted"),
    [("auto", "auto"), ("None", "none"), ("all", "all"), (2, 2), ("2", 2), (0, "none"), ([0, "GPU-x"], ["0", "GPU-x"]), (["0:1"], ["0:1"])],
)
def test_what_can_be_asked_for(gpus, wanted):
    assert read_wanted(gpus) == wanted


@pytest.mark.parametrize("gpus", [True, False, None, "some", "0,1", -1, 1.5, [], [None], [True], [[0]], {"count": 1}])
def test_what_cannot_be_asked_for(gpus):
    with pytest.raises(Refused, match=r"lab_gpus .* write auto, none, all, a count, or a list"):
        read_wanted(gpus)


# -- Who gets which -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "exclusive", "has", "held", "chosen"),
    [
        ("none", False, [], [], []),
        ("auto", False, [], [], ["0", "1", "2"]),
        ("all", False, [], [holder("a", 0)], ["0", "1", "2"]),
        ("auto", False, [], [holder("a", 0, exclusive=True)], ["1", "2"]),
        ("auto", True, [], [holder("a", 0), holder("b", 1)], ["2"]),
        ("auto", False, [], [holder("a", 0, 1, 2, exclusive=True)], []),
        (["2", "0"], False, [], [], ["0", "2"]),
        (["1", "GPU-1"], False, [], [], ["1"]),
        (1, False, [], [], ["0"]),
        (1, False, [], [holder("a", 0)], ["1"]),
        (1, False, [], [holder("a", 0), holder("b", 1), holder("c", 2), holder("d", 0, 1)], ["2"]),
        (2, False, ["GPU-2"], [], ["0", "2"]),
        (1, True, ["GPU-0"], [holder("a", 0)], ["1"]),
        (3, False, [], [holder("a", 0, 1, 2)], ["0", "1", "2"]),
    ],
)
def test_choice(wanted, exclusive, has, held, chosen):
    assert [found["index"] for found in pick(wanted, exclusive, has, DEVICES, held)] == chosen


@pytest.mark.parametrize(
    ("wanted", "exclusive", "held", "sentence"),
    [
        (4, False, [], "lab_gpus asks for 4 GPUs, but this host has 3 GPUs (0 NVIDIA A10, 1 NVIDIA A10, 2 NVIDIA A10): ask for fewer, or write all."),
        (["7"], False, [], "lab_gpus names GPU 7, but this host has 3 GPUs (0 NVIDIA A10"),
        (["1"], False, [holder("alice", 1, exclusive=True)], "lab_gpus asks for GPU 1, but lab alice has GPU 1 for itself alone: "),
        (["1"], True, [holder("alice", 1)], "lab_gpus asks for GPU 1 alone, but lab alice has GPU 1: "),
        ("all", True, [holder("alice", 2)], "lab_gpus asks for GPU 2 alone, but lab alice has GPU 2: "),
        ("all", False, [holder("alice", 2, exclusive=True)], "lab alice has GPU 2 for itself alone"),
        (3, False, [holder("alice", 0, exclusive=True)], "asks for 3 GPUs, of which the host has 2 left: lab alice has GPU 0 for itself alone. Ask for fewer"),
        (1, True, [holder("a", 0, 1, 2)], "asks for 1 GPU, of which the host has 0 left for this lab alone: lab a has GPU 0, lab a has GPU 1"),
    ],
)
def test_refusal(wanted, exclusive, held, sentence):
    with pytest.raises(Refused) as refused:
        pick(wanted, exclusive, [], DEVICES, held)
    assert sentence in str(refused.value)


def test_parts_of_a_divided_gpu():
    parts = [device("0:0", "MIG-a"), device("0:1", "MIG-b"), device("1")]
    assert [found["uuid"] for found in pick(["0"], False, [], parts, [])] == ["MIG-a", "MIG-b"]
    assert [found["uuid"] for found in pick(["0:1", "1"], False, [], parts, [])] == ["MIG-b", "GPU-1"]
    assert [found["uuid"] for found in pick(2, False, [], parts, [])] == ["MIG-a", "MIG-b"]


WANTED = st.one_of(st.sampled_from(["auto", "none", "all"]), st.integers(1, 4), st.lists(st.integers(0, 3), min_size=1, max_size=3))
LABS = st.lists(st.tuples(WANTED, st.booleans(), st.lists(st.integers(0, 2), unique=True, max_size=3)), min_size=1, max_size=5)


@given(LABS)
def test_no_two_labs_get_a_gpu_that_one_has_alone(asked):
    """Whatever is asked: and each lab comes to the same, whoever asks."""
    labs = [lab(f"lab{number}", gpus, exclusive) for number, (gpus, exclusive, _has) in enumerate(asked)]
    holders = [holder(f"lab{number}", *has) for number, (_gpus, _exclusive, has) in enumerate(asked) if has]
    shared = share_out(labs, {**GPUS, "holders": holders})
    assert set(shared) == {one["name"] for one in labs}
    got = [(one, [found["uuid"] for found in shared[one["name"]]]) for one in labs if not isinstance(shared[one["name"]], Refused)]
    for one, uuids in got:
        if isinstance(one["gpus"], int):
            assert len(uuids) == one["gpus"]
        for other, others in got:
            if one is not other and (one["exclusive"] or other["exclusive"]):
                assert not set(uuids) & set(others)


@given(LABS)
def test_who_has_what_it_wants_keeps_it(asked):
    """A second run, with what the first gave away, gives the same."""
    labs = [lab(f"lab{number}", gpus, exclusive) for number, (gpus, exclusive, _has) in enumerate(asked)]
    first = share_out(labs, {**GPUS, "holders": []})
    labs = [one for one in labs if not isinstance(first[one["name"]], Refused)]
    holders = [{"lab": one["name"], "gpus": [found["uuid"] for found in first[one["name"]]], "exclusive": one["exclusive"]} for one in labs]
    assert share_out(labs, {**GPUS, "holders": [one for one in holders if one["gpus"]]}) == {one["name"]: first[one["name"]] for one in labs}


def row(name, gpus, exclusive=False, state="started"):
    return {**lab(name, gpus, exclusive), "state": state}


ROWS = [row("a", 1), row("b", 1, True), row("d", "all", True, state="absent"), row("e", "auto")]


def test_labs_of_one_machine_in_one_play():
    assert indices(choose(lab("a", 1), ROWS, LOOK)) == ["0"]
    assert indices(choose(lab("b", 1, True), ROWS, LOOK)) == ["1"]
    assert indices(choose(lab("e", "auto"), ROWS, LOOK)) == ["0", "2"]


def test_a_lab_that_is_described_twice_is_itself():
    """The role's own variables go before what the inventory says of it."""
    assert indices(choose(lab("a", ["2"]), ROWS, LOOK)) == ["2"]


# -- How they are handed over -------------------------------------------------------------------------------------


def test_by_cdi():
    choice = choose(lab(gpus="all"), [], LOOK)
    assert choice["device_requests"] == [
        {"driver": "cdi", "count": 0, "capabilities": [], "device_ids": ["nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=GPU-2"]}
    ]
    assert (choice["runtime"], choice["env"]) == ("", {})


def test_by_cdi_that_has_all_or_none():
    assert choose(lab(gpus="all"), [], look(cdi=["all"]))["device_requests"][0]["device_ids"] == ["nvidia.com/gpu=all"]
    with pytest.raises(Refused, match="has them all or none: set lab_gpus to all, or none"):
        choose(lab(gpus=1), [], look(cdi=["all"]))


def test_by_device_request():
    choice = choose(lab(gpus=[1]), [], look(ways=["device_requests", "runtime"]))
    assert choice["device_requests"] == [{"driver": "nvidia", "count": 0, "capabilities": [["gpu"]], "device_ids": ["GPU-1"]}]


def test_by_runtime():
    choice = choose(lab(gpus=2), [], look(ways=["runtime"]))
    assert (choice["runtime"], choice["env"], choice["device_requests"]) == ("nvidia", {"NVIDIA_VISIBLE_DEVICES": "GPU-0,GPU-1"}, [])


def test_labels():
    assert choose(lab(gpus=2), [], LOOK)["labels"] == {"mlenv.jupyter.gpus": "GPU-0,GPU-1"}
    assert choose(lab(gpus=1, exclusive=True), [], LOOK)["labels"] == {"mlenv.jupyter.gpus": "GPU-0", "mlenv.jupyter.gpus-exclusive": "true"}


def test_the_way_stays_while_it_works():
    had = {"gpus": ["GPU-0"], "gpu_way": "runtime"}
    assert choose(lab(), [], look(had))["way"] == "runtime"
    assert choose(lab(), [], look(had, lost="nvidia-smi in it says: Failed to initialize NVML"))["way"] == "cdi"
    assert choose(lab(), [], look(had, ways=["cdi"]))["way"] == "cdi"
    # The toolkit was installed anew since the engine was started: whether it still works, the lab can tell.
    had["gpu_way"] = "device_requests"
    for ways in (["cdi"], []):
        assert choose(lab(), [], look(had, ways=ways, seen=["GPU-0"]))["way"] == "device_requests"
    assert choose(lab(), [], look(had, ways=["cdi"]))["way"] == "cdi"


def test_a_lab_without_gpus_is_as_it_was_before():
    nothing = {**_gpu_choice.NOTHING, "note": ""}
    assert choose(lab(), [], look(**_gpus.NONE)) == nothing
    assert choose(lab(gpus="none"), [], LOOK) == nothing


def test_a_lab_without_gpus_gets_none_by_the_back_door():
    """NVIDIA's runtime as the default gives all GPUs to each image that asks for them."""
    assert choose(lab(gpus="none"), [], look(engine={"default_runtime": "nvidia"}))["env"] == {"NVIDIA_VISIBLE_DEVICES": "void"}


# -- What cannot be had -------------------------------------------------------------------------------------------

BROKEN = {**_gpus.NONE, "card": True, "driver": "570.133.20", "trouble": "Failed to initialize NVML: Driver/library version mismatch"}
NO_DRIVER = {**_gpus.NONE, "card": True}
NO_WAY = {"ways": [], "toolkit": ""}
HAS = {"gpus": ["GPU-0"], "gpu_way": "cdi"}


@pytest.mark.parametrize(
    ("gpus", "seen", "sentence"),
    [
        ("all", look(**_gpus.NONE), "Lab lab wants GPUs, but this host has none: name another host, or set lab_gpus to none."),
        (1, look(**NO_DRIVER), "the NVIDIA card of this host has no driver: install NVIDIA's driver, or set lab_gpus to none."),
        ([0], look(**BROKEN), "NVIDIA's driver 570.133.20 on this host does not answer (nvidia-smi: Failed to initialize NVML: Driver/library version mis"),
        ("auto", look(HAS, **BROKEN), "does not answer"),
        ("all", look(**NO_WAY), "cannot hand them over, as the NVIDIA Container Toolkit is not set up: run role mlenv.jupyter.engine as root"),
        ("all", look(**NO_WAY, cdi_stale=True), "has its CDI specification made for another driver"),
        ("all", look(engine={"kind": "podman", "version": "4.3.1"}, **NO_WAY), "is Podman 4.3.1, which hands over no GPU through its socket: use Podman 5.0"),
        ("auto", look(HAS, **NO_WAY), "cannot hand them over"),
        ("two", LOOK, "lab_gpus two is nothing that can be had"),
        (4, LOOK, "lab_gpus asks for 4 GPUs"),
        (4, look(warning="GPU 3 is lost"), "On this host nvidia-smi says as well: GPU 3 is lost."),
    ],
)
def test_refused(gpus, seen, sentence):
    wanted = {"gpus": lab(gpus=gpus), "gpu_play": [], "check_mode": False, "image": "example.com/lab:1"}
    [said] = refusals(wanted, seen)
    assert sentence in said


@pytest.mark.parametrize(
    ("seen", "note"),
    [
        (look(**NO_DRIVER), "It has no GPU: the NVIDIA card of this host has no driver"),
        (look(**BROKEN), "It has no GPU: NVIDIA's driver 570.133.20 on this host does not answer"),
        (look(**NO_WAY), "It has no GPU: the engine cannot hand them over"),
        (look(holders=[holder("alice", 0, 1, 2, exclusive=True)]), "It has no GPU: other labs have all of them"),
    ],
)
def test_auto_says_so_and_goes_on(seen, note):
    choice = choose(lab(), [], seen)
    assert choice["devices"] == []
    assert note in choice["note"]
    assert list(refusals({"gpus": lab(), "gpu_play": [], "check_mode": False, "image": "x"}, seen)) == []


def test_check_mode_does_not_refuse_what_this_run_would_bring():
    wanted = {"gpus": lab(gpus="all"), "gpu_play": [], "check_mode": True, "image": "x"}
    assert list(refusals(wanted, look(**NO_WAY))) == []
    assert list(refusals(wanted, look(**_gpus.NONE))) != []


# -- Driver and image ---------------------------------------------------------------------------------------------


OR_TESLA = "cuda>=12.8 brand=tesla,driver>=470,driver<471"


@pytest.mark.parametrize(
    ("reference", "cuda", "driver", "need"),
    [
        ("r.example.com/jupyter/pytorch-notebook:cuda12-2026-11-16", {}, "525.60.13", ""),
        ("r.example.com/jupyter/pytorch-notebook:cuda12-2026-11-16", {}, "525.60.11", "CUDA 12, which needs NVIDIA's driver 525.60.13"),
        ("r.example.com/jupyter/pytorch-notebook:cuda13-2026-11-16", {}, "575.57.08", "CUDA 13, which needs NVIDIA's driver 580.65.06"),
        ("r.example.com/jupyter/pytorch-notebook:x86_64-cuda13-2026-11-16", {}, "580.65.06", ""),
        ("r.example.com/jupyter/tensorflow-notebook:cuda-2026-11-16", {}, "470.256.02", "CUDA 12, which needs"),
        ("r.example.com/jupyter/pytorch-notebook:2026-11-16", {}, "390.157", ""),
        ("example.com/ours:1", {"version": "13.0.1"}, "570.133.20", "CUDA 13.0.1, which needs NVIDIA's driver 580.65.06"),
        ("example.com/ours:1", {"requires": "cuda>=12.8"}, "520.61.05", "a newer CUDA, which needs NVIDIA's driver 525.60.13"),
        ("example.com/ours:1", {"version": "12.8.1", "requires": OR_TESLA}, "470.256.02", ""),
        ("example.com/ours:1", {"version": "12.8.1", "requires": OR_TESLA}, "450.80.02", "CUDA 12.8.1, which needs NVIDIA's driver 470"),
        ("example.com/ours:1", {"version": "9.0"}, "390.157", ""),
        ("example.com/ours:1", {"version": "12.8.1"}, "", ""),
    ],
)
def test_driver_for_an_image(reference, cuda, driver, need):
    said = _gpu_choice.too_old(reference, cuda, driver)
    assert need in said
    assert bool(said) == bool(need)
    if said:
        assert f"but this host has {driver}" in said


def test_image_is_refused_with_both_versions():
    wanted = {"gpus": lab(), "gpu_play": [], "check_mode": False, "image": "r.example.com/pytorch-notebook:cuda13-2026-11-16"}
    [said] = refusals(wanted, LOOK)
    assert "580.65.06" in said and "570.133.20" in said
    assert list(refusals({**wanted, "gpus": lab(gpus="none")}, LOOK)) == []


@pytest.mark.parametrize(
    ("variants", "gpus", "variant"),
    [
        (["cuda12", "cuda13"], {"driver": "580.65.06"}, "cuda13"),
        (["cuda12", "cuda13"], {"driver": "595.10"}, "cuda13"),
        (["cuda12", "cuda13"], {"driver": "570.133.20"}, "cuda12"),
        (["cuda12", "cuda13"], {"driver": "580.65.06", "devices": [device(0), device(1, compute="7.0")]}, "cuda12"),
        (["cuda12", "cuda13"], {"driver": "470.256.02", "devices": [device(0, compute="")]}, ""),
        (["cuda"], {"driver": "535.183.01"}, "cuda"),
        (["cuda"], {"driver": "520.61.05"}, ""),
        (["cuda12", "cuda13"], {"ways": []}, ""),
        (["cuda12", "cuda13"], _gpus.NONE, ""),
    ],
)
def test_variant_follows_the_driver(variants, gpus, variant):
    assert _gpu_choice.variant_for(variants, {**GPUS, **gpus}) == variant
