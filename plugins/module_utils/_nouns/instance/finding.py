# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding instances on the nodes, and how they are, without reading all that the nodes have."""

from __future__ import annotations

from collections.abc import Iterable

from ..._cloud import Cloud
from ..._model.ids import uuid_of
from ..._model.rows import Row
from ..hierarchy.reading import read_hierarchy
from .whereabouts import Seen, Whereabouts


def read_whereabouts(cloud: Cloud, names: Iterable[str] | None) -> Whereabouts:
    """Look for instances, by names or identifiers, on all nodes of the clusters that have such; None: for all."""
    hierarchy = read_hierarchy(cloud)
    wanted = None if names is None else set(names)
    rows = [
        row
        for row in hierarchy.members
        if row.kind == "instance" and (wanted is None or row.name in wanted or row.id in wanted)
    ]
    clusters = {row.scope for row in rows}
    nodes = [row.name for row in hierarchy.members if row.kind == "node" and row.scope in clusters]
    read = cloud.on_each(nodes, lambda node: _look_on(cloud, node, rows))
    seen: dict[str, list[Seen]] = {}
    for node in nodes:
        for uuid, one in read.get(node, ()):
            seen.setdefault(uuid, []).append(one)
    down = {name: problem for name, problem in cloud.unreachable.items() if name in nodes}
    return Whereabouts(hierarchy, seen, down)


def _look_on(cloud: Cloud, node: str, rows: Iterable[Row]) -> list[tuple[str, Seen]]:
    states = cloud.hypervisor(node).states_of(uuid_of(row.id) for row in rows)
    return [(one.uuid, Seen(node, "saved" if one.saved else one.state, one.xml, one.hangs)) for one in states]
