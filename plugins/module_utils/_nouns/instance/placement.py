# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing the node of an instance that is not pinned to one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..._model.claims import Room


@dataclass
class Capacity:
    """A node's memory in MiB.

    taken is what instances use that run or are to run, and decides whether one more fits; committed counts the
    stopped ones too, and decides which node has most room. Both grow while a plan places instances.
    """

    memory: int
    reserved: int = 0
    taken: int = 0
    committed: int = 0
    groups: set[str] = field(default_factory=set)

    @property
    def free(self) -> int:
        return self.memory - self.reserved - self.taken

    @property
    def uncommitted(self) -> int:
        return self.memory - self.reserved - self.committed

    def take(self, memory: int, *, runs: bool) -> None:
        """Account for an instance; a negative memory gives it back."""
        self.committed += memory
        if runs:
            self.taken += memory

    def add(self, room: Room, taken: int, committed: int) -> None:
        """Account for what another run has decided that an instance has here, where so much of it is counted already.

        It never counts for less: until the other run has ended, the instance has what it had, or what it is to have.
        """
        self.committed += max(0, room.memory - committed)
        self.taken += max(0, (room.memory if room.runs else 0) - taken)
        if room.group is not None:
            self.groups.add(room.group)


def choose_node(
    candidates: Sequence[str], capacities: Mapping[str, Capacity], *, memory: int, anti_affinity: str | None
) -> str | None:
    """Return the candidate with most memory not committed that has room and none of the same anti-affinity.

    memory is what the instance needs now: nothing if it is to stay stopped. Equals are taken by name.
    """
    fitting = [
        name
        for name in candidates
        if capacities[name].free >= memory and (anti_affinity is None or anti_affinity not in capacities[name].groups)
    ]
    return min(fitting, key=lambda name: (-capacities[name].uncommitted, name), default=None)
