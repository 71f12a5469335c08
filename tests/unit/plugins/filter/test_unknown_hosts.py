# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of hosts in which a word names nobody; and collections that are not there."""

from __future__ import annotations

import pytest
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


def test_collections() -> None:
    names = ["pextra.cloud", "pextra.none", "nobody.nothing"]
    assert missing_collections(names) == ["pextra.none", "nobody.nothing"]
