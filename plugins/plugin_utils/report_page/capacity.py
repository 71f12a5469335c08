# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much room there is now, and would be if one node were lost (domain rules, "Clusters at large": N-1)."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Cluster


@dataclass(frozen=True, kw_only=True)
class Room:
    """Of one node. usable, used: memory in MiB, for instances and of those that run. vcpus: likewise; most_vcpus: how
    many may run. left, lacking: what the other nodes have together without this one, and how much of that which runs in
    the cluster would not fit there; others: how many those are. None is what is not known.
    """

    node: str
    usable: int | None
    used: int
    vcpus: int
    most_vcpus: int | None
    instances: int
    left: int | None
    lacking: int | None
    others: int


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Of a cluster. usable: None where the memory of a node is not known. used: of all that is to have memory, on
    whichever node. worst: the node whose loss would leave the least.
    """

    rooms: tuple[Room, ...]
    usable: int | None
    used: int
    worst: Room | None


def find_capacity(cluster: Cluster) -> Capacity:
    """Return the room of a cluster's nodes. A node that does not answer has none."""
    usable = {
        node.name: 0
        if node.health == "unreachable"
        else None
        if node.memory is None
        else max(node.memory - node.reserved, 0)
        for node in cluster.nodes
    }
    silent = {node.name for node in cluster.nodes if node.health == "unreachable"}
    sizes = list(usable.values())
    total = None if None in sizes or not sizes else sum(size or 0 for size in sizes)
    using = [one for one in cluster.instances if one.takes_memory]
    used = sum(one.memory for one in using)
    rooms = []
    for node in cluster.nodes:
        mine = [one for one in using if one.node == node.name]
        left = None if total is None else total - (usable[node.name] or 0)
        rooms.append(
            Room(
                node=node.name,
                usable=None if node.name in silent else usable[node.name],
                used=sum(one.memory for one in mine),
                vcpus=sum(one.vcpus for one in mine),
                most_vcpus=int(node.threads * cluster.vcpus_per_thread) if node.threads else None,
                instances=sum(one.node == node.name for one in cluster.instances),
                left=left,
                lacking=None if left is None else max(used - left, 0),
                others=len(cluster.nodes) - 1,
            )
        )
    known = [room for room in rooms if room.left is not None]
    worst = min(known, key=lambda room: room.left or 0) if len(known) > 1 else None
    return Capacity(rooms=tuple(rooms), usable=total, used=used, worst=worst)
