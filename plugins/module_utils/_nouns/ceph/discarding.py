# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an OSD that has left leaves on its host: its service, its directory, its disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._engine.own_host import HostPlan
from .host import Run, must
from .osd import (
    HEAD_BYTES,
    Present,
    Wanted,
    osd_directory,
    osd_unit,
    read_disk,
    read_present,
)


@dataclass(frozen=True)
class StopUnit:
    unit: str

    @property
    def text(self) -> str:
        return f"stop {self.unit}"


@dataclass(frozen=True)
class WipeDisk:
    """is_file: what is there is a file, and goes as a whole."""

    path: str
    is_file: bool

    @property
    def text(self) -> str:
        return f"wipe {self.path}"


@dataclass(frozen=True)
class RemoveDirectory:
    number: int

    @property
    def text(self) -> str:
        return f"remove the directory of osd.{self.number}"


Act = StopUnit | WipeDisk | RemoveDirectory


class DiscardingWork:
    """Stop an OSD of this host for good; unless keeps_data, remove what it leaves, which Ceph has forgotten."""

    def __init__(self, run: Run, number: int, *, keeps_data: bool) -> None:
        self._run, self._number, self._keeps_data = run, number, keeps_data
        self._path = ""

    @contextmanager
    def prepared(self) -> Iterator[None]:
        yield

    def plan(self) -> HostPlan[Act]:
        osd = find_osd(self._number)
        if osd is None:
            return HostPlan()
        self._path = osd.path
        acts: list[Act] = [StopUnit(osd_unit(self._number))] if self._runs() else []
        if self._keeps_data:
            return HostPlan(acts=tuple(acts))
        is_file = Path(osd.path).is_file()
        disk = read_disk(self._run, Wanted(path=osd.path, size_mib=1 if is_file else None), is_ours=True)
        # A disk that was changed by hand is another one: it is not this OSD's to wipe.
        if disk.osd_fsid == osd.fsid:
            # The disk first: while the directory is there, a run that goes on from here knows what belongs to it.
            acts.append(WipeDisk(osd.path, is_file))
        acts.append(RemoveDirectory(self._number))
        return HostPlan(acts=tuple(acts), loses=(f"the data of osd.{self._number} on {osd.path}",))

    def apply(self, acts: Sequence[Act]) -> None:
        for act in acts:
            if isinstance(act, StopUnit):
                must(self._run, ["systemctl", "disable", "--now", "--", act.unit], act.text)
            elif isinstance(act, RemoveDirectory):
                shutil.rmtree(osd_directory(act.number))
            elif act.is_file:
                Path(act.path).unlink()
            else:
                with open(act.path, "r+b", buffering=0) as opened:
                    opened.write(bytes(HEAD_BYTES))
                    os.fsync(opened.fileno())

    def describe(self, *, applied: bool) -> Mapping[str, Any]:  # noqa: ARG002
        return {"path": self._path}

    def _runs(self) -> bool:
        _, out, _ = self._run(
            ["systemctl", "show", "--property=ActiveState,UnitFileState", "--", osd_unit(self._number)]
        )
        values = dict(line.partition("=")[::2] for line in out.splitlines())
        return values.get("ActiveState") not in ("inactive", "failed") or values.get("UnitFileState") == "enabled"


def find_osd(number: int) -> Present | None:
    """Return the OSD of this number, if this host has it."""
    found = [osd for osd in read_present() if osd.id == number]
    return found[0] if found else None
