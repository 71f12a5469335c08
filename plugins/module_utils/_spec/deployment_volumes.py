"""Rules of volumes that live on their own: what one needs to be made, and where instances can reach it."""

from __future__ import annotations

from collections.abc import Sequence

from .._ids import is_id
from ._mistake import Mistake, shown
from ._volume_forms import find_unfit
from .deployment_elements import Declared
from .deployment_placement import Key, Reach
from .pool import Pool
from .vm import Vm
from .volume import Volume, find_mistakes_within


def find_volume_mistakes(
    volumes: Sequence[Declared[Volume]],
    pools: Sequence[Declared[Pool]],
    instances: Sequence[Declared[Vm]],
    reach: Reach,
) -> list[Mistake]:
    """Check every present volume by itself, and against its pool and the instance that is to have it."""
    known = {(pool.spec.cluster, pool.spec.name): pool.spec for pool in pools if pool.spec.state == "present"}
    pinned = {(vm.spec.cluster, vm.spec.name): vm.spec.node for vm in instances if vm.spec.state == "present"}
    linked: dict[Key, str] = {}
    for element in volumes:
        spec = element.spec
        if spec.state == "present" and spec.clone_of is not None and spec.clone_mode == "linked":
            linked[spec.cluster, spec.clone_of] = element.path
    mistakes: list[Mistake] = []
    for element in volumes:
        spec, path = element.spec, element.path
        mistakes += find_mistakes_within(spec, path)
        if spec.state != "present":
            continue
        if spec.pool is None:
            mistakes.append(Mistake(f"{path}.pool", "is missing; write the storage pool that it lies in"))
        if spec.size is None and spec.clone_of is None and spec.import_from is None:
            mistakes.append(Mistake(f"{path}.size", "is missing; write how large it is, such as 20 GiB"))
        pool = known.get((spec.cluster, spec.pool or ""))
        if pool is not None:
            mistakes += _find_place_mistakes(element, pool, pinned.get((spec.cluster, spec.attached_to or "")), reach)
        if spec.attached_to and (spec.cluster, spec.name) in linked:
            other = linked[spec.cluster, spec.name]
            problem = f"{other} is a linked clone of it: attached, it would be written, and the clone be destroyed"
            mistakes.append(Mistake(f"{path}.attached_to", f"{problem}; leave it out, or make the clone a full one"))
    return mistakes


def _find_place_mistakes(element: Declared[Volume], pool: Pool, pinned: str | None, reach: Reach) -> list[Mistake]:
    spec, path = element.spec, element.path
    mistakes = [
        Mistake(f"{path}.{unfit.key}", f"{unfit.what}; {unfit.remedy[0].lower()}{unfit.remedy[1:].rstrip('.')}")
        for unfit in (find_unfit(spec, pool.type, pool.name) if pool.type is not None else ())
    ]
    if mistakes:
        return mistakes
    if pool.is_shared:
        if spec.node is None:
            return []
        problem = f'the storage pool "{pool.name}" is shared by its nodes: the volume lies on none of them'
        return [Mistake(f"{path}.node", f"{problem}; leave it out")]
    there = reach.pools.get((spec.cluster, pool.name))
    for node, key in ((spec.node, "node"), (pinned, "attached_to")):
        if node is not None and there is not None and not is_id(node) and node not in there:
            where = node if key == "node" else f"{node}, where {shown(spec.attached_to)} is"
            on = ", ".join(sorted(there)) or "no node"
            mistakes.append(
                Mistake(f"{path}.{key}", f'the storage pool "{pool.name}" is not on {where}; it is on {on}')
            )
    if (
        spec.node is not None
        and pinned is not None
        and not is_id(spec.node)
        and not is_id(pinned)
        and pinned != spec.node
    ):
        problem = f"it is on {pinned}, and the volume lies on {spec.node}, in a storage pool that is not shared"
        mistakes.append(Mistake(f"{path}.attached_to", problem))
    return mistakes
