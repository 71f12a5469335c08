# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port groups: (what is wanted, what is there) and the plan."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.bridge import UNTAGGED, PortVlan
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError, SwitchError
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan, Step, Work
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.plan import is_leaving, plan_port_groups
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.spec import PortGroup
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.plan.planning import plan_vswitches
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.reading import Forgetting
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.spec import Vswitch
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.state import NetworkState
from network_model import Model, Node

VSWITCHES = (Vswitch(name="svswitch10", uplinks=("eth1", "eth2")), Vswitch(name="svswitch11"))
PRODUCTION = PortGroup(name="Production", vswitch="svswitch10", vlan=42)
NATIVE = PortGroup(name="Native", vswitch="svswitch10")
WANTS = (PRODUCTION, NATIVE)


@pytest.fixture
def model() -> Model:
    """Return a cluster with both port groups; web-1 runs in Production on node1, nat-1 in Native on node2."""
    model = Model()
    model.apply(plan_vswitches(VSWITCHES, model.have))
    model.apply(plan_port_groups(WANTS, model.have))
    model.nodes["node1"].attach("web-1", "svswitch10", "Production")
    model.nodes["node2"].attach("nat-1", "svswitch10", "Native")
    assert plan_port_groups(WANTS, model.have) == Plan()
    return model


def changes(plan: Plan) -> dict[str, dict[str, tuple[Any, Any]]]:
    return {work.label: {c.field: (c.before, c.after) for c in work.changes} for work in plan.effective}


def refusals(plan: Plan) -> list[str]:
    return [str(problem) for problem in plan.refusals]


def set_port(node: Node, vlan: PortVlan) -> None:
    bridge = node.bridges["svswitch10"]
    ports = tuple(replace(port, vlan=vlan) if port.name == "vnet0" else port for port in bridge.ports)
    node.bridges["svswitch10"] = replace(bridge, ports=ports)


def test_without_a_vlan_only_untagged_frames_pass(model: Model) -> None:
    assert model.nodes["node3"].networks["svswitch10"].config.port_groups["Native"] == UNTAGGED
    assert model.nodes["node2"].bridges["svswitch10"].port("vnet0").vlan == UNTAGGED


def test_a_new_vlan_is_followed_by_the_network_and_the_running_instances(model: Model) -> None:
    want = replace(PRODUCTION, vlan=43)
    plan = plan_port_groups([want], model.have)
    assert changes(plan) == {
        "port_group Production": {"vlan": ("42", "43")},
        "port_group Production on node1": {"network.vlan": ("42", "43"), "instances.web-1.vnet0.vlan": ("42", "43")},
        "port_group Production on node2": {"network.vlan": ("42", "43")},
        "port_group Production on node3": {"network.vlan": ("42", "43")},
    }
    model.apply(plan)
    assert plan_port_groups([want], model.have) == Plan()


def test_a_vlan_taken_away_leaves_it_untagged(model: Model) -> None:
    want = replace(PRODUCTION, vlan=0)
    assert plan_port_groups([replace(PRODUCTION, vlan=None)], model.have).is_empty
    model.apply(plan_port_groups([want], model.have))
    assert model.nodes["node1"].bridges["svswitch10"].port("vnet0").vlan == UNTAGGED


@pytest.mark.parametrize(
    ("node", "vlan", "label", "expected"),
    [
        ("node1", PortVlan(tag=99), "port_group Production on node1", ("instances.web-1.vnet0.vlan", "99", "42")),
        ("node1", PortVlan(), "port_group Production on node1", ("instances.web-1.vnet0.vlan", "all VLANs", "42")),
        ("node2", PortVlan(), "port_group Native on node2", ("instances.nat-1.vnet0.vlan", "all VLANs", "untagged")),
        ("node2", PortVlan(tag=5), "port_group Native on node2", ("instances.nat-1.vnet0.vlan", "5", "untagged")),
    ],
)
def test_a_tag_set_by_hand_is_named_exactly_and_mended(
    model: Model, node: str, vlan: PortVlan, label: str, expected: tuple[str, str, str]
) -> None:
    set_port(model.nodes[node], vlan)
    plan = plan_port_groups(WANTS, model.have)
    field, before, after = expected
    assert changes(plan) == {label: {field: (before, after)}}
    model.apply(plan)
    assert plan_port_groups(WANTS, model.have) == Plan()


def test_a_network_changed_by_hand_is_named_exactly_and_mended(model: Model) -> None:
    node = model.nodes["node3"]
    xml = node.networks["svswitch10"].xml.replace('<tag id="42" />', '<tag id="43" />')
    node.networks["svswitch10"] = NetworkState(xml=xml)
    plan = plan_port_groups(WANTS, model.have)
    assert changes(plan) == {"port_group Production on node3": {"network.vlan": ("43", "42")}}
    model.apply(plan)
    assert plan_port_groups(WANTS, model.have) == Plan()


def test_what_we_do_not_manage_in_a_port_group_stays(model: Model) -> None:
    node = model.nodes["node3"]
    inside = '<portgroup name="Production"><bandwidth><inbound average="1000" /></bandwidth>'
    xml = node.networks["svswitch10"].xml.replace('<portgroup name="Production">', inside)
    node.networks["svswitch10"] = NetworkState(xml=xml.replace('id="42"', 'id="1"'))
    model.apply(plan_port_groups(WANTS, model.have))
    assert inside in node.networks["svswitch10"].xml
    assert plan_port_groups(WANTS, model.have) == Plan()


def test_it_moves_to_another_vswitch(model: Model) -> None:
    model.nodes["node1"] = Node()
    model.apply(plan_vswitches(VSWITCHES, model.have))
    want = replace(PRODUCTION, vswitch="svswitch11")
    model.apply(plan_port_groups([want], model.have))
    assert "Production" not in model.nodes["node2"].networks["svswitch10"].config.port_groups
    assert "Production" in model.nodes["node2"].networks["svswitch11"].config.port_groups
    assert plan_port_groups([want], model.have) == Plan()


@pytest.mark.parametrize("want", [replace(PRODUCTION, vswitch="svswitch11"), replace(PRODUCTION, state="absent")])
def test_it_stays_where_instances_are_attached(model: Model, want: PortGroup) -> None:
    found = refusals(plan_port_groups([want], model.have))
    assert len(found) == 1
    assert "node1: port_group Production: instances are attached to it: web-1" in found[0]


def test_it_is_removed(model: Model) -> None:
    model.nodes["node2"] = Node()
    model.apply(plan_vswitches(VSWITCHES, model.have))
    absent = replace(NATIVE, state="absent")
    model.apply(plan_port_groups([absent], model.have))
    assert "Native" not in {row.name for row in model.rows.values()}
    assert not any("Native" in node.networks["svswitch10"].config.port_groups for node in model.nodes.values())
    assert plan_port_groups([absent], model.have) == Plan()


def test_it_is_forgotten_only_when_it_is_gone_everywhere(model: Model) -> None:
    model.nodes["node2"].nics.clear()
    model.down.add("node3")
    plan = plan_port_groups([replace(NATIVE, state="absent")], model.have)
    assert [problem.node for problem in plan.failures] == ["node3"]
    model.apply(plan)
    assert model.row("Native")


@pytest.mark.parametrize(
    ("want", "text"),
    [
        (PortGroup(name="X", vlan=1), "say which vSwitch it belongs to: svswitch10 or svswitch11"),
        (PortGroup(name="X", vswitch="svswitch1"), '"svswitch1" is not a vSwitch of mtl-1'),
        (PortGroup(name="X", cluster="nowhere"), 'there is no cluster "nowhere"'),
    ],
)
def test_references_are_checked(model: Model, want: PortGroup, text: str) -> None:
    assert text in refusals(plan_port_groups([want], model.have))[0]


def test_with_a_single_vswitch_it_need_not_be_named() -> None:
    model = Model()
    assert "there is no vSwitch yet" in refusals(plan_port_groups([PortGroup(name="X")], model.have))[0]
    model.apply(plan_vswitches(VSWITCHES[:1], model.have))
    model.apply(plan_port_groups([PortGroup(name="X")], model.have))
    assert model.row("X").attributes["vswitch"] == model.row("svswitch10").id


def test_a_vswitch_that_is_missing_on_a_node_is_the_business_of_its_own_module(model: Model) -> None:
    model.nodes["node3"] = Node()
    plan = plan_port_groups(WANTS, model.have)
    assert plan.is_empty
    assert plan.warnings[0].startswith("node3: svswitch10 is not there as declared")


def test_a_running_instance_whose_port_is_gone_is_told(model: Model) -> None:
    node = model.nodes["node1"]
    bridge = node.bridges["svswitch10"]
    ports = tuple(port for port in bridge.ports if port.name != "vnet0")
    node.bridges["svswitch10"] = replace(bridge, ports=ports)
    assert "instance web-1 is off the network" in plan_port_groups(WANTS, model.have).warnings[0]


def test_all_ports_of_a_node_are_set_in_one_step(model: Model) -> None:
    for number in range(2, 50):
        model.nodes["node1"].attach(f"web-{number}", "svswitch10", "Production")
    plan = plan_port_groups([replace(PRODUCTION, vlan=7)], model.have)
    steps = [step for work in plan.works for step in work.steps if step.act == "ports"]
    assert [len(step.data["vlans"]) for step in steps] == [49]


@pytest.mark.parametrize(
    ("want", "leaves"),
    [
        (PortGroup(name="lan", cluster="mtl-1", vswitch="sv1"), False),
        (PortGroup(name="lan", cluster="mtl-2", vswitch="sv2"), False),
        (PortGroup(name="lan", cluster="mtl-1", vswitch="sv9"), True),
        (PortGroup(name="lan", cluster="mtl-2", vswitch="sv9"), True),
        (PortGroup(name="lan", cluster="mtl-1", state="absent"), True),
        (PortGroup(name="lan", cluster="mtl-3", state="absent"), False),
        (PortGroup(name="wan", cluster="mtl-1", state="absent"), False),
        (PortGroup(name="lan", cluster="nowhere", state="absent"), False),
    ],
)
def test_whether_one_leaves_its_own_cluster_tells(want: PortGroup, leaves: bool) -> None:
    clusters = [Row(new_id("cluster"), "cluster", f"mtl-{n}") for n in (1, 2, 3)]
    vswitches = [Row(new_id("vswitch"), "vswitch", f"sv{n}", clusters[n - 1].id) for n in (1, 2)]
    groups = [Row(new_id("port_group"), "port_group", "lan", row.scope, {"vswitch": row.id}) for row in vswitches]
    for rows in ([*clusters, *vswitches, *groups], [*clusters, *vswitches, *reversed(groups)]):
        assert is_leaving(want, rows) is leaves


def test_what_fails_in_one_cluster_is_forgotten_in_another() -> None:
    removed: list[str] = []
    cloud: Any = SimpleNamespace(registry=SimpleNamespace(remove=removed.extend))
    works = [Work(kind="port_group", name="lan", id=new_id("port_group")) for _ in range(2)]
    forgetting = Forgetting()
    with pytest.raises(PextraError):
        forgetting.watch(works[0], PextraError("no"))
    with pytest.raises(SwitchError, match="stays registered"):
        forgetting.forget(cloud, works[0], Step("forget", "forget it", {"ids": ["1"]}))
    forgetting.forget(cloud, works[1], Step("forget", "forget it", {"ids": ["2"]}))
    assert removed == ["2"]
