"""Whether what a storage pool is made of can be used from a node (domain rules, "Propagation", 2).

A server that is off or hangs must hang nobody: first a connection with a short time limit, from here, and only to a
server that answers the node's own tools are sent, with a limit as well.
"""

from __future__ import annotations

import socket

from ._cloud import Cloud
from ._errors import HypervisorError
from ._plan._rows import Row
from ._pool_kinds import CEPH_PORT
from ._xml.pool import parse_sources, render_source_query

_CONNECT_TIMEOUT_S = 3.0
_LIST_TIMEOUT_S = 15.0
_PORTS = {"nfs": 2049, "cifs": 445}


def find_bad_source(cloud: Cloud, node: str, pool: Row) -> str | None:
    """Return why a pool's source cannot be used from a node, None if nothing speaks against it.

    pool: its attributes type and source are looked at.
    """
    pool_type, source = pool.attributes["type"], pool.attributes.get("source") or {}
    if pool_type == "rbd":
        reasons = [_find_unreachable(monitor, CEPH_PORT) for monitor in source["monitors"]]
        return None if None in reasons else f"no monitor of Ceph answers: {'; '.join(filter(None, reasons))}"
    if pool_type in ("netfs", "iscsi"):
        port = source["port"] if pool_type == "iscsi" else _PORTS[source["format"]]
        reason = _find_unreachable(source["host"], port)
        if reason is not None:
            return reason
    return _find_missing(cloud, node, pool, pool_type, source)


def _find_missing(cloud: Cloud, node: str, pool: Row, pool_type: str, source: dict[str, object]) -> str | None:
    query = render_source_query(pool_type, source)
    if query is None:
        return None
    try:
        answer = cloud.hypervisor(node).find_pool_sources(*query, timeout_s=_LIST_TIMEOUT_S)
    except HypervisorError as error:
        # An NFS server of version 4 alone does not tell what it exports: starting the pool will tell.
        return None if pool_type == "netfs" else f"its source cannot be looked for: {error.problems[0].what}"
    known = parse_sources(pool_type, answer)
    wanted = str({"lvm": pool.name, "netfs": source.get("export"), "iscsi": source.get("target")}[pool_type])
    if wanted in known or (pool_type == "netfs" and (not known or any(_is_within(wanted, one) for one in known))):
        return None
    what = {"lvm": "volume group", "netfs": "export", "iscsi": "target"}[pool_type]
    there = {"lvm": "the node", "netfs": str(source.get("host")), "iscsi": str(source.get("host"))}[pool_type]
    return f"{there} has no {what} {wanted}; it has {', '.join(known) or 'none'}"


def _is_within(path: str, directory: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{directory.rstrip('/')}/")


def _find_unreachable(host: str, port: int) -> str | None:
    try:
        socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return f"{host} port {port} cannot be reached ({error})"
    return None
