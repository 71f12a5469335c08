# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk is, beside its volume (libvirt: Domain XML, hard drives).

An instance has many: definition_disks.py tells them from one another, by their serials. Volumes that live on their own
have the same limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ...._fields.field import Field
from ..places import Attribute, Text
from ..threads import MAX_THREADS
from ..turns import BOOT_ORDER

# QEMU limits no bandwidth beyond 10**15 bytes per second.
_MAX_BANDWIDTH_MIB = 10**15 // 1024**2


class _Thread:
    """0 is none, which libvirt does not write down."""

    attribute = Attribute("driver", "iothread", "int")

    def read(self, element: Any) -> Any:
        return self.attribute.read(element) or 0

    def write(self, element: Any, value: Any) -> None:
        self.attribute.write(element, value or None)


class Tuning:
    """A limit, by libvirt's word, in units of so many of libvirt's; 0 is none."""

    def __init__(self, word: str, unit: int = 1) -> None:
        self.word, self.unit = word, unit
        self.text = Text(f"iotune/{word}", "int")

    def read(self, element: Any) -> Any:
        number = self.text.read(element)
        if not isinstance(number, int):
            return number or 0
        # What is no whole number of units was written by hand: told from every limit that can be wanted.
        return number // self.unit if number % self.unit == 0 else f"{number / self.unit:g}"

    def write(self, element: Any, value: Any) -> None:
        self.text.write(element, value * self.unit if value else None)


class Burst(Tuning):
    """A limit that counts for a second at a time, which is how long libvirt takes it for if nothing else is said."""

    @property
    def length(self) -> str:
        return f"{self.word}_length"

    def write(self, element: Any, value: Any) -> None:
        super().write(element, value)
        if not value:
            Text(f"iotune/{self.length}").write(element, None)


def _operations(word: str, what: str) -> Field:
    text = f"{what} per second; V(0) for no limit."
    return Field(kind="int", create=0, minimum=0, maximum=10**9, at=Tuning(word), effect="live", help=text)


def _bandwidth(word: str, what: str) -> Field:
    return Field(
        kind="size",
        create=0,
        minimum=0,
        maximum=_MAX_BANDWIDTH_MIB,
        at=Tuning(word, 1024**2),
        effect="live",
        help=f"{what} per second, such as 100 MiB; V(0 MiB) for no limit.",
    )


def _check_wwn(text: str) -> str | None:
    wanted = "write 16 hexadecimal digits in small letters, such as 5000c500a1b2c3d4, or an empty text for none"
    return None if re.fullmatch(r"([0-9a-f]{16})?", text) else f'"{text}" is no World Wide Name; {wanted}'


LIMITS = {
    "iops": _operations("total_iops_sec", "Operations"),
    "iops_read": _operations("read_iops_sec", "Read operations"),
    "iops_write": _operations("write_iops_sec", "Write operations"),
    "bandwidth": _bandwidth("total_bytes_sec", "Bytes read and written"),
    "bandwidth_read": _bandwidth("read_bytes_sec", "Bytes read"),
    "bandwidth_write": _bandwidth("write_bytes_sec", "Bytes written"),
}
# Of each limit: how much there may be in a second, when there was less before.
_BURSTS = {
    f"{name}_burst": replace(
        field,
        at=Burst(f"{field.at.word}_max", field.at.unit),
        help=f"What C({name}) may reach for a second, after there was less; at least as much. 0 is no more than that.",
    )
    for name, field in LIMITS.items()
    if isinstance(field.at, Tuning)
}
TABLE = {
    "bus": Field(
        kind="str",
        choices=("virtio", "scsi", "sata", "usb"),
        create="virtio",
        at=Attribute("target", "bus"),
        effect="next_boot",
        help="What it is attached by: V(scsi) is virtio-scsi, V(sata) and V(usb) are for guests without a driver for "
        "virtio. A new volume on V(sata) or V(usb), and the first on V(scsi), is there at the next start.",
    ),
    "wwn": Field(
        kind="str",
        check=_check_wwn,
        sample="5000c500a1b2c3d4",
        at=Text("wwn"),
        effect="next_boot",
        help="Its World Wide Name, 16 hexadecimal digits, by which a guest can find it as well. For the buses V(scsi) "
        "and V(sata). An empty text is none. None unless given.",
    ),
    "io_thread": Field(
        kind="int",
        minimum=0,
        maximum=MAX_THREADS,
        create=0,
        at=_Thread(),
        effect="next_boot",
        help="The number of the thread, of O(pextra.cloud.pextra_vm#module:io_threads), that does its work, for the "
        "bus V(virtio). V(0) leaves it to QEMU's main thread.",
    ),
    "cache": Field(
        kind="str",
        choices=("none", "writeback", "writethrough", "directsync", "unsafe"),
        create="none",
        at=Attribute("driver", "cache"),
        effect="next_boot",
        help="The cache mode. V(unsafe) loses data when the node does.",
    ),
    "discard": Field(
        kind="str",
        choices=("unmap", "ignore"),
        create="unmap",
        at=Attribute("driver", "discard"),
        effect="next_boot",
        help="Whether blocks that the guest discards become free.",
    ),
    "io": Field(
        kind="str",
        choices=("threads", "native", "io_uring"),
        at=Attribute("driver", "io"),
        effect="next_boot",
        help="How QEMU reads and writes. V(native) needs the cache modes V(none) or V(directsync). As QEMU chooses "
        "unless given.",
    ),
    "detect_zeroes": Field(
        kind="str",
        choices=("off", "on", "unmap"),
        create="off",
        at=Attribute("driver", "detect_zeroes"),
        effect="next_boot",
        help="Whether zeroes that the guest writes take no space: V(on), or V(unmap) to free what had it.",
    ),
    "boot_order": BOOT_ORDER,
    "limits": Field(kind="dict", table={**LIMITS, **_BURSTS}, help="Limits of its input and output."),
}


def name_on(target: str, bus: str) -> str:
    """Return the name of a device as it is on a bus: its letter stays."""
    return f"{'vd' if bus == 'virtio' else 'sd'}{target[2:]}"


def is_hot(disk: Mapping[str, Any], others: Iterable[Mapping[str, Any]], threads: int | None = None) -> bool:
    """Tell whether a running guest can get and lose a disk. others: those that it has, which tell its controllers;
    threads: how many it has for disks, of one that it is to get.
    """
    bus = disk.get("bus", "virtio")
    if threads is not None and disk.get("io_thread", 0) > threads:
        return False
    return bus == "virtio" or (bus == "scsi" and any(other.get("bus") == "scsi" for other in others))


def tuning_of(limits: Mapping[str, Any]) -> dict[str, int]:
    """Return limits in libvirt's words and units; 0 is no limit."""
    places = {name: field.at for name, field in {**LIMITS, **_BURSTS}.items()}
    tuning = {}
    for name, place in places.items():
        if isinstance(place, Tuning) and isinstance(limits.get(name), int):
            tuning[place.word] = limits[name] * place.unit
            # libvirt does not forget a length by itself, and refuses one of nothing.
            tuning |= {place.length: int(limits[name] > 0)} if isinstance(place, Burst) else {}
    return tuning


def find_mistakes(disk: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return pairs of a path and what is wrong there."""
    limits = disk.get("limits") or {}
    mistakes = list(find_limit_mistakes(limits).items())
    for name in LIMITS:
        limit, burst = limits.get(name), limits.get(f"{name}_burst")
        if burst and isinstance(limit, int) and (not limit or burst < limit):
            what = f"is {burst}, and {name} is {limit}; write at least as much, or 0"
            mistakes.append((f"limits.{name}_burst", what if limit else f"needs {name} as well; or write 0"))
    if disk.get("io") == "native" and disk.get("cache") not in (None, "none", "directsync"):
        mistakes.append(("io", f"native needs the cache modes none or directsync, and it is {disk['cache']}"))
    bus = disk.get("bus")
    if disk.get("wwn") and bus in ("virtio", "usb"):
        what = f'is for the buses scsi and sata, and the bus is {bus}; write "" for none, or set the bus'
        mistakes.append(("wwn", what))
    if disk.get("io_thread") and bus not in (None, "virtio"):
        mistakes.append(("io_thread", f"is for the bus virtio, and the bus is {bus}; write 0, or set the bus"))
    return mistakes


def find_limit_mistakes(limits: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with limits, by the option."""
    problems = {}
    for total in ("iops", "bandwidth"):
        if limits.get(total) and any(limits.get(f"{total}_{part}") for part in ("read", "write")):
            problem = f"cannot be together with {total}_read and {total}_write; give the one or the others"
            problems[f"limits.{total}"] = f"{problem}, and 0 for those that are no more to be"
    return problems
