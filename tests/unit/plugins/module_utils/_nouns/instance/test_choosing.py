# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several devices an instance gets, what it keeps, and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._model.claims import Claim
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.spec import (
    FIELDS,
    Cluster,
    find_mistakes_within,
    pools_to_register,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.node_devices import parse_devices
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import Model, acts, whole
from node_device_texts import COMPUTER, GPU_HOST, mdev, pci

MODEL = {"name": "gpu", "pci_model": "10de:2204"}
TYPE = {"name": "vgpu", "mdev_type": "nvidia-63"}
POOL = {"name": "gpu", "resource_pool": "gpus"}
SHARED = Root(pool="shared", size=1024)


def give(model: Model, **texts: list[str]) -> Model:
    for name, node in model.nodes.items():
        node.devices = parse_devices(texts.get(name, [COMPUTER]))
    return model


def fresh(**texts: list[str]) -> Model:
    return give(Model.fresh(), **(texts or {"node1": GPU_HOST}))


def named(name: str, *devices: dict[str, Any], **more: Any) -> Vm:
    return Vm(name=name, further={"host_devices": devices}, **more)


def new(name: str, *devices: dict[str, Any], **more: Any) -> Vm:
    return whole(name=name, further={"host_devices": devices}, **more)


def told(model: Model, *wants: Vm) -> str:
    plan = model.call(*wants)
    return " ".join(str(one) for one in (*plan.refusals, *plan.failures))


def has(model: Model, name: str) -> list[str]:
    """Return what an instance is defined with: the parts of addresses that tell them apart, and UUIDs."""
    found = ET.fromstring(model.guest(name)[1].xml).iterfind("devices/hostdev/source/address")
    return [one.get("uuid") or f"{one.get('bus', '')[2:]}.{one.get('function', '')[2:]}" for one in found]


def test_one_of_a_model_goes_where_one_is_and_is_kept() -> None:
    model = fresh(node2=GPU_HOST)
    plan = model.converge(new("web", MODEL))
    assert (model.guest("web")[0], has(model, "web")) == ("node2", ["65.0"])
    (work,) = plan.effective
    assert f"device {model.have.nodes['node2'].row.id} pci 0000:65:00.0" in work.takes
    # Beside what it has: another one, and no other one for the first.
    model.converge(new("web", {"name": "first", "pci": "0000:b1:00.0"}, MODEL), allow_restart=True)
    assert has(model, "web") == ["b1.0", "65.0"]
    assert model.call(named("web", {"name": "first", "pci": "0000:b1:00.0"}, MODEL)).is_empty
    assert model.call(Vm(name="web", description="x")).refusals == ()


def test_each_gets_its_own_until_none_is_left() -> None:
    model = fresh()
    model.converge(new("a", MODEL), new("b", MODEL))
    assert [has(model, name) for name in "ab"] == [["65.0"], ["b1.0"]]
    refused = told(model, new("c", MODEL))
    assert "node1: for host_devices.gpu it has no PCI device of the model 10de:2204 left" in refused
    assert "pci 0000:65:00.0: given to instance a; pci 0000:b1:00.0: given to instance b" in refused
    assert "node2: for host_devices.gpu it has no PCI device of the model 10de:2204;" not in refused
    assert "node2: for host_devices.gpu it has no PCI device of the model 10de:2204" in refused
    assert "left" in told(model, new("d", MODEL, {"name": "two", "pci_model": "10de:2204"}))


def test_two_of_one_call_need_two() -> None:
    """Who asks for two of a model is not sent where there is one."""
    one = [COMPUTER, pci("pci_0000_65_00_0", "computer", "65:00.0", "10de:2204")]
    model = fresh(node1=one, node2=GPU_HOST, node3=one)
    model.converge(new("one", MODEL), new("two", MODEL, {"name": "more", "pci_model": "10de:2204"}))
    assert (model.guest("two")[0], has(model, "two")) == ("node2", ["65.0", "b1.0"])


def test_what_goes_together_is_kept_together() -> None:
    sound = {"name": "sound", "pci_model": "10de:1aef"}
    second = [
        pci("pci_0000_66_00_0", "computer", "66:00.0", "10de:2204", group=3),
        pci("pci_0000_66_00_1", "computer", "66:00.1", "10de:1aef", group=3),
    ]
    model = fresh(node1=[*GPU_HOST, *second])
    model.converge(new("a", {"name": "gpu", "pci": "0000:66:00.0"}, sound))
    assert has(model, "a") == ["66.0", "66.1"], "the sound of the same card"
    model.converge(new("b", sound))
    refused = told(model, new("c", {"name": "gpu", "pci": "0000:65:00.0"}, node="node1"))
    assert "its device pci 0000:65:00.0 goes to one guest together with pci 0000:65:00.1" in refused
    assert "which is given to instance b" in refused
    model.converge(new("c", MODEL))
    assert has(model, "c") == ["b1.0"]


def test_what_another_run_has_claimed_is_not_chosen() -> None:
    model = fresh()
    have = model.have
    claim = Claim("inst-another", "other", (f"device {have.nodes['node1'].row.id} pci 0000:65:00.0",))
    plan = plan_vms([new("web", MODEL)], replace(have, claims=(claim,)), Consent())
    (work,) = plan.works
    assert [key for key in work.takes if key.startswith("device")] == [
        f"device {have.nodes['node1'].row.id} pci 0000:b1:00.0"
    ]


def test_what_a_stranger_has_is_given_to_nobody() -> None:
    model = fresh()
    model.nodes["node1"].lent = {"pci 0000:65:00.0": "old", "pci 0000:b1:00.0": "web"}
    refused = told(model, new("web", MODEL))
    assert "pci 0000:65:00.0: given to virtual machine old, which is not the cloud's" in refused
    assert "pci 0000:b1:00.0: given to virtual machine web, which is not the cloud's" in refused
    exact = {"name": "gpu", "pci": "0000:65:00.0"}
    assert "given to virtual machine old, which is not the cloud's" in told(model, new("web", exact, node="node1"))


def test_what_a_person_gave_an_instance_is_given_to_no_other() -> None:
    model = fresh()
    model.converge(new("web", node="node1"))
    guest = model.guest("web")[1]
    address = "<address domain='0x0000' bus='0x65' slot='0x00' function='0x0'/>"
    theirs = f"<hostdev mode='subsystem' type='pci' managed='yes'><source>{address}</source></hostdev>"
    guest.xml = guest.xml.replace("</devices>", f"{theirs}</devices>")
    model.converge(new("b", MODEL))
    assert has(model, "b") == ["b1.0"]
    assert "given to instance web" in told(model, new("c", MODEL))


def test_a_mediated_device_of_a_type() -> None:
    uuid, other = "c2177883-f1bb-47f0-914d-32a22e3a8804", "d2177883-f1bb-47f0-914d-32a22e3a8804"
    model = fresh(node1=[*GPU_HOST, mdev(other, "pci_0000_c1_00_0", "nvidia-63", 91)])
    model.converge(new("a", TYPE), new("b", {"name": "vgpu", "mdev": uuid}, node="node1"))
    assert [has(model, name) for name in "ab"] == [[other], [uuid]]
    (element,) = ET.fromstring(model.guest("b")[1].xml).iterfind("devices/hostdev")
    assert element.attrib == {"mode": "subsystem", "type": "mdev", "model": "vfio-pci"}
    assert "no active mediated device of the type nvidia-63 left" in told(model, new("c", TYPE))


def test_a_card_that_is_divided_is_given_as_a_whole_to_nobody() -> None:
    """That its mediated devices are nobody's yet, and the card fits: who asks for one of a model asks for a whole one.
    Who names it has it.
    """
    model = fresh()
    assert "pci 0000:c1:00.0: divided into mediated devices" in told(
        model, new("a", {"name": "gpu", "pci_model": "10de:2230"})
    )
    model.converge(new("b", {"name": "gpu", "pci": "0000:c1:00.0"}, node="node1"))
    assert has(model, "b") == ["c1.0"]
    assert "given, with pci 0000:c1:00.0, to instance b" in told(model, new("c", TYPE))


def test_a_part_and_what_it_is_of_are_not_given_together() -> None:
    model = fresh()
    card, part = {"name": "card", "pci": "0000:c1:00.0"}, "mdev c2177883-f1bb-47f0-914d-32a22e3a8804"
    exact = {"name": "part", "mdev": part.removeprefix("mdev ")}
    assert f"it is given the device {part} beside pci 0000:c1:00.0" in told(model, new("a", card, exact, node="node1"))
    assert "a part of pci 0000:c1:00.0, which is given to it already" in told(model, new("a", card, TYPE))


def test_one_that_is_gone_is_replaced_and_one_of_another_wish_too() -> None:
    model = fresh()
    model.converge(new("web", MODEL, power="stopped"))
    give(model, node1=[text for text in GPU_HOST if "pci_0000_65" not in text])
    model.converge(new("web", MODEL, power="stopped"))
    assert has(model, "web") == ["b1.0"]
    give(model, node1=GPU_HOST)
    assert model.call(named("web", MODEL)).is_empty
    model.converge(new("web", {"name": "gpu", "pci_model": "10de:1aef"}, power="stopped"))
    assert has(model, "web") == ["65.1"]


def test_what_it_has_stays_where_nothing_is_told_of_devices() -> None:
    model = fresh()
    model.converge(new("web", MODEL))
    model.nodes["node1"].devices = None
    assert model.call(named("web", MODEL)).is_empty
    assert "it does not tell its devices" in told(model, named("web", MODEL, {"name": "two", "pci_model": "10de:2204"}))


def test_a_running_guest_keeps_what_it_runs_with() -> None:
    model = fresh()
    model.converge(new("web", MODEL))
    plan = model.call(named("web", {"name": "gpu", "pci": "0000:b1:00.0"}))
    assert acts(plan) == ["define"]
    model.apply(plan)
    assert "pci 0000:65:00.0: given to instance web; pci 0000:b1:00.0: given to instance web" in told(
        model, new("b", MODEL)
    )


def test_it_moves_to_another_of_the_model_while_it_is_stopped() -> None:
    model = fresh(node1=GPU_HOST, node2=[COMPUTER, pci("pci_0000_07_00_0", "computer", "07:00.0", "10de:2204")])
    model.converge(new("web", MODEL, node="node1", root=SHARED))
    assert "do not move while it runs: pci 0000:65:00.0" in told(model, named("web", MODEL, node="node2"))
    model.converge(new("web", MODEL, node="node1", root=SHARED, power="stopped"))
    assert "it cannot have its devices on node3" in told(model, named("web", MODEL, node="node3"))
    model.converge(new("web", MODEL, node="node2", root=SHARED, power="stopped"))
    assert (model.guest("web")[0], has(model, "web")) == ("node2", ["07.0"])


def test_it_does_not_move_by_an_address_alone() -> None:
    """What was chosen by its model is known by its address, and that is another thing on another node."""
    there = [COMPUTER, pci("pci_0000_65_00_0", "computer", "65:00.0", "8086:1533")]
    same = [COMPUTER, pci("pci_0000_65_00_0", "computer", "65:00.0", "10de:2204")]
    model = fresh(node1=GPU_HOST, node2=there, node3=same)
    model.converge(new("web", MODEL, node="node1", root=SHARED, power="stopped"))
    before = "its device pci 0000:65:00.0 is of the model 10de:2204, and there of 8086:1533: name host_devices as well"
    assert before in told(model, Vm(name="web", node="node2"))
    model.nodes["node2"].devices = parse_devices([COMPUTER])
    assert "its device pci 0000:65:00.0 is not known on node2" in told(model, Vm(name="web", node="node2"))
    model.apply(model.call(Vm(name="web", node="node3")))
    assert model.guest("web")[0] == "node3"


EXACT = {"name": "gpu", "pci": "0000:65:00.0"}
OTHER = {"name": "gpu", "pci": "0000:b1:00.0"}


@pytest.mark.parametrize(
    ("wants", "count"),
    [
        ((named("a"), named("b", EXACT)), 1),
        ((named("b", EXACT), named("a")), 1),
        ((named("a", OTHER), named("b", EXACT)), 2),
        ((Vm(name="a", state="absent"), named("b", EXACT)), 1),
    ],
    ids=("handed over", "in the other order", "swapped", "removed"),
)
def test_a_device_changes_hands_in_two_runs(wants: tuple[Vm, ...], count: int) -> None:
    model = fresh()
    model.converge(new("a", EXACT, node="node1", power="stopped"), new("b", OTHER, node="node1", power="stopped"))
    plan = model.call(*wants)
    assert len(plan.refusals) == count
    assert all("which is to give it up in this same run" in str(one) for one in plan.refusals)
    assert all("A device changes hands in two runs" in str(one) for one in plan.refusals)


def test_after_the_first_run_the_second_gives_it() -> None:
    model = fresh()
    model.converge(new("a", EXACT, node="node1"), new("b", node="node1"))
    model.apply(model.call(named("a"), named("b", EXACT), allow_restart=True))
    model.converge(new("a", node="node1"), new("b", EXACT, node="node1"), allow_restart=True)
    assert (has(model, "a"), has(model, "b")) == ([], ["65.0"])


def pools(**more: Any) -> list[dict[str, Any]]:
    cluster, mistakes = parse_spec(FIELDS, Cluster, {"name": "mtl-1", "resource_pools": [{"name": "gpus", **more}]}, "")
    assert cluster is not None
    assert (mistakes, find_mistakes_within(cluster, "")) == ([], [])
    return pools_to_register(cluster.resource_pools or ())


@pytest.mark.parametrize(
    ("pool", "gives"),
    [
        ({"pci_model": "10de:2204", "memory": "24 GiB"}, ["65.0", "b1.0"]),
        ({"pci_model": "10de:2204", "numa": 1}, ["b1.0"]),
        ({"pci_model": "10de:1aef"}, ["65.1"]),
        ({"mdev_type": "nvidia-63"}, ["c2177883-f1bb-47f0-914d-32a22e3a8804"]),
        ({"devices": [{"node": "node1", "pci": "0000:b1:00.0"}, {"node": "node2", "pci": "0000:65:00.0"}]}, ["b1.0"]),
        (
            {"devices": [{"node": "node1", "mdev": "c2177883-f1bb-47f0-914d-32a22e3a8804"}]},
            ["c2177883-f1bb-47f0-914d-32a22e3a8804"],
        ),
        ({"pci_model": "10de:1aef", "devices": [{"node": "node1", "pci": "0000:b1:00.0"}]}, ["65.1", "b1.0"]),
    ],
)
def test_a_resource_pool_gives_what_is_in_it(pool: dict[str, Any], gives: list[str]) -> None:
    model = fresh()
    model.cluster["resource_pools"] = pools(**pool)
    names = [f"vm{number}" for number in range(len(gives))]
    model.converge(*(new(name, POOL) for name in names))
    assert [has(model, name) for name in names] == [[one] for one in gives]
    assert "it has no device of resource pool gpus" in told(model, new("more", POOL))


def test_a_resource_pool_that_becomes_smaller_takes_nothing_from_anyone() -> None:
    model = fresh()
    model.cluster["resource_pools"] = pools(pci_model="10de:2204")
    model.converge(new("web", POOL, power="stopped"))
    model.cluster["resource_pools"] = pools(pci_model="10de:2204", numa=1)
    assert model.call(named("web", POOL)).is_empty
    model.converge(new("b", POOL, power="stopped"))
    assert (has(model, "web"), has(model, "b")) == (["65.0"], ["b1.0"])
    # What is of another pool was given for that one, and what is not there is nobody's.
    model.cluster["resource_pools"] = [*pools(pci_model="10de:1aef"), {"name": "others", "pci_model": "10de:2204"}]
    assert acts(model.call(named("web", POOL))) == ["define"]
    model.cluster["resource_pools"] = pools(pci_model="10de:2204", numa=1)
    give(model, node1=[text for text in GPU_HOST if "pci_0000_65" not in text])
    assert "it has no device of resource pool gpus left" in told(model, named("web", POOL))


def test_what_another_of_the_call_names_is_left_to_it() -> None:
    """In whatever order they are given, and whether its node is named or not."""
    for where in ({"node": "node1"}, {}):
        model = fresh()
        model.converge(new("a", MODEL), new("b", EXACT, **where))
        assert (has(model, "a"), has(model, "b")) == (["b1.0"], ["65.0"])
        plan = fresh().call(new("a", MODEL), new("c", MODEL), new("b", EXACT, **where))
        assert [str(one).partition(":")[0] for one in (*plan.refusals, *plan.failures)] == ["instance c"]


def test_who_has_less_to_choose_from_chooses_first() -> None:
    model = fresh()
    model.cluster["resource_pools"] = pools(devices=[{"node": "node1", "pci": "0000:65:00.0"}])
    model.converge(new("web", {"name": "any", "pci_model": "10de:2204"}, POOL))
    assert has(model, "web") == ["b1.0", "65.0"]


def test_numbers_of_sockets_are_told_of_the_one_that_asks() -> None:
    """What keeps one from every node is not what keeps the next."""
    model = fresh()
    for node in ("node1", "node2", "node3"):
        model.converge(whole(name=f"of-{node}", node=node, further={"vsock": {"cid": 5}}))
    wants = [whole(name=f"vm{cid}", further={"vsock": {"cid": cid}}) for cid in (5, 6)]
    plan = model.call(*wants)
    assert [work.name for work in plan.works] == ["vm6"]
    assert "its device vsock 5 is given to instance of-node1" in str(plan.refusals[0])


def test_a_resource_pool_that_is_not_there() -> None:
    model = fresh()
    refused = told(model, new("web", POOL))
    assert 'cluster mtl-1 has no resource pool "gpus"' in refused
    assert "It has none yet. They are declared with the cluster (resource_pools)." in refused
    model.cluster["resource_pools"] = pools(pci_model="10de:2204")
    model.converge(new("web", POOL))
    assert "There are the resource pools gpus." in told(model, named("web", {"name": "gpu", "resource_pool": "gpu"}))
    # Without the pool its instances keep what they have.
    model.cluster["resource_pools"] = []
    assert model.call(Vm(name="web", description="x")).refusals == ()


@pytest.mark.parametrize(
    ("pool", "mistake"),
    [
        ({}, "resource_pools[0] (gpus): holds nothing; write pci_model, mdev_type or devices"),
        ({"devices": []}, "resource_pools[0] (gpus): holds nothing"),
        ({"pci_model": "2204"}, 'resource_pools[0] (gpus).pci_model: "2204" is not a model of PCI devices'),
        ({"pci_model": "10de:2204", "mdev_type": "nvidia-63"}, "resource_pools[0] (gpus).mdev_type: stands beside"),
        ({"mdev_type": "nvidia 63"}, 'resource_pools[0] (gpus).mdev_type: "nvidia 63" is not a type'),
        ({"mdev_type": "nvidia-63", "numa": 1}, "resource_pools[0] (gpus).numa: is of the devices of a model"),
        (
            {"devices": [{"node": "node1"}]},
            "resource_pools[0] (gpus).devices[0]: is one device; write either pci or mdev",
        ),
        ({"devices": [{"pci": "0000:65:00.0"}]}, "resource_pools[0] (gpus).devices[0].node: is missing"),
    ],
)
def test_mistakes_in_a_resource_pool(pool: dict[str, Any], mistake: str) -> None:
    cluster, found = parse_spec(FIELDS, Cluster, {"name": "mtl-1", "resource_pools": [{"name": "gpus", **pool}]}, "")
    found += find_mistakes_within(cluster, "") if cluster is not None else []
    assert [str(one)[: len(mistake)] for one in found] == [mistake]


def test_two_resource_pools_of_one_name() -> None:
    both = [{"name": "gpus", "pci_model": "10de:2204"}] * 2
    cluster, _ = parse_spec(FIELDS, Cluster, {"name": "mtl-1", "resource_pools": both}, "")
    assert cluster is not None
    assert [str(one) for one in find_mistakes_within(cluster, "")] == [
        'resource_pools[1] (gpus).name: "gpus" is the name of another of them'
    ]


def test_what_an_instance_has_that_was_renamed_by_hand_is_given_to_nobody() -> None:
    """Nothing is planned for it, and it still drives its devices and is written to its unit of the target."""
    model = fresh()
    unit = Volume(name="data", pool="san", unit="unit:0:0:1")
    model.converge(new("web", MODEL, volumes=(unit,), nics=(Nic(port_group="Production", mac="52:54:00:00:00:07"),)))
    have = model.have
    ((domain,),) = have.domains.values()
    other = replace(domain, config=replace(domain.config, name="old"))
    have = replace(have, domains={}, renamed=(other,))
    (work,) = plan_vms([new("b", MODEL)], have, Consent()).works
    assert f"device {have.nodes['node1'].row.id} pci 0000:b1:00.0" in work.takes
    for want, said in (
        (new("b", EXACT, node="node1"), "its device pci 0000:65:00.0 is given to instance old"),
        (new("b", volumes=(unit,)), "unit:0:0:1 of storage pool san is used by instance old"),
        (new("b", nics=(Nic(port_group="DMZ", mac="52:54:00:00:00:07"),)), "52:54:00:00:00:07 is that of instance old"),
    ):
        plan = plan_vms([want], have, Consent())
        assert said in " ".join(str(one) for one in (*plan.refusals, *plan.failures))
