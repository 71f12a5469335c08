# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools: (what is wanted, what is there) and the plan."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.definition import (
    PoolDefinition,
    parse_pool,
    render_pool,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.conflicts import overlap
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.labels import (
    labels_of_pool,
    pools_from_labels,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.planning import plan_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.report import describe_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.state import PoolHave, SeenNode, SeenPool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.targets import find_concerned, find_leaving
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import FIELDS, Pool

CLUSTER = Row(new_id("cluster"), "cluster", "mtl-1")
NODES = tuple(Row(new_id("node"), "node", f"node{n}", CLUSTER.id, {"address": f"10.91.0.1{n}"}) for n in (1, 2, 3))
EMPTY = PoolHave((CLUSTER,), NODES, (), (), {node.name: SeenNode() for node in NODES})
ATTRIBUTES = {"type": "directory", "path": "/srv/local", "shared": False, "description": None, "deleting": False}
POOL = Row(new_id("pool"), "pool", "local", CLUSTER.id, ATTRIBUTES)
WANT = Pool(name="local", path="/srv/local")
COPY = f"{new_id('image')}.qcow2"
ROOT = "web-1.inst-0123456789abcdefghijk.root.qcow2"  # fixed: it stands in the names of tests
DOWN = Problem("10.91.0.13 port 16514 does not answer", "Check it.", "node3")


def associated(node: Row, **changes: Any) -> AssociationRow:
    attributes = {
        "internal_id": uuid_of(POOL.id),
        "enabled": True,
        "status": "available",
        "error": None,
        "error_at": None,
    }
    return AssociationRow(POOL.id, node.id, {**attributes, **changes})


def seen(**changes: Any) -> SeenPool:
    definition = PoolDefinition("local", uuid_of(POOL.id), "dir", "/srv/local")
    return SeenPool(definition, True, True, 100, 40, 60)._replace(**changes)


def converged(row: Row = POOL, *, on: tuple[Row, ...] = NODES) -> PoolHave:
    labels = labels_of_pool(row.name, row.id, row.attributes)
    empty = {"local": frozenset[str]()}
    return PoolHave(
        (CLUSTER,),
        NODES,
        (row,),
        tuple(associated(node) for node in on),
        {node.name: SeenNode((seen(),), labels, empty) if node in on else SeenNode() for node in NODES},
    )


def with_node(have: PoolHave, name: str, **changes: Any) -> PoolHave:
    return replace(have, seen={**have.seen, name: replace(have.seen[name], **changes)})


def without_node(have: PoolHave, name: str) -> PoolHave:
    rest = {known: node for known, node in have.seen.items() if known != name}
    return replace(have, seen=rest, down={name: replace(DOWN, node=name)})


def summary(plan: Plan) -> dict[str, list[str]]:
    return {work.label: [step.act for step in work.steps] for work in plan.effective}


def what(plan: Plan) -> str:
    return "\n".join(str(problem) for problem in plan.refusals)


def test_a_new_pool_is_registered_and_defined_on_all_nodes_of_the_cluster() -> None:
    plan = plan_pools([WANT], EMPTY)
    assert summary(plan) == {
        "pool local": ["register"],
        **{f"pool local on {node.name}": ["define", "label"] for node in NODES},
    }
    assert [step.data["row"].attributes for step in plan.first[0].steps] == [ATTRIBUTES]
    assert len(plan.first[0].steps[0].data["associations"]) == 3


def test_a_converged_pool_needs_nothing() -> None:
    plan = plan_pools([WANT], converged())
    assert plan.is_empty
    assert not plan.failures


def test_the_path_defaults_when_new_and_is_not_managed_when_known() -> None:
    plan = plan_pools([Pool(name="local")], EMPTY)
    assert plan.first[0].steps[0].data["row"].attributes["path"] == "/var/lib/pextra/pools/local"
    assert plan_pools([Pool(name="local")], converged()).is_empty


def test_only_named_nodes_have_it() -> None:
    plan = plan_pools([replace(WANT, nodes=("node1", NODES[2].id))], EMPTY)
    assert list(summary(plan)) == ["pool local", "pool local on node1", "pool local on node3"]


def test_enabled_on_no_node_it_is_unassigned() -> None:
    plan = plan_pools([replace(WANT, nodes=())], EMPTY)
    assert summary(plan) == {"pool local": ["register"]}
    row = plan.first[0].steps[0].data["row"]
    assert describe_pools(None, replace(EMPTY, pools=(row,)))[0]["status"] == "unassigned"


@pytest.mark.parametrize(
    ("pools", "acts", "fields"),
    [
        ((seen(active=False),), ["start"], [("active", False, True)]),
        ((seen(autostart=False),), ["autostart"], [("autostart", False, True)]),
        (
            (seen(active=False, autostart=False),),
            ["start", "autostart"],
            [("autostart", False, True), ("active", False, True)],
        ),
        ((), ["forget", "define"], [("defined", False, True)]),
        (
            (seen(definition=PoolDefinition("local", uuid_of(POOL.id), "dir", "/elsewhere")),),
            ["undefine", "define"],
            [("definition", "local at /elsewhere (dir)", "local at /srv/local")],
        ),
        (
            (seen(definition=PoolDefinition("other", uuid_of(POOL.id), "dir", "/srv/local")),),
            ["undefine", "define"],
            [("definition", "other at /srv/local (dir)", "local at /srv/local")],
        ),
    ],
    ids=["stopped", "no autostart", "both", "undefined", "path edited", "renamed"],
)
def test_what_was_changed_by_hand_is_mended_exactly(
    pools: tuple[SeenPool, ...], acts: list[str], fields: list[tuple[str, object, object]]
) -> None:
    plan = plan_pools([WANT], with_node(converged(), "node2", pools=pools))
    assert summary(plan) == {"pool local on node2": acts}
    assert [(change.field, change.before, change.after) for change in plan.works[1].changes] == fields


def test_a_lost_label_is_written_again() -> None:
    plan = plan_pools([WANT], with_node(converged(), "node3", labels={}))
    assert summary(plan) == {"pool local on node3": ["label"]}


def test_a_run_killed_after_defining_is_taken_up() -> None:
    have = converged()
    killed = associated(NODES[0], internal_id=None, status="propagating")
    plan = plan_pools([WANT], replace(have, associations=(killed, *have.associations[1:])))
    assert summary(plan) == {"pool local on node1": ["define"]}


def test_an_error_that_is_over_is_recorded_so() -> None:
    have = converged()
    failed = associated(NODES[0], status="error", error="No space left on device", error_at=1.0)
    plan = plan_pools([WANT], replace(have, associations=(failed, *have.associations[1:])))
    assert summary(plan) == {"pool local on node1": ["record"]}


def test_the_description_can_change() -> None:
    plan = plan_pools([replace(WANT, description="fast")], converged())
    assert summary(plan)["pool local"] == ["register"]
    assert [(one.field, one.before, one.after) for one in plan.first[0].changes] == [("description", None, "fast")]
    assert summary(plan)["pool local on node1"] == ["label"]


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (replace(WANT, path="/srv/other"), "its path is /srv/local and cannot become /srv/other"),
        (replace(WANT, shared=True), "its shared is false and cannot become true"),
        (replace(WANT, type="zfs"), "its type is directory and cannot become zfs"),
    ],
)
def test_nothing_else_can_change(want: Pool, said: str) -> None:
    assert said in what(plan_pools([want], converged()))


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (replace(WANT, cluster="mtl-2"), 'no cluster "mtl-2"'),
        (replace(WANT, nodes=("nod1",)), 'Did you mean "node1"?'),
    ],
)
def test_references_must_exist(want: Pool, said: str) -> None:
    assert said in what(plan_pools([want], EMPTY))


@pytest.mark.parametrize(
    ("one", "other", "is_overlap"),
    [
        ("/srv/a", "/srv/a", True),
        ("/srv/a", "/srv/a/b", True),
        ("/srv/a/b", "/srv/a", True),
        ("/srv/a", "/srv/ab", False),
        ("/srv/a", "/srv/b", False),
    ],
)
def test_overlap(one: str, other: str, is_overlap: bool) -> None:
    assert overlap(one, other) is is_overlap
    wants = [Pool(name="a", path=one), Pool(name="b", path=other)]
    assert bool(plan_pools(wants, EMPTY).refusals) is is_overlap
    apart = [replace(wants[0], nodes=("node1",)), replace(wants[1], nodes=("node2",))]
    assert not plan_pools(apart, EMPTY).refusals


@pytest.mark.parametrize("path", ["/srv/media", "/srv/media/pool", "/srv/media/a"])
def test_a_pool_is_not_where_guests_write(path: str) -> None:
    directory = "/srv/media" if path != "/srv/media/a" else "/srv/media/a/deeper"
    nodes = (
        NODES[0],
        replace(NODES[1], attributes={**NODES[1].attributes, "shared_directories": ["/srv/logs", directory]}),
        NODES[2],
    )
    have = replace(EMPTY, nodes=nodes)
    plan = plan_pools([Pool(name="a", path=path)], have)
    assert f"its path {path} and {directory}, which node2 lets guests write in, are in one another's way" in what(plan)
    assert not plan_pools([Pool(name="a", path=path, nodes=("node1", "node3"))], have).refusals
    assert not plan_pools([Pool(name="a", path="/srv/vms")], have).refusals
    # Its path may be one that is known already.
    row = replace(POOL, attributes={**ATTRIBUTES, "path": path})
    assert "lets guests write" in what(plan_pools([Pool(name="local")], replace(converged(row), nodes=nodes)))
    assert not plan_pools([Pool(name="local", state="absent")], replace(converged(row), nodes=nodes)).refusals


def test_a_declared_pool_may_not_lie_in_one_that_is_only_registered() -> None:
    assert "lie one within the other" in what(plan_pools([Pool(name="inner", path="/srv/local/in")], converged()))


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (
            PoolDefinition("local", "11111111-2222-3333-4444-555555555555", "dir", "/else"),
            "which is not ours (UUID 1111",
        ),
        (
            PoolDefinition("x", "11111111-2222-3333-4444-555555555555", "dir", "/srv/local"),
            "storage pool x at /srv/local",
        ),
        (PoolDefinition("x", "11111111-2222-3333-4444-555555555555", "dir", "/srv"), "storage pool x at /srv"),
        (PoolDefinition("x", "11111111-2222-3333-4444-555555555555", "netfs", "/srv/local/y"), "x at /srv/local/y"),
    ],
)
def test_foreign_pools_are_refused(definition: PoolDefinition, said: str) -> None:
    foreign = SeenPool(definition, True, True)
    plan = plan_pools([WANT], with_node(EMPTY, "node2", pools=(foreign,)))
    assert said in what(plan)
    assert {problem.node for problem in plan.refusals} == {"node2"}


def test_foreign_pools_elsewhere_do_not_matter() -> None:
    foreign = SeenPool(PoolDefinition("x", "11111111-2222-3333-4444-555555555555", "dir", "/srv/x"), True, True)
    assert not plan_pools([WANT], with_node(EMPTY, "node2", pools=(foreign,))).refusals


def test_a_node_that_is_down_does_not_stop_the_others() -> None:
    plan = plan_pools([WANT], without_node(EMPTY, "node3"))
    assert list(summary(plan)) == ["pool local", "pool local on node1", "pool local on node2"]
    assert [problem.node for problem in plan.failures] == ["node3"]
    stored = {one.node: one.attributes["status"] for one in plan.first[0].steps[0].data["associations"]}
    assert stored[NODES[2].id] == "error"
    again = plan_pools([WANT], without_node(converged(), "node3"))
    assert again.is_empty
    assert [problem.node for problem in again.failures] == ["node3"]


def test_an_unreachable_source_is_recorded_once() -> None:
    have = replace(EMPTY, bad_sources={("local", "node1"): "the server does not answer"})
    assert summary(plan_pools([WANT], have))["pool local on node1"] == ["fail", "label"]
    failed = associated(NODES[0], internal_id=None, status="error", error="the server does not answer")
    stored = replace(converged(), bad_sources=have.bad_sources)
    stored = replace(stored, associations=(failed, *stored.associations[1:]))
    plan = plan_pools([WANT], stored)
    assert plan.is_empty
    assert [problem.what for problem in plan.failures] == ["the server does not answer"]


# Leaving


def test_a_pool_leaves_a_node() -> None:
    want = replace(WANT, nodes=("node1", "node2"))
    have = with_node(converged(), "node3", volumes={"local": frozenset({COPY, "lost+found"})})
    assert {node: [row.name for row in rows] for node, rows in find_leaving([want], have).items()} == {
        "node3": ["local"]
    }
    plan = plan_pools([want], have)
    assert summary(plan) == {
        "pool local": ["register"],
        "pool local on node3": ["delete_copies", "label", "remove"],
    }
    assert plan.works[-1].steps[0].data["copies"] == [COPY]
    assert not plan.works[-1].loses


@pytest.mark.parametrize("want", [replace(WANT, nodes=("node1", "node2")), replace(WANT, state="absent")])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"volumes": {"local": frozenset({ROOT, COPY})}}, f"holds volumes in it: {ROOT}."),
        ({"volumes": {"local": frozenset({"somebody's.iso"})}}, "holds volumes in it: somebody's.iso"),
        ({"users": {"local": ("web-1",)}}, "has instances that use it: web-1"),
    ],
)
def test_it_stays_while_the_node_holds_volumes(want: Pool, changes: dict[str, Any], said: str) -> None:
    assert said in what(plan_pools([want], with_node(converged(), "node3", **changes)))


@pytest.mark.parametrize("want", [replace(WANT, nodes=("node1", "node2")), replace(WANT, state="absent")])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pools": (seen(active=False),)}, "it is stopped there, so nobody can tell whether the node holds volumes"),
        ({}, "it is stopped there"),
        ({"unread": {"local": Problem("I/O error", "Look.")}}, "node holds volumes in it: I/O error. Look."),
    ],
    ids=["stopped", "not read", "unreadable"],
)
def test_it_stays_where_nobody_has_read_it(want: Pool, changes: dict[str, Any], said: str) -> None:
    have = with_node(converged(), "node3", **{"volumes": {}, **changes})
    plan = plan_pools([want], have)
    assert said in what(plan)
    assert [problem.node for problem in plan.refusals] == ["node3"]


@pytest.mark.parametrize("want", [replace(WANT, nodes=("node1", "node2")), replace(WANT, state="absent")])
def test_it_leaves_where_it_has_never_been(want: Pool) -> None:
    """As when its key, or the address of its server, is wrong: it has never started, and holds nothing of ours."""
    have = with_node(converged(), "node3", volumes={}, pools=(seen(active=False),))
    never, once = (
        replace(have, associations=(*have.associations[:2], associated(NODES[2], status="error", was_available=is_)))
        for is_ in (False, True)
    )
    assert not plan_pools([want], never).refusals
    assert "it is stopped there" in what(plan_pools([want], once))


def test_whether_it_has_ever_been_there_is_known_of_new_ones_alone() -> None:
    new = plan_pools([WANT], replace(converged(on=()), associations=(), pools=()))
    assert {one.attributes["was_available"] for one in new.first[0].steps[0].data["associations"]} == {False}
    older = associated(NODES[2], enabled=False)
    again = plan_pools(
        [replace(WANT, nodes=("node1", "node2", "node3"))],
        replace(converged(), associations=(*converged().associations[:2], older)),
    )
    assert [one.attributes["was_available"] for one in again.first[0].steps[0].data["associations"]] == [True]


def test_it_stays_while_a_volume_is_registered_in_it() -> None:
    gone, leaving = replace(WANT, state="absent"), replace(WANT, nodes=("node1", "node2"))
    data = Row(new_id("volume"), "volume", "data", CLUSTER.id, {"pool": POOL.id, "node": NODES[2].id})
    have = replace(converged(), volumes=(data,))
    for want in (gone, leaving):
        for there in (have, with_node(have, "node3", pools=(), volumes={})):  # undefined by hand
            assert "volumes are registered in it that are not seen now: data" in what(plan_pools([want], there))
    assert not plan_pools([replace(WANT, nodes=("node3",))], have).refusals
    # What is seen is told once.
    file = f"data.{data.id}.qcow2"
    told = what(plan_pools([gone], with_node(have, "node3", volumes={"local": frozenset({file})})))
    assert (file in told, "not seen" in told) == (True, False)
    elsewhere = replace(have, associations=have.associations[:2])
    assert "lie on none of its nodes: data" in what(plan_pools([gone], elsewhere))
    other = replace(data, attributes={**data.attributes, "pool": new_id("pool")})
    assert not plan_pools([gone], replace(have, volumes=(other,))).refusals


def test_a_shared_pool_stays_on_its_last_node_while_a_volume_is_registered_in_it() -> None:
    row = replace(POOL, attributes={**ATTRIBUTES, "shared": True})
    data = Row(new_id("volume"), "volume", "data", CLUSTER.id, {"pool": POOL.id})
    have = replace(converged(row), volumes=(data,))
    assert not plan_pools([replace(WANT, shared=True, nodes=("node1",))], have).refusals
    assert "not seen now: data" in what(plan_pools([replace(WANT, shared=True, nodes=())], have))
    assert "not seen now: data" in what(plan_pools([replace(WANT, state="absent")], have))
    assert "none of its nodes: data" in what(
        plan_pools([replace(WANT, state="absent")], replace(have, associations=()))
    )


def test_it_may_leave_unread_what_libvirt_has_no_more_or_holds_nothing_of_ours() -> None:
    leaving = replace(WANT, nodes=("node1", "node2"))
    undefined = with_node(converged(), "node3", volumes={}, pools=())
    assert summary(plan_pools([leaving], undefined))["pool local on node3"] == ["label", "dissociate"]
    # Other nodes keep what is shared.
    shared = replace(POOL, attributes={**ATTRIBUTES, "shared": True})
    kept = with_node(converged(shared), "node3", volumes={}, pools=(seen(active=False),))
    assert not plan_pools([replace(leaving, shared=True)], kept).refusals
    # It was empty when it was marked: stopping it is a part of taking it away.
    going = associated(NODES[2], enabled=False, status="destroying")
    stopped = with_node(converged(), "node3", volumes={}, pools=(seen(active=False),))
    stopped = replace(stopped, associations=(*stopped.associations[:2], going))
    assert summary(plan_pools([leaving], stopped)) == {"pool local on node3": ["label", "remove"]}


def test_copies_are_deleted_in_the_pool_under_the_name_that_it_has() -> None:
    renamed = seen(definition=PoolDefinition("renamed", uuid_of(POOL.id), "dir", "/srv/local"))
    have = with_node(converged(), "node3", pools=(renamed,), volumes={"local": frozenset({COPY})})
    plan = plan_pools([replace(WANT, nodes=("node1", "node2"))], have)
    assert plan.works[-1].steps[0].data["pool"] == "renamed"


def test_a_shared_pool_leaves_one_of_its_nodes_with_the_volumes_in_place() -> None:
    row = replace(POOL, attributes={**ATTRIBUTES, "shared": True})
    want = replace(WANT, shared=True, nodes=("node1",))
    have = with_node(converged(row), "node3", volumes={"local": frozenset({ROOT, COPY})})
    plan = plan_pools([want], have)
    assert not plan.refusals
    assert summary(plan)["pool local on node3"] == ["label", "remove"]
    used = with_node(have, "node3", users={"local": ("web-1",)})
    assert "web-1" in what(plan_pools([want], used))
    assert ROOT in what(plan_pools([replace(want, nodes=())], have))


def test_removal_marks_cleans_up_and_lets_go_of_the_name() -> None:
    plan = plan_pools([replace(WANT, state="absent")], converged())
    assert summary(plan) == {
        "pool local": ["deregister"],
        **{f"pool local on {node.name}": ["label", "remove"] for node in NODES},
    }
    assert plan.first[0].steps[0].data["row"].attributes["deleting"] is True
    assert all(not one.attributes["enabled"] for one in plan.first[0].steps[0].data["associations"])
    assert plan_pools([replace(WANT, state="absent")], EMPTY).is_empty


def test_removal_needs_every_node_that_may_hold_volumes() -> None:
    assert "nobody can tell" in what(plan_pools([replace(WANT, state="absent")], without_node(converged(), "node3")))


def test_removal_that_was_interrupted_goes_on() -> None:
    row = replace(POOL, attributes={**ATTRIBUTES, "deleting": True})
    have = replace(converged(row, on=()), associations=(associated(NODES[2], enabled=False, status="destroying"),))
    plan = plan_pools([replace(WANT, state="absent")], without_node(have, "node3"))
    assert plan.is_empty
    assert [problem.node for problem in plan.failures] == ["node3"]
    plan = plan_pools([replace(WANT, state="absent")], have)
    assert summary(plan) == {"pool local on node3": ["dissociate"], "pool local": ["deregister"]}
    assert "it is being destroyed" in what(plan_pools([WANT], have))


def test_a_node_that_has_left_the_cluster_is_dropped() -> None:
    have = converged()
    left = replace(have, nodes=NODES[:2])
    plan = plan_pools([WANT], left)
    assert summary(plan) == {"pool local": ["register"]}
    assert plan.first[0].steps[0].data["dropped"] == (NODES[2].id,)


def test_a_foreign_pool_of_that_name_is_not_removed() -> None:
    foreign = SeenPool(PoolDefinition("local", "11111111-2222-3333-4444-555555555555", "dir", "/srv/local"), True, True)
    assert plan_pools([replace(WANT, state="absent")], with_node(EMPTY, "node1", pools=(foreign,))).is_empty


def test_only_nodes_that_have_to_do_with_it_are_read() -> None:
    assert find_concerned([replace(WANT, nodes=("node2",))], EMPTY) == ["node2"]
    assert find_concerned([replace(WANT, nodes=("node2",))], converged(on=NODES[:1])) == ["node1", "node2"]
    assert find_concerned([], converged(on=NODES[:1])) == ["node1"]


# Status


@pytest.mark.parametrize(
    ("stored", "pools", "status", "error"),
    [
        ({}, (seen(),), "available", None),
        ({}, (seen(active=False),), "error", "it is defined, but stopped"),
        ({}, (), "error", "it is not defined any more"),
        ({"internal_id": None, "status": "propagating"}, (), "propagating", None),
        ({"internal_id": None, "status": "error", "error": "full"}, (), "error", "full"),
        ({"enabled": False}, (seen(),), "destroying", None),
    ],
)
def test_status_of_a_node(stored: dict[str, Any], pools: tuple[SeenPool, ...], status: str, error: str | None) -> None:
    have = with_node(converged(on=NODES[:1]), "node1", pools=pools)
    have = replace(have, associations=(associated(NODES[0], **stored),))
    node = describe_pools(None, have)[0]["nodes"][0]
    assert (node["status"], node["error"]) == (status, error)


def test_status_of_a_pool() -> None:
    have = converged()
    found = describe_pools([(None, "local")], have)[0]
    assert (found["status"], found["capacity"], found["allocation"], found["available"]) == ("available", 300, 120, 180)
    assert describe_pools(None, without_node(have, "node3"))[0]["status"] == "error"
    shared = replace(POOL, attributes={**ATTRIBUTES, "shared": True})
    assert describe_pools(None, replace(have, pools=(shared,)))[0]["capacity"] == 100
    deleting = replace(POOL, attributes={**ATTRIBUTES, "deleting": True})
    assert describe_pools(None, replace(have, pools=(deleting,)))[0]["status"] == "destroying"


# Labels and XML


def test_a_pool_is_rebuilt_from_its_labels() -> None:
    labels = labels_of_pool("local", POOL.id, {**ATTRIBUTES, "description": "a <b> & 'c'"})
    rows, associations = pools_from_labels(labels, node_id=NODES[0].id, cluster_id=CLUSTER.id)
    assert rows == [
        Row(
            POOL.id,
            "pool",
            "local",
            CLUSTER.id,
            {
                "type": "directory",
                "path": "/srv/local",
                "shared": False,
                "description": "a <b> & 'c'",
                "deleting": False,
            },
        )
    ]
    assert [(one.resource, one.node) for one in associations] == [(POOL.id, NODES[0].id)]
    rebuilt = replace(converged(), associations=tuple(associated(node) for node in NODES))
    assert plan_pools([WANT], replace(rebuilt, pools=(POOL,))).is_empty


@pytest.mark.parametrize(
    "labels",
    [
        {"pextra-pool/x": "not json"},
        {"pextra-pool/x": "[]"},
        {"pextra-pool/x": json.dumps({"id": "../../etc"})},
        {"pextra-pool/x": json.dumps({"id": POOL.id})},
        {"someone-else": "x"},
    ],
)
def test_labels_of_others_are_passed_over(labels: dict[str, str]) -> None:
    assert pools_from_labels(labels, node_id=NODES[0].id, cluster_id=CLUSTER.id) == ([], [])


def test_xml_goes_both_ways_whatever_is_in_it() -> None:
    xml = render_pool("a<b>&'\"", uuid_of(POOL.id), "directory", "/srv/<&'\">")
    assert parse_pool(xml) == PoolDefinition("a<b>&'\"", uuid_of(POOL.id), "dir", "/srv/<&'\">")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/etc",
        "/etc/pextra",
        "/dev/shm",
        "/var/lib/pextra",
        "/var/lib/pextra/images/x",
        "a",
        "/srv/../etc",
        "/srv/",
    ],
)
def test_paths_of_the_system_are_refused(path: str) -> None:
    assert parse_spec(FIELDS, Pool, {"name": "local", "path": path}, "pools[0]")[1]
