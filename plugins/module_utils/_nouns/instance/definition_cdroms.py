# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives for CDs and DVDs in the definition of an instance.

What is in one is raw, whatever it looks like, and is only ever read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from .definition import DISK_TYPES, Disk, DomainModel, find_cdroms, parse_cdrom
from .definition_disks import make_source
from .definition_tree import Make, append, find_or_add, maker, set_text
from .devices.cdrom import TABLE
from .labels import Labels
from .rows import write_rows


def set_cdroms(devices: Any, model: DomainModel, old: Labels | None) -> None:
    """Make the instance's drives those of the model. old: the labels that the definition had."""
    wanted = {drive.serial: drive for drive in model.cdroms}
    for element in find_cdroms(devices, *(one for one in (model.labels, old) if one is not None)):
        drive = wanted.pop(element.findtext("serial", ""), None)
        if drive is None:
            devices.remove(element)
            continue
        is_bus = drive.further.get("bus")
        if is_bus is not None and is_bus != parse_cdrom(element).further.get("bus"):
            set_text(element, "address", None)  # it is one of the other bus
        find_or_add(element, "target").set("dev", drive.target)
        write_rows(TABLE, element, drive.further)
        if parse_cdrom(element).medium != drive.medium or not _is_safe(element):
            _put_medium(element, drive)
    for drive in wanted.values():
        devices.append(_make_cdrom(drive, maker(devices)))


def change_medium(live: str, drive: Disk) -> str | None:
    """Return a drive as the running guest `live` has it, with another medium; None if it has no such drive."""
    root = ET.fromstring(live)
    for element in root.iterfind("devices/disk"):
        if element.get("device") == "cdrom" and element.findtext("serial") == drive.serial:
            _put_medium(element, drive)
            return ET.tostring(element, encoding="unicode")
    return None


def _is_safe(element: Any) -> bool:
    """Tell whether what is in a drive is taken as it is: of another format it could name files of the node."""
    driver = element.find("driver")
    is_raw = driver is not None and driver.get("type") == "raw"
    return element.find("readonly") is not None and (is_raw or element.find("source") is None)


def _make_cdrom(drive: Disk, make: Make) -> Any:
    element = make("disk", {"type": "file", "device": "cdrom"})
    append(element, make, "target", dev=drive.target)
    append(element, make, "serial").text = drive.serial
    write_rows(TABLE, element, drive.further)
    _put_medium(element, drive)
    return element


def _put_medium(element: Any, drive: Disk) -> None:
    """Write what is in a drive, as a whole: nothing that was said of the one before holds for it."""
    for tag in ("source", "auth", "backingStore"):
        set_text(element, tag, None)
    driver = find_or_add(element, "driver")
    driver.set("name", "qemu")
    driver.set("type", "raw")
    find_or_add(element, "readonly")
    element.set("type", DISK_TYPES[drive.kind][0] if drive.path else "file")
    if drive.path:
        element.append(make_source(drive, maker(element)))
