# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peewee
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.audit import Event, Outcome, Wanted
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.connection import is_sqlite
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def event(name: str, outcome: Outcome = "done", **more: str) -> Event:
    return Event(run="7f3a", actor="ann at node1", kind="instance", name=name, what="start", outcome=outcome, **more)


def test_newest_first(registry: Registry) -> None:
    before = time.time()
    audit.record(registry, [event("web", "started", resource="inst-1", node="node1")])
    audit.record(registry, [event("web", "done"), event("db", "failed")])
    found = audit.read(registry)
    assert [(item["name"], item["outcome"]) for item in found] == [
        ("db", "failed"),
        ("web", "done"),
        ("web", "started"),
    ]
    assert before <= found[-1].pop("at") <= time.time()
    assert found[-1] == {
        "run": "7f3a",
        "actor": "ann at node1",
        "kind": "instance",
        "name": "web",
        "what": "start",
        "outcome": "started",
        "resource": "inst-1",
        "node": "node1",
        "organization": None,
        "job": None,
        "revision": None,
        "number": 1,
    }


def test_by_name_or_identifier(registry: Registry) -> None:
    audit.record(registry, [event("web", resource="inst-1"), event("db", resource="inst-2"), event("mail")])
    assert [item["name"] for item in audit.read(registry, names=["web", "inst-2"])] == ["db", "web"]
    assert audit.read(registry, names=[]) == []


def test_many(registry: Registry) -> None:
    audit.record(registry, [event(f"web-{n}") for n in range(1000)])
    assert len(audit.read(registry, limit=2000)) == 1000
    assert [item["name"] for item in audit.read(registry, limit=2)] == ["web-999", "web-998"]


def test_nothing_to_record(registry: Registry) -> None:
    audit.record(registry, [])
    assert audit.read(registry) == []


@pytest.mark.parametrize("text", ["ü <&> 'x' \"y\" \\", "x" * 5000, "line\nline"])
def test_any_text(registry: Registry, text: str) -> None:
    audit.record(registry, [Event(run="1", actor="a", kind="k", name="n", what=text, outcome="done")])
    assert audit.read(registry)[0]["what"] == text


ALL = Wanted()


def numbers(registry: Registry, wanted: Wanted = ALL, **more: int) -> list[int]:
    page = audit.read_page(registry, wanted, **{"after": 0, "limit": 10_000, **more})
    return [entry["number"] for entry in page]


def raw(registry: Registry, statement: str) -> None:
    """Carry out a statement as a person at the database would, with a connection of its own transaction."""
    with registry.database.atomic():
        registry.database.execute_sql(statement.format(table=COLUMNS))


def put(registry: Registry, *ages: float) -> None:
    """Append events that are so many seconds old, as a year's run would have left them."""
    table = registry.tables.audit_event
    for age in ages:
        row = event(f"web-{age:g}")._asdict()
        table.insert(at=registry.now() - age, **row).execute()


# The database itself refuses


COLUMNS = "pextra_audit_event (id, at, run, actor, kind, name, what, outcome)"
CHANGES = [
    "UPDATE pextra_audit_event SET actor = 'nobody' WHERE name = 'web'",
    "UPDATE pextra_audit_event SET at = 0",
    "UPDATE pextra_audit_event SET id = 99 WHERE id = 1",
    "DELETE FROM pextra_audit_event",
    "DELETE FROM pextra_audit_event WHERE id = 1",
    # A forged entry before the others, and one in the place of another.
    "INSERT INTO {table} VALUES (0, 1, 'r', 'a', 'k', 'n', 'w', 'done')",
    "INSERT INTO {table} VALUES (2, 1, 'r', 'a', 'k', 'n', 'w', 'done')",
]
ON_SQLITE = [
    "REPLACE INTO {table} VALUES (1, 1, 'r', 'a', 'k', 'n', 'w', 'done')",
    "REPLACE INTO {table} VALUES (3, 1, 'r', 'a', 'k', 'n', 'w', 'done')",
    "UPDATE OR REPLACE pextra_audit_event SET id = 2 WHERE id = 1",
]
ON_POSTGRESQL = [
    "TRUNCATE pextra_audit_event",
    "INSERT INTO {table} VALUES (1, 1, 'r', 'a', 'k', 'n', 'w', 'done') "
    "ON CONFLICT (id) DO UPDATE SET actor = 'nobody'",
]


def test_no_entry_is_changed_removed_or_forged(registry: Registry) -> None:
    audit.record(registry, [event("web"), event("db"), event("mail")])
    before = audit.read(registry)
    for statement in [*CHANGES, *(ON_SQLITE if is_sqlite(registry.database) else ON_POSTGRESQL)]:
        with pytest.raises(peewee.DatabaseError, match="append-only"):
            raw(registry, statement)
        assert audit.read(registry) == before, statement
    audit.record(registry, [event("web")])
    assert audit.read(registry)[1:] == before


def test_a_whole_transaction_is_undone(registry: Registry) -> None:
    """What was written beside the forbidden goes with it."""
    audit.record(registry, [event("web")])

    def write() -> None:
        audit.record(registry, [event("db")])
        registry.database.execute_sql("DELETE FROM pextra_audit_event WHERE name = 'web'")

    with pytest.raises(peewee.IntegrityError):
        registry.transaction(write)
    assert [entry["name"] for entry in audit.read(registry)] == ["web"]


def test_an_older_registry_keeps_its_entries(registry_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of version 2 had fewer columns, and nothing that guards them."""
    from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import migrations

    monkeypatch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:2])
    with Registry(registry_url, create=True) as registry:
        for column in ("organization", "job", "revision"):
            registry.database.execute_sql(f"ALTER TABLE pextra_audit_event DROP COLUMN {column}")
        raw(registry, INSERT)
    monkeypatch.undo()
    with Registry(registry_url, create=True) as registry:
        assert registry.migrated == (2, 3)
        audit.record(registry, [event("db", job="AWX job 42", revision="9f8e", organization="org-1")])
        (new, old) = audit.read(registry)
        assert (old["name"], old["job"], old["organization"]) == ("web", None, None)
        assert (new["job"], new["revision"], new["organization"]) == ("AWX job 42", "9f8e", "org-1")
        with pytest.raises(peewee.DatabaseError, match="append-only"):
            raw(registry, "DELETE FROM pextra_audit_event WHERE name = 'web'")
    with Registry(registry_url, create=True) as registry:
        assert registry.migrated == (3, 3)


INSERT = (
    "INSERT INTO pextra_audit_event (at, run, actor, kind, name, what, outcome) "
    "VALUES (1790000000.5, '7f3a', 'ann at node1', 'instance', 'web', 'start', 'done')"
)


def test_another_program_is_refused_as_well(tmp_path: Path) -> None:
    """The file is guarded, not our connection to it."""
    with Registry(f"sqlite:///{tmp_path}/registry.db", create=True) as registry:
        audit.record(registry, [event("web")])
    other = sqlite3.connect(tmp_path / "registry.db")
    with pytest.raises(sqlite3.IntegrityError, match="the audit trail is append-only: no entry is changed"):
        other.execute("UPDATE pextra_audit_event SET outcome = 'failed'")
    other.close()


# Retention


def test_only_what_is_old_is_removed(registry: Registry) -> None:
    put(registry, 400, 300, 200, 100)
    before = registry.now() - 250
    assert audit.count_before(registry, before) == 2
    assert audit.remove_before(registry, before, most=1) == 1
    assert [entry["name"] for entry in audit.read(registry)] == ["web-100", "web-200", "web-300"]
    assert audit.remove_before(registry, before, most=10) == 1
    assert audit.remove_before(registry, before, most=10) == 0
    assert [entry["name"] for entry in audit.read(registry)] == ["web-100", "web-200"]
    with pytest.raises(peewee.DatabaseError, match="append-only"):
        raw(registry, "DELETE FROM pextra_audit_event")


def test_an_old_one_behind_a_young_one_is_found(registry: Registry) -> None:
    """A clock that was set back: the entries between stay."""
    put(registry, 400, 100, 300)
    assert audit.remove_before(registry, registry.now() - 250, most=10) == 2
    assert [entry["name"] for entry in audit.read(registry)] == ["web-100"]


def test_numbers_are_not_given_twice(registry: Registry) -> None:
    put(registry, 400, 300)
    audit.record(registry, [event("removal", "started")])
    audit.remove_before(registry, registry.now() - 1, most=10)
    audit.record(registry, [event("web")])
    assert numbers(registry) == [3, 4]


# Reading


def test_pages(registry: Registry) -> None:
    audit.record(registry, [event(f"web-{n}") for n in range(1, 6)])
    assert numbers(registry, after=0, limit=2) == [1, 2]
    assert numbers(registry, after=2, limit=2) == [3, 4]
    assert numbers(registry, after=4, limit=2) == [5]
    found = audit.read_all(registry, Wanted(), after=1, until=4, at_once=2)
    assert [[entry["number"] for entry in page] for page in found] == [[2, 3], [4]]
    assert audit.newest(registry) == 5
    assert audit.count_between(registry, 1, 4) == 3


FOUND: list[tuple[dict[str, Any], Sequence[int]]] = [
    ({}, [1, 2, 3, 4]),
    ({"kinds": ["instance"]}, [1, 2]),
    ({"kinds": []}, []),
    ({"actors": ["ann"]}, [1, 4]),
    ({"actors": ["an"]}, []),
    ({"actors": ["%"]}, []),
    ({"actors": ["bob", "carol"]}, [2, 3]),
    ({"actors": []}, []),
    ({"organizations": ["org-1"]}, [1]),
    ({"organizations": ["org-1", "org-2"], "actors": ["bob"]}, [2]),
    ({"names": ["node1", "inst-2"]}, [2, 4]),
    ({"since": 0.0, "until": 1.0}, []),
]


@pytest.mark.parametrize(("wanted", "expected"), FOUND)
def test_what_is_asked_for(registry: Registry, wanted: dict[str, Any], expected: Sequence[int]) -> None:
    audit.record(
        registry,
        [
            event("web", resource="inst-1", organization="org-1"),
            event("db", resource="inst-2", organization="org-2")._replace(actor="bob at node2"),
            event("local")._replace(actor="carol", kind="pool"),
            event("node1")._replace(actor="ann", kind="host"),
        ],
    )
    assert numbers(registry, Wanted(**wanted)) == expected


def test_a_period(registry: Registry) -> None:
    put(registry, 400, 300, 200)
    now = registry.now()
    assert numbers(registry, Wanted(since=now - 350, until=now - 250)) == [2]
    assert numbers(registry, Wanted(since=now - 350)) == [2, 3]


def test_whose_it_is(registry: Registry) -> None:
    registry.put(
        [
            Row("org-1", "organization", "acme"),
            Row("inst-1", "instance", "web", "cls-1", {"organization": "org-1"}),
            Row("pool-1", "pool", "local", "cls-1"),
        ]
    )
    found = audit.find_organizations(registry, ["inst-1", "pool-1", "org-1", "inst-gone"])
    assert found == {"inst-1": "org-1", "org-1": "org-1"}


def test_what_was_sent(registry: Registry) -> None:
    assert audit.forwarded(registry, "/dev/log") == 0
    audit.note_forwarded(registry, "/dev/log", 3)
    audit.note_forwarded(registry, "/dev/log", 7)
    audit.note_forwarded(registry, "/run/other", 1)
    assert (audit.forwarded(registry, "/dev/log"), audit.forwarded(registry, "/run/other")) == (7, 1)


# Whatever is done, in whatever order

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(1, 4)),
        st.tuples(st.just("old"), st.integers(100, 900)),
        st.tuples(st.just("remove"), st.integers(100, 900)),
        st.tuples(st.just("forbidden"), st.sampled_from([1, 3, 5])),  # those that find something whatever is there
        st.tuples(st.just("undone"), st.integers(1, 3)),
    ),
    max_size=12,
)


class _UndoneError(Exception):
    pass


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_any_sequence_of_acts_gives_monotonous_entries(acts: list[tuple[str, int]]) -> None:
    """Numbers grow and are never given again, what stands there stays as it is, and only the removal takes any."""
    with Registry("sqlite:///:memory:", create=True) as registry:
        given_once: dict[int, Any] = {}
        for what, number in [("record", 3), *acts]:
            before = {entry["number"]: entry for entry in audit.read_page(registry, Wanted(), after=0, limit=1000)}
            _act(registry, what, number)
            after = {entry["number"]: entry for entry in audit.read_page(registry, Wanted(), after=0, limit=1000)}
            assert list(after) == sorted(after)
            assert all(after[one] == before[one] for one in before.keys() & after.keys())
            new = after.keys() - before.keys()
            assert all(one > max(given_once, default=0) for one in new)
            assert what == "remove" or before.keys() <= after.keys()
            assert what in ("record", "old", "remove") or not new
            given_once |= {one: after[one] for one in new}


def _act(registry: Registry, what: str, number: int) -> None:
    if what == "record":
        audit.record(registry, [event(f"web-{n}") for n in range(number)])
    elif what == "old":
        put(registry, number)
    elif what == "remove":
        audit.record(registry, [event("removal", "started")])
        audit.remove_before(registry, registry.now() - number, most=2)
    elif what == "forbidden":
        with pytest.raises(peewee.DatabaseError):
            raw(registry, CHANGES[number])
    else:

        def write() -> None:
            audit.record(registry, [event("x") for _ in range(number)])
            raise _UndoneError

        with pytest.raises(_UndoneError):
            registry.transaction(write)
