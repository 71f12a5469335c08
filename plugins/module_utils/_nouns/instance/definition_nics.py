# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NICs in the definition of an instance: rendering, editing, and moving those of a running guest."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import Any

from .definition import ANYWHERE, Interface, find_nics, is_default_route, mac_of_nic
from .definition_functions import is_function, make_function, write_function
from .definition_tree import Make, append, find_or_add, maker
from .devices import nic
from .labels import Labels
from .rows import create_rows, write_live_rows, write_rows

# What has to be off on a switch with the userspace datapath, on either side (libvirt: Domain XML, NIC driver).
_OFFLOADS = {
    "host": ("csum", "gso", "tso4", "tso6", "ecn", "ufo"),
    "guest": ("csum", "tso4", "tso6", "ecn", "ufo"),
}
# What libvirt gives a device of a running guest, and gives anew to one that is plugged in.
_LIVE_ONLY = ("alias", "address", "target", "backend")


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


def move_nic(live: str, config: str, vlan: str | None, rows: Mapping[str, Any]) -> str:
    """Return a running NIC, `live`, led to the port group that its definition, `config`, names.

    It stays the same port of the switch, with its filters and queues, and gets its link and its limits; libvirt refuses
    everything else. rows: what it is to be, by the rows of devices/nic.py. vlan:
    what the port group says of VLANs. libvirt 9 asks for the VLANs of the device alone and forgets the port group's:
    the port would carry the frames of every VLAN.
    """
    element, wanted = ET.fromstring(live), ET.fromstring(config)
    _lead_to(element, wanted.find("source"))
    write_live_rows(nic.TABLE, element, rows)
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
    source = find_or_add(element, "source")
    named = {key: target.get(key) for key in ("network", "portgroup") if target.get(key) is not None}
    source.attrib.clear()
    source.attrib.update(named)


def _make_interface(interface: Interface, make: Make) -> Any:
    if interface.function:
        element = make_function(make, interface.mac, interface.function, interface.vlan)
        write_rows(nic.TABLE, element, interface.further)
        return element
    element = make("interface", {"type": "network"})
    append(element, make, "mac", address=interface.mac)
    append(element, make, "source", network=interface.network, portgroup=interface.port_group)
    write_rows(nic.TABLE, element, interface.further or create_rows(nic.TABLE))
    if not interface.offload:
        _turn_off_checksums(element)
    _write_addresses(element, interface)
    return element


def set_interfaces(devices: Any, interfaces: Iterable[Interface], old: Labels | None) -> None:
    """Make the NICs those of the model, in its order. What is on no network, such as one passed through, stays.

    old: the labels that the definition had, which tell which NICs of an adopted instance were its own.
    """
    wanted = {interface.mac: interface for interface in interfaces}
    functions = {mac for mac, interface in wanted.items() if interface.function}
    held: dict[str, Any] = {}
    ours = [one for one in find_nics(devices) if old is None or old.claims_nic(mac_of_nic(one))]
    for element in devices.findall("interface"):
        mac = mac_of_nic(element)
        if element in ours and mac in wanted and mac not in held and is_function(element) is (mac in functions):
            held[mac] = element
        elif element in ours or mac in wanted:  # another with this MAC was made of ours by hand
            devices.remove(element)
    for mac, element in held.items():
        _write_interface(element, wanted[mac])
    # The order of NICs is that of their elements.
    keeps_order = list(wanted)[: len(held)] == list(held)
    for mac, interface in wanted.items():
        if mac not in held:
            devices.append(_make_interface(interface, maker(devices)))
        elif not keeps_order:
            devices.remove(held[mac])
            devices.append(held[mac])


def _write_interface(element: Any, interface: Interface) -> None:
    if interface.function:
        write_function(element, interface.function, interface.vlan)
        write_rows(nic.TABLE, element, interface.further)
        return
    source = element.find("source")
    for key, value in (("network", interface.network), ("portgroup", interface.port_group)):
        if source.get(key) != value:
            source.set(key, value)
    model = nic.TABLE["model"].at
    before = model.read(element) if model is not None else None
    write_rows(nic.TABLE, element, interface.further)
    if interface.further.get("model", "virtio") not in ("virtio", before):
        # libvirt shows no driver of other models, and keeps what it was told of it.
        for driver in element.findall("driver"):
            element.remove(driver)
    if not interface.offload:
        _turn_off_checksums(element)
    _write_addresses(element, interface)


def _write_addresses(element: Any, interface: Interface) -> None:
    """Write what libvirt gives a container's NIC, which it also switches on. Other routes stay."""
    if interface.addresses is None or interface.gateways is None:
        return
    for old in (*element.findall("ip"), *(one for one in element.findall("route") if is_default_route(one))):
        element.remove(old)
    make = maker(element)
    for address in interface.addresses:
        host, _, prefix = address.partition("/")
        append(element, make, "ip", family=_family(host), address=host, prefix=prefix)
    for gateway in interface.gateways:
        family = _family(gateway)
        append(element, make, "route", family=family, address=ANYWHERE[family], prefix="0", gateway=gateway)
    find_or_add(element, "link").set("state", "up")


def _family(address: str) -> str:
    return "ipv6" if ":" in address else "ipv4"


def _turn_off_checksums(element: Any) -> None:
    driver = find_or_add(element, "driver")
    for side, words in _OFFLOADS.items():
        found = find_or_add(driver, side)
        for word in words:
            found.set(word, "off")
