# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of storage pools, and which nodes have to do with them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...._model.errors import Problem
from ...._model.rows import AssociationRow, Row
from ..definition import PoolDefinition
from ..identity import uuid_on


class SeenPool(NamedTuple):
    """A pool as one node's libvirt has it. Sizes are bytes, 0 when it is stopped.

    persistent: whether it is still there once it is stopped. xml: all that libvirt says of it.
    """

    definition: PoolDefinition
    active: bool
    autostart: bool
    capacity: int = 0
    allocation: int = 0
    available: int = 0
    persistent: bool = True
    xml: str = ""


@dataclass(frozen=True)
class SeenNode:
    """What a node has. volumes (names) and users (instances) are by pool name, read only where a pool leaves.

    A pool that has no entry in volumes was not read, and nobody can tell what it holds; unread says why, where libvirt
    could not look. secrets: the UUIDs of libvirt's secrets, read only where a pool has a credential.
    """

    pools: tuple[SeenPool, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unread: Mapping[str, Problem] = field(default_factory=dict)
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PoolHave:
    """Registry and nodes. seen is by the names of the nodes that answer, down says why the others do not."""

    clusters: tuple[Row, ...]
    nodes: tuple[Row, ...]
    pools: tuple[Row, ...]
    associations: tuple[AssociationRow, ...]
    seen: Mapping[str, SeenNode] = field(default_factory=dict)
    down: Mapping[str, Problem] = field(default_factory=dict)
    # Why a pool's source cannot be used, by (pool, node) names; a directory is made where it is missing.
    bad_sources: Mapping[tuple[str, str], str] = field(default_factory=dict)
    # The digests of the keys of Ceph that the coordinator keeps, by the pool's identifier.
    kept_keys: Mapping[str, str] = field(default_factory=dict)
    images: tuple[Row, ...] = ()
    # Volumes that live on their own, read where a pool leaves: registered they count, seen or not.
    volumes: tuple[Row, ...] = ()
    # Whether all nodes were read, to tell what is not ours.
    tells_foreign: bool = False


def associations_of(row: Row, have: PoolHave) -> list[AssociationRow]:
    return [association for association in have.associations if association.resource == row.id]


def seen_ours(row: Row, node: SeenNode | None) -> SeenPool | None:
    if node is None:
        return None
    uuid = uuid_on(row, node.labels)
    return next((pool for pool in node.pools if pool.definition.uuid == uuid), None)


def fresh_association() -> dict[str, Any]:
    """was_available: whether the pool has ever been there; older versions did not write it down, and nobody knows."""
    fresh: dict[str, Any] = {
        "internal_id": None,
        "enabled": True,
        "status": "propagating",
        "error": None,
        "error_at": None,
    }
    return {**fresh, "was_available": False}


def enabled_on(down: Problem | None) -> dict[str, Any]:
    """error_at is filled in when it is written."""
    return {"enabled": True, "status": "error" if down else "propagating", "error": down.what if down else None}


def of_pool(problem: Problem, label: str) -> Problem:
    return Problem(problem.what, problem.remedy, problem.node, problem.resource or label)
