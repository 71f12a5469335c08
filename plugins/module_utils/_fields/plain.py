# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as a YAML loader or a template engine hands them over, turned into plain ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from types import NoneType
from typing import Any


@dataclass(frozen=True)
class Unreadable:
    """It stands for a value that could not be read. problem: why."""

    problem: str


# Deeper and more than anything that could be meant.
_DEPTH = 32
_MOST = 1_000_000


class Extent:
    """Tells, before anything walks a value, what would walk it without an end.

    YAML's anchors and aliases make values that hold themselves, and of a few lines values of billions of others.
    """

    def __init__(self) -> None:
        # By the id: how many values it stands for and how deep they are nested, None while they are counted; and the
        # value itself, so that its id stays its own.
        self._counted: dict[int, tuple[int, int] | None] = {}
        self._kept: list[object] = []

    def find_problem(self, value: object) -> str | None:
        """Return why the value cannot be read, or None."""
        if not _holds(value):
            return None
        pending = [value]
        while pending:
            current = pending[-1]
            inner = [item for item in _items(current) if _holds(item)]
            if id(current) not in self._counted:
                self._counted[id(current)] = None
                self._kept.append(current)
            missing = [item for item in inner if id(item) not in self._counted]
            if missing:
                pending += missing
                continue
            pending.pop()
            if self._counted[id(current)] is not None:
                continue
            known = [one for item in inner if (one := self._counted[id(item)]) is not None]
            if len(known) < len(inner):
                return "holds itself, by a YAML alias of its own anchor; write it without"
            count = 1 + len(_items(current)) + sum(one[0] for one in known)
            self._counted[id(current)] = count, 1 + max((one[1] for one in known), default=0)
        count, depth = self._counted[id(value)] or (0, 0)
        if depth > _DEPTH:
            return f"is nested {depth} deep; write at most {_DEPTH} lists and mappings in each other"
        if count > _MOST:
            return f"stands for more than {_MOST:,} values, with its YAML aliases written out; write fewer"
        return None


def _holds(value: object) -> bool:
    # Asked of every value: the abstract types take ten times as long.
    if isinstance(value, (str, int, float, bytes, bytearray, NoneType)):
        return False
    return isinstance(value, (dict, list, Mapping, Sequence, Set))


def _items(value: Any) -> Any:
    return value.values() if isinstance(value, (dict, Mapping)) else value


def make_plain(value: object, depth: int = 0) -> Any:
    """Return the value in dict, list, str, int, float, bool and None, without tags and laziness.

    What is none of these (a date, bytes) stays as it is, for the parser to name.
    """
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if depth > _DEPTH:
        return "(nested too deeply)"
    if isinstance(value, Mapping):
        return {_plain_key(key): make_plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray):
        return [make_plain(item, depth + 1) for item in value]
    return value


def _plain_key(key: object) -> Any:
    return str(key) if isinstance(key, str) else key
