# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what storage pools are made of can be used from the nodes (domain rules, "Propagation", 2).

A server that is off or hangs must hang nobody. So each server is asked once, from here and within a few seconds, for
a first word; only if it has one, the nodes' own tools are sent to it, with a limit as well.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ..._cloud import Cloud
from ..._doors.bounded import TooLateError, bounded
from ..._model.errors import HypervisorError, PextraError
from ..._model.rows import Row
from .definition import parse_sources, render_source_query
from .kinds import CEPH_PORT
from .plan.sources import SourceTest

_ANSWER_TIMEOUT_S = 3.0
_NAME_TIMEOUT_S = 5.0
_LIST_TIMEOUT_S = 15.0
_AT_ONCE = 32
_PORTS = {"nfs": 2049, "cifs": 445}
# RFC 5531: a call (0) of RPC version 2 to the procedure 0, which does nothing, without credentials; as one fragment.
# 100003 is NFS, of version 4: a server that has only version 3 answers as well, that it does not know it.
_NFS_CALL = struct.pack(">11I", 0x80000000 | 40, 1, 0, 2, 100003, 4, 0, 0, 0, 0, 0)
# A monitor of Ceph speaks first (messenger version 2).
_CEPH_CALL = b""


class Server(NamedTuple):
    """Who has to answer. call: what makes it say a first word; None if it is enough that it accepts."""

    host: str
    port: int
    call: bytes | None


def find_bad_sources(cloud: Cloud, tests: Sequence[SourceTest]) -> dict[tuple[str, str], str]:
    """Return why sources cannot be used, by (pool, node) names. All are tested at once."""
    silent = _find_silent({server for test in tests for server in _servers_of(test.pool)})
    with ThreadPoolExecutor(max_workers=max(1, min(_AT_ONCE, len(tests)))) as threads:
        reasons = threads.map(lambda test: _find_reason(cloud, test, silent), tests)
        return {(test.pool.name, test.node): reason for test, reason in zip(tests, reasons, strict=True) if reason}


def _find_reason(cloud: Cloud, test: SourceTest, silent: Mapping[Server, str]) -> str | None:
    servers = _servers_of(test.pool)
    reasons = [silent[server] for server in servers if server in silent]
    if servers and len(reasons) == len(servers):
        what = "no monitor of Ceph answers: " if test.pool.attributes["type"] == "rbd" else ""
        return f"{what}{'; '.join(reasons)}"
    return None if test.is_started else _find_missing(cloud, test.node, test.pool)


def _servers_of(pool: Row) -> tuple[Server, ...]:
    """Return the servers of which one has to answer; none for pools on the node itself."""
    pool_type, source = pool.attributes["type"], pool.attributes.get("source") or {}
    if pool_type == "rbd":
        return tuple(Server(monitor, CEPH_PORT, _CEPH_CALL) for monitor in source["monitors"])
    if pool_type == "netfs":
        call = _NFS_CALL if source["format"] == "nfs" else None
        return (Server(source["host"], _PORTS[source["format"]], call),)
    if pool_type == "iscsi":
        return (Server(source["host"], source["port"], None),)
    return ()


def _find_silent(servers: Iterable[Server]) -> dict[Server, str]:
    """Return why servers do not answer, for those that do not."""
    asked = list(servers)
    if not asked:
        return {}
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(asked))) as threads:
        reasons = threads.map(_find_silence, asked)
        return {server: reason for server, reason in zip(asked, reasons, strict=True) if reason}


def _find_silence(server: Server) -> str | None:
    try:
        return bounded(lambda: _ask(server), _NAME_TIMEOUT_S + 2 * _ANSWER_TIMEOUT_S)
    except TooLateError:  # the name's own servers may not answer either
        return f"{server.host} port {server.port} does not answer, or its name is not resolved"


def _ask(server: Server) -> str | None:
    where = f"{server.host} port {server.port}"
    try:
        with socket.create_connection((server.host, server.port), timeout=_ANSWER_TIMEOUT_S) as connection:
            if server.call is None:
                return None
            connection.sendall(server.call)
            if connection.recv(1):
                return None
            return f"{where} accepts connections and closes them"
    except OSError as error:
        # The kernel may give up a moment before us: the reason, and so the time of the error, shall stay the same.
        if isinstance(error, TimeoutError) or error.errno == errno.EHOSTUNREACH:
            return f"{where} does not answer within {_ANSWER_TIMEOUT_S:g} s"
        return f"{where} cannot be reached ({error})"


def _find_missing(cloud: Cloud, node: str, pool: Row) -> str | None:
    pool_type, source = pool.attributes["type"], pool.attributes.get("source") or {}
    query = render_source_query(pool_type, source)
    if query is None:
        return None
    try:
        answer = cloud.hypervisor(node).find_pool_sources(*query, timeout_s=_LIST_TIMEOUT_S)
    except HypervisorError as error:
        # An NFS server of version 4 alone does not tell what it exports: starting the pool will tell.
        return None if pool_type == "netfs" else f"its source cannot be looked for: {error.problems[0].what}"
    except PextraError as error:
        return f"its source cannot be looked for: {error.problems[0].what}"
    known = parse_sources(pool_type, answer)
    wanted = str({"lvm": pool.name, "netfs": source.get("export"), "iscsi": source.get("target")}[pool_type])
    if wanted in known or (pool_type == "netfs" and (not known or any(_is_within(wanted, one) for one in known))):
        return None
    what = {"lvm": "volume group", "netfs": "export", "iscsi": "target"}[pool_type]
    there = {"lvm": "the node", "netfs": str(source.get("host")), "iscsi": str(source.get("host"))}[pool_type]
    return f"{there} has no {what} {wanted}; it has {', '.join(known) or 'none'}"


def _is_within(path: str, directory: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{directory.rstrip('/')}/")
