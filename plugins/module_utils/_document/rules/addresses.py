# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of guests' addresses: each stands once in its network, and subnets do not overlap askew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from ..._model.mistake import Mistake
from ..._nouns.instance.parts import Nic
from ..._nouns.instance.spec import Vm
from ..._nouns.node.spec import Node
from ..._nouns.port_group.spec import PortGroup
from ..elements import Declared

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
    node_addresses = {
        ip_address(address): node.spec.name
        for node in nodes
        for address in (node.spec.address, node.spec.migration_address)
        if address
    }
    uses: dict[_Network, list[_Use]] = {}
    macs: dict[str, Declared[Vm]] = {}
    mistakes = []
    for element in instances:
        vm = element.spec
        if vm.state != "present":
            continue
        mistakes += _find_second_routes(vm.nics or (), element.path)
        for number, nic in enumerate(vm.nics or ()):
            path = f"{element.path}.nics[{number}]"
            network = networks.get((vm.cluster, nic.port_group), (vm.cluster, nic.port_group, "unknown"))
            mistakes += _find_mac_mistakes(nic, path, element, macs)
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


def _find_mac_mistakes(nic: Nic, path: str, instance: Declared[Vm], macs: dict[str, Declared[Vm]]) -> list[Mistake]:
    if nic.mac is None:
        return []
    other = macs.setdefault(nic.mac, instance)
    if other is instance:
        return []
    return [Mistake(f"{path}.mac", f'"{nic.mac}" is the MAC address of {other.spec.name} too')]


def _find_gateway_mistakes(nic: Nic, path: str, interfaces: Sequence[Interface]) -> list[Mistake]:
    mistakes = []
    for key, text in (("gateway", nic.gateway), ("gateway6", nic.gateway6)):
        problem = _judge_gateway(ip_address(text), interfaces) if text and interfaces else None
        mistakes += [Mistake(f"{path}.{key}", problem)] if problem else []
    return mistakes


def _judge_gateway(gateway: IPv4Address | IPv6Address, interfaces: Sequence[Interface]) -> str | None:
    """Return what is wrong with a gateway.

    A router of IPv6 is often known by its link-local address. One outside of all subnets is reached on the link where
    an address stands alone (a /32 or /128), as providers hand them out.
    """
    if gateway.is_multicast or gateway.is_loopback or gateway.is_unspecified:
        return f"{gateway} is not an address of a router"
    if any(gateway == interface.ip for interface in interfaces):
        return f"{gateway} is the instance's own address"
    mine = [interface for interface in interfaces if interface.version == gateway.version]
    if not mine:
        return f"{gateway} is of another family than its addresses"
    if gateway.version == 6 and gateway.is_link_local:
        return None
    for interface in mine:
        network = interface.network
        if gateway in network:
            is_end = network.version == 4 and network.prefixlen < 31
            if is_end and gateway in (network.network_address, network.broadcast_address):
                return f"{gateway} is the network's own or its broadcast address, not a router's"
            return None
    if any(interface.network.prefixlen == interface.max_prefixlen for interface in mine):
        return None
    return (
        f"{gateway} is not in the subnet of its addresses ({', '.join(str(interface.network) for interface in mine)})"
    )


def _find_second_routes(nics: Sequence[Nic], path: str) -> list[Mistake]:
    """A guest has one default route of each family; which of two wins is chance."""
    first: dict[int, str] = {}
    mistakes = []
    for number, nic in enumerate(nics):
        for key, text in (("gateway", nic.gateway), ("gateway6", nic.gateway6)):
            if not text:
                continue
            here, version = f"{path}.nics[{number}].{key}", ip_address(text).version
            other = first.setdefault(version, here)
            if other != here:
                mistakes.append(
                    Mistake(here, f"{text} is a second default gateway of IPv{version}; the first is {other}")
                )
    return mistakes


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

    An address that stands alone (a /32 or /128) is none: so an address is held that moves from guest to guest.
    The one with fewer addresses in use is taken to be wrong.
    """
    members: dict[object, list[_Use]] = {}
    for use in uses:
        if use.interface.network.prefixlen < use.interface.max_prefixlen:
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
