# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What room a node has, and choosing the node of an instance that is not pinned to one. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..._model.claims import Room


class Size(NamedTuple):
    """What an instance takes of a node: memory in MiB, and virtual CPUs."""

    memory: int = 0
    vcpus: int = 0

    def or_more(self, other: Size) -> Size:
        """Return the larger of both in each."""
        return Size(max(self.memory, other.memory), max(self.vcpus, other.vcpus))


NOTHING = Size()


@dataclass
class Capacity:
    """A node's memory in MiB, and its virtual CPUs.

    taken and vcpus are what instances use that run or are to run, and decide whether one more fits; committed counts
    the memory of the stopped ones too, and decides which node has most room. All grow while a plan places instances.
    threads: how many of its processors can run at once; None if it does not tell, and then it has no limit. per_thread:
    how many virtual CPUs the cluster allows for each; per_thread_warn: beyond how many it wants to be warned.
    """

    memory: int
    reserved: int = 0
    taken: int = 0
    committed: int = 0
    groups: set[str] = field(default_factory=set)
    threads: int | None = None
    vcpus: int = 0
    per_thread: float = math.inf
    per_thread_warn: float = math.inf

    @property
    def free(self) -> int:
        return self.memory - self.reserved - self.taken

    @property
    def uncommitted(self) -> int:
        return self.memory - self.reserved - self.committed

    @property
    def most_vcpus(self) -> float:
        """How many virtual CPUs may run there, whole or infinite."""
        return _whole(self.threads, self.per_thread)

    @property
    def is_crowded(self) -> bool:
        """Whether more virtual CPUs run there than the cluster wants without a warning."""
        return self.vcpus > _whole(self.threads, self.per_thread_warn)

    def take(self, size: Size, *, runs: bool) -> None:
        """Account for an instance."""
        self.committed += size.memory
        if runs:
            self.taken += size.memory
            self.vcpus += size.vcpus

    def give_back(self, size: Size, *, runs: bool) -> None:
        """Account for an instance no more."""
        self.take(Size(-size.memory, -size.vcpus), runs=runs)

    def add(self, room: Room, used: Size, promised: Size) -> None:
        """Account for what another run has decided that an instance has here, of which `used` and, running or not,
        `promised` is counted already.

        It never counts for less: until the other run has ended, the instance has what it had, or what it is to have.
        """
        self.committed += max(0, room.memory - promised.memory)
        self.taken += max(0, (room.memory if room.runs else 0) - used.memory)
        self.vcpus += max(0, (room.vcpus if room.runs else 0) - used.vcpus)
        if room.group is not None:
            self.groups.add(room.group)

    def lacks_memory(self, more: int) -> bool:
        """What needs no more is never too much, however full the node is."""
        return 0 < more > self.free

    def lacks_vcpus(self, more: int) -> bool:
        return 0 < more > self.most_vcpus - self.vcpus


def _whole(threads: int | None, ratio: float) -> float:
    """Return how many virtual CPUs are so many for each thread: a fraction of one is none.

    A product such as 100 * 0.29 is a little less than it should be.
    """
    return math.inf if threads is None or ratio == math.inf else math.floor(threads * ratio + 1e-6)


def choose_node(
    candidates: Sequence[str], capacities: Mapping[str, Capacity], *, size: Size, anti_affinity: str | None
) -> str | None:
    """Return the candidate with most memory not committed that has room and none of the same anti-affinity.

    size is what the instance needs now: nothing if it is to stay stopped. Equals are taken by name.
    """
    fitting = [
        name
        for name in candidates
        if not capacities[name].lacks_memory(size.memory)
        and not capacities[name].lacks_vcpus(size.vcpus)
        and (anti_affinity is None or anti_affinity not in capacities[name].groups)
    ]
    return min(fitting, key=lambda name: (-capacities[name].uncommitted, name), default=None)
