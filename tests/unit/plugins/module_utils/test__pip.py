# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What container_pip reads from its parameters, and what it tells."""

from __future__ import annotations

import netrc
import os
import re
import sys
from urllib.parse import quote

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _inside_uv, _pip
from ansible_collections.mlenv.jupyter.plugins.module_utils._inside_install import without_credentials
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip import PipError
from ansible_collections.mlenv.jupyter.plugins.module_utils._pip_errors import explain, nearest


@pytest.mark.parametrize(
    ("executable", "python"),
    [
        (None, "python3"),
        ("pip", "python3"),
        ("pip3.11", "python3.11"),
        ("/opt/conda/bin/pip", "/opt/conda/bin/python3"),
        ("python3.12", "python3.12"),
        ("/usr/bin/python3", "/usr/bin/python3"),
    ],
)
def test_python_of_an_executable(executable, python):
    assert _pip.python_of(executable) == python


def test_version_goes_with_one_bare_name():
    assert _pip.names_with_version(["a"], "1.0") == ["a==1.0"]
    assert _pip.names_with_version(["a[x]"], "1.0") == ["a[x]==1.0"]
    assert _pip.names_with_version(["a,b"], None) == ["a", "b"]
    assert _pip.names_with_version(["a"], " >=1.0,<2") == ["a>=1.0,<2"]  # as ansible.builtin.pip takes it
    assert _pip.names_with_version(["a; python_version>='3'"], "1.0") == ["a==1.0; python_version>='3'"]
    for names in (["a", "b"], [], ["a>1"], ["https://example.com/a.whl"]):
        with pytest.raises(PipError, match="version"):
            _pip.names_with_version(names, "1.0")


@pytest.mark.parametrize("option", ["--target=/x", "-t", "--prefix", "-e", "--dry-run", "-t/tmp/x", "--targ", "-Ut", "--prefi=/x", "-e."])
def test_options_that_lead_astray(option):
    with pytest.raises(PipError, match=f"extra_args: {option} would lead"):
        _pip.extra_options(f"--pre {option} /y")


@pytest.mark.parametrize("options", ["--pre", "-q", "-i https://example.com", "-ftrue", "--upgrade-strategy=eager", "--root-user-action=ignore", "--no-deps"])
def test_options_that_lead_nowhere_else(options):
    wish = _pip.Wish(_pip.Lines(), pip_options=_pip.extra_options(options))
    assert not wish.pip_decides
    assert wish.request(True)["no_deps"] == (options == "--no-deps")


@pytest.mark.parametrize("option", ["-U", "--upgrade", "-Uq", "-qU", "-rfile", "--constrain=x", "--force", "-I"])
def test_options_that_act_in_any_case(option):
    assert _pip.Wish(_pip.Lines(), pip_options=_pip.extra_options(option)).pip_decides


@pytest.mark.parametrize(
    "option",
    [
        *("--index-url=https://me:pw@example.com/simple", "-i https://t0ken@example.com"),
        *("--proxy http://me:pw@example.com", "--proxy socks5://me:pw@example.com", "--proxy me:pw@example.com:3128"),
    ],
)
def test_credentials_in_extra_args(option):
    with pytest.raises(PipError, match="^extra_args has credentials that everybody") as error:
        _pip.extra_options(option)
    assert not {"pw", "t0ken"} & set(str(error.value).split())


def test_extra_args_that_cannot_be_read():
    with pytest.raises(PipError, match="cannot be taken apart"):
        _pip.extra_options("--pre 'unclosed")


def test_secrets_are_found_wherever_a_url_is():
    params = {"index_url": "https://me:p%40ss@example.com/simple", "name": ["a @ https://x:tok3n@example.com/a.whl"], "timeout": 3, "user": None}
    assert _pip.secrets(params) == {"p%40ss", "p@ss", "tok3n"}
    assert _pip.secrets({"find_links": ["https://t0k3n-t0k3n@example.com", "git+https://git@example.com/r", "https://example.com/a@1"]}) == {"t0k3n-t0k3n"}
    assert _pip.secrets({"index_url": "https://me:a:b@example.com/simple"}) == {"a:b"}
    assert _pip.secrets({"index_url": "https://me@example.org:p@ss@example.com/simple", "proxy": "me:pr0xy@example.com:3128"}) == {"p@ss", "pr0xy"}


def test_secrets_are_found_in_files(tmp_path):
    (tmp_path / "r.txt").write_text("--index-url https://me:p%40ss@example.com/simple\n-c c.txt\n")
    (tmp_path / "c.txt").write_text("a @ https://me:tok3n@example.com/a.whl\n")
    wish = _pip.Wish(_pip.Lines())
    wish.lines.add_file(str(tmp_path / "r.txt"))
    assert wish.secrets() == {"p%40ss", "p@ss", "tok3n"}


@pytest.mark.parametrize("line", ["--index-url https://{}@example.com/simple", "a @ http://{}@example.com:81/a.whl"])
@pytest.mark.parametrize("password", ["pw", "p!w", "p@ss:w/rd", "#$%^&*()", "'", '"quoted"', "back\\slash", "two words", "pässword", ""])
def test_credentials_go_into_a_netrc(tmp_path, line, password):
    plain, text = without_credentials([line.format("me" + (":" + quote(password, safe="") if password else ""))])
    if sys.version_info < (3, 11) and not re.fullmatch("[!-~]+", password):
        assert (line.format("me:" + quote(password)) if password else line.format("me"), "") == (plain[0], text)
        return
    (tmp_path / "netrc").write_text(text, encoding="utf-8")
    assert plain == [line.format("").replace("@example", "example")]
    assert netrc.netrc(str(tmp_path / "netrc")).authenticators("example.com")[::2] == ("me", password)


@pytest.mark.parametrize("line", ["a @ git+https://me:pw@example.com/r.git", "--index-url https://example.com/simple"])
def test_git_reads_another_netrc(line):
    assert without_credentials([line]) == ([line], "")


def test_credentials_end_with_the_last_at():
    plain, text = without_credentials(["--index-url https://me@example.org:p@ss@example.com/simple", "a @ https://example.com/a@1.whl"])
    assert plain == ["--index-url https://example.com/simple", "a @ https://example.com/a@1.whl"]
    assert [word.strip('"') for word in text.split()] == ["machine", "example.com", "login", "me@example.org", "password", "p@ss"]


def test_a_file_of_requirements_may_be_an_address():
    params = {**dict.fromkeys(["name", "version", "requirements_content", "constraints", "virtualenv", "extra_args"]), **dict.fromkeys(_pip.AS_GIVEN)}
    params.update({name: None for name in ("index_url", "extra_index_urls", "find_links", "no_index")}, state="present")
    assert _pip.Wish.of({**params, "requirements": "https://example.com/r.txt"}).lines.requirements == [["requirements", "-r https://example.com/r.txt"]]


def test_two_passwords_for_one_host_do_not_mix():
    lines = ["--index-url https://me:one@example.com/a", "--extra-index-url https://me:two@example.com/b"]
    assert without_credentials(lines)[0] == ["--index-url https://example.com/a", lines[1]]


def test_settings_of_pip_are_read_for_uv(tmp_path, monkeypatch):
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex_url = https://a.example.com/simple\n[install]\nfind-links =\n  /one\n  /two\n")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = _inside_uv.pip_settings()
    lines = _inside_uv.lines_of(settings, [])
    assert "--index-url https://a.example.com/simple" in lines
    assert lines[-2:] == ["--find-links /one", "--find-links /two"]
    assert "--no-index" not in lines
    settings["extra-index-url"] = "https://c.example.com/simple"
    for own in ("--index-url https://b.example.com/simple", "-i https://b.example.com/simple"):
        assert _inside_uv.lines_of(settings, [own]) == lines[-2:]


def test_differences_name_what_python_sees():
    answer = {
        "before": {"a": "1", "hides": "1", "same": "1", "again": "1"},
        "after": {"a": "2", "same": "1", "again": "1", "new": "1"},
        "image": {"hides": "9", "new": "8"},
        "installed": {"a": "2", "new": "1", "again": "1"},
    }
    assert _pip.differences(answer) == {
        "a": {"before": "1", "after": "2"},
        "again": {"before": "1", "after": "1"},
        "hides": {"before": "1", "after": "9"},
        "new": {"before": "8", "after": "1"},
    }


def test_command_is_readable():
    argv = ["python3", "-m", "pip", "-r", "/proc/12/fd/3", "-c", "/proc/12/fd/4"]
    assert _pip.readable(argv) == ["python3", "-m", "pip", "-r", "requirements", "-c", "constraints"]


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [("a==1.5", ["1.3", "1.4", "1.6", "1.7", "1.8"]), ("a==0.1", ["1.1", "1.2", "1.3", "1.4", "1.6"]), ("a==9", ["1.3", "1.4", "1.6", "1.7", "1.8"])],
)
def test_nearest_versions(requirement, expected):
    assert nearest(requirement, ["1.1", "1.2", "1.3", "1.4", "1.6", "1.7", "1.8"]) == expected


RETRIED = (
    "WARNING: Retrying (Retry(total={}, connect=None)) after connection broken by "
    "'NewConnectionError(\"HTTPSConnection(host='example.com', port=443): refused\")': /simple/a/\n"
)
NOT_FOUND = "ERROR: Could not find a version that satisfies the requirement a==7 (from versions: {})\nERROR: No matching distribution found for a==7\n"
OR_NONE = "or none for this Python and processor"
ROLE = "in role mlenv.jupyter.lab)"
REFUSED = (
    "the index example.com refuses the credentials that it was given, or wants some (403): "
    f"write https://USER:PASSWORD@HOST/... as index_url (lab_index_url {ROLE}"
)
UNREACHED = (
    "cannot be reached from the container: name another place, or a proxy, as index_url or find_links or proxy "
    f"(lab_index_url or lab_find_links or lab_proxy {ROLE}"
)
UNTRUSTED = f"shows a certificate that the container does not trust: name that of its authority as ca_certificates (lab_ca_certificates {ROLE}"


@pytest.mark.parametrize(
    ("err", "sentence"),
    [
        ("/usr/bin/python3: No module named pip", "its Python has no pip"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "no space is left on the volume or in /tmp"),
        (
            "THESE PACKAGES DO NOT MATCH THE HASHES\n    a@ file:///a.whl from file:///a.whl:\n        Expected sha256 00\n             Got        11",
            "hash mismatch for a: its sha256 is 11, and the requirement says 00",
        ),
        (
            "ERROR: Exception:\nTraceback (most recent call last):\n  File x\n    raise\n\nInner: y\n\nDuring it:\n\n"
            "Traceback (most recent call last):\n  File x\n    raise\npip._vendor.InvalidRequirement: bad suffix\n    a (>=1.*)\n",
            "pip itself broke down: pip._vendor.InvalidRequirement: bad suffix",
        ),
        ("ERROR: Something new\nERROR: that nobody knows", "that nobody knows"),
        ("", "pip failed and said nothing"),
        ("x: NameResolutionError(\"HTTPSConnection(host='example.com', port=443)", f"example.com:443 {UNREACHED}"),
        ("host='example.com', port=443): SSLError(SSLCertVerificationError", f"example.com:443 {UNTRUSTED}"),
        (
            "WARNING: The repository located at example.com is not a trusted or secure host and is being ignored.\nERROR: No matching distribution found for a",
            "pip does not ask example.com over plain HTTP: use HTTPS, or set PIP_TRUSTED_HOST=example.com in the container",
        ),
        (f"{RETRIED.format(4)}{NOT_FOUND.format('1.0, 2.0')}", "no such version: a==7; nearest ones: 1.0, 2.0"),
        (f"{RETRIED.format(4)}{NOT_FOUND.format('none')}", f"no such package: a==7, {OR_NONE}"),
        (f"{RETRIED.format(1)}{RETRIED.format(0)}{NOT_FOUND.format('none')}", f"example.com:443 {UNREACHED}"),
        ("ERROR: HTTP error 403 while getting https://example.com/a.whl\nERROR: 403 Client Error: Forbidden for url: https://example.com/a.whl", REFUSED),
        ("error: HTTP status client error (403 Forbidden) for url (https://example.com/a/)", REFUSED),
        ("ERROR: No matching distribution found for a==1.403 (https://example.com/401)", f"no such package: a==1.403 (https://example.com/401), {OR_NONE}"),
        (
            "  fatal: unable to connect\n  error: subprocess-exited-with-error\n  × git clone --filter=blob:none did not run successfully.\n  │ exit code: 128",
            "git cannot fetch it: unable to connect",
        ),
        (
            "ERROR: invalid-egg-fragment\n\n× The 'a[x]' egg fragment is invalid\n│ from 'a.whl#egg=a[x]'\n╰─> use what is in the index\n\nhint: Try this.",
            "The 'a[x]' egg fragment is invalid: use what is in the index",
        ),
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because b==1 depends on a>1 and you require a<1,\n"
            "      we can conclude that b==1 cannot be used.\n      And because you require b==1, your requirements are unsatisfiable.",
            "conflict: Because b==1 depends on a>1 and you require a<1, we can conclude that b==1 cannot be used. "
            "And because you require b==1, your requirements are unsatisfiable",
        ),
        (
            "error: Failed to fetch: `https://example.com:444/simple/a/`\n  Caused by: dns error\n  Caused by: failed to lookup address information",
            f"example.com:444 {UNREACHED}",
        ),
        (
            "error: connection-failed\n\n× Failed to connect to example.com while fetching http://example.com:81/a.whl\n╰─> [Errno 111] Refused",
            f"example.com:81 {UNREACHED}",
        ),
        (
            "error: connection-timeout\n\n× Unable to fetch https://example.com/a.whl\n╰─> example.com didn't respond within 15 seconds",
            f"example.com {UNREACHED}",
        ),
        (
            "× Failed to establish a secure connection to example.com while fetching https://example.com/a.whl\n╰─> [SSL: CERTIFICATE_VERIFY_FAILED] x",
            f"example.com {UNTRUSTED}",
        ),
        (
            "× Failed to connect to proxy http://192.0.2.1:9 while fetching https://example.com/a.whl\n"
            "╰─> ('Unable to connect to proxy', NewConnectionError(\"HTTPSConnection(host='192.0.2.1', port=9): Failed\"))",
            f"example.com cannot be reached through the proxy: correct proxy (lab_proxy {ROLE}",
        ),
        (
            "× Failed to connect to proxy\n╰─> ('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication Required'))",
            f"the proxy wants a login, or another one: write http://USER:PASSWORD@HOST:PORT as proxy (lab_proxy {ROLE}",
        ),
        ("ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?", "the image has no git, which this requirement needs"),
    ],
)
def test_words_of_pip(err, sentence):
    assert explain("", err) == sentence
