# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest of several NUMA cells starts, and is divided anew at its next start."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from .lab import GONE, Lab, Site, wait_until

NAME = "cells"
RESTART = {"allow_restart": True, "force_stop": True, "stop_timeout_s": 2}
TWO = [{"vcpus": [0], "memory": "160 MiB"}, {"vcpus": [1], "memory": "96 MiB"}]


@pytest.fixture
def guest(lab: Lab, cloud: Site) -> Iterator[Site]:
    boots = lab.console(NAME).count("pextra-guest: ready")
    sizes = {"memory": "256 MiB", "vcpus": 2, "numa": TWO}
    cloud.module("pextra_vm", name=NAME, node="node1", image="tiny", root={"pool": "local"}, **sizes)
    wait_until("it is up", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=90)
    yield cloud
    cloud.module("pextra_vm", name=NAME, **GONE)


def shown(lab: Lab, *options: str) -> tuple[list[tuple[str | None, ...]], list[dict[str, str]]]:
    """Return the virtual CPUs and the MiB of each cell, and what is asked of the host's nodes."""
    root = ET.fromstring(lab.exec("node1", "virsh", "dumpxml", NAME, *options))
    cells = [(one.get("cpus"), str(int(one.get("memory", "0")) // 1024)) for one in root.iterfind("cpu/numa/cell")]
    return cells, [one.attrib for one in root.iterfind("numatune/memnode")]


@pytest.mark.long
def test_memory_is_divided(lab: Lab, guest: Site) -> None:
    two = [("0", "160"), ("1", "96")]
    assert shown(lab) == shown(lab, "--inactive") == (two, [])
    call = {"name": NAME, "memory": "256 MiB", "vcpus": 2}
    same = guest.module("pextra_vm", **call, numa=TWO)
    assert (same["changed"], same["pending"]) == (False, [])

    other = [{"vcpus": [1], "memory": "128 MiB", "node": 0}, {"vcpus": [0], "memory": "128 MiB"}]
    first, again = guest.calls("pextra_vm", {**call, "numa": other}, {**call, "numa": other})
    assert (first["changed"], again["changed"]) == (True, False)
    assert {change["option"] for change in again["pending"]} == {"numa"}
    divided = ([("1", "128"), ("0", "128")], [{"cellid": "0", "mode": "strict", "nodeset": "0"}])
    assert (shown(lab), shown(lab, "--inactive")) == ((two, []), divided)
    restarted, quiet = guest.calls("pextra_vm", {**call, "numa": other, **RESTART}, {**call, "numa": other})
    assert (restarted["changed"], quiet["changed"], quiet["pending"]) == (True, False, [])
    assert shown(lab) == divided
    for wrong, told in (
        (
            {"numa": [{"vcpus": [0, 1], "memory": "1 GiB"}]},
            "its cells have 1024 MiB together, and it is to have 256 MiB",
        ),
        ({"numa": [{"vcpus": [0, 1], "memory": "256 MiB", "node": 99}]}, "it has no NUMA node 99"),
        ({"memory": "512 MiB"}, "its definition divides its memory of 256 MiB among 2 NUMA cells"),
    ):
        assert told in guest.refused_module("pextra_vm", name=NAME, **wrong)["msg"]
    gone = {"name": NAME, "numa": []}
    first, again = guest.calls("pextra_vm", {**gone, **RESTART}, gone)
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    assert shown(lab) == shown(lab, "--inactive") == ([], [])
