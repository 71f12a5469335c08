# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a coordinator tells the inventory plugin, of what is really there: the test driver's domains and a registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils import _runner
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._inventory import read_instances
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import HypervisorError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.answer import NIC, Answer, read_answer
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm, pextra_vm_info

from .conftest import CLUSTER

Result = dict[str, Any]
Module = Callable[..., Result]
WEB: Result = {
    "name": "web",
    "image": "tiny",
    "memory": "256 MiB",
    "description": "{{ 7*7 }} & more",
    "tags": ["front"],
    "flavor": "small",
    "profiles": ["base", "web"],
    "root": {"pool": "shared"},
    "nics": [
        {"port_group": "DMZ", "mac": "52:1f:3a:07:9c:41"},
        {"name": "lan", "port_group": "Production", "addresses": ["172.20.0.11/24", "fd00::11/64"]},
    ],
    "node": "node1",
}


@pytest.fixture
def module(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    """Run a module with some options, and return its result."""

    def open_cloud(_: Any, __: Any) -> Cloud:
        small_cloud.refresh_nodes()
        return small_cloud

    monkeypatch.setattr(_runner, "_open", open_cloud)

    def run(main: Callable[[], None] = pextra_vm.main, **options: Any) -> Result:
        with patch_module_args({"registry": small_cloud.registry.url, **options}), pytest.raises(SystemExit):
            main()
        result: Result = json.loads(capsys.readouterr().out)
        assert not result.get("failed"), result
        return result

    return run


def ask(cloud: Cloud) -> Answer:
    """As the controller has it: through JSON, and through its own checks."""
    return read_answer(json.dumps(read_instances(cloud)))


def test_it_tells_what_the_registry_and_the_definitions_say(module: Module, small_cloud: Cloud) -> None:
    datacenter = Row("dc-AAAAAAAAAAAAAAAAAAAAA", "datacenter", "Montreal")
    small_cloud.registry.put([datacenter, Row(CLUSTER.id, "cluster", "mtl-1", "", {"datacenter": datacenter.id})])
    vm = module(**WEB)["vm"]
    answer = ask(small_cloud)
    (instance,) = answer.instances
    nics = instance["nics"]
    assert {key: value for key, value in instance.items() if key != "nics"} == {
        "id": vm["id"],
        "uuid": uuid_of(vm["id"]),
        "name": "web",
        "organization": "acme",
        "datacenter": "Montreal",
        "cluster": "mtl-1",
        "node": "node1",
        "power": "running",
        "vcpus": 1,
        "memory": 256,
        "image": "tiny",
        "autostart": True,
        "description": "{{ 7*7 }} & more",
        "tags": ("front",),
        "flavor": "small",
        "profiles": ("base", "web"),
    }
    assert [(nic["name"], nic["port_group"], nic["addresses"]) for nic in nics] == [
        ("nic0", "DMZ", ()),
        ("lan", "Production", ("172.20.0.11/24", "fd00::11/64")),
    ]
    assert (nics[0]["mac"], nics[0]["vswitch"]) == ("52:1f:3a:07:9c:41", "svswitch1")
    assert (list(answer.unreachable), list(answer.warnings)) == ([], [])


def test_it_tells_the_same_as_the_module(module: Module, small_cloud: Cloud) -> None:
    module(**WEB)
    module(name="db", memory="64 MiB", node="node2", power="stopped")
    read = {vm["name"]: vm for vm in module(pextra_vm_info.main)["vms"]}
    for instance in ask(small_cloud).instances:
        vm = read[instance["name"]]
        told = {key: vm[key] for key in instance}
        # What a NIC is beside its place and its addresses is nothing to an inventory.
        told["nics"] = [{key: nic[key] for key in NIC} for nic in told["nics"]]
        assert {key: json.loads(json.dumps(value)) for key, value in instance.items()} == told


def test_a_node_that_does_not_answer(module: Module, small_cloud: Cloud) -> None:
    module(name="web", memory="64 MiB", node="node1", tags=["a"])
    module(name="db", memory="64 MiB", node="node2", tags=["b"])
    small_cloud.unreachable["node2"] = Problem("it does not answer", "Check it.", "node2")
    answer = ask(small_cloud)
    assert [(one["name"], one["node"], one["power"], one["tags"]) for one in answer.instances] == [
        ("db", "node2", "unknown", None),
        ("web", "node1", "running", ("a",)),
    ]
    assert list(answer.unreachable) == [Problem("it does not answer", "Check it.", "node2")]


def test_one_that_is_on_no_node(module: Module, small_cloud: Cloud) -> None:
    module(name="web", memory="64 MiB", node="node1", power="stopped")
    small_cloud.hypervisor("node1")._connection.lookupByName("web").undefine()
    (instance,) = ask(small_cloud).instances
    assert (instance["name"], instance["power"], instance["memory"]) == ("web", "undefined", None)


def test_what_is_not_ours_is_no_host(module: Module, small_cloud: Cloud) -> None:
    """Somebody else's, and a copy of ours that was made by hand, which a warning names."""
    module(name="web", memory="64 MiB", node="node1", power="stopped")
    connection = small_cloud.hypervisor("node1")._connection
    connection.defineXML("<domain type='test'><name>x</name><memory>1024</memory><os><type>hvm</type></os></domain>")
    xml = connection.lookupByName("web").XMLDesc().replace("<name>web</name>", "<name>copy</name>")
    uuid = connection.lookupByName("web").UUIDString()
    connection.defineXML(xml.replace(uuid, "11111111-2222-3333-4444-777777777777"))
    answer = ask(small_cloud)
    assert [one["name"] for one in answer.instances] == ["web"]
    (warning,) = answer.warnings
    assert "virtual machine copy" in warning


def test_a_hostile_definition_is_told_as_it_stands(module: Module, small_cloud: Cloud) -> None:
    """Who may edit definitions can write what no module would: it is data, and no defect."""
    module(**WEB, power="stopped")
    connection = small_cloud.hypervisor("node1")._connection
    xml = connection.lookupByName("web").XMLDesc()
    hostile = "{{ lookup(&quot;pipe&quot;, &quot;id&quot;) }}"
    assert 'name="front"' in xml
    assert 'addresses="172.20.0.11/24 fd00::11/64"' in xml
    xml = xml.replace('name="front"', f'name="{hostile}"')
    xml = xml.replace('addresses="172.20.0.11/24 fd00::11/64"', 'addresses="-oProxyCommand=id 172.20.0.11/24"')
    connection.defineXML(xml)
    (instance,) = ask(small_cloud).instances
    assert instance["tags"] == ('{{ lookup("pipe", "id") }}',)
    assert instance["nics"][1]["addresses"] == ("-oProxyCommand=id", "172.20.0.11/24")


def test_a_storage_pool_that_hangs_keeps_nothing_back(
    module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While libvirt waits for a server it tells nothing of pools, and of its domains all."""
    module(name="web", memory="64 MiB", node="node1")

    def pools(self: Hypervisor) -> list[Any]:
        raise HypervisorError([Problem("libvirt does not tell its storage pools within 20 s", "", self.node)])

    monkeypatch.setattr(Hypervisor, "pools", pools)
    answer = ask(small_cloud)
    assert [(one["name"], one["power"]) for one in answer.instances] == [("web", "running")]
    assert list(answer.unreachable) == []


def test_a_thousand(module: Module, small_cloud: Cloud, calls: Any) -> None:
    """A fixed number of lists for each node, and one definition for each instance; nothing is asked of one alone."""
    vms = [{"name": f"web-{n}", "memory": "32 MiB", "power": "stopped", "autostart": False} for n in range(1000)]
    assert len(module(vms=vms)["actions"]) == 1000
    small_cloud.refresh_nodes()
    calls.clear()
    answer = ask(small_cloud)
    assert len(answer.instances) == 1000
    remote = calls.remote
    assert remote.pop("virDomainGetXMLDesc") == 1000
    assert remote.pop("virConnectListAllDomains") == 12
    assert sum(remote.values()) <= 2 * 5, remote
