# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance consists of: its root volume, further volumes, drives, NICs, and what cloud-init is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..._fields.addresses import canonical_mac
from ..._fields.checks import (
    check_address,
    check_address_or_none,
    check_address_with_prefix,
    check_device_name,
    check_hostname_or_none,
    check_interface_or_none,
    check_mac,
    check_name,
    check_nic_name,
    check_unit,
)
from ..._fields.common import MAX_VOLUME_MIB
from ..._fields.field import REQUIRED, Field
from .cloud_init_checks import check_mountpoint, check_password_hash, check_public_key, check_user_data
from .devices import cdrom, disk, nic

ROOT = {
    "pool": Field(effect="fixed", kind="str", create=REQUIRED, help="The storage pool of the root volume."),
    "size": Field(
        effect="live",
        kind="size",
        minimum=1,
        maximum=MAX_VOLUME_MIB,
        help="Its size, at least the image's. It may grow later. As large as the image unless given.",
    ),
    "mode": Field(
        effect="fixed",
        kind="str",
        choices=("overlay", "copy"),
        help="V(overlay) shares the image's blocks until they are written; V(copy) is independent of the image. "
        "V(overlay) unless given, and V(copy) in pools of the types V(lvm) and V(zfs), where nothing else is possible.",
    ),
    **disk.TABLE,
}
VOLUME = {
    "name": Field(
        effect="hot_plug",
        kind="str",
        required=True,
        check=check_device_name,
        help="The name of the device, 3 to 32 characters. The guest finds it by the first 20 of them "
        "(C(/dev/disk/by-id/virtio-...)).",
    ),
    "pool": Field(effect="fixed", kind="str", create=REQUIRED, help="The storage pool of the volume."),
    "size": Field(
        effect="live",
        kind="size",
        minimum=1,
        maximum=MAX_VOLUME_MIB,
        help="Its size. It may grow later, unless the pool is of the type V(lvm) or V(zfs). Needed for every volume "
        "but a unit.",
    ),
    "unit": Field(
        effect="fixed",
        kind="str",
        check=check_unit,
        help="A unit (LUN) of the target of a pool of the type V(iscsi), such as V(unit:0:0:1), as C(virsh vol-list) "
        "names it. It is used with what is on it, and is never deleted.",
    ),
    "filesystem": Field(
        effect="next_boot",
        kind="str",
        choices=("none", "ext4", "xfs"),
        create="none",
        help="The file system that cloud-init makes on it, at the next boot, if it is empty. One that carries anything "
        "keeps it.",
    ),
    "mountpoint": Field(
        effect="next_boot",
        kind="str",
        check=check_mountpoint,
        create="",
        help="Where cloud-init mounts it in the guest, such as V(/srv/data), from the next boot on. An empty text is "
        "nowhere.",
    ),
    **disk.TABLE,
}
CDROM = {
    "name": Field(
        effect="next_boot",
        kind="str",
        required=True,
        check=check_device_name,
        help="The name of the drive, 3 to 32 characters, by which it is known. It is its serial number as well.",
    ),
    "image": Field(
        effect="live",
        kind="str",
        create="",
        help="The image that is in it, of the kind V(iso), by name or identifier. An empty text ejects what is in it.",
    ),
    "pool": Field(
        effect="live",
        kind="str",
        help="The storage pool whose copy of the image is used. That of the root volume unless given.",
    ),
    **cdrom.TABLE,
}
NIC = {
    "name": Field(
        effect="hot_plug",
        kind="str",
        check=check_nic_name,
        help="The name of the NIC, by which it is known: its MAC address and its addresses stay with it when others "
        "come and go. cloud-init gives the guest's interface this name. V(nic0), V(nic1) and so on, by their order, "
        "unless given.",
    ),
    "port_group": Field(effect="live", kind="str", create=REQUIRED, help="The port group it attaches to."),
    "sr_iov": Field(
        effect="next_boot",
        kind="str",
        check=check_interface_or_none,
        create="",
        help="A NIC of the node, by its name there, of which it is a virtual function, and not a port of the vSwitch. "
        "It gets one that is free, with its own MAC address and the VLAN of its port group. Nothing else can be said "
        "of its hardware but C(boot_order). An empty text is none.",
    ),
    "mac": Field(
        effect="hot_plug",
        kind="str",
        check=check_mac,
        help="The MAC address. Derived from the identifier of the instance and the name of the NIC unless given.",
    ),
    "addresses": Field(
        effect="next_boot",
        kind="list",
        element=Field(kind="str", check=check_address_with_prefix, help="An address with its prefix length."),
        unique=True,
        create=(),
        help="The addresses that cloud-init gives it, with prefix lengths. By DHCP if there are none.",
    ),
    "gateway": Field(
        effect="next_boot",
        kind="str",
        check=check_address_or_none,
        create="",
        help="The default gateway. An empty text is none.",
    ),
    "gateway6": Field(
        effect="next_boot",
        kind="str",
        check=check_address_or_none,
        create="",
        help="The default gateway of IPv6, beside one of IPv4. An empty text is none.",
    ),
    "nameservers": Field(
        effect="next_boot",
        kind="list",
        element=Field(kind="str", check=check_address, help="The address of a name server."),
        create=(),
        help="The name servers.",
    ),
    **nic.TABLE,
}
USER = {
    "name": Field(effect="next_boot", kind="str", required=True, check=check_name, help="The name of the user."),
    "ssh_authorized_keys": Field(
        effect="next_boot",
        kind="list",
        element=Field(kind="str", check=check_public_key, help="A public key, as one line of C(authorized_keys)."),
        help="The public keys that may log in.",
        no_log=False,
    ),
    "sudo": Field(
        effect="next_boot", kind="bool", create=False, help="Whether the user may become root without a password."
    ),
    "hashed_password": Field(
        effect="next_boot",
        kind="str",
        no_log=True,
        check=check_password_hash,
        help="The password as a crypt hash, as C(mkpasswd) prints it. No password log-in unless given.",
    ),
}
CLOUD_INIT = {
    "hostname": Field(
        effect="next_boot",
        kind="str",
        check=check_hostname_or_none,
        create="",
        help="The guest's host name. An empty text is the name of the instance.",
    ),
    "users": Field(
        kind="list",
        element=Field(kind="dict", table=USER, help="A user."),
        create=(),
        help="The users to make in the guest. The list is all of them.",
    ),
    "user_data": Field(
        effect="next_boot",
        kind="str",
        no_log=True,
        check=check_user_data,
        help="User data for the guest's cloud-init, passed on as it is, instead of O(cloud_init.users). It begins with "
        "what it is, such as C(#cloud-config) or C(#!/bin/sh), and has 1 MiB at most. C(#cloud-config) is checked by "
        "cloud-init's schema.",
    ),
    "vendor_data": Field(
        effect="next_boot",
        kind="str",
        no_log=True,
        check=check_user_data,
        create="",
        help="Vendor data for the guest's cloud-init: what user data can override. Written and checked as "
        "O(cloud_init.user_data) is. An empty text is none.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Root:
    """size is in MiB. An empty pool is not named."""

    pool: str = ""
    size: int | None = None
    mode: str | None = None
    # Of all rows of devices/disk.py.
    further: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class Volume:
    """size is in MiB, None for a unit of a target. An empty pool is not named. unit: as libvirt names it."""

    name: str
    pool: str = ""
    size: int | None = None
    unit: str | None = None
    filesystem: str | None = None
    mountpoint: str | None = None
    # Of all rows of devices/disk.py.
    further: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.unit is not None:
            object.__setattr__(self, "unit", canonical_unit(self.unit))


@dataclass(frozen=True, kw_only=True)
class Cdrom:
    """An empty image is none; an empty pool is not named."""

    name: str
    image: str | None = None
    pool: str = ""
    # Of all rows of devices/cdrom.py.
    further: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class Nic:
    """An empty gateway is none; an empty port group is not named. mac: in its canonical form.

    function: the PCI address of the virtual function, once it is chosen.
    """

    name: str | None = None
    port_group: str = ""
    mac: str | None = None
    addresses: tuple[str, ...] | None = None
    gateway: str | None = None
    gateway6: str | None = None
    nameservers: tuple[str, ...] | None = None
    sr_iov: str | None = None
    function: str = ""
    # Of all rows of devices/nic.py.
    further: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.mac is not None:
            object.__setattr__(self, "mac", canonical_mac(self.mac))


@dataclass(frozen=True, kw_only=True)
class User:
    name: str
    ssh_authorized_keys: tuple[str, ...] | None = None
    sudo: bool | None = None
    hashed_password: str | None = None

    def __repr__(self) -> str:
        return f"User({self.name!r})"


@dataclass(frozen=True, kw_only=True)
class CloudInit:
    """An empty hostname is the instance's name. user_data comes before users."""

    hostname: str | None = None
    users: tuple[User, ...] | None = None
    user_data: str | None = None
    vendor_data: str | None = None

    def __repr__(self) -> str:
        return f"CloudInit({self.hostname!r}, {self.users!r})"


def name_nics(nics: Sequence[Nic]) -> tuple[Nic, ...]:
    """Return NICs that all have their names: by their order, those that were given none."""
    return tuple(replace(nic, name=nic.name or f"nic{index}") for index, nic in enumerate(nics))


def pool_of_medium(cdrom: Cdrom, root: Root | None) -> str | None:
    """Return the pool that an image is read from; None if there is no image, or nothing says a pool."""
    return (cdrom.pool or (root.pool if root is not None else "") or None) if cdrom.image else None


def canonical_unit(text: str) -> str:
    """Return a unit of a target as libvirt names it: without zeros before its numbers."""
    word, *numbers = text.split(":")
    return ":".join([word, *(str(int(number)) for number in numbers)])
