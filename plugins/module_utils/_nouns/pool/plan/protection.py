# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools that are to leave nodes, and must not: they are protected, or images are that lie in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...._model.errors import Problem
from ...._model.protection import explain, is_protected
from ...._model.rows import Row, names_of
from ...image.versions import find_last_copies
from .state import PoolHave, associations_of
from .targets import Target


def find_protected(targets: Sequence[Target], have: PoolHave) -> Iterator[Problem]:
    """Yield a refusal for each pool that is protected, or that holds the last copy of a protected image's content.

    A shared pool may be taken off some of its nodes: the others still have all of it.
    """
    going: dict[str, Row] = {}
    for target in targets:
        row = target.row
        if row is None:
            continue
        leaving = _find_leaving(target, row, have)
        is_kept = bool(row.attributes["shared"]) and bool(target.nodes)
        if is_protected(row) and target.want.state == "absent":
            yield Problem(*explain("cannot be removed"), resource=f"pool {row.name}")
        elif is_protected(row) and leaving and not is_kept:
            what = f"cannot be taken off {', '.join(names_of(leaving, have.nodes))}"
            yield Problem(*explain(what), resource=f"pool {row.name}")
        elif leaving and not is_kept:
            going |= dict.fromkeys([f"{row.id}/", *(f"{row.id}/{node}" for node in leaving)], row)
    known = {row.id for row in (*have.nodes, *have.pools)}
    for image, keys in find_last_copies([one for one in have.images if is_protected(one)], set(going), known):
        for pool in dict.fromkeys(going[key].name for key in keys):
            what, remedy = explain("the last copy of a content of it would go")
            yield Problem(f"image {image.name} lies in it: {what}", remedy, resource=f"pool {pool}")


def _find_leaving(target: Target, row: Row, have: PoolHave) -> list[str]:
    """Return the identifiers of the nodes that have the pool, and are to have it no more."""
    members, stay = {node.id for node in have.nodes}, {node.id for node in target.nodes}
    return [
        one.node
        for one in associations_of(row, have)
        if one.node in members and one.node not in stay and one.attributes.get("enabled")
    ]
