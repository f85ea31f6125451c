# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of names and requirements files, against `packaging` and pip's own reader as the oracles."""

from __future__ import annotations

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_installed import canonical
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_wanted import requirement_of
from ansible_collections.mlenv.jupyter.plugins.module_utils._requirements import Lines, RequirementsError, decoded, joined, nested, read_text, split_names
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from pip._internal.network.session import PipSession
from pip._internal.req.req_file import parse_requirements as pip_reads
from pip._internal.req.req_file import preprocess

try:
    from pip._internal.req.req_file import _decode_req_file
except ImportError:  # before pip 25.0 it was another function, which took other encodings
    _decode_req_file = None

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}((a|b|rc)[0-9])?", fullmatch=True)
CLAUSES = st.builds("{}{}".format, st.sampled_from(["==", ">=", "<=", ">", "<", "!="]), VERSIONS)
SPECIFIERS = st.lists(CLAUSES, max_size=3).map(",".join)
EXTRAS = st.lists(NAMES, max_size=2).map(lambda extras: "[" + ",".join(extras) + "]" if extras else "")
MARKERS = st.sampled_from(["", '; python_version >= "3"', '; sys_platform == "linux" and extra == "x"'])
REQUIREMENTS = st.builds("{}{}{}{}".format, NAMES, EXTRAS, SPECIFIERS, MARKERS)


@given(st.lists(REQUIREMENTS, min_size=1, max_size=4))
def test_names_survive_commas(requirements):
    """One text, or the pieces that Ansible cuts it into, or a list: always the same requirements."""
    text = ",".join(requirements)
    assert split_names([text]) == requirements
    assert split_names(text.split(",")) == requirements
    assert split_names(requirements) == requirements


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["", " "], []),
        (["a", ""], ["a"]),
        (["a, ", " ", "b"], ["a", "b"]),
        (["a", "-e ."], ["a", "-e ."]),
        (["./a", "work/b", "c/d.whl"], ["./a", "work/b", "c/d.whl"]),
        (["a, b"], ["a", "b"]),
        (["a>=1", "<2"], ["a>=1,<2"]),
        (["a[x", "y]>=1", " <2", "b"], ["a[x,y]>=1, <2", "b"]),
        (["a @ https://example.com/a,b.whl"], ["a @ https://example.com/a,b.whl"]),
        (["./a-1-py3-none-any.whl,b"], ["./a-1-py3-none-any.whl", "b"]),
        (["git+https://example.com/r.git@main#egg=a"], ["git+https://example.com/r.git@main#egg=a"]),
        (["a (>=1,<2)"], ["a (>=1,<2)"]),
        (["# it's long, a<2", " b\nc<2,>1"], ["# it's long, a<2, b\nc<2,>1"]),  # a text, as Ansible has cut it
        (["# it's a list", "a<2"], ["# it's a list", "a<2"]),
        (["a; python_version in '3.7, 3.8, 3.9'", "b"], ["a; python_version in '3.7, 3.8, 3.9'", "b"]),
        (["a; python_version in '3.7", " 3.8", " 3.9'", "b"], ["a; python_version in '3.7, 3.8, 3.9'", "b"]),
    ],
)
def test_split_names(names, expected):
    assert split_names(names) == expected


TEXTS = st.lists(st.one_of(REQUIREMENTS, st.sampled_from(["# c", "a # c", "a \\", "\\", "", "  ", "a#b", "--pre", "  # c \\", "a \\ # c"])), max_size=8)


@given(TEXTS.map("\n".join))
@example("a \\\n# comment\nb")
@example("a \\")
def test_reads_lines_as_pip_does(text):
    assert [line for _where, line in read_text(text, "x")] == [line for _number, line in preprocess(text)]


@given(NAMES)
def test_canonical_name(name):
    from packaging.utils import canonicalize_name

    assert canonical(name) == canonicalize_name(name)


@given(REQUIREMENTS)
def test_options_behind_a_requirement_are_left_out(text):
    assert requirement_of(text + " --hash=sha256:00 --hash=sha256:11") == text
    try:
        Requirement(text)
    except InvalidRequirement:
        return
    assert requirement_of(text) == text


@pytest.mark.parametrize("line", ["--pre", "-i https://example.com", "--index-url=https://example.com"])
def test_options_alone_are_no_requirement(line):
    assert requirement_of(line) is None


def test_line_numbers():
    assert read_text("\n# c\na \\\n  ==1\nb\n", "f") == [["f:3", "a   ==1"], ["f:5", "b"]]


@pytest.mark.parametrize("option", ["-r more.txt", "-rmore.txt", "--requirement more.txt", "--requirement=more.txt"])
def test_nested_file(tmp_path, option):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "top.txt").write_text(f"a\n{option}\nb\n")
    (tmp_path / "sub" / "more.txt").write_text("c\n-c ../bounds.txt\n")
    (tmp_path / "bounds.txt").write_text("d<2\n-r deeper.txt\n")
    (tmp_path / "deeper.txt").write_text("e<3\n")
    lines = Lines()
    lines.add_file(str(tmp_path / "sub" / "top.txt"))
    told = list(pip_reads(str(tmp_path / "sub" / "top.txt"), PipSession()))
    assert [text for _where, text in lines.requirements] == [one.requirement for one in told if not one.constraint] == ["a", "c", "e<3", "b"]
    assert lines.constraints == [[f"{tmp_path}/bounds.txt:1", "d<2"]]


def test_a_file_on_the_web_is_left_to_pip():
    lines = Lines()
    lines.add_text("-r https://example.com/r.txt", "text")
    assert lines.requirements == [["text:1", "-r https://example.com/r.txt"]]


def test_a_text_has_no_directory():
    with pytest.raises(RequirementsError, match="^text:1: a text has no directory that r.txt could be relative to"):
        Lines().add_text("-r r.txt", "text")


@pytest.mark.parametrize("name", ["more files.txt", "'more files.txt'", '"more files.txt"'])
def test_a_nested_file_with_a_blank_in_its_name(tmp_path, name):
    (tmp_path / "more files.txt").write_text("a\n")
    (tmp_path / "top.txt").write_text(f"-r {name}\n")
    lines = Lines()
    lines.add_file(str(tmp_path / "top.txt"))
    assert [text for _where, text in lines.requirements] == ["a"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("a # \u00e4", "utf-8"),
        ("a # \u00e4", "utf-8-sig"),
        ("a # \u00e4\r\n", "utf-16"),
        ("# -*- coding: latin-1 -*-\na # \u00e4", "latin-1"),
        ("# ours\n# coding=cp1252\na # \u20ac", "cp1252"),
    ],
)
def test_encodings_that_pip_takes(tmp_path, text, encoding):
    (tmp_path / "r.txt").write_bytes(text.encode(encoding))
    lines = Lines()
    lines.add_file(str(tmp_path / "r.txt"))
    assert [line for _where, line in lines.requirements] == ["a"]


def test_an_encoding_that_nobody_knows(tmp_path):
    (tmp_path / "r.txt").write_text("# coding: nonsense\n")
    with pytest.raises(RequirementsError, match="cannot be read: unknown encoding: nonsense"):
        Lines().add_file(str(tmp_path / "r.txt"))


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "r.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(RequirementsError, match="not UTF-8 text"):
        Lines().add_file(str(tmp_path / "r.txt"))


@pytest.mark.parametrize(
    "line",
    [
        "-r more.txt",
        "-rmore.txt",
        "--requirem more.txt",
        "--requirem=more.txt",
        "-r 'more.txt'",
        '-r "more.txt"',
        "-r m\\ore.txt",
        "-r ./more.txt",
        "-r more.txt --pre",
        "--pre -r more.txt",
        "--index-url -r -r more.txt",
        "-c none.txt -r more.txt",
        "-r ${FOLDER}/more.txt",
        "-c more.txt",
        "-cmore.txt",
        "--cons more.txt",
        "--constraint=more.txt",
    ],
)
def test_a_nested_file_is_named_as_for_pip(tmp_path, monkeypatch, line):
    monkeypatch.setenv("FOLDER", str(tmp_path))
    (tmp_path / "more.txt").write_text("a\n")
    (tmp_path / "top.txt").write_text(line + "\n")
    lines = Lines()
    lines.add_file(str(tmp_path / "top.txt"))
    (told,) = pip_reads(str(tmp_path / "top.txt"), PipSession())
    assert (lines.constraints if told.constraint else lines.requirements) == [[f"{tmp_path}/more.txt:1", told.requirement]]
    assert len(lines.requirements + lines.constraints) == 1


@pytest.mark.parametrize("line", ["--require-hashes", "--pre", "-i https://example.com", "--index-url -rc", "-r 'open", "a -r b.txt", "-r", "--req x"])
def test_lines_that_name_no_other_file(line):
    assert nested(line)[0] == ""


def test_a_file_that_a_file_url_names(tmp_path):
    (tmp_path / "with blank.txt").write_text("a\n")
    lines = Lines()
    lines.add_text(f"-r file://{tmp_path}/with%20blank.txt", "text")
    assert lines.requirements == [[f"{tmp_path}/with blank.txt:1", "a"]]


def test_files_that_name_each_other(tmp_path):
    (tmp_path / "top.txt").write_text("a\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("\n-c top.txt\n")
    with pytest.raises(RequirementsError) as caught:
        Lines().add_file(str(tmp_path / "top.txt"))
    told = f"{tmp_path}/top.txt, which {tmp_path}/more.txt:2 names, names itself through {tmp_path}/more.txt: leave out one of these lines."
    assert str(caught.value) == f"The requirements file {told}"
    (tmp_path / "more.txt").write_text("-r more.txt\n")
    with pytest.raises(RequirementsError, match=r"more.txt:1 names, names itself: leave out"):
        Lines().add_file(str(tmp_path / "top.txt"))


def test_a_file_that_two_name_is_no_circle(tmp_path):
    (tmp_path / "top.txt").write_text("-r one.txt\n-r one.txt\n-c base.txt\n")
    (tmp_path / "one.txt").write_text("-c base.txt\n")
    (tmp_path / "base.txt").write_text("a<2\n")
    lines = Lines()
    lines.add_file(str(tmp_path / "top.txt"))
    assert len(lines.constraints) == 3


def test_lines_as_one_text_keep_their_origin(tmp_path):
    (tmp_path / "top.txt").write_text("# why\na\n-r sub/more.txt\nb \\\n  >1\n\n\nc\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.txt").write_text("d\n-c bounds.txt\n./e.zip\n")
    (tmp_path / "sub" / "bounds.txt").write_text("a<2\n")
    lines = Lines()
    lines.add_file(str(tmp_path / "top.txt"), name="requirements")
    text = joined(lines.requirements, "requirements")
    assert read_text(text, "requirements") == lines.requirements
    assert [where for where, _text in lines.requirements] == [
        *("requirements:2", f"{tmp_path}/sub/more.txt:1", f"{tmp_path}/sub/more.txt:3", "requirements:4", "requirements:8")
    ]
    assert read_text(joined(lines.constraints, "constraints"), "constraints") == lines.constraints == [[f"{tmp_path}/sub/bounds.txt:1", "a<2"]]
    assert joined([["requirements:1", "a"], ["requirements:2", "b"]], "requirements") == "a\nb\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_marks_of_encodings(encoding):
    assert decoded("\ufeffa # \u00e4\r\n".encode(encoding)) == "a # \u00e4\r\n"
    assert _decode_req_file is None or _decode_req_file("\ufeffa # \u00e4\r\n".encode(encoding), "x") == "a # \u00e4\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf# first\n# coding: latin-1\na # \xc3\xa4\n",  # the mark is stronger
        b"a # coding: latin-1, as is said here\n",
        b"# coding: latin-1\r\na # \xe4\r\n",
        b"\n# vim: set fileencoding=latin-1\na # \xe4\n",
        b"# one\n# two\n# coding: nonsense\na\n",
    ],
)
@pytest.mark.skipif(_decode_req_file is None, reason="an older pip reads encodings in another way")
def test_encodings_are_those_of_pip(content):
    assert decoded(content) == _decode_req_file(content, "x")
