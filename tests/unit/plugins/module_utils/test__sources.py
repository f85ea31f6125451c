# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that keep others out, and what is told of them. Whether they do is molecule/sources' to show."""

from __future__ import annotations

import os

import pytest
from ansible_collections.mlenv.jupyter.plugins.module_utils import _sources

NETWORKS = ["192.0.2.7", "10.1.0.0/16", "10.0.0.0/8", "2001:db8::/32"]


def statements(address="::", texts=(), bridges=()) -> list:
    """What matters in the rules."""
    text = _sources.rules("lab", address, 28888, _sources.read_networks(texts or NETWORKS), list(bridges), 9999)
    return [line.strip() for line in text.splitlines() if "saddr" in line or "dport" in line or "drop" in line]


def test_rules():
    assert statements("0.0.0.0", bridges=["br-0f", "docker0"]) == [
        'iifname != "lo" fib daddr type local tcp dport 28888 jump sources',
        'iifname != "br-0f" fib daddr oifname "br-0f" tcp dport 9999 jump sources',
        'iifname != "docker0" fib daddr oifname "docker0" tcp dport 9999 jump sources',
        "ip saddr { 10.0.0.0/8, 192.0.2.7/32 } return",
        "ip6 saddr { 2001:db8::/32 } return",
        "counter drop",
    ]


@pytest.mark.parametrize(
    ("address", "destination"), [("192.0.2.1", "ip daddr 192.0.2.1"), ("2001:db8::1", "ip6 daddr 2001:db8::1"), ("::", "fib daddr type local")]
)
def test_destination(address, destination):
    assert statements(address)[0] == f'iifname != "lo" {destination} tcp dport 28888 jump sources'


def test_a_family_that_is_not_named_may_not_connect():
    assert [line for line in statements(texts=["2001:db8::/32"]) if "saddr" in line] == ["ip6 saddr { 2001:db8::/32 } return"]


@pytest.mark.parametrize("everybody", [_sources.EVERYBODY, ["::/0", "0.0.0.0/0", "10.0.0.0/8"], ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]])
def test_everybody_needs_no_rules(everybody):
    assert look(allowed_sources=everybody)[0]["rules"] == ""


@pytest.mark.parametrize("wrong", [{"name": "my lab"}, {"name": "a}\ninclude"}, {"bind_address": "host"}, {"allowed_sources": ["10.0.0.1/8"]}])
def test_what_is_no_name_address_or_network_gets_no_rules(wrong):
    found, commands = look(**{"allowed_sources": ["10.0.0.0/8"], **wrong})
    assert found["rules"] == ""
    assert commands == []


def look(**params):
    """What is told, and which commands were run for it."""
    commands = []

    def run_command(argv, data=None, **_options):
        commands.append(argv)
        return 1, "", ""

    params = {"name": "no-such-lab", "bind_address": "::", "port": 28888, "container_port": 8888, "allowed_sources": _sources.EVERYBODY, **params}
    return _sources.look_at_sources(params, run_command, list), commands


def test_everybody_costs_nothing():
    found, commands = look()
    assert (found["rules"], found["left"], found["boot"]["content"], found["as_wanted"]) == ("", [], "", True)
    assert commands == []


def test_who_is_not_root_cannot_see_rules(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found, commands = look(allowed_sources=["2001:db8::/32"])
    assert (found["loaded"], found["as_wanted"]) == (False, False)
    assert commands == []


LISTED = """\
table inet mlenv-sources-lab {
    chain prerouting {
        type filter hook prerouting priority mangle; policy accept;
        iifname != "lo" ip daddr 198.18.113.1 tcp dport 28888 jump sources
        iifname != "br-x" fib daddr oifname "br-x" tcp dport 8888 jump sources
    }

    chain sources {
        ip saddr { 10.0.0.0/8, 192.0.2.7,
               198.51.100.0/24 } return
        ip6 saddr 2001:db8::/32 return
        counter drop
    }
}
"""
WARNING = "# Warning: table ip nat is managed by iptables-nft, do not touch!\n"


def loaded(monkeypatch, here, there):
    """Whether the rules are taken for loaded, if nft says this of the host, and that where nothing else is."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "access", lambda *_what: True)
    params = {"name": "lab", "bind_address": "198.18.113.1", "port": 28888, "container_port": 8888}
    params["allowed_sources"] = ["198.51.100.0/24", "192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]
    return _sources.look_at_sources(params, lambda argv, **_options: there if argv[0] == "unshare" else here, lambda: ["br-x"])["loaded"]


NOT_ALLOWED = (1, "", "unshare: unshare failed: Operation not permitted\n")
OTHER = LISTED.replace("2001:db8::/32", "2001:db9::/32")


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        ((0, LISTED, ""), (0, LISTED, ""), True),
        ((0, WARNING + LISTED, ""), (0, LISTED, ""), True),
        ((1, LISTED, "netlink: Error: of another table\n"), (1, LISTED, ""), True),
        ((0, LISTED.replace("mangle", "raw"), ""), (0, LISTED, ""), False),
        ((0, OTHER, ""), (0, LISTED, ""), False),
        ((1, "", "Error: No such file or directory\n"), (0, LISTED, ""), False),
        # Nobody may have a network of their own there.
        ((0, WARNING + LISTED, ""), NOT_ALLOWED, True),
        ((0, OTHER, ""), NOT_ALLOWED, False),
        ((0, LISTED.replace("2001:db8::/32", "2001:db8::"), ""), NOT_ALLOWED, False),
        ((0, LISTED.replace("192.0.2.7,", "192.0.2.7, 203.0.113.0/24,"), ""), NOT_ALLOWED, False),
        ((0, LISTED.replace("28888", "28889"), ""), NOT_ALLOWED, False),
    ],
)
def test_rules_that_are_loaded(monkeypatch, here, there, found):
    """What nft lists counts, and not its code or what it warns of."""
    assert loaded(monkeypatch, here, there) is found


@pytest.mark.parametrize("name", ["lab", "my-lab.2_x"])
def test_unit_and_init_script_name_the_rules(name):
    words = {"lab": name, "table": _sources.table_of(name), "nft": _sources.NFT, "rules": f"/etc/mlenv/sources/{name}.nft"}
    for text in (_sources.UNIT, _sources.INIT_SCRIPT):
        assert f"/usr/sbin/nft -f /etc/mlenv/sources/{name}.nft" in text.format(**words)
