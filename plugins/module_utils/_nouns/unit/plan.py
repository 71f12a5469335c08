# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units of a node: what each should be, what it is, and the commands that lead from one to the other.

A service is stale if something that it read at its start has changed since. That is found by comparing times on the
host, not by remembering within a run that a file was written: so a run that was killed between writing a file and
restarting its service is mended by the next one, and a service whose configuration did not change is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "ActiveEnterTimestamp",
    "FragmentPath",
    "DropInPaths",
)
# Where the time of the last reload is kept; gone after a boot, when everything has been started afresh.
MARKER_DIR = Path("/run/pextra/reloaded")
DROP_IN_DIR = Path("/etc/systemd/system")
# Unit file states of units that cannot be enabled because nothing has to.
_NOT_ENABLABLE = ("static", "indirect", "generated", "alias", "transient", "enabled-runtime")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """How a unit should be.

    files: what it reads at its start; newer ones mean a restart.
    reload_files: what `reload` makes it read again while it runs.
    sockets: units that hand it their sockets; they have to listen before it starts.
    is_stale: restart in any case, because the caller is about to change what it reads (check mode).
    """

    name: str
    masked: bool = False
    files: tuple[str, ...] = ()
    reload_files: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    is_stale: bool = False


@dataclass(frozen=True, kw_only=True)
class UnitStatus:
    """How systemd says that a unit is. Times are seconds since the epoch; active_since is 0 if it is not active."""

    name: str
    load: str = "not-found"
    active: str = "inactive"
    enabled: str = ""
    needs_daemon_reload: bool = False
    active_since: float = 0.0
    reloaded_at: float = 0.0
    unit_files: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        return self.active in ("active", "reloading", "activating")


@dataclass(frozen=True)
class Action:
    """One command, and what it is in words. reloaded: the unit whose reload is to be remembered afterwards."""

    argv: tuple[str, ...]
    text: str
    reloaded: str | None = None


def parse_status(
    text: str, reloaded_at: Mapping[str, float], drop_ins: Mapping[str, Sequence[str]]
) -> dict[str, UnitStatus]:
    """Parse `systemctl show --timestamp=us+utc` of several units: blocks of key=value, separated by empty lines."""
    found = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = values.get("Id", "")
        if not name:
            continue
        paths = [values.get("FragmentPath", ""), *values.get("DropInPaths", "").split(), *drop_ins.get(name, ())]
        is_active = values.get("ActiveState") in ("active", "reloading")
        found[name] = UnitStatus(
            name=name,
            load=values.get("LoadState", "not-found"),
            active=values.get("ActiveState", "inactive"),
            enabled=values.get("UnitFileState", ""),
            needs_daemon_reload=values.get("NeedDaemonReload") == "yes",
            active_since=parse_timestamp(values.get("ActiveEnterTimestamp", "")) if is_active else 0.0,
            reloaded_at=reloaded_at.get(name, 0.0),
            unit_files=tuple(dict.fromkeys(path for path in paths if path)),
        )
    return found


def parse_timestamp(text: str) -> float:
    """Parse systemd's `Sat 2026-11-21 08:45:10.123456 UTC`; nothing and `n/a` are 0."""
    parts = text.split()
    if len(parts) != 4:
        return 0.0
    moment = datetime.strptime(f"{parts[1]} {parts[2]}", "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    return moment.timestamp()


def read_drop_ins(names: Iterable[str]) -> dict[str, list[str]]:
    """Return each unit's drop-in files, also those that systemd does not know before it is reloaded."""
    return {name: [str(path) for path in sorted((DROP_IN_DIR / f"{name}.d").glob("*.conf"))] for name in names}


def read_reload_times(names: Iterable[str]) -> dict[str, float]:
    """Return when each unit was last made to reload."""
    return {name: _changed_at(MARKER_DIR / name) for name in names}


def read_file_times(paths: Iterable[str]) -> dict[str, float]:
    """Return when each file was last written; 0 for files that are not there."""
    return {path: _changed_at(Path(path)) for path in paths}


def _changed_at(path: Path) -> float:
    try:
        # What a link points to is what the service reads.
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def plan_units(
    units: Sequence[Unit], status: Mapping[str, UnitStatus], file_times: Mapping[str, float]
) -> list[Action]:
    """Return the commands that make every unit as it should be, in order; none if all are."""
    actions: list[Action] = []
    masks = [unit.name for unit in units if unit.masked and _status(status, unit.name).load != "masked"]
    if masks:
        # An active unit keeps listening after it has been masked, hence --now.
        actions.append(_systemctl("mask", "--now", *masks))
    wanted = [unit for unit in units if not unit.masked]
    if any(item.needs_daemon_reload for item in status.values()) or any(
        _has_new_units(unit, _status(status, unit.name), file_times) for unit in wanted
    ):
        actions.append(_systemctl("daemon-reload"))
    disabled = [
        name
        for unit in wanted
        for name in (*unit.sockets, unit.name)
        if _status(status, name).enabled not in ("enabled", *_NOT_ENABLABLE)
    ]
    if disabled:
        actions.append(_systemctl("enable", *disabled))
    for unit in wanted:
        actions += _plan_unit(unit, status, file_times)
    return actions


def _plan_unit(unit: Unit, status: Mapping[str, UnitStatus], file_times: Mapping[str, float]) -> list[Action]:
    now = _status(status, unit.name)
    sockets = [_status(status, name) for name in unit.sockets]
    closed = [item.name for item in sockets if not item.is_active]
    stale_sockets = [
        item.name for item in sockets if item.is_active and _newest(item.unit_files, file_times) > item.active_since
    ]
    if closed or stale_sockets:
        # systemd opens no socket of a service that runs; and sockets bound to another stop with it.
        return [_systemctl("stop", unit.name, *stale_sockets), _systemctl("start", *unit.sockets, unit.name)]
    if not now.is_active:
        return [_systemctl("start", unit.name)]
    if unit.is_stale or _newest((*unit.files, *now.unit_files), file_times) > now.active_since:
        return [_systemctl("restart", unit.name)]
    if unit.reload and _newest(unit.reload_files, file_times) > max(now.active_since, now.reloaded_at):
        return [Action(unit.reload, f"reload {unit.name}", reloaded=unit.name)]
    return []


def _has_new_units(unit: Unit, now: UnitStatus, file_times: Mapping[str, float]) -> bool:
    """Tell whether a unit begins others, such as a timer its service, of which systemd has read what was before."""
    return _newest([path for path in unit.files if Path(path).parent == DROP_IN_DIR], file_times) > now.active_since


def _status(status: Mapping[str, UnitStatus], name: str) -> UnitStatus:
    return status.get(name) or UnitStatus(name=name)


def _newest(paths: Iterable[str], file_times: Mapping[str, float]) -> float:
    return max((file_times.get(path, 0.0) for path in paths), default=0.0)


def _systemctl(verb: str, *arguments: str) -> Action:
    names = [argument for argument in arguments if not argument.startswith("-")]
    return Action(("systemctl", verb, *arguments), " ".join((verb, *names)))
