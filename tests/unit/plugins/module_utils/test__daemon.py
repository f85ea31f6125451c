# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Docker's daemon was told. What containers make of it is tested on a real one, in molecule/."""

from __future__ import annotations

import json
import os
import socket

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _daemon


def read(words, settings=None, path=_daemon.SETTINGS):
    files = {path: settings if isinstance(settings, str) else json.dumps(settings or {})}
    return _daemon.read_settings(["dockerd", *words], lambda asked: files.get(asked, ""))


@pytest.mark.parametrize(
    ("words", "settings", "found"),
    [
        ([], {}, {}),
        ([], "", {}),
        ([], "{,}", {}),
        ([], "[]", {}),
        # As Docker has it anyway, or what a lab overrides or lives with.
        ([], {"no-new-privileges": False, "iptables": True, "userland-proxy": True, "bridge": "", "default-ulimits": {}}, {}),
        (["-H", "fd://", "--containerd=/run/containerd/containerd.sock"], {"log-driver": "none", "icc": False, "ip": "127.0.0.1"}, {}),
        ([], {"userns-remap": "default"}, {"userns-remap": "default"}),
        (["--userns-remap=default"], {}, {"userns-remap": "default"}),
        (["--userns-remap", "default"], {}, {"userns-remap": "default"}),
        ([], {"no-new-privileges": True}, {"no-new-privileges": True}),
        (["--no-new-privileges", "--debug"], {}, {"no-new-privileges": True}),
        (["--no-new-privileges", "-H", "fd://"], {}, {"no-new-privileges": True}),
        (["--no-new-privileges=false"], {}, {}),
        ([], {"bridge": "none"}, {"bridge": "none"}),
        (["-b", "none"], {}, {"bridge": "none"}),
        (["--bridge=br0"], {}, {"bridge": "br0"}),
        (["--iptables=false"], {"userland-proxy": False}, {"iptables": False, "userland-proxy": False}),
        ([], {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 64, "Hard": 64}, "nproc": {"Soft": 4096}}}, {"low": ["nofile=64"]}),
        (["--default-ulimit", "nproc=20:40", "--default-ulimit=nofile=1024"], {}, {"low": ["nproc=20"]}),
        # No limit at all; and what is no limit.
        (["--default-ulimit=nofile=-1"], {"default-ulimits": {"core": {"Soft": 0}, "nproc": 5}}, {}),
    ],
)
def test_settings(words, settings, found):
    assert read(words, settings) == found


def test_settings_in_a_file_elsewhere():
    assert read(["--config-file", "/srv/daemon.json"], {"bridge": "none"}, "/srv/daemon.json") == {"bridge": "none"}
    assert read(["--config-file=/srv/daemon.json"], {"bridge": "none"}) == {}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["name=seccomp,profile=default"], {}),
        (["name=seccomp,profile=default", "name=userns"], {"userns": "on"}),
        (["name=rootless"], {"rootless": "on"}),
        (["name=no-new-privileges"], {"no-new-privileges": True}),
    ],
)
def test_what_the_engine_itself_tells(options, found):
    """Also of a daemon that is not to be seen from here."""
    assert _daemon.find_settings("tcp://127.0.0.1:2375", options) == found


def test_who_listens(tmp_path, monkeypatch):
    path = str(tmp_path / "docker.sock")
    assert _daemon.find_daemon(f"unix://{path}") == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        assert _daemon.find_daemon(f"unix://{path}") == 0  # no daemon of Docker's
        monkeypatch.setattr(_daemon, "_is_daemon", lambda pid: pid == os.getpid())
        assert _daemon.find_daemon(f"unix://{path}") == os.getpid()
