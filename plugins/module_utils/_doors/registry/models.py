# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry's tables: what neither the inventory nor the nodes can hold.

Nothing here may depend on one database's quirks: SQLite, PostgreSQL and CockroachDB run the same code. Every
identified object is one row of `resource`, whatever its kind; what only its kind knows is JSON in `attributes`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import peewee


class Tables(NamedTuple):
    """The tables of one open registry, as classes of peewee.

    fact: about the registry itself: schema version, revision, and the row that a writer locks.
    resource: scope is the identifier within which a name is unique: a cluster's, or empty for the whole deployment.
    association: a resource on a node: propagation state, the internal identifier, errors.
    lease: who is changing or using a resource now. Times are seconds since the epoch, by the database's clock.
    claim: what a run has decided that its resources take, until it ends: room on nodes, and what only one may have.
    audit_event: append-only, which the database itself sees to (append_only.py). organization: whose the resource is,
    if it is one's.
    """

    fact: Any
    resource: Any
    association: Any
    lease: Any
    claim: Any
    audit_event: Any


def tables_of(database: Any) -> Tables:
    """Return classes of their own for a database, so that two registries in one process do not meet."""

    class Base(peewee.Model):  # type: ignore[misc]  # peewee has no types
        class Meta:
            legacy_table_names = False

    Base._meta.set_database(database)

    class Fact(Base):
        key = peewee.CharField(primary_key=True)
        value = peewee.TextField()

        class Meta:
            table_name = "pextra_meta"

    class Resource(Base):
        id = peewee.CharField(max_length=64, primary_key=True)
        kind = peewee.CharField(max_length=32)
        scope = peewee.CharField(max_length=64, default="")
        name = peewee.CharField(max_length=255)
        attributes = peewee.TextField(default="{}")

        class Meta:
            table_name = "pextra_resource"
            indexes = ((("kind", "scope", "name"), True),)

    class Association(Base):
        resource = peewee.ForeignKeyField(
            Resource, backref="associations", on_delete="CASCADE", column_name="resource_id"
        )
        node = peewee.CharField(max_length=64)
        attributes = peewee.TextField(default="{}")

        class Meta:
            table_name = "pextra_association"
            primary_key = peewee.CompositeKey("resource", "node")

    class Lease(Base):
        key = peewee.CharField(max_length=255)
        token = peewee.CharField(max_length=64, index=True)
        shared = peewee.BooleanField(default=False)
        holder = peewee.CharField(max_length=255)
        since = peewee.DoubleField()
        expires = peewee.DoubleField()

        class Meta:
            table_name = "pextra_lease"
            primary_key = peewee.CompositeKey("key", "token")

    class Claim(Base):
        token = peewee.CharField(max_length=64)
        resource = peewee.CharField(max_length=64)
        what = peewee.TextField()

        class Meta:
            table_name = "pextra_claim"
            primary_key = peewee.CompositeKey("token", "resource")

    class AuditEvent(Base):
        at = peewee.DoubleField(index=True)
        run = peewee.CharField(max_length=32, index=True)
        actor = peewee.CharField(max_length=255)
        kind = peewee.CharField(max_length=32)
        resource = peewee.CharField(max_length=64, null=True)
        name = peewee.CharField(max_length=255)
        node = peewee.CharField(max_length=255, null=True)
        what = peewee.TextField()
        outcome = peewee.CharField(max_length=16)
        organization = peewee.CharField(max_length=64, null=True)
        job = peewee.CharField(max_length=255, null=True)
        revision = peewee.CharField(max_length=255, null=True)

        class Meta:
            table_name = "pextra_audit_event"

    return Tables(Fact, Resource, Association, Lease, Claim, AuditEvent)
