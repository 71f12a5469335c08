# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is a place for every copy without an OSD; and Ceph's commands in order, asked of a model."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ceph.monitors import Connection
from ansible_collections.pextra.cloud.plugins.module_utils._engine.own_host import HostResult, converge_on_host
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import CephError, ConsentError, RefusedError
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.leaving import (
    DrainingWork,
    Osd,
    PurgingWork,
    find_lack_of_room,
)

NAMES = ["node1", "node2", "node3"]


def osd(number: int, host: str, used: int = 10, *, size: int = 100, is_up: bool = True, is_in: bool = True) -> Osd:
    return Osd(id=number, host=host, is_up=is_up, is_in=is_in, size_kib=size, used_kib=used)


THREE = [osd(0, "node1"), osd(1, "node2"), osd(2, "node3")]
ROOM: list[tuple[str, list[Osd], str | None]] = [
    ("one OSD on each of three hosts", THREE, "3 copies need 3 hosts with OSDs, and without it there are 2"),
    ("a neighbour takes it", [*THREE, osd(3, "node1")], None),
    ("a fourth host takes it", [*THREE, osd(3, "node4")], None),
    ("the neighbour is down", [*THREE, osd(3, "node1", is_up=False)], "3 copies need 3 hosts"),
    ("the neighbour is out", [*THREE, osd(3, "node1", is_in=False)], "3 copies need 3 hosts"),
    (
        "the neighbour is full",
        [osd(0, "node1", 60), osd(1, "node2"), osd(2, "node3"), osd(3, "node1", 40)],
        "the other OSDs of node1 would be 100 per cent full, and 85% is the most",
    ),
    ("all are full", [osd(n, f"node{n}", 70) for n in range(4)], "the other OSDs would be 93 per cent full"),
]


@pytest.mark.parametrize(("osds", "expected"), [row[1:] for row in ROOM], ids=[row[0] for row in ROOM])
def test_room(osds: list[Osd], expected: str | None) -> None:
    found = find_lack_of_room(0, osds, 3)
    assert found == expected if expected is None else expected in str(found)


class Ceph(Connection):
    """Answers as Ceph does, as far as these commands go."""

    def __init__(
        self, osds: list[Osd], *, is_safe: bool = True, is_ok_to_stop: bool = True, pgs: str = "active+clean"
    ) -> None:
        self.pgs = pgs
        self.osds = osds
        self.is_safe, self.is_ok_to_stop = is_safe, is_ok_to_stop
        self.changed: list[str] = []

    def ask(self, command: str, given: str = "", /, **arguments: Any) -> Any:
        if command == "osd pool ls":
            return [{"pool_name": "vms", "size": 3, "min_size": 2, "application_metadata": {"rbd": {}}}]
        if command == "status":
            down = sum(not item.is_up for item in self.osds)
            return {
                "health": {"status": "HEALTH_OK", "checks": {}},
                "quorum_names": NAMES,
                "osdmap": {"num_osds": len(self.osds), "num_up_osds": len(self.osds) - down},
                "pgmap": {"num_pgs": 1, "pgs_by_state": [{"state_name": self.pgs, "count": 1}]},
                "mgrmap": {"available": True},
            }
        self.changed.append(f"{command} {arguments.get('ids') or arguments.get('id')}")
        if command == "osd out":
            self.osds = [replace(o, is_in=False) if str(o.id) in arguments["ids"] else o for o in self.osds]
        return ""

    def ask_manager(self, command: str, /, **arguments: Any) -> Any:
        if command == "osd ok-to-stop":
            if not self.is_ok_to_stop:
                raise CephError("unsafe to stop osd(s) at this time (1 PGs are or would become offline)")
            return {"ok_to_stop": True}
        if command == "osd safe-to-destroy":
            return {"safe_to_destroy": [int(number) for number in arguments["ids"] if self.is_safe]}
        if command == "osd purge":
            self.changed.append(f"{command} {arguments['id']}{' --force' if arguments['force'] else ''}")
            self.osds = [o for o in self.osds if o.id != arguments["id"]]
            return ""
        hosts = sorted({item.host for item in self.osds})
        buckets = [
            {"type": "host", "id": -2 - at, "name": host, "children": [o.id for o in self.osds if o.host == host]}
            for at, host in enumerate(hosts)
        ]
        leaves = [
            {"type": "osd", "id": o.id, "name": f"osd.{o.id}", "status": "up" if o.is_up else "down",
             "reweight": 1.0 if o.is_in else 0, "kb": o.size_kib, "kb_used": o.used_kib}
            for o in self.osds
        ]  # fmt: skip
        return {"nodes": [*buckets, *leaves]}


def drained(ceph: Ceph, *, confirm: str = "DESTROY", is_replaced: bool = False, is_check: bool = False) -> list[str]:
    work = DrainingWork(lambda: nullcontext(ceph), 0, NAMES, is_replaced=is_replaced, timeout_s=0)
    return converge_on_host(work, apply=not is_check, confirm=confirm).plan.actions


def purged(ceph: Ceph, *, confirm: str = "DESTROY", is_replaced: bool = False, is_check: bool = False) -> HostResult:
    work = PurgingWork(lambda: nullcontext(ceph), 0, NAMES, is_replaced=is_replaced, timeout_s=0)
    return converge_on_host(work, apply=not is_check, confirm=confirm)


def test_data_is_moved_before() -> None:
    ceph = Ceph([*THREE, osd(3, "node1")])
    assert drained(ceph) == ["move the data of osd.0 to the others"]
    assert ceph.changed == ["osd out ['0']"]


def test_a_check_changes_nothing() -> None:
    ceph = Ceph([*THREE, osd(3, "node1")])
    assert drained(ceph, is_check=True) == ["move the data of osd.0 to the others"]
    assert ceph.changed == []


def test_what_has_left_already_is_nothing_to_do() -> None:
    ceph = Ceph(THREE[1:])
    assert drained(ceph, confirm="") == []
    assert purged(ceph, confirm="").further == {"host": "", "is_known": False}
    assert ceph.changed == []


def test_a_run_that_was_killed_goes_on() -> None:
    ceph = Ceph([osd(0, "node1", is_in=False), *THREE[1:], osd(3, "node1")])
    assert drained(ceph) == []
    assert ceph.changed == []


@pytest.mark.parametrize(
    ("ceph", "arguments", "error", "why"),
    [
        (Ceph([*THREE, osd(3, "node1")]), {"confirm": ""}, ConsentError, "this would destroy osd.0 on node1"),
        (Ceph([*THREE, osd(3, "node1")]), {"confirm": "yes"}, ConsentError, "set confirm: DESTROY"),
        (Ceph(THREE), {}, RefusedError, "osd.0 cannot leave: 3 copies need 3 hosts"),
        (Ceph(THREE, is_ok_to_stop=False), {"is_replaced": True}, RefusedError, "data would stand still"),
        # Dead as it is, it may have the last copy.
        (
            Ceph([osd(0, "node1", is_up=False), *THREE[1:]], pgs="incomplete"),
            {"is_replaced": True},
            RefusedError,
            "osd.0 may hold what nobody else has: placement groups are not served: 1 incomplete",
        ),
        (
            Ceph([osd(0, "node1"), osd(1, "node2"), osd(2, "node3", is_up=False), osd(3, "node1"), osd(4, "node4")]),
            {},
            CephError,
            "1 of 5 OSDs are down. Mend that first",
        ),
    ],
)
def test_refusals_change_nothing(ceph: Ceph, arguments: dict[str, Any], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        drained(ceph, **arguments)
    assert ceph.changed == []


def test_too_long_is_told() -> None:
    with pytest.raises(CephError, match=r"osd\.0 holds nothing that is needed: not within 0 s"):
        drained(Ceph([*THREE, osd(3, "node1")], is_safe=False))


def test_a_replaced_one_may_leave_a_copy_less_for_a_while() -> None:
    ceph = Ceph(THREE)
    assert drained(ceph, is_replaced=True) == []
    assert ceph.changed == []


def test_ceph_forgets_only_what_does_not_run_and_is_not_needed() -> None:
    down = [osd(0, "node1", is_up=False, is_in=False), *THREE[1:], osd(3, "node1")]
    ceph = Ceph(down)
    assert purged(ceph).plan.actions == ["let Ceph forget osd.0"]
    assert ceph.changed == ["osd purge 0"]
    ceph = Ceph(down, is_safe=False)
    assert purged(ceph, is_replaced=True).plan.actions == ["let Ceph forget osd.0"]
    assert ceph.changed == ["osd purge 0 --force"]
    for refused in (Ceph(THREE), Ceph(down, is_safe=False)):
        with pytest.raises(RefusedError):
            purged(refused)
        assert refused.changed == []


def test_a_check_does_not_ask_for_what_earlier_stages_would_have_done() -> None:
    ceph = Ceph([*THREE, osd(3, "node1")], is_safe=False)
    result = purged(ceph, is_check=True)
    assert result.plan.actions == ["let Ceph forget osd.0"]
    assert [problem.what for problem in result.plan.conditions] == [
        "osd.0 still runs on node1",
        "osd.0 still holds data that is needed",
    ]
    assert ceph.changed == []
