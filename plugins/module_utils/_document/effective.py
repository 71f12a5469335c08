# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each value of an instance comes from: for people who ask, and for mistakes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .._fields.field import Field, Table, element_path, join, render_value, value_of
from .._fields.secrets import HIDDEN
from .._model.mistake import Mistake
from .._nouns.instance import walk
from .._nouns.instance.spec import FIELDS, Vm
from .layers import Layer, bare_place, merge
from .variables import INSTANCE

DEFAULT = "default"
OWN = "instance"
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>[0-9]+)\](?: \(.*?\)(?=[.\[]|$))?")
_WORD = re.compile(r"[a-z_]+")


class Effective(NamedTuple):
    """One value of an instance. path: below it. value: plain. source: as `flavor small`."""

    path: str
    value: Any
    source: str


@dataclass(frozen=True)
class Said:
    """A value with who says it, and the path where it stands."""

    value: Any
    source: str
    path: str


def list_effective(spec: Vm, layers: Sequence[Layer]) -> list[Effective]:
    """Return every value of an instance. spec: complete. layers: weakest first, the instance itself last."""
    return list(_list_values(FIELDS, spec, _say_all(layers), ""))


def render_effective(values: Sequence[Effective]) -> list[str]:
    """Return lines of YAML, with the sources as comments in a column."""
    told = [(f"{one.path}: {json.dumps(one.value, ensure_ascii=False)}", one.source) for one in values]
    width = min(max((len(text) for text, _source in told), default=0), 60)
    return [f"{text:<{width}}  # {source}" for text, source in told]


def settle(
    mistakes: Sequence[Mistake], origins: Mapping[str, Sequence[Layer]], *, are_of_one_value: bool = False
) -> list[Mistake]:
    """Return mistakes of instances at the place to mend: what a layer has wrong by itself, there; all others at the
    instance, with where the values come from.

    origins: the layers by the path of the instance, the instance itself last. are_of_one_value: no other value has a
    part in these mistakes.
    """
    settled = []
    trees: dict[str, Mapping[str, Any]] = {}
    for mistake in mistakes:
        match = re.match(r"\w+\[[0-9]+\] \([^)]*\)", mistake.path)
        base = match[0] if match is not None else ""
        layers = origins.get(base)
        if layers is None:
            settled.append(mistake)
            continue
        if base not in trees:
            trees[base] = _say_all(layers)
        settled.append(_settle(mistake, base, layers, trees[base], are_of_one_value=are_of_one_value))
    return settled


def _settle(
    mistake: Mistake, base: str, layers: Sequence[Layer], tree: Mapping[str, Any], *, are_of_one_value: bool
) -> Mistake:
    place = mistake.path.removeprefix(base)
    for layer in layers[:-1]:
        path = layer.alone.get((bare_place(place), mistake.problem))
        if path is not None:
            return replace(mistake, path=path)
    said, within = _find(tree, place)
    if isinstance(said, Said) and (are_of_one_value or said.source == OWN):
        mistake = replace(mistake, path=f"{said.path}{within}")
    if are_of_one_value:
        return mistake
    keys = [step["key"] for step in _STEP.finditer(place)][:1]
    keys += [word for word in _WORD.findall(mistake.problem) if word in walk.OPTIONS]
    sources = {key: list(dict.fromkeys(_list_sources(tree.get(key)))) for key in dict.fromkeys(keys)}
    if all(source == OWN for found in sources.values() for source in found):
        return mistake
    told = "; ".join(f"{key}: {', '.join(found)}" for key, found in sources.items() if found)
    return replace(mistake, problem=f"{mistake.problem} ({told})")


def _say_all(layers: Sequence[Layer]) -> Mapping[str, Any]:
    """Return what all layers say together, each value with its source."""
    tree: dict[str, Any] = {}
    for layer in layers:
        tree = merge(INSTANCE, tree, _say(INSTANCE, layer.values, layer.source, layer.path))
    return tree


def _say(table: Table, values: Mapping[str, Any], source: str, path: str) -> dict[str, Any]:
    return {
        key: _say_value(table[key], value, source, join(path, key))
        for key, value in values.items()
        if value is not None
    }


def _say_value(field: Field, value: Any, source: str, path: str) -> Any:
    if field.table is not None and isinstance(value, Mapping):
        return _say(field.table, value, source, path)
    if field.element is not None and field.element.table is not None and value:
        inner = field.element.table
        return tuple(_say(inner, item, source, element_path(path, index, item)) for index, item in enumerate(value))
    return Said(value, source, path)


def _find(tree: Any, place: str) -> tuple[Any, str]:
    """Return what is said at a place, or above it, and the rest of the place, such as an element of a plain list."""
    found = tree
    for step in _STEP.finditer(place):
        if isinstance(found, Mapping) and step["key"] is not None:
            found = found.get(step["key"])
        elif isinstance(found, tuple) and step["index"] is not None and int(step["index"]) < len(found):
            found = found[int(step["index"])]
        else:
            return found, place[step.start() :]
    return found, ""


def _list_sources(tree: Any) -> Iterator[str]:
    if isinstance(tree, Said):
        yield tree.source
    elif tree is not None:
        for inner in tree.values() if isinstance(tree, Mapping) else tree:
            yield from _list_sources(inner)


def _list_values(table: Table, values: Any, tree: Any, path: str) -> Iterator[Effective]:
    for key, field in table.items():
        value = value_of(values, key)
        if value is None:
            continue
        said, here = tree.get(key) if isinstance(tree, Mapping) else None, join(path, key)
        if field.table is not None and not isinstance(said, Said):
            yield from _list_values(field.table, value, said, here)
        elif field.element is not None and field.element.table is not None and value:
            for index, item in enumerate(value):
                below = said[index] if isinstance(said, tuple) else None
                yield from _list_values(field.element.table, item, below, f"{here}[{index}]")
        else:
            shown = HIDDEN if field.no_log else render_value(field, value)
            yield Effective(here, shown, said.source if isinstance(said, Said) else DEFAULT)
