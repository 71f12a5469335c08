# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan on one screen."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._engine.telling import list_works
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Change, Plan, Step, Work
from ansible_collections.pextra.cloud.plugins.module_utils._run_plan import LONGEST, render_plan, tell_duration

MEMORY = Change("memory", 128, 256, "next_boot")


def work(name: str, *steps: str, kind: str = "instance", node: str | None = "node1", **more: Any) -> Work:
    return Work(kind=kind, name=name, id=f"id-{name}", node=node, steps=tuple(Step("do", one) for one in steps), **more)


def waits(name: str) -> dict[str, Any]:
    return {"kind": "instance", "name": name, "node": "node1", "option": "memory", "before": 128, "after": 256}


PLAN = Plan(
    first=(work("fast", "register", kind="pool", node=None),),
    works=(
        work("fast", "define", "start", kind="pool", node="node1"),
        work("fast", "define", "start", kind="pool", node="node2"),
        work("web-1", "define", "start"),
        work("db", "change the definition", changes=(MEMORY,)),
        work("cache", "plug", changes=(Change("vcpus", 1, 2, "hot_plug"),)),
        work("root", "begin again", changes=(Change("image", "a", "b", "replace"),)),
        work("old", "stop", "undefine", changes=(Change("name", "old", None),), loses=("volume data",)),
    ),
)
KNOWN = {"id-db", "id-old", "id-cache", "id-root"}


def test_a_check_says_what_would_be_done() -> None:
    assert render_plan(list_works(PLAN, KNOWN), [waits("db")]) == [
        "2 to make, 3 to change (1 needs a restart, 1 loses data), 1 to destroy",
        "  + pool fast on node1, node2: define, start",
        "  + instance web-1 on node1: define, start",
        "  ~ instance db on node1: change the definition, memory waits for a restart",
        "  ~ instance cache on node1: plug",
        "  ~ instance root on node1: begin again, loses data",
        "  - instance old on node1: stop, undefine",
    ]


def test_a_run_says_what_was_done_and_how_long_it_took() -> None:
    took_s = {
        "pool fast": 0.1,
        "pool fast on node1": 2.04,
        "pool fast on node2": 12.0,
        "instance web-1 on node1": 3.25,
        "instance db on node1": 0.0,
        "instance cache on node1": None,
        "instance root on node1": 75.0,
        "instance old on node1": 1.0,
    }
    assert render_plan(list_works(PLAN, KNOWN, took_s), [waits("db")], 3700.0) == [
        "2 made, 2 changed (1 waits for a restart, 1 loses data), 1 destroyed, 1 failed, in 1 h 1 min",
        "  + pool fast on node1, node2: define, start                                        12 s",
        "  + instance web-1 on node1: define, start                                         3.2 s",
        "  ~ instance db on node1: change the definition, memory waits for a restart        0.0 s",
        "  ! instance cache on node1: plug                                                 failed",
        "  ~ instance root on node1: begin again, loses data                           1 min 15 s",
        "  - instance old on node1: stop, undefine                                          1.0 s",
    ]


def test_in_a_check_what_takes_a_restart_needs_one_whether_it_is_allowed_or_not() -> None:
    """With allow_restart nothing waits, and the guest is restarted all the same."""
    allowed = list_works(Plan(works=(work("db", "stop", "start", changes=(MEMORY,)),)), {"id-db"})
    assert render_plan(allowed, [])[0] == "0 to make, 1 to change (1 needs a restart), 0 to destroy"
    assert render_plan(allowed, [], 1.0)[0] == "0 made, 1 changed, 0 destroyed, in 1.0 s"
    both = [waits("db"), {**waits("db"), "option": "vcpus"}, waits("web")]
    assert render_plan(allowed, both)[0] == "0 to make, 1 to change (2 need a restart), 0 to destroy"


@pytest.mark.parametrize("took_s", [None, 4.0])
def test_nothing_to_change_is_one_line(took_s: float | None) -> None:
    assert render_plan([], [], took_s) == ["Nothing to change."]
    first, second = render_plan([], [waits("db")], took_s)
    assert first == f"Nothing to change. 1 {'needs' if took_s is None else 'waits for'} a restart."
    assert second == "  * instance db on node1: memory waits for a restart"


@pytest.mark.parametrize(("count", "last"), [(LONGEST - 1, None), (LONGEST, "  and 2 more"), (500, "  and 442 more")])
def test_more_than_one_screen_is_cut(count: int, last: str | None) -> None:
    plan = Plan(works=tuple(work(f"web-{number}", "define") for number in range(count)))
    lines = render_plan(list_works(plan, ()), [])
    assert lines[0] == f"{count} to make, 0 to change, 0 to destroy"
    assert len(lines) == LONGEST
    assert lines[-1] == (last or f"  + instance web-{count - 1} on node1: define")
    told = sum(line.startswith("  +") for line in lines)
    assert told + (int(last.split()[1]) if last else 0) == count


def test_people_are_told_what_is_done_not_what_is_noted() -> None:
    """Words as people write them, and of what is registered only that it is where there is nothing else."""
    described = work("DMZ", "change", kind="port_group", node=None, changes=(Change("description", None, "a"),))
    labelled = work("DMZ", "label the bridge", kind="port_group")
    new = work("acme", "register", kind="organization", node=None)
    plan = Plan(works=(described, labelled, new, work("web", "register", "define")))
    assert render_plan(list_works(plan, {"id-DMZ"}), [])[1:] == [
        "  ~ port group DMZ on node1: change description, label the bridge",
        "  + organization acme: register",
        "  + instance web on node1: define",
    ]


def test_many_nodes_and_steps_are_counted() -> None:
    plan = Plan(works=tuple(work("fast", *"abcdef", kind="pool", node=f"node{number}") for number in range(5)))
    assert render_plan(list_works(plan, {"id-fast"}), [])[1] == "  ~ pool fast on 5 nodes: a, b, c, d, and 2 more"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (10, "10 s"), (59.4, "59 s"), (59.7, "1 min 0 s")),
        *((60, "1 min 0 s"), (3599.9, "1 h 0 min"), (7260, "2 h 1 min")),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert tell_duration(seconds) == text
