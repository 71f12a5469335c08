# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table of fields per resource: parsed here, and the source of argument specs, JSON Schema and docs.

A table maps option names to `Field`s. `parse` takes what a person wrote and returns normalised values together
with every mistake found; it never raises for bad input. Values that are absent become the field's default;
`None` means "not managed". A document states a whole: parsed as `whole`, what it does not say becomes what a new
resource would get.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from .._model.mistake import (
    Mistake,
    find_nearest,
    shown,
    shown_key,
    suggest,
)
from .._model.sizes import parse_size_mib, show_size
from .plain import Unreadable

Kind = Literal["str", "int", "float", "bool", "size", "list", "dict", "raw"]
# When a difference takes effect on a running instance: at once, by plugging, by the next start, by making it again with
# the loss of what it holds, or never: fixed when it was made.
Effect = Literal["live", "hot_plug", "next_boot", "replace", "fixed"]
# How a value is told from another: a set's elements have no order, nor have rows that are told by their names.
Compare = Literal["value", "set"]


class Place(Protocol):
    """Where an option stands in a definition in XML. Values are normalised; None means that it is not there."""

    def read(self, element: Any) -> Any:
        """Return the value below the element."""

    def write(self, element: Any, value: Any) -> None:
        """Put the value there and keep everything else; None takes it away."""


class _Required:
    """Has one value, REQUIRED."""


# For `create`: a new resource cannot do without it, and a call for one that exists need not say it.
REQUIRED = _Required()


@dataclass(frozen=True, kw_only=True)
class Field:
    """One option.

    kind: `size` is text such as `2 GiB`, normalised to an int of MiB; `dict` needs `table`; `list` needs `element`.
    check: takes a normalised value, returns what is wrong with it (a clause that ends a sentence) or None.
    default: belongs to the call, and is there in each (`state`); create: what a new resource gets that does not say
    it, normalised, or REQUIRED; it is never compared with one that exists. A field has one of the two at most.
    at: its place in the definition, for options of which nothing else need be known. effect: when a difference of it
    takes effect. compare: how it is told from what there is. is_expanded: a running guest's definition says it in other
    words, so that only what is to become of it tells whether it has it. sample: an example of what is told back, where
    neither choices nor numbers give one.
    """

    kind: Kind
    help: str
    required: bool = False
    default: Any = None
    create: Any = None
    choices: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    element: Field | None = None
    table: Mapping[str, Field] | None = None
    unique: bool = False
    check: Callable[[Any], str | None] | None = None
    no_log: bool | None = None
    at: Place | None = None
    effect: Effect | None = None
    compare: Compare = "value"
    is_expanded: bool = False
    sample: str | None = None

    @property
    def made(self) -> Any:
        """What a new resource gets that does not say it; None also where it has to."""
        return self.default if self.create is None or self.create is REQUIRED else self.create


Table = Mapping[str, Field]

# Longer ones are no number that anyone meant, and Python refuses to read those beyond 4,300 digits.
_ABSENT = object()
_INT = re.compile(r"-?[0-9]{1,30}")

# O(x), V(x), C(x) and M(x) are Ansible's markup; E(x) and the like do not occur in the tables.
_MARKUP = re.compile(r"\b[OVCM]\(([^)]*)\)")
_SURROGATE = re.compile("[\ud800-\udfff]")

_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "size": "a size with a unit, such as 512 MiB or 2 GiB",
    "list": "a list",
    "dict": "a mapping of keys to values",
    "raw": "any value",
}


def parse(table: Table, raw: object, path: str, *, whole: bool = False) -> tuple[dict[str, Any], list[Mistake]]:
    """Normalise a mapping by its table. Returns (values, mistakes); values are complete if mistakes is empty.

    whole: it is a document's element, where what is not said is what a new one gets, not what is not managed.
    """
    if isinstance(raw, Unreadable):
        return {}, [Mistake(path, raw.problem)]
    if not isinstance(raw, Mapping):
        return {}, [Mistake(path, f"{_shown_unless_secret(table, raw)} is not {_WORDS['dict']}", _WORDS["dict"])]
    values: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    misspelt: set[str] = set()
    for key in raw:
        if key not in table:
            near = find_nearest(key, table)
            names = ", ".join(sorted(table))
            told = f"Did you mean {shown(near)}?" if near else f"Allowed: {names}."
            meant = near if near is not None and raw.get(near) is None else None
            misspelt |= {meant} if meant else set()
            here = join(path, shown_key(key))
            mistakes.append(
                Mistake(here, f"unknown key. {told}", f"one of {names}", join(path, meant) if meant else None)
            )
    for key, field in table.items():
        value = raw.get(key)
        if value is None:
            # What a misspelt key was meant to give is not missing.
            if key not in misspelt and (field.required or (whole and field.create is REQUIRED)):
                mistakes.append(_say_missing(field, join(path, key)))
            values[key] = field.made if whole and key not in misspelt else field.default
            continue
        values[key], found = parse_value(field, value, join(path, key), whole=whole)
        mistakes += found
    return values, mistakes


def _shown_unless_secret(table: Table | None, value: object) -> str:
    """Show what was written in the place of a mapping: a secret that belongs into it, as likely as not."""
    return "its secret value" if table and any(field.no_log for field in table.values()) else shown(value)


def _say_missing(field: Field, path: str) -> Mistake:
    told = strip_markup(field.help)
    return Mistake(path, f"is missing; write {_WORDS[field.kind]}: {told}", describe_allowed(field))


def strip_markup(text: str, *, code: str = "") -> str:
    """Return a help text without Ansible's markup. code: what stands around the marked words instead."""
    return _MARKUP.sub(rf"{code}\1{code}", text)


def find_missing_rows(table: Table, values: Mapping[str, Any], path: str) -> list[Mistake]:
    """Return what a new resource cannot do without and nothing says, as `parse` of a whole does. values: normalised."""
    mistakes: list[Mistake] = []
    for key, field in table.items():
        value, here = values.get(key), join(path, key)
        if value is None:
            mistakes += [_say_missing(field, here)] if field.create is REQUIRED else []
        elif field.table is not None:
            mistakes += find_missing_rows(field.table, value, here)
        elif field.element is not None and field.element.table is not None:
            for index, item in enumerate(value):
                mistakes += find_missing_rows(field.element.table, item, element_path(here, index, item))
    return mistakes


def keep_right(table: Table, raw: object, values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return of values in which `parse` has found mistakes what is right, complete, so that a spec can be made of it.

    What is wrong is None, which is not managed; a wrong name is the text that was given, or the path; of a list of
    mappings every element stays at its place, of any other list only the right ones stay.
    """
    given = raw if isinstance(raw, Mapping) else {}
    return {key: _keep_value(field, given.get(key), values.get(key), join(path, key)) for key, field in table.items()}


def _keep_value(field: Field, given: object, value: Any, path: str) -> Any:
    if field.kind == "list" and field.element is not None and isinstance(value, tuple):
        if field.element.table is None:
            return tuple(item for item in value if item is not None)
        table, items = field.element.table, given if isinstance(given, Sequence) else [None] * len(value)
        return tuple(
            keep_right(table, item, parsed, f"{path}[{index}]")
            for index, (item, parsed) in enumerate(zip(items, value, strict=True))
        )
    if field.kind == "dict" and field.table is not None and value is not None:
        if given is not None and not isinstance(given, Mapping):
            return None
        kept = keep_right(field.table, given, value, path)
        return None if any(one.required and kept[key] is None for key, one in field.table.items()) else kept
    if field.required and value is None and path.endswith(".name"):
        return given if isinstance(given, str) else path.removesuffix(".name")
    return value


def created(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a new resource: what is not said is what `create` says. Nested tables likewise."""
    return {key: _created_value(field, values.get(key)) for key, field in table.items()}


def _created_value(field: Field, value: Any) -> Any:
    if value is None:
        return field.made
    if field.table is not None and isinstance(value, Mapping):
        return created(field.table, value)
    if field.element is not None and field.element.table is not None and isinstance(value, Sequence):
        return tuple(_created_value(field.element, item) for item in value)
    return value


def parse_value(field: Field, value: object, path: str, *, whole: bool = False) -> tuple[Any, list[Mistake]]:
    """Normalise one value by its field, see `parse`. Returns (value, mistakes)."""
    if isinstance(value, Unreadable):
        return None, [Mistake(path, value.problem)]
    if field.kind == "list":
        return _parse_list(field, value, path, whole=whole)
    if field.kind == "dict":
        if field.table is None:
            if isinstance(value, Mapping):
                return value, []
            return None, [Mistake(path, f"{shown(value)} is not {_WORDS['dict']}", _WORDS["dict"])]
        return parse(field.table, value, path, whole=whole)
    half = _SURROGATE.search(value) if isinstance(value, str) else None
    if half is not None:
        # JSON and templates can write half of a surrogate pair, which is no character, and which nothing can store.
        return None, [Mistake(path, f"it holds {shown(half[0])}, which is half a character", describe_allowed(field))]
    parsed, problem = _parse_scalar(field, value)
    allowed = None
    if problem is not None and field.no_log:
        problem = f"its secret value is not {_WORDS[field.kind]}"
    if problem is None and field.choices is not None and parsed not in field.choices:
        problem = f"{shown(parsed)} is not allowed; write one of {', '.join(field.choices)}."
        problem += suggest(parsed, field.choices)
    if problem is None and field.check is not None:
        problem = field.check(parsed)
        # "... is not a name; write 1 to 63 letters ..."
        allowed = problem.partition("; write ")[2] or None if problem else None
    if problem is None and isinstance(parsed, int | float) and not isinstance(parsed, bool):
        problem = _out_of_range(field, parsed)
    return (None, [Mistake(path, problem, allowed or describe_allowed(field))]) if problem else (parsed, [])


def describe_allowed(field: Field) -> str:
    """Return what a value may be, in a few words: its kind, and its choices or its range."""
    if field.choices is not None:
        return f"one of {', '.join(field.choices)}"
    words = _WORDS[field.kind]
    if field.kind == "size" and field.minimum is not None and field.maximum is not None:
        return f"{words}, from {show_size(int(field.minimum))} to {show_size(int(field.maximum))}"
    if field.minimum is not None and field.maximum is not None:
        return f"{words} from {field.minimum} to {field.maximum}"
    if field.minimum is not None:
        least = show_size(int(field.minimum)) if field.kind == "size" else field.minimum
        return f"{words}, at least {least}"
    return words


def show_made(field: Field) -> str | None:
    """Return, for people, what a new resource gets that does not say it; None for nothing."""
    value = field.made
    if value in (None, (), "") or field.kind == "dict":
        return None
    if field.kind == "size":
        return show_size(int(value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if field.kind == "bool" else str(value)


def join(path: str, key: str) -> str:
    """Return the path of a key below a path; the topmost path may be empty."""
    return f"{path}.{key}" if path else key


def element_path(path: str, index: int, item: object) -> str:
    """Return the path of a list's element, with the element's name for a person to recognise it."""
    name = item.get("name") if isinstance(item, Mapping) else None
    here = f"{path}[{index}]"
    # The path stands for the name of what has none, see `keep_right`.
    return f"{here} ({shown(name)[1:-1]})" if isinstance(name, str) and name != here else here


def render(table: Table, values: object) -> dict[str, Any]:
    """Return what `parse` has normalised (as a mapping or a dataclass) as plain JSON types that it reads again.

    Values that are None, "not managed", are left out.
    """
    rendered: dict[str, Any] = {}
    for key, field in table.items():
        value = value_of(values, key)
        if value is not None:
            rendered[key] = render_value(field, value)
    return rendered


def value_of(values: object, key: str) -> Any:
    """Return an option of a mapping or of a spec. What a spec has no attribute for stands in its `further`."""
    if isinstance(values, Mapping):
        return values.get(key)
    found = getattr(values, key, _ABSENT)
    return found if found is not _ABSENT else getattr(values, "further", {}).get(key)


def render_value(field: Field, value: Any) -> Any:
    if field.kind == "size":
        return show_size(value)
    if field.kind == "list":
        return [render_value(field.element, item) if field.element else item for item in value]
    if field.kind == "dict" and field.table is not None:
        return render(field.table, value)
    return value


def _parse_list(field: Field, value: object, path: str, *, whole: bool) -> tuple[Any, list[Mistake]]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        told = _shown_unless_secret(field.element.table if field.element else None, value)
        return None, [Mistake(path, f"{told} is not {_WORDS['list']}", _WORDS["list"])]
    element = field.element or Field(kind="raw", help="")
    items: list[Any] = []
    given: set[Any] = set()
    mistakes: list[Mistake] = []
    for index, item in enumerate(value):
        here = element_path(path, index, item)
        parsed, found = parse_value(element, item, here, whole=whole)
        mistakes += found
        if field.unique and not found:
            if parsed in given:
                mistakes.append(Mistake(here, f"{shown(parsed)} is given twice"))
                parsed = None
            given.add(parsed)
        items.append(parsed)
    return tuple(items), mistakes


def _parse_scalar(field: Field, value: object) -> tuple[Any, str | None]:
    if field.kind == "raw":
        return value, None
    # Nearly all values are right: the complaint is put together for the others only.
    if field.kind == "str" and isinstance(value, str):
        return str(value), None
    if field.kind == "bool" and isinstance(value, bool):
        return value, None
    if field.kind == "size" and not isinstance(value, bool):
        return parse_size_mib(value, may_be_nothing=field.minimum == 0)
    wrong = f"{shown(value)} is not {_WORDS[field.kind]}"
    if field.kind == "bool":
        return None, wrong
    if isinstance(value, bool):
        said = "yes, on or true" if value else "no, off or false"
        return None, f"{wrong}: YAML reads the bare words {said} as {shown(value)}; put the word in quotes"
    if field.kind == "str" and not isinstance(value, Mapping | Sequence):
        return None, f"{wrong}: YAML reads it as a number or a date; put it in quotes"
    if field.kind == "int":
        return _parse_int(value, wrong)
    return (None, wrong) if field.kind == "str" else _parse_float(value, wrong)


def _parse_int(value: object, wrong: str) -> tuple[int | None, str | None]:
    if isinstance(value, int):
        # A number that is no plain int carries tags of the YAML loader.
        return int(value), None
    if isinstance(value, str) and _INT.fullmatch(value.strip()):
        return int(value), None
    return None, wrong


def _parse_float(value: object, wrong: str) -> tuple[float | None, str | None]:
    if not isinstance(value, int | float | str):
        return None, wrong
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None, wrong
    return (number, None) if math.isfinite(number) else (None, wrong)


def _out_of_range(field: Field, value: int | float) -> str | None:
    low, high = field.minimum, field.maximum
    if (low is None or value >= low) and (high is None or value <= high):
        return None
    unit = " MiB" if field.kind == "size" else ""
    if low is not None and high is not None:
        return f"{shown(value)}{unit} is out of range; allowed is {low} to {high}{unit}"
    if low is not None:
        return f"{shown(value)}{unit} is too small; allowed is {low}{unit} or more"
    return f"{shown(value)}{unit} is too large; allowed is {high}{unit} or less"
