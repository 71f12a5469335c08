# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was not ours becomes an instance as it is: nothing of it changes but its metadata, whatever it is made of."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import adopted_id, is_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import (
    has_foreign_owner,
    instance_in,
    parse_attached,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.adoption import adopt, describe_stranger
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import parse_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import (
    render_labels,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import URI
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import VmHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, parse_vm
from instance_model import CLUSTER, LOCAL, ROOT_ORGANIZATION, TINY, Guest, Model, acts, step_of, whole
from instance_model import Volume as Stored
from lxml import etree

from .foreign_definitions import KINDS, MAC, UUIDS, Kind, definition

PLAIN = next(kind for kind in KINDS if kind.id == "machine: q35")
BY_ID = {kind.id: kind for kind in KINDS}
ADOPT = Vm(name="old-web", adopt=True)


def model_with(kind: Kind, *, runs: bool, node: str = "node2") -> tuple[Model, Guest]:
    model = Model.fresh()
    for name in ("old-web.qcow2", "data.qcow2", "a.iso"):
        model.nodes[node].pools["local"][name] = Stored(1024, "theirs")
    model.nodes[node].pools["vg0"]["data"] = Stored(512, "theirs")
    return model, model.find(node, definition(kind), runs=runs)


def adopted(kind: Kind, *, runs: bool) -> tuple[Model, Guest]:
    model, guest = model_with(kind, runs=runs)
    plan = model.call(ADOPT)
    assert (plan.refusals, plan.failures) == ((), ()), kind.id
    assert acts(plan) == ["register", "adopt"], kind.id
    model.apply(plan)
    return model, guest


def canonical(xml: str, *, without_ours: bool = False) -> str:
    if without_ours:
        root = ET.fromstring(xml, parser=ET.XMLParser(target=ET.TreeBuilder(insert_comments=True, insert_pis=True)))
        for metadata in root.iter("metadata"):
            for ours in metadata.findall(f"{{{URI}}}instance"):
                metadata.remove(ours)
        xml = ET.tostring(root, encoding="unicode")
    return ET.canonicalize(xml, with_comments=True)


def parsed(element: dict[str, Any]) -> Vm:
    vm, mistakes = parse_vm(element, "")
    assert vm is not None, mistakes
    return vm


def test_there_are_enough() -> None:
    assert len(BY_ID) == len(KINDS) >= 150


def test_they_are_libvirts() -> None:
    """By its schema: a fragment that libvirt knows nothing of would prove nothing."""
    schema = etree.RelaxNG(etree.parse("/usr/share/libvirt/schemas/domain.rng"))
    wrong = [kind.id for kind in KINDS if not schema.validate(etree.fromstring(definition(kind).encode()))]
    assert wrong == []


# What is lost


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_nothing_changes_but_its_metadata(runs: bool) -> None:
    for kind in KINDS:
        _, guest = adopted(kind, runs=runs)
        before = canonical(definition(kind), without_ours=True)
        assert canonical(guest.xml, without_ours=True) == before, kind.id
        assert guest.xml.count(f'"{URI}"') == 1, kind.id
        if runs:
            assert canonical(guest.live_xml or "", without_ours=True) == before, kind.id
        assert guest.power == ("running" if runs else "stopped")


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_nothing_is_left_to_do(runs: bool) -> None:
    """Neither for the call that has adopted it, nor for the element that says what it is."""
    for kind in KINDS:
        model, _ = model_with(kind, runs=runs)
        element = describe_stranger(next(iter(model.have.strangers)), model.have, CLUSTER.name)["element"]
        assert element is not None, kind.id
        for want in (ADOPT, parsed(element)):
            fresh = model.copy()
            plan = fresh.call(want)
            assert acts(plan) == ["register", "adopt"], (kind.id, [str(one) for one in plan.refusals])
            fresh.apply(plan)
            again = fresh.call(want)
            assert (again.effective, again.refusals, again.failures) == ((), (), ()), kind.id
            assert [work.pending for work in again.all] == [()], kind.id
            assert fresh.call(parsed(element)).is_empty, kind.id


EDITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "description": ({"description": "Edited"}, {"description": "Edited"}),
    "memory": ({"memory": 2048}, {"memory": 2048}),
    "a limit": ({"root": Root(further={"limits": {"iops": 500}})}, {"iops": 500}),
}
# Refused, as for any instance: what was divided by hand is divided anew by hand.
DIVIDED = "aspect: cells"


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_an_edit_changes_only_that(runs: bool, edit: str) -> None:
    said, written = EDITS[edit]
    for kind in KINDS:
        model, guest = adopted(kind, runs=runs)
        plan = model.call(replace(Vm(name="old-web"), **said))
        if (kind.id, edit) == (DIVIDED, "memory"):
            assert [problem.what for problem in plan.refusals] == [
                "memory: its definition divides its memory of 1024 MiB among 2 NUMA cells"
            ]
            continue
        assert (plan.refusals, plan.failures) == ((), ()), kind.id
        assert not {"stop", "start", "detach_nic", "detach_disk"} & set(acts(plan)), kind.id
        model.apply(plan)
        assert canonical(guest.xml, without_ours=True) == canonical(definition(kind, **written), without_ours=True), (
            kind.id
        )
        assert model.call(replace(Vm(name="old-web"), **said)).is_empty, kind.id


@pytest.fixture(scope="module")
def driver() -> Iterator[libvirt.virConnect]:
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = libvirt.open("test:///default")
    yield connection
    connection.close()


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_libvirt_changes_nothing_but_the_metadata(driver: libvirt.virConnect, runs: bool) -> None:
    """By the call that adopts. The test driver knows few machines and devices: those that it takes are most."""
    taken = []
    for kind in KINDS:
        model, _ = model_with(kind, runs=False)
        try:
            domain = driver.defineXML(definition(kind))
        except libvirt.libvirtError:
            continue
        try:
            if runs:
                domain.create()
        except libvirt.libvirtError:
            domain.undefine()
            continue
        flags = [libvirt.VIR_DOMAIN_XML_INACTIVE, *([0] if runs else [])]
        before = [domain.XMLDesc(flag) for flag in flags]
        labels = adopt(next(iter(model.have.strangers)), model.have, ROOT_ORGANIZATION.id).domain.config.labels
        where = libvirt.VIR_DOMAIN_AFFECT_CONFIG | (libvirt.VIR_DOMAIN_AFFECT_LIVE if runs else 0)
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, render_labels(labels), "pextra", URI, where)
        after = [domain.XMLDesc(flag) for flag in flags]
        if runs:
            domain.destroy()
        domain.undefine()
        for old, new in zip(before, after, strict=True):
            read = parse_domain(new)
            assert read is not None, kind.id
            assert read.labels == labels, kind.id
            assert _bare(new) == _bare(old), kind.id
        taken.append(kind.id)
    assert len(taken) >= 130, sorted(BY_ID.keys() - set(taken))


def _bare(xml: str) -> str:
    """libvirt makes the element for metadata where there is none."""
    root = ET.fromstring(xml)
    for metadata in root.findall("metadata"):
        for ours in metadata.findall(f"{{{URI}}}instance"):
            metadata.remove(ours)
        if not len(metadata):
            root.remove(metadata)
    return ET.canonicalize(ET.tostring(root, encoding="unicode"), strip_text=True)


# Who it is


def test_a_name_that_is_no_identifier_is_nobodys() -> None:
    volume = f"web.inst-{'Z' * 22}.root.qcow2"
    assert instance_in(volume) is None
    assert not has_foreign_owner(f"<source file='/srv/{volume}'/>")
    own = f"old-web.{adopted_id(UUIDS[1])}.logs.qcow2"
    assert instance_in(own) == adopted_id(UUIDS[1])
    assert parse_attached(own, UUIDS[1]) is None
    assert not has_foreign_owner(f"<uuid>{UUIDS[1]}</uuid><source file='/srv/{own}'/>")
    assert has_foreign_owner(f"<uuid>{UUIDS[0]}</uuid><source file='/srv/{own}'/>")


def test_identifiers_of_any_uuid() -> None:
    for uuid in (*UUIDS, "ffffffff-ffff-4fff-bfff-ffffffffffff", "00000000-0000-0000-0000-000000000001"):
        id_ = adopted_id(uuid)
        assert uuid_of(id_) == uuid
        assert is_id(id_, "instance")
        assert not is_id(id_, "pool")
    assert {len(adopted_id(uuid)) for uuid in UUIDS} == {26, 27}
    # Two identifiers for one UUID would be two instances in one domain.
    assert not is_id("inst-" + "C" * 22)
    assert not is_id("inst-" + "E" * 22)
    assert not is_id("inst-AAAAAAAAAAAAAAAAAAAAAC")
    assert not is_id("pool-AAAAAAAAAAAAAAAAAAAAAB")


def test_who_is_taken() -> None:
    model, guest = adopted(PLAIN, runs=True)
    (row,) = model.rows.values()
    assert (row.id, row.name) == (adopted_id(PLAIN.uuid), "old-web")
    assert row.attributes["memory"] == 1024
    config = guest.config
    assert (config.uuid, config.labels.id) == (PLAIN.uuid, row.id)
    (disk,) = config.disks
    assert (disk.name, disk.serial, disk.target, disk.path) == ("root", "", "vda", "/srv/local/old-web.qcow2")
    (label,) = config.labels.volumes
    assert (label.name, label.pool, label.size, label.path) == ("root", "local", 1024, disk.path)
    assert [(nic.name, nic.mac) for nic in config.labels.nics] == [("nic0", MAC)]


def taken(name: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return (volumes with pools, remarks) of a kind."""
    model, guest = model_with(BY_ID[name], runs=False)
    plan = model.call(ADOPT)
    model.apply(plan)
    assert all(warning.startswith("node2: instance old-web: its ") for warning in plan.warnings)
    told = [
        warning.removeprefix("node2: instance old-web: ").removesuffix("; it stays as it is")
        for warning in plan.warnings
    ]
    return [(one.name, one.pool) for one in guest.config.labels.volumes], told


@pytest.mark.parametrize(
    ("name", "volumes", "remarks"),
    [
        ("disk: second of ours", [("sdb", "local")], []),
        ("disk: volume by name", [("vdi", "local")], []),
        ("disk: on ide", [("hdb", "local")], []),
        ("disk: logical volume", [("vdb", "vg0")], []),
        ("disk: cdrom of ours", [], []),
        ("disk: block", [], ["its disk vdc (/dev/mapper/x) lies in no storage pool of the cluster"]),
        ("disk: directory", [], ["its disk vdd lies in no storage pool of the cluster"]),
        ("disk: foreign ceph", [], ["its disk vdg (other/x) lies in no storage pool of the cluster"]),
        ("disk: below a pool", [], ["its disk vdb (/srv/local/deep/x.qcow2) lies in no storage pool of the cluster"]),
        (
            "disk: twice",
            [],
            [f"its disk {one} (/srv/local/data.qcow2) is used more than once" for one in ("vdb", "vdc")],
        ),
        ("nic: default network", [], ["its NIC 52:54:00:00:01:01 is on no port group of the cluster"]),
        (
            "nic: vlan of its own",
            [],
            ["its NIC 52:54:00:00:01:01 has a VLAN of its own, and follows no port group"],
        ),
        ("nic: bridge of ours", [], ["its NIC 52:54:00:00:01:01 is on no port group of the cluster"]),
    ],
)
def test_what_is_taken_of_it(name: str, volumes: list[tuple[str, str]], remarks: list[str]) -> None:
    assert taken(name) == ([("root", "local"), *volumes], remarks)


SECOND = {"old-web<": "old-two<", MAC: "52:54:00:00:00:77", PLAIN.uuid: "11111111-1111-4111-9111-111111111111"}


def second_of(xml: str) -> str:
    """Return another machine with the same disks."""
    for old, new in SECOND.items():
        xml = xml.replace(old, new)
    return xml


def volumes_of(guest: Guest) -> list[str]:
    return [one.name for one in guest.config.labels.volumes]


def test_what_the_cloud_has_made_is_not_taken() -> None:
    """It would be destroyed with the instance: an image's copy with all that grew from it."""
    model = Model.fresh()
    model.converge(whole(name="web", node="node2", memory=512, image="tiny", root=Root(pool="local")))
    disks = model.guest("web")[1].config.disks
    assert [disk.name for disk in disks] == ["root", "seed"]
    for path in (*(disk.path for disk in disks), f"/srv/local/{TINY.id}.qcow2"):
        fresh = model.copy()
        guest = fresh.find("node2", definition(PLAIN).replace("/srv/local/old-web.qcow2", path))
        plan = fresh.call(ADOPT)
        assert [f"its disk vda ({path}) is a volume of this cloud already; " in one for one in plan.warnings] == [True]
        fresh.apply(plan)
        assert volumes_of(guest) == []


@pytest.mark.parametrize("pool", ["local", "shared"])
def test_one_file_is_not_taken_twice_in_one_call(pool: str) -> None:
    model, guest = model_with(PLAIN, runs=False)
    xml = definition(PLAIN).replace("/srv/local/", f"/srv/{pool}/")
    node = {"local": "node2", "shared": "node1"}[pool]
    model.nodes[node].pools[pool]["old-web.qcow2"] = Stored(1024, "theirs")
    guest.xml = xml
    other = model.find(node, second_of(xml))
    plan = model.call(ADOPT, Vm(name="old-two", adopt=True))
    assert len([one for one in plan.warnings if "old-web.qcow2) is used more than once" in one]) == 2
    model.apply(plan)
    assert (volumes_of(guest), volumes_of(other)) == ([], [])


def test_files_of_one_name_on_two_nodes_are_two() -> None:
    model, guest = model_with(PLAIN, runs=False)
    model.nodes["node1"].pools["local"]["old-web.qcow2"] = Stored(1024, "theirs")
    other = model.find("node1", second_of(definition(PLAIN)))
    for name in ("old-web", "old-two"):
        plan = model.call(Vm(name=name, adopt=True))
        assert plan.warnings == ()
        model.apply(plan)
    assert (volumes_of(guest), volumes_of(other)) == (["root"], ["root"])


def test_nics_with_one_mac_address_are_not_told_apart() -> None:
    model, _ = model_with(PLAIN, runs=False)
    guest = next(iter(model.nodes["node2"].strangers.values()))
    twin = f'<interface type="network"><mac address="{MAC.upper()}"/><source network="default"/></interface>'
    guest.xml = guest.xml.replace("</devices>", f"{twin}</devices>")
    plan = model.call(ADOPT)
    assert plan.warnings == (f"node2: instance old-web: its 2 NICs {MAC} have one MAC address; it stays as it is",)
    model.apply(plan)
    assert guest.config.labels.nics == ()
    assert model.call(ADOPT).is_empty


def test_one_that_boots_from_elsewhere_has_no_root_volume() -> None:
    xml = definition(BY_ID["disk: block"])
    xml = xml.replace('<target dev="vdc" bus="virtio"/>', '<target dev="vdc" bus="virtio"/><boot order="1"/>')
    model, _ = model_with(PLAIN, runs=False)
    model.nodes["node2"].strangers.clear()
    guest = model.find("node2", xml)
    model.apply(model.call(ADOPT))
    assert [one.name for one in guest.config.labels.volumes] == ["vda"]


# What a call says


def refusal(model: Model, want: Vm) -> str:
    plan = model.call(want)
    assert plan.all == ()
    (problem,) = plan.refusals
    return str(problem)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"memory": 2048}, "it is not as declared: memory is 1024, declared 2048"),
        ({"nics": ()}, "nics.nic0.port_group is Production (svswitch1), declared None"),
        ({"power": "running"}, "power is stopped, declared running"),
        ({"autostart": True}, "autostart is False, declared True"),
        ({"root": Root(pool="local", size=2048)}, "root.size is 1024, declared 2048"),
        ({"root": Root(pool="shared")}, "its volume root is in storage pool local, and cannot move to shared"),
        ({"image": "tiny"}, "its root volume was adopted, and begins from no image"),
        ({"volumes": (Volume(name="new", pool="local", size=64),)}, "volumes.new.size is none, declared 64"),
        ({"node": "node1"}, "there is no virtual machine of this name to adopt on node1"),
    ],
)
def test_what_is_otherwise_is_refused(said: dict[str, Any], told: str) -> None:
    model, guest = model_with(PLAIN, runs=False)
    assert told in refusal(model, replace(ADOPT, **said))
    assert guest.xml == definition(PLAIN)
    assert model.rows == {}


def test_what_only_its_labels_say_is_as_declared() -> None:
    model, guest = model_with(BY_ID["nic: second of ours"], runs=True)
    nics = (
        Nic(name="front", mac=MAC, port_group="Production", addresses=("172.20.0.5/24",)),
        Nic(name="back", mac="52:54:00:00:01:01"),
    )
    want = replace(ADOPT, tags=("old",), protected=True, anti_affinity="web", organization="umbrella", nics=nics)
    plan = model.call(want)
    assert acts(plan) == ["register", "adopt"]
    model.apply(plan)
    labels = guest.config.labels
    assert (labels.tags, labels.protected, labels.anti_affinity) == (("old",), True, "web")
    assert [(one.name, one.addresses) for one in labels.nics] == [("front", ("172.20.0.5/24",)), ("back", ())]
    assert model.call(want).is_empty


def test_without_adopt_it_is_never_touched() -> None:
    model, _ = model_with(PLAIN, runs=False)
    told = refusal(model, Vm(name="old-web", memory=512, vcpus=1))
    assert "node2 runs a virtual machine of this name that is not ours" in told
    assert "With adopt: true it becomes an instance as it is." in told


def test_two_of_one_name() -> None:
    model, _ = model_with(PLAIN, runs=False)
    model.find("node1", definition(PLAIN).replace(PLAIN.uuid, "11111111-1111-4111-9111-111111111111"))
    assert "node1 and node2 have a virtual machine of this name" in refusal(model, ADOPT)
    plan = model.call(replace(ADOPT, node="node2"))
    assert acts(plan) == ["register", "adopt"]
    assert [work.node for work in plan.all] == ["node2"]


def test_none_is_made() -> None:
    model = Model.fresh()
    want = replace(ADOPT, memory=512, vcpus=1, root=Root(pool="local", size=64))
    assert "there is no virtual machine of this name to adopt on the nodes of cluster mtl-1" in refusal(model, want)


def test_one_of_ours_is_as_it_was() -> None:
    model = Model.fresh()
    model.converge(Vm(name="old-web", memory=512, vcpus=1))
    assert model.call(ADOPT).is_empty


def test_what_is_not_defined_for_good_is_refused() -> None:
    model, guest = model_with(PLAIN, runs=True)
    guest.persistent = False
    assert "it is defined only until it stops" in refusal(model, ADOPT)


def test_a_container_is_refused() -> None:
    model, guest = model_with(PLAIN, runs=False)
    root = ET.fromstring(guest.xml)
    root.set("type", "lxc")
    guest.xml = ET.tostring(root, encoding="unicode")
    assert "it is a container, and only virtual machines are adopted" in refusal(model, ADOPT)


def test_a_copy_of_an_instance_is_refused() -> None:
    """It bears metadata, and has another UUID than goes with it."""
    model, guest = adopted(PLAIN, runs=False)
    other = "11111111-1111-4111-9111-111111111111"
    copy = guest.xml.replace(PLAIN.uuid, other).replace("old-web</name>", "copy</name>")
    model.find("node1", copy)
    assert "it bears metadata of this cloud" in refusal(model, replace(ADOPT, name="copy"))


def test_a_volume_that_is_not_there() -> None:
    model, _ = model_with(PLAIN, runs=False)
    del model.nodes["node2"].pools["local"]["old-web.qcow2"]
    (problem,) = model.call(ADOPT).failures
    assert "its volume root (/srv/local/old-web.qcow2)" in problem.what


def test_a_killed_run_is_gone_on_with() -> None:
    model, guest = model_with(PLAIN, runs=True)
    model.apply(model.call(ADOPT), parts=1)
    assert len(model.rows) == 1
    assert guest.xml == definition(PLAIN)
    plan = model.call(ADOPT)
    assert acts(plan) == ["adopt"]
    model.apply(plan)
    assert model.call(ADOPT).is_empty


def test_one_that_is_registered_as_another() -> None:
    model, _ = model_with(PLAIN, runs=False)
    model.converge(Vm(name="old", memory=512, vcpus=1, node="node1"))
    row = next(iter(model.rows.values()))
    model.rows[row.id] = replace(row, name="old-web")
    model.nodes["node1"].guests.clear()
    assert "an instance of this name is registered already" in refusal(model, ADOPT)


# Afterwards it is as any other


def test_volumes_come_grow_and_go() -> None:
    model, guest = adopted(BY_ID["disk: second of ours"], runs=True)
    wanted = replace(
        Vm(name="old-web"),
        root=Root(size=2048),
        volumes=(Volume(name="sdb"), Volume(name="logs", pool="shared", size=64)),
    )
    plan = model.call(wanted)
    assert acts(plan) == ["create_volume", "grow_volume", "define", "attach_disk", "label"]
    grown = step_of(plan, "grow_volume").data
    assert (grown["pool"], grown["volume"], grown["target"]) == ("local", "old-web.qcow2", "vda")
    model.apply(plan)
    assert model.call(wanted).is_empty
    assert {disk.name: disk.path for disk in guest.config.disks} == {
        "root": "/srv/local/old-web.qcow2",
        "sdb": "/srv/local/data.qcow2",
        "logs": f"/srv/shared/old-web.{guest.config.labels.id}.logs.qcow2",
    }
    assert guest.xml.count("<serial>WD-1</serial>") == 1
    plan = model.call(replace(wanted, volumes=(Volume(name="logs"),)))
    assert acts(plan) == ["define", "detach_disk", "label"]
    model.apply(plan)
    assert "data.qcow2" in model.nodes["node2"].pools["local"]
    assert "data.qcow2" not in guest.xml


def test_nics_come_and_go_and_others_stay() -> None:
    model, guest = adopted(BY_ID["nic: default network"], runs=True)
    model.nodes["node2"].userspace.add("svswitch1")
    wanted = replace(Vm(name="old-web"), nics=(Nic(name="nic0"), Nic(name="back", port_group="DMZ")))
    plan = model.call(wanted)
    assert acts(plan) == ["define", "attach_nic", "label"]
    model.apply(plan)
    assert model.call(wanted).is_empty
    assert '<source network="default"/>' in guest.xml
    assert [one.port_group for one in guest.config.interfaces] == ["Production", "DMZ"]
    # What it had keeps its checksums, what is new has them where they arrive.
    assert [one.offload for one in guest.config.interfaces] == [True, False]
    model.apply(model.call(replace(wanted, nics=())))
    assert '<source network="default"/>' in guest.xml
    assert guest.config.interfaces == ()
    nics = (Nic(port_group="DMZ", mac="52:54:00:00:01:01"),)
    assert "is that of another NIC of it" in refusal(model, replace(wanted, nics=nics))


def test_a_disk_on_another_bus_has_another_name() -> None:
    model, guest = adopted(BY_ID["disk: on ide"], runs=False)
    model.apply(model.call(replace(Vm(name="old-web"), volumes=(Volume(name="hdb", further={"bus": "sata"}),))))
    assert [(disk.name, disk.target) for disk in guest.config.disks] == [("root", "vda"), ("hdb", "sdb")]


def test_a_disk_that_was_replaced_by_hand() -> None:
    model, guest = adopted(PLAIN, runs=False)
    guest.xml = guest.xml.replace('file="/srv/local/old-web.qcow2"', 'file="/srv/local/old-web.snap1"')
    told = refusal(model, replace(Vm(name="old-web"), root=Root(size=2048)))
    assert "its root was adopted as /srv/local/old-web.qcow2, which is no disk of its definition any more" in told


def test_it_moves_only_with_all_of_it() -> None:
    model, _ = adopted(BY_ID["disk: block"], runs=False)
    told = refusal(model, Vm(name="old-web", node="node1"))
    assert "its disk vdc is no volume of the cloud" in told
    model, _ = adopted(BY_ID["disk: empty cdrom"], runs=False)
    assert "is no volume of the cloud" not in refusal(model, Vm(name="old-web", node="node1"))
    model, _ = adopted(BY_ID["nic: user"], runs=False)
    assert "its NIC 52:54:00:00:01:01 is on no port group" in refusal(model, Vm(name="old-web", node="node1"))


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_it_moves_with_all_of_it(runs: bool) -> None:
    model, _ = model_with(PLAIN, runs=False)
    model.nodes["node2"].strangers.clear()
    model.nodes["node2"].pools["shared"]["old-web.qcow2"] = Stored(1024, "theirs")
    guest = model.find("node2", definition(PLAIN).replace("/srv/local/", "/srv/shared/"), runs=runs)
    before = canonical(guest.xml)
    model.apply(model.call(ADOPT))
    plan = model.call(Vm(name="old-web", node="node1"))
    assert acts(plan) == ["register", "move", "settle"]
    model.apply(plan)
    node, moved = model.guest("old-web")
    assert (node, moved.power) == ("node1", "running" if runs else "stopped")
    assert canonical(moved.xml, without_ours=True) == canonical(before, without_ours=True)
    assert model.call(replace(ADOPT, node="node1")).is_empty


def test_its_end() -> None:
    model, _ = adopted(BY_ID["disk: second of ours"], runs=False)
    plan = model.call(Vm(name="old-web", state="absent"))
    assert acts(plan) == ["undefine", "unregister"]
    plan = model.call(Vm(name="old-web", state="absent"), remove_volumes=True)
    assert acts(plan) == ["undefine", "delete_volume", "delete_volume", "unregister"]
    assert plan.all[0].loses == ("volume data.qcow2 in local", "volume old-web.qcow2 in local")


def test_it_is_given_back_by_its_metadata() -> None:
    """As docs/adoption.md says: without metadata it is nobody's, and the cloud forgets it."""
    model, guest = adopted(PLAIN, runs=True)
    node = model.nodes["node2"]
    del node.guests[PLAIN.uuid]
    guest.xml = guest.live_xml = definition(PLAIN)
    node.strangers[PLAIN.uuid] = guest
    # A volume that the cloud has made for it stays attached to it.
    (row,) = model.rows.values()
    made = f"old-web.{row.id}.data.qcow2"
    node.pools["local"][made] = Stored(1024, "made by the cloud")
    (refusal,) = model.call(Vm(name="old-web", state="absent"), remove_volumes=True).refusals
    assert refusal.what == (
        f"node2 has a virtual machine of this name that is not ours, and it may use volume {made} in local"
    )
    assert acts(model.call(Vm(name="old-web", state="absent"))) == ["unregister"]
    del node.pools["local"][made]
    plan = model.call(Vm(name="old-web", state="absent"), remove_volumes=True)
    assert acts(plan) == ["unregister"]
    assert plan.all[0].loses == ()
    model.apply(plan)
    assert model.rows == {}


def test_one_that_was_given_back_with_a_device_is_taken_again_with_it() -> None:
    """What it has itself, no other has; what another has, it cannot have."""
    device = (
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x65' slot='0x00' "
        "function='0x0'/></source><alias name='ua-pextra-gpu'/></hostdev></devices>"
    )
    for holder in ("old-web", "other"):
        model, guest = model_with(PLAIN, runs=False)
        guest.xml = guest.xml.replace("</devices>", device)
        model.nodes["node2"].lent = {"pci 0000:65:00.0": holder}
        plan = model.call(ADOPT)
        if holder == "other":
            assert "pci 0000:65:00.0 is that of virtual machine other" in str(plan.refusals[0])
            continue
        assert (plan.refusals, acts(plan)) == ((), ["register", "adopt"])
        assert f"device {model.have.nodes['node2'].row.id} pci 0000:65:00.0" in plan.works[0].takes


def test_what_is_told_of_strangers() -> None:
    model, guest = model_with(BY_ID["nic: default network"], runs=True)
    have: VmHave = model.have
    told = describe_stranger(have.strangers[0], have, CLUSTER.name)
    element = told["element"]
    assert {key: value for key, value in element.items() if not isinstance(value, dict | list)} == {
        "name": "old-web",
        "cluster": "mtl-1",
        "adopt": True,
        "architecture": "x86_64",
        "io_threads": 0,
        "memory": "1 GiB",
        "memory_max": "1 GiB",
        "vcpus": 2,
        "vcpus_max": 2,
        "autostart": False,
    }
    assert element["root"]["pool"] == "local"
    assert element["root"]["size"] == "1 GiB"
    assert [(nic["name"], nic["port_group"], nic["mac"]) for nic in element["nics"]] == [("nic0", "Production", MAC)]
    assert told["remarks"] == ["its NIC 52:54:00:00:01:01 is on no port group of the cluster"]
    guest.persistent = False
    have = model.have
    told = describe_stranger(have.strangers[0], have, CLUSTER.name)
    assert told["element"] is None
    assert "it is defined only until it stops" in told["remarks"][0]


def test_pools_are_those_of_the_node() -> None:
    model, _ = model_with(PLAIN, runs=False)
    del model.nodes["node2"].pools[LOCAL.name]
    told = model.call(ADOPT)
    assert told.warnings == (
        "node2: instance old-web: its disk vda (/srv/local/old-web.qcow2) lies in no storage pool of the cluster; it "
        "stays as it is",
    )


@pytest.mark.parametrize(
    ("place", "with_thread"),
    [
        ("</devices>", '<controller type="scsi" index="0" model="virtio-scsi"><driver iothread="4"/></controller>'),
        ("<devices>", '<cputune><iothreadpin iothread="4" cpuset="0"/></cputune>'),
    ],
)
def test_threads_that_a_hand_gave_away_stay(place: str, with_thread: str) -> None:
    """libvirt would refuse the definition, after all else was done."""
    model, guest = model_with(PLAIN, runs=False)
    guest.xml = guest.xml.replace(place, with_thread + place)
    guest.xml = guest.xml.replace("<devices>", "<iothreads>4</iothreads><devices>")
    model.apply(model.call(ADOPT))
    told = refusal(model, Vm(name="old-web", further={"io_threads": 2}))
    assert "io_threads: a device or a pin of its definition has thread 4, and it is to have 2 of them" in told
    assert acts(model.call(Vm(name="old-web", further={"io_threads": 6}))) == ["define"]
