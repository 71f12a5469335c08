# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment document: the whole inventory as one thing, checked as a whole and completed.

Pure: what the inventory's variables hold comes in as plain values; what is to be goes out, with every mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._fields.references import ALL_WORDS, collect
from .._model.ids import is_id
from .._model.mistake import Mistake
from .._model.nouns import IN_CLUSTER, NOUNS
from .._nouns.cluster import spec as cluster
from .._nouns.datacenter import spec as datacenter
from .._nouns.image import spec as image
from .._nouns.organization import spec as organization
from .._nouns.pool import spec as pool
from .._nouns.port_group import spec as port_group
from .._nouns.volume import spec as volume
from .._nouns.vswitch import spec as vswitch
from .defaults import (
    Index,
    complete_clusters,
    complete_datacenters,
    complete_images,
    complete_instances,
    complete_nodes,
    complete_pools,
    complete_port_groups,
    complete_volumes,
    complete_vswitches,
)
from .effective import Effective, settle
from .elements import Elements, Written, drop_follow_ups, find_duplicates, parse_elements, read_list, read_value
from .hosts import InventoryHost, find_coordinator_mistakes, read_hosts
from .judging import find_empty_nodes, find_rule_mistakes
from .layers import Layer, Layers, Render
from .names import find_unknown_variables
from .replicas import Replica, expand, explain, fold, parse_instances
from .report import sort_mistakes
from .result import render_document, render_nothing
from .rules.ceph import derive_sources, read_ceph, render_ceph
from .rules.sources import FileCheck, find_source_mistakes, resolve_mirrors, resolve_sources
from .summary import summarize
from .variables import DOCUMENT

# Without these lists there is one element of this name.
DEFAULTS = {"pextra_organizations": "root", "pextra_datacenters": "default", "pextra_clusters": "default"}
DEFAULT_POOL = "local"
DEFAULT_NAME = "pextra"
# Nodes are hosts, instances are counted out first, and flavors and profiles exist in the document alone.
_LISTS = {noun.kind: noun.variable for noun in NOUNS if noun.kind not in ("node", "instance")} | {
    "flavor": "pextra_flavors",
    "profile": "pextra_profiles",
}
_Lists = Mapping[str, Sequence[Written]]


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What was read.

    variables: the variables of the deployment, templated and plain, except pextra_instances: its `instances` elements
    come through `render_instance` one by one, for each replica of a count anew; None where there is no list of them.
    names: every variable that begins with `pextra_`, of the deployment and of the hosts.
    render_profile: likewise gives an element of pextra_profiles for a number, None where none depends on it.
    explain: the names of the instances of which is to be told where each value comes from.
    registry_url: of pextra_registry_url. directory: what files of images are relative to.
    """

    variables: Mapping[str, Any]
    names: Sequence[str] = ()
    hosts: Sequence[InventoryHost] = ()
    coordinators: Sequence[str] = ()
    registry_url: object = None
    instances: int | None = 0
    render_instance: Render = render_nothing
    render_profile: Render | None = None
    explain: Collection[str] = ()
    directory: str = "/"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """document and summary are plain JSON types, and empty where there are mistakes.

    effective: the values of the instances that were asked for, by the path of each.
    """

    document: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    effective: Mapping[str, list[Effective]] = field(default_factory=dict)


def read_deployment(inventory: Inventory, check_file: FileCheck) -> Deployment:
    """Read, complete and check the whole document. Never raises for what a person wrote."""
    mistakes = find_unknown_variables(inventory.names)
    lists, unreadable, found = _read_lists(inventory.variables)
    mistakes += found
    lists["image"] = resolve_sources(lists["image"], inventory.directory)
    replicas, found = expand(inventory.instances or 0, inventory.render_instance)
    mistakes += found
    if found or inventory.instances is None or any(replica.written.name is None for replica in replicas):
        unreadable |= {"instance"}

    clusters = [element.name for element in lists["cluster"] if element.name and element.is_present]
    single = clusters[0] if len(clusters) == 1 else None
    nodes, hosts, found = read_hosts(inventory.hosts, single, is_judged="cluster" not in unreadable)
    mistakes += found
    names = [host.name for host in inventory.hosts]
    ceph, found = read_ceph(inventory.variables, hosts, nodes)
    mistakes += found
    lists["pool"], clients, derived = derive_sources(lists["pool"], ceph, nodes)
    mistakes += find_coordinator_mistakes(inventory.coordinators, names, inventory.registry_url) if names else []
    mistakes += _find_duplicate_names(lists, replicas, single)

    # Where the cluster of one node is not known, no cluster's nodes are.
    are_nodes_known = all(one.spec.cluster in clusters or is_id(one.spec.cluster or "") for one in nodes)
    unreadable |= set() if are_nodes_known else {"node"}
    cluster_nodes = {
        name: tuple(element.spec.name for element in nodes if element.spec.cluster == name)
        for name in (clusters if are_nodes_known else ())
    }
    index = replace(_make_index(lists, replicas, cluster_nodes, single), unreadable=unreadable)
    layers = Layers(
        lists,
        {kind: None if kind in unreadable else index.known[kind] for kind in ("flavor", "profile")},
        inventory.render_profile,
    )
    instances = parse_instances(replicas, layers)
    parsed, wrong = _parse(lists)
    parsed = replace(parsed, instances=instances.declared)
    wrong += [*layers.mistakes, *instances.mistakes]
    mistakes += wrong
    mirrors, found = read_value(
        DOCUMENT["pextra_image_mirrors"], inventory.variables.get("pextra_image_mirrors"), "pextra_image_mirrors"
    )
    mistakes += found
    mirrors = resolve_mirrors(mirrors, inventory.directory) if mirrors and not found else None
    elements, judged = _complete(replace(parsed, nodes=nodes, hosts=hosts), index, mirrors, instances.origins)
    judged += find_source_mistakes(elements.images, check_file)
    found, warnings = find_rule_mistakes(elements, cluster_nodes, clients)
    # What is wrong by itself has been told; that it then does not fit to others is no news.
    known = wrong + instances.unsaid
    mistakes += drop_follow_ups(derived + judged, known)
    mistakes += settle(drop_follow_ups(found, known), instances.origins)

    deployment_name, found = read_value(
        DOCUMENT["pextra_deployment_name"],
        inventory.variables.get("pextra_deployment_name"),
        "pextra_deployment_name",
    )
    mistakes += found
    warnings = [*find_empty_nodes(parsed), *warnings]
    mistakes = sort_mistakes(fold(mistakes, replicas))
    if mistakes:
        return Deployment(mistakes=tuple(mistakes), warnings=tuple(warnings))
    return Deployment(
        document={
            **render_document(elements, deployment_name or DEFAULT_NAME),
            "ceph": render_ceph(
                ceph,
                nodes,
                clients.values(),
                deployment_name or DEFAULT_NAME,
            ),
        },
        summary=summarize(elements),
        warnings=tuple(warnings),
        effective=explain(inventory.explain, elements.instances, replicas, instances.origins),
    )


def _read_lists(
    variables: Mapping[str, Any],
) -> tuple[dict[str, tuple[Written, ...]], frozenset[str], list[Mistake]]:
    """Return (the elements by kind, the kinds whose names are not all known, mistakes).

    What is not given becomes what the defaults say.
    """
    unreadable: set[str] = set()
    lists: dict[str, tuple[Written, ...]] = {}
    mistakes: list[Mistake] = []
    for kind, variable in _LISTS.items():
        told = len(mistakes)
        given, found = read_list(variable, variables.get(variable))
        mistakes += found
        if given is None and variable in DEFAULTS:
            given = (Written(variable, {"name": DEFAULTS[variable]}),)
        elif given == () and not found and variable in DEFAULTS:
            mistakes.append(Mistake(variable, "is empty; leave it out, or write at least one"))
        elif given is None and kind == "pool":
            given = tuple(
                Written(variable, {"name": DEFAULT_POOL, "cluster": element.name})
                for element in lists["cluster"]
                if element.name and element.is_present
            )
        lists[kind] = given or ()
        if len(mistakes) > told or any(element.name is None for element in lists[kind]):
            unreadable.add(kind)
    return lists, frozenset(unreadable), mistakes


def _find_duplicate_names(lists: _Lists, replicas: Sequence[Replica], single: str | None) -> list[Mistake]:
    mistakes: list[Mistake] = []
    for kind, written in lists.items():
        scoped = [((element.word("cluster") or single) if kind in IN_CLUSTER else None, element) for element in written]
        mistakes += find_duplicates(scoped, ALL_WORDS[kind])
    instances = [(replica.written.word("cluster") or single, replica.written) for replica in replicas]
    return mistakes + find_duplicates(instances, ALL_WORDS["instance"])


def _make_index(
    lists: _Lists, replicas: Sequence[Replica], cluster_nodes: Mapping[str, tuple[str, ...]], single: str | None
) -> Index:
    known = {}
    for kind, written in lists.items():
        known[kind] = collect(
            kind,
            [
                ((element.word("cluster") or single) if kind in IN_CLUSTER else None, element.name, element.is_present)
                for element in written
                if element.name is not None
            ],
        )
    known["node"] = collect("node", [(name, host, True) for name, hosts in cluster_nodes.items() for host in hosts])
    known["instance"] = collect(
        "instance",
        [
            (replica.written.word("cluster") or single, replica.written.name, replica.written.is_present)
            for replica in replicas
            if replica.written.name is not None
        ],
    )
    organizations = [element.name for element in lists["organization"] if element.name and element.is_present]
    datacenters = [element.name for element in lists["datacenter"] if element.name and element.is_present]
    return Index(
        known=known,
        cluster_nodes=cluster_nodes,
        root_organization=organizations[0] if organizations else None,
        single_datacenter=datacenters[0] if len(datacenters) == 1 else None,
        single_cluster=single,
    )


def _parse(lists: _Lists) -> tuple[Elements, list[Mistake]]:
    organizations, mistakes = parse_elements(organization.FIELDS, organization.Organization, lists["organization"])
    datacenters, found = parse_elements(datacenter.FIELDS, datacenter.Datacenter, lists["datacenter"])
    mistakes += found
    clusters, found = parse_elements(cluster.FIELDS, cluster.Cluster, lists["cluster"])
    mistakes += found
    pools, found = parse_elements(pool.FIELDS, pool.Pool, lists["pool"])
    mistakes += found
    vswitches, found = parse_elements(vswitch.FIELDS, vswitch.Vswitch, lists["vswitch"])
    mistakes += found
    port_groups, found = parse_elements(port_group.FIELDS, port_group.PortGroup, lists["port_group"])
    mistakes += found
    images, found = parse_elements(image.FIELDS, image.Image, lists["image"])
    mistakes += found
    volumes, found = parse_elements(volume.DECLARED, volume.make_volume, lists["volume"])
    mistakes += found
    elements = Elements(
        organizations=organizations,
        datacenters=datacenters,
        clusters=clusters,
        pools=pools,
        vswitches=vswitches,
        port_groups=port_groups,
        images=images,
        volumes=volumes,
    )
    return elements, mistakes


def _complete(
    elements: Elements, index: Index, mirrors: tuple[str, ...] | None, origins: Mapping[str, Sequence[Layer]]
) -> tuple[Elements, list[Mistake]]:
    datacenters, mistakes = complete_datacenters(elements.datacenters, index)
    clusters, found = complete_clusters(elements.clusters, index)
    mistakes += found
    nodes, found = complete_nodes(elements.nodes, index)
    mistakes += found
    pools, found = complete_pools(elements.pools, index)
    mistakes += found
    vswitches, found = complete_vswitches(elements.vswitches, index)
    mistakes += found
    port_groups, found = complete_port_groups(elements.port_groups, index)
    mistakes += found
    instances, found = complete_instances(elements.instances, index)
    mistakes += settle(found, origins, are_of_one_value=True)
    images, found = complete_images(elements.images, instances, index, mirrors)
    mistakes += found
    volumes, found = complete_volumes(elements.volumes, index)
    mistakes += found
    complete = replace(
        elements,
        datacenters=datacenters,
        clusters=clusters,
        nodes=nodes,
        pools=pools,
        vswitches=vswitches,
        port_groups=port_groups,
        images=images,
        instances=instances,
        volumes=volumes,
    )
    return complete, mistakes
