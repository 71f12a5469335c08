# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses a block device without mounting it: open files of processes, and definitions of libvirt."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

_DEFINITIONS = ("/etc/libvirt/qemu", "/run/libvirt/qemu", "/etc/libvirt/storage")
# udev looks at every device that changes, and is done in a moment.
_PASSING = ("systemd-udevd", "(udev-worker)", "udev-worker")


def find_users(devices: Sequence[str]) -> dict[str, list[str]]:
    """Return who uses each of these devices (paths of disks and partitions), each a clause."""
    numbers = {number: path for path in devices if (number := _number(path)) is not None}
    users: dict[str, list[str]] = {path: [] for path in devices}
    for number, who in (*_list_open(), *_list_defined()):
        path = numbers.get(number)
        if path is not None and (text := f"{path} is {who}") not in users[path]:
            users[path].append(text)
    return users


def is_claimed(device: str) -> bool:
    """Ask the kernel whether something has the device to itself: a mount, swap, LVM, md, ZFS, in any namespace."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        raise
    return False


def _number(path: str) -> int | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_rdev if stat.S_ISBLK(status.st_mode) else None


def _list_open() -> Iterator[tuple[int, str]]:
    """Yield (device number, who) for every block device that a process has open."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            links = list((process / "fd").iterdir())
            name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # it has ended
        if name in _PASSING:
            continue
        for link in links:
            try:
                is_device = os.readlink(link).startswith("/dev/")
                status = link.stat() if is_device else None
            except OSError:
                continue  # it has closed the file
            if status is not None and stat.S_ISBLK(status.st_mode):
                yield status.st_rdev, f"open in {name} (process {process.name})"


def _list_defined() -> Iterator[tuple[int, str]]:
    """Yield (device number, who) for every block device that libvirt's domains and storage pools name, even stopped."""
    for directory in _DEFINITIONS:
        for path in sorted(Path(directory).glob("*.xml")):
            try:
                root = ElementTree.parse(path).getroot()
            except (OSError, ElementTree.ParseError):
                continue  # libvirt passes over it as well
            noun = "pool" if directory.endswith("storage") else "domain"
            name = root.findtext("name") or root.findtext("domain/name") or path.stem
            for element in root.iter():
                # <source dev=…> of a domain's disk, <device path=…> of a pool.
                for device in (element.get("dev"), element.get("path") if element.tag == "device" else None):
                    number = _number(device) if device and device.startswith("/dev/") else None
                    if number is not None:
                        yield number, f"named by the libvirt {noun} {name}"
