# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail: who did what to which resource, when, and how it ended. Append-only, see append_only.py.

Entries are numbered, and the numbers grow: that is their order, also where a clock was set back. Transactions of the
registry come one after the other, so whoever has read up to a number has everything up to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import peewee

from .append_only import REMOVAL
from .store import Registry

Outcome = Literal["started", "done", "failed"]
Entry = dict[str, Any]
_FORWARDED = "audit_forwarded "


class Event(NamedTuple):
    """what is for people and never holds a secret. organization: the identifier of whose the resource is."""

    run: str
    actor: str
    kind: str
    name: str
    what: str
    outcome: Outcome
    resource: str | None = None
    node: str | None = None
    organization: str | None = None
    job: str | None = None
    revision: str | None = None


class Wanted(NamedTuple):
    """Which entries are asked for; None is no limit. since, until: seconds since the epoch, without until itself.

    actors: names of those who did it, wherever they were. names: of resources, or identifiers.
    """

    since: float | None = None
    until: float | None = None
    organizations: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    actors: Sequence[str] | None = None
    names: Sequence[str] | None = None


def record(registry: Registry, events: Iterable[Event]) -> None:
    """Append events, in one transaction."""
    rows = [event._asdict() for event in events]

    def write() -> None:
        now = registry.now()
        for chunk in peewee.chunked([{"at": now, **row} for row in rows], 70):
            registry.tables.audit_event.insert_many(chunk).execute()

    if rows:
        registry.transaction(write)


def find_organizations(registry: Registry, ids: Iterable[str]) -> dict[str, str]:
    """Return whose resources are, identifiers by identifier, of those that are registered and are somebody's."""
    table = registry.tables.resource
    found: dict[str, str] = {}

    def select() -> None:
        for chunk in peewee.chunked(sorted(set(ids)), 200):
            for id_, kind, text in (
                table.select(table.id, table.kind, table.attributes).where(table.id << chunk).tuples()
            ):
                owner = id_ if kind == "organization" else json.loads(text).get("organization")
                if owner:
                    found[id_] = str(owner)

    registry.read(select)
    return found


def read(registry: Registry, *, names: Sequence[str] | None = None, limit: int = 100) -> list[Entry]:
    """Return the newest events first, at most `limit`, of all resources or of those named."""
    table = registry.tables.audit_event
    query = _select(registry, Wanted(names=names)).order_by(table.id.desc()).limit(limit)
    return registry.read(lambda: list(query.dicts()))


def read_page(registry: Registry, wanted: Wanted, *, after: int, limit: int) -> list[Entry]:
    """Return the oldest events first, at most `limit`, that are numbered above `after`."""
    table = registry.tables.audit_event
    query = _select(registry, wanted).where(table.id > after).order_by(table.id).limit(limit)
    return registry.read(lambda: list(query.dicts()))


def read_all(registry: Registry, wanted: Wanted, *, after: int, until: int, at_once: int) -> Iterator[list[Entry]]:
    """Read what is numbered above `after` and up to `until`, so many at once: no memory holds a whole year."""
    while page := [
        entry for entry in read_page(registry, wanted, after=after, limit=at_once) if entry["number"] <= until
    ]:
        yield page
        after = page[-1]["number"]


def newest(registry: Registry) -> int:
    """Return the number of the newest event, 0 if there is none."""
    table = registry.tables.audit_event
    return int(registry.read(lambda: table.select(peewee.fn.max(table.id)).scalar()) or 0)


def count_before(registry: Registry, before: float) -> int:
    """Return how many events are older than that, in seconds since the epoch."""
    table = registry.tables.audit_event
    return int(registry.read(lambda: table.select().where(table.at < before).count()))


def count_between(registry: Registry, after: int, until: int) -> int:
    """Return how many events are numbered above `after` and up to `until`."""
    table = registry.tables.audit_event
    return int(registry.read(lambda: table.select().where((table.id > after) & (table.id <= until)).count()))


def remove_before(registry: Registry, before: float, *, most: int) -> int:
    """Remove the first `most` events that are older than that, in one transaction. Returns how many they were."""
    table, fact = registry.tables.audit_event, registry.tables.fact

    def remove() -> int:
        oldest = table.select(table.id).where(table.at < before).order_by(table.id).limit(most).tuples()
        numbers = [number for (number,) in oldest]
        if not numbers:
            return 0
        # Only with this do the triggers allow it, and nobody else ever sees it.
        fact.insert(key=REMOVAL, value=repr(before)).execute()
        table.delete().where((table.at < before) & (table.id <= numbers[-1])).execute()
        fact.delete().where(fact.key == REMOVAL).execute()
        return len(numbers)

    return registry.transaction(remove)


def forwarded(registry: Registry, place: str) -> int:
    """Return the number up to which all was sent there."""
    fact = registry.tables.fact
    row = registry.read(lambda: fact.get_or_none(fact.key == _FORWARDED + place))
    return int(row.value) if row else 0


def note_forwarded(registry: Registry, place: str, number: int) -> None:
    """Remember that all up to that number was sent there."""
    fact, key = registry.tables.fact, _FORWARDED + place

    def write() -> None:
        if not fact.update(value=str(number)).where(fact.key == key).execute():
            fact.insert(key=key, value=str(number)).execute()

    registry.transaction(write)


def _select(registry: Registry, wanted: Wanted) -> Any:
    table = registry.tables.audit_event
    columns = [getattr(table, name) for name in ("at", *Event._fields)]
    query = table.select(table.id.alias("number"), *columns)
    if wanted.since is not None:
        query = query.where(table.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.at < wanted.until)
    for column, values in ((table.organization, wanted.organizations), (table.kind, wanted.kinds)):
        if values is not None:
            query = query.where(column.in_(values))
    if wanted.names is not None:
        query = query.where(table.name.in_(wanted.names) | table.resource.in_(wanted.names))
    if wanted.actors is not None:
        # Where it was, and in which process, follows the name (name_holder in converge.py).
        who = [(table.actor == name) | _begins(table.actor, f"{name} at ") for name in wanted.actors]
        query = query.where(_any(who) if who else table.id < 0)
    return query


def _begins(column: Any, text: str) -> Any:
    """No pattern: what people write there is compared as it is."""
    return peewee.fn.substr(column, 1, len(text)) == text


def _any(conditions: Sequence[Any]) -> Any:
    found = conditions[0]
    for condition in conditions[1:]:
        found |= condition
    return found
