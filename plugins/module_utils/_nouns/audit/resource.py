# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of pextra_audit: entries are added to the audit trail, sent to a log daemon, or the oldest are removed."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ..._doors.host.log_sockets import LogSocket
from ..._doors.registry import audit
from ..._doors.registry.audit import Entry, Event, Outcome, Wanted
from ..._doors.registry.leases import Leases
from ..._doors.registry.look import look_at
from ..._doors.registry.store import Registry
from ..._engine.own_host import HostPlan
from ..._model.errors import InvalidInputError, Problem
from ..._model.origin import Origin
from .lines import render_journal, render_syslog
from .spec import Act, Forwarding, Order, parse_order
from .times import parse_time, show_time

_LEASE = "audit trail"
_LEASE_TIMEOUT_S = 60.0
# Of one transaction, for which others wait.
_REMOVED_AT_ONCE = 5000
_READ_AT_ONCE = 1000
# Whoever covers up what was done just now would need no better tool; and recovery counts its own starts there.
_YOUNGEST_S = 86400


@dataclass(frozen=True)
class Add:
    """Add entries."""

    acts: tuple[Act, ...]

    @property
    def text(self) -> str:
        return f"add {_count(len(self.acts))} to the audit trail"


@dataclass(frozen=True)
class Send:
    """Send what was not sent there yet."""

    to: Forwarding
    count: int

    @property
    def text(self) -> str:
        return f"send {_count(self.count)} of the audit trail to {self.to.socket}"


@dataclass(frozen=True)
class Remove:
    """Remove what is older than a time, in seconds since the epoch."""

    before: float
    count: int

    @property
    def text(self) -> str:
        return f"remove {_count(self.count)} of the audit trail, older than {show_time(self.before)}"


class AuditWork:
    """holder says to people who it is: user, host, run."""

    def __init__(self, url: str, order: Order, *, holder: str, origin: Origin) -> None:
        self._url = url
        self._order = order
        self._holder = holder
        self._origin = origin
        self._before_s: float | None = None
        self._until: int | None = None
        self._is_added = False
        self._run = secrets.token_hex(4)
        self._registry: Registry | None = None
        self._held: Leases | None = None

    @contextmanager
    def prepared(self) -> Iterator[None]:
        if self._is_lost():
            yield
            return
        with Registry(self._url) as registry, ExitStack() as stack:
            if self._order.forwarding is not None or self._order.before is not None:
                lease = Leases(registry, [_LEASE], holder=self._holder, timeout_s=_LEASE_TIMEOUT_S)
                self._held = stack.enter_context(lease)
            self._registry = registry
            try:
                yield
            finally:
                self._registry = None

    def plan(self) -> HostPlan[Add | Send | Remove]:
        order = self._order
        if self._is_lost():
            return HostPlan(warnings=("there is no registry of this version yet: what was done is not recorded",))
        acts: list[Add | Send | Remove] = []
        refusals: list[Problem] = []
        loses: list[str] = []
        with self._opened() as registry:
            if order.acts and not self._is_added:
                acts.append(Add(order.acts))
            if order.forwarding is not None:
                acts += self._plan_sending(registry, order.forwarding)
            if order.before is not None:
                now = registry.now()
                if self._before_s is None:
                    self._before_s = parse_time(order.before, now)
                if self._before_s > now - _YOUNGEST_S:
                    refusals.append(_too_young())
                elif count := audit.count_before(registry, self._before_s):
                    acts.append(Remove(self._before_s, count))
                    loses.append(
                        f"{_count(count)} of the audit trail, all that is older than {show_time(self._before_s)}"
                    )
        return HostPlan(acts=tuple(acts), refusals=tuple(refusals), loses=tuple(loses))

    def apply(self, acts: Sequence[Add | Send | Remove]) -> None:
        with self._opened() as registry:
            for act in acts:
                if isinstance(act, Add):
                    audit.record(registry, [self._event(one) for one in act.acts])
                    self._is_added = True
                elif isinstance(act, Send):
                    self._send(registry, act)
                else:
                    self._remove(registry, act)

    def _is_lost(self) -> bool:
        """Whether there is nothing yet to write it into, and that is no error."""
        if not self._order.may_be_lost:
            return False
        found = look_at(self._url)
        return found.version != found.newest

    def describe(self, *, applied: bool) -> Mapping[str, Any]:
        return {}

    def _plan_sending(self, registry: Registry, to: Forwarding) -> list[Send]:
        until = audit.newest(registry) if self._until is None else self._until
        count = audit.count_between(registry, audit.forwarded(registry, to.socket), until)
        if not self._is_added:
            count += len(self._order.acts)
        return [Send(to, count)] if count else []

    def _send(self, registry: Registry, act: Send) -> None:
        """Each page is noted when it is sent: a run that is killed sends at most one of them twice, and loses none. Of
        a page that nobody takes to its end, what was taken is noted.
        """
        host = socket.gethostname()
        last = audit.forwarded(registry, act.to.socket)
        # What others add meanwhile is for the next call: this one has an end.
        self._until = audit.newest(registry)
        pages = audit.read_all(registry, Wanted(), after=last, until=self._until, at_once=_READ_AT_ONCE)
        with LogSocket(act.to.socket) as log:
            for page in pages:
                self._require_lease()
                try:
                    for entry in page:
                        log.send(_rendered(entry, act.to, host))
                        last = entry["number"]
                finally:
                    audit.note_forwarded(registry, act.to.socket, last)

    def _remove(self, registry: Registry, act: Remove) -> None:
        """Recorded before anything goes, so that the trail never lacks who has shortened it."""
        self._record_removal(registry, act, "started")
        outcome: Outcome = "failed"
        try:
            while audit.remove_before(registry, act.before, most=_REMOVED_AT_ONCE):
                self._require_lease()
            outcome = "done"
        finally:
            self._record_removal(registry, act, outcome)

    def _record_removal(self, registry: Registry, act: Remove, outcome: Outcome) -> None:
        audit.record(registry, [self._event(Act(kind="audit", name="audit trail", what=act.text, outcome=outcome))])

    def _event(self, act: Act) -> Event:
        return Event(
            run=self._run,
            actor=self._holder,
            kind=act.kind,
            name=act.name,
            what=act.what,
            outcome=act.outcome,  # type: ignore[arg-type]  # the table has no others
            node=act.node,
            job=self._origin.job or None,
            revision=self._origin.revision or None,
        )

    def _require_lease(self) -> None:
        if self._held is not None:
            self._held.require()

    @contextmanager
    def _opened(self) -> Iterator[Registry]:
        if self._registry is not None:
            yield self._registry
            return
        with Registry(self._url) as registry:
            yield registry


def make_work(params: Mapping[str, Any], origin: Origin, holder: str) -> AuditWork:
    """Return the work for the options of pextra_audit. Raises InvalidInputError."""
    order, mistakes = parse_order(params)
    if mistakes:
        raise InvalidInputError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])
    return AuditWork(params["registry"], order, holder=holder, origin=origin)


def _rendered(entry: Entry, to: Forwarding, host: str) -> bytes:
    if to.format == "journal":
        return render_journal(entry)
    return render_syslog(entry, host).encode("utf-8", "replace")


def _too_young() -> Problem:
    return Problem(
        "what is younger than a day is not removed from the audit trail",
        "Write an earlier date, or an age such as 365d.",
        resource="remove_before",
    )


def _count(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"
