"""Instances as libvirt domains: rendering, and editing what we manage and nothing else.

An edit keeps every element, attribute, comment and prefix that the model does not hold, which is why it reads with
lxml; what is only read, or written anew, needs no more than the standard library. Both build by `makeelement`.
"""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from typing import Any

from .._nouns.instance import walk
from ._size import parse_memory, parse_vcpus, write_memory, write_vcpus
from .domain import (
    DISK_TYPES,
    URI,
    Disk,
    DomainModel,
    Interface,
    Labels,
    find_nics,
    is_own_disk,
    mac_of_nic,
    parse_disk,
    parse_held_back,
    parse_labels,
)

_PREFIX = "pextra"
CONSOLE_DIRECTORY = "/var/log/pextra/console"
# Every PCIe device needs a root port of its own, and ports cannot be added while the guest runs.
_SPARE_PCIE_PORTS = 4
_FIXED_PCIE_DEVICES = 4  # memory balloon, RNG, serial for the agent, USB
# What has to be off on a switch with the userspace datapath, on either side (libvirt: Domain XML, NIC driver).
_OFFLOADS = {
    "host": ("csum", "gso", "tso4", "tso6", "ecn", "ufo"),
    "guest": ("csum", "tso4", "tso6", "ecn", "ufo"),
}
# What libvirt gives a device of a running guest, and gives anew to one that is plugged in.
_LIVE_ONLY = ("alias", "address", "target", "backend")

Make = Callable[[str, dict[str, str]], Any]

ET.register_namespace(_PREFIX, URI)


def render_domain(model: DomainModel, virt_type: str) -> str:
    """Return the definition of a new instance; virt_type is kvm or qemu."""
    root = ET.Element("domain", {"type": virt_type})
    _add(root, "name").text = model.name
    _add(root, "uuid").text = model.uuid
    os_ = _add(root, "os")
    _add(os_, "type", arch="x86_64", machine="q35").text = "hvm"
    _add(os_, "boot", dev="hd")
    features = _add(root, "features")
    _add(features, "acpi")
    _add(features, "apic")
    _set_cpu(_add(root, "cpu"), virt_type)
    _add(root, "clock", offset="utc")
    _add(root, "on_poweroff").text = "destroy"
    _add(root, "on_reboot").text = "restart"
    _add(root, "on_crash").text = "restart"
    devices = _add(root, "devices")
    _add(devices, "controller", type="pci", model="pcie-root")
    ports = len(model.disks) + len(model.interfaces) + _FIXED_PCIE_DEVICES + _SPARE_PCIE_PORTS
    ports += walk.count_slots(model.further)
    for _ in range(ports):
        _add(devices, "controller", type="pci", model="pcie-root-port")
    _add(devices, "controller", type="usb", model="none")
    serial = _add(devices, "serial", type="pty")
    _add(serial, "log", file=f"{CONSOLE_DIRECTORY}/{model.name}.log", append="on")
    channel = _add(devices, "channel", type="unix")
    _add(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    # By it a guest tells that its kernel has crashed; nothing would restart it otherwise.
    _add(devices, "panic", model="isa")
    rng = _add(devices, "rng", model="virtio")
    _add(rng, "backend", model="random").text = "/dev/urandom"
    _add(devices, "memballoon", model="virtio")
    _write(root, model)
    return ET.tostring(root, encoding="unicode")


def edit_domain(xml: str, model: DomainModel) -> str:
    """Return the definition `xml` taken to the model; what the model does not hold stays as it is."""
    root = _read(xml)
    _write(root, model)
    return _show(root)


def convert_domain(xml: str, virt_type: str) -> str:
    """Return a definition as it must be on a node of another virt_type (kvm or qemu)."""
    root = _read(xml)
    root.set("type", virt_type)
    for cpu in root.findall("cpu"):
        _set_cpu(cpu, virt_type)
    return _show(root)


def render_disk(disk: Disk) -> str:
    """Return a disk as a device of its own, for a running instance."""
    return ET.tostring(_make_disk(disk, ET.Element), encoding="unicode")


def render_labels(labels: Labels) -> str:
    """Return the metadata element for libvirt to put in place of the old one.

    libvirt declares the prefix itself, and fails if it finds it declared: ours is the default namespace here.
    """
    element = _make_labels(labels, ET.Element)
    for part in element.iter():
        part.tag = part.tag.removeprefix(f"{{{URI}}}")
    element.set("xmlns", URI)
    return ET.tostring(element, encoding="unicode")


# NICs of a running instance


def take_nic(xml: str, mac: str) -> str | None:
    """Return the NIC with a MAC address as a domain has it, None if it has none."""
    devices = ET.fromstring(xml).find("devices")
    found = [element for element in find_nics(devices) if mac_of_nic(element) == mac] if devices is not None else []
    return ET.tostring(found[0], encoding="unicode") if found else None


def plug_nic(xml: str) -> str:
    """Return a NIC as it can be plugged into a running instance: what libvirt gives it is left out."""
    element = ET.fromstring(xml)
    for tag in _LIVE_ONLY:
        for old in element.findall(tag):
            element.remove(old)
    for parameters in element.iterfind("virtualport/parameters"):
        parameters.attrib.pop("interfaceid", None)
    _lead_to(element, element.find("source"))
    return ET.tostring(element, encoding="unicode")


def move_nic(live: str, config: str, vlan: str | None) -> str:
    """Return a running NIC, `live`, led to the port group that its definition, `config`, names.

    It stays the same port of the switch, with its filters, limits and queues; libvirt refuses everything else. vlan:
    what the port group says of VLANs. libvirt 9 asks for the VLANs of the device alone and forgets the port group's:
    the port would carry the frames of every VLAN.
    """
    element, wanted = ET.fromstring(live), ET.fromstring(config)
    _lead_to(element, wanted.find("source"))
    # What runs shows the VLAN of its old port group as its own.
    for old in element.findall("vlan"):
        element.remove(old)
    element.extend(copy.deepcopy(own) for own in wanted.findall("vlan"))
    if vlan is not None and element.find("vlan") is None:
        element.append(ET.fromstring(vlan))
    return ET.tostring(element, encoding="unicode")


def _lead_to(element: Any, target: Any) -> None:
    """Let a NIC name its network and port group alone, not what libvirt made of them."""
    element.set("type", "network")
    source = _find_or_add(element, "source")
    named = {key: target.get(key) for key in ("network", "portgroup") if target.get(key) is not None}
    source.attrib.clear()
    source.attrib.update(named)


# Reading and writing


def _read(xml: str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(remove_blank_text=False, strip_cdata=False, resolve_entities=False, no_network=True)
    return etree.fromstring(xml.encode(), parser)


def _show(root: Any) -> str:
    from lxml import etree

    return str(etree.tostring(root, encoding="unicode"))


def _add(parent: Any, tag: str, /, **attributes: str) -> Any:
    element = parent.makeelement(tag, attributes)
    parent.append(element)
    return element


def _find_or_add(parent: Any, tag: str) -> Any:
    found = parent.find(tag)
    return found if found is not None else _add(parent, tag)


def _set_text(root: Any, tag: str, text: str | None) -> None:
    if text is not None:
        _find_or_add(root, tag).text = text
        return
    for found in root.findall(tag):
        root.remove(found)


def _set_cpu(cpu: Any, virt_type: str) -> None:
    """Choose the processor. Topology, NUMA cells and the like stay."""
    for key in ("mode", "match", "check", "migratable"):
        cpu.attrib.pop(key, None)
    for tag in ("model", "vendor", "feature"):
        for old in cpu.findall(tag):
            cpu.remove(old)
    if virt_type == "kvm":
        cpu.set("mode", "host-model")
        return
    # x86-64-v2, which current distributions need and QEMU's emulation offers in full.
    cpu.attrib.update({"mode": "custom", "match": "exact", "check": "none"})
    model = cpu.makeelement("model", {"fallback": "forbid"})
    model.text = "Nehalem"
    cpu.insert(0, model)


def _write(root: Any, model: DomainModel) -> None:
    """Write all that the model holds and that is not there yet."""
    element = root.find(f"metadata/{{{URI}}}instance")
    old = parse_labels(element) if element is not None else None
    if root.findtext("name") != model.name:
        _set_text(root, "name", model.name)
    if root.findtext("description") != model.description:
        _set_text(root, "description", model.description)
    if old != model.labels:
        _set_labels(root, model.labels)
    if parse_memory(root.find("memory")) != model.memory or parse_held_back(root) != model.held_back:
        write_memory(root, model.memory, model.held_back)
    if root.find("vcpu") is None or parse_vcpus(root) != model.vcpus:
        write_vcpus(root, model.vcpus)
    devices = _find_or_add(root, "devices")
    _set_disks(devices, model, old)
    _set_interfaces(devices, model.interfaces)
    walk.edit(root, model.further)


def _set_labels(root: Any, labels: Labels) -> None:
    metadata = _find_or_add(root, "metadata")
    fresh = _make_labels(labels, _maker(root))
    place = len(metadata)
    for old in metadata.findall(f"{{{URI}}}instance"):
        place = min(place, list(metadata).index(old))
        fresh.tail = old.tail
        metadata.remove(old)
    metadata.insert(place, fresh)


def _maker(root: Any) -> Make:
    """Return what makes elements of the root's kind; of lxml's, with our prefix declared where it is used."""
    if isinstance(root, ET.Element):
        return ET.Element

    def make(tag: str, attributes: dict[str, str]) -> Any:
        return root.makeelement(tag, attributes, nsmap={_PREFIX: URI} if tag.startswith("{") else None)

    return make


def _make_labels(labels: Labels, make: Make) -> Any:
    # Attributes first, in one order: the same labels are the same text.
    element = make(
        f"{{{URI}}}instance", {"id": labels.id, "cluster": labels.cluster, "organization": labels.organization}
    )
    for key, value in (
        ("image", labels.image),
        ("root_mode", labels.root_mode),
        ("anti_affinity", labels.anti_affinity),
        ("seed", labels.seed),
    ):
        if value is not None:
            element.set(key, value)
    parts: list[tuple[str, dict[str, str]]] = [("tag", {"name": tag}) for tag in labels.tags]
    for volume in labels.volumes:
        size = {"unit": volume.unit} if volume.unit is not None else {"size": str(volume.size)}
        parts.append(("volume", {"name": volume.name, "pool": volume.pool, **size}))
    for index, nic in enumerate(labels.nics):
        # What is called by its order has been written without a name from the beginning.
        name = {"name": nic.name} if nic.name != f"nic{index}" else {}
        parts.append(("nic", {"addresses": " ".join(nic.addresses), **name}))
    for tag, attributes in parts:
        element.append(make(f"{{{URI}}}{tag}", attributes))
    return element


# Disks


def _make_disk(disk: Disk, make: Make) -> Any:
    element = make("disk", {"type": DISK_TYPES[disk.kind][0], "device": "disk"})
    _append(element, make, "driver", name="qemu", type=disk.format, cache="none", discard="unmap")
    element.append(_make_source(disk, make))
    _append(element, make, "target", dev=disk.target, bus="virtio")
    if disk.read_only:
        _append(element, make, "readonly")
    _append(element, make, "serial").text = disk.serial
    return element


def _append(parent: Any, make: Make, tag: str, /, **attributes: str) -> Any:
    element = make(tag, attributes)
    parent.append(element)
    return element


def _make_source(disk: Disk, make: Make) -> Any:
    source = make("source", {})
    if disk.kind == "unit":
        pool, _, unit = disk.path.partition("/")
        source.set("pool", pool)
        source.set("volume", unit)
        return source
    if disk.ceph is not None:
        source.set("protocol", "rbd")
    source.set(DISK_TYPES[disk.kind][1], disk.path)
    if disk.ceph is not None:
        for monitor in disk.ceph.monitors:
            host, _, port = monitor.rpartition(":")
            _append(source, make, "host", name=host, port=port)
        auth = _append(source, make, "auth", username=disk.ceph.user)
        _append(auth, make, "secret", type="ceph", uuid=disk.ceph.secret)
    return source


def _set_disks(devices: Any, model: DomainModel, old: Labels | None) -> None:
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
            if found != disk:
                _write_disk(element, found)
        elif is_ours:
            devices.remove(element)
    for missing in wanted.values():
        devices.append(_make_disk(missing, _maker(devices)))


def _write_disk(element: Any, disk: Disk) -> None:
    """Write what we manage of a disk; its address, its driver's other settings and the like stay."""
    for tag, key, value in (("driver", "type", disk.format), ("target", "dev", disk.target)):
        _find_or_add(element, tag).set(key, value)
    _write_source(element, disk)
    _set_text(element, "serial", disk.serial)
    if disk.read_only:
        _find_or_add(element, "readonly")
    else:
        _set_text(element, "readonly", None)


def _write_source(element: Any, disk: Disk) -> None:
    libvirt_type, key = DISK_TYPES[disk.kind]
    source, before = element.find("source"), parse_disk(element)
    if source is not None and before is not None and before.kind == disk.kind:
        if (before.path, before.ceph) == (disk.path, disk.ceph):
            return
        if disk.kind in ("file", "block"):
            source.set(key, disk.path)
            return
    fresh = _make_source(disk, _maker(element))
    if source is not None and before is not None and before.kind == disk.kind:
        # Encryption, caches of the client and the like.
        fresh.extend(copy.deepcopy(child) for child in source if child.tag not in ("host", "auth"))
    element.set("type", libvirt_type)
    place = len(element)
    for old in (*element.findall("source"), *element.findall("auth")):
        place = min(place, list(element).index(old))
        element.remove(old)
    element.insert(place, fresh)


# NICs


def _make_interface(interface: Interface, make: Make) -> Any:
    element = make("interface", {"type": "network"})
    _append(element, make, "mac", address=interface.mac)
    _append(element, make, "source", network=interface.network, portgroup=interface.port_group)
    _append(element, make, "model", type="virtio")
    if not interface.offload:
        _turn_off_checksums(element)
    return element


def _set_interfaces(devices: Any, interfaces: Iterable[Interface]) -> None:
    """Make the NICs those of the model, in its order. What is on no network, such as one passed through, stays."""
    wanted = {interface.mac: interface for interface in interfaces}
    held: dict[str, Any] = {}
    ours = find_nics(devices)
    for element in devices.findall("interface"):
        mac = mac_of_nic(element)
        if element in ours and mac in wanted and mac not in held:
            held[mac] = element
        elif element in ours or mac in wanted:  # another with this MAC was made of ours by hand
            devices.remove(element)
    for mac, element in held.items():
        _write_interface(element, wanted[mac])
    # The order of NICs is that of their elements.
    keeps_order = list(wanted)[: len(held)] == list(held)
    for mac, interface in wanted.items():
        if mac not in held:
            devices.append(_make_interface(interface, _maker(devices)))
        elif not keeps_order:
            devices.remove(held[mac])
            devices.append(held[mac])


def _write_interface(element: Any, interface: Interface) -> None:
    source = element.find("source")
    for key, value in (("network", interface.network), ("portgroup", interface.port_group)):
        if source.get(key) != value:
            source.set(key, value)
    if not interface.offload:
        _turn_off_checksums(element)


def _turn_off_checksums(element: Any) -> None:
    driver = _find_or_add(element, "driver")
    for side, words in _OFFLOADS.items():
        found = _find_or_add(driver, side)
        for word in words:
            found.set(word, "off")
