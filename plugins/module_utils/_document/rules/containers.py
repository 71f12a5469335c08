# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of containers: their images, their pools, and the nodes that have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..._model.ids import is_id
from ..._model.mistake import Mistake
from ..._nouns.image.spec import Image
from ..._nouns.instance.spec import Vm
from ..._nouns.node.spec import Node
from ..._nouns.pool.kinds import TREE_FORMATS
from ..._nouns.pool.spec import Pool
from ..elements import Declared

_FORMATS = " or ".join(TREE_FORMATS)


def find_container_mistakes(
    instances: Sequence[Declared[Vm]],
    images: Sequence[Declared[Image]],
    pools: Sequence[Declared[Pool]],
    nodes: Sequence[Declared[Node]],
) -> list[Mistake]:
    """Check that containers begin from files, in directories, on nodes that have them, and machines from disks."""
    formats = {
        (image.spec.cluster, image.spec.name): image.spec.format or "qcow2"
        for image in images
        if image.spec.state == "present"
    }
    types = {(pool.spec.cluster, pool.spec.name): pool.spec.type for pool in pools if pool.spec.state == "present"}
    having = {(node.spec.cluster, node.spec.name): bool(node.spec.containers) for node in nodes}
    mistakes: list[Mistake] = []
    for instance in instances:
        vm, path = instance.spec, instance.path
        if vm.state != "present":
            continue
        form = formats.get((vm.cluster, vm.image or ""))
        if vm.type != "lxc":
            if form in TREE_FORMATS:
                problem = f'"{vm.image}" holds the files of a container ({form}), and is no disk'
                mistakes.append(Mistake(f"{path}.image", f"{problem}; choose another one, or write type: lxc"))
            continue
        if form is not None and form not in TREE_FORMATS:
            problem = f'"{vm.image}" is a disk ({form}), and a container begins from files'
            mistakes.append(Mistake(f"{path}.image", f"{problem}; choose one of the format {_FORMATS}"))
        pool_type = types.get((vm.cluster, vm.root.pool)) if vm.root is not None else None
        if vm.root is not None and pool_type not in (None, "directory"):
            problem = f'the storage pool "{vm.root.pool}" is of type {pool_type}, where no container can be'
            mistakes.append(Mistake(f"{path}.root.pool", f"{problem}; choose one of type directory"))
        mistakes += _find_node_mistakes(vm, path, having)
    return mistakes


def _find_node_mistakes(vm: Vm, path: str, having: dict[tuple[str | None, str], bool]) -> Iterator[Mistake]:
    if vm.node is not None and not is_id(vm.node):
        if having.get((vm.cluster, vm.node)) is False:
            yield Mistake(f"{path}.node", f"{vm.node} has no containers; write pextra_containers: true for that host")
        return
    there = [has for (cluster, _), has in having.items() if cluster == vm.cluster]
    if there and not any(there):
        yield Mistake(f"{path}.type", "no node of its cluster has containers; write pextra_containers: true for a host")
