# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lists of volumes have to be fresh before instances are planned. Pure.

libvirt tells what it saw when it last looked at a pool. Looking takes long in a large one, so it is done only where a
decision depends on it: a volume is not found that an instance has, or one is to be made that may be there already, and
would be overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..._model.rows import Row
from ..hierarchy.plan import find_cluster
from .adoption import list_places
from .plan.state import Domain, VmHave
from .spec import Vm


def find_doubtful_pools(wants: Sequence[Vm], have: VmHave) -> dict[str, frozenset[str]]:
    """Return the pools that libvirt has to look at again, by node."""
    domains: dict[tuple[str, str], list[Domain]] = {}
    for found in have.domains.values():
        for domain in found:
            domains.setdefault((domain.config.labels.cluster, domain.config.name), []).append(domain)
    rows = {(row.scope, row.name): row for row in have.hierarchy.members if row.kind == "instance"}
    doubtful: dict[str, set[str]] = {}
    for want in wants:
        cluster = find_cluster(want.cluster, have.hierarchy.clusters)
        if not isinstance(cluster, Row):
            continue
        defined = domains.get((cluster.id, want.name), [])
        for domain in defined:
            doubtful.setdefault(domain.node, set()).update(_doubts_of(want, domain, have))
        if not defined and (cluster.id, want.name) in rows:
            # A run was killed, or the definition was removed by hand. Its volumes may be wherever it may be placed.
            for name, state in have.nodes.items():
                if state.row.scope == cluster.id:
                    doubtful.setdefault(name, set()).update(state.volumes)
    for stranger in have.strangers:
        known = have.nodes[stranger.node].volumes
        for pool, disk in list_places(stranger.xml, have, stranger.node):
            if disk.volume not in known[pool.name]:
                doubtful.setdefault(stranger.node, set()).add(pool.name)
    return {node: frozenset(pools) for node, pools in doubtful.items() if pools}


def _doubts_of(want: Vm, domain: Domain, have: VmHave) -> set[str]:
    state = have.nodes.get(domain.node)
    if state is None:
        return set()
    labels = domain.config.labels.volumes
    disks = {disk.name: disk.volume for disk in domain.config.disks}
    missing = {
        label.pool
        for label in labels
        if label.name in disks and disks[label.name] not in state.volumes.get(label.pool, frozenset())
    }
    known = {label.name for label in labels}
    if want.state == "present" and any(volume.name not in known for volume in want.volumes or ()):
        return set(state.volumes)
    return missing & set(state.volumes)
