# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge that was there before becomes a vSwitch as it is, with the libvirt network that leads to it. Pure.

It is registered, and the bridge gets its labels, which say what UUID its network has: on each node it has its own.
Labels of port groups that it bears from a vSwitch that it once was go: they would make known what is nobody's.
Nothing else of it changes: ports that are not its uplinks stay. A call that wants it otherwise than it is, is refused.
A network is made where there is none, started, and starts with its node, as every one of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...._model.bridge import BridgeRecord, access
from ...._model.draft import Draft
from ...._model.errors import Problem
from ...._model.ids import uuid_of
from ...._model.plan import Change, work_on
from ...._model.rows import Row
from ..labels import (
    ADOPTED_ALONE,
    KIND,
    LABEL,
    LABEL_ADOPTED,
    LABEL_PORT_GROUP,
    is_ours,
    port_group_label,
    uplink_port,
)
from ..spec import Vswitch
from ..state import NetworkHave, NetworkState, NodeState
from .bridge import plan_bridge
from .context import Target
from .network import plan_network

_REMEDY = (
    "Adopt it as it is first: leave this out, or declare what it has. pextra_vswitch_info with foreign: true says what "
    "that is. Then change it."
)
# What of a network is brought about, though nobody names it: that it is there and runs.
_BROUGHT_ABOUT = ("network", "network.autostart")


def find_stranger(name: str, state: NodeState | None, id_: str | None) -> BridgeRecord | None:
    """Return the bridge of that name on a node that is nobody's. id_: the vSwitch's, if it is registered."""
    bridge = state.switch.bridges.get(name) if state is not None else None
    if state is None or bridge is None or LABEL in bridge.labels:
        return None
    return None if id_ is not None and is_ours(bridge, state, id_) else bridge


def list_strangers(name: str, nodes: Sequence[Row], id_: str | None, have: NetworkHave) -> dict[str, BridgeRecord]:
    """Return the bridges of that name that are nobody's, by the identifier of their node."""
    found = ((node.id, find_stranger(name, have.states.get(node.name), id_)) for node in nodes)
    return {node: bridge for node, bridge in found if bridge is not None}


def as_found(want: Vswitch, bridge: BridgeRecord) -> Vswitch:
    """Return what a call means by what it does not name: how the bridge is."""
    port = bridge.port(uplink_port(want.name))
    if port is None:
        return want
    uplinks = port.uplinks if want.uplinks is None else want.uplinks
    return replace(want, uplinks=uplinks, bond_mode=want.bond_mode or port.bond_mode)


def refuse_nothing(want: Vswitch, nodes: Sequence[Row], have: NetworkHave, draft: Draft) -> None:
    """Say that there is no bridge to adopt on nodes; where one does not answer, that nobody can tell."""
    down = [node.name for node in nodes if node.name in have.down]
    for name in down:
        draft.note_down(name, have.down)
    if not down:
        draft.refuse(
            "there is no bridge of this name to adopt on its nodes",
            "pextra_vswitch_info with foreign: true lists what there is. What is new is made without adopt.",
            resource=f"{KIND} {want.name}",
        )


def plan_taking(
    target: Target, node: str, bridge: BridgeRecord, network: NetworkState | None, groups: Sequence[Row], draft: Draft
) -> None:
    """Plan to take a bridge, and the network of its name. groups: the port groups that the vSwitch has already."""
    row = target.row
    uuid = network.config.uuid if network is not None else None
    mark = ADOPTED_ALONE if uuid in (None, uuid_of(row.id)) else uuid
    labels = {LABEL_ADOPTED: mark, **dict.fromkeys(_list_dead_labels(bridge, groups))}
    steps, changes = plan_bridge(row, bridge, bridge.port(uplink_port(row.name)), groups, labels)
    network_steps, network_changes = plan_network(row, network, groups, uuid_of(row.id))
    wrong = [change for change in changes if not change.field.startswith("labels.")]
    wrong += [change for change in network_changes if change.field not in _BROUGHT_ABOUT]
    wrong += _compare_groups(network, groups)
    if wrong:
        told = "; ".join(f"{one.field} is {_shown(one.before)}, declared {_shown(one.after)}" for one in wrong)
        draft.refusals.append(Problem(f"it is not as declared: {told}", _REMEDY, node, f"{KIND} {row.name}"))
        return
    steps = [replace(step, text="adopt its bridge") for step in steps]
    adopted = [Change("adopted", "no", "yes"), *([Change("network.uuid", None, uuid)] if uuid is not None else [])]
    draft.works.append(work_on(row, [*steps, *network_steps], [*adopted, *network_changes], node=node))


def _list_dead_labels(bridge: BridgeRecord, groups: Sequence[Row]) -> list[str]:
    alive = {port_group_label(group) for group in groups}
    return [key for key in bridge.labels if key.startswith(LABEL_PORT_GROUP) and key not in alive]


def _compare_groups(network: NetworkState | None, groups: Sequence[Row]) -> list[Change]:
    held = network.config.port_groups if network is not None else {}
    return [
        Change(f"port_groups.{group.name}", str(held[group.name]), str(wanted))
        for group in groups
        if group.name in held and held[group.name] != (wanted := access(group.attributes.get("vlan")))
    ]


def _shown(value: object) -> object:
    return ", ".join(value) or "none" if isinstance(value, list | tuple) else value
