# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of requirements, through our own reader and through the one of the real pip: both must mean the same, or refuse the line."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_reader
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_reader import EDITABLE, PipReader, is_known, read, read_line
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import Malformed, Wanted, expanded, load_packaging, plain, split_options

HASH = "--hash=sha256:" + "0" * 64

# What pip takes.
TAKEN = [
    "a",
    "a==1.0",
    "a == 1.0",
    "a>=1,<2",
    "a >= 1 , < 2",
    "a (>=1,<2)",
    "a~=1.4.2",
    "a!=1.5",
    "a===1.0+local",
    "a===weird-version",
    "a==1!2.0",
    "a==1.*",
    "a==1.0+cu118",
    "a>=1.0.dev1",
    "A_b.C==1",
    "a[x]",
    "a[x,y]>=1",
    "a [ x , y ] >= 1",
    "a[]",
    "a;",
    "a==1 ;",
    "a==1; ",
    "a; python_version < '3'",
    "a;python_version<'3'",
    "a ;python_version>='3'",
    "a==1; python_version >= '3' and (sys_platform == 'linux' or os_name == 'nt')",
    "a; 'linux' in sys_platform",
    "a; extra == 'x'",
    "a; platform_machine in 'x86_64, aarch64'",
    "a; sys_platform not in 'win32, cygwin'",
    "a @ file:///w/a-1-py3-none-any.whl",
    "a@file:///w/a-1-py3-none-any.whl",
    "a @ file:///w/a-1-py3-none-any.whl; python_version < '3'",
    "a @ file:///w/a-1-py3-none-any.whl ;python_version < '3'",
    "a @ file:///w/a-1-py3-none-any.whl;python_version<'3'",
    "a @ file:///w/a-1-py3-none-any.whl;python_version>='3'",
    "a @ file:///w/a-1-py3-none-any.whl ; python_version >= '3'",
    "a @ file:///w/a-1-py3-none-any.whl;",
    "a[x] @ file:///w/a-1-py3-none-any.whl",
    "a @ https://example.com/a-1.tar.gz#sha256=" + "0" * 64,
    "a @ https://example.com/a-1.zip#egg=a&subdirectory=s",
    "a @ https://me:secret@example.com/a-1.whl",
    "a @ git+https://example.com/r.git@main#subdirectory=s",
    "file:///w/a-1-py3-none-any.whl",
    "file:///w/a-1-py3-none-any.whl; python_version < '3'",
    "file:///w/my%20wheels/a-1-py3-none-any.whl",
    "https://example.com/a_b-1.0-py3-none-any.whl",
    "https://example.com/a-1.0.tar.gz",
    "https://example.com/a-1.0.tar.gz#egg=a",
    "git+https://example.com/r.git",
    "git+https://example.com/r.git@v1#egg=a",
    "git+ssh://git@example.com/r.git#egg=a",
    "hg+https://example.com/r",
    "/w/a-1-py3-none-any.whl",
    "/w/a-1-py3-none-any.whl[x]",
    "/w/a-1-py3-none-any.whl;python_version<'3'",
    "/w/a-1-py3-none-any.whl ; python_version < '3'",
    "./here-1-py3-none-any.whl",
    "here-1-py3-none-any.whl",
    "./project",
    "./project[x]",
    "./project; python_version < '3'",
    "sub/a-1.tar.gz",
    "a==1 " + HASH,
    f"a==1 {HASH} --hash=sha512:{'1' * 128}",
    f"a==1; python_version>='3' {HASH}",
    f"a @ file:///w/a-1-py3-none-any.whl {HASH}",
    'a --config-settings "x=y"',
    "a --pre",
    "${ONE}==1",
    "a==${VERSION}",
    "a @ file:///w/${ONE}-1-py3-none-any.whl",
]

# Options alone.
OPTIONS = [
    "--pre",
    "--no-index",
    "--prefer-binary",
    "--require-hashes",
    "-i https://example.com/simple",
    "-ihttps://example.com/simple",
    "--index-url https://example.com/simple",
    "--index-url=https://example.com/simple",
    "--extra-index-url https://example.com/simple",
    "--find-links /wheels",
    "-f /wheels",
    "--trusted-host example.com",
    "--only-binary :all:",
    "--only-binary=:all:",
    "--no-binary a,b",
    "--index-url https://example.com/simple --pre",
]

# What pip refuses, and what must be in the sentence.
REFUSED = [
    ("a b", "Expected"),
    ("a=1", "= is not a valid operator. Did you mean == ?"),
    ("a=>1", "Expected"),
    ("a==", "Expected"),
    ("a>=", "Expected"),
    ("a[x", "Expected"),
    ("==1", "Expected"),
    ("a==1,,<2", "Expected"),
    ("a; python_verson > '3'", "Expected"),
    ("a; python_version", "Expected"),
    ("a @", "Expected"),
    ("a @ file:///w/a.whl; nonsense", "Expected"),
    ("no/such/directory", "looks like a path"),
    ("./no-such-directory", "looks like a path"),
    ("./empty", "not installable"),
    ("/w/a.whl", "filename"),
    ("https://[example.com/a-1.tar.gz", ""),
    ("a --nonsense", "no such option: --nonsense"),
    ("--nonsense", "no such option: --nonsense"),
    ("a --hash=md5:00", "--hash"),
    ("--index-url", "requires 1 argument"),
    ("a==1.0 'quoted", "Expected"),
    ("a>=2.0.dev-r1", "Expected"),
    ("-e", "requires 1 argument"),
]


@pytest.fixture(name="environment", autouse=True)
def fixture_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONE", "a")
    monkeypatch.setenv("VERSION", "1.5")
    for name in ("project", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "project" / "pyproject.toml").write_text("")
    for name in ("here-1-py3-none-any.whl",):
        (tmp_path / name).write_bytes(b"")
    packaging = load_packaging()
    return SimpleNamespace(wanted=lambda text: Wanted(packaging, text))


def meaning(one):
    if one is None:
        return None
    return (one.name, one.url and plain(one.url), str(one.specifier or ""), one.extras, str(one.marker or ""), one.applies())


@pytest.mark.parametrize("line", TAKEN + OPTIONS)
def test_both_readers_mean_the_same(environment, line):
    asked, its_own = PipReader().read(line, False)
    assert asked
    assert meaning(read_line(environment, line)) == meaning(its_own)
    assert (its_own is None) == (line in OPTIONS)


@pytest.mark.parametrize(("line", "words"), REFUSED)
def test_what_pip_refuses_is_refused_in_its_words(environment, line, words):
    with pytest.raises(Malformed):
        PipReader().read(line, False)
    if EDITABLE.match(line):
        return  # refused in our own words, whatever it names
    ((malformed,), _wanted) = (read(environment, [["r.txt:3", line]], pip=PipReader())[index] for index in (1, 0))
    assert malformed["where"] == "r.txt:3"
    assert malformed["text"] == (split_options(line)[0] or line)
    assert words in malformed["why"]
    assert "/proc/" not in malformed["why"]
    assert "\n" not in malformed["why"]


@pytest.mark.parametrize("line", [line for line, words in REFUSED if words not in ("no such option: --nonsense", "--hash", "requires 1 argument")])
def test_without_pip_ours_refuses_by_itself(environment, line):
    _wanted, malformed, _undecided = read(environment, [["r.txt:3", line]])
    assert malformed[0]["why"]


def test_pip_is_not_even_imported_for_what_is_plain(environment, monkeypatch):
    """To import it takes longer than all else."""
    for name in [name for name in sys.modules if name.startswith("pip._internal.req")]:
        monkeypatch.delitem(sys.modules, name)
    lines = [[f"r.txt:{number}", line] for number, line in enumerate(TAKEN + OPTIONS) if is_known(*split_options(expanded(line)))]
    assert len(lines) > 80
    wanted, malformed, undecided = read(environment, lines, pip=PipReader())
    assert (malformed, undecided) == ([], [])
    assert len(wanted) == len(lines) - len(OPTIONS) + 1
    assert not [name for name in sys.modules if name.startswith("pip._internal.req")]


def test_pip_has_the_last_word(environment, monkeypatch):
    """It may be older or newer than our rules."""
    reader = PipReader()
    newer = Wanted(load_packaging(), "a>=1")
    monkeypatch.setattr(reader, "read", lambda line, constraint: (True, newer))
    assert read_line(environment, "a is at least 1", pip=reader) is newer
    assert read_line(environment, "a; python_version < '3'", pip=reader, thorough=True) is newer
    assert read_line(environment, "a; python_version < '3'", pip=reader) is not newer
    assert read_line(environment, "a>2", pip=reader, thorough=True) is not newer


def test_an_old_pip_gives_no_reason(environment, monkeypatch):
    def refuse(_line, _constraint):
        raise Malformed(*_inside_reader.shortened("Invalid requirement: 'a b' (from line 1 of /x)", "a b"))

    reader = PipReader()
    monkeypatch.setattr(reader, "read", refuse)
    with pytest.raises(Malformed, match="Expected"):
        read_line(environment, "a b", pip=reader)
    with pytest.raises(Malformed, match="it is no requirement"):
        read_line(environment, "a --nonsense", pip=reader)


def test_a_pip_from_another_time_is_left_alone(environment, monkeypatch):
    def changed(*_values, **_names):
        raise TypeError("it takes other parameters")

    reader = PipReader()
    reader._loaded = (changed, changed, (ValueError,))
    assert read_line(environment, "a", pip=reader, thorough=True).name == "a"
    assert read_line(environment, "a --nonsense", pip=reader).name == "a"
    with pytest.raises(Malformed, match="Expected"):
        read_line(environment, "a b", pip=reader)
    monkeypatch.setitem(sys.modules, "pip._internal.exceptions", None)
    assert PipReader().read("a", False) == (False, None)


@pytest.mark.parametrize(
    ("line", "why"),
    [("a[x]<2", "Constraints cannot have extras"), ("https://example.com/a-1.tar.gz", "Unnamed requirements are not allowed as constraints")],
)
def test_what_cannot_be_a_constraint(environment, line, why):
    assert read(environment, [["c.txt:1", line]])[1] == []
    assert [one["why"] for one in read(environment, [["c.txt:1", line]], constraint=True)[1]] == [why]


def test_a_secret_variable_is_shown_by_its_name(environment, monkeypatch):
    monkeypatch.setenv("PASSWORD", "hunter2 x")
    wanted, (malformed,), _undecided = read(environment, [["r.txt:1", "a @ https://me:${ONE}@example.com/a.zip"], ["r.txt:2", "a==${PASSWORD}"]])
    assert wanted[0].shown == "a @ https://me:${ONE}@example.com/a.zip"
    assert malformed["text"] == "a==${PASSWORD}"
    assert "hunter2" not in malformed["why"]


@pytest.mark.parametrize("line", ["-r x.txt", "-rx.txt", "--requirement=x.txt", "--requirem x.txt", "-c x.txt", "-cx.txt", "--constraint x.txt"])
def test_other_files_are_for_pip_to_read(environment, line):
    assert read(environment, [["r.txt:1", line]]) == ([], [], [line])


def test_its_parts_are_those_that_the_container_gets():
    assert _inside_reader.PLAIN.fullmatch("a[x] >= 1, < 2")
    assert not _inside_reader.PLAIN.fullmatch("a; python_version < '3'")
