# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What disks, drives and NICs have to share: names, turns to boot, and threads. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..definition import Disk, DomainModel, Interface
from ..spec import Vm
from ..threads import find_highest
from .context import RefusedError
from .references import find_disk, path_of


def require_places(
    disks: Sequence[Disk], cdroms: Sequence[Disk], interfaces: Sequence[Interface], current: DomainModel | None
) -> None:
    """Names of disks are its own, whatever buses they are on, and so are turns to boot and World Wide Names."""
    for disk in disks:
        old = find_disk(disk.name, current) if current is not None else None
        is_new = old is None or old.target != disk.target
        if is_new and current is not None and disk.target in current.other_targets:
            raise RefusedError(
                f"its {path_of(disk.name)} cannot be {disk.target}: another disk of it has that name",
                "Take that one away first, or choose another bus.",
            )
    # A call may name one and not the other.
    for name in sorted({disk.name for disk in disks} & {drive.serial for drive in cdroms}):
        what = f"{path_of(name)} and cdroms.{name} would have one name, by which a guest and the cloud know them"
        raise RefusedError(what, "Give each one of its own.")
    held: dict[tuple[str, Any], str] = {}
    names = [(path_of(disk.name), disk.further) for disk in disks]
    names += [(f"cdroms.{drive.serial}", drive.further) for drive in cdroms]
    names += [(f"NIC {one.mac}", one.further) for one in interfaces]
    for name, further in names:
        for key in ("boot_order", "wwn"):
            value = further.get(key)
            if value and held.setdefault((key, value), name) != name:
                what = f"{held[key, value]} and {name} have the {key} {value}"
                raise RefusedError(what, "Give each one of its own.")


def require_threads(disks: Sequence[Disk], want: Vm, current: DomainModel | None) -> None:
    """Only of what is named: a hand may have numbered threads in another way."""
    named = [volume.further for volume in want.volumes or ()] + ([want.root.further] if want.root is not None else [])
    had = current.options.get("io_threads", 0) if current is not None else 0
    threads, highest = want.further.get("io_threads", had), find_highest(disk.further for disk in disks)
    if highest > threads and ("io_threads" in want.further or find_highest(named)):
        what = f"a disk of it has io_thread {highest}, and it has {threads} of them"
        raise RefusedError(what, f"Set io_threads: {highest} as well, or another io_thread.")
    if threads == 0 and (want.further.get("pinning") or {}).get("io_threads"):
        what = "its pinning.io_threads says where its io_threads run, and it has none"
        raise RefusedError(what, "Set io_threads as well, or leave out pinning.io_threads.")
