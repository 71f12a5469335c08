# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance that is to go. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.errors import Problem
from ...._model.names import is_of_instance
from ...._model.plan import Change, Step, Work, step_of
from ...._model.rows import Row
from ..spec import Vm
from .acts import Undefine, Unregister
from .context import Context, FailedError, RefusedError, node_name
from .power import stop_steps
from .state import Domain
from .volumes import delete_step


def undefine_leftover(left: Domain) -> Step:
    return step_of(Undefine(left.node, left.config.uuid), f"remove the leftover definition on {left.node}")


def is_container(row: Row | None, current: Domain | None) -> bool:
    """Tell whether it is one, by its definition, or by the registry where it has none."""
    return current.config.type == "lxc" if current else row is not None and row.attributes.get("type") == "lxc"


def _state_of(current: Domain) -> list[str]:
    """Return what it holds beside its volumes."""
    has = current.config.options
    names = []
    if (has.get("firmware") or {}).get("type") == "efi":
        names.append(f"the UEFI variables of {current.config.name}")
    if has.get("tpm"):
        names.append(f"what the TPM of {current.config.name} holds")
    return names


def _adopted_volumes(current: Domain | None, pool: str) -> frozenset[str]:
    """Return the volumes that an instance was adopted with; a unit of a target is never deleted."""
    labels = current.config.labels.volumes if current is not None else ()
    paths = [one.path for one in labels if one.pool == pool and one.path is not None and one.unit is None]
    return frozenset(path.rpartition("/")[2] for path in paths)


def plan_absence(
    want: Vm, row: Row | None, current: Domain | None, leftovers: Sequence[Domain], context: Context
) -> Work:
    """A stopped instance can be removed; its volumes only on request, and with consent."""
    if current is None and row is None:
        return Work(kind="instance", name=want.name)
    steps: list[Step] = []
    loses: list[str] = []
    node = current.node if current else node_name(row.attributes.get("node"), context) if row else None
    instance_id = row.id if row else current.config.labels.id if current else None
    if current is not None:
        if current.power != "stopped":
            if not context.consent.force_stop:
                raise RefusedError(
                    f"it is {current.power}; only a stopped instance can be removed",
                    "Set power: stopped first, or force_stop: true.",
                )
            steps += stop_steps(current.power, context.consent)
        elif current.saved and not context.consent.force_stop:
            raise RefusedError(
                "it is saved, and what was saved of its memory would be lost",
                "Set force_stop: true, as for an instance that runs.",
            )
        goes = context.consent.remove_volumes
        steps.append(step_of(Undefine(current.node, current.config.uuid, goes), "remove its definition"))
        loses += _state_of(current) if goes else []
        steps += [undefine_leftover(left) for left in leftovers]
    state = context.have.nodes.get(node) if node else None
    if not context.consent.remove_volumes and current is not None and is_container(row, current):
        raise RefusedError(
            "it is a container, and what is left of it could not be used by any other instance",
            'Leave it stopped, or let its files go with it, as docs/containers.md says under "Undo".',
        )
    if state is not None and instance_id is not None:
        if current is not None and context.consent.remove_volumes:
            missing = sorted({label.pool for label in current.config.labels.volumes} - state.volumes.keys())
            if missing:
                what = f"storage pool {missing[0]} is not available, so its volumes there cannot be removed"
                raise FailedError(Problem(what, "Mend the pool first, or keep the volumes.", node))
        for pool, names in sorted(state.volumes.items()):
            own = {name for name in names if is_of_instance(name, want.name, instance_id)}
            for name in sorted(own | (_adopted_volumes(current, pool) & names)):
                is_seed = name.endswith(".iso") and name in own
                if not is_seed and not context.consent.remove_volumes:
                    continue
                if not is_seed and current is None and want.name in context.have.foreign.get(node or "", ()):
                    raise RefusedError(
                        f"{node} has a virtual machine of this name that is not ours, and it may use volume {name} in "
                        f"{pool}",
                        "Without its volumes the cloud can forget it. They may be used as long as that one is there.",
                    )
                if not is_seed:
                    loses.append(f"volume {name} in {pool}")
                steps.append(delete_step(pool, name, f"destroy {name}", context))
    if instance_id is not None:
        steps.append(step_of(Unregister(instance_id), "forget"))
    return Work(
        kind="instance",
        name=want.name,
        id=instance_id,
        node=node,
        steps=tuple(steps),
        changes=(Change("name", want.name, None),),
        loses=tuple(loses),
    )
