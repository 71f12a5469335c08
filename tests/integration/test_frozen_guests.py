# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests whose QEMU is frozen, while libvirtd answers: what is plugged into them ends within its bound, with one error
each, and holds up nobody else; it is not sent twice; and such a guest can still be switched off.
"""

from __future__ import annotations

import json
import os
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .instance_rows import look
from .lab import Lab, Site, wait_until
from .test_cdroms import iso

pytestmark = pytest.mark.long

VM = "pextra_vm"
# What libvirt is given for a guest's QEMU, and what the call takes beside.
BOUND_S, REST_S = 60.0, 45.0
DISC, DISC_SIZE = "it-frozen-disc", 1357 * 2048
FIRST, OTHER = "pa55-1st", "pa55-2nd"
MAC = "52:54:00:0f:20:01"
NIC0 = {"name": "nic0", "port_group": "Production"}
# After its root and what it is told.
DISK = "disk vdc 16777216 bytes"
DATA = [{"name": "data", "pool": "local", "size": "16 MiB"}]
# Two of them on each node, which is as many as one has done at once; what each is to get while it runs.
CHANGES: dict[str, dict[str, Any]] = {
    "hang-disk": {"volumes": DATA},
    "hang-nic": {"nics": [NIC0, {"name": "back", "port_group": "DMZ", "mac": MAC}]},
    "hang-disc": {"cdroms": [{"name": "drive", "image": DISC, "pool": "local", "bus": "scsi"}]},
    "hang-screen": {"graphics": {"password": OTHER}},
    "hang-limits": {"root": {"pool": "shared", "limits": {"iops": 150}}},
    "hang-vcpus": {"vcpus": 2},
}
HANGING = tuple(CHANGES)
NODES = {name: f"node{1 + number % 3}" for number, name in enumerate(HANGING)}
HEALTHY = "hang-none"
HEALTHY_NODE = "node1"


@pytest.fixture(scope="module")
def guests(lab: Lab, cloud: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Six guests that are up, and one that is never frozen."""
    source = tmp_path_factory.mktemp("discs") / DISC
    source.write_bytes(iso(DISC_SIZE))
    cloud.module("pextra_image", name=DISC, kind="iso", source=str(source), pools=["local"])
    common = {"image": "tiny", "root": {"pool": "shared"}, "memory": "96 MiB", "nics": [NIC0]}
    vms = [{**common, "name": name, "node": NODES.get(name, HEALTHY_NODE)} for name in (*HANGING, HEALTHY)]
    more: dict[str, dict[str, Any]] = {
        "hang-disc": {"cdroms": [{"name": "drive", "image": "", "pool": "local", "bus": "scsi"}]},
        "hang-screen": {"graphics": {"password": FIRST}},
        "hang-vcpus": {"vcpus_max": 2},
    }
    cloud.module(VM, vms=[vm | more.get(str(vm["name"]), {}) for vm in vms])
    for name in (*HANGING, HEALTHY):
        wait_until(f"{name} is up", lambda name=name: "pextra-guest: ready" in lab.since_boot(name), timeout_s=180)
    yield cloud
    absent = [{"name": name, "state": "absent"} for name in (*HANGING, HEALTHY)]
    end = {"force_stop": True, "stop_timeout_s": 1, "remove_volumes": True, "confirm": "DESTROY"}
    cloud.module(VM, vms=absent, **end)
    cloud.module("pextra_image", name=DISC, state="absent", confirm="DESTROY")


def call(site: Site, module: str, **options: Any) -> tuple[dict[str, Any], float]:
    """Return what a module says, failed or not, and how long it took."""
    began = time.monotonic()
    result = site.play([{f"pextra.cloud.{module}": options, "ignore_errors": True}])[-1]
    assert "Traceback" not in json.dumps(result)
    return result, time.monotonic() - began


def errors_by_name(result: dict[str, Any]) -> dict[str, str]:
    """Return what is said of each instance: one error each."""
    assert result.get("failed"), result
    found: dict[str, str] = {}
    for error in result["errors"]:
        (name,) = [name for name in (*HANGING, HEALTHY) if f"instance {name} " in f"{error['resource']} "]
        assert name not in found, result["msg"]
        found[name] = error["what"]
    return found


def xml_of(lab: Lab, name: str, *flags: str) -> str:
    return lab.exec(lab.home(name), "virsh", "dumpxml", "--security-info", *flags, name)


def both(lab: Lab, name: str) -> tuple[str, str]:
    return xml_of(lab, name), xml_of(lab, name, "--inactive")


def serials(xml: str) -> list[str | None]:
    return [disk.findtext("serial") for disk in ET.fromstring(xml).findall("devices/disk")]


def is_let_in(lab: Lab, name: str, password: str) -> bool:
    program = (Path(__file__).parent / "in_node" / "rfb.py").read_text(encoding="utf-8")
    port = look(xml_of(lab, name), "devices/graphics@port") or ""
    told = lab.exec(lab.home(name), "python3", "-c", program, port, stdin=password)
    return bool(json.loads(told)["is_let_in"])


def test_what_is_plugged_into_frozen_guests(lab: Lab, guests: Site) -> None:
    wanted = [{"name": name, **change} for name, change in CHANGES.items()]
    wanted.append({"name": HEALTHY, "volumes": DATA})
    pids = {name: lab.exec(lab.home(name), "cat", f"/run/libvirt/qemu/{name}.pid") for name in HANGING}
    with lab.frozen_guests(*HANGING):
        first, first_s = call(guests, VM, vms=wanted)
        told = errors_by_name(first)
        assert set(told) == set(HANGING), first["msg"]
        assert all("its QEMU may be frozen" in what for what in told.values()), first["msg"]
        assert first_s < BOUND_S + REST_S
        # Nothing else has waited for them, or is wrong with it.
        for xml in both(lab, HEALTHY):
            assert serials(xml).count("data") == 1
        wait_until("its guest has it", lambda: DISK in lab.since_boot(HEALTHY), timeout_s=60)

        # Whoever asks again hears at once that each owes an answer, and nothing is sent after what was sent.
        again, again_s = call(guests, VM, vms=wanted)
        told = errors_by_name(again)
        assert set(told) == set(HANGING), again["msg"]
        assert all("has not answered what it was asked" in what for what in told.values()), again["msg"]
        assert again_s < REST_S
        seen, seen_s = call(guests, "pextra_vm_info", names=[*HANGING], figures=True)
        assert not seen.get("failed"), seen
        assert seen_s < REST_S
    done, same = guests.calls(VM, {"vms": wanted}, {"vms": wanted})
    assert same["changed"] is False
    # It is told of its network when it boots.
    assert {(one["name"], one["option"]) for one in same["pending"]} == {("hang-nic", "cloud_init")}, done

    for name in HANGING:
        assert lab.exec(lab.home(name), "cat", f"/run/libvirt/qemu/{name}.pid") == pids[name], f"{name} was restarted"
    for xml in both(lab, "hang-disk"):
        assert serials(xml).count("data") == 1
    for xml in both(lab, "hang-nic"):
        assert xml.count(f"<mac address='{MAC}'/>") == 1
        assert len(ET.fromstring(xml).findall("devices/interface")) == 2
    for xml in both(lab, "hang-disc"):
        path = look(xml, "devices/disk[@device='cdrom']/source@file") or ""
        assert os.path.basename(path).startswith("img-")
    assert (is_let_in(lab, "hang-screen", OTHER), is_let_in(lab, "hang-screen", FIRST)) == (True, False)
    for xml in both(lab, "hang-limits"):
        assert look(xml, "devices/disk/iotune/total_iops_sec") == "150"
    for xml in both(lab, "hang-vcpus"):
        assert look(xml, "vcpu@current") in ("2", None)
    for name, says in {
        "hang-disk": DISK,
        "hang-nic": f"nic {MAC}",
        "hang-disc": f"disk sr0 {DISC_SIZE} bytes",
        "hang-vcpus": "cpus 2",
    }.items():
        wait_until(f"{name} says {says}", lambda name=name, says=says: says in lab.since_boot(name), timeout_s=60)
    assert lab.since_boot("hang-nic").count(f"nic {MAC}") == 1


def test_a_frozen_guest_is_switched_off_by_force(lab: Lab, guests: Site) -> None:
    """Asked, it takes no button: that is told, and nothing is left to be finished. By force its time counts alone."""
    force = {"force_stop": True, "stop_timeout_s": 3}
    anew, off, gone, paused = HANGING[:4]
    with lab.frozen_guests(anew, off, gone, paused):
        asked, asked_s = call(guests, "pextra_vm_power", name=[anew], action="restart", stop_timeout_s=5)
        assert "its QEMU may be frozen" in errors_by_name(asked)[anew]
        assert asked_s < REST_S
        assert lab.domains(lab.home(anew))[anew] == "running"
        boots = lab.console(anew).count("pextra-guest: booting")
        for module, options in (
            ("pextra_vm_power", {"name": [anew], "action": "restart", **force}),
            (VM, {"name": off, "power": "stopped", **force}),
            (VM, {"name": gone, "state": "absent", "remove_volumes": True, "confirm": "DESTROY", **force}),
        ):
            result, taken_s = call(guests, module, **options)
            assert not result.get("failed"), result["msg"]
            assert taken_s < REST_S
        reset, reset_s = call(guests, "pextra_vm_power", name=[paused], action="pause")
        assert "its QEMU may be frozen" in errors_by_name(reset)[paused]
        assert reset_s < BOUND_S + REST_S
    assert lab.domains(lab.home(off))[off] == "shut off"
    assert lab.where(gone) == []
    assert lab.sh("node1", f"ls /srv/shared /var/lib/pextra/pools/local | grep -c '^{gone}[.]' || true").strip() == "0"
    wait_until("it boots", lambda: lab.console(anew).count("pextra-guest: booting") > boots, timeout_s=90)
    # What was sent before has been done, or is done now.
    done, same = guests.calls("pextra_vm_power", *[{"name": [paused], "action": "pause"}] * 2)
    assert lab.domains(lab.home(paused))[paused] == "paused"
    assert same["changed"] is False
    assert done["vms"][0]["power"] == "paused"
    assert guests.module("pextra_registry_info")["leases"] == []
