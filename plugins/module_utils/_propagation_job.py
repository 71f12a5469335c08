# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' job: one round of propagation, without Ansible (domain rules, "Propagation").

A timer of systemd starts it at regular intervals. It reads the registry, brings every node to what is registered, with
the planner and the engine of the modules, records errors with their causes, and clears them when they are gone. Of
several at once one acts. Each call to a node has a time limit, and whatever still hangs then ends with the process.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from ._cloud import Cloud
from ._doors.registry.leases import Leases
from ._doors.registry.store import Registry
from ._engine.converge import (
    Terms,
    converge,
    name_holder,
    summarise,
)
from ._engine.defects import as_problem
from ._engine.noun import Options
from ._model.errors import LeaseError, PextraError, RegistryError
from ._nouns.pool.registered import plan_registered, wants_of_registry
from ._nouns.pool.resource import PoolResource

_LEASE = "job propagation"
# A module that changes a pool is not waited for long: the next round comes soon.
_LEASE_TIMEOUT_S = 10.0


def propagate(registry: Registry) -> list[str]:
    """Do one round, and return what was done and what is wrong, line by line. Raises LeaseError if another one acts."""
    holder = name_holder("propagation")
    with Leases(registry, [_LEASE], holder=holder, timeout_s=0), Cloud(registry) as cloud:
        rows = registry.rows("node", "pool")
        wants = wants_of_registry(
            [row for row in rows if row.kind == "pool"],
            registry.associations("pool"),
            [row for row in rows if row.kind == "node"],
        )
        if not wants:
            return []
        result = converge(cloud, PoolResource(plan_registered), wants, Options({}), Terms(holder, _LEASE_TIMEOUT_S))
        done = [f"{work.label}: {summarise(work)}" for work in result.plan.effective]
        return [*done, *(str(problem) for problem in (*result.problems, *result.plan.failures))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the program: its one argument is the file that says where the registry is. Returns the exit code.

    What is wrong with pools is no failure of the job: it is in the registry, and in the journal.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1:
        print("usage: pextra-propagation CONFIGURATION", file=sys.stderr)
        return 2
    try:
        with open(given[0], encoding="utf-8") as file:
            configuration: dict[str, Any] = json.load(file)
        url = configuration["registry"]
        with as_problem(), Registry(url) as registry:
            lines = propagate(registry)
    except LeaseError as error:
        lines = [str(error)]
    except (RegistryError, OSError, ValueError, KeyError) as error:
        print(f"propagation is not possible: {error}", file=sys.stderr)
        return 1
    except PextraError as error:
        lines = [str(problem) for problem in error.problems]
    for line in lines:
        print(line)
    return 0


def run() -> None:
    """Be the program, and end with it, whatever call to a node still hangs."""
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
