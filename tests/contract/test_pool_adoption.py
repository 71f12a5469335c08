# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools that libvirt had before become ours as they are, on the test driver and a registry in SQLite."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.resource import ImageResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import Image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.resource import PoolResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import Pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import render_volume

from .test_storage import SHA256, converge, plan, pools_of

UUID = "11111111-2222-3333-4444-555555555555"
# As HOST of that module has it, on both nodes.
WANT = Pool(name="foreign", adopt=True)


def raw(cloud: Cloud, node: str) -> Any:
    return cloud.hypervisor(node)._connection.storagePoolLookupByName("foreign")


def foreign(cloud: Cloud) -> list[dict[str, Any]]:
    resource = PoolResource()
    return resource.describe_further(resource.read(cloud, (), Options({"foreign": True})))["foreign"]


def test_it_is_taken_as_it_is_with_what_is_in_it(storage_cloud: Cloud) -> None:
    hypervisor = storage_cloud.hypervisor("node1")
    hypervisor.create_volume("foreign", render_volume("old.qcow2", 4096, "raw"), "test")
    texts = {node: raw(storage_cloud, node).XMLDesc() for node in storage_cloud.nodes}
    (told,) = foreign(storage_cloud)
    assert [(one["name"], one["uuid"], one["autostart"]) for one in told["nodes"]] == [
        ("node1", UUID, False),
        ("node2", UUID, False),
    ]
    assert told["element"] == {
        "name": "foreign",
        "cluster": "mtl-1",
        "adopt": True,
        "nodes": ["node1", "node2"],
        "type": "directory",
        "path": "/srv/foreign",
    }
    # Without adopting it nothing is touched.
    assert all(
        "which is not ours" in one.what for one in plan(storage_cloud, PoolResource(), [Pool(name="foreign")]).refusals
    )

    taken = converge(storage_cloud, PoolResource(), WANT)
    acts = [(work.node, [step.act for step in work.steps]) for work in taken.works]
    assert acts == [("node1", ["record", "autostart", "label"]), ("node2", ["record", "autostart", "label"])]
    for node in storage_cloud.nodes:
        assert pools_of(storage_cloud, node) == {"foreign": (True, True)}
        assert raw(storage_cloud, node).XMLDesc() == texts[node]
        assert json.loads(storage_cloud.labels(node).read()["pextra-pool/foreign"])["uuid"] == UUID
    assert {one.attributes["internal_id"] for one in storage_cloud.registry.associations("pool")} == {UUID}
    assert hypervisor.volume_names("foreign") == {"old.qcow2"}
    assert foreign(storage_cloud) == []
    assert plan(storage_cloud, PoolResource(), [Pool(name="foreign"), Pool(name="other")]).refusals == ()
    assert converge(storage_cloud, PoolResource(), replace(WANT, description="Old")).effective
    assert raw(storage_cloud, "node1").XMLDesc() == texts["node1"]


def test_from_then_on_it_is_any_other(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    planned = plan(storage_cloud, ImageResource(), [Image(name="tiny", source="/srv/tiny.qcow2", sha256=SHA256)])
    assert planned.failures == ()
    assert sorted(work.node or "" for work in planned.works) == ["node1", "node2"]
    raw(storage_cloud, "node2").destroy()
    assert [work.node for work in converge(storage_cloud, PoolResource(), Pool(name="foreign")).effective] == ["node2"]
    # Taken away by hand, it comes again by the UUID that it had.
    raw(storage_cloud, "node2").destroy()
    raw(storage_cloud, "node2").undefine()
    mended = converge(storage_cloud, PoolResource(), Pool(name="foreign"))
    assert [[step.act for step in work.steps] for work in mended.effective] == [["forget", "define"]]
    assert raw(storage_cloud, "node2").UUIDString() == UUID


def test_it_stays_while_it_holds_anything(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    storage_cloud.hypervisor("node1").create_volume("foreign", render_volume("old.qcow2", 4096, "raw"), "test")
    (refused,) = plan(storage_cloud, PoolResource(), [Pool(name="foreign", state="absent")]).refusals
    assert (refused.node, "holds volumes in it: old.qcow2" in refused.what) == ("node1", True)


def test_it_is_given_back_whatever_it_holds(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    hypervisor = storage_cloud.hypervisor("node1")
    hypervisor.create_volume("foreign", render_volume("old.qcow2", 4096, "raw"), "test")
    texts = {node: raw(storage_cloud, node).XMLDesc() for node in storage_cloud.nodes}
    for node in storage_cloud.nodes:
        storage_cloud.labels(node).write({"pextra-pool/foreign": None})
    converge(storage_cloud, PoolResource(), Pool(name="foreign", state="absent"))
    assert (storage_cloud.registry.rows("pool"), storage_cloud.registry.associations("pool")) == ([], [])
    for node in storage_cloud.nodes:
        assert raw(storage_cloud, node).XMLDesc() == texts[node]
        assert pools_of(storage_cloud, node)["foreign"][0]
    assert hypervisor.volume_names("foreign") == {"old.qcow2"}
    # And can be taken once more.
    converge(storage_cloud, PoolResource(), WANT)


def test_given_back_it_stays_registered_while_an_instance_of_ours_has_a_disk_in_it(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    for name, labels in (
        ("old", ""),
        ("web", "<metadata><i:instance xmlns:i='urn:pextra:instance:1'>x</i:instance></metadata>"),
    ):
        storage_cloud.hypervisor("node1")._connection.defineXML(
            f"<domain type='test'><name>{name}</name>{labels}<memory>1024</memory><os><type>hvm</type></os><devices>"
            f"<disk type='file'><source file='/srv/foreign/{name}.raw'/><target dev='vda'/></disk></devices></domain>"
        )
    for node in storage_cloud.nodes:
        storage_cloud.labels(node).write({"pextra-pool/foreign": None})
    (refused,) = plan(storage_cloud, PoolResource(), [Pool(name="foreign", state="absent")]).refusals
    assert "has instances that use it: web" in refused.what


@pytest.mark.parametrize("persistent", [True, False])
def test_one_that_ends_when_it_is_stopped_is_told(storage_cloud: Cloud, persistent: bool) -> None:
    connection = storage_cloud.hypervisor("node1")._connection
    xml = "<pool type='dir'><name>passing</name><target><path>/srv/passing</path></target></pool>"
    if persistent:
        connection.storagePoolDefineXML(xml)
    else:
        connection.storagePoolCreateXML(xml)
    refused = plan(storage_cloud, PoolResource(), [Pool(name="passing", adopt=True)]).refusals
    assert ["defined only until it stops" in one.what for one in refused] == ([] if persistent else [True])


def test_it_goes_when_it_is_empty(storage_cloud: Cloud) -> None:
    converge(storage_cloud, PoolResource(), WANT)
    converge(storage_cloud, PoolResource(), Pool(name="foreign", state="absent"))
    for node in storage_cloud.nodes:
        assert pools_of(storage_cloud, node) == {}
        assert storage_cloud.labels(node).read() == {}
    assert (storage_cloud.registry.rows("pool"), storage_cloud.registry.associations("pool")) == ([], [])
