# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that live on their own, in a volume group and a zpool: from their making to their end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.lab import Site
from tests.storage.storage_node import StorageNode

VOLUME, EXPORT = "pextra.cloud.pextra_volume", "pextra.cloud.pextra_volume_export"
VM = "pextra.cloud.pextra_vm"
FILES = "/srv/it-files"
# It holds volumes open and runs nothing: the node is an emulated machine.
HOLDER = {"name": "it-holder", "memory": "64 MiB", "root": {"pool": "local", "size": "8 MiB"}, "power": "paused"}
GONE = {"name": "it-holder", "state": "absent", "force_stop": True, "remove_volumes": True, "confirm": "DESTROY"}
MIB = 1024**2
PLACES = {"vg0": "/dev/vg0", "tank": "/dev/zvol/tank"}


@pytest.fixture
def clean(cloud: Site, node: StorageNode) -> Iterator[Site]:
    """The cloud, and nothing left of what a test makes."""
    node.sh(f"rm -rf {FILES}; mkdir -p {FILES}")
    yield cloud
    found = [one for one in cloud.module("pextra_volume_info")["volumes"] if one["name"].startswith("it-")]
    attached = [{"name": one["name"], "attached_to": ""} for one in found if one["attached_to"]]
    absent = [{"name": one["name"], "state": "absent"} for one in found]
    if attached:
        cloud.play([{VM: HOLDER | {"power": "stopped", "force_stop": True}}])
    cloud.play(
        [
            {VOLUME: {"volumes": attached}},
            {VM: GONE},
            {VOLUME: {"volumes": absent, "purge": True, "confirm": "DESTROY"}},
        ]
    )
    node.sh(f"rm -rf {FILES}")


def volume(*, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
    return {VOLUME: options, "check_mode": check, "ignore_errors": fails}


@pytest.mark.parametrize("pool", ["vg0", "tank"])
def test_a_volume_from_its_making_to_its_end(pool: str, clean: Site, node: StorageNode) -> None:
    # What lay there before must not be seen again.
    node.sh(
        f"""
        virsh -q vol-create-as {pool} it-old 48MiB
        udevadm settle
        qemu-io -f raw -c 'write -P 0xee 0 48M' -c flush $(virsh vol-path --pool {pool} it-old)
        virsh -q vol-delete --pool {pool} it-old
        cd {FILES}
        head -c 6M /dev/urandom >disk.raw
        truncate -s 16M disk.raw
        qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2
        """
    )
    empty = {"name": "it-empty", "pool": pool, "size": "18 MiB"}
    files = [
        {"name": f"it-{kind}", "pool": pool, "import_from": {"path": f"{FILES}/disk.{kind}", "format": kind}}
        for kind in ("raw", "qcow2")
    ]
    copy = {"name": "it-copy", "pool": pool, "clone_of": "it-raw", "size": "20 MiB"}
    other = {"name": "it-file", "pool": "local", "format": "raw", "clone_of": "it-raw"}
    wants = [empty, *files, copy, other]
    exports = [{"name": "it-copy", "path": f"{FILES}/copy.qcow2"}, {"name": "it-raw", "path": f"{FILES}/raw.raw"}]
    predicted, made, again, grown, linked, thin, unconsented, written = clean.play(
        [
            volume(check=True, volumes=wants),
            volume(fails=True, volumes=wants),
            volume(fails=True, volumes=wants),
            volume(fails=True, name="it-empty", size="32 MiB"),
            volume(fails=True, name="it-linked", pool=pool, clone_of="it-raw", clone_mode="linked"),
            volume(fails=True, name="it-thin", pool=pool, size="8 MiB", provisioning="thin", format="qcow2"),
            volume(fails=True, name="it-empty", state="absent"),
            {EXPORT: {"exports": [{**exports[0], "format": "qcow2"}, {**exports[1], "format": "raw"}]}},
        ]
    )
    assert not made.get("failed"), made.get("msg")
    assert predicted["actions"] == made["actions"]
    assert (again["changed"], again["actions"]) == (False, [])
    assert "another size" in grown["msg"]
    assert "has no linked clones" in linked["msg"]
    assert "cannot hold qcow2" in thin["msg"]
    assert "confirm: DESTROY" in unconsented["msg"]
    found = {one["name"]: one for one in made["volumes"]}
    size = 20 if pool == "vg0" else 18  # a volume group's extents have 4 MiB
    assert (found["it-empty"]["size"], found["it-copy"]["size"]) == (size, 20)
    assert {found[name]["provisioning"] for name in ("it-empty", "it-copy")} == {"thick" if pool == "vg0" else "thin"}
    files_of = {name: f"{PLACES[pool]}/{one['file']}" for name, one in found.items() if name != "it-file"}
    node.sh(
        f"""
        udevadm settle
        qemu-io -f raw -r -c 'read -P 0 0 {size}M' {files_of["it-empty"]} >{FILES}/said
        ! grep 'verification failed' {FILES}/said
        for one in {files_of["it-raw"]} {files_of["it-qcow2"]} {files_of["it-copy"]} \\
            $(virsh vol-path --pool local {found["it-file"]["file"]}); do
            cmp -n {16 * MIB} $one {FILES}/disk.raw
        done
        qemu-io -f raw -r -c 'read -P 0 16M 4M' {files_of["it-copy"]} >{FILES}/said
        ! grep 'verification failed' {FILES}/said
        qemu-img check -f qcow2 {FILES}/copy.qcow2
        qemu-img compare -f qcow2 -F raw {FILES}/copy.qcow2 {files_of["it-copy"]}
        cmp {FILES}/raw.raw {files_of["it-raw"]}
        """
    )
    assert not written.get("failed"), written.get("msg")

    # It is attached while the instance is there, and detached while it is stopped.
    _, held, again, kept, _, freed = clean.play(
        [
            {VM: HOLDER},
            volume(name="it-copy", attached_to="it-holder"),
            volume(name="it-copy", attached_to="it-holder"),
            volume(fails=True, name="it-copy", state="absent", confirm="DESTROY"),
            {VM: HOLDER | {"power": "stopped", "force_stop": True}},
            volume(name="it-copy", attached_to=""),
        ]
    )
    assert (held["volume"]["status"], again["changed"]) == ("attached", False)
    assert "only a detached volume can be destroyed" in kept["msg"]
    assert freed["volume"]["status"] == "available"
    assert "it-copy" not in node.sh("virsh dumpxml it-holder")
    absent = [{"name": name, "state": "absent"} for name in found]
    (gone,) = clean.play([volume(volumes=absent, confirm="DESTROY")])
    assert gone["changed"]
    assert "it-" not in node.sh(f"virsh -q vol-list {pool}")
