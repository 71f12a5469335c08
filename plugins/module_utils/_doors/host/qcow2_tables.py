# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a qcow2 file: every one in its place, every cluster with one owner, and counted as used.

What two owners share, or what is counted as free, is overwritten once a guest writes; what lies beyond the file reads
as zeros. QEMU notices none of it when it opens a file. No program is run: the coordinator needs no QEMU, and what the
file says is read by nothing that it could deceive.

Source of the rules: QEMU's docs/interop/qcow2.txt. Pure but for reading the file.
"""

from __future__ import annotations

import errno
import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

_AGAIN = "Fetch or copy it again."
_REPAIR = "Repair it: qemu-img check -r all FILE; or fetch it again."
# A byte of memory for each; 512 TiB with clusters of 1 MiB, 32 TiB with the usual ones of 64 KiB.
_MAX_CLUSTERS = 2**29
_OFFSET_MASK = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_SECTOR = 512

_OWNED, _PACKED = 1, 2  # by one; by compressed clusters, which share


class TableError(Exception):
    """What is wrong, and what to do."""

    def __init__(self, what: str, remedy: str = _REPAIR) -> None:
        self.remedy = remedy
        super().__init__(what)


@dataclass(frozen=True)
class Layout:
    """Where the tables are, as the header says. entry_size: bytes of an entry of an L2 table; l1_used: entries of the
    L1 table that the disk's size needs.
    """

    cluster_bits: int
    entry_size: int
    l1_offset: int
    l1_entries: int
    l1_used: int
    refcount_offset: int
    refcount_clusters: int
    refcount_order: int

    @property
    def cluster(self) -> int:
        return 1 << self.cluster_bits


def check_tables(file: BinaryIO, size: int, layout: Layout) -> None:
    """Raise TableError if a table is not sound. The L1 table and that of the reference counts are within the file."""
    cluster = layout.cluster
    if -(-size // cluster) > _MAX_CLUSTERS:
        raise TableError(
            f"it is too large for its clusters of {cluster} bytes",
            "Convert it: qemu-img convert -O qcow2 IN OUT.",
        )
    owners = bytearray(-(-size // cluster))
    for offset, length in (
        (0, cluster),
        (layout.l1_offset, layout.l1_entries * 8),
        (layout.refcount_offset, layout.refcount_clusters * cluster),
    ):
        for place in range(offset, offset + length, cluster):
            _own(owners, place, cluster)
    written = _find_written(file, size)
    l1 = _numbers(_read(file, layout.l1_offset, layout.l1_used * 8), 8)
    tables = [entry & _OFFSET_MASK for entry in l1 if entry & _OFFSET_MASK]
    for offset in tables:
        if offset % cluster:
            raise TableError(f"it has an L2 table at the impossible offset {offset}")
        if offset + cluster > size:
            raise TableError(f"the file is truncated: an L2 table ends at byte {offset + cluster} of {size}", _AGAIN)
        _own(owners, offset, cluster)
    blocks = [
        entry & ~(_SECTOR - 1)
        for entry in _numbers(_read(file, layout.refcount_offset, layout.refcount_clusters * cluster), 8)
    ]
    for offset in (block for block in blocks if block):
        if offset % cluster or offset >= size:
            raise TableError(f"it has a block of reference counts at the impossible offset {offset}")
        _own(owners, offset, cluster)
    for offset in sorted(tables):
        if _is_written(written, offset, cluster):
            _check_l2(_read(file, offset, cluster), owners, size, layout)
    _check_counts(file, size, blocks, owners, written, layout)


def _own(owners: bytearray, offset: int, cluster: int) -> None:
    place = offset // cluster
    if owners[place]:
        raise TableError(f"two things lie at byte {place * cluster}: its tables or its data share it")
    owners[place] = _OWNED


def _check_l2(table: bytes, owners: bytearray, size: int, layout: Layout) -> None:
    """Check what a table names."""
    bits, cluster = layout.cluster_bits, layout.cluster
    # Of a compressed cluster the low bits are the offset, those above them its further sectors; how many follows from
    # the cluster size.
    packed_bits = 62 - (bits - 8)
    packed_mask = (1 << packed_bits) - 1
    entries = _numbers(table, 8)
    for entry in entries if layout.entry_size == 8 else entries[::2]:
        if not entry:
            continue
        if entry & _COMPRESSED:
            start = entry & packed_mask
            last = (start // _SECTOR + ((entry & _COMPRESSED - 1) >> packed_bits)) * _SECTOR
            if max(start, last) >= size:
                raise TableError(f"the file is truncated: it has data at byte {max(start, last)} of {size}", _AGAIN)
            for place in range(start >> bits, (last >> bits) + 1):
                if owners[place] == _OWNED:
                    raise TableError(f"two things lie at byte {place * cluster}: its tables or its data share it")
                owners[place] = _PACKED
            continue
        start = entry & _OFFSET_MASK
        if not start:
            continue
        if start & cluster - 1:
            raise TableError(f"it has data at the impossible offset {start}")
        # A last cluster that is not written out in full is allowed: QEMU reads zeros there.
        if start >= size:
            raise TableError(f"the file is truncated: it has data at byte {start} of {size}", _AGAIN)
        if owners[start >> bits]:
            raise TableError(f"two things lie at byte {start}: its tables or its data share it")
        owners[start >> bits] = _OWNED


def _check_counts(
    file: BinaryIO, size: int, blocks: Sequence[int], owners: bytearray, written: Sequence[int], layout: Layout
) -> None:
    """What is in use must be counted. What is counted and not in use only takes space."""
    cluster = layout.cluster
    per_block = (cluster * 8) >> layout.refcount_order
    for first in range(0, len(owners), per_block):
        used = owners[first : first + per_block]
        if used.count(0) == len(used):
            continue
        index = first // per_block
        offset = blocks[index] if index < len(blocks) else 0
        counts: Sequence[int] = ()
        if offset and _is_written(written, offset, cluster):
            counts = _counts(_read(file, offset, min(cluster, size - offset)), layout.refcount_order)
        for number, owner in enumerate(used):
            if owner and (number >= len(counts) or not counts[number]):
                place = (first + number) * cluster
                raise TableError(f"it is corrupt: its reference counts call byte {place} free, and it is in use")


def _counts(block: bytes, order: int) -> Sequence[int]:
    """Return numbers that are zero where the reference counts are."""
    if order >= 3:
        return _numbers(block, 1 << order - 3)
    width, mask = 1 << order, (1 << (1 << order)) - 1
    return bytes(byte >> shift & mask for byte in block for shift in range(0, 8, width))


_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _numbers(data: bytes, width: int) -> Sequence[int]:
    """Return big-endian numbers of so many bytes. What is left over is none."""
    found = array(_CODES[width], data[: len(data) // width * width])
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise TableError("the file is truncated", _AGAIN)
    return data


# A sparse file can claim to have millions of tables, all of them zeros that are written nowhere.


def _find_written(file: BinaryIO, size: int) -> list[int]:
    """Return where data begins and ends, in turn. All of a file that does not tell of its holes."""
    try:
        descriptor = file.fileno()
        before = os.lseek(descriptor, 0, os.SEEK_CUR)
    except OSError:
        return [0, size]
    try:
        return list(_walk_written(descriptor, size))
    except OSError:
        return [0, size]
    finally:
        # What is buffered has its place there.
        os.lseek(descriptor, before, os.SEEK_SET)


def _walk_written(descriptor: int, size: int) -> Iterator[int]:
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # no more data
                return
            raise
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start
        yield end


def _is_written(written: Sequence[int], offset: int, length: int) -> bool:
    """Tell whether any of it is data."""
    first, last = bisect_left(written, offset + 1), bisect_left(written, offset + length)
    return first % 2 == 1 or first != last
