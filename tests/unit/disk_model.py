# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks and sets of them for tests."""

from __future__ import annotations

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.drives import (
    Content,
    Disk,
    Member,
    Vdev,
    VolumeGroup,
    Zpool,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.spec import DiskSet, parse_disk_sets

GIB = 1024**3


def disk(letter: str, **values: Any) -> Disk:
    """An empty disk of 10 GiB, /dev/vdX, with the serial X."""
    path = f"/dev/vd{letter}"
    given = {"size_bytes": 10 * GIB, "serial": letter.upper(), "links": (f"/dev/disk/by-id/virtio-{letter.upper()}",)}
    return Disk(**{"path": path, "transport": "virtio", **given, **values})


def by_id(letter: str) -> str:
    return f"/dev/disk/by-id/virtio-{letter.upper()}"


def holding(kind: str, letter: str, partition: str = "") -> tuple[Content, ...]:
    return (Content(kind, f"/dev/vd{letter}{partition}"),)


def member(letter: str, **values: Any) -> Member:
    return Member(**{"device": f"/dev/vd{letter}", "disk": f"/dev/vd{letter}", "uuid": f"uuid-{letter}", **values})


def group(name: str, letters: str, **values: Any) -> VolumeGroup:
    members = tuple(member(letter) for letter in letters)
    return VolumeGroup(**{"name": name, "is_ours": True, "members": members, **values})


def zpool(name: str, *vdevs: tuple[str, str], **values: Any) -> Zpool:
    """vdevs: (kind, letters of its disks)."""
    made = tuple(Vdev(kind, tuple(member(letter) for letter in letters)) for kind, letters in vdevs)
    return Zpool(**{"name": name, "is_ours": True, "vdevs": made, **values})


def want(**values: Any) -> DiskSet:
    raw = {"name": "vg0", "use": "lvm", "match": {"path": "/dev/vd*"}, "count": 1, **values}
    (made,), mistakes = parse_disk_sets([raw], "pextra_disks")
    assert mistakes == []
    return made
