# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment document as a whole: what is completed, and every mistake with its path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import parse
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import spec as vm
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool import spec as pool
from deployment_document import HOSTS, VARIABLES, instance, read, told, with_address

ID = "AAAAAAAAAAAAAAAAAAAAA"


def test_what_is_left_out_is_filled_in() -> None:
    deployment = read()
    assert told(deployment) == []
    document = deployment.document
    assert document["deployment_name"] == "pextra"
    assert document["organizations"] == [{"name": "acme", "state": "present"}]
    assert document["datacenters"] == [{"name": "Montreal", "organization": "acme", "state": "present"}]
    rules = {"vcpus_per_thread": 4.0, "vcpus_per_thread_warn": 3.0, "resource_pools": []}
    assert document["clusters"] == [{"name": "mtl-1", "datacenter": "Montreal", **rules, "state": "present"}]
    assert document["nodes"][0] == {
        "name": "node1",
        "address": "10.91.0.11",
        "migration_address": "10.91.0.11",
        "cluster": "mtl-1",
        "containers": False,
        "shared_directories": [],
        "architectures": [],
        "state": "present",
    }
    assert document["pools"][0] == {
        "name": "local",
        "type": "directory",
        "path": "/var/lib/pextra/pools/local",
        "shared": False,
        "cluster": "mtl-1",
        "nodes": ["node1", "node2", "node3"],
        "protected": False,
        "state": "present",
    }
    assert document["vswitches"][0]["nodes"] == ["node1", "node2", "node3"]
    assert document["port_groups"][0] == {
        "name": "Production",
        "vswitch": "svswitch10",
        "vlan": 42,
        "cluster": "mtl-1",
        "state": "present",
    }
    assert document["images"][0]["source"] == "/site/images/tiny.qcow2"
    assert document["images"][0]["pools"] == ["local"]
    assert document["instances"] == [
        {
            "name": "db",
            "type": "qemu",
            "cluster": "mtl-1",
            "organization": "acme",
            "anti_affinity": "",
            "vcpus": 1,
            "memory": "512 MiB",
            "image": "tiny",
            "root": {
                "pool": "local",
                "size": "1 GiB",
                "bus": "virtio",
                "io_thread": 0,
                "cache": "none",
                "discard": "unmap",
                "detect_zeroes": "off",
            },
            "volumes": [],
            "cdroms": [],
            "nics": [
                {
                    "port_group": "Production",
                    "sr_iov": "",
                    "addresses": ["172.20.0.5/24"],
                    "gateway": "",
                    "gateway6": "",
                    "nameservers": [],
                    "model": "virtio",
                    "link": True,
                    "queues": 1,
                }
            ],
            "cloud_init": {"hostname": "", "users": [], "vendor_data": ""},
            "autostart": True,
            "power": "running",
            "tags": [],
            "flavor": "",
            "profiles": [],
            "protected": False,
            "state": "present",
        }
    ]
    assert deployment.summary["instances"] == 1
    assert deployment.summary["memory_running_mib"] == 512


def test_the_document_is_plain_and_the_modules_read_it() -> None:
    document = read().document
    assert json.loads(json.dumps(document)) == document
    for table, plural in ((vm.FIELDS, "instances"), (pool.FIELDS, "pools")):
        for element in document[plural]:
            assert parse(table, element, "")[1] == []


def test_an_empty_document_is_a_deployment() -> None:
    deployment = read(dict.fromkeys(VARIABLES))
    assert told(deployment) == []
    document = deployment.document
    assert [element["name"] for element in document["organizations"]] == ["root"]
    assert [element["name"] for element in document["datacenters"]] == ["default"]
    assert [element["name"] for element in document["clusters"]] == ["default"]
    assert [element["name"] for element in document["pools"]] == ["local"]


def test_every_cluster_has_the_default_pool() -> None:
    clusters = [{"name": "one"}, {"name": "two"}]
    hosts = {
        "node1": {"ansible_host": "10.91.0.11", "pextra_cluster": "one"},
        "node2": {"ansible_host": "10.91.0.12", "pextra_cluster": "two"},
    }
    deployment = read({**dict.fromkeys(VARIABLES), "pextra_clusters": clusters}, hosts)
    assert told(deployment) == []
    assert [(found["cluster"], found["nodes"]) for found in deployment.document["pools"]] == [
        ("one", ["node1"]),
        ("two", ["node2"]),
    ]


def test_count_makes_instances_with_their_own_values() -> None:
    web = {**with_address("web", "172.20.0.1{{ pextra_index }}/24"), "count": 3, "anti_affinity": "web"}
    deployment = read({"pextra_instances": [web]})
    assert told(deployment) == []
    assert [(found["name"], found["nics"][0]["addresses"]) for found in deployment.document["instances"]] == [
        ("web-1", ["172.20.0.11/24"]),
        ("web-2", ["172.20.0.12/24"]),
        ("web-3", ["172.20.0.13/24"]),
    ]
    assert "count" not in deployment.document["instances"][0]


def test_a_count_of_one_is_numbered_too() -> None:
    assert read({"pextra_instances": [instance("web", count=1)]}).document["instances"][0]["name"] == "web-1"


def test_a_flavor_gives_what_the_instance_does_not() -> None:
    flavors = [{"name": "big", "vcpus": 4, "memory": "2 GiB"}]
    own = [instance("one", flavor="big"), instance("two", flavor="big", vcpus=1)]
    found = read({"pextra_flavors": flavors, "pextra_instances": own}).document["instances"]
    assert [(each["vcpus"], each["memory"]) for each in found] == [(4, "2 GiB"), (1, "2 GiB")]
    assert [each["flavor"] for each in found] == ["big", "big"]


def test_what_is_absent_needs_no_references() -> None:
    gone = {
        "pextra_instances": [{"name": "old", "state": "absent"}],
        "pextra_port_groups": [{"name": "Old", "state": "absent"}],
        "pextra_images": [{"name": "old", "state": "absent"}],
        "pextra_pools": [{"name": "old", "state": "absent"}],
    }
    deployment = read(gone)
    assert told(deployment) == []
    assert deployment.document["pools"][0]["state"] == "absent"
    assert "power" not in deployment.document["instances"][0]
    assert deployment.summary["instances"] == 0


def test_identifiers_pass() -> None:
    by_id = instance("db", node=f"node-{ID}", nics=[{"port_group": f"pg-{ID}"}], image=f"img-{ID}")
    by_id["root"] = {"pool": f"pool-{ID}"}
    assert told(read({"pextra_instances": [by_id]})) == []


def test_templates_in_texts_stay_texts() -> None:
    deployment = read({"pextra_instances": [instance("db", description="{{ lookup('pipe', 'id') }}")]})
    assert deployment.document["instances"][0]["description"] == "{{ lookup('pipe', 'id') }}"


def test_the_address_may_differ_from_the_way_to_the_host() -> None:
    hosts = {"node1": {"ansible_host": "jump.example.com", "pextra_address": "10.91.0.11"}}
    assert read(hosts=hosts).document["nodes"][0]["address"] == "10.91.0.11"


def one(variable: str, *elements: Any) -> dict[str, Any]:
    return {variable: list(elements)}


MANY = [f"n{number}" for number in range(3)]
CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    # Types, keys, names
    ("not a list", {"pextra_pools": {"name": "local"}}, ["pextra_pools: a mapping is not a list"]),
    ("a text for a list", {"pextra_vswitches": "svswitch10"}, ['pextra_vswitches: "svswitch10" is not a list']),
    ("an element that is none", one("pextra_vswitches", 5), ["pextra_vswitches[0]: 5 is not a mapping"]),
    (
        "unknown key",
        one("pextra_instances", instance("db", cpus=2)),
        ['pextra_instances[0] (db).cpus: unknown key. Did you mean "vcpus"?'],
    ),
    (
        "confirm is not for documents",
        one("pextra_instances", instance("db", confirm="DESTROY")),
        ["pextra_instances[0] (db).confirm: unknown key."],
    ),
    (
        "a line break in a key",
        one("pextra_instances", instance("db", **{"a\nb": 1})),
        ["pextra_instances[0] (db).a\\nb: unknown key. Allowed:"],
    ),
    (
        "unknown variable",
        {"pextra_instance": []},
        ['pextra_instance: unknown variable. Did you mean "pextra_instances"?'],
    ),
    ("the group as a variable", {"pextra_nodes": []}, ["pextra_nodes: is an inventory group, not a variable"]),
    (
        "no as a name",
        one("pextra_instances", {"name": False}),
        ["pextra_instances[0].name: false is not a text: YAML reads the bare words no, off or false as false"],
    ),
    (
        "a number as a name",
        one("pextra_organizations", {"name": 1000.0}),
        ["pextra_organizations[0].name: 1000.0 is not a text"],
    ),
    (
        "../ in a name",
        one("pextra_pools", {"name": "../etc"}, {"name": "local"}),
        ['pextra_pools[0] (../etc).name: "../etc" is not a name'],
    ),
    (
        "a line break in a host name",
        one("pextra_instances", instance("a\nb")),
        ['pextra_instances[0] (a\\nb).name: "a\\nb" is not a host name'],
    ),
    (
        "a line break in the guest's host name",
        one("pextra_instances", instance("db", cloud_init={"hostname": "a\nb"})),
        ['pextra_instances[0] (db).cloud_init.hostname: "a\\nb" is not a host name'],
    ),
    (
        "XML in a description",
        one("pextra_instances", instance("db", description="</description><disk/>")),
        ["pextra_instances[0] (db).description:"],
    ),
    (
        "a secret of the wrong type is not shown",
        one("pextra_instances", instance("db", cloud_init={"users": [{"name": "me", "hashed_password": 314159}]})),
        ["pextra_instances[0] (db).cloud_init.users[0] (me).hashed_password: its secret value is not a text"],
    ),
    (
        "VLAN 5000",
        one("pextra_port_groups", {"name": "Production", "vlan": 5000}),
        ["pextra_port_groups[0] (Production).vlan: 5000 is out of range; allowed is 0 to 4094"],
    ),
    (
        "svswitch0",
        one("pextra_vswitches", {"name": "svswitch0"}),
        ['pextra_vswitches[0] (svswitch0).name: "svswitch0" is not a vSwitch name; write svswitchN with N from 1'],
    ),
    (
        "a size without a unit",
        one("pextra_instances", instance("db", memory="1e3")),
        ['pextra_instances[0] (db).memory: "1e3" is not a size'],
    ),
    ("a wrong deployment name", {"pextra_deployment_name": "a,CN=b"}, ['pextra_deployment_name: "a,CN=b" is not a']),
    (
        "a warning above the refusal",
        {"pextra_clusters": [{"name": "mtl-1", "vcpus_per_thread": 2.5, "vcpus_per_thread_warn": 2.6}]},
        [
            "pextra_clusters[0] (mtl-1).vcpus_per_thread_warn: 2.6 is more than vcpus_per_thread, which is 2.5; write "
            "2.5 or less"
        ],
    ),
    (
        "the warning of a new one above the refusal",
        {"pextra_clusters": [{"name": "mtl-1", "vcpus_per_thread": 2}]},
        ["pextra_clusters[0] (mtl-1).vcpus_per_thread_warn: 3 is more than vcpus_per_thread, which is 2; write 2"],
    ),
    (
        "a ratio that is none",
        {"pextra_clusters": [{"name": "mtl-1", "vcpus_per_thread": 0, "vcpus_per_thread_warn": 101}]},
        [
            "pextra_clusters[0] (mtl-1).vcpus_per_thread: 0.0 is out of range; allowed is 0.1 to 100",
            "pextra_clusters[0] (mtl-1).vcpus_per_thread_warn: 101.0 is out of range; allowed is 0.1 to 100",
        ],
    ),
    ("no cluster at all", {"pextra_clusters": []}, ["pextra_clusters: is empty"]),
    (
        "a count of nothing",
        one("pextra_instances", instance("web", count=0)),
        ["pextra_instances[0] (web).count: 0 is out of range; allowed is 1 to 10000"],
    ),
    (
        "one mistake of all replicas is told once",
        one("pextra_instances", instance("web", count=3, memory="12")),
        ['pextra_instances[0] (web).memory: "12" is not a size'],
    ),
    # References
    (
        "a missing port group",
        one("pextra_instances", instance("db", nics=[{"port_group": "Prod"}])),
        [
            'pextra_instances[0] (db).nics[0].port_group: "Prod" is not a port group. Did you mean "Production"?',
        ],
    ),
    (
        "a missing pool",
        one("pextra_instances", instance("db", root={"pool": "xyz"})),
        ['pextra_instances[0] (db).root.pool: "xyz" is not a storage pool. Declared: local, shared.'],
    ),
    (
        "a missing volume's pool",
        one("pextra_instances", instance("db", volumes=[{"name": "data", "pool": "shard", "size": "1 GiB"}])),
        ['pextra_instances[0] (db).volumes[0] (data).pool: "shard" is not a storage pool. Did you mean "shared"?'],
    ),
    (
        "a missing node",
        one("pextra_instances", instance("db", node="node9")),
        ['pextra_instances[0] (db).node: "node9" is not a node. Did you mean'],
    ),
    (
        "a signing key that is not there",
        one("pextra_images", {"name": "tiny", "source": "images/tiny.qcow2", "signature": "a.sig", "signing_key": "k"}),
        [
            'pextra_images[0] (tiny).signature: "/site/a.sig" does not exist on the controller',
            'pextra_images[0] (tiny).signing_key: "/site/k" does not exist on the controller',
        ],
    ),
    (
        "an unsigned list of checksums",
        one("pextra_images", {"name": "tiny", "source": "images/tiny.qcow2", "checksums": "https://192.0.2.9/SUMS"}),
        ["pextra_images[0] (tiny).signature: is missing; a list of checksums that is not signed"],
    ),
    (
        "mirrors on the coordinator itself",
        {"pextra_image_mirrors": ["http://127.0.0.1/images"]},
        ["pextra_image_mirrors[0]: "],
    ),
    ("mirrors that are no list", {"pextra_image_mirrors": "/srv/mirror"}, ["pextra_image_mirrors: "]),
    (
        "a missing image",
        one("pextra_instances", instance("db", image="tyni")),
        ['pextra_instances[0] (db).image: "tyni" is not an image. Did you mean "tiny"?'],
    ),
    (
        "a missing flavor",
        one("pextra_instances", instance("db", flavor="smal")),
        ['pextra_instances[0] (db).flavor: "smal" is not a flavor. Did you mean "small"?'],
    ),
    (
        "a missing organization",
        one("pextra_instances", instance("db", organization="acne")),
        ['pextra_instances[0] (db).organization: "acne" is not an organization. Did you mean "acme"?'],
    ),
    (
        "a missing node of a pool",
        one("pextra_pools", {"name": "local", "nodes": ["node1", "nodeX"]}),
        ['pextra_pools[0] (local).nodes[1]: "nodeX" is not a node. Did you mean "node'],
    ),
    (
        "an identifier of another kind",
        one("pextra_instances", instance("db", node=f"pool-{ID}")),
        [f'pextra_instances[0] (db).node: "pool-{ID}" is not the identifier of a node'],
    ),
    (
        "what is declared absent",
        {
            "pextra_pools": [{"name": "local"}, {"name": "old", "state": "absent"}],
            "pextra_instances": [instance("db", root={"pool": "old"})],
        },
        ['pextra_instances[0] (db).root.pool: "old" is declared with state: absent'],
    ),
    (
        "the vSwitch of a port group, with two",
        {
            "pextra_vswitches": [{"name": "svswitch1"}, {"name": "svswitch2"}],
            "pextra_port_groups": [{"name": "Production"}],
        },
        ["pextra_port_groups[0] (Production).vswitch: is missing; write the vSwitch"],
    ),
    (
        "a port group without any vSwitch",
        {"pextra_vswitches": [], "pextra_port_groups": [{"name": "Production"}]},
        ["pextra_port_groups[0] (Production).vswitch: is missing; write the vSwitch"],
    ),
    (
        "the datacenter of a cluster, with two",
        {"pextra_datacenters": [{"name": "a"}, {"name": "b"}]},
        ["pextra_clusters[0] (mtl-1).datacenter: is missing; there are several datacenters"],
    ),
    # Uniqueness
    (
        "two instances of one name",
        one("pextra_instances", instance("db"), instance("db")),
        ['pextra_instances[1] (db).name: "db" is an instance of the cluster mtl-1 already: pextra_instances[0] (db)'],
    ),
    (
        "a name that a count makes",
        one("pextra_instances", instance("web", count=2), instance("web-2")),
        [
            'pextra_instances[1] (web-2).name: "web-2" is an instance of the cluster mtl-1 already: '
            "pextra_instances[0] (web-2)"
        ],
    ),
    (
        "names that differ in case",
        one("pextra_pools", {"name": "local"}, {"name": "Local"}),
        ['pextra_pools[1] (Local).name: "Local" is a storage pool of the cluster mtl-1 already'],
    ),
    (
        "two organizations of one name",
        one("pextra_organizations", {"name": "acme"}, {"name": "acme"}),
        ['pextra_organizations[1] (acme).name: "acme" is an organization already'],
    ),
    # Within an instance
    (
        "an image without a root",
        one("pextra_instances", {"name": "db", "image": "tiny"}),
        ["pextra_instances[0] (db).root: is missing"],
    ),
    (
        "a root without an image or size",
        one("pextra_instances", {"name": "db", "root": {"pool": "local"}}),
        ["pextra_instances[0] (db).root.size: is missing"],
    ),
    (
        "two volumes of one name",
        one(
            "pextra_instances",
            instance("db", volumes=[{"name": "data", "pool": "local", "size": "1 GiB"}] * 2),
        ),
        ['pextra_instances[0] (db).volumes[1] (data).name: "data" is taken by another device of it'],
    ),
    # Images
    (
        "a file that is not there",
        one("pextra_images", {"name": "tiny", "source": "images/gone.qcow2"}),
        ['pextra_images[0] (tiny).source: "/site/images/gone.qcow2" does not exist on the controller'],
    ),
    (
        "a URL without a checksum",
        one("pextra_images", {"name": "tiny", "source": "https://images.example.com/a.qcow2"}),
        ["pextra_images[0] (tiny).sha256: is missing"],
    ),
    (
        "a URL to the coordinator itself",
        one("pextra_images", {"name": "tiny", "source": "http://127.0.0.1/a.qcow2", "sha256": "0" * 64}),
        ["pextra_images[0] (tiny).source:"],
    ),
    ("no source", one("pextra_images", {"name": "tiny"}), ["pextra_images[0] (tiny).source: is missing"]),
    (
        "an image that is not in the pool",
        one("pextra_images", {"name": "tiny", "source": "images/tiny.qcow2", "pools": ["shared"]}),
        ['pextra_instances[0] (db).root.pool: the image "tiny" is in shared, not in "local"'],
    ),
]


def test_mirrors_are_those_of_the_deployment_unless_an_image_has_its_own() -> None:
    url = {"source": "https://images.example.com/a.qcow2", "sha256": "0" * 64}
    images = [
        {"name": "tiny", "source": "images/tiny.qcow2"},
        {"name": "common", **url},
        {"name": "own", **url, "mirrors": ["mirror"]},
        {"name": "none", **url, "mirrors": []},
    ]
    found = read({"pextra_images": images, "pextra_image_mirrors": ["../mirror", "http://192.0.2.7/images"]})
    assert told(found) == [
        'pextra_image_mirrors[0]: "../mirror" is not a file name; write an absolute path, or one '
        "relative to the inventory"
    ]
    found = read({"pextra_images": images, "pextra_image_mirrors": ["mirrors/a", "http://192.0.2.7/images"]})
    assert told(found) == []
    assert [image.get("mirrors") for image in found.document["images"]] == [
        None,
        ["/site/mirrors/a", "http://192.0.2.7/images"],
        ["/site/mirror"],
        [],
    ]


@pytest.mark.parametrize(("changes", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_mistakes(changes: dict[str, Any], expected: list[str]) -> None:
    found = told(read(changes))
    assert len(found) == len(expected), found
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(start), text


MOVING = {"ansible_host": "10.91.0.12"}
HOST_CASES: list[tuple[str, dict[str, dict[str, Any]], list[str]]] = [
    ("no nodes", {}, ["pextra_nodes: the inventory group has no hosts"]),
    (
        "no address",
        {"node1": {"ansible_host": "node1.example.com"}},
        [
            'pextra_nodes (node1).pextra_address: is missing; write the management address, as "node1.example.com" is',
        ],
    ),
    (
        "neither",
        {"node1": {}},
        ['pextra_nodes (node1).pextra_address: is missing; write the management address, as "node1" is a name'],
    ),
    (
        "a refused range",
        {"node1": {"ansible_host": "127.0.0.1"}},
        ['pextra_nodes (node1).ansible_host: "127.0.0.1" is a loopback address'],
    ),
    (
        "documentation",
        {"node1": {"ansible_host": "10.0.0.1", "pextra_address": "192.0.2.1"}},
        ['pextra_nodes (node1).pextra_address: "192.0.2.1" is a documentation address'],
    ),
    (
        "one address twice, in two spellings",
        {
            "node1": {"ansible_host": "fd00:0:0::11"},
            "node2": {"ansible_host": "node2", "pextra_address": "FD00::0011"},
        },
        ["pextra_nodes (node2).pextra_address: fd00::11 is the address of node1 too"],
    ),
    (
        "a mapped address",
        {"node1": {"ansible_host": "::ffff:10.91.0.11"}},
        ['pextra_nodes (node1).ansible_host: "::ffff:10.91.0.11" is a mapped IPv4 address'],
    ),
    (
        "one address twice",
        {"node1": {"ansible_host": "10.91.0.11"}, "node2": {"ansible_host": "10.91.0.11"}},
        ["pextra_nodes (node2).pextra_address: 10.91.0.11 is the address of node1 too"],
    ),
    (
        "an address for moves on one node of two",
        {"node1": {"ansible_host": "10.91.0.11"}, "node2": {**MOVING, "pextra_migration_address": "10.92.0.12"}},
        ["pextra_nodes (node1).pextra_migration_address: is missing, and node2 of the same cluster has 10.92.0.12"],
    ),
    (
        "addresses for moves that cannot reach each other",
        {
            "node1": {"ansible_host": "10.91.0.11", "pextra_migration_address": "fd00::11"},
            "node2": {**MOVING, "pextra_migration_address": "10.92.0.12"},
        },
        ["pextra_nodes (node1).pextra_migration_address: fd00::11 is of another family than 10.92.0.12 of node2"],
    ),
    (
        "an address for moves that is another node's own",
        {
            "node1": {"ansible_host": "10.91.0.11", "pextra_migration_address": "10.91.0.12"},
            "node2": {**MOVING, "pextra_migration_address": "10.92.0.12"},
        },
        ["pextra_nodes (node2).pextra_address: 10.91.0.12 is the address of node1 too"],
    ),
    (
        "an unknown cluster",
        {**HOSTS, "node3": {"ansible_host": "10.91.0.13", "pextra_cluster": "mtl-2"}},
        ['pextra_nodes (node3).pextra_cluster: "mtl-2" is not a cluster. Did you mean "mtl-1"?'],
    ),
    (
        "a host name that is none",
        {"node1": {"ansible_host": "10.91.0.11"}, "Node_2": {"ansible_host": "10.91.0.12"}},
        ['pextra_nodes (Node_2): "Node_2" is not a host name'],
    ),
    (
        "a wrong size",
        {"node1": {"ansible_host": "10.91.0.11", "pextra_memory_reserved": 5}},
        ["pextra_nodes (node1).pextra_memory_reserved: 5 is not a size"],
    ),
    (
        "an uplink that carries the management address",
        {"node1": {"ansible_host": "10.91.0.11", "pextra_management_interface": "eth2"}},
        ['pextra_vswitches[0] (svswitch10).uplinks[1]: "eth2" carries the management address of node1'],
    ),
    (
        "an instance with a node's address",
        {"node1": {"ansible_host": "172.20.0.5"}},
        ["pextra_instances[0] (db).nics[0].addresses[0]: 172.20.0.5 is the address of the node node1"],
    ),
]


@pytest.mark.parametrize(("hosts", "expected"), [case[1:] for case in HOST_CASES], ids=[case[0] for case in HOST_CASES])
def test_mistakes_of_hosts(hosts: dict[str, dict[str, Any]], expected: list[str]) -> None:
    found = told(read(hosts=hosts))
    assert len(found) == len(expected), found
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(start), text


@pytest.mark.parametrize(
    ("coordinators", "expected"),
    [
        ((), ["pextra_coordinators: the inventory group has no hosts"]),
        (
            ("node1", "node9"),
            [
                "pextra_coordinators: has two hosts",
                "pextra_coordinators (node9): is not in the inventory group pextra_",
            ],
        ),
    ],
)
def test_mistakes_of_coordinators(coordinators: tuple[str, ...], expected: list[str]) -> None:
    found = told(read(coordinators=coordinators))
    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected


def test_all_mistakes_at_once_in_the_document_s_order() -> None:
    changes = {
        "pextra_instances": [
            with_address("web", "172.20.0.11/24"),
            instance("db", nics=[{"port_group": "Prod"}]),
            with_address("web", "172.20.0.11/24"),
        ],
        "pextra_vswitches": [{"name": "br0"}],
        "pextra_port_groups": [{"name": "Production"}, {"name": "DMZ", "vlan": 5000}],
        "pextra_pool": [],
    }
    assert [text.split(":")[0] for text in told(read(changes))] == [
        "pextra_vswitches[0] (br0).name",
        "pextra_port_groups[1] (DMZ).vlan",
        "pextra_instances[1] (db).nics[0].port_group",
        "pextra_instances[2] (web).name",
        "pextra_instances[2] (web).nics[0].addresses[0]",
        "pextra_pool",
    ]


def test_a_checksum_in_capitals_is_kept_in_lower_case() -> None:
    image = {"name": "tiny", "source": "https://images.example.com/a.qcow2", "sha256": "AB" * 32}
    deployment = read({"pextra_images": [image]})
    assert deployment.mistakes == ()
    assert deployment.document["images"][0]["sha256"] == "ab" * 32
