# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage node, as the tests see it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "storage-lab"
STATE = ROOT / ".build" / "storage-node"
NAME = "node1"
SERVER = "10.0.2.21"


def lab_command(*arguments: str, timeout_s: float = 900) -> str:
    """Run a command of the lab on the storage node, and return what it prints."""
    command = [str(ROOT / "tests/lab/lab"), "storage-node", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert done.returncode == 0, f"lab storage-node {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


class StorageNode:
    """A shell on it, as root. `lab` of a Site."""

    def sh(self, script: str, *, timeout_s: float = 300) -> str:
        """Run a script and return what it prints; it must succeed."""
        return lab_command("ssh", f"set -eu\n{script}", timeout_s=timeout_s)

    def leftovers(self, uuids: Mapping[str, str]) -> dict[str, str]:
        """Return what the node has of pools, by pool, one thing a line; uuids are libvirt's, by pool."""
        look = "\n".join(
            f"""
            echo '@{pool}'
            grep -Fx '{pool}' /tmp/pools || true
            grep -F '{uuid}' /tmp/secrets || true
            ls /etc/libvirt/storage/{pool}.xml /etc/libvirt/storage/autostart/{pool}.xml 2>/dev/null || true
            grep -o 'pextra-pool/{pool}"' /tmp/labels || true
            findmnt --noheadings --raw --output TARGET,SOURCE /var/lib/pextra/pools/{pool} || true
            [ {pool} != san ] || iscsiadm --mode session 2>/dev/null | awk '{{ print $4 }}'
            """
            for pool, uuid in uuids.items()
        )
        told = self.sh(
            f"""
            virsh -q pool-list --all --name | tr -d ' ' >/tmp/pools
            virsh -q secret-list >/tmp/secrets
            ovs-vsctl get open_vswitch . external_ids >/tmp/labels
            {look}
            """
        )
        parts = (part.partition("\n") for part in told.split("@")[1:])
        return {pool: rest for pool, _, rest in parts}
