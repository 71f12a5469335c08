# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes of an instance: made, grown, begun again from another image, and never made again in silence. Pure."""

from __future__ import annotations

from dataclasses import replace

from ...._model.names import is_tree
from ...._model.plan import Step, step_of
from ...._model.rows import Row
from ...pool.kinds import KINDS, image_format, root_mode
from ...volume.missing import explain_missing
from ..definition import Disk, DomainModel
from ..labels import VolumeLabel
from ..spec import Vm
from .acts import CreateVolume, DeleteTree, DeleteVolume, GrowVolume
from .context import Context, FailedError, RefusedError
from .power import stop_steps
from .references import copy_of, find_disk, find_image, kind_of
from .state import Domain, NodeState


def is_filled(step: Step) -> bool:
    """Tell whether a volume is there, under its name, long before it is complete: on a block device by copying, and
    that of a container.
    """
    if step.act != "create_volume" or step.data["mode"] == "unpack":
        return step.act == "create_volume"
    return step.data["mode"] == "copy" and KINDS[step.data["type"]].disk == "block"


def begin_again(
    row: Row | None, model: DomainModel, state: NodeState, context: Context
) -> tuple[list[Step], NodeState]:
    """Return steps that destroy what a killed run has left half filled, and the node without it.

    Nothing is lost: the row names such volumes from before they are made until they are complete, and the instance is
    defined only then.
    """
    half = set(row.attributes.get("filling", ())) if row is not None else set()
    if not half:
        return [], state
    steps = [
        delete_step(label.pool, name, f"destroy {name}, which is not complete", context)
        for label in model.labels.volumes
        for name in sorted(half & state.volumes.get(label.pool, frozenset()))
        if (disk := find_disk(label.name, model)) is not None and disk.volume == name
    ]
    return steps, replace(state, volumes={pool: names - half for pool, names in state.volumes.items()})


def delete_step(pool: str, volume: str, text: str, context: Context) -> Step:
    if is_tree(volume):
        return step_of(DeleteTree(pool, volume), text)
    row = context.pools.get(pool)
    # A pool that is not ours to know is a directory's, as far as deleting goes.
    kind = kind_of(row) if row is not None else KINDS["directory"]
    return step_of(DeleteVolume(pool, volume, wipe=not kind.is_blank), text)


def volume_steps(
    want: Vm, model: DomainModel, state: NodeState, context: Context, *, only: frozenset[str] | None = None
) -> list[Step]:
    """Plan to make the volumes that are not there. What is there is never made again, but is given its full size."""
    steps = []
    for label in model.labels.volumes:
        if label.unit is not None or (only is not None and label.name not in only):
            continue
        disk = next(disk for disk in model.disks if disk.name == label.name)
        name = disk.volume
        pool_type = context.pools[label.pool].attributes["type"]
        if name in state.volumes.get(label.pool, frozenset()):
            if name in context.attached:
                raise RefusedError(
                    f"its volume {label.name} is attached to instance {context.attached[name]}, by pextra_volume",
                    "Detach it there first, or choose another name for the new one.",
                )
            if disk.kind == "tree":
                continue
            _require_growth(label, disk, state, context)
            kept = GrowVolume(pool=label.pool, volume=name, size=label.size, type=pool_type)
            steps.append(step_of(kept, f"keep volume {label.name}, with {label.size} MiB"))
            continue
        act = CreateVolume(
            pool=label.pool,
            pool_row=context.pools[label.pool],
            volume=name,
            size=label.size,
            type=pool_type,
            format=disk.format,
        )
        if label.name == "root" and want.image is not None and want.root is not None:
            image = find_image(want.image, context)
            act = replace(
                act,
                image_volume=copy_of(image, context.pools[label.pool]),
                image_size=int(image.attributes["virtual_size"]),
            )
            if disk.kind == "tree":
                act = replace(act, mode="unpack")
                steps.append(step_of(act, f"unpack {image.name} in {label.pool}"))
                continue
            image_size = -(-act.image_size // 1024**2)
            if label.size < image_size:
                raise RefusedError(
                    f"its root volume of {label.size} MiB is smaller than image {image.name} of {image_size} MiB"
                )
            act = replace(
                act,
                mode=root_mode(pool_type, want.root.mode),
                image_format=image_format(pool_type, image.attributes["format"]),
            )
        steps.append(step_of(act, f"create volume {label.name} in {label.pool}"))
    return steps


def growth_steps(current: Domain, model: DomainModel, replaced: bool, context: Context) -> list[Step]:
    before = {volume.name: volume.size for volume in current.config.labels.volumes}
    steps = []
    for label in model.labels.volumes:
        disk = find_disk(label.name, model)
        if disk is None or label.size <= before.get(label.name, label.size) or (replaced and label.name == "root"):
            continue
        _require_growth(label, disk, context.have.nodes[current.node], context)
        in_use = find_disk(label.name, current.live) if current.live is not None and not replaced else None
        act = GrowVolume(
            pool=label.pool,
            volume=disk.volume,
            size=label.size,
            type=context.pools[label.pool].attributes["type"],
            target=in_use.target if in_use else None,
        )
        steps.append(step_of(act, f"grow volume {label.name} to {label.size} MiB"))
    return steps


def _require_growth(label: VolumeLabel, disk: Disk, here: NodeState, context: Context) -> None:
    """Where libvirt cannot make a volume larger it must have been made so by hand."""
    pool = context.pools[label.pool]
    size = here.sizes.get(label.pool, {}).get(disk.volume, 0)
    if kind_of(pool).grows or size >= label.size * 1024**2:
        return
    by_hand = {
        "lvm": f"lvextend --size {label.size}m {pool.name}/{disk.volume}",
        "zfs": f"zfs set volsize={label.size}M {pool.name}/{disk.volume}",
    }[pool.attributes["type"]]
    raise RefusedError(
        f"its volume {label.name} has {size // 1024**2} MiB, and libvirt cannot make it larger in a pool of type "
        f"{pool.attributes['type']}",
        f"On {here.row.name}: {by_hand} && virsh pool-refresh {pool.name}; then run again, and the guest sees it.",
    )


def require_volumes(current: Domain, here: NodeState, context: Context, *, but_root: bool) -> None:
    """An instance that exists has its volumes. One that is gone is data lost: never made again in silence.

    A killed run that was to replace the root volume may have destroyed it and not yet made the new one.
    """
    for label in current.config.labels.volumes:
        disk, names = find_disk(label.name, current.config), here.volumes.get(label.pool)
        if disk is None or names is None or label.pool not in context.pools or (but_root and label.name == "root"):
            continue
        if disk.volume not in names:
            runs_in = current.config.name if current.live is not None else None
            what = f"its volume {label.name} ({disk.path})"
            raise FailedError(explain_missing(what, context.pools[label.pool], current.node, runs_in=runs_in))


def replace_root(
    want: Vm, current: Domain, model: DomainModel, here: NodeState, context: Context
) -> tuple[list[Step], tuple[str, ...]]:
    """Return what makes the root volume anew, and what that destroys."""
    label, disk = model.labels.root, find_disk("root", model)
    steps: list[Step] = []
    loses: tuple[str, ...] = ()
    if label is None or disk is None:
        return steps, loses
    if current.power != "stopped":
        if not context.consent.force_stop:
            raise RefusedError(
                f"beginning again from image {model.labels.image} needs it stopped",
                "Set power: stopped first, or force_stop: true.",
            )
        steps += stop_steps(current.power, context.consent)
    names = here.volumes.get(label.pool, frozenset())
    if disk.volume in names:
        old = current.config.labels.image
        loses = (f"the root volume of {want.name}" + (f", made from image {old}" if old else ""),)
        steps.append(delete_step(label.pool, disk.volume, "destroy its root volume", context))
        here = replace(here, volumes={**here.volumes, label.pool: names - {disk.volume}})
    return steps + volume_steps(want, model, here, context, only=frozenset({"root"})), loses
