# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of volumes that live on their own: what one needs to be made, and where instances can reach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..._model.ids import is_id
from ..._model.mistake import Mistake, shown
from ..._nouns.instance.spec import TARGETS, Vm
from ..._nouns.pool.spec import Pool
from ..._nouns.volume.forms import (
    Unfit,
    describe_circle,
    find_circles,
    find_unfit,
    find_unfit_clone,
)
from ..._nouns.volume.spec import Volume, find_mistakes_within
from ..elements import Declared
from .placement import Key, Reach, find_candidates, find_named


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
    mistakes = _find_clone_mistakes(volumes) + _find_attachment_mistakes(volumes, known, instances, reach)
    for element in volumes:
        spec, path = element.spec, element.path
        mistakes += find_mistakes_within(spec, path)
        if spec.state != "present":
            continue
        if spec.pool is None:
            mistakes.append(Mistake(f"{path}.pool", "is missing; write the storage pool that it lies in"))
        if spec.size is None and spec.clone_of is None and spec.import_from is None:
            mistakes.append(Mistake(f"{path}.size", "is missing; write how large it is, such as 20 GiB"))
        pool = find_named(known, spec.cluster, spec.pool)
        if pool is not None:
            home = find_named(pinned, spec.cluster, spec.attached_to)
            mistakes += _find_place_mistakes(element, pool, home, reach)
        if spec.attached_to and (spec.cluster, spec.name) in linked:
            other = linked[spec.cluster, spec.name]
            problem = f"{other} is a linked clone of it: attached, it would be written, and the clone be destroyed"
            mistakes.append(Mistake(f"{path}.attached_to", f"{problem}; leave it out, or make the clone a full one"))
    return mistakes


def _find_place_mistakes(element: Declared[Volume], pool: Pool, pinned: str | None, reach: Reach) -> list[Mistake]:
    spec, path = element.spec, element.path
    unfit = find_unfit(spec, pool.type, pool.name) if pool.type is not None else ()
    mistakes = [_mistake_of(one, path) for one in unfit]
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


def _mistake_of(unfit: Unfit, path: str) -> Mistake:
    return Mistake(f"{path}.{unfit.key}", _clauses(unfit.what, unfit.remedy))


def _clauses(what: str, remedy: str) -> str:
    """Return what is wrong and what to do as the clauses of one sentence."""
    return f"{what}; {remedy[0].lower()}{remedy[1:].rstrip('.')}"


def _find_clone_mistakes(volumes: Sequence[Declared[Volume]]) -> list[Mistake]:
    """Check clones against what they are made of. What cannot be known here, such as the size of a file, is left."""
    present = {(one.spec.cluster, one.spec.name): one.spec for one in volumes if one.spec.state == "present"}
    origins: dict[str | None, dict[str, str]] = {}
    for (cluster, name), spec in present.items():
        if spec.clone_of is not None:
            origins.setdefault(cluster, {})[name] = spec.clone_of
    circles = {cluster: find_circles(found) for cluster, found in origins.items()}
    sizes: dict[Key, int | None] = {}
    mistakes: list[Mistake] = []
    for element in volumes:
        spec, path = element.spec, element.path
        source = find_named(present, spec.cluster, spec.clone_of)
        if spec.state != "present" or source is None or source.name == spec.name:
            continue
        circle = circles[spec.cluster].get(spec.name)
        if circle is not None:
            mistakes.append(Mistake(f"{path}.clone_of", _clauses(*describe_circle(circle))))
        elif spec.pool is not None and source.pool is not None and not is_id(spec.pool) and not is_id(source.pool):
            size = _size_of(source, present, sizes)
            mistakes += [
                _mistake_of(unfit, path) for unfit in find_unfit_clone(spec, spec.pool, source.name, source.pool, size)
            ]
    return mistakes


def _size_of(volume: Volume, present: Mapping[Key, Volume], known: dict[Key, int | None]) -> int | None:
    """Return the size in MiB that a volume is made with, of a clone that does not say it that of its origin.

    known: sizes that were found before; the volumes on the way are added.
    """
    way: list[Key] = []
    found: Volume | None = volume
    while found is not None and found.size is None and (key := (found.cluster, found.name)) not in known:
        known[key] = None
        way.append(key)
        found = find_named(present, found.cluster, found.clone_of)
    size = None if found is None else found.size or known[found.cluster, found.name]
    known |= dict.fromkeys(way, size)
    return size


def _find_attachment_mistakes(
    volumes: Sequence[Declared[Volume]],
    pools: Mapping[Key, Pool],
    instances: Sequence[Declared[Vm]],
    reach: Reach,
) -> list[Mistake]:
    """Check what is attached to each instance together: it has device names for so many, and runs on one node."""
    users = {(one.spec.cluster, one.spec.name): one.spec for one in instances if one.spec.state == "present"}
    attached: dict[Key, list[Declared[Volume]]] = {}
    for element in volumes:
        user = find_named(users, element.spec.cluster, element.spec.attached_to)
        if element.spec.state == "present" and user is not None:
            attached.setdefault((user.cluster, user.name), []).append(element)
    mistakes: list[Mistake] = []
    for key, elements in attached.items():
        vm = users[key]
        own = len(vm.volumes or ())
        left = max(len(TARGETS) - own, 0)
        if own <= len(TARGETS):
            problem = f"{vm.name} would have {own + len(elements)} volumes beside its root volume, and "
            problem += f"{len(TARGETS)} are possible; leave it out, or attach it to another instance"
            mistakes += [Mistake(f"{element.path}.attached_to", problem) for element in elements[left:]]
        mistakes += _find_apart(vm, elements, pools, reach)
    return mistakes


def _find_apart(vm: Vm, elements: Sequence[Declared[Volume]], pools: Mapping[Key, Pool], reach: Reach) -> list[Mistake]:
    """Return the volumes that lie on none of the nodes where the instance has all that was looked at before."""
    nodes = find_candidates(vm, reach)
    mistakes: list[Mistake] = []
    for element in elements:
        spec = element.spec
        pool = find_named(pools, spec.cluster, spec.pool)
        there = find_named(reach.pools, spec.cluster, spec.pool)
        if pool is None or there is None or not nodes:
            continue
        if spec.node is not None and not pool.is_shared:
            there = there if is_id(spec.node) else there & {spec.node}
        if nodes & there:
            nodes &= there
        elif there and vm.node is None:
            # Where the instance has a node of its own, this is told of that.
            lies = f"it is on {', '.join(sorted(there))}"
            problem = f"{lies}, and all else that {vm.name} needs on {', '.join(sorted(nodes))}"
            mistakes.append(Mistake(f"{element.path}.attached_to", f"{problem}; an instance runs on one node"))
    return mistakes
