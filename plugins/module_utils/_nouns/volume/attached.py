# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that live on their own, as disks of a domain: rendering, reading back, and editing what we manage of one."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..._model.names import (
    Standalone,
    has_foreign_owner,
    parse_attached,
    parse_kept,
    parse_standalone,
)
from ..instance.definition import Disk, parse_disk
from ..instance.definition_disks import render_disk
from .spec import Limits

# libvirt's word for each limit, and how many of its units one of ours is.
TUNING = {
    "iops": ("total_iops_sec", 1),
    "iops_read": ("read_iops_sec", 1),
    "iops_write": ("write_iops_sec", 1),
    "bandwidth": ("total_bytes_sec", 1024**2),
    "bandwidth_read": ("read_bytes_sec", 1024**2),
    "bandwidth_write": ("write_bytes_sec", 1024**2),
}


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A volume as a disk. tuning: limits by libvirt's words and units; what is not limited is not in it."""

    disk: Disk
    cache: str | None = "none"
    discard: str | None = "unmap"
    tuning: Mapping[str, int] = field(default_factory=dict)

    @property
    def volume(self) -> Standalone | None:
        return parse_standalone(self.disk.volume) or parse_kept(self.disk.volume)


def tuning_of(limits: Limits | None) -> dict[str, int]:
    """Return limits in libvirt's words and units."""
    if limits is None:
        return {}
    values = {word: (getattr(limits, name) or 0) * unit for name, (word, unit) in TUNING.items()}
    return {word: value for word, value in values.items() if value}


def render_attachment(attachment: Attachment) -> str:
    """Return the disk as a device of its own."""
    element = ET.fromstring(render_disk(attachment.disk))
    _write(element, attachment)
    return ET.tostring(element, encoding="unicode")


def edit_attachment(xml: str, attachment: Attachment) -> str:
    """Return the disk as the domain `xml` has it, taken to what is wanted; its address and the like stay.

    Raises KeyError if the domain has no such disk.
    """
    for element in ET.fromstring(xml).iterfind("devices/disk"):
        disk = parse_disk(element)
        if disk is not None and disk.path == attachment.disk.path:
            _write(element, attachment)
            return ET.tostring(element, encoding="unicode")
    raise KeyError(attachment.disk.path)


def parse_attachments(xml: str) -> tuple[Attachment, ...]:
    """Return the volumes that live on their own among a domain's disks."""
    if ".vol-" not in xml and not has_foreign_owner(xml):
        return ()
    found = []
    root = ET.fromstring(xml)
    uuid = root.findtext("uuid", "")
    for element in root.iterfind("devices/disk"):
        disk = parse_disk(element)
        if disk is None or parse_attached(disk.volume, uuid) is None:
            continue
        driver, tune = element.find("driver"), element.find("iotune")
        # Beside the numbers there may be a name, of a group that shares a limit.
        numbers = [child for child in tune if (child.text or "").strip().isdecimal()] if tune is not None else []
        tuning = {child.tag: int(child.text or "0") for child in numbers}
        found.append(
            Attachment(
                disk=disk,
                cache=driver.get("cache") if driver is not None else None,
                discard=driver.get("discard") if driver is not None else None,
                tuning={word: value for word, value in tuning.items() if value},
            )
        )
    return tuple(found)


def _write(element: ET.Element, attachment: Attachment) -> None:
    driver = element.find("driver")
    if driver is None:
        driver = ET.SubElement(element, "driver", name="qemu")
    driver.set("type", attachment.disk.format)
    for key, value in (("cache", attachment.cache), ("discard", attachment.discard)):
        if value is None:
            driver.attrib.pop(key, None)
        else:
            driver.set(key, value)
    _write_tuning(element, attachment.tuning)


def _write_tuning(element: ET.Element, tuning: Mapping[str, int]) -> None:
    """Set the limits; the name of a group that shares them stays."""
    tune = element.find("iotune")
    if tune is None:
        if not tuning:
            return
        tune = ET.SubElement(element, "iotune")
    for old in list(tune):
        if (old.text or "").strip().isdecimal():
            tune.remove(old)
    for word, number in tuning.items():
        ET.SubElement(tune, word).text = str(number)
    if len(tune) == 0:
        element.remove(tune)
