# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a Python environment, run for real by this Python against a user site that each test makes."""

from __future__ import annotations

import hashlib
import sys

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils._probe import parse_probe, probe_command


def look(base, *names, text="", constraints="", **env):
    argv, stdin = probe_command(list(names), text, constraints)
    return parse_probe(base.run(argv, stdin, **env))


def test_reports_the_interpreter_and_its_packages(base):
    base.add("Cow_Say", "6.1")
    found = look(base)
    assert found["python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert found["user_site"] == str(base.site)
    assert found["user_packages"] == {"cow-say": "6.1"}
    assert "cow-say" not in found["image_packages"]
    assert "pytest" in found["image_packages"]
    assert found["satisfied"]


@pytest.mark.parametrize(
    ("requirement", "holds"),
    [
        ("a", True),
        ("A", True),
        ("a==1.0", True),
        ("a>=1,<2", True),
        ("a==2", False),
        ("a>1", False),
        ("a~=1.0", True),
        ("a!=1.0", False),
        ("a===1.0", True),
        ("zope.thing", True),
        ("Zope_Thing>=2", True),
        ("pre>=0.5", True),
        ("absent", False),
        ('absent; python_version < "3"', True),
        ('a==2; python_version < "3"', True),
        ('a==2; python_version >= "3"', False),
        ("a[x]", False),
        ("a[y]", True),
        ("a[Y]", True),
        ("a[unknown]", True),
        ("needy", False),
        ("broken", False),
        ("circle", True),
    ],
)
def test_requirement(base, requirement, holds):
    base.add("a", "1.0", ['b; extra == "x"', 'zope.thing; extra == "y"'], extras=["x", "y"])
    base.add("zope.thing", "2.0")
    base.add("pre", "1.0rc1")
    base.add("needy", "1", ["a>=1", "b"])
    base.add("broken", "1", ["a>=2"])
    base.add("circle", "1", ["round"])
    base.add("round", "1", ["circle"])
    found = look(base, requirement)
    assert found["satisfied"] is holds, found
    assert bool(found["missing"]) is not holds


def test_says_who_needs_what_is_missing(base):
    base.add("needy", "1", ["b>=2"])
    assert look(base, "needy")["missing"] == ["b>=2 (needed by needy)"]


def test_constraints_bind_dependencies_as_well(base):
    base.add("needy", "1", ["b"])
    base.add("b", "1")
    assert look(base, "needy", constraints="b<2")["satisfied"]
    assert look(base, "needy", constraints="b>1")["missing"] == ["b (needed by needy)"]
    assert look(base, "needy", constraints="unrelated>1")["satisfied"]


def test_constraints_of_the_environment_count(base, tmp_path):
    base.add("b", "1")
    (tmp_path / "c.txt").write_text("# ours\nb>1\n")
    assert not look(base, "b", PIP_CONSTRAINT=str(tmp_path / "c.txt"))["satisfied"]
    (tmp_path / "pip.conf").write_text(f"[install]\nconstraint = {tmp_path}/c.txt\n")
    assert not look(base, "b", PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))["satisfied"]
    # Read as pip reads it; what pip itself cannot read is for pip to complain of, when it is asked.
    (tmp_path / "c.txt").write_text("\ufeffb==1 \\\n  --hash=sha256:00\n", encoding="utf-8")
    assert look(base, "b", PIP_CONSTRAINT=str(tmp_path / "c.txt"))["satisfied"]
    (tmp_path / "c.txt").write_text("b is what?\n")
    found = look(base, "b", PIP_CONSTRAINT=str(tmp_path / "c.txt"))
    assert (found["malformed"], found["satisfied"]) == ([], False)
    (tmp_path / "pip.conf").write_text("constraint")
    assert look(base, "b", PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))["satisfied"]


def test_requirements_text(base):
    base.add("a", "1.0")
    text = "# comment\n--index-url https://example.com/simple\na==1.0 \\\n  --hash=sha256:00 # why\n\nabsent==1 # not there\n"
    found = look(base, text=text)
    assert found["missing"] == ["absent==1"]
    assert not found["undecided"]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("foo bar", 5),
        ("foo>=", 0),
        ("foo[", 5),
        ("==1", 1),
        ("http://[foo/a.whl", 0),
        ("~/a.whl", 0),
        ("a @ http://[foo/a.whl", 0),
        ("./a.whl ; python_verson > '3'", 0),
    ],
)
def test_malformed_requirement_is_named_with_line_and_column(base, text, column):
    (malformed,) = look(base, text="# first\n" + text)["malformed"]
    assert malformed["where"] == "requirements:2"
    assert malformed["text"] == text
    assert malformed["why"]
    if column:
        assert malformed["column"] == column


@pytest.mark.parametrize("line", ["-e .", "-e/src", "--editable=git+https://example.com/r.git#egg=a"])
def test_an_editable_installation_is_refused(base, line):
    (malformed,) = look(base, text=line)["malformed"]
    assert (malformed["text"], malformed["where"]) == (line, "requirements:1")
    assert malformed["why"].endswith("name it without -e")


def test_a_need_that_follows_no_rule_is_one_for_any_version(base):
    base.add("old", "1", ["a (>=1.0.*)", 'b (>dev); extra == "x"', 'c (>dev); python_version < "3"'], extras=["x"])
    assert look(base, "old")["missing"] == ["a (needed by old)"]
    base.add("a", "0.1")
    assert look(base, "old")["satisfied"]
    assert look(base, "old[x]")["missing"] == ["b (needed by old)"]


def test_a_marker_that_means_nothing_here(base):
    (malformed,) = look(base, "a; os_name ~= 'posix'")["malformed"]
    assert malformed["why"].startswith("its marker means nothing here: ")
    base.add("a", "1", ["b; os_name ~= 'posix'"])
    assert look(base, "a")["missing"] == ["b (needed by a)"]


GIT = {"url": "https://example.com/r.git", "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": "c0ffee"}}


@pytest.mark.parametrize(
    ("reference", "record", "holds"),
    [
        ("a @ https://example.com/a-1.0-py3-none-any.whl", {"url": "https://example.com/a-1.0-py3-none-any.whl", "archive_info": {}}, True),
        ("a @ https://me:secret@example.com/a.whl", {"url": "https://example.com/a.whl", "archive_info": {}}, True),
        ("a @ https://example.com/other.whl", {"url": "https://example.com/a.whl", "archive_info": {}}, False),
        ("a @ https://example.com/a.whl", None, False),
        ("a @ https://example.com/a.whl#sha256=1", {"url": "https://example.com/a.whl", "archive_info": {"hash": "sha256=1"}}, True),
        ("a @ https://example.com/a.whl#sha256=2", {"url": "https://example.com/a.whl", "archive_info": {"hash": "sha256=1"}}, False),
        ("a @ git+https://example.com/r.git@main", GIT, True),
        ("a @ git+https://example.com/r.git@c0ffee", GIT, True),
        ("a @ git+https://example.com/r.git@v2", GIT, False),
        ("a @ git+https://example.com/r.git@fix/that", {**GIT, "vcs_info": {**GIT["vcs_info"], "requested_revision": "fix/that"}}, True),
        ("a @ git+https://example.com/r.git@main#subdirectory=s", GIT, False),
        ("a @ git+https://example.com/r.git@main#egg=a", GIT, True),
        ("git+https://example.com/r.git@main", GIT, True),
        ("git+https://example.com/r.git@main#egg=a", GIT, True),
        ("git+ssh://git@example.com/r.git", {**GIT, "url": "ssh://git@example.com/r.git", "vcs_info": {"vcs": "git"}}, True),
        ("git+https://example.com/none.git", GIT, False),
        ("/no/such/a-1.0-py3-none-any.whl", {"url": "file:///no/such/a-1.0-py3-none-any.whl", "archive_info": {}}, True),
        ("git+https://example.com/none.git; python_version < '3'", None, True),
        ("git+https://example.com/none.git ;python_version < '3'", None, True),
        ("./a-1.0-py3-none-any.whl;python_version<'3'", None, True),
        ("no/such/a", None, False),
        ("/no/such/a-1.0-py3-none-any.whl[x]", {"url": "file:///no/such/a-1.0-py3-none-any.whl", "archive_info": {}}, False),
    ],
)
def test_direct_reference(base, reference, record, holds):
    base.add("a", "1.0", ['b; extra == "x"'], direct_url=record)
    assert look(base, reference)["satisfied"] is holds


def test_a_local_file_that_changed_is_missing(base, tmp_path):
    wheel = tmp_path / "a-1.0-py3-none-any.whl"
    wheel.write_bytes(b"first")
    digest = hashlib.sha256(b"first").hexdigest()
    base.add("a", "1.0", direct_url={"url": wheel.as_uri(), "archive_info": {"hashes": {"sha256": digest}}})
    assert look(base, str(wheel))["satisfied"]
    wheel.write_bytes(b"second")
    assert look(base, str(wheel))["missing"] == [str(wheel)]


def test_leftovers_of_pip_are_no_packages(base):
    base.add("a", "1.0").rename(base.site / "~a-1.0.dist-info")
    assert look(base, "a")["missing"] == ["a"]


def test_old_egg_info_is_read(base):
    folder = base.site / "old_style-0.5-py3.9.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Name: old-style\nVersion: 0.5\n")
    (folder / "requires.txt").write_text('b\n\n[x]\nc\n\n[:python_version < "3"]\nd\n')
    base.add("b", "1")
    assert look(base, "old-style==0.5")["satisfied"]
    assert look(base, "old-style[x]")["missing"] == ["c (needed by old-style)"]


def test_dashes_in_the_name_of_a_metadata_directory(base):
    base.add("a-b-c", "1.0").rename(base.site / "a-b-c-1.0.dist-info")
    assert look(base, "a-b-c==1.0")["satisfied"]
    assert look(base)["user_packages"] == {"a-b-c": "1.0"}


def test_the_working_directory_is_not_imported(base):
    (base.path / "json.py").write_text("raise SystemExit('imported from the working directory')")
    assert look(base)["satisfied"]


def test_three_hundred_packages_cost_little(base):
    for number in range(300):
        base.add(f"p{number}", "1.0", [f"p{number - 1}"] if number else [])
    assert look(base, "p299>=1")["satisfied"]


@pytest.mark.parametrize("answer", ["", "Traceback", "noise\nmore"])
def test_no_answer(answer):
    with pytest.raises(ValueError, match="no answer"):
        parse_probe(answer)


def test_noise_before_the_answer():
    assert parse_probe('hello from sitecustomize\n{"satisfied": true}\n') == {"satisfied": True}
