# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A storage pool that is to be there, node by node. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...._model.draft import Draft
from ...._model.errors import Problem
from ...._model.ids import new_id, uuid_of
from ...._model.plan import Change, Step, work_on
from ...._model.protection import attribute_of, changes_of, is_protected
from ...._model.rows import AssociationRow, Row, names_of
from ..definition import PoolDefinition, describe_source, has_other_monitors, is_of_type, render_pool, render_secret
from ..identity import uuid_on
from ..propagation import Situation, plan_rounds
from ..spec import IN_DIRECTORY, Pool, digest_of_credential
from .adoption import find_differences, find_hindrance, find_stranger
from .conflicts import find_fixed_changes, find_foreign_conflicts
from .departure import plan_leaving
from .labels import LABELLED, labels_of_pool
from .state import PoolHave, SeenNode, SeenPool, associations_of, enabled_on, fresh_association, of_pool, seen_ours
from .targets import Target


def plan_present(target: Target, have: PoolHave, draft: Draft) -> None:
    want, row = target.want, target.row
    label = f"pool {want.name}"
    if row is not None and row.attributes.get("deleting"):
        draft.refuse(
            "it is being destroyed; its name stays taken until that is done",
            "Finish it with state: absent, then declare it again.",
            resource=label,
        )
        return
    if want.adopt and row is None and not _has_strangers(target, have):
        _plan_nothing_to_adopt(target, have, draft)
        return
    fixed = list(find_fixed_changes(target))
    if fixed:
        draft.refusals += fixed
        return

    before = dict(row.attributes) if row else {}
    after = {
        "type": want.type,
        "path": target.path,
        "shared": target.shared,
        **({"source": target.source} if target.source is not None else {}),
        "description": want.description if want.description is not None else before.get("description"),
        "deleting": False,
        **attribute_of(is_protected(row) if want.protected is None else want.protected),
    }
    new = Row(row.id if row else new_id("pool"), "pool", want.name, target.cluster.id, after)
    known = {association.node: association for association in associations_of(new, have)}
    registered: list[AssociationRow] = []
    for node in target.nodes:
        association = known.get(node.id)
        if association is None or not association.attributes.get("enabled"):
            kept = {"was_available": True, **association.attributes} if association else {}
            attributes = {**fresh_association(), **kept, **enabled_on(have.down.get(node.name))}
            association = AssociationRow(new.id, node.id, attributes)
            registered.append(association)
        if node.name in have.down:
            draft.failures.append(of_pool(have.down[node.name], label))
        else:
            _plan_enabled(target, new, association, node, have, draft, is_new=node.id not in known)
    if want.adopt and want.nodes is None:
        draft.failures += _find_unknown(target, have)
    gone = [association for id_, association in known.items() if id_ not in {node.id for node in target.nodes}]
    leaving, dropped = plan_leaving(new, gone, have, draft, last_node=not target.nodes)
    _plan_registration(new, before, registered + leaving, dropped, known, have, draft)
    _plan_key(want, new, have, draft)


def _has_strangers(target: Target, have: PoolHave) -> bool:
    return any(find_stranger(target.want.name, have.seen.get(node.name), have) for node in target.nodes)


def _find_unknown(target: Target, have: PoolHave) -> list[Problem]:
    """Of nodes that do not answer nobody can tell whether they have a pool to adopt."""
    known = {node.name for node in target.nodes}
    members = [node.name for node in have.nodes if node.scope == target.cluster.id]
    label = f"pool {target.want.name}"
    return [of_pool(have.down[name], label) for name in members if name in have.down and name not in known]


def _plan_nothing_to_adopt(target: Target, have: PoolHave, draft: Draft) -> None:
    label = f"pool {target.want.name}"
    named = target.nodes if target.want.nodes is not None else ()
    down = [of_pool(have.down[node.name], label) for node in named if node.name in have.down]
    down += _find_unknown(target, have) if target.want.nodes is None else []
    if down:
        draft.failures += down
        return
    draft.refuse(
        "there is no storage pool of this name to adopt on its nodes",
        "pextra_pool_info with foreign: true lists what there is. What is new is made without adopt.",
        resource=label,
    )


def _plan_key(want: Pool, row: Row, have: PoolHave, draft: Draft) -> None:
    """The coordinator is a client of Ceph itself: libvirt cannot fill a volume there."""
    if want.type != "rbd" or want.credential is None:
        return
    digest = digest_of_credential("rbd", row.id, want.credential)
    if have.kept_keys.get(row.id) != digest:
        step = Step("keep_key", "keep its key on the coordinator", {"id": row.id, "credential": want.credential})
        draft.first.append(work_on(row, [step]))


def _plan_registration(
    new: Row,
    before: Mapping[str, Any],
    associations: Sequence[AssociationRow],
    dropped: Sequence[str],
    known: Mapping[str, AssociationRow],
    have: PoolHave,
    draft: Draft,
) -> None:
    changes = [
        Change(key, _shown_attribute(before.get(key)), _shown_attribute(new.attributes[key]))
        for key in LABELLED
        if before.get(key) != new.attributes.get(key) and new.attributes.get(key) is not None
    ]
    changes += changes_of(bool(before.get("protected")), is_protected(new))
    enabled = {id_ for id_, one in known.items() if one.attributes.get("enabled")}
    off = {one.node for one in associations if not one.attributes["enabled"]}
    on = {one.node for one in associations if one.attributes["enabled"]}
    nodes_before = tuple(names_of(enabled, have.nodes))
    nodes_after = tuple(names_of(enabled - set(dropped) - off | on, have.nodes))
    if nodes_before != nodes_after:
        changes.append(Change("nodes", nodes_before or None, nodes_after or "none"))
    if not before or changes or associations or dropped:
        what = "register" if not before else "change its enabled nodes" if associations or dropped else "change"
        data = {"row": new, "associations": tuple(associations), "dropped": tuple(dropped)}
        draft.first.append(work_on(new, [Step("register", what, data)], changes))


def _plan_enabled(
    target: Target,
    row: Row,
    association: AssociationRow,
    node: Row,
    have: PoolHave,
    draft: Draft,
    *,
    is_new: bool,
) -> None:
    seen_node = have.seen[node.name]
    seen, uuid = seen_ours(row, seen_node), uuid_on(row, seen_node.labels)
    taken = find_stranger(row.name, seen_node, have) if seen is None and target.want.adopt else None
    if taken is not None:
        label, hindrance = f"pool {row.name}", find_hindrance(taken, seen_node)
        problems = [Problem(*hindrance)] if hindrance is not None else list(find_differences(taken, row))
        if problems:
            draft.refusals += [replace(one, node=node.name, resource=label) for one in problems]
            return
        seen, uuid = taken, taken.definition.uuid
        association = replace(association, attributes={**association.attributes, "internal_id": uuid})
    reason = have.bad_sources.get((row.name, node.name))
    situation = Situation(
        pool_exists=True,
        has_association=True,
        has_internal_id=bool(association.attributes.get("internal_id")),
        enabled=True,
        defined=seen is not None,
        started=seen is not None and seen.active,
        source_reachable=reason is None,
    )
    data = {
        "association": association,
        "xml": render_registered_pool(row, uuid),
        "uuid": uuid,
        "reason": reason,
        "build": row.attributes["type"] in IN_DIRECTORY,
    }
    steps: list[Step] = []
    changes: list[Change] = []
    acts: Sequence[str] = plan_rounds(situation)
    if taken is not None:
        steps.append(Step("record", "adopt", data))
        changes.append(Change("adopted", "no", "yes"))
    if seen is not None and not _is_as_registered(seen, row):
        # A definition cannot be changed in place: libvirt refuses a new name, and goes on with the old path. Other
        # monitors it takes while the pool goes on, and asks them from its next start on.
        if reason is None and not _has_other_monitors(seen, row):
            steps.append(Step("undefine", "undefine what differs", data))
        changes.append(Change("definition", definition_of(seen.definition), definition_for(row)))
        acts = ("define",) if reason is None else ("fail",)
    if reason is None and target.want.credential is not None:
        _plan_credential(target.want.credential, row, association, seen_node, data, steps, changes, is_new=is_new)
    steps += [Step(act, _TEXTS[act], data) for act in acts]
    if "define" in acts or taken is not None:
        draft.refusals += find_foreign_conflicts(target, uuid, node.name, have)
    if "define" in acts:
        if not any(change.field == "definition" for change in changes):
            changes.append(Change("defined", None if is_new else seen is not None, True))
    elif seen is not None and not seen.autostart:
        steps.append(Step("autostart", "let it start with the node", data))
        changes.append(Change("autostart", False, True))
    if "start" in acts:
        changes.append(Change("active", False, True))
    if not steps and (association.attributes.get("status") != "available" or association.attributes.get("error")):
        steps.append(Step("record", "record that it is available", data))
        changes.append(Change("status", association.attributes.get("status"), "available"))
    labels = labels_of_pool(row.name, row.id, row.attributes, uuid)
    stale = {key: text for key, text in labels.items() if seen_node.labels.get(key) != text}
    if stale:
        steps.append(Step("label", "write its label", {"labels": stale}))
        changes += [Change("label", seen_node.labels.get(key), text) for key, text in stale.items() if not is_new]
    if reason is not None:
        draft.failures.append(Problem(reason, node=node.name, resource=f"pool {row.name}"))
        if association.attributes.get("error") == reason:
            steps = [step for step in steps if step.act != "fail"]
    draft.works.append(work_on(row, steps, changes, node=node.name))


_TEXTS = {
    "fail": "record that its source cannot be reached",
    "define": "define and start",
    "start": "start",
    "forget": "forget the definition that is gone",
}


def _has_other_monitors(seen: SeenPool, row: Row) -> bool:
    """Tell whether a pool is as registered but for the monitors of Ceph."""
    pool_type, source = row.attributes["type"], row.attributes.get("source")
    described = describe_source(row.name, uuid_of(row.id), pool_type, source)
    return seen.definition.name == row.name and has_other_monitors(seen.definition, described)


def _is_as_registered(seen: SeenPool, row: Row) -> bool:
    definition = seen.definition
    pool_type, path = row.attributes["type"], row.attributes["path"]
    return (
        definition.name == row.name
        and is_of_type(definition, pool_type)
        and (path is None or definition.path == path)
        and definition.source == describe_source(row.name, uuid_of(row.id), pool_type, row.attributes.get("source"))
    )


def render_registered_pool(row: Row, uuid: str | None = None) -> str:
    """Return the XML of a pool as it is registered. uuid: what libvirt's has on the node, if it was adopted there."""
    attributes = row.attributes
    return render_pool(
        row.name, uuid or uuid_of(row.id), attributes["type"], attributes["path"], attributes.get("source")
    )


def _plan_credential(
    credential: str,
    row: Row,
    association: AssociationRow,
    seen: SeenNode,
    data: Mapping[str, Any],
    steps: list[Step],
    changes: list[Change],
    *,
    is_new: bool,
) -> None:
    """The node's libvirt keeps the secret, and tells only that it has one: a digest tells whether it is this one."""
    digest = digest_of_credential(row.attributes["type"], row.id, credential)
    has_it = uuid_of(row.id) in seen.secrets
    if has_it and association.attributes.get("credential") == digest:
        return
    xml = render_secret(row.id, uuid_of(row.id), row.attributes["type"])
    what = "change its credential" if has_it else "keep its credential"
    secret = {
        **data,
        "secret_xml": xml,
        "credential": credential,
        "digest": digest,
        "pool_type": row.attributes["type"],
    }
    # Before anything that needs it.
    steps.insert(0, Step("secret", what, secret))
    if not is_new:
        changes.append(Change("credential", "another one" if has_it else "none", "as declared"))


def definition_of(definition: PoolDefinition) -> str:
    where = definition.path if not definition.source else definition.source
    return f"{definition.name} at {where} ({definition.type})"


def definition_for(row: Row) -> str:
    pool_type, path = row.attributes["type"], row.attributes["path"]
    source = describe_source(row.name, uuid_of(row.id), pool_type, row.attributes.get("source"))
    return f"{row.name} at {source or path}"


def _shown_attribute(value: object) -> object:
    """A source is a mapping; a person reads it on one line."""
    if not isinstance(value, Mapping):
        return value
    words = {key: ",".join(one) if isinstance(one, list) else one for key, one in sorted(value.items())}
    return ", ".join(f"{key} {one}" for key, one in words.items())
