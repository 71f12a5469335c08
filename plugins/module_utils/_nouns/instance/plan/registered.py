# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry knows of an instance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._model.plan import Step, step_of
from ...._model.rows import Row
from ..definition import DomainModel
from ..spec import Vm
from .acts import Register, Settle
from .context import Context


def row_attributes(node_id: str, model: DomainModel) -> dict[str, Any]:
    """Return what the registry keeps of an instance."""
    kept = {
        "node": node_id,
        "organization": model.labels.organization,
        "anti_affinity": model.labels.anti_affinity,
        "memory": model.memory,
        "image": model.labels.image,
    }
    return {key: value for key, value in kept.items() if value is not None}


def register_step(instance_id: str, want: Vm, context: Context, attributes: Mapping[str, Any]) -> Step:
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return step_of(Register(row), "register")


def settle_step(instance_id: str, want: Vm, context: Context, attributes: Mapping[str, Any], text: str) -> Step:
    """What a run is about to do stands in the row while it does it: `power`, and `origin` while it moves.

    A killed run would otherwise leave an instance stopped that it was starting, or on a node where nobody looks.
    """
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return step_of(Settle(row), text)
