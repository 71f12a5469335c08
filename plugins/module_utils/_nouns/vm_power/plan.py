# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to an instance's power: what it takes, when there is nothing to do, and what is refused. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import replace

from ..._model.claims import Room
from ..._model.plan import Change, Plan, Step, Work, step_of
from ..._model.rows import Row
from ..instance.definition import parse_domain
from ..instance.placement import NOTHING, Size
from ..instance.plan.acts import (
    DiscardSaved,
    InjectNmi,
    Register,
    Reset,
    Resume,
    Save,
    Settle,
    Sleep,
    Start,
    Suspend,
    Wake,
)
from ..instance.plan.context import Context, RefusedError, registered_size
from ..instance.plan.power import stop_steps
from ..instance.plan.room import require_room
from ..instance.plan.state import Consent, size_of
from ..instance.whereabouts import Seen, Whereabouts, plan_each, refusal_of, refuse_container
from .spec import PowerAct

# Action and state: what is done, and what it is afterwards. A step's text says it to people.
_STEPS: dict[tuple[str, str], tuple[tuple[Step, ...], str]] = {
    ("reset", "running"): ((step_of(Reset(), "reset"),), "reset"),
    ("reset", "paused"): ((step_of(Reset(), "reset"), step_of(Resume(), "resume")), "reset"),
    ("pause", "running"): ((step_of(Suspend(), "pause"),), "paused"),
    ("suspend_to_memory", "running"): ((step_of(Sleep(), "suspend to memory"),), "asleep"),
    ("save", "running"): ((step_of(Save(), "save"),), "saved"),
    ("save", "paused"): ((step_of(Save(), "save"),), "saved"),
    ("resume", "paused"): ((step_of(Resume(), "resume"),), "running"),
    ("resume", "asleep"): ((step_of(Wake(), "wake up"),), "running"),
    ("resume", "saved"): ((step_of(Start(paused=False, saved=True), "start from what was saved"),), "running"),
    ("nmi", "running"): ((step_of(InjectNmi(), "send it an NMI"),), "sent an NMI"),
    ("discard_saved", "saved"): ((step_of(DiscardSaved(), "discard what was saved of its memory"),), "stopped"),
}
# What containers do not have for it.
_OF_MACHINES = {
    "pause": "way to be paused on every node",
    "reset": "reset button",
    "nmi": "processors of its own to interrupt",
    "suspend_to_memory": "firmware that suspends it",
    "save": "memory that could be saved",
    "discard_saved": "memory that could be saved",
}
_NOTHING_TO_DO = {
    *{("pause", "paused"), ("suspend_to_memory", "asleep"), ("save", "saved"), ("resume", "running")},
    *(("discard_saved", state) for state in ("running", "paused", "asleep", "stopped")),
}


def plan_power_acts(wants: Sequence[PowerAct], have: Whereabouts, done: Collection[str]) -> Plan:
    """Plan what is to be done. done: identifiers of the instances to which this call has done it already, where that
    does not show.
    """

    contexts: dict[str, Context] = {}

    def plan_one(want: PowerAct, row: Row, seen: Seen) -> Work | None:
        if want.action in _OF_MACHINES:
            refuse_container(row, _OF_MACHINES[want.action])
        if row.id in done or (want.action, seen.state) in _NOTHING_TO_DO:
            return None
        if want.action == "restart":
            return _plan_restart(want, row, seen, have)
        if want.action == "resume" and seen.hangs:
            raise RefusedError(
                "its watchdog has paused it, since its guest hangs, and would not look at it again",
                "Let it begin anew: pextra_vm_power with action: reset.",
            )
        if (want.action, seen.state) not in _STEPS:
            raise refusal_of(seen.state)
        steps, after = _STEPS[want.action, seen.state]
        if (want.action, seen.state) == ("resume", "saved"):
            _take_room(row, seen, have, contexts)
            return replace(_work(row, seen, steps, after), room=_room_of(row, seen, have))
        loses = (f"what was saved of the memory of instance {row.name}",) if want.action == "discard_saved" else ()
        return _work(row, seen, steps, after, loses)

    return plan_each(wants, have, plan_one)


def _take_room(row: Row, seen: Seen, have: Whereabouts, contexts: dict[str, Context]) -> None:
    """Refuse what the node has no room for, as pextra_vm does for what it starts."""
    if have.instances is None or seen.node not in have.instances.nodes:
        return
    if row.scope not in contexts:
        cluster = next(one for one in have.hierarchy.clusters if one.id == row.scope)
        contexts[row.scope] = Context.of(cluster, have.instances, Consent(), frozenset())
    size = _size_of(row, seen)
    require_room(seen.node, NOTHING, size, contexts[row.scope])
    # The others of this call count it; what it promises of its node's memory is counted already.
    capacity = contexts[row.scope].capacities[seen.node]
    capacity.give_back(size, runs=False)
    capacity.take(size, runs=True)


def _size_of(row: Row, seen: Seen) -> Size:
    with contextlib.suppress(ValueError, KeyError):  # by hand it may have become what cannot be understood
        model = parse_domain(seen.xml)
        if model is not None:
            return size_of(model)
    return registered_size(row)


def _room_of(row: Row, seen: Seen, have: Whereabouts) -> Room:
    """Return the room that it has while it is stopped in between, or is to have: another run places nothing there."""
    memory, vcpus = _size_of(row, seen)
    node = next(one.id for one in have.hierarchy.members if one.kind == "node" and one.name == seen.node)
    return Room(node, memory, runs=True, group=row.attributes.get("anti_affinity"), vcpus=vcpus)


def _plan_restart(want: PowerAct, row: Row, seen: Seen, have: Whereabouts) -> Work:
    """What it is about to be stands in its row meanwhile, so that it does not stay stopped if this run is killed."""
    kept = {key: value for key, value in row.attributes.items() if key != "power"}
    begun = replace(row, attributes=kept | {"power": "running"})
    was_begun = row.attributes.get("power") == "running"
    if seen.state == "saved" or (seen.state == "stopped" and not was_begun):
        raise refusal_of(seen.state)
    steps: list[Step] = [] if was_begun else [step_of(Register(begun), "register")]
    if seen.is_active:
        consent = Consent(force_stop=want.force_stop, stop_timeout_s=want.stop_timeout_s)
        steps += [step_of(Wake(may_fail=want.force_stop), "wake up")] if seen.state == "asleep" else []
        steps += stop_steps(seen.state, consent)
    steps += [
        step_of(Start(paused=False), "start"),
        step_of(Settle(replace(row, attributes=kept)), "note that it runs"),
    ]
    return replace(_work(row, seen, steps, "restarted"), room=_room_of(row, seen, have))


def _work(row: Row, seen: Seen, steps: Sequence[Step], after: str, loses: tuple[str, ...] = ()) -> Work:
    change = Change("power", seen.state, after)
    return Work(
        kind="instance",
        name=row.name,
        id=row.id,
        node=seen.node,
        steps=tuple(steps),
        changes=(change,),
        loses=loses,
    )
