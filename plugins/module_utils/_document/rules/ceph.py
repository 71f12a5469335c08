# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the deployment's own Ceph, and storage pools that are in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._fields.field import element_path
from ..._model.mistake import Mistake, shown, suggest
from ..._nouns.ceph.spec import (
    POOL,
    CephPool,
    Osd,
    fsid_of,
)
from ..._nouns.node.spec import Node
from ..elements import (
    Declared,
    Host,
    Written,
    drop_follow_ups,
    parse_elements,
    read_list,
    read_value,
)
from ..hosts import host_path
from ..variables import DOCUMENT

MONITORS = "pextra_ceph_monitors"
POOLS = "pextra_ceph_pools"
OSDS = "pextra_ceph_osds"


@dataclass(frozen=True, kw_only=True)
class Ceph:
    """monitors: names of nodes, none where there is no Ceph of the deployment's own. osds: by the name of the node.

    is_whole: whether all that was written could be read; are_monitors_known: whether the monitors could.
    """

    monitors: tuple[str, ...] = ()
    pools: tuple[Declared[CephPool], ...] = ()
    osds: Mapping[str, tuple[Osd, ...]]
    is_whole: bool = True
    are_monitors_known: bool = True


def read_ceph(
    variables: Mapping[str, Any], hosts: Mapping[str, Host], nodes: Sequence[Declared[Node]]
) -> tuple[Ceph, list[Mistake]]:
    """Return (what is declared, mistakes)."""
    names = [node.spec.name for node in nodes]
    monitors, mistakes = read_value(DOCUMENT[MONITORS], variables.get(MONITORS), MONITORS)
    are_monitors_known = not mistakes
    mistakes += _find_monitor_mistakes(monitors or (), names, is_known=are_monitors_known)
    monitors = tuple(name for name in monitors or () if name is not None)
    written, found = read_list(POOLS, variables.get(POOLS))
    mistakes += found
    pools, found = parse_elements(POOL, CephPool, written or ())
    mistakes += found
    osds: dict[str, tuple[Osd, ...]] = {}
    for name, host in hosts.items():
        osds[name], found = _read_osds(host.osds, host_path(name, OSDS))
        mistakes += found
    used = {name: some for name, some in osds.items() if some}
    ceph = Ceph(monitors=monitors, pools=pools, osds=used, is_whole=not mistakes, are_monitors_known=are_monitors_known)
    are_osds_known = all(node.knows(OSDS) for node in nodes)
    found = _find_rule_mistakes(ceph, are_osds_known=are_osds_known) if are_monitors_known else []
    return ceph, mistakes + drop_follow_ups(found, mistakes)


def _find_monitor_mistakes(monitors: Sequence[str | None], nodes: Sequence[str], *, is_known: bool) -> list[Mistake]:
    mistakes = [
        Mistake(f"{MONITORS}[{number}]", f"{shown(name)} is not a node.{suggest(name, nodes)}")
        for number, name in enumerate(monitors)
        if name is not None and name not in nodes
    ]
    if is_known and monitors and len(monitors) % 2 == 0:
        problem = (
            f"has {len(monitors)} nodes; write an odd number, such as 3: an even one survives no more than one less"
        )
        mistakes.append(Mistake(MONITORS, problem))
    return mistakes


def _read_osds(given: Sequence[Mapping[str, Any]], path: str) -> tuple[tuple[Osd, ...], list[Mistake]]:
    mistakes: list[Mistake] = []
    for number, values in enumerate(given):
        mistakes += _find_osd_mistakes(values, element_path(path, number, None))
    osds = [Osd(**values) for values in given]
    paths = [osd.path for osd in osds]
    for number, name in enumerate(paths):
        if name and name in paths[:number]:
            mistakes.append(Mistake(element_path(path, number, None), f"{shown(name)} is given twice"))
    return tuple(osds), mistakes


def _find_osd_mistakes(values: Mapping[str, Any], path: str) -> list[Mistake]:
    if (values["device"] is None) == (values["file"] is None):
        return [Mistake(path, "write either device, for a disk, or file with size")]
    if (values["file"] is None) != (values["size"] is None):
        wrong = "a file needs size, such as 4 GiB" if values["file"] else "a disk has its own size; leave size out"
        return [Mistake(f"{path}.size", wrong)]
    return []


def _find_rule_mistakes(ceph: Ceph, *, are_osds_known: bool) -> list[Mistake]:
    mistakes = []
    if not ceph.monitors:
        declared = [POOLS] if ceph.pools else []
        declared += [f"{OSDS} of {name}" for name in ceph.osds]
        return [
            Mistake(what.split(" ")[0], f"there is no Ceph without monitors; write {MONITORS} with three nodes")
            for what in declared[:1]
        ]
    if not ceph.osds and are_osds_known:
        mistakes.append(Mistake(MONITORS, f"no node gives {OSDS}; a Ceph without disks keeps nothing"))
    seen: set[str] = set()
    for pool in ceph.pools:
        spec = pool.spec
        if spec.name in seen:
            mistakes.append(Mistake(f"{pool.path}.name", f"{shown(spec.name)} is the name of two pools"))
        seen.add(spec.name)
        if not pool.knows("copies"):
            continue
        if ceph.osds and are_osds_known and spec.copies > len(ceph.osds):
            problem = f"{spec.copies} copies need as many nodes with {OSDS}, and there are {len(ceph.osds)}"
            mistakes.append(Mistake(f"{pool.path}.copies", problem))
        if spec.min_copies is not None and spec.min_copies > spec.copies:
            problem = f"{spec.min_copies} is more than the {spec.copies} copies that there are"
            mistakes.append(Mistake(f"{pool.path}.min_copies", problem))
    return mistakes


def derive_sources(
    pools: Sequence[Written], ceph: Ceph, nodes: Sequence[Declared[Node]]
) -> tuple[tuple[Written, ...], dict[str, str], list[Mistake]]:
    """Complete the storage pools that are in the deployment's own Ceph: those of type rbd that name no monitors.

    Returns (pools, the user of Ceph by the path of each such pool, mistakes). Their keys are known to Ceph alone.
    """
    addresses = {node.spec.name: node.spec.address for node in nodes}
    monitors = [address for name in ceph.monitors if (address := addresses.get(name)) is not None]
    by_name = {pool.spec.name: pool.spec for pool in ceph.pools}
    complete: list[Written] = []
    clients: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for pool in pools:
        if not _is_in_own_ceph(pool) or (not ceph.monitors and ceph.are_monitors_known):
            complete.append(pool)
            continue
        given = pool.value.get("rbd") or {}
        name = pool.name if given.get("pool") is None else given["pool"]
        found = by_name.get(name) if isinstance(name, str) else None
        if found is None:
            if isinstance(name, str) and ceph.is_whole:
                advice = suggest(name, by_name) or f" Declared: {', '.join(sorted(by_name)) or 'none'}."
                mistakes.append(Mistake(f"{pool.path}.rbd.pool", f"{shown(name)} is not in {POOLS}.{advice}"))
            complete.append(pool)
            clients[pool.path] = ""
            continue
        for key in ("user", "key"):
            if given.get(key) is not None:
                problem = "is derived for a pool of the deployment's own Ceph; leave it out, or give monitors as well"
                mistakes.append(Mistake(f"{pool.path}.rbd.{key}", problem))
        clients[pool.path] = found.client
        source = {**given, "monitors": monitors, "pool": name, "user": found.client}
        complete.append(Written(pool.path, {**pool.value, "rbd": source}))
    return tuple(complete), clients, mistakes


def _is_in_own_ceph(pool: Written) -> bool:
    if pool.word("type") != "rbd" or not pool.is_present:
        return False
    given = pool.value.get("rbd")
    return given is None or (isinstance(given, Mapping) and given.get("monitors") is None)


def render_ceph(ceph: Ceph, nodes: Sequence[Declared[Node]], clients: Iterable[str], deployment: str) -> dict[str, Any]:
    """Return what the role is given, in plain JSON types.

    clients: the users of Ceph that storage pools have.
    """
    addresses = {node.spec.name: node.spec.address for node in nodes}
    return {
        "fsid": fsid_of(deployment),
        "monitors": [{"name": name, "address": addresses.get(name)} for name in ceph.monitors],
        "pools": [
            {
                "name": pool.spec.name,
                "copies": pool.spec.copies,
                "min_copies": pool.spec.least_copies,
                "client": pool.spec.client,
            }
            for pool in ceph.pools
        ],
        "osds": {
            name: [{"path": osd.path, "size_mib": osd.size} if osd.file else {"path": osd.path} for osd in osds]
            for name, osds in ceph.osds.items()
        },
        "clients": sorted(set(clients)),
    }
