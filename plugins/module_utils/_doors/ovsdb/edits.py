# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of Open vSwitch, and the transaction that takes a bridge from there to what is wanted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ..._model.bridge import (
    BridgeEdit,
    BridgeRecord,
    InterfaceRecord,
    PortRecord,
    PortVlan,
    SwitchRecord,
)
from ..._model.errors import Problem, SwitchError
from .values import (
    Operation,
    Uuid,
    edit_map,
    id_of,
    items_of,
    map_of,
    mutate,
    optional,
    refs,
    some,
    update,
)

_PRIMARY = "bond-primary"


class State:
    """What was read: records, and the rows behind them, which writing needs."""

    def __init__(self, results: list[dict[str, Any]]) -> None:
        root, bridges, ports, interfaces = (result["rows"] for result in results)
        interface_of = {id_of(row): _interface(row) for row in interfaces}
        port_rows = {id_of(row): row for row in ports}
        self.bridge_ids: dict[str, Uuid] = {row["name"]: id_of(row) for row in bridges}
        self.port_ids: dict[str, Uuid] = {row["name"]: id_of(row) for row in ports}
        self.interface_ids: dict[str, Uuid] = {row["name"]: id_of(row) for row in interfaces}
        self.other_config_of: dict[str, dict[str, str]] = {row["name"]: dict(row["other_config"][1]) for row in ports}
        # A bridge that came up has its own interface open. Unlike its datapath_version, that is written together
        # with cur_cfg, so it can be relied upon as soon as ovs-vswitchd says that it is done.
        opened = {row["name"] for row in interfaces if optional(row["ofport"]) not in (None, -1)}
        # Where an interface is: (bridge, port).
        self.place_of: dict[str, tuple[str, str]] = {}
        records = {}
        for row in sorted(bridges, key=lambda row: str(row["name"])):
            members = []
            for port_id in items_of(row["ports"]):
                port = _port(port_rows[port_id], interface_of)
                members.append(port)
                self.place_of |= {interface.name: (row["name"], port.name) for interface in port.interfaces}
            records[row["name"]] = BridgeRecord(
                name=row["name"],
                datapath=row["datapath_type"] or "system",
                works=row["name"] in opened,
                labels=dict(row["external_ids"][1]),
                ports=tuple(sorted(members, key=lambda port: port.name)),
            )
        self.record = SwitchRecord(bridges=records, labels=dict(root[0]["external_ids"][1]) if root else {})


class Transaction:
    """The operations of an edit, against what was read."""

    def __init__(self, state: State, edit: BridgeEdit, node: str, resource: str | None) -> None:
        self._node = node
        self._resource = resource
        self._state = state
        self._edit = edit
        self.operations: list[Operation] = []
        self._bridge = state.record.bridges.get(edit.bridge)
        self._new_ports: list[Any] = []
        self._gone_ports: list[Uuid] = []
        if edit.uplinks is not None:
            self._place_uplinks(edit.uplinks)
        if self._bridge is None:
            self._create()
        else:
            self._change()

    def _create(self) -> None:
        name = self._edit.bridge
        interface = self._insert("Interface", {"name": name, "type": "internal"})
        port = self._insert("Port", {"name": name, "interfaces": interface})
        bridge = self._insert(
            "Bridge",
            {
                "name": name,
                "ports": ["set", [port, *self._new_ports]],
                "external_ids": map_of({key: value for key, value in self._edit.labels.items() if value is not None}),
            },
        )
        self.operations.append(mutate("Open_vSwitch", [], "bridges", "insert", ["set", [bridge]]))

    def _change(self) -> None:
        where = [["_uuid", "==", ["uuid", self._state.bridge_ids[self._edit.bridge]]]]
        if self._gone_ports:
            self.operations.append(mutate("Bridge", where, "ports", "delete", refs(self._gone_ports)))
        if self._new_ports:
            self.operations.append(mutate("Bridge", where, "ports", "insert", ["set", self._new_ports]))
        self.operations += edit_map("Bridge", where, "external_ids", self._edit.labels)

    def _place_uplinks(self, uplinks: tuple[str, ...]) -> None:
        """Put exactly these interfaces into the uplink port, keeping the rows of those that are there."""
        name = self._edit.uplink_port
        port = self._bridge.port(name) if self._bridge else None
        if not uplinks:
            if port is not None:
                self._gone_ports.append(self._state.port_ids[name])
            return
        members = [self._member(uplink) for uplink in uplinks]
        other_config = self._state.other_config_of.get(name, {}) | {_PRIMARY: uplinks[0]}
        columns = {
            "interfaces": ["set", members],
            "bond_mode": some(self._edit.bond_mode),
            "other_config": map_of(other_config),
            **vlan_columns(PortVlan()),
        }
        if port is None:
            self._new_ports.append(self._insert("Port", {"name": name, **columns}))
            return
        where = [["_uuid", "==", ["uuid", self._state.port_ids[name]]]]
        held = [self._state.interface_ids[interface.name] for interface in port.interfaces]
        # Refuses the whole transaction if someone changed the port since it was read.
        self.operations.append(
            {
                "op": "wait",
                "timeout": 0,
                "table": "Port",
                "where": where,
                "columns": ["interfaces"],
                "until": "==",
                "rows": [{"interfaces": refs(held)}],
            }
        )
        self.operations.append(update("Port", where, columns))

    def _member(self, uplink: str) -> Any:
        place = self._state.place_of.get(uplink)
        if place is None:
            return self._insert("Interface", {"name": uplink})
        bridge, port = place
        if bridge != self._edit.bridge:
            raise self._refusal(f"uplink {uplink} is used by the bridge {bridge}")
        record = self._bridge.port(port) if self._bridge else None
        if port != self._edit.uplink_port and record is not None:
            if len(record.interfaces) > 1:
                raise self._refusal(f"uplink {uplink} is used by the bond {port}")
            self._gone_ports.append(self._state.port_ids[port])
        return ["uuid", self._state.interface_ids[uplink]]

    def _refusal(self, what: str) -> SwitchError:
        return SwitchError([Problem(what, "Take it out of there first.", self._node, self._resource)])

    def _insert(self, table: str, row: Mapping[str, Any]) -> Any:
        name = f"row{uuid.uuid4().hex}"
        self.operations.append({"op": "insert", "table": table, "row": dict(row), "uuid-name": name})
        return ["named-uuid", name]


def _port(row: Mapping[str, Any], interfaces: Mapping[Uuid, InterfaceRecord]) -> PortRecord:
    members = [interfaces[interface] for interface in items_of(row["interfaces"])]
    return PortRecord(
        name=row["name"],
        vlan=PortVlan(optional(row["tag"]), tuple(items_of(row["trunks"])), optional(row["vlan_mode"])),
        bond_mode=optional(row["bond_mode"]),
        interfaces=tuple(sorted(members, key=lambda interface: interface.name)),
        primary=dict(row["other_config"][1]).get(_PRIMARY),
        active_mac=optional(row["bond_active_slave"]),
    )


def _interface(row: Mapping[str, Any]) -> InterfaceRecord:
    return InterfaceRecord(
        name=row["name"],
        type=row["type"],
        error=optional(row["error"]),
        link=optional(row["link_state"]),
        mac=optional(row["mac_in_use"]),
    )


def vlan_columns(vlan: PortVlan) -> dict[str, Any]:
    return {
        "tag": some(vlan.tag),
        "trunks": ["set", list(vlan.trunks)],
        "vlan_mode": some(vlan.mode if vlan.mode not in ("access", "trunk") else None),
    }
