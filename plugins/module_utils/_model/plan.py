# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a planner returns. A plan is data: shown in check mode, applied in a real run, empty when converged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from .claims import Claim, Room
from .errors import Problem
from .rows import Row

# When a change takes effect, by the names that rows have for it (_fields/field.py).
When = Literal["live", "hot_plug", "next_boot", "replace"]


@dataclass(frozen=True)
class Change:
    """One difference between what is and what should be.

    when: `live` is done at once; `hot_plug` likewise, by plugging what the guest has to play along with; `next_boot`
    takes effect at the next restart; `replace` destroys data.
    Values are shown to people: never put a secret here.
    """

    field: str
    before: Any
    after: Any
    when: When = "live"


@dataclass(frozen=True)
class Step:
    """One thing to do. `act` selects the code that does it, `text` says it to a person, `data` is what it needs.

    does: the act as a type of its own, where the noun has such types; act and data are then its name and its fields.
    node: where it is done, if not where the work is.
    """

    act: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    node: str | None = None
    does: Any = field(default=None, repr=False)


def step_of(does: Any, text: str) -> Step:
    """Return the step that does something. does: a dataclass, whose fields are what is needed for it."""
    data = {one.name: getattr(does, one.name) for one in fields(does)}
    return Step(_CAPITAL.sub("_", type(does).__name__).lower(), text, data, does=does)


_CAPITAL = re.compile("(?<!^)(?=[A-Z])")


# What becomes nothing where a resource goes, or leaves a node.
_ENDS = frozenset({"name", "status", "bridge"})


@dataclass(frozen=True, kw_only=True)
class Work:
    """All that has to be done to one resource on one node (None: in the registry only), in order.

    pending: differences that wait for a restart that was not allowed; they are reported, and are not changes.
    loses: data that the steps would destroy; needs `confirm: DESTROY`.
    touches: other resources that it changes as well, such as `instance web`; they are leased along.
    uses: resources that must not end meanwhile, such as `pool local`.
    after: resources (`pool local`) whose works in this plan must be done before it; if one fails, this is not begun.
    takes, room: what it has from the decision on, and no other may (_claims.py).
    """

    kind: str
    name: str
    id: str | None = None
    node: str | None = None
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
    pending: tuple[Change, ...] = ()
    loses: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    room: Room | None = None

    @property
    def key(self) -> str:
        """What it changes, as leases and `after` name it."""
        return f"{self.kind} {self.name}"

    @property
    def ends(self) -> bool:
        """Whether it takes what it changes from those who use it: on all nodes, or on one."""
        return any(change.after is None and change.field in _ENDS for change in self.changes)

    @property
    def is_removal(self) -> bool:
        """Whether it removes what it changes from everywhere."""
        return any(change.after is None and change.field == "name" for change in self.changes)

    @property
    def destroys(self) -> bool:
        """Whether it removes what it changes from everywhere, or loses data of it."""
        return self.is_removal or bool(self.loses) or any(change.when == "replace" for change in self.changes)

    @property
    def claim(self) -> Claim | None:
        if self.id is None or not (self.takes or self.room):
            return None
        return Claim(self.id, self.name, self.takes, self.room)

    @property
    def label(self) -> str:
        return self.key + (f" on {self.node}" if self.node else "")


def work_on(
    row: Row,
    steps: Sequence[Step],
    changes: Sequence[Change] = (),
    *,
    node: str | None = None,
    loses: Sequence[str] = (),
) -> Work:
    """Return the work on what is registered, or is going to be."""
    return Work(
        kind=row.kind,
        name=row.name,
        id=row.id,
        node=node,
        steps=tuple(steps),
        changes=tuple(changes),
        loses=tuple(loses),
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """works run in parallel; those in `first` are all done before them, those in `last` after them.

    refusals stop the run before anything is touched; failures are what could not be planned because a node
    does not answer: the rest is done, then the run fails with them.
    """

    first: tuple[Work, ...] = ()
    works: tuple[Work, ...] = ()
    last: tuple[Work, ...] = ()
    refusals: tuple[Problem, ...] = ()
    failures: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[Work, ...]:
        return (*self.first, *self.works, *self.last)

    @property
    def effective(self) -> tuple[Work, ...]:
        return tuple(work for work in self.all if work.steps)

    @property
    def is_empty(self) -> bool:
        return not self.effective

    def with_waiting(self, rest: Plan) -> Plan:
        """Return the plan with what waits for a next start once it is carried out. rest: the plan that was made then.

        It is more where a guest does not do at once what it could, such as to give memory back.
        """
        waits = {(work.key, work.id): work.pending for work in rest.all}

        def look(works: tuple[Work, ...]) -> tuple[Work, ...]:
            return tuple(_add_waiting(work, waits.get((work.key, work.id), ())) for work in works)

        return replace(self, first=look(self.first), works=look(self.works), last=look(self.last))


def _add_waiting(work: Work, waits: tuple[Change, ...]) -> Work:
    known = {change.field for change in work.pending}
    more = tuple(change for change in waits if change.field not in known)
    return replace(work, pending=(*work.pending, *more)) if more else work
