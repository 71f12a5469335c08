# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out works: nodes in parallel, a few at a time on each, in the order that the plan demands.

A step that waits for something outside, such as a guest, gives its worker back: it is asked again when its time has
come. So a hundred guests that do not stop cost the time of one.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from .._model.errors import PextraError, Problem
from .._model.plan import Step, Work
from .defects import as_problem

# Two starts at once are best on two cores, and four or eight are no faster (measured; docs/architecture.md).
WORKERS_PER_NODE = 2

# What carries out one step. It may return an iterator over seconds, after each of which it is asked again.
Apply = Callable[[Work, Step], Iterator[float] | None]
Failure = tuple[Work, tuple[Problem, ...]]


@dataclass
class _Course:
    """How far a work is. waiting is what its present step waits with."""

    work: Work
    steps: deque[Step]
    waiting: Iterator[float] | None = None
    again_in_s: float | None = None
    problems: tuple[Problem, ...] = ()
    blockers: set[int] = field(default_factory=set)


def carry_out(stages: Sequence[Sequence[Work]], apply: Apply, ended: Callable[[Work], None]) -> list[Failure]:
    """Carry out works, stage by stage, and within a stage each after what it names. Returns those that failed.

    `ended` is called for each work, whether it went well or not.
    """
    failures: list[Failure] = []
    failed: set[str] = set()
    with ExitStack() as stack:
        workers: dict[str | None, ThreadPoolExecutor] = {}

        def worker_of(node: str | None) -> ThreadPoolExecutor:
            if node not in workers:
                workers[node] = stack.enter_context(ThreadPoolExecutor(max_workers=WORKERS_PER_NODE))
            return workers[node]

        for works in stages:
            for work, problems in _carry_out_stage(works, apply, worker_of, failed):
                if problems:
                    failures.append((work, problems))
                    failed.add(work.key)
                ended(work)
    order = {id(work): number for number, work in enumerate(itertools.chain.from_iterable(stages))}
    return sorted(failures, key=lambda failure: order[id(failure[0])])


def _carry_out_stage(
    works: Sequence[Work], apply: Apply, worker_of: Callable[[str | None], ThreadPoolExecutor], failed: set[str]
) -> Iterator[Failure]:
    courses = [_Course(work, deque(work.steps)) for work in works]
    followers = _link(courses)
    results: queue.SimpleQueue[int] = queue.SimpleQueue()
    sleeping: list[tuple[float, int]] = []
    failed = set(failed)
    futures: dict[int, Future[None]] = {}

    def submit(number: int) -> None:
        course = courses[number]
        future: Future[None] = worker_of(course.work.node).submit(_go_on, course, apply)
        futures[number] = future
        future.add_done_callback(lambda _: results.put(number))

    left = len(courses)
    ready = deque(number for number, course in enumerate(courses) if not course.blockers)
    while left:
        if not ready and not sleeping and left == sum(1 for course in courses if course.blockers):
            raise AssertionError(f"works wait for each other: {[one.work.label for one in courses if one.blockers]}")
        while ready:
            number = ready.popleft()
            course = courses[number]
            hindrance = next((key for key in course.work.after if key in failed), None)
            if hindrance is None:
                submit(number)
            else:
                course.problems = (_not_begun(course.work, hindrance),)
                results.put(number)
        pause_s = max(0.0, sleeping[0][0] - time.monotonic()) if sleeping else None
        try:
            number = results.get(timeout=pause_s)
        except queue.Empty:
            ready.append(heapq.heappop(sleeping)[1])
            continue
        course = courses[number]
        if number in futures:
            futures.pop(number).result()  # what ends a process, and is no error, ends it from here
        if course.again_in_s is not None:
            heapq.heappush(sleeping, (time.monotonic() + course.again_in_s, number))
            continue
        left -= 1
        if course.problems:
            failed.add(course.work.key)
        yield course.work, course.problems
        for follower in followers[number]:
            courses[follower].blockers.discard(number)
            if not courses[follower].blockers:
                ready.append(follower)


def _link(courses: Sequence[_Course]) -> dict[int, list[int]]:
    """Note in each course which others it waits for, and return the other direction."""
    by_key: dict[str, list[int]] = defaultdict(list)
    for number, course in enumerate(courses):
        by_key[course.work.key].append(number)
    followers: dict[int, list[int]] = defaultdict(list)
    for number, course in enumerate(courses):
        course.blockers = {other for key in course.work.after for other in by_key.get(key, ()) if other != number}
        for blocker in course.blockers:
            followers[blocker].append(number)
    return followers


def _go_on(course: _Course, apply: Apply) -> None:
    """Do what can be done now: all the rest, or what comes before the next wait."""
    course.again_in_s = None
    try:
        with as_problem(course.work.node, course.work.key):
            while course.steps:
                if course.waiting is None:
                    course.waiting = apply(course.work, course.steps[0])
                if course.waiting is not None:
                    course.again_in_s = next(course.waiting, None)
                    if course.again_in_s is not None:
                        return
                course.waiting = None
                course.steps.popleft()
    except PextraError as error:
        course.problems = error.problems


def _not_begun(work: Work, hindrance: str) -> Problem:
    return Problem(f"was not begun, because {hindrance} failed", "Mend that, and run again.", work.node, work.key)
