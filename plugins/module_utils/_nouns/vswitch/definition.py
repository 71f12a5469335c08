# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches and port groups as libvirt networks, and who is attached to them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..._fields.addresses import canonical_mac
from ..._model.bridge import UNTAGGED, PortVlan, access
from ..._model.ids import is_id, uuid_of
from ..instance.labels import URI, parse_labels

FORWARD = "bridge"
VIRTUAL_PORT = "openvswitch"


@dataclass(frozen=True, kw_only=True)
class NetworkModel:
    """What a libvirt network says of what we manage. port_groups: what each does with VLANs."""

    name: str
    uuid: str
    forward: str | None = FORWARD
    bridge: str | None = None
    virtual_port: str | None = VIRTUAL_PORT
    port_groups: Mapping[str, PortVlan] = field(default_factory=dict)


@dataclass(frozen=True)
class Attachment:
    """A NIC of a domain. port is its port on the bridge; None while it does not run.

    is_ours: whether it is an instance's, and no NIC that an adopted one had and that is not managed.
    """

    instance: str
    network: str
    port_group: str | None
    port: str | None = None
    is_ours: bool = False


def render_network(name: str, uuid: str, port_groups: Mapping[str, int | None]) -> str:
    """Return the network of a vSwitch, over the bridge of the same name; VLANs by name of the port group."""
    root = ET.Element("network")
    ET.SubElement(root, "name").text = name
    ET.SubElement(root, "uuid").text = uuid
    ET.SubElement(root, "forward", mode=FORWARD)
    ET.SubElement(root, "bridge", name=name)
    ET.SubElement(root, "virtualport", type=VIRTUAL_PORT)
    for port_group, vlan in sorted(port_groups.items()):
        root.append(_port_group(port_group, vlan))
    return ET.tostring(root, encoding="unicode")


def render_port_group(name: str, vlan: int | None) -> str:
    """Return a port group as an element of its own; without a VLAN it is untagged."""
    return ET.tostring(_port_group(name, vlan), encoding="unicode")


def edit_network(xml: str) -> str:
    """Return a network's definition made to lead to its bridge again; what we do not manage stays as it is."""
    root = ET.fromstring(xml)
    forward = root.find("forward")
    if forward is None or forward.get("mode") != FORWARD:
        # Only networks of other kinds have these, and libvirt refuses them here.
        for tag in ("ip", "route", "dns", "domain", "mac"):
            for element in root.findall(tag):
                root.remove(element)
    for tag, key, value in (
        ("forward", "mode", FORWARD),
        ("bridge", "name", root.findtext("name", "")),
        ("virtualport", "type", VIRTUAL_PORT),
    ):
        present = root.find(tag)
        if present is not None and present.get(key) != value:
            root.remove(present)
            present = None
        if present is None:
            ET.SubElement(root, tag, {key: value})
    return ET.tostring(root, encoding="unicode")


def edit_port_group(xml: str, name: str, vlan: int | None) -> str:
    """Return a port group of the network `xml` with this VLAN; the rest of it stays as it is."""
    for element in ET.fromstring(xml).findall("portgroup"):
        if element.get("name") == name:
            for old in element.findall("vlan"):
                element.remove(old)
            element.extend(_port_group(name, vlan))
            return ET.tostring(element, encoding="unicode")
    return render_port_group(name, vlan)


def parse_network(xml: str) -> NetworkModel:
    root = ET.fromstring(xml)
    return NetworkModel(
        name=root.findtext("name", ""),
        uuid=root.findtext("uuid", ""),
        forward=_attribute(root, "forward", "mode"),
        bridge=_attribute(root, "bridge", "name"),
        virtual_port=_attribute(root, "virtualport", "type"),
        port_groups={element.get("name", ""): _vlan(element) for element in root.findall("portgroup")},
    )


def find_vlans(xml: str, port_group: str) -> str | None:
    """Return the element that says what a port group of the network `xml` does with VLANs; None if nothing does."""
    root = ET.fromstring(xml)
    groups = [element for element in root.findall("portgroup") if element.get("name") == port_group]
    for element in (*groups, root):
        vlan = element.find("vlan")
        if vlan is not None:
            return ET.tostring(vlan, encoding="unicode")
    return None


def parse_attachments(xml: str) -> list[Attachment]:
    """Return the NICs of a domain, of its live or its persistent definition, that are on a libvirt network.

    What runs tells the VLAN that it has, and not whether that is its own or its port group's: whose it is decides.
    """
    root = ET.fromstring(xml)
    instance = root.findtext("name", "")
    label = root.find(f"metadata/{{{URI}}}instance")
    labels = parse_labels(label) if label is not None else None
    if labels is not None and (not is_id(labels.id, "instance") or uuid_of(labels.id) != root.findtext("uuid")):
        labels = None  # a copy of one of ours
    found = []
    # While an instance runs, libvirt shows the type of what it resolved the network to; the source still names it.
    for interface in root.findall("devices/interface"):
        source, target = interface.find("source[@network]"), interface.find("target")
        if source is not None:
            port = target.get("dev") if target is not None else None
            mac = interface.find("mac")
            is_ours = labels is not None and labels.claims_nic(
                canonical_mac(mac.get("address", "") if mac is not None else "")
            )
            found.append(Attachment(instance, source.get("network", ""), source.get("portgroup"), port, is_ours))
    # Virtual functions (SR-IOV) are on no network, and have a port group all the same.
    for one in label.iterfind(f"{{{URI}}}nic") if label is not None else ():
        if one.get("sr_iov"):
            found.append(Attachment(instance, one.get("vswitch", ""), one.get("port_group"), None, labels is not None))
    return found


def _port_group(name: str, vlan: int | None) -> ET.Element:
    element = ET.Element("portgroup", name=name)
    if vlan is None:
        # A trunk of the frames without a tag only; with no VLAN at all the port would carry every one.
        tags = ET.SubElement(element, "vlan", trunk="yes")
        for tag in UNTAGGED.trunks:
            ET.SubElement(tags, "tag", id=str(tag))
    else:
        ET.SubElement(ET.SubElement(element, "vlan"), "tag", id=str(vlan))
    return element


def _vlan(element: ET.Element) -> PortVlan:
    vlan = element.find("vlan")
    if vlan is None:
        return PortVlan()
    tags = vlan.findall("tag")
    numbers = tuple(int(tag.get("id", "0")) for tag in tags)
    if vlan.get("trunk") != "yes" and len(numbers) == 1:
        return access(numbers[0])
    native = next((tag for tag in tags if tag.get("nativeMode")), None)
    if native is None:
        return PortVlan(trunks=numbers)
    return PortVlan(int(native.get("id", "0")), numbers, f"native-{native.get('nativeMode')}")


def _attribute(root: ET.Element, element: str, name: str) -> str | None:
    found = root.find(element)
    return None if found is None else found.get(name)
