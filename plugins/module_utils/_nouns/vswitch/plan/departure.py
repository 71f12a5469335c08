# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vSwitch that leaves nodes, or goes altogether. Pure."""

from __future__ import annotations

from ...._model.bridge import BridgeRecord
from ...._model.draft import Draft
from ...._model.plan import Change, Step, work_on
from ...._model.rows import Row
from ..labels import KIND, LABEL_ADOPTED, is_ours, network_uuid, uplink_port
from ..rows import plan_forgetting
from ..state import NetworkHave, NodeState
from .targets import find_carried_id


def plan_absent(name: str, row: Row | None, cluster: Row, have: NetworkHave, draft: Draft) -> set[str]:
    """Plan to remove a vSwitch from every node of its cluster. Returns its identifier, if there is any."""
    id_ = row.id if row else find_carried_id(name, cluster, have)
    if id_ is None:
        return set()
    gone = row or Row(id_, KIND, name, cluster.id, {"nodes": []})
    is_known_everywhere = True
    for node in have.nodes_of(cluster.id):
        state = have.states.get(node.name)
        if state is not None:
            take_off(gone, node.name, state, draft)
        elif node.id in gone.attributes["nodes"]:
            # It is forgotten only when it is known to be gone everywhere.
            is_known_everywhere = False
            draft.note_down(node.name, have.down)
    if row is not None and is_known_everywhere:
        groups = have.port_groups_of(row.id)
        changes = [
            Change(f"port_groups.{group.name}", group.attributes.get("vlan") or "untagged", None) for group in groups
        ]
        plan_forgetting(row, draft, within=groups, changes=changes)
    return {id_}


def take_off(row: Row, node: str, state: NodeState, draft: Draft) -> None:
    """Remove a vSwitch from a node, if it is there; before anything else, as its uplinks may be needed."""
    bridge = state.switch.bridges.get(row.name)
    network = state.networks.get(row.name)
    has_bridge = bridge is not None and is_ours(bridge, state, row.id)
    has_network = network is not None and network.config.uuid == network_uuid(row.id, bridge)
    if not has_bridge and not has_network:
        return
    users = state.users(row.name)
    if users:
        draft.refuse(
            f"instances are attached to it: {', '.join(users)}",
            "Put them on port groups of another vSwitch, first.",
            node=node,
            resource=f"{KIND} {row.name}",
        )
        return
    others = _find_others(bridge, row.name) if bridge is not None and has_bridge else []
    if others:
        draft.refuse(
            f"it was adopted, and has ports that are not the cloud's: {', '.join(others)}",
            f"Take them off ({node}: ovs-vsctl del-port), or give it back, as docs/adoption.md tells.",
            node=node,
            resource=f"{KIND} {row.name}",
        )
        return
    steps = []
    # The network first, so that no instance can come up on it any more.
    if has_network:
        steps.append(Step("remove_network", "remove its network"))
    if has_bridge:
        steps.append(Step("remove_bridge", "remove its bridge"))
    draft.first.append(work_on(row, steps, [Change("bridge", row.name, None)], node=node))


def _find_others(bridge: BridgeRecord, vswitch: str) -> list[str]:
    """Return the ports that a bridge had when it was adopted, or was given since by others than the cloud."""
    ours = (vswitch, uplink_port(vswitch))
    return [port.name for port in bridge.ports if port.name not in ours] if LABEL_ADOPTED in bridge.labels else []
