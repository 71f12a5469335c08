# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is protected is neither removed nor replaced, whatever a call consents to; everything else goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Change, Plan, Work
from ansible_collections.pextra.cloud.plugins.module_utils._model.protection import REMEDY, find_destroyed, is_protected
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image import spec as image_spec
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.labels import labels_of_image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.planning import plan_images
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.report import describe_images
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import Image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.versions import newest_of, versions_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import spec as instance_spec
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import edit_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Volume as Disk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.report import describe_instance
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, make_vm
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.plan import plan_nodes
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.spec import Node
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool import spec as pool_spec
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.labels import labels_of_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.planning import plan_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.report import describe_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.state import PoolHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.registered import wants_of_registry
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import Pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.registry.rebuild import Carried, rebuild_registry
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume import spec as volume_spec
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import VolumeFacts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.plan import plan_volumes
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.report import describe_volumes
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Limits, Volume
from hypothesis import given, settings
from hypothesis import strategies as st
from instance_model import Model, acts, whole
from instance_specs import specs
from volume_model import MIB, KilledError
from volume_model import SHARED as VOLUME_POOL
from volume_model import Model as VolumeModel

from .image import test_image as of_image
from .node import test_node as of_node
from .pool import test_pool as of_pool
from .registry import test_rebuild as of_rebuild

ALL = {"force_stop": True, "allow_restart": True, "remove_volumes": True}


def refused(plan: Plan) -> list[str]:
    """Return what is refused, which all has to do with protection; nothing is planned for it."""
    assert plan.effective == ()
    assert plan.refusals
    assert all("it is protected, and " in problem.what for problem in plan.refusals), plan.refusals
    assert all("et protected: false" in problem.remedy for problem in plan.refusals), plan.refusals
    return [problem.what for problem in plan.refusals]


def changed(plan: Plan) -> dict[str, tuple[object, object]]:
    assert (plan.refusals, plan.failures) == ((), ())
    return {change.field: (change.before, change.after) for work in plan.all for change in work.changes}


# Instances

WEB = whole(
    name="web",
    image="tiny",
    root=Root(pool="shared"),
    volumes=(Disk(name="data", pool="shared", size=64),),
    protected=True,
)


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(WEB)
    return model


def test_an_instance_is_protected_when_it_is_complete() -> None:
    model = Model.fresh()
    plan = model.plan(WEB)
    parts = model.copy().apply(plan)
    for done in range(parts):
        half = model.copy()
        half.apply(plan, parts=done)
        is_defined = any(node.guests for node in half.nodes.values())
        removal = half.call(Vm(name="web", state="absent"), **ALL)
        assert bool(removal.refusals) is is_defined, done
        half.converge(WEB)
        assert refused(half.call(Vm(name="web", state="absent"), **ALL))
    model.apply(plan)
    assert is_protected(next(iter(model.rows.values())))
    assert model.guest("web")[1].config.labels.protected


@pytest.mark.parametrize(
    ("want", "what"),
    [
        (Vm(name="web", state="absent"), "it is protected, and cannot be removed"),
        (Vm(name="web", state="absent", protected=False), "it is protected, and cannot be removed"),
        (
            replace(WEB, image="huge", root=Root(pool="shared", size=4096)),
            "it is protected, and beginning again from image huge would destroy its root volume",
        ),
        (
            replace(WEB, image="huge", root=Root(pool="shared", size=4096), protected=False),
            "it is protected, and beginning again from image huge would destroy its root volume",
        ),
    ],
    ids=["absent", "absent in the call that ends it", "replaced", "replaced in the call that ends it"],
)
@pytest.mark.parametrize("power", ["running", "stopped"])
@pytest.mark.parametrize("consent", [{}, ALL], ids=["without consent", "whatever is consented to"])
def test_what_a_protected_instance_refuses(
    model: Model, want: Vm, what: str, power: str, consent: dict[str, bool]
) -> None:
    model.converge(replace(WEB, power=power), **ALL)
    assert refused(model.call(want, **consent)) == [what]
    assert str(model.call(want, **consent).refusals[0]) == f"instance web: {what}. {REMEDY}"


@pytest.mark.parametrize(
    ("want", "field"),
    [
        (Vm(name="web", power="stopped"), "power"),
        (Vm(name="web", description="Front"), "description"),
        (Vm(name="web", memory=1024), "memory"),
        (Vm(name="web", node="node3"), "node"),
        (Vm(name="web", root=Root(size=2048)), "root.size"),
        (Vm(name="web", volumes=()), "volumes.data"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_protected_instance_allows(model: Model, want: Vm, field: str) -> None:
    if field == "node":
        want = replace(want, node="node1" if model.guest("web")[0] != "node1" else "node2")
    plan = model.call(want, **ALL)
    assert any(one.startswith(field) for one in changed(plan))
    assert not any(work.destroys for work in plan.all)
    model.apply(plan)
    assert model.call(want, **ALL).is_empty
    assert refused(model.call(Vm(name="web", state="absent"), **ALL))


def test_protection_ends_in_a_run_of_its_own(model: Model) -> None:
    plan = model.call(Vm(name="web", protected=False))
    assert changed(plan) == {"protected": (True, False)}
    assert acts(plan) == ["register", "define", "label"], "the running guest knows at once"
    model.apply(plan)
    assert model.call(Vm(name="web", protected=False)).is_empty
    model.apply(model.call(Vm(name="web", state="absent"), **ALL))
    assert model.rows == {}


def test_either_of_registry_and_definition_protects(model: Model) -> None:
    home, guest = model.guest("web")
    (row,) = model.rows.values()
    of_definition = model.copy()
    of_definition.rows[row.id] = replace(row, attributes={**row.attributes, "protected": False})
    of_registry = model.copy()
    edited = of_registry.nodes[home].guests[guest.config.uuid]
    edited.xml = edit_domain(guest.xml, replace(guest.config, labels=replace(guest.config.labels, protected=False)))
    for half in (of_definition, of_registry):
        assert refused(half.call(Vm(name="web", state="absent"), **ALL))
        assert not half.call(Vm(name="web")).is_empty
        half.apply(half.call(Vm(name="web")))
        assert half.state == model.state, "what one of them has lost is written again"


def test_one_without_a_definition_stays_protected(model: Model) -> None:
    """It was undefined by hand; its volumes are all that is left of it."""
    home, guest = model.guest("web")
    del model.nodes[home].guests[guest.config.uuid]
    assert refused(model.call(Vm(name="web", state="absent"), **ALL))
    model.apply(model.call(replace(WEB, protected=None)))
    assert model.guest("web")[1].config.labels.protected


def test_of_an_instance_on_a_silent_node_protection_ends_in_the_registry(model: Model) -> None:
    home = model.guest("web")[0]
    model.down[home] = Problem("does not answer", "Check it.", home)
    assert refused(model.call(Vm(name="web", state="absent"), **ALL))
    assert model.call(Vm(name="web", protected=True)).is_empty
    plan = model.call(Vm(name="web", protected=False))
    assert ([one.what for one in plan.failures], acts(plan)) == (["does not answer"], ["register"])
    model.apply(plan)
    assert not is_protected(next(iter(model.rows.values())))
    assert model.call(Vm(name="web", protected=False)).is_empty
    del model.down[home]
    assert refused(model.call(Vm(name="web", state="absent"), **ALL)), "the definition has not been told yet"


def test_of_an_instance_that_cannot_be_mended_protection_ends(model: Model) -> None:
    home, guest = model.guest("web")
    (lost,) = [disk.volume for disk in guest.config.disks if disk.serial == "data"]
    del model.nodes[home].pools["shared"][lost]
    plan = model.call(Vm(name="web", protected=False))
    assert [one.what for one in plan.failures if lost in one.what]
    assert acts(plan) == ["register", "define", "label"]
    model.apply(plan)
    assert model.call(Vm(name="web", protected=False)).is_empty
    _, guest = model.guest("web")
    assert guest.live is not None
    assert (guest.config.labels.protected, guest.live.labels.protected) == (False, False)
    model.apply(model.call(Vm(name="web", state="absent"), **ALL))
    assert model.rows == {}


@settings(max_examples=150)
@given(specs("web-1"), specs("web-1"), st.sampled_from([None, True, False]), st.fixed_dictionaries({
    "force_stop": st.booleans(), "allow_restart": st.booleans(), "remove_volumes": st.booleans()
}))  # fmt: skip
def test_no_plan_destroys_a_protected_instance(
    before: Vm, after: Vm, protected: bool | None, consent: dict[str, bool]
) -> None:
    model = Model.fresh()
    made = model.plan(replace(before, state="present", protected=True))
    if made.refusals or made.failures:
        return
    model.apply(made)
    _, guest = model.guest("web-1")
    kept = {disk.volume for disk in guest.config.disks if disk.serial != "seed"}
    plan = model.call(replace(after, protected=protected), **consent)
    assert not any(work.destroys for work in plan.effective)
    if after.state == "absent":
        assert refused(plan)
    model.apply(plan)
    left = {name for node in model.nodes.values() for names in node.pools.values() for name in names}
    assert kept <= left
    assert model.guest("web-1")[1].config.uuid == guest.config.uuid


def test_instances_tell(model: Model) -> None:
    _, guest = model.guest("web")
    (row,) = model.rows.values()
    (domain,) = model.have.domains[guest.config.uuid]
    assert describe_instance(row, domain, {}, {})["protected"] is True
    assert describe_instance(row, None, {}, {})["protected"] is True
    model.converge(replace(WEB, protected=False))
    (domain,) = model.have.domains[guest.config.uuid]
    assert describe_instance(next(iter(model.rows.values())), domain, {}, {})["protected"] is False


# Volumes

DATA = Volume(name="data", pool="shared", size=1024, protected=True)


@pytest.fixture
def volumes() -> VolumeModel:
    volumes = VolumeModel()
    volumes.add_guest("web", "node1")
    volumes.converge(DATA)
    return volumes


@pytest.mark.parametrize(
    ("want", "what"),
    [
        (Volume(name="data", state="absent"), "it is protected, and cannot be destroyed"),
        (Volume(name="data", state="absent", protected=False), "it is protected, and cannot be destroyed"),
        (Volume(name="data", size=512), "it is protected, and cannot shrink from 1 GiB to 512 MiB"),
        (Volume(name="data", size=512, protected=False), "it is protected, and cannot shrink from 1 GiB to 512 MiB"),
    ],
)
@pytest.mark.parametrize("attached_to", ["", "web"])
def test_what_a_protected_volume_refuses(volumes: VolumeModel, want: Volume, what: str, attached_to: str) -> None:
    volumes.converge(Volume(name="data", attached_to=attached_to))
    assert refused(volumes.plan(want)) == [what]


@pytest.mark.parametrize(
    "want",
    [
        Volume(name="data", size=2048),
        Volume(name="data", description="Books"),
        Volume(name="data", attached_to="web"),
        Volume(name="data", limits=Limits(iops=5)),
        Volume(name="copy", pool="shared", clone_of="data"),
    ],
    ids=lambda want: str(want.size or want.description or want.attached_to or want.clone_of or "limits"),
)
def test_what_a_protected_volume_allows(volumes: VolumeModel, want: Volume) -> None:
    volumes.converge(want)
    assert refused(volumes.plan(Volume(name="data", state="absent")))


def test_a_volumes_protection_ends_in_a_run_of_its_own(volumes: VolumeModel) -> None:
    plan = volumes.plan(Volume(name="data", protected=False))
    assert changed(plan) == {"protected": (True, False)}
    volumes.converge(Volume(name="data", protected=False))
    assert "protected" not in volumes.row("data").attributes
    volumes.converge(Volume(name="data", state="absent"))


def test_a_volume_that_is_not_finished_can_be_given_up() -> None:
    volumes = VolumeModel()
    with pytest.raises(KilledError):
        volumes.converge(DATA, kill_after=1)
    assert volumes.row("data").attributes["unfinished"]
    given_up = VolumeModel(rows=dict(volumes.rows), volumes={key: dict(one) for key, one in volumes.volumes.items()})
    given_up.converge(Volume(name="data", state="absent"))
    volumes.converge(DATA)
    assert refused(volumes.plan(Volume(name="data", state="absent")))


def test_of_a_volume_on_a_silent_node_protection_ends_in_the_registry() -> None:
    volumes = VolumeModel()
    want = Volume(name="data", pool="local", node="node2", size=64, protected=True)
    volumes.converge(want)
    volumes.answering.remove("node2")
    assert refused(volumes.plan(Volume(name="data", state="absent")))
    plan = volumes.plan(Volume(name="data", protected=False))
    assert [one.what for one in plan.failures] == ["does not answer"]
    assert acts(plan) == ["settle"]
    for work in plan.all:
        for step in work.steps:
            volumes.apply(step)
    assert not is_protected(volumes.row("data"))
    assert volumes.plan(Volume(name="data", protected=False)).is_empty


def kept_of(owner_is_protected: bool) -> tuple[VolumeModel, str, Row]:
    """A volume that a defined instance had, and was taken from: its name, and the instance."""
    volumes = VolumeModel()
    guest = volumes.add_guest("web", "node1")
    row = replace(guest.row, attributes={**guest.row.attributes, **({"protected": True} if owner_is_protected else {})})
    volumes.rows[row.id] = row
    file = f"web.{row.id}.data.qcow2"
    facts = VolumeFacts(name=file, format="qcow2", capacity=64 * MIB, allocation=MIB)
    volumes.volumes[VOLUME_POOL.id, ""] = {file: facts}
    (found,) = [one for one in describe_volumes(None, volumes.have()) if one["status"] == "kept"]
    return volumes, found["name"], row


def test_what_a_protected_instance_has_left_is_protected_with_it() -> None:
    volumes, name, _ = kept_of(owner_is_protected=True)
    assert [one["protected"] for one in describe_volumes(None, volumes.have())] == [True]
    for want in (Volume(name=name, state="absent"), Volume(name=name, size=32)):
        (what,) = refused(volumes.plan(want))
        assert what.startswith("it is of instance web: it is protected")
    volumes.converge(Volume(name=name, description="declared"))
    volumes.converge(Volume(name=name, state="absent"))
    free, name, _ = kept_of(owner_is_protected=False)
    free.converge(Volume(name=name, state="absent"))


def leftover(volumes: VolumeModel, file: str) -> None:
    facts = VolumeFacts(name=file, format="qcow2", capacity=MIB, allocation=MIB)
    volumes.volumes.setdefault((VOLUME_POOL.id, ""), {})[file] = facts


def test_nothing_is_purged_in_a_protected_pool() -> None:
    volumes = VolumeModel()
    leftover(volumes, f"old.{new_id('volume')}.qcow2")
    have = volumes.have()
    key = (VOLUME_POOL.id, "")
    pool = replace(VOLUME_POOL, attributes={**VOLUME_POOL.attributes, "protected": True})
    guarded = replace(have, shelves={**have.shelves, key: replace(have.shelves[key], pool=pool)})
    plan = plan_volumes([], guarded, purge=True)
    assert plan.is_empty
    (problem,) = plan.failures
    assert problem.what.startswith("it lies in storage pool shared: it is protected, and old.vol-")
    assert len(plan_volumes([], have, purge=True).effective) == 1


def test_what_has_a_protected_volumes_identifier_is_not_purged(volumes: VolumeModel) -> None:
    leftover(volumes, f"data.{volumes.row('data').id}.import.qcow2")
    plan = volumes.plan(purge=True)
    assert plan.is_empty
    assert "which has its identifier, cannot be removed" in plan.failures[0].what


@settings(max_examples=100)
@given(
    st.sampled_from([None, 256, 1024, 4096]),
    st.sampled_from([None, "", "web"]),
    st.sampled_from([None, True, False]),
    st.sampled_from(["present", "absent"]),
    st.booleans(),
)
def test_no_plan_destroys_a_protected_volume(
    size: int | None, attached_to: str | None, protected: bool | None, state: str, purge: bool
) -> None:
    volumes = VolumeModel()
    volumes.add_guest("web", "node1", power="stopped")
    volumes.converge(DATA)
    want = Volume(name="data", size=size, attached_to=attached_to, protected=protected, state=state)
    plan = volumes.plan(want, purge=purge)
    assert not any(work.destroys for work in plan.effective)
    assert bool(plan.refusals) is (state == "absent" or size == 256)


def test_volumes_tell(volumes: VolumeModel) -> None:
    assert [one["protected"] for one in describe_volumes(None, volumes.have())] == [True]


# Storage pools

POOL = replace(of_pool.POOL, attributes={**of_pool.ATTRIBUTES, "protected": True})
SHARED = replace(POOL, attributes={**POOL.attributes, "shared": True})


def test_a_pool_becomes_protected_and_carries_it() -> None:
    plan = plan_pools([Pool(name="local", protected=True)], of_pool.converged())
    assert changed(plan)["protected"] == (False, True)
    assert of_pool.summary(plan) == {
        "pool local": ["register"],
        **{f"pool local on {node.name}": ["label"] for node in of_pool.NODES},
    }
    assert is_protected(plan.first[0].steps[0].data["row"])
    for want in (Pool(name="local"), Pool(name="local", protected=True)):
        assert plan_pools([want], of_pool.converged(POOL)).is_empty
    plan = plan_pools([Pool(name="local", protected=False)], of_pool.converged(POOL))
    assert changed(plan)["protected"] == (True, False)
    assert "protected" not in plan.first[0].steps[0].data["row"].attributes
    assert plan_pools([Pool(name="local", protected=False)], of_pool.converged()).is_empty


OFF_ALL = "it is protected, and cannot be taken off node1, node2, node3"


@pytest.mark.parametrize(
    ("row", "want", "what"),
    [
        (POOL, Pool(name="local", state="absent"), ["it is protected, and cannot be removed"]),
        (POOL, Pool(name="local", state="absent", protected=False), ["it is protected, and cannot be removed"]),
        (POOL, Pool(name="local", nodes=("node1",)), ["it is protected, and cannot be taken off node2, node3"]),
        (POOL, Pool(name="local", nodes=(), protected=False), [OFF_ALL]),
        (SHARED, Pool(name="local", nodes=()), [OFF_ALL]),
        (SHARED, Pool(name="local", nodes=("node1",)), []),
    ],
    ids=["absent", "absent in the call that ends it", "off a node", "off all nodes", "shared, off all", "off some"],
)
def test_what_a_protected_pool_refuses(row: Row, want: Pool, what: list[str]) -> None:
    have = of_pool.converged(row)
    held = of_pool.with_node(have, "node2", volumes={"local": frozenset({of_pool.ROOT})})
    for state in (have, *([held] if what else [])):
        plan = plan_pools([want], state)
        assert (refused(plan) if what else list(plan.refusals)) == what


def test_a_protected_pool_is_mended_and_described() -> None:
    have = of_pool.with_node(of_pool.converged(POOL), "node2", pools=())
    plan = plan_pools([Pool(name="local", description="Disks")], have)
    assert changed(plan)["description"] == (None, "Disks")
    assert of_pool.summary(plan)["pool local on node2"][:2] == ["forget", "define"]
    assert is_protected(plan.first[0].steps[0].data["row"])


def test_the_coordinators_job_keeps_protection() -> None:
    have = of_pool.converged(POOL)
    wants = wants_of_registry(have.pools, have.associations, have.nodes)
    assert plan_pools(wants, have).is_empty


def image_in(pool: Row, nodes: Sequence[Row], **more: Any) -> Row:
    keys = [f"{pool.id}/{node.id}" for node in nodes]
    return Row(new_id("image"), "image", "tiny", pool.scope, {**of_image.ATTRIBUTES, "copies": keys, **more})


@pytest.mark.parametrize(
    ("want", "holders", "is_kept"),
    [
        (Pool(name="local", state="absent"), of_pool.NODES, True),
        (Pool(name="local", nodes=("node1",)), of_pool.NODES, False),
        (Pool(name="local", nodes=("node1",)), of_pool.NODES[1:], True),
        (Pool(name="local", nodes=("node1",)), of_pool.NODES[1:2], True),
    ],
    ids=["all copies go", "one stays", "two of two go", "the only one goes"],
)
def test_a_pool_does_not_take_the_last_copy_of_a_protected_image(
    want: Pool, holders: tuple[Row, ...], is_kept: bool
) -> None:
    have = replace(of_pool.converged(), images=(image_in(of_pool.POOL, holders, protected=True),))
    plan = plan_pools([want], have)
    if is_kept:
        assert refused(plan) == [
            "image tiny lies in it: it is protected, and the last copy of a content of it would go"
        ]
    assert bool(plan.refusals) is is_kept
    free = plan_pools([want], replace(have, images=(image_in(of_pool.POOL, holders),)))
    assert free.refusals == ()
    assert {key for work in free.effective for key in work.touches} == {"image tiny"}, "who protects it comes before"


def test_two_pools_that_go_together_do_not_take_the_last_copies() -> None:
    other = replace(of_pool.POOL, id=new_id("pool"), name="other", attributes={**of_pool.ATTRIBUTES, "path": "/srv/o"})
    have = of_pool.converged()
    on_other = AssociationRow(other.id, of_pool.NODES[0].id, dict(have.associations[0].attributes))
    keys = [f"{of_pool.POOL.id}/{of_pool.NODES[0].id}", f"{other.id}/{of_pool.NODES[0].id}"]
    image = image_in(other, (), protected=True)
    image = replace(image, attributes={**image.attributes, "copies": keys})
    have = replace(have, pools=(*have.pools, other), associations=(*have.associations, on_other), images=(image,))
    gone = [Pool(name="local", state="absent"), Pool(name="other", state="absent")]
    assert len(refused(plan_pools(gone, have))) == 2
    assert plan_pools(gone[:1], have).refusals == ()


@settings(max_examples=100)
@given(
    st.sampled_from([None, (), ("node1",), ("node1", "node2"), ("node1", "node2", "node3")]),
    st.sampled_from([None, True, False]),
    st.sampled_from(["present", "absent"]),
    st.booleans(),
)
def test_no_plan_destroys_a_protected_pool(
    nodes: tuple[str, ...] | None, protected: bool | None, state: str, is_shared: bool
) -> None:
    have = of_pool.converged(SHARED if is_shared else POOL)
    plan = plan_pools([Pool(name="local", nodes=nodes, protected=protected, state=state)], have)
    taken = [work for work in plan.effective if any(step.act == "remove" for step in work.steps)]
    assert not any(work.destroys for work in plan.effective)
    assert not taken or (is_shared and nodes)
    assert bool(plan.refusals) is (
        state == "absent" or nodes == () or (not is_shared and nodes is not None and len(nodes) < 3)
    )


def test_pools_tell() -> None:
    have: PoolHave = of_pool.converged(POOL)
    assert [one["protected"] for one in describe_pools(None, have)] == [True]
    assert [one["protected"] for one in describe_pools(None, of_pool.converged())] == [False]


# Images

IMAGE = replace(of_image.IMAGE, attributes={**of_image.IMAGE.attributes, "protected": True})
OLDER = {
    "id": new_id("image"),
    "number": 1,
    "sha256": of_image.OTHER,
    "format": "qcow2",
    "virtual_size": 1024**3,
    "size": 1000,
    "copies": [f"{of_image.SHARED.id}/"],
}
WITH_OLDER = replace(IMAGE, attributes={**IMAGE.attributes, "number": 2, "retention": 1, "versions": [OLDER]})


@pytest.mark.parametrize(
    ("row", "want", "what"),
    [
        (IMAGE, Image(name="tiny", state="absent"), "cannot be removed"),
        (IMAGE, Image(name="tiny", state="absent", protected=False), "cannot be removed"),
        (
            IMAGE,
            replace(of_image.WANT, sha256=of_image.OTHER),
            "its name cannot come to mean another content",
        ),
        (
            IMAGE,
            replace(of_image.WANT, sha256=of_image.OTHER, protected=False),
            "its name cannot come to mean another content",
        ),
        (WITH_OLDER, replace(of_image.WANT, sha256=of_image.OTHER), "its name cannot come to mean another content"),
        (IMAGE, replace(of_image.WANT, pools=()), "the last copy of its version 1 would be deleted"),
        (WITH_OLDER, replace(of_image.WANT, pools=("local",)), "the last copy of its version 1 would be deleted"),
        (WITH_OLDER, replace(of_image.WANT, retention=0), "this would destroy version 1 of image tiny"),
    ],
    ids=[
        *("absent", "absent in the call that ends it", "other content", "other content in the call that ends it"),
        *("gone back to an older one", "no pools", "an older one's pool", "lower retention"),
    ],
)
def test_what_a_protected_image_refuses(row: Row, want: Image, what: str) -> None:
    (found,) = refused(plan_images([want], of_image.have(row)))
    assert found.startswith(f"it is protected, and {what}")


def test_what_a_protected_image_allows() -> None:
    have = of_image.have(IMAGE)
    assert changed(plan_images([replace(of_image.WANT, description="x")], have)) == {"description": (None, "x")}
    plan = plan_images([replace(of_image.WANT, pools=("shared",))], have)
    steps = [step for _, _, steps in of_image.summary(plan) for step in steps]
    assert [step for step in steps if step != "label"] == ["register", "delete local", "delete local"]
    assert not any(work.destroys for work in plan.effective)
    assert plan_images([of_image.WANT], have).is_empty
    assert plan_images([replace(of_image.WANT, protected=True)], have).is_empty


def test_a_copy_that_is_not_there_does_not_count_as_the_last_one() -> None:
    have = of_image.have(IMAGE)
    nowhere = {key: frozenset[str]() for key in have.volumes if key[1] == of_image.SHARED.id}
    have = replace(have, volumes={**have.volumes, **nowhere})
    (what,) = refused(plan_images([replace(of_image.WANT, pools=("shared",))], have))
    assert "the last copy of its version 1 would be deleted" in what
    assert plan_images([replace(of_image.WANT, pools=("local",))], have).refusals == ()


def test_an_older_version_of_a_protected_image_stays_though_nothing_keeps_it() -> None:
    row = replace(WITH_OLDER, attributes={**WITH_OLDER.attributes, "retention": None})
    assert plan_images([of_image.WANT], of_image.have(row)).is_empty
    free = replace(row, attributes={**row.attributes, "protected": None})
    assert "delete shared" in str(of_image.summary(plan_images([of_image.WANT], of_image.have(free))))


def test_an_images_protection_begins_and_ends() -> None:
    for before, after in ((of_image.IMAGE, True), (IMAGE, False)):
        plan = plan_images([replace(of_image.WANT, protected=after)], of_image.have(before))
        assert changed(plan) == {"protected": (not after, after)}
        assert of_image.summary(plan) == [
            ("first", None, ["register"]),
            ("last", "node1", ["label"]),
            ("last", "node2", ["label"]),
        ]
        assert is_protected(plan.first[0].steps[0].data["row"]) is after


def test_of_an_image_whose_source_is_gone_protection_ends() -> None:
    have = of_image.have(IMAGE, cached=frozenset())
    have = replace(have, volumes=dict.fromkeys(have.volumes, frozenset()))
    assert [one.what for one in plan_images([Image(name="tiny")], have).refusals] == [
        "its file is needed again, but its source is not given"
    ]
    plan = plan_images([Image(name="tiny", protected=False)], have)
    assert [one.what for one in plan.failures] == ["its file is needed again, but its source is not given"]
    assert [steps for _, _, steps in of_image.summary(plan)] == [["register"], ["label"], ["label"]]
    assert not is_protected(plan.first[0].steps[0].data["row"])
    gone = of_image.have(of_image.IMAGE, cached=frozenset(), volumes=have.volumes)
    assert plan_images([Image(name="tiny", protected=False)], gone).refusals, "as of any other"
    assert plan_images([Image(name="tiny", state="absent")], gone).refusals == ()


@settings(max_examples=150)
@given(
    st.sampled_from([None, of_image.SHA256, of_image.OTHER]),
    st.sampled_from([None, (), ("local",), ("shared",), ("local", "shared")]),
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, True, False]),
    st.sampled_from(["present", "absent"]),
    st.sampled_from([IMAGE, WITH_OLDER]),
)
def test_no_plan_destroys_a_protected_image(
    sha256: str | None,
    pools: tuple[str, ...] | None,
    retention: int | None,
    protected: bool | None,
    state: str,
    row: Row,
) -> None:
    want = Image(
        name="tiny",
        source="/srv/tiny.qcow2",
        sha256=sha256,
        pools=pools,
        retention=retention,
        protected=protected,
        state=state,
    )
    plan = plan_images([want], of_image.have(row))
    assert not any(work.destroys for work in plan.effective)
    steps = [step for work in plan.all for step in work.steps]
    deleted = {(step.data["volume"], step.data["key"]) for step in steps if step.act == "delete"}
    for version in versions_of(row):
        assert any((version.volume_in(None), key) not in deleted for key in version.copies)
    for work in plan.first:
        for step in work.steps:
            assert newest_of(step.data["row"]).id == row.id


def test_images_tell() -> None:
    assert [one["protected"] for one in describe_images(None, of_image.have(IMAGE))] == [True]
    assert [one["protected"] for one in describe_images(None, of_image.have(of_image.IMAGE))] == [False]


# Nodes that leave

NODE_POOL = Row(
    new_id("pool"),
    "pool",
    "local",
    of_node.MTL.id,
    {"type": "directory", "path": "/srv/local", "shared": False, "deleting": False, "protected": True},
)
FREE_POOL = replace(NODE_POOL, attributes={**NODE_POOL.attributes, "protected": None})
ON_NODE = AssociationRow(NODE_POOL.id, of_node.NODE.id, {"enabled": True})


def on_node(kind: str, **more: Any) -> Row:
    return Row(new_id(kind), kind, "db", of_node.MTL.id, {"node": of_node.NODE.id, "protected": True, **more})


@pytest.mark.parametrize(
    ("members", "leaves", "is_forgotten"),
    [
        ((NODE_POOL,), False, False),
        ((replace(NODE_POOL, attributes={**NODE_POOL.attributes, "shared": True}),), True, True),
        ((FREE_POOL,), True, True),
        ((on_node("instance"),), None, False),
        ((on_node("volume"),), None, False),
        ((on_node("instance", protected=None),), None, True),
        ((on_node("instance", node="node-x"),), True, True),
        ((image_in(FREE_POOL, [of_node.NODE], protected=True), FREE_POOL), False, False),
        ((image_in(FREE_POOL, [of_node.NODE]), FREE_POOL), True, True),
    ],
    ids=["pool", "shared pool", "free pool", "instance", "volume", "free instance", "elsewhere", "image", "free image"],
)
def test_a_node_that_has_something_protected_does_not_leave(
    members: tuple[Row, ...], leaves: bool | None, is_forgotten: bool
) -> None:
    """leaves: None where it is refused as it holds something, protected or not."""
    hierarchy = replace(of_node.HIERARCHY, members=members)
    want = [Node(name="node1", state="absent")]
    plan = plan_nodes(want, replace(of_node.JOINED, hierarchy=hierarchy, pools_on=(ON_NODE,)), check_key=of_node.closed)
    if leaves is False:
        (what,) = refused(plan)
        assert what.startswith(f"{members[0].kind} {members[0].name}: it is protected, and ")
    assert bool(plan.works) is bool(leaves)
    if plan.works and members[0].kind == "image":
        assert plan.works[0].touches == ("image tiny",)
    dead = replace(of_node.DEAD, hierarchy=hierarchy, pools_on=(ON_NODE,))
    plan = plan_nodes(want, dead, check_key=of_node.closed, is_dead=True)
    assert bool(refused(plan) if not is_forgotten else plan.refusals) is not is_forgotten


# A lost registry


def test_protection_survives_a_lost_registry(model: Model, volumes: VolumeModel) -> None:
    node = of_rebuild.node(1)
    pool = replace(of_rebuild.POOL, attributes={**of_rebuild.POOL.attributes, "protected": True})
    image = replace(of_rebuild.IMAGE, attributes={**of_rebuild.IMAGE.attributes, "copies": ["a/1"], "protected": True})
    labels = dict(of_rebuild.carried(node).labels)
    labels |= labels_of_pool(pool.name, pool.id, pool.attributes) | labels_of_image(image, ["a/1"])
    labels |= volumes.labels["node1"]
    config = model.guest("web")[1].config
    config = replace(config, labels=replace(config.labels, cluster=of_rebuild.MTL.id))
    rebuilt = rebuild_registry([Carried(labels, (), (config,))])
    found = {row.kind: row for row in rebuilt.rows}
    assert {kind for kind in found if is_protected(found[kind])} == {"pool", "image", "volume", "instance"}
    assert found["pool"] == pool


def test_what_one_node_knows_as_protected_is_protected() -> None:
    """A run that was killed has told one of two nodes."""
    nodes = [of_rebuild.node(number) for number in (1, 2)]
    told = of_rebuild.carried(nodes[1], copies=("b/2",))
    protected = {**of_rebuild.POOL.attributes, "protected": True}
    image = replace(of_rebuild.IMAGE, attributes={**of_rebuild.IMAGE.attributes, "copies": ["b/2"], "protected": True})
    labels = {
        **told.labels,
        **labels_of_pool(of_rebuild.POOL.name, of_rebuild.POOL.id, protected),
        **labels_of_image(image, ["b/2"]),
    }
    rebuilt = rebuild_registry([of_rebuild.carried(nodes[0], copies=("a/1",)), replace(told, labels=labels)])
    assert {row.kind for row in rebuilt.rows if is_protected(row)} == {"pool", "image"}
    (merged,) = [row for row in rebuilt.rows if row.kind == "image"]
    assert merged.attributes["copies"] == ["a/1", "b/2"]
    assert json.loads(labels["pextra-pool/shared"])["protected"] is True


# Of the options alone, and of the engine


@pytest.mark.parametrize(
    ("table", "make"),
    [
        (pool_spec.FIELDS, Pool),
        (image_spec.FIELDS, Image),
        (volume_spec.FIELDS, volume_spec.make_volume),
        (instance_spec.FIELDS, make_vm),
    ],
    ids=["pool", "image", "volume", "instance"],
)
def test_protected_and_absent_contradict_each_other(table: Any, make: Callable[..., Any]) -> None:
    spec, (mistake,) = parse_spec(table, make, {"name": "web", "protected": True, "state": "absent"}, "vms[0]")
    assert spec is None
    assert mistake.path == "vms[0].protected"
    assert "write protected: false with state: present, run it, then write state: absent" in mistake.problem
    for protected in (None, False):
        _, mistakes = parse_spec(table, make, {"name": "web", "protected": protected, "state": "absent"}, "")
        assert mistakes == []
    made, _ = parse_spec(table, make, {"name": "web"}, "")
    assert made is not None
    assert made.protected is None, "a call changes only what it names"


def work(**more: Any) -> Work:
    return Work(**{"kind": "instance", "name": "web", "id": "inst-1", "steps": (of_step(),), **more})


def of_step() -> Any:
    (found,) = plan_nodes([Node(name="node1", state="absent")], of_node.JOINED, check_key=of_node.closed).works
    return found.steps[0]


@pytest.mark.parametrize(
    ("done", "destroys"),
    [
        (work(), False),
        (work(changes=(Change("name", "web", None),)), True),
        (work(changes=(Change("name", None, "web"),)), False),
        (work(changes=(Change("status", "available", None),)), False),
        (work(changes=(Change("image", "a", "b", "replace"),)), True),
        (work(loses=("volume x",)), True),
        (work(id="node-1", loses=("volume x",)), False),
    ],
    ids=["nothing", "removed", "made", "off a node", "replaced", "loses", "of something else"],
)
def test_the_engine_finds_what_would_be_destroyed(done: Work, destroys: bool) -> None:
    row = Row("inst-1", "instance", "web", "cls", {"protected": True})
    found = find_destroyed([done], [row])
    assert [problem.resource for problem in found] == (["instance web"] if destroys else [])
    assert find_destroyed([done], [replace(row, attributes={})]) == []


def test_the_engine_looks_at_what_steps_are_about() -> None:
    """As those of a dead node, by which its instances are forgotten."""
    have = replace(of_node.DEAD, hierarchy=replace(of_node.HIERARCHY, members=(on_node("instance", protected=None),)))
    plan = plan_nodes([Node(name="node1", state="absent")], have, check_key=of_node.closed, is_dead=True)
    row = replace(have.hierarchy.members[0], attributes={"protected": True})
    (problem,) = find_destroyed(plan.works, [row])
    assert (problem.resource, problem.remedy) == ("instance db", REMEDY)
