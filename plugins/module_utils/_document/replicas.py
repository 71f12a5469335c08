# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of the deployment document: `count` and `flavor`, which exist there only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._fields.field import element_path, parse_value
from .._fields.references import Known, find_reference_mistake
from .._model.mistake import Mistake, shown
from .._nouns.instance.spec import FIELDS, Vm, find_missing, find_mistakes_within, make_vm
from .elements import (
    Declared,
    Written,
    drop_follow_ups,
    parse_element,
)
from .variables import FLAVOR, INSTANCE

VARIABLE = "pextra_instances"

# Renders element number `index` of pextra_instances with pextra_index = `number`. Returns (plain value, mistakes).
Render = Callable[[int, int], tuple[Any, list[Mistake]]]


@dataclass(frozen=True)
class Replica:
    """One instance of an element: `number` counts from 1, and is None where the element has no count."""

    element: int
    number: int | None
    base: str
    written: Written


def expand(length: int, render: Render) -> tuple[tuple[Replica, ...], list[Mistake]]:
    """Return one replica for each instance that the list's elements stand for."""
    replicas: list[Replica] = []
    mistakes: list[Mistake] = []
    for index in range(length):
        value, found = render(index, 1)
        mistakes += found
        if found:
            continue
        base = element_path(VARIABLE, index, value)
        count, found = _read_count(value, base)
        if count is None:
            mistakes += found
            replicas.append(Replica(index, None, base, Written(base, value)))
            continue
        for number in range(1, count + 1):
            if number > 1:
                value, found = render(index, number)
                mistakes += found
                if found:
                    break
            replicas.append(_make_replica(index, number, base, value))
    return tuple(replicas), mistakes


@dataclass(frozen=True)
class Flavor:
    """given: vcpus and memory as written, where they are right. unknown: those of them that are not."""

    given: Mapping[str, Any]
    unknown: frozenset[str] = frozenset()


# Of a flavor that is not declared, or that is wrong altogether, nothing is known.
_UNKNOWN_FLAVOR = Flavor({}, frozenset({"vcpus", "memory"}))


def parse_flavors(written: Sequence[Written]) -> tuple[dict[str, Flavor], list[Mistake]]:
    """Return (the flavors by name, mistakes)."""
    flavors: dict[str, Flavor] = {}
    mistakes: list[Mistake] = []
    for element in written:
        values, unknown, found = parse_element(FLAVOR, element)
        mistakes += found
        if values is not None and element.name is not None:
            keys = [key for key in ("vcpus", "memory") if element.value.get(key) is not None and key not in unknown]
            flavors[element.name] = Flavor({key: element.value[key] for key in keys}, unknown)
    return flavors, mistakes


def parse_instances(
    replicas: Sequence[Replica], flavors: Mapping[str, Flavor], known_flavors: Known | None
) -> tuple[tuple[Declared[Vm], ...], list[Mistake]]:
    """Parse instances, with what their flavors give.

    known_flavors: None where the flavors could not all be read.
    """
    declared: list[Declared[Vm]] = []
    mistakes: list[Mistake] = []
    for replica in replicas:
        path, value = replica.written.path, replica.written.value
        found: list[Mistake] = []
        unsaid: frozenset[str] = frozenset()
        if isinstance(value, Mapping) and isinstance(value.get("flavor"), str):
            word = value["flavor"]
            missing = find_reference_mistake(known_flavors, word, f"{path}.flavor") if known_flavors else None
            found += [missing] if missing else []
            flavor = flavors.get(word, _UNKNOWN_FLAVOR)
            given = {key: item for key, item in value.items() if item is not None}
            unsaid = flavor.unknown - given.keys()
            value = {**flavor.given, **given}
        values, unknown, wrong = parse_element(INSTANCE, Written(path, value))
        found += wrong
        if values is not None:
            spec = make_vm(**{key: None if key in unsaid else values[key] for key in FIELDS})
            within = [*find_missing(spec, path), *find_mistakes_within(spec, path)] if spec.state == "present" else []
            found += drop_follow_ups(within, wrong)
            declared.append(Declared(path, spec, unknown | unsaid))
        mistakes += found
    return tuple(declared), mistakes


def fold(mistakes: Sequence[Mistake], replicas: Sequence[Replica]) -> list[Mistake]:
    """Say once what is wrong with all replicas of an element."""
    bases = {replica.written.path: replica.base for replica in replicas if replica.number is not None}
    sizes: dict[str, int] = {}
    for base in bases.values():
        sizes[base] = sizes.get(base, 0) + 1
    places = [_locate(mistake, bases) for mistake in mistakes]
    seen: dict[tuple[str, str, str], int] = {}
    for mistake, (base, suffix) in zip(mistakes, places, strict=True):
        if base:
            key = (base, suffix, mistake.problem)
            seen[key] = seen.get(key, 0) + 1
    folded: dict[tuple[str, str], Mistake] = {}
    for mistake, (base, suffix) in zip(mistakes, places, strict=True):
        path = mistake.path
        if base and seen[base, suffix, mistake.problem] == sizes[base]:
            path = f"{base}{suffix}"
        folded.setdefault((path, mistake.problem), replace(mistake, path=path))
    return list(folded.values())


def _locate(mistake: Mistake, bases: Mapping[str, str]) -> tuple[str, str]:
    """Return (the base of the replica that the mistake is in, or nothing; the rest of the path)."""
    end = mistake.path.find(")")
    head, tail = mistake.path[: end + 1], mistake.path[end + 1 :]
    return bases.get(head, ""), tail


def _read_count(value: object, path: str) -> tuple[int | None, list[Mistake]]:
    """A wrong count is told when the element itself is parsed."""
    if not isinstance(value, Mapping) or value.get("count") is None or not isinstance(value.get("name"), str):
        return None, []
    count, found = parse_value(INSTANCE["count"], value["count"], f"{path}.count")
    return (None, []) if found else (count, [])


def _make_replica(index: int, number: int, base: str, value: object) -> Replica:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        return Replica(index, number, base, Written(f"{VARIABLE}[{index}] ({number})", value))
    name = f"{value['name']}-{number}"
    path = f"{VARIABLE}[{index}] ({shown(name)[1:-1]})"
    return Replica(index, number, base, Written(path, {**value, "name": name}))
