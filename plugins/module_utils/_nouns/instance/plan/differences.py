# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an instance differs from what is declared, and what of that waits for its next start. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

from ...._model.plan import Change, When
from ...._model.protection import changes_of
from ..definition import Disk, DomainModel, Interface
from ..devices import nic
from ..devices.disk import TABLE as DISK
from ..devices.disk import is_hot
from ..labels import Labels, VolumeLabel
from ..rows import differ_rows
from .cdroms import compare_cdroms
from .context import RefusedError
from .references import find_disk, names_of_pools, path_of
from .state import named_nics

# What a guest that knows its user data, users or vendor data otherwise takes itself for a new instance to do.
_AGAIN = "done again: all users, files, packages, commands and scripts, and new host keys of ssh"


def find_changes(before: DomainModel, after: DomainModel) -> list[Change]:
    """Return how the definition differs from the declared state in what its disks, drives, NICs and labels are."""
    changes: list[Change] = []
    old, new = before.labels, after.labels
    for name in ("organization", "anti_affinity", "tags", "flavor", "profiles", "addresses"):
        if getattr(old, name) != getattr(new, name):
            changes.append(Change(name, getattr(old, name) or None, getattr(new, name) or None))
    changes += changes_of(old.protected, new.protected)
    if (old.root is None) != (new.root is None):
        raise RefusedError(
            "it has no root volume, and cannot get one" if old.root is None else "it cannot lose its root volume",
            "Declare it as it is. What is to be otherwise can be an instance of another name, beside it.",
        )
    if old.image != new.image:
        changes.append(Change("image", old.image, new.image, "replace"))
    elif old.root_mode != new.root_mode:
        raise RefusedError(
            f"its root volume is of mode {old.root_mode}, and cannot become {new.root_mode}",
            f"Leave out mode, or declare {old.root_mode}; an instance of another name can have the other.",
        )
    if old.seed != new.seed:
        changes.append(Change("cloud_init", old.seed and old.seed[:12], new.seed and new.seed[:12], "next_boot"))
        if old.seed is not None and old.once != new.once:
            again = _AGAIN if old.once is not None else f"perhaps {_AGAIN}"
            changes.append(Change("cloud_init.once", "done", again, "next_boot"))
    changes += _compare_volumes(old, new)
    changes += _compare_disks(before, after)
    changes += compare_cdroms(before, after)
    interfaces = _compare_interfaces(before, after)
    was, is_ = (tuple(label.name for label in labels.nics) for labels in (old, new))
    if not interfaces and was != is_:
        interfaces.append(Change("nics", was, is_))
    return changes + interfaces


def _compare_disks(before: DomainModel, after: DomainModel) -> list[Change]:
    """Return the disks that are not as their volumes want them, though nothing new was declared of those."""
    same = names_of_pools(before) & names_of_pools(after) | (
        {"seed"} if before.labels.seed == after.labels.seed else set()
    )
    changes = [
        Change(f"disks.{disk.name}", _show_disk(find_disk(disk.name, before)), _show_disk(disk), "next_boot")
        for disk in after.disks
        if disk.name in same and _differs(find_disk(disk.name, before), disk)
    ]
    return changes + [change for _, change in differ_disks(before, after)]


def _differs(old: Disk | None, disk: Disk) -> bool:
    """Tell whether a disk is another one."""
    return old is None or _named_as(disk, old) != disk


def _named_as(disk: Disk, old: Disk) -> Disk:
    """One that goes to another bus has another name there, and is told by the bus."""
    return replace(old, target=disk.target) if old.further.get("bus") != disk.further.get("bus") else old


def differ_disks(before: DomainModel, after: DomainModel) -> list[tuple[Disk, Change]]:
    """Return how disks that are there differ in what they are beside their volumes, each with how it is to be."""
    return [
        (disk, change)
        for disk in after.disks
        if (old := find_disk(disk.name, before)) is not None
        for change in differ_rows(DISK, path_of(disk.name), old.further, disk.further)
    ]


def _show_disk(disk: Disk | None) -> str | None:
    if disk is None:
        return None
    return f"{disk.target}, {disk.path}, {disk.format}{', read-only' if disk.read_only else ''}"


def _compare_volumes(old: Labels, new: Labels) -> list[Change]:
    before = {volume.name: volume for volume in old.volumes}
    after = {volume.name: volume for volume in new.volumes}
    changes = []
    for name in sorted(before.keys() | after.keys()):
        was, is_ = before.get(name), after.get(name)
        if was is not None and is_ is not None and was.pool != is_.pool:
            raise RefusedError(
                f"its volume {name} is in storage pool {was.pool}, and cannot move to {is_.pool}",
                "Volumes stay in their pool; make a new one there and copy inside the guest.",
            )
        is_replaced = name == "root" and old.image != new.image
        if was is not None and is_ is not None and is_.size < was.size and not is_replaced:
            raise RefusedError(
                f"its volume {name} has {was.size} MiB, and cannot shrink to {is_.size} MiB",
                "Shrinking destroys what lies beyond; declare the old size again.",
            )
        if was is not None and is_ is not None and was.unit != is_.unit:
            raise RefusedError(
                f"its volume {name} is {was.unit or 'a volume of its own'}, and cannot become "
                f"{is_.unit or 'a volume of its own'}",
                "Give the other one another name.",
            )
        if was is None or is_ is None or was.size != is_.size:
            changes.append(change_of_volume(was, is_, "live" if was is not None and is_ is not None else "hot_plug"))
        if was is not None and is_ is not None:
            changes += [
                Change(f"{path_of(name)}.{key}", getattr(was, key) or None, getattr(is_, key) or None, "next_boot")
                for key in ("filesystem", "mountpoint")
                if getattr(was, key) != getattr(is_, key)
            ]
    return changes


def change_of_volume(was: VolumeLabel | None, is_: VolumeLabel | None, when: When = "live") -> Change:
    either = is_ or was
    if either is None:
        raise ValueError("a change needs what was or what is")
    path = path_of(either.name)
    if either.unit is not None:
        return Change(f"{path}.unit", was and was.unit, is_ and is_.unit, when)
    if either.size == 0:  # a directory takes what it needs
        return Change(f"{path}.pool", was and was.pool, is_ and is_.pool, when)
    return Change(f"{path}.size", was and was.size, is_ and is_.size, when)


def _compare_interfaces(before: DomainModel, after: DomainModel) -> list[Change]:
    old = {interface.mac: interface for interface in before.interfaces}
    new = {interface.mac: interface for interface in after.interfaces}
    names = {one.mac: label.name for model in (before, after) for label, one in named_nics(model)}
    changes = []
    for mac in [*old, *(mac for mac in new if mac not in old)]:
        was, is_ = old.get(mac), new.get(mac)
        name = names.get(mac, mac)
        functions = [one for one in (was, is_) if one is not None and one.function]
        is_gone = is_ is None and bool(functions)  # then its labels, which say the port group, may be as well
        if not is_gone and (was is None or is_ is None or place_of(was) != place_of(is_)):
            changes.append(
                Change(
                    f"nics.{name}.port_group",
                    was and f"{was.port_group} ({was.network})",
                    is_ and f"{is_.port_group} ({is_.network})",
                    _moves(was, is_) if after.type == "qemu" and not functions else "next_boot",
                )
            )
        changes += _compare_functions(f"nics.{name}", was, is_) if functions else []
        if was is not None and is_ is not None and bool(was.function) is not bool(is_.function):
            continue  # what it was is nothing to what it is
        if was is not None and is_ is not None:
            changes += differ_rows(nic.TABLE, f"nics.{name}", was.further, is_.further)
        changes += _compare_addresses(f"nics.{name}", was, is_) if was is not None and is_ is not None else []
        if was is not None and is_ is not None and was.offload != is_.offload:
            changes.append(
                Change(f"nics.{name}.offload", where_it_is(was.offload), where_it_is(is_.offload), "next_boot")
            )
    return changes


def _compare_addresses(path: str, was: Interface, is_: Interface) -> list[Change]:
    """Compare what libvirt gives the NIC of a container."""
    values = [("addresses", was.addresses, is_.addresses)]
    for option, family in (("gateway", 4), ("gateway6", 6)):
        before, after = (
            tuple(one for one in found.gateways or () if ip_address(one).version == family) for found in (was, is_)
        )
        values.append((option, before, after))
    return [Change(f"{path}.{option}", old, new, "next_boot") for option, old, new in values if old != new]


def _compare_functions(path: str, was: Interface | None, is_: Interface | None) -> list[Change]:
    """Compare what only virtual functions have."""
    before, after = (one.function if one is not None else "" for one in (was, is_))
    changes = [Change(f"{path}.sr_iov", before or None, after or None, "next_boot")] if before != after else []
    if was is not None and is_ is not None and before == after and was.sr_iov != is_.sr_iov:
        # The NIC of the node has another name, which only its label says.
        changes.append(Change(f"{path}.sr_iov", was.sr_iov or None, is_.sr_iov or None))
    if was is not None and is_ is not None and was.function and is_.function and was.vlan != is_.vlan:
        changes.append(Change(f"{path}.vlan", was.vlan, is_.vlan, "next_boot"))
    return changes


def _moves(was: Interface | None, is_: Interface | None) -> When:
    """Return how a running guest gets a NIC to where it is to be: it stays plugged within a network alone."""
    return "live" if was is not None and is_ is not None and was.network == is_.network else "hot_plug"


def place_of(interface: Interface) -> tuple[str, str]:
    return interface.network, interface.port_group


def where_it_is(value: bool) -> str:
    return "on" if value else "off"


def waiting_for_restart(live: DomainModel, model: DomainModel) -> list[Change]:
    """Return what the running guest does not have yet of its disks, drives and NICs."""
    waiting = []
    if find_disk("seed", live) != find_disk("seed", model):
        waiting.append(Change("cloud_init", "as at the last start", "as declared", "next_boot"))
    waiting += [change for change in _compare_interfaces(live, model) if change.when == "next_boot"]
    waiting += [change for _, change in differ_disks(live, model) if change.when == "next_boot"]
    waiting += [change for change in compare_cdroms(live, model) if change.when == "next_boot"]
    waiting += [
        Change(f"disks.{disk.name}", _show_disk(old), _show_disk(disk), "next_boot")
        for disk in model.disks
        if disk.name != "seed" and (old := find_disk(disk.name, live)) is not None and waits_for_start(old, disk)
    ]
    return waiting + cold_disks(live, model)


def cold_disks(live: DomainModel, model: DomainModel) -> list[Change]:
    """Return the disks that a running guest neither gets nor loses before its next start."""
    runs, threads = [disk.further for disk in (*live.disks, *live.cdroms)], live.options.get("io_threads", 0)
    return [
        Change(f"{path_of(disk.name)}.attached", has is model, has is live, "next_boot")
        for has, wants in ((live, model), (model, live))
        for disk in wants.disks
        if disk.name not in ("root", "seed") and find_disk(disk.name, has) is None
        if not is_hot(disk.further, runs, threads if wants is model else None)
    ]


def waits_for_start(old: Disk, disk: Disk) -> bool:
    """Tell whether a running guest's disk differs from its definition in what only a start can change."""
    old = _named_as(disk, old)
    return (old.target, old.path, old.format, old.read_only) != (disk.target, disk.path, disk.format, disk.read_only)


def live_changes(live: DomainModel, model: DomainModel, known: Sequence[Change]) -> list[Change]:
    """Return what the running guest alone has otherwise: drift, or what a killed run has left."""
    fields = {change.field for change in known}
    found = [
        *_compare_interfaces(live, model),
        *(change for _, change in differ_disks(live, model)),
        *compare_cdroms(live, model),
    ]
    changes = [change for change in found if change.field not in fields and change.when != "next_boot"]
    attached, wanted = ({disk.name for disk in found.disks} - {"root", "seed"} for found in (live, model))
    cold = {change.field for change in cold_disks(live, model)}
    for serial in sorted(serial for serial in attached ^ wanted if f"{path_of(serial)}.attached" not in cold):
        if not fields & {f"{path_of(serial)}.size", f"{path_of(serial)}.unit"}:
            is_, should = serial in attached, serial in wanted
            changes.append(Change(f"{path_of(serial)}.attached", is_, should, "hot_plug"))
    if live.labels != model.labels and not known and not changes:
        changes.append(Change("labels", "not as declared", "as declared"))
    return changes
