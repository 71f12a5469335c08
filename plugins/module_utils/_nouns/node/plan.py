# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes joining, changing and leaving. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..._fields.addresses import canonical_address
from ..._model.draft import Draft
from ..._model.errors import Problem
from ..._model.ids import new_id
from ..._model.plan import (
    Change,
    Plan,
    Step,
    Work,
    work_on,
)
from ..._model.protection import explain, is_protected
from ..._model.rows import AssociationRow, Row
from ..hierarchy.plan import Hierarchy, find_cluster
from ..image.versions import find_copied, find_last_copies
from ..pool.path import is_within
from .labels import find_identity, labels_of_node
from .spec import Node

# What a node that leaves would take of something that is protected.
_OWN = {"pool": "what this node has in it would go", "image": "the last copy of a content of it would go"}


@dataclass(frozen=True)
class NodeHave:
    """labels are by node name, for the nodes that answer; down says why the others do not. pools_on: which pools are on
    which nodes, read where one is to leave, or to share directories.
    """

    hierarchy: Hierarchy
    nodes: Mapping[str, Row]
    labels: Mapping[str, Mapping[str, str]]
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    down: Mapping[str, Problem] = field(default_factory=dict)
    pools_on: tuple[AssociationRow, ...] = ()


def plan_nodes(
    wants: Sequence[Node], have: NodeHave, *, check_key: Callable[[str], str | None], is_dead: bool = False
) -> Plan:
    """Plan joins, changes and leaves.

    check_key says why the given key does not open a cluster (by id), or None. is_dead: who leaves has died, so it is
    not asked, and what it alone had is forgotten.
    """
    draft = Draft()
    # Who has, or is about to have, which address: of two names for one host the second is refused.
    names: dict[str, str] = {}
    for name, other in have.nodes.items():
        names.setdefault(_address(other), name)
    for want in wants:
        label = f"node {want.name}"
        row = have.nodes.get(want.name)
        if want.state == "absent":
            if row is not None and is_dead:
                forgotten = _forget(want, row, have)
                if isinstance(forgotten, Work):
                    draft.works.append(forgotten)
                else:
                    draft.refusals += forgotten
            elif row is not None:
                _leave(want, row, have, draft)
            continue
        reference = want.cluster or (row.scope if row is not None else None)
        cluster = find_cluster(reference, have.hierarchy.clusters)
        if isinstance(cluster, str):
            draft.refuse(cluster, resource=label)
            continue
        if row is None and want.address is None:
            draft.refuse("its address is missing", "Set address.", resource=label)
            continue
        if row is not None and row.scope != cluster.id:
            draft.refuse("it belongs to another cluster already", "Decommission it there first.", resource=label)
            continue
        if row is not None and want.address not in (None, _address(row)):
            draft.refuse(
                f"its address is {_address(row)}, and cannot become {want.address}: "
                "a node's management address must not change after it has joined",
                "Set it back; readdressing needs the node to leave and join again.",
                resource=label,
            )
            continue
        twin = names.setdefault(want.address, want.name) if want.address is not None else want.name
        if twin != want.name:
            also = "" if twin in have.nodes else ", which is to join as well"
            draft.refuse(f"its address {want.address} is that of node {twin}{also}", "Set another.", resource=label)
            continue
        if want.name in have.down:
            draft.failures.append(have.down[want.name])
            continue
        work = _join_or_change(want, row, cluster, have, check_key)
        if isinstance(work, Problem):
            draft.refusals.append(work)
        else:
            draft.works.append(work)
    return draft.plan()


def _address(row: Row) -> str:
    """Versions before kept it as it was written."""
    return canonical_address(row.attributes.get("address") or "")


def _join_or_change(
    want: Node, row: Row | None, cluster: Row, have: NodeHave, check_key: Callable[[str], str | None]
) -> Work | Problem:
    label = f"node {want.name}"
    labels = have.labels[want.name]
    known = find_identity(labels)
    if known is not None and known.scope != cluster.id:
        return Problem(
            f"the host carries the identity of a node of another cluster ({known.scope})",
            "Decommission it there first.",
            resource=label,
        )
    owner = next((name for name, other in have.nodes.items() if known is not None and other.id == known.id), None)
    if owner not in (None, want.name):
        return Problem(
            f"the host carries the identity of node {owner}",
            "A host is one node: if it was copied from that one, remove its labels; if it was renamed, keep the name.",
            resource=label,
        )
    if row is None and known is None:
        problem = check_key(cluster.id)
        if problem:
            return Problem(
                problem,
                f"Issue a new one with pextra_cluster (name: {cluster.name}, issue_key: true) and join with it.",
                resource=label,
            )
    node_id = row.id if row else known.id if known else new_id("node")
    before = dict(row.attributes) if row else {}
    wanted = {
        # An address in another notation is no change.
        "address": want.address if row is None else None,
        "migration_address": want.migration_address,
        "description": want.description,
        "virt_type": want.virt_type,
        "containers": want.containers,
        "architectures": None if want.architectures is None else sorted(want.architectures),
        "shared_directories": None if want.shared_directories is None else sorted(want.shared_directories),
        "memory_reserved": want.memory_reserved,
    }
    after = {**before, **{key: value for key, value in wanted.items() if value is not None}}
    # The management address is what it is without saying.
    if after.get("migration_address") == canonical_address(after.get("address") or ""):
        del after["migration_address"]
    if not after.get("containers"):
        after.pop("containers", None)
        held = _find_containers(row, have)
        if held:
            what = f"it still holds containers: {', '.join(held)}"
            return Problem(what, "Leave containers: true as long as they are there.", resource=label)
    if not after.get("architectures"):
        after.pop("architectures", None)
    if not after.get("shared_directories"):
        after.pop("shared_directories", None)
    # What stands there keeps nobody from changing something else.
    elif after["shared_directories"] != before.get("shared_directories"):
        problem_of_shared = _find_directory_problem(after["shared_directories"], node_id, have, label)
        if problem_of_shared is not None:
            return problem_of_shared
    steps: list[Step] = []
    changes: list[Change] = []
    if row is None:
        changes.append(Change("cluster", None, cluster.name))
    if row is None or after != before:
        changes += [
            Change(key, before.get(key), after.get(key))
            for key in sorted({*before, *after})
            if after.get(key) != before.get(key)
        ]
        new = Row(node_id, "node", want.name, cluster.id, after)
        steps.append(Step("put", f"join cluster {cluster.name}" if row is None else "change", {"row": new}))
    target = labels_of_node(node_id, cluster.id, want.name, after, have.hierarchy)
    stale = {key: value for key, value in target.items() if labels.get(key) != value}
    if stale:
        steps.append(Step("label", "write its identity", {"labels": stale}))
        if row is not None:
            changes += [Change(f"labels.{key}", labels.get(key), value) for key, value in sorted(stale.items())]
    return Work(kind="node", name=want.name, id=node_id, node=want.name, steps=tuple(steps), changes=tuple(changes))


def _find_directory_problem(directories: Sequence[str], node_id: str, have: NodeHave, label: str) -> Problem | None:
    nested, overlaps = find_nested(directories), find_overlaps(directories, _find_pool_paths(node_id, have))
    remedies = [
        *(["Share the outer one alone, or directories beside one another."] if nested else []),
        *(["Share another directory: guests would write over volumes."] if overlaps else []),
    ]
    return Problem("; ".join([*nested, *overlaps]), " ".join(remedies), resource=label) if remedies else None


def _find_pool_paths(node_id: str, have: NodeHave) -> dict[str, str]:
    """Return the directories of the storage pools that are on a node, by the names of these."""
    here = {one.resource for one in have.pools_on if one.node == node_id}
    members = [one for one in have.hierarchy.members if one.kind == "pool" and one.id in here]
    return {one.name: one.attributes["path"] for one in members if one.attributes.get("path")}


def find_nested(directories: Iterable[str]) -> list[str]:
    """Return which directories that guests are to write in lie in others: a guest that has the outer one could put a
    link to anywhere in the place of the inner one.
    """
    known = sorted(directories)
    return [
        f"{inner} lies in {outer}: a guest that writes in {outer} could put a link to any place of the node there"
        for inner in known
        for outer in known
        if inner != outer and is_within(inner, outer)
    ]


def find_overlaps(directories: Iterable[str], pools: Mapping[str, str]) -> list[str]:
    """Return which directories that guests are to write in are, hold or lie in those of storage pools."""
    return [
        f"{directory} and the storage pool {name} ({path}) are in one another's way"
        for directory in directories
        for name, path in sorted(pools.items())
        if is_within(directory, path) or is_within(path, directory)
    ]


def _find_containers(row: Row | None, have: NodeHave) -> list[str]:
    return sorted(
        member.name
        for member in have.hierarchy.members
        if row is not None and member.attributes.get("node") == row.id and member.attributes.get("type") == "lxc"
    )


def _leave(want: Node, row: Row, have: NodeHave, draft: Draft) -> None:
    users = sorted(
        f"{member.kind} {member.name}"
        for member in have.hierarchy.members
        if member.attributes.get("node") == row.id or row.id in (member.attributes.get("nodes") or ())
    )
    if users:
        draft.refuse(
            f"it still holds {', '.join(users)}",
            "It can leave when they have: move them, and take the node out of pools and vSwitches by their nodes.",
            resource=f"node {want.name}",
        )
        return
    protected = _find_protected(row, have, ("pool", "image"))
    if protected:
        draft.refusals += protected
        return
    if want.name in have.down:
        draft.failures.append(have.down[want.name])
        return
    labels = have.labels[want.name]
    known = find_identity(labels)
    held = {key: None for key in labels if key.startswith("pextra-")}
    # The host at its address may be another node, whose identity is not this one's to take.
    is_itself = known is not None and known.id == row.id
    if known is not None and not is_itself:
        draft.warnings.append(
            f"{want.name}: the host at {_address(row)} carries the identity of another node ({known.name}, "
            f"{known.id}), and keeps it"
        )
    steps = [
        *([Step("label", "remove its identity", {"labels": held})] if is_itself else []),
        Step("remove", "leave the cluster", {"id": row.id}),
    ]
    work = work_on(row, steps, [Change("name", want.name, None)], node=want.name)
    draft.works.append(replace(work, touches=_find_copied(row, have)))


def _find_protected(row: Row, have: NodeHave, kinds: Collection[str]) -> list[Problem]:
    """Return a refusal for each thing of these kinds that is protected, and that would go with the node."""
    pools = {one.resource for one in have.pools_on if one.node == row.id}
    members = [member for member in have.hierarchy.members if is_protected(member) and member.kind in kinds]
    found = [
        member
        for member in members
        if member.attributes.get("node") == row.id or (member.id in pools and not member.attributes.get("shared"))
    ]
    going = {f"{pool}/{row.id}" for pool in pools}
    known = {one.id for one in (*have.nodes.values(), *have.hierarchy.members)}
    images = [member for member in members if member.kind == "image"]
    found += [image for image, _ in find_last_copies(images, going, known)]
    problems = []
    for member in sorted(found, key=lambda member: (member.kind, member.name)):
        what, remedy = explain(_OWN.get(member.kind, "only this node has it"))
        problems.append(Problem(f"{member.kind} {member.name}: {what}", remedy, resource=f"node {row.name}"))
    return problems


def _find_copied(row: Row, have: NodeHave) -> tuple[str, ...]:
    """Return the images that have a copy on this node alone: whoever protects one now has done so before it leaves."""
    images = [member for member in have.hierarchy.members if member.kind == "image"]
    return tuple(find_copied(images, {f"{one.resource}/{row.id}" for one in have.pools_on if one.node == row.id}))


def _forget(want: Node, row: Row, have: NodeHave) -> Work | list[Problem]:
    """Take a node out that will not come back, with what is registered on it alone.

    What lies in shared storage pools stays there: volumes of its instances are then volumes that an instance has left.
    """
    if want.name not in have.down:
        what = "it answers, so it has not died"
        remedy = "Let it leave without dead: then it is asked what it holds, and takes its identity off."
        return [Problem(what, remedy, resource=f"node {want.name}")]
    protected = _find_protected(row, have, ("pool", "image", "instance", "volume"))
    if protected:
        return protected
    alone = [member for member in have.hierarchy.members if member.attributes.get("node") == row.id]
    shared = [member for member in have.hierarchy.members if row.id in (member.attributes.get("nodes") or ())]
    steps = [
        Step("take_out", f"take it out of {member.kind} {member.name}", {"id": member.id, "node": row.id})
        for member in shared
    ]
    steps += [Step("remove", f"forget {member.kind} {member.name}", {"id": member.id}) for member in alone]
    steps.append(Step("remove", "forget it", {"id": row.id}))
    return Work(
        kind="node",
        name=want.name,
        id=row.id,
        steps=tuple(steps),
        changes=(Change("name", want.name, None),),
        # Their rows change or go, so nobody else may be at them.
        touches=(*(f"{member.kind} {member.name}" for member in (*alone, *shared)), *_find_copied(row, have)),
        loses=tuple(sorted(f"{member.kind} {member.name}, which only node {want.name} has" for member in alone)),
    )


def without_node(member: Row, node_id: str) -> Row:
    """Return what is on several nodes as it is without one of them."""
    nodes = [id_ for id_ in member.attributes.get("nodes") or () if id_ != node_id]
    return replace(member, attributes={**member.attributes, "nodes": nodes})
