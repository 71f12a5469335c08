"""The registry's tables: what neither the inventory nor the nodes can hold.

Nothing here may depend on one database's quirks: SQLite, PostgreSQL and CockroachDB run the same code. Every
identified object is one row of `resource`, whatever its kind; what only its kind knows is JSON in `attributes`.
"""

from __future__ import annotations

import peewee

# Bound when the registry is opened, so that the URL decides.
database = peewee.DatabaseProxy()


class Base(peewee.Model):  # type: ignore[misc]  # peewee has no types
    class Meta:
        database = database
        legacy_table_names = False


class Fact(Base):
    """Facts about the registry itself: schema version, revision."""

    key = peewee.CharField(primary_key=True)
    value = peewee.TextField()

    class Meta:
        table_name = "pextra_meta"


class Resource(Base):
    """scope is the identifier within which a name is unique: a cluster's, or empty for the whole deployment."""

    id = peewee.CharField(max_length=64, primary_key=True)
    kind = peewee.CharField(max_length=32)
    scope = peewee.CharField(max_length=64, default="")
    name = peewee.CharField(max_length=255)
    attributes = peewee.TextField(default="{}")

    class Meta:
        table_name = "pextra_resource"
        indexes = ((("kind", "scope", "name"), True),)


class Association(Base):
    """A resource on a node: propagation state, the internal identifier, errors."""

    resource = peewee.ForeignKeyField(Resource, backref="associations", on_delete="CASCADE", column_name="resource_id")
    node = peewee.CharField(max_length=64)
    attributes = peewee.TextField(default="{}")

    class Meta:
        table_name = "pextra_association"
        primary_key = peewee.CompositeKey("resource", "node")


class Lease(Base):
    """Who is changing a resource now. Times are seconds since the epoch, by the holder's clock."""

    key = peewee.CharField(max_length=255, primary_key=True)
    token = peewee.CharField(max_length=64)
    holder = peewee.CharField(max_length=255)
    since = peewee.DoubleField()
    expires = peewee.DoubleField()

    class Meta:
        table_name = "pextra_lease"


class AuditEvent(Base):
    """Append-only: rows are inserted, never changed."""

    at = peewee.DoubleField(index=True)
    run = peewee.CharField(max_length=32, index=True)
    actor = peewee.CharField(max_length=255)
    kind = peewee.CharField(max_length=32)
    resource = peewee.CharField(max_length=64, null=True)
    name = peewee.CharField(max_length=255)
    node = peewee.CharField(max_length=255, null=True)
    what = peewee.TextField()
    outcome = peewee.CharField(max_length=16)

    class Meta:
        table_name = "pextra_audit_event"


TABLES = (Fact, Resource, Association, Lease, AuditEvent)
