# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks into volumes and out of them, each in the way of its pool's type."""

from __future__ import annotations

from collections.abc import Iterator

from ..._cloud import Cloud
from ..._doors.host.blocks import (
    BLOCK,
    Blocks,
    drop_zeros,
    find_difference,
    gather,
)
from ..._engine.progress import note_transfer
from ..._model.errors import PextraError, Problem
from ..._model.rows import Row
from ..volume.definition import render_volume
from .kinds import KINDS


def require_way(cloud: Cloud, pool: Row) -> None:
    """Raise if blocks cannot be written into a pool from here: before anything is changed."""
    if KINDS[pool.attributes["type"]].fill == "ceph":
        cloud.ceph_pool(pool)


def create_raw(cloud: Cloud, node: str, pool: Row, volume: str, size: int, label: str, *, is_thin: bool) -> None:
    """Make a raw volume of `size` bytes. What is in it matters only once it is filled."""
    cloud.hypervisor(node).create_volume(pool.name, render_volume(volume, size, "raw", is_thin=is_thin), label)


def write_blocks(
    cloud: Cloud, node: str, pool: Row, volume: str, blocks: Blocks, size: int, label: str, *, begin: int = 0
) -> None:
    """Fill a volume that was just made. What is between blocks reads as zeros afterwards, from byte `begin` up to
    `size`.
    """
    kind = KINDS[pool.attributes["type"]]

    def note(done: int) -> None:
        note_transfer(f"{label} on {node}", done, size)

    if kind.fill == "ceph":
        cloud.ceph_pool(pool).fill(volume, blocks, progress=note)
    else:
        cloud.hypervisor(node).fill_volume(
            pool.name, volume, blocks, size, label, is_blank=kind.is_blank, begin=begin, progress=note
        )


def read_blocks(cloud: Cloud, node: str, pool: Row, volume: str, size: int, label: str) -> Iterator[tuple[int, bytes]]:
    """Yield what a raw volume holds, up to `size` bytes: every block that is not all zeros, in order."""
    if KINDS[pool.attributes["type"]].fill == "ceph":
        return cloud.ceph_pool(pool).read(volume, size)
    return drop_zeros(gather(cloud.hypervisor(node).read_volume(pool.name, volume, size, label)))


def require_blocks(cloud: Cloud, node: str, pool: Row, volume: str, blocks: Blocks, size: int, label: str) -> None:
    """Read a volume of `size` bytes back, and raise if it does not hold these blocks and zeros alone."""
    wanted = ((offset, data.ljust(min(BLOCK, size - offset), b"\0")) for offset, data in blocks)
    place = find_difference(wanted, read_blocks(cloud, node, pool, volume, size, label))
    if place is not None:
        raise PextraError(
            [
                Problem(
                    f"what was written there reads back differently at byte {place}, and was deleted",
                    "Check the disks and memory of the node and the storage, then run again.",
                    node,
                    label,
                )
            ]
        )
