"""An OSD that leaves Ceph: whether its data is safe without it, and how its data is moved away before.

Nothing here destroys data that Ceph needs: `safe-to-destroy` and `ok-to-stop` are Ceph's own judgements, and are asked
after it has been seen that there is a place for every copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import CephError, ConsentError, Problem, RefusedError
from .connection import Connection
from .pools import Health, read_health, read_pools
from .waiting import wait_for

# Ceph warns from here on (nearfull), and moves nothing more at 90 per cent.
_MOST_FULL = 0.85
_SERVED_WITHIN_S = 120


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


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """actions: what was done, or would be. host: of the OSD. is_known: whether Ceph still knows it."""

    is_known: bool
    host: str = ""
    actions: tuple[str, ...] = ()


def drain(
    ceph: Connection,
    number: int,
    monitors: Sequence[str],
    *,
    confirm: str,
    is_replaced: bool,
    is_check: bool,
    timeout_s: int,
) -> Leaving:
    """Move the data of an OSD away, if there is a place for it, and else see that Ceph goes on without it.

    is_replaced: another one comes in its place, so that for a while there may be a copy less.
    Raises ConsentError or RefusedError before anything is changed, and CephError when it takes too long.
    """
    osds = read_osds(ceph)
    found = [osd for osd in osds if osd.id == number]
    if not found:
        return Leaving(is_known=False)
    osd = found[0]
    if confirm != "DESTROY":
        raise ConsentError([
            Problem(f"osd.{number} on {osd.host} would be destroyed. Nothing was changed", "Say -e confirm=DESTROY.")
        ])  # fmt: skip
    copies = max((pool.copies for pool in read_pools(ceph).values()), default=1)
    lack = find_lack_of_room(number, osds, copies)
    if lack is not None and not is_replaced:
        raise RefusedError([Problem(f"osd.{number} cannot leave: {lack}. Nothing was changed", "Add an OSD first.")])
    if osd.is_in:
        _require_health(ceph, osd, monitors, timeout_s)
    if lack is not None:
        _require_readable(ceph, number)
        _require_ok_to_stop(ceph, number)
        return Leaving(is_known=True, host=osd.host)
    actions = (f"move the data of osd.{number} to the others",) if osd.is_in or not _is_safe(ceph, number) else ()
    if actions and not is_check:
        if osd.is_in:
            ceph.ask("osd out", ids=[str(number)])
        wait_for(f"osd.{number} holds nothing that is needed", lambda: _find_unsafe(ceph, number, monitors), timeout_s)
    return Leaving(is_known=True, host=osd.host, actions=actions)


def purge(ceph: Connection, number: int, *, confirm: str, is_replaced: bool, is_check: bool) -> Leaving:
    """Let Ceph forget an OSD. It must not run any more, and its data must not be needed."""
    found = [osd for osd in read_osds(ceph) if osd.id == number]
    if not found:
        return Leaving(is_known=False)
    if confirm != "DESTROY":
        raise ConsentError([Problem(f"osd.{number} would be forgotten", "Say -e confirm=DESTROY.")])
    if found[0].is_up and not is_check:
        raise RefusedError([Problem(f"osd.{number} still runs on {found[0].host}", "Stop it first.")])
    if not is_replaced and not _is_safe(ceph, number) and not is_check:
        raise RefusedError([
            Problem(f"osd.{number} still holds data that is needed", "Run the playbook again: it moves the data away.")
        ])  # fmt: skip
    if is_replaced and not is_check:
        # It was stopped a moment ago: the others agree first on who serves its data.
        wait_for("the others serve all data", lambda: _find_unreadable(ceph), _SERVED_WITHIN_S)
    if not is_check:
        # The manager asks once more whether it is safe; with a copy less for a while it would say no.
        ceph.ask_manager("osd purge", id=number, yes_i_really_mean_it=True, force=is_replaced)
    return Leaving(is_known=True, host=found[0].host, actions=(f"let Ceph forget osd.{number}",))


def _require_health(ceph: Connection, osd: Osd, monitors: Sequence[str], timeout_s: int) -> None:
    """All data must have all its copies before one is taken; those of an OSD that is down are lacking anyway."""

    def look() -> str | None:
        health = read_health(ceph, monitors)
        return None if health.is_settled or not osd.is_up else _advise(health)

    wait_for("all data has all its copies, before one is taken", look, timeout_s)


def _advise(health: Health) -> str:
    return f"{health.text}. Mend that first; nothing was changed"


def _require_readable(ceph: Connection, number: int) -> None:
    """What nobody serves may be on this OSD alone, so it must not be destroyed, dead as it may seem."""
    unreadable = _find_unreadable(ceph)
    if unreadable is not None:
        remedy = "Start the OSDs that are down: what is on them may be the last copy."
        raise RefusedError([Problem(f"osd.{number} may hold what nobody else has: {unreadable}", remedy)])


def _find_unreadable(ceph: Connection) -> str | None:
    states = ceph.ask("status")["pgmap"].get("pgs_by_state", ())
    bad = [f"{one['count']} {one['state_name']}" for one in states if not one["state_name"].startswith("active")]
    return f"placement groups are not served: {', '.join(bad)}" if bad else None


def _require_ok_to_stop(ceph: Connection, number: int) -> None:
    try:
        ceph.ask_manager("osd ok-to-stop", ids=[str(number)])
    except CephError as error:
        raise RefusedError([
            Problem(f"without osd.{number} data would stand still: {error}. Nothing was changed", "Add an OSD first.")
        ]) from error  # fmt: skip


def _is_safe(ceph: Connection, number: int) -> bool:
    try:
        answer: Mapping[str, Any] = ceph.ask_manager("osd safe-to-destroy", ids=[str(number)])
    except CephError:
        return False
    return number in answer["safe_to_destroy"]


def _find_unsafe(ceph: Connection, number: int, monitors: Sequence[str]) -> str | None:
    return None if _is_safe(ceph, number) else f"data is still being moved; {read_health(ceph, monitors).text}"
