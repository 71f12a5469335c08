# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry knows of an instance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...._model.plan import Step, Work, step_of, work_on
from ...._model.protection import attribute_of, changes_of, is_protected, without_protection
from ...._model.rows import Row
from ..definition import DomainModel
from ..spec import Vm
from .acts import Define, Label, Register, Settle
from .context import Context

# Of one whose QEMU ended by itself, and which was then declared stopped: the coordinators' job leaves it off.
STAYS_OFF = "stays_off"


def row_attributes(node_id: str, model: DomainModel) -> dict[str, Any]:
    """Return what the registry keeps of an instance."""
    kept = {
        "node": node_id,
        "organization": model.labels.organization,
        "anti_affinity": model.labels.anti_affinity,
        "memory": model.memory,
        "image": model.labels.image,
        "type": model.type if model.type != "qemu" else None,
        **attribute_of(model.labels.protected),
    }
    return {key: value for key, value in kept.items() if value is not None}


def register_step(instance_id: str, want: Vm, context: Context, attributes: Mapping[str, Any]) -> Step:
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return step_of(Register(row), "register")


def lift_protection(want: Vm, context: Context) -> Work | None:
    """Plan to end the protection of an instance that cannot be made as declared: it has to be removable.

    A node that does not answer cannot be told; by the registry alone it can be forgotten when it is dead.
    """
    row, domains = context.instances.get(want.name), context.by_name.get(want.name, [])
    marked = [domain for domain in domains if domain.config.labels.protected]
    if row is None or want.state == "absent" or want.protected is not False or not (is_protected(row) or marked):
        return None
    bare = without_protection(row)
    steps = [step_of(Register(bare), "note that it is not protected")]
    for domain in marked:
        labels = replace(domain.config.labels, protected=False)
        define = Define(replace(domain.config, labels=labels), domain.xml)
        steps.append(replace(step_of(define, "change the definition"), node=domain.node))
        if domain.live is not None:
            label = Label(replace(domain.live.labels, protected=False))
            steps.append(replace(step_of(label, "write its labels"), node=domain.node))
    return work_on(bare, steps, changes_of(True, False), node=marked[0].node if marked else None)


def settle_step(instance_id: str, want: Vm, context: Context, attributes: Mapping[str, Any], text: str) -> Step:
    """What a run is about to do stands in the row while it does it: `power`, and `origin` while it moves.

    A killed run would otherwise leave an instance stopped that it was starting, or on a node where nobody looks.
    """
    row = Row(instance_id, "instance", want.name, context.cluster.id, dict(attributes))
    return step_of(Settle(row), text)
