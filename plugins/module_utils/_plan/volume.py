"""Volumes that live on their own: what to do so that they are as declared. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from .._errors import Problem
from .._spec._sizes import show_size
from .._spec._volume_forms import describe_circle, find_circles
from .._spec.volume import Volume, find_limit_mistakes, merge_limits
from .._xml.volume import VolumeFacts
from ._types import Change, Plan, Step, Work
from ._volume_attachment import Attaching, plan_attachment
from ._volume_context import Context, FailedError, RefusedError, require_sound
from ._volume_making import plan_making
from ._volume_places import kind_of
from .hierarchy import find_cluster
from .volume_leftovers import find_doubt, forget, plan_purge
from .volume_state import MIB, Record, VolumeHave, find_labelled_nodes, label_of, mib, row_of

# A clone is made after what it is made from, and goes before what it shares; a plan has so many stages.
_STAGES = 3
_TOO_DEEP = {
    "present": f"it is a clone of a clone of a clone that does not exist yet, more than {_STAGES - 1} deep",
    "absent": f"it has linked clones that have clones that are to go as well, more than {_STAGES - 1} deep",
}

Item = TypeVar("Item")


def plan_volumes(wants: Sequence[Volume], have: VolumeHave, *, purge: bool = False) -> Plan:
    """Return what takes every volume to its declared state. purge: and removes what failed runs have left."""
    refusals: dict[int, Problem] = {}
    failures: dict[int, Problem] = {}
    contexts: dict[str, Context] = {}
    clusters: dict[int, Context] = {}
    places: dict[tuple[str, str], int] = {}
    for index, want in enumerate(wants):
        cluster = find_cluster(want.cluster, have.hierarchy.clusters)
        label = f"volume {want.name}"
        if isinstance(cluster, str):
            refusals[index] = Problem(cluster, resource=label)
            continue
        if (cluster.id, want.name) in places:
            refusals[index] = Problem(f"it is given twice for cluster {cluster.name}", resource=label)
            continue
        if cluster.id not in contexts:
            contexts[cluster.id] = Context.of(cluster, have)
        clusters[index] = contexts[cluster.id]
        places[cluster.id, want.name] = index
    stages: list[dict[int, Work]] = [{} for _ in range(_STAGES)]
    depths = {index: _depth(index, wants, clusters, places) for index in clusters}
    # What goes is planned first, clones before what they share.
    for index in sorted(clusters, key=lambda index: (depths[index], *_turn(wants[index], clusters[index]))):
        want, label = wants[index], f"volume {wants[index].name}"
        try:
            if depths[index] >= _STAGES:
                members = [wants[other] for other in clusters if clusters[other] is clusters[index]]
                raise _refuse_depth(want, members)
            stages[depths[index]][index] = _plan_one(want, clusters[index])
        except RefusedError as refused:
            refusals[index] = Problem(refused.what, refused.remedy, resource=label)
        except FailedError as error:
            failures[index] = replace(error.problem, resource=label)
    ordered = [_in_order(stage) for stage in stages]
    problems = list(_in_order(failures))
    if purge:
        wanted = {(clusters[index].cluster.id, wants[index].name) for index in clusters}
        removed, doubtful = plan_purge(have, wanted)
        ordered[-1] = (*ordered[-1], *removed)
        problems += doubtful
    return Plan(
        first=ordered[0],
        works=ordered[1],
        last=ordered[2],
        refusals=_in_order(refusals),
        failures=tuple(problems),
    )


def _turn(want: Volume, context: Context) -> tuple[bool, bool]:
    record = context.records.get(want.name)
    return want.state == "present", record is None or record.linked_to is None


def _in_order(found: Mapping[int, Item]) -> tuple[Item, ...]:
    return tuple(found[index] for index in sorted(found))


def _depth(
    index: int,
    wants: Sequence[Volume],
    clusters: Mapping[int, Context],
    places: Mapping[tuple[str, str], int],
    seen: int = 0,
) -> int:
    """Return how many volumes have to be made, or destroyed, before this one."""
    want, context = wants[index], clusters[index]
    record = context.records.get(want.name)
    if want.state == "absent" and record is not None and seen <= _STAGES:
        clones = [places.get((context.cluster.id, name)) for name in context.linked.get(record.id, [])]
        going = [clone for clone in clones if clone is not None and wants[clone].state == "absent"]
        return max((1 + _depth(clone, wants, clusters, places, seen + 1) for clone in going), default=0)
    if seen > _STAGES or want.clone_of is None or want.state != "present" or (record and not record.unfinished):
        return 0
    other, before = places.get((context.cluster.id, want.clone_of)), context.records.get(want.clone_of)
    if other is None or other == index or (before is not None and not before.unfinished):
        return 0
    return 1 + _depth(other, wants, clusters, places, seen + 1)


def _refuse_depth(want: Volume, wants: Sequence[Volume]) -> RefusedError:
    """wants: what the call wants of the cluster."""
    origins = {one.name: one.clone_of for one in wants if one.state == "present" and one.clone_of is not None}
    circle = find_circles(origins).get(want.name)
    if circle is not None:
        return RefusedError(*describe_circle(circle))
    return RefusedError(_TOO_DEEP[want.state], "Do it in several calls.")


def _plan_one(want: Volume, context: Context) -> Work:
    record = context.records.get(want.name)
    if record is not None and want.attached_to != "":
        _require_nobody_else(record, context)
    if record is not None and not record.is_registered:
        # Of volumes of its own a row tells who has them; of this one nobody.
        doubt = find_doubt(context.shelf(record.key), context.have)
        if doubt is not None:
            raise FailedError(Problem(f"it was an instance's, and {doubt}", "Run again when it answers.", record.node))
    if want.state == "absent":
        return _plan_absence(want, record, context)
    if record is None or record.unfinished:
        return _plan_creation(want, record, context)
    return _plan_change(want, record, context)


def _require_nobody_else(record: Record, context: Context) -> None:
    """A domain that is not ours may have it by hand, or the instance whose volume it was has it again."""
    if record.file in context.have.all_mentioned and record.id not in context.uses:
        where = ", ".join(sorted(node for node, names in context.have.mentioned.items() if record.file in names))
        raise RefusedError(
            f"a virtual machine on {where} has it, by other means than this module",
            "Take it out of there first: two guests on one volume destroy its file system.",
        )


# Creation


def _plan_creation(want: Volume, begun: Record | None, context: Context) -> Work:
    making = plan_making(want, begun, context)
    context.planned.add(want.name)
    context.note(making.record)
    attaching = plan_attachment(want.attached_to, making.record, context)
    finished = replace(making.record, unfinished=False, instance=attaching.instance)
    row = row_of(making.record, context.have)
    steps: list[Step] = []
    if begun is None or row_of(begun, context.have) != row:
        steps.append(Step("register", "register it", {"row": row}))
    steps += making.steps
    steps.append(_settle(finished, "note that it is complete", context))
    steps += _label_steps(finished, context)
    steps += attaching.after
    changes = [
        Change("pool", None, finished.pool.name if finished.pool else None),
        *([Change("node", None, finished.node)] if finished.node else []),
        Change("size", None, finished.size),
        Change("format", None, finished.format),
        Change("provisioning", None, finished.provisioning),
        *([Change("clone_of", None, want.clone_of)] if want.clone_of else []),
        *([Change("import_from", None, want.import_from.path)] if want.import_from else []),
        *attaching.changes,
    ]
    return Work(
        kind="volume",
        name=want.name,
        id=finished.id,
        node=attaching.node or making.node,
        steps=tuple(steps),
        changes=tuple(changes),
        touches=(*making.touches, *attaching.touches),
    )


def _settle(record: Record, text: str, context: Context) -> Step:
    return Step("settle", text, {"row": row_of(record, context.have)})


def _label_steps(record: Record, context: Context) -> list[Step]:
    key, text = label_of(record, context.have)
    return [
        Step("label", f"write its label on {node}", {"node": node, "labels": {key: text}})
        for node in find_labelled_nodes(record, context.have)
        if context.have.labels[node].get(key) != text
    ]


# Change


def _plan_change(want: Volume, record: Record, context: Context) -> Work:
    _require_same(want, record, context)
    shelf = context.shelf(record.key)
    facts = context.facts(record, "it")
    wanted = _settings_of(want, record)
    attaching = plan_attachment(want.attached_to, wanted, context)
    resizing, loses, size_changes = _plan_size(want, record, facts, attaching, context)
    size = _wanted_size(want, facts) if kind_of(shelf.pool).grows else record.size
    wanted = replace(wanted, size=size, instance=attaching.instance)
    changes = [*size_changes, *_compare(record, wanted), *attaching.changes]
    steps = [*attaching.before, *resizing]
    if not record.is_registered:
        changes.append(Change("registered", "kept of an instance that is gone", "a volume on its own"))
    if not record.is_registered or row_of(wanted, context.have) != row_of(record, context.have):
        steps.append(_settle(wanted, "note what it is to be", context))
    labels = _label_steps(wanted, context)
    steps += labels
    steps += attaching.after
    if steps and not changes:
        changes.append(Change("label" if labels else "registered", "not as it is", "as it is"))
    context.note(replace(wanted, is_registered=True))
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
        raise RefusedError(
            "its storage pool is not registered any more", "Declare the pool again, under the name that it had."
        )
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
    for key, problem in find_limit_mistakes(limits).items():
        raise RefusedError(f"its {key}, with what it has already, {problem}", "Name both.")
    return replace(
        record,
        cache=want.cache or record.cache,
        discard=want.discard or record.discard,
        limits=limits,
        description=want.description if want.description is not None else record.description,
    )


def _compare(before: Record, after: Record) -> list[Change]:
    changes = [
        Change(key, getattr(before, key), getattr(after, key) or None)
        for key in ("cache", "discard", "description")
        if (getattr(before, key) or None) != (getattr(after, key) or None)
    ]
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
    require_sound(record, facts)
    clones = context.linked.get(record.id)
    if clones:
        raise RefusedError(f"linked clones share its blocks, so it stays as it is: {', '.join(clones)}")
    place = {"node": shelf.node, "pool": shelf.pool, "volume": record.file, "size": wanted * MIB}
    is_thick = record.provisioning == "thick"
    running = next((use for use in attaching.stays if use.live is not None), None)
    changes = [Change("size", now, wanted)]
    if wanted * MIB < facts.capacity:
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
        lost = f"what lies beyond {show_size(wanted)} of volume {record.name}, which has {show_size(now)}"
        return [Step("shrink", f"shrink it to {show_size(wanted)}", place)], (lost,), changes
    if is_thick:
        context.take(record.key, wanted * MIB - facts.capacity)
    text = f"grow it to {show_size(wanted)}"
    if running is None or running.live is None:
        return [Step("grow", text, place | {"thick": is_thick})], (), changes
    user = running.user
    data = {**place, "node": user.node, "uuid": user.uuid, "target": running.live.disk.target, "thick": is_thick}
    attaching.touches += [f"instance {user.name}"]
    return [Step("grow_live", f"{text} while {user.name} runs", data)], (), changes


# Absence


def _plan_absence(want: Volume, record: Record | None, context: Context) -> Work:
    """A volume can be destroyed when nobody has it, with consent. One that was never finished holds nothing."""
    if record is None:
        return Work(kind="volume", name=want.name)
    uses = context.uses.get(record.id, [])
    if uses:
        raise RefusedError(
            f"it is attached to instance {uses[0].user.name}; only a detached volume can be destroyed",
            'Detach it first (attached_to: "").',
        )
    if record.instance is not None and record.instance in context.instances:
        context.require_answer(context.instances[record.instance])
    clones = context.linked.get(record.id)
    if clones:
        raise RefusedError(
            f"linked clones share its blocks, and would be lost with it: {', '.join(clones)}",
            "It can go when they are gone; what is to stay can be made independent of it, as a full clone.",
        )
    steps: list[Step] = []
    loses: tuple[str, ...] = ()
    node = None
    if record.pool is not None:
        shelf = context.shelf(record.key)
        node = shelf.node
        facts = shelf.volumes.get(record.file)
        if facts is None and shelf.doubt is not None:
            raise FailedError(shelf.doubt)
        if facts is not None:
            data = {"node": shelf.node, "pool": shelf.pool, "volume": record.file}
            steps.append(Step("delete", f"destroy {record.file}", data))
            if not record.unfinished:
                where = f"in storage pool {shelf.pool.name}" + (f" on {record.node}" if record.node else "")
                loses = (f"volume {record.name} of {show_size(mib(facts.capacity))} {where}",)
    steps += forget(record, context.have)
    context.forget(record)
    return Work(
        kind="volume",
        name=want.name,
        id=record.id,
        node=node,
        steps=tuple(steps),
        changes=(Change("name", want.name, None),),
        loses=loses,
    )
