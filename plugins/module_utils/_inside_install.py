# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to fill a stage: the installer, with all that is installed in its sight.

Private to the collection.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside import canonical, dists_in
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_stage import Trouble


class Planned:
    """A distribution that pip's report (format 1) says it would install; looks like one that is installed."""

    def __init__(self, item):
        self.name = canonical(item["metadata"]["name"])
        self.version = item["metadata"]["version"]
        self.requires = item["metadata"].get("requires_dist", [])
        self.direct_url = item["download_info"] if item["is_direct"] else {}


class Done:
    """How the installer ended: dists are those that it installed, or (check) would install, by name."""

    def __init__(self, argv, rc, out, err, dists):
        self.argv, self.rc, self.out, self.err, self.dists = argv, rc, out, err, dists


@contextlib.contextmanager
def passed(texts):
    """Texts as files that exist for a child alone and leave nothing behind (credentials may be in them)."""
    descriptors = []
    try:
        for text in texts:
            descriptor = os.memfd_create("text")
            descriptors.append(descriptor)
            with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
                file.write(text)
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def run_child(argv, environment, descriptors, timeout):
    """Run it to its end; at the timeout, it and all that it started are gone."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=descriptors,
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as child:
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            out, err = child.communicate()
            raise Trouble(f"the installation did not end within {timeout} s and was stopped", argv=argv, out=out, err=err) from None
        return child.returncode, out, err


def pip_install(request, stage, base, hidden, image):
    """`pip install --user` with the stage as its user base, and the true user site in its sight but for the hidden ones."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONNOUSERSITE", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")}
    environment.update(
        PYTHONUSERBASE=stage,
        PIP_BREAK_SYSTEM_PACKAGES="1",  # PEP 668 guards a system's Python; the user site is ours to fill
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
        PIP_PROGRESS_BAR="off",
    )
    options = ["--user", "--no-warn-script-location", *(["--upgrade"] if request["state"] == "latest" else []), *request["pip_options"]]
    requirements = request["index_lines"] + [text for _where, text in request["lines"]]
    constraints = [text for _where, text in request["constraints"]] + image
    texts = ["\n".join(requirements) + "\n", "\n".join(constraints) + "\n", ""]
    with passed(texts) as descriptors, sight(stage, base, hidden):
        names = [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
        if request["check"]:
            options += ["--dry-run", "--no-cache-dir", "--report", names[2]]
        argv = [sys.executable, "-m", "pip", "install", *options, "-r", names[0], "-c", names[1]]
        rc, out, err = run_child(argv, environment, descriptors, request["timeout"])
        report = []
        if request["check"] and rc == 0:
            with open(names[2], encoding="utf-8") as file:
                report = [Planned(item) for item in json.load(file)["install"]]
    dists = {planned.name: planned for planned in report} if request["check"] else dists_in(base.site_in(stage))
    return Done(argv, rc, out, err, dists)


@contextlib.contextmanager
def sight(stage, base, hidden):
    """Let a Python with the stage as its user base see the true user site, but for the hidden entries."""
    links = os.path.join(stage, "sight")
    os.makedirs(links)
    os.makedirs(base.site_in(stage))
    for entry in os.listdir(base.site) if os.path.isdir(base.site) else []:
        if entry not in hidden:
            os.symlink(os.path.join(base.site, entry), os.path.join(links, entry))
    path = os.path.join(base.site_in(stage), "sight.pth")
    with open(path, "w", encoding="utf-8") as file:
        file.write(links + "\n")
    yield
    os.remove(path)
    shutil.rmtree(links)


def pins(packaging, packages):
    """The image's packages as constraints. A version that follows no rule cannot be written as one."""
    found = []
    for name, version in packages.items():
        with contextlib.suppress(packaging.InvalidRequirement):
            packaging.Requirement(f"{name}=={version}")
            found.append(f"{name}=={version}")
    return found


def refuse_image_conflicts(wanted, image):
    """A requirement that contradicts the image is refused by name, before anybody asks the network."""
    for one in wanted:
        version = image.get(one.name)
        if version and one.applies() and one.specifier and not one.specifier.contains(version, prereleases=True):
            raise Trouble(f"{one.text} conflicts with the image's own {one.name} {version}, which the server may need; `protect_image: false` allows it")
