# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organizations (the module keeps the product's word, tenant)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._engine.noun import Options
from ..._fields.common import parse_spec
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..hierarchy.plan import Hierarchy, plan_organizations
from ..hierarchy.reading import apply_to_registry, read_hierarchy
from .spec import FIELDS, Organization


class TenantResource:
    noun = "tenant"
    plural = "tenants"
    table = FIELDS

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Organization | None, list[Mistake]]:
        return parse_spec(FIELDS, Organization, raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Organization], options: Options) -> Hierarchy:
        return read_hierarchy(cloud)

    def plan(self, wants: Sequence[Organization], have: Hierarchy, options: Options) -> Plan:
        return plan_organizations(wants, have)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing: the steps themselves write the registry."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        apply_to_registry(cloud, step)

    def describe(self, wants: Sequence[Organization], have: Hierarchy) -> list[dict[str, Any]]:
        names = {want.name for want in wants}
        return [
            {
                "id": row.id,
                "name": row.name,
                "description": row.attributes.get("description"),
                "root": bool(row.attributes.get("root")),
                "datacenters": [dc.name for dc in have.datacenters if dc.attributes.get("organization") == row.id],
            }
            for row in have.organizations
            if not wants or row.name in names
        ]
