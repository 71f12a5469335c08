# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port group that a vSwitch's network had before becomes one of ours as it is. Pure.

It is registered, and its bridges get its label. A call that wants it otherwise than it is, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..._model.bridge import PortVlan
from ..._model.draft import Draft
from ..._model.errors import Problem
from ..._model.plan import Change
from ..._model.rows import Row, names_of
from ..vswitch.foreign import vlan_of
from ..vswitch.labels import is_ours, port_group_label
from ..vswitch.state import NetworkHave, NodeState
from .spec import PortGroup

KIND = "port_group"
_REMEDY = (
    "Adopt it as it is first: leave this out, or declare what it has. pextra_vswitch_info with foreign: true says what "
    "that is. Then change it."
)


def _find_held(name: str, vswitch: Row, state: NodeState) -> PortVlan | None:
    """Return what the port group of that name does on a node of a vSwitch, whosever it is."""
    bridge, network = state.switch.bridges.get(vswitch.name), state.networks.get(vswitch.name)
    if bridge is None or network is None or not is_ours(bridge, state, vswitch.id):
        return None
    return network.config.port_groups.get(name)


def find_stranger(name: str, vswitch: Row, state: NodeState) -> PortVlan | None:
    """Return what the port group of that name does on a node of a vSwitch, if it is nobody's."""
    bridge = state.switch.bridges.get(vswitch.name)
    if bridge is None or port_group_label(Row("", KIND, name)) in bridge.labels:
        return None
    return _find_held(name, vswitch, state)


def has_strangers(name: str, vswitch: Row, have: NetworkHave) -> bool:
    nodes = names_of(vswitch.attributes["nodes"], have.nodes)
    return any(find_stranger(name, vswitch, have.states[node]) is not None for node in nodes if node in have.states)


def list_held(name: str, vswitch: Row, have: NetworkHave) -> dict[str, PortVlan]:
    """Return what the port groups of that name do, by node, also one that bears a label of which no registry knows."""
    nodes = names_of(vswitch.attributes["nodes"], have.nodes)
    found = ((node, _find_held(name, vswitch, have.states[node])) for node in nodes if node in have.states)
    return {node: vlan for node, vlan in found if vlan is not None}


def as_found(want: PortGroup, found: Mapping[str, PortVlan]) -> PortGroup:
    """Return what a call means by what it does not name. What no VLAN says is not as declared, whatever that is."""
    known = [vlan for one in found.values() if (vlan := vlan_of(one)) is not None]
    return replace(want, vlan=known[0]) if want.vlan is None and known else want


def refuse_nothing(name: str, vswitch: Row, have: NetworkHave, draft: Draft) -> None:
    """Say that there is no port group to adopt; where a node does not answer, that nobody can tell."""
    down = [node for node in names_of(vswitch.attributes["nodes"], have.nodes) if node in have.down]
    for node in down:
        draft.note_down(node, have.down)
    if not down:
        draft.refuse(
            f"the networks of {vswitch.name} have no port group of this name to adopt",
            "pextra_vswitch_info with foreign: true lists what there is. What is new is made without adopt.",
            resource=f"{KIND} {name}",
        )


def only_take(draft: Draft, before: int) -> None:
    """Make of what was planned on a node, behind as many works as there were before, the mere taking, or refuse it."""
    for index, work in enumerate(draft.works[before:], before):
        wrong = [change for change in work.changes if not change.field.startswith("labels.")]
        if wrong:
            told = "; ".join(f"{one.field} is {one.before}, declared {one.after}" for one in wrong)
            resource = f"{KIND} {work.name}"
            draft.refusals.append(Problem(f"it is not as declared: {told}", _REMEDY, work.node, resource))
        steps = tuple(replace(step, text="adopt") if step.act == "label" else step for step in work.steps)
        draft.works[index] = replace(work, steps=steps, changes=(Change("adopted", "no", "yes"),))


def refuse_others(name: str, vswitch: Row, node: str, state: NodeState, draft: Draft, before: int) -> None:
    """Refuse to change a port group that is nobody's, and that a new one has the name of. What is alike is taken."""
    has = find_stranger(name, vswitch, state)
    if has is None or all(step.act == "label" for work in draft.works[before:] for step in work.steps):
        return
    draft.refuse(
        f"the network of {vswitch.name} has a port group of this name that is not ours, which carries {has}",
        "With adopt: true it becomes this one as it is, and is changed then. Otherwise choose another name.",
        node=node,
        resource=f"{KIND} {name}",
    )
