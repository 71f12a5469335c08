# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of libvirt that was there before becomes a storage pool as it is. Pure.

It is registered, and its node gets its label, which says what UUID it has there: on each node it has its own. A call
that wants it otherwise than it is, is refused. It is started, and starts with its node, as every pool of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...._fields.checks import check_name
from ...._model.errors import Problem
from ...._model.ids import new_id, uuid_of
from ...._model.labels import read_labels
from ...._model.rows import Row
from ..definition import declare_pool, describe_source, is_of_type
from ..identity import LABEL, uuid_on
from ..path import check_pool_path
from ..source import SECRETS
from ..spec import FIELDS, IN_DIRECTORY, TYPES, Pool, parse_pool_spec
from .state import PoolHave, SeenNode, SeenPool, seen_ours

_REMEDY = (
    "Adopt it as it is first: leave this out, or declare what it has. pextra_pool_info with foreign: true says what "
    "that is."
)


def list_strangers(node: SeenNode, have: PoolHave) -> list[SeenPool]:
    """Return the pools of a node's libvirt that are not ours."""
    ours = [pool for row in have.pools if (pool := seen_ours(row, node)) is not None]
    return [pool for pool in node.pools if pool not in ours]


def find_stranger(name: str, node: SeenNode | None, have: PoolHave) -> SeenPool | None:
    """Return the pool of that name on a node that is not ours."""
    if node is None or all(pool.definition.name != name for pool in node.pools):
        return None
    return next((pool for pool in list_strangers(node, have) if pool.definition.name == name), None)


def nodes_with(name: str, nodes: Sequence[Row], have: PoolHave) -> list[Row]:
    """Return those of the nodes that have a pool of that name which is not ours."""
    return [node for node in nodes if find_stranger(name, have.seen.get(node.name), have) is not None]


def find_hindrance(pool: SeenPool, node: SeenNode) -> tuple[str, str] | None:
    """Return why a pool of a node cannot be adopted as it is, and what to do; None if it can."""
    name = pool.definition.name
    carried = next((row for row in read_labels(node.labels, LABEL, "pool", "") if row.name == name), None)
    if carried is not None and uuid_on(carried, node.labels) == pool.definition.uuid:
        return (
            f"it is a storage pool of a cloud already, as its label tells ({carried.id}), and is not registered here",
            "If the registry was lost, rebuild it first (pextra_registry). Otherwise take the label away: "
            f"ovs-vsctl remove Open_vSwitch . external_ids {LABEL}{name}.",
        )
    problem = check_name(name)
    if problem is not None:
        return f"its name cannot be a storage pool's: {problem}", "libvirt renames no pool: define it anew."
    declared = declare_pool(pool.xml)
    if declared is None:
        return _describe_undeclarable(pool), (
            "Leave it to whoever uses it. To declare it as a new one, first stop the guests with disks in it, which "
            f"lose them otherwise, then let it go: virsh pool-destroy {name}; virsh pool-undefine {name}."
        )
    if not pool.persistent:
        remedy = f"Define it for good: virsh pool-dumpxml {name} > f; virsh pool-define f."
        return "it is defined only until it stops", remedy
    problem = check_pool_path(declared["path"] or "") if declared["type"] in IN_DIRECTORY else None
    if problem is not None:
        return f"its directory cannot be a storage pool's: {problem}", ""
    kind = declared["type"]
    attributes = {"type": kind, "path": declared.get("path"), "source": declared.get(kind)}
    wrong = _compare(pool, Row(new_id("pool"), "pool", name, "", attributes))
    if wrong:
        told = "; ".join(
            f"its {key} is {before or 'none'}, and one of ours of its type has {after}" for key, before, after in wrong
        )
        return told, (
            "No option declares that. Leave it to whoever uses it, or define it anew as ours are once no guest uses it."
        )
    return None


def _describe_undeclarable(pool: SeenPool) -> str:
    """Return why no options declare a pool."""
    kind = pool.definition.type
    if not any(is_of_type(pool.definition, ours) for ours in TYPES):
        return f"its type ({kind}) is none of ours"
    if kind == "rbd":
        return "it is of Ceph, and its monitors, user and secret are not the cloud's"
    return "it logs in with a secret that is not the cloud's"


def as_found(want: Pool, pool: SeenPool) -> Pool:
    """Return what a call means by what it does not name: what the pool is made of, as it is."""
    declared = declare_pool(pool.xml) or {}
    kind = declared.get("type")
    if kind is None or want.type not in (None, kind):
        return want
    found = declared.get(kind)
    values: dict[str, Any] = {"type": kind, "path": want.path or declared.get("path")}
    if found is not None:
        given = {key: value for key, value in (getattr(want, kind) or {}).items() if value is not None}
        table = FIELDS[kind].table or {}
        values[kind] = {**dict.fromkeys(table), **found, **given}
    return replace(want, **values)


def find_differences(pool: SeenPool, row: Row) -> Iterator[Problem]:
    """Yield what is otherwise than declared. row: as it is to be registered."""
    wrong = _compare(pool, row)
    if wrong:
        told = "; ".join(f"{key} is {before or 'none'}, declared {after or 'none'}" for key, before, after in wrong)
        yield Problem(f"it is not as declared: {told}", _REMEDY)


def _compare(pool: SeenPool, row: Row) -> list[tuple[str, str | None, str | None]]:
    """Return in what a pool is otherwise than declared: what it is of, what it has, what is declared."""
    declared = declare_pool(pool.xml) or {}
    attributes = row.attributes
    kind = attributes["type"]
    pairs = [("type", declared.get("type"), kind), ("path", declared.get("path"), attributes["path"])]
    source = describe_source(row.name, uuid_of(row.id), kind, attributes.get("source"))
    if kind == declared.get("type"):
        pairs.append((kind if kind in SECRETS else "source", pool.definition.source, source))
    return [(key, before, after) for key, before, after in pairs if before != after]


def describe_strangers(have: PoolHave) -> list[dict[str, Any]]:
    """Return the pools that are not ours as results: what is alike on several nodes of a cluster is one.

    element: what adopts it, None where that cannot be.
    """
    found: dict[tuple[str, str, str], list[tuple[str, SeenPool]]] = {}
    for node in have.nodes:
        for pool in list_strangers(have.seen[node.name], have) if node.name in have.seen else ():
            key = (node.scope, pool.definition.name, str(declare_pool(pool.xml) or pool.definition[2:]))
            found.setdefault(key, []).append((node.name, pool))
    clusters = {row.id: row.name for row in have.clusters}
    return [
        _describe(name, clusters.get(scope), places, have, is_ours_too=_is_registered(name, scope, have))
        for (scope, name, _), places in sorted(found.items(), key=lambda pair: (pair[0][1], pair[1][0][0]))
    ]


def _is_registered(name: str, cluster: str, have: PoolHave) -> bool:
    return any((row.scope, row.name) == (cluster, name) for row in have.pools)


def _describe(
    name: str, cluster: str | None, places: Sequence[tuple[str, SeenPool]], have: PoolHave, *, is_ours_too: bool
) -> dict[str, Any]:
    nodes = [node for node, _ in places]
    item: dict[str, Any] = {
        "name": name,
        "cluster": cluster,
        "nodes": [
            {"name": node, "uuid": pool.definition.uuid, "active": pool.active, "autostart": pool.autostart}
            for node, pool in places
        ],
        "element": None,
    }
    found = {node: find_hindrance(pool, have.seen[node]) for node, pool in places}
    hindrances = {node: hindrance for node, hindrance in found.items() if hindrance is not None}
    if hindrances:
        return item | {"remarks": [str(Problem(*hindrance, node=node)) for node, hindrance in hindrances.items()]}
    element = {
        "name": name,
        "cluster": cluster,
        "adopt": True,
        "nodes": nodes,
        **(declare_pool(places[0][1].xml) or {}),
    }
    _, mistakes = parse_pool_spec(element, "")
    if mistakes:
        return item | {"remarks": [f"{mistake.path} {mistake.problem}" for mistake in mistakes]}
    remarks = [f"{node}: it is stopped; adopted, it is started" for node, pool in places if not pool.active]
    remarks += [
        f"{node}: it does not start with the node; adopted, it does" for node, pool in places if not pool.autostart
    ]
    if is_ours_too:
        remarks.append("the cloud has a storage pool of this name; its element takes these nodes as well")
    return item | {"element": element, "remarks": remarks}
