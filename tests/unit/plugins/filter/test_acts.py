# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done to hosts, as entries of the audit trail."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.filter.acts import acts
from ansible_collections.pextra.cloud.plugins.filter.acts_on import acts_on
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.spec import parse_order

ABOUT = {"kind": "drive", "name": "node1", "node": "node1", "outcome": "done"}


def test_one_for_each() -> None:
    assert acts(["make vg0", "", "make vg0", "make tank"], "drive", "node1") == [
        {**ABOUT, "what": "make vg0"},
        {**ABOUT, "what": "make tank"},
    ]


def test_on_several_hosts() -> None:
    assert acts_on(["a", "b"], "osd", "take it out", "started", name="osd.3") == [
        {"kind": "osd", "name": "osd.3", "node": host, "outcome": "started", "what": "take it out"} for host in "ab"
    ]


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "x" * 100_000, "\udcff", 7, None])
def test_whatever_was_done_can_be_recorded(text: object) -> None:
    (entry,) = acts([text], "host", "node1")
    _, mistakes = parse_order({"entries": [entry], "without_registry": "fail"})
    assert mistakes == []
