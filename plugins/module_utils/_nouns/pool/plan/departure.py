# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A storage pool that leaves nodes, or goes altogether. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ...._model.draft import Draft
from ...._model.errors import Problem
from ...._model.ids import uuid_of
from ...._model.plan import Change, Step, work_on
from ...._model.rows import AssociationRow, Row
from ...hierarchy.plan import find
from ...image.versions import find_copied
from ..identity import LABEL, uuid_on
from ..kinds import KINDS
from ..propagation import Situation, plan_rounds
from ..source import IN_LIBVIRT
from .state import PoolHave, SeenNode, associations_of, seen_ours
from .targets import Target

_IMAGE_COPY = re.compile(r"(?P<id>img-[A-Za-z0-9_-]{21})\.(qcow2|raw)")
# mkfs makes it; it is nobody's volume.
_NOT_VOLUMES = {"lost+found"}
_SHOWN_VOLUMES = 10


def plan_leaving(
    row: Row, gone: Sequence[AssociationRow], have: PoolHave, draft: Draft, *, last_node: bool
) -> tuple[list[AssociationRow], list[str]]:
    """Plan to take a pool off nodes. Returns the associations to mark, and the nodes to drop just in the registry."""
    marked: list[AssociationRow] = []
    dropped: list[str] = []
    label = f"pool {row.name}"
    is_deleted = False
    for association in gone:
        node = find(association.node, have.nodes)
        if node is None:  # the node has left the cluster
            dropped.append(association.node)
            continue
        if node.name in have.down:
            problem = have.down[node.name]
            what = f"{problem.what}; until it answers nobody can tell whether it holds volumes in the pool"
            draft.failures.append(Problem(what, problem.remedy, node.name, label))
            continue
        seen_node = have.seen[node.name]
        copies: list[str] = []
        keeps_files = not can_hold_volumes(row) or (bool(row.attributes["shared"]) and not last_node)
        seen = seen_ours(row, seen_node)
        if association.attributes.get("enabled"):
            # What has never started there, such as one with a wrong key, holds nothing of ours.
            was_there = bool(association.attributes.get("was_available", True))
            if not keeps_files and was_there and seen is not None and row.name not in seen_node.volumes:
                draft.refusals.append(_refuse_unread(row, node.name, seen_node))
                continue
            registered = [] if keeps_files else _find_registered(row, association.node, have)
            held = _find_held(row, node.name, seen_node, registered, keeps_files=keeps_files)
            if held is not None:
                draft.refusals.append(held)
                continue
            marked.append(
                AssociationRow(
                    association.resource,
                    association.node,
                    {**association.attributes, "enabled": False, "status": "destroying"},
                )
            )
        # The nodes leave at the same time, and of what they share each copy can be deleted once only.
        if not keeps_files and not is_deleted:
            copies = sorted(name for name in seen_node.volumes.get(row.name, ()) if _IMAGE_COPY.fullmatch(name))
            is_deleted = bool(copies) and bool(row.attributes["shared"])
        acts = plan_rounds(
            Situation(
                pool_exists=True,
                has_association=True,
                has_internal_id=bool(association.attributes.get("internal_id")),
                enabled=False,
                defined=seen is not None,
                started=seen is not None and seen.active,
                source_reachable=True,
            )
        )
        uuid = uuid_on(row, seen_node.labels)
        carried = {key: None} if (key := f"{LABEL}{row.name}") in seen_node.labels else {}
        # What an adopted one carries says which it is, and goes when it is gone.
        carried_last = carried if uuid != uuid_of(row.id) else {}
        data = {
            "association": association,
            "uuid": uuid,
            "label": carried_last,
            # It may have been renamed by hand.
            "pool": seen.definition.name if seen is not None else row.name,
            "copies": copies,
            "with_snapshots": row.attributes["type"] == "rbd",
        }
        steps = []
        if copies:
            steps.append(Step("delete_copies", f"delete {count_of(len(copies), 'copy', 'copies')} of images", data))
        if carried and not carried_last:
            steps.append(Step("label", "remove its label", {"labels": carried}))
        steps += [
            Step(
                act,
                "remove; its directory stays" if act == "remove" else "forget",
                {**data, "shared": keeps_files, "has_secret": row.attributes["type"] in IN_LIBVIRT},
            )
            for act in acts
        ]
        change = Change("status", association.attributes.get("status"), None)
        # Whoever protects an image now has done so before its copies go.
        touched = find_copied(have.images, {f"{row.id}/", f"{row.id}/{association.node}"}) if not keeps_files else []
        draft.works.append(replace(work_on(row, steps, [change], node=node.name), touches=tuple(touched)))
    return marked, dropped


def can_hold_volumes(row: Row) -> bool:
    """Tell whether what lies in a pool is ours to lose: the units of a target are there whoever uses them."""
    return bool(KINDS[row.attributes["type"]].formats)


def _refuse_unread(row: Row, node: str, seen: SeenNode) -> Problem:
    """Where libvirt has a pool and nobody has looked into it, it may hold volumes."""
    label, what = f"pool {row.name}", "nobody can tell whether the node holds volumes in it"
    reason = seen.unread.get(row.name)
    if reason is not None:
        return Problem(f"{what}: {reason.what}", reason.remedy, node, label)
    return Problem(
        f"it is stopped there, so {what}",
        "Let it start first: the next round of propagation starts it, or says why not (journalctl -u "
        "pextra-propagation). If what it is made of is gone for good, see the page on storage pools.",
        node,
        label,
    )


def _find_registered(row: Row, node: str, have: PoolHave) -> list[Row]:
    """Return the volumes that are registered in a pool, and lie on a node (its identifier) or on all of them."""
    return [
        one for one in have.volumes if one.attributes.get("pool") == row.id and one.attributes.get("node", node) == node
    ]


def _find_held(row: Row, node: str, seen: SeenNode, registered: Sequence[Row], *, keeps_files: bool) -> Problem | None:
    """A pool stays while a node holds volumes in it (domain rules). Copies of images do not count: they are fetched
    again where they are wanted. On a shared pool that other nodes keep, only the node's own instances count.

    registered: what lives on its own counts as long as it is registered, as it refers to the pool.
    """
    volumes = sorted(
        name
        for name in seen.volumes.get(row.name, ())
        if name not in _NOT_VOLUMES and not _IMAGE_COPY.fullmatch(name) and not keeps_files
    )
    users = sorted(seen.users.get(row.name, ()))
    unseen = sorted(one.name for one in registered if not any(one.id in name for name in volumes))
    if not volumes and not users and not unseen:
        return None
    found = []
    if volumes:
        found.append(f"holds volumes in it: {_enumerate(volumes)}")
    if unseen:
        found.append(f"is where volumes are registered in it that are not seen now: {_enumerate(unseen)}")
    if users:
        found.append(f"has instances that use it: {', '.join(users)}")
    return Problem(
        f"the node still {'; it '.join(found)}",
        "It can leave when nothing there uses it any more. Nothing was changed.",
        node,
        f"pool {row.name}",
    )


def _enumerate(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_VOLUMES} more" if len(names) > _SHOWN_VOLUMES else ""
    return f"{', '.join(names[:_SHOWN_VOLUMES])}{more}"


def count_of(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _find_registered_elsewhere(row: Row, associations: Sequence[AssociationRow], have: PoolHave) -> list[str]:
    """Return the names of volumes that are registered in a pool, and on no node that has it."""
    members = {one.id for one in have.nodes}
    nodes = [one.node for one in associations if one.node in members]
    there = {one.id for node in nodes for one in _find_registered(row, node, have)}
    return sorted(one.name for one in have.volumes if one.attributes.get("pool") == row.id and one.id not in there)


def plan_absent(target: Target, have: PoolHave, draft: Draft) -> None:
    row = target.row
    if row is None:
        return
    label = f"pool {row.name}"
    associations = associations_of(row, have)
    unknown = [
        Problem(
            f"it cannot be destroyed while nobody can tell whether the node holds volumes in it: "
            f"{have.down[node.name].what}",
            "Bring the node back, or let it leave the cluster first.",
            node.name,
            label,
        )
        for association in associations
        if (node := find(association.node, have.nodes)) is not None
        and node.name in have.down
        and association.attributes.get("enabled")
    ]
    if unknown:
        draft.refusals += unknown
        return
    lost = _find_registered_elsewhere(row, associations, have)
    if lost and not row.attributes.get("deleting"):
        draft.refuse(
            f"volumes are registered in it that lie on none of its nodes: {_enumerate(lost)}",
            "pextra_volume_info tells of them. Without the pool they could not be found again. Nothing was changed.",
            resource=label,
        )
        return
    marked, dropped = plan_leaving(row, associations, have, draft, last_node=True)
    if marked or dropped or not row.attributes.get("deleting"):
        new = Row(row.id, "pool", row.name, row.scope, {**row.attributes, "deleting": True})
        data = {"row": new, "associations": tuple(marked), "dropped": tuple(dropped)}
        step = Step("register", "mark it for destruction", data)
        draft.first.append(work_on(row, [step], [Change("name", row.name, None)]))
    waiting = [one for one in associations if (node := find(one.node, have.nodes)) and node.name in have.down]
    if not waiting:
        draft.last.append(work_on(row, [Step("deregister", "remove", {"id": row.id})]))
