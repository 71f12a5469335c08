# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file looks like, by the bytes at its ends: as QEMU's own probing does, and for what else is handed around."""

from __future__ import annotations

import re
from typing import BinaryIO

QCOW2 = b"QFI\xfb"
# (offset from the start, bytes there, what it is). QEMU's own probing looks at these.
_MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (0, QCOW2, "qcow2"),
    (0, b"QED\x00", "QED"),
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK"),
    (0, b"# Disk DescriptorFile", "VMDK descriptor"),
    (0, b"<<< ", "VDI"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"conectix", "VHD"),
    (0, b"LUKS\xba\xbe", "LUKS"),
    (0, b"WithoutFreeSpace", "Parallels"),
    (0, b"WithouFreSpacExt", "Parallels"),
    (0, b"Bochs Virtual HD Image", "Bochs"),
    (0, b"#!/bin/sh\n#V2.0 Format\n", "cloop"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"BZh", "bzip2"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (0, b"Rar!\x1a\x07", "RAR"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"\x02\x21\x4c\x18", "lz4"),
    (0, b"LZIP", "lzip"),
    (0, b"\x5d\x00\x00", "lzma"),
    (0, b"\x89LZO\x00\r\n\x1a\n", "lzop"),
    (0, b"\x1f\x9d", "compress"),
    (0, b"MSCF", "cabinet"),
    (0, b"MSWIM\x00\x00\x00", "WIM"),
    (0, b"070701", "cpio"),
    (0, b"070702", "cpio"),
    (0, b"070707", "cpio"),
    (0x101, b"ustar", "tar"),
    (0, b"!<arch>\n", "ar"),
    (0, b"hsqs", "squashfs"),
)
# What QEMU takes for the text of a VMDK: comments and empty lines, then the version.
_VMDK_TEXT = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n)*version=[0-9]")
# The same, from the start of the last 512 bytes.
_TAIL_MAGICS = ((b"conectix", "VHD"), (b"koly", "DMG"))
_HEAD_LENGTH = 2048


def find_magic(file: BinaryIO, size: int) -> str | None:
    """Return what a file of this size looks like; None for nothing that is known."""
    file.seek(0)
    head = file.read(_HEAD_LENGTH)
    for offset, magic, name in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return name
    if _VMDK_TEXT.match(head):
        return "VMDK descriptor"
    if size >= 512:
        file.seek(size - 512)
        tail = file.read(512)
        for magic, name in _TAIL_MAGICS:
            if tail.startswith(magic):
                return name
    return None
