# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance uses and takes: claimed and leased while it is worked on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.claims import Room
from ..definition import DomainModel
from ..placement import Size
from .context import Context, keys_of_nics, unit_of
from .state import Domain, NodeState


def room_of(model: DomainModel, size: Size, current: Domain, power: str, there: NodeState) -> Room:
    """Return the room that it takes where it is to be. Until it has restarted it has what it had."""
    memory, vcpus = size.or_more(current.size)
    return Room(there.row.id, memory, power != "stopped" or current.runs, model.labels.anti_affinity, vcpus)


def uses_of(model: DomainModel, nodes: Sequence[str], context: Context) -> tuple[str, ...]:
    """Return what must not be taken away while the instance is being made or changed."""
    keys = [f"cluster {context.cluster.name}", *(f"node {node}" for node in nodes)]
    keys += [f"pool {label.pool}" for label in model.labels.volumes]
    keys += [f"image {model.labels.image}"] if model.labels.image else []
    keys += [key for one in model.labels.cdroms if one.image for key in (f"pool {one.pool}", f"image {one.image}")]
    keys += [key for nic in model.interfaces for key in (f"vswitch {nic.network}", f"port_group {nic.port_group}")]
    return tuple(dict.fromkeys(keys))


def takes_of(model: DomainModel, context: Context, devices: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what the instance alone may have. devices: as `take_devices` returns them."""
    units = [unit_of(context.pools[label.pool], label.unit) for label in model.labels.volumes if label.unit is not None]
    return (*units, *keys_of_nics(model, context), *devices)
