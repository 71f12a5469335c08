"""Storage pools: which nodes have them enabled, what propagation has to do there, and their status. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from .._errors import Problem
from .._ids import is_id, new_id, uuid_of
from .._pool_kinds import KINDS
from .._spec._mistake import suggest
from .._spec._pool_source import IN_LIBVIRT
from .._spec.pool import (
    IN_DIRECTORY,
    NETWORKED,
    Pool,
    complete_pool,
    digest_of_credential,
    find_mistakes_within,
)
from .._xml.pool import PoolDefinition, describe_source, is_of_type, render_pool, render_secret
from ._rows import AssociationRow, Row
from ._types import Change, Plan, Step, Work
from .hierarchy import find, find_cluster
from .propagation import Situation, plan_rounds

Status = Literal["unassigned", "available", "error", "propagating", "destroying"]

LABEL = "pextra-pool/"
_LABELLED = ("type", "path", "shared", "source", "description")
_IMAGE_COPY = re.compile(r"(?P<id>img-[A-Za-z0-9_-]{21})\.(qcow2|raw)")
# mkfs makes it; it is nobody's volume.
_NOT_VOLUMES = {"lost+found"}
_SHOWN_VOLUMES = 10


class SeenPool(NamedTuple):
    """A pool as one node's libvirt has it. Sizes are bytes, 0 when it is stopped."""

    definition: PoolDefinition
    active: bool
    autostart: bool
    capacity: int = 0
    allocation: int = 0
    available: int = 0


@dataclass(frozen=True)
class SeenNode:
    """What a node has. volumes (names) and users (instances) are by pool name, read only where a pool leaves.

    secrets: the UUIDs of libvirt's secrets, read only where a pool has a credential.
    """

    pools: tuple[SeenPool, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PoolHave:
    """Registry and nodes. seen is by the names of the nodes that answer, down says why the others do not."""

    clusters: tuple[Row, ...]
    nodes: tuple[Row, ...]
    pools: tuple[Row, ...]
    associations: tuple[AssociationRow, ...]
    seen: Mapping[str, SeenNode] = field(default_factory=dict)
    down: Mapping[str, Problem] = field(default_factory=dict)
    # Why a pool's source cannot be used, by (pool, node) names; a directory is made where it is missing.
    bad_sources: Mapping[tuple[str, str], str] = field(default_factory=dict)
    # The digests of the keys of Ceph that the coordinator keeps, by the pool's identifier.
    kept_keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Target:
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


@dataclass
class _Draft:
    """A plan while it grows."""

    first: list[Work] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    last: list[Work] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)
    failures: list[Problem] = field(default_factory=list)


def plan_pools(wants: Sequence[Pool], have: PoolHave) -> Plan:
    """Plan pools over all nodes at once."""
    draft = _Draft()
    targets = []
    for want in wants:
        target = _resolve(want, have)
        if isinstance(target, _Target):
            targets.append(target)
        else:
            draft.refusals += target
    draft.refusals += _find_path_conflicts(targets, have)
    for target in targets:
        if target.want.state == "absent":
            _plan_absent(target, have, draft)
        else:
            _plan_present(target, have, draft)
    return Plan(
        first=tuple(draft.first),
        works=tuple(draft.works),
        last=tuple(draft.last),
        refusals=tuple(draft.refusals),
        failures=tuple(draft.failures),
    )


def find_concerned(wants: Sequence[Pool], have: PoolHave) -> list[str]:
    """Return the names of the nodes that the wants are about; all that have a pool if there are no wants."""
    ids = {association.node for association in have.associations} if not wants else set()
    for want in wants:
        target = _resolve(want, have)
        if isinstance(target, _Target):
            ids |= {node.id for node in target.nodes}
            ids |= {one.node for one in _associations(target.row, have)} if target.row else set()
    return [node.name for node in have.nodes if node.id in ids]


def find_leaving(wants: Sequence[Pool], have: PoolHave) -> dict[str, list[Row]]:
    """Return, by node name, the pools that shall leave it: what they hold there has to be read before planning."""
    leaving: dict[str, list[Row]] = {}
    for want in wants:
        target = _resolve(want, have)
        if not isinstance(target, _Target) or target.row is None:
            continue
        stay = {node.id for node in target.nodes}
        for association in _associations(target.row, have):
            node = find(association.node, have.nodes)
            if node is not None and association.node not in stay:
                leaving.setdefault(node.name, []).append(target.row)
    return leaving


class SourceTest(NamedTuple):
    """A pool, as it is or would be registered, whose source has to be tested for a node before planning.

    is_started: it is in use there, so it is enough that its servers answer.
    """

    pool: Row
    node: str
    is_started: bool


def find_source_tests(wants: Sequence[Pool], have: PoolHave) -> list[SourceTest]:
    """Return what has to be tested. A directory is made where it is missing, so there is nothing to test; what is on
    the node itself and in use needs no test either.
    """
    tests = []
    for want in wants:
        target = _resolve(want, have)
        if not isinstance(target, _Target) or want.state == "absent" or target.want.type == "directory":
            continue
        row = target.row or Row("", "pool", want.name, target.cluster.id, {})
        pool_type = target.want.type
        attributes = {"type": pool_type, "path": target.path, "source": target.source}
        for node in target.nodes:
            seen_node = have.seen.get(node.name)
            if seen_node is None:
                continue
            seen = _seen_ours(row.id, seen_node) if target.row else None
            is_started = seen is not None and seen.active
            if pool_type in NETWORKED or not is_started:
                tests.append(SourceTest(replace(row, attributes=attributes), node.name, is_started))
    return tests


# Labels, from which a lost registry is rebuilt


def labels_of_pool(name: str, pool_id: str, attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return what every enabled node carries about a pool."""
    kept = {key: attributes[key] for key in _LABELLED if attributes.get(key) is not None}
    return {f"{LABEL}{name}": json.dumps({"id": pool_id, **kept}, sort_keys=True)}


def pools_from_labels(
    labels: Mapping[str, str], *, node_id: str, cluster_id: str
) -> tuple[list[Row], list[AssociationRow]]:
    """Return the pools that a node's labels tell of, and that they are enabled on it.

    libvirt's identifier follows from ours, so propagation has nothing to do where all is well. Labels that are not
    ours are passed over.
    """
    rows, associations = [], []
    for key, text in sorted(labels.items()):
        if not key.startswith(LABEL):
            continue
        try:
            attributes = json.loads(text)
            pool_id = attributes.pop("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        needed = {"type", "shared", *(("path",) if attributes.get("type") in IN_DIRECTORY else ())}
        if isinstance(pool_id, str) and is_id(pool_id, "pool") and needed <= set(attributes):
            known = {"path": None, **attributes, "deleting": False}
            rows.append(Row(pool_id, "pool", key.removeprefix(LABEL), cluster_id, known))
            known = {**_fresh_association(), "internal_id": uuid_of(pool_id), "status": "available"}
            associations.append(AssociationRow(pool_id, node_id, known))
    return rows, associations


# Status


def describe_pools(names: Sequence[tuple[str | None, str]] | None, have: PoolHave) -> list[dict[str, Any]]:
    """Return pools as results. names are (cluster reference or None, name) in the wanted order; None means all."""
    rows: list[Row] = []
    if names is None:
        rows = list(have.pools)
    for cluster_reference, name in names or ():
        cluster = find_cluster(cluster_reference, have.clusters)
        rows += [row for row in have.pools if isinstance(cluster, Row) and (row.scope, row.name) == (cluster.id, name)]
    return [_describe(row, have) for row in rows]


def _describe(row: Row, have: PoolHave) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = []
    for association in _associations(row, have):
        node = find(association.node, have.nodes)
        if node is None:
            continue
        seen = _seen_ours(row.id, have.seen.get(node.name))
        status, error = _node_status(row, association, seen, have.down.get(node.name))
        stored = association.attributes
        nodes.append(
            {
                "name": node.name,
                "enabled": bool(stored.get("enabled")),
                "status": status,
                "error": error,
                "error_at": stored.get("error_at") if error is not None and error == stored.get("error") else None,
                "capacity": seen.capacity if seen else 0,
                "allocation": seen.allocation if seen else 0,
                "available": seen.available if seen else 0,
            }
        )
    nodes.sort(key=lambda node: str(node["name"]))
    counted = [node for node in nodes if node["status"] == "available"]
    if row.attributes["shared"]:
        counted = counted[:1]
    cluster = find(row.scope, have.clusters)
    return {
        "id": row.id,
        "name": row.name,
        "cluster": cluster.name if cluster else None,
        "type": row.attributes["type"],
        "path": row.attributes["path"],
        "shared": row.attributes["shared"],
        "description": row.attributes.get("description"),
        "status": _pool_status(row, [node["status"] for node in nodes]),
        "capacity": sum(node["capacity"] for node in counted),
        "allocation": sum(node["allocation"] for node in counted),
        "available": sum(node["available"] for node in counted),
        "nodes": nodes,
    }


def _node_status(
    row: Row, association: AssociationRow, seen: SeenPool | None, down: Problem | None
) -> tuple[Status, str | None]:
    stored = association.attributes
    if not stored.get("enabled"):
        return "destroying", stored.get("error")
    if down is not None:
        return "error", down.what
    is_active = seen is not None and seen.active
    # libvirt does not notice when a server goes: what propagation has found out counts until it finds otherwise.
    if stored.get("error") and (not is_active or row.attributes["type"] in NETWORKED):
        return "error", stored["error"]
    if is_active:
        return "available", None
    if seen is not None:
        return "error", "it is defined, but stopped"
    if stored.get("internal_id"):
        return "error", "it is not defined any more"
    return "propagating", None


def _pool_status(row: Row, statuses: Sequence[str]) -> Status:
    if row.attributes.get("deleting"):
        return "destroying"
    if not statuses:
        return "unassigned"
    if "error" in statuses:
        return "error"
    return "available" if set(statuses) == {"available"} else "propagating"


# Resolving references


def _resolve(want: Pool, have: PoolHave) -> _Target | list[Problem]:
    label = f"pool {want.name}"
    cluster = find_cluster(want.cluster, have.clusters)
    if isinstance(cluster, str):
        return [Problem(cluster, resource=label)]
    row = next((row for row in have.pools if (row.scope, row.name) == (cluster.id, want.name)), None)
    members = [node for node in have.nodes if node.scope == cluster.id]
    if want.state == "absent":
        return _Target(want, cluster, row, ())
    registered = row.attributes if row is not None else None
    want = complete_pool(want, registered)
    if registered is None or want.type == registered["type"]:  # another type is refused, whatever goes with it
        mistakes = find_mistakes_within(want, "", "new" if row is None else "present")
        if mistakes:
            return [Problem(f"{mistake.path} {mistake.problem}", resource=label) for mistake in mistakes]
    if want.nodes is None and row is not None:
        enabled = {one.node for one in _associations(row, have) if one.attributes.get("enabled")}
        return _Target(want, cluster, row, tuple(node for node in members if node.id in enabled))
    if want.nodes is None:
        return _Target(want, cluster, row, tuple(members))
    nodes, problems = [], []
    for reference in want.nodes:
        node = find(reference, members)
        if node is None:
            known = suggest(reference, [member.name for member in members])
            problems.append(Problem(f'"{reference}" is not a node of cluster {cluster.name}.{known}', resource=label))
        elif node not in nodes:
            nodes.append(node)
    return problems or _Target(want, cluster, row, tuple(nodes))


def _associations(row: Row, have: PoolHave) -> list[AssociationRow]:
    return [association for association in have.associations if association.resource == row.id]


def _seen_ours(pool_id: str, node: SeenNode | None) -> SeenPool | None:
    uuid = uuid_of(pool_id)
    return next((pool for pool in node.pools if pool.definition.uuid == uuid), None) if node else None


# Conflicts


def _find_path_conflicts(targets: Sequence[_Target], have: PoolHave) -> Iterator[Problem]:
    """Two pools whose directories are the same, or one within the other, on a common node would show each other's
    volumes (domain rules, "Storage pools").
    """
    declared = [target for target in targets if target.want.state == "present"]
    names = {(target.cluster.id, target.want.name) for target in targets}
    areas = [
        (target.want.name, target.path, {node.id for node in target.nodes}, True)
        for target in declared
        if target.path is not None
    ]
    for row in have.pools:
        if (row.scope, row.name) not in names and row.attributes["path"] is not None:
            nodes = {association.node for association in _associations(row, have)}
            areas.append((row.name, row.attributes["path"], nodes, False))
    for index, (name, path, nodes, _) in enumerate(areas):
        for other, other_path, other_nodes, other_declared in areas[:index]:
            common = nodes & other_nodes
            if common and overlap(path, other_path):
                where = ", ".join(sorted(node.name for node in have.nodes if node.id in common))
                first, second = (name, other) if other_declared else (other, name)
                how = "have the same path" if path == other_path else "lie one within the other"
                yield Problem(
                    f"the paths of pools {second} ({other_path if second == other else path}) and {first} "
                    f"({path if first == name else other_path}) {how}, on {where}",
                    "Give them directories apart from each other, or enable them on different nodes.",
                    resource=f"pool {first}",
                )


def overlap(one: str, other: str) -> bool:
    """Tell whether two directories are the same, or one lies within the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _find_foreign_conflicts(target: _Target, pool_id: str, node: str, have: PoolHave) -> Iterator[Problem]:
    """A pool of the node that is not ours, and is in the way of this one. It is never touched."""
    label = f"pool {target.want.name}"
    ours = {uuid_of(row.id) for row in have.pools} | {uuid_of(pool_id)}
    for pool in have.seen[node].pools:
        other = pool.definition
        if other.uuid in ours:
            continue
        if other.name == target.want.name:
            yield Problem(
                f"libvirt has a storage pool of this name already, which is not ours (UUID {other.uuid})",
                "Choose another name: what is not ours is never touched. If the registry was lost, rebuild it first.",
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


def _find_fixed_changes(target: _Target) -> Iterator[Problem]:
    """Only the enabled nodes and the description of a pool can change (domain rules, "Storage pools")."""
    want, row = target.want, target.row
    if row is None:
        return
    for key, value in (("type", want.type), ("path", want.path), ("shared", want.shared), ("source", want.source)):
        known = row.attributes.get(key)
        if value is not None and value != known:
            yield Problem(
                f"its {key} is {_word(known)} and cannot become {_word(value)}: the volumes in it would be lost to "
                "their instances",
                "Only its nodes and its description can change. Declare a new pool, and move the instances there.",
                resource=f"pool {want.name}",
            )


def _word(value: object) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


# Present


def _plan_present(target: _Target, have: PoolHave, draft: _Draft) -> None:
    want, row = target.want, target.row
    label = f"pool {want.name}"
    if row is not None and row.attributes.get("deleting"):
        draft.refusals.append(
            Problem(
                "it is being destroyed; its name stays taken until that is done",
                "Finish it with state: absent, then declare it again.",
                resource=label,
            )
        )
        return
    fixed = list(_find_fixed_changes(target))
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
    }
    new = Row(row.id if row else new_id("pool"), "pool", want.name, target.cluster.id, after)
    known = {association.node: association for association in _associations(new, have)}
    registered: list[AssociationRow] = []
    for node in target.nodes:
        association = known.get(node.id)
        if association is None or not association.attributes.get("enabled"):
            fresh = {**(association.attributes if association else {}), **_enabled(have.down.get(node.name))}
            association = AssociationRow(new.id, node.id, {**_fresh_association(), **fresh})
            registered.append(association)
        if node.name in have.down:
            draft.failures.append(_of_pool(have.down[node.name], label))
        else:
            _plan_enabled(target, new, association, node, have, draft, is_new=node.id not in known)
    gone = [association for id_, association in known.items() if id_ not in {node.id for node in target.nodes}]
    leaving, dropped = _plan_leaving(new, gone, have, draft, last_node=not target.nodes)
    _plan_registration(new, before, registered + leaving, dropped, known, have, draft)
    _plan_key(want, new, have, draft)


def _plan_key(want: Pool, row: Row, have: PoolHave, draft: _Draft) -> None:
    """The coordinator is a client of Ceph itself: libvirt cannot fill a volume there."""
    if want.type != "rbd" or want.credential is None:
        return
    digest = digest_of_credential("rbd", row.id, want.credential)
    if have.kept_keys.get(row.id) != digest:
        step = Step("keep_key", "keep its key on the coordinator", {"id": row.id, "credential": want.credential})
        draft.first.append(Work(kind="pool", name=row.name, id=row.id, steps=(step,)))


def _plan_registration(
    new: Row,
    before: Mapping[str, Any],
    associations: Sequence[AssociationRow],
    dropped: Sequence[str],
    known: Mapping[str, AssociationRow],
    have: PoolHave,
    draft: _Draft,
) -> None:
    changes = [
        Change(key, _shown_attribute(before.get(key)), _shown_attribute(new.attributes[key]))
        for key in _LABELLED
        if before.get(key) != new.attributes.get(key) and new.attributes.get(key) is not None
    ]
    nodes_before = _names({id_ for id_, one in known.items() if one.attributes.get("enabled")}, have)
    nodes_after = _names(
        ({id_ for id_, one in known.items() if one.attributes.get("enabled")} - set(dropped))
        - {one.node for one in associations if not one.attributes["enabled"]}
        | {one.node for one in associations if one.attributes["enabled"]},
        have,
    )
    if nodes_before != nodes_after:
        changes.append(Change("nodes", nodes_before or None, nodes_after or "none"))
    if not before or changes or associations or dropped:
        what = "register" if not before else "change its enabled nodes" if associations or dropped else "change"
        data = {"row": new, "associations": tuple(associations), "dropped": tuple(dropped)}
        draft.first.append(
            Work(
                kind="pool",
                name=new.name,
                id=new.id,
                steps=(Step("register", what, data),),
                changes=tuple(changes),
            )
        )


def _plan_enabled(
    target: _Target,
    row: Row,
    association: AssociationRow,
    node: Row,
    have: PoolHave,
    draft: _Draft,
    *,
    is_new: bool,
) -> None:
    seen_node = have.seen[node.name]
    seen = _seen_ours(row.id, seen_node)
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
        "xml": render_registered_pool(row),
        "uuid": uuid_of(row.id),
        "reason": reason,
        "build": row.attributes["type"] in IN_DIRECTORY,
    }
    steps: list[Step] = []
    changes: list[Change] = []
    acts: Sequence[str] = plan_rounds(situation)
    if seen is not None and not _is_as_registered(seen, row):
        # A definition cannot be changed in place: libvirt refuses a new name, and goes on with the old path.
        if reason is None:
            steps.append(Step("undefine", "undefine what differs", data))
        changes.append(Change("definition", _definition(seen.definition), _definition_of(row)))
        acts = ("define",) if reason is None else ("fail",)
    if reason is None and target.want.credential is not None:
        _plan_credential(target.want.credential, row, association, seen_node, data, steps, changes, is_new=is_new)
    steps += [Step(act, _TEXTS[act], data) for act in acts]
    if "define" in acts:
        draft.refusals += _find_foreign_conflicts(target, row.id, node.name, have)
        if not any(step.act == "undefine" for step in steps):
            changes.append(Change("defined", None if is_new else seen is not None, True))
    elif seen is not None and not seen.autostart:
        steps.append(Step("autostart", "let it start with the node", data))
        changes.append(Change("autostart", False, True))
    if "start" in acts:
        changes.append(Change("active", False, True))
    if not steps and (association.attributes.get("status") != "available" or association.attributes.get("error")):
        steps.append(Step("record", "record that it is available", data))
        changes.append(Change("status", association.attributes.get("status"), "available"))
    labels = labels_of_pool(row.name, row.id, row.attributes)
    stale = {key: text for key, text in labels.items() if seen_node.labels.get(key) != text}
    if stale:
        steps.append(Step("label", "write its label", {"labels": stale}))
        changes += [Change("label", seen_node.labels.get(key), text) for key, text in stale.items() if not is_new]
    if reason is not None:
        draft.failures.append(Problem(reason, node=node.name, resource=f"pool {row.name}"))
        if association.attributes.get("error") == reason:
            steps = [step for step in steps if step.act != "fail"]
    draft.works.append(
        Work(kind="pool", name=row.name, id=row.id, node=node.name, steps=tuple(steps), changes=tuple(changes))
    )


_TEXTS = {
    "fail": "record that its source cannot be reached",
    "define": "define and start",
    "start": "start",
    "forget": "forget the definition that is gone",
}


def _is_as_registered(seen: SeenPool, row: Row) -> bool:
    definition = seen.definition
    pool_type, path = row.attributes["type"], row.attributes["path"]
    return (
        definition.name == row.name
        and is_of_type(definition, pool_type)
        and (path is None or definition.path == path)
        and definition.source == describe_source(row.name, uuid_of(row.id), pool_type, row.attributes.get("source"))
    )


def render_registered_pool(row: Row) -> str:
    """Return the XML of a pool as it is registered."""
    attributes = row.attributes
    return render_pool(row.name, uuid_of(row.id), attributes["type"], attributes["path"], attributes.get("source"))


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


def _definition(definition: PoolDefinition) -> str:
    where = definition.path if not definition.source else definition.source
    return f"{definition.name} at {where} ({definition.type})"


def _definition_of(row: Row) -> str:
    pool_type, path = row.attributes["type"], row.attributes["path"]
    source = describe_source(row.name, uuid_of(row.id), pool_type, row.attributes.get("source"))
    return f"{row.name} at {source or path}"


def _shown_attribute(value: object) -> object:
    """A source is a mapping; a person reads it on one line."""
    if not isinstance(value, Mapping):
        return value
    words = {key: ",".join(one) if isinstance(one, list) else one for key, one in sorted(value.items())}
    return ", ".join(f"{key} {one}" for key, one in words.items())


def _fresh_association() -> dict[str, Any]:
    return {"internal_id": None, "enabled": True, "status": "propagating", "error": None, "error_at": None}


def _enabled(down: Problem | None) -> dict[str, Any]:
    """error_at is filled in when it is written."""
    return {"enabled": True, "status": "error" if down else "propagating", "error": down.what if down else None}


def _names(ids: set[str], have: PoolHave) -> tuple[str, ...]:
    return tuple(sorted(node.name for node in have.nodes if node.id in ids))


def _of_pool(problem: Problem, label: str) -> Problem:
    return Problem(problem.what, problem.remedy, problem.node, problem.resource or label)


# Leaving


def _plan_leaving(
    row: Row, gone: Sequence[AssociationRow], have: PoolHave, draft: _Draft, *, last_node: bool
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
        # The units of a target are not ours: they stay, whoever uses them.
        makes_volumes = bool(KINDS[row.attributes["type"]].formats)
        keeps_files = not makes_volumes or (bool(row.attributes["shared"]) and not last_node)
        if association.attributes.get("enabled"):
            held = _find_held(row, node.name, seen_node, keeps_files=keeps_files)
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
        seen = _seen_ours(row.id, seen_node)
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
        data = {
            "association": association,
            "uuid": uuid_of(row.id),
            "pool": row.name,
            "copies": copies,
            "with_snapshots": row.attributes["type"] == "rbd",
        }
        steps = []
        if copies:
            steps.append(Step("delete_copies", f"delete {_count(len(copies), 'copy', 'copies')} of images", data))
        key = f"{LABEL}{row.name}"
        if key in seen_node.labels:
            steps.append(Step("label", "remove its label", {"labels": {key: None}}))
        steps += [
            Step(
                act,
                "remove; its directory stays" if act == "remove" else "forget",
                {**data, "shared": keeps_files, "has_secret": row.attributes["type"] in IN_LIBVIRT},
            )
            for act in acts
        ]
        draft.works.append(
            Work(
                kind="pool",
                name=row.name,
                id=row.id,
                node=node.name,
                steps=tuple(steps),
                changes=(Change("status", association.attributes.get("status"), None),),
            )
        )
    return marked, dropped


def _find_held(row: Row, node: str, seen: SeenNode, *, keeps_files: bool) -> Problem | None:
    """A pool stays while a node holds volumes in it (domain rules). Copies of images do not count: they are fetched
    again where they are wanted. On a shared pool that other nodes keep, only the node's own instances count.
    """
    volumes = sorted(
        name
        for name in seen.volumes.get(row.name, ())
        if name not in _NOT_VOLUMES and not _IMAGE_COPY.fullmatch(name) and not keeps_files
    )
    users = sorted(seen.users.get(row.name, ()))
    if not volumes and not users:
        return None
    found = []
    if volumes:
        more = f" and {len(volumes) - _SHOWN_VOLUMES} more" if len(volumes) > _SHOWN_VOLUMES else ""
        found.append(f"holds volumes in it: {', '.join(volumes[:_SHOWN_VOLUMES])}{more}")
    if users:
        found.append(f"has instances that use it: {', '.join(users)}")
    return Problem(
        f"the node still {'; it '.join(found)}",
        "It can leave when nothing there uses it any more. Nothing was changed.",
        node,
        f"pool {row.name}",
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


# Absent


def _plan_absent(target: _Target, have: PoolHave, draft: _Draft) -> None:
    row = target.row
    if row is None:
        return
    label = f"pool {row.name}"
    associations = _associations(row, have)
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
    marked, dropped = _plan_leaving(row, associations, have, draft, last_node=True)
    if marked or dropped or not row.attributes.get("deleting"):
        new = Row(row.id, "pool", row.name, row.scope, {**row.attributes, "deleting": True})
        data = {"row": new, "associations": tuple(marked), "dropped": tuple(dropped)}
        draft.first.append(
            Work(
                kind="pool",
                name=row.name,
                id=row.id,
                steps=(Step("register", "mark it for destruction", data),),
                changes=(Change("name", row.name, None),),
            )
        )
    waiting = [one for one in associations if (node := find(one.node, have.nodes)) and node.name in have.down]
    if not waiting:
        draft.last.append(
            Work(kind="pool", name=row.name, id=row.id, steps=(Step("deregister", "remove", {"id": row.id}),))
        )
