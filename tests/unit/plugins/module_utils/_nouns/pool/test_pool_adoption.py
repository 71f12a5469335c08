# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools that libvirt had before: (what is declared, what is there) and the plan."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.definition import parse_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.adoption import describe_strangers
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.labels import pools_from_labels
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.planning import plan_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.state import PoolHave, SeenNode, SeenPool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.targets import find_concerned
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import Pool, parse_pool_spec

CLUSTER = Row(new_id("cluster"), "cluster", "mtl-1")
NODES = tuple(Row(new_id("node"), "node", f"node{n}", CLUSTER.id, {"address": f"10.91.0.1{n}"}) for n in (1, 2, 3))
UUIDS = [f"0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1a0{n}" for n in range(4)]
PATH = "/var/lib/libvirt/images"
WANT = Pool(name="images", adopt=True)
NFS = (
    "<source><host name='nfs.example.com'/><dir path='/export/vms'/><format type='{}'/></source>"
    "<target><path>/srv/vms</path></target>"
)


def xml(body: str = f"<target><path>{PATH}</path></target>", *, kind: str = "dir", node: int = 1) -> str:
    return f"<pool type='{kind}'><name>images</name><uuid>{UUIDS[node]}</uuid>{body}</pool>"


def foreign(text: str, **changes: Any) -> SeenPool:
    return SeenPool(parse_pool(text), True, True, 100, 40, 60, True, text)._replace(**changes)


def cluster(*on: int, **changes: Any) -> PoolHave:
    """Return a cluster of which these nodes have a foreign pool `images`, each with its own UUID."""
    seen = {
        node.name: SeenNode((foreign(xml(node=number), **changes),) if number in on else ())
        for number, node in enumerate(NODES, 1)
    }
    return PoolHave((CLUSTER,), NODES, (), (), seen)


def with_pools(have: PoolHave, node: str, *pools: SeenPool) -> PoolHave:
    return replace(have, seen={**have.seen, node: replace(have.seen[node], pools=pools)})


def summary(plan: Plan) -> dict[str, list[str]]:
    return {work.label: [step.act for step in work.steps] for work in plan.effective}


def what(plan: Plan) -> str:
    return "\n".join(str(problem) for problem in (*plan.refusals, *plan.failures))


def carry_out(plan: Plan, have: PoolHave) -> PoolHave:
    """Return what there is once a plan is done, as the resource does it."""
    assert not plan.refusals, what(plan)
    rows = {row.id: row for row in have.pools}
    found = {(one.resource, one.node): one for one in have.associations}
    seen = dict(have.seen)
    for work in plan.effective:
        for step in work.steps:
            node = seen.get(work.node or "")
            if step.act == "register":
                rows[step.data["row"].id] = step.data["row"]
                found |= {(one.resource, one.node): one for one in step.data["associations"]}
            elif step.act in ("record", "start", "define"):
                one: AssociationRow = step.data["association"]
                known = {"internal_id": step.data["uuid"], "status": "available", "error": None}
                found[one.resource, one.node] = replace(one, attributes={**one.attributes, **known})
            if node is None:
                continue
            if step.act == "define":
                text = step.data["xml"]
                seen[work.node or ""] = replace(node, pools=(*node.pools, foreign(text)))
            elif step.act == "label":
                kept = {key: one for key, one in {**node.labels, **step.data["labels"]}.items() if one is not None}
                seen[work.node or ""] = replace(node, labels=kept)
            elif step.act in ("start", "autostart"):
                pools = [
                    one._replace(**{"active" if step.act == "start" else "autostart": True})
                    if one.definition.uuid == step.data["uuid"]
                    else one
                    for one in node.pools
                ]
                seen[work.node or ""] = replace(node, pools=tuple(pools))
            elif step.act == "dissociate":
                del found[step.data["association"].resource, step.data["association"].node]
            elif step.act == "remove":
                raise AssertionError("an adopted pool would be undefined")
    if any(step.act == "deregister" for work in plan.last for step in work.steps):
        rows.clear()
    return replace(have, pools=tuple(rows.values()), associations=tuple(found.values()), seen=seen)


def test_it_is_taken_as_it_is_on_the_nodes_that_have_it() -> None:
    have = cluster(1, 3)
    assert find_concerned([WANT], replace(have, seen={})) == ["node1", "node2", "node3"]
    plan = plan_pools([WANT], have)
    taking = ["record", "label"]
    assert summary(plan) == {
        "pool images": ["register"],
        "pool images on node1": taking,
        "pool images on node3": taking,
    }
    assert [(one.field, one.before, one.after) for one in plan.works[0].changes] == [("adopted", "no", "yes")]
    done = carry_out(plan, have)
    (row,) = done.pools
    assert (row.attributes["type"], row.attributes["path"], row.attributes["shared"]) == ("directory", PATH, False)
    # Each node keeps the UUID that it had, and its label says which.
    labels = [json.loads(done.seen[name].labels["pextra-pool/images"]) for name in ("node1", "node3")]
    assert [(one["id"], one["uuid"]) for one in labels] == [(row.id, UUIDS[1]), (row.id, UUIDS[3])]
    assert [one.attributes["internal_id"] for one in done.associations] == [UUIDS[1], UUIDS[3]]
    for want in (WANT, Pool(name="images"), replace(WANT, path=PATH, nodes=("node1", "node3"))):
        again = plan_pools([want], done)
        assert (again.is_empty, again.failures) == (True, ()), summary(again)


def test_a_lost_registry_finds_it_again() -> None:
    done = carry_out(plan_pools([WANT], cluster(2)), cluster(2))
    rows, associations = pools_from_labels(done.seen["node2"].labels, node_id=NODES[1].id, cluster_id=CLUSTER.id)
    assert [row.id for row in rows] == [row.id for row in done.pools]
    assert "uuid" not in rows[0].attributes
    assert associations[0].attributes["internal_id"] == UUIDS[2]
    assert plan_pools([WANT], replace(done, pools=tuple(rows), associations=tuple(associations))).is_empty


def test_one_that_is_stopped_is_started_and_starts_with_its_node() -> None:
    have = cluster(1, active=False, autostart=False)
    plan = plan_pools([WANT], have)
    assert summary(plan)["pool images on node1"] == ["record", "start", "autostart", "label"]
    assert plan_pools([WANT], carry_out(plan, have)).is_empty


def test_a_node_that_is_named_and_has_none_gets_one_of_its_own() -> None:
    have = cluster(1)
    plan = plan_pools([replace(WANT, nodes=("node1", "node2"))], have)
    assert summary(plan)["pool images on node2"] == ["define", "label"]
    done = carry_out(plan, have)
    assert "uuid" not in json.loads(done.seen["node2"].labels["pextra-pool/images"])
    assert uuid_of(done.pools[0].id) in plan.works[1].steps[0].data["xml"]


def test_a_node_that_answers_later_is_taken_then() -> None:
    have = cluster(1, 2)
    down = replace(have, seen={"node1": have.seen["node1"]}, down={"node2": Problem("it is off", node="node2")})
    plan = plan_pools([WANT], replace(down, nodes=NODES[:2]))
    assert [(one.node, one.what) for one in plan.failures] == [("node2", "it is off")]
    done = carry_out(plan, down)
    later = replace(done, seen={**done.seen, "node2": have.seen["node2"], "node3": SeenNode()}, down={})
    assert summary(plan_pools([WANT], later)) == {
        "pool images": ["register"],
        "pool images on node2": ["record", "label"],
    }


def test_a_run_killed_before_the_label_is_gone_on_with() -> None:
    have = cluster(1)
    plan = plan_pools([WANT], have)
    registered = carry_out(Plan(first=plan.first), have)
    assert summary(plan_pools([WANT], registered)) == {"pool images on node1": ["record", "label"]}


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (replace(WANT, path="/srv/other"), f"path is {PATH}, declared /srv/other"),
        (replace(WANT, type="lvm"), "type is directory, declared lvm"),
        (replace(WANT, adopt=None), "With adopt: true it becomes this one as it is"),
        (Pool(name="other", adopt=True), "there is no storage pool of this name to adopt"),
        (replace(WANT, nodes=("node3",)), "there is no storage pool of this name to adopt"),
        (replace(WANT, nodes=("nod1",)), 'Did you mean "node1"?'),
        (Pool(name="fast", path=f"{PATH}/fast"), "in the way of libvirt's storage pool images"),
    ],
)
def test_what_is_said_otherwise_is_refused(want: Pool, said: str) -> None:
    plan = plan_pools([want], cluster(1))
    assert plan.refusals
    assert said in what(plan)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (foreign(xml(), persistent=False), "virsh pool-dumpxml images > f"),
        (foreign(xml("<target><path>/etc/libvirt</path></target>")), "belongs to the system"),
        (
            foreign(xml("<source><device path='/dev/sdz1'/></source><target><path>/srv/z</path></target>", kind="fs")),
            "fs",
        ),
        (
            foreign(
                xml(
                    "<source><host name='192.0.2.1'/><name>vms</name><auth type='ceph' username='x'>"
                    f"<secret uuid='{UUIDS[0]}'/></auth></source>",
                    kind="rbd",
                )
            ),
            "secret are not the cloud's",
        ),
    ],
    ids=["transient", "of the system", "of another type", "with a secret"],
)
def test_what_cannot_be_adopted_is_told(pool: SeenPool, said: str) -> None:
    have = with_pools(cluster(1), "node1", pool)
    assert said in what(plan_pools([WANT], have))
    (told,) = describe_strangers(have)
    assert told["element"] is None
    assert said in str(told["remarks"])


def test_two_that_differ_are_not_one() -> None:
    have = with_pools(cluster(1), "node2", foreign(xml("<target><path>/srv/vms</path></target>", node=2)))
    assert f"node2: pool images: it is not as declared: path is /srv/vms, declared {PATH}" in what(
        plan_pools([WANT], have)
    )
    assert [one["element"]["nodes"] for one in describe_strangers(have)] == [["node1"], ["node2"]]


def test_another_pool_of_libvirt_in_its_directory_is_in_the_way() -> None:
    other = foreign(
        f"<pool type='dir'><name>iso</name><uuid>{UUIDS[0]}</uuid><target><path>{PATH}/iso</path></target></pool>"
    )
    have = with_pools(cluster(1), "node1", foreign(xml()), other)
    assert "in the way of libvirt's storage pool iso" in what(plan_pools([WANT], have))


@pytest.mark.parametrize(
    ("kind", "body", "declared"),
    [
        ("dir", f"<target><path>{PATH}/</path></target>", {"type": "directory", "path": f"{PATH}/"}),
        (
            "netfs",
            NFS.format("nfs"),
            {
                "type": "netfs",
                "path": "/srv/vms",
                "netfs": {"host": "nfs.example.com", "export": "/export/vms", "format": "nfs"},
            },
        ),
        (
            "logical",
            "<source><device path='/dev/sdz'/><name>images</name><format type='lvm2'/></source>"
            "<target><path>/dev/images</path></target>",
            {"type": "lvm"},
        ),
        ("zfs", "<source><name>images</name></source><target><path>/dev/zvol/images</path></target>", {"type": "zfs"}),
        (
            "iscsi",
            "<source><host name='192.0.2.9' port='3260'/><device path='iqn.2026-01.com.example:one'/></source>"
            "<target><path>/dev/disk/by-path</path></target>",
            {"type": "iscsi", "iscsi": {"host": "192.0.2.9", "port": 3260, "target": "iqn.2026-01.com.example:one"}},
        ),
        (
            "iscsi",
            "<source><host name='192.0.2.9'/><device path='iqn.2026-01.com.example:one'/></source>"
            "<target><path>/dev/disk/by-path</path></target>",
            {"type": "iscsi", "iscsi": {"host": "192.0.2.9", "port": 3260, "target": "iqn.2026-01.com.example:one"}},
        ),
    ],
    ids=["directory", "netfs", "lvm", "zfs", "iscsi", "iscsi without a port"],
)
def test_each_type_can_be_declared_as_it_is(kind: str, body: str, declared: dict[str, Any]) -> None:
    if kind == "dir":
        body, declared = body.replace(f"{PATH}/", PATH), {**declared, "path": PATH}
    have = with_pools(cluster(1), "node1", foreign(xml(body, kind=kind)))
    (told,) = describe_strangers(have)
    assert told["remarks"] == []
    assert told["element"] == {"name": "images", "cluster": "mtl-1", "adopt": True, "nodes": ["node1"], **declared}
    want, mistakes = parse_pool_spec(told["element"], "")
    assert want is not None, mistakes
    for one in (want, WANT):
        plan = plan_pools([one], have)
        done = carry_out(plan, have)
        assert summary(plan)["pool images on node1"] == ["record", "label"]
        assert plan_pools([one], done).is_empty
        assert describe_strangers(done) == []


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (
            "logical",
            "<source><name>vg7</name></source><target><path>/dev/vg7</path></target>",
            "its source is vg7, and",
        ),
        ("zfs", "<source><name>tank/vms</name></source><target><path>/dev/zvol/x</path></target>", "is tank/vms, and"),
        (
            "netfs",
            NFS.format("nfs")
            + "<fs:mount_opts xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><fs:option name='nolock'/>"
            "</fs:mount_opts>",
            "/export/vms nfs with nolock, and one of ours of its type has nfs.example.com /export/vms nfs",
        ),
        ("rbd", "<source><name>vms</name><host name='192.0.2.1'/></source>", "it is of Ceph"),
        (
            "scsi",
            "<source><adapter name='host1'/></source><target><path>/dev</path></target>",
            "(scsi) is none of ours",
        ),
        (
            "iscsi",
            "<source><host name='192.0.2.9'/><device path='iqn.2026-01.com.example:one'/><auth type='chap' "
            "username='u'><secret usage='x'/></auth></source><target><path>/dev/disk/by-path</path></target>",
            "it logs in with a secret",
        ),
    ],
    ids=["lvm of another name", "zfs of another name", "nfs with options", "ceph", "of no type of ours", "chap"],
)
def test_what_no_element_declares_is_told_and_refused_alike(kind: str, body: str, said: str) -> None:
    have = with_pools(cluster(1), "node1", foreign(xml(body, kind=kind)))
    (told,) = describe_strangers(have)
    assert told["element"] is None
    refused = what(plan_pools([WANT], have))
    for text in (str(told["remarks"]), refused):
        assert said in text
        assert "guest" in text
        assert "foreign: true" not in text


def test_nfs_that_is_mounted_otherwise_is_not_as_declared() -> None:
    have = with_pools(cluster(1), "node1", foreign(xml(NFS.format("auto"), kind="netfs")))
    (told,) = describe_strangers(have)
    assert told["element"] is None
    assert "netfs.format" in str(told["remarks"])


def test_it_is_given_back_by_its_label() -> None:
    done = carry_out(plan_pools([WANT], cluster(1)), cluster(1))
    back = replace(done, seen={**done.seen, "node1": replace(done.seen["node1"], labels={})})
    # Whoever still declares it without adopting it is told; nothing is touched.
    assert "which is not ours" in what(plan_pools([Pool(name="images")], back))
    assert summary(plan_pools([WANT], back)) == {"pool images on node1": ["record", "label"]}
    plan = plan_pools([replace(WANT, state="absent")], back)
    works = [*plan.first, *plan.works, *plan.last]
    assert [step.act for work in works for step in work.steps] == ["register", "dissociate", "deregister"]
    assert carry_out(plan, back).pools == ()


@pytest.mark.parametrize(
    "label", ["", "null", "[]", '{"id": 1}', '{"id": "ID", "uuid": "x"}', '{"id": "ID", "uuid": 7}', "{"]
)
def test_a_label_that_says_nonsense_makes_nothing_ours(label: str) -> None:
    done = carry_out(plan_pools([WANT], cluster(1)), cluster(1))
    text = label.replace("ID", done.pools[0].id)
    nonsense = replace(done.seen["node1"], labels={"pextra-pool/images": text})
    back = replace(done, seen={**done.seen, "node1": nonsense})
    assert plan_pools([Pool(name="images")], back).refusals


def test_of_a_lost_registry_it_is_not_adopted_anew() -> None:
    done = carry_out(plan_pools([WANT], cluster(1)), cluster(1))
    lost = replace(done, pools=(), associations=())
    assert "rebuild it first (pextra_registry)" in what(plan_pools([WANT], lost))
    (told,) = describe_strangers(lost)
    assert told["element"] is None


def test_its_label_goes_when_libvirts_pool_is_gone() -> None:
    """So that a run that was killed in between still knows it."""
    done = carry_out(plan_pools([WANT], cluster(1)), cluster(1))
    done = replace(done, seen={"node1": replace(done.seen["node1"], volumes={"images": frozenset()})})
    (work,) = plan_pools([Pool(name="images", state="absent")], done).works
    assert [step.act for step in work.steps] == ["remove"]
    data = work.steps[0].data
    assert (data["uuid"], data["label"]) == (UUIDS[1], {"pextra-pool/images": None})
    killed = with_pools(done, "node1")
    (work,) = plan_pools([Pool(name="images", state="absent")], killed).works
    assert [(step.act, step.data["label"]) for step in work.steps] == [("dissociate", {"pextra-pool/images": None})]
