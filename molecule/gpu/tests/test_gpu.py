"""From servers that nobody has put a GPU in to labs that have them, lose them, and get them back. The tests tell one story, in this order."""

import json
import os
import pathlib

import pytest
import testinfra
from helpers import converge, play

SCENARIO = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
ENGINE = SCENARIO / "engine.yml"
SERVER, OLD = (testinfra.get_host(f"docker://{name}") for name in ("molecule-gpu", "molecule-gpu-old"))
# Index, UUID, name, compute capability.
GPUS = ["0,GPU-f15ae561-21b1-6003-c768-861fc285203b,NVIDIA A10,8.6", "1,GPU-466be1f8-6148-1a27-a450-592604f3df54,NVIDIA A10,8.6"]
FIRST, SECOND = (gpu.split(",")[1] for gpu in GPUS)
ONE, OTHER = "--limit=molecule-gpu", "--limit=molecule-gpu-second"
MAKE = "Make and start the container"
# As far as role lab is concerned: it sees GPUs, and its CUDA is that of the tag.
TORCH = """
__version__ = "2.11.0"
class version: cuda = "12.8"
class cuda:
    is_available = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 2)
"""


def plug_in(server):
    """NVIDIA's driver, with two GPUs."""
    server.check_output("mkdir -p /usr/lib/nvidia/gpus")
    for number, gpu in enumerate(GPUS):
        server.check_output("echo %s > /usr/lib/nvidia/gpus/%s", gpu, str(number))
    server.check_output("echo 570.133.20 > /usr/lib/nvidia/driver")
    server.check_output("printf %s > /usr/bin/nvidia-smi && chmod +x /usr/bin/nvidia-smi", (SCENARIO / "files/nvidia-smi").read_text().replace("%", "%%"))


def container(name="molecule-gpu"):
    return json.loads(SERVER.check_output("docker inspect %s", name))[0]


def seen(name="molecule-gpu"):
    """UUIDs that the lab shows to its user."""
    listed = SERVER.check_output("docker exec --user jovyan %s nvidia-smi -L", name)
    return [line.partition("UUID: ")[2].rstrip(")") for line in listed.splitlines()]


def started():
    return [server.check_output("stat -c %y /run/docker.pid") for server in (SERVER, OLD)]


@pytest.fixture(name="unchanged")
def fixture_unchanged():
    """After the test, a second run has nothing to do."""
    yield
    assert converge(ONE).changed == []


# -- No GPU -----------------------------------------------------------------------------------------------------------


def test_server_without_gpu():
    run = play(ENGINE)
    assert (run.rc, [task for task in run.changed if "NVIDIA" in task]) == (0, [])
    run = converge(ONE)
    assert "GPU" not in run.out.rpartition("Say where to click")[2]
    assert container()["HostConfig"]["DeviceRequests"] is None


@pytest.mark.parametrize(
    ("playbook", "variables", "sentence"),
    [
        (None, {"lab_gpus": 1}, "Lab molecule-gpu wants GPUs, but this host has none: name another host, or set lab_gpus to none."),
        (ENGINE, {"engine_nvidia": True}, "engine_nvidia is true, but this host has no NVIDIA card: install the driver"),
    ],
)
def test_gpu_asked_for_and_none_there(playbook, variables, sentence):
    run = play(playbook, ONE, **variables)
    assert sentence in run.failures["molecule-gpu"]
    assert run.changed == []


# -- GPUs, and an engine that knows nothing of them -------------------------------------------------------------------


def test_engine_that_cannot_hand_them_over():
    plug_in(SERVER)
    plug_in(OLD)
    run = play(ENGINE, "--check")
    assert run.changed == ["Predict that the engine would be made to hand over GPUs"]
    run = play(ENGINE, ONE, engine_nvidia=False)
    assert (run.rc, run.changed) == (0, [])
    run = play(None, ONE, lab_gpus="all")
    assert "the NVIDIA Container Toolkit is not set up: run role mlenv.jupyter.engine as root" in run.failures["molecule-gpu"]
    run = converge(ONE)
    assert run.changed == []
    assert "It has no GPU: the engine cannot hand them over" in run.out


def test_key_of_somebody_else():
    run = play(ENGINE, ONE, engine_nvidia_key_fingerprint="C95B321B61E88C1809C4F759DDCAE044F796ECB0")
    assert "and not C95B321B61E88C1809C4F759DDCAE044F796ECB0" in run.failures["molecule-gpu"]
    assert run.changed == []


def test_toolkit_that_cannot_be_had():
    """A lab that wants no GPU works even so."""
    run = play(ENGINE, ONE, engine_nvidia_key="http://127.0.0.1:1/gpgkey")
    assert (run.rc, run.changed) == (0, [])
    assert "GPUs are left alone, since the NVIDIA Container Toolkit cannot be installed on this host" in run.out
    assert "engine_nvidia_repository and engine_nvidia_key take a mirror's" in run.out
    said = play(ENGINE, ONE, engine_nvidia_key="http://127.0.0.1:1/gpgkey", engine_nvidia=True).failures["molecule-gpu"]
    assert "engine_nvidia_repository and engine_nvidia_key take a mirror's" in said


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"engine_nvidia_repository": "mirror.example.com/deb"}, "engine_nvidia_repository mirror.example.com/deb is no address of an apt repository"),
        ({"engine_nvidia_key": "/none/key.asc"}, "engine_nvidia_key /none/key.asc is neither an address nor a file on the controller"),
    ],
)
def test_what_is_no_address(variables, sentence):
    run = play(ENGINE, ONE, **variables)
    assert sentence in run.failures["molecule-gpu"]
    assert run.changed == []


def test_toolkit():
    """No container ends for it: where one runs, the engine only reads its settings anew. From its next start on it knows CDI.

    On the other server somebody began, and got no further than the vendor's list, without its key. On this one the vendor is known already, under another name.
    """
    known = "deb [signed-by=/srv/vendor/gpgkey.asc] http://127.0.0.1:8000/stable/deb/$(ARCH) /"
    SERVER.check_output(f"cp /srv/vendor/gpgkey /srv/vendor/gpgkey.asc; echo '{known}' > /etc/apt/sources.list.d/somebody.list")
    OLD.check_output("echo 'deb [signed-by=/etc/none] http://127.0.0.1:8000/stable/deb/$(ARCH) /' > /etc/apt/sources.list.d/nvidia-container-toolkit.list")
    before, lab = started(), container()["State"]["StartedAt"]
    run = play(ENGINE)
    assert run.rc == 0, run.failures
    assert {"Install it", "Have nvidia-ctk write the engine's settings"} <= set(run.changed)
    assert [engine == then for engine, then in zip(started(), before)] == [True, False]
    assert container()["State"]["StartedAt"] == lab
    assert "containers run on this host, and would end with the engine" in run.out
    assert json.loads(SERVER.file("/etc/docker/daemon.json").content_string)["features"] == {"cdi": True}
    assert "features" not in json.loads(OLD.file("/etc/docker/daemon.json").content_string)
    assert not SERVER.file("/etc/apt/sources.list.d/nvidia-container-toolkit.list").exists
    assert play(ENGINE).changed == []


# -- The three ways ---------------------------------------------------------------------------------------------------


def test_by_runtime():
    run = converge(ONE)
    assert MAKE in run.changed
    assert "Its GPUs: 0 NVIDIA A10, 1 NVIDIA A10" in run.out
    assert (container()["HostConfig"]["Runtime"], seen()) == ("nvidia", [FIRST, SECOND])
    assert SERVER.check_output("docker exec molecule-gpu df --output=size -B1G /dev/shm").split()[-1] == "16"


def test_a_warning_takes_no_gpu_away():
    """A code of its own, and a line more: the GPUs are there, on the host and in the lab, and the line is told."""
    SERVER.check_output("echo 'WARNING: infoROM is corrupted at gpu 0000:3B:00.0' > /usr/lib/nvidia/warning")
    run = converge(ONE)
    assert (run.rc, run.changed) == (0, [])
    assert "infoROM is corrupted at gpu 0000:3B:00.0" in " ".join(run.out.split())
    assert "Its GPUs: 0 NVIDIA A10, 1 NVIDIA A10" in run.out
    # What a second driver tells of a GPU that is lost.
    SERVER.check_output("sed -i 's/GPU-466be1f8[^,]*/[GPU is lost]/' /usr/lib/nvidia/gpus/1")
    assert "GPU is lost" in play(None, ONE, lab_gpus=2).failures["molecule-gpu"]
    SERVER.check_output("echo %s > /usr/lib/nvidia/gpus/1; rm /usr/lib/nvidia/warning", GPUS[1])


def test_a_better_way_makes_no_lab_anew(unchanged):
    """The engine comes back with CDI. The lab comes back by itself, and keeps what it has."""
    SERVER.check_output("systemctl restart docker")
    assert play(ENGINE, ONE).changed == ["Write down what a container needs for each GPU"]
    # Who hands them over without the toolkit needs none.
    SERVER.check_output("mv /usr/bin/nvidia-ctk /usr/bin/nvidia-ctk.away")
    run = play(ENGINE, ONE, "--check")
    SERVER.check_output("mv /usr/bin/nvidia-ctk.away /usr/bin/nvidia-ctk")
    assert (run.rc, run.changed) == (0, [])


def test_lost_gpu_is_noticed_and_comes_back(unchanged):
    SERVER.run("docker exec molecule-gpu touch /tmp/lost")
    packages = "/home/jovyan/.local/lib/python3.11/site-packages/torch"
    SERVER.check_output("docker exec --user jovyan molecule-gpu mkdir -p %s", packages)
    SERVER.check_output("docker exec --user jovyan molecule-gpu sh -c %s", f"cat > {packages}/__init__.py <<'END'\n{TORCH}\nEND\n")
    assert MAKE in converge("--check", ONE).changed
    run = converge(ONE)
    assert MAKE in run.changed
    assert container()["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]
    assert seen() == [FIRST, SECOND]
    assert "PyTorch 2.11.0 sees 2 of them" in run.out


def test_framework_that_sees_none():
    """CUDA's libraries are there, and nothing works: the lab is up, and nobody can work in it."""
    SERVER.check_output("docker exec --user jovyan molecule-gpu sed -i 's/: True/: False/' /home/jovyan/.local/lib/python3.11/site-packages/torch/__init__.py")
    run = play(None, ONE, lab_state="restarted")
    assert run.failures["molecule-gpu"].startswith(
        "Lab molecule-gpu runs, but without the GPUs that it was given: PyTorch 2.11.0 in it is made for CUDA 12.8, and sees no GPU."
    )
    SERVER.check_output("docker exec molecule-gpu rm -r /home/jovyan/.local/lib/python3.11/site-packages/torch")


def test_another_driver():
    """The engine's specification is made anew, where it is; until then the other ways are used for new labs."""
    SERVER.check_output("mkdir -p /run/cdi && mv /etc/cdi/nvidia.yaml /run/cdi/")
    SERVER.check_output("echo 580.65.06 > /usr/lib/nvidia/driver")
    assert play(ENGINE, ONE).changed == ["Write down what a container needs for each GPU"]
    assert "580.65.06" in SERVER.file("/run/cdi/nvidia.yaml").content_string
    assert play(ENGINE, ONE).changed == []


def test_by_device_request():
    SERVER.check_output("rm /run/cdi/nvidia.yaml")
    assert MAKE in converge(ONE).changed
    assert container()["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == [FIRST, SECOND]
    assert seen() == [FIRST, SECOND]
    assert SERVER.check_output("tail -1 /var/log/nvidia-stand-in.log") == f"hook {FIRST},{SECOND}"


# -- Several labs -----------------------------------------------------------------------------------------------------


def test_two_labs_of_one_play_get_a_gpu_each():
    run = converge(lab_gpus=1, lab_gpus_exclusive=True)
    assert MAKE in run.changed
    assert sorted(seen() + seen("molecule-gpu-second")) == sorted([FIRST, SECOND])
    assert converge(lab_gpus=1, lab_gpus_exclusive=True).changed == []


def test_gpu_that_another_lab_has_alone():
    run = play(None, OTHER, lab_gpus="all")
    taken = [FIRST, SECOND].index(*seen())
    sentence = f"but lab molecule-gpu has GPU {taken} for itself alone: name another GPU, write a count, or stop that lab."
    assert sentence in run.failures["molecule-gpu-second"]
    assert run.changed == []


def test_lab_that_stops_gives_its_gpu_back():
    assert converge(ONE, lab_state="stopped").changed == ["Stop the container"]
    converge(OTHER, lab_gpus="all")
    assert seen("molecule-gpu-second") == [FIRST, SECOND]


# -- The image --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("driver", "variant"), [("580.65.06", "cuda13-"), ("470.256.02", "")])
def test_image_follows_the_driver(driver, variant):
    SERVER.check_output("echo %s > /usr/lib/nvidia/driver", driver)
    run = play(SCENARIO / "image.yml")
    assert f"image: quay.io/jupyter/pytorch-notebook:{variant}2026-11-16" in run.out


def test_driver_too_old_for_the_image():
    image = "molecule-gpu.example.com/pytorch-notebook:cuda12-2026-11-16"
    SERVER.check_output("docker tag mlenv-test:light %s", image)
    run = play(None, OTHER, lab_image=image)
    assert "is made for CUDA 12, which needs NVIDIA's driver 525.60.13 or later, but this host has 470.256.02" in run.failures["molecule-gpu-second"]
    assert run.changed == []


# -- A driver that is there, and does not answer --------------------------------------------------------------------------


def test_driver_that_does_not_answer_takes_nothing_away():
    """After an update of the driver, until the host is restarted."""
    SERVER.check_output("mv /usr/bin/nvidia-smi /usr/bin/nvidia-smi.kept")
    SERVER.check_output("printf '#!/bin/sh\\necho Failed to initialize NVML: Driver/library version mismatch\\nexit 18\\n' > /usr/bin/nvidia-smi")
    SERVER.check_output("chmod +x /usr/bin/nvidia-smi; mkdir -p /srv/pci/0000:01:00.0; cd /srv/pci/0000:01:00.0; echo 0x10de > vendor; echo 0x030200 > class")
    SERVER.check_output("mount --bind /srv/pci /sys/bus/pci/devices")
    run = play(None, OTHER, lab_gpus="auto")
    assert "does not answer (nvidia-smi: Failed to initialize NVML: Driver/library version mismatch): restart the host" in run.failures["molecule-gpu-second"]
    run = play(ENGINE, ONE, engine_nvidia=True)
    assert "has an NVIDIA card whose driver does not answer" in run.failures["molecule-gpu"]
    assert play(ENGINE, ONE).rc == 0
    SERVER.check_output("umount /sys/bus/pci/devices; mv /usr/bin/nvidia-smi.kept /usr/bin/nvidia-smi")
