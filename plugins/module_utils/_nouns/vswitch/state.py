# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planning vSwitches and port groups needs to know of the registry and the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..._model.bridge import SwitchRecord
from ..._model.errors import Problem
from ..._model.rows import Row
from .definition import Attachment, NetworkModel, parse_network


@dataclass(frozen=True, kw_only=True)
class NetworkState:
    """A libvirt network: its persistent definition, whether it runs, whether it starts with the node."""

    xml: str
    active: bool = True
    autostart: bool = True

    @cached_property
    def config(self) -> NetworkModel:
        return parse_network(self.xml)


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """A node that answers. networks are by name.

    running: the NICs of running instances; defined: those of all instances, read only where something goes away.
    """

    switch: SwitchRecord = field(default_factory=SwitchRecord)
    networks: Mapping[str, NetworkState] = field(default_factory=dict)
    running: tuple[Attachment, ...] = ()
    defined: tuple[Attachment, ...] = ()

    def users(self, network: str, port_group: str | None = None) -> list[str]:
        """Return the instances with a NIC on a network (and port group), running or defined."""
        return sorted(
            {
                nic.instance
                for nic in (*self.running, *self.defined)
                if nic.network == network and port_group in (None, nic.port_group)
            }
        )


@dataclass(frozen=True, kw_only=True)
class NetworkHave:
    """Rows of the registry; states of the nodes that answer, by name; and why the others do not.

    tells_foreign: whether what is not ours is asked for.
    """

    clusters: tuple[Row, ...] = ()
    nodes: tuple[Row, ...] = ()
    vswitches: tuple[Row, ...] = ()
    port_groups: tuple[Row, ...] = ()
    states: Mapping[str, NodeState] = field(default_factory=dict)
    down: Mapping[str, Problem] = field(default_factory=dict)
    tells_foreign: bool = False

    def nodes_of(self, cluster: str) -> list[Row]:
        return [node for node in self.nodes if node.scope == cluster]

    def port_groups_of(self, vswitch: str) -> list[Row]:
        return [row for row in self.port_groups if row.attributes.get("vswitch") == vswitch]
