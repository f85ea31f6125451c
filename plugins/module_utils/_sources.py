# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect to a lab: its rules for nftables, and what loads them at boot.

Private to the collection. The port of a container goes past ufw and the INPUT chain, and over IPv6 past the engine's
own chains as well. So the rules look at packets before any address is translated, in a table that is the lab's alone:
whoever else has rules, for another lab or something else, is not touched. Every packet is looked at by itself, so that
a connection ends as well when its source is not allowed any more.
"""

from __future__ import annotations

import glob
import ipaddress
import os
import re

NFT = "/usr/sbin/nft"
APT = "/usr/bin/apt-get"
EVERYBODY = ["0.0.0.0/0", "::/0"]
RULES = """\
# Who may connect to lab {lab}: lab_allowed_sources of role mlenv.jupyter.lab, which writes this file.
# The first two lines let the third replace what is there, all at once.
table inet {table} {{}}
delete table inet {table}
table inet {table} {{
    chain prerouting {{
        type filter hook prerouting priority -150; policy accept;
        # What the host sends to itself comes by lo. What goes to another host is not for us.
        iifname != "lo" {destination} tcp dport {port} jump sources
{direct}    }}
    chain sources {{
{allowed}
        counter drop
    }}
}}
"""
# An engine lets in who sends packets to a container's own address through the host, past its published port; Docker 28 and later do not.
DIRECT = """\
        iifname != "{bridge}" fib daddr oifname "{bridge}" tcp dport {port} jump sources
"""
UNIT = """\
[Unit]
Description=Who may connect to lab {lab}
# The rules are there before the lab is.
Before=docker.service podman.service podman-restart.service
# What flushes all rules takes these along: come after it, and again with it.
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={nft} -f {rules}
ExecReload={nft} -f {rules}

[Install]
WantedBy=multi-user.target
"""
INIT_SCRIPT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides:          {table}
# Required-Start:    $local_fs
# Required-Stop:
# X-Start-Before:    docker
# Default-Start:     2 3 4 5
# Default-Stop:
# Short-Description: Who may connect to lab {lab}
### END INIT INFO
case "$1" in
start | restart | reload | force-reload) exec {nft} -f {rules} ;;
status) exec {nft} list table inet {table} ;;
stop) ;;
*) echo "Usage: $0 start|stop|restart|reload|status" >&2; exit 2 ;;
esac
"""


def read_networks(texts: list) -> list:
    """Texts -> networks, without those that are part of others, in order. Raises ValueError."""
    networks = [ipaddress.ip_network(text) for text in texts]
    of_version = [[network for network in networks if network.version == version] for version in (4, 6)]
    return [network for some in of_version for network in ipaddress.collapse_addresses(some)]


def table_of(lab: str) -> str:
    """The name of all that is on the host for this: table, unit, init script. A lab's name is a name there, too."""
    return f"mlenv-sources-{lab}"


def may_everybody(networks: list) -> bool:
    return [str(network) for network in networks] == EVERYBODY


def rules(lab: str, address: str, port: int, networks: list, bridges: list, container_port: int) -> str:
    """What nft is told. Raises ValueError if there is something that is no name or address."""
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", lab):
        raise ValueError(f"{lab} is no name of a container")
    bound = ipaddress.ip_address(address)
    family = {4: "ip", 6: "ip6"}
    allowed = []
    for version, word in family.items():
        elements = [str(network) for network in networks if network.version == version]
        if elements:
            allowed.append(f"        {word} saddr {{ {', '.join(elements)} }} return")
    # Nobody's address is each of the host's own.
    destination = "fib daddr type local" if bound.is_unspecified else f"{family[bound.version]} daddr {bound}"
    direct = "".join(DIRECT.format(bridge=bridge, port=container_port) for bridge in bridges)
    return RULES.format(lab=lab, table=table_of(lab), destination=destination, port=port, direct=direct, allowed="\n".join(allowed))


def boot(lab: str, path: str) -> dict:
    """What loads the rules in that file when the host starts. kind "" is a host that we know no way for."""
    words = {"lab": lab, "table": table_of(lab), "nft": NFT, "rules": path}
    name = words["table"]
    if os.path.isdir("/run/systemd/system"):
        unit = f"/etc/systemd/system/{name}.service"
        link = f"/etc/systemd/system/multi-user.target.wants/{name}.service"
        return {"kind": "systemd", "path": unit, "content": UNIT.format(**words), "mode": "0644", "enabled": os.path.realpath(link) == unit, "link": link}
    if os.access("/usr/sbin/update-rc.d", os.X_OK):
        script = f"/etc/init.d/{name}"
        enabled = bool(glob.glob(f"/etc/rc2.d/S[0-9][0-9]{glob.escape(name)}"))
        return {"kind": "sysvinit", "path": script, "content": INIT_SCRIPT.format(**words), "mode": "0755", "enabled": enabled, "link": ""}
    return {"kind": "", "path": "", "content": "", "mode": "", "enabled": False, "link": ""}


def look_at_sources(params: dict, run_command, bridges) -> dict:
    """Whether the host lets in whom it shall let in, and nobody else. What nft has loaded, root alone is told.

    bridges: tells the host's names of the networks that the lab joins, and is asked if there are to be rules.
    """
    lab = params["name"]
    path = f"/etc/mlenv/sources/{lab}.nft"
    try:
        networks = read_networks(params["allowed_sources"])
        everybody = may_everybody(networks)
        wanted = "" if everybody else rules(lab, params["bind_address"], params["port"], networks, bridges(), params["container_port"])
    except ValueError:
        wanted = ""  # role lab says of what, and why
    at_boot = boot(lab, path)
    left = [file for file in (path, at_boot["path"], at_boot["link"]) if file and os.path.lexists(file)]
    facts = {"table": table_of(lab), "path": path, "rules": wanted, "boot": at_boot, "left": left, "loaded": False, "as_wanted": not left}
    facts.update(nft=os.access(NFT, os.X_OK), apt=os.access(APT, os.X_OK))
    if not wanted:
        at_boot["content"] = ""
        return facts
    if facts["nft"] and os.geteuid() == 0:
        facts["loaded"] = _are_loaded(wanted, facts["table"], run_command)
    kept = _content(path) == wanted and _content(at_boot["path"]) == at_boot["content"] and at_boot["enabled"]
    facts["as_wanted"] = facts["loaded"] and kept
    return facts


def _are_loaded(wanted: str, table: str, run_command) -> bool:
    """Whether the host's table is what these rules make where nothing else is: in a network of their own."""
    listing = [NFT, "--stateless", "list", "table", "inet", table]
    # What it lists counts, whatever it warns of (rules of another program, say) and whatever code it ends with.
    here = _listed(run_command(listing)[1])
    if not here:
        return False
    there = _listed(run_command(["unshare", "--net", "sh", "-c", '"$1" -f - && exec "$@"', "sh", *listing], data=wanted, binary_data=True)[1])
    # Where nobody may have a network of their own, in many containers, say, our own words are compared.
    return there == here if there else plain_rules(wanted) == plain_rules("\n".join(here))


def _listed(text: str) -> list:
    """Without what nft says of it, and without what is said where it is not there."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return lines if lines and lines[0].startswith("table ") else []


def plain_rules(text: str) -> list:
    """Our rules, as they are written or as nft lists them -> lines that are alike if the rules are."""
    text = re.sub(r",\s+", ", ", text)  # it breaks long lines
    found = []
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith(("#", "delete ", "}")) or line.endswith("{}"):
            continue
        bare = re.sub(r" priority [^;]*;", "", re.sub(r"(?<=\.)(\d+)/32\b|/128\b", r"\1", line))
        found.append(re.sub(r"\{ (.*) \}", lambda names: ", ".join(sorted(names[1].split(", "))), bare))
    return found


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
