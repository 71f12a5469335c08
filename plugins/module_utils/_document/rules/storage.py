# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of storage: where pools may lie, and that images are where instances need them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Mapping, Sequence

from ..._fields.checks import check_device_name, check_hostname
from ..._fields.field import element_path
from ..._model.ids import is_id
from ..._model.mistake import Mistake
from ..._model.names import data_volume, root_volume, seed_volume
from ..._nouns.image.spec import Image
from ..._nouns.instance.parts import Root, Volume, pool_of_medium
from ..._nouns.instance.spec import Vm
from ..._nouns.pool.kinds import KINDS, find_name_problem, volume_format
from ..._nouns.pool.source import target_of
from ..._nouns.pool.spec import WITH_VOLUMES, Pool, find_mistakes_within
from ..elements import Declared

_SOME_ID = f"inst-{'x' * 21}"
_SOME_DIGEST = "x" * 12


def find_pool_mistakes(pools: Sequence[Declared[Pool]], in_own_ceph: Container[str] = ()) -> list[Mistake]:
    """A pool needs a directory to itself on every node: domain rules, "Storage pools", on conflicting target paths.

    in_own_ceph: the paths of the pools whose source is known to the deployment's own Ceph alone.
    """
    mistakes = []
    present = [pool for pool in pools if pool.spec.state == "present"]
    for pool in present:
        found = find_mistakes_within(pool.spec, pool.path, "call" if pool.spec.adopt else "new")
        is_derived = pool.path in in_own_ceph
        mistakes += [one for one in found if not (is_derived and one.path.startswith(f"{pool.path}.rbd"))]
    return mistakes + _find_shared_directories(present)


def _find_shared_directories(pools: Sequence[Declared[Pool]]) -> list[Mistake]:
    """Tell of each pool the first other before it whose directory is, holds, or lies in its own."""
    at: dict[str, list[tuple[Declared[Pool], frozenset[str]]]] = {}
    below: dict[str, list[tuple[Declared[Pool], frozenset[str]]]] = {}
    mistakes = []
    for pool in pools:
        target = pool.spec.target
        if target is None:
            continue
        nodes = frozenset(pool.spec.nodes or ())
        parents = [target[:index] for index, char in enumerate(target) if char == "/" and index]
        for others, relation in (
            (at.get(target, ()), "is the directory of {} too"),
            ([one for parent in parents for one in at.get(parent, ())], "lies in {1} of {0}"),
            (below.get(target, ()), "holds {1} of {0}"),
        ):
            other = next((other for other, there in others if not nodes.isdisjoint(there)), None)
            if other is not None:
                problem = f"{target} {relation.format(other.path, other.spec.target)}"
                mistakes.append(Mistake(f"{pool.path}.path", problem))
                break
        at.setdefault(target, []).append((pool, nodes))
        for parent in parents:
            below.setdefault(parent, []).append((pool, nodes))
    return mistakes


def find_image_mistakes(images: Sequence[Declared[Image]], instances: Sequence[Declared[Vm]]) -> list[Mistake]:
    """An instance begins from an image of kind disk, and has one of kind iso in a drive, in a pool that holds it."""
    present = {(image.spec.cluster, image.spec.name): image.spec for image in images if image.spec.state == "present"}
    mistakes: list[Mistake] = []

    def check(vm: Vm, path: str, name: str, kind: str, at: str, pool: str | None) -> None:
        image = present.get((vm.cluster, name))
        if image is None:
            return
        if image.kind is not None and image.kind != kind:
            how = "no instance begins from it" if kind == "disk" else "it cannot be put into a drive"
            mistakes.append(
                Mistake(path, f'"{name}" is of kind {image.kind}, and {how}; write an image of kind {kind}')
            )
            return
        said = vm.further.get("architecture")
        if kind == "disk" and said is not None and image.architecture not in (None, said):
            problem = f'"{name}" is of {image.architecture}, and architecture is {said}; choose another image'
            mistakes.append(Mistake(path, f"{problem}, or leave architecture out"))
        pools = image.pools or ()
        if pool is None or pool in pools or is_id(pool) or any(is_id(one) for one in pools):
            return
        problem = f'the image "{name}" is in {", ".join(pools) or "no pool"}, not in "{pool}"'
        mistakes.append(Mistake(at, f"{problem}; add it to the image's pools"))

    for instance in instances:
        vm = instance.spec
        if vm.state != "present":
            continue
        if vm.image is not None:
            root = vm.root.pool if vm.root is not None else None
            check(vm, f"{instance.path}.image", vm.image, "disk", f"{instance.path}.root.pool", root)
        for number, cdrom in enumerate(vm.cdroms or ()):
            if cdrom.image:
                path = element_path(f"{instance.path}.cdroms", number, {"name": cdrom.name})
                pool = pool_of_medium(cdrom, vm.root)
                check(vm, f"{path}.image", cdrom.image, "iso", f"{path}.pool", pool)
    return mistakes


def find_type_mistakes(
    pools: Sequence[Declared[Pool]], images: Sequence[Declared[Image]], instances: Sequence[Declared[Vm]]
) -> list[Mistake]:
    """What a pool's type has to say about images and volumes in it."""
    types = {(pool.spec.cluster, pool.spec.name): pool.spec.type for pool in pools if pool.spec.state == "present"}
    mistakes: list[Mistake] = []
    for image in images:
        if image.spec.state == "present":
            for number, pool in enumerate(image.spec.pools or ()):
                if types.get((image.spec.cluster, pool)) not in (None, *WITH_VOLUMES):
                    problem = f"{_typed(pool, types[image.spec.cluster, pool])}, where no image can be copied to"
                    mistakes.append(Mistake(f"{image.path}.pools[{number}]", f"{problem}; {_CHOOSE}"))
    targets = {
        (pool.spec.cluster, pool.spec.name): target_of(pool.spec.iscsi)
        for pool in pools
        if pool.spec.state == "present" and pool.spec.iscsi
    }
    # By target, or by pool where that has none: such a unit is a mistake of its own.
    units: dict[tuple[object, str], tuple[str, str, str]] = {}
    for instance in instances:
        vm = instance.spec
        if vm.state != "present":
            continue
        mistakes += _find_name_mistakes(instance, types)
        if vm.root is not None:
            mistakes += _find_root_mistakes(instance.path, vm.root, types.get((vm.cluster, vm.root.pool)))
        for number, volume in enumerate(vm.volumes or ()):
            path = element_path(f"{instance.path}.volumes", number, {"name": volume.name})
            mistakes += _find_volume_mistakes(path, volume, types.get((vm.cluster, volume.pool)))
            if volume.unit is not None:
                key = (vm.cluster, volume.pool)
                user = (instance.path, volume.pool, path)
                holder = units.setdefault((targets.get(key) or key, volume.unit), user)
                # Twice in one instance, of one pool, is told where the instance is looked at by itself.
                if holder[:2] != user[:2]:
                    problem = f'"{volume.unit}" is used by {holder[2]} too; choose another unit of the target'
                    mistakes.append(Mistake(f"{path}.unit", problem))
    return mistakes


_CHOOSE = f"choose one of type {', '.join(WITH_VOLUMES[:-1])} or {WITH_VOLUMES[-1]}"


def _typed(pool: str, pool_type: str | None) -> str:
    return f'the storage pool "{pool}" is of type {pool_type}'


def _find_name_mistakes(instance: Declared[Vm], types: Mapping[tuple[str | None, str], str | None]) -> list[Mistake]:
    """Check the names that the instance's volumes will have in their pools: they hold the instance's and their own."""
    vm, path = instance.spec, instance.path
    mistakes: list[Mistake] = []
    if not vm.name or check_hostname(vm.name) is not None:
        return mistakes  # told by itself

    def check(key: str, pool: str, name: Callable[[str], str]) -> None:
        pool_type = types.get((vm.cluster, pool))
        if pool_type is None or pool_type not in WITH_VOLUMES:
            return
        problem = find_name_problem(pool_type, pool, name(volume_format(pool_type)))
        if problem is not None:
            what = f"a volume in the storage pool {pool} cannot be named after it: {problem}"
            mistakes.append(Mistake(f"{path}.{key}", f"{what}; write another name"))

    if vm.root is not None:
        check("name", vm.root.pool, lambda form: root_volume(vm.name, _SOME_ID, form))
        if not mistakes and vm.image is not None:
            check("name", vm.root.pool, lambda _: seed_volume(vm.name, _SOME_ID, _SOME_DIGEST))
    for number, volume in enumerate(vm.volumes or ()):
        if volume.unit is None and check_device_name(volume.name) is None:
            key = f"{element_path('volumes', number, {'name': volume.name})}.name"
            check(key, volume.pool, functools.partial(data_volume, vm.name, _SOME_ID, volume.name))
    return mistakes


def _find_root_mistakes(path: str, root: Root, pool_type: str | None) -> list[Mistake]:
    if pool_type is None:
        return []
    if pool_type not in WITH_VOLUMES:
        problem = f"{_typed(root.pool, pool_type)}, where no root volume can be made; {_CHOOSE}"
        return [Mistake(f"{path}.root.pool", problem)]
    if root.mode == "overlay" and KINDS[pool_type].clone is None:
        problem = f"{_typed(root.pool, pool_type)}, where volumes cannot share the blocks of an image"
        return [Mistake(f"{path}.root.mode", f"{problem}; leave mode out, or write copy")]
    return []


def _find_volume_mistakes(path: str, volume: Volume, pool_type: str | None) -> list[Mistake]:
    if pool_type is None:
        return []
    if pool_type in WITH_VOLUMES and volume.unit is not None:
        problem = f"{_typed(volume.pool, pool_type)}, and units are of pools of type iscsi; write size instead"
        return [Mistake(f"{path}.unit", problem)]
    if pool_type not in WITH_VOLUMES and volume.unit is None:
        problem = f"{_typed(volume.pool, pool_type)}, where no volume can be made"
        return [Mistake(f"{path}.size", f"{problem}; write a unit of its target instead, such as unit: unit:0:0:1")]
    return []
