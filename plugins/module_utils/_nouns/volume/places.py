# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the storage pools of volumes that live on their own can do with them."""

from __future__ import annotations

from typing import Literal

from ..._model.names import serial_of
from ..._model.rows import Row
from ..instance import disks as _disks
from ..instance.definition import Disk
from ..pool.kinds import KINDS, PoolKind


def kind_of(pool: Row) -> PoolKind:
    return KINDS[pool.attributes["type"]]


def find_copy_way(
    source_pool: Row, source_format: str, pool: Row, volume_format: str
) -> Literal["libvirt", "ceph", "coordinator"] | None:
    """Return who makes a full copy of a volume, None if nobody can."""
    if kind_of(source_pool).disk == kind_of(pool).disk == "file":
        return "libvirt"
    if source_pool == pool:
        return kind_of(pool).copy
    return "coordinator" if source_format == volume_format == "raw" else None


def is_shared(pool: Row) -> bool:
    return bool(pool.attributes.get("shared"))


def disk_of(pool: Row, file: str, volume_id: str, volume_format: str, target: str) -> Disk:
    """Return a volume as a disk."""
    return _disks.disk_of(pool, file, target=target, serial=serial_of(volume_id), volume_format=volume_format)
