# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance is made of: aspects, and kinds of device. Each is one file; the walk knows the rest."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..._fields.field import Field, Place, Table
from .acts import Act

Hot = Literal["attach", "detach"]
# The types of instance: virtual machines, and containers.
Type = Literal["qemu", "lxc"]
TYPES: tuple[Type, ...] = ("qemu", "lxc")
_MACHINES: frozenset[Type] = frozenset({"qemu"})


@dataclass(frozen=True)
class Refusal:
    """Why a definition cannot be, and what to do. path: of the option, below the instance."""

    path: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Need:
    """What a node must be able to do. ability: as abilities.py calls it; lacks: what is said of a node without it.

    is_told_lacking: libvirt does not name everything of this kind that a node has. One that is silent of it may have
    it, and only one of which it is told that it has not is without.
    """

    ability: str
    lacks: str
    is_told_lacking: bool = False


def nothing_needed(_values: Any) -> Sequence[Need]:
    return ()


def nothing_against(_after: Any, _before: Any) -> Sequence[Refusal]:
    return ()


def nothing_done(_path: str, _value: Any, _live: Mapping[str, Any], _running: Callable[[], Any]) -> Sequence[Act]:
    return ()


def nothing_taken(_path: str, _runs: Any, _wanted: Any) -> bool:
    return False


def nothing_implied(_elements: Sequence[Any]) -> Sequence[Any]:
    return ()


def nothing_wrong(_values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """What concerns no device: a table of rows, or one row alone. Each has its place below the domain, and its effect.

    types: the types of instance that have it.

    refuse: looks at the definition as it would become, and as it is. find_mistakes: looks at the instance's options
    alone, before anything is known of it, and returns pairs of a path and what is wrong there. acts: takes a row's
    path, its value, what is read of the running guest, and what tells its definition; returns what gives it to that
    guest, nothing where only the next start can. is_last: its acts come after those of other aspects, and are told what
    these give as if the running guest had it. needs: takes the option's value. slots: the PCIe root ports that it
    takes.
    """

    option: str
    help: str = ""
    types: frozenset[Type] = _MACHINES
    table: Table | None = None
    row: Field | None = None
    refuse: Callable[[Any, Any], Sequence[Refusal]] = nothing_against
    find_mistakes: Callable[[Mapping[str, Any]], Sequence[tuple[str, str]]] = nothing_wrong
    acts: Callable[[str, Any, Mapping[str, Any], Callable[[], Any]], Sequence[Act]] = nothing_done
    is_last: bool = False
    slots: int = 0
    needs: Callable[[Any], Sequence[Need]] = nothing_needed

    @functools.cached_property
    def field(self) -> Field:
        return self.row if self.row is not None else Field(kind="dict", table=self.table, help=self.help)


@dataclass(frozen=True, kw_only=True)
class Device:
    """A kind of device of which an instance has one at most.

    Each row of the table has its place below the device's element, `tag`. The row `switch` is always there, and its
    choice `none` means that the instance has no such device. hot: what a running guest takes; everything else waits for
    its next start. slots: the PCIe root ports that one takes. claims: which elements of the tag are ours. fixed: what a
    new one has besides, as places with their values. takes: takes a row's path, what runs and what is wanted, and tells
    whether a device that runs becomes so at once. says_none: libvirt adds one where there is none, unless an element
    says so. implied: takes a definition's elements of the tag, and returns those that libvirt adds by itself to any
    definition. needs: takes the option's value, of a device that is wanted. types: the types of instance that can have
    it.
    """

    option: str
    help: str
    tag: str
    table: Table
    switch: str = "model"
    types: frozenset[Type] = _MACHINES
    fixed: Sequence[tuple[Place, Any]] = ()
    says_none: bool = False
    hot: frozenset[Hot] = frozenset()
    takes: Callable[[str, Any, Any], bool] = nothing_taken
    slots: int = 0
    claims: Callable[[Any], bool] = lambda _element: True
    implied: Callable[[Sequence[Any]], Sequence[Any]] = nothing_implied
    refuse: Callable[[Any, Any], Sequence[Refusal]] = nothing_against
    find_mistakes: Callable[[Mapping[str, Any]], Sequence[tuple[str, str]]] = nothing_wrong
    needs: Callable[[Any], Sequence[Need]] = nothing_needed

    @functools.cached_property
    def field(self) -> Field:
        return Field(kind="dict", table=self.table, help=self.help)

    def is_wanted(self, values: Mapping[str, Any] | None) -> bool:
        return values is not None and values.get(self.switch) != "none"
