# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NICs that are virtual functions of a NIC of the node (SR-IOV), in the definition of an instance. Pure.

libvirt has no field for the port group of one: the labels hold it. Ours are told by an alias, which libvirt keeps.
"""

from __future__ import annotations

from typing import Any

from .aspects.host_devices import parts_of_pci
from .definition_tree import Make, append, maker
from .node_devices import name_of_source

_ALIAS = "ua-pextranic-"


def is_function(element: Any) -> bool:
    """Tell whether an interface is one of ours."""
    alias = element.find("alias")
    is_given = element.get("type") == "hostdev" and element.find("mac") is not None
    return is_given and alias is not None and alias.get("name", "").startswith(_ALIAS)


def read_function(element: Any) -> tuple[str, int]:
    """Return its PCI address on the node, and its VLAN, 0 for none."""
    name, tag = name_of_source(element) or "", element.find("vlan/tag")
    number = tag.get("id", "0") if tag is not None else "0"
    return name.removeprefix("pci "), int(number) if number.isdecimal() else 0


def make_function(make: Make, mac: str, address: str, vlan: int) -> Any:
    """Return a new one, without its rows. libvirt gives it its MAC address and its VLAN through the node's NIC."""
    element = make("interface", {"type": "hostdev", "managed": "yes"})
    append(element, make, "mac", address=mac)
    append(element, make, "alias", name=f"{_ALIAS}{mac.replace(':', '')}")
    _fill(element, make, address, vlan)
    return element


def write_function(element: Any, address: str, vlan: int) -> None:
    """Lead one that is there to another virtual function, or VLAN. Where it is in the guest stays."""
    if read_function(element) == (address, vlan):
        return
    for tag in ("source", "vlan"):
        for old in element.findall(tag):
            element.remove(old)
    _fill(element, maker(element), address, vlan)


def _fill(element: Any, make: Make, address: str, vlan: int) -> None:
    append(append(element, make, "source"), make, "address", type="pci", **parts_of_pci(address))
    if vlan:
        append(append(element, make, "vlan"), make, "tag", id=str(vlan))
