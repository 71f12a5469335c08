"""Storage pools as libvirt XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

_TYPES = {"directory": "dir"}


@dataclass(frozen=True)
class PoolDefinition:
    """What a pool's XML says. type is libvirt's word; path is None for pools that are not in a directory."""

    name: str
    uuid: str
    type: str
    path: str | None


def render_pool(name: str, uuid: str, pool_type: str, path: str) -> str:
    """Return the XML of a pool. Permissions are left out on purpose: libvirt then makes a missing directory with
    mode 0711, so that QEMU can pass through it, and leaves one that is there as it is.
    """
    root = ET.Element("pool", type=_TYPES[pool_type])
    ET.SubElement(root, "name").text = name
    ET.SubElement(root, "uuid").text = uuid
    ET.SubElement(ET.SubElement(root, "target"), "path").text = path
    return ET.tostring(root, encoding="unicode")


def parse_pool(xml: str) -> PoolDefinition:
    """Return what libvirt's XML of a pool says."""
    root = ET.fromstring(xml)
    path = root.findtext("target/path")
    return PoolDefinition(
        root.findtext("name", ""),
        root.findtext("uuid", ""),
        root.get("type", ""),
        path.strip() if path and path.startswith("/") else None,
    )


def is_of_type(definition: PoolDefinition, pool_type: str) -> bool:
    """Tell whether libvirt's pool is of one of our types."""
    return definition.type == _TYPES[pool_type]
