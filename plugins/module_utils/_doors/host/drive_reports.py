# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lsblk, wipefs, LVM and ZFS print, parsed. Text in, what it says out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._model.drives import (
    Content,
    Member,
    Vdev,
    VolumeGroup,
)

TAG = "pextra"
PROPERTY = "cloud.pextra:disks"

# Without the name lsblk 2.38 prints a flat list, in which nothing tells what is on top of what.
LSBLK_COLUMNS = "NAME,PATH,TYPE,SIZE,ROTA,RO,RM,MODEL,SERIAL,WWN,TRAN,MOUNTPOINTS"
# What lsblk lists beside disks; nobody means these.
_NO_DISKS = ("loop", "rom")
_NO_DISK_NAMES = ("/dev/zram", "/dev/ram", "/dev/fd")
# lsblk calls these disks too.
_VIRTUAL = {
    "/dev/zd": "a volume of a zpool",
    "/dev/rbd": "an image of Ceph",
    "/dev/nbd": "a network block device",
    "/dev/drbd": "a DRBD device",
}

FindDisk = Callable[[str], str | None]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A disk of lsblk, with what is on top of it. values: its own columns."""

    path: str
    kind: str
    values: Mapping[str, Any]
    partitions: tuple[str, ...]
    uses: tuple[str, ...]


def parse_lsblk(text: str) -> list[Block]:
    """Parse `lsblk --json --bytes --paths --output LSBLK_COLUMNS`."""
    blocks = []
    for device in json.loads(text)["blockdevices"]:
        path = device["path"]
        if device["type"] in _NO_DISKS or path.startswith(_NO_DISK_NAMES) or not device["size"]:
            continue
        kind = next((what for prefix, what in _VIRTUAL.items() if path.startswith(prefix)), device["type"])
        partitions = tuple(child["path"] for child in device.get("children", ()) if child["type"] == "part")
        uses = tuple(dict.fromkeys(_find_uses(device)))
        blocks.append(Block(path=path, kind=kind, values=device, partitions=partitions, uses=uses))
    return blocks


def _find_uses(device: Mapping[str, Any]) -> Iterator[str]:
    for mount in device.get("mountpoints") or ():
        if mount:
            yield f"{device['path']} is swap" if mount == "[SWAP]" else f"{device['path']} is mounted at {mount}"
    for child in device.get("children", ()):
        if child["type"] != "part":
            yield f"{device['path']} is part of {child['path']} ({child['type']})"
        yield from _find_uses(child)


def parse_wipefs(text: str) -> tuple[Content, ...]:
    """Parse `wipefs --json --output DEVICE,TYPE`; it prints nothing where there is nothing. Repetitions are one."""
    found = json.loads(text)["signatures"] if text.strip() else []
    names = [(entry["type"], entry["device"]) for entry in found]
    return tuple(Content(kind, name if name.startswith("/") else f"/dev/{name}") for kind, name in dict.fromkeys(names))


def parse_rows(text: str) -> list[dict[str, str]]:
    """Parse the single report of pvs, vgs or lvs with `--reportformat json`."""
    (report,) = json.loads(text)["report"]
    (rows,) = report.values()
    return list(rows)


def make_volume_groups(
    groups: Sequence[Mapping[str, str]],
    physical: Sequence[Mapping[str, str]],
    logical: Sequence[Mapping[str, str]],
    find_disk: FindDisk,
) -> tuple[VolumeGroup, ...]:
    """Make volume groups of the rows of vgs, pvs and lvs. find_disk: the whole disk of a device."""
    return tuple(
        VolumeGroup(
            name=group["vg_name"],
            is_ours=TAG in group["vg_tags"].split(","),
            extent_bytes=int(group["vg_extent_size"]),
            members=tuple(
                Member(
                    device=row["pv_name"],
                    disk=None if row["pv_missing"] else find_disk(row["pv_name"]),
                    uuid=row["pv_uuid"],
                    is_missing=bool(row["pv_missing"]),
                    used_bytes=int(row["pv_used"]),
                )
                for row in physical
                if row["vg_name"] == group["vg_name"]
            ),
            partial=tuple(
                row["lv_name"]
                for row in logical
                if row["vg_name"] == group["vg_name"] and row["lv_health_status"] == "partial"
            ),
        )
        for group in groups
    )


@dataclass(frozen=True, kw_only=True)
class PoolStatus:
    """A zpool as zpool status shows it."""

    health: str
    vdevs: tuple[Vdev, ...]
    leaving: tuple[Member, ...]
    scan: str
    errors: str


def parse_zpool_status(text: str, find_disk: FindDisk) -> dict[str, PoolStatus]:
    """Parse `zpool status -P` of any number of pools: sections of `key: value`, and a tree by indentation."""
    pools = {}
    for section in text.split("  pool: ")[1:]:
        name, *lines = section.splitlines()
        values: dict[str, str] = {}
        tree: list[tuple[int, list[str]]] = []
        key = ""
        for line in lines:
            head, colon, value = line.partition(":")
            if line.startswith("\t"):
                body = line[1:]
                words = body.split()
                if key == "config" and words:
                    tree.append(((len(body) - len(body.lstrip(" "))) // 2, words))
                elif words:
                    values[key] = f"{values[key]} {' '.join(words)}"
            elif colon and head.strip():
                key = head.strip()
                values[key] = value.strip()
            elif line.strip() and key:
                values[key] = f"{values[key]} {line.strip()}"
        data = _cut_data(name.strip(), tree)
        pools[name.strip()] = PoolStatus(
            health=values.get("state", ""),
            vdevs=tuple(_make_vdevs(data, find_disk)),
            leaving=tuple(_find_leaving(data, find_disk)),
            scan=values.get("scan", ""),
            errors=values.get("errors", ""),
        )
    return pools


def _cut_data(name: str, tree: Sequence[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return what is below the pool itself: neither logs, caches nor spares."""
    roots = [index for index, (depth, _) in enumerate(tree) if depth == 0]
    start = next(index for index in roots if tree[index][1][0] == name)
    end = next((index for index in roots if index > start), len(tree))
    return list(tree[start + 1 : end])


def _make_vdevs(tree: Sequence[tuple[int, list[str]]], find_disk: FindDisk) -> Iterator[Vdev]:
    tops = [index for index, (depth, _) in enumerate(tree) if depth == 1]
    for start, end in zip(tops, [*tops[1:], len(tree)], strict=True):
        words = tree[start][1]
        below = tree[start + 1 : end]
        is_group = words[0].startswith(("mirror-", "raidz", "draid"))
        kind = words[0].rpartition("-")[0] if is_group else "disk"
        entries = [*tree[start:end]] if not is_group else list(below)
        level = 1 if not is_group else 2
        yield Vdev(kind, tuple(_make_members(entries, level, find_disk)))


def _make_members(tree: Sequence[tuple[int, list[str]]], level: int, find_disk: FindDisk) -> Iterator[Member]:
    """A disk that is being replaced, or that a spare stands in for, is one member: the first that is there."""
    tops = [index for index, (depth, _) in enumerate(tree) if depth == level]
    for start, end in zip(tops, [*tops[1:], len(tree)], strict=True):
        leaves = [words for _, words in tree[start + 1 : end]] or [tree[start][1]]
        members = [_make_member(words, find_disk) for words in leaves]
        yield next((member for member in reversed(members) if not member.is_missing), members[0])


def _find_leaving(tree: Sequence[tuple[int, list[str]]], find_disk: FindDisk) -> Iterator[Member]:
    """Yield the disks below every `replacing`."""
    for index, (depth, words) in enumerate(tree):
        if words[0].startswith("replacing-"):
            for below, leaf in tree[index + 1 :]:
                if below <= depth:
                    break
                yield _make_member(leaf, find_disk)


def _make_member(words: Sequence[str], find_disk: FindDisk) -> Member:
    name, state = words[0], words[1]
    if "was" in words:
        name = words[words.index("was") + 1]
    disk = find_disk(name)
    return Member(
        device=name,
        disk=disk,
        uuid=words[0],
        is_missing=disk is None or state in ("UNAVAIL", "REMOVED"),
        state=state,
    )
