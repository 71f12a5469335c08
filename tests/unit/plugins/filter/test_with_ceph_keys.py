# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools in the deployment's own Ceph get the key of their client, and no other pool does."""

from __future__ import annotations

from typing import Any

from ansible_collections.pextra.cloud.plugins.filter.with_ceph_keys import NO_KEY, with_ceph_keys
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.source import check_ceph_key

KEY, OTHER = "K" * 38 + "==", "O" * 38 + "=="
OWN: dict[str, Any] = {"name": "vms", "type": "rbd", "rbd": {"monitors": ["192.0.2.1"], "user": "pextra-vms"}}
FAR: dict[str, Any] = {"name": "far", "type": "rbd", "rbd": {"monitors": ["192.0.2.9"], "user": "x", "key": OTHER}}
LOCAL: dict[str, Any] = {"name": "local", "type": "directory"}


def keys(*pools: dict[str, Any], **read: str) -> list[str | None]:
    results = [{"item": name.replace("_", "-"), "stdout": key, "rc": 0} for name, key in read.items()]
    return [pool.get("rbd", {}).get("key") for pool in with_ceph_keys(pools, results)]


def test_each_pool_has_its_own_key() -> None:
    assert keys(OWN, FAR, LOCAL, pextra_vms=KEY) == [KEY, OTHER, None]
    assert "key" not in OWN["rbd"]


def test_a_check_before_there_is_a_ceph_has_a_key_that_opens_nothing() -> None:
    assert keys(OWN) == keys(OWN, pextra_vms="") == [NO_KEY]
    assert check_ceph_key(NO_KEY) is None


def test_a_pool_that_goes_needs_none() -> None:
    assert keys({**OWN, "state": "absent"}, pextra_vms=KEY) == [None]


def test_a_ceph_that_gives_no_key_takes_none_from_a_pool_that_works() -> None:
    left = with_ceph_keys([OWN, FAR, LOCAL], [{"item": "pextra-vms", "stdout": "", "rc": 1}], False)
    assert [pool["name"] for pool in left] == ["far", "local"]
