# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of modules that act on their own host, with a host that is a list of words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._engine.own_host import HostPlan, converge_on_host
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import (
    ConsentError,
    NotConvergedError,
    PextraError,
    Problem,
    RefusedError,
)


@dataclass(frozen=True)
class Say:
    text: str


@dataclass
class Words:
    """Has the words that are wanted. deaf: does nothing when it should; took: what was called, in order."""

    wanted: Sequence[str]
    there: list[str] = field(default_factory=list)
    terms: dict[str, Any] = field(default_factory=dict)
    deaf: bool = False
    took: list[str] = field(default_factory=list)

    @contextmanager
    def prepared(self) -> Iterator[None]:
        self.took.append("prepared")
        yield
        self.took.append("left")

    def plan(self) -> HostPlan[Say]:
        self.took.append("plan")
        return HostPlan(acts=tuple(Say(word) for word in self.wanted if word not in self.there), **self.terms)

    def apply(self, acts: Sequence[Say]) -> None:
        self.took.append("apply")
        if not self.deaf:
            self.there += [act.text for act in acts]

    def describe(self, *, applied: bool) -> Mapping[str, Any]:
        return {"there": list(self.there), "applied": applied}


def test_a_real_run_looks_acts_and_looks_again() -> None:
    work = Words(["a", "b"], ["a"])
    result = converge_on_host(work, apply=True, confirm=None)
    assert result.plan.actions == ["b"]
    assert result.plan.diff == {"before": "", "after": "b\n"}
    assert result.further == {"there": ["a", "b"], "applied": True}
    assert work.took == ["prepared", "plan", "apply", "plan", "left"]


def test_what_is_as_it_should_be_is_looked_at_once() -> None:
    work = Words(["a"], ["a"])
    assert converge_on_host(work, apply=True, confirm=None).plan.actions == []
    assert work.took == ["prepared", "plan", "left"]


def test_a_check_says_the_same_and_does_nothing() -> None:
    work = Words(["a"])
    result = converge_on_host(work, apply=False, confirm=None)
    assert result.plan.actions == ["a"]
    assert result.further == {"there": [], "applied": False}
    assert work.took == ["plan"]


@pytest.mark.parametrize("apply", [True, False])
@pytest.mark.parametrize(
    ("terms", "confirm", "error"),
    [
        ({"refusals": (Problem("no"),)}, "DESTROY", RefusedError),
        ({"loses": ("data",)}, None, ConsentError),
        ({"loses": ("data",)}, "yes", ConsentError),
    ],
)
def test_what_is_refused_is_refused_in_a_check_as_well(
    apply: bool, terms: dict[str, Any], confirm: str | None, error: type[PextraError]
) -> None:
    work = Words(["a"], terms=terms)
    with pytest.raises(error):
        converge_on_host(work, apply=apply, confirm=confirm)
    assert work.there == []


def test_conditions_stop_a_real_run_only() -> None:
    terms = {"conditions": (Problem("it still runs"),)}
    assert converge_on_host(Words(["a"], terms=terms), apply=False, confirm=None).plan.conditions
    with pytest.raises(RefusedError, match="it still runs"):
        converge_on_host(Words(["a"], terms=terms), apply=True, confirm=None)


def test_consent_is_enough_once_it_is_given() -> None:
    work = Words(["a"], terms={"loses": ("data",)})
    assert converge_on_host(work, apply=True, confirm="DESTROY").further["there"] == ["a"]


def test_what_is_left_afterwards_is_an_error() -> None:
    with pytest.raises(NotConvergedError, match="still to be done: a"):
        converge_on_host(Words(["a"], deaf=True), apply=True, confirm=None)
