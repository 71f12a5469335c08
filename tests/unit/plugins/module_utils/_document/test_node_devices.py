# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is one instance's alone on its node."""

from __future__ import annotations

from typing import Any

import pytest
from deployment_document import instance, read, told

GPU = {"host_devices": [{"name": "gpu", "pci": "0000:65:00.0"}]}
STICK = {"host_devices": [{"name": "key", "usb": "1050:0407"}]}
SOCKET = {"vsock": {"cid": 77}}


@pytest.mark.parametrize("has", [GPU, STICK, SOCKET])
def test_two_of_one_node_cannot_have_one(has: dict[str, Any]) -> None:
    two = [instance("one", node="node1", **has), instance("two", node="node1", **has)]
    (found,) = told(read({"pextra_instances": two}))
    assert found.startswith("pextra_instances[1] (two).")
    assert "of node1 is given to one too" in found


@pytest.mark.parametrize("has", [GPU, STICK, SOCKET])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"node": "node1"}, {"node": "node2"}),
        ({"node": "node1"}, {}),
        ({}, {}),
        ({"node": "node1", "state": "absent"}, {"node": "node1"}),
    ],
)
def test_what_may_well_be(has: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> None:
    assert told(read({"pextra_instances": [instance("one", **has, **first), instance("two", **has, **second)]})) == []


def test_a_count_gives_each_the_same() -> None:
    found = told(read({"pextra_instances": [instance("web", count=2, node="node1", **GPU)]}))
    assert any("is given to web-1 too" in one for one in found), found
