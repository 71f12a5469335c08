# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the systemd units of this host as they should be: at most two calls to look, however many units there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..._engine.own_host import HostPlan
from ..._model.errors import PextraError, Problem
from .plan import (
    MARKER_DIR,
    PROPERTIES,
    Action,
    Unit,
    parse_status,
    plan_units,
    read_drop_ins,
    read_file_times,
    read_reload_times,
)

# Takes a command, returns (exit code, what it printed, what it complained of).
Run = Callable[[list[str]], tuple[int, str, str]]


class UnitError(PextraError):
    """systemd failed, or a unit did."""


class UnitsWork:
    """The work of pextra_units."""

    def __init__(self, run: Run, units: Sequence[Unit]) -> None:
        self._run = run
        self._units = list(units)

    @contextmanager
    def prepared(self) -> Iterator[None]:
        yield

    def plan(self) -> HostPlan[Action]:
        names = list(dict.fromkeys(name for unit in self._units for name in (*unit.sockets, unit.name)))
        argv = ["systemctl", "show", "--timestamp=us+utc", f"--property={','.join(PROPERTIES)}", "--", *names]
        code, out, error = self._run(argv)
        if code != 0:
            raise UnitError([Problem(f"systemd does not answer: {error.strip()}", "Is it process 1 on this host?")])
        status = parse_status(out, read_reload_times(names), read_drop_ins(names))
        paths = {path for unit in self._units for path in (*unit.files, *unit.reload_files)}
        paths |= {path for item in status.values() for path in item.unit_files}
        return HostPlan(acts=tuple(plan_units(self._units, status, read_file_times(paths))))

    def apply(self, acts: Sequence[Action]) -> None:
        for act in acts:
            self._apply_one(act)
        # What was stale because of what the caller was about to change has been restarted.
        self._units = [replace(unit, is_stale=False) for unit in self._units]

    def describe(self, *, applied: bool) -> Mapping[str, Any]:
        return {}

    def _apply_one(self, act: Action) -> None:
        pending = MARKER_DIR / f"{act.reloaded}.pending"
        if act.reloaded:
            # The moment before the reload: what is written while it runs counts as not yet read.
            MARKER_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
            pending.touch()
        code, out, error = self._run(list(act.argv))
        if code != 0:
            raise UnitError([Problem(f"could not {act.text}: {error.strip() or out.strip()}", self._find_log(act))])
        if act.reloaded:
            pending.replace(MARKER_DIR / act.reloaded)

    def _find_log(self, act: Action) -> str:
        names = [name for name in (act.reloaded, *act.argv[2:]) if name and name.endswith((".service", ".socket"))]
        if not names:  # without a unit journalctl would show everybody's lines
            return ""
        argv = ["journalctl", "--no-pager", "--quiet", "--lines=10", "--output=cat"]
        log = self._run([*argv, *(f"--unit={name}" for name in names)])[1].strip()
        return f"The last lines of its journal:\n{log}" if log else ""
