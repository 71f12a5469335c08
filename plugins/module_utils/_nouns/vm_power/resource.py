# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to instances' power, as the engine sees it. An act: where it leaves no trace, each call does it anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._cloud import Cloud
from ..._engine.noun import Options
from ..._model.errors import PextraError
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..instance.apply import apply
from ..instance.finding import read_whereabouts
from ..instance.plan.acts import Register, Resume, Settle, Stop, Wake
from ..instance.resource import VmResource
from ..instance.spec import parse_vm
from ..instance.whereabouts import Whereabouts, describe_whereabouts
from .plan import plan_power_acts
from .spec import FIELDS, PowerAct, parse_power_act

# Of the others the state that they lead to is looked at when they are done.
_WITHOUT_TRACE = frozenset({"restart", "reset", "nmi"})


class PowerResource:
    noun = "vm"
    plural = "vms"
    table = FIELDS

    def __init__(self) -> None:
        # Identifiers of the instances to which it is done.
        self._done: set[str] = set()
        self._is_seen_afterwards = True

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[PowerAct | None, list[Mistake]]:
        return parse_power_act(raw, path)

    def read(self, cloud: Cloud, wants: Sequence[PowerAct], options: Options) -> Whereabouts:
        self._is_seen_afterwards = all(want.action not in _WITHOUT_TRACE for want in wants)
        have = read_whereabouts(cloud, [want.name for want in wants])
        goes_on = any(want.action == "resume" for want in wants) and any(
            one.state == "saved" for found in have.seen.values() for one in found
        )
        if not goes_on:
            return have
        # Of the clusters that are named; for more than that a name is not asked.
        named = [parse_vm({"name": want.name, "cluster": want.cluster}, "")[0] for want in wants]
        return replace(have, instances=VmResource().read(cloud, [one for one in named if one is not None], Options({})))

    def plan(self, wants: Sequence[PowerAct], have: Whereabouts, options: Options) -> Plan:
        return plan_power_acts(wants, have, self._done)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Write what instances are about to be: a killed run's choices stand."""
        found = (step.does for work in plan.all for step in work.steps)
        cloud.registry.put([act.row for act in found if isinstance(act, Register)])

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float]:
        try:
            yield from apply(cloud, work, step) or ()
        except PextraError:
            settle = work.steps[-1].does
            if isinstance(step.does, Wake | Resume | Stop) and isinstance(settle, Settle):
                # The guest stays as it is, and nothing is to be finished by whoever comes next.
                cloud.registry.put([settle.row])
            raise
        if step is work.steps[-1] and work.id is not None and not self._is_seen_afterwards:
            self._done.add(work.id)

    def describe(self, wants: Sequence[PowerAct], have: Whereabouts) -> list[dict[str, Any]]:
        return describe_whereabouts(wants, have)
