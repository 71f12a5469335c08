# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as libvirt domains: what a definition says of what we manage.

XML is never compared as text. `parse_domain` reduces a domain to a `DomainModel`; two models are compared field by
field. How a model is written into a definition is in definition_writing.py.
"""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ..._fields.addresses import canonical_mac
from ..._model.ids import is_id, uuid_of
from ..._model.names import is_of_instance, parse_attached, tree_of_files
from ..pool.kinds import DiskKind
from . import walk
from .definition_functions import is_function, read_function
from .devices import cdrom, disk, nic
from .further import Further, parse
from .kinds import Type
from .labels import URI, Labels, NicLabel, VolumeLabel, parse_labels
from .memory_room import memory_of, parse_held_back
from .rows import read_rows
from .size import memory_of_guest, parse_vcpus

# libvirt's word for each kind, and the attribute of <source> that holds its path.
DISK_TYPES: dict[DiskKind, tuple[str, str]] = {
    "file": ("file", "file"),
    "block": ("block", "dev"),
    "rbd": ("network", "name"),
    "unit": ("volume", "volume"),
    "tree": ("mount", "dir"),
}


@dataclass(frozen=True, kw_only=True)
class Ceph:
    """How a disk of Ceph is reached. monitors are host:port; secret is the UUID of a secret of libvirt's."""

    monitors: tuple[str, ...]
    user: str
    secret: str


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A disk; `serial` is what the guest finds it by. `name` is what it is called: the same, but of a disk that was
    adopted with the serial that it had.

    path: of a file or block device, on the node; of an image of Ceph, its pool of Ceph and its name; of a unit of an
    iSCSI target, the storage pool and the unit.
    """

    target: str
    path: str
    serial: str
    format: str = "qcow2"
    read_only: bool = False
    kind: DiskKind = "file"
    ceph: Ceph | None = None
    adopted_as: str | None = None
    # Of all rows of devices/disk.py, what there is, or is to be; nothing of a disk of which they are not managed.
    further: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def volume(self) -> str:
        """The name of its volume in its storage pool."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def name(self) -> str:
        return self.serial if self.adopted_as is None else self.adopted_as

    @property
    def medium(self) -> tuple[DiskKind, str, Ceph | None] | None:
        """What is in a drive, None for nothing."""
        return (self.kind, self.path, self.ceph) if self.path else None


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A NIC, on a port group of a libvirt network, which has its vSwitch's name.

    offload: whether checksums and segments may be left to the other side. A switch with the userspace datapath hands on
    what has no checksum yet, and its receiver throws it away.
    """

    mac: str
    network: str
    port_group: str
    offload: bool = True
    # Of a container, which libvirt gives them; with prefixes, and the default gateways. None of a virtual machine.
    addresses: tuple[str, ...] | None = None
    gateways: tuple[str, ...] | None = None
    # Of one that is a virtual function: its PCI address on the node, whose it is, and its VLAN, 0 for none.
    function: str = ""
    sr_iov: str = ""
    vlan: int = 0
    # Of all rows of devices/nic.py, what there is, or is to be.
    further: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def device(self) -> str:
        """The device of its node that it is, as `node_devices` names it; empty for a port of the vSwitch."""
        return f"pci {self.function}" if self.function else ""


@dataclass(frozen=True, kw_only=True)
class DomainModel:
    """memory is MiB; held_back is how much of it the balloon keeps from the guest: nothing, unless edited by hand.

    disks are the instance's own, of a container its root volume, of the kind tree; attached are volumes that live on
    their own, which stay with whoever attached them.
    Of others only the device names matter.
    """

    name: str
    uuid: str
    memory: int
    vcpus: int
    disks: tuple[Disk, ...]
    interfaces: tuple[Interface, ...]
    description: str | None
    labels: Labels
    held_back: int = 0
    # Drives; the path is empty of one with nothing in it. Others are not the instance's, or no more.
    cdroms: tuple[Disk, ...] = ()
    other_cdroms: tuple[Disk, ...] = field(default=(), compare=False)
    type: Type = "qemu"
    # Of all other aspects and kinds of device, by option: what is there, or of a wanted one what is named.
    further: Mapping[str, Any] = field(default_factory=dict, compare=False)
    attached: tuple[Disk, ...] = field(default=(), compare=False)
    other_targets: frozenset[str] = field(default=frozenset(), compare=False)
    # The MAC addresses of NICs of an adopted instance that are not its own.
    other_macs: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def options(self) -> Mapping[str, Any]:
        """The values of aspects and kinds of device, by option, and the type. An empty description takes it away."""
        typed = {
            "memory": memory_of_guest(self.memory, self.held_back),
            "vcpus": self.vcpus,
            "description": self.description or "",
            "type": self.type,
        }
        return cast("dict[str, Any]", self.further) | typed

    @property
    def targets(self) -> frozenset[str]:
        """The device names of all disks."""
        return self.other_targets | {disk.target for disk in self.disks}


@functools.lru_cache(maxsize=2**15)
def parse_domain(xml: str) -> DomainModel | None:
    """Return what a definition says of what we manage; None for a domain that is not ours.

    Ours is one whose UUID is the identifier in its metadata. A copy made by hand keeps the metadata, not the UUID.
    Several nouns of one run look at the same definitions.
    """
    if URI not in xml:
        return None
    root = parse(xml)
    # Steps of one tag each: longer paths are walked in Python, and a cloud has thousands of these.
    metadata, devices = root.find("metadata"), root.find("devices")
    element = metadata.find(f"{{{URI}}}instance") if metadata is not None else None
    if element is None:
        return None
    if devices is None:
        devices = ET.Element("devices")
    labels, name, uuid = parse_labels(element), root.findtext("name", ""), root.findtext("uuid", "")
    if not is_id(labels.id, "instance") or uuid_of(labels.id) != uuid:
        return None
    disks, type_ = devices.findall("disk"), walk.type_of(root)
    drives = [disk for disk in disks if disk.get("device") == "cdrom" and disk.findtext("serial")]
    own_drives = find_cdroms(devices, labels) if drives else []
    if type_ == "qemu":
        known = tuple(_parse_disks([disk for disk in disks if disk not in own_drives], labels))
    else:
        known = tuple(_parse_trees(devices))
    ours = tuple(disk for disk in known if is_own_disk(disk, name, labels))
    targets = {target.get("dev", "") for disk in disks for target in disk.findall("target")}
    macs = frozenset(mac_of_nic(element) for element in devices.findall("interface")) if labels.adopted else frozenset()
    interfaces = tuple(one for one in parse_interfaces(devices, type_, labels) if labels.claims_nic(one.mac))
    return DomainModel(
        name=name,
        uuid=uuid,
        memory=memory_of(root),
        held_back=parse_held_back(root),
        vcpus=parse_vcpus(root),
        type=type_,
        further=Further(xml),
        disks=ours,
        cdroms=tuple(parse_cdrom(drive) for drive in own_drives),
        other_cdroms=tuple(parse_cdrom(drive) for drive in drives if drive not in own_drives),
        interfaces=interfaces,
        description=root.findtext("description"),
        labels=labels,
        attached=tuple(disk for disk in known if parse_attached(disk.volume, root.findtext("uuid", "")) is not None),
        other_targets=frozenset(targets - {disk.target for disk in ours}),
        other_macs=macs - {one.mac for one in interfaces},
    )


def _parse_disks(elements: Iterable[ET.Element], labels: Labels) -> Iterable[Disk]:
    for element in elements:
        disk = parse_disk(element)
        if disk is not None:
            label = label_of_adopted(disk, labels)
            yield disk if label is None else replace(disk, adopted_as=label.name)


def label_of_adopted(disk: Disk, labels: Labels) -> VolumeLabel | None:
    """Return what a disk was adopted as."""
    return next((one for one in labels.volumes if one.path == disk.path), None) if labels.adopted else None


def _parse_trees(devices: Any) -> Iterable[Disk]:
    """Return the root volume of a container. What else is mounted in it was written by hand."""
    for element in devices.findall("filesystem"):
        source, target = element.find("source"), element.find("target")
        path = tree_of_files(source.get("dir", "")) if source is not None else None
        if path is not None and target is not None and target.get("dir") == "/":
            yield Disk(target="/", path=path, serial="root", format="dir", kind="tree")


def parse_disk(element: Any) -> Disk | None:
    """Return a disk of a kind that we use, whoever made it; None for others, and for drives without a medium."""
    source, target, driver = element.find("source"), element.find("target"), element.find("driver")
    if source is None or target is None:
        return None
    kind, path = _parse_place(source)
    if kind is None:
        return None
    return Disk(
        target=target.get("dev", ""),
        path=path,
        serial=element.findtext("serial", ""),
        format=driver.get("type", "raw") if driver is not None else "raw",
        read_only=element.find("readonly") is not None,
        kind=kind,
        ceph=_parse_ceph(element, source) if kind == "rbd" else None,
        further=read_rows(disk.TABLE, element),
    )


def find_cdroms(devices: Any, *labels: Labels) -> list[Any]:
    """Return the elements of the drives that labels name. Others are not ours to know."""
    names = {drive.name for one in labels for drive in one.cdroms}
    return [
        element
        for element in devices.findall("disk")
        if element.get("device") == "cdrom" and element.findtext("serial", "") in names
    ]


def parse_cdrom(element: Any) -> Disk:
    source, target = element.find("source"), element.find("target")
    kind, path = _parse_place(source) if source is not None else (None, "")
    return Disk(
        target=target.get("dev", "") if target is not None else "",
        path=path,
        serial=element.findtext("serial", ""),
        format="raw",
        read_only=True,
        kind=kind or "file",
        ceph=_parse_ceph(element, source) if kind == "rbd" else None,
        further=read_rows(cdrom.TABLE, element),
    )


def _parse_place(source: ET.Element) -> tuple[DiskKind | None, str]:
    if source.get("file"):
        return "file", source.get("file", "")
    if source.get("dev"):
        return "block", source.get("dev", "")
    if source.get("protocol") == "rbd":
        return "rbd", source.get("name", "")
    if source.get("pool") and source.get("volume"):
        return "unit", f"{source.get('pool')}/{source.get('volume')}"
    return None, ""


def _parse_ceph(element: ET.Element, source: ET.Element) -> Ceph:
    """The credentials may stand in either element: libvirt leaves them where they were written."""
    auth = source.find("auth")
    if auth is None:
        auth = element.find("auth")
    secret = auth.find("secret") if auth is not None else None
    return Ceph(
        monitors=tuple(f"{host.get('name', '')}:{host.get('port', '')}" for host in source.findall("host")),
        user=auth.get("username", "") if auth is not None else "",
        secret=secret.get("uuid", "") if secret is not None else "",
    )


def is_own_disk(disk: Disk, instance: str, labels: Labels) -> bool:
    """Tell whether a disk is an instance's own: by the name of its volume, or as its labels name it."""
    if is_of_instance(disk.volume, instance, labels.id) or label_of_adopted(disk, labels) is not None:
        return True
    return disk.kind == "unit" and any(f"{one.pool}/{one.unit}" == disk.path for one in labels.volumes if one.unit)


def find_nics(devices: Any) -> list[Any]:
    """Return the elements of the NICs on networks, and of our virtual functions. Others, such as ones that a person
    passed through, are not ours to know.

    While an instance runs, libvirt shows the type of what it resolved the network to; the source still names it.
    """
    found = []
    for element in devices.findall("interface"):
        source = element.find("source")
        is_on_network = source is not None and source.get("network") is not None and element.find("mac") is not None
        if is_on_network or is_function(element):
            found.append(element)
    return found


def mac_of_nic(element: Any) -> str:
    mac = element.find("mac")
    return canonical_mac(mac.get("address", "")) if mac is not None else ""


def parse_interfaces(devices: Any, type_: Type = "qemu", labels: Labels | None = None) -> Iterable[Interface]:
    """Yield the NICs. labels: without them no virtual function is known."""
    for element in find_nics(devices):
        if is_function(element):
            if labels is not None:
                yield _parse_function(element, labels)
            continue
        source = element.find("source")
        yield Interface(
            mac=mac_of_nic(element),
            network=source.get("network", ""),
            port_group=source.get("portgroup", ""),
            offload=not _has_checksums_off(element),
            addresses=_parse_addresses(element) if type_ == "lxc" else None,
            gateways=tuple(one.get("gateway", "") for one in element.findall("route") if is_default_route(one))
            if type_ == "lxc"
            else None,
            further=read_rows(nic.TABLE, element),
        )


def _parse_function(element: Any, labels: Labels) -> Interface:
    """A running guest may still have one that its labels do not name any more."""
    mac, (function, vlan) = mac_of_nic(element), read_function(element)
    label = next((one for one in labels.nics if one.mac == mac), NicLabel(name=""))
    return Interface(
        mac=mac,
        network=label.vswitch,
        port_group=label.port_group,
        function=function,
        sr_iov=label.sr_iov,
        vlan=vlan,
        further=nic.of_function(read_rows(nic.TABLE, element)),
    )


# What a default route leads to.
ANYWHERE = {"ipv4": "0.0.0.0", "ipv6": "::"}  # noqa: S104 - nothing binds to it


def is_default_route(route: Any) -> bool:
    return route.get("prefix", "0") == "0" and route.get("address") in ANYWHERE.values()


def _parse_addresses(element: Any) -> tuple[str, ...]:
    found = ((one.get("address", ""), one.get("prefix")) for one in element.findall("ip"))
    return tuple(f"{address}/{prefix}" if prefix is not None else address for address, prefix in found)


def _has_checksums_off(element: Any) -> bool:
    driver = element.find("driver")
    sides = [driver.find(side) for side in ("host", "guest")] if driver is not None else [None]
    return all(side is not None and side.get("csum") == "off" for side in sides)
