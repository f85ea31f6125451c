"""Run make targets that are test suites, and count what they did.

Every suite leaves JUnit files in build/results/SUITE/. A failing suite does not stop the next one. A suite that
breaks without saying which test failed, or that runs nothing, counts as one failure.

Usage: python run_suites.py LANE...

Lanes are run side by side, and the suites of a lane one after the other. A suite that is in several lanes is run once, by
the first to come to it; the others wait for its end: 'image molecule' 'lint unit image e2e'.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from xml.etree import ElementTree

RESULTS = pathlib.Path("build/results")
REPORT_LINES = 12


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read(folder: pathlib.Path) -> tuple:
    """What the JUnit files in this folder say: how many tests, and of each that failed its name and how its report ends."""
    total, failures = Count(), []
    for path in sorted(folder.rglob("*.xml")):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            outcomes = {child.tag: child for child in case}
            failure = outcomes.get("failure", outcomes.get("error"))
            if failure is not None:
                total.failed += 1
                report = (failure.text or failure.get("message", "")).rstrip().splitlines()
                # pytest marks with E what went wrong; a long message begins far above the end.
                begins = next((number for number, line in enumerate(report) if line.startswith("E ")), 0)
                end = report[max(begins + 2, len(report) - REPORT_LINES) :]
                failures.append("\n    ".join([f"{path.relative_to(RESULTS)}: {case.get('name')}", *report[begins : begins + 2], *end]))
            elif "skipped" in outcomes:
                total.skipped += 1
            else:
                total.passed += 1
    return total, failures


@dataclass
class Row:
    """How a suite ended."""

    suite: str
    seconds: float
    count: Count
    failures: list


def run(suite: str) -> Row:
    """Run a suite. Every line that it prints bears its name, since others print as well."""
    began, folder = time.monotonic(), RESULTS / suite
    shutil.rmtree(folder, ignore_errors=True)
    command = ["make", "--no-print-directory", suite]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as make:
        for line in make.stdout:
            print(f"{suite:<11} | {line}", end="", flush=True)
    result, failures = read(folder)
    broke_silently = make.returncode != 0 and not result.failed
    ran_nothing = result == Count()
    if broke_silently or ran_nothing:
        failures.append(f"{suite}: {'ran nothing' if ran_nothing else 'failed outside its tests'} (make said {make.returncode})")
        result.failed += 1
    return Row(suite, time.monotonic() - began, result, failures)


def run_lanes(lanes: list) -> list:
    """The rows of all suites, in the order in which they began."""
    begun, one_at_a_time = {}, Lock()
    with ThreadPoolExecutor() as suites, ThreadPoolExecutor() as side_by_side:

        def run_lane(lane: str) -> None:
            for suite in lane.split():
                with one_at_a_time:
                    if suite not in begun:
                        begun[suite] = suites.submit(run, suite)
                begun[suite].result()

        list(side_by_side.map(run_lane, lanes))
    return [row.result() for row in begun.values()]


def main() -> int:
    began, rows = time.monotonic(), run_lanes(sys.argv[1:])
    # Thousands of lines lie between a failure and the end, where people look.
    for row in rows:
        for failure in row.failures:
            print(f"\nFAILED {failure}")
    print(f"\n{'suite':<14} seconds")
    for row in rows:
        print(f"{row.suite:<14} {row.seconds:7.0f}   {row.count}")
    total = sum((row.count for row in rows), Count())
    print(f"{'together':<14} {time.monotonic() - began:7.0f}\n")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
