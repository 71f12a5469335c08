# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that live on their own: what to do so that they are as declared. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ..._model.errors import Problem
from ..._model.plan import Change, Plan, Step, Work, work_on
from ..._model.protection import changes_of, is_protected, without_protection
from ..._model.sizes import show_size
from ..hierarchy.plan import Hierarchy, find_cluster
from .attachment import plan_attachment
from .change import plan_change
from .context import Context, FailedError, RefusedError
from .forms import describe_circle, find_circles
from .leftovers import find_doubt, forget, plan_purge
from .making import plan_making
from .spec import Import, Volume
from .state import Record, VolumeHave, mib, row_of
from .steps import label_steps, settle
from .turns import take_turns

# A clone is made after what it is made from, and goes before what it shares; a plan has so many stages.
_STAGES = 3
_TOO_DEEP = {
    "present": f"it is a clone of a clone of a clone that does not exist yet, more than {_STAGES - 1} deep",
    "absent": f"it has linked clones that have clones that are to go as well, more than {_STAGES - 1} deep",
}
Item = TypeVar("Item")


def find_imports(wants: Sequence[Volume], hierarchy: Hierarchy) -> list[Import]:
    """Return which files have to be looked at before planning. One that was imported may have gone since."""
    made = {
        (row.scope, row.name)
        for row in hierarchy.members
        if row.kind == "volume" and not row.attributes.get("unfinished")
    }
    found = []
    for want in wants:
        cluster = find_cluster(want.cluster, hierarchy.clusters)
        if want.import_from is None or want.state != "present" or isinstance(cluster, str):
            continue
        if (cluster.id, want.name) not in made:
            found.append(want.import_from)
    return found


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
    origins = {
        index: places[context.cluster.id, origin]
        for index, context in clusters.items()
        if (origin := wants[index].clone_of) is not None and (context.cluster.id, origin) in places
    }
    stages: list[dict[int, Work]] = [{} for _ in range(_STAGES)]
    depths = {index: _depth(index, wants, clusters, places) for index in clusters}
    # What goes is planned first, clones before what they share, and new ones when it is known what they begin from.
    turns = {index: (depths[index], *_turn(wants[index], clusters[index]), _rank(index, origins)) for index in clusters}
    for index in sorted(turns, key=lambda index: turns[index]):
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
            lifted = _lift_protection(want, clusters[index])
            if lifted is not None:
                stages[0][index] = lifted
    ordered = take_turns(stages, origins)
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


def _rank(index: int, origins: Mapping[int, int]) -> int:
    """Return how many volumes of the call it descends from."""
    rank = 0
    while index in origins and rank <= len(origins):
        index, rank = origins[index], rank + 1
    return rank


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
    # What is attached to nobody may be somebody else's, as long as nothing is done to what is in it.
    touches_data = want.state == "absent" or want.attached_to != "" or (record is not None and record.unfinished)
    if record is not None and touches_data:
        context.require_nobody_else(record)
    if record is not None and not record.is_registered:
        # Of volumes of its own a row tells who has them; of this one nobody.
        doubt = find_doubt(context.shelf(record.key), context.have)
        if doubt is not None:
            raise FailedError(Problem(f"it was an instance's, and {doubt}", "Run again when it answers.", record.node))
    if want.state == "absent":
        return _plan_absence(want, record, context)
    if record is None or record.unfinished:
        return _plan_creation(want, record, context)
    return plan_change(want, record, context)


def _lift_protection(want: Volume, context: Context) -> Work | None:
    """A node that does not answer cannot be told. It is registered all the same: a dead one can be forgotten then."""
    row = next((row for row in context.have.rows("volume", context.cluster.id) if row.name == want.name), None)
    if row is None or want.state == "absent" or want.protected is not False or not is_protected(row):
        return None
    bare = without_protection(row)
    return work_on(bare, [Step("settle", "note that it is not protected", {"row": bare})], changes_of(True, False))


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
    steps.append(settle(finished, "note that it is complete", context))
    steps += label_steps(finished, context)
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


# Absence


def _plan_absence(want: Volume, record: Record | None, context: Context) -> Work:
    """A volume can be destroyed when nobody has it, with consent. One that was never finished holds nothing."""
    if record is None:
        return Work(kind="volume", name=want.name)
    context.require_unprotected(record, "cannot be destroyed")
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
    elif not record.unfinished:
        # Wherever it is, it is nobody's from then on.
        loses = (f"what is known of volume {record.name}, whose storage pool is not registered any more",)
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
