# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of vSwitches and port groups, as plans register and forget them, and where they are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..._model.draft import Draft
from ..._model.plan import Change, Step, work_on
from ..._model.rows import Row


def is_on(vswitch: Row, node: Row) -> bool:
    return node.id in vswitch.attributes.get("nodes", (node.id,))


def names_elsewhere(vswitches: Iterable[Row], node: Row) -> frozenset[str]:
    """Return the names of the vSwitches of a node's cluster that it does not have: a network of such a name there is
    somebody else's.
    """
    return frozenset(row.name for row in vswitches if row.scope == node.scope and not is_on(row, node))


def plan_registration(row: Row | None, new: Row, changes: Sequence[Change], draft: Draft) -> None:
    """Plan to register what is new, or what changes. row: as it is registered; changes: of its attributes."""
    if row == new:
        return
    step = Step("register", "register" if row is None else "change", {"row": new})
    made = () if row else (Change("name", None, new.name),)
    draft.first.append(work_on(new, [step], [*made, *changes]))


def plan_forgetting(row: Row, draft: Draft, *, within: Sequence[Row] = (), changes: Sequence[Change] = ()) -> None:
    """Plan to forget a row once it is gone from the nodes. within: what goes with it, and changes what that means."""
    step = Step("forget", "remove", {"ids": [*(one.id for one in within), row.id]})
    draft.last.append(work_on(row, [step], [Change("name", row.name, None), *changes]))
