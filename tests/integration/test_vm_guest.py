# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in guests. The lab's guest has no agent, which is said as it is, also of one whose QEMU is frozen."""

from __future__ import annotations

import time

from .lab import Lab, Site, wait_until

HASH = "$6$saltsalt$" + "h" * 86
GUEST, INFO, NAME = "pextra_vm_guest", "pextra_vm_guest_info", "mail"


def test_a_guest_without_an_agent(lab: Lab, cloud: Site) -> None:
    wait_until("it has booted", lambda: "pextra-guest: ready" in lab.since_boot(NAME))
    check, run, password = cloud.calls(
        GUEST,
        {"name": NAME, "action": "run", "argv": ["/bin/true"], "check": True},
        {"name": NAME, "action": "run", "argv": ["/bin/true"], "fails": True},
        {
            "name": NAME,
            "action": "set_password",
            "user": "root",
            "hashed_password": HASH,
            "fails": True,
        },
    )
    assert check["actions"] == [f"instance {NAME} on {lab.home(NAME)}: run /bin/true in the guest"]
    for result in (run, password):
        assert "guest agent" in result["msg"].lower()
        assert "qemu-guest-agent" in result["msg"]
    assert "running" in lab.domains(lab.home(NAME))[NAME]


def test_guests_that_say_nothing_are_told(lab: Lab, cloud: Site) -> None:
    """One is stopped, one has no agent, and the QEMU of another is frozen."""
    node = lab.home("db")
    lab.sh(node, "pkill -STOP -f guest=[d]b,")
    try:
        begun = time.monotonic()
        found = {vm["name"]: vm for vm in cloud.module(INFO, names=["archive", "db", NAME])["vms"]}
        assert time.monotonic() - begun < 25
    finally:
        lab.sh(node, "pkill -CONT -f guest=[d]b,")
    assert {name: vm["answers"] for name, vm in found.items()} == {"archive": False, "db": False, NAME: False}
    assert found["archive"]["why"] == "it is stopped"
    assert "guest agent" in found[NAME]["why"].lower()
    assert found["db"]["node"] == node
    assert (found[NAME]["power"], found[NAME]["interfaces"]) == ("running", [])
