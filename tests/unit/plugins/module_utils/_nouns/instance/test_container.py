# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of the type lxc: what they are, what they become, and what they cannot have."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_container import render_filler
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    FIELDS,
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import Model, acts

BOX = Vm(
    name="box",
    type="lxc",
    image="files",
    root=Root(pool="local"),
    memory=64,
    vcpus=1,
    nics=(Nic(port_group="Production", addresses=("172.20.0.8/24",), gateway="172.20.0.1"),),
)
CONSENT = {"force_stop": True, "remove_volumes": True}


@pytest.fixture
def model() -> Model:
    made = Model.fresh()
    made.nodes["node2"].containers = True
    return made


def refusal(model: Model, want: Vm, **consent: bool) -> str:
    (problem,) = model.call(want, **consent).refusals
    return problem.what


def test_it_is_made_where_containers_are(model: Model) -> None:
    plan = model.converge(BOX)
    node, guest = model.guest("box")
    root = ET.fromstring(guest.xml)
    assert node == "node2"
    assert acts(plan) == ["register", "create_volume", "settle", "define", "autostart", "start", "settle"]
    assert root.get("type") == "lxc"
    assert root.findtext("os/init") == "/sbin/init"
    assert [one.attrib for one in root.iterfind("idmap/*")] == [
        {"start": "0", "target": "1000000", "count": "65536"}
    ] * 2
    assert root.find("features/privnet") is not None
    assert root.findtext("memory") == "64"
    assert (root.findtext("cputune/period"), root.findtext("cputune/quota")) == ("100000", "100000")
    (tree,) = root.iterfind("devices/filesystem")
    source = tree.find("source")
    assert source is not None
    assert source.get("dir") == f"/srv/local/box.{guest.config.labels.id}.root.dir/rootfs"
    (nic,) = root.iterfind("devices/interface")
    assert [one.attrib for one in nic.iterfind("ip")] == [{"family": "ipv4", "address": "172.20.0.8", "prefix": "24"}]
    (route,) = nic.iterfind("route")
    assert route.get("gateway") == "172.20.0.1"
    assert list(root.iterfind("devices/disk")) == []
    assert model.rows[guest.config.labels.id].attributes["type"] == "lxc"


def test_nobody_has_the_driver() -> None:
    (problem,) = Model.fresh().plan(BOX).refusals
    assert "it has no containers (pextra_containers: true would give them to it)" in problem.what


@pytest.mark.parametrize("image", ["tiny", "huge"])
def test_a_disk_is_no_image_of_a_container(model: Model, image: str) -> None:
    assert "and a container begins from files" in refusal(model, replace(BOX, image=image))


def test_files_are_no_image_of_a_machine(model: Model) -> None:
    assert "holds the files of a container (tar), and is no disk" in refusal(model, replace(BOX, type="qemu"))


@pytest.mark.parametrize("pool", ["ceph", "vg0", "tank", "san"])
def test_files_lie_in_directories(model: Model, pool: str) -> None:
    assert "the files of a container lie in a pool of type directory" in refusal(
        model, replace(BOX, root=Root(pool=pool))
    )


def test_limits_change_while_it_runs(model: Model) -> None:
    model.converge(BOX)
    plan = model.converge(replace(BOX, memory=96, vcpus=2))
    assert acts(plan) == ["register", "define", "plug", "plug"]
    assert all(change.when == "live" for work in plan.works for change in work.changes)
    _, guest = model.guest("box")
    assert guest.live is not None
    assert (guest.live.memory, guest.live.vcpus) == (96, 2)
    assert ET.fromstring(guest.xml).findtext("cputune/quota") == "200000"


NICS = {
    "gateway": {"gateway": "172.20.0.2"},
    "addresses": {"addresses": ("172.20.0.9/24",)},
    "port_group": {"port_group": "DMZ"},
}


@pytest.mark.parametrize("what", NICS)
def test_nics_wait_for_its_next_start(model: Model, what: str) -> None:
    model.converge(BOX)
    (nic,) = BOX.nics or ()
    other = replace(BOX, nics=(replace(nic, **NICS[what]),))
    first = model.plan(other)
    model.apply(first)
    assert set(acts(first)) <= {"define", "label"}
    (work,) = model.plan(other).works
    assert [change.field for change in work.pending] == [f"nics.nic0.{what}"]
    plan = model.converge(other, allow_restart=True)
    assert acts(plan) == ["register", "stop", "start", "settle"]
    _, guest = model.guest("box")
    assert guest.live is not None
    assert guest.live.interfaces == guest.config.interfaces


@pytest.mark.parametrize(
    ("named", "is_"),
    [
        ({"gateway": "172.20.0.2"}, ("fe80::2", "172.20.0.2")),
        ({"gateway": "fe80::1"}, ("172.20.0.1", "fe80::1")),
        ({"gateway6": "fe80::1"}, ("172.20.0.1", "fe80::1")),
        ({"gateway": ""}, ("fe80::2",)),
        ({"gateway6": ""}, ("172.20.0.1",)),
        ({}, ("172.20.0.1", "fe80::2")),
    ],
)
def test_it_has_one_gateway_of_each_family(model: Model, named: dict[str, str], is_: tuple[str, ...]) -> None:
    (nic,) = BOX.nics or ()
    model.converge(replace(BOX, nics=(replace(nic, gateway6="fe80::2"),)))
    model.apply(model.call(Vm(name="box", nics=(Nic(name="nic0", **named),))))
    (interface,) = model.guest("box")[1].config.interfaces
    assert interface.gateways == is_


def test_one_more_nic_waits_as_well(model: Model) -> None:
    model.converge(BOX)
    more = replace(BOX, nics=(*(BOX.nics or ()), Nic(port_group="DMZ")))
    model.apply(model.plan(more))
    (work,) = model.plan(more).works
    assert [change.field for change in work.pending] == ["nics.nic1.port_group"]


def test_what_a_call_does_not_name_stays(model: Model) -> None:
    model.converge(BOX)
    _, before = model.guest("box")
    xml = before.xml
    plan = model.call(Vm(name="box", tags=("a",)))
    model.apply(plan)
    _, after = model.guest("box")
    assert after.config.interfaces == parse(xml).interfaces
    assert after.config.labels.tags == ("a",)
    assert acts(model.call(Vm(name="box", nics=(Nic(name="nic0"),)))) == []


def parse(xml: str) -> Any:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import parse_domain

    return parse_domain(xml)


def test_it_goes_with_its_files(model: Model) -> None:
    model.converge(BOX)
    gone = Vm(name="box", state="absent")
    assert "what is left of it could not be used" in refusal(model, gone, force_stop=True)
    plan = model.call(gone, **CONSENT)
    (work,) = plan.works
    assert work.loses == (f"volume box.{work.id}.root.dir in local",)
    model.apply(plan)
    assert model.volumes("node2", "local") == {}
    assert model.rows == {}


def test_another_image_begins_again(model: Model) -> None:
    model.converge(BOX)
    other = replace(model.members[model.members.index(next(row for row in model.members if row.name == "files"))])
    fresh = replace(other, id="img-DDDDDDDDDDDDDDDDDDDDD", name="newer")
    model.members.append(fresh)
    for node in model.nodes.values():
        node.pools["local"][f"{fresh.id}.raw"] = node.pools["local"]["img-CCCCCCCCCCCCCCCCCCCCC.raw"]
    plan = model.plan(replace(BOX, image="newer"), force_stop=True)
    assert acts(plan) == ["register", "stop", "delete_tree", "create_volume", "define", "start", "settle"]
    model.apply(plan)
    assert model.plan(replace(BOX, image="newer")).effective == ()


def test_it_does_not_move(model: Model) -> None:
    model.converge(BOX)
    assert "it is a container, and containers stay on their node" in refusal(model, Vm(name="box", node="node1"))


def test_what_it_is_it_stays(model: Model) -> None:
    model.converge(BOX)
    assert refusal(model, Vm(name="box", type="qemu")) == "it is a container, and cannot become a virtual machine"
    machine = Vm(name="web", image="tiny", root=Root(pool="local"))
    model.converge(machine)
    assert refusal(model, Vm(name="web", type="lxc")) == "it is a virtual machine, and cannot become a container"


def test_wherever_a_run_is_cut_the_next_one_completes_it(model: Model) -> None:
    for want, consent in ((BOX, {}), (replace(BOX, memory=96, vcpus=2), {}), (Vm(name="box", state="absent"), CONSENT)):
        parts = model.copy().apply(model.plan(want, **consent))
        for part in range(parts):
            cut = model.copy()
            cut.apply(cut.plan(want, **consent), parts=part)
            cut.converge(want, **consent)
        model.converge(want, **consent)


UNSUITED: dict[str, Any] = {
    "tpm": {"model": "tpm-crb"},
    "firmware": {"type": "efi"},
    "cpu": {"model": "Nehalem"},
    "graphics": {"type": "vnc"},
    "on_crash": "stop",
    "vcpus_max": 2,
    "volumes": [{"name": "data", "pool": "local", "size": "1 GiB"}],
    "cloud_init": {"user_data": "#!/bin/sh"},
}


def test_what_it_cannot_have_is_refused_by_name_and_all_at_once() -> None:
    raw = {"name": "box", "type": "lxc", "image": "files", **UNSUITED}
    raw["root"] = {"pool": "local", "size": "1 GiB", "bus": "scsi"}
    raw["power"] = "paused"
    raw["nics"] = [{"port_group": "Production", "queues": 2, "nameservers": ["192.0.2.1"]}]
    vm, mistakes = parse_vm(raw, "")
    assert vm is not None
    assert mistakes == []
    found = {mistake.path for mistake in find_mistakes_within(vm, "")}
    assert found == {
        *(UNSUITED.keys() - {"cloud_init"}),
        *("cloud_init.user_data", "power", "root.size", "root.bus", "nics[0].queues", "nics[0].nameservers"),
    }


def test_what_a_document_fills_in_is_no_mistake() -> None:
    from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import parse as parse_fields
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import make_vm

    raw = {
        "name": "box",
        "type": "lxc",
        "image": "files",
        "root": {"pool": "local"},
        "nics": [{"port_group": "Production"}],
    }
    values, mistakes = parse_fields(FIELDS, raw, "", whole=True)
    assert mistakes == []
    assert find_mistakes_within(make_vm(**values), "") == []


def test_no_option_of_a_running_machine_is_taken_by_name_only(model: Model) -> None:
    model.converge(BOX)
    assert refusal(model, Vm(name="box", further={"tpm": {"model": "tpm-crb"}})).startswith("tpm is nothing that")


def test_the_helper_sees_its_volume_and_no_network() -> None:
    instance = new_id("instance")
    root = ET.fromstring(render_filler("box", instance, "/srv/local/x.dir", "/srv/local/img.raw"))
    assert root.findtext("name") == f"pextra-{instance}"
    assert [one.text for one in root.iterfind("os/initarg")] == ["fill", "box"]
    assert root.find("features/privnet") is not None
    assert root.find("idmap/uid") is not None
    mounts = {
        one.findall("target")[0].get("dir"): (one.findall("source")[0].get("dir"), one.find("readonly") is not None)
        for one in root.iterfind("devices/filesystem")
    }
    assert mounts["/volume"] == ("/srv/local/x.dir", False)
    assert mounts["/image"] == ("/srv/local/img.raw", True)
    assert [target for target, (_, is_read_only) in mounts.items() if not is_read_only] == ["/", "/volume"]
