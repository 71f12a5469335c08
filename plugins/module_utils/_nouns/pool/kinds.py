# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each type of storage pool can do with volumes: the one table that planners and doors go by. Pure.

Sources of the rules: libvirt 9.0, the backends in src/storage (which of createVol, buildVolFrom, resizeVol, uploadVol
each has); lvm(8), "Valid names"; zfs(8), zfsprops(7); librbd.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

# Ceph's messenger version 2: the version 1 has no encryption.
CEPH_PORT = 3300
ISCSI_PORT = 3260

# A tree is a directory with the files of a container, in a pool of files.
DiskKind = Literal["file", "block", "rbd", "unit", "tree"]
# Formats of images that are no disks, but the files of containers. Their copies are the same bytes everywhere.
TREE_FORMATS = ("tar", "squashfs")
Provisioning = Literal["thin", "thick"]


class PoolKind(NamedTuple):
    """disk: how an instance attaches a volume: a file, a block device of the node, an image of Ceph, or a unit (LUN)
    of a target, which libvirt finds by pool and name.

    place: where a volume is, for the fields of `volume_place`.
    formats: which formats volumes can have; the first is that of instances' volumes. Images keep theirs if it is one
    of them, and are converted to raw otherwise. Empty: libvirt makes no volumes there.
    clone: what mode overlay means: a qcow2 file upon the image's, a copy-on-write clone within Ceph, or None: only full
    copies are possible.
    copy: who makes a full copy: libvirt on the node; Ceph, by flattening a clone; or the coordinator, through whom
    every byte passes.
    fill: how the coordinator writes into a volume: as a stream of libvirt's, or as a client of Ceph.
    grows: whether a volume can get another size. One that cannot may be larger than asked for: a logical volume is
    made of whole extents.
    provisioning: whether blocks that were never written take no space; the first is what is usual.
    is_blank: whether what was never written reads as zeros: a logical volume shows what was there before.
    """

    disk: DiskKind
    place: str
    formats: tuple[str, ...] = ("raw",)
    clone: Literal["file", "ceph"] | None = None
    copy: Literal["libvirt", "ceph", "coordinator"] = "libvirt"
    fill: Literal["stream", "ceph"] = "stream"
    grows: bool = True
    provisioning: tuple[Provisioning, ...] = ("thin",)
    is_blank: bool = True

    @property
    def is_thin(self) -> bool:
        return self.provisioning[0] == "thin"


_BOTH: tuple[Provisioning, ...] = ("thin", "thick")
_THICK: tuple[Provisioning, ...] = ("thick",)
_FILES = PoolKind(disk="file", place="{path}/{volume}", formats=("qcow2", "raw"), clone="file", provisioning=_BOTH)
KINDS: Mapping[str, PoolKind] = {
    "directory": _FILES,
    "netfs": _FILES,
    "rbd": PoolKind(disk="rbd", place="{ceph_pool}/{volume}", clone="ceph", copy="ceph", fill="ceph"),
    "lvm": PoolKind(disk="block", place="/dev/{name}/{volume}", grows=False, provisioning=_THICK, is_blank=False),
    "zfs": PoolKind(
        disk="block", place="/dev/zvol/{name}/{volume}", copy="coordinator", grows=False, provisioning=_BOTH
    ),
    "iscsi": PoolKind(
        disk="unit", place="{name}/{volume}", formats=(), grows=False, provisioning=_THICK, is_blank=False
    ),
}


def volume_format(pool_type: str) -> str:
    """Return the format of instances' volumes in a pool of a type."""
    formats = KINDS[pool_type].formats
    return formats[0] if formats else "raw"


def image_format(pool_type: str, own_format: str) -> str:
    """Return the format of an image's copy in a pool of a type; own_format is that of its file."""
    return own_format if own_format in KINDS[pool_type].formats else "raw"


def root_mode(pool_type: str, declared: str | None) -> str:
    """Return how a root volume is made from an image: overlay or copy. declared: None where it was not said."""
    return declared or ("overlay" if KINDS[pool_type].clone is not None else "copy")


def volume_place(pool_type: str, pool_name: str, attributes: Mapping[str, Any], volume: str) -> str:
    """Return where a volume is, as `Disk.path` has it. attributes: the pool's in the registry; path, source."""
    ceph_pool = (attributes.get("source") or {}).get("pool", pool_name)
    path = attributes.get("path")
    return KINDS[pool_type].place.format(path=path, name=pool_name, ceph_pool=ceph_pool, volume=volume)


_LVM_RESERVED = re.compile(
    "_(cdata|cmeta|corig|cpool|cvol|imeta|iorig|mimage|mlog|pmspare|rimage|rmeta|tdata|tmeta|tpool|vdata|vorigin|vpool|"
    "wcorig)"
)
_LVM_BEGINNINGS = ("pvmove", "snapshot")
_CHARACTERS = re.compile(r"[A-Za-z0-9][A-Za-z0-9+_.:-]*")
_LVM_LONGEST = 127
_ZFS_LONGEST = 255
_FILE_LONGEST = 255
# Of old, librbd's; newer ones take more, and the kernel's client does not.
_CEPH_LONGEST = 96


def find_name_problem(pool_type: str, pool_name: str, volume: str) -> str | None:
    """Return why a volume of a pool cannot have a name, None if it can."""
    if KINDS[pool_type].disk == "unit":
        return None if _UNIT.fullmatch(volume) else "units are named like unit:0:0:1"
    if not _CHARACTERS.fullmatch(volume):
        return "it holds characters that storage has no place for"
    length, longest = len(volume), {"rbd": _CEPH_LONGEST}.get(pool_type, _FILE_LONGEST)
    if pool_type == "lvm":
        reserved = _LVM_RESERVED.search(volume)
        if reserved:
            return f'LVM keeps names with "{reserved.group()}" to itself'
        if volume.startswith(_LVM_BEGINNINGS):
            return f"LVM keeps names that begin with {' or '.join(_LVM_BEGINNINGS)} to itself"
        # The device mapper's name is the group's and the volume's with a dash between; dashes in them are doubled.
        length, longest = len(f"{pool_name}-{volume}") + f"{pool_name}{volume}".count("-"), _LVM_LONGEST
    elif pool_type == "zfs":
        length, longest = len(f"{pool_name}/{volume}"), _ZFS_LONGEST
    if length > longest:
        return f"it takes {length} characters there, and {longest} are possible"
    return None


# As libvirt names them: bus, target and LUN; without the host's number, so that it is the same on every node.
_UNIT = re.compile(r"unit:[0-9]{1,5}:[0-9]{1,5}:[0-9]{1,5}")
