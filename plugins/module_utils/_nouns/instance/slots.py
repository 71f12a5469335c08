# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots for devices that are plugged into a running guest: a root port takes one."""

from __future__ import annotations

import xml.etree.ElementTree as ET


def has_free_slot(xml: str) -> bool:
    """Whether a domain has a root port in which nothing is; one whose bus is not known counts as free."""
    devices = ET.fromstring(xml).find("devices")
    if devices is None:
        return False
    ports = {
        controller.get("index")
        for controller in devices.iterfind("controller")
        if controller.get("model") == "pcie-root-port"
    }
    taken = {
        str(int(address.get("bus", "0"), 0))
        for address in devices.iterfind("*/address")
        if address.get("type") == "pci"
    }
    return bool(ports - taken)
