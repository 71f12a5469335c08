# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once."""

from __future__ import annotations

import time

from .lab import Lab, Site


def _instance(name: str, **options: object) -> dict[str, object]:
    return {"name": name, "memory": "64 MiB", "power": "stopped", "autostart": False, **options}


def test_on_different_instances_both_succeed(lab: Lab, cloud: Site) -> None:
    runs = []
    try:
        with (
            cloud.overlay({"pextra_instances": [_instance("left")]}) as left,
            cloud.overlay({"pextra_instances": [_instance("right")]}) as right,
        ):
            runs = [cloud.start("--tags", "instances", *extra) for extra in (left, right)]
            for process in runs:
                cloud.wait(process).must_succeed()
        assert len(lab.where("left")) == 1
        assert len(lab.where("right")) == 1
    finally:
        cloud.module("pextra_vm", vms=[{"name": name, "state": "absent"} for name in ("left", "right")])


def test_on_the_same_instance_one_waits_or_says_who_holds_it(lab: Lab, cloud: Site) -> None:
    try:
        with cloud.overlay({"pextra_instances": [_instance("both")]}) as extra:
            for process in [cloud.start("--tags", "instances", *extra) for _ in range(2)]:
                cloud.wait(process).must_succeed()
        assert len(lab.where("both")) == 1
    finally:
        cloud.module("pextra_vm", vms=[{"name": "both", "state": "absent"}])


def test_a_lease_held_by_another_is_named(lab: Lab, cloud: Site) -> None:
    hold = (
        "import sqlite3, time, sys\n"
        "db = sqlite3.connect('/var/lib/pextra/registry.db', timeout=10)\n"
        "now = time.time()\n"
        "db.execute(\"insert into pextra_lease values ('instance web-1', 't', 0, 'alice at desk', ?, ?)\","
        " (now, now + 60))\n"
        "db.commit()\n"
    )
    lab.exec("node1", "python3", "-c", hold)
    try:
        node = lab.home("web-1")
        lab.exec(node, "virsh", "desc", "web-1", "--config", "--new-desc", "changed by hand")
        outcome = cloud.play(
            [
                {
                    "pextra.cloud.pextra_vm": {
                        "vms": [
                            {**item, "description": "declared"} for item in cloud.declared() if item["name"] == "web-1"
                        ],
                        "lease_timeout": 2,
                    },
                    "ignore_errors": True,
                }
            ]
        )[-1]
        assert outcome["failed"]
        assert "alice at desk has been changing it since" in outcome["msg"]
    finally:
        lab.exec(
            "node1",
            "python3",
            "-c",
            "import sqlite3\ndb = sqlite3.connect('/var/lib/pextra/registry.db')\n"
            "db.execute(\"delete from pextra_lease where token = 't'\")\ndb.commit()\n",
        )
        cloud.run("--tags", "instances").must_succeed()


def test_a_killed_runs_lease_ends_after_its_time(lab: Lab, cloud: Site) -> None:
    now = time.time()
    stale = (
        "import sqlite3\n"
        "db = sqlite3.connect('/var/lib/pextra/registry.db', timeout=10)\n"
        f"db.execute(\"insert into pextra_lease values ('instance web-1', 's', 0, 'gone', {now - 30}, {now + 3})\")\n"
        "db.commit()\n"
    )
    lab.exec("node1", "python3", "-c", stale)
    lab.exec(lab.home("web-1"), "virsh", "desc", "web-1", "--config", "--new-desc", "changed by hand")
    cloud.run("--tags", "instances").must_succeed()
    held = cloud.module("pextra_registry_info")["leases"]
    assert held == []
