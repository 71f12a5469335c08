# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Protection: what is protected is neither removed nor replaced, and loses no data, whatever a call consents to. Pure.

What counts is what is registered, not what a call wants: so protection ends in one run, and destroying is another's.
Planners refuse by the words of this file; the engine asks `find_destroyed` once more when it decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from .errors import Problem
from .plan import Change, Work
from .rows import Row

# The kinds that have the option.
KINDS = ("pool", "image", "instance", "volume")
REMEDY = "Set protected: false in a run of its own first."


def is_protected(row: Row | None) -> bool:
    return row is not None and bool(row.attributes.get("protected"))


def attribute_of(protected: bool) -> dict[str, bool]:
    """Return what a row says of it. One that is not protected says nothing, as those of older versions."""
    return {"protected": True} if protected else {}


def with_protection(row: Row) -> Row:
    return replace(row, attributes={**row.attributes, **attribute_of(True)})


def without_protection(row: Row) -> Row:
    return replace(row, attributes={key: value for key, value in row.attributes.items() if key != "protected"})


def changes_of(before: bool, after: bool) -> list[Change]:
    return [Change("protected", before, after)] if before is not after else []


def explain(what: str) -> tuple[str, str]:
    """Return why something is refused, and what to do. what: a clause, such as `cannot be removed`."""
    return f"it is protected, and {what}", REMEDY


def find_contradiction(values: Mapping[str, Any]) -> str | None:
    """Return what is wrong with `protected` of one resource by itself. values: normalised, by option."""
    if values.get("protected") and values.get("state") == "absent":
        return (
            "is true, and state is absent: what is protected stays; write protected: false with state: present, "
            "run it, then write state: absent"
        )
    return None


def find_destroyed(works: Iterable[Work], rows: Collection[Row]) -> list[Problem]:
    """Return a refusal for each work that removes or destroys something protected. rows: all of KINDS."""
    protected = {row.id: row for row in rows if is_protected(row)}
    problems = []
    for work in works:
        if work.destroys:
            ids = dict.fromkeys((work.id, *(step.data.get("id") for step in work.steps)))
            found = [protected[id_] for id_ in ids if id_ in protected]
            what, remedy = explain(f"this would do: {', '.join(step.text for step in work.steps)}")
            problems += [Problem(what, remedy, work.node, f"{row.kind} {row.name}") for row in found]
    return problems
