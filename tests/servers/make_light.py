"""Make mlenv-test:light of mlenv-test:minimal: half as large, without what no test on a server looks at; and its archive, build/light.tar.

Servers get their labs' image over SSH. Digested, sent and loaded again and again, the whole one would take minutes of a run of all scenarios.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
import subprocess
import tarfile

FULL, LIGHT, LABEL = "mlenv-test:minimal", "mlenv-test:light", "mlenv-test.made-from"
ARCHIVE = pathlib.Path(__file__).resolve().parents[2] / "build/light.tar"
REMOVE = """
cd /usr/local/lib/python3.*/dist-packages
rm -rf aiohttp alembic debugpy sqlalchemy jedi/third_party/typeshed/stubs jupyterlab/galata nbclassic/static notebook/static /usr/local/share/jupyterhub/static
rm -rf /usr/lib/git-core /usr/share/perl /usr/lib/*/perl /usr/lib/*/gconv /usr/share/doc /usr/share/man /usr/share/locale
find babel/locale-data -type f ! -name 'en*' ! -name 'root*' -delete
find /usr/local -name '*.map' -delete
"""


def docker(*argv: str, **options) -> str:
    return subprocess.run(["docker", *argv], check=True, stdout=subprocess.PIPE, text=True, **options).stdout.strip()


def inspect(image: str) -> dict:
    found = subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True, text=True)
    return json.loads(found.stdout)[0] if found.returncode == 0 else {}


def instructions(config: dict) -> list:
    """What the image's configuration is in a Dockerfile."""
    pairs = [("ENV", *entry.split("=", 1)) for entry in config["Env"]] + [("LABEL", *pair) for pair in config["Labels"].items()]
    return [
        *(f"{word} {name}={json.dumps(value)}" for word, name, value in pairs),
        *(f"EXPOSE {port}" for port in config["ExposedPorts"]),
        f"ENTRYPOINT {json.dumps(config['Entrypoint'])}",
        f"CMD {json.dumps(config['Cmd'])}",
        f"USER {config['User']}",
        f"WORKDIR {config['WorkingDir']}",
        f"HEALTHCHECK CMD {config['Healthcheck']['Test'][1]}",
    ]


def make() -> None:
    full = inspect(FULL)
    made_from = f"{full['Id']}-{hashlib.sha256(REMOVE.encode()).hexdigest()[:12]}"
    if (inspect(LIGHT).get("Config", {}).get("Labels") or {}).get(LABEL) == made_from:
        return
    container = docker("create", "--user", "root", "--entrypoint", "sh", FULL, "-ec", REMOVE)
    try:
        docker("start", "--attach", container)
        changes = [f"--change={line}" for line in [*instructions(full["Config"]), f"LABEL {LABEL}={made_from}"]]
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
            docker("import", *changes, "-", LIGHT, stdin=export.stdout)
    finally:
        docker("rm", container)


def archived() -> str:
    """Digest of the image in the archive."""
    if not ARCHIVE.exists():
        return ""
    with tarfile.open(ARCHIVE) as archive:
        return re.search("[0-9a-f]{64}", json.load(archive.extractfile("manifest.json"))[0]["Config"])[0]


def main() -> None:
    make()
    if archived() != inspect(LIGHT)["Id"].removeprefix("sha256:"):
        ARCHIVE.parent.mkdir(exist_ok=True)
        docker("save", "--output", str(ARCHIVE), LIGHT)  # which gives it its name when it is whole


if __name__ == "__main__":
    main()
