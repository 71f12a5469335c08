# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The management network, the two trunk switches, and the cable between them."""

from __future__ import annotations

import ipaddress
import json
import shutil
from pathlib import Path

from .names import LAB_LABEL, MANAGEMENT_NETWORK, MANAGEMENT_SUBNET, TRUNK_LINK, TRUNK_NETWORKS, Node
from .processes import LabError, inspect, run

INTERFACES = Path("/sys/class/net")
CNI_LEASES = Path("/var/lib/cni/networks")


def refuse_foreign_management_subnet() -> None:
    """Raises LabError if something else on this machine already has the lab's addresses."""
    wanted = ipaddress.ip_network(MANAGEMENT_SUBNET)
    for interface in json.loads(run(["ip", "-json", "-4", "address"]).stdout):
        for address in interface.get("addr_info", []):
            if ipaddress.ip_address(address["local"]) in wanted:
                raise LabError(
                    f"{MANAGEMENT_SUBNET} is the lab's, but {interface['ifname']} has {address['local']}. "
                    "Remove that address, or use another machine."
                )


def ensure_networks() -> list[str]:
    """Creates the networks that are missing; returns their names."""
    created = []
    label = f"{LAB_LABEL}=network"
    if inspect("network", MANAGEMENT_NETWORK) is None:
        refuse_foreign_management_subnet()
        # Without --disable-dns podman writes a resolver into the nodes that may answer nothing.
        run([
            "podman", "network", "create", "--label", label, "--disable-dns",
            "--subnet", MANAGEMENT_SUBNET, MANAGEMENT_NETWORK,
        ])  # fmt: skip
        created.append(MANAGEMENT_NETWORK)
    for name in TRUNK_NETWORKS:
        if inspect("network", name) is None:
            run([
                "podman", "network", "create", "--label", label, "--disable-dns", "--internal",
                "--ipam-driver", "none", name,
            ])  # fmt: skip
            created.append(name)
    return created


def network_options(node: Node) -> list[str]:
    """What gives a container of this node eth0 for management and one trunk NIC on each switch."""
    options = ["--network", f"{MANAGEMENT_NETWORK}:ip={node.address},mac={node.mac(0)},interface_name=eth0"]
    for number, name in enumerate(TRUNK_NETWORKS, start=1):
        options += ["--network", f"{name}:mac={node.mac(number)},interface_name=eth{number}"]
    return options


def bridge_of(network: str) -> str:
    described = inspect("network", network)
    if described is None:
        raise LabError(f"The network {network} has gone. Run: tests/lab/lab create")
    name: str = described["network_interface"]
    return name


def master_of(interface: str) -> str | None:
    link = INTERFACES / interface / "master"
    return link.resolve().name if link.exists() else None


def ensure_trunk_link() -> bool:
    """Joins the trunk switches, as far as they exist (podman makes them with the first node); says if it changed."""
    bridges = [bridge_of(name) for name in TRUNK_NETWORKS]
    if not all((INTERFACES / bridge).exists() for bridge in bridges):
        return False
    has_changed = False
    if not all((INTERFACES / end).exists() for end in TRUNK_LINK):
        remove_trunk_link()
        run(["ip", "link", "add", TRUNK_LINK[0], "type", "veth", "peer", "name", TRUNK_LINK[1]])
        has_changed = True
    for end, bridge in zip(TRUNK_LINK, bridges, strict=True):
        if master_of(end) != bridge:
            run(["ip", "link", "set", end, "master", bridge, "up"])
            has_changed = True
        # podman's CNI plug-in sends frames back to the port they came from; a node's Open vSwitch would then
        # learn the addresses of its own guests on its uplink.
        for hairpin in (INTERFACES / bridge / "brif").glob("*/hairpin_mode"):
            if hairpin.read_text().strip() != "0":
                hairpin.write_text("0")
                has_changed = True
    return has_changed


def remove_trunk_link() -> None:
    for end in TRUNK_LINK:
        if (INTERFACES / end).exists():
            run(["ip", "link", "delete", end])


def remove_networks() -> None:
    remove_trunk_link()
    for name in (MANAGEMENT_NETWORK, *TRUNK_NETWORKS):
        remove_network(name)


def remove_network(name: str) -> None:
    """The network with its switch and the addresses that it gave; nothing if there is none."""
    described = inspect("network", name)
    if described is None:
        return
    run(["podman", "network", "rm", "--force", name])
    if (INTERFACES / described["network_interface"]).exists():
        run(["ip", "link", "delete", described["network_interface"]])
    shutil.rmtree(CNI_LEASES / name, ignore_errors=True)
