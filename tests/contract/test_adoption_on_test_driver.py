# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before becomes instances, end to end, on the test driver and a registry in SQLite."""

from __future__ import annotations

import re
from dataclasses import replace

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import render_volume
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm_info

from .conftest import ASSOCIATIONS, NODES, VSWITCH, Module, Result

UUID = "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1a01"
MAC = "52:54:00:00:00:01"
OURS = re.compile(r"\s*<instance xmlns=.urn:pextra.*?</instance>", re.DOTALL)
ADOPT: Result = {"name": "old-web", "adopt": True}


def let_there_be(cloud: Cloud, node: str = "node2", uuid: str = UUID, *, runs: bool = True) -> libvirt.virDomain:
    """Let a node have a machine with a disk in the pool `local`, one in none, a NIC on a port group and one on none."""
    hypervisor = cloud.hypervisor(node)
    if "old-web.qcow2" not in hypervisor.volume_names("local"):
        hypervisor.create_volume("local", render_volume("old-web.qcow2", 3 * 1024**3 // 2, "qcow2"), "")
    path = hypervisor.volume_path("local", "old-web.qcow2")
    domain = hypervisor._connection.defineXML(
        f"<domain type='test'><name>old-web</name><uuid>{uuid}</uuid><metadata><a:b xmlns:a='urn:a'>1</a:b></metadata>"
        "<memory unit='MiB'>256</memory><vcpu>1</vcpu><os><type>hvm</type></os><devices>"
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
        "<target dev='vda' bus='virtio'/><serial>WD-1</serial></disk>"
        "<disk type='file' device='disk'><source file='/srv/other.raw'/><target dev='vdb' bus='virtio'/></disk>"
        f"<interface type='network'><mac address='{MAC}'/><source network='svswitch1' portgroup='Production'/>"
        "<model type='virtio'/></interface>"
        "<interface type='user'><mac address='52:54:00:00:00:02'/></interface><input type='tablet' bus='usb'/>"
        "</devices></domain>"
    )
    if runs:
        domain.create()
    return domain


def texts(domain: libvirt.virDomain) -> list[str]:
    """Return the definition and what runs, without our metadata."""
    return [OURS.sub("", domain.XMLDesc(flags)) for flags in (libvirt.VIR_DOMAIN_XML_INACTIVE, 0)]


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_it_becomes_an_instance_as_it_is(module: Module, small_cloud: Cloud, runs: bool) -> None:
    domain = let_there_be(small_cloud, runs=runs)
    before, id_ = texts(domain), domain.ID()
    (told,) = module(pextra_vm_info.main, foreign=True)["foreign"]
    path = small_cloud.hypervisor("node2").volume_path("local", "old-web.qcow2")
    assert (told["name"], told["node"], told["uuid"]) == ("old-web", "node2", UUID)
    assert told["remarks"] == [
        "its disk vdb (/srv/other.raw) lies in no storage pool of the cluster",
        "its NIC 52:54:00:00:00:02 is on no port group of the cluster",
    ]
    element = told["element"]
    assert (element["root"]["pool"], element["root"]["size"]) == ("local", "1536 MiB")
    assert module(pextra_vm_info.main)["foreign"] == []

    check = module(**ADOPT, _ansible_check_mode=True, _ansible_diff=True)
    assert (check["changed"], check["actions"]) == (True, ["instance old-web on node2: register, adopt"])
    assert "adopted" in check["diff"][0]["after"]
    assert (texts(domain), small_cloud.registry.rows("instance")) == (before, [])

    result = module(**element)
    assert not result.get("failed"), result
    assert result["actions"] == ["instance old-web on node2: register, adopt"]
    assert len(re.findall("it stays as it is", str(result["warnings"]))) == 2
    assert result["vm"]["element"] == element
    assert (result["vm"]["uuid"], result["vm"]["node"]) == (UUID, "node2")
    assert result["vm"]["volumes"][0]["name"] == "root"
    for flags in [libvirt.VIR_DOMAIN_AFFECT_CONFIG, *([libvirt.VIR_DOMAIN_AFFECT_LIVE] if runs else [])]:
        labels = domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "urn:pextra:instance:1", flags)
        assert path in labels
        assert domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "urn:a", flags)
    assert (texts(domain), domain.ID()) == (before, id_)
    for options in (element, ADOPT, {"name": "old-web"}):
        again = module(**options)
        assert (again["changed"], again["actions"], again["pending"]) == (False, [], [])
    assert module(pextra_vm_info.main, foreign=True)["foreign"] == []


def test_from_then_on_it_is_any_other(module: Module, small_cloud: Cloud) -> None:
    domain = let_there_be(small_cloud, runs=False)
    module(**ADOPT)
    change = {
        "name": "old-web",
        "description": "An old server",
        "memory": "512 MiB",
        "root": {"size": "2 GiB", "limits": {"iops": 500}},
        "volumes": [{"name": "logs", "pool": "shared", "size": "64 MiB"}],
        "tags": ["old"],
    }
    result = module(**change)
    assert not result.get("failed"), result["msg"]
    again = module(**change)
    assert (again["changed"], again["pending"]) == (False, [])
    config = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert "<memory unit='KiB'>524288</memory>" in config
    assert "<serial>WD-1</serial>" in config
    assert "<total_iops_sec>500</total_iops_sec>" in config
    assert "/srv/other.raw" in config
    assert '<a:b xmlns:a="urn:a">1</a:b>' in config
    assert "<input type='tablet' bus='usb'/>" in config
    assert small_cloud.hypervisor("node2").volume_size("local", "old-web.qcow2") == 2 * 1024**3
    assert any(name.endswith(".logs.qcow2") for name in small_cloud.hypervisor("node2").volume_names("shared"))


def test_an_edit_keeps_the_password_of_its_screen(module: Module, small_cloud: Cloud) -> None:
    """libvirt tells it only if it is asked to, and forgets it with a definition in which it is not."""
    domain = let_there_be(small_cloud, runs=False)
    screen = "<graphics type='vnc' port='-1' autoport='yes' listen='0.0.0.0' passwd='kept-by-hand'/>"
    connection = small_cloud.hypervisor("node2")._connection
    domain = connection.defineXML(domain.XMLDesc(0).replace("</devices>", f"{screen}</devices>"))
    told = [
        module(pextra_vm_info.main, foreign=True),
        module(**ADOPT, _ansible_diff=True),
        module(name="old-web", memory="512 MiB", description="An old server", _ansible_diff=True),
    ]
    assert [bool(one.get("failed")) for one in told] == [False] * 3
    config = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    assert "<memory unit='KiB'>524288</memory>" in config
    assert "passwd='kept-by-hand'" in config
    assert "kept-by-hand" not in str(told)


def test_what_lies_in_others_pools_and_hangs_on_others_networks_stays(module: Module, small_cloud: Cloud) -> None:
    """On its node the pool and the network only have the names of ours, which are on the other one."""
    let_there_be(small_cloud)
    for one in ASSOCIATIONS:
        if one.node == NODES[1].id:
            small_cloud.registry.dissociate(one.resource, one.node)
    small_cloud.registry.put([replace(VSWITCH, attributes={"nodes": [NODES[0].id]})])
    (told,) = module(pextra_vm_info.main, foreign=True)["foreign"]
    assert (told["element"]["name"], told["element"]["adopt"]) == ("old-web", True)
    assert {"root", "volumes", "nics"}.isdisjoint({key for key, value in told["element"].items() if value})
    path = small_cloud.hypervisor("node2").volume_path("local", "old-web.qcow2")
    assert f"its disk vda ({path}) lies in no storage pool of the cluster" in told["remarks"]
    assert f"its NIC {MAC} is on no port group of the cluster" in told["remarks"]


def test_what_is_refused(module: Module, small_cloud: Cloud) -> None:
    domain = let_there_be(small_cloud)
    before = texts(domain)
    for options, told in (
        ({"name": "old-web", "memory": "256 MiB", "vcpus": 1}, "With adopt: true it becomes an instance as it is."),
        ({**ADOPT, "memory": "512 MiB"}, "it is not as declared: memory is 256, declared 512"),
        ({**ADOPT, "node": "node1"}, "there is no virtual machine of this name to adopt on node1"),
        ({**ADOPT, "name": "nobody"}, "there is no virtual machine of this name to adopt"),
    ):
        refused = module(**options)
        assert refused["failed"]
        assert told in refused["msg"]
    let_there_be(small_cloud, "node1", "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1a02")
    assert "node1 and node2 have a virtual machine of this name" in module(**ADOPT)["msg"]
    assert texts(domain) == before
    assert small_cloud.registry.rows("instance") == []
    result = module(**ADOPT, node="node2")
    assert result["actions"] == ["instance old-web on node2: register, adopt"]


def test_it_is_given_back(module: Module, small_cloud: Cloud) -> None:
    domain = let_there_be(small_cloud)
    before = texts(domain)
    module(**ADOPT)
    domain.setMetadata(
        *(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None, None, "urn:pextra:instance:1"),
        libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_AFFECT_LIVE,
    )
    result = module(name="old-web", state="absent", remove_volumes=True)
    assert result["actions"] == ["instance old-web on node2: forget"]
    assert (texts(domain), domain.isActive()) == (before, 1)
    assert "old-web.qcow2" in small_cloud.hypervisor("node2").volume_names("local")
    assert module(**ADOPT)["changed"]


def test_what_it_had_goes_only_with_consent(module: Module, small_cloud: Cloud) -> None:
    let_there_be(small_cloud, runs=False)
    module(**ADOPT)
    every = {"name": "old-web", "state": "absent", "remove_volumes": True}
    assert "this would destroy volume old-web.qcow2 in local" in module(**every)["msg"]
    assert module(**every, confirm="DESTROY")["changed"]
    assert "old-web.qcow2" not in small_cloud.hypervisor("node2").volume_names("local")


def test_pins_of_virtual_cpus_stay_as_a_hand_wrote_them(module: Module, small_cloud: Cloud) -> None:
    domain = let_there_be(small_cloud, runs=False)
    tuned = "<cputune><vcpupin vcpu='0' cpuset='0-3,^1'/></cputune>"
    connection = small_cloud.hypervisor("node2")._connection
    domain = connection.defineXML(domain.XMLDesc(0).replace("</vcpu>", f"</vcpu>{tuned}"))
    (told,) = module(pextra_vm_info.main, foreign=True)["foreign"]
    assert told["element"]["pinning"] == {"each_vcpu": [{"vcpu": 0, "threads": [0, 2, 3]}]}
    result = module(**told["element"])
    assert not result.get("failed"), result["msg"]
    assert result["actions"] == ["instance old-web on node2: register, adopt"]
    assert not module(name="old-web", pinning={"each_vcpu": [{"vcpu": 0, "threads": [3, 2, 0]}]})["changed"]
    assert "<vcpupin vcpu='0' cpuset='0,2-3'/>" in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
