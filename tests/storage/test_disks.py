# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks of the storage node become volume groups and zpools, and nothing else is touched.

Uses the disks lab-disk3 to lab-disk8 of `tests/lab/lab storage-node create`; what another run left on them is removed.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.lab import Run, Site

ROOT = Path(__file__).resolve().parents[2]
SERIALS = tuple(f"lab-disk{number}" for number in range(3, 9))
# What the first run of each kind takes on an emulated machine.
LIMIT_S = 600


class Node:
    """The storage node, and the stage `disks` run on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Site wants a lab for killing modules in containers, which is not done here.
        self.site = Site(None, ROOT / "inventories" / "storage-lab")  # type: ignore[arg-type]

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a shell script on the node and return what it prints."""
        command = [str(ROOT / "tests/lab/lab"), "storage-node", "ssh", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
        if check and done.returncode != 0:
            raise AssertionError(f"{script} failed with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def path(self, serial: str) -> str:
        return self.sh(f"readlink -f {by_id(serial)}")

    def declare(self, *sets: dict[str, Any]) -> tuple[str, str]:
        file = self._folder / f"disks-{time.monotonic_ns()}.yml"
        # The pools of the inventory need servers that are not asked here.
        declared = {"pextra_disks": list(sets), "pextra_pools": [{"name": "local"}]}
        file.write_text(yaml.safe_dump(declared, sort_keys=False))
        return ("-e", f"@{file}")

    def disks(self, *sets: dict[str, Any], options: tuple[str, ...] = ()) -> Run:
        """Run the stage with these sets declared."""
        arguments = ("--tags", "disks", "--skip-tags", "summary", *self.declare(*sets), *options)
        return self.site.run(*arguments, timeout_s=LIMIT_S)

    def replace(self, wants: dict[str, Any], *arguments: str, **options: str) -> Run:
        """Run the playbook that replaces a drive."""
        given = [argument for key, value in options.items() for argument in ("-e", f"{key}={value}")]
        given += [*self.declare(wants), "-e", "node=node1", *arguments]
        return self.site.run(*given, playbook="pextra.cloud.replace_drive", timeout_s=LIMIT_S)

    def first_bytes(self) -> dict[str, str]:
        """The checksum of the first and the last MiB of each disk."""
        script = "\n".join(
            f"d={by_id(serial)}; s=$(blockdev --getsize64 $d); "
            f"{{ head -c 1M $d; tail -c 1M $d; }} | sha256sum | cut -c1-16"
            for serial in SERIALS
        )
        return dict(zip(SERIALS, self.sh(script).split(), strict=True))

    def members(self, group: str) -> set[str]:
        """The serial numbers of the disks of a volume group."""
        devices = self.sh(f"vgs --noheadings -o pv_name {group}").split()
        return {self.sh(f"lsblk --noheadings --nodeps -o SERIAL {device}") for device in devices}

    def vdevs(self, pool: str) -> list[str]:
        """What zpool status says below the pool: kinds and serial numbers, in order."""
        lines = self.sh(f"zpool status -P {pool}").split(pool + " ", 1)[1].split("errors:")[0].splitlines()[1:]
        words = [line.split()[0] for line in lines if line.strip()]
        return [word.rpartition("virtio-")[2].removesuffix("-part1") for word in words]

    def clean(self) -> None:
        """Take everything off the disks of these tests, whatever state they are in."""
        self.sh(
            "umount /mnt/* 2>/dev/null; virsh undefine user-of-a-disk >/dev/null 2>&1; "
            "for v in /sys/bus/virtio/devices/*; do [ -e $v/driver ] || echo ${v##*/} > "
            "/sys/bus/virtio/drivers/virtio_blk/bind; done 2>/dev/null; udevadm settle; "
            "vgremove -qq -f -y test-vg 2>/dev/null; vgreduce -qq --removemissing --force -y test-vg 2>/dev/null; "
            "vgremove -qq -f -y test-vg 2>/dev/null; dmsetup remove holder 2>/dev/null; swapoff -a; "
            "zpool destroy -f test-pool 2>/dev/null; rm -f /var/lib/pextra/disks/test-*; "
            f"for d in {by_id('lab-disk[3-8]-part*')} {by_id('lab-disk[3-8]')}; do "
            "[ ! -e $d ] || wipefs -qfa $d; done; udevadm settle",
            check=False,
        )


def by_id(serial: str) -> str:
    return f"/dev/disk/by-id/virtio-{serial}"


def lvm(digits: str, count: int, **values: Any) -> dict[str, Any]:
    """A set of lab-disk<digit>s as a volume group."""
    return {"name": "test-vg", "use": "lvm", "match": {"serial": f"lab-disk[{digits}]"}, "count": count, **values}


def zfs(digits: str, count: int, layout: str) -> dict[str, Any]:
    return {**lvm(digits, count), "name": "test-pool", "use": "zfs", "layout": layout}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(tmp_path_factory.mktemp("disks"))
    assert node.sh("uname -s") == "Linux", "run tests/lab/lab storage-node create"
    yield node
    node.clean()


@pytest.fixture
def node(prepared: Node) -> Node:
    """The node with empty disks."""
    prepared.clean()
    return prepared


def test_filters_take_exactly_the_disks_that_are_meant(node: Node) -> None:
    """Check mode says which, a run takes them, a second changes nothing."""
    wants = {**lvm("34567", 4), "match": {"path": "/dev/disk/by-id/virtio-lab-disk[34567]", "size": {"max": "2 GiB"}}}
    before = node.first_bytes()
    checked = node.disks(wants, options=("--check", "--diff")).must_succeed()
    assert checked.changed == 1
    for number in "3467":
        assert f"+test-vg: {by_id(f'lab-disk{number}')}" in checked.output
    assert "lab-disk5" not in checked.output
    assert node.first_bytes() == before
    assert node.sh("vgs --noheadings test-vg", check=False) == ""

    assert node.disks(wants).must_succeed().changed == 1
    assert node.members("test-vg") == {"lab-disk3", "lab-disk4", "lab-disk6", "lab-disk7"}
    assert node.sh("vgs --noheadings -o vg_tags test-vg") == "pextra"
    untouched = ("lab-disk5", "lab-disk8")
    after = node.first_bytes()
    assert [after[serial] for serial in untouched] == [before[serial] for serial in untouched]
    node.disks(wants).must_change_nothing()
    node.disks(wants, options=("--check",)).must_change_nothing()


def test_disks_that_hold_something_or_are_in_use_are_not_touched(node: Node) -> None:
    """Each for its own reason, which is told; with consent to wipe, those in use all the same."""
    node.sh(f"mkfs.ext4 -q {by_id('lab-disk3')}; sgdisk -n 1:0:0 {by_id('lab-disk4')} >/dev/null; udevadm settle")
    node.sh(f"mkfs.ext4 -q {by_id('lab-disk5')}; mkdir -p /mnt/test; mount {by_id('lab-disk5')} /mnt/test")
    node.sh(f"mkswap -q {by_id('lab-disk6')}; swapon {by_id('lab-disk6')}")
    node.sh(f"echo 0 2048 linear {by_id('lab-disk7')} 0 | dmsetup create holder")
    domain = (
        "<domain type='qemu'><name>user-of-a-disk</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        f"<disk type='block'><source dev='{by_id('lab-disk8')}'/><target dev='vda' bus='virtio'/></disk>"
        "</devices></domain>"
    )
    node.sh(f'echo "{domain}" > /tmp/domain.xml; virsh define /tmp/domain.xml')
    node.sh("sync")
    before = node.first_bytes()
    paths = {serial: node.path(serial) for serial in SERIALS}

    wants = lvm("345678", 6)
    for options in ((), ("--check",)):
        refused = node.disks(wants, options=options)
        assert refused.code != 0
        assert "needs 6 disks, and none can be taken" in refused.output
        for serial, reason in (
            ("lab-disk3", f"is not empty: ext4 on {paths['lab-disk3']}"),
            ("lab-disk4", f"is not empty: gpt on {paths['lab-disk4']}, PMBR on {paths['lab-disk4']}"),
            ("lab-disk5", f"is in use: {paths['lab-disk5']} is mounted at /mnt/test"),
            ("lab-disk6", f"is in use: {paths['lab-disk6']} is swap"),
            ("lab-disk7", f"is in use: {paths['lab-disk7']} is part of /dev/mapper/holder (dm)"),
            ("lab-disk8", f"is in use: {paths['lab-disk8']} is named by the libvirt domain user-of-a-disk"),
        ):
            assert f"passed over: {paths[serial]} (" in refused.output
            assert f"serial {serial}) {reason}" in refused.output
        assert "is mounted at /" in refused.output, "the root's disk is passed over as well"
        assert node.first_bytes() == before

    wiping = node.disks(lvm("345678", 6, wipe=True, confirm="DESTROY"))
    assert wiping.code != 0
    assert "needs 6 disks, and 2 can be taken" in wiping.output
    assert node.first_bytes() == before


def test_wiping_takes_consent(node: Node) -> None:
    node.sh(f"sgdisk -n 1:0:0 {by_id('lab-disk3')} >/dev/null; udevadm settle; mkfs.ext4 -q {by_id('lab-disk3')}-part1")
    before = node.first_bytes()
    refused = node.disks(lvm("3", 1, wipe=True))
    assert "is missing; wiping disks destroys what they hold" in refused.output
    assert node.disks(lvm("3", 1)).code != 0
    wiping = lvm("3", 1, wipe=True, confirm="DESTROY")
    assert node.disks(wiping, options=("--check",)).must_succeed().changed == 1
    assert node.first_bytes() == before
    assert node.disks(wiping).must_succeed().changed == 1
    assert node.members("test-vg") == {"lab-disk3"}
    node.disks(wiping).must_change_nothing()
    after = node.first_bytes()
    assert {serial for serial in SERIALS if after[serial] != before[serial]} == {"lab-disk3"}


def test_a_volume_group_grows_keeps_its_data_and_does_not_shrink(node: Node) -> None:
    node.disks(lvm("3", 1)).must_succeed()
    write_pattern(node, lv := make_volume(node, "1536M"))
    grown = lvm("346", 3)
    assert node.disks(grown).must_succeed().changed == 1
    assert node.members("test-vg") == {"lab-disk3", "lab-disk4", "lab-disk6"}
    node.disks(grown).must_change_nothing()
    read_pattern(node, lv)
    shrunk = node.disks(lvm("346", 2))
    assert shrunk.code != 0
    assert "has 3 disks and 2 are declared; disks are not taken out" in shrunk.output
    assert node.members("test-vg") == {"lab-disk3", "lab-disk4", "lab-disk6"}


def test_a_volume_group_of_someone_else_is_not_touched(node: Node) -> None:
    node.sh(f"vgcreate -qq test-vg {by_id('lab-disk3')}")
    refused = node.disks(lvm("34", 2))
    assert "there is a volume group test-vg that was not made from this declaration" in refused.output
    assert node.members("test-vg") == {"lab-disk3"}
    node.sh("vgchange -qq --addtag pextra test-vg")
    assert node.disks(lvm("34", 2)).must_succeed().changed == 1
    assert node.members("test-vg") == {"lab-disk3", "lab-disk4"}


def test_what_a_killed_run_left_is_finished(node: Node) -> None:
    """LVM has labelled a disk that is noted, and there is no volume group yet."""
    size = int(node.sh(f"blockdev --getsize64 {by_id('lab-disk3')}"))
    node.sh(f"pvcreate -qq {by_id('lab-disk3')}")
    assert "is not empty: LVM2_member" in node.disks(lvm("3", 1)).output
    note = json.dumps([{"serial": "lab-disk3", "wwn": None, "size_bytes": size}])
    node.sh(f"mkdir -p /var/lib/pextra/disks; echo '{note}' > /var/lib/pextra/disks/test-vg.json")
    node.disks(lvm("3", 1)).must_succeed()
    assert node.members("test-vg") == {"lab-disk3"}
    assert node.sh("ls /var/lib/pextra/disks") == ""


def test_a_drive_of_a_volume_group_is_replaced(node: Node) -> None:
    wants = lvm("34", 2)
    node.disks(wants).must_succeed()
    write_pattern(node, lv := make_volume(node, "3G"))
    small = node.replace(wants, drive="lab-disk3")
    assert "no disks can come instead" in small.output
    before = node.first_bytes()
    checked = node.replace(wants, "--check", drive="lab-disk3", replacement="lab-disk5").must_succeed()
    assert "take /dev/" in checked.output
    assert node.first_bytes() == before
    done = node.replace(wants, drive="lab-disk3", replacement="lab-disk5").must_succeed()
    assert done.changed == 1
    assert node.members("test-vg") == {"lab-disk4", "lab-disk5"}
    read_pattern(node, lv)
    again = node.replace(wants, drive="lab-disk3", replacement="lab-disk5").must_succeed()
    assert again.changed == 0
    node.disks(wants).must_change_nothing()


def test_what_does_not_fit_on_the_new_drive_is_refused(node: Node) -> None:
    wants = lvm("5", 1)
    node.disks(wants).must_succeed()
    make_volume(node, "2560M")
    before = node.first_bytes()
    refused = node.replace(wants, drive="lab-disk5", replacement="lab-disk3")
    assert "has less room" in refused.output
    assert node.first_bytes() == before


def test_a_replacement_that_is_killed_is_gone_on_with(node: Node) -> None:
    wants = lvm("34", 2)
    node.disks(wants).must_succeed()
    write_pattern(node, lv := make_volume(node, "3G"))
    arguments = (*node.declare(wants), "-e", "node=node1", "-e", "drive=lab-disk3", "-e", "replacement=lab-disk5")
    command = node.site.command(*arguments, playbook="pextra.cloud.replace_drive")
    process = subprocess.Popen(command, cwd=ROOT, env=node.site.environment(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + LIMIT_S
    while not node.sh("pgrep -x pvmove || true"):
        assert time.monotonic() < deadline, "pvmove does not begin"
        assert process.poll() is None, "the replacement was done before it could be killed"
    node.sh("pkill -9 -x pvmove; pkill -9 -f '[A]nsiballZ_pextra'; true")
    process.kill()
    process.wait()
    assert node.members("test-vg") == {"lab-disk3", "lab-disk4", "lab-disk5"}
    stage = node.disks(wants)
    assert "let playbooks/replace_drive.yml end it" in stage.output
    node.replace(wants, drive="lab-disk3").must_succeed()
    assert node.members("test-vg") == {"lab-disk4", "lab-disk5"}
    read_pattern(node, lv)
    node.disks(wants).must_change_nothing()


def test_a_missing_drive_of_a_volume_group_takes_what_it_held(node: Node) -> None:
    wants = lvm("34", 2)
    node.disks(wants).must_succeed()
    kept = make_volume(node, "1G", name="kept", on="lab-disk4")
    lost = make_volume(node, "1G", name="lost", on="lab-disk3")
    write_pattern(node, kept)
    assert lost in node.sh("ls /dev/test-vg/* ")
    uuid = node.sh("pvs --noheadings -o pv_uuid " + by_id("lab-disk3"))
    node.sh("vgchange -qq -an test-vg")
    unplug(node, "lab-disk3")
    stage = node.disks(wants).must_change_nothing()
    assert "the volume group misses 1 of its disks" in stage.output
    refused = node.replace(wants, drive=uuid, replacement="lab-disk5")
    assert refused.code != 0
    assert "this would destroy the logical volume test-vg/lost" in refused.output
    assert "test-vg/kept" not in refused.output
    node.replace(wants, drive=uuid, replacement="lab-disk5", confirm="DESTROY").must_succeed()
    assert node.members("test-vg") == {"lab-disk4", "lab-disk5"}
    node.sh("vgchange -qq -ay test-vg")
    read_pattern(node, kept)
    assert node.sh("lvs --noheadings -o lv_name test-vg") == "kept"
    node.disks(wants).must_change_nothing()


def test_a_zpool_of_mirrors_is_made_grows_and_has_a_lost_drive_replaced(node: Node) -> None:
    two, four = zfs("34", 2, "mirror"), zfs("3467", 4, "mirror")
    before = node.first_bytes()
    checked = node.disks(two, options=("--check", "--diff")).must_succeed()
    assert "make zpool test-pool (mirror) of" in checked.output or f"+test-pool: {by_id('lab-disk3')}" in checked.output
    assert node.first_bytes() == before
    assert node.disks(two).must_succeed().changed == 1
    assert node.vdevs("test-pool") == ["mirror-0", "lab-disk3", "lab-disk4"]
    node.disks(two).must_change_nothing()
    node.sh("zfs create -V 1G test-pool/data; udevadm settle")
    write_pattern(node, volume := "/dev/zvol/test-pool/data", size="512M")

    assert node.disks(four).must_succeed().changed == 1
    assert node.vdevs("test-pool") == ["mirror-0", "lab-disk3", "lab-disk4", "mirror-1", "lab-disk6", "lab-disk7"]
    node.disks(four).must_change_nothing()
    odd = node.disks(zfs("34678", 5, "mirror"))
    assert "5 disks make no mirrors of two" in odd.output

    unplug(node, "lab-disk3")
    node.sh("zpool scrub -w test-pool || true")
    stage = node.disks(four).must_change_nothing()
    assert "the zpool is DEGRADED" in stage.output
    node.replace(four, drive="lab-disk3", replacement="lab-disk5").must_succeed()
    assert node.vdevs("test-pool") == ["mirror-0", "lab-disk5", "lab-disk4", "mirror-1", "lab-disk6", "lab-disk7"]
    assert node.sh("zpool list -H -o health test-pool") == "ONLINE"
    read_pattern(node, volume, size="512M")
    node.disks(four).must_change_nothing()


def test_a_drive_of_a_striped_zpool_is_replaced_while_it_works(node: Node) -> None:
    wants = zfs("34", 2, "stripe")
    node.disks(wants).must_succeed()
    node.sh("zfs create -V 1G test-pool/data; udevadm settle")
    write_pattern(node, volume := "/dev/zvol/test-pool/data", size="512M")
    node.replace(wants, drive=by_id("lab-disk4"), replacement="lab-disk6").must_succeed()
    assert node.vdevs("test-pool") == ["lab-disk3", "lab-disk6"]
    read_pattern(node, volume, size="512M")


def test_raidz(node: Node) -> None:
    wants = zfs("346", 3, "raidz")
    assert node.disks(wants).must_succeed().changed == 1
    assert node.vdevs("test-pool") == ["raidz1-0", "lab-disk3", "lab-disk4", "lab-disk6"]
    node.disks(wants).must_change_nothing()
    assert "raidz grows by as many disks as it was made of" in node.disks(zfs("34678", 5, "raidz")).output
    assert "the layout of a zpool cannot be changed" in node.disks(zfs("346", 3, "stripe")).output


def test_the_disks_are_told(node: Node) -> None:
    node.sh(f"mkfs.ext4 -q {by_id('lab-disk3')}")
    (found,) = node.site.play([{"pextra.cloud.pextra_disks_info": {}}])
    disks = {disk["serial"]: disk for disk in found["disks"]}
    assert set(SERIALS) < set(disks)
    assert disks["lab-disk3"]["contents"] == [f"ext4 on {disks['lab-disk3']['path']}"]
    assert disks["lab-disk5"]["size_bytes"] == 3 * 1024**3
    assert disks["lab-disk5"]["device"] == by_id("lab-disk5")
    assert any("is mounted at /" in use for use in disks["lab-root"]["uses"])


def make_volume(node: Node, size: str, *, name: str = "data", on: str = "") -> str:
    device = by_id(on) if on else ""
    node.sh(f"lvcreate -qq -y -Wn -L {size} -n {name} test-vg {device}")
    return f"/dev/test-vg/{name}"


def write_pattern(node: Node, device: str, *, size: str = "256M") -> None:
    node.sh(f"qemu-io -f raw -c 'write -P 0xa7 0 {size}' -c flush {device}")


def read_pattern(node: Node, device: str, *, size: str = "256M") -> None:
    """qemu-io ends with 1 if a byte differs."""
    node.sh(f"qemu-io -f raw -c 'read -P 0xa7 0 {size}' {device}")


def unplug(node: Node, serial: str) -> None:
    """Take a disk from the kernel, as if it had been pulled."""
    name = node.path(serial).rpartition("/")[2]
    node.sh(f"basename $(readlink -f /sys/block/{name}/device) > /sys/bus/virtio/drivers/virtio_blk/unbind")
