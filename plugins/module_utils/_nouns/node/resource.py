# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes: joining, their size and health, leaving."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._engine.noun import Options
from ..._fields.common import parse_spec
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import name_of
from ..cluster.clustering_key import check_key
from ..hierarchy.reading import apply_to_registry, read_hierarchy
from .plan import NodeHave, plan_nodes, without_node
from .spec import FIELDS, Node


class NodeResource:
    noun = "node"
    plural = "nodes"
    table = FIELDS

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Node | None, list[Mistake]]:
        return parse_spec(FIELDS, Node, raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Node], options: Options) -> NodeHave:
        rows = {row.name: row for row in cloud.registry.rows("node")}
        for want in wants:
            if want.name not in rows and want.address and want.state == "present":
                cloud.add_candidate(want.name, want.address)
        names = [want.name for want in wants if want.name in cloud.nodes] if wants else list(rows)

        def read_one(node: str) -> tuple[Mapping[str, str], dict[str, Any]]:
            host = cloud.hypervisor(node).host()
            facts = {
                "hostname": host.hostname,
                "cores": host.cores,
                "memory": host.memory,
                "memory_free": host.memory_free,
                "libvirt_version": host.libvirt_version,
            }
            return cloud.labels(node).read(), facts

        found = cloud.on_each(names, read_one)
        return NodeHave(
            read_hierarchy(cloud),
            rows,
            {name: labels for name, (labels, _) in found.items()},
            {name: facts for name, (_, facts) in found.items()},
            dict(cloud.unreachable),
            tuple(cloud.registry.associations("pool"))
            if any(want.state == "absent" or want.shared_directories for want in wants)
            else (),
        )

    def plan(self, wants: Sequence[Node], have: NodeHave, options: Options) -> Plan:
        secrets = {row.id: row.attributes.get("secret", "") for row in have.hierarchy.clusters}
        key = options["clustering_key"]

        def why_not(cluster_id: str) -> str | None:
            if not key:
                return "it has not joined yet, and no clustering key was given"
            return check_key(key, secrets, cluster_id, now=time.time())

        return plan_nodes(wants, have, check_key=why_not, is_dead=bool(options["dead"]))

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing: the steps themselves write the registry."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        if step.act == "label":
            cloud.labels(work.name).write(step.data["labels"])
        elif step.act == "take_out":
            cloud.registry.change(step.data["id"], lambda member: without_node(member, step.data["node"]))
        else:
            apply_to_registry(cloud, step)

    def describe(self, wants: Sequence[Node], have: NodeHave) -> list[dict[str, Any]]:
        names = {want.name for want in wants}
        described = []
        for name, row in have.nodes.items():
            if wants and name not in names:
                continue
            facts = have.facts.get(name)
            described.append(
                {
                    "id": row.id,
                    "name": name,
                    "address": row.attributes["address"],
                    "migration_address": row.attributes.get("migration_address") or row.attributes["address"],
                    "cluster": name_of(row.scope, have.hierarchy.clusters),
                    "description": row.attributes.get("description"),
                    "virt_type": row.attributes.get("virt_type"),
                    "containers": bool(row.attributes.get("containers")),
                    "architectures": list(row.attributes.get("architectures") or ()),
                    "shared_directories": list(row.attributes.get("shared_directories") or ()),
                    "memory_reserved": row.attributes.get("memory_reserved"),
                    "health": "healthy" if facts else "unreachable",
                    "reason": None if facts else str(have.down[name].what) if name in have.down else None,
                    "facts": facts,
                }
            )
        return described
