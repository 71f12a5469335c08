# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that live on their own, as results for people and programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..._model.names import serial_of
from ..hierarchy.plan import find_all
from .leftovers import find_leftovers
from .state import (
    Record,
    Use,
    VolumeHave,
    find_protector,
    find_uses,
    mib,
    read_record,
)


def describe_volumes(names: Sequence[tuple[str | None, str]] | None, have: VolumeHave) -> list[dict[str, Any]]:
    """Return volumes as results. names are (cluster reference or None, name) in the wanted order; None means all."""
    rows = find_all(names, have.volumes(), have.hierarchy.clusters)
    uses = find_uses(have.users)
    clusters = {row.id: row.name for row in have.hierarchy.clusters}
    instances = {row.id: row.name for row in have.rows("instance")}
    records = [read_record(row, have) for row in have.volumes()]
    linked: dict[str, list[str]] = {}
    for record in records:
        if record.linked_to is not None:
            linked.setdefault(record.linked_to, []).append(record.name)
    by_id = {record.id: record for record in records}
    return [
        _describe(by_id[row.id], uses.get(row.id, []), linked.get(row.id, []), clusters, instances, have)
        for row in rows
    ]


def _describe(
    record: Record,
    uses: Sequence[Use],
    clones: Sequence[str],
    clusters: Mapping[str, str],
    instances: Mapping[str, str],
    have: VolumeHave,
) -> dict[str, Any]:
    shelf = have.shelves.get(record.key)
    facts = shelf.volumes.get(record.file) if shelf else None
    origin = record.origin or {}
    use = uses[0] if uses else None
    # Of an instance on a node that does not answer only the registry tells.
    holder = use.user.name if use else instances.get(record.instance or "") if have.down else None
    if shelf is None:
        status = "unknown"
    elif record.unfinished:
        status = "unfinished"
    elif facts is None:
        status = "missing"
    elif not record.is_registered and not holder:
        status = "kept"
    else:
        status = "attached" if holder else "available"
    return {
        "id": record.id,
        "name": record.name,
        "cluster": clusters.get(record.cluster),
        "pool": record.pool.name if record.pool else None,
        "node": record.node,
        "file": record.file,
        "status": status,
        "size": mib(facts.capacity) if facts else record.size,
        "allocation": mib(facts.allocation) if facts else None,
        "format": record.format,
        "provisioning": record.provisioning,
        "attached_to": holder,
        "target": use.any.disk.target if use else None,
        "serial": serial_of(record.id),
        "cache": record.cache,
        "discard": record.discard,
        "limits": {key: value for key, value in asdict(record.limits).items() if value is not None},
        "clone_of": origin.get("name"),
        "clone_mode": origin.get("mode"),
        "imported_from": origin.get("import"),
        "linked_clones": sorted(clones),
        "description": record.description,
        "protected": record.protected or find_protector(record, have) is not None,
    }


def describe_leftovers(have: VolumeHave) -> list[dict[str, Any]]:
    """Return what failed runs have left, as results."""
    return [
        {
            "file": left.file,
            "pool": left.shelf.pool.name,
            "node": left.shelf.node,
            "name": left.name,
            "id": left.id,
            "allocation": mib(left.size),
            "reason": left.reason if left.doubt is None else f"{left.reason}; {left.doubt}",
        }
        for left in find_leftovers(have)
    ]
