# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at an image file before anything uses it, without running any program on it.

An image is a hostile input: a qcow2 header can name other files and network addresses that QEMU would open, and claim
sizes that fill a disk. Only headers and tables are read, in pure Python, with every offset and count checked before
it is used. The format is what was declared; it is never guessed.

Source of the rules: QEMU's docs/interop/qcow2.txt.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from ..._model.errors import InvalidInputError, Problem
from ..._model.mistake import shown
from ..._model.sizes import show_size
from .file_magics import QCOW2, find_magic
from .qcow2_tables import Layout, TableError, check_tables

_MIB = 1024**2
_AGAIN = "Fetch or copy it again."
_FLATTEN = "Flatten it: qemu-img convert -O qcow2 IN OUT."

# Formats of containers' files, and what files of them look like.
_TREES = {"tar": ("tar", "gzip"), "squashfs": ("squashfs",)}
_ISO_SECTOR = 2048
_ISO_BEGINS = 16 * _ISO_SECTOR

_V2_LENGTH = 72
_V3_LENGTH = 104
_MAX_TABLE_BYTES = 32 * _MIB  # QEMU's own limit of the L1 table
_MAX_REFCOUNT_TABLE_BYTES = 8 * _MIB  # likewise

_INCOMPATIBLE_DIRTY = 1 << 0
_INCOMPATIBLE_CORRUPT = 1 << 1
_INCOMPATIBLE_DATA_FILE = 1 << 2
_INCOMPATIBLE_COMPRESSION = 1 << 3
_INCOMPATIBLE_EXTENDED_L2 = 1 << 4
_KNOWN_INCOMPATIBLE = 0b11111
_AUTOCLEAR_RAW_DATA_FILE = 1 << 1

_EXTENSION_END = 0
_REFUSED_EXTENSIONS = {
    0xE2792ACA: "names the format of a backing file",
    0x44415441: "names an external data file",
    0x0537BE77: "is encrypted",
}


class HostileImageError(InvalidInputError):
    """The file is not what it was declared to be, or would reach beyond itself."""


@dataclass(frozen=True)
class Inspection:
    """Sizes are bytes: of the disk that an instance sees, and of the file."""

    virtual_size: int
    size: int


def inspect_image(
    file: BinaryIO, image_format: str, max_size_mib: int, label: str = "", *, is_iso: bool = False
) -> Inspection:
    """Check a file that was declared to be of a format. `file` must be seekable. is_iso: it is to be a CD or DVD.

    Raises HostileImageError; reads at most the headers and tables, not the data.
    """
    size = file.seek(0, os.SEEK_END)
    try:
        virtual_size = _inspect_qcow2(file, size, max_size_mib) if image_format == "qcow2" else size
        if image_format in _TREES:
            _inspect_tree(file, image_format, size, max_size_mib)
        elif image_format != "qcow2":
            _inspect_raw(file, size, max_size_mib)
        if is_iso:
            _inspect_iso(file, size)
    except _Refusal as refusal:
        raise HostileImageError([Problem(str(refusal), refusal.remedy, resource=label or None)]) from refusal
    return Inspection(virtual_size, size)


class _Refusal(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, what: str, remedy: str = "") -> None:
        self.remedy = remedy
        super().__init__(what)


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    """Read exactly so many bytes. Refuses a file that ends before."""
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise _Refusal("the file is truncated", _AGAIN)
    return data


def _refuse_size(virtual_size: int, max_size_mib: int) -> None:
    if virtual_size <= 0:
        raise _Refusal("its virtual size is zero")
    if virtual_size > max_size_mib * _MIB:
        is_, allowed = show_size(-(-virtual_size // _MIB)), show_size(max_size_mib)
        raise _Refusal(
            f"its virtual size is {is_}, more than the {allowed} allowed",
            "If that is what you want, raise max_size.",
        )


def _inspect_raw(file: BinaryIO, size: int, max_size_mib: int) -> None:
    magic = find_magic(file, size)
    if magic is not None:
        raise _Refusal(
            f"it was declared to be raw, but looks like {magic}",
            f"Declare format: {magic}."
            if magic in ("qcow2", *_TREES)
            else "Convert or decompress it to qcow2 or raw first.",
        )
    _refuse_size(size, max_size_mib)
    if size % 512:
        raise _Refusal("its length is not a whole number of sectors: it is truncated, or not a disk")


def _inspect_iso(file: BinaryIO, size: int) -> None:
    """ISO 9660 begins in its 17th sector of 2 KiB, and UDF says there that it does (ECMA-119, 8.1; ECMA-167, 2/9.1)."""
    if size < _ISO_BEGINS + _ISO_SECTOR or _read(file, _ISO_BEGINS + 1, 5) not in (b"CD001", b"BEA01"):
        raise _Refusal(
            "it was declared to be of kind iso, and has no file system of a CD or DVD (ISO 9660, UDF)",
            "Give another file; what instances begin from is of kind disk.",
        )


def _inspect_tree(file: BinaryIO, image_format: str, size: int, max_size_mib: int) -> None:
    """What is in it is unpacked where it can do no harm: by a container's root."""
    magic = find_magic(file, size)
    if magic not in _TREES[image_format]:
        looks = f"; it looks like {magic}" if magic else ""
        raise _Refusal(
            f"it was declared to be {image_format}, but is not{looks}",
            f"Declare its real format, or make it anew as {' or '.join(_TREES[image_format])}.",
        )
    _refuse_size(size, max_size_mib)


@dataclass(frozen=True)
class _Header:
    version: int
    backing_offset: int
    backing_length: int
    cluster_bits: int
    virtual_size: int
    crypt_method: int
    l1_entries: int
    l1_offset: int
    refcount_offset: int
    refcount_clusters: int
    snapshots: int
    incompatible: int
    autoclear: int
    refcount_order: int
    length: int
    compression: int

    @property
    def cluster(self) -> int:
        return 1 << self.cluster_bits

    @property
    def entry_size(self) -> int:
        """Bytes of an entry of an L2 table."""
        return 16 if self.incompatible & _INCOMPATIBLE_EXTENDED_L2 else 8


def _parse_header(file: BinaryIO) -> _Header:
    data = _read(file, 0, _V2_LENGTH)
    (version, backing_offset, backing_length, cluster_bits, virtual_size, crypt, l1_entries, l1_offset) = struct.unpack(
        ">IQIIQIIQ", data[4:48]
    )
    refcount_offset, refcount_clusters, snapshots, _ = struct.unpack(">QIIQ", data[48:72])
    incompatible = autoclear = compression = 0
    refcount_order, length = 4, _V2_LENGTH
    if version == 3:
        incompatible, _, autoclear, refcount_order, length = struct.unpack(
            ">QQQII", _read(file, _V2_LENGTH, _V3_LENGTH - _V2_LENGTH)
        )
        if length < _V3_LENGTH or length % 8:
            raise _Refusal(f"its qcow2 header has the impossible length {length}")
        if length > _V3_LENGTH:
            compression = _read(file, _V3_LENGTH, 1)[0]
    elif version != 2:
        raise _Refusal(f"its qcow2 version is {version}; versions 2 and 3 are known")
    return _Header(
        version,
        backing_offset,
        backing_length,
        cluster_bits,
        virtual_size,
        crypt,
        l1_entries,
        l1_offset,
        refcount_offset,
        refcount_clusters,
        snapshots,
        incompatible,
        autoclear,
        refcount_order,
        length,
        compression,
    )


def _inspect_qcow2(file: BinaryIO, size: int, max_size_mib: int) -> int:
    """Return the virtual size in bytes."""
    file.seek(0)
    if file.read(4) != QCOW2:
        magic = find_magic(file, size)
        looks = f"; it looks like {magic}" if magic else ""
        raise _Refusal(f"it was declared to be qcow2, but is not{looks}", "Declare its real format, or convert it.")
    header = _parse_header(file)
    if not 9 <= header.cluster_bits <= 21:
        raise _Refusal(f"its clusters have the impossible size 2^{header.cluster_bits}")
    _refuse_references(file, header)
    _refuse_features(header)
    _refuse_extensions(file, header, size)
    _refuse_size(header.virtual_size, max_size_mib)
    _refuse_tables(file, header, size)
    return header.virtual_size


def _refuse_references(file: BinaryIO, header: _Header) -> None:
    """Nothing outside the file may be named in it."""
    if header.backing_offset or header.backing_length:
        end = header.backing_offset + header.backing_length
        if not 0 < header.backing_length <= 1023 or not _V2_LENGTH <= header.backing_offset <= end <= header.cluster:
            raise _Refusal(
                f"it names a backing file at the impossible place {header.backing_offset}, in {header.backing_length} "
                "bytes",
                _AGAIN,
            )
        name = _read(file, header.backing_offset, header.backing_length).decode("utf-8", "replace")
        raise _Refusal(
            f"it has a backing file, {shown(name)}: QEMU would open whatever is named there",
            _FLATTEN,
        )
    if header.incompatible & _INCOMPATIBLE_DATA_FILE or header.autoclear & _AUTOCLEAR_RAW_DATA_FILE:
        raise _Refusal(
            "its data is in an external file: QEMU would open whatever is named there",
            _FLATTEN,
        )


def _refuse_features(header: _Header) -> None:
    if header.crypt_method:
        raise _Refusal("it is encrypted", "Decrypt it first with qemu-img convert.")
    if header.incompatible & ~_KNOWN_INCOMPATIBLE:
        raise _Refusal(f"it needs unknown features of qcow2 (bits {header.incompatible:#x})")
    if header.incompatible & (_INCOMPATIBLE_DIRTY | _INCOMPATIBLE_CORRUPT):
        raise _Refusal("it was not closed properly, or is corrupt", "Repair it: qemu-img check -r all FILE.")
    if header.snapshots:
        raise _Refusal(
            f"it holds {header.snapshots} internal snapshots, which instances would share",
            _FLATTEN,
        )
    if header.refcount_order > 6:
        raise _Refusal(f"its reference counts have the impossible width 2^{header.refcount_order}")
    has_compression_type = bool(header.incompatible & _INCOMPATIBLE_COMPRESSION)
    if header.compression > 1 or bool(header.compression) != has_compression_type:
        raise _Refusal("it has an unknown kind of compression")


def _refuse_extensions(file: BinaryIO, header: _Header, size: int) -> None:
    """Walk the header extensions, which must end within the first cluster."""
    end = min(header.cluster, size)
    if header.length > end:
        raise _Refusal("its qcow2 header is longer than its first cluster")
    offset = header.length
    while offset + 8 <= end:
        kind, length = struct.unpack(">II", _read(file, offset, 8))
        if kind == _EXTENSION_END:
            return
        if kind in _REFUSED_EXTENSIONS:
            name = _read(file, offset + 8, min(length, 64, end - offset - 8)).decode("utf-8", "replace")
            detail = f" ({shown(name)})" if name.isprintable() and name else ""
            raise _Refusal(f"it {_REFUSED_EXTENSIONS[kind]}{detail}", _FLATTEN)
        offset += 8 + -(-length // 8) * 8
    if offset > end:
        raise _Refusal("its qcow2 header extensions do not end")


def _refuse_tables(file: BinaryIO, header: _Header, size: int) -> None:
    """Every table, and every cluster that the tables name, must be in the file."""
    cluster = header.cluster
    covered = cluster * (cluster // header.entry_size)  # bytes of the disk that one L2 table describes
    needed = -(-header.virtual_size // covered)
    if header.l1_entries < needed or header.l1_entries * 8 > _MAX_TABLE_BYTES:
        raise _Refusal(f"its L1 table has {header.l1_entries} entries, but its size needs {needed}")
    if not header.refcount_clusters or header.refcount_clusters * cluster > _MAX_REFCOUNT_TABLE_BYTES:
        raise _Refusal(f"its reference count table has the impossible size of {header.refcount_clusters} clusters")
    for what, offset, length in (
        ("L1 table", header.l1_offset, header.l1_entries * 8),
        ("reference count table", header.refcount_offset, header.refcount_clusters * cluster),
    ):
        if not offset or offset % cluster:
            raise _Refusal(f"its {what} has the impossible offset {offset}")
        if offset + length > size:
            raise _Refusal(f"the file is truncated: its {what} ends at byte {offset + length} of {size}", _AGAIN)
    layout = Layout(
        cluster_bits=header.cluster_bits,
        entry_size=header.entry_size,
        l1_offset=header.l1_offset,
        l1_entries=header.l1_entries,
        l1_used=needed,
        refcount_offset=header.refcount_offset,
        refcount_clusters=header.refcount_clusters,
        refcount_order=header.refcount_order,
    )
    try:
        check_tables(file, size, layout)
    except TableError as error:
        raise _Refusal(str(error), error.remedy) from error
