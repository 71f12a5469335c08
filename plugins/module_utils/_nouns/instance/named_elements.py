# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of one tag of which an instance has several, each with a name: as a place of a row that is a list. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class NamedElements:
    """All of ours, in the order of their elements.

    name_of: the name of an element, None of one that is not ours. values_of: what it says beside its name, by the keys
    of a row. make: a new element for a row, made by another's `makeelement`. settle: gives a definition what any of
    them need besides.
    """

    tag: str
    name_of: Callable[[Any], str | None]
    values_of: Callable[[Any], Mapping[str, Any]]
    make: Callable[[Any, Mapping[str, Any]], Any]
    settle: Callable[[Any], None]

    def find(self, root: Any) -> dict[str, Any]:
        """Return the elements that are ours, by name."""
        devices = root.find("devices")
        elements = devices.findall(self.tag) if devices is not None else ()
        return {name: element for element in elements if (name := self.name_of(element)) is not None}

    def is_as(self, element: Any, row: Mapping[str, Any]) -> bool:
        return all(row.get(key) == value for key, value in self.values_of(element).items())

    def read(self, root: Any) -> tuple[dict[str, Any], ...] | None:
        return tuple({"name": name, **self.values_of(one)} for name, one in self.find(root).items()) or None

    def write(self, root: Any, value: Any) -> None:
        devices, held = root.find("devices"), self.find(root)
        for element in held.values():
            devices.remove(element)
        for row in value or ():
            element = held.get(row["name"])
            if element is None or not self.is_as(element, row):
                element = self.make(devices, row)
            devices.append(element)
        if value:
            self.settle(root)
