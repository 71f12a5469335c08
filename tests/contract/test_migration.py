# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a live migration may take: as long as it makes progress, within what its memory accounts for."""

from __future__ import annotations

from typing import Any

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt import migration
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.migration import Migration

RUNNING = [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED]
SWITCHING = [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION]
PAUSED = [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER]
MEMORY_MIB = 800


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Guest:
    """Says what libvirt would, and counts what it is told."""

    def __init__(self) -> None:
        self.aborted = 0
        self.now: tuple[list[int], dict[str, Any]] = (RUNNING, {"type": libvirt.VIR_DOMAIN_JOB_NONE})

    def info(self) -> list[int]:
        return [1, MEMORY_MIB * 1024, MEMORY_MIB * 1024, 1, 0]

    def state(self) -> list[int]:
        return self.now[0]

    def jobStats(self) -> dict[str, Any]:
        return self.now[1]

    def abortJob(self) -> None:
        self.aborted += 1

    def sends(self, data: int, state: list[int] = RUNNING) -> None:
        self.now = (state, {"type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED, "data_processed": data})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(migration, "time", clock)
    return clock


def look_for(moving: Migration, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        clock.now += 1
        moving.look()


def test_one_that_moves_goes_on(clock: Clock) -> None:
    guest = Guest()
    moving = Migration(guest)
    for data in range(200):
        guest.sends(data)
        look_for(moving, clock, 1)
    assert (guest.aborted, moving.why, moving.is_late) == (0, None, False)


def test_what_is_prepared_or_over_is_no_standstill(clock: Clock) -> None:
    """The target's QEMU may take its time to come up."""
    guest = Guest()
    moving = Migration(guest)
    look_for(moving, clock, 200)
    assert guest.aborted == 0


def test_one_that_stands_still_is_stopped_once(clock: Clock) -> None:
    guest = Guest()
    moving = Migration(guest)
    guest.sends(5)
    look_for(moving, clock, 59)
    assert guest.aborted == 0
    look_for(moving, clock, 20)
    assert guest.aborted == 1
    assert moving.why is not None
    assert moving.why[0] == "it moved nothing for 60 s, was stopped, and goes on where it was"
    assert not moving.is_late
    look_for(moving, clock, 30)
    assert (guest.aborted, moving.is_late) == (1, True)


def test_one_that_has_moved_is_handed_over(clock: Clock) -> None:
    guest = Guest()
    moving = Migration(guest)
    look_for(moving, clock, 5)
    assert not moving.is_handing_over
    guest.sends(5)
    look_for(moving, clock, 1)
    guest.now = (RUNNING, {"type": libvirt.VIR_DOMAIN_JOB_NONE})
    look_for(moving, clock, 1)
    assert moving.is_handing_over


def test_one_that_cannot_be_looked_at_is_given_up(clock: Clock) -> None:
    guest = Guest()
    moving = Migration(guest)
    clock.now += 59
    moving.miss()
    assert moving.why is None
    clock.now += 2
    moving.miss()
    assert moving.why is not None
    assert not moving.is_late
    clock.now += 31
    assert (guest.aborted, moving.is_late) == (0, True)


def test_one_whose_memory_changes_faster_than_it_moves_is_stopped(clock: Clock) -> None:
    guest = Guest()
    moving = Migration(guest)
    limit_s = 300 + MEMORY_MIB // 8
    for data in range(limit_s):
        guest.sends(data)
        look_for(moving, clock, 1)
    assert guest.aborted == 0
    guest.sends(10**6)
    look_for(moving, clock, 1)
    assert guest.aborted == 1
    assert moving.why is not None
    assert f"not done within {limit_s} s" in moving.why[0]


@pytest.mark.parametrize(("state", "expected"), [(RUNNING, False), (SWITCHING, True), (PAUSED, True)])
def test_handing_over(clock: Clock, state: list[int], expected: bool) -> None:
    """Then libvirt must not let it go on here by itself: it may run there. In doubt that is so."""
    guest = Guest()
    moving = Migration(guest)
    guest.sends(1, state)
    look_for(moving, clock, 1)
    assert moving.is_handing_over is expected
