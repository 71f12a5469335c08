"""Rules of guests' addresses: each stands once in its network, and subnets do not overlap askew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from ._mistake import Mistake
from .deployment_elements import Declared
from .node import Node
from .port_group import PortGroup
from .vm import Nic, Vm

Interface = IPv4Interface | IPv6Interface


@dataclass(frozen=True)
class _Use:
    path: str
    instance: str
    port_group: str
    interface: Interface


# Port groups of one VLAN on one vSwitch are one network: (cluster, vSwitch, VLAN).
_Network = tuple[str | None, str | None, int | str | None]


def find_address_mistakes(
    instances: Sequence[Declared[Vm]], port_groups: Sequence[Declared[PortGroup]], nodes: Sequence[Declared[Node]]
) -> list[Mistake]:
    """Check the addresses and MACs of all present instances against each other and against the nodes'."""
    networks: dict[tuple[str | None, str], _Network] = {
        (group.spec.cluster, group.spec.name): (group.spec.cluster, group.spec.vswitch, group.spec.vlan)
        for group in port_groups
    }
    node_addresses = {ip_address(node.spec.address): node.spec.name for node in nodes if node.spec.address}
    uses: dict[_Network, list[_Use]] = {}
    macs: dict[str, str] = {}
    mistakes = []
    for element in instances:
        vm = element.spec
        if vm.state != "present":
            continue
        for number, nic in enumerate(vm.nics):
            path = f"{element.path}.nics[{number}]"
            network = networks.get((vm.cluster, nic.port_group), (vm.cluster, nic.port_group, "unknown"))
            mistakes += _find_mac_mistakes(nic, path, vm.name, macs)
            interfaces = [ip_interface(text) for text in nic.addresses or ()]
            mistakes += _find_gateway_mistakes(nic, path, interfaces)
            for place, interface in enumerate(interfaces):
                here = f"{path}.addresses[{place}]"
                if interface.ip in node_addresses:
                    problem = f"{interface.ip} is the address of the node {node_addresses[interface.ip]}"
                    mistakes.append(Mistake(here, problem))
                uses.setdefault(network, []).append(_Use(here, vm.name, nic.port_group, interface))
    for in_network in uses.values():
        mistakes += _find_repeated(in_network)
        mistakes += _find_overlaps(in_network)
    return mistakes


def _find_mac_mistakes(nic: Nic, path: str, instance: str, macs: dict[str, str]) -> list[Mistake]:
    if nic.mac is None:
        return []
    digits = "".join(char for char in nic.mac.lower() if char in "0123456789abcdef")
    other = macs.setdefault(digits, instance)
    return [] if other == instance else [Mistake(f"{path}.mac", f'"{nic.mac}" is the MAC address of {other} too')]


def _find_gateway_mistakes(nic: Nic, path: str, interfaces: Sequence[Interface]) -> list[Mistake]:
    if nic.gateway is None or not interfaces:
        return []
    gateway = ip_address(nic.gateway)
    if any(gateway == interface.ip for interface in interfaces):
        return [Mistake(f"{path}.gateway", f"{gateway} is the instance's own address")]
    if any(gateway in interface.network for interface in interfaces):
        return []
    subnets = ", ".join(str(interface.network) for interface in interfaces)
    return [Mistake(f"{path}.gateway", f"{gateway} is not in the subnet of its addresses ({subnets})")]


def _find_repeated(uses: Sequence[_Use]) -> list[Mistake]:
    first: dict[object, _Use] = {}
    mistakes = []
    for use in uses:
        other = first.setdefault(use.interface.ip, use)
        if other is not use:
            where = f"in {other.port_group}" if other.port_group == use.port_group else "in the same VLAN"
            mistakes.append(Mistake(use.path, f"{use.interface.ip} is an address of {other.instance} {where} already"))
    return mistakes


def _find_overlaps(uses: Sequence[_Use]) -> list[Mistake]:
    """Subnets of different prefix lengths either lie apart or one in the other; the latter is a slip.

    The one with fewer addresses in use is taken to be wrong.
    """
    members: dict[object, list[_Use]] = {}
    for use in uses:
        members.setdefault(use.interface.network, []).append(use)
    ordered = sorted(
        members.items(),
        key=lambda item: (
            item[1][0].interface.version,
            int(item[1][0].interface.network.network_address),
            item[1][0].interface.network.prefixlen,
        ),
    )
    mistakes = []
    around: list[list[_Use]] = []
    for _, inner in ordered:
        network = inner[0].interface.network
        while around and not _holds(around[-1][0].interface, network):
            around.pop()
        if around:
            outer = around[-1]
            wrong, right = (outer, inner) if len(outer) < len(inner) else (inner, outer)
            mistakes += [_describe_overlap(use, right[0]) for use in wrong]
        around.append(inner)
    return mistakes


def _describe_overlap(use: _Use, other: _Use) -> Mistake:
    problem = f"{use.interface} overlaps {other.interface.network} of {other.instance} in {other.port_group}"
    return Mistake(use.path, f"{problem}; addresses of one subnet need one prefix length")


def _holds(outer: Interface, inner: object) -> bool:
    if isinstance(outer, IPv4Interface):
        return isinstance(inner, type(outer.network)) and inner.subnet_of(outer.network)
    return isinstance(inner, type(outer.network)) and inner.subnet_of(outer.network)
