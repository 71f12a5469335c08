# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many virtual CPUs run on a node is a rule of its cluster."""

from __future__ import annotations

import re

import pytest

from .lab import Lab, Site

NODE = "node1"
NAME = "overcommit"


@pytest.mark.long
def test_a_node_starts_no_more_than_its_cluster_allows(lab: Lab, cloud: Site) -> None:
    """It is full as it is: what runs goes on, and one more starts only when the cluster allows one more."""
    started = {"name": NAME, "power": "running"}
    try:
        cloud.module(
            "pextra_vm", name=NAME, node=NODE, vcpus=1, memory="64 MiB", nics=[], power="stopped", autostart=False
        )
        threads, used, before = _threads(lab), _used(lab), _running(lab)
        assert used > 0
        _allow(cloud, used / threads)
        for refused in cloud.calls("pextra_vm", {**started, "check": True, "fails": True}, {**started, "fails": True}):
            assert (
                f"{NODE} has no room for it: it has {used} virtual CPUs in use of the {used} for its {threads} threads"
                in refused["msg"]
            )
            assert "1 more needed" in refused["msg"]
            assert "raise vcpus_per_thread of cluster mtl-1" in refused["msg"]
        assert _running(lab) == before
        assert lab.domains(NODE)[NAME] == "shut off"

        _allow(cloud, (used + 1) / threads, warn=used / threads)
        outcome = cloud.module("pextra_vm", **started)
        assert outcome["changed"]
        told = [text for text in outcome["warnings"] if "vcpus_per_thread_warn" in text]
        assert [text.partition(":")[0] for text in told].count(NODE) == 1, told
        assert _running(lab) == {*before, NAME}
    finally:
        _allow(cloud, 4, warn=3)
        cloud.module("pextra_vm", name=NAME, state="absent", force_stop=True, stop_timeout_s=1)
    cloud.run("--tags", "cluster,instances", "--diff").must_change_nothing()


def _allow(cloud: Site, most: float, *, warn: float | None = None) -> None:
    ratios = {"vcpus_per_thread": most, "vcpus_per_thread_warn": most if warn is None else warn}
    cloud.module("pextra_cluster", name="mtl-1", **ratios)


def _running(lab: Lab) -> set[str]:
    return set(lab.exec(NODE, "virsh", "list", "--name").split())


def _threads(lab: Lab) -> int:
    return _number(lab.exec(NODE, "virsh", "nodeinfo"))


def _used(lab: Lab) -> int:
    return sum(_number(lab.exec(NODE, "virsh", "dominfo", name)) for name in _running(lab))


def _number(text: str) -> int:
    found = re.search(r"^CPU\(s\):\s+(\d+)$", text, re.MULTILINE)
    assert found is not None, text
    return int(found[1])
