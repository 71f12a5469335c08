# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches and port groups as bridges carry them in their labels, and whose a bridge is. Pure."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from ..._model.bridge import BridgeRecord, PortRecord
from ..._model.ids import is_id, uuid_of
from ..._model.rows import Row
from .state import NodeState

KIND = "vswitch"
LABEL = "pextra-vswitch"
LABEL_DESCRIPTION = "pextra-description"
LABEL_PORT_GROUP = "pextra-port-group/"
# On a bridge that was adopted: the UUID of the libvirt network that it had, or that it had none.
LABEL_ADOPTED = "pextra-adopted"
ADOPTED_ALONE = "without a network"
# Written by whoever prepares the host: the NIC that must never become an uplink.
LABEL_MANAGEMENT_NIC = "pextra-management-nic"


def uplink_port(vswitch: str) -> str:
    """Return the name of the port that holds the uplinks.

    It is the same for one uplink and for several, so that a second one turns the port into a bond without taking
    the first off the bridge. `svswitch` would leave too little of the 15 characters that Linux allows.
    """
    return f"uplink{vswitch.removeprefix('svswitch')}"


def labels_of_vswitch(row: Row, port_groups: Iterable[Row]) -> dict[str, str]:
    """Return what a vSwitch's bridge carries so that a lost registry can be rebuilt from it."""
    labels = {LABEL: row.id}
    if row.attributes.get("description"):
        labels[LABEL_DESCRIPTION] = row.attributes["description"]
    return labels | {port_group_label(group): port_group_label_value(group) for group in port_groups}


def port_group_label(row: Row) -> str:
    return f"{LABEL_PORT_GROUP}{row.name}"


def port_group_label_value(row: Row) -> str:
    """Return a port group's label: JSON of its identifier, VLAN and description."""
    kept = {key: row.attributes.get(key) for key in ("vlan", "description")}
    return json.dumps({"id": row.id, **kept}, sort_keys=True)


def networks_from_labels(bridges: Iterable[tuple[Row, BridgeRecord]]) -> list[Row]:
    """Return the vSwitches and port groups that bridges speak of, given as (row of the node, bridge).

    Where bridges of one vSwitch differ, what most of them say is taken.
    """
    found: dict[str, list[tuple[Row, BridgeRecord]]] = defaultdict(list)
    for node, bridge in bridges:
        if is_id(bridge.labels.get(LABEL, ""), KIND):
            found[bridge.labels[LABEL]].append((node, bridge))
    rows = []
    for id_, places in found.items():
        node, bridge = places[0]
        ports = [place.port(uplink_port(place.name)) for _, place in places]
        attributes = {
            "uplinks": list(_most_common(uplinks_of(port) for port in ports)),
            "bond_mode": _most_common((port.bond_mode if port else None) for port in ports) or "active-backup",
            "nodes": sorted(row.id for row, _ in places),
            "description": _most_common(place.labels.get(LABEL_DESCRIPTION) for _, place in places),
        }
        rows.append(Row(id_, KIND, bridge.name, node.scope, attributes))
        labels = Counter(
            (key, value)
            for _, place in places
            for key, value in place.labels.items()
            if key.startswith(LABEL_PORT_GROUP)
        )
        named: dict[str, str] = {}
        for (key, value), _ in labels.most_common():
            named.setdefault(key.removeprefix(LABEL_PORT_GROUP), value)
        for name, value in sorted(named.items()):
            row = port_group_from_label(name, value, id_, node.scope)
            if row is not None:
                rows.append(row)
    return rows


def port_group_from_label(name: str, value: str, vswitch: str, cluster: str) -> Row | None:
    """Return the port group that a label of a bridge speaks of; None if it says nonsense."""
    try:
        label = json.loads(value)
    except ValueError:
        return None
    if not isinstance(label, dict) or not is_id(str(label.get("id")), "port_group"):
        return None
    attributes = {"vswitch": vswitch, "vlan": label.get("vlan"), "description": label.get("description")}
    return Row(label["id"], "port_group", name, cluster, attributes)


def owner_of(bridge: BridgeRecord, state: NodeState) -> str | None:
    """Return the identifier of the vSwitch that a bridge realises, None if it is not ours.

    A bridge whose label was taken off by hand is still known by the libvirt network over it; one that was adopted is
    given back that way.
    """
    if LABEL in bridge.labels:
        return bridge.labels[LABEL]
    if LABEL_ADOPTED in bridge.labels:
        return None
    network = state.networks.get(bridge.name)
    if network is None or network.config.bridge not in (None, bridge.name):
        return None
    return f"uuid {network.config.uuid}"


def network_uuid(id_: str, bridge: BridgeRecord | None) -> str:
    """Return the UUID of a vSwitch's network over its bridge on a node. Labels are texts that others can write."""
    if bridge is not None and bridge.labels.get(LABEL) == id_:
        with contextlib.suppress(ValueError):
            return str(uuid.UUID(bridge.labels.get(LABEL_ADOPTED, "")))
    return uuid_of(id_)


def is_ours(bridge: BridgeRecord, state: NodeState, id_: str) -> bool:
    return owner_of(bridge, state) in (id_, f"uuid {uuid_of(id_)}")


def uplinks_of(port: PortRecord | None) -> tuple[str, ...]:
    return port.uplinks if port else ()


def _most_common(values: Iterable[Any]) -> Any:
    return Counter(values).most_common(1)[0][0]
