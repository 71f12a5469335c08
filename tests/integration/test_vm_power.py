# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to an instance's power, looked at with virsh and on the guest's console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .lab import GONE, Lab, Site, wait_until

POWER, VM, NAME = "pextra_vm_power", "pextra_vm", "it-power"
GUEST: dict[str, Any] = {
    "name": NAME,
    "node": "node1",
    "memory": "96 MiB",
    "image": "tiny",
    "root": {"pool": "shared"},
    "power": "running",
}


@pytest.fixture(scope="module")
def guest(cloud: Site, lab: Lab) -> Iterator[Site]:
    """A guest that has booted."""
    cloud.module(VM, **GUEST)
    wait_until("it boots", lambda: "pextra-guest: ready" in lab.since_boot(NAME))
    yield cloud
    cloud.module(VM, name=NAME, **GONE)


def state(lab: Lab) -> str:
    return lab.exec("node1", "virsh", "domstate", NAME).strip()


def is_saved(lab: Lab) -> bool:
    lines = lab.exec("node1", "virsh", "dominfo", NAME).splitlines()
    return next(line.split()[-1] for line in lines if line.startswith("Managed save:")) == "yes"


def boots(lab: Lab) -> int:
    return lab.console(NAME).count("pextra-guest: booting")


def test_pause_and_resume(guest: Site, lab: Lab) -> None:
    check, paused, again, refused = guest.calls(
        POWER,
        {"name": NAME, "action": "pause", "check": True},
        {"name": NAME, "action": "pause"},
        {"name": NAME, "action": "pause"},
        {"name": NAME, "action": "nmi", "fails": True},
    )
    assert check["changed"]
    assert check["actions"] == paused["actions"] == [f"instance {NAME} on node1: pause"]
    assert paused["vms"][0]["power"] == "paused"
    assert not again["changed"]
    assert "it is paused" in refused["msg"]
    assert state(lab) == "paused"
    guest.module(POWER, name=NAME, action="resume")
    assert state(lab) == "running"


def test_save_and_go_on(guest: Site, lab: Lab) -> None:
    """It goes on where it was: it does not boot, and its definition of then is not changed meanwhile."""
    before = boots(lab)
    saved, again, refused, absent = guest.calls(
        POWER,
        {"name": NAME, "action": "save"},
        {"name": NAME, "action": "save"},
        {"name": NAME, "action": "restart", "fails": True},
        {"name": NAME, "action": "discard_saved", "fails": True},
    )
    assert saved["vms"][0]["power"] == "saved"
    assert not again["changed"]
    assert "it is saved" in refused["msg"]
    assert "set confirm: DESTROY" in absent["msg"]
    assert (state(lab), is_saved(lab)) == ("shut off", True)
    changed, on = guest.calls(
        VM, {"name": NAME, "memory": "128 MiB", "fails": True}, {"name": NAME, "power": "running"}
    )
    assert "it is saved" in changed["msg"]
    assert on["actions"] == [f"instance {NAME} on node1: start from what was saved"]
    assert (state(lab), is_saved(lab)) == ("running", False)
    assert boots(lab) == before


def test_reset_and_nmi(guest: Site, lab: Lab) -> None:
    before = boots(lab)
    guest.calls(POWER, {"name": NAME, "action": "nmi"}, {"name": NAME, "action": "reset"})
    assert state(lab) == "running"
    wait_until("it boots again", lambda: boots(lab) == before + 1, timeout_s=90)


@pytest.mark.long
def test_restart(guest: Site, lab: Lab) -> None:
    """The guest says on its console that it was asked."""
    wait_until("it has booted", lambda: "pextra-guest: ready" in lab.since_boot(NAME), timeout_s=90)
    before, asked = boots(lab), lab.console(NAME).count("pextra-guest: power off")
    result = guest.module(POWER, name=[NAME], action="restart", stop_timeout_s=60)
    assert result["vms"][0]["power"] == "running"
    assert lab.console(NAME).count("pextra-guest: power off") == asked + 1
    wait_until("it boots again", lambda: boots(lab) == before + 1, timeout_s=90)


def test_a_guest_without_an_agent_is_not_suspended_to_memory(guest: Site, lab: Lab) -> None:
    result = guest.refused_module(POWER, name=NAME, action="suspend_to_memory")
    assert "suspend the instance to memory" in result["msg"]
    assert state(lab) == "running"
