# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schema versions. Each migration takes the schema from the version before it; they are never edited afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import peewee

from ..._model.errors import RegistryError
from .append_only import guard_trail
from .models import Tables

_VERSION = "schema_version"
# The row that every writer locks first, where the database does not let only one write anyway.
LOCK = "lock"


def _first_schema(database: Any, tables: Tables) -> None:
    database.create_tables((tables.fact, tables.resource, tables.association, tables.audit_event))


def _shared_leases_and_claims(database: Any, tables: Tables) -> None:
    """Leases had one holder each. They last for seconds, so those of before are dropped, but not a run's at work."""
    if database.table_exists(tables.lease._meta.table_name):
        old = peewee.Table(tables.lease._meta.table_name, ("holder", "expires")).bind(database)
        held = old.select(old.holder).where(old.expires >= time.time()).limit(1).tuples()
        for (holder,) in held:
            raise RegistryError(
                f"{holder}, of an older version of the collection, is at work. Run again when it ended."
            )
        database.drop_tables((tables.lease,))
    database.create_tables((tables.lease, tables.claim))
    tables.fact.insert(key=LOCK, value="").execute()


def _audit_trail_is_append_only(database: Any, tables: Tables) -> None:
    """The audit trail says more, and nothing of it is changed any more. What was written before stays as it is."""
    event = tables.audit_event
    table = event._meta.table_name
    if not database.table_exists(table):
        database.create_tables((event,))
    known = {column.name for column in database.get_columns(table)}
    for name, length in (("organization", 64), ("job", 255), ("revision", 255)):
        if name not in known:
            database.execute_sql(f"ALTER TABLE {table} ADD COLUMN {name} VARCHAR({length})")
    guard_trail(database, tables)


MIGRATIONS: tuple[Callable[[Any, Tables], None], ...] = (
    _first_schema,
    _shared_leases_and_claims,
    _audit_trail_is_append_only,
)


def read_version(database: Any, tables: Tables) -> int:
    """Return the version of the schema in the database; 0 means empty."""
    if not database.table_exists(tables.fact._meta.table_name):
        return 0
    row = tables.fact.get_or_none(tables.fact.key == _VERSION)
    return int(row.value) if row else 0


def refuse_newer(version: int) -> None:
    """Raise RegistryError for a schema of a version that this collection does not know."""
    if version > len(MIGRATIONS):
        raise RegistryError(
            f"the registry has schema version {version}, newer than this collection's {len(MIGRATIONS)}. "
            "Use the collection's newer version that wrote it."
        )


def migrate(database: Any, tables: Tables) -> tuple[int, int]:
    """Bring the schema to the newest version, one transaction per step. Returns (version before, version after)."""
    fact = tables.fact
    before = read_version(database, tables)
    refuse_newer(before)
    for version, migration in enumerate(MIGRATIONS[before:], before + 1):
        with database.atomic():
            migration(database, tables)
            if version == 1:
                fact.insert(key=_VERSION, value=str(version)).execute()
            else:
                fact.update(value=str(version)).where(fact.key == _VERSION).execute()
    return before, len(MIGRATIONS)
