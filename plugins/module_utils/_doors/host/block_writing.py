# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing disks block by block into files, raw or qcow2, without running any program.

Source of the rules: QEMU's docs/interop/qcow2.txt.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from .blocks import Blocks

_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS
_PER_TABLE = _CLUSTER // 8
_COPIED = 1 << 63  # nobody else refers to it
_REFCOUNTS = _CLUSTER // 2  # 16 bits each
_HEADER = struct.Struct(">IIQIIQIIQQIIQQQQII")


def write_disk(file: BinaryIO, disk_format: str, size: int, blocks: Blocks) -> None:
    """Write a disk of `size` bytes into an empty file. blocks: what is not zeros, in order."""
    if disk_format == "raw":
        for offset, data in blocks:
            file.seek(offset)
            file.write(data)
        file.truncate(size)
    else:
        _write_qcow2(file, size, blocks)
    file.flush()
    os.fsync(file.fileno())


def _write_qcow2(file: BinaryIO, size: int, blocks: Blocks) -> None:
    """The file is header, first table, data with a second table after each run of it, and reference counts."""
    first = [0] * -(-size // (_CLUSTER * _PER_TABLE))
    end = 1 + _clusters(len(first) * 8)  # the next free cluster
    second: list[int] = []
    number = -1

    def close() -> None:
        nonlocal end
        if second:
            first[number] = end * _CLUSTER | _COPIED
            _put(file, end, struct.pack(f">{_PER_TABLE}Q", *second))
            end += 1

    for offset, data in blocks:
        for start in range(0, len(data), _CLUSTER):
            piece = data[start : start + _CLUSTER]
            if not piece.strip(b"\0"):
                continue
            table, entry = divmod((offset + start) // _CLUSTER, _PER_TABLE)
            if table != number:
                close()
                second, number = [0] * _PER_TABLE, table
            second[entry] = end * _CLUSTER | _COPIED
            _put(file, end, piece)
            end += 1
    close()
    _put(file, 1, struct.pack(f">{len(first)}Q", *first))
    _write_refcounts(file, end, size, len(first))


def _write_refcounts(file: BinaryIO, used: int, size: int, first_entries: int) -> None:
    """Every cluster is referred to once, those of the counts among them."""
    blocks = tables = 0
    while True:
        total = used + blocks + tables
        if (-(-total // _REFCOUNTS), _clusters(blocks * 8)) == (blocks, tables):
            break
        blocks = -(-total // _REFCOUNTS)
        tables = _clusters(blocks * 8)
    places = [(used + tables + index) * _CLUSTER for index in range(blocks)]
    _put(file, used, struct.pack(f">{blocks}Q", *places))
    for index in range(blocks):
        counted = min(_REFCOUNTS, total - index * _REFCOUNTS)
        _put(file, used + tables + index, struct.pack(">H", 1) * counted)
    file.truncate(total * _CLUSTER)
    version, no_backing, no_encryption, no_snapshots, no_features, refcount_order = 3, (0, 0), 0, (0, 0), (0, 0, 0), 4
    header = _HEADER.pack(
        0x514649FB,
        version,
        *no_backing,
        _CLUSTER_BITS,
        size,
        no_encryption,
        first_entries,
        _CLUSTER,
        used * _CLUSTER,
        tables,
        *no_snapshots,
        *no_features,
        refcount_order,
        _HEADER.size,
    )
    _put(file, 0, header)


def _clusters(length: int) -> int:
    return -(-length // _CLUSTER)


def _put(file: BinaryIO, cluster: int, data: bytes) -> None:
    file.seek(cluster * _CLUSTER)
    file.write(data)
