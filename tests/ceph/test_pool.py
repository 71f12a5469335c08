# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage pool in Ceph: on all nodes, written and read, disabled, destroyed; and what refuses to be one."""

from __future__ import annotations

import pytest

from tests.ceph.ceph import POOL, Ceph
from tests.integration.lab import Site

WRONG_KEY = "AQDplantedsecretplantedsecretplanted000=="[:38] + "=="


def statuses(cloud: Site) -> dict[str, str]:
    return {pool["name"]: pool["status"] for pool in cloud.module("pextra_pool_info")["pools"]}


def test_it_is_available_on_all_nodes(cloud: Site) -> None:
    assert statuses(cloud)[POOL] == "available"
    for node in cloud.lab.nodes:
        assert POOL in cloud.lab.exec(node, "virsh", "pool-list", "--name").split()


def test_what_one_node_writes_another_reads(cloud: Site, ceph: Ceph, volume: str) -> None:
    for node in ("node1", "node2"):
        ceph.give_key(node)
    ceph.qemu_io("node1", volume, "write -P 0xa5 0 8M", "write -P 0x5a 32M 4M", "flush")
    ceph.qemu_io("node2", volume, "read -P 0xa5 0 8M", "read -P 0x5a 32M 4M", "read -P 0 16M 4M")
    cloud.lab.exec("node3", "virsh", "pool-refresh", POOL)
    assert volume in cloud.lab.exec("node3", "virsh", "vol-list", POOL)


def test_it_is_disabled_and_destroyed_without_a_trace(cloud: Site, ceph: Ceph) -> None:
    pool = {"name": "passing", "type": "rbd", "rbd": {"pool": POOL, "user": "pextra-vms"}}
    addresses = [monitor["address"] for monitor in cloud.document()["ceph"]["monitors"]]
    whole = {**pool, "rbd": {**pool["rbd"], "monitors": addresses, "key": ceph.key()}}
    secrets = {node: cloud.lab.exec(node, "virsh", "secret-list") for node in cloud.lab.nodes}
    assert cloud.module("pextra_pool", pools=[whole])["changed"] is True
    assert cloud.module("pextra_pool", pools=[whole])["changed"] is False
    assert statuses(cloud)["passing"] == "available"
    cloud.module("pextra_pool", pools=[{**whole, "nodes": []}])
    assert statuses(cloud)["passing"] == "unassigned"
    cloud.module("pextra_pool", pools=[{"name": "passing", "state": "absent"}])
    assert "passing" not in statuses(cloud)
    for node in cloud.lab.nodes:
        assert "passing" not in cloud.lab.exec(node, "virsh", "pool-list", "--all", "--name").split()
        assert cloud.lab.exec(node, "virsh", "secret-list") == secrets[node]
    assert statuses(cloud)[POOL] == "available"


@pytest.mark.parametrize(
    ("is_reachable", "key", "cause"),
    [
        (True, WRONG_KEY, "failed to connect to the RADOS"),
        (False, None, "no monitor of Ceph answers"),
    ],
    ids=["a wrong key", "monitors that do not answer"],
)
def test_a_source_that_cannot_be_used_is_told(
    cloud: Site, ceph: Ceph, is_reachable: bool, key: str | None, cause: str
) -> None:
    known = [monitor["address"] for monitor in cloud.document()["ceph"]["monitors"]]
    # Nobody has the other address, which is in the nodes' own network.
    monitors = known if is_reachable else [f"{known[0].rpartition('.')[0]}.99"]
    source = {"monitors": monitors, "pool": POOL, "user": "pextra-vms", "key": key or ceph.key()}
    try:
        failed = cloud.refused_module("pextra_pool", pools=[{"name": "wrong", "type": "rbd", "rbd": source}])
        assert {error["node"] for error in failed["errors"]} == set(cloud.lab.nodes)
        assert all(cause in error["what"] for error in failed["errors"]), failed["errors"]
        assert source["key"] not in str(failed)
        assert statuses(cloud) == {"local": "available", "shared": "available", POOL: "available", "wrong": "error"}
    finally:
        cloud.module("pextra_pool", pools=[{"name": "wrong", "state": "absent"}])
    assert "wrong" not in statuses(cloud)
