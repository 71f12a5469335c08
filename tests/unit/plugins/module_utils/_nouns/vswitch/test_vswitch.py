# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches: (what is wanted, what is there) and the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.bridge import (
    BridgeRecord,
    InterfaceRecord,
    PortRecord,
    PortVlan,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.plan import plan_port_groups
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.spec import PortGroup
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.definition import render_network
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.labels import (
    LABEL,
    LABEL_MANAGEMENT_NIC,
    networks_from_labels,
    uplink_port,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.plan.planning import plan_vswitches
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.spec import Vswitch
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.state import NetworkState
from network_model import CLUSTER, NODES, Model, Node

WANT = Vswitch(name="svswitch10", uplinks=("eth1", "eth2"))


def converged(*wants: Vswitch) -> Model:
    """Return a cluster in which the vSwitches are, with a port group on the first."""
    model = Model()
    wants = wants or (WANT,)
    model.apply(plan_vswitches(wants, model.have))
    model.apply(plan_port_groups([PortGroup(name="Production", vswitch=wants[0].name, vlan=42)], model.have))
    assert plan_vswitches(wants, model.have) == Plan()
    return model


def changes(plan: Plan) -> dict[str, dict[str, tuple[Any, Any]]]:
    return {work.label: {c.field: (c.before, c.after) for c in work.changes} for work in plan.effective}


def refusals(plan: Plan) -> list[str]:
    return [str(problem) for problem in plan.refusals]


def change_port(node: Node, **values: Any) -> None:
    bridge = node.bridges["svswitch10"]
    ports = tuple(replace(port, **values) if port.name == "uplink10" else port for port in bridge.ports)
    node.bridges["svswitch10"] = replace(bridge, ports=ports)


def test_a_new_vswitch_is_registered_first_and_made_on_every_node() -> None:
    plan = plan_vswitches([WANT], Model().have)
    assert [(work.label, work.steps[0].act) for work in plan.first] == [("vswitch svswitch10", "register")]
    assert [work.node for work in plan.works] == ["node1", "node2", "node3"]
    assert [step.act for step in plan.works[0].steps] == ["bridge", "network"]
    edit = plan.works[0].steps[0].data["edit"]
    assert edit.create
    assert edit.uplinks == ("eth1", "eth2")
    assert edit.labels[LABEL] == plan.first[0].id
    assert changes(plan)["vswitch svswitch10"]["nodes"] == (None, ["node1", "node2", "node3"])


def test_the_network_has_the_uuid_of_the_vswitch() -> None:
    model = converged()
    network = model.nodes["node1"].networks["svswitch10"].config
    assert network.uuid == uuid_of(model.row("svswitch10").id)
    assert (network.forward, network.bridge, network.virtual_port) == ("bridge", "svswitch10", "openvswitch")


@pytest.mark.parametrize("number", [1, 10, 9999999])
def test_the_name_of_the_uplink_port_fits(number: int) -> None:
    assert len(uplink_port(f"svswitch{number}")) <= 15


@pytest.mark.parametrize(
    ("want", "expected"),
    [
        (replace(WANT, uplinks=("eth1",)), {"uplinks": (["eth1", "eth2"], ["eth1"])}),
        (replace(WANT, uplinks=()), {"uplinks": (["eth1", "eth2"], [])}),
        (replace(WANT, uplinks=("eth2", "eth1")), {"preferred_uplink": ("eth1", "eth2")}),
        (replace(WANT, bond_mode="balance-slb"), {"bond_mode": ("active-backup", "balance-slb")}),
        (replace(WANT, description="Trunk"), {"labels.pextra-description": (None, "Trunk")}),
        (replace(WANT, uplinks=None), None),
    ],
)
def test_a_change_keeps_the_bridge(want: Vswitch, expected: dict[str, Any] | None) -> None:
    model = converged()
    plan = plan_vswitches([want], model.have)
    assert changes(plan).get("vswitch svswitch10 on node2") == expected
    assert not any(step.data["edit"].create for work in plan.works for step in work.steps)
    model.apply(plan)
    assert plan_vswitches([want], model.have) == Plan()


DRIFT = {
    "an uplink taken off": (
        lambda node: change_port(node, interfaces=(InterfaceRecord(name="eth1"),)),
        {"uplinks": (["eth1"], ["eth1", "eth2"])},
    ),
    "bond mode": (
        lambda node: change_port(node, bond_mode="balance-slb"),
        {"bond_mode": ("balance-slb", "active-backup")},
    ),
    "a VLAN on the uplinks": (
        lambda node: change_port(node, vlan=PortVlan(tag=7)),
        {"uplinks.vlan": ("7", "all VLANs")},
    ),
    "the preferred uplink": (
        lambda node: change_port(node, primary=None),
        {"preferred_uplink": ("not set", "eth1")},
    ),
    "a datapath that is gone": (
        lambda node: node.bridges.update(svswitch10=replace(node.bridges["svswitch10"], works=False)),
        {"bridge": ("does not come up in the datapath netdev", "works")},
    ),
    "the network stopped": (
        lambda node: node.networks.update(svswitch10=replace(node.networks["svswitch10"], active=False)),
        {"network": ("stopped", "started")},
    ),
    "the network not started with the node": (
        lambda node: node.networks.update(svswitch10=replace(node.networks["svswitch10"], autostart=False)),
        {"network.autostart": (False, True)},
    ),
    "the network undefined": (lambda node: node.networks.clear(), {"network": (None, "svswitch10")}),
    "the network made isolated": (
        lambda node: node.networks.update(
            svswitch10=NetworkState(
                xml=node.networks["svswitch10"]
                .xml.replace('<forward mode="bridge" />', "")
                .replace('<virtualport type="openvswitch" />', "")
            )
        ),
        {"network.forward": ("none", "bridge"), "network.virtual_port": ("none", "openvswitch")},
    ),
}


@pytest.mark.parametrize("name", DRIFT)
def test_drift_is_found_exactly_and_mended(name: str) -> None:
    drift, expected = DRIFT[name]
    model = converged()
    drift(model.nodes["node2"])
    plan = plan_vswitches([WANT], model.have)
    assert changes(plan) == {"vswitch svswitch10 on node2": expected}
    model.apply(plan)
    assert plan_vswitches([WANT], model.have) == Plan()
    assert model.nodes["node2"].networks["svswitch10"].config.port_groups == {"Production": PortVlan(tag=42)}


def test_a_label_taken_off_by_hand_is_put_back() -> None:
    model = converged()
    bridge = model.nodes["node3"].bridges["svswitch10"]
    model.nodes["node3"].bridges["svswitch10"] = replace(bridge, labels={})
    plan = plan_vswitches([WANT], model.have)
    id_ = model.row("svswitch10").id
    assert changes(plan) == {"vswitch svswitch10 on node3": {f"labels.{LABEL}": (None, id_)}}


def test_a_mended_network_keeps_what_we_do_not_manage() -> None:
    model = converged()
    node = model.nodes["node1"]
    xml = node.networks["svswitch10"].xml.replace("</network>", '<mtu size="9000" /></network>')
    node.networks["svswitch10"] = NetworkState(xml=xml, active=False)
    model.apply(plan_vswitches([WANT], model.have))
    assert '<mtu size="9000" />' in node.networks["svswitch10"].xml


def test_a_foreign_bridge_is_refused() -> None:
    model = Model()
    model.nodes["node2"].bridges["svswitch10"] = BridgeRecord(name="svswitch10")
    assert "has a bridge of this name that is not this vSwitch" in refusals(plan_vswitches([WANT], model.have))[0]


def test_a_bridge_of_another_registry_is_refused() -> None:
    model = converged()
    other = new_id("vswitch")
    bridge = model.nodes["node2"].bridges["svswitch10"]
    model.nodes["node2"].bridges["svswitch10"] = replace(bridge, labels={LABEL: other})
    assert other in refusals(plan_vswitches([WANT], model.have))[0]


def test_a_foreign_network_is_refused() -> None:
    model = Model()
    xml = render_network("svswitch10", "11111111-2222-3333-4444-555555555555", {})
    model.nodes["node1"].networks["svswitch10"] = NetworkState(xml=xml)
    assert "virsh net-undefine svswitch10" in refusals(plan_vswitches([WANT], model.have))[0]


def test_the_management_nic_is_refused() -> None:
    model = Model()
    model.nodes["node1"].labels[LABEL_MANAGEMENT_NIC] = "eth0"
    found = refusals(plan_vswitches([replace(WANT, uplinks=("eth0",))], model.have))
    assert len(found) == 1
    assert "cut the node off" in found[0]


def test_a_nic_of_a_foreign_bridge_is_refused() -> None:
    model = Model()
    port = PortRecord(name="eth2", interfaces=(InterfaceRecord(name="eth2"),))
    model.nodes["node3"].bridges["br0"] = BridgeRecord(name="br0", ports=(port,))
    assert (
        "node3: vswitch svswitch10: eth2 is used by the bridge br0" in refusals(plan_vswitches([WANT], model.have))[0]
    )


def test_a_nic_of_two_vswitches_is_refused_once() -> None:
    model = converged()
    found = refusals(plan_vswitches([Vswitch(name="svswitch11", uplinks=("eth2",))], model.have))
    assert len(found) == 1
    assert "eth2 would be an uplink of svswitch10 and of svswitch11" in found[0]


def test_nics_change_places_in_one_call() -> None:
    model = converged(Vswitch(name="svswitch10", uplinks=("eth1",)), Vswitch(name="svswitch11", uplinks=("eth2",)))
    wants = [Vswitch(name="svswitch10", uplinks=("eth2",)), Vswitch(name="svswitch11", uplinks=("eth1",))]
    model.apply(plan_vswitches(wants, model.have))
    assert plan_vswitches(wants, model.have) == Plan()
    assert model.nodes["node1"].bridges["svswitch10"].port("uplink10").uplinks == ("eth2",)


def test_an_unknown_node_is_refused_with_a_hint() -> None:
    found = refusals(plan_vswitches([replace(WANT, nodes=("nod1",))], Model().have))
    assert 'Did you mean "node1"?' in found[0]


def test_a_node_that_does_not_answer_is_a_failure_and_the_others_go_on() -> None:
    model = Model(down={"node2"})
    plan = plan_vswitches([WANT], model.have)
    assert [problem.node for problem in plan.failures] == ["node2"]
    model.apply(plan)
    assert "svswitch10" in model.nodes["node3"].bridges
    model.down.clear()
    model.apply(plan_vswitches([WANT], model.have))
    assert plan_vswitches([WANT], model.have) == Plan()


def test_a_new_node_gets_the_vswitch_with_its_port_groups() -> None:
    model = converged()
    model.nodes["node3"] = Node()
    model.apply(plan_vswitches([WANT], model.have))
    assert "Production" in model.nodes["node3"].networks["svswitch10"].config.port_groups
    assert plan_port_groups([PortGroup(name="Production", vlan=42)], model.have) == Plan()


def test_a_node_is_taken_out() -> None:
    model = converged()
    want = replace(WANT, nodes=("node1", NODES[1].id))
    model.apply(plan_vswitches([want], model.have))
    assert model.nodes["node3"].bridges == model.nodes["node3"].networks == {}
    assert plan_vswitches([want], model.have) == Plan()


@pytest.mark.parametrize("want", [replace(WANT, nodes=("node1",)), replace(WANT, state="absent")])
def test_it_stays_where_instances_are_attached(want: Vswitch) -> None:
    model = converged()
    model.nodes["node2"].attach("web-1", "svswitch10", "Production")
    found = refusals(plan_vswitches([want], model.have))
    assert len(found) == 1
    assert "node2: vswitch svswitch10: instances are attached to it: web-1" in found[0]


def test_removal_takes_its_port_groups_along() -> None:
    model = converged()
    model.apply(plan_vswitches([replace(WANT, state="absent")], model.have))
    assert not model.rows
    assert not any(node.bridges or node.networks for node in model.nodes.values())


def test_it_is_forgotten_only_when_it_is_gone_everywhere() -> None:
    model = converged()
    model.down.add("node1")
    absent = replace(WANT, state="absent")
    plan = plan_vswitches([absent], model.have)
    assert plan.failures
    model.apply(plan)
    assert model.row("svswitch10")
    model.down.clear()
    model.apply(plan_vswitches([absent], model.have))
    assert not model.rows


def test_absent_of_what_never_was_is_nothing() -> None:
    assert plan_vswitches([replace(WANT, state="absent")], Model().have) == Plan()


def test_a_broken_uplink_is_a_warning() -> None:
    model = converged()
    change_port(
        model.nodes["node1"],
        interfaces=(InterfaceRecord(name="eth1", error="gone"), InterfaceRecord(name="eth2", link="up")),
    )
    plan = plan_vswitches([WANT], model.have)
    assert plan.is_empty
    assert plan.warnings == ("node1: vswitch svswitch10: uplink eth1 does not work: gone",)


def test_the_registry_is_rebuilt_from_the_bridges() -> None:
    model = converged(replace(WANT, uplinks=("eth2", "eth1"), description="Trunk"))
    places = [(row, model.nodes[row.name].bridges["svswitch10"]) for row in NODES]
    assert {row.id: row for row in networks_from_labels(places)} == model.rows


def test_a_lost_registry_does_not_make_a_second_vswitch() -> None:
    model = converged()
    rows = dict(model.rows)
    model.rows.clear()
    model.apply(plan_vswitches([WANT], model.have))
    model.apply(plan_port_groups([PortGroup(name="Production", vlan=42)], model.have))
    assert model.rows == rows


@pytest.mark.parametrize("label", ["{", "[]", '{"id": "../x"}', '{"id": 5}'])
def test_labels_that_make_no_sense_are_passed_over(label: str) -> None:
    id_ = new_id("vswitch")
    bridge = BridgeRecord(name="svswitch10", labels={LABEL: id_, "pextra-port-group/x": label})
    assert [row.id for row in networks_from_labels([(NODES[0], bridge)])] == [id_]
    assert networks_from_labels([(NODES[0], replace(bridge, labels={LABEL: "nonsense"}))]) == []


def test_without_a_cluster_it_is_refused() -> None:
    found = refusals(plan_vswitches([replace(WANT, cluster="mtl-2")], Model().have))
    assert 'there is no cluster "mtl-2"' in found[0]
    assert not refusals(plan_vswitches([replace(WANT, cluster=CLUSTER.id)], Model().have))
