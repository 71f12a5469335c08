# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is there and whatever is wanted: once a plan is applied, the next plan is empty."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.pextra.cloud.plugins.module_utils._model.bridge import InterfaceRecord, PortVlan
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.plan import plan_port_groups
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.spec import PortGroup
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.labels import networks_from_labels
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.plan.planning import plan_vswitches
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.spec import Vswitch
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.state import NetworkState
from hypothesis import given, settings
from hypothesis import strategies as st
from network_model import NODES, Model

NAMES = ("svswitch1", "svswitch2", "svswitch3")
GROUPS = ("Production", "DMZ", "Native")
VLANS = st.sampled_from([PortVlan(), PortVlan(tag=1), PortVlan(trunks=(0,)), PortVlan(trunks=(5, 4)), PortVlan(tag=42)])
PLACES = st.none() | st.lists(st.sampled_from([row.name for row in NODES]), unique=True, min_size=1).map(tuple)


@st.composite
def vswitches(draw: st.DrawFn) -> list[Vswitch]:
    """vSwitches that share no NIC, some absent."""
    nics = draw(st.permutations(["eth1", "eth2", "eth3", "eth4"]))
    wants = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        count = draw(st.integers(0, len(nics)))
        uplinks, nics = tuple(nics[:count]), nics[count:]
        wants.append(
            Vswitch(
                name=name,
                uplinks=uplinks,
                bond_mode=draw(st.sampled_from(["active-backup", "balance-slb"])),
                nodes=draw(PLACES),
                description=draw(st.sampled_from([None, "Trunk", ""])),
                state=draw(st.sampled_from(["present", "present", "present", "absent"])),
            )
        )
    return wants


PORT_GROUPS = st.lists(
    st.builds(
        PortGroup,
        name=st.sampled_from(GROUPS),
        vswitch=st.sampled_from(NAMES),
        vlan=st.none() | st.integers(1, 4094),
        description=st.sampled_from([None, "x"]),
        state=st.sampled_from(["present", "present", "absent"]),
    ),
    unique_by=lambda want: want.name,
)


def draw_drift(data: st.DataObject, model: Model) -> None:
    """Change things by hand."""
    node = model.nodes[data.draw(st.sampled_from([row.name for row in NODES]))]
    if not node.bridges:
        return
    bridge = node.bridges[data.draw(st.sampled_from(sorted(node.bridges)))]
    what = data.draw(st.sampled_from(["bridge", "network", "stopped", "label", "ports", "uplinks", "works", "vlans"]))
    if what == "bridge":
        del node.bridges[bridge.name]
        node.nics = [nic for nic in node.nics if nic[1] != bridge.name]
    elif what == "network" and bridge.labels:
        node.networks.pop(bridge.name, None)
    elif what == "stopped" and bridge.name in node.networks:
        node.networks[bridge.name] = replace(node.networks[bridge.name], active=False, autostart=False)
    elif what == "label" and bridge.name in node.networks:
        node.bridges[bridge.name] = replace(bridge, labels={})
    elif what == "works":
        node.bridges[bridge.name] = replace(bridge, works=False)
    elif what == "ports":
        ports = tuple(replace(port, vlan=data.draw(VLANS)) for port in bridge.ports)
        node.bridges[bridge.name] = replace(bridge, ports=ports)
    elif what == "uplinks":
        ports = tuple(
            replace(port, interfaces=(InterfaceRecord(name="tap9"),), primary=None, bond_mode=None)
            if port.name.startswith("uplink")
            else port
            for port in bridge.ports
        )
        node.bridges[bridge.name] = replace(bridge, ports=ports)
    elif what == "vlans" and bridge.name in node.networks:
        xml = node.networks[bridge.name].xml.replace('id="0"', 'id="9"').replace('trunk="yes"', "")
        node.networks[bridge.name] = NetworkState(xml=xml)


def apply_if_allowed(model: Model, plan: Plan) -> bool:
    if plan.refusals:
        return False
    model.apply(plan)
    return True


@settings(max_examples=300, deadline=None)
@given(st.data(), vswitches(), PORT_GROUPS, vswitches(), PORT_GROUPS)
def test_a_second_plan_is_empty(
    data: st.DataObject,
    first: list[Vswitch],
    first_groups: list[PortGroup],
    second: list[Vswitch],
    second_groups: list[PortGroup],
) -> None:
    model = Model()
    assert apply_if_allowed(model, plan_vswitches(first, model.have))
    apply_if_allowed(model, plan_port_groups(first_groups, model.have))
    for name, node in model.nodes.items():
        for network in list(node.networks.values()):
            for group in network.config.port_groups:
                if data.draw(st.booleans()):
                    node.attach(f"vm-{name}-{group}", network.config.name, group)
    for _ in range(data.draw(st.integers(0, 3))):
        draw_drift(data, model)
    if apply_if_allowed(model, plan_vswitches(second, model.have)):
        assert plan_vswitches(second, model.have).is_empty
        if apply_if_allowed(model, plan_port_groups(second_groups, model.have)):
            assert plan_port_groups(second_groups, model.have).is_empty
            assert plan_vswitches(second, model.have).is_empty


@settings(max_examples=100, deadline=None)
@given(vswitches(), PORT_GROUPS)
def test_a_registry_is_rebuilt_with_everything_that_is_somewhere(wants: list[Vswitch], groups: list[PortGroup]) -> None:
    model = Model()
    model.apply(plan_vswitches(wants, model.have))
    apply_if_allowed(model, plan_port_groups(groups, model.have))
    places = [(row, bridge) for row in NODES for bridge in model.nodes[row.name].bridges.values()]
    rebuilt = {row.id: row for row in networks_from_labels(places)}
    assert rebuilt.keys() == model.rows.keys()
    model.rows = rebuilt
    present = [want for want in wants if want.state == "present"]
    plan = plan_vswitches(present, model.have)
    assert {change.field for work in plan.effective for change in work.changes} <= {"bond_mode", "description"}
