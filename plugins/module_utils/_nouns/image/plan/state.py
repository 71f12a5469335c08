# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of images: their rows, and their copies in pools. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ...._model.errors import Problem
from ...._model.rows import AssociationRow, Row
from ..spec import Image
from ..versions import Version


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
    that were looked at, by the image's cluster, as the want names it, and name. published: what short names mean, by
    the wants that say them; unpublished: why that could not be found out.
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
    refused: Mapping[tuple[str | None, str], tuple[Problem, ...]] = field(default_factory=dict)
    down: Mapping[str, Problem] = field(default_factory=dict)
    instances: tuple[Row, ...] = ()
    doubts: Mapping[tuple[str, str], Problem] = field(default_factory=dict)
    published: Mapping[Image, Published] = field(default_factory=dict)
    unpublished: Mapping[Image, tuple[Problem, ...]] = field(default_factory=dict)

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
class Published:
    """What a short name, its origin, means. digest: a SHA-256, or the SHA-512 of a file whose SHA-256 nobody knows yet.

    stated: what the publisher's list states of it, if that was asked. proven: what is recorded of who signed that list.
    """

    url: str
    origin: str
    digest: str
    stated: str | None = None
    proven: Mapping[str, str] = field(default_factory=dict)


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


def site_of(key: str, have: ImageHave) -> Site | None:
    """Return the place of a recorded copy, None if its pool or node, or the pool on the node, is gone."""
    return have.sites.get(key)


def volumes_of(site: Site, node: Row, have: ImageHave) -> frozenset[str] | None:
    return have.volumes.get((node.name, site.pool.id))


def is_there(version: Version, site: Site, have: ImageHave) -> bool:
    volume = version.volume_in(site.pool)
    return any(volume in (volumes_of(site, node, have) or ()) for node in site.through)
