# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two calls at once on one instance, or on two that want the same: what is there in the end is one of the ends that
were declared, in what runs and in its definition alike, and nothing is there twice.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from .lab import Lab, Site, wait_until

pytestmark = pytest.mark.long

VM, POWER = "pextra_vm", "pextra_vm_power"
NAME, OTHER = "it-at-once", "it-at-once-too"
MAC = "52:54:00:0f:21:01"
NIC0 = {"name": "nic0", "port_group": "Production"}
BACK = {"name": "back", "port_group": "DMZ"}
DATA = {"name": "data", "pool": "local", "size": "16 MiB"}
FORCE = {"force_stop": True, "stop_timeout_s": 1}
GONE = {"state": "absent", **FORCE, "remove_volumes": True, "confirm": "DESTROY"}


@pytest.fixture(scope="module")
def two(lab: Lab, cloud: Site) -> Iterator[Site]:
    """Two guests that are up."""
    common = {"image": "tiny", "root": {"pool": "local"}, "memory": "96 MiB", "nics": [NIC0], "node": "node1"}
    cloud.module(VM, vms=[{**common, "name": name} for name in (NAME, OTHER)])
    for name in (NAME, OTHER):
        wait_until(f"{name} is up", lambda name=name: "pextra-guest: ready" in lab.since_boot(name), timeout_s=120)
    yield cloud
    absent = [{"name": name, "state": "absent"} for name in (NAME, OTHER)]
    cloud.module(VM, vms=absent, **{key: value for key, value in GONE.items() if key != "state"})


def at_once(site: Site, *calls: tuple[str, dict[str, Any]], failing: int = 0) -> list[dict[str, Any]]:
    """Return what both say; so many of them fail, and say why."""
    results = site.at_once(*calls)
    assert "Traceback" not in json.dumps(results)
    assert sum(bool(one.get("failed")) for one in results) == failing, [one.get("msg") for one in results]
    return results


def xml_of(lab: Lab, name: str, *flags: str) -> Any:
    return ET.fromstring(lab.exec("node1", "virsh", "dumpxml", *flags, name))


def devices(lab: Lab, name: str, *flags: str) -> dict[str, list[str]]:
    """Return serials of disks, port groups and MACs of NICs. No place on a bus, name or boot order is twice there."""
    root = xml_of(lab, name, *flags)
    places = Counter(
        tuple(sorted(address.attrib.items())) for address in root.iterfind("devices/*/address") if address.attrib
    )
    assert not [place for place, count in places.items() if count > 1]
    targets = Counter(target.get("dev") for target in root.iterfind("devices/disk/target"))
    orders = Counter(boot.get("order") for boot in root.iterfind("devices/*/boot"))
    assert not [one for one, count in (*targets.items(), *orders.items()) if count > 1]
    nics = root.findall("devices/interface")
    return {
        "disks": sorted(disk.findtext("serial") or "" for disk in root.iterfind("devices/disk")),
        "groups": sorted(nic.find("source").get("portgroup") for nic in nics),
        "macs": sorted(nic.find("mac").get("address") for nic in nics),
    }


def alike(lab: Lab, name: str) -> dict[str, list[str]]:
    """Return what runs, which is what is defined."""
    live = devices(lab, name)
    assert live == devices(lab, name, "--inactive")
    return live


def ports(lab: Lab, name: str) -> list[str]:
    """Return the ports of the switch that belong to the NICs that run; no other one is without its device."""
    wanted = {target.get("dev") for target in xml_of(lab, name).iterfind("devices/interface/target")}
    there = lab.exec("node1", "ovs-vsctl", "--bare", "--columns=name,error", "list", "Interface").split("\n\n")
    assert not [one for one in there if "could not open" in one]
    found = lab.exec("node1", "ovs-vsctl", "list-ports", "svswitch10").split()
    return sorted(wanted & set(found))


def test_the_same_twice(lab: Lab, two: Site) -> None:
    wanted = {"name": NAME, "nics": [NIC0, {**BACK, "mac": MAC}], "volumes": [DATA]}
    results = at_once(two, (VM, wanted), (VM, wanted))
    assert sorted(one["changed"] for one in results) == [False, True]
    found = alike(lab, NAME)
    assert (found["groups"], found["macs"].count(MAC)) == (["DMZ", "Production"], 1)
    assert found["disks"].count("data") == 1
    assert len(ports(lab, NAME)) == 2
    assert len(lab.sh("node1", f"ls /var/lib/pextra/pools/local/{NAME}.*.data.*").split()) == 1
    less = {"name": NAME, "nics": [NIC0], "volumes": []}
    at_once(two, (VM, less), (VM, less))
    assert alike(lab, NAME)["groups"] == ["Production"]
    assert "data" not in alike(lab, NAME)["disks"]
    assert len(ports(lab, NAME)) == 1


def test_two_parts_of_one(lab: Lab, two: Site) -> None:
    """Calls that name different things: both are done."""
    nics, volumes = {"name": NAME, "nics": [NIC0, BACK]}, {"name": NAME, "volumes": [{**DATA, "name": "more"}]}
    at_once(two, (VM, nics), (VM, volumes))
    found = alike(lab, NAME)
    assert (found["groups"], "more" in found["disks"]) == (["DMZ", "Production"], True)
    again = two.module(VM, **nics, volumes=volumes["volumes"])
    # It is told of its network when it boots.
    assert (again["changed"], [one["option"] for one in again["pending"]]) == (False, ["cloud_init"])
    two.module(VM, name=NAME, nics=[NIC0], volumes=[])


def test_two_ends_of_one(lab: Lab, two: Site) -> None:
    """Calls that contradict each other: the one that came last counts, as a whole."""
    first = {"name": NAME, "nics": [NIC0, {**BACK, "port_group": "DMZ"}]}
    second = {"name": NAME, "nics": [NIC0, {**BACK, "port_group": "Production"}]}
    at_once(two, (VM, first), (VM, second))
    groups = alike(lab, NAME)["groups"]
    assert groups in (["DMZ", "Production"], ["Production", "Production"])
    last = first if "DMZ" in groups else second
    assert two.module(VM, **last)["changed"] is False
    at_once(two, (VM, {"name": NAME, "nics": [NIC0]}), (VM, last))
    assert len(alike(lab, NAME)["macs"]) in (1, 2)
    assert len(ports(lab, NAME)) == len(alike(lab, NAME)["macs"])
    two.module(VM, name=NAME, nics=[NIC0])


def test_one_address_and_one_place_in_the_boot_order(lab: Lab, two: Site) -> None:
    nics = [NIC0, {**BACK, "mac": MAC}]
    results = at_once(two, (VM, {"name": NAME, "nics": nics}), (VM, {"name": OTHER, "nics": nics}), failing=1)
    refused = next(one for one in results if one.get("failed"))
    assert MAC in refused["msg"]
    found = [alike(lab, name)["macs"].count(MAC) for name in (NAME, OTHER)]
    assert sorted(found) == [0, 1]
    for name in (NAME, OTHER):
        two.module(VM, name=name, nics=[NIC0])

    disk = {"name": NAME, "root": {"pool": "local", "boot_order": 1}}
    nic = {"name": NAME, "nics": [{**NIC0, "boot_order": 1}]}
    refused = next(one for one in at_once(two, (VM, disk), (VM, nic), failing=1) if one.get("failed"))
    assert "boot_order" in refused["msg"]
    orders = [boot.get("order") for boot in xml_of(lab, NAME, "--inactive").iterfind("devices/*/boot")]
    assert orders.count("1") == 1
    devices(lab, NAME)


def test_plugged_in_while_it_is_restarted_saved_or_removed(lab: Lab, two: Site) -> None:
    plug = {"name": NAME, "volumes": [DATA], "nics": [NIC0, BACK]}
    boots = lab.console(NAME).count("pextra-guest: ready")
    at_once(two, (POWER, {"name": [NAME], "action": "restart", **FORCE}), (VM, plug))
    assert lab.domains("node1")[NAME] == "running"
    found = alike(lab, NAME)
    assert (found["groups"], found["disks"].count("data")) == (["DMZ", "Production"], 1)
    wait_until("it is up", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=120)
    two.module(VM, name=NAME, volumes=[], nics=[NIC0])

    saved, plugged = two.at_once((POWER, {"name": [NAME], "action": "save"}), (VM, plug))
    assert "Traceback" not in json.dumps([saved, plugged])
    assert not saved.get("failed"), saved["msg"]
    assert lab.domains("node1")[NAME] == "shut off"
    there = "data" in devices(lab, NAME, "--inactive")["disks"]
    assert bool(plugged.get("failed")) is not there, plugged
    if not there:
        assert "it is saved" in plugged["msg"]
    two.module(POWER, name=[NAME], action="resume")
    assert lab.domains("node1")[NAME] == "running"
    assert ("data" in alike(lab, NAME)["disks"]) is there

    gone, plugged = two.at_once((VM, {"name": OTHER, **GONE}), (VM, {"name": OTHER, "volumes": [DATA]}))
    assert "Traceback" not in json.dumps([gone, plugged])
    assert not gone.get("failed"), gone["msg"]
    # Whoever was last: it is gone, or it is there again, wherever there is room, with what that call says of it.
    if lab.where(OTHER):
        assert not plugged.get("failed"), plugged["msg"]
        two.module(VM, name=OTHER, **GONE)
    assert lab.where(OTHER) == []
    for node in lab.nodes:
        assert lab.sh(node, f"ls /var/lib/pextra/pools/local | grep '^{OTHER}[.]' || true") == ""
    assert two.module("pextra_registry_info")["leases"] == []
