"""Instances as libvirt domains: rendering, reading back, and editing what we manage and nothing else.

XML is never compared as text. `parse_domain` reduces a domain to a `DomainModel`; two models are compared field by
field. `edit_domain` takes an existing definition to a model and keeps everything that the model does not hold.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field

from .._names import is_of_instance, parse_standalone
from .._pool_kinds import DiskKind

URI = "urn:pextra:instance:1"
_PREFIX = "pextra"
CONSOLE_DIRECTORY = "/var/log/pextra/console"
# Every PCIe device needs a root port of its own, and ports cannot be added while the guest runs.
_SPARE_PCIE_PORTS = 4
_FIXED_PCIE_DEVICES = 4  # memory balloon, RNG, serial for the agent, USB

ET.register_namespace(_PREFIX, URI)


@dataclass(frozen=True, kw_only=True)
class Ceph:
    """How a disk of Ceph is reached. monitors are host:port; secret is the UUID of a secret of libvirt's."""

    monitors: tuple[str, ...]
    user: str
    secret: str


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A disk; `serial` is what the guest finds it by.

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

    @property
    def volume(self) -> str:
        """The name of its volume in its storage pool."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A NIC, on a port group of a libvirt network, which has its vSwitch's name."""

    mac: str
    network: str
    port_group: str


@dataclass(frozen=True, kw_only=True)
class VolumeLabel:
    """What a volume is to the instance. size is MiB. unit: of an iSCSI target, whose size is not ours to know."""

    name: str
    pool: str
    size: int = 0
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class NicLabel:
    """What a NIC is called, and the addresses that cloud-init gives it. NICs have the order of their labels."""

    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What libvirt has no field for. `image` is the name, which stays when the image is renewed."""

    id: str
    cluster: str
    organization: str
    image: str | None = None
    root_mode: str | None = None
    anti_affinity: str | None = None
    seed: str | None = None
    tags: tuple[str, ...] = ()
    volumes: tuple[VolumeLabel, ...] = ()
    nics: tuple[NicLabel, ...] = ()

    @property
    def addresses(self) -> tuple[tuple[str, ...], ...]:
        return tuple(nic.addresses for nic in self.nics)

    @property
    def root(self) -> VolumeLabel | None:
        return next((volume for volume in self.volumes if volume.name == "root"), None)


@dataclass(frozen=True, kw_only=True)
class DomainModel:
    """memory is MiB; held_back is how much of it the balloon keeps from the guest: nothing, unless edited by hand.

    disks are the instance's own; attached are volumes that live on their own, which stay with whoever attached them.
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
    attached: tuple[Disk, ...] = field(default=(), compare=False)
    other_targets: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def targets(self) -> frozenset[str]:
        """The device names of all disks."""
        return self.other_targets | {disk.target for disk in self.disks}


def render_domain(model: DomainModel, virt_type: str) -> str:
    """Return the definition of a new instance; virt_type is kvm or qemu."""
    root = ET.Element("domain", type=virt_type)
    ET.SubElement(root, "name").text = model.name
    ET.SubElement(root, "uuid").text = model.uuid
    os_ = ET.SubElement(root, "os")
    ET.SubElement(os_, "type", arch="x86_64", machine="q35").text = "hvm"
    ET.SubElement(os_, "boot", dev="hd")
    features = ET.SubElement(root, "features")
    ET.SubElement(features, "acpi")
    ET.SubElement(features, "apic")
    root.append(_cpu(virt_type))
    ET.SubElement(root, "clock", offset="utc")
    ET.SubElement(root, "on_poweroff").text = "destroy"
    ET.SubElement(root, "on_reboot").text = "restart"
    ET.SubElement(root, "on_crash").text = "destroy"
    devices = ET.SubElement(root, "devices")
    ET.SubElement(devices, "controller", type="pci", model="pcie-root")
    ports = len(model.disks) + len(model.interfaces) + _FIXED_PCIE_DEVICES + _SPARE_PCIE_PORTS
    for _ in range(ports):
        ET.SubElement(devices, "controller", type="pci", model="pcie-root-port")
    ET.SubElement(devices, "controller", type="usb", model="none")
    serial = ET.SubElement(devices, "serial", type="pty")
    ET.SubElement(serial, "log", file=f"{CONSOLE_DIRECTORY}/{model.name}.log", append="on")
    channel = ET.SubElement(devices, "channel", type="unix")
    ET.SubElement(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    rng = ET.SubElement(devices, "rng", model="virtio")
    ET.SubElement(rng, "backend", model="random").text = "/dev/urandom"
    ET.SubElement(devices, "memballoon", model="virtio")
    return _finish(root, model)


def edit_domain(xml: str, model: DomainModel) -> str:
    """Return the definition `xml` taken to the model; what the model does not hold stays as it is."""
    return _finish(ET.fromstring(xml), model)


def convert_domain(xml: str, virt_type: str) -> str:
    """Return a definition as it must be on a node of another virt_type (kvm or qemu)."""
    root = ET.fromstring(xml)
    root.set("type", virt_type)
    for index, element in enumerate(root):
        if element.tag == "cpu":
            root[index] = _cpu(virt_type)
    return ET.tostring(root, encoding="unicode")


def parse_domain(xml: str) -> DomainModel | None:
    """Return what a definition says of what we manage; None for a domain that is not ours."""
    if URI not in xml:
        return None
    root = ET.fromstring(xml)
    # Steps of one tag each: longer paths are walked in Python, and a cloud has thousands of these.
    metadata, devices = root.find("metadata"), root.find("devices")
    element = metadata.find(f"{{{URI}}}instance") if metadata is not None else None
    if element is None:
        return None
    if devices is None:
        devices = ET.Element("devices")
    labels, name = _parse_labels(element), root.findtext("name", "")
    disks = devices.findall("disk")
    known = tuple(_parse_disks(disks))
    ours = tuple(disk for disk in known if is_own_disk(disk, name, labels))
    targets = {target.get("dev", "") for disk in disks for target in disk.findall("target")}
    return DomainModel(
        name=name,
        uuid=root.findtext("uuid", ""),
        memory=_memory_mib(root.find("memory")),
        held_back=_parse_held_back(root),
        vcpus=_parse_vcpus(root),
        disks=ours,
        interfaces=tuple(_parse_interfaces(devices)),
        description=root.findtext("description"),
        labels=labels,
        attached=tuple(disk for disk in known if parse_standalone(disk.volume) is not None),
        other_targets=frozenset(targets - {disk.target for disk in ours}),
    )


def render_interface(interface: Interface) -> str:
    """Return a NIC as a device of its own, for a running instance."""
    return ET.tostring(_interface(interface), encoding="unicode")


def render_disk(disk: Disk) -> str:
    """Return a disk as a device of its own, for a running instance."""
    return ET.tostring(_disk(disk), encoding="unicode")


def render_labels(labels: Labels) -> str:
    """Return the metadata element for libvirt to put in place of the old one.

    libvirt declares the prefix itself, and fails if it finds it declared: ours is the default namespace here.
    """
    element = _labels(labels)
    for part in element.iter():
        part.tag = part.tag.removeprefix(f"{{{URI}}}")
    element.set("xmlns", URI)
    return ET.tostring(element, encoding="unicode")


def _cpu(virt_type: str) -> ET.Element:
    if virt_type == "kvm":
        return ET.Element("cpu", mode="host-model")
    # x86-64-v2, which current distributions need and QEMU's emulation offers in full.
    cpu = ET.Element("cpu", mode="custom", match="exact", check="none")
    ET.SubElement(cpu, "model", fallback="forbid").text = "Nehalem"
    return cpu


def _finish(root: ET.Element, model: DomainModel) -> str:
    """Write all that the model holds into a definition."""
    before = root.find(f"metadata/{{{URI}}}instance")
    old = _parse_labels(before) if before is not None else None
    _set_text(root, "name", model.name)
    _set_text(root, "description", model.description)
    _set_labels(root, model.labels)
    for tag in ("memory", "currentMemory"):
        _set_text(root, tag, str(model.memory))
        found = root.find(tag)
        if found is not None:
            found.set("unit", "MiB")
    _set_text(root, "vcpu", str(model.vcpus))
    vcpu = root.find("vcpu")
    if vcpu is not None:
        vcpu.attrib.pop("current", None)
    devices = root.find("devices")
    if devices is None:
        devices = ET.SubElement(root, "devices")
    _set_disks(devices, model, old)
    _set_interfaces(devices, model.interfaces)
    return ET.tostring(root, encoding="unicode")


def _set_text(root: ET.Element, tag: str, text: str | None) -> None:
    found = root.find(tag)
    if text is None:
        if found is not None:
            root.remove(found)
        return
    if found is None:
        found = ET.SubElement(root, tag)
    found.text = text


def _set_labels(root: ET.Element, labels: Labels) -> None:
    metadata = root.find("metadata")
    if metadata is None:
        metadata = ET.SubElement(root, "metadata")
    for old in metadata.findall(f"{{{URI}}}instance"):
        metadata.remove(old)
    metadata.append(_labels(labels))


def _labels(labels: Labels) -> ET.Element:
    # Attributes first, in one order: the same labels are the same text.
    element = ET.Element(f"{{{URI}}}instance", id=labels.id, cluster=labels.cluster, organization=labels.organization)
    for key, value in (
        ("image", labels.image),
        ("root_mode", labels.root_mode),
        ("anti_affinity", labels.anti_affinity),
        ("seed", labels.seed),
    ):
        if value is not None:
            element.set(key, value)
    for tag in labels.tags:
        ET.SubElement(element, f"{{{URI}}}tag", name=tag)
    for volume in labels.volumes:
        child = ET.SubElement(element, f"{{{URI}}}volume", name=volume.name, pool=volume.pool)
        child.set(*(("unit", volume.unit) if volume.unit is not None else ("size", str(volume.size))))
    for index, nic in enumerate(labels.nics):
        child = ET.SubElement(element, f"{{{URI}}}nic", addresses=" ".join(nic.addresses))
        # What is called by its order has been written without a name from the beginning.
        if nic.name != f"nic{index}":
            child.set("name", nic.name)
    return element


def _parse_labels(element: ET.Element) -> Labels:
    return Labels(
        id=element.get("id", ""),
        cluster=element.get("cluster", ""),
        organization=element.get("organization", ""),
        image=element.get("image"),
        root_mode=element.get("root_mode"),
        anti_affinity=element.get("anti_affinity"),
        seed=element.get("seed"),
        tags=tuple(tag.get("name", "") for tag in element.findall(f"{{{URI}}}tag")),
        volumes=tuple(
            VolumeLabel(
                name=volume.get("name", ""),
                pool=volume.get("pool", ""),
                size=int(volume.get("size", "0")),
                unit=volume.get("unit"),
            )
            for volume in element.findall(f"{{{URI}}}volume")
        ),
        nics=tuple(
            NicLabel(name=nic.get("name") or f"nic{index}", addresses=tuple(nic.get("addresses", "").split()))
            for index, nic in enumerate(element.findall(f"{{{URI}}}nic"))
        ),
    )


def _parse_held_back(root: ET.Element) -> int:
    """Return what a definition keeps from the guest. While it runs that is the balloon's affair."""
    current = root.find("currentMemory")
    if current is None or root.get("id") is not None:
        return 0
    return _memory_mib(root.find("memory")) - _memory_mib(current)


def _parse_vcpus(root: ET.Element) -> int:
    element = root.find("vcpu")
    if element is None:
        return 1
    return int(element.get("current") or element.text or "1")


def _memory_mib(element: ET.Element | None) -> int:
    if element is None or element.text is None:
        return 0
    per_mib = {"b": 1024**2, "bytes": 1024**2, "KiB": 1024, "k": 1024, "MiB": 1, "M": 1}
    unit = element.get("unit", "KiB")
    if unit in ("GiB", "G"):
        return int(element.text) * 1024
    return int(element.text) // per_mib[unit]


# libvirt's word for each kind, and the attribute of <source> that holds its path.
_DISK_TYPES: dict[DiskKind, tuple[str, str]] = {
    "file": ("file", "file"),
    "block": ("block", "dev"),
    "rbd": ("network", "name"),
    "unit": ("volume", "volume"),
}


def _disk(disk: Disk) -> ET.Element:
    element = ET.Element("disk", type=_DISK_TYPES[disk.kind][0], device="disk")
    ET.SubElement(element, "driver", name="qemu", type=disk.format, cache="none", discard="unmap")
    element.append(_disk_source(disk))
    ET.SubElement(element, "target", dev=disk.target, bus="virtio")
    if disk.read_only:
        ET.SubElement(element, "readonly")
    ET.SubElement(element, "serial").text = disk.serial
    return element


def _disk_source(disk: Disk) -> ET.Element:
    source = ET.Element("source")
    if disk.kind == "unit":
        pool, _, unit = disk.path.partition("/")
        source.attrib |= {"pool": pool, "volume": unit}
        return source
    if disk.ceph is not None:
        source.set("protocol", "rbd")
    source.set(_DISK_TYPES[disk.kind][1], disk.path)
    if disk.ceph is not None:
        for monitor in disk.ceph.monitors:
            host, _, port = monitor.rpartition(":")
            ET.SubElement(source, "host", name=host, port=port)
        auth = ET.SubElement(source, "auth", username=disk.ceph.user)
        ET.SubElement(auth, "secret", type="ceph", uuid=disk.ceph.secret)
    return source


def _parse_disks(elements: Iterable[ET.Element]) -> Iterable[Disk]:
    for element in elements:
        disk = parse_disk(element)
        if disk is not None:
            yield disk


def parse_disk(element: ET.Element) -> Disk | None:
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


def _set_disks(devices: ET.Element, model: DomainModel, old: Labels | None) -> None:
    """Make the instance's own disks those of the model. Others stay, even if a new disk then finds its name taken.

    old: the labels that the definition had, which tell what units of targets were its own.
    """
    wanted = {disk.serial: disk for disk in model.disks}
    for element in devices.findall("disk"):
        disk, target = parse_disk(element), element.find("target")
        name = target.get("dev", "") if target is not None else ""
        serial = element.findtext("serial", "")
        is_ours = disk is not None and any(is_own_disk(disk, model.name, one) for one in (model.labels, old) if one)
        # By hand its path may have been changed, or its serial, but hardly both.
        found = wanted.get(serial) if is_ours or (serial in wanted and wanted[serial].target == name) else None
        if found is None and is_ours and disk is not None:
            found = next((one for one in wanted.values() if one.target == name and one.path == disk.path), None)
        if found is not None:
            del wanted[found.serial]
            _write_disk(element, found)
        elif is_ours:
            devices.remove(element)
    for missing in wanted.values():
        devices.append(_disk(missing))


def is_own_disk(disk: Disk, instance: str, labels: Labels) -> bool:
    """Tell whether a disk is an instance's own: by the name of its volume, or as a unit that its labels name."""
    if is_of_instance(disk.volume, instance, labels.id):
        return True
    return disk.kind == "unit" and any(f"{one.pool}/{one.unit}" == disk.path for one in labels.volumes if one.unit)


def _write_disk(element: ET.Element, disk: Disk) -> None:
    """Write what we manage of a disk; its address, its driver's other settings and the like stay."""
    for tag, key, value in (("driver", "type", disk.format), ("target", "dev", disk.target)):
        child = element.find(tag)
        if child is None:
            child = ET.SubElement(element, tag)
        child.set(key, value)
    _write_source(element, disk)
    _set_text(element, "serial", disk.serial)
    read_only = element.find("readonly")
    if disk.read_only and read_only is None:
        ET.SubElement(element, "readonly")
    elif not disk.read_only and read_only is not None:
        element.remove(read_only)


def _write_source(element: ET.Element, disk: Disk) -> None:
    libvirt_type, key = _DISK_TYPES[disk.kind]
    source, before = element.find("source"), parse_disk(element)
    if source is not None and before is not None and before.kind == disk.kind:
        if (before.path, before.ceph) == (disk.path, disk.ceph):
            return
        if disk.kind in ("file", "block"):
            source.set(key, disk.path)
            return
    element.set("type", libvirt_type)
    place = len(element)
    for old in (*element.findall("source"), *element.findall("auth")):
        place = min(place, list(element).index(old))
        element.remove(old)
    element.insert(place, _disk_source(disk))


def _interface(interface: Interface) -> ET.Element:
    element = ET.Element("interface", type="network")
    ET.SubElement(element, "mac", address=interface.mac)
    ET.SubElement(element, "source", network=interface.network, portgroup=interface.port_group)
    ET.SubElement(element, "model", type="virtio")
    return element


def _parse_interfaces(devices: ET.Element) -> Iterable[Interface]:
    for element in devices.findall("interface"):
        mac, source = element.find("mac"), element.find("source")
        if mac is None or source is None:
            continue
        yield Interface(
            mac=mac.get("address", "").lower(),
            network=source.get("network", ""),
            port_group=source.get("portgroup", ""),
        )


def _set_interfaces(devices: ET.Element, interfaces: Iterable[Interface]) -> None:
    """Make the NICs those of the model, in its order. What is no NIC on a network or bridge stays."""
    held = {}
    for element in devices.findall("interface"):
        mac = element.find("mac")
        if mac is not None and element.find("source") is not None:
            held[mac.get("address", "").lower()] = element
            devices.remove(element)
    for interface in interfaces:
        found = held.get(interface.mac)
        source = found.find("source") if found is not None else None
        if found is None or source is None or found.get("type") != "network":
            devices.append(_interface(interface))
            continue
        source.set("network", interface.network)
        source.set("portgroup", interface.port_group)
        devices.append(found)
