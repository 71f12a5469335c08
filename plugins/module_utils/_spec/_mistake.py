"""A mistake in what a person wrote, and where it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """`path` names the value, for example `pextra_instances[2] (db).nics[0].port_group`."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def suggest(word: object, known: Iterable[str]) -> str:
    """Return ` Did you mean "x"?` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f' Did you mean "{near[0]}"?' if near else ""


def shown(value: object) -> str:
    """Return a value as a person would recognise it, short and on one line."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= 80 else text[:77] + "..."
