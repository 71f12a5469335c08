# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a table, at one element of a definition: reading, writing, comparing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._fields.field import Field, Table, created
from ..._fields.secrets import HIDDEN
from ..._model.plan import Change, When

Wanted = Mapping[str, Any]


def write_rows(table: Table, element: Any, wanted: Wanted) -> None:
    """Take one of many devices to what is wanted of it; None is not managed, at any depth."""
    write_field("", Field(kind="dict", table=table, help=""), element, wanted)


def write_live_rows(table: Table, element: Any, wanted: Wanted) -> None:
    """Take a running device to what is wanted of it, as far as that takes effect at once."""
    for _path, field, value in iterate_rows(Field(kind="dict", table=table, help=""), wanted, ()):
        if field.effect == "live" and field.at is not None and not is_same(field, field.at.read(element), value):
            field.at.write(element, value)


def create_rows(table: Table) -> dict[str, Any]:
    """Return what a new device is of which nothing is said."""
    made = created(table, {key: {} for key, field in table.items() if field.table is not None})
    return {key: value for key, value in made.items() if value is not None}


def differ_rows(table: Table, path: str, before: Wanted, after: Wanted) -> list[Change]:
    """Return how one of many devices differs from what is wanted. path: its own, below the instance."""
    changes = []
    for inner, field, value in iterate_rows(Field(kind="dict", table=table, help=""), after, ()):
        was = value_at(before, inner)
        if not is_same(field, was, value):
            when: When = "live" if field.effect == "live" else "next_boot"
            changes.append(Change(".".join((path, *inner)), was, value, when))
    return changes


def merge_rows(before: Wanted, named: Wanted) -> dict[str, Any]:
    """Return what a device is to be: as it was, where nothing is named."""
    merged = dict(before)
    for key, value in named.items():
        was = merged.get(key)
        if value is not None:
            merged[key] = merge_rows(was, value) if isinstance(value, Mapping) and isinstance(was, Mapping) else value
    return merged


def value_at(values: Wanted, path: Sequence[str]) -> Any:
    """Return the value at a path; None where nothing is."""
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if found not in ("", ()) else None


def is_same(field: Field, one: Any, other: Any) -> bool:
    """Compare two values of a row; those of a list of tables row by row. In a set of tables the first row of each tells
    one from another.
    """
    if one is None or other is None:
        return one is other
    inner = field.element.table if field.element is not None else None
    if field.compare == "set" and inner is None:
        return set(one) == set(other)
    if inner is not None:
        if field.compare == "set":
            key = next(iter(inner))
            one, other = (sorted(items, key=lambda item: item[key]) for items in (one, other))
        return len(one) == len(other) and all(
            is_same(row, was.get(key), now.get(key))
            for was, now in zip(one, other, strict=True)
            for key, row in inner.items()
        )
    return bool(one == other)


def change_of(name: str, field: Field, before: Any, after: Any, when: When) -> Change:
    """Return how a value changes, for people. Of two secrets it is told that they differ."""
    if field.no_log and before is not None and after is not None:
        return Change(name, "another one", "as declared", when)
    return Change(name, show(field, before), show(field, after), when)


def without_secrets(table: Table, values: Wanted) -> dict[str, Any]:
    """Return what is there of a table but for what is secret."""
    return {
        key: without_secrets(inner, values[key]) if (inner := field.table) is not None else values[key]
        for key, field in table.items()
        if key in values and not field.no_log
    }


def show(field: Field, value: Any) -> Any:
    """Return a value for people: of a list of tables a text for each."""
    if field.no_log and value is not None:
        return HIDDEN
    table = field.element.table if field.element is not None else None
    if table is None or value is None:
        return value
    return tuple(
        "; ".join(f"{key} {_show_one(one[key])}" for key in table if one.get(key) is not None) for one in value
    )


def _show_one(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def iterate_rows(field: Field, wanted: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Field, Any]]:
    """Yield (path, row, value) of everything that is wanted, at any depth. An empty text is None: it takes away."""
    if field.at is not None:
        yield path, field, (None if wanted in ("", ()) else wanted)
    elif field.table is not None:
        for key, inner in field.table.items():
            if wanted.get(key) is not None:
                yield from iterate_rows(inner, wanted[key], (*path, key))


def read_field(field: Field, element: Any) -> Any:
    """Return what an element says of a row, or of the rows below it; None for nothing."""
    if field.at is not None:
        return field.at.read(element)
    return (read_rows(field.table, element) or None) if field.table is not None else None


def read_rows(table: Table, element: Any) -> dict[str, Any]:
    """Return what an element says of the rows of a table; a row of which it says nothing is left out."""
    return {key: value for key, field in table.items() if (value := read_field(field, element)) is not None}


def write_field(option: str, field: Field, element: Any, values: Any) -> None:
    """Write what is not there yet: what is written in another way, and is the same, stays as it is."""
    for _path, row, value in iterate_rows(field, values, (option,)):
        if row.at is not None and not is_same(row, row.at.read(element), value):
            row.at.write(element, value)
