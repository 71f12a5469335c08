# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a NIC is beside where it attaches: its MAC, and what it has in a container. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_interface

from ...._fields.addresses import canonical_address
from ..definition import Interface
from ..devices import nic as nic_device
from ..parts import Nic
from .context import Context, RefusedError


def in_container(interface: Interface, nic: Nic, addresses: Sequence[str], before: Interface | None) -> Interface:
    """Return a container's NIC, which libvirt gives its addresses. Its ends are in the node's kernel."""
    named = [one for one in (nic.gateway, nic.gateway6) if one]
    # An address of IPv6 may stand in either.
    said: set[int] = {ip_address(one).version for one in named}
    said |= {family for family, one in ((4, nic.gateway), (6, nic.gateway6)) if one == ""}
    kept = (before.gateways if before is not None else None) or ()
    gateways = [one for one in kept if ip_address(one).version not in said] + named
    return replace(
        interface,
        offload=True,
        addresses=tuple(str(ip_interface(one)) for one in addresses),
        gateways=tuple(dict.fromkeys(canonical_address(one) for one in gateways)),
    )


def as_function(nic: Nic, mac: str, network: str, port_group: str, context: Context) -> Interface:
    """Return a NIC that is a virtual function, in the VLAN of its port group."""
    row = context.port_groups.get(port_group)
    if row is None:
        raise RefusedError(
            f"its NIC {nic.name} has the VLAN of port group {port_group}, which is gone", "Name another port group."
        )
    return Interface(
        mac=mac,
        network=network,
        port_group=port_group,
        function=nic.function,
        sr_iov=nic.sr_iov or "",
        vlan=row.attributes.get("vlan") or 0,
        further=nic_device.of_function(nic.further),
    )
