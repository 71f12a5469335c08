# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of every module and of the coordinators' job: read, plan, lease, decide, apply, read and plan again.

Without Ansible: who calls it says what is wanted and whether to apply, and makes something of the outcome.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, NamedTuple

from .._cloud import Cloud
from .._doors.registry import audit, claims
from .._doors.registry.audit import Event, Outcome
from .._doors.registry.leases import Leases
from .._model.errors import (
    ConsentError,
    LeaseError,
    PextraError,
    Problem,
    RefusedError,
)
from .._model.origin import Origin
from .._model.plan import Plan, Step, Work
from .._model.protection import KINDS as PROTECTED_KINDS
from .._model.protection import find_destroyed
from .carrying import Failure, carry_out
from .defects import as_problem
from .noun import Options, Resource
from .progress import Progress
from .telling import summarise

# How often a run reads and plans again because others were quicker. Each time one of them has got on.
_MAX_ATTEMPTS = 50


class Terms(NamedTuple):
    """On what terms a call is carried out. confirm: the word of consent, if it was given. holder says to people who is
    at work; others that hold what is needed are waited for, for lease_timeout_s. origin: what the call comes from.
    """

    holder: str
    lease_timeout_s: float
    confirm: str | None = None
    apply: bool = True
    origin: Origin = Origin()


class Result(NamedTuple):
    """What is there in the end, what was planned, and what went wrong while it was applied.

    took_s: how long each work took that was begun, by its label; None for one that failed.
    """

    have: Any
    plan: Plan
    changed: bool
    problems: tuple[Problem, ...] = ()
    took_s: Mapping[str, float | None] = MappingProxyType({})


def converge(
    cloud: Cloud, resource: Resource[Any, Any], wants: Sequence[Any], options: Options, terms: Terms
) -> Result:
    """Bring the nodes to what is wanted. Raises RefusedError and ConsentError before anything is touched, LeaseError
    when another run holds what is needed.
    """
    revision = cloud.revision()
    have, plan, revision = _read_and_plan(cloud, resource, wants, options, revision)
    _require_consent(plan, terms.confirm)
    if not terms.apply or plan.is_empty:
        return Result(have, plan, bool(plan.effective))

    with ExitStack() as stack:
        held: Leases | None = None
        exclusive: set[str] = set()
        shared: set[str] = set()
        for _ in range(_MAX_ATTEMPTS):
            if held is None or not (exclusive >= _changed_by(plan) and exclusive | shared >= _used_by(plan)):
                stack.close()  # all are taken at once, so more cannot be taken while some are held
                exclusive |= _changed_by(plan)
                shared |= _used_by(plan)
                held = stack.enter_context(
                    Leases(
                        cloud.registry, exclusive, shared=shared, holder=terms.holder, timeout_s=terms.lease_timeout_s
                    )
                )
                stack.callback(setattr, cloud, "token", None)
                cloud.token = held.token
            if plan.is_empty:
                return Result(have, plan, changed=False)
            run = _Run(cloud, resource, held, terms)
            if run.decide(plan, revision):
                return _finish(run, plan, have, wants, options)
            # Another run has decided or finished something since we read: what we planned may be done, or wrong.
            cloud.refresh_nodes()
            have, plan, revision = _read_and_plan(cloud, resource, wants, options, cloud.revision())
            _require_consent(plan, terms.confirm)
    raise LeaseError(
        [
            Problem(
                f"other runs decided something {_MAX_ATTEMPTS} times while this one was planning, so nothing was begun",
                "Run again when there are fewer at once.",
            )
        ]
    )


class _Run:
    """A plan that is carried out, under leases."""

    def __init__(self, cloud: Cloud, resource: Resource[Any, Any], held: Leases, terms: Terms) -> None:
        self.cloud = cloud
        self.resource = resource
        self._held = held
        self._terms = terms
        self._id = secrets.token_hex(4)
        self.took_s: dict[str, float | None] = {}
        self._owners: dict[str, str] = {}

    def decide(self, plan: Plan, revision: int) -> bool:
        """Write what the plan decides, unless anybody has decided anything since `revision` was read.

        So of two runs that planned from the same state only one decides, and the other sees what, and plans again.
        """
        registry = self.cloud.registry

        def write() -> bool:
            self._held.require_in_registry()
            if registry.revision() != revision:
                return False
            self._require_unprotected(plan)
            self._look_whose(plan)
            self.resource.reserve(self.cloud, plan)
            self._look_whose(plan)
            claims.write(registry, self._held.token, [work.claim for work in plan.effective if work.claim])
            registry.bump_revision()
            self._record(plan.effective, "started")
            return True

        return registry.transaction(write)

    def carry_out(self, plan: Plan) -> list[Failure]:
        """Carry out the plan, nodes in parallel. Returns the works that failed; the others are done."""
        unfinished = {id(work): work for work in plan.effective}
        failures: list[Failure] = []
        stages = [[work for work in stage if work.steps] for stage in (plan.first, plan.works, plan.last)]

        begun: dict[int, float] = {}

        def apply(work: Work, step: Step) -> Iterator[float] | None:
            begun.setdefault(id(work), time.monotonic())
            self._held.require()
            return self.resource.apply(self.cloud, work, step)

        def ended(work: Work) -> None:
            unfinished.pop(id(work))
            now = time.monotonic()
            # A resource may have a work before all others and one after them.
            before_s = self.took_s.get(work.label) or 0.0
            self.took_s[work.label] = before_s + now - begun.get(id(work), now)
            progress.advance(work)

        try:
            with Progress(self.resource.plural, len(unfinished)) as progress:
                failures = carry_out(stages, apply, ended)
        finally:
            failed = {id(work) for work, _ in failures} | unfinished.keys()
            self.took_s |= {work.label: None for work in plan.effective if id(work) in failed}
            self._record([work for work in plan.effective if id(work) not in failed], "done")
            self._record([work for work in plan.effective if id(work) in failed], "failed")
            self.cloud.registry.bump_revision()
        return failures

    def _require_unprotected(self, plan: Plan) -> None:
        """The planners have refused already, with better words: this is the last look, where nothing can change."""
        if any(work.destroys for work in plan.effective):
            problems = find_destroyed(plan.effective, self.cloud.registry.rows(*PROTECTED_KINDS))
            if problems:
                raise RefusedError(problems)

    def _look_whose(self, plan: Plan) -> None:
        """Learn whose the resources are: those that go before they have gone, new ones when they are there."""
        ids = [work.id for work in plan.effective if work.id is not None]
        self._owners |= audit.find_organizations(self.cloud.registry, ids)

    def _record(self, works: Sequence[Work], outcome: Outcome) -> None:
        audit.record(self.cloud.registry, [self._event(work, outcome) for work in works])

    def _event(self, work: Work, outcome: Outcome) -> Event:
        return Event(
            run=self._id,
            actor=self._terms.holder,
            kind=work.kind,
            name=work.name,
            what=summarise(work),
            outcome=outcome,
            resource=work.id,
            node=work.node,
            organization=self._owners.get(work.id or ""),
            job=self._terms.origin.job or None,
            revision=self._terms.origin.revision or None,
        )


def _finish(run: _Run, plan: Plan, have: Any, wants: Sequence[Any], options: Options) -> Result:
    """Carry out what is decided, and look what has come of it. have is what was there before."""
    failures = run.carry_out(plan)
    cloud, resource = run.cloud, run.resource
    # Leases that are lost are one problem, however many works they stop.
    problems = list(dict.fromkeys(problem for _, found in failures for problem in found))
    try:
        with as_problem():
            cloud.refresh_nodes()
            have = resource.read(cloud, wants, options)
            rest = Plan() if problems else _plan(resource, wants, have, options)
    except PextraError as error:
        # What was done is told all the same.
        return Result(have, plan, True, (*problems, *error.problems), run.took_s)
    problems += [
        Problem(
            f"still not as declared after applying everything: {summarise(work)}",
            "Something else may be changing it; if not, this is a defect worth reporting.",
            work.node,
            work.key,
        )
        for work in rest.effective
    ]
    # A node that has gone since then: what it holds could not be looked at again.
    problems += [problem for problem in rest.failures if problem not in plan.failures]
    return Result(have, plan.with_waiting(rest), True, tuple(problems), run.took_s)


def name_holder(who: str) -> str:
    """Say who is at work, for the audit trail and for those who wait."""
    return f"{who} at {socket.gethostname()} (process {os.getpid()}, {time.strftime('%H:%M:%S', time.gmtime())} UTC)"


def _changed_by(plan: Plan) -> set[str]:
    """Return what is leased for the plan alone: what it changes, and the use of what it ends."""
    keys = {key for work in plan.effective for key in (work.key, *work.touches)}
    return keys | {_use_of(work.key) for work in plan.effective if work.ends}


def _used_by(plan: Plan) -> set[str]:
    return {_use_of(key) for work in plan.effective for key in work.uses}


def _use_of(key: str) -> str:
    """Return the lease on using a resource: it may be mended meanwhile, but not taken away."""
    return f"use of {key}"


def _read_and_plan(
    cloud: Cloud, resource: Resource[Any, Any], wants: Sequence[Any], options: Options, revision: int
) -> tuple[Any, Plan, int]:
    """Read and plan, and return the revision that was there before.

    A refusal counts only if no other run has decided or finished anything meanwhile: otherwise a part was read before,
    and a part after.
    """
    for attempt in range(_MAX_ATTEMPTS):
        if attempt:
            cloud.refresh_nodes()
        have = resource.read(cloud, wants, options)
        try:
            return have, _plan(resource, wants, have, options), revision
        except RefusedError:
            now = cloud.revision()
            if now == revision or attempt == _MAX_ATTEMPTS - 1:
                raise
            revision = now
    raise AssertionError("unreachable")


def _plan(resource: Resource[Any, Any], wants: Sequence[Any], have: Any, options: Options) -> Plan:
    plan = resource.plan(wants, have, options)
    if plan.refusals:
        raise RefusedError(plan.refusals)
    return plan


def _require_consent(plan: Plan, confirm: str | None) -> None:
    losing = [work for work in plan.effective if work.loses]
    if losing and confirm != "DESTROY":
        raise ConsentError(
            [
                Problem(
                    f"this would destroy {'; '.join(work.loses)}",
                    "Nothing was changed. If that is what you want, set confirm: DESTROY.",
                    work.node,
                    f"{work.kind} {work.name}",
                )
                for work in losing
            ]
        )
