# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource pools: devices of the nodes of a cluster that do the same, whichever of them one gets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..node_devices import NodeDevice
from .context import Context, RefusedError, node_name


def find_resource_pool(name: str, context: Context) -> Mapping[str, Any]:
    pools: dict[str, Mapping[str, Any]] = {
        pool["name"]: pool for pool in context.cluster.attributes.get("resource_pools") or ()
    }
    if name not in pools:
        known = f"There are the resource pools {', '.join(sorted(pools))}." if pools else "It has none yet."
        raise RefusedError(
            f'cluster {context.cluster.name} has no resource pool "{name}"',
            f"{known} They are declared with the cluster (resource_pools).",
        )
    return pools[name]


def is_in_pool(device: NodeDevice, pool: Mapping[str, Any], node: str, context: Context) -> bool:
    """Tell whether a device of a node is one of a resource pool: by its model, or by name."""
    kind, _, which = device.name.partition(" ")
    for one in pool.get("devices") or ():
        if node_name(one["node"], context) == node and one.get(kind) == which:
            return True
    model = pool.get({"pci": "pci_model", "mdev": "mdev_type"}.get(kind, ""))
    return model is not None and device.model == model and pool.get("numa") in (None, device.numa)
