"""Making volumes of instances, each in the way of its pool's type."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any

from .._cloud import Cloud
from .._disk_blocks import drop_zeros, gather
from .._errors import PextraError
from .._plan._rows import Row
from .._pool_kinds import KINDS
from .._xml.volume import render_volume
from ._pool_blocks import create_raw, require_way, write_blocks

_MIB = 1024**2


def make_volume(cloud: Cloud, node: str, data: Mapping[str, Any], label: str) -> None:
    """Make a volume that is not there. data: of the step `create_volume`; mode empty, overlay or copy."""
    kind = KINDS[data["type"]]
    if data["mode"] == "empty":
        _create(cloud, node, data, label)
    elif data["mode"] == "overlay" and kind.clone == "file":
        hypervisor = cloud.hypervisor(node)
        xml = render_volume(
            data["volume"],
            data["size"] * _MIB,
            data["format"],
            backing_path=hypervisor.volume_path(data["pool"], data["image_volume"]),
            backing_format=data["image_format"],
        )
        hypervisor.create_volume(data["pool"], xml, label)
    elif data["mode"] == "copy" and kind.copy == "coordinator":
        _create(cloud, node, data, label)
        _copy_through_here(cloud, node, data, label)
    else:
        # On Ceph libvirt clones what it is asked to copy.
        _clone(cloud, node, data, label)
        if data["mode"] == "copy" and kind.copy == "ceph":
            cloud.ceph_pool(data["pool_row"]).flatten(data["volume"])


def write_small_volume(cloud: Cloud, node: str, pool: Row, volume: str, content: bytes, label: str) -> None:
    """Make a raw volume that holds `content`, instead of what is there."""
    hypervisor, kind = cloud.hypervisor(node), KINDS[pool.attributes["type"]]
    size = len(content) if kind.disk == "file" else -(-len(content) // _MIB) * _MIB
    require_way(cloud, pool)
    hypervisor.delete_volume(pool.name, volume, label)
    create_raw(cloud, node, pool, volume, size, label, is_thin=kind.is_thin)
    if kind.disk == "file":
        hypervisor.upload_volume(pool.name, volume, io.BytesIO(content).read, len(content), label)
    else:
        write_blocks(cloud, node, pool, volume, drop_zeros(gather([content])), size, label)


def _create(cloud: Cloud, node: str, data: Mapping[str, Any], label: str) -> None:
    xml = render_volume(data["volume"], data["size"] * _MIB, data["format"], is_thin=KINDS[data["type"]].is_thin)
    cloud.hypervisor(node).create_volume(data["pool"], xml, label)


def _clone(cloud: Cloud, node: str, data: Mapping[str, Any], label: str) -> None:
    hypervisor, size = cloud.hypervisor(node), data["size"] * _MIB
    xml = render_volume(data["volume"], size, data["format"], is_thin=KINDS[data["type"]].is_thin)
    hypervisor.clone_volume(data["pool"], xml, data["pool"], data["image_volume"], label)
    if hypervisor.volume_size(data["pool"], data["volume"]) < size:
        hypervisor.grow_volume(data["pool"], data["volume"], size, label)


def _copy_through_here(cloud: Cloud, node: str, data: Mapping[str, Any], label: str) -> None:
    hypervisor = cloud.hypervisor(node)
    chunks = hypervisor.read_volume(data["pool"], data["image_volume"], data["image_size"], label)
    blocks = drop_zeros(gather(chunks))
    try:
        hypervisor.fill_volume(
            data["pool"], data["volume"], blocks, data["image_size"], label, is_blank=KINDS[data["type"]].is_blank
        )
    except PextraError:
        with contextlib.suppress(PextraError):
            hypervisor.delete_volume(data["pool"], data["volume"], label)
        raise
