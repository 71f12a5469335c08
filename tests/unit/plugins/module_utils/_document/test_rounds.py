# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in one round: what is wrong with one value hides nothing, and brings nothing with it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._document.variables import DOCUMENT, HOST
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import Field, Table
from deployment_document import instance, read, told

# Two of everything, and whatever could be judged by something else.
HOSTS: dict[str, dict[str, Any]] = {
    f"node{number}": {
        "ansible_host": f"10.91.0.1{number}",
        "pextra_address": f"10.91.0.1{number}",
        "pextra_cluster": "mtl-1" if number < 4 else "mtl-2",
        "pextra_node_description": "one of them",
        "pextra_memory": "8 GiB",
        "pextra_memory_reserved": "1 GiB",
        "pextra_management_interface": "eth0",
        "pextra_virt_type": "qemu",
        "pextra_disks": [{"name": "vg0", "use": "lvm", "match": {"rotational": False}, "count": 1}],
        "pextra_ceph_osds": [{"device": "/dev/disk/by-id/wwn-0x5"}, {"file": "/srv/osd", "size": "10 GiB"}]
        if number < 4
        else None,
    }
    for number in range(1, 5)
}
VARIABLES: dict[str, Any] = {
    "pextra_deployment_name": "lab",
    "pextra_organizations": [{"name": "acme", "description": "first"}, {"name": "beta"}],
    "pextra_datacenters": [{"name": "Montreal", "organization": "acme"}, {"name": "Quebec"}],
    "pextra_clusters": [
        {
            "name": "mtl-1",
            "datacenter": "Montreal",
            "vcpus_per_thread": 5.5,
            "vcpus_per_thread_warn": 5,
            "resource_pools": [
                {"name": "gpus", "pci_model": "10de:2204", "numa": 0, "memory": "24 GiB"},
                {"name": "cards", "devices": [{"node": "node1", "pci": "0000:65:00.0"}]},
            ],
        },
        {"name": "mtl-2", "datacenter": "Quebec"},
    ],
    "pextra_pools": [
        {"name": "local", "cluster": "mtl-1", "path": "/srv/local", "nodes": ["node1", "node2"], "type": "directory"},
        {"name": "shared", "cluster": "mtl-1", "path": "/srv/shared", "shared": True},
        # Its directory is another's as well, on other nodes.
        {"name": "third", "cluster": "mtl-1", "path": "/srv/local", "nodes": ["node3"]},
        {"name": "lvm", "cluster": "mtl-1", "type": "lvm"},
        {
            "name": "nfs",
            "cluster": "mtl-1",
            "type": "netfs",
            "netfs": {"host": "nas", "export": "vm", "format": "cifs", "username": "u", "password": "p"},
        },
        {"name": "ceph", "cluster": "mtl-1", "type": "rbd", "rbd": {"pool": "vms"}},
        {"name": "local", "cluster": "mtl-2"},
    ],
    "pextra_ceph_monitors": ["node1", "node2", "node3"],
    "pextra_ceph_pools": [{"name": "vms", "copies": 3, "min_copies": 3}, {"name": "other", "copies": 2}],
    "pextra_vswitches": [
        {"name": "svswitch1", "cluster": "mtl-1", "uplinks": ["eth1", "eth2"], "nodes": ["node1", "node2"]},
        {"name": "svswitch2", "cluster": "mtl-1", "uplinks": ["eth3"]},
        {"name": "svswitch3", "cluster": "mtl-1", "uplinks": ["eth1"], "nodes": ["node3"]},
    ],
    "pextra_port_groups": [
        {"name": "Production", "cluster": "mtl-1", "vswitch": "svswitch1", "vlan": 42},
        {"name": "Untagged", "cluster": "mtl-1", "vswitch": "svswitch1"},
        {"name": "Everywhere", "cluster": "mtl-1", "vswitch": "svswitch2", "vlan": 42},
    ],
    "pextra_images": [
        {"name": "tiny", "cluster": "mtl-1", "source": "images/tiny.qcow2", "pools": ["local", "shared"]},
        {
            "name": "web",
            "cluster": "mtl-1",
            "source": "https://a.example/b.qcow2",
            "sha256": "a" * 64,
            "mirrors": ["https://m.example/"],
        },
    ],
    "pextra_flavors": [{"name": "small", "memory": "96 MiB", "vcpus": 2}],
    "pextra_instances": [
        {
            "name": "db",
            "cluster": "mtl-1",
            "organization": "beta",
            "node": "node1",
            "anti_affinity": "dbs",
            "vcpus": 2,
            "memory": "1 GiB",
            "image": "tiny",
            "root": {"pool": "local", "size": "1 GiB", "mode": "copy"},
            "volumes": [
                {"name": "data", "pool": "shared", "size": "1 GiB"},
                {"name": "logs", "pool": "local", "size": "1 GiB"},
            ],
            "nics": [
                {
                    "name": "front",
                    "port_group": "Production",
                    "mac": "52:54:00:00:00:01",
                    "addresses": ["172.20.0.5/24", "fd00::5/64"],
                    "gateway": "172.20.0.1",
                    "gateway6": "fd00::1",
                    "nameservers": ["1.1.1.1"],
                },
                {"port_group": "Untagged", "addresses": ["172.20.0.6/24"]},
                {"name": "fast", "port_group": "Production", "sr_iov": "enp3s0f0", "addresses": ["172.20.0.7/24"]},
            ],
            "host_devices": [{"name": "gpu", "resource_pool": "gpus"}, {"name": "card", "pci": "0000:65:00.0"}],
            "cloud_init": {"hostname": "db", "users": [{"name": "me", "sudo": True}]},
            "autostart": True,
            "power": "running",
            "tags": ["a", "b"],
        },
        {
            "name": "db2",
            "cluster": "mtl-1",
            "anti_affinity": "dbs",
            "node": "node2",
            "flavor": "small",
            "root": {"pool": "lvm", "size": "1 GiB"},
        },
        # The address of another, in another network.
        {
            "name": "twin",
            "cluster": "mtl-1",
            "node": "node2",
            "nics": [{"port_group": "Untagged", "addresses": ["172.20.0.5/24"]}, {"port_group": "Everywhere"}],
        },
        {"name": "app", "cluster": "mtl-1", "count": 2, "memory": "2 GiB", "image": "tiny", "root": {"pool": "shared"}},
    ],
    "pextra_volumes": [
        {"name": "first", "cluster": "mtl-1", "pool": "local", "node": "node1", "size": "1 GiB", "attached_to": "db"},
        {
            "name": "clone",
            "cluster": "mtl-1",
            "pool": "local",
            "node": "node1",
            "clone_of": "first",
            "clone_mode": "full",
        },
        {
            "name": "import",
            "cluster": "mtl-1",
            "pool": "shared",
            "import_from": {"path": "/a", "format": "raw"},
            "provisioning": "thin",
            "format": "qcow2",
            "limits": {"iops": 5},
        },
    ],
}


def _places(value: Any, field: Field, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Field]]:
    """Yield every value of the document that a row of a table describes, with that row."""
    yield path, field
    if field.kind == "list" and isinstance(value, list) and field.element is not None:
        for index, item in enumerate(value):
            yield from _places(item, field.element, (*path, index))
    elif field.kind == "dict" and field.table is not None and isinstance(value, dict):
        yield from _in_table(value, field.table, path)


def _in_table(
    values: Mapping[str, Any], table: Table, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Field]]:
    for key, value in values.items():
        if value is not None:
            yield from _places(value, table[key], (*path, key))


ANY = Field(kind="raw", help="")
PLACES = [(place, field, False) for place, field in _in_table(VARIABLES, DOCUMENT, ())]
PLACES += [(place, field, True) for place, field in _in_table(HOSTS["node1"], {**HOST, "ansible_host": ANY}, ())]
WRONG: dict[str, Any] = {"list": 5, "dict": 5, "str": [], "bool": "perhaps", "int": [], "size": 5, "float": []}


def _path(place: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)[1:]


def _without_names(mistake: str) -> str:
    path, _, _ = mistake.partition(": ")
    while " (" in path:
        before, _, after = path.partition(" (")
        path = before + after.partition(")")[2]
    return path


def test_the_document_is_right() -> None:
    assert told(read(VARIABLES, HOSTS)) == []


@pytest.mark.parametrize(("place", "field", "is_of_host"), PLACES, ids=[_path(place) for place, _, _ in PLACES])
@pytest.mark.parametrize("how", ["wrong", "misspelt"])
def test_one_wrong_value_is_one_mistake(place: tuple[str | int, ...], field: Field, is_of_host: bool, how: str) -> None:
    variables, hosts = copy.deepcopy(VARIABLES), copy.deepcopy(HOSTS)
    if place == ("ansible_host",):
        return  # it need not be an address where there is one
    holder: Any = hosts["node1"] if is_of_host else variables
    for part in place[:-1]:
        holder = holder[part]
    prefix = "pextra_nodes." if is_of_host else ""
    key = place[-1]
    expected = f"{prefix}{_path(place)}"
    if how == "wrong":
        holder[key] = WRONG[field.kind]
    elif isinstance(key, str) and len(place) > 1:
        misspelt = key[:-1] + "qq"
        holder[misspelt] = holder.pop(key)
        expected = f"{prefix}{_path((*place[:-1], misspelt))}"
    else:
        return
    mistakes = told(read(variables, hosts))
    assert [_without_names(mistake) for mistake in mistakes] == [expected], "\n".join(mistakes)


def one(variable: str, *elements: Any) -> dict[str, Any]:
    return {variable: list(elements)}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            one(
                "pextra_instances",
                instance("a", nics=[{"port_group": "Production", "addresses": ["172.20.0.5/24"]}]),
                instance(
                    "b",
                    memory=900,
                    image="tni",
                    nics=[{"port_group": "Production", "mac": "x", "addresses": ["bad", "172.20.0.5/24"]}],
                    root={"pool": "locl"},
                    node="node9",
                ),
            ),
            [
                "memory: 900 is not a size",
                'nics[0].mac: "x" is not a MAC',
                'nics[0].addresses[0]: "bad" is not an address',
                "nics[0].addresses[1]: 172.20.0.5 is an address of a",
                'image: "tni" is not an image',
                'root.pool: "locl" is not a storage pool',
                'node: "node9" is not a node',
            ],
        ),
        (
            one("pextra_instances", instance("a"), {"image": "tni", "memory": "1 GiB"}),
            ["name: is missing", "root: is missing", 'image: "tni" is not an image'],
        ),
        (
            one("pextra_pools", {"name": "local"}, {"name": "b", "nodes": [5, "node1", "node9"], "path": "relative"}),
            ["nodes[0]: 5 is not a text", 'nodes[2]: "node9" is not a node', "path: "],
        ),
        (
            {"pextra_port_groups": None, "pextra_instances": None}
            | one(
                "pextra_vswitches",
                {"name": "svswitch10", "uplinks": ["eth1"]},
                {"name": "br0", "uplinks": ["eth1"], "bond_mode": "no", "nodes": ["node9"]},
                {"name": "br0", "uplinks": ["a/b", "eth1"]},
            ),
            [
                'name: "br0" is not a vSwitch name',
                'bond_mode: "no" is not allowed',
                'nodes[0]: "node9" is not a node',
                'name: "br0" is not a vSwitch name',
                'name: "br0" is a vSwitch of the cluster mtl-1 already',
                'uplinks[0]: "a/b" is not the name',
                'uplinks[1]: "eth1" is an uplink of svswitch10 too',
            ],
        ),
        (
            one("pextra_volumes", {"name": "a", "pool": "shred", "size": 5, "attached_to": "nobody", "limits": 5}),
            ["size: 5", "limits: 5", 'pool: "shred"', 'attached_to: "nobody"'],
        ),
    ],
)
def test_one_wrong_value_hides_nothing(variables: dict[str, Any], expected: list[str]) -> None:
    mistakes = told(read(variables))
    left = list(mistakes)
    for text in expected:
        found = next((mistake for mistake in left if text in mistake), None)
        assert found is not None, f"{text}\nis not among\n" + "\n".join(left)
        left.remove(found)
    assert left == []
