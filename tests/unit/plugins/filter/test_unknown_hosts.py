# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of hosts in which a word names nobody; and collections that are not there."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.filter.meant_names import meant_names
from ansible_collections.pextra.cloud.plugins.filter.missing_collections import missing_collections
from ansible_collections.pextra.cloud.plugins.filter.unknown_hosts import unknown_hosts

GROUPS = {"all": ["node1", "node2"], "pextra_nodes": ["node1", "node2"], "ungrouped": []}


@pytest.mark.parametrize(
    ("pattern", "unknown"),
    [
        ("node1", []),
        ("pextra_nodes:!node1", []),
        ("pextra_nodes[0]", []),
        ("pextra_nodes[0:1],node2", []),
        ("node*", []),
        ("~node[0-9]", []),
        ("all:localhost", []),
        (["node1", "node2"], []),
        ("typo", ["typo"]),
        ("node1,typo", ["typo"]),
        ("pextra_nodes:!typo", ["typo"]),
        ("pextra_nodes:&typo:other*", ["typo", "other*"]),
        ("typo[0]", ["typo"]),
        ("Node1", ["Node1"]),
    ],
)
def test_patterns(pattern: object, unknown: list[str]) -> None:
    found = unknown_hosts({"pextra_node_hosts": pattern}, GROUPS)
    assert [one["word"] for one in found] == unknown
    assert all(one["variable"] == "pextra_node_hosts" for one in found)


@pytest.mark.parametrize(
    ("names", "count", "told"),
    [
        (["node33"], 3, 'Did you mean "node3"?'),
        (["nod1", "nde2"], 3, 'Did you mean "node1" and "node2"?'),
        (["typo"], 3, "There are node1, node2, node3."),
        (["node33", "typo"], 3, "There are node1, node2, node3."),
        (["node*"], 3, "There are node1, node2, node3."),
        (["typo"], 200, "There are node1, node2, node3, node4, node5, node6, node7, node8 and 192 more."),
        (["typo"], 1, "There is node1."),
        (["typo"], 0, "There is none."),
    ],
)
def test_what_was_meant(names: list[str], count: int, told: str) -> None:
    assert meant_names(names, [f"node{number}" for number in range(1, count + 1)]) == told


def test_collections() -> None:
    names = ["pextra.cloud", "pextra.none", "nobody.nothing"]
    assert missing_collections(names) == ["pextra.none", "nobody.nothing"]
