# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of instances in pools of each type: what is planned, and what is refused before anything is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import CEPH, CLUSTER, SAN, TARGET, Model, acts, step_of, whole

# Another pool of the same target, through another portal.
OTHER_SAN = replace(
    SAN,
    id="pool-GGGGGGGGGGGGGGGGGGGGG",
    name="mirror",
    attributes={**SAN.attributes, "source": {**TARGET, "host": "192.0.2.10"}},
)
UNIT = Volume(name="san", pool="san", unit="unit:0:0:1")
WEB = whole(name="web", node="node1", image="tiny", root=Root(pool="ceph"), nics=(Nic(port_group="Production"),))


@pytest.fixture
def model() -> Model:
    return Model.fresh()


def refusal(model: Model, *wants: Vm) -> tuple[str, str]:
    plan = model.plan(*wants)
    (problem,) = plan.refusals
    return problem.what, problem.remedy


@pytest.mark.parametrize(
    ("pool", "mode", "made", "copy", "place"),
    [
        ("local", None, "overlay", "img-AAAAAAAAAAAAAAAAAAAAA.qcow2", "/srv/local/{}.root.qcow2"),
        ("ceph", None, "overlay", "img-AAAAAAAAAAAAAAAAAAAAA.raw", "vms/{}.root.raw"),
        ("ceph", "copy", "copy", "img-AAAAAAAAAAAAAAAAAAAAA.raw", "vms/{}.root.raw"),
        ("vg0", None, "copy", "img-AAAAAAAAAAAAAAAAAAAAA.raw", "/dev/vg0/{}.root.raw"),
        ("tank", "copy", "copy", "img-AAAAAAAAAAAAAAAAAAAAA.raw", "/dev/zvol/tank/{}.root.raw"),
    ],
)
def test_root_volumes(model: Model, pool: str, mode: str | None, made: str, copy: str, place: str) -> None:
    plan = model.converge(replace(WEB, root=Root(pool=pool, mode=mode)))
    step = step_of(plan, "create_volume")
    assert (step.data["mode"], step.data["image_volume"], step.data["size"]) == (made, copy, 64)
    assert step.data["image_format"] == copy.rpartition(".")[2]
    config = model.guest("web")[1].config
    assert config.labels.root_mode == made
    root = next(disk for disk in config.disks if disk.serial == "root")
    assert root.path == place.format(f"web.{config.labels.id}")
    assert root.format == place.rpartition(".")[2]


def test_a_disk_of_ceph_says_how_it_is_reached(model: Model) -> None:
    model.converge(WEB)
    (root, seed) = model.guest("web")[1].config.disks
    assert root.ceph is not None
    assert (root.ceph.monitors, root.ceph.user, root.ceph.secret) == (("192.0.2.1:3300",), "pextra", uuid_of(CEPH.id))
    assert (seed.kind, seed.ceph, seed.read_only) == ("rbd", root.ceph, True)


def test_an_instance_on_ceph_moves_live_with_its_unit(model: Model) -> None:
    want = replace(WEB, volumes=(UNIT,))
    model.converge(want)
    plan = model.converge(replace(want, node="node3"))
    assert step_of(plan, "move").data["live"] is True
    assert model.guest("web")[0] == "node3"


@pytest.mark.parametrize("pool", ["vg0", "tank"])
def test_an_instance_on_a_nodes_own_disks_does_not_move(model: Model, pool: str) -> None:
    want = replace(WEB, root=Root(pool=pool))
    model.converge(want)
    what, _ = refusal(model, replace(want, node="node2"))
    assert f"storage pool {pool} is not shared between nodes" in what


def test_a_unit_is_attached_and_detached_and_stays(model: Model) -> None:
    model.converge(WEB)
    plan = model.converge(replace(WEB, volumes=(UNIT,)))
    assert "create_volume" not in acts(plan)
    assert "attach_disk" in acts(plan)
    (change,) = (change for work in plan.all for change in work.changes)
    assert (change.field, change.before, change.after) == ("volumes.san.unit", None, "unit:0:0:1")
    plan = model.converge(WEB)
    assert "detach_disk" in acts(plan)
    model.converge(replace(WEB, volumes=(UNIT,)))
    model.converge(replace(WEB, state="absent"), force_stop=True, remove_volumes=True)
    assert "unit:0:0:1" in model.nodes["node1"].pools["san"]


@pytest.mark.parametrize(
    ("want", "what", "remedy"),
    [
        (replace(WEB, root=Root(pool="vg0", mode="overlay")), "cannot share the blocks", "Leave out mode"),
        (replace(WEB, root=Root(pool="tank", mode="overlay")), "cannot share the blocks", "Leave out mode"),
        (replace(WEB, root=Root(pool="san")), "a root volume cannot be made there", "further volumes"),
        (replace(WEB, volumes=(Volume(name="a-b", pool="san", size=64),)), "cannot be made", "Give a unit"),
        (replace(WEB, volumes=(replace(UNIT, pool="ceph"),)), "names a unit, but", "Give size instead"),
        (replace(WEB, volumes=(replace(UNIT, unit="unit:0:0:9"),)), "no unit unit:0:0:9 there", ""),
        (replace(WEB, name="x" * 63), "it takes 99 characters there, and 96 are possible", "another name"),
        (replace(WEB, root=Root(pool="vg0"), name="a-" * 31), "127 are possible", "another name"),
        (
            replace(WEB, volumes=(Volume(name="my_tmeta", pool="vg0", size=64),)),
            'LVM keeps names with "_tmeta" to itself',
            "another name",
        ),
    ],
)
def test_what_is_refused(model: Model, want: Vm, what: str, remedy: str) -> None:
    plan = model.plan(want)
    (problem,) = (*plan.refusals, *plan.failures)
    assert plan.all == ()
    assert what in problem.what
    assert remedy in problem.remedy


def test_two_instances_cannot_have_one_unit(model: Model) -> None:
    one, two = replace(WEB, volumes=(UNIT,)), replace(WEB, name="db", volumes=(UNIT,))
    assert "unit:0:0:1 of storage pool san is used by instance web" in refusal(model, one, two)[0]
    model.converge(one)
    assert "is used by instance web" in refusal(model, two)[0]
    model.converge(replace(one, volumes=()))
    model.converge(two)


def test_a_unit_is_its_targets_whichever_pool_names_it(model: Model) -> None:
    model.members.append(OTHER_SAN)
    for node in model.nodes.values():
        node.pools["mirror"] = node.pools["san"]
    mirrored = replace(UNIT, name="mirrored", pool="mirror")
    model.converge(replace(WEB, volumes=(UNIT,)))
    what, _ = refusal(model, replace(WEB, name="db", volumes=(mirrored,)))
    assert what == "unit:0:0:1 of storage pool mirror is used by instance web"
    what, _ = refusal(
        model,
        replace(WEB, name="two", volumes=(replace(UNIT, unit="unit:0:0:2"), replace(mirrored, unit="unit:0:0:02"))),
    )
    assert what == "its volumes san and mirrored are one unit of one target"


def test_an_instance_of_the_same_name_in_another_cluster_has_its_own_units(model: Model) -> None:
    """Names are unique in a cluster: the holder of a unit is told by its identifier."""
    model.members.append(replace(OTHER_SAN, scope="cls-BBBBBBBBBBBBBBBBBBBBB", name="san"))
    model.converge(replace(WEB, volumes=(UNIT,)))
    guest = model.nodes["node1"].guests[next(iter(model.nodes["node1"].guests))]
    guest.xml = guest.xml.replace(CLUSTER.id, "cls-BBBBBBBBBBBBBBBBBBBBB")
    model.rows.clear()
    what, _ = refusal(model, replace(WEB, volumes=(UNIT,), node="node2"))
    assert "is used by instance web" in what


def test_zeros_before_a_units_numbers_make_no_difference(model: Model) -> None:
    model.converge(replace(WEB, volumes=(replace(UNIT, unit="unit:00:0:01"),)))
    assert model.plan(replace(WEB, volumes=(UNIT,))).is_empty


def test_a_unit_does_not_turn_into_another(model: Model) -> None:
    model.converge(replace(WEB, volumes=(UNIT,)))
    what, remedy = refusal(model, replace(WEB, volumes=(replace(UNIT, unit="unit:0:0:2"),)))
    assert what == "its volume san is unit:0:0:1, and cannot become unit:0:0:2"
    assert remedy == "Give the other one another name."


@pytest.mark.parametrize(
    ("pool", "by_hand"), [("vg0", "lvextend --size 128m vg0/web."), ("tank", "zfs set volsize=128M tank/web.")]
)
def test_growth_that_libvirt_cannot_do(model: Model, pool: str, by_hand: str) -> None:
    """It is refused with what to type; once that is done the running guest is told."""
    want = replace(WEB, root=Root(pool=pool, size=64))
    grown = replace(WEB, root=Root(pool=pool, size=128))
    model.converge(want)
    what, remedy = refusal(model, grown)
    assert what.startswith("its volume root has 64 MiB, and libvirt cannot make it larger")
    assert remedy.startswith(f"On node1: {by_hand}")
    (volume,) = (one for name, one in model.volumes("node1", pool).items() if ".root." in name)
    volume.size = 128
    plan = model.converge(grown)
    assert step_of(plan, "grow_volume").data["target"] == "vda"


def test_ceph_grows_live(model: Model) -> None:
    model.converge(WEB)
    plan = model.converge(replace(WEB, root=Root(pool="ceph", size=128)))
    assert step_of(plan, "grow_volume").data["target"] == "vda"


def test_what_a_killed_copy_has_left_is_made_again_and_nothing_else(model: Model) -> None:
    want = replace(WEB, root=Root(pool="tank"), volumes=(Volume(name="data", pool="tank", size=64),))
    plan = model.plan(want)
    parts = 2  # registered, and half of the root volume
    model.apply(plan, parts=parts)
    (half,) = model.volumes("node1", "tank").values()
    assert half.content == "half filled"
    again = model.plan(want)
    assert acts(again)[:2] == ["delete_volume", "create_volume"]
    assert again.works[0].loses == ()
    model.apply(again)
    assert "half filled" not in [volume.content for volume in model.volumes("node1", "tank").values()]
    (row,) = model.rows.values()
    assert "filling" not in row.attributes
    # Complete, and undefined by hand: its data is kept.
    content = {name: volume.content for name, volume in model.volumes("node1", "tank").items() if ".seed-" not in name}
    model.nodes["node1"].guests.clear()
    model.converge(want)
    after = {name: volume.content for name, volume in model.volumes("node1", "tank").items() if ".seed-" not in name}
    assert after == content
    assert CLUSTER.id == row.scope


def test_other_monitors_of_ceph_come_into_the_definition_of_an_instance(model: Model) -> None:
    """It runs on with those that it has: one of them tells of all the others."""
    model.converge(WEB)
    source = {**CEPH.attributes["source"], "monitors": ["192.0.2.1", "192.0.2.2"]}
    assert CEPH in model.members
    model.members = [
        replace(row, attributes={**row.attributes, "source": source}) if row == CEPH else row for row in model.members
    ]
    assert acts(model.converge(WEB)) == ["define"]
    for disk in model.guest("web")[1].config.disks:
        assert disk.ceph is not None
        assert disk.ceph.monitors == ("192.0.2.1:3300", "192.0.2.2:3300")
