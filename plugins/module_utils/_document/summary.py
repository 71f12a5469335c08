# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a document declares, counted, on less than one screen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._model.nouns import NOUNS
from .._model.sizes import show_size

if TYPE_CHECKING:
    from .document import Deployment
    from .elements import Elements

# What is told on one line, by the kinds of resource.
_LINES = (
    ("organization", "datacenter", "cluster", "node"),
    ("vswitch", "port_group"),
    ("pool", "image", "volume"),
)
# More storage pools than these are no longer one screen.
_POOLS = 12
_NOUNS = {noun.kind: noun for noun in NOUNS}


def summarize(elements: Elements) -> dict[str, Any]:
    """Count what is to be present, and what it asks for."""
    instances = [element.spec for element in elements.instances if element.spec.state == "present"]
    lists: dict[str, Sequence[Any]] = {
        "organizations": elements.organizations,
        "datacenters": elements.datacenters,
        "clusters": elements.clusters,
        "nodes": elements.nodes,
        "pools": elements.pools,
        "vswitches": elements.vswitches,
        "port_groups": elements.port_groups,
        "images": elements.images,
        "volumes": elements.volumes,
    }
    running = [spec for spec in instances if spec.power == "running"]
    return {
        **{name: sum(element.spec.state == "present" for element in found) for name, found in lists.items()},
        "instances": len(instances),
        "instances_running": len(running),
        "vcpus_running": sum(spec.vcpus or 0 for spec in running),
        "memory_running_mib": sum(spec.memory or 0 for spec in running),
        "storage": _sum_storage(elements),
    }


def _sum_storage(elements: Elements) -> list[dict[str, Any]]:
    """Return how much is asked of each storage pool, and how many volumes are as large as what they begin from."""
    sizes: dict[tuple[str, str], list[int | None]] = defaultdict(list)
    for element in elements.instances:
        if element.spec.state != "present":
            continue
        for disk in (element.spec.root, *(element.spec.volumes or ())):
            if disk is not None and disk.pool:
                sizes[element.spec.cluster or "", disk.pool].append(disk.size)
    for volume in elements.volumes:
        if volume.spec.state == "present" and volume.spec.pool:
            sizes[volume.spec.cluster or "", volume.spec.pool].append(volume.spec.size)
    return [
        {
            "cluster": cluster,
            "pool": pool,
            "asked_mib": sum(size for size in found if size is not None),
            "without_size": found.count(None),
        }
        for (cluster, pool), found in sorted(sizes.items())
    ]


def render_summary(deployment: Deployment) -> list[str]:
    """Return lines for people: that there are no mistakes, how many of each kind there are, and what they ask for."""
    count = deployment.summary
    name = deployment.document["deployment_name"]
    lines = [f"The deployment {name} has no mistakes. No host was contacted."]
    for kinds in _LINES:
        told = [text for kind in kinds if (text := _count(kind, count[_NOUNS[kind].many]))]
        lines += [f"  {', '.join(told)}"] if told else []
    lines += [f"  {text}" for text in _tell_instances(count)]
    lines += [f"  {text}" for text in _tell_storage(count)]
    return lines


def _count(kind: str, number: int) -> str:
    """Return `2 port groups`, or nothing of none."""
    word = _NOUNS[kind].words.partition(" ")[2]
    plural = f"{word}es" if word.endswith("ch") else f"{word}s"
    return f"{number} {word if number == 1 else plural}" if number else ""


def _tell_instances(count: Mapping[str, Any]) -> list[str]:
    if not count["instances"]:
        return ["no instances"]
    vcpus, memory = count["vcpus_running"], show_size(count["memory_running_mib"])
    return [
        f"{_count('instance', count['instances'])}, {count['instances_running']} of them to run, "
        f"with {vcpus} {'virtual CPU' if vcpus == 1 else 'virtual CPUs'} and {memory} of memory"
    ]


def _tell_storage(count: Mapping[str, Any]) -> list[str]:
    lines = []
    for one in count["storage"]:
        open_ones = one["without_size"]
        asked = [f"{show_size(one['asked_mib'])} asked for"] if one["asked_mib"] else []
        if open_ones:
            asked.append(f"{open_ones} {'volume' if open_ones == 1 else 'volumes'} of no stated size")
        place = f" of {one['cluster']}" if count["clusters"] > 1 else ""
        lines.append(f"storage pool {one['pool']}{place}: {', and '.join(asked)}")
    return lines if len(lines) <= _POOLS else [*lines[:_POOLS], f"and {len(lines) - _POOLS} more storage pools"]
