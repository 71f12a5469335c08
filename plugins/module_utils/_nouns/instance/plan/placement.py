# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node an instance goes to, and what keeps it from one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...._model.errors import Problem
from ...._model.names import is_of_instance
from ...._model.rows import Row
from ...image.plan.state import site_key
from ..abilities import find_lacking, needs_of
from ..architectures import USUAL
from ..definition import DomainModel
from ..placement import NOTHING, Size, choose_node
from ..spec import Vm
from ..walk import list_needs
from .cdroms import cdroms_of, lacking_media
from .choosing import find_unchosen
from .context import Context, FailedError, RefusedError, is_to_run, node_name, registered_size
from .host_devices import devices_wanted, find_taken, list_wishes
from .references import (
    copy_of,
    find_image,
    find_pinned,
    find_pool,
    find_root_pool,
    find_volume_pool,
    names_of_pools,
    networks_of,
    pools_of,
)
from .room import find_lacks, remedy_for, require_room
from .state import Domain, NodeState


def choose_home(want: Vm, row: Row | None, context: Context, *, may_emulate: bool) -> str:
    """Return the node for an instance that is defined nowhere. A killed run's choice stands. may_emulate: whether its
    node may be of another architecture; nodes of its own are taken first.
    """
    home = chosen = node_name(row.attributes.get("node"), context) if row else None
    size = Size(want.memory or 0, want.vcpus or 0)
    needed = size if want.power != "stopped" else NOTHING
    if want.node is not None:
        chosen = find_pinned(want.node, context)
    if chosen is not None and chosen in context.have.down:
        raise FailedError(context.have.down[chosen])
    if row is not None and chosen is not None and chosen == home:
        # What a killed run was about to start has its room.
        require_room(home, registered_size(row) if is_to_run(row) else NOTHING, needed, context)
    if row is not None:
        context.reserve(row, -1)
    if chosen is not None:
        if chosen != home:
            problems = _held_back(want, row, home, context)
            if want.anti_affinity in context.capacities[chosen].groups:
                problems.append(f"it holds another instance of anti-affinity {want.anti_affinity}")
            lacks = find_lacks(context.capacities[chosen], NOTHING, needed)
            problems += [f"it has {lack.what}" for lack in lacks]
            if problems:
                remedy = remedy_for(lacks, context) if lacks else ""
                raise RefusedError(f"{chosen} cannot take it: {'; '.join(problems)}", remedy)
        require_suitable(find_obstacles(want, chosen, context, may_emulate=may_emulate), chosen)
        node = chosen
    else:
        reasons, candidates = _find_candidates(want, context, may_emulate=may_emulate)
        architecture = want.further.get("architecture", USUAL)
        own = [name for name in candidates if context.have.nodes[name].is_own(architecture)]
        group = want.anti_affinity or None
        found = choose_node(own, context.capacities, size=needed, anti_affinity=group)
        if found is None:
            found = choose_node(candidates, context.capacities, size=needed, anti_affinity=group)
        if found is None:
            raise RefusedError(*_why_nowhere(want, needed, reasons, context))
        node = found
    capacity = context.capacities[node]
    capacity.take(size, runs=want.power != "stopped")
    if want.anti_affinity:
        capacity.groups.add(want.anti_affinity)
    return node


def _find_candidates(want: Vm, context: Context, *, may_emulate: bool) -> tuple[Mapping[str, list[str]], list[str]]:
    """Return why each node of the cluster cannot run an instance, and the nodes that can.

    Thousands of instances need the same few things, and hundreds of nodes are looked at for each.
    """
    root = want.root.pool if want.root else None
    volumes = tuple((volume.pool, volume.unit) for volume in want.volumes or ())
    machine = (want.further.get("architecture"), may_emulate)
    able = (want.type, want.vcpus, *machine, *(need.ability for need in needs_of(want, None)))
    media = tuple((cdrom.image, cdrom.pool) for cdrom in want.cdroms or ())
    # What is given to one of the call is no more there for the next.
    wishes = list_wishes(want)
    exact = tuple(devices_wanted(want, None))
    given = len(context.taken) if wishes or exact else 0
    needs = (
        given,
        wishes,
        exact,
        want.image,
        root,
        volumes,
        media,
        tuple((nic.port_group, nic.sr_iov) for nic in want.nics or ()),
        able,
    )
    if needs not in context.candidates:
        members = [name for name, state in context.have.nodes.items() if state.row.scope == context.cluster.id]
        reasons = {name: find_obstacles(want, name, context, may_emulate=may_emulate) for name in members}
        context.candidates[needs] = reasons, [name for name, problems in reasons.items() if not problems]
    return context.candidates[needs]


def _held_back(want: Vm, row: Row | None, home: str | None, context: Context) -> list[str]:
    """Return what keeps an instance whose definition is gone on the node where it was: its volumes, if only there."""
    state = context.have.nodes.get(home) if home else None
    if row is None or state is None:
        return []
    return [
        f"its volumes are on {home}, in storage pool {pool}"
        for pool, names in sorted(state.volumes.items())
        if pool in context.pools
        and not context.pools[pool].attributes.get("shared")
        and any(is_of_instance(name, want.name, row.id) and not name.endswith(".iso") for name in names)
    ]


def _why_nowhere(want: Vm, needed: Size, reasons: Mapping[str, Sequence[str]], context: Context) -> tuple[str, str]:
    """Return why no node can take it, and what to do."""
    parts = []
    lacking = []
    for name, problems in sorted(reasons.items()):
        lacks = find_lacks(context.capacities[name], NOTHING, needed)
        if problems:
            parts.append(f"{name}: {'; '.join(problems)}")
        elif lacks:
            parts.append(f"{name}: {' and '.join(lack.what for lack in lacks)}")
            lacking.append(lacks)
        else:
            parts.append(f"{name}: holds another instance of anti-affinity {want.anti_affinity}")
    parts += [f"{name}: does not answer" for name in sorted(context.have.down) if name in context.nodes]
    remedy = ""
    if lacking:
        raised = any(all(lack.is_of_vcpus for lack in lacks) for lacks in lacking)
        ways = (
            f", add a node, or raise vcpus_per_thread of cluster {context.cluster.name}"
            if raised
            else ", or add a node"
        )
        remedy = f"Stop an instance{ways}."
    return f"no node can take it ({', '.join(parts) or 'the cluster has none'})", remedy


def require_suitable(problems: Sequence[str], node: str) -> None:
    if problems:
        raise FailedError(
            Problem(
                f"it cannot be there: {'; '.join(problems)}",
                "Mend the node's storage, network, images or devices first, or choose another node.",
                node,
            )
        )


def find_obstacles(
    want: Vm, node: str, context: Context, current: Domain | None = None, *, may_emulate: bool = True
) -> list[str]:
    """Return why a node cannot run the instance, memory and anti-affinity apart. A new one needs its image there."""
    state = context.have.nodes[node]
    vcpus = want.vcpus if want.vcpus is not None or current is None else current.config.vcpus
    labels, drives = cdroms_of(want, current, context)
    architecture = current.architecture if current is not None else want.further.get("architecture", USUAL)
    problems = _wrong_architecture(want, architecture, state, may_emulate=may_emulate)
    problems += _too_many_vcpus(vcpus or 0, state)
    if want.type == "lxc" and not state.containers:
        problems.append("it has no containers (pextra_containers: true would give them to it)")
    needs = needs_of(want, current.config.options if current is not None else None)
    problems += find_lacking(needs, state.abilities_of(architecture))
    for name in dict.fromkeys(pools_of(want, current)):
        pool = find_pool(name, context)
        if pool.name not in state.volumes:
            problems.append(f"storage pool {pool.name} is not available there")
    for port_group, vswitch in networks_of(want, current, context):
        if vswitch not in state.networks:
            problems.append(f"port group {port_group} needs {vswitch}, which is not there")
    problems += lacking_media(labels, drives, state, context)
    problems += find_taken(want, current, node, context) + find_unchosen(want, current, node, context)
    for volume in want.volumes or ():
        pool = find_volume_pool(volume, context)
        if volume.unit is not None and volume.unit not in state.volumes.get(pool.name, {volume.unit}):
            problems.append(f"storage pool {pool.name} has no unit {volume.unit} there")
    problems += unsuitable_image(want, state, context) if current is None else []
    return list(dict.fromkeys(problems))


def _wrong_architecture(want: Vm, architecture: str, state: NodeState, *, may_emulate: bool) -> list[str]:
    own = state.own_architecture
    if want.type == "lxc":
        return [] if own == USUAL else [f"it is a host of {own}, and containers are of {USUAL}"]
    if state.is_own(architecture):
        return []
    if not may_emulate:
        what = f"it is a host of {own}, and to emulate {architecture} is slow"
        return [f"{what}: only what itself says architecture: {architecture} goes there"]
    if architecture not in state.emulates:
        what = f"it is a host of {own}, and emulates no {architecture}"
        return [f"{what} (pextra_architectures: [{architecture}] would let it)"]
    return []


def _too_many_vcpus(vcpus: int, state: NodeState) -> list[str]:
    """An instance has no more virtual CPUs than its node has threads: they would only wait for each other."""
    threads = state.capacity.threads
    if threads is None or vcpus <= threads:
        return []
    return [f"it has {threads} threads, and {vcpus} virtual CPUs are too many for it"]


def unsuitable_image(want: Vm, here: NodeState, context: Context) -> list[str]:
    """Return why a root volume cannot be made there.

    A copy has its final name while it is written, and after a transfer that was killed: only the record tells.
    """
    if want.image is None or want.root is None:
        return []
    image, pool = find_image(want.image, context), find_root_pool(want.root, context)
    if pool.name not in here.volumes:
        return []
    if copy_of(image, pool) not in here.volumes[pool.name]:
        return [f"image {image.name} has no copy in storage pool {pool.name} there"]
    key = site_key(pool.id, None if pool.attributes.get("shared") else here.row.id)
    if key not in image.attributes.get("copies", ()):
        return [f"the copy of image {image.name} in storage pool {pool.name} there is not complete"]
    return []


def unsuitable_changes(want: Vm, current: Domain, model: DomainModel, here: NodeState, replaced: bool) -> list[str]:
    """Return what the node lacks for what is new. What the instance has already is no reason to leave it unplanned."""
    known = set() if replaced else names_of_pools(current.config)
    problems = [
        f"storage pool {label.pool} is not available there"
        for label in model.labels.volumes
        if label.name not in known and label.pool not in here.volumes
    ]
    if model.vcpus > current.config.vcpus:
        problems += _too_many_vcpus(model.vcpus, here)
    needs, abilities = needs_of(want, None), here.abilities_of(current.architecture)
    if find_lacking(needs, abilities):
        has = list_needs(current.config.options)
        problems += find_lacking([need for need in needs if need not in has], abilities)
    attached = {*current.config.interfaces, *(current.live.interfaces if current.live else ())}
    problems += [
        f"port group {nic.port_group} needs {nic.network}, which is not there"
        for nic in model.interfaces
        if nic not in attached and nic.network not in here.networks and not nic.function
    ]
    return list(dict.fromkeys(problems))
