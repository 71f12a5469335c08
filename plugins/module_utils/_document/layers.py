# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flavors and profiles: what instances take from elsewhere in the document, one layer over the other. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._fields.field import Field, Table
from .._fields.references import Known, find_reference_mistake
from .._model.mistake import Mistake
from .._nouns.instance.spec import FIELDS, find_mistakes_within, make_vm
from .elements import Written, parse_element
from .variables import FLAVOR, INSTANCE, PROFILE

# Renders element number `index` of a list with pextra_index = `number`. Returns (plain value, mistakes).
Render = Callable[[int, int], tuple[Any, list[Mistake]]]

_TABLES = {"flavor": FLAVOR, "profile": PROFILE}
# A flavor's or profile's own.
_OWN = ("name", "description")
_NUMBER = re.compile(r"\[[0-9]+\](?: \(.*?\)(?=[.\[]|$))?")
# The table of what an instance is, for `merge`.
INSTANCE_FIELD = Field(kind="dict", table=INSTANCE, help="")


@dataclass(frozen=True)
class Layer:
    """What one place says of an instance. source: how it is called. path: where it stands.

    values: normalised; None is not said. unknown: keys that are wrong, or hold something wrong. alone: what is wrong
    with it already by itself, as paths by the place within and the problem: told there, if it is wrong in the end.
    """

    source: str
    path: str
    values: Mapping[str, Any]
    unknown: frozenset[str] = frozenset()
    alone: Mapping[tuple[str, str], str] = field(default_factory=dict)


def merge(table: Table, weaker: Mapping[str, Any], stronger: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two layers say together. None is not said.

    Mappings are merged key by key, lists of named things by name where all have a name of their own. Of everything
    else, and of an empty list, the stronger one counts.
    """
    merged = {key: value for key, value in weaker.items() if value is not None}
    for key, value in stronger.items():
        if value is not None:
            merged[key] = _merge_value(table[key], merged[key], value) if key in merged else value
    return merged


def _merge_value(row: Field, weaker: Any, stronger: Any) -> Any:
    if row.table is not None and isinstance(weaker, Mapping) and isinstance(stronger, Mapping):
        return merge(row.table, weaker, stronger)
    if is_named_list(row) and row.element is not None and row.element.table is not None:
        names, others = _name_all(weaker), _name_all(stronger)
        if names and others:
            items = dict(names)
            for name, item in others.items():
                items[name] = merge(row.element.table, items[name], item) if name in items else item
            return tuple(items.values())
    return stronger


def is_named_list(row: Field) -> bool:
    """Tell whether a row is a list of things that have names."""
    return row.kind == "list" and row.element is not None and "name" in (row.element.table or {})


def _name_all(items: Any) -> dict[Any, Any] | None:
    """Return the items by name; None unless each has one of its own."""
    if not isinstance(items, tuple) or not all(isinstance(item, Mapping) for item in items):
        return None
    named = {getattr(item.get("name"), "value", item.get("name")): item for item in items}
    return named if len(named) == len(items) and None not in named else None


def merge_layers(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return what layers say together, the weakest first."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(INSTANCE, merged, layer.values)
    return merged


def list_unsaid(layers: Sequence[Layer], own: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys that are not known, as what is wrong in a layer would count for them. own: the instance's."""
    return frozenset(
        key for layer in layers for key in layer.unknown & FIELDS.keys() if own.get(key) is None or _is_merged(key)
    )


def _is_merged(key: str) -> bool:
    return FIELDS[key].table is not None or is_named_list(FIELDS[key])


def bare_place(place: str) -> str:
    """Return the place of a value below an element without numbers, which merging changes."""
    return _NUMBER.sub("[]", place)


class Layers:
    """All flavors and profiles. mistakes: in them, each at its own place.

    known: their names by kind, None where they could not all be read. render: gives a profile anew for a number of
    pextra_index, None where none depends on it.
    """

    def __init__(
        self,
        written: Mapping[str, Sequence[Written]],
        known: Mapping[str, Known | None],
        render: Render | None = None,
    ) -> None:
        self.mistakes: list[Mistake] = []
        self._known = known
        self._render = render
        self._profiles = {element.name: (index, element) for index, element in enumerate(written["profile"])}
        self._parsed = {
            kind: {element.name: self._parse(kind, element) for element in written[kind]} for kind in _TABLES
        }
        self._numbered: dict[tuple[str, int], Layer] = {}
        self._merged: dict[tuple[tuple[str, ...], int], tuple[tuple[Layer, ...], dict[str, Any]]] = {}

    def find(self, value: object, path: str, number: int | None) -> tuple[tuple[Layer, ...], Mapping[str, Any]]:
        """Return (the layers that an instance as written names, weakest first; what they say together)."""
        if not isinstance(value, Mapping):
            return (), {}
        words = [("flavor", "flavor", value["flavor"])] if isinstance(value.get("flavor"), str) else []
        names = value.get("profiles")
        for place, name in enumerate(names if isinstance(names, list | tuple) else ()):
            words += [("profile", f"profiles[{place}]", name)] if isinstance(name, str) else []
        if not words:
            return (), {}
        for kind, where, word in words:
            known = self._known[kind]
            wrong = find_reference_mistake(known, word, f"{path}.{where}") if known is not None else None
            self.mistakes += [wrong] if wrong else []
        layers = tuple(self._get(kind, word, number or 1) for kind, _where, word in words)
        # Thousands of instances are of a few kinds.
        key = tuple(layer.source for layer in layers), number or 1 if self._render else 1
        if key not in self._merged:
            self._merged[key] = layers, merge_layers(layers)
        return self._merged[key]

    def _get(self, kind: str, name: str, number: int) -> Layer:
        if name not in self._parsed[kind]:
            # Of what is not declared nothing is known.
            return Layer(f"{kind} {name}", "", {}, frozenset(_TABLES[kind]))
        if kind == "flavor" or number == 1 or self._render is None:
            return self._parsed[kind][name]
        if (name, number) not in self._numbered:
            index, element = self._profiles[name]
            value, found = self._render(index, number)
            self.mistakes += found
            is_same = bool(found) or value == element.value
            again = self._parsed[kind][name] if is_same else self._parse(kind, Written(element.path, value))
            self._numbered[name, number] = again
        return self._numbered[name, number]

    def _parse(self, kind: str, element: Written) -> Layer:
        table = _TABLES[kind]
        values, unknown, found = parse_element(table, element, whole=False)
        self.mistakes += [_say_whose(kind, mistake, element.path) for mistake in found]
        source = f"{kind} {element.name}"
        if values is None:
            return Layer(source, element.path, {}, frozenset(table))
        said = {key: value for key, value in values.items() if value is not None and key not in _OWN}
        spec = make_vm(**{key: said.get(key) for key in FIELDS} | {"name": "", "state": "present"})
        alone = {
            (bare_place(mistake.path.removeprefix(element.path)), mistake.problem): mistake.path
            for mistake in find_mistakes_within(spec, element.path)
        }
        return Layer(source, element.path, said, unknown, alone)


def _say_whose(kind: str, mistake: Mistake, path: str) -> Mistake:
    """What belongs elsewhere is no misspelt key."""
    key = mistake.path.removeprefix(f"{path}.")
    if key in _TABLES[kind] or key not in INSTANCE:
        return mistake
    place = "in a profile, or in the instance" if key in PROFILE else "in the instance"
    return replace(mistake, problem=f"a {kind} cannot have it; write it {place}", allowed=None, meant=None)
