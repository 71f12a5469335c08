# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools and images against libvirt's own test driver, in this process.

Each node is a test driver of its own, with a registry in SQLite. The labels are kept in memory: the driver has no
Open vSwitch, and what they say is tested with the planners.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.pools import _definition_of
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import (
    HypervisorError,
    NotFoundError,
    PextraError,
    Problem,
    SwitchError,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.state import Site
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.reading import SeenNode, find_clones
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.resource import ImageResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import Image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.versions import newest_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.resource import PoolResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import Pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import render_volume

WANT = Pool(name="local", path="/srv/local")
SHA256 = hashlib.sha256(bytes(1024)).hexdigest()


def plan(cloud: Cloud, resource: Any, wants: list[Any]) -> Plan:
    options = Options({})
    planned: Plan = resource.plan(wants, resource.read(cloud, wants, options), options)
    return planned


def converge(cloud: Cloud, resource: Any, *wants: Any) -> Plan:
    """Do what the runner does, one after the other, and require that nothing is left."""
    planned = plan(cloud, resource, list(wants))
    assert not planned.refusals
    resource.reserve(cloud, planned)
    for work in planned.all:
        for step in work.steps:
            resource.apply(cloud, work, step)
    assert plan(cloud, resource, list(wants)).is_empty
    return planned


def pools_of(cloud: Cloud, node: str) -> dict[str, tuple[bool, bool]]:
    return {pool.name: (pool.active, pool.autostart) for pool in cloud.hypervisor(node).pools()}


def raw(cloud: Cloud, node: str) -> libvirt.virStoragePool:
    return cloud.hypervisor(node)._connection.storagePoolLookupByName("local")


def test_a_pool_comes_and_goes_and_foreign_ones_stay(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    for node in storage_cloud.nodes:
        assert pools_of(storage_cloud, node) == {"foreign": (True, False), "local": (True, True)}
        assert "pextra-pool/local" in storage_cloud.labels(node).read()
    pool_id = storage_cloud.registry.rows("pool")[0].id
    assert raw(storage_cloud, "node1").UUIDString() == uuid_of(pool_id)
    assert {one.attributes["internal_id"] for one in storage_cloud.registry.associations("pool")} == {uuid_of(pool_id)}

    converge(storage_cloud, PoolResource(), replace(WANT, nodes=("node1",)))
    assert "local" not in pools_of(storage_cloud, "node2")
    assert storage_cloud.labels("node2").read() == {}

    converge(storage_cloud, PoolResource(), replace(WANT, state="absent"))
    assert pools_of(storage_cloud, "node1") == {"foreign": (True, False)}
    assert storage_cloud.registry.rows("pool") == []
    assert storage_cloud.registry.associations("pool") == []


@pytest.mark.parametrize("failures", [0, 1])
def test_the_labels_of_a_node_are_written_at_once_and_again_if_that_fails(storage_cloud: Cloud, failures: int) -> None:
    wants = [WANT, replace(WANT, name="second", path="/srv/second"), replace(WANT, name="third", path="/srv/third")]
    resource = PoolResource()
    planned = plan(storage_cloud, resource, wants)
    resource.reserve(storage_cloud, planned)
    labels: Any = storage_cloud.labels("node1")
    labels.failures = failures
    failed = 0
    for work in planned.works:
        try:
            for step in work.steps:
                resource.apply(storage_cloud, work, step)
        except SwitchError:
            failed += 1
    assert (failed, labels.writes) == (failures, 1)
    assert set(labels.read()) == {"pextra-pool/local", "pextra-pool/second", "pextra-pool/third"}
    assert plan(storage_cloud, PoolResource(), wants).is_empty


@pytest.mark.parametrize(
    ("meddle", "acts"),
    [
        (lambda pool: pool.destroy(), ["start"]),
        (lambda pool: (pool.destroy(), pool.undefine()), ["forget", "define"]),
        (lambda pool: pool.setAutostart(0), ["autostart"]),
    ],
)
def test_what_was_changed_by_hand_is_mended(storage_cloud: Cloud, meddle: Any, acts: list[str]) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    meddle(raw(storage_cloud, "node2"))
    mended = converge(storage_cloud, PoolResource(), WANT)
    assert [(work.node, [step.act for step in work.steps]) for work in mended.effective] == [("node2", acts)]
    assert pools_of(storage_cloud, "node2")["local"] == (True, True)


def test_a_pool_that_is_active_goes_on_when_it_is_defined_again(storage_cloud: Cloud) -> None:
    """So Ceph's pools get other monitors."""
    converge(storage_cloud, PoolResource(), WANT)
    pool = raw(storage_cloud, "node1")
    again = pool.XMLDesc().replace("/srv/local", "/srv/other")
    assert storage_cloud.hypervisor("node1").define_pool(again, "pool local") == pool.UUIDString()
    assert (pool.isActive(), "/srv/local" in pool.XMLDesc()) == (1, True)


@pytest.mark.parametrize(("kind", "active", "expected"), [("rbd", True, 1), ("rbd", False, 0), ("dir", True, 0)])
def test_of_an_active_pool_of_ceph_the_definition_is_read(kind: str, active: bool, expected: int) -> None:
    """The test driver cannot tell it apart; it refuses the flag."""

    class Told:
        def XMLDesc(self, flags: int) -> str:  # libvirt's
            return f"<pool type='{kind}'><name>{flags}</name></pool>"

    assert f"<name>{expected}</name>" in _definition_of(Told(), active)


def test_volumes_keep_a_pool_and_copies_of_images_do_not(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    copy, root = f"{new_id('image')}.qcow2", f"web-1.{new_id('instance')}.root.qcow2"
    hypervisor = storage_cloud.hypervisor("node2")
    for volume in (copy, root):
        hypervisor.create_volume("local", render_volume(volume, 4096, "raw"), "test")
    leaving = replace(WANT, nodes=("node1",))
    refused = plan(storage_cloud, PoolResource(), [leaving]).refusals
    assert [problem.node for problem in refused] == ["node2"]
    assert root in refused[0].what
    assert copy not in refused[0].what
    hypervisor.delete_volume("local", root, "test")
    converge(storage_cloud, PoolResource(), leaving)


def test_a_stopped_pool_is_not_taken_for_empty(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    raw(storage_cloud, "node2").destroy()
    for want in (replace(WANT, nodes=("node1",)), replace(WANT, state="absent")):
        refused = plan(storage_cloud, PoolResource(), [want]).refusals
        assert [(problem.node, problem.what[:20]) for problem in refused] == [("node2", "it is stopped there,")]
    raw(storage_cloud, "node2").create()
    converge(storage_cloud, PoolResource(), replace(WANT, state="absent"))


def test_a_registered_volume_keeps_its_pool(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    (pool,) = storage_cloud.registry.rows("pool")
    node = next(row for row in storage_cloud.registry.rows("node") if row.name == "node2")
    data = Row(new_id("volume"), "volume", "data", pool.scope, {"pool": pool.id, "node": node.id, "format": "raw"})
    storage_cloud.registry.put([data])
    for want in (replace(WANT, nodes=("node1",)), replace(WANT, state="absent")):
        refused = plan(storage_cloud, PoolResource(), [want]).refusals
        assert [(problem.node, "not seen now: data" in problem.what) for problem in refused] == [("node2", True)]


def test_one_pool_that_cannot_be_read_keeps_nothing_else_from_it(
    storage_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = replace(WANT, name="second", path="/srv/second")
    converge(storage_cloud, PoolResource(), WANT, second)

    def refresh(self: Hypervisor, pool: str) -> None:
        if pool == "local":
            raise HypervisorError([Problem("Input/output error", "", self.node, f"pool {pool}")])

    monkeypatch.setattr(Hypervisor, "refresh_pool", refresh)
    gone = [replace(WANT, state="absent"), replace(second, state="absent")]
    refused = plan(storage_cloud, PoolResource(), gone).refusals
    assert {(problem.node, problem.resource) for problem in refused} == {
        (node, "pool local") for node in storage_cloud.nodes
    }
    assert all("Input/output error" in problem.what for problem in refused)
    assert storage_cloud.unreachable == {}
    converge(storage_cloud, PoolResource(), gone[1])


def test_a_failure_on_a_node_is_kept_with_its_time(storage_cloud: Cloud) -> None:
    """The driver's own refusal: somebody made a pool of that name since we looked."""
    storage_cloud.hypervisor("node2")._connection.storagePoolDefineXML(
        "<pool type='dir'><name>local</name><target><path>/srv/foreign-too</path></target></pool>"
    )
    resource = PoolResource()
    planned = plan(storage_cloud, resource, [WANT])
    assert [problem.node for problem in planned.refusals] == ["node2"]
    resource.reserve(storage_cloud, planned)
    work = next(work for work in planned.works if work.node == "node2")
    with pytest.raises(HypervisorError):
        resource.apply(storage_cloud, work, work.steps[0])
    [stored] = [one for one in storage_cloud.registry.associations("pool") if one.attributes["status"] == "error"]
    assert "already exists" in stored.attributes["error"]
    assert stored.attributes["error_at"] > 0


def test_a_name_stays_taken_until_the_pool_is_gone_everywhere(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    resource = PoolResource()
    planned = plan(storage_cloud, resource, [replace(WANT, state="absent")])
    resource.reserve(storage_cloud, planned)
    with pytest.raises(PextraError, match="stays taken"):
        resource.apply(storage_cloud, planned.last[0], planned.last[0].steps[0])
    assert storage_cloud.registry.rows("pool")[0].attributes["deleting"] is True
    converge(storage_cloud, PoolResource(), replace(WANT, state="absent"))


def test_an_image_is_planned_for_each_node_and_once_where_shared(storage_cloud: Cloud) -> None:
    shared = Pool(name="shared", path="/srv/shared", shared=True)
    converge(storage_cloud, PoolResource(), WANT, shared)
    want = Image(name="tiny", source="https://images.example.com/tiny.qcow2", sha256=SHA256)
    planned = plan(storage_cloud, ImageResource(), [want])
    assert [step.act for step in planned.first[0].steps] == ["fetch", "register"]
    copies = [(work.node, step.data["pool"]) for work in planned.works for step in work.steps]
    assert sorted(copies) == [("node1", "local"), ("node1", "shared"), ("node2", "local")]


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "aarch64"},
        {"description": "small"},
        {"retention": 2},
        {"protected": True},
        {"pools": ("empty",)},
        {"architecture": "x86_64", "description": "small", "retention": 1, "protected": True},
    ],
    ids="+".join,
)
def test_whatever_is_changed_of_an_image_is_registered(storage_cloud: Cloud, change: dict[str, Any]) -> None:
    converge(storage_cloud, PoolResource(), replace(WANT, name="empty", nodes=()))
    (pool,) = storage_cloud.registry.rows("pool")
    content = {"sha256": SHA256, "format": "qcow2", "virtual_size": 4096, "size": 1024, "number": 1}
    row = Row(new_id("image"), "image", "tiny", pool.scope, {**content, "copies": [], "pools": []})
    storage_cloud.registry.put([row])
    converge(storage_cloud, ImageResource(), Image(name="tiny", **change))
    (after,) = storage_cloud.registry.rows("image")
    expected = change | ({"pools": [pool.id]} if "pools" in change else {})
    assert {key: after.attributes[key] for key in change} == expected
    assert {key: after.attributes[key] for key in content} == content


@pytest.mark.parametrize("call", ["volume_names", "backing_paths"])
def test_a_pool_that_cannot_be_listed_fails_alone_for_images(
    storage_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    converge(storage_cloud, PoolResource(), WANT, replace(WANT, name="second", path="/srv/second"))
    list_ = getattr(Hypervisor, call)

    def fail(self: Hypervisor, pool: str) -> Any:
        if (self.node, pool) == ("node2", "local"):
            raise HypervisorError([Problem("Input/output error", "", self.node, f"pool {pool}")])
        return list_(self, pool)

    monkeypatch.setattr(Hypervisor, call, fail)
    pools = {row.name: row for row in storage_cloud.registry.rows("pool")}
    keys = [f"{row.id}/{node.id}" for row in pools.values() for node in storage_cloud.registry.rows("node")]
    content = {"sha256": SHA256, "format": "qcow2", "virtual_size": 4096, "size": 1024, "number": 1, "copies": keys}
    storage_cloud.registry.put([Row(new_id("image"), "image", "tiny", pools["local"].scope, content)])
    have = ImageResource().read(storage_cloud, [], Options({}))
    assert have.unusable == {("node2", pools["local"].id): "Input/output error"}
    assert set(have.volumes) == {
        ("node1", pools["local"].id),
        ("node1", pools["second"].id),
        ("node2", pools["second"].id),
    }
    assert not have.down


def test_what_hangs_on_an_image_in_a_silent_ceph_stays_unknown() -> None:
    """The rest is read all the same."""
    pool = Row(new_id("pool"), "pool", "vms", "cls-x", {"type": "rbd", "shared": True})
    other = replace(pool, id=new_id("pool"), name="local", attributes={"type": "directory", "shared": True})
    node = Row(new_id("node"), "node", "node1", "cls-x")
    version = newest_of(
        Row(new_id("image"), "image", "tiny", "cls-x", {"sha256": SHA256, "format": "raw", "copies": []})
    )
    seen = SeenNode()
    seen.volumes = {one.id: frozenset({version.volume_in(one)}) for one in (pool, other)}

    class Silent:
        def ceph_pool(self, _: Row) -> Any:
            raise PextraError("Ceph does not answer")

    cloud: Any = Silent()
    sites = [Site(one, None, (node,)) for one in (pool, other)]
    assert find_clones(cloud, [version], sites, {"node1": seen}) == []
    assert (set(seen.volumes), seen.unusable) == ({other.id}, {pool.id: "Ceph does not answer"})


def test_a_pool_that_is_stopped_is_named(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    raw(storage_cloud, "node2").destroy()
    planned = plan(storage_cloud, ImageResource(), [Image(name="tiny", source="/srv/tiny.qcow2", sha256=SHA256)])
    assert [(one.node, one.what) for one in planned.failures] == [("node2", "storage pool local is stopped there")]


def test_the_hypervisor_says_what_is_missing(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    with pytest.raises(NotFoundError, match="node1: volume none"):
        storage_cloud.hypervisor("node1").volume_path("local", "none")
    storage_cloud.hypervisor("node1").delete_volume("local", "none", "test")
    storage_cloud.hypervisor("node1").remove_pool("11111111-2222-3333-4444-666666666666", "test")
