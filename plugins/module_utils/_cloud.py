# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's view of the cloud: the registry, and open connections to the nodes, made when first needed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ._doors.ceph.keys import read_key
from ._doors.registry import claims
from ._doors.registry.store import Registry
from ._engine.defects import as_problem
from ._model.claims import Claim
from ._model.errors import (
    HypervisorError,
    PextraError,
    Problem,
    UnreachableError,
)
from ._model.rows import Row
from ._nouns.node.spec import default_reserved
from ._nouns.pool.kinds import CEPH_PORT

if TYPE_CHECKING:
    from ._doors.ceph.rbd import CephPool
    from ._doors.libvirt.domains import DomainRecord
    from ._doors.libvirt.hypervisor import Hypervisor
    from ._doors.ovsdb.labels import NodeLabels
    from ._doors.ovsdb.protocol import Ovsdb
    from ._doors.ovsdb.switch import Switch

Result = TypeVar("Result")
_CLOSED_AT_ONCE = 32


class Connection(Protocol):
    """To a daemon of a node."""

    @property
    def frozen(self) -> Problem | None:
        """What to say when the daemon was found frozen; it is not asked again."""
        ...

    @property
    def is_given_up(self) -> bool:
        """Whether nothing more can be done over this connection."""
        ...

    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=Connection)


class NodeEntry(NamedTuple):
    """A node as registered. memory_reserved is MiB, None if it was not said."""

    id: str
    name: str
    address: str
    cluster: str
    virt_type: str = "qemu"
    memory_reserved: int | None = None
    migration_address: str = ""
    containers: bool = False

    @classmethod
    def from_row(cls, row: Row) -> NodeEntry:
        return cls(
            row.id,
            row.name,
            row.attributes["address"],
            row.scope,
            row.attributes.get("virt_type") or "qemu",
            row.attributes.get("memory_reserved"),
            row.attributes.get("migration_address") or row.attributes["address"],
            bool(row.attributes.get("containers")),
        )

    def reserved_of(self, memory: int) -> int:
        """Return what is kept for the host itself of its memory; both are MiB."""
        return default_reserved(memory) if self.memory_reserved is None else self.memory_reserved


class Cloud:
    """Registry and nodes. Use as a context manager."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        # Under which this run holds leases, if it does: its own claims are none to plan around.
        self.token: str | None = None
        self._lock = threading.Lock()
        self._node_locks: dict[str, threading.Lock] = {}
        self._hypervisors: dict[str, Hypervisor] = {}
        self._databases: dict[str, Ovsdb] = {}
        self._ceph_pools: dict[str, CephPool] = {}
        self._silent_ceph: dict[str, tuple[Problem, ...]] = {}
        self.unreachable: dict[str, Problem] = {}
        self.nodes: dict[str, NodeEntry] = {}
        self._revision = -1
        self._known: dict[str, Any] | None = None
        self.refresh_nodes()

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *_: object) -> None:
        opened = (*self._hypervisors.values(), *self._databases.values(), *self._ceph_pools.values())
        if opened:
            with ThreadPoolExecutor(max_workers=min(_CLOSED_AT_ONCE, len(opened))) as threads:
                list(threads.map(lambda connection: connection.close(), opened))

    def revision(self) -> int:
        """Return the registry's revision. What was read before it changed is not good any more."""
        revision = self.registry.revision()
        if revision != self._revision:
            self._revision = revision
            if self._known is not None:
                self._known.clear()
        return revision

    @contextlib.contextmanager
    def reading_once(self) -> Iterator[None]:
        """Within it, what `known` reads is read once, as long as nobody has decided or finished anything."""
        self._known = {}
        try:
            yield
        finally:
            self._known = None

    def refresh_nodes(self) -> None:
        """Read the registered nodes again, by name."""
        self.revision()
        self.nodes = {row.name: NodeEntry.from_row(row) for row in self.registry.rows("node")}

    def claims(self) -> list[Claim]:
        """Return what other runs at work have decided, and may not have done yet."""
        return claims.read(self.registry, but=self.token)

    def add_candidate(self, name: str, address: str) -> None:
        """Make a host reachable by name that has not joined yet."""
        self.nodes.setdefault(name, NodeEntry("", name, address, ""))

    def nodes_of(self, cluster_id: str) -> dict[str, NodeEntry]:
        """Return the nodes of a cluster, by name."""
        return {name: node for name, node in self.nodes.items() if node.cluster == cluster_id}

    def connect(self, nodes: Iterable[str]) -> None:
        """Connect to the libvirt and the OVSDB of nodes, all at once. Nodes that fail are noted in `unreachable`."""
        known = (self._hypervisors, self._databases, self.unreachable)
        fresh = [name for name in nodes if not any(name in each for each in known)]
        if not fresh:
            return
        with ThreadPoolExecutor(max_workers=2 * len(fresh)) as threads:
            hypervisors = [threads.submit(self._open_hypervisor, name) for name in fresh]
            databases = [threads.submit(self._open_database, name) for name in fresh]
        # In this order, so that of a node that is off the same is said each time.
        self._keep(self._hypervisors, fresh, hypervisors)
        self._keep(self._databases, fresh, databases)

    def _keep(self, opened: dict[str, Opened], names: Sequence[str], futures: Sequence[Future[Opened]]) -> None:
        for name, future in zip(names, futures, strict=True):
            try:
                opened[name] = future.result()
            except PextraError as error:
                self.unreachable.setdefault(name, error.problems[0])

    def hypervisor(self, node: str) -> Hypervisor:
        """Return the connection to a node's libvirt. Raises UnreachableError, at once after the first time."""
        found = self._connected(node, self._hypervisors, self._open_hypervisor)
        # It may have been opened before the node was registered.
        found.has_containers = self.nodes[node].containers
        return found

    def domains(self, node: str) -> list[DomainRecord]:
        """Return a node's domains, see `known`. What is about to destroy something asks the hypervisor instead."""
        return self.known(f"domains of {node}", lambda: self.hypervisor(node).domains())

    def known(self, what: str, read: Callable[[], Result]) -> Result:
        """Return what `read` returns, see `reading_once`: for what is much, and what several nouns have to know."""
        if self._known is None:
            return read()
        if what not in self._known:
            self._known[what] = read()
        found: Result = self._known[what]
        return found

    def switch(self, node: str) -> Switch:
        """Return a node's Open vSwitch. Raises UnreachableError, at once after the first time."""
        from ._doors.ovsdb.switch import Switch

        return Switch(node, self._connected(node, self._databases, self._open_database))

    def labels(self, node: str) -> NodeLabels:
        """Return a node's labels. Raises UnreachableError, at once after the first time."""
        from ._doors.ovsdb.labels import NodeLabels

        return NodeLabels(self._connected(node, self._databases, self._open_database))

    def _open_hypervisor(self, node: str) -> Hypervisor:
        from ._doors.libvirt.hypervisor import Hypervisor

        return Hypervisor.connect(node, self._address(node))

    def _open_database(self, node: str) -> Ovsdb:
        from ._doors.ovsdb.protocol import Ovsdb

        return Ovsdb.connect(node, self._address(node))

    def _connected(self, node: str, opened: dict[str, Opened], open_: Callable[[str], Opened]) -> Opened:
        with self._lock_of(node):
            if node in opened and (frozen := opened[node].frozen) is not None:
                self.unreachable.setdefault(node, frozen)
            self._refuse_unreachable(node)
            if node in opened and opened[node].is_given_up:
                opened.pop(node).close()
            if node not in opened:
                try:
                    opened[node] = open_(node)
                except UnreachableError as error:
                    self.unreachable[node] = error.problems[0]
                    raise
            return opened[node]

    def ceph_pool(self, pool: Row) -> CephPool:
        """Return the connection to a storage pool of type rbd, as a client of Ceph. Raises PextraError, at once
        after the first time.
        """
        with self._lock_of(pool.id):
            if pool.id in self._silent_ceph:
                raise HypervisorError(self._silent_ceph[pool.id])
            if pool.id not in self._ceph_pools:
                try:
                    self._ceph_pools[pool.id] = _connect_ceph(pool)
                except HypervisorError as error:
                    self._silent_ceph[pool.id] = error.problems
                    raise
            return self._ceph_pools[pool.id]

    def on_each(self, nodes: Iterable[str], read: Callable[[str], Result]) -> dict[str, Result]:
        """Run `read` for all nodes at once. Nodes that fail are left out, and noted in `unreachable`."""
        names = list(dict.fromkeys(nodes))
        results: dict[str, Result] = {}
        if not names:
            return results

        def read_one(name: str) -> Result:
            with as_problem(name):
                return read(name)

        with ThreadPoolExecutor(max_workers=len(names)) as pool:
            futures = {name: pool.submit(read_one, name) for name in names}
        for name, future in futures.items():
            try:
                results[name] = future.result()
            except PextraError as error:
                self.unreachable.setdefault(name, error.problems[0])
        return results

    def _lock_of(self, node: str) -> threading.Lock:
        with self._lock:
            return self._node_locks.setdefault(node, threading.Lock())

    def _refuse_unreachable(self, node: str) -> None:
        if node in self.unreachable:
            raise UnreachableError([self.unreachable[node]])

    def _address(self, node: str) -> str | None:
        address = self.nodes[node].address
        return None if is_local(address) else address


def _connect_ceph(pool: Row) -> CephPool:
    resource = f"pool {pool.name}"
    try:
        from ._doors.ceph.rbd import CephPool
    except ImportError as error:
        raise PextraError(
            [
                Problem(
                    f"the coordinator has no client of Ceph ({error})",
                    "Run site.yml --tags coordinator, or install python3-rados and python3-rbd there.",
                    resource=resource,
                )
            ]
        ) from error
    key = read_key(pool.id)
    if key is None:
        raise PextraError(
            [
                Problem(
                    "the coordinator does not have its key",
                    "Run site.yml --tags storage, or give the key to pextra_pool once more.",
                    resource=resource,
                )
            ]
        )
    source = pool.attributes["source"]
    monitors = tuple(f"{monitor}:{CEPH_PORT}" for monitor in source["monitors"])
    return CephPool.connect(monitors, source["pool"], source["user"], key, resource)


def is_local(address: str) -> bool:
    """Tell whether an address is one of this host's own."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def resolve(reference: str, rows: Mapping[str, Row] | Iterable[Row]) -> Row | None:
    """Return the row that a name or an identifier refers to."""
    candidates: Iterable[Any] = rows.values() if isinstance(rows, Mapping) else rows
    return next((row for row in candidates if reference in (row.name, row.id)), None)
