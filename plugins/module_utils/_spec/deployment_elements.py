"""The elements of the deployment document, each with its place in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ._fields import Field, Table, element_path, parse, parse_value
from ._mistake import Mistake, shown
from .cluster import Cluster
from .datacenter import Datacenter
from .disk import DiskSet
from .image import Image
from .node import Node
from .organization import Organization
from .pool import Pool
from .port_group import PortGroup
from .vm import Vm
from .volume import Volume
from .vswitch import Vswitch

Spec = TypeVar("Spec")


@dataclass(frozen=True)
class Declared(Generic[Spec]):
    """One element and the path where it stands."""

    path: str
    spec: Spec


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
    def is_present(self) -> bool:
        return self.word("state") != "absent"


def read_list(variable: str, value: object) -> tuple[tuple[Written, ...] | None, list[Mistake]]:
    """Return the elements of a list variable, or None if it is not given."""
    if value is None:
        return None, []
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return (), [Mistake(variable, f"{shown(value)} is not a list")]
    return tuple(Written(element_path(variable, index, item), item) for index, item in enumerate(value)), []


def parse_elements(
    table: Table, make: Callable[..., Spec], written: Sequence[Written]
) -> tuple[tuple[Declared[Spec], ...], list[Mistake]]:
    """Parse elements by their table. What has a mistake is left out of the elements returned."""
    declared: list[Declared[Spec]] = []
    mistakes: list[Mistake] = []
    for element in written:
        values, found = parse(table, element.value, element.path, whole=True)
        mistakes += found
        if not found:
            declared.append(Declared(element.path, make(**values)))
    return tuple(declared), mistakes


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
