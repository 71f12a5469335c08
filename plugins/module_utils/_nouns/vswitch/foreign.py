# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges that are not ours, and the libvirt networks over them, as the elements that adopt them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._model.bridge import ALL_VLANS, UNTAGGED, BridgeRecord, PortVlan
from ..._model.rows import Row
from .definition import FORWARD, VIRTUAL_PORT
from .labels import LABEL, is_ours, uplink_port
from .spec import parse_vswitch_spec
from .state import NetworkHave, NodeState

Place = tuple[Row, BridgeRecord, NodeState]


def vlan_of(port_group: PortVlan) -> int | None:
    """Return the VLAN by which a port group is declared, 0 for untagged; None where it is none that can be."""
    if port_group == UNTAGGED:
        return 0
    return port_group.tag if port_group.mode == "access" else None


def describe_strangers(have: NetworkHave) -> list[dict[str, Any]]:
    """Return the bridges that are not ours as results: those of a name in a cluster that have the same uplinks are one.

    element: what adopts it, None where that cannot be. port_groups: likewise, of its libvirt network.
    """
    found: dict[tuple[str, str, tuple[Any, ...]], list[Place]] = {}
    for node in have.nodes:
        state = have.states.get(node.name)
        for bridge in state.switch.bridges.values() if state is not None else ():
            if state is not None and not any(is_ours(bridge, state, row.id) for row in have.vswitches):
                port = bridge.port(uplink_port(bridge.name))
                shape = (port.uplinks, port.bond_mode) if port is not None else ()
                found.setdefault((node.scope, bridge.name, shape), []).append((node, bridge, state))
    clusters = {row.id: row.name for row in have.clusters}
    return [
        _describe(name, clusters.get(scope), places)
        for (scope, name, _), places in sorted(found.items(), key=lambda pair: (pair[0][1], pair[1][0][0].name))
    ]


def _describe(name: str, cluster: str | None, places: Sequence[Place]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "name": name,
        "cluster": cluster,
        "nodes": [_describe_on_node(*place) for place in places],
        "element": None,
        "port_groups": [],
    }
    remarks = [text for node, bridge, state in places for text in _find_hindrances(node, bridge, state)]
    if remarks:
        return item | {"remarks": remarks}
    port = places[0][1].port(uplink_port(name))
    element = {"name": name, "cluster": cluster, "adopt": True, "nodes": [node.name for node, _, _ in places]}
    if port is not None:
        element["uplinks"] = list(port.uplinks)
        element |= {"bond_mode": port.bond_mode} if port.bond_mode is not None else {}
    _, mistakes = parse_vswitch_spec(element, "")
    if mistakes:
        return item | {"remarks": [f"{mistake.path} {mistake.problem}" for mistake in mistakes]}
    for node, bridge, state in places:
        remarks += _find_remarks(node.name, bridge, state)
    groups, told = _declare_groups(name, cluster, places)
    return item | {"element": element, "port_groups": groups, "remarks": remarks + told}


def _describe_on_node(node: Row, bridge: BridgeRecord, state: NodeState) -> dict[str, Any]:
    network = state.networks.get(bridge.name)
    return {
        "name": node.name,
        "network": network.config.uuid if network is not None else None,
        "ports": [port.name for port in bridge.ports if port.name != bridge.name],
    }


def _find_hindrances(node: Row, bridge: BridgeRecord, state: NodeState) -> list[str]:
    found = []
    if LABEL in bridge.labels:
        found.append(f"{node.name}: it bears the label of a vSwitch that is not registered ({bridge.labels[LABEL]})")
    if not bridge.works:
        found.append(f"{node.name}: it does not come up in the datapath {bridge.datapath}")
    network = state.networks.get(bridge.name)
    if network is not None:
        config = network.config
        wrong: Mapping[str, tuple[str | None, str]] = {
            "leads to": (config.bridge, bridge.name),
            "has the forward mode": (config.forward, FORWARD),
            "has the virtual port": (config.virtual_port, VIRTUAL_PORT),
        }
        found += [
            f"{node.name}: libvirt's network {bridge.name} {what} {has or 'none'}, and not {needed}"
            for what, (has, needed) in wrong.items()
            if has != needed
        ]
    return found


def _find_remarks(node: str, bridge: BridgeRecord, state: NodeState) -> list[str]:
    remarks = []
    kept = [
        port.name
        for port in bridge.ports
        if port.name not in (bridge.name, uplink_port(bridge.name)) and port.vlan == ALL_VLANS
    ]
    if kept:
        remarks.append(f"{node}: its ports {', '.join(kept)} stay as they are, and are not managed")
    if bridge.name not in state.networks:
        remarks.append(f"{node}: libvirt has no network of its name; adopted, it gets one")
    others = [name for name, one in state.networks.items() if name != bridge.name and one.config.bridge == bridge.name]
    if others:
        remarks.append(f"{node}: the libvirt networks {', '.join(sorted(others))} lead to it too, and stay as they are")
    return remarks


def _declare_groups(name: str, cluster: str | None, places: Sequence[Place]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the elements of the port groups that are alike wherever they are, and what is said of the others."""
    held: dict[str, dict[PortVlan, list[str]]] = {}
    for node, bridge, state in places:
        network = state.networks.get(bridge.name)
        for group, vlan in network.config.port_groups.items() if network is not None else ():
            held.setdefault(group, {}).setdefault(vlan, []).append(node.name)
    elements, remarks = [], []
    for group, vlans in sorted(held.items()):
        tag = vlan_of(next(iter(vlans)))
        if len(vlans) > 1:
            told = "; ".join(f"{one} on {', '.join(nodes)}" for one, nodes in vlans.items())
            remarks.append(f"its port group {group} is not the same everywhere ({told}), and stays as it is")
        elif tag is None:
            remarks.append(f"its port group {group} carries {next(iter(vlans))}, which none of ours does; it stays so")
        else:
            elements.append({"name": group, "vswitch": name, "cluster": cluster, "adopt": True, "vlan": tag})
    return elements, remarks
