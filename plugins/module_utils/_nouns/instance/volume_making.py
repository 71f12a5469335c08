# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of instances: which there are, and making them, each in the way of its pool's type."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..._cloud import Cloud
from ..._doors.host.blocks import drop_zeros, gather
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._model.errors import HypervisorError, PextraError
from ..._model.rows import Row
from ..pool.blocks import create_raw, require_way, write_blocks
from ..pool.kinds import KINDS
from ..pool.looking import look_again
from ..volume.definition import render_volume
from .doubts import find_doubtful_pools
from .plan.acts import CreateVolume
from .plan.state import NodeState, VmHave
from .spec import Vm
from .tree_making import unpack_tree

_MIB = 1024**2
_LOOK_TIMEOUT_S = 60.0


def read_names(hypervisor: Hypervisor, pool: str, pool_type: str) -> tuple[frozenset[str], Mapping[str, int]]:
    """Return the volumes that libvirt knows in a pool, and their sizes in bytes where it cannot change them."""
    kind = KINDS[pool_type]
    if kind.formats and not kind.grows:
        sizes = hypervisor.volume_sizes(pool)
        return frozenset(sizes), sizes
    return frozenset(hypervisor.volume_names(pool)), {}


def look_again_where_doubtful(cloud: Cloud, wants: Sequence[Vm], have: VmHave) -> VmHave:
    """Let libvirt look again where a decision depends on what is in a pool."""
    doubtful = find_doubtful_pools(wants, have)

    def look(node: str) -> NodeState:
        hypervisor, state = cloud.hypervisor(node), have.nodes[node]
        volumes, sizes = dict(state.volumes), dict(state.sizes)
        pool_types = {row.name: row.attributes["type"] for row in have.rows("pool", state.row.scope)}
        for pool in sorted(doubtful[node]):
            try:
                look_again(hypervisor, pool, f"pool {pool}", _LOOK_TIMEOUT_S)
                volumes[pool], found = read_names(hypervisor, pool, pool_types[pool])
            except HypervisorError:
                # Nobody can tell what is in it: as if it were off.
                volumes.pop(pool, None)
                sizes.pop(pool, None)
            else:
                sizes |= {pool: found} if found else {}
        return replace(state, volumes=volumes, sizes=sizes)

    nodes = {**have.nodes, **cloud.on_each(doubtful, look)}
    return replace(have, nodes=nodes) if doubtful else have


def make_volume(cloud: Cloud, node: str, act: CreateVolume, label: str) -> Iterator[float] | None:
    """Make a volume that is not there. Returns an iterator of pauses, in seconds, for what has to be waited for."""
    kind = KINDS[act.type]
    if act.mode == "unpack":
        return unpack_tree(cloud, node, act, label)
    if act.mode == "empty":
        _create(cloud, node, act, label)
    elif act.mode == "overlay" and kind.clone == "file":
        hypervisor = cloud.hypervisor(node)
        xml = render_volume(
            act.volume,
            act.size * _MIB,
            act.format,
            backing_path=hypervisor.volume_path(act.pool, act.image_volume),
            backing_format=act.image_format,
        )
        hypervisor.create_volume(act.pool, xml, label)
    elif act.mode == "copy" and kind.copy == "coordinator":
        _create(cloud, node, act, label)
        _copy_through_here(cloud, node, act, label)
    else:
        # On Ceph libvirt clones what it is asked to copy.
        _clone(cloud, node, act, label)
        if act.mode == "copy" and kind.copy == "ceph":
            cloud.ceph_pool(act.pool_row).flatten(act.volume)
    return None


def write_small_volume(cloud: Cloud, node: str, pool: Row, volume: str, content: bytes, label: str) -> None:
    """Make a raw volume that holds `content`, instead of what is there."""
    hypervisor, kind = cloud.hypervisor(node), KINDS[pool.attributes["type"]]
    size = len(content) if kind.disk == "file" else -(-len(content) // _MIB) * _MIB
    require_way(cloud, pool)
    hypervisor.delete_volume(pool.name, volume, label)
    create_raw(cloud, node, pool, volume, size, label, is_thin=kind.is_thin)
    if kind.disk == "file":
        hypervisor.upload_volume(pool.name, volume, io.BytesIO(content).read, len(content), label)
    else:
        write_blocks(cloud, node, pool, volume, drop_zeros(gather([content])), size, label)


def _create(cloud: Cloud, node: str, act: CreateVolume, label: str) -> None:
    xml = render_volume(act.volume, act.size * _MIB, act.format, is_thin=KINDS[act.type].is_thin)
    cloud.hypervisor(node).create_volume(act.pool, xml, label)


def _clone(cloud: Cloud, node: str, act: CreateVolume, label: str) -> None:
    hypervisor, size = cloud.hypervisor(node), act.size * _MIB
    xml = render_volume(act.volume, size, act.format, is_thin=KINDS[act.type].is_thin)
    hypervisor.clone_volume(act.pool, xml, act.pool, act.image_volume, label)
    if hypervisor.volume_size(act.pool, act.volume) < size:
        hypervisor.grow_volume(act.pool, act.volume, size, label)


def _copy_through_here(cloud: Cloud, node: str, act: CreateVolume, label: str) -> None:
    hypervisor = cloud.hypervisor(node)
    chunks = hypervisor.read_volume(act.pool, act.image_volume, act.image_size, label)
    blocks = drop_zeros(gather(chunks))
    try:
        hypervisor.fill_volume(act.pool, act.volume, blocks, act.image_size, label, is_blank=KINDS[act.type].is_blank)
    except PextraError:
        with contextlib.suppress(PextraError):
            hypervisor.delete_volume(act.pool, act.volume, label)
        raise
