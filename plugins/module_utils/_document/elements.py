# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The elements of the deployment document, each with its place in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from .._fields.common import find_contradictions
from .._fields.field import (
    Field,
    Table,
    element_path,
    keep_right,
    parse,
    parse_value,
)
from .._fields.plain import Unreadable
from .._model.mistake import Mistake, shown
from .._nouns.cluster.spec import Cluster
from .._nouns.datacenter.spec import Datacenter
from .._nouns.drive.spec import DiskSet
from .._nouns.image.spec import Image
from .._nouns.instance.spec import Vm
from .._nouns.node.spec import Node
from .._nouns.organization.spec import Organization
from .._nouns.pool.spec import Pool
from .._nouns.port_group.spec import PortGroup
from .._nouns.volume.spec import Volume
from .._nouns.vswitch.spec import Vswitch

Spec = TypeVar("Spec")

_INDEX = re.compile(r"\[([0-9]+)\]$")
_NAME = re.compile(r"(\.\w+\[[0-9]+\]) \(.*?\)(?=[.\[]|$)")
# What a key is judged by besides its own value.
_JUDGED_BY: dict[str, tuple[str, ...]] = {
    "root.size": ("image",),
    "size": ("unit", "clone_of", "import_from"),
    "unit": ("pool",),
    "clone_mode": ("clone_of",),
    "addresses": ("port_group",),
    "gateway": ("addresses",),
    "gateway6": ("addresses", "gateway"),
    "min_copies": ("copies",),
    # Which device one is, all its keys together say.
    "host_devices": ("host_devices",),
    **{f"cloud_init.{key}": ("image",) for key in ("hostname", "users", "user_data", "vendor_data")},
}


@dataclass(frozen=True)
class Declared(Generic[Spec]):
    """One element and the path where it stands.

    unknown: its keys that are wrong, or hold something wrong. Of these the spec has what is right, or None.
    """

    path: str
    spec: Spec
    unknown: frozenset[str] = frozenset()

    def knows(self, *keys: str) -> bool:
        return self.unknown.isdisjoint(keys)

    def of(self, spec: Spec) -> Declared[Spec]:
        """Return the same element with another spec."""
        return replace(self, spec=spec)


@dataclass(frozen=True, kw_only=True)
class Host:
    """What the inventory, and facts where there are any, tell about a node's host beyond its spec."""

    memory_mib: int | None = None
    management_interface: str | None = None
    # Each with the keys of ceph.OSD.
    osds: tuple[Mapping[str, Any], ...] = ()
    disks: tuple[DiskSet, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Elements:
    """All elements that could be read. hosts: by the name of the node."""

    organizations: tuple[Declared[Organization], ...] = ()
    datacenters: tuple[Declared[Datacenter], ...] = ()
    clusters: tuple[Declared[Cluster], ...] = ()
    nodes: tuple[Declared[Node], ...] = ()
    hosts: Mapping[str, Host] = field(default_factory=dict)
    pools: tuple[Declared[Pool], ...] = ()
    vswitches: tuple[Declared[Vswitch], ...] = ()
    port_groups: tuple[Declared[PortGroup], ...] = ()
    images: tuple[Declared[Image], ...] = ()
    instances: tuple[Declared[Vm], ...] = ()
    volumes: tuple[Declared[Volume], ...] = ()


@dataclass(frozen=True)
class Written:
    """One element as it was written: plain values, not yet checked."""

    path: str
    value: Any

    @property
    def name(self) -> str | None:
        """The name, if there is one that can be referred to at all."""
        name = self.value.get("name") if isinstance(self.value, Mapping) else None
        return name if isinstance(name, str) else None

    def word(self, key: str) -> str | None:
        """Return the text under a key, if it is one."""
        word = self.value.get(key) if isinstance(self.value, Mapping) else None
        return word if isinstance(word, str) else None

    @property
    def adopts(self) -> bool:
        return isinstance(self.value, Mapping) and self.value.get("adopt") is True

    @property
    def is_present(self) -> bool:
        return self.word("state") != "absent"


def read_list(variable: str, value: object) -> tuple[tuple[Written, ...] | None, list[Mistake]]:
    """Return the elements of a list variable, or None if it is not given."""
    if value is None:
        return None, []
    if isinstance(value, Unreadable):
        return (), [Mistake(variable, value.problem)]
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return (), [Mistake(variable, f"{shown(value)} is not a list", "a list")]
    return tuple(Written(element_path(variable, index, item), item) for index, item in enumerate(value)), []


def parse_elements(
    table: Table, make: Callable[..., Spec], written: Sequence[Written]
) -> tuple[tuple[Declared[Spec], ...], list[Mistake]]:
    """Parse elements by their table. Returns (those that can be judged, mistakes)."""
    declared: list[Declared[Spec]] = []
    mistakes: list[Mistake] = []
    for element in written:
        # What is adopted is not new: what is not said of it stays as it is.
        values, unknown, found = parse_element(table, element, whole=not element.adopts)
        mistakes += found
        if values is not None:
            declared.append(Declared(element.path, make(**values), unknown))
    return tuple(declared), mistakes


def parse_element(
    table: Table, element: Written, *, whole: bool = True
) -> tuple[dict[str, Any] | None, frozenset[str], list[Mistake]]:
    """Parse one element. Returns (its values as far as they are right, the keys that are not, mistakes).

    whole: see `parse`; an element that takes from others what it does not say is none.
    The values are None where nothing can be judged: it is no mapping, or it is not known whether it is to exist.
    """
    values, mistakes = parse(table, element.value, element.path, whole=whole)
    mistakes += find_contradictions(values, element.path)
    if not mistakes:
        return values, frozenset(), []
    unknown = find_unknown(mistakes, element.path)
    if not isinstance(element.value, Mapping) or "state" in unknown:
        return None, unknown, mistakes
    return keep_right(table, element.value, values, element.path), unknown, mistakes


def find_unknown(mistakes: Iterable[Mistake], path: str) -> frozenset[str]:
    """Return the keys below the path that the mistakes are in."""
    places = [place for mistake in mistakes for place in (mistake.path, mistake.meant) if place is not None]
    return frozenset(
        re.split(r"[.\[ ]", place[len(path) + 1 :], maxsplit=1)[0] for place in places if place.startswith(f"{path}.")
    )


def drop_follow_ups(mistakes: Iterable[Mistake], told: Iterable[Mistake]) -> list[Mistake]:
    """Return those mistakes that do not merely follow from what was told: of the value, or what it is judged by."""
    wrong = {_bare(place) for mistake in told for place in (mistake.path, mistake.meant) if place is not None}
    holding = {holder for place in wrong for holder in _find_holders(place)} | wrong
    dropped = _find_dropped(wrong)
    kept = []
    for mistake in mistakes:
        path = _find_place(mistake.path, dropped)
        bare = _bare(path)
        if wrong.isdisjoint((bare, *_find_holders(bare))) and holding.isdisjoint(_find_grounds(bare)):
            kept.append(replace(mistake, path=path))
    return kept


def _bare(path: str) -> str:
    """Return a path without the names of what is within an element: rules do not always write them."""
    return _NAME.sub(r"\1", path)


def _find_holders(path: str) -> Iterator[str]:
    """Yield the paths of all that a value is in."""
    return (path[:index] for index, char in enumerate(path) if char in ".[ ")


def _find_grounds(path: str) -> Iterator[str]:
    """Yield the paths of what a value cannot be judged without."""
    whole = _INDEX.sub("", path)
    for key, others in _JUDGED_BY.items():
        if whole.endswith(f".{key}"):
            yield from (f"{whole.removesuffix(key)}{other}" for other in others)


def _find_dropped(wrong: Iterable[str]) -> dict[str, list[int]]:
    """Return the numbers of the wrong items of each list, in order."""
    dropped: dict[str, list[int]] = {}
    for path in wrong:
        match = _INDEX.search(path)
        if match is not None and "." in path:
            dropped.setdefault(path[: match.start()], []).append(int(match[1]))
    return {head: sorted(numbers) for head, numbers in dropped.items()}


def _find_place(path: str, dropped: Mapping[str, Sequence[int]]) -> str:
    """Return the path in a list as it was written: without those that are wrong, what comes after them has moved up."""
    match = _INDEX.search(path)
    numbers = dropped.get(_bare(path[: match.start()])) if match is not None else None
    if match is None or numbers is None:
        return path
    place = int(match[1])
    for number in numbers:
        place += number <= place
    return f"{path[: match.start()]}[{place}]"


def read_value(field: Field, value: object, path: str) -> tuple[Any, list[Mistake]]:
    """Read a single value; what is not given is None."""
    if value is None:
        return field.made, []
    return parse_value(field, value, path, whole=True)


def find_duplicates(written: Sequence[tuple[str | None, Written]], what: str) -> list[Mistake]:
    """Names must be unique in their scope (the cluster, or None); letters of either case are one letter.

    One file system, one DNS zone or one eye is enough to take "Web" for "web".
    """
    first: dict[tuple[str | None, str], str] = {}
    mistakes = []
    for scope, element in written:
        if element.name is None:
            continue
        key = (scope, element.name.casefold())
        if key in first:
            where = f" of the cluster {shown(scope)[1:-1]}" if scope else ""
            mistakes.append(
                Mistake(f"{element.path}.name", f"{shown(element.name)} is {what}{where} already: {first[key]}")
            )
        else:
            first[key] = element.path
    return mistakes
