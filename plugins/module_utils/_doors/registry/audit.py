# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail: who did what to which resource, when, and how it ended. Append-only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import peewee

from .store import Registry

Outcome = Literal["started", "done", "failed"]


class Event(NamedTuple):
    """what is for people and never holds a secret; at is seconds since the epoch."""

    run: str
    actor: str
    kind: str
    name: str
    what: str
    outcome: Outcome
    resource: str | None = None
    node: str | None = None


def record(registry: Registry, events: Iterable[Event]) -> None:
    """Append events, in one transaction."""
    rows = [event._asdict() for event in events]

    def write() -> None:
        now = registry.now()
        for chunk in peewee.chunked([{"at": now, **row} for row in rows], 80):
            registry.tables.audit_event.insert_many(chunk).execute()

    if rows:
        registry.transaction(write)


def read(registry: Registry, *, names: Sequence[str] | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest events first, at most `limit`, of all resources or of those named."""

    def select() -> list[dict[str, Any]]:
        table = registry.tables.audit_event
        query = table.select().order_by(table.id.desc()).limit(limit)
        if names is not None:
            query = query.where(table.name.in_(names) | table.resource.in_(names))
        return [{key: value for key, value in row.items() if key != "id"} for row in query.dicts()]

    return registry.transaction(select)
