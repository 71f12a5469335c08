# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that was deleted by hand comes back from the nodes, with every identifier."""

from __future__ import annotations

import json

from .lab import Lab, Site

_DUMP = (
    "import json, sqlite3\n"
    "db = sqlite3.connect('/var/lib/pextra/registry.db')\n"
    "rows = db.execute('select id, kind, scope, name, attributes from pextra_resource order by id').fetchall()\n"
    "print(json.dumps([[*row[:4], json.loads(row[4])] for row in rows]))\n"
)


def _rows(lab: Lab) -> list[list[object]]:
    rows = json.loads(lab.exec("node1", "python3", "-c", _DUMP))
    for row in rows:
        # A secret never leaves the registry, so it cannot come back: old clustering keys are void.
        row[4] = {key: value for key, value in row[4].items() if key != "secret" and value is not None}
    return rows


def test_a_deleted_registry_is_rebuilt(lab: Lab, cloud: Site) -> None:
    cloud.run().must_change_nothing()
    before = _rows(lab)
    assert {row[1] for row in before} == {
        "organization",
        "datacenter",
        "cluster",
        "node",
        "pool",
        "image",
        "vswitch",
        "port_group",
        "instance",
    }
    definitions = lab.snapshot()
    lab.sh("node1", "rm -f /var/lib/pextra/registry.db*")
    run = cloud.run().must_succeed()
    assert run.hosts["node1"]["changed"] == 1, "more than the registry itself changed"
    assert _rows(lab) == before
    assert lab.snapshot() == definitions
    cloud.run().must_change_nothing()


def test_the_audit_trail_says_who_did_what(lab: Lab, cloud: Site) -> None:
    cloud.module("pextra_vm", vms=[{"name": "audited", "memory": "64 MiB", "power": "stopped"}], actor="alice")
    cloud.module("pextra_vm", vms=[{"name": "audited", "state": "absent"}], actor="alice")
    events = cloud.module("pextra_registry_info", names=["audited"])["events"]
    assert [event["outcome"] for event in events] == ["done", "started", "done", "started"]
    assert all(event["actor"].startswith("alice at node1") for event in events)
    assert "define" in events[2]["what"]
