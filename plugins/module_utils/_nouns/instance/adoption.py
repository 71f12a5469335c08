# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain that is not ours, as the instance that it becomes by its labels alone. Pure.

Nothing of it changes but its metadata. What lies in our pools and is on our port groups is taken as it is; the rest
stays what it is, and is told.
"""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..._fields.checks import check_inventory_name
from ..._model.errors import Problem
from ..._model.ids import adopted_id
from ..._model.names import is_of_others
from ..._model.rows import Row
from ..pool.kinds import KINDS, volume_place
from ..vswitch.rows import is_on
from . import walk
from .definition import Disk, Interface, mac_of_nic, parse_disk, parse_domain
from .definition import parse_interfaces as parse_nics
from .definition_writing import label_domain
from .disks import ceph_of
from .element import make_element
from .labels import URI, Labels, NicLabel, VolumeLabel
from .plan.state import Domain, Stranger, VmHave


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """domain: as it is once it bears its labels. remarks: what of it stays as it is, for people."""

    domain: Domain
    remarks: tuple[str, ...]


def adopt(stranger: Stranger, have: VmHave, organization: str) -> Adopted:
    """Return a domain as the instance that it becomes. organization: its identifier.

    Raises ValueError or KeyError for a definition that cannot be understood.
    """
    cluster_id = have.nodes[stranger.node].row.scope
    devices = ET.fromstring(stranger.xml).find("devices")
    elements = [] if devices is None else devices.findall("disk")
    volumes, remarks = _take_disks(elements, stranger, have)
    macs = [] if devices is None else [mac_of_nic(element) for element in devices.findall("interface")]
    # By their MAC addresses they are known: of two that share one neither is.
    nics = [] if devices is None else [one for one in parse_nics(devices) if macs.count(one.mac) == 1]
    own = [] if devices is None else [mac_of_nic(one) for one in devices.findall("interface") if _has_own_vlan(one)]
    nics = [one for one in nics if one.mac not in own]
    taken = [one for one in nics if _is_on_ours(one, have, stranger.node)]
    known = {one.mac for one in taken}
    remarks += [
        f"its NIC {mac} has a VLAN of its own, and follows no port group"
        if macs.count(mac) == 1 and mac in own
        else f"its NIC {mac} is on no port group of the cluster"
        if macs.count(mac) == 1
        else f"its {macs.count(mac)} NICs {mac} have one MAC address"
        for mac in dict.fromkeys(macs)
        if mac not in known
    ]
    labels = Labels(
        id=adopted_id(stranger.uuid),
        cluster=cluster_id,
        organization=organization,
        # Its own, whatever it was made from.
        root_mode="copy" if any(volume.name == "root" for volume in volumes) else None,
        adopted=True,
        volumes=volumes,
        nics=tuple(NicLabel(name=f"nic{index}", mac=one.mac) for index, one in enumerate(taken)),
    )
    return Adopted(domain=with_labels(stranger, labels), remarks=tuple(remarks))


def with_labels(stranger: Stranger, labels: Labels) -> Domain:
    """Return a domain as it is once it bears labels. Raises ValueError for what cannot be understood."""
    xml = label_domain(stranger.xml, labels)
    live_xml = label_domain(stranger.live_xml, labels) if stranger.live_xml is not None else None
    config = parse_domain(xml)
    live = parse_domain(live_xml) if live_xml is not None else None
    if config is None:
        raise ValueError("its metadata cannot be told apart")
    dict(config.further)  # which is read when it is asked for: here it is known what to say of what cannot be
    return Domain(
        *(stranger.node, config, live, stranger.power, stranger.autostart, stranger.persistent, xml, live_xml),
        saved=stranger.saved,
    )


def find_hindrance(stranger: Stranger) -> tuple[str, str] | None:
    """Return why a domain cannot be adopted as it is, and what to do; None if it can."""
    name = stranger.name
    if URI in stranger.xml:
        remedy = f"See whose it is: virsh metadata {name} {URI}. docs/adoption.md tells what to do with a copy."
        return "it bears metadata of this cloud, of an instance that it is not", remedy
    if walk.type_of(ET.fromstring(stranger.xml)) == "lxc":
        return "it is a container, and only virtual machines are adopted", "Make a new one of its files: type: lxc."
    if not stranger.persistent:
        return "it is defined only until it stops", f"Define it for good: virsh dumpxml {name} > f; virsh define f."
    if stranger.saved:
        return "what was saved of its memory would go on without its labels", f"Let it go on: virsh start {name}."
    problem = check_inventory_name(name)
    if problem is not None:
        return f"its name cannot be an instance's: {problem}", f"When it is stopped: virsh domrename {name} NEW-NAME."
    return None


def list_places(xml: str, have: VmHave, node: str) -> Iterator[tuple[Row, Disk]]:
    """Yield the disks of a domain that lie in a storage pool which is on its node, each with that."""
    for element in ET.fromstring(xml).iterfind("devices/disk"):
        disk = parse_disk(element) if element.get("device", "disk") == "disk" else None
        pool = _pool_of(disk, have, node) if disk is not None else None
        if disk is not None and pool is not None:
            yield pool, disk


def _take_disks(
    elements: Sequence[ET.Element], stranger: Stranger, have: VmHave
) -> tuple[tuple[VolumeLabel, ...], list[str]]:
    """Return the labels of the disks that are taken, and what is said of the others."""
    labels: list[tuple[int, VolumeLabel]] = []
    remarks: list[str] = []
    hard = [element for element in elements if element.get("device", "disk") == "disk"]
    parsed = [parse_disk(element) for element in hard]
    paths = [disk.path for disk in parsed if disk is not None]
    held = set(_held_by_others(stranger, set(paths), have))
    first = min(range(len(hard)), key=lambda index: _turn_of(hard[index]), default=0)
    for index, (element, disk) in enumerate(zip(hard, parsed, strict=True)):
        target = element.find("target")
        name = target.get("dev", "") if target is not None else ""
        pool = _pool_of(disk, have, stranger.node) if disk is not None else None
        if disk is None or pool is None:
            where = f" ({disk.path})" if disk is not None else ""
            remarks.append(f"its disk {name}{where} lies in no storage pool of the cluster")
        elif is_of_others(disk.volume, stranger.uuid):
            remarks.append(f"its disk {name} ({disk.path}) is a volume of this cloud already")
        elif (
            paths.count(disk.path) > 1 or (None if pool.attributes.get("shared") else stranger.node, disk.path) in held
        ):
            remarks.append(f"its disk {name} ({disk.path}) is used more than once")
        else:
            can_be_root = index == first and KINDS[pool.attributes["type"]].formats
            unit = None if KINDS[pool.attributes["type"]].formats else disk.volume
            size = -(-stranger.sizes.get(disk.path, 0) // 1024**2) if unit is None else 0
            label = VolumeLabel(
                name="root" if can_be_root else name, pool=pool.name, size=size, unit=unit, path=disk.path
            )
            labels.append((0 if can_be_root else 1, label))
    # The root volume comes first, as in what we make.
    return tuple(label for _, label in sorted(labels, key=lambda pair: pair[0])), remarks


def _where(pool: Row, stranger: Stranger) -> str | None:
    """Return the node whose files a pool's are; None for a shared one. Elsewhere a path is another file."""
    return None if pool.attributes.get("shared") else stranger.node


def _held_by_others(stranger: Stranger, paths: set[str], have: VmHave) -> Iterator[tuple[str | None, str]]:
    """Yield those paths that disks of other domains have as well, each with its node and, for a shared pool, without.
    Of what is not ours, those are looked at that the call is about.
    """
    cluster = have.nodes[stranger.node].row.scope
    found = [
        (domain.node, disk.path)
        for domains in have.domains.values()
        for domain in domains
        for disk in (*domain.config.disks, *domain.config.attached)
    ]
    for other in have.strangers:
        if (other.node, other.uuid) != (stranger.node, stranger.uuid):
            found += [(other.node, path) for path in _paths_of(other.xml)]
    for node, path in found:
        if path in paths and have.nodes[node].row.scope == cluster:
            yield from ((node, path), (None, path))


@functools.lru_cache(maxsize=2**12)
def _paths_of(xml: str) -> tuple[str, ...]:
    found = (parse_disk(element) for element in ET.fromstring(xml).iterfind("devices/disk"))
    return tuple(disk.path for disk in found if disk is not None)


def _turn_of(element: ET.Element) -> int:
    boot = element.find("boot")
    order = boot.get("order", "") if boot is not None else ""
    return int(order) if order.isdecimal() else 10**6


def _pool_of(disk: Disk, have: VmHave, node: str) -> Row | None:
    state = have.nodes[node]
    for pool in have.rows("pool", state.row.scope):
        if pool.name in state.volumes and _lies_in(disk, pool):
            return pool
    return None


def _lies_in(disk: Disk, pool: Row) -> bool:
    if disk.kind == "unit":  # which libvirt finds by pool and volume, whatever the pool's type
        return disk.path.partition("/")[0] == pool.name
    pool_type = pool.attributes["type"]
    if KINDS[pool_type].disk != disk.kind:
        return False
    if disk.ceph is not None:
        ours, its = ({one.rpartition(":")[0] for one in ceph.monitors} for ceph in (ceph_of(pool), disk.ceph))
        if not ours & its:
            return False
    return volume_place(pool_type, pool.name, pool.attributes, disk.volume) == disk.path


def _has_own_vlan(interface: ET.Element) -> bool:
    return interface.find("source[@network]") is not None and interface.find("vlan") is not None


def _is_on_ours(nic: Interface, have: VmHave, node: str) -> bool:
    here = have.nodes[node].row
    switches = {row.id: row.name for row in have.rows("vswitch", here.scope) if is_on(row, here)}
    return any(
        (row.name, switches.get(row.attributes.get("vswitch", ""))) == (nic.port_group, nic.network)
        for row in have.rows("port_group", here.scope)
    )


def describe_stranger(stranger: Stranger, have: VmHave, cluster: str | None) -> dict[str, Any]:
    """Return a domain that is not ours as a result. element: what adopts it, None where that cannot be."""
    item: dict[str, Any] = {
        "name": stranger.name,
        "uuid": stranger.uuid,
        "node": stranger.node,
        "cluster": cluster,
        "power": stranger.power,
        "element": None,
        "remarks": [],
    }
    hindrance = find_hindrance(stranger)
    if hindrance is not None:
        return item | {"remarks": [str(Problem(*hindrance))]}
    try:
        adopted = adopt(stranger, have, "")
        return item | {"element": make_element(adopted.domain, cluster), "remarks": list(adopted.remarks)}
    except (ValueError, KeyError) as error:
        return item | {"remarks": [f"its definition cannot be understood ({error})"]}


def named_as_wanted(labels: Labels, names: dict[str, tuple[str, tuple[str, ...]]]) -> Labels:
    """Return labels in which NICs are called as is wanted, and have such addresses. names: both, by MAC address."""
    nics = [
        replace(nic, name=names[nic.mac][0], addresses=names[nic.mac][1]) if nic.mac in names else nic
        for nic in labels.nics
    ]
    return replace(labels, nics=tuple(nics))
