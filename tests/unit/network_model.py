# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small model of a cluster's switches: what the planners see, and what applying their steps makes of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, replace

from ansible_collections.pextra.cloud.plugins.module_utils._model.bridge import (
    ALL_VLANS,
    BridgeEdit,
    BridgeRecord,
    InterfaceRecord,
    PortRecord,
    SwitchRecord,
    access,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan, Step, Work
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.definition import Attachment
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.state import (
    NetworkHave,
    NetworkState,
    NodeState,
)

CLUSTER = Row(new_id("cluster"), "cluster", "mtl-1")
NODES = tuple(Row(new_id("node"), "node", f"node{n}", CLUSTER.id, {"address": f"10.91.0.1{n}"}) for n in (1, 2, 3))


@dataclass
class Node:
    """A node's switches. nics: (instance, vSwitch, port group) of its running instances; the port is vnetN.

    foreign: the names of those that are not ours.
    """

    labels: dict[str, str] = field(default_factory=dict)
    bridges: dict[str, BridgeRecord] = field(default_factory=dict)
    networks: dict[str, NetworkState] = field(default_factory=dict)
    nics: list[tuple[str, str, str]] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)

    @property
    def state(self) -> NodeState:
        nics = tuple(
            Attachment(*nic, f"vnet{index}", nic[0] not in self.foreign) for index, nic in enumerate(self.nics)
        )
        return NodeState(
            switch=SwitchRecord(bridges=dict(self.bridges), labels=dict(self.labels)),
            networks=dict(self.networks),
            running=nics,
            defined=nics,
        )

    def attach(self, instance: str, vswitch: str, port_group: str) -> None:
        """Start an instance, as libvirt does: its port gets the VLAN that the network gives."""
        vlan = self.networks[vswitch].config.port_groups[port_group]
        bridge = self.bridges[vswitch]
        port = PortRecord(name=f"vnet{len(self.nics)}", vlan=vlan)
        self.bridges[vswitch] = replace(bridge, ports=(*bridge.ports, port))
        self.nics.append((instance, vswitch, port_group))


@dataclass
class Model:
    nodes: dict[str, Node] = field(default_factory=lambda: {row.name: Node() for row in NODES})
    rows: dict[str, Row] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    @property
    def have(self) -> NetworkHave:
        return NetworkHave(
            clusters=(CLUSTER,),
            nodes=NODES,
            vswitches=tuple(row for row in self.rows.values() if row.kind == "vswitch"),
            port_groups=tuple(row for row in self.rows.values() if row.kind == "port_group"),
            states={name: node.state for name, node in self.nodes.items() if name not in self.down},
            down={name: Problem("it does not answer", node=name) for name in self.down},
        )

    def row(self, name: str) -> Row:
        return next(row for row in self.rows.values() if row.name == name)

    def apply(self, plan: Plan) -> None:
        """Carry out a plan, as the runner and the resources do."""
        assert not plan.refusals, plan.refusals
        for work in plan.effective:
            for step in work.steps:
                if step.act == "register":
                    self.rows[step.data["row"].id] = step.data["row"]
        for work in plan.effective:
            for step in work.steps:
                self._carry_out(work, step)

    def _carry_out(self, work: Work, step: Step) -> None:
        if step.act == "forget":
            for id_ in step.data["ids"]:
                del self.rows[id_]
            return
        if step.act == "register":
            return
        node = self.nodes[work.node or ""]
        if step.act == "bridge":
            edit(node, step.data["edit"])
        elif step.act == "label":
            edit(node, BridgeEdit(bridge=step.data["bridge"], labels=step.data["labels"]))
        elif step.act == "ports":
            for bridge in node.bridges.values():
                ports = tuple(
                    replace(port, vlan=access(step.data["vlans"][port.name]))
                    if port.name in step.data["vlans"]
                    else port
                    for port in bridge.ports
                )
                node.bridges[bridge.name] = replace(bridge, ports=ports)
        elif step.act == "remove_network":
            del node.networks[work.name]
        elif step.act == "remove_bridge":
            del node.bridges[work.name]
        elif "command" in step.data:
            update_port_group(node, step)
        else:
            name = ET.fromstring(step.data["xml"]).findtext("name", "")
            node.networks[name] = NetworkState(xml=step.data["xml"])


def edit(node: Node, change: BridgeEdit) -> None:
    """What Switch.edit_bridge does."""
    assert change.create or change.bridge in node.bridges, change
    bridge = node.bridges.get(change.bridge) or BridgeRecord(
        name=change.bridge, datapath="netdev", ports=(PortRecord(name=change.bridge),)
    )
    labels = {key: value for key, value in {**bridge.labels, **change.labels}.items() if value is not None}
    ports = bridge.ports
    if change.uplinks is not None:
        taken = {
            interface.name
            for other in node.bridges.values()
            if other.name != change.bridge
            for port in other.ports
            for interface in port.interfaces
        }
        assert not taken & set(change.uplinks), "a NIC must leave its bridge before it comes to another"
        ports = tuple(port for port in ports if port.name != change.uplink_port)
        if change.uplinks:
            ports = (
                *ports,
                PortRecord(
                    name=change.uplink_port,
                    vlan=ALL_VLANS,
                    bond_mode=change.bond_mode,
                    interfaces=tuple(InterfaceRecord(name=name, link="up") for name in sorted(change.uplinks)),
                    primary=change.uplinks[0],
                ),
            )
    node.bridges[change.bridge] = replace(bridge, works=True, labels=labels, ports=ports)


def update_port_group(node: Node, step: Step) -> None:
    """What virNetworkUpdate does, which refuses to add what is there and to change what is not."""
    network = node.networks[step.data["network"]]
    root, element = ET.fromstring(network.xml), ET.fromstring(step.data["xml"])
    old = next((group for group in root.findall("portgroup") if group.get("name") == element.get("name")), None)
    assert (old is None) == (step.data["command"] == "add"), step.data
    if old is not None:
        root.remove(old)
    if step.data["command"] != "delete":
        root.append(element)
    node.networks[step.data["network"]] = replace(network, xml=ET.tostring(root, encoding="unicode"))
