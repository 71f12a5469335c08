# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is there and whatever is wanted: once a plan is applied, wherever it was cut, the next plan is empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._engine.telling import tell
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import edit_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import CloudInit, Nic, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import FIELDS as OPTIONS
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from instance_model import Guest, Model, whole
from instance_specs import NAMES, specs
from told_diff import require_same

FIELDS = (
    *("node", "node", "nics", "nics", "anti_affinity", "vcpus", "memory", "cloud_init", "autostart", "power"),
    *("volumes", "size", "description", "tags", "state", "image"),
)
CONSENT = {"allow_restart": True, "force_stop": True, "remove_volumes": True}


@st.composite
def changed(draw: st.DrawFn, vm: Vm) -> Vm:
    """A spec that differs in some fields only, so that there is something to change rather than to refuse."""
    other = draw(specs(vm.name))
    names = draw(st.sets(st.sampled_from(FIELDS), min_size=draw(st.integers(0, 2)), max_size=5))
    grown = tuple(
        replace(volume, size=volume.size + 512) if volume.size is not None else volume for volume in vm.volumes
    )
    vm = replace(vm, volumes=grown) if "size" in names else vm
    return replace(vm, **{name: getattr(other, name) for name in names - {"size"}})


def _stop(guest: Guest) -> None:
    guest.live, guest.power = None, "stopped"


def _pause(guest: Guest) -> None:
    if guest.live is not None:
        guest.power = "paused"


def _edit_memory(guest: Guest) -> None:
    guest.xml = edit_domain(guest.xml, replace(guest.config, memory=96))


def _unplug(guest: Guest) -> None:
    if guest.live is not None:
        guest.live = replace(guest.live, interfaces=guest.live.interfaces[1:])


def _take_disks_out(guest: Guest) -> None:
    guest.xml = edit_domain(guest.xml, replace(guest.config, disks=()))


def _undefine(guest: Guest) -> None:
    guest.persistent = guest.autostart = False


DRIFTS: list[Callable[[Guest], None]] = [_stop, _pause, _edit_memory, _unplug, _take_disks_out, _undefine]


@st.composite
def situations(draw: st.DrawFn) -> tuple[Model, list[Vm]]:
    """A cluster with some instances, with what hands have done to them, and what is wanted now."""
    model = Model.fresh()
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    before = [draw(specs(name, absent=False)) for name in names]
    before = [vm for vm in before if not model.plan(vm).refusals]
    assume(before)
    plan = model.plan(*before)
    assume(not plan.refusals and not plan.failures)
    if draw(st.integers(0, 9)):
        model.apply(plan)
        for node in model.nodes.values():
            for uuid, guest in list(node.guests.items()):
                if draw(st.integers(0, 4)) == 0:
                    draw(st.sampled_from(DRIFTS))(guest)
                if not guest.persistent and guest.power == "stopped":
                    del node.guests[uuid]
    return model, [draw(changed(vm)) for vm in before]


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(situations(), st.sampled_from([{}, CONSENT, {"allow_restart": True}]))
def test_one_run_is_enough(situation: tuple[Model, list[Vm]], consent: dict[str, bool]) -> None:
    model, wants = situation
    plan = model.plan(*wants, **consent)
    assume(not plan.refusals and not plan.failures)
    model.apply(plan)
    again = model.plan(*wants, **consent)
    assert (again.effective, again.refusals, again.failures) == ((), (), ())
    for vm in wants:
        if vm.state == "present":
            node, guest = model.guest(vm.name)
            assert vm.node in (None, node)
            assert vm.power in (None, guest.power)
            assert guest.autostart is vm.autostart
            assert (guest.live is None) == (guest.power == "stopped")


# What changes of an instance beside its options.
_BESIDE = {"addresses", "registered", "labels", "cloud_init", "cloud_init.once", "cloud_init.old_seeds"}


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(situations(), st.sampled_from([{}, CONSENT, {"allow_restart": True}]))
def test_changes_are_told_as_the_diff_says_them(situation: tuple[Model, list[Vm]], consent: dict[str, bool]) -> None:
    model, wants = situation
    plan = model.plan(*wants, **consent)
    assume(not plan.refusals and not plan.failures)
    require_same(plan)
    told = tell(plan)
    for one in (*told["changes"], *told["pending"]):
        assert is_option(one["option"]) or one["option"] in _BESIDE or one["option"].endswith((".attached", ".offload"))
        assert (one["when"] == "hot_plug") <= runs(model, one["name"]), "there is nothing to plug into"
    assert {one["when"] for one in told["pending"]} <= {"next_boot"}
    model.apply(plan)
    assert tell(model.plan(*wants, **consent))["changes"] == []


def is_option(path: str) -> bool:
    """Tell whether an option is written so, with what stands in a list by its name; and of disks, which have no option
    of their own, by the volume's.
    """
    table: Any = OPTIONS
    parts = path.split(".")
    while parts:
        field = table.get(parts.pop(0))
        if field is None:
            return path.startswith("disks.")
        if field.element is not None and field.element.table is not None and parts:
            parts.pop(0)
            table = field.element.table
        else:
            table = field.table or {}
    return True


def runs(model: Model, name: str) -> bool:
    return any(
        guest.live is not None
        for node in model.nodes.values()
        for guest in node.guests.values()
        if guest.config.name == name
    )


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(situations(), st.sampled_from([{}, CONSENT, {"allow_restart": True}]))
def test_a_killed_run_is_finished_by_the_next(situation: tuple[Model, list[Vm]], consent: dict[str, bool]) -> None:
    """Cut after every part of every step: the next run ends in the same state as one that was not cut."""
    start, wants = situation
    plan = start.plan(*wants, **consent)
    assume(not plan.refusals and not plan.failures)
    _cut_everywhere(start, wants, consent)


DB = whole(
    name="db",
    node="node1",
    image="tiny",
    root=Root(pool="shared", size=2048, mode="copy"),
    volumes=(Volume(name="data", pool="shared", size=64),),
    nics=(Nic(port_group="Production"),),
)
BARE = whole(name="web-1", power="stopped")


@pytest.mark.parametrize("power", ["running", "paused", "stopped"])
@pytest.mark.parametrize(
    ("change", "consent"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"image": "huge"}, CONSENT, id="another image"),
        pytest.param({"image": None}, CONSENT, id="no image"),
        pytest.param({"memory": 96, "vcpus": 2}, {"allow_restart": True}, id="restart"),
        pytest.param({"memory": 96}, CONSENT, id="forced restart"),
        pytest.param({"memory": 96}, {}, id="pending"),
        pytest.param({"node": "node2"}, {}, id="move"),
        pytest.param({"node": "node2", "memory": 96}, CONSENT, id="move and restart"),
        pytest.param({"node": "node2", "power": "running"}, {}, id="move and run"),
        pytest.param({"node": "node2", "power": "paused"}, {}, id="move and pause"),
        pytest.param({"node": "node2", "power": "stopped", "autostart": False}, {}, id="move and stop"),
        pytest.param({"root": replace(DB.root, size=3072)}, {}, id="grow"),  # type: ignore[type-var]
        pytest.param({"volumes": (Volume(name="logs", pool="shared", size=64),)}, {}, id="other volume"),
        pytest.param({"volumes": ()}, {}, id="no volume"),
        pytest.param({"nics": (Nic(port_group="DMZ"), Nic(port_group="Backup"))}, {}, id="nics"),
        pytest.param({"cloud_init": CloudInit(hostname="other")}, {}, id="seed"),
        pytest.param({"cloud_init": CloudInit(hostname="other")}, CONSENT, id="seed and restart"),
        pytest.param({"state": "absent"}, {"force_stop": True}, id="absent"),
        pytest.param({"state": "absent"}, CONSENT, id="absent with volumes"),
    ],
)
def test_every_kind_of_change_can_be_killed(power: str, change: dict[str, Any], consent: dict[str, bool]) -> None:
    model = Model.fresh()
    model.converge(replace(DB, power=power), BARE)
    _cut_everywhere(model, [BARE, replace(DB, **change)], consent)


@pytest.mark.parametrize("power", [None, "running", "paused", "stopped"])
def test_creation_can_be_killed(power: str | None) -> None:
    _cut_everywhere(Model.fresh(), [replace(DB, power=power), BARE, whole(name="web-2", power=power)], {})


@pytest.mark.parametrize("mode", [None, "copy"])
@pytest.mark.parametrize("pool", ["local", "shared", "ceph", "vg0", "tank"])
def test_creation_in_each_type_of_pool_can_be_killed(pool: str, mode: str | None) -> None:
    root, volume = Root(pool=pool, size=2048, mode=mode), Volume(name="data", pool=pool, size=64)
    unit = Volume(name="san", pool="san", unit="unit:0:0:1")
    _cut_everywhere(Model.fresh(), [replace(DB, root=root, volumes=(volume, unit)), BARE], {})


@pytest.mark.parametrize("power", ["running", "stopped"])
@pytest.mark.parametrize("pool", ["ceph", "vg0", "tank"])
@pytest.mark.parametrize(
    ("change", "consent"),
    [
        pytest.param({"image": "huge"}, CONSENT, id="another image"),
        pytest.param({"volumes": ()}, {}, id="no volumes"),
        pytest.param({"cloud_init": CloudInit(hostname="other")}, CONSENT, id="seed and restart"),
        pytest.param({"state": "absent"}, CONSENT, id="absent with volumes"),
    ],
)
def test_changes_in_each_type_of_pool_can_be_killed(
    pool: str, power: str, change: dict[str, Any], consent: dict[str, bool]
) -> None:
    volumes = (Volume(name="data", pool=pool, size=64), Volume(name="san", pool="san", unit="unit:0:0:1"))
    vm = replace(DB, root=Root(pool=pool, size=2048), volumes=volumes, power=power)
    model = Model.fresh()
    model.converge(vm, BARE)
    _cut_everywhere(model, [BARE, replace(vm, **change)], consent)


@pytest.mark.parametrize("power", ["running", "paused", "stopped"])
def test_a_move_on_ceph_can_be_killed(power: str) -> None:
    volumes = (Volume(name="data", pool="ceph", size=64), Volume(name="san", pool="san", unit="unit:0:0:1"))
    vm = replace(DB, root=Root(pool="ceph", size=2048), volumes=volumes, power=power)
    model = Model.fresh()
    model.converge(vm, BARE)
    grown = (replace(volumes[0], size=128), volumes[1])
    _cut_everywhere(model, [BARE, replace(vm, node="node2", volumes=grown)], {})


def _cut_everywhere(start: Model, wants: list[Vm], consent: dict[str, bool]) -> None:
    clean = start.copy()
    plan = start.plan(*wants, **consent)
    assert (plan.refusals, plan.failures) == ((), ())
    parts = clean.apply(plan)
    lost = [work.name for work in plan.all if work.loses]
    for cut in range(1, parts + 1):
        model = start.copy()
        model.apply(plan, parts=cut)
        rest = model.plan(*wants, **consent)
        assert (rest.refusals, rest.failures) == ((), ()), cut
        model.apply(rest)
        again = model.plan(*wants, **consent)
        assert (again.effective, again.refusals, again.failures) == ((), (), ()), cut
        assert model.state == clean.state, cut
        assert _contents(model, start, lost) == _contents(clean, start, lost), cut


def _contents(model: Model, start: Model, lost: list[str]) -> dict[str, str]:
    """Return what is in the volumes that were there from the beginning, but for those that were to be destroyed."""
    return {
        f"{node}/{pool}/{name}": volume.content
        for node in model.nodes
        for pool in model.nodes[node].pools
        for name, volume in model.volumes(node, pool).items()
        if name in start.nodes[node].pools[pool] and name.split(".")[0] not in lost and ".seed-" not in name
    }
