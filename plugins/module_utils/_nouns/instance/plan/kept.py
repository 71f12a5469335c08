# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call does not name stays as it is. Pure."""

from __future__ import annotations

from dataclasses import replace

from ..architectures import complete_devices, facts_of
from ..definition import DomainModel, Interface
from ..labels import VolumeLabel
from ..parts import Nic, Root, Volume, name_nics
from ..rows import merge_rows
from ..spec import Vm
from .cdroms import with_media_as_named
from .context import RefusedError
from .references import find_disk
from .state import Domain, named_nics


def with_kept_parts(want: Vm, current: Domain) -> Vm:
    """Return the parts that are named with what is kept of them: a volume's pool and size, a NIC's port group and MAC;
    and new devices as they usually are. What is not named at all stays None.
    """
    labels = {label.name: label for label in current.config.labels.volumes}
    root, volumes, nics = want.root, want.volumes, want.nics
    if root is None and want.image is not None and "root" in labels:
        root = Root()
    if root is not None and (label := labels.get("root")) is not None:
        is_same = root.pool in ("", label.pool)
        root = replace(
            root,
            pool=root.pool or label.pool,
            mode=root.mode or (current.config.labels.root_mode if is_same else None),
        )
    if volumes is not None:
        volumes = tuple(_keep_volume(volume, labels.get(volume.name)) for volume in volumes)
    if nics is not None:
        held = {label.name: one for label, one in named_nics(current.config)}
        nics = tuple(_keep_nic(nic, held.get(nic.name or "")) for nic in name_nics(nics))
    facts, cdroms = facts_of(current.architecture), want.cdroms
    usual = complete_devices(want.further, current.config.options, facts)
    if not usual and all(part is None for part in (root, volumes, cdroms, nics)):
        return want  # nothing of which anything is kept
    if cdroms is not None:
        drives = {label.name for label in current.config.labels.cdroms}
        bus = {"bus": facts.usual["cdroms.bus"]}
        cdroms = tuple(one if one.name in drives else replace(one, further={**bus, **one.further}) for one in cdroms)
    return replace(want, root=root, volumes=volumes, cdroms=cdroms, nics=nics, further={**want.further, **usual})


def _keep_volume(volume: Volume, label: VolumeLabel | None) -> Volume:
    if label is None:
        if not volume.pool or (volume.size is None and volume.unit is None):
            what = "size" if volume.pool else "pool"
            raise RefusedError(f"its volume {volume.name} is new, and its {what} is missing", f"Set its {what}.")
        return volume
    unit = volume.unit if volume.unit is not None or volume.size is not None else label.unit
    size = volume.size if volume.size is not None or unit is not None else label.size
    return replace(volume, pool=volume.pool or label.pool, size=size, unit=unit)


def _keep_nic(nic: Nic, interface: Interface | None) -> Nic:
    if interface is None:
        if not nic.port_group:
            raise RefusedError(f"its NIC {nic.name} is new, and its port group is missing", "Set its port_group.")
        return nic
    return replace(nic, mac=nic.mac or interface.mac)


def as_far_as_named(want: Vm, live: DomainModel, model: DomainModel) -> DomainModel:
    """Return the model for a running guest, in which what the call does not name is as it runs."""
    if want.nics is None:
        model = replace(model, interfaces=live.interfaces)
    model = with_named_rows(want, live, model)
    if want.volumes is None:
        root = find_disk("root", model) if want.root is not None else None
        disks = tuple(root if disk.name == "root" and root is not None else disk for disk in live.disks)
        model = replace(model, disks=disks)
    return replace(model, cdroms=with_media_as_named(want, live, model))


def with_named_rows(want: Vm, live: DomainModel, model: DomainModel) -> DomainModel:
    """Return the model for a running guest, in which NICs, disks and drives are as they run, but for what the call
    names.
    """
    named = {nic.name: nic.further for nic in name_nics(want.nics or ())}
    names = {one.mac: label.name for label, one in named_nics(model)}
    nics = {one.mac: merge_rows(one.further, named.get(names.get(one.mac), {})) for one in live.interfaces}
    told = {volume.name: volume.further for volume in want.volumes or ()}
    # A container's root is no disk.
    told |= {"root": want.root.further} if want.root is not None and model.type == "qemu" else {}
    disks = {disk.name: merge_rows(disk.further, told.get(disk.name, {})) for disk in live.disks}
    told_drives = {cdrom.name: cdrom.further for cdrom in want.cdroms or ()}
    held = {drive.serial: drive.further for drive in (*live.other_cdroms, *live.cdroms)}
    drives = {name: merge_rows(further, told_drives.get(name, {})) for name, further in held.items()}
    return replace(
        model,
        cdroms=tuple(replace(drive, further=drives.get(drive.serial, drive.further)) for drive in model.cdroms),
        interfaces=tuple(replace(one, further=nics.get(one.mac, one.further)) for one in model.interfaces),
        disks=tuple(replace(disk, further=disks.get(disk.name, disk.further)) for disk in model.disks),
    )
