# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing volumes to files of the coordinator. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ..._model.errors import Problem
from ..._model.names import standalone_volume
from ..._model.plan import (
    Change,
    Plan,
    Step,
    Work,
)
from ..hierarchy.plan import find_cluster
from ..volume.context import (
    Context,
    FailedError,
    RefusedError,
    require_sound,
)
from ..volume.forms import BLOCK_FORMATS
from ..volume.places import kind_of
from ..volume.state import VolumeHave, instance_keys
from .spec import Export


def plan_exports(wants: Sequence[Export], have: VolumeHave, files: Mapping[str, str], done: Collection[str]) -> Plan:
    """Plan what is to be written.

    files: what is at each path on the coordinator: nothing, file, or why nothing can be written there. done: paths
    that this call has written already.
    """
    works: list[Work] = []
    refusals: list[Problem] = []
    failures: list[Problem] = []
    for number, want in enumerate(wants):
        label = f"volume {want.name}"
        cluster = find_cluster(want.cluster, have.hierarchy.clusters)
        if isinstance(cluster, str):
            refusals.append(Problem(cluster, resource=label))
            continue
        try:
            if any(other.path == want.path for other in wants[:number]):
                raise RefusedError(f"{want.path} is given twice", "Give each volume a file of its own.")
            if want.path not in done:
                works.append(_plan_one(want, Context.of(cluster, have), files[want.path]))
        except RefusedError as refused:
            refusals.append(Problem(refused.what, refused.remedy, resource=label))
        except FailedError as error:
            failures.append(replace(error.problem, resource=label))
    return Plan(works=tuple(works), refusals=tuple(refusals), failures=tuple(failures))


def _plan_one(want: Export, context: Context, at_path: str) -> Work:
    record = context.records.get(want.name)
    if record is None:
        raise RefusedError("there is no such volume")
    if record.unfinished:
        raise RefusedError("its making is not finished", "Let pextra_volume finish it first.")
    if at_path == "file" and not want.overwrite:
        raise RefusedError(f"{want.path} is there already", "Choose another path, or set overwrite: true.")
    if at_path not in ("nothing", "file"):
        raise RefusedError(f"{want.path} cannot be written: {at_path}", "Choose another path.")
    context.require_nobody_else(record)
    uses = context.uses.get(record.id, [])
    if not uses and record.instance is not None and record.instance in context.instances:
        context.require_answer(context.instances[record.instance])
    running = [use.user.name for use in uses if use.live is not None]
    if running:
        raise RefusedError(
            f"it is in use by instance {running[0]}, which runs: a copy would be of no moment",
            "Stop the instance, or detach the volume, first.",
        )
    shelf = context.shelf(record.key)
    facts = context.facts(record, "it")
    require_sound(record, facts)
    holds_files = kind_of(shelf.pool).disk == "file"
    if not holds_files and want.format not in BLOCK_FORMATS:
        raise RefusedError(
            f"from storage pool {shelf.pool.name} of type {shelf.pool.attributes['type']} files of the formats "
            f"{' and '.join(BLOCK_FORMATS)} can be written, and {want.format} cannot",
            f"Export it as qcow2, and convert the file: qemu-img convert -f qcow2 -O {want.format} IN OUT.",
        )
    data = {
        "node": shelf.node,
        "pool": shelf.pool,
        "source": record.file,
        "source_format": record.format,
        "backing": facts.backing is not None,
        "format": want.format,
        "path": want.path,
        "overwrite": want.overwrite,
    }
    steps = []
    if holds_files and (record.format != want.format or facts.backing is not None):
        # What it shares with others is in the copy.
        staging = standalone_volume(record.name, record.id, want.format, "export")
        context.take(record.key, facts.allocation)
        steps.append(Step("convert", f"convert it to {want.format}", {**data, "staging": staging}))
        data["staging"] = staging
    steps.append(Step("download", f"write it to {want.path}", data))
    return Work(
        kind="volume",
        name=want.name,
        id=record.id,
        node=shelf.node,
        steps=tuple(steps),
        changes=(Change("file", None, want.path),),
        touches=instance_keys(uses),
    )
