# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running guest uses, as libvirt counts it (virConnectGetAllDomainStats), for people and programs. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from .definition import DomainModel


def describe_figures(stats: Mapping[str, Any], live: DomainModel) -> dict[str, Any]:
    """Return the figures of one guest. Counters begin at its start. stats: libvirt's words and units; memory becomes
    MiB, processor time seconds. What a guest does not tell, such as how much of its memory is unused, is none.
    """
    serials = {disk.target: disk.name for disk in (*live.disks, *live.attached)}
    return {
        "cpu_time_s": round(stats.get("cpu.time", 0) / 10**9, 3),
        "memory_given": _mib(stats.get("balloon.current")),
        "memory_unused": _mib(stats.get("balloon.unused")),
        "memory_on_node": _mib(stats.get("balloon.rss")),
        "disks": [
            {
                "target": stats[f"block.{index}.name"],
                "name": serials.get(stats[f"block.{index}.name"]),
                "read_bytes": stats.get(f"block.{index}.rd.bytes", 0),
                "reads": stats.get(f"block.{index}.rd.reqs", 0),
                "written_bytes": stats.get(f"block.{index}.wr.bytes", 0),
                "writes": stats.get(f"block.{index}.wr.reqs", 0),
            }
            for index in range(stats.get("block.count", 0))
            if f"block.{index}.name" in stats
        ],
        "nics": [
            {
                "device": stats[f"net.{index}.name"],
                "received_bytes": stats.get(f"net.{index}.rx.bytes", 0),
                "sent_bytes": stats.get(f"net.{index}.tx.bytes", 0),
                "dropped": stats.get(f"net.{index}.rx.drop", 0) + stats.get(f"net.{index}.tx.drop", 0),
            }
            for index in range(stats.get("net.count", 0))
            if f"net.{index}.name" in stats
        ],
    }


def find_ports(live_xml: str) -> tuple[str, ...]:
    """Return the names on the node of a running guest's NICs, in their order."""
    targets = ET.fromstring(live_xml).iterfind("devices/interface/target")
    return tuple(name for target in targets if (name := target.get("dev")))


def _mib(kib: int | None) -> int | None:
    return None if kib is None else kib // 1024
