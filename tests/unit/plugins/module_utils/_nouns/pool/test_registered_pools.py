# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools as the registry has them: they are wanted as they were declared, and one that is refused stops no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.definition import PoolDefinition, parse_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.labels import labels_of_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.planning import plan_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.presence import render_registered_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.state import PoolHave, SeenNode, SeenPool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.registered import (
    plan_registered,
    wants_of_registry,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import parse_pool_spec

CLUSTER = Row(new_id("cluster"), "cluster", "mtl-1")
NODES = tuple(Row(new_id("node"), "node", f"node{n}", CLUSTER.id, {"address": f"10.91.0.1{n}"}) for n in (1, 2))
DECLARED: list[dict[str, Any]] = [
    {"name": "local"},
    {"name": "shared", "path": "/srv/shared", "shared": True, "nodes": ["node2"]},
    {"name": "nfs", "type": "netfs", "netfs": {"host": "192.0.2.9", "export": "/export"}},
    {
        "name": "smb",
        "type": "netfs",
        "netfs": {
            "host": "192.0.2.9",
            "export": "vms",
            "format": "cifs",
            "username": "vms",
            "password": "another-secret",
        },
    },
    {
        "name": "san",
        "type": "iscsi",
        "iscsi": {
            "host": "192.0.2.9",
            "target": "iqn.2026-01.com.example:a",
            "username": "pextra",
            "password": "twelve-chars",
        },
    },
    {
        "name": "ceph",
        "type": "rbd",
        "rbd": {"monitors": ["192.0.2.1"], "key": "QVFBZ2V4YW1wbGVrZXlleGFtcGxla2V5ZXhhbX=="},
    },
    {"name": "tank", "type": "zfs", "nodes": []},
    {"name": "vg0", "type": "lvm"},
]


def registered() -> PoolHave:
    """What is in the registry, and not yet on the nodes, after all of them were declared."""
    wants = [spec for raw in DECLARED if (spec := parse_pool_spec(raw, "")[0]) is not None]
    assert len(wants) == len(DECLARED)
    empty = PoolHave((CLUSTER,), NODES, (), (), {node.name: SeenNode() for node in NODES})
    works = plan_pools(wants, empty).first
    steps = [step for work in works for step in work.steps if step.act == "register"]
    return replace(
        empty,
        pools=tuple(step.data["row"] for step in steps),
        associations=tuple(one for step in steps for one in step.data["associations"]),
    )


def wants_of(have: PoolHave) -> list[Any]:
    return wants_of_registry(have.pools, have.associations, have.nodes)


def converged() -> PoolHave:
    have = registered()
    pools = {row.id: row for row in have.pools}
    seen = {}
    for node in NODES:
        mine = [pools[one.resource] for one in have.associations if one.node == node.id]
        labels: dict[str, str] = {}
        for row in mine:
            labels |= labels_of_pool(row.name, row.id, row.attributes)
        definitions = tuple(SeenPool(parse_pool(render_registered_pool(row)), True, True) for row in mine)
        seen[node.name] = SeenNode(definitions, labels)
    known = {"status": "available", "error": None}
    associations = tuple(
        replace(one, attributes={**one.attributes, **known, "internal_id": uuid_of(one.resource)})
        for one in have.associations
    )
    return replace(have, seen=seen, associations=associations)


def test_everything_registered_is_wanted_on_its_nodes() -> None:
    have = registered()
    plan = plan_registered(wants_of(have), have)
    assert not plan.refusals
    assert plan.first == ()  # nothing about what is registered is to change
    defined = {(work.name, work.node) for work in plan.works if any(step.act == "define" for step in work.steps)}
    both = {(name, node.name) for name in ("local", "nfs", "smb", "san", "ceph", "vg0") for node in NODES}
    assert defined == both | {("shared", "node2")}
    # A credential is not registered: what the nodes keep of it is neither changed nor removed.
    assert not [step for work in plan.all for step in work.steps if step.act == "secret"]


def test_a_converged_registry_needs_nothing() -> None:
    have = converged()
    assert plan_registered(wants_of(have), have).is_empty


@pytest.mark.parametrize("name", [raw["name"] for raw in DECLARED if raw.get("nodes") != []])
def test_a_pool_that_was_undefined_by_hand_comes_back(name: str) -> None:
    have = converged()
    node = have.seen["node2"]
    rest = tuple(pool for pool in node.pools if pool.definition.name != name)
    have = replace(have, seen={**have.seen, "node2": replace(node, pools=rest)})
    (work,) = plan_registered(wants_of(have), have).effective
    assert (work.name, work.node) == (name, "node2")
    assert [step.act for step in work.steps] == ["forget", "define"]


def test_a_pool_marked_for_destruction_goes_on() -> None:
    have = converged()
    (row,) = [row for row in have.pools if row.name == "local"]
    gone = replace(row, attributes={**row.attributes, "deleting": True})
    have = replace(
        have,
        pools=tuple(gone if one is row else one for one in have.pools),
        associations=tuple(
            replace(one, attributes={**one.attributes, "enabled": False}) if one.resource == row.id else one
            for one in have.associations
        ),
    )
    plan = plan_registered(wants_of(have), have)
    assert [(work.name, work.node) for work in plan.effective] == [
        ("local", "node1"),
        ("local", "node2"),
        ("local", None),
    ]


def test_one_that_is_refused_stops_no_other() -> None:
    """A pool of somebody else's has taken the name on one node: that is told and noted, and the rest goes on."""
    have = registered()
    foreign = SeenPool(PoolDefinition("local", "11111111-2222-3333-4444-555555555555", "dir", "/srv/else"), True, True)
    have = replace(have, seen={**have.seen, "node1": SeenNode((foreign,))})
    plan = plan_registered(wants_of(have), have)
    assert plan.refusals == ()
    (problem,) = plan.failures
    assert (problem.node, problem.resource) == ("node1", "pool local")
    defined = {work.name for work in plan.works if any(step.act == "define" for step in work.steps)}
    assert defined == {"shared", "nfs", "smb", "san", "ceph", "vg0"}
    (record,) = [work for work in plan.works if work.name == "local"]
    assert [(step.act, step.data["reason"]) for step in record.steps] == [("fail", problem.what)]

    noted = tuple(
        replace(one, attributes={**one.attributes, "error": problem.what})
        if (one.resource, one.node) == (record.id, NODES[0].id)
        else one
        for one in have.associations
    )
    have = replace(have, associations=noted)
    assert not [work for work in plan_registered(wants_of(have), have).works if work.name == "local"]


def test_a_node_that_has_left_is_not_wanted() -> None:
    have = registered()
    stray = AssociationRow(have.pools[0].id, new_id("node"), {"enabled": True})
    for want in wants_of(replace(have, associations=(*have.associations, stray))):
        assert stray.node not in want.nodes


def test_what_is_refused_in_one_cluster_stops_nothing_in_another() -> None:
    """A pool of the same name."""
    have = converged()
    other = Row(new_id("cluster"), "cluster", "mtl-2")
    node = Row(new_id("node"), "node", "node9", other.id, {"address": "10.91.0.19"})
    (local,) = [row for row in have.pools if row.name == "local"]
    twin = replace(local, id=new_id("pool"), scope=other.id)
    enabled = AssociationRow(twin.id, node.id, {"internal_id": None, "enabled": True, "status": "propagating"})
    blocked = {name: _with_stranger(seen) for name, seen in have.seen.items()}
    have = replace(
        have,
        clusters=(*have.clusters, other),
        nodes=(*have.nodes, node),
        pools=(*have.pools, twin),
        associations=(*have.associations, enabled),
        seen={**blocked, "node9": SeenNode()},
    )
    plan = plan_registered(wants_of(have), have)
    assert {problem.node for problem in plan.failures} == {"node1", "node2"}
    works = {work.node: [step.act for step in work.steps] for work in plan.works if work.name == "local" and work.steps}
    assert works == {"node1": ["fail"], "node2": ["fail"], "node9": ["define", "label"]}
    # What is refused of a pool as a whole is noted on its own nodes.
    moved = replace(local, attributes={**local.attributes, "path": "/srv/shared"})
    plan = plan_registered(
        wants_of(have), replace(have, pools=tuple(moved if one == local else one for one in have.pools))
    )
    assert any(problem.node is None for problem in plan.failures)
    assert {work.node: [step.act for step in work.steps] for work in plan.works if work.id == twin.id} == {
        "node9": ["define", "label"]
    }


def _with_stranger(node: SeenNode) -> SeenNode:
    """Return the node with somebody else's pool in the place of local."""
    rest = tuple(pool for pool in node.pools if pool.definition.name != "local")
    stranger = PoolDefinition("local", "11111111-2222-3333-4444-555555555555", "dir", "/srv/elsewhere")
    return replace(node, pools=(*rest, SeenPool(stranger, True, True)))


def test_two_that_are_in_one_anothers_way_stop_no_other() -> None:
    """The registry may hold such from an older version."""
    have = registered()
    moved = tuple(
        replace(row, attributes={**row.attributes, "path": "/srv/shared/in"}) if row.name == "local" else row
        for row in have.pools
    )
    have = replace(have, pools=moved)
    plan = plan_registered(wants_of(have), have)
    assert {problem.resource for problem in plan.failures} == {"pool local", "pool shared"}
    defined = {work.name for work in plan.works if any(step.act == "define" for step in work.steps)}
    assert defined == {"nfs", "smb", "san", "ceph", "vg0"}
