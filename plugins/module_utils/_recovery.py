# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a round of the coordinators' job does for instances whose QEMU has ended by itself, and for those whose watchdog
has paused them: it starts them again.
"""

from __future__ import annotations

import time

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
# Where one start takes so long, the others would as well: a disk, or a server of one, hangs.
_SLOW_S = 30.0
# No start begins later than this, so that the round ends before it is ended.
_ROUND_S = 120.0


def recover(cloud: Cloud, terms: Terms) -> list[str]:
    """Start what has crashed, each by itself: neither a run that is at work on one, nor a node on which starts hang,
    holds up the others. Returns what was done and what is wrong, line by line.
    """
    have = RecoveryResource().read(cloud, (), Options({}))
    given_up = find_given_up(have)
    begun = time.monotonic()
    slow: set[str] = set()
    terms = terms._replace(lease_timeout_s=0)
    lines = []
    # What has been started often may be what hangs.
    for one in sorted(have.crashed, key=lambda one: (have.starts.get(one.row.id, 0), one.row.name)):
        if one in given_up:
            lines += _give_up(cloud, one, terms.holder)
            continue
        started = time.monotonic()
        if one.node in slow or started - begun > _ROUND_S:
            what = "it is left to the next round, since others take long to start"
            lines.append(str(Problem(what, "", one.node, f"instance {one.row.name}")))
            continue
        try:
            result = converge(cloud, RecoveryResource(), [one.row.id], Options({}), terms)
        except PextraError as error:
            lines += [str(problem) for problem in error.problems]
            continue
        finally:
            if time.monotonic() - started > _SLOW_S:
                slow.add(one.node)
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
