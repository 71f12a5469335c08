# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances end to end, from options to what libvirt has, on the test driver and a registry in SQLite."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import libvirt
import pycdlib
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import HypervisorError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import image_volume
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Work, step_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.apply import apply
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import Interface, parse_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.acts import AttachNic
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import render_volume
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm_info

from .conftest import ASSOCIATIONS, IMAGE, NODES, VSWITCH, Module, Result

WEB: Result = {
    "name": "web",
    "image": "tiny",
    "memory": "256 MiB",
    "root": {"pool": "shared", "size": "1 GiB"},
    "nics": [{"port_group": "Production", "addresses": ["172.20.0.11/24"]}],
    "node": "node1",
}


def numbered(number: int) -> Result:
    """Return one of several, with an address of its own."""
    nics = [{"port_group": "Production", "addresses": [f"172.20.0.{20 + number}/24"]}]
    return {**WEB, "name": f"web-{number}", "nics": nics}


DATA = {"name": "data", "pool": "shared", "size": "64 MiB"}


@pytest.fixture
def converge(module: Module) -> Module:
    """Run it, see that it changed something, and that again it does not."""

    def run(**options: Any) -> Result:
        result = module(**options)
        assert not result.get("failed"), result["msg"]
        assert result["changed"]
        again = module(**options, _ansible_check_mode=True, _ansible_diff=True)
        assert not again["changed"], again
        assert again["actions"] == []
        return result

    return run


def raw(cloud: Cloud, node: str, name: str = "web") -> libvirt.virDomain:
    return cloud.hypervisor(node)._connection.lookupByName(name)


def volumes(cloud: Cloud, node: str, pool: str = "shared") -> set[str]:
    return {name for name in cloud.hypervisor(node).volume_names(pool) if not name.startswith("img-")}


def test_an_instance_is_made(converge: Module, small_cloud: Cloud) -> None:
    result = converge(**WEB, volumes=[DATA], tags=["front"], description="Front & 'back'")
    vm = result["vm"]
    assert {key: vm[key] for key in ("name", "node", "power", "vcpus", "memory", "image", "autostart", "tags")} == {
        "name": "web",
        "node": "node1",
        "power": "running",
        "vcpus": 1,
        "memory": 256,
        "image": "tiny",
        "autostart": True,
        "tags": ["front"],
    }
    assert [(volume["name"], volume["size"]) for volume in vm["volumes"]] == [("root", 1024), ("data", 64)]
    (nic,) = vm["nics"]
    assert (nic["vswitch"], nic["port_group"], nic["addresses"]) == ("svswitch1", "Production", ["172.20.0.11/24"])
    domain = raw(small_cloud, "node1")
    assert (domain.isActive(), domain.autostart(), domain.UUIDString()) == (1, 1, uuid_of(vm["id"]))
    assert {name.split(".", 2)[2].split("-")[0] for name in volumes(small_cloud, "node1")} == {
        *("root.qcow2", "data.qcow2", "seed")
    }
    (row,) = small_cloud.registry.rows("instance")
    assert (row.id, row.name) == (vm["id"], "web")
    assert "power" not in row.attributes


def test_since_when_it_is_there_and_runs(converge: Module, module: Module, small_cloud: Cloud) -> None:
    made = converge(**WEB)["vm"]
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", made["created"])
    assert (made["started"] >= made["created"], made["uptime_s"] < 60) == (True, True)
    domain = raw(small_cloud, "node1")
    assert "urn:pextra:run:1" in domain.XMLDesc()
    assert "urn:pextra:run:1" not in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    # What is changed while it runs leaves it.
    converge(name="web", tags=["front"])
    (told,) = module(pextra_vm_info.main)["vms"]
    assert (told["created"], told["started"]) == (made["created"], made["started"])
    # Somebody else stops and starts it: nobody knows when that was.
    domain.destroy()
    (told,) = module(pextra_vm_info.main)["vms"]
    assert (told["started"], told["uptime_s"]) == (None, None)
    domain.create()
    (told,) = module(pextra_vm_info.main)["vms"]
    assert (told["created"], told["started"], told["uptime_s"]) == (made["created"], None, None)


def test_guests_are_asked_where_that_is_wanted(module: Module, small_cloud: Cloud) -> None:
    """libvirt's test driver has no addresses for NICs on bridged networks, and so this one has none."""
    for name, power in (("web", "running"), ("other", "running"), ("off", "stopped")):
        assert module(name=name, memory="64 MiB", node="node1", power=power)["changed"]
    asked = []
    hypervisor = small_cloud.hypervisor("node1")
    read_guest = hypervisor.read_guest
    hypervisor.read_guest = lambda uuid, label: asked.append(label) or read_guest(uuid, label)  # type: ignore[method-assign,func-returns-value]
    told = {one["name"]: one for one in module(pextra_vm_info.main, guests=True, names=["web", "off"])["vms"]}
    assert {name: one["guest_interfaces"] for name, one in told.items()} == {"web": [], "off": None}
    assert asked == ["instance web"]
    told = {one["name"]: one for one in module(pextra_vm_info.main)["vms"]}
    assert (len(told), asked) == (3, ["instance web"])
    assert "guest_interfaces" not in told["web"]


def test_the_seed_is_what_the_guest_reads(converge: Module, small_cloud: Cloud) -> None:
    converge(**WEB, cloud_init={"hostname": "www"})
    ((name, image),) = small_cloud.hypervisor("node1").uploaded.items()  # type: ignore[attr-defined]
    assert ".seed-" in name
    opened, content = pycdlib.PyCdlib(), io.BytesIO()
    opened.open_fp(io.BytesIO(image))
    opened.get_file_from_iso_fp(content, joliet_path="/meta-data")
    assert b'local-hostname: "www"' in content.getvalue()


def test_what_is_protected_stays(converge: Module, module: Module, small_cloud: Cloud) -> None:
    converge(**WEB, volumes=[DATA], protected=True)
    before, (row,) = volumes(small_cloud, "node1"), small_cloud.registry.rows("instance")
    assert row.attributes["protected"] is True
    every = {"state": "absent", "force_stop": True, "remove_volumes": True, "confirm": "DESTROY"}
    for options in (every, {**every, "_ansible_check_mode": True}, {**every, "protected": False}):
        refused = module(name="web", **options)
        assert refused["failed"]
        remedy = "Set protected: false in a run of its own first."
        assert f"instance web: it is protected, and cannot be removed. {remedy}" in refused["msg"]
    domain = raw(small_cloud, "node1")
    assert domain.isActive()
    assert all('protected="true"' in domain.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE))
    assert volumes(small_cloud, "node1") == before
    assert not module(**WEB, volumes=[DATA])["changed"], "what a call does not name stays"

    assert converge(name="web", protected=False)["vm"]["protected"] is False
    assert not any("protected=" in domain.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE))
    assert small_cloud.registry.rows("instance")[0].attributes.get("protected") is None


def test_a_screen_has_a_password_that_is_not_told(converge: Module, module: Module, small_cloud: Cloud) -> None:
    first, other = "a password of SPICE", "and another one of it"
    screen = {"type": "spice", "listen": "management", "password": first}
    every = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE

    def passwords(flags: int) -> list[str]:
        return re.findall("passwd='([^']*)'", raw(small_cloud, "node1").XMLDesc(flags))

    def shown(**options: Any) -> Result:
        result, again = module(**options, _ansible_diff=True), module(**options)
        assert (result.get("msg"), result["changed"], again["changed"]) == (None, True, False)
        return result

    told = [shown(**{**WEB, "power": "stopped"}, graphics=screen)]
    assert passwords(every) == [first]
    assert "defaultMode='secure'" in raw(small_cloud, "node1").XMLDesc(every)
    for options in ({"graphics": {"password": other}}, {"memory": "512 MiB"}, {"description": "With a screen"}):
        told.append(shown(name="web", **options))
        assert passwords(every) == [other]
    assert [(one["before"], one["after"]) for one in told[1]["changes"]] == [("another one", "as declared")]
    (diff,) = told[1]["diff"]
    assert (diff["before"], diff["after"]) == ("graphics.password: another one\n", "graphics.password: as declared\n")
    assert converge(name="web", power="running")["vm"]["graphics"] == {
        "type": "spice",
        "listen": small_cloud.nodes["node1"].address,
    }
    told.append(module(pextra_vm_info.main))
    assert "password" not in told[-1]["vms"][0]["graphics"]
    assert [secret for secret in (first, other) if secret in str(told)] == []
    assert passwords(every) == passwords(libvirt.VIR_DOMAIN_XML_SECURE) == [other]
    converge(name="web", power="stopped")
    converge(name="web", graphics={"listen": "loopback", "password": ""})
    assert passwords(every) == []


@pytest.mark.parametrize("power", ["running", "paused", "stopped"])
def test_power(converge: Module, small_cloud: Cloud, power: str) -> None:
    converge(**WEB, power=power)
    assert small_cloud.hypervisor("node1").power_of(raw(small_cloud, "node1").UUIDString(), "") == power
    other = {"running": "stopped", "paused": "running", "stopped": "paused"}[power]
    converge(**WEB, power=other)
    assert small_cloud.hypervisor("node1").power_of(raw(small_cloud, "node1").UUIDString(), "") == other


def test_memory_waits_for_a_restart(converge: Module, module: Module, small_cloud: Cloud) -> None:
    converge(**WEB)
    more = WEB | {"memory": "512 MiB"}
    waits = {
        "kind": "instance",
        "name": "web",
        "node": "node1",
        "option": "memory",
        "before": 256,
        "after": 512,
        "when": "next_boot",
    }
    checked = module(**more, _ansible_check_mode=True)
    result = module(**more, _ansible_diff=True)
    for told in (checked, result):
        assert (told["changes"], told["pending"]) == ([waits], [waits])
    assert "+" not in result["diff"][0]["before"]
    assert "memory: 256 MiB" in result["diff"][0]["before"]
    again = module(**more)
    assert (again["changed"], again["changes"], again["pending"]) == (False, [], [waits])
    converge(**more, allow_restart=True)
    assert module(**more)["pending"] == []
    assert raw(small_cloud, "node1").info()[1] == 512 * 1024


@pytest.mark.parametrize(("power", "plugged"), [("running", "hot_plug"), ("stopped", "next_boot")])
def test_each_change_says_when_it_takes_effect(
    converge: Module, module: Module, small_cloud: Cloud, power: str, plugged: str
) -> None:
    converge(**WEB, power=power)
    wanted = {"name": "web", "tags": ["front"], "description": "Front", "rng": {"source": "random"}}
    wanted |= {"nics": [*WEB["nics"], {"port_group": "Production"}]}
    before = raw(small_cloud, "node1").XMLDesc()
    checked = module(**wanted, _ansible_check_mode=True)
    assert raw(small_cloud, "node1").XMLDesc() == before
    told = {one["option"]: (one["before"], one["after"], one["when"]) for one in checked["changes"]}
    assert told["tags"] == (None, ["front"], "live")
    assert told["description"] == (None, "Front", "live")
    assert (told["nics.nic1.port_group"][0], told["nics.nic1.port_group"][2]) == (None, plugged)
    assert told["rng.source"][1:] == ("random", plugged)
    if power == "running":
        return  # libvirt's test driver plugs nothing
    done = module(**wanted)
    assert (done.get("msg"), done["changes"]) == (None, checked["changes"])
    again = module(**wanted)
    assert (again["changed"], again["changes"]) == (False, [])


def test_labels_reach_the_running_guest(converge: Module, small_cloud: Cloud) -> None:
    converge(**WEB)
    for tags in (["a"], ["a", "b"], []):
        converge(**WEB, tags=tags)
        live = parse_domain(raw(small_cloud, "node1").XMLDesc())
        assert live is not None
        assert list(live.labels.tags) == tags


def test_drift_is_named_and_mended(converge: Module, module: Module, small_cloud: Cloud) -> None:
    """By hand: another memory in the definition, autostart off, and the guest stopped."""
    options = WEB | {"power": "running", "autostart": True}
    converge(**options)
    domain = raw(small_cloud, "node1")
    domain.destroy()
    domain.setAutostart(0)
    small_cloud.hypervisor("node1")._connection.defineXML(domain.XMLDesc().replace(">262144<", ">131072<"))
    result = module(**options, _ansible_check_mode=True, _ansible_diff=True)
    assert result["diff"][0]["before"].splitlines() == [
        "memory: 128 MiB   (next boot)",
        "autostart: no",
        "power: stopped",
    ]
    converge(**options)
    assert (domain.isActive(), domain.autostart(), domain.maxMemory()) == (1, 1, 256 * 1024)


def test_undefined_by_hand(converge: Module, small_cloud: Cloud) -> None:
    vm = converge(**WEB)["vm"]
    before = volumes(small_cloud, "node1")
    raw(small_cloud, "node1").destroy()
    raw(small_cloud, "node1").undefine()
    lifetime = ("created", "started", "uptime_s")
    assert converge(**WEB)["vm"].items() >= {key: vm[key] for key in vm if key not in lifetime}.items()
    assert volumes(small_cloud, "node1") == before


def test_what_others_have_put_there_stays(converge: Module, small_cloud: Cloud) -> None:
    converge(**WEB, power="stopped")
    connection = small_cloud.hypervisor("node1")._connection
    xml = raw(small_cloud, "node1").XMLDesc().replace("<vcpu", "<title>Mine</title><vcpu")
    xml = xml.replace("</devices>", "<watchdog model='i6300esb' action='reset'/></devices>")
    connection.defineXML(xml)
    converge(**WEB | {"memory": "512 MiB"}, power="stopped", volumes=[DATA])
    after = raw(small_cloud, "node1").XMLDesc()
    assert "<title>Mine</title>" in after
    assert "i6300esb" in after


def test_a_stopped_instance_moves(converge: Module, small_cloud: Cloud) -> None:
    converge(**WEB, power="stopped")
    result = converge(**WEB | {"node": "node2"}, power="running")
    assert result["vm"]["node"] == "node2"
    assert raw(small_cloud, "node2").isActive()
    assert [record.name for record in small_cloud.hypervisor("node1").domains()] == []


def test_growth(converge: Module, small_cloud: Cloud) -> None:
    converge(**WEB, power="stopped", volumes=[DATA])
    converge(**WEB, power="stopped", volumes=[DATA | {"size": "128 MiB"}])
    hypervisor = small_cloud.hypervisor("node1")
    (name,) = (name for name in volumes(small_cloud, "node1") if ".data." in name)
    assert hypervisor.volume_size("shared", name) == 128 * 1024**2


@pytest.mark.parametrize(("mode", "size"), [("copy", "64 MiB"), ("copy", "1 GiB"), ("overlay", "1 GiB")])
def test_root_volumes(converge: Module, small_cloud: Cloud, mode: str, size: str) -> None:
    converge(**WEB | {"root": {"pool": "local", "size": size, "mode": mode}})
    (name,) = (name for name in volumes(small_cloud, "node1", "local") if ".root." in name)
    expected = {"64 MiB": 64, "1 GiB": 1024}[size]
    assert small_cloud.hypervisor("node1").volume_size("local", name) == expected * 1024**2


def test_removal(converge: Module, module: Module, small_cloud: Cloud) -> None:
    converge(**WEB, volumes=[DATA])
    result = module(name="web", state="absent")
    assert "it is running; only a stopped instance can be removed" in result["msg"]
    result = module(name="web", state="absent", force_stop=True, remove_volumes=True)
    assert "set confirm: DESTROY" in result["msg"]
    assert raw(small_cloud, "node1").isActive()
    result = converge(name="web", state="absent", force_stop=True, remove_volumes=True, confirm="DESTROY")
    assert result["vm"] is None
    assert volumes(small_cloud, "node1") == set()
    assert small_cloud.registry.rows("instance") == []
    assert small_cloud.hypervisor("node1").domains() == []


@pytest.mark.parametrize("known", ["not at all", "as another"])
def test_a_foreign_pool_of_a_name_of_ours_is_not_used(module: Module, small_cloud: Cloud, known: str) -> None:
    """The pool `local` is ours on node1. On node2 somebody else has one that is called so."""
    (theirs,) = [one for one in ASSOCIATIONS if one.resource == "pool-" + "A" * 21 and one.node == NODES[1].id]
    if known == "not at all":
        small_cloud.registry.dissociate(theirs.resource, theirs.node)
    else:
        small_cloud.registry.associate([replace(theirs, attributes={**theirs.attributes, "internal_id": None})])
    local = {"root": {"pool": "local", "size": "1 GiB"}}
    refused = module(**WEB | local | {"node": "node2"})
    assert "storage pool local is not available there" in refused["msg"]
    for number in (1, 2, 3):  # otherwise they are spread
        assert module(**numbered(number) | local | {"node": None})["vm"]["node"] == "node1"
    assert volumes(small_cloud, "node2", "local") == set()
    assert module(**WEB | {"node": "node2"})["vm"]["node"] == "node2"


def test_a_foreign_network_of_a_name_of_ours_is_not_used(module: Module, small_cloud: Cloud) -> None:
    small_cloud.registry.put([replace(VSWITCH, attributes={"nodes": [NODES[0].id]})])
    refused = module(**WEB | {"node": "node2"})
    assert "port group Production needs svswitch1, which is not there" in refused["msg"]
    for number in (1, 2, 3):
        assert module(**numbered(number) | {"node": None})["vm"]["node"] == "node1"
    assert module(**WEB | {"node": "node2", "nics": []})["vm"]["node"] == "node2"


def test_foreign_machines_are_not_touched(converge: Module, module: Module, small_cloud: Cloud) -> None:
    connection = small_cloud.hypervisor("node1")._connection
    connection.defineXML("<domain type='test'><name>web</name><memory>1024</memory><os><type>hvm</type></os></domain>")
    before = raw(small_cloud, "node1").XMLDesc()
    assert "runs a virtual machine of this name that is not ours" in module(**WEB)["msg"]
    assert module(name="web", state="absent", force_stop=True)["changed"] is False
    assert raw(small_cloud, "node1").XMLDesc() == before
    converge(**WEB | {"name": "other"})
    assert raw(small_cloud, "node1").XMLDesc() == before


def let_run(cloud: Cloud, ratio: float) -> None:
    """Set how many virtual CPUs the cluster allows for each thread."""
    (row,) = cloud.registry.rows("cluster")
    ratios = {"vcpus_per_thread": ratio, "vcpus_per_thread_warn": 1.0}
    cloud.registry.put([replace(row, attributes={**row.attributes, **ratios})])


@pytest.mark.parametrize("check", [False, True])
def test_a_node_runs_so_many_virtual_cpus_for_each_thread(
    module: Module, converge: Module, small_cloud: Cloud, check: bool
) -> None:
    """It has 4 threads. Those of a machine that is not ours count while it runs."""
    theirs = "<domain type='test'><name>{}</name><memory>1024</memory><vcpu>{}</vcpu><os><type>hvm</type></os></domain>"
    connection = small_cloud.hypervisor("node1")._connection
    connection.defineXML(theirs.format("off", 16))
    connection.createXML(theirs.format("on", 11))
    converge(**WEB, vcpus=4, power="stopped")
    before = raw(small_cloud, "node1").XMLDesc()
    let_run(small_cloud, 3.5)
    refused = module(name="web", power="running", _ansible_check_mode=check)
    assert refused["failed"]
    assert "node1 has no room for it: it has 11 virtual CPUs in use of the 14 for its 4 threads" in refused["msg"]
    assert "(vcpus_per_thread is 3.5), 4 more needed" in refused["msg"]
    assert "raise vcpus_per_thread of cluster mtl-1" in refused["msg"]
    assert raw(small_cloud, "node1").XMLDesc() == before
    let_run(small_cloud, 3.75)
    result = module(name="web", power="running", _ansible_check_mode=check)
    assert result["changed"]
    # Ansible tells the warnings of all calls of one process.
    (warning,) = [text for text in result["warnings"] if "threads" in str(text)]
    assert "node1: 15 virtual CPUs are to run on its 4 threads, more than 1 for each" in str(warning)
    assert bool(raw(small_cloud, "node1").isActive()) is not check


def test_the_others_are_finished(module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """One volume cannot be made."""
    vms = [numbered(n) | {"node": f"node{n % 2 + 1}"} for n in range(4)]
    real = Hypervisor.create_volume

    def create(self: Hypervisor, pool: str, xml: str, resource: str) -> None:
        if "web-2" in resource:
            raise HypervisorError([Problem("No space left on device", "", self.node, resource)])
        real(self, pool, xml, resource)

    monkeypatch.setattr(Hypervisor, "create_volume", create)
    result = module(vms=vms)
    assert result["failed"]
    assert [(error["node"], error["what"]) for error in result["errors"]] == [("node1", "No space left on device")]
    assert [vm["power"] for vm in result["vms"]] == ["running", "running", "undefined", "running"]


def test_a_node_that_does_not_answer(module: Module, converge: Module, small_cloud: Cloud) -> None:
    vms = [numbered(n) | {"node": f"node{n}"} for n in (1, 2)]
    converge(vms=vms)
    small_cloud.unreachable["node2"] = Problem("it does not answer", "Check it.", "node2")
    result = module(vms=[vm | {"tags": ["x"]} for vm in vms])
    assert result["failed"]
    assert result["changed"]
    assert result["msg"] == "node2: instance web-2: it does not answer. Check it."
    assert [(vm["power"], vm["node"]) for vm in result["vms"]] == [("running", "node1"), ("unknown", "node2")]
    small_cloud.unreachable.clear()
    converge(vms=[vm | {"tags": ["x"]} for vm in vms])


def test_a_killed_run_is_finished(module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before each of its acts in turn, and run again each time: one instance, each volume made once."""
    acts: list[str] = []
    real = VmResource.apply

    def apply(self: VmResource, cloud: Cloud, work: Any, step: Any) -> None:
        if step.act != "register" and step.act not in acts:
            acts.append(step.act)
            raise KeyboardInterrupt
        real(self, cloud, work, step)

    monkeypatch.setattr(VmResource, "apply", apply)
    options = WEB | {"volumes": [DATA]}
    for _ in range(20):
        try:
            result = module(**options)
        except KeyboardInterrupt:
            continue
        break
    assert acts == ["create_volume", "write_seed", "grow_volume", "define", "autostart", "start", "settle"]
    assert not result["changed"] or result["vm"]["power"] == "running"
    assert raw(small_cloud, "node1").isActive()
    assert len(volumes(small_cloud, "node1")) == 3
    assert len(small_cloud.registry.rows("instance")) == 1
    assert module(**options)["changed"] is False


def test_info(converge: Module, module: Module, small_cloud: Cloud) -> None:
    converge(vms=[numbered(n) | {"name": name} for n, name in enumerate(("a", "b"))])
    result = module(pextra_vm_info.main)
    assert [vm["name"] for vm in result["vms"]] == ["a", "b"]
    assert [vm["name"] for vm in module(pextra_vm_info.main, names=["b"])["vms"]] == ["b"]
    small_cloud.unreachable["node1"] = Problem("it does not answer", "Check it.", "node1")
    result = module(pextra_vm_info.main)
    assert [vm["power"] for vm in result["vms"]] == ["unknown", "unknown"]
    assert [problem["node"] for problem in result["unreachable_nodes"]] == ["node1"]


def test_a_thousand(module: Module, calls: Any) -> None:
    """Without a change: a fixed number of lists for each node, and one definition for each instance."""
    vms = [{"name": f"web-{n}", "memory": "1 MiB", "power": "stopped", "autostart": False} for n in range(1000)]
    vms = [vm | {"memory": "32 MiB", "nics": [{"port_group": "DMZ"}]} for vm in vms]
    assert len(module(vms=vms)["actions"]) == 1000
    calls.clear()
    assert module(vms=vms)["changed"] is False
    remote = calls.remote
    assert remote.pop("virDomainGetXMLDesc") == 1000
    assert remote.pop("virConnectListAllDomains") == 12
    assert sum(remote.values()) <= 2 * 20, remote


def test_a_description_is_the_running_guests_at_once(converge: Module, small_cloud: Cloud) -> None:
    converge(**WEB, description="Front")
    domain = raw(small_cloud, "node1")

    def described() -> list[str]:
        texts = (domain.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE))
        return [text for xml in texts for text in re.findall("<description>(.*)</description>", xml)]

    converge(name="web", description="Back")
    assert described() == ["Back", "Back"]
    kind, live = libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, libvirt.VIR_DOMAIN_AFFECT_LIVE
    domain.setMetadata(kind, "by hand", None, None, live)
    assert described() == ["by hand", "Back"]
    converge(name="web", description="Back")
    assert described() == ["Back", "Back"]
    converge(name="web", description="")
    assert described() == []


def test_several_nouns_read_the_domains_once_until_somebody_decides(
    module: Module, small_cloud: Cloud, calls: Any
) -> None:
    assert module(**WEB)["changed"]

    def seen() -> int:
        calls.clear()
        return len(VmResource().read(small_cloud, (), Options({})).domains)

    with small_cloud.reading_once():
        assert (seen(), calls["virDomainGetXMLDesc"]) == (1, 2)
        assert (seen(), calls["virDomainGetXMLDesc"]) == (1, 0)
        raw(small_cloud, "node1").destroy()
        raw(small_cloud, "node1").undefine()
        small_cloud.registry.bump_revision()
        small_cloud.refresh_nodes()
        assert seen() == 0
    assert module(**WEB)["changed"]


def copied(xml: str) -> str:
    """What people do by hand: the definition of an instance under another name and UUID."""
    return re.sub(r"<uuid>.*?</uuid>", "<uuid>3f0c1e2a-0000-4000-8000-000000000001</uuid>", xml).replace(
        "<name>web</name>", "<name>copy</name>"
    )


def test_a_copy_by_hand_is_not_ours(module: Module, converge: Module, small_cloud: Cloud) -> None:
    converge(**WEB)
    connection = small_cloud.hypervisor("node1")._connection
    connection.defineXML(copied(raw(small_cloud, "node1").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)))
    before = raw(small_cloud, "node1", "copy").XMLDesc()
    result = module(name="copy", state="absent", force_stop=True)
    assert not result.get("failed"), result["msg"]
    assert not result["changed"]
    assert "a copy made by hand, which is not ours" in str(result["warnings"]), result
    assert raw(small_cloud, "node1", "copy").XMLDesc() == before
    assert raw(small_cloud, "node1").isActive()
    assert [vm["name"] for vm in module(pextra_vm_info.main)["vms"]] == ["web"]


def test_an_instance_that_was_renamed_by_hand_is_said(module: Module, converge: Module, small_cloud: Cloud) -> None:
    converge(**WEB, power="stopped")
    xml = raw(small_cloud, "node1").XMLDesc()
    raw(small_cloud, "node1").undefine()
    small_cloud.hypervisor("node1")._connection.defineXML(xml.replace("<name>web</name>", "<name>other</name>"))
    result = module(**WEB)
    assert result["failed"]
    assert "it is registered as web" in result["msg"]
    assert "virsh domrename other web" in result["msg"]
    assert raw(small_cloud, "node1", "other").XMLDesc() == xml.replace("<name>web</name>", "<name>other</name>")


def test_an_instance_that_was_renamed_by_hand_takes_its_room(
    module: Module, converge: Module, small_cloud: Cloud
) -> None:
    converge(**WEB, power="stopped", vcpus=4)
    xml = raw(small_cloud, "node1").XMLDesc()
    raw(small_cloud, "node1").undefine()
    connection = small_cloud.hypervisor("node1")._connection
    connection.defineXML(xml.replace("<name>web</name>", "<name>other</name>")).create()
    let_run(small_cloud, 1.0)
    assert "it has 4 virtual CPUs in use of the 4 for its 4 threads" in module(**numbered(1))["msg"]


def test_a_domain_that_cannot_be_understood_stands_in_nobodys_way(
    module: Module, converge: Module, small_cloud: Cloud
) -> None:
    converge(**WEB)
    converge(**WEB | {"name": "db", "nics": []}, power="stopped")
    xml = raw(small_cloud, "node1", "db").XMLDesc()
    small_cloud.hypervisor("node1")._connection.defineXML(xml.replace('size="1024"', 'size="1 GiB"'))
    assert not module(**WEB)["changed"]
    # What was written there by hand is no size: it is written anew.
    converge(**WEB | {"name": "db", "nics": []}, power="stopped")
    assert "1 GiB" not in raw(small_cloud, "node1", "db").XMLDesc()


def test_only_a_call_that_names_nics_asks_the_switches(converge: Module, module: Module, small_cloud: Cloud) -> None:
    converge(**WEB)
    bridges: Any = small_cloud._databases["node1"]
    bridges.names.append("svswitch1")
    before = bridges.asked
    for named in ({"name": "web", "description": "x"}, {"name": "web", "nics": []}, {"name": "no", "state": "absent"}):
        module(**named, _ansible_check_mode=True)
    assert bridges.asked == before
    # What is not named stays as it is, whatever the switch is by now.
    converge(name="web", description="y")
    assert "csum" not in raw(small_cloud, "node1").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    module(**WEB)
    assert bridges.asked > before


def test_in_userspace_a_guest_computes_its_checksums(converge: Module, module: Module, small_cloud: Cloud) -> None:
    converge(**WEB)
    assert "csum" not in raw(small_cloud, "node1").XMLDesc()
    small_cloud._databases["node1"].names.append("svswitch1")  # type: ignore[attr-defined]
    result = module(**WEB)
    assert [one["option"] for one in result["pending"]] == ["nics.nic0.offload"]
    domain = raw(small_cloud, "node1")
    assert "<host csum='off'" in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    again = module(**WEB)
    assert (again["changed"], len(again["pending"])) == (False, 1)
    converge(**WEB, allow_restart=True)
    assert module(**WEB)["pending"] == []


def test_discs_and_devices_of_the_node_are_defined(converge: Module, small_cloud: Cloud) -> None:
    """libvirt keeps the aliases that they are told by, and takes an empty drive as well."""
    disc = replace(IMAGE, id=new_id("image"), name="disc")
    copies = {"kind": "iso", "format": "raw", "copies": IMAGE.attributes["copies"]}
    small_cloud.registry.put([replace(disc, attributes={**IMAGE.attributes, **copies})])
    volume = image_volume(disc.id, "raw")
    small_cloud.hypervisor("node1").create_volume("shared", render_volume(volume, 1024**2, "raw"), "")
    drives = [{"name": "installer", "image": "disc", "boot_order": 1}, {"name": "drivers", "bus": "scsi"}]
    given = [{"name": "gpu", "pci": "0000:65:00.0"}, {"name": "dongle", "usb": "046d:c52b"}]
    result = converge(**WEB, power="stopped", cdroms=drives, host_devices=given)
    assert result["vm"]["cdroms"] == [
        {"name": "installer", "image": "disc", "pool": "shared", "bus": "sata", "boot_order": 1},
        {"name": "drivers", "image": None, "pool": None, "bus": "scsi"},
    ]
    xml = raw(small_cloud, "node1").XMLDesc(0)
    assert re.findall(r"<alias name='(ua-[^']*)'", xml) == ["ua-pextra-gpu", "ua-pextra-dongle"]
    assert f"/{volume}'/>" in xml
    assert "qemu-xhci" in xml
    converge(name="web", cdroms=[{"name": "installer", "image": ""}], host_devices=given[1:])
    xml = raw(small_cloud, "node1").XMLDesc(0)
    assert volume not in xml
    assert re.findall(r"<alias name='(ua-[^']*)'", xml) == ["ua-pextra-dongle"]


def test_virtual_cpus_are_pinned_one_by_one(converge: Module, module: Module, small_cloud: Cloud) -> None:
    converge(**WEB, vcpus=2, vcpus_max=3)
    domain = raw(small_cloud, "node1")

    def pins(flags: int = 0) -> list[tuple[str, str]]:
        return re.findall(r"<vcpupin vcpu='(\d)' cpuset='([^']*)'/>", domain.XMLDesc(flags))

    pinned = [{"vcpu": 1, "threads": [3, 0]}, {"vcpu": 0, "threads": [2]}]
    result = converge(name="web", pinning={"each_vcpu": pinned})
    assert result["pending"] == []
    assert pins() == pins(libvirt.VIR_DOMAIN_XML_INACTIVE) == [("0", "2"), ("1", "0,3")]
    assert result["vm"]["pinning"]["each_vcpu"] == [{"vcpu": 0, "threads": [2]}, {"vcpu": 1, "threads": [0, 3]}]
    fewer = module(name="web", pinning={"each_vcpu": pinned[:1]})
    assert [change["option"] for change in fewer["pending"]] == ["pinning.each_vcpu"]
    assert pins() == [("0", "2"), ("1", "0,3")]
    assert pins(libvirt.VIR_DOMAIN_XML_INACTIVE) == [("1", "0,3")]
    for each, what in (
        ({"vcpu": 3, "threads": [0]}, "virtual CPU 3 is pinned, and it can have 3 of them, from 0 on"),
        ({"vcpu": 0, "threads": []}, "pinning.each_vcpu[0].threads: are none, and it has to run somewhere"),
    ):
        assert what in module(name="web", pinning={"each_vcpu": [each]})["msg"]
    assert pins(libvirt.VIR_DOMAIN_XML_INACTIVE) == [("1", "0,3")]


def test_memory_that_its_node_cannot_read_is_defined(converge: Module, small_cloud: Cloud) -> None:
    """libvirt's schema takes it: no host of the lab has a processor for it."""
    encrypted = {"type": "sev", "policy": 7}
    locked = {"firmware": {"type": "efi"}, "memory_backing": {"locked": True}}
    result = converge(**WEB, **locked, launch_security=encrypted, power="stopped")
    domain = raw(small_cloud, "node1")
    xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert re.search(r"<launchSecurity type='sev'>\s*<policy>0x0007</policy>\s*</launchSecurity>", xml)
    small_cloud.hypervisor("node1")._connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    assert result["vm"]["launch_security"] == encrypted
    converge(name="web", launch_security={"type": "none"})
    assert "launchSecurity" not in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)


def test_a_nic_that_has_come_meanwhile_is_not_plugged_in_again(
    converge: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that an earlier run has left alone is done when QEMU goes on; libvirt would take the address twice."""
    attached: list[str] = []
    monkeypatch.setattr(libvirt.virDomain, "attachDeviceFlags", lambda _, xml, __: attached.append(xml))
    vm = converge(**WEB, power="running")["vm"]
    mac = vm["nics"][0]["mac"]
    work = Work(kind="instance", name="web", id=vm["id"], node="node1", steps=())
    step = step_of(AttachNic(Interface(mac=mac, network="svswitch1", port_group="Production")), "attach the NIC")
    list(apply(small_cloud, work, step) or ())
    assert attached == []
    monkeypatch.setattr(Hypervisor, "live_xml_of", lambda *_: "<domain><devices/></domain>")
    list(apply(small_cloud, work, step) or ())
    assert [xml.count(mac) for xml in attached] == [1]
