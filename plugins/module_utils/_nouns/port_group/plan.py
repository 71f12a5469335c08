# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port groups: on each node of their vSwitch a port group of the libvirt network, and the VLANs of the ports of
running instances. Pure.

The network decides for instances that start, the port for those that run; both are compared, and both follow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..._model.bridge import BridgeRecord, access
from ..._model.errors import Problem
from ..._model.ids import is_id, new_id
from ..._model.mistake import suggest
from ..._model.plan import (
    Change,
    Plan,
    Step,
    Work,
)
from ..._model.rows import Row
from ..hierarchy.plan import find, find_cluster
from ..vswitch.definition import edit_port_group, render_port_group
from ..vswitch.labels import is_ours, port_group_label, port_group_label_value
from ..vswitch.state import NetworkHave, NodeState, names_of
from .spec import PortGroup

KIND = "port_group"


def plan_port_groups(wants: Sequence[PortGroup], have: NetworkHave) -> Plan:
    """Plan to make, change and remove port groups."""
    planner = _Planner(have)
    for want in wants:
        planner.add(want)
    return planner.plan()


class _Planner:
    def __init__(self, have: NetworkHave) -> None:
        self._have = have
        self._first: list[Work] = []
        self._works: list[Work] = []
        self._last: list[Work] = []
        self._refusals: list[Problem] = []
        self._failing: dict[str, Problem] = {}
        self._warnings: list[str] = []

    def add(self, want: PortGroup) -> None:
        cluster = find_cluster(want.cluster, self._have.clusters)
        if isinstance(cluster, str):
            self._refuse(want.name, cluster)
            return
        row = find(want.name, [row for row in self._have.port_groups if row.scope == cluster.id])
        if want.state == "absent":
            if row is not None:
                self._remove(row)
            return
        vswitch = self._vswitch(want, row, cluster)
        if vswitch is None:
            return
        if row is not None and row.attributes["vswitch"] != vswitch.id:
            self._leave(row)
        before = row.attributes if row else {}
        attributes = {
            "vswitch": vswitch.id,
            "vlan": before.get("vlan") if want.vlan is None else want.vlan or None,
            "description": before.get("description") if want.description is None else want.description,
        }
        id_ = row.id if row else self._known_id(want.name, vswitch) or new_id(KIND)
        new = Row(id_, KIND, want.name, cluster.id, attributes)
        self._register(row, new, vswitch)
        for node in names_of(vswitch.attributes["nodes"], self._have.nodes):
            state = self._have.states.get(node)
            if state is None:
                self._note_down(node)
            else:
                self._realise(new, vswitch, node, state)

    def plan(self) -> Plan:
        return Plan(
            first=tuple(self._first),
            works=tuple(self._works),
            last=tuple(self._last),
            refusals=tuple(self._refusals),
            failures=tuple(self._failing.values()),
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    def _vswitch(self, want: PortGroup, row: Row | None, cluster: Row) -> Row | None:
        """Return the vSwitch that is meant: the named, the present, or the only one."""
        known = [vswitch for vswitch in self._have.vswitches if vswitch.scope == cluster.id]
        reference = want.vswitch or (row.attributes["vswitch"] if row else None)
        if reference is None and len(known) == 1:
            return known[0]
        names = [vswitch.name for vswitch in known]
        if reference is None:
            what = f"say which vSwitch it belongs to: {' or '.join(names)}" if names else "there is no vSwitch yet"
            self._refuse(want.name, what, "" if names else "Make one with pextra_vswitch first.")
            return None
        found = find(reference, known)
        if found is None:
            self._refuse(want.name, f'"{reference}" is not a vSwitch of {cluster.name}.{suggest(reference, names)}')
        return found

    def _known_id(self, name: str, vswitch: Row) -> str | None:
        """Return the identifier that the vSwitch's bridges carry for it, where the registry has lost it."""
        for state in self._have.states.values():
            bridge = state.switch.bridges.get(vswitch.name)
            label = bridge.labels.get(port_group_label(Row("", KIND, name))) if bridge else None
            if label is None:
                continue
            try:
                id_ = json.loads(label).get("id")
            except (ValueError, AttributeError):
                continue
            if is_id(str(id_), KIND) and find(id_, self._have.port_groups) is None:
                return str(id_)
        return None

    def _register(self, row: Row | None, new: Row, vswitch: Row) -> None:
        if row == new:
            return
        changes = [] if row else [Change("name", None, new.name)]
        before = row.attributes if row else {}
        for key, value in new.attributes.items():
            old = before.get(key)
            if row is not None and old == value:
                continue
            if key == "vswitch":
                changes.append(Change(key, self._name_of_vswitch(old), vswitch.name))
            elif key == "vlan":
                changes.append(Change(key, str(access(old)) if row else None, str(access(value))))
            elif value is not None or row is not None:
                changes.append(Change(key, old, value))
        step = Step("register", "register" if row is None else "change", {"row": new})
        self._first.append(Work(kind=KIND, name=new.name, id=new.id, steps=(step,), changes=tuple(changes)))

    def _name_of_vswitch(self, id_: str | None) -> str | None:
        row = find(id_, self._have.vswitches) if id_ else None
        return row.name if row else id_

    # On one node

    def _realise(self, row: Row, vswitch: Row, node: str, state: NodeState) -> None:
        bridge = state.switch.bridges.get(vswitch.name)
        network = state.networks.get(vswitch.name)
        if bridge is None or network is None or not is_ours(bridge, state, vswitch.id):
            self._warnings.append(
                f"{node}: {vswitch.name} is not there as declared; pextra_vswitch puts it there, with its port groups"
            )
            return
        steps: list[Step] = []
        changes: list[Change] = []
        wanted = access(row.attributes["vlan"])
        current = network.config.port_groups.get(row.name)
        if current != wanted:
            data = {
                "network": vswitch.name,
                "command": "add" if current is None else "modify",
                "xml": edit_port_group(network.xml, row.name, row.attributes["vlan"]),
            }
            steps.append(Step("network", f"set VLAN {wanted} in the network", data))
            changes.append(Change("network.vlan", None if current is None else str(current), str(wanted)))
        key, value = port_group_label(row), port_group_label_value(row)
        if bridge.labels.get(key) != value:
            steps.append(Step("label", "label the bridge", {"bridge": vswitch.name, "labels": {key: value}}))
            if not changes:  # otherwise it only repeats what they say
                changes.append(Change(f"labels.{key}", bridge.labels.get(key), value))
        self._plan_ports(row, vswitch, bridge, node, state, steps, changes)
        if steps:
            self._works.append(
                Work(kind=KIND, name=row.name, id=row.id, node=node, steps=tuple(steps), changes=tuple(changes))
            )

    def _plan_ports(
        self,
        row: Row,
        vswitch: Row,
        bridge: BridgeRecord,
        node: str,
        state: NodeState,
        steps: list[Step],
        changes: list[Change],
    ) -> None:
        """Let the ports of running instances follow, all of the node in one transaction."""
        wanted = access(row.attributes["vlan"])
        stale: dict[str, int | None] = {}
        for nic in state.running:
            if (nic.network, nic.port_group) != (vswitch.name, row.name) or nic.port is None:
                continue
            port = bridge.port(nic.port)
            if port is None:
                self._warnings.append(
                    f"{node}: instance {nic.instance} is off the network: its port {nic.port} is not on "
                    f"{vswitch.name}. Restart the instance, or detach and attach its NIC."
                )
            elif port.vlan != wanted:
                stale[nic.port] = row.attributes["vlan"]
                changes.append(Change(f"instances.{nic.instance}.{nic.port}.vlan", str(port.vlan), str(wanted)))
        if stale:
            text = f"set VLAN {wanted} on {len(stale)} running NIC{'s' if len(stale) > 1 else ''}"
            steps.append(Step("ports", text, {"vlans": stale}))

    # Removing

    def _remove(self, row: Row) -> None:
        if not self._leave(row):
            return
        step = Step("forget", "remove", {"ids": [row.id]})
        self._last.append(
            Work(kind=KIND, name=row.name, id=row.id, steps=(step,), changes=(Change("name", row.name, None),))
        )

    def _leave(self, row: Row) -> bool:
        """Take a port group off the nodes it is registered on. Returns whether all of them answer."""
        vswitch = find(row.attributes["vswitch"], self._have.vswitches)
        if vswitch is None:
            return True
        is_known_everywhere = True
        for node in names_of(vswitch.attributes["nodes"], self._have.nodes):
            state = self._have.states.get(node)
            if state is None:
                is_known_everywhere = False
                self._note_down(node)
                continue
            users = state.users(vswitch.name, row.name)
            if users:
                self._refuse(
                    row.name,
                    f"instances are attached to it: {', '.join(users)}",
                    "Remove them, or put them on another port group, first.",
                    node,
                )
                continue
            self._take_off(row, vswitch, node, state)
        return is_known_everywhere

    def _take_off(self, row: Row, vswitch: Row, node: str, state: NodeState) -> None:
        bridge = state.switch.bridges.get(vswitch.name)
        network = state.networks.get(vswitch.name)
        steps = []
        if network is not None and row.name in network.config.port_groups:
            data = {"network": vswitch.name, "command": "delete", "xml": render_port_group(row.name, None)}
            steps.append(Step("network", "remove it from the network", data))
        key = port_group_label(row)
        if bridge is not None and key in bridge.labels:
            steps.append(Step("label", "remove its label", {"bridge": vswitch.name, "labels": {key: None}}))
        if steps:
            self._first.append(
                Work(
                    kind=KIND,
                    name=row.name,
                    id=row.id,
                    node=node,
                    steps=tuple(steps),
                    changes=(Change(f"port_groups.{row.name}", vswitch.name, None),),
                )
            )

    def _note_down(self, node: str) -> None:
        if node in self._have.down:
            self._failing[node] = self._have.down[node]

    def _refuse(self, name: str, what: str, remedy: str = "", node: str | None = None) -> None:
        self._refusals.append(Problem(what, remedy, node, f"{KIND} {name}"))
