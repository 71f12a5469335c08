# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is to be, its references resolved. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...._model.errors import Problem
from ...._model.rows import Row
from ...hierarchy.plan import find_cluster, find_within
from ...pool.spec import WITH_VOLUMES
from ..spec import FIELDS, USUAL_FORMAT, Image, image_kind
from ..versions import Version, newest_of, older_of, versions_of
from .state import ImageHave, Published, Site, site_of


@dataclass(frozen=True)
class Target:
    """A want whose references are resolved. pools: the identifiers of those that shall hold it.

    published: what its source means, if that is a short name: then the want's own source and sha256 are of that.
    """

    want: Image
    cluster: Row
    row: Row | None
    sites: tuple[Site, ...]
    pools: frozenset[str] = frozenset()
    published: Published | None = None

    @property
    def kind(self) -> str:
        """What it is stays as it was made."""
        return image_kind(self.row.attributes) if self.row is not None else self.want.kind or "disk"

    @property
    def format(self) -> str:
        """What is not said is as it is, also of another content."""
        known = self.row.attributes["format"] if self.row is not None else USUAL_FORMAT[self.kind]
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
        return self.want.retention if self.want.retention is not None else retention_of(self.row)


def find_fresh(wants: Sequence[Image], have: ImageHave) -> list[Image]:
    """Return the wants whose content is not registered: their files have to be looked at before planning."""
    fresh = []
    for want in wants:
        target = resolve(want, have)
        if isinstance(target, Target) and want.state == "present" and target.is_fresh:
            fresh.append(replace(want, kind=target.kind, format=target.format, max_size=target.max_size))
    return fresh


def find_sites(wants: Sequence[Image], have: ImageHave) -> list[Site]:
    """Return every place that has to be read: where copies shall be, and where there are some. All without wants."""
    found: dict[str, Site] = {}
    rows = list(have.images) if not wants else []
    for want in wants:
        target = resolve(want, have)
        if isinstance(target, Target):
            found |= {site.key: site for site in target.sites}
            rows += [target.row] if target.row else []
    for row in rows:
        for key in (key for version in versions_of(row) for key in version.copies):
            site = site_of(key, have)
            if site is not None:
                found.setdefault(key, site)
    return list(found.values())


def resolve(want: Image, have: ImageHave) -> Target | list[Problem]:
    label = f"image {want.name}"
    published = have.published.get(want)
    if published is not None:
        # Who signed the publisher's list was looked at when it was asked.
        want = replace(want, source=published.url, sha256=published.digest, signing_key=None)
    cluster = find_cluster(want.cluster, have.clusters)
    if isinstance(cluster, str):
        return [Problem(cluster, resource=label)]
    row = have.by_name.get((cluster.id, want.name))
    pools = [pool for pool in have.pools if pool.scope == cluster.id]
    if want.state == "absent":
        return Target(want, cluster, row, ())
    if want.pools is None:
        declared = pools_of(row)
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
            pool = find_within(reference, pools, f"a storage pool of cluster {cluster.name}")
            if isinstance(pool, str):
                problems.append(Problem(pool, resource=label))
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
    return Target(want, cluster, row, sites, frozenset(pool.id for pool in chosen), published)


def pools_of(row: Row | None) -> frozenset[str] | None:
    """Return the pools that an image was declared for last; None if nobody can tell, as for a new one.

    Rows of older versions do not say it: what holds a copy was declared.
    """
    if row is None:
        return None
    declared = row.attributes.get("pools")
    if declared is not None:
        return frozenset(declared)
    return frozenset(key.partition("/")[0] for key in newest_of(row).copies) or None


def retention_of(row: Row | None) -> int:
    """How many versions that nothing uses are kept, as was declared last."""
    return int(row.attributes.get("retention") or 0) if row is not None else 0
