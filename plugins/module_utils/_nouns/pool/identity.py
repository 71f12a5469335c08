# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a node's libvirt pools is a storage pool of ours. Pure.

It has the UUID that stands for the identifier. One that was adopted has the UUID that it had, on each node another: the
node's label says which, and so does the association. Without that label it is nobody's. Its name tells nothing: another
node may have a pool of that name that is somebody else's.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping

from ..._model.ids import uuid_of
from ..._model.rows import AssociationRow, Row

LABEL = "pextra-pool/"


def uuid_on(pool: Row, labels: Mapping[str, str]) -> str:
    """Return the UUID that libvirt's pool has on the node with these labels, which are texts that others can write."""
    try:
        label = json.loads(labels.get(f"{LABEL}{pool.name}", "null"))
        if isinstance(label, dict) and label.get("id") == pool.id and "uuid" in label:
            return str(uuid.UUID(label["uuid"]))
    except (ValueError, TypeError, AttributeError):
        pass
    return uuid_of(pool.id)


def pools_by_node(pools: Iterable[Row], associations: Iterable[AssociationRow]) -> dict[str, dict[str, Row]]:
    """Return which of libvirt's pools are ours, by the identifier of the node and the UUID that the pool has there.

    It is for those who do not read the nodes' labels, which costs a connection to each. A pool that leaves a node is
    ours there until it has left.
    """
    rows = {row.id: row for row in pools}
    found: dict[str, dict[str, Row]] = {}
    for one in associations:
        if one.resource in rows:
            uuid = one.attributes.get("internal_id") or uuid_of(one.resource)
            found.setdefault(one.node, {})[uuid] = rows[one.resource]
    return found
