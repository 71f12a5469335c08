"""Instance of the type virtual machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._checks import (
    check_address,
    check_address_with_prefix,
    check_device_name,
    check_hostname,
    check_mac,
    check_name,
    check_tag,
    check_unit,
)
from ._common import CLUSTER, DESCRIPTION, STATE, parse_spec
from ._fields import Field, element_path
from ._mistake import Mistake

ROOT = {
    "pool": Field(kind="str", required=True, help="The storage pool of the root volume."),
    "size": Field(
        kind="size", help="Its size, at least the image's. It may grow later. As large as the image unless given."
    ),
    "mode": Field(
        kind="str",
        choices=("overlay", "copy"),
        help="V(overlay) shares the image's blocks until they are written; V(copy) is independent of the image. "
        "V(overlay) unless given, and V(copy) in pools of the types V(lvm) and V(zfs), where nothing else is possible.",
    ),
}

VOLUME = {
    "name": Field(
        kind="str", required=True, check=check_device_name, help="The name of the device, 3 to 32 characters."
    ),
    "pool": Field(kind="str", required=True, help="The storage pool of the volume."),
    "size": Field(
        kind="size",
        help="Its size. It may grow later, unless the pool is of the type V(lvm) or V(zfs). Needed for every volume "
        "but a unit.",
    ),
    "unit": Field(
        kind="str",
        check=check_unit,
        help="A unit (LUN) of the target of a pool of the type V(iscsi), such as V(unit:0:0:1), as C(virsh vol-list) "
        "names it. It is used with what is on it, and is never deleted.",
    ),
}

NIC = {
    "port_group": Field(kind="str", required=True, help="The port group it attaches to."),
    "mac": Field(
        kind="str", check=check_mac, help="The MAC address. Derived from the instance's identifier unless given."
    ),
    "addresses": Field(
        kind="list",
        element=Field(kind="str", check=check_address_with_prefix, help="An address with its prefix length."),
        unique=True,
        help="The addresses that cloud-init gives it, with prefix lengths. By DHCP unless given.",
    ),
    "gateway": Field(kind="str", check=check_address, help="The default gateway."),
    "nameservers": Field(
        kind="list",
        element=Field(kind="str", check=check_address, help="The address of a name server."),
        help="The name servers.",
    ),
}

USER = {
    "name": Field(kind="str", required=True, check=check_name, help="The name of the user."),
    "ssh_authorized_keys": Field(
        kind="list",
        element=Field(kind="str", help="A public key."),
        help="The public keys that may log in.",
        no_log=False,
    ),
    "sudo": Field(kind="bool", default=False, help="Whether the user may become root without a password."),
    "hashed_password": Field(
        kind="str", no_log=True, help="The password as a crypt hash. No password log-in unless given."
    ),
}

CLOUD_INIT = {
    "hostname": Field(
        kind="str", check=check_hostname, help="The guest's host name. The instance's name unless given."
    ),
    "users": Field(
        kind="list", element=Field(kind="dict", table=USER, help="A user."), help="The users to make in the guest."
    ),
    "user_data": Field(
        kind="str",
        no_log=True,
        help="User data for the guest's cloud-init, passed on as it is instead of what O(cloud_init.users) makes.",
    ),
}

FIELDS = {
    "name": Field(
        kind="str", required=True, check=check_hostname, help="The name of the instance, unique in the cluster."
    ),
    "cluster": CLUSTER,
    "organization": Field(
        kind="str", help="The organization that owns it, by name or identifier. The root organization unless given."
    ),
    "node": Field(
        kind="str",
        help="The node it runs on. Chosen once by free memory unless given. Changing it moves it.",
    ),
    "anti_affinity": Field(
        kind="str", check=check_name, help="Instances with the same word are never placed on one node."
    ),
    "vcpus": Field(kind="int", default=1, minimum=1, maximum=512, help="The number of virtual CPUs."),
    "memory": Field(
        kind="size", default=512, minimum=32, maximum=16 * 1024**2, help="The memory. 512 MiB unless given."
    ),
    "image": Field(kind="str", help="The image that the root volume begins from, by name or identifier."),
    "root": Field(kind="dict", table=ROOT, help="The root volume. Without it the instance has none."),
    "volumes": Field(
        kind="list",
        element=Field(kind="dict", table=VOLUME, help="A volume."),
        default=(),
        help="Further volumes, made empty, or units of iSCSI targets as they are.",
    ),
    "nics": Field(
        kind="list", element=Field(kind="dict", table=NIC, help="A NIC."), default=(), help="The NICs, in order."
    ),
    "cloud_init": Field(kind="dict", table=CLOUD_INIT, help="What cloud-init in the guest is told."),
    "autostart": Field(kind="bool", default=True, help="Whether it starts with its node."),
    "power": Field(
        kind="str",
        choices=("running", "stopped", "paused"),
        help="The power state. Left as it is unless given; a new instance is then started.",
    ),
    "description": DESCRIPTION,
    "tags": Field(
        kind="list",
        element=Field(kind="str", check=check_tag, help="A tag."),
        unique=True,
        default=(),
        help="Words to group instances by.",
    ),
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Root:
    """size is in MiB."""

    pool: str
    size: int | None = None
    mode: str | None = None


@dataclass(frozen=True, kw_only=True)
class Volume:
    """size is in MiB, None for a unit of a target."""

    name: str
    pool: str
    size: int | None = None
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Nic:
    port_group: str
    mac: str | None = None
    addresses: tuple[str, ...] | None = None
    gateway: str | None = None
    nameservers: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class User:
    name: str
    ssh_authorized_keys: tuple[str, ...] | None = None
    sudo: bool = False
    hashed_password: str | None = None

    def __repr__(self) -> str:
        return f"User({self.name!r})"


@dataclass(frozen=True, kw_only=True)
class CloudInit:
    hostname: str | None = None
    users: tuple[User, ...] = ()
    user_data: str | None = None

    def __repr__(self) -> str:
        return f"CloudInit({self.hostname!r}, {self.users!r})"


@dataclass(frozen=True, kw_only=True)
class Vm:
    """memory is in MiB."""

    name: str
    cluster: str | None = None
    organization: str | None = None
    node: str | None = None
    anti_affinity: str | None = None
    vcpus: int = 1
    memory: int = 512
    image: str | None = None
    root: Root | None = None
    volumes: tuple[Volume, ...] = ()
    nics: tuple[Nic, ...] = ()
    cloud_init: CloudInit | None = None
    autostart: bool = True
    power: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    state: str = "present"


def parse_vm(raw: Mapping[str, Any], path: str) -> tuple[Vm | None, list[Mistake]]:
    """Parse one instance. Returns (vm or None, mistakes)."""
    return parse_spec(FIELDS, make_vm, raw, path)


def find_mistakes_within(vm: Vm, path: str) -> list[Mistake]:
    """Check what no single field can tell: image and root belong together, device names are unique."""
    mistakes = []
    if vm.image is not None and vm.root is None:
        mistakes.append(Mistake(f"{path}.root", "is missing; an instance with an image needs root: {pool: ...}"))
    if vm.root is not None and vm.image is None and vm.root.size is None:
        mistakes.append(Mistake(f"{path}.root.size", "is missing; without an image the root volume needs a size"))
    names = [volume.name for volume in vm.volumes]
    for index, name in enumerate(names):
        if name in names[:index] or name in ("root", "seed"):
            here = element_path(f"{path}.volumes", index, {"name": name})
            mistakes.append(Mistake(f"{here}.name", f'"{name}" is taken by another device of it'))
    for index, volume in enumerate(vm.volumes):
        here = element_path(f"{path}.volumes", index, {"name": volume.name})
        if volume.size is None and volume.unit is None:
            problem = "is missing; write the size of the volume, or the unit of a pool of type iscsi"
            mistakes.append(Mistake(f"{here}.size", problem))
        elif volume.size is not None and volume.unit is not None:
            mistakes.append(Mistake(f"{here}.size", "a unit has its own size; leave it out"))
        if volume.unit is not None and any(
            (other.pool, other.unit) == (volume.pool, volume.unit) for other in vm.volumes[:index]
        ):
            mistakes.append(Mistake(f"{here}.unit", f'"{volume.unit}" is taken by another volume of it'))
    macs = [nic.mac.lower() for nic in vm.nics if nic.mac]
    for index, nic in enumerate(vm.nics):
        if nic.mac and macs.count(nic.mac.lower()) > 1:
            mistakes.append(Mistake(f"{path}.nics[{index}].mac", f'"{nic.mac}" is given twice'))
    return mistakes


def make_vm(**values: Any) -> Vm:
    """Return the spec of the values that `parse` has normalised by FIELDS."""
    if values["root"] is not None:
        values["root"] = Root(**values["root"])
    values["volumes"] = tuple(Volume(**volume) for volume in values["volumes"])
    values["nics"] = tuple(Nic(**nic) for nic in values["nics"])
    if values["cloud_init"] is not None:
        init = dict(values["cloud_init"])
        init["users"] = tuple(User(**user) for user in init["users"] or ())
        values["cloud_init"] = CloudInit(**init)
    return Vm(**values)
