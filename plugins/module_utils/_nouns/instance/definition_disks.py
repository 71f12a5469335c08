# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks in the definition of an instance."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

from .definition import DISK_TYPES, Disk, DomainModel, find_cdroms, is_own_disk, label_of_adopted, parse_disk
from .definition_tree import Make, append, find_or_add, maker, set_text
from .devices.disk import TABLE
from .labels import Labels
from .rows import write_rows


def render_disk(disk: Disk) -> str:
    """Return a disk as a device of its own, for a running instance."""
    return ET.tostring(make_disk(disk, ET.Element), encoding="unicode")


def make_disk(disk: Disk, make: Make) -> Any:
    element = make("disk", {"type": DISK_TYPES[disk.kind][0], "device": "disk"})
    append(element, make, "driver", name="qemu", type=disk.format, cache="none", discard="unmap")
    element.append(make_source(disk, make))
    append(element, make, "target", dev=disk.target, bus="virtio")
    if disk.read_only:
        append(element, make, "readonly")
    if disk.serial:
        append(element, make, "serial").text = disk.serial
    write_rows(TABLE, element, disk.further)
    return element


def find_buses(devices: Any) -> frozenset[str]:
    """Return the buses that disks are on."""
    return frozenset(target.get("bus", "") for target in devices.findall("disk/target"))


def add_controllers(devices: Any, *, had: frozenset[str]) -> None:
    """Give disks on SCSI and USB the controllers that are made for virtual machines; libvirt would choose others. had:
    the buses before it was edited: where there were some, there is what they are on.
    """
    buses = find_buses(devices) - had
    there = {one.get("type"): one for one in devices.findall("controller")}
    if "scsi" in buses and "scsi" not in there:
        append(devices, maker(devices), "controller", type="scsi", index="0", model="virtio-scsi")
    if "usb" in buses and "usb" not in there:
        append(devices, maker(devices), "controller", type="usb", index="0", model="qemu-xhci")
    elif "usb" in buses and there["usb"].get("model") == "none":
        there["usb"].set("model", "qemu-xhci")


def has_turns(devices: Any) -> bool:
    """Tell whether any device has a turn to boot."""
    return any(device.find("boot") is not None for device in devices)


def settle_boot(root: Any, *, had_turns: bool) -> None:
    """Turns of devices, and kinds of device to boot from, exclude one another. had_turns: before it was edited."""
    os_, has = root.find("os"), has_turns(root.find("devices"))
    if os_ is None or has == had_turns:
        return
    for old in os_.findall("boot"):
        os_.remove(old)
    if not has:
        append(os_, maker(os_), "boot", dev="hd")


def make_source(disk: Disk, make: Make) -> Any:
    source = make("source", {})
    if disk.kind == "unit":
        pool, _, unit = disk.path.partition("/")
        source.set("pool", pool)
        source.set("volume", unit)
        return source
    if disk.ceph is not None:
        source.set("protocol", "rbd")
    source.set(DISK_TYPES[disk.kind][1], disk.path)
    if disk.ceph is not None:
        for monitor in disk.ceph.monitors:
            host, _, port = monitor.rpartition(":")
            append(source, make, "host", name=host, port=port)
        auth = append(source, make, "auth", username=disk.ceph.user)
        append(auth, make, "secret", type="ceph", uuid=disk.ceph.secret)
    return source


def set_disks(devices: Any, model: DomainModel, old: Labels | None) -> None:
    """Make the instance's own disks those of the model. Others stay, even if a new disk then finds its name taken.

    old: the labels that the definition had, which tell what units of targets were its own.
    """
    wanted = {disk.name: disk for disk in model.disks}
    drives = find_cdroms(devices, *(one for one in (model.labels, old) if one))
    for element in devices.findall("disk"):
        if element in drives:
            continue
        disk, target = parse_disk(element), element.find("target")
        name = target.get("dev", "") if target is not None else ""
        serial = element.findtext("serial", "")
        known = [one for one in (model.labels, old) if one is not None]
        is_ours = disk is not None and any(is_own_disk(disk, model.name, one) for one in known)
        adopted = [label.name for one in known if disk is not None and (label := label_of_adopted(disk, one))]
        # By hand its path may have been changed, or its serial, but hardly both.
        key = adopted[0] if adopted else serial
        found = wanted.get(key) if is_ours or (serial in wanted and wanted[serial].target == name) else None
        if found is None and is_ours and disk is not None:
            found = next((one for one in wanted.values() if one.target == name and one.path == disk.path), None)
        if found is not None:
            del wanted[found.name]
            if replace(found, adopted_as=None) != disk:
                _write_disk(element, found)
            if disk is not None and found.further.get("bus", disk.further.get("bus")) != disk.further.get("bus"):
                set_text(element, "address", None)  # it is one of the other bus
            write_rows(TABLE, element, found.further)
        elif is_ours:
            devices.remove(element)
    for missing in wanted.values():
        devices.append(make_disk(missing, maker(devices)))


def _write_disk(element: Any, disk: Disk) -> None:
    """Write what we manage of a disk; its address, its driver's other settings and the like stay."""
    for tag, key, value in (("driver", "type", disk.format), ("target", "dev", disk.target)):
        find_or_add(element, tag).set(key, value)
    _write_source(element, disk)
    set_text(element, "serial", disk.serial or None)
    if disk.read_only:
        find_or_add(element, "readonly")
    else:
        set_text(element, "readonly", None)


def _write_source(element: Any, disk: Disk) -> None:
    libvirt_type, key = DISK_TYPES[disk.kind]
    source, before = element.find("source"), parse_disk(element)
    if source is not None and before is not None and before.kind == disk.kind:
        if (before.path, before.ceph) == (disk.path, disk.ceph):
            return
        if disk.kind in ("file", "block"):
            source.set(key, disk.path)
            return
    fresh = make_source(disk, maker(element))
    if source is not None and before is not None and before.kind == disk.kind:
        # Encryption, caches of the client and the like.
        fresh.extend(copy.deepcopy(child) for child in source if child.tag not in ("host", "auth"))
    element.set("type", libvirt_type)
    place = len(element)
    for old in (*element.findall("source"), *element.findall("auth")):
        place = min(place, list(element).index(old))
        element.remove(old)
    element.insert(place, fresh)
