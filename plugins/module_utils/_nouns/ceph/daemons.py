# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of Ceph runs on one host: its monitor; its manager and its OSDs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..._doors.ceph.monitors import (
    ADMIN,
    ADMIN_KEYRING,
    BOOTSTRAP,
    BOOTSTRAP_KEYRING,
    connected,
)
from ..._engine.own_host import HostPlan
from ..._model.errors import Problem
from .host import Run, find_idle_units, start_unit
from .monitor import (
    has_manager_key,
    has_store,
    make_manager_key,
    make_store,
    manager_unit,
    monitor_unit,
)
from .osd import (
    Present,
    Step,
    Wanted,
    apply_step,
    osd_unit,
    plan_osds,
    read_disk,
    read_present,
)


@dataclass(frozen=True)
class MakeStore:
    monitor: str

    @property
    def text(self) -> str:
        return f"make the store of the monitor {self.monitor}"


@dataclass(frozen=True)
class MakeManagerKey:
    manager: str

    @property
    def text(self) -> str:
        return f"make the key of the manager {self.manager}"


@dataclass(frozen=True)
class StartUnit:
    unit: str

    @property
    def text(self) -> str:
        return f"start {self.unit}"


class MonitorWork:
    """Have a monitor of this name on this host. monitors: the address of each by its name."""

    def __init__(self, run: Run, name: str, fsid: str, monitors: Mapping[str, str]) -> None:
        self._run, self._name, self._fsid, self._monitors = run, name, fsid, monitors

    @contextmanager
    def prepared(self) -> Iterator[None]:
        yield

    def plan(self) -> HostPlan[MakeStore | StartUnit]:
        acts: list[MakeStore | StartUnit] = [] if has_store(self._name) else [MakeStore(self._name)]
        acts += [StartUnit(unit) for unit in find_idle_units(self._run, [monitor_unit(self._name)])]
        return HostPlan(acts=tuple(acts))

    def apply(self, acts: Sequence[MakeStore | StartUnit]) -> None:
        for act in acts:
            if isinstance(act, MakeStore):
                make_store(self._run, act.monitor, self._fsid, self._monitors)
            else:
                start_unit(self._run, act.unit)

    def describe(self, *, applied: bool) -> Mapping[str, Any]:  # noqa: ARG002
        return {}


class DaemonsWork:
    """Have the manager and the OSDs of this host. manager: its name, None for a host that has none."""

    def __init__(self, run: Run, fsid: str, manager: str | None, wanted: Sequence[Wanted], timeout_s: int) -> None:
        self._run, self._fsid, self._manager, self._wanted, self._timeout_s = run, fsid, manager, wanted, timeout_s
        self._paths = {osd.path for osd in wanted}

    @contextmanager
    def prepared(self) -> Iterator[None]:
        yield

    def plan(self) -> HostPlan[MakeManagerKey | Step | StartUnit]:
        present = read_present()
        foreign = [
            Problem(
                f"osd.{osd.id} of another Ceph ({osd.ceph_fsid}) is on this host",
                "Remove it with that Ceph's own tools first.",
            )
            for osd in present
            if osd.ceph_fsid not in (None, self._fsid)
        ]
        ours = {osd.path for osd in present}
        disks = {osd.path: read_disk(self._run, osd, is_ours=osd.path in ours) for osd in self._wanted}
        steps, problems = plan_osds(self._fsid, self._wanted, present, disks)
        acts: list[MakeManagerKey | Step | StartUnit] = []
        if self._manager is not None and not has_manager_key(self._manager):
            acts.append(MakeManagerKey(self._manager))
        # An OSD that is yet to be made has no number, and so no unit: making it includes its start.
        acts += [*steps, *(StartUnit(unit) for unit in find_idle_units(self._run, self._units(present)))]
        return HostPlan(acts=tuple(acts), refusals=(*foreign, *problems))

    def apply(self, acts: Sequence[MakeManagerKey | Step | StartUnit]) -> None:
        making = [act for act in acts if not isinstance(act, StartUnit)]
        if making:
            name, keyring = (BOOTSTRAP, BOOTSTRAP_KEYRING) if self._manager is None else (ADMIN, ADMIN_KEYRING)
            with connected(name, keyring, self._timeout_s) as ceph:
                for act in making:
                    if isinstance(act, MakeManagerKey):
                        make_manager_key(ceph, act.manager)
                    else:
                        apply_step(self._run, ceph, act)
        for unit in find_idle_units(self._run, self._units(read_present())):
            start_unit(self._run, unit)

    def describe(self, *, applied: bool) -> Mapping[str, Any]:  # noqa: ARG002
        """Number, path and fsid of each OSD of the host."""
        osds = [
            {"id": osd.id, "path": osd.path, "fsid": osd.fsid, "is_declared": osd.path in self._paths}
            for osd in read_present()
        ]
        return {"osds": osds}

    def _units(self, present: Sequence[Present]) -> list[str]:
        units = [manager_unit(self._manager)] if self._manager is not None else []
        return units + [osd_unit(osd.id) for osd in present if osd.path in self._paths]
