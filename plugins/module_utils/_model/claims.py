# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What resources take of what there is only once: room on nodes, units, MACs, addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_interface
from typing import NamedTuple


class Room(NamedTuple):
    """Room on a node, by its identifier. memory is MiB; runs tells whether it is used, or only promised; group is the
    anti-affinity group of which the node then holds one; vcpus counts virtual CPUs.
    """

    node: str
    memory: int
    runs: bool
    group: str | None = None
    vcpus: int = 0


class Claim(NamedTuple):
    """What a run at work has decided that a resource takes. resource is its identifier; takes are texts such as
    `unit iqn.2026-01.com.example:san unit:0:0:1`, each of which one resource alone may have.
    """

    resource: str
    name: str
    takes: tuple[str, ...] = ()
    room: Room | None = None


def key_of_unit(target: str, unit: str) -> str:
    """target: the name of the iSCSI target, as `target_of` returns it; unit: in its canonical form."""
    return f"unit {target} {unit}"


def key_of_device(node_id: str, device: str) -> str:
    """device: of a node, such as `pci 0000:65:00.0`."""
    return f"device {node_id} {device}"


def key_of_mac(mac: str) -> str:
    """mac is in its canonical form."""
    return f"mac {mac}"


def keys_of_addresses(network: str, addresses: Iterable[str]) -> Iterator[str]:
    """Yield a key for each address of a NIC in its network.

    One that stands alone (a /32 or /128) has none: so an address is held that goes from guest to guest.
    """
    for text in addresses:
        interface = ip_interface(text)
        if interface.network.prefixlen < interface.max_prefixlen:
            yield f"address {network} {interface.ip}"
