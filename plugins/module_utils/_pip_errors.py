# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip said, as one sentence: which requirement failed, and why.

Private to the collection. pip has no codes for its errors, so its words are all there is; what is not known here
ends up as pip's own last ERROR line, and the whole is in `stderr` anyway.
"""

from __future__ import annotations

import re

# Words of pip, urllib3 and the build tools.
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|ProtocolError"
    r"|SSLError|SSLCertVerification|CERTIFICATE_VERIFY_FAILED|Connection (?:refused|reset|broken)"
    r"|× (?:Failed to connect|Failed to establish a secure connection|Unable to fetch)"
    r"|failed to lookup address information|tcp connect error|invalid peer certificate"
)
NOT_BUILT = re.compile(
    r"(?:Failed building wheel for|Failed to build|Could not build wheels for) "
    r"(?:installable wheels for some pyproject.toml based projects \()?'?([\w.\-]+)"
)
NO_COMPILER = re.compile(
    r"command '([^']*(?:gcc|cc|c\+\+|g\+\+|clang|gfortran|rustc|cargo))' failed: No such file"
    r"|Unknown compiler\(s\)|(?:Rust|[Cc]argo)[^\n]* not (?:found|installed)|No CMAKE_C\w*_COMPILER"
)
# A try that was not the last one says nothing; of the last one, where it is the only thing that says why there are no versions.
RETRY = re.compile(r"^WARNING: Retrying \(Retry\(total=(?!0,).*\n?", re.MULTILINE)
LAST_RETRY = re.compile(r"^WARNING: Retrying .*\n?", re.MULTILINE)
ORIGIN = re.compile(r" \(from (-[rc] |[^()]*->)[^()]*\)")


def explain(out: str, err: str) -> str:
    """One sentence about a failed pip."""
    text = RETRY.sub("", ORIGIN.sub("", err + "\n" + out))
    text = text if re.search(r"\(from versions: (none)?\)", text) else LAST_RETRY.sub("", text)
    for reason in REASONS:
        sentence = reason(text)
        if sentence:
            return sentence
    errors = [line.partition("ERROR: ")[2] or line for line in err.splitlines() if line.strip()]
    marked = [line.partition("ERROR: ")[2] for line in err.splitlines() if line.startswith("ERROR: ")]
    return (marked or errors or ["pip failed and said nothing"])[-1].strip()


def no_pip(text: str) -> str:
    return "its Python has no pip" if "No module named pip" in text else ""


def no_space(text: str) -> str:
    if "[Errno 28]" in text or "No space left on device" in text:
        return "no space is left on the volume or in /tmp"
    return "the file system is read-only" if "[Errno 30]" in text else ""


def conflict(text: str) -> str:
    found = re.search(r"The conflict is caused by:\n((?:    .+\n)+)", text + "\n")
    if not found:
        found = re.search(r"(Because [^╰]*? are unsatisfiable)", text)  # uv's words
        return "conflict: " + re.sub(r"\s+", " ", found.group(1)) if found else ""
    sides = [side.strip() for side in found.group(1).splitlines()]
    sides = [re.sub(r"^The user requested \(constraint\) ", "the constraint ", side) for side in sides]
    sides = [re.sub(r"^The user requested ", "the requirement ", side) for side in sides]
    return "conflict: " + ", against ".join(dict.fromkeys(sides))


def hashes(text: str) -> str:
    found = re.search(r"DO NOT MATCH THE HASHES.*?\n\s+(\S+).*?Expected (\S+) (\w+).*?Got\s+(\w+)", text, re.DOTALL)
    if found:
        name, algorithm, expected, got = found.groups()
        return f"hash mismatch for {name.rstrip('@')}: its {algorithm} is {got}, and the requirement says {expected}"
    found = re.search(r"(?:Hashes are required|In --require-hashes mode).*?\n\s+(\S+)", text)
    return f"one requirement has a hash, so all need == and a hash, and {found.group(1)} has not both" if found else ""


def other_python(text: str) -> str:
    found = re.search(r"Package '([^']+)' requires a different Python: (\S+) not in '([^']+)'", text)
    if found:
        return "{0} needs Python {2}, and this is {1}".format(*found.groups())
    return ""


def way_out(what: str, *options: str) -> str:
    """What to do, by the options of the module and the variables of the role that has the same."""
    variables = {"index_url": "lab_index_url", "proxy": "lab_proxy", "ca_certificates": "lab_ca_certificates", "find_links": "lab_find_links"}
    return f"{what} {' or '.join(options)} ({' or '.join(variables[option] for option in options)} in role mlenv.jupyter.lab)"


def proxy_login(text: str) -> str:
    if not re.search(r"\b407\b.{0,40}Proxy Authentication|Tunnel connection failed: 407|Proxy Authentication Required", text):
        return ""
    return f"the proxy wants a login, or another one: {way_out('write http://USER:PASSWORD@HOST:PORT as', 'proxy')}"


def credentials(text: str) -> str:
    found = re.search(r"\b(40[13])\b (?:(?:Client )?Error|Unauthorized|Forbidden)\b[^\n]*?[ (](?:https?://)(?:[^/@\s]*@)?([^/\s]+)", text)
    if not found:
        return ""
    way = way_out("write https://USER:PASSWORD@HOST/... as", "index_url")
    return f"the index {found.group(2)} refuses the credentials that it was given, or wants some ({found.group(1)}): {way}"


def network(text: str) -> str:
    if not UNREACHABLE.search(text):
        return ""
    # uv and newer pips name the address; older pips the connection, which is the proxy's in the words of newer ones.
    host = re.search(r"fetch(?:ing)?:? `?\w+://(?:[^/\s]*@)?([^/:`\s]+):?(\d*)", text) or re.search(r"host='([^']+)', port=(\d+)", text)
    where = ":".join(filter(None, host.groups())) if host else "the index"
    if re.search("SSLError|SSLCertVerification|CERTIFICATE_VERIFY_FAILED|invalid peer certificate", text):
        return f"{where} shows a certificate that the container does not trust: {way_out('name that of its authority as', 'ca_certificates')}"
    if re.search("ProxyError|× Failed to connect to proxy|tunnel error|proxy connect", text):
        return f"{where} cannot be reached through the proxy: {way_out('correct', 'proxy')}"
    return f"{where} cannot be reached from the container: {way_out('name another place, or a proxy, as', 'index_url', 'find_links', 'proxy')}"


def in_clear(text: str) -> str:
    found = re.search(r"The repository located at (\S+) is not a trusted or secure host", text)
    return f"pip does not ask {found.group(1)} over plain HTTP: use HTTPS, or set PIP_TRUSTED_HOST={found.group(1)} in the container" if found else ""


def no_version(text: str) -> str:
    found = re.search(r"Could not find a version that satisfies the requirement (.+?) \(from versions: (.*?)\)(?:\n|$)", text)
    if not found:
        found = re.search(r"No matching distribution found for (.+)", text)
        return f"no such package: {found.group(1)}, or none for this Python and processor" if found else ""
    requirement, versions = found.group(1), [part.strip() for part in found.group(2).split(",")]
    if versions in ([""], ["none"]):
        other = re.search(r"Ignored the following versions that require a different python version: (.+)", text)
        if other:
            return f"no version of {requirement} is for this Python ({other.group(1)})"
        return f"no such package: {requirement}, or none for this Python and processor"
    return f"no such version: {requirement}; nearest ones: {', '.join(nearest(requirement, versions))}"


def nearest(requirement: str, versions: list, count: int = 5) -> list:
    """The versions on both sides of the one asked for; pip lists them in ascending order."""
    asked = re.search(r"[<>=!~]=?=?\s*([\d.]+)", requirement)
    if not asked:
        return versions[-count:]
    wanted = numbers(asked.group(1))
    place = sum(numbers(version) < wanted for version in versions)
    start = max(0, min(place - count // 2, len(versions) - count))
    return versions[start : start + count]


def numbers(version: str) -> list:
    return [int(part) for part in re.findall(r"\d+", version)]


def build(text: str) -> str:
    found = NOT_BUILT.search(text)
    if not found and "subprocess-exited-with-error" not in text and "metadata-generation-failed" not in text:
        return ""
    name = found.group(1) if found else "a package"
    compiler = NO_COMPILER.search(text)
    if compiler:
        what = compiler.group(1) or compiler.group(0).strip()
        return f"{name} has no wheel for this Python and the image has no compiler ({what}) to build it"
    return f"{name} has no wheel for this Python and building it failed: the build's own words are in stderr"


def no_file(text: str) -> str:
    found = re.search(r"No such file or directory: '([^']+)'|Requirement '([^']+)' looks like a filename, but the file does not exist", text)
    return f"there is no file {found.group(1) or found.group(2)} in the container" if found else ""


def no_git(text: str) -> str:
    found = re.search(r"Cannot find command '(\w+)'", text)
    return f"the image has no {found.group(1)}, which this requirement needs" if found else ""


def breakdown(text: str) -> str:
    if "ERROR: Exception:\nTraceback" not in text:
        return ""
    last = text.rpartition("Traceback (most recent call last):\n")[2]
    return f"pip itself broke down: {next(line for line in last.splitlines() if not line.startswith(' '))}"


def git(text: str) -> str:
    if not re.search(r"× git (?:clone|fetch|checkout|submodule)\b.* did not run successfully", text):
        return ""
    why = re.findall(r"^\s*(?:fatal|error): (?!subprocess-exited)(.+)", text, re.MULTILINE)
    return f"git cannot fetch it: {why[0].strip()}" if why else "git cannot fetch it: its own words are in stderr"


def diagnostic(text: str) -> str:
    """pip's newer form: what is wrong, then where, then a hint that says less."""
    found = re.search(r"^\s*× (.+)\n(?:\s*│.*\n)*(?:\s*╰─> (.+))?", text, re.MULTILINE)
    return ": ".join(part.strip() for part in found.groups() if part) if found else ""


# The first that knows what to say of it.
REASONS = (
    no_pip,
    no_space,
    conflict,
    hashes,
    other_python,
    git,
    proxy_login,
    credentials,
    network,
    in_clear,
    no_version,
    build,
    no_file,
    no_git,
    breakdown,
    diagnostic,
)
