# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a node has the directories of its storage pools."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pool_directories
short_description: List where a node has the directories of its storage pools
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes the storage pools of the validated document and returns, of those that the node shall have and that have a
    directory, where that is.
positional: node
options:
  _input:
    description: The storage pools.
    type: list
    elements: dict
    required: true
  node:
    description: The node's name.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Look whether a link leads elsewhere
  pextra.cloud.pextra_preflight:
    node: node1
    address: 192.0.2.11
    directories: "{{ pools | pextra.cloud.pool_directories('node1') }}"
"""

RETURN = r"""
_value:
  description: Of each directory the pool and the path.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def pool_directories(pools: Sequence[Mapping[str, Any]], node: str) -> list[dict[str, str]]:
    """Return pool and path of every directory that a node has for a storage pool."""
    return [
        {"pool": pool["name"], "path": pool["path"]}
        for pool in pools
        if pool.get("state") != "absent" and node in (pool.get("nodes") or ()) and pool.get("path")
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pool_directories": pool_directories}
