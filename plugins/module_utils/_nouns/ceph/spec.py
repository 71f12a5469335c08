# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment's own Ceph: its pools and the disks of its OSDs, as the document declares them."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from ..._fields.field import Field, Table
from ..._model.mistake import shown
from ..pool.source import check_word

# Names of kernel devices (sda) move between boots, those below /dev/disk and of volume groups do not.
_DEVICE = re.compile(r"/dev/(disk/by-(id|path|partuuid|partlabel)/[A-Za-z0-9._:+-]+|[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)")
_FILE = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._-]*){2,}")
_MIN_OSD_MIB = 1024
# No file of ext4 is larger.
_MAX_OSD_MIB = 16 * 1024**2
# Any fixed value; the name of the deployment makes the difference.
_NAMESPACE = uuid.UUID("6d0f9ee2-3a7c-5a43-9b52-5c8a3a1c6f52")


def check_device(value: str) -> str | None:
    if _DEVICE.fullmatch(value) and ".." not in value:
        return None
    return (
        f"{shown(value)} is no lasting name of a disk; write one such as /dev/disk/by-id/wwn-0x5000c500a1b2c3d4, "
        "as /dev/sda may be another disk after the next boot"
    )


def check_file(value: str) -> str | None:
    if _FILE.fullmatch(value) and ".." not in value:
        return None
    return f"{shown(value)} is not the path of a file; write one such as /var/lib/pextra/ceph/osd.img"


OSD: Table = {
    "device": Field(
        kind="str", check=check_device, help="The disk, by a name that lasts, such as V(/dev/disk/by-id/...)."
    ),
    "file": Field(kind="str", check=check_file, help="A file instead of a disk, for tests: it is slow."),
    "size": Field(kind="size", minimum=_MIN_OSD_MIB, maximum=_MAX_OSD_MIB, help="The size of the file."),
}

POOL: Table = {
    "name": Field(kind="str", required=True, check=check_word, help="The name of the pool in Ceph."),
    "copies": Field(
        kind="int",
        default=3,
        minimum=2,
        maximum=10,
        help="How many hosts each object is kept on.",
    ),
    "min_copies": Field(
        kind="int",
        minimum=1,
        maximum=10,
        help="With fewer copies than these within reach the pool stands still, rather than to write what could be "
        "lost. More than half of O(copies) unless given.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class CephPool:
    name: str
    copies: int = 3
    min_copies: int | None = None

    @property
    def least_copies(self) -> int:
        """V(2) for 3 copies, as for 2: the last copy alone is no base for writing."""
        return self.min_copies or self.copies // 2 + 1

    @property
    def client(self) -> str:
        """The user of Ceph that may use this pool and no other."""
        return f"pextra-{self.name}"


@dataclass(frozen=True, kw_only=True)
class Osd:
    """size: MiB, for a file."""

    device: str | None = None
    file: str | None = None
    size: int | None = None

    @property
    def path(self) -> str:
        return self.device or self.file or ""


def fsid_of(deployment: str) -> str:
    """Return the identifier of a deployment's Ceph: it follows from the name, so that every run finds the same."""
    return str(uuid.uuid5(_NAMESPACE, deployment))
