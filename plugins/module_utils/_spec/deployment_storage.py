"""Rules of storage: where pools may lie, and that images are where instances need them."""

from __future__ import annotations

from collections.abc import Container, Sequence

from .._ids import is_id
from ._fields import element_path
from ._mistake import Mistake
from .deployment_elements import Declared
from .image import Image
from .pool import IN_DIRECTORY, Pool, find_mistakes_within
from .vm import Vm


def find_pool_mistakes(pools: Sequence[Declared[Pool]], in_own_ceph: Container[str] = ()) -> list[Mistake]:
    """A pool needs a directory to itself on every node: domain rules, "Storage pools", on conflicting target paths.

    in_own_ceph: the paths of the pools whose key is known to the deployment's own Ceph alone.
    """
    mistakes = []
    present = [pool for pool in pools if pool.spec.state == "present"]
    for pool in present:
        found = find_mistakes_within(pool.spec, pool.path)
        is_derived = pool.path in in_own_ceph
        mistakes += [one for one in found if not (is_derived and one.path == f"{pool.path}.rbd.key")]
    for number, pool in enumerate(present):
        path = f"{pool.path}.path"
        target = pool.spec.target
        for other in present[:number]:
            taken = other.spec.target
            if target is None or taken is None or not _share_nodes(pool.spec, other.spec):
                continue
            if target == taken:
                mistakes.append(Mistake(path, f"{target} is the directory of {other.path} too"))
            elif _is_within(target, taken) or _is_within(taken, target):
                how = "lies in" if _is_within(target, taken) else "holds"
                mistakes.append(Mistake(path, f"{target} {how} {taken} of {other.path}"))
    return mistakes


def find_image_mistakes(images: Sequence[Declared[Image]], instances: Sequence[Declared[Vm]]) -> list[Mistake]:
    """An instance begins from an image only in a pool that holds it."""
    held = {
        (image.spec.cluster, image.spec.name): image.spec.pools or ()
        for image in images
        if image.spec.state == "present"
    }
    mistakes = []
    for instance in instances:
        vm = instance.spec
        if vm.state != "present" or vm.image is None or vm.root is None:
            continue
        pools = held.get((vm.cluster, vm.image))
        if pools is None or vm.root.pool in pools or is_id(vm.root.pool) or any(is_id(pool) for pool in pools):
            continue
        problem = f'the image "{vm.image}" is in {", ".join(pools) or "no pool"}, not in "{vm.root.pool}"'
        mistakes.append(Mistake(f"{instance.path}.root.pool", f"{problem}; add it to the image's pools"))
    return mistakes


def find_type_mistakes(
    pools: Sequence[Declared[Pool]], images: Sequence[Declared[Image]], instances: Sequence[Declared[Vm]]
) -> list[Mistake]:
    """Images, and volumes of instances, are files so far."""
    types = {
        (pool.spec.cluster, pool.spec.name): pool.spec.type
        for pool in pools
        if pool.spec.state == "present" and pool.spec.type not in IN_DIRECTORY
    }
    places: list[tuple[str, str | None, str]] = []
    for image in images:
        if image.spec.state == "present":
            places += [
                (f"{image.path}.pools[{number}]", image.spec.cluster, pool)
                for number, pool in enumerate(image.spec.pools or ())
            ]
    for instance in instances:
        vm = instance.spec
        if vm.state != "present":
            continue
        places += [(f"{instance.path}.root.pool", vm.cluster, vm.root.pool)] if vm.root else []
        places += [
            (f"{element_path(f'{instance.path}.volumes', number, {'name': volume.name})}.pool", vm.cluster, volume.pool)
            for number, volume in enumerate(vm.volumes)
        ]
    return [
        Mistake(
            path,
            f'the storage pool "{pool}" is of type {types[cluster, pool]}, which cannot hold images and volumes of '
            f"instances yet; choose one of type {' or '.join(IN_DIRECTORY)}",
        )
        for path, cluster, pool in places
        if (cluster, pool) in types
    ]


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _share_nodes(one: Pool, other: Pool) -> bool:
    return bool(set(one.nodes or ()) & set(other.nodes or ()))
