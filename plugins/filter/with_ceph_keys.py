# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of the deployment's own Ceph, added to the storage pools that are in it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: with_ceph_keys
short_description: Add the keys of Ceph to declared storage pools
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes a list of storage pools, and adds to those that are in the deployment's own Ceph the key of their client.
  - A client that has no key yet, which in a check is so before there is a Ceph, gets one that opens nothing. In a real
    run its pools are left out instead, so that a Ceph that does not answer takes no key from a pool that works.
positional: results, is_check
options:
  _input:
    description: The storage pools.
    type: list
    elements: dict
    required: true
  results:
    description: The results of the task that has read the keys, one for each client.
    type: list
    elements: dict
    required: true
  is_check:
    description: Whether this is a check.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Have the storage pools
  pextra.cloud.pextra_pool:
    pools: "{{ pools | pextra.cloud.with_ceph_keys(read_keys.results) }}"
"""

RETURN = r"""
_value:
  description: The storage pools, with the keys.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# A real key follows when there is a Ceph; until then the pool is new in any case.
NO_KEY = "A" * 38 + "=="


def with_ceph_keys(
    pools: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    is_check: bool = True,
) -> list[dict[str, Any]]:
    """Return the pools, those of type rbd that have no key with the one of their client."""
    keys = {str(result["item"]): result["stdout"] for result in results if result.get("stdout")}
    complete = []
    for pool in pools:
        source = pool.get("rbd")
        needs_key = source is not None and "key" not in source and pool.get("state") != "absent"
        if not needs_key:
            complete.append(dict(pool))
        elif source["user"] in keys or is_check:
            complete.append({**pool, "rbd": {**source, "key": keys.get(source["user"], NO_KEY)}})
    return complete


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"with_ceph_keys": with_ceph_keys}
