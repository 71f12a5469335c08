# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a drive is replaced."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.drives import (
    Disk,
    Member,
    Seen,
    VolumeGroup,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.replacement import (
    Drive,
    Replacement,
    find_zpool_damage,
    plan_replacement,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.spec import DiskSet
from disk_model import GIB, by_id, disk, group, holding, member, want, zpool

LVM = want(count=2)
ZFS = want(use="zfs", count=2, layout="mirror")
BUSY = [disk(letter, uses=("used",)) for letter in "ab"]
LOST = Member(device="[unknown]", uuid="uuid-x", is_missing=True)


def plan(asked: Drive | str, *disks: Disk, wants: DiskSet = LVM, **seen: Any) -> Replacement:
    asked = Drive(drive=asked) if isinstance(asked, str) else asked
    return plan_replacement(asked, [wants], Seen(disks=(*BUSY, *disks), **seen), "node1")


def used(letters: str, gib: int = 4) -> VolumeGroup:
    return group("vg0", "", members=tuple(member(letter, used_bytes=gib * GIB) for letter in letters))


def acts(found: Replacement) -> list[str]:
    assert found.refusals == ()
    return [step.act for step in found.steps]


def refused(found: Replacement) -> str:
    assert found.steps == ()
    (problem,) = found.refusals
    return str(problem)


@pytest.mark.parametrize("word", ["A", "/dev/vda", by_id("a")])
def test_a_drive_of_a_volume_group(word: str) -> None:
    found = plan(word, disk("c"), volume_groups=(used("ab"),))
    assert acts(found) == ["extend", "move", "reduce"]
    assert (found.name, found.new, found.loses) == ("vg0", disk("c"), ())
    assert found.steps[1].data == {"old": "/dev/vda", "new": "/dev/vdc", "bytes": 4 * GIB}
    assert found.steps[1].text == "move 4 GiB from /dev/vda (10 GiB, serial A) to /dev/vdc (10 GiB, serial C)"


def test_an_unused_drive_of_a_volume_group_has_nothing_to_move() -> None:
    assert acts(plan("A", disk("c"), volume_groups=(group("vg0", "ab"),))) == ["extend", "reduce"]


def test_what_does_not_fit_is_refused() -> None:
    found = plan("A", disk("c", size_bytes=4 * GIB), volume_groups=(used("ab"),))
    assert "4 GiB are in use on /dev/vda (10 GiB, serial A), and /dev/vdc (4 GiB, serial C) has less room" in refused(found)  # fmt: skip  # noqa: E501


def test_an_interrupted_replacement_is_gone_on_with() -> None:
    added = disk("c", uses=("used",), contents=holding("LVM2_member", "c"), volume_group="vg0")
    by_note = plan("A", added, volume_groups=(used("abc"),), takings={"vg0": (added.identity,)})
    assert acts(by_note) == ["move", "reduce"]
    by_name = plan(Drive(drive="A", replacement="C"), added, volume_groups=(used("abc"),))
    assert acts(by_name) == ["move", "reduce"]
    # Neither noted nor named: it may be a member like any other.
    assert "no disks can come instead, and exactly one is needed" in refused(
        plan("A", added, volume_groups=(used("abc"),))
    )


def test_what_has_been_done_is_not_done_again() -> None:
    found = plan(Drive(drive="A", replacement="B"), volume_groups=(used("b"),))
    assert (found.steps, found.refusals, found.name) == ((), (), "vg0")


def test_a_missing_drive_of_a_volume_group_is_named_by_its_uuid() -> None:
    there = group("vg0", "", members=(member("a"), LOST))
    found = plan("uuid-x", disk("c"), volume_groups=(there,))
    assert acts(found) == ["forget", "extend"]
    assert (found.loses, found.steps[0].data["force"]) == ((), False)


def test_what_was_on_a_missing_drive_is_named_as_lost() -> None:
    there = group("vg0", "", members=(member("a"), LOST), partial=("web", "db"))
    found = plan("uuid-x", disk("c"), volume_groups=(there,))
    assert found.loses == ("the logical volume vg0/web", "the logical volume vg0/db")
    assert found.steps[0].data["force"] is True
    assert "and remove web, db, which had parts on it" in found.steps[0].text


def test_a_missing_drive_comes_before_others() -> None:
    there = group("vg0", "", members=(member("a"), LOST))
    assert "Replace the missing disk first." in refused(plan("A", disk("c"), volume_groups=(there,)))
    both = group("vg0", "", members=(LOST, Member(device="[unknown]", uuid="uuid-y", is_missing=True)))
    assert "misses 2 disks" in refused(plan("uuid-x", disk("c"), volume_groups=(both,)))


def test_a_drive_of_a_zpool() -> None:
    found = plan("B", disk("c"), wants=ZFS, zpools=(zpool("vg0", ("mirror", "ab")),))
    assert acts(found) == ["replace", "wait"]
    assert found.steps[0].data == {"old": "uuid-b", "new": by_id("c")}


@pytest.mark.parametrize("word", ["X1", "/dev/disk/by-id/virtio-X1", "/dev/disk/by-id/virtio-X1-part1", "4711"])
def test_a_missing_drive_of_a_zpool(word: str) -> None:
    gone = Member(device="/dev/disk/by-id/virtio-X1-part1", uuid="4711", is_missing=True, state="UNAVAIL")
    pool = zpool("vg0", ("mirror", "a"), health="DEGRADED")
    pool = type(pool)(**{**vars(pool), "vdevs": (type(pool.vdevs[0])("mirror", (*pool.vdevs[0].members, gone)),)})
    found = plan(word, disk("c"), wants=ZFS, zpools=(pool,))
    assert acts(found) == ["replace", "wait"]
    assert found.steps[0].data["old"] == "4711"
    assert refused(plan("1", disk("c"), wants=ZFS, zpools=(pool,)))


def test_a_zpool_that_has_lost_too_much_is_not_touched() -> None:
    pool = zpool("vg0", ("disk", "a"), ("disk", "b"), health="UNAVAIL")
    text = refused(plan("A", disk("c"), wants=want(use="zfs", count=2, layout="stripe"), zpools=(pool,)))
    assert "is UNAVAIL: what was on the missing disks cannot be read any more" in text


def test_a_smaller_disk_does_not_come_into_a_zpool() -> None:
    found = plan("B", disk("c", size_bytes=9 * GIB), wants=ZFS, zpools=(zpool("vg0", ("mirror", "ab")),))
    assert "/dev/vdc (9 GiB, serial C) is smaller than the 10 GiB that it has to replace" in refused(found)


def test_a_replacement_under_way_is_waited_for() -> None:
    pool = zpool("vg0", ("mirror", "ac"), leaving=(member("b"), member("c")))
    found = plan("B", disk("c", uses=("used",)), wants=ZFS, zpools=(pool,))
    assert acts(found) == ["wait"]


# The disks there are to choose from, the one asked for, and what comes of it.
CHOICES: list[tuple[list[Disk], str | None, str]] = [
    ([disk("c"), disk("d")], None, "2 disks can come instead, and exactly one is needed"),
    ([], None, "no disks can come instead"),
    ([disk("c", contents=holding("ext4", "c"))], None, "is not empty: ext4 on /dev/vdc"),
    ([disk("c", contents=holding("ext4", "c"))], "C", "is not empty: ext4 on /dev/vdc"),
    ([disk("c")], "D", "/dev/vdc (10 GiB, serial C) is not D"),
    ([disk("c")], "A", "/dev/vda (10 GiB, serial A) is in use: used"),
]


@pytest.mark.parametrize(("disks", "replacement", "message"), CHOICES, ids=[message for *_, message in CHOICES])
def test_what_cannot_come_instead(disks: list[Disk], replacement: str | None, message: str) -> None:
    wiping = want(count=2, wipe=True, confirm="DESTROY")
    asked = Drive(drive="A", replacement=replacement)
    assert message in refused(plan(asked, *disks, wants=wiping, volume_groups=(used("ab"),)))


def test_one_of_several_is_named() -> None:
    asked = Drive(drive="A", replacement=by_id("d"))
    assert plan(asked, disk("c"), disk("d"), volume_groups=(used("ab"),)).new == disk("d")


def test_a_named_disk_need_not_meet_the_filter() -> None:
    wants = want(count=2, match={"size": {"max": "10 GiB"}})
    larger = disk("c", size_bytes=20 * GIB)
    assert "no disks can come instead" in refused(plan("A", larger, wants=wants, volume_groups=(used("ab"),)))
    found = plan(Drive(drive="A", replacement="C"), larger, wants=wants, volume_groups=(used("ab"),))
    assert found.new == larger
    assert found.warnings == (
        "node1: disks vg0: the filter does not fit /dev/vdc (20 GiB, serial C), which was named: it has 20 GiB, "
        "more than 10 GiB",
    )


def test_an_unknown_drive_is_told_with_those_there_are() -> None:
    there = group("vg0", "", members=(member("a"), LOST))
    text = refused(plan("Z", disk("c"), volume_groups=(there,)))
    assert "no disk of a declared set is Z" in text
    assert "vg0: /dev/vda (10 GiB, serial A)" in text
    assert "vg0: [unknown] (missing, uuid-x)" in text


def test_an_osd_has_a_playbook_of_its_own() -> None:
    osd = disk("c", is_osd=True, uses=("used",))
    text = refused(plan("C", osd, wants=want(use="ceph", match={"serial": "C"})))
    assert "/dev/vdc" not in text
    assert "C carries an OSD of Ceph" in text


def test_damage_is_found() -> None:
    assert find_zpool_damage(zpool("vg0", ("disk", "a"), errors="No known data errors")) is None
    assert find_zpool_damage(zpool("vg0", ("disk", "a"), errors="2 data errors")) == "2 data errors"
