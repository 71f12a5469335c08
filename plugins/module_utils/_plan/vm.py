"""Instances: what to do so that they are as declared. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._errors import Problem
from .._ids import mac_of, new_id, uuid_of
from .._names import data_volume, image_volume, root_volume, seed_volume
from .._spec.cloud_init import digest_of, render_seed
from .._spec.vm import Nic, Vm
from .._xml.domain import Disk, DomainModel, Interface, Labels, VolumeLabel
from ._rows import Row
from ._types import Change, Plan, Step, Work
from .hierarchy import Hierarchy, find, find_cluster
from .placement import Capacity, choose_node


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


@dataclass(frozen=True)
class NodeState:
    """A node that answers. volumes: names by pool, for the pools that are active there."""

    row: Row
    virt_type: str
    capacity: Capacity
    networks: frozenset[str]
    volumes: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class VmHave:
    """domains are ours, by UUID; foreign are the names of the others, by node; down says why nodes do not answer."""

    hierarchy: Hierarchy
    nodes: Mapping[str, NodeState]
    domains: Mapping[str, Sequence[Domain]]
    foreign: Mapping[str, frozenset[str]]
    down: Mapping[str, Problem]

    def rows(self, kind: str, cluster_id: str) -> list[Row]:
        return [row for row in self.hierarchy.members if row.kind == kind and row.scope == cluster_id]


@dataclass(frozen=True)
class Consent:
    """What the call allows beyond the declared state."""

    allow_restart: bool = False
    force_stop: bool = False
    remove_volumes: bool = False


class _RefusedError(Exception):
    """Ends the planning of one instance, before anything is touched."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class _UnreachableNodeError(Exception):
    """Ends the planning of one instance: the others go on."""

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
    by_name: dict[str, list[Domain]] = field(default_factory=dict)

    @classmethod
    def of(cls, cluster: Row, have: VmHave, consent: Consent) -> _Context:
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
        for domains in have.domains.values():
            if domains[0].config.labels.cluster == cluster.id:
                context.by_name.setdefault(domains[0].config.name, []).extend(domains)
        return context


def plan_vms(wants: Sequence[Vm], have: VmHave, consent: Consent) -> Plan:
    """Return what takes every instance to its declared state."""
    works: list[Work] = []
    refusals: list[Problem] = []
    failures: list[Problem] = []
    contexts: dict[str, _Context] = {}
    for want in wants:
        label = f"instance {want.name}"
        cluster = find_cluster(want.cluster, have.hierarchy.clusters)
        if isinstance(cluster, str):
            refusals.append(Problem(cluster, resource=label))
            continue
        if cluster.id not in contexts:
            contexts[cluster.id] = _Context.of(cluster, have, consent)
        try:
            works.append(_plan_one(want, contexts[cluster.id]))
        except _RefusedError as refused:
            refusals.append(Problem(refused.what, refused.remedy, resource=label))
        except _UnreachableNodeError as error:
            failures.append(replace(error.problem, resource=label))
    return Plan(works=tuple(works), refusals=tuple(refusals), failures=tuple(failures))


def _plan_one(want: Vm, context: _Context) -> Work:
    row = context.instances.get(want.name)
    domains = list(context.by_name.get(want.name, ()))
    instance_id = row.id if row else domains[0].config.labels.id if domains else new_id("instance")
    current, leftovers = _pick(want, row, domains, context)
    if want.state == "absent":
        return _plan_absence(want, row, current, leftovers, context)
    for name, foreign in context.have.foreign.items():
        if want.name in foreign and current is None:
            raise _RefusedError(
                f"{name} runs a virtual machine of this name that is not ours",
                "Choose another name; what is not ours is never touched.",
            )
    if current is None:
        node = _place(want, row, context)
        steps, changes = _plan_creation(want, row, instance_id, node, context)
        work = Work(kind="instance", name=want.name, id=instance_id, node=node, steps=steps, changes=changes)
    else:
        work = _plan_change(want, row, instance_id, current, context)
    clean = tuple(
        Step(
            "undefine", f"remove the leftover definition on {left.node}", {"node": left.node, "uuid": left.config.uuid}
        )
        for left in leftovers
    )
    return replace(work, steps=(*work.steps, *clean))


def _pick(
    want: Vm, row: Row | None, domains: Sequence[Domain], context: _Context
) -> tuple[Domain | None, list[Domain]]:
    """Return the domain that is the instance, and definitions that a killed move has left behind."""
    if not domains:
        if row is not None:
            home = _node_name(row.attributes.get("node"), context)
            if home is not None and home in context.have.down:
                raise _UnreachableNodeError(context.have.down[home])
        return None, []
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
    row = find(reference, context.have.rows("node", context.cluster.id)) if reference else None
    return row.name if row else None


# Placement


def _place(want: Vm, row: Row | None, context: _Context) -> str:
    """Return the node for an instance that is defined nowhere. A killed run's choice stands."""
    chosen = _node_name(row.attributes.get("node"), context) if row else None
    if want.node is not None:
        pinned = _node_name(want.node, context)
        if pinned is None:
            raise _RefusedError(f'there is no node "{want.node}" in cluster {context.cluster.name}')
        chosen = pinned
    if chosen is not None:
        if chosen in context.have.down:
            raise _UnreachableNodeError(context.have.down[chosen])
        problems = _unsuitable(want, chosen, context)
        if problems:
            raise _RefusedError(f"{chosen} cannot take it: {'; '.join(problems)}")
        node = chosen
    else:
        reasons = {name: _unsuitable(want, name, context) for name in context.have.nodes}
        candidates = [name for name, problems in reasons.items() if not problems and _is_member(name, context)]
        needed = want.memory if want.power != "stopped" else 0
        found = choose_node(candidates, context.capacities, memory=needed, anti_affinity=want.anti_affinity)
        if found is None:
            raise _RefusedError(_why_nowhere(want, reasons, context))
        node = found
    capacity = context.capacities[node]
    capacity.take(want.memory, runs=want.power != "stopped")
    if want.anti_affinity:
        capacity.groups.add(want.anti_affinity)
    return node


def _is_member(node: str, context: _Context) -> bool:
    return context.have.nodes[node].row.scope == context.cluster.id


def _why_nowhere(want: Vm, reasons: Mapping[str, Sequence[str]], context: _Context) -> str:
    parts = []
    for name, problems in sorted(reasons.items()):
        capacity = context.capacities[name]
        if problems:
            parts.append(f"{name}: {'; '.join(problems)}")
        elif capacity.free < want.memory:
            parts.append(f"{name}: {capacity.free} MiB of memory free, {want.memory} needed")
        else:
            parts.append(f"{name}: holds another instance of anti-affinity {want.anti_affinity}")
    parts += [f"{name}: does not answer" for name in sorted(context.have.down)]
    return f"no node can take it ({', '.join(parts) or 'the cluster has none'})"


def _unsuitable(want: Vm, node: str, context: _Context) -> list[str]:
    """Return why a node cannot run the instance, memory and anti-affinity apart."""
    state = context.have.nodes[node]
    problems = []
    for name in dict.fromkeys(_pools_of(want)):
        pool = _pool(name, context)
        if pool.name not in state.volumes:
            problems.append(f"storage pool {pool.name} is not available there")
    for nic in want.nics:
        vswitch = _vswitch(nic, context)
        if vswitch not in state.networks:
            problems.append(f"port group {nic.port_group} needs {vswitch}, which is not there")
    if want.image and want.root:
        image, pool = _image(want.image, context), _pool(want.root.pool, context)
        name = image_volume(image.id, image.attributes["format"])
        if pool.name in state.volumes and name not in state.volumes[pool.name]:
            problems.append(f"image {image.name} has no copy in storage pool {pool.name} there")
    return problems


def _pools_of(want: Vm) -> list[str]:
    return [*([want.root.pool] if want.root else []), *(volume.pool for volume in want.volumes)]


def _pool(reference: str, context: _Context) -> Row:
    row = context.pools.get(reference)
    if row is None:
        raise _RefusedError(f'there is no storage pool "{reference}"', _known("storage pools", context.pools))
    return row


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
        raise _RefusedError(f'there is no organization "{want.organization}"')
    return row.id


# The declared state


def model_of(
    want: Vm, instance_id: str, context: _Context, current: DomainModel | None
) -> tuple[DomainModel, dict[str, str] | None]:
    """Return the domain as declared, and the files of its seed (None: it has none)."""
    macs = [(nic.mac or mac_of(instance_id, str(index))).lower() for index, nic in enumerate(want.nics)]
    disks: list[Disk] = []
    volumes: list[VolumeLabel] = []
    had = {volume.name: volume for volume in current.labels.volumes} if current else {}
    seed: dict[str, str] | None = None
    if want.root is not None:
        pool = _pool(want.root.pool, context)
        size = want.root.size or (had["root"].size if "root" in had else _image_size_mib(want, context))
        volumes.append(VolumeLabel(name="root", pool=pool.name, size=size))
        disks.append(_disk("vda", pool, root_volume(want.name, instance_id), "root"))
        if want.image is not None:
            seed = render_seed(want, instance_id, macs)
    taken = {disk.serial: disk.target for disk in current.disks} if current else {}
    free = (f"vd{letter}" for letter in "bcdefghijklmnopqrstuvwxy")
    for volume in want.volumes:
        pool = _pool(volume.pool, context)
        # A volume keeps its place when others come and go.
        target = taken.get(volume.name) or next(name for name in free if name not in taken.values())
        taken[volume.name] = target
        volumes.append(VolumeLabel(name=volume.name, pool=pool.name, size=volume.size))
        disks.append(_disk(target, pool, data_volume(want.name, instance_id, volume.name), volume.name))
    digest = digest_of(seed) if seed is not None else None
    if digest is not None and want.root is not None:
        pool = _pool(want.root.pool, context)
        disks.append(
            Disk(
                target="vdz",
                path=f"{pool.attributes['path']}/{seed_volume(want.name, instance_id, digest)}",
                serial="seed",
                format="raw",
                read_only=True,
            )
        )
    interfaces = tuple(
        Interface(mac=mac, network=_vswitch(nic, context), port_group=_port_group(nic, context).name)
        for nic, mac in zip(want.nics, macs, strict=True)
    )
    labels = Labels(
        id=instance_id,
        cluster=context.cluster.id,
        organization=current.labels.organization
        if current is not None and want.organization is None
        else _organization(want, context),
        image=_image(want.image, context).name if want.image else None,
        root_mode=want.root.mode if want.root else None,
        anti_affinity=want.anti_affinity,
        seed=digest,
        tags=want.tags,
        volumes=tuple(volumes),
        addresses=tuple(tuple(nic.addresses or ()) for nic in want.nics),
    )
    model = DomainModel(
        name=want.name,
        uuid=uuid_of(instance_id),
        memory=want.memory,
        vcpus=want.vcpus,
        disks=tuple(disks),
        interfaces=interfaces,
        description=current.description if current is not None and want.description is None else want.description,
        labels=labels,
    )
    return model, seed


def _disk(target: str, pool: Row, volume: str, serial: str) -> Disk:
    return Disk(target=target, path=f"{pool.attributes['path']}/{volume}", serial=serial)


def _image_size_mib(want: Vm, context: _Context) -> int:
    if want.image is None:
        raise _RefusedError("the root volume needs a size, since there is no image")
    return -(-int(_image(want.image, context).attributes["virtual_size"]) // 1024**2)


def _attributes(want: Vm, node_id: str, model: DomainModel) -> dict[str, Any]:
    """Return what the registry keeps of an instance."""
    kept = {
        "node": node_id,
        "organization": model.labels.organization,
        "anti_affinity": want.anti_affinity,
        "memory": want.memory,
        "image": model.labels.image,
    }
    return {key: value for key, value in kept.items() if value is not None}


# Creation


def _plan_creation(
    want: Vm, row: Row | None, instance_id: str, node: str, context: _Context
) -> tuple[tuple[Step, ...], tuple[Change, ...]]:
    model, seed = model_of(want, instance_id, context, None)
    state = context.have.nodes[node]
    attributes = _attributes(want, state.row.id, model)
    steps: list[Step] = []
    if row is None or row.attributes != attributes:
        steps.append(_register(instance_id, want, context, attributes))
    steps += _volume_steps(want, model, state, context)
    if seed is not None and want.root is not None:
        steps.append(_seed_step(want, model, seed, context))
    power = want.power or "running"
    steps.append(Step("define", "define", {"model": model, "xml": None, "virt_type": state.virt_type}))
    if want.autostart:
        steps.append(Step("autostart", "let it start with its node", {"autostart": True}))
    if power != "stopped":
        steps.append(Step("start", "start" if power == "running" else "start paused", {"paused": power == "paused"}))
    changes = [
        Change("node", None, node),
        Change("vcpus", None, want.vcpus),
        Change("memory", None, want.memory),
        *(Change(f"volumes.{volume.name}.size", None, volume.size) for volume in model.labels.volumes),
        *(Change(f"nics.{index}.port_group", None, nic.port_group) for index, nic in enumerate(model.interfaces)),
        Change("power", None, power),
    ]
    return tuple(steps), tuple(changes)


def _register(instance_id: str, want: Vm, context: _Context, attributes: Mapping[str, Any]) -> Step:
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return Step("register", "register", {"row": row})


def _volume_steps(
    want: Vm, model: DomainModel, state: NodeState, context: _Context, *, only: frozenset[str] | None = None
) -> list[Step]:
    """Plan to make the volumes that are not there. What is there is never made again."""
    steps = []
    for label in model.labels.volumes:
        if only is not None and label.name not in only:
            continue
        disk = next(disk for disk in model.disks if disk.serial == label.name)
        name = disk.path.rsplit("/", 1)[1]
        if name in state.volumes.get(label.pool, frozenset()):
            continue
        data: dict[str, Any] = {"pool": label.pool, "volume": name, "size": label.size, "mode": "empty"}
        if label.name == "root" and want.image is not None and want.root is not None:
            image = _image(want.image, context)
            image_size = -(-int(image.attributes["virtual_size"]) // 1024**2)
            if label.size < image_size:
                raise _RefusedError(
                    f"its root volume of {label.size} MiB is smaller than image {image.name} of {image_size} MiB"
                )
            data |= {
                "mode": want.root.mode,
                "image_volume": image_volume(image.id, image.attributes["format"]),
                "image_format": image.attributes["format"],
            }
        steps.append(Step("create_volume", f"create volume {label.name} in {label.pool}", data))
    return steps


def _seed_step(want: Vm, model: DomainModel, seed: Mapping[str, str], context: _Context) -> Step:
    disk = next(disk for disk in model.disks if disk.serial == "seed")
    pool = _pool(want.root.pool, context).name if want.root else ""
    return Step(
        "write_seed", "write the cloud-init seed", {"pool": pool, "volume": disk.path.rsplit("/", 1)[1], "files": seed}
    )


# Change


def _plan_change(want: Vm, row: Row | None, instance_id: str, current: Domain, context: _Context) -> Work:
    model, seed = model_of(want, instance_id, context, current.config)
    target = _target_of_move(want, current, context)
    node = target or current.node
    state = context.have.nodes[node]
    is_active = current.power != "stopped"
    changes = _compare(current.config, model)
    steps: list[Step] = []
    loses: tuple[str, ...] = ()
    attributes = _attributes(want, state.row.id, model)
    if row is None or dict(row.attributes) != attributes:
        steps.append(_register(instance_id, want, context, attributes))
        if row is None:
            changes.append(Change("registered", "no", "yes"))
    here = context.have.nodes[current.node]
    _require_volumes(current, here)

    replaced = any(change.when == "replace" for change in changes)
    if replaced:
        if is_active and not context.consent.force_stop:
            raise _RefusedError(
                f"beginning again from image {model.labels.image} needs it stopped",
                "Set power: stopped first, or force_stop: true.",
            )
        loses = (f"the root volume of {want.name}, made from image {current.config.labels.image}",)
        steps += _replace_root(want, current, model, here, context)
    if target is not None:
        changes.append(Change("node", current.node, target))
    config_changed = bool([change for change in changes if change.field not in ("node", "registered")])
    new_volumes = frozenset(label.name for label in model.labels.volumes) - {
        label.name for label in current.config.labels.volumes
    }
    if new_volumes:
        steps += _volume_steps(want, model, here, context, only=new_volumes)
    old_seed = next((disk for disk in current.config.disks if disk.serial == "seed"), None)
    new_seed = next((disk for disk in model.disks if disk.serial == "seed"), None)
    if (
        seed is not None
        and new_seed is not None
        and (new_seed != old_seed or new_seed.path.rsplit("/", 1)[1] not in _names_in(here, new_seed.path, context))
    ):
        steps.append(_seed_step(want, model, seed, context))
    steps += _growth_steps(want, current, model, is_active)
    if config_changed or not current.persistent:
        steps.append(Step("define", "change the definition", {"model": model, "xml": current.xml, "virt_type": ""}))
    if current.live is not None and not replaced:
        steps += _live_steps(current.live, model, current.config)
    if current.autostart != want.autostart:
        changes.append(Change("autostart", current.autostart, want.autostart))
        steps.append(Step("autostart", "set autostart", {"autostart": want.autostart}))
    if target is not None:
        steps.append(_move_step(want, current, model, target, context))

    pending = [] if current.live is None or replaced else _waiting_for_restart(current.live, model)
    wanted_power = want.power or current.power
    now = "stopped" if replaced else current.power
    if pending and wanted_power != "stopped" and context.consent.allow_restart:
        steps.append(_stop_step(context))
        now, pending_now = "stopped", []
        changes += pending
    else:
        pending_now = pending if wanted_power != "stopped" else []
    steps += _power_steps(now, wanted_power, context)
    if wanted_power != current.power:
        changes.append(Change("power", current.power, wanted_power))
    return Work(
        kind="instance",
        name=want.name,
        id=instance_id,
        node=current.node,
        steps=tuple(steps),
        changes=tuple(dict.fromkeys(changes)),
        pending=tuple(change for change in pending_now),
        loses=loses,
    )


def _compare(before: DomainModel, after: DomainModel) -> list[Change]:
    """Return the differences between the definition and the declared state, for people and for planning."""
    changes: list[Change] = []
    for name in ("memory", "vcpus"):
        if getattr(before, name) != getattr(after, name):
            changes.append(Change(name, getattr(before, name), getattr(after, name), "next_boot"))
    if before.description != after.description:
        changes.append(Change("description", before.description, after.description))
    old, new = before.labels, after.labels
    for name in ("organization", "anti_affinity", "tags", "addresses"):
        if getattr(old, name) != getattr(new, name):
            changes.append(Change(name, getattr(old, name) or None, getattr(new, name) or None))
    if old.image != new.image:
        changes.append(Change("image", old.image, new.image, "replace"))
    if old.root_mode != new.root_mode and old.image == new.image:
        raise _RefusedError(
            f"its root volume is of mode {old.root_mode}, and cannot become {new.root_mode}",
            "Remove the instance and make it again.",
        )
    if old.seed != new.seed:
        changes.append(Change("cloud_init", old.seed and old.seed[:12], new.seed and new.seed[:12], "next_boot"))
    changes += _compare_volumes(old, new)
    changes += _compare_interfaces(before, after)
    if not changes and _disk_view(before) != _disk_view(after):
        changes.append(Change("disks", _disk_view(before), _disk_view(after), "next_boot"))
    return changes


def _disk_view(model: DomainModel) -> tuple[str, ...]:
    return tuple(sorted(f"{disk.target}={disk.path}" for disk in model.disks if disk.serial in _managed(model)))


def _managed(model: DomainModel) -> set[str]:
    return {label.name for label in model.labels.volumes} | {"seed"}


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
        if was is not None and is_ is not None and is_.size < was.size and old.image == new.image:
            raise _RefusedError(
                f"its volume {name} has {was.size} MiB, and cannot shrink to {is_.size} MiB",
                "Shrinking destroys what lies beyond; declare the old size again.",
            )
        if was is None or is_ is None or was.size != is_.size:
            changes.append(Change(f"volumes.{name}.size", was and was.size, is_ and is_.size))
    return changes


def _compare_interfaces(before: DomainModel, after: DomainModel) -> list[Change]:
    old = {interface.mac: interface for interface in before.interfaces}
    new = {interface.mac: interface for interface in after.interfaces}
    changes = []
    for mac in [*old, *(mac for mac in new if mac not in old)]:
        was, is_ = old.get(mac), new.get(mac)
        if was != is_:
            changes.append(
                Change(
                    f"nics.{mac}.port_group",
                    was and f"{was.port_group} ({was.network})",
                    is_ and f"{is_.port_group} ({is_.network})",
                )
            )
    return changes


def _waiting_for_restart(live: DomainModel, model: DomainModel) -> list[Change]:
    """Return what the running guest does not have yet."""
    waiting = []
    for name in ("memory", "vcpus"):
        if getattr(live, name) != getattr(model, name):
            waiting.append(Change(name, getattr(live, name), getattr(model, name), "next_boot"))
    running_seed = next((disk.path for disk in live.disks if disk.serial == "seed"), None)
    wanted_seed = next((disk.path for disk in model.disks if disk.serial == "seed"), None)
    if running_seed != wanted_seed:
        waiting.append(Change("cloud_init", "as at the last start", "as declared", "next_boot"))
    return waiting


def _live_steps(live: DomainModel, model: DomainModel, config: DomainModel) -> list[Step]:
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
        elif interface != old[mac]:
            text = f"move the NIC {mac} to {interface.port_group}"
            steps.append(Step("update_nic", text, {"interface": interface}))
    managed = _managed(config) | _managed(model)
    attached = {disk.serial: disk for disk in live.disks if disk.serial in managed}
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


def _growth_steps(want: Vm, current: Domain, model: DomainModel, is_active: bool) -> list[Step]:
    if current.config.labels.image != model.labels.image:
        return []
    before = {volume.name: volume.size for volume in current.config.labels.volumes}
    steps = []
    for label in model.labels.volumes:
        if label.name in before and label.size > before[label.name]:
            disk = next(disk for disk in model.disks if disk.serial == label.name)
            data = {
                "pool": label.pool,
                "volume": disk.path.rsplit("/", 1)[1],
                "size": label.size,
                "target": disk.target if is_active else None,
            }
            steps.append(Step("grow_volume", f"grow volume {label.name} to {label.size} MiB", data))
    return steps


def _require_volumes(current: Domain, here: NodeState) -> None:
    """An instance that exists has its volumes. One that is gone is data lost: never made again in silence."""
    for label in current.config.labels.volumes:
        disk = next((disk for disk in current.config.disks if disk.serial == label.name), None)
        names = here.volumes.get(label.pool)
        if disk is None or names is None:
            continue
        if disk.path.rsplit("/", 1)[1] not in names:
            raise _UnreachableNodeError(
                Problem(
                    f"its volume {label.name} ({disk.path}) is gone from storage pool {label.pool}",
                    "Restore it from a backup, or remove the instance (state: absent) and make it again.",
                    current.node,
                )
            )


def _names_in(state: NodeState, path: str, context: _Context) -> frozenset[str]:
    directory = path.rsplit("/", 1)[0]
    pool = next((row for row in context.pools.values() if row.attributes.get("path") == directory), None)
    return state.volumes.get(pool.name, frozenset()) if pool else frozenset()


def _replace_root(want: Vm, current: Domain, model: DomainModel, here: NodeState, context: _Context) -> list[Step]:
    steps: list[Step] = []
    if current.power != "stopped":
        steps.append(Step("force_stop", "force it off", {}))
    old = current.config.labels.root
    if old is not None:
        disk = next(disk for disk in current.config.disks if disk.serial == "root")
        name = disk.path.rsplit("/", 1)[1]
        steps.append(Step("delete_volume", "destroy its root volume", {"pool": old.pool, "volume": name}))
        without = {**here.volumes, old.pool: here.volumes.get(old.pool, frozenset()) - {name}}
        here = replace(here, volumes=without)
    return steps + _volume_steps(want, model, here, context, only=frozenset({"root"}))


# Moving


def _target_of_move(want: Vm, current: Domain, context: _Context) -> str | None:
    """Return the node that the instance must move to, or None. Refuses what cannot move."""
    if want.node is None:
        return None
    target = _node_name(want.node, context)
    if target is None:
        raise _RefusedError(f'there is no node "{want.node}" in cluster {context.cluster.name}')
    if target == current.node:
        return None
    if target in context.have.down:
        raise _UnreachableNodeError(context.have.down[target])
    problems = []
    for name in dict.fromkeys(_pools_of(want)):
        pool = _pool(name, context)
        if not pool.attributes.get("shared"):
            problems.append(f"storage pool {pool.name} is not shared between nodes")
    problems += _unsuitable(want, target, context)
    here, there = context.have.nodes[current.node], context.have.nodes[target]
    if here.virt_type != there.virt_type and current.power != "stopped":
        problems.append(f"{current.node} runs instances with {here.virt_type}, {target} with {there.virt_type}")
    capacity = context.capacities[target]
    runs = (want.power or current.power) != "stopped"
    if runs and capacity.free < want.memory:
        problems.append(f"{target} has {capacity.free} MiB of memory free, {want.memory} needed")
    if problems:
        raise _RefusedError(
            f"it cannot move from {current.node} to {target}: {'; '.join(problems)}",
            f"Set node: {current.node}, or remove what stands in the way.",
        )
    capacity.take(want.memory, runs=runs)
    context.capacities[current.node].take(-want.memory, runs=runs)
    return target


def _move_step(want: Vm, current: Domain, model: DomainModel, target: str, context: _Context) -> Step:
    is_active = current.power != "stopped"
    pools = tuple(dict.fromkeys(_pool(name, context).name for name in _pools_of(want)))
    data = {"target": target, "model": model, "xml": current.xml, "live": is_active, "pools": pools}
    return Step("move", f"move {'live ' if is_active else ''}to {target}", data | {"autostart": want.autostart})


# Power


def _power_steps(now: str, wanted: str, context: _Context) -> list[Step]:
    if now == wanted:
        return []
    if wanted == "stopped":
        return [_stop_step(context)]
    if now == "stopped":
        return [Step("start", "start" if wanted == "running" else "start paused", {"paused": wanted == "paused"})]
    return [Step("resume", "resume") if wanted == "running" else Step("suspend", "pause")]


def _stop_step(context: _Context) -> Step:
    if context.consent.force_stop:
        return Step("force_stop", "force it off", {})
    return Step("stop", "stop", {})


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
            steps.append(Step("force_stop", "force it off", {}))
        steps.append(Step("undefine", "remove its definition", {"node": current.node, "uuid": current.config.uuid}))
        for left in leftovers:
            data = {"node": left.node, "uuid": left.config.uuid}
            steps.append(Step("undefine", f"remove the leftover definition on {left.node}", data))
    state = context.have.nodes.get(node) if node else None
    if state is not None and instance_id is not None:
        for pool, names in sorted(state.volumes.items()):
            for name in sorted(name for name in names if f".{instance_id}." in name):
                is_seed = name.endswith(".iso")
                if not is_seed and not context.consent.remove_volumes:
                    continue
                if not is_seed:
                    loses.append(f"volume {name} in {pool}")
                steps.append(Step("delete_volume", f"destroy {name}", {"pool": pool, "volume": name}))
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
