# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies that go, and images that are to go altogether. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.draft import Draft
from ...._model.plan import Change, Step, Work, work_on
from ...._model.protection import explain, is_protected
from ...._model.rows import Row
from ...pool.kinds import KINDS
from ..spec import Image
from ..versions import Version, choose_kept, keep_copies, newest_of, older_of, versions_of
from .carriers import find_blind, show_lost, worker_or_failure
from .labelling import plan_labels
from .report import list_users
from .state import ImageHave, User, is_there, site_of
from .targets import Target, resolve, retention_of


def find_losing(wants: Sequence[Image], have: ImageHave) -> list[Version]:
    """Return the versions that may lose a copy: who uses them has to be read before planning. All without wants."""
    if not wants:
        return [version for row in have.images for version in versions_of(row)]
    losing: list[Version] = []
    for want in wants:
        target = resolve(want, have)
        if not isinstance(target, Target) or target.row is None:
            continue
        newest, older = newest_of(target.row), older_of(target.row)
        if want.state == "absent" or target.is_replaced:
            losing += [newest, *older]
            continue
        wanted = {site.key for site in target.sites}
        if set(newest.copies) - wanted:
            losing.append(newest)
        if len(older) > target.retention or any(set(version.copies) - wanted for version in older):
            losing += older
    return losing


def plan_departures(
    target: Target, row: Row, new: Row, have: ImageHave, draft: Draft
) -> tuple[Row, tuple[str, ...]] | None:
    """Plan to delete copies that are not wanted where they are, and versions that nothing needs.

    Returns the row without them, and what would be lost that was to be kept; None if it is refused. What a new content
    displaces can go: that is what was declared. What goes because `retention` was lowered was kept on purpose. Of an
    image that is protected every version stays, somewhere.
    """
    wanted = {site.key for site in target.sites}
    newest, older = newest_of(new), older_of(new)

    def is_needed(version: Version) -> bool:
        return bool(have.users.get(version.id)) or bool(find_blind(row, version.copies, have))

    needed, kept = choose_kept(older, target.retention, is_needed)
    _, was_kept = choose_kept(older, retention_of(row), is_needed)
    leaving: list[tuple[Version, str]] = []
    for version in (newest, *older):
        is_kept = version.id in (newest.id, *needed, *kept) or is_protected(row)
        for key in version.copies:
            if is_kept and (key in wanted or site_of(key, have) is None):
                continue
            if not is_kept or not _is_needed_at(row, version, key, have, draft):
                leaving.append((version, key))
    lost = tuple(show_lost(new, version) for version in older if version.id in was_kept - kept)
    if is_protected(row) and _refuse_protected(row, leaving, lost, have, draft):
        return None
    for version in older:
        if version.id in needed:  # a node that may use it, and cannot be asked
            _note_blind(version, have, draft)
    _plan_deletions(new, leaving, have, draft, draft.last)
    gone = {(version.id, key) for version, key in leaving}
    return keep_copies(new, lambda version, key: (version.id, key) not in gone), lost


def _refuse_protected(
    row: Row, leaving: Sequence[tuple[Version, str]], lost: Sequence[str], have: ImageHave, draft: Draft
) -> bool:
    """Refuse what an image that is protected must not lose. A copy that is still to be made, or that nobody can see,
    does not count.
    """
    problems = [explain(f"this would destroy {'; '.join(lost)}")] if lost else []
    gone = set(leaving)
    for version in versions_of(row):
        staying = [site_of(key, have) for key in version.copies if (version, key) not in gone]
        is_left = any(site is not None and is_there(version, site, have) for site in staying)
        if not is_left and any((version, key) in gone for key in version.copies):
            what, remedy = explain(f"the last copy of its version {version.number} would be deleted")
            problems.append((what, f"Leave one of its pools in pools. Or s{remedy[1:]}"))
    for what, remedy in problems:
        draft.refuse(what, remedy, resource=f"image {row.name}")
    return bool(problems)


def _note_blind(version: Version, have: ImageHave, draft: Draft) -> None:
    for key in version.copies:
        site = site_of(key, have)
        for node in site.through if site is not None else ():
            draft.note_down(node.name, have.down)


def _is_needed_at(row: Row, version: Version, key: str, have: ImageHave, draft: Draft) -> bool:
    """Tell whether a copy has to stay in a pool that is not listed any more: while it is used, or nobody can tell."""
    site = site_of(key, have)
    if site is None:
        return False
    if find_blind(row, [key], have):
        for node in site.through:
            draft.note_down(node.name, have.down)
        return True
    used = [
        user
        for user in have.users.get(version.id, ())
        if site.pool.id in user.pools and (site.node is None or site.node.name == user.node)
    ]
    if used:
        where = f"pool {site.pool.name}" + (f" on {site.node.name}" if site.node else "")
        draft.warnings.append(f"image {row.name}: its copy in {where} stays while it is used by {list_users(used)}")
    return bool(used)


def _plan_deletions(
    row: Row, leaving: Sequence[tuple[Version, str]], have: ImageHave, draft: Draft, stage: list[Work]
) -> None:
    by_node: dict[str | None, list[tuple[Step, Change]]] = {}
    for version, key in leaving:
        site = site_of(key, have)
        pool = site.pool.name if site else None
        worker = None
        if site is not None:
            worker = worker_or_failure(site, have, draft, f"image {row.name}")
            if worker is None:
                continue
        volume = version.volume_in(site.pool if site else None)
        data = {
            "name": row.name,
            "scope": row.scope,
            "pool": pool,
            "key": key,
            "volume": volume,
            "newest": row.id,
            "with_snapshots": site is not None and KINDS[site.pool.attributes["type"]].clone == "ceph",
        }
        what = "the copy" if version.id == row.id else f"version {version.number}"
        text = f"delete {what} in pool {pool}" if pool else "forget a copy whose pool is gone"
        change = Change(f"copies.{pool or key}", volume, None)
        by_node.setdefault(worker.name if worker else None, []).append((Step("delete", text, data), change))
    for node, pairs in by_node.items():
        stage.append(work_on(row, [step for step, _ in pairs], [change for _, change in pairs], node=node))


def plan_absent(target: Target, have: ImageHave, draft: Draft) -> None:
    row = target.row
    if row is None:
        return
    if is_protected(row):
        draft.refuse(*explain("cannot be removed"), resource=f"image {row.name}")
        return
    used = [user for version in versions_of(row) for user in have.users.get(version.id, ())]
    nodes = {node.id: node.name for node in have.nodes}
    used += [
        User("instance", one.name, nodes.get(one.attributes.get("node", ""), "a node that has left"))
        for one in have.instances
        if one.scope == row.scope and one.attributes.get("image") == row.name
    ]
    if used:
        draft.refuse(
            f"it is used by {list_users(used)}",
            "It can go when nothing uses it any more. Nothing was changed.",
            resource=f"image {row.name}",
        )
        return
    leaving = [(version, key) for version in versions_of(row) for key in version.copies]
    blind = find_blind(row, [key for _, key in leaving], have)
    if blind:
        draft.refusals += blind
        return
    _plan_deletions(row, leaving, have, draft, draft.works)
    plan_labels(keep_copies(row, lambda *_: False), have, draft, draft.works, is_uncertain=False)
    step = Step("deregister", "remove", {"id": row.id, "sha256": row.attributes["sha256"]})
    lost = [show_lost(row, version) for version in older_of(row)]
    draft.last.append(work_on(row, [step], [Change("name", row.name, None)], loses=lost))
