# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a node's devices by what libvirt says of them, and of a definition by its elements."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.node_devices import (
    NodeDevice,
    list_given,
    parse_devices,
    words_of,
)
from node_device_texts import GPU_HOST, SRIOV_HOST, device, mdev, net, pci, storage

DEVICES = {one.name: one for one in parse_devices([*GPU_HOST, *SRIOV_HOST])}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("pci 0000:65:00.0", {"model": "10de:2204", "numa": 0}),
        ("pci 0000:b1:00.0", {"model": "10de:2204", "numa": 1}),
        ("pci 0000:65:00.1", {"model": "10de:1aef", "numa": 0}),
        ("pci 0000:03:00.0", {"model": "8086:1572", "nics": {"enp3s0f0"}, "has_functions": True}),
        ("pci 0000:03:02.0", {"model": "8086:154c", "functions_of": {"enp3s0f0"}, "part_of": "pci 0000:03:00.0"}),
        ("pci 0000:03:02.1", {"model": "8086:154c", "functions_of": {"enp3s0f0"}, "nics": {"enp3s0f0v1"}}),
        ("pci 0000:c1:00.0", {"model": "10de:2230", "is_divided": True, "part_of": ""}),
        ("pci 0000:03:00.0", {"is_divided": False, "part_of": ""}),
        ("mdev c2177883-f1bb-47f0-914d-32a22e3a8804", {"model": "nvidia-63", "part_of": "pci 0000:c1:00.0"}),
    ],
)
def test_what_is_known_of_a_device(name: str, known: dict[str, object]) -> None:
    found = DEVICES[name]
    assert {key: getattr(found, key) for key in known} == known
    assert found.is_free is (name != "pci 0000:03:00.0")  # its link is up


def test_what_goes_to_one_guest_alone_is_tied() -> None:
    assert DEVICES["pci 0000:65:00.0"].ties == {"pci 0000:65:00.1"}
    assert DEVICES["pci 0000:03:00.0"].ties == {"pci 0000:03:02.0", "pci 0000:03:02.1", "pci 0000:03:02.2"}
    assert DEVICES["pci 0000:03:02.0"].ties == {"pci 0000:03:00.0"}, "functions go to different guests"
    assert DEVICES["pci 0000:c1:00.0"].ties == {"mdev c2177883-f1bb-47f0-914d-32a22e3a8804"}
    assert DEVICES["mdev c2177883-f1bb-47f0-914d-32a22e3a8804"].ties == {"pci 0000:c1:00.0"}


def test_a_nic_with_a_switch_of_its_own_has_several_names() -> None:
    """Its ports are NICs of the host as well (switchdev), and libvirt tells them in any order."""
    ports = [net(f"enp3s0f0_{number}", "pci_0000_03_00_0", "down") for number in range(2)]
    for texts in ([*SRIOV_HOST, *ports], [*ports, *SRIOV_HOST]):
        found = {one.name: one for one in parse_devices(texts)}
        assert "enp3s0f0" in found["pci 0000:03:02.0"].functions_of & found["pci 0000:03:00.0"].nics


def test_a_bridge_is_no_device_for_anyone() -> None:
    assert "pci 0000:64:00.0" not in DEVICES


@pytest.mark.parametrize("uplinks", [(), ("enp4s0",)])
def test_an_uplink_is_the_nodes_own_even_while_its_link_is_down(uplinks: tuple[str, ...]) -> None:
    texts = [pci("pci_0000_04_00_0", "computer", "04:00.0"), net("enp4s0", "pci_0000_04_00_0", "down")]
    (found,) = parse_devices(texts, uplinks)
    assert found.is_free is not bool(uplinks)
    assert ("pci:0000:04:00.0" in words_of([found])) is not bool(uplinks)


def test_what_shares_a_group_with_what_the_node_needs_stays() -> None:
    """libvirt would refuse the start: a group has one driver."""
    texts = [
        pci("pci_0000_00_17_0", "computer", "00:17.0", group=5),
        storage("sda", "pci_0000_00_17_0"),
        pci("pci_0000_00_1f_0", "computer", "00:1f.0", group=5),
        pci("pci_0000_00_1f_3", "computer", "00:1f.3", group=6),
        # The bridge above a disk may share the group of what else is below it.
        pci("pci_0000_00_1c_0", "computer", "00:1c.0", group=7, inner="<capability type='pci-bridge'/>"),
        pci("pci_0000_05_00_0", "pci_0000_00_1c_0", "05:00.0", group=7),
        pci("pci_0000_06_00_0", "pci_0000_00_1c_0", "06:00.0", group=8),
        storage("nvme0n1", "pci_0000_06_00_0"),
    ]
    assert {one.name for one in parse_devices(texts) if one.is_free} == {"pci 0000:00:1f.3", "pci 0000:05:00.0"}


def test_a_mediated_device_is_known_by_its_name_too() -> None:
    """Not every libvirt tells the UUID of one; the name may have its parent's address as well."""
    for name in ("mdev_c2177883_f1bb_47f0_914d_32a22e3a8804", "mdev_c2177883_f1bb_47f0_914d_32a22e3a8804_0000_b1_00_0"):
        text = device(name, "pci_0000_b1_00_0", "<capability type='mdev'><type id='nvidia-63'/></capability>")
        assert parse_devices([text]) == (
            NodeDevice(name="mdev c2177883-f1bb-47f0-914d-32a22e3a8804", model="nvidia-63"),
        )
    assert mdev("c2177883-f1bb-47f0-914d-32a22e3a8804", "pci_0000_b1_00_0", "nvidia-63").count("uuid") == 2


ADDRESS = "<source><address type='pci' domain='0x0000' bus='0x65' slot='0x1a' function='0x7'/></source>"


@pytest.mark.parametrize(
    ("element", "given"),
    [
        (f"<hostdev mode='subsystem' type='pci'>{ADDRESS}</hostdev>", ["pci 0000:65:1a.7"]),
        (f'<interface type="hostdev">{ADDRESS}</interface>', ["pci 0000:65:1a.7"]),
        ("<hostdev type='mdev'><source><address uuid='C2177883-0000'/></source></hostdev>", ["mdev c2177883-0000"]),
        (
            "<hostdev type='usb'><source><vendor id='0x46d'/><product id='0xc52b'/></source></hostdev>",
            ["usb 046d:c52b"],
        ),
        ("<hostdev type='usb'><source><address bus='1' device='2'/></source></hostdev>", []),
        ("<hostdev type='scsi'><source><adapter name='scsi_host0'/></source></hostdev>", []),
        ("<interface type='network'><source network='svswitch1'/></interface>", []),
    ],
)
def test_what_a_definition_has_of_its_node(element: str, given: list[str]) -> None:
    assert list_given(f"<domain><devices>{element}</devices></domain>") == given


def test_of_no_definition_nothing_is_given() -> None:
    assert list_given(None) == list_given("<domain/>") == list_given("<domain><!-- <hostdev --></domain>") == []
