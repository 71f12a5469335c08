# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain of an instance as it is declared. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...._model.claims import keys_of_addresses
from ...._model.ids import uuid_of
from ...._model.names import data_volume, root_tree, root_volume, seed_volume
from ...._model.rows import Row
from ...pool.kinds import root_mode, volume_format
from ..cloud_init import digest_of, once_of
from ..definition import Disk, DomainModel, Interface
from ..devices import nic as nic_device
from ..devices.disk import TABLE as DISK
from ..devices.disk import find_mistakes as find_disk_mistakes
from ..devices.disk import name_on
from ..disks import disk_of, tree_of
from ..kinds import Type
from ..labels import Labels, NicLabel, VolumeLabel, usual_mac
from ..lifetimes import write_time
from ..parts import Root, Volume, name_nics
from ..rows import create_rows, merge_rows
from ..spec import TARGETS, Vm
from ..vendor_data import told
from .cdroms import cdroms_of
from .context import Context, RefusedError, keys_of_nics, network_of, unit_of
from .nics import as_function, in_container
from .places import require_places, require_threads
from .references import (
    checked_name,
    find_disk,
    find_organization,
    find_pool,
    find_port_group,
    find_root_pool,
    find_volume_pool,
    image_name,
    image_size_mib,
    path_of,
    vswitch_of,
)
from .seed import seed_files
from .state import Domain, named_nics
from .taking import take_addresses, take_mac, take_unit


def model_of(
    want: Vm, instance_id: str, context: Context, found: Domain | None, node: str
) -> tuple[DomainModel, dict[str, str] | None]:
    """Return the domain as declared, and the files of its seed (None: it has none, or keeps the one it has).

    What is not named is as it was found. node: where it is, or will be.
    """
    current = found.config if found else None
    image = image_name(want, context) if want.image else current.labels.image if current else None
    type_ = current.type if current is not None else want.type or "qemu"
    disks: list[Disk] = []
    volumes: list[VolumeLabel] = []
    if want.root is not None:
        pool = find_root_pool(want.root, context)
        found_root = find_disk("root", current) if current is not None else None
        adopted = _adopted("root", found_root, current)
        size = 0 if type_ == "lxc" else _root_size(want.root, want, image, current, context)
        label = VolumeLabel(name="root", pool=pool.name, size=size)
        volumes.append(label)
        if type_ == "lxc":
            disks.append(tree_of(pool, checked_name(root_tree(want.name, instance_id), pool)))
        elif adopted is not None:
            if image is not None:
                raise RefusedError("its root volume was adopted, and begins from no image", "Leave image out.")
            volumes[-1] = replace(label, path=adopted.path)
            disks.append(_with_rows(adopted, found_root, want.root.further))
        else:
            name = root_volume(want.name, instance_id, volume_format(pool.attributes["type"]))
            disk = disk_of(pool, checked_name(name, pool), target="vda", serial="root")
            disks.append(_with_rows(disk, found_root, want.root.further))
    elif current is not None:
        _keep_disks(current, disks, volumes, is_root=True)
    if want.volumes is not None:
        _add_volumes(want, want.volumes, instance_id, context, found, disks, volumes)
    elif current is not None:
        _keep_disks(current, disks, volumes, is_root=False)
    nics, interfaces = _nics_of(want, instance_id, context, current, node, type_)
    if want.nics is None and found is not None and node != found.node:
        interfaces = tuple(_as_on(one, node, context) for one in interfaces)
    seed, digest = None, None
    root = next((label for label in volumes if label.name == "root"), None)
    if image is not None and root is not None and type_ == "qemu":
        seed = seed_files(want, instance_id, interfaces, volumes, context, current)
        digest = digest_of(seed) if seed is not None else current.labels.seed if current is not None else None
    elif lost := told(volumes):
        raise RefusedError(
            f"its volume {lost[0].name} is to have a file system or a mount point, and it begins from no image with "
            "cloud-init in it, which would make them",
            "Leave filesystem and mountpoint out, and do it inside the guest.",
        )
    kept_seed = find_disk("seed", current) if current is not None else None
    if digest is not None and root is not None and (seed is not None or kept_seed is None):
        pool = find_pool(root.pool, context)
        name = checked_name(seed_volume(want.name, instance_id, digest), pool)
        disks.append(disk_of(pool, name, target="vdz", serial="seed", volume_format="raw", read_only=True))
    elif digest is not None and kept_seed is not None:
        disks.append(kept_seed)
    cdrom_labels, cdroms = cdroms_of(want, found, context, disks)
    require_places(disks, cdroms, interfaces, current)
    require_threads(disks, want, current)
    was = current.labels if current is not None else None
    mode = was.root_mode if was is not None else None
    # Their order says nothing: those that are known keep theirs, or a list in another order would be a change.
    known = {label.name: number for number, label in enumerate(was.volumes)} if was is not None else {}
    volumes.sort(key=lambda label: known.get(label.name, len(known)))
    if want.root is not None and type_ == "qemu":
        # What was adopted is its own, wherever it is declared to be.
        said = mode if was is not None and was.adopted and want.root.mode is None else want.root.mode
        mode = root_mode(find_root_pool(want.root, context).attributes["type"], said)
    labels = Labels(
        id=instance_id,
        cluster=context.cluster.id,
        organization=was.organization
        if was is not None and want.organization is None
        else find_organization(want, context),
        image=image,
        root_mode=mode,
        anti_affinity=(was.anti_affinity if was else None)
        if want.anti_affinity is None
        else want.anti_affinity or None,
        seed=digest,
        once=once_of(seed)
        if seed is not None and (was is None or digest != was.seed)
        else was.once
        if was is not None and digest is not None
        else None,
        created=was.created if was is not None else write_time(context.have.now),
        protected=want.protected if want.protected is not None else was is not None and was.protected,
        adopted=was is not None and was.adopted,
        tags=want.tags if want.tags is not None else was.tags if was else (),
        flavor=(was.flavor if was else None) if want.flavor is None else want.flavor or None,
        profiles=want.profiles if want.profiles is not None else was.profiles if was else (),
        volumes=tuple(volumes),
        nics=nics,
        cdroms=cdrom_labels,
    )
    model = DomainModel(
        name=want.name,
        uuid=uuid_of(instance_id),
        memory=want.memory if want.memory is not None else current.memory if current else 0,
        vcpus=want.vcpus if want.vcpus is not None else current.vcpus if current else 0,
        disks=tuple(disks),
        cdroms=cdroms,
        other_cdroms=current.other_cdroms if current is not None else (),
        interfaces=interfaces,
        # An empty one takes it away; libvirt keeps no empty description.
        description=current.description
        if current is not None and want.description is None
        else want.description or None,
        labels=labels,
        held_back=current.held_back if current is not None and want.memory is None else 0,
        type=type_,
        further=want.further,
    )
    return model, seed


def _root_size(root: Root, want: Vm, image: str | None, current: DomainModel | None, context: Context) -> int:
    """Return the size of the root volume in MiB."""
    if root.size is not None:
        return root.size
    label = current.labels.root if current is not None else None
    if current is not None and label is not None and current.labels.image == image:
        return label.size
    return image_size_mib(want, context)


def _keep_disks(current: DomainModel, disks: list[Disk], volumes: list[VolumeLabel], *, is_root: bool) -> None:
    """Take over the root volume, or the further ones, as they are."""
    for label in current.labels.volumes:
        if (label.name == "root") is is_root:
            volumes.append(label)
            disk = find_disk(label.name, current)
            disks += [disk] if disk is not None else []


def _add_volumes(
    want: Vm,
    wanted: Sequence[Volume],
    instance_id: str,
    context: Context,
    found: Domain | None,
    disks: list[Disk],
    volumes: list[VolumeLabel],
) -> None:
    targets = targets_of(wanted, found)
    units: dict[str, str] = {}
    for volume in wanted:
        pool = find_volume_pool(volume, context)
        target = targets[volume.name]
        before = find_disk(volume.name, found.config) if found is not None else None
        label = _label_of(volume, pool, found.config if found is not None else None)
        adopted = _adopted(volume.name, before, found.config if found is not None else None)
        volumes.append(replace(label, path=adopted.path) if adopted is not None else label)
        if volume.unit is not None:
            take_unit(volume.unit, pool, (instance_id, want.name), context)
            first = units.setdefault(unit_of(pool, volume.unit), volume.name)
            if first != volume.name:
                raise RefusedError(
                    f"its volumes {first} and {volume.name} are one unit of one target", "Leave one of them out."
                )
            disk = adopted or disk_of(pool, volume.unit, target=target, serial=volume.name)
            disks.append(_with_rows(disk, before, volume.further))
            continue
        if adopted is not None:
            disks.append(_with_rows(adopted, before, volume.further))
            continue
        name = data_volume(want.name, instance_id, volume.name, volume_format(pool.attributes["type"]))
        disk = disk_of(pool, checked_name(name, pool), target=target, serial=volume.name)
        disks.append(_with_rows(disk, before, volume.further))


def _label_of(volume: Volume, pool: Row, current: DomainModel | None) -> VolumeLabel:
    """Return what a volume is to the instance. What it is inside the guest stays unless it is named."""
    label = VolumeLabel(name=volume.name, pool=pool.name, size=volume.size or 0, unit=volume.unit)
    before = next((one for one in current.labels.volumes if one.name == volume.name), label) if current else label
    filesystem = before.filesystem if volume.filesystem is None else volume.filesystem.removeprefix("none")
    mountpoint = before.mountpoint if volume.mountpoint is None else volume.mountpoint
    return replace(label, filesystem=filesystem, mountpoint=mountpoint)


def _adopted(name: str, disk: Disk | None, current: DomainModel | None) -> Disk | None:
    """Return the disk of a volume that was adopted, which stays where it is and as it is."""
    labels = current.labels.volumes if current is not None else ()
    label = next((label for label in labels if label.name == name and label.path is not None), None)
    if label is None:
        return None
    if disk is None:
        raise RefusedError(
            f"its {path_of(name)} was adopted as {label.path}, which is no disk of its definition any more",
            "Put it back with that path (virsh edit), after a snapshot by merging it (virsh blockcommit --pivot).",
        )
    return disk


def _with_rows(disk: Disk, before: Disk | None, named: Mapping[str, Any]) -> Disk:
    """Return a disk with what it is beside its volume: as it was, where nothing is named."""
    further = merge_rows(before.further if before is not None else create_rows(DISK), named)
    for where, what in find_disk_mistakes(further) if named else ():
        raise RefusedError(f"its {path_of(disk.name)}.{where}, with what it has already, {what}", "Name both.")
    if disk.adopted_as is not None and before is not None and further.get("bus") == before.further.get("bus"):
        return replace(disk, further=further)
    target = name_on(disk.target, further.get("bus", "virtio"))
    return replace(disk, target=target, further=further)


def _nics_of(
    want: Vm, instance_id: str, context: Context, current: DomainModel | None, node: str, type_: Type
) -> tuple[tuple[NicLabel, ...], tuple[Interface, ...]]:
    """Return the labels of the NICs and the NICs themselves, in order."""
    if want.nics is None:
        return (current.labels.nics, current.interfaces) if current is not None else ((), ())
    held = {one.mac: one for one in current.interfaces} if current is not None else {}
    known = {label.name: label for label, _ in named_nics(current)} if current is not None else {}
    # What it has already, it is not asked about: not so an address that goes to another network with its NIC.
    mine = frozenset(keys_of_nics(current, context)) if current is not None else frozenset()
    userspace = context.have.nodes[node].userspace
    is_adopted = current is not None and current.labels.adopted
    labels: list[NicLabel] = []
    interfaces: list[Interface] = []
    for nic in name_nics(want.nics):
        name = nic.name or ""
        usual = usual_mac(instance_id, name)
        mac = nic.mac or usual
        kept = known.get(name)
        was = kept.addresses if kept is not None else ()
        addresses = nic.addresses if nic.addresses is not None else was
        # Of what is there already, that older versions wrote down none is no change.
        says_mac = is_adopted or (mac != usual and (mac not in held or kept is None or kept.mac is not None))
        label = NicLabel(name=name, addresses=tuple(addresses), mac=mac if says_mac else None)
        if any(one.mac == mac for one in interfaces):
            raise RefusedError(f"two of its NICs have the MAC address {mac}", f"Choose another one for {name}.")
        if current is not None and mac in current.other_macs:
            raise RefusedError(
                f"the MAC address {mac} is that of another NIC of it, which is not the cloud's",
                "Choose another one, or take that NIC away first.",
            )
        before = held.get(mac)
        if before is None:
            take_mac(mac, (instance_id, want.name), context)
        if not nic.port_group and before is not None:
            network, port_group = before.network, before.port_group
        else:
            network, port_group = vswitch_of(nic, context), find_port_group(nic, context).name
        keys = keys_of_addresses(network_of(network, port_group, context), addresses)
        take_addresses([key for key in keys if key not in mine], (instance_id, want.name), context)
        if nic.function:
            interfaces.append(as_function(nic, mac, network, port_group, context))
            labels.append(replace(label, mac=mac, sr_iov=nic.sr_iov or "", port_group=port_group, vswitch=network))
            continue
        labels.append(label)
        is_port = before is not None and not before.function
        further = merge_rows(before.further if before and is_port else create_rows(nic_device.TABLE), nic.further)
        # Queues that are there go with a model that has none.
        for where, what in nic_device.find_mistakes({**further, "queues": nic.further.get("queues")}):
            raise RefusedError(f"its nics.{name}.{where}, with what it has already, {what}", "Name both.")
        # It is only ever turned off: what a person has turned off stays so. Of other models QEMU does it all itself.
        offload = (network not in userspace and (before is None or before.offload)) or further.get(
            "model", "virtio"
        ) != "virtio"
        if is_adopted and before is not None and before.network == network:
            offload = before.offload
        interface = Interface(mac=mac, network=network, port_group=port_group, offload=offload, further=further)
        interfaces.append(in_container(interface, nic, addresses, before) if type_ == "lxc" else interface)
    return tuple(labels), tuple(interfaces)


def _as_on(interface: Interface, node: str, context: Context) -> Interface:
    """Return a NIC as it is where it goes to: a switch in user space takes no checksums that are left out."""
    in_userspace = interface.network in context.have.nodes[node].userspace
    is_virtio = not interface.function and interface.further.get("model", "virtio") == "virtio"
    return replace(interface, offload=False) if in_userspace and is_virtio else interface


def targets_of(wanted: Sequence[Volume], found: Domain | None) -> dict[str, str]:
    """Return the device names of the further volumes. One keeps its name when others come and go."""
    if found is None:
        held, used = {}, set()
    else:
        # A name that a running guest still uses, or a disk that is not ours has, is not free.
        disks = [*(found.live.disks if found.live else ()), *found.config.disks]
        held = {disk.name: disk.target for disk in disks}
        used = {*found.config.targets, *(found.live.targets if found.live else ())}
    targets: dict[str, str] = {}
    # On another bus a device keeps its letter.
    letters = {name[2:] for name in used}
    free = (target for target in TARGETS if target[2:] not in letters)
    for volume in wanted:
        target = held.get(volume.name) or next(free, None)
        if target is None:
            raise RefusedError(f"there is no device name left for volume {volume.name}: vdb to vdy are in use")
        targets[volume.name] = target
    return targets
