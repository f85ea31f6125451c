"""Lay out DEST so that Ansible finds this checkout and the collections it depends on.

The dependencies are taken from the ``ansible`` wheel of the Python package index: it carries them
all, every company that mirrors Python packages mirrors it, and only the few that we use are unpacked
(a full set makes every Ansible start slower).

Usage: python link_collections.py DEST [ANSIBLE_VERSION]
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import zipfile

DEFAULT_ANSIBLE = "14.5.0"  # community.docker 5.4.0; 12.3.0 has 4.8.5, the other end that we support
WANTED = ("community/crypto", "community/docker", "community/library_inventory_filtering_v1")


def unpack(version: str, root: pathlib.Path) -> None:
    """Unpack the collections in WANTED from the ansible wheel of that version into root."""
    marker = root / f".from-ansible-{version}"
    if marker.exists() and marker.read_text(encoding="ascii").split() == list(WANTED):
        return
    with tempfile.TemporaryDirectory() as tmp:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        # The wheel is only unpacked, never run: whether this Python could run it does not matter.
        command += ["--python-version=3.13", f"--dest={tmp}", f"ansible=={version}"]
        subprocess.run(command, check=True)
        wheel = next(pathlib.Path(tmp).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            prefixes = tuple(f"ansible_collections/{name}/" for name in WANTED)
            names = [name for name in archive.namelist() if name.startswith(prefixes)]
            archive.extractall(root.parent, names)
    for old in root.glob(".from-ansible-*"):
        old.unlink()
    marker.write_text("\n".join(WANTED), encoding="ascii")


def main() -> None:
    dest = pathlib.Path(sys.argv[1])
    root = dest / "ansible_collections"
    link = root / "mlenv" / "jupyter"
    link.parent.mkdir(parents=True, exist_ok=True)
    checkout = pathlib.Path(__file__).resolve().parent.parent
    if not link.is_symlink():
        link.symlink_to(checkout, target_is_directory=True)
    unpack(sys.argv[2] if len(sys.argv) > 2 else DEFAULT_ANSIBLE, root)


if __name__ == "__main__":
    main()
