# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a node mounts what from the network, for its storage pools."""

from __future__ import annotations

DOCUMENTATION = r"""
name: network_mounts
short_description: List what a node mounts from the network for its storage pools
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes the storage pools of the validated document and returns, of those of the type V(netfs) that the node shall
    have, where each is mounted and what.
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
- name: Look whether anything is in the way
  pextra.cloud.pextra_preflight:
    node: node1
    address: 192.0.2.11
    mounts: "{{ pools | pextra.cloud.network_mounts('node1') }}"
"""

RETURN = r"""
_value:
  description: Of each mount the pool, the path, and the source as the kernel names it.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def network_mounts(pools: Sequence[Mapping[str, Any]], node: str) -> list[dict[str, Any]]:
    """Return pool, path and source of everything that a node mounts from the network."""
    return [
        {
            "pool": pool["name"],
            "path": pool["path"] or f"/var/lib/pextra/pools/{pool['name']}",
            "source": _source(netfs),
        }
        for pool in pools
        # What is adopted is mounted where it is.
        if pool.get("state") != "absent" and not pool.get("adopt") and node in (pool.get("nodes") or ())
        if (netfs := pool.get("netfs")) is not None
    ]


def _source(netfs: Mapping[str, Any]) -> str:
    if netfs["format"] == "cifs":
        return f"//{netfs['host']}/{netfs['export']}"
    host = netfs["host"]
    return f"[{host}]:{netfs['export']}" if ":" in host else f"{host}:{netfs['export']}"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"network_mounts": network_mounts}
