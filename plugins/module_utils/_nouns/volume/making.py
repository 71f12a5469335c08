# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a volume: empty, as a clone of another one, or from a file of the coordinator. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._model.errors import Problem
from ..._model.ids import new_id
from ..._model.names import standalone_volume
from ..._model.plan import Step
from ..._model.rows import Row
from ..._model.sizes import show_size
from .context import (
    Context,
    FailedError,
    RefusedError,
    require_sound,
)
from .forms import find_form, find_unfit, find_unfit_clone
from .places import find_copy_way, is_shared, kind_of
from .spec import Limits, Volume, merge_limits
from .state import (
    MIB,
    ImportFile,
    Record,
    Use,
    instance_keys,
    mib,
)


@dataclass(frozen=True)
class Making:
    """A volume as it will be, and the steps that make it, through one node."""

    record: Record
    node: str
    steps: tuple[Step, ...]
    touches: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Source:
    """What a clone begins from. size: bytes; allocation: bytes that it takes, 0 if not known. uses: who has it."""

    record: Record
    size: int
    allocation: int
    uses: Sequence[Use] = ()


def plan_making(want: Volume, begun: Record | None, context: Context) -> Making:
    """Plan a volume that is not there. begun: what a killed run has registered; its choices stand."""
    if want.grow_by is not None:
        raise RefusedError("it does not exist yet, so it cannot grow", "Leave out grow_by, and give its full size.")
    if want.pool is None:
        raise RefusedError("it does not exist yet", "To make it, say in which storage pool with pool.")
    pool = context.pool(want.pool)
    if begun is not None and begun.pool is not None and begun.pool.id != pool.id:
        raise RefusedError(
            f"an earlier run has begun to make it in storage pool {begun.pool.name}",
            f"Let it be made there: pool: {begun.pool.name}.",
        )
    volume_id = begun.id if begun else new_id("volume")
    for unfit in find_unfit(want, pool.attributes["type"], pool.name, volume_id):
        raise RefusedError(unfit.what, unfit.remedy)
    volume_format, provisioning = find_form(want, pool.attributes["type"])
    source = _find_source(want, context)
    if source is not None:
        other = source.record.pool.name if source.record.pool else None
        for unfit in find_unfit_clone(want, pool.name, source.record.name, other, mib(source.size)):
            raise RefusedError(unfit.what, unfit.remedy)
    file = _find_file(want, pool, context)
    node, through = _find_place(want, begun, pool, source, context)
    size = _find_size(want, source, file)
    record = Record(
        id=volume_id,
        name=want.name,
        cluster=context.cluster.id,
        pool=pool,
        node=node,
        format=volume_format,
        provisioning=provisioning,
        size=size,
        cache=want.cache or "none",
        discard=want.discard or "unmap",
        limits=merge_limits(Limits(), want.limits),
        origin=_find_origin(want, source),
        description=want.description,
        protected=bool(want.protected),
        unfinished=True,
    )
    steps = _plan_steps(record, through, want, source, file, context)
    touches = (f"volume {source.record.name}", *instance_keys(source.uses)) if source else ()
    return Making(record, through, tuple(steps), touches)


# What it begins from


def _find_source(want: Volume, context: Context) -> _Source | None:
    if want.clone_of is None:
        return None
    record = context.records.get(want.clone_of)
    if record is None:
        raise RefusedError(f'there is no volume "{want.clone_of}" to clone')
    if record.unfinished and record.name not in context.planned:
        raise RefusedError(f"volume {record.name}, which it is to be a clone of, is not finished", "Finish that first.")
    is_linked = want.clone_mode == "linked"
    _require_quiet(record, is_linked, context)
    if record.name in context.planned:
        return _Source(record, (record.size or 0) * MIB, 0)
    facts = context.facts(record, f"volume {record.name}, which it is to be a clone of,")
    try:
        require_sound(record, facts)
    except RefusedError as refused:
        raise RefusedError(f"volume {record.name} cannot be cloned: {refused.what}", refused.remedy) from refused
    size = context.sizes.get(record.id, facts.capacity)
    return _Source(record, size, facts.allocation, context.uses.get(record.id, ()))


def _require_quiet(source: Record, is_linked: bool, context: Context) -> None:
    """A copy of what a guest is writing is the copy of nothing; and what others share must never be written again."""
    context.require_nobody_else(source, f"volume {source.name}")
    uses = context.uses.get(source.id, [])
    if not uses and source.instance is not None and source.instance in context.instances:
        context.require_answer(context.instances[source.instance])
    running = [use.user.name for use in uses if use.live is not None]
    holders = [use.user.name for use in uses] or [name for key, name in context.attached.items() if key == source.id]
    if is_linked and holders:
        raise RefusedError(
            f"volume {source.name} is attached to instance {holders[0]}: what linked clones share must not change",
            "Detach it first, or set clone_mode: full.",
        )
    if running:
        raise RefusedError(
            f"volume {source.name} is in use by instance {running[0]}, which runs: a copy would be of no moment",
            "Stop the instance, or detach the volume, first.",
        )


def _find_file(want: Volume, pool: Row, context: Context) -> ImportFile | None:
    if want.import_from is None:
        return None
    file = context.have.files.get(want.import_from)
    if file is None:
        raise RefusedError(f"{want.import_from.path} was not looked at", "Run again.")
    problems = file.problems if kind_of(pool).disk == "file" else (*file.problems, *file.unreadable)
    if problems:
        problem = problems[0]
        raise RefusedError(f"{want.import_from.path} cannot be imported: {problem.what}", problem.remedy)
    return file


def _find_origin(want: Volume, source: _Source | None) -> Mapping[str, str] | None:
    if source is not None:
        return {"clone": source.record.id, "name": source.record.name, "mode": want.clone_mode or "full"}
    if want.import_from is not None:
        return {"import": want.import_from.path, "format": want.import_from.format}
    return None


# What it will be


def _find_size(want: Volume, source: _Source | None, file: ImportFile | None) -> int:
    """Return its size in MiB."""
    least = source.size if source else file.virtual_size if file else 0
    if want.size is None:
        if not least:
            raise RefusedError("it does not exist yet", "To make it, say how large it is with size.")
        return mib(least)
    if want.size * MIB < least:
        what = want.import_from.path if want.import_from else "its source"
        raise RefusedError(
            f"{show_size(want.size)} is smaller than {what} of {show_size(mib(least))}",
            "Leave out size, or give one that is large enough.",
        )
    return want.size


# Where it will be


def _find_place(
    want: Volume, begun: Record | None, pool: Row, source: _Source | None, context: Context
) -> tuple[str | None, str]:
    """Return the node that it lies on (None: it is shared), and the node through which it is made."""
    source_node = source.record.node if source else None
    if is_shared(pool):
        if want.node is not None:
            raise RefusedError(f"storage pool {pool.name} is shared by its nodes", "Leave out node.")
        shelf = context.shelf((pool.id, ""))
        through = source_node or shelf.node
        _require_pool(pool, through, context)
    else:
        node = _choose_node(want, begun, pool, source_node, context)
        context.shelf((pool.id, node))
        if source_node is not None and source_node != node:
            raise RefusedError(
                f"volume {source.record.name if source else ''} lies on {source_node}, and the clone would on {node}",
                "Export it and import it there, or use a shared storage pool.",
            )
        through = node
    if source is not None and source.record.pool is not None:
        _require_pool(source.record.pool, through, context)
    return (None if is_shared(pool) else through), through


def _require_pool(pool: Row, node: str, context: Context) -> None:
    if node in context.have.down:
        raise FailedError(context.have.down[node])
    if pool.name not in context.have.active.get(node, frozenset()):
        raise RefusedError(
            f"storage pool {pool.name} is not available on {node}", "Run the storage stage of site.yml, which says why."
        )


def _choose_node(want: Volume, begun: Record | None, pool: Row, source_node: str | None, context: Context) -> str:
    if want.node is not None:
        return context.node(want.node)
    if begun is not None and begun.node is not None:
        return begun.node
    if source_node is not None:
        return source_node
    if want.attached_to:
        return context.user(want.attached_to).node
    free = {key[1]: left for key, left in context.space.items() if key[0] == pool.id and key[1]}
    if not free:
        down = [context.have.down[name] for name in sorted(context.have.down)]
        nowhere = Problem(
            f"storage pool {pool.name} is available on no node", "Run the storage stage of site.yml, which says why."
        )
        raise FailedError(down[0] if down else nowhere)
    return max(sorted(free), key=lambda name: free[name])


# How


def _plan_steps(
    record: Record,
    through: str,
    want: Volume,
    source: _Source | None,
    file: ImportFile | None,
    context: Context,
) -> list[Step]:
    if record.pool is None or record.size is None:
        raise ValueError(f"{record.name} has no place")
    kind = kind_of(record.pool)
    place = {"node": through, "pool": record.pool, "volume": record.file}
    form = {"format": record.format, "thick": record.provisioning == "thick", "size": record.size * MIB}
    steps: list[Step] = []
    needed = record.size * MIB if form["thick"] else 0
    has_its_size = source is None and file is None
    if source is not None:
        copied, taken, has_its_size = _plan_clone(record, source, {**place, **form}, want)
        steps.append(copied)
        needed = max(needed, taken)
    elif file is not None and want.import_from is not None:
        origin = {"path": want.import_from.path, "sha256": want.import_from.sha256, "length": file.size}
        origin["file_format"] = want.import_from.format
        if kind.disk != "file":
            needed = max(needed, min(file.size, record.size * MIB))
            has_its_size = True
            steps.append(Step("fill", f"import {want.import_from.path}", {**place, **form, **origin}))
        elif want.import_from.format == record.format:
            needed = max(needed, file.size)
            steps.append(Step("upload", f"import {want.import_from.path}", {**place, **form, **origin}))
        else:
            needed = max(needed, file.size) + file.size
            staging = standalone_volume(record.name, record.id, want.import_from.format, "import")
            steps.append(Step("upload", f"bring {want.import_from.path}", {**place, **origin, "volume": staging}))
            data = {**place, **form, "source": staging, "source_format": want.import_from.format}
            text = f"convert it from {want.import_from.format} to {record.format}"
            steps.append(Step("convert", text, data | {"source_pool": record.pool, "way": "libvirt"}))
    else:
        steps.append(Step("create", f"create it in {record.pool.name}", {**place, **form}))
    if not has_its_size:
        steps.append(Step("grow", f"let it have {show_size(record.size)}", {**place, **form}))
    steps.append(Step("verify", "verify it", {**place, **form, "backing": record.lies_upon}))
    context.take(record.key, needed)
    return steps


def _plan_clone(record: Record, source: _Source, data: Mapping[str, Any], want: Volume) -> tuple[Step, int, bool]:
    """Return (step, bytes that it takes, whether the clone has its final size at once)."""
    other = source.record
    if record.pool is None or other.pool is None:
        raise RefusedError(f"the storage pool of volume {other.name} is not registered any more")
    data = {**data, "source": other.file, "source_format": other.format, "source_pool": other.pool}
    data["source_backing"] = other.lies_upon
    if want.clone_mode == "linked":
        return Step("link", f"make it a linked clone of {other.name}", data), 0, False
    way = find_copy_way(other.pool, other.format, record.pool, record.format)
    if way is None:
        raise RefusedError(
            f"volume {other.name} is {other.format} in storage pool {other.pool.name}, and cannot become "
            f"{record.format} in storage pool {record.pool.name} by copying",
            "From files to other storage and back only raw is copied as raw; otherwise export it and import it there.",
        )
    has_its_size = way == "coordinator" or not kind_of(record.pool).grows
    return Step("clone", f"make it a copy of {other.name}", {**data, "way": way}), source.allocation, has_its_size
