# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance refers to, looked up: its pools, image, port groups and organization. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ...._model.names import image_volume
from ...._model.rows import Row
from ...hierarchy.plan import find
from ...image.spec import image_kind
from ...pool.kinds import KINDS, PoolKind, find_name_problem, image_format
from ..definition import Disk, DomainModel
from ..parts import Nic, Root, Volume
from ..spec import Vm
from .context import Context, RefusedError, node_name
from .state import Domain


def find_pinned(reference: str, context: Context) -> str:
    name = node_name(reference, context)
    if name is None:
        raise RefusedError(f'there is no node "{reference}" in cluster {context.cluster.name}')
    return name


def copy_of(image: Row, pool: Row) -> str:
    """Return the name of an image's copy in a pool."""
    return image_volume(image.id, image_format(pool.attributes["type"], image.attributes["format"]))


def pools_of(want: Vm, current: Domain | None) -> list[str]:
    """Return the pools of an instance as it will be."""
    labels = current.config.labels if current is not None else None
    if want.root is not None:
        root = [want.root.pool]
    else:
        root = [labels.root.pool] if labels is not None and labels.root is not None else []
    if want.volumes is not None:
        further = [volume.pool for volume in want.volumes]
    else:
        further = [label.pool for label in labels.volumes if label.name != "root"] if labels is not None else []
    return [*root, *further]


def networks_of(want: Vm, current: Domain | None, context: Context) -> list[tuple[str, str]]:
    """Return (port group, vSwitch) of each NIC of an instance as it will be, but for virtual functions."""
    held = {one.mac: one for one in current.config.interfaces} if current is not None else {}
    if want.nics is None:
        return [(one.port_group, one.network) for one in held.values() if not one.function]
    nics = [nic for nic in want.nics if not nic.sr_iov]
    kept = [None if nic.port_group else held.get(nic.mac or "") for nic in nics]
    return [
        (one.port_group, one.network) if one is not None else (nic.port_group, vswitch_of(nic, context))
        for nic, one in zip(nics, kept, strict=True)
    ]


def find_pool(reference: str, context: Context) -> Row:
    row = context.pools.get(reference)
    if row is None:
        raise RefusedError(f'there is no storage pool "{reference}"', list_known("storage pools", context.pools))
    return row


def kind_of(pool: Row) -> PoolKind:
    return KINDS[pool.attributes["type"]]


def find_root_pool(root: Root, context: Context) -> Row:
    """Return the pool of a root volume, which must be one where volumes can be made, in the way that is wanted."""
    pool = find_pool(root.pool, context)
    if not kind_of(pool).formats:
        raise RefusedError(
            f"storage pool {pool.name} is of type {pool.attributes['type']}, and a root volume cannot be made there",
            "Choose another pool; its units can be further volumes.",
        )
    if root.mode == "overlay" and kind_of(pool).clone is None:
        raise RefusedError(
            f"storage pool {pool.name} is of type {pool.attributes['type']}, where volumes cannot share the blocks of "
            "an image",
            "Leave out mode, or set it to copy.",
        )
    return pool


def find_volume_pool(volume: Volume, context: Context) -> Row:
    """Return the pool of a further volume. Units of targets are named, all others are made."""
    pool = find_pool(volume.pool, context)
    if kind_of(pool).formats and volume.unit is not None:
        raise RefusedError(
            f"its volume {volume.name} names a unit, but storage pool {pool.name} is of type {pool.attributes['type']}",
            "Give size instead of unit; units are of pools of type iscsi.",
        )
    if not kind_of(pool).formats and volume.unit is None:
        raise RefusedError(
            f"its volume {volume.name} cannot be made in storage pool {pool.name}, which is of type "
            f"{pool.attributes['type']}",
            "Give a unit of its target instead of size.",
        )
    return pool


def find_image(reference: str, context: Context, kind: str = "disk") -> Row:
    """Return an image, which must be of a kind: a disk that instances begin from, or an iso for their drives."""
    row = context.images.get(reference)
    if row is None:
        known = {name: one for name, one in context.images.items() if image_kind(one.attributes) == kind}
        raise RefusedError(f'there is no image "{reference}"', list_known("images", known))
    if image_kind(row.attributes) == kind:
        return row
    if kind == "disk":
        raise RefusedError(
            f"image {row.name} is of kind iso, from which no instance begins",
            "Put it into a drive of the instance (cdroms), and choose an image of kind disk, or none.",
        )
    raise RefusedError(
        f"image {row.name} is of kind disk, and cannot be put into a drive", "Choose an image of kind iso."
    )


def find_port_group(nic: Nic, context: Context) -> Row:
    row = context.port_groups.get(nic.port_group)
    if row is None:
        raise RefusedError(f'there is no port group "{nic.port_group}"', list_known("port groups", context.port_groups))
    return row


def vswitch_of(nic: Nic, context: Context) -> str:
    return context.vswitches[find_port_group(nic, context).attributes["vswitch"]]


def list_known(what: str, rows: Mapping[str, Row]) -> str:
    names = sorted({row.name for row in rows.values()})
    return f"There are the {what} {', '.join(names)}." if names else f"There are no {what} yet."


def find_organization(want: Vm, context: Context) -> str:
    organizations = context.have.hierarchy.organizations
    row = find(want.organization, organizations) if want.organization else context.have.hierarchy.root
    if row is None:
        named = f' "{want.organization}"' if want.organization else " yet"
        raise RefusedError(f"there is no organization{named}")
    return row.id


def checked_name(volume: str, pool: Row) -> str:
    """Return a volume's name, which the pool must be able to hold."""
    problem = find_name_problem(pool.attributes["type"], pool.name, volume)
    if problem is not None:
        raise RefusedError(
            f"its volume in storage pool {pool.name} cannot be named {volume}: {problem}",
            "Choose another name for the instance or the volume.",
        )
    return volume


def image_name(want: Vm, context: Context) -> str | None:
    return find_image(want.image, context).name if want.image else None


def image_size_mib(want: Vm, context: Context) -> int:
    if want.image is None:
        raise RefusedError("the root volume needs a size, since there is no image")
    return -(-int(find_image(want.image, context).attributes["virtual_size"]) // 1024**2)


def names_of_pools(model: DomainModel) -> frozenset[str]:
    return frozenset(label.name for label in model.labels.volumes)


def path_of(serial: str) -> str:
    """Return where a disk stands in what is declared."""
    return "root" if serial == "root" else f"volumes.{serial}"


def find_disk(serial: str, model: DomainModel) -> Disk | None:
    return next((disk for disk in model.disks if disk.name == serial), None)
