# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches: on each of their nodes an Open vSwitch bridge and a libvirt network of the same name. Pure.

The bridge carries the vSwitch's identifier, the network has its UUID. A bridge or a network of that name without
them belongs to someone else and is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.draft import Draft
from ...._model.errors import Problem
from ...._model.plan import Plan, work_on
from ...hierarchy.plan import find, find_cluster
from ..labels import KIND, network_uuid, uplink_port
from ..rows import plan_registration
from ..spec import Vswitch
from ..state import NetworkHave, NodeState
from .adoption import find_stranger, plan_taking, refuse_nothing
from .bridge import plan_bridge
from .conflicts import find_conflicts
from .context import Context, Target
from .departure import plan_absent, take_off
from .network import plan_network
from .targets import list_changes, resolve
from .uplinks import find_errors, find_shared_uplinks, plan_release


def plan_vswitches(wants: Sequence[Vswitch], have: NetworkHave) -> Plan:
    """Plan to make, change and remove vSwitches."""
    draft = Draft()
    targets: dict[str, Target] = {}
    gone: set[str] = set()
    for want in wants:
        cluster = find_cluster(want.cluster, have.clusters)
        if isinstance(cluster, str):
            draft.refuse(cluster, resource=f"{KIND} {want.name}")
            continue
        row = find(want.name, [row for row in have.vswitches if row.scope == cluster.id])
        if want.state == "absent":
            gone |= plan_absent(want.name, row, cluster, have, draft)
            continue
        target = resolve(want, row, cluster, have)
        if isinstance(target, Problem):
            draft.refusals.append(target)
            continue
        if row is None and want.adopt and not _has_any(target, have):
            named = [node for node in have.nodes_of(cluster.id) if want.nodes is None or node.name in target.nodes]
            refuse_nothing(want, named, have, draft)
            continue
        if want.adopt and want.nodes is None:  # which of these have one, nobody can tell
            for node in have.nodes_of(cluster.id):
                draft.note_down(node.name, have.down)
        targets[target.row.id] = target
        plan_registration(row, target.row, list_changes(row, target.row, have), draft)
    context = Context(have, targets, frozenset(gone))
    draft.refusals += find_shared_uplinks(context)
    for target in targets.values():
        _plan_target(target, context, draft)
    return draft.plan()


def _has_any(target: Target, have: NetworkHave) -> bool:
    """Tell whether a node has a bridge of its name, its own after a lost registry or one to adopt."""
    states = [have.states.get(node) for node in target.nodes]
    return any(state is not None and target.row.name in state.switch.bridges for state in states)


def _plan_target(target: Target, context: Context, draft: Draft) -> None:
    """Plan a vSwitch on all nodes of its cluster: it may have been on others before."""
    have, row = context.have, target.row
    before = find(row.id, have.vswitches) or row
    for node in have.nodes_of(row.scope):
        state = have.states.get(node.name)
        if state is None:
            if node.name in target.nodes or node.id in before.attributes["nodes"]:
                draft.note_down(node.name, have.down)
        elif node.name in target.nodes:
            _plan_on_node(target, node.name, state, context, draft)
        else:
            take_off(row, node.name, state, draft)


def _plan_on_node(target: Target, node: str, state: NodeState, context: Context, draft: Draft) -> None:
    row = target.row
    problems = list(find_conflicts(target, node, state, context))
    if problems:
        draft.refusals += problems
        return
    bridge = state.switch.bridges.get(row.name)
    groups = context.have.port_groups_of(row.id)
    stranger = find_stranger(row.name, state, row.id) if target.adopts else None
    if stranger is not None:
        plan_taking(target, node, stranger, state.networks.get(row.name), groups, draft)
        return
    port = bridge.port(uplink_port(row.name)) if bridge else None
    port = plan_release(target, node, port, context, draft)
    steps, changes = plan_bridge(row, bridge, port, groups)
    draft.warnings += find_errors(target, node, port)
    more_steps, more_changes = plan_network(row, state.networks.get(row.name), groups, network_uuid(row.id, bridge))
    if steps or more_steps:
        draft.works.append(work_on(row, [*steps, *more_steps], [*changes, *more_changes], node=node))
