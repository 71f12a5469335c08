# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to an instance's power: what it takes, when there is nothing to do, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.claims import Claim, Room
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.acts import Register, Settle, Stop
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.whereabouts import (
    Seen,
    Whereabouts,
    describe_whereabouts,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_power.plan import plan_power_acts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_power.spec import (
    ACTIONS,
    PowerAct,
    parse_power_act,
)

CLUSTER = Row("cls-AAAAAAAAAAAAAAAAAAAAA", "cluster", "mtl-1")
NODES = tuple(Row(f"node-{n * 21}", "node", f"node{n}", CLUSTER.id) for n in "12")
WEB = Row("inst-AAAAAAAAAAAAAAAAAAAAA", "instance", "web", CLUSTER.id, {"node": NODES[0].id, "memory": 256})
DB = Row("inst-BBBBBBBBBBBBBBBBBBBBB", "instance", "db", CLUSTER.id, {"node": NODES[1].id, "memory": 256})
STATES = ("running", "paused", "asleep", "saved", "stopped")
FROZEN = Problem("it does not answer", "Check it.", "node1")


def have(*seen: tuple[Row, Seen], rows: tuple[Row, ...] = (WEB, DB), down: tuple[str, ...] = ()) -> Whereabouts:
    found: dict[str, list[Seen]] = {}
    for row, one in seen:
        found.setdefault(uuid_of(row.id), []).append(one)
    hierarchy = Hierarchy(organizations=(), clusters=(CLUSTER,), members=(*NODES, *rows))
    return Whereabouts(hierarchy, found, dict.fromkeys(down, FROZEN))


def plan(action: str, state: str, *, row: Row = WEB, done: tuple[str, ...] = (), **options: Any) -> Plan:
    there = have((row, Seen("node1", state)), rows=(row,))
    return plan_power_acts([PowerAct(name="web", action=action, **options)], there, done)


def acts(plan: Plan) -> list[str]:
    return [step.act for work in plan.all for step in work.steps]


WAY = ["stop", "start", "settle"]
# Action: what is done in each state; an empty list is nothing to do, and what is not named is refused.
TABLE: dict[str, dict[str, list[str]]] = {
    "restart": {
        "running": ["register", *WAY],
        "paused": ["register", "resume", *WAY],
        "asleep": ["register", "wake", *WAY],
    },
    "reset": {"running": ["reset"], "paused": ["reset", "resume"]},
    "pause": {"running": ["suspend"], "paused": []},
    "suspend_to_memory": {"running": ["sleep"], "asleep": []},
    "save": {"running": ["save"], "paused": ["save"], "saved": []},
    "resume": {"running": [], "paused": ["resume"], "asleep": ["wake"], "saved": ["start"]},
    "nmi": {"running": ["inject_nmi"]},
    "discard_saved": {"running": [], "paused": [], "asleep": [], "saved": ["discard_saved"], "stopped": []},
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("state", STATES)
def test_what_is_done(action: str, state: str) -> None:
    found = plan(action, state)
    if state in TABLE[action]:
        assert (acts(found), found.refusals) == (TABLE[action][state], ())
        return
    assert found.is_empty
    (refusal,) = found.refusals
    how = {"asleep": "suspended to memory"}.get(state, state)
    assert (refusal.resource, refusal.what) == ("instance web", f"it is {how}")
    assert "pextra_vm" in refusal.remedy


@pytest.mark.parametrize(("action", "state"), [("restart", "running"), ("resume", "saved")])
def test_its_room_is_claimed_while_it_is_off(action: str, state: str) -> None:
    """Another run would place something there meanwhile."""
    (work,) = plan(action, state).works
    assert work.claim == Claim(WEB.id, "web", (), Room(NODES[0].id, 256, runs=True))


def test_a_restart_bounds_the_guest_and_says_what_it_is_about_to_do() -> None:
    (work,) = plan("restart", "running", stop_timeout_s=7, force_stop=True).works
    does = [step.does for step in work.steps]
    assert isinstance(does[0], Register)
    assert does[0].row.attributes == {**WEB.attributes, "power": "running"}
    assert does[1] == Stop(7, True)
    assert work.steps[1].text == "stop, by force after 7 s"
    assert isinstance(does[-1], Settle)
    assert does[-1].row.attributes == WEB.attributes
    assert (work.key, work.node, work.id) == ("instance web", "node1", WEB.id)


def test_a_restart_that_was_killed_is_finished() -> None:
    begun = replace(WEB, attributes={**WEB.attributes, "power": "running"})
    assert acts(plan("restart", "stopped", row=begun)) == ["start", "settle"]
    assert acts(plan("restart", "running", row=begun)) == WAY


def test_what_a_call_has_done_it_does_not_do_again() -> None:
    assert plan("restart", "running", done=(WEB.id,)).is_empty
    assert not plan("restart", "running", done=(DB.id,)).is_empty


def test_what_was_saved_is_lost_with_consent_only() -> None:
    (work,) = plan("discard_saved", "saved").works
    assert work.loses == ("what was saved of the memory of instance web",)
    assert all(plan(action, "running").all[0].loses == () for action in ("restart", "reset", "save"))


def test_a_node_that_does_not_answer_stops_only_its_own() -> None:
    wants = [PowerAct(name="web", action="pause"), PowerAct(name="db", action="pause")]
    there = have((DB, Seen("node2", "running")), down=("node1",))
    found = plan_power_acts(wants, there, ())
    assert [work.name for work in found.works] == ["db"]
    assert [(problem.resource, problem.node) for problem in found.failures] == [("instance web", "node1")]
    assert found.refusals == ()
    assert [(one["name"], one["node"], one["power"]) for one in describe_whereabouts(wants, there)] == [
        ("web", "node1", "unknown"),
        ("db", "node2", "running"),
    ]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (have(rows=(DB,)), "there is no such instance in cluster mtl-1"),
        (have(), "it is registered, and on no node"),
        (
            have((WEB, Seen("node1", "running")), (WEB, Seen("node2", "paused"))),
            "it runs on node1 and node2 at once",
        ),
    ],
)
def test_refused(there: Whereabouts, expected: str) -> None:
    (refusal,) = plan_power_acts([PowerAct(name="web", action="reset")], there, ()).refusals
    assert refusal.what == expected


def test_the_one_that_runs_counts_and_else_the_one_at_home() -> None:
    def node_of(*seen: Seen) -> str | None:
        there = have(*((WEB, one) for one in seen))
        return describe_whereabouts([PowerAct(name=WEB.id, action="save")], there)[0]["node"]

    assert node_of(Seen("node1", "stopped"), Seen("node2", "running")) == "node2"
    assert node_of(Seen("node2", "stopped"), Seen("node1", "stopped")) == "node1"
    assert node_of(Seen("node2", "stopped")) == "node2"


def test_one_instance_by_two_names() -> None:
    wants = [PowerAct(name=name, action="nmi") for name in ("web", WEB.id)]
    found = plan_power_acts(wants, have((WEB, Seen("node1", "running"))), ())
    assert [problem.what for problem in found.refusals] == ["it is given twice, by its name and by its identifier"]


def test_options() -> None:
    act, mistakes = parse_power_act({"name": "web", "action": "restart", "stop_timeout_s": 0}, "")
    assert act is None
    assert [mistake.path for mistake in mistakes] == ["stop_timeout_s"]
    act, mistakes = parse_power_act({"name": "web", "action": "restart"}, "")
    assert act == PowerAct(name="web", action="restart")
    assert mistakes == []


BOX = replace(WEB, attributes={**WEB.attributes, "type": "lxc"})


@pytest.mark.parametrize("action", ["reset", "nmi", "pause", "suspend_to_memory", "save", "discard_saved"])
def test_what_a_container_has_not(action: str) -> None:
    found = plan(action, "running", row=BOX)
    assert found.is_empty
    (refusal,) = found.refusals
    assert refusal.what.startswith("it is a container, and has no ")


@pytest.mark.parametrize(("action", "state"), [("restart", "running"), ("resume", "paused")])
def test_what_a_container_has(action: str, state: str) -> None:
    assert plan(action, state, row=BOX).refusals == ()


def test_one_that_hangs_is_not_only_resumed() -> None:
    """It would hang on, and its watchdog would not look at it again."""
    there = have((WEB, Seen("node1", "paused", hangs=True)))
    refused = plan_power_acts([PowerAct(name="web", action="resume")], there, ())
    assert refused.works == ()
    assert "action: reset" in str(refused.refusals[0])
    reset = plan_power_acts([PowerAct(name="web", action="reset")], there, ())
    assert [step.text for work in reset.works for step in work.steps] == ["reset", "resume"]
