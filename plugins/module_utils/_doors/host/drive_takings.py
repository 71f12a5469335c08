# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A note of the disks that a run is about to take, so that the next can finish what was interrupted.

LVM and ZFS first write to the disks and then make the group: a disk that a killed run left in between holds something,
and would never be taken again. The note names such disks by serial number and size, not by a path that may be another
disk's after a boot.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..._model.drives import Disk, Identity

DIRECTORY = Path("/var/lib/pextra/disks")


def read_takings() -> dict[str, tuple[Identity, ...]]:
    """Return the disks that interrupted runs were about to take, by set."""
    found = {}
    for path in sorted(DIRECTORY.glob("*.json")):
        entries = json.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = tuple(Identity(entry["serial"], entry["wwn"], entry["size_bytes"]) for entry in entries)
    return found


@contextlib.contextmanager
def noted(name: str, disks: Sequence[Disk]) -> Iterator[None]:
    """Note that the disks are being taken for a set. The note stays if what is done within fails."""
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = DIRECTORY / f"{name}.json"
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        entries = [{"serial": disk.serial, "wwn": disk.wwn, "size_bytes": disk.size_bytes} for disk in disks]
        json.dump(entries, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    yield
    path.unlink(missing_ok=True)


def forget(name: str) -> None:
    """A set that has all its disks is not being taken any more."""
    (DIRECTORY / f"{name}.json").unlink(missing_ok=True)
