# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port groups: on each node of their vSwitch a port group of the libvirt network, and the VLANs of the ports of
running instances. Pure.

The network decides for instances that start, the port for those that run; both are compared, and both follow.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..._model.bridge import BridgeRecord, access
from ..._model.draft import Draft
from ..._model.ids import new_id
from ..._model.plan import Change, Plan, Step, work_on
from ..._model.rows import Row, name_of, names_of
from ..hierarchy.plan import find, find_cluster, find_within
from ..vswitch.definition import edit_port_group, render_port_group
from ..vswitch.labels import is_ours, port_group_from_label, port_group_label, port_group_label_value
from ..vswitch.rows import plan_forgetting, plan_registration
from ..vswitch.state import NetworkHave, NodeState
from .adoption import as_found, find_stranger, has_strangers, list_held, only_take, refuse_nothing, refuse_others
from .spec import PortGroup

KIND = "port_group"


def is_leaving(want: PortGroup, rows: Sequence[Row]) -> bool:
    """Tell whether a port group that is registered is to leave its vSwitch: who uses it there has to be read before
    planning. rows: the clusters, vSwitches and port groups that are registered.
    """
    cluster = find_cluster(want.cluster, [row for row in rows if row.kind == "cluster"])
    if isinstance(cluster, str):
        return False
    row = find(want.name, [row for row in rows if (row.kind, row.scope) == (KIND, cluster.id)])
    if row is None:
        return False
    current = row.attributes["vswitch"]
    return want.state == "absent" or want.vswitch not in (None, current, name_of(current, rows))


def plan_port_groups(wants: Sequence[PortGroup], have: NetworkHave) -> Plan:
    """Plan to make, change and remove port groups."""
    draft = Draft()
    for want in wants:
        cluster = find_cluster(want.cluster, have.clusters)
        if isinstance(cluster, str):
            draft.refuse(cluster, resource=f"{KIND} {want.name}")
            continue
        row = find(want.name, [row for row in have.port_groups if row.scope == cluster.id])
        if want.state == "present":
            _plan_present(want, row, cluster, have, draft)
        elif row is not None and _leave(row, have, draft):
            plan_forgetting(row, draft)
    # The same is said of a vSwitch for each of its port groups.
    draft.warnings = list(dict.fromkeys(draft.warnings))
    return draft.plan()


def _plan_present(want: PortGroup, row: Row | None, cluster: Row, have: NetworkHave, draft: Draft) -> None:
    vswitch = _find_vswitch(want, row, cluster, have, draft)
    if vswitch is None:
        return
    if row is not None and row.attributes["vswitch"] != vswitch.id:
        _leave(row, have, draft)
    carried = _find_carried(want.name, vswitch, have) if row is None else None
    if row is None and want.adopt:
        if carried is None and not has_strangers(want.name, vswitch, have):
            refuse_nothing(want.name, vswitch, have, draft)
            return
        want = as_found(want, list_held(want.name, vswitch, have))
    known = row or carried
    before = known.attributes if known else {}
    attributes = {
        "vswitch": vswitch.id,
        "vlan": before.get("vlan") if want.vlan is None else want.vlan or None,
        "description": before.get("description") if want.description is None else want.description,
    }
    new = Row(known.id if known else new_id(KIND), KIND, want.name, cluster.id, attributes)
    plan_registration(row, new, _list_changes(row, new, vswitch, have), draft)
    for node in names_of(vswitch.attributes["nodes"], have.nodes):
        state = have.states.get(node)
        if state is None:
            draft.note_down(node, have.down)
        else:
            is_taken = want.adopt and find_stranger(want.name, vswitch, state) is not None
            works = len(draft.works)
            _plan_on_node(new, vswitch, node, state, draft)
            if is_taken:
                only_take(draft, works)
            elif row is None:
                refuse_others(want.name, vswitch, node, state, draft, works)


def _find_vswitch(want: PortGroup, row: Row | None, cluster: Row, have: NetworkHave, draft: Draft) -> Row | None:
    """Return the vSwitch that is meant: the named, the present, or the only one."""
    known = [vswitch for vswitch in have.vswitches if vswitch.scope == cluster.id]
    reference = want.vswitch or (row.attributes["vswitch"] if row else None)
    if reference is None and len(known) == 1:
        return known[0]
    names = [vswitch.name for vswitch in known]
    label = f"{KIND} {want.name}"
    if reference is None:
        what = f"say which vSwitch it belongs to: {' or '.join(names)}" if names else "there is no vSwitch yet"
        draft.refuse(what, "" if names else "Make one with pextra_vswitch first.", resource=label)
        return None
    found = find_within(reference, known, f"a vSwitch of {cluster.name}")
    if isinstance(found, str):
        draft.refuse(found, resource=label)
        return None
    return found


def _find_carried(name: str, vswitch: Row, have: NetworkHave) -> Row | None:
    """Return it as the vSwitch's bridges carry it, where the registry has lost it."""
    for state in have.states.values():
        bridge = state.switch.bridges.get(vswitch.name)
        label = bridge.labels.get(port_group_label(Row("", KIND, name))) if bridge else None
        row = port_group_from_label(name, label, vswitch.id, vswitch.scope) if label is not None else None
        if row is not None and find(row.id, have.port_groups) is None:
            return row
    return None


def _list_changes(row: Row | None, new: Row, vswitch: Row, have: NetworkHave) -> list[Change]:
    """Return in what a port group will differ from what is registered."""
    changes = []
    before = row.attributes if row else {}
    for key, value in new.attributes.items():
        old = before.get(key)
        if row is not None and old == value:
            continue
        if key == "vswitch":
            changes.append(Change(key, name_of(old, have.vswitches) or old if old else None, vswitch.name))
        elif key == "vlan":
            changes.append(Change(key, str(access(old)) if row else None, str(access(value))))
        elif value is not None or row is not None:
            changes.append(Change(key, old, value))
    return changes


# On one node


def _plan_on_node(row: Row, vswitch: Row, node: str, state: NodeState, draft: Draft) -> None:
    bridge = state.switch.bridges.get(vswitch.name)
    network = state.networks.get(vswitch.name)
    if bridge is None or network is None or not is_ours(bridge, state, vswitch.id):
        draft.warnings.append(
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
    stale = _find_stale_ports(row, vswitch, bridge, node, state, draft)
    if stale:
        text = f"set VLAN {wanted} on {len(stale)} running NIC{'s' if len(stale) > 1 else ''}"
        steps.append(Step("ports", text, {"vlans": dict.fromkeys(stale, row.attributes["vlan"])}))
        changes += stale.values()
    if steps:
        draft.works.append(work_on(row, steps, changes, node=node))


def _find_stale_ports(
    row: Row, vswitch: Row, bridge: BridgeRecord, node: str, state: NodeState, draft: Draft
) -> dict[str, Change]:
    """Return the ports of running instances that have to follow, all of the node in one transaction. Ports of what is
    not ours stay as they are.
    """
    wanted = access(row.attributes["vlan"])
    stale: dict[str, Change] = {}
    for nic in state.running:
        if (nic.network, nic.port_group) != (vswitch.name, row.name) or nic.port is None:
            continue
        port = bridge.port(nic.port)
        if port is None:
            draft.warnings.append(
                f"{node}: instance {nic.instance} is off the network: its port {nic.port} is not on "
                f"{vswitch.name}. Restart the instance, or detach and attach its NIC."
            )
        elif port.vlan != wanted and not nic.is_ours:
            # It may have a VLAN of its own, and is not touched.
            draft.warnings.append(
                f"{node}: port {nic.port} of {nic.instance} is not the cloud's, and stays on VLAN {port.vlan}, not "
                f"{wanted}, as port group {row.name} has it"
            )
        elif port.vlan != wanted:
            stale[nic.port] = Change(f"instances.{nic.instance}.{nic.port}.vlan", str(port.vlan), str(wanted))
    return stale


# Removing


def _leave(row: Row, have: NetworkHave, draft: Draft) -> bool:
    """Take a port group off the nodes it is registered on. Returns whether all of them answer."""
    vswitch = find(row.attributes["vswitch"], have.vswitches)
    if vswitch is None:
        return True
    is_known_everywhere = True
    for node in names_of(vswitch.attributes["nodes"], have.nodes):
        state = have.states.get(node)
        if state is None:
            is_known_everywhere = False
            draft.note_down(node, have.down)
            continue
        users = state.users(vswitch.name, row.name)
        if users:
            draft.refuse(
                f"instances are attached to it: {', '.join(users)}",
                "Put them on another port group, first.",
                node=node,
                resource=f"{KIND} {row.name}",
            )
            continue
        _take_off(row, vswitch, node, state, draft)
    return is_known_everywhere


def _take_off(row: Row, vswitch: Row, node: str, state: NodeState, draft: Draft) -> None:
    bridge = state.switch.bridges.get(vswitch.name)
    network = state.networks.get(vswitch.name)
    if bridge is not None and not is_ours(bridge, state, vswitch.id):
        return  # it was given back
    steps = []
    if network is not None and row.name in network.config.port_groups:
        data = {"network": vswitch.name, "command": "delete", "xml": render_port_group(row.name, None)}
        steps.append(Step("network", "remove it from the network", data))
    key = port_group_label(row)
    if bridge is not None and key in bridge.labels:
        steps.append(Step("label", "remove its label", {"bridge": vswitch.name, "labels": {key: None}}))
    if steps:
        change = Change(f"port_groups.{row.name}", vswitch.name, None)
        draft.first.append(work_on(row, steps, [change], node=node))
