# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as nodes carry them in their labels, from which a lost registry is rebuilt. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from ...._model.labels import read_labels
from ...._model.rows import Row
from ..versions import is_version, keep_copies, newest_of, older_of, versions_of
from .targets import retention_of

LABEL = "pextra-image/"
_LABELLED = (
    *("kind", "sha256", "format", "architecture", "virtual_size", "size", "description", "protected"),
    *("signed_by", "signing_key", "origin", "stated"),
)


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
    if retention_of(row):
        kept["retention"] = retention_of(row)
    if older_of(visible):
        kept["versions"] = visible.attributes["versions"]
    copies = sorted(newest_of(visible).copies)
    return {f"{LABEL}{row.name}": json.dumps({"id": row.id, **kept, "copies": copies}, sort_keys=True)}


def images_from_labels(labels: Mapping[str, str], *, cluster_id: str) -> list[Row]:
    """Return the images that a node's labels tell of, with the copies that it sees. Others are passed over."""
    return [row for row in read_labels(labels, LABEL, "image", cluster_id) if _is_image(row)]


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


def _is_image(row: Row) -> bool:
    older = row.attributes.get("versions", [])
    newest = {**row.attributes, "id": row.id}
    return is_version(newest) and isinstance(older, list) and all(is_version(one) for one in older)
