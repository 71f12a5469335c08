# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of a module on the coordinator, anywhere in the middle of what is done to one instance: the same call made
again ends as one that was not killed, and made a third time it changes nothing.
"""

from __future__ import annotations

import os
import random
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab, Site, wait_until
from .test_cdroms import iso

pytestmark = pytest.mark.long

VM, NAME, NODE = "pextra_vm", "it-killed", "node2"
KILLS = int(os.environ.get("PEXTRA_INTERRUPTIONS", "6"))
DISCS = ("it-killed-one", "it-killed-two")
NIC0 = {"name": "nic0", "port_group": "Production"}
# What runs becomes one and the other in turn: a NIC and a volume come and go, a disc is changed, and memory.
ENDS: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "nics": [NIC0],
        "volumes": [],
        "cdroms": [{"name": "drive", "image": DISCS[0], "bus": "scsi"}],
        "memory": "256 MiB",
        "description": "First",
    },
    {
        "nics": [NIC0, {"name": "back", "port_group": "DMZ"}],
        "volumes": [{"name": "data", "pool": "local", "size": "16 MiB"}],
        "cdroms": [{"name": "drive", "image": DISCS[1], "bus": "scsi"}],
        "memory": "320 MiB",
        "description": "Second",
    },
)
GONE = {"state": "absent", "force_stop": True, "stop_timeout_s": 1, "remove_volumes": True, "confirm": "DESTROY"}
# Python itself, which a module is standard input to.
_IS_AT_WORK = "pgrep -x -f /usr/bin/python3 || true"


@pytest.fixture(scope="module")
def chance() -> random.Random:
    seed = int(os.environ.get("PEXTRA_SEED", str(random.randrange(10**6))))
    print(f"PEXTRA_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def guest(lab: Lab, cloud: Site, tmp_path: Path) -> Iterator[Site]:
    images = []
    for number, name in enumerate(DISCS):
        (tmp_path / name).write_bytes(iso((1111 + number) * 2048))
        images.append({"name": name, "kind": "iso", "source": str(tmp_path / name), "pools": ["local"]})
    cloud.module("pextra_image", images=images)
    first = {"node": NODE, "image": "tiny", "root": {"pool": "local"}, "memory_max": "512 MiB"}
    cloud.module(VM, name=NAME, **first, **ENDS[0])
    wait_until("it is up", lambda: "pextra-guest: ready" in lab.since_boot(NAME), timeout_s=120)
    yield cloud
    cloud.module(VM, name=NAME, **GONE)
    cloud.module("pextra_image", images=[{"name": name, "state": "absent"} for name in DISCS], confirm="DESTROY")


def kill_in_the_middle(lab: Lab, site: Site, options: dict[str, Any], after_s: float) -> None:
    """Begin a call of pextra_vm, and kill it so long after its module has begun."""
    with site.playbook([{f"pextra.cloud.{VM}": options}]) as path:
        process = site.start(playbook=str(path))
        wait_until("its module is at work", lambda: lab.sh("node1", _IS_AT_WORK).split() or process.poll() is not None)
        time.sleep(after_s)
        site.kill(process)


def finish(site: Site, options: dict[str, Any]) -> dict[str, Any]:
    """Make a call again that was killed, and once more."""
    _, again = site.calls(VM, options, options)
    # It is told of its network when it boots.
    assert (again["changed"], {one["option"] for one in again["pending"]} - {"cloud_init"}) == (False, set())
    return again


def duration_s(site: Site, options: dict[str, Any]) -> float:
    """Return how long a whole module is at work, as far as the controller can tell, which adds its own."""
    began = time.monotonic()
    site.module(VM, **options)
    return max(1.0, time.monotonic() - began - 1.0)


def shape(lab: Lab) -> dict[str, Any]:
    """Return what is there: of what runs and of its definition, and of what lies in the pool."""
    found: dict[str, Any] = {}
    for key, flags in (("live", ()), ("config", ("--inactive",))):
        root = ET.fromstring(lab.exec(NODE, "virsh", "dumpxml", *flags, NAME))
        sources = [one.find("source") for one in root.iterfind("devices/disk[@device='cdrom']")]
        found[key] = {
            "nics": sorted(nic.find("source").get("portgroup") for nic in root.findall("devices/interface")),
            "disks": sorted(disk.findtext("serial") or "" for disk in root.iterfind("devices/disk")),
            "disc": sorted(str(one.get("file")) for one in sources if one is not None and one.get("file")),
            # What it is asked to have: an emulated guest takes it later.
            "memory": root.findtext("devices/memory/target/requested"),
            "description": root.findtext("description"),
        }
    switch = lab.exec(NODE, "ovs-vsctl", "--bare", "--columns=name", "find", "Interface", "error!=[]").split()
    found["lost ports"] = switch
    # A seed that only the running guest has stays until its next start.
    found["volumes"] = volumes(lab)
    found["pid"] = lab.exec(NODE, "cat", f"/run/libvirt/qemu/{NAME}.pid").strip()
    return found


def volumes(lab: Lab) -> list[str]:
    return sorted(lab.sh(NODE, f"cd /var/lib/pextra/pools/local && ls | grep '^{NAME}[.]' || true").split())


def test_hot_plug(lab: Lab, guest: Site, chance: random.Random) -> None:
    wholes = []
    lasts_s = 0.0
    for end in (ENDS[1], ENDS[0]):
        lasts_s = max(lasts_s, duration_s(guest, {"name": NAME, **end}))
        wholes.append(shape(lab))
    second, first = wholes
    assert first["live"]["nics"] == first["config"]["nics"] == ["Production"]
    assert second["live"]["nics"] == ["DMZ", "Production"]
    # A volume that is no more declared is detached, and kept.
    assert [name for name in second["volumes"] if ".data." in name] == [
        name for name in first["volumes"] if ".data." in name
    ]
    for number in range(KILLS):
        end, whole = (ENDS[1], second) if number % 2 == 0 else (ENDS[0], first)
        after_s = chance.uniform(0, lasts_s)
        kill_in_the_middle(lab, guest, {"name": NAME, **end}, after_s)
        finish(guest, {"name": NAME, **end})
        assert shape(lab) == whole, f"killed after {after_s:.2f} s"
    assert guest.module("pextra_registry_info")["leases"] == []


def test_what_it_is_told(lab: Lab, guest: Site, chance: random.Random) -> None:
    """One seed is there in the end, which the definition names."""

    def seeds() -> list[str]:
        return [name for name in volumes(lab) if ".seed" in name]

    def told(number: int) -> dict[str, Any]:
        return {"name": NAME, "cloud_init": {"hostname": NAME, "user_data": f"#!/bin/sh\necho told {number}\n"}}

    guest.module(VM, name=NAME, power="stopped", force_stop=True, stop_timeout_s=1)
    lasts_s = duration_s(guest, told(0))
    before = seeds()
    assert len(before) == 1
    for number in range(1, max(2, KILLS // 2) + 1):
        after_s = chance.uniform(0, lasts_s)
        kill_in_the_middle(lab, guest, told(number), after_s)
        finish(guest, told(number))
        now = seeds()
        assert (len(now), now != before) == (1, True), f"killed after {after_s:.2f} s: {now}"
        assert f"/{now[0]}'" in lab.exec(NODE, "virsh", "dumpxml", "--inactive", NAME)
        before = now
    guest.module(VM, name=NAME, power="running")
    last = f"told {max(2, KILLS // 2)}"
    wait_until("it is told the last", lambda: last in lab.since_boot(NAME), timeout_s=120)


def strange(name: str, number: int) -> str:
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>0c1b0c35-35a5-4b09-8a0f-8f1d9f3c2{number:03x}</uuid>"
        "<memory>65536</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
        f"<interface type='network'><mac address='52:54:00:0f:22:{number:02x}'/>"
        "<source network='svswitch10' portgroup='Production'/><model type='virtio'/></interface></devices></domain>"
    )


@pytest.fixture
def adopt(lab: Lab, cloud: Site) -> Iterator[Callable[[int], str]]:
    """Makes a virtual machine that is not the cloud's, which is paused, so that it costs nothing."""
    made: list[str] = []

    def make(number: int) -> str:
        made.append(f"it-killed-old-{number}")
        lab.exec(NODE, "virsh", "define", "/dev/stdin", stdin=strange(made[-1], number))
        lab.exec(NODE, "virsh", "start", "--paused", made[-1])
        return made[-1]

    yield make
    for name in made:
        lab.sh(NODE, f"virsh destroy {name}; virsh undefine {name}", check=False)
    cloud.module(VM, vms=[{"name": name, "state": "absent"} for name in made])


def test_adoption(lab: Lab, cloud: Site, adopt: Callable[[int], str], chance: random.Random) -> None:
    lasts_s = duration_s(cloud, {"name": adopt(0), "adopt": True})
    for number in range(1, max(2, KILLS // 2) + 1):
        name = adopt(number)
        before = lab.exec(NODE, "cat", f"/run/libvirt/qemu/{name}.pid")
        after_s = chance.uniform(0, lasts_s)
        kill_in_the_middle(lab, cloud, {"name": name, "adopt": True}, after_s)
        again = finish(cloud, {"name": name, "adopt": True})
        uuid = f"0c1b0c35-35a5-4b09-8a0f-8f1d9f3c2{number:03x}"
        assert (again["vm"]["uuid"], again["vm"]["node"]) == (uuid, NODE), f"killed after {after_s:.2f} s"
        for more in ([], ["--config"]):
            labels = lab.exec(NODE, "virsh", "metadata", name, "urn:pextra:instance:1", *more)
            assert "adopted=" in labels, f"killed after {after_s:.2f} s"
        assert lab.exec(NODE, "cat", f"/run/libvirt/qemu/{name}.pid") == before
        assert lab.domains(NODE)[name] == "paused"
    # Two at once: one takes it, and the other finds it taken.
    name = adopt(KILLS)
    results = cloud.at_once(*[(VM, {"name": name, "adopt": True})] * 2)
    assert sorted(bool(one.get("changed")) for one in results) == [False, True], results
    assert not any(one.get("failed") for one in results), results
