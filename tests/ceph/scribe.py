# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance on Ceph that writes to its second disk for as long as it runs, and says so on its console."""

from __future__ import annotations

import itertools
import re
from typing import Any

from tests.ceph.ceph import POOL
from tests.integration.lab import ROOT, Lab

NAME = "scribe"
MIB = 1024**2
# Writes a line every second, and reads it and the first one back from Ceph, not from its own memory.
WRITER = """#!/bin/sh
(
n=0
while sleep 1; do
    n=$((n + 1)) at=$((n % 30000))
    printf '%-1024s' "line-$n" | dd of=/dev/vdb bs=1024 seek=$at conv=notrunc,fsync 2>/dev/null || echo failed
    echo 3 > /proc/sys/vm/drop_caches
    got=$(dd if=/dev/vdb bs=1024 skip=$at count=1 2>/dev/null | cut -d ' ' -f 1)
    first=$(dd if=/dev/vdb bs=1024 skip=1 count=1 2>/dev/null | cut -d ' ' -f 1)
    echo "pextra-guest: wrote line-$n read $got first $first after $(cut -d ' ' -f 1 /proc/uptime) s"
done > /dev/ttyS0
) &
"""
SPEC: dict[str, Any] = {
    "name": NAME,
    "node": "node1",
    "memory": "96 MiB",
    "image": NAME,
    "root": {"pool": POOL, "size": "64 MiB"},
    "volumes": [{"name": "data", "pool": POOL, "size": "64 MiB"}],
    "cloud_init": {"user_data": WRITER},
    "power": "running",
}
IMAGE = {"name": NAME, "source": str(ROOT / ".build/lab/tiny.qcow2"), "pools": [POOL]}
_LINE = re.compile(r"pextra-guest: wrote line-(\d+) read (\S*) first (\S*) after ([\d.]+) s")


class Scribe:
    """What the guest has said so far."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def console(self) -> str:
        return self.lab.console(NAME).replace("\r", "")

    def written(self) -> int:
        """Return how many lines the guest has written, each of which must read back as it was."""
        return max((number for number, _ in self._lines()), default=0)

    def longest_pause_s(self, since: int) -> float:
        """Return the longest time between two lines after line `since`, by the guest's own clock."""
        times = [after for number, after in self._lines() if number > since]
        return max((later - sooner for sooner, later in itertools.pairwise(times)), default=0.0)

    def _lines(self) -> list[tuple[int, float]]:
        """Return the number and the time of each line. Each node has the part that the guest said there."""
        console = self.console()
        for complaint in ("failed\n", "I/O error", "Remounting filesystem read-only"):
            assert complaint not in console, console
        lines = _LINE.findall(console)
        assert all((read, first) == (f"line-{number}", "line-1") for number, read, first, _ in lines), lines
        return sorted((int(number), float(after)) for number, _, _, after in lines)
