# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organizations, datacenters and clusters: what exists in the registry alone. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..._model.draft import Draft
from ..._model.ids import new_id
from ..._model.mistake import suggest
from ..._model.plan import (
    Change,
    Plan,
    Step,
    Work,
    work_on,
)
from ..._model.rows import Row

if TYPE_CHECKING:
    # Every module imports this one, and most for a row's place alone.
    from ..cluster.spec import Cluster
    from ..datacenter.spec import Datacenter
    from ..organization.spec import Organization


@dataclass(frozen=True)
class Hierarchy:
    """Everything registered that stands above or in a cluster."""

    organizations: tuple[Row, ...] = ()
    datacenters: tuple[Row, ...] = ()
    clusters: tuple[Row, ...] = ()
    members: tuple[Row, ...] = ()  # whatever has a cluster as its scope

    @property
    def root(self) -> Row | None:
        return next((row for row in self.organizations if row.attributes.get("root")), None)


def plan_organizations(wants: Sequence[Organization], have: Hierarchy) -> Plan:
    """The first organization ever is the root organization, which owns the deployment."""
    has_root = have.root is not None
    draft = Draft()
    for want in wants:
        row = _find_own(want, have.organizations)
        if want.state == "absent":
            used = [dc.name for dc in have.datacenters if row and dc.attributes.get("organization") == row.id]
            used += [member.name for member in have.members if row and member.attributes.get("organization") == row.id]
            if row is not None and row.attributes.get("root"):
                draft.refuse(
                    "it is the root organization, which owns the deployment", resource=f"organization {want.name}"
                )
            else:
                _remove(row, used, draft)
            continue
        attributes = {"description": want.description}
        if row is None and not has_root:
            attributes["root"] = True  # type: ignore[assignment]
            has_root = True
        draft.works.append(_put("organization", want.name, row, attributes))
    return draft.plan()


def plan_datacenters(wants: Sequence[Datacenter], have: Hierarchy) -> Plan:
    draft = Draft()
    for want in wants:
        row = _find_own(want, have.datacenters)
        if want.state == "absent":
            used = [cluster.name for cluster in have.clusters if row and cluster.attributes.get("datacenter") == row.id]
            _remove(row, used, draft)
            continue
        # What is not named stays as it is.
        reference = want.organization or (row.attributes.get("organization") if row else None)
        owner = find(reference, have.organizations) if reference else have.root
        if owner is None:
            draft.refuse(f"there is no organization {want.organization or 'yet'}", resource=f"datacenter {want.name}")
            continue
        attributes = {
            "description": want.description,
            "organization": owner.id,
            "latitude": want.location["latitude"] if want.location else None,
            "longitude": want.location["longitude"] if want.location else None,
        }
        draft.works.append(_put("datacenter", want.name, row, attributes, {"organization": owner.name}))
    return draft.plan()


def plan_clusters(wants: Sequence[Cluster], have: Hierarchy, secret: Callable[[], str]) -> Plan:
    """secret makes the secret that signs a new cluster's clustering keys."""
    # Every module imports this one, and the tables of clusters are needed for clusters alone.
    from ..cluster.spec import complete_cluster, find_mistakes_within, pools_to_register, ratios_of

    draft = Draft()
    for want in wants:
        row = _find_own(want, have.clusters)
        if want.state == "absent":
            used = [f"{member.kind} {member.name}" for member in have.members if row and member.scope == row.id]
            _remove(row, used, draft)
            continue
        reference = want.datacenter or (row.attributes.get("datacenter") if row else None)
        datacenter = find(reference, have.datacenters) if reference else _single(have.datacenters)
        if datacenter is None:
            what = f"there is no datacenter {want.datacenter}" if want.datacenter else "it must name its datacenter"
            draft.refuse(what, resource=f"cluster {want.name}")
            continue
        known = row.attributes if row is not None else {}
        complete = complete_cluster(want, known)
        mistakes = find_mistakes_within(complete, "")
        if mistakes:
            draft.refuse(f"{mistakes[0].path}: {mistakes[0].problem}", resource=f"cluster {want.name}")
            continue
        attributes: dict[str, Any] = {"description": want.description, "datacenter": datacenter.id}
        # One that an older version registered says none, and has those of a new one.
        before = ratios_of(known)._asdict() if row is not None else {}
        ratios = ratios_of(vars(complete))._asdict()
        attributes |= {key: value for key, value in ratios.items() if value != before.get(key)}
        pools = pools_to_register(want.resource_pools) if want.resource_pools is not None else None
        if pools is not None and pools != known.get("resource_pools", []):
            attributes["resource_pools"] = pools
        if row is None or not row.attributes.get("secret"):
            attributes["secret"] = secret()
        draft.works.append(_put("cluster", want.name, row, attributes, {"datacenter": datacenter.name}))
    return draft.plan()


def find(reference: str, rows: Sequence[Row]) -> Row | None:
    """Return the row that a name or an identifier refers to."""
    return next((row for row in rows if reference in (row.name, row.id)), None)


def find_cluster(reference: str | None, clusters: Sequence[Row]) -> Row | str:
    """Return the cluster that is meant, or what is wrong. With a single cluster it need not be named."""
    if reference is None:
        if len(clusters) == 1:
            return clusters[0]
        if not clusters:
            return "there is no cluster yet; run the cluster stage of site.yml first"
        return f"there are several clusters; say which with cluster: {' or '.join(row.name for row in clusters)}"
    found = find(reference, clusters)
    return found if found is not None else f'there is no cluster "{reference}"'


def find_within(reference: str, rows: Sequence[Row], what: str) -> Row | str:
    """Return the row that is meant, or that there is none. what: what it was to be, as in `a node of mtl-1`."""
    found = find(reference, rows)
    if found is not None:
        return found
    return f'"{reference}" is not {what}.{suggest(reference, [row.name for row in rows])}'


def find_all(names: Sequence[tuple[str | None, str]] | None, rows: Sequence[Row], clusters: Sequence[Row]) -> list[Row]:
    """Return what is there of what is asked for: (cluster reference or None, name), in this order; None means all."""
    if names is None:
        return list(rows)
    known: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        known.setdefault((row.scope, row.name), []).append(row)
    found = []
    for reference, name in names:
        cluster = find_cluster(reference, clusters)
        found += known.get((cluster.id, name), []) if isinstance(cluster, Row) else []
    return found


def _find_own(want: Organization | Datacenter | Cluster, rows: Sequence[Row]) -> Row | None:
    """Return what is registered by the name, or by the one that it had."""
    row = find(want.name, rows)
    if row is not None or want.former_name is None or want.state == "absent":
        return row
    return find(want.former_name, rows)


def _single(rows: Sequence[Row]) -> Row | None:
    return rows[0] if len(rows) == 1 else None


def _put(
    kind: str,
    name: str,
    row: Row | None,
    attributes: Mapping[str, Any],
    shown: Mapping[str, str] | None = None,
) -> Work:
    """Plan to register or change a row.

    Attributes that are None are not managed; `secret` is never shown; `shown` has names for values that are
    identifiers.
    """
    wanted = {key: value for key, value in attributes.items() if value is not None}
    before = row.attributes if row else {}
    changed = {key: value for key, value in wanted.items() if before.get(key) != value}
    new = Row(row.id if row else new_id(kind), kind, name, "", {**before, **wanted})
    if row is not None and not changed and row.name == name:
        return work_on(row, [])
    changes = [] if row and row.name == name else [Change("name", row.name if row else None, name)]
    for key, value in changed.items():
        if key != "secret":
            changes.append(Change(key, before.get(key), (shown or {}).get(key, value)))
    return work_on(new, [Step("put", "change" if row else "register", {"row": new})], changes)


def _remove(row: Row | None, used: Sequence[str], draft: Draft) -> None:
    if row is None:
        return
    if used:
        draft.refuse(f"it still holds {', '.join(sorted(used))}", resource=f"{row.kind} {row.name}")
        return
    step = Step("remove", "remove", {"id": row.id})
    draft.works.append(work_on(row, [step], [Change("name", row.name, None)]))
