"""The engine of every module and of the coordinators' job: read, plan, lease, apply, read again and plan again.

Without Ansible: who calls it says what is wanted and whether to apply, and makes something of the outcome.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

from ._cloud import Cloud
from ._errors import ConsentError, PextraError, Problem, RefusedError
from ._plan._types import Plan, Work
from ._progress import Progress
from ._registry import audit, leases
from ._registry.audit import Event, Outcome
from ._resource._base import Options, Resource

# Two starts at once are best on two cores, and four or eight are no faster (measured; docs/architecture.md).
WORKERS_PER_NODE = 2


class Terms(NamedTuple):
    """On what terms a call is carried out. confirm: the word of consent, if it was given. holder says to people who is
    at work; others that hold what is needed are waited for, for lease_timeout_s.
    """

    holder: str
    lease_timeout_s: float
    confirm: str | None = None
    apply: bool = True


class Result(NamedTuple):
    """What is there in the end, what was planned, and what went wrong while it was applied."""

    have: Any
    plan: Plan
    changed: bool
    problems: tuple[Problem, ...] = ()


def converge(
    cloud: Cloud, resource: Resource[Any, Any], wants: Sequence[Any], options: Options, terms: Terms
) -> Result:
    """Bring the nodes to what is wanted. Raises RefusedError and ConsentError before anything is touched, LeaseError
    when another run holds what is needed.
    """
    revision = cloud.registry.revision()
    have = resource.read(cloud, wants, options)
    plan = _plan(resource, wants, have, options)
    _require_consent(plan, terms.confirm)
    if not terms.apply or plan.is_empty:
        return Result(have, plan, bool(plan.effective))

    run_id = secrets.token_hex(4)
    with ExitStack() as held:
        keys: set[str] = set()
        while not keys.issuperset(_lease_keys(plan)):
            held.close()  # all are taken in one order, so more cannot be taken while some are held
            keys |= _lease_keys(plan)
            held.enter_context(
                leases.Leases(cloud.registry, keys, holder=terms.holder, timeout_s=terms.lease_timeout_s)
            )
            now = cloud.registry.revision()
            if now != revision:
                # Another run has finished something since we read: what we planned may be done, or wrong.
                revision = now
                cloud.refresh_nodes()
                have = resource.read(cloud, wants, options)
                plan = _plan(resource, wants, have, options)
                _require_consent(plan, terms.confirm)
        if plan.is_empty:
            return Result(have, plan, changed=False)
        audit.record(cloud.registry, _events(plan.effective, run_id, terms.holder, "started"))
        failures = _carry_out(cloud, resource, plan)
        failed = {work.label for work, _ in failures}
        audit.record(
            cloud.registry,
            _events([work for work in plan.effective if work.label not in failed], run_id, terms.holder, "done"),
        )
        audit.record(cloud.registry, _events([work for work, _ in failures], run_id, terms.holder, "failed"))

        cloud.refresh_nodes()
        have = resource.read(cloud, wants, options)
        problems = [problem for _, found in failures for problem in found]
        if not problems:
            rest = _plan(resource, wants, have, options)
            problems += [
                Problem(
                    f"still not as declared after applying everything: {summarise(work)}",
                    "Something else may be changing it; if not, this is a defect worth reporting.",
                    work.node,
                    f"{work.kind} {work.name}",
                )
                for work in rest.effective
            ]
            # A node that has gone since then: what it holds could not be looked at again.
            problems += [problem for problem in rest.failures if problem not in plan.failures]
    return Result(have, plan, True, tuple(problems))


def name_holder(who: str) -> str:
    """Say who is at work, for the audit trail and for those who wait."""
    return f"{who} at {socket.gethostname()} (process {os.getpid()}, {time.strftime('%H:%M:%S', time.gmtime())} UTC)"


def summarise(work: Work) -> str:
    """Say on one line what a work does."""
    return ", ".join(step.text for step in work.steps)


def _lease_keys(plan: Plan) -> set[str]:
    return {key for work in plan.effective for key in (f"{work.kind} {work.name}", *work.touches)}


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


def _carry_out(cloud: Cloud, resource: Resource[Any, Any], plan: Plan) -> list[tuple[Work, tuple[Problem, ...]]]:
    """Carry out the plan, nodes in parallel. Returns the works that failed; the others are done."""
    failures: list[tuple[Work, tuple[Problem, ...]]] = []
    resource.reserve(cloud, plan)
    try:
        with Progress(resource.plural, sum(1 for work in plan.effective)) as progress:
            for stage in (plan.first, plan.works, plan.last):
                failures += _apply_stage(cloud, resource, [work for work in stage if work.steps], progress)
    finally:
        cloud.registry.bump_revision()
    return failures


def _apply_stage(
    cloud: Cloud, resource: Resource[Any, Any], works: Sequence[Work], progress: Progress
) -> list[tuple[Work, tuple[Problem, ...]]]:
    by_node: dict[str | None, list[Work]] = defaultdict(list)
    for work in works:
        by_node[work.node].append(work)

    def carry_out(work: Work) -> tuple[Problem, ...]:
        try:
            for step in work.steps:
                resource.apply(cloud, work, step)
        except PextraError as error:
            return error.problems
        finally:
            progress.advance(work)
        return ()

    failures: list[tuple[Work, tuple[Problem, ...]]] = []
    with ExitStack() as stack:
        futures: list[tuple[Work, Future[tuple[Problem, ...]]]] = []
        for group in by_node.values():
            pool = stack.enter_context(ThreadPoolExecutor(max_workers=WORKERS_PER_NODE))
            futures += [(work, pool.submit(carry_out, work)) for work in group]
        for work, future in futures:
            problems = future.result()
            if problems:
                failures.append((work, problems))
    return failures


def _events(works: Sequence[Work], run_id: str, actor: str, outcome: Outcome) -> list[Event]:
    return [
        Event(
            run=run_id,
            actor=actor,
            kind=work.kind,
            name=work.name,
            what=summarise(work),
            outcome=outcome,
            resource=work.id,
            node=work.node,
        )
        for work in works
    ]
