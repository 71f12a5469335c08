# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a module's result tells it: what is done, what changes, and what waits. The diff says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._model.plan import Change, Plan, Work


def tell(plan: Plan) -> dict[str, list[Any]]:
    """Return what a result tells of a plan, by the names in it. Of what neither changes nor waits it tells nothing."""
    return {
        "actions": list_actions(plan),
        "changes": _list_each((work, work.changes) for work in plan.effective),
        "pending": _list_each((work, work.pending) for work in plan.all),
    }


def list_actions(plan: Plan) -> list[str]:
    """Return what is done, a line for each resource and node."""
    return [f"{work.label}: {summarise(work)}" for work in plan.effective]


def summarise(work: Work) -> str:
    """Say on one line what a work does."""
    return ", ".join(step.text for step in work.steps)


def _list_each(found: Iterable[tuple[Work, Iterable[Change]]]) -> list[dict[str, Any]]:
    return [
        {
            "kind": work.kind,
            "name": work.name,
            "node": work.node,
            "option": change.field,
            "before": _plain(change.before),
            "after": _plain(change.after),
            "when": change.when,
        }
        for work, changes in found
        for change in changes
    ]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it. Sizes stay numbers of MiB, as in what is told of the resources."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=str)
    return [_plain(one) for one in value] if isinstance(value, Iterable) else str(value)
