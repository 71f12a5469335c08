# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of directories that instances mount: a node gives them, and they are nobody's volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..._fields.field import element_path
from ..._model.ids import is_id
from ..._model.mistake import Mistake
from ..._nouns.instance.spec import Vm
from ..._nouns.node.plan import find_nested, find_overlaps
from ..._nouns.node.spec import Node
from ..._nouns.pool.spec import Pool
from ..elements import Declared
from ..hosts import host_path


def find_filesystem_mistakes(
    instances: Sequence[Declared[Vm]], pools: Sequence[Declared[Pool]], nodes: Sequence[Declared[Node]]
) -> list[Mistake]:
    """Check that what instances mount is declared where they are, and that no directory is a storage pool's too."""
    mistakes = []
    for node in nodes:
        on_node = {
            one.spec.name: one.spec.path
            for one in pools
            if one.spec.cluster == node.spec.cluster and one.spec.path and one.spec.state == "present"
            if one.spec.nodes is None or node.spec.name in one.spec.nodes
        }
        given_here = node.spec.shared_directories or ()
        found = [f"{problem}; share the outer one alone" for problem in find_nested(given_here)]
        found += find_overlaps(given_here, on_node)
        mistakes += [Mistake(host_path(node.spec.name, "pextra_shared_directories"), problem) for problem in found]
    given: dict[tuple[str | None, str], tuple[str, ...]] = {
        (node.spec.cluster, node.spec.name): node.spec.shared_directories or () for node in nodes
    }
    for instance in instances:
        if instance.spec.state == "present":
            mistakes += _find_undeclared(instance.spec, instance.path, given)
    return mistakes


def _find_undeclared(vm: Vm, path: str, given: Mapping[tuple[str | None, str], tuple[str, ...]]) -> Iterator[Mistake]:
    if vm.node is not None and is_id(vm.node):
        return
    there = [
        directories
        for (cluster, name), directories in given.items()
        if cluster == vm.cluster and vm.node in (None, name)
    ]
    who, whose = ("no node of its cluster shares", "a host") if vm.node is None else (f"{vm.node} does not share", "it")
    for index, one in enumerate(vm.further.get("filesystems") or ()):
        if there and not any(one["directory"] in directories for directories in there):
            here = element_path(f"{path}.filesystems", index, one)
            problem = f"{who} {one['directory']}; write it into pextra_shared_directories of {whose}"
            yield Mistake(f"{here}.directory", problem)
