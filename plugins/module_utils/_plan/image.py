"""Images: which pools hold a copy of which file, and what is missing. Pure.

A copy is one volume in one pool on one node; a shared pool holds it once. A copy counts only once it is recorded as
complete in the registry, which happens after it has been written and read back. When the content of a name changes, the
copies of the old one stay while something uses them, and longer if that was asked for (`retention`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from .._errors import Problem
from .._ids import new_id
from .._names import instance_in, is_of_instance
from .._pool_kinds import KINDS
from .._spec._image_source import is_url
from .._spec._image_trust import mirrored
from .._spec._mistake import suggest
from .._spec._sizes import show_size
from .._spec.image import FIELDS, Image
from .._spec.pool import WITH_VOLUMES
from ._image_versions import (
    Version,
    choose_kept,
    is_version,
    keep_copies,
    newest_of,
    older_of,
    versions_of,
    with_versions,
)
from ._rows import AssociationRow, Row
from ._types import Change, Plan, Step, Work
from .hierarchy import find, find_cluster

LABEL = "pextra-image/"
# The action plugin looks for this in what check mode predicts, and copies the file only then.
STAGE_TEXT = "copy the file to the coordinator"
# Likewise: then it looks for the file in mirrors that are directories of the controller.
FETCH_TEXT = "fetch the file"
_LABELLED = ("sha256", "format", "virtual_size", "size", "description", "signed_by", "signing_key")


@dataclass(frozen=True)
class User:
    """An instance, or a volume in a pool, of a node, that needs an image. pools: identifiers of those it lies in."""

    kind: Literal["instance", "volume"]
    name: str
    node: str
    pool: str | None = None
    pools: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" in pool {self.pool}" if self.pool else "") + f" on {self.node}"


@dataclass(frozen=True)
class ImageHave:
    """Registry, nodes and cache.

    volumes: names in a pool on a node, by (node name, pool id). unusable: why a pool cannot be used on a node, by the
    same. doubts: why libvirt did not look at it now, so that what is missing may be there, by the same. users: by the
    identifier of the version, read only where a copy may have to go (`find_losing`). instances: as registered, with the
    names of their images. cached: the digests of the files that the coordinator has; refused: what is wrong with those
    that were looked at, by the image's name.
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
    instances: tuple[Row, ...] = ()
    doubts: Mapping[tuple[str, str], Problem] = field(default_factory=dict)

    # A cloud has thousands of copies, and each is looked up by its place.

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], Row]:
        """Images by scope and name."""
        return {(row.scope, row.name): row for row in self.images}

    @cached_property
    def instances_by_id(self) -> Mapping[str, Row]:
        return {row.id: row for row in self.instances}

    @cached_property
    def sites(self) -> Mapping[str, Site]:
        """All places that can hold a copy, by their keys."""
        return {site.key: site for pool in self.pools for site in self.sites_of(pool)}

    def sites_of(self, pool: Row) -> list[Site]:
        """Return the places of a pool: one where it is shared, otherwise one on each of its nodes."""
        nodes = self._nodes_by_pool.get(pool.id, ())
        if pool.attributes["shared"]:
            return [Site(pool, None, tuple(nodes))] if nodes else []
        return [Site(pool, node, (node,)) for node in nodes]

    @cached_property
    def _nodes_by_pool(self) -> Mapping[str, list[Row]]:
        enabled = {(one.resource, one.node) for one in self.associations if one.attributes.get("enabled")}
        pools = {pool for pool, _ in enabled}
        return {pool: [node for node in self.nodes if (pool, node.id) in enabled] for pool in pools}


@dataclass(frozen=True)
class Proof:
    """What a content is to be verified with. signature and checksums are contents or URLs; key_digest is of the key."""

    signature: str
    key: str
    key_digest: str
    checksums: str | None
    source: str | None


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
    """A want whose references are resolved. pools: the identifiers of those that shall hold it."""

    want: Image
    cluster: Row
    row: Row | None
    sites: tuple[Site, ...]
    pools: frozenset[str] = frozenset()

    @property
    def format(self) -> str:
        """What is not said is as it is, also of another content."""
        known = self.row.attributes["format"] if self.row is not None else FIELDS["format"].made
        return self.want.format or str(known)

    @property
    def max_size(self) -> int:
        """MiB that the file may have. What is there was accepted when it was new."""
        known = 0 if self.row is None or self.is_fresh else (self.restored or newest_of(self.row)).virtual_size
        return self.want.max_size or max(int(FIELDS["max_size"].made), -(-known // 1024**2))

    @property
    def sha256(self) -> str | None:
        return self.want.sha256 or (str(self.row.attributes["sha256"]) if self.row else None)

    @property
    def is_replaced(self) -> bool:
        """Whether the name is to mean another content than it does."""
        if self.row is None:
            return False
        return (self.sha256, self.format) != newest_of(self.row).content

    @property
    def restored(self) -> Version | None:
        """The older version that the name is to mean again."""
        if self.row is None or not self.is_replaced:
            return None
        return next((old for old in older_of(self.row) if old.content == (self.sha256, self.format)), None)

    @property
    def is_fresh(self) -> bool:
        """Whether the name is to mean a content that is not known."""
        return self.row is None or (self.is_replaced and self.restored is None)

    @property
    def key_digest(self) -> str | None:
        """What the key is recognised by that a content was verified with."""
        return hashlib.sha256(self.want.signing_key.encode()).hexdigest() if self.want.signing_key else None

    @property
    def needs_proof(self) -> bool:
        """Whether a signature has to be verified: of a new content, or because of a key that was not declared then."""
        known = self.restored or (newest_of(self.row) if self.row is not None and not self.is_replaced else None)
        return self.key_digest is not None and (known is None or known.signing_key != self.key_digest)

    @property
    def retention(self) -> int:
        return self.want.retention if self.want.retention is not None else _retention(self.row)


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


def find_losing(wants: Sequence[Image], have: ImageHave) -> list[Version]:
    """Return the versions that may lose a copy: who uses them has to be read before planning. All without wants."""
    if not wants:
        return [version for row in have.images for version in versions_of(row)]
    losing: list[Version] = []
    for want in wants:
        target = _resolve(want, have)
        if not isinstance(target, _Target) or target.row is None:
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


def find_fresh(wants: Sequence[Image], have: ImageHave) -> list[Image]:
    """Return the wants whose content is not registered: their files have to be looked at before planning."""
    fresh = []
    for want in wants:
        target = _resolve(want, have)
        if isinstance(target, _Target) and want.state == "present" and target.is_fresh:
            fresh.append(replace(want, format=target.format, max_size=target.max_size))
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
        for key in (key for version in versions_of(row) for key in version.copies):
            site = _site_of(key, have)
            if site is not None:
                found.setdefault(key, site)
    return list(found.values())


# Labels, from which a lost registry is rebuilt


def labels_of_image(row: Row, keys: Iterable[str]) -> dict[str, str]:
    """Return what a node carries about an image. keys: the sites that it sees. Nothing where there is no copy."""
    seen = set(keys)
    visible = keep_copies(row, lambda _, key: key in seen)
    if not any(version.copies for version in versions_of(visible)):
        return {}
    kept = {key: row.attributes[key] for key in _LABELLED if row.attributes.get(key) is not None}
    if newest_of(row).number > 1:
        kept["number"] = newest_of(row).number
    if _retention(row):
        kept["retention"] = _retention(row)
    if older_of(visible):
        kept["versions"] = visible.attributes["versions"]
    copies = sorted(newest_of(visible).copies)
    return {f"{LABEL}{row.name}": json.dumps({"id": row.id, **kept, "copies": copies}, sort_keys=True)}


def images_from_labels(labels: Mapping[str, str], *, cluster_id: str) -> list[Row]:
    """Return the images that a node's labels tell of, with the copies that it sees. Others are passed over."""
    rows = []
    for key, text in sorted(labels.items()):
        attributes = _read_label(key, text)
        if attributes is not None:
            image_id = attributes.pop("id")
            rows.append(Row(image_id, "image", key.removeprefix(LABEL), cluster_id, attributes))
    return rows


def labels_without_pool(labels: Mapping[str, str], pool_id: str) -> dict[str, str | None]:
    """Return the image labels to write on a node that a pool has left; None removes one."""
    changed: dict[str, str | None] = {}
    for row in images_from_labels(labels, cluster_id=""):
        rest = keep_copies(row, lambda _, key: not key.startswith(f"{pool_id}/"))
        if versions_of(rest) != versions_of(row):
            keys = {key for version in versions_of(rest) for key in version.copies}
            label = f"{LABEL}{row.name}"
            changed[label] = labels_of_image(rest, keys).get(label)
    return changed


def _read_label(key: str, text: str) -> dict[str, Any] | None:
    if not key.startswith(LABEL):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    older = value.get("versions", []) if isinstance(value, dict) else None
    if not is_version(value) or not isinstance(older, list) or not all(is_version(one) for one in older):
        return None
    return dict(value)


# Results


def describe_images(names: Sequence[tuple[str | None, str]] | None, have: ImageHave) -> list[dict[str, Any]]:
    """Return images as results. names are (cluster reference or None, name) in the wanted order; None means all."""
    rows = list(have.images) if names is None else []
    for reference, name in names or ():
        cluster = find_cluster(reference, have.clusters)
        row = have.by_name.get((cluster.id, name)) if isinstance(cluster, Row) else None
        rows += [row] if row is not None else []
    return [_describe(row, have) for row in rows]


def _describe(row: Row, have: ImageHave) -> dict[str, Any]:
    cluster = find(row.scope, have.clusters)
    newest = newest_of(row)
    return {
        "id": row.id,
        "name": row.name,
        "cluster": cluster.name if cluster else None,
        "number": newest.number,
        "sha256": newest.sha256,
        "format": newest.format,
        "virtual_size": newest.virtual_size,
        "size": newest.size,
        "description": row.attributes.get("description"),
        "signed_by": newest.signed_by,
        "retention": _retention(row),
        "copies": _describe_copies(newest, have),
        "versions": [
            {
                **{key: value for key, value in old.as_dict().items() if key not in ("copies", "signing_key")},
                "copies": _describe_copies(old, have),
            }
            for old in older_of(row)
        ],
    }


def _describe_copies(version: Version, have: ImageHave) -> list[dict[str, Any]]:
    copies = []
    for key in version.copies:
        site = _site_of(key, have)
        if site is None:
            continue
        status = "unknown"
        if any(_volumes(site, node, have) is not None for node in site.through):
            status = "complete" if _is_present(version, site, have) else "missing"
        copies.append({"pool": site.pool.name, "node": site.node.name if site.node else None, "status": status})
    return sorted(copies, key=lambda copy: (str(copy["pool"]), str(copy["node"])))


def describe_use(row: Row, have: ImageHave) -> dict[str, Any]:
    """Return who uses an image. unused is None while a node that could tell does not answer."""
    nodes = {node.id: node.name for node in have.nodes}
    instances = [one for one in have.instances if one.scope == row.scope]
    found: dict[tuple[str, str | None, str], dict[str, Any]] = {}
    for one in instances:
        if one.attributes.get("image") == row.name:
            where = nodes.get(one.attributes.get("node", ""))
            found["instance", None, one.name] = _use("instance", one.name, where, None, None)
    for version in versions_of(row):
        for user in have.users.get(version.id, ()):
            owner = user.name if user.kind == "instance" else _owner_of(user.name, have.instances_by_id)
            if owner is not None:
                use = found.setdefault(("instance", None, owner), _use("instance", owner, user.node, None, None))
                use["version"] = version.id
            else:
                # Every node that sees a shared pool tells of its volumes.
                key = ("volume", user.pool, user.name if _is_shared(user, have) else f"{user.name}@{user.node}")
                found.setdefault(key, _use("volume", user.name, user.node, user.pool, version.id))
    used_by = sorted(found.values(), key=lambda use: (use["type"], use["name"], str(use["node"])))
    is_blind = any(_find_blind(row, version.copies, have) for version in versions_of(row))
    return {"unused": False if used_by else None if is_blind else True, "used_by": used_by}


def _use(kind: str, name: str, node: str | None, pool: str | None, version: str | None) -> dict[str, Any]:
    return {"type": kind, "name": name, "node": node, "pool": pool, "version": version}


def _owner_of(volume: str, instances: Mapping[str, Row]) -> str | None:
    """Return the name of the instance whose volume it is. instances: by their identifiers."""
    owner = instances.get(instance_in(volume) or "")
    return owner.name if owner is not None and is_of_instance(volume, owner.name, owner.id) else None


def _is_shared(user: User, have: ImageHave) -> bool:
    return any(pool.id in user.pools and pool.attributes["shared"] for pool in have.pools)


# Resolving references


def _resolve(want: Image, have: ImageHave) -> _Target | list[Problem]:
    label = f"image {want.name}"
    cluster = find_cluster(want.cluster, have.clusters)
    if isinstance(cluster, str):
        return [Problem(cluster, resource=label)]
    row = have.by_name.get((cluster.id, want.name))
    pools = [pool for pool in have.pools if pool.scope == cluster.id]
    if want.state == "absent":
        return _Target(want, cluster, row, ())
    if want.pools is None:
        declared = _pools_of(row)
        chosen = [
            pool
            for pool in pools
            if not pool.attributes.get("deleting")
            and pool.attributes["type"] in WITH_VOLUMES
            and (declared is None or pool.id in declared)
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
            elif pool.attributes["type"] not in WITH_VOLUMES:
                kind = pool.attributes["type"]
                problems.append(
                    Problem(
                        f"storage pool {pool.name} is of type {kind}: its units are the target's, and no image can be "
                        "copied there",
                        f"Choose one of type {', '.join(WITH_VOLUMES)}.",
                        resource=label,
                    )
                )
            elif pool not in chosen:
                chosen.append(pool)
        if problems:
            return problems
    sites = tuple(site for pool in chosen for site in have.sites_of(pool))
    return _Target(want, cluster, row, sites, frozenset(pool.id for pool in chosen))


def _pools_of(row: Row | None) -> frozenset[str] | None:
    """Return the pools that an image was declared for last; None if nobody can tell, as for a new one.

    Rows of older versions do not say it: what holds a copy was declared.
    """
    if row is None:
        return None
    declared = row.attributes.get("pools")
    if declared is not None:
        return frozenset(declared)
    return frozenset(key.partition("/")[0] for key in newest_of(row).copies) or None


def _site_of(key: str, have: ImageHave) -> Site | None:
    """Return the place of a recorded copy, None if its pool or node, or the pool on the node, is gone."""
    return have.sites.get(key)


def _retention(row: Row | None) -> int:
    """How many versions that nothing uses are kept, as was declared last."""
    return int(row.attributes.get("retention") or 0) if row is not None else 0


def _volumes(site: Site, node: Row, have: ImageHave) -> frozenset[str] | None:
    return have.volumes.get((node.name, site.pool.id))


def _is_present(version: Version, site: Site, have: ImageHave) -> bool:
    volume = version.volume_in(site.pool)
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
    problems = _find_content_problems(target, have)
    if problems:
        draft.refusals += problems
        return

    new = _new_row(target, sha256)
    missing = _plan_uploads(target, new, have, draft)
    after, loses = (new, ()) if row is None else _plan_departures(target, row, new, have, draft)
    steps: list[Step] = []
    data = {
        "row": new,
        "is_fresh": target.is_fresh,
        "replaces": row.id if row and target.is_replaced else None,
        "sha256": sha256,
        "max_size": target.max_size,
    }
    if target.needs_proof and target.key_digest is not None:
        signature, key = want.signature or "", want.signing_key or ""
        data["proof"] = Proof(signature, key, target.key_digest, want.checksums, want.source)
    if (missing or target.is_fresh or target.needs_proof) and sha256 not in have.cached:
        if want.source is None:
            draft.refusals.append(
                Problem("its file is needed again, but its source is not given", "Set source.", resource=label)
            )
            return
        act = "fetch" if is_url(want.source) else "stage"
        text = FETCH_TEXT if act == "fetch" else STAGE_TEXT
        urls = tuple(mirrored(mirror, want.source) for mirror in want.mirrors or () if is_url(mirror))
        steps.append(Step(act, text, {**data, "urls": (*urls, want.source)}))
    before = dict(row.attributes) if row else {}
    changes = [
        Change(key, before.get(key), new.attributes.get(key))
        for key in ("sha256", "format", "description")
        if before.get(key) != new.attributes.get(key) and new.attributes.get(key) is not None
    ]
    if row is not None and new.attributes.get("pools") != row.attributes.get("pools"):
        changes.append(Change("pools", _names(_pools_of(row) or (), have), _names(target.pools, have)))
    if _retention(row) != target.retention:
        changes.append(Change("retention", _retention(row), target.retention))
    known = {key for version in versions_of(row) for key in version.copies} if row is not None else set()
    gone = sorted(key for key in known if _site_of(key, have) is None)
    if target.needs_proof:
        steps.append(Step("verify", "verify its signature", data))
    if row is None or target.is_replaced or changes or gone or target.needs_proof:
        steps.append(Step("register", _name_registering(target, changes), {**data, "gone": gone}))
    if steps:
        draft.first.append(
            Work(
                kind="image",
                name=want.name,
                id=new.id,
                steps=tuple(steps),
                changes=tuple(changes),
                loses=loses,
            )
        )
    arriving = newest_of(after)
    copies = tuple(sorted({*arriving.copies, *(key for key, _ in missing)}))
    after = with_versions(after, replace(arriving, copies=copies), older_of(after))
    _plan_labels(after, have, draft, draft.last, is_uncertain=target.is_fresh or target.needs_proof)


def _names(pools: Iterable[str], have: ImageHave) -> list[str]:
    return sorted(pool.name for pool in have.pools if pool.id in pools)


def _name_registering(target: _Target, changes: Sequence[Change]) -> str:
    if target.row is None:
        return "register"
    if target.restored is not None:
        return f"go back to version {target.restored.number}"
    if target.is_fresh:
        return "replace"
    return "change" if changes else "note who signed it" if target.needs_proof else "forget copies"


def _new_row(target: _Target, sha256: str) -> Row:
    """The row as it will be; sizes of a new content are filled in when it has been looked at."""
    want, row = target.want, target.row
    description = want.description
    if description is None and row is not None:
        description = row.attributes.get("description")
    own: dict[str, Any] = {"description": description, "retention": target.retention or None}
    if row is None or (want.pools is not None and target.pools != (_pools_of(row) or frozenset())):
        own["pools"] = sorted(target.pools)
    elif "pools" in row.attributes:
        own["pools"] = row.attributes["pools"]
    if row is not None and not target.is_replaced:
        return replace(row, attributes={**row.attributes, **own})
    number = max((version.number for version in versions_of(row)), default=0) + 1 if row is not None else 1
    restored = target.restored
    if restored is not None:
        newest = replace(restored, number=number)
    else:
        newest = Version(
            id=new_id("image"),
            number=number,
            sha256=sha256,
            format=target.format,
            virtual_size=0,
            size=None,
            copies=(),
        )
    older = [version for version in versions_of(row) if version.id != newest.id] if row is not None else []
    blank = Row(newest.id, "image", want.name, target.cluster.id, own)
    return with_versions(blank, newest, older)


def _find_content_problems(target: _Target, have: ImageHave) -> list[Problem]:
    want, row = target.want, target.row
    label = f"image {want.name}"
    if row is not None and not target.is_fresh:
        virtual_size = (target.restored or newest_of(row)).virtual_size
        if want.max_size is not None and virtual_size > want.max_size * 1024**2:
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


def _plan_uploads(target: _Target, new: Row, have: ImageHave, draft: _Draft) -> list[tuple[str, Row]]:
    """Plan the copies that are not there. Returns (site key, node that writes it) of each."""
    label = f"image {new.name}"
    newest = newest_of(new)
    recorded = set(newest.copies)
    planned: list[tuple[str, Row]] = []
    by_node: dict[str, list[tuple[Step, Change]]] = {}
    for site in target.sites:
        worker = _worker_or_failure(site, have, draft, label)
        if worker is None:
            continue
        is_present = _is_present(newest, site, have)
        if site.key in recorded and is_present:
            continue
        doubt = have.doubts.get((worker.name, site.pool.id)) if site.key in recorded else None
        if doubt is not None:
            draft.failures.append(replace(doubt, resource=label))
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
                "volume": newest.volume_in(site.pool),
                "pool_row": site.pool,
                "format": new.attributes["format"],
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


def _plan_departures(
    target: _Target, row: Row, new: Row, have: ImageHave, draft: _Draft
) -> tuple[Row, tuple[str, ...]]:
    """Plan to delete copies that are not wanted where they are, and versions that nothing needs.

    Returns the row without them, and what would be lost that was to be kept. What a new content displaces can go: that
    is what was declared. What goes because `retention` was lowered was kept on purpose.
    """
    wanted = {site.key for site in target.sites}
    newest, older = newest_of(new), older_of(new)

    def is_needed(version: Version) -> bool:
        return bool(have.users.get(version.id)) or bool(_find_blind(row, version.copies, have))

    needed, kept = choose_kept(older, target.retention, is_needed)
    _, was_kept = choose_kept(older, _retention(row), is_needed)
    leaving: list[tuple[Version, str]] = []
    for version in (newest, *older):
        is_kept = version.id in (newest.id, *needed, *kept)
        for key in version.copies:
            if is_kept and (key in wanted or _site_of(key, have) is None):
                continue
            if not is_kept or not _is_needed_at(row, version, key, have, draft):
                leaving.append((version, key))
    for version in older:
        if version.id in needed:  # a node that may use it, and cannot be asked
            _note_blind(version, have, draft)
    lost = tuple(_show_lost(new, version) for version in older if version.id in was_kept - kept)
    _plan_deletions(new, leaving, have, draft, draft.last)
    gone = {(version.id, key) for version, key in leaving}
    return keep_copies(new, lambda version, key: (version.id, key) not in gone), lost


def _show_lost(row: Row, version: Version) -> str:
    return (
        f"version {version.number} of image {row.name} (SHA-256 {version.sha256[:12]}…), kept because of retention: "
        "if its source has gone, it cannot be had again"
    )


def _note_blind(version: Version, have: ImageHave, draft: _Draft) -> None:
    for key in version.copies:
        site = _site_of(key, have)
        for node in site.through if site is not None else ():
            if node.name in have.down:
                draft.down[node.name] = have.down[node.name]


def _is_needed_at(row: Row, version: Version, key: str, have: ImageHave, draft: _Draft) -> bool:
    """Tell whether a copy has to stay in a pool that is not listed any more: while it is used, or nobody can tell."""
    site = _site_of(key, have)
    if site is None:
        return False
    if _find_blind(row, [key], have):
        draft.down.update({node.name: have.down[node.name] for node in site.through if node.name in have.down})
        return True
    used = [
        user
        for user in have.users.get(version.id, ())
        if site.pool.id in user.pools and (site.node is None or site.node.name == user.node)
    ]
    if used:
        where = f"pool {site.pool.name}" + (f" on {site.node.name}" if site.node else "")
        draft.warnings.append(f"image {row.name}: its copy in {where} stays while it is used by {_list_users(used)}")
    return bool(used)


def _plan_deletions(
    row: Row, leaving: Sequence[tuple[Version, str]], have: ImageHave, draft: _Draft, stage: list[Work]
) -> None:
    by_node: dict[str | None, list[tuple[Step, Change]]] = {}
    for version, key in leaving:
        site = _site_of(key, have)
        pool = site.pool.name if site else None
        worker = None
        if site is not None:
            worker = _worker_or_failure(site, have, draft, f"image {row.name}")
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


def _plan_labels(row: Row, have: ImageHave, draft: _Draft, stage: list[Work], *, is_uncertain: bool) -> None:
    """Every node that sees a copy carries what is known of the image. What is not known yet is written afterwards.

    row: as it will be.
    """
    seen_by: dict[str, list[Site]] = {}
    for key in sorted({key for version in versions_of(row) for key in version.copies}):
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
        wanted = labels_of_image(row, keys).get(label)
        if have.labels[node.name].get(label) == wanted and not (is_uncertain and keys):
            continue
        data = {
            "name": row.name,
            "scope": row.scope,
            # Copies that leave do so at the same time.
            "copies": {version.id: sorted(set(version.copies) & set(keys)) for version in versions_of(row)},
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
    shown = sorted({str(user) for user in users})
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")


# Absent


def _plan_absent(target: _Target, have: ImageHave, draft: _Draft) -> None:
    row = target.row
    if row is None:
        return
    label = f"image {row.name}"
    used = [user for version in versions_of(row) for user in have.users.get(version.id, ())]
    nodes = {node.id: node.name for node in have.nodes}
    used += [
        User("instance", one.name, nodes.get(one.attributes.get("node", ""), "a node that has left"))
        for one in have.instances
        if one.scope == row.scope and one.attributes.get("image") == row.name
    ]
    if used:
        draft.refusals.append(
            Problem(
                f"it is used by {_list_users(used)}",
                "It can go when nothing uses it any more. Nothing was changed.",
                resource=label,
            )
        )
        return
    leaving = [(version, key) for version in versions_of(row) for key in version.copies]
    blind = _find_blind(row, [key for _, key in leaving], have)
    if blind:
        draft.refusals += blind
        return
    _plan_deletions(row, leaving, have, draft, draft.works)
    _plan_labels(keep_copies(row, lambda *_: False), have, draft, draft.works, is_uncertain=False)
    draft.last.append(
        Work(
            kind="image",
            name=row.name,
            id=row.id,
            steps=(Step("deregister", "remove", {"id": row.id, "sha256": row.attributes["sha256"]}),),
            changes=(Change("name", row.name, None),),
            loses=tuple(_show_lost(row, version) for version in older_of(row)),
        )
    )
