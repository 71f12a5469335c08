# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of its node that an instance has to itself (libvirt: Domain XML, host device assignment).

Ours are told by an alias, which libvirt keeps; what was passed through by hand is not ours to know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.checks import check_device_name
from ...._fields.field import Field
from ...._model.mistake import shown
from ..kinds import Aspect, Need

_ALIAS = "ua-pextra-"
_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
_USB = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")


def _check_name(value: str) -> str | None:
    """libvirt takes no dots in aliases."""
    if "." in value:
        return f"{shown(value)} cannot be its name; write 3 to 32 letters, digits, dashes or underscores"
    return check_device_name(value)


def _check_pci(value: str) -> str | None:
    if _PCI.fullmatch(value):
        return None
    return f"{shown(value)} is not the address of a PCI device; write it as `lspci -D` does, such as 0000:65:00.0"


def _check_usb(value: str) -> str | None:
    if _USB.fullmatch(value):
        return None
    return f"{shown(value)} is not a USB device; write its vendor and product as `lsusb` does, such as 046d:c52b"


class _Devices:
    """All of ours, in the order of their elements."""

    def read(self, root: Any) -> tuple[dict[str, Any], ...] | None:
        found = [
            {"name": name, "pci": _pci_of(element), "usb": _usb_of(element)} for name, element in _ours(root).items()
        ]
        return tuple(found) or None

    def write(self, root: Any, value: Any) -> None:
        devices, held = root.find("devices"), _ours(root)
        for element in held.values():
            devices.remove(element)
        for one in value or ():
            element = held.get(one["name"])
            if element is None or (_pci_of(element), _usb_of(element)) != (one.get("pci"), one.get("usb")):
                element = _make(devices, one)
            devices.append(element)
        if any(one.get("usb") for one in value or ()):
            _enable_usb(devices)


def _ours(root: Any) -> dict[str, Any]:
    devices = root.find("devices")
    found = {}
    for element in devices.findall("hostdev") if devices is not None else ():
        alias = element.find("alias")
        name = alias.get("name", "") if alias is not None else ""
        if name.startswith(_ALIAS):
            found[name.removeprefix(_ALIAS)] = element
    return found


def _pci_of(element: Any) -> str | None:
    address = element.find("source/address")
    if element.get("type") != "pci" or address is None:
        return None
    domain, bus, slot, function = (int(address.get(key, "0"), 0) for key in ("domain", "bus", "slot", "function"))
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _usb_of(element: Any) -> str | None:
    vendor, product = element.find("source/vendor"), element.find("source/product")
    if element.get("type") != "usb" or vendor is None or product is None:
        return None
    return f"{int(vendor.get('id', '0'), 0):04x}:{int(product.get('id', '0'), 0):04x}"


def _make(devices: Any, one: Mapping[str, Any]) -> Any:
    def add(parent: Any, tag: str, **attributes: str) -> Any:
        element = parent.makeelement(tag, attributes)
        parent.append(element)
        return element

    kind = "pci" if one.get("pci") else "usb"
    element = devices.makeelement("hostdev", {"mode": "subsystem", "type": kind, "managed": "yes"})
    source = add(element, "source")
    if kind == "pci":
        domain, bus, rest = str(one["pci"]).split(":")
        slot, _, function = rest.partition(".")
        parts = {"domain": domain, "bus": bus, "slot": slot, "function": function}
        add(source, "address", **{key: f"0x{part}" for key, part in parts.items()})
    else:
        vendor, _, product = str(one["usb"]).partition(":")
        add(source, "vendor", id=f"0x{vendor}")
        add(source, "product", id=f"0x{product}")
    add(element, "alias", name=f"{_ALIAS}{one['name']}")
    return element


def _enable_usb(devices: Any) -> None:
    """Instances are made without USB, and libvirt refuses a USB device then."""
    for controller in devices.findall("controller"):
        if controller.get("type") == "usb" and controller.get("model") == "none":
            controller.set("model", "qemu-xhci")


def _needs(values: Any) -> Sequence[Need]:
    kept = "that it does not need itself, for a disk or a NIC that is up"
    found = []
    for one in values:
        if one.get("pci"):
            found.append(Need(f"pci:{one['pci']}", f"no PCI device {one['pci']} {kept}"))
        if one.get("usb"):
            found.append(Need(f"usb:{one['usb']}", f"not one USB device {one['usb']} alone {kept}"))
    return found


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    mistakes, names, devices = [], set(), set()
    for index, one in enumerate(values.get("host_devices") or ()):
        path, device = f"host_devices[{index}] ({one.get('name')})", (one.get("pci"), one.get("usb"))
        if one.get("name") in names:
            mistakes.append((f"{path}.name", f'"{one.get("name")}" is the name of another of them'))
        if all(device) or not any(device):
            mistakes.append((path, "is a device of PCI or of USB; write either pci or usb"))
        elif device in devices:
            mistakes.append((f"{path}.{'pci' if device[0] else 'usb'}", "is given twice"))
        names.add(one.get("name"))
        devices.add(device)
    return mistakes


ASPECT = Aspect(
    option="host_devices",
    row=Field(
        kind="list",
        element=Field(
            kind="dict",
            table={
                "name": Field(
                    kind="str",
                    required=True,
                    check=_check_name,
                    sample="gpu",
                    help="The name by which it is known, 3 to 32 characters.",
                ),
                "pci": Field(
                    kind="str",
                    check=_check_pci,
                    sample="0000:65:00.0",
                    help="The address of a PCI device of the node, such as V(0000:65:00.0).",
                ),
                "usb": Field(
                    kind="str",
                    check=_check_usb,
                    sample="046d:c52b",
                    help="The vendor and the product of a USB device of the node, such as V(046d:c52b).",
                ),
            },
            help="A device.",
        ),
        at=_Devices(),
        effect="next_boot",
        help="Devices of its node that it has to itself. It can only be where they are, where the node does not need "
        "them itself, and where no other instance has them. It moves only while it is stopped. The list is all "
        "of them.",
    ),
    find_mistakes=_find_mistakes,
    needs=_needs,
)
