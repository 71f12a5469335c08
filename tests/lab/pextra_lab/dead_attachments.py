# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What podman leaves of a node's NICs when it is killed while it starts one: addresses taken for ever, network
namespaces with cables still in the switches, firewall rules. podman itself never looks at these again.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from pathlib import Path

from .names import MAC_PREFIX, MANAGEMENT_NETWORK, MANAGEMENT_SUBNET, TRUNK_NETWORKS
from .processes import output_of, run

CNI_LEASES = Path("/var/lib/cni/networks") / MANAGEMENT_NETWORK
CNI_RESULTS = Path("/var/lib/cni/results")
NAMESPACES = Path("/run/netns")


def sweep() -> None:
    """Removes what belongs to containers that do not exist. Must not run while podman is making one."""
    containers = output_of(["podman", "ps", "--all", "--no-trunc", "--quiet"]).split()
    sweep_leases(frozenset(containers))
    sweep_namespaces(containers)
    sweep_nat_rules(frozenset(containers))
    sweep_forward_rules()


def sweep_leases(containers: frozenset[str]) -> None:
    for lease in CNI_LEASES.glob("*.*.*.*"):
        if lease.read_text().split()[0] not in containers:
            lease.unlink()
    for network in (MANAGEMENT_NETWORK, *TRUNK_NETWORKS):
        for result in CNI_RESULTS.glob(f"{network}-*-eth?"):
            if result.name.removeprefix(f"{network}-").rpartition("-")[0] not in containers:
                result.unlink()


def sweep_namespaces(containers: list[str]) -> None:
    if not NAMESPACES.is_dir():
        return
    template = "{{.NetworkSettings.SandboxKey}}"
    used = output_of(["podman", "inspect", "--format", template, *containers]).split() if containers else []
    for path in NAMESPACES.iterdir():
        if str(path) in used:
            continue
        links = run(["ip", "-netns", path.name, "-json", "link"], check=False)
        # A file without a namespace cannot be entered, and is not known to be ours.
        macs = [link.get("address", "") for link in json.loads(links.stdout or "[]")] if not links.returncode else []
        if any(mac.startswith(MAC_PREFIX) for mac in macs):
            run(["ip", "netns", "delete", path.name])


def sweep_nat_rules(containers: frozenset[str]) -> None:
    rule_of_ours = re.compile(rf'name: \\"{MANAGEMENT_NETWORK}\\" id: \\"([0-9a-f]+)\\"')
    for line in run(["iptables", "-w", "-t", "nat", "-S", "POSTROUTING"], check=False).stdout.splitlines():
        match = rule_of_ours.search(line)
        if match and match[1] not in containers:
            words = shlex.split(line)
            chain = words[words.index("-j") + 1]
            run(["iptables", "-w", "-t", "nat", "-D", *words[1:]])
            for act in ("-F", "-X"):
                run(["iptables", "-w", "-t", "nat", act, chain], check=False)


def sweep_forward_rules() -> None:
    leased = {lease.name for lease in CNI_LEASES.glob("*.*.*.*")}
    subnet = ipaddress.ip_network(MANAGEMENT_SUBNET)
    for line in run(["iptables", "-w", "-S", "CNI-FORWARD"], check=False).stdout.splitlines():
        match = re.search(r"-[sd] ([0-9.]+)/32 ", line)
        if match and ipaddress.ip_address(match[1]) in subnet and match[1] not in leased:
            run(["iptables", "-w", *shlex.split(line.replace("-A ", "-D ", 1))])
