# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances whose QEMU has ended by itself, or whose watchdog has paused them: which are started again, and how often.
Pure.

libvirt tells a QEMU that ended without the guest having shut down, and without anyone having stopped it, as crashed.
What a person stopped, and what went down with its node, is not. Nor is what a person paused one that hangs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..._model.ids import uuid_of
from ..._model.plan import Change, Plan, Work, step_of
from ..._model.rows import Row
from ..instance.plan.acts import Reset, Resume, Start
from ..instance.plan.registered import STAYS_OFF

# One that ends again and again only gets worse by that, and fills its node's logs.
STARTS = 3
WITHIN_S = 3600
# A round has others to start. What takes longer goes on without being waited for, and is seen by the next one.
START_LIMIT_S = 60.0
# By these the audit trail is read again.
STARTED = "start it again, since its QEMU ended"
RESET = "reset it, since it hung"
GIVEN_UP = f"leave it off, since its QEMU ended again after {STARTS} starts within an hour"
LEFT_PAUSED = f"leave it paused, since it hung again after {STARTS} starts within an hour"


@dataclass(frozen=True)
class Crashed:
    """An instance whose QEMU has ended, or that hangs. is_left: its definition says that it then stays so (`on_crash`,
    `watchdog.action`). has_failed: it could not be started, which is all that libvirt then tells.
    """

    row: Row
    node: str
    is_left: bool = False
    has_failed: bool = False
    hangs: bool = False


@dataclass(frozen=True)
class RecoveryHave:
    """starts: how often each was started again within the last hour, by identifier."""

    crashed: tuple[Crashed, ...]
    starts: Mapping[str, int]


def find_crashed(
    rows: Sequence[Row], found: Mapping[str, Sequence[tuple[str, bool, bool, bool]]]
) -> tuple[Crashed, ...]:
    """Return the registered instances among what has crashed. rows: instances and nodes; found: by node, UUIDs with
    what `Crashed` says of them.

    One that is on its way to another node is its run's business, and so is a definition that a move has left behind.
    One that was declared stopped since then stays so.
    """
    nodes = {row.id: row.name for row in rows if row.kind == "node"}
    instances = {uuid_of(row.id): row for row in rows if row.kind == "instance"}
    crashed = []
    for node, domains in found.items():
        for uuid, *how in domains:
            row = instances.get(uuid)
            if row is None or not {"origin", "power", STAYS_OFF}.isdisjoint(row.attributes):
                continue
            if nodes.get(row.attributes.get("node", "")) == node:
                crashed.append(Crashed(row, node, *how))
    return tuple(sorted(crashed, key=lambda one: one.row.name))


def take_up(crashed: Sequence[Crashed], starts: Mapping[str, int]) -> tuple[Crashed, ...]:
    """Leave out what others could not start: only a start of the job's own is tried again."""
    return tuple(one for one in crashed if not one.has_failed or starts.get(one.row.id))


def plan_recovery(wanted: Sequence[str], have: RecoveryHave) -> Plan:
    """Plan to start what has crashed. wanted: identifiers."""
    return Plan(
        works=tuple(
            Work(
                kind="instance",
                name=one.row.name,
                id=one.row.id,
                node=one.node,
                steps=(step_of(Reset(), RESET), step_of(Resume(), "resume"))
                if one.hangs
                else (step_of(Start(paused=False, limit_s=START_LIMIT_S), STARTED),),
                changes=(Change("power", "paused" if one.hangs else "crashed", "running"),),
            )
            for one in have.crashed
            if one.row.id in wanted and not one.is_left and have.starts.get(one.row.id, 0) < STARTS
        )
    )


def find_given_up(have: RecoveryHave) -> list[Crashed]:
    """Return what is not started any more."""
    return [one for one in have.crashed if not one.is_left and have.starts.get(one.row.id, 0) >= STARTS]
