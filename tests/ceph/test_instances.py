# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances on Ceph: clones of their image, moved live, grown and given disks while they write all the time."""

from __future__ import annotations

import json

from tests.ceph.ceph import POOL, Ceph
from tests.ceph.conftest import volumes
from tests.ceph.scribe import IMAGE, MIB, NAME, SPEC, Scribe
from tests.integration.lab import Lab, Site, wait_until


def test_a_root_volume_is_a_clone_of_its_image(scribe: Scribe, cloud: Site, lab: Lab, ceph: Ceph) -> None:
    (root,) = (name for name in volumes(lab) if name.startswith(f"{NAME}.") and ".root." in name)
    info = json.loads(lab.exec("node1", "rbd", "info", "--format=json", f"{POOL}/{root}"))
    (image,) = (name for name in volumes(lab) if name.startswith("img-"))
    assert (info["parent"]["image"], info["parent"]["snapshot"], info["size"]) == (image, "pextra", 64 * MIB)
    # The key is in nobody's arguments, and readable by root alone.
    key = ceph.key()
    for node in lab.nodes:
        assert key not in lab.sh(node, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        assert key not in lab.sh(node, "cat /etc/libvirt/qemu/*.xml /etc/libvirt/storage/*.xml 2>/dev/null || true")
    assert lab.sh("node1", "stat -c %a /var/lib/pextra/ceph-keys /var/lib/pextra/ceph-keys/*").split() == ["700", "600"]
    refused = cloud.refused_module("pextra_image", name=NAME, state="absent")
    assert f"{NAME}" in refused["msg"]


def test_nothing_changes_in_a_second_run(scribe: Scribe, cloud: Site) -> None:
    assert cloud.module("pextra_image", **IMAGE)["changed"] is False
    assert cloud.module("pextra_vm", **SPEC)["changed"] is False


def test_it_moves_live_and_keeps_its_data(scribe: Scribe, cloud: Site, lab: Lab) -> None:
    before = scribe.written()
    moved = cloud.module("pextra_vm", **{**SPEC, "node": "node2"})
    assert moved["changed"] is True
    assert lab.where(NAME) == ["node2"]
    wait_until("the guest goes on writing", lambda: scribe.written() > before + 3, 120)
    assert lab.console(NAME).count("pextra-guest: booting") == 1
    assert cloud.module("pextra_vm", **{**SPEC, "node": "node2"})["changed"] is False
    cloud.module("pextra_vm", **SPEC)
    assert lab.where(NAME) == ["node1"]


def test_a_disk_grows_and_the_guest_sees_it(scribe: Scribe, cloud: Site, lab: Lab) -> None:
    grown = {**SPEC, "volumes": [{"name": "data", "pool": POOL, "size": "96 MiB"}]}
    cloud.module("pextra_vm", **grown)
    wait_until("the guest sees it", lambda: f"disk vdb {96 * MIB} bytes" in lab.console(NAME), 30)
    assert cloud.module("pextra_vm", **grown)["changed"] is False
    assert scribe.written()
    refused = cloud.refused_module("pextra_vm", **SPEC)
    assert "cannot shrink" in refused["msg"]


def test_a_second_disk_comes_and_goes_and_the_guest_sees_it(scribe: Scribe, cloud: Site, lab: Lab) -> None:
    data = {"name": "data", "pool": POOL, "size": "96 MiB"}
    more = {**SPEC, "volumes": [data, {"name": "logs", "pool": POOL, "size": "32 MiB"}]}
    cloud.module("pextra_vm", **more)
    # The guest counts by itself: the third is the seed.
    wait_until("the guest sees it", lambda: f"disk vdd {32 * MIB} bytes" in lab.console(NAME), 30)
    cloud.module("pextra_vm", **{**SPEC, "volumes": [data]})
    wait_until("the guest sees it go", lambda: "disk vdd gone" in lab.console(NAME), 30)
    # Its data stays.
    assert any(".logs." in name for name in volumes(lab))
    before = scribe.written()
    wait_until("the guest goes on writing", lambda: scribe.written() > before + 2, 60)
