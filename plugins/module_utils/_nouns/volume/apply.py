# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making volumes that live on their own, each in the way of its pool's type, and deleting them.

What a killed run has left is made anew: nobody can have written to it. data: of the step; pools are their rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from ..._cloud import Cloud
from ..._model.errors import HypervisorError, PextraError, Problem
from ..._model.names import parse_standalone
from ..._model.rows import Row
from ..pool.blocks import (
    create_raw,
    read_blocks,
    require_blocks,
    require_way,
    write_blocks,
)
from .definition import render_volume
from .places import kind_of
from .reading import require_form
from .transfer import fill_from_file


def make_empty(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    """Make a volume that reads as zeros."""
    node, pool, volume = data["node"], data["pool"], data["volume"]

    def make() -> None:
        xml = render_volume(volume, data["size"], data["format"], is_thin=not data["thick"])
        cloud.hypervisor(node).create_volume(pool.name, xml, label)
        if not kind_of(pool).is_blank:
            size = cloud.hypervisor(node).volume_size(pool.name, volume)
            write_blocks(cloud, node, pool, volume, (), size, label)

    _make(cloud, data, label, make)


def make_linked_clone(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    """Make a volume that shares the blocks of another one of its pool."""
    hypervisor, pool = cloud.hypervisor(data["node"]), data["pool"]

    def make() -> None:
        _require_source(cloud, data, label)
        if kind_of(pool).clone == "ceph":
            with cloud.ceph_pool(pool).sealed(data["source"]):
                _clone_in_ceph(cloud, data, label)
            return
        xml = render_volume(
            data["volume"],
            data["size"],
            data["format"],
            backing_path=hypervisor.volume_path(pool.name, data["source"]),
            backing_format=data["source_format"],
        )
        hypervisor.create_volume(pool.name, xml, label)

    _make(cloud, data, label, make)


def make_full_clone(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    """Make a copy of a volume, or of a file that was brought beside it."""
    ways = {"libvirt": _copy_by_libvirt, "ceph": _copy_in_ceph, "coordinator": _copy_through_here}
    _make(cloud, data, label, lambda: ways[data["way"]](cloud, data, label))


def make_from_file(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    """Make a volume in a pool that holds no files from one of the coordinator's."""
    node, pool, volume = data["node"], data["pool"], data["volume"]

    def make() -> None:
        create_raw(cloud, node, pool, volume, data["size"], label, is_thin=not data["thick"])
        fill_from_file(cloud, data, label)

    require_way(cloud, pool)
    _make(cloud, data, label, make)


def delete(cloud: Cloud, node: str, pool: Row, volume: str, label: str) -> None:
    """Delete a volume; gone already is fine. What the next one would show is overwritten first."""
    kind = kind_of(pool)
    is_clone = kind.clone == "ceph"
    parent = cloud.ceph_pool(pool).parents([volume]).get(volume) if is_clone else None
    cloud.hypervisor(node).delete_volume(pool.name, volume, label, wipe=not kind.is_blank, with_snapshots=is_clone)
    shared = parent.rsplit("/", 1)[-1] if parent is not None else ""
    if parse_standalone(shared) is not None:
        # A snapshot that nothing hangs on would only keep what the volume no longer holds. Images keep theirs.
        cloud.ceph_pool(pool).unseal(shared)


def _make(cloud: Cloud, data: Mapping[str, Any], label: str, make: Callable[[], None]) -> None:
    place = (data["node"], data["pool"], data["volume"])
    delete(cloud, *place, label)
    try:
        make()
    except PextraError:
        # Half a volume is of no use, and on a full disk in the way.
        with contextlib.suppress(PextraError):
            delete(cloud, *place, label)
        raise


def _require_source(cloud: Cloud, data: Mapping[str, Any], label: str) -> int:
    """Return the size in bytes of what is copied. libvirt reads it in the format that it takes it for."""
    place = (data["node"], data["source_pool"], data["source"], data["source_format"])
    return require_form(cloud, *place, label, backing=data.get("source_backing", False))


def _copy_by_libvirt(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    node, pool, volume = data["node"], data["pool"], data["volume"]
    hypervisor, kind = cloud.hypervisor(node), kind_of(pool)
    copied = _require_source(cloud, data, label)
    # Files grow when they have been copied.
    xml = render_volume(
        volume, copied if kind.grows else data["size"], data["format"], is_thin=kind.grows or not data["thick"]
    )
    hypervisor.clone_volume(pool.name, xml, data["source_pool"].name, data["source"], label)
    if not kind.is_blank:
        size = hypervisor.volume_size(pool.name, volume)
        if size > copied:
            write_blocks(cloud, node, pool, volume, (), size, label, begin=copied)


def _copy_in_ceph(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    _require_source(cloud, data, label)
    ceph = cloud.ceph_pool(data["pool"])
    with ceph.sealed(data["source"]):
        _clone_in_ceph(cloud, data, label)
        ceph.flatten(data["volume"])


def _clone_in_ceph(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    """libvirt clones what it is asked to copy, and hangs the clone on the snapshot that shows what there is now."""
    pool = data["pool"]
    xml = render_volume(data["volume"], data["size"], data["format"])
    cloud.hypervisor(data["node"]).clone_volume(pool.name, xml, pool.name, data["source"], label)


def _copy_through_here(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    node, pool, volume = data["node"], data["pool"], data["volume"]
    copied = _require_source(cloud, data, label)
    source = (node, data["source_pool"], data["source"], copied, label)
    create_raw(cloud, node, pool, volume, max(copied, data["size"]), label, is_thin=not data["thick"])
    size = cloud.hypervisor(node).volume_size(pool.name, volume)
    write_blocks(cloud, node, pool, volume, read_blocks(cloud, *source), size, label)
    require_blocks(cloud, node, pool, volume, read_blocks(cloud, *source), size, label)


def verify(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    """Raise unless a volume that was made has the format, the size and the parent that it is to have."""
    place = (data["node"], data["pool"], data["volume"], data["format"])
    size = require_form(cloud, *place, label, backing=data["backing"])
    # Where volumes do not grow they are made of whole extents.
    is_right = size == data["size"] if kind_of(data["pool"]).grows else size >= data["size"]
    if not is_right:
        raise HypervisorError(
            [Problem(f"it has {size} bytes, and should have {data['size']}", "Run again.", data["node"], label)]
        )
