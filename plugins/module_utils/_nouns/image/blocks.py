# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of images in pools that hold no files: the file's blocks are written into a raw volume."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ..._cloud import Cloud
from ..._doors.host import image_files as cache
from ..._doors.host.blocks import open_disk
from ..._model.errors import PextraError
from ..._model.rows import Row
from ..pool.blocks import (
    create_raw,
    require_blocks,
    require_way,
    write_blocks,
)
from ..pool.kinds import KINDS, TREE_FORMATS
from .content import drop_changed, open_cached

_MIB = 1024**2


def write_block_copy(cloud: Cloud, node: str, data: Mapping[str, Any], label: str) -> None:
    """Write a copy through a node and read it back; the caller records it. data: of the step `upload`.

    Raises PextraError; a copy that could not be finished is deleted again.
    """
    pool: Row = data["pool_row"]
    kind, volume = KINDS[pool.attributes["type"]], data["volume"]
    resource = f"{label} in pool {pool.name}"
    require_way(cloud, pool)
    with open_cached(data["sha256"], label) as file:
        if cache.digest_of(file) != data["sha256"]:
            raise drop_changed(data["sha256"], label)
        disk = open_disk(file, "raw" if data["format"] in TREE_FORMATS else data["format"], label)
        size = -(-disk.size // _MIB) * _MIB
        _delete(cloud, node, pool, volume, resource)  # what a killed run has left
        create_raw(cloud, node, pool, volume, size, resource, is_thin=kind.is_thin)
        try:
            write_blocks(cloud, node, pool, volume, disk.blocks(), size, resource)
            require_blocks(cloud, node, pool, volume, disk.blocks(), size, resource)
        except PextraError:
            # What arrived is of no use, and in a full pool in the way.
            with contextlib.suppress(PextraError):
                _delete(cloud, node, pool, volume, resource)
            raise
    if kind.clone == "ceph":
        cloud.ceph_pool(pool).seal(volume)


def _delete(cloud: Cloud, node: str, pool: Row, volume: str, resource: str) -> None:
    has_snapshots = KINDS[pool.attributes["type"]].clone == "ceph"
    cloud.hypervisor(node).delete_volume(pool.name, volume, resource, with_snapshots=has_snapshots)
