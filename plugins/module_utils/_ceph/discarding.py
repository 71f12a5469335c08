"""What an OSD that has left leaves on its host: its service, its directory, its disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .._errors import ConsentError, Problem
from .host import Run, must
from .osd import HEAD_BYTES, Present, Wanted, osd_directory, osd_unit, read_disk, read_present


def find_osd(number: int) -> Present | None:
    """Return the OSD of this number, if this host has it."""
    found = [osd for osd in read_present() if osd.id == number]
    return found[0] if found else None


def stop_osd(run: Run, number: int, *, is_check: bool) -> list[str]:
    """Stop an OSD of this host for good. Returns what was done."""
    unit = osd_unit(number)
    if find_osd(number) is None:
        return []
    _, out, _ = run(["systemctl", "show", "--property=ActiveState,UnitFileState", "--", unit])
    values = dict(line.partition("=")[::2] for line in out.splitlines())
    if values.get("ActiveState") in ("inactive", "failed") and values.get("UnitFileState") != "enabled":
        return []
    if not is_check:
        must(run, ["systemctl", "disable", "--now", "--", unit], f"stop {unit}")
    return [f"stop {unit}"]


def discard_osd(run: Run, number: int, *, confirm: str, is_check: bool) -> list[str]:
    """Remove an OSD of this host with its data, which Ceph has forgotten. Returns what was done."""
    osd = find_osd(number)
    if osd is None:
        return []
    if confirm != "DESTROY":
        raise ConsentError(
            [Problem(f"the data of osd.{number} on {osd.path} would be lost", "Say -e confirm=DESTROY.")]
        )
    path = Path(osd.path)
    is_file = path.is_file()
    disk = read_disk(run, Wanted(path=osd.path, size_mib=1 if is_file else None), is_ours=True)
    # A disk that was changed by hand is another one: it is not this OSD's to wipe.
    is_its = disk.osd_fsid == osd.fsid
    actions = [f"wipe {osd.path}"] if is_its else []
    actions.append(f"remove the directory of osd.{number}")
    if is_check:
        return actions
    # The disk first: while the directory is there, a run that goes on from here still knows what belongs to it.
    if is_its and is_file:
        path.unlink()
    elif is_its:
        with open(path, "r+b", buffering=0) as opened:
            opened.write(bytes(HEAD_BYTES))
            os.fsync(opened.fileno())
    shutil.rmtree(osd_directory(number))
    return actions
