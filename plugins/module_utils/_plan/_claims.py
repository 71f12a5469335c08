"""What resources take of what there is only once: room on nodes, units, MACs. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Room(NamedTuple):
    """Room on a node, by its identifier. memory is MiB; runs tells whether it is used, or only promised; group is the
    anti-affinity group of which the node then holds one.
    """

    node: str
    memory: int
    runs: bool
    group: str | None = None


class Claim(NamedTuple):
    """What a run at work has decided that a resource takes. resource is its identifier; takes are texts such as
    `unit pool-x unit:0:0:1`, each of which one resource alone may have.
    """

    resource: str
    name: str
    takes: tuple[str, ...] = ()
    room: Room | None = None


def key_of_unit(pool_id: str, unit: str) -> str:
    return f"unit {pool_id} {unit}"


def key_of_mac(mac: str) -> str:
    """mac is in its canonical form."""
    return f"mac {mac}"
