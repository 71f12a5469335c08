# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools whose source cannot be used: each is told with its cause, and the others are unaffected."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.lab import Lab, Site

PASSWORD = "planted-chap-secret"
POOLS: list[dict[str, Any]] = [
    {"name": "nfs", "type": "netfs", "netfs": {"host": "10.91.0.11", "export": "/export"}, "nodes": ["node2"]},
    {"name": "vg0", "type": "lvm", "nodes": ["node3"]},
    {
        "name": "san",
        "type": "iscsi",
        "nodes": ["node2"],
        "iscsi": {
            "host": "10.91.0.13",
            "target": "iqn.2026-01.com.example:a",
            "username": "pextra",
            "password": PASSWORD,
        },
    },
]
CAUSES = {
    ("node2", "pool nfs"): "10.91.0.11 port 2049 cannot be reached",
    ("node3", "pool vg0"): "the node has no volume group vg0; it has none",
    ("node2", "pool san"): "10.91.0.13 port 3260 cannot be reached",
}


@pytest.mark.long
def test_a_source_that_cannot_be_used_is_told_with_its_cause(converged: Site, lab: Lab) -> None:
    lab.sh("node3", "command -v vgs || { apt-get update && apt-get install --yes --no-install-recommends lvm2; }")
    try:
        for _ in range(2):  # and so again the next time
            failed = converged.refused_module("pextra_pool", pools=[*POOLS, {"name": "more", "nodes": ["node1"]}])
            found = {(error["node"], error["resource"]): error["what"] for error in failed["errors"]}
            assert found.keys() == CAUSES.keys()
            assert all(found[key].startswith(cause) for key, cause in CAUSES.items())
            assert PASSWORD not in str(failed)
        assert failed["changed"] is False
        statuses = {pool["name"]: pool["status"] for pool in converged.module("pextra_pool_info")["pools"]}
        assert statuses == {
            "local": "available",
            "shared": "available",
            "more": "available",
            "nfs": "error",
            "vg0": "error",
            "san": "error",
        }
        assert "more" in lab.exec("node1", "virsh", "pool-list", "--name").split()
        for node in lab.nodes:
            assert not {"nfs", "vg0", "san"} & set(lab.exec(node, "virsh", "pool-list", "--all", "--name").split())
            assert lab.sh(node, f"journalctl --no-pager | grep -c {PASSWORD} || true").strip() == "0"
    finally:
        names = ("nfs", "vg0", "san", "more")
        removed = converged.module("pextra_pool", pools=[{"name": name, "state": "absent"} for name in names])
    assert removed["changed"] is True
    assert {pool["name"] for pool in converged.module("pextra_pool_info")["pools"]} == {"local", "shared"}
    assert "more" not in lab.exec("node1", "virsh", "pool-list", "--all", "--name").split()
