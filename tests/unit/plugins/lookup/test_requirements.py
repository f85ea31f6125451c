# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements files of the controller."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.mlenv.jupyter.plugins.lookup.requirements import LookupModule


@pytest.fixture(name="loader")
def fixture_loader():
    return DataLoader()


@pytest.fixture(name="read")
def fixture_read(loader):
    plugin = LookupModule(loader=loader)
    return lambda path="", **options: plugin.run([str(path)], **options)[0]


def test_no_file_is_no_text(read):
    assert read() == {"requirements": "", "constraints": "", "wrong": ""}


def test_files_with_the_files_that_they_name(read, tmp_path):
    (tmp_path / "r.txt").write_bytes("a # \u00e4\r\n-c c.txt\r\nb\r\n".encode("utf-16"))
    (tmp_path / "c.txt").write_bytes(b"# coding: latin-1\na<2 # \xe4\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("d\n")
    assert read(tmp_path / "r.txt") == {
        "requirements": f'a\n#line 1 "{tmp_path}/more.txt"\nd\n#line 3 "requirements"\nb\n',
        "constraints": f'#line 2 "{tmp_path}/c.txt"\na<2\n',
        "wrong": "",
    }
    assert read(constraints=str(tmp_path / "more.txt"))["constraints"] == "d\n"


def test_what_cannot_be_read_is_told_in_one_sentence(read, tmp_path):
    (tmp_path / "r.txt").write_text("a\n-r none.txt\n")
    wrong = f"The requirements file {tmp_path}/none.txt, which {tmp_path}/r.txt:2 names, cannot be read: there is no such file."
    assert read(tmp_path / "r.txt") == {"requirements": "", "constraints": "", "wrong": wrong}
    (tmp_path / "none.txt").write_bytes(b"\xff")
    assert "is not UTF-8 text (byte 0): save it as UTF-8" in read(tmp_path / "r.txt")["wrong"]


def test_an_encrypted_file_is_decrypted(read, loader, tmp_path):
    secrets = [("default", VaultSecret(b"pass"))]
    (tmp_path / "r.txt").write_bytes(VaultLib(secrets).encrypt("a # \u00e4\n", secrets[0][1]))
    assert "cannot be read" in read(tmp_path / "r.txt")["wrong"]
    loader.set_vault_secrets(secrets)
    assert read(tmp_path / "r.txt")["requirements"] == "a\n"
