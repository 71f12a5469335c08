# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only door to a node's Open vSwitch: typed records in, one transaction per change out.

Everything is read in one round trip; a change is one transaction, after which ovs-vswitchd is waited for and
asked whether it could do it. Safe to use from several threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from ..._model.bridge import (
    BridgeEdit,
    BridgeRecord,
    PortVlan,
    SwitchRecord,
    access,
)
from ..._model.errors import Problem, SwitchError
from .edits import State, Transaction, vlan_columns
from .protocol import Ovsdb
from .values import (
    Operation,
    mutate,
    refs,
    update,
)

_APPLY_TIMEOUT_MS = 10_000

_LINK_TIMEOUT_MS = 1_000

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

_FIND_LOST: Operation = {
    "op": "select",
    "table": "Interface",
    "where": [["ofport", "==", -1], ["external_ids", "includes", ["map", [["iface-status", "active"]]]]],
    "columns": ["name"],
}


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
            update("Port", [["name", "==", port]], vlan_columns(access(vlan))) for port, vlan in vlans.items()
        ]
        if operations:
            self._apply(operations, "set VLANs", resource)

    def remove_lost_ports(self, resource: str | None = None) -> None:
        """Remove the ports of guests' NICs that are no more: libvirt has made them, and there is no device for them.

        libvirt leaves one where it could not finish it, or went down with its node. The next NIC of its name would get
        it as it is, with its VLAN.
        """
        (found,) = self._database.transact([_FIND_LOST], "look for lost ports", resource)
        names = [row["name"] for row in found["rows"]]
        if not names:
            return
        state = self._read()
        operations: list[Operation] = []
        for name in names:
            bridge, port = state.place_of.get(name, ("", ""))
            if port == name:  # libvirt has given both the name of the device
                where = [["_uuid", "==", ["uuid", state.bridge_ids[bridge]]]]
                operations.append(mutate("Bridge", where, "ports", "delete", refs([state.port_ids[port]])))
        if operations:
            self._apply(operations, "remove lost ports", resource)

    def edit_bridge(self, edit: BridgeEdit, resource: str | None = None) -> None:
        """Change one bridge. Raises SwitchError if it cannot be done; its uplinks are then as before."""
        before = self._read()
        bridge = before.record.bridges.get(edit.bridge)
        if bridge is None and not edit.create:
            raise SwitchError(
                [Problem("the bridge is gone", "Something else is changing it; run again.", self.node, resource)]
            )
        transaction = Transaction(before, edit, self.node, resource)
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
                [mutate("Open_vSwitch", [], "bridges", "delete", refs([row]))],
                "remove the bridge",
                resource,
            )

    def _find_datapath(self, name: str, state: State, resource: str | None) -> None:
        """Bring a bridge up whose datapath does not exist here.

        Open vSwitch offers both datapaths whether or not the kernel has its module, and says nothing when a
        bridge does not come up. So the kernel's, the faster, is tried first, and then the one in userspace.
        """
        where = [["_uuid", "==", ["uuid", state.bridge_ids[name]]]]
        was = state.record.bridges[name].datapath
        for datapath in ("netdev",) if was == "system" else ("system", "netdev"):
            self._apply(
                [update("Bridge", where, {"datapath_type": datapath})],
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
        self, edit: BridgeEdit, bridge: BridgeRecord | None, after: State, resource: str | None
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
            Transaction(after, undo, self.node, resource).operations,
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

    def _read(self) -> State:
        return State(self._database.transact(_READ, "read Open vSwitch"))

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
