# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of instances, as their planner sees it. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...._model.claims import Claim
from ...._model.errors import Problem
from ...._model.rows import Row
from ...hierarchy.plan import Hierarchy
from ..architectures import ARCHITECTURES, USUAL, architecture_in, machine_in
from ..cloud_init import Seed
from ..definition import DomainModel, Interface
from ..labels import NicLabel, usual_mac
from ..node_devices import NodeDevice
from ..placement import Capacity, Size


@dataclass(frozen=True)
class Domain:
    """An instance as it is on a node. `live` is what the running guest has; xml is the definition."""

    node: str
    config: DomainModel
    live: DomainModel | None
    power: str
    autostart: bool
    persistent: bool
    xml: str = field(repr=False, default="")
    live_xml: str | None = field(repr=False, default=None)
    # It is stopped, and what was saved of its memory is what its next start goes on from.
    saved: bool = False
    # Its watchdog has paused it.
    hangs: bool = False
    # It is stopped because its QEMU ended by itself, and the coordinators' job would start it again; looked at only
    # where a call wants it stopped.
    has_crashed: bool = False

    @property
    def runs(self) -> bool:
        return self.power != "stopped"

    @functools.cached_property
    def architecture(self) -> str:
        return architecture_in(self.xml)

    @functools.cached_property
    def machine(self) -> str:
        """The type of machine that it is, with the version of QEMU that it was made by; "" of a container."""
        return machine_in(self.xml)

    @property
    def size(self) -> Size:
        """What it takes of its node. Until it has restarted it has what it was started with."""
        size = size_of(self.config)
        return size.or_more(size_of(self.live)) if self.live is not None else size


def size_of(model: DomainModel) -> Size:
    return Size(model.memory, model.vcpus)


@dataclass(frozen=True)
class NodeState:
    """A node that answers. volumes: names by pool, for the pools that are active there.

    sizes: in bytes, by pool and volume, read only of pools in which libvirt cannot make a volume larger.
    architecture: as libvirt calls it.
    """

    row: Row
    virt_type: str
    capacity: Capacity
    networks: frozenset[str]
    volumes: Mapping[str, frozenset[str]]
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # vSwitches with the datapath in user space, which hands on what has no checksum yet.
    userspace: frozenset[str] = frozenset()
    architecture: str = "x86_64"
    # As abilities.py has them, of machines of its own architecture; None where nothing that is wanted depends on them.
    abilities: frozenset[str] | None = None
    # What instances could be given of it; None where nothing that is wanted depends on it, or it does not tell.
    devices: tuple[NodeDevice, ...] | None = None
    # The devices that virtual machines have that are not ours, each with the name of one.
    lent: Mapping[str, str] = field(default_factory=dict)
    # Whether its libvirt has the driver of containers.
    containers: bool = False
    # The same of the architectures that it can emulate and that are wanted.
    emulates: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def own_architecture(self) -> str:
        """That of the machines which it runs as they are."""
        return self.architecture if self.architecture in ARCHITECTURES else USUAL

    def is_own(self, architecture: str) -> bool:
        """Tell whether it runs machines of an architecture as they are. What was adopted may be of any other one, which
        only libvirt knows.
        """
        return architecture == self.own_architecture or architecture not in ARCHITECTURES

    def virt_type_of(self, architecture: str) -> str:
        """Return how it runs machines of an architecture, kvm or qemu."""
        return self.virt_type if self.is_own(architecture) else "qemu"

    def abilities_of(self, architecture: str) -> frozenset[str] | None:
        """Return what it can do for machines of an architecture; None if that is not known."""
        return self.abilities if self.is_own(architecture) else self.emulates.get(architecture)


@dataclass(frozen=True)
class Odd:
    """A domain that bears our metadata and is not as ours are: never touched, and said."""

    node: str
    name: str
    uuid: str
    what: str
    remedy: str

    @property
    def problem(self) -> Problem:
        return Problem(self.what, self.remedy, self.node, f"virtual machine {self.name}")


@dataclass(frozen=True)
class Stranger:
    """A domain that is not ours, where it may become so. sizes: of its disks in our pools, in bytes by their paths."""

    node: str
    name: str
    uuid: str
    power: str
    autostart: bool
    persistent: bool
    saved: bool
    xml: str = field(repr=False)
    live_xml: str | None = field(repr=False)
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class VmHave:
    """domains are ours, by UUID; foreign are the names of the others, by node; down says why nodes do not answer.

    claims are what other runs at work have decided.
    """

    hierarchy: Hierarchy
    nodes: Mapping[str, NodeState]
    domains: Mapping[str, Sequence[Domain]]
    foreign: Mapping[str, frozenset[str]]
    down: Mapping[str, Problem]
    # By UUID, of the instances of which a call names a part of what cloud-init is told.
    seeds: Mapping[str, Seed] = field(default_factory=dict, repr=False)
    claims: tuple[Claim, ...] = ()
    # By UUID, in libvirt's words, where they were asked for.
    figures: Mapping[str, Mapping[str, Any]] | None = None
    # By UUID, what guests say of their interfaces, where they were asked.
    interfaces: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
    # In seconds since 1970, by the registry's clock.
    now: float | None = None
    odd: tuple[Odd, ...] = ()
    # Ours that a person gave another name. Nothing is planned for them, and what they have is nobody else's.
    renamed: tuple[Domain, ...] = ()
    # Those of the foreign that a call may adopt, or that are asked for.
    strangers: tuple[Stranger, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(sorted(str(one.problem) for one in self.odd))

    def rows(self, kind: str, cluster_id: str) -> list[Row]:
        return [row for row in self.hierarchy.members if row.kind == kind and row.scope == cluster_id]


@dataclass(frozen=True)
class Consent:
    """What the call allows beyond the declared state."""

    allow_restart: bool = False
    force_stop: bool = False
    remove_volumes: bool = False
    stop_timeout_s: int = 90


def named_nics(model: DomainModel) -> list[tuple[NicLabel, Interface]]:
    """Return the NICs with their labels, in the order of these: by the MAC of the label, or that of its name.

    Older versions did not write down a MAC that was chosen: the NICs that are left belong to the labels that are left,
    in order, unless some were taken away by hand.
    """
    labels = model.labels.nics
    left = {one.mac: one for one in model.interfaces}
    found: dict[str, Interface] = {}
    for label in labels:
        if (one := left.pop(label.mac or usual_mac(model.labels.id, label.name), None)) is not None:
            found[label.name] = one
    unknown = [label.name for label in labels if label.mac is None and label.name not in found]
    if len(unknown) <= len(left):
        found.update(zip(unknown, left.values(), strict=False))
    return [(label, found[label.name]) for label in labels if label.name in found]
