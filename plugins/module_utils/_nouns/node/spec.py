# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node: a host that runs instances."""

from __future__ import annotations

from dataclasses import dataclass

from ..._fields.addresses import canonical_address
from ..._fields.checks import check_inventory_name, check_node_address
from ..._fields.common import CLUSTER, DESCRIPTION, STATE
from ..._fields.field import Field
from ..instance.architectures import ARCHITECTURES
from ..pool.path import check_shared_directory

FIELDS = {
    "name": Field(
        kind="str", required=True, check=check_inventory_name, help="The name of the node, as in the inventory."
    ),
    "address": Field(
        kind="str",
        check=check_node_address,
        help="The management address. It must not change after the node has joined.",
    ),
    "migration_address": Field(
        kind="str",
        check=check_node_address,
        help="The address to which running instances move. The management address unless given. Of a cluster all nodes "
        "have one, in one network, or none.",
    ),
    "cluster": CLUSTER,
    "description": DESCRIPTION,
    "virt_type": Field(
        kind="str",
        choices=("kvm", "qemu"),
        help="How the node runs virtual machines: V(kvm) in hardware, V(qemu) in software.",
    ),
    "containers": Field(
        kind="bool",
        help="Whether containers can be there: instances of the type V(lxc), for which libvirt has a driver of its "
        "own. Not so unless given.",
    ),
    "architectures": Field(
        kind="list",
        element=Field(kind="str", choices=tuple(ARCHITECTURES), help="An architecture."),
        unique=True,
        help="The architectures that the node emulates beside its own, in software and slowly, for instances that "
        "declare one of them (C(architecture)). It needs QEMU for them. None unless given.",
    ),
    "shared_directories": Field(
        kind="list",
        element=Field(kind="str", check=check_shared_directory, help="The path of a directory."),
        unique=True,
        help="Directories of the host that instances may mount and write to (C(filesystems) of an instance), and no "
        "others. They have to be there. None unless given.",
    ),
    "memory_reserved": Field(
        kind="size",
        help="Memory kept for the host itself, which instances may not take. An eighth of its memory, at most 8 GiB, "
        "unless given. A host that runs OSDs of Ceph needs 4 GiB more for each.",
    ),
    "state": STATE,
}


def default_reserved(memory: int) -> int:
    """Return what a host with so much memory keeps for itself unless it says; both are MiB.

    8 GiB are what the host's own services need; a small host keeps its share instead, or it could run nothing.
    """
    return min(8 * 1024, memory // 8)


@dataclass(frozen=True, kw_only=True)
class Node:
    """Addresses are in their canonical form. memory_reserved is in MiB."""

    name: str
    address: str | None = None
    migration_address: str | None = None
    cluster: str | None = None
    description: str | None = None
    virt_type: str | None = None
    containers: bool | None = None
    architectures: tuple[str, ...] | None = None
    shared_directories: tuple[str, ...] | None = None
    memory_reserved: int | None = None
    state: str = "present"

    def __post_init__(self) -> None:
        for key in ("address", "migration_address"):
            given = getattr(self, key)
            if given is not None:
                object.__setattr__(self, key, canonical_address(given))
