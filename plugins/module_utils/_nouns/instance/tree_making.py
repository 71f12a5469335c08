# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root volumes of containers: directories, which helpers fill and empty, each a container itself."""

from __future__ import annotations

from collections.abc import Iterator

from ..._cloud import Cloud
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._model.errors import HypervisorError, Problem
from ..._model.names import instance_in
from .definition_container import COMPLETE, LEFT, render_emptier, render_filler, render_tree
from .plan.acts import CreateVolume, DeleteTree

# A helper is seen to end by what libvirt says and by the permissions of its volume; these bounds are for one that does
# not get on, on a disk that hangs. A disk that seeks makes a hundred small files in a second. Those of a Debian have 30
# KiB on average, and a third of that in an image that is compressed, so such a disk takes 1 MiB of an image in a
# second: half of that is waited for. What a small image takes is libvirt's start of a container, which on a busy node
# is as slow as that of a virtual machine.
_UNPACK_FLOOR_S = 300.0
_SLOWEST_BYTES_PER_S = 512 * 1024
# How many files a container has made nobody knows. A disk that seeks deletes some hundred thousand within this, and
# what is deleted by then is not deleted again: the next run goes on.
_EMPTY_LIMIT_S = 900.0


def unpack_tree(cloud: Cloud, node: str, act: CreateVolume, label: str) -> Iterator[float]:
    """Unpack an image into a new directory. The helper closes it when all of it is there: that tells how it ended.

    Returns an iterator of pauses, in seconds.
    """
    hypervisor = cloud.hypervisor(node)
    hypervisor.create_volume(act.pool, render_tree(act.volume), label)
    path = hypervisor.volume_path(act.pool, act.volume)
    image = hypervisor.volume_path(act.pool, act.image_volume)
    instance_id = instance_in(act.volume) or ""
    helper = render_filler(act.volume.partition(f".{instance_id}.")[0], instance_id, path, image)
    yield from _run_helper(hypervisor, act.pool, act.volume, helper, unpack_limit_s(act.image_size), label)
    if hypervisor.permissions_of_volume(act.pool, act.volume, label).mode != COMPLETE:
        remedy = f"On {node}: cat {path}/log says why. Mend the image, or make room, and run again."
        raise HypervisorError([Problem("its image could not be unpacked", remedy, node, label)])


def delete_tree(cloud: Cloud, node: str, act: DeleteTree, label: str) -> Iterator[float]:
    """Delete the root volume of a container: emptied by its own root first; gone already is fine."""
    hypervisor = cloud.hypervisor(node)
    hypervisor.refresh_pool(act.pool)
    if act.volume in hypervisor.volume_names(act.pool):
        path = hypervisor.volume_path(act.pool, act.volume)
        helper = render_emptier(instance_in(act.volume) or "", path)
        yield from _run_helper(hypervisor, act.pool, act.volume, helper, _EMPTY_LIMIT_S, label)
        hypervisor.delete_volume(act.pool, act.volume, label)


def unpack_limit_s(image_bytes: int) -> float:
    """Return how long the files of an image of this size may take to be unpacked."""
    return _UNPACK_FLOOR_S + image_bytes / _SLOWEST_BYTES_PER_S


def _run_helper(
    hypervisor: Hypervisor, pool: str, volume: str, helper: str, limit_s: float, label: str
) -> Iterator[float]:
    """Run a helper, which leaves its volume with other permissions however it ends.

    An earlier helper may have left the volume with the same ones, but not since.
    """
    before = hypervisor.permissions_of_volume(pool, volume, label)

    def has_ended() -> bool:
        now = hypervisor.permissions_of_volume(pool, volume, label)
        return now != before and now.mode in (COMPLETE, LEFT)

    yield from hypervisor.run_container(helper, limit_s, label, has_ended)
