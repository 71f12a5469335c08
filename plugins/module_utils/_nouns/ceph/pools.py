# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools of Ceph and their clients: planned from what the monitors say, and carried out by their commands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._doors.ceph.monitors import (
    ADMIN,
    ADMIN_KEYRING,
    Connection,
    connected,
)
from ..._engine.own_host import HostPlan
from .waiting import wait_for

_APPLICATION = "rbd"
# A warning that comes with a change is gone by then, another one stays for a person.
_GRACE_S = 20.0


@dataclass(frozen=True, kw_only=True)
class WantedPool:
    """client: the user, without `client.`, that may use this pool and nothing else."""

    name: str
    copies: int
    min_copies: int
    client: str


@dataclass(frozen=True, kw_only=True)
class PresentPool:
    copies: int
    min_copies: int
    applications: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command for the monitors, and what it does in words."""

    text: str
    command: str
    arguments: Mapping[str, Any]


def rights_on(pool: str) -> dict[str, str]:
    """Return the least that a client needs to make, use and remove images in one pool (Ceph: profiles rbd)."""
    return {"mon": "profile rbd", "osd": f"profile rbd pool={pool}", "mgr": f"profile rbd pool={pool}"}


def plan_pools(
    wanted: Sequence[WantedPool], present: Mapping[str, PresentPool], rights: Mapping[str, Mapping[str, str]]
) -> list[Step]:
    """Return what leads from what is to what should be. rights: of the clients that there are, by their name.

    A pool that is not declared is left alone: nothing here ever deletes one.
    """
    steps: list[Step] = []
    for pool in wanted:
        have = present.get(pool.name)
        if have is None:
            steps.append(
                Step(text=f"create the pool {pool.name}", command="osd pool create", arguments={"pool": pool.name})
            )
        steps += _plan_values(pool, have)
        if have is None or _APPLICATION not in have.applications:
            steps.append(
                Step(
                    text=f"mark the pool {pool.name} as one for {_APPLICATION}",
                    command="osd pool application enable",
                    arguments={"pool": pool.name, "app": _APPLICATION},
                )
            )
        steps += _plan_client(pool, rights.get(f"client.{pool.client}"))
    return steps


def _plan_values(pool: WantedPool, have: PresentPool | None) -> list[Step]:
    def change(variable: str, value: int, was: int | None) -> Step:
        text = f"set {variable} of the pool {pool.name} to {value}" + (f", it was {was}" if was is not None else "")
        arguments = {"pool": pool.name, "var": variable, "val": str(value)}
        return Step(text=text, command="osd pool set", arguments=arguments)

    copies, least = (have.copies, have.min_copies) if have is not None else (None, None)
    sizes = [change("size", pool.copies, copies)] if copies != pool.copies else []
    # Ceph changes the least number along with the number, so it is set after it.
    is_moved = bool(sizes)
    leasts = [change("min_size", pool.min_copies, least)] if is_moved or least != pool.min_copies else []
    return sizes + leasts


def _plan_client(pool: WantedPool, have: Mapping[str, str] | None) -> list[Step]:
    rights = rights_on(pool.name)
    if have == rights:
        return []
    words = [word for pair in rights.items() for word in pair]
    command, verb = ("auth get-or-create", "make") if have is None else ("auth caps", "put right")
    return [
        Step(
            text=f"{verb} the client {pool.client}, which may use the pool {pool.name} alone",
            command=command,
            arguments={"entity": f"client.{pool.client}", "caps": words},
        )
    ]


def read_pools(ceph: Connection) -> dict[str, PresentPool]:
    return {
        pool["pool_name"]: PresentPool(
            copies=pool["size"],
            min_copies=pool["min_size"],
            applications=frozenset(pool["application_metadata"]),
        )
        for pool in ceph.ask("osd pool ls", detail="detail")
    }


def read_rights(ceph: Connection) -> dict[str, dict[str, str]]:
    """Return the rights of all clients by their name. Keys are not kept."""
    return {entry["entity"]: entry["caps"] for entry in ceph.ask("auth ls")["auth_dump"]}


def apply_step(ceph: Connection, step: Step) -> None:
    ceph.ask(step.command, **step.arguments)


# How it is


@dataclass(frozen=True, kw_only=True)
class Health:
    """status: HEALTH_OK, HEALTH_WARN or HEALTH_ERR. missing: what should run, or be in place, and is not, in words."""

    status: str
    checks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    osds: int = 0
    osds_up: int = 0

    @property
    def is_settled(self) -> bool:
        """All that should run does, and all data has all its copies. Other warnings do not go away by waiting."""
        return not self.missing and self.status != "HEALTH_ERR"

    @property
    def is_well(self) -> bool:
        return self.status == "HEALTH_OK" and not self.missing

    @property
    def text(self) -> str:
        said = "; ".join((*self.checks, *self.missing))
        return f"{self.status}: {said}" if said else self.status

    def as_result(self) -> dict[str, Any]:
        return {"status": self.status, "text": self.text, "osds": self.osds, "osds_up": self.osds_up}


# In a check, before there is a Ceph that could be asked.
UNKNOWN = Health(status="unknown")


def read_health(ceph: Connection, monitors: Sequence[str]) -> Health:
    """monitors: the names of those that should be in the quorum."""
    return judge_health(ceph.ask("status"), monitors)


def judge_health(status: Mapping[str, Any], monitors: Sequence[str]) -> Health:
    checks = status["health"]["checks"]
    osds = status["osdmap"]
    quorum = status["quorum_names"]
    missing = [f"the monitor {name} is not in the quorum" for name in monitors if name not in quorum]
    surplus = [f"the monitor {name} is not declared; see docs/ceph.md" for name in quorum if name not in monitors]
    if osds["num_up_osds"] < osds["num_osds"]:
        missing.append(f"{osds['num_osds'] - osds['num_up_osds']} of {osds['num_osds']} OSDs are down")
    moving = {
        state["state_name"]: state["count"]
        for state in status["pgmap"].get("pgs_by_state", ())
        if not state["state_name"].startswith("active+clean")
    }
    if moving:
        parts = ", ".join(f"{count} {state}" for state, count in sorted(moving.items()))
        missing.append(f"of {status['pgmap']['num_pgs']} placement groups {parts}")
    if not status["mgrmap"].get("available"):
        missing.append("no manager is active")
    return Health(
        status=status["health"]["status"],
        checks=tuple(f"{name} {check['summary']['message']}" for name, check in sorted(checks.items()))
        + tuple(surplus),
        missing=tuple(missing),
        osds=osds["num_osds"],
        osds_up=osds["num_up_osds"],
    )


def wait_for_health(ceph: Connection, monitors: Sequence[str], timeout_s: float) -> Health:
    """Wait until all is in place, then for a moment until Ceph says so, and return how it is. Raises CephError."""
    last: list[Health] = []
    settled: list[float] = []

    def look() -> str | None:
        last[:] = [read_health(ceph, monitors)]
        if not last[0].is_settled:
            settled.clear()
            return last[0].text
        settled.append(time.monotonic())
        return None if last[0].is_well or settled[-1] - settled[0] >= _GRACE_S else last[0].text

    wait_for("Ceph is as it should be", look, timeout_s)
    return last[0]


class PoolsWork:
    """Have the pools and their clients. monitors: the names of those that should be in the quorum.

    waits: whether to wait until all is well even if nothing had to be done.
    """

    def __init__(self, wanted: Sequence[WantedPool], monitors: Sequence[str], *, waits: bool, timeout_s: int) -> None:
        self._wanted, self._monitors, self._waits, self._timeout_s = wanted, monitors, waits, timeout_s

    @contextmanager
    def prepared(self) -> Iterator[None]:
        yield

    def plan(self) -> HostPlan[Step]:
        if not self._is_there():
            # In a check, before there is a Ceph that could be asked. A real run fails when it connects.
            return HostPlan(acts=tuple(plan_pools(self._wanted, {}, {})))
        with self._connected() as ceph:
            return HostPlan(acts=tuple(plan_pools(self._wanted, read_pools(ceph), read_rights(ceph))))

    def apply(self, acts: Sequence[Step]) -> None:
        with self._connected() as ceph:
            for act in acts:
                apply_step(ceph, act)
        self._waits = True

    def describe(self, *, applied: bool) -> Mapping[str, Any]:
        """How Ceph is."""
        health = UNKNOWN
        if applied or self._is_there():
            with self._connected() as ceph:
                waits = applied and self._waits
                health = (
                    wait_for_health(ceph, self._monitors, self._timeout_s)
                    if waits
                    else read_health(ceph, self._monitors)
                )
        is_worth_telling = not health.is_well and health is not UNKNOWN
        warnings = [f"Ceph is not well: {health.text}"] if is_worth_telling else []
        return {"health": health.as_result(), "warnings": warnings}

    def _is_there(self) -> bool:
        return Path(ADMIN_KEYRING).exists()

    def _connected(self) -> AbstractContextManager[Connection]:
        return connected(ADMIN, ADMIN_KEYRING, self._timeout_s)
