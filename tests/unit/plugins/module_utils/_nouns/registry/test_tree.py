# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree that ends a run: what a person must be able to see at a glance."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.registry.tree import render_tree

CLOUD: dict[str, list[dict[str, Any]]] = {
    "organizations": [{"name": "acme"}],
    "datacenters": [{"name": "Montreal", "organization": "acme"}],
    "clusters": [{"name": "mtl-1", "datacenter": "Montreal"}],
    "nodes": [
        {
            "name": "node1",
            "address": "192.0.2.11",
            "cluster": "mtl-1",
            "health": "healthy",
            "virt_type": "kvm",
            "facts": {"memory": 8192},
        },
        {"name": "node2", "address": "192.0.2.12", "cluster": "mtl-1", "health": "unreachable", "reason": "no route"},
    ],
    "pools": [
        {
            "name": "shared",
            "cluster": "mtl-1",
            "type": "netfs",
            "status": "error",
            "capacity": 80 * 1024**3,
            "available": 50 * 1024**3,
            "nodes": [
                {"name": "node1", "status": "available", "error": None, "error_at": None},
                {"name": "node2", "status": "error", "error": "no answer", "error_at": 1764079330.0},
            ],
        },
        {
            "name": "vg0",
            "cluster": "mtl-1",
            "type": "lvm",
            "status": "unassigned",
            "capacity": 0,
            "available": 0,
            "nodes": [],
        },
        {
            "name": "elsewhere",
            "cluster": "mtl-2",
            "type": "directory",
            "status": "available",
            "capacity": 1,
            "available": 1,
            "nodes": [{"name": "node1", "status": "available", "error": None, "error_at": None}],
        },
    ],
    "vswitches": [
        {
            "name": "svswitch10",
            "cluster": "mtl-1",
            "nodes": [
                {
                    "node": "node1",
                    "uplinks": [{"name": "eth1", "link": "up", "active": True}, {"name": "eth2", "link": "down"}],
                }
            ],
        }
    ],
    "instances": [
        {
            "name": "web-1",
            "cluster": "mtl-1",
            "node": "node1",
            "power": "running",
            "memory": 512,
            "nics": [{"port_group": "Production", "addresses": ["172.20.0.11/24"]}],
        },
        {"name": "db", "cluster": "mtl-1", "node": "node1", "power": "stopped", "memory": 4096, "nics": []},
        {"name": "lost", "cluster": "mtl-1", "node": None, "power": "undefined", "memory": 512, "nics": []},
    ],
}


def tree(declared: dict[str, str] | None = None, **changed: list[dict[str, Any]]) -> list[str]:
    return render_tree(**{**CLOUD, **changed}, declared=declared or {})


def test_the_heading_says_where_and_how_well() -> None:
    heading = tree({"web-1": "running", "db": "running"})[0]
    assert heading.startswith("acme · Montreal · mtl-1  ")
    assert heading.endswith("1 of 2 nodes healthy · 1 of 2 instances as declared")


def test_without_a_declaration_instances_are_counted() -> None:
    assert tree()[0].endswith("3 instances")


def test_a_node_shows_what_it_has() -> None:
    assert tree()[1] == ("├─ node1  192.0.2.11  kvm  mem 0.5/8.0 GiB  pools shared ✓  svswitch10 ✓ eth1* eth2 ✗")


def test_pools_tell_their_space_and_what_is_wrong_with_them() -> None:
    lines = tree()
    begin = next(index for index, line in enumerate(lines) if "pool shared" in line)
    assert lines[begin : begin + 3] == [
        "├─ pool shared  netfs  error       50.0 of 80.0 GiB free",
        "│   └─ node2: no answer, since 2025-11-25 14:02:10 UTC",
        "└─ pool vg0     lvm    unassigned",
    ]


def test_volumes_hang_below_their_pool() -> None:
    volume = {
        "cluster": "mtl-1",
        "pool": "shared",
        "node": None,
        "size": 2048,
        "status": "available",
        "attached_to": None,
    }
    volumes = [
        {**volume, "name": "data", "status": "attached", "attached_to": "db"},
        {**volume, "name": "b", "size": 100, "node": "node1"},
        {**volume, "name": "half", "size": None, "status": "unfinished"},
        {**volume, "name": "other", "cluster": "mtl-2"},
    ]
    lines = tree(volumes=volumes)
    begin = next(index for index, line in enumerate(lines) if "pool shared" in line)
    assert lines[begin + 1 : begin + 5] == [
        "│   ├─ node2: no answer, since 2025-11-25 14:02:10 UTC",
        "│   ├─ volume data  2 GiB  attached to db",
        "│   ├─ volume b     100 MiB  on node1  available",
        "│   └─ volume half  ?  ✗ unfinished",
    ]


def test_instances_hang_below_their_node_by_name() -> None:
    assert tree()[2:4] == [
        "│   ├─ db     stopped",
        "│   └─ web-1  running   172.20.0.11  Production",
    ]


def test_a_node_that_does_not_answer_says_why() -> None:
    assert "├─ node2  192.0.2.12  ✗ unreachable: no route" in tree()


def test_an_instance_on_no_node_is_not_forgotten() -> None:
    assert tree()[-1] == "    lost   undefined   on no node"


@pytest.mark.parametrize("status", ["error", "propagating", "destroying"])
def test_a_pool_that_is_not_available_says_so(status: str) -> None:
    node = {"name": "node1", "status": status, "error": None, "error_at": None}
    pools = [{**CLOUD["pools"][0], "nodes": [node]}]
    assert f"pools shared ✗ {status}" in tree(pools=pools)[1]


def test_a_node_without_kvm_says_so() -> None:
    nodes = [{**CLOUD["nodes"][0], "virt_type": "qemu"}]
    assert "  no KVM  " in tree(nodes=nodes)[1]


def test_it_fits_on_a_screen() -> None:
    """Two storage pools, and a vSwitch with two uplinks, as most nodes have them."""
    pool = CLOUD["pools"][0]
    nodes = [{**CLOUD["nodes"][0], "virt_type": "qemu", "address": "192.168.1.11"}]
    lines = tree({"web-1": "running"}, nodes=nodes, pools=[{**pool, "name": "local"}, {**pool, "name": "shared"}])
    assert max(map(len, lines)) < 100


def test_each_cluster_has_its_own_tree() -> None:
    clusters = [*CLOUD["clusters"], {"name": "mtl-2", "datacenter": "Montreal"}]
    assert [line for line in tree(clusters=clusters) if line.startswith("acme")][1].endswith(
        "0 of 0 nodes healthy · 0 instances"
    )


def test_an_empty_cloud_is_an_empty_tree() -> None:
    assert tree(clusters=[], nodes=[], instances=[]) == []


def test_what_follows_addresses_is_aligned() -> None:
    nics = [{"port_group": "Production", "addresses": [address]} for address in ("10.0.0.7/8", "172.20.0.11/24")]
    cloud = {
        **CLOUD,
        "instances": [
            {**CLOUD["instances"][0], "name": f"web-{number}", "nics": [nic]} for number, nic in enumerate(nics)
        ],
    }
    lines = [line for line in render_tree(**cloud, declared={}) if "web-" in line]
    assert [line.index("Production") for line in lines] == [lines[0].index("Production")] * 2
