"""What the gates and the suites need to know of this checkout, and one way to run a tool."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".ansible/collections/ansible_collections"
RESULTS = ROOT / "build/results"
# How Ansible and pytest begin a line that says what went wrong.
REASON = re.compile(r"(fatal|failed|\[ERROR\]|E  )")


def files(*under: str) -> list[pathlib.Path]:
    """All files that belong to the project: tracked ones, and new ones that git does not ignore. Relative to ROOT."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *under]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = sorted({pathlib.Path(name) for name in names.split("\0") if name})
    return [path for path in found if (ROOT / path).is_file()]


def run(*argv: str | pathlib.Path, cwd: pathlib.Path = ROOT, **env: str) -> str:
    """Run a tool to its end, print what it said (pytest shows that on failure), return it. A bad exit fails the test."""
    command = [str(word) for word in argv]
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    print(done.stdout)
    reasons = [line for line in done.stdout.splitlines() if REASON.match(line)]
    assert done.returncode == 0, "\n".join([f"{' '.join(command[:6])} ended with {done.returncode}", *reasons[-5:]])
    return done.stdout


def run_scenario(tool, name: str, report: str) -> None:
    """Run a scenario by Molecule, which `tool` starts. Its own tests are counted: build/results/`report`.xml."""
    path, running = RESULTS / f"{report}.xml", ROOT / f"build/{report.replace('/', '-')}.running"
    path.unlink(missing_ok=True)

    def molecule(command: str, **env: str) -> None:
        tool("molecule", command, "--scenario-name", name, MOLECULE_GLOB="molecule/*/molecule.yml", **env)

    # Molecule itself ends with that, unless it is killed.
    if running.exists():
        molecule("destroy")
    running.parent.mkdir(exist_ok=True)
    running.touch()
    molecule("test", PYTEST_ADDOPTS=f"--junitxml={path}")
    running.unlink()
    # Molecule is content with a scenario that has no tests. We are not.
    assert path.exists(), f"Scenario {name} has no tests"


def real_copy(collections: pathlib.Path) -> pathlib.Path:
    """Copy the project to where ansible-test insists on finding it: a real directory, not a link. Returns it."""
    root = collections / "ansible_collections"
    dest = root / "mlenv/jupyter"
    for path in files():
        (dest / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, dest / path)
    (root / "community").symlink_to(COLLECTIONS / "community", target_is_directory=True)
    return dest
