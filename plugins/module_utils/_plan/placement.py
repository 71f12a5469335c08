"""Choosing the node of an instance that is not pinned to one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Capacity:
    """A node's memory in MiB. `taken` grows while a plan places instances."""

    memory: int
    reserved: int = 0
    taken: int = 0
    groups: set[str] = field(default_factory=set)

    @property
    def free(self) -> int:
        return self.memory - self.reserved - self.taken


def choose_node(
    candidates: Sequence[str], capacities: Mapping[str, Capacity], *, memory: int, anti_affinity: str | None
) -> str | None:
    """Return the candidate with most free memory that has room and none of the same anti-affinity; by name if equal."""
    fitting = [
        name
        for name in candidates
        if capacities[name].free >= memory and (anti_affinity is None or anti_affinity not in capacities[name].groups)
    ]
    return min(fitting, key=lambda name: (-capacities[name].free, name), default=None)
