# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges and libvirt networks that were there before become ours as they are, on a real Open vSwitch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.resource import PortGroupResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.spec import PortGroup
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.resource import VswitchResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.spec import Vswitch

from .switches import Ovs
from .test_network import converge, plan

UUID = "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1a01"
WANT = Vswitch(name="ovsbr0", adopt=True)
GROUP = PortGroup(name="Old", adopt=True)
# All that Open vSwitch has of a bridge, but for what becomes of it meanwhile.
_COLUMNS = "datapath_type,controller,fail_mode,other_config,ports,protocols,stp_enable,flood_vlans"
_OF_PORT = "name,tag,trunks,vlan_mode,bond_mode,other_config,external_ids,interfaces"


def let_there_be(cloud: Cloud, ovs: Ovs, node: str, *, network: bool = True) -> None:
    """Let a node have a bridge with a bond, a NIC of its own and settings, and a network that leads to it."""
    ovs.vsctl(
        *("add-br", "ovsbr0", "--", "add-bond", "ovsbr0", "bond0", "eth1", "eth2", "bond_mode=active-backup"),
        *("--", "add-port", "ovsbr0", "eth3", "tag=7"),
        *("--", "set", "bridge", "ovsbr0", "external_ids:owner=me", "other_config:mac-table-size=4096"),
    )
    if network:
        connection = cloud.hypervisor(node)._connection
        made = connection.networkDefineXML(
            f"<network><name>ovsbr0</name><uuid>{UUID}</uuid><forward mode='bridge'/><bridge name='ovsbr0'/>"
            "<virtualport type='openvswitch'/><portgroup name='Old'><vlan><tag id='42'/></vlan></portgroup></network>"
        )
        made.create()


def shape(cloud: Cloud, ovs: Ovs, node: str) -> tuple[Any, ...]:
    networks = [(one.name, one.uuid, one.active, one.xml) for one in cloud.hypervisor(node).networks()]
    return (
        ovs.vsctl(f"--columns={_COLUMNS}", "list", "bridge", "ovsbr0"),
        ovs.vsctl(f"--columns={_OF_PORT}", "list", "port"),
        ovs.vsctl("list-ifaces", "ovsbr0"),
        networks,
    )


def foreign(cloud: Cloud) -> list[dict[str, Any]]:
    resource = VswitchResource()
    return resource.describe_further(resource.read(cloud, (), Options({"foreign": True})))["foreign"]


def test_a_bridge_is_taken_with_its_network_and_nothing_else_changes(
    network_cloud: Cloud,
    ovs_nodes: dict[str, Ovs],
) -> None:
    ovs = ovs_nodes["node1"]
    let_there_be(network_cloud, ovs, "node1")
    before = shape(network_cloud, ovs, "node1")
    (told,) = foreign(network_cloud)
    assert told["element"] == {"name": "ovsbr0", "cluster": "mtl-1", "adopt": True, "nodes": ["node1"]}
    assert told["nodes"] == [{"name": "node1", "network": UUID, "ports": ["bond0", "eth3"]}]
    assert told["remarks"] == ["node1: its ports bond0 stay as they are, and are not managed"]
    assert plan(network_cloud, VswitchResource(), replace(WANT, adopt=None, nodes=("node1",))).refusals

    taken = converge(network_cloud, VswitchResource(), WANT)
    assert [(work.node, [step.text for step in work.steps]) for work in taken.works] == [
        ("node1", ["adopt its bridge", "mend its network"])
    ]
    assert shape(network_cloud, ovs, "node1") == before
    assert ovs.vsctl("get", "bridge", "ovsbr0", "external_ids:owner") == "me"
    assert ovs.vsctl("get", "bridge", "ovsbr0", "external_ids:pextra-adopted") == f'"{UUID}"'
    assert network_cloud.hypervisor("node1").networks()[0].autostart
    converge(network_cloud, PortGroupResource(), GROUP)
    assert shape(network_cloud, ovs, "node1") == before
    assert foreign(network_cloud) == []
    assert ovs_nodes["node2"].vsctl("list-br") == ""

    # From then on it is any other.
    converge(network_cloud, VswitchResource(), Vswitch(name="ovsbr0", description="Old"))
    assert shape(network_cloud, ovs, "node1") == before
    converge(network_cloud, PortGroupResource(), replace(GROUP, vlan=43), PortGroup(name="New", vlan=44))
    xml = network_cloud.hypervisor("node1").networks()[0].xml
    assert "<tag id='43'/>" in xml
    assert "<tag id='44'/>" in xml
    converge(network_cloud, VswitchResource(), replace(WANT, nodes=("node1", "node2")))
    converge(network_cloud, PortGroupResource(), replace(GROUP, vlan=43), PortGroup(name="New", vlan=44))
    assert ovs_nodes["node2"].vsctl("list-br") == "ovsbr0"


def test_it_is_given_back(network_cloud: Cloud, ovs_nodes: dict[str, Ovs]) -> None:
    ovs = ovs_nodes["node1"]
    let_there_be(network_cloud, ovs, "node1")
    converge(network_cloud, VswitchResource(), WANT)
    converge(network_cloud, PortGroupResource(), GROUP)
    (refused,) = plan(network_cloud, VswitchResource(), Vswitch(name="ovsbr0", state="absent")).refusals
    assert "has ports that are not the cloud's: bond0, eth3" in refused.what
    before = shape(network_cloud, ovs, "node1")
    ovs.vsctl("remove", "bridge", "ovsbr0", "external_ids", "pextra-vswitch")
    converge(network_cloud, VswitchResource(), Vswitch(name="ovsbr0", state="absent"))
    assert network_cloud.registry.rows("vswitch", "port_group") == []
    assert shape(network_cloud, ovs, "node1") == before
    converge(network_cloud, VswitchResource(), WANT)


def test_without_a_network_it_gets_one_and_goes_with_it(network_cloud: Cloud, ovs_nodes: dict[str, Ovs]) -> None:
    ovs = ovs_nodes["node2"]
    let_there_be(network_cloud, ovs, "node2", network=False)
    converge(network_cloud, VswitchResource(), WANT)
    assert [one.name for one in network_cloud.hypervisor("node2").networks()] == ["ovsbr0"]
    ovs.vsctl("remove", "bridge", "ovsbr0", "external_ids", "pextra-vswitch")
    converge(network_cloud, VswitchResource(), Vswitch(name="ovsbr0", state="absent"))
    assert network_cloud.hypervisor("node2").networks() == []
    assert ovs.vsctl("list-ports", "ovsbr0").split() == ["bond0", "eth3"]
