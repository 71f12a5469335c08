# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References by name or identifier, and what is suggested instead."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.references import collect, find_reference_mistake
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import shown, suggest

POOLS = collect("pool", [("one", "local", True), ("one", "old", False), ("two", "shared", True)])
FLAVORS = collect("flavor", [(None, f"size-{number}", True) for number in range(12)])


@pytest.mark.parametrize(
    ("word", "scope", "problem"),
    [
        ("local", "one", None),
        ("old", "one", '"old" is declared with state: absent'),
        ("loca", "one", '"loca" is not a storage pool. Did you mean "local"?'),
        ("xyz", "one", '"xyz" is not a storage pool. Declared: local.'),
        ("local", "two", '"local" is a storage pool of the cluster one, not of two'),
        ("local", "three", '"local" is a storage pool of the cluster one, not of three'),
        ("xyz", "three", '"xyz" is not a storage pool. None is declared.'),
        ("pool-AAAAAAAAAAAAAAAAAAAAA", "one", None),
        ("node-AAAAAAAAAAAAAAAAAAAAA", "one", '"node-AAAAAAAAAAAAAAAAAAAAA" is not the identifier of a storage pool'),
    ],
)
def test_references(word: str, scope: str, problem: str | None) -> None:
    mistake = find_reference_mistake(POOLS, word, "x", scope)
    assert (mistake.problem if mistake else None) == problem


def test_many_names_are_cut() -> None:
    mistake = find_reference_mistake(FLAVORS, "zzz", "x")
    assert mistake is not None
    assert mistake.problem.endswith("size-7 and 4 more.")


def test_flavors_have_no_identifiers() -> None:
    assert find_reference_mistake(FLAVORS, new_id("pool"), "x") is not None


@pytest.mark.parametrize(
    ("word", "known", "advice"),
    [
        ("memroy", ["memory", "name"], ' Did you mean "memory"?'),
        ("Prod", ["Production", "DMZ"], ' Did you mean "Production"?'),
        ("web", ["web-1", "web-2"], ' Did you mean "web-'),
        ("zzz", ["memory"], ""),
        (5, ["memory"], ""),
    ],
)
def test_suggestions(word: object, known: list[str], advice: str) -> None:
    assert suggest(word, known).startswith(advice)
    assert bool(suggest(word, known)) == bool(advice)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("a\nb", '"a\\nb"'),
        ("\x1b[31m", '"\\x1b[31m"'),
        ("\ud800", '"\\ud800"'),
        (5, "5"),
        (None, "nothing"),
        ({"a": 1}, "a mapping"),
        ([1], "a list"),
    ],
)
def test_shown(value: object, text: str) -> None:
    assert shown(value) == text


def test_numbers_that_python_does_not_write() -> None:
    assert shown(10**5000) == shown(-(10**5000)) == "a number of more than 80 digits"


def test_long_texts_are_cut() -> None:
    assert len(shown("x" * 10_000)) == 80
