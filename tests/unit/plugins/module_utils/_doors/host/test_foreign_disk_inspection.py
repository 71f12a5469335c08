# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile and broken VMDK and VDI files. They are made by hand, so that every field can lie."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.foreign_disk_inspection import inspect_disk
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.image_inspection import (
    HostileImageError,
    Inspection,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError
from hypothesis import given
from hypothesis import strategies as st

MIB = 1024**2
SECTOR = 512
AT_END = 2**64 - 1

DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=12345678
parentCID={parent}
createType="{kind}"

# Extent description
{extents}

# The Disk Data Base
ddb.adapterType = "ide"
"""


@dataclass(frozen=True)
class Vmdk:
    """Header, descriptor (20 sectors from 1), grain directory (at 21), one grain table (at 22), a grain (at 128)."""

    magic: bytes = b"KDMV"
    version: int = 1
    capacity: int = 4 * MIB // SECTOR
    grain: int = 128
    desc_offset: int = 1
    desc_size: int = 20
    entries: int = 512
    directory: int = 21
    overhead: int = 128
    ends: bytes = b"\n \r\n"
    compression: int = 0
    parent: str = "ffffffff"
    kind: str = "monolithicSparse"
    extents: str = 'RW 8192 SPARSE "disk.vmdk"'
    tables: tuple[int, ...] = (22,)
    table: tuple[int, ...] = ()
    grains: tuple[tuple[int, int, int], ...] = ()  # compressed: (sector in the file, sector of the disk, bytes)
    footer: bool = False
    footer_capacity: int = 4 * MIB // SECTOR
    length: int = 256 * SECTOR

    def header(self, directory: int, capacity: int) -> bytes:
        return struct.pack(
            "<4sIIQQQQIQQQB4sH",
            self.magic,
            self.version,
            3 | (1 << 16 | 1 << 17 if self.compression else 0),
            capacity,
            self.grain,
            self.desc_offset,
            self.desc_size,
            self.entries,
            0,
            directory,
            self.overhead,
            0,
            self.ends,
            self.compression,
        )

    def build(self) -> bytes:
        data = bytearray(256 * SECTOR)
        first = self.header(AT_END if self.footer else self.directory, self.capacity)
        data[: len(first)] = first
        text = DESCRIPTOR.format(parent=self.parent, kind=self.kind, extents=self.extents).encode()
        data[SECTOR : SECTOR + len(text)] = text
        directory = struct.pack(f"<{len(self.tables)}I", *self.tables)
        data[21 * SECTOR : 21 * SECTOR + len(directory)] = directory
        data[22 * SECTOR : 22 * SECTOR + 4 * len(self.table)] = struct.pack(f"<{len(self.table)}I", *self.table)
        for place, sector, length in self.grains:
            struct.pack_into("<QI", data, place * SECTOR, sector, length)
        if self.footer:
            footer = self.header(self.directory, self.footer_capacity)
            data[254 * SECTOR : 254 * SECTOR + len(footer)] = footer
        return bytes(data[: self.length])


@dataclass(frozen=True)
class Vdi:
    """Header of 512 bytes, block map (at 512), one block (at 1024)."""

    signature: int = 0xBEDA107F
    version: int = 0x00010001
    header_size: int = 0x190
    kind: int = 1
    map_offset: int = 512
    data_offset: int = 1024
    virtual_size: int = 4 * MIB
    block_size: int = MIB
    extra: int = 0
    blocks: int = 4
    allocated: int = 1
    link: bytes = bytes(16)
    parent: bytes = bytes(16)
    places: tuple[int, ...] = (0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFE)
    length: int = 1024 + MIB

    def build(self) -> bytes:
        data = bytearray(1024 + MIB)
        struct.pack_into("<IIII", data, 0x40, self.signature, self.version, self.header_size, self.kind)
        struct.pack_into("<II", data, 0x154, self.map_offset, self.data_offset)
        struct.pack_into(
            "<QIIII", data, 0x170, self.virtual_size, self.block_size, self.extra, self.blocks, self.allocated
        )
        data[0x1A8:0x1B8], data[0x1B8:0x1C8] = self.link, self.parent
        struct.pack_into(f"<{len(self.places)}I", data, 512, *self.places)
        return bytes(data[: self.length])


def look(data: bytes, disk_format: str, max_size_mib: int = 1024) -> Inspection:
    return inspect_disk(io.BytesIO(data), disk_format, max_size_mib, "volume data")


VMDK, VDI = Vmdk(), Vdi()
STREAM = Vmdk(kind="streamOptimized", footer=True, compression=1, version=3)


@pytest.mark.parametrize(
    ("file", "disk_format"),
    [
        (VMDK, "vmdk"),
        (replace(VMDK, version=2), "vmdk"),
        (replace(VMDK, tables=(0,)), "vmdk"),
        (STREAM, "vmdk"),
        (VDI, "vdi"),
        (replace(VDI, kind=2), "vdi"),
        (replace(VMDK, table=(128, 1, 0)), "vmdk"),
        (replace(STREAM, table=(128, 0, 160), grains=((128, 0, 9), (160, 256, 700))), "vmdk"),
    ],
)
def test_whole_disks(file: Vmdk | Vdi, disk_format: str) -> None:
    assert look(file.build(), disk_format) == Inspection(4 * MIB, file.length)


def test_the_other_formats_are_looked_at_as_images_are() -> None:
    assert look(bytes(MIB), "raw") == Inspection(MIB, MIB)
    with pytest.raises(HostileImageError, match="looks like VMDK"):
        look(VMDK.build(), "raw")
    with pytest.raises(HostileImageError, match="declared to be qcow2"):
        look(VDI.build(), "qcow2")


REFUSED: dict[str, tuple[Any, str]] = {
    "another format": (replace(VMDK, magic=b"QFI\xfb"), "not a sparse extent"),
    "an old format": (replace(VMDK, magic=b"COWD"), "not a sparse extent"),
    "an unknown version": (replace(VMDK, version=4), "version is 4"),
    "a descriptor as the disk": (replace(VMDK, capacity=0), "impossible size of 0 sectors"),
    "petabytes": (replace(VMDK, capacity=2**60), "impossible size"),
    "too large": (
        replace(VMDK, capacity=2**32, extents='RW 4294967296 SPARSE "a"', tables=(22,)),
        "its virtual size is 2 TiB; allowed is up to 1 GiB",
    ),
    "grains of nothing": (replace(VMDK, grain=0), "impossible size of 0 sectors"),
    "odd grains": (replace(VMDK, grain=100), "impossible size of 100 sectors"),
    "huge grains": (replace(VMDK, grain=2**40), "impossible size"),
    "odd tables": (replace(VMDK, entries=2**31), "2147483648 entries"),
    "line ends": (replace(VMDK, ends=b"\n \n\n"), "line ends were converted"),
    "compression": (replace(VMDK, compression=7), "compression 7"),
    "no descriptor": (replace(VMDK, desc_offset=0), "no descriptor inside"),
    "no descriptor either": (replace(VMDK, desc_size=0), "no descriptor inside"),
    "a long descriptor": (replace(VMDK, desc_size=21), "impossible place"),
    "a descriptor beyond": (replace(VMDK, desc_offset=2**50), "impossible place"),
    "a parent": (replace(VMDK, parent="deadbeef"), "names a parent"),
    "a parent's name": (
        replace(VMDK, extents='RW 8192 SPARSE "a"\nparentFileNameHint="/etc/shadow"'),
        "names a parent",
    ),
    "a hidden parent": (
        replace(VMDK, desc_size=1, extents='RW 8192 SPARSE "a"\n' + "#" * 600 + '\nparentFileNameHint="/x"'),
        "names a parent",
    ),
    "flat": (replace(VMDK, extents='RW 8192 FLAT "/dev/sda" 0'), "one sparse extent"),
    "two extents": (replace(VMDK, extents='RW 4096 SPARSE "a"\nRW 4096 SPARSE "/etc/shadow"'), "made of 2 extents"),
    "no extent": (replace(VMDK, extents=""), "made of 0 extents"),
    "a device": (replace(VMDK, kind="fullDevice"), "of the type"),
    "several files": (replace(VMDK, kind="twoGbMaxExtentSparse"), "of the type"),
    "another size": (replace(VMDK, extents='RW 9 SPARSE "a"'), "claims 9 sectors"),
    "a truncated header": (replace(VMDK, length=30), "truncated"),
    "a table beyond": (replace(VMDK, tables=(2**31,)), "a grain table is not in it"),
    "a grain beyond": (replace(VMDK, table=(2**31,)), "a grain is not in it"),
    "a grain cut short": (replace(VMDK, table=(129,)), "a grain is not in it"),
    "two grains in one place": (replace(VMDK, table=(128, 128)), "two of its grains lie in one place"),
    "two tables in one place": (
        replace(VMDK, tables=(22, 22), capacity=2**17, extents='RW 131072 SPARSE "a"'),
        "two of its grain tables lie in one place",
    ),
    "a packed grain beyond": (replace(STREAM, table=(256,)), "a grain is not in it"),
    "a packed grain cut short": (replace(STREAM, table=(250,), grains=((250, 0, 9999),)), "a grain is not in it"),
    "a packed grain of another place": (replace(STREAM, table=(128,), grains=((128, 99, 9),)), "sector 0 should be"),
    "a vdi cut short": (replace(VDI, length=1024 + 10), "a block is not in it"),
    "two blocks in one place": (replace(VDI, places=(0, 0, 0xFFFFFFFF, 0xFFFFFFFF)), "two of its blocks"),
    "a directory beyond": (replace(VMDK, directory=2**40), "grain directory is not in it"),
    "a stream without its end": (replace(STREAM, length=200 * SECTOR), "ends with a footer"),
    "a stream of another size": (replace(STREAM, footer_capacity=9), "its footer claims 9"),
    "a stream that never ends": (replace(STREAM, directory=AT_END), "does not tell where its tables are"),
    "not vdi": (replace(VDI, signature=1), "is not"),
    "an unknown version of vdi": (replace(VDI, version=0x00020000), "version is 2.0"),
    "a difference": (replace(VDI, kind=4), "of the type 4"),
    "a linked vdi": (replace(VDI, link=b"x" * 16), "names a parent"),
    "a child": (replace(VDI, parent=b"x" * 16), "names a parent"),
    "odd blocks": (replace(VDI, block_size=4096), "unusual size of 4096"),
    "extra bytes": (replace(VDI, extra=1), "unusual size"),
    "more blocks than its size": (replace(VDI, blocks=5), "do not fit"),
    "more blocks than there are": (replace(VDI, allocated=5), "do not fit"),
    "a vdi of nothing": (replace(VDI, virtual_size=0, blocks=0, allocated=0), "virtual size is nothing"),
    "petabytes of vdi": (replace(VDI, virtual_size=2**50, blocks=2**30, allocated=0), "block map is not in it"),
    "a map beyond": (replace(VDI, map_offset=2**30), "block map is not in it"),
    "an odd map": (replace(VDI, map_offset=513), "block map is not in it"),
    "a block beyond": (replace(VDI, places=(1, 1, 1, 1)), "a block is not in it"),
    "a truncated vdi": (replace(VDI, length=400), "is not"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    file, what = REFUSED[case]
    with pytest.raises(HostileImageError) as caught:
        look(file.build(), "vdi" if isinstance(file, Vdi) else "vmdk")
    (problem,) = caught.value.problems
    assert what in problem.what
    assert problem.resource == "volume data"


def test_a_text_that_names_other_files() -> None:
    text = DESCRIPTOR.format(parent="ffffffff", kind="monolithicFlat", extents='RW 8192 FLAT "/etc/shadow" 0')
    with pytest.raises(HostileImageError, match="names other files"):
        look(text.encode(), "vmdk")


def test_a_size_that_is_not_allowed() -> None:
    for file, disk_format in ((VMDK, "vmdk"), (VDI, "vdi")):
        with pytest.raises(HostileImageError, match="4 MiB; allowed is up to 3 MiB"):
            look(file.build(), disk_format, 3)


@given(st.sampled_from(["vmdk", "vdi"]), st.binary(max_size=2000), st.integers(0, 1200))
def test_any_damage_is_told_or_harmless(disk_format: str, damage: bytes, offset: int) -> None:
    data = bytearray((VMDK if disk_format == "vmdk" else VDI).build())
    data[offset : offset + len(damage)] = damage
    with suppress(InvalidInputError):
        look(bytes(data), disk_format)
