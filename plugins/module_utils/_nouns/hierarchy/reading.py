# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading organizations, datacenters and clusters, and the steps that they and the nodes share."""

from __future__ import annotations

from ..._cloud import Cloud
from ..._model.nouns import KINDS
from ..._model.plan import Plan, Step
from .plan import Hierarchy


def read_hierarchy(cloud: Cloud) -> Hierarchy:
    """Read what stands above and in clusters: one query for all nouns of a run."""
    return cloud.known("hierarchy", lambda: _read(cloud))


def _read(cloud: Cloud) -> Hierarchy:
    rows = cloud.registry.rows(*KINDS)
    return Hierarchy(
        tuple(row for row in rows if row.kind == "organization"),
        tuple(row for row in rows if row.kind == "datacenter"),
        tuple(row for row in rows if row.kind == "cluster"),
        tuple(row for row in rows if row.scope),
    )


def reserve_rows(cloud: Cloud, plan: Plan) -> None:
    """Register what the plan makes or changes, in one transaction, before a node is touched."""
    cloud.registry.put(step.data["row"] for work in plan.all for step in work.steps if step.act == "register")


def apply_to_registry(cloud: Cloud, step: Step) -> None:
    """Carry out `put` and `remove`."""
    if step.act == "put":
        cloud.registry.put([step.data["row"]])
    elif step.act == "remove":
        cloud.registry.remove([step.data["id"]])
    else:
        raise AssertionError(step.act)
