# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out works: their order, those that wait, and those that go wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from ansible_collections.pextra.cloud.plugins.module_utils._engine.carrying import carry_out
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Step, Work


def work(name: str, *acts: str, after: tuple[str, ...] = (), node: str | None = "node1") -> Work:
    return Work(kind="lamp", name=name, node=node, after=after, steps=tuple(Step(act, act) for act in acts or ("do",)))


class Doer:
    """Notes what is done. `fail` fails, `break` is a programming error, `wait` waits a third of a second."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.ended: list[str] = []
        self._lock = threading.Lock()
        self.at_once, self.most_at_once = 0, 0

    def apply(self, work: Work, step: Step) -> Iterator[float] | None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if step.act == "fail":
                raise PextraError([Problem("it failed", resource=work.key)])
            if step.act == "break":
                raise ZeroDivisionError("division by zero")
            if step.act in ("wait", "wait and fail"):
                return self._wait(work, step.act == "wait and fail")
            time.sleep(0.01)
            with self._lock:
                self.done.append(f"{work.name} {step.act}")
        finally:
            with self._lock:
                self.at_once -= 1
        return None

    def _wait(self, work: Work, fails: bool) -> Iterator[float]:
        for _ in range(3):
            yield 0.1
        if fails:
            raise PextraError([Problem("it did not stop", resource=work.key)])
        self.done.append(f"{work.name} waited")

    def run(self, *stages: list[Work]) -> dict[str, str]:
        failures = carry_out(stages, self.apply, lambda work: self.ended.append(work.name))
        assert sorted(self.ended) == sorted(work.name for stage in stages for work in stage)
        return {work.name: problems[0].what for work, problems in failures}


def test_stages_come_one_after_the_other() -> None:
    doer = Doer()
    names = [[f"{stage}{n}" for n in range(5)] for stage in "abc"]
    assert doer.run(*[[work(name) for name in stage] for stage in names]) == {}
    assert [name[0] for name in doer.done] == list("aaaaabbbbbccccc")
    assert doer.most_at_once == 2


def test_the_steps_of_a_work_stop_at_the_first_that_fails() -> None:
    doer = Doer()
    assert doer.run([work("a", "one", "fail", "three"), work("b")]) == {"a": "it failed"}
    assert sorted(doer.done) == ["a one", "b do"]


def test_a_hundred_that_wait_cost_the_time_of_one() -> None:
    """And none of them keeps the two workers of its node from the others."""
    doer = Doer()
    begun = time.monotonic()
    failures = doer.run(
        [*(work(f"w{n}", "wait and fail") for n in range(100)), work("quick"), work("last", "wait", "do")]
    )
    assert time.monotonic() - begun < 3
    assert len(failures) == 100
    assert doer.done == ["quick do", "last waited", "last do"]


def test_a_programming_error_is_of_its_work() -> None:
    doer = Doer()
    failures = doer.run([work("a", "break"), work("b"), work("c", node=None)])
    assert failures["a"].startswith("this is a defect of the collection: ZeroDivisionError: division by zero (")
    assert sorted(doer.done) == ["b do", "c do"]


def test_after() -> None:
    """Works of one resource on several nodes are all waited for."""
    doer = Doer()
    works = [
        work("last", after=("lamp middle",)),
        work("middle", after=("lamp first", "lamp of another plan")),
        *(work("first", "wait", "do", node=f"node{n}") for n in range(3)),
        work("free", node="node2"),
    ]
    assert doer.run(works) == {}
    order = [text.split()[0] for text in doer.done]
    assert order[0] == "free"
    assert order[-2:] == ["middle", "last"]


def test_what_fails_stops_what_comes_after_it_and_nothing_else() -> None:
    doer = Doer()
    stages = [
        [work("pool", "fail"), work("other")],
        [
            work("vm", after=("lamp pool",)),
            work("snapshot", after=("lamp vm",)),
            work("free", after=("lamp other",)),
        ],
    ]
    assert doer.run(*stages) == {
        "pool": "it failed",
        "vm": "was not begun, because lamp pool failed",
        "snapshot": "was not begun, because lamp vm failed",
    }
    assert sorted(doer.done) == ["free do", "other do"]


def test_nothing_to_do() -> None:
    assert Doer().run([], []) == {}


def test_works_that_wait_for_each_other_are_refused() -> None:
    doer = Doer()
    try:
        doer.run([work("a", after=("lamp b",)), work("b", after=("lamp a",))])
    except AssertionError as error:
        assert "works wait for each other: ['lamp a on node1', 'lamp b on node1']" in str(error)  # noqa: PT017
    else:
        raise AssertionError("they would wait for ever")
