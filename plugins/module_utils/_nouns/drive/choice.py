# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disks of a node may be taken, and why the others are passed over."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

from ..._model.drives import Disk, Identity, show_bytes
from ..._model.sizes import show_size
from .spec import DiskSet, Match

_MIB = 1024**2
# Disks of elsewhere: others may use them too, and what they hold is not this node's.
_NETWORKED = {"iscsi": "iSCSI", "fc": "Fibre Channel", "fcoe": "Fibre Channel", "tcp": "NVMe over TCP", "rdma": "RDMA"}
_UNFIT = {**_NETWORKED, "usb": "USB", "sbp": "FireWire"}
# What LVM and ZFS write before a volume group or zpool is there, if they are interrupted.
_UNFINISHED = {"LVM2_member", "gpt", "PMBR"}


def find_mismatch(disk: Disk, match: Match) -> str | None:
    """Return how the disk differs from what is asked for, or None."""
    if match.min_mib is not None and disk.size_bytes < match.min_mib * _MIB:
        return f"has {show_bytes(disk.size_bytes)}, less than {show_size(match.min_mib)}"
    if match.max_mib is not None and disk.size_bytes > match.max_mib * _MIB:
        return f"has {show_bytes(disk.size_bytes)}, more than {show_size(match.max_mib)}"
    if match.rotational is not None and match.rotational != disk.rotational:
        return "turns" if disk.rotational else "does not turn"
    for word, asked, found in (("model", match.model, disk.model), ("serial", match.serial, disk.serial)):
        if asked is not None and not fnmatchcase(found or "", asked):
            return f"its {word} is {found or 'not known'}"
    if match.path is not None and not any(fnmatchcase(path, match.path) for path in (disk.path, *disk.links)):
        return f"none of its paths is {match.path}"
    return None


def find_obstacle(disk: Disk, disks: DiskSet, others: Collection[str], taking: Collection[Identity]) -> str | None:
    """Return why a disk that matches must not be taken, or None.

    others: the names of the other sets of the node. taking: what an interrupted run was about to take for this set.
    """
    if disk.kind != "disk":
        return f"is no disk but {disk.kind}"
    if disk.transport in _UNFIT:
        return f"is connected by {_UNFIT[disk.transport]}, so it is not the node's own"
    if disk.is_removable:
        return "is removable"
    if disk.is_read_only:
        return "is read-only"
    if disk.uses:
        return f"is in use: {', '.join(disk.uses)}"
    if disk.volume_group and (disk.volume_group in others or not disks.wipe):
        return f"belongs to the volume group {disk.volume_group}"
    if disk.contents and not disks.wipe and not is_unfinished(disk, taking):
        return f"is not empty: {', '.join(str(content) for content in disk.contents)}"
    return None


def is_unfinished(disk: Disk, taking: Collection[Identity]) -> bool:
    """Tell whether all that the disk holds is what a run of ours left that was interrupted while it took it."""
    return (
        disk.identity.is_certain
        and disk.identity in taking
        and not disk.volume_group
        and {content.kind for content in disk.contents} <= _UNFINISHED
        and not any(content.device in disk.partitions for content in disk.contents)
    )
