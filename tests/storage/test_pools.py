# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every type of pool that one host can have, from being declared to leaving nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration.lab import Site
from tests.storage.storage_node import STATE, StorageNode

POOLS = ("local", "nfs", "share", "closed", "san", "vg0", "tank")

# Nothing in it can be taken for what was there before, and the second pattern shows that a difference is seen.
WRITE_AND_READ = """
udevadm settle
path=$(virsh vol-path --pool {pool} {volume})
{as_user} qemu-io -f raw -c 'write -P 0x5a 1M 8M' -c flush "$path"
sync
echo 3 >/proc/sys/vm/drop_caches
qemu-io -f raw -r -c 'read -P 0x5a 1M 8M' "$path" 2>&1 | sed 's/^/same: /'
qemu-io -f raw -r -c 'read -P 0x5b 1M 8M' "$path" 2>&1 | sed 's/^/other: /'
"""


def having(pools: Mapping[str, dict[str, Any]], *, check: bool = False, **changes: Any) -> dict[str, Any]:
    """Return the task that has all pools, with changes."""
    options = {"pools": [{**pools[name], **changes} for name in POOLS]}
    return {"pextra.cloud.pextra_pool": options, "check_mode": check, "ignore_errors": True}


def statuses(cloud: Site) -> dict[str, str]:
    return {pool["name"]: pool["status"] for pool in cloud.module("pextra_pool_info")["pools"]}


def must_be_honest(cloud: Site, node: StorageNode, uuids: Mapping[str, str], task: dict[str, Any]) -> None:
    """A check says what the run then does, for every pool, and changes nothing; a second run has nothing to do."""
    there = node.leftovers(uuids)
    (checked,) = cloud.play([{**task, "check_mode": True}])
    assert not checked.get("failed"), checked.get("msg")
    assert node.leftovers(uuids) == there
    done, again, checked_again = cloud.play([task, task, {**task, "check_mode": True}])
    assert not done.get("failed"), done.get("msg")
    assert checked["changed"] is done["changed"] is True
    assert checked["actions"] == done["actions"]
    for name in POOLS:
        assert any(f"pool {name}" in action for action in done["actions"]), done["actions"]
    assert (again["changed"], again["actions"]) == (False, [])
    assert (checked_again["changed"], checked_again["actions"]) == (False, [])


@pytest.fixture(scope="module")
def uuids(cloud: Site, node: StorageNode) -> dict[str, str]:
    """libvirt's identifier of every pool."""
    found = node.sh("".join(f"virsh pool-uuid {name}\n" for name in POOLS)).split()
    return dict(zip(POOLS, found, strict=True))


def test_all_are_available(cloud: Site, node: StorageNode) -> None:
    assert statuses(cloud) == dict.fromkeys(POOLS, "available")
    for information in node.sh("".join(f"virsh pool-info {name}; echo @\n" for name in POOLS)).split("@")[:-1]:
        assert "running" in information
        assert "Autostart:      yes" in information


@pytest.mark.parametrize("name", POOLS)
def test_a_volume_keeps_what_is_written_to_it(name: str, cloud: Site, node: StorageNode) -> None:
    if name == "san":  # its units are the target's
        volumes = node.sh(f"virsh -q vol-list {name} | awk '{{ print $1 }}'").split()
        assert volumes == ["unit:0:0:0", "unit:0:0:1"]
        volume = volumes[1]
    else:
        volume = "pattern"
        node.sh(f"virsh -q vol-create-as {name} {volume} 64MiB --format raw")
    # A share has no owners that libvirt could change: what is in it must be QEMU's anyway.
    as_user = "runuser -u libvirt-qemu --" if name in ("share", "closed") else ""
    seen = node.sh(WRITE_AND_READ.format(pool=name, volume=volume, as_user=as_user))
    assert "same: read 8388608/8388608 bytes" in seen, seen
    assert "same: Pattern verification failed" not in seen, seen
    assert "other: Pattern verification failed" in seen, seen


@pytest.mark.parametrize("changes", [{"nodes": []}, {"state": "absent"}], ids=str)
def test_while_they_hold_volumes_they_stay(
    changes: Mapping[str, Any], cloud: Site, node: StorageNode, declared: Mapping[str, dict[str, Any]]
) -> None:
    (refused,) = cloud.play([having(declared, **changes)])
    assert refused["failed"]
    told = {error["resource"] for error in refused["errors"] if "holds volumes in it: pattern" in error["what"]}
    assert told == {f"pool {name}" for name in POOLS if name != "san"}
    assert sorted(node.sh("virsh -q pool-list --name").split()) == sorted(POOLS)


def test_off_their_node_and_back_destroyed_and_declared_anew(
    cloud: Site, node: StorageNode, declared: Mapping[str, dict[str, Any]], uuids: Mapping[str, str]
) -> None:
    node.sh("".join(f"virsh -q vol-delete --pool {name} pattern\n" for name in POOLS if name != "san"))
    nothing = dict.fromkeys(POOLS, "")
    there = node.leftovers(uuids)
    assert all(there.values())

    must_be_honest(cloud, node, uuids, having(declared, nodes=[]))
    assert node.leftovers(uuids) == nothing
    assert statuses(cloud) == dict.fromkeys(POOLS, "unassigned")
    must_be_honest(cloud, node, uuids, having(declared))
    assert node.leftovers(uuids) == there
    assert statuses(cloud) == dict.fromkeys(POOLS, "available")

    must_be_honest(cloud, node, uuids, having(declared, state="absent"))
    assert node.leftovers(uuids) == nothing
    assert statuses(cloud) == {}
    must_be_honest(cloud, node, uuids, having(declared))
    assert statuses(cloud) == dict.fromkeys(POOLS, "available")


def test_no_credential_can_be_read_by_others(cloud: Site, node: StorageNode) -> None:
    for kind in ("chap", "smb"):
        secret = (STATE / f"{kind}_password").read_text()
        # Where something could have been written, everything that somebody other than root can read.
        found = node.sh(
            f"""
            find /etc /home /root /run /srv /tmp /var -xdev -type f -perm /o=r -size -16M -print0 2>/dev/null \\
                | xargs -0 grep -lF {secret} || true
            journalctl --no-pager | grep -F {secret} || true
            virsh -q pool-list --all --name | xargs -r -n 1 virsh pool-dumpxml | grep -F {secret} || true
            ps -eo args | grep -F {secret} | grep -v grep || true
            grep -lF {secret} /var/lib/pextra/registry.db* || true
            """
        )
        # The script that looks has the secret in its own arguments.
        lines = [line for line in found.splitlines() if "find /etc" not in line]
        assert lines == [], lines
    # libvirt gives its secrets to nobody.
    node.sh('for one in $(virsh -q secret-list | awk "{ print \\$1 }"); do ! virsh secret-get-value "$one"; done')
    assert node.sh("stat -c '%a %U' /etc/pextra/smb /etc/pextra/smb/closed").splitlines() == ["700 root", "600 root"]
