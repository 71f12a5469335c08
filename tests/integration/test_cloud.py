# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud of inventories/lab is as declared, seen from the hosts and from the guests."""

from __future__ import annotations

import re

import pytest

from .lab import Lab, Site, wait_until


def last_pings(lab: Lab, instance: str) -> dict[str, str]:
    """Return the newest verdict by peer, from an instance's own console."""
    return dict(re.findall(r"pextra-guest: ping (\S+) (ok|lost)", lab.console(instance)))


def test_every_instance_is_as_declared(lab: Lab, cloud: Site) -> None:
    for instance in cloud.declared():
        node = lab.home(instance["name"])
        wanted = instance.get("power") or "running"
        state = lab.domains(node)[instance["name"]]
        assert state == {"running": "running", "stopped": "shut off", "paused": "paused"}[wanted], instance["name"]
        if instance.get("node"):
            assert node == instance.get("node")


def test_anti_affinity_holds(lab: Lab, cloud: Site) -> None:
    groups: dict[str, list[str]] = {}
    for instance in cloud.declared():
        if instance.get("anti_affinity"):
            groups.setdefault(instance.get("anti_affinity"), []).append(lab.home(instance["name"]))
    assert groups
    for nodes in groups.values():
        assert len(nodes) == len(set(nodes))


def test_guests_have_their_names_and_addresses(lab: Lab, cloud: Site) -> None:
    for instance in cloud.declared():
        if instance.get("power") == "stopped":
            continue
        console = wait_until(
            f"{instance['name']} is up",
            lambda name=instance["name"]: "pextra-guest: ready" in (text := lab.console(name)) and text,
        )
        assert f"pextra-guest: hostname {instance['name']}" in console
        for nic in instance.get("nics", []):
            for address in nic.get("addresses") or ():
                assert re.search(rf"pextra-guest: nic \S+ {re.escape(address)}", console), console[-500:]


def test_production_reaches_production_and_dmz_reaches_nobody(lab: Lab, cloud: Site) -> None:
    """The DMZ guest has an address of the same subnet, so only the VLAN keeps it apart."""
    by_group: dict[str, dict[str, str]] = {}
    for instance in cloud.declared():
        if instance.get("power") != "stopped" and instance.get("nics", []):
            nic = instance.get("nics", [])[0]
            by_group.setdefault(nic["port_group"], {})[instance["name"]] = nic["addresses"][0].split("/")[0]
    production, dmz = by_group["Production"], by_group["DMZ"]
    across = 0
    for name in production:
        pings = wait_until(f"{name} has pinged", lambda name=name: last_pings(lab, name), timeout_s=90)
        for peer, address in production.items():
            if peer != name and address in pings:
                wait_until(f"{name} reaches {peer}", lambda a=address, n=name: last_pings(lab, n)[a] == "ok")
                across += lab.home(name) != lab.home(peer)
        assert all(pings.get(address, "lost") == "lost" for address in dmz.values())
    assert across, "no two guests on different nodes were tried"
    for name in dmz:
        pings = wait_until(f"{name} has pinged", lambda name=name: last_pings(lab, name), timeout_s=90)
        tried = [address for address in production.values() if address in pings]
        assert tried, "the DMZ guest tries nobody"
        assert {pings[address] for address in tried} == {"lost"}


@pytest.mark.parametrize("node", Lab.nodes)
def test_the_switch_is_as_declared(lab: Lab, cloud: Site, node: str) -> None:
    assert "svswitch10" in lab.exec(node, "ovs-vsctl", "list-br").split()
    bond = lab.exec(node, "ovs-appctl", "bond/show")
    assert "bond_mode: active-backup" in bond
    assert "eth1: enabled" in bond
    assert "eth2: enabled" in bond
    network = lab.exec(node, "virsh", "net-dumpxml", "svswitch10")
    for name, vlan in (("Production", 42), ("DMZ", 99)):
        assert re.search(rf"<portgroup name='{name}'>\s*<vlan>\s*<tag id='{vlan}'/>", network), network


@pytest.mark.parametrize("node", Lab.nodes)
def test_the_pools_are_available(lab: Lab, cloud: Site, node: str) -> None:
    listed = lab.exec(node, "virsh", "pool-list", "--all").splitlines()[2:]
    pools = {words[0]: words[1:] for words in (line.split() for line in listed) if words}
    assert pools["local"] == ["active", "yes"]
    assert pools["shared"] == ["active", "yes"]


def test_the_run_ends_with_the_tree(cloud: Site) -> None:
    run = cloud.run("--tags", "summary").must_succeed()
    assert "acme · Montreal · mtl-1" in run.output
    declared = len(cloud.declared())
    assert f"{declared} of {declared} instances as declared" in run.output
    assert "3 of 3 nodes healthy" in run.output
