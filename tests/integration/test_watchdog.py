# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest in which nothing runs any more is started anew, without Ansible: by the coordinators' job, which gives it up
in the end, or by QEMU itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .instance_rows import look
from .lab import GONE, Lab, Site, lab_command, wait_until
from .test_recovery import STARTS, do_a_round

NAME = "frozen"
# What it is told to run begins the watchdog's time, and then nobody feeds it.
FREEZE = "#!/bin/sh\n(exec 3> /dev/watchdog; sleep 100000) &\n"


@pytest.fixture
def full_guest(cloud: Site) -> Iterator[str]:
    """An image with the drivers that the tiny guest's kernel lacks."""
    source = lab_command("full-guest").splitlines()[-1]
    cloud.module("pextra_image", name="full", source=source, pools=["local"])
    yield "full"
    cloud.module("pextra_image", name="full", state="absent")


@pytest.fixture
def frozen(lab: Lab, cloud: Site, full_guest: str) -> Iterator[int]:
    """An instance whose guest freezes as soon as it is up; yields how often it had booted before."""
    before = lab.console(NAME).count("pextra-guest: booting")
    cloud.module(
        "pextra_vm",
        name=NAME,
        node="node2",
        image=full_guest,
        root={"pool": "local"},
        memory="256 MiB",
        watchdog={},
        cloud_init={"hostname": NAME, "user_data": FREEZE},
    )
    yield before
    cloud.module("pextra_vm", name=NAME, **GONE)


def process(lab: Lab) -> str:
    return lab.sh("node2", f"pgrep -f '[q]emu-system.*guest={NAME},'").strip()


def boots(lab: Lab) -> int:
    return lab.console(NAME).count("pextra-guest: booting")


def wait_for_boot(lab: Lab, least: int) -> None:
    # The driver waits for 30 s.
    wait_until(f"it boots for the {least}. time", lambda: boots(lab) >= least, timeout_s=180)


def wait_until_it_hangs(lab: Lab) -> None:
    hung = "paused (watchdog)"
    wait_until(
        "its watchdog has paused it",
        lambda: lab.exec("node2", "virsh", "domstate", "--reason", NAME).strip() == hung,
        timeout_s=180,
    )


@pytest.mark.long
def test_a_frozen_guest_boots_again(lab: Lab, cloud: Site, frozen: int) -> None:
    live = lab.exec("node2", "virsh", "dumpxml", NAME)
    assert look(live, "devices/watchdog@action") == "pause"
    began = process(lab)
    # The job's own timer may come first.
    for times in range(1, STARTS + 1):
        wait_for_boot(lab, frozen + times)
        wait_until_it_hangs(lab)
        assert "reset it, since it hung" in do_a_round(lab, NAME)
    wait_for_boot(lab, frozen + STARTS + 1)
    wait_until_it_hangs(lab)
    assert "leave it paused, since it hung again after 3 starts within an hour" in do_a_round(lab, NAME)
    assert (process(lab), boots(lab)) == (began, frozen + STARTS + 1)

    # Whoever has looked lets it run, and what it does from now on is for QEMU alone.
    cloud.module("pextra_vm", name=NAME, power="running")
    wait_for_boot(lab, frozen + STARTS + 2)
    assert process(lab) == began
    changed, again = cloud.calls(
        "pextra_vm",
        {"name": NAME, "watchdog": {"action": "reset"}, "allow_restart": True, "force_stop": True, "stop_timeout_s": 1},
        {"name": NAME, "watchdog": {"action": "reset"}},
    )
    assert (changed["changed"], again["changed"], again["pending"]) == (True, False, [])
    anew, before = process(lab), boots(lab)
    for times in (1, 2):
        wait_for_boot(lab, before + times)
    assert process(lab) == anew

    # An instance that is to be left off where it freezes.
    off = {"name": NAME, "watchdog": {"action": "poweroff"}}
    changed, again = cloud.calls(
        "pextra_vm", {**off, "allow_restart": True, "force_stop": True, "stop_timeout_s": 1}, off
    )
    assert (changed["changed"], again["changed"]) == (True, False)
    wait_until("its watchdog has switched it off", lambda: lab.domains("node2")[NAME] == "shut off", timeout_s=180)
