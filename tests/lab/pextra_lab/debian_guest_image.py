# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian guest's disk image: cloud kernel, cloud-init and guest agent, for tests of what the tiny guest has not.

One disk with a FAT partition that syslinux boots, and a root that grows; made without loop devices.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from pathlib import Path

from .content_hash import hash_inputs, read_lines
from .locking import only_one
from .names import CACHE_DIRECTORY, LAB_DIRECTORY, SUITE
from .processes import LabError, run
from .progress import say, step

RECIPE = LAB_DIRECTORY / "debian-guest"
IMAGES = CACHE_DIRECTORY / "debian-guest"
MIB = 1024**2
BOOT_MIB = 64
ROOT_MIB = 1024

SYSLINUX_CONFIG = """\
SERIAL 0 115200
PROMPT 0
DEFAULT debian
LABEL debian
  LINUX vmlinuz
  INITRD initrd
  APPEND root=LABEL=root ro console=tty0 console=ttyS0,115200 mitigations=off no_timer_check panic=5
"""


def current_image() -> Path:
    """The image of just these inputs, built or not. Its directory is named for them."""
    return IMAGES / hash_inputs([RECIPE, Path(__file__)], SUITE)[:16] / "debian.qcow2"


def ensure_image() -> Path:
    """Build the image unless it is there."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    image = current_image()
    with only_one(IMAGES):
        if not image.exists():
            for left in IMAGES.iterdir():
                shutil.rmtree(left)  # of other inputs, or of a build that was killed
            with tempfile.TemporaryDirectory(dir=IMAGES, prefix="building-") as name:
                work = Path(name)
                (work / "image").mkdir()
                build(work, work / "image" / image.name)
                (work / "image").rename(image.parent)  # all of it, or nothing
            say(f"Debian guest's image: {image.stat().st_size / 1e6:.0f} MB, Debian {SUITE}")
    return image


def build(work: Path, image: Path) -> None:
    tarball, root, boot_part, root_part = (work / name for name in ("root.tar", "root", "boot.raw", "root.raw"))
    disk = work / "disk.raw"
    with step(f"Bootstrap Debian {SUITE} with cloud-init (3 minutes, once)"):
        run([
            "mmdebstrap", "--variant=minbase", f"--include={','.join(read_lines(RECIPE / 'packages.txt'))}",
            f'--customize-hook=cp -R --no-target-directory {RECIPE / "files"} "$1"',
            f"--customize-hook={RECIPE / 'configure'}",
            SUITE, tarball,
        ], timeout_s=3600)  # fmt: skip
    with step("Make a disk of it"):
        root.mkdir()
        run(["tar", "--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-f", tarball, "-C", root])
        tarball.unlink()
        build_boot_part(root, boot_part, work)
        run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, root_part, f"{ROOT_MIB}M"])
        write_partition_table(disk, (root / "usr/lib/syslinux/mbr/mbr.bin").read_bytes())
        for part, start in ((boot_part, 1), (root_part, 1 + BOOT_MIB)):
            run(["dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={start}", "conv=sparse,notrunc", "status=none"])
        run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", disk, image])


def build_boot_part(root: Path, part: Path, work: Path) -> None:
    config = work / "syslinux.cfg"
    config.write_text(SYSLINUX_CONFIG)
    with part.open("wb") as file:
        file.truncate(BOOT_MIB * MIB)
    # What is before the partition: syslinux adds it to what it reads.
    run(["mkfs.vfat", "-F", "16", "-n", "BOOT", "-h", str(MIB // 512), part])
    run(["syslinux", "--install", part])
    run(["mcopy", "-i", part, config, "::syslinux.cfg"])
    for pattern, name in (("vmlinuz-*", "vmlinuz"), ("initrd.img-*", "initrd")):
        found = sorted((root / "boot").glob(pattern))
        if len(found) != 1:
            raise LabError(f"The image has {len(found)} files boot/{pattern}, where one is expected")
        run(["mcopy", "-i", part, found[0], f"::{name}"])
        found[0].unlink()


def write_partition_table(disk: Path, code: bytes) -> None:
    """A master boot record: the partition that boots, and the root, which comes last so that it can grow."""
    sectors = MIB // 512
    entries = b"".join(
        # Addresses by cylinder, head and sector are not used by anything that boots this.
        struct.pack("<B3sB3sII", flag, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start * sectors, size * sectors)
        for flag, kind, start, size in ((0x80, 0x0E, 1, BOOT_MIB), (0, 0x83, 1 + BOOT_MIB, ROOT_MIB))
    )
    with disk.open("wb") as file:
        file.write(code.ljust(440, b"\0")[:440] + b"pxtr\0\0" + entries + bytes(32) + b"\x55\xaa")
        file.truncate((1 + BOOT_MIB + ROOT_MIB) * MIB)
