# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mistake in what a person wrote, and where it stands."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

_SHOWN = 80
_FEW = 64
_COMPARED = 3
_TELLING = 3


@dataclass(frozen=True)
class Mistake:
    """`path` names the value, for example `pextra_instances[2] (db).nics[0].port_group`.

    allowed: what the value may be, where a few words can say it. meant: the path of the key that a misspelt one was
    meant to be. file, line: where it stands, if that is known. Path and problem are told on a terminal: what could
    control it is written as its escape sequence.
    """

    path: str
    problem: str
    allowed: str | None = field(default=None, compare=False)
    meant: str | None = field(default=None, compare=False)
    file: str | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("path", "problem"):
            text = getattr(self, name)
            if not text.isprintable():
                object.__setattr__(self, name, printable(text))

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def printable(text: str) -> str:
    """Return the text with escape sequences for all that is no printable character."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def suggest(word: object, known: Iterable[str]) -> str:
    """Return ` Did you mean "x"?` for the nearest known word, or nothing."""
    near = find_nearest(word, known)
    return f" Did you mean {shown(near)}?" if near else ""


def find_nearest(word: object, known: Iterable[str]) -> str | None:
    """Return the known word that another one was most likely meant to be, or None."""
    return _find_nearest(_word(word), tuple(known))


def _word(value: object) -> str:
    return value[:_SHOWN] if isinstance(value, str) else shown(value)


@lru_cache(maxsize=1024)
def _find_nearest(word: str, known: tuple[str, ...]) -> str | None:
    """One wrong word often stands in many places, and comparing letter by letter is for few names only."""
    slips = _list_slips(known)
    near = next((slips[one] for one in _leave_one_out(word) if one in slips), None)
    if near is None and len(known) <= _FEW:
        # Thousands of different wrong words are only compared with what has the most of their pairs of letters.
        pairs = _list_pairs(word)
        alike = sorted(known, key=lambda name: -len(pairs & _list_pairs(name)))[:_COMPARED]
        near = next(iter(difflib.get_close_matches(word, alike, n=1, cutoff=0.5)), None)
    if near is not None or len(word) < _TELLING:
        return near
    # "Prod" for "Production" is too short a part of it to be alike by letters.
    names, start = _sort(known), word.lower()
    place = bisect_left(names, (start, ""))
    begun = [name for lower, name in names[place : place + 2] if lower.startswith(start)]
    return begun[0] if len(begun) == 1 else None


@lru_cache(maxsize=1024)
def _list_pairs(word: str) -> frozenset[str]:
    return frozenset(first + second for first, second in pairwise(word.lower()))


@lru_cache(maxsize=64)
def _sort(known: tuple[str, ...]) -> list[tuple[str, str]]:
    return sorted((name.lower(), name) for name in known)


@lru_cache(maxsize=64)
def _list_slips(known: tuple[str, ...]) -> dict[str, str]:
    """Return the names by themselves and by what is left of them without one letter.

    Two words have one of these in common if they differ by one letter more, less or other, or by two that are swapped.
    """
    return {one: name for name in reversed(known) for one in _leave_one_out(name)}


def _leave_one_out(word: str) -> list[str]:
    word = word[:_SHOWN].lower()
    places = range(len(word)) if len(word) >= _TELLING else ()
    return [word, *(word[:index] + word[index + 1 :] for index in places)]


def shown_key(key: object) -> str:
    """Return a mapping's key as a part of a path."""
    return shown(key)[1:-1] if isinstance(key, str) else shown(key)


def shown(value: object) -> str:
    """Return a value as a person would recognise it, short and on one line."""
    if isinstance(value, str):
        text = f'"{value[:_SHOWN]}"'
    elif isinstance(value, int) and abs(value) >= 10**_SHOWN:
        # Python refuses to write numbers beyond 4,300 digits.
        text = "a number of more than 80 digits"
    elif value is None:
        text = "nothing"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, bytes | bytearray):
        text = "binary data"
    else:
        is_list = isinstance(value, list | tuple | set | frozenset)
        text = "a mapping" if isinstance(value, Mapping) else "a list" if is_list else str(value)
    text = printable(text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
