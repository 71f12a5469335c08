# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who carries what to where, and what nobody can tell of copies. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.draft import Draft
from ...._model.errors import Problem
from ...._model.rows import Row
from ..versions import Version
from .state import ImageHave, Site, site_of, volumes_of


def worker_of(site: Site, have: ImageHave) -> Row | None:
    """Return the node through which a place is written: the first that has the pool in use."""
    return next((node for node in site.through if volumes_of(site, node, have) is not None), None)


def worker_or_failure(site: Site, have: ImageHave, draft: Draft, label: str) -> Row | None:
    worker = worker_of(site, have)
    if worker is not None:
        return worker
    for node in site.through:
        if node.name in have.down:
            draft.note_down(node.name, have.down)
        elif (node.name, site.pool.id) in have.unusable:
            draft.failures.append(
                Problem(
                    have.unusable[node.name, site.pool.id],
                    "Mend it with pextra_pool, or run site.yml --tags storage.",
                    node.name,
                    label,
                )
            )
    return None


def show_lost(row: Row, version: Version) -> str:
    return (
        f"version {version.number} of image {row.name} (SHA-256 {version.sha256[:12]}…), kept because of retention: "
        "if its source has gone, it cannot be had again"
    )


def find_blind(row: Row, keys: Sequence[str], have: ImageHave) -> list[Problem]:
    """A copy goes only when every node that could use it says that it does not."""
    blind = {
        node.name
        for key in keys
        if (site := site_of(key, have)) is not None
        for node in site.through
        if node.name in have.down
    }
    return [
        Problem(
            f"nobody can tell whether instances use it there: {have.down[node].what}",
            "Bring the node back, or let it leave the cluster first.",
            node,
            f"image {row.name}",
        )
        for node in sorted(blind)
    ]
