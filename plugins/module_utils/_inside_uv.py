# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the container to fill a stage with uv, so that the result is the one that pip would give.

Private to the collection. uv knows no user site, but it takes the packages that it finds in its --prefix for
installed: so the stage gets the metadata of all that is visible, and keeps what uv adds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys

from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_install import Done, environment_for, passed, run_child
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import canonical, dists_in
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_look import pip_settings
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import archive_hashes, plain, sha256_of

LENT = "LENT"  # in the metadata that was there before uv came
TRANSLATED = ("index-url", "extra-index-url", "find-links", "no-index")
# What uv takes from a requirements file, beside requirements and files named with -r and -c; it ignores the rest.
KNOWN_LINES = re.compile(r"-[rcif]|--(requirement|constraint|index-url|extra-index-url|find-links|no-index|no-binary|only-binary)\b")
# Settings of pip that say nothing about which package is installed.
HARMLESS = """
    break-system-packages cache-dir cert config-file constraint default-timeout disable-pip-version-check no-cache-dir no-color no-input
    no-warn-script-location progress-bar quiet require-virtualenv retries root-user-action timeout user verbose
""".split()


def find_uv(base):
    return shutil.which("uv") or shutil.which("uv", path=os.path.join(base.path, "bin"))


def only_pip_knows(job):
    """Options, lines and settings of pip that uv would pass over, so that it could not do the same."""
    lines = [line for line in job.requirements if line.startswith("-") and not KNOWN_LINES.match(line)]
    ours = [*HARMLESS, *TRANSLATED, *(["proxy"] if job.proxy else [])]
    settings = [f"its setting {name}" for name in pip_settings() if name not in ours]
    return [*job.options, *lines, *settings]


def lines_of(settings, requirements):
    """pip's settings of where packages come from, as lines of a requirements file; an index of the task's own replaces theirs."""
    own_index = any(line.startswith(("--index-url", "-i")) for line in requirements)
    lines = []
    for name in TRANSLATED:
        for value in settings.get(name, "").split():
            if name == "no-index":
                lines += ["--no-index"] if value.lower() in ("1", "true", "yes", "on") else []
            elif not (own_index and name in ("index-url", "extra-index-url")):
                lines.append(f"--{name} {value}")
    return lines


def uv_install(job, uv):
    settings, place = pip_settings(), job.base.place
    site = job.base.site_in(job.stage)
    python = place.python if place.virtualenv and os.path.exists(place.python) else sys.executable
    lend_metadata(job.visible, site)
    options = ["--prefix", job.stage, "--python", python, "--break-system-packages", "--index-strategy", "unsafe-best-match"]
    options += [word for name in job.upgrade for word in ("--upgrade-package", name)]
    # A dry run tells no dependencies. A stage for a check is thrown away in any case, so it may as well be filled.
    # Nor does it look at what it would have to hash.
    hashed = any(" --hash" in line for line in job.requirements + job.constraints)
    dry = job.check and not job.follows and not hashed
    options += ["--compile-bytecode"] if job.compile and not job.check else []
    # Without a cache it would unpack to /tmp, and then copy all of it to the stage's file system.
    cache = os.path.join(job.cache, "uv") if job.cache else os.path.join(job.stage, "cache")
    options += ["--cache-dir", cache]
    options += ["--require-hashes"] if hashed else []
    options += ["--dry-run"] if dry else []
    job_texts = job.texts()
    job_texts[0] = "".join(line + "\n" for line in lines_of(settings, job.requirements)) + job_texts[0]
    constraints = [word for path in settings.get("constraint", "").split() for word in ("-c", path)]
    with passed(job_texts) as (requirements, bounds, _report, netrc):
        environment = environment_for(job, netrc if job.netrc else "", UV_NO_CONFIG="1", UV_NO_PROGRESS="1", UV_PYTHON_DOWNLOADS="never", NO_COLOR="1")
        if settings.get("cert"):
            environment.setdefault("SSL_CERT_FILE", settings["cert"])
        argv = [uv, "pip", "install", *options, "-r", requirements, "-c", bounds, *constraints]
        rc, out, err = run_child(job, argv, environment)
        if dry and re.search(r"^ [+~] \S+ @ ", err, re.MULTILINE):  # nor the version of a direct reference
            dry = False
            argv.remove("--dry-run")
            rc, out, err = run_child(job, argv, environment)
        if rc and job.cache:  # without the network, the cache may have it all
            offline = run_child(job, [*argv, "--offline"], environment)
            rc, out, err = offline if offline[0] == 0 else (rc, out, err)
    if not job.cache:
        shutil.rmtree(cache, ignore_errors=True)
    take_back(job.stage, site)
    note_hashes(site)
    return Done("uv", argv, rc, out, err, foretold(err) if dry else dists_in(site))


def lend_metadata(visible, site):
    """Directories of metadata alone, with files that are links: uv may remove them, and reaches nothing through them."""
    os.makedirs(site, exist_ok=True)
    for dist in visible.values():
        folder = os.path.join(site, f"{dist.name.replace('-', '_')}-{dist.version}.dist-info")
        os.makedirs(folder)
        files = {"METADATA": next((name for name in ("METADATA", "PKG-INFO") if os.path.exists(os.path.join(dist.path, name))), "")}
        files.update({name: name for name in ("INSTALLER", "direct_url.json") if os.path.exists(os.path.join(dist.path, name))})
        for name, origin in files.items():
            os.symlink(os.path.join(dist.path, origin).rstrip("/"), os.path.join(folder, name))
        with open(os.path.join(folder, "RECORD"), "w", encoding="utf-8") as record:
            record.writelines(f"{os.path.basename(folder)}/{name},,\n" for name in [*files, LENT, "RECORD"])
        with open(os.path.join(folder, LENT), "w", encoding="utf-8"):
            pass


def take_back(stage, site):
    """Remove what was lent, and uv's own files in its prefix."""
    for entry in os.listdir(site):
        if os.path.exists(os.path.join(site, entry, LENT)):
            shutil.rmtree(os.path.join(site, entry))
    for entry in os.listdir(stage):
        if not os.path.isdir(os.path.join(stage, entry)):
            os.remove(os.path.join(stage, entry))


def note_hashes(site):
    """What pip writes down of an archive in the file system, and uv does not: by its hash a later look tells whether it is still the same."""
    for dist in dists_in(site).values():
        record = dist.direct_url or {}
        path = plain(record.get("url", "")).partition("file://")[2]
        if "archive_info" not in record or archive_hashes(record).get("sha256") or not os.path.isfile(path):
            continue
        record["archive_info"] = {"hashes": {"sha256": sha256_of(path)}}
        rewrite(os.path.join(dist.path, "direct_url.json"), json.dumps(record))
        listing = os.path.join(dist.path, "RECORD")
        with open(listing, encoding="utf-8") as file:
            rewrite(listing, re.sub(r"(?m)^(.*/direct_url\.json),.*$", r"\1,,", file.read()))


def rewrite(path, text):
    """As a new file: what is there may be a link into uv's cache."""
    with open(path + ".new", "w", encoding="utf-8", newline="") as file:
        file.write(text)
    os.replace(path + ".new", path)


class Foretold:
    """A distribution that uv said it would install: it tells the name and the version only."""

    direct_url: dict = {}
    requires: tuple = ()
    broken = False

    def __init__(self, name, version):
        self.name, self.version = canonical(name), version


def foretold(err):
    found = [Foretold(*match) for match in re.findall(r"^ [+~] (\S+?)==(\S+)", err, re.MULTILINE)]
    return {dist.name: dist for dist in found}
