# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools, as results for people and programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ...._model.errors import Problem
from ...._model.protection import is_protected
from ...._model.rows import AssociationRow, Row, name_of
from ...hierarchy.plan import find, find_all
from ..spec import NETWORKED
from .state import PoolHave, SeenPool, associations_of, seen_ours

Status = Literal["unassigned", "available", "error", "propagating", "destroying"]


def describe_pools(names: Sequence[tuple[str | None, str]] | None, have: PoolHave) -> list[dict[str, Any]]:
    """Return pools as results. names are (cluster reference or None, name) in the wanted order; None means all."""
    return [_describe(row, have) for row in find_all(names, have.pools, have.clusters)]


def _describe(row: Row, have: PoolHave) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = []
    for association in associations_of(row, have):
        node = find(association.node, have.nodes)
        if node is None:
            continue
        seen = seen_ours(row, have.seen.get(node.name))
        status, error = _node_status(row, association, seen, have.down.get(node.name))
        stored = association.attributes
        nodes.append(
            {
                "name": node.name,
                "enabled": bool(stored.get("enabled")),
                "status": status,
                "error": error,
                "error_at": stored.get("error_at") if error is not None and error == stored.get("error") else None,
                "capacity": seen.capacity if seen else 0,
                "allocation": seen.allocation if seen else 0,
                "available": seen.available if seen else 0,
            }
        )
    nodes.sort(key=lambda node: str(node["name"]))
    counted = [node for node in nodes if node["status"] == "available"]
    if row.attributes["shared"]:
        counted = counted[:1]
    return {
        "id": row.id,
        "name": row.name,
        "cluster": name_of(row.scope, have.clusters),
        "type": row.attributes["type"],
        "path": row.attributes["path"],
        "shared": row.attributes["shared"],
        "description": row.attributes.get("description"),
        "protected": is_protected(row),
        "status": _pool_status(row, [node["status"] for node in nodes]),
        "capacity": sum(node["capacity"] for node in counted),
        "allocation": sum(node["allocation"] for node in counted),
        "available": sum(node["available"] for node in counted),
        "nodes": nodes,
    }


def _node_status(
    row: Row, association: AssociationRow, seen: SeenPool | None, down: Problem | None
) -> tuple[Status, str | None]:
    stored = association.attributes
    if not stored.get("enabled"):
        return "destroying", stored.get("error")
    if down is not None:
        return "error", down.what
    is_active = seen is not None and seen.active
    # libvirt does not notice when a server goes: what propagation has found out counts until it finds otherwise.
    if stored.get("error") and (not is_active or row.attributes["type"] in NETWORKED):
        return "error", stored["error"]
    if is_active:
        return "available", None
    if seen is not None:
        return "error", "it is defined, but stopped"
    if stored.get("internal_id"):
        return "error", "it is not defined any more"
    return "propagating", None


def _pool_status(row: Row, statuses: Sequence[str]) -> Status:
    if row.attributes.get("deleting"):
        return "destroying"
    if not statuses:
        return "unassigned"
    if "error" in statuses:
        return "error"
    return "available" if set(statuses) == {"available"} else "propagating"
