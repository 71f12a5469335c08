"""What of Ceph runs on one host: look, plan, do, and look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import CephError, Problem, RefusedError
from .connection import ADMIN, ADMIN_KEYRING, BOOTSTRAP, BOOTSTRAP_KEYRING, connected
from .host import Run, find_idle_units, start_unit
from .monitor import has_manager_key, has_store, make_manager_key, make_store, manager_unit, monitor_unit
from .osd import Present, Step, Wanted, apply_step, osd_unit, plan_osds, read_disk, read_present


@dataclass(frozen=True)
class Action:
    """One thing to do. act: does it; None where it shows only when what comes before it is done."""

    text: str
    act: Callable[[], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """osds: number, path and fsid of each OSD of the host, after what was done."""

    actions: tuple[str, ...] = ()
    osds: tuple[dict[str, Any], ...] = field(default=())

    def as_result(self) -> dict[str, Any]:
        return {
            "changed": bool(self.actions),
            "actions": list(self.actions),
            "osds": list(self.osds),
            "diff": {"before": "", "after": "".join(f"{text}\n" for text in self.actions)},
        }


def have_monitor(run: Run, name: str, fsid: str, monitors: Mapping[str, str], *, is_check: bool) -> Outcome:
    """Have a monitor of this name on this host. monitors: the address of each by its name."""
    unit = monitor_unit(name)
    actions = []
    if not has_store(name):
        actions.append(Action(f"make the store of the monitor {name}", lambda: make_store(run, name, fsid, monitors)))
    if find_idle_units(run, [unit]):
        actions.append(Action(f"start {unit}", lambda: start_unit(run, unit)))
    if not is_check:
        _do(actions)
    return Outcome(actions=tuple(action.text for action in actions))


def have_daemons(
    run: Run,
    fsid: str,
    manager: str | None,
    wanted: Sequence[Wanted],
    *,
    is_check: bool,
    timeout_s: int,
) -> Outcome:
    """Have the manager and the OSDs of this host. manager: its name, None for a host that has none."""
    steps, present = _look(run, fsid, wanted)
    needs_key = manager is not None and not has_manager_key(manager)
    done = [f"make the key of the manager {manager}"] if needs_key else []
    done += [step.text for step in steps]
    if (steps or needs_key) and not is_check:
        name, keyring = (BOOTSTRAP, BOOTSTRAP_KEYRING) if manager is None else (ADMIN, ADMIN_KEYRING)
        with connected(name, keyring, timeout_s) as ceph:
            if needs_key and manager is not None:
                make_manager_key(ceph, manager)
            for step in steps:
                apply_step(run, ceph, step)
        left, present = _look(run, fsid, wanted)
        if left:
            raise CephError(f"still to be done after all was done: {'; '.join(step.text for step in left)}")
    paths = {osd.path for osd in wanted}
    units = [manager_unit(manager)] if manager is not None else []
    units += [osd_unit(osd.id) for osd in present if osd.path in paths]
    for unit in find_idle_units(run, units):
        done.append(f"start {unit}")
        if not is_check:
            start_unit(run, unit)
    found = tuple(
        {"id": osd.id, "path": osd.path, "fsid": osd.fsid, "is_declared": osd.path in paths} for osd in present
    )
    return Outcome(actions=tuple(done), osds=found)


def _look(run: Run, fsid: str, wanted: Sequence[Wanted]) -> tuple[list[Step], list[Present]]:
    """Return (what is to be done, the OSDs that are there). Raises RefusedError where something stands against it."""
    present = read_present()
    foreign = [
        Problem(
            f"osd.{osd.id} of another Ceph ({osd.ceph_fsid}) is on this host",
            "Remove it with that Ceph's own tools first.",
        )
        for osd in present
        if osd.ceph_fsid not in (None, fsid)
    ]
    ours = {osd.path for osd in present}
    disks = {osd.path: read_disk(run, osd, is_ours=osd.path in ours) for osd in wanted}
    steps, problems = plan_osds(fsid, wanted, present, disks)
    if foreign or problems:
        raise RefusedError([*foreign, *problems])
    return steps, present


def _do(actions: Sequence[Action]) -> None:
    for action in actions:
        if action.act is not None:
            action.act()
