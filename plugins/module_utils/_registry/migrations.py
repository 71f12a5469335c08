"""Schema versions. Each migration takes the schema from the version before it; they are never edited afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._errors import RegistryError
from .models import TABLES, Fact

_VERSION = "schema_version"


def _first_schema(database: Any) -> None:
    database.create_tables(TABLES)


MIGRATIONS: tuple[Callable[[Any], None], ...] = (_first_schema,)


def read_version(database: Any) -> int:
    """Return the version of the schema in the database; 0 means empty."""
    if not database.table_exists(Fact._meta.table_name):
        return 0
    row = Fact.get_or_none(Fact.key == _VERSION)
    return int(row.value) if row else 0


def migrate(database: Any) -> tuple[int, int]:
    """Bring the schema to the newest version, one transaction per step. Returns (version before, version after)."""
    before = read_version(database)
    if before > len(MIGRATIONS):
        raise RegistryError(
            f"the registry has schema version {before}, newer than this collection's {len(MIGRATIONS)}. "
            "Use the collection's newer version that wrote it."
        )
    for version, migration in enumerate(MIGRATIONS[before:], before + 1):
        with database.atomic():
            migration(database)
            if version == 1:
                Fact.insert(key=_VERSION, value=str(version)).execute()
            else:
                Fact.update(value=str(version)).where(Fact.key == _VERSION).execute()
    return before, len(MIGRATIONS)
