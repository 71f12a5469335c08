# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the instances fit into the nodes' memory, with one node lost (domain rules, "Clusters at large": N-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..._model.mistake import Mistake
from ..._model.sizes import show_size
from ..._nouns.instance.spec import Vm
from ..._nouns.node.spec import Node, default_reserved
from ..elements import Declared, Host
from .placement import Reach, find_candidates


def find_capacity_mistakes(
    instances: Sequence[Declared[Vm]], nodes: Sequence[Declared[Node]], hosts: Mapping[str, Host], reach: Reach
) -> tuple[list[Mistake], list[Mistake]]:
    """Return (mistakes, warnings). Clusters in which the memory of a node is not known are left to placement."""
    mistakes: list[Mistake] = []
    warnings: list[Mistake] = []
    for cluster, names in reach.nodes.items():
        usable = _find_usable(nodes, hosts, names)
        if usable is None or not usable:
            continue
        running = [
            element
            for element in instances
            if element.spec.cluster == cluster
            and element.spec.state == "present"
            # What is adopted is as it is, unless that is said.
            and element.spec.power not in (None, "stopped")
        ]
        found = _find_single(cluster, running, usable, reach)
        found += _find_pinned(running, usable)
        total = sum(element.spec.memory or 0 for element in running)
        everything, largest = sum(usable.values()), max(usable.values())
        counted = f"{len(running)} running instances with {_show(total)} together"
        if total > everything and not found:
            problem = f"{counted} do not fit: {cluster} has {_show(everything)}"
            found.append(Mistake("pextra_instances", problem))
        elif len(usable) > 1 and everything >= total > everything - largest:
            problem = (
                f"{counted} do not fit with one node lost: {cluster} then keeps {_show(everything - largest)} usable"
            )
            warnings.append(Mistake("pextra_instances", problem))
        mistakes += found
    return mistakes, warnings


def _find_usable(
    nodes: Sequence[Declared[Node]], hosts: Mapping[str, Host], names: frozenset[str]
) -> dict[str, int] | None:
    """Return the MiB that each node has for instances, or None if that of one is not known."""
    usable = {}
    for node in nodes:
        if node.spec.name in names:
            memory = hosts[node.spec.name].memory_mib
            if memory is None:
                return None
            kept = node.spec.memory_reserved
            reserved = default_reserved(memory) if kept is None else kept
            usable[node.spec.name] = max(memory - reserved, 0)
    return usable


def _find_single(
    cluster: str, running: Sequence[Declared[Vm]], usable: Mapping[str, int], reach: Reach
) -> list[Mistake]:
    mistakes = []
    for element in running:
        candidates = find_candidates(element.spec, reach) & usable.keys()
        if not candidates or (element.spec.memory or 0) <= max(usable[node] for node in candidates):
            continue
        largest = max(sorted(candidates), key=lambda node: usable[node])
        limits = f"the largest node of {cluster} that can run it, {largest}, has {_show(usable[largest])}"
        if element.spec.node == largest:
            limits = f"its node {largest} has {_show(usable[largest])}"
        mistakes.append(Mistake(f"{element.path}.memory", f"{_show(element.spec.memory or 0)} does not fit: {limits}"))
    return mistakes


def _find_pinned(running: Sequence[Declared[Vm]], usable: Mapping[str, int]) -> list[Mistake]:
    pinned: dict[str, list[Declared[Vm]]] = {}
    for element in running:
        node = element.spec.node
        if node is not None and (element.spec.memory or 0) <= usable.get(node, 0):
            pinned.setdefault(node, []).append(element)
    mistakes = []
    for node, elements in pinned.items():
        total = sum(element.spec.memory or 0 for element in elements)
        if total > usable[node]:
            problem = f"{len(elements)} instances are pinned to {node} with {_show(total)} together; it has "
            mistakes.append(Mistake(f"{elements[-1].path}.node", problem + _show(usable[node])))
    return mistakes


def _show(mib: int) -> str:
    """Sizes that a person compares: GiB with one digit from 1 GiB on."""
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 and mib % 1024 else show_size(mib)
