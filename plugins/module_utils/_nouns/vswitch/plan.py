# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches: on each of their nodes an Open vSwitch bridge and a libvirt network of the same name. Pure.

The bridge carries the vSwitch's identifier, the network has its UUID. A bridge or a network of that name without
them belongs to someone else and is never touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..._model.bridge import ALL_VLANS, BridgeEdit, BridgeRecord, PortRecord
from ..._model.errors import Problem
from ..._model.ids import is_id, new_id, uuid_of
from ..._model.mistake import suggest
from ..._model.plan import Change, Plan, Step, Work
from ..._model.rows import Row
from ..hierarchy.plan import find, find_cluster
from .definition import FORWARD, VIRTUAL_PORT, edit_network, render_network
from .labels import (
    KIND,
    LABEL,
    LABEL_DESCRIPTION,
    LABEL_MANAGEMENT_NIC,
    is_ours,
    labels_of_vswitch,
    uplink_port,
    uplinks_of,
)
from .spec import FIELDS, Vswitch
from .state import NetworkHave, NetworkState, NodeState, names_of


def plan_vswitches(wants: Sequence[Vswitch], have: NetworkHave) -> Plan:
    """Plan to make, change and remove vSwitches."""
    planner = _Planner(have)
    for want in wants:
        planner.add(want)
    return planner.plan()


@dataclass(frozen=True)
class _Target:
    """A vSwitch as it will be. nodes are names."""

    row: Row
    nodes: tuple[str, ...]
    uplinks: frozenset[str]


class _Planner:
    def __init__(self, have: NetworkHave) -> None:
        self._have = have
        self._targets: dict[str, _Target] = {}
        self._first: list[Work] = []
        self._works: list[Work] = []
        self._last: list[Work] = []
        self._refusals: list[Problem] = []
        self._failing: dict[str, Problem] = {}
        self._warnings: list[str] = []
        self._gone: set[str] = set()
        self._shared: set[tuple[str, ...]] = set()

    def add(self, want: Vswitch) -> None:
        cluster = find_cluster(want.cluster, self._have.clusters)
        if isinstance(cluster, str):
            self._refuse(want.name, cluster)
            return
        row = find(want.name, [row for row in self._have.vswitches if row.scope == cluster.id])
        if want.state == "absent":
            self._remove(want.name, row, cluster)
            return
        target = self._target(want, row, cluster)
        if target is None:
            return
        self._targets[target.row.id] = target
        self._register(row, target)

    def plan(self) -> Plan:
        self._refuse_shared_uplinks()
        for target in self._targets.values():
            for node in self._have.nodes_of(target.row.scope):
                state = self._have.states.get(node.name)
                if node.name in target.nodes:
                    if state is None:
                        self._note_down(node.name)
                    else:
                        self._realise(target, node.name, state)
                elif state is not None:
                    self._take_off(target.row, node.name, state)
                elif node.id in (find(target.row.id, self._have.vswitches) or target.row).attributes["nodes"]:
                    self._note_down(node.name)
        return Plan(
            first=tuple(self._first),
            works=tuple(self._works),
            last=tuple(self._last),
            refusals=tuple(self._refusals),
            failures=tuple(self._failing.values()),
            warnings=tuple(self._warnings),
        )

    def _target(self, want: Vswitch, row: Row | None, cluster: Row) -> _Target | None:
        known = self._have.nodes_of(cluster.id)
        nodes = [node for name in want.nodes or () if (node := find(name, known))]
        if want.nodes is None:
            nodes = known if row is None else [node for node in known if node.id in row.attributes["nodes"]]
        for name in want.nodes or ():
            if find(name, known) is None:
                hint = suggest(name, [node.name for node in known])
                self._refuse(want.name, f'"{name}" is not a node of {cluster.name}.{hint}')
                return None
        before = row.attributes if row else {}
        # The first is the preferred one; the order of the others means nothing.
        uplinks = tuple(before.get("uplinks", ()) if want.uplinks is None else want.uplinks)
        id_ = row.id if row else self._known_id(want.name, cluster) or new_id(KIND)
        attributes = {
            "uplinks": list(uplinks[:1]) + sorted(uplinks[1:]),
            "bond_mode": want.bond_mode or before.get("bond_mode") or FIELDS["bond_mode"].made,
            "nodes": sorted(node.id for node in nodes),
            "description": before.get("description") if want.description is None else want.description,
        }
        return _Target(
            Row(id_, KIND, want.name, cluster.id, attributes),
            tuple(sorted({node.name for node in nodes})),
            frozenset(uplinks),
        )

    def _known_id(self, name: str, cluster: Row) -> str | None:
        """Return the identifier that bridges of this name carry, where the registry has lost it."""
        for node in self._have.nodes_of(cluster.id):
            state = self._have.states.get(node.name)
            bridge = state.switch.bridges.get(name) if state else None
            label = bridge.labels.get(LABEL, "") if bridge else ""
            if is_id(label, KIND) and find(label, self._have.vswitches) is None:
                return label
        return None

    def _register(self, row: Row | None, target: _Target) -> None:
        new = target.row
        if row == new:
            return
        before = self._shown(row) if row else {}
        after = self._shown(new)
        changes = [] if row else [Change("name", None, new.name)]
        changes += [
            Change(key, before.get(key), value)
            for key, value in after.items()
            if value != before.get(key) and (row or value not in (None, []))
        ]
        step = Step("register", "register" if row is None else "change", {"row": new})
        self._first.append(Work(kind=KIND, name=new.name, id=new.id, steps=(step,), changes=tuple(changes)))

    def _shown(self, row: Row) -> dict[str, Any]:
        shown = {key: row.attributes.get(key) for key in ("uplinks", "bond_mode", "description")}
        return shown | {"nodes": names_of(row.attributes.get("nodes", ()), self._have.nodes)}

    def _refuse_shared_uplinks(self) -> None:
        """Rule: a NIC is an uplink of one vSwitch. Looks at vSwitches as they will be, so that NICs can move."""
        final = [
            (row.name, row.scope, names_of(row.attributes["nodes"], self._have.nodes), row.attributes["uplinks"])
            for row in self._have.vswitches
            if row.id not in self._targets and row.id not in self._gone
        ]
        final += [
            (target.row.name, target.row.scope, list(target.nodes), sorted(target.uplinks))
            for target in self._targets.values()
        ]
        users: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, _scope, nodes, uplinks in final:
            for node in nodes:
                for uplink in uplinks:
                    users[node, uplink].append(name)
        self._shared = {(uplink, *names) for (_, uplink), names in users.items() if len(names) > 1}
        for uplink, *names in sorted(self._shared):
            self._refuse(
                names[-1],
                f"{uplink} would be an uplink of {' and of '.join(names)}",
                "A NIC is an uplink of one vSwitch; take it off the other.",
            )

    # On one node

    def _realise(self, target: _Target, node: str, state: NodeState) -> None:
        row = target.row
        bridge = state.switch.bridges.get(row.name)
        network = state.networks.get(row.name)
        if not self._may_have(target, node, state, bridge):
            return
        steps: list[Step] = []
        changes: list[Change] = []
        port = bridge.port(uplink_port(row.name)) if bridge else None
        leaving = self._free_for_others(target, node, port)
        if port is not None and leaving:
            port = _without(port, leaving)
        self._plan_bridge(target, bridge, port, steps, changes)
        self._warn_of_errors(target, node, port)
        if network is None:
            groups = self._have.port_groups_of(row.id)
            vlans = {group.name: group.attributes.get("vlan") for group in groups}
            xml = render_network(row.name, uuid_of(row.id), vlans)
        else:
            # Its port groups are the business of their own module, which would otherwise miss what changed them.
            xml = edit_network(network.xml)
        wrong = _network_changes(row.name, network)
        if wrong:
            text = "define and start its network" if network is None else "mend its network"
            steps.append(Step("network", text, {"xml": xml}))
            changes += wrong
        if steps:
            self._works.append(
                Work(kind=KIND, name=row.name, id=row.id, node=node, steps=tuple(steps), changes=tuple(changes))
            )

    def _may_have(self, target: _Target, node: str, state: NodeState, bridge: BridgeRecord | None) -> bool:
        row = target.row
        refused = len(self._refusals)
        if bridge is not None and not is_ours(bridge, state, row.id):
            self._refuse(
                row.name,
                "the node has a bridge of this name that is not this vSwitch"
                + (f" but {bridge.labels[LABEL]}" if LABEL in bridge.labels else ""),
                "Nothing that belongs to someone else is touched. Choose another number, or remove that bridge.",
                node,
            )
        for name, network in state.networks.items():
            same_uuid = network.config.uuid == uuid_of(row.id)
            if (name == row.name) != same_uuid:
                self._refuse(
                    row.name,
                    f"libvirt has a network {name} there that is not this vSwitch's, but has its "
                    f"{'UUID' if same_uuid else 'name'}",
                    f"Nothing that belongs to someone else is touched. On {node}: virsh net-undefine {name}.",
                    node,
                )
        management = state.switch.labels.get(LABEL_MANAGEMENT_NIC)
        if management in target.uplinks:
            self._refuse(
                row.name,
                f"{management} carries the node's management address; as an uplink it would cut the node off",
                "Use another NIC.",
                node,
            )
        for other in state.switch.bridges.values():
            taken = {nic for port in other.ports for nic in nics_of(port)} & target.uplinks
            taken -= {uplink for uplink, *names in self._shared if row.name in names}
            if other.name == row.name or not taken:
                continue
            if not any(t.row.name == other.name and is_ours(other, state, t.row.id) for t in self._targets.values()):
                if other.labels.get(LABEL) in self._gone:
                    continue
                self._refuse(
                    row.name,
                    f"{', '.join(sorted(taken))} is used by the bridge {other.name}",
                    "Take it off there first.",
                    node,
                )
        return len(self._refusals) == refused

    def _free_for_others(self, target: _Target, node: str, port: PortRecord | None) -> frozenset[str]:
        """Let NICs that move to another vSwitch of this call leave before they arrive there. Returns them."""
        current = frozenset(uplinks_of(port))
        claimed = {
            uplink
            for other in self._targets.values()
            if other is not target and node in other.nodes
            for uplink in other.uplinks
        }
        leaving = (current & claimed) - target.uplinks
        if not leaving:
            return leaving
        edit = BridgeEdit(
            bridge=target.row.name,
            uplink_port=uplink_port(target.row.name),
            uplinks=tuple(uplink for uplink in port.uplinks if uplink not in leaving) if port else (),
            bond_mode=target.row.attributes["bond_mode"],
        )
        self._first.append(
            Work(
                kind=KIND,
                name=target.row.name,
                id=target.row.id,
                node=node,
                steps=(Step("bridge", f"release {', '.join(sorted(leaving))}", {"edit": edit}),),
                changes=(Change("uplinks", sorted(current), sorted(current - leaving)),),
            )
        )
        return leaving

    def _plan_bridge(
        self,
        target: _Target,
        bridge: BridgeRecord | None,
        port: PortRecord | None,
        steps: list[Step],
        changes: list[Change],
    ) -> None:
        row = target.row
        bond_mode = row.attributes["bond_mode"]
        labels: dict[str, str | None] = dict(labels_of_vswitch(row, ()))
        labels.setdefault(LABEL_DESCRIPTION, None)
        held: Mapping[str, str] = bridge.labels if bridge else {}
        stale = {key: value for key, value in labels.items() if held.get(key) != value}
        texts = []
        wanted = row.attributes["uplinks"]
        uplinks = list(uplinks_of(port))
        is_port_wrong = set(uplinks) != set(wanted)
        if bridge is None:
            groups = self._have.port_groups_of(row.id)
            stale = dict(labels_of_vswitch(row, groups))
            texts.append("make its bridge")
            changes.append(Change("bridge", None, row.name))
        elif not bridge.works:
            texts.append("bring its bridge up")
            changes.append(Change("bridge", f"does not come up in the datapath {bridge.datapath}", "works"))
        if is_port_wrong:
            texts.append("set its uplinks")
            changes.append(Change("uplinks", uplinks if bridge else None, wanted))
        if port is not None and wanted:
            settings: tuple[tuple[str, str, Any, Any], ...] = (
                ("set its bond mode", "bond_mode", port.bond_mode, bond_mode),
                ("set its preferred uplink", "preferred_uplink", port.primary, wanted[0]),
                ("let its uplinks carry all VLANs", "uplinks.vlan", port.vlan, ALL_VLANS),
            )
            for text, key, current, value in settings:
                if current != value:
                    is_port_wrong = True
                    texts.append(text)
                    changes.append(Change(key, "not set" if current is None else str(current), str(value)))
        if stale and bridge is not None:
            texts.append("label its bridge")
            changes += [Change(f"labels.{key}", held.get(key), value) for key, value in sorted(stale.items())]
        if texts:
            edit = BridgeEdit(
                bridge=row.name,
                create=bridge is None,
                uplink_port=uplink_port(row.name),
                uplinks=tuple(wanted) if is_port_wrong else None,
                bond_mode=bond_mode,
                labels=stale,
            )
            steps.append(Step("bridge", ", ".join(texts), {"edit": edit}))

    def _warn_of_errors(self, target: _Target, node: str, port: PortRecord | None) -> None:
        for interface in port.interfaces if port else ():
            if interface.error and interface.name in target.uplinks:
                self._warnings.append(
                    f"{node}: vswitch {target.row.name}: uplink {interface.name} does not work: {interface.error}"
                )

    # Removing

    def _remove(self, name: str, row: Row | None, cluster: Row) -> None:
        id_ = row.id if row else self._known_id(name, cluster)
        if id_ is None:
            return
        self._gone.add(id_)
        gone = row or Row(id_, KIND, name, cluster.id, {"nodes": []})
        is_known_everywhere = True
        for node in self._have.nodes_of(cluster.id):
            state = self._have.states.get(node.name)
            if state is not None:
                self._take_off(gone, node.name, state)
            elif node.id in gone.attributes["nodes"]:
                # It is forgotten only when it is known to be gone everywhere.
                is_known_everywhere = False
                self._note_down(node.name)
        if row is None or not is_known_everywhere:
            return
        groups = self._have.port_groups_of(row.id)
        changes = [Change("name", name, None)]
        changes += [
            Change(f"port_groups.{group.name}", group.attributes.get("vlan") or "untagged", None) for group in groups
        ]
        step = Step("forget", "remove", {"ids": [*(group.id for group in groups), row.id]})
        self._last.append(Work(kind=KIND, name=name, id=row.id, steps=(step,), changes=tuple(changes)))

    def _take_off(self, row: Row, node: str, state: NodeState) -> None:
        """Remove a vSwitch from a node, if it is there; before anything else, as its uplinks may be needed."""
        bridge = state.switch.bridges.get(row.name)
        network = state.networks.get(row.name)
        has_bridge = bridge is not None and is_ours(bridge, state, row.id)
        has_network = network is not None and network.config.uuid == uuid_of(row.id)
        if not has_bridge and not has_network:
            return
        users = state.users(row.name)
        if users:
            self._refuse(
                row.name,
                f"instances are attached to it: {', '.join(users)}",
                "Remove them, or put them on port groups of another vSwitch, first.",
                node,
            )
            return
        steps = []
        # The network first, so that no instance can come up on it any more.
        if has_network:
            steps.append(Step("remove_network", "remove its network"))
        if has_bridge:
            steps.append(Step("remove_bridge", "remove its bridge"))
        self._first.append(
            Work(
                kind=KIND,
                name=row.name,
                id=row.id,
                node=node,
                steps=tuple(steps),
                changes=(Change("bridge", row.name, None),),
            )
        )

    def _note_down(self, node: str) -> None:
        if node in self._have.down:
            self._failing[node] = self._have.down[node]

    def _refuse(self, name: str, what: str, remedy: str = "", node: str | None = None) -> None:
        self._refusals.append(Problem(what, remedy, node, f"{KIND} {name}"))


def _network_changes(name: str, network: NetworkState | None) -> list[Change]:
    if network is None:
        return [Change("network", None, name)]
    wanted = {"forward": FORWARD, "bridge": name, "virtual_port": VIRTUAL_PORT}
    changes = [
        Change(f"network.{key}", getattr(network.config, key) or "none", value)
        for key, value in wanted.items()
        if getattr(network.config, key) != value
    ]
    if not network.active:
        changes.append(Change("network", "stopped", "started"))
    if not network.autostart:
        changes.append(Change("network.autostart", False, True))
    return changes


def _without(port: PortRecord, leaving: frozenset[str]) -> PortRecord:
    """Return a port as it is once these interfaces have left it; the edit that takes them off prefers the first."""
    rest = tuple(interface for interface in port.interfaces if interface.name not in leaving)
    order = [uplink for uplink in port.uplinks if uplink not in leaving]
    return replace(port, interfaces=rest, primary=order[0] if order else None)


def nics_of(port: PortRecord) -> set[str]:
    return {interface.name for interface in port.interfaces if interface.type in ("", "system")}
