# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry itself: its schema, and its rebuilding from the nodes when it was lost."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..._cloud import Cloud
from ..._doors.registry.store import Registry
from ..._model.errors import Problem, RefusedError
from ..._model.nouns import KINDS
from ..._model.rows import Row
from ..instance.definition import DomainModel, parse_domain
from .rebuild import Carried, Rebuilt, rebuild_registry


@dataclass(frozen=True)
class Candidate:
    """A node as the inventory has it."""

    name: str
    address: str


def is_empty(registry: Registry) -> bool:
    """Tell whether nothing is registered: a new deployment, or a lost registry."""
    return not registry.rows(*KINDS)


def read_nodes(cloud: Cloud, candidates: Sequence[Candidate]) -> Rebuilt:
    """Read what the nodes carry. Refuses if some carry our identity and others do not answer.

    Instances on a node that does not answer would be missing, and be made a second time elsewhere.
    """
    for candidate in candidates:
        cloud.add_candidate(candidate.name, candidate.address)
    found = cloud.on_each([candidate.name for candidate in candidates], lambda node: _read_node(cloud, node))
    rebuilt = rebuild_registry(found.values())
    missing = [cloud.unreachable[candidate.name] for candidate in candidates if candidate.name in cloud.unreachable]
    if rebuilt.rows and missing:
        raise RefusedError(
            [
                Problem(
                    "the registry was lost, and cannot be rebuilt without this node, since its instances would be "
                    f"forgotten: {problem.what}",
                    f"{problem.remedy} A node that is gone for good is taken out of the inventory first.",
                    problem.node,
                )
                for problem in missing
            ]
        )
    return replace(rebuilt, rows=tuple(_complete(row) for row in rebuilt.rows))


def write(registry: Registry, rebuilt: Rebuilt) -> None:
    """Write all at once, so that a killed rebuild leaves an empty registry."""

    def insert() -> None:
        registry.put(rebuilt.rows)
        registry.associate(rebuilt.associations)

    registry.transaction(insert)


def _read_node(cloud: Cloud, node: str) -> Carried:
    switch = cloud.switch(node).read()
    models = [_model_of(record.config) for record in cloud.domains(node)]
    return Carried(
        dict(switch.labels), tuple(switch.bridges.values()), tuple(model for model in models if model is not None)
    )


def _model_of(xml: str) -> DomainModel | None:
    """What cannot be understood is nobody's, as far as the registry goes; pextra_vm says what is wrong with it."""
    try:
        return parse_domain(xml)
    except (ValueError, KeyError):
        return None


def _complete(row: Row) -> Row:
    """A cluster's secret never leaves the registry: a new one is made, and old clustering keys are void."""
    if row.kind != "cluster":
        return row
    return replace(row, attributes={**row.attributes, "secret": secrets.token_hex(32)})
