# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as libvirt domains: rendering, and editing what we manage and nothing else.

An edit keeps every element, attribute, comment and prefix that the model does not hold, which is why it reads with
lxml; what is only read, or written anew, needs no more than the standard library. Both build by `makeelement`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from ..._model.names import console_log
from . import walk
from .architectures import USUAL, Architecture, architecture_in, facts_of
from .aspects.cpu import MODES
from .definition import DomainModel
from .definition_cdroms import set_cdroms
from .definition_container import make_container
from .definition_disks import add_controllers, find_buses, has_turns, set_disks, settle_boot
from .definition_nics import set_interfaces
from .definition_tree import PREFIX, Make, add, find_or_add, maker, read_tree, set_text, show_tree
from .labels import URI, Labels, parse_labels

# Every PCIe device needs a root port of its own, and ports cannot be added while the guest runs.
_SPARE_PCIE_PORTS = 4
_FIXED_PCIE_DEVICES = 4  # memory balloon, RNG, serial for the agent, USB


ET.register_namespace(PREFIX, URI)


def render_domain(model: DomainModel, virt_type: str) -> str:
    """Return the definition of a new instance; virt_type is kvm or qemu, which is nothing to containers."""
    if model.type == "lxc":
        root = make_container(model)
        _write(root, model)
        return ET.tostring(root, encoding="unicode")
    machine = facts_of(model.options.get("architecture") or USUAL)
    root = ET.Element("domain", {"type": virt_type})
    add(root, "name").text = model.name
    add(root, "uuid").text = model.uuid
    os_ = add(root, "os")
    add(os_, "type", arch=machine.name, machine=machine.machine).text = "hvm"
    for feature in machine.features_off:
        add(find_or_add(os_, "firmware"), "feature", name=feature, enabled="no")
    add(os_, "boot", dev="hd")
    features = add(root, "features")
    for feature, attributes in machine.features["kvm" if virt_type == "kvm" else "qemu"]:
        add(features, feature, **attributes)
    _set_cpu(add(root, "cpu"), machine, virt_type)
    add(root, "clock", offset="utc")
    add(root, "on_poweroff").text = "destroy"
    add(root, "on_reboot").text = "restart"
    add(root, "on_crash").text = "restart"
    devices = add(root, "devices")
    add(devices, "controller", type="pci", model="pcie-root")
    ports = len(model.disks) + len(model.interfaces) + _FIXED_PCIE_DEVICES + _SPARE_PCIE_PORTS
    drives = (*model.disks, *model.cdroms)
    ports += walk.count_slots(model.further) + len({disk.further.get("bus") for disk in drives} & {"scsi", "usb"})
    ports += sum(len(model.further.get(option) or ()) for option in ("host_devices", "filesystems"))
    for _ in range(ports):
        add(devices, "controller", type="pci", model="pcie-root-port")
    add(devices, "controller", type="usb", model=machine.usb)
    for kind in machine.inputs:
        add(devices, "input", type=kind, bus="usb")
    serial = add(devices, "serial", type="pty")
    add(serial, "log", file=console_log(model.name), append="on")
    channel = add(devices, "channel", type="unix")
    add(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    # By it a guest tells that its kernel has crashed; nothing would restart it otherwise.
    if machine.usual["panic.model"] != "none":
        add(devices, "panic", model=machine.usual["panic.model"])
    rng = add(devices, "rng", model="virtio")
    add(rng, "backend", model="random").text = "/dev/urandom"
    add(devices, "memballoon", model="virtio")
    _write(root, model)
    return ET.tostring(root, encoding="unicode")


def edit_domain(xml: str, model: DomainModel) -> str:
    """Return the definition `xml` taken to the model; what the model does not hold stays as it is."""
    root = read_tree(xml)
    walk.leave_out_implied(root)
    _write(root, model)
    return show_tree(root)


def label_domain(xml: str, labels: Labels) -> str:
    """Return the definition `xml` with labels, and nothing else of it otherwise."""
    root = read_tree(xml)
    _set_labels(root, labels)
    return show_tree(root)


def convert_domain(xml: str, virt_type: str) -> str:
    """Return a definition as it must be on a node of another virt_type (kvm or qemu)."""
    root, machine = read_tree(xml), facts_of(architecture_in(xml))
    root.set("type", virt_type)
    for cpu in root.findall("cpu"):
        _set_cpu(cpu, machine, virt_type)
    return show_tree(root)


def move_screen(here: str, there: str, xml: str) -> str:
    """Return a definition whose screens listen on another address where they listen on the first."""
    root = read_tree(xml)
    for screen in root.iterfind("devices/graphics"):
        for element, name in ((screen, "listen"), *((one, "address") for one in screen.findall("listen"))):
            if element.get(name) == here:
                element.set(name, there)
    return show_tree(root)


def render_labels(labels: Labels) -> str:
    """Return the metadata element for libvirt to put in place of the old one.

    libvirt declares the prefix itself, and fails if it finds it declared: ours is the default namespace here.
    """
    element = _make_labels(labels, ET.Element)
    for part in element.iter():
        part.tag = part.tag.removeprefix(f"{{{URI}}}")
    element.set("xmlns", URI)
    return ET.tostring(element, encoding="unicode")


def _set_cpu(cpu: Any, machine: Architecture, virt_type: str) -> None:
    """Choose the processor. Topology, NUMA cells and the like stay."""
    for key in ("mode", "match", "check", "migratable"):
        cpu.attrib.pop(key, None)
    for tag in ("model", "vendor", "feature"):
        for old in cpu.findall(tag):
            cpu.remove(old)
    name = machine.cpu["kvm" if virt_type == "kvm" else "qemu"]
    if name in MODES:
        cpu.set("mode", name)
        return
    cpu.attrib.update({"mode": "custom", "match": "exact", "check": "none"})
    model = cpu.makeelement("model", {"fallback": "forbid"})
    model.text = name
    cpu.insert(0, model)


def _write(root: Any, model: DomainModel) -> None:
    """Write all that the model holds and that is not there yet."""
    element = root.find(f"metadata/{{{URI}}}instance")
    old = parse_labels(element) if element is not None else None
    if root.findtext("name") != model.name:
        set_text(root, "name", model.name)
    if old != model.labels:
        _set_labels(root, model.labels)
    devices = find_or_add(root, "devices")
    had_turns, buses = has_turns(devices), find_buses(devices)
    # A container's only volume stays where it is.
    if model.type == "qemu":
        set_disks(devices, model, old)
        set_cdroms(devices, model, old)
    set_interfaces(devices, model.interfaces, old)
    if model.type == "qemu":
        add_controllers(devices, had=buses)
        settle_boot(root, had_turns=had_turns)
    walk.edit(root, model.options)


def _set_labels(root: Any, labels: Labels) -> None:
    metadata = find_or_add(root, "metadata")
    fresh = _make_labels(labels, maker(root))
    place = len(metadata)
    for old in metadata.findall(f"{{{URI}}}instance"):
        place = min(place, list(metadata).index(old))
        fresh.tail = old.tail
        metadata.remove(old)
    metadata.insert(place, fresh)


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
        ("once", labels.once),
        ("created", labels.created),
        ("flavor", labels.flavor),
        ("protected", "true" if labels.protected else None),
        ("adopted", "true" if labels.adopted else None),
    ):
        if value is not None:
            element.set(key, value)
    parts: list[tuple[str, dict[str, str]]] = [("tag", {"name": tag}) for tag in labels.tags]
    parts += [("profile", {"name": name}) for name in labels.profiles]
    for volume in labels.volumes:
        size = {"unit": volume.unit} if volume.unit is not None else {"size": str(volume.size)}
        inside = {"filesystem": volume.filesystem, "mountpoint": volume.mountpoint, "path": volume.path}
        told = {key: value for key, value in inside.items() if value}
        parts.append(("volume", {"name": volume.name, "pool": volume.pool, **size, **told}))
    for index, nic in enumerate(labels.nics):
        # What is called by its order has been written without a name from the beginning.
        name = {"name": nic.name} if nic.name != f"nic{index}" else {}
        mac = {"mac": nic.mac} if nic.mac is not None else {}
        place = {key: value for key in ("sr_iov", "port_group", "vswitch") if (value := getattr(nic, key))}
        parts.append(("nic", {"addresses": " ".join(nic.addresses), **name, **mac, **place}))
    for drive in labels.cdroms:
        medium = {"image": drive.image, "pool": drive.pool}
        parts.append(("cdrom", {"name": drive.name, **{key: value for key, value in medium.items() if value}}))
    for tag, attributes in parts:
        element.append(make(f"{{{URI}}}{tag}", attributes))
    return element
