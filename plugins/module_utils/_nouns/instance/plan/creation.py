# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance that is not there yet. Pure."""

from __future__ import annotations

from ...._model.claims import Room
from ...._model.plan import Change, Step, Work, step_of
from ...._model.protection import is_protected
from ...._model.rows import Row
from .. import walk
from ..architectures import USUAL
from ..spec import Vm, options_of
from .acts import Autostart, Define
from .claims import takes_of, uses_of
from .context import Context
from .declared import model_of
from .differences import change_of_volume
from .host_devices import take_devices
from .power import power_steps
from .registered import register_step, row_attributes, settle_step
from .screen import with_address
from .seed import seed_step, stale_seeds
from .state import named_nics
from .volumes import begin_again, is_filled, volume_steps


def plan_creation(want: Vm, row: Row | None, instance_id: str, node: str, context: Context) -> Work:
    want = with_address(want, node, context)
    model, seed = model_of(want, instance_id, context, None, node)
    devices = take_devices(want, None, instance_id, node, context)
    state = context.have.nodes[node]
    power = want.power or (row.attributes.get("power") if row else None) or "running"
    settled = row_attributes(state.row.id, model)
    # It is protected once it is complete: what cannot be made has to be removable.
    begun = settled if is_protected(row) else {key: value for key, value in settled.items() if key != "protected"}
    # While it is not defined, only its row tells other runs what it will use.
    attributes = begun if power == "stopped" else begun | {"power": power, "vcpus": model.vcpus}
    again, here = begin_again(row, model, state, context)
    made = volume_steps(want, model, here, context)
    filling = [step.data["volume"] for step in made if is_filled(step)]
    if filling:
        attributes = attributes | {"filling": filling}
    steps: list[Step] = []
    if row is None or dict(row.attributes) != attributes:
        steps.append(register_step(instance_id, want, context, attributes))
    steps += again
    steps += made
    if filling:
        attributes = {key: value for key, value in attributes.items() if key != "filling"}
        steps.append(settle_step(instance_id, want, context, attributes, "note that its volumes are complete"))
    if seed is not None and want.root is not None:
        steps.append(seed_step(model, seed, context))
    virt_type = state.virt_type_of(model.options.get("architecture") or USUAL)
    steps.append(step_of(Define(model, None, virt_type), "define"))
    if want.autostart:
        steps.append(step_of(Autostart(autostart=True), "let it start with its node"))
    steps += power_steps("stopped", power, context.consent)
    # What a killed run has left, or one before whose definition is gone.
    steps += stale_seeds(want, instance_id, [model], state, context)
    if attributes != settled:
        note = f"note that it is {power}{' and protected' if model.labels.protected else ''}"
        steps.append(settle_step(instance_id, want, context, settled, note))
    changes = [
        Change("node", None, node),
        *(Change(path, None, value) for path, value in walk.list_values(options_of(want))),
        *(change_of_volume(None, volume) for volume in model.labels.volumes),
        *(Change(f"cdroms.{label.name}.image", None, label.image or "") for label in model.labels.cdroms),
        *(Change(f"nics.{label.name}.port_group", None, one.port_group) for label, one in named_nics(model)),
        Change("power", None, power),
        *([Change("protected", None, True)] if model.labels.protected else []),
    ]
    return Work(
        kind="instance",
        name=want.name,
        id=instance_id,
        node=node,
        steps=tuple(steps),
        changes=tuple(changes),
        uses=uses_of(model, (node,), context),
        takes=takes_of(model, context, devices),
        room=Room(state.row.id, model.memory, power != "stopped", model.labels.anti_affinity, model.vcpus),
    )
