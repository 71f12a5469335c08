# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attaching a volume to an instance, detaching it, and keeping it there as declared. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._model.plan import Change, Step
from ..instance.spec import TARGETS
from .attached import (
    TUNING,
    Attachment,
    edit_attachment,
    tuning_of,
)
from .context import Context, RefusedError
from .places import disk_of, is_shared
from .state import Record, Use, User


@dataclass
class Attaching:
    """What becomes of a volume's attachment. before: what ends; after: what begins. instance: who has it in the end.

    stays: where it is now and is to be. pending: what a running instance has after its next restart.
    """

    instance: str | None
    before: list[Step] = field(default_factory=list)
    after: list[Step] = field(default_factory=list)
    stays: list[Use] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    pending: list[Change] = field(default_factory=list)
    touches: list[str] = field(default_factory=list)
    node: str | None = None


def plan_attachment(wanted: str | None, record: Record, context: Context) -> Attaching:
    """Plan whose volume it is. wanted: the instance, the empty text for none, None to leave it where it is."""
    uses = context.uses.get(record.id, [])
    if record.instance is not None and record.instance in context.instances:
        holder = context.instances[record.instance]
        if all(use.user.id != holder.id for use in uses):
            context.require_answer(holder)
    user = context.user(wanted) if wanted else None
    plan = Attaching(instance=user.id if user else None)
    if wanted is None:
        plan.stays = list(uses)
        plan.instance = uses[0].user.id if uses else None
    else:
        plan.stays = [use for use in uses if user is not None and use.user.id == user.id]
        for use in uses:
            if use not in plan.stays:
                _detach(use, plan)
    for use in plan.stays:
        _keep(use, record, plan)
    if user is not None and not plan.stays:
        _attach(user, record, plan, context)
    names = [use.user.name for use in uses]
    wanted_names = [user.name] if user else [] if wanted is not None else names
    if names != wanted_names:
        plugs = any(step.data.get("live") for step in (*plan.before, *plan.after))
        was, is_ = ", ".join(names) or None, ", ".join(wanted_names) or None
        plan.changes.append(Change("attached_to", was, is_, "hot_plug" if plugs else "live"))
    for name in wanted_names:
        context.attached[record.id] = name
    return plan


def _detach(use: Use, plan: Attaching) -> None:
    user = use.user
    _require_unsaved(user)
    if use.live is not None and user.power == "paused":
        raise RefusedError(
            f"instance {user.name} is paused, and its guest cannot let go of the volume",
            "Resume or stop the instance first.",
        )
    text = f"detach it from {user.name}; its data stays"
    if use.live is not None:
        plan.before.append(_step("detach", text, user, {"attachment": use.live, "live": True}))
    if use.config is not None:
        again = "and from its definition" if use.live is not None else text
        plan.before.append(_step("detach", again, user, {"attachment": use.config, "live": False}))
    _touch(user, plan)


def _attach(user: User, record: Record, plan: Attaching, context: Context) -> None:
    if user.is_container:
        raise RefusedError(f"instance {user.name} is a container, and has no disks", "Choose a virtual machine.")
    if record.pool is None:
        raise RefusedError("its storage pool is not registered any more")
    clones = context.linked.get(record.id)
    if clones:
        raise RefusedError(
            f"linked clones share its blocks: {', '.join(clones)}",
            "Attached, it would be written, and they would be destroyed. Make a full clone of it, and attach that.",
        )
    if not is_shared(record.pool) and record.node != user.node:
        raise RefusedError(
            f"it lies on {record.node}, in storage pool {record.pool.name}, and instance {user.name} is on {user.node}",
            "Move the instance there, or use a shared storage pool.",
        )
    if record.pool.name not in context.have.active.get(user.node, frozenset()):
        raise RefusedError(
            f"storage pool {record.pool.name} is not available on {user.node}, where instance {user.name} is",
            "Run the storage stage of site.yml, which says why.",
        )
    _require_unsaved(user)
    taken = context.taken.setdefault(user.id, set())
    target = next((name for name in TARGETS if name not in taken), None)
    if target is None:
        raise RefusedError(f"instance {user.name} has no device name left: vdb to vdy are in use")
    taken.add(target)
    data = {"attachment": _wanted(record, target), "live": user.power != "stopped", "config": True}
    plan.after.append(_step("attach", f"attach it to {user.name} as {target}", user, data))
    _touch(user, plan)


def _require_unsaved(user: User) -> None:
    """It goes on with the disks that it had when it was saved."""
    if user.saved:
        raise RefusedError(
            f"instance {user.name} is saved, and goes on with the volumes that it had then",
            "Let it go on first (pextra_vm_power with action: resume), or give what was saved of its memory up "
            "(action: discard_saved).",
        )


def _keep(use: Use, record: Record, plan: Attaching) -> None:
    """Mend what was changed by hand or left by a killed run, and change what can be changed."""
    user = use.user
    wanted = _wanted(record, use.any.disk.target)
    if use.config is None:
        data = {"attachment": wanted, "live": False, "config": True}
        plan.after.append(_step("attach", f"write it into the definition of {user.name}", user, data))
        plan.changes.append(Change("attached_to", "the running guest alone", user.name))
    elif _differs(use.config, wanted) or use.config.tuning != wanted.tuning:
        data = {"xml": edit_attachment(user.xml, _at(use.config, wanted))}
        plan.after.append(_step("edit", f"change its settings in {user.name}", user, data))
        plan.changes += _settings(use.config, wanted)
    if user.power != "stopped" and use.live is None:
        data = {"attachment": wanted, "live": True, "config": False}
        plan.after.append(_step("attach", f"attach it to the running guest of {user.name}", user, data))
        plan.changes.append(Change("attached_to", "the definition alone", user.name, "hot_plug"))
    elif use.live is not None:
        if use.live.tuning != wanted.tuning:
            # What is not limited any more has to be said.
            tuning = {word: wanted.tuning.get(word, 0) for word, _ in TUNING.values()}
            data = {"target": use.live.disk.target, "tuning": tuning}
            plan.after.append(_step("limit", f"limit it in {user.name}", user, data))
            plan.changes += [one for one in _settings(use.live, wanted) if one.field.startswith("limits")]
        plan.pending += [
            Change(one.field, one.before, one.after, "next_boot")
            for one in _settings(use.live, wanted)
            if not one.field.startswith("limits")
        ]
    plan.node = plan.node or user.node
    if plan.after:
        _touch(user, plan)


def _wanted(record: Record, target: str) -> Attachment:
    if record.pool is None:
        raise RefusedError("its storage pool is not registered any more")
    return Attachment(
        disk=disk_of(record.pool, record.file, record.id, record.format, target),
        cache=record.cache,
        discard=record.discard,
        tuning=tuning_of(record.limits),
    )


def _at(found: Attachment, wanted: Attachment) -> Attachment:
    """Return what is wanted, where it is found: its path may have another spelling."""
    return Attachment(disk=found.disk, cache=wanted.cache, discard=wanted.discard, tuning=wanted.tuning)


def _differs(found: Attachment, wanted: Attachment) -> bool:
    return (found.cache, found.discard) != (wanted.cache, wanted.discard)


def _settings(found: Attachment, wanted: Attachment) -> list[Change]:
    return list(_compare(found, wanted))


def _compare(found: Attachment, wanted: Attachment) -> Iterator[Change]:
    for name in ("cache", "discard"):
        before, after = getattr(found, name), getattr(wanted, name)
        if before != after:
            yield Change(name, before or "default", after)
    for name, (word, unit) in TUNING.items():
        was, is_ = found.tuning.get(word), wanted.tuning.get(word)
        if was != is_:
            yield Change(f"limits.{name}", was and was / unit, is_ and is_ // unit)


def _step(act: str, text: str, user: User, data: Mapping[str, Any]) -> Step:
    return Step(act, text, {"node": user.node, "uuid": user.uuid, **data})


def _touch(user: User, plan: Attaching) -> None:
    key = f"instance {user.name}"
    if key not in plan.touches:
        plan.touches.append(key)
    plan.node = plan.node or user.node
