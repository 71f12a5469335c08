"""Values as a YAML loader or a template engine hands them over, turned into plain ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Unreadable:
    """It stands for a value that could not be read. problem: why."""

    problem: str


# Deeper than anything that could be meant; a YAML anchor may even make a value that holds itself.
_DEPTH = 32


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
