# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no single field of an instance can tell of its parts: names, turns, users. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..._fields.field import element_path, join
from ..._model.mistake import Mistake
from .devices import nic as nic_device
from .parts import Cdrom, CloudInit, Nic, Root, Volume

# What a guest sees of the serial number of a virtio disk, which is the volume's name (linux/virtio_blk.h).
_SERIAL_LENGTH = 20


def find_name_mistakes(lists: Sequence[tuple[str, Sequence[Volume | Cdrom]]], path: str) -> list[Mistake]:
    """Names end in files' names, and there are servers to which letters of either case are one letter. All are serial
    numbers.
    """
    mistakes, before = [], ["root", "seed"]
    for option, devices in lists:
        for index, name in enumerate(device.name for device in devices):
            problem = None
            if name in before:
                problem = f'"{name}" is taken by another device of it'
            elif other := next((one for one in before if one.casefold() == name.casefold()), None):
                problem = f'"{name}" is "{other}" but for the case of its letters; write another name'
            elif other := next((one for one in before if one[:_SERIAL_LENGTH] == name[:_SERIAL_LENGTH]), None):
                problem = f'"{name}" has its first {_SERIAL_LENGTH} characters in common with "{other}", and a guest '
                problem += "sees no more of them; write names that differ in these"
            if problem is not None:
                here = element_path(join(path, option), index, {"name": name})
                mistakes.append(Mistake(f"{here}.name", problem))
            before.append(name)
    return mistakes


def find_shared_mistakes(parts: Sequence[tuple[str, Root | Volume | Cdrom | Nic]]) -> list[Mistake]:
    """Two disks with one World Wide Name are one to a guest: it takes them for two ways to the same blocks."""
    mistakes, seen = [], set()
    for here, part in parts:
        for key, what in (("boot_order", "turn"), ("wwn", "World Wide Name")):
            value = part.further.get(key)
            if (key, value) in seen:
                mistakes.append(Mistake(join(here, key), f"{value} is the {what} of another device of it"))
            seen |= {(key, value)} if value else set()
    return mistakes


def find_cloud_init_mistakes(init: CloudInit, path: str) -> list[Mistake]:
    """Users are named once, and told in one way."""
    mistakes = []
    if init.users and init.user_data:
        problem = "cannot be together with users, which would be ignored; write the users into it, or leave out one"
        mistakes.append(Mistake(join(path, "user_data"), problem))
    names = [user.name for user in init.users or ()]
    for index, name in enumerate(names):
        if name in names[:index]:
            here = element_path(join(path, "users"), index, {"name": name})
            mistakes.append(Mistake(f"{here}.name", f'"{name}" is the name of another user of it'))
    return mistakes


def find_nic_mistakes(nics: Sequence[Nic], path: str) -> list[Mistake]:
    """Check NICs, each by itself and that no two are one. path: of the instance."""
    mistakes = []
    known = [nic.name for nic in nics]
    macs = [nic.mac for nic in nics]
    for index, nic in enumerate(nics):
        if nic.name in known[:index]:
            mistakes.append(Mistake(f"{path}.nics[{index}].name", f'"{nic.name}" is the name of another NIC of it'))
        if nic.mac and macs.count(macs[index]) > 1:
            mistakes.append(Mistake(f"{path}.nics[{index}].mac", f'"{nic.mac}" is given twice'))
        mistakes += [
            Mistake(f"{path}.nics[{index}].{where}", what) for where, what in nic_device.find_mistakes(nic.further)
        ]
        mistakes += [
            Mistake(f"{path}.nics[{index}].{where}", "is nothing that a virtual function (sr_iov) has; leave it out")
            for where in (nic_device.find_unsuited(nic.further) if nic.sr_iov else ())
        ]
        if nic.gateway and nic.gateway6 and ":" in nic.gateway:
            problem = f'"{nic.gateway}" is of IPv6, and gateway6 is given as well; write the one of IPv4, or none'
            mistakes.append(Mistake(f"{path}.nics[{index}].gateway", problem))
        if nic.gateway6 and ":" not in nic.gateway6:
            problem = f'"{nic.gateway6}" is no address of IPv6; write it as gateway'
            mistakes.append(Mistake(f"{path}.nics[{index}].gateway6", problem))
    return mistakes
