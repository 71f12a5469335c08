# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of nodes that instances have: what can be given, to whom, and what of definitions is ours."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
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
from node_device_texts import GPU_HOST

GPU = {"name": "gpu", "pci": "0000:65:00.0"}
UUID = "c2177883-f1bb-47f0-914d-32a22e3a8804"
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


def runs_with(model: Model, name: str) -> list[str]:
    """Return the aliases of what the running guest has, sorted: what is plugged in comes after what was there."""
    root = ET.fromstring(model.guest(name)[1].live_xml or "")
    return sorted(alias.get("name", "") for alias in root.iterfind("devices/hostdev/alias"))


def pending(plan: Plan) -> list[str]:
    return [change.field for work in plan.works for change in work.pending]


THEIRS = "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/><product id='0x2'/></source></hostdev>"


def test_it_comes_and_goes_while_it_runs_and_others_stay() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", node="node1"))
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace("</devices>", f"{THEIRS}</devices>")
    vgpu, other = {"name": "vgpu", "mdev": UUID}, {"name": "gpu", "pci": "0000:66:00.0"}
    for call, texts in (
        (named("web", GPU), ["attach the host device gpu"]),
        (named("web", vgpu, GPU), ["attach the host device vgpu"]),
        (named("web", vgpu, other), ["detach the host device gpu", "attach the host device gpu"]),
        (named("web"), ["detach the host device vgpu", "detach the host device gpu"]),
    ):
        plan = model.call(call)
        (work,) = plan.effective
        assert [step.text for step in work.steps] == ["change the definition", *texts]
        assert [(change.field, change.when) for change in work.changes] == [("host_devices", "hot_plug")]
        assert pending(plan) == []
        model.apply(plan)
        assert model.call(call).is_empty, "in whichever order it got them"
        wanted = [f"ua-pextra-{one['name']}" for one in call.further["host_devices"]]
        assert runs_with(model, "web") == sorted(wanted)
        assert len(hostdevs(model, "web")) == 1 + len(wanted)
    assert model.call(Vm(name="web", description=None)).is_empty


def test_it_needs_no_other_order() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", GPU, DONGLE, node="node1"))
    assert model.call(named("web", DONGLE, GPU)).is_empty
    # One that a killed run has defined, and not plugged in, comes by the next.
    guest = model.guest("web")[1]
    model.apply(model.call(named("web", GPU)))
    before = (guest.live, guest.live_xml)
    model.apply(model.call(named("web", GPU, DONGLE)))
    guest.live, guest.live_xml = before
    assert [step.text for work in model.call(named("web", GPU, DONGLE)).works for step in work.steps] == [
        "attach the host device dongle"
    ]


def without_usb(xml: str) -> str:
    assert 'type="usb" model="none"' in xml
    return xml


def without_ports(xml: str) -> str:
    """All ports are in use."""
    address = '<address type="pci" bus="0x{:02x}"/>'
    count = xml.count('model="pcie-root-port"')
    for number in range(1, count + 1):
        xml = xml.replace(
            'type="pci" model="pcie-root-port"', f'type="pci" index="{number}" model="pcie-root-port" ', 1
        )
    taken = "".join(f"<disk>{address.format(number)}</disk>" for number in range(1, count + 1))
    return xml.replace("</devices>", f"{taken}</devices>")


def on_the_root_bus(xml: str) -> str:
    """From where nothing is unplugged."""
    assert 'name="ua-pextra-gpu"' in xml
    return xml.replace("</hostdev>", '<address type="pci" bus="0x00"/></hostdev>')


@pytest.mark.parametrize(
    ("has", "gets", "lives"),
    [
        ((), (DONGLE,), without_usb),
        ((), (DONGLE, GPU), without_usb),
        ((), (GPU,), without_ports),
        ((GPU,), (), on_the_root_bus),
        ((GPU,), ({**GPU, "pci": "0000:66:00.0"},), on_the_root_bus),
    ],
)
def test_what_its_machine_cannot_plug_waits_for_the_next_start(has: Any, gets: Any, lives: Any) -> None:
    model = Model.fresh()
    model.converge(with_devices("web", *has, node="node1"))
    guest = model.guest("web")[1]
    guest.live_xml = lives(guest.live_xml)
    before, call = runs_with(model, "web"), named("web", *gets)
    plan = model.call(call)
    assert acts(plan) == ["define"]
    assert [change.when for work in plan.effective for change in work.changes] == ["next_boot"]
    assert pending(plan) == ["host_devices"]
    model.apply(plan)
    assert runs_with(model, "web") == before
    again = model.call(call)
    assert (acts(again), pending(again)) == ([], ["host_devices"])
    model.apply(model.call(call, allow_restart=True))
    assert pending(model.call(call)) == []
    assert runs_with(model, "web") == sorted(f"ua-pextra-{one['name']}" for one in gets)


def test_usb_is_plugged_into_what_has_usb() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", DONGLE, node="node1"))
    for gets in ((), (DONGLE,)):
        plan = model.call(named("web", *gets))
        assert (acts(plan), pending(plan)) == (["define", "plug"], [])
        model.apply(plan)


def test_a_port_that_one_leaves_is_free_for_another() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", GPU, node="node1"))
    guest = model.guest("web")[1]
    guest.live_xml = without_ports(guest.live_xml or "")
    assert acts(model.call(named("web", {"name": "other", "pci": "0000:66:00.0"}))) == ["define", "plug", "plug"]
    two = ({"name": "other", "pci": "0000:66:00.0"}, {"name": "third", "pci": "0000:67:00.0"})
    assert acts(model.call(named("web", *two))) == ["define"]


def test_what_shares_an_iommu_group_comes_and_goes_at_the_next_start() -> None:
    model = Model.fresh()
    model.nodes["node1"].devices = parse_devices(GPU_HOST)
    model.converge(with_devices("web", node="node1"))
    sound, alone = {"name": "sound", "pci": "0000:65:00.1"}, {"name": "alone", "pci": "0000:b1:00.0"}
    assert acts(model.call(named("web", alone))) == ["define", "plug"]
    for gets in ((GPU, sound), (alone,), ()):
        model.apply(model.call(named("web", *gets)))
        before = acts(plan := model.call(named("web", *gets)))
        assert (before, pending(plan)) == (([], ["host_devices"]) if gets != () else ([], []))
        model.apply(model.call(named("web", *gets), allow_restart=True))
        assert runs_with(model, "web") == sorted(f"ua-pextra-{one['name']}" for one in gets)


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


def test_what_a_guest_does_not_let_go_of_is_no_other_s() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", GPU, node="node1"))
    guest = model.guest("web")[1]
    guest.keeps_devices = True
    plan = model.call(named("web"))
    (work,) = plan.effective
    held = f"device {model.have.nodes['node1'].row.id} pci 0000:65:00.0"
    assert held in work.takes, "until it has let go"
    model.apply(plan)
    assert hostdevs(model, "web") == []
    assert "is given to instance web" in refused(model, with_devices("b", GPU, node="node1"))
    # The next run asks again.
    again = model.call(named("web"))
    assert acts(again) == ["plug"]
    told = ("host_devices", ("name gpu; pci 0000:65:00.0",), None, "hot_plug")
    (change,) = (one for work in again.effective for one in work.changes)
    assert (change.field, change.before, change.after, change.when) == told
    guest.keeps_devices = False
    model.apply(again)
    assert model.call(named("web")).is_empty
    assert refused(model, with_devices("b", GPU, node="node1")) == ""


def test_a_device_changes_hands_in_two_runs() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", GPU, node="node1"), with_devices("b", node="node1"))
    told = refused(model, named("web"), named("b", GPU))
    assert "is given to instance web, which is to give it up in this same run" in told
    assert "once what had it has let go of it" in told
    model.apply(model.call(named("web")))
    model.apply(model.call(named("b", GPU)))
    assert (runs_with(model, "web"), runs_with(model, "b")) == ([], ["ua-pextra-gpu"])


def test_it_goes_where_the_device_is() -> None:
    model = Model.fresh()
    has, lacks = frozenset({"pci:0000:65:00.0"}), frozenset({"usb:046d:c52b"})
    want = with_devices("web", GPU)
    assert refused(model, want, node1=lacks, node2=has, node3=lacks) == ""
    told = refused(model, want, node1=lacks, node2=lacks, node3=lacks)
    assert "it has no PCI device 0000:65:00.0 that it does not need itself" in told
    assert "not one USB device 046d:c52b alone" in refused(model, with_devices("b", DONGLE, node="node2"), node2=has)


def test_what_goes_to_another_node_gets_devices_of_that_one_at_its_next_start() -> None:
    model = Model.fresh()
    model.converge(with_devices("web", node="node1", root=Root(pool="shared", size=1024)))
    plan = model.call(Vm(name="web", node="node2", further={"host_devices": (GPU,)}))
    assert "move" in acts(plan)
    assert "plug" not in acts(plan)
    assert pending(plan) == ["host_devices"]


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
