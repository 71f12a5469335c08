# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry knows of an instance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._model.plan import Step, Work, step_of, work_on
from ...._model.protection import attribute_of, changes_of, is_protected, without_protection
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
        **attribute_of(model.labels.protected),
    }
    return {key: value for key, value in kept.items() if value is not None}


def register_step(instance_id: str, want: Vm, context: Context, attributes: Mapping[str, Any]) -> Step:
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return step_of(Register(row), "register")


def lift_protection(want: Vm, context: Context) -> Work | None:
    """A node that does not answer cannot be told. It is registered all the same: a dead one can be forgotten then."""
    row = context.instances.get(want.name)
    if row is None or want.state == "absent" or want.protected is not False or not is_protected(row):
        return None
    bare = without_protection(row)
    step = step_of(Register(bare), "note that it is not protected")
    return work_on(bare, [step], changes_of(True, False))


def settle_step(instance_id: str, want: Vm, context: Context, attributes: Mapping[str, Any], text: str) -> Step:
    """What a run is about to do stands in the row while it does it: `power`, and `origin` while it moves.

    A killed run would otherwise leave an instance stopped that it was starting, or on a node where nobody looks.
    """
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return step_of(Settle(row), text)
