# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of resource pools: what instances ask for is there, and so are the nodes that pools name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..._fields.field import element_path
from ..._model.ids import is_id
from ..._model.mistake import Mistake, suggest
from ..._nouns.cluster.spec import Cluster
from ..._nouns.instance.spec import Vm
from ..elements import Declared


def find_resource_pool_mistakes(
    clusters: Sequence[Declared[Cluster]],
    instances: Sequence[Declared[Vm]],
    cluster_nodes: Mapping[str, Sequence[str]],
) -> list[Mistake]:
    """clusters: those of which the resource pools are known, instances: of which the devices are."""
    known = {one.spec.name: [str(pool["name"]) for pool in one.spec.resource_pools or ()] for one in clusters}
    mistakes: list[Mistake] = []
    for cluster in clusters:
        nodes = cluster_nodes.get(cluster.spec.name, ())
        for index, pool in enumerate(cluster.spec.resource_pools or ()):
            here = element_path(f"{cluster.path}.resource_pools", index, pool)
            for number, member in enumerate(pool["devices"] or ()):
                node = member["node"]
                if nodes and not is_id(node) and node not in nodes:
                    problem = f'"{node}" is not a node of {cluster.spec.name}.{suggest(node, list(nodes))}'
                    mistakes.append(Mistake(f"{here}.devices[{number}].node", problem))
    for instance in instances:
        if instance.spec.state != "present" or instance.spec.cluster not in known:
            continue
        names = known[instance.spec.cluster]
        for index, row in enumerate(instance.spec.further.get("host_devices") or ()):
            name = row.get("resource_pool")
            if name and name not in names:
                here = element_path(f"{instance.path}.host_devices", index, row)
                told = suggest(name, names) or (
                    " It has none." if not names else f" It has {', '.join(sorted(names))}."
                )
                problem = f'"{name}" is not a resource pool of {instance.spec.cluster}.{told}'
                mistakes.append(Mistake(f"{here}.resource_pool", problem))
    return mistakes
