# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the replacement of a drive: which set has it, which disk comes instead, and the steps in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..._model.drives import (
    BY_ID,
    Disk,
    Member,
    Seen,
    VolumeGroup,
    Zpool,
    show_bytes,
)
from ..._model.errors import Problem
from ..._model.plan import Step
from .choice import find_mismatch, find_obstacle
from .plan import find_members
from .spec import DiskSet

# What LVM keeps for itself at the beginning of a disk, generously.
_LVM_HEADER_BYTES = 4 * 1024**2
_READABLE = ("ONLINE", "DEGRADED")
_SOUND = "No known data errors"


@dataclass(frozen=True, kw_only=True)
class Drive:
    """What was asked for: by serial number, path, or the identifier that LVM or ZFS gives to a missing disk."""

    drive: str
    replacement: str | None = None


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """steps is empty if it has been done. new: the disk that comes instead. loses: what cannot be saved."""

    name: str | None = None
    new: Disk | None = None
    steps: tuple[Step, ...] = ()
    loses: tuple[str, ...] = ()
    refusals: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_replacement(asked: Drive, wants: Sequence[DiskSet], seen: Seen, node: str) -> Replacement:
    """Return how a drive is replaced. A replacement that was interrupted is gone on with."""
    for want in wants:
        pool = seen.zpool(want.name) if want.use == "zfs" else None
        if pool and any(_is_meant(asked.drive, member, seen) for member in pool.leaving):
            return Replacement(name=want.name, steps=(_wait(pool),))
    found = [
        (want, member) for want in wants for member in find_members(want, seen) if _is_meant(asked.drive, member, seen)
    ]
    if not found:
        return _plan_nothing(asked, wants, seen, node)
    if len(found) > 1:
        names = ", ".join(f"{member.device} of {want.name}" for want, member in found)
        problem = f"several drives are meant by {asked.drive}: {names}"
        return _refuse(problem, "Name it by its path in /dev/disk/by-id.", node)
    want, old = found[0]
    if want.use == "ceph":
        problem = f"{asked.drive} carries an OSD of Ceph, of the disks {want.name}"
        return _refuse(problem, "Replace it with the playbook for OSDs, which looks after Ceph's health.", node, want)
    group, pool = seen.volume_group(want.name), seen.zpool(want.name)
    if want.use == "zfs":
        return _plan_zfs(asked, want, old, pool, seen, node) if pool else Replacement()
    return _plan_lvm(asked, want, old, group, seen, node) if group else Replacement()


def _plan_nothing(asked: Drive, wants: Sequence[DiskSet], seen: Seen, node: str) -> Replacement:
    """The drive is in no set: right only if the disk that was to come instead is there."""
    members = [(want, member) for want in wants for member in find_members(want, seen)]
    if asked.replacement is not None:
        for want, member in members:
            if _is_meant(asked.replacement, member, seen):
                return Replacement(name=want.name)
    lines = [f"no disk of a declared set is {asked.drive}"]
    lines += [f"    {want.name}: {_show(member, seen)}" for want, member in members]
    return _refuse("\n".join(lines), "\n  Name a drive by its serial number, its path, or what is shown here.", node)


def _plan_lvm(asked: Drive, want: DiskSet, old: Member, group: VolumeGroup, seen: Seen, node: str) -> Replacement:
    missing = [member for member in group.members if member.is_missing]
    if missing and (len(missing) > 1 or not old.is_missing):
        problem = f"the volume group {want.name} misses {len(missing)} disk{'s' if len(missing) > 1 else ''}"
        remedy = "Replace the missing disk first." if len(missing) == 1 else "Bring back all but one of them first."
        return _refuse(problem, remedy, node, want)
    begun = [
        disk
        for member in group.members
        if member != old and (disk := seen.disk(member.disk)) and _was_taken(asked, disk, want, seen)
    ]
    new, reason = (begun[0], "") if begun else _choose(asked, want, seen)
    if new is None:
        return _refuse(reason, "", node, want)
    room = (new.size_bytes - _LVM_HEADER_BYTES) // group.extent_bytes * group.extent_bytes
    if not old.is_missing and room < old.used_bytes:
        problem = f"{show_bytes(old.used_bytes)} are in use on {_show(old, seen)}, and {new.label} has less room"
        return _refuse(problem, "Use a larger disk.", node, want)
    steps = []
    loses: tuple[str, ...] = ()
    extend = Step("extend", f"add {new.label} to the volume group {want.name}", {"device": new.device})
    if old.is_missing:
        # Nothing can be added to a volume group that misses a disk.
        lost = ", ".join(group.partial)
        text = f"let the volume group {want.name} forget the missing disk {old.uuid}"
        text += f", and remove {lost}, which had parts on it" if lost else ""
        loses = tuple(f"the logical volume {want.name}/{name}" for name in group.partial)
        steps = [Step("forget", text, {"force": bool(loses)}), extend]
    else:
        steps = [] if begun else [extend]
        if old.used_bytes:
            text = f"move {show_bytes(old.used_bytes)} from {_show(old, seen)} to {new.label}"
            steps.append(Step("move", text, {"old": old.device, "new": new.path, "bytes": old.used_bytes}))
        steps.append(
            Step("reduce", f"take {_show(old, seen)} out of the volume group {want.name}", {"old": old.device})
        )
    return Replacement(
        name=want.name, new=new, steps=tuple(steps), loses=loses, warnings=tuple(_find_warnings(new, want, node))
    )


def _plan_zfs(asked: Drive, want: DiskSet, old: Member, pool: Zpool, seen: Seen, node: str) -> Replacement:
    if pool.health not in _READABLE:
        problem = f"the zpool {want.name} is {pool.health}: what was on the missing disks cannot be read any more"
        remedy = "Bring the disks back: cabling, power, controller. What is in the zpool is lost only if they are."
        return _refuse(problem, remedy, node, want)
    new, reason = _choose(asked, want, seen)
    if new is None:
        return _refuse(reason, "", node, want)
    around = [disk for member in pool.members if (disk := seen.disk(member.disk))]
    before = seen.disk(old.disk)
    needed = before.size_bytes if before else min((disk.size_bytes for disk in around), default=0)
    if new.size_bytes < needed:
        problem = f"{new.label} is smaller than the {show_bytes(needed)} that it has to replace"
        return _refuse(problem, "Use a disk of at least that size.", node, want)
    text = f"replace {_show(old, seen)} in the zpool {want.name} with {new.label}"
    steps = (Step("replace", text, {"old": old.uuid, "new": new.device}), _wait(pool))
    return Replacement(name=want.name, new=new, steps=steps, warnings=tuple(_find_warnings(new, want, node)))


def find_zpool_damage(pool: Zpool) -> str | None:
    """Return what zpool status says of lost data, or None."""
    return None if pool.errors == _SOUND else pool.errors


def _wait(pool: Zpool) -> Step:
    return Step("wait", f"wait until the zpool {pool.name} has copied what the new disk needs", {})


def _choose(asked: Drive, want: DiskSet, seen: Seen) -> tuple[Disk | None, str]:
    """Return (the disk that comes instead, ""), or (None, why there is none). Nothing is ever wiped here."""
    strict = replace(want, wipe=False)
    taking = seen.takings.get(want.name, ())
    fitting = []
    passed = []
    for disk in seen.disks:
        mismatch = None if asked.replacement else find_mismatch(disk, want.match)
        if asked.replacement and not _names(asked.replacement, disk):
            mismatch = f"is not {asked.replacement}"
        reason = mismatch or find_obstacle(disk, strict, (), taking)
        if reason is None:
            fitting.append(disk)
        else:
            passed.append(f"    passed over: {disk.label} {reason}")
    if len(fitting) == 1:
        return fitting[0], ""
    lines = [f"{len(fitting) or 'no'} disks can come instead, and exactly one is needed"]
    lines += [f"    can be taken: {disk.label}" for disk in fitting]
    lines += passed
    lines.append("  Name one with replacement, by its serial number or path; it has to be empty.")
    return None, "\n".join(lines)


def _find_warnings(new: Disk, want: DiskSet, node: str) -> Iterator[str]:
    mismatch = find_mismatch(new, want.match)
    if mismatch:
        yield f"{node}: disks {want.name}: the filter does not fit {new.label}, which was named: it {mismatch}"


def _was_taken(asked: Drive, disk: Disk, want: DiskSet, seen: Seen) -> bool:
    """Tell whether the disk is the one that an interrupted run has added already."""
    if asked.replacement is not None:
        return _names(asked.replacement, disk)
    return disk.identity.is_certain and disk.identity in seen.takings.get(want.name, ())


def _is_meant(word: str, member: Member, seen: Seen) -> bool:
    disk = seen.disk(member.disk)
    if disk is not None:
        return _names(word, disk)
    # A disk that is gone: what LVM and ZFS remember of it. The links of /dev/disk/by-id end with the serial number.
    device = member.device.removesuffix("-part1")
    by_serial = device.startswith(BY_ID) and device.endswith((f"_{word}", f"-{word}"))
    return word in (member.uuid, member.device, device) or by_serial


def _names(word: str, disk: Disk) -> bool:
    return word in (disk.serial, disk.wwn, disk.path, *disk.links)


def _show(member: Member, seen: Seen) -> str:
    disk = seen.disk(member.disk)
    return disk.label if disk else f"{member.device} (missing, {member.uuid})"


def _refuse(what: str, remedy: str, node: str, want: DiskSet | None = None) -> Replacement:
    return Replacement(refusals=(Problem(what, remedy, node, f"disks {want.name}" if want else None),))
