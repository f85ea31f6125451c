"""Who `make lab` becomes, where the checkout may be, and that each door opens by itself."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from checkout import ROOT, files, run


@pytest.mark.parametrize(
    ("uid", "engine", "sudo", "options"),
    [
        (0, "exit 1", "exit 1", []),
        (1000, "echo 0f", "exit 1", []),  # an engine and an image: nothing is left for root
        (1000, "true", "true", ["--become"]),
        (1000, "exit 1", "true", ["--become"]),
        (1000, "exit 1", "exit 1", ["--become", "--ask-become-pass"]),
    ],
)
def test_make_lab_becomes_root_where_it_must(tmp_path, uid, engine, sudo, options):
    for name, body in {"id": f"echo {uid}", "docker": engine, "sudo": sudo}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    said = run("make", "--dry-run", "lab", PATH=f"{tmp_path}:/usr/bin:/bin", MAKEFLAGS="")
    [play] = [line for line in said.splitlines() if "ansible-playbook" in line]
    assert [word for word in play.split() if "become" in word] == options


DOORS = re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
MADE = re.compile(r"(?<![\w/.])(?:\./)?((?:\.venv|\.ansible|build)[\w.-]*(?:/[\w.-]+)*)")
# What a command of ours brings: paths below these are there once it has run.
MAKERS = {
    "make_venv.sh": lambda line: MADE.findall(line)[:1],
    "link_collections.py": lambda line: MADE.findall(line)[-1:],
    "touch": MADE.findall,
    "mkdir": MADE.findall,
}
OURS = "mlenv-test" + ":"  # in two parts: this file is looked through as well
# What runs there, besides the files that a command names.
RUNS = {"test_molecule.py": "molecule", "test_matrix.py": "molecule/default", "test_integration.py": "tests/integration"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """This checkout as somebody gets it, on a machine where the engine has no images."""
    folder = tmp_path_factory.mktemp("clone")
    for path in files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
    docker = folder / "no-images/docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    docker.chmod(0o755)
    return folder


def commands(clone, *words):
    said = run("make", "--dry-run", *words, cwd=clone, PATH=f"{clone}/no-images:/usr/bin:/bin", MAKEFLAGS="", MLENV_IMAGE="")
    lines = said.replace("\\\n", " ").replace(f"{clone}/", "").splitlines()
    return [line for line in lines if not line.startswith("make")]


def uses_images(line) -> bool:
    """Whether what this command runs names images of ours. Unit tests ask no engine for them."""
    if "/python " not in line or "tests/unit" in line:
        return False
    named = [word for word in line.split() if word.startswith("tests/") and word != "tests/suites/test_image.py"]
    places = [place for word in named for place in (word, word.rpartition("/")[0], RUNS.get(word.rpartition("/")[2]))]
    under = [place for place in places if place not in (None, "tests", "tests/suites")]
    return any(OURS in (ROOT / path).read_text(encoding="utf-8", errors="replace") for path in (files(*under) if under else []))


@pytest.mark.parametrize("door", DOORS)
def test_each_door_opens_by_itself(clone, door):
    """Nothing that it runs needs what nothing before it has made: environments, collections, images."""
    there, images = set(), False
    for line in commands(clone, door):
        maker = next((name for name in MAKERS if name in line), None)
        made = set(MAKERS[maker](line)) if maker else set()
        for path in MADE.findall(line):
            root = path.split("/")[0]
            needs = path not in made and root.startswith(".venv") and not any(path.startswith(place) for place in there)
            assert not needs, f"{path} is not there yet:\n{line}"
        if "pytest" in line or "ansible-playbook" in line:
            assert ".ansible/collections" in there, f"no collections yet:\n{line}"
        if "pytest" in line:
            assert ".venv/.tools" in there, f"no tools yet:\n{line}"
        if uses_images(line):
            assert images, f"no images yet:\n{line}"
        there, images = there | made, images or "tests/suites/test_image.py" in line


@pytest.mark.parametrize("door", ["contract", "gpus"])
def test_another_image_is_not_ours_to_make(clone, door):
    assert not [line for line in commands(clone, door, "MLENV_IMAGE=another") if "test_image.py" in line]


@pytest.mark.parametrize("door", ["contract", "bench"])
def test_words_for_a_door_are_not_for_what_it_needs(clone, door):
    said = commands(clone, door, "ARGS=some-words")
    assert ["some-words" in line for line in said if "tests/suites/test_image.py" in line] == [False]
    assert "some-words" in said[-1]


def test_path_with_a_space(tmp_path):
    folder = tmp_path / "my labs"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    done = subprocess.run(["make", "-C", folder, "help"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "move this checkout to a path without any" in done.stderr
