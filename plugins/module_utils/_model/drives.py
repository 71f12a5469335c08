# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is on a node: its disks, volume groups and zpools. Read by _disk_host, judged by the planners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# What links to a disk are worth, the best first: they have to say which disk it is when it moves to another port.
_LINKS = ("nvme-", "ata-", "scsi-", "virtio-", "wwn-")
BY_ID = "/dev/disk/by-id/"


@dataclass(frozen=True)
class Content:
    """A signature: what wipefs calls it, and the device it is on (the disk or one of its partitions)."""

    kind: str
    device: str

    def __str__(self) -> str:
        return f"{self.kind} on {self.device}"


@dataclass(frozen=True)
class Identity:
    """What tells one disk from another across boots and ports."""

    serial: str | None
    wwn: str | None
    size_bytes: int

    @property
    def is_certain(self) -> bool:
        return bool(self.serial or self.wwn)


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A whole disk.

    path: as the kernel calls it today. links: its other paths. kind, transport: as lsblk calls them.
    contents: the signatures on it and on its partitions. uses: what uses it now, each a clause.
    volume_group: the one that it, or a partition of it, belongs to; empty for an LVM disk without a group.
    is_osd: whether an OSD of Ceph is on it.
    """

    path: str
    size_bytes: int
    rotational: bool = False
    links: tuple[str, ...] = ()
    model: str | None = None
    serial: str | None = None
    wwn: str | None = None
    kind: str = "disk"
    transport: str | None = None
    is_removable: bool = False
    is_read_only: bool = False
    partitions: tuple[str, ...] = ()
    contents: tuple[Content, ...] = ()
    uses: tuple[str, ...] = ()
    volume_group: str | None = None
    is_osd: bool = False

    @property
    def device(self) -> str:
        """The path that stays with the disk, if there is one."""
        for prefix in _LINKS:
            found = sorted(link for link in self.links if link.startswith(BY_ID + prefix))
            if found:
                return found[0]
        return self.path

    @property
    def identity(self) -> Identity:
        return Identity(self.serial, self.wwn, self.size_bytes)

    @property
    def label(self) -> str:
        """The disk as a person finds it: path, size, model, serial."""
        known = [show_bytes(self.size_bytes), self.model, f"serial {self.serial}" if self.serial else None]
        return f"{self.path} ({', '.join(part for part in known if part)})"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A disk's place in a volume group or zpool.

    device: as LVM or ZFS calls it. disk: the path of the whole disk, None if it is not there.
    used_bytes: of a physical volume. state: of a zpool's device.
    """

    device: str
    disk: str | None = None
    uuid: str | None = None
    is_missing: bool = False
    used_bytes: int = 0
    state: str = "ONLINE"


@dataclass(frozen=True, kw_only=True)
class VolumeGroup:
    """is_ours: whether it bears our tag. partial: its logical volumes that have lost a part. extent_bytes: its unit."""

    name: str
    is_ours: bool
    members: tuple[Member, ...] = ()
    extent_bytes: int = 4 * 1024**2
    partial: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vdev:
    """A top level part of a zpool: `disk` for a single one, else `mirror`, `raidz1` and so on."""

    kind: str
    members: tuple[Member, ...]


@dataclass(frozen=True, kw_only=True)
class Zpool:
    """is_ours: whether its root dataset bears our property. vdevs: those that hold data.

    leaving: disks that are being replaced, with those that come instead. scan, errors: what zpool status says.
    """

    name: str
    is_ours: bool
    health: str = "ONLINE"
    vdevs: tuple[Vdev, ...] = ()
    leaving: tuple[Member, ...] = ()
    scan: str = ""
    errors: str = ""

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(member for vdev in self.vdevs for member in vdev.members)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """takings: the disks that a run was about to take when it was last heard of, by set."""

    disks: tuple[Disk, ...] = ()
    volume_groups: tuple[VolumeGroup, ...] = ()
    zpools: tuple[Zpool, ...] = ()
    takings: Mapping[str, tuple[Identity, ...]] = field(default_factory=dict)

    def disk(self, path: str | None) -> Disk | None:
        return next((disk for disk in self.disks if disk.path == path), None)

    def volume_group(self, name: str) -> VolumeGroup | None:
        return next((group for group in self.volume_groups if group.name == name), None)

    def zpool(self, name: str) -> Zpool | None:
        return next((pool for pool in self.zpools if pool.name == name), None)


def show_bytes(size: int) -> str:
    """Return a size as a person would say it."""
    for unit, factor in (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2)):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"
