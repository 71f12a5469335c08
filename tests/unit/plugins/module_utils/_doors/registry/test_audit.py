# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.audit import Event, Outcome
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry


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
