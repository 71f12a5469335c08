# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance that is there becomes as declared. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...._model.plan import Change, Step, Work, step_of
from ...._model.protection import explain, is_protected
from ...._model.rows import Row
from ..definition import DomainModel
from ..placement import NOTHING
from ..spec import Vm, names_inside
from ..walk import Walked
from .acts import Autostart, Define, Plug
from .cdroms import lacking_media
from .choosing import settle_devices
from .claims import room_of, takes_of, uses_of
from .context import Context, RefusedError
from .declared import model_of
from .differences import find_changes, live_changes, waiting_for_restart
from .host_devices import find_cold, take_devices
from .kept import as_far_as_named, with_named_rows
from .live import live_steps, walk_over
from .move import count_as, move_step, target_of_move
from .placement import require_suitable, unsuitable_changes, unsuitable_image
from .power import power_steps, stop_steps
from .references import find_pinned, names_of_pools
from .registered import STAYS_OFF, register_step, row_attributes, settle_step
from .room import require_room
from .screen import seen_from, staying, with_address
from .seed import needs_seed, seed_step, stale_seeds
from .state import Domain, size_of
from .volumes import growth_steps, replace_root, require_volumes, volume_steps


def plan_change(want: Vm, row: Row | None, instance_id: str, current: Domain, context: Context) -> Work:
    goal = find_pinned(want.node, context) if want.node is not None else current.node
    goal = goal if goal in context.have.nodes else current.node
    want = settle_devices(want, current, goal, context)
    want = with_address(want, goal, context)
    model, seed = model_of(want, instance_id, context, current, goal)
    walked = walk_over(want, seen_from(goal, current, context), model, find_cold(want, current, goal, context))
    changes = [*walked.changes, *find_changes(current.config, model)]
    autostart = current.autostart if want.autostart is None else want.autostart
    replaced = any(change.when == "replace" for change in changes)
    if replaced and (is_protected(row) or current.config.labels.protected):
        what = f"beginning again from image {model.labels.image} would destroy its root volume"
        raise RefusedError(*explain(what))
    power = _plan_power(want, row, current, model, context, replaced, walked)
    size = size_of(model)
    if power.keeps_running and current.live is not None:
        size = size.or_more(size_of(current.live))
    needed = size if power.wanted != "stopped" else NOTHING
    target = target_of_move(want, current, model, needed, context)
    devices = take_devices(want, current, instance_id, target or current.node, context)
    here = context.have.nodes[current.node]
    require_volumes(current, here, context, but_root=replaced)
    _require_unsaved(current, changes, target)
    if target is None:
        lacking = unsuitable_changes(want, current, model, here, replaced)
        lacking += unsuitable_image(want, here, context) if replaced else []
        lacking += lacking_media(model.labels.cdroms, model.cdroms, here, context, current.config.cdroms)
        require_suitable(list(dict.fromkeys(lacking)), current.node)
        require_room(current.node, current.size if current.runs else NOTHING, needed, context)
        _require_apart(current, model, context)
    elif replaced:
        raise RefusedError("it cannot move and begin again from another image at once", "Do one after the other.")

    count_as(model, current, target or current.node, size, runs=power.wanted != "stopped", context=context)
    settled = row_attributes(context.have.nodes[target or current.node].row.id, model)
    stays_off = _is_to_stay_off(want, row, current, power.wanted)
    if stays_off:
        settled[STAYS_OFF] = True
    attributes = settled | ({"power": power.wanted} if want.power is None and power.steps else {})
    if target is not None:
        attributes["origin"] = here.row.id
    steps: list[Step] = []
    if row is None or dict(row.attributes) != attributes:
        steps.append(register_step(instance_id, want, context, attributes))
    loses: tuple[str, ...] = ()
    if replaced:
        root_steps, loses = replace_root(want, current, model, here, context)
        steps += root_steps
    steps += volume_steps(want, model, here, context, only=names_of_pools(model) - names_of_pools(current.config))
    if seed is not None and needs_seed(current, model, here):
        steps.append(seed_step(model, seed, context))
    steps += growth_steps(current, model, replaced, context)
    # One that goes while it is stopped is defined as it becomes where it goes, and there alone.
    if (changes or not current.persistent) and (target is None or current.power != "stopped"):
        defined = model if target is None else staying(model, current, target, context)
        steps.append(step_of(Define(defined, current.xml), "change the definition"))
    if row is None:
        changes.append(Change("registered", "no", "yes"))
    if current.live is not None and power.keeps_running:
        wanted_live = as_far_as_named(want, current.live, model)
        steps += live_steps(current.live, wanted_live)
        steps += [step_of(Plug(act), act.text) for act in walked.acts]
        changes += [*live_changes(current.live, wanted_live, changes), *walked.drift]
    if current.autostart != autostart:
        changes.append(Change("autostart", current.autostart, autostart))
    if target is not None:
        changes.append(Change("node", current.node, target))
        steps.append(move_step(want, current, model, target, context, autostart=autostart))
        # From here on it is on the other node.
        steps += [replace(step, node=target) for step in power.steps]
    else:
        if current.autostart != autostart:
            steps.append(step_of(Autostart(autostart), "set autostart"))
        steps += power.steps
    # Also after a move where they were seen: what has moved is in shared pools.
    used = [model, *([current.live] if power.keeps_running and current.live is not None else [])]
    # What a saved one goes on with may be an older one, which its definition does not name any more.
    stale = stale_seeds(want, instance_id, used, here, context) if not current.saved else []
    steps += stale
    changes += [Change("cloud_init.old_seeds", len(stale), 0)] if stale else []
    if attributes != settled:
        text = "note that it has moved" if target is not None else f"note that it is {power.wanted}"
        steps.append(settle_step(instance_id, want, context, settled, text))
    if power.wanted != current.power:
        changes.append(Change("power", current.power, power.wanted))
    elif stays_off and STAYS_OFF not in (row.attributes if row is not None else {}):
        changes.append(Change("power", "crashed", "stopped"))
    found = [*(_as_plugged(change, current, power) for change in changes), *power.changes]
    if steps and not found:  # a killed run, or somebody by hand, has left the registry behind
        found.append(Change("registered", "not as it is", "as it is"))
    work = Work(
        kind="instance",
        name=want.name,
        id=instance_id,
        node=current.node,
        steps=tuple(steps),
        # Each once; values may be mappings, which have no hash.
        changes=tuple(change for number, change in enumerate(found) if change not in found[:number]),
        pending=power.pending,
        loses=loses,
    )
    if not steps:
        return work  # nobody asks what it would use
    return replace(
        work,
        uses=uses_of(model, (current.node, *([target] if target else [])), context),
        takes=takes_of(model, context, devices),
        room=room_of(model, size, current, power.wanted, context.have.nodes[target or current.node]),
    )


def _is_to_stay_off(want: Vm, row: Row | None, current: Domain, power: str) -> bool:
    """Tell whether the coordinators' job is to leave it off. libvirt does not forget that its QEMU ended by itself, so
    this stands in the registry until it is started.
    """
    if current.power != "stopped" or power != "stopped":
        return False
    is_noted = row is not None and bool(row.attributes.get(STAYS_OFF))
    return is_noted or (want.power == "stopped" and current.has_crashed)


def _as_plugged(change: Change, current: Domain, power: Power) -> Change:
    """Return a change as it takes effect. What nothing runs to be plugged into, or cannot be plugged while it runs, is
    there with the next start. In a container there is nobody who has to play along.
    """
    if change.when != "hot_plug":
        return change
    cold = f"{change.field.rpartition('.')[0]}.attached" in {one.field for one in power.pending}
    if not power.keeps_running or current.live is None or cold:
        return replace(change, when="next_boot")
    return change if current.config.type == "qemu" else replace(change, when="live")


def _require_apart(current: Domain, model: DomainModel, context: Context) -> None:
    """Refuse an anti-affinity that it is given where another instance of it is already."""
    group = model.labels.anti_affinity
    if group not in (None, current.config.labels.anti_affinity) and group in context.capacities[current.node].groups:
        raise RefusedError(
            f"{current.node} holds another instance of anti-affinity {group}",
            "Move one of them to another node (its node), then run again.",
        )


# What is only said of an instance, and nothing that its guest has.
_WORDS = {"anti_affinity", "flavor", "organization", "profiles", "protected", "tags"}


def _require_unsaved(current: Domain, changes: Sequence[Change], target: str | None) -> None:
    """What was saved of a guest's memory goes with the devices that it had: libvirt starts it with the definition of
    then, and disks that are somebody else's by now would be written as if nothing had happened.
    """
    differs = [change.field for change in changes if change.field not in _WORDS]
    differs += ["node"] if target is not None else []
    if current.saved and differs:
        raise RefusedError(
            f"it is saved, and would go on as it was saved, without the change of {', '.join(dict.fromkeys(differs))}",
            "Let it go on first (power: running alone, or pextra_vm_power with action: resume), or give what was saved "
            "of its memory up (action: discard_saved).",
        )


@dataclass(frozen=True)
class Power:
    """What becomes of the power state. changes take effect by a restart; pending ones wait for one."""

    wanted: str
    steps: tuple[Step, ...]
    keeps_running: bool
    changes: tuple[Change, ...] = ()
    pending: tuple[Change, ...] = ()


def _plan_power(
    want: Vm, row: Row | None, current: Domain, model: DomainModel, context: Context, replaced: bool, walked: Walked
) -> Power:
    # What a killed run was about to do counts for more than what it left.
    wanted = want.power or (row.attributes.get("power") if row else None) or current.power
    is_active = current.power != "stopped"
    if replaced or not is_active or wanted == "stopped":
        now = "stopped" if replaced else current.power
        return Power(wanted, tuple(power_steps(now, wanted, context.consent, saved=current.saved)), keeps_running=False)
    live = current.live
    known = waiting_for_restart(live, with_named_rows(want, live, model)) if live is not None else []
    # A call that does not name it neither tells of it nor restarts for it.
    names_seed = want.cloud_init is not None or want.nics is not None or names_inside(want)
    names_seed = names_seed or model.labels.seed != current.config.labels.seed
    waiting = walked.pending + tuple(change for change in known if change.field != "cloud_init" or names_seed)
    if waiting and context.consent.allow_restart:
        steps = [*stop_steps(current.power, context.consent), *power_steps("stopped", wanted, context.consent)]
        return Power(wanted, tuple(steps), keeps_running=False, changes=waiting)
    steps = power_steps(current.power, wanted, context.consent, hangs=current.hangs)
    return Power(wanted, tuple(steps), keeps_running=True, pending=waiting)
