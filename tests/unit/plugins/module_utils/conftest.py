# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User sites of our own making, for a real Python to look at and to change."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import hypothesis
import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_installed
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import CHANGE, LOOK
from ansible_collections.mlenv.jupyter.plugins.module_utils._probe import command, parse_probe
from ansible_collections.mlenv.jupyter.tests.integration.targets.container_pip.files import wheelhouse

# How fast the machine is at this moment is not what these tests are about.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


class UserBase:
    """A ~/.local that a real Python takes for its own (PYTHONUSERBASE)."""

    def __init__(self, path):
        self.path = path
        self.site = path / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
        self.site.mkdir(parents=True)

    def add(self, name, version, requires=(), direct_url=None, extras=()):
        folder = self.site / "{}-{}.dist-info".format(name.replace("-", "_"), version)
        folder.mkdir()
        headers = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
        headers += ["Provides-Extra: " + extra for extra in extras]
        headers += ["Requires-Dist: " + text for text in requires]
        (folder / "METADATA").write_text("\n".join(headers) + "\n\nRequires-Dist: words-of-the-description\n")
        if direct_url:
            (folder / "direct_url.json").write_text(json.dumps(direct_url))
        return folder

    def run(self, argv, stdin, **env):
        """Run what would run in a container, here; the answer's text."""
        environment = {**os.environ, "PYTHONUSERBASE": str(self.path), **env}
        done = subprocess.run([sys.executable, *argv[1:]], input=stdin, env=environment, cwd=str(self.path), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(name="base")
def fixture_base(tmp_path):
    return UserBase(tmp_path / "local")


@pytest.fixture(scope="session", name="image")
def fixture_image(tmp_path_factory):
    """The image's packages: a copy of our own pip; and only told of: a server that needs traitlets, and what it does not need."""
    folder = tmp_path_factory.mktemp("image")
    pip = importlib.metadata.distribution("pip")
    for name in ("pip", f"pip-{pip.version}.dist-info"):
        shutil.copytree(pip.locate_file(name), folder / name)
    for name, version, needs in (("traitlets", "5.14.3", ""), ("jupyter_server", "2.14.0", "Requires-Dist: traitlets\n"), ("tw_spare", "9.0", "")):
        (folder / f"{name}-{version}.dist-info").mkdir()
        (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
    return folder


@pytest.fixture(scope="session", name="wheels")
def fixture_wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    wheelhouse.main(folder)
    return folder


class Lab:
    """A user base that a Python outside of any virtual environment changes."""

    python = os.path.realpath(sys.executable)

    def __init__(self, image, base, wheels):
        self.base, self.wheels = base, wheels
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
        self.environment.update(PYTHONUSERBASE=str(base), PYTHONPATH=str(image), HOME=str(base.parent), PIP_CONFIG_FILE=os.devnull)
        self.environment["PATH"] = os.defpath  # as in a container: pip asks each rustc that it finds for its version

    def request(self, *names, **options):
        return {
            "lines": [["name", name] for name in names],
            "constraints": [],
            "index_lines": ["--no-index", f"--find-links {self.wheels}"],
            "pip_options": [],
            "protect_image": True,
            "on_conflict": "warn",
            "timeout": 60,
            "pip_decides": options.get("state") in ("latest", "forcereinstall"),
            "state": "present",
            "autoremove": False,
            "migrate": False,
            "repair": False,
            "installer": "pip",
            "cache": False,
            "compile": "never",
            "proxy": None,
            "ca_certificates": None,
            "check": False,
            **options,
        }

    def start(self, *names, **options):
        child = subprocess.Popen([self.python, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment, start_new_session=True)
        child.stdin.write(command(CHANGE, "change", self.request(*names, **options))[1])
        child.stdin.close()
        return child

    def run_inside(self, modules, function, request):
        program = command(modules, function, request)[1]
        done = subprocess.run([self.python, "-"], input=program, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return parse_probe(done.stdout)

    def change(self, *names, **options):
        return self.run_inside(CHANGE, "change", self.request(*names, **options))

    def look(self, *names, **options):
        return self.run_inside(LOOK, "look", self.request(*names, **options))

    @property
    def packages(self):
        return self.change()["after"]

    def files(self):
        files = [path for path in self.base.rglob("*") if path.is_file() and _inside_installed.OWN_DIRECTORY not in path.parts]
        return {str(path.relative_to(self.base)): path.read_bytes() for path in files}

    def run(self, script):
        return subprocess.run([str(self.base / "bin" / script)], env=self.environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session", name="lab_at")
def fixture_lab_at(image, wheels):
    return lambda base: Lab(image, base, wheels)


@pytest.fixture(name="lab")
def fixture_lab(lab_at, tmp_path):
    return lab_at(tmp_path / "local")
