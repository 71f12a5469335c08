# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading instances from their nodes, in bulk."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

from ..._cloud import Cloud
from ..._doors.host.seed import read_seed, read_yaml
from ..._doors.libvirt.domains import DomainRecord
from ..._doors.libvirt.host import HostRecord
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._model.errors import PextraError
from ..._model.rows import Row
from ..hierarchy.plan import find_cluster
from ..pool.blocks import read_blocks
from ..vm_guest.answers import tell_facts
from ..vm_guest.reading import THREADS, wait_for
from ..vswitch.rows import is_on
from .abilities import parse_abilities, parse_emulated
from .adoption import list_places
from .architectures import ARCHITECTURES
from .cloud_init import Seed, parse_seed
from .definition import parse_domain
from .figures import find_ports
from .foreign import size_of_foreign
from .further import read_at_once
from .labels import URI
from .node_devices import parse_devices, words_of
from .placement import Size
from .plan.host_devices import list_wishes
from .plan.state import Domain, NodeState, Odd, Stranger, VmHave
from .spec import Vm, names_of_seed, names_part_of_seed, options_of
from .vendor_data import told
from .volume_making import read_names
from .walk import list_needs


def _by_cluster(wants: Iterable[Vm], have: VmHave) -> dict[tuple[str, str], Vm]:
    """Return what is to be there, by the identifier of its cluster and its name, which another one may have as well."""
    found = {}
    for want in wants:
        cluster = find_cluster(want.cluster, have.hierarchy.clusters)
        if want.state == "present" and isinstance(cluster, Row):
            found[cluster.id, want.name] = want
    return found


def _key_of(domain: Domain) -> tuple[str, str]:
    return domain.config.labels.cluster, domain.config.name


def read_crashed(cloud: Cloud, wants: Sequence[Vm], have: VmHave) -> VmHave:
    """Find out which of the instances that are to be stopped are so because their QEMU ended: one call for each node
    that has any, and one more for each that has crashed there.
    """
    wanted = _by_cluster((want for want in wants if want.power == "stopped"), have)
    stopped = [
        domain
        for domains in (have.domains.values() if wanted else ())
        for domain in domains
        if _key_of(domain) in wanted and domain.power == "stopped" and domain.config.type == "qemu"
    ]
    found = cloud.on_each((domain.node for domain in stopped), lambda node: cloud.hypervisor(node).crashed_domains())
    crashed = {(node, one.uuid) for node, all_ in found.items() for one in all_ if not one.is_left and not one.hangs}
    if not crashed:
        return have

    def mark(domain: Domain) -> Domain:
        return replace(domain, has_crashed=True) if (domain.node, domain.config.uuid) in crashed else domain

    return replace(have, domains={uuid: [*map(mark, domains)] for uuid, domains in have.domains.items()})


def read_abilities(cloud: Cloud, wants: Sequence[Vm], have: VmHave) -> VmHave:
    """Read what the nodes can do, if anything that is wanted, or that moves, depends on it: two calls for each node,
    one more for each architecture that is wanted and that it emulates, and where an instance is to have any of their
    devices one for each of these, and one of its switch.
    """
    wanted = _by_cluster(wants, have)
    held = [domain for domains in have.domains.values() for domain in domains if _key_of(domain) in wanted]
    leaving = [domain for domain in held if wanted[_key_of(domain)].node not in (None, domain.node)]
    # What is there, and stays there, asks for no other node.
    declared = {key: str(want.further.get("architecture")) for key, want in wanted.items()}
    settled = {*map(_key_of, held)}
    going = {one for key, one in declared.items() if key not in settled} & ARCHITECTURES.keys()
    going |= {domain.architecture for domain in leaving}
    is_foreign = any(not state.is_own(one) for state in have.nodes.values() for one in going)
    options = [*map(options_of, wanted.values()), *(domain.config.options for domain in leaving)]
    # The number of a socket is no device of a node.
    has_devices = any(one.get("host_devices") for one in options) or any(map(list_wishes, wanted.values()))
    # What is a virtual function stays one, where nothing else is said of it.
    functions = [domain for domain in held if any(nic.function for nic in domain.config.interfaces)]
    has_devices = has_devices or any(wanted[_key_of(domain)].nics is not None for domain in functions)
    # What moves needs a QEMU that knows its type of machine.
    if not leaving and not has_devices and not is_foreign and not any(map(list_needs, options)):
        return have

    architectures = ARCHITECTURES.keys() & {*declared.values(), *(domain.architecture for domain in held)}

    def read(node: str) -> NodeState:
        state, hypervisor = have.nodes[node], cloud.hypervisor(node)
        host, devices = hypervisor.capabilities(), None
        if has_devices and (texts := hypervisor.devices()) is not None:
            devices = parse_devices(texts, _list_uplinks(cloud, state, have))
        if host is None:
            return replace(state, devices=devices)
        words = words_of(devices or ())
        words |= {f"directory:{path}" for path in state.row.attributes.get("shared_directories") or ()}
        abilities = {}
        # What it could emulate is not what it is to emulate.
        emulated = architectures & parse_emulated(host) & {*(state.row.attributes.get("architectures") or ())}
        for name in [state.own_architecture, *(emulated - {state.own_architecture})]:
            of = hypervisor.machine_capabilities(name, ARCHITECTURES[name].machine, state.virt_type_of(name))
            if of is not None:
                can = parse_abilities(of, host, state.capacity.threads or 0)
                abilities[name] = can | words
        own = abilities.pop(state.own_architecture, None)
        return replace(state, abilities=own, emulates=abilities, devices=devices)

    return replace(have, nodes={**have.nodes, **cloud.on_each(have.nodes, read)})


def _list_uplinks(cloud: Cloud, state: NodeState, have: VmHave) -> frozenset[str]:
    """Return the NICs of a node that its switches have, or are to have, whether their links are up or not."""
    rows = have.rows("vswitch", state.row.scope)
    here = [row for row in rows if is_on(row, state.row)]
    uplinks = {uplink for row in here for uplink in row.attributes.get("uplinks", ())}
    # Without an answer those are known that are registered.
    with contextlib.suppress(PextraError):
        uplinks |= cloud.labels(state.row.name).read_nics()
    return frozenset(uplinks)


def read_figures(cloud: Cloud, have: VmHave) -> dict[str, dict[str, Any]]:
    """Read what running instances use, by UUID: one call for each node, and some for each container."""
    containers = [
        domain
        for domains in have.domains.values()
        for domain in domains
        if domain.config.type == "lxc" and domain.live_xml is not None
    ]
    ports = {domain.config.uuid: find_ports(domain.live_xml or "") for domain in containers}

    def read(node: str) -> dict[str, dict[str, Any]]:
        hypervisor = cloud.hypervisor(node)
        return hypervisor.figures() | hypervisor.container_figures(ports)

    found = cloud.on_each(have.nodes, read)
    return {uuid: stats for each in found.values() for uuid, stats in each.items()}


def read_interfaces(cloud: Cloud, have: VmHave, names: Sequence[str] | None) -> dict[str, list[dict[str, Any]]]:
    """Ask the running guests of instances, by names or identifiers (None: all), for their interfaces, by UUID. One that
    does not answer is not among them.
    """
    running = [
        domain
        for domains in have.domains.values()
        for domain in domains
        if domain.config.type == "qemu" and domain.power == "running"
        if names is None or not {domain.config.name, domain.config.labels.id}.isdisjoint(names)
    ]

    def ask(domain: Domain) -> list[dict[str, Any]] | None:
        hypervisor, label = cloud.hypervisor(domain.node), f"instance {domain.config.name}"
        try:
            told = tell_facts(*wait_for(hypervisor.read_guest(domain.config.uuid, label)))
        except PextraError:
            return None
        return list(told["interfaces"])

    with ThreadPoolExecutor(max_workers=THREADS) as threads:
        found = list(threads.map(ask, running))
    return {domain.config.uuid: one for domain, one in zip(running, found, strict=True) if one is not None}


class Foreign(NamedTuple):
    """A virtual machine that is not ours. size: what it takes of its node, or would take."""

    size: Size
    runs: bool
    record: DomainRecord


def read_strangers(cloud: Cloud, found: Iterable[tuple[str, DomainRecord]], have: VmHave) -> tuple[Stranger, ...]:
    """Read what domains that are not ours would be as instances: of each disk in our pools, how large it is."""
    strangers = [
        Stranger(
            *(node, record.name, record.uuid, record.power, record.autostart, record.persistent, record.saved),
            *(record.config, record.live),
        )
        for node, record in found
    ]
    by_node: dict[str, list[Stranger]] = {}
    for stranger in strangers:
        by_node.setdefault(stranger.node, []).append(stranger)

    def read(node: str) -> list[Stranger]:
        return [replace(one, sizes=_sizes_of(cloud.hypervisor(node), one, have)) for one in by_node[node]]

    seen = cloud.on_each(by_node, read)
    return tuple(stranger for node in by_node for stranger in seen.get(node, ()))


def _sizes_of(hypervisor: Hypervisor, stranger: Stranger, have: VmHave) -> dict[str, int]:
    sizes = {}
    for pool, disk in list_places(stranger.xml, have, stranger.node):
        if disk.volume in have.nodes[stranger.node].volumes.get(pool.name, ()):
            sizes[disk.path] = hypervisor.volume_size(pool.name, disk.volume)
    return sizes


def read_seeds(cloud: Cloud, wants: Sequence[Vm], have: VmHave) -> dict[str, Seed]:
    """Read what cloud-init was told, by UUID, where a call names a part of that and the rest is to stay."""
    wanted = _by_cluster((want for want in wants if names_of_seed(want)), have)
    seeds = {}
    for domains in have.domains.values() if wanted else ():
        for domain in domains:
            want = wanted.get(_key_of(domain))
            if want is None or not names_part_of_seed(want, tells_volumes=bool(told(domain.config.labels.volumes))):
                continue
            disk = next((disk for disk in domain.config.disks if disk.name == "seed"), None)
            root = domain.config.labels.root
            if disk is not None and root is not None:
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


NodeReading = tuple[
    HostRecord,
    frozenset[str],
    dict[str, frozenset[str]],
    dict[str, Mapping[str, int]],
    list[Domain],
    list[Foreign],
    frozenset[str],
]


def read_node(
    cloud: Cloud,
    node: str,
    pools: Mapping[str, Row],
    odd: list[Odd],
    *,
    has_nics: bool,
    named: Collection[str],
) -> NodeReading:
    """Read one node: its size, networks, volumes of our pools, instances, foreign domains, and vSwitches with the
    datapath in user space. A virtual machine and a container can have one name.

    pools: those on it, by the UUID of libvirt's; without any no pool is asked for. odd: is given the domains that bear
    our metadata and are not as ours are. has_nics: whether any that is wanted names its NICs, for which alone the
    vSwitches are looked at. named: the instances of which aspects and devices will be asked for.

    A fixed number of list calls. Parsing here lets it go on while other nodes answer.
    """
    hypervisor = cloud.hypervisor(node)
    networks = hypervisor.active_networks()
    volumes: dict[str, frozenset[str]] = {}
    sizes: dict[str, Mapping[str, int]] = {}
    for pool in hypervisor.pools() if pools else ():
        row = pools.get(pool.uuid)
        if row is not None and row.name == pool.name and pool.active:
            volumes[pool.name], sizes[pool.name] = read_names(hypervisor, pool.name, row.attributes["type"])
    ours: list[Domain] = []
    foreign: list[Foreign] = []
    for record in cloud.domains(node):
        domain = _domain_of(node, record, odd, named)
        if domain is None:
            size = size_of_foreign(record.live or record.config)
            foreign.append(Foreign(size, record.live is not None, record))
        else:
            ours.append(domain)
    userspace: frozenset[str] = frozenset()
    if has_nics:
        # Without an answer NICs stay as they are; what needs the switch says why it does not answer.
        with contextlib.suppress(PextraError):
            userspace = cloud.labels(node).read_userspace()
    return hypervisor.host(), networks, volumes, sizes, ours, foreign, userspace


def _domain_of(node: str, record: DomainRecord, odd: list[Odd], named: Collection[str]) -> Domain | None:
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
    if config.name in named:
        for model in (config, live):
            read_at_once(model.further if model is not None else {})
    return Domain(
        *(node, config, live, record.power, record.autostart, record.persistent, record.config, record.live),
        saved=record.saved,
        hangs=record.hangs,
    )


def has_its_name(domain: Domain, named: Mapping[str, str], odd: list[Odd]) -> bool:
    """Tell whether a domain is called as it is registered. named: the registered names, by identifier."""
    name = named.get(domain.config.labels.id, domain.config.name)
    if name == domain.config.name:
        return True
    what = f"it is registered as {name}: it was given another name by hand"
    remedy = f"Give it its name back, when it is stopped: virsh domrename {domain.config.name} {name}."
    odd.append(Odd(domain.node, domain.config.name, domain.config.uuid, what, remedy))
    return False
