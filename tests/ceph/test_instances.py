"""Instances on Ceph: clones of their image, moved live, grown and given disks while they write all the time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ceph.ceph import POOL, Ceph, CephSite
from tests.integration.lab import ROOT, Lab, wait_until

NAME = "scribe"
MIB = 1024**2
# Writes a line every second, and reads it and the first one back from Ceph, not from its own memory.
WRITER = """#!/bin/sh
(
n=0
while sleep 1; do
    n=$((n + 1)) at=$((n % 30000))
    printf '%-1024s' "line-$n" | dd of=/dev/vdb bs=1024 seek=$at conv=notrunc,fsync 2>/dev/null || echo failed
    echo 3 > /proc/sys/vm/drop_caches
    got=$(dd if=/dev/vdb bs=1024 skip=$at count=1 2>/dev/null | cut -d ' ' -f 1)
    first=$(dd if=/dev/vdb bs=1024 skip=1 count=1 2>/dev/null | cut -d ' ' -f 1)
    echo "pextra-guest: wrote line-$n read $got first $first"
done > /dev/ttyS0
) &
"""
SPEC: dict[str, Any] = {
    "name": NAME,
    "node": "node1",
    "memory": "96 MiB",
    "image": NAME,
    "root": {"pool": POOL, "size": "64 MiB"},
    "volumes": [{"name": "data", "pool": POOL, "size": "64 MiB"}],
    "cloud_init": {"user_data": WRITER},
    "power": "running",
}
IMAGE = {"name": NAME, "source": str(ROOT / ".build/lab/tiny.qcow2"), "pools": [POOL]}
_LINE = re.compile(r"pextra-guest: wrote line-(\d+) read (\S*) first (\S*)")


def written(lab: Lab) -> int:
    """Return how many lines the guest has written, each of which must read back as it was."""
    lines = _LINE.findall(lab.console(NAME).replace("\r", ""))
    assert all((read, first) == (f"line-{number}", "line-1") for number, read, first in lines), lines
    return max((int(number) for number, _, _ in lines), default=0)


def volumes(lab: Lab) -> list[str]:
    return lab.exec("node1", "rbd", "ls", POOL).split()


@pytest.fixture(scope="module")
def scribe(cloud: CephSite, lab: Lab) -> Iterator[CephSite]:
    """An instance that writes to Ceph. Made here, with its image, and removed again with both."""
    lab.sh("node1", f"rm -f /var/log/pextra/console/{NAME}.log")
    cloud.module("pextra_image", **IMAGE)
    cloud.module("pextra_vm", **SPEC)
    wait_until("the guest writes", lambda: written(lab) > 2, 120)
    yield cloud
    absent = {"name": NAME, "state": "absent", "force_stop": True, "remove_volumes": True, "confirm": "DESTROY"}
    cloud.module("pextra_vm", **absent)
    cloud.module("pextra_image", name=NAME, state="absent")
    assert not [name for name in volumes(lab) if name.startswith((f"{NAME}.", "img-"))]


def test_a_root_volume_is_a_clone_of_its_image(scribe: CephSite, lab: Lab, ceph: Ceph) -> None:
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
    refused = scribe.refused_module("pextra_image", name=NAME, state="absent")
    assert f"{NAME}" in refused["msg"]


def test_nothing_changes_in_a_second_run(scribe: CephSite) -> None:
    assert scribe.module("pextra_image", **IMAGE)["changed"] is False
    assert scribe.module("pextra_vm", **SPEC)["changed"] is False


def test_it_moves_live_and_keeps_its_data(scribe: CephSite, lab: Lab) -> None:
    before = written(lab)
    moved = scribe.module("pextra_vm", **{**SPEC, "node": "node2"})
    assert moved["changed"] is True
    assert lab.where(NAME) == ["node2"]
    wait_until("the guest goes on writing", lambda: written(lab) > before + 3, 120)
    assert lab.console(NAME).count("pextra-guest: booting") == 1
    assert scribe.module("pextra_vm", **{**SPEC, "node": "node2"})["changed"] is False
    scribe.module("pextra_vm", **SPEC)
    assert lab.where(NAME) == ["node1"]


def test_a_disk_grows_and_the_guest_sees_it(scribe: CephSite, lab: Lab) -> None:
    grown = {**SPEC, "volumes": [{"name": "data", "pool": POOL, "size": "96 MiB"}]}
    scribe.module("pextra_vm", **grown)
    wait_until("the guest sees it", lambda: f"disk vdb {96 * MIB} bytes" in lab.console(NAME), 30)
    assert scribe.module("pextra_vm", **grown)["changed"] is False
    assert written(lab)
    refused = scribe.refused_module("pextra_vm", **SPEC)
    assert "cannot shrink" in refused["msg"]


def test_a_second_disk_comes_and_goes_and_the_guest_sees_it(scribe: CephSite, lab: Lab) -> None:
    data = {"name": "data", "pool": POOL, "size": "96 MiB"}
    more = {**SPEC, "volumes": [data, {"name": "logs", "pool": POOL, "size": "32 MiB"}]}
    scribe.module("pextra_vm", **more)
    # The guest counts by itself: the third is the seed.
    wait_until("the guest sees it", lambda: f"disk vdd {32 * MIB} bytes" in lab.console(NAME), 30)
    scribe.module("pextra_vm", **{**SPEC, "volumes": [data]})
    wait_until("the guest sees it go", lambda: "disk vdd gone" in lab.console(NAME), 30)
    # Its data stays.
    assert any(".logs." in name for name in volumes(lab))
    before = written(lab)
    wait_until("the guest goes on writing", lambda: written(lab) > before + 2, 60)
