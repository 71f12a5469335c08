# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of screens become PNG files, and what is none is refused."""

from __future__ import annotations

import struct
import zlib

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.pictures import read_picture

# Two rows of three pixels.
PIXELS = bytes(range(18))
PPM = b"P6\n3 2\n255\n" + PIXELS


def decode(png: bytes) -> tuple[int, int, bytes]:
    """Read a PNG of RGB without filters, chunk by chunk."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(kind + content),)
        chunks[kind] = content
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    rows, step = zlib.decompress(chunks[b"IDAT"]), width * 3 + 1
    assert [rows[begin] for begin in range(0, len(rows), step)] == [0] * height
    return width, height, b"".join(rows[begin + 1 : begin + step] for begin in range(0, len(rows), step))


@pytest.mark.parametrize("header", [b"P6\n3 2\n255\n", b"P6 3 2 255 ", b"P6\n# by QEMU\n3\n# two\n2\n255\n"])
def test_ppm(header: bytes) -> None:
    picture = read_picture(header + PIXELS)
    assert (picture.width, picture.height) == (3, 2)
    assert decode(picture.png) == (3, 2, PIXELS)


def test_a_png_stays_as_it_is() -> None:
    png = read_picture(PPM).png
    assert read_picture(png) == (png, 3, 2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"P5\n3 2\n255\n" + PIXELS,
        b"P6\n3 2\n65535\n" + PIXELS,
        b"P6\n3 2\n255\n" + PIXELS[:-1],
        b"P6\n3 2\n255\n" + PIXELS + b"x",
        b"P6\n0 2\n255\n",
        b"P6\n99999 99999\n255\n" + PIXELS,
        b"P6" + b"#" * 10_000 + b"\n3 2\n255\n" + PIXELS,
        read_picture(PPM).png[:-4],
        read_picture(PPM).png[:20],
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is|its size"):
        read_picture(data)
