# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of its node that an instance has to itself (libvirt: Domain XML, host device assignment).

Ours are told by an alias, which libvirt keeps; what was passed through by hand is not ours to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...._fields.checks import (
    check_device_name,
    check_mdev,
    check_mdev_type,
    check_name,
    check_pci,
    check_pci_model,
    check_usb,
)
from ...._fields.field import Field
from ...._model.mistake import shown
from ..acts import Act, AttachDevice, DetachDevice
from ..kinds import Aspect, Need
from ..named_elements import NamedElements
from ..node_devices import name_of_source
from ..slots import bus_of, count_free_slots, list_slots

_ALIAS = "ua-pextra-"
# By which an element names one device, and by which it leaves to placement which of several it is.
EXACT = ("pci", "usb", "mdev")
WISHES = ("pci_model", "mdev_type", "resource_pool")


def _check_name(value: str) -> str | None:
    """libvirt takes no dots in aliases."""
    if "." in value:
        return f"{shown(value)} cannot be its name; write 3 to 32 letters, digits, dashes or underscores"
    return check_device_name(value)


def _name_of(element: Any) -> str | None:
    alias = element.find("alias")
    name = alias.get("name", "") if alias is not None else ""
    return name.removeprefix(_ALIAS) if name.startswith(_ALIAS) else None


def _values_of(element: Any) -> dict[str, str | None]:
    """Return which device it is, by the keys of a row. Which wish it came from is not known any more."""
    kind, _, device = (name_of_source(element) or "").partition(" ")
    return {key: device if key == kind else None for key in (*EXACT, *WISHES)}


def parts_of_pci(address: str) -> dict[str, str]:
    """Return a place such as 0000:65:00.0 as attributes."""
    domain, bus, rest = address.split(":")
    slot, _, function = rest.partition(".")
    parts = {"domain": domain, "bus": bus, "slot": slot, "function": function}
    return {key: f"0x{part}" for key, part in parts.items()}


def _make(devices: Any, one: Mapping[str, Any]) -> Any:
    def add(parent: Any, tag: str, **attributes: str) -> Any:
        element = parent.makeelement(tag, attributes)
        parent.append(element)
        return element

    kind = next(kind for kind in EXACT if one.get(kind))
    # A mediated device has no driver of the host to be taken from.
    way = {"model": "vfio-pci"} if kind == "mdev" else {"managed": "yes"}
    element = devices.makeelement("hostdev", {"mode": "subsystem", "type": kind, **way})
    source = add(element, "source")
    if kind == "pci":
        add(source, "address", **parts_of_pci(str(one["pci"])))
    elif kind == "mdev":
        add(source, "address", uuid=str(one["mdev"]))
    else:
        vendor, _, product = str(one["usb"]).partition(":")
        add(source, "vendor", id=f"0x{vendor}")
        add(source, "product", id=f"0x{product}")
    add(element, "alias", name=f"{_ALIAS}{one['name']}")
    return element


def _enable_usb(root: Any) -> None:
    """Instances are made without USB, and libvirt refuses a USB device then."""
    devices = root.find("devices")
    if not any(element.get("type") == "usb" for element in _DEVICES.find(root).values()):
        return
    for controller in devices.findall("controller"):
        if controller.get("type") == "usb" and controller.get("model") == "none":
            controller.set("model", "qemu-xhci")


_DEVICES = NamedElements(tag="hostdev", name_of=_name_of, values_of=_values_of, make=_make, settle=_enable_usb)


def _plug(_path: str, value: Any, _live: Mapping[str, Any], running: Callable[[], Any]) -> Sequence[Act]:
    """All that come and go at once, or none: then the next start brings what was declared, and nothing before."""
    root = running()
    held, wanted = _DEVICES.find(root), {row["name"]: row for row in value or ()}
    same = {name for name, element in held.items() if name in wanted and _DEVICES.is_as(element, wanted[name])}
    gone = {name: element for name, element in held.items() if name not in same}
    new = {name: _make(root, row) for name, row in wanted.items() if name not in same}
    if not _has_room(root, gone.values(), new.values()):
        return ()
    return (
        *(DetachDevice(f"host device {name}", element) for name, element in gone.items()),
        *(AttachDevice(f"host device {name}", element) for name, element in new.items()),
    )


def _has_room(root: Any, gone: Iterable[Any], new: Iterable[Any]) -> bool:
    """Tell whether a running guest can lose these devices and get those: USB by a controller that it has, all others by
    a root port for each.
    """
    left, kinds = [one for one in gone if one.get("type") != "usb"], [one.get("type") for one in new]
    slots = list_slots(root)
    if any(bus not in slots for one in left if (bus := bus_of(one)) is not None):
        return False
    if len(kinds) - kinds.count("usb") > count_free_slots(root) + len(left):
        return False
    usb = [one.get("model") for one in root.iterfind("devices/controller") if one.get("type") == "usb"]
    return "usb" not in kinds or any(model != "none" for model in usb)


def _needs(values: Any) -> Sequence[Need]:
    kept = "that it does not need itself, for a disk or a NIC in use, or beside one in an IOMMU group"
    lacks = {
        "pci": "no PCI device {} " + kept,
        "usb": "not one USB device {} alone " + kept,
        "mdev": "no active mediated device {}",
    }
    return [
        Need(f"{kind}:{one[kind]}", text.format(one[kind]))
        for one in values
        for kind, text in lacks.items()
        if one.get(kind)
    ]


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    mistakes, names, devices = [], set(), set()
    for index, one in enumerate(values.get("host_devices") or ()):
        path = f"host_devices[{index}] ({one.get('name')})"
        said = [(key, one[key]) for key in (*EXACT, *WISHES) if one.get(key)]
        if one.get("name") in names:
            mistakes.append((f"{path}.name", f'"{one.get("name")}" is the name of another of them'))
        if len(said) != 1:
            mistakes.append((path, f"is one device; write one of {', '.join((*EXACT, *WISHES))}"))
        elif said[0] in devices:
            mistakes.append((f"{path}.{said[0][0]}", "is given twice"))
        names.add(one.get("name"))
        devices |= {pair for pair in said if pair[0] in EXACT}
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
                    check=check_pci,
                    sample="0000:65:00.0",
                    help="The address of a PCI device of the node, such as V(0000:65:00.0).",
                ),
                "usb": Field(
                    kind="str",
                    check=check_usb,
                    sample="046d:c52b",
                    help="The vendor and the product of a USB device of the node, such as V(046d:c52b).",
                ),
                "mdev": Field(
                    kind="str",
                    check=check_mdev,
                    sample="c2177883-f1bb-47f0-914d-32a22e3a8804",
                    help="The UUID of a mediated device of the node, which is there and active.",
                ),
                "pci_model": Field(
                    kind="str",
                    check=check_pci_model,
                    sample="10de:2204",
                    help="The vendor and the product of PCI devices, such as V(10de:2204), one of which it gets that "
                    "is free. Which one that is, it keeps.",
                ),
                "mdev_type": Field(
                    kind="str",
                    check=check_mdev_type,
                    sample="nvidia-63",
                    help="The type of mediated devices, such as V(nvidia-63), one of which it gets that is there, "
                    "active and free. Which one that is, it keeps.",
                ),
                "resource_pool": Field(
                    kind="str",
                    check=check_name,
                    sample="gpus",
                    help="The resource pool of its cluster (M(pextra.cloud.pextra_cluster)) of which it gets a device "
                    "that is free. Which one that is, it keeps.",
                ),
            },
            help="A device.",
        ),
        at=_DEVICES,
        effect="hot_plug",
        compare="set",
        help="Devices of its node that it has to itself, each told by one key beside its name. It can only be where "
        "they are, where the node does not need them itself, and where no other instance has them. They come and go "
        "while it runs: PCI and mediated devices where it has a free port, USB devices where it was started with USB, "
        "and no device that shares an IOMMU group. Where one of them cannot, all of the change waits for its next "
        "start. It moves only while it is stopped. The list is all of them.",
    ),
    find_mistakes=_find_mistakes,
    acts=_plug,
    needs=_needs,
)
