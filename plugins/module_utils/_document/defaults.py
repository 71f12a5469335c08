# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the deployment document leaves unsaid: references are checked, and what is single or derivable filled in.

Every function takes elements as written and returns them complete, with the mistakes in their references.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._fields.field import element_path
from .._fields.references import Known, find_reference_mistake
from .._model.ids import is_id
from .._model.mistake import Mistake
from .._model.nouns import IN_CLUSTER
from .._nouns.cluster.spec import Cluster, find_mistakes_within
from .._nouns.datacenter.spec import Datacenter
from .._nouns.image.distributions import url_of
from .._nouns.image.spec import USUAL_FORMAT, Image
from .._nouns.instance.parts import pool_of_medium
from .._nouns.instance.spec import Vm
from .._nouns.node.spec import Node
from .._nouns.pool.spec import Pool, find_place_mistakes
from .._nouns.port_group.spec import PortGroup
from .._nouns.volume.spec import Volume
from .._nouns.vswitch.spec import Vswitch
from .elements import Declared


@dataclass(frozen=True, kw_only=True)
class Index:
    """All names. cluster_nodes: the nodes of each cluster, in the inventory's order.

    root_organization, single_datacenter, single_cluster: what need not be named, where there is one.
    unreadable: kinds whose names are not all known, as a mistake is in them; what refers to them is not judged.
    """

    known: Mapping[str, Known]
    cluster_nodes: Mapping[str, tuple[str, ...]]
    root_organization: str | None
    single_datacenter: str | None
    single_cluster: str | None
    unreadable: frozenset[str] = frozenset()

    def find_mistakes(self, kind: str, word: str | None, path: str, cluster: str | None = None) -> list[Mistake]:
        """Check one reference. In a cluster that is known by its identifier alone, nothing can be told."""
        if word is None or (kind in IN_CLUSTER and not (cluster and self.known["cluster"].has(cluster))):
            return []
        if kind in IN_CLUSTER and self.known[kind].has(word):
            return []  # there is one of this name, and in which cluster is not known
        if kind in self.unreadable and not is_id(word):
            return []
        mistake = find_reference_mistake(self.known[kind], word, path, cluster)
        return [mistake] if mistake else []


def complete_datacenters(
    declared: Iterable[Declared[Datacenter]], index: Index
) -> tuple[tuple[Declared[Datacenter], ...], list[Mistake]]:
    complete, mistakes = [], []
    for element in declared:
        spec = element.spec
        if spec.state == "present":
            spec = replace(spec, organization=spec.organization or index.root_organization)
            mistakes += index.find_mistakes("organization", spec.organization, f"{element.path}.organization")
        complete.append(element.of(spec))
    return tuple(complete), mistakes


def complete_clusters(
    declared: Iterable[Declared[Cluster]], index: Index
) -> tuple[tuple[Declared[Cluster], ...], list[Mistake]]:
    complete, mistakes = [], []
    for element in declared:
        spec = element.spec
        if spec.state == "present":
            spec = replace(spec, datacenter=spec.datacenter or index.single_datacenter)
            path = f"{element.path}.datacenter"
            mistakes += index.find_mistakes("datacenter", spec.datacenter, path)
            # What a pool has that is wrong is told already.
            known = spec if element.knows("resource_pools") else replace(spec, resource_pools=None)
            mistakes += find_mistakes_within(known, element.path)
            if spec.datacenter is None and element.knows("datacenter") and "datacenter" not in index.unreadable:
                is_to_stay = any(index.known["datacenter"].names.get(None, {}).values())
                why = "there are several datacenters" if is_to_stay else "every datacenter is to be absent"
                mistakes.append(Mistake(path, f"is missing; {why}"))
        complete.append(element.of(spec))
    return tuple(complete), mistakes


def complete_nodes(
    declared: Iterable[Declared[Node]], index: Index
) -> tuple[tuple[Declared[Node], ...], list[Mistake]]:
    nodes = tuple(declared)
    mistakes = []
    for node in nodes:
        mistakes += index.find_mistakes("cluster", node.spec.cluster, f"{node.path}.pextra_cluster")
    return nodes, mistakes


def complete_pools(
    declared: Iterable[Declared[Pool]], index: Index
) -> tuple[tuple[Declared[Pool], ...], list[Mistake]]:
    complete, mistakes = [], []
    for element in declared:
        spec = element.spec
        cluster, found = _find_cluster(element.path, spec.cluster, index)
        if spec.state == "present":
            nodes, wrong = _complete_nodes_of(element, spec.nodes, cluster, index)
            found += wrong
            spec = replace(spec, nodes=nodes)
            if not spec.adopt:
                found += find_place_mistakes(spec, element.path)
                spec = replace(spec, path=spec.target, shared=spec.is_shared)
        complete.append(element.of(replace(spec, cluster=cluster)))
        mistakes += found
    return tuple(complete), mistakes


def complete_vswitches(
    declared: Iterable[Declared[Vswitch]], index: Index
) -> tuple[tuple[Declared[Vswitch], ...], list[Mistake]]:
    complete, mistakes = [], []
    for element in declared:
        spec = element.spec
        cluster, found = _find_cluster(element.path, spec.cluster, index)
        if spec.state == "present":
            nodes, wrong = _complete_nodes_of(element, spec.nodes, cluster, index)
            found += wrong
            spec = replace(spec, nodes=nodes)
        complete.append(element.of(replace(spec, cluster=cluster)))
        mistakes += found
    return tuple(complete), mistakes


def complete_port_groups(
    declared: Iterable[Declared[PortGroup]], index: Index
) -> tuple[tuple[Declared[PortGroup], ...], list[Mistake]]:
    complete, mistakes = [], []
    for element in declared:
        spec = element.spec
        cluster, found = _find_cluster(element.path, spec.cluster, index)
        if spec.state == "present":
            path = f"{element.path}.vswitch"
            there = index.known["vswitch"].names.get(cluster, {})
            present = [name for name, is_present in there.items() if is_present]
            if spec.vswitch is None and len(present) == 1:
                spec = replace(spec, vswitch=present[0])
            elif spec.vswitch is None and not found and "vswitch" not in index.unreadable:
                several = f" Declared: {', '.join(present)}." if present else " None is declared."
                found.append(Mistake(path, f"is missing; write the vSwitch that the port group belongs to.{several}"))
            found += index.find_mistakes("vswitch", spec.vswitch, path, cluster)
        complete.append(element.of(replace(spec, cluster=cluster)))
        mistakes += found
    return tuple(complete), mistakes


def complete_images(
    declared: Iterable[Declared[Image]],
    instances: Sequence[Declared[Vm]],
    index: Index,
    mirrors: tuple[str, ...] | None = None,
) -> tuple[tuple[Declared[Image], ...], list[Mistake]]:
    """An image is kept where instances that begin from it have their roots, or read it, unless it says where.

    mirrors: of the images that have a URL, and none of their own.
    """
    used: dict[tuple[str | None, str], dict[str, None]] = {}
    for instance in instances:
        vm = instance.spec
        if vm.state == "present" and vm.image and vm.root:
            used.setdefault((vm.cluster, vm.image), {})[vm.root.pool] = None
        for cdrom in (vm.cdroms or ()) if vm.state == "present" else ():
            pool = pool_of_medium(cdrom, vm.root)
            if pool is not None:
                used.setdefault((vm.cluster, cdrom.image or ""), {})[pool] = None
    complete, mistakes = [], []
    for element in declared:
        spec = element.spec
        cluster, found = _find_cluster(element.path, spec.cluster, index)
        if spec.state == "present":
            if spec.mirrors is None and url_of(spec) is not None:
                spec = replace(spec, mirrors=mirrors)
            for number, pool in enumerate(spec.pools or ()):
                found += index.find_mistakes("pool", pool, f"{element.path}.pools[{number}]", cluster)
            if spec.format is None and element.knows("format", "kind"):
                spec = replace(spec, format=USUAL_FORMAT[spec.kind or "disk"])
            if spec.pools is None or not element.knows("pools"):
                spec = replace(spec, pools=tuple(used.get((cluster, spec.name), ())))
        complete.append(element.of(replace(spec, cluster=cluster)))
        mistakes += found
    return tuple(complete), mistakes


def complete_instances(
    declared: Iterable[Declared[Vm]], index: Index
) -> tuple[tuple[Declared[Vm], ...], list[Mistake]]:
    """A document says what should be: an instance without `power` runs. What is adopted stays as it is."""
    complete, mistakes = [], []
    for element in declared:
        spec = element.spec
        cluster, found = _find_cluster(element.path, spec.cluster, index)
        path = element.path
        if spec.state == "present":
            organization = spec.organization or (None if spec.adopt else index.root_organization)
            # What is not known takes no room.
            power = spec.power or (None if spec.adopt else "running" if element.knows("power") else "stopped")
            spec = replace(spec, cluster=cluster, organization=organization, power=power)
            found += index.find_mistakes("organization", spec.organization, f"{path}.organization")
            found += index.find_mistakes("node", spec.node, f"{path}.node", cluster)
            found += index.find_mistakes("image", spec.image, f"{path}.image", cluster)
            if spec.root:
                found += index.find_mistakes("pool", spec.root.pool, f"{path}.root.pool", cluster)
            for number, volume in enumerate(spec.volumes or ()):
                here = element_path(f"{path}.volumes", number, {"name": volume.name})
                found += index.find_mistakes("pool", volume.pool, f"{here}.pool", cluster)
            for number, cdrom in enumerate(spec.cdroms or ()):
                here = element_path(f"{path}.cdroms", number, {"name": cdrom.name})
                found += index.find_mistakes("image", cdrom.image or None, f"{here}.image", cluster)
                found += index.find_mistakes("pool", cdrom.pool or None, f"{here}.pool", cluster)
            for number, nic in enumerate(spec.nics or ()):
                found += index.find_mistakes("port_group", nic.port_group, f"{path}.nics[{number}].port_group", cluster)
        else:
            spec = replace(spec, cluster=cluster)
        complete.append(element.of(spec))
        mistakes += found
    return tuple(complete), mistakes


def complete_volumes(
    declared: Iterable[Declared[Volume]], index: Index
) -> tuple[tuple[Declared[Volume], ...], list[Mistake]]:
    """A document says what should be: a volume without `attached_to` is attached to none."""
    complete, mistakes = [], []
    for element in declared:
        spec, path = element.spec, element.path
        cluster, found = _find_cluster(path, spec.cluster, index)
        spec = replace(spec, cluster=cluster)
        if spec.state == "present":
            spec = replace(spec, attached_to=spec.attached_to or "")
            for key, kind, word in (
                ("pool", "pool", spec.pool),
                ("node", "node", spec.node),
                ("attached_to", "instance", spec.attached_to or None),
                ("clone_of", "volume", spec.clone_of),
            ):
                found += index.find_mistakes(kind, word, f"{path}.{key}", cluster)
        complete.append(element.of(spec))
        mistakes += found
    return tuple(complete), mistakes


def _find_cluster(path: str, given: str | None, index: Index) -> tuple[str | None, list[Mistake]]:
    """Return the cluster that an element belongs to."""
    path = f"{path}.cluster"
    cluster = given or index.single_cluster
    if cluster is not None:
        return cluster, index.find_mistakes("cluster", given, path)
    if "cluster" in index.unreadable:
        return None, []
    clusters = ", ".join(index.known["cluster"].names.get(None, {}))
    there = f"there are several clusters: {clusters}" if clusters else "no cluster is declared"
    return None, [Mistake(path, f"is missing; {there}")]


def _complete_nodes_of(
    element: Declared[Any], nodes: tuple[str, ...] | None, cluster: str | None, index: Index
) -> tuple[tuple[str, ...] | None, list[Mistake]]:
    if nodes is None and element.spec.adopt:
        return None, []  # those that have one
    if nodes is None and element.knows("nodes"):
        return index.cluster_nodes.get(cluster or "", ()), []
    mistakes = []
    for number, node in enumerate(nodes or ()):
        mistakes += index.find_mistakes("node", node, f"{element.path}.nodes[{number}]", cluster)
    return nodes or (), mistakes
