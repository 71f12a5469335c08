# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges, networks and port groups that were there before: (what is declared, what is there) and the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.bridge import (
    BridgeRecord,
    InterfaceRecord,
    PortRecord,
    access,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.plan import plan_port_groups
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.spec import PortGroup
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.foreign import describe_strangers
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.labels import (
    LABEL,
    LABEL_ADOPTED,
    networks_from_labels,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.plan.planning import plan_vswitches
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.spec import Vswitch, parse_vswitch_spec
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.state import NetworkState
from network_model import NODES, Model

NAME = "ovsbr0"
WANT = Vswitch(name=NAME, adopt=True)
GROUP = PortGroup(name="Production", vswitch=NAME, adopt=True)
UUIDS = {f"node{n}": f"0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1a0{n}" for n in (1, 2, 3)}
GROUPS = (
    "<portgroup name='Production'><vlan><tag id='42'/></vlan></portgroup>"
    "<portgroup name='Native'><vlan trunk='yes'><tag id='0'/></vlan></portgroup>"
    "<portgroup name='Trunk'><vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan></portgroup><portgroup name='All'/>"
)
NIC = PortRecord(name="eth1", interfaces=(InterfaceRecord(name="eth1", link="up"),))
BOND = PortRecord(
    name="uplinkovsbr0",
    bond_mode="active-backup",
    interfaces=(InterfaceRecord(name="eth1"), InterfaceRecord(name="eth2")),
    primary="eth2",
)


def network(node: str, *, bridge: str = NAME, port: str = "openvswitch", more: str = "") -> str:
    return (
        f"<network><name>{NAME}</name><uuid>{UUIDS[node]}</uuid><forward mode='bridge'/><bridge name='{bridge}'/>"
        f"<virtualport type='{port}'/>{GROUPS}{more}</network>"
    )


def there(*nodes: str, with_network: bool = True, ports: tuple[PortRecord, ...] = (NIC,), **bridge: Any) -> Model:
    """Return a cluster of which these nodes have a foreign bridge, with a guest on its network's VLAN 42."""
    model = Model()
    for name in nodes:
        node = model.nodes[name]
        node.bridges[NAME] = BridgeRecord(name=NAME, ports=(PortRecord(name=NAME), *ports), **bridge)
        if with_network:
            node.networks[NAME] = NetworkState(xml=network(name))
            node.attach("old-web", NAME, "Production")
            node.foreign.add("old-web")
    return model


def shape(model: Model) -> dict[str, Any]:
    """Return what must stay: everything but our labels."""
    return {
        name: (
            {key: replace(bridge, labels={}) for key, bridge in node.bridges.items()},
            dict(node.networks),
        )
        for name, node in model.nodes.items()
    }


def acts(plan: Plan) -> dict[str, list[str]]:
    return {work.label: [step.text for step in work.steps] for work in plan.effective}


def refusals(plan: Plan) -> str:
    return "\n".join(str(problem) for problem in plan.refusals)


def adopted(*nodes: str, **more: Any) -> Model:
    model = there(*(nodes or ("node1", "node2")), **more)
    model.apply(plan_vswitches([WANT], model.have))
    return model


def test_a_bridge_is_taken_with_its_network_as_it_is() -> None:
    model = there("node1", "node3")
    before = shape(model)
    plan = plan_vswitches([WANT], model.have)
    taking = ["adopt its bridge"]
    assert acts(plan) == {
        f"vswitch {NAME}": ["register"],
        f"vswitch {NAME} on node1": taking,
        f"vswitch {NAME} on node3": taking,
    }
    edit = plan.works[0].steps[0].data["edit"]
    assert (edit.create, edit.uplinks) == (False, None)
    shown = [(one.field, one.before, one.after) for one in plan.works[0].changes]
    assert shown == [("adopted", "no", "yes"), ("network.uuid", None, UUIDS["node1"])]
    model.apply(plan)
    assert shape(model) == before
    row = model.row(NAME)
    assert (row.attributes["uplinks"], row.attributes["nodes"]) == ([], sorted([NODES[0].id, NODES[2].id]))
    for node in ("node1", "node3"):
        labels = model.nodes[node].bridges[NAME].labels
        assert (labels[LABEL], labels[LABEL_ADOPTED]) == (row.id, UUIDS[node])
    for want in (WANT, Vswitch(name=NAME), replace(WANT, nodes=("node1", "node3"), uplinks=())):
        assert plan_vswitches([want], model.have) == Plan()
    assert describe_strangers(model.have) == []


def test_without_a_network_it_gets_one() -> None:
    model = there("node2", with_network=False)
    plan = plan_vswitches([WANT], model.have)
    assert acts(plan)[f"vswitch {NAME} on node2"] == ["adopt its bridge", "define and start its network"]
    model.apply(plan)
    assert model.nodes["node2"].networks[NAME].config.uuid == uuid_of(model.row(NAME).id)
    assert plan_vswitches([WANT], model.have) == Plan()


def test_a_network_that_is_stopped_is_started_and_starts_with_its_node() -> None:
    model = there("node1")
    model.nodes["node1"].networks[NAME] = NetworkState(xml=network("node1"), active=False, autostart=False)
    plan = plan_vswitches([WANT], model.have)
    assert {one.field for one in plan.works[0].changes} == {"adopted", "network.uuid", "network", "network.autostart"}
    model.apply(plan)
    assert model.nodes["node1"].networks[NAME].config.uuid == UUIDS["node1"]
    assert plan_vswitches([WANT], model.have) == Plan()


def test_its_uplinks_are_those_that_a_port_of_ours_would_have() -> None:
    model = there("node1", ports=(BOND,))
    model.apply(plan_vswitches([WANT], model.have))
    assert model.row(NAME).attributes["uplinks"] == ["eth2", "eth1"]
    assert (
        plan_vswitches(
            [
                WANT,
            ],
            model.have,
        )
        == Plan()
    )


def test_a_lost_registry_finds_it_again() -> None:
    model = adopted()
    bridges = [(row, model.nodes[row.name].bridges[NAME]) for row in NODES[:2]]
    rows = networks_from_labels(bridges)
    assert [row.id for row in rows] == [model.row(NAME).id]
    model.rows = {row.id: row for row in rows}
    assert plan_vswitches([WANT], model.have) == Plan()
    model.rows = {}
    plan = plan_vswitches([WANT], model.have)
    assert list(acts(plan)) == [f"vswitch {NAME}"]
    model.apply(plan)
    assert list(model.rows) == [rows[0].id]


@pytest.mark.parametrize("adopt", [True, None])
def test_without_a_registry_it_stays_as_its_bridge_is(adopt: bool | None) -> None:
    """What a call does not name: its uplinks, how they share the work, and its description."""
    model = adopted("node1", "node2", ports=(replace(BOND, bond_mode="balance-slb"),))
    model.apply(plan_vswitches([replace(WANT, description="old")], model.have))
    row, before = model.row(NAME), shape(model)
    assert (row.attributes["uplinks"], row.attributes["bond_mode"]) == (["eth2", "eth1"], "balance-slb")
    model.rows = {}
    plan = plan_vswitches([replace(WANT, adopt=adopt, nodes=("node1", "node2"))], model.have)
    assert list(acts(plan)) == [f"vswitch {NAME}"]
    model.apply(plan)
    assert (model.row(NAME), shape(model)) == (row, before)


def test_a_network_that_was_taken_away_is_made_with_the_uuid_that_it_had() -> None:
    model = adopted("node1")
    del model.nodes["node1"].networks[NAME]
    model.apply(plan_vswitches([WANT], model.have))
    assert model.nodes["node1"].networks[NAME].config.uuid == UUIDS["node1"]
    assert plan_vswitches([WANT], model.have) == Plan()


def test_a_node_that_answers_later_is_taken_then() -> None:
    model = there("node1", "node2")
    model.down = {"node2"}
    plan = plan_vswitches([WANT], model.have)
    assert [problem.node for problem in plan.failures] == ["node2"]
    model.apply(plan)
    model.down = set()
    assert list(acts(plan_vswitches([WANT], model.have))) == [f"vswitch {NAME}", f"vswitch {NAME} on node2"]


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (replace(WANT, uplinks=("eth1",)), "uplinks is none, declared eth1"),
        (replace(WANT, adopt=None), "With adopt: true one that is nobody's becomes this vSwitch"),
        (Vswitch(name="svswitch1", adopt=True), "there is no bridge of this name to adopt"),
        (replace(WANT, nodes=("node3",)), "there is no bridge of this name to adopt"),
    ],
)
def test_what_is_said_otherwise_is_refused(want: Vswitch, said: str) -> None:
    model = there("node1")
    plan = plan_vswitches([want], model.have)
    assert said in refusals(plan)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"works": False}, "does not come up in the datapath"),
        ({"labels": {LABEL: "vsw-000000000000000000000"}}, "vsw-000000000000000000000"),
        ({"network": {"bridge": "virbr9"}}, "virbr9"),
        ({"network": {"port": "802.1Qbh"}}, "802.1Qbh"),
    ],
    ids=["does not work", "of another", "network of another bridge", "network without Open vSwitch"],
)
def test_what_cannot_be_adopted_is_told(change: dict[str, Any], said: str) -> None:
    changed = dict(change)
    of_network = changed.pop("network", None)
    model = there("node1", **changed)
    if of_network is not None:
        model.nodes["node1"].networks[NAME] = NetworkState(xml=network("node1", **of_network))
    (told,) = describe_strangers(model.have)
    assert told["element"] is None
    assert said in str(told["remarks"])
    if "labels" not in change:  # of which the registry was lost: that is taken up, whoever adopts
        assert said in refusals(plan_vswitches([WANT], model.have))


def test_the_elements_adopt_all_of_it() -> None:
    model = there("node1", "node2")
    (told,) = describe_strangers(model.have)
    assert told["element"] == {"name": NAME, "cluster": "mtl-1", "adopt": True, "nodes": ["node1", "node2"]}
    assert [(one["name"], one["vlan"]) for one in told["port_groups"]] == [("Native", 0), ("Production", 42)]
    assert told["nodes"][0] == {"name": "node1", "network": UUIDS["node1"], "ports": ["eth1", "vnet0"]}
    assert any("its ports eth1 stay as they are" in one for one in told["remarks"])
    assert sum("which none of ours does" in one for one in told["remarks"]) == 2
    want, mistakes = parse_vswitch_spec(told["element"], "")
    assert want is not None, mistakes
    before = shape(model)
    model.apply(plan_vswitches([want], model.have))
    groups = [PortGroup(**one) for one in told["port_groups"]]
    model.apply(plan_port_groups(groups, model.have))
    assert shape(model) == before
    assert plan_port_groups(groups, model.have) == Plan()
    assert plan_vswitches([want], model.have) == Plan()


@pytest.mark.parametrize("name", ["br0", "svswitch", "svswitch01"])
def test_only_what_is_there_has_another_name(name: str) -> None:
    _, (mistake,) = parse_vswitch_spec({"name": name}, "pextra_vswitches[0]")
    assert mistake.path == "pextra_vswitches[0].name"
    assert "can be adopted" in mistake.problem
    for more in ({"adopt": True}, {"state": "absent"}):
        assert parse_vswitch_spec({"name": name, **more}, "")[1] == []


# Port groups


def test_a_port_group_is_taken_as_it_is() -> None:
    model = adopted()
    before = shape(model)
    plan = plan_port_groups([GROUP], model.have)
    assert acts(plan)["port_group Production on node1"] == ["adopt"]
    model.apply(plan)
    assert shape(model) == before
    assert model.row("Production").attributes["vlan"] == 42
    assert plan_port_groups([GROUP], model.have) == Plan()
    # From then on it is any other, and running instances follow: what is not ours stays until it starts anew.
    node = model.nodes["node1"]
    node.attach("web", NAME, "Production")
    changed = plan_port_groups([replace(GROUP, vlan=43)], model.have)
    assert "node1: port vnet0 of old-web is not the cloud's, and stays on VLAN 42" in str(changed.warnings)
    model.apply(changed)
    vlans = {port.name: port.vlan for port in node.bridges[NAME].ports if port.name.startswith("vnet")}
    assert vlans == {"vnet0": access(42), "vnet1": access(43)}


def test_a_guest_with_a_vlan_of_its_own_keeps_it() -> None:
    model = adopted("node1")
    node = model.nodes["node1"]
    ports = tuple(replace(one, vlan=access(9)) if one.name == "vnet0" else one for one in node.bridges[NAME].ports)
    node.bridges[NAME] = replace(node.bridges[NAME], ports=ports)
    before, plan = shape(model), plan_port_groups([GROUP], model.have)
    assert acts(plan)["port_group Production on node1"] == ["adopt"]
    assert plan.warnings == (
        "node1: port vnet0 of old-web is not the cloud's, and stays on VLAN 9, not 42, as port group Production has it",
    )
    model.apply(plan)
    assert shape(model) == before
    assert acts(plan_port_groups([GROUP], model.have)) == {}


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (replace(GROUP, vlan=43), "network.vlan is 42, declared 43"),
        (replace(GROUP, name="Trunk"), "network.vlan is VLANs 1, 2, declared untagged"),
        (replace(GROUP, name="All"), "network.vlan is all VLANs, declared untagged"),
        (replace(GROUP, name="None"), "have no port group of this name to adopt"),
        (replace(GROUP, adopt=None, vlan=43), "is not ours, which carries 42"),
    ],
)
def test_a_port_group_that_is_said_otherwise_is_refused(want: PortGroup, said: str) -> None:
    model = adopted()
    plan = plan_port_groups([want], model.have)
    assert said in refusals(plan)


def test_a_node_whose_port_group_differs_is_refused() -> None:
    model = adopted()
    model.apply(plan_port_groups([GROUP], model.have))
    other = network("node3").replace("<tag id='42'/>", "<tag id='7'/>")
    model.nodes["node3"].bridges[NAME] = BridgeRecord(name=NAME)
    model.nodes["node3"].networks[NAME] = NetworkState(xml=other)
    assert "port_groups.Production is 7, declared 42" in refusals(plan_vswitches([WANT], model.have))


# The way back


def give_back(model: Model) -> None:
    for node in model.nodes.values():
        if NAME in node.bridges:
            labels = {key: value for key, value in node.bridges[NAME].labels.items() if key != LABEL}
            node.bridges[NAME] = replace(node.bridges[NAME], labels=labels)


def test_it_is_given_back_by_its_label() -> None:
    model = adopted()
    model.apply(plan_port_groups([GROUP], model.have))
    before = shape(model)
    give_back(model)
    assert "is not this vSwitch" in refusals(plan_vswitches([Vswitch(name=NAME)], model.have))
    plan = plan_vswitches([replace(WANT, adopt=None, state="absent")], model.have)
    assert [step.act for work in (*plan.first, *plan.works, *plan.last) for step in work.steps] == ["forget"]
    model.apply(plan)
    assert model.rows == {}
    assert shape(model) == before


def test_what_was_given_back_is_adopted_again_as_it_is_by_then() -> None:
    """Labels of port groups that were left on the bridge say nothing: a guest stays on the VLAN that it has."""
    model = adopted("node1")
    model.apply(plan_port_groups([GROUP, replace(GROUP, name="Native")], model.have))
    give_back(model)
    model.apply(plan_vswitches([Vswitch(name=NAME, state="absent")], model.have))
    node = model.nodes["node1"]
    old = {key: one for key, one in node.bridges[NAME].labels.items() if key.startswith("pextra-port-group/")}
    assert len(old) == 2
    seven = NetworkState(xml=network("node1").replace("<tag id='42'/>", "<tag id='7'/>"))
    node.networks[NAME] = seven
    node.bridges[NAME] = replace(
        node.bridges[NAME],
        ports=tuple(replace(one, vlan=access(7)) if one.name == "vnet0" else one for one in node.bridges[NAME].ports),
    )
    before = shape(model)
    model.apply(plan_vswitches([WANT], model.have))
    assert old.keys().isdisjoint(node.bridges[NAME].labels)
    plan = plan_port_groups([GROUP], model.have)
    assert acts(plan)["port_group Production on node1"] == ["adopt"]
    model.apply(plan)
    assert model.row("Production").attributes["vlan"] == 7
    assert shape(model) == before
    assert plan_port_groups([GROUP], model.have) == Plan()


@pytest.mark.parametrize("adopt", [True, None])
def test_a_port_group_that_only_its_label_knows_keeps_its_vlan(adopt: bool | None) -> None:
    model = adopted("node1")
    model.apply(plan_port_groups([replace(GROUP, description="old")], model.have))
    row, before = model.row("Production"), shape(model)
    del model.rows[row.id]
    plan = plan_port_groups([replace(GROUP, adopt=adopt)], model.have)
    assert list(acts(plan)) == ["port_group Production"]
    model.apply(plan)
    assert (model.row("Production"), shape(model)) == (row, before)


def test_given_back_the_network_that_the_cloud_made_goes() -> None:
    model = there("node1", with_network=False)
    model.apply(plan_vswitches([WANT], model.have))
    give_back(model)
    model.apply(plan_vswitches([Vswitch(name=NAME, state="absent")], model.have))
    node = model.nodes["node1"]
    assert (list(node.bridges), node.networks, model.rows) == ([NAME], {}, {})


def test_it_is_not_removed_while_it_has_ports_of_others() -> None:
    model = there("node1", with_network=False)
    model.apply(plan_vswitches([WANT], model.have))
    absent = Vswitch(name=NAME, state="absent")
    assert "has ports that are not the cloud's: eth1" in refusals(plan_vswitches([absent], model.have))
    node = model.nodes["node1"]
    node.bridges[NAME] = replace(node.bridges[NAME], ports=(PortRecord(name=NAME),))
    model.apply(plan_vswitches([absent], model.have))
    assert (node.bridges, node.networks) == ({}, {})


def test_a_port_group_of_what_was_given_back_is_not_touched() -> None:
    model = adopted("node1")
    model.apply(plan_port_groups([GROUP], model.have))
    model.nodes["node1"].nics.clear()
    before = shape(model)
    give_back(model)
    model.apply(plan_port_groups([replace(GROUP, state="absent")], model.have))
    assert shape(model) == before


@pytest.mark.parametrize("text", ["", "x", "without a network", "0" * 300, "vsw-000000000000000000000"])
def test_a_label_that_says_nonsense_makes_no_network_ours(text: str) -> None:
    model = adopted("node1")
    node = model.nodes["node1"]
    node.bridges[NAME] = replace(node.bridges[NAME], labels={**node.bridges[NAME].labels, LABEL_ADOPTED: text})
    assert "is not this vSwitch's" in refusals(plan_vswitches([WANT], model.have))
