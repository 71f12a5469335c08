# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest whose QEMU is killed is back without Ansible, and is left off when it ends again and again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from .lab import GONE, Lab, Site, wait_until

NAME = "crasher"
# As many as the job starts within an hour.
STARTS = 3


@pytest.fixture
def guest(cloud: Site) -> Iterator[Site]:
    cloud.module("pextra_vm", name=NAME, node="node2", image="tiny", root={"pool": "local"}, memory="128 MiB")
    yield cloud
    cloud.module("pextra_vm", name=NAME, **GONE)


def kill(lab: Lab) -> None:
    lab.sh("node2", f"pkill -9 -f '[q]emu-system.*guest={NAME},'")
    wait_until("libvirt has noticed", lambda: lab.domains("node2")[NAME] == "shut off", timeout_s=20)


def do_a_round(lab: Lab, name: str = NAME) -> str:
    """Let the job do what its timer lets it do, and return what it says of the instance."""
    lab.exec("node1", "systemctl", "start", "pextra-propagation.service")
    this = "_SYSTEMD_INVOCATION_ID=$(systemctl show --property InvocationID --value pextra-propagation.service)"
    said = lab.sh("node1", f"journalctl --output cat {this}")
    return "\n".join(line for line in said.splitlines() if f"instance {name}" in line)


def test_a_killed_guest_is_back_until_it_is_given_up(lab: Lab, guest: Site) -> None:
    for _ in range(STARTS):
        kill(lab)
        assert "start it again, since its QEMU ended" in do_a_round(lab)
        assert lab.domains("node2")[NAME] == "running"
    kill(lab)
    assert "leave it off, since its QEMU ended again" in do_a_round(lab)
    assert lab.domains("node2")[NAME] == "shut off"
    # What is declared stopped is nothing that the job has to give up.
    first, again = guest.calls("pextra_vm", *[{"name": NAME, "power": "stopped"}] * 2)
    assert (first["changed"], again["changed"]) == (True, False)
    assert do_a_round(lab) == ""
    guest.module("pextra_vm", name=NAME, power="running")
    assert lab.domains("node2")[NAME] == "running"
    # What a person stops stays so.
    guest.module("pextra_vm", name=NAME, power="stopped", force_stop=True, stop_timeout_s=1)
    do_a_round(lab)
    assert lab.domains("node2")[NAME] == "shut off"


@pytest.mark.long
def test_a_round_that_is_killed_is_done_by_the_next(lab: Lab, guest: Site) -> None:
    """As soon as the lease of the killed one has run out; both begin it, and are counted."""
    kill(lab)
    lab.exec("node1", "systemctl", "start", "--no-block", "pextra-propagation.service")
    time.sleep(random.uniform(0.2, 1.5))
    lab.exec("node1", "systemctl", "kill", "--signal=KILL", "pextra-propagation.service", check=False)

    def is_back() -> bool:
        time.sleep(5)  # systemd starts no unit again and again at once
        do_a_round(lab)
        return lab.domains("node2")[NAME] == "running"

    wait_until("it is back", is_back, timeout_s=60)
    before = lab.sh("node2", f"cat /run/libvirt/qemu/{NAME}.pid")
    do_a_round(lab)
    assert lab.sh("node2", f"cat /run/libvirt/qemu/{NAME}.pid") == before
    assert guest.module("pextra_registry_info")["leases"] == []


def test_a_start_that_fails_is_tried_again(lab: Lab, guest: Site) -> None:
    """As when its storage is away for a minute."""
    root = lab.sh("node2", f"ls /var/lib/pextra/pools/local/{NAME}.*.root.qcow2").strip()
    lab.exec("node2", "mv", root, f"{root}.away")
    kill(lab)
    assert "start" in do_a_round(lab)
    assert lab.domains("node2")[NAME] == "shut off"
    lab.exec("node2", "mv", f"{root}.away", root)
    do_a_round(lab)
    assert lab.domains("node2")[NAME] == "running"
