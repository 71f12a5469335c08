# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instance: a virtual machine, or a container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from ..._fields.checks import check_inventory_name, check_name, check_name_or_none, check_tag
from ..._fields.common import CLUSTER, STATE, parse_spec, protected
from ..._fields.field import Field, created, element_path, join, value_of
from ..._model.mistake import Mistake
from . import walk
from .architectures import complete_machine
from .aspects import launch_security
from .aspects.filesystems import share_memory
from .devices import disk as disk_device
from .kinds import TYPES, Type
from .part_checks import find_cloud_init_mistakes, find_name_mistakes, find_nic_mistakes, find_shared_mistakes
from .parts import CDROM, CLOUD_INIT, NIC, ROOT, VOLUME, Cdrom, CloudInit, Nic, Root, User, Volume, name_nics
from .unsuited import find_unsuited

OPTIONS = walk.OPTIONS
# Device names of further volumes, its own and those that are attached to it: vda is the root volume's, vdz the seed's.
# Drives take letters of them too: another bus has other names, and no disk that goes there finds its letter taken.
TARGETS = tuple(f"vd{letter}" for letter in "bcdefghijklmnopqrstuvwxy")
# With its disks and what else it has, far from the 256 buses of a machine, each of which takes one device.
MAX_NICS = 32
# With a root volume and a further one they find place on the one SATA controller that a machine has anyway.
MAX_CDROMS = 4
FIELDS = {
    "name": Field(
        effect="fixed",
        kind="str",
        required=True,
        check=check_inventory_name,
        help="The name of the instance, unique in the cluster.",
    ),
    "type": Field(
        effect="fixed",
        kind="str",
        choices=TYPES,
        create="qemu",
        help="V(qemu) is a virtual machine, V(lxc) a container, which has its node's kernel. What it is, it stays.",
    ),
    "cluster": CLUSTER,
    "organization": Field(
        effect="live",
        kind="str",
        help="The organization that owns it, by name or identifier. The root organization unless given.",
    ),
    "node": Field(
        effect="live",
        kind="str",
        help="The node it runs on. Chosen once by free memory unless given. Changing it moves it.",
    ),
    "adopt": Field(
        effect="live",
        kind="bool",
        help="Whether a virtual machine of this name that is not the cloud's becomes an instance as it is: nothing of "
        "it changes but its metadata, and nothing restarts. The call says only what it names, also in the "
        "deployment document; what is said otherwise than it is, is refused. Of no effect on an instance.",
    ),
    "anti_affinity": Field(
        effect="live",
        kind="str",
        check=check_name_or_none,
        create="",
        help="Instances with the same word are never placed on one node. An empty text is none.",
    ),
    "image": Field(
        effect="replace", kind="str", help="The image that the root volume begins from, by name or identifier."
    ),
    "root": Field(kind="dict", table=ROOT, help="The root volume. Without it the instance has none."),
    "volumes": Field(
        kind="list",
        element=Field(kind="dict", table=VOLUME, help="A volume."),
        create=(),
        help="Further volumes, made empty, or units of iSCSI targets as they are; 24 at most, together with those that "
        "are attached with M(pextra.cloud.pextra_volume). The list is all of them: one that is "
        "not in it any more is detached, and its data stays.",
    ),
    "cdroms": Field(
        kind="list",
        element=Field(kind="dict", table=CDROM, help="A drive."),
        create=(),
        help="Drives for CDs and DVDs; 4 at most. What is in one changes while the instance runs, a drive itself comes "
        "and goes at its next start. The list is all of them.",
    ),
    "nics": Field(
        kind="list",
        element=Field(kind="dict", table=NIC, help="A NIC."),
        create=(),
        help="The NICs, in order; 32 at most. The list is all of them: one that is not in it any more is unplugged.",
    ),
    "cloud_init": Field(
        kind="dict",
        table=CLOUD_INIT,
        create={"hostname": "", "users": (), "user_data": None, "vendor_data": ""},
        help="What cloud-init in the guest is told.",
    ),
    "autostart": Field(effect="live", kind="bool", create=True, help="Whether it starts with its node."),
    "power": Field(
        effect="live",
        kind="str",
        choices=("running", "stopped", "paused"),
        help="The power state. Left as it is unless given; a new instance is then started.",
    ),
    "tags": Field(
        effect="live",
        kind="list",
        element=Field(kind="str", check=check_tag, help="A tag."),
        unique=True,
        create=(),
        help="Words to group instances by.",
    ),
    "flavor": Field(
        effect="live",
        kind="str",
        check=check_name_or_none,
        create="",
        help="The flavor of the deployment document that it is made of, as a word to group instances by: nothing is "
        "taken from it here. An empty text is none.",
    ),
    "profiles": Field(
        effect="live",
        kind="list",
        element=Field(kind="str", check=check_name, help="A profile, by name."),
        unique=True,
        create=(),
        help="The profiles of the deployment document that it is made of, likewise.",
    ),
    "protected": protected("it can neither be removed nor begin again from another image, and its volumes stay"),
    "state": STATE,
    # Aspects and kinds of device, each in a file of its own.
    **OPTIONS,
}


@dataclass(frozen=True, kw_only=True)
class Vm:
    """memory is in MiB. None is not managed; what a new instance gets instead, `complete_new` says."""

    name: str
    type: Type | None = None
    cluster: str | None = None
    organization: str | None = None
    node: str | None = None
    adopt: bool | None = None
    anti_affinity: str | None = None
    vcpus: int | None = None
    memory: int | None = None
    image: str | None = None
    root: Root | None = None
    volumes: tuple[Volume, ...] | None = None
    cdroms: tuple[Cdrom, ...] | None = None
    nics: tuple[Nic, ...] | None = None
    cloud_init: CloudInit | None = None
    autostart: bool | None = None
    power: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    flavor: str | None = None
    profiles: tuple[str, ...] | None = None
    protected: bool | None = None
    state: str = "present"
    # Of all other aspects and kinds of device, by option.
    further: Mapping[str, Any] = field(default_factory=dict)


def parse_vm(raw: Mapping[str, Any], path: str) -> tuple[Vm | None, list[Mistake]]:
    """Parse one instance. Returns (vm or None, mistakes)."""
    return parse_spec(FIELDS, make_vm, raw, path)


def complete_new(vm: Vm, architecture: str | None = None) -> Vm:
    """Return what a new instance gets: what is not said is as its rows say (`create`), and as its architecture has it,
    where that is known.
    """
    said = {key: _plain(value_of(vm, key)) for key in FIELDS}
    values = share_memory(created(FIELDS, said), said)
    if values["type"] == "lxc":
        values["cloud_init"] = None  # nobody in it reads a seed
    elif architecture is not None:
        values = complete_machine(values, architecture)
    return make_vm(**values)


def _plain(value: Any) -> Any:
    """Return a part of a spec as the mappings that it was made of."""
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if is_dataclass(value):
        own = {key.name: _plain(getattr(value, key.name)) for key in fields(value) if key.name != "further"}
        return own | dict(getattr(value, "further", {}))
    return value


def names_inside(vm: Vm) -> bool:
    """Tell whether anything is said of what volumes are inside the guest."""
    return any(volume.filesystem is not None or volume.mountpoint is not None for volume in vm.volumes or ())


def told_of(volume: Volume) -> bool:
    """Tell whether a volume is to be anything inside the guest."""
    return volume.filesystem not in (None, "none") or bool(volume.mountpoint)


def names_of_seed(vm: Vm) -> bool:
    """Tell whether anything is named of which cloud-init may have to be told."""
    return not (vm.nics is None and vm.cloud_init is None and vm.volumes is None)


def names_part_of_seed(vm: Vm, *, tells_volumes: bool) -> bool:
    """Tell whether what cloud-init is told is named, and not all of it, so that the rest has to be known.

    tells_volumes: it is told something of the volumes that there are.
    """
    if vm.nics is None and vm.cloud_init is None and not (vm.volumes is not None and tells_volumes):
        return names_inside(vm)
    if vm.nics is None or vm.cloud_init is None or None in (vm.cloud_init.hostname, vm.cloud_init.vendor_data):
        return True
    if vm.cloud_init.users is None and vm.cloud_init.user_data is None:
        return True
    return any(None in (nic.addresses, nic.gateway, nic.gateway6, nic.nameservers) for nic in vm.nics)


def find_mistakes_within(vm: Vm, path: str) -> list[Mistake]:
    """Check what no single field can tell: names and addresses of devices are unique."""
    mistakes = []
    volumes, cdroms, nics = vm.volumes or (), vm.cdroms or (), name_nics(vm.nics or ())
    mistakes += find_name_mistakes([("volumes", volumes), ("cdroms", cdroms)], path)
    counts = (("volumes", volumes, len(TARGETS)), ("cdroms", cdroms, MAX_CDROMS), ("nics", nics, MAX_NICS))
    for what, given, most in counts:
        if len(given) > most:
            mistakes.append(Mistake(join(path, what), f"are {len(given)}; an instance can have {most} of them"))
    for index, volume in enumerate(volumes):
        here = element_path(f"{path}.volumes", index, {"name": volume.name})
        if volume.size is not None and volume.unit is not None:
            mistakes.append(Mistake(f"{here}.size", "a unit has its own size; leave it out"))
        if volume.mountpoint and volume.mountpoint in [other.mountpoint for other in volumes[:index]]:
            mistakes.append(Mistake(f"{here}.mountpoint", f'"{volume.mountpoint}" is that of another volume of it'))
        if volume.unit is not None and any(
            (other.pool, other.unit) == (volume.pool, volume.unit) for other in volumes[:index]
        ):
            mistakes.append(Mistake(f"{here}.unit", f'"{volume.unit}" is taken by another volume of it'))
    disks: list[tuple[str, Root | Volume]] = [(join(path, "root"), vm.root)] if vm.root is not None else []
    disks += [
        (element_path(f"{path}.volumes", index, {"name": volume.name}), volume) for index, volume in enumerate(volumes)
    ]
    for here, disk in disks:
        mistakes += [Mistake(join(here, where), what) for where, what in disk_device.find_mistakes(disk.further)]
    turns: list[tuple[str, Root | Volume | Cdrom | Nic]] = [*disks]
    turns += [
        (element_path(f"{path}.cdroms", index, {"name": cdrom.name}), cdrom) for index, cdrom in enumerate(cdroms)
    ]
    mistakes += find_shared_mistakes([*turns, *((f"{path}.nics[{index}]", nic) for index, nic in enumerate(nics))])
    mistakes += find_cloud_init_mistakes(vm.cloud_init or CloudInit(), join(path, "cloud_init"))
    said = what_is_said(vm)
    mistakes += [Mistake(join(path, where), problem) for where, problem in walk.find_mistakes(said)]
    if vm.type == "lxc":
        mistakes += [Mistake(join(path, where), problem) for where, problem in find_unsuited(said)]
    mistakes += find_nic_mistakes(nics, path)
    return mistakes


def what_is_said(vm: Vm) -> dict[str, Any]:
    """Return what is managed of an instance, by option."""
    return _said_of(vm, _OWN)


def find_missing(vm: Vm, path: str) -> list[Mistake]:
    """Check that a new instance, or a document's, has all that it cannot do without."""
    mistakes = []
    if vm.type == "lxc" and vm.image is None:
        mistakes.append(Mistake(join(path, "image"), "is missing; a container begins from the files of an image"))
    if vm.type == "lxc" and vm.image is None and vm.root is None:
        mistakes.append(Mistake(join(path, "root"), "is missing; a container needs root: {pool: ...} for its files"))
    if vm.image is not None and vm.root is None:
        mistakes.append(Mistake(join(path, "root"), "is missing; an instance with an image needs root: {pool: ...}"))
    if vm.image is None and (inside := [one.name for one in vm.volumes or () if told_of(one)]):
        problem = (
            f"is missing; what is to be in its volume {inside[0]} is made by cloud-init, which comes with an image"
        )
        mistakes.append(Mistake(join(path, "image"), f"{problem}; write it, or leave out filesystem and mountpoint"))
    if vm.image is None and vm.cloud_init is not None:
        problem = "is for an instance that begins from an image, with cloud-init in it; leave it out, or write image"
        mistakes += [
            Mistake(join(path, f"cloud_init.{key}"), problem)
            for key in ("hostname", "users", "user_data", "vendor_data")
            if getattr(vm.cloud_init, key)
        ]
    mistakes += [Mistake(join(path, where), what) for where, what in launch_security.find_missing(vm.further)]
    if vm.root is not None and not vm.root.pool:
        mistakes.append(Mistake(join(path, "root.pool"), "is missing; write the storage pool of the root volume"))
    if vm.root is not None and vm.image is None and vm.root.size is None and vm.type != "lxc":
        mistakes.append(Mistake(join(path, "root.size"), "is missing; without an image the root volume needs a size"))
    for index, volume in enumerate(vm.volumes or ()):
        here = element_path(join(path, "volumes"), index, {"name": volume.name})
        if not volume.pool:
            mistakes.append(Mistake(f"{here}.pool", "is missing; write the storage pool of the volume"))
        if volume.size is None and volume.unit is None:
            problem = "is missing; write the size of the volume, or the unit of a pool of type iscsi"
            mistakes.append(Mistake(f"{here}.size", problem))
    for index, cdrom in enumerate(vm.cdroms or ()):
        if cdrom.image and not cdrom.pool and vm.root is None:
            here = element_path(join(path, "cdroms"), index, {"name": cdrom.name})
            mistakes.append(Mistake(f"{here}.pool", "is missing; without a root volume it has to say it"))
    for index, nic in enumerate(vm.nics or ()):
        if not nic.port_group:
            here = join(path, f"nics[{index}].port_group")
            mistakes.append(Mistake(here, "is missing; write the port group that it attaches to"))
    return mistakes


def make_vm(**values: Any) -> Vm:
    """Return the spec of the values that `parse` has normalised by FIELDS."""
    if values["root"] is not None:
        values["root"] = _make_part(Root, values["root"])
    if values["volumes"] is not None:
        values["volumes"] = tuple(_make_part(Volume, volume) for volume in values["volumes"])
    if values["cdroms"] is not None:
        values["cdroms"] = tuple(_make_part(Cdrom, cdrom) for cdrom in values["cdroms"])
    if values["nics"] is not None:
        values["nics"] = tuple(_make_part(Nic, nic) for nic in values["nics"])
    if values["cloud_init"] is not None:
        init = dict(values["cloud_init"])
        init["users"] = None if init["users"] is None else tuple(User(**user) for user in init["users"])
        values["cloud_init"] = CloudInit(**init)
    further = {key: value for key in OPTIONS if key not in _OWN and (value := values[key]) is not None}
    return Vm(**{key: values[key] for key in _OWN}, further=further)


def options_of(vm: Vm) -> dict[str, Any]:
    """Return what is wanted of aspects and kinds of device, by option; what is not managed is left out."""
    return _said_of(vm, _OWN_OPTIONS)


_OWN = tuple(one.name for one in fields(Vm) if one.name != "further")
_OWN_OPTIONS = tuple(key for key in _OWN if key in OPTIONS)


def _said_of(vm: Vm, own: Iterable[str]) -> dict[str, Any]:
    """Return what is said of options for which a spec has fields, and of all others."""
    return {**{key: value for key in own if (value := getattr(vm, key)) is not None}, **vm.further}


def _make_part(part: type[Root | Volume | Cdrom | Nic], values: Mapping[str, Any]) -> Any:
    """Return a part with what its class has no field for in its `further`."""
    own = {one.name for one in fields(part)}
    further = {key: value for key, value in values.items() if key not in own and value is not None}
    return part(**{key: value for key, value in values.items() if key in own and value is not None}, further=further)
