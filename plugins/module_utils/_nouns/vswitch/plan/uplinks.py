# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NICs of the nodes that vSwitches use: each by one of them at a time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...._model.bridge import BridgeEdit, PortRecord
from ...._model.draft import Draft
from ...._model.errors import Problem
from ...._model.plan import Change, Step, work_on
from ..labels import KIND, LABEL, is_ours, uplink_port, uplinks_of
from ..state import NodeState
from .context import Context, Target


def find_shared_uplinks(context: Context) -> Iterator[Problem]:
    """Rule: a NIC is an uplink of one vSwitch. Looks at vSwitches as they will be, so that NICs can move."""
    for uplink, *names in sorted(context.shared):
        yield Problem(
            f"{uplink} would be an uplink of {' and of '.join(names)}",
            "A NIC is an uplink of one vSwitch; take it off the other.",
            resource=f"{KIND} {names[-1]}",
        )


def find_taken_uplinks(target: Target, node: str, state: NodeState, context: Context) -> Iterator[Problem]:
    """What a bridge has that neither is a vSwitch of this call, which gives it up, nor goes, is not taken from it."""
    row = target.row
    told = {uplink for uplink, *names in context.shared if row.name in names}
    for other in state.switch.bridges.values():
        taken = ({nic for port in other.ports for nic in nics_of(port)} & target.uplinks) - told
        if other.name == row.name or not taken or other.labels.get(LABEL) in context.gone:
            continue
        if any(one.row.name == other.name and is_ours(other, state, one.row.id) for one in context.targets.values()):
            continue
        yield Problem(
            f"{', '.join(sorted(taken))} is used by the bridge {other.name}",
            "Take it off there first.",
            node,
            f"{KIND} {row.name}",
        )


def plan_release(
    target: Target, node: str, port: PortRecord | None, context: Context, draft: Draft
) -> PortRecord | None:
    """Let NICs that move to another vSwitch of this call leave before they arrive there. Returns what is left."""
    if port is None:
        return None
    row = target.row
    claimed = {
        uplink
        for other in context.targets.values()
        if other is not target and node in other.nodes
        for uplink in other.uplinks
    }
    current = frozenset(uplinks_of(port))
    leaving = (current & claimed) - target.uplinks
    if not leaving:
        return port
    staying = tuple(uplink for uplink in port.uplinks if uplink not in leaving)
    edit = BridgeEdit(
        bridge=row.name,
        uplink_port=uplink_port(row.name),
        uplinks=staying,
        bond_mode=row.attributes["bond_mode"],
    )
    step = Step("bridge", f"release {', '.join(sorted(leaving))}", {"edit": edit})
    change = Change("uplinks", sorted(current), sorted(current - leaving))
    draft.first.append(work_on(row, [step], [change], node=node))
    rest = tuple(interface for interface in port.interfaces if interface.name not in leaving)
    # The edit that takes them off prefers the first.
    return replace(port, interfaces=rest, primary=staying[0] if staying else None)


def find_errors(target: Target, node: str, port: PortRecord | None) -> Iterator[str]:
    for interface in port.interfaces if port else ():
        if interface.error and interface.name in target.uplinks:
            yield f"{node}: vswitch {target.row.name}: uplink {interface.name} does not work: {interface.error}"


def nics_of(port: PortRecord) -> set[str]:
    return {interface.name for interface in port.interfaces if interface.type in ("", "system")}
