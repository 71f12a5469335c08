# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage node's root: Debian with its own kernel, the roles' packages, ZFS, and the servers of every pool type.

A file system in a qcow2, made without loop devices; kernel and initramfs next to it, for QEMU to boot directly.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .content_hash import hash_inputs, read_lines
from .locking import only_one
from .names import CACHE_DIRECTORY, LAB_DIRECTORY, SUITE
from .processes import LabError, run
from .progress import say, step

RECIPE = LAB_DIRECTORY / "images" / "storage-node"
PACKAGE_LISTS = (
    LAB_DIRECTORY / "images" / "bare" / "packages.txt",
    LAB_DIRECTORY / "node-packages.txt",
    RECIPE / "packages.txt",
)
IMAGES = CACHE_DIRECTORY / "storage-node"
ROOT_SIZE = "8G"


@dataclass(frozen=True)
class Image:
    """What QEMU boots from. It is never written to: each node's root is an overlay."""

    directory: Path

    @property
    def root(self) -> Path:
        return self.directory / "root.qcow2"

    @property
    def kernel(self) -> Path:
        return self.directory / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        return self.directory / "initrd.img"

    @property
    def exists(self) -> bool:
        return self.directory.is_dir()


def current_image() -> Image:
    """The image of just these inputs, built or not. Its directory is named for them."""
    return Image(IMAGES / hash_inputs([RECIPE, *PACKAGE_LISTS], SUITE, ROOT_SIZE)[:16])


def ensure_image() -> Image:
    """Build the image unless it is there."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    image = current_image()
    with only_one(IMAGES):
        if image.exists:
            return image
        for left in IMAGES.glob("building-*"):
            shutil.rmtree(left)  # of a build that was killed
        remove_unused()
        with tempfile.TemporaryDirectory(dir=IMAGES, prefix="building-") as name:
            work = Path(name)
            (work / "image").mkdir()
            build(work, Image(work / "image"))
            (work / "image").rename(image.directory)  # all of it, or nothing
    say(f"Storage node's image: {image.directory}")
    return image


def build(work: Path, image: Image) -> None:
    tarball, root, raw = work / "root.tar", work / "root", work / "root.raw"
    packages = [package for file in PACKAGE_LISTS for package in read_lines(file)]
    with step(f"Bootstrap Debian {SUITE} with kernel, ZFS and storage servers (10 minutes, once)"):
        run([
            "mmdebstrap", "--variant=minbase", "--components=main,contrib", f"--include={','.join(packages)}",
            f'--customize-hook=cp -R --no-target-directory {RECIPE / "files"} "$1"',
            f"--customize-hook={RECIPE / 'build-zfs'}",
            f"--customize-hook={RECIPE / 'configure'}",
            SUITE, tarball,
        ], timeout_s=3600)  # fmt: skip
    with step("Make a disk of it"):
        root.mkdir()
        run(["tar", "--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-f", tarball, "-C", root])
        tarball.unlink()
        for pattern, kept in (("vmlinuz-*", image.kernel), ("initrd.img-*", image.initramfs)):
            found = sorted((root / "boot").glob(pattern))
            if len(found) != 1:
                raise LabError(f"The image has {len(found)} files boot/{pattern}, where one is expected")
            shutil.copyfile(found[0], kept)
        run(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1", "-L", "root", "-d", root, raw, ROOT_SIZE])
        run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image.root])


def remove_unused() -> None:
    """Images of other inputs, unless a node of another working tree runs from one."""
    opened = set()
    for file in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # the process has ended, or is none of ours
            opened.add(file.readlink())
    for directory in IMAGES.iterdir():
        if Image(directory).root not in opened:
            shutil.rmtree(directory)
