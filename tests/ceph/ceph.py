# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Ceph, as the tests see it: through its own commands, on the nodes."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.lab import ROOT, Lab, wait_until

OVERLAY = ROOT / "inventories" / "ceph-lab"
POOL, CLIENT = "vms", "pextra-vms"
KEYRING = "/root/pextra-test.keyring"


class Ceph:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def ask(self, *command: str) -> Any:
        """Ask the monitors as the administrator."""
        return json.loads(self.lab.exec("node1", "ceph", "--connect-timeout=30", "--format=json", *command))

    def health(self) -> str:
        return str(self.ask("status")["health"]["status"])

    def wait_for_health(self, timeout_s: float = 300) -> None:
        wait_until("HEALTH_OK", lambda: self.health() == "HEALTH_OK", timeout_s)

    def osds(self) -> dict[int, str]:
        """Return the host of each OSD by its number."""
        nodes = self.ask("osd", "tree")["nodes"]
        return {child: node["name"] for node in nodes if node["type"] == "host" for child in node["children"]}

    def key(self, client: str = CLIENT) -> str:
        return str(self.ask("auth", "get-key", f"client.{client}")["key"])

    def give_key(self, node: str, key: str | None = None) -> None:
        """Have the client's key in a file of a node, for programs that are run as the client."""
        text = f"[client.{CLIENT}]\n\tkey = {key or self.key()}\n"
        self.lab.exec(node, "sh", "-c", f"umask 077; cat >{KEYRING}", stdin=text)

    def as_client(self, node: str, *command: str, check: bool = True) -> str:
        """Run a program of Ceph as the client of the pool, and return what it prints and complains of."""
        words = [command[0], "--id", CLIENT, "--keyring", KEYRING, *command[1:]]
        script = '"$@" 2>&1'
        return self.lab.exec(node, "timeout", "60", "sh", "-c", script, "sh", *words, check=check)

    def qemu_io(self, node: str, image: str, *commands: str, check: bool = True) -> str:
        """Write to or read from an image as QEMU does, and return what it prints; it fails where a pattern differs."""
        words = [word for command in commands for word in ("-c", command)]
        where = f"rbd:{POOL}/{image}:id={CLIENT}:keyring={KEYRING}"
        out = self.lab.exec(node, "timeout", "90", "qemu-io", "--format", "raw", *words, where, check=check)
        assert not check or "failed" not in out, out
        return out

    def daemons(self) -> dict[str, str]:
        """Return since when the daemons of Ceph run on each node, and as which process."""
        properties = "--property=Id,ActiveEnterTimestampMonotonic,MainPID"
        return {node: self.lab.sh(node, f"systemctl show {properties} 'ceph-*@*.service'") for node in self.lab.nodes}
