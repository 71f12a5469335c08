# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as programs read them."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._engine.telling import tell
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import Effect
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Change, Plan, Step, When, Work
from guards.project import returned
from hypothesis import given
from hypothesis import strategies as st
from told_diff import require_same

DO = (Step("do", "do it"),)


def work(*changes: Change, name: str = "db", node: str | None = "node2", **more: Any) -> Work:
    return Work(kind="instance", name=name, node=node, changes=changes, **more)


@pytest.mark.parametrize(
    ("change", "before", "after", "when"),
    [
        (Change("power", "stopped", "running"), "stopped", "running", "live"),
        (Change("vcpus", 1, 2, "hot_plug"), 1, 2, "hot_plug"),
        (Change("memory", 128, 2048, "next_boot"), 128, 2048, "next_boot"),
        (Change("image", "tiny", "huge", "replace"), "tiny", "huge", "replace"),
        (Change("volumes.data.size", None, 512), None, 512, "live"),
        (Change("autostart", False, True), False, True, "live"),
        (Change("tags", ("a", "b"), ["c"]), ["a", "b"], ["c"], "live"),
        (Change("nodes", {"b", "a"}, frozenset()), ["a", "b"], [], "live"),
        (Change("definition", {"path": "/a", "hosts": ("x",)}, None), {"path": "/a", "hosts": ["x"]}, None, "live"),
    ],
)
def test_a_change(change: Change, before: Any, after: Any, when: str) -> None:
    told = tell(Plan(works=(work(change, steps=DO),)))
    (one,) = told["changes"]
    assert one == {
        "kind": "instance",
        "name": "db",
        "node": "node2",
        "option": change.field,
        "before": before,
        "after": after,
        "when": when,
    }
    assert json.loads(json.dumps(told)) == told
    assert type(one["before"]) is type(before)


def test_effects_have_the_names_that_rows_have() -> None:
    """What is fixed is refused, and never a change."""
    assert set(get_args(When)) == set(get_args(Effect)) - {"fixed"}


def test_the_documentation_names_what_is_told() -> None:
    documented = returned("pextra_vm")
    told = tell(Plan(works=(work(Change("memory", 1, 2), steps=DO),)))
    assert set(told) <= set(documented)
    for name in ("changes", "pending"):
        assert set(documented[name]["contains"]) == set(told["changes"][0])
    description = documented["changes"]["contains"]["when"]["description"]
    assert [when for when in get_args(When) if f"V({when})" not in description] == []


def test_what_waits_is_no_change() -> None:
    waits = Change("memory", 128, 256, "next_boot")
    told = tell(Plan(works=(work(pending=(waits,)), work(waits, pending=(waits,), steps=DO, name="web"))))
    assert [one["name"] for one in told["changes"]] == ["web"]
    assert [one["name"] for one in told["pending"]] == ["db", "web"]
    assert told["actions"] == ["instance web on node2: do it"]


def test_works_in_the_order_of_what_is_done() -> None:
    first, then, last = (work(Change("name", None, name), name=name, steps=DO) for name in "cab")
    told = tell(Plan(first=(first,), works=(then,), last=(last,)))
    assert [one["name"] for one in told["changes"]] == ["c", "a", "b"]


def test_what_stays_as_it_is_costs_nothing() -> None:
    busy = work(Change("vcpus", 1, 2), steps=DO)
    idle = tuple(work(name=f"db-{number}") for number in range(10_000))
    assert tell(Plan(works=idle)) == {"actions": [], "changes": [], "pending": []}
    assert tell(Plan(works=(*idle, busy))) == tell(Plan(works=(busy,)))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(0, 2**20), st.text("ab.: \n", max_size=4), st.lists(st.text("ab"), max_size=3)
)
CHANGES = st.builds(
    Change,
    st.sampled_from(["memory", "volumes.data.size", "tags", "nics.52:54:00:00:00:01.mtu"]),
    VALUES,
    VALUES,
    st.sampled_from(get_args(When)),
)
WORKS = st.builds(
    Work,
    kind=st.just("instance"),
    name=st.sampled_from(["db", "web"]),
    node=st.sampled_from([None, "node1"]),
    steps=st.lists(st.just(DO[0]), max_size=2).map(tuple),
    changes=st.lists(CHANGES, max_size=3).map(tuple),
    pending=st.lists(CHANGES, max_size=2).map(tuple),
)


@given(st.lists(WORKS.filter(lambda one: one.steps or not one.changes), max_size=3))
def test_the_diff_says_the_same(works: list[Work]) -> None:
    require_same(Plan(works=tuple(works)))
