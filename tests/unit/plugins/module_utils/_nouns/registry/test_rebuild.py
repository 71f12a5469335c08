# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lost registry, from what the nodes carry: every identifier as it was, and nothing left to do."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.labels import labels_of_image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import DomainModel
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import Labels
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.labels import labels_of_node
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.labels import labels_of_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.registry.rebuild import Carried, rebuild_registry
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Limits, Volume
from instance_model import CLUSTER, NODES, ROOT_ORGANIZATION, Model
from volume_model import Model as VolumeModel

ORGANIZATION = Row(new_id("organization"), "organization", "acme", "", {"root": True})
DATACENTER = Row(new_id("datacenter"), "datacenter", "Montreal", "", {"organization": ORGANIZATION.id})
RATIOS = {"vcpus_per_thread": 2.5, "vcpus_per_thread_warn": 1.5}
MTL = Row(new_id("cluster"), "cluster", "mtl-1", "", {"datacenter": DATACENTER.id, "secret": "hush", **RATIOS})
HIERARCHY = Hierarchy((ORGANIZATION,), (DATACENTER,), (MTL,))
POOL = Row(
    new_id("pool"),
    "pool",
    "shared",
    MTL.id,
    {"type": "directory", "path": "/srv/shared", "shared": True, "deleting": False},
)
IMAGE = Row(
    new_id("image"),
    "image",
    "tiny",
    MTL.id,
    {"sha256": "a" * 64, "format": "qcow2", "virtual_size": 1024, "copies": []},
)


def node(number: int) -> Row:
    body = str(number) * 21
    return Row(f"node-{body}", "node", f"node{number}", MTL.id, {"address": f"10.91.0.1{number}", "virt_type": "qemu"})


def carried(row: Row, *, copies: tuple[str, ...] = ()) -> Carried:
    labels = labels_of_node(row.id, MTL.id, row.name, row.attributes, HIERARCHY)
    labels |= labels_of_pool(POOL.name, POOL.id, POOL.attributes)
    labels |= labels_of_image(replace(IMAGE, attributes={**IMAGE.attributes, "copies": list(copies)}), copies)
    return Carried(labels, (), ())


def test_everything_once() -> None:
    nodes = [node(n) for n in (1, 2)]
    rebuilt = rebuild_registry([carried(nodes[0], copies=("a/1",)), carried(nodes[1], copies=("b/2",))])
    found = {row.id: row for row in rebuilt.rows}
    assert len(found) == len(rebuilt.rows) == 7
    for row in (*nodes, ORGANIZATION, DATACENTER, POOL):
        assert found[row.id] == row
    assert found[MTL.id].attributes == {"datacenter": DATACENTER.id, **RATIOS}
    assert found[IMAGE.id].attributes["copies"] == ["a/1", "b/2"]
    assert [(row.resource, row.node) for row in rebuilt.associations] == [(POOL.id, row.id) for row in nodes]
    assert {row.attributes["status"] for row in rebuilt.associations} == {"available"}


def test_who_has_never_joined_contributes_nothing() -> None:
    stranger = replace(
        carried(node(1)), labels={key: text for key, text in carried(node(1)).labels.items() if "node" not in key}
    )
    rebuilt = rebuild_registry([stranger, Carried({}, (), ())])
    assert (rebuilt.rows, rebuilt.associations) == ((), ())


def test_instances() -> None:
    """Their rows are what planning would write: nothing is left to do."""
    model = Model.fresh()
    wants = [
        Vm(name="web", image="tiny", root=Root(pool="shared"), nics=(Nic(port_group="DMZ"),), anti_affinity="web"),
        Vm(name="db", node="node2", power="stopped"),
    ]
    model.converge(*wants)
    before = dict(model.rows)
    above = Hierarchy((ROOT_ORGANIZATION,), (), (CLUSTER,))
    rebuilt = rebuild_registry(
        Carried(
            labels_of_node(row.id, CLUSTER.id, row.name, row.attributes, above),
            (),
            tuple(guest.config for guest in model.nodes[row.name].guests.values()),
        )
        for row in NODES
    )
    instances = {row.id: row for row in rebuilt.rows if row.kind == "instance"}
    assert instances == before
    model.rows = instances
    assert model.plan(*wants).is_empty


def test_an_instance_of_another_cluster_is_not_ours() -> None:
    model = Model.fresh()
    model.converge(Vm(name="web"))
    config = model.guest("web")[1].config
    place = carried(node(1))
    assert not [row for row in rebuild_registry([replace(place, instances=(config,))]).rows if row.kind == "instance"]


def test_volumes_and_who_has_them() -> None:
    """The rows are what planning would write: nothing is left to do."""
    model = VolumeModel()
    guest = model.add_guest("web", "node1")
    wants = [
        Volume(name="data", pool="shared", size=64, attached_to="web", limits=Limits(iops=5), description="x"),
        Volume(name="there", pool="local", node="node2", size=64, format="raw"),
    ]
    model.converge(*wants)
    before = {row.id: row for row in model.rows.values() if row.kind == "volume"}
    instance = DomainModel(
        name="web",
        uuid="",
        memory=1,
        vcpus=1,
        disks=(),
        interfaces=(),
        description=None,
        labels=Labels(id=guest.row.id, cluster=CLUSTER.id, organization=ROOT_ORGANIZATION.id),
        attached=tuple(one.disk for one in guest.user().config),
    )
    above = Hierarchy((ROOT_ORGANIZATION,), (), (CLUSTER,))
    rebuilt = rebuild_registry(
        Carried(
            {**labels_of_node(row.id, CLUSTER.id, row.name, row.attributes, above), **model.labels[row.name]},
            (),
            (instance,) if row.name == "node1" else (),
        )
        for row in NODES
    )
    volumes = {row.id: row for row in rebuilt.rows if row.kind == "volume"}
    assert volumes == before
    model.rows = {guest.row.id: guest.row, **volumes}
    assert model.plan(*wants).is_empty
