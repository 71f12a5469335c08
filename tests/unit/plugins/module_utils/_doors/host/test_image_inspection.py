# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile and broken image files. Headers are made by hand, so that every field can lie."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.image_inspection import (
    HostileImageError,
    Inspection,
    inspect_image,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError
from hypothesis import given
from hypothesis import strategies as st

CLUSTER = 65536
MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True)
class Qcow2:
    """A qcow2 file: header, tables of reference counts, L1 and L2, a block of reference counts, a cluster of data."""

    version: int = 3
    backing_offset: int = 0
    backing_length: int = 0
    cluster_bits: int = 16
    virtual_size: int = 10 * MIB
    crypt: int = 0
    l1_entries: int = 1
    l1_offset: int = 2 * CLUSTER
    refcount_offset: int = CLUSTER
    refcount_clusters: int = 1
    snapshots: int = 0
    incompatible: int = 0
    compatible: int = 0
    autoclear: int = 0
    refcount_order: int = 4
    header_length: int = 104
    after_header: bytes = bytes(8)
    l1: tuple[int, ...] = (1 << 63 | 3 * CLUSTER,)
    l2: tuple[int, ...] = (1 << 63 | 5 * CLUSTER,)
    refcounts: tuple[int, ...] = (4 * CLUSTER,)
    counts: tuple[int, ...] = (1, 1, 1, 1, 1, 1)
    length: int = 6 * CLUSTER

    def build(self) -> bytes:
        head = b"QFI\xfb" + struct.pack(
            ">IQIIQIIQQIIQ",
            self.version,
            self.backing_offset,
            self.backing_length,
            self.cluster_bits,
            self.virtual_size,
            self.crypt,
            self.l1_entries,
            self.l1_offset,
            self.refcount_offset,
            self.refcount_clusters,
            self.snapshots,
            0,
        )
        if self.version >= 3:
            head += struct.pack(
                ">QQQII", self.incompatible, self.compatible, self.autoclear, self.refcount_order, self.header_length
            )
        data = bytearray(6 * CLUSTER)
        data[: len(head)] = head
        data[len(head) : len(head) + len(self.after_header)] = self.after_header
        data[2 * CLUSTER : 2 * CLUSTER + 8 * len(self.l1)] = struct.pack(f">{len(self.l1)}Q", *self.l1)
        data[3 * CLUSTER : 3 * CLUSTER + 8 * len(self.l2)] = struct.pack(f">{len(self.l2)}Q", *self.l2)
        data[CLUSTER : CLUSTER + 8 * len(self.refcounts)] = struct.pack(f">{len(self.refcounts)}Q", *self.refcounts)
        data[4 * CLUSTER : 4 * CLUSTER + 2 * len(self.counts)] = struct.pack(f">{len(self.counts)}H", *self.counts)
        return bytes(data[: self.length])


GOOD = Qcow2()


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8) + bytes(8)


def inspect(data: bytes, image_format: str = "qcow2", max_size_mib: int = 65536) -> Inspection:
    return inspect_image(io.BytesIO(data), image_format, max_size_mib, "image tiny")


@pytest.mark.parametrize(
    "image",
    [
        GOOD,
        replace(GOOD, version=2),
        replace(GOOD, virtual_size=512 * MIB),
        replace(GOOD, l1_entries=128),
        replace(GOOD, l1=(0,)),
        replace(GOOD, l2=(0, 1, 1 << 62 | 5 * CLUSTER + 77, 1 << 62 | 5 * CLUSTER + 700)),
        replace(GOOD, after_header=extension(0x6803F857, b"features")),
        replace(GOOD, after_header=extension(0x12345678, b"unknown, and ignored by QEMU too")),
        replace(GOOD, incompatible=1 << 3, header_length=112, after_header=b"\x01" + bytes(15)),
        replace(GOOD, length=6 * CLUSTER - 1),
    ],
)
def test_sound_files_are_accepted(image: Qcow2) -> None:
    data = image.build()
    assert inspect(data) == Inspection(image.virtual_size, len(data))


HOSTILE: list[tuple[str, Qcow2, str]] = [
    (
        "backing file",
        replace(
            GOOD,
            backing_offset=112,
            backing_length=11,
            after_header=bytes(8) + b"/etc/shadow",
        ),
        'has a backing file, "/etc/shadow"',
    ),
    (
        "json backing",
        replace(
            GOOD,
            backing_offset=112,
            backing_length=45,
            after_header=bytes(8) + b'json:{"driver":"nbd","host":"attacker","x":1}',
        ),
        'has a backing file, "json:{',
    ),
    (
        "nbd backing",
        replace(GOOD, backing_offset=112, backing_length=16, after_header=bytes(8) + b"nbd:10.0.0.9:809"),
        'has a backing file, "nbd:',
    ),
    (
        "backing name outside",
        replace(GOOD, backing_offset=2**64 - 1, backing_length=2**32 - 1),
        "names a backing file at the impossible place",
    ),
    ("backing at 2^63", replace(GOOD, backing_offset=2**63, backing_length=9), f"the impossible place {2**63}, in 9"),
    ("backing length alone", replace(GOOD, backing_length=4), "names a backing file at the impossible place 0"),
    (
        "two L1 entries, one L2 table",
        replace(GOOD, virtual_size=GIB, l1_entries=2, l1=(3 * CLUSTER,) * 2),
        "two things",
    ),
    ("an L2 table that is the L1 table", replace(GOOD, l1=(2 * CLUSTER,)), f"two things lie at byte {2 * CLUSTER}"),
    ("two owners of a cluster", replace(GOOD, l2=(5 * CLUSTER,) * 2), f"two things lie at byte {5 * CLUSTER}"),
    ("data that is a table", replace(GOOD, l2=(3 * CLUSTER,)), f"two things lie at byte {3 * CLUSTER}"),
    ("packed data in a table", replace(GOOD, l2=(1 << 62 | 3 * CLUSTER + 9,)), "two things lie at byte"),
    (
        "packed data beyond",
        replace(GOOD, l2=(1 << 62 | 6 << 54 | 6 * CLUSTER - 900,)),
        "truncated: it has data at byte",
    ),
    ("data between clusters", replace(GOOD, l2=(5 * CLUSTER + 512,)), "data at the impossible offset"),
    ("counts outside", replace(GOOD, refcounts=(60 * CLUSTER,)), "block of reference counts at the impossible offset"),
    ("counts between clusters", replace(GOOD, refcounts=(4 * CLUSTER + 512,)), "the impossible offset"),
    ("counts that are a table", replace(GOOD, refcounts=(3 * CLUSTER,)), "two things lie at byte"),
    ("no counts", replace(GOOD, refcounts=()), "its reference counts call byte 0 free"),
    ("data that is not counted", replace(GOOD, counts=(1, 1, 1, 1, 1)), f"call byte {5 * CLUSTER} free"),
    ("data file bit", replace(GOOD, incompatible=1 << 2), "its data is in an external file"),
    ("raw data file bit", replace(GOOD, autoclear=1 << 1), "its data is in an external file"),
    ("data file name", replace(GOOD, after_header=extension(0x44415441, b"/dev/sda")), "names an external data file"),
    ("backing format", replace(GOOD, after_header=extension(0xE2792ACA, b"raw")), "the format of a backing file"),
    ("encryption header", replace(GOOD, after_header=extension(0x0537BE77, bytes(16))), "it is encrypted"),
    ("crypt method", replace(GOOD, crypt=1), "it is encrypted"),
    (
        "petabytes",
        replace(GOOD, virtual_size=2**52, l1_entries=2**22),
        "its virtual size is 4 PiB, more than the 64 GiB",
    ),
    ("no size", replace(GOOD, virtual_size=0), "virtual size is zero"),
    ("snapshots", replace(GOOD, snapshots=2), "holds 2 internal snapshots"),
    ("dirty", replace(GOOD, incompatible=1), "not closed properly"),
    ("corrupt", replace(GOOD, incompatible=2), "not closed properly"),
    ("unknown feature", replace(GOOD, incompatible=1 << 40), "unknown features"),
    (
        "unknown compression",
        replace(GOOD, incompatible=1 << 3, header_length=112, after_header=b"\x07" + bytes(15)),
        "unknown kind",
    ),
    ("version 1", replace(GOOD, version=1), "its qcow2 version is 1"),
    ("version 4", replace(GOOD, version=4), "its qcow2 version is 4"),
    ("tiny clusters", replace(GOOD, cluster_bits=8), "impossible size 2^8"),
    ("enormous clusters", replace(GOOD, cluster_bits=60), "impossible size 2^60"),
    ("header length", replace(GOOD, header_length=96), "impossible length 96"),
    ("header beyond cluster", replace(GOOD, header_length=2**31), "longer than its first cluster"),
    ("endless extension", replace(GOOD, after_header=struct.pack(">II", 1, 2**31)), "do not end"),
    ("L1 too short", replace(GOOD, virtual_size=1024 * MIB), "its L1 table has 1 entries, but its size needs 2"),
    ("L1 too long", replace(GOOD, l1_entries=2**31), "its L1 table has"),
    ("L1 unaligned", replace(GOOD, l1_offset=2 * CLUSTER + 8), "impossible offset"),
    ("L1 nowhere", replace(GOOD, l1_offset=0), "impossible offset"),
    ("L1 outside", replace(GOOD, l1_offset=2**40), "the file is truncated: its L1 table"),
    ("refcounts outside", replace(GOOD, refcount_offset=2**40), "the file is truncated: its reference count table"),
    ("refcounts enormous", replace(GOOD, refcount_clusters=2**31), "impossible size"),
    ("no refcounts", replace(GOOD, refcount_clusters=0), "impossible size"),
    ("refcount width", replace(GOOD, refcount_order=40), "impossible width"),
    ("L2 outside", replace(GOOD, l1=(2**40,)), "the file is truncated: an L2 table"),
    ("L2 unaligned", replace(GOOD, l1=(3 * CLUSTER + 512,)), "L2 table at the impossible offset"),
    ("data outside", replace(GOOD, l2=(2**40,)), "the file is truncated: it has data"),
    ("compressed data outside", replace(GOOD, l2=(1 << 62 | 2**40,)), "the file is truncated: it has data"),
    ("cut in the header", replace(GOOD, length=60), "the file is truncated"),
    ("cut behind the magic", replace(GOOD, length=4), "the file is truncated"),
    ("cut in the middle", replace(GOOD, length=5 * CLUSTER), "the file is truncated"),
]


@pytest.mark.parametrize(("image", "said"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile_files_are_refused(image: Qcow2, said: str) -> None:
    with pytest.raises(HostileImageError) as caught:
        inspect(image.build())
    assert said in str(caught.value)
    assert "image tiny" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (GOOD.build(), "looks like qcow2"),
        (b"QFI\xfb".ljust(512, b"\0"), "looks like qcow2"),
        (b"KDMV".ljust(512, b"\0"), "looks like VMDK"),
        (b"# Disk DescriptorFile\n".ljust(512, b"\0"), "looks like VMDK descriptor"),
        ((bytes(64) + b"\x7f\x10\xda\xbe").ljust(512, b"\0"), "looks like VDI"),
        (b"vhdxfile".ljust(512, b"\0"), "looks like VHDX"),
        (b'version=1\nRW 1 FLAT "/etc/shadow" 0\n'.ljust(512, b"\0"), "looks like VMDK descriptor"),
        (b"# a comment\n \r\n\nversion=3\n".ljust(512, b"\0"), "looks like VMDK descriptor"),
        ((bytes(257) + b"ustar\x0000").ljust(1024, b"\0"), "looks like tar"),
        (b"7z\xbc\xaf\x27\x1c".ljust(512, b"\0"), "looks like 7-Zip"),
        (b"Rar!\x1a\x07\x01\x00".ljust(512, b"\0"), "looks like RAR"),
        (b"\x04\x22\x4d\x18".ljust(512, b"\0"), "looks like lz4"),
        (b"LZIP\x01".ljust(512, b"\0"), "looks like lzip"),
        (b"\x5d\x00\x00\x80\x00".ljust(512, b"\0"), "looks like lzma"),
        (b"070701".ljust(512, b"0"), "looks like cpio"),
        (b"conectix".ljust(512, b"\0"), "looks like VHD"),
        (bytes(512) + b"conectix".ljust(512, b"\0"), "looks like VHD"),
        (bytes(512) + b"koly".ljust(512, b"\0"), "looks like DMG"),
        (b"LUKS\xba\xbe".ljust(512, b"\0"), "looks like LUKS"),
        (b"QED\0".ljust(512, b"\0"), "looks like QED"),
        (b"\x1f\x8b\x08".ljust(512, b"\0"), "looks like gzip"),
        (b"\xfd7zXZ\0".ljust(512, b"\0"), "looks like xz"),
        (b"", "virtual size is zero"),
        (bytes(513), "not a whole number of sectors"),
        (bytes(2 * MIB), "more than the 1 MiB allowed"),
    ],
)
def test_raw_is_what_was_declared_or_refused(data: bytes, said: str) -> None:
    with pytest.raises(HostileImageError) as caught:
        inspect(data, "raw", 1)
    assert said in str(caught.value)


def test_a_raw_disk_is_accepted() -> None:
    assert inspect(b"\xeb\x3c\x90mkfs.fat".ljust(1024, b"\0"), "raw") == Inspection(1024, 1024)


@pytest.mark.parametrize("data", [b"", b"QFI", bytes(4096), b"KDMV" + bytes(4096), b"#!/bin/sh\nrm -rf /\n"])
def test_qcow2_is_never_guessed(data: bytes) -> None:
    with pytest.raises(HostileImageError, match="declared to be qcow2, but is not"):
        inspect(data)


def test_one_table_named_a_million_times_is_read_once() -> None:
    """64 GiB of 512-byte clusters have two million L1 entries, which here all name one table."""
    entries = 2**21
    head = replace(
        GOOD, cluster_bits=9, virtual_size=65536 * MIB, l1_entries=entries, l1_offset=1024, refcount_offset=512
    ).build()[:512]
    table = 1024 + 8 * entries
    data = head + bytes(512) + struct.pack(">Q", table) * entries + bytes(512)
    with pytest.raises(HostileImageError, match="two things lie at byte"):
        inspect(data)


def test_a_small_file_with_millions_of_tables_takes_seconds(tmp_path: Path) -> None:
    """Its tables are holes: nothing of them is on the disk, and nothing of them is read."""
    entries = 2**21
    head = replace(
        GOOD, cluster_bits=9, virtual_size=65536 * MIB, l1_entries=entries, l1_offset=1024, refcount_offset=512
    ).build()[:512]
    first = 1024 + 8 * entries
    path = tmp_path / "sparse.qcow2"
    with path.open("w+b") as file:
        file.write(head + bytes(512) + struct.pack(f">{entries}Q", *range(first, first + 512 * entries, 512)))
        file.truncate(first + 512 * entries)
        began = time.process_time()
        with pytest.raises(HostileImageError, match="its reference counts call byte 0 free"):
            inspect_image(file, "qcow2", 65536)
        assert time.process_time() - began < 5


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
@pytest.mark.parametrize(
    "options",
    [
        "",
        "-c",
        "-o cluster_size=512",
        "-c -o cluster_size=512",
        "-o compat=0.10",
        "-o extended_l2=on",
        "-o preallocation=metadata",
        "-o refcount_bits=1",
        "-o refcount_bits=4",
        "-o refcount_bits=64",
    ],
)
def test_what_qemu_writes_is_sound(options: str, tmp_path: Path) -> None:
    raw, image = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    raw.write_bytes(bytes(MIB) + os.urandom(200_000) + bytes(2 * MIB) + os.urandom(70_000))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options.split(), raw, image], check=True)
    with image.open("rb") as file:
        assert inspect_image(file, "qcow2", 64).virtual_size == -(-raw.stat().st_size // 512) * 512


def disc(mark: bytes, *, at: int = 16 * 2048 + 1, sectors: int = 17) -> io.BytesIO:
    content = bytearray(sectors * 2048)
    content[at : at + len(mark)] = mark
    return io.BytesIO(bytes(content))


@pytest.mark.parametrize("mark", [b"CD001", b"BEA01"], ids=["ISO 9660", "UDF"])
def test_discs_are_accepted(mark: bytes) -> None:
    assert inspect_image(disc(mark), "raw", 1, is_iso=True).size == 17 * 2048


@pytest.mark.parametrize(
    "file",
    [
        disc(b""),
        disc(b"CD001", at=16 * 2048),
        disc(b"CD001", at=1),
        disc(b"CD001", at=1, sectors=1),
        disc(b"QFI\xfb", at=0),
    ],
    ids=["zeros", "one byte before", "first sector", "too short", "qcow2"],
)
def test_what_is_no_disc_is_refused(file: io.BytesIO) -> None:
    with pytest.raises(InvalidInputError, match=r"no file system of a CD or DVD|looks like qcow2"):
        inspect_image(file, "raw", 1, is_iso=True)


@given(st.binary(max_size=4096), st.sampled_from(["qcow2", "raw"]))
def test_random_bytes_raise_only_our_error(data: bytes, image_format: str) -> None:
    with suppress(InvalidInputError):
        inspect(data, image_format)


@given(st.data())
def test_lying_headers_raise_only_our_error(data: st.DataObject) -> None:
    whole = bytearray(GOOD.build())
    for offset, byte in data.draw(st.lists(st.tuples(st.integers(4, 120), st.integers(0, 255)), max_size=8)):
        whole[offset] = byte
    whole = whole[: data.draw(st.sampled_from([len(whole), 5 * CLUSTER, CLUSTER, 104, 50]))]
    with suppress(InvalidInputError):
        assert 0 < inspect(bytes(whole)).virtual_size <= 65536 * MIB


TAR = (bytes(257) + b"ustar\x0000").ljust(1024, b"\0")


@pytest.mark.parametrize(
    ("content", "form"),
    [(TAR, "tar"), (b"\x1f\x8b".ljust(20, b"\0"), "tar"), (b"hsqs".ljust(96, b"\0"), "squashfs")],
)
def test_files_of_containers(content: bytes, form: str) -> None:
    assert inspect_image(io.BytesIO(content), form, 64) == Inspection(len(content), len(content))


@pytest.mark.parametrize(
    ("content", "form", "told"),
    [
        (GOOD.build(), "tar", "it was declared to be tar, but is not; it looks like qcow2"),
        (TAR, "squashfs", "it was declared to be squashfs, but is not; it looks like tar"),
        (bytes(1024), "tar", "it was declared to be tar, but is not"),
        (b"", "tar", "it was declared to be tar, but is not"),
        (b"hsqs".ljust(512, b"\0"), "raw", "it was declared to be raw, but looks like squashfs"),
    ],
)
def test_what_are_no_files_of_containers(content: bytes, form: str, told: str) -> None:
    with pytest.raises(HostileImageError) as caught:
        inspect_image(io.BytesIO(content), form, 64)
    assert told in str(caught.value)


def test_files_of_containers_have_a_limit() -> None:
    with pytest.raises(HostileImageError, match="more than the 1 MiB allowed"):
        inspect_image(io.BytesIO(TAR.ljust(MIB + 512, b"\0")), "tar", 1)
