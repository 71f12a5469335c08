# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools as the registry has them, to be propagated without a document. Pure.

This is what the coordinators' job wants: the same specs, and so the same plan, as those of `pextra_pool`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..._model.errors import Problem
from ..._model.plan import Plan, Step, Work, work_on
from ..._model.rows import AssociationRow, Row
from ..hierarchy.plan import find
from .plan.planning import plan_pools
from .plan.state import PoolHave
from .spec import Pool


def wants_of_registry(pools: Sequence[Row], associations: Sequence[AssociationRow], nodes: Sequence[Row]) -> list[Pool]:
    """Return every registered pool as a want. Credentials are not registered, so what the nodes have of them stays."""
    wants = []
    for row in pools:
        attributes = row.attributes
        enabled = tuple(
            one.node
            for one in associations
            if one.resource == row.id and one.attributes.get("enabled") and find(one.node, nodes) is not None
        )
        kind, source = attributes["type"], attributes.get("source")
        wants.append(
            Pool(
                name=row.name,
                type=kind,
                path=attributes["path"],
                shared=attributes["shared"],
                netfs=source if kind == "netfs" else None,
                iscsi=source if kind == "iscsi" else None,
                rbd=source if kind == "rbd" else None,
                cluster=row.scope,
                nodes=enabled,
                state="absent" if attributes.get("deleting") else "present",
            )
        )
    return wants


def plan_registered(wants: Sequence[Pool], have: PoolHave) -> Plan:
    """Plan pools of which one that is refused does not stop the others: it is an error of its own, and is recorded.

    Cluster by cluster, as another one may have a pool of the same name, and a problem tells the name alone.
    """
    plans = [
        _plan_of_cluster([want for want in wants if want.cluster == cluster], cluster, have)
        for cluster in dict.fromkeys(want.cluster for want in wants)
    ]
    return Plan(
        first=tuple(work for plan in plans for work in plan.first),
        works=tuple(work for plan in plans for work in plan.works),
        last=tuple(work for plan in plans for work in plan.last),
        failures=tuple(problem for plan in plans for problem in plan.failures),
        warnings=tuple(warning for plan in plans for warning in plan.warnings),
    )


def _plan_of_cluster(wants: Sequence[Pool], cluster: str | None, have: PoolHave) -> Plan:
    plan = plan_pools(wants, have)
    if not plan.refusals:
        return plan
    refused = {problem.resource for problem in plan.refusals}
    others = [want for want in wants if _label(want) not in refused]
    if len(others) == len(wants):  # nobody can tell which one it is
        return Plan(failures=(*plan.refusals, *plan.failures))
    rest = _plan_of_cluster(others, cluster, have)
    records = [work for problem in plan.refusals for work in _record(problem, cluster, have)]
    return replace(rest, works=(*rest.works, *records), failures=(*plan.refusals, *rest.failures))


def _label(want: Pool) -> str:
    return f"pool {want.name}"


def _record(problem: Problem, cluster: str | None, have: PoolHave) -> list[Work]:
    """Note a refusal where it counts: on its node, or on all nodes of the pool."""
    works = []
    for row in have.pools:
        if problem.resource != f"pool {row.name}" or row.scope != cluster:
            continue
        for association in have.associations:
            node = find(association.node, have.nodes)
            if association.resource != row.id or node is None or problem.node not in (None, node.name):
                continue
            if association.attributes.get("error") != problem.what:
                data = {"association": association, "reason": problem.what, "uuid": None}
                step = Step("fail", "record that it is refused", data)
                works.append(work_on(row, [step], node=node.name))
    return works
