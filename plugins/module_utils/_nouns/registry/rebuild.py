# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lost registry, from what the nodes carry. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..._model.bridge import BridgeRecord
from ..._model.names import parse_attached
from ..._model.protection import attribute_of, is_protected, with_protection
from ..._model.rows import AssociationRow, Row
from ..image.plan.labels import images_from_labels
from ..image.versions import merge_images
from ..instance.definition import DomainModel
from ..node.labels import rows_from_labels
from ..pool.plan.labels import pools_from_labels
from ..volume.state import volumes_from_labels
from ..vswitch.labels import networks_from_labels


@dataclass(frozen=True)
class Carried:
    """What one node carries: its labels, its bridges, and the instances defined on it."""

    labels: Mapping[str, str]
    bridges: tuple[BridgeRecord, ...]
    instances: tuple[DomainModel, ...]


@dataclass(frozen=True)
class Rebuilt:
    rows: tuple[Row, ...]
    associations: tuple[AssociationRow, ...]


def rebuild_registry(nodes: Iterable[Carried]) -> Rebuilt:
    """Return every row and association that the nodes speak of, each identifier as it was.

    A node without our labels has never joined, and contributes nothing. Where nodes differ, the first one that
    speaks of a resource is believed, but for images, whose copies add up; and what is protected on any is protected.
    """
    rows: dict[str, Row] = {}
    associations: dict[tuple[str, str], AssociationRow] = {}
    bridges: list[tuple[Row, BridgeRecord]] = []
    images: list[Row] = []
    holders: dict[str, str] = {}
    protected: set[tuple[str, str, str]] = set()
    for carried in nodes:
        above = rows_from_labels(carried.labels)
        node = next((row for row in above if row.kind == "node"), None)
        if node is None:
            continue
        for row in above:
            rows.setdefault(row.id, row)
        pools, enabled = pools_from_labels(carried.labels, node_id=node.id, cluster_id=node.scope)
        for association in enabled:
            associations[association.resource, association.node] = association
        found = images_from_labels(carried.labels, cluster_id=node.scope)
        images += found
        instances = [model for model in carried.instances if model.labels.cluster == node.scope]
        own = [
            *pools,
            *volumes_from_labels(carried.labels, cluster_id=node.scope),
            *(_instance_row(model, node) for model in instances),
        ]
        for row in own:
            rows.setdefault(row.id, row)
        protected |= {_place_of(row) for row in (*own, *found) if is_protected(row)}
        bridges += [(node, bridge) for bridge in carried.bridges]
        for model in instances:
            for disk in model.attached:
                standalone = parse_attached(disk.volume, model.uuid)
                if standalone is not None:
                    holders.setdefault(standalone.id, model.labels.id)
    for row in (*merge_images(images), *networks_from_labels(bridges)):
        rows.setdefault(row.id, row)
    for volume_id, instance_id in holders.items():
        if volume_id in rows:
            volume = rows[volume_id]
            rows[volume_id] = replace(volume, attributes={**volume.attributes, "instance": instance_id})
    marked = (with_protection(row) if _place_of(row) in protected else row for row in rows.values())
    return Rebuilt(tuple(marked), tuple(associations.values()))


def _place_of(row: Row) -> tuple[str, str, str]:
    """Return what a row is told by, also an image, whose identifier is that of its content."""
    return row.kind, row.scope, row.name


def _instance_row(model: DomainModel, node: Row) -> Row:
    kept = {
        "node": node.id,
        "organization": model.labels.organization,
        "anti_affinity": model.labels.anti_affinity,
        "memory": model.memory,
        "image": model.labels.image,
        **attribute_of(model.labels.protected),
    }
    attributes = {key: value for key, value in kept.items() if value is not None}
    return Row(model.labels.id, "instance", model.name, node.scope, attributes)
