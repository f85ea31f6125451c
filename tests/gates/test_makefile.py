"""Who `make lab` becomes, and where the checkout may be."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from checkout import ROOT, run


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


def test_path_with_a_space(tmp_path):
    folder = tmp_path / "my labs"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    done = subprocess.run(["make", "-C", folder, "help"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "move this checkout to a path without any" in done.stderr
