# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NICs that are virtual functions of a NIC of the node: which they get, how they are defined, and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import mac_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.node_devices import parse_devices
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.definition import (
    Attachment,
    parse_attachments,
)
from instance_model import PORT_GROUPS, Model, acts, whole
from node_device_texts import COMPUTER, SRIOV_HOST

FAST = Nic(name="fast", port_group="Production", sr_iov="enp3s0f0", addresses=("172.20.0.9/24",))
PORT = Nic(name="slow", port_group="DMZ")
SHARED = Root(pool="shared", size=1024)


def fresh(*hosts: str, vlan: int = 42) -> Model:
    model = Model.fresh()
    for name, node in model.nodes.items():
        node.devices = parse_devices(SRIOV_HOST if name in (hosts or ("node1",)) else [COMPUTER])
    set_vlan(model, vlan)
    return model


def set_vlan(model: Model, vlan: int) -> None:
    row = PORT_GROUPS[0]
    model.members = [
        replace(one, attributes={**one.attributes, "vlan": vlan}) if one.id == row.id else one for one in model.members
    ]


def new(name: str, *nics: Nic, **more: Any) -> Vm:
    return whole(name=name, nics=nics, **more)


def told(model: Model, *wants: Vm) -> str:
    plan = model.call(*wants)
    return " ".join(str(one) for one in (*plan.refusals, *plan.failures))


def nics_of(model: Model, name: str) -> list[Any]:
    return list(ET.fromstring(model.guest(name)[1].xml).iterfind("devices/interface"))


def functions(model: Model, name: str) -> list[str]:
    return [one.function for one in model.guest(name)[1].config.interfaces if one.function]


def test_it_is_defined_with_its_mac_and_its_vlan() -> None:
    model = fresh("node2")
    plan = model.converge(new("web", PORT, FAST))
    node, guest = model.guest("web")
    assert node == "node2"
    port, fast = nics_of(model, "web")
    assert port.get("type") == "network"
    assert fast.attrib == {"type": "hostdev", "managed": "yes"}
    mac = mac_of(guest.config.labels.id, "fast")
    assert fast.find("mac").get("address") == mac
    assert fast.find("alias").get("name") == f"ua-pextranic-{mac.replace(':', '')}"
    assert fast.find("source/address").attrib == {
        "type": "pci",
        "domain": "0x0000",
        "bus": "0x03",
        "slot": "0x02",
        "function": "0x0",
    }
    assert [tag.get("id") for tag in fast.iterfind("vlan/tag")] == ["42"]
    assert {child.tag for child in fast} == {"mac", "alias", "source", "vlan"}
    (work,) = plan.effective
    assert f"device {model.have.nodes['node2'].row.id} pci 0000:03:02.0" in work.takes
    assert {f"mac {mac}", "port_group Production", "vswitch svswitch1"} <= {*work.takes, *work.uses}
    assert [label.name for label in guest.config.labels.nics] == ["slow", "fast"]
    assert guest.config.interfaces[1].port_group == "Production"


def test_without_a_vlan_it_has_none_and_its_turn_to_boot_is_its_own() -> None:
    model = fresh(vlan=0)
    model.converge(new("web", replace(FAST, further={"boot_order": 1})))
    (fast,) = nics_of(model, "web")
    assert fast.find("vlan") is None
    assert fast.find("boot").get("order") == "1"


def test_each_gets_its_own() -> None:
    model = fresh()
    model.converge(new("a", FAST, replace(FAST, name="more", addresses=())), new("b", replace(FAST, addresses=())))
    assert functions(model, "a") == ["0000:03:02.0", "0000:03:02.1"]
    assert functions(model, "b") == ["0000:03:02.2"]
    refused = told(model, new("c", replace(FAST, addresses=())))
    assert "node1: for nics.fast it has no virtual function of its NIC enp3s0f0 left" in refused
    assert "pci 0000:03:02.2: given to instance b" in refused
    assert "node2: for nics.fast it has no NIC enp3s0f0" in refused


def test_what_is_passed_through_by_its_address_is_no_more_a_nic_for_others() -> None:
    model = fresh()
    given = {"host_devices": ({"name": "vf0", "pci": "0000:03:02.0"},)}
    model.converge(whole(name="a", further=given, node="node1"), new("b", FAST))
    assert functions(model, "b") == ["0000:03:02.1"]
    whole_nic = {"host_devices": ({"name": "pf0", "pci": "0000:03:00.0"},)}
    assert "goes to one guest together with pci 0000:03:02.0" in told(
        model, whole(name="c", further=whole_nic, node="node1")
    )


@pytest.mark.parametrize(
    ("pci", "refused"),
    [
        ("0000:03:02.0", "the device pci 0000:03:02.0 is given to it twice"),
        ("0000:03:00.0", "it is given the device pci 0000:03:02.0 beside pci 0000:03:00.0, of which that is a part"),
    ],
)
def test_one_function_is_not_given_to_one_instance_twice(pci: str, refused: str) -> None:
    """A NIC that is not named keeps its function, and another device of the instance cannot be that too."""
    model = fresh()
    model.nodes["node1"].devices = tuple(replace(one, is_free=True) for one in model.nodes["node1"].devices or ())
    model.converge(new("web", FAST))
    given = {"host_devices": ({"name": "vf", "pci": pci},)}
    assert refused in told(model, Vm(name="web", further=given))
    if pci == "0000:03:02.0":
        # Where the NIC is named as well, it gets another one.
        model.converge(new("web", FAST, further=given), allow_restart=True)
        assert functions(model, "web") == ["0000:03:02.1"]
        assert model.call(Vm(name="web", nics=(FAST,), further=given)).is_empty


def test_a_nic_without_functions() -> None:
    model = fresh()
    model.nodes["node1"].devices = parse_devices(
        [COMPUTER, *(text for text in SRIOV_HOST if "pci_0000_03_02" not in text)]
    )
    assert "its NIC enp3s0f0 has no virtual functions (they are made on the node" in told(model, new("web", FAST))


def test_a_second_run_and_a_partial_call_keep_it() -> None:
    model = fresh()
    model.converge(new("web", FAST, PORT))
    assert model.call(Vm(name="web", nics=(Nic(name="fast"), Nic(name="slow")))).is_empty
    assert model.call(Vm(name="web", nics=(FAST, PORT))).is_empty
    before = [ET.tostring(one) for one in nics_of(model, "web")]
    model.apply(model.call(Vm(name="web", description="x")))
    assert [ET.tostring(one) for one in nics_of(model, "web")] == before
    # Nor is it another's, be it that nothing is told of devices.
    model.nodes["node1"].devices = None
    assert model.call(Vm(name="web", nics=(Nic(name="fast"), Nic(name="slow")))).is_empty


def test_the_nic_of_the_node_gets_another_name() -> None:
    """The function is the same, and its label says whose it is from then on."""
    model = fresh()
    model.converge(new("web", FAST))
    node = model.nodes["node1"]
    node.devices = parse_devices([text.replace("enp3s0f0<", "fast0<") for text in SRIOV_HOST])
    renamed = Nic(name="fast", sr_iov="fast0")
    plan = model.call(Vm(name="web", nics=(renamed,)))
    assert [(one.field, one.before, one.after, one.when) for one in plan.works[0].changes] == [
        ("nics.fast.sr_iov", "enp3s0f0", "fast0", "live")
    ]
    model.apply(plan)
    assert functions(model, "web") == ["0000:03:02.0"]
    assert model.call(Vm(name="web", nics=(Nic(name="fast"),))).is_empty
    assert model.call(Vm(name="web", nics=(renamed,))).is_empty


def test_it_comes_and_goes_at_the_next_start() -> None:
    model = fresh()
    model.converge(new("web", PORT))
    wants = (
        ((PORT, FAST), "0000:03:02.0"),
        ((PORT, replace(FAST, sr_iov="")), None),
        ((replace(PORT, sr_iov="enp3s0f0"), replace(FAST, sr_iov="")), "0000:03:02.0"),
        ((replace(PORT, sr_iov=""), FAST), "0000:03:02.0"),
        ((replace(PORT, sr_iov=""),), None),
    )
    for nics, function in wants:
        want = new("web", *nics)
        plan = model.call(want)
        pending = {change.field for work in plan.works for change in work.pending}
        assert any(field.endswith(".sr_iov") for field in pending), pending
        assert not {"attach_nic", "detach_nic"} & set(acts(plan))
        model.apply(plan)
        again = model.call(want)
        assert acts(again) == []
        assert len([change for work in again.works for change in work.pending]) == len(pending)
        assert functions(model, "web") == ([function] if function else [])
        model.converge(want, allow_restart=True)
        assert [work.pending for work in model.call(want).works] == [()]


def test_its_vlan_follows_its_port_group_at_the_next_start() -> None:
    model = fresh()
    model.converge(new("web", FAST))
    set_vlan(model, 43)
    plan = model.call(new("web", FAST))
    assert acts(plan) == ["define"]
    assert [(change.field, change.before, change.after) for work in plan.works for change in work.pending] == [
        ("nics.fast.vlan", 42, 43)
    ]
    model.converge(new("web", FAST), allow_restart=True)
    (fast,) = nics_of(model, "web")
    assert [tag.get("id") for tag in fast.iterfind("vlan/tag")] == ["43"]


def test_it_moves_while_it_is_stopped_to_another_function() -> None:
    model = fresh("node1", "node2")
    model.converge(new("other", replace(FAST, addresses=()), node="node2"))
    model.converge(new("web", FAST, node="node1", root=SHARED))
    assert "do not move while it runs: pci 0000:03:02.0" in told(model, Vm(name="web", node="node2", nics=(FAST,)))
    model.converge(new("web", FAST, node="node1", root=SHARED, power="stopped"))
    assert "its NICs fast are virtual functions of node1: name nics as well" in told(
        model, Vm(name="web", node="node2")
    )
    assert "it has no NIC enp3s0f0" in told(model, Vm(name="web", node="node3", nics=(FAST,)))
    model.converge(new("web", FAST, node="node2", root=SHARED, power="stopped"))
    assert (model.guest("web")[0], functions(model, "web")) == ("node2", ["0000:03:02.1"])
    # Named without the NIC whose it is, it stays what it is.
    model.apply(model.call(Vm(name="web", node="node1", nics=(Nic(name="fast"),))))
    assert (model.guest("web")[0], functions(model, "web")) == ("node1", ["0000:03:02.0"])


def test_it_needs_no_vswitch_on_its_node() -> None:
    model = fresh()
    model.nodes["node1"].networks = set()
    model.converge(new("web", FAST))
    assert model.guest("web")[0] == "node1"


def test_what_it_cannot_have_is_refused() -> None:
    model = fresh()
    model.converge(new("web", FAST))
    refused = told(model, Vm(name="web", nics=(Nic(name="fast", further={"mtu": 9000}),)))
    assert "its NIC fast is a virtual function, which has no mtu" in refused


@pytest.mark.parametrize(
    ("nic", "mistake"),
    [
        ({"mtu": 9000}, "nics[0].mtu: is nothing that a virtual function (sr_iov) has; leave it out"),
        ({"queues": 4}, "nics[0].queues: is nothing that a virtual function (sr_iov) has"),
        ({"limits": {"bandwidth_in": "10 MiB"}}, "nics[0].limits.bandwidth_in: is nothing that"),
        ({"sr_iov": "enp3s0f0/1"}, 'nics[0].sr_iov: "enp3s0f0/1" is not the name of a network interface'),
    ],
)
def test_mistakes(nic: dict[str, Any], mistake: str) -> None:
    raw = {"name": "web", "nics": [{"port_group": "Production", "sr_iov": "enp3s0f0", **nic}]}
    vm, found = parse_vm(raw, "")
    found += find_mistakes_within(vm, "") if vm is not None else []
    assert [str(one).lstrip(".")[: len(mistake)] for one in found] == [mistake]


def test_a_container_has_none() -> None:
    raw = {"name": "web", "type": "lxc", "nics": [{"port_group": "Production", "sr_iov": "enp3s0f0"}]}
    vm, found = parse_vm(raw, "")
    assert vm is not None
    assert any("sr_iov: is nothing that a container's NIC can be" in str(one) for one in find_mistakes_within(vm, ""))
    assert found == []


def test_its_port_group_is_in_use() -> None:
    model = fresh()
    model.converge(new("web", PORT, FAST))
    assert parse_attachments(model.guest("web")[1].xml) == [
        Attachment("web", "svswitch1", "DMZ", is_ours=True),
        Attachment("web", "svswitch1", "Production", is_ours=True),
    ]
