"""What must not be in this tree: other collections' private code, hosts and paths that are not everybody's."""

from __future__ import annotations

import ast
import re

import pytest
from checkout import ROOT, files

PLUGINS = files("plugins/*.py")
# In pieces, or this file would be what it looks for.
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "deb.debian" + ".org",
    "archive.ubuntu" + ".com",
    "registry.npmjs" + ".org",
    "conda.anaconda" + ".org",
]


def text(path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def imports(path) -> set[str]:
    """Every module that this file imports, in whatever place."""
    found = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", PLUGINS, ids=str)
def test_imports_nothing_of_another_collection(path):
    of_collections = {name for name in imports(path) if name.startswith("ansible_collections.")}
    assert {name for name in of_collections if not name.startswith("ansible_collections.mlenv.jupyter.")} == set()


@pytest.mark.parametrize("path", PLUGINS, ids=str)
def test_extends_no_documentation_of_another_collection(path):
    block = re.search(r"^extends_documentation_fragment:((?:\s*-\s*\S+|[ \t]*\S+)+)", text(path), re.MULTILINE)
    fragments = re.findall(r"[\w.]+\.[\w.]+", block[1]) if block else []
    assert [name for name in fragments if not name.startswith(("mlenv.jupyter.", "ansible.builtin."))] == []


@pytest.mark.parametrize("path", PLUGINS, ids=str)
def test_plugin_carries_the_licence_and_reads_on_python_3_9(path):
    source = text(path)
    assert "GNU General Public License v3.0+" in source
    assert "from __future__ import annotations" in source
    ast.parse(source, feature_version=(3, 9))


def test_names_no_package_registry():
    """A registry is the user's choice (a mirror, a proxy): pip, apt and npm know theirs."""
    named = [(str(path), host) for path in files() for host in REGISTRIES if host in text(path)]
    assert named == []


def test_names_no_path_of_this_checkout():
    here = re.compile(rf"(?<![\w.~-]){re.escape(str(ROOT))}(?=[/\s'\"]|$)", re.MULTILINE)
    assert [str(path) for path in files() if here.search(text(path))] == []


def test_every_part_is_documented():
    readme = text("README.md")
    roles = [path.name for path in ROOT.glob("roles/*")]
    modules = [path.stem for path in ROOT.glob("plugins/modules/*.py")]
    playbooks = [path.stem for path in ROOT.glob("playbooks/*.yml")]
    assert roles and modules and playbooks
    assert [name for name in [*roles, *modules, *playbooks] if not re.search(rf"\b{name}\b", readme)] == []
