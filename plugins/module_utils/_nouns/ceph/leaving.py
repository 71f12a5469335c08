# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OSD that leaves Ceph: whether its data is safe without it, and how its data is moved away before.

Nothing here destroys data that Ceph needs: `safe-to-destroy` and `ok-to-stop` are Ceph's own judgements, and are asked
after it has been seen that there is a place for every copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from ..._doors.ceph.monitors import Connection
from ..._engine.own_host import HostPlan
from ..._model.errors import CephError, Problem
from .pools import read_health, read_pools
from .waiting import wait_for

# Ceph warns from here on (nearfull), and moves nothing more at 90 per cent.
_MOST_FULL = 0.85
_SERVED_WITHIN_S = 120

Connect = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, kw_only=True)
class Osd:
    """is_in: whether Ceph places data on it."""

    id: int
    host: str
    is_up: bool
    is_in: bool
    size_kib: int
    used_kib: int


def read_osds(ceph: Connection) -> list[Osd]:
    nodes = ceph.ask_manager("osd df", output_method="tree")["nodes"]
    host_of = {child: node["name"] for node in nodes if node["type"] == "host" for child in node["children"]}
    return [
        Osd(
            id=node["id"],
            host=host_of.get(node["id"], ""),
            is_up=node["status"] == "up",
            is_in=node["reweight"] > 0,
            size_kib=node["kb"],
            used_kib=node["kb_used"],
        )
        for node in nodes
        if node["type"] == "osd"
    ]


def find_lack_of_room(leaving: int, osds: Sequence[Osd], copies: int) -> str | None:
    """Say why the others cannot hold all copies without this OSD, None if they can. copies: the most of any pool."""
    staying = [osd for osd in osds if osd.id != leaving and osd.is_up and osd.is_in]
    hosts = {osd.host for osd in staying}
    if len(hosts) < copies:
        return f"{copies} copies need {copies} hosts with OSDs, and without it there are {len(hosts)}"
    (gone,) = [osd for osd in osds if osd.id == leaving]
    # With no host to spare each host keeps its share, so the neighbours on the same host have to take it.
    nearest = [osd for osd in staying if osd.host == gone.host] if len(hosts) == copies else []
    where = f"the other OSDs of {gone.host}" if nearest else "the other OSDs"
    takers = nearest or staying
    used = gone.used_kib + sum(osd.used_kib for osd in takers)
    size = sum(osd.size_kib for osd in takers)
    if used > _MOST_FULL * size:
        return f"{where} would be {100 * used // max(size, 1)} per cent full, and {_MOST_FULL:.0%} is the most"
    return None


@dataclass(frozen=True)
class WaitForCopies:
    """All data must have all its copies before one is taken; those of an OSD that is down are lacking anyway."""

    text: str = "wait until all data has all its copies"


@dataclass(frozen=True)
class MoveData:
    number: int
    is_in: bool

    @property
    def text(self) -> str:
        return f"move the data of osd.{self.number} to the others"


@dataclass(frozen=True)
class Forget:
    number: int

    @property
    def text(self) -> str:
        return f"let Ceph forget osd.{self.number}"


class LeavingWork:
    """What both ways of leaving share. connect: opens a connection to the monitors.

    is_replaced: another one comes in its place, so that for a while there may be a copy less.
    """

    def __init__(
        self, connect: Connect, number: int, monitors: Sequence[str], *, is_replaced: bool, timeout_s: int
    ) -> None:
        self._connect, self._number, self._monitors = connect, number, monitors
        self._is_replaced, self._timeout_s = is_replaced, timeout_s
        self._host = ""
        self._is_known = False

    @contextmanager
    def prepared(self) -> Iterator[None]:
        yield

    def describe(self, *, applied: bool) -> Mapping[str, Any]:  # noqa: ARG002
        """As it was before anything was done."""
        return {"host": self._host, "is_known": self._is_known}

    def _find(self, osds: Sequence[Osd]) -> Osd | None:
        osd = next((osd for osd in osds if osd.id == self._number), None)
        if osd is not None:
            self._host, self._is_known = osd.host, True
        return osd


class DrainingWork(LeavingWork):
    """Move the data of an OSD away, if there is a place for it, and else see that Ceph goes on without it."""

    def plan(self) -> HostPlan[WaitForCopies | MoveData]:
        with self._connect() as ceph:
            osds = read_osds(ceph)
            osd = self._find(osds)
            if osd is None:
                return HostPlan()
            loses = (f"osd.{osd.id} on {osd.host}",)
            copies = max((pool.copies for pool in read_pools(ceph).values()), default=1)
            lack = find_lack_of_room(osd.id, osds, copies)
            if lack is not None and not self._is_replaced:
                problem = Problem(f"osd.{osd.id} cannot leave: {lack}", "Add an OSD first.")
                return HostPlan(refusals=(problem,), loses=loses)
            acts: list[WaitForCopies | MoveData] = []
            if osd.is_in and _find_unsettled(ceph, osd.is_up, self._monitors) is not None:
                acts.append(WaitForCopies())
            if lack is None and (osd.is_in or not _is_safe(ceph, osd.id)):
                acts.append(MoveData(osd.id, osd.is_in))
            # Judged when all has settled: until then too much seems to be missing.
            refusals = _find_dangers(ceph, osd.id) if lack is not None and not acts else ()
            return HostPlan(acts=tuple(acts), refusals=refusals, loses=loses)

    def apply(self, acts: Sequence[WaitForCopies | MoveData]) -> None:
        with self._connect() as ceph:
            is_up = any(osd.id == self._number and osd.is_up for osd in read_osds(ceph))
            for act in acts:
                if isinstance(act, WaitForCopies):
                    wait_for(
                        "all data has all its copies, before one is taken",
                        lambda: _find_unsettled(ceph, is_up, self._monitors),
                        self._timeout_s,
                    )
                    continue
                if act.is_in:
                    ceph.ask("osd out", ids=[str(act.number)])
                wait_for(
                    f"osd.{act.number} holds nothing that is needed",
                    lambda: _find_unsafe(ceph, self._number, self._monitors),
                    self._timeout_s,
                )


class PurgingWork(LeavingWork):
    """Let Ceph forget an OSD. It must not run any more, and its data must not be needed."""

    def plan(self) -> HostPlan[Forget]:
        with self._connect() as ceph:
            osd = self._find(read_osds(ceph))
            if osd is None:
                return HostPlan()
            conditions = []
            if osd.is_up:
                conditions.append(Problem(f"osd.{osd.id} still runs on {osd.host}", "Stop it first."))
            if not self._is_replaced and not _is_safe(ceph, osd.id):
                remedy = "Run the playbook again: it moves the data away."
                conditions.append(Problem(f"osd.{osd.id} still holds data that is needed", remedy))
            # In a check the OSD has not been stopped, nor its data moved, by what comes before.
            return HostPlan(
                acts=(Forget(osd.id),), conditions=tuple(conditions), loses=(f"osd.{osd.id} on {osd.host}",)
            )

    def apply(self, acts: Sequence[Forget]) -> None:
        with self._connect() as ceph:
            if self._is_replaced:
                # It was stopped a moment ago: the others agree first on who serves its data.
                wait_for("the others serve all data", lambda: _find_unreadable(ceph), _SERVED_WITHIN_S)
            for act in acts:
                # The manager asks once more whether it is safe; with a copy less for a while it would say no.
                ceph.ask_manager("osd purge", id=act.number, yes_i_really_mean_it=True, force=self._is_replaced)


def _find_unsettled(ceph: Connection, is_up: bool, monitors: Sequence[str]) -> str | None:
    health = read_health(ceph, monitors)
    return None if health.is_settled or not is_up else f"{health.text}. Mend that first; nothing was changed"


def _find_dangers(ceph: Connection, number: int) -> tuple[Problem, ...]:
    """What nobody else serves may be on this OSD alone, so it must not be destroyed, dead as it may seem."""
    unreadable = _find_unreadable(ceph)
    if unreadable is not None:
        remedy = "Start the OSDs that are down: what is on them may be the last copy."
        return (Problem(f"osd.{number} may hold what nobody else has: {unreadable}", remedy),)
    try:
        ceph.ask_manager("osd ok-to-stop", ids=[str(number)])
    except CephError as error:
        return (Problem(f"without osd.{number} data would stand still: {error}", "Add an OSD first."),)
    return ()


def _find_unreadable(ceph: Connection) -> str | None:
    states = ceph.ask("status")["pgmap"].get("pgs_by_state", ())
    bad = [f"{one['count']} {one['state_name']}" for one in states if not one["state_name"].startswith("active")]
    return f"placement groups are not served: {', '.join(bad)}" if bad else None


def _is_safe(ceph: Connection, number: int) -> bool:
    try:
        answer: Mapping[str, Any] = ceph.ask_manager("osd safe-to-destroy", ids=[str(number)])
    except CephError:
        return False
    return number in answer["safe_to_destroy"]


def _find_unsafe(ceph: Connection, number: int, monitors: Sequence[str]) -> str | None:
    return None if _is_safe(ceph, number) else f"data is still being moved; {read_health(ceph, monitors).text}"
