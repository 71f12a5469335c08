# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt's networks, and their port groups."""

from __future__ import annotations

import contextlib
from typing import Literal, NamedTuple

import libvirt

from ..._model.errors import NotFoundError
from .connection import Connection


class NetworkRecord(NamedTuple):
    """A libvirt network as it is."""

    name: str
    uuid: str
    active: bool
    autostart: bool
    xml: str


class Networks(Connection):
    """What is asked and done of networks."""

    def networks(self) -> list[NetworkRecord]:
        """Read all libvirt networks."""
        with self._errors("list networks"):
            autostarted = {
                network.UUIDString()
                for network in self._connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART)
            }
            return [
                NetworkRecord(
                    network.name(),
                    network.UUIDString(),
                    bool(network.isActive()),
                    network.UUIDString() in autostarted,
                    network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE),
                )
                for network in self._connection.listAllNetworks()
            ]

    def active_networks(self) -> frozenset[str]:
        """Names of the networks that instances can attach to; one call."""
        with self._errors("list networks"):
            found = self._connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
            return frozenset(network.name() for network in found)

    def network_xml(self, name: str, resource: str) -> str:
        """Return a network as it is now."""
        with self._errors("read the network", resource):
            return str(self._connection.networkLookupByName(name).XMLDesc(0))

    def define_network(self, xml: str, resource: str) -> None:
        """Define it, start it and let it start with the node."""
        with self._errors("define the network", resource):
            network = self._connection.networkDefineXML(xml)
            if not network.isActive():
                network.create()
            network.setAutostart(1)

    def update_port_group(
        self, network: str, xml: str, resource: str, *, command: Literal["add", "modify", "delete"]
    ) -> None:
        """Change one port group of a network, live and for good."""
        commands = {
            "add": libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
            "modify": libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY,
            "delete": libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE,
        }
        with self._errors("change the port group", resource):
            found = self._connection.networkLookupByName(network)
            flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
            if found.isActive():
                flags |= libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
            found.update(commands[command], libvirt.VIR_NETWORK_SECTION_PORTGROUP, -1, xml, flags)

    def remove_network(self, name: str, resource: str) -> None:
        """Stop and undefine it; gone already is fine."""
        with contextlib.suppress(NotFoundError), self._errors("remove the network", resource):
            network = self._connection.networkLookupByName(name)
            if network.isActive():
                network.destroy()
            network.undefine()
