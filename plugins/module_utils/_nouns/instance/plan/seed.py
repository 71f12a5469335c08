# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cloud-init is told, and the seeds that nobody reads any more. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...._model.names import is_seed_of
from ...._model.plan import Step, step_of
from ..cloud_init import DECLARED, WORDS, UnknownSeedError, digest_of, render_seed
from ..definition import DomainModel, Interface
from ..labels import VolumeLabel
from ..parts import Nic
from ..spec import Vm, complete_new
from ..vendor_data import told
from .acts import WriteSeed
from .context import Context, RefusedError
from .references import find_disk
from .state import Domain, NodeState, named_nics
from .volumes import delete_step


def seed_files(
    want: Vm,
    instance_id: str,
    interfaces: Sequence[Interface],
    volumes: Sequence[VolumeLabel],
    context: Context,
    current: DomainModel | None,
) -> dict[str, str] | None:
    """Return the files of the seed; None if it stays as it is."""
    if (
        current is not None
        and want.nics is None
        and want.cloud_init is None
        and current.labels.seed is not None
        and told(volumes) == told(current.labels.volumes)
    ):
        return None
    if current is None or current.labels.seed is None:
        if current is not None and want.nics is None:
            # It was never told of its NICs: of them its labels know the addresses.
            known = named_nics(current)
            interfaces = [one for _, one in known]
            want = replace(want, nics=tuple(Nic(name=label.name, addresses=label.addresses) for label, _ in known))
        want = complete_new(want)
    before = context.have.seeds.get(current.uuid) if current is not None else None
    macs = [one.mac for one in interfaces]
    try:
        files = render_seed(want, instance_id, macs, volumes, before)
        older = [render_seed(want, instance_id, macs, volumes, before, words=words) for words in WORDS[:-1]]
    except UnknownSeedError as error:
        raise RefusedError(
            "what cloud-init is told is named in part, and the rest of it cannot be read from its seed",
            "Name all of nics, volumes and cloud_init, or bring the seed's storage pool back.",
        ) from error
    if current is None or DECLARED in files or told(volumes):
        return files
    # One that says the same in the words of a version before is no difference.
    return next((one for one in older if current.labels.seed == digest_of(one)), files)


def seed_step(model: DomainModel, seed: Mapping[str, str], context: Context) -> Step:
    disk = next(disk for disk in model.disks if disk.name == "seed")
    pool = context.pools[model.labels.root.pool if model.labels.root else ""]
    return step_of(WriteSeed(pool.name, pool, disk.volume, seed), "write the cloud-init seed")


def stale_seeds(
    want: Vm, instance_id: str, used: Sequence[DomainModel], here: NodeState, context: Context
) -> list[Step]:
    """Plan to delete the seeds that none of `used` has: they hold the hashes of passwords.

    The one that a running guest was started with stays until the first run after its next start.
    """
    names = {disk.volume for model in used if (disk := find_disk("seed", model)) is not None}
    return [
        delete_step(pool, volume, "destroy an old cloud-init seed", context)
        for pool, volumes in sorted(here.volumes.items())
        for volume in sorted(volumes - names)
        if is_seed_of(volume, want.name, instance_id)
    ]


def needs_seed(current: Domain, model: DomainModel, here: NodeState) -> bool:
    disk, root = find_disk("seed", model), model.labels.root
    if disk is None or root is None:
        return False
    is_there = disk.volume in here.volumes.get(root.pool, {disk.volume})
    return current.config.labels.seed != model.labels.seed or not is_there
