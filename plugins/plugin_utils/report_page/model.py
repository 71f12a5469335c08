# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page shows, as plain values: the same whether it was read from the cloud or stands in the document.

Memory and the sizes of volumes are MiB; what storage pools and images take is bytes. None is what is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

# States as the modules tell them, by what they mean to a person.
GOOD = frozenset({"healthy", "available", "running", "done", "up", "attached", "complete"})
BAD = frozenset({"unreachable", "error", "failed", "down", "missing", "undefined"})
WAITING = frozenset({"propagating", "destroying", "paused", "started", "unfinished", "kept", "unassigned"})


@dataclass(frozen=True, kw_only=True)
class Node:
    """health: `healthy`, `unreachable`, or `declared` where nobody has asked it. threads: of its processors."""

    name: str
    address: str = ""
    health: str = "declared"
    reason: str = ""
    virt_type: str = ""
    description: str = ""
    memory: int | None = None
    reserved: int = 0
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Nic:
    """is_switched: whether it is a port of the vSwitch, and no virtual function that goes past it."""

    port_group: str
    addresses: tuple[str, ...] = ()
    is_switched: bool = True


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A volume of an instance."""

    name: str
    pool: str
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Instance:
    """power: as it is, or as declared where nobody has asked. declared: the declared one, None if it is not said."""

    name: str
    power: str
    node: str | None = None
    declared: str | None = None
    organization: str = ""
    type: str = "qemu"
    vcpus: int = 0
    memory: int = 0
    image: str = ""
    # The images in its drives.
    discs: tuple[str, ...] = ()
    flavor: str = ""
    description: str = ""
    started: str = ""
    tags: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()

    @property
    def is_as_declared(self) -> bool:
        return self.power == "unknown" or self.declared in (None, self.power)

    @property
    def takes_memory(self) -> bool:
        """Whether it has memory of its node; of one of which nobody can tell, whether it is to have."""
        power = self.declared if self.power == "unknown" else self.power
        return power in ("running", "paused")


@dataclass(frozen=True, kw_only=True)
class PoolOnNode:
    node: str
    status: str = "declared"
    error: str = ""
    capacity: int | None = None
    available: int | None = None


@dataclass(frozen=True, kw_only=True)
class Pool:
    name: str
    type: str
    shared: bool = False
    path: str = ""
    status: str = "declared"
    description: str = ""
    capacity: int | None = None
    available: int | None = None
    on: tuple[PoolOnNode, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Uplink:
    """link: `up`, `down`, `unknown`, `error`, or `declared`."""

    name: str
    link: str = "declared"
    active: bool = False


@dataclass(frozen=True, kw_only=True)
class SwitchOnNode:
    node: str
    status: str = "declared"
    reason: str = ""
    uplinks: tuple[Uplink, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PortGroup:
    """vlan: None for one that is untagged."""

    name: str
    vlan: int | None = None


@dataclass(frozen=True, kw_only=True)
class Switch:
    name: str
    bond_mode: str = ""
    description: str = ""
    on: tuple[SwitchOnNode, ...] = ()
    port_groups: tuple[PortGroup, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Where an image lies. node: None where the storage pool is shared."""

    pool: str
    node: str | None = None
    status: str = "declared"


@dataclass(frozen=True, kw_only=True)
class Image:
    """used_by: how many instances began from it. size: of its file; virtual_size: of the disk that a guest sees."""

    name: str
    kind: str = "disk"
    format: str = ""
    description: str = ""
    number: int | None = None
    size: int | None = None
    virtual_size: int | None = None
    used_by: int = 0
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Volume:
    """One that lives on its own."""

    name: str
    pool: str
    node: str | None = None
    size: int | None = None
    status: str = "declared"
    attached_to: str = ""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """vcpus_per_thread: how many virtual CPUs may run for each thread of a node."""

    name: str
    datacenter: str = ""
    organization: str = ""
    description: str = ""
    vcpus_per_thread: float = 0
    nodes: tuple[Node, ...] = ()
    switches: tuple[Switch, ...] = ()
    pools: tuple[Pool, ...] = ()
    images: tuple[Image, ...] = ()
    instances: tuple[Instance, ...] = ()
    volumes: tuple[Volume, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that is not well. where: what it is about."""

    where: str
    what: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What is (before) and what should be (after), a line for each value."""

    where: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What a run would do, what waits for a restart, and the values that differ. is_complete: all was looked at."""

    actions: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    values: tuple[Difference, ...] = ()
    is_complete: bool = True

    @property
    def count(self) -> int:
        return len(self.actions) + len(self.pending)


@dataclass(frozen=True, kw_only=True)
class Event:
    """at: seconds since the epoch."""

    at: float
    actor: str
    kind: str
    name: str
    what: str
    outcome: str
    node: str = ""
    run: str = ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """is_live: whether the cloud was asked; otherwise all comes from the document. differences, events: None where
    nobody has asked.
    """

    deployment: str
    is_live: bool
    clusters: tuple[Cluster, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    differences: Differences | None = None
    events: tuple[Event, ...] | None = None
