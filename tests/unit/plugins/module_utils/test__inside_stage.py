# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The swap, killed before and after every single rename: the next one completes it."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_installed, _inside_stage
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import Place, dists_in
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_stage import Base, Trouble, files_of
from ansible_collections.mlenv.jupyter.tests.integration.targets.container_pip.files import wheelhouse


class Killed(BaseException):
    """No `except OSError` and no clean-up of ours sees a SIGKILL; this comes as near to it as a test can."""


@pytest.fixture(name="base")
def fixture_base(tmp_path, monkeypatch):
    """A user base with tw-files 1.0 in it, and 2.0 in its stage."""
    monkeypatch.setattr(_inside_installed.site, "getuserbase", lambda: str(tmp_path))
    monkeypatch.setattr(_inside_installed.site, "getusersitepackages", lambda: str(tmp_path / "lib" / "site-packages"))
    base = Base(Place())
    unpack("1.0", base.site, tmp_path)
    with base.locked(1):
        pass
    unpack("2.0", base.site_in(base.stage), tmp_path)
    return base


def unpack(version, folder, tmp_path):
    import zipfile

    wheel = next(wheel for wheel in wheelhouse.WHEELS if (wheel.name, wheel.version) == ("tw-files", version))
    with zipfile.ZipFile(wheel.write(tmp_path)) as archive:
        archive.extractall(folder)


def contents(base):
    paths = [path for dist in dists_in(base.site).values() for path in files_of(dist, base.path)]
    return {os.path.relpath(path, base.site): pathlib.Path(path).read_text(encoding="utf-8") for path in paths}


def strays(base):
    """Files in the site that no distribution has."""
    known = {os.path.join(base.site, name) for name in contents(base)}
    return [path for folder, _folders, names in os.walk(base.site) for path in (os.path.join(folder, name) for name in names) if path not in known]


def renames(base, monkeypatch, stop_at):
    """Let the rename number stop_at (0 is the first one) be the last thing that happens."""
    count = iter(range(1000))
    true_rename, true_replace = os.rename, os.replace

    def rename(source, target, true=true_rename):
        if next(count) == stop_at:
            raise Killed
        true(source, target)

    monkeypatch.setattr(_inside_stage.os, "rename", rename)
    monkeypatch.setattr(_inside_stage.os, "replace", lambda source, target: rename(source, target, true_replace))
    return count


def test_swap(base):
    base.swap([dists_in(base.site)["tw-files"]])
    assert {name: dist.version for name, dist in dists_in(base.site).items()} == {"tw-files": "2.0"}
    assert "tw_files_data/new.txt" in contents(base)
    assert not strays(base)


@pytest.mark.parametrize("stop_at", range(17))
def test_killed_at_every_rename(base, monkeypatch, stop_at):
    old = dists_in(base.site)["tw-files"]
    with monkeypatch.context() as context:
        count = renames(base, context, stop_at)
        try:
            base.swap([old])
            assert next(count) <= stop_at, "more renames than this test knows of"
        except Killed:
            pass
    with base.locked(1):
        versions = {name: dist.version for name, dist in dists_in(base.site).items()}
    # Before the journal was there, nothing had happened; from then on, the new version it is.
    assert versions == {"tw-files": "1.0" if stop_at == 0 else "2.0"}
    assert ("tw_files_data/new.txt" in contents(base)) == (stop_at > 0)
    assert not strays(base)
    assert not os.path.exists(base.stage)


@pytest.mark.parametrize("stop_at", range(2, 13))
def test_a_rename_that_fails_takes_the_others_back(base, monkeypatch, stop_at):
    before = contents(base)
    old = dists_in(base.site)["tw-files"]
    with monkeypatch.context() as context:
        done = iter(range(1000))
        true_rename = os.rename

        def rename(source, target):
            if next(done) == stop_at:
                raise OSError(28, "No space left on device", source)
            true_rename(source, target)

        context.setattr(_inside_stage.os, "rename", rename)
        try:
            base.swap([old])
        except OSError as error:
            assert error.errno == 28
            assert contents(base) == before
        else:
            assert next(done) <= stop_at
    assert not os.path.exists(base.journal)


def test_a_package_without_a_list_of_its_files_is_refused(base):
    os.remove(os.path.join(base.site, "tw_files-1.0.dist-info", "RECORD"))
    with pytest.raises(Trouble, match="has no list of its files"):
        base.swap([dists_in(base.site)["tw-files"]])
    assert {name: dist.version for name, dist in dists_in(base.site).items()} == {"tw-files": "1.0"}


def test_no_file_outside_of_the_base_is_ever_touched(base, tmp_path):
    with open(os.path.join(base.site, "tw_files-1.0.dist-info", "RECORD"), "a", encoding="utf-8") as record:
        record.write("/etc/passwd,,\n../../../../../../../../etc/hostname,,\n")
    assert not [path for path in files_of(dists_in(base.site)["tw-files"], base.path) if not path.startswith(str(tmp_path))]
