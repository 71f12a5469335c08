# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References of declared things to each other, by name or identifier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._model.ids import PREFIXES, is_id
from .._model.mistake import Mistake, shown, suggest
from .._model.nouns import WORDS

# Flavors and profiles exist in the document alone.
ALL_WORDS = {**WORDS, "flavor": "a flavor", "profile": "a profile"}
_LISTED = 8


@dataclass(frozen=True)
class Known:
    """The names of one kind: scope (the cluster, or None for what stands in none) to name to whether it is present."""

    kind: str
    names: Mapping[str | None, Mapping[str, bool]]

    def has(self, word: str, scope: str | None = None) -> bool:
        return word in self.names.get(scope, {})


def collect(kind: str, names: Iterable[tuple[str | None, str, bool]]) -> Known:
    """Collect (scope, name, whether it is present) of one kind."""
    scopes: dict[str | None, dict[str, bool]] = {}
    for scope, name, present in names:
        known = scopes.setdefault(scope, {})
        known[name] = known.get(name, False) or present
    return Known(kind, scopes)


def find_reference_mistake(known: Known, word: str, path: str, scope: str | None = None) -> Mistake | None:
    """Check one reference. What an identifier stands for only the registry can tell: it passes."""
    what = ALL_WORDS[known.kind]
    if is_id(word):
        if known.kind not in PREFIXES or not is_id(word, known.kind):
            return Mistake(path, f"{shown(word)} is not the identifier of {what}")
        return None
    names = known.names.get(scope, {})
    if word in names:
        return None if names[word] else Mistake(path, f"{shown(word)} is declared with state: absent")
    elsewhere = [other for other, there in known.names.items() if other != scope and other and word in there]
    if elsewhere and scope:
        others = ", ".join(shown(name)[1:-1] for name in elsewhere)
        return Mistake(path, f"{shown(word)} is {what} of the cluster {others}, not of {scope}")
    present = [name for name, is_present in names.items() if is_present]
    if not present:
        return Mistake(path, f"{shown(word)} is not {what}. None is declared.")
    # A name may be long or unprintable: that is told where it is declared.
    more = f" and {len(present) - _LISTED} more" if len(present) > _LISTED else ""
    declared = f"{', '.join(shown(name)[1:-1] for name in present[:_LISTED])}{more}"
    advice = suggest(word, present) or f" Declared: {declared}."
    return Mistake(path, f"{shown(word)} is not {what}.{advice}", f"one of {declared}")
