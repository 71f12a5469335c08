# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance writes to its console, read on its node."""

from __future__ import annotations

import time

from .lab import Lab, Site, wait_until

CONSOLE, NAME = "pextra_vm_console", "mail"


def test_the_console_of_an_instance(lab: Lab, cloud: Site) -> None:
    """The lab's guest pings its peers all the time, so that there is always something new."""
    node = lab.home(NAME)
    wait_until("it has booted", lambda: "pextra-guest: ready" in lab.since_boot(NAME))
    tasks = [
        {f"pextra.cloud.{CONSOLE}": {"name": NAME, "lines": 5}, "delegate_to": node, "register": "before"},
        {
            f"pextra.cloud.{CONSOLE}": {
                "name": NAME,
                "since": "{{ before.vms[0].mark }}",
                "wait_for": r"^pextra-guest: ping 172\.20\.0\.5 \w+",
                "timeout_s": 20,
            },
            "delegate_to": node,
        },
        {
            f"pextra.cloud.{CONSOLE}": {"name": NAME, "wait_for": "never said", "timeout_s": 3600},
            "delegate_to": node,
            "check_mode": True,
        },
    ]
    before, after, check = cloud.play(tasks)
    assert not before.get("failed"), before.get("msg")
    written = lab.exec(node, "cat", f"/var/log/pextra/console/{NAME}.log").replace("\r", "")
    assert before["vms"][0]["text"] in written
    assert len(before["vms"][0]["text"].splitlines()) == 5
    assert not after.get("failed"), after.get("msg")
    assert after["vms"][0]["found"].startswith("pextra-guest: ping 172.20.0.5")
    assert after["vms"][0]["text"] in written + lab.exec(node, "cat", f"/var/log/pextra/console/{NAME}.log").replace(
        "\r", ""
    )
    assert before["changed"] is after["changed"] is check["changed"] is False
    assert check["vms"][0]["found"] is None


def test_a_frozen_guest_is_waited_for_as_long_as_was_said(lab: Lab, cloud: Site) -> None:
    """It says nothing; when it goes on, the same call hears it."""
    node = lab.home(NAME)
    said = {"name": NAME, "wait_for": r"^pextra-guest: ping 172\.20\.0\.5 \w+"}
    wait_until("it has booted", lambda: "pextra-guest: ready" in lab.since_boot(NAME))
    with lab.frozen_guests(NAME):
        waits = {f"pextra.cloud.{CONSOLE}": {**said, "timeout_s": 2}, "ignore_errors": True}
        begun = time.monotonic()
        (late,) = cloud.play([waits], hosts=node)
        assert time.monotonic() - begun < 25
    assert late["failed"]
    assert "its console did not say" in late["msg"]
    assert "within 2 s" in late["msg"]
    assert late["vms"][0]["found"] is None
    (heard,) = cloud.play([{f"pextra.cloud.{CONSOLE}": {**said, "timeout_s": 30}}], hosts=node)
    assert heard["vms"][0]["found"].startswith("pextra-guest: ping 172.20.0.5")


def test_another_node_has_no_log_of_it(lab: Lab, cloud: Site) -> None:
    other = next(node for node in lab.nodes if not lab.sh(node, "ls /var/log/pextra/console/db.log; true").strip())
    result = cloud.play([{f"pextra.cloud.{CONSOLE}": {"name": "db"}}], hosts=other)[-1]
    assert result["failed"]
    assert "this host has no log of its console" in result["msg"]
