# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' job: one round of propagation, without Ansible (domain rules, "Propagation"), and of starting
again what has crashed.

A timer of systemd starts it at regular intervals. It reads the registry, brings every node to what is registered, with
the planner and the engine of the modules, records errors with their causes, and clears them when they are gone. Of
several at once one acts. Each call to a node has a time limit, and whatever still hangs then ends with the process.
"""

from __future__ import annotations

from ._cloud import Cloud
from ._doors.registry.leases import Leases
from ._doors.registry.store import Registry
from ._engine.converge import Terms, converge, name_holder
from ._engine.noun import Options
from ._engine.telling import list_actions
from ._model.errors import LeaseError
from ._nouns.pool.registered import plan_registered, wants_of_registry
from ._nouns.pool.resource import PoolResource
from ._recovery import recover

_LEASE = "job propagation"
# A module that changes a pool is not waited for long: the next round comes soon.
_LEASE_TIMEOUT_S = 10.0


def propagate(registry: Registry) -> list[str]:
    """Do one round, and return what was done and what is wrong, line by line. Raises LeaseError if another one acts."""
    holder = name_holder("propagation")
    with Leases(registry, [_LEASE], holder=holder, timeout_s=0), Cloud(registry) as cloud:
        terms = Terms(holder, _LEASE_TIMEOUT_S)
        # A guest may need a pool that is brought back first.
        return [*_propagate_pools(cloud, terms), *recover(cloud, terms)]


def _propagate_pools(cloud: Cloud, terms: Terms) -> list[str]:
    registry = cloud.registry
    rows = registry.rows("node", "pool")
    wants = wants_of_registry(
        [row for row in rows if row.kind == "pool"],
        registry.associations("pool"),
        [row for row in rows if row.kind == "node"],
    )
    if not wants:
        return []
    try:
        result = converge(cloud, PoolResource(plan_registered), wants, Options({}), terms)
    except LeaseError as error:
        return [str(problem) for problem in error.problems]
    return [*list_actions(result.plan), *map(str, (*result.problems, *result.plan.failures))]
