# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes joining, changing and leaving."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import is_id, new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.labels import (
    LABEL_HIERARCHY,
    LABEL_NODE,
    labels_of_node,
    rows_from_labels,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.plan import (
    NodeHave,
    plan_nodes,
    without_node,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.spec import Node

ACME = Row(new_id("organization"), "organization", "acme", "", {"root": True})
MTL = Row(new_id("cluster"), "cluster", "mtl-1", "", {"datacenter": "dc-1", "secret": "hush"})
OTHER = Row("cls-0123456789abcdefghijk", "cluster", "mtl-2", "", {"secret": "hush"})
HIERARCHY = Hierarchy((ACME,), (), (MTL,))
NODE = Row(new_id("node"), "node", "node1", MTL.id, {"address": "10.91.0.11", "virt_type": "qemu"})
WANT = Node(name="node1", address="10.91.0.11", virt_type="qemu")
LABELS = labels_of_node(NODE.id, MTL.id, "node1", NODE.attributes, HIERARCHY)
FRESH = NodeHave(HIERARCHY, {}, {"node1": {}})
JOINED = NodeHave(HIERARCHY, {"node1": NODE}, {"node1": LABELS})
DOWN = Problem("it does not answer", "Check it.", "node1")


def opens(_: str) -> str | None:
    return None


def closed(_: str) -> str | None:
    return "the clustering key expired"


def refused(plan: Plan) -> Problem:
    assert plan.all == ()
    assert plan.failures == ()
    (problem,) = plan.refusals
    return problem


def applied(plan: Plan, have: NodeHave) -> NodeHave:
    nodes, labels = dict(have.nodes), {name: dict(found) for name, found in have.labels.items()}
    for work in plan.works:
        for step in work.steps:
            if step.act == "put":
                nodes[work.name] = step.data["row"]
            elif step.act == "remove":
                del nodes[work.name]
            else:
                for key, value in step.data["labels"].items():
                    labels[work.name].pop(key, None)
                    if value is not None:
                        labels[work.name][key] = value
    return replace(have, nodes=nodes, labels=labels)


def test_joining() -> None:
    plan = plan_nodes([WANT], FRESH, check_key=opens)
    (work,) = plan.works
    assert work.node == "node1"
    assert [(step.act, step.text) for step in work.steps] == [
        ("put", "join cluster mtl-1"),
        ("label", "write its identity"),
    ]
    row = work.steps[0].data["row"]
    assert is_id(row.id, "node")
    assert (row.name, row.scope, row.attributes) == ("node1", MTL.id, {"address": "10.91.0.11", "virt_type": "qemu"})
    assert [(change.field, change.after) for change in work.changes] == [
        ("cluster", "mtl-1"),
        ("address", "10.91.0.11"),
        ("virt_type", "qemu"),
    ]
    assert plan_nodes([WANT], applied(plan, FRESH), check_key=closed).is_empty


def test_joining_needs_the_key() -> None:
    problem = refused(plan_nodes([WANT], FRESH, check_key=closed))
    assert (problem.resource, problem.what) == ("node node1", "the clustering key expired")
    assert problem.remedy == "Issue a new one with pextra_cluster (name: mtl-1, issue_key: true) and join with it."


def test_the_key_of_the_right_cluster_is_asked_for() -> None:
    asked = []

    def check(cluster_id: str) -> str | None:
        asked.append(cluster_id)
        return None

    two = replace(FRESH, hierarchy=replace(HIERARCHY, clusters=(MTL, OTHER)))
    plan_nodes([replace(WANT, cluster="mtl-2")], two, check_key=check)
    assert asked == [OTHER.id]


@pytest.mark.parametrize("done", [0, 1])
def test_a_killed_join_is_finished_without_the_key(done: int) -> None:
    """The registry, or the host, says already that it has joined."""
    plan = plan_nodes([WANT], FRESH, check_key=opens)
    (work,) = plan.works
    half = applied(replace(plan, works=(replace(work, steps=(work.steps[done],)),)), FRESH)
    again = plan_nodes([WANT], half, check_key=closed)
    whole = applied(again, half)
    assert plan_nodes([WANT], whole, check_key=closed).is_empty
    assert whole.nodes["node1"].id == work.id


def test_changing() -> None:
    want = replace(WANT, memory_reserved=512, description="Rack 4")
    plan = plan_nodes([want], JOINED, check_key=closed)
    (work,) = plan.works
    assert [step.act for step in work.steps] == ["put", "label"]
    fields = [(change.field, change.before, change.after) for change in work.changes]
    assert fields[:2] == [("description", None, "Rack 4"), ("memory_reserved", None, 512)]
    assert fields[2][0] == f"labels.{LABEL_NODE}"
    assert plan_nodes([want], applied(plan, JOINED), check_key=closed).is_empty


def test_an_address_for_moves_that_comes_and_goes() -> None:
    """The node's own address is what is meant without saying, and no change."""
    assert plan_nodes([replace(WANT, migration_address="10.91.0.11")], JOINED, check_key=closed).is_empty
    plan = plan_nodes([replace(WANT, migration_address="10.92.0.11")], JOINED, check_key=closed)
    assert [(change.field, change.after) for change in plan.works[0].changes][:1] == [
        ("migration_address", "10.92.0.11")
    ]
    have = applied(plan, JOINED)
    assert plan_nodes([WANT], have, check_key=closed).is_empty, "what is not named stays"
    back = plan_nodes([replace(WANT, migration_address="10.91.0.11")], have, check_key=closed)
    assert [(change.field, change.after) for change in back.works[0].changes][:1] == [("migration_address", None)]
    assert applied(back, have) == JOINED


def test_none_is_not_managed() -> None:
    assert plan_nodes([Node(name="node1")], JOINED, check_key=closed).is_empty


@pytest.mark.parametrize(
    ("want", "have", "what"),
    [
        (Node(name="node1"), FRESH, "its address is missing"),
        (replace(WANT, cluster="x"), FRESH, 'there is no cluster "x"'),
        (
            replace(WANT, address="10.91.0.19"),
            JOINED,
            "its address is 10.91.0.11, and cannot become 10.91.0.19: a node's management address must not change "
            "after it has joined",
        ),
        (
            replace(WANT, cluster="mtl-2"),
            replace(JOINED, hierarchy=replace(HIERARCHY, clusters=(MTL, OTHER))),
            "it belongs to another cluster already",
        ),
        (
            WANT,
            replace(FRESH, labels={"node1": labels_of_node(NODE.id, OTHER.id, "node1", {}, HIERARCHY)}),
            f"the host carries the identity of a node of another cluster ({OTHER.id})",
        ),
        (
            Node(name="node2", address="10.91.0.11"),
            replace(JOINED, labels={**JOINED.labels, "node2": {}}),
            "its address 10.91.0.11 is that of node node1",
        ),
        (
            Node(name="node2", address="10.91.0.12"),
            replace(JOINED, labels={**JOINED.labels, "node2": LABELS}),
            "the host carries the identity of node node1",
        ),
    ],
)
def test_refusals(want: Node, have: NodeHave, what: str) -> None:
    problem = refused(plan_nodes([want], have, check_key=opens))
    assert (problem.resource, problem.what) == (f"node {want.name}", what)


V6 = replace(NODE, attributes={"address": "FD00:0:0::0011", "virt_type": "qemu"})


@pytest.mark.parametrize("text", ["fd00::11", "FD00::11", "fd00:0000:0000:0000:0000:0000:0000:0011"])
def test_an_address_in_another_notation_is_the_same_address(text: str) -> None:
    labels = labels_of_node(V6.id, MTL.id, "node1", V6.attributes, HIERARCHY)
    have = NodeHave(HIERARCHY, {"node1": V6}, {"node1": labels, "node2": {}})
    assert plan_nodes([Node(name="node1", address=text, virt_type="qemu")], have, check_key=opens).effective == ()
    twin = refused(plan_nodes([Node(name="node2", address=text)], have, check_key=opens))
    assert twin.what == "its address fd00::11 is that of node node1"


def test_of_two_new_nodes_with_one_address_the_second_does_not_join() -> None:
    both = [Node(name="node2", address="fd00::11"), Node(name="node1", address="FD00:0::11")]
    plan = plan_nodes(both, replace(FRESH, labels={"node1": {}, "node2": {}}), check_key=opens)
    assert [work.name for work in plan.works] == ["node2"]
    assert [(problem.resource, problem.what) for problem in plan.refusals] == [
        ("node node1", "its address fd00::11 is that of node node2, which is to join as well")
    ]


def test_a_call_without_an_address_finds_no_twin() -> None:
    registered = replace(NODE, attributes={"virt_type": "qemu"})
    have = replace(JOINED, nodes={"node1": NODE, "node0": replace(registered, id=new_id("node"), name="node0")})
    assert plan_nodes([Node(name="node1", description="a")], have, check_key=opens).refusals == ()


def test_nodes_that_are_down() -> None:
    """The others go on."""
    other = Row(new_id("node"), "node", "node2", MTL.id, {"address": "10.91.0.12"})
    have = replace(JOINED, nodes={"node1": NODE, "node2": other}, labels={"node2": {}}, down={"node1": DOWN})
    plan = plan_nodes([WANT, Node(name="node2", address="10.91.0.12")], have, check_key=closed)
    assert plan.failures == (DOWN,)
    assert [work.name for work in plan.works] == ["node2"]
    assert plan_nodes([Node(name="node1", state="absent")], have, check_key=closed).failures == (DOWN,)


def test_lost_labels_are_written_again() -> None:
    plan = plan_nodes([WANT], replace(JOINED, labels={"node1": {}}), check_key=closed)
    (work,) = plan.works
    assert [step.act for step in work.steps] == ["label"]
    assert applied(plan, JOINED).labels["node1"] == LABELS


def test_leaving() -> None:
    have = replace(JOINED, labels={"node1": {**LABELS, "pextra-pool/local": "{}", "hostname": "x"}})
    want = Node(name="node1", state="absent")
    plan = plan_nodes([want], have, check_key=closed)
    (work,) = plan.works
    assert [step.act for step in work.steps] == ["label", "remove"]
    left = applied(plan, have)
    assert (left.nodes, left.labels) == ({}, {"node1": {"hostname": "x"}})
    assert plan_nodes([want], left, check_key=closed).is_empty


def test_who_leaves_does_not_take_the_identity_of_another_node() -> None:
    """Two names for one host joined with an older version."""
    twin = replace(NODE, id=new_id("node"), name="node2")
    have = replace(JOINED, nodes={"node1": NODE, "node2": twin}, labels={"node1": LABELS, "node2": LABELS})
    plan = plan_nodes([Node(name="node2", state="absent")], have, check_key=closed)
    left = applied(plan, have)
    assert (set(left.nodes), left.labels["node2"]) == ({"node1"}, LABELS)
    assert f"carries the identity of another node (node1, {NODE.id})" in plan.warnings[0]


def test_a_killed_leave_is_finished() -> None:
    want = Node(name="node1", state="absent")
    plan = plan_nodes([want], JOINED, check_key=closed)
    half = applied(replace(plan, works=(replace(plan.works[0], steps=plan.works[0].steps[:1]),)), JOINED)
    assert applied(plan_nodes([want], half, check_key=closed), half).nodes == {}


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (Row("inst-1", "instance", "web", MTL.id, {"node": NODE.id}), "it still holds instance web"),
        (Row("vsw-1", "vswitch", "svswitch1", MTL.id, {"nodes": [NODE.id]}), "it still holds vswitch svswitch1"),
    ],
)
def test_what_holds_something_stays(member: Row, what: str) -> None:
    have = replace(JOINED, hierarchy=replace(HIERARCHY, members=(member,)))
    assert refused(plan_nodes([Node(name="node1", state="absent")], have, check_key=closed)).what == what


# Labels


DEAD = replace(JOINED, labels={}, down={"node1": DOWN})


def test_a_dead_node_is_forgotten_with_what_it_alone_had() -> None:
    alone = [Row(new_id(kind), kind, "db", MTL.id, {"node": NODE.id}) for kind in ("instance", "volume")]
    elsewhere = Row(new_id("instance"), "instance", "web", MTL.id, {"node": "node-x"})
    vswitch = Row(new_id("vswitch"), "vswitch", "svswitch10", MTL.id, {"nodes": ["node-x", NODE.id], "uplinks": []})
    have = replace(DEAD, hierarchy=replace(HIERARCHY, members=(*alone, elsewhere, vswitch)))
    (work,) = plan_nodes([Node(name="node1", state="absent")], have, check_key=closed, is_dead=True).works
    assert {step.data["id"] for step in work.steps if step.act == "remove"} == {NODE.id, *(row.id for row in alone)}
    assert work.steps[-1].data["id"] == NODE.id, "the node last: a run that was killed goes on"
    (taken,) = [step.data for step in work.steps if step.act == "take_out"]
    assert taken == {"id": vswitch.id, "node": NODE.id}
    assert without_node(vswitch, NODE.id).attributes == {"nodes": ["node-x"], "uplinks": []}
    assert [text.partition(",")[0] for text in work.loses] == ["instance db", "volume db"]
    assert work.node is None, "it is not asked"
    assert work.touches == ("instance db", "volume db", "vswitch svswitch10"), "whose rows nobody else may be at"


def test_a_node_that_answers_has_not_died() -> None:
    plan = plan_nodes([Node(name="node1", state="absent")], JOINED, check_key=closed, is_dead=True)
    assert "it answers" in refused(plan).what


def test_a_dead_node_that_has_left_is_no_change() -> None:
    have = replace(DEAD, nodes={})
    assert plan_nodes([Node(name="node1", state="absent")], have, check_key=closed, is_dead=True).works == ()


def test_labels_come_back_as_rows() -> None:
    node, *above = rows_from_labels(LABELS)
    assert node == NODE
    assert [(row.kind, row.id, row.name) for row in above] == [
        ("organization", ACME.id, "acme"),
        ("cluster", MTL.id, "mtl-1"),
    ]


def test_secrets_never_leave_the_registry() -> None:
    assert "hush" not in str(LABELS)


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {LABEL_NODE: ""},
        {LABEL_NODE: "null"},
        {LABEL_NODE: "[]"},
        {LABEL_NODE: "{}"},
        {LABEL_NODE: json.dumps({"id": "node-x", "cluster": MTL.id, "name": "node1"})},
        {LABEL_NODE: json.dumps({"id": 1, "cluster": MTL.id, "name": "node1"})},
        {LABEL_HIERARCHY: "[1]"},
        {LABEL_HIERARCHY: "[[1, 2, 3, 4]]"},
        {LABEL_HIERARCHY: "{"},
        {LABEL_HIERARCHY: json.dumps([["node", "x", "y", {}]])},
    ],
)
def test_damaged_labels_are_passed_over(damage: dict[str, Any]) -> None:
    assert rows_from_labels(damage) == []
    # The host then joins like a new one.
    have = replace(FRESH, labels={"node1": damage})
    assert plan_nodes([WANT], applied(plan_nodes([WANT], have, check_key=opens), have), check_key=closed).is_empty


def test_containers_come_and_go() -> None:
    plan = plan_nodes([replace(WANT, containers=True)], JOINED, check_key=closed)
    (work,) = plan.works
    assert ("containers", None, True) in [(one.field, one.before, one.after) for one in work.changes]
    having = applied(plan, JOINED)
    assert plan_nodes([replace(WANT, containers=True)], having, check_key=closed).is_empty
    assert plan_nodes([WANT], having, check_key=closed).is_empty
    assert plan_nodes([replace(WANT, containers=False)], JOINED, check_key=closed).is_empty
    gone = plan_nodes([replace(WANT, containers=False)], having, check_key=closed)
    assert "containers" not in applied(gone, having).nodes["node1"].attributes


def test_architectures_come_and_go() -> None:
    want = replace(WANT, architectures=("x86_64", "aarch64"))
    plan = plan_nodes([want], JOINED, check_key=closed)
    (work,) = plan.works
    assert ("architectures", None, ["aarch64", "x86_64"]) in [
        (one.field, one.before, one.after) for one in work.changes
    ]
    having = applied(plan, JOINED)
    assert plan_nodes([want], having, check_key=closed).is_empty
    assert plan_nodes([WANT], having, check_key=closed).is_empty
    assert plan_nodes([replace(WANT, architectures=())], JOINED, check_key=closed).is_empty
    gone = plan_nodes([replace(WANT, architectures=())], having, check_key=closed)
    assert "architectures" not in applied(gone, having).nodes["node1"].attributes


def test_shared_directories_come_and_go() -> None:
    want = replace(WANT, shared_directories=("/srv/b", "/srv/a"))
    plan = plan_nodes([want], JOINED, check_key=closed)
    (work,) = plan.works
    assert ("shared_directories", None, ["/srv/a", "/srv/b"]) in [
        (one.field, one.before, one.after) for one in work.changes
    ]
    having = applied(plan, JOINED)
    again = replace(WANT, shared_directories=("/srv/a", "/srv/b"))
    for one in (want, again, WANT):
        assert plan_nodes([one], having, check_key=closed).is_empty
    # A lost registry has them again from the node's labels.
    (row,) = [row for row in rows_from_labels(having.labels["node1"]) if row.kind == "node"]
    assert row.attributes["shared_directories"] == ["/srv/a", "/srv/b"]
    gone = plan_nodes([replace(WANT, shared_directories=())], having, check_key=closed)
    assert "shared_directories" not in applied(gone, having).nodes["node1"].attributes


POOL = Row(new_id("pool"), "pool", "local", MTL.id, {"type": "directory", "path": "/srv/vms"})
HOLDS_POOL = replace(
    JOINED,
    hierarchy=replace(HIERARCHY, members=(*HIERARCHY.members, POOL)),
    pools_on=(AssociationRow(POOL.id, NODE.id),),
)


def test_a_storage_pools_directory_is_not_shared() -> None:
    problem = refused(plan_nodes([replace(WANT, shared_directories=("/srv/vms/media",))], HOLDS_POOL, check_key=closed))
    assert problem.what == "/srv/vms/media and the storage pool local (/srv/vms) are in one another's way"
    # One that is on other nodes alone is in nobody's way.
    elsewhere = replace(HOLDS_POOL, pools_on=(AssociationRow(POOL.id, "node-x"),))
    plan = plan_nodes([replace(WANT, shared_directories=("/srv/vms/media",))], elsewhere, check_key=closed)
    assert applied(plan, elsewhere).nodes["node1"].attributes["shared_directories"] == ["/srv/vms/media"]


def test_what_is_shared_already_keeps_no_other_change_back() -> None:
    shared = ["/srv/vms/media", "/srv/vms/media/a"]
    row = replace(NODE, attributes={**NODE.attributes, "shared_directories": shared})
    have = replace(HOLDS_POOL, nodes={"node1": row})
    plan = plan_nodes([replace(WANT, description="A host")], have, check_key=closed)
    assert applied(plan, have).nodes["node1"].attributes["description"] == "A host"
    assert not plan_nodes([replace(WANT, shared_directories=tuple(reversed(shared)))], have, check_key=closed).refusals
    fewer = plan_nodes([replace(WANT, shared_directories=("/srv/media",))], have, check_key=closed)
    assert applied(fewer, have).nodes["node1"].attributes["shared_directories"] == ["/srv/media"]


def test_no_shared_directory_lies_in_another() -> None:
    want = replace(WANT, shared_directories=("/srv/media/a/b", "/srv/media", "/srv/mediator"))
    problem = refused(plan_nodes([want], JOINED, check_key=closed))
    assert problem.what.startswith("/srv/media/a/b lies in /srv/media: a guest that writes in")
    assert problem.remedy == "Share the outer one alone, or directories beside one another."
    both = refused(plan_nodes([replace(want, shared_directories=("/srv", "/srv/vms"))], HOLDS_POOL, check_key=closed))
    assert "/srv/vms lies in /srv" in both.what
    assert "/srv/vms and the storage pool local" in both.what


def test_a_node_keeps_containers_while_it_has_some() -> None:
    having = applied(plan_nodes([replace(WANT, containers=True)], JOINED, check_key=closed), JOINED)
    there = {"node": having.nodes["node1"].id}
    box = Row(new_id("instance"), "instance", "box", MTL.id, {**there, "type": "lxc"})
    web = Row(new_id("instance"), "instance", "web", MTL.id, there)
    hierarchy = replace(HIERARCHY, members=(*HIERARCHY.members, box, web))
    problem = refused(
        plan_nodes([replace(WANT, containers=False)], replace(having, hierarchy=hierarchy), check_key=closed)
    )
    assert problem.what == "it still holds containers: box"
