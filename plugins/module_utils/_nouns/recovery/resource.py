# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances that are started again when their QEMU has ended, or when they hang, as the engine sees them. No module has
them: nothing of it is declared but each instance's `on_crash` and `watchdog`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._doors.registry import audit
from ..._engine.noun import Options
from ..._fields.field import Table
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..instance.apply import apply
from .plan import RESET, STARTED, WITHIN_S, RecoveryHave, find_crashed, plan_recovery, take_up

# More events than one instance can have of it within an hour.
_EVENTS = 200


class RecoveryResource:
    """Takes identifiers of instances as what is wanted."""

    noun = "vm"
    plural = "vms"

    def __init__(self) -> None:
        self.table: Table = {}

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[str | None, list[Mistake]]:
        raise TypeError(f"{path} of {sorted(raw)} is nothing that can be declared")

    def read(self, cloud: Cloud, wants: Sequence[str], options: Options) -> RecoveryHave:
        """Look at all nodes, in one call each; wants say nothing here."""
        rows = cloud.registry.rows("instance", "node")
        nodes = [row.name for row in rows if row.kind == "node"]
        found = cloud.on_each(nodes, lambda node: cloud.hypervisor(node).crashed_domains())
        crashed = find_crashed(rows, found)
        starts = {one.row.id: _count_starts(cloud, one.row.id) for one in crashed}
        return RecoveryHave(take_up(crashed, starts), starts)

    def plan(self, wants: Sequence[str], have: RecoveryHave, options: Options) -> Plan:
        return plan_recovery(wants, have)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing is decided that others have to know."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float] | None:
        return apply(cloud, work, step)

    def describe(self, wants: Sequence[str], have: RecoveryHave) -> list[dict[str, Any]]:
        return [{"id": one.row.id, "name": one.row.name, "node": one.node} for one in have.crashed]


def _count_starts(cloud: Cloud, instance_id: str) -> int:
    since = cloud.registry.transaction(cloud.registry.now) - WITHIN_S
    events = audit.read(cloud.registry, names=[instance_id], limit=_EVENTS)
    # What an event tells is the texts of all steps.
    begun = [event for event in events if event["outcome"] == "started" and event["what"].startswith((STARTED, RESET))]
    return sum(event["at"] > since for event in begun)
