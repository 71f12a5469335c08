# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment's own Ceph in the document."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.spec import CephPool, fsid_of
from deployment_document import HOSTS, VARIABLES, read

FILE = {"file": "/srv/ceph/osd.img", "size": "4 GiB"}
CEPH: dict[str, Any] = {
    "pextra_ceph_monitors": ["node1", "node2", "node3"],
    "pextra_ceph_pools": [{"name": "vms"}],
    "pextra_pools": [*VARIABLES["pextra_pools"], {"name": "vms", "type": "rbd"}],
}


def with_osds(*osds: dict[str, Any], **more: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {**host, "pextra_ceph_osds": more.get(name, list(osds or (FILE,)))} for name, host in HOSTS.items()}


def mistakes(variables: dict[str, Any], hosts: dict[str, dict[str, Any]] | None = None) -> list[str]:
    return [str(mistake) for mistake in read({**CEPH, **variables}, hosts or with_osds()).mistakes]


def test_a_pool_in_it_needs_neither_monitors_nor_key() -> None:
    deployment = read(CEPH, with_osds())
    assert deployment.mistakes == ()
    document = deployment.document
    (pool,) = [pool for pool in document["pools"] if pool["name"] == "vms"]
    assert pool["rbd"] == {
        "monitors": ["10.91.0.11", "10.91.0.12", "10.91.0.13"],
        "pool": "vms",
        "user": "pextra-vms",
    }
    assert document["ceph"] == {
        "fsid": fsid_of("pextra"),
        "monitors": [{"name": name, "address": HOSTS[name]["ansible_host"]} for name in HOSTS],
        "pools": [{"name": "vms", "copies": 3, "min_copies": 2, "client": "pextra-vms"}],
        "osds": {name: [{"path": "/srv/ceph/osd.img", "size_mib": 4096}] for name in HOSTS},
        "clients": ["pextra-vms"],
    }


def test_without_monitors_there_is_none() -> None:
    document = read().document
    assert (document["ceph"]["monitors"], document["ceph"]["clients"]) == ([], [])


def test_a_pool_may_be_in_another_pool_of_it_or_elsewhere() -> None:
    key = "A" * 38 + "=="
    pools = [
        {"name": "fast", "type": "rbd", "rbd": {"pool": "vms"}},
        {"name": "far", "type": "rbd", "rbd": {"monitors": ["192.0.2.9"], "key": key}},
    ]
    deployment = read({**CEPH, "pextra_pools": [*VARIABLES["pextra_pools"], *pools]}, with_osds())
    assert deployment.mistakes == ()
    sources = {pool["name"]: pool.get("rbd") for pool in deployment.document["pools"]}
    assert sources["fast"]["user"] == "pextra-vms"
    assert sources["far"] == {"monitors": ["192.0.2.9"], "user": "pextra", "key": key}
    assert deployment.document["ceph"]["clients"] == ["pextra-vms"]


@pytest.mark.parametrize(("copies", "least"), [(2, 2), (3, 2), (4, 3), (5, 3)])
def test_more_than_half_of_the_copies(copies: int, least: int) -> None:
    assert CephPool(name="vms", copies=copies).least_copies == least


def test_the_identifier_follows_from_the_name() -> None:
    assert fsid_of("lab") == fsid_of("lab") != fsid_of("example")


POOLS = VARIABLES["pextra_pools"]
BAD: list[tuple[str, dict[str, Any], dict[str, dict[str, Any]] | None, str]] = [
    (
        "an even number",
        {"pextra_ceph_monitors": ["node1", "node2"]},
        None,
        "pextra_ceph_monitors: has 2 nodes; write an",
    ),
    ("a misspelt node", {"pextra_ceph_monitors": ["nod1"]}, None, 'pextra_ceph_monitors[0]: "nod1" is not a node. Did'),
    ("one twice", {"pextra_ceph_monitors": ["node1", "node1", "node2"]}, None, '"node1" is given twice'),
    ("no list", {"pextra_ceph_monitors": "node1"}, None, 'pextra_ceph_monitors: "node1" is not a list'),
    ("a number", {"pextra_ceph_monitors": [1]}, None, "pextra_ceph_monitors[0]: 1 is not a text"),
    ("no disks", {}, HOSTS, "no node gives pextra_ceph_osds"),
    ("no monitors", {"pextra_ceph_monitors": None, "pextra_pools": POOLS}, None, "there is no Ceph without monitors"),
    (
        "an unknown pool",
        {"pextra_ceph_pools": [{"name": "vm"}]},
        None,
        '"vms" is not in pextra_ceph_pools. Did you mean',
    ),
    ("a pool without a name", {"pextra_pools": [*POOLS, {"type": "rbd"}]}, None, "pextra_pools[2].name: is missing"),
    (
        "a pool whose name is a number",
        {"pextra_pools": [*POOLS, {"name": 5, "type": "rbd"}]},
        None,
        "pextra_pools[2].name: 5 is not a text",
    ),
    (
        "a pool of Ceph that is a number",
        {"pextra_pools": [*POOLS, {"name": "vms", "type": "rbd", "rbd": {"pool": 5}}]},
        None,
        "pextra_pools[2] (vms).rbd.pool: 5 is not a text",
    ),
    (
        "a pool without a name while another thing of it is wrong",
        {"pextra_ceph_monitors": ["node1", "node2"], "pextra_pools": [*POOLS, {"type": "rbd"}]},
        None,
        "pextra_pools[2].name: is missing",
    ),
    ("a pool twice", {"pextra_ceph_pools": [{"name": "vms"}, {"name": "vms"}]}, None, "is the name of two pools"),
    ("an unknown key", {"pextra_ceph_pools": [{"name": "vms", "copy": 3}]}, None, 'Did you mean "copies"?'),
    ("one copy", {"pextra_ceph_pools": [{"name": "vms", "copies": 1}]}, None, "1 is out of range; allowed is 2 to 10"),
    (
        "copies without hosts",
        {"pextra_ceph_pools": [{"name": "vms", "copies": 4}]},
        None,
        "4 copies need as many nodes",
    ),
    (
        "too many at least",
        {"pextra_ceph_pools": [{"name": "vms", "min_copies": 4}]},
        None,
        "4 is more than the 3 copies",
    ),
    ("a path as a name", {"pextra_ceph_pools": [{"name": "../vms"}]}, None, "is no name of this kind"),
    ("a name with a dash", {"pextra_ceph_pools": [{"name": "--vms"}]}, None, "is no name of this kind"),
    (
        "a key for what is derived",
        {"pextra_pools": [*POOLS, {"name": "vms", "type": "rbd", "rbd": {"user": "admin"}}]},
        None,
        "rbd.user: is derived for a pool",
    ),
    ("a name that does not last", {}, with_osds({"device": "/dev/sda"}), '"/dev/sda" is no lasting name'),
    ("a name that climbs", {}, with_osds({"device": "/dev/disk/by-id/../../sda"}), "is no lasting name"),
    ("a disk with a size", {}, with_osds({"device": "/dev/vg0/osd", "size": "4 GiB"}), "a disk has its own size"),
    ("a file without a size", {}, with_osds({"file": "/srv/ceph/osd.img"}), "a file needs size"),
    ("neither", {}, with_osds({}), "write either device"),
    ("both", {}, with_osds({**FILE, "device": "/dev/vg0/osd"}), "write either device"),
    ("a tiny file", {}, with_osds({**FILE, "size": "10 MiB"}), "10 MiB is out of range"),
    ("a file that climbs", {}, with_osds({**FILE, "file": "/srv/../etc/passwd"}), "is not the path of a file"),
    ("a disk twice", {}, with_osds(FILE, FILE), '"/srv/ceph/osd.img" is given twice'),
]


@pytest.mark.parametrize(("variables", "hosts", "expected"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_mistakes(variables: dict[str, Any], hosts: dict[str, dict[str, Any]] | None, expected: str) -> None:
    found = mistakes(variables, hosts)
    assert any(expected in text for text in found), found


@pytest.mark.parametrize(
    "pool", [{}, {"name": 5}, {"name": "vms", "rbd": {"pool": 5}}, {"name": "x", "rbd": {"pool": 0}}]
)
def test_a_pool_that_is_wrong_is_told_once(pool: dict[str, Any]) -> None:
    assert len(mistakes({"pextra_pools": [*POOLS, {"type": "rbd", **pool}]})) == 1


def test_every_mistake_names_its_place_once() -> None:
    found = mistakes({"pextra_ceph_monitors": ["nod1", "node2"], "pextra_ceph_pools": [{"name": "vms", "copies": 0}]})
    assert len(found) == len(set(found)) == 3
