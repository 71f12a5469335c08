# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two values of every option of an instance, and where a domain's XML says so: for test_instance_rows.py.

A guard holds this table to the rows that there are.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """at: a path of elements below the domain, with `@attribute` or `?` for whether it is there; its text otherwise.
    values: what is declared first and then; shown: what the definition says then, None for nothing.
    """

    at: str
    values: tuple[Any, Any]
    shown: tuple[str | None, str | None]


ROWS: dict[str, Row] = {
    "balloon.autodeflate": Row("devices/memballoon@autodeflate", (True, False), ("on", "off")),
    "balloon.free_page_reporting": Row("devices/memballoon@freePageReporting", (True, False), ("on", "off")),
    "balloon.model": Row("devices/memballoon@model", ("virtio", "virtio"), ("virtio", "virtio")),
    "balloon.stats_period_s": Row("devices/memballoon/stats@period", (5, 10), ("5", "10")),
    "boot.menu": Row("os/bootmenu@enable", (True, True), ("yes", "yes")),
    "boot.menu_timeout_ms": Row("os/bootmenu@timeout", (100, 200), ("100", "200")),
    "boot.reboot_timeout_ms": Row("os/bios@rebootTimeout", (1000, 2000), ("1000", "2000")),
    "clock.offset": Row("clock@offset", ("localtime", "utc"), ("localtime", "utc")),
    "cpu.disable": Row("cpu/feature[@policy='disable']@name", (["sse4.2"], []), ("sse4.2", None)),
    "cpu.model": Row("cpu/model", ("Nehalem", "Penryn"), ("Nehalem", "Penryn")),
    "cpu.require": Row("cpu/feature[@policy='require']@name", (["aes"], []), ("aes", None)),
    "cpu.topology.cores": Row("cpu/topology@cores", (2, 1), ("2", "1")),
    "cpu.topology.sockets": Row("cpu/topology@sockets", (2, 1), ("2", "1")),
    "cpu.topology.threads": Row("cpu/topology@threads", (1, 3), ("1", "3")),
    "description": Row("description", ("Rows", "Rows, changed"), ("Rows", "Rows, changed")),
    "graphics.type": Row("devices/graphics@type", ("vnc", "spice"), ("vnc", "spice")),
    "io_threads": Row("iothreads", (2, 1), ("2", "1")),
    # More than the guest was started with room for; what is plugged is in test_memory.py.
    "memory": Row("currentMemory", ("256 MiB", "640 MiB"), (str(256 * 1024), str(640 * 1024))),
    "memory_backing.access": Row("memoryBacking/access@mode", ("shared", "private"), ("shared", "private")),
    "memory_backing.unmerged": Row("memoryBacking/nosharepages?", (True, False), ("yes", None)),
    "memory_max": Row("maxMemory", ("512 MiB", "768 MiB"), (str(512 * 1024), str(768 * 1024))),
    "on_crash": Row("on_crash", ("stop", "restart"), ("destroy", "restart")),
    "panic.model": Row("devices/panic@model", ("isa", "hyperv"), ("isa", "hyperv")),
    "pinning.each_vcpu": Row(
        "cputune/vcpupin[@vcpu='0']@cpuset",
        ([{"vcpu": 0, "threads": [0]}], [{"vcpu": 0, "threads": [0, 1]}]),
        ("0", "0-1"),
    ),
    "pinning.emulator": Row("cputune/emulatorpin@cpuset", ([0], [1]), ("0", "1")),
    "pinning.io_threads": Row("cputune/iothreadpin[@iothread='1']@cpuset", ([0], [0, 1]), ("0", "0-1")),
    "pinning.vcpus": Row("vcpu@cpuset", ([0], [0, 1]), ("0", "0-1")),
    "rng.model": Row("devices/rng@model", ("virtio", "virtio"), ("virtio", "virtio")),
    "rng.rate_bytes": Row("devices/rng/rate@bytes", (1024, 2048), ("1024", "2048")),
    "rng.rate_period_ms": Row("devices/rng/rate@period", (1000, 500), ("1000", "500")),
    "rng.source": Row("devices/rng/backend", ("random", "urandom"), ("/dev/random", "/dev/urandom")),
    "sound.model": Row("devices/sound@model", ("ich9", "ac97"), ("ich9", "ac97")),
    "tpm.model": Row("devices/tpm@model", ("tpm-crb", "tpm-tis"), ("tpm-crb", "tpm-tis")),
    # Of the tests' host as of the guest's: two threads.
    "vcpus": Row("vcpu@current", (1, 2), ("1", "2")),
    "vcpus_max": Row("vcpu", (4, 3), ("4", "3")),
    "video.model": Row("devices/video/model@type", ("virtio", "vga"), ("virtio", "vga")),
    "watchdog.action": Row("devices/watchdog@action", ("restart", "none"), ("pause", "none")),
    "watchdog.model": Row("devices/watchdog@model", ("i6300esb", "i6300esb"), ("i6300esb", "i6300esb")),
}
# Of its one NIC; paths are below it.
NIC = {
    "limits.bandwidth_in": Row("bandwidth/inbound@average", ("1 MiB", "2 MiB"), ("1024", "2048")),
    "limits.bandwidth_out": Row("bandwidth/outbound@average", ("3 MiB", "0 MiB"), ("3072", None)),
    "limits.burst_in": Row("bandwidth/inbound@burst", ("4 MiB", "5 MiB"), ("4096", "5120")),
    "limits.burst_out": Row("bandwidth/outbound@burst", ("6 MiB", "0 MiB"), ("6144", None)),
    "boot_order": Row("boot@order", (5, 6), ("5", "6")),
    "link": Row("link@state", (False, True), ("down", None)),
    # The others have no queues.
    "model": Row("model@type", ("virtio", "virtio"), ("virtio", "virtio")),
    "mtu": Row("mtu@size", (1400, 1450), ("1400", "1450")),
    "queues": Row("driver@queues", (2, 1), ("2", None)),
}
# Of a disk; paths are below it. Limits of both directions, and of each, exclude one another.
DISK = {
    "boot_order": Row("boot@order", (1, 2), ("1", "2")),
    "bus": Row("target@bus", ("sata", "virtio"), ("sata", "virtio")),
    "cache": Row("driver@cache", ("writeback", "none"), ("writeback", "none")),
    "detect_zeroes": Row("driver@detect_zeroes", ("unmap", "off"), ("unmap", "off")),
    "discard": Row("driver@discard", ("ignore", "unmap"), ("ignore", "unmap")),
    "io": Row("driver@io", ("threads", "native"), ("threads", "native")),
    "limits.bandwidth": Row("iotune/total_bytes_sec", ("5 MiB", "0 MiB"), (str(5 * 1024**2), None)),
    "limits.bandwidth_read": Row("iotune/read_bytes_sec", ("0 MiB", "6 MiB"), (None, str(6 * 1024**2))),
    "limits.bandwidth_write": Row("iotune/write_bytes_sec", ("0 MiB", "7 MiB"), (None, str(7 * 1024**2))),
    "limits.bandwidth_burst": Row("iotune/total_bytes_sec_max", ("8 MiB", "0 MiB"), (str(8 * 1024**2), None)),
    "limits.bandwidth_read_burst": Row("iotune/read_bytes_sec_max", ("0 MiB", "9 MiB"), (None, str(9 * 1024**2))),
    "limits.bandwidth_write_burst": Row("iotune/write_bytes_sec_max", ("0 MiB", "9 MiB"), (None, str(9 * 1024**2))),
    "limits.iops": Row("iotune/total_iops_sec", (100, 0), ("100", None)),
    "limits.iops_burst": Row("iotune/total_iops_sec_max", (150, 0), ("150", None)),
    "limits.iops_read_burst": Row("iotune/read_iops_sec_max", (0, 250), (None, "250")),
    "limits.iops_write_burst": Row("iotune/write_iops_sec_max", (0, 350), (None, "350")),
    "limits.iops_read": Row("iotune/read_iops_sec", (0, 200), (None, "200")),
    "limits.iops_write": Row("iotune/write_iops_sec", (0, 300), (None, "300")),
}
# For some buses, or for threads that the instance has: test_disk_buses.py.
DISK_APART = {"io_thread", "wwn"}
# Of a drive; paths are below it.
CDROM = {
    "boot_order": Row("boot@order", (3, 4), ("3", "4")),
    "bus": Row("target@bus", ("scsi", "sata"), ("scsi", "sata")),
}
# Chosen when an instance is made: test_firmware.py.
FIXED = {"firmware.type", "firmware.secure_boot"}
# What is seen by those who look at a screen: test_screen.py.
SCREEN = {"graphics.listen", "graphics.password"}
# What divides the others anew, what is chosen when an instance is made, and what nodes have to give: test_numa.py,
# test_architecture.py, test_filesystems.py.
APART = {"architecture", "filesystems", "numa"}
# The lab's hosts have no huge pages set aside, as containers may not lock so much memory, and lack vhost_vsock.
DEFINED_ONLY = {
    "memory_backing.huge_pages": Row("memoryBacking/hugepages/page@size", ("2 MiB", "1 GiB"), ("2048", "1048576")),
    "memory_backing.locked": Row("memoryBacking/locked?", (True, False), ("yes", None)),
    "vsock.cid": Row("devices/vsock/cid@address", (5, 0), ("5", None)),
    "vsock.model": Row("devices/vsock@model", ("virtio", "virtio"), ("virtio", "virtio")),
}
# The lab's hosts have no devices to give, and no processor with SEV: what is refused of it is in test_instance_rows.py.
REFUSED = {"host_devices", "launch_security.policy", "launch_security.type"}
# What is seen of them, and how each is taken away.
DEVICES = {
    "balloon": ({"model": "none"}, "devices/memballoon[@model='virtio']"),
    "graphics": ({"type": "none"}, "devices/graphics"),
    "panic": ({"model": "none"}, "devices/panic"),
    "rng": ({"model": "none"}, "devices/rng"),
    "sound": ({"model": "none"}, "devices/sound"),
    "tpm": ({"model": "none"}, "devices/tpm"),
    "video": ({"model": "none"}, "devices/video/model[@type='vga']"),
    "vsock": ({"model": "none"}, "devices/vsock"),
    "watchdog": ({"model": "none"}, "devices/watchdog[@model='i6300esb']"),
}


def declare(number: int, rows: Mapping[str, Row] = ROWS, *, but: Callable[[str], bool] = lambda _name: False) -> Any:
    """Return the options of an instance: of every row the first value (0) or the other (1)."""
    options: dict[str, Any] = {}
    for name, row in rows.items():
        if but(name):
            continue
        *above, last = name.split(".")
        inner = options
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = row.values[number]
    return options


def look(xml: str, at: str) -> str | None:
    """Return what a domain, or a device, says at a place, see `Row`."""
    root = ET.fromstring(xml)
    # An `@` in brackets belongs to the path.
    path, _, attribute = at.rpartition("@") if "@" in at.rpartition("]")[2] else (at, "", "")
    found = root.find(path.removesuffix("?"))
    if found is None:
        return None
    if attribute:
        return found.get(attribute)
    return "yes" if path.endswith("?") else found.text
