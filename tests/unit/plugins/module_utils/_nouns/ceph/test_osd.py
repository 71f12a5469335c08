# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OSDs: what is there, what is wanted, and what follows. Nothing that holds something is ever taken."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.osd import (
    Disk,
    Present,
    Step,
    Wanted,
    plan_osds,
)

CEPH, OTHER = "59bd80bd-0553-5a38-a91d-2c7be2d507ef", "11111111-2222-4333-8444-555555555555"
ONE, TWO = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
DISK = Wanted(path="/dev/disk/by-id/wwn-1")
FILE = Wanted(path="/srv/ceph/osd.img", size_mib=4096)
HERE = Present(id=0, fsid=ONE, path=DISK.path, ceph_fsid=CEPH)

BLANK = Disk(exists=True)
OURS = Disk(exists=True, osd_fsid=ONE, ceph_fsid=CEPH, id=0)

CASES = [
    ("a blank disk becomes an OSD", DISK, [], BLANK, Step(do="create", wanted=DISK)),
    ("a file that is not there is made", FILE, [], Disk(exists=False), Step(do="create", wanted=FILE)),
    ("an OSD on its disk is left alone", DISK, [HERE], OURS, None),
    (
        "what a killed run began is begun anew, with the same identity",
        DISK,
        [],
        Disk(exists=True, osd_fsid=ONE, ceph_fsid=CEPH, begun=ONE),
        Step(do="create", wanted=DISK),
    ),
    ("a killed run that had not written yet", FILE, [], Disk(exists=True, begun=ONE), Step(do="create", wanted=FILE)),
    ("an OSD whose directory is lost is taken up again", DISK, [], OURS, Step(do="adopt", wanted=DISK, id=0)),
    (
        "a disk with another name is found by its label",
        DISK,
        [Present(id=7, fsid=ONE, path="/dev/disk/by-id/old", ceph_fsid=CEPH)],
        OURS,
        Step(do="relink", wanted=DISK, id=7),
    ),
]
REFUSED = [
    ("no such disk", DISK, [], Disk(exists=False), "there is no disk"),
    ("a disk with a file system", DISK, [], Disk(exists=True, problem="holds ext4; a disk that holds"), "holds ext4"),
    ("a mounted disk", DISK, [], Disk(exists=True, problem="is in use (Device or resource busy)"), "is in use"),
    (
        "a foreign file",
        FILE,
        [],
        Disk(exists=True, problem="is there already, and is not an OSD's"),
        "is there already",
    ),
    ("an OSD of another Ceph", DISK, [], Disk(exists=True, osd_fsid=TWO, ceph_fsid=OTHER, id=0), "of another Ceph"),
    ("an OSD without a number", DISK, [], Disk(exists=True, osd_fsid=TWO, ceph_fsid=CEPH), "never finished"),
    (
        "a foreign OSD where a killed run had begun",
        DISK,
        [],
        Disk(exists=True, osd_fsid=TWO, ceph_fsid=OTHER, id=0, begun=ONE),
        "of another Ceph",
    ),
    ("a disk that was swapped under its OSD", DISK, [HERE], BLANK, "osd.0 has its data on"),
    ("another OSD's disk in its place", DISK, [HERE], Disk(exists=True, osd_fsid=TWO, ceph_fsid=CEPH, id=3), "osd.0"),
    ("a disk that is gone", DISK, [HERE], Disk(exists=False), "does not hold it any more"),
]


@pytest.mark.parametrize(("wanted", "present", "disk", "step"), [row[1:] for row in CASES], ids=[r[0] for r in CASES])
def test_plan(wanted: Wanted, present: list[Present], disk: Disk, step: Step | None) -> None:
    steps, problems = plan_osds(CEPH, [wanted], present, {wanted.path: disk})
    assert problems == []
    assert steps == ([step] if step else [])


@pytest.mark.parametrize(("wanted", "present", "disk", "why"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refusal(wanted: Wanted, present: list[Present], disk: Disk, why: str) -> None:
    steps, problems = plan_osds(CEPH, [wanted], present, {wanted.path: disk})
    assert steps == []
    assert [why in problem.what for problem in problems] == [True]
    assert problems[0].remedy


def test_what_is_not_declared_is_left_alone() -> None:
    assert plan_osds(CEPH, [], [HERE], {}) == ([], [])


def test_one_bad_disk_is_told_beside_the_good_one() -> None:
    steps, problems = plan_osds(CEPH, [DISK, FILE], [], {DISK.path: Disk(exists=False), FILE.path: Disk(exists=False)})
    assert [step.wanted for step in steps] == [FILE]
    assert len(problems) == 1
