# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planning the instances of one cluster shares, and how planning one of them ends early. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...._model.claims import Claim, key_of_device, key_of_mac, key_of_unit, keys_of_addresses
from ...._model.errors import Problem
from ...._model.ids import uuid_of
from ...._model.rows import Row
from ...cluster.spec import ratios_of
from ...pool.source import target_of
from ..aspects.host_devices import EXACT
from ..definition import DomainModel
from ..node_devices import list_given
from ..placement import NOTHING, Capacity, Size
from ..spec import Vm
from .state import Consent, Domain, VmHave, named_nics


class RefusedError(Exception):
    """Ends the planning of one instance, before anything is touched."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class FailedError(Exception):
    """Ends the planning of one instance, because of its node: the others go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass
class Context:
    """What is the same for all instances of a cluster, looked up once."""

    cluster: Row
    have: VmHave
    consent: Consent
    capacities: dict[str, Capacity]
    pools: dict[str, Row] = field(default_factory=dict)
    port_groups: dict[str, Row] = field(default_factory=dict)
    images: dict[str, Row] = field(default_factory=dict)
    instances: dict[str, Row] = field(default_factory=dict)
    vswitches: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    by_name: dict[str, list[Domain]] = field(default_factory=dict)
    # Who has what one instance alone may have: (identifier, name).
    taken: dict[str, tuple[str, str]] = field(default_factory=dict)
    attached: dict[str, str] = field(default_factory=dict)
    # What the call wants, by name.
    wants: dict[str, Vm] = field(default_factory=dict)
    # The devices that instances of the call name, by the node where one is to be, None where that is open: whose.
    named_devices: dict[tuple[str | None, str], str] = field(default_factory=dict)
    # What people should know of what was planned.
    remarks: list[str] = field(default_factory=list)
    candidates: dict[tuple[Any, ...], tuple[dict[str, list[str]], list[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, cluster: Row, have: VmHave, consent: Consent, planned: frozenset[str]) -> Context:
        """planned are the names of the instances of the call."""
        context = cls(cluster, have, consent, {name: copy.deepcopy(node.capacity) for name, node in have.nodes.items()})
        for capacity in context.capacities.values():
            capacity.per_thread, capacity.per_thread_warn = ratios_of(cluster.attributes)
        for kind, table in (
            ("pool", context.pools),
            ("port_group", context.port_groups),
            ("image", context.images),
            ("instance", context.instances),
        ):
            for row in have.rows(kind, cluster.id):
                table[row.name] = table[row.id] = row
        context.vswitches = {row.id: row.name for row in have.rows("vswitch", cluster.id)}
        for row in have.rows("node", cluster.id):
            context.nodes[row.name] = context.nodes[row.id] = row.name
        # A unit of a target may be in use through a pool of any cluster.
        pools = {(row.scope, row.name): row for row in have.hierarchy.members if row.kind == "pool"}
        for state in have.nodes.values():
            context.taken |= {key_of_device(state.row.id, name): ("", holder) for name, holder in state.lent.items()}
        for domains in have.domains.values():
            if domains[0].config.labels.cluster == cluster.id:
                context.by_name.setdefault(domains[0].config.name, []).extend(domains)
            for domain in domains:
                # What the call's own instances are to have is looked at when they are planned.
                context._hold(domain, pools, but_nics=domain.config.name in planned)
        for domain in have.renamed:
            context._hold(domain, pools, but_nics=False)
        for row in have.rows("instance", cluster.id):
            context.reserve(row, 1)
        own = {context.instances[name].id for name in planned if name in context.instances}
        for claim in have.claims:
            if claim.resource not in own:
                context.count(claim)
        return context

    def _hold(self, domain: Domain, pools: Mapping[tuple[str, str], Row], *, but_nics: bool) -> None:
        """Note what an instance has that no other may have."""
        holder = (domain.config.labels.id, domain.config.name)
        self.taken |= dict.fromkeys(keys_of_devices(domain, self.have), holder)
        self.attached |= {disk.volume: domain.config.name for disk in domain.config.attached}
        for label in domain.config.labels.volumes:
            pool = pools.get((domain.config.labels.cluster, label.pool))
            if label.unit is not None and pool is not None:
                self.taken[unit_of(pool, label.unit)] = holder
        if not but_nics:
            self.taken |= dict.fromkeys(keys_of_nics(domain.config, self), holder)

    def note_want(self, want: Vm) -> None:
        """Note an instance of the call, before any of them is planned."""
        self.wants[want.name] = want
        domains, row = self.by_name.get(want.name), self.instances.get(want.name)
        home = node_name(want.node or (row.attributes.get("node") if row is not None else None), self)
        home = domains[0].node if home is None and domains else home
        devices = exact_names_of(want.further) if want.state == "present" else ()
        self.named_devices |= {(home, name): want.name for name in devices}

    def count(self, claim: Claim) -> None:
        """Count what another run has decided, as far as it does not show yet."""
        for key in claim.takes:
            self.taken[key] = (claim.resource, claim.name)
        room = claim.room
        node = self.nodes.get(room.node) if room is not None else None
        if room is None or node not in self.capacities:
            return
        row = self.instances.get(claim.resource)
        domains = self.have.domains.get(uuid_of(claim.resource), ())
        seen = next((domain for domain in domains if domain.node == node), None)
        size, runs = NOTHING, False
        if seen is not None:
            size, runs = seen.size, seen.runs
        elif (
            row is not None and row.name not in self.by_name and self.nodes.get(row.attributes.get("node", "")) == node
        ):
            size, runs = registered_size(row), is_to_run(row)
        self.capacities[node].add(room, size if runs else NOTHING, size)

    def reserve(self, row: Row, sign: int) -> None:
        """Count (1), or no more (-1), an instance that has its node and is not defined there yet, or not any more."""
        node = self.nodes.get(row.attributes.get("node", ""))
        if node not in self.capacities or row.name in self.by_name:
            return
        capacity, group = self.capacities[node], row.attributes.get("anti_affinity")
        (capacity.take if sign > 0 else capacity.give_back)(registered_size(row), runs=is_to_run(row))
        if group is not None:
            (capacity.groups.add if sign > 0 else capacity.groups.discard)(group)


def device_names_of(options: Mapping[str, Any]) -> list[str]:
    """Return the devices of its node that options name, such as `pci 0000:65:00.0`; the number of a socket is one."""
    vsock = options.get("vsock") or {}
    is_numbered = vsock.get("model") != "none" and isinstance(vsock.get("cid"), int) and vsock["cid"] > 0
    return [*exact_names_of(options), *([f"vsock {vsock['cid']}"] if is_numbered else [])]


def exact_names_of(options: Mapping[str, Any]) -> list[str]:
    """Return the devices of its node that options name in host_devices."""
    return [f"{kind} {one[kind]}" for one in options.get("host_devices") or () for kind in EXACT if one.get(kind)]


def devices_of(domain: Domain, *, live: bool = False, but_nics: bool = False) -> list[str]:
    """Return the devices of its node that an instance has, as defined or as it runs. Most have none, and of those the
    text tells: what a definition says beyond the usual is read only when it is asked for.
    """
    model, xml = (domain.live, domain.live_xml) if live else (domain.config, domain.xml)
    if model is None:
        return []
    has_any = any(tag in (xml or "") for tag in ("<hostdev", "<vsock"))
    names = device_names_of(model.options) if has_any else []
    return names if but_nics else [*names, *(one.device for one in model.interfaces if one.device)]


def keys_of_devices(domain: Domain, have: VmHave) -> list[str]:
    """Return what of its node an instance has, as defined and as it runs."""
    node = have.nodes.get(domain.node)
    names = [*devices_of(domain), *devices_of(domain, live=True)]
    # Also what a person gave it.
    names += [*list_given(domain.xml), *list_given(domain.live_xml)]
    return [key_of_device(node.row.id, name) for name in names] if node is not None else []


def registered_size(row: Row) -> Size:
    """Return what an instance takes that is registered and not defined. Virtual CPUs stand there while it is made."""
    return Size(row.attributes.get("memory", 0), row.attributes.get("vcpus", 0))


def is_to_run(row: Row) -> bool:
    """Tell whether a run is about to start the instance, or was when it was killed."""
    return row.attributes.get("power") not in (None, "stopped")


def node_name(reference: str | None, context: Context) -> str | None:
    return context.nodes.get(reference) if reference else None


def unit_of(pool: Row, unit: str) -> str:
    """A unit is its target's, through whichever storage pool it is named."""
    return key_of_unit(target_of(pool.attributes.get("source") or {}) or pool.id, unit)


def keys_of_nics(model: DomainModel, context: Context) -> list[str]:
    """Return what an instance's NICs take: their MACs, and the addresses that its guest was told."""
    keys = [key_of_mac(nic.mac) for nic in model.interfaces]
    # Networks of other clusters are others, whatever they are called.
    for label, nic in named_nics(model) if model.labels.cluster == context.cluster.id else ():
        keys += keys_of_addresses(network_of(nic.network, nic.port_group, context), label.addresses)
    return keys


def network_of(vswitch: str, port_group: str, context: Context) -> str:
    """Return what the network of a NIC is told by: port groups of one VLAN on one vSwitch are one."""
    row = context.port_groups.get(port_group)
    vlan = f"vlan {row.attributes.get('vlan') or 0}" if row is not None else port_group
    return f"{context.cluster.id} {vswitch} {vlan}"
