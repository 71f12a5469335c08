# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks written block by block, read back by ourselves and by QEMU."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.block_writing import write_disk
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.blocks import BLOCK, open_disk
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.foreign_disk_inspection import inspect_disk
from hypothesis import given
from hypothesis import strategies as st

GIB = 1024**3


def blocks_of(size: int, numbers: list[int], seed: int = 1) -> list[tuple[int, bytes]]:
    """Return blocks at these numbers, some with runs of zeros in them."""
    chance = random.Random(seed)
    found = []
    for number in sorted(set(numbers)):
        length = min(BLOCK, size - number * BLOCK)
        if length <= 0:
            continue
        data = bytearray(length)
        for _ in range(3):
            start = chance.randrange(length)
            piece = chance.randbytes(min(70_000, length - start))
            data[start : start + len(piece)] = piece
        data[chance.randrange(length)] = 1  # of zeros alone it would be no block
        found.append((number * BLOCK, bytes(data)))
    return found


def write(path: Path, disk_format: str, size: int, blocks: list[tuple[int, bytes]]) -> None:
    with path.open("wb") as file:
        write_disk(file, disk_format, size, iter(blocks))


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
@pytest.mark.parametrize(
    ("size", "numbers"),
    [
        (BLOCK, []),
        (512, [0]),
        (40 * BLOCK, [0, 1, 2, 7, 39]),
        (40 * BLOCK - 4096, [39]),
        (3 * GIB, [0, 511, 512, 513, 3071]),
        # More clusters than one block of reference counts has room for
        (2 * GIB + 5 * BLOCK, [2052]),
        (900 * GIB, [1, 700 * 1024]),
    ],
)
def test_qemu_reads_what_was_written(disk_format: str, size: int, numbers: list[int], tmp_path: Path) -> None:
    path, plain, blocks = tmp_path / "disk", tmp_path / "plain", blocks_of(size, numbers)
    write(path, disk_format, size, blocks)
    write(plain, "raw", size, blocks)
    if disk_format == "qcow2":
        said = subprocess.run(
            ["qemu-img", "check", "-f", "qcow2", str(path)], capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stdout + said.stderr
        assert "No errors" in said.stdout
    compare = ["qemu-img", "compare", "-f", disk_format, "-F", "raw", str(path), str(plain)]
    subprocess.run(compare, check=True, capture_output=True)
    with path.open("rb") as file:
        assert inspect_disk(file, disk_format, 2**30).virtual_size == size
        disk = open_disk(file, disk_format)
        assert (disk.size, list(disk.blocks())) == (size, blocks)


def test_more_clusters_than_one_block_of_counts(tmp_path: Path) -> None:
    """A block of reference counts serves 2 GiB of the file: what is counted is every cluster, its own too."""
    from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import block_writing as _disk_writing

    path = tmp_path / "disk"
    for used in (32766, 32767, 32768, 65533, 65535):
        with path.open("wb") as file:
            _disk_writing._write_refcounts(file, used, GIB, 2)
        assert path.stat().st_size % 65536 == 0
        with path.open("rb") as file:
            file.seek(used * 65536)
            tables = path.stat().st_size // 65536 - used
            places = [int.from_bytes(file.read(8), "big") for _ in range(tables - 1)]
            counted = 0
            for place in places:
                file.seek(place)
                counted += file.read(65536).count(b"\0\x01")
        assert counted == used + tables


@given(st.integers(1, 1200 * BLOCK), st.lists(st.integers(0, 1200), max_size=6), st.integers())
def test_any_disk_reads_back(
    tmp_path_factory: pytest.TempPathFactory, size: int, numbers: list[int], seed: int
) -> None:
    path = tmp_path_factory.mktemp("disks") / "disk"
    blocks = blocks_of(size, numbers, seed)
    write(path, "qcow2", size, blocks)
    with path.open("rb") as file:
        assert list(open_disk(file, "qcow2").blocks()) == blocks
