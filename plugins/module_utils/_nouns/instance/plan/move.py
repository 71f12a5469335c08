# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance goes to another node. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from ...._model.plan import Step, step_of
from ...._model.rows import Row
from ...pool.kinds import volume_place
from ...volume.attached import parse_attachments
from ..abilities import knows_machine
from ..definition import Disk, DomainModel
from ..definition_writing import convert_domain, move_screen
from ..placement import NOTHING, Size
from ..spec import Vm
from .acts import Move
from .context import Context, FailedError, RefusedError, device_names_of, devices_of
from .placement import find_obstacles
from .references import find_pinned, find_pool, pools_of
from .room import find_lacks, remedy_for
from .screen import moved_screen
from .state import Domain, named_nics


def target_of_move(want: Vm, current: Domain, model: DomainModel, needed: Size, context: Context) -> str | None:
    """Return the node that the instance must move to, or None. Refuses what cannot move. needed: what it will use."""
    if want.node is None:
        return None
    target = find_pinned(want.node, context)
    if target == current.node:
        return None
    if target in context.have.down:
        raise FailedError(context.have.down[target])
    problems = []
    if current.config.type == "lxc":
        problems.append("it is a container, and containers stay on their node")
    for name in dict.fromkeys(pools_of(want, current)):
        pool = find_pool(name, context)
        if not pool.attributes.get("shared"):
            problems.append(f"storage pool {pool.name} is not shared between nodes")
    problems += _find_bound(current, target, context) + _find_foreign(current)
    # One that never said its architecture was put where it runs as it is, and goes nowhere else by itself.
    is_emulated = not context.have.nodes[current.node].is_own(current.architecture)
    may_emulate = is_emulated or want.further.get("architecture") is not None
    problems += find_obstacles(want, target, context, current, may_emulate=may_emulate)
    problems += _find_others(want, current, target, context)
    if not knows_machine(current.machine, context.have.nodes[target].abilities_of(current.architecture)):
        problems.append(f"it is a machine of the type {current.machine}, which the QEMU of {target} does not know")
    devices = devices_of(current, live=True)
    if devices:
        problems.append(f"it has devices of {current.node}, which do not move while it runs: {', '.join(devices)}")
    functions = [label.name for label, one in named_nics(current.config) if one.function]
    if functions and want.nics is None:
        problems.append(
            f"its NICs {', '.join(functions)} are virtual functions of {current.node}: name nics as well, so that they "
            "get others there"
        )
    shared = current.live.options.get("filesystems") if current.live is not None else None
    if shared:
        names = ", ".join(one["name"] for one in shared)
        problems.append(f"it mounts directories of {current.node} ({names}), and moves only while it is stopped")
    if _is_encrypted(current):
        problems.append(
            f"its memory is encrypted with a key of {current.node}'s processor (launch_security): it does not move "
            "while it runs, and what its UEFI holds does not while it is stopped"
        )
    elif current.power == "stopped" and _keeps_state(current):
        problems.append(
            f"what its firmware and its TPM hold is on {current.node}, and moves only while it runs: start it first"
        )
    here, there = context.have.nodes[current.node], context.have.nodes[target]
    was, is_ = (state.virt_type_of(current.architecture) for state in (here, there))
    if was != is_ and current.power != "stopped":
        problems.append(f"{current.node} runs instances with {was}, {target} with {is_}")
    capacity = context.capacities[target]
    lacks = find_lacks(capacity, NOTHING, needed)
    problems += [f"{target} has {lack.what}" for lack in lacks]
    if model.labels.anti_affinity in capacity.groups:
        problems.append(f"{target} holds another instance of anti-affinity {model.labels.anti_affinity}")
    if problems:
        remedy = f"Set node: {current.node}, or mend what stands in the way."
        if len(problems) == len(lacks):
            remedy = remedy_for(lacks, context)
        raise RefusedError(f"it cannot move from {current.node} to {target}: {'; '.join(problems)}", remedy)
    return target


def _keeps_state(current: Domain) -> bool:
    has = current.config.options
    return (has.get("firmware") or {}).get("type") == "efi" or bool(has.get("tpm"))


def _is_encrypted(current: Domain) -> bool:
    """Tell whether it is, or is to be at its next start."""
    models = [model for model in (current.config, current.live) if model is not None]
    return any((model.options.get("launch_security") or {}).get("type", "none") != "none" for model in models)


def _find_others(want: Vm, current: Domain, target: str, context: Context) -> list[str]:
    """Return which devices, chosen for it on its node, are none or other ones on another node: an address says nothing
    of what is there. What is named is as it is named.
    """
    if want.further.get("host_devices") is not None:
        return []
    here, there = (
        {one.name: one.model for one in context.have.nodes[node].devices or ()} for node in (current.node, target)
    )
    remedy = "name host_devices as well, so that it gets what it is to have there"
    problems = []
    for name in device_names_of({"host_devices": current.config.options.get("host_devices")}):
        if name.startswith("usb "):
            continue  # which is its model
        if name not in here or name not in there:
            where = current.node if name not in here else target
            problems.append(f"its device {name} is not known on {where}: {remedy}")
        elif here[name] != there[name]:
            problems.append(f"its device {name} is of the model {here[name]}, and there of {there[name]}: {remedy}")
    return problems


def _find_foreign(current: Domain) -> list[str]:
    """Return what of an adopted instance nobody knows elsewhere."""
    model = current.config
    if not model.labels.adopted:
        return []
    others = model.other_targets - {disk.target for disk in model.attached}
    # A drive without a medium goes anywhere.
    disks = [one for one in ET.fromstring(current.xml).iterfind("devices/disk") if one.find("source") is not None]
    names = [target.get("dev") for one in disks if (target := one.find("target")) is not None]
    problems = [f"its disk {name} is no volume of the cloud" for name in names if name in others]
    return problems + [f"its NIC {mac} is on no port group" for mac in sorted(model.other_macs)]


def _find_bound(current: Domain, target: str, context: Context) -> list[str]:
    """Return which volumes that live on their own, attached by pextra_volume, keep an instance from moving."""
    problems = []
    for one in parse_attachments(current.xml):
        name = one.volume.name if one.volume else one.disk.volume
        pool = _pool_of(one.disk, context)
        if pool is None:
            problems.append(f"volume {name}, which is attached to it, lies in no storage pool of the cluster")
        elif not pool.attributes.get("shared"):
            problems.append(f"volume {name} is attached to it, and its storage pool {pool.name} is not shared")
        elif pool.name not in context.have.nodes[target].volumes:
            problems.append(f"storage pool {pool.name}, with its volume {name}, is not available there")
        elif current.power != "stopped" and one.cache not in ("none", "directsync"):
            problems.append(f"volume {name} has cache {one.cache}: the other node would read what is not written yet")
    return problems


def _pool_of(disk: Disk, context: Context) -> Row | None:
    """Return the pool that a disk's volume lies in."""
    return next(
        (
            pool
            for pool in context.pools.values()
            if volume_place(pool.attributes["type"], pool.name, pool.attributes, disk.volume) == disk.path
        ),
        None,
    )


def count_as(model: DomainModel, current: Domain, node: str, size: Size, *, runs: bool, context: Context) -> None:
    """Count an instance as it will be, instead of as it is."""
    before, after = context.capacities[current.node], context.capacities[node]
    before.give_back(current.size, runs=current.runs)
    after.take(size, runs=runs)
    if node != current.node and current.config.labels.anti_affinity is not None:
        before.groups.discard(current.config.labels.anti_affinity)
    if model.labels.anti_affinity is not None:
        after.groups.add(model.labels.anti_affinity)


def move_step(want: Vm, current: Domain, model: DomainModel, target: str, context: Context, *, autostart: bool) -> Step:
    is_active = current.power != "stopped"
    attached = tuple(one.disk for one in parse_attachments(current.xml))
    rows: list[Row | None] = [
        *(find_pool(name, context) for name in pools_of(want, current)),
        *(_pool_of(disk, context) for disk in attached),
        *(context.pools.get(label.pool or "") for label in model.labels.cdroms),
    ]
    pools = tuple(dict.fromkeys(row.name for row in rows if row is not None))
    here, there = (context.have.nodes[node].virt_type_of(current.architecture) for node in (current.node, target))
    xml = current.xml if here == there else convert_domain(current.xml, there)
    screen = moved_screen(current, target, context)
    act = Move(
        target=target,
        model=model,
        xml=xml if screen is None else move_screen(*screen, xml),
        live=is_active,
        pools=pools,
        attached=attached,
        autostart=autostart,
        screen=screen if is_active else None,
    )
    return step_of(act, f"move {'live ' if is_active else ''}to {target}")
