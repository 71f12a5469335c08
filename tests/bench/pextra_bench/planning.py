# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the planner alone, with more nodes than a machine can be: it is pure, and needs none."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from .processes import BenchError
from .progress import step

ROUNDS = 3
INSTANCES, NODES = 2000, 200


@dataclass(frozen=True)
class PlanningFigures:
    instances: int
    nodes: int
    seconds: float


def measure() -> PlanningFigures:
    """Plan instances with a root volume, an image and a NIC each, none of which is there yet. The collection has to be
    found by its name.
    """
    with step(f"{INSTANCES} new instances on {NODES} nodes, {ROUNDS} rounds"):
        return PlanningFigures(INSTANCES, NODES, median(_plan() for _ in range(ROUNDS)))


def _plan() -> float:
    from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
    from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.placement import Capacity
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import (
        Consent,
        NodeState,
        VmHave,
    )
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import parse_vm

    organization, cluster = (
        Row(new_id(kind), kind, "bench", "", {"root": True}) for kind in ("organization", "cluster")
    )
    pool = Row(new_id("pool"), "pool", "local", cluster.id, {"type": "directory", "path": "/srv", "shared": False})
    vswitch = Row(new_id("vswitch"), "vswitch", "svswitch1", cluster.id, {})
    group = Row(new_id("port_group"), "port_group", "Production", cluster.id, {"vswitch": vswitch.id, "vlan": 5})
    nodes = [Row(new_id("node"), "node", f"node{number}", cluster.id, {}) for number in range(NODES)]
    about = {"format": "qcow2", "virtual_size": 2**26, "sha256": "a" * 64}
    copies = [f"{pool.id}/{node.id}" for node in nodes]
    image = Row(new_id("image"), "image", "tiny", cluster.id, {**about, "copies": copies})
    volumes = {pool.name: frozenset({f"{image.id}.qcow2"})}
    states = {node.name: NodeState(node, "qemu", Capacity(10**6), frozenset({vswitch.name}), volumes) for node in nodes}
    hierarchy = Hierarchy((organization,), (), (cluster,), (*nodes, pool, image, vswitch, group))
    declared = {"image": "tiny", "root": {"pool": "local"}, "nics": [{"port_group": "Production"}]}
    wants = [parse_vm({**declared, "name": f"web-{number}"}, "")[0] for number in range(INSTANCES)]
    started = time.perf_counter()
    plan = plan_vms([want for want in wants if want is not None], VmHave(hierarchy, states, {}, {}, {}), Consent())
    took = time.perf_counter() - started
    if len(plan.effective) != INSTANCES:
        raise BenchError(f"{len(plan.effective)} of {INSTANCES} instances were planned: {plan.refusals[:1]}")
    return took
