# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that failed runs have left: found by their names, and removed on request. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..._model.errors import Problem
from ..._model.names import parse_standalone
from ..._model.plan import Change, Step, Work
from ..._model.protection import explain, is_protected
from ..._model.rows import Row
from ..._model.sizes import show_size
from .places import is_shared
from .state import (
    LABEL,
    Record,
    Shelf,
    VolumeHave,
    mib,
    read_record,
)


@dataclass(frozen=True)
class Leftover:
    """A volume of our scheme that is no complete volume of ours. doubt: why it cannot be removed now.

    record: what is registered of it, if it is not finished.
    """

    shelf: Shelf
    file: str
    name: str
    id: str
    reason: str
    size: int
    record: Record | None = None
    doubt: str | None = None


def find_leftovers(have: VolumeHave) -> list[Leftover]:
    """Return what nothing refers to: no row, no instance, no other volume. Names of other schemes are passed over."""
    records = {row.id: read_record(row, have) for row in have.rows("volume")}
    shared = {facts.backing_volume for shelf in have.shelves.values() for facts in shelf.volumes.values()}
    mentioned = frozenset().union(*have.mentioned.values()) if have.mentioned else frozenset()
    found = []
    for shelf in have.shelves.values():
        for file, facts in sorted(shelf.volumes.items()):
            parsed = parse_standalone(file)
            if parsed is None or file in shared or file in mentioned:
                continue
            record = records.get(parsed.id)
            is_itself = record is not None and record.key == _key(shelf) and record.file == file
            if record is not None and not record.unfinished and (is_itself or record.pool is None):
                continue  # of one whose pool is gone nobody can tell which file it is
            found.append(
                Leftover(
                    shelf,
                    file,
                    parsed.name,
                    parsed.id,
                    _reason(parsed.step, record, is_itself),
                    facts.allocation,
                    record if is_itself else None,
                    find_doubt(shelf, have),
                )
            )
    return found


def _key(shelf: Shelf) -> tuple[str, str]:
    return (shelf.pool.id, "" if is_shared(shelf.pool) else shelf.node)


def _reason(step: str | None, record: Record | None, is_itself: bool) -> str:
    if is_itself:
        return "its making was not finished; the same declaration makes it anew"
    if step is not None:
        return f"it was on its way {'from' if step == 'import' else 'to'} a file"
    if record is not None:
        return f"volume {record.name} is registered under its identifier, and is another one"
    return "no volume is registered under its identifier"


def find_doubt(shelf: Shelf, have: VolumeHave) -> str | None:
    """A node that does not answer may run an instance that has it."""
    if not is_shared(shelf.pool):
        return None
    silent = sorted(name for name in have.down if any(row.name == name for row in have.rows("node", shelf.pool.scope)))
    return f"{', '.join(silent)} may use it, and does not answer" if silent else None


def plan_purge(have: VolumeHave, wanted: Collection[tuple[str, str]]) -> tuple[list[Work], list[Problem]]:
    """Plan to remove leftovers, and rows of volumes that were begun. wanted: (cluster, name) of what is declared.

    Returns (works, problems of what cannot be removed now).
    """
    works: list[Work] = []
    problems: list[Problem] = []
    done: set[str] = set()
    for left in find_leftovers(have):
        if left.record is not None and (left.record.cluster, left.record.name) in wanted:
            continue
        protection = _find_protection(left, have)
        if protection is not None:
            problems.append(protection)
            continue
        if left.doubt is not None:
            problems.append(
                Problem(
                    f"{left.file} in storage pool {left.shelf.pool.name} cannot be removed: {left.doubt}",
                    "Run again when it answers.",
                    resource=f"volume {left.name}",
                )
            )
            continue
        data = {"node": left.shelf.node, "pool": left.shelf.pool, "volume": left.file}
        steps = [Step("delete", f"remove the leftover {left.file}", data)]
        if left.record is not None:
            steps += forget(left.record, have)
            done.add(left.record.id)
        where = f"{left.shelf.pool.name} on {left.shelf.node}"
        size = f"{show_size(mib(left.size))} written" if left.size else "empty"
        works.append(
            Work(
                kind="volume",
                name=left.name,
                id=left.id,
                node=left.shelf.node,
                steps=tuple(steps),
                changes=(Change("leftover", left.file, None),),
                loses=(f"the leftover {left.file} in {where} ({size})",),
            )
        )
    works += _forget_begun(have.rows("volume"), have, wanted, done)
    return works, problems


def _find_protection(left: Leftover, have: VolumeHave) -> Problem | None:
    """Return why a leftover stays: its storage pool is protected, or the volume that has its identifier is."""
    label = f"volume {left.name}"
    if is_protected(left.shelf.pool):
        reason, remedy = explain(f"{left.file} cannot be removed")
        return Problem(f"it lies in storage pool {left.shelf.pool.name}: {reason}", remedy, resource=label)
    row = have.by_id.get(left.id)
    if is_protected(row):
        return Problem(*explain(f"{left.file}, which has its identifier, cannot be removed"), resource=label)
    return None


def _forget_begun(
    rows: Sequence[Row], have: VolumeHave, wanted: Collection[tuple[str, str]], done: Collection[str]
) -> list[Work]:
    """A killed run may have registered a volume, and not have come to making it."""
    works = []
    for row in rows:
        record = read_record(row, have)
        shelf = have.shelves.get(record.key)
        if not record.unfinished or record.id in done or (row.scope, row.name) in wanted or shelf is None:
            continue
        changes = (Change("name", record.name, None),)
        steps = tuple(forget(record, have))
        works.append(Work(kind="volume", name=record.name, id=record.id, steps=steps, changes=changes))
    return works


def forget(record: Record, have: VolumeHave) -> list[Step]:
    """Return the steps that take a volume out of the registry and off the nodes' labels."""
    steps = []
    key = f"{LABEL}{record.name}"
    for node, labels in sorted(have.labels.items()):
        if record.id in labels.get(key, ""):
            steps.append(Step("label", f"take its label off {node}", {"node": node, "labels": {key: None}}))
    return [*steps, Step("unregister", "forget it", {"id": record.id})] if record.is_registered else steps
