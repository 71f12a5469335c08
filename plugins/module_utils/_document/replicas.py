# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of the deployment document: `count`, and what `flavor` and `profiles` give, which is there only."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._fields.field import created, element_path, find_missing_rows, parse_value
from .._model.mistake import Mistake, shown
from .._nouns.instance.aspects.filesystems import share_memory
from .._nouns.instance.spec import FIELDS, Vm, find_missing, find_mistakes_within, make_vm
from .effective import OWN, Effective, list_effective, settle
from .elements import (
    Declared,
    Written,
    drop_follow_ups,
    parse_element,
)
from .layers import Layer, Layers, Render, list_unsaid, merge
from .variables import INSTANCE

VARIABLE = "pextra_instances"
# What only an instance that begins from an image has a use for.
_USELESS = re.compile(r"\.(cloud_init\.|image$)")


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


@dataclass(frozen=True, kw_only=True)
class Instances:
    """Instances as they were parsed.

    origins: the layers of what takes something from flavors and profiles, by its path, the instance itself last.
    unsaid: what is not known of instances as it is wrong in a layer, where that is told: no mistakes to tell again.
    """

    declared: tuple[Declared[Vm], ...]
    mistakes: list[Mistake]
    origins: Mapping[str, tuple[Layer, ...]]
    unsaid: list[Mistake]


def parse_instances(replicas: Sequence[Replica], layers: Layers) -> Instances:
    """Parse instances, with what their flavors and profiles give."""
    declared: list[Declared[Vm]] = []
    mistakes: list[Mistake] = []
    origins: dict[str, tuple[Layer, ...]] = {}
    unsaid: list[Mistake] = []
    for replica in replicas:
        path = replica.written.path
        taken, base = layers.find(replica.written.value, path, replica.number)
        adopts = replica.written.adopts
        values, unknown, wrong = parse_element(INSTANCE, replica.written, whole=not taken and not adopts)
        mistakes += wrong
        if values is None:
            continue
        follow_ups: list[Mistake] = []
        missing: list[Mistake] = []
        if taken:
            own = _make_own_layer(replica.written, values)
            origins[path] = (*taken, own)
            not_known = list_unsaid(taken, values)
            follow_ups = [Mistake(f"{path}.{key}", "is wrong in what it takes it from") for key in not_known]
            unknown |= not_known
            said = merge(INSTANCE, base, values)
            # What is adopted is not new: what is not said of it stays as it is.
            missing = [] if adopts else find_missing_rows(FIELDS, said, path)
            values = {key: said.get(key) for key in FIELDS} if adopts else created(FIELDS, said)
            # What is not known is not what a new one gets either.
            values |= {key: None for key in unknown & FIELDS.keys() if said.get(key) is None}
        if not adopts:
            values = share_memory(values, said if taken else replica.written.value)
        spec = make_vm(**{key: values[key] for key in FIELDS})
        # What is there lacks nothing; only what it could not use is wrong.
        within = [one for one in find_missing(spec, path) if not adopts or _USELESS.search(one.path)]
        within = [*within, *find_mistakes_within(spec, path)] if spec.state == "present" else []
        missing = drop_follow_ups(missing, wrong + follow_ups)
        within = missing + drop_follow_ups(within, wrong + follow_ups + missing)
        mistakes += settle(within, origins)
        unsaid += follow_ups
        declared.append(Declared(path, spec, unknown))
    return Instances(declared=tuple(declared), mistakes=mistakes, origins=origins, unsaid=unsaid)


def _make_own_layer(written: Written, values: Mapping[str, Any]) -> Layer:
    """Return what an instance says itself, without what belongs to every element (`state`)."""
    return Layer(OWN, written.path, {key: value for key, value in values.items() if key in written.value})


def explain(
    names: Collection[str],
    complete: Sequence[Declared[Vm]],
    replicas: Sequence[Replica],
    origins: Mapping[str, tuple[Layer, ...]],
) -> dict[str, list[Effective]]:
    """Return where each value of instances comes from, by the path of each. names: theirs, once in each cluster."""
    written = {replica.written.path: replica.written for replica in replicas}
    effective = {}
    for element in complete:
        if element.spec.name in names:
            values, _unknown, _mistakes = parse_element(INSTANCE, written[element.path], whole=False)
            layers = origins.get(element.path) or (_make_own_layer(written[element.path], values or {}),)
            effective[element.path] = list_effective(element.spec, layers)
    return effective


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
