"""Instances: reading them from all nodes, and carrying out what was planned."""

from __future__ import annotations

import contextlib
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from .._cloud import Cloud
from .._doors.libvirt.domains import DomainRecord
from .._doors.libvirt.host import HostRecord
from .._doors.libvirt.hypervisor import Hypervisor
from .._errors import HypervisorError, NotFoundError, PextraError, Problem
from .._ids import uuid_of
from .._nouns.instance.walk import AttachDevice, UpdateDevice
from .._plan._rows import Row
from .._plan._types import Plan, Step, Work
from .._plan.hierarchy import find_cluster
from .._plan.placement import Capacity
from .._plan.vm import Consent, Domain, NodeState, Odd, VmHave, plan_vms
from .._seed import build_seed, read_seed, read_yaml
from .._spec._mistake import Mistake
from .._spec.cloud_init import Seed, parse_seed
from .._spec.vm import FIELDS, Vm, find_mistakes_within, names_part_of_seed, parse_vm
from .._xml.domain import URI, parse_domain
from .._xml.domain_writing import (
    edit_domain,
    move_nic,
    plug_nic,
    render_disk,
    render_domain,
    render_labels,
    take_nic,
)
from .._xml.foreign import memory_of
from .._xml.network import find_vlans
from ._base import Options
from ._hierarchy import read_hierarchy
from ._instance_volumes import look_again_where_doubtful, make_volume, read_names, write_small_volume
from ._pool_blocks import read_blocks

_MIB = 1024**2
_POLL_EVERY_S = 0.25


class Foreign(NamedTuple):
    """A virtual machine that is not ours. memory is MiB, of the node's that it takes or would take."""

    memory: int
    runs: bool


class VmResource:
    noun = "vm"
    plural = "vms"
    table = FIELDS

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Vm | None, list[Mistake]]:
        vm, mistakes = parse_vm(raw, path)
        return vm, mistakes + (find_mistakes_within(vm, path) if vm is not None else [])

    # Reading

    def read(self, cloud: Cloud, wants: Sequence[Vm], options: Options) -> VmHave:
        claims = cloud.claims()
        hierarchy = read_hierarchy(cloud)
        clusters = {row.id for row in hierarchy.clusters}
        if wants:
            found = [find_cluster(want.cluster, hierarchy.clusters) for want in wants]
            clusters = {row.id for row in found if isinstance(row, Row)}
        rows = {row.name: row for row in hierarchy.members if row.kind == "node" and row.scope in clusters}
        pools = {
            row.name: row.attributes["type"]
            for row in hierarchy.members
            if row.kind == "pool" and row.scope in clusters
        }
        odd: list[Odd] = []
        read = cloud.on_each(rows, lambda node: _read_node(cloud, node, pools, odd))
        named = {row.id: row.name for row in hierarchy.members if row.kind == "instance"}
        nodes: dict[str, NodeState] = {}
        domains: dict[str, list[Domain]] = {}
        foreign: dict[str, frozenset[str]] = {}
        for name, (host, networks, volumes, sizes, ours, others, userspace) in read.items():
            capacity = Capacity(host.memory, cloud.nodes[name].reserved_of(host.memory))
            for other in others.values():
                capacity.take(other.memory, runs=other.runs)
            renamed = {domain.config.name for domain in ours if not _has_its_name(domain, named, odd)}
            for domain in ours:
                if domain.config.name in renamed:
                    continue
                domains.setdefault(domain.config.uuid, []).append(domain)
                capacity.take(domain.config.memory, runs=domain.power != "stopped")
                if domain.config.labels.anti_affinity:
                    capacity.groups.add(domain.config.labels.anti_affinity)
            foreign[name] = frozenset(others) | renamed
            nodes[name] = NodeState(
                rows[name],
                cloud.nodes[name].virt_type,
                capacity,
                networks,
                volumes,
                sizes,
                userspace,
                host.cores,
                host.architecture,
            )
        down = {name: problem for name, problem in cloud.unreachable.items() if name in rows}
        have = VmHave(hierarchy, nodes, domains, foreign, down, claims=tuple(claims), odd=tuple(odd))
        have = look_again_where_doubtful(cloud, wants, have, pools)
        return replace(have, seeds=_read_seeds(cloud, wants, have))

    def plan(self, wants: Sequence[Vm], have: VmHave, options: Options) -> Plan:
        consent = Consent(
            allow_restart=bool(options["allow_restart"]),
            force_stop=bool(options["force_stop"]),
            remove_volumes=bool(options["remove_volumes"]),
        )
        # Only the module of instances has it; elsewhere it is as usual.
        if options["stop_timeout_s"] is not None:
            consent = replace(consent, stop_timeout_s=int(options["stop_timeout_s"]))
        plan = plan_vms(wants, have, consent)
        return replace(plan, warnings=have.warnings)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Register all new instances, with their nodes, before one is made: a killed run's choices stand."""
        cloud.registry.put([step.data["row"] for work in plan.all for step in work.steps if step.act == "register"])

    # Applying

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float] | None:
        if "on" in step.data:  # it has moved there
            work = replace(work, node=step.data["on"])
        apply: Callable[..., Iterator[float] | None] = getattr(self, f"_{step.act}")
        return apply(cloud, work, step.data)

    def _register(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        """Done by `reserve`."""

    def _settle(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.registry.put([data["row"]])

    def _unregister(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.registry.remove([data["id"]])

    def _create_volume(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        make_volume(cloud, _node_name(work), data, work.label)

    def _write_seed(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        """The name tells the content, but a killed run may have left half of it: always written anew."""
        write_small_volume(
            cloud, _node_name(work), data["pool_row"], data["volume"], build_seed(data["files"]), work.label
        )

    def _grow_volume(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        hypervisor = _node(cloud, work)
        size = data["size"] * _MIB
        if data["target"] is not None:
            hypervisor.resize_disk(_uuid(work), data["target"], size, work.label)
        elif hypervisor.volume_size(data["pool"], data["volume"]) < size:
            hypervisor.grow_volume(data["pool"], data["volume"], size, work.label)

    def _delete_volume(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        _node(cloud, work).delete_volume(data["pool"], data["volume"], work.label, wipe=data["wipe"])

    def _define(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        model = data["model"]
        xml = render_domain(model, data["virt_type"]) if data["xml"] is None else edit_domain(data["xml"], model)
        _node(cloud, work).define_domain(xml, work.label)

    def _undefine(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.hypervisor(data["node"]).undefine_domain(data["uuid"], work.label)

    def _autostart(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        _node(cloud, work).set_autostart(_uuid(work), data["autostart"], work.label)

    def _start(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        _node(cloud, work).start_domain(_uuid(work), work.label, paused=data["paused"])

    def _resume(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        # One that cannot go on (its storage is gone) can still be switched off.
        with contextlib.suppress(HypervisorError) if data.get("may_fail") else contextlib.nullcontext():
            _node(cloud, work).resume_domain(_uuid(work), work.label)

    def _suspend(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        _node(cloud, work).suspend_domain(_uuid(work), work.label)

    def _stop(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        """Press the power button, and wait for the guest. It may not have listened yet, so press again.

        One that does not stop in time is switched off if the call allows that.
        """
        hypervisor = _node(cloud, work)
        deadline = time.monotonic() + data["timeout_s"]
        pressed = 0.0
        while hypervisor.power_of(_uuid(work), work.label) != "stopped":
            now = time.monotonic()
            if now >= deadline and data["is_forced"]:
                hypervisor.force_stop(_uuid(work), work.label)
                return
            if now >= deadline:
                raise HypervisorError(
                    [
                        Problem(
                            f"the guest did not stop within {data['timeout_s']} s",
                            "Stop it from inside, give it more time (stop_timeout_s), or set force_stop: true.",
                            work.node,
                            f"instance {work.name}",
                        )
                    ]
                )
            if now - pressed >= 10:
                pressed = now
                with contextlib.suppress(NotFoundError):
                    hypervisor.request_shutdown(_uuid(work), work.label)
            yield _POLL_EVERY_S

    def _attach_nic(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        """Plug in what the definition says, which may hold more than we manage."""
        hypervisor, mac = _node(cloud, work), data["interface"].mac
        config = take_nic(hypervisor.config_xml_of(_uuid(work)), mac)
        if config is None:
            raise _changed_by_others(work, mac)
        hypervisor.attach_device(_uuid(work), plug_nic(config), work.label, live=True, config=False)

    def _detach_nic(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        hypervisor, mac = _node(cloud, work), data["interface"].mac
        live = take_nic(hypervisor.live_xml_of(_uuid(work)), mac)
        if live is not None:
            hypervisor.detach_device(_uuid(work), live, work.label, live=True, config=False)
            yield from hypervisor.await_release(_uuid(work), mac, f"the NIC {mac}", work.label)

    def _update_nic(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        hypervisor, mac = _node(cloud, work), data["interface"].mac
        live = take_nic(hypervisor.live_xml_of(_uuid(work)), mac)
        config = take_nic(hypervisor.config_xml_of(_uuid(work)), mac)
        if live is None or config is None:
            raise _changed_by_others(work, mac)
        vlan = find_vlans(hypervisor.network_xml(data["interface"].network, work.label), data["interface"].port_group)
        hypervisor.update_device(_uuid(work), move_nic(live, config, vlan), work.label, live=True, config=False)

    def _replug_nic(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        yield from self._detach_nic(cloud, work, data)
        self._attach_nic(cloud, work, data)

    def _plug(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        hypervisor, act = _node(cloud, work), data["device"]
        xml = ET.tostring(act.element, encoding="unicode")
        if isinstance(act, AttachDevice):
            hypervisor.attach_device(_uuid(work), xml, work.label, live=True, config=False)
        elif isinstance(act, UpdateDevice):
            hypervisor.update_device(_uuid(work), xml, work.label, live=True, config=False)
        else:
            hypervisor.detach_device(_uuid(work), xml, work.label, live=True, config=False)
            alias = act.element.find("alias")
            if alias is not None:
                mark = f"name='{alias.get('name')}'"
                yield from hypervisor.await_release(_uuid(work), mark, f"the {act.option}", work.label)

    def _attach_disk(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        xml = render_disk(data["disk"])
        _node(cloud, work).attach_device(_uuid(work), xml, work.label, live=True, config=False)

    def _detach_disk(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        xml = render_disk(data["disk"])
        hypervisor = _node(cloud, work)
        hypervisor.detach_device(_uuid(work), xml, work.label, live=True, config=False)
        disk = data["disk"]
        mark = f"<serial>{escape(disk.serial)}</serial>"
        return hypervisor.await_release(_uuid(work), mark, f"the disk {disk.target}", work.label)

    def _label(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        xml = render_labels(data["labels"])
        _node(cloud, work).set_metadata(_uuid(work), xml, "pextra", URI, work.label, live=True)

    def _move(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        source, target = _node(cloud, work), cloud.hypervisor(data["target"])
        for pool in data["pools"]:
            # The target's libvirt has not seen what this node has written to the shared directory.
            target.refresh_pool(pool)
        _require_same_volumes(target, work, data)
        config = edit_domain(data["xml"], data["model"])
        if data["live"]:
            address = cloud.nodes[data["target"]].address
            # What is shared, and how, is known of everything but files.
            is_vouched = any(disk.kind == "file" for disk in data["model"].disks)
            source.migrate(_uuid(work), target, address, config, work.label, is_vouched=is_vouched)
        else:
            target.define_domain(config, work.label)
            source.undefine_domain(_uuid(work), work.label)
        target.set_autostart(_uuid(work), data["autostart"], work.label)

    # Results

    def describe(self, wants: Sequence[Vm], have: VmHave) -> list[dict[str, Any]]:
        by_name = {
            (domain.config.labels.cluster, domain.config.name): domain
            for domains in have.domains.values()
            for domain in sorted(domains, key=lambda found: found.power != "stopped")
        }
        rows = [row for row in have.hierarchy.members if row.kind == "instance"]
        if wants:
            known: dict[tuple[str, str], None] = {}
            for want in wants:
                cluster = find_cluster(want.cluster, have.hierarchy.clusters)
                if isinstance(cluster, Row):
                    known[cluster.id, want.name] = None
            rows = [row for row in rows if (row.scope, row.name) in known]
            order = {key: index for index, key in enumerate(known)}
            rows.sort(key=lambda row: order[row.scope, row.name])
        nodes = [row for row in have.hierarchy.members if row.kind == "node"]
        named = {row.id: row.name for row in (*have.hierarchy.clusters, *have.hierarchy.organizations, *nodes)}
        return [_describe(row, by_name.get((row.scope, row.name)), have.down, named) for row in rows]


def _describe(row: Row, domain: Domain | None, down: Mapping[str, Problem], named: Mapping[str, str]) -> dict[str, Any]:
    """down says which nodes do not answer, by name; named is by the identifier: clusters, organizations, nodes."""
    home = named.get(row.attributes.get("node", ""))
    item: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "uuid": uuid_of(row.id),
        "cluster": named.get(row.scope),
        "organization": named.get(row.attributes.get("organization", "")),
        "node": domain.node if domain else home,
        "power": domain.power if domain else "unknown" if home in down else "undefined",
    }
    if domain is None:
        return item
    model = domain.config
    nics = model.labels.nics
    return item | {
        "vcpus": model.vcpus,
        "memory": model.memory,
        "image": model.labels.image,
        "autostart": domain.autostart,
        "description": model.description,
        "tags": list(model.labels.tags),
        "volumes": [
            {
                "name": volume.name,
                "pool": volume.pool,
                "size": volume.size if volume.unit is None else None,
                "unit": volume.unit,
            }
            for volume in model.labels.volumes
        ],
        "nics": [
            {
                "name": nics[index].name if index < len(nics) else None,
                "mac": nic.mac,
                "vswitch": nic.network,
                "port_group": nic.port_group,
                "addresses": list(nics[index].addresses) if index < len(nics) else [],
            }
            for index, nic in enumerate(model.interfaces)
        ],
    }


def _read_seeds(cloud: Cloud, wants: Sequence[Vm], have: VmHave) -> dict[str, Seed]:
    """Read what cloud-init was told, by UUID, where a call names a part of that and the rest is to stay."""
    names = {want.name for want in wants if want.state == "present" and names_part_of_seed(want)}
    seeds = {}
    for domains in have.domains.values() if names else ():
        for domain in domains:
            disk = next((disk for disk in domain.config.disks if disk.serial == "seed"), None)
            root = domain.config.labels.root
            if domain.config.name in names and disk is not None and root is not None:
                pool = next(
                    (row for row in have.rows("pool", domain.config.labels.cluster) if row.name == root.pool), None
                )
                # What cannot be read is refused where it is needed, with what to do.
                with contextlib.suppress(PextraError, ValueError):
                    seeds[domain.config.uuid] = _read_seed(cloud, domain, pool, disk.volume)
    return seeds


def _read_seed(cloud: Cloud, domain: Domain, pool: Row | None, volume: str) -> Seed:
    if pool is None:
        raise ValueError("its storage pool is not known")
    hypervisor = cloud.hypervisor(domain.node)
    size = hypervisor.volume_size(pool.name, volume)
    content = bytearray(size)
    for offset, data in read_blocks(cloud, domain.node, pool, volume, size, f"instance {domain.config.name}"):
        content[offset : offset + len(data)] = data
    return parse_seed(read_seed(bytes(content)), read_yaml)


def _changed_by_others(work: Work, mac: str) -> HypervisorError:
    what = f"its NIC {mac} has gone while it was being changed"
    return HypervisorError(
        [Problem(what, "Run again; something else is changing the instance.", work.node, work.label)]
    )


def _require_same_volumes(target: Hypervisor, work: Work, data: Mapping[str, Any]) -> None:
    """A pool is declared as shared; whether it is shows here, before anything moves."""
    seen = set().union(*(target.volume_names(pool) for pool in data["pools"]))
    missing = [disk.path for disk in (*data["model"].disks, *data["attached"]) if disk.volume not in seen]
    if missing:
        raise HypervisorError(
            [
                Problem(
                    f"{data['target']} does not see {', '.join(missing)}, though the storage pool is declared shared",
                    "Mount the same file system there, or take shared: true from the pool.",
                    work.node,
                    f"instance {work.name}",
                )
            ]
        )


def _node(cloud: Cloud, work: Work) -> Hypervisor:
    return cloud.hypervisor(_node_name(work))


def _node_name(work: Work) -> str:
    if work.node is None:
        raise ValueError(f"{work.label} is planned on no node")
    return work.node


def _uuid(work: Work) -> str:
    if work.id is None:
        raise ValueError(f"{work.label} is planned without an identifier")
    return uuid_of(work.id)


def _read_node(
    cloud: Cloud, node: str, pools: Mapping[str, str], odd: list[Odd]
) -> tuple[
    HostRecord,
    frozenset[str],
    dict[str, frozenset[str]],
    dict[str, Mapping[str, int]],
    list[Domain],
    dict[str, Foreign],
    frozenset[str],
]:
    """Read one node: its size, networks, volumes of our pools, instances, foreign domains by name, and vSwitches with
    the datapath in user space.

    pools: their types, by name. odd: is given the domains that bear our metadata and are not as ours are.

    A fixed number of list calls. Parsing here lets it go on while other nodes answer.
    """
    hypervisor = cloud.hypervisor(node)
    networks = hypervisor.active_networks()
    volumes: dict[str, frozenset[str]] = {}
    sizes: dict[str, Mapping[str, int]] = {}
    for pool in hypervisor.pools():
        if pool.name in pools and pool.active:
            volumes[pool.name], sizes[pool.name] = read_names(hypervisor, pool.name, pools[pool.name])
    ours: list[Domain] = []
    foreign: dict[str, Foreign] = {}
    for record in hypervisor.domains():
        domain = _domain_of(node, record, odd)
        if domain is None:
            foreign[record.name] = Foreign(memory_of(record.live or record.config), record.live is not None)
        else:
            ours.append(domain)
    userspace: frozenset[str] = frozenset()
    # Without an answer NICs stay as they are; what needs the switch says why it does not answer.
    with contextlib.suppress(PextraError):
        userspace = cloud.labels(node).read_userspace()
    return hypervisor.host(), networks, volumes, sizes, ours, foreign, userspace


def _domain_of(node: str, record: DomainRecord, odd: list[Odd]) -> Domain | None:
    """Return a domain that is ours. One that cannot be understood keeps no other from being read."""
    try:
        config = parse_domain(record.config)
        live = parse_domain(record.live) if record.live is not None and config is not None else None
    except (ValueError, KeyError) as error:
        what = f"its definition bears our metadata, and cannot be understood ({error})"
        odd.append(Odd(node, record.name, record.uuid, what, f"Mend it: virsh edit {record.name}."))
        return None
    if config is None:
        if URI in record.config:
            what = (
                "it bears our metadata and has not the UUID that goes with it: a copy made by hand, which is not ours"
            )
            odd.append(Odd(node, record.name, record.uuid, what, "Find out what it is for; it is left alone."))
        return None
    return Domain(node, config, live, record.power, record.autostart, record.persistent, record.config, record.live)


def _has_its_name(domain: Domain, named: Mapping[str, str], odd: list[Odd]) -> bool:
    """Tell whether a domain is called as it is registered. named: the registered names, by identifier."""
    name = named.get(domain.config.labels.id, domain.config.name)
    if name == domain.config.name:
        return True
    what = f"it is registered as {name}: it was given another name by hand"
    remedy = f"Give it its name back, when it is stopped: virsh domrename {domain.config.name} {name}."
    odd.append(Odd(domain.node, domain.config.name, domain.config.uuid, what, remedy))
    return False
