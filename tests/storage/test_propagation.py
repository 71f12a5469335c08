# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The propagation job against a real NFS server, and through a reboot, without Ansible running."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.lab import Site, wait_until
from tests.storage.storage_node import StorageNode, lab_command

POOLS = {"local", "nfs", "share", "closed", "san", "vg0", "tank"}
INTERVAL_S = 30
# Emulated, one round takes seconds: within two intervals and two rounds.
WITHIN_S = 2 * INTERVAL_S + 60
# Without single quotes: it is an argument of a shell's command.
READ = """
import json, sqlite3
rows = sqlite3.connect("file:/var/lib/pextra/registry.db?mode=ro", uri=True).execute(
    "SELECT r.name, a.attributes FROM pextra_association a JOIN pextra_resource r ON r.id = a.resource_id "
    "WHERE r.kind = ?", ("pool",))
print(json.dumps({name: json.loads(text) for name, text in rows}))
"""


def associations(node: StorageNode) -> dict[str, dict[str, Any]]:
    """Return what the registry has of each pool on the node."""
    found: dict[str, dict[str, Any]] = json.loads(node.sh(f"python3 -c '{READ}'"))
    return found


def rounds(node: StorageNode) -> int:
    """Return how many rounds have ended well."""
    return int(node.sh("journalctl -u pextra-propagation.service --no-pager | grep -c Finished || true"))


@pytest.fixture(scope="module")
def job(cloud: Site, node: StorageNode) -> Iterator[StorageNode]:
    """The storage node with the job at a short interval."""
    cloud.run("--tags", "coordinator", "-e", f"pextra_propagation_interval={INTERVAL_S}").must_succeed()
    yield node
    cloud.run("--tags", "coordinator").must_succeed()


def test_a_server_that_stops_and_starts(job: StorageNode) -> None:
    before = rounds(job)
    job.sh("systemctl stop nfs-server.service")
    try:
        started = time.monotonic()
        wait_until("nfs is in error", lambda: associations(job)["nfs"]["status"] == "error", WITHIN_S)
        print(f"in error after {time.monotonic() - started:.0f} s")
        found = associations(job)
        assert "10.0.2.21 port 2049 cannot be reached" in found["nfs"]["error"]
        assert {name: one["status"] for name, one in found.items() if name != "nfs"} == dict.fromkeys(
            POOLS - {"nfs"}, "available"
        )
        # The mount hangs by now; neither libvirt nor the job does.
        wait_until("rounds go on", lambda: rounds(job) >= before + 2, WITHIN_S)
        assert set(job.sh("timeout 20 virsh -q pool-list --name").split()) == POOLS
    finally:
        job.sh("systemctl start nfs-server.service")
    started = time.monotonic()
    wait_until("nfs is available", lambda: associations(job)["nfs"]["status"] == "available", WITHIN_S)
    print(f"available after {time.monotonic() - started:.0f} s")
    assert associations(job)["nfs"]["error"] is None


def test_what_is_undefined_by_hand_comes_back(job: StorageNode) -> None:
    for pool in ("vg0", "san", "nfs"):
        job.sh(f"virsh -q pool-destroy {pool}; virsh -q pool-undefine {pool}")
    wait_until("they are back", lambda: set(job.sh("virsh -q pool-list --name").split()) == POOLS, WITHIN_S + 60)


def test_after_a_reboot_everything_is_there(job: StorageNode) -> None:
    lab_command("reboot")
    wait_until(
        "all pools are active",
        lambda: set(job.sh("virsh -q pool-list --name 2>/dev/null || true").split()) == POOLS,
        WITHIN_S + 240,
    )
    wait_until(
        "all are recorded as available",
        lambda: {one["status"] for one in associations(job).values()} == {"available"},
        WITHIN_S + 120,
    )
