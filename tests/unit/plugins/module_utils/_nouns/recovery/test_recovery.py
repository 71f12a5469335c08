# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has crashed is started again, a few times; what others are at work on is left to them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.recovery.plan import (
    RESET,
    STARTED,
    STARTS,
    Crashed,
    RecoveryHave,
    find_crashed,
    find_given_up,
    plan_recovery,
    take_up,
)

NODES = [Row(f"node-{number * 21}", "node", f"node{number}", "cls") for number in "12"]


def instance(letter: str, **attributes: Any) -> Row:
    return Row(f"inst-{letter * 21}", "instance", letter.lower(), "cls", {"node": NODES[0].id, **attributes})


WEB, DB = instance("W"), instance("D")


@pytest.mark.parametrize(
    ("row", "node", "is_found"),
    [
        (WEB, "node1", True),
        # What a move has left behind.
        (WEB, "node2", False),
        # On its way to another node, and about to be started or stopped.
        (instance("W", origin=NODES[1].id), "node1", False),
        (instance("W", power="running"), "node1", False),
        (instance("W", node="node-of-nobody"), "node1", False),
    ],
)
def test_only_what_is_at_home_and_at_rest_is_found(row: Row, node: str, is_found: bool) -> None:
    found = find_crashed([*NODES, row], {node: [(uuid_of(row.id), False, False, False)]})
    assert found == ((Crashed(row, node),) if is_found else ())


def test_what_is_not_registered_is_not_ours() -> None:
    assert (
        find_crashed(
            [*NODES, WEB], {"node1": [(uuid_of(DB.id), False, False, False), ("another", False, False, False)]}
        )
        == ()
    )


@pytest.mark.parametrize(
    ("starts", "is_left", "is_started"),
    [(0, False, True), (STARTS - 1, False, True), (STARTS, False, False), (STARTS + 1, False, False), (0, True, False)],
)
def test_it_is_started_a_few_times(starts: int, is_left: bool, is_started: bool) -> None:
    crashed = Crashed(WEB, "node1", is_left)
    have = RecoveryHave((crashed, Crashed(DB, "node1")), {WEB.id: starts})
    plan = plan_recovery([WEB.id], have)
    assert [(work.name, work.node, [step.act for step in work.steps]) for work in plan.works] == (
        [("w", "node1", ["start"])] if is_started else []
    )
    assert [step.text for work in plan.works for step in work.steps] == ([STARTED] if is_started else [])
    assert find_given_up(have) == ([crashed] if starts >= STARTS and not is_left else [])


@pytest.mark.parametrize(
    ("starts", "is_left", "is_reset"),
    [(0, False, True), (STARTS - 1, False, True), (STARTS, False, False), (0, True, False)],
)
def test_one_that_hangs_is_reset_a_few_times(starts: int, is_left: bool, is_reset: bool) -> None:
    (hung,) = find_crashed([*NODES, WEB], {"node1": [(uuid_of(WEB.id), is_left, False, True)]})
    assert (hung.hangs, take_up([hung], {WEB.id: starts})) == (True, (hung,))
    have = RecoveryHave((hung,), {WEB.id: starts})
    steps = [step.text for work in plan_recovery([WEB.id], have).works for step in work.steps]
    assert steps == ([RESET, "resume"] if is_reset else [])
    assert find_given_up(have) == ([hung] if starts >= STARTS else [])


@pytest.mark.parametrize(("starts", "is_taken"), [(0, False), (1, True), (STARTS, True)])
def test_only_a_start_of_its_own_that_failed_is_tried_again(starts: int, is_taken: bool) -> None:
    """A pool may be away for a minute; what a person could not start is that person's."""
    (failed,) = find_crashed([*NODES, WEB], {"node1": [(uuid_of(WEB.id), False, True, False)]})
    assert failed.has_failed
    crashed = Crashed(DB, "node1")
    assert take_up([failed, crashed], {WEB.id: starts}) == ((failed, crashed) if is_taken else (crashed,))
