# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what nodes have of images, in bulk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..._cloud import Cloud
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._model.errors import BusyError, HypervisorError, PextraError, Problem
from ..._model.rows import Row
from ..pool.identity import uuid_on
from ..pool.kinds import KINDS, volume_place
from ..pool.looking import look_again
from .plan.state import Site, User
from .versions import Version

_READ_TIMEOUT_S = 10.0


class SeenNode:
    """What one node has to do with images. Volumes and reasons are by pool id."""

    def __init__(self) -> None:
        self.volumes: dict[str, frozenset[str]] = {}
        self.unusable: dict[str, str] = {}
        self.doubts: dict[str, Problem] = {}
        self.labels: Mapping[str, str] = {}
        self.users: list[tuple[str, User]] = []


def look_at_node(cloud: Cloud, name: str, pools: Sequence[Row], losing: Sequence[Version]) -> SeenNode:
    hypervisor = cloud.hypervisor(name)
    seen = SeenNode()
    overlays: list[tuple[str, User]] = []
    active = {pool.uuid: pool.active for pool in hypervisor.pools()}
    seen.labels = cloud.labels(name).read()
    for pool in pools:
        state = active.get(uuid_on(pool, seen.labels))
        if not state:
            how = "stopped" if state is False else "not defined"
            seen.unusable[pool.id] = f"storage pool {pool.name} is {how} there"
            continue
        # A file that was deleted by hand is known to libvirt until it looks again.
        try:
            look_again(hypervisor, pool.name, f"pool {pool.name}", _READ_TIMEOUT_S)
        except BusyError as error:
            seen.doubts[pool.id] = error.problems[0]
        except HypervisorError as error:
            seen.unusable[pool.id] = error.problems[0].what
            continue
        # What lies in a pool that cannot be read stays there, and keeps nobody from the others.
        try:
            seen.volumes[pool.id] = frozenset(hypervisor.volume_names(pool.name))
            overlays += _find_overlays(hypervisor, name, pool, losing)
        except HypervisorError as error:
            seen.volumes.pop(pool.id, None)
            seen.unusable[pool.id] = error.problems[0].what
    if losing:
        seen.users = [*_find_instances(hypervisor, name, pools, losing), *overlays]
    return seen


def _find_instances(
    hypervisor: Hypervisor, node: str, pools: Sequence[Row], versions: Sequence[Version]
) -> list[tuple[str, User]]:
    """A running instance's disks name the copies under them; identifiers are unique, so text tells."""
    found = []
    for domain in hypervisor.domains():
        text = domain.config + (domain.live or "")
        for version in versions:
            if version.id in text:
                places = {
                    pool.id: volume_place(pool.attributes["type"], pool.name, pool.attributes, "") for pool in pools
                }
                lies_in = frozenset(pool_id for pool_id, place in places.items() if place in text)
                found.append((version.id, User("instance", domain.name, node, pools=lies_in)))
    return found


def _find_overlays(hypervisor: Hypervisor, node: str, pool: Row, versions: Sequence[Version]) -> list[tuple[str, User]]:
    """A volume whose backing file is a copy would be unreadable without it."""
    if not versions or KINDS[pool.attributes["type"]].disk != "file":  # others have no backing files
        return []
    found = []
    copies = {version.volume_in(pool): version for version in versions}
    for volume, backing in sorted(hypervisor.backing_paths(pool.name).items()):
        version = copies.get(os.path.basename(backing))
        if version is not None:
            found.append((version.id, User("volume", volume, node, pool.name, frozenset({pool.id}))))
    return found


def find_clones(
    cloud: Cloud, versions: Sequence[Version], sites: Sequence[Site], seen: Mapping[str, SeenNode]
) -> list[tuple[str, User]]:
    """A clone within Ceph would be unreadable without what it hangs on, and only Ceph knows of it."""
    found = []
    for site in sites:
        if KINDS[site.pool.attributes["type"]].clone != "ceph":
            continue
        there = {name for node in seen.values() for name in node.volumes.get(site.pool.id, ())}
        node = next((node.name for node in site.through), "Ceph")
        for version in versions:
            volume = version.volume_in(site.pool)
            if volume not in there:
                continue
            try:
                clones = cloud.ceph_pool(site.pool).children(volume)
            except PextraError as error:
                # Nobody can tell who needs it, so it stays.
                for node_seen in seen.values():
                    if node_seen.volumes.pop(site.pool.id, None) is not None:
                        node_seen.unusable[site.pool.id] = error.problems[0].what
                break
            pools = frozenset({site.pool.id})
            found += [(version.id, User("volume", clone, node, site.pool.name, pools)) for clone in clones]
    return found
