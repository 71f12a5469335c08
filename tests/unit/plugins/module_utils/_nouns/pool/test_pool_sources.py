# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools with a source: (what is wanted, what is there) and the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.definition import parse_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.labels import (
    labels_of_pool,
    pools_from_labels,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.planning import plan_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.presence import render_registered_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.report import describe_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.sources import find_source_tests
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.state import PoolHave, SeenNode, SeenPool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import (
    NETWORKED,
    Pool,
    complete_pool,
    digest_of_credential,
    parse_pool_spec,
)

CLUSTER = Row(new_id("cluster"), "cluster", "mtl-1")
NODES = tuple(Row(new_id("node"), "node", f"node{n}", CLUSTER.id, {"address": f"10.91.0.1{n}"}) for n in (1, 2))
EMPTY = PoolHave((CLUSTER,), NODES, (), (), {node.name: SeenNode() for node in NODES})
POOL_ID = new_id("pool")
PASSWORD = "twelve-chars"


def want(**options: Any) -> Pool:
    spec, mistakes = parse_pool_spec({"name": "one", **options}, "")
    assert spec is not None, mistakes
    return complete_pool(spec, None)


ISCSI = want(
    type="iscsi",
    iscsi={
        "host": "192.0.2.9",
        "target": "iqn.2026-01.com.example:a",
        "username": "pextra",
        "password": PASSWORD,
    },
)
WANTS = (
    want(type="netfs", netfs={"host": "192.0.2.9", "export": "/export/vms"}),
    ISCSI,
    want(type="rbd", rbd={"monitors": ["192.0.2.1"], "key": "QVFBZ2V4YW1wbGVrZXlleGFtcGxla2V5ZXhhbX=="}),
    want(type="zfs"),
    want(type="lvm"),
)


def registered(spec: Pool) -> Row:
    source = {"source": spec.source} if spec.source is not None else {}
    attributes = {"type": spec.type, "path": spec.target, "shared": spec.is_shared, "description": None}
    return Row(POOL_ID, "pool", "one", CLUSTER.id, {**attributes, "deleting": False, **source})


def converged(spec: Pool) -> PoolHave:
    row = registered(spec)
    state = {"internal_id": uuid_of(row.id), "enabled": True, "status": "available", "error": None, "error_at": None}
    if spec.credential is not None:
        state["credential"] = digest_of_credential(spec.type, row.id, spec.credential)
    seen = SeenNode(
        (SeenPool(parse_pool(render_registered_pool(row)), True, True),),
        labels_of_pool(row.name, row.id, row.attributes),
        secrets=frozenset({uuid_of(row.id)}) if spec.credential is not None else frozenset(),
    )
    associations = tuple(AssociationRow(row.id, node.id, state) for node in NODES)
    keys = (
        {row.id: digest_of_credential(spec.type, row.id, spec.credential)}
        if spec.type == "rbd" and spec.credential
        else {}
    )
    have = PoolHave((CLUSTER,), NODES, (row,), associations, {node.name: seen for node in NODES})
    return replace(have, kept_keys=keys)


def acts(plan: Plan, node: str = "node1") -> list[str]:
    return [step.act for work in plan.works if work.node == node for step in work.steps]


@pytest.mark.parametrize("spec", WANTS, ids=lambda spec: spec.type)
def test_a_new_pool_is_defined_with_its_credential_first(spec: Pool) -> None:
    plan = plan_pools([spec], EMPTY)
    assert not plan.refusals
    assert acts(plan) == [*(["secret"] if spec.credential else []), "define", "label"]
    (row,) = [step.data["row"] for step in plan.first[0].steps]
    assert row.attributes == registered(spec).attributes
    assert PASSWORD not in repr(plan)


@pytest.mark.parametrize("spec", WANTS, ids=lambda spec: spec.type)
def test_a_converged_pool_needs_nothing(spec: Pool) -> None:
    have = converged(spec)
    assert plan_pools([spec], have).is_empty
    tests = find_source_tests([spec], have)
    # What is on the node itself and in use needs no test; of what is elsewhere, that its servers answer.
    assert [(test.node, test.is_started) for test in tests] == (
        [("node1", True), ("node2", True)] if spec.type in NETWORKED else []
    )


@pytest.mark.parametrize("spec", WANTS, ids=lambda spec: spec.type)
def test_a_new_pool_is_tested_on_every_node(spec: Pool) -> None:
    found = find_source_tests([spec], EMPTY)
    assert [(test.node, test.is_started) for test in found] == [("node1", False), ("node2", False)]
    assert {(test.pool.name, test.pool.attributes["type"], str(test.pool.attributes["source"])) for test in found} == {
        ("one", spec.type, str(spec.source))
    }


def test_a_directory_is_not_tested() -> None:
    assert find_source_tests([Pool(name="one")], EMPTY) == []


@pytest.mark.parametrize("spec", [spec for spec in WANTS if spec.type in NETWORKED], ids=lambda spec: spec.type)
def test_a_server_that_goes_is_an_error_until_it_is_back(spec: Pool) -> None:
    """The pool stays started for libvirt, and is left alone; only what is known of it changes, and only once."""
    have, reason = converged(spec), "192.0.2.9 port 2049 does not answer within 3 s"
    gone = replace(have, bad_sources={("one", "node1"): reason})
    plan = plan_pools([spec], gone)
    assert (acts(plan), acts(plan, "node2")) == (["fail"], [])
    assert [str(problem) for problem in plan.failures] == [f"node1: pool one: {reason}"]

    known = {"status": "error", "error": reason, "error_at": 1.0}
    noted = tuple(
        replace(one, attributes={**one.attributes, **known}) if one.node == NODES[0].id else one
        for one in have.associations
    )
    plan = plan_pools([spec], replace(gone, associations=noted))
    assert plan.is_empty
    assert len(plan.failures) == 1
    described = {node["name"]: node for node in describe_pools(None, replace(gone, associations=noted))[0]["nodes"]}
    assert (described["node1"]["status"], described["node1"]["error"]) == ("error", reason)
    assert described["node1"]["error_at"] == 1.0
    assert described["node2"]["status"] == "available"

    plan = plan_pools([spec], replace(have, associations=noted))
    assert (acts(plan), acts(plan, "node2")) == (["record"], [])


@pytest.mark.parametrize("spec", WANTS, ids=lambda spec: spec.type)
def test_a_bad_source_on_one_node_stops_only_that_node(spec: Pool) -> None:
    plan = plan_pools([spec], replace(EMPTY, bad_sources={("one", "node1"): "192.0.2.9 cannot be reached"}))
    assert acts(plan) == ["fail", "label"]
    assert "define" in acts(plan, "node2")
    assert [str(problem) for problem in plan.failures] == ["node1: pool one: 192.0.2.9 cannot be reached"]


def test_another_credential_is_given_to_the_node_and_shown_to_nobody() -> None:
    assert ISCSI.iscsi is not None
    other = replace(ISCSI, iscsi={**ISCSI.iscsi, "password": "another-twelve"})
    plan = plan_pools([other], converged(ISCSI))
    assert acts(plan) == ["secret"]
    assert [(change.before, change.after) for change in plan.works[0].changes] == [("another one", "as declared")]
    assert "another-twelve" not in repr(plan)


def test_a_credential_that_the_node_has_lost_is_given_again() -> None:
    have = converged(ISCSI)
    lost = {name: replace(node, secrets=frozenset()) for name, node in have.seen.items()}
    plan = plan_pools([ISCSI], replace(have, seen=lost))
    assert acts(plan) == acts(plan, "node2") == ["secret"]


def test_another_source_is_refused() -> None:
    assert ISCSI.iscsi is not None
    other = replace(ISCSI, iscsi={**ISCSI.iscsi, "host": "192.0.2.10"})
    plan = plan_pools([other], converged(ISCSI))
    (problem,) = plan.refusals
    assert "its source is" in str(problem)
    assert PASSWORD not in str(problem)


def test_a_source_that_was_changed_by_hand_is_put_right() -> None:
    have = converged(WANTS[0])
    node = have.seen["node1"]
    (pool,) = node.pools
    edited = pool._replace(definition=pool.definition._replace(source="192.0.2.66 /other nfs"))
    plan = plan_pools([WANTS[0]], replace(have, seen={**have.seen, "node1": replace(node, pools=(edited,))}))
    assert acts(plan) == ["undefine", "define"]
    assert acts(plan, "node2") == []


@pytest.mark.parametrize("spec", WANTS, ids=lambda spec: spec.type)
def test_it_is_rebuilt_from_labels(spec: Pool) -> None:
    row = registered(spec)
    labels = labels_of_pool(row.name, row.id, row.attributes)
    assert PASSWORD not in str(labels)
    (found,), _ = pools_from_labels(labels, node_id=NODES[0].id, cluster_id=CLUSTER.id)
    assert {key: value for key, value in row.attributes.items() if value is not None} == {
        key: value for key, value in found.attributes.items() if value is not None
    }


@pytest.mark.parametrize("state", ["absent", "present"])
def test_the_units_of_a_target_hold_no_pool_and_volumes_elsewhere_do(state: str) -> None:
    """libvirt shows a target's units as volumes; they are not ours, and stay."""
    for spec in WANTS:
        have = converged(spec)
        seen = replace(have.seen["node1"], volumes={"one": frozenset({"unit:0:0:0"})})
        have = replace(have, seen={"node1": seen, "node2": have.seen["node2"]})
        plan = plan_pools([replace(spec, state=state, nodes=() if state == "present" else None)], have)
        assert bool(plan.refusals) is (spec.type != "iscsi"), spec.type
        assert spec.type != "iscsi" or "remove" in acts(plan)


def test_every_pool_that_holds_volumes_is_told_at_once() -> None:
    have = converged(WANTS[-1])
    other = replace(have.pools[0], id=new_id("pool"), name="two")
    associations = tuple(replace(one, resource=other.id) for one in have.associations)
    volumes = {"one": frozenset({"a"}), "two": frozenset({"b"})}
    have = replace(
        have,
        pools=(*have.pools, other),
        associations=(*have.associations, *associations),
        seen={name: replace(seen, volumes=volumes) for name, seen in have.seen.items()},
    )
    plan = plan_pools([replace(WANTS[-1], name=name, state="absent") for name in ("one", "two")], have)
    assert {problem.resource for problem in plan.refusals} == {"pool one", "pool two"}


def test_the_coordinator_keeps_the_key_of_ceph() -> None:
    (spec,) = (spec for spec in WANTS if spec.type == "rbd")
    have = converged(spec)
    for kept in ({}, {POOL_ID: digest_of_credential("rbd", POOL_ID, "another")}):
        plan = plan_pools([spec], replace(have, kept_keys=kept))
        (step,) = (step for work in plan.all for step in work.steps)
        assert (step.act, step.data["id"], step.data["credential"]) == ("keep_key", POOL_ID, spec.credential)
        assert str(spec.credential) not in step.text
    # The job that runs without Ansible knows no keys, and leaves what is kept alone.
    keyless = replace(spec, rbd={**(spec.rbd or {}), "key": None})
    assert plan_pools([keyless], replace(have, kept_keys={})).is_empty


def test_what_nodes_share_is_deleted_once() -> None:
    """All nodes leave at the same time: the second to delete an image of Ceph would find it gone, or half gone."""
    for spec in WANTS:
        have = converged(spec)
        held = {"one": frozenset({"img-AAAAAAAAAAAAAAAAAAAAA.raw"})}
        seen = {name: replace(one, volumes=held) for name, one in have.seen.items()}
        plan = plan_pools([replace(spec, state="absent")], replace(have, seen=seen))
        deleting = [node for node in ("node1", "node2") if "delete_copies" in acts(plan, node)]
        assert plan.refusals == ()
        assert len(deleting) == (0 if spec.type == "iscsi" else 1 if spec.is_shared else 2), spec.type


# Monitors of Ceph


def with_monitors(spec: Pool, *monitors: str) -> Pool:
    return replace(spec, rbd={**(spec.rbd or {}), "monitors": list(monitors)})


@pytest.mark.parametrize("active", [True, False], ids=["active", "stopped"])
def test_other_monitors_are_defined_without_stopping_the_pool(active: bool) -> None:
    (spec,) = (spec for spec in WANTS if spec.type == "rbd")
    have = converged(spec)
    stopped = {name: replace(node, pools=(node.pools[0]._replace(active=active),)) for name, node in have.seen.items()}
    have = replace(have, seen=stopped)
    more = with_monitors(spec, "192.0.2.1", "192.0.2.2", "192.0.2.3")
    plan = plan_pools([more], have)
    assert not plan.refusals
    assert acts(plan) == ["define", "label"]
    (row,) = [step.data["row"] for step in plan.first[0].steps]
    assert row.attributes["source"]["monitors"] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    (work, _) = plan.works
    assert [change.field for change in work.changes] == ["definition", "label"]
    done = converged(more)
    assert plan_pools([more], done).is_empty
    # In which order they stand is no difference, for the registry or for libvirt.
    assert plan_pools([with_monitors(spec, "192.0.2.3", "192.0.2.1", "192.0.2.2")], done).is_empty
    assert plan_pools([Pool(name="one")], done).is_empty


def test_what_else_differs_is_refused_or_defined_anew_as_before() -> None:
    (spec,) = (spec for spec in WANTS if spec.type == "rbd")
    have = converged(spec)
    other = replace(with_monitors(spec, "192.0.2.2"), rbd={**(spec.rbd or {}), "pool": "another"})
    assert "its source is" in plan_pools([other], have).refusals[0].what
    # A hand has changed the user: libvirt would go on with it.
    text = render_registered_pool(registered(spec)).replace('username="pextra"', 'username="admin"')
    by_hand = replace(have.seen["node1"], pools=(SeenPool(parse_pool(text), True, True),))
    have = replace(have, seen={**have.seen, "node1": by_hand})
    assert acts(plan_pools([spec], have)) == ["undefine", "define"]
