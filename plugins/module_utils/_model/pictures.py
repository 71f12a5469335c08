# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of screens: whatever format QEMU gives, as PNG. Pure."""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
# Numbers are apart by white space, or by comments up to the end of a line; one white space is before the pixels.
_GAP = rb"(?:\s|#[^\r\n]{0,200}[\r\n]){1,50}"
_PPM = re.compile(rb"P6" + _GAP + rb"(\d{1,5})" + _GAP + rb"(\d{1,5})" + _GAP + rb"255\s")


class Picture(NamedTuple):
    """png: the file; width and height are pixels."""

    png: bytes
    width: int
    height: int


def read_picture(data: bytes) -> Picture:
    """Return a PNG or a binary PPM with 256 shades as PNG. Raises ValueError for anything else."""
    if data.startswith(_SIGNATURE):
        if data[8:16] != b"\x00\x00\x00\rIHDR" or len(data) < 33 or not data.endswith(_END):
            raise ValueError("it is half a PNG file")
        width, height = struct.unpack_from(">II", data, 16)
        return Picture(data, width, height)
    header = _PPM.match(data)
    if header is None:
        raise ValueError("it is neither PNG nor PPM")
    width, height = int(header[1]), int(header[2])
    pixels = memoryview(data)[header.end() :]
    if not width or not height or len(pixels) != width * height * 3:
        raise ValueError("its size is not that of its pixels")
    return Picture(_write_png(width, height, pixels), width, height)


def _write_png(width: int, height: int, pixels: memoryview) -> bytes:
    """8 bits, RGB, each row without a filter."""
    packed, step = zlib.compressobj(), width * 3
    parts = []
    for begin in range(0, len(pixels), step):
        parts += [packed.compress(b"\x00"), packed.compress(pixels[begin : begin + step])]
    content = b"".join([*parts, packed.flush()])
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", content) + _END


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
