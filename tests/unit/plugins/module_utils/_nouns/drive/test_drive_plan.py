# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disks become part of what."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.drives import Disk, Seen
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.plan import DiskPlan, plan_disks
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.spec import DiskSet
from disk_model import GIB, by_id, disk, group, holding, member, want, zpool

WIPE = {"wipe": True, "confirm": "DESTROY"}


def plan(wants: DiskSet | list[DiskSet], *disks: Disk, **seen: Any) -> DiskPlan:
    wants = [wants] if isinstance(wants, DiskSet) else wants
    return plan_disks(wants, Seen(disks=disks, **seen), "node1")


def acts(found: DiskPlan) -> list[str]:
    return [step.act for step in found.steps]


def taken(found: DiskPlan) -> list[str]:
    return [disk.path for one in found.sets for disk in one.taken]


def refused(found: DiskPlan) -> str:
    assert found.steps == ()
    return "\n".join(str(problem) for problem in found.refusals)


# What is asked of the disks, and which of a, b and c it is.
FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"size": {"min": "20 GiB"}}, "c"),
    ({"size": {"max": "9 GiB"}}, "a"),
    ({"size": {"min": "9 GiB", "max": "11 GiB"}}, "b"),
    ({"size": {"min": "10 GiB", "max": "10 GiB"}}, "b"),
    ({"rotational": True}, "b"),
    ({"model": "Fast*"}, "a"),
    ({"model": "FAST 1"}, ""),
    ({"serial": "C"}, "c"),
    ({"serial": "?"}, "abc"),
    ({"path": "/dev/vd[ab]"}, "ab"),
    ({"path": "/dev/disk/by-id/virtio-B"}, "b"),
    ({"serial": "A", "rotational": True}, ""),
]


@pytest.mark.parametrize(("match", "letters"), FILTERS, ids=[str(match) for match, _ in FILTERS])
def test_filters(match: dict[str, Any], letters: str) -> None:
    disks = [
        disk("a", size_bytes=8 * GIB, model="Fast 1"),
        disk("b", rotational=True, model="Slow"),
        disk("c", size_bytes=20 * GIB),
    ]
    found = plan(want(match=match, count=max(1, len(letters))), *disks)
    if letters:
        assert taken(found) == [f"/dev/vd{letter}" for letter in letters]
    else:
        assert "needs 1 disk, and none can be taken" in refused(found)


# A disk that must not be taken, and what is said of it.
OBSTACLES: list[tuple[dict[str, Any], str]] = [
    ({"contents": holding("ext4", "b")}, "is not empty: ext4 on /dev/vdb"),
    ({"contents": holding("gpt", "b")}, "is not empty: gpt on /dev/vdb"),
    ({"contents": holding("LVM2_member", "b"), "volume_group": "other"}, "belongs to the volume group other"),
    ({"contents": holding("LVM2_member", "b"), "volume_group": ""}, "is not empty: LVM2_member on /dev/vdb"),
    ({"uses": ("/dev/vdb is mounted at /srv",)}, "is in use: /dev/vdb is mounted at /srv"),
    ({"is_removable": True}, "is removable"),
    ({"is_read_only": True}, "is read-only"),
    ({"transport": "iscsi"}, "is connected by iSCSI, so it is not the node's own"),
    ({"transport": "usb"}, "is connected by USB, so it is not the node's own"),
    ({"kind": "a volume of a zpool"}, "is no disk but a volume of a zpool"),
]


@pytest.mark.parametrize(("values", "reason"), OBSTACLES, ids=[reason for _, reason in OBSTACLES])
def test_disks_that_are_passed_over(values: dict[str, Any], reason: str) -> None:
    found = plan(want(count=2), disk("a"), disk("b", **values))
    text = refused(found)
    assert "node1: disks vg0: needs 2 disks, and 1 can be taken" in text
    assert "can be taken: /dev/vda (10 GiB, serial A)" in text
    assert f"passed over: /dev/vdb (10 GiB, serial B) {reason}" in text


# What wiping does not help against.
KEPT = [row for row in OBSTACLES if "contents" not in row[0]]


@pytest.mark.parametrize(("values", "reason"), KEPT, ids=[reason for _, reason in KEPT])
def test_wiping_takes_nothing_that_is_in_use_or_elsewhere(values: dict[str, Any], reason: str) -> None:
    found = plan(want(**WIPE), disk("b", **{"contents": holding("ext4", "b"), **values}))
    assert f"passed over: /dev/vdb (10 GiB, serial B) {reason}" in refused(found)


def test_wiping_is_done_with_consent_and_said() -> None:
    found = plan(want(**WIPE), disk("b", contents=holding("ext4", "b", "1"), partitions=("/dev/vdb1",)))
    assert acts(found) == ["wipe", "make_lvm"]
    assert found.sets[0].loses == ("/dev/vdb (10 GiB, serial B): ext4 on /dev/vdb1",)
    assert found.steps[0].data == {"path": "/dev/vdb", "partitions": ("/dev/vdb1",)}


def test_wiping_spares_the_volume_groups_of_other_sets() -> None:
    # The other set's group has lost its declaration as ours, so its disk is nobody's member.
    lvm = disk("b", contents=holding("LVM2_member", "b"), volume_group="vg1")
    found = plan([want(**WIPE), want(name="vg1", match={"serial": "X"})], lvm)
    assert "/dev/vdb (10 GiB, serial B) belongs to the volume group vg1" in refused(found)


def test_more_disks_than_declared_are_refused() -> None:
    text = refused(plan(want(), disk("a"), disk("b"), disk("c", contents=holding("xfs", "c"))))
    assert "needs 1 disk, and 2 can be taken" in text
    assert text.count("can be taken: ") == 2
    assert "passed over: /dev/vdc (10 GiB, serial C) is not empty: xfs on /dev/vdc" in text
    assert "Write a filter that only the wanted disks meet, or raise the count." in text


def test_a_disk_that_two_sets_may_take_is_refused() -> None:
    sets = [want(match={"serial": "A"}), want(name="vg1", match={"size": {"min": "1 GiB"}})]
    assert "/dev/vda (10 GiB, serial A) would fit the disks vg1 as well" in refused(plan(sets, disk("a")))


def test_one_set_that_cannot_be_had_stops_all() -> None:
    sets = [want(match={"serial": "A"}), want(name="vg1", match={"serial": "Z"})]
    found = plan(sets, disk("a"))
    assert [problem.resource for problem in found.refusals] == ["disks vg1"]
    assert "belongs to" not in refused(found)


# (want, what is there, steps, words of zpool)
GROWTH: list[tuple[dict[str, Any], dict[str, Any], list[str], tuple[str, ...] | None]] = [
    ({"count": 2}, {}, ["make_lvm"], None),
    ({"count": 4}, {"volume_groups": (group("vg0", "wx"),)}, ["extend_lvm"], None),
    ({"use": "zfs", "count": 2, "layout": "stripe"}, {}, ["make_zfs"], (by_id("a"), by_id("b"))),
    ({"use": "zfs", "count": 2, "layout": "mirror"}, {}, ["make_zfs"], ("mirror", by_id("a"), by_id("b"))),
    (
        {"use": "zfs", "count": 4, "layout": "mirror"},
        {"zpools": (zpool("vg0", ("mirror", "wx")),)},
        ["extend_zfs"],
        ("mirror", by_id("a"), by_id("b")),
    ),
    (
        {"use": "zfs", "count": 3, "layout": "stripe"},
        {"zpools": (zpool("vg0", ("disk", "w")),)},
        ["extend_zfs"],
        (by_id("a"), by_id("b")),
    ),
    ({"use": "ceph", "count": 2}, {}, [], None),
]


@pytest.mark.parametrize(("values", "seen", "steps", "words"), GROWTH)
def test_making_and_extending(
    values: dict[str, Any], seen: dict[str, Any], steps: list[str], words: tuple[str, ...] | None
) -> None:
    used = [disk(letter, uses=("used",)) for letter in "wx"]
    found = plan(want(**values), disk("a"), disk("b"), *used, **seen)
    assert (acts(found), found.refusals) == (steps, ())
    assert taken(found) == ["/dev/vda", "/dev/vdb"]
    assert found.sets[0].devices[-2:] == (by_id("a"), by_id("b"))
    if words is not None:
        assert found.steps[0].data["vdevs"] == words


def test_raidz_is_made_of_all_and_grows_by_as_many() -> None:
    raidz = want(use="zfs", layout="raidz", count=3)
    made = plan(raidz, disk("a"), disk("b"), disk("c"))
    assert made.steps[0].data["vdevs"] == ("raidz", by_id("a"), by_id("b"), by_id("c"))
    there = {"zpools": (zpool("vg0", ("raidz1", "abc")),)}
    more = [disk(letter) for letter in "abcdef"]
    grown = plan(want(use="zfs", layout="raidz", count=6), *more, **there)
    assert grown.steps[0].data["vdevs"] == ("raidz", by_id("d"), by_id("e"), by_id("f"))
    text = refused(plan(want(use="zfs", layout="raidz", count=5), *more[:5], **there))
    assert "raidz grows by as many disks as it was made of, and 2 are not 3 or a multiple of it" in text
    assert "Declare a count of 6." in text


# A set that has its disks needs nothing.
CONVERGED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"count": 2}, {"volume_groups": (group("vg0", "ab"),)}),
    ({"use": "zfs", "count": 2, "layout": "mirror"}, {"zpools": (zpool("vg0", ("mirror", "ab")),)}),
    ({"use": "zfs", "count": 2, "layout": "stripe"}, {"zpools": (zpool("vg0", ("disk", "a"), ("disk", "b")),)}),
]


@pytest.mark.parametrize(("values", "seen"), CONVERGED)
def test_a_set_that_has_its_disks_needs_nothing(values: dict[str, Any], seen: dict[str, Any]) -> None:
    disks = [disk(letter, uses=("used",), contents=holding("x", letter)) for letter in "ab"]
    found = plan(want(**values), *disks, **seen)
    assert (found.steps, found.refusals, found.warnings) == ((), (), ())
    assert found.sets[0].devices == (by_id("a"), by_id("b"))


def test_a_spare_disk_is_left_alone_and_told() -> None:
    found = plan(want(), disk("a"), disk("b"), volume_groups=(group("vg0", "a"),))
    assert found.steps == ()
    assert found.warnings == (
        "node1: disks vg0: has all its disks; more would fit and are left alone: /dev/vdb (10 GiB, serial B)",
    )


def test_disks_of_ceph_are_recognised() -> None:
    osds = [disk(letter, is_osd=True, uses=("used",), contents=holding("ceph_bluestore", letter)) for letter in "ab"]
    found = plan(want(use="ceph", count=3), *osds, disk("c"))
    assert found.steps == ()
    assert found.sets[0].describe() == {
        "name": "vg0",
        "use": "ceph",
        "devices": [by_id("a"), by_id("b"), by_id("c")],
        "taken": [by_id("c")],
    }


# (want, what is there, what is said)
REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"count": 1}, {"volume_groups": (group("vg0", "ab"),)}, "has 2 disks and 1 are declared; disks are not taken out"),
    (
        {"count": 2},
        {"volume_groups": (group("vg0", "ab", is_ours=False),)},
        "there is a volume group vg0 that was not made from this declaration. To hand it over as it is, run: "
        "vgchange --addtag pextra vg0.",
    ),
    (
        {"use": "zfs", "count": 2, "layout": "mirror"},
        {"zpools": (zpool("vg0", ("mirror", "ab"), is_ours=False),)},
        "run: zfs set cloud.pextra:disks=vg0 vg0.",
    ),
    (
        {"use": "zfs", "count": 2, "layout": "mirror"},
        {"zpools": (zpool("vg0", ("disk", "a"), ("disk", "b")),)},
        "the layout of a zpool cannot be changed: it is made of disk of 1, disk of 1, and mirror is declared",
    ),
    (
        {"use": "zfs", "count": 4, "layout": "mirror"},
        {"zpools": (zpool("vg0", ("mirror", "abc")),)},
        "it is made of mirror of 3, and mirror is declared",
    ),
]


@pytest.mark.parametrize(("values", "seen", "message"), REFUSED, ids=[message[:40] for *_, message in REFUSED])
def test_what_is_refused(values: dict[str, Any], seen: dict[str, Any], message: str) -> None:
    disks = [disk(letter, uses=("used",)) for letter in "abc"]
    assert message in refused(plan(want(**values), *disks, **seen))


def test_a_missing_disk_is_told_and_not_made_up_for_by_another() -> None:
    lost = member("x", device="[unknown]", disk=None, is_missing=True)
    there = group("vg0", "a", members=(member("a"), lost))
    found = plan(want(count=2), disk("a", uses=("used",)), disk("b"), volume_groups=(there,))
    assert (found.steps, found.refusals) == ((), ())
    assert "node1: disks vg0: the volume group misses 1 of its disks" in found.warnings[0]
    text = refused(plan(want(count=3), disk("a", uses=("used",)), disk("b"), volume_groups=(there,)))
    assert "no disk can be added while the volume group misses one" in text


def test_a_degraded_zpool_is_told() -> None:
    found = plan(want(use="zfs"), disk("a", uses=("u",)), zpools=(zpool("vg0", ("disk", "a"), health="DEGRADED"),))
    assert found.warnings == ("node1: disks vg0: the zpool is DEGRADED; zpool status vg0 says why",)


# What a killed run may have left on a disk that it was about to take, and whether it is taken again.
LEFTOVERS: list[tuple[dict[str, Any], bool]] = [
    ({"contents": holding("LVM2_member", "a"), "volume_group": ""}, True),
    ({"contents": (*holding("gpt", "a"), *holding("PMBR", "a")), "partitions": ("/dev/vda1", "/dev/vda9")}, True),
    ({"contents": holding("ext4", "a")}, False),
    ({"contents": holding("zfs_member", "a", "1"), "partitions": ("/dev/vda1",)}, False),
    ({"contents": (*holding("gpt", "a"), *holding("LVM2_member", "a", "1")), "partitions": ("/dev/vda1",)}, False),
    ({"contents": holding("LVM2_member", "a"), "volume_group": "other"}, False),
    ({"contents": holding("LVM2_member", "a"), "volume_group": "", "uses": ("used",)}, False),
]


@pytest.mark.parametrize(("values", "is_taken"), LEFTOVERS)
def test_what_an_interrupted_run_left_is_finished(values: dict[str, Any], is_taken: bool) -> None:
    found = disk("a", **values)
    again = plan(want(), found, takings={"vg0": (found.identity,)})
    assert (acts(again) == ["wipe", "make_lvm"]) is is_taken
    assert all(not one.loses for one in again.sets)
    # Without the note, or with that of another set or another disk, it is a disk that holds something.
    for takings in ({}, {"vg1": (found.identity,)}, {"vg0": (disk("b").identity,)}):
        assert refused(plan(want(), found, takings=takings))


def test_a_disk_without_serial_is_not_recognised_again() -> None:
    found = disk("a", serial=None, contents=holding("LVM2_member", "a"), volume_group="")
    assert refused(plan(want(), found, takings={"vg0": (found.identity,)}))
