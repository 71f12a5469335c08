# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of nodes that instances have: what can be given, to whom, and what of definitions is ours."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.node_devices import parse_devices, words_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import Model, acts, whole

GPU = {"name": "gpu", "pci": "0000:65:00.0"}
DONGLE = {"name": "dongle", "usb": "046d:c52b"}


def device(name: str, parent: str, capability: str) -> str:
    return f"<device><name>{name}</name><parent>{parent}</parent>{capability}</device>"


def pci(name: str, parent: str, bus: int, slot: int, function: int = 0) -> str:
    place = f"<domain>0</domain><bus>{bus}</bus><slot>{slot}</slot><function>{function}</function>"
    return device(name, parent, f"<capability type='pci'>{place}</capability>")


def usb(name: str, parent: str, vendor: str, product: str) -> str:
    ids = f"<vendor id='0x{vendor}'>Maker</vendor><product id='0x{product}'/>"
    return device(name, parent, f"<capability type='usb_device'><bus>1</bus><device>2</device>{ids}</capability>")


HOST = [
    "<device><name>computer</name><capability type='system'/></device>",
    pci("pci_0000_65_00_0", "computer", 0x65, 0),
    # A disk hangs on a controller by some steps, on a stick of USB as well.
    pci("pci_0000_00_1f_2", "computer", 0, 0x1F, 2),
    device("scsi_host0", "pci_0000_00_1f_2", "<capability type='scsi_host'><host>0</host></capability>"),
    device("block_sda", "scsi_host0", "<capability type='storage'><block>/dev/sda</block></capability>"),
    pci("pci_0000_00_14_0", "computer", 0, 0x14),
    usb("usb_1_1", "pci_0000_00_14_0", "0781", "5581"),
    device("block_sdb", "usb_1_1", "<capability type='storage'><block>/dev/sdb</block></capability>"),
    pci("pci_0000_02_00_0", "computer", 2, 0),
    device("net_eth0", "pci_0000_02_00_0", "<capability type='net'><link speed='1000' state='up'/></capability>"),
    pci("pci_0000_02_00_1", "computer", 2, 0, 1),
    device("net_eth1", "pci_0000_02_00_1", "<capability type='net'><link state='down'/></capability>"),
    pci("pci_0000_03_00_0", "computer", 3, 0),
    usb("usb_2_1", "pci_0000_03_00_0", "046d", "c52b"),
    usb("usb_2_2", "pci_0000_03_00_0", "1050", "0407"),
    usb("usb_2_3", "pci_0000_03_00_0", "1050", "0407"),
]


def test_what_a_node_needs_itself_or_cannot_tell_apart_is_not_given() -> None:
    assert words_of(parse_devices(HOST)) == {
        "pci:0000:65:00.0",
        "pci:0000:02:00.1",
        "pci:0000:03:00.0",
        "usb:046d:c52b",
    }


def with_devices(name: str, *devices: dict[str, Any], **more: Any) -> Vm:
    return whole(name=name, further={"host_devices": devices}, **more)


def named(name: str, *devices: dict[str, Any]) -> Vm:
    return Vm(name=name, further={"host_devices": devices})


def refused(model: Model, *wants: Vm, **abilities: frozenset[str]) -> str:
    have = model.have
    nodes = {name: replace(state, abilities=abilities.get(name)) for name, state in have.nodes.items()}
    plan = plan_vms(wants, replace(have, nodes=nodes), Consent())
    return " ".join(str(one) for one in (*plan.refusals, *plan.failures))


def hostdevs(model: Model, name: str) -> list[Any]:
    return list(ET.fromstring(model.guest(name)[1].xml).iterfind("devices/hostdev"))


def test_a_device_is_defined() -> None:
    model = Model.fresh()
    plan = model.converge(with_devices("web", GPU, DONGLE, node="node1"))
    gpu, dongle = hostdevs(model, "web")
    assert gpu.attrib == {"mode": "subsystem", "type": "pci", "managed": "yes"}
    assert gpu.find("source/address").attrib == {
        "domain": "0x0000",
        "bus": "0x65",
        "slot": "0x00",
        "function": "0x0",
    }
    assert dongle.find("source/vendor").get("id") == "0x046d"
    assert dongle.find("source/product").get("id") == "0xc52b"
    assert [one.find("alias").get("name") for one in (gpu, dongle)] == ["ua-pextra-gpu", "ua-pextra-dongle"]
    assert "qemu-xhci" in model.guest("web")[1].xml, "USB needs a controller"
    (work,) = plan.effective
    node = model.have.nodes["node1"].row.id
    assert {f"device {node} pci 0000:65:00.0", f"device {node} usb 046d:c52b"} <= set(work.takes)


def test_it_comes_and_goes_at_the_next_start_and_others_stay() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", node="node1"))
    guest = model.guest("web")[1]
    assert "qemu-xhci" not in guest.xml
    theirs = "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/><product id='0x2'/></source></hostdev>"
    guest.xml = guest.xml.replace("</devices>", f"{theirs}</devices>")
    for call, count in ((named("web", GPU), 2), (named("web", GPU, DONGLE), 3), (named("web"), 1)):
        plan = model.call(call)
        assert acts(plan) == ["define"]
        assert [change.field for work in plan.works for change in work.pending] == ["host_devices"]
        model.apply(plan)
        again = model.call(call)
        assert again.is_empty or acts(again) == []
        assert len(hostdevs(model, "web")) == count
        model.apply(model.call(call, allow_restart=True))
        assert [work.pending for work in model.call(call).works] == [()]
    assert model.call(Vm(name="web", description=None)).is_empty


def test_no_two_have_one_device() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", GPU, node="node1", power="stopped"))
    assert "its device pci 0000:65:00.0 is given to instance web" in refused(
        model, with_devices("b", GPU, node="node1")
    )
    model.converge(whole(name="other", node="node1"))
    assert "the device pci 0000:65:00.0 of its node is given to instance web" in refused(model, named("other", GPU))
    # Of another node it is another device; and each of a call gets its own.
    model.converge(with_devices("c", GPU), with_devices("d", GPU))
    assert {model.guest(name)[0] for name in ("web", "c", "d")} == {"node1", "node2", "node3"}
    assert "is given to instance" in refused(model, with_devices("e", GPU))


def test_a_running_guest_keeps_its_device_from_others_until_its_next_start() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", GPU, node="node1"))
    model.apply(model.call(named("web")))
    assert "is given to instance web" in refused(model, with_devices("b", GPU, node="node1"))
    model.apply(model.call(named("web"), allow_restart=True))
    assert refused(model, with_devices("b", GPU, node="node1")) == ""


def test_it_goes_where_the_device_is() -> None:
    model = Model.fresh()
    has, lacks = frozenset({"pci:0000:65:00.0"}), frozenset({"usb:046d:c52b"})
    want = with_devices("web", GPU)
    assert refused(model, want, node1=lacks, node2=has, node3=lacks) == ""
    told = refused(model, want, node1=lacks, node2=lacks, node3=lacks)
    assert "it has no PCI device 0000:65:00.0 that it does not need itself" in told
    assert "not one USB device 046d:c52b alone" in refused(model, with_devices("b", DONGLE, node="node2"), node2=has)


def test_it_moves_only_while_it_is_stopped() -> None:
    model = Model.fresh()
    root = Root(pool="shared", size=1024)
    model.converge(with_devices("web", GPU, node="node1", root=root))
    told = refused(model, Vm(name="web", node="node2"))
    assert "it has devices of node1, which do not move while it runs: pci 0000:65:00.0" in told
    model.converge(with_devices("web", GPU, node="node1", root=root, power="stopped"))
    assert "it has no PCI device" in refused(model, Vm(name="web", node="node2"), node2=frozenset())
    assert "its device pci 0000:65:00.0 is not known on node1" in refused(model, Vm(name="web", node="node2"))
    for name in ("node1", "node2"):
        model.nodes[name].devices = parse_devices(HOST)
    model.apply(model.call(Vm(name="web", node="node2")))
    assert model.guest("web")[0] == "node2"


@pytest.mark.parametrize(
    ("devices", "mistake"),
    [
        (
            [{"name": "gpu"}],
            "host_devices[0] (gpu): is one device; write one of pci, usb, mdev, pci_model, mdev_type, resource_pool",
        ),
        ([{**GPU, "usb": "046d:c52b"}], "host_devices[0] (gpu): is one device; write one of pci, usb, mdev"),
        ([GPU, {**GPU, "name": "other"}], "host_devices[1] (other).pci: is given twice"),
        ([GPU, {**DONGLE, "name": "gpu"}], 'host_devices[1] (gpu).name: "gpu" is the name of another of them'),
        ([{**GPU, "pci": "65:00.0"}], 'host_devices[0] (gpu).pci: "65:00.0" is not the address of a PCI device'),
        ([{**DONGLE, "usb": "046D:C52B"}], 'host_devices[0] (dongle).usb: "046D:C52B" is not a USB device'),
        ([{**GPU, "name": "g.pu"}], 'host_devices[0] (g.pu).name: "g.pu" cannot be its name'),
    ],
)
def test_mistakes(devices: list[dict[str, Any]], mistake: str) -> None:
    vm, found = parse_vm({"name": "web", "host_devices": devices}, "")
    found += find_mistakes_within(vm, "") if vm is not None else []
    assert [str(one)[: len(mistake)] for one in found] == [mistake]
