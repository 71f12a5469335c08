# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest in which nothing runs any more is started anew by its watchdog, as often as it freezes, without Ansible."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .instance_rows import look
from .lab import Lab, Site, lab_command, wait_until

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
    cloud.module("pextra_vm", name=NAME, state="absent", force_stop=True, remove_volumes=True, confirm="DESTROY")


def process(lab: Lab) -> str:
    return lab.sh("node2", f"pgrep -f '[q]emu-system.*guest={NAME},'").strip()


@pytest.mark.long
def test_a_frozen_guest_boots_again(lab: Lab, cloud: Site, frozen: int) -> None:
    assert look(lab.exec("node2", "virsh", "dumpxml", NAME), "devices/watchdog@action") == "reset"
    began = process(lab)
    # The driver waits for 30 s.
    for times in (1, 2, 3):
        wait_until(
            f"it boots for the {times}. time",
            lambda least=frozen + times: lab.console(NAME).count("pextra-guest: booting") >= least,
            timeout_s=180,
        )
    assert process(lab) == began

    # An instance that is to be left off where it freezes.
    changed, again = cloud.calls(
        "pextra_vm",
        {"name": NAME, "watchdog": {"action": "poweroff"}, "allow_restart": True, "force_stop": True},
        {"name": NAME, "watchdog": {"action": "poweroff"}},
    )
    assert (changed["changed"], again["changed"]) == (True, False)
    wait_until("its watchdog has switched it off", lambda: lab.domains("node2")[NAME] == "shut off", timeout_s=180)
