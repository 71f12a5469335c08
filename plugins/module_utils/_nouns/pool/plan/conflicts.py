# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be: two pools in one place, what is not ours, what must not change. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...._model.errors import Problem
from .adoption import list_strangers
from .state import PoolHave, associations_of
from .targets import Target


def find_path_conflicts(targets: Sequence[Target], have: PoolHave) -> Iterator[Problem]:
    """Two pools whose directories are the same, or one within the other, on a common node would show each other's
    volumes (domain rules, "Storage pools").
    """
    declared = [target for target in targets if target.want.state == "present"]
    for target in declared:
        yield from _find_shared_with_guests(target)
    names = {(target.cluster.id, target.want.name) for target in targets}
    areas = [
        (target.want.name, target.path, {node.id for node in target.nodes}, True)
        for target in declared
        if target.path is not None
    ]
    for row in have.pools:
        if (row.scope, row.name) not in names and row.attributes["path"] is not None:
            nodes = {association.node for association in associations_of(row, have)}
            areas.append((row.name, row.attributes["path"], nodes, False))
    for index, (name, path, nodes, is_declared) in enumerate(areas):
        for other, other_path, other_nodes, other_declared in areas[:index]:
            common = nodes & other_nodes
            # Of two that are registered, and not planned now, nothing is to be said.
            if common and other_declared and overlap(path, other_path):
                where = ", ".join(sorted(node.name for node in have.nodes if node.id in common))
                # The one that is planned is refused.
                first, second = (name, other) if is_declared else (other, name)
                how = "have the same path" if path == other_path else "lie one within the other"
                yield Problem(
                    f"the paths of pools {second} ({other_path if second == other else path}) and {first} "
                    f"({path if first == name else other_path}) {how}, on {where}",
                    "Give them directories apart from each other, or enable them on different nodes.",
                    resource=f"pool {first}",
                )


def _find_shared_with_guests(target: Target) -> Iterator[Problem]:
    """A guest that may write in a pool's directory, or in what holds it, would write over the volumes of others."""
    for node in target.nodes if target.path is not None else ():
        for directory in node.attributes.get("shared_directories") or ():
            if target.path is not None and overlap(target.path, directory):
                yield Problem(
                    f"its path {target.path} and {directory}, which {node.name} lets guests write in, are in one "
                    "another's way",
                    "Choose another path, leave that node out of its nodes, or take the directory out of "
                    "shared_directories of the node (pextra_shared_directories).",
                    node.name,
                    f"pool {target.want.name}",
                )


def overlap(one: str, other: str) -> bool:
    """Tell whether two directories are the same, or one lies within the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def find_foreign_conflicts(target: Target, uuid: str, node: str, have: PoolHave) -> Iterator[Problem]:
    """A pool of the node that is not ours, and is in the way of this one. It is never touched.

    uuid: what this one has there.
    """
    label = f"pool {target.want.name}"
    for pool in list_strangers(have.seen[node], have):
        other = pool.definition
        if other.uuid == uuid:
            continue
        if other.name == target.want.name:
            yield Problem(
                f"libvirt has a storage pool of this name already, which is not ours (UUID {other.uuid})",
                "With adopt: true it becomes this one as it is. Otherwise choose another name: what is not ours is "
                "never touched. If the registry was lost, rebuild it first.",
                node,
                label,
            )
        elif other.path is not None and target.path is not None and overlap(other.path, target.path):
            yield Problem(
                f"its path {target.path} is in the way of libvirt's storage pool {other.name} at {other.path}, "
                "which is not ours",
                "Choose another path: what is not ours is never touched.",
                node,
                label,
            )


def find_fixed_changes(target: Target) -> Iterator[Problem]:
    """Only the enabled nodes and the description of a pool can change (domain rules, "Storage pools"), and which of
    Ceph's monitors are asked.
    """
    want, row = target.want, target.row
    if row is None:
        return
    for key, value in (("type", want.type), ("path", want.path), ("shared", want.shared), ("source", want.source)):
        known = row.attributes.get(key)
        if value is not None and _without_monitors(value) != _without_monitors(known):
            yield Problem(
                f"its {key} is {_word(known)} and cannot become {_word(value)}: the volumes in it would be lost to "
                "their instances",
                "Only its nodes and its description can change. Declare a new pool, and move the instances there.",
                resource=f"pool {want.name}",
            )


def _without_monitors(value: object) -> object:
    """Ceph is the same, whoever of its monitors is asked."""
    return {key: one for key, one in value.items() if key != "monitors"} if isinstance(value, Mapping) else value


def _word(value: object) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
