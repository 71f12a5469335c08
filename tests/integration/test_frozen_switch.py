# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovs-vswitchd is frozen while its database answers: what needs a new port ends with one error each, what needs none is
done, and what libvirt leaves of ports is nobody's port later, with the VLAN that it had.
"""

from __future__ import annotations

import json
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .lab import Lab, Site, wait_until

pytestmark = pytest.mark.long

VM, NODE = "pextra_vm", "node3"
PLUGGED, BEGUN, DISK = "it-port-plugged", "it-port-begun", "it-port-none"
BOUND_S = 60.0
NIC0 = {"name": "nic0", "port_group": "Production"}
BACK = {"name": "back", "port_group": "DMZ", "mac": "52:54:00:0f:24:01"}
WANTED: list[dict[str, Any]] = [
    {"name": PLUGGED, "nics": [NIC0, BACK]},
    {"name": BEGUN, "power": "running"},
    {"name": DISK, "volumes": [{"name": "data", "pool": "local", "size": "16 MiB"}]},
]


@contextmanager
def frozen_switch(lab: Lab) -> Iterator[None]:
    lab.exec(NODE, "systemctl", "kill", "--kill-who=main", "--signal=STOP", "ovs-vswitchd")
    try:
        yield
    finally:
        lab.exec(NODE, "systemctl", "kill", "--kill-who=main", "--signal=CONT", "ovs-vswitchd")


@pytest.fixture
def guests(lab: Lab, cloud: Site) -> Iterator[Site]:
    common = {"node": NODE, "image": "tiny", "root": {"pool": "local"}, "memory": "96 MiB", "nics": [NIC0]}
    power = {BEGUN: "stopped"}
    names = (PLUGGED, BEGUN, DISK)
    cloud.module(VM, vms=[{**common, "name": name, "power": power.get(name, "running")} for name in names])
    for name in (PLUGGED, DISK):
        wait_until(f"{name} is up", lambda name=name: "pextra-guest: ready" in lab.since_boot(name), timeout_s=120)
    yield cloud
    absent = [{"name": name, "state": "absent"} for name in names]
    end = {"force_stop": True, "stop_timeout_s": 1, "remove_volumes": True, "confirm": "DESTROY"}
    cloud.module(VM, vms=absent, **end)


def ports(lab: Lab) -> set[str]:
    return set(lab.exec(NODE, "ovs-vsctl", "list-ports", "svswitch10").split())


def lost(lab: Lab) -> set[str]:
    """Return what Open vSwitch finds no device for."""
    found = lab.exec(NODE, "ovs-vsctl", "--bare", "--columns=name", "find", "Interface", "ofport=-1")
    return set(found.split())


def of_guests(lab: Lab) -> set[str]:
    """Return the ports that running guests have."""
    found: set[str] = set()
    for name, state in lab.domains(NODE).items():
        if state == "running":
            root = ET.fromstring(lab.exec(NODE, "virsh", "dumpxml", name))
            found |= {target.get("dev", "") for target in root.iterfind("devices/interface/target")}
    return found


def test_new_ports_while_the_switch_is_frozen(lab: Lab, guests: Site) -> None:
    others = ports(lab) - of_guests(lab)
    with frozen_switch(lab):
        began = time.monotonic()
        result = guests.play([{f"pextra.cloud.{VM}": {"vms": WANTED}, "ignore_errors": True}])[-1]
        taken_s = time.monotonic() - began
    assert result["failed"]
    assert "Traceback" not in json.dumps(result)
    assert taken_s < BOUND_S, f"{taken_s:.0f} s"
    told = sorted(error["resource"] for error in result["errors"])
    assert [name in text for name, text in zip((BEGUN, PLUGGED), told, strict=True)] == [True, True], result["msg"]
    assert "<serial>data</serial>" in lab.exec(NODE, "virsh", "dumpxml", DISK)
    assert lab.domains(NODE)[BEGUN] == "shut off"
    # libvirt has begun ports that it does not remove. When it starts anew, it gives the same names again.
    wait_until("the switch has seen what it has missed", lambda: lost(lab) == ports(lab) - others - of_guests(lab))
    assert lost(lab)
    lab.exec(NODE, "systemctl", "restart", "libvirtd")

    done, again = guests.calls(VM, {"vms": WANTED}, {"vms": WANTED})
    assert done["changed"]
    assert again["changed"] is False
    for flags in ((), ("--inactive",)):
        assert lab.exec(NODE, "virsh", "dumpxml", *flags, PLUGGED).count(BACK["mac"]) == 1
    assert ports(lab) == others | of_guests(lab)
    assert lost(lab) == set()
    for name, groups in ((PLUGGED, {"Production": "42", "DMZ": "99"}), (BEGUN, {"Production": "42"})):
        for nic in ET.fromstring(lab.exec(NODE, "virsh", "dumpxml", name)).iterfind("devices/interface"):
            source, target = nic.find("source"), nic.find("target")
            assert source is not None
            assert target is not None
            tag = lab.exec(NODE, "ovs-vsctl", "get", "port", target.get("dev", ""), "tag").strip()
            assert tag == groups[source.get("portgroup", "")], f"{name} {target.get('dev')}"
    wait_until("its guest has it", lambda: f"nic {BACK['mac']}" in lab.since_boot(PLUGGED), timeout_s=60)
    wait_until("it boots", lambda: "pextra-guest: ready" in lab.since_boot(BEGUN), timeout_s=120)
