# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that a container finds when it starts."""

from __future__ import annotations

import io
import tarfile

from ansible_collections.mlenv.jupyter.plugins.module_utils._directories import bring_directories

PARAMS = {
    **{"docker_cli": "docker", "docker_host": None, "cli_context": None, "validate_certs": False, "ca_path": None, "client_cert": None},
    **{"client_key": None, "container": "", "image": "image", "volumes": [], "directories": [], "skeleton": "", "owner": 4711, "group": 4712, "userns": ""},
}


class Engine:
    """Notes what it is asked, and answers what it is told to."""

    def __init__(self, rc=0, out="", err=""):
        self.answer, self.calls = (rc, out, err), []

    def __call__(self, argv, data=None, **_options):
        self.calls.append((argv, data))
        return self.answer


def bring(engine, check_mode=False, **params):
    return bring_directories({**PARAMS, **params}, engine, check_mode)


def test_in_a_container():
    engine = Engine()
    assert not bring(engine, container="lab", directories=["/home/jovyan/.cache", "/home/jovyan/.cache/ü"])["changed"]
    [(argv, data)] = engine.calls
    assert argv[1:] == ["cp", "-", "lab:/"]
    with tarfile.open(fileobj=io.BytesIO(data.encode("utf-8", "surrogateescape"))) as archive:
        entries = archive.getmembers()
    # None above the first: those are the image's.
    assert [(entry.name, entry.isdir(), entry.mode, entry.uid, entry.gid) for entry in entries] == [
        (path, True, 0o755, 4711, 4712) for path in ("home/jovyan/.cache", "home/jovyan/.cache/ü")
    ]


def test_a_link_of_the_image_stays():
    assert "msg" not in bring(Engine(1, err='cannot overwrite non-directory "/home/jovyan/.cache" with directory'), container="lab", directories=["/x"])
    assert "no space" in bring(Engine(1, err="Error: no space left on device"), container="lab", directories=["/x"])["msg"]


def test_on_volumes():
    """Each volume by itself, or the engine would make the place of one on the other."""
    engine = Engine(out="mkdir: created directory '/home/a/work'\n")
    volumes = ["/srv/data:/home/a/work/data", "/srv/work:/home/a/work", "/srv/home:/home/a", "/srv/x:/x"]
    done = bring(engine, volumes=volumes, directories=["/home/a/work", "/home/a/work/data", "/home/a/work/data/sub", "/elsewhere"])
    assert done["changed"]
    runs = [[word for word in argv if word.startswith(("--volume", "--user=", "/"))] for argv, _data in engine.calls]
    assert runs == [
        ["--user=4711:4712", "--volume=/srv/home:/home/a", "/home/a/work"],
        ["--user=4711:4712", "--volume=/srv/work:/home/a/work", "/home/a/work/data"],
        ["--user=4711:4712", "--volume=/srv/data:/home/a/work/data", "/home/a/work/data/sub"],
    ]


def test_what_the_user_may_not_make_is_left_to_the_engine():
    assert bring(Engine(1, err="Permission denied"), volumes=["/a:/a"], directories=["/a/b"]) == {"changed": False, "directories": []}
    assert "went wrong" in bring(Engine(125, err="it went wrong"), volumes=["/a:/a"], directories=["/a/b"])["msg"]


def test_nothing_is_done_in_check_mode():
    engine = Engine()
    assert not bring(engine, check_mode=True, volumes=["/a:/a"], directories=["/a/b"])["changed"]
    assert engine.calls == []


def test_files_of_the_images_home():
    engine = Engine()
    assert not bring(engine, skeleton="/private/skeleton")["changed"]
    [(argv, _data)] = engine.calls
    assert {"--volume=/private/skeleton:/skeleton", "--user=4711:4712", "--network=none", "--cap-drop=ALL"} < set(argv)
