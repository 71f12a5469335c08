# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in guests: by whom it can be done. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ..._model.mistake import printable
from ..._model.plan import Change, Plan, Step, Work, step_of
from ..._model.rows import Row
from ..instance.whereabouts import Seen, Whereabouts, plan_each, refusal_of, refuse_container
from .spec import GuestAct

_SHOWN = 100


@dataclass(frozen=True)
class Run:
    """Arguments and input may be secret: only the program is told."""

    argv: tuple[str, ...] = field(repr=False)
    stdin: str | None = field(repr=False)
    timeout_s: float

    @property
    def program(self) -> str:
        return printable(self.argv[0])[:_SHOWN]


@dataclass(frozen=True)
class SetPassword:
    user: str
    hashed: str = field(repr=False)


@dataclass(frozen=True)
class SetTime:
    """To the coordinator's."""


Act = Run | SetPassword | SetTime


def plan_guest_acts(wants: Sequence[GuestAct], have: Whereabouts, done: Collection[str]) -> Plan:
    """Plan what is to be done. done: identifiers of the instances in which this call has done it already."""

    def plan_one(want: GuestAct, row: Row, seen: Seen) -> Work | None:
        refuse_container(row, "agent")
        if row.id in done:
            return None
        if seen.state != "running":
            raise refusal_of(seen.state)
        step, change = _plan_step(want)
        return Work(kind="instance", name=row.name, id=row.id, node=seen.node, steps=(step,), changes=(change,))

    return plan_each(wants, have, plan_one)


def _plan_step(want: GuestAct) -> tuple[Step, Change]:
    if want.action == "run" and want.argv:
        run = Run(want.argv, want.stdin, want.timeout_s)
        return step_of(run, f"run {run.program} in the guest"), Change("program", None, run.program)
    if want.action == "set_password" and want.user is not None and want.hashed_password is not None:
        text = f"set the password of {want.user} in the guest"
        return step_of(SetPassword(want.user, want.hashed_password), text), Change("password", "one", f"{want.user}'s")
    return step_of(SetTime(), "set the guest's clock"), Change("clock", "the guest's", "the coordinator's")
