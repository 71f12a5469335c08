"""What resources take of what there is only once: room on nodes, units, MACs, addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_interface
from typing import NamedTuple


class Room(NamedTuple):
    """Room on a node, by its identifier. memory is MiB; runs tells whether it is used, or only promised; group is the
    anti-affinity group of which the node then holds one.
    """

    node: str
    memory: int
    runs: bool
    group: str | None = None


class Claim(NamedTuple):
    """What a run at work has decided that a resource takes. resource is its identifier; takes are texts such as
    `unit pool-x unit:0:0:1`, each of which one resource alone may have.
    """

    resource: str
    name: str
    takes: tuple[str, ...] = ()
    room: Room | None = None


def key_of_unit(pool_id: str, unit: str) -> str:
    return f"unit {pool_id} {unit}"


def key_of_mac(mac: str) -> str:
    """mac is in its canonical form."""
    return f"mac {mac}"


def keys_of_addresses(network: str, port_group: str, vlan: int | None, addresses: Iterable[str]) -> Iterator[str]:
    """Yield a key for each address of a NIC. Port groups of one VLAN on one vSwitch are one network.

    One that stands alone (a /32 or /128) has none: so an address is held that goes from guest to guest.
    vlan: None where the port group is not known any more.
    """
    place = f"vlan {vlan}" if vlan is not None else f"group {port_group}"
    for text in addresses:
        interface = ip_interface(text)
        if interface.network.prefixlen < interface.max_prefixlen:
            yield f"address {network} {place} {interface.ip}"
