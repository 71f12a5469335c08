# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots for devices that are plugged into a running guest: a root port takes one."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any


def list_slots(root: Any) -> list[str | None]:
    """Return the root ports of a domain, by the numbers of their buses, as far as these are known."""
    controllers = root.iterfind("devices/controller")
    return [one.get("index") for one in controllers if one.get("model") == "pcie-root-port"]


def bus_of(device: Any) -> str | None:
    """Return the number of the PCI bus that a device is on; None if it is on none, or that is not known."""
    address = device.find("address")
    return str(int(address.get("bus", "0"), 0)) if address is not None and address.get("type") == "pci" else None


def count_free_slots(root: Any) -> int:
    """Return in how many root ports nothing is; one whose bus is not known counts as free."""
    taken = {bus for device in root.iterfind("devices/*") if (bus := bus_of(device)) is not None}
    return sum(port not in taken for port in list_slots(root))


def has_free_slot(xml: str) -> bool:
    return count_free_slots(ET.fromstring(xml)) > 0
