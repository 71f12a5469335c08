"""The only door to a node's Open vSwitch: typed records in, one transaction per change out.

Everything is read in one round trip; a change is one transaction, after which ovs-vswitchd is waited for and
asked whether it could do it. Safe to use from several threads.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from ._errors import Problem, SwitchError
from ._ovsdb import Operation, Ovsdb, edit_map, map_of, mutate
from ._plan._bridge import (
    BridgeEdit,
    BridgeRecord,
    InterfaceRecord,
    PortRecord,
    PortVlan,
    SwitchRecord,
    access,
)

_APPLY_TIMEOUT_MS = 10_000
_LINK_TIMEOUT_MS = 1_000
_PRIMARY = "bond-primary"
_COLUMNS = {
    "Open_vSwitch": ("external_ids",),
    "Bridge": ("_uuid", "name", "datapath_type", "external_ids", "ports"),
    "Port": (
        "_uuid",
        "name",
        "tag",
        "trunks",
        "vlan_mode",
        "bond_mode",
        "bond_active_slave",
        "other_config",
        "interfaces",
    ),
    "Interface": ("_uuid", "name", "type", "ofport", "error", "link_state", "mac_in_use"),
}
_READ: list[Operation] = [
    {"op": "select", "table": table, "where": [], "columns": list(columns)} for table, columns in _COLUMNS.items()
]
Uuid = str


class Switch:
    """Over an open connection to one node's OVSDB."""

    def __init__(self, node: str, database: Ovsdb) -> None:
        self.node = node
        self._database = database

    # Reading

    def read(self) -> SwitchRecord:
        """Read bridges, ports, interfaces and the node's labels, all of one moment."""
        return self._read().record

    def bridges(self) -> tuple[BridgeRecord, ...]:
        return tuple(self.read().bridges.values())

    def port_tags(self) -> dict[str, PortVlan]:
        """Read what every port does with VLANs, by port name."""
        return {port.name: port.vlan for bridge in self.bridges() for port in bridge.ports}

    # Writing

    def set_port_tags(self, vlans: Mapping[str, int | None], resource: str | None = None) -> None:
        """Set the VLANs of ports, None is untagged; in one transaction. Ports that are gone are left out."""
        operations: list[Operation] = [
            _update("Port", [["name", "==", port]], _vlan_columns(access(vlan))) for port, vlan in vlans.items()
        ]
        if operations:
            self._apply(operations, "set VLANs", resource)

    def edit_bridge(self, edit: BridgeEdit, resource: str | None = None) -> None:
        """Change one bridge. Raises SwitchError if it cannot be done; its uplinks are then as before."""
        before = self._read()
        bridge = before.record.bridges.get(edit.bridge)
        if bridge is None and not edit.create:
            raise SwitchError(
                [Problem("the bridge is gone", "Something else is changing it; run again.", self.node, resource)]
            )
        transaction = _Transaction(before, edit, self.node, resource)
        if transaction.operations:
            self._apply(transaction.operations, "change the bridge", resource)
        after = self._read()
        if not after.record.bridges[edit.bridge].works:
            self._find_datapath(edit.bridge, after, resource)
            after = self._read()
        self._refuse_broken_uplinks(edit, bridge, after, resource)
        if edit.uplinks:
            self._await_links(edit.uplinks)

    def remove_bridge(self, name: str, resource: str | None = None) -> None:
        """Remove a bridge with all its ports; gone already is fine."""
        row = self._read().bridge_ids.get(name)
        if row is not None:
            self._apply(
                [mutate("Open_vSwitch", [], "bridges", "delete", _refs([row]))],
                "remove the bridge",
                resource,
            )

    def _find_datapath(self, name: str, state: _State, resource: str | None) -> None:
        """Bring a bridge up whose datapath does not exist here.

        Open vSwitch offers both datapaths whether or not the kernel has its module, and says nothing when a
        bridge does not come up. So the kernel's, the faster, is tried first, and then the one in userspace.
        """
        where = [["_uuid", "==", ["uuid", state.bridge_ids[name]]]]
        was = state.record.bridges[name].datapath
        for datapath in ("netdev",) if was == "system" else ("system", "netdev"):
            self._apply(
                [_update("Bridge", where, {"datapath_type": datapath})],
                f"try the datapath {datapath}",
                resource,
            )
            if self.read().bridges[name].works:
                return
        raise SwitchError(
            [
                Problem(
                    "Open vSwitch cannot bring the bridge up, neither in the kernel nor in userspace",
                    "See /var/log/openvswitch/ovs-vswitchd.log on the node.",
                    self.node,
                    resource,
                )
            ]
        )

    def _refuse_broken_uplinks(
        self, edit: BridgeEdit, bridge: BridgeRecord | None, after: _State, resource: str | None
    ) -> None:
        """Take back a change of uplinks if Open vSwitch could not open one that is new."""
        if edit.uplinks is None:
            return
        port = after.record.bridges[edit.bridge].port(edit.uplink_port)
        old = bridge.port(edit.uplink_port) if bridge else None
        known = {interface.name for interface in old.interfaces} if old else set()
        broken = [
            interface
            for interface in (port.interfaces if port else ())
            if interface.error and interface.name not in known
        ]
        if not broken:
            return
        undo = BridgeEdit(
            bridge=edit.bridge,
            uplink_port=edit.uplink_port,
            uplinks=old.uplinks if old else (),
            bond_mode=old.bond_mode if old else None,
        )
        self._apply(
            _Transaction(after, undo, self.node, resource).operations,
            "take the change of uplinks back",
            resource,
        )
        raise SwitchError(
            [
                Problem(
                    f"uplink {interface.name} cannot be used: {interface.error}",
                    "Its uplinks are as before. Name NICs that the node has and that nothing else uses.",
                    self.node,
                    resource,
                )
                for interface in broken
            ]
        )

    def _await_links(self, uplinks: Iterable[str]) -> None:
        """Wait a moment for the state of new links, which ovs-vswitchd writes a little later than the rest."""
        waits: list[Operation] = [
            {
                "op": "wait",
                "timeout": _LINK_TIMEOUT_MS,
                "table": "Interface",
                "where": [["name", "==", uplink], ["link_state", "==", ["set", []]]],
                "columns": ["name"],
                "until": "==",
                "rows": [],
            }
            for uplink in uplinks
        ]
        with contextlib.suppress(SwitchError):  # it timed out: a NIC may be unable to tell
            self._database.transact(waits, "wait for the links")

    def _read(self) -> _State:
        return _State(self._database.transact(_READ, "read Open vSwitch"))

    def _apply(self, operations: Iterable[Operation], doing: str, resource: str | None) -> None:
        """Carry out operations and wait until ovs-vswitchd has done what they ask for."""
        results = self._database.transact(
            [
                *operations,
                {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
                {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]},
            ],
            doing,
            resource,
        )
        serial = results[-1]["rows"][0]["next_cfg"]
        wait: Operation = {
            "op": "wait",
            "timeout": _APPLY_TIMEOUT_MS,
            "table": "Open_vSwitch",
            "where": [["cur_cfg", ">=", serial]],
            "columns": ["next_cfg"],
            "until": "!=",
            "rows": [],
        }
        try:
            self._database.transact([wait], doing, resource)
        except SwitchError as error:
            problem = Problem(
                f"{doing}: written, but ovs-vswitchd has not done it within {_APPLY_TIMEOUT_MS // 1000} s",
                f"On {self.node}: systemctl status openvswitch-switch; then run again.",
                self.node,
                resource,
            )
            raise SwitchError([problem]) from error


class _State:
    """What was read: records, and the rows behind them, which writing needs."""

    def __init__(self, results: list[dict[str, Any]]) -> None:
        root, bridges, ports, interfaces = (result["rows"] for result in results)
        interface_of = {_id(row): _interface(row) for row in interfaces}
        port_rows = {_id(row): row for row in ports}
        self.bridge_ids: dict[str, Uuid] = {row["name"]: _id(row) for row in bridges}
        self.port_ids: dict[str, Uuid] = {row["name"]: _id(row) for row in ports}
        self.interface_ids: dict[str, Uuid] = {row["name"]: _id(row) for row in interfaces}
        self.other_config_of: dict[str, dict[str, str]] = {row["name"]: dict(row["other_config"][1]) for row in ports}
        # A bridge that came up has its own interface open. Unlike its datapath_version, that is written together
        # with cur_cfg, so it can be relied upon as soon as ovs-vswitchd says that it is done.
        opened = {row["name"] for row in interfaces if _optional(row["ofport"]) not in (None, -1)}
        # Where an interface is: (bridge, port).
        self.place_of: dict[str, tuple[str, str]] = {}
        records = {}
        for row in sorted(bridges, key=lambda row: str(row["name"])):
            members = []
            for port_id in _set(row["ports"]):
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


class _Transaction:
    """The operations of an edit, against what was read."""

    def __init__(self, state: _State, edit: BridgeEdit, node: str, resource: str | None) -> None:
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
            self.operations.append(mutate("Bridge", where, "ports", "delete", _refs(self._gone_ports)))
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
            "bond_mode": _some(self._edit.bond_mode),
            "other_config": map_of(other_config),
            **_vlan_columns(PortVlan()),
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
                "rows": [{"interfaces": _refs(held)}],
            }
        )
        self.operations.append(_update("Port", where, columns))

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
    members = [interfaces[interface] for interface in _set(row["interfaces"])]
    return PortRecord(
        name=row["name"],
        vlan=PortVlan(_optional(row["tag"]), tuple(_set(row["trunks"])), _optional(row["vlan_mode"])),
        bond_mode=_optional(row["bond_mode"]),
        interfaces=tuple(sorted(members, key=lambda interface: interface.name)),
        primary=dict(row["other_config"][1]).get(_PRIMARY),
        active_mac=_optional(row["bond_active_slave"]),
    )


def _interface(row: Mapping[str, Any]) -> InterfaceRecord:
    return InterfaceRecord(
        name=row["name"],
        type=row["type"],
        error=_optional(row["error"]),
        link=_optional(row["link_state"]),
        mac=_optional(row["mac_in_use"]),
    )


# RFC 7047, section 5.1: a set of one is written as its element, a reference as ["uuid", text].


def _id(row: Mapping[str, Any]) -> Uuid:
    return str(row["_uuid"][1])


def _set(value: Any) -> list[Any]:
    items = value[1] if isinstance(value, list) and value[0] == "set" else [value]
    return [item[1] if isinstance(item, list) else item for item in items]


def _optional(value: Any) -> Any:
    items = _set(value)
    return items[0] if items else None


def _some(value: Any) -> Any:
    return ["set", []] if value is None else value


def _refs(ids: Iterable[Uuid]) -> Any:
    return ["set", [["uuid", id_] for id_ in ids]]


def _vlan_columns(vlan: PortVlan) -> dict[str, Any]:
    return {
        "tag": _some(vlan.tag),
        "trunks": ["set", list(vlan.trunks)],
        "vlan_mode": _some(vlan.mode if vlan.mode not in ("access", "trunk") else None),
    }


def _update(table: str, where: list[Any], row: Mapping[str, Any]) -> Operation:
    return {"op": "update", "table": table, "where": where, "row": dict(row)}
