# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at disks of other systems, VMDK and VDI, before anything uses them, without running any program on them.

A VMDK can be a text that names other files, or name a parent whose blocks it shares: QEMU would open both. So only
files that are whole in themselves are accepted: hosted sparse extents with one descriptor inside that names no other,
and VDI without a parent. Every offset and count is checked before it is used.

Sources of the rules: VMware, "Virtual Disk Format 5.0"; QEMU's block/vmdk.c and block/vdi.c.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import BinaryIO

from ..._model.errors import Problem
from ..._model.mistake import shown
from ..._model.sizes import show_size
from .image_inspection import HostileImageError, Inspection, inspect_image

_MIB = 1024**2
_SECTOR = 512
_CONVERT = "Convert it to qcow2 where it comes from: qemu-img convert -O qcow2 IN OUT."

_VMDK_MAGIC = b"KDMV"
_VMDK_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
_VMDK_AT_END = 0xFFFFFFFFFFFFFFFF  # the grain directory of a stream is told in its footer
_VMDK_TYPES = ("monolithicSparse", "streamOptimized")
# As much as QEMU reads; a longer one could hide something from us.
_VMDK_DESCRIPTOR_SECTORS = 20
_VMDK_MAX_GRAIN_SECTORS = 0x200000 // _SECTOR
_VMDK_TABLE = 512  # entries
_VMDK_ZEROS = 1  # up to here: a grain that is not there, or is zeros
_VMDK_COMPRESSED, _VMDK_MARKERS = 1 << 16, 1 << 17
_VMDK_GRAIN = struct.Struct("<QI")
_VMDK_MAX_DIRECTORY = 512 * 1024 * 1024

_VDI_MAGIC = 0xBEDA107F
_VDI_TYPES = {1: "dynamic", 2: "static"}
_VDI_BLOCK = 1024**2  # the only size that QEMU knows
_VDI_NOTHING = 0xFFFFFFFE  # from here on: a block of zeros, or none


def inspect_disk(file: BinaryIO, disk_format: str, max_size_mib: int, label: str = "") -> Inspection:
    """Check a file that was declared to be a disk of a format: qcow2, raw, vmdk or vdi. `file` must be seekable.

    Raises HostileImageError; reads at most headers and tables, not the data.
    """
    if disk_format in ("qcow2", "raw"):
        return inspect_image(file, disk_format, max_size_mib, label)
    size = file.seek(0, os.SEEK_END)
    try:
        inspect = _inspect_vmdk if disk_format == "vmdk" else _inspect_vdi
        virtual_size = inspect(file, size, max_size_mib)
    except _Refusal as refusal:
        raise HostileImageError([Problem(str(refusal), refusal.remedy, resource=label or None)]) from refusal
    return Inspection(virtual_size, size)


class _Refusal(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, what: str, remedy: str = _CONVERT) -> None:
        self.remedy = remedy
        super().__init__(what)


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise _Refusal("the file is truncated", "Copy it again.")
    return data


def _refuse_size(virtual_size: int, max_size_mib: int) -> None:
    """Before tables are read: how many there are follows from it."""
    if not 0 < virtual_size <= max_size_mib * _MIB:
        claimed = show_size(-(-virtual_size // _MIB)) if virtual_size else "nothing"
        raise _Refusal(f"its virtual size is {claimed}; allowed is up to {show_size(max_size_mib)}")


# VMDK


def _inspect_vmdk(file: BinaryIO, size: int, max_size_mib: int) -> int:
    """Return the virtual size in bytes."""
    start = _read(file, 0, min(size, 21))
    if start.startswith(b"# Disk DescriptorFile"):
        raise _Refusal("it is a descriptor, which names other files: its disk is elsewhere")
    if not start.startswith(_VMDK_MAGIC):
        raise _Refusal("it was declared to be vmdk, but is not a sparse extent", "Declare its real format.")
    header = _VMDK_HEADER.unpack(_read(file, 0, _VMDK_HEADER.size))
    version, capacity, grain, desc_offset, desc_size, entries = header[1], *header[3:8]
    directory, overhead, ends, compression = header[9], header[10], header[12], header[13]
    if version not in (1, 2, 3):
        raise _Refusal(f"its version is {version}; 1 to 3 are known")
    # With a capacity of zero QEMU takes the descriptor for the disk, and opens what it names.
    if not capacity or capacity > 2**53:
        raise _Refusal(f"it claims the impossible size of {capacity} sectors")
    if not 1 <= grain <= _VMDK_MAX_GRAIN_SECTORS or grain & (grain - 1):
        raise _Refusal(f"its grains have the impossible size of {grain} sectors")
    if entries != _VMDK_TABLE:
        raise _Refusal(f"its grain tables have {entries} entries; 512 are usual")
    if ends != b"\n \r\n":
        raise _Refusal("its line ends were converted: it was damaged in transfer", "Copy it again, as binary.")
    is_packed = bool(header[2] & _VMDK_COMPRESSED)
    if compression not in (0, 1) or (is_packed and not (compression and header[2] & _VMDK_MARKERS)):
        raise _Refusal(f"its compression {compression} is not known")
    _refuse_descriptor(_read_descriptor(file, size, desc_offset, desc_size), capacity)
    if directory == _VMDK_AT_END:
        directory, capacity = _read_footer(file, size, capacity)
    if overhead * _SECTOR > size and directory != _VMDK_AT_END:
        raise _Refusal("the file is truncated: its own tables are not in it", "Copy it again.")
    _refuse_size(capacity * _SECTOR, max_size_mib)
    _refuse_directory(file, size, capacity, grain, directory, is_packed=is_packed)
    return int(capacity) * _SECTOR


def _read_descriptor(file: BinaryIO, size: int, offset: int, sectors: int) -> str:
    if not offset or not sectors:
        raise _Refusal("it has no descriptor inside: it is one of several files")
    if not 1 <= sectors <= _VMDK_DESCRIPTOR_SECTORS or (offset + sectors) * _SECTOR > size:
        raise _Refusal(f"its descriptor has the impossible place {offset}, length {sectors} sectors")
    # QEMU reads its own length, whatever the header says: so look at all of that.
    file.seek(offset * _SECTOR)
    data = file.read(_VMDK_DESCRIPTOR_SECTORS * _SECTOR)
    if b"parentFileNameHint" in data:
        raise _Refusal("it names a parent, whose blocks it shares")
    return data[: sectors * _SECTOR].split(b"\0", 1)[0].decode("utf-8", "replace")


_EXTENT = re.compile(r"^\s*(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(\s|$)", re.MULTILINE)


def _refuse_descriptor(text: str, capacity: int) -> None:
    values = dict(re.findall(r'^\s*(\w+)\s*=\s*"?([^"\n]*)"?\s*$', text, re.MULTILINE))
    kind = values.get("createType", "")
    if kind not in _VMDK_TYPES:
        raise _Refusal(f"it is of the type {shown(kind)}; {' and '.join(_VMDK_TYPES)} are one file")
    if values.get("parentCID", "ffffffff").lower() != "ffffffff":
        raise _Refusal("it names a parent, whose blocks it shares")
    extents = _EXTENT.findall(text)
    if len(extents) != 1 or extents[0][2] != "SPARSE":
        raise _Refusal(f"it is made of {len(extents)} extents; one sparse extent is one file")
    if int(extents[0][1]) != capacity:
        raise _Refusal(f"its descriptor claims {extents[0][1]} sectors, its header {capacity}")


def _read_footer(file: BinaryIO, size: int, capacity: int) -> tuple[int, int]:
    """A stream ends with a marker, a second header and an end-of-stream marker; returns (directory, capacity)."""
    if size < 3 * _SECTOR:
        raise _Refusal("the file is truncated", "Copy it again.")
    data = _read(file, size - 2 * _SECTOR, _VMDK_HEADER.size)
    if not data.startswith(_VMDK_MAGIC):
        raise _Refusal("the file is truncated: a stream ends with a footer, and there is none", "Copy it again.")
    footer = _VMDK_HEADER.unpack(data)
    if footer[3] != capacity:
        raise _Refusal(f"its footer claims {footer[3]} sectors, its header {capacity}")
    if footer[9] == _VMDK_AT_END:
        raise _Refusal("its footer does not tell where its tables are")
    return footer[9], footer[3]


def _refuse_directory(file: BinaryIO, size: int, capacity: int, grain: int, directory: int, *, is_packed: bool) -> None:
    """Every grain table, and every grain that it names, must be in the file: QEMU reads zeros beyond its end.

    No more are read than the size needs.
    """
    count = -(-capacity // (grain * _VMDK_TABLE))
    if count * 4 > _VMDK_MAX_DIRECTORY:
        raise _Refusal("its tables are larger than any disk needs")
    if (directory * _SECTOR) + count * 4 > size:
        raise _Refusal("the file is truncated: its grain directory is not in it", "Copy it again.")
    seen: set[int] = set()
    taken = bytearray(size // _SECTOR // grain + 1)
    for number, place in enumerate(_numbers(_read(file, directory * _SECTOR, count * 4))):
        if not place:
            continue
        if place * _SECTOR + _VMDK_TABLE * 4 > size:
            raise _Refusal("the file is truncated: a grain table is not in it", "Copy it again.")
        if place in seen:
            raise _Refusal("it is damaged: two of its grain tables lie in one place")
        seen.add(place)
        first = number * _VMDK_TABLE
        for index, start in enumerate(_numbers(_read(file, place * _SECTOR, _VMDK_TABLE * 4)), first):
            if start <= _VMDK_ZEROS or index * grain >= capacity:
                continue
            if is_packed:
                _refuse_packed_grain(file, size, start, index * grain)
                continue
            if (start + min(grain, capacity - index * grain)) * _SECTOR > size:
                raise _Refusal("the file is truncated: a grain is not in it", "Copy it again.")
            if taken[start // grain]:
                raise _Refusal("it is damaged: two of its grains lie in one place")
            taken[start // grain] = 1


def _refuse_packed_grain(file: BinaryIO, size: int, start: int, sector: int) -> None:
    """A compressed grain begins with what it is of, and how long it is."""
    if start * _SECTOR + _VMDK_GRAIN.size > size:
        raise _Refusal("the file is truncated: a grain is not in it", "Copy it again.")
    lba, length = _VMDK_GRAIN.unpack(_read(file, start * _SECTOR, _VMDK_GRAIN.size))
    if lba != sector or not length:
        raise _Refusal(f"it is damaged: where sector {sector} should be, is something else", "Copy it again.")
    if start * _SECTOR + _VMDK_GRAIN.size + length > size:
        raise _Refusal("the file is truncated: a grain is not in it", "Copy it again.")


def _numbers(data: bytes) -> Sequence[int]:
    """Return little-endian numbers of four bytes."""
    found = array("I", data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


# VDI


def _inspect_vdi(file: BinaryIO, size: int, max_size_mib: int) -> int:
    """Return the virtual size in bytes."""
    data = _read(file, 0, 512) if size >= 512 else b"\0" * 512
    signature, version, header_size, kind = struct.unpack_from("<IIII", data, 0x40)
    if signature != _VDI_MAGIC:
        raise _Refusal("it was declared to be vdi, but is not", "Declare its real format.")
    if version != 0x00010001 or header_size < 0x180:
        raise _Refusal(f"its version is {version >> 16}.{version & 0xFFFF}; 1.1 is known")
    if kind not in _VDI_TYPES:
        raise _Refusal(f"it is of the type {kind}: a difference to another disk, or unknown")
    blocks_offset, data_offset = struct.unpack_from("<II", data, 0x154)
    virtual_size, block_size, extra, blocks, allocated = struct.unpack_from("<QIIII", data, 0x170)
    link, parent = data[0x1A8:0x1B8], data[0x1B8:0x1C8]
    if any(link) or any(parent):
        raise _Refusal("it names a parent, whose blocks it shares")
    if block_size != _VDI_BLOCK or extra:
        raise _Refusal(f"its blocks have the unusual size of {block_size} bytes")
    if blocks != -(-virtual_size // block_size) or allocated > blocks:
        raise _Refusal(f"it has {blocks} blocks, which do not fit its size of {virtual_size} bytes")
    if blocks_offset % _SECTOR or data_offset % _SECTOR or blocks_offset + blocks * 4 > size:
        raise _Refusal("the file is truncated: its block map is not in it", "Copy it again.")
    _refuse_size(virtual_size, max_size_mib)
    taken = bytearray(blocks)
    for first in range(0, blocks, 65536):
        count = min(65536, blocks - first)
        for index, place in enumerate(_numbers(_read(file, blocks_offset + first * 4, count * 4)), first):
            if place >= _VDI_NOTHING:
                continue
            if data_offset + place * block_size + min(block_size, virtual_size - index * block_size) > size:
                raise _Refusal("the file is truncated: a block is not in it", "Copy it again.")
            if place >= blocks or taken[place]:
                raise _Refusal("it is damaged: two of its blocks lie in one place, or one is none of its own")
            taken[place] = 1
    return int(virtual_size)
