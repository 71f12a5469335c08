# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of the deployment document: the hosts of the inventory group pextra_nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._fields.checks import check_address, check_inventory_name, check_node_address
from .._fields.field import Field
from .._fields.plain import Unreadable
from .._model.mistake import Mistake, shown, suggest
from .._nouns.drive.spec import parse_disk_sets
from .._nouns.node.spec import Node
from .elements import (
    Declared,
    Host,
    find_unknown,
    read_value,
)
from .variables import HOST

GROUP = "pextra_nodes"
_READ_AS = {"pextra_address": Field(kind="str", help=""), "pextra_disks": Field(kind="list", help="")}
COORDINATORS = "pextra_coordinators"


@dataclass(frozen=True, kw_only=True)
class InventoryHost:
    """One host of the inventory.

    variables: its pextra_ variables, templated and plain. memory_mib, default_interface: from facts, if there are any.
    """

    name: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    ansible_host: Any = None
    memory_mib: int | None = None
    default_interface: str | None = None


def host_path(name: str, variable: str) -> str:
    return f"{GROUP} ({shown(name)[1:-1]}).{variable}"


def read_hosts(
    inventory: Sequence[InventoryHost], default_cluster: str | None, *, is_judged: bool = True
) -> tuple[tuple[Declared[Node], ...], dict[str, Host], list[Mistake]]:
    """Return (nodes, hosts by name, mistakes). default_cluster: the one that need not be named, if there is one.

    is_judged: whether a node without a cluster is a mistake; it is not where the clusters themselves could not be read.
    """
    nodes: list[Declared[Node]] = []
    hosts: dict[str, Host] = {}
    mistakes: list[Mistake] = []
    if not inventory:
        mistakes.append(Mistake(GROUP, "the inventory group has no hosts; each of its hosts becomes a node"))
    for host in inventory:
        path = f"{GROUP} ({shown(host.name)[1:-1]})"
        values, found = _read_variables(host)
        problem = check_inventory_name(host.name)
        if problem:
            found.append(Mistake(path, problem))
        address, address_mistakes = _read_address(host, values["pextra_address"])
        found += address_mistakes
        cluster = values["pextra_cluster"] or default_cluster
        if cluster is None and is_judged and host.variables.get("pextra_cluster") is None:
            found.append(Mistake(host_path(host.name, "pextra_cluster"), "is missing; there are several clusters"))
        # Read above as a list; its elements belong together, and are read here.
        disks, disk_mistakes = parse_disk_sets(values["pextra_disks"], host_path(host.name, "pextra_disks"))
        found += disk_mistakes
        mistakes += found
        unknown = find_unknown(found, path)
        interface = values["pextra_management_interface"]
        hosts[host.name] = Host(
            memory_mib=values["pextra_memory"] or (None if "pextra_memory" in unknown else host.memory_mib),
            management_interface=interface or host.default_interface,
            osds=() if "pextra_ceph_osds" in unknown else values["pextra_ceph_osds"] or (),
            disks=disks,
        )
        spec = Node(
            name=host.name,
            address=address,
            migration_address=values["pextra_migration_address"] or address,
            cluster=cluster,
            description=values["pextra_node_description"],
            virt_type=values["pextra_virt_type"],
            containers=bool(values["pextra_containers"]),
            architectures=values["pextra_architectures"] or (),
            shared_directories=values["pextra_shared_directories"] or (),
            memory_reserved=values["pextra_memory_reserved"],
        )
        nodes.append(Declared(path, spec, unknown))
    return tuple(nodes), hosts, mistakes + _find_shared_addresses(nodes)


def find_coordinator_mistakes(
    coordinators: Sequence[str], nodes: Sequence[str], registry_url: object = None
) -> list[Mistake]:
    """The registry needs a coordinator, and a coordinator is a node.

    registry_url: None for a file of the first coordinator. Two coordinators are for a registry that both reach.
    """
    if not coordinators:
        return [Mistake(COORDINATORS, f"the inventory group has no hosts; put one host of {GROUP} into it, or three")]
    mistakes = []
    has_file = registry_url is None or (isinstance(registry_url, str) and registry_url.startswith("sqlite:"))
    if len(coordinators) == 2 and has_file:
        problem = "has two hosts, and no registry that they have in common; put one or three into it, or set"
        mistakes.append(Mistake(COORDINATORS, f"{problem} pextra_registry_url to a PostgreSQL database"))
    return mistakes + [
        Mistake(
            f"{COORDINATORS} ({shown(name)[1:-1]})",
            f"is not in the inventory group {GROUP}; every coordinator is a node.{suggest(name, nodes)}",
        )
        for name in coordinators
        if name not in nodes
    ]


def _read_variables(host: InventoryHost) -> tuple[dict[str, Any], list[Mistake]]:
    values: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, table_field in HOST.items():
        # The address may come from elsewhere, and is then checked all the same; disks are parsed set by set.
        field_of_name = _READ_AS.get(name, table_field)
        values[name], found = read_value(field_of_name, host.variables.get(name), host_path(host.name, name))
        mistakes += found
    return values, mistakes


def _read_address(host: InventoryHost, given: str | None) -> tuple[str | None, list[Mistake]]:
    if host.variables.get("pextra_address") is not None and given is None:
        return None, []
    if given is None and isinstance(host.ansible_host, Unreadable):
        return None, [Mistake(host_path(host.name, "ansible_host"), host.ansible_host.problem)]
    address = given or host.ansible_host or host.name
    path = host_path(host.name, "pextra_address" if given or not host.ansible_host else "ansible_host")
    if not isinstance(address, str) or (given is None and check_address(address)):
        problem = f"is missing; write the management address, as {shown(address)} is a name and not an IP address"
        return None, [Mistake(host_path(host.name, "pextra_address"), problem)]
    problem_found = check_node_address(address)
    return (None, [Mistake(path, problem_found)]) if problem_found else (address, [])


def _find_shared_addresses(nodes: Sequence[Declared[Node]]) -> list[Mistake]:
    """An address is one node's, whatever it is for; and where some nodes of a cluster have one for moves, all have."""
    first: dict[str, str] = {}
    mistakes = []
    for node in nodes:
        for key, address in {"address": node.spec.address, "migration_address": node.spec.migration_address}.items():
            if key == "migration_address" and address == node.spec.address:
                continue
            other = first.setdefault(address, node.spec.name) if address is not None else node.spec.name
            if other != node.spec.name:
                mistakes.append(Mistake(f"{node.path}.pextra_{key}", f"{address} is the address of {other} too"))
    having = {node.spec.cluster: node for node in nodes if node.spec.migration_address != node.spec.address}
    for node in nodes:
        with_one = having.get(node.spec.cluster)
        if with_one is None or not node.knows("pextra_migration_address"):
            continue
        path, theirs = f"{node.path}.pextra_migration_address", with_one.spec.migration_address or ""
        mine = node.spec.migration_address
        if mine is None or mine == node.spec.address:
            problem = (
                f"is missing, and {with_one.spec.name} of the same cluster has {theirs}; write one for each, or none"
            )
            mistakes.append(Mistake(path, problem))
        elif (":" in mine) != (":" in theirs):
            problem = (
                f"{mine} is of another family than {theirs} of {with_one.spec.name}; they have to reach each other"
            )
            mistakes.append(Mistake(path, problem))
    return mistakes
