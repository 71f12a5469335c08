# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools as nodes carry them in their labels. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...._model.ids import uuid_of
from ...._model.labels import read_labels
from ...._model.rows import AssociationRow, Row
from ..identity import LABEL, uuid_on
from ..spec import IN_DIRECTORY
from .state import fresh_association

LABELLED = ("type", "path", "shared", "source", "description")


# Labels, from which a lost registry is rebuilt


def labels_of_pool(name: str, pool_id: str, attributes: Mapping[str, Any], uuid: str | None = None) -> dict[str, str]:
    """Return what every enabled node carries about a pool. uuid: that of libvirt's pool there, which an adopted one
    has from before.
    """
    kept = {key: attributes[key] for key in (*LABELLED, "protected") if attributes.get(key) is not None}
    if uuid is not None and uuid != uuid_of(pool_id):
        kept["uuid"] = uuid
    return {f"{LABEL}{name}": json.dumps({"id": pool_id, **kept}, sort_keys=True)}


def pools_from_labels(
    labels: Mapping[str, str], *, node_id: str, cluster_id: str
) -> tuple[list[Row], list[AssociationRow]]:
    """Return the pools that a node's labels tell of, and that they are enabled on it.

    libvirt's identifier follows from ours or is in the label, so propagation has nothing to do where all is well.
    Labels that are not ours are passed over.
    """
    rows, associations = [], []
    for row in read_labels(labels, LABEL, "pool", cluster_id):
        needed = {"type", "shared", *(("path",) if row.attributes.get("type") in IN_DIRECTORY else ())}
        if needed <= set(row.attributes):
            kept = {key: value for key, value in row.attributes.items() if key != "uuid"}
            rows.append(replace(row, attributes={"path": None, **kept, "deleting": False}))
            known = {**fresh_association(), "internal_id": uuid_on(row, labels), "status": "available"}
            known["was_available"] = True
            associations.append(AssociationRow(row.id, node_id, known))
    return rows, associations
