# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as XML: what is written is what is read, and an edit changes nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import (
    Ceph,
    Disk,
    DomainModel,
    Interface,
    parse_domain,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_disks import render_disk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_nics import (
    move_nic,
    plug_nic,
    take_nic,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import (
    convert_domain,
    edit_domain,
    render_domain,
    render_labels,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import (
    URI,
    Labels,
    NicLabel,
    VolumeLabel,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.kinds import DiskKind
from hypothesis import given
from hypothesis import strategies as st

ID = "inst-qthm_iLrflJ_DtSS1l4Gx"
# What a name or a description may hold at worst: everything that XML can carry, its own signs first of all.
NASTY = st.text(
    st.sampled_from("<>&\"']]>--;%${}\\/ä\u202e漢😀 ")
    | st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"]),
    min_size=1,
    max_size=20,
)
NAMES = NASTY.map(lambda text: text.replace("/", "|"))
WORDS = st.from_regex(r"[a-z0-9.:/]{1,12}", fullmatch=True)
MACS = st.from_regex(r"52(:[0-9a-f]{2}){5}", fullmatch=True)


@st.composite
def own_disks(draw: st.DrawFn, instance: str, serial: str, target: str) -> Disk:
    """A disk of any kind whose volume is an instance's."""
    kind: DiskKind = draw(st.sampled_from(["file", "block", "rbd"]))
    directory = draw(NASTY)
    return Disk(
        target=target,
        path=f"{directory}/{instance}.{ID}.{serial}.x" if kind == "rbd" else f"/{directory}/{instance}.{ID}.{serial}.x",
        serial=serial,
        format=draw(st.sampled_from(["qcow2", "raw"])),
        read_only=draw(st.booleans()),
        kind=kind,
        ceph=Ceph(
            monitors=("192.0.2.1:3300", draw(st.sampled_from(["2001:db8::1:3300", "mon:3300"]))), user="x", secret="y"
        )
        if kind == "rbd"
        else None,
    )


@st.composite
def models(draw: st.DrawFn, name: st.SearchStrategy[str] = NAMES) -> DomainModel:
    called = draw(name)
    serials = draw(st.lists(NAMES, unique=True, max_size=4))
    disks = [draw(own_disks(called, serial, f"vd{letter}")) for letter, serial in zip("abcd", serials, strict=False)]
    interfaces = draw(
        st.lists(
            st.builds(Interface, mac=MACS, network=NASTY, port_group=NASTY), unique_by=lambda nic: nic.mac, max_size=3
        )
    )
    return DomainModel(
        name=called,
        uuid=uuid_of(ID),
        memory=draw(st.integers(1, 2**40)),
        vcpus=draw(st.integers(1, 512)),
        disks=tuple(disks),
        interfaces=tuple(interfaces),
        description=draw(st.none() | NASTY),
        labels=Labels(
            id=ID,
            cluster=draw(NASTY),
            organization=draw(NASTY),
            image=draw(st.none() | NASTY),
            root_mode=draw(st.sampled_from([None, "overlay", "copy"])),
            anti_affinity=draw(st.none() | NASTY),
            seed=draw(st.none() | NASTY),
            once=draw(st.none() | NASTY),
            created=draw(st.none() | NASTY),
            flavor=draw(st.none() | NASTY),
            profiles=tuple(draw(st.lists(NASTY, max_size=2))),
            tags=tuple(draw(st.lists(NASTY, max_size=3))),
            volumes=tuple(
                draw(
                    st.lists(
                        st.builds(
                            VolumeLabel,
                            name=NASTY,
                            pool=NASTY,
                            size=st.integers(0, 2**40),
                            filesystem=st.sampled_from(["", "ext4"]),
                            mountpoint=st.just("") | NASTY,
                        ),
                        max_size=3,
                    )
                )
            ),
            nics=tuple(
                NicLabel(name=f"nic{index}" if index % 2 else f"lan{index}", addresses=addresses)
                for index, addresses in enumerate(draw(st.lists(st.lists(WORDS, max_size=2).map(tuple), max_size=3)))
            ),
        ),
    )


MODEL = DomainModel(
    name="web",
    uuid=uuid_of(ID),
    memory=256,
    vcpus=2,
    disks=(
        Disk(target="vda", path=f"/srv/web.{ID}.root.qcow2", serial="root"),
        Disk(target="vdb", path=f"/srv/web.{ID}.data.qcow2", serial="data"),
        Disk(target="vdz", path=f"/srv/web.{ID}.seed-1.iso", serial="seed", format="raw", read_only=True),
    ),
    interfaces=(Interface(mac="52:00:00:00:00:01", network="svswitch1", port_group="DMZ"),),
    description=None,
    labels=Labels(id=ID, cluster="cls-1", organization="org-1"),
)


def disks(model: DomainModel | None) -> dict[str, Disk]:
    assert model is not None
    return {disk.serial: disk for disk in model.disks}


def unordered(model: DomainModel | None) -> DomainModel:
    """libvirt sorts disks by their names; the order means nothing."""
    assert model is not None
    return replace(model, disks=tuple(sorted(model.disks, key=lambda disk: disk.serial)))


def shape(element: ET.Element) -> Any:
    return (element.tag, sorted(element.keys()), [shape(child) for child in element])


@given(models(), st.sampled_from(["kvm", "qemu"]))
def test_what_is_written_is_what_is_read(model: DomainModel, virt_type: str) -> None:
    assert parse_domain(render_domain(model, virt_type)) == model


@given(models(name=st.just("web")), models(name=st.just("web")))
def test_an_edit_ends_at_the_model(before: DomainModel, after: DomainModel) -> None:
    edited = edit_domain(render_domain(before, "qemu"), after)
    assert unordered(parse_domain(edited)) == unordered(after)
    assert edit_domain(edited, after) == edited


@given(models())
def test_nasty_text_is_inert(model: DomainModel) -> None:
    """It is text wherever it is: no element and no attribute more or less than with plain words."""
    plain = replace(
        model,
        name="x",
        description=model.description and "x",
        disks=tuple(replace(disk, path="x", serial=disk.target) for disk in model.disks),
        interfaces=tuple(replace(nic, network="x", port_group="x") for nic in model.interfaces),
        labels=replace(
            model.labels,
            cluster="x",
            organization="x",
            image=model.labels.image and "x",
            anti_affinity=model.labels.anti_affinity and "x",
            seed=model.labels.seed and "x",
            tags=("x",) * len(model.labels.tags),
            volumes=tuple(
                VolumeLabel(name="x", pool="x", size=1, filesystem=one.filesystem, mountpoint=one.mountpoint and "x")
                for one in model.labels.volumes
            ),
        ),
    )
    nasty = ET.fromstring(render_domain(model, "kvm"))
    assert shape(nasty) == shape(ET.fromstring(render_domain(plain, "kvm")))
    assert nasty.findtext("name") == model.name
    for disk in model.disks:
        assert ET.fromstring(render_disk(disk)).findtext("serial") == disk.serial
    for nic in model.interfaces:
        source = ET.fromstring(take_nic(render_domain(model, "qemu"), nic.mac) or "").find("source")
        assert source is not None
        assert source.attrib == {"network": nic.network, "portgroup": nic.port_group}
    assert ET.fromstring(render_labels(model.labels)).get("cluster") == model.labels.cluster


# NICs of running guests

LIVE = """<domain type="qemu" id="3"><name>web</name><devices>
<interface type="bridge"><mac address="52:00:00:00:00:01"/>
  <source network="svswitch1" portgroup="DMZ" portid="9b2c" bridge="svswitch1"/>
  <vlan><tag id="99"/></vlan>
  <bandwidth><inbound average="1000"/></bandwidth>
  <virtualport type="openvswitch"><parameters interfaceid="4f7c"/></virtualport>
  <target dev="vnet3"/><model type="virtio"/>
  <driver name="vhost" queues="2"><host csum="off"/></driver>
  <filterref filter="clean-traffic"/><mtu size="1400"/><boot order="2"/><link state="up"/>
  <alias name="net0"/><address type="pci" bus="0x01"/>
</interface></devices></domain>"""
CONFIG = """<interface type="network"><mac address="52:00:00:00:00:01"/>
<source network="svswitch1" portgroup="Production"/></interface>"""


VLAN = '<vlan><tag id="42"/></vlan>'


def test_a_running_nic_keeps_all_but_its_port_group() -> None:
    live = take_nic(LIVE, "52:00:00:00:00:01")
    assert live is not None
    moved, before = ET.fromstring(move_nic(live, CONFIG, VLAN, {})), ET.fromstring(live)
    # libvirt shows what it made of the network, and takes the network alone.
    assert moved.get("type") == "network"
    source = moved.find("source")
    assert source is not None
    # libvirt compares the port's identifier, and refuses another one; its VLAN is that of the new port group.
    assert source.attrib == {"network": "svswitch1", "portgroup": "Production"}
    assert [tag.attrib for tag in moved.iter("tag")] == [{"id": "42"}]
    kept = [child for child in before if child.tag not in ("source", "vlan")]
    assert [shape(child) for child in moved if child.tag not in ("source", "vlan")] == [shape(child) for child in kept]


def test_a_vlan_of_its_own_stays() -> None:
    live = take_nic(LIVE, "52:00:00:00:00:01")
    tagged = CONFIG.replace("</interface>", '<vlan><tag id="7"/></vlan></interface>')
    assert [tag.attrib for tag in ET.fromstring(move_nic(live or "", tagged, VLAN, {})).iter("tag")] == [{"id": "7"}]


def test_what_is_plugged_in_is_given_its_place_anew() -> None:
    plugged = ET.fromstring(plug_nic(take_nic(LIVE, "52:00:00:00:00:01") or ""))
    assert {"alias", "address", "target"} & {child.tag for child in plugged} == set()
    assert [part.attrib for part in plugged.iter("parameters")] == [{}]
    kept = {"filterref", "mtu", "boot", "bandwidth", "driver", "model", "link"}
    assert kept <= {child.tag for child in plugged}


def test_a_domain_without_the_nic_has_none() -> None:
    assert take_nic(LIVE, "52:00:00:00:00:02") is None
    assert take_nic("<domain/>", "52:00:00:00:00:01") is None


# What others have put there

FOREIGN = """<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>web</name><uuid>{uuid}</uuid><genid>{uuid}</genid><title>A title</title><description>Mine</description>
  <metadata><app:data xmlns:app="urn:other:1" x="1"><app:inner/></app:data>{labels}</metadata>
  <memory unit="KiB">262144</memory><currentMemory unit="KiB">262144</currentMemory>
  <vcpu placement="static" cpuset="0-1">2</vcpu><cputune><shares>512</shares></cputune>
  <os><type arch="x86_64" machine="pc-q35-7.2">hvm</type><boot dev="hd"/></os>
  <features><acpi/><vmport state="off"/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type="file" device="disk"><driver name="qemu" type="qcow2" cache="writeback" io="threads"/>
      <source file="/srv/web.{id}.root.qcow2" index="2"/><backingStore/><target dev="vda" bus="virtio"/>
      <serial>root</serial><boot order="1"/><iotune><total_iops_sec>100</total_iops_sec></iotune>
      <address type="pci" domain="0x0000" bus="0x04" slot="0x00" function="0x0"/></disk>
    <disk type="file" device="cdrom"><target dev="sda" bus="sata"/><readonly/></disk>
    <disk type="block" device="disk"><source dev="/dev/sdx"/><target dev="vdc" bus="virtio"/></disk>
    <disk type="file" device="disk"><source file="/srv/other.qcow2"/><target dev="vdd" bus="virtio"/>
      <serial>logs</serial></disk>
    <interface type="network"><mac address="52:00:00:00:00:01"/>
      <source network="svswitch1" portgroup="DMZ"/><model type="virtio"/><link state="up"/>
      <bandwidth><inbound average="100"/></bandwidth><address type="pci" bus="0x01"/></interface>
    <interface type="user"><mac address="52:00:00:00:00:09"/><model type="virtio"/></interface>
    <hostdev mode="subsystem" type="pci"><source><address domain="0x0000"/></source></hostdev>
    <tpm model="tpm-crb"><backend type="emulator"/></tpm>
  </devices>
  <qemu:commandline><qemu:arg value="-x"/></qemu:commandline>
</domain>""".format(uuid=uuid_of(ID), id=ID, labels=render_labels(MODEL.labels))


def foreign_elements(xml: str) -> list[str]:
    """Return everything but what we manage, as text."""
    root = ET.fromstring(xml)
    devices = root.find("devices")
    assert devices is not None
    for parent, path in (
        (root, f"metadata/{{{URI}}}instance"),
        (devices, "disk[serial='data']"),
        (devices, "interface[@type='network']"),
    ):
        for element in parent.findall(path):
            (root.find("metadata") if "metadata" in path else devices).remove(element)  # type: ignore[union-attr]
    for tag in ("name", "description", "memory", "currentMemory", "vcpu"):
        for element in root.findall(tag):
            root.remove(element)
    return sorted(ET.canonicalize(ET.tostring(element, encoding="unicode"), strip_text=True) for element in root)


def test_foreign_elements_stay() -> None:
    model = parse_domain(FOREIGN)
    assert model is not None
    wanted = replace(
        MODEL,
        memory=512,
        vcpus=4,
        disks=(MODEL.disks[0], MODEL.disks[1]),
        interfaces=(replace(MODEL.interfaces[0], port_group="Production"),),
        description="Theirs",
    )
    edited = edit_domain(FOREIGN, wanted)
    assert unordered(parse_domain(edited)) == unordered(wanted)
    assert foreign_elements(edited) == foreign_elements(FOREIGN)
    nic = ET.fromstring(edited).find("devices/interface[@type='network']")
    assert nic is not None
    assert [child.tag for child in nic] == ["mac", "source", "model", "link", "bandwidth", "address"]


def test_disks_of_others_are_not_ours() -> None:
    model = parse_domain(FOREIGN)
    assert model is not None
    assert list(disks(model)) == ["root"]
    assert model.targets == {"vda", "sda", "vdc", "vdd"}
    edited = edit_domain(FOREIGN, replace(MODEL, disks=()))
    assert parse_domain(edited) is not None
    assert [target.get("dev") for target in ET.fromstring(edited).findall("devices/disk/target")] == [
        *("sda", "vdc", "vdd")
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<target dev="vdb"', '<target dev="vdk"'),
        ("<serial>data</serial>", "<serial>atad</serial>"),
        ("<serial>data</serial>", ""),
        (".data.qcow2", ".other.qcow2"),
        (f"/srv/web.{ID}.data.qcow2", "/tmp/evil.qcow2"),
        ('type="raw"', 'type="qcow2"'),
        ("<readonly />", ""),
    ],
)
def test_disks_changed_by_hand_are_ours_again(old: str, new: str) -> None:
    xml = render_domain(MODEL, "qemu")
    assert old in xml
    assert parse_domain(xml.replace(old, new)) != MODEL
    assert unordered(parse_domain(edit_domain(xml.replace(old, new), MODEL))) == unordered(MODEL)


def test_a_disk_that_is_declared_no_more_goes() -> None:
    edited = edit_domain(render_domain(MODEL, "qemu"), replace(MODEL, disks=MODEL.disks[:1]))
    assert list(disks(parse_domain(edited))) == ["root"]


def test_nics_come_in_the_order_of_the_model() -> None:
    """The first is the guest's first; what is no NIC on a network stays."""
    first, second = (Interface(mac=f"52:00:00:00:00:0{n}", network="svswitch1", port_group="DMZ") for n in (3, 4))
    xml = edit_domain(FOREIGN, replace(MODEL, interfaces=(first, *MODEL.interfaces, second)))
    macs = [mac.get("address", "")[-1] for mac in ET.fromstring(xml).findall("devices/interface/mac")]
    assert macs == ["9", "3", "1", "4"]


IDENTITY = f"<name>web</name><uuid>{uuid_of(ID)}</uuid><metadata>{render_labels(MODEL.labels)}</metadata>"


@pytest.mark.parametrize(
    ("memory", "current", "expected"),
    [
        ('<memory unit="KiB">262144</memory>', "", 256),
        ("<memory>262144</memory>", "", 256),
        ('<memory unit="MiB">256</memory>', "", 256),
        ('<memory unit="GiB">2</memory>', "", 2048),
        ('<memory unit="b">268435456</memory>', "", 256),
        ('<memory unit="KiB">262144</memory>', '<currentMemory unit="KiB">131072</currentMemory>', 128),
        ("", "", 0),
    ],
)
def test_memory(memory: str, current: str, expected: int) -> None:
    xml = f"<domain>{IDENTITY}{memory}{current}</domain>"
    model = parse_domain(xml)
    assert model is not None
    assert model.memory - model.held_back == expected
    edited = parse_domain(edit_domain(xml, replace(MODEL, memory=512)))
    assert edited is not None
    assert edited.memory == 512


def test_a_copy_made_by_hand_is_not_ours() -> None:
    xml = render_domain(MODEL, "qemu")
    assert parse_domain(xml) is not None
    assert parse_domain(xml.replace(uuid_of(ID), "0d4b8a1e-6c0b-4c5e-9b8f-6a3a0d1f2e4c")) is None
    assert parse_domain(xml.replace(ID, "inst-of-nobody")) is None


def test_memory_of_a_running_guest() -> None:
    """The balloon is the guest's affair."""
    xml = f"<domain id='3'>{IDENTITY}<memory>262144</memory><currentMemory>1</currentMemory></domain>"
    model = parse_domain(xml)
    assert model is not None
    assert model.memory == 256


def test_virtual_cpus_that_are_held_back() -> None:
    xml = render_domain(MODEL, "qemu").replace("<vcpu>2<", "<vcpu placement='static' current='1'>2<")
    model = parse_domain(xml)
    assert model is not None
    assert model.vcpus == 1
    vcpu = ET.fromstring(edit_domain(xml, MODEL)).find("vcpu")
    assert vcpu is not None
    assert (vcpu.attrib, vcpu.text) == ({"placement": "static"}, "2")


@pytest.mark.parametrize(
    "xml",
    [
        "<domain><name>x</name></domain>",
        f"<domain><name>x</name><description>{URI}</description></domain>",
        f"<domain><name>x</name><metadata><p:pool xmlns:p='{URI}'/></metadata></domain>",
        f"<domain><metadata><a><p:instance xmlns:p='{URI}'/></a></metadata></domain>",
    ],
)
def test_what_is_not_ours(xml: str) -> None:
    assert parse_domain(xml) is None


@pytest.mark.parametrize(("virt_type", "mode"), [("kvm", "host-model"), ("qemu", "custom")])
def test_kinds_of_nodes(virt_type: str, mode: str) -> None:
    for xml in (render_domain(MODEL, virt_type), convert_domain(render_domain(MODEL, "kvm"), virt_type)):
        root = ET.fromstring(xml)
        assert root.get("type") == virt_type
        assert [cpu.get("mode") for cpu in root.findall("cpu")] == [mode]
        assert parse_domain(xml) == MODEL
    converted = convert_domain(FOREIGN, "qemu")
    assert foreign_elements(converted) == foreign_elements(FOREIGN)


def test_every_device_has_a_port() -> None:
    root = ET.fromstring(render_domain(MODEL, "kvm"))
    ports = root.findall("devices/controller[@model='pcie-root-port']")
    assert len(ports) >= len(MODEL.disks) + len(MODEL.interfaces) + 4


def test_labels_are_the_same_text_for_the_same_labels() -> None:
    assert render_labels(MODEL.labels) == render_labels(replace(MODEL.labels))
    assert Labels(id="i", cluster="c", organization="o").root is None
    label = VolumeLabel(name="root", pool="p", size=1)
    assert replace(MODEL.labels, volumes=(label,)).root == label


CEPH = Ceph(monitors=("192.0.2.1:3300", "192.0.2.2:3300"), user="pextra", secret=uuid_of(ID))
UNIT = VolumeLabel(name="san", pool="targets", unit="unit:0:0:1")
OF_EACH_KIND = (
    Disk(target="vda", path=f"vms/web.{ID}.root.raw", serial="root", format="raw", kind="rbd", ceph=CEPH),
    Disk(target="vdb", path=f"/dev/vg0/web.{ID}.lv.raw", serial="lv", format="raw", kind="block"),
    Disk(target="vdc", path="targets/unit:0:0:1", serial="san", format="raw", kind="unit"),
    Disk(target="vdd", path=f"/srv/web.{ID}.file.qcow2", serial="file"),
)
BLOCKS = replace(MODEL, disks=OF_EACH_KIND, labels=replace(MODEL.labels, volumes=(UNIT,)))


def test_disks_of_each_kind_as_libvirt_wants_them() -> None:
    found = ET.fromstring(render_domain(BLOCKS, "qemu")).findall("devices/disk")
    assert [disk.get("type") for disk in found] == ["network", "block", "volume", "file"]
    shown = [ET.tostring(disk.find("source"), encoding="unicode") for disk in found]  # type: ignore[arg-type]
    assert shown == [
        f'<source protocol="rbd" name="vms/web.{ID}.root.raw"><host name="192.0.2.1" port="3300" />'
        '<host name="192.0.2.2" port="3300" />'
        f'<auth username="pextra"><secret type="ceph" uuid="{uuid_of(ID)}" /></auth></source>',
        f'<source dev="/dev/vg0/web.{ID}.lv.raw" />',
        '<source pool="targets" volume="unit:0:0:1" />',
        f'<source file="/srv/web.{ID}.file.qcow2" />',
    ]
    assert parse_domain(render_domain(BLOCKS, "qemu")) == BLOCKS


def test_a_unit_is_ours_only_by_the_labels() -> None:
    stranger = replace(BLOCKS, labels=MODEL.labels)
    parsed = parse_domain(render_domain(stranger, "qemu"))
    assert parsed is not None
    assert "san" not in disks(parsed)
    assert "vdc" in parsed.targets


def test_a_unit_that_is_not_wanted_any_more_goes() -> None:
    less = replace(BLOCKS, disks=(BLOCKS.disks[0],), labels=MODEL.labels)
    edited = edit_domain(render_domain(BLOCKS, "qemu"), less)
    assert "unit:0:0:1" not in edited
    assert parse_domain(edited) == less


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"vms/web.{ID}.root.raw", f"other/web.{ID}.root.raw"),
        ('name="192.0.2.1" port="3300"', 'name="192.0.2.7" port="3300"'),
        ('username="pextra"', 'username="admin"'),
        ('type="network"', 'type="network" snapshot="external"'),
        (f"/dev/vg0/web.{ID}.lv.raw", f"/dev/vg1/web.{ID}.lv.raw"),
        ('<source pool="targets" volume="unit:0:0:1" />', '<source dev="/dev/sdc" />'),
        (
            'type="file" device="disk"><driver name="qemu" type="qcow2"',
            'type="file" device="disk"><driver name="qemu"',
        ),
    ],
)
def test_what_was_changed_by_hand_is_put_back(before: str, after: str) -> None:
    xml = render_domain(BLOCKS, "qemu")
    assert before in xml
    edited = edit_domain(xml.replace(before, after), BLOCKS)
    assert unordered(parse_domain(edited)) == unordered(BLOCKS)
    assert edit_domain(edited, BLOCKS) == edited


def test_credentials_are_read_where_older_libvirt_writes_them() -> None:
    root = ET.fromstring(render_domain(BLOCKS, "qemu"))
    disk = root.find("devices/disk")
    assert disk is not None
    source = disk.find("source")
    assert source is not None
    auth = source.find("auth")
    assert auth is not None
    source.remove(auth)
    disk.insert(0, auth)
    xml = ET.tostring(root, encoding="unicode")
    assert parse_domain(xml) == BLOCKS
    assert ET.canonicalize(edit_domain(xml, BLOCKS)) == ET.canonicalize(xml)


def test_an_edit_of_a_disk_of_ceph_keeps_what_is_not_ours() -> None:
    xml = render_domain(BLOCKS, "qemu").replace(
        '<host name="192.0.2.1"', '<config file="/etc/ceph/x.conf" /><host name="192.0.2.1"'
    )
    assert "/etc/ceph/x.conf" in edit_domain(xml, replace(BLOCKS, memory=512))


def test_a_disk_may_change_its_kind() -> None:
    files = replace(
        MODEL,
        disks=tuple(
            Disk(target=disk.target, path=f"/srv/web.{ID}.{disk.serial}.qcow2", serial=disk.serial)
            for disk in OF_EACH_KIND
        ),
    )
    edited = edit_domain(render_domain(BLOCKS, "qemu"), files)
    assert disks(parse_domain(edited)) == disks(files)
    assert "auth" not in edited
    back = edit_domain(edited, BLOCKS)
    assert disks(parse_domain(back)) == disks(BLOCKS)
