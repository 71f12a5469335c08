# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that live on their own, on the lab: what virsh, qemu-img and the guests say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from .lab import Lab, Site, wait_until

VOLUME, INFO, VM = "pextra.cloud.pextra_volume", "pextra.cloud.pextra_volume_info", "pextra.cloud.pextra_vm"
EXPORT = "pextra.cloud.pextra_volume_export"
MIB = 1024**2
FILES = "/srv/it-files"
POOLS = {"shared": "/srv/shared", "local": "/var/lib/pextra/pools/local"}


@pytest.fixture
def volumes(cloud: Site, lab: Lab) -> Iterator[Site]:
    """The cloud, and nothing left of what a test makes."""
    lab.exec("node1", "mkdir", "-p", FILES)
    yield cloud
    cloud.remove_volumes("it-")
    lab.on_all("rm", "-rf", FILES)


def place_of(found: dict[str, Any]) -> str:
    return f"{POOLS[found['pool']]}/{found['file']}"


def write(lab: Lab, found: dict[str, Any], pattern: str, node: str = "node1") -> None:
    """Write a pattern into a volume that nobody has."""
    lab.exec(node, "qemu-io", "-f", found["format"], "-c", f"write -P {pattern} 1M 1M", place_of(found))


def holds(lab: Lab, found: dict[str, Any], pattern: str, node: str = "node1") -> bool:
    command = ("qemu-io", "-f", found["format"], "-c", f"read -P {pattern} 1M 1M", place_of(found))
    said = lab.exec(node, *command, check=False)
    assert "read 1048576/1048576" in said
    return "verification failed" not in said


def wait_for_disk(lab: Lab, instance: str, size_mib: int) -> str:
    """Wait until a guest sees a disk of a size, and return the name that it gives it."""

    def look() -> str | None:
        seen: dict[str, str] = {}
        for name, size in re.findall(r"disk (\S+) (\d+|gone)", lab.since_boot(instance)):
            seen[name] = size
        return next((name for name, size in seen.items() if size == str(size_mib * MIB)), None)

    return str(wait_until(f"{instance} sees a disk of {size_mib} MiB", look))


def test_a_volume_from_its_making_to_its_end(volumes: Site, lab: Lab) -> None:
    want = {"name": "it-data", "pool": "shared", "size": "40 MiB", "attached_to": "web-1"}
    grown = {"name": "it-data", "size": "40 MiB", "grow_by": "8 MiB", "limits": {"iops": 500, "bandwidth": "20 MiB"}}
    predicted, made, again, cut, destroyed = volumes.calls(
        "pextra_volume",
        want | {"check": True},
        want,
        want,
        {"name": "it-data", "size": "8 MiB", "confirm": "DESTROY", "fails": True},
        {"name": "it-data", "state": "absent", "confirm": "DESTROY", "fails": True},
    )
    assert predicted["actions"] == made["actions"]
    assert not again["changed"]
    assert "in use by instance web-1, which runs, and cannot shrink" in cut["msg"]
    assert "only a detached volume can be destroyed" in destroyed["msg"]
    home = lab.home("web-1")
    name = wait_for_disk(lab, "web-1", 40)
    assert made["volume"]["target"] in lab.exec(home, "virsh", "domblklist", "web-1")

    # It grows while the guest runs, and is limited.
    predicted, done, again = volumes.calls("pextra_volume", grown | {"check": True}, grown, grown)
    assert predicted["actions"] == done["actions"]
    assert not again["changed"]
    assert wait_for_disk(lab, "web-1", 48) == name
    tuning = lab.exec(home, "virsh", "blkdeviotune", "web-1", made["volume"]["target"], "--live")
    assert f"total_bytes_sec: {20 * MIB}" in tuning
    assert "total_iops_sec : 500" in tuning

    # It goes from guest to guest, with what is in it.
    volumes.calls("pextra_volume", {"name": "it-data", "attached_to": "web-2"})
    wait_until("web-1 has let go", lambda: f"disk {name} gone" in lab.since_boot("web-1"))
    wait_for_disk(lab, "web-2", 48)
    after, again = volumes.calls("pextra_volume", *[{"name": "it-data", "attached_to": ""}] * 2)
    assert not again["changed"]
    assert after["volume"]["status"] == "available"
    for instance in ("web-1", "web-2"):
        assert "it-data" not in lab.exec(lab.home(instance), "virsh", "dumpxml", instance)
    write(lab, after["volume"], "0xa5")

    # Cloned and given to a guest that runs in one call: it is copied before that guest can write.
    early = {"name": "it-early", "pool": "shared", "clone_of": "it-data", "attached_to": "web-2"}
    both = {"volumes": [{"name": "it-data", "attached_to": "web-1"}, early]}
    names = ("it-data", "it-early")
    predicted, done, again, let_go = volumes.calls(
        "pextra_volume",
        both | {"check": True},
        both,
        both,
        {"volumes": [{"name": name, "attached_to": ""} for name in names]},
    )
    assert predicted["actions"] == done["actions"]
    assert not again["changed"]
    assert [one["attached_to"] for one in done["volumes"]] == ["web-1", "web-2"]
    assert [holds(lab, one, "0xa5") for one in let_go["volumes"]] == [True, True]
    volumes.calls("pextra_volume", {"name": "it-early", "state": "absent", "confirm": "DESTROY"})

    # Copies hold the same; what a linked one shares stays as it is.
    full = {"name": "it-full", "pool": "local", "node": "node1", "clone_of": "it-data", "provisioning": "thick"}
    linked = {"name": "it-linked", "pool": "shared", "clone_of": "it-data", "clone_mode": "linked", "size": "64 MiB"}
    both, again, kept, unconsented = volumes.calls(
        "pextra_volume",
        {"volumes": [full, linked]},
        {"volumes": [full, linked]},
        {"name": "it-data", "attached_to": "web-1", "fails": True},
        {"name": "it-full", "state": "absent", "fails": True},
    )
    assert not again["changed"]
    assert "linked clones share its blocks: it-linked" in kept["msg"]
    assert "confirm: DESTROY" in unconsented["msg"]
    thick, thin = both["volumes"]
    assert (thick["format"], thick["size"], thick["allocation"]) == ("raw", 48, 48)
    assert (thin["size"], thin["clone_mode"]) == (64, "linked")
    write(lab, thin, "0x5a")
    assert [holds(lab, one, "0xa5") for one in (after["volume"], thick, thin)] == [True, True, False]
    whole, smaller, *_ = volumes.calls(
        "pextra_volume",
        {"name": "it-full", "size": "24 MiB", "confirm": "DESTROY", "fails": True},
        {"name": "it-linked", "size": "56 MiB", "confirm": "DESTROY"},
        {"name": "it-linked", "state": "absent", "confirm": "DESTROY"},
        {"name": "it-data", "state": "absent", "confirm": "DESTROY"},
    )
    assert "48 MiB of it are taken" in whole["msg"]
    assert smaller["volume"]["size"] == 56
    assert "it-" not in lab.sh("node1", f"ls {POOLS['shared']}")
    for node in lab.nodes:
        assert "pextra-volume/it-data" not in lab.exec(node, "ovs-vsctl", "get", "Open_vSwitch", ".", "external_ids")


def test_files_of_every_format_come_in_whole(volumes: Site, lab: Lab) -> None:
    lab.sh(
        "node1",
        f"cd {FILES} && head -c 6M /dev/urandom > disk.raw && truncate -s 16M disk.raw && "
        "for format in qcow2 vmdk vdi; do qemu-img convert -f raw -O $format disk.raw disk.$format; done && "
        "qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw stream.vmdk && "
        "qemu-img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 16M && ln -s disk.raw link.raw && "
        "qemu-img create -q -f qcow2 -b disk.raw -F raw child.qcow2",
    )
    files = {"raw": "disk.raw", "qcow2": "disk.qcow2", "vmdk": "disk.vmdk", "vdi": "disk.vdi", "stream": "stream.vmdk"}
    wants = [
        {
            "name": f"it-{name}",
            "pool": "shared",
            "format": "raw" if name == "stream" else "qcow2",
            "import_from": {"path": f"{FILES}/{file}", "format": file.rsplit(".", 1)[1]},
        }
        for name, file in files.items()
    ]
    # As they are within the coordinator's host, and over the connection to another one.
    plain = {"pool": "local", "format": "raw", "import_from": {"path": f"{FILES}/disk.raw", "format": "raw"}}
    wants += [{**plain, "name": "it-near", "node": "node1"}, {**plain, "name": "it-far", "node": "node2"}]
    bad = {
        "flat.vmdk": "a descriptor, which names other files",
        "child.qcow2": "has a backing file",
        "link.raw": "cannot be imported",
        "none.raw": "No such file",
        "disk.vmdk": "declared to be raw, but looks like VMDK",
    }
    refused = [
        {
            "name": "it-broken",
            "pool": "shared",
            "import_from": {
                "path": f"{FILES}/{file}",
                "format": "raw" if file == "disk.vmdk" else file[-4:].strip("."),
            },
            "fails": True,
        }
        for file in bad
    ]
    refused[1]["import_from"]["format"] = "qcow2"
    made, again, *told = volumes.calls("pextra_volume", {"volumes": wants}, {"volumes": wants}, *refused)
    assert not again["changed"]
    for what, result in zip(bad.values(), told, strict=True):
        assert what in result["msg"]
    for found in made["volumes"]:
        assert (found["size"], found["status"]) == (16, "available")
        if found["name"] == "it-far":
            sums = lab.exec("node1", "sha256sum", f"{FILES}/disk.raw"), lab.exec("node2", "sha256sum", place_of(found))
            assert sums[0].split()[0] == sums[1].split()[0]
            continue
        lab.exec(
            "node1", "qemu-img", "compare", "-f", "raw", "-F", found["format"], f"{FILES}/disk.raw", place_of(found)
        )
        if found["name"] == "it-near":
            assert int(lab.exec("node1", "stat", "-c", "%b", place_of(found))) * 512 < 7 * MIB, "its holes are filled"
    assert "it-broken" not in lab.sh("node1", f"ls {POOLS['shared']}")


def test_volumes_go_out_whole(volumes: Site, lab: Lab) -> None:
    lab.sh("node1", f"cd {FILES} && head -c 6M /dev/urandom > disk.raw && truncate -s 16M disk.raw")
    origin = {"path": f"{FILES}/disk.raw", "format": "raw"}
    wants = [
        {"name": f"it-{name}", "pool": "shared", "format": name, "import_from": origin} for name in ("qcow2", "raw")
    ]
    # Each call takes a volume once.
    rounds = [("vmdk", "vdi"), ("qcow2", "raw"), ("vdi", "vmdk"), ("raw", "qcow2")]
    calls = [
        [
            {"name": f"it-{name}", "path": f"{FILES}/{name}.{suffix}", "format": suffix}
            for name, suffix in zip(("qcow2", "raw"), suffixes, strict=True)
        ]
        for suffixes in rounds
    ]
    _, predicted, *done, again, over = volumes.play(
        [
            {VOLUME: {"volumes": wants}},
            {EXPORT: {"exports": calls[0]}, "check_mode": True},
            *({EXPORT: {"exports": exports}} for exports in calls),
            {EXPORT: calls[0][0], "ignore_errors": True},
            {EXPORT: {**calls[0][0], "overwrite": True}},
        ]
    )
    assert predicted["actions"] == done[0]["actions"]
    assert "is there already" in again["msg"]
    assert over["changed"]
    written = {one["path"]: one for result in done for one in result["exports"]} | {
        over["export"]["path"]: over["export"]
    }
    assert len(written) == 8
    for path, one in written.items():
        assert lab.exec("node1", "sha256sum", path).split()[0] == one["sha256"]
        assert lab.exec("node1", "stat", "-c", "%a", path).strip() == "600"
        lab.exec("node1", "qemu-img", "compare", "-f", "raw", "-F", one["format"], f"{FILES}/disk.raw", path)
    assert ".export." not in lab.sh("node1", f"ls {POOLS['shared']}")
    assert ".part" not in lab.sh("node1", f"ls {FILES}")


@pytest.mark.long
def test_what_a_killed_run_has_left_is_reported_and_purged(volumes: Site, lab: Lab) -> None:
    lab.sh("node1", f"cd {FILES} && truncate -s 700M disk.raw && qemu-img convert -O vdi disk.raw disk.vdi")
    stranger = f"{POOLS['local']}/it-notes.vol-too-short.qcow2"
    lab.sh("node2", f"echo mine > {stranger}")
    declared = {
        "name": "it-killed",
        "pool": "local",
        "node": "node2",
        "import_from": {"path": f"{FILES}/disk.raw", "format": "raw"},
    }
    with volumes.overlay({"pextra_volumes": [declared]}) as overlay:
        run = volumes.start("--tags", "volumes", *overlay)
        wait_until("it is on its way", lambda: "it-killed" in lab.sh("node2", f"ls {POOLS['local']}"), 60)
        volumes.kill(run)
        info, kept, purged = volumes.play(
            [
                {INFO: {}},
                {VOLUME: {"volumes": [], "purge": True, "lease_timeout": 40}, "ignore_errors": True},
                {VOLUME: {"volumes": [], "purge": True, "lease_timeout": 40, "confirm": "DESTROY"}},
            ]
        )
        (left,) = info["leftovers"]
        assert left["file"].startswith("it-killed.vol-")
        assert left["file"].endswith(".import.raw")
        assert [one["status"] for one in info["volumes"]] == ["unfinished"]
        assert left["file"] in kept["msg"]
        assert purged["changed"]
        assert "it-killed" not in lab.sh("node2", f"ls {POOLS['local']}")
        assert lab.exec("node2", "cat", stranger).strip() == "mine"
        lab.exec("node2", "rm", stranger)
        # And the same declaration makes it, from the inventory.
        assert volumes.run("--tags", "volumes", "--check", *overlay).must_succeed().changed
        assert volumes.run("--tags", "volumes", *overlay).must_succeed().changed
        volumes.run("--tags", "volumes", *overlay).must_change_nothing()


@pytest.mark.long
def test_an_instance_moves_with_its_volumes(volumes: Site, lab: Lab) -> None:
    home = lab.home("web-1")
    there = next(node for node in lab.nodes if lab.home("web-2") != node != home)
    spec = next(one for one in volumes.declared() if one["name"] == "web-1")
    moved = {**spec, "anti_affinity": "", "node": there}
    volumes.calls("pextra_volume", {"name": "it-here", "pool": "local", "size": "8 MiB", "attached_to": "web-1"})
    held, _, away, again, back = volumes.play(
        [
            {VM: moved, "ignore_errors": True},
            {
                VOLUME: {
                    "volumes": [
                        {"name": "it-here", "attached_to": ""},
                        {"name": "it-along", "pool": "shared", "size": "16 MiB", "attached_to": "web-1"},
                    ]
                }
            },
            {VM: moved},
            {VOLUME: {"name": "it-along", "attached_to": "web-1"}},
            {VM: {**spec, "node": home}},
        ]
    )
    assert "volume it-here is attached to it, and its storage pool local is not shared" in held["msg"]
    assert any("move live" in action for action in away["actions"])
    assert not again["changed"]
    assert back["changed"]
    assert "it-along" in lab.exec(home, "virsh", "dumpxml", "web-1")
