# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node carries, so that a lost registry can be rebuilt from it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..._model.ids import is_id
from ..._model.rows import Row
from ..hierarchy.plan import Hierarchy

LABEL_NODE = "pextra-node"
LABEL_HIERARCHY = "pextra-hierarchy"
_KINDS = ("organization", "datacenter", "cluster")


def labels_of_node(
    node_id: str, cluster_id: str, name: str, attributes: Mapping[str, Any], hierarchy: Hierarchy
) -> dict[str, str]:
    """Return what a node carries so that a lost registry can be rebuilt from it."""
    rows = [*hierarchy.organizations, *hierarchy.datacenters, *hierarchy.clusters]
    node = {"id": node_id, "cluster": cluster_id, "name": name, **_kept(attributes)}
    return {
        LABEL_NODE: json.dumps(node, sort_keys=True),
        LABEL_HIERARCHY: json.dumps(
            [[row.kind, row.id, row.name, _kept(row.attributes)] for row in rows], sort_keys=True
        ),
    }


def rows_from_labels(labels: Mapping[str, str]) -> list[Row]:
    """Return the rows of a node, and of what stands above it, from its labels. Damaged ones are passed over."""
    rows = []
    try:
        node = json.loads(labels[LABEL_NODE])
        id_, cluster, name = node.pop("id"), node.pop("cluster"), node.pop("name")
        if is_id(id_, "node") and is_id(cluster, "cluster"):
            rows.append(Row(id_, "node", name, cluster, node))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # it has never joined, or hands have been at its labels: then it joins with a key
    try:
        above = [(kind, id_, name, dict(kept)) for kind, id_, name, kept in json.loads(labels[LABEL_HIERARCHY])]
    except (ValueError, KeyError, TypeError):
        return rows
    return rows + [Row(id_, kind, name, "", kept) for kind, id_, name, kept in above if kind in _KINDS]


def find_identity(labels: Mapping[str, str]) -> Row | None:
    """Return the node that a host says it is."""
    return next((found for found in rows_from_labels(labels) if found.kind == "node"), None)


def _kept(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes without secrets, which never leave the registry."""
    return {key: value for key, value in attributes.items() if key != "secret" and value is not None}
