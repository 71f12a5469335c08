# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives of an instance, and the images that are in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...._model.plan import Change
from ...._model.rows import Row
from ...image.plan.state import site_key
from ..definition import Disk, DomainModel
from ..devices.cdrom import TABLE
from ..disks import disk_of
from ..labels import CdromLabel
from ..parts import Cdrom
from ..rows import create_rows, differ_rows, merge_rows
from ..spec import TARGETS, Vm
from .context import Context, RefusedError
from .references import copy_of, find_image, find_pool, kind_of
from .state import Domain, NodeState


def cdroms_of(
    want: Vm, found: Domain | None, context: Context, disks: Iterable[Disk] = ()
) -> tuple[tuple[CdromLabel, ...], tuple[Disk, ...]]:
    """Return the labels of the drives, and the drives, as declared. disks: what takes device names besides."""
    current = found.config if found is not None else None
    if want.cdroms is None:
        return (current.labels.cdroms, current.cdroms) if current is not None else ((), ())
    known = {label.name: label for label in current.labels.cdroms} if current is not None else {}
    held = {drive.serial: drive for drive in current.cdroms} if current is not None else {}
    used = {disk.target for disk in disks}
    for model in (found.config, found.live) if found is not None else ():
        used |= model.targets if model is not None else set()
    letters = {target[2:] for target in used}
    free = (target[2:] for target in TARGETS if target[2:] not in letters)
    labels, drives = [], []
    foreign = {drive.serial for drive in current.other_cdroms} if current is not None else set()
    for cdrom in want.cdroms:
        if cdrom.name in foreign:
            raise RefusedError(
                f"it has a drive of the serial number {cdrom.name} that was made by hand", "Choose another name."
            )
        before = held.get(cdrom.name)
        letter = before.target[2:] if before is not None else next(free, None)
        if letter is None:
            raise RefusedError(f"there is no device name left for its drive {cdrom.name}", "Take a volume away first.")
        empty = Disk(target=f"sd{letter}", path="", serial=cdrom.name, format="raw", read_only=True)
        label, drive = _fill(cdrom, known.get(cdrom.name), before, empty, want, current, context)
        further = merge_rows(before.further if before is not None else create_rows(TABLE), cdrom.further)
        labels.append(label)
        drives.append(replace(drive, further=further))
    # Their order says nothing: those that are known keep theirs, or a list in another order would be a change.
    numbers = {name: number for number, name in enumerate(known)}
    labels.sort(key=lambda label: numbers.get(label.name, len(numbers)))
    return tuple(labels), tuple(drives)


def _fill(
    cdrom: Cdrom,
    label: CdromLabel | None,
    before: Disk | None,
    empty: Disk,
    want: Vm,
    current: DomainModel | None,
    context: Context,
) -> tuple[CdromLabel, Disk]:
    """Return a drive with what is to be in it. before: as it is."""
    image = cdrom.image if cdrom.image is not None else label.image if label is not None else None
    if cdrom.image is None and not cdrom.pool and label is not None and before is not None:
        return label, before
    if not image:
        return CdromLabel(name=cdrom.name), empty
    row = find_image(image, context, "iso")
    root = want.root.pool if want.root is not None else None
    if root is None and current is not None and current.labels.root is not None:
        root = current.labels.root.pool
    reference = cdrom.pool or (label.pool if label is not None else None) or root
    if reference is None:
        raise RefusedError(
            f"its drive {cdrom.name} has an image, and nothing says from which storage pool", "Name its pool."
        )
    pool = find_pool(reference, context)
    if not kind_of(pool).formats:
        raise RefusedError(
            f"storage pool {pool.name} is of type {pool.attributes['type']}, where there are no images",
            f"Choose another pool for its drive {cdrom.name}.",
        )
    drive = disk_of(
        pool, copy_of(row, pool), target=empty.target, serial=cdrom.name, volume_format="raw", read_only=True
    )
    return CdromLabel(name=cdrom.name, image=row.name, pool=pool.name), drive


def lacking_media(
    labels: Sequence[CdromLabel],
    drives: Sequence[Disk],
    here: NodeState,
    context: Context,
    known: Sequence[Disk] = (),
) -> list[str]:
    """Return what a node lacks of what is to be in drives. known: drives of which that is not asked any more.

    A copy has its final name while it is written, and after a transfer that was killed: only the record tells.
    """
    problems = []
    media = {drive.serial: drive.medium for drive in known}
    by_name = {drive.serial: drive for drive in drives}
    for label in labels:
        drive, pool = by_name.get(label.name), context.pools.get(label.pool or "")
        if drive is None or pool is None or drive.medium is None or media.get(label.name) == drive.medium:
            continue
        names = here.volumes.get(pool.name)
        if names is None:
            problems.append(f"storage pool {pool.name} is not available there")
        elif drive.volume not in names:
            problems.append(f"image {label.image} has no copy in storage pool {pool.name} there")
        elif not _is_complete(context.images.get(label.image or ""), pool, drive, here):
            problems.append(f"the copy of image {label.image} in storage pool {pool.name} there is not complete")
    return list(dict.fromkeys(problems))


def _is_complete(image: Row | None, pool: Row, drive: Disk, here: NodeState) -> bool:
    if image is None or copy_of(image, pool) != drive.volume:
        return True  # an older one, which was complete when it was put in
    key = site_key(pool.id, None if pool.attributes.get("shared") else here.row.id)
    return key in image.attributes.get("copies", ())


def compare_cdroms(before: DomainModel, after: DomainModel) -> list[Change]:
    """Return how drives differ. before: as defined, or as it runs, where one may be that is not the instance's any
    more.
    """
    others = {drive.serial for drive in after.other_cdroms}
    old = {drive.serial: drive for drive in (*before.other_cdroms, *before.cdroms) if drive.serial not in others}
    new = {drive.serial: drive for drive in after.cdroms}
    was, is_ = ({label.name: label.image for label in model.labels.cdroms} for model in (before, after))
    changes: list[Change] = []
    for name in [*old, *(name for name in new if name not in old)]:
        path = f"cdroms.{name}"
        if name not in old or name not in new:
            changes.append(Change(f"{path}.attached", name in old, name in new, "next_boot"))
            continue
        if old[name].medium != new[name].medium:
            images = (was.get(name), is_.get(name))
            if images[0] == images[1]:
                images = (old[name].path or None, new[name].path or None)
            changes.append(Change(f"{path}.image", *images))
        changes += differ_rows(TABLE, path, old[name].further, new[name].further)
    return changes


def with_media_as_named(want: Vm, live: DomainModel, model: DomainModel) -> tuple[Disk, ...]:
    """Return the drives for a running guest: where a call does not name what is in them, it stays."""
    if want.cdroms is None:
        return live.cdroms
    unnamed = {cdrom.name for cdrom in want.cdroms if cdrom.image is None and not cdrom.pool}
    held = {drive.serial: drive for drive in (*live.other_cdroms, *live.cdroms) if drive.serial in unnamed}
    return tuple(
        replace(drive, path=runs.path, kind=runs.kind, ceph=runs.ceph)
        for drive in model.cdroms
        for runs in (held.get(drive.serial, drive),)
    )
