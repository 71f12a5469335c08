# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems as one message."""

from __future__ import annotations

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem, tell_problems


def full(name: str, node: str | None = None) -> Problem:
    return Problem("no node can take it", "Add a node.", node, f"instance {name}")


def test_one_is_a_sentence() -> None:
    assert tell_problems([full("web")]) == "instance web: no node can take it. Add a node."


def test_few_alike_are_told_one_by_one() -> None:
    assert tell_problems([full("a"), full("b"), full("c")]) == (
        "3 problems:\n"
        "  instance a: no node can take it. Add a node.\n"
        "  instance b: no node can take it. Add a node.\n"
        "  instance c: no node can take it. Add a node."
    )


def test_many_alike_are_told_once_and_all_are_counted() -> None:
    other = Problem("its disk is away", "", "node1", "instance x")
    assert tell_problems([*(full(str(number)) for number in range(90)), other]) == (
        "91 problems:\n"
        "  instance 0, instance 1, instance 2 and 87 more: no node can take it. Add a node.\n"
        "  node1: instance x: its disk is away"
    )


def test_alike_on_different_nodes_are_different() -> None:
    told = tell_problems([*(full(str(number), "node1") for number in range(5)), full("z", "node2")])
    assert "node1: instance 0, instance 1, instance 2 and 2 more: no node can take it. Add a node.\n" in told
    assert told.endswith("  node2: instance z: no node can take it. Add a node.")


def test_what_is_wrong_with_no_resource_stays() -> None:
    assert tell_problems([Problem("a")] * 4) == "4 problems:\n  a\n  a\n  a\n  a"
