"""How long things take, against doing them otherwise.

All contestants of a contest are measured in turn, round after round, so that a slow minute of the machine is everybody's.
Printed are medians and their ratios with the goal beside them. A time is never a reason to fail; a command that fails is.

Usage: python tests/bench/bench.py [--rounds N] [--image NAME] [warm] [cold] [install] [again] [pip] [fleet]
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import fleet

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ["scikit-learn", "pandas", "matplotlib", "seaborn", "xgboost-cpu", "lightgbm"]
# Twenty projects, small and large, as a lab may have them.
TWENTY = PACKAGES + """
    altair beautifulsoup4 cowsay duckdb humanize joblib networkx openpyxl plotly polars pyarrow statsmodels sympy tqdm
""".split()
MADE_UP = [f"bench-made-up-{number}" for number in range(1000)]

# Writes what pip leaves behind of a package without files: enough for whoever asks whether it is there.
INSTALL_MADE_UP = """
import pathlib, site, sys
for name in sys.argv[1:]:
    info = pathlib.Path(site.getusersitepackages(), f"{name.replace('-', '_')}-1.0.dist-info")
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
    (info / "RECORD").write_text("")
    (info / "INSTALLER").write_text("pip\\n")
"""


def run(*command: str) -> float:
    """Run a command and return its seconds. Stops everything if it fails."""
    began = time.perf_counter()
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)[:200]}\n{done.stdout}\n{done.stderr}")
    return seconds


def in_turn(rounds: int, contestants: dict) -> dict:
    """Median seconds of each contestant: a function that runs it once and returns its seconds."""
    times = {name: [] for name in contestants}
    for number in range(rounds):
        for name, contestant in contestants.items():
            os.sync()  # or the disk would still be busy with what the one before wrote
            times[name].append(contestant())
            print(f"  round {number + 1} of {rounds}: {name} {times[name][-1]:.2f} s", flush=True)
    return {name: statistics.median(values) for name, values in times.items()}


def show(what: str, ratio: float, goal: float) -> None:
    print(f"{what:<78} {ratio:6.2f}   goal <= {goal}", flush=True)


class Bench:
    def __init__(self, image: str, rounds: int, directory: pathlib.Path):
        self.image, self.rounds, self.directory = image, rounds, directory

    def play(self, name: str, packages: list, *options: str) -> float:
        variables = {"bench_image": self.image, "bench_directory": str(self.directory), "bench_packages": packages}
        return run("ansible-playbook", str(HERE / f"{name}.yml"), "-e", json.dumps(variables), *options)

    def lab_is_there(self) -> None:
        self.play("lab", PACKAGES)

    def warm(self) -> None:
        """Nothing to do: the lab and its packages are as described."""
        self.lab_is_there()
        self.play("naive", PACKAGES)
        seconds = in_turn(
            self.rounds,
            {
                "empty play": lambda: self.play("empty", []),
                "naive play": lambda: self.play("naive", PACKAGES),
                "role lab": lambda: self.play("lab", PACKAGES),
            },
        )
        show("warm run of role lab, to the naive play", seconds["role lab"] / seconds["naive play"], 0.25)
        show("warm run of role lab, to an empty play", seconds["role lab"] / seconds["empty play"], 2.5)

    def cold(self) -> None:
        """The image is there; container, volume and packages are not."""

        def by_hand() -> float:
            remove("mlenv-bench-hand")
            return run(str(HERE / "by_hand.sh"), self.image, str(self.directory), *PACKAGES)

        def by_role() -> float:
            self.play("lab", PACKAGES, "-e", "bench_state=absent")
            return self.play("lab", PACKAGES)

        seconds = in_turn(min(3, self.rounds), {"by hand": by_hand, "role lab": by_role})
        show("cold run of role lab with packages, to the article by hand", seconds["role lab"] / seconds["by hand"], 0.6)

    def install(self) -> None:
        """Packages that are not there: the same list, nothing cached, with and without compiling to bytecode."""
        self.play("lab", [])
        user = ("docker", "exec", "-u", "jovyan", "-e", "HOME=/home/jovyan", "mlenv-bench-lab")

        def by_hand(*options: str) -> float:
            run(*user, "sh", "-c", "rm -rf ~/.local/* ~/.local/.mlenv-pip")
            return run(*user, "python3", "-m", "pip", "install", "--quiet", "--user", "--no-cache-dir", *options, *PACKAGES)

        def by_module(when: str) -> float:
            run(*user, "sh", "-c", "rm -rf ~/.local/* ~/.local/.mlenv-pip")
            return self.play("pip_install", PACKAGES, "-e", f"bench_compile={when}")

        seconds = in_turn(
            min(3, self.rounds),
            {
                "pip install --user": by_hand,
                "container_pip": lambda: by_module("now"),
                "pip install --user --no-compile": lambda: by_hand("--no-compile"),
                "container_pip, compile: never": lambda: by_module("never"),
            },
        )
        show("installing, compiled, to pip install --user", seconds["container_pip"] / seconds["pip install --user"], 0.65)
        ratio = seconds["container_pip, compile: never"] / seconds["pip install --user --no-compile"]
        show("installing, not compiled, to pip install --user --no-compile", ratio, 0.6)

    def again(self) -> None:
        """Twenty packages once more: the container and its user's packages are gone, the volume's cache is there."""

        def first() -> float:
            self.play("lab", [], "-e", "bench_state=absent")
            return self.play("lab", TWENTY)

        def once_more() -> float:
            # Only then: what is compiled in the background would write under the hands of rm.
            run("docker", "rm", "--force", "mlenv-bench-lab")
            rm = ("--entrypoint", "sh", "--volume", "mlenv-bench-lab-data:/volume", self.image, "-c", "rm -rf /volume/[a-z]*")
            run("docker", "run", "--rm", "--user", "root", *rm)
            return self.play("lab", TWENTY)

        def kept() -> float:
            run("docker", "rm", "--force", "mlenv-bench-lab")
            return self.play("lab", TWENTY)

        seconds = in_turn(min(3, self.rounds), {"first": first, "from the cache": once_more, "from the volume": kept})
        show("a lab with 20 packages made again, from the volume's cache, to the first time", seconds["from the cache"] / seconds["first"], 0.2)
        show("a lab with 20 packages made again, with its volume, to the first time", seconds["from the volume"] / seconds["first"], 0.2)

    def pip(self) -> None:
        """Nothing to do for the packages: what a task costs on top of a play that does nothing."""
        self.lab_is_there()
        run("docker", "exec", "-u", "jovyan", "-e", "HOME=/home/jovyan", "mlenv-bench-lab", "python3", "-c", INSTALL_MADE_UP, *MADE_UP)
        stock = ("-i", "mlenv-bench-lab,")
        seconds = in_turn(
            self.rounds,
            {
                "empty play": lambda: self.play("empty", []),
                "ansible.builtin.pip, 3": lambda: self.play("pip_stock", PACKAGES[:3], *stock),
                "container_pip, 3": lambda: self.play("pip_ours", PACKAGES[:3]),
                "container_pip, 1": lambda: self.play("pip_ours", MADE_UP[:1]),
                "container_pip, 1000": lambda: self.play("pip_ours", MADE_UP),
            },
        )
        cost = {name: value - seconds["empty play"] for name, value in seconds.items()}
        show("container_pip, nothing to do, to ansible.builtin.pip over docker_api", cost["container_pip, 3"] / cost["ansible.builtin.pip, 3"], 0.33)
        show("container_pip, 1,000 satisfied requirements, to 1", cost["container_pip, 1000"] / cost["container_pip, 1"], 1.5)

    def fleet(self) -> None:
        """Many servers over SSH: 1, 4 and 16 labs, 5 and 25 forks."""
        fleet.measure(self.image, self.rounds, self.directory)


def remove(name: str) -> None:
    """Remove a container and its volume, there or not."""
    subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
    subprocess.run(["docker", "volume", "rm", "--force", name], check=False, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contests", nargs="*", metavar="CONTEST", help="warm, cold, install, again, pip, fleet; all without one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--image", default="mlenv-test:minimal")
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mlenv-bench-"))
    bench = Bench(options.image, options.rounds, directory)
    try:
        for contest in options.contests or ["warm", "cold", "install", "again", "pip", "fleet"]:
            method = getattr(bench, contest)
            print(f"{contest}: {method.__doc__}", flush=True)
            method()
    finally:
        bench.play("lab", [], "-e", "bench_state=absent")
        remove("mlenv-bench-naive")
        remove("mlenv-bench-hand")
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
