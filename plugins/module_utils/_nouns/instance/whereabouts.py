# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an instance is that something is to be done to, and how it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from ..._model.errors import Problem
from ..._model.ids import uuid_of
from ..._model.plan import Plan, Work
from ..._model.rows import Row
from ..hierarchy.plan import Hierarchy, find_cluster
from .plan.context import FailedError, RefusedError
from .plan.state import VmHave


@dataclass(frozen=True)
class Seen:
    """An instance's domain on a node. state: running, paused, asleep, saved or stopped; xml: the running guest's.
    hangs: its watchdog has paused it.
    """

    node: str
    state: str
    xml: str = field(repr=False, default="")
    hangs: bool = False

    @property
    def is_active(self) -> bool:
        return self.state not in ("stopped", "saved")


@dataclass(frozen=True)
class Whereabouts:
    """seen is by UUID; down says why nodes do not answer. instances: all that there is on nodes, where what is done may
    take room there.
    """

    hierarchy: Hierarchy
    seen: Mapping[str, Sequence[Seen]]
    down: Mapping[str, Problem]
    instances: VmHave | None = None

    def rows(self, cluster_id: str) -> list[Row]:
        return [row for row in self.hierarchy.members if row.kind == "instance" and row.scope == cluster_id]

    def homes(self, row: Row) -> list[str]:
        """Return the nodes on which an instance is registered: while it moves, those are two."""
        named = {one.id: one.name for one in self.hierarchy.members if one.kind == "node"}
        return [named[id_] for id_ in (row.attributes.get("node"), row.attributes.get("origin")) if id_ in named]


class Wanted(Protocol):
    """An act on an instance."""

    @property
    def name(self) -> str: ...

    @property
    def cluster(self) -> str | None: ...


Want = TypeVar("Want", bound=Wanted)
_HOW = {
    "running": ("it is running", "Stop it first."),
    "paused": ("it is paused", "Let it go on first (action: resume)."),
    "asleep": ("it is suspended to memory", "Wake it up first (action: resume)."),
    "saved": (
        "it is saved",
        "Let it go on first (action: resume), or give what was saved of its memory up (action: discard_saved).",
    ),
    "stopped": ("it is stopped", "Start it first (pextra_vm with power: running)."),
}


def refusal_of(state: str, reason: str = "") -> RefusedError:
    """Return why nothing can be done to an instance in a state."""
    what, remedy = _HOW[state]
    return RefusedError(what + reason, remedy.replace("(action:", "(pextra_vm_power with action:"))


def refuse_container(row: Row, what: str) -> None:
    """Refuse what a container has not."""
    if row.attributes.get("type") == "lxc":
        raise RefusedError(f"it is a container, and has no {what}", "docs/containers.md says what containers have.")


def plan_each(wants: Sequence[Want], have: Whereabouts, plan_one: Callable[[Want, Row, Seen], Work | None]) -> Plan:
    """Plan each act where its instance is. A node that does not answer stops only what may be on it."""
    works: list[Work] = []
    refusals: list[Problem] = []
    failures: list[Problem] = []
    planned: set[str] = set()
    for want in wants:
        label = f"instance {want.name}"
        try:
            row = find_row(want, have)
            if row.id in planned:
                raise RefusedError("it is given twice, by its name and by its identifier", "Leave one of them out.")
            planned.add(row.id)
            work = plan_one(want, row, locate(row, have))
            works += [work] if work is not None else []
        except RefusedError as refused:
            refusals.append(Problem(refused.what, refused.remedy, resource=label))
        except FailedError as error:
            failures.append(replace(error.problem, resource=label))
    return Plan(works=tuple(works), refusals=tuple(refusals), failures=tuple(failures))


def find_row(want: Wanted, have: Whereabouts) -> Row:
    cluster = find_cluster(want.cluster, have.hierarchy.clusters)
    if isinstance(cluster, str):
        raise RefusedError(cluster)
    row = next((row for row in have.rows(cluster.id) if want.name in (row.name, row.id)), None)
    if row is None:
        raise RefusedError(
            f"there is no such instance in cluster {cluster.name}", "pextra_vm_info lists what there is."
        )
    return row


def locate(row: Row, have: Whereabouts) -> Seen:
    """Return the domain that is the instance."""
    seen = have.seen.get(uuid_of(row.id), ())
    active = [one for one in seen if one.is_active]
    if len(active) > 1:
        raise RefusedError(
            f"it runs on {' and '.join(one.node for one in active)} at once",
            "Stop it on one of them by hand: two guests on one volume destroy its file system.",
        )
    if active:
        return active[0]
    homes = have.homes(row)
    # It may run where nobody answers, and what is seen here be what a move has left behind.
    for home in homes:
        if home in have.down:
            raise FailedError(have.down[home])
    if not seen:
        raise RefusedError("it is registered, and on no node", "Let pextra_vm or site.yml make it anew.")
    return next((one for one in seen if one.node in homes[:1]), seen[0])


def describe_whereabouts(wants: Sequence[Wanted], have: Whereabouts) -> list[dict[str, Any]]:
    """Return where instances are, and how, in the order of the acts; what is not known is none."""
    clusters = {row.id: row.name for row in have.hierarchy.clusters}
    told = []
    for want in wants:
        try:
            row = find_row(want, have)
        except RefusedError:
            told.append({"name": want.name})
            continue
        item: dict[str, Any] = {"id": row.id, "name": row.name, "cluster": clusters.get(row.scope)}
        try:
            seen = locate(row, have)
            told.append(item | {"node": seen.node, "power": seen.state})
        except RefusedError:
            told.append(item | {"node": None, "power": "undefined"})
        except FailedError:
            told.append(item | {"node": next(iter(have.homes(row)), None), "power": "unknown"})
    return told
