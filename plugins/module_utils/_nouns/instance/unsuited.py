# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container cannot have of an instance's options, by name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..._fields.field import Field, Table, element_path
from . import walk
from .devices import disk, nic
from .parts import CLOUD_INIT
from .rows import create_rows, is_same, iterate_rows, value_at

_LEAVE = "leave it out, or make it a virtual machine (type: qemu)"


def find_unsuited(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return pairs of a path and what is wrong there. said: what is wanted of a container, by option.

    What a document fills in is what it gets without a word of it, and no mistake.
    """
    found = [(option, f"is nothing that a container has; {_LEAVE}") for option in walk.find_unsuited(said, "lxc")]
    root = said.get("root")
    if root is not None:
        found += [
            (f"root.{key}", f"is of a volume; a container's root is a directory, which takes what it needs; {_LEAVE}")
            for key in ("size", "mode")
            if getattr(root, key) is not None
        ]
        found += [
            (f"root.{path}", f"is of disks, and a container has none; {_LEAVE}") for path in _told(disk.TABLE, root)
        ]
    if said.get("volumes"):
        found.append(("volumes", f"are disks, and a container has none; {_LEAVE}"))
    for index, one in enumerate(said.get("nics") or ()):
        here = element_path("nics", index, {"name": one.name})
        if one.sr_iov:
            found.append((f"{here}.sr_iov", f"is nothing that a container's NIC can be; {_LEAVE}"))
        if one.nameservers:
            found.append((f"{here}.nameservers", "cannot be told to a container; write them into its image"))
        found += [
            (f"{here}.{path}", f"is nothing that a container's NIC has; {_LEAVE}") for path in _told(nic.TABLE, one)
        ]
    if said.get("power") == "paused":
        # libvirt pauses containers by the cgroups of version 1, which current hosts do not have.
        found.append(("power", "paused is nothing that a container can be on every node; write running or stopped"))
    init = said.get("cloud_init")
    if init is not None:
        found += [
            (f"cloud_init.{key}", f"cannot be told to a container; write it into its image, or {_LEAVE}")
            for key in CLOUD_INIT
            if getattr(init, key)
        ]
    return found


def _told(table: Table, part: Any) -> Iterator[str]:
    """Yield the rows of a disk or a NIC that are not as they are without a word of them."""
    usual = create_rows(table)
    for path, row, value in iterate_rows(Field(kind="dict", table=table, help=""), part.further, ()):
        if not is_same(row, value_at(usual, path), value):
            yield ".".join(path)
