# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values and operations of RFC 7047."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Operation = Mapping[str, Any]
Uuid = str


# Section 5.1: a map is written as ["map", [[key, value], ...]], a set of one as its element, a reference as
# ["uuid", text].


def map_of(values: Mapping[str, str]) -> Any:
    """Return a map as a column's value."""
    return ["map", [[key, value] for key, value in values.items()]]


def mutate(table: str, where: list[Any], column: str, mutator: str, value: Any) -> Operation:
    """Return the operation that changes one column of the rows that match; an empty `where` matches all."""
    return {"op": "mutate", "table": table, "where": where, "mutations": [[column, mutator, value]]}


def edit_map(table: str, where: list[Any], column: str, values: Mapping[str, str | None]) -> list[Operation]:
    """Return the operations that set keys of a map and remove those whose value is None. Other keys stay."""
    if not values:
        return []
    # "insert" keeps a key that is there already, so it is removed first.
    fresh = {key: value for key, value in values.items() if value is not None}
    operations = [mutate(table, where, column, "delete", ["set", list(values)])]
    if fresh:
        operations.append(mutate(table, where, column, "insert", map_of(fresh)))
    return operations


def id_of(row: Mapping[str, Any]) -> Uuid:
    return str(row["_uuid"][1])


def items_of(value: Any) -> list[Any]:
    items = value[1] if isinstance(value, list) and value[0] == "set" else [value]
    return [item[1] if isinstance(item, list) else item for item in items]


def optional(value: Any) -> Any:
    items = items_of(value)
    return items[0] if items else None


def some(value: Any) -> Any:
    return ["set", []] if value is None else value


def refs(ids: Iterable[Uuid]) -> Any:
    return ["set", [["uuid", id_] for id_ in ids]]


def update(table: str, where: list[Any], row: Mapping[str, Any]) -> Operation:
    return {"op": "update", "table": table, "where": where, "row": dict(row)}
