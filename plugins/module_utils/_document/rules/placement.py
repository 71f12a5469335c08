# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of placement: for every instance some node has all that it needs, and anti-affinity can be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..._fields.field import element_path
from ..._model.ids import is_id
from ..._model.mistake import Mistake
from ..._nouns.instance.parts import Nic
from ..._nouns.instance.spec import Vm
from ..._nouns.pool.spec import Pool
from ..._nouns.port_group.spec import PortGroup
from ..._nouns.vswitch.spec import Vswitch
from ..elements import Declared

Key = tuple[str | None, str]
Found = TypeVar("Found")


def find_named(found: Mapping[Key, Found], cluster: str | None, name: str | None) -> Found | None:
    """Return what has a name in a cluster. An empty name, which is a mistake of its own, names nothing."""
    return found.get((cluster, name)) if name else None


@dataclass(frozen=True, kw_only=True)
class Reach:
    """On which nodes things are. What is missing here is not known, and so no hindrance."""

    nodes: Mapping[str, frozenset[str]]
    pools: Mapping[Key, frozenset[str]]
    port_groups: Mapping[Key, frozenset[str]]


def find_reach(
    cluster_nodes: Mapping[str, Sequence[str]],
    pools: Sequence[Declared[Pool]],
    vswitches: Sequence[Declared[Vswitch]],
    port_groups: Sequence[Declared[PortGroup]],
) -> Reach:
    """Collect on which nodes the pools and the port groups are."""
    switches: dict[Key, frozenset[str]] = {}
    for vswitch in vswitches:
        if vswitch.spec.state == "present" and _are_names(vswitch.spec.nodes):
            switches[vswitch.spec.cluster, vswitch.spec.name] = frozenset(vswitch.spec.nodes or ())
    groups: dict[Key, frozenset[str]] = {}
    for group in port_groups:
        nodes = find_named(switches, group.spec.cluster, group.spec.vswitch)
        if group.spec.state == "present" and nodes is not None:
            groups[group.spec.cluster, group.spec.name] = nodes
    return Reach(
        nodes={cluster: frozenset(nodes) for cluster, nodes in cluster_nodes.items()},
        pools={
            (pool.spec.cluster, pool.spec.name): frozenset(pool.spec.nodes or ())
            for pool in pools
            if pool.spec.state == "present" and _are_names(pool.spec.nodes)
        },
        port_groups=groups,
    )


def find_candidates(vm: Vm, reach: Reach) -> frozenset[str]:
    """Return the nodes that have every pool and port group of the instance; the named node if it is one of them."""
    candidates = reach.nodes.get(vm.cluster or "", frozenset())
    for pool in _pools_of(vm):
        candidates &= reach.pools.get((vm.cluster, pool), candidates)
    for nic in _ports_of(vm).values():
        candidates &= reach.port_groups.get((vm.cluster, nic.port_group), candidates)
    if vm.node is not None and not is_id(vm.node):
        candidates &= {vm.node}
    return candidates


def find_placement_mistakes(instances: Sequence[Declared[Vm]], reach: Reach) -> list[Mistake]:
    """Check every present instance against the reach, and groups of anti-affinity against the nodes left to them."""
    mistakes: list[Mistake] = []
    groups: dict[Key, list[Declared[Vm]]] = {}
    for element in instances:
        vm = element.spec
        if (
            vm.state != "present"
            or vm.cluster is None
            or vm.cluster not in reach.nodes
            or not any(reach.nodes.values())
        ):
            continue
        if not reach.nodes[vm.cluster]:
            mistakes.append(Mistake(element.path, f"cannot be placed: its cluster {vm.cluster} has no nodes"))
            continue
        if vm.anti_affinity:
            groups.setdefault((vm.cluster, vm.anti_affinity), []).append(element)
        if vm.node is not None and not is_id(vm.node):
            mistakes += _find_pinned_mistakes(element, vm.node, reach)
        elif not find_candidates(vm, reach):
            needed = [f'the storage pool "{pool}"' for pool in _pools_of(vm)]
            needed += [
                f'the port group "{name}"' for name in dict.fromkeys(nic.port_group for nic in _ports_of(vm).values())
            ]
            if needed:
                mistakes.append(Mistake(element.path, f"no node has all that it needs: {', '.join(needed)}"))
    for (cluster, word), members in groups.items():
        mistakes += _find_affinity_mistakes(str(cluster), word, members, reach)
    return mistakes


def _find_pinned_mistakes(element: Declared[Vm], node: str, reach: Reach) -> list[Mistake]:
    vm, mistakes = element.spec, []
    if node not in reach.nodes[vm.cluster or ""]:
        return []
    places = [("root.pool", vm.root.pool)] if vm.root else []
    places += [
        (f"{element_path('volumes', number, {'name': volume.name})}.pool", volume.pool)
        for number, volume in enumerate(vm.volumes or ())
    ]
    places += [
        (f"{element_path('cdroms', number, {'name': cdrom.name})}.pool", cdrom.pool)
        for number, cdrom in enumerate(vm.cdroms or ())
        if cdrom.image and cdrom.pool
    ]
    for place, pool in places:
        there = reach.pools.get((vm.cluster, pool))
        if there is not None and node not in there:
            problem = f'the storage pool "{pool}" is not on {node}, the node of this instance'
            mistakes.append(Mistake(f"{element.path}.{place}", f"{problem}; it is on {_list(there)}"))
    for number, nic in _ports_of(vm).items():
        there = reach.port_groups.get((vm.cluster, nic.port_group))
        if there is not None and node not in there:
            problem = f'the vSwitch of "{nic.port_group}" is not on {node}, the node of this instance'
            mistakes.append(Mistake(f"{element.path}.nics[{number}].port_group", f"{problem}; it is on {_list(there)}"))
    return mistakes


def _find_affinity_mistakes(cluster: str, word: str, members: Sequence[Declared[Vm]], reach: Reach) -> list[Mistake]:
    """Give each member a node of its own, moving others aside where that helps; name those that get none."""
    candidates = {member.path: find_candidates(member.spec, reach) for member in members}
    if not all(candidates.values()):
        return []
    left = find_unmatched([candidates[member.path] for member in members])
    nodes = len(frozenset().union(*candidates.values()))
    problem = f'{len(members)} instances of {cluster} are never to share a node ("{word}"), and '
    problem += f"{nodes} node{'s' if nodes > 1 else ''} can run them: none is left for this one"
    return [Mistake(f"{members[number].path}.anti_affinity", problem) for number in left]


def find_unmatched(candidates: Sequence[frozenset[str]]) -> list[int]:
    """Give each of a group a node of its own, of its candidates; return the numbers of those that get none.

    As many as possible get one: for whom all are taken, others move aside along the shortest chain (augmenting paths).
    Sets of nodes are bits of an integer, as all nodes may be candidates of everyone.
    """
    numbers = {node: number for number, node in enumerate(sorted(frozenset().union(*candidates)))}
    wanted = [sum(1 << numbers[node] for node in nodes) for nodes in candidates]
    holder: dict[int, int] = {}
    place: dict[int, int] = {}
    free = (1 << len(numbers)) - 1
    hopeless = 0  # what a search in vain has seen, no later one can free
    unmatched: list[int] = []
    for member in range(len(wanted)):
        asked_by: dict[int, int] = {}
        asking, seen, node = [member], hopeless, None
        for other in asking:
            reachable = wanted[other] & ~seen
            if reachable & free:
                node = _lowest(reachable & free)
                asked_by[node] = other
                break
            seen |= reachable
            while reachable:
                taken = _lowest(reachable)
                reachable &= reachable - 1
                asked_by[taken] = other
                asking.append(holder[taken])
        if node is None:
            hopeless = seen
            unmatched.append(member)
            continue
        free &= ~(1 << node)
        while node is not None:
            other = asked_by[node]
            holder[node] = other
            place[other], node = node, place.get(other)
    return unmatched


def _lowest(nodes: int) -> int:
    return (nodes & -nodes).bit_length() - 1


def _ports_of(vm: Vm) -> Mapping[int, Nic]:
    """Return the NICs, by their places, that need their vSwitch on the node: not virtual functions (SR-IOV)."""
    return {number: nic for number, nic in enumerate(vm.nics or ()) if not nic.sr_iov}


def _pools_of(vm: Vm) -> tuple[str, ...]:
    pools = [vm.root.pool] if vm.root else []
    pools += [volume.pool for volume in vm.volumes or ()]
    return tuple(dict.fromkeys(pools + [cdrom.pool for cdrom in vm.cdroms or () if cdrom.image and cdrom.pool]))


def _are_names(nodes: Sequence[str] | None) -> bool:
    return nodes is not None and not any(is_id(node) for node in nodes)


def _list(nodes: frozenset[str]) -> str:
    return ", ".join(sorted(nodes)) or "no node"
