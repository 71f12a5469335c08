# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume that is there becomes as declared. Pure."""

from __future__ import annotations

from dataclasses import replace

from ..._model.plan import Change, Step, Work
from ..._model.protection import changes_of
from ..._model.sizes import show_size
from ..instance.devices.disk import find_limit_mistakes
from .attachment import Attaching, plan_attachment
from .context import Context, RefusedError, require_sound
from .definition import VolumeFacts
from .places import kind_of
from .spec import Volume, merge_limits
from .state import MIB, Record, find_places, has_new_pool, instance_keys, mib, row_of
from .steps import label_steps, settle


def plan_change(want: Volume, record: Record, context: Context) -> Work:
    _require_same(want, record, context)
    shelf = context.shelf(record.key)
    facts = context.facts(record, "it")
    wanted = _settings_of(want, record)
    attaching = plan_attachment(want.attached_to, wanted, context)
    resizing, loses, size_changes = _plan_size(want, record, facts, attaching, context)
    size = _wanted_size(want, facts) if kind_of(shelf.pool).grows else record.size
    wanted = replace(wanted, size=size, instance=attaching.instance)
    if size_changes and size is not None:
        context.sizes[record.id] = size * MIB
    changes = [*size_changes, *_compare(record, wanted), *attaching.changes]
    steps = [*attaching.before, *resizing]
    if not record.is_registered:
        changes.append(Change("registered", "kept of an instance that is gone", "a volume on its own"))
    is_found = has_new_pool(record, context.have)
    if is_found:
        changes.append(Change("pool", "not registered any more", shelf.pool.name))
    if not record.is_registered or is_found or row_of(wanted, context.have) != row_of(record, context.have):
        steps.append(settle(wanted, "note what it is to be", context))
    labels = label_steps(wanted, context)
    steps += labels
    steps += attaching.after
    if steps and not changes:
        changes.append(Change("label" if labels else "registered", "not as it is", "as it is"))
    context.note(replace(wanted, is_registered=True))
    waiting = {change.field for change in attaching.pending}
    changes = [replace(change, when="next_boot") if change.field in waiting else change for change in changes]
    return Work(
        kind="volume",
        name=want.name,
        id=record.id,
        node=attaching.node or shelf.node,
        steps=tuple(steps),
        changes=tuple({change.field: change for change in reversed(changes)}.values())[::-1],
        pending=tuple(attaching.pending),
        loses=loses,
        touches=tuple(attaching.touches),
    )


def _require_same(want: Volume, record: Record, context: Context) -> None:
    """What a volume is made of cannot change. Refuses what would otherwise be ignored."""

    def refuse(key: str, is_: object, remedy: str) -> None:
        raise RefusedError(f"its {key} is {is_}, and cannot become {getattr(want, key)}", remedy)

    if record.pool is None:
        raise _refuse_lost_pool(record, context)
    anew = "Clone it (clone_of) to have it otherwise, or leave out the option."
    if want.pool is not None and context.pool(want.pool).id != record.pool.id:
        refuse("pool", record.pool.name, anew)
    if want.node is not None and context.node(want.node) != record.node:
        what = f"on {record.node}" if record.node else f"in storage pool {record.pool.name}, which its nodes share"
        raise RefusedError(f"it lies {what}, and cannot move to {want.node}", "Leave out node.")
    for key in ("format", "provisioning"):
        if getattr(want, key) not in (None, getattr(record, key)):
            refuse(key, getattr(record, key), anew)
    _require_same_origin(want, record)


def _refuse_lost_pool(record: Record, context: Context) -> RefusedError:
    what = "its storage pool is not registered any more"
    places = sorted(f"{shelf.pool.name} on {shelf.node}" for shelf in find_places(record, context.have))
    if places:
        return RefusedError(
            f"{what}, and there are several files of its name ({record.file}): in {', '.join(places)}",
            "Find out which one is right, and move the others out of their pools' sight.",
        )
    return RefusedError(
        f"{what}, and its file ({record.file}) is seen in no other one",
        "Declare a storage pool that has that file, such as one of the path or the source that it lay in: it is found "
        "there by its name.",
    )


def _require_same_origin(want: Volume, record: Record) -> None:
    origin = record.origin or {}
    began = (
        f"a {origin['mode']} clone of {origin['name']}"
        if "clone" in origin
        else f"imported from {origin['import']} ({origin['format']})"
        if "import" in origin
        else "made from an image"
        if "image" in origin
        else "made empty"
    )
    remedy = "Choose another name for the new one."
    if want.clone_of is not None and want.clone_of not in (origin.get("clone"), origin.get("name")):
        raise RefusedError(f"it exists, and was {began}; it cannot become a clone of {want.clone_of}", remedy)
    if want.clone_mode is not None and want.clone_mode != origin.get("mode"):
        raise RefusedError(f"it exists, and was {began}; it cannot become a {want.clone_mode} clone", remedy)
    file = want.import_from
    if file is not None and (file.path, file.format) != (origin.get("import"), origin.get("format")):
        raise RefusedError(f"it exists, and was {began}; it cannot be imported from {file.path}", remedy)


def _settings_of(want: Volume, record: Record) -> Record:
    limits = merge_limits(record.limits, want.limits)
    for key, problem in find_limit_mistakes(vars(limits)).items():
        raise RefusedError(f"its {key}, with what it has already, {problem}", "Name both.")
    return replace(
        record,
        cache=want.cache or record.cache,
        discard=want.discard or record.discard,
        limits=limits,
        description=want.description if want.description is not None else record.description,
        protected=record.protected if want.protected is None else want.protected,
    )


def _compare(before: Record, after: Record) -> list[Change]:
    changes = [
        Change(key, getattr(before, key), getattr(after, key) or None)
        for key in ("cache", "discard", "description")
        if (getattr(before, key) or None) != (getattr(after, key) or None)
    ]
    changes += changes_of(before.protected, after.protected)
    for key in vars(before.limits):
        was, is_ = getattr(before.limits, key), getattr(after.limits, key)
        if was != is_:
            changes.append(Change(f"limits.{key}", was, is_))
    return changes


def _wanted_size(want: Volume, facts: VolumeFacts) -> int:
    """Return the size in MiB that it is to have. A delta counts from what is declared, so that it counts once."""
    now = mib(facts.capacity)
    if want.size is None:
        return now
    if want.grow_by is None:
        return want.size
    if now not in (want.size, want.size + want.grow_by):
        raise RefusedError(
            f"it has {show_size(now)}: neither the {show_size(want.size)} that it is to grow from by "
            f"{show_size(want.grow_by)}, nor the {show_size(want.size + want.grow_by)} that would make",
            "Look at what it has, and declare the size that is wanted.",
        )
    return want.size + want.grow_by


def _plan_size(
    want: Volume, record: Record, facts: VolumeFacts, attaching: Attaching, context: Context
) -> tuple[list[Step], tuple[str, ...], list[Change]]:
    """Return (steps, what is lost, changes)."""
    now, wanted = mib(facts.capacity), _wanted_size(want, facts)
    if wanted * MIB == facts.capacity or want.size is None:
        return [], (), []
    shelf = context.shelf(record.key)
    if not kind_of(shelf.pool).grows:
        if wanted in (now, record.size):
            return [], (), []
        raise RefusedError(
            f"it has {show_size(record.size or now)}, and cannot get {show_size(wanted)}: libvirt gives no volume of "
            f"storage pool {shelf.pool.name}, which is of type {shelf.pool.attributes['type']}, another size",
            "Clone it (clone_of) with the size that is wanted.",
        )
    context.require_nobody_else(record)
    require_sound(record, facts)
    clones = context.linked.get(record.id)
    if clones:
        raise RefusedError(f"linked clones share its blocks, so it stays as it is: {', '.join(clones)}")
    place = {"node": shelf.node, "pool": shelf.pool, "volume": record.file, "size": wanted * MIB}
    is_thick = record.provisioning == "thick"
    running = next((use for use in attaching.stays if use.live is not None), None)
    changes = [Change("size", now, wanted)]
    # Whoever has it must not be started meanwhile, nor stopped, nor moved.
    holders = [key for key in instance_keys(attaching.stays) if key not in attaching.touches]
    saved = next((use.user.name for use in attaching.stays if use.user.saved), None)
    if saved is not None:
        raise RefusedError(
            f"it is in use by instance {saved}, which is saved and goes on with it as it was",
            "Let the instance go on first (pextra_vm_power with action: resume).",
        )
    if wanted * MIB < facts.capacity:
        context.require_unprotected(record, f"cannot shrink from {show_size(now)} to {show_size(wanted)}")
        if running is not None:
            raise RefusedError(
                f"it is in use by instance {running.user.name}, which runs, and cannot shrink from {show_size(now)} to "
                f"{show_size(wanted)}",
                "Make the file system in it smaller first, then stop the instance or detach the volume.",
            )
        # Of an image of Ceph libvirt does not know how much is written, and says all of it.
        if kind_of(shelf.pool).disk == "file" and wanted * MIB < facts.allocation:
            raise RefusedError(
                f"{show_size(mib(facts.allocation))} of it are taken in storage pool {shelf.pool.name}, so it cannot "
                f"shrink to {show_size(wanted)}",
                "Make another volume of that size, and copy inside a guest that has both.",
            )
        attaching.touches += holders
        lost = f"what lies beyond {show_size(wanted)} of volume {record.name}, which has {show_size(now)}"
        return [Step("shrink", f"shrink it to {show_size(wanted)}", place)], (lost,), changes
    if is_thick:
        context.take(record.key, wanted * MIB - facts.capacity)
    text = f"grow it to {show_size(wanted)}"
    attaching.touches += holders
    if running is None or running.live is None:
        return [Step("grow", text, place | {"thick": is_thick})], (), changes
    user = running.user
    data = {**place, "node": user.node, "uuid": user.uuid, "target": running.live.disk.target, "thick": is_thick}
    return [Step("grow_live", f"{text} while {user.name} runs", data)], (), changes
