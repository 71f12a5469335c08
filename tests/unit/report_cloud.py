# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud of any size, as the modules that read tell of it, and a document: for tests of the page that shows one."""

from __future__ import annotations

from typing import Any

from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_cloud import Answers

GIB = 1024**3
AT = 1_795_964_400.0
GROUPS = {"Production": 42, "DMZ": 99, "Backup": None}


DOCUMENT: dict[str, Any] = {
    "deployment_name": "lab",
    "datacenters": [{"name": "Montreal", "organization": "acme"}],
    "clusters": [{"name": "mtl-1", "datacenter": "Montreal", "vcpus_per_thread": 4.0, "state": "present"}],
    "nodes": [
        {"name": "node1", "cluster": "mtl-1", "address": "192.0.2.11"},
        {"name": "node2", "cluster": "mtl-1", "address": "192.0.2.12", "memory_reserved": "2 GiB"},
        {"name": "gone", "cluster": "mtl-1", "state": "absent"},
    ],
    "memory": {"node1": 8192, "node2": 8192},
    "pools": [
        {"name": "local", "cluster": "mtl-1", "type": "directory", "path": "/srv/local", "nodes": ["node1", "node2"]},
        {"name": "ceph", "cluster": "mtl-1", "type": "rbd", "nodes": ["node1", "node2"]},
    ],
    "vswitches": [{"name": "svswitch1", "cluster": "mtl-1", "uplinks": ["eth1"], "nodes": ["node1", "node2"]}],
    "port_groups": [
        {"name": "Production", "cluster": "mtl-1", "vswitch": "svswitch1", "vlan": 42},
        {"name": "Elsewhere", "cluster": "mtl-1", "vswitch": "svswitch2", "vlan": 1},
    ],
    "images": [{"name": "debian", "cluster": "mtl-1", "format": "qcow2", "kind": "disk", "pools": ["local", "ceph"]}],
    "instances": [
        {
            "name": "web-1",
            "cluster": "mtl-1",
            "power": "running",
            "memory": "1 GiB",
            "vcpus": 2,
            "image": "debian",
            "root": {"pool": "local", "size": "4 GiB"},
            "volumes": [{"name": "data", "pool": "ceph", "size": "10 GiB"}],
            "nics": [{"port_group": "Production", "addresses": ["192.0.2.20/24"]}],
            "cloud_init": {"user_data": "password: secret-of-web"},
        },
        {"name": "old", "cluster": "mtl-1", "adopt": True},
        {"name": "gone", "cluster": "mtl-1", "state": "absent"},
        {"name": "elsewhere", "cluster": "mtl-2"},
    ],
    "volumes": [{"name": "data", "cluster": "mtl-1", "pool": "ceph", "size": "1 GiB", "attached_to": "web-1"}],
}


def make_cloud(nodes: int = 3, instances: int = 9) -> dict[str, Any]:
    """Return what pextra_deployment_info returns of a cloud in which all is well."""
    names = [f"node{number}" for number in range(1, nodes + 1)]
    return {
        "organizations": [{"name": "acme"}],
        "datacenters": [{"name": "Montreal", "organization": "acme"}],
        "clusters": [{"name": "mtl-1", "datacenter": "Montreal", "vcpus_per_thread": 4.0, "description": "Production"}],
        "nodes": [_node(name, number) for number, name in enumerate(names, 1)],
        "pools": [_pool("local", "directory", names), _pool("shared", "netfs", names)],
        "vswitches": [_vswitch(names)],
        "instances": [_instance(number, names[(number + number // 4) % nodes]) for number in range(1, instances + 1)],
        "volumes": [
            {
                "name": "archive",
                "cluster": "mtl-1",
                "pool": "shared",
                "node": None,
                "size": 51200,
                "status": "available",
                "attached_to": None,
            }
        ],
    }


def make_images(nodes: int = 3) -> list[dict[str, Any]]:
    """Return what pextra_image_info returns of it."""
    return [
        {
            "name": "debian-12",
            "cluster": "mtl-1",
            "kind": "disk",
            "format": "qcow2",
            "number": 2,
            "size": 345178112,
            "virtual_size": 2 * GIB,
            "description": "Debian 12, generic cloud image",
            "copies": [
                {"pool": "local", "node": f"node{number}", "status": "complete"} for number in range(1, nodes + 1)
            ]
            + [{"pool": "shared", "node": None, "status": "complete"}],
            "used_by": [{"type": "instance", "name": "web-1"}],
        }
    ]


def make_events(count: int = 12) -> list[dict[str, Any]]:
    """Return what pextra_registry_info returns of it."""
    return [
        {
            "at": AT - 61.5 * number,
            "run": "7f3a91c2",
            "actor": "alice at node1",
            "kind": "instance",
            "resource": "inst-qthm_iLrflJ_DtSS1l4Gx",
            "name": f"web-{number + 1}",
            "node": f"node{number % 3 + 1}",
            "what": "create volume root in shared, define, start",
            "outcome": "failed" if number % 7 == 5 else "done",
        }
        for number in range(count)
    ]


def make_document(cloud: dict[str, Any]) -> dict[str, Any]:
    """Return as much of the document as the page of the living cloud needs."""
    instances = [{"name": one["name"], "cluster": one["cluster"], "power": one["power"]} for one in cloud["instances"]]
    return {"deployment_name": "acme cloud", "instances": instances}


def make_answers(nodes: int = 3, instances: int = 9, **changed: Any) -> Answers:
    """Return all of it. changed: what is to be otherwise."""
    cloud = make_cloud(nodes, instances)
    given: dict[str, Any] = {
        "document": make_document(cloud),
        "cloud": cloud,
        "images": make_images(nodes),
        "events": make_events(),
        "check": {"actions": [], "pending": [], "diff": []},
    }
    return Answers(**{**given, **changed})


def make_troubled(nodes: int = 3, instances: int = 9) -> Answers:
    """Return a cloud in which something of every kind is not well, or not as declared."""
    cloud = make_cloud(nodes, instances)
    document = make_document(cloud)
    last = cloud["nodes"][-1]
    last.update(health="unreachable", reason="10.91.0.13 port 16514 does not answer within 5 s", facts=None)
    for one in cloud["instances"]:
        if one["node"] == last["name"]:
            one["power"] = "unknown"
    cloud["instances"][0]["power"] = "stopped"
    cloud["vswitches"][0]["nodes"][0]["uplinks"][1].update(link="down")
    cloud["vswitches"][0]["nodes"][-1].update(status="unreachable", uplinks=[])
    cloud["pools"][1].update(status="error")
    cloud["pools"][1]["nodes"][1].update(status="error", error="10.91.0.50 does not answer", capacity=0)
    cloud["volumes"][0]["status"] = "missing"
    images = make_images(nodes)
    images[0]["copies"][1]["status"] = "missing"
    check = {
        "actions": ["instance web-1 on node2: start", "port_group Production on node2: tag its ports"],
        "pending": [
            {
                "kind": "instance",
                "name": "web-2",
                "node": "node3",
                "option": "memory",
                "before": 512,
                "after": 1024,
                "when": "next_boot",
            }
        ],
        "diff": [
            {
                "before_header": "instance web-1 on node2",
                "before": "power: stopped\nvcpus: 2",
                "after_header": "instance web-1 on node2",
                "after": "power: running\nvcpus: 2",
            }
        ],
    }
    problems = [{"node": last["name"], "what": last["reason"], "remedy": "Check that the node is up."}]
    return Answers(document=document, cloud=cloud, images=images, events=make_events(), check=check, problems=problems)


def _node(name: str, number: int) -> dict[str, Any]:
    return {
        "name": name,
        "cluster": "mtl-1",
        "address": f"10.91.0.{10 + number}",
        "health": "healthy",
        "reason": None,
        "virt_type": "kvm",
        "description": f"Rack {number}",
        "memory_reserved": None,
        "facts": {"memory": 262144, "cores": 64},
    }


def _pool(name: str, kind: str, nodes: list[str]) -> dict[str, Any]:
    size = {"capacity": 4000 * GIB, "available": 2650 * GIB}
    count = 1 if kind == "netfs" else len(nodes)
    return {
        "name": name,
        "cluster": "mtl-1",
        "type": kind,
        "path": f"/srv/{name}",
        "shared": kind == "netfs",
        "status": "available",
        "description": "",
        "capacity": size["capacity"] * count,
        "available": size["available"] * count,
        "nodes": [{"name": node, "status": "available", "error": None, **size} for node in nodes],
    }


def _vswitch(nodes: list[str]) -> dict[str, Any]:
    uplinks = [{"name": "enp1s0f0", "link": "up", "active": True}, {"name": "enp1s0f1", "link": "up", "active": False}]
    return {
        "name": "svswitch10",
        "cluster": "mtl-1",
        "description": "Trunk to the core switches",
        "bond_mode": "active-backup",
        "uplinks": ["enp1s0f0", "enp1s0f1"],
        "nodes": [
            {"node": node, "status": "available", "reason": None, "uplinks": [dict(uplink) for uplink in uplinks]}
            for node in nodes
        ],
        "port_groups": [{"name": name, "vlan": vlan} for name, vlan in GROUPS.items()],
    }


def _instance(number: int, node: str) -> dict[str, Any]:
    group = "DMZ" if number % 4 == 0 else "Production"
    role = ("web", "db", "mail", "proxy")[number % 4 - 1]
    return {
        "name": f"{role}-{number}",
        "cluster": "mtl-1",
        "organization": "acme",
        "node": node,
        "power": "stopped" if number % 9 == 0 else "running",
        "type": "qemu",
        "vcpus": 1 + number % 4,
        "memory": (256, 512, 1024)[number % 3],
        "image": "debian-12",
        "flavor": "small",
        "description": "Started when it is needed" if number % 9 == 0 else "",
        "started": None if number % 9 == 0 else "2026-11-29T15:04:09Z",
        "tags": [role],
        "volumes": [{"name": "root", "pool": "shared" if number % 2 else "local", "size": 10240}],
        "nics": [{"port_group": group, "addresses": [f"172.20.{number // 250}.{number % 250 + 1}/16"]}],
    }
