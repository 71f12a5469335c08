# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of an instance on a real guest: set, set again, changed, taken away; as defined and as it runs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from .instance_rows import DEFINED_ONLY, DEVICES, DISK, NIC, ROWS, Row, declare, look
from .lab import GONE, Lab, Site, wait_until

NAME = "rows"
UUID = "c2177883-f1bb-47f0-914d-32a22e3a8804"
RESTART = {"allow_restart": True, "force_stop": True, "stop_timeout_s": 2}
# What a running guest gets at once.
AT_ONCE = ("description", "pinning.each_vcpu", "rng.", "vcpus")


@contextmanager
def guest_on(lab: Lab, site: Site, node: str) -> Iterator[Site]:
    """A small guest that is up, and is removed in the end."""
    boots = lab.console(NAME).count("pextra-guest: ready")
    site.module("pextra_vm", name=NAME, node=node, image="tiny", root={"pool": "local"}, memory="128 MiB", vcpus_max=4)
    wait_until("it is up", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=90)
    yield site
    site.module("pextra_vm", name=NAME, **GONE)


@pytest.fixture
def guest(lab: Lab, cloud: Site) -> Iterator[Site]:
    with guest_on(lab, cloud, "node1") as site:
        yield site


def definition(lab: Lab) -> str:
    return lab.exec(lab.home(NAME), "virsh", "dumpxml", "--inactive", NAME)


def running(lab: Lab, name: str = NAME) -> str:
    return lab.exec(lab.home(name), "virsh", "dumpxml", name)


def nic_of(xml: str) -> str:
    (found,) = ET.fromstring(xml).iterfind("devices/interface")
    return ET.tostring(found, encoding="unicode")


def disk_of(xml: str, name: str) -> str:
    (found,) = (one for one in ET.fromstring(xml).iterfind("devices/disk") if one.findtext("serial") == name)
    return ET.tostring(found, encoding="unicode")


def shown(rows: dict[str, Row], number: int) -> dict[str, str | None]:
    return {name: row.shown[number] for name, row in rows.items()}


def turned(name: str, number: int) -> dict[str, str | None]:
    """Return what a disk is to show, of which each has a turn of its own."""
    return shown(DISK, number) | ({"boot_order": "10"} if name == "data" else {})


def seen(rows: dict[str, Row], xml: str) -> dict[str, str | None]:
    return {name: look(xml, row.at) for name, row in rows.items()}


def is_at_once(name: str) -> bool:
    return name.startswith(AT_ONCE) and name != "vcpus_max"


def require(xml: str, number: int, names: Any) -> None:
    """Every named row is there with the first value (0) or the other one (1)."""
    wrong = {}
    for name in names:
        found = look(xml, ROWS[name].at)
        if found != ROWS[name].shown[number]:
            wrong[name] = (found, ROWS[name].shown[number])
    assert wrong == {}


# A running guest's definition says these in other words.
EXPANDED = ("cpu.model", "cpu.require", "cpu.disable")


def test_every_row_is_set_and_changed(lab: Lab, guest: Site) -> None:
    require_every_row(lab, guest)


def require_every_row(lab: Lab, guest: Site) -> None:
    at_once = [name for name in ROWS if is_at_once(name)]
    later = [name for name in ROWS if not is_at_once(name) and name not in EXPANDED]
    for number in (0, 1):
        declared = {"name": NAME, **declare(number)}
        before = running(lab)
        first, again = guest.calls("pextra_vm", declared, declared)
        assert (first["changed"], again["changed"]) == (True, False)
        assert first["pending"], "most of it waits for the next start, and is told"
        require(definition(lab), number, ROWS)
        now = running(lab)
        require(now, number, at_once)
        moved = [name for name in later if look(now, ROWS[name].at) != look(before, ROWS[name].at)]
        assert moved == [], "a running guest has at once what it was to have at its next start"
        boots = lab.console(NAME).count("pextra-guest: ready")
        restarted, quiet = guest.calls("pextra_vm", {**declared, **RESTART}, declared)
        assert restarted["changed"]
        assert (quiet["changed"], quiet["pending"]) == (False, [])
        require(running(lab), number, [*at_once, *later])
        wait_until("it boots with all of it", lambda n=boots: lab.console(NAME).count("ready") > n, timeout_s=90)
    gone = {"name": NAME, "boot": {"menu": False}, **{name: value for name, (value, _) in DEVICES.items()}}
    first, again = guest.calls("pextra_vm", {**gone, **RESTART}, gone)
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    for xml in (definition(lab), running(lab)):
        assert [at for _, at in DEVICES.values() if look(xml, f"{at}?")] == []
        assert look(xml, "os/bootmenu@enable") == "no"


@pytest.mark.long
def test_a_call_that_names_one_option_changes_that_alone(guest: Site) -> None:
    """The others, its disks, its NICs and what is ours in its definition stay as they are."""
    # What has to be named together: they multiply.
    sizes = [name for name in ROWS if name == "vcpus_max" or name.startswith("cpu.topology.")]
    groups = [sizes, *([name] for name, row in ROWS.items() if name not in sizes and len(set(row.shown)) > 1)]
    # There is room for less than what the row is changed to.
    values = {"memory": ("256 MiB", "384 MiB")}
    look_at = {"ansible.builtin.command": f"virsh dumpxml --inactive {NAME}"}

    def call(names: list[str], number: int) -> dict[str, Any]:
        rows = {name: replace(ROWS[name], values=values.get(name, ROWS[name].values)) for name in names}
        return {"pextra.cloud.pextra_vm": {"name": NAME, **declare(number, rows)}, "ignore_errors": True}

    nic = {"nics": [{"name": "nic0", "port_group": "Production"}], "tags": ["kept"]}
    stopped = {"name": NAME, "power": "stopped", "force_stop": True, "stop_timeout_s": 1}
    guest.module("pextra_vm", **stopped, **declare(0), **nic)
    tasks = [look_at]
    for names in groups:
        tasks += [call(names, 1), look_at, call(names, 0), look_at]
    results = guest.play(tasks)
    assert [result.get("msg") for result in results if result.get("failed")] == []
    assert [names for names, result in zip(groups, results[1::4], strict=True) if not result["changed"]] == []
    texts = [result["stdout"] for result in results if "stdout" in result]
    before, wrong = texts[0], {}
    for index, names in enumerate(groups):
        changed, back = texts[2 * index + 1 : 2 * index + 3]
        was, is_ = seen(ROWS, before), seen(ROWS, changed)
        differing = {name for name in ROWS if was[name] != is_[name]}
        if not differing or not differing <= set(names) or kept(changed) != kept(before) or seen(ROWS, back) != was:
            wrong[names[-1]] = differing
    assert wrong == {}


def kept(xml: str) -> list[str]:
    """Return what no row of an instance concerns."""
    root = ET.fromstring(xml)
    found = [
        root.find("uuid"),
        root.find("metadata"),
        *root.iterfind("devices/disk"),
        *root.iterfind("devices/interface"),
    ]
    return [ET.canonicalize(ET.tostring(one, encoding="unicode"), strip_text=True) for one in found]


def test_every_row_of_a_nic_is_set_and_changed(lab: Lab, guest: Site) -> None:
    require_every_row_of_a_nic(lab, guest)


def require_every_row_of_a_nic(lab: Lab, guest: Site) -> None:
    at_once = {name: row for name, row in NIC.items() if name == "link" or name.startswith("limits.")}
    guest.module("pextra_vm", name=NAME, nics=[{"name": "nic0", "port_group": "Production"}])
    for number in (0, 1):
        nic = {"name": "nic0", **declare(number, NIC)}
        call = {"name": NAME, "nics": [nic]}
        first, again = guest.calls("pextra_vm", call, call)
        assert (first["changed"], again["changed"]) == (True, False)
        assert {change["option"] for change in again["pending"]} >= {"nics.nic0.mtu", "nics.nic0.queues"}
        assert seen(NIC, nic_of(definition(lab))) == shown(NIC, number)
        assert seen(at_once, nic_of(running(lab))) == shown(at_once, number)
        guest.module("pextra_vm", **call, **RESTART)
        assert seen(NIC, nic_of(running(lab))) == shown(NIC, number)
    other = [{"name": "nic0", "model": "rtl8139"}]
    first, again = guest.calls("pextra_vm", {"name": NAME, "nics": other, **RESTART}, {"name": NAME, "nics": other})
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    assert look(nic_of(running(lab)), "model@type") == "rtl8139"
    # A call that names one of them keeps the others.
    guest.module("pextra_vm", name=NAME, nics=[{"name": "nic0", "link": False}])
    for xml in (nic_of(running(lab)), nic_of(definition(lab))):
        assert seen(NIC, xml) == {**shown(NIC, 1), "link": "down", "model": "rtl8139"}


@pytest.mark.long
def test_every_row_of_a_disk_is_set_and_changed(lab: Lab, guest: Site) -> None:
    require_every_row_of_a_disk(lab, guest)


def require_every_row_of_a_disk(lab: Lab, guest: Site) -> None:
    at_once = {name: row for name, row in DISK.items() if name.startswith("limits.")}
    new = {"name": "data", "pool": "local", "size": "8 MiB"}
    guest.module("pextra_vm", name=NAME, volumes=[new])
    for number in (0, 1):
        rows = declare(number, DISK)
        # Two cannot have one turn to boot.
        call = {"name": NAME, "root": rows, "volumes": [{"name": "data", **rows, "boot_order": 10}]}
        first, again = guest.calls("pextra_vm", call, call)
        assert (first["changed"], again["changed"]) == (True, False)
        assert {change["option"] for change in again["pending"]} >= {"root.cache", "volumes.data.cache"}
        for name in ("root", "data"):
            assert seen(DISK, disk_of(definition(lab), name)) == turned(name, number)
            assert seen(at_once, disk_of(running(lab), name)) == shown(at_once, number)
        boots = lab.console(NAME).count("pextra-guest: ready")
        guest.module("pextra_vm", **call, **RESTART)
        for name in ("root", "data"):
            assert seen(DISK, disk_of(running(lab), name)) == turned(name, number)
        wait_until("it boots from it", lambda n=boots: lab.console(NAME).count("ready") > n, timeout_s=90)
    # A new one is plugged in as it is declared.
    more = [{"name": "data"}, {**new, "name": "more", **declare(1, DISK), "boot_order": 11}]
    first, again = guest.calls("pextra_vm", {"name": NAME, "volumes": more}, {"name": NAME, "volumes": more})
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    for xml in (running(lab), definition(lab)):
        assert seen(DISK, disk_of(xml, "more")) == {**shown(DISK, 1), "boot_order": "11"}
    # One on SCSI waits for its controller; then it is there.
    call = {"name": NAME, "volumes": [{"name": "data"}, {"name": "more"}, {**new, "name": "scsi", "bus": "scsi"}]}
    first, again = guest.calls("pextra_vm", call, {**call, **RESTART})
    assert [change["option"] for change in first["pending"]] == ["volumes.scsi.attached"]
    assert (again["changed"], again["pending"]) == (True, [])
    assert look(disk_of(running(lab), "scsi"), "target@bus") == "scsi"
    assert look(running(lab), "devices/controller[@type='scsi']@model") == "virtio-scsi"


def test_what_a_host_lacks_is_refused_by_name(lab: Lab, guest: Site) -> None:
    before = definition(lab)
    for options, lacks in (
        ({"cpu": {"model": "EPYC-of-tomorrow"}}, "it has no CPU model EPYC-of-tomorrow"),
        ({"pinning": {"vcpus": [4000]}}, "it has no thread 4000"),
        ({"pinning": {"each_vcpu": [{"vcpu": 0, "threads": [4000]}]}}, "it has no thread 4000"),
        ({"pinning": {"each_vcpu": [{"vcpu": 4, "threads": [0]}]}}, "virtual CPU 4 is pinned, and it can have 4 of"),
        ({"memory_backing": {"huge_pages": "3 MiB"}}, "it has no huge pages of 3 MiB"),
        ({"host_devices": [{"name": "gpu", "pci": "0000:ff:1f.7"}]}, "it has no PCI device 0000:ff:1f.7 that it does"),
        ({"host_devices": [{"name": "dongle", "usb": "046d:ffff"}]}, "it has not one USB device 046d:ffff alone that"),
        ({"host_devices": [{"name": "vgpu", "mdev": UUID}]}, f"it has no active mediated device {UUID}"),
        ({"host_devices": [{"name": "gpu", "pci_model": "10de:ffff"}]}, "it has no PCI device of the model 10de:ffff"),
        (
            {"host_devices": [{"name": "vgpu", "mdev_type": "no-63"}]},
            "it has no active mediated device of the type no-63",
        ),
        ({"host_devices": [{"name": "gpu", "resource_pool": "gpus"}]}, 'has no resource pool "gpus"'),
        ({"nics": [{"name": "fast", "port_group": "Production", "sr_iov": "enp9s0"}]}, "it has no NIC enp9s0"),
    ):
        assert lacks in guest.refused_module("pextra_vm", name=NAME, **options)["msg"]
    assert definition(lab) == before
    sealed = {
        "name": "sealed",
        "root": {"pool": "local", "size": "64 MiB"},
        "firmware": {"type": "efi"},
        "memory_backing": {"locked": True},
        "launch_security": {"type": "sev", "policy": 7},
    }
    told = guest.refused_module("pextra_vm", **sealed)["msg"]
    assert "it has no SEV, by which" in told
    assert "it has no SEV-ES, by which" in told
    assert "sealed" not in lab.exec("node1", "virsh", "list", "--all", "--name").split()


@pytest.mark.long
def test_what_no_host_of_the_lab_has_is_defined(lab: Lab, guest: Site) -> None:
    """Of huge pages those that its processor knows."""
    known = lab.exec("node1", "virsh", "capabilities")
    guest.module("pextra_vm", name=NAME, power="stopped", force_stop=True, stop_timeout_s=2)
    for name, row in DEFINED_ONLY.items():
        for number in (0, 1):
            if name != "memory_backing.huge_pages" or f"size='{row.shown[number]}'" in known:
                guest.module("pextra_vm", name=NAME, **declare(number, {name: row}))
                assert look(definition(lab), row.at) == row.shown[number]
