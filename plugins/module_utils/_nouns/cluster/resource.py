# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters, and the keys that let nodes into them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._cloud import Cloud
from ..._engine.noun import Options
from ..._fields.common import parse_spec
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import name_of
from ..hierarchy.plan import Hierarchy, plan_clusters
from ..hierarchy.reading import apply_to_registry, read_hierarchy
from .clustering_key import issue_key
from .spec import FIELDS, Cluster, find_mistakes_within, ratios_of


class ClusterResource:
    noun = "cluster"
    plural = "clusters"
    table = FIELDS

    def __init__(self) -> None:
        self._issued: dict[str, str] = {}

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Cluster | None, list[Mistake]]:
        cluster, mistakes = parse_spec(FIELDS, Cluster, raw, path)
        return cluster, mistakes + (find_mistakes_within(cluster, path) if cluster is not None else [])

    def read(self, cloud: Cloud, wants: Sequence[Cluster], options: Options) -> Hierarchy:
        return read_hierarchy(cloud)

    def plan(self, wants: Sequence[Cluster], have: Hierarchy, options: Options) -> Plan:
        plan = plan_clusters(wants, have, lambda: secrets.token_hex(32))
        if not options["issue_key"]:
            return plan
        return replace(plan, works=tuple(self._with_key(work, options["key_lifetime"]) for work in plan.works))

    def _with_key(self, work: Work, lifetime_min: int) -> Work:
        """Issuing is an act, not a state: it is planned until it has been done in this run."""
        if work.name in self._issued or any(step.act == "remove" for step in work.steps):
            return work
        step = Step("issue", f"issue a clustering key, valid {lifetime_min} min", {"lifetime_s": lifetime_min * 60})
        return replace(work, steps=(*work.steps, step))

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing: the steps themselves write the registry."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        if step.act != "issue":
            apply_to_registry(cloud, step)
            return
        row = next(row for row in cloud.registry.rows("cluster") if row.name == work.name)
        self._issued[work.name] = issue_key(
            row.id,
            row.attributes["secret"],
            expires=time.time() + step.data["lifetime_s"],
            nonce=secrets.token_hex(8),
        )

    def describe(self, wants: Sequence[Cluster], have: Hierarchy) -> list[dict[str, Any]]:
        names = {want.name for want in wants}
        described = []
        for row in have.clusters:
            if wants and row.name not in names:
                continue
            ratios = ratios_of(row.attributes)
            item = {
                "id": row.id,
                "name": row.name,
                "description": row.attributes.get("description"),
                "datacenter": name_of(row.attributes["datacenter"], have.datacenters),
                "vcpus_per_thread": ratios.vcpus_per_thread,
                "vcpus_per_thread_warn": ratios.vcpus_per_thread_warn,
                "resource_pools": [dict(pool) for pool in row.attributes.get("resource_pools", [])],
                "nodes": [member.name for member in have.members if member.kind == "node" and member.scope == row.id],
            }
            if row.name in self._issued:
                item["clustering_key"] = self._issued[row.name]
            described.append(item)
        return described
