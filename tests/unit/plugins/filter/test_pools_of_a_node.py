# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node mounts for its pools, and with which accounts."""

from __future__ import annotations

from typing import Any

from ansible_collections.pextra.cloud.plugins.filter.network_mounts import network_mounts
from ansible_collections.pextra.cloud.plugins.filter.pool_directories import pool_directories
from ansible_collections.pextra.cloud.plugins.filter.smb_accounts import smb_accounts

NFS = {"host": "192.0.2.9", "export": "/export/vms", "format": "nfs", "username": None, "password": None}
SMB = {"host": "nas.example.com", "export": "vms", "format": "cifs", "username": "vms", "password": "planted"}
POOLS: list[dict[str, Any]] = [
    {"name": "local", "type": "directory", "path": None, "netfs": None, "nodes": ["node1"], "state": "present"},
    {"name": "nfs", "type": "netfs", "path": "/srv/nfs", "netfs": NFS, "nodes": ["node1", "node2"], "state": "present"},
    {"name": "six", "type": "netfs", "path": None, "netfs": {**NFS, "host": "2001:db8::9"}, "nodes": ["node1"]},
    {"name": "smb", "type": "netfs", "path": None, "netfs": SMB, "nodes": ["node1"], "state": "present"},
    {"name": "old", "type": "netfs", "path": None, "netfs": SMB, "nodes": ["node1"], "state": "absent"},
]


def test_mounts() -> None:
    assert network_mounts(POOLS, "node1") == [
        {"pool": "nfs", "path": "/srv/nfs", "source": "192.0.2.9:/export/vms"},
        {"pool": "six", "path": "/var/lib/pextra/pools/six", "source": "[2001:db8::9]:/export/vms"},
        {"pool": "smb", "path": "/var/lib/pextra/pools/smb", "source": "//nas.example.com/vms"},
    ]
    assert [mount["pool"] for mount in network_mounts(POOLS, "node2")] == ["nfs"]
    assert network_mounts(POOLS, "node3") == []


def test_directories() -> None:
    assert pool_directories(POOLS, "node2") == [{"pool": "nfs", "path": "/srv/nfs"}]
    assert pool_directories(POOLS, "node3") == []
    everywhere = pool_directories([{**pool, "path": "/srv/a"} for pool in POOLS], "node1")
    assert [one["pool"] for one in everywhere] == ["local", "nfs", "six", "smb"]


def test_accounts() -> None:
    assert smb_accounts(POOLS, "node1") == [{"pool": "smb", "username": "vms", "password": "planted"}]
    assert smb_accounts(POOLS, "node2") == []
