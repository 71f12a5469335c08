# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches and port groups as libvirt XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.bridge import UNTAGGED, PortVlan, access
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import URI
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.definition import (
    Attachment,
    edit_network,
    edit_port_group,
    parse_attachments,
    parse_network,
    render_network,
    render_port_group,
)
from hypothesis import given
from hypothesis import strategies as st

UUID = "044c1ea2-1231-f038-c01b-c9b427e0a306"
GROUPS = {"Production": 42, "Native": None}
# As libvirt 9.0 shows a network that it has read from render_network.
SHOWN = f"""<network connections='1'>
  <name>svswitch10</name>
  <uuid>{UUID}</uuid>
  <forward mode='bridge'/>
  <bridge name='svswitch10'/>
  <virtualport type='openvswitch'/>
  <portgroup name='Production'>
    <vlan>
      <tag id='42'/>
    </vlan>
  </portgroup>
  <portgroup name='Native'>
    <vlan trunk='yes'>
      <tag id='0'/>
    </vlan>
  </portgroup>
</network>"""
# As libvirt 9.0 shows a running instance: the type is that of the bridge, the source still names the network.
RUNNING = """<domain type='qemu' id='1'><name>web-1</name><devices>
<interface type='bridge'><mac address='52:54:00:e4:2b:78'/>
<source network='svswitch10' portgroup='Production' portid='c8e51da5-f6c8-40fb-8117-85d9a35147c3' bridge='svswitch10'/>
<vlan><tag id='42'/></vlan><virtualport type='openvswitch'/><target dev='vnet0'/></interface>
<interface type='bridge'><source bridge='br0'/><target dev='vnet1'/></interface>
<interface type='user'/></devices></domain>"""


def test_what_is_rendered_is_what_libvirt_shows() -> None:
    assert parse_network(render_network("svswitch10", UUID, GROUPS)) == parse_network(SHOWN)
    assert parse_network(SHOWN).port_groups == {"Production": PortVlan(tag=42), "Native": UNTAGGED}


@given(st.dictionaries(st.text("abcXYZ019._-<>&'\"", min_size=1), st.none() | st.integers(1, 4094)))
def test_port_groups_survive_any_name(groups: dict[str, int | None]) -> None:
    parsed = parse_network(render_network("svswitch10", UUID, groups)).port_groups
    assert parsed == {name: access(vlan) for name, vlan in groups.items()}


def test_a_right_network_is_not_edited() -> None:
    assert parse_network(edit_network(SHOWN)) == parse_network(SHOWN)


@pytest.mark.parametrize(
    "xml",
    [
        "<network><name>svswitch10</name><forward mode='nat'/><bridge name='virbr0' stp='on'/><mac address='x'/>"
        "<ip address='192.0.2.1' netmask='255.255.255.0'><dhcp/></ip></network>",
        "<network><name>svswitch10</name><forward mode='bridge'><interface dev='eth0'/></forward></network>",
        "<network><name>svswitch10</name></network>",
    ],
)
def test_a_wrong_network_leads_to_its_bridge_again(xml: str) -> None:
    edited = edit_network(xml)
    model = parse_network(edited)
    assert (model.forward, model.bridge, model.virtual_port) == ("bridge", "svswitch10", "openvswitch")
    assert ET.fromstring(edited).find("ip") is None


@pytest.mark.parametrize(
    ("vlan", "expected"),
    [
        ("", PortVlan()),
        ("<vlan><tag id='7'/></vlan>", PortVlan(tag=7)),
        ("<vlan trunk='yes'><tag id='7'/></vlan>", PortVlan(trunks=(7,))),
        ("<vlan trunk='yes'><tag id='8'/><tag id='7'/></vlan>", PortVlan(trunks=(7, 8))),
        (
            "<vlan trunk='yes'><tag id='7' nativeMode='untagged'/><tag id='8'/></vlan>",
            PortVlan(7, (7, 8), "native-untagged"),
        ),
    ],
)
def test_vlans_made_by_hand_are_told_apart(vlan: str, expected: PortVlan) -> None:
    xml = f"<network><name>n</name><portgroup name='x'>{vlan}</portgroup></network>"
    assert parse_network(xml).port_groups == {"x": expected}


def test_editing_a_port_group_keeps_the_rest_of_it() -> None:
    xml = SHOWN.replace("<portgroup name='Native'>", "<portgroup name='Native' default='yes'><bandwidth/>")
    edited = ET.fromstring(edit_port_group(xml, "Native", 5))
    assert (edited.get("default"), edited.find("bandwidth") is not None) == ("yes", True)
    assert [tag.get("id") for tag in edited.findall("vlan/tag")] == ["5"]
    assert edit_port_group(SHOWN, "New", 6) == render_port_group("New", 6)


def test_attachments_of_a_running_and_of_a_stopped_instance() -> None:
    assert parse_attachments(RUNNING) == [Attachment("web-1", "svswitch10", "Production", "vnet0")]
    stopped = (
        "<domain><name>db</name><devices><interface type='network'><source network='n'/></interface></devices></domain>"
    )
    assert parse_attachments(stopped) == [Attachment("db", "n", None, None)]


@pytest.mark.parametrize(
    ("more", "uuid", "is_ours"),
    [
        ("", "its", True),
        ("", "another", False),
        ("adopted='true'", "its", False),
        ("adopted='true' ", "its, with its NIC", True),
    ],
    ids=["made", "a copy", "adopted without this NIC", "adopted"],
)
def test_whose_a_nic_is(more: str, uuid: str, is_ours: bool) -> None:
    id_ = new_id("instance")
    nic = "<p:nic name='nic0' mac='52:54:00:e4:2b:78'/>" if "NIC" in uuid else ""
    head = (
        f"<uuid>{uuid_of(id_) if uuid.startswith('its') else UUID}</uuid><metadata>"
        f"<p:instance xmlns:p='{URI}' id='{id_}' {more}>{nic}</p:instance></metadata><devices>"
    )
    (found,) = parse_attachments(RUNNING.replace("<devices>", head))
    assert found == Attachment("web-1", "svswitch10", "Production", "vnet0", is_ours)


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (PortVlan(), "all VLANs"),
        (PortVlan(trunks=(0,)), "untagged"),
        (PortVlan(tag=42), "42"),
        (PortVlan(tag=42, trunks=(1,)), "42"),
        (PortVlan(tag=42, mode="trunk"), "all VLANs"),
        (PortVlan(trunks=(2, 1)), "VLANs 1, 2"),
        (PortVlan(tag=3, trunks=(2,), mode="native-tagged"), "VLANs 2, native-tagged 3"),
    ],
)
def test_vlans_are_shown_as_what_they_mean(columns: PortVlan, shown: str) -> None:
    assert str(columns) == shown


def test_ports_that_do_the_same_are_equal() -> None:
    assert PortVlan(tag=42) == PortVlan(tag=42, mode="access") == PortVlan(tag=42, trunks=(1, 2))
    assert PortVlan(trunks=(2, 1)) == PortVlan(trunks=(1, 2), mode="trunk")
    assert access(None) == UNTAGGED != PortVlan()
