# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a round of the coordinators' job does for instances whose QEMU has ended by itself, and for those whose watchdog
has paused them: it starts them again.
"""

from __future__ import annotations

from ._cloud import Cloud
from ._doors.registry import audit
from ._doors.registry.audit import Event
from ._engine.converge import Terms, converge
from ._engine.noun import Options
from ._engine.telling import list_actions
from ._model.errors import PextraError, Problem
from ._nouns.recovery.plan import GIVEN_UP, LEFT_PAUSED, WITHIN_S, Crashed, find_given_up
from ._nouns.recovery.resource import RecoveryResource

_EVENTS = 50


def recover(cloud: Cloud, terms: Terms) -> list[str]:
    """Start what has crashed, each by itself: a run that is at work on one holds up no other. Returns what was done and
    what is wrong, line by line.
    """
    have = RecoveryResource().read(cloud, (), Options({}))
    given_up = find_given_up(have)
    lines = []
    for one in have.crashed:
        if one in given_up:
            lines += _give_up(cloud, one, terms.holder)
            continue
        try:
            result = converge(cloud, RecoveryResource(), [one.row.id], Options({}), terms)
        except PextraError as error:
            lines += [str(problem) for problem in error.problems]
            continue
        lines += list_actions(result.plan)
        lines += [str(problem) for problem in result.problems]
    return lines


def _give_up(cloud: Cloud, one: Crashed, holder: str) -> list[str]:
    """Say so in the audit trail once, and in the journal in every round until somebody looks."""
    what = LEFT_PAUSED if one.hangs else GIVEN_UP
    since = cloud.registry.transaction(cloud.registry.now) - WITHIN_S
    events = audit.read(cloud.registry, names=[one.row.id], limit=_EVENTS)
    if not any(event["what"] == what and event["at"] > since for event in events):
        event = Event(
            run="",
            actor=holder,
            kind="instance",
            name=one.row.name,
            what=what,
            outcome="done",
            resource=one.row.id,
            node=one.node,
        )
        audit.record(cloud.registry, [event])
    name = one.row.name
    remedy = (
        f"Look at /var/log/pextra/console/{name}.log on {one.node}, and reset it: pextra_vm_power, action: reset."
        if one.hangs
        else f"Look at /var/log/libvirt/qemu/{name}.log on {one.node}, and start it: pextra_vm, power: running."
    )
    return [str(Problem(what, remedy, one.node, f"instance {one.row.name}"))]
