# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of hosts in the words of libvirt 9 (libvirt: Node devices), as the lab's hosts have none."""

from __future__ import annotations


def device(name: str, parent: str, capability: str) -> str:
    return f"<device><name>{name}</name><parent>{parent}</parent>{capability}</device>"


def _address(short: str) -> str:
    bus, rest = short.split(":")
    slot, function = rest.split(".")
    return f"<address domain='0x0000' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>"


def pci(
    name: str,
    parent: str,
    short: str,
    model: str = "8086:0000",
    *,
    group: int | None = None,
    numa: int | None = None,
    inner: str = "",
) -> str:
    bus, rest = short.split(":")
    slot, function = rest.split(".")
    vendor, product = model.split(":")
    parts = f"<class>0x030000</class><domain>0</domain><bus>{int(bus, 16)}</bus><slot>{int(slot, 16)}</slot>"
    parts += f"<function>{function}</function>"
    parts += f"<product id='0x{product}'>Thing</product><vendor id='0x{vendor}'>Maker</vendor>{inner}"
    parts += f"<iommuGroup number='{group}'>{_address(short)}</iommuGroup>" if group is not None else ""
    parts += f"<numa node='{numa}'/>" if numa is not None else ""
    return device(name, parent, f"<capability type='pci'>{parts}</capability>")


def net(nic: str, parent: str, state: str) -> str:
    link = f"<interface>{nic}</interface><address>52:54:00:00:00:01</address><link state='{state}'/>"
    return device(f"net_{nic}_52_54_00_00_00_01", parent, f"<capability type='net'>{link}</capability>")


def storage(disk: str, parent: str) -> str:
    return device(f"block_{disk}", parent, f"<capability type='storage'><block>/dev/{disk}</block></capability>")


def mdev(uuid: str, parent: str, type_: str, group: int = 90) -> str:
    parts = f"<type id='{type_}'/><uuid>{uuid}</uuid><iommuGroup number='{group}'/>"
    return device(f"mdev_{uuid.replace('-', '_')}", parent, f"<capability type='mdev'>{parts}</capability>")


def functions(*shorts: str) -> str:
    addresses = "".join(map(_address, shorts))
    return f"<capability type='virt_functions' maxCount='64'>{addresses}</capability>"


def function_of(short: str) -> str:
    return f"<capability type='phys_function'>{_address(short)}</capability>"


COMPUTER = (
    "<device><name>computer</name><capability type='system'><hardware>"
    "<uuid>4c4c4544-0031-4a10-8058-b4c04f4b5a32</uuid></hardware><firmware/></capability></device>"
)
_TYPES = (
    "<capability type='mdev_types'><type id='nvidia-63'><name>GRID</name><deviceAPI>vfio-pci</deviceAPI>"
    "<availableInstances>1</availableInstances></type></capability>"
)
# Two GPUs at two NUMA nodes, one with its sound in a group, and a third that is divided.
GPU_HOST = [
    COMPUTER,
    pci("pci_0000_64_00_0", "computer", "64:00.0", group=1, inner="<capability type='pci-bridge'/>"),
    pci("pci_0000_65_00_0", "pci_0000_64_00_0", "65:00.0", "10de:2204", group=1, numa=0),
    pci("pci_0000_65_00_1", "pci_0000_64_00_0", "65:00.1", "10de:1aef", group=1, numa=0),
    device("drm_card0", "pci_0000_65_00_0", "<capability type='drm'><type>primary</type></capability>"),
    pci("pci_0000_b1_00_0", "computer", "b1:00.0", "10de:2204", group=2, numa=1),
    pci("pci_0000_c1_00_0", "computer", "c1:00.0", "10de:2230", group=3, numa=1, inner=_TYPES),
    mdev("c2177883-f1bb-47f0-914d-32a22e3a8804", "pci_0000_c1_00_0", "nvidia-63"),
]
# A NIC with three virtual functions, of which the host sees one as a NIC that is down.
SRIOV_HOST = [
    pci(
        "pci_0000_03_00_0",
        "computer",
        "03:00.0",
        "8086:1572",
        group=20,
        inner=functions("03:02.0", "03:02.1", "03:02.2"),
    ),
    net("enp3s0f0", "pci_0000_03_00_0", "up"),
    pci("pci_0000_03_02_0", "computer", "03:02.0", "8086:154c", group=21, inner=function_of("03:00.0")),
    pci("pci_0000_03_02_1", "computer", "03:02.1", "8086:154c", group=22, inner=function_of("03:00.0")),
    net("enp3s0f0v1", "pci_0000_03_02_1", "down"),
    pci("pci_0000_03_02_2", "computer", "03:02.2", "8086:154c", group=23, inner=function_of("03:00.0")),
]
