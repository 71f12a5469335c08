# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on nodes, of memory and of virtual CPUs: for what is made, started, grows or moves, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.claims import Claim, Room
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.foreign import size_of_foreign
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.placement import Size
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from instance_model import CLUSTER, NODES, Model, acts, whole

# With 4 threads, and 4 virtual CPUs for each.
MOST = 16
WEB = whole(name="web", node="node1", vcpus=2, memory=512, root=Root(pool="shared", size=1024), power="running")
OTHER = replace(WEB, name="other")
STOP_OR_GO = "Choose another node, or stop an instance there."
RAISE = "Choose another node, stop an instance there, or raise vcpus_per_thread of cluster mtl-1."


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    for node in model.nodes.values():
        node.threads = 4
    return model


def used(model: Model, name: str) -> Size:
    """Return what runs on a node: what was started, and what will be at the next start, whichever is more."""
    node = model.nodes[name]
    memory, vcpus = node.foreign_size
    for guest in node.guests.values():
        if guest.live is not None:
            memory += max(guest.config.memory, guest.live.memory)
            vcpus += max(guest.config.vcpus, guest.live.vcpus)
    return Size(memory, vcpus)


def leave(model: Model, name: str, *, memory: int = 4096, vcpus: int = 8) -> None:
    """Let what is not ours take all of a node but so much."""
    node = model.nodes[name]
    now = used(model, name)
    node.foreign_size = Size(
        node.foreign_size.memory + node.memory - now.memory - memory,
        node.foreign_size.vcpus + MOST - now.vcpus - vcpus,
    )


def has(model: Model, **change: Any) -> None:
    model.converge(replace(WEB, **change))


def undefine(model: Model) -> None:
    """By hand, while it was off."""
    model.converge(WEB)
    model.nodes["node1"].guests.clear()


# What is there before, what is wanted, the node that needs room for it, and how much.
NEEDS: dict[str, tuple[Callable[[Model], object], dict[str, Any], str, Size]] = {
    "new": (lambda _: None, {}, "node1", Size(512, 2)),
    "new and paused": (lambda _: None, {"power": "paused"}, "node1", Size(512, 2)),
    "start": (lambda model: has(model, power="stopped"), {}, "node1", Size(512, 2)),
    "start paused": (lambda model: has(model, power="stopped"), {"power": "paused"}, "node1", Size(512, 2)),
    "start and grow": (
        lambda model: has(model, power="stopped"),
        {"vcpus": 3, "memory": 600},
        "node1",
        Size(600, 3),
    ),
    "grow": (has, {"vcpus": 4, "memory": 600}, "node1", Size(88, 2)),
    "move": (has, {"node": "node2"}, "node2", Size(512, 2)),
    "move and grow": (has, {"node": "node2", "vcpus": 4}, "node2", Size(512, 4)),
    "move and shrink": (has, {"node": "node2", "vcpus": 1}, "node2", Size(512, 2)),
    "move and start": (lambda model: has(model, power="stopped"), {"node": "node2"}, "node2", Size(512, 2)),
    "made again": (undefine, {}, "node1", Size(512, 2)),
}


@pytest.mark.parametrize("case", NEEDS)
def test_exactly_what_is_needed(model: Model, case: str) -> None:
    prepare, change, node, (memory, vcpus) = NEEDS[case]
    prepare(model)
    want = replace(WEB, **change)
    for lack, words, remedy in (
        ({"memory": memory - 1}, f"{memory - 1} MiB of memory free, {memory} ", STOP_OR_GO),
        (
            {"vcpus": vcpus - 1},
            f"{MOST - vcpus + 1} virtual CPUs in use of the 16 for its 4 threads (vcpus_per_thread is 4), {vcpus} more",
            RAISE,
        ),
        ({"memory": memory - 1, "vcpus": vcpus - 1}, " MiB of memory free", STOP_OR_GO),
    ):
        leave(model, node, **lack)
        plan = model.plan(want)
        assert plan.works == ()
        (problem,) = plan.refusals
        assert problem.resource == "instance web"
        assert words in problem.what
        assert node in problem.what
        assert problem.remedy == remedy
    leave(model, node, memory=memory, vcpus=vcpus)
    model.converge(want)
    assert used(model, node) == (model.nodes[node].memory, MOST)


@pytest.mark.parametrize("case", NEEDS)
def test_a_killed_run_is_finished_with_the_room_that_it_had(model: Model, case: str) -> None:
    prepare, change, node, (memory, vcpus) = NEEDS[case]
    prepare(model)
    leave(model, node, memory=memory, vcpus=vcpus)
    want = replace(WEB, **change)
    plan = model.plan(want)
    for parts in range(1, model.copy().apply(plan) + 1):
        cut = model.copy()
        cut.apply(plan, parts=parts)
        cut.converge(want)
        assert used(cut, node) == (cut.nodes[node].memory, MOST)


@pytest.mark.parametrize(
    ("before", "change", "consent"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({}, {"description": "Other"}, {}, id="its description"),
        pytest.param({}, {"power": "paused"}, {}, id="pause"),
        pytest.param({"power": "paused"}, {"power": "running"}, {}, id="resume"),
        pytest.param({}, {"vcpus": 1, "memory": 256}, {}, id="shrink"),
        pytest.param({}, {"vcpus": 1, "memory": 256}, {"allow_restart": True}, id="shrink and restart"),
        pytest.param({}, {"power": "stopped"}, {}, id="stop"),
        pytest.param({}, {"power": "stopped", "vcpus": 4, "memory": 4096}, {}, id="stop and grow"),
        pytest.param(
            {"power": "stopped"}, {"power": "stopped", "vcpus": 4, "memory": 4096}, {}, id="grow and stay off"
        ),
        pytest.param({"power": "stopped"}, {"power": "stopped", "node": "node2"}, {}, id="move and stay off"),
    ],
)
def test_what_needs_no_room_is_never_refused(
    model: Model, before: dict[str, Any], change: dict[str, Any], consent: dict[str, bool]
) -> None:
    """The limit was made smaller, and the host keeps more for itself, than what runs already."""
    model.converge(replace(WEB, **before))
    model.cluster = {"vcpus_per_thread": 0.1, "vcpus_per_thread_warn": 0.1}
    for node in model.nodes.values():
        node.memory = 64
    model.converge(replace(WEB, **{**before, **change}), **consent)


def test_a_new_one_that_stays_off_needs_no_room(model: Model) -> None:
    for name in model.nodes:
        leave(model, name, memory=-1, vcpus=-1)
    model.converge(replace(WEB, power="stopped"), replace(OTHER, node=None, power="stopped"))


def test_what_grows_in_one_is_asked_for_that_alone(model: Model) -> None:
    model.converge(WEB)
    leave(model, "node1", memory=100, vcpus=-5)
    model.converge(replace(WEB, memory=612))
    leave(model, "node1", memory=-100, vcpus=1)
    model.converge(replace(WEB, memory=612, vcpus=3))


def test_a_guest_has_what_it_was_started_with_until_it_restarts(model: Model) -> None:
    model.converge(replace(WEB, vcpus=4, memory=1024))
    leave(model, "node1", memory=0, vcpus=0)
    smaller = replace(WEB, vcpus=1, memory=256)
    plan = model.converge(smaller)
    assert {change.field for change in plan.works[0].pending} == {"vcpus", "memory"}
    assert len(model.plan(smaller, OTHER).refusals) == 1
    model.converge(smaller, allow_restart=True)
    model.converge(smaller, OTHER)
    assert used(model, "node1") == (model.nodes["node1"].memory - 256, MOST - 1)


@pytest.mark.parametrize("order", [1, -1])
def test_what_stops_makes_room(model: Model, order: int) -> None:
    """In whichever order they are declared."""
    model.converge(WEB, replace(OTHER, power="stopped"))
    leave(model, "node1", memory=0, vcpus=0)
    model.converge(*[replace(WEB, power="stopped"), OTHER][::order])


def test_without_a_known_number_of_threads_there_is_no_limit(model: Model) -> None:
    model.nodes["node1"].threads = None
    model.nodes["node1"].foreign_size = Size(0, 10_000)
    assert model.converge(replace(WEB, vcpus=64)).warnings == ()


@pytest.mark.parametrize(
    ("cluster", "most"),
    [
        ({}, 16),
        ({"vcpus_per_thread": 1.5, "vcpus_per_thread_warn": 1.5}, 6),
        ({"vcpus_per_thread": 1.6, "vcpus_per_thread_warn": 1.5}, 6),
        ({"vcpus_per_thread": 0.5, "vcpus_per_thread_warn": 0.5}, 2),
        ({"vcpus_per_thread": 0.1, "vcpus_per_thread_warn": 0.1}, 0),
        ({"vcpus_per_thread": 10.0}, 40),
    ],
)
def test_the_clusters_ratio(model: Model, cluster: dict[str, Any], most: int) -> None:
    """A cluster that an older version registered has those of a new one."""
    model.cluster = cluster
    one = replace(WEB, vcpus=1)
    model.nodes["node1"].foreign_size = Size(0, max(most - 1, 0))
    if most:
        model.converge(one)
    problem = model.plan(one, replace(OTHER, vcpus=1)).refusals[-1]
    assert f"{most} virtual CPUs in use of the {most} for its 4 threads" in problem.what
    assert problem.remedy == RAISE


def test_placed_where_both_fit(model: Model) -> None:
    """Most memory is where there are no virtual CPUs left, and those where there is no memory."""
    leave(model, "node1", memory=5000, vcpus=1)
    leave(model, "node2", memory=511, vcpus=8)
    leave(model, "node3", memory=512, vcpus=2)
    model.converge(replace(WEB, node=None))
    assert model.guest("web")[0] == "node3"
    plan = model.plan(replace(WEB, node=None), replace(OTHER, node=None))
    (problem,) = plan.refusals
    assert problem.what == (
        "no node can take it (node1: 15 virtual CPUs in use of the 16 for its 4 threads (vcpus_per_thread is 4), "
        "2 more needed, node2: 511 MiB of memory free, 512 needed, "
        "node3: 0 MiB of memory free, 512 needed and 16 virtual CPUs in use of the 16 for its 4 threads "
        "(vcpus_per_thread is 4), 2 more needed)"
    )
    assert problem.remedy == "Stop an instance, add a node, or raise vcpus_per_thread of cluster mtl-1."
    leave(model, "node1", memory=511, vcpus=1)
    assert model.plan(replace(OTHER, node=None)).refusals[0].remedy == "Stop an instance, or add a node."


def test_candidates_are_those_for_its_own_number_of_vcpus(model: Model) -> None:
    """What one instance of a call was looked for does not tell of another."""
    model.nodes["node2"].threads = 8
    model.nodes["node1"].memory = 9000
    model.converge(replace(WEB, node=None), replace(OTHER, node=None, vcpus=8))
    assert [model.guest(name)[0] for name in ("web", "other")] == ["node1", "node2"]


# What counts, though it does not run here yet


def test_what_another_run_has_registered_counts(model: Model) -> None:
    leave(model, "node1", vcpus=3)
    row = {"node": NODES[0].id, "memory": 64, "power": "running", "vcpus": 2}
    model.rows["inst-1"] = Row("inst-1", "instance", "theirs", CLUSTER.id, row)
    (problem,) = model.plan(WEB).refusals
    assert "15 virtual CPUs in use" in problem.what


def test_its_row_tells_what_it_will_use_until_it_is_there(model: Model) -> None:
    plan = model.plan(WEB)
    (work,) = plan.works
    registered, settled = (step.data["row"] for step in work.steps if step.act in ("register", "settle"))
    assert registered.attributes == settled.attributes | {"power": "running", "vcpus": 2}
    assert work.room == Room(NODES[0].id, 512, True, None, 2)
    # A killed run's choice stands, though there is no room for more.
    model.apply(plan, parts=1)
    leave(model, "node1", memory=512, vcpus=2)
    assert model.plan(WEB).refusals == ()
    assert len(model.plan(replace(WEB, vcpus=3)).refusals) == 1


@pytest.mark.parametrize(
    ("before", "room", "more"),
    [
        pytest.param(None, Room(NODES[0].id, 64, True, None, 2), 2, id="makes it"),
        pytest.param("stopped", Room(NODES[0].id, 512, True, None, 2), 2, id="starts it"),
        pytest.param("running", Room(NODES[0].id, 512, True, None, 4), 2, id="lets it grow"),
        pytest.param("running", Room(NODES[0].id, 512, True, None, 1), 0, id="lets it shrink"),
        pytest.param("running", Room(NODES[0].id, 512, False, None, 2), 0, id="stops it"),
        pytest.param("stopped", Room(NODES[0].id, 512, False, None, 2), 0, id="leaves it off"),
        pytest.param("running", Room(NODES[1].id, 512, True, None, 2), 0, id="moves it away"),
    ],
)
def test_what_another_run_has_decided_counts(model: Model, before: str | None, room: Room, more: int) -> None:
    """It never counts for less than what is there already, nor twice."""
    identifier = "inst-AAAAAAAAAAAAAAAAAAAAA"
    if before is not None:
        model.converge(replace(OTHER, power=before))
        identifier = model.guest("other")[1].config.labels.id
    claims = (Claim(identifier, "other", (), room),)
    for free, refused in ((more + 2, 0), (more + 1, 1)):
        leave(model, "node1", vcpus=free)
        assert len(plan_vms([WEB], replace(model.have, claims=claims), Consent()).refusals) == refused


def test_what_a_run_decides_is_what_it_had_or_will_have(model: Model) -> None:
    model.converge(WEB)
    for change, vcpus in (({"vcpus": 4}, 4), ({"vcpus": 1}, 2), ({"power": "stopped"}, 2)):
        (work,) = model.plan(replace(WEB, **change)).works
        assert work.room == Room(NODES[0].id, 512, True, None, vcpus)


def test_what_is_not_ours() -> None:
    xml = "<domain><memory unit='KiB'>1025</memory><vcpu placement='static' current='2'>4</vcpu></domain>"
    assert size_of_foreign(xml) == Size(2, 2)


# Warnings


def test_a_warning_for_each_crowded_node(model: Model) -> None:
    """Above the ratio, not at it; and of what runs already as well."""
    leave(model, "node1", vcpus=6)
    plan = model.converge(WEB)
    assert plan.warnings == ()
    leave(model, "node3", vcpus=0)
    plan = model.plan(replace(WEB, vcpus=3))
    assert plan.warnings == (
        "node1: 13 virtual CPUs are to run on its 4 threads, more than 3 for each (vcpus_per_thread_warn of cluster "
        "mtl-1); what would make them more than 4 for each (vcpus_per_thread) is refused",
        "node3: 16 virtual CPUs are to run on its 4 threads, more than 3 for each (vcpus_per_thread_warn of cluster "
        "mtl-1); what would make them more than 4 for each (vcpus_per_thread) is refused",
    )
    # What it will be, not what it is.
    assert len(model.plan(replace(WEB, vcpus=3, power="stopped")).warnings) == 1
    model.cluster = {"vcpus_per_thread": 2.0, "vcpus_per_thread_warn": 1.5}
    plan = model.plan(WEB)
    assert (plan.is_empty, plan.refusals) == (True, ())
    assert [warning.partition(",")[0] for warning in plan.warnings] == [
        "node1: 12 virtual CPUs are to run on its 4 threads",
        "node3: 16 virtual CPUs are to run on its 4 threads",
    ]


def test_nodes_of_other_clusters_are_theirs_to_warn_of(model: Model) -> None:
    leave(model, "node1", vcpus=2)
    leave(model, "node2", vcpus=2)
    model.members = [
        replace(row, scope="cls-other") if row.name == "node2" and row.kind == "node" else row for row in model.members
    ]
    (warning,) = model.plan(replace(WEB, power="stopped")).warnings
    assert warning.startswith("node1: 14 ")


def test_nothing_wanted_warns_of_nothing(model: Model) -> None:
    leave(model, "node1", vcpus=0)
    assert model.plan().warnings == ()


# Whatever is there and wanted

SIZES = st.tuples(st.integers(1, 4), st.sampled_from([64, 512, 3000]))


@st.composite
def instances(draw: st.DrawFn, name: str) -> Vm:
    vcpus, memory = draw(SIZES)
    return whole(
        name=name,
        vcpus=vcpus,
        memory=memory,
        node=draw(st.sampled_from([None, "node1", "node2"])),
        root=Root(pool="shared", size=1024),
        power=draw(st.sampled_from(["running", "running", "paused", "stopped"])),
        state=draw(st.sampled_from(["present"] * 5 + ["absent"])),
    )


def allowed(model: Model, *wants: Vm, **consent: bool) -> tuple[Plan, list[Vm]]:
    """Plan as a document is planned: what is refused is left out, and the rest planned again."""
    rest = list(wants)
    while True:
        plan = model.plan(*rest, **consent)
        refused = {problem.resource for problem in (*plan.refusals, *plan.failures)}
        if not refused:
            return plan, rest
        rest = [want for want in rest if f"instance {want.name}" not in refused]


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_plan_takes_a_node_beyond_its_limit(data: st.DataObject) -> None:
    """A node that was beyond it already does not get more."""
    model = Model.fresh()
    names = ("web-1", "web-2", "web-3", "db")
    before = [replace(data.draw(instances(name)), state="present") for name in names]
    plan, _ = allowed(model, *before)
    model.apply(plan)
    for node in model.nodes.values():
        node.threads = data.draw(st.sampled_from([2, 4, None]))
        node.foreign_size = Size(data.draw(st.sampled_from([0, 4000])), data.draw(st.integers(0, 4)))
    ratio = data.draw(st.sampled_from([0.5, 1.0, 1.5, 4.0]))
    model.cluster = {"vcpus_per_thread": ratio, "vcpus_per_thread_warn": ratio}
    had = {name: used(model, name) for name in model.nodes}
    consent = data.draw(st.sampled_from([{}, {"allow_restart": True, "force_stop": True}]))
    plan, rest = allowed(model, *[data.draw(instances(name)) for name in names], **consent)
    assume(rest)
    model.apply(plan)
    for name, node in model.nodes.items():
        now = used(model, name)
        assert now.memory <= max(node.memory, had[name].memory)
        if node.threads is not None:
            assert now.vcpus <= max(int(node.threads * ratio), had[name].vcpus)
    again = model.plan(*rest, **consent)
    assert (again.effective, again.refusals, again.failures) == ((), (), ())
    assert "start" not in acts(again)
