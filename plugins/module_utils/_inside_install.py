# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to fill a stage: the installer, with all that is installed in its sight.

Private to the collection.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, build_opener

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import canonical, dists_in
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_stage import Trouble, sight_of
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_starts import Starts
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import expanded


class Planned:
    """A distribution that pip's report (format 1) says it would install; looks like one that is installed."""

    broken = False

    def __init__(self, item):
        self.name = canonical(item["metadata"]["name"])
        self.version = item["metadata"]["version"]
        self.requires = item["metadata"].get("requires_dist", [])
        self.download = item["download_info"]
        self.direct_url = self.download if item["is_direct"] else {}


class Done:
    """How the installer (uv or pip) ended: dists are those that it installed, or (check) would install, by name."""

    def __init__(self, installer, argv, rc, out, err, dists):
        self.installer, self.argv, self.rc, self.out, self.err, self.dists = installer, argv, rc, out, err, dists


@contextlib.contextmanager
def passed(texts):
    """Texts as files that no directory has and that end with us: yields their paths, for a child and all that it starts."""
    descriptors = []
    try:
        for text in texts:
            descriptor = os.memfd_create("text")
            descriptors.append(descriptor)
            with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
                file.write(text)
        yield [f"/proc/{os.getpid()}/fd/{descriptor}" for descriptor in descriptors]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def without_credentials(lines):
    """The lines with the credentials of their URLs taken out, and these as the text of a netrc file.

    In a URL they would be in the arguments of what pip starts to build a package, for everybody to see. They end with the last @.
    What a netrc cannot say, such as a second password for the same host, stays where it was.
    """
    machines, plain = {}, []
    for line in lines:
        bare = line
        for match in re.finditer(r"(?<![+\w])(https?://)([^/\s:]+)(?::([^/\s]*))?@([^/:@\s]+)", line):
            scheme, login, password, host = match.groups()
            words = (netrc_word(unquote(login)), netrc_word(unquote(password or "")))
            if all(words) and machines.setdefault(host, words) == words:
                bare = bare.replace(match.group(0), scheme + host)
        plain.append(bare)
    return plain, "".join(f"machine {host} login {login} password {password}\n" for host, (login, password) in machines.items())


def netrc_word(text):
    """The text as this Python's netrc reads it, and pip with it; empty if that cannot be said."""
    if sys.version_info >= (3, 11):
        return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return text if re.fullmatch("[!-~]+", text) else ""


def environment_for(job, netrc, **more):
    """The container's environment, without what would lead an installer astray, with what the task wants."""
    astray = ("PYTHONNOUSERSITE", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "UV_PREFIX", "UV_TARGET", "UV_SYSTEM_PYTHON", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if key not in astray}
    if job.base.place.virtualenv:
        environment.pop("PYTHONPATH", None)  # what is there is the image's
    if netrc:
        environment["NETRC"] = netrc
    if job.proxy:
        environment.update(dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "PIP_PROXY"), job.proxy))
    if job.ca_certificates:
        environment.update(dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), job.ca_certificates))
    return {**environment, **more}


def refusals(job):
    """Indexes that want other credentials, as lines of an error: pip takes that for an index without packages."""
    for url in job.indexes:
        parts = urlsplit(url)
        request = Request(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}/")
        if parts.username:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            request.add_header("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())
        try:
            build_opener().open(request, timeout=10).close()
        except HTTPError as error:
            if error.code in (401, 403):
                yield f"{error.code} Error: {error.reason} for {request.full_url}\n"
        except (OSError, ValueError):
            continue


def own_netrc():
    try:
        with open(os.environ.get("NETRC") or os.path.expanduser("~/.netrc"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def run_child(job, argv, environment):
    """Run an installer to its end; at the timeout, it and all that it started are gone.

    It holds the lock as well: should we be killed, nobody begins before it has ended, too.
    """
    try:
        # In the container there is no AnsibleModule whose run_command could be called instead.
        child = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            pass_fds=[] if job.base.lock is None else [job.base.lock],
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        return 126, "", f"{argv[0]} cannot be run: {error.strerror}"
    with child:
        try:
            out, err = child.communicate(timeout=job.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            out, err = child.communicate()
            raise Trouble(f"the installation did not end within {job.timeout} s and was stopped", argv=argv, out=out, err=err) from None
        return child.returncode, out, err


def refuse_pip(look, dry):
    """Say what keeps the container's pip from the work."""
    if not look.pip:
        raise Trouble(f"its Python {look.python} ({sys.executable}) has no pip")
    if dry and tuple(int(part) for part in look.pip.split(".")[:2] if part.isdigit()) < (22, 2):
        raise Trouble(f"to ask the index without installing anything needs pip 22.2 or later, and it has pip {look.pip}")


class Job:
    """What an installer has to do: fill a stage with what is missing for these lines.

    visible: the distributions that count as installed, by name. upgrade: names to bring to their newest version.
    dry: only say what would be done.
    """

    def __init__(self, request, base, stage, lines, visible, upgrade=(), bounds=(), options=(), dry=True):
        wanted = [expanded(line) for line in request["index_lines"] + lines]
        self.indexes = [line.split(maxsplit=1)[1] for line in wanted if re.match(r"--(extra-)?index-url https?://", line)]
        self.requirements, netrc = without_credentials(wanted)
        self.netrc = own_netrc() + "\n" + netrc if netrc else ""  # of two for one host, the last one counts
        self.proxy, self.ca_certificates = request["proxy"], request["ca_certificates"]
        self.constraints = [text for _where, text in request["constraints"]] + list(bounds)
        self.base, self.stage, self.visible, self.upgrade = base, stage, visible, upgrade
        self.check, self.options, self.timeout = dry, options, request["timeout"]
        self.compile = request["compile"] == "now"
        self.follows = request["state"] == "exact"  # what the new packages need must be known, too
        # Check mode writes nothing, not even a cache.
        self.cache = base.cache if request["cache"] and not request["check"] else None

    def texts(self):
        """Requirements, constraints, an empty one to report to, and credentials."""
        return ["\n".join(lines) + "\n" for lines in (self.requirements, self.constraints, [])] + [self.netrc]


def pip_install(job):
    """`pip install --user` with the stage as its user base; for an isolated environment, with the stage in its place."""
    options = ["--no-user" if job.base.place.virtualenv else "--user", "--no-warn-script-location"]
    options += ["--upgrade"] if job.upgrade else []
    options += [] if job.compile else ["--no-compile"]
    options += ["--cache-dir", os.path.join(job.cache, "pip")] if job.cache else ["--no-cache-dir"]
    with passed(job.texts()) as (requirements, constraints, report_path, netrc), sight(job) as python:
        environment = environment_for(
            job,
            netrc if job.netrc else "",
            PYTHONUSERBASE=job.stage,
            PIP_BREAK_SYSTEM_PACKAGES="1",  # PEP 668 guards a system's Python; the user site is ours to fill
            PIP_REQUIRE_VIRTUALENV="0",  # as somebody may want it for his own doings
            PIP_DRY_RUN="0",  # as it may be a habit of theirs
            PIP_DISABLE_PIP_VERSION_CHECK="1",
            PIP_NO_INPUT="1",
            PIP_PROGRESS_BAR="off",
        )
        options += ["--dry-run", "--report", report_path] if job.check else []
        argv = [python, "-m", "pip", "install", *options, *job.options, "-r", requirements, "-c", constraints]
        rc, out, err = run_child(job, argv, environment)
        report = []
        if job.check and rc == 0:
            with open(report_path, encoding="utf-8") as file:
                report = [Planned(item) for item in json.load(file)["install"]]
    if rc and "from versions: none" in err:
        err += "".join(refusals(job))
    dists = {planned.name: planned for planned in report} if job.check else dists_in(job.base.site_in(job.stage))
    return Done("pip", argv, rc, out, err, dists)


@contextlib.contextmanager
def sight(job):
    """A Python to which the stage is the place for packages, and which sees those of the true place, but for the ones that
    are not visible. These are linked beside the stage: from its own place, pip would remove them."""
    place, python, links = job.base.place, sys.executable, sight_of(job.stage)
    os.makedirs(links)
    os.makedirs(job.base.site_in(job.stage), exist_ok=True)
    there = dists_in(place.site)
    hidden = {os.path.basename(dist.path) for name, dist in there.items() if name not in job.visible}
    hidden |= {os.path.basename(twin.path) for dist in there.values() for twin in dist.twins}
    for entry in os.listdir(place.site) if os.path.isdir(place.site) else []:
        if entry not in hidden:
            os.symlink(os.path.join(place.site, entry), os.path.join(links, entry))
    lines = [links]
    if place.virtualenv:
        python = stage_python(job.stage)
        if not os.path.exists(os.path.join(links, "pip")):
            os.symlink(find_spec("pip").submodule_search_locations[0], os.path.join(links, "pip"))
        if os.path.exists(place.python):  # scripts begin with its name
            lines.append(f"import sys; sys.executable = {place.python!r}")
    path = os.path.join(job.base.site_in(job.stage), "sight.pth")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    yield python
    for made in [path, *([python, os.path.join(job.stage, "pyvenv.cfg")] if place.virtualenv else [])]:
        os.remove(made)
    shutil.rmtree(links)


def stage_python(stage):
    """A Python to which the stage is its environment."""
    executable = getattr(sys, "_base_executable", sys.executable)
    os.makedirs(os.path.join(stage, "bin"), exist_ok=True)
    with open(os.path.join(stage, "pyvenv.cfg"), "w", encoding="utf-8") as file:
        file.write(f"home = {os.path.dirname(executable)}\ninclude-system-site-packages = false\n")
    python = os.path.join(stage, "bin", "python")
    os.symlink(executable, python)
    return python


def pins(packaging, packages):
    """The image's packages as constraints. A version that follows no rule cannot be written as one."""
    found = []
    for name, version in packages.items():
        with contextlib.suppress(packaging.InvalidRequirement):
            packaging.Requirement(f"{name}=={version}")
            found.append(f"{name}=={version}")
    return found


# What opens the page and runs the cells.
SERVER = ("ipykernel", "jupyter-server", "jupyterhub", "jupyterlab", "nbclassic", "notebook")


def needed_by_server(environment):
    """Names of the image's packages without which its server does not start; all of them, if it has no server that we know."""
    seen, queue = set(), [(name, frozenset()) for name in SERVER if name in environment.image]
    if not queue:
        return set(environment.image)
    while queue:
        name, extras = one = queue.pop()
        if name in environment.image and one not in seen:
            seen.add(one)
            queue += [(need.name, frozenset(need.extras)) for need in environment.needs(environment.image[name], extras)]
    return {name for name, _extras in seen}


def protected(look, visible):
    """What binds the image's packages, as constraints: the visible version of each, but for those that are asked for by name in another
    one, which what each start runs may limit. Raises Trouble if the server needs one of these, before anybody asks the network."""
    otherwise = {}
    for one in look.wanted:
        if one.name in visible and one.applies() and not one.url and not look.environment.agrees(one, look.environment.find(one.name)):
            otherwise[one.name] = one
    for name in sorted(needed_by_server(look.environment) & set(otherwise)):
        own = f"the image's own {name} {visible[name]}"
        raise Trouble(f"{otherwise[name].shown} conflicts with {own}, which its server needs; `protect_image: false` allows it")
    limits = Starts(look.environment).limits(otherwise) if otherwise else []
    return pins(look.packaging, {name: version for name, version in visible.items() if name not in otherwise}) + limits


def refuse_hiding(look, staged):
    """A direct reference may have the very version that is to be kept, and hold anything: nothing but its contents tells what it is."""
    for name in sorted(needed_by_server(look.environment) & set(staged) - set(look.environment.user)):
        if staged[name].direct_url:
            origin = staged[name].direct_url["url"]
            raise Trouble(f"{origin} would hide the image's own {name}, which its server needs; `protect_image: false` allows it")
