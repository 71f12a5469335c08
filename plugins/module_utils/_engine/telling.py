# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a module's result tells it: what is done, what changes, and what waits. The diff says the same."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from .._model.plan import Change, Plan, Step, Work


def tell(plan: Plan) -> dict[str, list[Any]]:
    """Return what a result tells of a plan, by the names in it. Of what neither changes nor waits it tells nothing."""
    return {
        "actions": list_actions(plan),
        "changes": _list_each((work, work.changes) for work in plan.effective),
        "pending": _list_each((work, work.pending) for work in plan.all),
    }


def list_works(
    plan: Plan, known: Container[str | None], took_s: Mapping[str, float | None] | None = None
) -> list[dict[str, Any]]:
    """Return what is done to each resource on each node, as _run_plan.py shows it.

    known: the identifiers that were registered before. took_s: as of a Result; nothing where nothing is applied.
    """
    took_s = took_s or {}
    return [
        {
            "kind": work.kind,
            "name": work.name,
            "node": work.node,
            "does": "destroy" if work.is_removal else "change" if work.id in known else "make",
            "steps": [_name_step(step, work) for step in work.steps],
            "restarts": any(change.when == "next_boot" for change in work.changes),
            "loses_data": bool(work.loses) or any(change.when == "replace" for change in work.changes),
            "took_s": None if (seconds := took_s.get(work.label)) is None else round(seconds, 1),
            "failed": work.label in took_s and took_s[work.label] is None,
        }
        for work in plan.effective
    ]


def _name_step(step: Step, work: Work) -> str:
    """Return what a step does. One that changes what is registered says what of it."""
    options = ", ".join(dict.fromkeys(change.field for change in work.changes))
    return f"change {options}" if step.text == "change" and options else step.text


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
