# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a directory of small wheels and source distributions, so that tests need no network.

Usage: python wheelhouse.py DIRECTORY
"""

from __future__ import annotations

import base64
import hashlib
import io
import pathlib
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field


@dataclass
class Wheel:
    name: str
    version: str
    requires: tuple = ()
    extras: tuple = ()
    python: str = ">=3.8"
    files: dict = field(default_factory=dict)
    package: bool = False  # a directory, not a module

    @property
    def stem(self) -> str:
        return f"{self.name.replace('-', '_').replace('.', '_')}-{self.version}"

    def metadata(self) -> str:
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}", f"Requires-Python: {self.python}"]
        lines += [f"Provides-Extra: {extra}" for extra in self.extras]
        return "\n".join(lines + [f"Requires-Dist: {text}" for text in self.requires]) + "\n"

    def write(self, folder: pathlib.Path) -> pathlib.Path:
        module = self.stem.partition("-")[0].lower()
        code = f"{module}/__init__.py" if self.package else f"{module}.py"
        files = {
            code: f'VERSION = "{self.version}"\n\n\ndef main():\n    print(VERSION)\n',
            **self.files,
            f"{self.stem}.dist-info/METADATA": self.metadata(),
            f"{self.stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: wheelhouse\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{self.stem}.dist-info/entry_points.txt": f"[console_scripts]\n{self.name.lower()} = {module}:main\n",
        }
        record = f"{self.stem}.dist-info/RECORD"
        files[record] = "".join(f"{name},{digest(text)},{len(text.encode())}\n" for name, text in files.items()) + f"{record},,\n"
        path = folder / f"{self.stem}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
        return path


def digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


WHEELS = [
    Wheel("tw-a", "1.0"),
    Wheel("tw-a", "1.1"),
    Wheel("tw-a", "2.0", requires=("tw-b",)),
    Wheel("tw-a", "3.0rc1"),
    Wheel("tw-b", "1.0"),
    Wheel("tw-b", "1.5"),
    Wheel("tw-extra", "1.0", requires=('tw-b; extra == "x"', 'tw-never; python_version < "3"'), extras=("x",)),
    Wheel("TW_Odd.Name", "0.1"),
    Wheel("tw-old-b", "1.0", requires=("tw-b<1.5",)),
    Wheel("tw-new-b", "1.0", requires=("tw-b>=1.5",)),
    Wheel("tw-spare", "1.0"),
    Wheel("tw-files", "1.0", files={"tw_files_data/old.txt": "old", "tw_files_data/both.txt": "1"}),
    Wheel("tw-files", "2.0", files={"tw_files_data/new.txt": "new", "tw_files_data/both.txt": "2"}),
    # A module that became a package: Python takes the directory before the module.
    Wheel("tw-twice", "1.0"),
    Wheel("tw-twice", "2.0", package=True),
    Wheel("tw-ns-a", "1.0", files={"tw_ns/a.py": "A = 1\n"}),
    Wheel("tw-ns-b", "1.0", files={"tw_ns/b.py": "B = 1\n"}),
    Wheel("tw-server", "1.0", files={"tw_server-1.0.data/data/etc/jupyter/jupyter_server_config.d/tw.json": "{}"}),
    Wheel("tw-future", "1.0", python=">=3.99"),
    Wheel("traitlets", "4.3.3"),
    Wheel("tw-old-traitlets", "1.0", requires=("traitlets<5",)),
    # Stand-ins for what an isolated environment is given to be a kernel: no notebook runs in it.
    Wheel("ipykernel", "1.0", requires=("tw-b",)),
    Wheel("pip", "99.0"),
]

# The body of build_wheel in a back end that the source itself brings: building asks no network, and fails as told.
SOURCES = {
    "tw-sdist": "return wheel(wheel_directory)",
    "tw-slow": "import time; time.sleep(600)",
    "tw-broken": "raise RuntimeError('this never builds')",
    "tw-compiled": "import sys; sys.exit(\"error: command 'gcc' failed: No such file or directory\")",
}
BACKEND = """\
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))


def wheel(folder):
    import wheelhouse
    return wheelhouse.Wheel({name!r}, "1.0").write(pathlib.Path(folder)).name


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    import wheelhouse
    one = wheelhouse.Wheel({name!r}, "1.0")
    folder = pathlib.Path(metadata_directory, one.stem + ".dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(one.metadata())
    return folder.name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    {body}
"""


def write_source(folder: pathlib.Path, name: str, body: str, needs: tuple = ()) -> pathlib.Path:
    stem = f"{name.replace('-', '_')}-1.0"
    files = {
        "PKG-INFO": Wheel(name, "1.0").metadata(),
        "pyproject.toml": f'[build-system]\nrequires = {list(needs)}\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND.format(name=name, body=body),
        "wheelhouse.py": pathlib.Path(__file__).read_text(encoding="utf-8"),
    }
    path = folder / f"{stem}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{stem}/{file}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in WHEELS:
        wheel.write(folder)
    for name, body in SOURCES.items():
        write_source(folder, name, body)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
