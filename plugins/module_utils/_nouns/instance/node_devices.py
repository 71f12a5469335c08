# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of a node that instances can have to themselves (libvirt: Node devices), and what definitions have of them.
Pure.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

_PCI_KEYS = ("domain", "bus", "slot", "function")


@dataclass(frozen=True, kw_only=True)
class NodeDevice:
    """A device of a node.

    name: such as `pci 0000:65:00.0`, `usb 046d:c52b` or `mdev` and a UUID. model: of PCI its vendor and product, of a
    mediated device its type. numa: the NUMA node of the host that it is at. nics: what the host calls a NIC, and the
    ports of its switch, if it has one; functions_of: the same of the NIC whose virtual function it is. part_of: the
    device that cannot be given away as a whole beside it: whose function, or of which a mediated device, it is.
    is_divided: there are mediated devices of it. is_grouped: there are others in its IOMMU group. ties: what cannot be
    another instance's beside it. is_free: the node
    does not need it itself, and it can be told from others.
    """

    name: str
    model: str = ""
    numa: int | None = None
    nics: frozenset[str] = frozenset()
    functions_of: frozenset[str] = frozenset()
    part_of: str = ""
    has_functions: bool = False
    is_divided: bool = False
    is_grouped: bool = False
    ties: frozenset[str] = frozenset()
    is_free: bool = True


def parse_devices(texts: Iterable[str], uplinks: Collection[str] = ()) -> tuple[NodeDevice, ...]:
    """Return the devices of a node that instances could have. texts: what libvirt says of each device; uplinks: NICs of
    the node that are in use, whatever their link is.

    What is, or holds, a disk of the node, a NIC that is up or an uplink is not free; neither is what shares an IOMMU
    group with one. Of USB so is what there are several of, for libvirt could not tell them from one another.
    """
    host = _Host(uplinks)
    for text in texts:
        host.read(ET.fromstring(text))
    return host.devices()


def words_of(devices: Iterable[NodeDevice]) -> frozenset[str]:
    """Return as abilities what instances can be given by name."""
    return frozenset(one.name.replace(" ", ":", 1) for one in devices if one.is_free)


def pci_name(address: Any) -> str:
    """Return the name of a PCI device by its place, as attributes or as elements of their own."""
    numbers = [int(address.get(key) or address.findtext(key, "0"), 0) for key in _PCI_KEYS]
    return "pci {:04x}:{:02x}:{:02x}.{:x}".format(*numbers)


def name_of_source(element: Any) -> str | None:
    """Return the device that an element of a definition, `hostdev` or `interface`, passes through; None if it is told
    otherwise than ours are.
    """
    kind, address = element.get("type"), element.find("source/address")
    if kind in ("pci", "hostdev") and address is not None and address.get("uuid") is None:
        return pci_name(address)
    if kind == "mdev" and address is not None:
        return f"mdev {address.get('uuid', '').lower()}"
    vendor, product = element.find("source/vendor"), element.find("source/product")
    if kind == "usb" and vendor is not None and product is not None:
        return f"usb {_ids(vendor, product)}"
    return None


def list_given(xml: str | None) -> list[str]:
    """Return the devices of its node that a domain has, whoever gave it them. Most have none, as the text tells."""
    if xml is None or "hostdev" not in xml:
        return []
    devices = ET.fromstring(xml).find("devices")
    elements = [] if devices is None else [*devices.iterfind("hostdev"), *devices.iterfind("interface")]
    return [name for element in elements if (name := name_of_source(element)) is not None]


def _ids(*elements: Any) -> str:
    return ":".join(f"{int(one.get('id', '0'), 0):04x}" for one in elements)


class _Host:
    """What libvirt says of the devices of a host, by its names of them."""

    def __init__(self, uplinks: Collection[str]) -> None:
        self.uplinks = uplinks
        self.above: dict[str, str] = {}
        self.needed: list[str] = []
        self.found: dict[str, NodeDevice] = {}
        self.nics: dict[str, set[str]] = defaultdict(set)
        self.physical: dict[str, str] = {}
        # By name: what hangs together, and is no bridge.
        self.groups: dict[str, set[str]] = defaultdict(set)

    def read(self, root: Any) -> None:
        name = root.findtext("name", "")
        self.above[name] = root.findtext("parent", "")
        for capability in root.iterfind("capability"):
            kind = capability.get("type")
            if kind == "storage":
                self.needed.append(name)
            elif kind == "net":
                self._read_nic(name, capability)
            elif kind == "pci":
                self._read_pci(name, capability)
            elif kind == "mdev":
                type_ = capability.find("type")
                uuid = capability.findtext("uuid") or name.removeprefix("mdev_")[:36].replace("_", "-")
                model = type_.get("id", "") if type_ is not None else ""
                self.found[name] = NodeDevice(name=f"mdev {uuid.lower()}", model=model)
            elif kind == "usb_device":
                ids = [one for key in ("vendor", "product") if (one := capability.find(key)) is not None]
                self.found[name] = NodeDevice(name=f"usb {_ids(*ids)}")

    def _read_nic(self, name: str, capability: Any) -> None:
        nic, link = capability.findtext("interface", ""), capability.find("link")
        if nic in self.uplinks or (link is not None and link.get("state") == "up"):
            self.needed.append(name)
        self.nics[self.above[name]].add(nic)

    def _read_pci(self, name: str, capability: Any) -> None:
        vendor, product, numa = (capability.find(key) for key in ("vendor", "product", "numa"))
        device = NodeDevice(
            name=pci_name(capability),
            model=_ids(vendor, product) if vendor is not None and product is not None else "",
            numa=int(numa.get("node", "-1")) if numa is not None else None,
        )
        kinds = {inner.get("type"): inner for inner in capability.iterfind("capability")}
        if "pci-bridge" in kinds:
            return
        group = capability.find("iommuGroup")
        if group is not None:
            self.groups[f"group {group.get('number')}"].add(device.name)
        if "virt_functions" in kinds:
            functions = {pci_name(address) for address in kinds["virt_functions"].iterfind("address")}
            device = replace(device, has_functions=bool(functions))
        if "phys_function" in kinds:
            address = kinds["phys_function"].find("address")
            self.physical[device.name] = pci_name(address) if address is not None else ""
        self.found[name] = device

    def devices(self) -> tuple[NodeDevice, ...]:
        held = self._held()
        taken = {one.name for key, one in self.found.items() if key in held}
        stuck = taken | {name for group in self.groups.values() if group & taken for name in group}
        nics = {one.name: frozenset(self.nics.get(key, ())) for key, one in self.found.items()}
        wholes = dict(self._pairs())
        divided = {whole for part, whole in wholes.items() if part.startswith("mdev ")}
        counts = Counter(one.name for one in self.found.values())
        grouped = {name for group in self.groups.values() if len(group) > 1 for name in group}
        ties = self._ties()
        devices = {
            one.name: replace(
                one,
                nics=nics[one.name],
                functions_of=nics.get(self.physical.get(one.name, ""), frozenset()),
                part_of=wholes.get(one.name, ""),
                is_divided=one.name in divided,
                is_grouped=one.name in grouped,
                ties=frozenset(ties[one.name] - {one.name}),
                is_free=one.name not in stuck and counts[one.name] == 1,
            )
            for one in self.found.values()
        }
        return tuple(devices[name] for name in sorted(devices))

    def _held(self) -> set[str]:
        """Return libvirt's names of what the node needs itself, and of what that hangs on."""
        held: set[str] = set()
        needed = list(self.needed)
        while needed:
            name = needed.pop()
            if name and name not in held:
                held.add(name)
                needed.append(self.above.get(name, ""))
        return held

    def _ties(self) -> dict[str, set[str]]:
        """By name: an IOMMU group goes to one guest, and what functions and mediated devices are of goes to none while
        they do.
        """
        ties: dict[str, set[str]] = defaultdict(set)
        for group in self.groups.values():
            for name in group:
                ties[name] |= group
        for one, other in self._pairs():
            ties[one].add(other)
            ties[other].add(one)
        return ties

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Yield each part with what it is of."""
        yield from self.physical.items()
        for key, one in self.found.items():
            above = self.found.get(self.above[key])
            if one.name.startswith("mdev ") and above is not None:
                yield one.name, above.name
