"""Run make targets that are test suites, one after the other, and count what they did.

Every suite leaves JUnit files in build/results/SUITE/. A failing suite does not stop the next one. A suite that
breaks without saying which test failed, or that runs nothing, counts as one failure.

Usage: python run_suites.py SUITE...
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from xml.etree import ElementTree

RESULTS = pathlib.Path("build/results")


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count(folder: pathlib.Path) -> Count:
    """What the JUnit files in this folder say."""
    total = Count()
    for path in folder.rglob("*.xml"):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                total.failed += 1
            elif "skipped" in kinds:
                total.skipped += 1
            else:
                total.passed += 1
    return total


def run(suite: str) -> Count:
    folder = RESULTS / suite
    shutil.rmtree(folder, ignore_errors=True)
    rc = subprocess.run(["make", "--no-print-directory", suite], stdin=subprocess.DEVNULL, check=False).returncode
    result = count(folder)
    broke_silently = rc != 0 and not result.failed
    ran_nothing = result == Count()
    if broke_silently or ran_nothing:
        print(f"Suite {suite} {'ran nothing' if ran_nothing else 'failed outside its tests'} (make said {rc})", flush=True)
        result.failed += 1
    return result


def main() -> int:
    rows = []
    for suite in sys.argv[1:]:
        print(f"\n===== {suite} =====", flush=True)
        began = time.monotonic()
        result = run(suite)
        rows.append((suite, time.monotonic() - began, result))
    print(f"\n{'suite':<14} seconds")
    for suite, seconds, result in rows:
        print(f"{suite:<14} {seconds:7.0f}   {result}")
    total = sum((row[2] for row in rows), Count())
    print(f"{'together':<14} {sum(row[1] for row in rows):7.0f}\n")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
