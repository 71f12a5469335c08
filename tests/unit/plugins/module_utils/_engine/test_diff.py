# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as a person reads them."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._engine.diff import render_diff
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import (
    Change,
    Plan,
    Step,
    Work,
)


def work(*changes: Change, pending: tuple[Change, ...] = ()) -> Work:
    return Work(kind="instance", name="db", node="node2", changes=changes, pending=pending)


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (Change("power", "stopped", "running"), "power: stopped\n", "power: running\n"),
        (Change("memory", 128, 2048, "next_boot"), "memory: 128 MiB   (next boot)\n", "memory: 2 GiB   (next boot)\n"),
        (Change("volumes.data.size", None, 512), "", "volumes.data.size: 512 MiB\n"),
        (Change("memory_reserved", 0, 1), "memory_reserved: 0 MiB\n", "memory_reserved: 1 MiB\n"),
        (Change("vcpus", 1, 2), "vcpus: 1\n", "vcpus: 2\n"),
        (Change("autostart", False, True), "autostart: no\n", "autostart: yes\n"),
        (Change("tags", ("a", "b"), ["c"]), "tags: a, b\n", "tags: c\n"),
        (
            Change("image", "tiny", "huge", "replace"),
            "image: tiny   (replace: destroys data)\n",
            "image: huge   (replace: destroys data)\n",
        ),
        (Change("name", "db", None), "name: db\n", ""),
    ],
)
def test_a_change(change: Change, before: str, after: str) -> None:
    assert render_diff(work(change)) == {
        "before_header": "instance db on node2",
        "after_header": "instance db on node2",
        "before": before,
        "after": after,
    }


def test_what_waits() -> None:
    diff = render_diff(work(pending=(Change("memory", 128, 256, "next_boot"),)))
    assert diff["before"] == "memory: 128 MiB   (next boot: needs allow_restart, or the next restart)\n"
    assert diff["after"] == "memory: 256 MiB   (next boot: needs allow_restart, or the next restart)\n"


def test_steps_alone() -> None:
    only = Work(kind="node", name="node1", steps=(Step("label", "write its identity"),))
    assert render_diff(only)["after"] == "write its identity\n"
    assert render_diff(only)["before_header"] == "node node1"


def test_plans() -> None:
    idle, busy = work(), Work(kind="a", name="b", steps=(Step("x", "x"),))
    assert Plan(works=(idle,)).is_empty
    plan = Plan(first=(busy,), works=(idle,), last=(busy,))
    assert plan.all == (busy, idle, busy)
    assert plan.effective == (busy, busy)
    assert not plan.is_empty


def test_a_step_does_not_show_its_data() -> None:
    assert "hush" not in repr(Step("write", "write it", {"secret": "hush"}))
