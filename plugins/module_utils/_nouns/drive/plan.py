# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which disks become part of which volume group or zpool: declared sets and what there is in, steps out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..._model.drives import (
    Disk,
    Member,
    Seen,
    Vdev,
    VolumeGroup,
    Zpool,
)
from ..._model.errors import Problem
from ..._model.plan import Step
from .choice import find_mismatch, find_obstacle, is_unfinished
from .spec import MIRROR_WIDTH, DiskSet

_WORDS = {"lvm": "volume group", "zfs": "zpool", "ceph": "Ceph"}
_VDEVS = {"stripe": "disk", "mirror": "mirror", "raidz": "raidz1"}


@dataclass(frozen=True, kw_only=True)
class SetPlan:
    """What is to be done for one set.

    members: devices that it has. taken: disks that it gets. loses: what is destroyed by that.
    """

    disks: DiskSet
    members: tuple[str, ...] = ()
    taken: tuple[Disk, ...] = ()
    steps: tuple[Step, ...] = ()
    loses: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        return (*self.members, *(disk.device for disk in self.taken))

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.disks.name,
            "use": self.disks.use,
            "devices": list(self.devices),
            "taken": [disk.device for disk in self.taken],
        }


@dataclass(frozen=True, kw_only=True)
class DiskPlan:
    """refusals stop everything before anything is touched."""

    sets: tuple[SetPlan, ...] = ()
    refusals: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for plan in self.sets for step in plan.steps)

    @property
    def diff(self) -> dict[str, str]:
        before = "".join(f"{plan.disks.name}: {device}\n" for plan in self.sets for device in plan.members)
        after = "".join(f"{plan.disks.name}: {device}\n" for plan in self.sets for device in plan.devices)
        return {"before": before, "after": after}


@dataclass(frozen=True)
class _Have:
    """What a set has already. problems: why nothing can be added to it, or it is not ours."""

    members: tuple[Member, ...] = ()
    exists: bool = False
    problems: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Choice:
    """The disks that may be taken for a set, and why each other one is passed over."""

    fitting: tuple[Disk, ...] = ()
    passed: Mapping[str, str] = field(default_factory=dict)


def plan_disks(wants: Sequence[DiskSet], seen: Seen, node: str) -> DiskPlan:
    """Return what has to be done so that every set has its disks; nothing if one of them cannot have them."""
    refusals: list[Problem] = []
    warnings: list[str] = []
    plans: list[SetPlan] = []
    haves = {want.name: _find_have(want, seen) for want in wants}
    held = {member.disk: name for name, have in haves.items() for member in have.members if member.disk}
    choices = {want.name: _choose(want, wants, seen, held) for want in wants}
    short = [want for want in wants if want.count > len(haves[want.name].members)]
    for want in wants:
        have, choice = haves[want.name], choices[want.name]
        problems = [*have.problems]
        problems += _find_count_problems(want, have, choice, short, choices)
        refusals += [Problem(what, remedy, node, f"disks {want.name}") for what, remedy in problems]
        warnings += [f"{node}: disks {want.name}: {text}" for text in have.warnings]
        if want.count == len(have.members) and choice.fitting:
            spare = ", ".join(disk.label for disk in choice.fitting)
            warnings.append(f"{node}: disks {want.name}: has all its disks; more would fit and are left alone: {spare}")
        plans.append(_plan_set(want, have, choice.fitting if want in short else (), seen))
    if refusals:
        return DiskPlan(refusals=tuple(refusals), warnings=tuple(warnings))
    return DiskPlan(sets=tuple(plans), warnings=tuple(warnings))


def describe_disk(disk: Disk) -> dict[str, Any]:
    """Return a disk in plain JSON types."""
    return {
        "path": disk.path,
        "device": disk.device,
        "links": list(disk.links),
        "size_bytes": disk.size_bytes,
        "rotational": disk.rotational,
        "model": disk.model,
        "serial": disk.serial,
        "transport": disk.transport,
        "contents": [str(content) for content in disk.contents],
        "uses": list(disk.uses),
        "volume_group": disk.volume_group or None,
        "is_osd": disk.is_osd,
    }


def find_members(want: DiskSet, seen: Seen) -> tuple[Member, ...]:
    """Return the disks that a set has."""
    return _find_have(want, seen).members


def _find_have(want: DiskSet, seen: Seen) -> _Have:
    if want.use == "ceph":
        osds = [disk for disk in seen.disks if disk.is_osd and find_mismatch(disk, want.match) is None]
        return _Have(tuple(Member(device=disk.device, disk=disk.path) for disk in osds), bool(osds))
    if want.use == "lvm":
        group = seen.volume_group(want.name)
        return _have_group(want, group) if group else _Have()
    pool = seen.zpool(want.name)
    return _have_zpool(want, pool) if pool else _Have()


def _have_group(want: DiskSet, group: VolumeGroup) -> _Have:
    if not group.is_ours:
        problem = f"there is a volume group {want.name} that was not made from this declaration"
        remedy = f"To hand it over as it is, run: vgchange --addtag pextra {want.name}. Or choose another name."
        return _Have(group.members, True, ((problem, remedy),))
    lost = [member.device for member in group.members if member.is_missing]
    text = f"the volume group misses {len(lost)} of its disks; replace it with playbooks/replace_drive.yml"
    problems: tuple[tuple[str, str], ...] = ()
    if lost and want.count > len(group.members):
        problems = (("no disk can be added while the volume group misses one", "Replace the missing disk first."),)
    return _Have(group.members, True, problems, (text,) if lost else ())


def _have_zpool(want: DiskSet, pool: Zpool) -> _Have:
    if not pool.is_ours:
        problem = f"there is a zpool {want.name} that was not made from this declaration"
        remedy = f"To hand it over as it is, run: zfs set cloud.pextra:disks={want.name} {want.name}. "
        return _Have(pool.members, True, ((problem, f"{remedy}Or choose another name."),))
    problems = []
    kind = _VDEVS[want.layout or "stripe"]
    unlike = [vdev for vdev in pool.vdevs if not _is_like(vdev, kind)]
    if unlike:
        found = ", ".join(f"{vdev.kind} of {len(vdev.members)}" for vdev in pool.vdevs)
        problem = f"the layout of a zpool cannot be changed: it is made of {found}, and {want.layout} is declared"
        problems.append((problem, "Declare the layout that it has, or a new set with another name."))
    missing = want.count - len(pool.members)
    width = len(pool.vdevs[0].members) if pool.vdevs else 1
    if not unlike and kind == "raidz1" and missing > 0 and missing % width:
        problem = f"raidz grows by as many disks as it was made of, and {missing} are not {width} or a multiple of it"
        problems.append((problem, f"Declare a count of {len(pool.members) + width}."))
    text = f"the zpool is {pool.health}; zpool status {want.name} says why"
    return _Have(pool.members, True, tuple(problems), () if pool.health == "ONLINE" else (text,))


def _is_like(vdev: Vdev, kind: str) -> bool:
    return vdev.kind == kind and (kind != "mirror" or len(vdev.members) == MIRROR_WIDTH)


def _choose(want: DiskSet, wants: Sequence[DiskSet], seen: Seen, held: Mapping[str, str]) -> _Choice:
    """held: disks that sets have, each with the set's name."""
    others = {other.name for other in wants if other.name != want.name}
    taking = seen.takings.get(want.name, ())
    fitting = []
    passed = {}
    for disk in seen.disks:
        holder = held.get(disk.path)
        if holder == want.name:
            continue
        reason = f"belongs to the disks {holder}" if holder else None
        reason = reason or find_mismatch(disk, want.match) or find_obstacle(disk, want, others, taking)
        if reason is None:
            fitting.append(disk)
        else:
            passed[disk.label] = reason
    return _Choice(tuple(fitting), passed)


def _find_count_problems(
    want: DiskSet, have: _Have, choice: _Choice, short: Sequence[DiskSet], choices: Mapping[str, _Choice]
) -> list[tuple[str, str]]:
    has = len(have.members)
    if has > want.count:
        devices = ", ".join(member.device for member in have.members)
        problem = f"has {has} disks and {want.count} are declared; disks are not taken out: {devices}"
        remedy = "If a drive is being replaced, let playbooks/replace_drive.yml end it. If not, d"
        return [(problem, f"{remedy}eclare a count of {has}.")]
    needed = want.count - has
    if needed and len(choice.fitting) != needed:
        return [_describe_count(want, has, needed, choice)]
    problems = []
    for other in short:
        if want in short and other.name != want.name:
            both = [disk.label for disk in choice.fitting if disk in choices[other.name].fitting]
            if both:
                problem = f"{', '.join(both)} would fit the disks {other.name} as well"
                problems.append((problem, "Write filters that tell the two sets apart."))
    return problems


def _describe_count(want: DiskSet, has: int, needed: int, choice: _Choice) -> tuple[str, str]:
    there = f" ({has} of {want.count} are there)" if has else ""
    lines = [f"needs {needed} disk{'s' if needed > 1 else ''}{there}, and {len(choice.fitting) or 'none'} can be taken"]
    lines += [f"    can be taken: {disk.label}" for disk in choice.fitting]
    lines += [f"    passed over: {label} {reason}" for label, reason in choice.passed.items()]
    if len(choice.fitting) > needed:
        remedy = "Write a filter that only the wanted disks meet, or raise the count."
    else:
        remedy = "Correct the filter or the count, or empty the disks that are meant"
        remedy += " (wipe: true with confirm: DESTROY destroys what they hold)." if not want.wipe else "."
    return "\n".join(lines), f"\n  {remedy}"


def _plan_set(want: DiskSet, have: _Have, taken: tuple[Disk, ...], seen: Seen) -> SetPlan:
    members = tuple(_stable(member, seen) for member in have.members)
    if not taken:
        return SetPlan(disks=want, members=members)
    taking = seen.takings.get(want.name, ())
    steps = []
    loses = []
    for disk in taken:
        if disk.contents:
            held = ", ".join(str(content) for content in disk.contents)
            if disk.volume_group:
                held += f", of the volume group {disk.volume_group}"
            if is_unfinished(disk, taking):
                text = f"wipe what an interrupted run left on {disk.label}: {held}"
            else:
                text = f"wipe {disk.label}, which holds {held}"
                loses.append(f"{disk.label}: {held}")
            steps.append(Step("wipe", text, {"path": disk.path, "partitions": disk.partitions}))
    named = ", ".join(disk.label for disk in taken)
    if want.use != "ceph":
        verb = "extend" if have.exists else "make"
        how = f" ({want.layout})" if want.use == "zfs" else ""
        where = "by" if have.exists else "of"
        data = {
            "name": want.name,
            "disks": tuple(disk.path for disk in taken),
            "devices": tuple(disk.device for disk in taken),
            "vdevs": _group(want, [disk.device for disk in taken], seen),
        }
        text = f"{verb} {_WORDS[want.use]} {want.name}{how} {where} {named}"
        steps.append(Step(f"{verb}_{want.use}", text, data))
    return SetPlan(disks=want, members=members, taken=taken, steps=tuple(steps), loses=tuple(loses))


def _group(want: DiskSet, devices: Sequence[str], seen: Seen) -> tuple[str, ...]:
    """Return the words of zpool create or zpool add: the disks, each group behind its kind."""
    if want.layout not in ("mirror", "raidz"):
        return tuple(devices)
    pool = seen.zpool(want.name)
    width = MIRROR_WIDTH if want.layout == "mirror" else len(pool.vdevs[0].members) if pool else len(devices)
    words: list[str] = []
    for start in range(0, len(devices), width):
        words += [want.layout, *devices[start : start + width]]
    return tuple(words)


def _stable(member: Member, seen: Seen) -> str:
    disk = seen.disk(member.disk)
    return disk.device if disk else member.device
