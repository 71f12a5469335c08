# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a storage pool is to be, its references resolved. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...._model.errors import Problem
from ...._model.rows import Row
from ...hierarchy.plan import find, find_cluster, find_within
from ..spec import Pool, complete_pool, find_mistakes_within
from .adoption import as_found, find_hindrance, find_stranger, nodes_with
from .state import PoolHave, associations_of


@dataclass(frozen=True)
class Target:
    """A want whose references are resolved, and that is complete. row is as registered; nodes shall have it."""

    want: Pool
    cluster: Row
    row: Row | None
    nodes: tuple[Row, ...]

    @property
    def path(self) -> str | None:
        """The directory on the nodes, None for a pool that has none."""
        if self.row is not None and self.want.path is None:
            path: str | None = self.row.attributes["path"]
            return path
        return self.want.target

    @property
    def shared(self) -> bool:
        if self.row is not None and self.want.shared is None and self.want.type == "directory":
            return bool(self.row.attributes["shared"])
        return self.want.is_shared

    @property
    def source(self) -> Mapping[str, Any] | None:
        return self.want.source


def find_concerned(wants: Sequence[Pool], have: PoolHave) -> list[str]:
    """Return the names of the nodes that the wants are about; all that have a pool if there are no wants."""
    ids = {association.node for association in have.associations} if not wants else set()
    for want in wants:
        target = resolve(want, have)
        if isinstance(target, Target):
            ids |= {node.id for node in target.nodes}
            ids |= {one.node for one in associations_of(target.row, have)} if target.row else set()
    return [node.name for node in have.nodes if node.id in ids]


def find_leaving(wants: Sequence[Pool], have: PoolHave) -> dict[str, list[Row]]:
    """Return, by node name, the pools that shall leave it: what they hold there has to be read before planning."""
    leaving: dict[str, list[Row]] = {}
    for want in wants:
        target = resolve(want, have)
        if not isinstance(target, Target) or target.row is None:
            continue
        stay = {node.id for node in target.nodes}
        for association in associations_of(target.row, have):
            node = find(association.node, have.nodes)
            if node is not None and association.node not in stay:
                leaving.setdefault(node.name, []).append(target.row)
    return leaving


def resolve(want: Pool, have: PoolHave) -> Target | list[Problem]:
    label = f"pool {want.name}"
    cluster = find_cluster(want.cluster, have.clusters)
    if isinstance(cluster, str):
        return [Problem(cluster, resource=label)]
    row = next((row for row in have.pools if (row.scope, row.name) == (cluster.id, want.name)), None)
    members = [node for node in have.nodes if node.scope == cluster.id]
    if want.state == "absent":
        return Target(want, cluster, row, ())
    registered = row.attributes if row is not None else None
    if want.adopt and row is None:
        named = [find_within(one, members, "a node") for one in want.nodes] if want.nodes is not None else members
        taken = nodes_with(want.name, [node for node in named if isinstance(node, Row)], have)
        if not taken:  # it is refused, once the nodes are read
            return _with_nodes(want, cluster, None, members, have)
        problems = _find_hindrances(want, taken, have)
        if problems:
            return problems
        first = find_stranger(want.name, have.seen[taken[0].name], have)
        want = as_found(want, first) if first is not None else want
    want = complete_pool(want, registered)
    if registered is None or want.type == registered["type"]:  # another type is refused, whatever goes with it
        mistakes = find_mistakes_within(want, "", "new" if row is None else "present")
        if mistakes:
            return [Problem(f"{mistake.path} {mistake.problem}", resource=label) for mistake in mistakes]
    return _with_nodes(want, cluster, row, members, have)


def _find_hindrances(want: Pool, nodes: Sequence[Row], have: PoolHave) -> list[Problem]:
    problems = []
    for node in nodes:
        pool = find_stranger(want.name, have.seen[node.name], have)
        hindrance = find_hindrance(pool, have.seen[node.name]) if pool is not None else None
        if hindrance is not None:
            problems.append(Problem(*hindrance, node.name, f"pool {want.name}"))
    return problems


def _with_nodes(
    want: Pool, cluster: Row, row: Row | None, members: Sequence[Row], have: PoolHave
) -> Target | list[Problem]:
    if want.nodes is None and want.adopt:
        enabled = {one.node for one in associations_of(row, have) if one.attributes.get("enabled")} if row else set()
        # Which others have it is known once they are read.
        enabled |= {node.id for node in (nodes_with(want.name, members, have) if have.seen else members)}
        return Target(want, cluster, row, tuple(node for node in members if node.id in enabled))
    if want.nodes is None and row is not None:
        enabled = {one.node for one in associations_of(row, have) if one.attributes.get("enabled")}
        return Target(want, cluster, row, tuple(node for node in members if node.id in enabled))
    if want.nodes is None:
        return Target(want, cluster, row, tuple(members))
    nodes, problems = [], []
    for reference in want.nodes:
        node = find_within(reference, members, f"a node of cluster {cluster.name}")
        if isinstance(node, str):
            problems.append(Problem(node, resource=f"pool {want.name}"))
        elif node not in nodes:
            nodes.append(node)
    return problems or Target(want, cluster, row, tuple(nodes))
