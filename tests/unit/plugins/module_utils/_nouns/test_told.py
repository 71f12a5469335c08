# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules tell of resources is what their documentation says that they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import instance_model
import network_model
import pytest
import volume_model
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import Field
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.resource import ClusterResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.datacenter.resource import DatacenterResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.resource import ImageResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.devices import cdrom, disk, nic
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Cdrom, Nic, Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.walk import KINDS
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.plan import NodeHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.resource import NodeResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.organization.resource import TenantResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.resource import PoolResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.plan import plan_port_groups
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.resource import PortGroupResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.spec import PortGroup
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.resource import VolumeResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.plan.planning import plan_vswitches
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.resource import VswitchResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.spec import Vswitch
from guards.project import returned

from .hierarchy import test_hierarchy as of_hierarchy
from .image import test_image as of_image
from .pool import test_pool as of_pool

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


def nodes() -> NodeHave:
    facts = {"hostname": "node1", "cores": 8}
    return NodeHave(of_hierarchy.ALL, {"node1": of_hierarchy.NODE}, {"node1": {}}, {"node1": facts})


def networks() -> Any:
    model = network_model.Model()
    model.apply(plan_vswitches([Vswitch(name="svswitch1", uplinks=("eth1", "eth2"))], model.have))
    model.apply(plan_port_groups([PortGroup(name="Production", vswitch="svswitch1", vlan=42)], model.have))
    for node in model.nodes.values():
        node.attach("web", "svswitch1", "Production")
    model.down.add("node3")
    return model.have


def instances() -> Any:
    model = instance_model.Model.fresh()
    # Two devices cannot have one turn to boot.
    rows = {key: made(field, key) for key, field in nic.TABLE.items()} | {"boot_order": 2}
    one = Nic(name="nic0", port_group="Production", addresses=("172.20.0.11/24",), further=rows)
    disks = {key: made(field, key) for key, field in disk.TABLE.items()} | {"bus": "scsi"}
    drive = {key: made(field, key) for key, field in cdrom.TABLE.items()} | {"boot_order": 3}
    cdroms = (Cdrom(name="installer", image="disc", further=drive),)
    root, further = Root(pool="local", size=1024, further=disks), {kind.option: made(kind.field) for kind in KINDS}
    further["host_devices"] = ({"name": "gpu", "pci": "0000:65:00.0"},)
    # What goes together with the rest.
    further["memory_backing"]["access"] = "shared"
    further["launch_security"]["type"], further["firmware"]["type"] = "sev", "efi"
    further["memory_backing"]["locked"] = True
    further["boot"]["menu"] = True
    further["io_threads"] = 1
    further["memory_max"] = 512
    further["numa"] = ({"vcpus": (0,), "memory": 512, "node": 0},)
    model.converge(
        Vm(name="web", image="tiny", root=root, cdroms=cdroms, nics=(one,), tags=("front",), further=further)
    )
    have = model.have
    stats = {"cpu.time": 1, "balloon.current": 1024, "balloon.unused": 1024, "balloon.rss": 1024}
    stats |= {"block.count": 1, "block.0.name": "vda", "net.count": 1, "net.0.name": "vnet0"}
    guests = [{"name": "eth0", "mac": "52:54:00:00:00:01", "addresses": ["172.20.0.11/24"]}]
    have = replace(have, interfaces=dict.fromkeys(have.domains, guests))
    return replace(have, figures=dict.fromkeys(have.domains, stats))


def made(field: Field, key: str = "") -> Any:
    """Return a value that a new one gets, or the least that there can be; of a table one of each row."""
    if field.table is not None:
        return {name: made(inner, name) for name, inner in field.table.items()}
    if field.element is not None:
        return (made(field.element, key),)
    least = field.choices[0] if field.choices else {"str": key, "bool": False}.get(field.kind, field.minimum)
    return least if field.made is None else field.made


def volumes() -> Any:
    model = volume_model.Model()
    model.add_guest("db", "node1")
    model.converge(Volume(name="data", pool="shared", size=1024, attached_to="db", description="Database"))
    return model.have()


CASES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "tenant": (TenantResource, lambda: of_hierarchy.ALL),
    "datacenter": (DatacenterResource, lambda: of_hierarchy.ALL),
    "cluster": (ClusterResource, lambda: of_hierarchy.ALL),
    "node": (NodeResource, nodes),
    "pool": (PoolResource, of_pool.converged),
    "image": (ImageResource, lambda: of_image.have(of_image.IMAGE)),
    "vswitch": (VswitchResource, networks),
    "port_group": (PortGroupResource, networks),
    "vm": (VmResource, instances),
    "volume": (VolumeResource, volumes),
}


@pytest.mark.parametrize("noun", CASES)
def test_what_is_read_is_documented(noun: str) -> None:
    make, have = CASES[noun]
    resource = make()
    found = resource.describe((), have())
    assert found
    documented = returned(f"pextra_{noun}_info")[resource.plural]
    # What only the controller knows, the module's action tells.
    documented["contains"].pop("effective", None)
    assert list(find_differences(found, documented, noun)) == []


def find_differences(value: Any, documented: Mapping[str, Any], path: str) -> list[str]:
    """Return where a value has another type than is documented, or other keys."""
    if value is None:
        return []
    if not isinstance(value, TYPES[documented["type"]]):
        return [f"{path} is {type(value).__name__}, not {documented['type']}"]
    if "contains" not in documented:
        return []
    if isinstance(value, list):
        element = {**documented, "type": "dict"}
        return [one for index, item in enumerate(value) for one in find_differences(item, element, f"{path}[{index}]")]
    inner = documented["contains"]
    wrong = [f"{path}.{key} is told only in one of both" for key in inner.keys() ^ value.keys()]
    return wrong + [
        one for key in inner.keys() & value.keys() for one in find_differences(value[key], inner[key], f"{path}.{key}")
    ]
