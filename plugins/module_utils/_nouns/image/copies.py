# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which copies of images are complete, as the registry records it.

Several threads, and runs on different pools, record copies of one image: each change reads and writes the row in one
transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..._doors.registry.store import Registry
from ..._model.rows import Row
from .plan.state import site_key
from .versions import (
    keep_copies,
    newest_of,
    older_of,
    with_versions,
)


def record_copy(registry: Registry, image_id: str, key: str) -> None:
    """Note that a copy of the newest content is complete."""
    change_images(registry, lambda row: row.id == image_id, lambda row: _with_copy(row, key))


def withdraw_copy(registry: Registry, image_id: str, key: str) -> None:
    """Note that a copy is about to be written anew: half of it has the same name, and must not count."""

    def drop(row: Row) -> Row:
        return keep_copies(row, lambda version, one: (version.id, one) != (image_id, key))

    change_images(registry, lambda row: row.id == image_id, drop)


def forget_copy(registry: Registry, scope: str, name: str, key: str, volume: str) -> None:
    """Note that a copy has been deleted, of whichever version."""

    def drop(row: Row) -> Row:
        return keep_copies(row, lambda version, one: not (one == key and volume.startswith(f"{version.id}.")))

    change_images(registry, lambda row: (row.scope, row.name) == (scope, name), drop)


def forget_copies(registry: Registry, pool_id: str, node_id: str) -> None:
    """Note that a pool has left a node, and the copies in it with it."""
    gone = {site_key(pool_id, node_id), site_key(pool_id, None)}
    change_images(registry, lambda _: True, lambda row: keep_copies(row, lambda _, key: key not in gone))


def change_images(registry: Registry, concerns: Callable[[Row], bool], change: Callable[[Row], Row]) -> None:
    """Change images, in one transaction."""

    def write() -> None:
        rows = [row for row in registry.rows("image") if concerns(row)]
        changed = [(row, change(row)) for row in rows]
        registry.put([after for before, after in changed if after != before])

    registry.transaction(write)


def _with_copy(row: Row, key: str) -> Row:
    newest = newest_of(row)
    return with_versions(row, replace(newest, copies=tuple(sorted({*newest.copies, key}))), older_of(row))
