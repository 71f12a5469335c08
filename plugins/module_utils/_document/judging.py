# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule of the document, told of what is known."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from .._model.mistake import Mistake
from .._nouns.pool.spec import Pool
from .._nouns.vswitch.spec import Vswitch
from .elements import Declared, Elements, Spec
from .rules.addresses import find_address_mistakes
from .rules.capacity import find_capacity_mistakes
from .rules.containers import find_container_mistakes
from .rules.filesystems import find_filesystem_mistakes
from .rules.hierarchy import find_former_name_mistakes
from .rules.node_devices import find_node_device_mistakes
from .rules.placement import find_placement_mistakes, find_reach
from .rules.resource_pools import find_resource_pool_mistakes
from .rules.storage import find_image_mistakes, find_pool_mistakes, find_type_mistakes
from .rules.switches import find_uplink_mistakes
from .rules.volumes import find_volume_mistakes


def find_rule_mistakes(
    elements: Elements, cluster_nodes: Mapping[str, Sequence[str]], in_own_ceph: Container[str]
) -> tuple[list[Mistake], list[Mistake]]:
    """Check what concerns several elements. Returns (mistakes, warnings).

    in_own_ceph: the paths of storage pools whose key is not for the document to give.
    """
    reach = find_reach(
        cluster_nodes,
        _knowing(elements.pools, "cluster", "nodes", "type", "shared"),
        _knowing(elements.vswitches, "cluster", "nodes"),
        _knowing(elements.port_groups, "cluster", "vswitch"),
    )
    # A pool whose directory is not known is in nobody's way.
    pools = tuple(
        element if element.knows("path", "cluster") else element.of(replace(element.spec, nodes=()))
        for element in elements.pools
    )
    mistakes = find_pool_mistakes(pools, in_own_ceph)
    mistakes += find_former_name_mistakes(_knowing(elements.organizations, "name", "former_name"))
    mistakes += find_former_name_mistakes(_knowing(elements.datacenters, "name", "former_name"))
    mistakes += find_former_name_mistakes(_knowing(elements.clusters, "name", "former_name"))
    mistakes += find_type_mistakes(elements.pools, elements.images, elements.instances)
    mistakes += find_image_mistakes(elements.images, elements.instances)
    mistakes += find_container_mistakes(
        _knowing(elements.instances, "type", "cluster", "image", "node"),
        _knowing(elements.images, "cluster", "format"),
        _knowing(elements.pools, "cluster", "type"),
        _knowing(elements.nodes, "cluster", "pextra_containers"),
    )
    mistakes += find_resource_pool_mistakes(
        _knowing(elements.clusters, "name", "resource_pools"),
        _knowing(elements.instances, "cluster", "host_devices"),
        cluster_nodes,
    )
    mistakes += find_node_device_mistakes(_knowing(elements.instances, "cluster", "node", "host_devices", "vsock"))
    mistakes += find_filesystem_mistakes(
        _knowing(elements.instances, "cluster", "node", "filesystems"),
        _knowing(elements.pools, "cluster", "path"),
        _knowing(elements.nodes, "cluster", "pextra_shared_directories"),
    )
    mistakes += find_uplink_mistakes(elements.vswitches, elements.hosts)
    port_groups = _knowing(elements.port_groups, "cluster", "vswitch", "vlan")
    mistakes += find_address_mistakes(elements.instances, port_groups, elements.nodes)
    mistakes += find_placement_mistakes(elements.instances, reach)
    pools = _knowing(elements.pools, "type", "shared")
    mistakes += find_volume_mistakes(elements.volumes, pools, elements.instances, reach)
    found, warnings = find_capacity_mistakes(elements.instances, elements.nodes, elements.hosts, reach)
    return mistakes + found, warnings


def _knowing(elements: Iterable[Declared[Spec]], *keys: str) -> tuple[Declared[Spec], ...]:
    """Return the elements of which these keys are known: others would be judged by what they do not say."""
    return tuple(element for element in elements if element.knows(*keys))


def find_empty_nodes(elements: Elements) -> list[Mistake]:
    """What is on no node may be so on purpose, to take it away from all of them."""
    problem = "is empty, so it is on no node; leave it out if it is to be on all nodes of the cluster"
    declared: list[Declared[Pool] | Declared[Vswitch]] = [*elements.pools, *elements.vswitches]
    return [
        Mistake(f"{element.path}.nodes", problem)
        for element in declared
        if element.spec.state == "present" and element.spec.nodes == () and element.knows("nodes")
    ]
