# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call changes only what it names: one option named changes one thing, none named changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init import parse_seed, render_seed
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import (
    CloudInit,
    Nic,
    Root,
    User,
    Volume,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import FIELDS, OPTIONS, Vm, complete_new
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from instance_model import Guest, Model, acts, whole
from instance_specs import specs
from yaml import safe_load

RICH = complete_new(
    Vm(
        name="db",
        node="node1",
        anti_affinity="db",
        vcpus=2,
        memory=256,
        image="tiny",
        root=Root(pool="shared", size=2048),
        volumes=(Volume(name="data", pool="shared", size=64), Volume(name="san", pool="san", unit="unit:0:0:1")),
        nics=(
            Nic(port_group="Production", addresses=("172.20.0.5/24",), gateway="172.20.0.1"),
            Nic(name="backup", port_group="Backup", mac="52:54:00:00:00:09"),
        ),
        cloud_init=CloudInit(hostname="other", users=(User(name="ann", hashed_password="$6$x$y"),)),
        autostart=False,
        description="The database",
        tags=("back",),
    )
)
# What else changes along with an option, because it follows from it.
FOLLOWS = {
    "nics": {"cloud_init", "addresses"},
    "volumes": set(),
    "image": {"root.size", "cloud_init"},
    "node": set(),
}


def rich() -> tuple[Model, Guest]:
    model = Model.fresh()
    model.converge(RICH)
    return model, model.guest("db")[1]


def planned(model: Model, want: Vm, **consent: bool) -> Plan:
    plan = model.call(want, **consent)
    assert (plan.refusals, plan.failures) == ((), ())
    return plan


def changed(plan: Plan) -> set[str]:
    return {change.field for work in plan.all for change in (*work.changes, *work.pending)}


def test_a_call_that_names_nothing_changes_nothing() -> None:
    assert planned(rich()[0], Vm(name="db"), allow_restart=True, force_stop=True).is_empty


@pytest.mark.parametrize(
    ("named", "fields", "steps"),
    [
        ({"power": "stopped"}, {"power"}, ["settle", "stop"]),
        ({"power": "paused"}, {"power"}, ["suspend"]),
        ({"node": "node2"}, {"node"}, ["register", "move", "settle"]),
        ({"memory": 512}, {"memory"}, ["register", "define"]),
        ({"vcpus": 4}, {"vcpus"}, ["define"]),
        ({"autostart": True}, {"autostart"}, ["autostart"]),
        ({"tags": ()}, {"tags"}, ["define", "label"]),
        ({"flavor": "small"}, {"flavor"}, ["define", "label"]),
        ({"profiles": ("base", "web")}, {"profiles"}, ["define", "label"]),
        ({"description": ""}, {"description"}, ["define", "plug"]),
        ({"anti_affinity": ""}, {"anti_affinity"}, ["register", "define", "label"]),
        ({"root": Root(size=3072)}, {"root.size"}, ["grow_volume", "define", "label"]),
        (
            {"volumes": (Volume(name="data", size=128), Volume(name="san"))},
            {"volumes.data.size"},
            ["grow_volume", "define", "label"],
        ),
        (
            {"volumes": (Volume(name="data", filesystem="ext4", mountpoint="/srv/data"), Volume(name="san"))},
            {"volumes.data.filesystem", "volumes.data.mountpoint", "cloud_init"},
            ["write_seed", "define", "label"],
        ),
        ({"volumes": (Volume(name="data"),)}, {"volumes.san.unit"}, ["define", "detach_disk", "label"]),
        ({"nics": (Nic(), Nic(name="backup", port_group="DMZ"))}, {"nics.backup.port_group"}, ["define", "replug_nic"]),
    ],
)
def test_one_option_changes_one_thing(named: dict[str, Any], fields: set[str], steps: list[str]) -> None:
    model, _ = rich()
    model = with_seed(model)
    plan = planned(model, Vm(name="db", **named))
    assert changed(plan) == fields
    assert [act for act in acts(plan) if act not in ("settle", "register")] == [
        act for act in steps if act not in ("settle", "register")
    ]
    model.apply(plan)
    assert planned(model, Vm(name="db", **named)).is_empty


def with_seed(model: Model) -> Model:
    """Give the model what the node would read back of the instance's seed."""
    guest = model.guest("db")[1]
    config = guest.config
    files = render_seed(RICH, config.labels.id, [one.mac for one in config.interfaces])
    model.seeds = {config.uuid: parse_seed(files, safe_load)}
    return model


@pytest.mark.parametrize("named", [{"cloud_init": CloudInit(hostname="other")}, {"nics": RICH.nics}])
def test_a_part_of_what_cloud_init_is_told_needs_the_rest(named: dict[str, Any]) -> None:
    model, _ = rich()
    (refusal,) = model.call(Vm(name="db", **named)).refusals
    assert "cannot be read from its seed" in refusal.what
    assert planned(with_seed(model), Vm(name="db", **named)).is_empty


def test_what_volumes_are_inside_stays_until_it_is_named() -> None:
    model, _ = rich()
    model = with_seed(model)
    model.apply(
        planned(model, Vm(name="db", volumes=(Volume(name="data", mountpoint="/srv/data"), Volume(name="san"))))
    )
    label = model.guest("db")[1].config.labels.volumes[1]
    assert (label.name, label.filesystem, label.mountpoint) == ("data", "", "/srv/data")
    same = (Volume(name="data"), Volume(name="san"))
    assert planned(model, Vm(name="db", volumes=same)).is_empty
    grown = planned(model, Vm(name="db", volumes=(replace(same[0], size=128), same[1])))
    assert changed(grown) == {"volumes.data.size"}
    assert planned(model, Vm(name="db", tags=("other",))).all[0].pending == ()
    # It goes with the volume, and by an empty text; the guest runs with the seed that it had before.
    for volumes in (same[1:], (replace(same[0], mountpoint=""), same[1])):
        plan = planned(model, Vm(name="db", volumes=volumes))
        assert "cloud_init" in changed(plan)
        assert [work.pending for work in plan.all] == [()]
    model.seeds = {}
    (refusal,) = model.call(Vm(name="db", volumes=same[1:])).refusals
    assert "cannot be read from its seed" in refusal.what


def test_a_nic_is_known_by_its_name() -> None:
    model, _ = rich()
    model = with_seed(model)
    before = {one.port_group: one.mac for one in model.guest("db")[1].config.interfaces}
    plan = planned(model, Vm(name="db", nics=(Nic(name="backup"),)))
    model.apply(plan)
    (left,) = model.guest("db")[1].config.interfaces
    assert (left.port_group, left.mac) == ("Backup", before["Backup"])
    assert [act for act in acts(plan) if "nic" in act] == ["detach_nic"]


@pytest.mark.parametrize("power", ["running", "stopped"])
def test_the_order_of_volumes_says_nothing(power: str) -> None:
    model = Model.fresh()
    volumes = tuple(Volume(name=name, pool="local", size=64) for name in ("data", "logs", "more"))
    model.converge(whole(name="db", root=Root(pool="local", size=1024), volumes=volumes, power=power))
    assert model.call(Vm(name="db", volumes=volumes[::-1])).is_empty
    new = Volume(name="new", pool="local", size=64)
    plan = planned(model, Vm(name="db", volumes=(new, *volumes[::-1])))
    assert changed(plan) == {"volumes.new.size"}
    model.apply(plan)
    assert model.call(Vm(name="db", volumes=(*volumes, new))).is_empty


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"volumes": (Volume(name="logs", size=64),)}, "its volume logs is new, and its pool is missing"),
        ({"volumes": (Volume(name="logs", pool="shared"),)}, "its volume logs is new, and its size is missing"),
        ({"nics": (*RICH.nics, Nic(name="more"))}, "its NIC more is new, and its port group is missing"),
    ],
)
def test_what_is_new_needs_all_of_it(named: dict[str, Any], problem: str) -> None:
    model, _ = rich()
    (refusal,) = with_seed(model).call(Vm(name="db", **named)).refusals
    assert refusal.what == problem


@settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
@given(
    specs("db", absent=False),
    specs("db", absent=False),
    st.sampled_from(sorted(set(FIELDS) - {"name", "state", *OPTIONS})),
)
def test_whatever_is_there_one_option_changes_nothing_else(there: Vm, other: Vm, option: str) -> None:
    model = Model.fresh()
    plan = model.plan(there)
    assume(not plan.refusals and not plan.failures)
    model.apply(plan)
    assert planned(model, Vm(name="db")).is_empty
    named = Vm(name="db", **{option: getattr(other, option)})
    if option in ("nics", "cloud_init"):
        return  # needs the seed: in the tables above
    plan = model.call(named, force_stop=True, allow_restart=True)
    assume(not plan.refusals and not plan.failures)
    words = {"root": "root", "volumes": "volumes", "image": "image"}
    allowed = {words.get(option, option), *FOLLOWS.get(option, set())}
    assert all(any(field == word or field.startswith(f"{word}.") for word in allowed) for field in changed(plan))
    before = model.guest("db")[1].config
    model.apply(plan)
    after = model.guest("db")[1].config
    if option != "memory":
        assert after.memory == before.memory
    if option not in ("volumes", "root", "image", "node"):
        assert after.disks == before.disks
    assert after.interfaces == before.interfaces
    for name in ("tags", "flavor", "profiles", "created"):
        assert option == name or getattr(after.labels, name) == getattr(before.labels, name)
    if option != "image":
        assert after.labels.seed == before.labels.seed


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"further": {"memory_max": 256}}, "memory_max: is 256 MiB, and memory is 512 MiB"),
        (
            {"further": {"numa": ({"vcpus": (0,), "memory": 1024},)}},
            "numa: its cells have 1024 MiB together, and",
        ),
        ({"memory": 64, "further": {"numa": ({"vcpus": (0, 1), "memory": 64},)}}, "numa: its cells hold the virtual"),
        (
            {"volumes": (Volume(name="data", pool="local", size=1, further={"wwn": "5000c500a1b2c3d4"}),)},
            "volumes[0] (data).wwn: is for the buses scsi and sata, and the bus is virtio",
        ),
    ],
)
def test_what_a_new_one_gets_goes_together_with_what_is_said(said: dict[str, Any], told: str) -> None:
    (refusal,) = Model.fresh().call(Vm(name="new", **said)).refusals
    assert refusal.what.startswith(told)
