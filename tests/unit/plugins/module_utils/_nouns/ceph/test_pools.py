# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of Ceph and their clients, and what counts as well."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.pools import (
    PresentPool,
    WantedPool,
    judge_health,
    plan_pools,
    rights_on,
)

VMS = WantedPool(name="vms", copies=3, min_copies=2, client="pextra-vms")
THERE = PresentPool(copies=3, min_copies=2, applications=frozenset({"rbd"}))
RIGHTS = {"client.pextra-vms": rights_on("vms")}


def commands(present: dict[str, PresentPool], rights: dict[str, dict[str, str]]) -> list[str]:
    return [step.command for step in plan_pools([VMS], present, rights)]


CASES: list[tuple[str, dict[str, PresentPool], dict[str, dict[str, str]], list[str]]] = [
    ("as declared", {"vms": THERE}, RIGHTS, []),
    (
        "nothing is there",
        {},
        {},
        ["osd pool create", "osd pool set", "osd pool set", "osd pool application enable", "auth get-or-create"],
    ),
    # Ceph changes the least number along with the number.
    ("fewer copies", {"vms": PresentPool(copies=2, min_copies=2, applications=frozenset({"rbd"}))}, RIGHTS,
     ["osd pool set", "osd pool set"]),
    ("a smaller least number", {"vms": PresentPool(copies=3, min_copies=1, applications=frozenset({"rbd"}))}, RIGHTS,
     ["osd pool set"]),
    ("not marked", {"vms": PresentPool(copies=3, min_copies=2)}, RIGHTS, ["osd pool application enable"]),
    ("more rights than it should have", {"vms": THERE}, {"client.pextra-vms": {"mon": "allow *", "osd": "allow *"}},
     ["auth caps"]),
    ("other pools and clients", {"vms": THERE, "images": THERE}, {**RIGHTS, "client.x": {"mon": "allow r"}}, []),
]  # fmt: skip


@pytest.mark.parametrize(("present", "rights", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_plan(present: dict[str, PresentPool], rights: dict[str, dict[str, str]], expected: list[str]) -> None:
    assert commands(present, rights) == expected


def test_a_client_may_use_its_pool_alone() -> None:
    (made,) = plan_pools([VMS], {"vms": THERE}, {})
    assert made.arguments == {
        "entity": "client.pextra-vms",
        "caps": ["mon", "profile rbd", "osd", "profile rbd pool=vms", "mgr", "profile rbd pool=vms"],
    }


def status(**changed: Any) -> dict[str, Any]:
    return {
        "health": {"status": "HEALTH_OK", "checks": {}},
        "quorum_names": ["node1", "node2", "node3"],
        "osdmap": {"num_osds": 3, "num_up_osds": 3},
        "pgmap": {"num_pgs": 33, "pgs_by_state": [{"state_name": "active+clean", "count": 33}]},
        "mgrmap": {"available": True},
        **changed,
    }


WARNING = {"status": "HEALTH_WARN", "checks": {"MON_DISK_LOW": {"summary": {"message": "low on space"}}}}
HEALTH: list[tuple[str, dict[str, Any], bool, bool, str]] = [
    ("all well", {}, True, True, "HEALTH_OK"),
    ("a warning of another kind", {"health": WARNING}, True, False, "low on space"),
    ("an error", {"health": {"status": "HEALTH_ERR", "checks": {}}}, False, False, "HEALTH_ERR"),
    ("a monitor is missing", {"quorum_names": ["node1", "node2"]}, False, False, "the monitor node3 is not"),
    ("a monitor too many", {"quorum_names": ["node1", "node2", "node3", "node9"]}, True, True, "node9 is not declared"),
    ("an OSD is down", {"osdmap": {"num_osds": 3, "num_up_osds": 2}}, False, False, "1 of 3 OSDs are down"),
    ("no manager", {"mgrmap": {"available": False}}, False, False, "no manager"),
    (
        "data moves",
        {"pgmap": {"num_pgs": 33, "pgs_by_state": [
            {"state_name": "active+clean", "count": 30}, {"state_name": "active+undersized", "count": 3}]}},
        False, False, "3 active+undersized",
    ),
    (
        "data is scrubbed",
        {"pgmap": {"num_pgs": 33, "pgs_by_state": [{"state_name": "active+clean+scrubbing+deep", "count": 33}]}},
        True, True, "HEALTH_OK",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "is_settled", "is_well", "text"), [row[1:] for row in HEALTH], ids=[row[0] for row in HEALTH]
)
def test_health(changed: dict[str, Any], is_settled: bool, is_well: bool, text: str) -> None:
    health = judge_health(status(**changed), ["node1", "node2", "node3"])
    assert (health.is_settled, health.is_well) == (is_settled, is_well)
    assert text in health.text
