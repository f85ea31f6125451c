# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts and terminals run is protected: here a hook of a package that prints a shell's code, as conda's does."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_starts as starts
from ansible_collections.mlenv.jupyter.tests.integration.targets.container_pip.files import wheelhouse
from packaging.specifiers import SpecifierSet

BASHRC = '# $(tw-comment)\nPS1="\\u$(whoami)"\neval "$(tw-hook shell)"\n'


@pytest.fixture(name="lab")
def fixture_lab(lab_at, tmp_path):
    """A lab whose image has tw-hook, which needs tw-frozen 2, and whose terminals run it."""
    lab = lab_at(tmp_path / "local")
    extra, programs = tmp_path / "extra", tmp_path / "bin"
    programs.mkdir()
    for name, version, more in (("tw_hook", "1.0", "Requires-Dist: tw-frozen>=2\n"), ("tw_frozen", "2.0", "")):
        (extra / f"{name}-{version}.dist-info").mkdir(parents=True)
        (extra / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}")
    (extra / "tw_hook-1.0.dist-info" / "entry_points.txt").write_text("[console_scripts]\ntw-hook = tw_hook:main\n")
    (extra / "tw_frozen.py").write_text("GOOD = True\n")
    (extra / "tw_hook.py").write_text("def main():\n    import tw_frozen\n    print('true', tw_frozen.GOOD)\n")
    # PYTHONPATH, where the image is here, goes before the user's own packages: in a container it is the other way round.
    first = "import site, sys\nsys.path.insert(0, site.getusersitepackages())"
    (programs / "tw-hook").write_text(f"#!{lab.python}\n{first}\nimport tw_hook\ntw_hook.main()\n")
    (programs / "tw-hook").chmod(0o755)
    (tmp_path / ".bashrc").write_text(BASHRC)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name, version, text in (
        ("tw-frozen", "1.0", "GOOD = True\n"),
        ("tw-frozen", "2.5", "GOOD = True\n"),
        ("tw-frozen", "2.7", "raise ImportError('frozen through')\n"),
        ("tw-iced", "1.0", ""),
    ):
        module = "tw_frozen.py"
        wheelhouse.Wheel(name, version, files={module: text}).write(wheels)
    lab.environment["PYTHONPATH"] = f"{extra}:{lab.environment['PYTHONPATH']}"
    lab.environment["PATH"] = f"{programs}:{lab.environment['PATH']}"
    lab.index = {"index_lines": ["--no-index", f"--find-links {wheels}"]}
    return lab


@pytest.mark.parametrize("name", ["tw-frozen==1.0", "tw-frozen<2", "tw-frozen~=1.0"])
def test_what_it_needs_is_refused_in_a_version_that_it_does_not_take(lab, name):
    found = lab.change(name, **lab.index)
    assert found == {
        "error": f"{name} conflicts with the image's own tw-frozen 2.0: tw-hook, which each start of the lab or each terminal runs, "
        "needs tw-frozen>=2; `protect_image: false` allows it"
    }


def test_what_it_takes_is_for_everybody_to_have(lab):
    found = lab.change("tw-frozen>2,<2.6", **lab.index)
    assert found["after"] == {"tw-frozen": "2.5"}
    assert lab.change("tw-frozen>2,<2.6", **lab.index)["installed"] == {}


@pytest.mark.parametrize(("name", "version"), [("tw-frozen", "2.7"), ("tw-iced", "1.0")])
def test_what_would_break_it_is_refused_whatever_its_version_says(lab, name, version):
    """Also a package of another name that brings the same module."""
    before = lab.files()
    found = lab.change(f"{name}=={version}", **lab.index)
    assert found["error"].startswith(f"{name} {version} would hide what the image has, and break what each start of the lab or each terminal runs ")
    assert "(tw-hook shell: " in found["error"]
    assert lab.files() == before


def test_somebody_may_want_it_so(lab):
    assert lab.change("tw-frozen==2.7", protect_image=False, **lab.index)["after"] == {"tw-frozen": "2.7"}
    # What is broken already is not the fault of what comes.
    lab.change("tw-iced==1.0", **lab.index)
    assert "tw-iced" in lab.packages


def test_check_mode_refuses_what_can_be_told_without_installing(lab):
    assert "needs tw-frozen>=2" in lab.change("tw-frozen==1.0", check=True, **lab.index)["error"]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("==1.2", ">=2.4.2", False),
        ("<2", ">=2.4.2", False),
        ("<2.5", ">=2.4.2", True),
        (">2.4.2", "<3", True),
        ("<2", "<3", True),
        ("~=1.2", ">=2", False),
        (">=1,<2", ">=2,<3", False),
        ("!=2.0", ">=2.0,<2.1", True),
        ("==2.*", ">=2.1", True),
        ("", ">=2", True),
        ("===weird", ">=2", False),
    ],
)
def test_specifiers_that_go_together(one, other, together):
    assert starts.go_together(SpecifierSet(one), SpecifierSet(other)) is together


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ('eval "$(conda shell.bash hook)"', {"conda"}),
        ("__conda_setup=\"$('/opt/conda/bin/conda' 'shell.bash' 'hook' 2> /dev/null)\"", {"conda"}),
        ("source <(kubectl completion bash)", {"kubectl"}),
        ("if [ -x x ]; then mamba shell hook; fi", {"mamba"}),
        ("test -e x && exec /opt/conda/bin/jupyter lab | tee x", {"jupyter", "tee"}),
        ("  echo conda", set()),
    ],
)
def test_programs_that_a_shell_script_runs(text, commands):
    names = {"conda", "mamba", "jupyter", "kubectl", "tee"}
    assert set(starts.COMMAND.findall(text)) & names == commands


def test_imports_of_programs_that_python_does_not_bring():
    programs = ["import os\nfrom jupyter_core.paths import x\nimport requests as r\n"]
    assert starts.imports_of(programs) - set(sys.builtin_module_names) >= {"jupyter_core", "requests"}
    assert "os" not in starts.imports_of(programs) or sys.version_info < (3, 10)
