# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of pools as disks of an instance."""

from __future__ import annotations

from dataclasses import replace

from ..._model.ids import uuid_of
from ..._model.rows import Row
from ..pool.kinds import CEPH_PORT, KINDS, volume_place
from ..pool.kinds import volume_format as usual_format
from .definition import Ceph, Disk


def disk_of(
    pool: Row, volume: str, *, target: str, serial: str, volume_format: str | None = None, read_only: bool = False
) -> Disk:
    """Return a volume as a disk. volume_format: None is the one that instances' volumes have in such a pool."""
    pool_type = pool.attributes["type"]
    return Disk(
        target=target,
        path=volume_place(pool_type, pool.name, pool.attributes, volume),
        serial=serial,
        format=volume_format or usual_format(pool_type),
        read_only=read_only,
        kind=KINDS[pool_type].disk,
        ceph=ceph_of(pool) if pool_type == "rbd" else None,
    )


def tree_of(pool: Row, volume: str) -> Disk:
    """Return the root volume of a container: a directory in a pool of files."""
    return replace(disk_of(pool, volume, target="/", serial="root", volume_format="dir"), kind="tree")


def ceph_of(pool: Row) -> Ceph:
    """Return how a node reaches a pool of type rbd. The secret has the pool's UUID."""
    source = pool.attributes["source"]
    monitors = tuple(f"{monitor}:{CEPH_PORT}" for monitor in source["monitors"])
    return Ceph(monitors=monitors, user=source["user"], secret=uuid_of(pool.id))
