"""Images: which pools hold a copy of which file, and what is missing. Pure.

A copy is one volume in one pool on one node; a shared pool holds it once. A copy counts only once it is recorded as
complete in the registry, which happens after it has been written and read back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import Problem
from .._ids import is_id, new_id
from .._names import image_volume
from .._spec._image_source import is_url
from .._spec._mistake import suggest
from .._spec._sizes import show_size
from .._spec.image import Image
from .._spec.pool import IN_DIRECTORY
from ._rows import AssociationRow, Row
from ._types import Change, Plan, Step, Work
from .hierarchy import find, find_cluster

LABEL = "pextra-image/"
# The action plugin looks for this in what check mode predicts, and copies the file only then.
STAGE_TEXT = "copy the file to the coordinator"
_LABELLED = ("sha256", "format", "virtual_size", "size", "description")


@dataclass(frozen=True)
class User:
    """An instance or volume of a node that needs an image. pools are the identifiers of those it lies in."""

    name: str
    node: str
    pools: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ImageHave:
    """Registry, nodes and cache.

    volumes: names in a pool on a node, by (node name, pool id). unusable: why a pool cannot be used on a node, by the
    same. users: by image id, read only for images that would lose a copy. cached: the digests of the files that the
    coordinator has; refused: what is wrong with those that were looked at, by the image's name.
    """

    clusters: tuple[Row, ...]
    nodes: tuple[Row, ...]
    pools: tuple[Row, ...]
    images: tuple[Row, ...]
    associations: tuple[AssociationRow, ...]
    volumes: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    unusable: Mapping[tuple[str, str], str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    users: Mapping[str, tuple[User, ...]] = field(default_factory=dict)
    cached: frozenset[str] = frozenset()
    refused: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    down: Mapping[str, Problem] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """Where a copy is, or shall be. node is None where the pool is shared; `through` are the nodes that reach it."""

    pool: Row
    node: Row | None
    through: tuple[Row, ...]

    @property
    def key(self) -> str:
        return site_key(self.pool.id, self.node.id if self.node else None)


def site_key(pool_id: str, node_id: str | None) -> str:
    """Return how a copy is recorded: its pool, and its node unless the pool is shared."""
    return f"{pool_id}/{node_id or ''}"


@dataclass(frozen=True)
class _Target:
    """A want whose references are resolved."""

    want: Image
    cluster: Row
    row: Row | None
    sites: tuple[Site, ...]

    @property
    def sha256(self) -> str | None:
        return self.want.sha256 or (str(self.row.attributes["sha256"]) if self.row else None)

    @property
    def is_replaced(self) -> bool:
        """Whether the name is to mean another content than it does."""
        if self.row is None:
            return False
        known = (self.row.attributes["sha256"], self.row.attributes["format"])
        return (self.sha256, self.want.format) != known


@dataclass
class _Draft:
    """A plan while it grows. down are the nodes that were needed and do not answer."""

    first: list[Work] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    last: list[Work] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)
    failures: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    down: dict[str, Problem] = field(default_factory=dict)


def plan_images(wants: Sequence[Image], have: ImageHave) -> Plan:
    """Plan images over all pools and nodes at once."""
    draft = _Draft()
    for want in wants:
        target = _resolve(want, have)
        if not isinstance(target, _Target):
            draft.refusals += target
        elif want.state == "absent":
            _plan_absent(target, have, draft)
        else:
            _plan_present(target, have, draft)
    return Plan(
        first=tuple(draft.first),
        works=tuple(draft.works),
        last=tuple(draft.last),
        refusals=tuple(draft.refusals),
        failures=(*draft.failures, *draft.down.values()),
        warnings=tuple(draft.warnings),
    )


def find_losing(wants: Sequence[Image], have: ImageHave) -> list[Row]:
    """Return the images that would lose a copy: who uses them has to be read before planning."""
    losing = []
    for want in wants:
        target = _resolve(want, have)
        if not isinstance(target, _Target) or target.row is None:
            continue
        keys = {site.key for site in target.sites}
        if want.state == "absent" or target.is_replaced or set(_copies(target.row)) - keys:
            losing.append(target.row)
    return losing


def find_fresh(wants: Sequence[Image], have: ImageHave) -> list[Image]:
    """Return the wants whose content is not registered: their files have to be looked at before planning."""
    fresh = []
    for want in wants:
        target = _resolve(want, have)
        if isinstance(target, _Target) and want.state == "present" and (target.row is None or target.is_replaced):
            fresh.append(want)
    return fresh


def find_sites(wants: Sequence[Image], have: ImageHave) -> list[Site]:
    """Return every place that has to be read: where copies shall be, and where there are some. All without wants."""
    found: dict[str, Site] = {}
    rows = list(have.images) if not wants else []
    for want in wants:
        target = _resolve(want, have)
        if isinstance(target, _Target):
            found |= {site.key: site for site in target.sites}
            rows += [target.row] if target.row else []
    for row in rows:
        for key in (*_copies(row), *(key for key, _ in _leftovers(row))):
            site = _site_of(key, have)
            if site is not None:
                found.setdefault(key, site)
    return list(found.values())


# Labels, from which a lost registry is rebuilt


def labels_of_image(row: Row, keys: Iterable[str]) -> dict[str, str]:
    """Return what a node carries about an image of which it sees these copies."""
    kept = {key: row.attributes[key] for key in _LABELLED if row.attributes.get(key) is not None}
    return {f"{LABEL}{row.name}": json.dumps({"id": row.id, **kept, "copies": sorted(keys)}, sort_keys=True)}


def images_from_labels(labels: Mapping[str, str], *, cluster_id: str) -> list[Row]:
    """Return the images that a node's labels tell of, with the copies that it sees. Others are passed over."""
    rows = []
    for key, text in sorted(labels.items()):
        if not key.startswith(LABEL):
            continue
        try:
            attributes = json.loads(text)
            image_id = attributes.pop("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        needed = {"sha256", "format", "virtual_size", "copies"}
        if isinstance(image_id, str) and is_id(image_id, "image") and needed <= set(attributes):
            rows.append(Row(image_id, "image", key.removeprefix(LABEL), cluster_id, attributes))
    return rows


def labels_without_pool(labels: Mapping[str, str], pool_id: str) -> dict[str, str | None]:
    """Return the image labels to write on a node that a pool has left; None removes one."""
    changed: dict[str, str | None] = {}
    for key, text in labels.items():
        if not key.startswith(LABEL):
            continue
        try:
            value = json.loads(text)
            keys = [one for one in value["copies"] if not one.startswith(f"{pool_id}/")]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if len(keys) != len(value["copies"]):
            changed[key] = json.dumps({**value, "copies": keys}, sort_keys=True) if keys else None
    return changed


# Results


def describe_images(names: Sequence[tuple[str | None, str]] | None, have: ImageHave) -> list[dict[str, Any]]:
    """Return images as results. names are (cluster reference or None, name) in the wanted order; None means all."""
    rows = list(have.images) if names is None else []
    for reference, name in names or ():
        cluster = find_cluster(reference, have.clusters)
        rows += [row for row in have.images if isinstance(cluster, Row) and (row.scope, row.name) == (cluster.id, name)]
    return [_describe(row, have) for row in rows]


def _describe(row: Row, have: ImageHave) -> dict[str, Any]:
    cluster = find(row.scope, have.clusters)
    copies = []
    for key in _copies(row):
        site = _site_of(key, have)
        if site is None:
            continue
        status = "unknown"
        if any(_volumes(site, node, have) is not None for node in site.through):
            status = "complete" if _is_present(row, site, have) else "missing"
        copies.append({"pool": site.pool.name, "node": site.node.name if site.node else None, "status": status})
    return {
        "id": row.id,
        "name": row.name,
        "cluster": cluster.name if cluster else None,
        "sha256": row.attributes["sha256"],
        "format": row.attributes["format"],
        "virtual_size": row.attributes["virtual_size"],
        "size": row.attributes.get("size"),
        "description": row.attributes.get("description"),
        "copies": sorted(copies, key=lambda copy: (str(copy["pool"]), str(copy["node"]))),
    }


# Resolving references


def _resolve(want: Image, have: ImageHave) -> _Target | list[Problem]:
    label = f"image {want.name}"
    cluster = find_cluster(want.cluster, have.clusters)
    if isinstance(cluster, str):
        return [Problem(cluster, resource=label)]
    row = next((row for row in have.images if (row.scope, row.name) == (cluster.id, want.name)), None)
    pools = [pool for pool in have.pools if pool.scope == cluster.id]
    if want.state == "absent":
        return _Target(want, cluster, row, ())
    if want.pools is None:
        chosen = [
            pool for pool in pools if not pool.attributes.get("deleting") and pool.attributes["type"] in IN_DIRECTORY
        ]
    else:
        chosen, problems = [], []
        for reference in want.pools:
            pool = find(reference, pools)
            if pool is None:
                known = suggest(reference, [pool.name for pool in pools])
                problems.append(
                    Problem(f'"{reference}" is not a storage pool of cluster {cluster.name}.{known}', resource=label)
                )
            elif pool.attributes.get("deleting"):
                problems.append(Problem(f"storage pool {pool.name} is being destroyed", resource=label))
            elif pool.attributes["type"] not in IN_DIRECTORY:
                kind = pool.attributes["type"]
                problems.append(
                    Problem(
                        f"storage pool {pool.name} is of type {kind}, which cannot hold images yet",
                        f"Choose one of type {' or '.join(IN_DIRECTORY)}.",
                        resource=label,
                    )
                )
            elif pool not in chosen:
                chosen.append(pool)
        if problems:
            return problems
    return _Target(want, cluster, row, tuple(site for pool in chosen for site in _sites_of_pool(pool, have)))


def _sites_of_pool(pool: Row, have: ImageHave) -> Iterator[Site]:
    enabled = {one.node for one in have.associations if one.resource == pool.id and one.attributes.get("enabled")}
    nodes = tuple(node for node in have.nodes if node.id in enabled)
    if pool.attributes["shared"]:
        if nodes:
            yield Site(pool, None, nodes)
    else:
        for node in nodes:
            yield Site(pool, node, (node,))


def _site_of(key: str, have: ImageHave) -> Site | None:
    """Return the place of a recorded copy, None if its pool or node, or the pool on the node, is gone."""
    pool_id = key.partition("/")[0]
    pool = next((pool for pool in have.pools if pool.id == pool_id), None)
    if pool is None:
        return None
    return next((site for site in _sites_of_pool(pool, have) if site.key == key), None)


def _copies(row: Row) -> list[str]:
    return list(row.attributes.get("copies") or ())


def _leftovers(row: Row) -> list[tuple[str, str]]:
    """Copies of the content that the name meant before: (site key, volume name)."""
    return [(key, volume) for key, volume in row.attributes.get("leftovers") or ()]


def _volumes(site: Site, node: Row, have: ImageHave) -> frozenset[str] | None:
    return have.volumes.get((node.name, site.pool.id))


def _is_present(row: Row, site: Site, have: ImageHave) -> bool:
    volume = image_volume(row.id, row.attributes["format"])
    return any(volume in (_volumes(site, node, have) or ()) for node in site.through)


def _worker(site: Site, have: ImageHave) -> Row | None:
    """Return the node through which a place is written: the first that has the pool in use."""
    return next((node for node in site.through if _volumes(site, node, have) is not None), None)


def _worker_or_failure(site: Site, have: ImageHave, draft: _Draft, label: str) -> Row | None:
    worker = _worker(site, have)
    if worker is not None:
        return worker
    for node in site.through:
        if node.name in have.down:
            draft.down[node.name] = have.down[node.name]
        elif (node.name, site.pool.id) in have.unusable:
            draft.failures.append(
                Problem(
                    have.unusable[node.name, site.pool.id],
                    "Mend it with pextra_pool, or run site.yml --tags storage.",
                    node.name,
                    label,
                )
            )
    return None


# Present


def _plan_present(target: _Target, have: ImageHave, draft: _Draft) -> None:
    want, row, sha256 = target.want, target.row, target.sha256
    label = f"image {want.name}"
    if sha256 is None:
        what = "its source is missing" if want.source is None else "its sha256 is missing"
        draft.refusals.append(Problem(what, "Set source, and sha256 for a URL.", resource=label))
        return
    is_fresh = row is None or target.is_replaced
    if target.is_replaced and row is not None:
        used = have.users.get(row.id, ())
        if used:
            draft.refusals.append(
                Problem(
                    f"its content cannot change while it is used by {_list_users(used)}",
                    "Declare the new content as an image of another name, and let new instances begin from that.",
                    resource=label,
                )
            )
            return
    problems = _find_content_problems(target, have)
    if problems:
        draft.refusals += problems
        return

    image_id = new_id("image") if row is None or is_fresh else row.id
    new = _new_row(target, image_id, sha256)
    missing = _plan_uploads(target, new, is_fresh, have, draft)
    leaving = [] if row is None else _plan_departures(target, row, have, draft)
    steps: list[Step] = []
    data = {
        "row": new,
        "is_fresh": is_fresh,
        "replaces": row.id if row and is_fresh else None,
        "sha256": sha256,
        "max_size": want.max_size,
    }
    if (missing or is_fresh) and sha256 not in have.cached:
        if want.source is None:
            draft.refusals.append(
                Problem("its file is needed again, but its source is not given", "Set source.", resource=label)
            )
            return
        act = "fetch" if is_url(want.source) else "stage"
        text = "fetch the file" if act == "fetch" else STAGE_TEXT
        steps.append(Step(act, text, {**data, "source": want.source}))
    before = dict(row.attributes) if row else {}
    changes = [
        Change(key, before.get(key), new.attributes.get(key))
        for key in ("sha256", "format", "description")
        if before.get(key) != new.attributes.get(key) and new.attributes.get(key) is not None
    ]
    gone = [key for key in _copies(row) if _site_of(key, have) is None] if row else []
    if is_fresh or changes or gone:
        what = "register" if row is None else "replace" if is_fresh else "change" if changes else "forget copies"
        steps.append(Step("register", what, {**data, "gone": gone}))
    if steps:
        work = Work(kind="image", name=want.name, id=image_id, steps=tuple(steps), changes=tuple(changes))
        draft.first.append(work)
    copies = {*_copies(new), *(key for key, _ in missing)} - set(gone) - set(leaving)
    _plan_labels(new, copies, have, draft, draft.last, is_uncertain=is_fresh)


def _new_row(target: _Target, image_id: str, sha256: str) -> Row:
    """The row as it will be; sizes of a new content are filled in when it has been looked at."""
    want, row = target.want, target.row
    description = want.description
    if description is None and row is not None:
        description = row.attributes.get("description")
    attributes: dict[str, Any] = {"sha256": sha256, "format": want.format, "description": description}
    if row is not None and not target.is_replaced:
        attributes = {**row.attributes, **attributes}
    else:
        attributes["copies"] = []
        if row is not None:
            old = image_volume(row.id, row.attributes["format"])
            attributes["leftovers"] = [[key, old] for key in _copies(row)] + [list(one) for one in _leftovers(row)]
    return Row(image_id, "image", want.name, target.cluster.id, attributes)


def _find_content_problems(target: _Target, have: ImageHave) -> list[Problem]:
    want, row = target.want, target.row
    label = f"image {want.name}"
    if row is not None and not target.is_replaced:
        virtual_size = row.attributes["virtual_size"]
        if virtual_size > want.max_size * 1024**2:
            shown = show_size(-(-virtual_size // 1024**2))
            return [
                Problem(
                    f"its virtual size is {shown}, more than the {show_size(want.max_size)} allowed",
                    "Raise max_size.",
                    resource=label,
                )
            ]
        return []
    return list(have.refused.get(want.name, ()))


def _plan_uploads(target: _Target, new: Row, is_fresh: bool, have: ImageHave, draft: _Draft) -> list[tuple[str, Row]]:
    """Plan the copies that are not there. Returns (site key, node that writes it) of each."""
    label = f"image {new.name}"
    recorded = set() if is_fresh else set(_copies(new))
    volume = image_volume(new.id, new.attributes["format"])
    planned: list[tuple[str, Row]] = []
    by_node: dict[str, list[tuple[Step, Change]]] = {}
    for site in target.sites:
        worker = _worker_or_failure(site, have, draft, label)
        if worker is None:
            continue
        is_present = not is_fresh and _is_present(new, site, have)
        if site.key in recorded and is_present:
            continue
        planned.append((site.key, worker))
        before = "missing" if site.key in recorded else "not complete" if is_present else None
        step = Step(
            "upload",
            f"copy into pool {site.pool.name}",
            {
                "id": new.id,
                "pool": site.pool.name,
                "key": site.key,
                "volume": volume,
                "sha256": new.attributes["sha256"],
            },
        )
        by_node.setdefault(worker.name, []).append((step, Change(f"copies.{site.pool.name}", before, "complete")))
    for node, pairs in by_node.items():
        draft.works.append(
            Work(
                kind="image",
                name=new.name,
                id=new.id,
                node=node,
                steps=tuple(step for step, _ in pairs),
                changes=tuple(change for _, change in pairs),
            )
        )
    return planned


def _plan_departures(target: _Target, row: Row, have: ImageHave, draft: _Draft) -> list[str]:
    """Plan to delete copies that are not wanted where they are. Returns their keys."""
    leaving: list[tuple[str, str]] = list(_leftovers(row))
    volume = image_volume(row.id, row.attributes["format"])
    if target.is_replaced:
        leaving += [(key, volume) for key in _copies(row)]
        blind = _find_blind(row, _copies(row), have)
        if blind:
            draft.refusals += blind
            return []
    else:
        wanted = {site.key for site in target.sites}
        extra = [key for key in _copies(row) if key not in wanted and _site_of(key, have) is not None]
        leaving += [(key, volume) for key in extra if not _is_needed(row, key, have, draft)]
    _plan_deletions(row, leaving, have, draft, draft.last)
    return [key for key, name in leaving if name == volume and not target.is_replaced]


def _is_needed(row: Row, key: str, have: ImageHave, draft: _Draft) -> bool:
    """Tell whether a copy has to stay in a pool that is not listed any more: while it is used, or nobody can tell."""
    site = _site_of(key, have)
    if site is None:
        return False
    if _find_blind(row, [key], have):
        draft.down.update({node.name: have.down[node.name] for node in site.through if node.name in have.down})
        return True
    used = [
        user
        for user in have.users.get(row.id, ())
        if site.pool.id in user.pools and (site.node is None or site.node.name == user.node)
    ]
    if used:
        where = f"pool {site.pool.name}" + (f" on {site.node.name}" if site.node else "")
        draft.warnings.append(f"image {row.name}: its copy in {where} stays while it is used by {_list_users(used)}")
    return bool(used)


def _plan_deletions(
    row: Row, leaving: Sequence[tuple[str, str]], have: ImageHave, draft: _Draft, stage: list[Work]
) -> None:
    by_node: dict[str | None, list[tuple[Step, Change]]] = {}
    for key, volume in leaving:
        site = _site_of(key, have)
        pool = site.pool.name if site else None
        worker = None
        if site is not None:
            worker = _worker_or_failure(site, have, draft, f"image {row.name}")
            if worker is None:
                continue
        data = {"name": row.name, "scope": row.scope, "pool": pool, "key": key, "volume": volume}
        text = f"delete the copy in pool {pool}" if pool else "forget a copy whose pool is gone"
        change = Change(f"copies.{pool or key}", volume, None)
        by_node.setdefault(worker.name if worker else None, []).append((Step("delete", text, data), change))
    for node, pairs in by_node.items():
        stage.append(
            Work(
                kind="image",
                name=row.name,
                id=row.id,
                node=node,
                steps=tuple(step for step, _ in pairs),
                changes=tuple(change for _, change in pairs),
            )
        )


def _plan_labels(
    row: Row, copies: set[str], have: ImageHave, draft: _Draft, stage: list[Work], *, is_uncertain: bool
) -> None:
    """Every node that sees a copy carries what is known of the image. What is not known yet is written afterwards."""
    seen_by: dict[str, list[Site]] = {}
    for key in copies:
        site = _site_of(key, have)
        for node in site.through if site is not None else ():
            seen_by.setdefault(node.name, []).append(site)  # type: ignore[arg-type]
    label = f"{LABEL}{row.name}"
    for node in (node for node in have.nodes if node.scope == row.scope):
        sites = seen_by.get(node.name, [])
        if node.name not in have.labels:
            if sites and node.name in have.down:
                draft.down[node.name] = have.down[node.name]
            continue
        keys = sorted(site.key for site in sites)
        wanted = labels_of_image(row, keys)[label] if keys else None
        if have.labels[node.name].get(label) == wanted and not (is_uncertain and keys):
            continue
        data = {
            "name": row.name,
            "scope": row.scope,
            "keys": keys,
            "refresh": sorted(site.pool.name for site in sites if site.node is None),
        }
        step = Step("label", "write its label" if keys else "remove its label", data)
        stage.append(Work(kind="image", name=row.name, id=row.id, node=node.name, steps=(step,)))


def _find_blind(row: Row, keys: Sequence[str], have: ImageHave) -> list[Problem]:
    """A copy goes only when every node that could use it says that it does not."""
    blind = {
        node.name
        for key in keys
        if (site := _site_of(key, have)) is not None
        for node in site.through
        if node.name in have.down
    }
    return [
        Problem(
            f"nobody can tell whether instances use it there: {have.down[node].what}",
            "Bring the node back, or let it leave the cluster first.",
            node,
            f"image {row.name}",
        )
        for node in sorted(blind)
    ]


def _list_users(users: Sequence[User]) -> str:
    shown = sorted(f"{user.name} on {user.node}" for user in users)
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")


# Absent


def _plan_absent(target: _Target, have: ImageHave, draft: _Draft) -> None:
    row = target.row
    if row is None:
        return
    label = f"image {row.name}"
    used = have.users.get(row.id, ())
    if used:
        draft.refusals.append(
            Problem(
                f"it is used by {_list_users(used)}",
                "Remove those instances first. Nothing was changed.",
                resource=label,
            )
        )
        return
    volume = image_volume(row.id, row.attributes["format"])
    leaving = [(key, volume) for key in _copies(row)] + _leftovers(row)
    blind = _find_blind(row, [key for key, _ in leaving], have)
    if blind:
        draft.refusals += blind
        return
    _plan_deletions(row, leaving, have, draft, draft.works)
    _plan_labels(row, set(), have, draft, draft.works, is_uncertain=False)
    draft.last.append(
        Work(
            kind="image",
            name=row.name,
            id=row.id,
            steps=(Step("deregister", "remove", {"id": row.id, "sha256": row.attributes["sha256"]}),),
            changes=(Change("name", row.name, None),),
        )
    )
