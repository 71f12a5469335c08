# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing a node."""

from __future__ import annotations

import math

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.placement import Capacity, Size, choose_node
from hypothesis import given
from hypothesis import strategies as st


def capacities(**memories: int) -> dict[str, Capacity]:
    return {name: Capacity(memory) for name, memory in memories.items()}


def test_capacity() -> None:
    capacity = Capacity(1000, reserved=100)
    capacity.take(Size(200), runs=True)
    capacity.take(Size(300), runs=False)
    assert (capacity.free, capacity.uncommitted) == (700, 400)
    capacity.give_back(Size(300), runs=False)
    capacity.give_back(Size(200), runs=True)
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
    assert choose_node(list(memories), capacities(**memories), size=Size(memory), anti_affinity=None) == expected


def test_only_candidates() -> None:
    assert choose_node(["a"], capacities(a=1, b=9), size=Size(1), anti_affinity=None) == "a"


def test_stopped_instances_count_for_the_choice_alone() -> None:
    found = capacities(a=100, b=90)
    found["a"].take(Size(80), runs=False)
    assert choose_node(["a", "b"], found, size=Size(90), anti_affinity=None) == "b"
    assert choose_node(["a", "b"], found, size=Size(95), anti_affinity=None) == "a"


@pytest.mark.parametrize(
    ("threads", "ratio", "most"),
    [
        (4, 4.0, 16),
        (3, 1.5, 4),
        (1, 0.5, 0),
        (100, 0.29, 29),  # 28.999999999999996
        (30, 0.1, 3),  # 3.0000000000000004
        (None, 4.0, math.inf),
        (4, math.inf, math.inf),
    ],
)
def test_virtual_cpus_of_a_node(threads: int | None, ratio: float, most: float) -> None:
    capacity = Capacity(1000, threads=threads, per_thread=ratio)
    assert capacity.most_vcpus == most
    if most == math.inf:
        capacity.take(Size(0, 10**6), runs=True)
        assert not capacity.lacks_vcpus(10**6)
        return
    assert (capacity.lacks_vcpus(int(most) + 1), most > 0 and capacity.lacks_vcpus(int(most))) == (True, False)
    capacity.take(Size(0, 5), runs=False)
    assert capacity.vcpus == 0
    capacity.take(Size(0, int(most) + 2), runs=True)
    assert (capacity.lacks_vcpus(1), capacity.lacks_vcpus(0), capacity.lacks_vcpus(-1)) == (True, False, False)
    capacity.give_back(Size(0, 3), runs=True)
    assert not capacity.lacks_vcpus(1)


@pytest.mark.parametrize(
    ("vcpus", "warned"), [(11, False), (12, False), (13, True)], ids=["below", "at the ratio", "above"]
)
def test_crowded(vcpus: int, warned: bool) -> None:
    capacity = Capacity(1000, threads=4, per_thread=4.0, per_thread_warn=3.0)
    capacity.take(Size(0, vcpus), runs=True)
    assert capacity.is_crowded is warned


@pytest.mark.parametrize(
    ("used", "size", "expected"),
    [
        ({}, Size(50, 1), "b"),
        ({"b": Size(0, 7)}, Size(50, 1), "b"),
        ({"b": Size(0, 7)}, Size(50, 2), "a"),
        ({"b": Size(0, 8)}, Size(50, 1), "a"),
        ({"b": Size(0, 8)}, Size(150, 1), None),
        ({"a": Size(0, 8), "b": Size(0, 8)}, Size(50, 1), None),
        # It is to stay off, and needs nothing now.
        ({"a": Size(200, 9), "b": Size(300, 9)}, Size(), "a"),
    ],
)
def test_both_must_fit(used: dict[str, Size], size: Size, expected: str | None) -> None:
    found = {"a": Capacity(100, threads=2, per_thread=4.0), "b": Capacity(200, threads=2, per_thread=4.0)}
    for name, taken in used.items():
        found[name].take(taken, runs=True)
    assert choose_node(["a", "b"], found, size=size, anti_affinity=None) == expected


def test_anti_affinity() -> None:
    found = capacities(a=100, b=90)
    found["a"].groups.add("web")
    assert choose_node(["a", "b"], found, size=Size(1), anti_affinity="web") == "b"
    assert choose_node(["a", "b"], found, size=Size(1), anti_affinity="db") == "a"
    found["b"].groups.add("web")
    assert choose_node(["a", "b"], found, size=Size(1), anti_affinity="web") is None


@given(
    st.dictionaries(st.sampled_from("abcde"), st.tuples(st.integers(0, 20), st.integers(1, 4)), min_size=1),
    st.lists(st.builds(Size, st.integers(1, 8), st.integers(1, 4))),
)
def test_no_node_is_ever_too_full(nodes: dict[str, tuple[int, int]], wanted: list[Size]) -> None:
    found = {name: Capacity(memory, threads=threads, per_thread=1.5) for name, (memory, threads) in nodes.items()}
    for size in wanted:
        name = choose_node(sorted(found), found, size=size, anti_affinity=None)
        if name is None:
            assert all(one.free < size.memory or one.most_vcpus - one.vcpus < size.vcpus for one in found.values())
        else:
            found[name].take(size, runs=True)
    assert all(one.free >= 0 and one.vcpus <= one.most_vcpus for one in found.values())
