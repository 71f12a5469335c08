# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cluster: nodes that share storage pools, networks and instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..._fields.checks import check_mdev, check_mdev_type, check_name, check_pci, check_pci_model
from ..._fields.common import (
    DESCRIPTION,
    FORMER_NAME,
    NAME,
    STATE,
)
from ..._fields.field import Field, element_path, join
from ..._model.mistake import Mistake

MEMBER = {
    "node": Field(kind="str", required=True, help="The node that it is in, by name or identifier."),
    "pci": Field(kind="str", check=check_pci, help="The address of a PCI device, such as V(0000:65:00.0)."),
    "mdev": Field(kind="str", check=check_mdev, help="The UUID of a mediated device."),
}
RESOURCE_POOL = {
    "name": Field(kind="str", required=True, check=check_name, help="The name by which instances ask for a device."),
    "pci_model": Field(
        kind="str",
        check=check_pci_model,
        help="The vendor and the product of PCI devices, such as V(10de:2204): those of all nodes are in it.",
    ),
    "mdev_type": Field(
        kind="str",
        check=check_mdev_type,
        help="The type of mediated devices, such as V(nvidia-63): those of all nodes that are active are in it.",
    ),
    "numa": Field(
        kind="int",
        minimum=0,
        maximum=1023,
        help="Of the PCI devices of that model only those at this NUMA node of their host.",
    ),
    "devices": Field(
        kind="list",
        element=Field(kind="dict", table=MEMBER, help="A device."),
        help="Devices that are in it by name.",
    ),
    "memory": Field(kind="size", minimum=1, help="How much memory each of them has, for people: hosts do not tell."),
}
FIELDS = {
    "name": NAME,
    "former_name": FORMER_NAME,
    "description": DESCRIPTION,
    "datacenter": Field(
        kind="str", help="The datacenter it stands in, by name or identifier. With a single one it need not be given."
    ),
    "vcpus_per_thread": Field(
        kind="float",
        create=4.0,
        minimum=0.1,
        maximum=100,
        help="How many virtual CPUs may run on a node for each of its threads. It may be a fraction, such as 1.5. "
        "What would take a node beyond this is refused: an instance that is made, started, grows or moves there. What "
        "runs already goes on.",
    ),
    "vcpus_per_thread_warn": Field(
        kind="float",
        create=3.0,
        minimum=0.1,
        maximum=100,
        help="How many virtual CPUs may run on a node for each of its threads without a warning. At most "
        "O(vcpus_per_thread).",
    ),
    "resource_pools": Field(
        kind="list",
        element=Field(kind="dict", table=RESOURCE_POOL, help="A resource pool."),
        create=(),
        help="Devices of its nodes that do the same, whichever of them an instance gets, by its "
        "C(host_devices). The list is all of them. What instances have of a pool that goes, they keep.",
    ),
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    name: str
    former_name: str | None = None
    description: str | None = None
    datacenter: str | None = None
    vcpus_per_thread: float | None = None
    vcpus_per_thread_warn: float | None = None
    resource_pools: tuple[Mapping[str, Any], ...] | None = None
    state: str = "present"


class Ratios(NamedTuple):
    """How many virtual CPUs a node may run for each of its threads: at most, and without a warning."""

    vcpus_per_thread: float
    vcpus_per_thread_warn: float


def ratios_of(attributes: Mapping[str, Any]) -> Ratios:
    """Return the ratios of a cluster. What it does not say, as one that an older version registered, is a new one's."""
    return Ratios(*(float(attributes.get(key) or FIELDS[key].made) for key in Ratios._fields))


def complete_cluster(cluster: Cluster, registered: Mapping[str, Any]) -> Cluster:
    """Return what a call makes of a cluster: ratios that it does not name are as registered, or a new one's."""
    named = {key: value for key in Ratios._fields if (value := getattr(cluster, key)) is not None}
    return replace(cluster, **ratios_of({**registered, **named})._asdict())


def find_mistakes_within(cluster: Cluster, path: str) -> list[Mistake]:
    """Check what no single field can tell: a warning comes before the refusal, and resource pools hold something."""
    mistakes, names = [], set()
    for index, pool in enumerate(cluster.resource_pools or ()):
        here = element_path(join(path, "resource_pools"), index, pool)
        if pool["name"] in names:
            mistakes.append(Mistake(f"{here}.name", f'"{pool["name"]}" is the name of another of them'))
        names.add(pool["name"])
        if pool["pci_model"] is not None and pool["mdev_type"] is not None:
            mistakes.append(Mistake(f"{here}.mdev_type", "stands beside pci_model; make a pool of each"))
        if pool["pci_model"] is None and pool["mdev_type"] is None and not pool["devices"]:
            mistakes.append(Mistake(here, "holds nothing; write pci_model, mdev_type or devices"))
        if pool["numa"] is not None and pool["pci_model"] is None:
            mistakes.append(Mistake(f"{here}.numa", "is of the devices of a model; write pci_model, or leave it out"))
        for number, one in enumerate(pool["devices"] or ()):
            if (one["pci"] is None) is (one["mdev"] is None):
                mistakes.append(Mistake(f"{here}.devices[{number}]", "is one device; write either pci or mdev"))
    most, warn = cluster.vcpus_per_thread, cluster.vcpus_per_thread_warn
    if most is not None and warn is not None and warn > most:
        problem = f"{warn:g} is more than vcpus_per_thread, which is {most:g}; write {most:g} or less"
        mistakes.append(Mistake(join(path, "vcpus_per_thread_warn"), problem))
    return mistakes


def pools_to_register(pools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return resource pools as they are registered: what is not said is left out."""
    return [
        {key: _said(value) for key, value in pool.items() if value not in (None, ())}
        for pool in sorted(pools, key=lambda pool: str(pool["name"]))
    ]


def _said(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return [{key: one for key, one in member.items() if one is not None} for member in value]
