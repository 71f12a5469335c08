# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of an image is what QEMU reads of it."""

from __future__ import annotations

import io
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.blocks import (
    BLOCK,
    UnreadableImageError,
    drop_zeros,
    find_difference,
    gather,
    open_disk,
)

MIB = 1024**2
SIZE = 40 * MIB + 512


def assemble(blocks: Iterable[tuple[int, bytes]], size: int) -> bytes:
    data = bytearray(size)
    end = 0
    for offset, block in blocks:
        assert offset % BLOCK == 0
        assert offset >= end
        assert any(block)
        assert len(block) == min(BLOCK, size - offset)
        data[offset : offset + len(block)] = block
        end = offset + len(block)
    return bytes(data)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patterns of many lengths, zeros that were written, and holes."""
    path = tmp_path_factory.mktemp("images") / "disk.raw"
    chance = random.Random(3)
    with path.open("wb") as file:
        for start, length in ((0, 512), (700_000, 1_000_000), (5 * MIB, 3 * MIB), (20 * MIB + 1, 77), (SIZE - 5, 5)):
            file.seek(start)
            file.write(chance.randbytes(length))
        file.seek(12 * MIB)
        file.write(bytes(2 * MIB))
        file.seek(30 * MIB)
        file.write(b"compress me " * 100_000)
    return path


def convert(source: Path, target: Path, *options: str) -> None:
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-c",),
        ("-o", "compat=0.10"),
        ("-c", "-o", "compat=0.10"),
        ("-S", "0"),
        *(("-o", f"cluster_size={size}") for size in (512, 4096, 2 * MIB)),
        *(("-c", "-o", f"cluster_size={size}") for size in (512, 4096, 2 * MIB)),
        ("-o", "extended_l2=on,cluster_size=128k"),
        ("-o", "preallocation=metadata"),
    ],
    ids=" ".join,
)
def test_qcow2_as_qemu_writes_it(raw: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    image = tmp_path / "disk.qcow2"
    convert(raw, image, *options)
    with image.open("rb") as file:
        disk = open_disk(file, "qcow2")
        assert disk.size == SIZE
        assert assemble(disk.blocks(), disk.size) == raw.read_bytes()


def test_qcow2_as_a_guest_leaves_it(raw: Path, tmp_path: Path) -> None:
    """Subclusters written in part, zeroed and discarded."""
    image, copy = tmp_path / "disk.qcow2", tmp_path / "copy.raw"
    convert(raw, image, "-o", "extended_l2=on,cluster_size=64k")
    acts = ["write -P 7 9M 4k", "write -z 6M 130k", "discard 5M 64k", "write -P 9 35M 2k", "write -z 700k 4k"]
    subprocess.run(["qemu-io", "-f", "qcow2", *(f"-c{act}" for act in acts), str(image)], check=True)
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(image), str(copy)], check=True)
    with image.open("rb") as file:
        assert assemble(open_disk(file, "qcow2").blocks(), SIZE) == copy.read_bytes()


def test_raw(raw: Path) -> None:
    with raw.open("rb") as file:
        disk = open_disk(file, "raw")
        assert disk.size == SIZE
        assert assemble(disk.blocks(), disk.size) == raw.read_bytes()


def test_nothing_but_holes(tmp_path: Path) -> None:
    empty = tmp_path / "empty.raw"
    with empty.open("wb") as file:
        file.truncate(SIZE)
    with empty.open("rb") as file:
        assert list(open_disk(file, "raw").blocks()) == []
    convert(empty, tmp_path / "empty.qcow2")
    with (tmp_path / "empty.qcow2").open("rb") as file:
        assert list(open_disk(file, "qcow2").blocks()) == []


def test_zstd_is_told_before_anything_is_read(raw: Path, tmp_path: Path) -> None:
    image = tmp_path / "disk.qcow2"
    convert(raw, image, "-c", "-o", "compression_type=zstd")
    with image.open("rb") as file, pytest.raises(UnreadableImageError, match="zstd") as caught:
        open_disk(file, "qcow2", "image web")
    assert "qemu-img convert" in caught.value.problems[0].remedy


def test_damage_is_told(raw: Path, tmp_path: Path) -> None:
    image = tmp_path / "disk.qcow2"
    convert(raw, image, "-c")
    data = bytearray(image.read_bytes())
    table = int.from_bytes(data[40:48], "big")
    entries = int.from_bytes(data[table : table + 8], "big") & 0x00FFFFFFFFFFFE00
    compressed = int.from_bytes(data[entries + 20 * 16 * 8 : entries + 20 * 16 * 8 + 8], "big")
    assert compressed >> 62 & 1
    start = compressed & ((1 << 54) - 1)
    data[start : start + 4] = b"\xff" * 4
    with pytest.raises(UnreadableImageError, match="damaged"):
        for _ in open_disk(io.BytesIO(data), "qcow2").blocks():
            pass


def test_a_stream_becomes_blocks() -> None:
    data = random.Random(1).randbytes(BLOCK) + bytes(2 * BLOCK) + b"end"
    chunks = [data[start : start + 300_001] for start in range(0, len(data), 300_001)]
    assert assemble(drop_zeros(gather(chunks)), len(data)) == data


def test_differences() -> None:
    one, other = b"a" * BLOCK, b"b" * BLOCK
    assert find_difference([(0, one), (BLOCK, other)], [(0, one), (BLOCK, other)]) is None
    assert find_difference([], []) is None
    assert find_difference([(0, one), (BLOCK, one)], [(0, one), (BLOCK, other)]) == BLOCK
    assert find_difference([(0, one), (BLOCK, one)], [(0, one)]) == BLOCK
    assert find_difference([(BLOCK, one)], [(0, one), (BLOCK, one)]) == 0
    assert find_difference([(0, one)], [(0, one), (5 * BLOCK, one)]) == 5 * BLOCK
