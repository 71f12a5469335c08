"""The lab's Ceph, as the tests see it: through its own commands, on the nodes."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.integration.lab import ROOT, Lab, Site, wait_until

OVERLAY = ROOT / "inventories" / "ceph-lab"
POOL, CLIENT = "vms", "pextra-vms"
KEYRING = "/root/pextra-test.keyring"


class CephSite(Site):
    """`site.yml` and the playbooks of Ceph on both inventories."""

    def command(self, *arguments: str, playbook: str = "pextra.cloud.site") -> list[str]:
        first, dash_i, lab, *rest = super().command(*arguments, playbook=playbook)
        return [first, dash_i, lab, "-i", str(OVERLAY), *rest]


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

    def qemu_io(self, node: str, image: str, *commands: str) -> str:
        """Write to or read from an image as QEMU does, and return what qemu-io prints."""
        words = [word for command in commands for word in ("-c", command)]
        where = f"rbd:{POOL}/{image}:id={CLIENT}:keyring={KEYRING}"
        out = self.lab.exec(node, "timeout", "90", "qemu-io", "--format", "raw", *words, where)
        assert "failed" not in out, out
        return out

    def daemons(self) -> dict[str, str]:
        """Return since when the daemons of Ceph run on each node, and as which process."""
        properties = "--property=Id,ActiveEnterTimestampMonotonic,MainPID"
        return {node: self.lab.sh(node, f"systemctl show {properties} 'ceph-*@*.service'") for node in self.lab.nodes}


class Writer:
    """A program on a node that writes and reads an image without pause, a line for each turn, until it is stopped."""

    SCRIPT = """
        turn=0 out=/run/pextra-writer.out
        while [ ! -e /run/pextra-writer.stop ]; do
            turn=$((turn + 1)); pattern=$((turn % 255 + 1))
            timeout 120 qemu-io --format raw -c "write -P $pattern 0 4M" -c "read -P $pattern 0 4M" "$1" >$out 2>&1
            status=$?
            [ $status = 0 ] && ! grep -qi failed $out || { echo "status $status in turn $turn"; cat $out; }
            echo "turn $turn $(date +%s.%N)"
        done >/run/pextra-writer.log 2>&1
        rm -f /run/pextra-writer.stop
    """

    def __init__(self, ceph: Ceph, node: str, image: str) -> None:
        self.ceph, self.node = ceph, node
        where = f"rbd:{POOL}/{image}:id={CLIENT}:keyring={KEYRING}"
        ceph.lab.exec(node, "rm", "-f", "/run/pextra-writer.log", "/run/pextra-writer.stop")
        ceph.lab.exec(
            node, "systemd-run", "--quiet", "--collect", "--unit=pextra-writer", "sh", "-c", self.SCRIPT, "sh", where
        )
        wait_until("the writer writes", lambda: self.turns() > 0, 60)

    def log(self) -> list[str]:
        return self.ceph.lab.sh(self.node, "cat /run/pextra-writer.log 2>/dev/null || true").splitlines()

    def turns(self) -> int:
        return sum(line.startswith("turn") for line in self.log())

    def stop(self) -> tuple[int, float, list[str]]:
        """Return (how many turns, the longest pause between two of them in seconds, everything that went wrong)."""
        self.ceph.lab.exec(self.node, "touch", "/run/pextra-writer.stop")
        wait_until(
            "the writer ends",
            lambda: self.ceph.lab.sh(self.node, "systemctl is-active pextra-writer || true").strip() == "inactive",
            180,
        )
        lines = self.log()
        times = [float(line.split()[2]) for line in lines if line.startswith("turn")]
        pauses = [later - sooner for sooner, later in itertools.pairwise(times)]
        return len(times), max(pauses, default=0.0), [line for line in lines if not line.startswith("turn")]
