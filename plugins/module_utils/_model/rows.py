# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the registry, as planners see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """A resource as the registry knows it. scope is the identifier within which its name is unique."""

    id: str
    kind: str
    name: str
    scope: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AssociationRow:
    """A resource on a node, by identifiers."""

    resource: str
    node: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


def name_of(id_: str, rows: Iterable[Row]) -> str | None:
    return next((row.name for row in rows if row.id == id_), None)


def names_of(ids: Iterable[str], rows: Iterable[Row]) -> list[str]:
    """Return the names of rows by their identifiers, sorted; what is not there any more is left out."""
    names = {row.id: row.name for row in rows}
    return sorted(names[id_] for id_ in ids if id_ in names)
