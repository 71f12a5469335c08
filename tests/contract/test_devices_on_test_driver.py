# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of nodes, from what libvirt tells of them to definitions that its schema takes: the lab has none to give."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt import devices
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.node_devices import parse_devices
from node_device_texts import GPU_HOST, SRIOV_HOST, net, pci

from . import conftest
from .conftest import HOST, Module, Result
from .test_vm_on_test_driver import WEB, converge, raw

__all__ = ["converge"]

SPARE = [pci("pci_0000_04_00_0", "computer", "04:00.0", "8086:1521"), net("enp4s0", "pci_0000_04_00_0", "down")]
DEVICES = [*GPU_HOST, *SRIOV_HOST, *SPARE]
UUID = "c2177883-f1bb-47f0-914d-32a22e3a8804"


@pytest.fixture(autouse=True)
def nodes_with_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both nodes."""
    monkeypatch.setattr(conftest, "HOST", HOST.replace("</node>", f"{''.join(DEVICES)}</node>"))


class Guest:
    """What the test driver has no calls for: it plugs nothing. A running definition is exchanged, and the other one put
    beside it again. lets_go: whether the guest does what it is asked for.
    """

    lets_go = True

    def plug(self, driver: Hypervisor, uuid: str, text: str, *, is_new: bool) -> None:
        domain = driver._connection.lookupByUUIDString(uuid)
        root, config = ET.fromstring(driver.live_xml_of(uuid)), driver.config_xml_of(uuid)
        devices, wanted = root.find("devices"), ET.fromstring(text)
        assert devices is not None
        name = wanted.find("alias").get("name")  # type: ignore[union-attr]
        there = [one for one in devices.findall("hostdev") if one.find(f"alias[@name='{name}']") is not None]
        assert bool(there) is not is_new, f"{name} comes or goes twice"
        if not is_new and not self.lets_go:
            return
        devices.append(wanted) if is_new else devices.remove(there[0])
        domain.destroy()
        driver._connection.defineXML(ET.tostring(root, encoding="unicode")).create()
        driver._connection.defineXML(config)


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch) -> Guest:
    """A guest into which devices can be plugged, and which lets go of them."""
    made = Guest()

    def attach(driver: Hypervisor, uuid: str, text: str, _: str, *, live: bool, config: bool) -> None:
        assert (live, config) == (True, False)
        made.plug(driver, uuid, text, is_new=True)

    def detach(driver: Hypervisor, uuid: str, text: str, _: str, *, live: bool, config: bool) -> None:
        assert (live, config) == (True, False)
        made.plug(driver, uuid, text, is_new=False)

    monkeypatch.setattr(conftest.Driver, "attach_device", attach)
    monkeypatch.setattr(conftest.Driver, "detach_device", detach)
    monkeypatch.setattr(devices, "_RELEASE_LIMIT_S", 0.5)
    return made


def given(cloud: Cloud) -> tuple[list[str], list[str]]:
    """Return the devices of the running guest, and of its definition, by their names."""
    domain = raw(cloud, "node1")
    texts = domain.XMLDesc(), domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    live, config = (sorted(re.findall(r"<alias name='ua-pextra-([^']*)'", text)) for text in texts)
    return live, config


def named(name: str, *devices: Result, **more: Any) -> Result:
    return {**WEB, "name": name, "nics": [], "power": "stopped", "host_devices": list(devices), **more}


def validate(cloud: Cloud, name: str = "web") -> None:
    """Let libvirt look at a definition by its schema: it takes much without that."""
    domain = raw(cloud, "node1", name)
    connection = cloud.hypervisor("node1")._connection
    connection.defineXMLFlags(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)


def test_libvirt_tells_them_as_they_are_read(small_cloud: Cloud) -> None:
    """The texts of the unit tests are what libvirt writes, too."""
    texts = small_cloud.hypervisor("node1").devices()
    assert texts is not None
    assert parse_devices(texts) == parse_devices(DEVICES)
    assert len(parse_devices(texts)) == 10


def test_what_is_chosen_is_defined_and_kept(converge: Module, module: Module, small_cloud: Cloud) -> None:
    wanted = [
        {"name": "gpu", "pci_model": "10de:2204"},
        {"name": "sound", "pci_model": "10de:1aef"},
        {"name": "vgpu", "mdev_type": "nvidia-63"},
        {"name": "nic", "pci": "0000:04:00.0"},
    ]
    result = converge(**named("web", *wanted))
    validate(small_cloud)
    xml = raw(small_cloud, "node1").XMLDesc()
    aliases = [f"ua-pextra-{one['name']}" for one in wanted]
    assert re.findall(r"<alias name='(ua-[^']*)'", xml) == aliases
    assert f"<address uuid='{UUID}'/>" in xml
    assert "type='mdev' managed='no' model='vfio-pci'" in xml
    told = {one["name"]: one["pci"] or one["mdev"] for one in result["vm"]["host_devices"]}
    assert told == {"gpu": "0000:65:00.0", "sound": "0000:65:00.1", "vgpu": UUID, "nic": "0000:04:00.0"}
    refused = module(**named("other", wanted[2]))
    assert refused["failed"]
    assert f"mdev {UUID}: given to instance web" in refused["msg"]
    refused = module(**named("other", {"name": "gpu", "pci_model": "10de:2230"}))
    assert "pci 0000:c1:00.0: divided into mediated devices" in refused["msg"]
    with pytest.raises(libvirt.libvirtError):
        raw(small_cloud, "node1", "other")


def test_a_resource_pool_of_the_cluster(converge: Module, module: Module, small_cloud: Cloud) -> None:
    (cluster,) = small_cloud.registry.rows("cluster")
    pool = {"name": "gpus", "pci_model": "10de:2204", "numa": 1, "memory": 24576}
    small_cloud.registry.put([replace(cluster, attributes={**cluster.attributes, "resource_pools": [pool]})])
    converge(**named("web", {"name": "gpu", "resource_pool": "gpus"}))
    assert "bus='0xb1'" in raw(small_cloud, "node1").XMLDesc()
    refused = module(**named("other", {"name": "gpu", "resource_pool": "fpgas"}))
    assert 'cluster mtl-1 has no resource pool "fpgas". There are the resource pools gpus.' in refused["msg"]


@pytest.mark.parametrize("power", ["stopped", "running"])
def test_a_virtual_function_is_a_nic(converge: Module, module: Module, small_cloud: Cloud, power: str) -> None:
    row = next(row for row in small_cloud.registry.rows("port_group") if row.name == "DMZ")
    small_cloud.registry.put([replace(row, attributes={**row.attributes, "vlan": 42})])
    fast = {"name": "fast", "port_group": "DMZ", "sr_iov": "enp3s0f0", "addresses": ["172.20.0.12/24"]}
    nics = [*WEB["nics"], fast]
    result = converge(**{**WEB, "nics": nics}, power=power)
    validate(small_cloud)
    nic = result["vm"]["nics"][1]
    assert {key: nic[key] for key in ("name", "sr_iov", "function", "port_group", "vswitch")} == {
        "name": "fast",
        "sr_iov": "enp3s0f0",
        "function": "0000:03:02.0",
        "port_group": "DMZ",
        "vswitch": "svswitch1",
    }
    xml = raw(small_cloud, "node1").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    found = re.search(r"<interface type='hostdev' managed='yes'>.*?</interface>", xml, re.DOTALL)
    assert found is not None
    assert f"<mac address='{nic['mac']}'/>" in found[0]
    assert "<tag id='42'/>" in found[0]
    refused = module(**named("other", {"name": "vf0", "pci": "0000:03:02.0"}))
    assert "its device pci 0000:03:02.0 is given to instance web" in refused["msg"]
    converge(**{**WEB, "nics": [*WEB["nics"], {**fast, "sr_iov": ""}]}, power=power)
    assert "hostdev" not in raw(small_cloud, "node1").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)


def test_a_node_without_that_nic(module: Module, small_cloud: Cloud) -> None:
    refused = module(**{**WEB, "nics": [{"port_group": "Production", "sr_iov": "enp9s0"}]})
    assert "it cannot be there: for nics.nic0 it has no NIC enp9s0" in refused["msg"]
    assert small_cloud.registry.rows("instance") == []


def test_an_uplink_is_not_given_away_though_its_link_is_down(
    converge: Module, module: Module, small_cloud: Cloud
) -> None:
    """Neither one that a switch has, nor one that is registered."""
    want = named("web", {"name": "nic", "pci_model": "8086:1521"})
    bridges: Any = small_cloud._databases["node1"]
    bridges.names.append("enp4s0")
    assert "pci 0000:04:00.0: needed by the node itself" in module(**want)["msg"]
    bridges.names.clear()
    row = next(row for row in small_cloud.registry.rows("vswitch"))
    small_cloud.registry.put([replace(row, attributes={"uplinks": ["enp3s0f0", "enp4s0"]})])
    assert "pci 0000:04:00.0: needed by the node itself" in module(**want)["msg"]
    small_cloud.registry.put([row])
    converge(**want)


def test_what_a_strange_machine_has_is_not_given(module: Module, small_cloud: Cloud) -> None:
    address = "<address domain='0' bus='4' slot='0' function='0'/>"
    device = f"<hostdev mode='subsystem' type='pci' managed='yes'><source>{address}</source></hostdev>"
    xml = (
        f"<domain type='test'><name>old</name><memory>1024</memory><os><type>hvm</type></os><devices>{device}</devices>"
    )
    small_cloud.hypervisor("node1")._connection.defineXML(f"{xml}</domain>")
    refused = module(**named("web", {"name": "nic", "pci_model": "8086:1521"}))
    assert "pci 0000:04:00.0: given to virtual machine old, which is not the cloud's" in refused["msg"]


NIC = {"name": "nic", "pci": "0000:04:00.0"}
VGPU = {"name": "vgpu", "mdev_type": "nvidia-63"}


def test_devices_come_and_go_while_it_runs(converge: Module, guest: Guest, small_cloud: Cloud) -> None:
    converge(**named("web", power="running"))
    for wanted in ([NIC], [VGPU, NIC], [VGPU], [{**NIC, "name": "vgpu"}], []):
        result = converge(name="web", host_devices=wanted)
        assert result["pending"] == []
        assert given(small_cloud) == (names := sorted(one["name"] for one in wanted), names)
        validate(small_cloud)
    assert raw(small_cloud, "node1").isActive()


def test_a_check_tells_what_would_be_plugged(module: Module, small_cloud: Cloud) -> None:
    module(**named("web", power="running"))
    told = module(name="web", host_devices=[NIC], _ansible_check_mode=True)
    assert [one for one in told["actions"] if "host device" in str(one)] != []
    assert given(small_cloud) == ([], [])


def test_a_guest_that_does_not_let_go_keeps_it_from_others(
    converge: Module, module: Module, guest: Guest, small_cloud: Cloud
) -> None:
    converge(**named("web", NIC, power="running"))
    guest.lets_go = False
    for _ in range(2):
        told = module(name="web", host_devices=[])
        assert "the guest did not let go of the host device nic within 0.5 s" in told["msg"]
        assert given(small_cloud) == (["nic"], [])
        assert "is given to instance web" in module(**named("other", NIC))["msg"]
    guest.lets_go = True
    converge(name="web", host_devices=[])
    converge(**named("other", NIC))


def test_what_libvirt_does_not_plug_is_told_and_there_at_the_next_start(
    converge: Module, module: Module, small_cloud: Cloud
) -> None:
    """The test driver plugs nothing."""
    converge(**named("web", power="running"))
    for _ in range(2):
        told = module(name="web", host_devices=[NIC])
        assert "attach a device: " in told["msg"]
        assert told["msg"].endswith("it gets it when it is stopped and started again.")
        assert given(small_cloud) == ([], ["nic"])
        assert "is given to instance web" in module(**named("other", NIC))["msg"]
    converge(name="web", power="stopped", force_stop=True)
    converge(name="web", power="running")
    assert given(small_cloud) == (["nic"], ["nic"])
    assert not module(name="web", host_devices=[NIC])["changed"]


def test_usb_and_groups_wait_for_the_next_start(converge: Module, guest: Guest, small_cloud: Cloud) -> None:
    converge(**named("web", power="running"))
    for wanted in ([{"name": "dongle", "usb": "046d:c52b"}], [{"name": "gpu", "pci_model": "10de:2204"}]):
        result = converge(name="web", host_devices=wanted)
        assert [one["option"] for one in result["pending"]] == ["host_devices"]
        assert given(small_cloud) == ([], [one["name"] for one in wanted])
    converge(name="web", host_devices=wanted, allow_restart=True, force_stop=True)
    assert given(small_cloud) == (["gpu"], ["gpu"])
