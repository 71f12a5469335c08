# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is protected stays, on the lab: its domain, its volume, and what the node carries of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .lab import Lab, Site

VM, VOLUME, POOL, IMAGE = "pextra_vm", "pextra_volume", "pextra_pool", "pextra_image"
NAME = "it-guarded"
DESTROY = {"state": "absent", "confirm": "DESTROY"}
ALL = {**DESTROY, "force_stop": True, "remove_volumes": True}
REFUSED = "it is protected, and cannot be"
REMEDY = "Set protected: false in a run of its own first."


@pytest.fixture
def guarded(cloud: Site) -> Iterator[Site]:
    """The cloud, and nothing left of what a test protects."""
    yield cloud
    for module, many, gone in ((VM, "vms", ALL), (VOLUME, "volumes", DESTROY)):
        if cloud.module(f"{module}_info", names=[NAME])[many]:
            cloud.calls(module, {"name": NAME, "protected": False}, {"name": NAME, **gone})


def files(lab: Lab) -> list[str]:
    return lab.sh("node1", f"ls /srv/shared | grep '^{NAME}[.]' || true").split()


def test_an_instance_goes_only_after_a_run_that_ends_its_protection(guarded: Site, lab: Lab) -> None:
    data = {"name": "data", "pool": "shared", "size": "16 MiB"}
    want = {"name": NAME, "memory": "64 MiB", "node": "node1", "power": "stopped", "volumes": [data], "protected": True}
    made, again, *refused, told = guarded.calls(
        VM,
        want,
        want,
        {"name": NAME, **ALL, "check": True, "fails": True},
        {"name": NAME, **ALL, "fails": True},
        {"name": NAME, **ALL, "protected": False, "fails": True},
        {"name": NAME, "description": "Still there"},
    )
    assert (made["vm"]["protected"], again["changed"], told["vm"]["protected"]) == (True, False, True)
    assert all(f"{REFUSED} removed. {REMEDY}" in one["msg"] for one in refused)
    assert lab.domains("node1")[NAME] == "shut off"
    assert len(files(lab)) == 1
    assert 'protected="true"' in lab.exec("node1", "virsh", "metadata", NAME, "urn:pextra:instance:1")

    ended, again, gone = guarded.calls(
        VM, {"name": NAME, "protected": False}, {"name": NAME, "protected": False}, {"name": NAME, **ALL}
    )
    assert (ended["changed"], ended["vm"]["protected"], again["changed"], gone["changed"]) == (True, False, False, True)
    assert NAME not in lab.domains("node1")
    assert files(lab) == []


def test_a_volume_goes_only_after_a_run_that_ends_its_protection(guarded: Site, lab: Lab) -> None:
    want = {"name": NAME, "pool": "shared", "size": "16 MiB", "protected": True}
    made, *refused, grown = guarded.calls(
        VOLUME,
        want,
        {"name": NAME, **DESTROY, "check": True, "fails": True},
        {"name": NAME, **DESTROY, "fails": True},
        {"name": NAME, **DESTROY, "protected": False, "fails": True},
        {"name": NAME, "size": "8 MiB", "confirm": "DESTROY", "fails": True},
        {"name": NAME, "size": "24 MiB"},
    )
    assert all(REFUSED in one["msg"] or "cannot shrink" in one["msg"] for one in refused)
    assert all(REMEDY in one["msg"] for one in refused)
    assert (grown["volume"]["size"], grown["volume"]["protected"]) == (24, True)
    assert files(lab) == [made["volume"]["file"]]
    label = lab.sh("node1", f"ovs-vsctl get Open_vSwitch . external_ids | tr , '\\n' | grep -A 20 pextra-volume/{NAME}")
    assert '\\"protected\\": true' in label

    guarded.calls(VOLUME, {"name": NAME, "protected": False}, {"name": NAME, **DESTROY})
    assert files(lab) == []


@pytest.mark.long
def test_a_pool_and_an_image_that_are_protected_stay(cloud: Site, lab: Lab) -> None:
    image = cloud.module("pextra_image_info")["images"][0]["name"]
    try:
        _, *refused = cloud.calls(
            POOL,
            {"name": "local", "protected": True},
            {"name": "local", "state": "absent", "fails": True},
            {"name": "local", "nodes": ["node1"], "fails": True},
        )
        assert all(REMEDY in one["msg"] for one in refused)
        _, gone = cloud.calls(IMAGE, {"name": image, "protected": True}, {"name": image, **DESTROY, "fails": True})
        assert f"{REFUSED} removed. {REMEDY}" in gone["msg"]
        assert all("local" in text.split() for text in lab.on_all("virsh", "pool-list", "--name").values())
    finally:
        pool = cloud.module(POOL, name="local", protected=False)["pool"]
        found = cloud.module(IMAGE, name=image, protected=False)["image"]
    assert (pool["protected"], found["protected"]) == (False, False)
