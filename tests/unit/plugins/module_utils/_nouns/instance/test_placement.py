# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing a node."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.placement import Capacity, choose_node
from hypothesis import given
from hypothesis import strategies as st


def capacities(**memories: int) -> dict[str, Capacity]:
    return {name: Capacity(memory) for name, memory in memories.items()}


def test_capacity() -> None:
    capacity = Capacity(1000, reserved=100)
    capacity.take(200, runs=True)
    capacity.take(300, runs=False)
    assert (capacity.free, capacity.uncommitted) == (700, 400)
    capacity.take(-300, runs=False)
    capacity.take(-200, runs=True)
    assert (capacity.free, capacity.uncommitted) == (900, 900)


@pytest.mark.parametrize(
    ("memories", "memory", "expected"),
    [
        ({"a": 100, "b": 200}, 50, "b"),
        ({"a": 200, "b": 200}, 50, "a"),
        ({"b": 200, "a": 200}, 50, "a"),
        ({"a": 100, "b": 99}, 100, "a"),
        ({"a": 99, "b": 99}, 100, None),
        ({"a": 0}, 0, "a"),
        ({}, 0, None),
    ],
)
def test_most_memory(memories: dict[str, int], memory: int, expected: str | None) -> None:
    assert choose_node(list(memories), capacities(**memories), memory=memory, anti_affinity=None) == expected


def test_only_candidates() -> None:
    assert choose_node(["a"], capacities(a=1, b=9), memory=1, anti_affinity=None) == "a"


def test_stopped_instances_count_for_the_choice_alone() -> None:
    found = capacities(a=100, b=90)
    found["a"].take(80, runs=False)
    assert choose_node(["a", "b"], found, memory=90, anti_affinity=None) == "b"
    assert choose_node(["a", "b"], found, memory=95, anti_affinity=None) == "a"


def test_anti_affinity() -> None:
    found = capacities(a=100, b=90)
    found["a"].groups.add("web")
    assert choose_node(["a", "b"], found, memory=1, anti_affinity="web") == "b"
    assert choose_node(["a", "b"], found, memory=1, anti_affinity="db") == "a"
    found["b"].groups.add("web")
    assert choose_node(["a", "b"], found, memory=1, anti_affinity="web") is None


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(0, 20), min_size=1), st.lists(st.integers(1, 8)))
def test_no_node_is_ever_too_full(memories: dict[str, int], wanted: list[int]) -> None:
    found = capacities(**memories)
    for memory in wanted:
        name = choose_node(sorted(memories), found, memory=memory, anti_affinity=None)
        if name is None:
            assert all(capacity.free < memory for capacity in found.values())
        else:
            found[name].take(memory, runs=True)
    assert all(capacity.free >= 0 for capacity in found.values())
