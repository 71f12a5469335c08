# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Datacenters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._engine.noun import Options
from ..._fields.common import parse_spec
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import name_of
from ..hierarchy.plan import Hierarchy, plan_datacenters
from ..hierarchy.reading import apply_to_registry, read_hierarchy
from .spec import FIELDS, Datacenter


class DatacenterResource:
    noun = "datacenter"
    plural = "datacenters"
    table = FIELDS

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Datacenter | None, list[Mistake]]:
        return parse_spec(FIELDS, Datacenter, raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Datacenter], options: Options) -> Hierarchy:
        return read_hierarchy(cloud)

    def plan(self, wants: Sequence[Datacenter], have: Hierarchy, options: Options) -> Plan:
        return plan_datacenters(wants, have)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing: the steps themselves write the registry."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        apply_to_registry(cloud, step)

    def describe(self, wants: Sequence[Datacenter], have: Hierarchy) -> list[dict[str, Any]]:
        names = {want.name for want in wants}
        described = []
        for row in have.datacenters:
            if wants and row.name not in names:
                continue
            latitude, longitude = row.attributes.get("latitude"), row.attributes.get("longitude")
            described.append(
                {
                    "id": row.id,
                    "name": row.name,
                    "description": row.attributes.get("description"),
                    "organization": name_of(row.attributes["organization"], have.organizations),
                    "location": None if latitude is None else {"latitude": latitude, "longitude": longitude},
                    "clusters": [
                        cluster.name for cluster in have.clusters if cluster.attributes.get("datacenter") == row.id
                    ],
                }
            )
        return described
