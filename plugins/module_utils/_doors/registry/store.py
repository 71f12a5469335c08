# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and writing the registry.

One connection, one lock: the modules' worker threads share it. Reads are whole tables of a kind in one query;
writes of many rows are one transaction.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import peewee

from ..._model.errors import RegistryError
from ..._model.registry_url import DEFAULT_URL, without_password
from ..._model.rows import AssociationRow, Row
from . import migrations
from .connection import (
    database_of,
    errors_of,
    is_sqlite,
    is_there,
    open_connection,
    reporting_opening,
    sqlite_path,
)
from .models import tables_of

__all__ = ["Registry", "is_there", "sqlite_path"]

_REVISION = "revision"
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())"

Result = TypeVar("Result")


class Registry:
    """An open registry. Use as a context manager."""

    def __init__(self, url: str = DEFAULT_URL, *, create: bool = False) -> None:
        """Open the database at `url`. Raises RegistryError if it is not there and `create` is not set."""
        self._lock = threading.RLock()
        self.url = url
        path = sqlite_path(url)
        if path is not None and not create and not is_there(path):
            raise RegistryError(f"there is no registry at {path}. Run the coordinator stage of site.yml first.")
        mask = os.umask(0o077)
        try:
            with reporting_opening(url):
                self.database = database_of(url)
                self.tables = tables_of(self.database)
                open_connection(self.database)
                if create:
                    self.migrated = migrations.migrate(self.database, self.tables)
                else:
                    version = migrations.read_version(self.database, self.tables)
                    self.migrated = (version, version)
                    if version != len(migrations.MIGRATIONS):
                        raise RegistryError(
                            f"the registry's schema has version {version}, this collection's is "
                            f"{len(migrations.MIGRATIONS)}. Run the coordinator stage of site.yml first."
                        )
        finally:
            os.umask(mask)

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            if not self.database.is_closed():
                self.database.close()

    def transaction(self, work: Callable[[], Result]) -> Result:
        """Run `work` in one transaction, under the lock.

        Transactions of all runs come one after the other, on every database: what one has read, nobody changes before
        it ends. So whatever reads, changes and writes is right if it does so in one of these.
        """
        with self._lock, self._reporting():
            open_connection(self.database)
            if self.database.in_transaction():
                with self.database.atomic():
                    return work()
            if is_sqlite(self.database):
                with self.database.atomic("IMMEDIATE"):
                    return work()
            with self.database.atomic():
                fact = self.tables.fact
                list(fact.select(fact.key).where(fact.key == migrations.LOCK).for_update().tuples())
                return work()

    def now(self) -> float:
        """Return the time by the database's clock, in seconds since the epoch: one for all hosts."""
        if is_sqlite(self.database):
            return time.time()  # it is this host's alone
        return float(self.read(lambda: self.database.execute_sql(_CLOCK).fetchone()[0]))

    # Resources

    def rows(self, *kinds: str) -> list[Row]:
        """Return all resources of the kinds, by name."""
        resource = self.tables.resource

        def read() -> list[Row]:
            query = resource.select().where(resource.kind.in_(kinds)).order_by(resource.name)
            return [
                Row(id_, kind, name, scope, json.loads(attributes))
                for id_, kind, name, scope, attributes in query.tuples().select(
                    resource.id,
                    resource.kind,
                    resource.name,
                    resource.scope,
                    resource.attributes,
                )
            ]

        return self.read(read)

    def put(self, rows: Iterable[Row]) -> None:
        """Insert or update resources, in one transaction. A name that is taken by another identifier is an error."""
        batch = list(rows)
        if not batch:
            return
        resource = self.tables.resource

        def write() -> None:
            known: set[str] = set()
            for chunk in peewee.chunked([row.id for row in batch], 200):
                query = resource.select(resource.id).where(resource.id.in_(chunk))
                known.update(id_ for (id_,) in query.tuples())
            fresh = [_columns(row) for row in batch if row.id not in known]
            for chunk in peewee.chunked(fresh, 100):
                resource.insert_many(chunk).execute()
            for row in batch:
                if row.id in known:
                    columns = _columns(row)
                    id_ = columns.pop("id")
                    resource.update(columns).where(resource.id == id_).execute()

        try:
            self.transaction(write)
        except peewee.IntegrityError as error:
            names = ", ".join(sorted({f"{row.kind} {row.name}" for row in batch})[:5])
            raise RegistryError(f"a name is taken already, among: {names}. Run again.") from error

    def change(self, id_: str, change: Callable[[Row], Row]) -> None:
        """Change a resource as it is now, if it is there: what others have written since it was read stays."""
        table = self.tables.resource

        def write() -> None:
            query = table.select(table.id, table.kind, table.name, table.scope, table.attributes).where(table.id == id_)
            for known_id, kind, name, scope, attributes in query.tuples():
                before = Row(known_id, kind, name, scope, json.loads(attributes))
                after = change(before)
                if after != before:
                    self.put([after])

        self.transaction(write)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove resources and their associations."""
        resource, association = self.tables.resource, self.tables.association
        batch = list(ids)

        def write() -> None:
            for chunk in peewee.chunked(batch, 200):
                association.delete().where(association.resource.in_(chunk)).execute()
                resource.delete().where(resource.id.in_(chunk)).execute()

        if batch:
            self.transaction(write)

    # Associations

    def associations(self, kind: str) -> list[AssociationRow]:
        """Return where the resources of a kind are."""
        resource, association = self.tables.resource, self.tables.association

        def read() -> list[AssociationRow]:
            query = (
                association.select(association.resource, association.node, association.attributes)
                .join(resource)
                .where(resource.kind == kind)
            )
            return [AssociationRow(resource, node, json.loads(text)) for resource, node, text in query.tuples()]

        return self.read(read)

    def associate(self, rows: Iterable[AssociationRow]) -> None:
        """Insert or replace associations, in one transaction."""
        batch = {(row.resource, row.node): _json(row.attributes) for row in rows}
        table = self.tables.association
        fresh = [{"resource": resource, "node": node, "attributes": text} for (resource, node), text in batch.items()]

        def write() -> None:
            for chunk in peewee.chunked(fresh, 100):
                table.insert_many(chunk).on_conflict(
                    conflict_target=[table.resource, table.node], preserve=[table.attributes]
                ).execute()

        if batch:
            self.transaction(write)

    def dissociate(self, resource: str, node: str) -> None:
        """Remove an association, if it is there."""
        table = self.tables.association

        def write() -> None:
            table.delete().where((table.resource == resource) & (table.node == node)).execute()

        self.transaction(write)

    # Revision: tells whether anything was changed by another run since one read

    def revision(self) -> int:
        """Return a number that grows with every decision and every finished change."""
        fact = self.tables.fact

        def read() -> int:
            row = fact.get_or_none(fact.key == _REVISION)
            return int(row.value) if row else 0

        return self.read(read)

    def bump_revision(self) -> None:
        """Let other runs know that something has changed."""
        fact = self.tables.fact

        def write() -> None:
            if not fact.update(value=str(self.revision() + 1)).where(fact.key == _REVISION).execute():
                fact.insert(key=_REVISION, value="1").execute()

        self.transaction(write)

    def read(self, read: Callable[[], Result]) -> Result:
        """Run what only reads, beside whoever writes: no transaction, so it waits for nobody."""
        with self._lock, self._reporting():
            open_connection(self.database)
            return read()

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except peewee.IntegrityError:
            raise
        except errors_of(self.database) as error:
            raise RegistryError(f"the registry at {without_password(self.url)} failed: {error}") from error


def _columns(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "scope": row.scope,
        "name": row.name,
        "attributes": _json(row.attributes),
    }


def _json(attributes: Mapping[str, Any]) -> str:
    return json.dumps(dict(attributes), sort_keys=True)
