# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line at the bottom of the screen, and what modules tell it of their work."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.plugin_utils import progress
from ansible_collections.pextra.cloud.plugins.plugin_utils.status_line import (
    Status,
    count_cells,
    cut,
    name_some,
    render_bar,
    render_status,
    sort_names,
)
from hypothesis import given
from hypothesis import strategies as st

STAGE: dict[str, Any] = {"stage": "Prepare the nodes", "number": 2, "stages": 6}


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ({}, "[2/6] Prepare the nodes"),
        ({"tasks": 8}, "[2/6] Prepare the nodes [--------------------]"),
        (
            {"task": "Install", "tasks": 8, "tasks_begun": 5, "hosts": {"node1": None, "node2": None}},
            "[2/6] Prepare the nodes [##########----------] Install: node1, node2 12 s",
        ),
        (
            {"task": "Install", "hosts": dict.fromkeys(f"n{number}" for number in range(7)), "retry": "attempt 2 of 5"},
            "[2/6] Prepare the nodes Install: n0, n1, n2 and 4 more, attempt 2 of 5 12 s",
        ),
        (
            {"task": "Have it", "tasks": 3, "tasks_begun": 3, "wait": "instances: 3 of 4 done", "done": 3, "total": 4},
            "[2/6] Prepare the nodes [###############-----] instances: 3 of 4 done 12 s",
        ),
        ({"task": "\x1b[2Jred\n"}, "[2/6] Prepare the nodes \\x1b[2Jred\\n 12 s"),
    ],
)
def test_a_line(status: dict[str, Any], line: str) -> None:
    assert render_status(Status(**STAGE, **status, begun_at=100.0), 120, 112.9) == line


@pytest.mark.parametrize(("now", "told"), [(0.9, ""), (1, " 1 s"), (59.9, " 59 s"), (95, " 1 min 35 s")])
def test_how_long_it_has_been_waited(now: float, told: str) -> None:
    assert render_status(Status(stage="End", task="Wait", begun_at=0.0), 80, now) == f"End Wait{told}"


def test_what_is_waited_for_is_cut_first() -> None:
    status = Status(**STAGE, task="Install the packages of the node", tasks=4, tasks_begun=2, begun_at=0.0)
    assert render_status(status, 70, 5) == "[2/6] Prepare the nodes [#####---------------] Install the pack... 5 s"
    assert render_status(status, 40, 5) == "[2/6] Prepare the nodes Install t... 5 s"
    assert render_status(status, 12, 5) == "[2/6] Pre..."


@pytest.mark.parametrize(
    ("width", "told"),
    [(80, "Install: node1, node2, node3"), (63, "Install: 3 hosts"), (54, "Install"), (45, "Ins...")],
)
def test_hosts_are_named_counted_or_left_out_but_never_cut(width: int, told: str) -> None:
    hosts = dict.fromkeys(["node1", "node2", "node3"])
    status = Status(number=2, stages=6, stage="Prepare the nodes and disks", task="Install", hosts=hosts, begun_at=0.0)
    assert render_status(status, width, 12) == f"[2/6] Prepare the nodes and disks {told} 12 s"


@given(st.builds(Status, stage=st.text(), task=st.text(), wait=st.text(), tasks=st.integers()), st.integers(0, 200))
def test_it_is_never_wider_than_the_screen(status: Status, width: int) -> None:
    line = render_status(status, width, 90.0)
    assert count_cells(line) <= width
    assert line.isprintable()


@pytest.mark.parametrize(("done", "total", "filled"), [(0, 9, 0), (8, 9, 17), (9, 9, 20), (12, 9, 20), (-1, 9, 0)])
def test_bars(done: int, total: int, filled: int) -> None:
    assert render_bar(done, total) == f"[{'#' * filled}{'-' * (20 - filled)}]"


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, ""), (1, "n0"), (4, "n0, n1, n2, n3"), (5, "n0, n1, n2 and 2 more"), (200, "n0, n1, n2 and 197 more")],
)
def test_of_many_names_some_are_told(count: int, told: str) -> None:
    assert name_some([f"n{number}" for number in range(count)]) == told


def test_names_are_sorted_as_people_count() -> None:
    assert sort_names(["node10", "b", "node2", "2", "node", "10a"]) == ["2", "10a", "b", "node", "node2", "node10"]


def test_wide_characters_take_two_cells() -> None:
    assert count_cells("\u96f2e\u0301") == 3
    assert cut("\u96f2\u96f2\u96f2\u96f2", 7) == "\u96f2\u96f2..."


def test_workers_tell_a_screen_what_modules_report() -> None:
    read, write = os.pipe()
    state = {"noun": "images", "done": 1, "total": 3, "nodes": {"node1": 1}}
    state["transfers"] = {"debian": {"done": 50 * 1024**2, "total": 200 * 1024**2}}
    progress.tell_to(write)
    try:
        child = os.fork()
        if child == 0:
            progress._tell(progress.render_progress(state), state)
            os._exit(0)
        os.waitpid(child, 0)
    finally:
        progress.tell_to(None)
        os.close(write)
    with os.fdopen(read) as told:
        assert json.loads(told.read()) == {
            "text": "  images: 1 of 3 done (node1 1); debian 50 of 200 MiB",
            "done": 1,
            "total": 3,
        }
