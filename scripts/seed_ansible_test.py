"""Let ansible-test make its virtual environments from the configured package index alone.

It bootstraps pip into each with a get-pip script from a host of its own, which a company's network seldom
lets through. It looks for that script in its cache first: put one there that uses uv, or ensurepip, a part of Python.

Usage: python seed_ansible_test.py
"""

from __future__ import annotations

import pathlib
import re
import sys
import sysconfig

GET_PIP = '''\
"""get-pip for ansible-test: the pip that it asked for, at once if uv can get it, else by the one that Python has."""
import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
names = [argument for argument in wanted if not argument.startswith("-")]
if subprocess.call([{uv!r}, "pip", "install", "--quiet", "--python", sys.executable, *names]) != 0:
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *wanted])
'''


def main() -> None:
    source = pathlib.Path(sysconfig.get_path("purelib"), "ansible_test/_internal/python_requirements.py")
    versions = set(re.findall(r"\bpip'?\s*[:=]\s*'([0-9.]+)'", source.read_text(encoding="utf-8")))
    if not versions:
        sys.exit(f"No pip version found in {source}: ansible-test has changed, and so must this script.")
    script = GET_PIP.format(uv=str(pathlib.Path(sys.executable).with_name("uv")))
    cache = pathlib.Path("~/.ansible/test/cache").expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    for version in versions:
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(script, encoding="utf-8")


if __name__ == "__main__":
    main()
