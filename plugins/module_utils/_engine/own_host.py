# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of modules that act on their own host: look and plan, act, look and plan again.

As the engine of resources (converge.py), without registry and leases: a host that is being prepared has neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from .._model.errors import (
    ConsentError,
    NotConvergedError,
    Problem,
    RefusedError,
)


class HostAct(Protocol):
    """One thing to do on the host."""

    @property
    def text(self) -> str:
        """What it does, for people."""


Act = TypeVar("Act", bound=HostAct)


@dataclass(frozen=True, kw_only=True)
class HostPlan(Generic[Act]):
    """What leads from what is to what should be.

    refusals: what stands against it. conditions: what must be so when it is done, and what an earlier stage may still
    bring about: in a check, which has not carried that out, they are warnings. loses: what it destroys for good.
    before, after: for the diff, where the acts alone do not show it.
    """

    acts: tuple[Act, ...] = ()
    refusals: tuple[Problem, ...] = ()
    conditions: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    before: str = ""
    after: str | None = None

    @property
    def actions(self) -> list[str]:
        return [act.text for act in self.acts]

    @property
    def diff(self) -> dict[str, str]:
        after = "".join(f"{text}\n" for text in self.actions) if self.after is None else self.after
        return {"before": self.before, "after": after}


class HostWork(Protocol, Generic[Act]):
    """What a module is about."""

    def prepared(self) -> AbstractContextManager[None]:
        """What a real run needs before it looks: others kept away, and what looking itself needs."""

    def plan(self) -> HostPlan[Act]:
        """Look at the host, and say what is to be done. Changes nothing."""

    def apply(self, acts: Sequence[Act]) -> None:
        """Carry out all acts. What was interrupted is planned again by the next run."""

    def describe(self, *, applied: bool) -> Mapping[str, Any]:
        """Return what the module returns beside its actions. applied: it is no check, and all is done."""


class HostResult(NamedTuple):
    plan: HostPlan[Any]
    further: Mapping[str, Any]


def converge_on_host(work: HostWork[Any], *, apply: bool, confirm: str | None) -> HostResult:
    """Have the host as it should be. Raises RefusedError and ConsentError before anything is changed, NotConvergedError
    if something is left to do afterwards.
    """
    if not apply:
        plan = work.plan()
        _require(plan, confirm, conditions=())
        return HostResult(plan, work.describe(applied=False))
    with work.prepared():
        plan = work.plan()
        _require(plan, confirm, conditions=plan.conditions)
        if plan.acts:
            work.apply(plan.acts)
            left = work.plan()
            problems = [*left.refusals, *(Problem(f"still to be done: {text}") for text in left.actions)]
            if problems:
                raise NotConvergedError(problems)
        return HostResult(plan, work.describe(applied=True))


def _require(plan: HostPlan[Any], confirm: str | None, *, conditions: Sequence[Problem]) -> None:
    if plan.refusals or conditions:
        raise RefusedError([*plan.refusals, *conditions])
    if plan.loses and confirm != "DESTROY":
        raise ConsentError(
            [Problem(f"this would destroy {'; '.join(plan.loses)}", "If that is what you want, set confirm: DESTROY.")]
        )
