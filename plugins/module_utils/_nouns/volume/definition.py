# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes as libvirt XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class VolumeFacts:
    """A volume as libvirt sees it. Sizes are bytes. backing: the path of what it lies upon."""

    name: str
    format: str
    capacity: int
    allocation: int
    backing: str | None = None

    @property
    def backing_volume(self) -> str | None:
        """The name, in its pool, of the volume that it lies upon."""
        return self.backing.rsplit("/", 1)[-1] if self.backing else None


def render_volume(
    name: str,
    size_bytes: int,
    volume_format: str,
    *,
    backing_path: str | None = None,
    backing_format: str = "qcow2",
    is_thin: bool = True,
    is_readable: bool = False,
) -> str:
    """Return the XML of a volume. Only the owner may read it, unless everybody is to (is_readable); QEMU's user gets it
    when it is opened.

    is_thin: whether space is taken only when it is written. Of a logical volume libvirt would make a snapshot of
    nothing, which is lost when it is full.
    """
    root = ET.Element("volume")
    ET.SubElement(root, "name").text = name
    ET.SubElement(root, "capacity", unit="bytes").text = str(size_bytes)
    ET.SubElement(root, "allocation", unit="bytes").text = "0" if is_thin else str(size_bytes)
    target = ET.SubElement(root, "target")
    ET.SubElement(target, "format", type=volume_format)
    permissions = ET.SubElement(target, "permissions")
    ET.SubElement(permissions, "mode").text = "0644" if is_readable else "0600"
    if backing_path is not None:
        backing = ET.SubElement(root, "backingStore")
        ET.SubElement(backing, "path").text = backing_path
        ET.SubElement(backing, "format", type=backing_format)
    return ET.tostring(root, encoding="unicode")


def parse_volume(xml: str) -> VolumeFacts:
    """Return what libvirt says of a volume."""
    root = ET.fromstring(xml)
    element = root.find("target/format")
    return VolumeFacts(
        name=root.findtext("name", ""),
        format=element.get("type", "raw") if element is not None else "raw",
        capacity=int(root.findtext("capacity", "0")),
        allocation=int(root.findtext("allocation", "0")),
        backing=root.findtext("backingStore/path"),
    )
