# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the way of a vSwitch on a node: what is not ours, and NICs that it must not have. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...._model.errors import Problem
from ..labels import KIND, LABEL, LABEL_MANAGEMENT_NIC, is_ours, network_uuid
from ..state import NodeState
from .adoption import find_stranger
from .context import Context, Target
from .uplinks import find_taken_uplinks


def find_conflicts(target: Target, node: str, state: NodeState, context: Context) -> Iterator[Problem]:
    """Return why a vSwitch cannot be on a node as it is wanted."""
    row = target.row
    label = f"{KIND} {row.name}"
    bridge = state.switch.bridges.get(row.name)
    is_taken = target.adopts and find_stranger(row.name, state, row.id) is not None
    if bridge is not None and not is_taken and not is_ours(bridge, state, row.id):
        yield Problem(
            "the node has a bridge of this name that is not this vSwitch"
            + (f" but {bridge.labels[LABEL]}" if LABEL in bridge.labels else ""),
            "Nothing that belongs to someone else is touched. With adopt: true one that is nobody's becomes this "
            "vSwitch as it is. Otherwise choose another number, or remove that bridge.",
            node,
            label,
        )
    for name, network in state.networks.items():
        same_uuid = network.config.uuid == network_uuid(row.id, bridge)
        if is_taken and name == row.name:
            continue
        if (name == row.name) != same_uuid:
            yield Problem(
                f"libvirt has a network {name} there that is not this vSwitch's, but has its "
                f"{'UUID' if same_uuid else 'name'}",
                f"Nothing that belongs to someone else is touched. On {node}: virsh net-undefine {name}.",
                node,
                label,
            )
    management = state.switch.labels.get(LABEL_MANAGEMENT_NIC)
    if management in target.uplinks:
        yield Problem(
            f"{management} carries the node's management address; as an uplink it would cut the node off",
            "Use another NIC.",
            node,
            label,
        )
    yield from find_taken_uplinks(target, node, state, context)
