# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources that cannot be used: each is told with its cause, all at once, and hurts no other pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.integration.lab import Site
from tests.storage.storage_node import SERVER, StorageNode

IQN = "iqn.2026-01.com.example:lab"
NFS = {"host": SERVER, "export": "/srv/nfs/vms", "format": "nfs"}
SMB = {"host": SERVER, "export": "closed", "format": "cifs"}

# Found out before anything is defined on the node.
BEFOREHAND: dict[str, tuple[dict[str, Any], str]] = {
    "no-group": ({"type": "lvm"}, "the node has no volume group no-group; it has vg0"),
    "no-export": (
        {"type": "netfs", "netfs": {**NFS, "export": "/srv/nfs/none"}},
        f"{SERVER} has no export /srv/nfs/none; it has /srv/nfs/vms",
    ),
    "no-host": ({"type": "netfs", "netfs": {**NFS, "host": "10.0.2.77"}}, "10.0.2.77 port 2049 does not answer"),
    "no-target": (
        {"type": "iscsi", "iscsi": {"host": SERVER, "target": f"{IQN}-none"}},
        f"{SERVER} has no target {IQN}-none; it has {IQN}",
    ),
}
# Found out when libvirt starts the pool.
STARTING: dict[str, tuple[dict[str, Any], str]] = {
    "no-zpool": ({"type": "zfs"}, "the node has no zpool no-zpool"),
    "no-share": ({"type": "netfs", "netfs": {**SMB, "export": "none"}}, "mount error(2)"),
    "taken-share": ({"type": "netfs", "netfs": SMB}, "Storage source conflict with pool: 'closed'"),
}
BAD = {**BEFOREHAND, **STARTING}


def told_by(result: Mapping[str, Any]) -> dict[str, str]:
    """Return what a failed module says of each pool on the node."""
    assert result.get("failed"), result
    return {error["resource"].removeprefix("pool "): error["what"] for error in result["errors"]}


def test_bad_sources_are_told_with_their_causes(cloud: Site, node: StorageNode) -> None:
    bad = [{"name": name, "nodes": ["node1"], **options} for name, (options, _) in BAD.items()]
    good = {"name": "more", "nodes": ["node1"]}
    try:
        task = {"pextra.cloud.pextra_pool": {"pools": [*bad, good]}, "ignore_errors": True}
        first, second = cloud.play([task, task])
        assert told_by(first).keys() == BAD.keys()
        assert told_by(second) == told_by(first)  # and so again the next time
        for name, (_, cause) in BAD.items():
            assert cause in told_by(first)[name]
        known = {pool["name"]: pool for pool in cloud.module("pextra_pool_info")["pools"]}
        for name in BAD:
            assert known[name]["status"] == "error"
            assert known[name]["nodes"][0]["error"] == told_by(first)[name]
        assert {pool["status"] for name, pool in known.items() if name not in BAD} == {"available"}
        defined = set(node.sh("virsh -q pool-list --all --name").split())
        assert not defined & BEFOREHAND.keys()
        assert "more" in defined
    finally:
        gone = [{"name": name, "state": "absent"} for name in (*BAD, "more")]
        cloud.module("pextra_pool", pools=gone)
    left = node.sh("virsh -q pool-list --all --name; findmnt --noheadings --raw --output TARGET")
    assert not [name for name in (*BAD, "/more") if name in left], left


def test_a_wrong_password_of_chap(cloud: Site, node: StorageNode, declared: Mapping[str, dict[str, Any]]) -> None:
    """A second pool of the target would use the session of the first, so the one that is there goes first."""
    right = declared["san"]
    wrong = {**right, "iscsi": {**right["iscsi"], "password": "planted-but-wrong"}}

    def having(pool: Mapping[str, Any]) -> dict[str, Any]:
        return {"pextra.cloud.pextra_pool": {"pools": [dict(pool)]}, "ignore_errors": True}

    gone, refused, corrected, again = cloud.play(
        [having({"name": "san", "state": "absent"}), having(wrong), having(right), having(right)]
    )
    assert gone["changed"]
    assert "authorization failure" in told_by(refused)["san"]
    assert corrected["pools"][0]["status"] == "available"
    assert corrected["changed"]
    assert not again["changed"]
    assert node.sh("journalctl --no-pager | grep -F planted-but-wrong || true") == ""


def test_something_else_is_mounted_there(cloud: Site, node: StorageNode) -> None:
    """libvirt would mount over it and hide it. Preflight, which sees the host itself, refuses."""
    node.sh("mkdir -p /srv/taken; mount -t tmpfs planted /srv/taken")
    try:
        taken = {"name": "taken", "type": "netfs", "path": "/srv/taken", "netfs": NFS}
        with cloud.overlay({"pextra_pools": [{"name": "local"}, taken]}) as extra:
            refused = cloud.run("--tags", "preflight", *extra)
        assert refused.code != 0
        assert "planted mounted at /srv/taken" in " ".join(refused.output.split())
        assert "taken" not in node.sh("virsh -q pool-list --all --name").split()
    finally:
        node.sh("umount /srv/taken; rmdir /srv/taken")
