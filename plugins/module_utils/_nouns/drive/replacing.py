# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the replacement of a drive on the host that a module runs on, with progress and a bound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..._doors.host.drive_takings import noted
from ..._doors.host.drives import (
    DiskError,
    Tools,
    find_missing_tools,
    locked,
    read_seen,
)
from ..._engine.own_host import HostPlan
from ..._engine.progress import Progress, note_transfer
from ..._model.errors import Problem
from ..._model.plan import Step
from .replacement import (
    Drive,
    Replacement,
    find_zpool_damage,
    plan_replacement,
)
from .spec import DiskSet

PLURAL = "drives"
_LOOK_EVERY_S = 3
_PERCENT = re.compile(r"([0-9.]+)% done")


class ReplacementWork:
    """The work of pextra_drive_replace."""

    def __init__(self, node: str, asked: Drive, sets: Sequence[DiskSet], tools: Tools, timeout_s: int) -> None:
        self._node, self._asked, self._sets, self._tools, self._timeout_s = node, asked, sets, tools, timeout_s
        self._plan = Replacement()
        self._is_waited_for = False

    @contextmanager
    def prepared(self) -> Iterator[None]:
        with locked():
            yield

    def plan(self) -> HostPlan[Step]:
        if self._is_waited_for:
            return HostPlan()
        missing = find_missing_tools([one.use for one in self._sets], self._tools)
        if missing:
            return HostPlan(refusals=tuple(missing))
        plan = plan_replacement(self._asked, self._sets, read_seen(self._tools), self._node)
        self._plan = replace(plan, name=plan.name or self._plan.name)
        return HostPlan(acts=plan.steps, refusals=plan.refusals, warnings=plan.warnings, loses=plan.loses)

    def apply(self, acts: Sequence[Step]) -> None:
        """If it is interrupted, the next run goes on where this one was."""
        name, new = self._plan.name or "", self._plan.new
        with noted(name, [new] if new else []), Progress(PLURAL, 1):
            for step in acts:
                _carry_out(name, step, self._tools, self._timeout_s)
        if new is None:
            # Only waited for what an earlier run began: the drive is gone, and nobody knows any more what replaced it.
            self._is_waited_for = True
        else:
            # Whether it is done shows by the disk that came instead.
            self._asked = replace(self._asked, replacement=new.device)

    def describe(self, *, applied: bool) -> Mapping[str, Any]:  # noqa: ARG002
        return {"set": self._plan.name}


def _carry_out(name: str, step: Step, tools: Tools, timeout_s: int) -> None:
    data = step.data
    if step.act == "extend":
        tools.act("vgextend", name, data["device"])
    elif step.act == "forget":
        tools.act("vgreduce", "--removemissing", *(["--force", "--yes"] if data["force"] else []), name)
    elif step.act == "move":
        # Where one was interrupted, LVM goes on with that one.
        argv = ["pvmove", "--interval", "1", data["old"], data["new"]]
        _watch(tools, argv, timeout_s, lambda: _read_move(name, data["bytes"], tools))
    elif step.act == "reduce":
        # Its label stays, and keeps the disk from being taken for an empty one.
        tools.act("vgreduce", name, data["old"])
    elif step.act == "replace":
        tools.act("zpool", "replace", name, data["old"], data["new"])
    elif step.act == "wait":
        _watch(tools, ["zpool", "wait", "-t", "replace,resilver", name], timeout_s, lambda: _read_resilver(name, tools))
        _require_sound(name, tools)


def _watch(tools: Tools, argv: list[str], timeout_s: int, note: Callable[[], None]) -> None:
    """Run a command that takes long, and note how far it is in the meantime."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(tools.act_within, timeout_s, *argv)
        while not future.done():
            try:
                future.result(timeout=_LOOK_EVERY_S)
            except NotYetError:
                note()
    future.result()


def _read_move(name: str, total: int, tools: Tools) -> None:
    out = tools.read("lvs", "--all", "--noheadings", "--select", "lv_name=~^pvmove", "-o", "copy_percent", name)
    if out.strip():
        note_transfer(f"volume group {name}", int(float(out.split()[0]) / 100 * total), total)


def _read_resilver(name: str, tools: Tools) -> None:
    percent = _PERCENT.search(tools.read("zpool", "status", name))
    total = int(tools.read("zpool", "list", "-Hp", "-o", "allocated", name).strip())
    if percent:
        note_transfer(f"zpool {name}", int(float(percent[1]) / 100 * total), total)


def _require_sound(name: str, tools: Tools) -> None:
    pool = read_seen(tools).zpool(name)
    damage = find_zpool_damage(pool) if pool else "it is gone"
    if damage:
        remedy = f"zpool status -v {name} names the files and volumes; restore them from a backup."
        raise DiskError([Problem(f"the drive was replaced, but the zpool {name} has errors: {damage}", remedy)])
