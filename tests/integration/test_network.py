# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches and port groups on real NICs: bonds, refusals, changes taken back, and drift that a stage mends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .lab import Lab, Site, wait_until

UPLINKS = ["eth1", "eth2"]


def call(site: Site, module: str, **options: Any) -> dict[str, Any]:
    """Run a module on the coordinator and return its result."""
    return site.play([{module: options}])[-1]


def describe(site: Site, name: str = "svswitch10") -> dict[str, dict[str, Any]]:
    """Return what a vSwitch is like, by node."""
    outcome = call(site, "pextra.cloud.pextra_vswitch_info", names=[name])
    return {node["node"]: node for node in outcome["vswitches"][0]["nodes"]}


def ports(lab: Lab, node: str, instance: str) -> list[str]:
    return lab.sh(node, f"virsh domiflist {instance} | awk '$3 == \"svswitch10\" {{print $1}}'").split()


def tags(lab: Lab, node: str, instance: str) -> list[str]:
    return [lab.exec(node, "ovs-vsctl", "get", "port", port, "tag").strip() for port in ports(lab, node, instance)]


@pytest.fixture
def scratch(cloud: Site) -> Iterator[Site]:
    """A vSwitch that a test may make and break."""
    yield cloud
    call(cloud, "pextra.cloud.pextra_vswitch", name="svswitch20", state="absent")


def test_a_vswitch_is_a_working_bridge_with_a_bond_on_every_node(lab: Lab, cloud: Site) -> None:
    for node, state in describe(cloud).items():
        assert (state["status"], state["active_uplink"]) == ("available", "eth1"), state
        assert lab.exec(node, "ovs-vsctl", "list-ifaces", "svswitch10").split()[:2] == UPLINKS
        shown = lab.exec(node, "ovs-appctl", "bond/show", "uplink10")
        assert "bond_mode: active-backup" in shown
        # The bridge must be up, whatever the kernel offers: what fails is silent in ovs-vsctl.
        assert lab.exec(node, "ovs-vsctl", "get", "interface", "svswitch10", "ofport").strip() == "65534"


def test_a_port_group_names_the_instances_that_run_in_it(cloud: Site) -> None:
    found = call(cloud, "pextra.cloud.pextra_port_group_info", names=["Production"])["port_groups"]
    assert [(group["vswitch"], group["vlan"]) for group in found] == [("svswitch10", 42)]
    assert "web-1" in found[0]["running"]
    assert found[0]["nodes"] == ["node1", "node2", "node3"]


def test_when_an_uplink_fails_the_other_carries_on(lab: Lab, cloud: Site) -> None:
    lab.exec("node2", "ip", "link", "set", "eth1", "down")
    try:
        state = wait_until(
            "node2 uses eth2", lambda: (found := describe(cloud)["node2"])["active_uplink"] == "eth2" and found
        )
        assert {uplink["name"]: uplink["link"] for uplink in state["uplinks"]} == {"eth1": "down", "eth2": "up"}
        assert state["status"] == "available"
    finally:
        lab.exec("node2", "ip", "link", "set", "eth1", "up")
    wait_until("node2 prefers eth1 again", lambda: describe(cloud)["node2"]["active_uplink"] == "eth1")


def test_a_nic_that_does_not_exist_is_taken_back(lab: Lab, scratch: Site) -> None:
    outcome = call(
        scratch, "pextra.cloud.pextra_vswitch", name="svswitch20", uplinks=["eth9"], nodes=["node1", "node3"]
    )
    assert outcome["failed"]
    assert {error["node"] for error in outcome["errors"]} == {"node1", "node3"}
    assert "uplink eth9 cannot be used: could not open network device eth9" in outcome["msg"]
    for node in ("node1", "node3"):
        assert lab.exec(node, "ovs-vsctl", "list-ports", "svswitch20").strip() == ""
    assert "svswitch20" not in lab.exec("node2", "ovs-vsctl", "list-br")


def test_a_nic_in_use_is_refused_before_anything_is_touched(lab: Lab, scratch: Site) -> None:
    outcome = call(scratch, "pextra.cloud.pextra_vswitch", name="svswitch20", uplinks=["eth2"])
    assert outcome["failed"]
    assert "eth2 would be an uplink of svswitch10 and of svswitch20" in outcome["msg"]
    assert "svswitch20" not in lab.exec("node1", "ovs-vsctl", "list-br")


def test_a_foreign_bridge_is_refused_and_stays(lab: Lab, scratch: Site) -> None:
    lab.sh("node2", "ovs-vsctl add-br svswitch20 -- set bridge svswitch20 datapath_type=netdev")
    try:
        outcome = call(scratch, "pextra.cloud.pextra_vswitch", name="svswitch20", uplinks=[])
        assert outcome["failed"]
        assert "node2: vswitch svswitch20: the node has a bridge of this name" in outcome["msg"]
        assert lab.exec("node2", "ovs-vsctl", "get", "bridge", "svswitch20", "external_ids").strip() == "{}"
        assert "svswitch20" not in lab.exec("node1", "ovs-vsctl", "list-br")
    finally:
        lab.exec("node2", "ovs-vsctl", "del-br", "svswitch20")


def test_what_instances_use_is_not_removed(lab: Lab, cloud: Site) -> None:
    home = lab.home("web-1")
    for module, name in (
        ("pextra.cloud.pextra_vswitch", "svswitch10"),
        ("pextra.cloud.pextra_port_group", "Production"),
    ):
        outcome = call(cloud, module, name=name, state="absent")
        assert outcome["failed"]
        refused = {error["node"]: error["what"] for error in outcome["errors"]}
        assert "web-1" in refused[home], refused
    assert describe(cloud)[home]["status"] == "available"


def test_a_new_vlan_reaches_running_instances_at_once(lab: Lab, converged: Site) -> None:
    home = lab.home("web-1")
    before = lab.exec(home, "virsh", "domid", "web-1")
    outcome = call(converged, "pextra.cloud.pextra_port_group", name="Production", vlan=43)
    assert outcome["changed"], outcome
    assert set(tags(lab, home, "web-1")) == {"43"}
    for node in lab.nodes:
        assert "<tag id='43'/>" in lab.exec(node, "virsh", "net-dumpxml", "svswitch10")
        assert "<tag id='43'/>" in lab.exec(node, "virsh", "net-dumpxml", "--inactive", "svswitch10")
        label = lab.exec(node, "ovs-vsctl", "br-get-external-id", "svswitch10", "pextra-port-group/Production")
        assert json.loads(label)["vlan"] == 43
    assert lab.exec(home, "virsh", "domid", "web-1") == before
    converged.run("--tags", "network").must_succeed()
    assert set(tags(lab, home, "web-1")) == {"42"}
    converged.run("--tags", "network").must_change_nothing()


def test_an_untagged_port_group_hears_no_vlan(lab: Lab, converged: Site) -> None:
    assert call(converged, "pextra.cloud.pextra_port_group", name="Production", vlan=0)["changed"]
    home = lab.home("web-1")
    for port in ports(lab, home, "web-1"):
        assert lab.exec(home, "ovs-vsctl", "get", "port", port, "tag").strip() == "[]"
        assert lab.exec(home, "ovs-vsctl", "get", "port", port, "trunks").strip() == "[0]"
    converged.run("--tags", "network").must_succeed()


def test_drift_of_a_vswitch_is_named_and_mended_exactly(lab: Lab, cloud: Site) -> None:
    cloud.run("--tags", "network").must_change_nothing()
    lab.exec("node1", "ovs-vsctl", "set", "port", "uplink10", "bond_mode=balance-slb")
    lab.sh("node2", "ovs-vsctl del-port uplink10")
    lab.exec("node3", "virsh", "net-destroy", "svswitch10")
    check = cloud.run("--tags", "network", "--check", "--diff").must_succeed()
    for line in ("-bond_mode: balance-slb", "+bond_mode: active-backup", "+uplinks: eth1, eth2", "+network: started"):
        assert line in check.output, check.output
    assert check.output.count("+++ after: ") == 3, check.output
    cloud.run("--tags", "network").must_succeed()
    assert {state["status"] for state in describe(cloud).values()} == {"available"}
    cloud.run("--tags", "network").must_change_nothing()


def test_a_dead_switch_is_told_and_the_other_nodes_go_on(lab: Lab, scratch: Site) -> None:
    lab.sh("node3", "systemctl stop ovs-vswitchd ovsdb-server")
    try:
        outcome = call(scratch, "pextra.cloud.pextra_vswitch", name="svswitch20", uplinks=[])
        assert outcome["failed"]
        assert [error["node"] for error in outcome["errors"]] == ["node3"]
        assert outcome["errors"][0]["remedy"]
        assert "svswitch20" in lab.exec("node1", "ovs-vsctl", "list-br")
        assert "svswitch20" in lab.exec("node2", "ovs-vsctl", "list-br")
    finally:
        lab.sh("node3", "systemctl start ovsdb-server ovs-vswitchd openvswitch-switch")
    wait_until(
        "node3 answers",
        lambda: call(scratch, "pextra.cloud.pextra_vswitch", name="svswitch20", uplinks=[]).get("changed"),
    )
