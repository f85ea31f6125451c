"""Who was named may connect, nobody else, not even by a connection of before; and nobody else's rules are touched."""

import os
import pathlib
import subprocess
import sys

import pytest
import testinfra
from helpers import HOST, Lab, converge, play, wait_until

LAB, SIX = Lab("molecule-sources"), Lab("molecule-sources.six")
PLACES = {LAB: [("198.18.113.1", 28841)], SIX: [("fd5c:113:a::1", 28842), ("fd5c:113:b::1", 28842)]}
EVERYBODY = ["0.0.0.0/0", "::/0"]
# What a run says that it does.
CHANGED = ["Write them", "Load them"]
REMOVED = ["Take the lab's rules away, and no other", "Have them loaded at boot no more", "Remove their files"]
MADE = ["Make the directory of the rules", "Write them", "Write what loads them at boot", "Have them loaded at boot", "Load them"]
# Asks by one and the same connection, once for each line that it is told.
CLIENT = """
import http.client, ssl, sys
link = http.client.HTTPSConnection(sys.argv[1], int(sys.argv[2]), timeout=2, context=ssl._create_unverified_context())
for _line in sys.stdin:
    try:
        link.request("GET", "/api")
        answer = link.getresponse()
        answer.read()
        print(answer.status, flush=True)
    except OSError:
        print("nothing", flush=True)
"""


class Client:
    """Somebody in another network, who keeps a connection."""

    def __init__(self, network: str, address: str, port: int):
        command = ["ip", "netns", "exec", f"molecule-sources-{network}", sys.executable, "-c", CLIENT, address, str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def ask(self) -> str:
        self.process.stdin.write("now\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


def reaches(network: str, address: str, port: int) -> bool:
    with Client(network, address, port) as client:
        return client.ask() == "200"


def table(lab: Lab) -> str:
    found = HOST.run("nft --stateless list table inet %s", f"mlenv-sources-{lab.name}")
    return found.stdout if found.rc == 0 else ""


def files(lab: Lab) -> list:
    """What is on the host for its rules."""
    found = HOST.run("find /etc -name %s -o -name %s", f"*mlenv-sources-{lab.name}*", f"{lab.name}.nft")
    return found.stdout.split()


def start_of_host(lab: Lab):
    """What init or systemd runs for the lab when the host starts."""
    name = f"mlenv-sources-{lab.name}"
    if pathlib.Path("/run/systemd/system").is_dir():
        HOST.check_output("systemctl restart %s", name)
    else:
        [script] = pathlib.Path("/etc/rc2.d").glob(f"S??{name}")
        HOST.check_output("%s start", str(script))


@pytest.fixture(scope="module", name="foreign", autouse=True)
def fixture_foreign():
    """Rules of somebody else, which stay as they are, and those that the engine has for the first lab."""
    rules = "table inet molecule-sources-foreign { chain any { type filter hook prerouting priority -150; tcp dport 28841 counter accept; }; }"
    HOST.check_output("nft %s", rules)
    before = theirs()
    yield before
    assert theirs() == before


def theirs() -> tuple:
    engine = [line for line in HOST.check_output("iptables-save -t nat").splitlines() if "--dport 28841" in line]
    return HOST.check_output("nft --stateless list table inet molecule-sources-foreign"), bool(engine)


def who_reaches(lab: Lab) -> dict:
    """Network -> whether its client reaches the lab, at each of its addresses."""
    return {network: [reaches(network, *place) for place in PLACES[lab]] for network in ("green", "red")}


def test_who_may_connect():
    assert who_reaches(LAB) == {"green": [True], "red": [False]}
    assert who_reaches(SIX) == {"green": [False, False], "red": [True, True]}


def test_the_host_itself_may_connect():
    assert LAB.opens()
    assert SIX.opens()


def test_who_goes_to_the_container_itself():
    """Through the host, past the published port, which engines before Docker 28 let pass."""
    assert not reaches("red", LAB.inspect["NetworkSettings"]["IPAddress"], 8888)


def test_what_is_not_for_the_lab_passes():
    """Its port on another address, and from one container to another, which the host's bridge shows to the rules, too."""
    listen = "import socket; server = socket.create_server(('', 28842))\nwhile True: server.accept()"
    call = "import socket, sys; socket.create_connection((sys.argv[1], 28842), timeout=5)"
    run = "docker run --detach --rm --name molecule-sources-peer --entrypoint python3 mlenv-test:minimal -c %s"
    HOST.check_output(run, listen)
    address = HOST.check_output("docker container inspect --format '{{.NetworkSettings.IPAddress}}' molecule-sources-peer")
    try:
        assert wait_until(lambda: LAB.run("python3", "-c", call, address).rc == 0)
    finally:
        HOST.run("docker rm --force molecule-sources-peer")


def test_another_container_may_not_connect():
    """Of whose network nobody said that it may."""
    call = "import socket, sys; socket.create_connection((sys.argv[1], 28841), timeout=2)"
    assert "timed out" in SIX.run("python3", "-c", call, "198.18.113.1").stderr


@pytest.mark.parametrize(("lab", "then", "refused"), [(LAB, "198.18.113.4/30", "green"), (SIX, "fd5c:113:a::/64", "red")])
def test_change(lab, then, refused):
    """Rules change alone, and a connection of before ends."""
    before = lab.inspect["State"]["StartedAt"], lab.inspect["Id"]
    told = {"lab_allowed_sources": [then]}
    with Client(refused, *PLACES[lab][0]) as client:
        assert client.ask() == "200"
        assert converge("--check", "--limit", lab.name, **told).changed == CHANGED
        assert client.ask() == "200"
        assert converge("--limit", lab.name, **told).changed == CHANGED
        assert client.ask() == "nothing"
    assert [network for network, found in who_reaches(lab).items() if any(found)] == ["red" if refused == "green" else "green"]
    assert converge("--limit", lab.name).changed == CHANGED
    assert reaches(refused, *PLACES[lab][0])
    assert (lab.inspect["State"]["StartedAt"], lab.inspect["Id"]) == before


@pytest.mark.parametrize(
    ("harm", "mended"),
    [
        ("nft delete table inet mlenv-sources-molecule-sources", ["Load them"]),
        ("nft insert rule inet mlenv-sources-molecule-sources sources accept", ["Load them"]),
        ("rm /etc/mlenv/sources/molecule-sources.nft", CHANGED),
        ("find /etc/rc?.d /etc/systemd/system -type l -name '*mlenv-sources-molecule-sources*' -not -name '*.six*' -delete", MADE[-2:]),
    ],
)
def test_drift(harm, mended):
    HOST.run(harm)
    assert converge("--limit", LAB.name).changed == mended
    assert who_reaches(LAB) == {"green": [True], "red": [False]}


def test_start_of_the_host():
    """The rules are gone, as after a start, and what the host runs then brings them back."""
    assert converge().changed == []
    before = table(LAB), table(SIX)
    for lab in (LAB, SIX):
        HOST.check_output("nft delete table inet %s", f"mlenv-sources-{lab.name}")
    assert reaches("red", *PLACES[LAB][0])
    assert reaches("red", LAB.inspect["NetworkSettings"]["IPAddress"], 8888)
    for lab in (LAB, SIX):
        start_of_host(lab)
    assert (table(LAB), table(SIX)) == before
    assert who_reaches(LAB) == {"green": [True], "red": [False]}
    assert converge().changed == []


def test_another_address():
    """While it moves, nobody reaches it where it was."""
    told = {"lab_bind_address": "fd5c:113:a::1", "lab_allowed_sources": ["fd5c:113:b::2"]}
    changed = converge("--limit", LAB.name, **told).changed
    assert changed.index("Stop a lab that is to be made anew") < changed.index("Load them") < changed.index("Make and start the container")
    assert [reaches(network, "fd5c:113:a::1", 28841) for network in ("green", "red")] == [False, True]
    converge("--limit", LAB.name)


def test_everybody():
    told = {"lab_allowed_sources": EVERYBODY}
    assert converge("--limit", SIX.name, **told).changed == REMOVED
    assert who_reaches(SIX) == {"green": [True, True], "red": [True, True]}
    assert files(SIX) == []
    assert converge("--limit", SIX.name, **told).changed == []
    assert who_reaches(LAB) == {"green": [True], "red": [False]}


def test_removed_with_the_lab():
    converge("--limit", SIX.name)
    assert table(SIX)
    assert files(SIX)
    for options in (["--check"], []):
        assert "Take the lab's rules away, and no other" in converge("--limit", SIX.name, *options, lab_state="absent").changed
    assert (table(SIX), files(SIX)) == ("", [])
    assert converge("--limit", SIX.name, lab_state="absent").changed == []
    assert who_reaches(LAB) == {"green": [True], "red": [False]}


BOOTED = testinfra.get_host("docker://molecule-sources-systemd")
SYSTEMD = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "systemd.yml")
NAME = "mlenv-sources-booted"


def rules_there() -> str:
    return BOOTED.run("nft list table inet %s", NAME).stdout


def reloads() -> int:
    """How often systemd read everything anew, which cuts running containers off from their GPUs."""
    return BOOTED.check_output("journalctl --quiet --boot _PID=1").count("Reloading")


def test_host_with_systemd():
    """From a bare one to rules that come back with it, whoever flushes them on the way; Debian's own rules stay off."""
    assert play(SYSTEMD).changed[1:] == MADE
    assert "198.18.113.0/30" in rules_there()
    assert BOOTED.run("systemd-analyze verify %s.service", NAME).stderr == ""
    assert BOOTED.run("systemctl is-enabled nftables").stdout.strip() == "disabled"
    assert play(SYSTEMD).changed == []
    HOST.check_output("docker restart --time 20 molecule-sources-systemd")
    assert wait_until(rules_there)
    assert play(SYSTEMD).changed == []
    BOOTED.check_output("systemctl start nftables")
    for flush in ("restart", "reload"):
        BOOTED.check_output("systemctl %s nftables", flush)
        assert wait_until(rules_there)
    before = reloads()
    everybody = {"sources_wanted": EVERYBODY}
    assert play(SYSTEMD, **everybody).changed == REMOVED
    assert rules_there() == ""
    assert BOOTED.check_output("find /etc -name '*booted*'") == ""
    assert play(SYSTEMD, **everybody).changed == []
    assert "Have them loaded at boot" in play(SYSTEMD).changed
    assert rules_there()
    assert reloads() == before
