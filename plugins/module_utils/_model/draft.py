# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan while it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import Problem
from .plan import Plan, Work


@dataclass
class Draft:
    """A plan while it grows; its lists are those of the plan. down: nodes that were needed and do not answer."""

    first: list[Work] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    last: list[Work] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)
    failures: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    down: dict[str, Problem] = field(default_factory=dict)

    def refuse(self, what: str, remedy: str = "", node: str | None = None, *, resource: str) -> None:
        self.refusals.append(Problem(what, remedy, node, resource))

    def note_down(self, node: str, down: Mapping[str, Problem]) -> None:
        """Note that a node was needed, if it does not answer: each is a failure once. down: why nodes do not."""
        if node in down:
            self.down[node] = down[node]

    def plan(self) -> Plan:
        return Plan(
            first=tuple(self.first),
            works=tuple(self.works),
            last=tuple(self.last),
            refusals=tuple(self.refusals),
            failures=(*self.failures, *self.down.values()),
            warnings=tuple(self.warnings),
        )
