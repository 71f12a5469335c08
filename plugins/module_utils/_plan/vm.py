"""Instances: what to do so that they are as declared. Pure."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .._errors import Problem
from .._ids import mac_of, new_id, uuid_of
from .._names import data_volume, image_volume, is_of_instance, is_seed_of, root_volume, seed_volume
from .._nouns.instance import walk
from .._nouns.instance.walk import Walked
from .._pool_kinds import KINDS, PoolKind, find_name_problem, image_format, root_mode, volume_format, volume_place
from .._spec._pool_source import target_of
from .._spec.cloud_init import Seed, UnknownSeedError, digest_of, render_seed
from .._spec.vm import TARGETS, Nic, Root, Vm, Volume, complete_new, find_missing, name_nics
from .._xml._size import find_obstacle
from .._xml.attachment import parse_attachments
from .._xml.domain import Disk, DomainModel, Interface, Labels, NicLabel, VolumeLabel
from .._xml.domain_writing import convert_domain, edit_domain
from ._claims import Claim, Room, key_of_mac, key_of_unit, keys_of_addresses
from ._disks import disk_of
from ._missing_volumes import explain_missing
from ._rows import Row
from ._types import Change, Plan, Step, Work
from .hierarchy import Hierarchy, find, find_cluster
from .image import site_key
from .placement import Capacity, choose_node

Item = TypeVar("Item")


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


@dataclass(frozen=True)
class NodeState:
    """A node that answers. volumes: names by pool, for the pools that are active there.

    sizes: in bytes, by pool and volume, read only of pools in which libvirt cannot make a volume larger.
    threads: how many of its processors can run at once, None if it does not tell. architecture: as libvirt calls it.
    """

    row: Row
    virt_type: str
    capacity: Capacity
    networks: frozenset[str]
    volumes: Mapping[str, frozenset[str]]
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # vSwitches with the datapath in user space, which hands on what has no checksum yet.
    userspace: frozenset[str] = frozenset()
    threads: int | None = None
    architecture: str = "x86_64"


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
    odd: tuple[Odd, ...] = ()

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


class _RefusedError(Exception):
    """Ends the planning of one instance, before anything is touched."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class _FailedError(Exception):
    """Ends the planning of one instance, because of its node: the others go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass
class _Context:
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
    candidates: dict[tuple[Any, ...], tuple[dict[str, list[str]], list[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, cluster: Row, have: VmHave, consent: Consent, planned: frozenset[str]) -> _Context:
        """planned are the names of the instances of the call."""
        context = cls(cluster, have, consent, {name: copy.deepcopy(node.capacity) for name, node in have.nodes.items()})
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
        for domains in have.domains.values():
            if domains[0].config.labels.cluster == cluster.id:
                context.by_name.setdefault(domains[0].config.name, []).extend(domains)
            for domain in domains:
                holder = (domain.config.labels.id, domain.config.name)
                context.attached |= {disk.volume: domain.config.name for disk in domain.config.attached}
                for label in domain.config.labels.volumes:
                    pool = pools.get((domain.config.labels.cluster, label.pool))
                    if label.unit is not None and pool is not None:
                        context.taken[_unit_of(pool, label.unit)] = holder
                # What the call's own instances are to have is looked at when they are planned.
                if domain.config.name not in planned:
                    context.taken |= dict.fromkeys(_keys_of_nics(domain.config, context), holder)
        for row in have.rows("instance", cluster.id):
            context.reserve(row, 1)
        own = {context.instances[name].id for name in planned if name in context.instances}
        for claim in have.claims:
            if claim.resource not in own:
                context.count(claim)
        return context

    def count(self, claim: Claim) -> None:
        """Count what another run has decided, as far as it does not show yet."""
        for key in claim.takes:
            self.taken[key] = (claim.resource, claim.name)
        room = claim.room
        node = self.nodes.get(room.node) if room is not None else None
        if room is None or node not in self.capacities:
            return
        row = self.instances.get(claim.resource)
        seen = [domain for domain in self.have.domains.get(uuid_of(claim.resource), ()) if domain.node == node]
        if seen:
            memory, runs = max(domain.config.memory for domain in seen), any(one.power != "stopped" for one in seen)
        elif (
            row is not None and row.name not in self.by_name and self.nodes.get(row.attributes.get("node", "")) == node
        ):
            memory, runs = row.attributes.get("memory", 0), row.attributes.get("power") not in (None, "stopped")
        else:
            memory, runs = 0, False
        self.capacities[node].add(room, memory if runs else 0, memory)

    def reserve(self, row: Row, sign: int) -> None:
        """Count (1), or no more (-1), an instance that has its node and is not defined there yet, or not any more."""
        node = self.nodes.get(row.attributes.get("node", ""))
        if node not in self.capacities or row.name in self.by_name:
            return
        capacity, group = self.capacities[node], row.attributes.get("anti_affinity")
        capacity.take(sign * row.attributes.get("memory", 0), runs=row.attributes.get("power") not in (None, "stopped"))
        if group is not None:
            (capacity.groups.add if sign > 0 else capacity.groups.discard)(group)


def plan_vms(wants: Sequence[Vm], have: VmHave, consent: Consent) -> Plan:
    """Return what takes every instance to its declared state."""
    works: dict[int, Work] = {}
    refusals: dict[int, Problem] = {}
    failures: dict[int, Problem] = {}
    contexts: dict[str, _Context] = {}
    clusters: dict[int, _Context] = {}
    names: set[tuple[str, str]] = set()
    planned = frozenset(want.name for want in wants)
    for index, want in enumerate(wants):
        label = f"instance {want.name}"
        cluster = find_cluster(want.cluster, have.hierarchy.clusters)
        if isinstance(cluster, str):
            refusals[index] = Problem(cluster, resource=label)
            continue
        if (cluster.id, want.name) in names:
            refusals[index] = Problem(f"it is given twice for cluster {cluster.name}", resource=label)
            continue
        names.add((cluster.id, want.name))
        if cluster.id not in contexts:
            contexts[cluster.id] = _Context.of(cluster, have, consent, planned)
        clusters[index] = contexts[cluster.id]
    # Those whose node is settled come first: the others are placed around them.
    for index in sorted(clusters, key=lambda index: _is_free(wants[index], clusters[index])):
        label = f"instance {wants[index].name}"
        try:
            works[index] = _plan_one(wants[index], clusters[index])
        except _RefusedError as refused:
            refusals[index] = Problem(refused.what, refused.remedy, resource=label)
        except _FailedError as error:
            failures[index] = replace(error.problem, resource=label)
    return Plan(works=_in_order(works), refusals=_in_order(refusals), failures=_in_order(failures))


def _is_free(want: Vm, context: _Context) -> bool:
    return want.node is None and want.name not in context.by_name and want.name not in context.instances


def _in_order(found: Mapping[int, Item]) -> tuple[Item, ...]:
    return tuple(found[index] for index in sorted(found))


def _plan_one(want: Vm, context: _Context) -> Work:
    row = context.instances.get(want.name)
    domains = list(context.by_name.get(want.name, ()))
    instance_id = row.id if row else domains[0].config.labels.id if domains else new_id("instance")
    for odd in context.have.odd:
        if odd.uuid == uuid_of(instance_id):
            # It is the instance itself, and making it once more would run two guests on one volume.
            raise _FailedError(odd.problem)
    current, leftovers = _pick(row, domains, context)
    if want.state == "absent":
        return _plan_absence(want, row, current, leftovers, context)
    if current is None:
        want = complete_new(want)
        missing = find_missing(want, "")
        if missing:
            raise _RefusedError("; ".join(f"{mistake.path} {mistake.problem}" for mistake in missing))
    else:
        want = _with_kept_parts(want, current)
    if want.root is not None:
        _root_pool(want.root, context)
    for volume in want.volumes or ():
        _volume_pool(volume, context)
    for name, foreign in context.have.foreign.items():
        # The nodes of other clusters are nothing to this one.
        if want.name in foreign and current is None and name in context.nodes:
            raise _RefusedError(
                f"{name} runs a virtual machine of this name that is not ours",
                "Choose another name; what is not ours is never touched.",
            )
    if current is None:
        node = _place(want, row, context)
        work = _plan_creation(want, row, instance_id, node, context)
    else:
        work = _plan_change(want, row, instance_id, current, context)
    # A move replaces what it finds at its target.
    moved_to = {step.data["target"] for step in work.steps if step.act == "move"}
    clean = tuple(_undefine_leftover(left) for left in leftovers if left.node not in moved_to)
    return replace(work, steps=(*work.steps, *clean))


def _with_kept_parts(want: Vm, current: Domain) -> Vm:
    """Return the parts that are named with what is kept of them: a volume's pool and size, a NIC's port group and MAC.

    What is not named at all stays None.
    """
    labels = {label.name: label for label in current.config.labels.volumes}
    root, volumes, nics = want.root, want.volumes, want.nics
    if root is None and want.image is not None and "root" in labels:
        root = Root()
    if root is not None and (label := labels.get("root")) is not None:
        is_same = root.pool in ("", label.pool)
        root = replace(
            root,
            pool=root.pool or label.pool,
            mode=root.mode or (current.config.labels.root_mode if is_same else None),
        )
    if volumes is not None:
        volumes = tuple(_keep_volume(volume, labels.get(volume.name)) for volume in volumes)
    if nics is not None:
        held = {label.name: one for label, one in _named_nics(current.config)}
        nics = tuple(_keep_nic(nic, held.get(nic.name or "")) for nic in name_nics(nics))
    return replace(want, root=root, volumes=volumes, nics=nics)


def _named_nics(model: DomainModel) -> list[tuple[NicLabel, Interface]]:
    """Return the NICs with their labels. By hand there may be more of the one or of the other."""
    return list(zip(model.labels.nics, model.interfaces, strict=False))


def _keep_volume(volume: Volume, label: VolumeLabel | None) -> Volume:
    if label is None:
        if not volume.pool or (volume.size is None and volume.unit is None):
            what = "size" if volume.pool else "pool"
            raise _RefusedError(f"its volume {volume.name} is new, and its {what} is missing", f"Set its {what}.")
        return volume
    unit = volume.unit if volume.unit is not None or volume.size is not None else label.unit
    size = volume.size if volume.size is not None or unit is not None else label.size
    return replace(volume, pool=volume.pool or label.pool, size=size, unit=unit)


def _keep_nic(nic: Nic, interface: Interface | None) -> Nic:
    if interface is None:
        if not nic.port_group:
            raise _RefusedError(f"its NIC {nic.name} is new, and its port group is missing", "Set its port_group.")
        return nic
    return replace(nic, mac=nic.mac or interface.mac)


def _undefine_leftover(left: Domain) -> Step:
    data = {"node": left.node, "uuid": left.config.uuid}
    return Step("undefine", f"remove the leftover definition on {left.node}", data)


def _pick(row: Row | None, domains: Sequence[Domain], context: _Context) -> tuple[Domain | None, list[Domain]]:
    """Return the domain that is the instance, and definitions that a killed move has left behind."""
    if not domains:
        # While it moves, it may be on the node that it comes from.
        for key in ("node", "origin"):
            home = _node_name(row.attributes.get(key), context) if row else None
            if home is not None and home in context.have.down:
                raise _FailedError(context.have.down[home])
        return None, []
    strange = [domain for domain in domains if domain.config.labels.id != (row or domains[0].config.labels).id]
    if strange:
        raise _RefusedError(
            f"{strange[0].node} has an instance of this name with the identifier {strange[0].config.labels.id}, "
            f"another than {(row or domains[0].config.labels).id}",
            "Find out which of the two is meant, and undefine the other by hand.",
        )
    running = [domain for domain in domains if domain.power != "stopped"]
    if len(running) > 1:
        raise _RefusedError(
            f"it runs on {' and '.join(domain.node for domain in running)} at once",
            "Stop it on one of them by hand: two guests on one volume destroy its file system.",
        )
    home = _node_name(row.attributes.get("node"), context) if row else None
    best = running or [domain for domain in domains if domain.node == home] or list(domains)
    return best[0], [domain for domain in domains if domain is not best[0]]


def _node_name(reference: str | None, context: _Context) -> str | None:
    return context.nodes.get(reference) if reference else None


# Placement


def _place(want: Vm, row: Row | None, context: _Context) -> str:
    """Return the node for an instance that is defined nowhere. A killed run's choice stands."""
    home = chosen = _node_name(row.attributes.get("node"), context) if row else None
    if row is not None:
        context.reserve(row, -1)
    if want.node is not None:
        chosen = _pinned(want.node, context)
    if chosen is not None:
        if chosen in context.have.down:
            raise _FailedError(context.have.down[chosen])
        if chosen != home:
            problems = _held_back(want, row, home, context)
            if want.anti_affinity in context.capacities[chosen].groups:
                problems.append(f"it holds another instance of anti-affinity {want.anti_affinity}")
            if want.power != "stopped" and context.capacities[chosen].free < (want.memory or 0):
                problems.append(f"it has {context.capacities[chosen].free} MiB of memory free, {want.memory} needed")
            if problems:
                raise _RefusedError(f"{chosen} cannot take it: {'; '.join(problems)}")
        _require_suitable(_unsuitable(want, chosen, context), chosen)
        node = chosen
    else:
        reasons, candidates = _find_candidates(want, context)
        needed = (want.memory or 0) if want.power != "stopped" else 0
        found = choose_node(candidates, context.capacities, memory=needed, anti_affinity=want.anti_affinity or None)
        if found is None:
            raise _RefusedError(_why_nowhere(want, reasons, context))
        node = found
    capacity = context.capacities[node]
    capacity.take(want.memory or 0, runs=want.power != "stopped")
    if want.anti_affinity:
        capacity.groups.add(want.anti_affinity)
    return node


def _find_candidates(want: Vm, context: _Context) -> tuple[Mapping[str, list[str]], list[str]]:
    """Return why each node of the cluster cannot run an instance, and the nodes that can.

    Thousands of instances need the same few things, and hundreds of nodes are looked at for each.
    """
    root = want.root.pool if want.root else None
    volumes = tuple((volume.pool, volume.unit) for volume in want.volumes or ())
    needs = (want.image, root, volumes, tuple(nic.port_group for nic in want.nics or ()))
    if needs not in context.candidates:
        members = [name for name, state in context.have.nodes.items() if state.row.scope == context.cluster.id]
        reasons = {name: _unsuitable(want, name, context) for name in members}
        context.candidates[needs] = reasons, [name for name, problems in reasons.items() if not problems]
    return context.candidates[needs]


def _pinned(reference: str, context: _Context) -> str:
    name = _node_name(reference, context)
    if name is None:
        raise _RefusedError(f'there is no node "{reference}" in cluster {context.cluster.name}')
    return name


def _held_back(want: Vm, row: Row | None, home: str | None, context: _Context) -> list[str]:
    """Return what keeps an instance whose definition is gone on the node where it was: its volumes, if only there."""
    state = context.have.nodes.get(home) if home else None
    if row is None or state is None:
        return []
    return [
        f"its volumes are on {home}, in storage pool {pool}"
        for pool, names in sorted(state.volumes.items())
        if pool in context.pools
        and not context.pools[pool].attributes.get("shared")
        and any(is_of_instance(name, want.name, row.id) and not name.endswith(".iso") for name in names)
    ]


def _why_nowhere(want: Vm, reasons: Mapping[str, Sequence[str]], context: _Context) -> str:
    parts = []
    for name, problems in sorted(reasons.items()):
        capacity = context.capacities[name]
        if problems:
            parts.append(f"{name}: {'; '.join(problems)}")
        elif capacity.free < (want.memory or 0):
            parts.append(f"{name}: {capacity.free} MiB of memory free, {want.memory} needed")
        else:
            parts.append(f"{name}: holds another instance of anti-affinity {want.anti_affinity}")
    parts += [f"{name}: does not answer" for name in sorted(context.have.down) if name in context.nodes]
    return f"no node can take it ({', '.join(parts) or 'the cluster has none'})"


def _require_suitable(problems: Sequence[str], node: str) -> None:
    if problems:
        raise _FailedError(
            Problem(
                f"it cannot be there: {'; '.join(problems)}",
                "Mend the node's storage, network and images first, or choose another node.",
                node,
            )
        )


def _unsuitable(want: Vm, node: str, context: _Context, current: Domain | None = None) -> list[str]:
    """Return why a node cannot run the instance, memory and anti-affinity apart. A new one needs its image there."""
    state = context.have.nodes[node]
    vcpus = want.vcpus if want.vcpus is not None or current is None else current.config.vcpus
    problems = _wrong_architecture(state) + _too_many_vcpus(vcpus or 0, state)
    for name in dict.fromkeys(_pools_of(want, current)):
        pool = _pool(name, context)
        if pool.name not in state.volumes:
            problems.append(f"storage pool {pool.name} is not available there")
    for port_group, vswitch in _networks_of(want, current, context):
        if vswitch not in state.networks:
            problems.append(f"port group {port_group} needs {vswitch}, which is not there")
    for volume in want.volumes or ():
        pool = _volume_pool(volume, context)
        if volume.unit is not None and volume.unit not in state.volumes.get(pool.name, {volume.unit}):
            problems.append(f"storage pool {pool.name} has no unit {volume.unit} there")
    return problems + (_unsuitable_image(want, state, context) if current is None else [])


def _wrong_architecture(state: NodeState) -> list[str]:
    """The machine that we define is a PC."""
    if state.architecture != "aarch64":
        return []
    return [f"it is a host of {state.architecture}, and instances are machines of x86_64"]


def _too_many_vcpus(vcpus: int, state: NodeState) -> list[str]:
    """An instance has no more virtual CPUs than its node has threads: they would only wait for each other."""
    if state.threads is None or vcpus <= state.threads:
        return []
    return [f"it has {state.threads} threads, and {vcpus} virtual CPUs are too many for it"]


def _unsuitable_image(want: Vm, here: NodeState, context: _Context) -> list[str]:
    """Return why a root volume cannot be made there.

    A copy has its final name while it is written, and after a transfer that was killed: only the record tells.
    """
    if want.image is None or want.root is None:
        return []
    image, pool = _image(want.image, context), _root_pool(want.root, context)
    if pool.name not in here.volumes:
        return []
    if _copy_of(image, pool) not in here.volumes[pool.name]:
        return [f"image {image.name} has no copy in storage pool {pool.name} there"]
    key = site_key(pool.id, None if pool.attributes.get("shared") else here.row.id)
    if key not in image.attributes.get("copies", ()):
        return [f"the copy of image {image.name} in storage pool {pool.name} there is not complete"]
    return []


def _copy_of(image: Row, pool: Row) -> str:
    """Return the name of an image's copy in a pool."""
    return image_volume(image.id, image_format(pool.attributes["type"], image.attributes["format"]))


def _pools_of(want: Vm, current: Domain | None) -> list[str]:
    """Return the pools of an instance as it will be."""
    labels = current.config.labels if current is not None else None
    if want.root is not None:
        root = [want.root.pool]
    else:
        root = [labels.root.pool] if labels is not None and labels.root is not None else []
    if want.volumes is not None:
        further = [volume.pool for volume in want.volumes]
    else:
        further = [label.pool for label in labels.volumes if label.name != "root"] if labels is not None else []
    return [*root, *further]


def _networks_of(want: Vm, current: Domain | None, context: _Context) -> list[tuple[str, str]]:
    """Return (port group, vSwitch) of each NIC of an instance as it will be."""
    held = {one.mac: one for one in current.config.interfaces} if current is not None else {}
    if want.nics is None:
        return [(one.port_group, one.network) for one in held.values()]
    kept = [None if nic.port_group else held.get(nic.mac or "") for nic in want.nics]
    return [
        (one.port_group, one.network) if one is not None else (nic.port_group, _vswitch(nic, context))
        for nic, one in zip(want.nics, kept, strict=True)
    ]


def _pool(reference: str, context: _Context) -> Row:
    row = context.pools.get(reference)
    if row is None:
        raise _RefusedError(f'there is no storage pool "{reference}"', _known("storage pools", context.pools))
    return row


def _kind(pool: Row) -> PoolKind:
    return KINDS[pool.attributes["type"]]


def _root_pool(root: Root, context: _Context) -> Row:
    """Return the pool of a root volume, which must be one where volumes can be made, in the way that is wanted."""
    pool = _pool(root.pool, context)
    if not _kind(pool).formats:
        raise _RefusedError(
            f"storage pool {pool.name} is of type {pool.attributes['type']}, and a root volume cannot be made there",
            "Choose another pool; its units can be further volumes.",
        )
    if root.mode == "overlay" and _kind(pool).clone is None:
        raise _RefusedError(
            f"storage pool {pool.name} is of type {pool.attributes['type']}, where volumes cannot share the blocks of "
            "an image",
            "Leave out mode, or set it to copy.",
        )
    return pool


def _volume_pool(volume: Volume, context: _Context) -> Row:
    """Return the pool of a further volume. Units of targets are named, all others are made."""
    pool = _pool(volume.pool, context)
    if _kind(pool).formats and volume.unit is not None:
        raise _RefusedError(
            f"its volume {volume.name} names a unit, but storage pool {pool.name} is of type {pool.attributes['type']}",
            "Give size instead of unit; units are of pools of type iscsi.",
        )
    if not _kind(pool).formats and volume.unit is None:
        raise _RefusedError(
            f"its volume {volume.name} cannot be made in storage pool {pool.name}, which is of type "
            f"{pool.attributes['type']}",
            "Give a unit of its target instead of size.",
        )
    return pool


def _image(reference: str, context: _Context) -> Row:
    row = context.images.get(reference)
    if row is None:
        raise _RefusedError(f'there is no image "{reference}"', _known("images", context.images))
    return row


def _port_group(nic: Nic, context: _Context) -> Row:
    row = context.port_groups.get(nic.port_group)
    if row is None:
        raise _RefusedError(f'there is no port group "{nic.port_group}"', _known("port groups", context.port_groups))
    return row


def _vswitch(nic: Nic, context: _Context) -> str:
    return context.vswitches[_port_group(nic, context).attributes["vswitch"]]


def _known(what: str, rows: Mapping[str, Row]) -> str:
    names = sorted({row.name for row in rows.values()})
    return f"There are the {what} {', '.join(names)}." if names else f"There are no {what} yet."


def _organization(want: Vm, context: _Context) -> str:
    organizations = context.have.hierarchy.organizations
    row = find(want.organization, organizations) if want.organization else context.have.hierarchy.root
    if row is None:
        named = f' "{want.organization}"' if want.organization else " yet"
        raise _RefusedError(f"there is no organization{named}")
    return row.id


# The declared state


def model_of(
    want: Vm, instance_id: str, context: _Context, found: Domain | None, node: str
) -> tuple[DomainModel, dict[str, str] | None]:
    """Return the domain as declared, and the files of its seed (None: it has none, or keeps the one it has).

    What is not named is as it was found. node: where it is, or will be.
    """
    current = found.config if found else None
    image = _image_name(want, context) if want.image else current.labels.image if current else None
    disks: list[Disk] = []
    volumes: list[VolumeLabel] = []
    if want.root is not None:
        pool = _root_pool(want.root, context)
        label = VolumeLabel(name="root", pool=pool.name, size=_root_size(want.root, want, image, current, context))
        volumes.append(label)
        name = root_volume(want.name, instance_id, volume_format(pool.attributes["type"]))
        disks.append(disk_of(pool, _checked(name, pool), target="vda", serial="root"))
    elif current is not None:
        _keep_disks(current, disks, volumes, is_root=True)
    if want.volumes is not None:
        _add_volumes(want, want.volumes, instance_id, context, found, disks, volumes)
    elif current is not None:
        _keep_disks(current, disks, volumes, is_root=False)
    nics, interfaces = _nics_of(want, instance_id, context, current, node)
    seed, digest = None, None
    root = next((label for label in volumes if label.name == "root"), None)
    if image is not None and root is not None:
        seed = _seed_files(want, instance_id, interfaces, context, current)
        digest = digest_of(seed) if seed is not None else current.labels.seed if current is not None else None
    kept_seed = _disk_of("seed", current) if current is not None else None
    if digest is not None and root is not None and (seed is not None or kept_seed is None):
        pool = _pool(root.pool, context)
        name = _checked(seed_volume(want.name, instance_id, digest), pool)
        disks.append(disk_of(pool, name, target="vdz", serial="seed", volume_format="raw", read_only=True))
    elif digest is not None and kept_seed is not None:
        disks.append(kept_seed)
    was = current.labels if current is not None else None
    mode = was.root_mode if was is not None else None
    if want.root is not None:
        mode = root_mode(_root_pool(want.root, context).attributes["type"], want.root.mode)
    labels = Labels(
        id=instance_id,
        cluster=context.cluster.id,
        organization=was.organization
        if was is not None and want.organization is None
        else _organization(want, context),
        image=image,
        root_mode=mode,
        anti_affinity=(was.anti_affinity if was else None)
        if want.anti_affinity is None
        else want.anti_affinity or None,
        seed=digest,
        tags=want.tags if want.tags is not None else was.tags if was else (),
        volumes=tuple(volumes),
        nics=nics,
    )
    model = DomainModel(
        name=want.name,
        uuid=uuid_of(instance_id),
        memory=want.memory if want.memory is not None else current.memory if current else 0,
        vcpus=want.vcpus if want.vcpus is not None else current.vcpus if current else 0,
        disks=tuple(disks),
        interfaces=interfaces,
        # An empty one takes it away; libvirt keeps no empty description.
        description=current.description
        if current is not None and want.description is None
        else want.description or None,
        labels=labels,
        held_back=current.held_back if current is not None and want.memory is None else 0,
        further=want.further,
    )
    return model, seed


def _root_size(root: Root, want: Vm, image: str | None, current: DomainModel | None, context: _Context) -> int:
    """Return the size of the root volume in MiB."""
    if root.size is not None:
        return root.size
    label = current.labels.root if current is not None else None
    if current is not None and label is not None and current.labels.image == image:
        return label.size
    return _image_size_mib(want, context)


def _keep_disks(current: DomainModel, disks: list[Disk], volumes: list[VolumeLabel], *, is_root: bool) -> None:
    """Take over the root volume, or the further ones, as they are."""
    for label in current.labels.volumes:
        if (label.name == "root") is is_root:
            volumes.append(label)
            disk = _disk_of(label.name, current)
            disks += [disk] if disk is not None else []


def _add_volumes(
    want: Vm,
    wanted: Sequence[Volume],
    instance_id: str,
    context: _Context,
    found: Domain | None,
    disks: list[Disk],
    volumes: list[VolumeLabel],
) -> None:
    targets = _targets(wanted, found)
    units: dict[str, str] = {}
    for volume in wanted:
        pool = _volume_pool(volume, context)
        target = targets[volume.name]
        volumes.append(VolumeLabel(name=volume.name, pool=pool.name, size=volume.size or 0, unit=volume.unit))
        if volume.unit is not None:
            _take_unit(volume.unit, pool, (instance_id, want.name), context)
            first = units.setdefault(_unit_of(pool, volume.unit), volume.name)
            if first != volume.name:
                raise _RefusedError(
                    f"its volumes {first} and {volume.name} are one unit of one target", "Leave one of them out."
                )
            disks.append(disk_of(pool, volume.unit, target=target, serial=volume.name))
            continue
        name = data_volume(want.name, instance_id, volume.name, volume_format(pool.attributes["type"]))
        disks.append(disk_of(pool, _checked(name, pool), target=target, serial=volume.name))


def _nics_of(
    want: Vm, instance_id: str, context: _Context, current: DomainModel | None, node: str
) -> tuple[tuple[NicLabel, ...], tuple[Interface, ...]]:
    """Return the labels of the NICs and the NICs themselves, in order."""
    if want.nics is None:
        return (current.labels.nics, current.interfaces) if current is not None else ((), ())
    held = {one.mac: one for one in current.interfaces} if current is not None else {}
    known = {label.name: label for label, _ in _named_nics(current)} if current is not None else {}
    userspace = context.have.nodes[node].userspace
    labels, interfaces = [], []
    for nic in name_nics(want.nics):
        name = nic.name or ""
        mac = nic.mac or mac_of(instance_id, _mac_word(name))
        kept = known.get(name)
        was = kept.addresses if kept is not None else ()
        addresses = nic.addresses if nic.addresses is not None else was
        labels.append(NicLabel(name=name, addresses=tuple(addresses)))
        before = held.get(mac)
        if before is None:
            _take_mac(mac, (instance_id, want.name), context)
        if not nic.port_group and before is not None:
            network, port_group = before.network, before.port_group
        else:
            network, port_group = _vswitch(nic, context), _port_group(nic, context).name
        _take_addresses(
            [text for text in addresses if text not in was], network, port_group, (instance_id, want.name), context
        )
        # It is only ever turned off: what a person has turned off stays so.
        offload = network not in userspace and (before is None or before.offload)
        interfaces.append(Interface(mac=mac, network=network, port_group=port_group, offload=offload))
    return tuple(labels), tuple(interfaces)


def _mac_word(name: str) -> str:
    """Return what a MAC is derived from: the number alone of a NIC that is named by its order."""
    number = name.removeprefix("nic")
    return number if name != number and number.isdecimal() and number == str(int(number)) else name


def _seed_files(
    want: Vm, instance_id: str, interfaces: Sequence[Interface], context: _Context, current: DomainModel | None
) -> dict[str, str] | None:
    """Return the files of the seed; None if it stays as it is."""
    if current is not None and want.nics is None and want.cloud_init is None and current.labels.seed is not None:
        return None
    if current is None or current.labels.seed is None:
        if current is not None and want.nics is None:
            # It was never told of its NICs: of them its labels know the addresses.
            known = (Nic(name=label.name, addresses=label.addresses) for label, _ in _named_nics(current))
            want = replace(want, nics=tuple(known))
        want = complete_new(want)
    before = context.have.seeds.get(current.uuid) if current is not None else None
    macs = [one.mac for one in interfaces]
    try:
        files = render_seed(want, instance_id, macs, before)
        older = render_seed(want, instance_id, macs, before, is_older=True)
    except UnknownSeedError as error:
        raise _RefusedError(
            "what cloud-init is told is named in part, and the rest of it cannot be read from its seed",
            "Name all of nics and cloud_init, or bring the seed's storage pool back.",
        ) from error
    # A guest reads it once. One that says the same in the words of a version before is no difference.
    return older if current is not None and current.labels.seed == digest_of(older) else files


def _unit_of(pool: Row, unit: str) -> str:
    """A unit is its target's, through whichever storage pool it is named."""
    return key_of_unit(target_of(pool.attributes.get("source") or {}) or pool.id, unit)


def _take_unit(unit: str, pool: Row, taker: tuple[str, str], context: _Context) -> None:
    """Two guests on one unit destroy each other's file systems. taker: the instance's identifier and name."""
    holder = context.taken.setdefault(_unit_of(pool, unit), taker)
    if holder[0] != taker[0]:
        raise _RefusedError(
            f"{unit} of storage pool {pool.name} is used by instance {holder[1]}",
            "Choose another unit, or take it from that instance first.",
        )


def _take_mac(mac: str, taker: tuple[str, str], context: _Context) -> None:
    """Two guests with one MAC lose each other's frames. taker: the instance's identifier and name."""
    holder = context.taken.setdefault(key_of_mac(mac), taker)
    if holder[0] != taker[0]:
        raise _RefusedError(
            f"the MAC address {mac} is that of instance {holder[1]}",
            "Choose another one, or leave it out: then one is made of the instance's identifier.",
        )


def _take_addresses(
    addresses: Sequence[str], network: str, port_group: str, taker: tuple[str, str], context: _Context
) -> None:
    """Two guests with one address in one network answer for each other. taker: the instance's identifier and name."""
    for key in keys_of_addresses(_network(network, port_group, context), addresses):
        holder = context.taken.setdefault(key, taker)
        if holder[0] != taker[0]:
            raise _RefusedError(
                f"the address {key.rpartition(' ')[2]} is that of instance {holder[1]}, in the same network",
                f"Choose another one, or take it from {holder[1]} first.",
            )


def _targets(wanted: Sequence[Volume], found: Domain | None) -> dict[str, str]:
    """Return the device names of the further volumes. One keeps its name when others come and go."""
    if found is None:
        held, used = {}, set()
    else:
        # A name that a running guest still uses, or a disk that is not ours has, is not free.
        disks = [*(found.live.disks if found.live else ()), *found.config.disks]
        held = {disk.serial: disk.target for disk in disks}
        used = {*found.config.targets, *(found.live.targets if found.live else ())}
    targets: dict[str, str] = {}
    free = (target for target in TARGETS if target not in used)
    for volume in wanted:
        target = held.get(volume.name) or next(free, None)
        if target is None:
            raise _RefusedError(f"there is no device name left for volume {volume.name}: vdb to vdy are in use")
        targets[volume.name] = target
    return targets


def _checked(volume: str, pool: Row) -> str:
    """Return a volume's name, which the pool must be able to hold."""
    problem = find_name_problem(pool.attributes["type"], pool.name, volume)
    if problem is not None:
        raise _RefusedError(
            f"its volume in storage pool {pool.name} cannot be named {volume}: {problem}",
            "Choose another name for the instance or the volume.",
        )
    return volume


def _image_name(want: Vm, context: _Context) -> str | None:
    return _image(want.image, context).name if want.image else None


def _image_size_mib(want: Vm, context: _Context) -> int:
    if want.image is None:
        raise _RefusedError("the root volume needs a size, since there is no image")
    return -(-int(_image(want.image, context).attributes["virtual_size"]) // 1024**2)


def _attributes(node_id: str, model: DomainModel) -> dict[str, Any]:
    """Return what the registry keeps of an instance."""
    kept = {
        "node": node_id,
        "organization": model.labels.organization,
        "anti_affinity": model.labels.anti_affinity,
        "memory": model.memory,
        "image": model.labels.image,
    }
    return {key: value for key, value in kept.items() if value is not None}


# Creation


def _plan_creation(want: Vm, row: Row | None, instance_id: str, node: str, context: _Context) -> Work:
    model, seed = model_of(want, instance_id, context, None, node)
    state = context.have.nodes[node]
    power = want.power or (row.attributes.get("power") if row else None) or "running"
    settled = _attributes(state.row.id, model)
    attributes = settled if power == "stopped" else settled | {"power": power}
    again, here = _begin_again(row, model, state, context)
    made = _volume_steps(want, model, here, context)
    filling = [step.data["volume"] for step in made if _is_filled(step)]
    if filling:
        attributes = attributes | {"filling": filling}
    steps: list[Step] = []
    if row is None or dict(row.attributes) != attributes:
        steps.append(_register(instance_id, want, context, attributes))
    steps += again
    steps += made
    if filling:
        attributes = {key: value for key, value in attributes.items() if key != "filling"}
        steps.append(_settle(instance_id, want, context, attributes, "note that its volumes are complete"))
    if seed is not None and want.root is not None:
        steps.append(_seed_step(model, seed, context))
    steps.append(Step("define", "define", {"model": model, "xml": None, "virt_type": state.virt_type}))
    if want.autostart:
        steps.append(Step("autostart", "let it start with its node", {"autostart": True}))
    steps += _power_steps("stopped", power, context)
    # What a killed run has left, or one before whose definition is gone.
    steps += _stale_seeds(want, instance_id, [model], state, context)
    if attributes != settled:
        steps.append(_settle(instance_id, want, context, settled, f"note that it is {power}"))
    changes = [
        Change("node", None, node),
        Change("vcpus", None, want.vcpus),
        Change("memory", None, want.memory),
        *(Change(path, None, value) for path, value in walk.list_values(want.further)),
        *(_change_of_volume(None, volume) for volume in model.labels.volumes),
        *(Change(f"nics.{label.name}.port_group", None, one.port_group) for label, one in _named_nics(model)),
        Change("power", None, power),
    ]
    return Work(
        kind="instance",
        name=want.name,
        id=instance_id,
        node=node,
        steps=tuple(steps),
        changes=tuple(changes),
        uses=_uses(model, (node,), context),
        takes=_takes(model, context),
        room=Room(state.row.id, model.memory, power != "stopped", model.labels.anti_affinity),
    )


def _is_filled(step: Step) -> bool:
    """Tell whether a volume is there, under its name, long before it is complete: on a block device by copying."""
    return step.act == "create_volume" and step.data["mode"] == "copy" and KINDS[step.data["type"]].disk == "block"


def _begin_again(
    row: Row | None, model: DomainModel, state: NodeState, context: _Context
) -> tuple[list[Step], NodeState]:
    """Return steps that destroy what a killed run has left half filled, and the node without it.

    Nothing is lost: the row names such volumes from before they are made until they are complete, and the instance is
    defined only then.
    """
    half = set(row.attributes.get("filling", ())) if row is not None else set()
    if not half:
        return [], state
    steps = [
        _delete_step(label.pool, name, f"destroy {name}, which is not complete", context)
        for label in model.labels.volumes
        for name in sorted(half & state.volumes.get(label.pool, frozenset()))
        if (disk := _disk_of(label.name, model)) is not None and disk.volume == name
    ]
    return steps, replace(state, volumes={pool: names - half for pool, names in state.volumes.items()})


def _delete_step(pool: str, volume: str, text: str, context: _Context) -> Step:
    row = context.pools.get(pool)
    # A pool that is not ours to know is a directory's, as far as deleting goes.
    kind = _kind(row) if row is not None else KINDS["directory"]
    return Step("delete_volume", text, {"pool": pool, "volume": volume, "wipe": not kind.is_blank})


def _register(instance_id: str, want: Vm, context: _Context, attributes: Mapping[str, Any]) -> Step:
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return Step("register", "register", {"row": row})


def _settle(instance_id: str, want: Vm, context: _Context, attributes: Mapping[str, Any], text: str) -> Step:
    """What a run is about to do stands in the row while it does it: `power`, and `origin` while it moves.

    A killed run would otherwise leave an instance stopped that it was starting, or on a node where nobody looks.
    """
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return Step("settle", text, {"row": row})


def _volume_steps(
    want: Vm, model: DomainModel, state: NodeState, context: _Context, *, only: frozenset[str] | None = None
) -> list[Step]:
    """Plan to make the volumes that are not there. What is there is never made again, but is given its full size."""
    steps = []
    for label in model.labels.volumes:
        if label.unit is not None or (only is not None and label.name not in only):
            continue
        disk = next(disk for disk in model.disks if disk.serial == label.name)
        name = disk.volume
        pool_type = context.pools[label.pool].attributes["type"]
        if name in state.volumes.get(label.pool, frozenset()):
            if name in context.attached:
                raise _RefusedError(
                    f"its volume {label.name} is attached to instance {context.attached[name]}, by pextra_volume",
                    "Detach it there first, or choose another name for the new one.",
                )
            _require_growth(label, disk, state, context)
            kept = {"pool": label.pool, "volume": name, "size": label.size, "target": None, "type": pool_type}
            steps.append(Step("grow_volume", f"keep volume {label.name}, with {label.size} MiB", kept))
            continue
        data: dict[str, Any] = {
            "pool": label.pool,
            "volume": name,
            "size": label.size,
            "mode": "empty",
            "type": pool_type,
            "format": disk.format,
        }
        if label.name == "root" and want.image is not None and want.root is not None:
            image = _image(want.image, context)
            image_size = -(-int(image.attributes["virtual_size"]) // 1024**2)
            if label.size < image_size:
                raise _RefusedError(
                    f"its root volume of {label.size} MiB is smaller than image {image.name} of {image_size} MiB"
                )
            data |= {
                "mode": root_mode(pool_type, want.root.mode),
                "image_volume": _copy_of(image, context.pools[label.pool]),
                "image_format": image_format(pool_type, image.attributes["format"]),
                "image_size": int(image.attributes["virtual_size"]),
                "pool_row": context.pools[label.pool],
            }
        steps.append(Step("create_volume", f"create volume {label.name} in {label.pool}", data))
    return steps


def _seed_step(model: DomainModel, seed: Mapping[str, str], context: _Context) -> Step:
    disk = next(disk for disk in model.disks if disk.serial == "seed")
    pool = context.pools[model.labels.root.pool if model.labels.root else ""]
    data = {"pool": pool.name, "pool_row": pool, "volume": disk.volume, "files": seed}
    return Step("write_seed", "write the cloud-init seed", data)


# Change


def _plan_change(want: Vm, row: Row | None, instance_id: str, current: Domain, context: _Context) -> Work:
    goal = _pinned(want.node, context) if want.node is not None else current.node
    model, seed = model_of(want, instance_id, context, current, goal if goal in context.have.nodes else current.node)
    changes = _compare(current.config, model)
    walked = _walk(want, current, model)
    changes += walked.changes
    autostart = current.autostart if want.autostart is None else want.autostart
    replaced = any(change.when == "replace" for change in changes)
    target = _target_of_move(want, current, model, context)
    here = context.have.nodes[current.node]
    _require_volumes(current, here, context, but_root=replaced)
    if target is None:
        lacking = _unsuitable_changes(current, model, here, replaced)
        lacking += _unsuitable_image(want, here, context) if replaced else []
        _require_suitable(lacking, current.node)
    elif replaced:
        raise _RefusedError("it cannot move and begin again from another image at once", "Do one after the other.")

    power = _plan_power(want, row, current, model, context, replaced, walked)
    _account(model, current, target or current.node, power.wanted, context)
    settled = _attributes(context.have.nodes[target or current.node].row.id, model)
    attributes = settled | ({"power": power.wanted} if want.power is None and power.steps else {})
    if target is not None:
        attributes["origin"] = here.row.id
    steps: list[Step] = []
    if row is None or dict(row.attributes) != attributes:
        steps.append(_register(instance_id, want, context, attributes))
    loses: tuple[str, ...] = ()
    if replaced:
        root_steps, loses = _replace_root(want, current, model, here, context)
        steps += root_steps
    steps += _volume_steps(want, model, here, context, only=_names_of(model) - _names_of(current.config))
    if seed is not None and _needs_seed(current, model, here):
        steps.append(_seed_step(model, seed, context))
    steps += _growth_steps(current, model, replaced, context)
    if changes or not current.persistent:
        steps.append(Step("define", "change the definition", {"model": model, "xml": current.xml, "virt_type": ""}))
    if row is None:
        changes.append(Change("registered", "no", "yes"))
    if current.live is not None and power.keeps_running:
        wanted_live = _as_far_as_named(want, current.live, model)
        steps += _live_steps(current.live, wanted_live)
        steps += [Step("plug", act.text, {"device": act}) for act in walked.acts]
        changes += [*_live_changes(current.live, wanted_live, changes), *walked.drift]
    if current.autostart != autostart:
        changes.append(Change("autostart", current.autostart, autostart))
    if target is not None:
        changes.append(Change("node", current.node, target))
        steps.append(_move_step(want, current, model, target, context, autostart=autostart))
        # From here on it is on the other node.
        steps += [replace(step, data={**step.data, "on": target}) for step in power.steps]
    else:
        if current.autostart != autostart:
            steps.append(Step("autostart", "set autostart", {"autostart": autostart}))
        steps += power.steps
    # Also after a move where they were seen: what has moved is in shared pools.
    used = [model, *([current.live] if power.keeps_running and current.live is not None else [])]
    stale = _stale_seeds(want, instance_id, used, here, context)
    steps += stale
    changes += [Change("cloud_init.old_seeds", len(stale), 0)] if stale else []
    if attributes != settled:
        text = "note that it has moved" if target is not None else f"note that it is {power.wanted}"
        steps.append(_settle(instance_id, want, context, settled, text))
    if power.wanted != current.power:
        changes.append(Change("power", current.power, power.wanted))
    return Work(
        kind="instance",
        name=want.name,
        id=instance_id,
        node=current.node,
        steps=tuple(steps),
        changes=tuple(dict.fromkeys([*changes, *power.changes])),
        pending=power.pending,
        loses=loses,
        uses=_uses(model, (current.node, *([target] if target else [])), context),
        takes=_takes(model, context),
        room=_room(model, current, power.wanted, context.have.nodes[target or current.node]),
    )


def _walk(want: Vm, current: Domain, model: DomainModel) -> Walked:
    """Compare aspects and devices, and refuse what the definition cannot become."""
    obstacle = find_obstacle(current.xml, model.memory) if current.xml else None
    if obstacle is not None:
        raise _RefusedError(*obstacle)
    if current.xml and (want.further or model.vcpus != current.config.vcpus or model.memory != current.config.memory):
        refusals = walk.refuse(ET.fromstring(edit_domain(current.xml, model)))
        if refusals:
            what = "; ".join(f"{refusal.path}: {refusal.what}" for refusal in refusals)
            raise _RefusedError(what, " ".join(dict.fromkeys(refusal.remedy for refusal in refusals)))
    if not want.further:
        return Walked()
    live = ET.fromstring(current.live_xml) if current.live_xml else None
    return walk.compare(ET.fromstring(current.xml), live, want.further)


def _stale_seeds(
    want: Vm, instance_id: str, used: Sequence[DomainModel], here: NodeState, context: _Context
) -> list[Step]:
    """Plan to delete the seeds that none of `used` has: they hold the hashes of passwords.

    The one that a running guest was started with stays until the first run after its next start.
    """
    names = {disk.volume for model in used if (disk := _disk_of("seed", model)) is not None}
    return [
        _delete_step(pool, volume, "destroy an old cloud-init seed", context)
        for pool, volumes in sorted(here.volumes.items())
        for volume in sorted(volumes - names)
        if is_seed_of(volume, want.name, instance_id)
    ]


def _as_far_as_named(want: Vm, live: DomainModel, model: DomainModel) -> DomainModel:
    """Return the model for a running guest, in which what the call does not name is as it runs."""
    if want.nics is None:
        model = replace(model, interfaces=live.interfaces)
    if want.volumes is None:
        model = replace(model, disks=live.disks)
    return model


def _room(model: DomainModel, current: Domain, power: str, there: NodeState) -> Room:
    """Return the room that it takes where it is to be. Until it has restarted it has what it had."""
    runs = power != "stopped" or current.power != "stopped"
    return Room(there.row.id, max(model.memory, current.config.memory), runs, model.labels.anti_affinity)


def _uses(model: DomainModel, nodes: Sequence[str], context: _Context) -> tuple[str, ...]:
    """Return what must not be taken away while the instance is being made or changed."""
    keys = [f"cluster {context.cluster.name}", *(f"node {node}" for node in nodes)]
    keys += [f"pool {label.pool}" for label in model.labels.volumes]
    keys += [f"image {model.labels.image}"] if model.labels.image else []
    keys += [key for nic in model.interfaces for key in (f"vswitch {nic.network}", f"port_group {nic.port_group}")]
    return tuple(dict.fromkeys(keys))


def _takes(model: DomainModel, context: _Context) -> tuple[str, ...]:
    """Return what the instance alone may have."""
    units = [
        _unit_of(context.pools[label.pool], label.unit) for label in model.labels.volumes if label.unit is not None
    ]
    return (*units, *_keys_of_nics(model, context))


def _keys_of_nics(model: DomainModel, context: _Context) -> list[str]:
    """Return what an instance's NICs take: their MACs, and the addresses that its guest was told."""
    keys = [key_of_mac(nic.mac) for nic in model.interfaces]
    # Networks of other clusters are others, whatever they are called.
    for label, nic in _named_nics(model) if model.labels.cluster == context.cluster.id else ():
        keys += keys_of_addresses(_network(nic.network, nic.port_group, context), label.addresses)
    return keys


def _network(vswitch: str, port_group: str, context: _Context) -> str:
    """Return what the network of a NIC is told by: port groups of one VLAN on one vSwitch are one."""
    row = context.port_groups.get(port_group)
    vlan = f"vlan {row.attributes.get('vlan') or 0}" if row is not None else port_group
    return f"{context.cluster.id} {vswitch} {vlan}"


@dataclass(frozen=True)
class _Power:
    """What becomes of the power state. changes take effect by a restart; pending ones wait for one."""

    wanted: str
    steps: tuple[Step, ...]
    keeps_running: bool
    changes: tuple[Change, ...] = ()
    pending: tuple[Change, ...] = ()


def _plan_power(
    want: Vm, row: Row | None, current: Domain, model: DomainModel, context: _Context, replaced: bool, walked: Walked
) -> _Power:
    # What a killed run was about to do counts for more than what it left.
    wanted = want.power or (row.attributes.get("power") if row else None) or current.power
    is_active = current.power != "stopped"
    if replaced or not is_active or wanted == "stopped":
        now = "stopped" if replaced else current.power
        return _Power(wanted, tuple(_power_steps(now, wanted, context)), keeps_running=False)
    named = {
        "memory": want.memory is not None,
        "vcpus": want.vcpus is not None,
        "cloud_init": want.cloud_init is not None or want.nics is not None,
    }
    known = _waiting_for_restart(current.live, model) if current.live is not None else []
    # A call that does not name it neither tells of it nor restarts for it.
    waiting = tuple(change for change in known if named.get(change.field, True)) + walked.pending
    if waiting and context.consent.allow_restart:
        steps = [*_stop_steps(current.power, context), *_power_steps("stopped", wanted, context)]
        return _Power(wanted, tuple(steps), keeps_running=False, changes=waiting)
    return _Power(wanted, tuple(_power_steps(current.power, wanted, context)), keeps_running=True, pending=waiting)


def _unsuitable_changes(current: Domain, model: DomainModel, here: NodeState, replaced: bool) -> list[str]:
    """Return what the node lacks for what is new. What the instance has already is no reason to leave it unplanned."""
    known = set() if replaced else _names_of(current.config)
    problems = [
        f"storage pool {label.pool} is not available there"
        for label in model.labels.volumes
        if label.name not in known and label.pool not in here.volumes
    ]
    if model.vcpus > current.config.vcpus:
        problems += _too_many_vcpus(model.vcpus, here)
    attached = {*current.config.interfaces, *(current.live.interfaces if current.live else ())}
    problems += [
        f"port group {nic.port_group} needs {nic.network}, which is not there"
        for nic in model.interfaces
        if nic not in attached and nic.network not in here.networks
    ]
    return list(dict.fromkeys(problems))


def _names_of(model: DomainModel) -> frozenset[str]:
    return frozenset(label.name for label in model.labels.volumes)


def _disk_of(serial: str, model: DomainModel) -> Disk | None:
    return next((disk for disk in model.disks if disk.serial == serial), None)


def _needs_seed(current: Domain, model: DomainModel, here: NodeState) -> bool:
    disk, root = _disk_of("seed", model), model.labels.root
    if disk is None or root is None:
        return False
    is_there = disk.volume in here.volumes.get(root.pool, {disk.volume})
    return current.config.labels.seed != model.labels.seed or not is_there


def _compare(before: DomainModel, after: DomainModel) -> list[Change]:
    """Return the differences between the definition and the declared state, for people and for planning."""
    changes: list[Change] = []
    for name in ("memory", "vcpus"):
        if getattr(before, name) != getattr(after, name):
            changes.append(Change(name, getattr(before, name), getattr(after, name), "next_boot"))
    if before.held_back != after.held_back and before.memory == after.memory:
        changes.append(Change("memory", before.memory - before.held_back, after.memory, "next_boot"))
    if before.description != after.description:
        changes.append(Change("description", before.description, after.description))
    old, new = before.labels, after.labels
    for name in ("organization", "anti_affinity", "tags", "addresses"):
        if getattr(old, name) != getattr(new, name):
            changes.append(Change(name, getattr(old, name) or None, getattr(new, name) or None))
    if (old.root is None) != (new.root is None):
        raise _RefusedError(
            "it has no root volume, and cannot get one" if old.root is None else "it cannot lose its root volume",
            "Declare it as it is. What is to be otherwise can be an instance of another name, beside it.",
        )
    if old.image != new.image:
        changes.append(Change("image", old.image, new.image, "replace"))
    elif old.root_mode != new.root_mode:
        raise _RefusedError(
            f"its root volume is of mode {old.root_mode}, and cannot become {new.root_mode}",
            f"Leave out mode, or declare {old.root_mode}; an instance of another name can have the other.",
        )
    if old.seed != new.seed:
        changes.append(Change("cloud_init", old.seed and old.seed[:12], new.seed and new.seed[:12], "next_boot"))
    changes += _compare_volumes(old, new)
    changes += _compare_disks(before, after)
    interfaces = _compare_interfaces(before, after)
    was, is_ = (tuple(label.name for label in labels.nics) for labels in (old, new))
    if not interfaces and was != is_:
        interfaces.append(Change("nics", was, is_))
    return changes + interfaces


def _compare_disks(before: DomainModel, after: DomainModel) -> list[Change]:
    """Return the disks that are not as their volumes want them, though nothing new was declared of those."""
    same = _names_of(before) & _names_of(after) | ({"seed"} if before.labels.seed == after.labels.seed else set())
    return [
        Change(f"disks.{disk.serial}", _show_disk(_disk_of(disk.serial, before)), _show_disk(disk), "next_boot")
        for disk in after.disks
        if disk.serial in same and disk != _disk_of(disk.serial, before)
    ]


def _show_disk(disk: Disk | None) -> str | None:
    if disk is None:
        return None
    return f"{disk.target}, {disk.path}, {disk.format}{', read-only' if disk.read_only else ''}"


def _compare_volumes(old: Labels, new: Labels) -> list[Change]:
    before = {volume.name: volume for volume in old.volumes}
    after = {volume.name: volume for volume in new.volumes}
    changes = []
    for name in sorted(before.keys() | after.keys()):
        was, is_ = before.get(name), after.get(name)
        if was is not None and is_ is not None and was.pool != is_.pool:
            raise _RefusedError(
                f"its volume {name} is in storage pool {was.pool}, and cannot move to {is_.pool}",
                "Volumes stay in their pool; make a new one there and copy inside the guest.",
            )
        is_replaced = name == "root" and old.image != new.image
        if was is not None and is_ is not None and is_.size < was.size and not is_replaced:
            raise _RefusedError(
                f"its volume {name} has {was.size} MiB, and cannot shrink to {is_.size} MiB",
                "Shrinking destroys what lies beyond; declare the old size again.",
            )
        if was is not None and is_ is not None and was.unit != is_.unit:
            raise _RefusedError(
                f"its volume {name} is {was.unit or 'a volume of its own'}, and cannot become "
                f"{is_.unit or 'a volume of its own'}",
                "Give the other one another name.",
            )
        if was is None or is_ is None or was.size != is_.size:
            changes.append(_change_of_volume(was, is_))
    return changes


def _change_of_volume(was: VolumeLabel | None, is_: VolumeLabel | None) -> Change:
    either = is_ or was
    if either is None:
        raise ValueError("a change needs what was or what is")
    if either.unit is not None:
        return Change(f"volumes.{either.name}.unit", was and was.unit, is_ and is_.unit)
    return Change(f"volumes.{either.name}.size", was and was.size, is_ and is_.size)


def _compare_interfaces(before: DomainModel, after: DomainModel) -> list[Change]:
    old = {interface.mac: interface for interface in before.interfaces}
    new = {interface.mac: interface for interface in after.interfaces}
    names = {one.mac: label.name for model in (before, after) for label, one in _named_nics(model)}
    changes = []
    for mac in [*old, *(mac for mac in new if mac not in old)]:
        was, is_ = old.get(mac), new.get(mac)
        name = names.get(mac, mac)
        if was is None or is_ is None or _place_of(was) != _place_of(is_):
            changes.append(
                Change(
                    f"nics.{name}.port_group",
                    was and f"{was.port_group} ({was.network})",
                    is_ and f"{is_.port_group} ({is_.network})",
                )
            )
        if was is not None and is_ is not None and was.offload != is_.offload:
            changes.append(Change(f"nics.{name}.offload", _on(was.offload), _on(is_.offload), "next_boot"))
    return changes


def _place_of(interface: Interface) -> tuple[str, str]:
    return interface.network, interface.port_group


def _on(value: bool) -> str:
    return "on" if value else "off"


def _waiting_for_restart(live: DomainModel, model: DomainModel) -> list[Change]:
    """Return what the running guest does not have yet."""
    waiting = []
    for name in ("memory", "vcpus"):
        if getattr(live, name) != getattr(model, name):
            waiting.append(Change(name, getattr(live, name), getattr(model, name), "next_boot"))
    if _disk_of("seed", live) != _disk_of("seed", model):
        waiting.append(Change("cloud_init", "as at the last start", "as declared", "next_boot"))
    waiting += [change for change in _compare_interfaces(live, model) if change.when == "next_boot"]
    waiting += [
        Change(f"disks.{disk.serial}", _show_disk(old), _show_disk(disk), "next_boot")
        for disk in model.disks
        if disk.serial != "seed" and (old := _disk_of(disk.serial, live)) is not None and _waits(old, disk)
    ]
    return waiting


def _waits(old: Disk, disk: Disk) -> bool:
    """Tell whether a running guest's disk differs from its definition in what only a start can change."""
    return (old.target, old.path, old.format, old.read_only) != (disk.target, disk.path, disk.format, disk.read_only)


def _live_steps(live: DomainModel, model: DomainModel) -> list[Step]:
    """Plan what the running guest can have at once: NICs, further volumes, labels."""
    steps: list[Step] = []
    old = {interface.mac: interface for interface in live.interfaces}
    new = {interface.mac: interface for interface in model.interfaces}
    for mac, interface in old.items():
        if mac not in new:
            steps.append(Step("detach_nic", f"detach the NIC {mac}", {"interface": interface}))
    for mac, interface in new.items():
        if mac not in old:
            steps.append(Step("attach_nic", f"attach the NIC {mac}", {"interface": interface}))
        elif _place_of(interface) != _place_of(old[mac]):
            # A port of a switch cannot become one of another: it is unplugged there and plugged in here.
            act = "update_nic" if interface.network == old[mac].network else "replug_nic"
            steps.append(Step(act, f"move the NIC {mac} to {interface.port_group}", {"interface": interface}))
    attached = {disk.serial: disk for disk in live.disks}
    wanted = {disk.serial: disk for disk in model.disks}
    for serial, disk in attached.items():
        if serial not in wanted and serial not in ("root", "seed"):
            steps.append(Step("detach_disk", f"detach volume {serial}; its data stays", {"disk": disk}))
    for serial, disk in wanted.items():
        if serial not in attached and serial not in ("root", "seed"):
            steps.append(Step("attach_disk", f"attach volume {serial}", {"disk": disk}))
    if live.labels != model.labels:
        steps.append(Step("label", "write its labels", {"labels": model.labels}))
    return steps


def _live_changes(live: DomainModel, model: DomainModel, known: Sequence[Change]) -> list[Change]:
    """Return what the running guest alone has otherwise: drift, or what a killed run has left."""
    fields = {change.field for change in known}
    changes = [
        change for change in _compare_interfaces(live, model) if change.field not in fields and change.when == "live"
    ]
    attached, wanted = ({disk.serial for disk in found.disks} - {"root", "seed"} for found in (live, model))
    for serial in sorted(attached ^ wanted):
        if not fields & {f"volumes.{serial}.size", f"volumes.{serial}.unit"}:
            is_, should = serial in attached, serial in wanted
            changes.append(Change(f"volumes.{serial}.attached", is_, should))
    if live.labels != model.labels and not known and not changes:
        changes.append(Change("labels", "not as declared", "as declared"))
    return changes


def _growth_steps(current: Domain, model: DomainModel, replaced: bool, context: _Context) -> list[Step]:
    before = {volume.name: volume.size for volume in current.config.labels.volumes}
    steps = []
    for label in model.labels.volumes:
        disk = _disk_of(label.name, model)
        if disk is None or label.size <= before.get(label.name, label.size) or (replaced and label.name == "root"):
            continue
        _require_growth(label, disk, context.have.nodes[current.node], context)
        in_use = _disk_of(label.name, current.live) if current.live is not None and not replaced else None
        data = {
            "pool": label.pool,
            "volume": disk.volume,
            "size": label.size,
            "target": in_use.target if in_use else None,
            "type": context.pools[label.pool].attributes["type"],
        }
        steps.append(Step("grow_volume", f"grow volume {label.name} to {label.size} MiB", data))
    return steps


def _require_growth(label: VolumeLabel, disk: Disk, here: NodeState, context: _Context) -> None:
    """Where libvirt cannot make a volume larger it must have been made so by hand."""
    pool = context.pools[label.pool]
    size = here.sizes.get(label.pool, {}).get(disk.volume, 0)
    if _kind(pool).grows or size >= label.size * 1024**2:
        return
    by_hand = {
        "lvm": f"lvextend --size {label.size}m {pool.name}/{disk.volume}",
        "zfs": f"zfs set volsize={label.size}M {pool.name}/{disk.volume}",
    }[pool.attributes["type"]]
    raise _RefusedError(
        f"its volume {label.name} has {size // 1024**2} MiB, and libvirt cannot make it larger in a pool of type "
        f"{pool.attributes['type']}",
        f"On {here.row.name}: {by_hand} && virsh pool-refresh {pool.name}; then run again, and the guest sees it.",
    )


def _require_volumes(current: Domain, here: NodeState, context: _Context, *, but_root: bool) -> None:
    """An instance that exists has its volumes. One that is gone is data lost: never made again in silence.

    A killed run that was to replace the root volume may have destroyed it and not yet made the new one.
    """
    for label in current.config.labels.volumes:
        disk, names = _disk_of(label.name, current.config), here.volumes.get(label.pool)
        if disk is None or names is None or label.pool not in context.pools or (but_root and label.name == "root"):
            continue
        if disk.volume not in names:
            runs_in = current.config.name if current.live is not None else None
            what = f"its volume {label.name} ({disk.path})"
            raise _FailedError(explain_missing(what, context.pools[label.pool], current.node, runs_in=runs_in))


def _replace_root(
    want: Vm, current: Domain, model: DomainModel, here: NodeState, context: _Context
) -> tuple[list[Step], tuple[str, ...]]:
    """Return what makes the root volume anew, and what that destroys."""
    label, disk = model.labels.root, _disk_of("root", model)
    steps: list[Step] = []
    loses: tuple[str, ...] = ()
    if label is None or disk is None:
        return steps, loses
    if current.power != "stopped":
        if not context.consent.force_stop:
            raise _RefusedError(
                f"beginning again from image {model.labels.image} needs it stopped",
                "Set power: stopped first, or force_stop: true.",
            )
        steps += _stop_steps(current.power, context)
    names = here.volumes.get(label.pool, frozenset())
    if disk.volume in names:
        old = current.config.labels.image
        loses = (f"the root volume of {want.name}" + (f", made from image {old}" if old else ""),)
        steps.append(_delete_step(label.pool, disk.volume, "destroy its root volume", context))
        here = replace(here, volumes={**here.volumes, label.pool: names - {disk.volume}})
    return steps + _volume_steps(want, model, here, context, only=frozenset({"root"})), loses


# Moving


def _target_of_move(want: Vm, current: Domain, model: DomainModel, context: _Context) -> str | None:
    """Return the node that the instance must move to, or None. Refuses what cannot move."""
    if want.node is None:
        return None
    target = _pinned(want.node, context)
    if target == current.node:
        return None
    if target in context.have.down:
        raise _FailedError(context.have.down[target])
    problems = []
    for name in dict.fromkeys(_pools_of(want, current)):
        pool = _pool(name, context)
        if not pool.attributes.get("shared"):
            problems.append(f"storage pool {pool.name} is not shared between nodes")
    problems += _find_bound(current, target, context)
    problems += _unsuitable(want, target, context, current)
    here, there = context.have.nodes[current.node], context.have.nodes[target]
    if here.virt_type != there.virt_type and current.power != "stopped":
        problems.append(f"{current.node} runs instances with {here.virt_type}, {target} with {there.virt_type}")
    capacity = context.capacities[target]
    runs = (want.power or current.power) != "stopped"
    if runs and capacity.free < model.memory:
        problems.append(f"{target} has {capacity.free} MiB of memory free, {model.memory} needed")
    if model.labels.anti_affinity in capacity.groups:
        problems.append(f"{target} holds another instance of anti-affinity {model.labels.anti_affinity}")
    if problems:
        raise _RefusedError(
            f"it cannot move from {current.node} to {target}: {'; '.join(problems)}",
            f"Set node: {current.node}, or mend what stands in the way.",
        )
    return target


def _find_bound(current: Domain, target: str, context: _Context) -> list[str]:
    """Return which volumes that live on their own, attached by pextra_volume, keep an instance from moving."""
    problems = []
    for one in parse_attachments(current.xml):
        name = one.volume.name if one.volume else one.disk.volume
        pool = _pool_of(one.disk, context)
        if pool is None:
            problems.append(f"volume {name}, which is attached to it, lies in no storage pool of the cluster")
        elif not pool.attributes.get("shared"):
            problems.append(f"volume {name} is attached to it, and its storage pool {pool.name} is not shared")
        elif pool.name not in context.have.nodes[target].volumes:
            problems.append(f"storage pool {pool.name}, with its volume {name}, is not available there")
        elif current.power != "stopped" and one.cache not in ("none", "directsync"):
            problems.append(f"volume {name} has cache {one.cache}: the other node would read what is not written yet")
    return problems


def _pool_of(disk: Disk, context: _Context) -> Row | None:
    """Return the pool that a disk's volume lies in."""
    return next(
        (
            pool
            for pool in context.pools.values()
            if volume_place(pool.attributes["type"], pool.name, pool.attributes, disk.volume) == disk.path
        ),
        None,
    )


def _account(model: DomainModel, current: Domain, node: str, power: str, context: _Context) -> None:
    """Count an instance as it will be, instead of as it is."""
    before, after = context.capacities[current.node], context.capacities[node]
    before.take(-current.config.memory, runs=current.power != "stopped")
    after.take(model.memory, runs=power != "stopped")
    if node != current.node and current.config.labels.anti_affinity is not None:
        before.groups.discard(current.config.labels.anti_affinity)
    if model.labels.anti_affinity is not None:
        after.groups.add(model.labels.anti_affinity)


def _move_step(
    want: Vm, current: Domain, model: DomainModel, target: str, context: _Context, *, autostart: bool
) -> Step:
    is_active = current.power != "stopped"
    attached = tuple(one.disk for one in parse_attachments(current.xml))
    rows: list[Row | None] = [
        *(_pool(name, context) for name in _pools_of(want, current)),
        *(_pool_of(disk, context) for disk in attached),
    ]
    pools = tuple(dict.fromkeys(row.name for row in rows if row is not None))
    there = context.have.nodes[target].virt_type
    xml = current.xml if context.have.nodes[current.node].virt_type == there else convert_domain(current.xml, there)
    data = {"target": target, "model": model, "xml": xml, "live": is_active, "pools": pools, "attached": attached}
    return Step("move", f"move {'live ' if is_active else ''}to {target}", data | {"autostart": autostart})


# Power


def _power_steps(now: str, wanted: str, context: _Context) -> list[Step]:
    if now == wanted:
        return []
    if wanted == "stopped":
        return _stop_steps(now, context)
    if now == "stopped":
        return [Step("start", "start" if wanted == "running" else "start paused", {"paused": wanted == "paused"})]
    return [Step("resume", "resume") if wanted == "running" else Step("suspend", "pause")]


def _stop_steps(now: str, context: _Context) -> list[Step]:
    """The guest is asked first, and has its time. Only then is its power cut, where the call allows that."""
    is_forced, timeout_s = context.consent.force_stop, context.consent.stop_timeout_s
    text = f"stop, by force after {timeout_s} s" if is_forced else "stop"
    stop = Step("stop", text, {"timeout_s": timeout_s, "is_forced": is_forced})
    # A paused guest does not feel its power button.
    return [Step("resume", "resume", {"may_fail": is_forced}), stop] if now == "paused" else [stop]


# Absence


def _plan_absence(
    want: Vm, row: Row | None, current: Domain | None, leftovers: Sequence[Domain], context: _Context
) -> Work:
    """A stopped instance can be removed; its volumes only on request, and with consent."""
    if current is None and row is None:
        return Work(kind="instance", name=want.name)
    steps: list[Step] = []
    loses: list[str] = []
    node = current.node if current else _node_name(row.attributes.get("node"), context) if row else None
    instance_id = row.id if row else current.config.labels.id if current else None
    if current is not None:
        if current.power != "stopped":
            if not context.consent.force_stop:
                raise _RefusedError(
                    f"it is {current.power}; only a stopped instance can be removed",
                    "Set power: stopped first, or force_stop: true.",
                )
            steps += _stop_steps(current.power, context)
        steps.append(Step("undefine", "remove its definition", {"node": current.node, "uuid": current.config.uuid}))
        steps += [_undefine_leftover(left) for left in leftovers]
    state = context.have.nodes.get(node) if node else None
    if state is not None and instance_id is not None:
        if current is not None and context.consent.remove_volumes:
            missing = sorted({label.pool for label in current.config.labels.volumes} - state.volumes.keys())
            if missing:
                what = f"storage pool {missing[0]} is not available, so its volumes there cannot be removed"
                raise _FailedError(Problem(what, "Mend the pool first, or keep the volumes.", node))
        for pool, names in sorted(state.volumes.items()):
            for name in sorted(name for name in names if is_of_instance(name, want.name, instance_id)):
                is_seed = name.endswith(".iso")
                if not is_seed and not context.consent.remove_volumes:
                    continue
                if not is_seed:
                    loses.append(f"volume {name} in {pool}")
                steps.append(_delete_step(pool, name, f"destroy {name}", context))
    steps.append(Step("unregister", "forget", {"id": instance_id}))
    return Work(
        kind="instance",
        name=want.name,
        id=instance_id,
        node=node,
        steps=tuple(steps),
        changes=(Change("name", want.name, None),),
        loses=tuple(loses),
    )
