# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches and port groups against libvirt's test driver and a real Open vSwitch, in this process and its children.

Open vSwitch runs with its dummy datapath, so neither root nor a kernel module is needed. What only real NICs can show
is in tests/integration/test_network.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ovsdb.switch import Switch
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._model.bridge import (
    UNTAGGED,
    BridgeEdit,
    BridgeRecord,
    PortVlan,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import SwitchError, UnreachableError
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.resource import PortGroupResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.spec import PortGroup
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.definition import (
    edit_port_group,
    parse_network,
    render_network,
    render_port_group,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.labels import LABEL, networks_from_labels
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.resource import VswitchResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.spec import Vswitch

from .switches import Ovs, TestDriver, open_database

VSWITCH = Vswitch(name="svswitch10", uplinks=("eth1", "eth2"))
PRODUCTION = PortGroup(name="Production", vlan=42)
NATIVE = PortGroup(name="Native")
UUID = "044c1ea2-1231-f038-c01b-c9b427e0a306"


@pytest.fixture
def switch(ovs_nodes: dict[str, Ovs]) -> Iterator[Switch]:
    database = open_database("node1", ovs_nodes["node1"].socket)
    yield Switch("node1", database)
    database.close()


def plan(cloud: Cloud, resource: Any, *wants: Any) -> Plan:
    options = Options({})
    planned: Plan = resource.plan(wants, resource.read(cloud, wants, options), options)
    return planned


def converge(cloud: Cloud, resource: Any, *wants: Any) -> Plan:
    """Do what the runner does, one after the other, and require that nothing is left."""
    planned = plan(cloud, resource, *wants)
    assert not planned.refusals
    assert not planned.failures
    resource.reserve(cloud, planned)
    for work in planned.all:
        for step in work.steps:
            resource.apply(cloud, work, step)
    assert plan(cloud, resource, *wants).is_empty
    return planned


def fields(plan: Plan) -> dict[str, list[tuple[str, Any, Any]]]:
    return {work.label: [(c.field, c.before, c.after) for c in work.changes] for work in plan.effective}


# libvirt


def test_a_network_comes_changes_and_goes() -> None:
    hypervisor = TestDriver.open("node1", "test:///default")
    try:
        hypervisor.define_network(render_network("svswitch10", UUID, {"a": 1}), "vswitch svswitch10")
        for command, xml, expected in (
            ("add", render_port_group("b", None), {"a": PortVlan(tag=1), "b": UNTAGGED}),
            ("modify", edit_port_group(hypervisor.networks()[0].xml, "a", 2), {"a": PortVlan(tag=2), "b": UNTAGGED}),
            ("delete", render_port_group("a", None), {"b": UNTAGGED}),
        ):
            hypervisor.update_port_group("svswitch10", xml, "port_group", command=command)  # type: ignore[arg-type]
            assert parse_network(hypervisor.networks()[0].xml).port_groups == expected
        network = hypervisor.networks()[0]
        assert (network.uuid, network.active, network.autostart) == (UUID, True, True)
        for _ in range(2):
            hypervisor.remove_network("svswitch10", "vswitch svswitch10")
        assert hypervisor.networks() == []
    finally:
        hypervisor.close()


# Open vSwitch


def test_labels_are_written_and_removed_and_others_stay(network_cloud: Cloud, ovs_nodes: dict[str, Ovs]) -> None:
    labels = network_cloud.labels("node1")
    ovs_nodes["node1"].vsctl("set", "open", ".", "external_ids:other=1")
    labels.write({"pextra-a": "1", "pextra-b": '{"x": "\\u00e9 <&>"}'})
    labels.write({"pextra-a": "2", "pextra-missing": None})
    assert labels.read() == {"other": "1", "pextra-a": "2", "pextra-b": '{"x": "\\u00e9 <&>"}'}
    labels.write({"pextra-a": None, "pextra-b": None})
    assert labels.read() == {"other": "1"}


def test_a_bridge_comes_with_its_bond_and_keeps_its_rows_when_uplinks_change(
    switch: Switch, ovs_nodes: dict[str, Ovs]
) -> None:
    ovs = ovs_nodes["node1"]
    edit = BridgeEdit(
        bridge="svswitch1",
        create=True,
        uplink_port="uplink1",
        uplinks=("eth2", "eth1"),
        bond_mode="active-backup",
        labels={LABEL: "vsw"},
    )
    switch.edit_bridge(edit)
    bridge = switch.read().bridges["svswitch1"]
    port = bridge.port("uplink1")
    assert (bridge.works, dict(bridge.labels)) == (True, {LABEL: "vsw"})
    assert port is not None
    assert (port.uplinks, port.bond_mode, port.primary) == (("eth2", "eth1"), "active-backup", "eth2")
    before = (
        ovs.vsctl("--columns=_uuid", "find", "interface", "name=eth1"),
        ovs.vsctl("get", "port", "uplink1", "_uuid"),
    )
    ovs.vsctl("set", "port", "uplink1", "other_config:mine=1")
    switch.edit_bridge(replace(edit, create=False, uplinks=("eth1",), labels={}))
    after = ovs.vsctl("--columns=_uuid", "find", "interface", "name=eth1"), ovs.vsctl("get", "port", "uplink1", "_uuid")
    assert before == after
    assert ovs.vsctl("get", "port", "uplink1", "other_config") == '{bond-primary=eth1, mine="1"}'
    assert ovs.vsctl("list-ifaces", "svswitch1") == "eth1"
    switch.edit_bridge(replace(edit, create=False, uplinks=()))
    assert ovs.vsctl("list-ports", "svswitch1") == ""


def without_addresses(bridges: Mapping[str, BridgeRecord]) -> dict[str, BridgeRecord]:
    """Leave the MACs out: Open vSwitch takes that of an uplink for the bridge's own port a moment later."""
    return {
        name: replace(
            bridge,
            ports=tuple(
                replace(port, interfaces=tuple(replace(one, mac=None) for one in port.interfaces))
                for port in bridge.ports
            ),
        )
        for name, bridge in bridges.items()
    }


def test_making_a_bridge_twice_is_harmless(switch: Switch) -> None:
    edit = BridgeEdit(bridge="svswitch1", create=True, uplink_port="uplink1", uplinks=("eth1",), labels={LABEL: "vsw"})
    switch.edit_bridge(edit)
    first = without_addresses(switch.read().bridges)
    switch.edit_bridge(edit)
    assert without_addresses(switch.read().bridges) == first
    for _ in range(2):
        switch.remove_bridge("svswitch1")
    assert switch.read().bridges == {}


def test_a_nic_put_beside_the_bond_by_hand_comes_back_into_it(switch: Switch, ovs_nodes: dict[str, Ovs]) -> None:
    edit = BridgeEdit(bridge="svswitch1", create=True, uplink_port="uplink1", uplinks=("eth1", "eth2"))
    switch.edit_bridge(edit)
    ovs_nodes["node1"].vsctl("del-port", "uplink1", "--", "add-port", "svswitch1", "eth1")
    switch.edit_bridge(replace(edit, create=False))
    assert [port.name for port in switch.read().bridges["svswitch1"].ports] == ["svswitch1", "uplink1"]


def test_a_nic_of_another_bridge_is_not_stolen(switch: Switch, ovs_nodes: dict[str, Ovs]) -> None:
    ovs_nodes["node1"].vsctl("add-br", "br0", "--", "add-port", "br0", "eth1")
    with pytest.raises(SwitchError, match="uplink eth1 is used by the bridge br0"):
        switch.edit_bridge(BridgeEdit(bridge="svswitch1", create=True, uplink_port="uplink1", uplinks=("eth1",)))
    assert ovs_nodes["node1"].vsctl("list-br") == "br0"


def test_vlans_of_many_ports_are_set_in_one_transaction(switch: Switch, ovs_nodes: dict[str, Ovs]) -> None:
    ports = [f"vnet{number}" for number in range(300)]
    ovs_nodes["node1"].vsctl(
        "add-br", "svswitch1", *(word for port in ports for word in ("--", "add-port", "svswitch1", port))
    )
    switch.set_port_tags({port: 42 if number % 2 else None for number, port in enumerate(ports)} | {"gone": 1})
    vlans = switch.port_tags()
    assert [str(vlans[port]) for port in ports[:2]] == ["untagged", "42"]
    assert ovs_nodes["node1"].vsctl("get", "port", "vnet0", "trunks") == "[0]"
    assert len(vlans) == 301


def test_ports_whose_devices_are_gone_are_removed(switch: Switch, ovs_nodes: dict[str, Ovs]) -> None:
    """Only libvirt's: others' may be away for a while. Of this type Open vSwitch says what it says of no device."""
    add = ["--", "--may-exist", "add-port", "svswitch1"]
    of_libvirt = "external_ids:iface-status=active"
    for port, words in {
        "vnet0": ["--", "set", "interface", "vnet0", of_libvirt],
        "vnet1": ["--", "set", "interface", "vnet1", of_libvirt, "type=none-such"],
        "eth7": ["--", "set", "interface", "eth7", "type=none-such"],
    }.items():
        ovs_nodes["node1"].vsctl("--may-exist", "add-br", "svswitch1", *add, port, "tag=99", *words)
    assert ovs_nodes["node1"].vsctl("get", "interface", "vnet1", "ofport") == "-1"
    for _ in range(2):
        switch.remove_lost_ports()
        assert ovs_nodes["node1"].vsctl("list-ports", "svswitch1").split() == ["eth7", "vnet0"]


def test_a_dead_switch_is_told_within_bounds(switch: Switch, ovs_nodes: dict[str, Ovs]) -> None:
    ovs_nodes["node1"].stop()
    with pytest.raises(UnreachableError, match="the connection to OVSDB broke"):
        switch.read()
    with pytest.raises(UnreachableError, match=r"node1: .*db\.sock: "):
        open_database("node1", ovs_nodes["node1"].socket)


# Both together, as the modules use them


def test_a_vswitch_with_port_groups_comes_and_goes(network_cloud: Cloud, ovs_nodes: dict[str, Ovs]) -> None:
    converge(network_cloud, VswitchResource(), VSWITCH)
    converge(network_cloud, PortGroupResource(), PRODUCTION, NATIVE)
    row = network_cloud.registry.rows("vswitch")[0]
    for name, ovs in ovs_nodes.items():
        assert ovs.vsctl("br-get-external-id", "svswitch10", LABEL) == row.id
        assert network_cloud.labels(name).read_nics() == {*row.attributes["uplinks"]}, (
            "whether their links are up or not"
        )
        network = network_cloud.hypervisor(name).networks()[0]
        assert network.uuid == uuid_of(row.id)
        assert parse_network(network.xml).port_groups == {"Production": PortVlan(tag=42), "Native": UNTAGGED}
    converge(network_cloud, VswitchResource(), replace(VSWITCH, nodes=("node1",)))
    assert ovs_nodes["node2"].vsctl("list-br") == ""
    converge(network_cloud, VswitchResource(), replace(VSWITCH, state="absent"))
    assert network_cloud.registry.rows("vswitch", "port_group") == []
    assert ovs_nodes["node1"].vsctl("list-br") == ""
    assert network_cloud.hypervisor("node1").networks() == []


def test_drift_is_named_exactly_and_mended(network_cloud: Cloud, ovs_nodes: dict[str, Ovs]) -> None:
    converge(network_cloud, VswitchResource(), VSWITCH)
    converge(network_cloud, PortGroupResource(), PRODUCTION)
    ovs_nodes["node2"].vsctl("set", "port", "uplink10", "bond_mode=balance-slb")
    raw = network_cloud.hypervisor("node1")._connection.networkLookupByName("svswitch10")
    raw.update(
        libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY,
        libvirt.VIR_NETWORK_SECTION_PORTGROUP,
        -1,
        render_port_group("Production", 99),
        libvirt.VIR_NETWORK_UPDATE_AFFECT_CURRENT,
    )
    assert fields(converge(network_cloud, VswitchResource(), VSWITCH)) == {
        "vswitch svswitch10 on node2": [("bond_mode", "balance-slb", "active-backup")]
    }
    assert fields(converge(network_cloud, PortGroupResource(), PRODUCTION)) == {
        "port_group Production on node1": [("network.vlan", "99", "42")]
    }


def test_a_registry_is_rebuilt_from_the_bridges(network_cloud: Cloud) -> None:
    converge(network_cloud, VswitchResource(), replace(VSWITCH, description="Trunk"))
    converge(network_cloud, PortGroupResource(), PRODUCTION, NATIVE)
    nodes = network_cloud.registry.rows("node")
    places = [(node, bridge) for node in nodes for bridge in network_cloud.switch(node.name).bridges()]
    rebuilt = {row.id: row for row in networks_from_labels(places)}
    assert rebuilt == {row.id: row for row in network_cloud.registry.rows("vswitch", "port_group")}


def test_the_states_of_uplinks_are_described(network_cloud: Cloud) -> None:
    converge(network_cloud, VswitchResource(), VSWITCH)
    resource = VswitchResource()
    have = resource.read(network_cloud, [VSWITCH], Options({}))
    described = resource.describe([VSWITCH], have)[0]
    assert described["uplinks"] == ["eth1", "eth2"]
    assert [node["node"] for node in described["nodes"]] == ["node1", "node2"]
    assert [uplink["name"] for uplink in described["nodes"][0]["uplinks"]] == ["eth1", "eth2"]
