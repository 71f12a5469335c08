"""Reading and writing the registry.

One connection, one lock: the modules' worker threads share it. Reads are whole tables of a kind in one query;
writes of many rows are one transaction.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import peewee

from .._errors import RegistryError
from .._plan._rows import AssociationRow, Row
from .._registry_url import DEFAULT_URL
from . import migrations, models

_REVISION = "revision"

Result = TypeVar("Result")


class Registry:
    """An open registry. Use as a context manager."""

    def __init__(self, url: str = DEFAULT_URL, *, create: bool = False) -> None:
        """Open the database at `url`. Raises RegistryError if it is not there and `create` is not set."""
        self._lock = threading.RLock()
        self.url = url
        path = sqlite_path(url)
        if path is not None and not create and not os.path.exists(path):
            raise RegistryError(f"there is no registry at {path}. Run the coordinator stage of site.yml first.")
        mask = os.umask(0o077)
        try:
            self.database = _database(url, path)
            self.database.connect()
            models.database.initialize(self.database)
            if create:
                self.migrated = migrations.migrate(self.database)
            else:
                version = migrations.read_version(self.database)
                self.migrated = (version, version)
                if version != len(migrations.MIGRATIONS):
                    raise RegistryError(
                        f"the registry's schema has version {version}, this collection's is "
                        f"{len(migrations.MIGRATIONS)}. Run the coordinator stage of site.yml first."
                    )
        except (peewee.DatabaseError, peewee.InterfaceError, peewee.ImproperlyConfigured, RuntimeError) as error:
            raise RegistryError(f"the registry at {_without_password(url)} cannot be used: {error}") from error
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
        """Run `work` in one transaction, under the lock."""
        with self._lock:
            try:
                # SQLite: take the write lock at once, or two writers that both began by reading deadlock.
                is_sqlite = isinstance(self.database, peewee.SqliteDatabase)
                with (
                    self.database.atomic("IMMEDIATE")
                    if is_sqlite and not self.database.in_transaction()
                    else self.database.atomic()
                ):
                    return work()
            except peewee.IntegrityError:
                raise
            except (peewee.DatabaseError, peewee.InterfaceError) as error:
                raise RegistryError(f"the registry at {_without_password(self.url)} failed: {error}") from error

    # Resources

    def rows(self, *kinds: str) -> list[Row]:
        """Return all resources of the kinds, by name."""

        def read() -> list[Row]:
            query = models.Resource.select().where(models.Resource.kind.in_(kinds)).order_by(models.Resource.name)
            return [
                Row(id_, kind, name, scope, json.loads(attributes))
                for id_, kind, name, scope, attributes in query.tuples().select(
                    models.Resource.id,
                    models.Resource.kind,
                    models.Resource.name,
                    models.Resource.scope,
                    models.Resource.attributes,
                )
            ]

        return self._read(read)

    def put(self, rows: Iterable[Row]) -> None:
        """Insert or update resources, in one transaction. A name that is taken by another identifier is an error."""
        batch = list(rows)
        if not batch:
            return

        def write() -> None:
            known: set[str] = set()
            for chunk in peewee.chunked([row.id for row in batch], 200):
                query = models.Resource.select(models.Resource.id).where(models.Resource.id.in_(chunk))
                known.update(id_ for (id_,) in query.tuples())
            fresh = [_columns(row) for row in batch if row.id not in known]
            for chunk in peewee.chunked(fresh, 100):
                models.Resource.insert_many(chunk).execute()
            for row in batch:
                if row.id in known:
                    columns = _columns(row)
                    id_ = columns.pop("id")
                    models.Resource.update(columns).where(models.Resource.id == id_).execute()

        try:
            self.transaction(write)
        except peewee.IntegrityError as error:
            names = ", ".join(sorted({f"{row.kind} {row.name}" for row in batch})[:5])
            raise RegistryError(f"a name is taken already, among: {names}. Run again.") from error

    def remove(self, ids: Iterable[str]) -> None:
        """Remove resources and their associations."""
        batch = list(ids)

        def write() -> None:
            for chunk in peewee.chunked(batch, 200):
                models.Association.delete().where(models.Association.resource.in_(chunk)).execute()
                models.Resource.delete().where(models.Resource.id.in_(chunk)).execute()

        if batch:
            self.transaction(write)

    # Associations

    def associations(self, kind: str) -> list[AssociationRow]:
        """Return where the resources of a kind are."""

        def read() -> list[AssociationRow]:
            query = (
                models.Association.select(
                    models.Association.resource, models.Association.node, models.Association.attributes
                )
                .join(models.Resource)
                .where(models.Resource.kind == kind)
            )
            return [AssociationRow(resource, node, json.loads(text)) for resource, node, text in query.tuples()]

        return self._read(read)

    def associate(self, rows: Iterable[AssociationRow]) -> None:
        """Insert or replace associations, in one transaction."""
        batch = {(row.resource, row.node): _json(row.attributes) for row in rows}
        table = models.Association
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

        def write() -> None:
            models.Association.delete().where(
                (models.Association.resource == resource) & (models.Association.node == node)
            ).execute()

        self.transaction(write)

    # Revision: tells whether anything was changed by another run since one read

    def revision(self) -> int:
        """Return a number that grows with every finished change."""

        def read() -> int:
            row = models.Fact.get_or_none(models.Fact.key == _REVISION)
            return int(row.value) if row else 0

        return self._read(read)

    def bump_revision(self) -> None:
        """Let other runs know that something has changed."""

        def write() -> None:
            # The database adds, so that of two runs at once neither is lost.
            grown = (models.Fact.value.cast("INTEGER") + 1).cast("VARCHAR")
            if not models.Fact.update(value=grown).where(models.Fact.key == _REVISION).execute():
                models.Fact.insert(key=_REVISION, value="1").execute()

        try:
            self.transaction(write)
        except peewee.IntegrityError:  # two runs made the first one at once
            self.transaction(write)

    def _read(self, read: Callable[[], Result]) -> Result:
        with self._lock:
            try:
                return read()
            except (peewee.DatabaseError, peewee.InterfaceError) as error:
                raise RegistryError(f"the registry at {_without_password(self.url)} failed: {error}") from error


def _database(url: str, path: str | None) -> Any:
    """Return the database, not yet connected. Threads share the connection: the registry's lock keeps them apart."""
    if path is None:
        # Loads the drivers of every database that peewee knows, which SQLite need not wait for.
        from playhouse.db_url import connect

        return connect(url, thread_safe=False)
    # WAL lets readers go on while one writes; the timeout covers two runs at once.
    pragmas = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": "normal"}
    return peewee.SqliteDatabase(path, thread_safe=False, check_same_thread=False, timeout=30, pragmas=pragmas)


def sqlite_path(url: str) -> str | None:
    """Return the path of an SQLite registry, None for another database."""
    parts = urlsplit(url)
    return parts.path[1:] if parts.scheme == "sqlite" else None


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


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
