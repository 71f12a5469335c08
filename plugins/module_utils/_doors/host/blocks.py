# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk in a raw or qcow2 file holds, block by block, without running any program on it.

Pools that hold no files are filled with these blocks: what is not yielded reads as zeros and is never written. The
file has passed `inspect_image`, so that its tables are within it and name nothing outside; it is read with the same
distrust all the same.

Source of the rules: QEMU's docs/interop/qcow2.txt.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ..._model.errors import InvalidInputError, Problem

# A multiple of this is where blocks begin; every cluster of qcow2 is a part, or a multiple, of it.
BLOCK = 1024**2

_INCOMPATIBLE_COMPRESSION = 1 << 3
_INCOMPATIBLE_EXTENDED_L2 = 1 << 4
_READABLE = _INCOMPATIBLE_COMPRESSION | _INCOMPATIBLE_EXTENDED_L2
_OFFSET_MASK = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_ZEROS = 1
_SUBCLUSTERS = 32

Blocks = Iterable[tuple[int, bytes]]


class UnreadableImageError(InvalidInputError):
    """The file's content cannot be read by us."""


@dataclass(frozen=True)
class DiskFile:
    """A disk image that can be read. size is bytes, of the disk."""

    file: BinaryIO
    size: int
    header: _Header | None

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, data) of every block that is not all zeros, in order."""
        if self.header is None:
            yield from drop_zeros(_read_raw(self.file, self.size))
        else:
            yield from drop_zeros(_align(_read_qcow2(self.file, self.header), self.size))


def open_disk(file: BinaryIO, image_format: str, label: str = "") -> DiskFile:
    """Look at a file's header. Raises UnreadableImageError for what QEMU can read and we cannot."""
    if image_format == "raw":
        return DiskFile(file, file.seek(0, os.SEEK_END), None)
    try:
        header = _parse_header(file)
    except _UnreadableError as error:
        raise _explain(error, label) from error
    return DiskFile(file, header.size, header)


def drop_zeros(blocks: Blocks) -> Iterator[tuple[int, bytes]]:
    """Leave out blocks that hold nothing but zeros."""
    zeros = bytes(BLOCK)
    for offset, data in blocks:
        if data != (zeros if len(data) == BLOCK else bytes(len(data))):
            yield offset, data


def gather(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield a stream's bytes as blocks with their offsets."""
    offset, held = 0, bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= BLOCK:
            yield offset, bytes(held[:BLOCK])
            del held[:BLOCK]
            offset += BLOCK
    if held:
        yield offset, bytes(held)


def find_difference(wanted: Blocks, found: Blocks) -> int | None:
    """Return the offset of the first block that is not as wanted, None if all are. Both without zeros, in order."""
    other = iter(found)
    for offset, data in wanted:
        there = next(other, None)
        if there is None:
            return offset
        if there != (offset, data):
            return min(there[0], offset)
    more = next(other, None)
    return more[0] if more is not None else None


class _UnreadableError(Exception):
    def __init__(self, what: str, remedy: str = "Fetch or copy it again.") -> None:
        super().__init__(what)
        self.remedy = remedy


def _explain(error: _UnreadableError, label: str) -> UnreadableImageError:
    return UnreadableImageError([Problem(str(error), error.remedy, resource=label or None)])


# Raw


def _read_raw(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Holes of the file are skipped unread."""
    offset = 0
    while offset < size:
        try:
            data = os.lseek(file.fileno(), offset, os.SEEK_DATA)
        except OSError:  # nothing but a hole is left
            return
        offset = max(offset, data - data % BLOCK)
        yield offset, _read_exactly(file, offset, min(BLOCK, size - offset))
        offset += BLOCK


def _read_exactly(file: BinaryIO, offset: int, length: int) -> bytes:
    """Read so many bytes; beyond the end of the file there are zeros, as QEMU has it."""
    file.seek(offset)
    return file.read(length).ljust(length, b"\0")


# qcow2


@dataclass(frozen=True)
class _Header:
    cluster_bits: int
    size: int
    l1_entries: int
    l1_offset: int
    is_extended: bool
    has_zero_flag: bool

    @property
    def cluster(self) -> int:
        return 1 << self.cluster_bits

    @property
    def entry_size(self) -> int:
        return 16 if self.is_extended else 8


def _parse_header(file: BinaryIO) -> _Header:
    file.seek(0)
    data = file.read(112)
    if len(data) < 72 or data[:4] != b"QFI\xfb":
        raise _UnreadableError("it is not qcow2")
    version, _, _, cluster_bits, size, _, l1_entries, l1_offset = struct.unpack(">IQIIQIIQ", data[4:48])
    incompatible = struct.unpack(">Q", data[72:80])[0] if version == 3 and len(data) >= 80 else 0
    if version not in (2, 3) or not 9 <= cluster_bits <= 21 or incompatible & ~_READABLE:
        raise _UnreadableError("it is of a kind of qcow2 that is not known here", _CONVERT)
    if incompatible & _INCOMPATIBLE_COMPRESSION and len(data) > 104 and data[104]:
        raise _UnreadableError("it is compressed with zstd, and pools that hold no files take zlib alone", _CONVERT)
    is_extended = bool(incompatible & _INCOMPATIBLE_EXTENDED_L2)
    return _Header(cluster_bits, size, l1_entries, l1_offset, is_extended, version == 3 and not is_extended)


_CONVERT = "Convert it: qemu-img convert -c -O qcow2 IN OUT."


def _read_qcow2(file: BinaryIO, header: _Header) -> Iterator[tuple[int, bytes]]:
    """Yield pieces: blocks, parts of clusters that are larger, or what one small table describes."""
    cluster = header.cluster
    try:
        for first, entries in _tables(file, header):
            step = max(1, BLOCK // cluster)
            for index in range(0, len(entries), step):
                offset = first + index * cluster
                if offset >= header.size:
                    return
                part = entries[index : index + step]
                if not any(entry for entry, _ in part):
                    continue
                data = b"".join(_read_cluster(file, header, *one) for one in part)[: header.size - offset]
                for start in range(0, len(data), BLOCK):
                    yield offset + start, data[start : start + BLOCK]
    except _UnreadableError as error:
        raise _explain(error, "") from error


def _tables(file: BinaryIO, header: _Header) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield (offset in the disk, entries with their bitmaps) of every table of the second level that is there."""
    per_table = header.cluster // header.entry_size
    covered = per_table * header.cluster
    needed = min(header.l1_entries, -(-header.size // covered))
    l1 = struct.unpack(f">{needed}Q", _read_exactly(file, header.l1_offset, needed * 8))
    for index, entry in enumerate(l1):
        table = entry & _OFFSET_MASK
        if not table:
            continue
        words = struct.unpack(f">{header.cluster // 8}Q", _read_exactly(file, table, header.cluster))
        entries = list(zip(words[::2], words[1::2], strict=True)) if header.is_extended else [(one, 0) for one in words]
        yield index * covered, entries


def _align(pieces: Blocks, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield whole blocks made of pieces that come in order and lie within one block each."""
    begin, held = 0, bytearray()
    for offset, data in pieces:
        if held and offset >= begin + BLOCK:
            yield begin, bytes(held.ljust(min(BLOCK, size - begin), b"\0"))
            held.clear()
        if not held:
            begin = offset - offset % BLOCK
            if len(data) == BLOCK:
                yield offset, data
                continue
        held.extend(bytes(offset - begin - len(held)))
        held.extend(data)
    if held:
        yield begin, bytes(held.ljust(min(BLOCK, size - begin), b"\0"))


def _read_cluster(file: BinaryIO, header: _Header, entry: int, bitmap: int) -> bytes:
    cluster = header.cluster
    if entry & _COMPRESSED:
        return _inflate(file, header, entry)
    offset = entry & _OFFSET_MASK
    if not offset or (header.has_zero_flag and entry & _ZEROS):
        return bytes(cluster)
    data = _read_exactly(file, offset, cluster)
    if not header.is_extended or bitmap == 0xFFFFFFFF:
        return data
    size = cluster // _SUBCLUSTERS
    return b"".join(
        data[number * size : (number + 1) * size] if bitmap >> number & 1 else bytes(size)
        for number in range(_SUBCLUSTERS)
    )


def _inflate(file: BinaryIO, header: _Header, entry: int) -> bytes:
    bits = 62 - (header.cluster_bits - 8)
    offset = entry & ((1 << bits) - 1)
    sectors = (entry >> bits & ((1 << (62 - bits)) - 1)) + 1
    data = _read_exactly(file, offset, sectors * 512 - offset % 512)
    try:
        plain = zlib.decompressobj(-15).decompress(data, header.cluster)
    except zlib.error as error:
        raise _UnreadableError(f"its compressed data at byte {offset} is damaged ({error})") from error
    if len(plain) != header.cluster:
        raise _UnreadableError(f"its compressed data at byte {offset} is damaged: it is too short")
    return plain
