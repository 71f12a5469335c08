# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools and images against libvirt's own test driver, in this process.

Each node is a test driver of its own, with a registry in SQLite. The labels are kept in memory: the driver has no
Open vSwitch, and what they say is tested with the planners.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import image_files as _image_cache
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
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
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.resource import ImageResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import Image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.resource import PoolResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import Pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import render_volume

HOST = """<node><cpu><mhz>6000</mhz><model>x86_64</model><active>4</active><nodes>1</nodes><sockets>1</sockets>
<cores>4</cores><threads>1</threads></cpu><memory>8192000</memory>
<pool type='dir'><name>foreign</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<target><path>/srv/foreign</path></target></pool></node>"""
WANT = Pool(name="local", path="/srv/local")
SHA256 = hashlib.sha256(bytes(1024)).hexdigest()


class Labels:
    """A node's labels, in memory. They can be made to fail, some times."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self.writes = 0
        self.failures = 0

    def read(self) -> dict[str, str]:
        return dict(self._labels)

    def write(self, labels: Mapping[str, str | None]) -> None:
        if self.failures:
            self.failures -= 1
            raise SwitchError([Problem("the disk is full")])
        self.writes += 1
        self._labels.update({key: text for key, text in labels.items() if text is not None})
        for key in [key for key, text in labels.items() if text is None]:
            self._labels.pop(key, None)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(_image_cache, "DIRECTORY", str(tmp_path / "images"))
    with Registry(f"sqlite:///{tmp_path}/registry.db", create=True) as registry:
        cluster = new_id("cluster")
        nodes = [Row(new_id("node"), "node", f"node{n}", cluster, {"address": f"10.91.0.1{n}"}) for n in (1, 2)]
        registry.put([Row(cluster, "cluster", "mtl-1"), *nodes])
        with Cloud(registry) as opened:
            labels = {node.name: Labels() for node in nodes}
            monkeypatch.setattr(opened, "labels", labels.__getitem__)
            for node in nodes:
                host = tmp_path / f"{node.name}.xml"
                host.write_text(HOST)
                opened._hypervisors[node.name] = Hypervisor.open(node.name, f"test://{host}")
            yield opened


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


def test_a_pool_comes_and_goes_and_foreign_ones_stay(cloud: Cloud) -> None:
    converge(cloud, PoolResource(), WANT)
    for node in cloud.nodes:
        assert pools_of(cloud, node) == {"foreign": (True, False), "local": (True, True)}
        assert "pextra-pool/local" in cloud.labels(node).read()
    pool_id = cloud.registry.rows("pool")[0].id
    assert raw(cloud, "node1").UUIDString() == uuid_of(pool_id)
    assert {one.attributes["internal_id"] for one in cloud.registry.associations("pool")} == {uuid_of(pool_id)}

    converge(cloud, PoolResource(), replace(WANT, nodes=("node1",)))
    assert "local" not in pools_of(cloud, "node2")
    assert cloud.labels("node2").read() == {}

    converge(cloud, PoolResource(), replace(WANT, state="absent"))
    assert pools_of(cloud, "node1") == {"foreign": (True, False)}
    assert cloud.registry.rows("pool") == []
    assert cloud.registry.associations("pool") == []


@pytest.mark.parametrize("failures", [0, 1])
def test_the_labels_of_a_node_are_written_at_once_and_again_if_that_fails(cloud: Cloud, failures: int) -> None:
    wants = [WANT, replace(WANT, name="second", path="/srv/second"), replace(WANT, name="third", path="/srv/third")]
    resource = PoolResource()
    planned = plan(cloud, resource, wants)
    resource.reserve(cloud, planned)
    labels: Any = cloud.labels("node1")
    labels.failures = failures
    failed = 0
    for work in planned.works:
        try:
            for step in work.steps:
                resource.apply(cloud, work, step)
        except SwitchError:
            failed += 1
    assert (failed, labels.writes) == (failures, 1)
    assert set(labels.read()) == {"pextra-pool/local", "pextra-pool/second", "pextra-pool/third"}
    assert plan(cloud, PoolResource(), wants).is_empty


@pytest.mark.parametrize(
    ("meddle", "acts"),
    [
        (lambda pool: pool.destroy(), ["start"]),
        (lambda pool: (pool.destroy(), pool.undefine()), ["forget", "define"]),
        (lambda pool: pool.setAutostart(0), ["autostart"]),
    ],
)
def test_what_was_changed_by_hand_is_mended(cloud: Cloud, meddle: Any, acts: list[str]) -> None:
    converge(cloud, PoolResource(), WANT)
    meddle(raw(cloud, "node2"))
    mended = converge(cloud, PoolResource(), WANT)
    assert [(work.node, [step.act for step in work.steps]) for work in mended.effective] == [("node2", acts)]
    assert pools_of(cloud, "node2")["local"] == (True, True)


def test_volumes_keep_a_pool_and_copies_of_images_do_not(cloud: Cloud) -> None:
    converge(cloud, PoolResource(), WANT)
    copy, root = f"{new_id('image')}.qcow2", f"web-1.{new_id('instance')}.root.qcow2"
    hypervisor = cloud.hypervisor("node2")
    for volume in (copy, root):
        hypervisor.create_volume("local", render_volume(volume, 4096, "raw"), "test")
    leaving = replace(WANT, nodes=("node1",))
    refused = plan(cloud, PoolResource(), [leaving]).refusals
    assert [problem.node for problem in refused] == ["node2"]
    assert root in refused[0].what
    assert copy not in refused[0].what
    hypervisor.delete_volume("local", root, "test")
    converge(cloud, PoolResource(), leaving)


def test_a_failure_on_a_node_is_kept_with_its_time(cloud: Cloud) -> None:
    """The driver's own refusal: somebody made a pool of that name since we looked."""
    cloud.hypervisor("node2")._connection.storagePoolDefineXML(
        "<pool type='dir'><name>local</name><target><path>/srv/foreign-too</path></target></pool>"
    )
    resource = PoolResource()
    planned = plan(cloud, resource, [WANT])
    assert [problem.node for problem in planned.refusals] == ["node2"]
    resource.reserve(cloud, planned)
    work = next(work for work in planned.works if work.node == "node2")
    with pytest.raises(HypervisorError):
        resource.apply(cloud, work, work.steps[0])
    [stored] = [one for one in cloud.registry.associations("pool") if one.attributes["status"] == "error"]
    assert "already exists" in stored.attributes["error"]
    assert stored.attributes["error_at"] > 0


def test_a_name_stays_taken_until_the_pool_is_gone_everywhere(cloud: Cloud) -> None:
    converge(cloud, PoolResource(), WANT)
    resource = PoolResource()
    planned = plan(cloud, resource, [replace(WANT, state="absent")])
    resource.reserve(cloud, planned)
    with pytest.raises(PextraError, match="stays taken"):
        resource.apply(cloud, planned.last[0], planned.last[0].steps[0])
    assert cloud.registry.rows("pool")[0].attributes["deleting"] is True
    converge(cloud, PoolResource(), replace(WANT, state="absent"))


def test_an_image_is_planned_for_each_node_and_once_where_shared(cloud: Cloud) -> None:
    shared = Pool(name="shared", path="/srv/shared", shared=True)
    converge(cloud, PoolResource(), WANT, shared)
    want = Image(name="tiny", source="https://images.example.com/tiny.qcow2", sha256=SHA256)
    planned = plan(cloud, ImageResource(), [want])
    assert [step.act for step in planned.first[0].steps] == ["fetch", "register"]
    copies = [(work.node, step.data["pool"]) for work in planned.works for step in work.steps]
    assert sorted(copies) == [("node1", "local"), ("node1", "shared"), ("node2", "local")]


def test_a_pool_that_is_stopped_is_named(cloud: Cloud) -> None:
    converge(cloud, PoolResource(), WANT)
    raw(cloud, "node2").destroy()
    planned = plan(cloud, ImageResource(), [Image(name="tiny", source="/srv/tiny.qcow2", sha256=SHA256)])
    assert [(one.node, one.what) for one in planned.failures] == [("node2", "storage pool local is stopped there")]


def test_the_hypervisor_says_what_is_missing(cloud: Cloud) -> None:
    converge(cloud, PoolResource(), WANT)
    with pytest.raises(NotFoundError, match="node1: volume none"):
        cloud.hypervisor("node1").volume_path("local", "none")
    cloud.hypervisor("node1").delete_volume("local", "none", "test")
    cloud.hypervisor("node1").remove_pool("11111111-2222-3333-4444-666666666666", "test")
